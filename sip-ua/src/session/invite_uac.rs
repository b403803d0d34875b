//! Outgoing calls: INVITE, early media, forks, CANCEL and its race with the 2xx (RFC 3261 §13.2, §9.1).

use super::config::{ExtensionUse, RELIABLE};
use super::content::description_of;
use super::early::Early;
use super::redirect::{Redirecting, refusal};
use super::retry::Retries;
use super::{Session, timer};
use crate::call::{Call, CallRequest, Phase};
use crate::context::{Context, Timer, add_options};
use crate::dialog::{Dialog, LocalTag, Routed, call_id_header};
use crate::error::CommandError;
use crate::event::{AccountId, CallId, EarlyDialogId, EndCause, EndedBy, Event};
use crate::exchange::{ExchangeId, Failure, Owner};
use crate::focus;
use crate::request::append;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{CSeq, ContentType, From, Require, To};
use sidetone_sip_core::{Headers, Method, NameAddr, Request, Response, Source, StatusCode};

/// Our INVITE is out.
pub(crate) struct Outgoing {
    pub(super) exchange: ExchangeId,
    /// The INVITE carried an offer.
    pub(super) offered: bool,
    /// A provisional response other than 100 came.
    pub(crate) ringing: bool,
    /// The places that ring.
    pub(super) early: Vec<Early>,
    /// The number of the last of them.
    pub(super) last_early: u32,
    /// The early dialog whose offer the user was told of.
    pub(super) asking: Option<EarlyDialogId>,
    pub(super) retries: Retries,
    /// Where a 3xx has sent it.
    pub(super) redirect: Option<Box<Redirecting>>,
}

impl Outgoing {
    /// The first early dialog that still rings.
    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        self.early.iter().find(|early| !early.ended).map(|early| &early.dialog)
    }

    /// Whether there is an early dialog with this tag of the other side.
    pub(crate) fn has_early(&self, tag: &str) -> bool {
        self.early.iter().any(|early| !early.ended && early.dialog.remote_tag() == tag)
    }
}

impl Call {
    /// Calls `to` from an account.
    pub(crate) fn outgoing(
        context: &mut Context,
        now: Instant,
        id: CallId,
        account_id: AccountId,
        request: CallRequest,
    ) -> Result<Self, CommandError> {
        let CallRequest { to, offer, headers, from, focus: is_focus, .. } = request;
        let to = &to;
        let account = context.accounts.get(&account_id).ok_or(CommandError::NoSuchAccount)?;
        if !to.is_sip() {
            return Err(CommandError::NotSip);
        }
        let address = from.unwrap_or_else(|| account.address());
        let protocol = account.protocol();
        let call_id = context.token();
        let local_tag = LocalTag::random(&mut context.rng);
        let mut request = Request::new(Method::INVITE, to.to_request_uri());
        request.headers.push(&From(address.with_tag(&local_tag.to_string())));
        request.headers.push(&To(NameAddr::from(to.to_request_uri())));
        request.headers.push(&call_id_header(&call_id));
        let seq = 1 + context.rng.below(1 << 16);
        request.headers.push(&CSeq::new(seq, Method::INVITE));
        let config = context.session_config(Some(account_id));
        context.push_abilities(&mut request.headers, Some(account_id));
        timer::push_request(&mut request.headers, &config);
        if config.reliable == ExtensionUse::Required {
            add_options::<Require>(&mut request.headers, [RELIABLE].into_iter());
        }
        append(&mut request.headers, &headers);
        if is_focus {
            focus::announce(&mut request);
        }
        let offered = offer.is_some();
        if let Some(offer) = offer {
            request.set_body(&ContentType::SDP, offer);
        }
        let routed = Routed { request, hop: None };
        let exchange = context.start(now, Owner::Invite(id), Some(account_id), routed, protocol, true);
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
            shared: false,
            left: None,
            identity: 0,
            offer_headers: None,
            focus: is_focus,
            phase: Phase::Outgoing(Box::new(Outgoing {
                exchange,
                offered,
                ringing: false,
                early: Vec::new(),
                last_early: 0,
                asking: None,
                retries: Retries::default(),
                redirect: None,
            })),
        })
    }

    /// Nobody picked up in time.
    pub(crate) fn stop_waiting(&mut self, context: &mut Context, now: Instant) {
        match &self.phase {
            Phase::Outgoing(outgoing) => {
                let exchange = outgoing.exchange;
                self.end(context, EndCause::new(EndedBy::Timeout, None, "nobody picked up"));
                if !self.leaves_redirection(context) {
                    context.cancel(now, exchange, &Headers::new());
                }
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
            (Ok((response, _)), Phase::Outgoing(outgoing))
                if response.status.is_provisional() && outgoing.exchange == exchange =>
            {
                self.progress_came(context, now, exchange, &response);
            }
            (Ok((response, source)), Phase::Outgoing(_)) if response.status.is_success() => {
                self.taken_after_all(context, now, exchange);
                self.answered(context, now, exchange, &response, &source);
            }
            // Of a target that the call has left since.
            (_, Phase::Outgoing(outgoing)) if outgoing.exchange != exchange => {}
            (Ok((response, _)), Phase::Outgoing(_)) => {
                let refusal = refusal(&response);
                if self.retry_refused(context, now, exchange, &response)
                    || self.goes_elsewhere(context, now, exchange, Some(&response), &refusal)
                {
                    return;
                }
                self.drop_early(context, now);
                self.hear_content(context, &response.content());
                self.end(context, refusal);
                self.finish(context);
            }
            (Err(failure), Phase::Outgoing(_)) => {
                let by = if failure == Failure::Timeout { EndedBy::Timeout } else { EndedBy::Network };
                let refusal = EndCause::new(by, Some(failure.status()), failure.reason());
                if self.goes_elsewhere(context, now, exchange, None, &refusal) {
                    return;
                }
                self.drop_early(context, now);
                self.end(context, refusal);
                self.finish(context);
            }
            (Ok((response, _)), Phase::Up(_)) if response.status.is_success() => {
                self.answered_again(context, now, exchange, &response);
            }
            _ => {}
        }
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
        self.send_held(context, now);
        let Phase::Outgoing(outgoing) = &mut self.phase else { return };
        let offered = outgoing.offered;
        let Some(invite) = context.exchanges.get(&exchange).map(|exchange| exchange.request.clone()) else {
            return;
        };
        // Without From, To or Call-ID a response matches no transaction, so only a broken Record-Route fails here.
        let Ok(dialog) = Dialog::client(&self.call_id, &invite, response) else { return };
        context.keep_fork(exchange, dialog.remote_tag());
        let early = outgoing.take_early(dialog.remote_tag());
        self.drop_early(context, now);
        self.stop_ringing(context);
        // Not that of the response: an INVITE that was too long for UDP goes over TCP (RFC 3261 §18.1.1), and what follows
        // goes as the other side's Contact says, which knows nothing of that.
        self.protocol = context.protocol_of(exchange).unwrap_or(source.protocol);
        let mut session = Session::new(dialog, &response.headers);
        let mut body = description_of(response);
        let mut settled = offered || body.is_none();
        let mut local = invite.body.clone();
        if let Some(early) = early {
            session.dialog.go_on(&early.dialog);
            session.offers = early.offers;
            if early.settled {
                // What is in the 2xx repeats the first answer at most (RFC 6337 §3.1).
                (settled, body) = (true, early.answer);
                local = early.local.unwrap_or(local);
            } else if early.owed.is_some() {
                // Its PRACK is late now: the answer goes in the ACK.
                settled = false;
            }
        }
        self.phase = Phase::Up(Box::new(session));
        self.hear_timer(context, now, &invite.headers, &response.headers);
        self.keep_local(&local);
        self.hear_identity(context, &response.headers, None);
        self.hear_content(context, &response.content());
        if self.ended {
            // The CANCEL came too late, or was not understood (RFC 3261 §9.1).
            self.acknowledge(context, now, &invite, None);
            self.send_bye(context, now);
        } else if settled {
            self.acknowledge(context, now, &invite, None);
            self.tell(context, Event::Answered { call: self.id, body });
        } else {
            if let Phase::Up(session) = &mut self.phase {
                session.delayed = Some(Box::new(invite));
            }
            self.tell(context, Event::Answered { call: self.id, body });
        }
    }
}
