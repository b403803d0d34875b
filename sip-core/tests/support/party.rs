//! An endpoint with its sockets, and a server that answers whatever is asked.

#![allow(dead_code, reason = "each test crate uses its part")]

use core::net::SocketAddr;
use sidetone_hal::time::Duration;
use sidetone_sip_core::driver::{self, DriverConfig, Io, IoEvent, PeerIdentity, TlsHandle, TlsSession};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowError, Protocol, Request, Response, Source, StatusCode, Target,
    TransactionFailure,
};
use tokio::sync::{mpsc, oneshot};

pub(crate) const BOUND: Duration = Duration::from_secs(30);

pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("the event came within the bound")
}

pub(crate) struct Party {
    pub(crate) endpoint: Endpoint,
    pub(crate) io: Io,
}

impl Party {
    pub(crate) fn new(config: &DriverConfig) -> Self {
        let mut endpoint = Endpoint::new(EndpointConfig::new(driver::seed()));
        let mut io = Io::bind(config).unwrap();
        io.attach(&mut endpoint);
        Self { endpoint, io }
    }

    /// One wake-up.
    pub(crate) async fn turn(&mut self) {
        let deadline = self.endpoint.poll_timeout().map(|(at, _)| at);
        match self.io.next(&mut self.endpoint, deadline).await {
            IoEvent::Input(input) => self.endpoint.handle_input(self.io.now(), input),
            IoEvent::Timeout => self.endpoint.handle_timeout(self.io.now()),
        }
    }

    /// The next event that is not the end of a transaction.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            match self.endpoint.poll_event() {
                Some(Event::Terminated { .. }) => {}
                Some(event) => return event,
                None => self.turn().await,
            }
        }
    }

    /// Sends a request, and waits for its final response.
    pub(crate) async fn ask(
        &mut self,
        request: Request,
        target: &Target,
    ) -> Result<(Response, Source), FlowError> {
        self.endpoint.request(self.io.now(), request, target).unwrap();
        loop {
            match bounded(self.event()).await {
                Event::Response { response, .. } if !response.status.is_final() => {}
                Event::Response { response, source, .. } => return Ok((response, source)),
                Event::Failed { cause: TransactionFailure::Transport(reason), .. } => return Err(reason),
                other => panic!("{other:?}"),
            }
        }
    }
}

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
