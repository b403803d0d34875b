//! The handles of what a telephone watches most: an extension's lamp, and a mailbox.

use super::subscription::{Subscription, SubscriptionEvent};
use super::{Account, Error, IntoUri};
use crate::package::Merge;
use crate::package::blf::{Blf, BlfState, Unknown, Watch};
use crate::package::dialog_info::DialogInfo;
use crate::package::message_summary::MessageSummary;
use crate::{SubscribeRequest, SubscriptionState};
use sidetone_sip_core::header::{ContentType, Event};
use sidetone_sip_core::{Request, StatusCode, Text};

/// A watched extension (RFC 4235). Dropping it unsubscribes.
#[derive(Debug)]
pub struct WatchedExtension {
    subscription: Subscription,
    blf: Blf,
    told: Option<BlfState>,
}

/// A watched mailbox (RFC 3842). Dropping it unsubscribes.
#[derive(Debug)]
pub struct WatchedMailbox {
    subscription: Subscription,
}

impl Account {
    /// Watches an extension: who calls it, whether it talks (the package `dialog`).
    ///
    /// # Errors
    /// [`Error::Uri`], [`Error::Command`], [`Error::Closed`].
    pub async fn watch(&self, extension: impl IntoUri) -> Result<WatchedExtension, Error> {
        let to = extension.into_uri(self.aor())?;
        let kind = ContentType::from_static("application", "dialog-info+xml");
        let request = SubscribeRequest::new(to, event("dialog")).accepting(kind);
        let subscription = self.subscribe(request).await?;
        Ok(WatchedExtension { subscription, blf: Blf::new(), told: None })
    }

    /// Watches the account's own mailbox (the package `message-summary`).
    ///
    /// # Errors
    /// As [`Account::watch`].
    pub async fn watch_mailbox(&self) -> Result<WatchedMailbox, Error> {
        let kind = ContentType::from_static("application", "simple-message-summary");
        let request = SubscribeRequest::new(self.aor().clone(), event("message-summary")).accepting(kind);
        Ok(WatchedMailbox { subscription: self.subscribe(request).await? })
    }
}

fn event(package: &'static str) -> Event {
    Event { package: Text::from(package), params: Default::default() }
}

impl WatchedExtension {
    /// What the lamp shows now.
    #[must_use]
    pub fn state(&self) -> BlfState {
        self.blf.state()
    }

    /// Waits until the lamp shows something else, and gives it; `None` when the server has refused for good. Cancel-safe.
    pub async fn changed(&mut self) -> Option<BlfState> {
        loop {
            let state = self.blf.state();
            if self.told.as_ref() != Some(&state) {
                self.told = Some(state.clone());
                return Some(state);
            }
            match self.subscription.next_event().await? {
                SubscriptionEvent::State(state) => {
                    if state == SubscriptionState::Subscribing {
                        // A dialog that begins anew counts its documents anew.
                        self.blf.restart();
                    }
                    self.blf.watch(watch_of(&state));
                }
                SubscriptionEvent::Notify(request) => self.take(&request).await,
            }
        }
    }

    async fn take(&mut self, request: &Request) {
        if request.body.is_empty() {
            return;
        }
        match DialogInfo::read(&request.body) {
            Ok(document) => {
                if self.blf.apply(document) == Merge::Gap {
                    // It may be over by now.
                    self.subscription.refresh().await.ok();
                }
            }
            Err(error) => tracing::info!(%error, "a dialog-info document cannot be read"),
        }
    }
}

/// What a subscription's state says of the extension.
fn watch_of(state: &SubscriptionState) -> Watch {
    match state {
        SubscriptionState::Subscribing => Watch::Inactive(Unknown::Waiting),
        SubscriptionState::Pending { .. } => Watch::Inactive(Unknown::Pending),
        SubscriptionState::Active { .. } => Watch::Active,
        SubscriptionState::Waiting { status, reason, .. } | SubscriptionState::Ended { status, reason } => {
            Watch::Inactive(match status {
                Some(StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE) => Unknown::Unreachable,
                Some(status) => Unknown::Refused(status.code()),
                None => Unknown::Ended(Some(reason.clone())),
            })
        }
    }
}

impl WatchedMailbox {
    /// The next count of messages; `None` when the server has refused for good. Cancel-safe.
    pub async fn changed(&mut self) -> Option<MessageSummary> {
        loop {
            let SubscriptionEvent::Notify(request) = self.subscription.next_event().await? else { continue };
            if request.body.is_empty() {
                continue;
            }
            match MessageSummary::parse(&request.body) {
                Ok(summary) => return Some(summary),
                Err(error) => tracing::info!(%error, "a message summary cannot be read"),
            }
        }
    }
}
