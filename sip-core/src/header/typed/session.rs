//! Session timers, reliable provisional responses and Timestamp: Session-Expires, Min-SE, RAck, RSeq, Timestamp
//! (RFC 4028 §4, §5, RFC 3262 §7, RFC 3261 §20.38).

use super::emit_display;
use super::word::from_str;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue, Params};
use crate::method::Method;
use crate::parse::{Fault, Parsed, class, grammar};
use crate::text::{Text, sub};
use alloc::format;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;

macro_rules! seconds {
    ($($(#[$doc:meta])+ $name:ident = $constant:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// The interval in seconds; a larger number than 2³²-1 is that.
            pub seconds: u32,
            /// Parameters.
            pub params: Params,
        }

        impl $name {
            /// So many seconds.
            #[must_use]
            pub const fn new(seconds: u32) -> Self {
                Self { seconds, params: Params::new() }
            }
        }

        impl Header for $name {
            const NAME: HeaderName = HeaderName::$constant;

            fn parse(value: &Bytes) -> Result<Self, ParseError> {
                Self::parse_value(HeaderValue::whole(value))
            }

            fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
                let lenient = value.lenient();
                grammar::complete(value.as_bytes(), |input| {
                    let (rest, digits) = grammar::digits(input)?;
                    let most = lenient.saturating_numbers().then_some(u32::MAX);
                    let Some(seconds) = class::number(digits).or(most) else {
                        return Fault::error(input, ParseErrorKind::Range);
                    };
                    let (rest, params) = Params::read_with(value.source(), rest, lenient)?;
                    Ok((rest, Self { seconds, params }))
                })
            }

            emit_display!();
        }

        from_str!($name);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", self.seconds, self.params)
            }
        }
    )+};
}

seconds! {
    /// Session-Expires: after how long a session ends that nobody refreshes (RFC 4028 §4).
    ///
    /// ```
    /// use sidetone_sip_core::header::{Refresher, SessionExpires};
    /// let session: SessionExpires = "1800;refresher=uas".parse().unwrap();
    /// assert_eq!((session.seconds, session.refresher()), (1800, Some(Refresher::Uas)));
    /// assert_eq!(SessionExpires::new(90).with_refresher(Refresher::Uac).to_string(), "90;refresher=uac");
    /// ```
    SessionExpires = SESSION_EXPIRES;
    /// Min-SE: the shortest session interval that is taken (RFC 4028 §5).
    MinSe = MIN_SE;
}

/// Who refreshes a session: by the roles in the request that has the header (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answers it.
    Uas,
}

impl SessionExpires {
    /// The `refresher` parameter; `None` also for a value that is none.
    #[must_use]
    pub fn refresher(&self) -> Option<Refresher> {
        let value = self.params.get("refresher")?;
        let is = |name: &str| value.eq_ignore_ascii_case(name);
        is("uac").then_some(Refresher::Uac).or_else(|| is("uas").then_some(Refresher::Uas))
    }

    /// The same with a refresher.
    #[must_use]
    pub fn with_refresher(mut self, refresher: Refresher) -> Self {
        let value = match refresher {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        };
        self.params.set("refresher", value);
        self
    }
}

/// RAck: the provisional response that a PRACK acknowledges (RFC 3262 §7.2).
///
/// ```
/// use sidetone_sip_core::{Method, header::RAck};
/// let rack: RAck = "776656 1 INVITE".parse().unwrap();
/// assert_eq!(rack, RAck { rseq: 776_656, cseq: 1, method: Method::INVITE });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RAck {
    /// The response's RSeq.
    pub rseq: u32,
    /// The number in its CSeq.
    pub cseq: u32,
    /// The method in its CSeq.
    pub method: Method,
}

/// A number and the space after it.
fn number(input: &[u8]) -> Parsed<'_, u32> {
    let (rest, digits) = grammar::digits(input)?;
    let Some(number) = class::number(digits) else { return Fault::error(input, ParseErrorKind::Range) };
    let after = grammar::skip_spaces(rest);
    if after.len() == rest.len() {
        return Fault::error(rest, ParseErrorKind::Separator(' '));
    }
    Ok((after, number))
}

impl Header for RAck {
    const NAME: HeaderName = HeaderName::RACK;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let (rseq, cseq, method) = grammar::complete(value, |input| {
            let (rest, rseq) = number(input)?;
            let (rest, cseq) = number(rest)?;
            let (rest, method) = grammar::token(rest)?;
            Ok((rest, (rseq, cseq, method)))
        })?;
        Ok(Self { rseq, cseq, method: Method::read(&sub(value, method))? })
    }

    emit_display!();
}

from_str!(RAck);

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

/// Timestamp: when the client sent the request, by its own clock, and how long the server held it
/// (RFC 3261 §8.2.6.1, §20.38). Both are decimal numbers of seconds, kept as written, for the value goes back
/// to the client as it came.
///
/// ```
/// use core::time::Duration;
/// use sidetone_sip_core::header::Timestamp;
/// let stamp: Timestamp = "54.21".parse().unwrap();
/// let answer = stamp.with_delay(Duration::from_millis(1_500));
/// assert_eq!(answer.to_string(), "54.21 1.500000");
/// assert_eq!((answer.sent(), answer.delay()), (Duration::from_millis(54_210), Some(Duration::from_millis(1_500))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    sent: Text,
    delay: Option<Text>,
}

impl Timestamp {
    /// A time by the client's own clock, to the microsecond.
    #[must_use]
    pub fn new(sent: Duration) -> Self {
        Self { sent: write(sent), delay: None }
    }

    /// The same with the time that passed between the request's arrival and the response.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = Some(write(delay));
        self
    }

    /// When the request was sent, to the nanosecond.
    #[must_use]
    pub fn sent(&self) -> Duration {
        seconds(&self.sent)
    }

    /// How long the server held the request.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay.as_deref().map(seconds)
    }
}

fn write(time: Duration) -> Text {
    Text::from(format!("{}.{:06}", time.as_secs(), time.subsec_micros()))
}

/// What a decimal number of seconds is; digits after the ninth do not count, and too many seconds are the most.
fn seconds(text: &str) -> Duration {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digit =
        |sum: u64, digit: u8| sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')));
    let whole = whole.bytes().fold(0, digit);
    let nanos = fraction.bytes().chain(core::iter::repeat(b'0')).take(9).fold(0, digit);
    Duration::new(whole, u32::try_from(nanos).unwrap_or_default())
}

/// `1*DIGIT [ "." *DIGIT ]`, and without the digits before the dot when `delay` says so.
fn decimal(input: &[u8], delay: bool) -> Parsed<'_, &[u8]> {
    let digits = |input: &[u8]| input.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut len = digits(input);
    if len == 0 && !(delay && input.first() == Some(&b'.')) {
        return Fault::error(input, ParseErrorKind::Number);
    }
    if input.get(len) == Some(&b'.') {
        len += 1 + digits(input.get(len + 1..).unwrap_or_default());
    }
    let (number, rest) = input.split_at_checked(len).unwrap_or_default();
    Ok((rest, number))
}

impl Header for Timestamp {
    const NAME: HeaderName = HeaderName::TIMESTAMP;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        grammar::complete(value, |input| {
            let (rest, sent) = decimal(input, false)?;
            let sent = Text::slice_ascii(value, sent);
            let after = grammar::skip_spaces(rest);
            if after.is_empty() || after.len() == rest.len() {
                return Ok((rest, Self { sent, delay: None }));
            }
            let (rest, delay) = decimal(after, true)?;
            Ok((rest, Self { sent, delay: Some(Text::slice_ascii(value, delay)) }))
        })
    }

    emit_display!();
}

from_str!(Timestamp);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sent)?;
        match &self.delay {
            Some(delay) => write!(f, " {delay}"),
            None => Ok(()),
        }
    }
}
