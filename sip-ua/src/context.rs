//! What every part of the agent works with: the endpoint, the accounts, the exchanges, and the queues outwards.

use crate::account::{Account, contact_uri};
use crate::config::AgentConfig;
use crate::deadlines::Deadlines;
use crate::dialog::Routed;
use crate::event::{AccountId, CallId, Event, Query, QueryId};
use crate::exchange::{Exchange, ExchangeId, Outcome};
use crate::resolve::{Hop, HopHost};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use hashbrown::HashMap;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Accept, Allow, Contact, ContentType, Server, UserAgent};
use sidetone_sip_core::{
    Endpoint, Headers, Method, Request, Response, Source, StatusCode, Target, TransactionId, Uri,
};

/// What the agent waits for, apart from the transaction layer's own timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Refresh a registration, or try it again.
    Register(AccountId),
    /// Repeat a 2xx whose ACK has not come.
    Repeat2xx(CallId),
    /// No ACK came for 64·T1.
    NoAck(CallId),
    /// The call has rung for long enough.
    RingLimit(CallId),
    /// Repeat the last provisional response, which keeps proxies waiting (RFC 3261 §13.3.1.1).
    KeepRinging(CallId),
    /// The wait after a 491 is over.
    Glare(CallId),
}

/// The methods we take, for Allow.
pub(crate) const METHODS: [Method; 6] =
    [Method::INVITE, Method::ACK, Method::CANCEL, Method::BYE, Method::OPTIONS, Method::INFO];

/// Look-ups under way, beyond which ACKs wait no more.
const MAX_WAITING: usize = 1024;

/// Who waits for an address.
enum Waiter {
    Exchange(ExchangeId),
    Ack(Request, Protocol),
}

pub(crate) struct Context {
    pub(crate) endpoint: Endpoint,
    pub(crate) config: AgentConfig,
    pub(crate) rng: Rng,
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) deadlines: Deadlines<Timer>,
    pub(crate) outcomes: VecDeque<Outcome>,
    pub(crate) exchanges: BTreeMap<ExchangeId, Exchange>,
    pub(crate) by_transaction: HashMap<TransactionId, ExchangeId>,
    pub(crate) next_exchange: u64,
    queries: VecDeque<Query>,
    waiting: BTreeMap<QueryId, Waiter>,
    next_query: u64,
}

impl Context {
    pub(crate) fn new(mut config: AgentConfig) -> Self {
        let mut rng = Rng::from_seed(config.endpoint.seed);
        let mut endpoint = config.endpoint.clone();
        rng.fork().fill(&mut endpoint.seed);
        if endpoint.user_agent.is_none() {
            endpoint.user_agent = Some(config.user_agent.clone());
        }
        // Only the two generators know the seed from here on.
        config.endpoint.seed = [0; 32];
        Self {
            endpoint: Endpoint::new(endpoint),
            config,
            rng,
            accounts: BTreeMap::new(),
            events: VecDeque::new(),
            deadlines: Deadlines::new(),
            outcomes: VecDeque::new(),
            exchanges: BTreeMap::new(),
            by_transaction: HashMap::new(),
            next_exchange: 0,
            queries: VecDeque::new(),
            waiting: BTreeMap::new(),
            next_query: 0,
        }
    }

    /// T1 of the endpoint.
    pub(crate) fn t1(&self) -> Duration {
        self.config.endpoint.timers.t1
    }

    /// T2 of the endpoint.
    pub(crate) fn t2(&self) -> Duration {
        self.config.endpoint.timers.t2
    }

    /// A new tag or Call-ID: 64 random bits in hexadecimal (RFC 3261 §19.3).
    pub(crate) fn token(&mut self) -> String {
        self.rng.hex::<16>().iter().map(|byte| char::from(*byte)).collect()
    }

    /// The address that others reach us at, on the way to `toward`.
    pub(crate) fn contact(
        &self,
        account: Option<AccountId>,
        user: &str,
        protocol: Protocol,
        toward: SocketAddr,
    ) -> Option<Uri> {
        let account = account.and_then(|id| self.accounts.get(&id));
        let learned =
            account.filter(|account| account.protocol() == protocol).and_then(|account| account.learned);
        let address = learned.or_else(|| self.endpoint.local_address(protocol, Some(toward)))?;
        match account {
            Some(account) => contact_uri(&account.user(), address, protocol),
            None => contact_uri(user, address, protocol),
        }
    }

    /// Names the product in a request of ours.
    pub(crate) fn sign(&self, headers: &mut Headers) {
        headers.set(&UserAgent::from(self.config.user_agent.as_str()));
    }

    /// A response to a request: with our name, and with a To tag unless it is 100.
    pub(crate) fn response(&mut self, request: &Request, status: StatusCode, tag: Option<&str>) -> Response {
        let fresh;
        let tag = match tag {
            Some(tag) => tag,
            None => {
                fresh = self.token();
                &fresh
            }
        };
        let mut response = request.response(status, Some(tag));
        response.headers.push(&Server::from(self.config.user_agent.as_str()));
        response
    }

    /// Answers a request for good with a bare status.
    pub(crate) fn refuse(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Request,
        status: StatusCode,
    ) {
        let response = self.response(request, status, None);
        self.respond(now, transaction, response);
    }

    /// Sends a response. When the way back is broken the transaction says so by itself.
    pub(crate) fn respond(&mut self, now: Instant, transaction: TransactionId, response: Response) {
        // Nothing is left to be done about a failure: the peer repeats, or gives up.
        let _ = self.endpoint.respond(now, transaction, response);
    }

    /// A Contact for a response to what came from `source`.
    pub(crate) fn push_contact(
        &self,
        headers: &mut Headers,
        account: Option<AccountId>,
        user: &str,
        source: &Source,
    ) {
        if let Some(uri) = self.contact(account, user, source.protocol, source.remote) {
            headers.set(&Contact::new(uri));
        }
    }

    /// Sends an ACK to a 2xx, as soon as its next hop has an address.
    pub(crate) fn send_ack(&mut self, now: Instant, ack: &Routed, protocol: Protocol) {
        let Some(hop) = Hop::of(&ack.hop, protocol) else { return };
        if matches!(hop.host, HopHost::Name(_)) && self.waiting.len() >= MAX_WAITING {
            // A peer that repeats its 2xx faster than names are found out gets no more ACKs for it.
            return;
        }
        let mut request = ack.request.clone();
        self.sign(&mut request.headers);
        match self.resolve(&hop) {
            Ok(address) => self.transmit_ack(now, request, hop.protocol, address),
            Err(query) => {
                self.waiting.insert(query, Waiter::Ack(request, hop.protocol));
            }
        }
    }

    fn transmit_ack(&mut self, now: Instant, request: Request, protocol: Protocol, address: SocketAddr) {
        // A lost ACK is asked for again by the repeated 2xx.
        let _ = self.endpoint.send_ack(now, request, &Target::new(protocol, address));
    }

    /// Waits for the address of an exchange's next hop; numeric hosts have it at once.
    pub(crate) fn resolve_for(&mut self, exchange: ExchangeId, hop: &Hop) -> Option<SocketAddr> {
        match self.resolve(hop) {
            Ok(address) => Some(address),
            Err(query) => {
                self.waiting.insert(query, Waiter::Exchange(exchange));
                None
            }
        }
    }

    fn resolve(&mut self, hop: &Hop) -> Result<SocketAddr, QueryId> {
        match &hop.host {
            HopHost::Address(ip) => Ok(SocketAddr::new(*ip, hop.port_or_default())),
            HopHost::Name(host) => {
                self.next_query += 1;
                let id = QueryId(self.next_query);
                self.queries.push_back(Query {
                    id,
                    host: host.clone(),
                    port: hop.port,
                    protocol: hop.protocol,
                });
                Err(id)
            }
        }
    }

    pub(crate) fn poll_query(&mut self) -> Option<Query> {
        self.queries.pop_front()
    }

    /// The answer to a query. One that nobody waits for any more changes nothing.
    pub(crate) fn handle_answer(&mut self, now: Instant, query: QueryId, addresses: Vec<SocketAddr>) {
        match self.waiting.remove(&query) {
            Some(Waiter::Exchange(exchange)) => self.resolved(now, exchange, addresses),
            Some(Waiter::Ack(request, protocol)) => {
                if let Some(&address) = addresses.first() {
                    self.transmit_ack(now, request, protocol, address);
                }
            }
            None => {}
        }
    }
}

/// Says what we can (RFC 3261 §20.5, §20.1).
pub(crate) fn push_abilities(headers: &mut Headers) {
    headers.set(&Allow(METHODS.into()));
    headers.set(&Accept([ContentType::SDP].into()));
}
