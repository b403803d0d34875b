//! Calls that take the place of others: Replaces both ways (RFC 3891), and the identifiers that it is made of.

use crate::agent::Agent;
use crate::call::{Call, Phase};
use crate::dialog::{Dialog, DialogKey};
use crate::event::{CallDialog, CallId};
use alloc::string::{String, ToString};
use sidetone_sip_core::header::Replaces;
use sidetone_sip_core::{NameAddr, Request, StatusCode, Uri};

impl Agent {
    /// The URI that an attended transfer refers to: the other side of `call`, which the INVITE is to take the place of
    /// (RFC 5589 §7). Of a call of ours that still rings it is the early dialog, of several the first: what telephones call a
    /// semi-attended transfer; who rings takes that only where
    /// [`AgentConfig::replace_ringing`](crate::AgentConfig::replace_ringing) or its like is on. `None` while the call has no
    /// dialog.
    #[must_use]
    pub fn replacing(&self, call: CallId) -> Option<Uri> {
        let found = self.calls.get(call)?;
        let dialog = found.dialog().filter(|_| found.is_up_or_calling())?;
        let remote: NameAddr = dialog.remote().parse().ok()?;
        let mut uri = remote.uri.without_headers();
        uri.push_header(&self.replaces_header(call)?);
        Some(uri)
    }

    /// The Replaces that names a call's dialog to its other side.
    #[must_use]
    pub fn replaces_header(&self, call: CallId) -> Option<Replaces> {
        self.named_to_peer(call)?.parse().ok()
    }

    /// The value of a Replaces or Join that names a call's dialog to its other side.
    pub(super) fn named_to_peer(&self, call: CallId) -> Option<String> {
        let found = self.calls.get(call)?;
        let dialog = found.dialog().filter(|_| found.is_up_or_calling())?;
        let local_tag = found.local_tag.to_string();
        let remote_tag = match dialog.remote_tag() {
            "" => "0",
            tag => tag,
        };
        Some(alloc::format!("{};to-tag={remote_tag};from-tag={local_tag}", found.call_id))
    }

    /// The identifiers of a call's dialog, early or not: what a notifier of the package `dialog` tells. Of several early
    /// dialogs it is the first that still rings.
    #[must_use]
    pub fn call_dialog(&self, call: CallId) -> Option<CallDialog> {
        let call = self.calls.get(call)?;
        let remote_tag = call.dialog().map(Dialog::remote_tag).filter(|tag| !tag.is_empty());
        Some(CallDialog {
            call_id: call.call_id.to_string(),
            local_tag: call.local_tag.to_string(),
            remote_tag: remote_tag.map(ToString::to_string),
        })
    }

    /// The call that an INVITE is to take the place of (RFC 3891 §3).
    pub(crate) fn replaced_call(&mut self, request: &Request) -> Result<Option<CallId>, StatusCode> {
        let replaces = match request.headers.get::<Replaces>() {
            None => return Ok(None),
            Some(Ok(replaces)) if request.headers.count::<Replaces>() == 1 => replaces,
            Some(_) => return Err(StatusCode::BAD_REQUEST),
        };
        let key = DialogKey::of_tag(&replaces.call_id, &replaces.to_tag);
        let gone = StatusCode::CALL_DOES_NOT_EXIST;
        let call = self.calls.find(&key).ok_or(gone)?;
        if call.ended {
            return Err(StatusCode::DECLINE);
        }
        let remote = tag_of_peer(&replaces.from_tag);
        match &call.phase {
            Phase::Up(session) if session.dialog.remote_tag() != remote => Err(gone),
            Phase::Up(_) if replaces.early_only() => Err(StatusCode::BUSY_HERE),
            Phase::Up(_) => Ok(Some(call.id)),
            // An early dialog may be replaced where it was begun alone, unless the settings are milder.
            Phase::Outgoing(outgoing) if outgoing.has_early(remote) => Ok(Some(call.id)),
            Phase::Incoming(incoming) if self.context.config.replace_ringing && incoming.is_of(remote) => {
                Ok(Some(call.id))
            }
            Phase::Outgoing(_) | Phase::Incoming(_) | Phase::Over => Err(gone),
        }
    }
}

/// `0` stands for a peer of RFC 2543, which has no tag.
pub(super) fn tag_of_peer(tag: &str) -> &str {
    if tag == "0" { "" } else { tag }
}

impl Call {
    /// Whether another may take its place at the other side.
    const fn is_up_or_calling(&self) -> bool {
        !self.ended && matches!(self.phase, Phase::Up(_) | Phase::Outgoing(_))
    }
}
