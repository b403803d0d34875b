//! The sockets of a driver: opened, registered with the endpoint, changed for another port, closed.

use super::batch::Batch;
use super::inbox::Inbox;
use super::ports::Choice;
use super::routes::Routes;
use super::tcp::Listener;
use super::udp::{Options, Socket};
use super::upgrade::Upgrades;
use super::{DriverConfig, Io, Resolver, local_toward, resolve, seed};
use crate::endpoint::Endpoint;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use sidetone_hal::net::{FlowId, IpAddr, Ipv4Addr, Ipv6Addr, Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use std::io;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How often retired sockets are looked at.
const RETIRED_CHECK: Duration = Duration::from_secs(1);
/// Retired sockets kept at most.
const MAX_RETIRED: usize = 8;
/// Ports tried for both families and both transports.
const DUAL_STACK_ATTEMPTS: u32 = 64;

impl Io {
    /// Opens the sockets. Nothing is received before [`Io::attach`].
    ///
    /// # Errors
    /// An address cannot be bound, or no port of a range is free; the message names it. A setting is out of its range.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(config: &DriverConfig) -> io::Result<Self> {
        if config.dscp > 63 {
            let what = format!("DSCP {}: expected 0 to 63", config.dscp);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let options = Options { buffer: config.socket_buffer, dscp: config.dscp };
        let mut rng = Rng::from_seed(config.seed.unwrap_or_else(seed));
        let mut sockets = Vec::new();
        for address in &config.udp {
            #[cfg(feature = "sim")]
            if let Some(network) = &config.network {
                sockets.push(Socket::in_memory(*address, network)?);
                continue;
            }
            sockets.push(Socket::bind(*address, options)?);
        }
        for range in &config.udp_ranges {
            sockets.push(range.bind(&mut rng, None, options)?);
        }
        let mut listeners = Vec::new();
        for address in &config.tcp {
            listeners.push(Listener::bind(*address, config)?);
        }
        if let Some(port) = config.dual_stack {
            bind_dual_stack(port, config, options, &mut sockets, &mut listeners)?;
        }
        let (arrival_sender, arrivals) = mpsc::channel(config.read_queue.max(1));
        let listening: Vec<_> = listeners.iter().map(|listener| listener.local).collect();
        let upgrades = Upgrades::bind(config)?;
        let upgraded = upgrades.listening.iter().map(|(_, local)| *local);
        let locals = sockets.iter().map(|socket| socket.local).chain(listening.iter().copied());
        let mut locals = locals.chain(upgraded);
        Ok(Self {
            origin: tokio::time::Instant::now(),
            wildcard: locals.any(|local| local.ip().is_unspecified()),
            config: config.clone(),
            options,
            rng,
            sockets,
            turn: 0,
            batch: Batch::new()?,
            routes: Routes::new(config.max_routes),
            listeners,
            listening,
            upgrades,
            connections: BTreeMap::new(),
            arrivals,
            arrival_sender,
            inbox: Inbox::new(config.read_queue.max(1)),
            alarm: None,
            retired_check: Instant::ZERO,
            tasks: JoinSet::new(),
            resolver: Resolver::with_servers(&config.dns),
        })
    }

    /// Registers the sockets with the endpoint and begins to receive. For sockets bound to every address, the
    /// endpoint also learns the address of the default route.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn attach(&mut self, endpoint: &mut Endpoint) {
        if self.wildcard {
            for probe in resolve::DEFAULT_ROUTE_PROBES {
                let everything_else = match probe.ip() {
                    IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                };
                if let Ok(local) = local_toward(probe) {
                    endpoint.set_route(everything_else, local);
                }
            }
        }
        for socket in self.sockets.iter_mut().filter(|socket| socket.flow.is_none()) {
            let flow = endpoint.bind(Protocol::Udp, socket.local);
            socket.start(flow, &self.arrival_sender, &mut self.tasks);
        }
        for listener in self.listeners.drain(..) {
            endpoint.listen(Protocol::Tcp, listener.local);
            listener.start(self.arrival_sender.clone(), &mut self.tasks);
        }
        self.upgrades.attach(endpoint, &self.arrival_sender, &mut self.tasks);
    }

    /// Opens another port in the place of a UDP socket that was bound to a range of ports or to any port, and gives its
    /// flow. From now on new transactions take it, and Via and Contact name it. The old socket is closed when its
    /// transactions are over and nothing came in there for [`DriverConfig::former_port`]; of more than 8 such sockets
    /// the oldest is closed.
    ///
    /// # Errors
    /// `flow` is no socket, or one of a fixed port; no other port of the range is free. Nothing changes then.
    pub fn rebind(&mut self, endpoint: &mut Endpoint, flow: FlowId) -> io::Result<FlowId> {
        let place = self.sockets.iter_mut().find(|socket| socket.flow == Some(flow) && !socket.is_retired());
        let Some(place) = place else {
            let what = format!("{flow}: no UDP socket to change the port of");
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        };
        let another = Choice::another(place, &mut self.rng, self.options)?;
        let mut old = core::mem::replace(place, another);
        let new_flow = endpoint.bind(Protocol::Udp, place.local);
        place.start(new_flow, &self.arrival_sender, &mut self.tasks);
        tracing::debug!(old = %old.local, new = %place.local, "another UDP port");
        endpoint.retire(flow);
        let now = self.now();
        old.quiet_since = Some(now);
        self.sockets.push(old);
        self.close_retired(endpoint, now);
        Ok(new_flow)
    }

    /// The flows of the UDP sockets, in the order of [`Io::udp_addresses`]; none before [`Io::attach`].
    #[must_use]
    pub fn udp_flows(&self) -> Vec<FlowId> {
        let bound = self.sockets.iter().filter(|socket| !socket.is_retired());
        bound.filter_map(|socket| socket.flow).collect()
    }

    /// Where the UDP sockets are bound, ports resolved: those of [`DriverConfig::udp`], of
    /// [`DriverConfig::udp_ranges`], of [`DriverConfig::dual_stack`] with IPv4 first.
    #[must_use]
    pub fn udp_addresses(&self) -> Vec<SocketAddr> {
        let bound = self.sockets.iter().filter(|socket| !socket.is_retired());
        bound.map(|socket| socket.local).collect()
    }

    /// Where TCP is listened at, ports resolved, those of [`DriverConfig::tcp`], of
    /// [`DriverConfig::dual_stack`] with IPv4 first.
    #[must_use]
    pub fn tcp_addresses(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Where a transport is spoken, ports resolved, in the order of the configuration.
    #[must_use]
    pub fn local_addresses(&self, protocol: Protocol) -> Vec<SocketAddr> {
        match protocol {
            Protocol::Udp => self.udp_addresses(),
            Protocol::Tcp => self.listening.clone(),
            Protocol::Tls | Protocol::Ws | Protocol::Wss => {
                let listening = self.upgrades.listening.iter();
                listening.filter(|(spoken, _)| *spoken == protocol).map(|(_, local)| *local).collect()
            }
        }
    }

    /// Closes the sockets whose place another has taken and that nobody needs any more.
    pub(super) fn close_retired(&mut self, endpoint: &mut Endpoint, now: Instant) {
        let retired = self.sockets.iter().filter(|socket| socket.is_retired()).count();
        if retired == 0 || (retired <= MAX_RETIRED && now < self.retired_check) {
            return;
        }
        self.retired_check = now + RETIRED_CHECK.min(self.config.former_port);
        let mut too_many = retired.saturating_sub(MAX_RETIRED);
        self.sockets.retain(|socket| {
            let (Some(flow), Some(quiet_since)) = (socket.flow, socket.quiet_since) else { return true };
            if too_many == 0 && (now < quiet_since + self.config.former_port || endpoint.uses(flow)) {
                return true;
            }
            too_many = too_many.saturating_sub(1);
            tracing::debug!(local = %socket.local, "the former UDP port is closed");
            endpoint.unbind(flow);
            false
        });
    }
}

/// UDP and TCP at one port, on every address of both families.
fn bind_dual_stack(
    port: u16,
    config: &DriverConfig,
    options: Options,
    sockets: &mut Vec<Socket>,
    listeners: &mut Vec<Listener>,
) -> io::Result<()> {
    let any_v4 = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let any_v6 = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    type Bound = (Socket, Listener, Option<(Socket, Listener)>);
    let open = || -> io::Result<Bound> {
        let udp_v4 = Socket::bind(any_v4(port), options)?;
        let port = udp_v4.local.port();
        let tcp_v4 = Listener::bind(any_v4(port), config)?;
        let udp_v6 = match Socket::bind(any_v6(port), options) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                tracing::warn!(%error, "no IPv6 on this system");
                return Ok((udp_v4, tcp_v4, None));
            }
            bound => bound?,
        };
        let tcp_v6 = Listener::bind(any_v6(port), config)?;
        Ok((udp_v4, tcp_v4, Some((udp_v6, tcp_v6))))
    };
    let mut bound = open();
    for _ in 1..DUAL_STACK_ATTEMPTS {
        match &bound {
            // The port that the system gave for one of the four is not free for the others.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port == 0 => bound = open(),
            _ => break,
        }
    }
    let (udp_v4, tcp_v4, v6) = bound?;
    sockets.push(udp_v4);
    listeners.push(tcp_v4);
    if let Some((udp_v6, tcp_v6)) = v6 {
        sockets.push(udp_v6);
        listeners.push(tcp_v6);
    }
    Ok(())
}
