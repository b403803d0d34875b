//! Outgoing calls: INVITE, early media, forks, CANCEL and its race with the 2xx (RFC 3261 §13.2, §9.1).

use super::ack::ack_to;
use super::{Session, body_of};
use crate::call::{Call, Phase};
use crate::context::{Context, Timer, push_abilities};
use crate::dialog::{Dialog, LocalTag, call_id_header};
use crate::error::CommandError;
use crate::event::{AccountId, CallId, EndCause, EndedBy, Event};
use crate::exchange::{ExchangeId, Failure, Owner};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{CSeq, Contact, ContentType, From, To};
use sidetone_sip_core::{Method, NameAddr, Request, Response, Source, StatusCode, Uri};

/// Forks that answer beside the one that has the call, and are taken down; further ones are left to their timers.
const MAX_FORKS: u8 = 16;

/// Our INVITE is out.
pub(crate) struct Outgoing {
    pub(super) exchange: ExchangeId,
    /// The INVITE carried an offer.
    offered: bool,
    /// A provisional response other than 100 came.
    pub(crate) ringing: bool,
}

impl Call {
    /// Calls `to` from an account.
    pub(crate) fn outgoing(
        context: &mut Context,
        now: Instant,
        id: CallId,
        account_id: AccountId,
        to: &Uri,
        offer: Option<Bytes>,
    ) -> Result<Self, CommandError> {
        let account = context.accounts.get(&account_id).ok_or(CommandError::NoSuchAccount)?;
        if !to.is_sip() {
            return Err(CommandError::NotSip);
        }
        let (address, protocol) = (account.address(), account.protocol());
        let call_id = context.token();
        let local_tag = LocalTag::random(&mut context.rng);
        let mut request = Request::new(Method::INVITE, to.to_request_uri());
        request.headers.push(&From(address.with_tag(&local_tag.to_string())));
        request.headers.push(&To(NameAddr::from(to.to_request_uri())));
        request.headers.push(&call_id_header(&call_id));
        let seq = 1 + context.rng.below(1 << 16);
        request.headers.push(&CSeq::new(seq, Method::INVITE));
        push_abilities(&mut request.headers);
        let offered = offer.is_some();
        if let Some(offer) = offer {
            request.set_body(&ContentType::SDP, offer);
        }
        let exchange = context.start_outside(now, Owner::Invite(id), account_id, request, true);
        context.deadlines.set(Timer::RingLimit(id), now + context.config.ring_timeout);
        Ok(Self {
            id,
            account: Some(account_id),
            call_id: call_id.into(),
            local_tag,
            user: Box::default(),
            protocol,
            caller: true,
            ended: false,
            phase: Phase::Outgoing(Outgoing { exchange, offered, ringing: false }),
        })
    }

    /// Nobody picked up in time.
    pub(crate) fn stop_waiting(&mut self, context: &mut Context, now: Instant) {
        match &self.phase {
            Phase::Outgoing(outgoing) => {
                let exchange = outgoing.exchange;
                self.end(context, EndCause::new(EndedBy::Timeout, None, "nobody picked up"));
                context.cancel(now, exchange);
            }
            Phase::Incoming(_) => {
                self.end(
                    context,
                    EndCause::new(
                        EndedBy::Timeout,
                        Some(StatusCode::TEMPORARILY_UNAVAILABLE),
                        "nobody picked up",
                    ),
                );
                self.refuse_invite(context, now, &StatusCode::TEMPORARILY_UNAVAILABLE.into());
            }
            Phase::Up(_) | Phase::Over => {}
        }
    }

    /// What became of the INVITE that makes the call.
    pub(crate) fn handle_invite_outcome(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        result: Result<(Response, Source), Failure>,
    ) {
        match (result, &self.phase) {
            (Ok((response, _)), Phase::Outgoing(_)) if response.status.is_provisional() => {
                self.progress_came(context, &response);
            }
            (Ok((response, source)), Phase::Outgoing(_)) if response.status.is_success() => {
                self.answered(context, now, exchange, &response, &source);
            }
            (Ok((response, _)), Phase::Outgoing(_)) => {
                let contacts = if response.status.is_redirect() { contacts(&response) } else { Vec::new() };
                let reason = response.reason.as_str();
                let cause =
                    EndCause { contacts, ..EndCause::new(EndedBy::Remote, Some(response.status), reason) };
                self.end(context, cause);
                self.finish(context);
            }
            (Err(failure), Phase::Outgoing(_)) => {
                let by = if failure == Failure::Timeout { EndedBy::Timeout } else { EndedBy::Network };
                self.end(context, EndCause::new(by, Some(failure.status()), failure.reason()));
                self.finish(context);
            }
            (Ok((response, _)), Phase::Up(_)) if response.status.is_success() => {
                self.answered_again(context, now, exchange, &response);
            }
            _ => {}
        }
    }

    fn progress_came(&mut self, context: &mut Context, response: &Response) {
        if response.status == StatusCode::TRYING {
            return;
        }
        if let Phase::Outgoing(outgoing) = &mut self.phase {
            outgoing.ringing = true;
        }
        let (status, body) = (response.status, body_of(&response.body));
        self.tell(context, Event::Progress { call: self.id, status, body });
    }

    /// The first 2xx: this fork has the call.
    fn answered(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        response: &Response,
        source: &Source,
    ) {
        let Phase::Outgoing(Outgoing { offered, .. }) = self.phase else { return };
        let Some(invite) = context.exchanges.get(&exchange).map(|exchange| exchange.request.clone()) else {
            return;
        };
        // Without From, To or Call-ID a response matches no transaction, so only a broken Record-Route fails here.
        let Ok(dialog) = Dialog::client(&self.call_id, &invite, response) else { return };
        self.stop_ringing(context);
        self.protocol = source.protocol;
        self.phase = Phase::Up(Box::new(Session::new(dialog, &response.headers)));
        let body = body_of(&response.body);
        if self.ended {
            // The CANCEL came too late, or was not understood (RFC 3261 §9.1).
            self.acknowledge(context, now, &invite, None);
            self.send_bye(context, now);
        } else if offered || body.is_none() {
            self.acknowledge(context, now, &invite, None);
            self.tell(context, Event::Answered { call: self.id, body });
        } else {
            if let Phase::Up(session) = &mut self.phase {
                session.delayed = Some(Box::new(invite));
            }
            self.tell(context, Event::Answered { call: self.id, body });
        }
    }

    /// A further 2xx: the same one repeated, or one of another fork, which is taken down (RFC 3261 §13.2.2.4).
    fn answered_again(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        response: &Response,
    ) {
        let Some(invite) = context.exchanges.get(&exchange).map(|exchange| exchange.request.clone()) else {
            return;
        };
        let (Some(Ok(cseq)), Some(Ok(to))) = (invite.headers.get::<CSeq>(), response.headers.get::<To>())
        else {
            return;
        };
        let tag = to.tag().unwrap_or_default();
        if self.repeat_ack(context, now, Some((tag, cseq.seq))) {
            return;
        }
        let Phase::Up(session) = &mut self.phase else { return };
        if session.dialog.remote_tag() == tag {
            // Its ACK waits for the user's answer.
            return;
        }
        let Ok(mut fork) = Dialog::client(&self.call_id, &invite, response) else { return };
        if session.forks >= MAX_FORKS {
            return;
        }
        session.forks += 1;
        session.remember_whole(&ack_to(&fork, &invite, None), &invite);
        self.repeat_ack(context, now, None);
        let bye = fork.request(Method::BYE);
        context.start(now, Owner::Nobody, self.account, bye, self.protocol, false);
    }
}

/// The addresses that a 3xx names, the most wanted first (RFC 3261 §8.1.3.4).
fn contacts(response: &Response) -> Vec<Uri> {
    let mut contacts: Vec<(u16, Uri)> = response
        .headers
        .all::<Contact>()
        .flatten()
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
