//! Calls that are to be mixed with others: Join both ways (RFC 3911).

use super::replaces::tag_of_peer;
use crate::agent::Agent;
use crate::call::Phase;
use crate::dialog::DialogKey;
use crate::event::CallId;
use sidetone_sip_core::header::{Join, Replaces};
use sidetone_sip_core::{Request, StatusCode};

impl Agent {
    /// The Join that names a call's dialog to its other side: an INVITE with it asks there to be mixed in. `None` while the
    /// call has no dialog.
    #[must_use]
    pub fn join_header(&self, call: CallId) -> Option<Join> {
        self.named_to_peer(call)?.parse().ok()
    }

    /// The call that an INVITE is to be mixed with (RFC 3911 §4).
    pub(crate) fn joined_call(&mut self, request: &Request) -> Result<Option<CallId>, StatusCode> {
        if !self.context.config.join {
            return Ok(None);
        }
        let join = match request.headers.get::<Join>() {
            None => return Ok(None),
            // Nobody can take the place of a call and be mixed with one.
            Some(Ok(join)) if request.headers.count::<Join>() == 1 && !has_replaces(request) => join,
            Some(_) => return Err(StatusCode::BAD_REQUEST),
        };
        let gone = StatusCode::CALL_DOES_NOT_EXIST;
        let call = self.calls.find(&DialogKey::of_tag(&join.call_id, &join.to_tag)).ok_or(gone)?;
        if call.ended {
            return Err(StatusCode::DECLINE);
        }
        let remote = tag_of_peer(&join.from_tag);
        match &call.phase {
            Phase::Up(session) if session.dialog.remote_tag() == remote => Ok(Some(call.id)),
            // Of early dialogs only those may be joined that were begun here.
            Phase::Outgoing(outgoing) if outgoing.has_early(remote) => Ok(Some(call.id)),
            _ => Err(gone),
        }
    }
}

fn has_replaces(request: &Request) -> bool {
    request.headers.get::<Replaces>().is_some()
}
