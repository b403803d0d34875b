//! The server transaction of every method but INVITE: RFC 3261 §17.2.2 with RFC 4320.

use super::layer::Context;
use super::trying::Trying;
use super::{Timer, TransactionFailure};
use crate::endpoint::SendError;
use crate::transport::Source;
use crate::{Response, StatusCode};
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;

pub(crate) struct Server {
    state: State,
}

enum State {
    /// No final response yet: "trying", and "proceeding" once a 100 was sent.
    Waiting {
        /// The 100 that goes out by itself (RFC 4320 §4.1); none once one went.
        trying: Option<Box<Trying>>,
        last: Option<Arc<[u8]>>,
        /// The client's timer F has certainly run out.
        give_up: Instant,
    },
    /// After the final response, until timer J.
    Completed {
        response: Arc<[u8]>,
        end: Instant,
    },
    Terminated,
}

impl Server {
    /// The request has come, just now.
    pub(crate) fn new(request: Bytes, source: Source, context: &Context<'_>) -> Self {
        let give_up = context.now + context.duration(Timer::Unanswered);
        let trying = Some(Box::new(Trying::new(request, source, Timer::LateTrying, context)));
        Self { state: State::Waiting { trying, last: None, give_up } }
    }

    /// The request came again.
    pub(crate) fn handle_repeat(&mut self, context: &mut Context<'_>) {
        context.repeated();
        let again = match &self.state {
            State::Waiting { last, .. } => last.clone(),
            State::Completed { response, .. } => Some(Arc::clone(response)),
            State::Terminated => None,
        };
        if let Some(Err(error)) = again.map(|response| context.send_again(&response)) {
            self.handle_failure(TransactionFailure::Transport(error), context);
        }
    }

    /// Sends the user's response. A 408 ends the transaction and is not sent: it would come too late by
    /// definition (RFC 4320 §4.2). A 100 over an unreliable transport goes out when the client's timer E has grown to
    /// T2, not before (§4.1).
    ///
    /// # Errors
    /// The final response was sent already; it is a provisional response other than 100 (RFC 4320 §4.1); or the
    /// transport failed, which also ends the transaction.
    pub(crate) fn respond(
        &mut self,
        response: &Response,
        context: &mut Context<'_>,
    ) -> Result<(), SendError> {
        let State::Waiting { trying, last, .. } = &mut self.state else { return Err(SendError::Final) };
        let status = response.status;
        if status.is_provisional() && status != StatusCode::TRYING {
            return Err(SendError::Provisional);
        }
        if status == StatusCode::TRYING && trying.is_some() && !context.is_reliable() {
            return Ok(());
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            self.state = State::Terminated;
            return Ok(());
        }
        let bytes: Arc<[u8]> = response.to_bytes().into();
        let sent = context.send(&bytes);
        let wait = context.duration(Timer::J);
        if status.is_provisional() {
            (*trying, *last) = (None, Some(bytes));
        } else if wait.is_zero() && sent.is_ok() {
            self.state = State::Terminated;
        } else {
            self.state = State::Completed { response: bytes, end: context.now + wait };
        }
        sent.map_err(|error| {
            self.handle_failure(TransactionFailure::Transport(error), context);
            SendError::Flow(error)
        })
    }

    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        match &mut self.state {
            State::Waiting { give_up: end, .. } | State::Completed { end, .. } if *end <= now => {
                self.state = State::Terminated;
            }
            State::Waiting { trying, last, .. } => {
                let due = trying.take_if(|trying| trying.at <= now);
                if let Some(bytes) = due.and_then(|trying| trying.into_response(context)) {
                    *last = Some(Arc::clone(&bytes));
                    if let Err(error) = context.send(&bytes) {
                        self.handle_failure(TransactionFailure::Transport(error), context);
                    }
                }
            }
            _ => {}
        }
    }

    /// A response cannot be sent (RFC 3261 §17.2.4).
    pub(crate) fn handle_failure(&mut self, cause: TransactionFailure, context: &mut Context<'_>) {
        if !self.is_terminated() {
            self.state = State::Terminated;
            context.failed(cause);
        }
    }

    pub(crate) fn next(&self) -> Option<(Instant, Timer)> {
        match &self.state {
            State::Waiting { trying, give_up, .. } => {
                let trying = trying.as_ref().map(|trying| (trying.at, Timer::LateTrying));
                trying.soonest(Some((*give_up, Timer::Unanswered)))
            }
            State::Completed { end, .. } => Some((*end, Timer::J)),
            State::Terminated => None,
        }
    }

    pub(crate) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
