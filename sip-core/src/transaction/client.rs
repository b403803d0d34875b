//! The client transaction of every method but INVITE: RFC 3261 §17.1.2.

use super::layer::Context;
use super::{Timer, TransactionFailure};
use crate::Response;
use crate::transport::Source;
use alloc::sync::Arc;
use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;

pub(crate) struct Client {
    state: State,
    request: Arc<[u8]>,
}

enum State {
    /// No final response yet: "trying", and "proceeding" once a provisional one came.
    Waiting {
        /// Timer E and its interval; none on a reliable transport.
        repeat: Option<(Instant, Duration)>,
        /// Timer F.
        give_up: Instant,
        proceeding: bool,
    },
    /// After the final response, until timer K.
    Completed {
        end: Instant,
    },
    Terminated,
}

impl Client {
    /// The request has been sent, just now.
    pub(crate) fn new(request: Arc<[u8]>, context: &Context<'_>) -> Self {
        Self { state: State::waiting(context), request }
    }

    /// Nothing has come back, and the request now goes over another transport, as `request`.
    pub(crate) fn restart(&mut self, request: Arc<[u8]>, context: &mut Context<'_>) {
        if !self.is_unanswered() {
            return;
        }
        self.state = State::waiting(context);
        self.request = request;
        if let Err(error) = context.send(&self.request) {
            self.fail(TransactionFailure::Transport(error), context);
        }
    }

    /// Whether nothing has come back yet.
    pub(crate) const fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Waiting { proceeding: false, .. })
    }

    /// Whether the final response has not come yet.
    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    pub(crate) fn handle_response(&mut self, response: Response, source: Source, context: &mut Context<'_>) {
        match &mut self.state {
            State::Waiting { .. } if response.status.is_final() => {
                let wait = context.duration(Timer::K);
                self.state = if wait.is_zero() {
                    State::Terminated
                } else {
                    State::Completed { end: context.now + wait }
                };
                context.response(response, source);
            }
            State::Waiting { proceeding, .. } => {
                *proceeding = true;
                context.response(response, source);
            }
            State::Completed { .. } | State::Terminated => context.repeated(),
        }
    }

    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        match &mut self.state {
            State::Waiting { give_up, .. } if *give_up <= now => {
                self.fail(TransactionFailure::Timeout, context);
            }
            State::Waiting { repeat: Some((at, interval)), proceeding, .. } if *at <= now => {
                // "Proceeding" repeats every T2; "trying" doubles up to it.
                *interval =
                    if *proceeding { context.timers.t2 } else { context.timers.next_interval(*interval) };
                *at = now + *interval;
                if let Err(error) = context.send_again(&self.request) {
                    self.fail(TransactionFailure::Transport(error), context);
                }
            }
            State::Completed { end } if *end <= now => self.state = State::Terminated,
            _ => {}
        }
    }

    /// Nobody wants the final response any more. Whether it had not come yet.
    pub(crate) fn abandon(&mut self) -> bool {
        let waits = self.is_waiting();
        if waits {
            self.state = State::Terminated;
        }
        waits
    }

    /// The transport failed (RFC 3261 §17.1.4); nothing changes when the final response has come.
    pub(crate) fn handle_failure(&mut self, cause: TransactionFailure, context: &mut Context<'_>) {
        if self.is_waiting() {
            self.fail(cause, context);
        }
    }

    pub(crate) fn next(&self) -> Option<(Instant, Timer)> {
        match &self.state {
            State::Waiting { repeat, give_up, .. } => {
                repeat.map(|(at, _)| (at, Timer::E)).soonest(Some((*give_up, Timer::F)))
            }
            State::Completed { end } => Some((*end, Timer::K)),
            State::Terminated => None,
        }
    }

    pub(crate) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn fail(&mut self, cause: TransactionFailure, context: &mut Context<'_>) {
        self.state = State::Terminated;
        context.failed(cause);
    }
}

impl State {
    fn waiting(context: &Context<'_>) -> Self {
        let interval = context.duration(Timer::E);
        Self::Waiting {
            repeat: (!interval.is_zero()).then_some((context.now + interval, interval)),
            give_up: context.now + context.duration(Timer::F),
            proceeding: false,
        }
    }
}
