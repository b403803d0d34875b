//! Responses made from requests, and bodies (RFC 3261 §8.2.6, §20.15).

use super::{Request, Response};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{ContentType, Header as _, HeaderName, Headers, HeadersBuilder, To, Via};
use crate::leniency::Lenient;
use crate::limits::Limits;
use crate::method::Method;
use crate::parse::line::{Lines, leading_line_ends};
use crate::status::StatusCode;
use crate::text::Text;
use alloc::string::String;
use bytes::Bytes;

impl Request {
    /// A response by RFC 3261 §8.2.6: every Via in order, From, To, Call-ID and CSeq of the request, and its
    /// Timestamp in a 100. `to_tag` becomes the tag of a To that has none; a response other than 100 needs one.
    ///
    /// Record-Route is not copied; who creates a dialog does so with [`Headers::copy_all`].
    #[must_use]
    pub fn response(&self, status: StatusCode, to_tag: Option<&str>) -> Response {
        answer(&self.headers, status, to_tag)
    }

    /// Sets body and Content-Type.
    pub fn set_body(&mut self, kind: &ContentType, body: impl Into<Bytes>) {
        self.headers.set(kind);
        self.body = body.into();
    }
}

impl Response {
    /// Sets body and Content-Type.
    pub fn set_body(&mut self, kind: &ContentType, body: impl Into<Bytes>) {
        self.headers.set(kind);
        self.body = body.into();
    }

    /// The same with another reason phrase.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Text>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// The answer to a datagram that [`Message::parse`](crate::Message::parse) refused with `error`: with
/// [`ParseError::status`], and with what could be read of Via, From, To, Call-ID and CSeq.
///
/// `None` when there is nobody to answer: the datagram is no request, is an ACK, or has no Via. A Via that cannot be read is there as
/// it came (its version may be what is wrong): then the answer goes to where the request came from.
#[must_use]
pub fn rejection(datagram: &Bytes, error: &ParseError, limits: &Limits) -> Option<Response> {
    let datagram = datagram.slice(..datagram.len().min(limits.message).min(u32::MAX as usize - 1));
    let mut lines = Lines::new(&datagram, leading_line_ends(&datagram), true);
    let start = lines.plain().ok()??;
    let method = start.split(|&byte| byte == b' ').next().and_then(|name| Method::parse(name).ok())?;
    if method == Method::ACK || !start.windows(4).any(|part| part.eq_ignore_ascii_case(b"SIP/")) {
        return None;
    }
    let found = readable(&datagram, &mut lines, limits);
    let headers = Headers::of(datagram.clone(), found);
    if !headers.contains(&Via::NAME) {
        return None;
    }
    let response = answer(&headers, error.status(), None);
    let mut reason = String::from(error.status().reason());
    if error.kind != ParseErrorKind::Version {
        use core::fmt::Write as _;
        let _ = write!(reason, " ({error})");
    }
    Some(response.with_reason(reason))
}

/// The headers line by line, leaving out what is no header line, up to the end or a limit.
fn readable(datagram: &Bytes, lines: &mut Lines<'_>, limits: &Limits) -> HeadersBuilder {
    let mut headers = HeadersBuilder::new(0, Lenient::DEFAULT);
    for _ in 0..limits.headers {
        match lines.header() {
            Ok(Some(line)) if !line.folded && line.value.len() <= limits.header => {
                headers.push(datagram, line.known, line.name, line.value);
            }
            Ok(Some(_)) => {}
            Err(error) if error.kind == ParseErrorKind::HeaderLine => {}
            Ok(None) | Err(_) => break,
        }
    }
    headers
}

fn answer(request: &Headers, status: StatusCode, to_tag: Option<&str>) -> Response {
    let mut response = Response::new(status);
    let headers = &mut response.headers;
    *headers = Headers::with_capacity(8);
    headers.copy_all(&HeaderName::VIA, request);
    headers.copy_all(&HeaderName::FROM, request);
    headers.copy_all(&HeaderName::TO, request);
    if let Some(tag) = to_tag
        && let Some(Ok(to)) = headers.get::<To>()
        && to.tag().is_none()
    {
        headers.set(&to.with_tag(tag));
    }
    headers.copy_all(&HeaderName::CALL_ID, request);
    headers.copy_all(&HeaderName::CSEQ, request);
    if status == StatusCode::TRYING {
        headers.copy_all(&HeaderName::TIMESTAMP, request);
    }
    response
}
