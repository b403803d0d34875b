//! Pointers to sounds, pictures and pages: Alert-Info, Call-Info, Error-Info (RFC 3261 §20.4, §20.9, §20.18).

use super::word::{self, bare_params, number, write_bare_params};
use super::wrapper::wrappers;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{HeaderValue, Params, params};
use crate::leniency::Lenient;
use crate::parse::{Fault, Parsed, class, grammar};
use crate::text::{Text, offset};
use crate::uri::Uri;
use alloc::borrow::Cow;
use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::ops::{Deref, DerefMut};
use memchr::memchr;

/// One value of Alert-Info, Call-Info or Error-Info: what to fetch, or a keyword, and parameters.
///
/// Leniency: the RFC has `<URI>` only. With [`bare_info_values`](crate::Leniency::bare_info_values) it may also be a URI without brackets, a keyword with or without
/// brackets or in quotes (`Bellcore-dr1`, `Auto Answer`), and parameters alone, with or without their first
/// `;` (`info = alert-autoanswer`, `;answer-after=0`), of which the first value may have spaces.
///
/// ```
/// use sidetone_sip_core::header::AlertInfo;
/// let alert: AlertInfo = "<sip:pbx.example.com>;info=alert-autoanswer;delay=2".parse().unwrap();
/// assert_eq!((alert.info().as_deref(), alert.answer_after()), (Some("alert-autoanswer"), Some(2)));
/// let alert: AlertInfo = "answer-after = 0".parse().unwrap();
/// assert_eq!((alert.uri(), alert.answer_after()), (None, Some(0)));
/// let alert: AlertInfo = "http://127.0.0.1/Bellcore-dr3".parse().unwrap();
/// assert_eq!((alert.keyword(), alert.bellcore()), (Some("Bellcore-dr3"), Some(3)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    /// What to fetch or to play.
    pub source: InfoSource,
    /// `purpose`, `info`, `answer-after`, `appearance-index` and others.
    pub params: Params,
}

/// What an [`Info`] points to.
#[derive(Clone, Debug, PartialEq)]
pub enum InfoSource {
    /// A URI, as the RFC has it.
    Uri(Uri),
    /// A word that is no URI, as `Bellcore-dr1`.
    Keyword(Text),
    /// Nothing: parameters alone.
    None,
}

impl Info {
    /// A pointer to this URI.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self { source: InfoSource::Uri(uri), params: Params::new() }
    }

    /// A keyword that is no URI, as some servers and telephones use.
    #[must_use]
    pub fn keyword_only(keyword: impl Into<Text>) -> Self {
        Self { source: InfoSource::Keyword(keyword.into()), params: Params::new() }
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.params.set(name, value);
        self
    }

    /// The URI, if it is one.
    #[must_use]
    pub const fn uri(&self) -> Option<&Uri> {
        match &self.source {
            InfoSource::Uri(uri) => Some(uri),
            InfoSource::Keyword(_) | InfoSource::None => None,
        }
    }

    /// The keyword, or the last part of the URI's path: `Bellcore-dr1` of `http://127.0.0.1/Bellcore-dr1`.
    #[must_use]
    pub fn keyword(&self) -> Option<&str> {
        let text = match &self.source {
            InfoSource::Uri(uri) if !uri.is_sip() => uri.as_str(),
            InfoSource::Keyword(text) => text,
            InfoSource::Uri(_) | InfoSource::None => return None,
        };
        text.rsplit('/').next().filter(|word| !word.is_empty())
    }

    /// The `info` parameter: the name of a ring tone, or `alert-autoanswer`.
    #[must_use]
    pub fn info(&self) -> Option<Cow<'_, str>> {
        self.params.get("info")
    }

    /// The `purpose` parameter of Call-Info: `icon`, `info`, `card` and others (RFC 3261 §20.9).
    #[must_use]
    pub fn purpose(&self) -> Option<Cow<'_, str>> {
        self.params.get("purpose")
    }

    /// After how many seconds the call is to answer itself: `answer-after`, or `delay` (else 0) beside
    /// `info=alert-autoanswer`, or 0 for the keyword `Auto Answer`. `None` when it is not asked for.
    #[must_use]
    pub fn answer_after(&self) -> Option<u32> {
        if self.params.has("answer-after") {
            return number(&self.params, "answer-after");
        }
        let asks = |text: &str| {
            let mut letters = text.bytes().filter(|byte| !matches!(byte, b' ' | b'-' | b'_'));
            let mut rest = "autoanswer".bytes();
            rest.all(|byte| letters.next().is_some_and(|letter| letter.eq_ignore_ascii_case(&byte)))
                && letters.next().is_none()
        };
        let info = self.info();
        let info = info.as_deref().map(|info| info.strip_prefix("alert-").unwrap_or(info));
        let keyword = self.keyword().map(|word| word.strip_prefix("alert-").unwrap_or(word));
        (info.is_some_and(asks) || keyword.is_some_and(asks))
            .then(|| number(&self.params, "delay").unwrap_or_default())
    }

    /// The number of a `Bellcore-drN` cadence, wherever it stands: keyword, URI or `info`.
    #[must_use]
    pub fn bellcore(&self) -> Option<u8> {
        let info = self.info();
        [self.keyword(), info.as_deref()].into_iter().flatten().find_map(|word| {
            let (name, digits) = word.split_at_checked("Bellcore-dr".len())?;
            name.eq_ignore_ascii_case("Bellcore-dr").then(|| digits.parse().ok()).flatten()
        })
    }

    fn read(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        let (source, lenient) = (value.source(), value.lenient());
        let bytes = value.as_bytes();
        let input = class::trim(bytes);
        if lenient.bare_info_values()
            && let Some(params) = params_alone(input, lenient)
        {
            let at = |error: ParseError| ParseError { at: offset(bytes, input) + error.at, ..error };
            return Ok(Self { source: InfoSource::None, params: params.map_err(at)? });
        }
        grammar::complete(bytes, |input| {
            let (rest, source_read) = read_source(source, input, lenient)?;
            let (rest, params) = Params::read_with(source, rest, lenient)?;
            Ok((rest, Self { source: source_read, params }))
        })
    }
}

/// Parameters without anything before them: a first `;`, or `name=value`, as which no URI begins. `None` for everything else.
fn params_alone(input: &[u8], lenient: Lenient) -> Option<Result<Params, ParseError>> {
    if let Some(list) = input.strip_prefix(b";") {
        let at = |error: ParseError| ParseError { at: error.at + 1, ..error };
        return Some(bare_params(list, lenient).map_err(at));
    }
    let is_param = grammar::param(input).is_ok_and(|(rest, (_, value))| {
        value.is_some() && matches!(grammar::skip_spaces(rest), [] | [b';', ..])
    });
    if is_param {
        return Some(bare_params(input, lenient));
    }
    with_quotes(input).map(|quoted| bare_params(quoted.as_bytes(), lenient))
}

/// `name=two words;more` with the quotes that the value should have; `None` for everything else.
fn with_quotes(input: &[u8]) -> Option<String> {
    let end = memchr(b';', input).unwrap_or(input.len());
    let (first, rest) = input.split_at_checked(end)?;
    let (name, value) = first.split_at_checked(memchr(b'=', first)?)?;
    let name = class::trim(name);
    if name.is_empty() || !class::all(name, class::TOKEN) || value.contains(&b'"') {
        return None;
    }
    let value = core::str::from_utf8(class::trim(value.get(1..)?)).ok()?;
    let mut text = String::from(core::str::from_utf8(name).ok()?);
    text.push('=');
    params::write_quoted(&mut text, value).ok()?;
    text.push_str(core::str::from_utf8(rest).ok()?);
    Some(text)
}

/// What stands before the parameters.
fn read_source<'a>(source: &Bytes, input: &'a [u8], lenient: Lenient) -> Parsed<'a, InfoSource> {
    let (rest, part) = match input {
        [b'<', after @ ..] => {
            let Some(end) = memchr(b'>', after) else { return Fault::error(input, ParseErrorKind::Bracket) };
            (after.get(end + 1..).unwrap_or_default(), after.get(..end).unwrap_or_default())
        }
        [] => return Fault::error(input, ParseErrorKind::Token),
        _ if !lenient.bare_info_values() => return Fault::error(input, ParseErrorKind::Separator('<')),
        [b'"', ..] => {
            let (rest, text) = word::text::read(source, input, lenient)?;
            return Ok((rest, InfoSource::Keyword(text)));
        }
        _ => {
            let end = memchr(b';', input).unwrap_or(input.len());
            let (part, rest) = input.split_at_checked(end).unwrap_or_default();
            (rest, class::trim(part))
        }
    };
    let at = |error: ParseError| Fault::error(part.get(error.at..).unwrap_or_default(), error.kind);
    match Uri::read_with(source, part, lenient) {
        Ok(uri) => Ok((rest, InfoSource::Uri(uri))),
        Err(error) if !lenient.bare_info_values() => at(error),
        Err(_) => match Text::slice_lossy(source, part, lenient.non_utf8_text()) {
            Ok(text) => Ok((rest, InfoSource::Keyword(text))),
            Err(error) => at(error),
        },
    }
}

/// Whether a keyword reads as itself without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && text.bytes().all(|byte| class::is(byte, class::TOKEN) || matches!(byte, b' ' | b'/'))
}

impl fmt::Display for Info {
    /// A URI in brackets, a keyword as it is or in quotes, parameters alone without their first `;`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            InfoSource::Uri(uri) => write!(f, "<{uri}>{}", self.params),
            InfoSource::Keyword(text) if is_plain(text) => write!(f, "{text}{}", self.params),
            InfoSource::Keyword(text) => {
                params::write_quoted(f, text)?;
                write!(f, "{}", self.params)
            }
            InfoSource::None => match self.params.iter().next() {
                Some((_, Some(_))) => write_bare_params(f, &self.params),
                _ => write!(f, "{}", self.params),
            },
        }
    }
}

wrappers! {
    /// One value of Alert-Info: how to ring (RFC 3261 §20.4, RFC 7462).
    AlertInfo(Info) = ALERT_INFO, list: true, read: Info::read, write: fmt::Display::fmt;
    /// One value of Call-Info: more about the caller or the called (RFC 3261 §20.9).
    CallInfo(Info) = CALL_INFO, list: true, read: Info::read, write: fmt::Display::fmt;
    /// One value of Error-Info: more about an error response (RFC 3261 §20.18).
    ErrorInfo(Info) = ERROR_INFO, list: true, read: Info::read, write: fmt::Display::fmt;
}

/// What each of the three has of [`Info`].
macro_rules! info {
    ($($name:ident),+) => {$(
        impl $name {
            /// A pointer to this URI.
            #[must_use]
            pub const fn new(uri: Uri) -> Self {
                Self(Info::new(uri))
            }

            /// The same with a parameter.
            #[must_use]
            pub fn with(self, name: &str, value: &str) -> Self {
                Self(self.0.with(name, value))
            }
        }

        impl Deref for $name {
            type Target = Info;
            fn deref(&self) -> &Info {
                &self.0
            }
        }

        impl DerefMut for $name {
            fn deref_mut(&mut self) -> &mut Info {
                &mut self.0
            }
        }

        impl From<Info> for $name {
            fn from(info: Info) -> Self {
                Self(info)
            }
        }
    )+};
}

info!(AlertInfo, CallInfo, ErrorInfo);
