//! Reliable provisional responses to a call to us: each is repeated until its PRACK, and they go one after the other
//! (RFC 3262 §3).

use super::config::{ExtensionUse, RELIABLE};
use super::offers::RemoteOffer;
use super::{Incoming, body_of, is_foreign_body};
use crate::call::{Call, Phase};
use crate::context::{Context, Timer, add_options, names_option};
use crate::error::CommandError;
use crate::event::{EndCause, EndedBy, Event};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Accept, CSeq, ContentType, RAck, RSeq, Require, Supported};
use sidetone_sip_core::{Headers, Method, Request, Response, Source, StatusCode, TransactionId};

/// Provisional responses that wait for the PRACK of the one before.
const MAX_QUEUE: usize = 8;

/// Where the first offer and its answer stand on our side of a call that is not answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Described {
    #[default]
    No,
    /// Our description is in a reliable response whose PRACK has not come.
    Sent,
    /// Its PRACK has come: the offer and its answer are through.
    Settled,
}

/// The reliable provisional responses of one call.
#[derive(Default)]
pub(super) struct Reliable {
    /// The number of the last one.
    rseq: u32,
    /// That one, until its PRACK.
    pending: Option<Pending>,
    queue: VecDeque<Response>,
    described: Described,
    /// The answer of the user to the call: its 2xx waits for the PRACK of what was described (RFC 3262 §3).
    answer: Option<Bytes>,
}

struct Pending {
    response: Response,
    rack: RAck,
    interval: Duration,
    /// When nobody waits for the PRACK any more.
    end: Instant,
    /// It carries our offer, so the PRACK carries the answer.
    offers: bool,
}

/// Whether the provisional responses to a request are to be reliable.
pub(super) fn is_wanted(usage: ExtensionUse, request: &Headers) -> bool {
    usage.is_on()
        && (names_option::<Supported>(request, RELIABLE) || names_option::<Require>(request, RELIABLE))
}

impl Reliable {
    /// Whether a PRACK is missing that the 2xx has to wait for.
    fn holds_2xx(&self) -> bool {
        self.described == Described::Sent || self.queue.iter().any(|response| !response.body.is_empty())
    }

    /// Whether a PRACK is for the response that waits for one.
    pub(super) fn is_for(&self, request: &Request) -> bool {
        self.pending.as_ref().is_some_and(|pending| names(request, &pending.rack))
    }

    /// What the PRACK names that is still to come when the 2xx goes.
    pub(super) fn late_prack(self) -> Option<Box<RAck>> {
        self.pending.map(|pending| Box::new(pending.rack))
    }
}

/// Whether a PRACK is for the response of this number.
fn names(request: &Request, rack: &RAck) -> bool {
    request.headers.get::<RAck>().and_then(Result::ok).as_ref() == Some(rack)
}

impl Incoming {
    /// Whether we sent a session description reliably.
    pub(super) fn is_described(&self) -> bool {
        self.reliable.as_ref().is_some_and(|reliable| reliable.described != Described::No)
    }

    /// Whether the first offer and its answer are through.
    pub(super) fn is_settled(&self) -> bool {
        self.reliable.as_ref().is_some_and(|reliable| reliable.described == Described::Settled)
    }

    /// Whether the user has answered already.
    pub(super) fn is_answering(&self) -> bool {
        self.reliable.as_ref().is_some_and(|reliable| reliable.answer.is_some())
    }

    /// Holds the user's answer back if a PRACK is missing; gives it back if it can go.
    pub(super) fn hold(&mut self, answer: Bytes) -> Option<Bytes> {
        match &mut self.reliable {
            Some(reliable) if reliable.holds_2xx() => {
                reliable.answer = Some(answer);
                None
            }
            _ => Some(answer),
        }
    }
}

impl Call {
    /// Sends a provisional response reliably, or has it wait for its turn.
    pub(super) fn progress_reliably(
        &mut self,
        context: &mut Context,
        now: Instant,
        mut response: Response,
    ) -> Result<(), CommandError> {
        let Phase::Incoming(incoming) = &mut self.phase else { return Err(CommandError::WrongState) };
        let reliable = incoming.reliable.get_or_insert_default();
        if reliable.answer.is_some() {
            return Err(CommandError::WrongState);
        }
        if reliable.queue.len() >= MAX_QUEUE {
            return Err(CommandError::QueueFull(MAX_QUEUE));
        }
        // What was described is not said again, and not otherwise: that is what UPDATE is for (RFC 6337 §3.1).
        if reliable.described != Described::No || reliable.queue.iter().any(|waits| !waits.body.is_empty()) {
            response.headers.remove(&sidetone_sip_core::header::HeaderName::CONTENT_TYPE);
            response.body = Bytes::new();
        }
        reliable.queue.push_back(response);
        self.send_next_reliable(context, now);
        Ok(())
    }

    fn send_next_reliable(&mut self, context: &mut Context, now: Instant) {
        let interval = context.t1();
        let Phase::Incoming(incoming) = &mut self.phase else { return };
        let (transaction, offered) = (incoming.transaction, !incoming.request.body.is_empty());
        let Some(Ok(CSeq { seq, .. })) = incoming.request.headers.get::<CSeq>() else { return };
        let Some(reliable) = &mut incoming.reliable else { return };
        if reliable.pending.is_some() {
            return;
        }
        let Some(mut response) = reliable.queue.pop_front() else { return };
        reliable.rseq = match reliable.rseq {
            // RFC 3262 §3: 1 to 2³¹ - 1 at first, then one more each time. So far below there is no end to reach.
            0 => 1 + context.rng.below(1 << 24),
            last => last.saturating_add(1),
        };
        response.headers.push(&RSeq(reliable.rseq));
        add_options::<Require>(&mut response.headers, [RELIABLE].into_iter());
        let described = !response.body.is_empty();
        if described {
            reliable.described = Described::Sent;
        }
        let rack = RAck { rseq: reliable.rseq, cseq: seq, method: Method::INVITE };
        let end = now + context.t1() * 64;
        let offers = described && !offered;
        reliable.pending = Some(Pending { response: response.clone(), rack, interval, end, offers });
        context.respond(now, transaction, response);
        context.deadlines.set(Timer::Reliable(self.id), now + interval);
    }

    /// No PRACK has come yet.
    pub(crate) fn repeat_reliable(&mut self, context: &mut Context, now: Instant) {
        if matches!(self.phase, Phase::Outgoing(_)) {
            return self.send_held(context, now);
        }
        let Phase::Incoming(incoming) = &mut self.phase else { return };
        let transaction = incoming.transaction;
        let Some(pending) = incoming.reliable.as_mut().and_then(|reliable| reliable.pending.as_mut()) else {
            return;
        };
        if now >= pending.end {
            // RFC 3262 §3: the INVITE is refused with a 5xx.
            self.refuse_invite(context, now, &StatusCode::SERVER_TIMEOUT.into());
            return self.end(context, EndCause::new(EndedBy::Timeout, None, "no PRACK came"));
        }
        pending.interval *= 2;
        let next = (now + pending.interval).min(pending.end);
        context.respond(now, transaction, pending.response.clone());
        context.deadlines.set(Timer::Reliable(self.id), next);
    }

    /// A PRACK, in order.
    pub(crate) fn handle_prack(
        &mut self,
        context: &mut Context,
        now: Instant,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let body = body_of(&request.body).filter(|_| !is_foreign_body(&request));
        let Phase::Incoming(incoming) = &mut self.phase else {
            return self.late_prack(context, now, transaction, &request);
        };
        let pending = match &mut incoming.reliable {
            Some(reliable) if reliable.is_for(&request) => reliable.pending.take(),
            _ => None,
        };
        let (Some(pending), Some(Ok(CSeq { seq, .. }))) = (pending, request.headers.get::<CSeq>()) else {
            return context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
        };
        context.deadlines.stop(Timer::Reliable(self.id));
        if !request.body.is_empty() && body.is_none() {
            let mut response = context.response(&request, StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
            response.headers.push(&Accept([ContentType::SDP].into()));
            context.respond(now, transaction, response);
            return self.go_on(context, now);
        }
        if let Some(reliable) = &mut incoming.reliable
            && reliable.described == Described::Sent
        {
            reliable.described = Described::Settled;
        }
        let free = incoming.is_settled() && incoming.offers.is_idle();
        let remote = RemoteOffer { transaction, request, source, seq };
        if body.is_some() && !pending.offers && free {
            // An offer (RFC 3262 §5): the 200 to the PRACK has the answer.
            incoming.offers.remote = Some(Box::new(remote));
            self.tell(context, Event::Offer { call: self.id, body });
            return;
        }
        // An answer, nothing, or an offer that must not be made before ours has its answer, which is passed over.
        self.accept_remote(context, now, None, remote, None);
        if pending.offers {
            self.tell(context, Event::Answer { call: self.id, body });
        }
        self.go_on(context, now);
    }

    /// After the 2xx nobody repeats a provisional response, but its PRACK may come (RFC 3262 §3), and behind the ACK too
    /// if it was lost at first.
    fn late_prack(
        &mut self,
        context: &mut Context,
        now: Instant,
        transaction: TransactionId,
        request: &Request,
    ) {
        let Phase::Up(session) = &mut self.phase else {
            return context.refuse(now, transaction, request, StatusCode::CALL_DOES_NOT_EXIST);
        };
        let known = session.late_prack.take_if(|rack| names(request, rack));
        let status = if known.is_some() { StatusCode::OK } else { StatusCode::CALL_DOES_NOT_EXIST };
        context.refuse(now, transaction, request, status);
    }

    /// What waited for a PRACK, or for the answer to an offer in one, goes: the next provisional response, or the 2xx.
    pub(super) fn go_on(&mut self, context: &mut Context, now: Instant) {
        self.send_next_reliable(context, now);
        let Phase::Incoming(incoming) = &mut self.phase else { return };
        if incoming.offers.remote.is_some() {
            return;
        }
        let Some(reliable) = &mut incoming.reliable else { return };
        if !reliable.holds_2xx()
            && let Some(answer) = reliable.answer.take()
        {
            // The phase was looked at above, so there is nothing to go wrong.
            let _ = self.accept(context, now, answer);
            return;
        }
        self.settle(context);
    }
}
