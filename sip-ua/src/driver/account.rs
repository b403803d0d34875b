//! The handle of an account.

use super::Error;
use super::account_state::AccountState;
use super::command::{Command, NewAccount, Reply};
use crate::{AccountId, RegistrationState};
use core::time::Duration;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_sip_core::Uri;
#[cfg(feature = "tls")]
use sidetone_sip_core::driver::TlsSession;
use tokio::sync::{mpsc, oneshot, watch};

/// How an account's registrar was reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccountPath {
    /// The transport.
    pub protocol: Protocol,
    /// The server's address: of the registrar, or of the proxy before it.
    pub remote: SocketAddr,
    /// What TLS agreed on, and whom the server's certificate names; none without TLS.
    #[cfg(feature = "tls")]
    pub tls: Option<TlsSession>,
}

impl AccountPath {
    /// Whether nobody between us and that server can read or change what is said: TLS, and its certificate is
    /// one that we trust. What that server does with it is another matter (RFC 3261 §26.4.4).
    #[must_use]
    pub fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        {
            let peer = self.tls.as_ref().and_then(|session| session.peer.as_ref());
            self.protocol.is_secure() && peer.is_some_and(|peer| peer.trusted)
        }
        #[cfg(not(feature = "tls"))]
        {
            false
        }
    }
}

/// An account of a [`UserAgent`](super::UserAgent). Clones name the same account; dropping them changes nothing.
#[derive(Clone, Debug)]
pub struct Account {
    id: AccountId,
    aor: Uri,
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<AccountState>,
}

impl Account {
    pub(super) fn new(new: NewAccount, aor: Uri, commands: mpsc::Sender<Command>) -> Self {
        Self { id: new.id, aor, commands, state: new.state }
    }

    /// The account's name within its user agent.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// The address of record.
    #[must_use]
    pub const fn aor(&self) -> &Uri {
        &self.aor
    }

    /// How the account stands with its registrar now.
    #[must_use]
    pub fn state(&self) -> RegistrationState {
        self.state.borrow().registration.clone()
    }

    /// How the registrar was reached when it accepted the account last; `None` while it holds no binding, and
    /// when keep-alives found out that this way is lost.
    #[must_use]
    pub fn path(&self) -> Option<AccountPath> {
        self.state.borrow().path.clone()
    }

    /// Waits until the registrar has accepted the account, and gives the lifetime granted.
    ///
    /// # Errors
    /// [`Error::Registration`] at the first failure (it is tried again in the background where that makes sense: calling
    /// this again after a failure gives the same failure until the state changes), [`Error::Closed`].
    pub async fn registered(&self) -> Result<Duration, Error> {
        let mut state = self.state.clone();
        let settled = state
            .wait_for(|state| {
                matches!(
                    state.registration,
                    RegistrationState::Registered { .. } | RegistrationState::Failed { .. }
                )
            })
            .await
            .map_err(|_| Error::Closed)?
            .registration
            .clone();
        match settled {
            RegistrationState::Registered { expires } => Ok(expires),
            RegistrationState::Failed { status, reason, .. } => Err(Error::Registration { status, reason }),
            RegistrationState::Registering | RegistrationState::Unregistered => Err(Error::Closed),
        }
    }

    /// Waits until the state is another than `than`, and gives it.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn state_changed(&self, than: &RegistrationState) -> Result<RegistrationState, Error> {
        let mut state = self.state.clone();
        let state = state.wait_for(|state| state.registration != *than).await.map_err(|_| Error::Closed)?;
        Ok(state.registration.clone())
    }

    /// Registers now: the first time for an account that was added without, again after a failure or
    /// [`Account::unregister`].
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn register(&self) -> Result<(), Error> {
        self.ask(|account, reply| Command::Register { account, reply }).await
    }

    /// Takes the binding back and waits for the registrar's word, which may take as long as a transaction does (32 s).
    ///
    /// # Errors
    /// [`Error::Registration`] when the registrar refused or did not answer; the binding then ends by itself.
    pub async fn unregister(&self) -> Result<(), Error> {
        self.ask(|account, reply| Command::Unregister { account, reply }).await?;
        let mut state = self.state.clone();
        let settled = state
            .wait_for(|state| {
                matches!(
                    state.registration,
                    RegistrationState::Unregistered | RegistrationState::Failed { .. }
                )
            })
            .await
            .map_err(|_| Error::Closed)?
            .registration
            .clone();
        match settled {
            RegistrationState::Failed { status, reason, .. } => Err(Error::Registration { status, reason }),
            _ => Ok(()),
        }
    }

    /// Calls `to` with this sound device. Returns as soon as the call is on its way; its [`Call`](super::Call) tells the rest.
    ///
    /// The port is read and written from a task on the tokio runtime, so it must not block.
    ///
    /// # Errors
    /// [`Error::Uri`], [`Error::Command`], [`Error::SampleRate`], [`Error::NoRoute`], [`Error::Io`] (no RTP port is free), [`Error::Closed`].
    #[cfg(feature = "media")]
    pub async fn call(
        &self,
        to: impl super::IntoUri,
        audio: impl sidetone_hal::audio::AudioPort + 'static,
    ) -> Result<super::Call, Error> {
        let request = crate::CallRequest::new(to.into_uri(&self.aor)?);
        place_call(&self.commands, self.id, request, std::boxed::Box::new(audio)).await
    }

    /// Calls with all that may be said of a call: another name, further headers such as Replaces (to pick up or take over
    /// a call), Alert-Info, Call-Info (intercom). Its offer is made here.
    ///
    /// # Errors
    /// As [`Account::call`].
    #[cfg(feature = "media")]
    pub async fn call_with(
        &self,
        request: crate::CallRequest,
        audio: impl sidetone_hal::audio::AudioPort + 'static,
    ) -> Result<super::Call, Error> {
        place_call(&self.commands, self.id, request, std::boxed::Box::new(audio)).await
    }

    pub(super) const fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    async fn ask(&self, command: impl FnOnce(AccountId, Reply<()>) -> Command) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(self.id, reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

/// Has a call made, and waits until it is on its way.
#[cfg(feature = "media")]
pub(super) async fn place_call(
    commands: &mpsc::Sender<Command>,
    account: AccountId,
    request: crate::CallRequest,
    audio: std::boxed::Box<dyn sidetone_hal::audio::AudioPort>,
) -> Result<super::Call, Error> {
    let (reply, answer) = oneshot::channel();
    let request = std::boxed::Box::new(request);
    let command = Command::Call { account, request, audio, reply };
    commands.send(command).await.map_err(|_| Error::Closed)?;
    let new = answer.await.map_err(|_| Error::Closed)??;
    Ok(super::Call::new(new))
}
