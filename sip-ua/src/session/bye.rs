//! BYE, both ways (RFC 3261 §15).

use super::offers::Offering;
use super::{Bye, Session};
use crate::call::{Call, Phase};
use crate::context::Context;
use crate::event::{EndCause, EndedBy};
use crate::exchange::{ExchangeId, Failure, Owner};
use crate::request::append;
use alloc::string::{String, ToString};
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::Reason;
use sidetone_sip_core::{Headers, Method, Request, Response, Source, StatusCode, TransactionId};

/// BYE requests for one call. A server that answers 500 to each of them is left alone.
const MAX_BYES: u8 = 3;

impl Call {
    /// The user hangs up, or the call cannot go on for a `reason`, in whatever phase it is. The call is over for the user
    /// at once.
    pub(crate) fn hang_up(&mut self, context: &mut Context, now: Instant, reason: Option<&str>) {
        let mut why = Headers::new();
        if let Some(reason) = reason {
            why.push(&Reason::sip(StatusCode::NOT_ACCEPTABLE_HERE.code(), reason));
        }
        self.hang_up_because(context, now, reason.unwrap_or("hung up"), &why);
    }

    /// The same; a CANCEL or BYE carries these headers.
    pub(crate) fn hang_up_because(
        &mut self,
        context: &mut Context,
        now: Instant,
        words: &str,
        why: &Headers,
    ) {
        self.end(context, EndCause::new(EndedBy::Local, None, words));
        match &mut self.phase {
            Phase::Outgoing(outgoing) => {
                let exchange = outgoing.exchange;
                self.drop_early_offers(context, now);
                if !self.leaves_redirection(context) {
                    context.cancel(now, exchange, why);
                }
            }
            Phase::Incoming(_) => {
                self.refuse_invite(context, now, &StatusCode::TEMPORARILY_UNAVAILABLE.into());
            }
            Phase::Up(session) if session.unacked.is_some() && !session.confirmed => {
                session.bye = Bye::AfterAck
            }
            Phase::Up(session) => {
                if let Some(delayed) = session.delayed.take() {
                    self.acknowledge(context, now, &delayed, None);
                }
                self.send_bye_because(context, now, why);
            }
            Phase::Over => {}
        }
    }

    /// Sends the BYE; what the other side still waits for is answered first.
    pub(super) fn send_bye(&mut self, context: &mut Context, now: Instant) {
        self.send_bye_because(context, now, &Headers::new());
    }

    fn send_bye_because(&mut self, context: &mut Context, now: Instant, why: &Headers) {
        self.drop_remote_offer(context, now);
        let Phase::Up(session) = &mut self.phase else { return };
        if matches!(session.bye, Bye::Sent(_)) {
            return;
        }
        let mut bye = session.dialog.request(Method::BYE);
        append(&mut bye.request.headers, why);
        let exchange = context.start(now, Owner::Bye(self.id), self.account, bye, self.protocol, false);
        session.bye = Bye::Sent(exchange);
        session.byes = session.byes.saturating_add(1);
    }

    /// Whatever became of our BYE, the dialog is gone (RFC 3261 §15.1.1). But a 500 says that something that was sent after
    /// it has overtaken it (§12.2.2), and then the other side's call is still up: it goes again under a new number.
    pub(crate) fn handle_bye_outcome(
        &mut self,
        context: &mut Context,
        now: Instant,
        result: Result<(Response, Source), Failure>,
    ) {
        if let Ok((response, _)) = &result {
            self.hear_content(context, &response.content());
        }
        let status = result.map_or_else(Failure::status, |(response, _)| response.status);
        if status.is_provisional() {
            return;
        }
        if let (Phase::Up(session), StatusCode::SERVER_INTERNAL_ERROR) = (&mut self.phase, status)
            && session.byes < MAX_BYES
        {
            session.bye = Bye::None;
            return self.send_bye(context, now);
        }
        self.abandon_invites(context, now);
        self.finish(context);
    }

    /// Takes back our re-INVITEs that have no answer. The other side should refuse them now (RFC 3261 §15.1.2), but its
    /// dialog is gone and with it whoever would repeat a response that is lost; and an INVITE that has heard a 100 would
    /// wait for ever.
    fn abandon_invites(&self, context: &mut Context, now: Instant) {
        let Phase::Up(session) = &self.phase else { return };
        for exchange in session.own_changes() {
            context.abandon_invite(now, exchange);
        }
    }

    /// The other side hangs up.
    pub(crate) fn handle_bye(
        &mut self,
        context: &mut Context,
        now: Instant,
        transaction: TransactionId,
        request: &Request,
    ) {
        match &self.phase {
            Phase::Outgoing(_) | Phase::Over => {
                return context.refuse(now, transaction, request, StatusCode::CALL_DOES_NOT_EXIST);
            }
            Phase::Incoming(_) => {
                self.refuse_invite(context, now, &StatusCode::REQUEST_TERMINATED.into());
            }
            Phase::Up(_) => self.drop_remote_offer(context, now),
        }
        let tag = self.local_tag.to_string();
        let response = context.response(request, StatusCode::OK, Some(&tag));
        context.respond(now, transaction, response);
        self.hear_content(context, &request.content());
        let reason = reason_text(request).unwrap_or_else(|| "hung up".to_string());
        self.end(context, EndCause::new(EndedBy::Remote, None, reason).with_notices(&request.headers));
        self.abandon_invites(context, now);
        self.finish(context);
    }
}

impl Session {
    /// The re-INVITEs and UPDATEs of ours that have no final response.
    fn own_changes(&self) -> impl Iterator<Item = ExchangeId> + use<> {
        let offer = match self.offers.offering {
            Offering::Sent(exchange) => Some(exchange),
            Offering::Idle | Offering::Waiting => None,
        };
        let refresh = self.timer.as_ref().and_then(|timer| timer.refreshing);
        offer.into_iter().chain(refresh)
    }

    /// Whether a BYE was sent: nothing but responses follows.
    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.bye, Bye::Sent(_))
    }
}

/// The text of a Reason header (RFC 3326), as in `Q.850;cause=16;text="Terminated"`.
pub(super) fn reason_text(request: &Request) -> Option<String> {
    let reason = request.headers.get::<Reason>()?.ok()?;
    reason.text().map(Into::into)
}
