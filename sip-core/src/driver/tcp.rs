//! TCP: listeners, and connects with a limit.

use super::stream::{Established, Link, report_down};
use super::{Arrival, DriverConfig, at_address, flow_error, set_dscp};
use sidetone_hal::net::{FlowId, SocketAddr};
use sidetone_hal::time::Duration;
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};
use std::io;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Between the probes of a connection without traffic, and how many go unanswered before it has broken.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;
/// Pause after a failed accept: as a rule the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening socket.
pub(super) struct Listener {
    pub(super) local: SocketAddr,
    listener: TcpListener,
    options: Options,
}

/// What every connection is made with.
#[derive(Clone, Copy)]
pub(super) struct Options {
    /// How long it may take to come up.
    limit: Duration,
    keep_alive: Duration,
    dscp: u8,
}

impl From<&DriverConfig> for Options {
    fn from(config: &DriverConfig) -> Self {
        Self { limit: config.connect_limit, keep_alive: config.tcp_keep_alive, dscp: config.dscp }
    }
}

impl Listener {
    pub(super) fn bind(address: SocketAddr, config: &DriverConfig) -> io::Result<Self> {
        let open = || {
            let socket =
                socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            // A restarted server takes its port back while old connections linger; on Windows it means another thing.
            #[cfg(unix)]
            socket.set_reuse_address(true)?;
            // So that the answer to a SYN has it too.
            set_dscp(&SockRef::from(&socket), address.is_ipv6(), config.dscp)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            let listener = TcpListener::from_std(socket.into())?;
            Ok(Self { local: listener.local_addr()?, listener, options: config.into() })
        };
        open().map_err(at_address(address, "TCP"))
    }

    /// Accepts from now on.
    pub(super) fn start(self, inbox: mpsc::Sender<Arrival>, tasks: &mut JoinSet<()>) {
        tasks.spawn(async move {
            loop {
                match self.listener.accept().await {
                    Ok((stream, remote)) => {
                        let Ok(accepted) = prepared(stream, remote, self.options) else { continue };
                        if inbox.send(Arrival::Accepted(accepted)).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::debug!(local = %self.local, %error, "accepting failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        });
    }
}

/// A connection with the options that every one has.
fn prepared(stream: TcpStream, remote: SocketAddr, options: Options) -> io::Result<Established> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    set_dscp(&socket, remote.is_ipv6(), options.dscp)?;
    if !options.keep_alive.is_zero() {
        let probes = TcpKeepalive::new().with_time(options.keep_alive);
        #[cfg(unix)]
        let probes = probes.with_interval(PROBE_INTERVAL).with_retries(PROBES);
        // Only helps to notice a dead peer sooner.
        let _ = socket.set_tcp_keepalive(&probes);
    }
    let local = stream.local_addr()?;
    Ok(Established {
        protocol: sidetone_hal::net::Protocol::Tcp,
        local,
        remote,
        link: Link::Tcp(stream),
        #[cfg(feature = "tls")]
        session: None,
    })
}

/// Connects; the outcome is reported to `inbox`.
pub(super) async fn connect(
    flow: FlowId,
    remote: SocketAddr,
    options: Options,
    inbox: mpsc::Sender<Arrival>,
) {
    match open(remote, options).await {
        // Nobody listens any more when the driver is gone.
        Ok(connected) => drop(inbox.send(Arrival::Connected(flow, connected)).await),
        Err(error) => report_down(flow, flow_error(&error), &inbox).await,
    }
}

/// A connection to `remote`, within the limit.
pub(super) async fn open(remote: SocketAddr, options: impl Into<Options>) -> io::Result<Established> {
    let options = options.into();
    let socket = if remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // So that the SYN has it too.
    set_dscp(&SockRef::from(&socket), remote.is_ipv6(), options.dscp)?;
    let connected = timeout(options.limit, socket.connect(remote)).await;
    let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    prepared(stream, remote, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[allow(irrefutable_let_patterns, reason = "without TLS and WebSocket there is one link only")]
    async fn both_ends_carry_the_dscp_and_are_probed() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let mut config = DriverConfig::new().dscp(26);
            config.tcp_keep_alive = Duration::from_secs(7);
            let listener = Listener::bind(local.parse().unwrap(), &config).unwrap();
            let to = listener.local;
            let (inbox, mut arrivals) = mpsc::channel(1);
            let mut tasks = JoinSet::new();
            listener.start(inbox, &mut tasks);
            let connected = open(to, &config).await.unwrap();
            let Some(Arrival::Accepted(accepted)) = arrivals.recv().await else { panic!() };
            assert_eq!((connected.remote, connected.local), (to, accepted.remote));
            for end in [connected, accepted] {
                let Link::Tcp(stream) = end.link else { panic!() };
                let socket = SockRef::from(&stream);
                let class = if to.is_ipv4() { socket.tos_v4() } else { socket.tclass_v6() };
                assert_eq!(class.unwrap() >> 2, 26);
                assert!(socket.keepalive().unwrap());
                assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(7));
                assert!(socket.tcp_nodelay().unwrap());
            }
        }
    }
}
