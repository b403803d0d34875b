//! The state agent: tells subscribers what becomes of users, mailboxes, settings and rooms (RFC 6665).
//!
//! It runs on the user agent of the extensions: that one has the subscriptions with their dialogs, refreshes and
//! retransmissions already, and the proxy needs no state per dialog. The proxy sends it every SUBSCRIBE of the packages
//! that it serves ([`Proxy::set_state_agent`](crate::Proxy::set_state_agent)), after it has checked the password; the
//! NOTIFY requests go back by the signed Record-Route as all requests within dialogs do.
//!
//! A change costs O(log n) and as much as there are subscriptions to what changed; each subscription is a task that is
//! told what changed, and asks for the newest state when its subscriber may hear of it.

mod bridged;
mod guest;
mod line;
mod room;
mod settings;
mod shared;
mod summary;
mod wake;

use crate::command::{Command, ask};
use crate::dialogs::{DialogState, UserDialog};
use crate::event::PbxEvent;
use crate::mailbox::MailboxStore;
use crate::proxy::Extension;
use crate::shared_lines::LineState;
use bytes::Bytes;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use guest::GuestTeller;
use hashbrown::HashMap;
use line::{LineTeller, ListTeller};
use room::RoomTeller;
use sidetone_hal::net::IpAddr;
use sidetone_hal::rng::Rng;
use sidetone_sip_core::header::{ContentType, Event, From, Supported, To};
use sidetone_sip_core::{Request, StatusCode, Uri};
use sidetone_sip_ua::package::dialog_info::{self, DialogPublisher};
use sidetone_sip_ua::package::feature_sync::HOTELING_EVENT;
use sidetone_sip_ua::package::resource_list::OPTION_TAG;
use sidetone_sip_ua::{Account, CommandError, Error, IncomingSubscription, WatcherEvent, WatcherState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use summary::SummaryTeller;
use tokio::sync::mpsc;
use wake::Wake;

/// The packages that are told of.
pub const STATE_PACKAGES: [&str; 7] = [
    "dialog",
    "message-summary",
    "as-feature-event",
    HOTELING_EVENT,
    "conference",
    "call-info",
    "line-seize",
];
/// Subscriptions at a time; more are answered 503. A few kilobytes each.
pub(crate) const MAX_WATCHERS: usize = 10_000;
/// Lines of a list; further ones are not in it.
pub const MAX_LIST: usize = 512;
/// A subscriber is told no more often (RFC 4235 §3.10).
const PACE: Duration = Duration::from_secs(1);

/// A body with its type.
pub(super) type Content = (ContentType, Bytes);

/// What can be subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Topic {
    /// The dialogs of a user or an extension.
    Line(Arc<str>),
    Mailbox(Arc<str>),
    /// The settings of a user.
    Settings(Arc<str>),
    Room(Arc<str>),
    /// The appearances of a shared line.
    Shared(Arc<str>),
}

/// What is known of everything that can be subscribed to, with who hears of it.
pub(crate) struct States {
    inner: Mutex<Inner>,
    pub(super) mailboxes: Arc<dyn MailboxStore>,
    commands: mpsc::Sender<Command>,
    config: StatesConfig,
    next: AtomicU64,
}

/// What the state agent is made from.
pub(crate) struct StatesConfig {
    /// As [`Extension::key`].
    pub(crate) key: String,
    /// Lists of lines by name.
    pub(crate) lists: Vec<(String, Vec<String>)>,
    /// What subscribes to the telephones with bridged lines, by the address at which it is called.
    pub(crate) lines: HashMap<IpAddr, Account>,
    /// The numbers of the conference rooms.
    pub(crate) rooms: Vec<String>,
    /// What is called to hear messages.
    pub(crate) listen: Option<String>,
    /// The numbers of the voicemail: a subscription to them is to the subscriber's own mailbox.
    pub(crate) voicemail: Vec<String>,
}

struct Inner {
    lines: HashMap<Arc<str>, DialogPublisher>,
    lists: HashMap<String, Vec<Arc<str>>>,
    shared: HashMap<Arc<str>, LineState>,
    /// Who is in the rooms that somebody is in.
    rooms: HashMap<String, Vec<String>>,
    watchers: HashMap<Topic, BTreeMap<u64, Arc<Wake>>>,
    rng: Rng,
}

/// What one subscription was told.
enum Teller {
    Line(LineTeller),
    List(ListTeller),
    Summary(SummaryTeller),
    Settings { user: Arc<str>, rng: Rng },
    Guest(GuestTeller),
    Room(RoomTeller),
}

/// A subscription's place among those who hear of something; it leaves when this is dropped.
struct Place {
    states: Arc<States>,
    number: u64,
    topics: Vec<Topic>,
}

impl States {
    pub(crate) fn new(
        mut config: StatesConfig,
        mailboxes: Arc<dyn MailboxStore>,
        commands: mpsc::Sender<Command>,
        rng: Rng,
    ) -> Self {
        let members = |members: Vec<String>| members.into_iter().take(MAX_LIST).map(Arc::from).collect();
        let lists = core::mem::take(&mut config.lists);
        let lists = lists.into_iter().map(|(name, list)| (name, members(list))).collect();
        let inner = Inner {
            lines: HashMap::new(),
            lists,
            shared: HashMap::new(),
            rooms: HashMap::new(),
            watchers: HashMap::new(),
            rng,
        };
        Self { inner: Mutex::new(inner), mailboxes, commands, config, next: AtomicU64::new(0) }
    }

    /// How many subscriptions are served.
    pub(crate) fn watcher_count(&self) -> usize {
        let inner = self.lock();
        // One to a list is told of many lines.
        let numbers: BTreeSet<u64> = inner.watchers.values().flat_map(BTreeMap::keys).copied().collect();
        numbers.len()
    }

    /// Something else happened.
    pub(crate) fn happened(&self, event: &PbxEvent) {
        let ring = |name: &str, topic: fn(Arc<str>) -> Topic| {
            let name: Arc<str> = name.into();
            self.lock().ring(&topic(Arc::clone(&name)), &name);
        };
        match event {
            PbxEvent::MailboxChanged { mailbox, .. } => ring(mailbox, Topic::Mailbox),
            PbxEvent::FeaturesChanged { user, .. } => ring(user, Topic::Settings),
            PbxEvent::RoomChanged { room, members } => {
                let mut inner = self.lock();
                if members.is_empty() {
                    inner.rooms.remove(room);
                } else {
                    inner.rooms.insert(room.clone(), members.clone());
                }
                drop(inner);
                ring(room, Topic::Room);
            }
            PbxEvent::Unparked { orbit } => self.orbit_is_free(orbit),
            _ => {}
        }
    }

    /// Somebody took the parked call. The two of them still talk by way of the orbit, but another call may be parked there.
    fn orbit_is_free(&self, orbit: &str) {
        let mut inner = self.lock();
        let orbit: Arc<str> = orbit.into();
        let Some(line) = inner.lines.get_mut(&orbit) else { return };
        let over: Vec<_> = line.dialogs().cloned().collect();
        for mut dialog in over {
            dialog.state = dialog_info::DialogState::Terminated;
            line.update(dialog);
        }
        inner.ring(&Topic::Line(Arc::clone(&orbit)), &orbit);
    }

    /// A dialog changed.
    pub(crate) fn dialog_changed(&self, row: &UserDialog) {
        let mut inner = self.lock();
        let user: Arc<str> = row.user.as_str().into();
        let publisher =
            inner.lines.entry(Arc::clone(&user)).or_insert_with(|| DialogPublisher::new(row.user.as_str()));
        let news = publisher.update(line::dialog(row));
        let topic = Topic::Line(Arc::clone(&user));
        let watched = inner.watchers.contains_key(&topic);
        if !watched && inner.lines.get(&user).is_some_and(|line| line.dialogs().next().is_none()) {
            inner.lines.remove(&user);
        }
        // Who is called and does not ring yet shows nothing: the ring would have to wait for its turn after it.
        if news && row.state != DialogState::Trying {
            inner.ring(&topic, &user);
        }
    }

    /// Serves one subscription to its end.
    pub(crate) async fn serve(self: Arc<Self>, incoming: IncomingSubscription) {
        if self.is_bridged_line(incoming.request()) {
            return self.serve_bridged(incoming).await;
        }
        if shared::is_package(incoming.request()) {
            return self.serve_line(incoming).await;
        }
        let refused = match self.prepare(&incoming) {
            Ok((teller, place, wake)) => {
                if let Err(error) = self.tell(incoming, teller, &wake).await {
                    tracing::debug!(%error, "subscription");
                }
                drop(place);
                return;
            }
            Err(status) => status,
        };
        if let Err(error) = incoming.reject(refused).await {
            tracing::debug!(%error, "subscription");
        }
    }

    async fn tell(
        &self,
        incoming: IncomingSubscription,
        mut teller: Teller,
        wake: &Wake,
    ) -> Result<(), Error> {
        teller.ask(self, incoming.request()).await;
        let first = teller.full(self).await;
        let mut watcher = incoming.accept(WatcherState::Active, Some(first)).await?;
        let mut pause = Box::pin(tokio::time::sleep(Duration::ZERO));
        // Documents that did not fit into the queue: only the whole state makes up for it.
        let mut lost = false;
        loop {
            let content = tokio::select! {
                biased;
                () = async { wake.changed().await; pause.as_mut().await } => {
                    let changed = wake.take();
                    if lost { Some(teller.full(self).await) } else { teller.changes(self, &changed).await }
                }
                event = watcher.next_event() => match event {
                    // A refresh, or a question that is asked once: the whole state is due.
                    Some(WatcherEvent::Refreshed(_, request)) => {
                        teller.ask(self, &request).await;
                        Some(teller.full(self).await)
                    }
                    Some(WatcherEvent::Ended(_)) | None => return Ok(()),
                    Some(_) => None,
                },
            };
            let Some((kind, body)) = content else { continue };
            match watcher.notify(kind, body).await {
                Ok(()) => lost = false,
                Err(Error::Command(CommandError::QueueFull(_))) => lost = true,
                Err(error) => return Err(error),
            }
            pause.set(tokio::time::sleep(PACE));
        }
    }

    /// Who asks for what, and whether that is there.
    fn prepare(
        self: &Arc<Self>,
        incoming: &IncomingSubscription,
    ) -> Result<(Teller, Place, Arc<Wake>), StatusCode> {
        let request = incoming.request();
        self.check_key(request)?;
        let bad = |_| StatusCode::BAD_REQUEST;
        let event: Event = request.headers.require().map_err(bad)?;
        let to: To = request.headers.require().map_err(bad)?;
        let from: From = request.headers.require().map_err(bad)?;
        let asker = from.uri.user().ok_or(StatusCode::FORBIDDEN)?;
        let name = request.uri.user().ok_or(StatusCode::NOT_FOUND)?;
        let supports_lists = request.headers.get::<Supported>().is_some_and(|options| {
            options.is_ok_and(|options| options.0.iter().any(|tag| tag.eq_ignore_ascii_case(OPTION_TAG)))
        });
        let (teller, topics) = self.teller(event.package.as_str(), &asker, &name, &to.uri, supports_lists)?;
        let wake = Arc::<Wake>::default();
        let place = self.place(topics, &wake);
        Ok((teller, place, wake))
    }

    /// Whether a SUBSCRIBE came by the proxy, which has checked who sent it.
    fn check_key(&self, request: &Request) -> Result<(), StatusCode> {
        if request.uri.param(Extension::KEY).flatten() != Some(&*self.config.key) {
            tracing::warn!("a subscription went around the proxy");
            return Err(StatusCode::FORBIDDEN);
        }
        Ok(())
    }

    fn teller(
        &self,
        package: &str,
        asker: &str,
        name: &str,
        like: &Uri,
        supports_lists: bool,
    ) -> Result<(Teller, Vec<Topic>), StatusCode> {
        let mut inner = self.lock();
        match package {
            "dialog" => {
                if let Some(members) = inner.lists.get(name).cloned() {
                    if !supports_lists {
                        return Err(StatusCode::EXTENSION_REQUIRED);
                    }
                    let list = ListTeller::new(name, &members, like, inner.rng.fork());
                    let topics = list.topics();
                    return Ok((Teller::List(list), topics));
                }
                let user: Arc<str> = name.into();
                let topics = vec![Topic::Line(Arc::clone(&user))];
                Ok((Teller::Line(LineTeller::new(user, like)), topics))
            }
            "message-summary" => {
                let own = name == asker || self.config.voicemail.iter().any(|number| number == name);
                if !own {
                    return Err(StatusCode::FORBIDDEN);
                }
                let mailbox: Arc<str> = asker.into();
                let account = line::entity(like, self.config.listen.as_deref().unwrap_or(asker));
                let topics = vec![Topic::Mailbox(Arc::clone(&mailbox))];
                Ok((Teller::Summary(SummaryTeller { mailbox, account }), topics))
            }
            "as-feature-event" | HOTELING_EVENT if name != asker => Err(StatusCode::FORBIDDEN),
            HOTELING_EVENT => {
                let user: Arc<str> = asker.into();
                let topics = vec![Topic::Settings(Arc::clone(&user))];
                Ok((Teller::Guest(GuestTeller::new(user, like, inner.rng.fork())), topics))
            }
            "as-feature-event" => {
                let user: Arc<str> = asker.into();
                let topics = vec![Topic::Settings(Arc::clone(&user))];
                Ok((Teller::Settings { user, rng: inner.rng.fork() }, topics))
            }
            "conference" => {
                if !self.config.rooms.iter().any(|room| room == name) {
                    return Err(StatusCode::NOT_FOUND);
                }
                let room: Arc<str> = name.into();
                let topics = vec![Topic::Room(Arc::clone(&room))];
                Ok((Teller::Room(RoomTeller::new(room, line::entity(like, name))), topics))
            }
            _ => Err(StatusCode::BAD_EVENT),
        }
    }

    fn place(self: &Arc<Self>, topics: Vec<Topic>, wake: &Arc<Wake>) -> Place {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut inner = self.lock();
        for topic in &topics {
            inner.watchers.entry(topic.clone()).or_default().insert(number, Arc::clone(wake));
        }
        Place { states: Arc::clone(self), number, topics }
    }

    fn with_line<T>(&self, user: &Arc<str>, work: impl FnOnce(&DialogPublisher) -> T) -> T {
        let mut inner = self.lock();
        // It stays while somebody watches it: changes are counted from here.
        let line = inner.lines.entry(Arc::clone(user)).or_insert_with(|| DialogPublisher::new(&**user));
        work(line)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn ring(&self, topic: &Topic, name: &Arc<str>) {
        for wake in self.watchers.get(topic).into_iter().flat_map(BTreeMap::values) {
            wake.ring(name);
        }
    }
}

impl Teller {
    async fn full(&mut self, states: &States) -> Content {
        match self {
            Self::Line(line) => line.full(states),
            Self::List(list) => list.full(states),
            Self::Summary(summary) => summary.full(states),
            Self::Settings { user, rng } => {
                let features =
                    ask(&states.commands, |reply| Command::Features { user: (**user).into(), reply });
                settings::document(user, &features.await.unwrap_or_default(), rng)
            }
            Self::Room(room) => room.full(states),
            Self::Guest(guest) => guest.full(states).await,
        }
    }

    /// Nothing when what changed is known already.
    async fn changes(&mut self, states: &States, changed: &BTreeSet<Arc<str>>) -> Option<Content> {
        match self {
            Self::Line(line) => line.changes(states),
            Self::List(list) => list.changes(states, changed),
            Self::Room(room) => room.changes(states),
            Self::Summary(_) | Self::Settings { .. } | Self::Guest(_) => Some(self.full(states).await),
        }
    }

    /// Does what the body of a SUBSCRIBE asks for.
    async fn ask(&mut self, states: &States, request: &Request) {
        if request.body.is_empty() {
            return;
        }
        if let Self::Guest(guest) = self {
            return guest.ask(states, &request.body).await;
        }
        let Self::Settings { user, .. } = self else { return };
        let user = String::from(&**user);
        let now = ask(&states.commands, |reply| Command::Features { user: user.clone(), reply });
        let Some(mut features) = now.await else { return };
        if settings::change(&mut features, &request.body) {
            let set = ask(&states.commands, |reply| Command::SetFeatures { user, features, reply });
            if set.await != Some(true) {
                tracing::info!("a telephone's setting was not taken");
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.states.lock();
        for topic in &self.topics {
            let Some(watchers) = inner.watchers.get_mut(topic) else { continue };
            watchers.remove(&self.number);
            if !watchers.is_empty() {
                continue;
            }
            inner.watchers.remove(topic);
            let Topic::Line(user) = topic else { continue };
            if inner.lines.get(user).is_some_and(|line| line.dialogs().next().is_none()) {
                inner.lines.remove(user);
            }
        }
    }
}
