//! Headers whose value is one of another type: they read and write as that.

/// A header for each line: its type, its name's constant, and how a value of the inner type is read and written.
macro_rules! wrappers {
    ($(
        $(#[$meta:meta])+
        $name:ident($inner:ty) = $constant:ident, list: $list:literal, read: $read:path, write: $write:path;
    )+) => {$(
        $(#[$meta])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name(pub $inner);

        impl crate::header::Header for $name {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$constant;
            const LIST: bool = $list;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                Self::parse_value(crate::header::HeaderValue::whole(value))
            }

            fn parse_value(value: crate::header::HeaderValue<'_>) -> Result<Self, crate::error::ParseError> {
                $read(value).map(Self)
            }

            super::emit_display!();
        }

        super::word::from_str!($name);

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                $write(&self.0, f)
            }
        }
    )+};
}
pub(super) use wrappers;
