//! Conferences that a server joins (RFC 4579): who is the focus of one, and how somebody is brought into it.

use crate::agent::Agent;
use crate::call::{Call, Phase};
use crate::error::CommandError;
use crate::event::CallId;
use crate::transfer::ReferRequest;
use sidetone_sip_core::header::{Contact, HeaderName};
use sidetone_sip_core::{Headers, NameAddr, Request, Uri};

/// The parameter of the Contact of a focus (RFC 3840 §10, RFC 4579 §5.1).
const IS_FOCUS: &str = "isfocus";

/// Who is asked when the other side of a call of ours is to join a conference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JoinOrder {
    /// The other side: a REFER to the conference's URI, which it calls (RFC 4579 §5.5). Every telephone that can be
    /// transferred can do that.
    #[default]
    Member,
    /// The focus: a REFER to the other side with the Replaces of our call with it, so that the focus takes the call over (RFC
    /// 4579 §5.6, §5.9). The conference may know who may bring somebody in.
    Focus,
}

impl ReferRequest {
    /// Asks a focus to put somebody out of its conference (RFC 4579): a REFER to `<sip:…;method=BYE>`.
    #[must_use]
    pub fn to_put_out(mut who: Uri) -> Self {
        who.set_param("method", Some("BYE"));
        Self::new(who)
    }
}

impl Agent {
    /// From now on our Contact in this call says that we are the focus of a conference (`isfocus`). Best before
    /// [`answer`](Self::answer).
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`].
    pub fn set_focus(&mut self, call: CallId) -> Result<(), CommandError> {
        let call = self.calls.get_mut(call).filter(|call| !call.ended).ok_or(CommandError::NoSuchCall)?;
        call.focus = true;
        Ok(())
    }

    /// The URI of the conference that the other side of a call is the focus of: what we called, or who called us, unless the
    /// focus names another user in its Contact, as a factory for conferences does (RFC 4579 §5.4). `None` when the other side
    /// is no focus.
    #[must_use]
    pub fn focus(&self, call: CallId) -> Option<Uri> {
        let Phase::Up(session) = &self.calls.get(call)?.phase else { return None };
        if !session.is_with_focus() {
            return None;
        }
        let remote: NameAddr = session.dialog.remote().parse().ok()?;
        let target = session.dialog.target();
        let named = if target.user() == remote.uri.user() { remote.uri } else { target.clone() };
        Some(named.without_headers())
    }

    /// The REFER that brings the other side of `member` into the conference whose focus is the other side of `focus`, and the
    /// call in which it goes. Hang up `member` once it has succeeded.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] when one of them is not established.
    pub fn join_request(
        &self,
        member: CallId,
        focus: CallId,
        order: JoinOrder,
    ) -> Result<(CallId, ReferRequest), CommandError> {
        let refer = |call, to: Option<Uri>| Some((call, ReferRequest::new(to?)));
        let request = match order {
            JoinOrder::Member => refer(member, self.focus(focus).or_else(|| self.remote_uri(focus))),
            JoinOrder::Focus => refer(focus, self.replacing(member)),
        };
        request.ok_or(CommandError::WrongState)
    }

    fn remote_uri(&self, call: CallId) -> Option<Uri> {
        let Phase::Up(session) = &self.calls.get(call)?.phase else { return None };
        let remote: NameAddr = session.dialog.remote().parse().ok()?;
        Some(remote.uri.without_headers())
    }
}

impl Call {
    /// Has the Contact of a request of ours within this call, which is written when the way is known, say that we are a focus,
    /// if we are one. A target refresh replaces what the other side knows of us (RFC 3261 §12.2), and that with it.
    pub(crate) fn announce_focus(&self, request: &mut Request) {
        if self.focus {
            announce(request);
        }
    }

    /// Puts the mark of a focus on our Contact, if we are one.
    pub(crate) fn mark_focus(&self, headers: &mut Headers) {
        if !self.focus {
            return;
        }
        if let Some(Ok(contact)) = headers.get::<Contact>() {
            headers.set(&marked(contact));
        }
    }
}

/// Has the Contact of a request say that a focus sends it; the address takes its place when the way is known.
pub(crate) fn announce(request: &mut Request) {
    let contact = marked(Contact::new(request.uri.without_headers()));
    request.headers.set(&contact);
}

/// The Contact of a focus.
pub(crate) fn marked(contact: Contact) -> Contact {
    match contact {
        Contact::Addr(mut address) => {
            address.params.set_flag(IS_FOCUS);
            Contact::Addr(address)
        }
        Contact::Star => Contact::Star,
    }
}

/// Whether a message is from a focus. In Contact the parameter may stand behind the URI or, by mistake, in it.
pub(crate) fn is_focus(headers: &Headers) -> bool {
    headers.contains(&HeaderName::CONTACT)
        && headers.all::<Contact>().flatten().any(|contact| match contact {
            Contact::Addr(address) => address.params.has(IS_FOCUS) || address.uri.param(IS_FOCUS).is_some(),
            Contact::Star => false,
        })
}
