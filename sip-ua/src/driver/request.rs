//! Requests beside calls and subscriptions: MESSAGE, PUBLISH, NOTIFY without subscription and so on.

use super::call::CallHandle;
use super::command::Command;
use super::features::{Dropped, work, work_now};
use super::{Account, Error, IntoUri};
use crate::event::IncomingRequest;
use crate::{AccountId, CallId, IncomingId, OutgoingRequest};
use bytes::Bytes;
use core::time::Duration;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Headers, Method, Request, Response, Source, StatusCode};
use std::boxed::Box;
use std::string::String;
use tokio::sync::mpsc;

/// A request that waits for our answer. Dropping it answers 501, an INFO 415.
#[derive(Debug)]
pub struct ReceivedRequest {
    id: IncomingId,
    account: Option<AccountId>,
    call: Option<CallId>,
    incoming: Box<IncomingRequest>,
    commands: mpsc::Sender<Command>,
    dropped: mpsc::UnboundedSender<Dropped>,
    answered: bool,
}

impl ReceivedRequest {
    pub(super) fn new(
        id: IncomingId,
        account: Option<AccountId>,
        call: Option<CallId>,
        incoming: Box<IncomingRequest>,
        commands: mpsc::Sender<Command>,
        dropped: mpsc::UnboundedSender<Dropped>,
    ) -> Self {
        Self { id, account, call, incoming, commands, dropped, answered: false }
    }

    /// What it says.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.incoming.request
    }

    /// Where it came from.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.incoming.source
    }

    /// The account that it came to, if one matches.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// The call that it is within.
    #[must_use]
    pub const fn call(&self) -> Option<CallId> {
        self.call
    }

    /// Answers with a bare status of 200 to 699.
    ///
    /// # Errors
    /// [`Error::Command`] when it is too old, [`Error::Closed`].
    pub async fn respond(self, status: StatusCode) -> Result<(), Error> {
        self.respond_with(status, Headers::new(), None).await
    }

    /// Answers with further headers and a body.
    ///
    /// # Errors
    /// As [`ReceivedRequest::respond`].
    pub async fn respond_with(
        mut self,
        status: StatusCode,
        headers: Headers,
        body: Option<(ContentType, Bytes)>,
    ) -> Result<(), Error> {
        self.answered = true;
        let id = self.id;
        let answer = work_now(&self.commands, move |task, now| {
            task.agent.respond(now, id, status, &headers, body).map_err(Error::from)
        });
        answer.await
    }
}

impl Drop for ReceivedRequest {
    fn drop(&mut self) {
        if !self.answered {
            // The method of an INFO is known; what it says was not (RFC 3261 §21.4.13).
            let status = match self.incoming.request.method {
                Method::INFO => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                _ => StatusCode::NOT_IMPLEMENTED,
            };
            // The task may have ended before.
            self.dropped.send(Dropped::Request(self.id, status)).ok();
        }
    }
}

/// How a request of ours has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestOutcome {
    /// The final status; 408 stands for silence, 503 for what could not be sent.
    pub status: StatusCode,
    /// The final response; `None` where none came.
    pub response: Option<Box<Response>>,
}

impl RequestOutcome {
    /// When the other side wants to be asked again at the earliest (Retry-After, RFC 3261 §20.33), counted from its answer.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.response.as_ref().and_then(|response| crate::back_off::retry_after(&response.headers))
    }

    fn taken(self) -> Result<Response, Error> {
        match self.response {
            Some(response) if self.status.is_success() => Ok(*response),
            _ => Err(Error::Refused(self.status)),
        }
    }
}

impl Account {
    /// Sends a request outside of any dialog and waits for its final response.
    ///
    /// # Errors
    /// [`Error::Refused`] for every status but 2xx (408 is silence, 503 what could not be sent), [`Error::Uri`],
    /// [`Error::Command`], [`Error::Closed`].
    pub async fn request(&self, to: impl IntoUri, request: OutgoingRequest) -> Result<Response, Error> {
        self.request_outcome(to, request).await.and_then(RequestOutcome::taken)
    }

    /// The same, for who wants to know more of a refusal than its status.
    ///
    /// # Errors
    /// [`Error::Uri`], [`Error::Command`], [`Error::Closed`]: it was not sent.
    pub async fn request_outcome(
        &self,
        to: impl IntoUri,
        request: OutgoingRequest,
    ) -> Result<RequestOutcome, Error> {
        let (account, to) = (self.id(), to.into_uri(self.aor())?);
        let sent = work(self.commands(), move |task, now, reply| {
            match task.agent.request(now, account, &to, request) {
                Ok(id) => drop(task.features.requests.insert(id, reply)),
                Err(error) => drop(reply.send(Err(error.into()))),
            }
        });
        sent.await
    }

    /// Sends a text (RFC 3428) and waits until the other side, or a server in its place, has taken it.
    ///
    /// # Errors
    /// As [`Account::request`].
    pub async fn message(&self, to: impl IntoUri, text: impl Into<String>) -> Result<(), Error> {
        self.message_outcome(to, text).await.and_then(RequestOutcome::taken).map(drop)
    }

    /// The same, for who wants to know more of a refusal than its status: when the text may be sent again.
    ///
    /// # Errors
    /// As [`Account::request_outcome`].
    pub async fn message_outcome(
        &self,
        to: impl IntoUri,
        text: impl Into<String>,
    ) -> Result<RequestOutcome, Error> {
        let kind = ContentType::from_static("text", "plain");
        let request = OutgoingRequest::new(Method::MESSAGE).with_body(kind, text.into().into_bytes());
        self.request_outcome(to, request).await
    }
}

impl CallHandle {
    /// Sends a request within the call and waits for its final response.
    ///
    /// # Errors
    /// As [`Account::request`].
    pub async fn request(&self, request: OutgoingRequest) -> Result<Response, Error> {
        let call = self.id();
        let sent = work(self.commands(), move |task, now, reply| {
            match task.agent.request_in_call(now, call, request) {
                Ok(id) => drop(task.features.requests.insert(id, reply)),
                Err(error) => drop(reply.send(Err(error.into()))),
            }
        });
        sent.await.and_then(RequestOutcome::taken)
    }
}
