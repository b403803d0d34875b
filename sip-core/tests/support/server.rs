//! A server that answers whatever is asked.

#![allow(dead_code, reason = "each test crate uses its part")]

use crate::party::{Party, bounded};
use core::net::SocketAddr;
use sidetone_sip_core::driver::{DriverConfig, PeerIdentity, TlsHandle, TlsSession};
use sidetone_sip_core::{Event, Protocol, Request, Source, StatusCode, Target};
use tokio::sync::{mpsc, oneshot};

/// What the server saw of a request.
pub(crate) struct Seen {
    pub(crate) request: Request,
    pub(crate) source: Source,
    pub(crate) session: Option<TlsSession>,
    pub(crate) peer: Option<PeerIdentity>,
}

/// Answers every request 200, in a task of its own.
pub(crate) struct Server {
    pub(crate) tls: TlsHandle,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    addresses: Vec<(Protocol, SocketAddr)>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    pub(crate) fn start(config: &DriverConfig) -> Self {
        let mut party = Party::new(config);
        let addresses = [Protocol::Udp, Protocol::Tcp, Protocol::Tls, Protocol::Ws, Protocol::Wss];
        let addresses = addresses.iter().flat_map(|protocol| {
            party.io.local_addresses(*protocol).into_iter().map(|address| (*protocol, address))
        });
        let addresses = addresses.collect();
        let tls = party.io.tls_handle();
        let (sender, seen) = mpsc::unbounded_channel();
        let (stop, mut stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    event = party.event() => event,
                    _ = &mut stopped => return,
                };
                let Event::Request { transaction, request, source } = event else { continue };
                let response = request.response(StatusCode::OK, Some("b"));
                party.endpoint.respond(party.io.now(), transaction, response).unwrap();
                let session = party.io.tls_session(source.flow).cloned();
                let peer = party.io.peer_identity(source.flow);
                // A test that looks at nothing of it has dropped the other end.
                let _ = sender.send(Seen { request, source, session, peer });
            }
        });
        Self { tls, seen, addresses, _stop: stop }
    }

    pub(crate) fn address(&self, protocol: Protocol) -> SocketAddr {
        self.addresses.iter().find(|(spoken, _)| *spoken == protocol).unwrap().1
    }

    pub(crate) fn target(&self, protocol: Protocol, domain: &str) -> Target {
        let target = Target::new(protocol, self.address(protocol));
        if domain.is_empty() { target } else { target.with_domain(domain) }
    }

    pub(crate) async fn next(&mut self) -> Seen {
        bounded(self.seen.recv()).await.unwrap()
    }
}
