//! The handle of a publication.

use super::command::Command;
use super::features::{Dropped, work_now};
use super::{Account, Error};
use crate::{PublicationId, PublicationState, PublishRequest};
use bytes::Bytes;
use sidetone_sip_core::header::ContentType;
use tokio::sync::{mpsc, watch};

/// A state that is kept published. Dropping it takes the state back.
#[derive(Debug)]
pub struct Publication {
    id: PublicationId,
    state: watch::Receiver<Option<PublicationState>>,
    commands: mpsc::Sender<Command>,
    dropped: mpsc::UnboundedSender<Dropped>,
}

impl Account {
    /// Publishes a state and keeps it published, through failures too, until the handle is dropped (RFC 3903).
    ///
    /// # Errors
    /// [`Error::Command`], [`Error::Closed`].
    pub async fn publish(&self, request: PublishRequest) -> Result<Publication, Error> {
        let account = self.id();
        let (sender, state) = watch::channel(None);
        let (id, dropped) = work_now(self.commands(), move |task, now| {
            let id = task.agent.publish(now, account, request)?;
            task.features.publications.insert(id, sender);
            Ok((id, task.dropped_sender.clone()))
        })
        .await?;
        Ok(Publication { id, state, commands: self.commands().clone(), dropped })
    }
}

impl Publication {
    /// Where it stands; `None` before the server has said anything.
    #[must_use]
    pub fn state(&self) -> Option<PublicationState> {
        self.state.borrow().clone()
    }

    /// Waits for the next state; `None` after [`PublicationState::Ended`]. Cancel-safe.
    pub async fn changed(&mut self) -> Option<PublicationState> {
        self.state.changed().await.ok()?;
        self.state.borrow_and_update().clone()
    }

    /// The state is another one now.
    ///
    /// # Errors
    /// [`Error::Command`] when it is over, [`Error::Closed`].
    pub async fn set(&self, kind: ContentType, body: impl Into<Bytes>) -> Result<(), Error> {
        let (id, body) = (self.id, body.into());
        work_now(&self.commands, move |task, now| {
            task.agent.republish(now, id, kind, body).map_err(Error::from)
        })
        .await
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        // The task may have ended before.
        self.dropped.send(Dropped::Publication(self.id)).ok();
    }
}
