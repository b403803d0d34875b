//! Keeps a registered flow alive and finds out when it is not (RFC 5626 §3.5, §4.4; RFC 6223).

use super::stun::{Client, ClientConfig, ClientError, ClientEvent};
use crate::StatusCode;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr, Transmit};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::{TimerKind, TimerTable};

/// How a flow is kept alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeepAliveKind {
    /// Not at all.
    #[default]
    Off,
    /// By RFC 5626: a double CRLF on connections, which the other side answers; STUN over UDP, which the registrar or
    /// edge proxy has to understand on its SIP port. Not over WebSocket, whose own ping serves (RFC 7118 §6).
    Outbound,
    /// As [`KeepAliveKind::Outbound`], but only when the next hop says that it wants keep-alives: by a value of `keep`
    /// in our Via (RFC 6223), or by Flow-Timer.
    Negotiated,
    /// By OPTIONS requests, over every transport.
    Options,
    /// By datagrams that say nothing and that nobody answers; over UDP only. They keep a NAT's binding, and do not find
    /// out that it is gone.
    Datagram(DatagramPayload),
}

/// What is in a [`KeepAliveKind::Datagram`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatagramPayload {
    /// A double CRLF, as most telephones send it.
    #[default]
    Crlf,
    /// Nothing: a UDP header only. Some NATs do not count these.
    Empty,
    /// Four zero octets.
    Zeroes,
}

impl DatagramPayload {
    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Crlf => b"\r\n\r\n",
            Self::Empty => b"",
            Self::Zeroes => &[0; 4],
        }
    }
}

/// Settings of a [`KeepAliveMachine`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepAlive {
    /// How. Default off.
    pub kind: KeepAliveKind,
    /// How often. `None`: by [`KeepAliveKind::Outbound`] every 95 to 120 s on connections and 24 to 29 s over UDP
    /// (RFC 5626 §4.4), each wait drawn anew; by the others every 25 s, for many NATs forget after 30. What is said here
    /// bounds the wait from above for the first, and is the wait for the others. A shorter Flow-Timer or `keep` of the
    /// registrar goes before it.
    pub interval: Option<Duration>,
    /// The answers to OPTIONS that mean that the flow is dead. Default 408, 430 (RFC 5626 §11.6), 503 and 504; every
    /// other answer proves that it lives, no answer that it does not.
    pub failure_codes: Vec<StatusCode>,
    /// How long the answer to a double CRLF may take. Default 10 s (RFC 5626 §4.4.1).
    pub pong_limit: Duration,
    /// How often a STUN request is sent before the flow is given up, and how long after the first the second follows.
    /// Default 7 and 500 ms, which makes 39.5 s.
    pub stun: (u32, Duration),
}

impl KeepAlive {
    /// The least interval between keep-alives: what asks for less gets this.
    pub const MIN_INTERVAL: Duration = Duration::from_secs(1);

    /// No keep-alives.
    #[must_use]
    pub fn off() -> Self {
        Self::of(KeepAliveKind::Off)
    }

    /// Keep-alives of a kind, with the defaults for all else.
    #[must_use]
    pub fn of(kind: KeepAliveKind) -> Self {
        let codes = [408, 430, 503, 504].into_iter().filter_map(StatusCode::new);
        let defaults = ClientConfig::default();
        Self {
            kind,
            interval: None,
            failure_codes: codes.collect(),
            pong_limit: Duration::from_secs(10),
            stun: (defaults.rc, defaults.rto),
        }
    }

    /// The same with an interval.
    #[must_use]
    pub const fn every(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// The same with other answers to OPTIONS that mean a dead flow.
    #[must_use]
    pub fn failing_on(mut self, codes: impl IntoIterator<Item = StatusCode>) -> Self {
        self.failure_codes = codes.into_iter().collect();
        self
    }

    /// Whether requests offer `keep` in their Via (RFC 6223 §4.3).
    #[must_use]
    pub fn offers_keep(&self) -> bool {
        self.kind == KeepAliveKind::Negotiated
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self::off()
    }
}

/// The wait where no RFC has one: below the 30 s after which many NATs forget a UDP binding.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(25);

/// What the registrar or edge proxy said about keep-alives in its 2xx.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAliveTerms {
    /// Flow-Timer, in seconds (RFC 5626 §5.4).
    pub flow_timer: Option<u32>,
    /// The value of `keep` in our Via, in seconds (RFC 6223 §4.3); zero leaves the interval to us.
    pub keep: Option<u32>,
}

/// What a [`KeepAliveMachine`] is told.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum KeepAliveInput<'a> {
    /// [`Event::KeepAlivePong`](crate::Event::KeepAlivePong).
    Pong {
        /// The connection.
        flow: FlowId,
    },
    /// [`Event::Stun`](crate::Event::Stun).
    Stun {
        /// The socket.
        flow: FlowId,
        /// Who sent it.
        source: SocketAddr,
        /// The datagram.
        payload: &'a [u8],
    },
    /// The final answer to the OPTIONS of [`KeepAliveEvent::SendOptions`]; `None`: it could not be sent, or none came.
    Options(Option<StatusCode>),
}

/// What a [`KeepAliveMachine`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepAliveEvent {
    /// Send an OPTIONS on the flow, and report its outcome.
    SendOptions {
        /// The flow.
        flow: FlowId,
        /// Its other end.
        destination: SocketAddr,
    },
    /// The flow is dead: close it if it is a connection, and register anew. The machine stands still.
    FlowFailed {
        /// The flow.
        flow: FlowId,
        /// How that was found out.
        cause: FlowFailure,
    },
    /// A NAT gave us another address, so that nobody reaches us at the one that was registered: register anew
    /// (RFC 5626 §4.4.2 calls the flow failed). The machine goes on.
    AddressChanged {
        /// The flow.
        flow: FlowId,
        /// What it was.
        before: SocketAddr,
        /// What it is.
        after: SocketAddr,
    },
}

/// How the end of a flow was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FlowFailure {
    /// No CRLF came back.
    #[error("no pong in time")]
    Pong,
    /// No STUN answer came.
    #[error("no STUN answer in time")]
    Stun,
    /// A STUN answer came that refused, or said no address.
    #[error("the STUN request was refused")]
    StunRefused,
    /// No answer to OPTIONS came.
    #[error("no answer to OPTIONS")]
    Options,
    /// An answer to OPTIONS with a code of [`KeepAlive::failure_codes`].
    #[error("OPTIONS was answered {0}")]
    OptionsStatus(StatusCode),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// The next keep-alive is due.
    Next,
    /// The pong is late.
    Pong,
}

impl TimerKind for Timer {
    const ALL: &'static [Self] = &[Self::Next, Self::Pong];

    fn index(self) -> usize {
        self as usize
    }
}

/// The flow that is kept alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Watched {
    flow: FlowId,
    protocol: Protocol,
    destination: SocketAddr,
}

/// Keeps one flow alive: see [`KeepAliveKind`].
///
/// ```
/// use sidetone_sip_core::nat::{KeepAlive, KeepAliveKind, KeepAliveMachine, KeepAliveTerms};
/// use sidetone_sip_core::{FlowId, Instant, Protocol, Rng};
/// let mut machine = KeepAliveMachine::new(KeepAlive::of(KeepAliveKind::Outbound), Rng::from_u64(7));
/// machine.start(Instant::ZERO, FlowId(3), Protocol::Tcp, "192.0.2.2:5060".parse().unwrap(), KeepAliveTerms::default());
/// let at = machine.poll_timeout().unwrap();
/// assert!((95_000..=120_000).contains(&at.as_millis()));
/// machine.handle_timeout(at);
/// assert_eq!(&*machine.poll_transmit().unwrap().payload, b"\r\n\r\n");
/// ```
#[derive(Debug)]
pub struct KeepAliveMachine {
    config: KeepAlive,
    rng: Rng,
    watched: Option<Watched>,
    terms: KeepAliveTerms,
    stun: Client,
    /// Where the other side saw us last.
    mapped: Option<SocketAddr>,
    timers: TimerTable<Timer, 2>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<KeepAliveEvent>,
}

impl KeepAliveMachine {
    /// A machine that watches no flow yet.
    #[must_use]
    pub fn new(config: KeepAlive, mut rng: Rng) -> Self {
        let (rc, rto) = config.stun;
        let stun = ClientConfig { rc, rto, ..ClientConfig::default() };
        Self {
            config,
            stun: Client::new(stun, rng.fork()),
            rng,
            watched: None,
            terms: KeepAliveTerms::default(),
            mapped: None,
            timers: TimerTable::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Watches a flow from now on, after the 2xx that came over it said `terms`. A flow that is watched already only
    /// takes the new terms; another one replaces it.
    pub fn start(
        &mut self,
        now: Instant,
        flow: FlowId,
        protocol: Protocol,
        destination: SocketAddr,
        terms: KeepAliveTerms,
    ) {
        let watched = Watched { flow, protocol, destination };
        if self.watched == Some(watched) && self.terms == terms {
            return;
        }
        self.stop();
        if self.serves(protocol, terms) {
            self.watched = Some(watched);
            self.terms = terms;
            self.schedule(now, protocol);
        }
    }

    /// Watches no flow any more.
    pub fn stop(&mut self) {
        self.watched = None;
        self.mapped = None;
        self.stun.stop();
        self.timers.stop_all();
        self.transmits.clear();
        self.events.clear();
    }

    /// The flow that is watched.
    #[must_use]
    pub fn flow(&self) -> Option<FlowId> {
        self.watched.map(|watched| watched.flow)
    }

    /// Something came in. Whether it was for this machine; all else changes nothing.
    pub fn handle_input(&mut self, now: Instant, input: KeepAliveInput<'_>) -> bool {
        let Some(watched) = self.watched else { return false };
        match input {
            KeepAliveInput::Pong { flow } => {
                let awaited = flow == watched.flow && self.timers.deadline(Timer::Pong).is_some();
                if awaited {
                    self.timers.stop(Timer::Pong);
                }
                awaited
            }
            KeepAliveInput::Stun { flow, source, payload } => {
                let ours = self.stun.handle_input(now, flow, source, payload);
                self.take_stun(watched);
                ours
            }
            KeepAliveInput::Options(outcome) => {
                if self.config.kind != KeepAliveKind::Options || self.timers.deadline(Timer::Next).is_some() {
                    return false;
                }
                match outcome {
                    None => self.fail(watched, FlowFailure::Options),
                    Some(status) if self.config.failure_codes.contains(&status) => {
                        self.fail(watched, FlowFailure::OptionsStatus(status));
                    }
                    Some(_) => self.schedule(now, watched.protocol),
                }
                true
            }
        }
    }

    /// Runs what is due; early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let (Some(watched), Some(timer)) = (self.watched, self.timers.expire(now)) {
            match timer {
                Timer::Next => self.send(now, watched),
                Timer::Pong => self.fail(watched, FlowFailure::Pong),
            }
        }
        self.stun.handle_timeout(now);
        if let Some(watched) = self.watched {
            self.take_stun(watched);
        }
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front().or_else(|| self.stun.poll_transmit())
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<KeepAliveEvent> {
        self.events.pop_front()
    }

    /// When to call [`KeepAliveMachine::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = self.timers.next().map(|(at, _)| at);
        [own, self.stun.poll_timeout()].into_iter().flatten().min()
    }

    fn serves(&self, protocol: Protocol, terms: KeepAliveTerms) -> bool {
        let websocket = matches!(protocol, Protocol::Ws | Protocol::Wss);
        match self.config.kind {
            KeepAliveKind::Off => false,
            KeepAliveKind::Outbound => !websocket,
            KeepAliveKind::Negotiated => !websocket && (terms.keep.is_some() || terms.flow_timer.is_some()),
            KeepAliveKind::Options => true,
            KeepAliveKind::Datagram(_) => !protocol.is_reliable(),
        }
    }

    fn schedule(&mut self, now: Instant, protocol: Protocol) {
        let wait = self.wait(protocol);
        self.timers.set(Timer::Next, now + wait);
    }

    /// The time until the next keep-alive.
    fn wait(&mut self, protocol: Protocol) -> Duration {
        let terms = [self.terms.flow_timer, self.terms.keep].into_iter().flatten();
        let theirs =
            terms.filter(|seconds| *seconds > 0).min().map(|seconds| Duration::from_secs(seconds.into()));
        let most = [theirs, self.config.interval].into_iter().flatten().min();
        let wait = match (self.config.kind, most) {
            (KeepAliveKind::Outbound | KeepAliveKind::Negotiated, Some(most)) => {
                // RFC 5626 §4.4.1: between 80 and 100 % of it.
                most.mul_f64(0.8 + 0.2 * self.rng.unit())
            }
            (KeepAliveKind::Outbound | KeepAliveKind::Negotiated, None) => {
                let (least, most) = if protocol.is_reliable() { (95.0, 120.0) } else { (24.0, 29.0) };
                Duration::from_secs_f64(least + (most - least) * self.rng.unit())
            }
            (_, most) => most.unwrap_or(DEFAULT_INTERVAL),
        };
        wait.max(KeepAlive::MIN_INTERVAL)
    }

    fn send(&mut self, now: Instant, watched: Watched) {
        let Watched { flow, protocol, destination } = watched;
        match self.config.kind {
            KeepAliveKind::Off => {}
            KeepAliveKind::Options => {
                // The wait begins anew when the answer has come.
                self.events.push_back(KeepAliveEvent::SendOptions { flow, destination });
            }
            KeepAliveKind::Datagram(payload) => {
                self.push(watched, payload.bytes());
                self.schedule(now, protocol);
            }
            KeepAliveKind::Outbound | KeepAliveKind::Negotiated if protocol.is_reliable() => {
                self.push(watched, b"\r\n\r\n");
                // Not beyond the next ping, so that each has its own pong.
                let wait = self.wait(protocol).max(self.config.pong_limit + KeepAlive::MIN_INTERVAL);
                self.timers.set(Timer::Pong, now + self.config.pong_limit);
                self.timers.set(Timer::Next, now + wait);
            }
            KeepAliveKind::Outbound | KeepAliveKind::Negotiated => {
                // A request that is still repeated is asking already.
                if !self.stun.is_busy() {
                    self.stun.start(now, flow, destination, false);
                }
                self.schedule(now, protocol);
            }
        }
    }

    fn push(&mut self, watched: Watched, payload: &[u8]) {
        let Watched { flow, destination, .. } = watched;
        self.transmits.push_back(Transmit { flow, destination, payload: Arc::from(payload) });
    }

    fn take_stun(&mut self, watched: Watched) {
        match self.stun.poll_event() {
            Some(ClientEvent::Mapped { address, .. }) => {
                if let Some(before) = self.mapped.replace(address).filter(|before| *before != address) {
                    let flow = watched.flow;
                    self.events.push_back(KeepAliveEvent::AddressChanged { flow, before, after: address });
                }
            }
            Some(ClientEvent::Failed { error: ClientError::Timeout, .. }) => {
                self.fail(watched, FlowFailure::Stun);
            }
            Some(ClientEvent::Failed { .. }) => self.fail(watched, FlowFailure::StunRefused),
            None => {}
        }
    }

    fn fail(&mut self, watched: Watched, cause: FlowFailure) {
        self.stop();
        self.events.push_back(KeepAliveEvent::FlowFailed { flow: watched.flow, cause });
    }
}
