//! What a TCP connection becomes before SIP is spoken: TLS, WebSocket, or both. Handshakes go on beside each other,
//! their number and time have a limit, and none holds up a listener.

#[cfg(any(feature = "tls", feature = "ws"))]
use super::stream::Link;
use super::stream::{Established, report_down, stream_error};
use super::tcp::{self, Listener};
#[cfg(feature = "tls")]
use super::tls::{self, TlsHandle};
#[cfg(feature = "ws")]
use super::websocket::{self, WebSocketConfig};
use super::{Arrival, DriverConfig};
use crate::endpoint::Endpoint;
use crate::transport::FlowError;
#[cfg(any(feature = "tls", feature = "ws"))]
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::time::Duration;
use std::io;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The listeners above TCP, and what their handshakes need.
pub(super) struct Upgrades {
    means: Means,
    max_handshakes: usize,
    listeners: Vec<(Protocol, Listener)>,
    pub(super) listening: Vec<(Protocol, SocketAddr)>,
}

/// What a handshake needs.
#[derive(Clone)]
struct Means {
    limit: Duration,
    #[cfg(feature = "tls")]
    tls: TlsHandle,
    #[cfg(feature = "ws")]
    websocket: Arc<WebSocketConfig>,
}

impl Upgrades {
    /// Opens the listeners.
    pub(super) fn bind(config: &DriverConfig) -> io::Result<Self> {
        let wanted = config.upgraded();
        #[cfg(feature = "tls")]
        let tls = {
            let setup = config.tls_config.as_ref().map(tls::Setup::new).transpose().map_err(invalid)?;
            let can_listen = setup.as_ref().is_some_and(tls::Setup::can_listen);
            if !can_listen && wanted.iter().any(|(protocol, _)| protocol.is_secure()) {
                return Err(invalid(tls::TlsError::NoServerIdentity));
            }
            TlsHandle::new(setup)
        };
        let bind = |(protocol, address)| Listener::bind(address, config).map(|listener| (protocol, listener));
        let listeners = wanted.into_iter().map(bind).collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            means: Means {
                limit: config.handshake_limit,
                #[cfg(feature = "tls")]
                tls,
                #[cfg(feature = "ws")]
                websocket: Arc::new(config.websocket.clone()),
            },
            max_handshakes: config.max_handshakes.max(1),
            listening: listeners.iter().map(|(protocol, listener)| (*protocol, listener.local)).collect(),
            listeners,
        })
    }

    /// Accepts from now on.
    pub(super) fn attach(
        &mut self,
        endpoint: &mut Endpoint,
        inbox: &mpsc::Sender<Arrival>,
        tasks: &mut JoinSet<()>,
    ) {
        for (protocol, listener) in self.listeners.drain(..) {
            endpoint.listen(protocol, listener.local);
            // What is accepted goes on to its handshake at once, so that nothing waits here.
            let (sender, accepted) = mpsc::channel(1);
            listener.start(sender, tasks);
            let (means, inbox) = (self.means.clone(), inbox.clone());
            tasks.spawn(shake_hands(protocol, accepted, means, self.max_handshakes, inbox));
        }
    }

    /// A connect of any transport but TCP; the outcome is reported to `inbox`. None: nothing in this driver speaks it.
    pub(super) fn connect(
        &self,
        flow: FlowId,
        protocol: Protocol,
        remote: SocketAddr,
        domain: Option<Arc<str>>,
        config: &DriverConfig,
        inbox: mpsc::Sender<Arrival>,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let known = match protocol {
            Protocol::Udp | Protocol::Tcp => false,
            Protocol::Tls => cfg!(feature = "tls"),
            Protocol::Ws => cfg!(feature = "ws"),
            Protocol::Wss => cfg!(all(feature = "tls", feature = "ws")),
        };
        let (means, config) = (self.means.clone(), config.clone());
        known.then_some(async move {
            let connecting = async {
                let tcp = tcp::open(remote, &config).await.map_err(|error| stream_error(&error))?;
                let shaking = means.connect(protocol, tcp, domain.as_deref());
                timeout(means.limit, shaking).await.unwrap_or(Err(FlowError::TimedOut))
            };
            match connecting.await {
                // Nobody listens any more when the driver is gone.
                Ok(connected) => drop(inbox.send(Arrival::Connected(flow, connected)).await),
                Err(reason) => report_down(flow, reason, &inbox).await,
            }
        })
    }

    #[cfg(feature = "tls")]
    pub(super) const fn tls(&self) -> &TlsHandle {
        &self.means.tls
    }
}

#[cfg(feature = "tls")]
fn invalid(error: tls::TlsError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

/// Takes what a listener accepted through its handshakes.
async fn shake_hands(
    protocol: Protocol,
    mut accepted: mpsc::Receiver<Arrival>,
    means: Means,
    max: usize,
    inbox: mpsc::Sender<Arrival>,
) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = under_way.join_next() => {}
            arrival = accepted.recv() => match arrival {
                Some(Arrival::Accepted(tcp)) if under_way.len() < max => {
                    let (means, inbox) = (means.clone(), inbox.clone());
                    under_way.spawn(async move {
                        let remote = tcp.remote;
                        match timeout(means.limit, means.accept(protocol, tcp)).await {
                            // Nobody listens any more when the driver is gone.
                            Ok(Ok(done)) => drop(inbox.send(Arrival::Accepted(done)).await),
                            // Why is in the log already.
                            Ok(Err(_)) => {}
                            Err(_) => tracing::info!(%remote, %protocol, "the handshake took too long"),
                        }
                    });
                }
                Some(Arrival::Accepted(tcp)) => {
                    tracing::warn!(remote = %tcp.remote, %protocol, max, "too many handshakes are under way: refused");
                }
                Some(_) => {}
                None => return,
            },
        }
    }
}

impl Means {
    async fn accept(
        &self,
        protocol: Protocol,
        mut connection: Established,
    ) -> Result<Established, FlowError> {
        connection.protocol = protocol;
        #[cfg(feature = "tls")]
        if protocol.is_secure() {
            let Link::Tcp(stream) = connection.link else { return Err(FlowError::Handshake) };
            let setup = self.tls.ready().await.map_err(|error| unusable(&error))?;
            let stream = tls::accept(&setup, stream, connection.remote).await?;
            connection.session = Some(Arc::new(tls::session(&setup, &stream)));
            connection.link = Link::Tls(Box::new(stream));
        }
        #[cfg(feature = "ws")]
        if matches!(protocol, Protocol::Ws | Protocol::Wss) {
            let carrier = carrier(connection.link)?;
            let stream = websocket::accept(&self.websocket, carrier, connection.remote).await?;
            connection.link = Link::WebSocket(Box::new(stream), self.websocket.ping);
        }
        Ok(connection)
    }

    #[cfg_attr(
        not(any(feature = "tls", feature = "ws")),
        expect(unused_variables, reason = "there is nothing to connect with")
    )]
    async fn connect(
        &self,
        protocol: Protocol,
        mut connection: Established,
        domain: Option<&str>,
    ) -> Result<Established, FlowError> {
        connection.protocol = protocol;
        #[cfg(feature = "tls")]
        if protocol.is_secure() {
            let Link::Tcp(stream) = connection.link else { return Err(FlowError::Handshake) };
            let purpose = match protocol {
                #[cfg(feature = "ws")]
                Protocol::Wss => tls::Purpose::WebSocket,
                _ => tls::Purpose::Sip,
            };
            let setup = self.tls.ready().await.map_err(|error| unusable(&error))?;
            let stream = tls::connect(&setup, purpose, stream, connection.remote, domain).await?;
            connection.session = Some(Arc::new(tls::session(&setup, &stream)));
            connection.link = Link::Tls(Box::new(stream));
        }
        #[cfg(feature = "ws")]
        if matches!(protocol, Protocol::Ws | Protocol::Wss) {
            let (carrier, remote) = (carrier(connection.link)?, connection.remote);
            let secure = protocol.is_secure();
            let stream = websocket::connect(&self.websocket, carrier, remote, domain, secure).await?;
            connection.link = Link::WebSocket(Box::new(stream), self.websocket.ping);
        }
        Ok(connection)
    }
}

#[cfg(feature = "tls")]
fn unusable(error: &tls::TlsError) -> FlowError {
    tracing::warn!(%error, "TLS cannot be set up");
    FlowError::Handshake
}

#[cfg(feature = "ws")]
fn carrier(link: Link) -> Result<Box<dyn websocket::Carrier>, FlowError> {
    match link {
        Link::Tcp(stream) => Ok(Box::new(stream)),
        #[cfg(feature = "tls")]
        Link::Tls(stream) => Ok(stream),
        Link::WebSocket(..) => Err(FlowError::WebSocket),
    }
}
