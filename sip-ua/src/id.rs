//! What names the things of an agent: numbers that are not used twice.

/// Makes types of numbers that print as a word and the number.
macro_rules! identifiers {
    ($($(#[$doc:meta])+ $name:ident($number:ty) = $word:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) $number);

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    )+};
}
pub(crate) use identifiers;
