//! Bridged lines (draft-anil-sipping-bla): the state agent's subscriptions to telephones, and calls that name a call of a line
//! by its dialog, to take it or to be mixed with it.

use super::Proxy;
use super::forward::NewInvite;
use super::inspect::Refusal;
use crate::shared_lines::{CallEnd, device};
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{Event, Join, Replaces};
use sidetone_sip_core::{Method, Request, StatusCode, Target, Uri};
use sidetone_sip_ua::feature::shared_line::{AppearanceState, is_bridged};

/// The account of the state agent, which subscribes to the members' telephones.
pub(crate) const LINES_USER: &str = "sidetone-lines";
/// The parameters of a line's address that name a member, and one of its telephones by host and port of its Contact.
pub(crate) const MEMBER: &str = "sidetone-member";
pub(crate) const TELEPHONE: &str = "sidetone-telephone";

/// What an INVITE wants of a call on a line.
pub(super) enum Named {
    /// The held call of an appearance.
    Take { line: String, index: u16 },
    /// To be mixed with it, at the telephone that has it.
    Mix(CallEnd),
    /// Others may not have it.
    Refused(&'static str),
}

impl Proxy {
    /// Where one telephone of a line's member is reached that the state agent subscribes to; `None` for every other request.
    pub(super) fn telephone_target(
        &self,
        now: Instant,
        request: &Request,
        caller: &str,
        line: &str,
    ) -> Result<Option<(Uri, Target)>, Refusal> {
        if caller != LINES_USER || request.method != Method::SUBSCRIBE {
            return Ok(None);
        }
        let member = request.uri.param(MEMBER).flatten().unwrap_or_default();
        if !self.shared.shares(line, member) {
            return Err(StatusCode::NOT_FOUND.into());
        }
        let wanted = request.uri.param(TELEPHONE).flatten().unwrap_or_default();
        let at = |uri: &Uri| format!("{}-{}", uri.host_str(), uri.port().unwrap_or(5060)) == *wanted;
        let bindings = self.location.bindings(now, member);
        let binding = bindings.iter().find(|binding| at(&binding.contact));
        let binding = binding.ok_or(StatusCode::TEMPORARILY_UNAVAILABLE)?;
        Ok(Some((binding.contact.clone(), binding.target())))
    }

    /// A telephone subscribes to a line: it may be a bridged one there.
    pub(super) fn note_bridged(&mut self, request: &Request, caller: &str, callee: &str) {
        let event = request.headers.get::<Event>().and_then(Result::ok);
        if request.method == Method::SUBSCRIBE && event.is_some_and(|event| is_bridged(&event)) {
            self.shared.note_bridged(callee, caller);
        }
    }

    /// What an INVITE wants of a call on a line that its caller shares, if its Replaces or Join names one.
    pub(super) fn named_on_line(&self, invite: &NewInvite<'_>) -> Option<Named> {
        use AppearanceState as State;
        let headers = &invite.request.headers;
        let shares = |line: &str| self.shared.shares(line, invite.caller);
        if let Some(Ok(Replaces { call_id, to_tag, from_tag, .. })) = headers.get::<Replaces>() {
            let (call, _, state) = self.shared.named(call_id.as_str(), (&from_tag, &to_tag))?;
            return shares(&call.line).then(|| match state {
                State::Held | State::BridgeHeld => {
                    Named::Take { line: call.line.to_string(), index: call.index }
                }
                _ => Named::Refused("That Call Is Not Held For All"),
            });
        }
        if let Some(Ok(Join { call_id, to_tag, from_tag, .. })) = headers.get::<Join>() {
            let (call, ends, state) = self.shared.named(call_id.as_str(), (&to_tag, &from_tag))?;
            return shares(&call.line).then(|| match state {
                State::HeldPrivate => Named::Refused("That Call Is Private"),
                _ => Named::Mix(ends.near.clone()),
            });
        }
        None
    }

    /// Does so.
    pub(super) fn forward_named(
        &mut self,
        now: Instant,
        invite: NewInvite<'_>,
        named: Named,
    ) -> Result<(), Refusal> {
        match named {
            Named::Take { line, index } => {
                let holder = device(&invite.request.headers);
                let (call_id, from_tag) = (invite.parties.call_id.clone(), invite.parties.from_tag.clone());
                if !self.dialogs.has_room(invite.caller) {
                    return Err(StatusCode::SERVICE_UNAVAILABLE.into());
                }
                let result = self.retrieve(now, invite, &line, index, &holder);
                if result.is_err() {
                    self.shared.ended((&call_id, &from_tag));
                }
                result
            }
            Named::Mix(CallEnd { user, telephone: Some(telephone), .. }) => {
                self.forward_direct(now, invite, &user, telephone)
            }
            Named::Mix(_) => Err(StatusCode::TEMPORARILY_UNAVAILABLE.into()),
            Named::Refused(why) => Err(Refusal::reason(StatusCode::FORBIDDEN, why)),
        }
    }

    /// The telephone that holds a call on an appearance of a line wants nobody else to take it.
    pub fn keep_line(&mut self, number: &str, index: u16, holder: &str) {
        self.shared.keep(number, index, holder);
    }
}
