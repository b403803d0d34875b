//! Telephone numbers: `tel` URIs, and `sip` URIs that are made of them (RFC 3966, RFC 3261 §19.1.6).

use super::{Host, Kind, Uri, escape_bytes};
use crate::error::ParseError;
use crate::parse::class;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::Write as _;
use memchr::memchr;

/// `-`, `.`, `(`, `)`: for the eye only (RFC 3966 §5.1.1).
pub(super) const fn is_visual(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// Where a number is wrong: `+` and digits, or digits, letters to `F`, `*` and `#`, each with visual separators;
/// one must be more than a separator.
pub(super) fn wrong_number(number: &[u8]) -> Option<usize> {
    let (global, begin) = if number.first() == Some(&b'+') { (true, 1) } else { (false, 0) };
    let digits = number.get(begin..).unwrap_or_default();
    let is_digit = |byte: u8| {
        byte.is_ascii_digit() || !global && (byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#'))
    };
    match digits.iter().position(|&byte| !is_digit(byte) && !is_visual(byte)) {
        Some(wrong) => Some(begin + wrong),
        None => (!digits.iter().any(|&byte| is_digit(byte))).then_some(number.len()),
    }
}

/// Whether a `phone-context` is among parameters as written.
pub(super) fn has_context(params: &[u8]) -> bool {
    const NAME: &[u8] = b"phone-context";
    params.split(|&byte| byte == b';').any(|param| {
        let (name, rest) = param.split_at_checked(NAME.len()).unwrap_or_default();
        name.eq_ignore_ascii_case(NAME) && matches!(rest.first(), None | Some(b'='))
    })
}

/// A number without its visual separators, in lower case.
pub(super) fn digits(number: &str) -> impl Iterator<Item = u8> {
    number.bytes().filter(|&byte| !is_visual(byte)).map(|byte| byte.to_ascii_lowercase())
}

/// The order in which RFC 3966 §3 and RFC 3261 §19.1.6 want parameters, so that equal numbers are equal texts.
fn rank(name: &str) -> usize {
    const FIRST: [&str; 4] = ["isub", "ext", "postd", "phone-context"];
    FIRST.iter().position(|first| name.eq_ignore_ascii_case(first)).unwrap_or(FIRST.len())
}

impl Uri {
    /// A `tel` URI of a number with its parameters, as `+358-555-1234567;postd=pp22` or `7042;phone-context=example.com`.
    ///
    /// Leniency: [`local_numbers_without_context`](crate::Leniency::local_numbers_without_context).
    ///
    /// # Errors
    /// It is no telephone number, or a parameter has a character that must be escaped.
    pub fn tel(number: &str) -> Result<Self, ParseError> {
        let mut text = String::from("tel:");
        text.push_str(number);
        Self::from_bytes(Bytes::from(text))
    }

    /// The number of a `tel` URI, or of a `sip` URI with `user=phone`, without visual separators and
    /// parameters: `+3585551234567`.
    #[must_use]
    pub fn phone_number(&self) -> Option<String> {
        match self.parts.kind {
            Kind::Tel => Some(digits(self.user_escaped()?).map(char::from).collect()),
            Kind::Sip | Kind::Sips => self.to_tel()?.phone_number(),
            Kind::Other => None,
        }
    }

    /// The `sip` URI by which `host` reaches the number of a `tel` URI: number and parameters become the user, in
    /// lower case and in one order, and `user=phone` says so (RFC 3261 §19.1.6). `None` for other schemes.
    ///
    /// ```
    /// use sidetone_sip_core::Uri;
    /// let tel: Uri = "tel:+358-555-1234567;phone-context=5;POSTD=PP22;isub=1411".parse().unwrap();
    /// let sip = tel.to_phone(&"foo.com".parse().unwrap(), None).unwrap();
    /// assert_eq!(sip.as_str(), "sip:+358-555-1234567;isub=1411;postd=pp22;phone-context=5@foo.com;user=phone");
    /// assert_eq!(sip.to_tel().unwrap(), tel);
    /// ```
    #[must_use]
    pub fn to_phone(&self, host: &Host, port: Option<u16>) -> Option<Self> {
        if self.parts.kind != Kind::Tel {
            return None;
        }
        let mut user = String::from(self.user_escaped()?);
        let mut params: Vec<_> = self.params().collect();
        params.sort_by_key(|(name, _)| (rank(name), name.to_ascii_lowercase()));
        for (name, value) in params {
            user.push(';');
            user.push_str(name);
            if let Some(value) = value {
                user.push('=');
                user.push_str(value);
            }
        }
        user.make_ascii_lowercase();
        let mut text = String::from("sip:");
        // What is escaped already stays so.
        for (at, part) in user.split('%').enumerate() {
            text.push_str(if at == 0 { "" } else { "%" });
            escape_bytes(part.as_bytes(), |byte| class::is(byte, class::USER), &mut text);
        }
        let _ = write!(text, "@{host}");
        if let Some(port) = port {
            let _ = write!(text, ":{port}");
        }
        text.push_str(";user=phone");
        Self::from_bytes(Bytes::from(text)).ok()
    }

    /// The `tel` URI in a `sip` or `sips` URI with `user=phone` (RFC 3261 §19.1.6). `None` when it is none.
    #[must_use]
    pub fn to_tel(&self) -> Option<Self> {
        let phone =
            self.is_sip() && self.param("user")?.is_some_and(|kind| kind.eq_ignore_ascii_case("phone"));
        let user = self.user_escaped().filter(|_| phone)?;
        let mut text = String::from("tel:");
        // What only the user part of a `sip` URI must escape is undone; other escapes stay.
        let bytes = user.as_bytes();
        let number = memchr(b';', bytes).unwrap_or(bytes.len());
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match class::escape_at(bytes, at) {
                Some(escaped) => {
                    let plain = |byte| match byte {
                        b'#' => at < number,
                        byte => class::is(byte, class::URI_PARAM) && !class::is(byte, class::USER),
                    };
                    escape_bytes(&[escaped], plain, &mut text);
                    at += 3;
                }
                None => {
                    text.push(char::from(byte));
                    at += 1;
                }
            }
        }
        Self::from_bytes(Bytes::from(text)).ok()
    }
}
