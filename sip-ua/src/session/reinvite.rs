//! Offers within a call: re-INVITE both ways, and what happens when both sides make one (RFC 3261 §14, RFC 6337).

use super::{Session, body_of, copy_routes, is_foreign_body};
use crate::call::{Call, Phase};
use crate::context::{Context, Timer};
use crate::error::CommandError;
use crate::event::{EndCause, EndedBy, Event};
use crate::exchange::{ExchangeId, Failure, Owner};
use crate::refusal::Refusal;
use alloc::boxed::Box;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Accept, CSeq, ContentType, RetryAfter, To};
use sidetone_sip_core::{Method, Request, Response, Source, StatusCode, TransactionId};

/// Where our offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offering {
    Idle,
    /// In a re-INVITE.
    Sent(ExchangeId),
    /// Refused by 491: none until the time is over.
    Waiting,
}

/// A re-INVITE of the other side that waits for the user.
pub(super) struct RemoteOffer {
    transaction: TransactionId,
    request: Request,
    source: Source,
    seq: u32,
}

impl Call {
    /// Offers a change of the session.
    pub(crate) fn reoffer(
        &mut self,
        context: &mut Context,
        now: Instant,
        offer: Bytes,
    ) -> Result<(), CommandError> {
        let session = self.session()?;
        if !session.may_offer() {
            session.due = true;
            return Err(CommandError::OfferPending);
        }
        let mut invite = session.dialog.request(Method::INVITE);
        context.push_abilities(&mut invite.request.headers);
        invite.request.set_body(&ContentType::SDP, offer);
        let exchange =
            context.start(now, Owner::Reinvite(self.id), self.account, invite, self.protocol, true);
        self.session()?.offering = Offering::Sent(exchange);
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
        let first = session.offering == Offering::Sent(exchange);
        match result {
            Ok((response, _)) if response.status.is_provisional() => {}
            Ok((response, _)) if response.status.is_success() => {
                let Some(invite) = context.exchanges.get(&exchange).map(|exchange| exchange.request.clone())
                else {
                    return;
                };
                if first {
                    session.offering = Offering::Idle;
                    session.dialog.refresh_target(&response.headers);
                    session.hear_abilities(&response.headers);
                    self.acknowledge(context, now, &invite, None);
                    self.tell(context, Event::Answer { call: self.id, body: body_of(&response.body) });
                    self.settle(context);
                } else {
                    self.reinvite_answered_again(context, now, &invite, &response);
                }
            }
            Ok((response, _)) if first => self.reinvite_refused(context, now, &response),
            Err(Failure::Timeout) if first => {
                self.dialog_lost(
                    context,
                    now,
                    EndCause::status(EndedBy::Timeout, StatusCode::REQUEST_TIMEOUT),
                );
            }
            Err(failure) if first => self.offer_rejected(context, failure.status()),
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
            self.repeat_ack(context, now, Some((to.tag().unwrap_or_default(), cseq.seq)));
        }
    }

    fn reinvite_refused(&mut self, context: &mut Context, now: Instant, response: &Response) {
        match response.status {
            // RFC 3261 §12.2.1.2: the other side does not know the dialog any more.
            status @ (StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT) => {
                self.dialog_lost(context, now, EndCause::status(EndedBy::Remote, status));
            }
            StatusCode::REQUEST_PENDING => {
                let wait = self.glare_wait(context);
                if let Phase::Up(session) = &mut self.phase {
                    session.offering = Offering::Waiting;
                    session.due = true;
                }
                if !self.ended {
                    context.deadlines.set(Timer::Glare(self.id), now + wait);
                }
                self.tell(
                    context,
                    Event::OfferRejected { call: self.id, status: StatusCode::REQUEST_PENDING },
                );
            }
            status => self.offer_rejected(context, status),
        }
    }

    /// The session stays as it was (RFC 3261 §14.1).
    fn offer_rejected(&mut self, context: &mut Context, status: StatusCode) {
        if let Phase::Up(session) = &mut self.phase {
            session.offering = Offering::Idle;
        }
        self.tell(context, Event::OfferRejected { call: self.id, status });
        self.settle(context);
    }

    /// The other side does not know the dialog any more.
    pub(crate) fn dialog_lost(&mut self, context: &mut Context, now: Instant, cause: EndCause) {
        if let Phase::Up(session) = &mut self.phase {
            session.offering = Offering::Idle;
        }
        self.end(context, cause);
        self.send_bye(context, now);
    }

    /// RFC 3261 §14.1: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other side, in steps of 10 ms.
    fn glare_wait(&self, context: &mut Context) -> Duration {
        let steps = if self.caller { 210 + context.rng.below(191) } else { context.rng.below(201) };
        Duration::from_millis(10 * u64::from(steps))
    }

    /// The wait after a 491 is over.
    pub(crate) fn glare_over(&mut self, context: &mut Context) {
        if let Phase::Up(session) = &mut self.phase
            && session.offering == Offering::Waiting
        {
            session.offering = Offering::Idle;
        }
        self.settle(context);
    }

    /// Tells the user that an offer can be made now, if one had to wait.
    pub(super) fn settle(&mut self, context: &mut Context) {
        if let Phase::Up(session) = &mut self.phase
            && session.due
            && session.may_offer()
        {
            session.due = false;
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
        if session.remote.is_some() {
            // RFC 3261 §14.2: the one before has no final response yet.
            let mut response = context.response(&request, StatusCode::SERVER_INTERNAL_ERROR, None);
            response.headers.push(&RetryAfter::new(context.rng.below(11)));
            return context.respond(now, transaction, response);
        }
        let offer_out = matches!(session.offering, Offering::Sent(_)) || session.delayed.is_some();
        if offer_out || session.unacked.as_ref().is_some_and(|unacked| unacked.offered) {
            return context.refuse(now, transaction, &request, StatusCode::REQUEST_PENDING);
        }
        if is_foreign_body(&request) {
            let mut response = context.response(&request, StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
            response.headers.push(&Accept([ContentType::SDP].into()));
            return context.respond(now, transaction, response);
        }
        let body = body_of(&request.body);
        let Some(Ok(CSeq { seq, .. })) = request.headers.get::<CSeq>() else { return };
        session.hear_abilities(&request.headers);
        session.remote = Some(Box::new(RemoteOffer { transaction, request, source, seq }));
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
        let session = self.session()?;
        if let Some(delayed) = session.delayed.take() {
            self.acknowledge(context, now, &delayed, Some(body));
            self.settle(context);
            return Ok(());
        }
        let RemoteOffer { transaction, request, source, seq } =
            *session.remote.take().ok_or(CommandError::WrongState)?;
        session.dialog.refresh_target(&request.headers);
        let mut response = context.response(&request, StatusCode::OK, None);
        copy_routes(&mut response.headers, &request);
        let sips = request.uri.is_sips();
        context.push_contact(&mut response.headers, self.account, &self.user, &source, sips);
        context.push_abilities(&mut response.headers);
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
        let session = self.session()?;
        if let Some(delayed) = session.delayed.take() {
            // The answer was due in the ACK: without a session there is no call (RFC 3261 §13.2.2.4).
            self.acknowledge(context, now, &delayed, None);
            self.end(context, super::ack::by_us(status));
            self.send_bye(context, now);
            return Ok(());
        }
        let remote = session.remote.take().ok_or(CommandError::WrongState)?;
        let mut response = context.response(&remote.request, status, None);
        refusal.write(&mut response, context.local_address(&remote.source));
        context.respond(now, remote.transaction, response);
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
        let Some(remote) = session.remote.take_if(|remote| remote.transaction == transaction) else {
            return false;
        };
        context.refuse(now, transaction, &remote.request, StatusCode::REQUEST_TERMINATED);
        self.tell(context, Event::OfferWithdrawn { call: self.id });
        self.settle(context);
        true
    }

    /// The call ends while a re-INVITE waits: it is answered 487 (RFC 3261 §15.1.2).
    pub(super) fn drop_remote_offer(&mut self, context: &mut Context, now: Instant) {
        if let Phase::Up(session) = &mut self.phase
            && let Some(remote) = session.remote.take()
        {
            context.refuse(now, remote.transaction, &remote.request, StatusCode::REQUEST_TERMINATED);
        }
    }
}

impl Session {
    /// Whether no offer and no INVITE transaction is under way in either direction (RFC 3261 §14.1).
    fn may_offer(&self) -> bool {
        self.offering == Offering::Idle
            && self.remote.is_none()
            && self.unacked.is_none()
            && self.delayed.is_none()
            && !self.is_leaving()
    }

    /// Whether the re-INVITE of this server transaction waits for the user.
    pub(crate) fn waits_for(&self, transaction: TransactionId) -> bool {
        self.remote.as_ref().is_some_and(|remote| remote.transaction == transaction)
    }
}
