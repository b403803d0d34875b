//! Requests that are neither a call's nor a subscription's: MESSAGE, PUBLISH, OPTIONS and whatever else the user sends or
//! takes, outside of dialogs and within calls.

use crate::agent::Agent;
use crate::context::Timer;
use crate::dialog::{LocalTag, Routed, call_id_header};
use crate::error::CommandError;
use crate::event::{AccountId, CallId, Event};
use crate::exchange::{Failure, Owner};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use bytes::Bytes;
use hashbrown::HashMap;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{Accept, CSeq, ContentType, From, HeaderName, To};
use sidetone_sip_core::{
    Headers, Method, NameAddr, Request, Response, Source, StatusCode, TransactionId, Uri,
};

crate::id::identifiers! {
    /// Names a request that was sent by [`Agent::request`]. Not used twice.
    RequestId(u64) = "request";
    /// Names a request of the other side that waits for [`Agent::respond`]. Not used twice.
    IncomingId(u64) = "incoming request";
}

/// A request to send. From, To, Call-ID, CSeq, Via, routes and credentials are the agent's.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutgoingRequest {
    /// Any but INVITE, ACK, CANCEL, PRACK, BYE, UPDATE, REGISTER, SUBSCRIBE and REFER, which have their own commands.
    pub method: Method,
    /// Further headers: `Event`, `SIP-If-Match` and so on.
    pub headers: Headers,
    /// The body and its type.
    pub body: Option<(ContentType, Bytes)>,
}

impl OutgoingRequest {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method) -> Self {
        Self { method, headers: Headers::new(), body: None }
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, kind: ContentType, body: impl Into<Bytes>) -> Self {
        self.body = Some((kind, body.into()));
        self
    }

    /// The same with further headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }
}

/// Methods that are part of a machine of the agent, so nobody else sends them.
const RESERVED: [Method; 9] = [
    Method::INVITE,
    Method::ACK,
    Method::CANCEL,
    Method::PRACK,
    Method::BYE,
    Method::UPDATE,
    Method::REGISTER,
    Method::SUBSCRIBE,
    Method::REFER,
];

/// Requests of both directions that have no final response yet.
#[derive(Default)]
pub(crate) struct Requests {
    last: u64,
    /// Ours, and the call that each is within.
    sent: BTreeMap<RequestId, Option<CallId>>,
    received: BTreeMap<IncomingId, Received>,
    by_transaction: HashMap<TransactionId, IncomingId>,
}

struct Received {
    transaction: TransactionId,
    request: Request,
}

impl Requests {
    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// The call that a request of ours is within.
    pub(crate) fn call_of(&self, id: RequestId) -> Option<CallId> {
        self.sent.get(&id).copied().flatten()
    }
}

impl Agent {
    /// Sends a request outside of any dialog. [`Event::Response`] follows, once.
    ///
    /// # Errors
    /// [`CommandError::Method`] for methods that have their own commands, [`CommandError::NoSuchAccount`],
    /// [`CommandError::NotSip`], [`CommandError::QueueFull`] when
    /// [`AgentConfig::max_requests`](crate::AgentConfig::max_requests) wait for their responses.
    pub fn request(
        &mut self,
        now: Instant,
        account: AccountId,
        to: &Uri,
        request: OutgoingRequest,
    ) -> Result<RequestId, CommandError> {
        let id = self.next_request(&request)?;
        let owner = self.context.accounts.get(&account).ok_or(CommandError::NoSuchAccount)?;
        if !to.is_sip() {
            return Err(CommandError::NotSip);
        }
        let protocol = owner.protocol();
        // A Contact would make a MESSAGE look as if it began a dialog (RFC 3428 §4).
        let contact = ![Method::MESSAGE, Method::PUBLISH].contains(&request.method);
        let routed = self.outside(account, to, request)?;
        self.requests.sent.insert(id, None);
        self.context.start(now, Owner::Request(id), Some(account), routed, protocol, contact);
        self.pump(now);
        Ok(id)
    }

    /// Sends a request within an established call. [`Event::Response`] follows, once.
    ///
    /// # Errors
    /// [`CommandError::Method`], [`CommandError::NoSuchCall`], [`CommandError::WrongState`], [`CommandError::QueueFull`].
    pub fn request_in_call(
        &mut self,
        now: Instant,
        call: CallId,
        request: OutgoingRequest,
    ) -> Result<RequestId, CommandError> {
        let id = self.next_request(&request)?;
        let calls = self.calls.get_mut(call).ok_or(CommandError::NoSuchCall)?;
        let (account, protocol) = (calls.account, calls.protocol);
        let mut routed = calls.session()?.dialog.request(request.method.clone());
        fill(&mut routed.request, request);
        self.requests.sent.insert(id, Some(call));
        self.context.start(now, Owner::Request(id), account, routed, protocol, false);
        self.pump(now);
        Ok(id)
    }

    /// Answers [`Event::Request`] for good, with a status of 200 to 699, further headers and a body.
    ///
    /// # Errors
    /// [`CommandError::NoSuchRequest`] when it was answered or is too old, [`CommandError::Status`] below 200.
    pub fn respond(
        &mut self,
        now: Instant,
        id: IncomingId,
        status: StatusCode,
        headers: &Headers,
        body: Option<(ContentType, Bytes)>,
    ) -> Result<(), CommandError> {
        if !status.is_final() {
            return Err(CommandError::Status(status.code()));
        }
        let received = self.take_received(id).ok_or(CommandError::NoSuchRequest)?;
        let mut response = self.context.response(&received.request, status, None);
        append(&mut response.headers, headers);
        let unknown = status == StatusCode::UNSUPPORTED_MEDIA_TYPE && received.request.method == Method::INFO;
        if unknown && !response.headers.contains(&HeaderName::ACCEPT) {
            response.headers.push(&Accept(crate::info::understood_types()));
        }
        if let Some((kind, body)) = body {
            response.set_body(&kind, body);
        }
        self.context.respond(now, received.transaction, response);
        self.pump(now);
        Ok(())
    }

    /// A request of the other side is given to the user, if it takes such ones.
    pub(crate) fn deliver(
        &mut self,
        now: Instant,
        call: Option<CallId>,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let Some(id) = self.keep_received(now, transaction, &request) else { return };
        let account = match call {
            Some(call) => self.calls.get(call).and_then(|call| call.account),
            None => self.called_account(&request),
        };
        let incoming = crate::event::IncomingRequest { request, source };
        self.context.events.push_back(Event::Request { id, account, call, incoming: Box::new(incoming) });
    }

    /// A request waits for the user's answer; one too many is refused.
    pub(crate) fn keep_received(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Request,
    ) -> Option<IncomingId> {
        if self.requests.received.len() >= self.context.config.max_requests {
            self.context.refuse(now, transaction, request, StatusCode::SERVICE_UNAVAILABLE);
            return None;
        }
        self.requests.last += 1;
        let id = IncomingId(self.requests.last);
        self.context.deadlines.set(Timer::Unanswered(id), now + self.context.patience());
        self.requests.by_transaction.insert(transaction, id);
        self.requests.received.insert(id, Received { transaction, request: request.clone() });
        Some(id)
    }

    /// The user did not answer in the time that the other side waits.
    pub(crate) fn leave_unanswered(&mut self, now: Instant, id: IncomingId) {
        if let Some(received) = self.take_received(id) {
            let status = StatusCode::SERVER_INTERNAL_ERROR;
            self.context.refuse(now, received.transaction, &received.request, status);
        }
    }

    /// The way back to the sender is gone, or the transaction is over.
    pub(crate) fn forget_received(&mut self, transaction: TransactionId) {
        if let Some(&id) = self.requests.by_transaction.get(&transaction) {
            self.take_received(id);
        }
    }

    fn take_received(&mut self, id: IncomingId) -> Option<Received> {
        let received = self.requests.received.remove(&id)?;
        self.requests.by_transaction.remove(&received.transaction);
        self.context.deadlines.stop(Timer::Unanswered(id));
        Some(received)
    }

    pub(crate) fn handle_request_outcome(
        &mut self,
        id: RequestId,
        result: Result<(Response, Source), Failure>,
    ) {
        let (status, response) = match result {
            Ok((response, _)) if response.status.is_provisional() => return,
            Ok((response, _)) => (response.status, Some(Box::new(response))),
            Err(failure) => (failure.status(), None),
        };
        if self.requests.sent.remove(&id).is_some() {
            self.context.events.push_back(Event::Response { request: id, status, response });
        }
    }

    fn next_request(&mut self, request: &OutgoingRequest) -> Result<RequestId, CommandError> {
        if RESERVED.contains(&request.method) {
            return Err(CommandError::Method);
        }
        let most = self.context.config.max_requests;
        if self.requests.sent.len() >= most {
            return Err(CommandError::QueueFull(most));
        }
        self.requests.last += 1;
        Ok(RequestId(self.requests.last))
    }

    /// A request outside of any dialog, of an account.
    pub(crate) fn outside(
        &mut self,
        account: AccountId,
        to: &Uri,
        content: OutgoingRequest,
    ) -> Result<Routed, CommandError> {
        let call_id = self.context.token();
        let tag = LocalTag::random(&mut self.context.rng);
        let seq = 1 + self.context.rng.below(1 << 16);
        self.outside_as(account, to, content, &call_id, tag, seq)
    }

    /// The same with identifiers of the caller's, who wants to find the dialog that it begins.
    pub(crate) fn outside_as(
        &self,
        account: AccountId,
        to: &Uri,
        content: OutgoingRequest,
        call_id: &str,
        tag: LocalTag,
        seq: u32,
    ) -> Result<Routed, CommandError> {
        let account = self.context.accounts.get(&account).ok_or(CommandError::NoSuchAccount)?;
        let mut request = Request::new(content.method.clone(), to.to_request_uri());
        request.headers.push(&From(account.address().with_tag(&tag.to_string())));
        request.headers.push(&To(NameAddr::from(to.to_request_uri())));
        request.headers.push(&call_id_header(call_id));
        request.headers.push(&CSeq::new(seq, content.method.clone()));
        fill(&mut request, content);
        Ok(Routed { request, hop: None })
    }
}

/// Puts what the user wants to say into a request.
pub(crate) fn fill(request: &mut Request, content: OutgoingRequest) {
    append(&mut request.headers, &content.headers);
    if let Some((kind, body)) = content.body {
        request.set_body(&kind, body);
    }
}

/// Adds further headers.
pub(crate) fn append(headers: &mut Headers, further: &Headers) {
    for (name, value) in further.iter() {
        // It was in headers before, so it has no line ends.
        let _ = headers.push_raw(name, value);
    }
}
