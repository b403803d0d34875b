//! The user agent's handle and its builder.

#[cfg(feature = "media")]
use super::PortPlan;
use super::command::Command;
use super::multicast::MulticastOptions;
#[cfg(feature = "media")]
use super::ports::PortOptions;
use super::task::{self, Setup};
use super::{Account, Error, IncomingCall, IncomingRefer, IncomingSubscription, ReceivedRequest};
#[cfg(feature = "media")]
use crate::AudioConfig;
use crate::{AccountConfig, AccountId, AgentConfig, CallId, FlowFailure, RegistrationState};
use bytes::Bytes;
use core::ops::RangeInclusive;
use core::time::Duration;
#[cfg(feature = "media")]
use sidetone_codecs::CodecChoice;
use sidetone_hal::net::{IpAddr, Protocol, SocketAddr};
#[cfg(feature = "ws")]
use sidetone_sip_core::driver::WebSocketConfig;
use sidetone_sip_core::driver::{self, DriverConfig};
#[cfg(feature = "tls")]
use sidetone_sip_core::driver::{TlsConfig, TlsError, TlsHandle};
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::trace::Tap;
use std::boxed::Box;
use std::string::String;
#[cfg(feature = "tls")]
use std::string::ToString;
use std::vec::Vec;
use tokio::sync::{mpsc, oneshot, watch};

/// What happens to a user agent as a whole.
#[derive(Debug)]
#[non_exhaustive]
pub enum UserAgentEvent {
    /// An account's registration changed; [`RegistrationState`] has the messages of each state.
    Registration {
        /// Whose.
        account: AccountId,
        /// To what.
        state: RegistrationState,
    },
    /// One of the bindings of an account with several servers or flows changed
    /// ([`Event::Binding`](crate::Event::Binding)).
    Binding {
        /// Whose.
        account: AccountId,
        /// Which: numbered from 0 in the order of preference.
        place: usize,
        /// To what.
        state: RegistrationState,
    },
    /// A registrar said what time it is: `REGISTER` – `2xx` with a Date.
    ServerTime {
        /// Whose registrar.
        account: AccountId,
        /// Seconds since 1970-01-01 00:00:00 GMT.
        time: u64,
    },
    /// Keep-alives found out that the registrar does not reach an account any more; it registers anew by itself
    /// ([`Event::FlowFailed`](crate::Event::FlowFailed)).
    FlowFailed {
        /// Whose.
        account: AccountId,
        /// How that was found out.
        cause: FlowFailure,
    },
    /// An account's public address was found out, or is another one now. Calls that begin from now on name it in their
    /// session descriptions.
    PublicAddress {
        /// Whose.
        account: AccountId,
        /// The address of its SIP socket, as others see it.
        address: SocketAddr,
    },
    /// A message of a call has something beside a session description that its account takes, as advice of charge
    /// ([`Event::Content`](crate::Event::Content)). What is in the answer to our `BYE` comes after the call's last event.
    Content {
        /// Which call.
        call: CallId,
        /// The type of the account's list that it is of.
        kind: ContentType,
        /// The body, or the part of it.
        body: Bytes,
    },
    /// Somebody calls: `INVITE` outside of any dialog, with an offer that fits or none.
    Incoming(IncomingCall),
    /// Somebody wants us to call somebody: `REFER`, in a call or, where the settings take that, outside.
    Referred(IncomingRefer),
    /// A request came whose method or event package was asked for, as `MESSAGE` or a `NOTIFY` without a subscription ([`AgentConfig::methods`],
    /// [`AgentConfig::unsolicited`]).
    Request(ReceivedRequest),
    /// Somebody subscribes to a package that we offer ([`AgentConfig::packages`]): `SUBSCRIBE` outside of a subscription.
    Subscribe(IncomingSubscription),
}

/// A SIP user agent that runs in a task of its own.
#[derive(Debug)]
pub struct UserAgent {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<UserAgentEvent>,
    local: watch::Receiver<Vec<(Protocol, SocketAddr)>>,
    #[cfg(feature = "tls")]
    tls: TlsHandle,
}

impl UserAgent {
    /// Starts to describe a user agent.
    pub fn builder() -> UserAgentBuilder {
        UserAgentBuilder::default()
    }

    /// The first address at which this transport is bound, with the port that the system chose; for UDP the one that it
    /// has now ([`AccountConfig::new_port_on_failure`]).
    #[must_use]
    pub fn local_addr(&self, protocol: Protocol) -> Option<SocketAddr> {
        self.local.borrow().iter().find(|(bound, _)| *bound == protocol).map(|(_, address)| *address)
    }

    /// Adds an account; it starts to register, unless its settings say otherwise.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Closed`].
    pub async fn add_account(&self, config: AccountConfig) -> Result<Account, Error> {
        let (reply, answer) = oneshot::channel();
        let aor = config.aor.clone();
        let config = Box::new(config);
        self.commands.send(Command::AddAccount { config, reply }).await.map_err(|_| Error::Closed)?;
        let new = answer.await.map_err(|_| Error::Closed)??;
        Ok(Account::new(new, aor, self.commands.clone()))
    }

    /// Exchanges the TLS configuration: new connections go by it, those that are there go on.
    ///
    /// # Errors
    /// It cannot be used; then nothing has changed.
    #[cfg(feature = "tls")]
    pub async fn reload_tls(&self, config: TlsConfig) -> Result<(), TlsError> {
        let handle = self.tls.clone();
        // The system's CA certificates are read from files.
        let reloaded = tokio::task::spawn_blocking(move || handle.reload(&config)).await;
        reloaded.unwrap_or_else(|error| Err(TlsError::Unreadable(error.to_string())))
    }

    /// The next thing that happens; `None` after the end. Cancel-safe.
    ///
    /// While nobody takes events, up to 64 wait; then incoming calls are answered 486, and the other events
    /// are dropped ([`Account::state`] stays right).
    pub async fn next_event(&mut self) -> Option<UserAgentEvent> {
        self.events.recv().await
    }

    /// Hangs up every call, takes every registration back, waits until the peers know, two seconds at most, and ends.
    pub async fn shutdown(self) {
        self.shutdown_within(Duration::from_secs(2)).await;
    }

    /// [`UserAgent::shutdown`] with another bound.
    pub async fn shutdown_within(self, bound: Duration) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Shutdown { bound, reply }).await.is_ok() {
            // An error means that the task has ended already.
            done.await.ok();
        }
    }
}

/// Collects what a [`UserAgent`] needs.
#[derive(Default)]
#[must_use]
pub struct UserAgentBuilder {
    driver: DriverConfig,
    user_agent: Option<String>,
    seed: Option<[u8; 32]>,
    config: Option<AgentConfig>,
    tap: Option<Box<dyn Tap>>,
    group: Option<(SocketAddr, MulticastOptions)>,
    #[cfg(feature = "media")]
    ports: PortOptions,
    #[cfg(feature = "media")]
    audio: AudioConfig,
}

impl UserAgentBuilder {
    /// Binds a UDP socket here; port 0 lets the system choose. May be given several times.
    pub fn bind_udp(mut self, address: SocketAddr) -> Self {
        self.driver.udp.push(address);
        self
    }

    /// Binds a UDP socket here, at a port drawn from a range. May be given several times.
    pub fn bind_udp_range(mut self, ip: IpAddr, ports: RangeInclusive<u16>) -> Self {
        self.driver = self.driver.udp_range(ip, ports);
        self
    }

    /// Listens for TCP connections here; port 0 lets the system choose. May be given several times.
    ///
    /// An account over TCP names this address as its own. Without one it can call, but be called only by a server that
    /// uses the connection which the account made.
    pub fn bind_tcp(mut self, address: SocketAddr) -> Self {
        self.driver.tcp.push(address);
        self
    }

    /// The differentiated services code point of signalling, 0 to 63 (RFC 2474); 0 without it.
    pub fn dscp(mut self, dscp: u8) -> Self {
        self.driver.dscp = dscp;
        self
    }

    /// Everything that the driver can be told: sockets, limits. To be called before the other methods, which add to it.
    pub fn driver(mut self, config: DriverConfig) -> Self {
        self.driver = config;
        self
    }

    /// Whom accounts over TLS trust, and who we are to servers that ask. Without it the system's CA certificates count,
    /// names are checked, and TLS 1.2 and 1.3 are spoken ([`TlsConfig::new`]).
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: TlsConfig) -> Self {
        self.driver = self.driver.tls_config(config);
        self
    }

    /// Listens for TLS connections here, which takes a [`UserAgentBuilder::tls`] with a server certificate; port 0 lets
    /// the system choose. An account over TLS needs it no more than one over TCP needs [`UserAgentBuilder::bind_tcp`].
    #[cfg(feature = "tls")]
    pub fn bind_tls(mut self, address: SocketAddr) -> Self {
        self.driver.tls.push(address);
        self
    }

    /// The path that accounts over WebSocket ask their server for, and the bounds.
    #[cfg(feature = "ws")]
    pub fn websocket(mut self, config: WebSocketConfig) -> Self {
        self.driver.websocket = config;
        self
    }

    /// Asks this DNS server, as a rule at port 53, instead of the system's. May be given several times: the primary one
    /// first, then the secondary one. The hosts file counts all the same.
    pub fn dns_server(mut self, address: SocketAddr) -> Self {
        self.driver.dns.push(address);
        self
    }

    /// What `User-Agent` and `Server` say.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = Some(name.into());
        self
    }

    /// A fixed seed, for tests; without one the operating system gives it.
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Other limits and times than [`AgentConfig::new`]'s. The seed in it counts only if [`UserAgentBuilder::seed`] is not called.
    pub fn config(mut self, config: AgentConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// Takes SUBSCRIBE requests that come to this group too, of packages that [`AgentConfig::packages`] has: those of
    /// telephones that ask for their settings come to 224.0.1.75:5060. They are answered from a UDP socket of the user agent. Of
    /// the options the interface counts.
    pub fn multicast(mut self, group: SocketAddr, options: MulticastOptions) -> Self {
        self.group = Some((group, options));
        self
    }

    pub(super) fn map_config(mut self, change: impl FnOnce(&mut AgentConfig)) -> Self {
        change(self.config.get_or_insert_with(|| AgentConfig::new(driver::seed())));
        self
    }

    /// Shows every message sent and received, with secrets redacted.
    pub fn trace(mut self, tap: impl Tap + 'static) -> Self {
        self.tap = Some(Box::new(tap));
        self
    }

    /// RTP sockets get even ports of this range (RTCP the odd ones above); without it the system chooses.
    #[cfg(feature = "media")]
    pub fn rtp_ports(mut self, range: RangeInclusive<u16>) -> Self {
        self.ports.plan = PortPlan::within(&range).unwrap_or_else(|_| PortPlan::none());
        self
    }

    /// RTP sockets get the ports of this plan: a range with a telephone's own rules, or those that a router forwards.
    #[cfg(feature = "media")]
    pub fn rtp_port_plan(mut self, plan: PortPlan) -> Self {
        self.ports.plan = plan;
        self
    }

    /// The differentiated services code point of RTCP, 0 to 63, where it is not that of RTP.
    #[cfg(feature = "media")]
    pub fn rtcp_dscp(mut self, dscp: u8) -> Self {
        self.ports.rtcp_dscp = Some(dscp);
        self
    }

    /// The differentiated services code point of RTP and RTCP, 0 to 63 (RFC 2474); 46, expedited forwarding, is usual.
    /// 0 without it.
    #[cfg(feature = "media")]
    pub fn rtp_dscp(mut self, dscp: u8) -> Self {
        self.ports.dscp = dscp;
        self
    }

    /// How calls sound and are negotiated, where an account does not say it ([`AccountConfig::audio`]).
    #[cfg(feature = "media")]
    pub fn audio(mut self, audio: AudioConfig) -> Self {
        self.audio = audio;
        self
    }

    /// The codecs of calls, what is liked best first; without it PCMU and PCMA. Their rates need not be
    /// that of the calls' audio ports: streams resample. To be called after [`UserAgentBuilder::audio`].
    #[cfg(feature = "media")]
    pub fn codecs<C: Into<CodecChoice>>(mut self, codecs: impl IntoIterator<Item = C>) -> Self {
        self.audio.description.codecs = codecs.into_iter().map(Into::into).collect();
        self
    }

    /// Opens the sockets and starts the task on the current tokio runtime. Without any socket wanted, UDP and TCP are
    /// bound to a port of the system's choice on every IPv4 interface.
    ///
    /// # Errors
    /// [`Error::Io`] when an address cannot be bound.
    pub async fn build(self) -> Result<UserAgent, Error> {
        let Self { driver: mut sockets, user_agent, seed, config, tap, group, .. } = self;
        if sockets.binds_nothing() {
            let any = SocketAddr::from(([0, 0, 0, 0], 0));
            sockets = sockets.udp(any).tcp(any);
        }
        let mut config = config.unwrap_or_else(|| AgentConfig::new(driver::seed()));
        if let Some(seed) = seed {
            config.endpoint.seed = seed;
        }
        if let Some(name) = user_agent {
            config.user_agent = name;
        }
        let setup = Setup {
            driver: sockets,
            config,
            tap,
            group,
            #[cfg(feature = "media")]
            ports: self.ports,
            #[cfg(feature = "media")]
            audio: self.audio,
        };
        let started = task::start(setup).await?;
        Ok(UserAgent {
            commands: started.commands,
            events: started.events,
            local: started.local,
            #[cfg(feature = "tls")]
            tls: started.tls,
        })
    }
}
