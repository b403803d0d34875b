//! Telephones with a bridged line (draft-anil-sipping-bla) and its state agent, over a network that loses, repeats and
//! reorders: each subscribes to the other, and the answer to a NOTIFY decides who dials.

use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::sim::{LinkConfig, NodeId, World};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::From;
use sidetone_sip_core::sim::{Machine, SipNode};
use sidetone_sip_core::{Endpoint, Input, StatusCode, Uri};
use sidetone_sip_ua::feature::shared_line::{
    AppearanceState, AppearanceTable, BridgedLine, LineAction, LineKeys, Refused, bridged_event,
};
use sidetone_sip_ua::package::call_info::Seizure;
use sidetone_sip_ua::package::dialog_info::{
    CONTENT_TYPE, Dialog, DialogInfo, DialogState, Direction, PACKAGE, Told,
};
use sidetone_sip_ua::{
    AccountConfig, AccountId, Agent, AgentConfig, Event, NotifyContent, SubscribeRequest, SubscriptionId,
    WatcherId, WatcherState,
};
use std::collections::BTreeMap;

const SERVER: &str = "10.0.0.1";
const LINE: &str = "sip:500@10.0.0.1";

fn agent(seed: u64, part: u8) -> Agent {
    let mut bytes = [part; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut config = AgentConfig::new(bytes);
    config.packages = vec![PACKAGE.into()];
    Agent::new(config)
}

fn document(info: &DialogInfo) -> NotifyContent {
    Some((CONTENT_TYPE, info.write().into_bytes().into())).into()
}

fn state_of(dialog: &Dialog) -> AppearanceState {
    match dialog.state {
        DialogState::Trying => AppearanceState::Seized,
        DialogState::Terminated => AppearanceState::Idle,
        _ => AppearanceState::Active,
    }
}

/// The state agent: who has which appearance.
struct Server {
    agent: Agent,
    account: AccountId,
    table: AppearanceTable,
    told: u64,
    version: u32,
    watchers: Vec<WatcherId>,
    /// Whose dialogs a subscription of ours is to.
    members: BTreeMap<SubscriptionId, String>,
}

impl Server {
    fn react(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::Subscribe { watcher, request, .. } => {
                    let From(from) = request.headers.require().unwrap();
                    if !self.watchers.contains(&watcher) {
                        self.watchers.push(watcher);
                        let all = self.all();
                        self.agent.accept_subscription(now, watcher, WatcherState::Active, all).unwrap();
                        let user = from.uri.user().unwrap().into_owned();
                        let host = format!("10.0.0.{}", user.trim_start_matches("user"));
                        let to: Uri = format!("sip:{user}@{host}").parse().unwrap();
                        let request = SubscribeRequest::new(to, bridged_event()).answering();
                        let member = self.agent.subscribe(now, self.account, request).unwrap();
                        self.members.insert(member, user);
                    } else {
                        let all = self.all();
                        self.agent.notify(now, watcher, all).unwrap();
                    }
                }
                Event::NotifyAsked { subscription, id, request } => {
                    let holder = self.members[&subscription].clone();
                    let info = DialogInfo::read(&request.body).unwrap();
                    let taken = info.dialogs.iter().all(|dialog| self.take(now, &holder, dialog));
                    let status = if taken { StatusCode::OK } else { StatusCode::CONFLICT };
                    self.agent.respond(now, id, status, &Default::default(), None).unwrap();
                }
                _ => {}
            }
        }
        if core::mem::replace(&mut self.told, self.table.changes()) != self.table.changes() {
            for watcher in self.watchers.clone() {
                let all = self.all();
                self.agent.notify(now, watcher, all).unwrap();
            }
        }
    }

    fn take(&mut self, now: Instant, holder: &str, dialog: &Dialog) -> bool {
        let index = u16::try_from(dialog.line.unwrap()).unwrap() + 1;
        match state_of(dialog) {
            AppearanceState::Seized => {
                self.table.seize(now, Some(index), holder, Duration::from_secs(3600)).is_ok()
            }
            AppearanceState::Idle => {
                if self.table.holder(index) == Some(holder) {
                    self.table.end(index);
                }
                true
            }
            state => self.table.call(index, holder, state, Some("sip:carol@x")),
        }
    }

    fn all(&mut self) -> NotifyContent {
        let used = (1..=2).filter(|index| self.table.state(*index) != AppearanceState::Idle);
        let dialogs = used.map(|index| {
            let state = match self.table.state(index) {
                AppearanceState::Seized => DialogState::Trying,
                _ => DialogState::Confirmed,
            };
            let mut dialog = Dialog::new(format!("line{index}"), state).with_direction(Direction::Initiator);
            dialog.line = Some(u32::from(index) - 1);
            dialog
        });
        self.version += 1;
        document(&DialogInfo::full(self.version, LINE, dialogs.collect()))
    }
}

impl Machine for Server {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        self.agent.endpoint_mut()
    }
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.agent.handle_input(now, input);
        self.react(now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.react(now);
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout().map(|(at, _)| at)
    }
}

/// A telephone whose person talks as soon as there is a dial tone.
struct Phone {
    agent: Agent,
    account: AccountId,
    keys: LineKeys,
    line: BridgedLine,
    /// The state agent's subscription, and what it was told.
    told: Option<(WatcherId, Told)>,
    asked: Option<u16>,
    tones: usize,
    refused: usize,
}

impl Phone {
    fn press(&mut self, now: Instant, index: u16) {
        match self.keys.press(now, index) {
            LineAction::Seize(index) => {
                assert!(self.line.seize(index));
                self.asked = Some(index);
                self.tell(now, true);
            }
            LineAction::Show(index) => {
                self.keys.ended(index);
                self.line.end(index);
                self.tell(now, false);
            }
            LineAction::Refused(_, Refused::InUse) => self.refused += 1,
            other => panic!("{other:?}"),
        }
    }

    fn tell(&mut self, now: Instant, asks: bool) {
        let (watcher, told) = self.told.as_mut().unwrap();
        let Some(changes) = self.line.own().changes(told) else { return };
        let content = document(&changes);
        self.agent.notify(now, *watcher, if asks { content.asking() } else { content }).unwrap();
    }

    fn react(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::Notify { request, .. } => {
                    self.line.notified(DialogInfo::read(&request.body).unwrap());
                    self.keys.notified(&self.line.appearances());
                }
                Event::Subscribe { watcher, .. } => {
                    let (_, told) = self.told.get_or_insert_with(|| (watcher, Told::default()));
                    let full = document(&self.line.own().full(told));
                    // A refresh is no new one.
                    if self
                        .agent
                        .accept_subscription(now, watcher, WatcherState::Active, full.clone())
                        .is_err()
                    {
                        self.agent.notify(now, watcher, full).unwrap();
                    }
                }
                Event::Notified { status, .. } => {
                    let index = self.asked.take().unwrap();
                    let granted = status.is_success();
                    let what = if granted { Seizure::Granted(None) } else { Seizure::Refused(None) };
                    match self.keys.seizure(now, index, &what) {
                        LineAction::DialTone(index) => {
                            self.tones += 1;
                            assert!(self.keys.dial(index));
                            self.keys.answered(index);
                            let state = AppearanceState::Active;
                            self.line.call(index, state, Direction::Initiator, None, None);
                            self.tell(now, false);
                        }
                        LineAction::Refused(index, _) => {
                            assert_eq!(status, StatusCode::CONFLICT);
                            self.refused += 1;
                            self.line.end(index);
                            self.tell(now, false);
                        }
                        other => panic!("{other:?}"),
                    }
                }
                _ => {}
            }
        }
    }
}

impl Machine for Phone {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        self.agent.endpoint_mut()
    }
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.agent.handle_input(now, input);
        self.react(now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.react(now);
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout().map(|(at, _)| at)
    }
}

struct Site {
    world: World,
    server: NodeId<SipNode<Server>>,
    phones: Vec<NodeId<SipNode<Phone>>>,
    seed: u64,
}

impl Site {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        world.set_default_link(LinkConfig {
            jitter: Duration::from_millis(30),
            loss: 0.1,
            duplicate: 0.1,
            reorder: 0.1,
            ..LinkConfig::with_latency(Duration::from_millis(10))
        });
        let account = |agent: &mut Agent, aor: &str| {
            agent.add_account(AccountConfig::parse(aor).unwrap().without_registration()).unwrap()
        };
        let mut own = agent(seed, 1);
        let line = account(&mut own, LINE);
        let (watchers, members) = (Vec::new(), BTreeMap::new());
        let table = AppearanceTable::new(2);
        let server = Server { agent: own, account: line, table, told: 0, version: 0, watchers, members };
        let ip = SERVER.parse().unwrap();
        let server = world.add("server", ip, SipNode(server));
        let flow = world[server].0.agent.endpoint_mut().bind(Protocol::Udp, SocketAddr::new(ip, 5060));
        world.bind(server, flow, 5060);
        let mut phones = Vec::new();
        for number in 2..5 {
            let ip = format!("10.0.0.{number}").parse().unwrap();
            let mut own = agent(seed, number);
            let flow = own.endpoint_mut().bind(Protocol::Udp, SocketAddr::new(ip, 5060));
            let account = account(&mut own, &format!("sip:user{number}@{SERVER}"));
            let keys = LineKeys::new(2).without_seizure_time();
            let line = BridgedLine::new(LINE);
            let phone =
                Phone { agent: own, account, keys, line, told: None, asked: None, tones: 0, refused: 0 };
            let id = world.add("phone", ip, SipNode(phone));
            world.bind(id, flow, 5060);
            phones.push(id);
        }
        let mut site = Self { world, server, phones, seed };
        for phone in site.phones.clone() {
            site.at(phone, |now, phone| {
                let request = SubscribeRequest::new(LINE.parse().unwrap(), bridged_event());
                phone.agent.subscribe(now, phone.account, request.accepting(CONTENT_TYPE)).unwrap();
            });
        }
        site.all("both subscriptions", |phone| phone.keys.view(1).known && phone.told.is_some());
        site
    }

    fn at(&mut self, phone: NodeId<SipNode<Phone>>, action: impl FnOnce(Instant, &mut Phone)) {
        let now = self.world.now();
        let phone = &mut self.world[phone].0;
        action(now, phone);
        phone.react(now);
    }

    fn all(&mut self, what: &str, condition: impl Fn(&Phone) -> bool) {
        let phones = self.phones.clone();
        let all = |world: &mut World| phones.iter().all(|phone| condition(&world[*phone].0));
        if self.world.run_until(all, Duration::from_secs(120)).is_err() {
            panic!("seed {}: {what} does not happen", self.seed);
        }
    }
}

#[test]
fn of_three_who_seize_a_bridged_line_at_once_one_talks_and_the_others_see_it() {
    for seed in 0..200 {
        let mut site = Site::new(seed);
        let phones = site.phones.clone();
        for phone in &phones {
            site.at(*phone, |now, phone| phone.press(now, 1));
        }
        site.all("everybody has an answer", |phone| phone.tones + phone.refused == 1);
        let winners: Vec<_> = phones.iter().filter(|phone| site.world[**phone].0.tones == 1).collect();
        assert_eq!(winners.len(), 1, "seed {seed}");
        let winner = *winners[0];
        site.all("the call shows", |phone| phone.keys.view(1).state == AppearanceState::Active);
        for phone in &phones {
            let phone = &site.world[*phone].0;
            assert_eq!(phone.keys.view(1).here, phone.tones == 1, "seed {seed}");
            // Whoever was refused may ask again: the state agent's subscription stands.
            assert_eq!(phone.agent.watcher_count(), 1, "seed {seed}");
        }
        let loser = *phones.iter().find(|phone| site.world[**phone].0.tones == 0).unwrap();
        site.at(loser, |now, phone| phone.press(now, 2));
        site.all("the other appearance", |phone| phone.keys.view(2).state == AppearanceState::Active);
        site.at(winner, |now, phone| phone.press(now, 1));
        site.at(loser, |now, phone| phone.press(now, 2));
        site.all("the line is idle", |phone| {
            phone.keys.views().all(|view| view.state == AppearanceState::Idle && !view.here)
        });
        site.world.run_for(Duration::from_secs(64)).unwrap();
        let server = &site.world[site.server].0;
        assert_eq!((server.agent.watcher_count(), server.members.len()), (3, 3), "seed {seed}");
    }
}
