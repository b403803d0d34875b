//! How an account stays reachable: keep-alives on the flow that it registered over, and its public address.

use crate::account::Account;
use crate::agent::Agent;
use crate::context::{Context, Timer};
use crate::dialog::call_id_header;
use crate::event::{AccountId, Event};
use crate::registration::{BindingId, seen_address};
use crate::resolve::Waiter;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use sidetone_hal::net::{FlowId, IpAddr, SocketAddr};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CSeq, From, To, Via};
use sidetone_sip_core::locate::{LocateError, LookupId};
use sidetone_sip_core::nat::{
    Discovery, DiscoveryEvent, DiscoveryInput, FlowFailure, KeepAliveEvent, KeepAliveInput, KeepAliveKind,
    KeepAliveMachine, KeepAliveTerms,
};
use sidetone_sip_core::{Method, NameAddr, Protocol, Request, Response, Source, TransactionId, Uri};

/// How long the first REGISTER waits for STUN.
const FIRST_DETECTION: Duration = Duration::from_secs(3);

/// One account's keep-alives and discovery.
pub(crate) struct Reach {
    /// One for each place where the account is registered.
    flows: Vec<Flow>,
    discovery: Discovery,
    call_id: String,
    tag: String,
    cseq: u32,
    /// The OPTIONS under way, the flow they went over, and whether they are keep-alives.
    options: BTreeMap<TransactionId, (usize, bool)>,
    lookups: BTreeMap<LookupId, usize>,
    /// The first registration waits for the public address.
    waiting: bool,
}

/// The way to one registrar.
struct Flow {
    keep_alive: KeepAliveMachine,
    /// The way that it was reached by last.
    path: Option<Source>,
}

impl Reach {
    /// `None` when there is nothing to do for the account.
    fn new(context: &mut Context, id: AccountId) -> Option<Self> {
        let account = context.accounts.get(&id)?;
        let (config, places) = (account.config.clone(), account.slots.len());
        if config.keep_alive.kind == KeepAliveKind::Off && config.public_address.is_off() {
            return None;
        }
        Some(Self {
            flows: (0..places)
                .map(|_| Flow {
                    keep_alive: KeepAliveMachine::new(config.keep_alive.clone(), context.rng.fork()),
                    path: None,
                })
                .collect(),
            discovery: Discovery::new(config.public_address, context.rng.fork()),
            call_id: context.token(),
            tag: context.token(),
            cseq: 0,
            options: BTreeMap::new(),
            lookups: BTreeMap::new(),
            waiting: false,
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let flows = self.flows.iter().filter_map(|flow| flow.keep_alive.poll_timeout());
        flows.chain(self.discovery.poll_timeout()).min()
    }
}

/// What a registration knows after its registrar answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Registered {
    /// The way that the 2xx came; `None` when there is no binding.
    pub(crate) path: Option<Source>,
    pub(crate) terms: KeepAliveTerms,
    /// Where the registrar saw the request come from, with our own port over connections.
    pub(crate) seen: Option<SocketAddr>,
}

impl Agent {
    /// Locates the server that a request from an account to `to` goes to first (RFC 3263): that of its first way as it is
    /// registered now, which may be a proxy or the domain of `to`. [`Event::NextHop`] gives its addresses, which tell by
    /// [`Endpoint::local_address`](sidetone_sip_core::Endpoint::local_address) what a session description names as our
    /// own. A call right after it asks DNS nothing that was asked already.
    ///
    /// # Errors
    /// `to` is no SIP URI, or too many look-ups are under way.
    pub fn find_next_hop(
        &mut self,
        now: Instant,
        account: AccountId,
        to: &Uri,
    ) -> Result<LookupId, LocateError> {
        let known = self.context.accounts.get(&account);
        let way = known.and_then(|account| account.ways(now, to).into_iter().next());
        let mut request = Request::new(Method::INVITE, to.to_request_uri());
        let hop = way.as_ref().map_or_else(|| to.clone(), |way| way.apply(&mut request));
        let otherwise = way.map_or(Protocol::Udp, |way| way.protocol);
        let lookup = self.context.locate(now, Waiter::Host, Some(account), &hop, otherwise)?;
        self.context.take_located(now);
        self.pump(now);
        Ok(lookup)
    }

    /// The way that an account's registrar was reached by last: transport, connection or socket, and its address.
    /// `None` while there is no binding, and after the connection was lost.
    #[must_use]
    pub fn account_path(&self, account: AccountId) -> Option<Source> {
        self.registrations.get(&account)?.path()
    }

    pub(crate) fn add_reach(&mut self, account: AccountId) {
        if let Some(reach) = Reach::new(&mut self.context, account) {
            self.reaches.insert(account, reach);
        }
    }

    /// The user wants a binding: begins to find out our address. When a REGISTER had better wait for that, how long.
    pub(crate) fn begin_reach(&mut self, now: Instant, account: AccountId) -> Option<Duration> {
        let reach = self.reaches.get_mut(&account)?;
        let config = &self.context.accounts.get(&account)?.config;
        // A name may lead anywhere; then the first socket will do.
        let first = config.proxy.as_ref().unwrap_or(&config.aor);
        let toward = first.host().and_then(|host| host.ip()).map(|ip| SocketAddr::new(ip, 0));
        let (flow, local) = self.context.endpoint.datagram_flow(toward)?;
        reach.discovery.start(now, flow, local);
        reach.waiting = !reach.discovery.is_settled();
        let waiting = reach.waiting;
        self.run_reach(now, account);
        // A server with a numeric address may have been refused at once.
        let waiting = waiting && self.reaches.get(&account).is_some_and(|reach| reach.waiting);
        waiting.then_some(FIRST_DETECTION)
    }

    /// The user wants no binding any more.
    pub(crate) fn end_reach(&mut self, now: Instant, account: AccountId) {
        if let Some(reach) = self.reaches.get_mut(&account) {
            reach.flows.iter_mut().for_each(|flow| flow.keep_alive.stop());
            reach.discovery.stop();
            reach.waiting = false;
            self.run_reach(now, account);
        }
    }

    /// The registrar answered.
    pub(crate) fn update_reach(&mut self, now: Instant, binding: BindingId) {
        let account = binding.account;
        let Some(registration) = self.registrations.get_mut(&account) else { return };
        let Some(registered) = registration.registered(binding.slot()) else { return };
        let Some(reach) = self.reaches.get_mut(&account) else { return };
        if let Some(address) = registered.seen {
            reach.discovery.handle_input(now, DiscoveryInput::Seen { address });
        }
        match (registered.path, reach.flows.get_mut(binding.slot())) {
            (Some(path), Some(way)) => {
                let Source { flow, protocol, remote } = path;
                way.keep_alive.start(now, flow, protocol, remote, registered.terms);
                way.path = Some(path);
            }
            (None, Some(way)) => way.keep_alive.stop(),
            (_, None) => {}
        }
        self.run_reach(now, account);
    }

    /// A connection is gone.
    pub(crate) fn reach_flow_down(&mut self, now: Instant, flow: FlowId) {
        let goes_over = |way: &Flow| {
            way.path.is_some_and(|path| path.flow == flow) || way.keep_alive.flow() == Some(flow)
        };
        let watching = |reach: &Reach| reach.flows.iter().any(goes_over);
        let found: Vec<AccountId> =
            self.reaches.iter().filter(|(_, reach)| watching(reach)).map(|(id, _)| *id).collect();
        for account in found {
            let ways = self.reaches.get_mut(&account).into_iter().flat_map(|reach| &mut reach.flows);
            for way in ways.filter(|way| goes_over(way)) {
                way.keep_alive.stop();
                way.path = None;
            }
            self.run_reach(now, account);
        }
    }

    pub(crate) fn reach_pong(&mut self, now: Instant, flow: FlowId) {
        self.offer_to_reaches(now, |reach| {
            reach.flows.iter_mut().any(|way| way.keep_alive.handle_input(now, KeepAliveInput::Pong { flow }))
        });
    }

    pub(crate) fn reach_stun(&mut self, now: Instant, flow: FlowId, source: SocketAddr, payload: &[u8]) {
        self.offer_to_reaches(now, |reach| {
            let stun = KeepAliveInput::Stun { flow, source, payload };
            reach.flows.iter_mut().any(|way| way.keep_alive.handle_input(now, stun))
                || reach.discovery.handle_input(now, DiscoveryInput::Stun { flow, source, payload })
        });
    }

    /// A final response to a request of ours, or none: whether it was an OPTIONS of a reach.
    pub(crate) fn reach_response(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        response: Option<&Response>,
    ) -> bool {
        let found = self.reaches.iter_mut().find(|(_, reach)| reach.options.contains_key(&transaction));
        let Some((&account, reach)) = found else { return false };
        if response.is_some_and(|response| response.status.is_provisional()) {
            return true;
        }
        let Some((index, is_keep_alive)) = reach.options.remove(&transaction) else { return true };
        let Some(way) = reach.flows.get_mut(index) else { return true };
        if is_keep_alive {
            let status = response.map(|response| response.status);
            way.keep_alive.handle_input(now, KeepAliveInput::Options(status));
        }
        if let (Some(response), Some(path)) = (response, way.path)
            && let Some(Ok(via)) = response.headers.get::<Via>()
            && let Some(seen) = seen_address(&via)
        {
            let ours = self.context.endpoint.local_address(path.protocol, Some(path.remote));
            let address = comparable(seen, ours, path.protocol);
            reach.discovery.handle_input(now, DiscoveryInput::Seen { address });
        }
        self.run_reach(now, account);
        true
    }

    /// The addresses of a host: of a STUN server that a reach had asked for, or of a next hop that the user did.
    pub(crate) fn host_located(&mut self, now: Instant, lookup: LookupId, addresses: Vec<SocketAddr>) {
        let found = self.reaches.iter_mut().find(|(_, reach)| reach.lookups.contains_key(&lookup));
        let Some((&account, reach)) = found else {
            return self.context.events.push_back(Event::NextHop { lookup, addresses });
        };
        if let Some(server) = reach.lookups.remove(&lookup) {
            reach.discovery.handle_input(now, DiscoveryInput::Resolved { server, addresses: &addresses });
        }
        self.run_reach(now, account);
    }

    pub(crate) fn reach_timeout(&mut self, now: Instant, account: AccountId) {
        if let Some(reach) = self.reaches.get_mut(&account) {
            reach.flows.iter_mut().for_each(|way| way.keep_alive.handle_timeout(now));
            reach.discovery.handle_timeout(now);
            self.run_reach(now, account);
        }
    }

    /// Gives something to the machines in turn until one takes it.
    fn offer_to_reaches(&mut self, now: Instant, mut takes: impl FnMut(&mut Reach) -> bool) {
        let taken = self.reaches.iter_mut().find_map(|(id, reach)| takes(reach).then_some(*id));
        if let Some(account) = taken {
            self.run_reach(now, account);
        }
    }

    /// Does what the machines of an account want, and writes down when they want to be woken.
    fn run_reach(&mut self, now: Instant, account: AccountId) {
        let Some(mut reach) = self.reaches.remove(&account) else { return };
        loop {
            let flows = reach.flows.iter_mut();
            let transmit = flows.filter_map(|way| way.keep_alive.poll_transmit()).next();
            let mut flows = reach.flows.iter_mut().enumerate();
            if let Some(transmit) = transmit.or_else(|| reach.discovery.poll_transmit()) {
                // A flow that is gone is reported by itself.
                let _ = self.context.endpoint.send_bytes(now, transmit);
            } else if let Some((index, event)) =
                flows.find_map(|(index, way)| way.keep_alive.poll_event().map(|event| (index, event)))
            {
                self.handle_keep_alive(now, account, &mut reach, index, event);
            } else if let Some(event) = reach.discovery.poll_event() {
                self.handle_discovery(now, account, &mut reach, event);
            } else {
                break;
            }
        }
        match reach.poll_timeout() {
            Some(at) => self.context.deadlines.set(Timer::Reach(account), at),
            None => self.context.deadlines.stop(Timer::Reach(account)),
        }
        self.reaches.insert(account, reach);
    }

    fn handle_keep_alive(
        &mut self,
        now: Instant,
        account: AccountId,
        reach: &mut Reach,
        index: usize,
        event: KeepAliveEvent,
    ) {
        match event {
            KeepAliveEvent::SendOptions { .. } => {
                let sent = self.send_options(now, account, reach, index, true);
                if !sent && let Some(way) = reach.flows.get_mut(index) {
                    way.keep_alive.handle_input(now, KeepAliveInput::Options(None));
                }
            }
            KeepAliveEvent::FlowFailed { flow, cause } => {
                self.flow_failed(now, BindingId::new(account, index), flow, cause);
            }
            KeepAliveEvent::AddressChanged { after, .. } => {
                // The registrar itself says where it sees us now.
                if let Some(account) = self.context.accounts.get_mut(&account)
                    && account.config.rewrite_contact
                    && account.config.public_address.is_off()
                {
                    account.learned = Some(after);
                }
                self.register_anew(now, account);
            }
            // A newer machine may say more.
            _ => {}
        }
    }

    fn handle_discovery(
        &mut self,
        now: Instant,
        account: AccountId,
        reach: &mut Reach,
        event: DiscoveryEvent,
    ) {
        match event {
            DiscoveryEvent::Resolve { server, host, port } => {
                if let Ok(ip) = host.parse::<IpAddr>() {
                    let addresses = [SocketAddr::new(ip, port)];
                    reach
                        .discovery
                        .handle_input(now, DiscoveryInput::Resolved { server, addresses: &addresses });
                } else if let Some(lookup) = self.context.ask(now, account, &host, port, Protocol::Udp) {
                    reach.lookups.insert(lookup, server);
                } else {
                    reach.discovery.handle_input(now, DiscoveryInput::Resolved { server, addresses: &[] });
                }
            }
            DiscoveryEvent::Probe => {
                // The next attempt comes in any case.
                let index = reach.flows.iter().position(|way| way.path.is_some()).unwrap_or(0);
                let _ = self.send_options(now, account, reach, index, false);
            }
            DiscoveryEvent::AddressChanged { after, .. } => {
                if let Some(account) = self.context.accounts.get_mut(&account) {
                    account.detected = Some(after);
                }
                self.context.events.push_back(Event::PublicAddress { account, address: after });
                if !self.settle(now, account, reach) {
                    self.register_anew(now, account);
                }
            }
            DiscoveryEvent::Failed(_) => {
                self.settle(now, account, reach);
            }
            // A newer machine may say more.
            _ => {}
        }
    }

    /// The first attempt at the public address is over: the registration that waited for it goes. Whether it did wait.
    fn settle(&mut self, now: Instant, account: AccountId, reach: &mut Reach) -> bool {
        let waiting = core::mem::take(&mut reach.waiting);
        let registration = self.registrations.get_mut(&account);
        let Some(registration) = registration.filter(|registration| waiting && registration.is_quiet())
        else {
            return false;
        };
        registration.end_wait(&mut self.context, now);
        true
    }

    fn register_anew(&mut self, now: Instant, account: AccountId) {
        if let Some(registration) = self.registrations.get_mut(&account) {
            registration.handle_moved(&mut self.context, now);
        }
    }

    fn flow_failed(&mut self, now: Instant, binding: BindingId, flow: FlowId, cause: FlowFailure) {
        let account = binding.account;
        self.context.events.push_back(Event::FlowFailed { account, cause });
        self.context.endpoint.close(now, flow);
        if let Some(registration) = self.registrations.get_mut(&account) {
            registration.handle_flow_failed(&mut self.context, now, binding.slot());
        }
    }

    /// Sends an OPTIONS to the registrar, the way that it was reached. False when that cannot be done.
    fn send_options(
        &mut self,
        now: Instant,
        id: AccountId,
        reach: &mut Reach,
        index: usize,
        keep_alive: bool,
    ) -> bool {
        let path = reach.flows.get(index).and_then(|way| way.path);
        let (Some(path), Some(account)) = (path, self.context.accounts.get(&id)) else { return false };
        reach.cseq = reach.cseq.saturating_add(1);
        let mut request = options(account, reach);
        self.context.sign(&mut request.headers);
        let options = self.context.via_options(Some(id), path.protocol, path.remote);
        match self.context.endpoint.request_with(now, request, &path.target(), &options) {
            Ok(transaction) => {
                reach.options.insert(transaction, (index, keep_alive));
                true
            }
            Err(_) => false,
        }
    }
}

/// An OPTIONS to the registrar, outside of any dialog (RFC 3261 §11).
fn options(account: &Account, reach: &Reach) -> Request {
    let (address, registrar) = (account.address(), account.domain());
    let mut request = Request::new(Method::OPTIONS, registrar.clone());
    request.headers.push(&From(address.with_tag(&reach.tag)));
    request.headers.push(&To(NameAddr::new(registrar)));
    request.headers.push(&call_id_header(&reach.call_id));
    request.headers.push(&CSeq::new(reach.cseq, Method::OPTIONS));
    request
}

/// The address that was seen, with our own port over connections: theirs is never the one that we listen on.
pub(crate) fn comparable(seen: SocketAddr, ours: Option<SocketAddr>, protocol: Protocol) -> SocketAddr {
    match ours.filter(|_| protocol.is_reliable()) {
        Some(ours) => SocketAddr::new(seen.ip(), ours.port()),
        None => seen,
    }
}
