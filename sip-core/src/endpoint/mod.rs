//! The façade: bytes in, matched messages and events out.
//!
//! Read RFC 3261 §17 and §18 first, then RFC 3581 and RFC 6026. Run it like every machine here: after each
//! `handle_…` or sending call, empty [`Endpoint::poll_transmit`], [`Endpoint::poll_flow`] and
//! [`Endpoint::poll_event`], then wait for input or for [`Endpoint::poll_timeout`]. `driver::Io` does the outer half.

mod event;
mod nat;
mod rate;
mod receive;

pub use event::{Counters, Event, SendError, WakeReason};
pub use nat::ViaOptions;
pub(crate) use receive::complete_via;

use crate::config::EndpointConfig;
use crate::header::{CSeq, CallId, From, HeaderName, MaxForwards, To, Via};
use crate::trace::Tap;
use crate::transaction::TransactionId;
use crate::transaction::client::Client;
use crate::transaction::client_invite::ClientInvite;
use crate::transaction::key::Keys;
use crate::transaction::layer::{Fallback, Layer, Machine, Opening};
use crate::transaction::timers::Timer;
use crate::transport::{FlowError, FlowRequest, Input, Path, Source, Target, Transports};
use crate::{Headers, Host, Method, Request, Response};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use rate::Rate;
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
    rate: Option<Rate>,
    /// Of answers to where a request came from.
    source_answers: Rate,
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
/// Stands between the two parts of a proxy's branch (RFC 5393 §4.2): the unique one, and the mark of a loop.
const LOOP_MARK: &str = ".";

impl Endpoint {
    /// An endpoint without sockets.
    #[must_use]
    pub fn new(config: EndpointConfig) -> Self {
        let mut rng = Rng::from_seed(config.seed);
        let keys = Keys::new(&mut rng);
        let digits = rng.hex::<12>();
        let name = format!("{}.invalid", core::str::from_utf8(&digits).unwrap_or_default());
        // Digits and a domain are a host name.
        let websocket_host = name.parse().unwrap_or(Host::V4(core::net::Ipv4Addr::UNSPECIFIED));
        Self {
            transports: Transports::new(&config, websocket_host),
            layer: Layer::new(config.timers, config.max_transactions),
            keys,
            rate: config.max_request_rate.map(Rate::new),
            source_answers: Rate::new(config.max_source_answers),
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

    /// Another socket takes this one's place: nothing new is sent from it and no Contact names it; the transactions
    /// that go this way go on. [`Endpoint::unbind`] follows when [`Endpoint::uses`] says no more.
    pub fn retire(&mut self, flow: FlowId) {
        self.transports.retire(flow);
    }

    /// A datagram socket is gone. Its transactions, if there are any, send nothing more.
    pub fn unbind(&mut self, flow: FlowId) {
        self.transports.unbind(flow);
    }

    /// Whether a transaction goes this way. Looks at every transaction when `flow` is a datagram socket from which no
    /// request of ours waits for its answer.
    #[must_use]
    pub fn uses(&self, flow: FlowId) -> bool {
        self.layer.uses(flow) || self.layer.uses_socket(flow)
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

    /// The other side of an accepted TLS or secure WebSocket connection has proved to be `domain`: its certificate was
    /// checked and is for it (RFC 5922 §7). From now on our requests to the other side's address with this
    /// [`Target::domain`](crate::Target) go over its connection, and with [`EndpointConfig::alias`] those to the port
    /// that its Via names (RFC 5923 §5). Without this an accepted secure connection carries none but responses and what
    /// names its flow.
    ///
    /// Called once for each domain of the certificate; a connection has 16 at most. False when the flow is no accepted
    /// secure connection, or has as many.
    pub fn set_peer(&mut self, flow: FlowId, domain: impl Into<Arc<str>>) -> bool {
        self.transports.set_peer(flow, domain.into())
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
                Input::Unreachable { .. } | Input::FlowUp { .. } | Input::FlowDown { .. } => {}
            }
        }
        match input {
            Input::Datagram { flow, source, payload } => self.handle_datagram(now, flow, source, payload),
            Input::Stream { flow, bytes } => self.handle_stream(now, flow, &bytes),
            Input::Frame { flow, payload } => self.handle_frame(now, flow, payload),
            Input::FlowUp { flow, local } => {
                self.transports.flow_up(now, flow, local);
            }
            Input::Unreachable { flow, destination, reason } => {
                self.layer.handle_unreachable(now, &mut self.transports, flow, destination, reason);
            }
            Input::FlowDown { flow, reason } => self.flow_down(now, flow, reason),
        }
    }

    /// Runs what is due; early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now, &mut self.transports);
        while let Some(flow) = self.transports.expire(now, |flow| self.layer.uses(flow)) {
            self.drop_flow(now, flow, FlowError::TimedOut);
        }
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
        let event = self.layer.reports.events.pop_front();
        // The queues go the way of the tables. Each lies where there was room when it grew, often above all that is free
        // now, and some allocators return memory from the end of their heap only.
        if event.is_none() && self.layer.is_bare() {
            self.layer.reports.events.shrink_to_fit();
            self.transports.give_queues_back();
        }
        event
    }

    /// When to call [`Endpoint::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, WakeReason)> {
        let transaction = self.layer.poll_timeout().map(|(at, timer)| (at, WakeReason::Transaction(timer)));
        transaction.soonest(self.transports.next_check())
    }

    /// Sends a request in a new client transaction. Adds a Via with branch and `rport`, and Max-Forwards when there
    /// is none; everything else is the caller's.
    ///
    /// A request over UDP that is longer than [`EndpointConfig::max_datagram`] goes over TCP, unless the target names
    /// its socket. When no connection comes up or it breaks before anything came back, the same transaction goes on over
    /// UDP (RFC 3261 §18.1.1), and TCP is not tried again for this address for 5 minutes.
    ///
    /// # Errors
    /// The request is not complete, is ACK or CANCEL, cannot go to the target, or there is no room.
    pub fn request(
        &mut self,
        now: Instant,
        request: Request,
        target: &Target,
    ) -> Result<TransactionId, SendError> {
        self.start(now, request, target, None, &ViaOptions::default())
    }

    /// [`Endpoint::request`] with a say in what its Via tells.
    ///
    /// # Errors
    /// Those of [`Endpoint::request`].
    pub fn request_with(
        &mut self,
        now: Instant,
        request: Request,
        target: &Target,
        options: &ViaOptions,
    ) -> Result<TransactionId, SendError> {
        self.start(now, request, target, None, options)
    }

    /// As [`Endpoint::request`], for a proxy that forwards `received` as `request`: the branch also tells, to us only,
    /// what the choice of the next hop hung on, so that [`Endpoint::is_looped`] knows the request when it comes back.
    ///
    /// # Errors
    /// Those of [`Endpoint::request`].
    pub fn forward(
        &mut self,
        now: Instant,
        received: &Request,
        request: Request,
        target: &Target,
    ) -> Result<TransactionId, SendError> {
        let mark = self.keys.loop_mark(received);
        self.start(now, request, target, Some(&mark), &ViaOptions::default())
    }

    /// RFC 3261 §16.3 step 4, RFC 5393 §4.2: whether a request that was received has been here by
    /// [`Endpoint::forward`] before, and nothing has changed since that could send it another way. A proxy answers it
    /// 482; one that has been here with another Request-URI or Route is a spiral, which is fine.
    #[must_use]
    pub fn is_looped(&self, received: &Request) -> bool {
        let mut ours = received.headers.all::<Via>().flatten().filter(|via| self.is_ours(via)).peekable();
        if ours.peek().is_none() {
            return false;
        }
        let mark = self.keys.loop_mark(received);
        ours.any(|via| {
            let part = via.branch().and_then(|branch| branch.rsplit_once(LOOP_MARK));
            part.is_some_and(|(_, part)| part == mark)
        })
    }

    fn start(
        &mut self,
        now: Instant,
        mut request: Request,
        target: &Target,
        mark: Option<&str>,
        options: &ViaOptions,
    ) -> Result<TransactionId, SendError> {
        if request.method == Method::ACK || request.method == Method::CANCEL {
            return Err(SendError::NotARequest(request.method));
        }
        check_complete(&request)?;
        if !self.layer.has_room() {
            return Err(SendError::TooManyTransactions);
        }
        let mut path = self.transports.route(now, target)?;
        let branch = self.new_branch(mark);
        let via = self.via(&path, &branch, options)?;
        request.headers.push_front(&via);
        if !request.headers.contains(&HeaderName::MAX_FORWARDS) {
            request.headers.push(&MaxForwards(MAX_FORWARDS));
        }
        let mut bytes: Arc<[u8]> = request.to_bytes().into();
        let mut fallback = None;
        if self.is_too_long(target, &bytes)
            && let Some((stream, long)) = self.switch(now, &mut request, target, &branch, options)
        {
            self.transports.counters.switched += 1;
            let until = now + self.layer.timers().duration(Timer::Switch, true);
            let waiting = (!self.transports.is_connected(Protocol::Tcp, target.address))
                .then(|| (until, Arc::clone(&long)));
            fallback = Some(Box::new(Fallback { request: bytes, path, waiting }));
            (path, bytes) = (stream, long);
        } else {
            self.transports.transmit(now, &mut path, &bytes)?;
        }
        let key = self.keys.client(&branch, &request.method);
        let opening = Opening { fallback, ..Opening::new(key, path) };
        let id = self.layer.insert(now, &mut self.transports, opening, |context| {
            if request.method == Method::INVITE {
                Machine::ClientInvite(ClientInvite::new(bytes, context))
            } else {
                Machine::Client(Client::new(bytes, context))
            }
        });
        id.ok_or(SendError::TooManyTransactions)
    }

    /// RFC 3261 §18.1.1: whether a message is too long for a datagram, and another way may be chosen.
    fn is_too_long(&self, target: &Target, bytes: &[u8]) -> bool {
        target.protocol == Protocol::Udp
            && target.flow.is_none()
            && self.config.max_datagram.is_some_and(|max| bytes.len() > max)
    }

    /// Sends a request over TCP that is too long for UDP, with a Via that says so; how it went and as what. `None` when
    /// that is not possible.
    fn switch(
        &mut self,
        now: Instant,
        request: &mut Request,
        target: &Target,
        branch: &str,
        options: &ViaOptions,
    ) -> Option<(Path, Arc<[u8]>)> {
        if !self.transports.may_try_stream(now, target.address) {
            return None;
        }
        let mut path = self.transports.route(now, &Target::new(Protocol::Tcp, target.address)).ok()?;
        let via = self.via(&path, branch, options).ok()?;
        request.headers.replace_first(&via);
        let bytes: Arc<[u8]> = request.to_bytes().into();
        self.transports.transmit(now, &mut path, &bytes).ok()?;
        Some((path, bytes))
    }

    /// Gives up an INVITE (RFC 3261 §9.1). The CANCEL goes out now or with the first provisional response; its own
    /// responses are kept from the caller. The INVITE still gets its final response: as a rule 487, a 2xx when they
    /// cross, [`Event::Failed`] after 64·T1 without one. A second call changes nothing.
    ///
    /// # Errors
    /// The transaction is no INVITE client transaction, or has its final response.
    pub fn cancel(&mut self, now: Instant, invite: TransactionId) -> Result<(), SendError> {
        self.cancel_with(now, invite, &Headers::new())
    }

    /// As [`Endpoint::cancel`]; the CANCEL carries these headers too: a Reason above all (RFC 3326), by which a telephone
    /// knows that it has missed nothing.
    ///
    /// # Errors
    /// As [`Endpoint::cancel`].
    pub fn cancel_with(
        &mut self,
        now: Instant,
        invite: TransactionId,
        headers: &Headers,
    ) -> Result<(), SendError> {
        let cancel = self.layer.with(now, &mut self.transports, invite, |machine, context| match machine {
            Machine::ClientInvite(machine) => machine.cancel(headers, context).map_err(|_| SendError::Final),
            _ => Err(SendError::NoTransaction),
        });
        if let Some(cancel) = cancel.ok_or(SendError::NoTransaction)?? {
            self.start_cancel(now, invite, &cancel);
        }
        Ok(())
    }

    /// Gives up a request other than INVITE before its final response, as when another server is asked instead: it is not
    /// sent again, and what still comes to it is an [`Event::StrayResponse`]. [`Event::Terminated`] follows. The other side
    /// learns nothing of it, for only an INVITE can be cancelled (RFC 3261 §9.1).
    ///
    /// # Errors
    /// The transaction is no client transaction of such a request, or has its final response.
    pub fn abandon(&mut self, now: Instant, request: TransactionId) -> Result<(), SendError> {
        let abandoned = self.layer.with(now, &mut self.transports, request, |machine, _| match machine {
            Machine::Client(machine) => machine.abandon().then_some(()).ok_or(SendError::Final),
            _ => Err(SendError::NoTransaction),
        });
        abandoned.ok_or(SendError::NoTransaction)?
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
    /// Proxies forward ACKs with it. An ACK that is too long for UDP goes over TCP if a connection is up: there is no
    /// transaction that could bring it back.
    ///
    /// # Errors
    /// The request is not an ACK or not complete, or cannot go to the target.
    pub fn send_ack(&mut self, now: Instant, ack: Request, target: &Target) -> Result<(), SendError> {
        self.send_ack_with(now, ack, target, &ViaOptions::default())
    }

    /// [`Endpoint::send_ack`] with a say in what its Via tells.
    ///
    /// # Errors
    /// Those of [`Endpoint::send_ack`].
    pub fn send_ack_with(
        &mut self,
        now: Instant,
        mut ack: Request,
        target: &Target,
        options: &ViaOptions,
    ) -> Result<(), SendError> {
        if ack.method != Method::ACK {
            return Err(SendError::NotARequest(ack.method));
        }
        check_complete(&ack)?;
        let mut path = self.transports.route(now, target)?;
        let branch = self.new_branch(None);
        let via = self.via(&path, &branch, options)?;
        ack.headers.push_front(&via);
        if !ack.headers.contains(&HeaderName::MAX_FORWARDS) {
            ack.headers.push(&MaxForwards(MAX_FORWARDS));
        }
        let bytes: Arc<[u8]> = ack.to_bytes().into();
        if self.is_too_long(target, &bytes)
            && self.transports.is_connected(Protocol::Tcp, target.address)
            && self.switch(now, &mut ack, target, &branch, options).is_some()
        {
            self.transports.counters.switched += 1;
            return Ok(());
        }
        Ok(self.transports.transmit(now, &mut path, &bytes)?)
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

    /// What we call ourselves in Via on WebSocket connections that we made, and should in Contact: a name that exists
    /// nowhere (RFC 7118 §5.2, appendix A).
    #[must_use]
    pub const fn websocket_host(&self) -> &Host {
        self.transports.websocket_host()
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        let flows = &self.transports.counters;
        let mut counters = self.layer.reports.counters;
        counters.switched = flows.switched;
        counters.flows_refused = flows.flows_refused;
        counters.flows_idle = flows.flows_idle;
        counters.flows_stalled = flows.flows_stalled;
        counters
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
            self.layer.insert(now, &mut self.transports, Opening::new(key, path).silent(), |context| {
                Machine::Client(Client::new(bytes, context))
            });
        }
    }

    /// RFC 3261 §8.1.1.7: a branch that nobody has used and nobody can guess.
    fn new_branch(&mut self, mark: Option<&str>) -> String {
        let random = self.rng.hex::<20>();
        let random = core::str::from_utf8(&random).unwrap_or_default();
        match mark {
            Some(mark) => format!("{}{random}{LOOP_MARK}{mark}", Via::MAGIC_COOKIE),
            None => format!("{}{random}", Via::MAGIC_COOKIE),
        }
    }

    /// Our Via for a request on this path.
    fn via(&mut self, path: &Path, branch: &str, options: &ViaOptions) -> Result<Via, SendError> {
        let (host, port) = self.transports.sent_by(path).ok_or(SendError::NoLocalAddress(path.protocol))?;
        let mut via = Via::new(path.protocol, host, port);
        via.set_branch(branch);
        options.apply(&mut via);
        if let Some(public) = options.sent_by {
            self.transports.add_public(public);
        }
        if self.config.alias && matches!(path.protocol, Protocol::Tcp | Protocol::Tls) {
            via.params.set_flag("alias");
        }
        Ok(via)
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
