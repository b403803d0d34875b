//! Early dialogs of a call of ours: one for each place that rings, each with its own order of reliable provisional
//! responses (RFC 3261 §12.1, RFC 3262 §4), its own offers (RFC 6337 §3), and its own end (RFC 6228).

use super::content::description_of;
use super::offers::{Offering, Offers};
use super::{Peer, RELIABLE, body_of};
use crate::call::{Call, Phase};
use crate::context::{Context, Timer, names_option};
use crate::dialog::{Dialog, Reach};
use crate::event::{EarlyDialogId, Event};
use crate::exchange::{ExchangeId, Failure, Owner};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{CSeq, ContentType, RAck, RSeq, Require, To};
use sidetone_sip_core::{Method, Request, Response, Source, StatusCode};

/// Early dialogs that a call keeps. A proxy that rings more places at once has them told without a name, and what they
/// send reliably is not acknowledged.
const MAX_EARLY: usize = 16;

/// One place that rings.
pub(super) struct Early {
    pub(super) id: EarlyDialogId,
    pub(super) dialog: Dialog,
    pub(super) peer: Peer,
    pub(super) offers: Offers,
    /// The INVITE that it answers: after a challenge there is another one.
    invite: u32,
    /// The last reliable response that came in its order.
    rseq: Option<u32>,
    /// A session description came.
    media: bool,
    /// The first offer and its answer are through, both of them reliably.
    pub(super) settled: bool,
    /// That answer, as long as nothing has changed since.
    pub(super) answer: Option<Bytes>,
    /// Our own description, where the INVITE had none.
    pub(super) local: Option<Bytes>,
    /// Our PRACKs without an answer: an UPDATE must not overtake them, for it would put them out of order.
    pracks: u8,
    /// An offer whose PRACK waits for our answer.
    pub(super) owed: Option<Owed>,
    /// The PRACK of an answer, which waits a moment for an offer of ours.
    pub(super) held: Option<RAck>,
    /// It rings no more.
    pub(super) ended: bool,
}

/// An offer in a reliable provisional response (RFC 3262 §5).
pub(super) struct Owed {
    rack: RAck,
    pub(super) body: Bytes,
}

impl Early {
    /// Whether an offer of ours may be made: the first one has its answer, and nothing is under way.
    pub(super) fn may_offer(&self) -> bool {
        self.settled && !self.ended && self.pracks == 0 && self.offers.is_idle()
    }

    /// Whether an offer of the other side waits for our user.
    const fn asks(&self) -> bool {
        self.owed.is_some() || self.offers.remote.is_some()
    }
}

impl Call {
    /// A provisional response to the INVITE that makes the call.
    pub(super) fn progress_came(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        response: &Response,
    ) {
        let status = response.status;
        if status == StatusCode::TRYING {
            return;
        }
        let Some(invite) = context.exchanges.get(&exchange).map(|exchange| exchange.request.clone()) else {
            return;
        };
        self.hear_content(context, &response.content());
        let Phase::Outgoing(outgoing) = &mut self.phase else { return };
        outgoing.ringing = true;
        let offered = outgoing.offered;
        let holds = !self.ended && context.session_config(self.account).offer_in_prack;
        let body = description_of(response);
        let call = self.id;
        let Some(early) = outgoing.early_of(&self.call_id, &invite, response) else {
            let body = body.filter(|_| offered);
            let early_media = body.is_some();
            return self.tell(context, Event::Progress { call, status, early: None, early_media, body });
        };
        let id = early.id;
        let (mut rack, mut before) = (None, None);
        if let Some(Ok(RSeq(rseq))) = response.headers.get::<RSeq>()
            && names_option::<Require>(&response.headers, RELIABLE)
        {
            // Repeated, or ahead of one that was lost: that one comes again, and then this one (RFC 3262 §4).
            if early.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
                return;
            }
            early.rseq = Some(rseq);
            before = early.held.take();
            rack = Some(RAck { rseq, cseq: early.invite, method: Method::INVITE });
        }
        early.peer.hear(&response.headers);
        let mut told = None;
        match (body, &rack) {
            // What is settled is repeated at most.
            (Some(_), _) if early.settled || early.owed.is_some() => {}
            (Some(body), _) if offered => {
                early.media = true;
                if rack.is_some() {
                    early.settled = true;
                    early.answer = Some(body.clone());
                    if holds && status != StatusCode::EARLY_DIALOG_TERMINATED {
                        early.held = rack.take();
                        context.deadlines.set(Timer::Reliable(call), now + context.t1() / 2);
                    }
                }
                told = Some(body);
            }
            (Some(body), Some(_)) if !self.ended => {
                early.media = true;
                early.owed = rack.take().map(|rack| Owed { rack, body });
            }
            // An offer must not come where it may be lost (RFC 3261 §13.2.1).
            _ => {}
        }
        let early_media = early.media;
        for rack in before.into_iter().chain(rack) {
            self.send_prack(context, now, id, rack, None);
        }
        if status == StatusCode::EARLY_DIALOG_TERMINATED {
            return self.early_ended(context, now, id);
        }
        self.hear_identity(context, &response.headers, None);
        self.tell(context, Event::Progress { call, status, early: Some(id), early_media, body: told });
        self.ask(context);
    }

    fn send_prack(
        &mut self,
        context: &mut Context,
        now: Instant,
        id: EarlyDialogId,
        rack: RAck,
        body: Option<Bytes>,
    ) -> Option<ExchangeId> {
        let early = self.early(id)?;
        early.pracks = early.pracks.saturating_add(1);
        let mut prack = early.dialog.request(Method::PRACK);
        prack.request.headers.push(&rack);
        if let Some(body) = body {
            prack.request.set_body(&ContentType::SDP, body);
        }
        Some(context.start(now, Owner::Prack(self.id, id), self.account, prack, self.protocol, false))
    }

    /// Sends the PRACKs that waited for an offer of ours: none came, or none is to come any more.
    pub(super) fn send_held(&mut self, context: &mut Context, now: Instant) {
        let Phase::Outgoing(outgoing) = &mut self.phase else { return };
        context.deadlines.stop(Timer::Reliable(self.id));
        let held = |early: &mut Early| Some((early.id, early.held.take()?));
        // There are 16 at most.
        let held: Vec<(EarlyDialogId, RAck)> = outgoing.early.iter_mut().filter_map(held).collect();
        for (id, rack) in held {
            self.send_prack(context, now, id, rack, None);
        }
    }

    /// Sends our offer in the PRACK that waits for one (RFC 3262 §5). Whether there is one.
    pub(super) fn offer_in_prack(
        &mut self,
        context: &mut Context,
        now: Instant,
        id: EarlyDialogId,
        offer: &Bytes,
    ) -> bool {
        let Some(early) = self.early(id).filter(|early| early.offers.is_idle()) else { return false };
        let Some(rack) = early.held.take() else { return false };
        let sent = self.send_prack(context, now, id, rack, Some(offer.clone()));
        if let (Some(early), Some(exchange)) = (self.early(id), sent) {
            early.offers.offering = Offering::Sent(exchange);
        }
        true
    }

    /// What became of our PRACK. The INVITE goes on whatever it is; who does not know the response any more (481) has
    /// given up that early dialog.
    pub(crate) fn handle_prack_outcome(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        id: EarlyDialogId,
        result: Result<(Response, Source), Failure>,
    ) {
        let status = result.as_ref().map_or_else(|failure| failure.status(), |(response, _)| response.status);
        if status.is_provisional() {
            return;
        }
        if let Some(early) = self.early(id) {
            early.pracks = early.pracks.saturating_sub(1);
        }
        let side = self.side(Some(id));
        let offered = side.is_some_and(|side| side.offers.offering == Offering::Sent(exchange));
        if !status.is_success() && Reach::of(status, &Method::PRACK).ends_usage() {
            self.early_ended(context, now, id);
        }
        if offered {
            self.prack_offer_over(context, now, exchange, id, result);
        }
        self.settle(context);
    }

    /// The offer in our PRACK was answered in its 200, or refused.
    fn prack_offer_over(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        id: EarlyDialogId,
        result: Result<(Response, Source), Failure>,
    ) {
        match result {
            Ok((response, _)) if response.status.is_success() => {
                if let Some(side) = self.side(Some(id)) {
                    side.offers.offering = Offering::Idle;
                }
                if let Some(early) = self.early(id) {
                    early.answer = None;
                }
                if let Some(prack) = context.exchanges.get(&exchange).map(|known| known.request.body.clone())
                {
                    self.keep_local(&prack);
                }
                self.tell(context, Event::Answer { call: self.id, body: description_of(&response) });
            }
            Ok((response, _)) => match self.wait_to_offer(context, &response) {
                Some(wait) => self.offer_waits(context, now, Some(id), response.status, wait),
                None => self.offer_rejected(context, Some(id), response.status),
            },
            Err(failure) => self.offer_rejected(context, Some(id), failure.status()),
        }
    }

    /// One of the places that rang gave up.
    pub(super) fn early_ended(&mut self, context: &mut Context, now: Instant, id: EarlyDialogId) {
        let Some(early) = self.early(id).filter(|early| !early.ended) else { return };
        early.ended = true;
        early.owed = None;
        early.media = false;
        if let Some(remote) = early.offers.remote.take() {
            remote.gone(context, now);
        }
        self.asked_no_more(context, id);
        self.tell(context, Event::EarlyDialogEnded { call: self.id, early: id });
    }

    /// Tells the user of the next offer that came in an early dialog: one at a time, for the answer names none.
    pub(super) fn ask(&mut self, context: &mut Context) {
        let Phase::Outgoing(outgoing) = &mut self.phase else { return };
        if outgoing.asking.is_some() {
            return;
        }
        let Some(early) = outgoing.early.iter().find(|early| early.asks()) else { return };
        let owed = early.owed.as_ref().map(|owed| owed.body.clone());
        let body =
            owed.or_else(|| early.offers.remote.as_ref().and_then(|remote| body_of(&remote.request.body)));
        outgoing.asking = Some(early.id);
        self.tell(context, Event::Offer { call: self.id, body });
    }

    /// The offer that the user was told of is gone; the next one may be told.
    fn asked_no_more(&mut self, context: &mut Context, id: EarlyDialogId) {
        if let Phase::Outgoing(outgoing) = &mut self.phase
            && outgoing.asking.take_if(|asking| *asking == id).is_some()
        {
            self.tell(context, Event::OfferWithdrawn { call: self.id });
            self.ask(context);
        }
    }

    /// The user's answer to an offer in a reliable provisional response goes in the PRACK. Whether it was for that.
    pub(super) fn answer_owed(
        &mut self,
        context: &mut Context,
        now: Instant,
        answer: Option<&Bytes>,
    ) -> bool {
        let Phase::Outgoing(outgoing) = &mut self.phase else { return false };
        let Some(id) = outgoing.asking else { return false };
        let Some(early) = outgoing.early.iter_mut().find(|early| early.id == id) else { return false };
        let Some(owed) = early.owed.take() else { return false };
        early.settled = answer.is_some();
        early.local = answer.cloned();
        outgoing.asking = None;
        self.send_prack(context, now, id, owed.rack, answer.cloned());
        self.ask(context);
        true
    }

    /// An early dialog of a call of ours.
    pub(super) fn early(&mut self, id: EarlyDialogId) -> Option<&mut Early> {
        let Phase::Outgoing(outgoing) = &mut self.phase else { return None };
        outgoing.early.iter_mut().find(|early| early.id == id)
    }

    /// The user gave the call up: what the other side asked meanwhile is answered.
    pub(super) fn drop_early_offers(&mut self, context: &mut Context, now: Instant) {
        self.send_held(context, now);
        let Phase::Outgoing(outgoing) = &mut self.phase else { return };
        outgoing.asking = None;
        for early in &mut outgoing.early {
            if let Some(remote) = early.offers.remote.take() {
                remote.gone(context, now);
            }
        }
        // A PRACK without an answer would be wrong, and none makes no difference: the CANCEL ends the INVITE.
    }

    /// Every early dialog is over: the INVITE was refused, or one of them has the call.
    pub(super) fn drop_early(&mut self, context: &mut Context, now: Instant) {
        let Phase::Outgoing(outgoing) = &mut self.phase else { return };
        let asked = outgoing.asking.take().is_some();
        for early in core::mem::take(&mut outgoing.early) {
            if let Some(remote) = early.offers.remote {
                remote.gone(context, now);
            }
        }
        if asked {
            self.tell(context, Event::OfferWithdrawn { call: self.id });
        }
    }
}

impl super::Outgoing {
    /// The early dialog that a response to `invite` belongs to, a new one if need be.
    fn early_of(&mut self, call_id: &Arc<str>, invite: &Request, response: &Response) -> Option<&mut Early> {
        let to: To = response.headers.require().ok()?;
        let tag = to.tag().filter(|tag| !tag.is_empty())?;
        let CSeq { seq, .. } = response.headers.require().ok()?;
        let known = self.early.iter().position(|early| early.dialog.remote_tag() == tag);
        if let Some(at) = known {
            if self.early.get(at).is_some_and(|early| early.invite == seq) {
                return self.early.get_mut(at);
            }
            // Of an INVITE that was challenged since.
            self.early.remove(at);
        }
        if self.early.len() >= MAX_EARLY {
            self.early.retain(|early| !early.ended);
        }
        if self.early.len() >= MAX_EARLY {
            return None;
        }
        let dialog = Dialog::client(call_id, invite, response).ok()?;
        self.last_early += 1;
        self.early.push(Early {
            id: EarlyDialogId(self.last_early),
            dialog,
            peer: Peer::of(&response.headers),
            offers: Offers::default(),
            invite: seq,
            rseq: None,
            media: false,
            settled: false,
            answer: None,
            local: None,
            pracks: 0,
            owed: None,
            held: None,
            ended: false,
        });
        self.early.last_mut()
    }

    /// Takes the early dialog with this tag of the other side's.
    pub(super) fn take_early(&mut self, tag: &str) -> Option<Early> {
        let at = self.early.iter().position(|early| early.dialog.remote_tag() == tag)?;
        let early = self.early.remove(at);
        self.asking.take_if(|asking| *asking == early.id);
        Some(early)
    }
}
