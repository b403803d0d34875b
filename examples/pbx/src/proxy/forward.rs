//! Requests on their way out and responses on their way back (RFC 3261 §16.6, §16.7, §16.10).

use super::Proxy;
use super::context::{Context, Step};
use super::inspect::{self, Parties, Refusal};
use crate::event::PbxEvent;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{RecordRoute, Via};
use sidetone_sip_core::{
    FlowError, Method, NameAddr, Request, Response, SendError, Source, StatusCode, Target,
    TransactionFailure, TransactionId, Uri,
};

impl Proxy {
    /// Forwards a request that may open a dialog, to all targets at once.
    #[expect(clippy::too_many_arguments, reason = "the parts of one request, each needed once")]
    pub(super) fn forward(
        &mut self,
        now: Instant,
        server: TransactionId,
        request: &mut Request,
        parties: &Parties,
        source: &Source,
        (caller, callee): (&str, &str),
        targets: Vec<(Uri, Target)>,
    ) -> Result<(), Refusal> {
        self.check_room()?;
        self.authenticator.strip(request);
        inspect::count_hop(request);
        let mut context = Context::new(now, server, request.clone());
        for (uri, target) in targets {
            let mut copy = request.clone();
            copy.uri = uri;
            if matches!(copy.method, Method::INVITE | Method::SUBSCRIBE | Method::REFER) {
                self.record_route(&mut copy, parties, &source.target(), &target);
            }
            if let Ok(client) = self.send(now, copy, &target) {
                context.add_branch(client);
            }
        }
        let branches = context.clients().len();
        if branches == 0 {
            return Err(StatusCode::TEMPORARILY_UNAVAILABLE.into());
        }
        if context.is_invite() {
            self.tell(PbxEvent::CallStarted {
                call_id: parties.call_id.clone(),
                from: caller.into(),
                to: callee.into(),
                branches,
            });
        }
        self.insert(context);
        Ok(())
    }

    /// Forwards a request of a dialog to the end that did not send it.
    pub(super) fn forward_in_dialog(
        &mut self,
        now: Instant,
        server: TransactionId,
        request: &mut Request,
        target: Target,
    ) -> Result<(), Refusal> {
        self.check_room()?;
        let target = self.refresh(now, request, target);
        inspect::count_hop(request);
        let mut context = Context::new(now, server, request.clone());
        context.in_dialog = true;
        inspect::make_strict(request);
        let client = self.send(now, request.clone(), &target);
        context.add_branch(client.map_err(|_| StatusCode::CALL_DOES_NOT_EXIST)?);
        self.insert(context);
        Ok(())
    }

    /// An ACK to a 2xx is forwarded without a transaction (RFC 3261 §16.6); one that cannot be is dropped.
    pub(super) fn on_ack(&mut self, now: Instant, mut request: Request, source: &Source) {
        let Ok(parties) = Parties::of(&request) else { return };
        if inspect::check_max_forwards(&request).is_err() || self.check_loop(&request).is_err() {
            return;
        }
        let Some(target) = self.unroute(&mut request, &parties, source) else { return };
        let target = self.refresh(now, &request, target);
        inspect::count_hop(&mut request);
        inspect::make_strict(&mut request);
        self.remember_name(&target);
        if self.endpoint.send_ack(now, request.clone(), &target).is_err()
            && let Some(other) = contact_target(&request, &target)
        {
            // The sender repeats the 2xx when the ACK does not arrive; there is nobody to tell.
            let _ = self.endpoint.send_ack(now, request, &other);
        }
    }

    pub(super) fn on_response(&mut self, now: Instant, client: TransactionId, mut response: Response) {
        let Some(id) = self.by_client.get(&client).copied() else { return };
        response.headers.remove_first::<Via>();
        if response.headers.get::<Via>().is_none() {
            return;
        }
        self.with_context(now, id, |context| context.on_response(now, client, response));
    }

    pub(super) fn on_failed(&mut self, now: Instant, client: TransactionId, cause: TransactionFailure) {
        let Some(id) = self.by_client.get(&client).copied() else { return };
        let status = match cause {
            TransactionFailure::Timeout => StatusCode::REQUEST_TIMEOUT,
            // To the caller it is one phone that is not reached, not a server that fails.
            _ => StatusCode::TEMPORARILY_UNAVAILABLE,
        };
        self.with_context(now, id, |context| context.on_failure(client, status));
    }

    /// Lets a context act, does what it asks for, and forgets it when it is over.
    pub(super) fn with_context(
        &mut self,
        now: Instant,
        id: u64,
        act: impl FnOnce(&mut Context) -> Vec<Step>,
    ) {
        let Some(mut context) = self.contexts.remove(&id) else { return };
        self.deadlines.remove(&(context.deadline, id));
        for step in act(&mut context) {
            match step {
                Step::Forward(response) => {
                    self.tell_progress(&mut context, response.status);
                    // It fails only when the caller's transaction is over.
                    let _ = self.endpoint.respond(now, context.server, response);
                }
                Step::Answer(status) => {
                    self.tell_progress(&mut context, status);
                    let tag = self.tag();
                    let response = context.request.response(status, Some(&tag));
                    self.respond(now, context.server, response);
                }
                // It fails only when the branch has ended, which is what was wanted.
                Step::Cancel(client) => {
                    let _ = self.endpoint.cancel(now, client);
                }
            }
        }
        if context.is_over() {
            self.by_server.remove(&context.server);
        } else {
            self.deadlines.insert((context.deadline, id));
            self.contexts.insert(id, context);
        }
    }

    fn insert(&mut self, context: Context) {
        let id = self.next_context;
        self.next_context += 1;
        self.by_server.insert(context.server, id);
        self.by_client.extend(context.clients().map(|client| (client, id)));
        self.deadlines.insert((context.deadline, id));
        self.contexts.insert(id, context);
    }

    fn check_room(&self) -> Result<(), Refusal> {
        if self.contexts.len() >= self.config.max_contexts {
            return Err(StatusCode::SERVICE_UNAVAILABLE.into());
        }
        Ok(())
    }

    /// Reports what the final response to an INVITE or BYE means for the call.
    fn tell_progress(&mut self, context: &mut Context, status: StatusCode) {
        if !status.is_final() || context.told {
            return;
        }
        context.told = true;
        let opens = context.is_invite() && !context.in_dialog;
        let hangs_up = context.request.method == Method::BYE && !status.is_challenge();
        let Ok(parties) = Parties::of(&context.request) else { return };
        let call_id = parties.call_id;
        if opens && status.is_success() {
            self.tell(PbxEvent::CallAnswered { call_id });
        } else if opens {
            self.tell(PbxEvent::CallEnded { call_id, status: Some(status) });
        } else if hangs_up {
            self.tell(PbxEvent::CallEnded { call_id, status: None });
        }
    }

    /// Sends by the target's flow; when that is gone, by the address in the Request-URI.
    fn send(&mut self, now: Instant, request: Request, target: &Target) -> Result<TransactionId, SendError> {
        self.remember_name(target);
        match self.endpoint.request(now, request.clone(), target) {
            Err(SendError::Flow(FlowError::Unknown)) => {
                let other = contact_target(&request, target).ok_or(SendError::Flow(FlowError::Unknown))?;
                self.remember_name(&other);
                self.endpoint.request(now, request, &other)
            }
            outcome => outcome,
        }
    }

    /// The newest way to a device that registered again since the dialog began (a new connection, a new NAT binding).
    fn refresh(&self, now: Instant, request: &Request, target: Target) -> Target {
        let Some(user) = request.uri.user().filter(|_| !inspect::has_route(request)) else { return target };
        let bindings = self.location.bindings(now, &user);
        let binding = bindings.iter().find(|binding| binding.contact == request.uri);
        binding.map_or(target, |binding| binding.target())
    }

    /// Puts our address on the dialog's path, once for each side when they differ (RFC 3261 §16.6 step 4, RFC 5658).
    fn record_route(&mut self, request: &mut Request, parties: &Parties, caller: &Target, callee: &Target) {
        let ticket = self.tickets.issue(&parties.call_id, &parties.from_tag, caller, callee);
        let towards = |target: &Target| {
            let local = self.endpoint.local_address(target.protocol, Some(target.address))?;
            Some((target.protocol, local))
        };
        let (near, far) = (towards(caller), towards(callee));
        for (protocol, local) in near.iter().chain(far.iter().filter(|far| near.as_ref() != Some(*far))) {
            if let Some(route) = route_uri(&ticket, *protocol, *local) {
                request.headers.push_front(&RecordRoute(NameAddr::new(route)));
            }
        }
    }

    fn remember_name(&mut self, target: &Target) {
        let local = self.endpoint.local_address(target.protocol, Some(target.address));
        self.named.extend(local);
    }
}

fn route_uri(ticket: &str, protocol: Protocol, local: SocketAddr) -> Option<Uri> {
    let mut uri = Uri::sip(Some(ticket), &local.ip().to_string(), Some(local.port())).ok()?;
    // RFC 7118 §5.3 has one name for WebSocket, secure or not.
    let named = if protocol == Protocol::Wss { Protocol::Ws } else { protocol };
    if named != Protocol::Udp {
        uri.set_param("transport", Some(&named.as_str().to_ascii_lowercase()));
    }
    uri.set_param("lr", None);
    Some(uri)
}

/// Where the Request-URI itself says that its device is, if it is a number.
fn contact_target(request: &Request, tried: &Target) -> Option<Target> {
    let protocol = request.uri.transport().unwrap_or(Protocol::Udp);
    let address = SocketAddr::new(request.uri.host()?.ip()?, request.uri.port().unwrap_or(5060));
    (protocol != tried.protocol || address != tried.address || tried.flow.is_some())
        .then_some(Target::new(protocol, address))
}
