//! Taking a call that rings at somebody else.
//!
//! A proxy has no legs of its own that it could connect, so the two telephones do it. Which way depends on the caller:
//! - A caller that said `Supported: replaces` gets the picker's INVITE with a Replaces that names its own early dialog
//!   (RFC 3891 §3, RFC 5359 §2.16): it answers the picker, and takes its first INVITE back. To the picker it is the
//!   call that was dialled; its sound flows at once.
//! - Any other caller cannot do that. Then the call's INVITE is forked to the picker's telephone too, with all headers
//!   that make telephones answer by themselves, and the picker's own INVITE ends with 487, which telephones show as no
//!   failure. To the caller it is one more telephone that rings and answers.
//!
//! A caller that knows Replaces may still refuse it with 481, whether it comes from here or from a telephone with a lamp: the
//! 18x to it was lost, so that it knows no dialog of these tags, which this server and the lamps do know. Then the second way
//! is taken, for its INVITE rings on.

use super::Proxy;
use super::context::Context;
use super::forward::NewInvite;
use super::inspect::Refusal;
use crate::call_config::PickupScope;
use crate::event::PbxEvent;
use crate::location::Binding;
use sidetone_hal::net::SocketAddr;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{
    AlertInfo, AnswerMode, CallId, CallInfo, Contact, Replaces, Require, Supported,
};
use sidetone_sip_core::{Headers, Request, Source, StatusCode, Uri};

/// A call that rings here, which an INVITE with Replaces is to take.
pub(super) struct Pick {
    /// Its response context.
    call: u64,
    picker: String,
    /// The telephone that dialled.
    telephone: SocketAddr,
}

impl Proxy {
    /// What the INVITE of a user would take, if that rings here.
    pub(super) fn picks(&self, request: &Request, picker: &str, source: &Source) -> Option<Pick> {
        let replaces = request.headers.get::<Replaces>()?.ok()?;
        let call = self.dialogs.early(replaces.call_id.as_str(), (&replaces.to_tag, &replaces.from_tag))?;
        Some(Pick { call, picker: picker.into(), telephone: source.remote })
    }

    /// The caller does not know the dialog that was to be replaced. If its call rings still, it goes to the picker as one of
    /// a caller that does not know Replaces; whether it does.
    pub(super) fn pick_otherwise(&mut self, now: Instant, context: &mut Context) -> bool {
        let Some(Pick { call, picker, telephone }) = context.picks.take() else { return false };
        let bindings = self.telephones_of(now, &picker, telephone);
        self.ring_also(now, call, &picker, &bindings, &answer_at_once(&context.request.uri))
    }

    /// The telephone of a user that dialled, if it can be told from the others; else all.
    fn telephones_of(&self, now: Instant, user: &str, dialled: SocketAddr) -> Vec<Binding> {
        let bindings = self.location.bindings(now, user);
        match bindings.iter().find(|binding| binding.remote == dialled) {
            Some(own) => vec![own.clone()],
            None => bindings,
        }
    }

    /// The caller wants the call that rings at `target`.
    pub(super) fn pick_up(
        &mut self,
        now: Instant,
        invite: NewInvite<'_>,
        target: &str,
    ) -> Result<(), Refusal> {
        let group = self.groups.get(target).map(|group| group.members.clone());
        let mut users = group.unwrap_or_else(|| vec![target.into()]);
        if self.config.calls.pickup == PickupScope::Group {
            users.retain(|user| self.shares_group(invite.caller, user));
            if users.is_empty() {
                return Err(Refusal::reason(StatusCode::FORBIDDEN, "Not In Your Pickup Group"));
            }
        }
        self.take_oldest(now, invite, &users)
    }

    /// The caller wants the call that rings the longest in the groups that it is in.
    pub(super) fn pick_up_in_group(&mut self, now: Instant, invite: NewInvite<'_>) -> Result<(), Refusal> {
        let picker = invite.caller;
        let sets = self.pickup_groups_of.get(picker).map_or(&[][..], Vec::as_slice);
        let members = sets.iter().filter_map(|at| self.pickup_groups.get(*at)).flatten();
        let users: Vec<String> = members.filter(|user| *user != picker).cloned().collect();
        self.take_oldest(now, invite, &users)
    }

    fn shares_group(&self, one: &str, other: &str) -> bool {
        let sets = self.pickup_groups_of.get(one).map_or(&[][..], Vec::as_slice);
        let mut sets = sets.iter().filter_map(|at| self.pickup_groups.get(*at));
        sets.any(|set| set.iter().any(|user| user == other))
    }

    fn take_oldest(&mut self, now: Instant, invite: NewInvite<'_>, users: &[String]) -> Result<(), Refusal> {
        let picker = invite.caller;
        let none = || Refusal::reason(StatusCode::NOT_FOUND, "Nothing Rings There");
        let ringing = users.iter().filter_map(|user| self.dialogs.ringing(user));
        // Nobody takes a call from himself.
        let ringing = ringing.filter(|(dialog, _)| dialog.remote.uri.user().as_deref() != Some(picker));
        let (dialog, id) = ringing.min_by_key(|(dialog, _)| dialog.since).ok_or_else(none)?;
        let (from, call_id) = (dialog.user.clone(), dialog.call_id.clone());
        let (Some(caller_tag), Some(callee_tag)) = (dialog.remote_tag.clone(), dialog.local_tag.clone())
        else {
            return Err(none());
        };
        let context = self.contexts.get(&id).filter(|context| context.is_open()).ok_or_else(none)?;
        let journey = context.journey.as_ref().ok_or_else(none)?;
        let (caller, back) = (journey.caller.clone(), journey.source().target());
        let supported = context.request.headers.get::<Supported>();
        let replaces = supported.is_some_and(|options| {
            options
                .is_ok_and(|options| options.0.iter().any(|option| option.eq_ignore_ascii_case("replaces")))
        });
        let contact = match context.request.headers.get::<Contact>() {
            Some(Ok(Contact::Addr(address))) if replaces => Some(address.uri.to_request_uri()),
            _ => None,
        };
        let picked = PbxEvent::CallPickedUp { call_id: call_id.clone(), from, by: picker.into() };
        if let Some(contact) = contact {
            let replaces = Replaces::new(CallId::from(call_id.as_str()), caller_tag, callee_tag);
            // In place of one that the picker may have sent.
            invite.request.headers.set(&replaces.with_early_only());
            invite.request.headers.push(&Require::from_iter(["replaces"]));
            self.forward_direct(now, invite, &caller, (contact, back))?;
            self.tell(picked);
            return Ok(());
        }
        let bindings = self.telephones_of(now, picker, invite.source.remote);
        if !self.ring_also(now, id, picker, &bindings, &answer_at_once(&invite.request.uri)) {
            return Err(none());
        }
        self.tell(picked);
        let tag = self.tag();
        let response = invite.request.response(StatusCode::REQUEST_TERMINATED, Some(&tag));
        let response = response.with_reason("The Call Comes To You");
        self.respond(now, invite.server, response);
        Ok(())
    }
}

/// What makes telephones answer by themselves: RFC 5373, and what was deployed before it.
fn answer_at_once(server: &Uri) -> Headers {
    let mut uri = server.address_of_record();
    uri.set_user(None);
    let mut headers = Headers::new();
    headers.push(&AnswerMode { mode: "Auto".into(), params: Default::default() });
    headers.push(&CallInfo::new(uri.clone()).with("answer-after", "0"));
    headers.push(&AlertInfo::new(uri).with("info", "alert-autoanswer").with("delay", "0"));
    headers
}
