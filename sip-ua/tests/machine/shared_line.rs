//! Telephones that share a line, and the server that decides who dials, over a network that loses, repeats and reorders.

use bytes::Bytes;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::sim::{LinkConfig, NodeId, World};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Event as Package, SubscriptionState as StateHeader};
use sidetone_sip_core::sim::{Machine, SipNode};
use sidetone_sip_core::{Endpoint, Headers, Input, Request, StatusCode, Uri};
use sidetone_sip_ua::feature::shared_line::{
    AppearanceState, AppearanceTable, LineAction, LineKeys, Refused,
};
use sidetone_sip_ua::package::call_info::{self, Appearance, SEIZE_EXPIRES, Seizure};
use sidetone_sip_ua::{
    AccountConfig, AccountId, Agent, AgentConfig, CallId, CallRequest, Event, ResubscribeRule, SubscribeKind,
    SubscribeRequest, SubscriptionId, SubscriptionState, WatcherId, WatcherState,
};
use std::collections::BTreeMap;

const SERVER: &str = "10.0.0.1";
const LASTS: Duration = Duration::from_secs(SEIZE_EXPIRES as u64);

fn line() -> Uri {
    format!("sip:500@{SERVER}").parse().unwrap()
}

/// Decides, and tells everybody.
struct Server {
    agent: Agent,
    table: AppearanceTable,
    told: u64,
    lamps: Vec<WatcherId>,
    seizures: BTreeMap<WatcherId, (u16, String)>,
    calls: BTreeMap<CallId, (u16, String)>,
}

impl Server {
    fn react(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::Subscribe { watcher, kind, request, .. } => self.asked(now, watcher, kind, &request),
                Event::Unsubscribed { watcher, .. } => {
                    self.lamps.retain(|lamp| *lamp != watcher);
                    if let Some((index, holder)) = self.seizures.remove(&watcher) {
                        self.table.release(index, &holder);
                    }
                }
                Event::Incoming { call, invite, .. } => {
                    let holder = invite.from.uri.user().unwrap().into_owned();
                    let index = Appearance::index_of(&invite.headers).unwrap();
                    if self.table.call(index, &holder, AppearanceState::Progressing, None) {
                        self.calls.insert(call, (index, holder));
                        self.agent.ring(now, call).unwrap();
                        self.agent.answer(now, call, Bytes::from_static(b"an answer")).unwrap();
                    } else {
                        self.agent.reject(now, call, StatusCode::BUSY_HERE).unwrap();
                    }
                }
                Event::Confirmed { call } => {
                    let (index, holder) = &self.calls[&call];
                    assert!(self.table.call(*index, holder, AppearanceState::Active, None));
                }
                Event::Ended { call, .. } => {
                    if let Some((index, _)) = self.calls.remove(&call) {
                        self.table.end(index);
                    }
                }
                _ => {}
            }
        }
        self.tell(now);
    }

    fn asked(&mut self, now: Instant, watcher: WatcherId, kind: SubscribeKind, request: &Request) {
        let package: Package = request.headers.require().unwrap();
        let from: sidetone_sip_core::header::From = request.headers.require().unwrap();
        let holder = from.uri.user().unwrap().into_owned();
        match (package.package.as_str(), kind) {
            (call_info::EVENT, SubscribeKind::New) => {
                self.lamps.push(watcher);
                let whole = headers(&self.table.told());
                self.agent.accept_subscription(now, watcher, WatcherState::Active, whole).unwrap();
            }
            (call_info::SEIZE_EVENT, SubscribeKind::New) => {
                let index = Appearance::index_of(&request.headers);
                match self.table.seize(now, index, &holder, LASTS) {
                    Ok(index) => {
                        let told = headers(&[Appearance::new(index, AppearanceState::Seized)]);
                        self.seizures.insert(watcher, (index, holder));
                        self.agent.accept_subscription(now, watcher, WatcherState::Active, told).unwrap();
                    }
                    Err(_) => {
                        let status = StatusCode::TEMPORARILY_UNAVAILABLE;
                        self.agent.reject_subscription(now, watcher, status).unwrap();
                    }
                }
            }
            _ => {
                if let (Some((index, holder)), SubscribeKind::Final) = (self.seizures.get(&watcher), kind) {
                    self.table.release(*index, holder);
                }
                let whole = headers(&self.table.told());
                self.agent.notify(now, watcher, whole).unwrap();
            }
        }
    }

    fn tell(&mut self, now: Instant) {
        if core::mem::replace(&mut self.told, self.table.changes()) == self.table.changes() {
            return;
        }
        for lamp in self.lamps.clone() {
            self.agent.notify(now, lamp, headers(&self.table.told())).unwrap();
        }
        let over = |(index, holder): &(u16, String)| !self.table.is_seized_by(*index, holder);
        let over: Vec<WatcherId> =
            self.seizures.iter().filter(|(_, held)| over(held)).map(|(id, _)| *id).collect();
        for watcher in over {
            self.seizures.remove(&watcher);
            // It may have ended it by itself.
            let _ = self.agent.end_subscription(now, watcher, "noresource", None);
        }
    }
}

fn headers(told: &[Appearance]) -> Headers {
    let mut headers = Headers::new();
    told.iter().for_each(|appearance| headers.push(&appearance.write(&line())));
    headers
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
        self.table.handle_timeout(now);
        self.react(now);
    }
    fn poll_timeout(&self) -> Option<Instant> {
        let agent = self.agent.poll_timeout().map(|(at, _)| at);
        [agent, self.table.poll_timeout()].into_iter().flatten().min()
    }
}

/// A telephone with a key for the line, whose person dials as soon as there is a dial tone, if at all.
struct Phone {
    agent: Agent,
    account: AccountId,
    keys: LineKeys,
    dials: bool,
    lamps: Option<SubscriptionId>,
    seizure: Option<(SubscriptionId, u16)>,
    call: Option<(CallId, u16)>,
    tones: usize,
    refused: Vec<Refused>,
}

impl Phone {
    fn watch(&mut self, now: Instant) {
        let request = SubscribeRequest::new(line(), Package::new(call_info::EVENT));
        self.lamps = Some(self.agent.subscribe(now, self.account, request).unwrap());
    }

    fn press(&mut self, now: Instant, index: u16) {
        let action = self.keys.press(now, index);
        self.act(now, action);
    }

    fn act(&mut self, now: Instant, action: LineAction) {
        match action {
            LineAction::Seize(index) => {
                let mut request = SubscribeRequest::new(line(), Package::new(call_info::SEIZE_EVENT))
                    .with_expires(LASTS)
                    .with_headers(LineKeys::seize_headers(index, &line()));
                request.again = ResubscribeRule::NEVER;
                self.seizure = Some((self.agent.subscribe(now, self.account, request).unwrap(), index));
            }
            LineAction::Release(_) => {
                let (seizure, _) = self.seizure.take().unwrap();
                self.agent.unsubscribe(now, seizure).unwrap();
            }
            LineAction::DialTone(index) => {
                self.tones += 1;
                if self.dials {
                    assert!(self.keys.dial(index));
                    let to = format!("sip:carol@{SERVER}").parse().unwrap();
                    let mut request = CallRequest::new(to).with_offer(Bytes::from_static(b"an offer"));
                    request.headers.push(&LineKeys::call_info(index, &line()));
                    let call = self.agent.call_with(now, self.account, request).unwrap();
                    self.call = Some((call, index));
                }
            }
            LineAction::Refused(_, why) => {
                self.refused.push(why);
                if let Some((seizure, _)) = self.seizure.take() {
                    // The server may have ended it.
                    let _ = self.agent.unsubscribe(now, seizure);
                }
            }
            LineAction::None => {}
            other => panic!("{other:?}"),
        }
    }

    fn react(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            let seized = |id: SubscriptionId| {
                self.seizure.filter(|(seizure, _)| *seizure == id).map(|(_, index)| index)
            };
            match event {
                Event::Notify { subscription, request } if Some(subscription) == self.lamps => {
                    self.keys.notified(&Appearance::all(&request.headers).unwrap());
                }
                Event::Notify { subscription, request } => {
                    let state: StateHeader = request.headers.require().unwrap();
                    let told = Seizure::of(&state, &request.headers).unwrap();
                    if let Some(index) = seized(subscription) {
                        let action = self.keys.seizure(now, index, &told);
                        self.act(now, action);
                    }
                }
                Event::Subscription { subscription, state: SubscriptionState::Ended { .. } } => {
                    if let Some(index) = seized(subscription) {
                        let action = self.keys.seizure(now, index, &Seizure::Refused(None));
                        self.act(now, action);
                        self.seizure = None;
                    }
                }
                Event::Answered { call, .. } => {
                    if let Some((_, index)) = self.call.filter(|(own, _)| *own == call) {
                        self.keys.answered(index);
                    }
                }
                Event::Ended { call, .. } => {
                    if let Some((_, index)) = self.call.take_if(|(own, _)| *own == call) {
                        self.keys.ended(index);
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
        let action = self.keys.handle_timeout(now);
        self.act(now, action);
        self.react(now);
    }
    fn poll_timeout(&self) -> Option<Instant> {
        let agent = self.agent.poll_timeout().map(|(at, _)| at);
        [agent, self.keys.poll_timeout()].into_iter().flatten().min()
    }
}

struct Site {
    world: World,
    server: NodeId<SipNode<Server>>,
    phones: Vec<NodeId<SipNode<Phone>>>,
    seed: u64,
}

impl Site {
    /// A server, and telephones that all know that the line is idle.
    fn new(seed: u64, count: u8) -> Self {
        let mut world = World::new(seed);
        world.set_default_link(LinkConfig {
            jitter: Duration::from_millis(30),
            loss: 0.1,
            duplicate: 0.1,
            reorder: 0.1,
            ..LinkConfig::with_latency(Duration::from_millis(10))
        });
        let bytes = |part: u8| {
            let mut bytes = [part; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            bytes
        };
        let mut config = AgentConfig::new(bytes(1));
        config.packages = vec![call_info::EVENT.into(), call_info::SEIZE_EVENT.into()];
        let server = Server {
            agent: Agent::new(config),
            table: AppearanceTable::new(2),
            told: 0,
            lamps: Vec::new(),
            seizures: BTreeMap::new(),
            calls: BTreeMap::new(),
        };
        let ip = SERVER.parse().unwrap();
        let server = world.add("server", ip, SipNode(server));
        let flow = world[server].0.agent.endpoint_mut().bind(Protocol::Udp, SocketAddr::new(ip, 5060));
        world.bind(server, flow, 5060);
        let mut phones = Vec::new();
        for number in 2..2 + count {
            let ip = format!("10.0.0.{number}").parse().unwrap();
            let mut agent = Agent::new(AgentConfig::new(bytes(number)));
            let flow = agent.endpoint_mut().bind(Protocol::Udp, SocketAddr::new(ip, 5060));
            let config = AccountConfig::parse(&format!("sip:user{number}@{SERVER}")).unwrap();
            let account = agent.add_account(config.without_registration()).unwrap();
            let phone = Phone {
                agent,
                account,
                keys: LineKeys::new(2),
                dials: true,
                lamps: None,
                seizure: None,
                call: None,
                tones: 0,
                refused: Vec::new(),
            };
            let id = world.add("phone", ip, SipNode(phone));
            world.bind(id, flow, 5060);
            phones.push(id);
        }
        let mut site = Self { world, server, phones, seed };
        for phone in site.phones.clone() {
            site.at(phone, |now, phone| phone.watch(now));
        }
        site.all("knows the line", |phone| phone.keys.view(1).known);
        site
    }

    fn at(&mut self, phone: NodeId<SipNode<Phone>>, action: impl FnOnce(Instant, &mut Phone)) {
        let now = self.world.now();
        let phone = &mut self.world[phone].0;
        action(now, phone);
        phone.react(now);
    }

    fn until(&mut self, what: &str, condition: impl Fn(&mut World) -> bool) {
        if self.world.run_until(condition, Duration::from_secs(120)).is_err() {
            panic!("seed {}: {what} does not happen", self.seed);
        }
    }

    fn all(&mut self, what: &str, condition: impl Fn(&Phone) -> bool) {
        let phones = self.phones.clone();
        self.until(what, |world| phones.iter().all(|phone| condition(&world[*phone].0)));
    }

    /// In the end nobody has the line, everybody knows, and no subscription but those of the lamps is left.
    fn settle(&mut self) {
        self.all("the line is idle everywhere", |phone| {
            let view = phone.keys.view(1);
            (view.state, view.here) == (AppearanceState::Idle, false)
        });
        self.world.run_for(Duration::from_secs(100)).unwrap();
        let server = &self.world[self.server].0;
        assert!(server.seizures.is_empty() && server.calls.is_empty(), "seed {}", self.seed);
        assert_eq!(server.agent.watcher_count(), self.phones.len(), "seed {}", self.seed);
        for phone in &self.phones {
            let phone = &self.world[*phone].0;
            assert!(phone.keys.views().all(|view| view.state == AppearanceState::Idle), "seed {}", self.seed);
        }
    }
}

#[test]
fn of_three_who_seize_a_line_at_once_one_dials_and_the_others_see_it() {
    for seed in 0..200 {
        let mut site = Site::new(seed, 3);
        let phones = site.phones.clone();
        for phone in &phones {
            site.at(*phone, |now, phone| phone.press(now, 1));
        }
        site.all("everybody has an answer", |phone| phone.tones + phone.refused.len() == 1);
        let winners: Vec<_> = phones.iter().filter(|phone| site.world[**phone].0.tones == 1).collect();
        assert_eq!(winners.len(), 1, "seed {seed}");
        let winner = *winners[0];
        site.all("the call shows", |phone| phone.keys.view(1).state == AppearanceState::Active);
        for phone in &phones {
            let phone = &site.world[*phone].0;
            assert_eq!(phone.keys.view(1).here, phone.tones == 1, "seed {seed}");
        }
        site.at(winner, |now, phone| {
            let (call, _) = phone.call.unwrap();
            phone.agent.hangup(now, call).unwrap();
        });
        site.settle();
    }
}

#[test]
fn a_seizure_without_a_number_is_given_back_or_runs_out_for_all() {
    for seed in 0..100 {
        let mut site = Site::new(seed, 2);
        let (one, other) = (site.phones[0], site.phones[1]);
        site.at(one, |_, phone| phone.dials = false);
        site.at(one, |now, phone| phone.press(now, 1));
        site.until("it shows", |world| world[other].0.keys.view(1).state == AppearanceState::Seized);
        site.at(other, |now, phone| phone.press(now, 1));
        assert_eq!(site.world[other].0.refused, [Refused::InUse], "seed {seed}");
        site.until("a dial tone", |world| world[one].0.tones == 1);
        if seed % 2 == 0 {
            site.at(one, |now, phone| {
                let action = phone.keys.on_hook(1);
                phone.act(now, action);
            });
        }
        site.settle();
        assert_eq!(site.world[one].0.refused.len(), usize::from(seed % 2 == 1), "seed {seed}");
    }
}
