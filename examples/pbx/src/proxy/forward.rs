//! Requests on their way out and responses on their way back (RFC 3261 §16.6, §16.7, §16.10).

use super::Proxy;
use super::context::{Context, Step};
use super::inspect::{self, Parties, Refusal};
use super::journey::{Journey, MAX_BRANCHES};
use crate::dialogs::DialogEnd;
use crate::event::PbxEvent;
use crate::features::is_target;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{From, PAssertedIdentity, RecordRoute, ReferredBy, SessionExpires, To, Via};
use sidetone_sip_core::{
    FlowError, Method, NameAddr, Request, Response, SendError, Source, StatusCode, Target,
    TransactionFailure, TransactionId, Uri,
};
use std::collections::VecDeque;

/// An INVITE of an account that opens a dialog.
pub(super) struct NewInvite<'a> {
    pub(super) server: TransactionId,
    pub(super) request: &'a mut Request,
    pub(super) parties: &'a Parties,
    pub(super) source: &'a Source,
    pub(super) caller: &'a str,
}

impl Proxy {
    /// Forwards an INVITE that opens a dialog to whom it is for, wherever that leads.
    pub(super) fn forward_call(
        &mut self,
        now: Instant,
        invite: NewInvite<'_>,
        callee: String,
    ) -> Result<(), Refusal> {
        let to = callee.clone();
        self.open(now, invite, callee, |proxy, id, context, journey| {
            proxy.arrive(now, id, context, journey, to)
        })
    }

    /// Forwards an INVITE to one telephone of `callee`, and nowhere else.
    pub(super) fn forward_direct(
        &mut self,
        now: Instant,
        invite: NewInvite<'_>,
        callee: &str,
        telephone: (Uri, Target),
    ) -> Result<(), Refusal> {
        self.open(now, invite, callee.into(), |proxy, id, context, journey| {
            proxy.ring_one(now, id, context, journey, callee, telephone)
        })
    }

    fn open(
        &mut self,
        now: Instant,
        invite: NewInvite<'_>,
        callee: String,
        begin: impl FnOnce(&mut Self, u64, &mut Context, &mut Journey) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let NewInvite { server, request, parties, source, caller } = invite;
        self.check_room()?;
        self.authenticator.strip(request);
        inspect::strip_identities(request);
        self.name_guest(request, caller);
        inspect::count_hop(request);
        let mut context = Context::new(now, server, request.clone());
        context.picks = self.picks(request, caller, source);
        let mut journey = Journey::new(caller, parties, source, request.uri.is_sips());
        if let Some(Ok(ReferredBy(referrer))) = request.headers.get::<ReferredBy>() {
            let user = referrer.uri.user().filter(|_| self.is_ours(&referrer.uri));
            journey.referrer = user.map(|user| user.into_owned()).filter(|user| is_target(user));
        }
        let id = self.next_context;
        self.next_context += 1;
        self.dialogs.begin(now, &journey.call(id));
        if let Err(refusal) = begin(self, id, &mut context, &mut journey) {
            let cause = DialogEnd::Rejected(refusal.status().code());
            self.dialogs.fail(&parties.call_id, &parties.from_tag, cause);
            return Err(refusal);
        }
        context.journey = Some(Box::new(journey));
        self.tell(PbxEvent::CallStarted {
            call_id: parties.call_id.clone(),
            from: caller.into(),
            to: callee,
            branches: context.clients().len(),
        });
        self.insert(id, context);
        Ok(())
    }

    /// Says who calls, where that is the guest of whom From names (RFC 3325 §5).
    fn name_guest(&self, request: &mut Request, caller: &str) {
        let Some(desk) = self.features.get(caller).desk else { return };
        if let Some(Ok(from)) = request.headers.get::<From>()
            && from.uri.user().as_deref() == Some(&*desk)
        {
            let mut address = from.uri.address_of_record();
            address.set_user(Some(caller));
            request.headers.push(&PAssertedIdentity(NameAddr::new(address)));
        }
    }

    /// Forwards another request that may open a dialog, to all targets at once.
    pub(super) fn forward(
        &mut self,
        now: Instant,
        server: TransactionId,
        request: &mut Request,
        parties: &Parties,
        source: &Source,
        targets: Vec<(Uri, Target)>,
    ) -> Result<(), Refusal> {
        self.check_room()?;
        self.authenticator.strip(request);
        inspect::strip_identities(request);
        inspect::count_hop(request);
        let mut context = Context::new(now, server, request.clone());
        for (uri, target) in targets {
            let mut copy = request.clone();
            copy.uri = uri;
            if matches!(copy.method, Method::INVITE | Method::SUBSCRIBE | Method::REFER) {
                let names = (&*parties.call_id, &*parties.from_tag);
                self.record_route(&mut copy, names, &source.target(), &target);
            }
            if let Ok(client) = self.send(now, copy, &target) {
                context.add_branch(client, None);
            }
        }
        if context.clients().len() == 0 {
            return Err(StatusCode::TEMPORARILY_UNAVAILABLE.into());
        }
        let id = self.next_context;
        self.next_context += 1;
        self.insert(id, context);
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
        context.add_branch(client.map_err(|_| StatusCode::CALL_DOES_NOT_EXIST)?, None);
        let id = self.next_context;
        self.next_context += 1;
        self.insert(id, context);
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
            && let Some(other) = contact_target(&request.uri, Some(&target))
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
        self.deadlines.remove(&(context.due(), id));
        let mut steps: VecDeque<Step> = act(&mut context).into();
        while let Some(step) = steps.pop_front() {
            match step {
                Step::Forward(response, _)
                    if response.status == StatusCode::CALL_DOES_NOT_EXIST
                        && self.pick_otherwise(now, &mut context) =>
                {
                    steps.push_front(Step::Answer(StatusCode::REQUEST_TERMINATED));
                }
                Step::Forward(response, user) => {
                    self.watch(now, id, &mut context, &response, user.as_deref());
                    self.tell_progress(&mut context, response.status);
                    // It fails only when the caller's transaction is over.
                    let _ = self.endpoint.respond(now, context.server, response);
                }
                Step::Answer(status) => {
                    self.tell_progress(&mut context, status);
                    let tag = self.tag();
                    let response = context.request.response(status, Some(&tag));
                    self.watch(now, id, &mut context, &response, None);
                    self.respond(now, context.server, response);
                }
                // It fails only when the branch has ended, which is what was wanted.
                Step::Cancel(client, why) => {
                    let _ = self.endpoint.cancel_with(now, client, &why);
                }
                Step::Left(user, status) => {
                    if let Some(journey) = &context.journey {
                        let cause = DialogEnd::Rejected(status.code());
                        self.dialogs.leave(&journey.call_id, &journey.from_tag, &user, cause);
                    }
                }
                Step::Exhausted(ended) => {
                    if !self.go_on(now, id, &mut context, ended) {
                        steps.extend(context.give_up(now));
                    }
                }
            }
        }
        if context.is_over() {
            self.by_server.remove(&context.server);
        } else {
            self.deadlines.insert((context.due(), id));
            self.contexts.insert(id, context);
        }
    }

    /// What a response that goes upstream says of the dialogs.
    fn watch(
        &mut self,
        now: Instant,
        id: u64,
        context: &mut Context,
        response: &Response,
        user: Option<&str>,
    ) {
        let tag = response.headers.get::<To>().and_then(Result::ok);
        let tag = tag.as_ref().and_then(|to| to.tag());
        let status = response.status;
        let interval = response.headers.get::<SessionExpires>().and_then(Result::ok);
        let interval = interval.map(|session| Duration::from_secs(u64::from(session.seconds)));
        if let Some(journey) = &mut context.journey {
            if let (2, Some(tag)) = (status.class(), tag) {
                // A 2xx comes again until its ACK does, also when its dialog is over already. Each branch has one, unless
                // the call forks again behind it; more of them than branches are not watched.
                let known = journey.answered.iter().any(|answered| answered == tag);
                if known || journey.answered.len() >= MAX_BRANCHES {
                    return;
                }
                journey.answered.push(tag.into());
            }
            let call = (&*journey.call_id, &*journey.from_tag);
            match (status.class(), user, tag) {
                (1, Some(user), Some(tag)) => self.dialogs.ring(call.0, call.1, user, tag),
                (2, Some(user), Some(tag)) => {
                    if journey.answered.len() > 1 {
                        self.dialogs.answer_again(now, &journey.call(id), user, tag, interval);
                        return;
                    }
                    // The call may have gone on to somebody else meanwhile.
                    if !context.told {
                        self.dialogs.offer(now, &journey.call(id), user);
                    }
                    self.dialogs.answer(now, call, user, tag, interval);
                    self.answered_on_line(now, journey, &context.request, response, (user, tag));
                }
                (1 | 2, ..) => {}
                _ => {
                    let given_up = status == StatusCode::REQUEST_TERMINATED;
                    let rejected = DialogEnd::Rejected(status.code());
                    let cause = if given_up { DialogEnd::Cancelled } else { rejected };
                    self.dialogs.fail(call.0, call.1, cause);
                }
            }
            return;
        }
        let Ok(parties) = Parties::of(&context.request) else { return };
        let (Some(to_tag), true) = (&parties.to_tag, context.in_dialog && status.is_final()) else { return };
        let tags = (&*parties.from_tag, &**to_tag);
        let method = &context.request.method;
        if *method == Method::BYE && !status.is_challenge() {
            self.dialogs.hang_up(&parties.call_id, tags);
        } else if status.is_success() {
            let session = matches!(*method, Method::INVITE | Method::UPDATE);
            self.dialogs.refresh(now, &parties.call_id, tags, interval.filter(|_| session));
            self.offered_on_line(&parties, &context.request);
        }
    }

    fn insert(&mut self, id: u64, context: Context) {
        self.by_server.insert(context.server, id);
        self.by_client.extend(context.clients().map(|client| (client, id)));
        self.deadlines.insert((context.due(), id));
        self.contexts.insert(id, context);
    }

    pub(super) fn check_room(&self) -> Result<(), Refusal> {
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
    pub(super) fn send(
        &mut self,
        now: Instant,
        request: Request,
        target: &Target,
    ) -> Result<TransactionId, SendError> {
        self.remember_name(target);
        match self.endpoint.request(now, request.clone(), target) {
            Err(SendError::Flow(FlowError::Unknown)) => {
                let other =
                    contact_target(&request.uri, Some(target)).ok_or(SendError::Flow(FlowError::Unknown))?;
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
    pub(super) fn record_route(
        &mut self,
        request: &mut Request,
        (call_id, from_tag): (&str, &str),
        caller: &Target,
        callee: &Target,
    ) {
        let ticket = self.tickets.issue(call_id, from_tag, caller, callee);
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

/// Where a device's URI itself says that it is, if that is a number; none when that was tried.
pub(super) fn contact_target(uri: &Uri, tried: Option<&Target>) -> Option<Target> {
    let protocol = uri.transport().unwrap_or(Protocol::Udp);
    let address = SocketAddr::new(uri.host()?.ip()?, uri.port().unwrap_or(5060));
    let same =
        |tried: &Target| protocol == tried.protocol && address == tried.address && tried.flow.is_none();
    (!tried.is_some_and(same)).then_some(Target::new(protocol, address))
}
