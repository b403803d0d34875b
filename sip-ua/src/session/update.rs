//! UPDATE both ways, in early dialogs and in established ones (RFC 3311).

use super::content::description_of;
use super::offers::{Offering, RemoteOffer};
use super::{body_of, copy_routes, is_foreign_body};
use crate::call::{Call, Phase};
use crate::context::{Context, Timer};
use crate::dialog::Reach;
use crate::error::CommandError;
use crate::event::{EarlyDialogId, EndCause, EndedBy, Event};
use crate::exchange::{ExchangeId, Failure, Owner};
use alloc::boxed::Box;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Accept, CSeq, ContentType, From, HeaderName, RetryAfter};
use sidetone_sip_core::{Method, Request, Response, Source, StatusCode, TransactionId};

/// The longest Retry-After that an offer waits for by itself: who has an offer of its own under way names 0 to 10 s
/// (RFC 3311 §5.2).
const MAX_WAIT: u32 = 10;

/// How an offer of the other side meets what is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meeting {
    Free,
    /// Ours has no answer yet: 491.
    Ours,
    /// One of theirs has no answer yet: 500 with Retry-After.
    Theirs,
}

impl Call {
    /// Sends an UPDATE within the call or an early dialog.
    pub(super) fn send_update(
        &mut self,
        context: &mut Context,
        now: Instant,
        early: Option<EarlyDialogId>,
        offer: Option<Bytes>,
    ) -> Option<ExchangeId> {
        let mut update = self.side(early)?.dialog.request(Method::UPDATE);
        if let Phase::Up(session) = &self.phase
            && let Some(timer) = &session.timer
        {
            timer.push(&mut update.request.headers);
        }
        context.push_abilities(&mut update.request.headers, self.account);
        self.announce_focus(&mut update.request);
        if let Some(offer) = offer {
            update.request.set_body(&ContentType::SDP, offer);
        }
        Some(context.start(now, Owner::Update(self.id, early), self.account, update, self.protocol, true))
    }

    /// Offers a change of the session before the call is answered: in an UPDATE, once the first offer and its answer
    /// are through reliably (RFC 3311 §5.1).
    pub(super) fn offer_early(
        &mut self,
        context: &mut Context,
        now: Instant,
        offer: Bytes,
    ) -> Result<(), CommandError> {
        let early = match &self.phase {
            // The place that was settled last: of those that ring it is the one that is heard.
            Phase::Outgoing(outgoing) => {
                let settled = outgoing.early.iter().rfind(|early| early.settled && !early.ended);
                Some(settled.ok_or(CommandError::WrongState)?.id)
            }
            Phase::Incoming(incoming) if incoming.is_settled() || incoming.is_answering() => None,
            _ => return Err(CommandError::WrongState),
        };
        if let Some(id) = early
            && self.offer_in_prack(context, now, id, &offer)
        {
            return Ok(());
        }
        let waits = match (&self.phase, early) {
            // Its 200 waits for a PRACK.
            (Phase::Incoming(incoming), _) => incoming.is_answering(),
            (_, Some(id)) => self.early(id).is_some_and(|early| !early.may_offer()),
            _ => false,
        };
        let side = self.side(early).ok_or(CommandError::WrongState)?;
        if !side.peer.update && !waits {
            return Err(CommandError::Unsupported);
        }
        if waits || !side.offers.is_idle() {
            side.offers.due = true;
            return Err(CommandError::OfferPending);
        }
        let exchange = self.send_update(context, now, early, Some(offer)).ok_or(CommandError::WrongState)?;
        if let Some(side) = self.side(early) {
            side.offers.offering = Offering::Sent(exchange);
        }
        Ok(())
    }

    /// What became of our UPDATE.
    pub(crate) fn handle_update_outcome(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        early: Option<EarlyDialogId>,
        result: Result<(Response, Source), Failure>,
    ) {
        if matches!(&result, Ok((response, _)) if response.status.is_provisional()) {
            return;
        }
        let Some(side) = self.side(early) else { return };
        let offered = side.offers.offering == Offering::Sent(exchange);
        match result {
            Ok((response, _)) if response.status.is_success() => {
                if early.is_none() || side.early.is_some() || offered {
                    side.dialog.refresh_target(&response.headers);
                    side.peer.hear(&response.headers);
                }
                if offered {
                    side.offers.offering = Offering::Idle;
                }
                let request = context.exchanges.get(&exchange).map(|exchange| exchange.request.clone());
                if let Some(request) = request {
                    self.take_refresh(exchange);
                    // One that was sent before the call was answered asks for nothing, but may be told of the timer.
                    let told = response.headers.contains(&HeaderName::SESSION_EXPIRES);
                    if early.is_none() || (offered && told) {
                        self.hear_timer(context, now, &request.headers, &response.headers);
                    }
                    if offered {
                        self.keep_local(&request.body);
                    }
                }
                self.hear_identity(context, &response.headers, None);
                if let Some(early) = early.filter(|_| offered).and_then(|id| self.early(id)) {
                    early.answer = None;
                }
                if offered {
                    self.tell(context, Event::Answer { call: self.id, body: description_of(&response) });
                }
                self.settle(context);
            }
            Ok((response, _)) => self.update_refused(context, now, exchange, early, &response),
            Err(failure) => {
                let status = failure.status();
                if self.update_ends(context, now, exchange, early, (status, EndedBy::Timeout)) {
                    return;
                }
                if self.take_refresh(exchange) {
                    self.refresh_refused(context, now, status);
                    self.settle(context);
                }
                if offered {
                    self.offer_rejected(context, early, status);
                }
            }
        }
    }

    fn update_refused(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        early: Option<EarlyDialogId>,
        response: &Response,
    ) {
        let status = response.status;
        if self.update_ends(context, now, exchange, early, (status, EndedBy::Remote))
            || self.raise_interval(context, now, exchange, response)
        {
            return;
        }
        if self.take_refresh(exchange) {
            self.refresh_refused(context, now, status);
            return self.settle(context);
        }
        let Some(side) = self.side(early) else { return };
        if side.offers.offering != Offering::Sent(exchange) {
            return;
        }
        if status == StatusCode::METHOD_NOT_ALLOWED || status == StatusCode::NOT_IMPLEMENTED {
            side.peer.update = false;
        }
        match self.wait_to_offer(context, response) {
            Some(wait) => self.offer_waits(context, now, early, status, wait),
            None => self.offer_rejected(context, early, status),
        }
    }

    /// Whether a refusal of our UPDATE ends the call, or the early dialog, which it then does.
    fn update_ends(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        early: Option<EarlyDialogId>,
        (status, by): (StatusCode, EndedBy),
    ) -> bool {
        if !Reach::of(status, &Method::UPDATE).ends_usage() {
            return false;
        }
        match (&self.phase, early) {
            // An UPDATE of an early dialog that the call did not go on in says nothing of the call.
            (Phase::Up(session), early)
                if early.is_none() || session.offers.offering == Offering::Sent(exchange) =>
            {
                self.dialog_lost(context, now, EndCause::status(by, status));
            }
            (Phase::Outgoing(_), Some(id)) => self.early_ended(context, now, id),
            _ => return false,
        }
        true
    }

    /// How long an offer that was refused waits until it may be made again; `None` for a refusal that is meant.
    pub(super) fn wait_to_offer(&self, context: &mut Context, response: &Response) -> Option<Duration> {
        match response.status {
            StatusCode::REQUEST_PENDING => Some(self.glare_wait(context)),
            // RFC 3261 §14.2, RFC 3311 §5.2: an offer of theirs is under way.
            StatusCode::SERVER_INTERNAL_ERROR => {
                let retry = response.headers.get::<RetryAfter>()?.ok()?;
                // At once would be before what is under way can end.
                (retry.seconds <= MAX_WAIT).then(|| Duration::from_secs(retry.seconds.max(1).into()))
            }
            _ => None,
        }
    }

    /// An UPDATE of the other side, in order.
    pub(crate) fn handle_update(
        &mut self,
        context: &mut Context,
        now: Instant,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let (Some(Ok(from)), Some(Ok(CSeq { seq, .. }))) =
            (request.headers.get::<From>(), request.headers.get::<CSeq>())
        else {
            return context.refuse(now, transaction, &request, StatusCode::BAD_REQUEST);
        };
        let tag = from.tag().unwrap_or_default();
        if let Some(response) = super::too_short(context, self.account, &request).filter(|_| self.is_up()) {
            return context.respond(now, transaction, response);
        }
        let meeting = self.meeting(tag);
        let leaving = matches!(&self.phase, Phase::Up(session) if session.is_leaving());
        let (ended, call) = (self.ended || leaving, self.id);
        let Some(side) = self.side_of(tag).filter(|_| !ended) else {
            return context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
        };
        let early = side.early;
        let has_offer = !request.body.is_empty();
        // RFC 3311 §5.2: one after the other, whatever they are for.
        if side.offers.remote.is_some() || (has_offer && meeting == Meeting::Theirs) {
            let mut response = context.response(&request, StatusCode::SERVER_INTERNAL_ERROR, None);
            response.headers.push(&RetryAfter::new(context.rng.below(11)));
            return context.respond(now, transaction, response);
        }
        if has_offer && meeting == Meeting::Ours {
            return context.refuse(now, transaction, &request, StatusCode::REQUEST_PENDING);
        }
        if is_foreign_body(&request) {
            let mut response = context.response(&request, StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
            response.headers.push(&Accept([ContentType::SDP].into()));
            return context.respond(now, transaction, response);
        }
        side.peer.hear(&request.headers);
        // Whoever sends it takes it.
        side.peer.update = true;
        let body = body_of(&request.body);
        self.hear_requester(context, &request);
        let remote = RemoteOffer { transaction, request, source, seq };
        if body.is_none() {
            return self.accept_remote(context, now, early, remote, None);
        }
        if let Some(side) = self.side(early) {
            side.offers.remote = Some(Box::new(remote));
        }
        if matches!(self.phase, Phase::Outgoing(_)) {
            self.ask(context);
        } else {
            self.tell(context, Event::Offer { call, body });
        }
    }

    /// How an offer that comes now in the dialog with this tag meets those under way.
    fn meeting(&mut self, tag: &str) -> Meeting {
        match &self.phase {
            Phase::Up(session) => {
                if session.unacked.as_ref().is_some_and(|unacked| unacked.offered) {
                    return Meeting::Ours;
                }
                if session.delayed.is_some() {
                    return Meeting::Theirs;
                }
            }
            Phase::Incoming(incoming) => {
                let meeting = incoming.meeting();
                if meeting != Meeting::Free {
                    return meeting;
                }
            }
            Phase::Outgoing(outgoing) => {
                let early = outgoing.early.iter().find(|early| early.dialog.remote_tag() == tag);
                match early {
                    Some(early) if early.settled => {}
                    // Their offer waits for our answer in a PRACK.
                    Some(early) if early.owed.is_some() => return Meeting::Theirs,
                    _ if outgoing.offered => return Meeting::Ours,
                    // There is nothing to change yet.
                    _ => return Meeting::Theirs,
                }
            }
            Phase::Over => {}
        }
        let ours = self.side_of(tag).is_some_and(|side| matches!(side.offers.offering, Offering::Sent(_)));
        if ours { Meeting::Ours } else { Meeting::Free }
    }

    /// Answers an UPDATE or a PRACK by 200.
    pub(super) fn accept_remote(
        &mut self,
        context: &mut Context,
        now: Instant,
        early: Option<EarlyDialogId>,
        remote: RemoteOffer,
        answer: Option<Bytes>,
    ) {
        let RemoteOffer { transaction, request, source, .. } = remote;
        let tag = alloc::string::ToString::to_string(&self.local_tag);
        let mut response = context.response(&request, StatusCode::OK, Some(&tag));
        if request.method == Method::UPDATE {
            if let Some(side) = self.side(early) {
                side.dialog.refresh_target(&request.headers);
            }
            copy_routes(&mut response.headers, &request);
            let sips = request.uri.is_sips();
            context.push_contact(&mut response.headers, self.account, &self.user, &source, sips);
            self.mark_focus(&mut response.headers);
            context.push_abilities(&mut response.headers, self.account);
            self.agree_timer(context, now, &request.headers, &mut response.headers, false);
        }
        if let Some(answer) = answer {
            self.keep_local(&answer);
            response.set_body(&ContentType::SDP, answer);
            if let Some(early) = early.and_then(|id| self.early(id)) {
                early.answer = None;
            }
        }
        context.respond(now, transaction, response);
    }

    fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up(_))
    }

    /// Takes the offer of the other side that the user was told of, in whatever dialog it came.
    pub(super) fn take_remote(&mut self) -> Option<(Option<EarlyDialogId>, RemoteOffer)> {
        let early = match &mut self.phase {
            Phase::Outgoing(outgoing) => Some(outgoing.asking.take()?),
            _ => None,
        };
        let remote = self.side(early)?.offers.remote.take()?;
        Some((early, *remote))
    }

    /// The wait after a 491 or 500 begins.
    pub(super) fn offer_waits(
        &mut self,
        context: &mut Context,
        now: Instant,
        early: Option<EarlyDialogId>,
        status: StatusCode,
        wait: Duration,
    ) {
        if let Some(side) = self.side(early) {
            side.offers.offering = Offering::Waiting;
            side.offers.due = true;
        }
        if !self.ended {
            context.deadlines.set(Timer::Glare(self.id), now + wait);
        }
        self.tell(context, Event::OfferRejected { call: self.id, status, again: true });
    }

    /// Our offer was refused; the session stays as it was (RFC 3261 §14.1).
    pub(super) fn offer_rejected(
        &mut self,
        context: &mut Context,
        early: Option<EarlyDialogId>,
        status: StatusCode,
    ) {
        if let Some(side) = self.side(early) {
            side.offers.offering = Offering::Idle;
        }
        self.tell(context, Event::OfferRejected { call: self.id, status, again: false });
        self.settle(context);
    }
}

impl super::Incoming {
    /// How an offer of the caller's meets those under way: its first one, or ours where it had none.
    fn meeting(&self) -> Meeting {
        match (self.request.body.is_empty(), self.is_described(), self.is_settled()) {
            (_, _, true) => Meeting::Free,
            // It would not offer if our answer had not come; only the PRACK is late.
            (false, true, false) => Meeting::Free,
            (false, false, false) => Meeting::Theirs,
            (true, true, false) => Meeting::Ours,
            (true, false, false) => Meeting::Theirs,
        }
    }
}
