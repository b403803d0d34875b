//! A PBX that runs, and what it tells.

use crate::command::{Command, ask};
use crate::dialogs::UserDialog;
use crate::event::PbxEvent;
use crate::features::Features;
use crate::mailbox::MailboxStore;
use crate::services::Services;
use core::fmt;
use sidetone_hal::net::{IpAddr, Protocol, SocketAddr};
use sidetone_sip_core::driver::{TlsConfig, TlsError, TlsHandle};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// A PBX that runs. Dropping it stops it at once; [`PbxHandle::shutdown`] hangs up the extensions' calls first.
pub struct PbxHandle {
    pub(crate) udp: Vec<SocketAddr>,
    pub(crate) tcp: Vec<SocketAddr>,
    pub(crate) listening: Vec<(Protocol, SocketAddr)>,
    pub(crate) tls: TlsHandle,
    pub(crate) extensions: Vec<String>,
    pub(crate) events: broadcast::Sender<PbxEvent>,
    pub(crate) dialogs: broadcast::Sender<UserDialog>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) mailboxes: Arc<dyn MailboxStore>,
    pub(crate) of_services: Arc<Services>,
    pub(crate) stop: watch::Sender<()>,
    pub(crate) stop_services: watch::Sender<()>,
    pub(crate) task: JoinHandle<()>,
    pub(crate) services: Vec<JoinHandle<()>>,
}

/// What is under way in a PBX: all zero when it can be stopped without anybody noticing, and what a monitor draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PbxLoad {
    /// Requests that are being proxied.
    pub requests: usize,
    /// Transactions of the proxy; those that only wait for stray repetitions count.
    pub transactions: usize,
    /// Dialogs of users and extensions, each end by itself.
    pub dialogs: usize,
    /// Calls at the extensions.
    pub extension_calls: usize,
    /// Subscriptions at the state agent.
    pub subscriptions: usize,
    /// Calls that wait in park orbits.
    pub parked: usize,
    /// Conference rooms that somebody is in.
    pub rooms: usize,
}

impl PbxHandle {
    /// What is under way now; nothing when the PBX has stopped.
    pub async fn load(&self) -> PbxLoad {
        let Some(proxy) = self.ask(|reply| Command::Load { reply }).await else { return PbxLoad::default() };
        let services = self.of_services.load();
        PbxLoad {
            requests: proxy.requests,
            transactions: proxy.transactions,
            dialogs: proxy.dialogs,
            ..services
        }
    }

    /// The first address that it listens at, with the port that the system chose: UDP, without UDP that of TCP, then TLS,
    /// then WebSocket.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        // At least one address is bound, or `start` had failed.
        self.listening
            .first()
            .map(|(_, address)| *address)
            .unwrap_or(SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0))
    }

    /// The UDP addresses, in the order in which they were given.
    #[must_use]
    pub fn udp_addrs(&self) -> &[SocketAddr] {
        &self.udp
    }

    /// The TCP addresses, in the order in which they were given.
    #[must_use]
    pub fn tcp_addrs(&self) -> &[SocketAddr] {
        &self.tcp
    }

    /// Where it listens, for every transport, in the order in which the addresses were given.
    #[must_use]
    pub fn listening(&self) -> &[(Protocol, SocketAddr)] {
        &self.listening
    }

    /// Exchanges the TLS configuration: new connections go by it, those that are there go on.
    ///
    /// # Errors
    /// It cannot be used; then nothing has changed.
    pub fn reload_tls(&self, config: &TlsConfig) -> Result<(), TlsError> {
        self.tls.reload(config)
    }

    /// The numbers of the extensions, sorted.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// What happens from now on. Each caller gets a stream of its own.
    #[must_use]
    pub fn events(&self) -> PbxEvents {
        PbxEvents { events: self.events.subscribe() }
    }

    /// The dialogs of all users from now on, each as it is since it changed.
    #[must_use]
    pub fn dialogs(&self) -> PbxDialogs {
        PbxDialogs { dialogs: self.dialogs.subscribe() }
    }

    /// The dialogs that a user has now; none when the PBX has stopped.
    pub async fn dialogs_of(&self, user: impl Into<String>) -> Vec<UserDialog> {
        self.ask(|reply| Command::Dialogs { user: user.into(), reply }).await.unwrap_or_default()
    }

    /// A user's settings; the default ones when the PBX has stopped.
    pub async fn features(&self, user: impl Into<String>) -> Features {
        self.ask(|reply| Command::Features { user: user.into(), reply }).await.unwrap_or_default()
    }

    /// Changes a user's settings; [`PbxEvent::FeaturesChanged`] follows if they are others. False when a target cannot be
    /// dialled, the store does not take them, or the PBX has stopped.
    pub async fn set_features(&self, user: impl Into<String>, features: Features) -> bool {
        let set = self.ask(|reply| Command::SetFeatures { user: user.into(), features, reply });
        set.await.unwrap_or(false)
    }

    /// The voicemail's messages.
    #[must_use]
    pub fn mailboxes(&self) -> &Arc<dyn MailboxStore> {
        &self.mailboxes
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        ask(&self.commands, command).await
    }

    /// Hangs up the extensions' calls, then closes the sockets.
    pub async fn shutdown(mut self) {
        self.stop_services.send_replace(());
        for service in &mut self.services {
            // An error would be a panic of the task, which ends it just as well.
            let _ = service.await;
        }
        self.stop.send_replace(());
        let _ = (&mut self.task).await;
    }
}

impl fmt::Debug for PbxHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PbxHandle").field("listening", &self.listening).finish_non_exhaustive()
    }
}

impl Drop for PbxHandle {
    fn drop(&mut self) {
        self.task.abort();
        self.services.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Display for PbxHandle {
    /// What it listens to: `listening at udp 127.0.0.1:5060, tcp 127.0.0.1:5060`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (protocol, address)) in self.listening.iter().enumerate() {
            let protocol = protocol.as_str().to_ascii_lowercase();
            write!(f, "{}{protocol} {address}", if at == 0 { "listening at " } else { ", " })?;
        }
        Ok(())
    }
}

/// The events of a PBX.
#[derive(Debug)]
pub struct PbxEvents {
    events: broadcast::Receiver<PbxEvent>,
}

impl PbxEvents {
    /// The next event; `None` when the PBX has stopped. A reader that is more than 1024 events behind misses the
    /// oldest ones. Cancel-safe.
    pub async fn next(&mut self) -> Option<PbxEvent> {
        loop {
            match self.events.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "slow reader of PBX events");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// The dialogs of a PBX.
#[derive(Debug)]
pub struct PbxDialogs {
    dialogs: broadcast::Receiver<UserDialog>,
}

impl PbxDialogs {
    /// The next dialog that changed, as it is now; `None` when the PBX has stopped. A reader that is more than 1024
    /// changes behind misses the oldest ones, and asks [`PbxHandle::dialogs_of`] when it must not. Cancel-safe.
    pub async fn next(&mut self) -> Option<UserDialog> {
        loop {
            match self.dialogs.recv().await {
                Ok(dialog) => return Some(dialog),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "slow reader of PBX dialogs");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
