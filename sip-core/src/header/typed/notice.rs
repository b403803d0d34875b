//! What a response says besides its status: Retry-After, Warning, Reason (RFC 3261 §20.33, §20.43, RFC 3326).

use super::emit_display;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, Params, params};
use crate::parse::{Fault, Parsed, class, grammar};
use crate::text::Text;
use alloc::string::ToString;
use bytes::Bytes;
use core::fmt::{self, Write as _};

/// Retry-After: when to try again (RFC 3261 §20.33).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// In so many seconds; a larger number than 2³²-1 is that.
    pub seconds: u32,
    /// Why, in words.
    pub comment: Option<Text>,
    /// `duration` and others.
    pub params: Params,
}

impl RetryAfter {
    /// In so many seconds.
    #[must_use]
    pub const fn new(seconds: u32) -> Self {
        Self { seconds, comment: None, params: Params::new() }
    }
}

impl Header for RetryAfter {
    const NAME: HeaderName = HeaderName::RETRY_AFTER;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        grammar::complete(value, |input| {
            let (rest, digits) = grammar::digits(input)?;
            let seconds = class::saturating_number(digits).unwrap_or(u32::MAX);
            let after = grammar::skip_spaces(rest);
            let (rest, comment) = match after {
                [b'(', ..] => {
                    let (rest, inside) = comment(after)?;
                    match grammar::unquote(value, inside) {
                        Ok(text) => (rest, Some(text)),
                        Err(error) => return Fault::error(after, error.kind),
                    }
                }
                _ => (rest, None),
            };
            let (rest, params) = Params::read(value, rest)?;
            Ok((rest, Self { seconds, comment, params }))
        })
    }

    emit_display!();
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        if let Some(comment) = &self.comment {
            f.write_str(" (")?;
            for c in comment.chars() {
                f.write_str(if matches!(c, '(' | ')' | '\\') { "\\" } else { "" })?;
                f.write_char(c)?;
            }
            f.write_str(")")?;
        }
        write!(f, "{}", self.params)
    }
}

/// `"(" ... ")"` with comments and escapes inside: what is between the outer brackets, as written.
fn comment(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = input.get(at) {
        match byte {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' if depth == 1 => {
                let inside = input.get(1..at).unwrap_or_default();
                return Ok((input.get(at + 1..).unwrap_or_default(), inside));
            }
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    Fault::error(input, ParseErrorKind::Separator(')'))
}

/// One value of Warning: what is wrong with a session description (RFC 3261 §20.43).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Three digits, as 304 for an incompatible media format.
    pub code: u16,
    /// Who says so: a host or a pseudonym.
    pub agent: Text,
    /// What is wrong, for people.
    pub text: Text,
}

impl Header for Warning {
    const NAME: HeaderName = HeaderName::WARNING;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        grammar::complete(value, |input| {
            let (rest, digits) = grammar::digits(input)?;
            let code = class::number(digits).and_then(|code| u16::try_from(code).ok());
            let Some(code) = code.filter(|_| digits.len() == 3) else {
                return Fault::error(input, ParseErrorKind::Range);
            };
            let (rest, agent) =
                grammar::class1(grammar::skip_spaces(rest), class::VALUE, ParseErrorKind::Token)?;
            let (rest, inside) = grammar::quoted(grammar::skip_spaces(rest))?;
            match grammar::unquote(value, inside) {
                Ok(text) => Ok((rest, Self { code, agent: Text::slice_ascii(value, agent), text })),
                Err(error) => Fault::error(rest, error.kind),
            }
        })
    }

    emit_display!();
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {} ", self.code, self.agent)?;
        params::write_quoted(f, &self.text)
    }
}

/// One value of Reason: why a request was sent (RFC 3326).
///
/// ```
/// use sidetone_sip_core::{Headers, header::Reason};
/// let mut headers = Headers::new();
/// headers.push(&Reason::sip(200, "Call completed elsewhere"));
/// let reason: Reason = headers.require().unwrap();
/// assert_eq!((reason.cause(), reason.text().as_deref()), (Some(200), Some("Call completed elsewhere")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850` or another.
    pub protocol: Text,
    /// `cause`, `text` and others.
    pub params: Params,
}

impl Reason {
    /// A SIP status as the reason.
    #[must_use]
    pub fn sip(cause: u16, text: &str) -> Self {
        let mut params = Params::new();
        params.set("cause", &cause.to_string());
        params.set("text", text);
        Self { protocol: Text::from_static("SIP"), params }
    }

    /// The `cause` parameter.
    #[must_use]
    pub fn cause(&self) -> Option<u16> {
        self.params.get("cause")?.parse().ok()
    }

    /// The `text` parameter.
    #[must_use]
    pub fn text(&self) -> Option<alloc::borrow::Cow<'_, str>> {
        self.params.get("text")
    }
}

impl Header for Reason {
    const NAME: HeaderName = HeaderName::REASON;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        grammar::complete(value, |input| {
            let (rest, protocol) = grammar::token(input)?;
            let (rest, params) = Params::read(value, rest)?;
            Ok((rest, Self { protocol: Text::slice_ascii(value, protocol), params }))
        })
    }

    emit_display!();
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params)
    }
}
