//! Transfers: those that we ask for, and those that are asked of us.

#[cfg(feature = "media")]
use super::call::Call;
use super::call::CallHandle;
use super::command::Command;
use super::features::{Dropped, work, work_now};
use super::{Account, Error, IntoUri};
use crate::feature::cause::EndReason;
use crate::{AccountId, CallId, ReferRequest, ReferTarget, WatcherId};
use sidetone_sip_core::header::Replaces;
use sidetone_sip_core::{StatusCode, Uri};
use std::boxed::Box;
use tokio::sync::mpsc;

/// A REFER that waits for our decision: the other side of a call wants us to call somebody else. Dropping it declines
/// (603).
#[derive(Debug)]
pub struct IncomingRefer {
    id: WatcherId,
    call: Option<CallId>,
    account: Option<AccountId>,
    target: Box<ReferTarget>,
    commands: mpsc::Sender<Command>,
    dropped: mpsc::UnboundedSender<Dropped>,
    decided: bool,
}

impl IncomingRefer {
    pub(super) fn new(
        id: WatcherId,
        call: Option<CallId>,
        account: Option<AccountId>,
        target: Box<ReferTarget>,
        commands: mpsc::Sender<Command>,
        dropped: mpsc::UnboundedSender<Dropped>,
    ) -> Self {
        Self { id, call, account, target, commands, dropped, decided: false }
    }

    /// Whom to call.
    #[must_use]
    pub const fn target(&self) -> &ReferTarget {
        &self.target
    }

    /// The call within which it came; it goes on until the other side, or we, hang up.
    #[must_use]
    pub const fn call(&self) -> Option<CallId> {
        self.call
    }

    /// The account that it came to.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// Does as asked: calls the target with this sound device, and tells whoever asked how it goes on.
    ///
    /// # Errors
    /// [`Error::Command`] when it is too late or no account matches; otherwise as [`Account::call`].
    #[cfg(feature = "media")]
    pub async fn accept(self, audio: impl sidetone_hal::audio::AudioPort + 'static) -> Result<Call, Error> {
        self.call_target(audio, false).await
    }

    /// As [`IncomingRefer::accept`], as the focus of a conference that fetches somebody (RFC 4579 §5.6): our Contact says
    /// `isfocus`.
    ///
    /// # Errors
    /// As [`IncomingRefer::accept`].
    #[cfg(feature = "media")]
    pub async fn accept_as_focus(
        self,
        audio: impl sidetone_hal::audio::AudioPort + 'static,
    ) -> Result<Call, Error> {
        self.call_target(audio, true).await
    }

    #[cfg(feature = "media")]
    async fn call_target(
        mut self,
        audio: impl sidetone_hal::audio::AudioPort + 'static,
        focus: bool,
    ) -> Result<Call, Error> {
        self.decided = true;
        let account = self.account.ok_or(crate::CommandError::NoSuchAccount)?;
        let id = self.id;
        work_now(&self.commands, move |task, now| task.agent.accept_refer(now, id).map_err(Error::from))
            .await?;
        let mut request = crate::CallRequest::new(self.target.to.uri.clone())
            .with_headers(self.target.headers.clone())
            .for_refer(id);
        request.focus = focus;
        let placed = super::account::place_call(&self.commands, account, request, Box::new(audio)).await;
        if placed.is_err() {
            // Nobody may listen any more.
            let told = work_now(&self.commands, move |task, now| {
                task.agent.refer_progress(now, id, StatusCode::SERVICE_UNAVAILABLE).map_err(Error::from)
            });
            told.await.ok();
        }
        placed
    }

    /// Takes it and says what came of it, a final status: for what is done without a call of ours to the target, as when the
    /// focus of a conference puts somebody out ([`ReferTarget::method`]).
    ///
    /// # Errors
    /// [`Error::Command`] when it is too late, [`Error::Closed`].
    pub async fn finish(mut self, status: StatusCode) -> Result<(), Error> {
        self.decided = true;
        let id = self.id;
        work_now(&self.commands, move |task, now| {
            task.agent.accept_refer(now, id)?;
            // Whoever asked may want to hear nothing.
            task.agent.refer_progress(now, id, status).ok();
            Ok(())
        })
        .await
    }

    /// Refuses with a status of 300 to 699.
    ///
    /// # Errors
    /// [`Error::Command`] when it is too late, [`Error::Closed`].
    pub async fn reject(mut self, status: StatusCode) -> Result<(), Error> {
        self.decided = true;
        let id = self.id;
        work_now(&self.commands, move |task, now| {
            task.agent.reject_refer(now, id, status).map_err(Error::from)
        })
        .await
    }
}

impl Drop for IncomingRefer {
    fn drop(&mut self) {
        if !self.decided {
            // The task may have ended before.
            self.dropped.send(Dropped::Refer(self.id)).ok();
        }
    }
}

impl CallHandle {
    /// Transfers the other side to somebody else, without asking there first (RFC 5589 §6), and hangs up once it has got
    /// through. When it fails the call is as it was.
    ///
    /// A consultation call that still rings is given up first, then this transfers to where it rang: what phones call a
    /// semi-attended transfer.
    ///
    /// # Errors
    /// [`Error::Refused`] with the status that the other side met, or refused with; [`Error::Uri`], [`Error::Command`],
    /// [`Error::Closed`].
    pub async fn transfer(&self, to: impl IntoUri) -> Result<(), Error> {
        let to = to.into_uri(&self.remote().uri)?;
        self.refer(ReferRequest::new(to)).await?;
        // The other side may have hung up already.
        self.hangup().await.ok();
        Ok(())
    }

    /// Transfers the other side to the other side of another call of ours, which it takes the place of (RFC 5589 §7), and
    /// hangs up both. While that one still rings this is a semi-attended transfer, which needs a target that lets it be taken
    /// ([`AgentConfig::replace_ringing`](crate::AgentConfig::replace_ringing)).
    ///
    /// # Errors
    /// As [`CallHandle::transfer`].
    pub async fn transfer_to(&self, other: &Self) -> Result<(), Error> {
        let id = other.id();
        let to: Uri = work_now(self.commands(), move |task, _| {
            task.agent.replacing(id).ok_or_else(|| crate::CommandError::WrongState.into())
        })
        .await?;
        self.refer(ReferRequest::new(to)).await?;
        // Both may be down already: the target hangs up what was replaced.
        other.hangup_because(EndReason::Replaced).await.ok();
        self.hangup().await.ok();
        Ok(())
    }

    /// Sends a REFER and waits for what comes of it, or, when no progress is asked for, until it is taken. The call stays.
    ///
    /// # Errors
    /// As [`CallHandle::transfer`].
    pub async fn refer(&self, request: ReferRequest) -> Result<(), Error> {
        let call = self.id();
        let sent =
            work(self.commands(), move |task, now, reply| match task.agent.refer(now, call, &request) {
                Ok(id) => drop(task.features.refers.insert(id, reply)),
                Err(error) => drop(reply.send(Err(error.into()))),
            });
        sent.await
    }

    /// The Replaces by which an INVITE to the other side takes this call's place.
    ///
    /// # Errors
    /// [`Error::Command`] while the call is not established, [`Error::Closed`].
    pub async fn replaces(&self) -> Result<Replaces, Error> {
        let call = self.id();
        work_now(self.commands(), move |task, _| {
            task.agent.replaces_header(call).ok_or_else(|| crate::CommandError::WrongState.into())
        })
        .await
    }
}

impl Account {
    /// Asks somebody, outside of any call, to call somebody (click to dial; a conference that is to fetch a participant, RFC
    /// 4579 §5.5), and waits for what comes of it.
    ///
    /// # Errors
    /// As [`CallHandle::transfer`].
    pub async fn refer(&self, receiver: impl IntoUri, request: ReferRequest) -> Result<(), Error> {
        let (account, receiver) = (self.id(), receiver.into_uri(self.aor())?);
        let sent = work(self.commands(), move |task, now, reply| {
            match task.agent.refer_outside(now, account, &receiver, &request) {
                Ok(id) => drop(task.features.refers.insert(id, reply)),
                Err(error) => drop(reply.send(Err(error.into()))),
            }
        });
        sent.await
    }
}
