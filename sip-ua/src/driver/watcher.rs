//! The handles of somebody else's subscription to us.

use super::Error;
use super::command::Command;
use super::features::{Dropped, work_now};
use crate::{AccountId, CommandError, NotifyContent, SubscribeKind, WatcherId, WatcherState};
use bytes::Bytes;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Request, Source, StatusCode};
use std::boxed::Box;
use std::collections::VecDeque;
use std::string::String;
use tokio::sync::{mpsc, oneshot};

/// Somebody wants to subscribe. Dropping it refuses with 480.
#[derive(Debug)]
pub struct IncomingSubscription {
    id: WatcherId,
    account: Option<AccountId>,
    request: Box<Request>,
    source: Source,
    commands: mpsc::Sender<Command>,
    dropped: mpsc::UnboundedSender<Dropped>,
    decided: bool,
}

/// A subscription of somebody else. Dropping it ends it (`deactivated`).
#[derive(Debug)]
pub struct Watcher {
    id: WatcherId,
    events: mpsc::Receiver<WatcherEvent>,
    commands: mpsc::Sender<Command>,
    dropped: mpsc::UnboundedSender<Dropped>,
}

/// What happens to somebody else's subscription.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WatcherEvent {
    /// It was refreshed, or is about to end: `SUBSCRIBE` within it, answered `200` ([`SubscribeKind::Final`]): tell the whole state by [`Watcher::notify`]. The
    /// SUBSCRIBE may have a body that says something.
    Refreshed(SubscribeKind, Box<Request>),
    /// It is over: the last `NOTIFY` – `200`, or by this status if a NOTIFY was refused or met silence.
    Ended(Option<StatusCode>),
}

/// The task's end.
pub(super) struct WatcherSender {
    events: mpsc::Sender<WatcherEvent>,
    /// Who waits for the answers to what was asked, in the order of the NOTIFY requests.
    asked: VecDeque<oneshot::Sender<StatusCode>>,
}

/// Events that wait for a slow reader. A refresh that does not fit is one of many.
const QUEUED: usize = 8;

impl WatcherSender {
    const fn new(events: mpsc::Sender<WatcherEvent>) -> Self {
        Self { events, asked: VecDeque::new() }
    }

    /// The oldest of what was asked has its answer.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if let Some(reply) = self.asked.pop_front() {
            // Whoever asked may have given up.
            reply.send(status).ok();
        }
    }

    pub(super) fn refreshed(&self, kind: SubscribeKind, request: Box<Request>) {
        self.events.try_send(WatcherEvent::Refreshed(kind, request)).ok();
    }

    pub(super) fn ended(self, status: Option<StatusCode>) {
        self.events.try_send(WatcherEvent::Ended(status)).ok();
    }
}

impl IncomingSubscription {
    pub(super) fn new(
        id: WatcherId,
        account: Option<AccountId>,
        (request, source): (Box<Request>, Source),
        commands: mpsc::Sender<Command>,
        dropped: mpsc::UnboundedSender<Dropped>,
    ) -> Self {
        Self { id, account, request, source, commands, dropped, decided: false }
    }

    /// The SUBSCRIBE: Event, Accept, From, body.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Where it came from.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The account that it came to, if one matches.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// Takes it, and tells the state at once.
    ///
    /// # Errors
    /// [`Error::Command`] when it is too late, [`Error::Closed`].
    pub async fn accept(
        mut self,
        state: WatcherState,
        content: impl Into<NotifyContent>,
    ) -> Result<Watcher, Error> {
        self.decided = true;
        let (sender, events) = mpsc::channel(QUEUED);
        let (id, content) = (self.id, content.into());
        work_now(&self.commands, move |task, now| {
            task.features.watchers.insert(id, WatcherSender::new(sender));
            task.agent.accept_subscription(now, id, state, content).map_err(Error::from)
        })
        .await?;
        Ok(Watcher { id, events, commands: self.commands.clone(), dropped: self.dropped.clone() })
    }

    /// Refuses with a status of 300 to 699.
    ///
    /// # Errors
    /// [`Error::Command`] when it is too late, [`Error::Closed`].
    pub async fn reject(mut self, status: StatusCode) -> Result<(), Error> {
        self.decided = true;
        let id = self.id;
        work_now(&self.commands, move |task, now| {
            task.agent.reject_subscription(now, id, status).map_err(Error::from)
        })
        .await
    }
}

impl Drop for IncomingSubscription {
    fn drop(&mut self) {
        if !self.decided {
            // The task may have ended before.
            self.dropped.send(Dropped::Watcher(self.id)).ok();
        }
    }
}

impl Watcher {
    /// The subscription's name within its user agent.
    #[must_use]
    pub const fn id(&self) -> WatcherId {
        self.id
    }

    /// The next thing that happens; after [`WatcherEvent::Ended`], `None`. Cancel-safe.
    pub async fn next_event(&mut self) -> Option<WatcherEvent> {
        self.events.recv().await
    }

    /// Tells the state, or a change of it.
    ///
    /// # Errors
    /// [`Error::Command`] when it is over, or as many NOTIFY requests wait as may: then the whole state is due later;
    /// [`Error::Closed`].
    pub async fn notify(&self, kind: ContentType, body: impl Into<Bytes>) -> Result<(), Error> {
        self.notify_with(Some((kind, body.into()))).await
    }

    /// The same for what is told in headers too.
    ///
    /// # Errors
    /// As [`Watcher::notify`].
    pub async fn notify_with(&self, content: impl Into<NotifyContent>) -> Result<(), Error> {
        let (id, content) = (self.id, content.into());
        work_now(&self.commands, move |task, now| task.agent.notify(now, id, content).map_err(Error::from))
            .await
    }

    /// Tells something whose answer decides, and waits for that: so a bridged line is seized. A refusal that speaks of this
    /// NOTIFY alone does not end the subscription.
    ///
    /// # Errors
    /// As [`Watcher::notify`], and [`Error::Closed`] when the subscription ends before.
    pub async fn ask(&self, content: impl Into<NotifyContent>) -> Result<StatusCode, Error> {
        let (id, content) = (self.id, content.into().asking());
        let (reply, answer) = oneshot::channel();
        work_now(&self.commands, move |task, now| {
            let sender = task.features.watchers.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
            // The answer may be there before this ends: nothing can be sent.
            sender.asked.push_back(reply);
            task.agent.notify(now, id, content).inspect_err(|_| {
                if let Some(sender) = task.features.watchers.get_mut(&id) {
                    sender.asked.pop_back();
                }
            })?;
            Ok(())
        })
        .await?;
        answer.await.map_err(|_| Error::Closed)
    }

    /// Ends it, with a reason of RFC 6665 §4.2.2 and a last state.
    ///
    /// # Errors
    /// [`Error::Command`] when it is over, [`Error::Closed`].
    pub async fn end(
        &self,
        reason: impl Into<String>,
        content: impl Into<NotifyContent>,
    ) -> Result<(), Error> {
        let (id, reason, content) = (self.id, reason.into(), content.into());
        work_now(&self.commands, move |task, now| {
            task.agent.end_subscription(now, id, &reason, content).map_err(Error::from)
        })
        .await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // The task may have ended before.
        self.dropped.send(Dropped::Watcher(self.id)).ok();
    }
}
