//! The INVITE client transaction: RFC 3261 §17.1.1 as RFC 6026 §8.4 changed it, with CANCEL (RFC 3261 §9.1).

use super::layer::Context;
use super::{Timer, TransactionFailure};
use crate::header::{CSeq, HeaderName};
use crate::transport::Source;
use crate::{Headers, Method, Request, Response};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;

pub(crate) struct ClientInvite {
    state: State,
    request: Arc<[u8]>,
    /// The request with no more than what its ACK and CANCEL repeat.
    head: Box<Request>,
}

enum State {
    Calling {
        /// Timer A and its interval; none on a reliable transport.
        repeat: Option<(Instant, Duration)>,
        /// Timer B.
        give_up: Instant,
        /// The user wants to cancel, and no provisional response has come.
        cancel: bool,
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
        ack: Arc<[u8]>,
        end: Instant,
    },
    Terminated,
}

impl ClientInvite {
    /// The request has been sent, just now.
    pub(crate) fn new(request: &Request, bytes: Arc<[u8]>, context: &Context<'_>) -> Self {
        let interval = context.duration(Timer::A);
        Self {
            state: State::Calling {
                repeat: (!interval.is_zero()).then_some((context.now + interval, interval)),
                give_up: context.now + context.duration(Timer::B),
                cancel: false,
            },
            request: bytes,
            head: Box::new(head_of(request)),
        }
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
                let wanted = *cancel;
                let deadline = context.now + context.duration(Timer::Cancelled);
                self.state = State::Proceeding { cancelled: wanted.then_some(deadline) };
                context.response(response, source);
                return wanted.then(|| self.cancel_request());
            }
            State::Proceeding { .. } => context.response(response, source),
            // RFC 6026 §8.4: further 2xx are the user's, who acknowledges each.
            State::Accepted { .. } if status.is_success() => context.response(response, source),
            State::Completed { ack, .. } if status.is_final() && !status.is_success() => {
                let ack = Arc::clone(ack);
                context.repeated();
                // A lost ACK is sent again for the next repeat of the response.
                let _ = context.send(&ack);
            }
            State::Accepted { .. } | State::Completed { .. } | State::Terminated => context.repeated(),
        }
        None
    }

    /// The user gives up the call: the CANCEL to send now, `None` when it waits for a provisional response.
    ///
    /// # Errors
    /// The final response has come.
    pub(crate) fn cancel(&mut self, context: &Context<'_>) -> Result<Option<Request>, Answered> {
        match &mut self.state {
            State::Calling { cancel, .. } => {
                *cancel = true;
                Ok(None)
            }
            State::Proceeding { cancelled: Some(_) } => Ok(None),
            State::Proceeding { cancelled } => {
                *cancelled = Some(context.now + context.duration(Timer::Cancelled));
                Ok(Some(self.cancel_request()))
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
                if let Err(error) = context.send(&self.request) {
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
        if matches!(self.state, State::Calling { .. } | State::Proceeding { .. }) {
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
        let ack: Arc<[u8]> = self.ack(response).to_bytes().into();
        // The response came, so the ACK's loss is no failure: the response will be repeated.
        let _ = context.send(&ack);
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
    fn ack(&self, response: &Response) -> Request {
        let mut ack = with_method(&self.head, Method::ACK);
        ack.headers.remove(&HeaderName::TO);
        ack.headers.copy_all(&HeaderName::TO, &response.headers);
        ack
    }

    /// RFC 3261 §9.1: the INVITE's head as it is.
    fn cancel_request(&self) -> Request {
        with_method(&self.head, Method::CANCEL)
    }
}

/// The final response has come.
#[derive(Debug)]
pub(crate) struct Answered;

/// The start line and the headers that ACK and CANCEL repeat, one Via: the top one, ours.
fn head_of(request: &Request) -> Request {
    let mut head = Request::new(request.method.clone(), request.uri.clone());
    if let Some(Ok(via)) = request.headers.get::<crate::header::Via>() {
        head.headers.push(&via);
    }
    let repeated = [
        HeaderName::ROUTE,
        HeaderName::MAX_FORWARDS,
        HeaderName::FROM,
        HeaderName::TO,
        HeaderName::CALL_ID,
        HeaderName::CSEQ,
    ];
    for name in repeated {
        head.headers.copy_all(&name, &request.headers);
    }
    head
}

fn with_method(head: &Request, method: Method) -> Request {
    let mut headers: Headers = head.headers.clone();
    if let Some(Ok(cseq)) = headers.get::<CSeq>() {
        headers.set(&CSeq { seq: cseq.seq, method: method.clone() });
    }
    let mut request = Request::new(method, head.uri.clone());
    request.headers = headers;
    request
}
