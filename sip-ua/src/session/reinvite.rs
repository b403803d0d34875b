//! Offers within a call: re-INVITE both ways, and what happens when both sides make one (RFC 3261 §14, RFC 6337).

use super::config::RELIABLE;
use super::content::description_of;
use super::offers::{Offering, Offers, RemoteOffer};
use super::{Session, body_of, copy_routes, is_foreign_body};
use crate::call::{Call, Phase};
use crate::context::Context;
use crate::dialog::Reach;
use crate::error::CommandError;
use crate::event::{AccountId, EndCause, EndedBy, Event};
use crate::exchange::{ExchangeId, Failure, Owner};
use crate::refusal::Refusal;
use crate::request::append;
use alloc::boxed::Box;
use alloc::string::ToString;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Accept, CSeq, ContentType, RetryAfter, Supported, To};
use sidetone_sip_core::{Headers, Method, Request, Response, Source, StatusCode, TransactionId};

impl Call {
    /// Offers a change of the session, or asks the other side for an offer.
    pub(crate) fn reoffer(
        &mut self,
        context: &mut Context,
        now: Instant,
        offer: Option<Bytes>,
    ) -> Result<(), CommandError> {
        if !self.ended && matches!(self.phase, Phase::Outgoing(_) | Phase::Incoming(_)) {
            let offer = offer.ok_or(CommandError::WrongState)?;
            return self.offer_early(context, now, offer);
        }
        let session = self.session()?;
        if !session.may_offer() {
            session.offers.due = true;
            return Err(CommandError::OfferPending);
        }
        let mut invite = session.dialog.request(Method::INVITE);
        if let Some(timer) = &session.timer {
            timer.push(&mut invite.request.headers);
        }
        push_abilities(context, &mut invite.request.headers, self.account);
        if let Some(further) = &self.offer_headers {
            append(&mut invite.request.headers, further);
        }
        self.announce_focus(&mut invite.request);
        if let Some(offer) = offer {
            invite.request.set_body(&ContentType::SDP, offer);
        }
        let exchange =
            context.start(now, Owner::Reinvite(self.id), self.account, invite, self.protocol, true);
        self.session()?.offers.offering = Offering::Sent(exchange);
        Ok(())
    }

    /// What became of our re-INVITE.
    pub(crate) fn handle_reinvite_outcome(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        result: Result<(Response, Source), Failure>,
    ) {
        let Phase::Up(session) = &mut self.phase else { return };
        let first = session.offers.offering == Offering::Sent(exchange);
        match result {
            Ok((response, _)) if response.status.is_provisional() => {}
            Ok((response, _)) if response.status.is_success() => {
                let Some(invite) = context.exchanges.get(&exchange).map(|exchange| exchange.request.clone())
                else {
                    return;
                };
                if first {
                    session.offers.offering = Offering::Idle;
                    session.dialog.refresh_target(&response.headers);
                    session.peer.hear(&response.headers);
                    let asked = description_of(&response).filter(|_| invite.body.is_empty());
                    if asked.is_some() {
                        // Its ACK takes our answer.
                        session.delayed = Some(Box::new(invite.clone()));
                    } else {
                        self.acknowledge(context, now, &invite, None);
                    }
                    let refresh = self.take_refresh(exchange);
                    self.hear_timer(context, now, &invite.headers, &response.headers);
                    self.keep_local(&invite.body);
                    self.hear_identity(context, &response.headers, None);
                    match asked {
                        Some(_) => self.tell(context, Event::Offer { call: self.id, body: asked }),
                        None if !refresh => {
                            self.tell(
                                context,
                                Event::Answer { call: self.id, body: description_of(&response) },
                            );
                        }
                        None => {}
                    }
                    self.settle(context);
                } else {
                    self.reinvite_answered_again(context, now, &invite, &response);
                }
            }
            Ok((response, _)) if first => self.reinvite_refused(context, now, exchange, &response),
            Err(Failure::Timeout) if first => {
                self.dialog_lost(
                    context,
                    now,
                    EndCause::status(EndedBy::Timeout, StatusCode::REQUEST_TIMEOUT),
                );
            }
            Err(failure) if first => {
                let status = failure.status();
                if self.take_refresh(exchange) {
                    self.refresh_over(context, now, status);
                } else {
                    self.offer_rejected(context, None, status);
                }
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn reinvite_answered_again(
        &self,
        context: &mut Context,
        now: Instant,
        invite: &Request,
        response: &Response,
    ) {
        if let (Some(Ok(cseq)), Some(Ok(to))) = (invite.headers.get::<CSeq>(), response.headers.get::<To>()) {
            self.repeat_ack(context, now, to.tag().unwrap_or_default(), cseq.seq);
        }
    }

    fn reinvite_refused(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        response: &Response,
    ) {
        let status = response.status;
        if Reach::of(status, &Method::INVITE).ends_usage() {
            return self.dialog_lost(context, now, EndCause::status(EndedBy::Remote, status));
        }
        if self.raise_interval(context, now, exchange, response) {
            return;
        }
        if self.take_refresh(exchange) {
            return self.refresh_over(context, now, status);
        }
        match self.wait_to_offer(context, response) {
            Some(wait) => self.offer_waits(context, now, None, status, wait),
            None => self.offer_rejected(context, None, status),
        }
    }

    /// A refresh by re-INVITE was refused. The user knows nothing of it.
    fn refresh_over(&mut self, context: &mut Context, now: Instant, status: StatusCode) {
        if let Phase::Up(session) = &mut self.phase {
            session.offers.offering = Offering::Idle;
        }
        self.refresh_refused(context, now, status);
        self.settle(context);
    }

    /// The other side does not know the dialog any more.
    pub(crate) fn dialog_lost(&mut self, context: &mut Context, now: Instant, cause: EndCause) {
        if let Phase::Up(session) = &mut self.phase {
            session.offers.offering = Offering::Idle;
        }
        self.end(context, cause);
        self.send_bye(context, now);
    }

    /// RFC 3261 §14.1: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other side, in steps of 10 ms.
    pub(super) fn glare_wait(&self, context: &mut Context) -> Duration {
        let steps = if self.caller { 210 + context.rng.below(191) } else { context.rng.below(201) };
        Duration::from_millis(10 * u64::from(steps))
    }

    /// The wait after a 491 is over.
    pub(crate) fn glare_over(&mut self, context: &mut Context) {
        let over = |offers: &mut Offers| {
            if offers.offering == Offering::Waiting {
                offers.offering = Offering::Idle;
            }
        };
        match &mut self.phase {
            Phase::Up(session) => over(&mut session.offers),
            Phase::Incoming(incoming) => over(&mut incoming.offers),
            Phase::Outgoing(outgoing) => outgoing.early.iter_mut().for_each(|early| over(&mut early.offers)),
            Phase::Over => {}
        }
        self.settle(context);
    }

    /// Tells the user that an offer can be made now, if one had to wait.
    pub(super) fn settle(&mut self, context: &mut Context) {
        let take =
            |offers: &mut Offers, free: bool| free && offers.is_idle() && core::mem::take(&mut offers.due);
        let due = match &mut self.phase {
            Phase::Up(session) => {
                let free = session.may_offer();
                take(&mut session.offers, free)
            }
            Phase::Incoming(incoming) => {
                let free = incoming.is_settled() && !incoming.is_answering();
                take(&mut incoming.offers, free)
            }
            Phase::Outgoing(outgoing) => outgoing.early.iter_mut().any(|early| {
                let free = early.may_offer();
                take(&mut early.offers, free)
            }),
            Phase::Over => false,
        };
        if due {
            self.tell(context, Event::OfferDue { call: self.id });
        }
    }

    /// A re-INVITE of the other side, in order.
    pub(crate) fn handle_reinvite(
        &mut self,
        context: &mut Context,
        now: Instant,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let Phase::Up(session) = &mut self.phase else {
            return context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
        };
        if self.ended || session.is_leaving() {
            return context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
        }
        if session.offers.remote.is_some() {
            // RFC 3261 §14.2: the one before has no final response yet.
            let mut response = context.response(&request, StatusCode::SERVER_INTERNAL_ERROR, None);
            response.headers.push(&RetryAfter::new(context.rng.below(11)));
            return context.respond(now, transaction, response);
        }
        let offer_out = matches!(session.offers.offering, Offering::Sent(_)) || session.delayed.is_some();
        if offer_out || session.unacked.as_ref().is_some_and(|unacked| unacked.offered) {
            return context.refuse(now, transaction, &request, StatusCode::REQUEST_PENDING);
        }
        if is_foreign_body(&request) {
            let mut response = context.response(&request, StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
            response.headers.push(&Accept([ContentType::SDP].into()));
            return context.respond(now, transaction, response);
        }
        if let Some(response) = super::too_short(context, self.account, &request) {
            return context.respond(now, transaction, response);
        }
        let body = body_of(&request.body);
        let Some(Ok(CSeq { seq, .. })) = request.headers.get::<CSeq>() else { return };
        session.peer.hear(&request.headers);
        self.hear_requester(context, &request);
        let Phase::Up(session) = &mut self.phase else { return };
        session.offers.remote = Some(Box::new(RemoteOffer { transaction, request, source, seq }));
        // The other side has our last 2xx, or it could not start anew: only its ACK was lost.
        self.acknowledged(context, now, None);
        self.tell(context, Event::Offer { call: self.id, body });
    }

    /// The user's answer to the other side's offer (or our offer, where it asked for one): 200 to a re-INVITE, or the
    /// ACK that an answered INVITE waits for.
    pub(crate) fn answer_offer(
        &mut self,
        context: &mut Context,
        now: Instant,
        body: Bytes,
    ) -> Result<(), CommandError> {
        if self.ended {
            return Err(CommandError::NoSuchCall);
        }
        if let Phase::Up(session) = &mut self.phase
            && let Some(delayed) = session.delayed.take()
        {
            self.keep_local(&body);
            self.acknowledge(context, now, &delayed, Some(body));
            self.settle(context);
            return Ok(());
        }
        if self.answer_owed(context, now, Some(&body)) {
            return Ok(());
        }
        let (early, remote) = self.take_remote().ok_or(CommandError::WrongState)?;
        if remote.request.method != Method::INVITE {
            self.accept_remote(context, now, early, remote, Some(body));
            self.ask(context);
            self.go_on(context, now);
            self.settle(context);
            return Ok(());
        }
        let RemoteOffer { transaction, request, source, seq } = remote;
        self.session()?.dialog.refresh_target(&request.headers);
        let mut response = context.response(&request, StatusCode::OK, None);
        copy_routes(&mut response.headers, &request);
        let sips = request.uri.is_sips();
        context.push_contact(&mut response.headers, self.account, &self.user, &source, sips);
        self.mark_focus(&mut response.headers);
        context.push_abilities(&mut response.headers, self.account);
        self.agree_timer(context, now, &request.headers, &mut response.headers, false);
        self.keep_local(&body);
        response.set_body(&ContentType::SDP, body);
        self.send_2xx(context, now, transaction, response, seq, request.body.is_empty());
        Ok(())
    }

    /// The user does not want the change; the session stays as it was.
    pub(crate) fn reject_offer(
        &mut self,
        context: &mut Context,
        now: Instant,
        refusal: &Refusal,
    ) -> Result<(), CommandError> {
        let status = refusal.status;
        if status.code() < 300 {
            return Err(CommandError::Status(status.code()));
        }
        if self.ended {
            return Err(CommandError::NoSuchCall);
        }
        if let Phase::Up(session) = &mut self.phase
            && let Some(delayed) = session.delayed.take()
        {
            // The answer was due in the ACK: without a session there is no call (RFC 3261 §13.2.2.4).
            self.acknowledge(context, now, &delayed, None);
            self.end(context, super::ack::by_us(status));
            self.send_bye(context, now);
            return Ok(());
        }
        if self.answer_owed(context, now, None) {
            // An offer in a provisional response cannot be refused, so the call is (RFC 6337 §3.1).
            self.hang_up(context, now, None);
            return Ok(());
        }
        let (_, remote) = self.take_remote().ok_or(CommandError::WrongState)?;
        let tag = self.local_tag.to_string();
        let mut response = context.response(&remote.request, status, Some(&tag));
        refusal.write(&mut response, context.local_address(&remote.source));
        context.respond(now, remote.transaction, response);
        self.ask(context);
        self.go_on(context, now);
        self.settle(context);
        Ok(())
    }

    /// The other side takes its re-INVITE back; whether it was one of this call's.
    pub(crate) fn handle_reinvite_cancel(
        &mut self,
        context: &mut Context,
        now: Instant,
        transaction: TransactionId,
    ) -> bool {
        let Phase::Up(session) = &mut self.phase else { return false };
        let Some(remote) = session.offers.remote.take_if(|remote| remote.transaction == transaction) else {
            return false;
        };
        context.refuse(now, transaction, &remote.request, StatusCode::REQUEST_TERMINATED);
        self.tell(context, Event::OfferWithdrawn { call: self.id });
        self.settle(context);
        true
    }

    /// The call ends while a re-INVITE, UPDATE or PRACK waits: it is answered 487 (RFC 3261 §15.1.2).
    pub(super) fn drop_remote_offer(&mut self, context: &mut Context, now: Instant) {
        if let Some(remote) = self.side(None).and_then(|side| side.offers.remote.take()) {
            remote.gone(context, now);
        }
    }
}

impl Session {
    /// Whether no offer and no INVITE transaction is under way in either direction (RFC 3261 §14.1), and no refresh of
    /// ours, which the offer could overtake and put out of order.
    pub(super) fn may_offer(&self) -> bool {
        self.offers.is_idle()
            && self.timer.as_ref().is_none_or(|timer| timer.refreshing.is_none())
            && self.unacked.is_none()
            && self.delayed.is_none()
            && !self.is_leaving()
    }

    /// Whether the re-INVITE of this server transaction waits for the user.
    pub(crate) fn waits_for(&self, transaction: TransactionId) -> bool {
        self.offers.remote.as_ref().is_some_and(|remote| remote.transaction == transaction)
    }
}

/// Says in a re-INVITE what we can, but not that we take reliable provisional responses: within a call nobody is rung that
/// would be waited for, so its offers and answers go in the INVITE, the 2xx and the ACK (the patterns 1, 2 and 6 of RFC 6337
/// §2.2), and the other side must not send any (RFC 3262 §3).
pub(super) fn push_abilities(context: &Context, headers: &mut Headers, account: Option<AccountId>) {
    context.push_abilities(headers, account);
    if let Some(Ok(Supported(mut options))) = headers.get::<Supported>() {
        options.retain(|option| !option.eq_ignore_ascii_case(RELIABLE));
        headers.set(&Supported(options));
    }
}
