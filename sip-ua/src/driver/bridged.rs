//! The handle of a telephone's bridged line (draft-anil-sipping-bla).

use super::features::work_now;
use super::subscription::{Subscription, SubscriptionEvent};
use super::watcher::{IncomingSubscription, Watcher, WatcherEvent};
use super::{Account, CallHandle, Error};
use crate::event::CallDialog;
use crate::feature::shared_line::{AppearanceState, BargeIn, BridgedLine, Takeover, bridged_event};
use crate::package::Merge;
use crate::package::call_info::Appearance;
use crate::package::dialog_info::{CONTENT_TYPE, DialogInfo, Direction, Identity, Told};
use crate::{NotifyContent, SubscribeRequest, SubscriptionState, WatcherState};
use alloc::vec::Vec;
use sidetone_hal::time::Duration;
use sidetone_sip_core::{StatusCode, Uri};
use std::string::ToString;

/// A bridged line as one telephone has it: our subscription to the line, and that of its state agent to us.
///
/// The user hands [`IncomingSubscription`]s with [`is_bridged`](crate::feature::shared_line::is_bridged) events of the line to
/// [`accept`](Self::accept), and polls [`next_event`](Self::next_event). Dropping it ends both.
#[derive(Debug)]
pub struct BridgedMember {
    line: BridgedLine,
    lamps: Subscription,
    /// The state agent's subscription, and what it was told.
    agent: Option<(Watcher, Told)>,
}

/// What happens to a bridged line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BridgedEvent {
    /// What its appearances are used for by others: a `NOTIFY` of the state agent, for
    /// [`LineKeys::notified`](crate::feature::shared_line::LineKeys::notified).
    Appearances(Vec<Appearance>),
    /// Nothing is told any more: our subscription failed, and may be tried again.
    Unknown,
    /// The state agent subscribes to us no more: nothing can be seized until it does so anew.
    Deaf,
}

impl Account {
    /// Subscribes to a bridged line, for so long at a time.
    ///
    /// # Errors
    /// As [`Account::subscribe`].
    pub async fn bridged_line(&self, line: Uri, expires: Duration) -> Result<BridgedMember, Error> {
        let entity = line.address_of_record().to_string();
        let request =
            SubscribeRequest::new(line, bridged_event()).accepting(CONTENT_TYPE).with_expires(expires);
        let lamps = self.subscribe(request).await?;
        Ok(BridgedMember { line: BridgedLine::new(entity), lamps, agent: None })
    }
}

impl CallHandle {
    /// The identifiers of the call's dialog, which a bridged line tells of it; `None` while there are none, and when it is
    /// over.
    pub async fn dialog(&self) -> Option<CallDialog> {
        let id = self.id();
        work_now(self.commands(), move |task, _| Ok(task.agent.call_dialog(id))).await.ok().flatten()
    }
}

impl BridgedMember {
    /// The state agent subscribes to us: it is told our dialogs. One that it had before is over.
    ///
    /// # Errors
    /// As [`IncomingSubscription::accept`].
    pub async fn accept(&mut self, incoming: IncomingSubscription) -> Result<(), Error> {
        let mut told = Told::default();
        let full = content(&self.line.own().full(&mut told));
        let watcher = incoming.accept(WatcherState::Active, full).await?;
        self.agent = Some((watcher, told));
        Ok(())
    }

    /// The next thing that happens; `None` when our subscription is over for good. Cancel-safe.
    pub async fn next_event(&mut self) -> Option<BridgedEvent> {
        loop {
            tokio::select! {
                event = self.lamps.next_event() => match event? {
                    SubscriptionEvent::Notify(request) => {
                        let document = match DialogInfo::read(&request.body) {
                            Ok(document) => document,
                            Err(_) if request.body.is_empty() => continue,
                            Err(error) => {
                                tracing::debug!(%error, "the state of the line does not read");
                                continue;
                            }
                        };
                        match self.line.notified(document) {
                            Merge::Stale => continue,
                            // It may be over already.
                            Merge::Gap => drop(self.lamps.refresh().await),
                            Merge::Taken => {}
                        }
                        return Some(BridgedEvent::Appearances(self.line.appearances()));
                    }
                    SubscriptionEvent::State(
                        SubscriptionState::Waiting { .. } | SubscriptionState::Ended { .. },
                    ) => {
                        self.line.restart();
                        return Some(BridgedEvent::Unknown);
                    }
                    SubscriptionEvent::State(_) => {}
                },
                event = of_agent(&mut self.agent) => match event {
                    Some(WatcherEvent::Refreshed(..)) => self.tell_all().await,
                    Some(WatcherEvent::Ended(_)) | None => {
                        self.agent = None;
                        return Some(BridgedEvent::Deaf);
                    }
                },
            }
        }
    }

    /// Asks for an appearance, counted from 1; whether it is ours: then there is a dial tone. After 32 s of silence it is not.
    pub async fn seize(&mut self, index: u16) -> bool {
        self.line.seize(index);
        let granted = match &mut self.agent {
            Some((watcher, told)) => match self.line.own().changes(told) {
                Some(document) => watcher.ask(content(&document)).await,
                // It is known already.
                None => Ok(StatusCode::OK),
            },
            None => Ok(StatusCode::TEMPORARILY_UNAVAILABLE),
        };
        if granted.is_ok_and(StatusCode::is_success) {
            return true;
        }
        self.release(index).await;
        false
    }

    /// An appearance is given back, or its call is over.
    pub async fn release(&mut self, index: u16) {
        if self.line.end(index) {
            self.tell_changes().await;
        }
    }

    /// Our call on an appearance is in this state, as [`BridgedLine::call`] has it.
    pub async fn call(
        &mut self,
        index: u16,
        state: AppearanceState,
        direction: Direction,
        dialog: Option<&CallDialog>,
        remote: Option<&Identity>,
    ) {
        if self.line.call(index, state, direction, dialog, remote) {
            self.tell_changes().await;
        }
    }

    /// What takes the held call of an appearance.
    #[must_use]
    pub fn takeover(&self, index: u16) -> Option<Takeover> {
        self.line.takeover(index)
    }

    /// What mixes us with the call that somebody else has on an appearance.
    #[must_use]
    pub fn barge_in(&self, index: u16) -> Option<BargeIn> {
        self.line.barge_in(index)
    }

    /// Whether the state agent hears us: without it nothing can be seized.
    #[must_use]
    pub const fn is_heard(&self) -> bool {
        self.agent.is_some()
    }

    async fn tell_changes(&mut self) {
        let Some((watcher, told)) = &mut self.agent else { return };
        let before = told.clone();
        let Some(document) = self.line.own().changes(told) else { return };
        if let Err(error) = watcher.notify_with(content(&document)).await {
            // What did not fit goes with the next.
            *told = before;
            tracing::debug!(%error, "the state agent is not told");
        }
    }

    async fn tell_all(&mut self) {
        let Some((watcher, told)) = &mut self.agent else { return };
        let full = self.line.own().full(told);
        if let Err(error) = watcher.notify_with(content(&full)).await {
            tracing::debug!(%error, "the state agent is not told");
        }
    }
}

async fn of_agent(agent: &mut Option<(Watcher, Told)>) -> Option<WatcherEvent> {
    match agent {
        Some((watcher, _)) => watcher.next_event().await,
        None => core::future::pending().await,
    }
}

fn content(document: &DialogInfo) -> NotifyContent {
    Some((CONTENT_TYPE, document.write().into_bytes().into())).into()
}
