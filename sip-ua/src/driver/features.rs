//! The task's part of what is beside the calls' own: requests, transfers, subscriptions of both sides.

use super::call::CallEvent;
use super::command::{Command, Reply};
use super::refer::IncomingRefer;
use super::request::{ReceivedRequest, RequestOutcome};
use super::subscription::SubscriptionSender;
use super::task::Task;
use super::watcher::{IncomingSubscription, WatcherSender};
use super::{Error, UserAgentEvent};
use crate::{
    CallId, Event, IncomingId, PublicationId, PublicationState, ReferId, ReferProgress, RequestId,
    SubscribeKind, SubscriptionId, SubscriptionState, WatcherId,
};
use sidetone_hal::time::Instant;
use sidetone_sip_core::StatusCode;
use std::boxed::Box;
use std::collections::BTreeMap;
use tokio::sync::{mpsc, oneshot, watch};

/// What a handle wants done in the task.
pub(super) type Work = Box<dyn FnOnce(&mut Task, Instant) + Send>;

/// Something whose handle was dropped. Each comes once, so their queue is bounded by the handles there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dropped {
    /// Hang up.
    Call(CallId),
    /// Nobody answered it; this does.
    Request(IncomingId, StatusCode),
    /// Nobody answered it.
    Refer(WatcherId),
    /// Unsubscribe.
    Subscription(SubscriptionId),
    /// Take it back.
    Publication(PublicationId),
    /// Nobody decided on it, or nobody tells the state any more.
    Watcher(WatcherId),
}

/// Who waits for what.
#[derive(Default)]
pub(super) struct Features {
    pub(super) requests: BTreeMap<RequestId, Reply<RequestOutcome>>,
    pub(super) refers: BTreeMap<ReferId, Reply<()>>,
    pub(super) subscriptions: BTreeMap<SubscriptionId, SubscriptionSender>,
    pub(super) watchers: BTreeMap<WatcherId, WatcherSender>,
    pub(super) publications: BTreeMap<PublicationId, watch::Sender<Option<PublicationState>>>,
}

/// Has something done in the task, and waits for its result.
pub(super) async fn work<T: Send + 'static>(
    commands: &mpsc::Sender<Command>,
    action: impl FnOnce(&mut Task, Instant, Reply<T>) + Send + 'static,
) -> Result<T, Error> {
    let (reply, answer) = oneshot::channel();
    let work: Work = Box::new(move |task, now| action(task, now, reply));
    commands.send(Command::Work(work)).await.map_err(|_| Error::Closed)?;
    answer.await.map_err(|_| Error::Closed)?
}

/// The same for what has its result at once.
pub(super) async fn work_now<T: Send + 'static>(
    commands: &mpsc::Sender<Command>,
    action: impl FnOnce(&mut Task, Instant) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    work(commands, move |task, now, reply| {
        // Whoever asked may have gone.
        reply.send(action(task, now)).ok();
    })
    .await
}

impl Task {
    /// Events of the agent that are none of a call's life.
    pub(super) fn handle_feature_event(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Response { request, status, response } => {
                if let Some(reply) = self.features.requests.remove(&request) {
                    reply.send(Ok(RequestOutcome { status, response })).ok();
                }
            }
            Event::Request { id, account, call, incoming } => {
                let commands = self.commands_of_handle();
                let received = commands.map(|(commands, dropped)| {
                    ReceivedRequest::new(id, account, call, incoming, commands, dropped)
                });
                // A handle that cannot be given away answers by being dropped.
                if let Some(received) = received {
                    self.tell(UserAgentEvent::Request(received));
                }
            }
            Event::Referred { refer, call, account, target } => {
                if let Some((commands, dropped)) = self.commands_of_handle() {
                    let incoming = IncomingRefer::new(refer, call, account, target, commands, dropped);
                    self.tell(UserAgentEvent::Referred(incoming));
                }
            }
            Event::Refer { refer, call, progress } => self.refer_goes_on(refer, call, progress),
            Event::Subscription { subscription, state } => {
                let over = matches!(state, SubscriptionState::Ended { .. });
                if let Some(sender) = self.features.subscriptions.get(&subscription) {
                    sender.state(state);
                }
                if over {
                    self.features.subscriptions.remove(&subscription);
                }
            }
            Event::Publication { publication, state } => {
                let over = matches!(state, PublicationState::Ended { .. });
                if let Some(sender) = self.features.publications.get(&publication) {
                    sender.send_replace(Some(state));
                }
                if over {
                    self.features.publications.remove(&publication);
                }
            }
            Event::Notify { subscription, request } => {
                if let Some(sender) = self.features.subscriptions.get(&subscription) {
                    sender.notify(request);
                }
            }
            Event::NotifyAsked { subscription, id, request } => {
                let sender = self.features.subscriptions.get(&subscription);
                if !sender.is_some_and(|sender| sender.asked(request, id)) {
                    // Whoever sends it again is heard.
                    let status = StatusCode::SERVER_INTERNAL_ERROR;
                    drop(self.agent.respond(self.io.now(), id, status, &Default::default(), None));
                }
            }
            Event::Notified { watcher, status } => {
                if let Some(sender) = self.features.watchers.get_mut(&watcher) {
                    sender.answered(status);
                }
            }
            Event::Subscribe { watcher, kind: SubscribeKind::New, account, request, source } => {
                if let Some((commands, dropped)) = self.commands_of_handle() {
                    let incoming =
                        IncomingSubscription::new(watcher, account, (request, source), commands, dropped);
                    self.tell(UserAgentEvent::Subscribe(incoming));
                }
            }
            Event::Subscribe { watcher, kind, request, .. } => {
                if let Some(sender) = self.features.watchers.get(&watcher) {
                    sender.refreshed(kind, request);
                }
            }
            Event::Unsubscribed { watcher, status } => {
                if let Some(sender) = self.features.watchers.remove(&watcher) {
                    sender.ended(status);
                }
            }
            event => return Some(event),
        }
        None
    }

    fn refer_goes_on(&mut self, refer: ReferId, call: Option<CallId>, progress: ReferProgress) {
        if let Some(slot) = call.and_then(|call| self.slots.get(&call)) {
            slot.events.send(CallEvent::Transfer(progress));
        }
        let result = match progress {
            // Nothing more will be heard of it: taken is as good as done.
            ReferProgress::Accepted { more: false } => Ok(()),
            ReferProgress::Accepted { .. } | ReferProgress::Trying(_) => return,
            ReferProgress::Done(status) if status.is_success() => Ok(()),
            ReferProgress::Done(status) | ReferProgress::Refused(status) => Err(Error::Refused(status)),
            ReferProgress::Lost => Err(Error::Refused(StatusCode::REQUEST_TIMEOUT)),
        };
        if let Some(reply) = self.features.refers.remove(&refer) {
            reply.send(result).ok();
        }
    }

    /// What a handle made here needs; none when every handle is gone.
    fn commands_of_handle(&self) -> Option<(mpsc::Sender<Command>, mpsc::UnboundedSender<Dropped>)> {
        Some((self.command_sender.upgrade()?, self.dropped_sender.clone()))
    }

    /// Tells the user. What does not fit is dropped, and answers by that.
    fn tell(&mut self, event: UserAgentEvent) {
        if let Err(error) = self.events.try_send(event) {
            tracing::debug!(%error, "user agent event dropped");
        }
    }

    /// A handle is gone.
    pub(super) fn handle_dropped(&mut self, dropped: Dropped) {
        let now = self.io.now();
        // What the handle stood for may be over already.
        match dropped {
            Dropped::Call(call) => drop(self.agent.hangup(now, call)),
            Dropped::Request(id, status) => {
                drop(self.agent.respond(now, id, status, &Default::default(), None));
            }
            Dropped::Refer(refer) => drop(self.agent.reject_refer(now, refer, StatusCode::DECLINE)),
            Dropped::Subscription(id) => drop(self.agent.unsubscribe(now, id)),
            Dropped::Publication(id) => drop(self.agent.unpublish(now, id)),
            Dropped::Watcher(id) => {
                if self.agent.reject_subscription(now, id, StatusCode::TEMPORARILY_UNAVAILABLE).is_err() {
                    drop(self.agent.end_subscription(now, id, "deactivated", None));
                }
            }
        }
    }
}
