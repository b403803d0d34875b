//! The client of a Binding: one transaction at a time, over datagrams and streams (RFC 8489 §6.2, §6.3.3, §6.3.4, §9).

use super::attribute::nonce_features;
use super::{
    AttributeType, BuildError, Builder, Class, ErrorCode, Key, Message, Method, PasswordAlgorithm,
    TransactionId, user_hash,
};
use crate::auth::Secret;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use sidetone_hal::net::{FlowId, SocketAddr, Transmit};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest as _;

/// Settings of a [`Client`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// RTO: the first wait before a request is repeated over datagrams; each further wait is twice as long. Default
    /// 500 ms.
    pub rto: Duration,
    /// Rc: how often a request is sent at most. Default 7.
    pub rc: u32,
    /// Rm: after the last time, this many RTO are waited for an answer. Default 16, which makes 39.5 s in all.
    pub rm: u32,
    /// Ti: how long an answer over a stream is waited for. Default 39.5 s.
    pub ti: Duration,
    /// Write FINGERPRINT. Default false: on a port shared with SIP nothing needs it.
    pub fingerprint: bool,
    /// Leave out the magic cookie, as RFC 3489 has it. Default false: servers of that time answer the newer form too.
    pub classic: bool,
    /// SOFTWARE of requests. Default none.
    pub software: Option<String>,
    /// What to sign with. Default none.
    pub credentials: Option<Credentials>,
    /// ALTERNATE-SERVER (RFC 8489 §10) is followed so often at most. Default 3.
    pub redirects: u8,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            rto: Duration::from_millis(500),
            rc: 7,
            rm: 16,
            ti: Duration::from_millis(39_500),
            fingerprint: false,
            classic: false,
            software: None,
            credentials: None,
            redirects: 3,
        }
    }
}

/// What requests are signed with. A [`Secret`] that holds only hashes does not serve.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credentials {
    /// For this one session (§9.1): every request is signed.
    ShortTerm {
        /// USERNAME.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// A subscription (§9.2): requests are signed once the server asked for it, by its realm and nonce.
    LongTerm {
        /// USERNAME.
        username: String,
        /// Its password.
        password: Secret,
    },
}

/// How a Binding ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server saw the request come from this address.
    Mapped {
        /// The server that answered, which is another one after a redirection.
        server: SocketAddr,
        /// Our address as the server sees it.
        address: SocketAddr,
    },
    /// There is no answer that says so.
    Failed {
        /// The server that was asked last.
        server: SocketAddr,
        /// Why.
        error: ClientError,
    },
}

/// Why there is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No answer came in time.
    #[error("no answer in time")]
    Timeout,
    /// The server refused.
    #[error("refused: {code} {reason}")]
    Refused {
        /// The error code, 300 to 699.
        code: u16,
        /// In the server's words.
        reason: String,
    },
    /// The server wants credentials, other ones, or some that we cannot give.
    #[error("the server does not accept our credentials")]
    Unauthorized,
    /// The answer has no address, or attributes that have to be understood and are not.
    #[error("the answer cannot be used")]
    Unusable,
    /// The request would be too long.
    #[error("the request cannot be written: {0}")]
    Build(#[from] BuildError),
    /// The connection is gone.
    #[error("the connection is gone")]
    Disconnected,
}

/// What a server asked for in a 401 or 438.
#[derive(Clone)]
struct Demand {
    realm: String,
    nonce: String,
    /// PASSWORD-ALGORITHMS as it came, to be given back, and our choice of it.
    algorithms: Option<(Vec<u8>, PasswordAlgorithm)>,
    anonymous: bool,
}

/// The transaction under way.
struct Pending {
    flow: FlowId,
    destination: SocketAddr,
    reliable: bool,
    id: TransactionId,
    bytes: Arc<[u8]>,
    key: Option<Key>,
    sent: u32,
    repeat_at: Option<Instant>,
    give_up_at: Instant,
}

/// Asks a server for our address. One question at a time; each ends in exactly one [`ClientEvent`], unless it is
/// abandoned.
///
/// ```
/// use sidetone_sip_core::nat::stun::{Client, ClientConfig};
/// use sidetone_sip_core::{FlowId, Instant, Rng};
/// let mut client = Client::new(ClientConfig::default(), Rng::from_u64(7));
/// client.start(Instant::ZERO, FlowId(1), "192.0.2.3:3478".parse().unwrap(), false);
/// assert_eq!(client.poll_transmit().unwrap().payload.len(), 20);
/// assert_eq!(client.poll_timeout(), Some(Instant::from_millis(500)));
/// ```
pub struct Client {
    config: ClientConfig,
    rng: Rng,
    pending: Option<Pending>,
    /// Remembered from one transaction to the next (§9.2.2), for one server.
    demand: Option<(SocketAddr, Demand)>,
    /// Challenges answered for the question under way.
    challenges: u8,
    redirected: Vec<SocketAddr>,
    transmit: Option<Transmit>,
    event: Option<ClientEvent>,
}

/// A 401, and a 438 for a nonce that aged at the same time.
const MAX_CHALLENGES: u8 = 2;
/// Octets of a server's reason phrase that are kept.
const MAX_REASON: usize = 128;

impl Client {
    /// A client that asks nothing yet.
    #[must_use]
    pub const fn new(config: ClientConfig, rng: Rng) -> Self {
        Self {
            config,
            rng,
            pending: None,
            demand: None,
            challenges: 0,
            redirected: Vec::new(),
            transmit: None,
            event: None,
        }
    }

    /// Asks `destination`, over a datagram socket or, `reliable`, over a connection. A question under way is abandoned.
    pub fn start(&mut self, now: Instant, flow: FlowId, destination: SocketAddr, reliable: bool) {
        self.stop();
        self.send(now, flow, destination, reliable);
    }

    /// Abandons the question under way, and its event.
    pub fn stop(&mut self) {
        self.pending = None;
        self.transmit = None;
        self.event = None;
        self.challenges = 0;
        self.redirected.clear();
    }

    /// Whether a question is under way.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.pending.is_some()
    }

    /// A message came in: over a datagram socket the whole datagram, over a connection what
    /// [`Deframer`](super::Deframer) cut. Whether it was the answer to the question under way; everything else changes
    /// nothing.
    pub fn handle_input(&mut self, now: Instant, flow: FlowId, source: SocketAddr, bytes: &[u8]) -> bool {
        let Some(pending) = &self.pending else { return false };
        let Ok(message) = Message::parse(bytes) else { return false };
        let ours = message.id() == pending.id
            && message.method() == Method::BINDING
            && flow == pending.flow
            && (pending.reliable || source == pending.destination);
        match message.class() {
            Class::Success if ours => self.handle_success(&message),
            Class::Error if ours => self.handle_error(now, &message),
            _ => false,
        }
    }

    /// The connection is gone.
    pub fn handle_flow_down(&mut self, flow: FlowId) {
        if self.pending.as_ref().is_some_and(|pending| pending.flow == flow) {
            self.fail(ClientError::Disconnected);
        }
    }

    /// Runs what is due; early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(pending) = &mut self.pending else { return };
        if pending.give_up_at <= now {
            return self.fail(ClientError::Timeout);
        }
        if pending.repeat_at.is_some_and(|at| at <= now) {
            pending.sent += 1;
            pending.schedule(now, &self.config);
            self.transmit = Some(pending.transmit());
        }
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmit.take()
    }

    /// How the question ended.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.event.take()
    }

    /// When to call [`Client::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let pending = self.pending.as_ref()?;
        Some(pending.give_up_at).soonest(pending.repeat_at)
    }

    fn send(&mut self, now: Instant, flow: FlowId, destination: SocketAddr, reliable: bool) {
        let id = if self.config.classic {
            TransactionId::classic(&mut self.rng)
        } else {
            TransactionId::new(&mut self.rng)
        };
        let demand = self.demand.as_ref().filter(|(server, _)| *server == destination);
        let written = write(&self.config, id, demand.map(|(_, demand)| demand));
        let (bytes, key) = match written {
            Ok(written) => written,
            Err(error) => {
                self.event = Some(ClientEvent::Failed { server: destination, error });
                return;
            }
        };
        let mut pending = Pending {
            flow,
            destination,
            reliable,
            id,
            bytes: bytes.into(),
            key,
            sent: 1,
            repeat_at: None,
            give_up_at: now,
        };
        pending.schedule(now, &self.config);
        self.transmit = Some(pending.transmit());
        self.pending = Some(pending);
    }

    fn handle_success(&mut self, message: &Message<'_>) -> bool {
        if !self.is_signed(message) {
            return false;
        }
        let Some(pending) = &self.pending else { return false };
        let server = pending.destination;
        match message.mapped_address() {
            Some(address) if message.not_understood().next().is_none() => {
                self.end(ClientEvent::Mapped { server, address });
            }
            _ => self.fail(ClientError::Unusable),
        }
        true
    }

    fn handle_error(&mut self, now: Instant, message: &Message<'_>) -> bool {
        let Some(pending) = &self.pending else { return false };
        let (flow, server, reliable) = (pending.flow, pending.destination, pending.reliable);
        let code = message.error_code();
        match code.map(|error| error.code) {
            _ if message.not_understood().next().is_some() => self.fail(ClientError::Unusable),
            None => self.fail(ClientError::Unusable),
            // These are not signed: who asks for a signature has none to check.
            Some(code @ (ErrorCode::UNAUTHENTICATED | ErrorCode::STALE_NONCE)) => {
                let stale = code == ErrorCode::STALE_NONCE;
                match demand(message).filter(|_| self.may_answer(stale)) {
                    Some(demand) => {
                        self.challenges += 1;
                        self.demand = Some((server, demand));
                        self.send(now, flow, server, reliable);
                    }
                    None => self.fail(ClientError::Unauthorized),
                }
            }
            Some(_) if !self.is_signed(message) => return false,
            Some(ErrorCode::TRY_ALTERNATE) if self.redirect(now, message) => {}
            Some(code) => {
                let reason = message.error_code().map(|error| error.reason).unwrap_or_default();
                let reason = reason.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
                self.fail(ClientError::Refused { code, reason });
            }
        }
        true
    }

    /// Whether a challenge can be answered by asking again.
    fn may_answer(&self, stale: bool) -> bool {
        let signed = self.pending.as_ref().is_some_and(|pending| pending.key.is_some());
        matches!(self.config.credentials, Some(Credentials::LongTerm { .. }))
            && self.challenges < MAX_CHALLENGES
            // The same password is not tried twice, unless only the nonce was too old.
            && (stale || !signed || self.challenges == 0)
    }

    /// §10: asks the alternate server, of the same address family, on the same socket; not over a connection, which
    /// leads to one server only.
    fn redirect(&mut self, now: Instant, message: &Message<'_>) -> bool {
        let Some(pending) = &self.pending else { return false };
        let (flow, server) = (pending.flow, pending.destination);
        let Some(alternate) = message.alternate_server() else { return false };
        let wanted = !pending.reliable
            && alternate.is_ipv4() == server.is_ipv4()
            && alternate != server
            && !self.redirected.contains(&alternate)
            && self.redirected.len() < usize::from(self.config.redirects);
        if wanted {
            self.redirected.push(server);
            self.send(now, flow, alternate, false);
        }
        wanted
    }

    /// What we signed has to be answered with a signature (§9.1.4, §9.2.5).
    fn is_signed(&self, message: &Message<'_>) -> bool {
        let key = self.pending.as_ref().and_then(|pending| pending.key.as_ref());
        key.is_none_or(|key| message.verify(key).is_ok())
    }

    fn fail(&mut self, error: ClientError) {
        if let Some(pending) = &self.pending {
            let server = pending.destination;
            self.end(ClientEvent::Failed { server, error });
        }
    }

    fn end(&mut self, event: ClientEvent) {
        self.stop();
        self.event = Some(event);
    }
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.pending.as_ref().map(|pending| pending.destination))
            .finish_non_exhaustive()
    }
}

impl Pending {
    fn transmit(&self) -> Transmit {
        Transmit { flow: self.flow, destination: self.destination, payload: Arc::clone(&self.bytes) }
    }

    /// §6.2.1 and §6.2.2: when to repeat, and when to give up.
    fn schedule(&mut self, now: Instant, config: &ClientConfig) {
        if self.reliable {
            (self.repeat_at, self.give_up_at) = (None, now + config.ti);
        } else if self.sent < config.rc {
            let wait = config.rto.saturating_mul(1_u32.checked_shl(self.sent - 1).unwrap_or(u32::MAX));
            (self.repeat_at, self.give_up_at) = (Some(now + wait), Instant::MAX);
        } else {
            (self.repeat_at, self.give_up_at) = (None, now + config.rto.saturating_mul(config.rm));
        }
    }
}

/// The realm and nonce of a 401 or 438, when they can be answered (§9.2.5).
fn demand(message: &Message<'_>) -> Option<Demand> {
    let (realm, nonce) = (message.realm()?, message.nonce()?);
    let (must_choose, anonymous) = nonce_features(nonce).unwrap_or_default();
    let offered = message.attribute(AttributeType::PASSWORD_ALGORITHMS).map(|offered| offered.value);
    let algorithms = match offered {
        Some(offered) => Some((offered.to_vec(), message.preferred_algorithm()?)),
        // Somebody on the way took the list out, so that a weaker hash be used.
        None if must_choose => return None,
        None => None,
    };
    Some(Demand { realm: realm.into(), nonce: nonce.into(), algorithms, anonymous })
}

/// A Binding request, and the key that its answer has to be signed with.
fn write(
    config: &ClientConfig,
    id: TransactionId,
    demand: Option<&Demand>,
) -> Result<(Vec<u8>, Option<Key>), ClientError> {
    let mut request = Builder::new(Class::Request, Method::BINDING, id);
    if let Some(software) = &config.software {
        request = request.software(software);
    }
    let mut key = None;
    match (&config.credentials, demand) {
        (Some(Credentials::ShortTerm { username, password }), _) => {
            let short = Key::short_term(password.expose().ok_or(ClientError::Unauthorized)?);
            request = request.username(username).integrity(&short).integrity_sha256(&short);
            key = Some(short);
        }
        (Some(Credentials::LongTerm { username, password }), Some(demand)) => {
            let Demand { realm, nonce, algorithms, anonymous } = demand;
            request = if *anonymous {
                request.user_hash(&user_hash(username, realm))
            } else {
                request.username(username)
            };
            request = request.nonce(nonce).realm(realm);
            let chosen = algorithms.as_ref().map_or(PasswordAlgorithm::Md5, |(_, chosen)| *chosen);
            let password = password.expose().ok_or(ClientError::Unauthorized)?;
            let long = Key::long_term(username, realm, password, chosen);
            request = match algorithms {
                Some((offered, chosen)) => request
                    .attribute(AttributeType::PASSWORD_ALGORITHMS, offered)
                    .password_algorithm(*chosen)
                    .integrity_sha256(&long),
                None => request.integrity(&long),
            };
            key = Some(long);
        }
        _ => {}
    }
    if config.fingerprint {
        request = request.fingerprint();
    }
    Ok((request.finish()?, key))
}
