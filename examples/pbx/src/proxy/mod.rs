//! The server as one machine without I/O: registrar (RFC 3261 §10) and transaction-stateful proxy (§16) over a
//! [`sidetone_sip_core::Endpoint`].

mod bridged;
mod context;
mod divert;
mod forward;
mod inspect;
mod journey;
mod pickup;
mod settings;
mod shared;

use crate::auth::{Authenticator, Verdict};
use crate::call_config::RingGroup;
use crate::config::ProxyConfig;
use crate::dialogs::{DialogTable, UserDialog};
use crate::event::PbxEvent;
use crate::features::{Code, MemoryFeatures, UserFeatures};
use crate::location::{LocationStore, MemoryStore};
use crate::registrar::{self, Change};
use crate::shared_lines::SharedLines;
use crate::ticket::TicketOffice;
use context::Context;
use forward::NewInvite;
use hashbrown::{HashMap, HashSet};
use inspect::{Parties, Refusal};
use sidetone_hal::net::{IpAddr, Protocol, SocketAddr, Transmit};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{Allow, ProxyRequire, Require, RetryAfter, Server, Unsupported};
use sidetone_sip_core::{
    AuthRole, Endpoint, Event, FlowRequest, Input, Method, Request, Secret, Source, StatusCode, Target,
    TransactionId, Uri,
};
use std::collections::{BTreeSet, VecDeque};

/// The registrar and proxy of one site.
///
/// Driven like every machine of ours: [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout),
/// then the `poll_*` calls until each has nothing more. [`crate::Pbx`] does that on tokio.
pub struct Proxy {
    endpoint: Endpoint,
    config: ProxyConfig,
    rng: Rng,
    authenticator: Authenticator,
    tickets: TicketOffice,
    location: Box<dyn LocationStore>,
    extensions: HashMap<String, Extension>,
    /// Who is told of users' states, with the packages and the lists' names.
    state_agent: Option<StateAgent>,
    lists: HashSet<String>,
    features: Box<dyn UserFeatures>,
    groups: HashMap<String, RingGroup>,
    /// Users who may take each other's calls, and each user's sets.
    pickup_groups: Vec<Vec<String>>,
    pickup_groups_of: HashMap<String, Vec<usize>>,
    dialogs: DialogTable,
    /// Changes of them that the owner has not taken.
    dialog_changes: VecDeque<UserDialog>,
    shared: SharedLines,
    /// Where we listen.
    listening: Vec<SocketAddr>,
    /// Addresses that we named in a Via or Record-Route.
    named: HashSet<SocketAddr>,
    contexts: HashMap<u64, Context>,
    next_context: u64,
    by_server: HashMap<TransactionId, u64>,
    by_client: HashMap<TransactionId, u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    events: VecDeque<PbxEvent>,
}

struct StateAgent {
    service: Extension,
    packages: HashSet<String>,
}

/// A service on this machine that is called by a number.
///
/// It is called at the address at which the caller reached this server, so that the address which the service puts
/// into its session description is one that the caller's sound reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The service's UDP ports, by the local address that they are bound to; the unspecified address stands for
    /// every one of its family.
    pub ports: Vec<(IpAddr, u16)>,
    /// Goes into the Request-URI as the parameter [`Extension::KEY`], so that the service can tell a call that
    /// passed this server from one that went around it.
    pub key: String,
}

impl Extension {
    /// The name of the Request-URI's parameter.
    pub const KEY: &'static str = "sidetone-key";
    /// The name of the parameter with the user of this server who transferred the call there, by its Referred-By
    /// (RFC 3892).
    pub const REFERRER: &'static str = "sidetone-referrer";

    fn target(&self, user: &str, local: IpAddr) -> Option<(Uri, Target)> {
        let serves =
            |bound: IpAddr| bound == local || bound.is_unspecified() && bound.is_ipv4() == local.is_ipv4();
        let (_, port) = self.ports.iter().find(|(bound, _)| serves(*bound))?;
        let mut uri = Uri::sip(Some(user), &local.to_string(), Some(*port)).ok()?;
        uri.set_param(Self::KEY, Some(&self.key));
        Some((uri, Target::new(Protocol::Udp, SocketAddr::new(local, *port))))
    }
}

pub(crate) use bridged::{LINES_USER, MEMBER, TELEPHONE};
pub use settings::{MAX_PICKUP_GROUPS, MAX_PICKUP_MEMBERS};

/// Events kept for an owner that does not take them; older ones give way.
const MAX_EVENTS: usize = 10_000;
/// What OPTIONS tells that the server itself understands.
const METHODS: [Method; 2] = [Method::REGISTER, Method::OPTIONS];

impl Proxy {
    /// A server without accounts, its bindings in memory.
    #[must_use]
    pub fn new(config: ProxyConfig) -> Self {
        Self::with_location(config, Box::new(MemoryStore::new()))
    }

    /// A server whose bindings are kept elsewhere.
    #[must_use]
    pub fn with_location(config: ProxyConfig, location: Box<dyn LocationStore>) -> Self {
        let mut rng = Rng::from_seed(config.endpoint.seed).fork();
        Self {
            endpoint: Endpoint::new(config.endpoint.clone()),
            authenticator: Authenticator::new(&config.realm, config.digest.clone(), &mut rng),
            tickets: TicketOffice::new(&mut rng),
            rng,
            dialogs: DialogTable::new(config.calls.longest_call),
            dialog_changes: VecDeque::new(),
            shared: SharedLines::default(),
            config,
            location,
            extensions: HashMap::new(),
            state_agent: None,
            lists: HashSet::new(),
            features: Box::new(MemoryFeatures::new()),
            groups: HashMap::new(),
            pickup_groups: Vec::new(),
            pickup_groups_of: HashMap::new(),
            listening: Vec::new(),
            named: HashSet::new(),
            contexts: HashMap::new(),
            next_context: 0,
            by_server: HashMap::new(),
            by_client: HashMap::new(),
            deadlines: BTreeSet::new(),
            events: VecDeque::new(),
        }
    }

    /// Adds an account or changes its password.
    pub fn add_account(&mut self, user: impl Into<String>, password: Secret) {
        self.authenticator.add_account(user.into(), password);
    }

    /// Sends requests for `user` to a service on this machine.
    pub fn add_extension(&mut self, user: impl Into<String>, extension: Extension) {
        self.extensions.insert(user.into(), extension);
    }

    /// Subscriptions to these packages go to a service on this machine, which tells the states of users, extensions and
    /// lists; all others go to the users' telephones.
    pub fn set_state_agent(&mut self, service: Extension, packages: &[&str]) {
        let packages = packages.iter().map(|package| String::from(*package)).collect();
        self.state_agent = Some(StateAgent { service, packages });
    }

    /// The name of a list that can be subscribed to at the state agent.
    pub fn add_list(&mut self, name: impl Into<String>) {
        self.lists.insert(name.into());
    }

    /// Says that a socket of [`endpoint_mut`](Self::endpoint_mut) is bound to this address, so that requests which
    /// name it, or its port on the host that they came to, are for this server.
    pub fn add_local(&mut self, local: SocketAddr) {
        self.listening.push(local);
    }

    /// The transaction layer, for its sockets, its counters and its tap.
    pub fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    /// The bindings.
    #[must_use]
    pub fn location(&self) -> &dyn LocationStore {
        &*self.location
    }

    /// How many requests are being proxied.
    #[must_use]
    pub fn context_count(&self) -> usize {
        self.contexts.len()
    }

    /// Takes what the network brought.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.endpoint.handle_input(now, input);
        self.work(now);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.with_context(now, id, |context| context.on_deadline(now));
        }
        self.dialogs.expire(now);
        self.shared.handle_timeout(now);
        while let Some((user, binding)) = self.location.expire(now) {
            self.tell(PbxEvent::Unregistered { user, contact: binding.contact, expired: true });
        }
        self.work(now);
    }

    /// Bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.endpoint.poll_transmit()
    }

    /// A connection to make or to close.
    pub fn poll_flow(&mut self) -> Option<FlowRequest> {
        self.endpoint.poll_flow()
    }

    /// A dialog of a user as it is since it changed; see [`Proxy::dialogs`].
    pub fn poll_dialog(&mut self) -> Option<UserDialog> {
        self.dialog_changes.pop_front()
    }

    /// Who calls whom now: what lamps show.
    #[must_use]
    pub const fn dialogs(&self) -> &DialogTable {
        &self.dialogs
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<PbxEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let endpoint = self.endpoint.poll_timeout().map(|(at, _)| at);
        let context = self.deadlines.first().map(|(at, _)| *at);
        let others = [self.location.next_expiry(), self.dialogs.next_expiry(), self.shared.poll_timeout()];
        [endpoint, context].into_iter().chain(others).flatten().min()
    }

    fn work(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Request { transaction, request, source } => {
                    self.on_request(now, transaction, request, &source);
                }
                Event::Ack { request, source } => self.on_ack(now, request, &source),
                Event::Response { transaction, response, .. } => self.on_response(now, transaction, response),
                Event::Cancelled { transaction, request } => {
                    if let Some(id) = self.by_server.get(&transaction).copied() {
                        self.with_context(now, id, |context| context.on_cancel(now, &request));
                    }
                }
                Event::Failed { transaction, cause } => self.on_failed(now, transaction, cause),
                Event::Terminated { transaction } => {
                    if let Some(id) = self.by_client.remove(&transaction) {
                        self.with_context(now, id, |context| context.on_terminated(transaction));
                    }
                }
                // A response without its transaction is not forwarded (RFC 6026 §7.2, §8.9).
                _ => {}
            }
        }
        self.pump_dialogs();
    }

    fn on_request(&mut self, now: Instant, server: TransactionId, mut request: Request, source: &Source) {
        if let Err(refusal) = self.serve(now, server, &mut request, source) {
            self.refuse(now, server, &request, source, refusal);
        }
    }

    /// Answers or forwards a request (RFC 3261 §16.3 to §16.6, §10.3).
    fn serve(
        &mut self,
        now: Instant,
        server: TransactionId,
        request: &mut Request,
        source: &Source,
    ) -> Result<(), Refusal> {
        let parties = Parties::of(request)?;
        inspect::check_scheme(request, source)?;
        inspect::check_max_forwards(request)?;
        self.check_loop(request)?;
        if let Some(Ok(required)) = request.headers.get::<ProxyRequire>() {
            return Err(Refusal::from(StatusCode::BAD_EXTENSION).with(&Unsupported(required.0)));
        }
        let ticket = self.unroute(request, &parties, source);
        if parties.to_tag.is_some() {
            let Some(target) = ticket else { return Err(StatusCode::CALL_DOES_NOT_EXIST.into()) };
            return self.forward_in_dialog(now, server, request, target);
        }
        if !self.is_local(&request.uri, source) || inspect::has_route(request) {
            return Err(Refusal::reason(StatusCode::FORBIDDEN, "Not A Domain Of This Server"));
        }
        if request.method == Method::REGISTER {
            return self.register(now, server, request, &parties, source);
        }
        let Some(callee) = request.uri.user().map(|user| user.into_owned()) else {
            return self.about_server(now, server, request);
        };
        let caller = self.authenticate_caller(now, request, &parties, source)?;
        if request.method == Method::INVITE {
            // Who calls from a telephone that a guest has is the guest.
            let caller = self.features.get(&caller).guest.unwrap_or(caller);
            let invite = NewInvite { server, request, parties: &parties, source, caller: &caller };
            return self.call(now, invite, callee);
        }
        if let Some(target) = self.telephone_target(now, request, &caller, &callee)? {
            return self.forward(now, server, request, &parties, source, vec![target]);
        }
        if let Some(target) = self.state_target(request, source, &callee)? {
            self.note_bridged(request, &caller, &callee);
            return self.forward(now, server, request, &parties, source, vec![target]);
        }
        let mut targets = self.targets(now, source, &callee)?;
        if request.uri.is_sips() && !self.extensions.contains_key(&callee) {
            // RFC 5630 §3.1: such a request goes over nothing but TLS, and only to who registered for it. The
            // extensions are on this machine.
            targets.retain(|(contact, target)| contact.is_sips() && target.protocol.is_secure());
            if targets.is_empty() {
                return Err(Refusal::reason(StatusCode::TEMPORARILY_UNAVAILABLE, "SIPS Not Allowed"));
            }
        }
        self.forward(now, server, request, &parties, source, targets)
    }

    /// A call: to somebody, or with a code that changes a setting or takes another call.
    fn call(&mut self, now: Instant, invite: NewInvite<'_>, callee: String) -> Result<(), Refusal> {
        let known = self.extensions.contains_key(&callee)
            || self.groups.contains_key(&callee)
            || self.authenticator.has_account(&callee);
        match self.config.calls.codes.find(&callee).filter(|_| !known) {
            Some(Code::Pickup(target)) => self.pick_up(now, invite, &target),
            Some(Code::GroupPickup) => self.pick_up_in_group(now, invite),
            Some(code) => {
                let confirmation = self.apply(invite.caller, code)?;
                self.forward_call(now, invite, confirmation)
            }
            None => self.forward_on_line(now, invite, callee),
        }
    }

    /// A request to the server itself, not to somebody it serves.
    fn about_server(
        &mut self,
        now: Instant,
        server: TransactionId,
        request: &Request,
    ) -> Result<(), Refusal> {
        if request.method != Method::OPTIONS {
            return Err(Refusal::from(StatusCode::METHOD_NOT_ALLOWED).with(&Allow(METHODS.to_vec())));
        }
        let tag = self.tag();
        let mut response = request.response(StatusCode::OK, Some(&tag));
        response.headers.push(&Allow(METHODS.to_vec()));
        self.respond(now, server, response);
        Ok(())
    }

    fn register(
        &mut self,
        now: Instant,
        server: TransactionId,
        request: &Request,
        parties: &Parties,
        source: &Source,
    ) -> Result<(), Refusal> {
        if let Some(Ok(required)) = request.headers.get::<Require>() {
            return Err(Refusal::from(StatusCode::BAD_EXTENSION).with(&Unsupported(required.0)));
        }
        let (user, info) = match self.authenticator.check_registration(now, request) {
            Verdict::Granted { user, info } => (user, info),
            Verdict::Challenge(challenges) => return Err(Refusal::challenge(challenges, false)),
            Verdict::Denied => return Err(StatusCode::FORBIDDEN.into()),
        };
        // The address of record is the To, and nobody registers for another (RFC 3261 §10.3 steps 4 and 5).
        if !self.is_local(&parties.to.uri, source) {
            return Err(StatusCode::NOT_FOUND.into());
        }
        if parties.to.uri.user().as_deref() != Some(&*user) {
            return Err(Refusal::reason(StatusCode::FORBIDDEN, "Not Your Account"));
        }
        let limits = &self.config.registrar;
        let (mut response, changes) =
            registrar::register(now, &mut *self.location, limits, &user, request, source);
        let tag = self.tag();
        inspect::set_to_tag(&mut response, &tag);
        let status = response.status;
        if let Some(info) = info.filter(|_| status.is_success()) {
            AuthRole::Server.set_info(&mut response.headers, info);
        }
        self.respond(now, server, response);
        if !status.is_success() {
            self.tell_refused(request, source, status);
        }
        for change in changes {
            let user = user.clone();
            self.tell(match change {
                Change::Bound { contact, expires } => {
                    PbxEvent::Registered { user, contact, remote: source.remote, expires }
                }
                Change::Unbound { contact } => PbxEvent::Unregistered { user, contact, expired: false },
            });
        }
        Ok(())
    }

    /// Who calls: an account that proved its password and that the From names (RFC 3261 §22.3).
    fn authenticate_caller(
        &mut self,
        now: Instant,
        request: &Request,
        parties: &Parties,
        source: &Source,
    ) -> Result<String, Refusal> {
        let user = match self.authenticator.check_caller(now, request) {
            Verdict::Granted { user, .. } => user,
            Verdict::Challenge(challenges) => return Err(Refusal::challenge(challenges, true)),
            Verdict::Denied => return Err(StatusCode::FORBIDDEN.into()),
        };
        // Who hides says who it is in P-Preferred-Identity alone, which goes no further (RFC 3325 §9.2).
        let preferred = inspect::preferred_identity(request);
        let from = preferred.as_ref().unwrap_or(&parties.from.uri);
        if from.user().as_deref() != Some(&*user) || !self.is_local(from, source) {
            return Err(Refusal::reason(StatusCode::FORBIDDEN, "From Is Not Your Account"));
        }
        Ok(user)
    }

    /// Where the callee is reached (RFC 3261 §16.5).
    fn targets(
        &mut self,
        now: Instant,
        source: &Source,
        callee: &str,
    ) -> Result<Vec<(Uri, Target)>, Refusal> {
        if let Some(extension) = self.extensions.get(callee).cloned() {
            return Ok(vec![self.on_this_machine(&extension, source, callee)?]);
        }
        let features = self.features.get(callee);
        let mut bindings = match features.guest {
            // Another has the user's telephones.
            Some(_) => Vec::new(),
            None => self.location.bindings(now, callee),
        };
        if let Some(desk) = features.desk {
            bindings.extend(self.location.bindings(now, &desk));
        }
        if bindings.is_empty() {
            let known = self.authenticator.has_account(callee);
            let status = if known { StatusCode::TEMPORARILY_UNAVAILABLE } else { StatusCode::NOT_FOUND };
            return Err(status.into());
        }
        bindings.sort_by_key(|binding| core::cmp::Reverse(binding.q));
        Ok(bindings.into_iter().map(|binding| (binding.contact.clone(), binding.target())).collect())
    }

    /// Where the state agent is called for a subscription of its packages.
    fn state_target(
        &mut self,
        request: &Request,
        source: &Source,
        callee: &str,
    ) -> Result<Option<(Uri, Target)>, Refusal> {
        let Some(agent) = self.state_agent.as_ref().filter(|_| request.method == Method::SUBSCRIBE) else {
            return Ok(None);
        };
        let package = request.headers.get::<sidetone_sip_core::header::Event>().and_then(Result::ok);
        if !package.is_some_and(|event| agent.packages.contains(event.package.as_str())) {
            return Ok(None);
        }
        let service = agent.service.clone();
        let known = self.authenticator.has_account(callee)
            || self.extensions.contains_key(callee)
            || self.groups.contains_key(callee)
            || self.lists.contains(callee);
        if !known {
            return Err(StatusCode::NOT_FOUND.into());
        }
        self.on_this_machine(&service, source, callee).map(Some)
    }

    fn on_this_machine(
        &mut self,
        service: &Extension,
        source: &Source,
        callee: &str,
    ) -> Result<(Uri, Target), Refusal> {
        let local = self.endpoint.local_address(source.protocol, Some(source.remote)).map(|local| local.ip());
        if let Some(local) = local {
            // This machine reaches itself from the address that is called.
            self.endpoint.set_route(local, local);
        }
        let target = local.and_then(|local| service.target(callee, local));
        Ok(target.ok_or(StatusCode::TEMPORARILY_UNAVAILABLE)?)
    }

    fn refuse(
        &mut self,
        now: Instant,
        server: TransactionId,
        request: &Request,
        source: &Source,
        refusal: Refusal,
    ) {
        // A challenge is the way in, not a refusal; a wrong answer to it is one.
        if !refusal.status().is_challenge() {
            self.tell_refused(request, source, refusal.status());
        }
        let tag = self.tag();
        let mut response = refusal.into_response(request, &tag);
        if response.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers.push(&RetryAfter::new(self.config.endpoint.retry_after));
        }
        self.respond(now, server, response);
    }

    fn respond(&mut self, now: Instant, server: TransactionId, mut response: sidetone_sip_core::Response) {
        response.headers.push(&Server(self.config.server.as_str().into()));
        // It fails only when the transaction is over, and then nobody waits for the response.
        let _ = self.endpoint.respond(now, server, response);
    }

    fn tell_refused(&mut self, request: &Request, source: &Source, status: StatusCode) {
        let from = inspect::from_user(request).unwrap_or_default();
        self.tell(PbxEvent::Refused { from, to: request.uri.clone(), status, remote: source.remote });
    }

    fn tell(&mut self, event: PbxEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn tag(&mut self) -> String {
        self.rng.hex::<16>().iter().map(|byte| char::from(*byte)).collect()
    }
}
