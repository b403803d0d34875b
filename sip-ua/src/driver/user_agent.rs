//! The user agent's handle and its builder.

use super::command::Command;
use super::task::{self, Setup};
use super::{Account, Error, IncomingCall};
use crate::{AccountConfig, AccountId, AgentConfig, RegistrationState};
use core::time::Duration;
#[cfg(feature = "media")]
use sidetone_codecs::{CodecChoice, pcma, pcmu};
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_sip_core::{driver, trace::Tap};
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;
use tokio::sync::{mpsc, oneshot};

/// What happens to a user agent as a whole.
#[derive(Debug)]
#[non_exhaustive]
pub enum UserAgentEvent {
    /// An account's registration changed.
    Registration {
        /// Whose.
        account: AccountId,
        /// To what.
        state: RegistrationState,
    },
    /// Somebody calls.
    Incoming(IncomingCall),
}

/// A SIP user agent that runs in a task of its own.
#[derive(Debug)]
pub struct UserAgent {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<UserAgentEvent>,
    local: Vec<(Protocol, SocketAddr)>,
}

impl UserAgent {
    /// Starts to describe a user agent.
    pub fn builder() -> UserAgentBuilder {
        UserAgentBuilder::default()
    }

    /// The first address at which this transport is bound, with the port that the system chose.
    #[must_use]
    pub fn local_addr(&self, protocol: Protocol) -> Option<SocketAddr> {
        self.local.iter().find(|(bound, _)| *bound == protocol).map(|(_, address)| *address)
    }

    /// Adds an account; it starts to register, unless its settings say otherwise.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Closed`].
    pub async fn add_account(&self, config: AccountConfig) -> Result<Account, Error> {
        let (reply, answer) = oneshot::channel();
        let aor = config.aor.clone();
        self.commands.send(Command::AddAccount { config, reply }).await.map_err(|_| Error::Closed)?;
        let new = answer.await.map_err(|_| Error::Closed)??;
        Ok(Account::new(new, aor, self.commands.clone()))
    }

    /// The next thing that happens; `None` after the end. Cancel-safe.
    ///
    /// While nobody takes events, up to 64 wait; then incoming calls are answered 486, and registration events are
    /// dropped ([`Account::state`] stays right).
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
    udp: Vec<SocketAddr>,
    tcp: Vec<SocketAddr>,
    user_agent: Option<String>,
    seed: Option<[u8; 32]>,
    config: Option<AgentConfig>,
    tap: Option<Box<dyn Tap>>,
    #[cfg(feature = "media")]
    rtp_ports: Option<core::ops::RangeInclusive<u16>>,
    #[cfg(feature = "media")]
    codecs: Option<Vec<CodecChoice>>,
}

impl UserAgentBuilder {
    /// Binds a UDP socket here; port 0 lets the system choose. May be given several times.
    pub fn bind_udp(mut self, address: SocketAddr) -> Self {
        self.udp.push(address);
        self
    }

    /// Listens for TCP connections here; port 0 lets the system choose. May be given several times.
    ///
    /// An account over TCP names this address as its own. Without one it can call, but be called only by a server that
    /// uses the connection which the account made.
    pub fn bind_tcp(mut self, address: SocketAddr) -> Self {
        self.tcp.push(address);
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

    /// Shows every message sent and received, with secrets redacted.
    pub fn trace(mut self, tap: impl Tap + 'static) -> Self {
        self.tap = Some(Box::new(tap));
        self
    }

    /// RTP sockets get even ports of this range (RTCP the odd ones above); without it the system chooses.
    #[cfg(feature = "media")]
    pub fn rtp_ports(mut self, range: core::ops::RangeInclusive<u16>) -> Self {
        self.rtp_ports = Some(range);
        self
    }

    /// The codecs of calls, what is liked best first; without it PCMU and PCMA. Those that do not run at the
    /// rate of a call's audio port are left out of that call.
    #[cfg(feature = "media")]
    pub fn codecs<C: Into<CodecChoice>>(mut self, codecs: impl IntoIterator<Item = C>) -> Self {
        self.codecs = Some(codecs.into_iter().map(Into::into).collect());
        self
    }

    /// Opens the sockets and starts the task on the current tokio runtime. Without any `bind_*`, UDP and TCP are
    /// bound to a port of the system's choice on every IPv4 interface.
    ///
    /// # Errors
    /// [`Error::Io`] when an address cannot be bound.
    pub async fn build(self) -> Result<UserAgent, Error> {
        let Self { mut udp, mut tcp, user_agent, seed, config, tap, .. } = self;
        if udp.is_empty() && tcp.is_empty() {
            let any = SocketAddr::from(([0, 0, 0, 0], 0));
            udp.push(any);
            tcp.push(any);
        }
        let mut config = config.unwrap_or_else(|| AgentConfig::new(driver::seed()));
        if let Some(seed) = seed {
            config.endpoint.seed = seed;
        }
        if let Some(name) = user_agent {
            config.user_agent = name;
        }
        let setup = Setup {
            udp,
            tcp,
            config,
            tap,
            #[cfg(feature = "media")]
            rtp_ports: self.rtp_ports,
            #[cfg(feature = "media")]
            codecs: self.codecs.unwrap_or_else(|| [&pcmu::SPEC, &pcma::SPEC].map(CodecChoice::from).into()),
        };
        let (commands, events, local) = task::start(setup).await?;
        Ok(UserAgent { commands, events, local })
    }
}
