//! What is read although RFC 3261 does not allow it to be written so: each has a name.

use crate::limits::{DEFAULT_PARAMS, Limits};
use core::fmt;

/// How a message is read: its bounds, and what is forgiven.
///
/// ```
/// use sidetone_sip_core::{Leniency, Message, ReadOptions};
/// let text = b"OPTIONS  sip:a@example.com SIP/2.0\r\nTo: <sip:a@example.com>\r\n\r\n";
/// assert!(Message::parse_with(text[..].into(), &ReadOptions::default()).is_err());
/// let mut options = ReadOptions::default();
/// options.leniency.start_line_spaces = true;
/// assert!(Message::parse_with(text[..].into(), &options).is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The bounds.
    pub limits: Limits,
    /// What is forgiven.
    pub leniency: Leniency,
}

impl ReadOptions {
    /// These bounds, and what is forgiven.
    #[must_use]
    pub const fn new(limits: Limits, leniency: Leniency) -> Self {
        Self { limits, leniency }
    }
}

impl From<Limits> for ReadOptions {
    fn from(limits: Limits) -> Self {
        Self { limits, leniency: Leniency::DEFAULT }
    }
}

macro_rules! leniency {
    ($($(#[$doc:meta])+ $name:ident = $default:literal;)+) => {
        /// What is read although RFC 3261 §25 does not allow it to be written so. Each is on or off by itself.
        ///
        /// Three sets are ready: [`Leniency::STRICT`] takes what the grammar has and no more, [`Leniency::DEFAULT`] is what a
        /// good phone takes, [`Leniency::LENIENT`] is everything that can be taken without guessing wildly. What
        /// RFC 3261 §18.3 itself asks for is no leniency: over UDP a body without Content-Length is the rest
        /// of the datagram, and what follows the body is dropped.
        ///
        /// What is *sent* never depends on it, but a message that is passed on keeps the lines it came with.
        ///
        /// ```
        /// use sidetone_sip_core::Leniency;
        /// let mut mine = Leniency::STRICT;
        /// mine.lf_line_ends = true;
        /// assert!(Leniency::default().lf_line_ends && !Leniency::default().start_line_spaces);
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Leniency {
            $($(#[$doc])+ pub $name: bool,)+
        }

        #[expect(non_camel_case_types, reason = "numbers the fields")]
        enum Index { $($name,)+ }

        impl Leniency {
            /// Nothing beyond the grammar.
            pub const STRICT: Self = Self { $($name: false,)+ };
            /// What a good phone takes.
            pub const DEFAULT: Self = Self { $($name: $default,)+ };
            /// Everything.
            pub const LENIENT: Self = Self { $($name: true,)+ };

            /// The names of all, as the fields have them.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)+];

            /// Turns the one of this name on or off; says whether there is one.
            pub fn set(&mut self, name: &str, on: bool) -> bool {
                match name {
                    $(stringify!($name) => self.$name = on,)+
                    _ => return false,
                }
                true
            }

            /// Whether the one of this name is on; `None` when there is none of this name.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<bool> {
                match name {
                    $(stringify!($name) => Some(self.$name),)+
                    _ => None,
                }
            }
        }

        impl Lenient {
            /// The same in one word.
            pub(crate) const fn new(leniency: &Leniency) -> Self {
                let mut bits = 0;
                $(bits |= (leniency.$name as u64) << Index::$name as u64;)+
                Self { bits, params: DEFAULT_PARAMS }
            }

            /// The same by name.
            pub(crate) const fn named(self) -> Leniency {
                Leniency { $($name: self.bits & (1 << Index::$name as u64) != 0,)+ }
            }

            $(
                pub(crate) const fn $name(self) -> bool {
                    self.bits & (1 << Index::$name as u64) != 0
                }
            )+
        }
    };
}

leniency! {
    /// A line may end with LF alone.
    lf_line_ends = true;
    /// Line ends before the first line are skipped. RFC 3261 §7.5 asks for it on streams, where
    /// [`Deframer`](crate::Deframer) does so in any case; this is for datagrams.
    leading_line_ends = true;
    /// A status line may lack the space after its code.
    status_line_without_space = true;
    /// The topmost Via may have no `branch`, or one that is the magic cookie alone: a peer of RFC 2543. (One without the cookie is
    /// no fault of grammar, and taken in any case.)
    missing_branch = true;
    /// A From may have no `tag`: a peer of RFC 2543.
    missing_from_tag = true;
    /// A request may have no Max-Forwards: a peer of RFC 2543.
    missing_max_forwards = true;
    /// A header that an element can do without is passed over when it breaks its grammar (RFC 3261 §8.2, §16.3), instead of
    /// having the request refused. The header's own reading fails in any case.
    malformed_optional_headers = true;
    /// A host name may have `_`.
    underscore_in_hosts = true;
    /// An unquoted display name may have characters beyond ASCII.
    non_ascii_display_names = true;
    /// A header parameter's unquoted value may have any visible ASCII but `"` `,` `;` `<` `>` `\`.
    any_parameter_values = true;
    /// The value of a URI parameter may have `=`.
    equals_in_uri_parameters = true;
    /// A number of seconds (Expires, `expires`) beyond 2³²-1 counts as that.
    saturating_numbers = true;
    /// A text (display name, reason phrase, User-Agent) that is not UTF-8 is read with U+FFFD for what is not; its line
    /// stays as it is.
    non_utf8_text = true;
    /// Alert-Info, Call-Info and Error-Info may have, instead of `<URI>`, a URI without brackets, a keyword
    /// (`Bellcore-dr1`, `Auto Answer`), or parameters alone (`info = alert-autoanswer`).
    bare_info_values = true;
    /// Privacy may have commas instead of semicolons.
    commas_in_privacy = true;
    /// Identity may lack its `info`, and its signature may be in quotes: a peer of RFC 4474.
    old_identity = true;
    /// The number of a `tel` URI that does not begin with `+` may have no `phone-context`.
    local_numbers_without_context = true;
    /// The last line of a `message/sipfrag` body may lack its end.
    unended_fragments = true;
    /// More than one space between the parts of the start line.
    start_line_spaces = false;
    /// Spaces at the end of the start line.
    start_line_trailing_spaces = false;
    /// A Request-URI in angle brackets.
    bracketed_request_uri = false;
    /// The headers part of a Request-URI is dropped.
    request_uri_headers = false;
    /// Spaces at the ends of a URI within angle brackets.
    spaces_in_brackets = false;
    /// An unquoted display name may have anything but `"` and `<`: separators as `,` `@` `(`. Where a line may hold
    /// several addresses, a comma still ends one.
    any_display_names = false;
    /// Users, passwords, parameters and headers of URIs may have visible ASCII that should be escaped: `#`, `^`, `{`, `|`, and `%`
    /// that begins no escape.
    unescaped_uri_characters = false;
    /// A URI without angle brackets may have a headers part, which then belongs to the URI.
    headers_without_brackets = false;
    /// A line of the head that is no `name: value` is passed over.
    malformed_lines = false;
    /// A datagram may end after its last header line, without the empty line.
    missing_empty_line = false;
    /// CSeq may lack the space between number and method.
    cseq_without_space = false;
    /// A Call-ID may have any visible ASCII.
    any_call_ids = false;
    /// Parameters may be empty: `;;`, and `;` at the end.
    empty_parameters = false;
    /// A datagram may be shorter than Content-Length says: the body is what is there.
    truncated_bodies = false;
    /// A message on a stream may lack Content-Length: it has no body.
    stream_without_content_length = false;
}

impl Default for Leniency {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Debug for Leniency {
    /// The names of those that are on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Self::NAMES.iter().filter(|name| self.get(name) == Some(true))).finish()
    }
}

/// A [`Leniency`] in one word, as messages carry it, and the bound on parameters that goes wherever it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lenient {
    bits: u64,
    params: u16,
}

impl Lenient {
    pub(crate) const DEFAULT: Self = Self::new(&Leniency::DEFAULT);
    pub(crate) const ALL: Self = Self::new(&Leniency::LENIENT);

    /// The same with [`Limits::params`].
    pub(crate) const fn with_limits(mut self, limits: &Limits) -> Self {
        self.params = limits.params;
        self
    }

    /// The same with another leniency.
    pub(crate) const fn with(self, leniency: &Leniency) -> Self {
        Self { params: self.params, ..Self::new(leniency) }
    }

    /// [`Limits::params`].
    pub(crate) const fn params(self) -> u16 {
        self.params
    }
}

impl Default for Lenient {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_every_one() {
        for set in [Leniency::STRICT, Leniency::DEFAULT, Leniency::LENIENT] {
            assert_eq!(Lenient::new(&set).named(), set);
        }
        for name in Leniency::NAMES {
            let mut one = Leniency::STRICT;
            assert!(one.set(name, true));
            assert_eq!(one.get(name), Some(true));
            assert_eq!(Lenient::new(&one).bits.count_ones(), 1, "{name}");
            assert_eq!(Lenient::new(&one).named(), one);
        }
        assert!(!Leniency::default().set("no_such", true));
    }
}
