//! What every part of the agent works with: the endpoint, the accounts, the exchanges, and the queues outwards.

use crate::account::{Account, contact_uri};
use crate::config::{AgentConfig, ReferPolicy};
use crate::deadlines::Deadlines;
use crate::event::{AccountId, CallId, Event};
use crate::exchange::{Exchange, ExchangeId, Outcome};
use crate::publication::PublicationId;
use crate::registration::{BindingId, Wish};
use crate::request::IncomingId;
use crate::resolve::{RecordEnds, Waiter};
use crate::session::{OPTIONS, SessionConfig};
use crate::subscription::{SubscriptionId, WatcherId};
use crate::transfer::ReferId;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use hashbrown::HashMap;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Accept, Allow, Contact, ContentType, Require, Server, Supported, UserAgent};
use sidetone_sip_core::locate::{Locator, LookupId, Query};
use sidetone_sip_core::{
    Endpoint, Header, Headers, Method, Request, Response, Source, StatusCode, TransactionId, Uri, ViaOptions,
};

/// What the agent waits for, apart from the transaction layer's own timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Refresh a registration, or try it again.
    Register(BindingId),
    /// Keep-alives and the public address of an account.
    Reach(AccountId),
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
    /// A subscription of ours to refresh, or to try again.
    Resubscribe(SubscriptionId),
    /// The NOTIFY that a SUBSCRIBE brings did not come.
    Silence(SubscriptionId),
    /// A subscription of somebody else ends, or was not decided on.
    Watcher(WatcherId),
    /// Nothing more was heard of a REFER.
    Referral(ReferId),
    /// A publication to refresh, or to try again.
    Publish(PublicationId),
    /// A request was not answered by the user.
    Unanswered(IncomingId),
    /// Repeat a reliable provisional response, or give up waiting for its PRACK; or send one that waited for an offer.
    Reliable(CallId),
    /// Refresh a session, or end it.
    Session(CallId),
    /// A server has been silent for as many repeats as it gets while there is another one.
    NextServer(ExchangeId),
}

/// The methods that every agent takes, for Allow.
pub(crate) const METHODS: [Method; 9] = [
    Method::INVITE,
    Method::ACK,
    Method::CANCEL,
    Method::BYE,
    Method::OPTIONS,
    Method::INFO,
    Method::PRACK,
    Method::UPDATE,
    Method::NOTIFY,
];

/// The extensions that every agent understands, for Supported, and that others may require.
pub(crate) const EXTENSIONS: [&str; 2] = ["replaces", "norefersub"];

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
    pub(crate) locator: Locator,
    pub(crate) waiting: BTreeMap<LookupId, Waiter>,
    /// Hosts that were asked for and found, or not.
    pub(crate) hosts: VecDeque<(LookupId, Vec<SocketAddr>)>,
    /// What requests want of the registrations. There are never more than exchanges.
    pub(crate) wishes: VecDeque<(BindingId, Wish)>,
    /// Requests that wait for a REGISTER at the server that they fail over to.
    pub(crate) held: BTreeSet<ExchangeId>,
    /// Until when the DNS records of addresses hold.
    pub(crate) record_ends: RecordEnds,
}

impl Context {
    pub(crate) fn new(mut config: AgentConfig) -> Self {
        let mut rng = Rng::from_seed(config.endpoint.seed);
        let mut endpoint = config.endpoint.clone();
        rng.fork().fill(&mut endpoint.seed);
        if endpoint.user_agent.is_none() {
            endpoint.user_agent = Some(config.user_agent.clone());
        }
        let locator = Locator::new(config.locator.clone(), rng.fork());
        // Only the generators know the seed from here on.
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
            locator,
            waiting: BTreeMap::new(),
            hosts: VecDeque::new(),
            wishes: VecDeque::new(),
            held: BTreeSet::new(),
            record_ends: RecordEnds::default(),
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

    /// How long a request waits for the user: a little less than its sender does (timer F).
    pub(crate) fn patience(&self) -> Duration {
        self.t1() * 60
    }

    /// A new tag or Call-ID: 64 random bits in hexadecimal (RFC 3261 §19.3).
    pub(crate) fn token(&mut self) -> String {
        self.rng.hex::<16>().iter().map(|byte| char::from(*byte)).collect()
    }

    /// The Contact of a dialog on the way to `toward`: the GRUU that the registrar gave (RFC 5627 §4.4), else the address
    /// that others reach us at.
    pub(crate) fn contact(
        &self,
        account: Option<AccountId>,
        user: &str,
        protocol: Protocol,
        toward: SocketAddr,
        sips: bool,
    ) -> Option<Uri> {
        let current = account.and_then(|id| self.accounts.get(&id)).and_then(Account::current);
        let binding = current.and_then(|slot| slot.binding.as_ref());
        let gruu = binding.and_then(|binding| binding.public_gruu.clone());
        let uri = gruu.filter(|gruu| gruu.is_sips() || !sips);
        let mut uri = uri.or_else(|| self.own_contact(account, user, protocol, toward, sips))?;
        if binding.is_some_and(|binding| binding.outbound) {
            // RFC 5626 §4.3: the dialog's requests are to come over the flow too.
            uri.set_param("ob", None);
        }
        Some(uri)
    }

    /// The address that others reach us at, on the way to `toward`; a `sips` one for an account that is, and where the
    /// caller says so.
    pub(crate) fn own_contact(
        &self,
        account: Option<AccountId>,
        user: &str,
        protocol: Protocol,
        toward: SocketAddr,
        sips: bool,
    ) -> Option<Uri> {
        let account = account.and_then(|id| self.accounts.get(&id));
        let sips = sips || account.is_some_and(|account| account.config.aor.is_sips());
        let learned =
            account.filter(|account| account.protocol() == protocol).and_then(|account| account.learned);
        let local = self.endpoint.local_address(protocol, Some(toward));
        let public = account.zip(local).and_then(|(account, local)| account.public(protocol, local));
        let address = public.or(learned).or(local)?;
        match account {
            Some(account) => contact_uri(&account.user(), address, protocol, sips),
            None => contact_uri(user, address, protocol, sips),
        }
    }

    /// What the Via of an account's request on the way to `toward` says.
    pub(crate) fn via_options(
        &self,
        account: Option<AccountId>,
        protocol: Protocol,
        toward: SocketAddr,
    ) -> ViaOptions {
        let mut options = ViaOptions::default();
        if let Some(account) = account.and_then(|id| self.accounts.get(&id)) {
            let local = self.endpoint.local_address(protocol, Some(toward));
            options.rport = account.config.rport;
            options.sent_by = local.and_then(|local| account.public(protocol, local));
        }
        options
    }

    /// What the calls of an account use of the extensions to INVITE.
    pub(crate) fn session_config(&self, account: Option<AccountId>) -> SessionConfig {
        let account = account.and_then(|id| self.accounts.get(&id));
        account.map(|account| account.config.session).unwrap_or_default()
    }

    /// What this agent understands, whatever the account: what others may require.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = &'static str> + use<> {
        EXTENSIONS.into_iter().chain(self.config.join.then_some("join"))
    }

    /// Whether we, or any account, have the extension with this option tag.
    pub(crate) fn knows_option(&self, option: &str) -> bool {
        self.extensions().any(|known| known.eq_ignore_ascii_case(option))
            || self.accounts.values().any(|account| account.config.session.usage(option).is_on())
    }

    /// Says what we can, in the calls of this account (RFC 3261 §20.1, §20.5, §20.37).
    pub(crate) fn push_abilities(&self, headers: &mut Headers, account: Option<AccountId>) {
        let further = account.and_then(|id| self.accounts.get(&id)).map(|account| &account.config.accept);
        let kinds = [ContentType::SDP].into_iter().chain(further.into_iter().flatten().cloned());
        headers.set(&Accept(kinds.collect()));
        self.push_features(headers, account);
    }

    /// The same without the types of body that calls take: a SUBSCRIBE names those of its NOTIFY (RFC 6665 §3.1.3).
    pub(crate) fn push_features(&self, headers: &mut Headers, account: Option<AccountId>) {
        let config = self.session_config(account);
        let mut methods = self.methods();
        if !config.reliable.is_on() {
            methods.retain(|method| *method != Method::PRACK);
        }
        headers.set(&Allow(methods));
        let on = OPTIONS.into_iter().filter(|option| config.usage(option).is_on());
        add_options::<Supported>(headers, self.extensions().chain(on));
        self.push_events(headers);
    }

    /// Whether a REGISTER of the account offers keep-alives (RFC 6223).
    pub(crate) fn offers_keep(&self, account: Option<AccountId>) -> bool {
        let account = account.and_then(|id| self.accounts.get(&id));
        account.is_some_and(|account| account.config.keep_alive.offers_keep())
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

    /// Our address on the way to `source`.
    pub(crate) fn local_address(&self, source: &Source) -> Option<SocketAddr> {
        self.endpoint.local_address(source.protocol, Some(source.remote))
    }

    /// A Contact for a response to what came from `source`.
    pub(crate) fn push_contact(
        &self,
        headers: &mut Headers,
        account: Option<AccountId>,
        user: &str,
        source: &Source,
        sips: bool,
    ) {
        if let Some(uri) = self.contact(account, user, source.protocol, source.remote, sips) {
            headers.set(&Contact::new(uri));
        }
    }

    /// The methods we take: those of every agent, and those that the settings add.
    pub(crate) fn methods(&self) -> Vec<Method> {
        let mut methods: Vec<Method> = METHODS.into();
        if self.config.refer != ReferPolicy::Never {
            methods.push(Method::REFER);
        }
        if !self.config.packages.is_empty() {
            methods.push(Method::SUBSCRIBE);
        }
        methods.extend(self.config.methods.iter().filter(|method| !METHODS.contains(method)).cloned());
        methods
    }

    pub(crate) fn poll_query(&mut self) -> Option<Query> {
        self.locator.poll_query()
    }
}

/// A header that is a set of option tags.
pub(crate) trait OptionSet: Header + FromIterator<&'static str> {
    /// Whether the option is named.
    fn names(&self, option: &str) -> bool;
}

impl OptionSet for Supported {
    fn names(&self, option: &str) -> bool {
        self.has(option)
    }
}

impl OptionSet for Require {
    fn names(&self, option: &str) -> bool {
        self.has(option)
    }
}

/// Whether a header of option tags names one.
pub(crate) fn names_option<H: OptionSet>(headers: &Headers, option: &str) -> bool {
    matches!(headers.get::<H>(), Some(Ok(set)) if set.names(option))
}

/// Adds option tags to those that are named already.
pub(crate) fn add_options<H: OptionSet>(headers: &mut Headers, options: impl Iterator<Item = &'static str>) {
    let options: Vec<&'static str> = options.filter(|option| !names_option::<H>(headers, option)).collect();
    if !options.is_empty() {
        headers.push(&options.into_iter().collect::<H>());
    }
}
