//! The headers part of a URI, `?name=value&name=value`, as headers (RFC 3261 §19.1.1, §19.1.5).

use super::{Uri, escape_bytes, unescape_bytes, uri_error};
use crate::emit::Emitter;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, Headers};
use crate::parse::class;
use crate::text::line_end;
use alloc::string::String;

impl Uri {
    /// The headers that the URI asks a request to have, escapes undone, in order. `body` is among them, and
    /// is the request's body. None for other schemes than `sip` and `sips`.
    ///
    /// A UA honours few of them: RFC 3261 §19.1.5 warns of From, Call-ID, CSeq, Via and others.
    ///
    /// ```
    /// use sidetone_sip_core::{Uri, header::Replaces};
    /// let uri: Uri = "sip:bob@example.com?Replaces=12345%40h%3Bto-tag%3D1%3Bfrom-tag%3D2&Priority=urgent".parse().unwrap();
    /// let headers = uri.header_fields().unwrap();
    /// assert_eq!(headers.require::<Replaces>().unwrap().call_id.as_str(), "12345@h");
    /// ```
    ///
    /// # Errors
    /// A name is no header name, or a value has an escaped CR or LF, which would begin a header of its own.
    pub fn header_fields(&self) -> Result<Headers, ParseError> {
        let mut headers = Headers::new();
        let Some(pairs) = self.headers() else { return Ok(headers) };
        let mut at = self.as_str().len() - pairs.len();
        for pair in pairs.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (unescape_bytes(name.as_bytes()), unescape_bytes(value.as_bytes()));
            let name = HeaderName::parse(&name).map_err(|error| uri_error(error.kind, at))?;
            if line_end(&value).is_some() || headers.push_raw(name, &value).is_err() {
                return Err(uri_error(ParseErrorKind::LineEnd, at));
            }
            at += pair.len() + 1;
        }
        Ok(headers)
    }

    /// Asks for a header, below those that are there; what must be escaped is. Does nothing to other schemes
    /// than `sip` and `sips`.
    ///
    /// ```
    /// use sidetone_sip_core::{Uri, header::Replaces};
    /// let mut uri: Uri = "sip:bob@example.com".parse().unwrap();
    /// uri.push_header(&Replaces::new("a@h".into(), "1", "2"));
    /// assert_eq!(uri.as_str(), "sip:bob@example.com?Replaces=a%40h%3Bto-tag%3D1%3Bfrom-tag%3D2");
    /// ```
    pub fn push_header<H: Header>(&mut self, header: &H) {
        let mut out = Emitter::new();
        header.emit(&mut out);
        self.push_raw_header(&H::NAME, &out.into_bytes());
    }

    /// As [`Uri::push_header`], for a raw value.
    pub fn push_raw_header(&mut self, name: &HeaderName, value: &[u8]) {
        if !self.is_sip() {
            return;
        }
        let mut text = String::from(self.as_str());
        text.push(if self.headers().is_some() { '&' } else { '?' });
        // `=` and `&` part names and values.
        let plain = |byte| class::is(byte, class::URI_HEADER) && !matches!(byte, b'=' | b'&');
        escape_bytes(name.as_str().as_bytes(), plain, &mut text);
        text.push('=');
        escape_bytes(value, plain, &mut text);
        self.replace(text);
    }
}
