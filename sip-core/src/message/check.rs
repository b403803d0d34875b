//! The headers without which no element can handle a message (RFC 3261 §8.1.1, §8.2, §16.3, §18.1.2).

use super::{Request, Response};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{CSeq, CallId, From, Header, Headers, MaxForwards, To, Via};

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
        optional::<MaxForwards>(&self.headers)?;
        Ok(essentials)
    }

    /// Whether [`Request::essentials`] are all there.
    ///
    /// # Errors
    /// Those of [`Request::essentials`].
    pub fn validate(&self) -> Result<(), ParseError> {
        self.essentials().map(drop)
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

    /// Whether [`Response::essentials`] are all there.
    ///
    /// # Errors
    /// Those of [`Response::essentials`].
    pub fn validate(&self) -> Result<(), ParseError> {
        self.essentials().map(drop)
    }
}

fn read(headers: &Headers) -> Result<Essentials, ParseError> {
    Ok(Essentials {
        via: headers.require()?,
        from: one(headers)?,
        to: one(headers)?,
        call_id: one(headers)?,
        cseq: one(headers)?,
    })
}

/// A header that must be there, once.
fn one<H: Header>(headers: &Headers) -> Result<H, ParseError> {
    optional(headers)?
        .ok_or_else(|| ParseError::new(ParseErrorKind::Missing, 0).in_place(H::NAME.known_str()))
}

/// A header that may be there, once.
fn optional<H: Header>(headers: &Headers) -> Result<Option<H>, ParseError> {
    let mut values = headers.all::<H>();
    let first = values.next().transpose()?;
    match values.next() {
        None => Ok(first),
        Some(_) => Err(ParseError::new(ParseErrorKind::Duplicate, 0).in_place(H::NAME.known_str())),
    }
}
