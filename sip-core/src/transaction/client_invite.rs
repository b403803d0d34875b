//! The INVITE client transaction: RFC 3261 §17.1.1 as RFC 6026 §8.4 changed it, with CANCEL (RFC 3261 §9.1).

use super::layer::Context;
use super::{Timer, TransactionFailure};
use crate::header::{CSeq, HeaderName, Via};
use crate::transport::Source;
use crate::{Headers, Message, Method, Request, Response};
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;

pub(crate) struct ClientInvite {
    state: State,
    /// As it was sent; what its ACK and CANCEL repeat is read from it when one is needed.
    request: Arc<[u8]>,
}

enum State {
    Calling {
        /// Timer A and its interval; none on a reliable transport.
        repeat: Option<(Instant, Duration)>,
        /// Timer B.
        give_up: Instant,
        /// The user wants to cancel, with these headers, and no provisional response has come.
        cancel: Option<Box<Headers>>,
    },
    Proceeding {
        /// 64·T1 after the CANCEL.
        cancelled: Option<Instant>,
    },
    /// After a 2xx, until timer M.
    Accepted {
        end: Instant,
    },
    /// After another final response, until timer D.
    Completed {
        ack: Option<Arc<[u8]>>,
        end: Instant,
    },
    Terminated,
}

impl ClientInvite {
    /// The request has been sent, just now.
    pub(crate) fn new(request: Arc<[u8]>, context: &Context<'_>) -> Self {
        Self { state: State::calling(None, context), request }
    }

    /// Nothing has come back, and the request now goes over another transport, as `request`.
    pub(crate) fn restart(&mut self, request: Arc<[u8]>, context: &mut Context<'_>) {
        let State::Calling { cancel, .. } = &mut self.state else { return };
        let cancel = cancel.take();
        self.state = State::calling(cancel, context);
        self.request = request;
        if let Err(error) = context.send(&self.request) {
            self.fail(TransactionFailure::Transport(error), context);
        }
    }

    /// Whether nothing has come back yet.
    pub(crate) const fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    /// Whether the final response has not come yet.
    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding { .. })
    }

    /// A response; the CANCEL that waited for it, when it is the first provisional one.
    pub(crate) fn handle_response(
        &mut self,
        response: Response,
        source: Source,
        context: &mut Context<'_>,
    ) -> Option<Request> {
        let status = response.status;
        match &mut self.state {
            State::Calling { .. } | State::Proceeding { .. } if status.is_success() => {
                self.state = State::Accepted { end: context.now + context.duration(Timer::M) };
                context.response(response, source);
            }
            State::Calling { .. } | State::Proceeding { .. } if status.is_final() => {
                self.complete(&response, context);
                context.response(response, source);
            }
            State::Calling { cancel, .. } => {
                let wanted = cancel.take();
                let deadline = context.now + context.duration(Timer::Cancelled);
                self.state = State::Proceeding { cancelled: wanted.is_some().then_some(deadline) };
                context.response(response, source);
                return wanted.and_then(|further| self.cancel_request(&further, context));
            }
            State::Proceeding { .. } => context.response(response, source),
            // RFC 6026 §8.4: further 2xx are the user's, who acknowledges each.
            State::Accepted { .. } if status.is_success() => context.response(response, source),
            State::Completed { ack, .. } if status.is_final() && !status.is_success() => {
                let ack = ack.clone();
                context.repeated();
                // A lost ACK is sent again for the next repeat of the response.
                let _ = ack.map(|ack| context.send_again(&ack));
            }
            State::Accepted { .. } | State::Completed { .. } | State::Terminated => context.repeated(),
        }
        None
    }

    /// The user gives up the call, for what these headers say: the CANCEL to send now, `None` when it waits for a
    /// provisional response.
    ///
    /// # Errors
    /// The final response has come.
    pub(crate) fn cancel(
        &mut self,
        further: &Headers,
        context: &Context<'_>,
    ) -> Result<Option<Request>, Answered> {
        match &mut self.state {
            State::Calling { cancel, .. } => {
                cancel.get_or_insert_with(|| Box::new(further.clone()));
                Ok(None)
            }
            State::Proceeding { cancelled: Some(_) } => Ok(None),
            State::Proceeding { cancelled } => {
                *cancelled = Some(context.now + context.duration(Timer::Cancelled));
                Ok(self.cancel_request(further, context))
            }
            State::Accepted { .. } | State::Completed { .. } | State::Terminated => Err(Answered),
        }
    }

    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        match &mut self.state {
            State::Calling { give_up, .. } if *give_up <= now => {
                self.fail(TransactionFailure::Timeout, context);
            }
            State::Calling { repeat: Some((at, interval)), .. } if *at <= now => {
                *interval = interval.saturating_mul(2);
                *at = now + *interval;
                if let Err(error) = context.send_again(&self.request) {
                    self.fail(TransactionFailure::Transport(error), context);
                }
            }
            State::Proceeding { cancelled: Some(at) } if *at <= now => {
                self.fail(TransactionFailure::Timeout, context);
            }
            State::Accepted { end } | State::Completed { end, .. } if *end <= now => {
                self.state = State::Terminated;
            }
            _ => {}
        }
    }

    /// The transport failed (RFC 3261 §17.1.4); nothing changes when the final response has come.
    pub(crate) fn handle_failure(&mut self, cause: TransactionFailure, context: &mut Context<'_>) {
        if self.is_waiting() {
            self.fail(cause, context);
        }
    }

    pub(crate) fn next(&self) -> Option<(Instant, Timer)> {
        match &self.state {
            State::Calling { repeat, give_up, .. } => {
                repeat.map(|(at, _)| (at, Timer::A)).soonest(Some((*give_up, Timer::B)))
            }
            State::Proceeding { cancelled } => cancelled.map(|at| (at, Timer::Cancelled)),
            State::Accepted { end } => Some((*end, Timer::M)),
            State::Completed { end, .. } => Some((*end, Timer::D)),
            State::Terminated => None,
        }
    }

    pub(crate) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// A final response other than 2xx: acknowledged here, hop by hop.
    fn complete(&mut self, response: &Response, context: &mut Context<'_>) {
        let ack: Option<Arc<[u8]>> = self.ack(response, context).map(|ack| ack.to_bytes().into());
        // The response came, so the ACK's loss is no failure: the response will be repeated.
        let _ = ack.as_ref().map(|ack| context.send(ack));
        let wait = context.duration(Timer::D);
        self.state = if wait.is_zero() {
            State::Terminated
        } else {
            State::Completed { ack, end: context.now + wait }
        };
    }

    fn fail(&mut self, cause: TransactionFailure, context: &mut Context<'_>) {
        self.state = State::Terminated;
        context.failed(cause);
    }

    /// RFC 3261 §17.1.1.3: the INVITE's head, but To as in the response, which has the tag.
    fn ack(&self, response: &Response, context: &Context<'_>) -> Option<Request> {
        let mut ack = self.repeat_head(Method::ACK, context)?;
        ack.headers.remove(&HeaderName::TO);
        ack.headers.copy_all(&HeaderName::TO, &response.headers);
        Some(ack)
    }

    /// RFC 3261 §9.1: the INVITE's head as it is, and what is said beside it (RFC 3326).
    fn cancel_request(&self, further: &Headers, context: &Context<'_>) -> Option<Request> {
        let mut cancel = self.repeat_head(Method::CANCEL, context)?;
        for (name, value) in further.iter() {
            // It was in headers before, so it has no line ends.
            let _ = cancel.headers.push_raw(name, value);
        }
        Some(cancel)
    }

    /// The start line and the headers that ACK and CANCEL repeat, one Via: the top one, ours. We wrote the request, so
    /// it can be read.
    fn repeat_head(&self, method: Method, context: &Context<'_>) -> Option<Request> {
        let bytes = Bytes::copy_from_slice(&self.request);
        let Ok(Message::Request(invite)) = Message::parse_with(bytes, &context.own_options()) else {
            return None;
        };
        let via: Via = invite.headers.require().ok()?;
        let cseq: CSeq = invite.headers.require().ok()?;
        let mut head = Request::new(method.clone(), invite.uri);
        head.headers.push(&via);
        for name in [
            HeaderName::ROUTE,
            HeaderName::MAX_FORWARDS,
            HeaderName::FROM,
            HeaderName::TO,
            HeaderName::CALL_ID,
        ] {
            head.headers.copy_all(&name, &invite.headers);
        }
        head.headers.push(&CSeq { seq: cseq.seq, method });
        Some(head)
    }
}

impl State {
    fn calling(cancel: Option<Box<Headers>>, context: &Context<'_>) -> Self {
        let interval = context.duration(Timer::A);
        Self::Calling {
            repeat: (!interval.is_zero()).then_some((context.now + interval, interval)),
            give_up: context.now + context.duration(Timer::B),
            cancel,
        }
    }
}

/// The final response has come.
#[derive(Debug)]
pub(crate) struct Answered;
