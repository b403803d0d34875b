//! How requests find their dialog (RFC 3261 §12).

use alloc::string::String;
use sidetone_sip_core::header::{CallId, From, To};
use sidetone_sip_core::{Headers, ParseError, Request, Text};

/// Call-ID and our own tag. Each call has one, its early dialogs and forks included, because our tag is ours alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DialogKey {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
}

impl DialogKey {
    /// The key that a request from the other side names, if it is within a dialog (its To has a tag).
    pub(crate) fn of_request(request: &Request) -> Result<Option<Self>, ParseError> {
        let to: To = request.headers.require()?;
        let Some(tag) = to.tag() else { return Ok(None) };
        Ok(Some(Self { call_id: call_id(&request.headers)?, local_tag: tag.into() }))
    }

    /// The key that a response to a request of ours names.
    pub(crate) fn of_response(headers: &Headers) -> Result<Option<Self>, ParseError> {
        let from: From = headers.require()?;
        let Some(tag) = from.tag() else { return Ok(None) };
        Ok(Some(Self { call_id: call_id(headers)?, local_tag: tag.into() }))
    }
}

pub(crate) fn call_id_header(id: &str) -> CallId {
    CallId::from(Text::from(id))
}

pub(crate) fn call_id(headers: &Headers) -> Result<String, ParseError> {
    let id: CallId = headers.require()?;
    Ok(id.as_str().into())
}
