//! Calls of ours that a 3xx sends elsewhere, or that nobody takes where a 3xx sent them: the next INVITE
//! (RFC 3261 §8.1.3.4). Whom it goes to is for [`Redirection`] to say.

use crate::call::{Call, Phase};
use crate::context::Context;
use crate::dialog::{Routed, call_id_header};
use crate::error::CommandError;
use crate::event::{EndCause, EndedBy, Event};
use crate::exchange::{ExchangeId, Owner};
use crate::feature::cause::{self, EndReason};
use crate::feature::redirect::{Attempt, Follow, Redirected, Redirection};
use alloc::boxed::Box;
use alloc::vec::Vec;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{CSeq, CallId, HeaderName, Route};
use sidetone_sip_core::{Headers, Method, NameAddr, Request, Response, StatusCode, Uri};

/// How often one INVITE goes again under a higher number at most: after challenges and after refusals that are mended.
const MOST_REPEATS: u32 = 16;

/// A call of ours that was redirected.
pub(super) struct Redirecting {
    list: Redirection,
    /// The first INVITE, as it was before any way was written into it.
    invite: Request,
    /// The number of the last one.
    seq: u32,
    /// The user is asked whether it goes on; the 3xx that asks.
    asking: Option<Box<EndCause>>,
}

impl super::Outgoing {
    /// Whether the call waits for the user's word on a redirection: no INVITE is under way.
    pub(super) fn asks_whether_to_follow(&self) -> bool {
        self.redirect.as_ref().is_some_and(|redirect| redirect.asking.is_some())
    }
}

impl Call {
    /// The INVITE that makes the call came to nothing: whether the call goes on at another target, or the user is asked
    /// whether it does. `refusal` is what the call would end with; `response` is missing where there was none.
    pub(super) fn goes_elsewhere(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        response: Option<&Response>,
        refusal: &EndCause,
    ) -> bool {
        let account = self.account.and_then(|account| context.accounts.get(&account));
        let Some(config) = account.map(|account| &account.config.redirect) else { return false };
        let follow = config.follow;
        let status = refusal.status.unwrap_or(StatusCode::REQUEST_TIMEOUT);
        let Phase::Outgoing(outgoing) = &mut self.phase else { return false };
        // A 6xx speaks for every target (RFC 3261 §16.7).
        if self.ended || outgoing.exchange != exchange || status.code() >= 600 {
            return false;
        }
        if let Some(response) = response.filter(|response| response.status.is_redirect()) {
            if outgoing.redirect.is_none() {
                let Some(invite) = context.exchanges.get(&exchange).and_then(|known| known.original()) else {
                    return false;
                };
                let list = Redirection::new(config.clone(), &invite.uri);
                let redirecting = Redirecting { list, invite: invite.clone(), seq: 0, asking: None };
                outgoing.redirect = Some(Box::new(redirecting));
            }
            let Some(redirect) = &mut outgoing.redirect else { return false };
            if let Redirected::Targets(_) = redirect.list.redirected(status, &response.headers) {
                let targets: Vec<Uri> = redirect.list.targets().cloned().collect();
                let ask = follow == Follow::Ask;
                redirect.asking = ask.then(|| Box::new(refusal.clone()));
                self.drop_early(context, now);
                self.tell(context, Event::Redirected { call: self.id, status, targets, ask });
                if ask {
                    return true;
                }
            }
        }
        self.call_next(context, now, exchange)
    }

    /// The user says that a redirection is followed.
    pub(crate) fn follow_redirect(
        &mut self,
        context: &mut Context,
        now: Instant,
    ) -> Result<(), CommandError> {
        let Phase::Outgoing(outgoing) = &mut self.phase else { return Err(CommandError::WrongState) };
        let exchange = outgoing.exchange;
        let asked = outgoing.redirect.as_mut().and_then(|redirect| redirect.asking.take());
        let cause = asked.ok_or(CommandError::WrongState)?;
        if !self.call_next(context, now, exchange) {
            self.end(context, *cause);
            self.finish(context);
        }
        Ok(())
    }

    /// Sends the INVITE to the next target, if there is one.
    fn call_next(&mut self, context: &mut Context, now: Instant, exchange: ExchangeId) -> bool {
        let Phase::Outgoing(outgoing) = &mut self.phase else { return false };
        let Some(redirect) = &mut outgoing.redirect else { return false };
        let Some(Attempt { target, proxy, headers, new_call_id }) = redirect.list.next_attempt() else {
            return false;
        };
        let sent = context.exchanges.get(&exchange).and_then(|known| known.request.headers.get::<CSeq>());
        redirect.seq = match sent {
            Some(Ok(CSeq { seq, .. })) => seq.saturating_add(1),
            // Nothing is left of what had no answer.
            _ => redirect.seq.saturating_add(MOST_REPEATS),
        };
        let (seq, mut invite) = (redirect.seq, redirect.invite.clone());
        self.drop_early(context, now);
        let account = self.account.and_then(|account| context.accounts.get(&account));
        let Some(account) = account else { return false };
        // A number is for our own server to find (RFC 3261 §19.1.6).
        let home = account.config.aor.host();
        let number = home.and_then(|home| target.to_phone(&home, account.config.aor.port()));
        let protocol = account.protocol();
        invite.uri = number.unwrap_or(target);
        invite.headers.set(&CSeq::new(seq, Method::INVITE));
        if new_call_id {
            let fresh = context.token();
            invite.headers.set(&call_id_header(&fresh));
            self.call_id = fresh.into();
        }
        invite.headers.remove(&HeaderName::ROUTE);
        if let Some(mut proxy) = proxy {
            proxy.set_param("lr", None);
            invite.headers.push(&Route(NameAddr::from(proxy)));
        }
        take_over(&mut invite.headers, &headers);
        let routed = Routed { request: invite, hop: None };
        let next = context.start(now, Owner::Invite(self.id), self.account, routed, protocol, true);
        if let Phase::Outgoing(outgoing) = &mut self.phase {
            outgoing.exchange = next;
            outgoing.ringing = false;
            outgoing.retries = Default::default();
        }
        true
    }

    /// A server that was given up takes the call after all, while the INVITE to another target is under way: the call is
    /// there, and the other one is told so.
    pub(super) fn taken_after_all(&mut self, context: &mut Context, now: Instant, exchange: ExchangeId) {
        let Phase::Outgoing(outgoing) = &mut self.phase else { return };
        if outgoing.exchange == exchange {
            return;
        }
        let other = core::mem::replace(&mut outgoing.exchange, exchange);
        let call_id =
            context.exchanges.get(&exchange).and_then(|known| known.request.headers.get::<CallId>());
        if let Some(Ok(call_id)) = call_id {
            self.call_id = call_id.as_str().into();
        }
        context.cancel(now, other, &cause::headers(EndReason::CompletedElsewhere));
    }

    /// The user gives up a call that waits for his word on a redirection. Whether it did.
    pub(super) fn leaves_redirection(&mut self, context: &mut Context) -> bool {
        let asks = matches!(&self.phase, Phase::Outgoing(outgoing) if outgoing.asks_whether_to_follow());
        if asks {
            self.finish(context);
        }
        asks
    }
}

/// What the call would end with, were there no other target.
pub(super) fn refusal(response: &Response) -> EndCause {
    let contacts = if response.status.is_redirect() { contacts(response) } else { Vec::new() };
    let cause = EndCause::new(EndedBy::Remote, Some(response.status), response.reason.as_str());
    EndCause { contacts, ..cause.with_notices(&response.headers) }
}

/// Diversion and History-Info of the 3xx in the place of what the INVITE had of them, which the redirector continued
/// (RFC 5806, RFC 7044).
fn take_over(headers: &mut Headers, carried: &Headers) {
    for name in [HeaderName::DIVERSION, HeaderName::HISTORY_INFO] {
        if carried.contains(&name) {
            headers.remove(&name);
        }
    }
    crate::request::append(headers, carried);
}

/// The most addresses of a 3xx that a call's end tells.
const MAX_CONTACTS: usize = 64;

/// The addresses that a 3xx names, the most wanted first (RFC 3261 §8.1.3.4).
fn contacts(response: &Response) -> Vec<Uri> {
    use sidetone_sip_core::header::Contact;
    let named = response.headers.all::<Contact>().flatten().take(MAX_CONTACTS);
    let mut contacts: Vec<(u16, Uri)> = named
        .filter_map(|contact| {
            let q = contact.q().unwrap_or(1000);
            match contact {
                Contact::Addr(address) => Some((q, address.uri)),
                Contact::Star => None,
            }
        })
        .collect();
    contacts.sort_by_key(|(q, _)| core::cmp::Reverse(*q));
    contacts.into_iter().map(|(_, uri)| uri).collect()
}
