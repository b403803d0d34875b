//! A place where an account can be registered: one of its servers, over one set of proxies; and the ways that requests
//! take to it.

use crate::config::{AccountConfig, Failback, Server};
use crate::dialog::RouteSet;
use crate::registration::Binding;
use alloc::boxed::Box;
use alloc::vec::Vec;
use sidetone_hal::net::Protocol;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{From, HeaderName, Route, To};
use sidetone_sip_core::{NameAddr, Request, Target, Uri};

/// Places of one account at most: each has a binding, timers and a keep-alive of its own. RFC 5626 §4.2.1 asks for two
/// flows, telephones have two servers.
pub(crate) const MAX_SLOTS: usize = 8;

/// One server over one set of proxies.
pub(crate) struct Slot {
    pub(crate) server: Server,
    /// Which server it is; flows to the same one have the same number.
    pub(crate) group: usize,
    /// Outbound proxies, each in the place of the one before when that does not answer.
    proxies: Vec<Uri>,
    /// The flow's number (RFC 5626 §4.2), when flows are registered.
    pub(crate) reg_id: Option<usize>,
    /// The first hop answered 439: the flow is registered as RFC 3261 has it (RFC 5626 §4.2.1).
    pub(crate) lacks_outbound: bool,
    /// Lifetime to ask for, in seconds.
    pub(crate) expires: u32,
    /// What the registrar said of the binding that it holds.
    pub(crate) binding: Option<Box<Binding>>,
    /// Where requests go first, when that is not the primary.
    pub(crate) pin: Option<Pin>,
    /// The server and way that took the last REGISTER.
    pub(crate) registered_at: Option<Target>,
    /// The flow that the last REGISTER opened, and over which of the proxies, where the registrar keeps to flows. It counts
    /// while there is a binding.
    pub(crate) flow: Option<(usize, Target)>,
}

/// The server that was registered at last, where that is not the primary one.
#[derive(Clone, Debug)]
pub(crate) struct Pin {
    proxy: usize,
    pub(crate) target: Target,
    /// `None`: until it fails.
    pub(crate) until: Option<Instant>,
}

impl Pin {
    pub(crate) const fn new(proxy: usize, target: Target, until: Option<Instant>) -> Self {
        Self { proxy, target, until }
    }

    fn holds(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// One way of a request outside of dialogs: over which proxy, to which server.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) slot: usize,
    /// Which of the slot's proxies.
    pub(crate) proxy: usize,
    routes: RouteSet,
    /// Where the request goes when there is no route; `None`: where its Request-URI says.
    hop: Option<Uri>,
    /// The domain that is replaced, and the server whose host takes its place.
    domain: Option<Box<(Uri, Uri)>>,
    pub(crate) protocol: Protocol,
    pub(crate) retries: Option<u8>,
    pub(crate) failback: Failback,
    /// Whether a request that fails over to another address of the server registers there first.
    pub(crate) register_on_failover: bool,
    /// The flow that the registration opened there (RFC 5626 §4.3).
    pub(crate) flow: Option<Target>,
}

impl Way {
    /// Writes the way into a request, whose Request-URI is what is wanted in the end; gives the URI whose host it is sent
    /// to.
    pub(crate) fn apply(&self, request: &mut Request) -> Uri {
        if let Some((domain, server)) = self.domain.as_deref() {
            move_domain(request, domain, server);
        }
        let target = request.uri.clone();
        // What the request was told to go by (the proxy of a 305) comes behind what the account always goes by.
        let told: Vec<Route> = request.headers.all::<Route>().flatten().collect();
        request.headers.remove(&HeaderName::ROUTE);
        let first = self.routes.apply(request, &target);
        told.iter().for_each(|hop| request.headers.push(hop));
        match (&self.hop, told.first()) {
            (Some(hop), _) if self.routes.is_empty() => hop.clone(),
            (None, Some(Route(hop))) if self.routes.is_empty() => hop.uri.clone(),
            _ => first,
        }
    }
}

/// Puts a server's host in the place of a domain, wherever a request outside of dialogs names it.
fn move_domain(request: &mut Request, domain: &Uri, server: &Uri) {
    request.uri = moved(&request.uri, domain, server);
    if let Some(Ok(From(mut from))) = request.headers.get::<From>() {
        from.uri = moved(&from.uri, domain, server);
        request.headers.replace_first(&From(from));
    }
    if let Some(Ok(To(mut to))) = request.headers.get::<To>() {
        to.uri = moved(&to.uri, domain, server);
        request.headers.replace_first(&To(to));
    }
}

fn moved(uri: &Uri, domain: &Uri, server: &Uri) -> Uri {
    let mut uri = uri.clone();
    if uri.is_sip()
        && uri.host() == domain.host()
        && let Some(host) = server.host()
    {
        uri.set_host(&host, server.port());
    }
    uri
}

impl Slot {
    /// The places that an account's settings make, in the order of preference. More than [`MAX_SLOTS`] are counted, so
    /// that they can be refused.
    pub(super) fn all(config: &AccountConfig, expires: u32) -> Vec<Self> {
        let mut proxies: Vec<Uri> = config.proxy.iter().cloned().collect();
        proxies.extend(config.redundancy.backup_proxies.iter().cloned());
        let flows = config.outbound.as_ref().filter(|outbound| outbound.flows);
        let mut slots = Vec::new();
        for (group, server) in servers(config).into_iter().enumerate() {
            let mut add = |proxies: Vec<Uri>| {
                let expires = server.expires.map_or(expires, |wanted| seconds(wanted.as_secs()));
                let reg_id = flows.map(|_| slots.len() + 1);
                let server = server.clone();
                let (binding, pin, registered_at, flow) = (None, None, None, None);
                let lacks_outbound = false;
                slots.push(Self {
                    server,
                    group,
                    proxies,
                    reg_id,
                    lacks_outbound,
                    expires,
                    binding,
                    pin,
                    registered_at,
                    flow,
                });
            };
            add(proxies.clone());
            for proxy in flows.iter().flat_map(|outbound| &outbound.proxies) {
                add([proxy.clone()].into());
            }
        }
        slots
    }

    /// The ways of a REGISTER, the one to be tried first in front.
    pub(crate) fn register_ways(&self, index: usize, config: &AccountConfig, now: Instant) -> Vec<Way> {
        self.ways_by(config, index, now, None, self.server.uri.as_ref())
    }

    /// The ways of another request outside of dialogs.
    pub(crate) fn ways(&self, index: usize, config: &AccountConfig, now: Instant) -> Vec<Way> {
        let routes = self.binding.as_ref().map(|binding| &*binding.service_route);
        let routes = routes.filter(|routes| !routes.is_empty());
        let hop = self.server.proxy.as_ref().or(self.server.uri.as_ref());
        let mut ways = self.ways_by(config, index, now, routes, hop);
        if let Some((proxy, flow)) = self.live_flow() {
            // Without a proxy in front, a Service-Route and a proxy for calls lead elsewhere than to the registrar.
            let is_at = |way: &Way| {
                way.proxy == *proxy
                    && (!self.proxies.is_empty() || routes.is_none() && self.server.proxy.is_none())
            };
            ways.iter_mut().filter(|way| is_at(way)).for_each(|way| way.flow = Some(flow.clone()));
        }
        ways
    }

    /// The flow that a registrar knows us by.
    pub(super) fn live_flow(&self) -> Option<&(usize, Target)> {
        self.flow.as_ref().filter(|_| self.binding.is_some())
    }

    fn ways_by(
        &self,
        config: &AccountConfig,
        index: usize,
        now: Instant,
        service_route: Option<&[NameAddr]>,
        hop: Option<&Uri>,
    ) -> Vec<Way> {
        let named = |proxy: Option<&Uri>| proxy.or(hop).and_then(Uri::transport);
        let way = |number: usize, proxy: Option<&Uri>| {
            let routes = match (proxy, service_route) {
                (proxy, Some(service)) => {
                    let first = service.first().map(|route| route.uri.host());
                    let proxy = proxy.filter(|proxy| first != Some(proxy.host()));
                    RouteSet::preloaded(proxy, service)
                }
                (Some(proxy), None) => RouteSet::proxy(proxy),
                (None, None) => RouteSet::default(),
            };
            let server = self.server.uri.as_ref().filter(|_| self.server.own_domain);
            let transport = named(proxy).or(self.server.transport).unwrap_or(config.transport);
            Way {
                slot: index,
                proxy: number,
                routes,
                hop: hop.cloned(),
                domain: server.map(|server| Box::new((config.aor.clone(), server.clone()))),
                protocol: transport,
                retries: self.server.retries.or(config.server_retries),
                failback: self.server.failback,
                // A proxy of its own for calls is no registrar.
                register_on_failover: self.server.register_on_failover
                    && service_route.is_none()
                    && self.server.proxy.is_none(),
                flow: None,
            }
        };
        let mut ways: Vec<Way> =
            self.proxies.iter().enumerate().map(|(number, proxy)| way(number, Some(proxy))).collect();
        if ways.is_empty() {
            ways.push(way(0, None));
        }
        if let Some(pin) = self.pin(now)
            && let Some(at) = ways.iter().position(|way| way.proxy == pin.proxy)
        {
            let pinned = ways.remove(at);
            ways.insert(0, pinned);
        }
        ways
    }

    /// The address that goes first, while it does.
    pub(crate) fn pin(&self, now: Instant) -> Option<&Pin> {
        self.pin.as_ref().filter(|pin| pin.holds(now))
    }

    /// Puts the address that was registered at last before the others that DNS gave.
    pub(crate) fn arrange(&self, way: &Way, now: Instant, targets: &mut Vec<Target>) {
        if let Some(pin) = self.pin(now).filter(|pin| pin.proxy == way.proxy)
            && let Some(at) = targets.iter().position(|target| same(target, &pin.target))
        {
            let target = targets.remove(at);
            targets.insert(0, target);
        }
    }

    /// Whether a request that goes to this target should see to a registration there before.
    pub(crate) fn is_elsewhere(&self, target: &Target) -> bool {
        self.registered_at.as_ref().is_some_and(|at| !same(at, target))
    }

    /// Whether a host belongs to this place: credentials may be sent to it without having been asked for.
    pub(super) fn knows(&self, hop: &Uri) -> bool {
        let own = [&self.server.uri, &self.server.proxy];
        let routes = self.binding.iter().flat_map(|binding| binding.service_route.iter());
        let mut known = own.into_iter().flatten().chain(&self.proxies).chain(routes.map(|route| &route.uri));
        known.any(|uri| uri.host() == hop.host())
    }

    /// Whether the place has proxies, or a server of its own: then every request goes there, whatever its Request-URI.
    pub(super) fn takes_everything(&self) -> bool {
        !self.proxies.is_empty()
            || self.server.uri.is_some()
            || self.server.proxy.is_some()
            || self.binding.as_ref().is_some_and(|binding| !binding.service_route.is_empty())
    }
}

/// Whether two targets are one server.
pub(crate) fn same(one: &Target, other: &Target) -> bool {
    (one.protocol, one.address) == (other.protocol, other.address)
}

/// The servers of the settings: the account's domain where none are named, the first one alone where others may not be
/// used.
fn servers(config: &AccountConfig) -> Vec<Server> {
    let mut servers = config.redundancy.servers.clone();
    if servers.is_empty() {
        servers.push(Server::home());
    }
    if config.redundancy.numeric_only {
        let is_numeric = |server: &Server| {
            [server.uri.as_ref().unwrap_or(&config.aor)]
                .into_iter()
                .chain(&server.proxy)
                .all(|uri| uri.host().and_then(|host| host.ip()).is_some())
        };
        let first_is = servers.first().is_some_and(is_numeric);
        let mut at = 0;
        servers.retain(|server| {
            at += 1;
            at == 1 || first_is && is_numeric(server)
        });
    }
    servers
}

pub(super) fn seconds(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(0)
}
