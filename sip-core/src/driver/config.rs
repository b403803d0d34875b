//! What the driver opens, and its bounds.

use super::ports::PortRange;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use sidetone_hal::net::{IpAddr, Protocol, SocketAddr};
use sidetone_hal::time::Duration;

/// What [`Io::bind`](super::Io::bind) opens, and its bounds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DriverConfig {
    /// UDP sockets to bind; port 0 takes any.
    pub udp: Vec<SocketAddr>,
    /// A network in memory that the sockets of `udp` are bound in, instead of the system's. Default none.
    #[cfg(feature = "sim")]
    pub network: Option<super::MemoryNetwork>,
    /// UDP sockets to bind at any free port of a range, after those of `udp`.
    pub udp_ranges: Vec<PortRange>,
    /// TCP addresses to listen at; port 0 takes any.
    pub tcp: Vec<SocketAddr>,
    /// Addresses to listen at for TLS; port 0 takes any. Takes a `tls_config` with a server certificate.
    #[cfg(feature = "tls")]
    pub tls: Vec<SocketAddr>,
    /// Whom TLS trusts and who we are. Default none: connects go by [`TlsConfig::new`](super::TlsConfig::new).
    #[cfg(feature = "tls")]
    pub tls_config: Option<super::TlsConfig>,
    /// Addresses to listen at for WebSocket; port 0 takes any.
    #[cfg(feature = "ws")]
    pub ws: Vec<SocketAddr>,
    /// The same for secure WebSocket. Takes a `tls_config` with a server certificate.
    #[cfg(all(feature = "tls", feature = "ws"))]
    pub wss: Vec<SocketAddr>,
    /// Path, origins and bounds of WebSocket, of both sides.
    #[cfg(feature = "ws")]
    pub websocket: super::WebSocketConfig,
    /// How long the handshakes of TLS and WebSocket may take, together. Default 10 s.
    pub handshake_limit: Duration,
    /// Handshakes under way at a time, for each listener; connections beyond are closed at once. Default 512.
    pub max_handshakes: usize,
    /// This port for UDP and TCP, IPv4 and IPv6, on every address, after all the others; port 0 takes one that is free
    /// for all four. On a system without IPv6 only IPv4.
    pub dual_stack: Option<u16>,
    /// The differentiated services code point of what is sent, UDP and TCP (RFC 2474), 0 to 63. Default 0; 24 (CS3) and
    /// 26 (AF31) are usual for signalling.
    pub dscp: u8,
    /// What port ranges draw from; `None`, the default: the operating system's randomness.
    pub seed: Option<[u8; 32]>,
    /// How long a TCP connection may take to come up. Default 10 s.
    pub connect_limit: Duration,
    /// How long a connection may take nothing of what is to be sent. Default 30 s.
    pub write_limit: Duration,
    /// Messages that may wait on one connection or socket. Default 256.
    pub write_queue: usize,
    /// What came in and waits for [`Io::next`](super::Io::next): datagrams, of 4 MiB together at
    /// most, and as many pieces of streams, of 16 KiB each at most. Default 1024.
    pub read_queue: usize,
    /// The system's buffers of a UDP socket, each way, in bytes; what waits there costs nobody time. The system may grant
    /// less (Linux: `net.core.rmem_max`). Default 1 MiB.
    pub socket_buffer: usize,
    /// Peers of which is remembered which of our addresses they talk to. Default 16 384.
    pub max_routes: usize,
    /// How long a UDP port is still listened at after [`Io::rebind`](super::Io::rebind) has changed to another, counted from
    /// the last thing that came in there. Default 32 s (64·T1).
    pub former_port: Duration,
    /// DNS servers, the primary one first. Default none: the system's ([`Resolver::with_servers`](super::Resolver::with_servers)).
    pub dns: Vec<SocketAddr>,
    /// A connection without traffic is probed after this time, so that a peer that vanished is noticed. Default 60 s; zero:
    /// never.
    pub tcp_keep_alive: Duration,
}

impl DriverConfig {
    /// No sockets yet, default bounds.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            udp: Vec::new(),
            #[cfg(feature = "sim")]
            network: None,
            udp_ranges: Vec::new(),
            tcp: Vec::new(),
            #[cfg(feature = "tls")]
            tls: Vec::new(),
            #[cfg(feature = "tls")]
            tls_config: None,
            #[cfg(feature = "ws")]
            ws: Vec::new(),
            #[cfg(all(feature = "tls", feature = "ws"))]
            wss: Vec::new(),
            #[cfg(feature = "ws")]
            websocket: super::WebSocketConfig::new(),
            handshake_limit: Duration::from_secs(10),
            max_handshakes: 512,
            dual_stack: None,
            dscp: 0,
            seed: None,
            connect_limit: Duration::from_secs(10),
            write_limit: Duration::from_secs(30),
            write_queue: 256,
            read_queue: 1024,
            socket_buffer: 1 << 20,
            max_routes: 16_384,
            former_port: Duration::from_secs(32),
            dns: Vec::new(),
            tcp_keep_alive: Duration::from_secs(60),
        }
    }

    /// Whether no socket and no listener is wanted.
    #[must_use]
    pub fn binds_nothing(&self) -> bool {
        self.udp.is_empty()
            && self.udp_ranges.is_empty()
            && self.tcp.is_empty()
            && self.dual_stack.is_none()
            && self.upgraded().is_empty()
    }

    /// One more UDP socket.
    #[must_use]
    pub fn udp(mut self, address: SocketAddr) -> Self {
        self.udp.push(address);
        self
    }

    /// Binds the sockets of [`DriverConfig::udp`] in this network in memory.
    #[cfg(feature = "sim")]
    #[must_use]
    pub fn network(mut self, network: super::MemoryNetwork) -> Self {
        self.network = Some(network);
        self
    }

    /// One more UDP socket, at a port drawn from a range; [`Io::rebind`](super::Io::rebind) changes to another of it.
    #[must_use]
    pub fn udp_range(mut self, ip: IpAddr, ports: RangeInclusive<u16>) -> Self {
        self.udp_ranges.push(PortRange { ip, ports });
        self
    }

    /// One more TCP listener.
    #[must_use]
    pub fn tcp(mut self, address: SocketAddr) -> Self {
        self.tcp.push(address);
        self
    }

    /// One more TLS listener.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, address: SocketAddr) -> Self {
        self.tls.push(address);
        self
    }

    /// Whom TLS trusts and who we are.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: super::TlsConfig) -> Self {
        self.tls_config = Some(config);
        self
    }

    /// One more WebSocket listener.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn ws(mut self, address: SocketAddr) -> Self {
        self.ws.push(address);
        self
    }

    /// One more listener for secure WebSocket.
    #[cfg(all(feature = "tls", feature = "ws"))]
    #[must_use]
    pub fn wss(mut self, address: SocketAddr) -> Self {
        self.wss.push(address);
        self
    }

    /// How WebSocket is spoken.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn websocket(mut self, config: super::WebSocketConfig) -> Self {
        self.websocket = config;
        self
    }

    /// The listeners above TCP.
    pub(super) fn upgraded(&self) -> Vec<(Protocol, SocketAddr)> {
        #[allow(unused_mut, reason = "without TLS and WebSocket there is none")]
        let mut wanted = Vec::new();
        #[cfg(feature = "tls")]
        wanted.extend(self.tls.iter().map(|address| (Protocol::Tls, *address)));
        #[cfg(feature = "ws")]
        wanted.extend(self.ws.iter().map(|address| (Protocol::Ws, *address)));
        #[cfg(all(feature = "tls", feature = "ws"))]
        wanted.extend(self.wss.iter().map(|address| (Protocol::Wss, *address)));
        wanted
    }

    /// UDP and TCP at this port, IPv4 and IPv6.
    #[must_use]
    pub const fn dual_stack(mut self, port: u16) -> Self {
        self.dual_stack = Some(port);
        self
    }

    /// The DSCP of what is sent.
    #[must_use]
    pub const fn dscp(mut self, dscp: u8) -> Self {
        self.dscp = dscp;
        self
    }
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self::new()
    }
}
