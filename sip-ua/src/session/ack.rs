//! 2xx and ACK: the server repeats the one until the other comes (RFC 3261 §13.3.1.4), the client sends the other
//! for every one (§13.2.2.4).

use super::{Bye, Session, body_of};
use crate::call::{Call, Phase};
use crate::context::{Context, Timer};
use crate::dialog::{Dialog, Routed};
use crate::event::{EndCause, EndedBy, Event};
use alloc::boxed::Box;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CSeq, ContentType, HeaderName, To};
use sidetone_sip_core::{Limits, Message, Method, Request, Response, StatusCode, TransactionId, Uri};

/// A 2xx of ours that waits for its ACK.
pub(super) struct Unacked {
    transaction: TransactionId,
    response: Response,
    pub(super) seq: u32,
    interval: Duration,
    /// The 2xx carries an offer, so the ACK carries the answer.
    pub(super) offered: bool,
}

/// An ACK of ours, to be sent again. A call may last for days and most ACKs arrive, so of one that says nothing that the
/// dialog does not know the number is enough.
pub(super) struct SentAck {
    seq: u32,
    whole: Option<Box<WholeAck>>,
}

/// An ACK with an answer or with credentials.
struct WholeAck {
    ack: Box<[u8]>,
    hop: Option<Uri>,
}

impl SentAck {
    fn routed(&self, dialog: &Dialog) -> Option<Routed> {
        let Some(whole) = &self.whole else { return Some(dialog.ack(self.seq)) };
        // We wrote it, so it can be read.
        match Message::parse(Bytes::copy_from_slice(&whole.ack), &Limits::default()) {
            Ok(Message::Request(request)) => Some(Routed { request, hop: whole.hop.clone() }),
            _ => None,
        }
    }
}

/// What the ACK to a 2xx repeats of its INVITE (RFC 3261 §22.1).
const CREDENTIALS: [HeaderName; 2] = [HeaderName::AUTHORIZATION, HeaderName::PROXY_AUTHORIZATION];

/// ACKs of a call that are kept for repetition; older ones are not asked for any more.
const MAX_ACKS: usize = 8;

impl Call {
    /// Sends a 2xx and repeats it until the ACK comes.
    pub(super) fn send_2xx(
        &mut self,
        context: &mut Context,
        now: Instant,
        transaction: TransactionId,
        response: Response,
        seq: u32,
        offered: bool,
    ) {
        let Phase::Up(session) = &mut self.phase else { return };
        let interval = context.t1();
        context.respond(now, transaction, response.clone());
        session.unacked = Some(Box::new(Unacked { transaction, response, seq, interval, offered }));
        context.deadlines.set(Timer::Repeat2xx(self.id), now + interval);
        context.deadlines.set(Timer::NoAck(self.id), now + context.t1() * 64);
    }

    /// The 2xx's time has come again, whatever the transport: it may have been lost behind a proxy.
    pub(crate) fn repeat_2xx(&mut self, context: &mut Context, now: Instant) {
        let Phase::Up(session) = &mut self.phase else { return };
        let Some(unacked) = &mut session.unacked else { return };
        context.respond(now, unacked.transaction, unacked.response.clone());
        unacked.interval = (unacked.interval * 2).min(context.t2());
        context.deadlines.set(Timer::Repeat2xx(self.id), now + unacked.interval);
    }

    /// No ACK came in 64·T1: the session is taken down (RFC 3261 §13.3.1.4).
    pub(crate) fn no_ack(&mut self, context: &mut Context, now: Instant) {
        let Phase::Up(session) = &mut self.phase else { return };
        session.unacked = None;
        context.deadlines.stop(Timer::Repeat2xx(self.id));
        self.end(context, EndCause::new(EndedBy::Timeout, None, "no ACK came"));
        self.send_bye(context, now);
    }

    /// An ACK within the dialog.
    pub(crate) fn handle_ack(&mut self, context: &mut Context, now: Instant, ack: &Request) {
        let Some(Ok(cseq)) = ack.headers.get::<CSeq>() else { return };
        let Phase::Up(session) = &mut self.phase else { return };
        if session.unacked.as_ref().is_some_and(|unacked| unacked.seq == cseq.seq) {
            self.acknowledged(context, now, body_of(&ack.body));
        }
    }

    /// The 2xx has arrived, by an ACK or by what can only follow it.
    pub(super) fn acknowledged(&mut self, context: &mut Context, now: Instant, body: Option<Bytes>) {
        let Phase::Up(session) = &mut self.phase else { return };
        let Some(unacked) = session.unacked.take() else { return };
        context.deadlines.stop(Timer::Repeat2xx(self.id));
        context.deadlines.stop(Timer::NoAck(self.id));
        let first = !core::mem::replace(&mut session.confirmed, true);
        let bye_waits = session.bye == Bye::AfterAck;
        if first {
            self.tell(context, Event::Confirmed { call: self.id });
        }
        if unacked.offered {
            self.tell(context, Event::Answer { call: self.id, body });
        }
        if bye_waits {
            self.send_bye(context, now);
        }
        self.settle(context);
    }

    /// Acknowledges a 2xx within `session`, with our answer if the 2xx carried an offer.
    pub(super) fn acknowledge(
        &mut self,
        context: &mut Context,
        now: Instant,
        invite: &Request,
        answer: Option<Bytes>,
    ) {
        let Phase::Up(session) = &mut self.phase else { return };
        let ack = ack_to(&session.dialog, invite, answer);
        session.confirmed = true;
        session.remember(&ack, invite);
        context.send_ack(now, self.account, &ack, self.protocol);
    }

    /// A 2xx of the call's own dialog to an INVITE of ours came again: so does its ACK. Whether there was one.
    pub(super) fn repeat_ack(&self, context: &mut Context, now: Instant, tag: &str, seq: u32) -> bool {
        let Phase::Up(session) = &self.phase else { return false };
        let sent = session.acks.iter().rfind(|sent| sent.seq == seq && session.dialog.remote_tag() == tag);
        let Some(ack) = sent.and_then(|sent| sent.routed(&session.dialog)) else { return false };
        context.send_ack(now, self.account, &ack, self.protocol);
        true
    }

    /// A response that no transaction knows: a 2xx that took longer than timer M is acknowledged all the same.
    pub(crate) fn handle_stray(&mut self, context: &mut Context, now: Instant, response: &Response) {
        let (Some(Ok(cseq)), Some(Ok(to))) = (response.headers.get::<CSeq>(), response.headers.get::<To>())
        else {
            return;
        };
        if response.status.is_success() && cseq.method == Method::INVITE {
            self.repeat_ack(context, now, to.tag().unwrap_or_default(), cseq.seq);
        }
    }
}

impl Session {
    /// Keeps the ACK to a 2xx of this dialog.
    fn remember(&mut self, ack: &Routed, invite: &Request) {
        let Some(Ok(cseq)) = invite.headers.get::<CSeq>() else { return };
        let has_credentials = CREDENTIALS.iter().any(|name| ack.request.headers.contains(name));
        let whole = (has_credentials || !ack.request.body.is_empty())
            .then(|| Box::new(WholeAck { ack: ack.request.to_bytes().into(), hop: ack.hop.clone() }));
        if self.acks.len() >= MAX_ACKS {
            self.acks.remove(0);
        }
        // One is what most calls ever have.
        self.acks.reserve_exact(1);
        self.acks.push(SentAck { seq: cseq.seq, whole });
    }
}

/// The ACK to a 2xx to `invite`: its number, its credentials (RFC 3261 §13.2.2.4, §22.1).
pub(super) fn ack_to(dialog: &Dialog, invite: &Request, answer: Option<Bytes>) -> Routed {
    let seq = invite.headers.get::<CSeq>().and_then(Result::ok).map_or(0, |cseq| cseq.seq);
    let mut ack = dialog.ack(seq);
    for name in CREDENTIALS {
        ack.request.headers.copy_all(&name, &invite.headers);
    }
    if let Some(answer) = answer {
        ack.request.set_body(&ContentType::SDP, answer);
    }
    ack
}

/// How a status of ours ends a call.
pub(super) fn by_us(status: StatusCode) -> EndCause {
    EndCause::status(EndedBy::Local, status)
}
