//! The handle of a subscription of ours.

use super::command::Command;
use super::features::{Dropped, work_now};
use super::{Account, Error};
use crate::{IncomingId, SubscribeRequest, SubscriptionId, SubscriptionState};
use bytes::Bytes;
use core::sync::atomic::{AtomicBool, Ordering};
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Headers, Request, StatusCode};
use std::boxed::Box;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// A subscription. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    id: SubscriptionId,
    notifies: mpsc::Receiver<Told>,
    /// NOTIFY requests that the user has seen and not answered.
    unanswered: VecDeque<IncomingId>,
    state: watch::Receiver<SubscriptionState>,
    lost: Arc<AtomicBool>,
    commands: mpsc::Sender<Command>,
    dropped: mpsc::UnboundedSender<Dropped>,
}

/// A NOTIFY, and how it is answered if the user does that.
type Told = (Box<Request>, Option<IncomingId>);

/// The task's end.
pub(super) struct SubscriptionSender {
    notifies: mpsc::Sender<Told>,
    state: watch::Sender<SubscriptionState>,
    lost: Arc<AtomicBool>,
}

/// What happens to a subscription.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SubscriptionEvent {
    /// It is in another state now; [`SubscriptionState`] has the messages of each. States that passed while nobody looked are left out.
    State(SubscriptionState),
    /// The state that was subscribed to: `NOTIFY` – `200`. Content-Type and body are the package's.
    Notify(Box<Request>),
}

/// NOTIFY requests that wait for a slow reader. What does not fit is dropped, and the whole state asked for anew.
const QUEUED: usize = 64;

impl SubscriptionSender {
    pub(super) fn state(&self, state: SubscriptionState) {
        self.state.send_replace(state);
    }

    pub(super) fn notify(&self, request: Box<Request>) {
        if self.notifies.try_send((request, None)).is_err() {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    /// False when nobody will answer it.
    pub(super) fn asked(&self, request: Box<Request>, id: IncomingId) -> bool {
        self.notifies.try_send((request, Some(id))).is_ok()
    }
}

impl Account {
    /// Subscribes to a state and keeps subscribed, through failures too, until the handle is dropped.
    ///
    /// # Errors
    /// [`Error::Command`], [`Error::Closed`].
    pub async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription, Error> {
        let account = self.id();
        let (notify_sender, notifies) = mpsc::channel(QUEUED);
        let (state_sender, state) = watch::channel(SubscriptionState::Subscribing);
        let lost = Arc::new(AtomicBool::new(false));
        let sender = SubscriptionSender { notifies: notify_sender, state: state_sender, lost: lost.clone() };
        let (id, dropped) = work_now(self.commands(), move |task, now| {
            let id = task.agent.subscribe(now, account, request)?;
            task.features.subscriptions.insert(id, sender);
            Ok((id, task.dropped_sender.clone()))
        })
        .await?;
        let unanswered = VecDeque::new();
        Ok(Subscription { id, notifies, unanswered, state, lost, commands: self.commands().clone(), dropped })
    }
}

impl Subscription {
    /// The subscription's name within its user agent.
    #[must_use]
    pub const fn id(&self) -> SubscriptionId {
        self.id
    }

    /// Where it stands now.
    #[must_use]
    pub fn state(&self) -> SubscriptionState {
        self.state.borrow().clone()
    }

    /// The next thing that happens; after [`SubscriptionState::Ended`], `None`. Cancel-safe.
    pub async fn next_event(&mut self) -> Option<SubscriptionEvent> {
        if self.lost.swap(false, Ordering::Relaxed) {
            // It may be over already.
            self.refresh().await.ok();
        }
        let event = tokio::select! {
            biased;
            Ok(()) = self.state.changed() => {
                SubscriptionEvent::State(self.state.borrow_and_update().clone())
            }
            notify = self.notifies.recv() => return notify.map(|told| self.told(told)),
        };
        // The last NOTIFY may have a body, and nobody listens after the end.
        if matches!(event, SubscriptionEvent::State(SubscriptionState::Ended { .. }))
            && let Ok(told) = self.notifies.try_recv()
        {
            self.state.mark_changed();
            return Some(self.told(told));
        }
        Some(event)
    }

    fn told(&mut self, (request, id): Told) -> SubscriptionEvent {
        self.unanswered.extend(id);
        SubscriptionEvent::Notify(request)
    }

    /// Answers the oldest NOTIFY of those that [`next_event`](Self::next_event) told and that were not answered yet, where
    /// that is the user's ([`SubscribeRequest::answers`]); elsewhere it does nothing.
    ///
    /// # Errors
    /// [`Error::Command`] when it is too late or the status is no final one, [`Error::Closed`].
    pub async fn answer(&mut self, status: StatusCode) -> Result<(), Error> {
        let Some(id) = self.unanswered.pop_front() else { return Ok(()) };
        work_now(&self.commands, move |task, now| {
            task.agent.respond(now, id, status, &Headers::new(), None).map_err(Error::from)
        })
        .await
    }

    /// Asks for the whole state anew, as after a gap in a document's versions.
    ///
    /// # Errors
    /// [`Error::Command`] when it is over, [`Error::Closed`].
    pub async fn refresh(&self) -> Result<(), Error> {
        let id = self.id;
        work_now(&self.commands, move |task, now| {
            task.agent.refresh_subscription(now, id).map_err(Error::from)
        })
        .await
    }

    /// Says something in a SUBSCRIBE now, once: refreshes do not repeat it. Several are sent in their order.
    ///
    /// # Errors
    /// [`Error::Command`] when it is over or too many wait, [`Error::Closed`].
    pub async fn say(&self, kind: ContentType, body: impl Into<Bytes>) -> Result<(), Error> {
        let (id, body) = (self.id, (kind, body.into()));
        work_now(&self.commands, move |task, now| {
            task.agent.say_in_subscription(now, id, body).map_err(Error::from)
        })
        .await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // The task may have ended before.
        self.dropped.send(Dropped::Subscription(self.id)).ok();
    }
}
