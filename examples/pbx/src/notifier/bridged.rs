//! Bridged lines (the package `dialog` with `sla`, draft-anil-sipping-bla): each telephone hears what the others do on the
//! line, and is subscribed to in turn; the answer to the NOTIFY that tells of a dialog nobody has called with yet says
//! whether there is a dial tone.
//!
//! ```text
//! telephone                                         state agent
//!   SUBSCRIBE sip:500@pbx, Event: dialog;sla          200, NOTIFY with the dialogs of all others
//!   200, NOTIFY with its own dialogs                  SUBSCRIBE to it, Event: dialog;sla
//!   (key) NOTIFY: trying, x-line-id 0                 200: a dial tone; 409: somebody else has it
//!   (digits) INVITE                                   NOTIFY to the others: early, confirmed, terminated
//!   (held) NOTIFY: exclusive                          the same; nobody else takes the call
//!   (key at another) INVITE with Replaces             the held call moves there
//!   (key at another) INVITE with Join                 to the telephone that talks, which mixes both
//! ```

use super::shared::{AGAIN, Asker, PACE};
use super::{Content, States};
use crate::command::{Command, ask};
use crate::dialogs::Direction;
use crate::proxy::{MEMBER, TELEPHONE};
use crate::services::account_at;
use crate::shared_lines::{LineState, device};
use bytes::Bytes;
use core::time::Duration;
use sidetone_sip_core::header::{Contact, Event, From};
use sidetone_sip_core::{NameAddr, Request, StatusCode, Uri};
use sidetone_sip_ua::feature::shared_line::{
    AppearanceState, BridgedLine, appearance_of, bridged_event, is_bridged,
};
use sidetone_sip_ua::package::dialog_info::{CONTENT_TYPE, Dialog, DialogInfo, Identity, Told};
use sidetone_sip_ua::{
    Account, CallDialog, CommandError, Error, IncomingSubscription, SubscribeRequest, Subscription,
    SubscriptionEvent, SubscriptionState, WatcherEvent, WatcherState,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long an appearance is seized at a time. A telephone may take longer: while its subscription stands it is seized anew
/// after the half of this.
const SEIZED: Duration = Duration::from_secs(60);

/// What one telephone is told of a line: the dialogs of all others.
struct Teller {
    number: Arc<str>,
    holder: String,
    line: BridgedLine,
    told: Told,
}

/// A telephone that has the line, and what it tells of its own dialogs.
struct Member {
    states: Arc<States>,
    number: Arc<str>,
    holder: String,
    account: Option<Account>,
    telephone: Option<Uri>,
    subscription: Option<Subscription>,
    seized: BTreeSet<u16>,
}

impl States {
    /// Whether a SUBSCRIBE is that of a telephone with a bridged line.
    pub(super) fn is_bridged_line(&self, request: &Request) -> bool {
        let event = request.headers.get::<Event>().and_then(Result::ok);
        let number = request.uri.user();
        event.is_some_and(|event| is_bridged(&event))
            && number.is_some_and(|number| self.lock().shared.contains_key(&*number))
    }

    /// Serves one subscription to its end.
    pub(super) async fn serve_bridged(self: Arc<Self>, incoming: IncomingSubscription) {
        let result = match self.line_asked(incoming.request()) {
            Ok(asker) => {
                let mut member = Member::new(&self, incoming.request(), &asker);
                let result = self.tell_bridged(incoming, &asker, &mut member).await;
                member.give_back().await;
                result
            }
            Err(status) => incoming.reject(status).await,
        };
        if let Err(error) = result {
            tracing::debug!(%error, "subscription to a bridged line");
        }
    }

    async fn tell_bridged(
        self: &Arc<Self>,
        incoming: IncomingSubscription,
        asker: &Asker,
        member: &mut Member,
    ) -> Result<(), Error> {
        let (_place, wake) = self.line_place(&asker.line);
        let mut teller = Teller {
            number: Arc::clone(&asker.line),
            holder: member.holder.clone(),
            line: BridgedLine::new(asker.address.to_string()),
            told: Told::default(),
        };
        let mut watcher = incoming.accept(WatcherState::Active, Some(teller.full(self))).await?;
        member.subscribe().await;
        let mut pause = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut again = tokio::time::interval(SEIZED / 2);
        // Documents that did not fit into the queue: only the whole state makes up for it.
        let mut lost = false;
        loop {
            let content = tokio::select! {
                () = async { wake.changed().await; pause.as_mut().await } => {
                    drop(wake.take());
                    if lost { Some(teller.full(self)) } else { teller.changes(self) }
                }
                event = watcher.next_event() => match event {
                    Some(WatcherEvent::Refreshed(..)) => {
                        member.subscribe().await;
                        Some(teller.full(self))
                    }
                    Some(WatcherEvent::Ended(_)) | None => return Ok(()),
                    Some(_) => None,
                },
                event = next(&mut member.subscription) => {
                    member.hear(event).await;
                    None
                }
                _ = again.tick(), if !member.seized.is_empty() => {
                    member.seize_again().await;
                    None
                }
            };
            let Some((kind, body)) = content else { continue };
            match watcher.notify(kind, body).await {
                Ok(()) => {
                    lost = false;
                    pause.set(tokio::time::sleep(PACE));
                }
                Err(Error::Command(CommandError::QueueFull(_))) => {
                    lost = true;
                    wake.ring(&asker.line);
                    pause.set(tokio::time::sleep(AGAIN));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

async fn next(subscription: &mut Option<Subscription>) -> Option<SubscriptionEvent> {
    match subscription {
        Some(subscription) => subscription.next_event().await,
        None => core::future::pending().await,
    }
}

impl Teller {
    fn full(&mut self, states: &States) -> Content {
        self.learn(states);
        let document = self.line.own().full(&mut self.told);
        (CONTENT_TYPE, Bytes::from(document.write()))
    }

    fn changes(&mut self, states: &States) -> Option<Content> {
        self.learn(states);
        let document = self.line.own().changes(&mut self.told)?;
        Some((CONTENT_TYPE, Bytes::from(document.write())))
    }

    /// What the line is used for by others; its own dialogs a telephone knows.
    fn learn(&mut self, states: &States) {
        let Some(state) = states.lock().shared.get(&self.number).cloned() else { return };
        for index in 1..=state.table.appearances() {
            self.learn_one(&state, index);
        }
    }

    fn learn_one(&mut self, state: &LineState, index: u16) {
        let used = state.table.state(index);
        if used == AppearanceState::Idle || state.table.holder(index) == Some(self.holder.as_str()) {
            self.line.end(index);
            return;
        }
        let known = state.dialogs.get(&index);
        let direction = match known.map(|dialog| dialog.side) {
            Some(Direction::Recipient) => sidetone_sip_ua::package::dialog_info::Direction::Recipient,
            _ => sidetone_sip_ua::package::dialog_info::Direction::Initiator,
        };
        let dialog = known.and_then(|known| {
            let (near, far) = known.tags.as_ref()?;
            Some(CallDialog::new(known.call_id.as_str(), near.as_str(), Some(far)))
        });
        let remote = state.table.uri(index).map(identity);
        self.line.call(index, used, direction, dialog.as_ref(), remote.as_ref());
    }
}

/// Who is at the other side, of a name-addr or a URI.
fn identity(uri: &str) -> Identity {
    let Ok(address) = uri.parse::<NameAddr>() else { return Identity::new(uri) };
    let identity = Identity::new(address.uri.as_str());
    match &address.display_name {
        Some(name) => identity.with_display(name.to_string()),
        None => identity,
    }
}

impl Member {
    fn new(states: &Arc<States>, request: &Request, asker: &Asker) -> Self {
        Self {
            states: Arc::clone(states),
            number: Arc::clone(&asker.line),
            holder: device(&request.headers),
            account: account_at(&states.config.lines, &request.uri),
            telephone: telephone(request, &asker.address),
            subscription: None,
            seized: BTreeSet::new(),
        }
    }

    /// Subscribes to the telephone, unless that stands.
    async fn subscribe(&mut self) {
        let (None, Some(account), Some(telephone)) = (&self.subscription, &self.account, &self.telephone)
        else {
            return;
        };
        let request =
            SubscribeRequest::new(telephone.clone(), bridged_event()).accepting(CONTENT_TYPE).answering();
        match account.subscribe(request).await {
            Ok(subscription) => self.subscription = Some(subscription),
            Err(error) => tracing::debug!(%error, "a telephone with a bridged line is not heard"),
        }
    }

    async fn hear(&mut self, event: Option<SubscriptionEvent>) {
        match event {
            Some(SubscriptionEvent::Notify(request)) => {
                let status = self.take(&request.body).await;
                if let Some(subscription) = &mut self.subscription
                    && let Err(error) = subscription.answer(status).await
                {
                    tracing::debug!(%error, "a telephone with a bridged line waits no more");
                }
            }
            Some(SubscriptionEvent::State(SubscriptionState::Ended { .. })) | None => {
                self.subscription = None;
                self.give_back().await;
            }
            Some(_) => {}
        }
    }

    /// What the telephone tells of its dialogs, and the answer to that.
    async fn take(&mut self, body: &[u8]) -> StatusCode {
        if body.is_empty() {
            return StatusCode::OK;
        }
        let Ok(document) = DialogInfo::read(body) else { return StatusCode::BAD_REQUEST };
        if document.full {
            let told: BTreeSet<u16> = document.dialogs.iter().filter_map(seizes).collect();
            for index in self.seized.difference(&told).copied().collect::<Vec<_>>() {
                self.release(index).await;
            }
        }
        let mut status = StatusCode::OK;
        for (index, state) in document.dialogs.iter().filter_map(appearance_of) {
            match state {
                AppearanceState::Seized => {
                    if !self.seize(index).await {
                        status = StatusCode::CONFLICT;
                    }
                }
                AppearanceState::Idle => self.release(index).await,
                AppearanceState::HeldPrivate => {
                    let (line, holder) = (Arc::clone(&self.number), self.holder.clone());
                    self.tell(Command::KeepLine { line, index, holder }).await;
                }
                // What becomes of its calls the proxy sees for itself.
                _ => drop(self.seized.remove(&index)),
            }
        }
        status
    }

    /// Whether the appearance is the telephone's.
    async fn seize(&mut self, index: u16) -> bool {
        let seized = ask(&self.states.commands, |reply| Command::SeizeLine {
            line: Arc::clone(&self.number),
            index: Some(index),
            holder: self.holder.clone(),
            lasts: SEIZED,
            reply,
        });
        let seized = matches!(seized.await, Some(Ok(_)));
        if seized {
            self.seized.insert(index);
        } else {
            self.seized.remove(&index);
        }
        seized
    }

    async fn seize_again(&mut self) {
        for index in self.seized.clone() {
            // It may have called meanwhile, and then it is a call's.
            self.seize(index).await;
        }
    }

    async fn release(&mut self, index: u16) {
        self.seized.remove(&index);
        let (line, holder) = (Arc::clone(&self.number), self.holder.clone());
        // Without effect on what is dialled on, and on what is somebody else's.
        self.tell(Command::ReleaseLine { line, index, holder }).await;
    }

    async fn give_back(&mut self) {
        for index in core::mem::take(&mut self.seized) {
            self.release(index).await;
        }
    }

    async fn tell(&self, command: Command) {
        // The proxy's task may have ended before.
        self.states.commands.send(command).await.ok();
    }
}

fn seizes(dialog: &Dialog) -> Option<u16> {
    appearance_of(dialog).filter(|(_, state)| *state == AppearanceState::Seized).map(|(index, _)| index)
}

/// The address of the line by which the proxy reaches the telephone that sent a request, and no other one.
fn telephone(request: &Request, line: &Uri) -> Option<Uri> {
    let from = request.headers.get::<From>()?.ok()?;
    let Contact::Addr(contact) = request.headers.get::<Contact>()?.ok()? else { return None };
    let mut uri = line.clone();
    uri.set_param(MEMBER, Some(&*from.uri.user()?));
    let at = format!("{}-{}", contact.uri.host_str(), contact.uri.port().unwrap_or(5060));
    uri.set_param(TELEPHONE, Some(&at));
    Some(uri)
}
