//! The INVITE server transaction: RFC 3261 §17.2.1 as RFC 6026 §8.5 changed it.

use super::layer::Context;
use super::trying::Trying;
use super::{Timer, TransactionFailure};
use crate::endpoint::SendError;
use crate::header::HeaderName;
use crate::transport::Source;
use crate::{Response, StatusCode};
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;

pub(crate) struct ServerInvite {
    state: State,
    /// The To value of the latest response, whose tag a CANCEL's response repeats (RFC 3261 §9.2).
    to: Option<Box<[u8]>>,
}

enum State {
    Proceeding {
        /// The 100 that goes out by itself; none once the user answered or it went.
        trying: Option<Box<Trying>>,
        /// The latest provisional response.
        last: Option<Arc<[u8]>>,
    },
    /// After a 2xx, which the user repeats, until timer L.
    Accepted {
        end: Instant,
    },
    /// After another final response, until the ACK.
    Completed {
        response: Arc<[u8]>,
        /// Timer G and its interval; none on a reliable transport.
        repeat: Option<(Instant, Duration)>,
        /// Timer H.
        give_up: Instant,
    },
    /// After the ACK, until timer I.
    Confirmed {
        end: Instant,
    },
    Terminated,
}

/// What an ACK that matches the transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckVerdict {
    /// For this hop.
    Absorbed,
    /// For the user: it follows a 2xx (RFC 6026 §8.5).
    Pass,
}

impl ServerInvite {
    /// The request has come, just now.
    pub(crate) fn new(request: Bytes, source: Source, context: &Context<'_>) -> Self {
        let trying = Trying::new(request, source, Timer::Trying, context);
        Self { state: State::Proceeding { trying: Some(Box::new(trying)), last: None }, to: None }
    }

    /// The INVITE came again.
    pub(crate) fn handle_repeat(&mut self, context: &mut Context<'_>) {
        context.repeated();
        let again = match &self.state {
            State::Proceeding { last, .. } => last.clone(),
            State::Completed { response, .. } => Some(Arc::clone(response)),
            State::Accepted { .. } | State::Confirmed { .. } | State::Terminated => None,
        };
        if let Some(Err(error)) = again.map(|response| context.send_again(&response)) {
            self.handle_failure(TransactionFailure::Transport(error), context);
        }
    }

    pub(crate) fn handle_ack(&mut self, context: &mut Context<'_>) -> AckVerdict {
        match &self.state {
            State::Completed { .. } => {
                let wait = context.duration(Timer::I);
                self.state = if wait.is_zero() {
                    State::Terminated
                } else {
                    State::Confirmed { end: context.now + wait }
                };
                AckVerdict::Absorbed
            }
            State::Accepted { .. } => AckVerdict::Pass,
            State::Proceeding { .. } | State::Confirmed { .. } | State::Terminated => {
                context.repeated();
                AckVerdict::Absorbed
            }
        }
    }

    /// Sends the user's response.
    ///
    /// # Errors
    /// A final response was sent already, and this is not a further 2xx after a 2xx; or the transport failed,
    /// which also ends the transaction.
    pub(crate) fn respond(
        &mut self,
        response: &Response,
        context: &mut Context<'_>,
    ) -> Result<(), SendError> {
        let status = response.status;
        match &self.state {
            State::Proceeding { .. } => {}
            State::Accepted { .. } if status.is_success() => {}
            _ => return Err(SendError::Final),
        }
        let bytes: Arc<[u8]> = response.to_bytes().into();
        let sent = context.send(&bytes);
        if status != StatusCode::TRYING {
            let to = response.headers.raw(&HeaderName::TO);
            if self.to.as_deref() != to {
                self.to = to.map(Box::from);
            }
        }
        let interval = context.duration(Timer::G);
        match &mut self.state {
            State::Proceeding { trying, last } if status.is_provisional() => {
                (*trying, *last) = (None, Some(bytes))
            }
            State::Proceeding { .. } if status.is_success() => {
                self.state = State::Accepted { end: context.now + context.duration(Timer::L) };
            }
            State::Proceeding { .. } => {
                self.state = State::Completed {
                    response: bytes,
                    repeat: (!interval.is_zero()).then_some((context.now + interval, interval)),
                    give_up: context.now + context.duration(Timer::H),
                };
            }
            _ => {}
        }
        sent.map_err(|error| {
            self.handle_failure(TransactionFailure::Transport(error), context);
            SendError::Flow(error)
        })
    }

    /// Whether a CANCEL still has something to cancel (RFC 3261 §9.2).
    pub(crate) const fn is_pending(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// The To value of the latest response.
    pub(crate) fn to(&self) -> Option<&[u8]> {
        self.to.as_deref()
    }

    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        match &mut self.state {
            State::Proceeding { trying, last } => {
                let due = trying.take_if(|trying| trying.at <= now);
                if let Some(bytes) = due.and_then(|trying| trying.into_response(context)) {
                    *last = Some(Arc::clone(&bytes));
                    if let Err(error) = context.send(&bytes) {
                        self.handle_failure(TransactionFailure::Transport(error), context);
                    }
                }
            }
            State::Completed { give_up, .. } if *give_up <= now => {
                self.state = State::Terminated;
                context.failed(TransactionFailure::Timeout);
            }
            State::Completed { repeat: Some((at, interval)), response, .. } if *at <= now => {
                *interval = context.timers.next_interval(*interval);
                *at = now + *interval;
                let response = Arc::clone(response);
                if let Err(error) = context.send_again(&response) {
                    self.handle_failure(TransactionFailure::Transport(error), context);
                }
            }
            State::Accepted { end } | State::Confirmed { end } if *end <= now => {
                self.state = State::Terminated;
            }
            _ => {}
        }
    }

    /// A response cannot be sent (RFC 3261 §17.2.4).
    pub(crate) fn handle_failure(&mut self, cause: TransactionFailure, context: &mut Context<'_>) {
        if matches!(self.state, State::Proceeding { .. } | State::Completed { .. } | State::Accepted { .. }) {
            self.state = State::Terminated;
            context.failed(cause);
        }
    }

    pub(crate) fn next(&self) -> Option<(Instant, Timer)> {
        match &self.state {
            State::Proceeding { trying, .. } => trying.as_ref().map(|trying| (trying.at, Timer::Trying)),
            State::Accepted { end } => Some((*end, Timer::L)),
            State::Completed { repeat, give_up, .. } => {
                repeat.map(|(at, _)| (at, Timer::G)).soonest(Some((*give_up, Timer::H)))
            }
            State::Confirmed { end } => Some((*end, Timer::I)),
            State::Terminated => None,
        }
    }

    pub(crate) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
