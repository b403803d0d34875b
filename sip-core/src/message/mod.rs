//! Messages: requests and responses, read from one datagram or frame without copying it (RFC 3261 §7).

mod build;
mod check;
mod fragment;
mod multipart;
mod read;

pub use build::rejection;
pub use check::{Capabilities, Essentials, Refusal};
pub use fragment::{Fragment, FragmentStart};
pub use multipart::{Multipart, Part};

use crate::emit::{self, StartLine};
use crate::error::ParseError;
use crate::header::Headers;
use crate::leniency::{Lenient, ReadOptions};
use crate::limits::Limits;
use crate::method::Method;
use crate::status::StatusCode;
use crate::text::Text;
use crate::uri::Uri;
use alloc::vec::Vec;
use bytes::Bytes;

/// A SIP message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// Reads the message that `datagram` is: a UDP datagram, or what [`Deframer`](crate::Deframer) cut out of a stream.
    /// The message shares the datagram's memory.
    ///
    /// The body is what Content-Length says; more bytes than that are dropped (RFC 3261 §18.3). Without
    /// Content-Length it is the rest of the datagram. Headers are only split, not judged:
    /// see [`Message::essentials`] for those that every message must have.
    ///
    /// Leniency: line ends may be LF alone; CRLFs before the message are skipped; a status line may lack the
    /// space after its code.
    ///
    /// # Errors
    /// The start line or a header line does not follow the grammar, a limit is exceeded, or the body is
    /// shorter than Content-Length says. [`rejection`] makes the answer, if one may be sent.
    pub fn parse(datagram: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        read::message(datagram, limits, Lenient::DEFAULT.with_limits(limits))
    }

    /// As [`Message::parse`], with what is forgiven. The message's [`Headers`] carry it, so that typed headers are read
    /// in the same way.
    ///
    /// # Errors
    /// Those of [`Message::parse`].
    pub fn parse_with(datagram: Bytes, options: &ReadOptions) -> Result<Self, ParseError> {
        let lenient = Lenient::new(&options.leniency).with_limits(&options.limits);
        read::message(datagram, &options.limits, lenient)
    }

    /// The headers.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The headers, to be changed.
    pub const fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Self::Request(request) => &mut request.headers,
            Self::Response(response) => &mut response.headers,
        }
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }

    /// The headers that every message must have; see [`Request::essentials`] and [`Response::essentials`].
    ///
    /// # Errors
    /// One is missing, occurs twice, or does not follow its grammar.
    pub fn essentials(&self) -> Result<Essentials, ParseError> {
        match self {
            Self::Request(request) => request.essentials(),
            Self::Response(response) => response.essentials(),
        }
    }

    /// Whether [`Message::essentials`] are all there.
    ///
    /// # Errors
    /// Those of [`Message::essentials`].
    pub fn validate(&self) -> Result<(), ParseError> {
        self.essentials().map(drop)
    }

    /// The message as it is sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// A request.
///
/// ```
/// use sidetone_sip_core::{Message, Method, Request, StatusCode, header::To};
///
/// let datagram = b"OPTIONS sip:carol@chicago.com SIP/2.0\r\n\
///     Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKhjhs8ass877\r\n\
///     To: <sip:carol@chicago.com>\r\n\
///     From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
///     Call-ID: a84b4c76e66710\r\n\
///     CSeq: 63104 OPTIONS\r\n\r\n";
/// let Ok(Message::Request(request)) = Message::parse(datagram[..].into(), &Default::default()) else { panic!() };
/// assert_eq!(request.method, Method::OPTIONS);
/// let response = request.response(StatusCode::OK, Some("93810874"));
/// assert_eq!(response.headers.require::<To>().unwrap().tag(), Some("93810874"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of whom: the Request-URI.
    pub uri: Uri,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub const fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::new(), body: Bytes::new() }
    }

    /// The request as it is sent, with the body's true Content-Length.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let start = StartLine::Request { method: self.method.as_str(), uri: self.uri.as_str() };
        emit::message(&start, &self.headers, &self.body)
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The answer.
    pub status: StatusCode,
    /// The answer for people.
    pub reason: Text,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// A response without headers and body, with the status's usual phrase. [`Request::response`] makes one
    /// that answers a request.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self {
            status,
            reason: Text::from_static(status.reason()),
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }

    /// The response as it is sent, with the body's true Content-Length.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let start = StartLine::Status { code: self.status.code(), reason: &self.reason };
        emit::message(&start, &self.headers, &self.body)
    }
}
