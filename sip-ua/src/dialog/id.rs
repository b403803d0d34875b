//! How requests find their dialog (RFC 3261 §12).

use core::fmt;
use sidetone_hal::rng::Rng;
use sidetone_sip_core::header::{CallId, From, To};
use sidetone_sip_core::{Headers, ParseError, Request, Text};

/// A tag of ours: 64 random bits, on the wire 16 hexadecimal digits (RFC 3261 §19.3).
///
/// A call draws one, its early dialogs and forks included, so the tag alone finds the call; that the Call-ID is the
/// call's too is looked at then. Nobody else chooses tags of ours, so nobody can make the table of them slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LocalTag(u64);

impl LocalTag {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        Self(rng.next_u64())
    }

    /// The tag as it came back, if it is written as we write ours.
    fn read(text: &str) -> Option<Self> {
        let is_ours = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_ours { u64::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for LocalTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a message says of the dialog it is within.
#[derive(Clone, Debug)]
pub(crate) struct DialogKey {
    pub(crate) call_id: CallId,
    /// `None` for a tag that cannot be ours.
    pub(crate) local_tag: Option<LocalTag>,
}

impl DialogKey {
    /// The key that a request from the other side names, if it is within a dialog (its To has a tag).
    pub(crate) fn of_request(request: &Request) -> Result<Option<Self>, ParseError> {
        let to: To = request.headers.require()?;
        let Some(tag) = to.tag() else { return Ok(None) };
        Ok(Some(Self { call_id: request.headers.require()?, local_tag: LocalTag::read(tag) }))
    }

    /// The key of the dialog with this Call-ID and, as it is written, this tag of ours.
    pub(crate) fn of_tag(call_id: &CallId, tag: &str) -> Self {
        Self { call_id: call_id.clone(), local_tag: LocalTag::read(tag) }
    }

    /// The key that a response to a request of ours names.
    pub(crate) fn of_response(headers: &Headers) -> Result<Option<Self>, ParseError> {
        let from: From = headers.require()?;
        let Some(tag) = from.tag() else { return Ok(None) };
        Ok(Some(Self { call_id: headers.require()?, local_tag: LocalTag::read(tag) }))
    }
}

pub(crate) fn call_id_header(id: &str) -> CallId {
    CallId::from(Text::from(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_tag_is_read_as_it_is_written_and_no_other_way() {
        for bits in [0, 0xa, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(LocalTag::read(&LocalTag(bits).to_string()), Some(LocalTag(bits)));
        }
        for wrong in
            ["", "1", "0123456789ABCDEF", "+123456789abcdef", "00123456789abcdef", "123456789abcdefg"]
        {
            assert_eq!(LocalTag::read(wrong), None, "{wrong}");
        }
    }
}
