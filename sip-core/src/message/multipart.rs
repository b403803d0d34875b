//! Bodies of several parts: reading, writing and finding what is wanted (RFC 2046 §5.1, RFC 5621, RFC 2387).

use super::{Message, Request, Response, read};
use crate::emit;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{ContentDisposition, ContentId, ContentType, HeaderName, Headers, HeadersBuilder};
use crate::limits::Limits;
use crate::parse::class;
use crate::parse::line::Lines;
use crate::text::Text;
use crate::uri::Uri;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use memchr::memmem;
use sidetone_hal::rng::Rng;

/// A body with the headers that say what it is: that of a message, or one part of several.
///
/// ```
/// use sidetone_sip_core::{Limits, Method, Multipart, Part, Request, Rng, header::ContentType};
///
/// let offer = Part::new(&ContentType::SDP, "v=0\r\n");
/// let isup = Part::new(&ContentType::from_static("application", "isup"), &b"\x01\x00\x0d\x0a"[..]).with_disposition("signal", true);
/// let mut invite = Request::new(Method::INVITE, "sip:bob@example.com".parse().unwrap());
/// invite.set_parts(&Multipart::new("mixed", [offer, isup]), &mut Rng::from_u64(1));
///
/// // Whoever wants the offer need not know whether it came alone.
/// let sdp = invite.content().find(&ContentType::SDP, &Limits::default()).unwrap().unwrap();
/// assert_eq!(sdp.body, "v=0\r\n");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Content-Type, Content-Disposition, Content-ID and others, in order.
    pub headers: Headers,
    /// The content.
    pub body: Bytes,
    /// The part as it stood between the boundaries, headers and all; empty when it was not read.
    raw: Bytes,
    /// How many multipart bodies it is within.
    depth: usize,
}

/// The headers of a message that belong to its body.
const CONTENT: [HeaderName; 6] = [
    HeaderName::CONTENT_TYPE,
    HeaderName::CONTENT_DISPOSITION,
    HeaderName::CONTENT_ENCODING,
    HeaderName::CONTENT_LANGUAGE,
    HeaderName::CONTENT_ID,
    HeaderName::CONTENT_TRANSFER_ENCODING,
];

impl Part {
    /// A part of this type.
    #[must_use]
    pub fn new(kind: &ContentType, body: impl Into<Bytes>) -> Self {
        let mut headers = Headers::new();
        headers.push(kind);
        Self { headers, body: body.into(), raw: Bytes::new(), depth: 0 }
    }

    /// The same with a Content-Disposition, which whoever does not understand it may ignore or not.
    #[must_use]
    pub fn with_disposition(mut self, kind: &str, optional: bool) -> Self {
        self.headers.set(&ContentDisposition::new(kind).with_handling(optional));
        self
    }

    /// The same with a Content-ID, given without its brackets.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Text>) -> Self {
        self.headers.set(&ContentId(id.into()));
        self
    }

    /// The body of a message with those of the message's headers that belong to it.
    fn of(message: &Headers, body: &Bytes) -> Self {
        let mut headers = Headers::of(Bytes::new(), HeadersBuilder::new(CONTENT.len(), message.lenient()));
        CONTENT.iter().for_each(|name| headers.copy_all(name, message));
        Self { headers, body: body.clone(), raw: Bytes::new(), depth: 0 }
    }

    /// What the body is. A part without Content-Type is plain text (RFC 2046 §5.1).
    ///
    /// # Errors
    /// The Content-Type does not follow the grammar.
    pub fn kind(&self) -> Result<ContentType, ParseError> {
        self.headers.get().unwrap_or(Ok(ContentType::TEXT))
    }

    /// What the body is for. Without Content-Disposition a session description is for the session, and everything
    /// else to be rendered (RFC 3261 §20.11).
    ///
    /// # Errors
    /// A header does not follow the grammar.
    pub fn disposition(&self) -> Result<ContentDisposition, ParseError> {
        match self.headers.get() {
            Some(disposition) => disposition,
            None => Ok(ContentDisposition::new(if self.kind()?.is(&ContentType::SDP) {
                "session"
            } else {
                "render"
            })),
        }
    }

    /// The name of the part.
    ///
    /// # Errors
    /// The Content-ID does not follow the grammar.
    pub fn id(&self) -> Result<Option<ContentId>, ParseError> {
        self.headers.get().transpose()
    }

    /// The part as it stood between the boundaries, headers and all, which a signature of `multipart/signed` is
    /// made of; empty when it was not read from a body.
    #[must_use]
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The parts, when the type is `multipart`; `None` when it is another.
    ///
    /// # Errors
    /// The Content-Type or the parts do not follow their grammar, or there are more parts or levels than `limits` allows.
    pub fn multipart(&self, limits: &Limits) -> Result<Option<Multipart>, ParseError> {
        let kind = self.kind()?;
        if !kind.kind.eq_ignore_ascii_case("multipart") {
            return Ok(None);
        }
        if self.depth >= limits.nesting {
            return Err(ParseError::new(ParseErrorKind::TooManyParts, 0).in_place("body"));
        }
        Multipart::read(kind, self, limits).map(Some).map_err(|error| error.in_place("body"))
    }

    /// The content of this type: the body itself, or the first part that is one; of `alternative` parts the last,
    /// which is the richest (RFC 2046 §5.1.4). `None` when there is none.
    ///
    /// # Errors
    /// Those of [`Part::multipart`].
    pub fn find(&self, kind: &ContentType, limits: &Limits) -> Result<Option<Self>, ParseError> {
        self.find_where(limits, &|part| part.kind().is_ok_and(|own| own.is(kind)))
    }

    /// The part that a `cid:` URL names (RFC 2392). `None` when there is none.
    ///
    /// # Errors
    /// Those of [`Part::multipart`].
    pub fn find_id(&self, url: &Uri, limits: &Limits) -> Result<Option<Self>, ParseError> {
        self.find_where(limits, &|part| part.id().is_ok_and(|id| id.is_some_and(|id| id.is_named_by(url))))
    }

    /// The part for this use. `None` when there is none.
    ///
    /// # Errors
    /// Those of [`Part::multipart`].
    pub fn find_disposition(&self, kind: &str, limits: &Limits) -> Result<Option<Self>, ParseError> {
        self.find_where(limits, &|part| part.disposition().is_ok_and(|disposition| disposition.is(kind)))
    }

    /// Depth first; a part that is asked for is not looked into.
    fn find_where(&self, limits: &Limits, fits: &dyn Fn(&Self) -> bool) -> Result<Option<Self>, ParseError> {
        if fits(self) {
            return Ok(Some(self.clone()));
        }
        let Some(several) = self.multipart(limits)? else { return Ok(None) };
        let mut found = None;
        for part in &several.parts {
            if let Some(part) = part.find_where(limits, fits)? {
                found = Some(part);
                if !several.kind.subtype.eq_ignore_ascii_case("alternative") {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Reads what stands between two boundaries: headers, an empty line, the body. Without the empty line there is
    /// no body (RFC 2046 §5.1.1, `body-part`).
    fn read(raw: Bytes, parent: &Self, limits: &Limits) -> Result<Self, ParseError> {
        let lenient = parent.headers.lenient();
        let depth = parent.depth + 1;
        let lines = |data: &Bytes| {
            let mut lines = Lines::new(data, 0, lenient.lf_line_ends());
            read::headers(data, &mut lines, limits, lenient).map(|(headers, _)| (headers, lines.position()))
        };
        match lines(&raw) {
            Ok((headers, at)) => Ok(Self { headers, body: raw.slice(at.min(raw.len())..), raw, depth }),
            Err(error) if error.kind == ParseErrorKind::Truncated => {
                let mut ended = Vec::with_capacity(raw.len() + 4);
                ended.extend_from_slice(&raw);
                ended.extend_from_slice(if raw.is_empty() { b"\r\n" } else { b"\r\n\r\n" });
                let (headers, _) = lines(&Bytes::from(ended))?;
                Ok(Self { headers, body: Bytes::new(), raw, depth })
            }
            Err(error) => Err(error),
        }
    }
}

/// A body of several parts (RFC 2046 §5.1). The parts share the memory of the body they were read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Multipart {
    /// `multipart/mixed`, `alternative`, `related`, `signed` and others. The `boundary` is there when it was read;
    /// writing chooses another.
    pub kind: ContentType,
    /// The parts in order; one at least.
    pub parts: Vec<Part>,
    /// What stands before the first boundary, which means nothing.
    pub preamble: Bytes,
    /// What stands after the last boundary, which means nothing.
    pub epilogue: Bytes,
}

impl Multipart {
    /// Parts of a subtype: `mixed`, `alternative`, `related`, `signed` or another.
    #[must_use]
    pub fn new(subtype: &str, parts: impl IntoIterator<Item = Part>) -> Self {
        let kind = ContentType {
            kind: Text::from_static("multipart"),
            subtype: subtype.into(),
            params: crate::header::Params::new(),
        };
        Self { kind, parts: parts.into_iter().collect(), preamble: Bytes::new(), epilogue: Bytes::new() }
    }

    /// The part that the others belong to: of `related` the one that `start` names, or else the first (RFC 2387 §3.2).
    #[must_use]
    pub fn root(&self) -> Option<&Part> {
        let start = self.kind.params.get("start").and_then(|start| start.parse::<ContentId>().ok());
        let named = start.and_then(|start| {
            self.parts.iter().find(|part| part.id().is_ok_and(|id| id.as_ref() == Some(&start)))
        });
        named.or_else(|| self.parts.first())
    }

    fn read(kind: ContentType, whole: &Part, limits: &Limits) -> Result<Self, ParseError> {
        let boundary = kind.params.get("boundary").unwrap_or_default();
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY || boundary.ends_with(' ') {
            return Err(ParseError::new(ParseErrorKind::Boundary, 0));
        }
        let delimiter = [b"--", boundary.as_bytes()].concat();
        let lenient = whole.headers.lenient();
        let body = &whole.body;
        let mut delimiters = Delimiters { body, delimiter: &delimiter, at: 0, lf: lenient.lf_line_ends() };
        let first = delimiters.next().ok_or(ParseError::new(ParseErrorKind::Multipart, 0))?;
        let preamble = body.slice(..first.begin);
        let mut parts = Vec::new();
        let mut last = first;
        while !last.is_close {
            if parts.len() >= limits.parts {
                return Err(ParseError::new(ParseErrorKind::TooManyParts, last.begin));
            }
            let next = delimiters.next();
            let end = match &next {
                Some(next) => next.begin.max(last.end),
                None if lenient.truncated_bodies() => body.len(),
                None => return Err(ParseError::new(ParseErrorKind::Multipart, body.len())),
            };
            let part = Part::read(body.slice(last.end..end), whole, limits);
            parts.push(part.map_err(|error| ParseError { at: last.end + error.at, ..error })?);
            match next {
                Some(next) => last = next,
                None => last = Delimiter { begin: end, end, is_close: true },
            }
        }
        if parts.is_empty() {
            return Err(ParseError::new(ParseErrorKind::Multipart, last.begin));
        }
        Ok(Self { preamble, parts, epilogue: body.slice(last.end..), kind })
    }

    /// The body as it is sent, and its Content-Type with the boundary, which occurs in none of the parts.
    /// Preamble and epilogue are left out.
    #[must_use]
    pub fn write(&self, rng: &mut Rng) -> (ContentType, Bytes) {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let mut out = Vec::with_capacity(part.body.len() + 128);
            part.headers.raw_lines().for_each(|(name, value)| emit::header(&mut out, name, value));
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&part.body);
            parts.push(out);
        }
        let boundary = boundary(&parts, rng);
        let mut body = Vec::with_capacity(parts.iter().map(|part| part.len() + 32).sum());
        for part in &parts {
            body.extend_from_slice(b"--");
            body.extend_from_slice(boundary.as_bytes());
            body.extend_from_slice(b"\r\n");
            body.extend_from_slice(part);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--");
        body.extend_from_slice(boundary.as_bytes());
        body.extend_from_slice(b"--\r\n");
        let mut kind = self.kind.clone();
        kind.params.set("boundary", &boundary);
        (kind, Bytes::from(body))
    }

    /// This as one part of another, as `alternative` parts within `mixed`.
    #[must_use]
    pub fn into_part(self, rng: &mut Rng) -> Part {
        let (kind, body) = self.write(rng);
        Part::new(&kind, body)
    }
}

/// Characters of a boundary (RFC 2046 §5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// A boundary that occurs in none of the parts.
fn boundary(parts: &[Vec<u8>], rng: &mut Rng) -> String {
    loop {
        let boundary: String = rng.hex::<24>().iter().map(|&digit| char::from(digit)).collect();
        let finder = memmem::Finder::new(boundary.as_bytes());
        if parts.iter().all(|part| finder.find(part).is_none()) {
            return boundary;
        }
    }
}

/// The line `--boundary` or `--boundary--`, with the line end before it, which is no part of the part.
struct Delimiter {
    begin: usize,
    end: usize,
    is_close: bool,
}

/// The delimiters of a body in order. Each byte is looked at once.
struct Delimiters<'a> {
    body: &'a [u8],
    delimiter: &'a [u8],
    at: usize,
    /// Whether LF alone ends a line.
    lf: bool,
}

impl Iterator for Delimiters<'_> {
    type Item = Delimiter;

    fn next(&mut self) -> Option<Delimiter> {
        let finder = memmem::Finder::new(self.delimiter);
        loop {
            let found = self.at + finder.find(self.body.get(self.at..)?)?;
            self.at = found + self.delimiter.len();
            let begin = match self.body.get(..found) {
                Some([]) => Some(0),
                Some([.., b'\r', b'\n']) => Some(found - 2),
                Some([.., b'\n']) if self.lf => Some(found - 1),
                _ => None,
            };
            let Some(begin) = begin else { continue };
            let rest = self.body.get(self.at..)?;
            // A nested boundary may begin with this one: what follows tells.
            let (rest, is_close) = rest.strip_prefix(b"--").map_or((rest, false), |rest| (rest, true));
            let padding = rest.iter().take_while(|&&byte| class::is_space(byte)).count();
            let end = self.body.len() - rest.len() + padding;
            let line_end = match rest.get(padding..)? {
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] if self.lf => 1,
                [] if is_close => 0,
                _ => continue,
            };
            self.at = end + line_end;
            return Some(Delimiter { begin, end: self.at, is_close });
        }
    }
}

impl Message {
    /// The body with the headers that belong to it.
    #[must_use]
    pub fn content(&self) -> Part {
        Part::of(self.headers(), self.body())
    }
}

macro_rules! content {
    ($($name:ident),+) => {$(
        impl $name {
            /// The body with the headers that belong to it.
            #[must_use]
            pub fn content(&self) -> Part {
                Part::of(&self.headers, &self.body)
            }

            /// Sets a body of several parts and its Content-Type.
            pub fn set_parts(&mut self, parts: &Multipart, rng: &mut Rng) {
                let (kind, body) = parts.write(rng);
                self.set_body(&kind, body);
            }
        }
    )+};
}

content!(Request, Response);
