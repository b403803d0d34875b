//! The façade: bytes in, matched messages and events out.
//!
//! Read RFC 3261 §17 and §18 first, then RFC 3581 and RFC 6026. Run it like every machine here: after each
//! `handle_…` or sending call, empty [`Endpoint::poll_transmit`], [`Endpoint::poll_flow`] and
//! [`Endpoint::poll_event`], then wait for input or for [`Endpoint::poll_timeout`]. `driver::Io` does the outer half.

mod event;
mod receive;

pub use event::{Counters, Event, SendError, WakeReason};

use crate::config::EndpointConfig;
use crate::header::{CSeq, CallId, From, HeaderName, MaxForwards, To, Via};
use crate::trace::Tap;
use crate::transaction::TransactionId;
use crate::transaction::client::Client;
use crate::transaction::client_invite::ClientInvite;
use crate::transaction::key::Keys;
use crate::transaction::layer::{Layer, Machine};
use crate::transport::{FlowError, FlowRequest, Input, Path, Source, Target, Transports};
use crate::{Method, Request, Response};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use sidetone_hal::net::{FlowId, IpAddr, Protocol, SocketAddr, Transmit};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;

/// Transactions and transports of one SIP element: a telephone, a proxy, a registrar.
///
/// ```
/// use sidetone_sip_core::{Endpoint, EndpointConfig, Event, Input, Instant, Protocol, StatusCode};
/// let now = Instant::ZERO;
/// let mut endpoint = Endpoint::new(EndpointConfig::new([7; 32]));
/// let flow = endpoint.bind(Protocol::Udp, "192.0.2.1:5060".parse()?);
/// let payload = "OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1\r\n\
///                From: <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: 7\r\nCSeq: 1 OPTIONS\r\n\r\n";
/// endpoint.handle_input(now, Input::Datagram { flow, source: "192.0.2.2:5060".parse()?, payload: payload.into() });
/// if let Some(Event::Request { transaction, request, .. }) = endpoint.poll_event() {
///     endpoint.respond(now, transaction, request.response(StatusCode::OK, Some("tag")))?;
/// }
/// let transmit = endpoint.poll_transmit().expect("the answer");
/// assert!(transmit.payload.starts_with(b"SIP/2.0 200 OK\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Endpoint {
    config: EndpointConfig,
    transports: Transports,
    layer: Layer,
    keys: Keys,
    rng: Rng,
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint")
            .field("transactions", &self.layer.len())
            .field("flows", &self.transports.flow_count())
            .field("counters", &self.layer.reports.counters)
            .finish_non_exhaustive()
    }
}

/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS: u8 = 70;

impl Endpoint {
    /// An endpoint without sockets.
    #[must_use]
    pub fn new(config: EndpointConfig) -> Self {
        let mut rng = Rng::from_seed(config.seed);
        Self {
            transports: Transports::new(&config),
            layer: Layer::new(config.timers, config.max_transactions),
            keys: Keys::new(&mut rng),
            rng,
            config,
        }
    }

    /// A datagram socket exists. `local` is what Via and Contact name; with an unspecified IP address, the address
    /// comes from [`Endpoint::set_route`].
    pub fn bind(&mut self, protocol: Protocol, local: SocketAddr) -> FlowId {
        self.transports.bind(protocol, local)
    }

    /// Somebody listens for stream connections at `local`, so that Via and Contact can name it.
    pub fn listen(&mut self, protocol: Protocol, local: SocketAddr) {
        self.transports.bind(protocol, local);
    }

    /// A listener accepted a connection. `None`: there are too many, close it.
    pub fn accept(
        &mut self,
        now: Instant,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<FlowId> {
        self.transports.accept(now, protocol, local, remote)
    }

    /// `local` is our address on the way to `remote`; matters to sockets bound to every address. An unspecified
    /// `remote` stands for every other address of its family.
    pub fn set_route(&mut self, remote: IpAddr, local: IpAddr) {
        self.transports.set_route(remote, local);
    }

    /// Whether [`Endpoint::set_route`] was called for this very address.
    #[must_use]
    pub fn has_route(&self, remote: IpAddr) -> bool {
        self.transports.has_route(remote)
    }

    /// Shows every message sent and received to `tap` from now on; `None` shows them to nobody.
    pub fn set_tap(&mut self, tap: Option<Box<dyn Tap>>) {
        self.transports.set_tap(tap);
    }

    /// Something came in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        if self.layer.reports.events.len().max(self.transports.backlog()) >= self.config.max_backlog {
            match input {
                Input::Datagram { .. } => {
                    self.layer.reports.counters.overflowed += 1;
                    return;
                }
                Input::Stream { flow, .. } | Input::Frame { flow, .. } => {
                    // A stream with a hole is no stream any more.
                    self.layer.reports.counters.overflowed += 1;
                    self.drop_flow(now, flow, FlowError::Overflow);
                    return;
                }
                Input::FlowUp { .. } | Input::FlowDown { .. } => {}
            }
        }
        match input {
            Input::Datagram { flow, source, payload } => self.handle_datagram(now, flow, source, payload),
            Input::Stream { flow, bytes } => self.handle_stream(now, flow, &bytes),
            Input::Frame { flow, payload } => self.handle_frame(now, flow, payload),
            Input::FlowUp { flow, local } => {
                self.transports.flow_up(now, flow, local);
            }
            Input::FlowDown { flow, reason } => self.flow_down(now, flow, reason),
        }
    }

    /// Runs what is due; early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now, &mut self.transports);
        let layer = &self.layer;
        self.transports.expire_idle(now, |flow| layer.uses(flow));
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transports.poll_transmit()
    }

    /// The next connection to make or close.
    pub fn poll_flow(&mut self) -> Option<FlowRequest> {
        self.transports.poll_flow()
    }

    /// The next thing that the layer above should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.layer.reports.events.pop_front()
    }

    /// When to call [`Endpoint::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, WakeReason)> {
        let transaction = self.layer.poll_timeout().map(|(at, timer)| (at, WakeReason::Transaction(timer)));
        transaction.soonest(self.transports.next_idle().map(|at| (at, WakeReason::Idle)))
    }

    /// Sends a request in a new client transaction. Adds a Via with branch and `rport`, and Max-Forwards when there
    /// is none; everything else is the caller's.
    ///
    /// # Errors
    /// The request is not complete, is ACK or CANCEL, cannot go to the target, or there is no room.
    pub fn request(
        &mut self,
        now: Instant,
        mut request: Request,
        target: &Target,
    ) -> Result<TransactionId, SendError> {
        if request.method == Method::ACK || request.method == Method::CANCEL {
            return Err(SendError::NotARequest(request.method));
        }
        check_complete(&request)?;
        if !self.layer.has_room() {
            return Err(SendError::TooManyTransactions);
        }
        let mut path = self.transports.route(now, target)?;
        let branch = self.push_via(&mut request, &path)?;
        if !request.headers.contains(&HeaderName::MAX_FORWARDS) {
            request.headers.push(&MaxForwards(MAX_FORWARDS));
        }
        let bytes: Arc<[u8]> = request.to_bytes().into();
        self.transports.transmit(now, &mut path, &bytes)?;
        let key = self.keys.client(&branch, &request.method);
        let id = self.layer.insert(now, &mut self.transports, key, path, false, |context| {
            if request.method == Method::INVITE {
                Machine::ClientInvite(ClientInvite::new(&request, bytes, context))
            } else {
                Machine::Client(Client::new(bytes, context))
            }
        });
        id.ok_or(SendError::TooManyTransactions)
    }

    /// Gives up an INVITE (RFC 3261 §9.1). The CANCEL goes out now or with the first provisional response; its own
    /// responses are kept from the caller. The INVITE still gets its final response: as a rule 487, a 2xx when they
    /// cross, [`Event::Failed`] after 64·T1 without one. A second call changes nothing.
    ///
    /// # Errors
    /// The transaction is no INVITE client transaction, or has its final response.
    pub fn cancel(&mut self, now: Instant, invite: TransactionId) -> Result<(), SendError> {
        let cancel = self.layer.with(now, &mut self.transports, invite, |machine, context| match machine {
            Machine::ClientInvite(machine) => machine.cancel(context).map_err(|_| SendError::Final),
            _ => Err(SendError::NoTransaction),
        });
        if let Some(cancel) = cancel.ok_or(SendError::NoTransaction)?? {
            self.start_cancel(now, invite, &cancel);
        }
        Ok(())
    }

    /// Answers a server transaction. After a 2xx to an INVITE, further 2xx may follow until timer L (RFC 6026): the
    /// layer above repeats them until the ACK (RFC 3261 §13.3.1.4).
    ///
    /// A 408 to another request than INVITE is not sent, and ends the transaction (RFC 4320 §4.2).
    ///
    /// # Errors
    /// There is no such server transaction, it has its final response, the response is provisional to a request
    /// that is not INVITE (other than 100, RFC 4320 §4.1), or it cannot be sent.
    pub fn respond(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        response: Response,
    ) -> Result<(), SendError> {
        let sent =
            self.layer.with(now, &mut self.transports, transaction, |machine, context| match machine {
                Machine::ServerInvite(machine) => machine.respond(&response, context),
                Machine::Server(machine) => machine.respond(&response, context),
                _ => Err(SendError::NoTransaction),
            });
        sent.ok_or(SendError::NoTransaction)?
    }

    /// Sends an ACK to a 2xx (RFC 3261 §13.2.2.4): no transaction. Adds a Via, and Max-Forwards when there is none.
    /// Proxies forward ACKs with it.
    ///
    /// # Errors
    /// The request is not an ACK or not complete, or cannot go to the target.
    pub fn send_ack(&mut self, now: Instant, mut ack: Request, target: &Target) -> Result<(), SendError> {
        if ack.method != Method::ACK {
            return Err(SendError::NotARequest(ack.method));
        }
        check_complete(&ack)?;
        let mut path = self.transports.route(now, target)?;
        self.push_via(&mut ack, &path)?;
        if !ack.headers.contains(&HeaderName::MAX_FORWARDS) {
            ack.headers.push(&MaxForwards(MAX_FORWARDS));
        }
        Ok(self.transports.transmit(now, &mut path, &ack.to_bytes().into())?)
    }

    /// Sends a response by its top Via, without a transaction (RFC 3261 §18.2.2): what a stateless element and a
    /// proxy with a late 2xx do. `source` is where the request came from, when that is known.
    ///
    /// # Errors
    /// The top Via does not say where to, or it cannot be sent there.
    pub fn send_response(
        &mut self,
        now: Instant,
        response: &Response,
        source: Option<&Source>,
    ) -> Result<(), SendError> {
        let via = response.headers.require::<Via>()?;
        let mut path = match source {
            Some(source) => receive::path_back(source, &via),
            None => {
                let target = receive::target_of(&via).ok_or(SendError::Flow(FlowError::Unreachable))?;
                self.transports.route(now, &target)?
            }
        };
        Ok(self.transports.transmit(now, &mut path, &response.to_bytes().into())?)
    }

    /// The address to name in Contact and Via: of the socket or listener for `protocol` that suits `toward` best.
    /// `None` when nothing is bound that could reach it, or its address is not known.
    #[must_use]
    pub fn local_address(&self, protocol: Protocol, toward: Option<SocketAddr>) -> Option<SocketAddr> {
        self.transports.local_address(protocol, toward.map(|toward| toward.ip()))
    }

    /// Closes a connection; the client transactions that wait on it fail.
    pub fn close(&mut self, now: Instant, flow: FlowId) {
        self.drop_flow(now, flow, FlowError::Closed);
    }

    /// Transactions alive, those of CANCEL too.
    #[must_use]
    pub fn transaction_count(&self) -> usize {
        self.layer.len()
    }

    /// Stream connections, those on their way up too.
    #[must_use]
    pub fn flow_count(&self) -> usize {
        self.transports.flow_count()
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.layer.reports.counters
    }

    /// The endpoint's generator, for tags and Call-IDs of the layer above.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Closes a connection from our side.
    fn drop_flow(&mut self, now: Instant, flow: FlowId, error: FlowError) {
        if self.transports.close(flow) {
            self.layer.handle_flow_down(now, &mut self.transports, flow, error, true);
        }
    }

    fn flow_down(&mut self, now: Instant, flow: FlowId, reason: FlowError) {
        let Some(was_up) = self.transports.stream_mut(flow).map(|stream| stream.is_up()) else { return };
        self.transports.flow_down(flow);
        self.layer.handle_flow_down(now, &mut self.transports, flow, reason, was_up);
    }

    /// The CANCEL is a transaction that nobody above knows, on the way of its INVITE.
    fn start_cancel(&mut self, now: Instant, invite: TransactionId, cancel: &Request) {
        let Some(mut path) = self.layer.path(invite) else { return };
        let Some(Ok(via)) = cancel.headers.get::<Via>() else { return };
        let bytes: Arc<[u8]> = cancel.to_bytes().into();
        if self.transports.transmit(now, &mut path, &bytes).is_ok() {
            let key = self.keys.client(via.branch().unwrap_or_default(), &Method::CANCEL);
            // Without room the CANCEL went out once, which is what can be done.
            self.layer.insert(now, &mut self.transports, key, path, true, |context| {
                Machine::Client(Client::new(bytes, context))
            });
        }
    }

    /// RFC 3261 §8.1.1.7 and RFC 3581 §3: our Via on top. Its branch.
    fn push_via(&mut self, request: &mut Request, path: &Path) -> Result<String, SendError> {
        let local = self.transports.sent_by(path).ok_or(SendError::NoLocalAddress(path.protocol))?;
        let random = self.rng.hex::<20>();
        let branch = format!("{}{}", Via::MAGIC_COOKIE, core::str::from_utf8(&random).unwrap_or_default());
        let mut via = Via::new(path.protocol, local.ip(), Some(local.port()));
        via.set_branch(&branch);
        via.set_rport(None);
        request.headers.push_front(&via);
        Ok(branch)
    }
}

/// RFC 3261 §8.1.1: what every request has.
fn check_complete(request: &Request) -> Result<(), SendError> {
    request.headers.require::<From>()?;
    request.headers.require::<To>()?;
    request.headers.require::<CallId>()?;
    if request.headers.require::<CSeq>()?.method != request.method {
        return Err(SendError::CSeqMethod(request.method.clone()));
    }
    Ok(())
}
