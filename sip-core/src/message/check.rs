//! The headers without which no element can handle a message (RFC 3261 §8.1.1, §8.2, §16.3, §18.1.2), and what a server refuses by
//! the message alone.

use super::{Request, Response};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{
    Accept, Allow, CSeq, CallId, ContentDisposition, ContentType, From, Header, HeaderName, Headers,
    MaxForwards, Require, To, Unsupported, Via,
};
use crate::method::Method;
use crate::status::StatusCode;
use crate::text::Text;
use crate::uri::{Scheme, Uri};
use alloc::borrow::Cow;
use alloc::boxed::Box;

/// The headers that every message has, read once.
#[derive(Clone, Debug, PartialEq)]
pub struct Essentials {
    /// The topmost Via.
    pub via: Via,
    /// From; a peer of RFC 2543 may send no tag.
    pub from: From,
    /// To.
    pub to: To,
    /// Call-ID.
    pub call_id: CallId,
    /// CSeq.
    pub cseq: CSeq,
}

impl Request {
    /// Checks what every element must check before anything else: From, To, Call-ID and CSeq are there once,
    /// a Via is there, each follows its grammar, CSeq has the request's method, Max-Forwards is a number if it is there,
    /// and the Request-URI has no headers part. The error's [`status`](ParseError::status) is the answer.
    ///
    /// What RFC 2543 did not have (a branch, a tag in From, Max-Forwards) may be missing when the message was read with the
    /// [`Leniency`](crate::Leniency) for it, as by default.
    ///
    /// # Errors
    /// One of these does not hold.
    pub fn essentials(&self) -> Result<Essentials, ParseError> {
        if self.uri.headers().is_some() {
            return Err(ParseError::new(ParseErrorKind::UriHeaders, 0).in_place("Request-URI"));
        }
        let essentials = read(&self.headers)?;
        if essentials.cseq.method != self.method {
            return Err(ParseError::new(ParseErrorKind::CSeqMethod, 0).in_place("CSeq"));
        }
        if self.headers.optional::<MaxForwards>()?.is_none() && !self.headers.lenient().missing_max_forwards()
        {
            return Err(missing::<MaxForwards>());
        }
        Ok(essentials)
    }

    /// Whether [`Request::essentials`] are all there.
    ///
    /// # Errors
    /// Those of [`Request::essentials`].
    pub fn validate(&self) -> Result<(), ParseError> {
        self.essentials().map(drop)
    }

    /// What a user agent server must look at before it handles the request, in the order of RFC 3261 §8.2: the
    /// [essentials](Request::essentials) (400), the method (501, 405), the scheme of the Request-URI (416), Require (420), the
    /// body (415), and in an INVITE whether a session description may come back (406). A header that is not needed
    /// and does not follow its grammar is passed over, or answered 400 when the message was read without
    /// [`Leniency::malformed_optional_headers`](crate::Leniency::malformed_optional_headers).
    ///
    /// What takes more than the message stays with whoever has it: merged requests (482), authentication, dialogs (481).
    ///
    /// ```
    /// use sidetone_sip_core::{Capabilities, Message, StatusCode};
    /// let text = b"OPTIONS nobodyKnowsThis:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
    ///     To: <sip:b@c>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n";
    /// let Ok(Message::Request(options)) = Message::parse(text[..].into(), &Default::default()) else { panic!() };
    /// let refusal = options.check(&Capabilities::default()).unwrap_err();
    /// assert_eq!(refusal.status, StatusCode::UNSUPPORTED_URI_SCHEME);
    /// ```
    ///
    /// # Errors
    /// The request is to be refused; an ACK is not answered, whatever is wrong with it.
    pub fn check(&self, capabilities: &Capabilities) -> Result<Essentials, Box<Refusal>> {
        let essentials = self.check_form().map_err(Refusal::malformed)?;
        if !capabilities.methods.contains(&self.method) {
            let known = self.method.is_known();
            let status = if known { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_IMPLEMENTED };
            return Err(Refusal::new(status).with(&Allow(capabilities.methods.to_vec())));
        }
        if !capabilities.has_scheme(&self.uri) {
            return Err(Refusal::new(StatusCode::UNSUPPORTED_URI_SCHEME));
        }
        // Neither CANCEL nor ACK is refused for what it requires (RFC 3261 §8.2.2.3).
        if self.method == Method::ACK || self.method == Method::CANCEL {
            return Ok(essentials);
        }
        if let Some(Ok(Require(mut options))) = self.headers.get::<Require>() {
            options.retain(|option| !capabilities.has_option(option));
            if !options.is_empty() {
                return Err(Refusal::new(StatusCode::BAD_EXTENSION).with(&Unsupported(options)));
            }
        }
        if self.carries_session() {
            if !self.body.is_empty() && !self.has_optional_body() && !self.has_known_body(capabilities) {
                return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE).with(&capabilities.accept()));
            }
            if let Some(Ok(accept)) = self.headers.get::<Accept>()
                && self.method == Method::INVITE
                && !capabilities.bodies.iter().any(|kind| accept.takes(kind))
            {
                return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE));
            }
        }
        Ok(essentials)
    }

    /// What is in [`Request::check`] for a proxy too: whether the headers follow their grammar, as far as that is asked for.
    pub(crate) fn check_form(&self) -> Result<Essentials, ParseError> {
        let essentials = self.essentials()?;
        if !self.headers.lenient().malformed_optional_headers()
            && let Some((_, error)) = self.headers.first_malformed(is_no_fault_of_the_message)
        {
            return Err(error);
        }
        Ok(essentials)
    }

    /// Whether a body is for the session. Other methods' bodies are judged by what they are for (an event package, an
    /// info package).
    fn carries_session(&self) -> bool {
        [Method::INVITE, Method::UPDATE, Method::PRACK].contains(&self.method)
    }

    fn has_optional_body(&self) -> bool {
        matches!(self.headers.get::<ContentDisposition>(), Some(Ok(disposition)) if disposition.is_optional())
    }

    fn has_known_body(&self, capabilities: &Capabilities) -> bool {
        match self.headers.get::<ContentType>() {
            Some(Ok(kind)) => {
                kind.kind.eq_ignore_ascii_case("multipart")
                    || capabilities.bodies.iter().any(|known| known.is(&kind))
            }
            Some(Err(_)) => false,
            // Against the rules; a session description is the only guess.
            None => true,
        }
    }
}

/// Headers whose grammar depends on who knows them: other schemes of authentication, other names of what is known here.
fn is_no_fault_of_the_message(name: &HeaderName) -> bool {
    [
        HeaderName::AUTHORIZATION,
        HeaderName::PROXY_AUTHORIZATION,
        HeaderName::WWW_AUTHENTICATE,
        HeaderName::PROXY_AUTHENTICATE,
    ]
    .contains(name)
}

/// What a user agent server can do, as far as that decides a request by itself.
///
/// The default takes every [`Method`] that has a constant, `sip`, `sips` and `tel`, session descriptions, and the
/// extensions that need nothing from above or are handled by `sidetone-sip-ua`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The methods, for 405 and Allow.
    pub methods: Cow<'static, [Method]>,
    /// The option tags, for 420.
    pub options: Cow<'static, [Text]>,
    /// The schemes of Request-URIs, in lower case, for 416.
    pub schemes: Cow<'static, [Text]>,
    /// The body types of sessions, for 415, 406 and Accept. Multipart bodies are taken in any case.
    pub bodies: Cow<'static, [ContentType]>,
}

static METHODS: [Method; 14] = [
    Method::INVITE,
    Method::ACK,
    Method::BYE,
    Method::CANCEL,
    Method::OPTIONS,
    Method::REGISTER,
    Method::INFO,
    Method::PRACK,
    Method::UPDATE,
    Method::SUBSCRIBE,
    Method::NOTIFY,
    Method::REFER,
    Method::MESSAGE,
    Method::PUBLISH,
];
static OPTIONS: [Text; 6] = [
    Text::from_static("100rel"),
    Text::from_static("timer"),
    Text::from_static("replaces"),
    Text::from_static("norefersub"),
    Text::from_static("path"),
    Text::from_static("outbound"),
];
static SCHEMES: [Text; 3] = [Text::from_static("sip"), Text::from_static("sips"), Text::from_static("tel")];
static BODIES: [ContentType; 1] = [ContentType::SDP];

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            methods: Cow::Borrowed(&METHODS),
            options: Cow::Borrowed(&OPTIONS),
            schemes: Cow::Borrowed(&SCHEMES),
            bodies: Cow::Borrowed(&BODIES),
        }
    }
}

impl Capabilities {
    fn has_option(&self, option: &str) -> bool {
        self.options.iter().any(|known| known.eq_ignore_ascii_case(option))
    }

    fn has_scheme(&self, uri: &Uri) -> bool {
        let scheme = match uri.scheme() {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => "tel",
            Scheme::Other(name) => name,
        };
        self.schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme))
    }

    fn accept(&self) -> Accept {
        Accept(self.bodies.to_vec())
    }
}

/// Why a request is refused, and with what.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// What is wrong with the message, if that is why.
    pub error: Option<ParseError>,
    /// What the answer has beside the usual: Allow, Unsupported, Accept.
    pub headers: Headers,
}

impl Refusal {
    fn new(status: StatusCode) -> Box<Self> {
        Box::new(Self { status, error: None, headers: Headers::new() })
    }

    fn malformed(error: ParseError) -> Box<Self> {
        Box::new(Self { status: error.status(), error: Some(error), headers: Headers::new() })
    }

    fn with<H: Header>(mut self: Box<Self>, header: &H) -> Box<Self> {
        self.headers.push(header);
        self
    }

    /// The answer to the request; `None` for an ACK, which has none. What is wrong with the message is in the reason
    /// phrase.
    #[must_use]
    pub fn response(&self, request: &Request, to_tag: Option<&str>) -> Option<Response> {
        if request.method == Method::ACK {
            return None;
        }
        let mut response = request.response(self.status, to_tag);
        response.headers.append(&self.headers);
        Some(match &self.error {
            Some(error) => response.with_reason(alloc::format!("{} ({error})", self.status.reason())),
            None => response,
        })
    }
}

impl Response {
    /// As [`Request::essentials`], without what only a request has. A response that fails is dropped.
    ///
    /// # Errors
    /// A header is missing, occurs twice, or does not follow its grammar.
    pub fn essentials(&self) -> Result<Essentials, ParseError> {
        read(&self.headers)
    }

    /// As [`Response::essentials`] for a user agent, to which a response comes with one Via: with more it went astray, and
    /// is dropped (RFC 3261 §8.1.3.3).
    ///
    /// # Errors
    /// Those of [`Response::essentials`], and more than one Via.
    pub fn check(&self) -> Result<Essentials, ParseError> {
        let essentials = self.essentials()?;
        if self.headers.count::<Via>() > 1 {
            return Err(ParseError::new(ParseErrorKind::Duplicate, 0).in_place(Via::NAME.known_str()));
        }
        Ok(essentials)
    }

    /// Whether [`Response::essentials`] are all there.
    ///
    /// # Errors
    /// Those of [`Response::essentials`].
    pub fn validate(&self) -> Result<(), ParseError> {
        self.essentials().map(drop)
    }
}

fn read(headers: &Headers) -> Result<Essentials, ParseError> {
    let essentials = Essentials {
        via: headers.require()?,
        from: one(headers)?,
        to: one(headers)?,
        call_id: one(headers)?,
        cseq: one(headers)?,
    };
    let lenient = headers.lenient();
    let branch = essentials.via.branch().filter(|branch| !branch.is_empty() && *branch != Via::MAGIC_COOKIE);
    if branch.is_none() && !lenient.missing_branch() {
        return Err(ParseError::new(ParseErrorKind::Branch, 0).in_place(Via::NAME.known_str()));
    }
    if !lenient.missing_from_tag() && essentials.from.tag().is_none() {
        return Err(ParseError::new(ParseErrorKind::Tag, 0).in_place(From::NAME.known_str()));
    }
    Ok(essentials)
}

/// A header that must be there, once.
fn one<H: Header>(headers: &Headers) -> Result<H, ParseError> {
    headers.optional()?.ok_or_else(missing::<H>)
}

fn missing<H: Header>() -> ParseError {
    ParseError::new(ParseErrorKind::Missing, 0).in_place(H::NAME.known_str())
}
