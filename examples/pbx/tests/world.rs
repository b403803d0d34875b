//! Phones made of `sidetone_sip_ua::Agent` call each other through the PBX in `hal::sim`: a seeded network that loses,
//! repeats and reorders, in virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a test fails by panicking, in its helpers too"
)]

use bytes::Bytes;
use sidetone_hal::net::{IpAddr, Protocol, SocketAddr};
use sidetone_hal::sim::{LinkConfig, NodeId, World};
use sidetone_hal::time::{Duration, Instant};
use sidetone_pbx::{PbxEvent, Proxy, ProxyConfig};
use sidetone_sip_core::sim::{Machine, SipNode};
use sidetone_sip_core::{Endpoint, Input, Secret, StatusCode, Uri};
use sidetone_sip_ua::feature::shared_line::{AppearanceState, LineKeys};
use sidetone_sip_ua::{
    AccountConfig, AccountId, Agent, AgentConfig, CallId, CallRequest, EndCause, EndedBy, Event,
    RegistrationState,
};
use std::collections::VecDeque;

const PBX: &str = "10.0.0.1";
const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// The PBX without its sockets.
struct Server(Proxy);

impl Machine for Server {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        self.0.endpoint_mut()
    }
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.0.handle_input(now, input);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }
}

/// A phone: its agent, and what it was told.
struct Phone {
    agent: Agent,
    account: AccountId,
    /// Answers incoming calls by itself with this status.
    answers: Option<StatusCode>,
    call: Option<CallId>,
    states: Vec<RegistrationState>,
    confirmed: usize,
    answered: usize,
    ringing: usize,
    ended: VecDeque<EndCause>,
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

impl Phone {
    fn react(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::Registration { state, .. } => self.states.push(state),
                Event::Incoming { call, .. } => {
                    self.call = Some(call);
                    match self.answers {
                        Some(StatusCode::OK) => {
                            self.agent.ring(now, call).unwrap();
                            self.agent.answer(now, call, Bytes::from_static(OFFER)).unwrap();
                        }
                        Some(status) => self.agent.reject(now, call, status).unwrap(),
                        None => self.agent.ring(now, call).unwrap(),
                    }
                }
                Event::Offer { call, .. } => {
                    self.agent.answer_offer(now, call, Bytes::from_static(OFFER)).unwrap();
                }
                Event::Progress { .. } => self.ringing += 1,
                Event::Answered { .. } => self.answered += 1,
                Event::Confirmed { .. } => self.confirmed += 1,
                Event::Ended { cause, .. } => self.ended.push_back(cause),
                _ => {}
            }
        }
    }

    fn is_registered(&self) -> bool {
        self.states.last().is_some_and(RegistrationState::is_registered)
    }
}

fn seed(number: u64, part: u8) -> [u8; 32] {
    let mut seed = [part; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}

struct Site {
    world: World,
    pbx: NodeId<SipNode<Server>>,
    number: u64,
}

impl Site {
    fn new(number: u64, link: LinkConfig) -> Self {
        let mut world = World::new(number);
        world.set_default_link(link);
        let mut proxy = Proxy::new(ProxyConfig::new(seed(number, 0)));
        let ip: IpAddr = PBX.parse().unwrap();
        let local = SocketAddr::new(ip, 5060);
        let flow = proxy.endpoint_mut().bind(Protocol::Udp, local);
        proxy.endpoint_mut().listen(Protocol::Tcp, local);
        proxy.add_local(local);
        for user in ["alice", "bob", "carol"] {
            proxy.add_account(user, Secret::new(format!("{user}'s secret")));
        }
        let pbx = world.add("pbx", ip, SipNode(Server(proxy)));
        world.bind(pbx, flow, 5060);
        world.listen(pbx, 5060);
        Self { world, pbx, number }
    }

    fn phone(&mut self, user: &str, ip: &str, transport: Protocol) -> NodeId<SipNode<Phone>> {
        let ip: IpAddr = ip.parse().unwrap();
        let mut agent =
            Agent::new(AgentConfig::new(seed(self.number, ip.to_string().bytes().last().unwrap())));
        let flow = agent.endpoint_mut().bind(Protocol::Udp, SocketAddr::new(ip, 5060));
        let aor: Uri = format!("sip:{user}@{PBX}").parse().unwrap();
        let config =
            AccountConfig::new(aor).with_password(&format!("{user}'s secret")).with_transport(transport);
        let account = agent.add_account(config).unwrap();
        let phone = Phone {
            agent,
            account,
            answers: Some(StatusCode::OK),
            call: None,
            states: Vec::new(),
            confirmed: 0,
            answered: 0,
            ringing: 0,
            ended: VecDeque::new(),
        };
        let id = self.world.add(user, ip, SipNode(phone));
        self.world.bind(id, flow, 5060);
        id
    }

    fn register(&mut self, id: NodeId<SipNode<Phone>>) {
        let now = self.world.now();
        let phone = &mut self.world[id].0;
        phone.agent.register(now, phone.account).unwrap();
        self.until(300, |world| world[id].is_registered());
    }

    fn call(&mut self, id: NodeId<SipNode<Phone>>, to: &str) -> CallId {
        let now = self.world.now();
        let phone = &mut self.world[id].0;
        let to: Uri = format!("sip:{to}@{PBX}").parse().unwrap();
        let call = phone.agent.call(now, phone.account, &to, Some(Bytes::from_static(OFFER))).unwrap();
        phone.call = Some(call);
        call
    }

    #[track_caller]
    fn until(&mut self, seconds: u64, condition: impl Fn(&mut World) -> bool) {
        self.world.run_until(condition, Duration::from_secs(seconds)).unwrap();
    }

    fn events(&mut self) -> Vec<PbxEvent> {
        let pbx = &mut self.world[self.pbx].0.0;
        core::iter::from_fn(|| pbx.poll_event()).collect()
    }

    /// Everything that is under way comes to its end, and the PBX keeps nothing.
    fn settle(&mut self) {
        self.world.run_for(Duration::from_secs(200)).unwrap();
        let pbx = &mut self.world[self.pbx].0.0;
        assert_eq!(
            (pbx.context_count(), pbx.endpoint_mut().transaction_count()),
            (0, 0),
            "seed {}",
            self.number
        );
    }
}

/// UDP on both sides is what `simulation` has, with every feature.
#[test]
fn a_call_from_tcp_to_udp_passes_a_bad_network_whatever_the_seed() {
    let link = LinkConfig {
        jitter: Duration::from_millis(20),
        loss: 0.1,
        duplicate: 0.1,
        reorder: 0.1,
        ..LinkConfig::with_latency(Duration::from_millis(10))
    };
    for number in 0..50 {
        let mut site = Site::new(number, link);
        let alice = site.phone("alice", "10.0.0.2", Protocol::Tcp);
        let bob = site.phone("bob", "10.0.0.3", Protocol::Udp);
        site.register(alice);
        site.register(bob);
        site.call(alice, "bob");
        site.until(60, |world| world[alice].answered == 1 && world[bob].confirmed == 1);
        let (from, to) = if number % 3 == 0 { (alice, bob) } else { (bob, alice) };
        let now = site.world.now();
        let phone = &mut site.world[from].0;
        phone.agent.hangup(now, phone.call.unwrap()).unwrap();
        phone.react(now);
        site.until(60, |world| world[from].ended.len() == 1 && world[to].ended.len() == 1);
        assert_eq!(site.world[from].ended[0].by, EndedBy::Local, "seed {number}");
        assert_eq!(site.world[to].ended[0].by, EndedBy::Remote, "seed {number}");
        site.settle();
        let calls: Vec<PbxEvent> =
            site.events().into_iter().filter(|event| !matches!(event, PbxEvent::Registered { .. })).collect();
        assert!(
            matches!(
                &calls[..],
                [
                    PbxEvent::CallStarted { .. },
                    PbxEvent::CallAnswered { .. },
                    PbxEvent::CallEnded { status: None, .. }
                ]
            ),
            "seed {number}: {calls:?}"
        );
    }
}

#[test]
fn a_call_between_tcp_and_udp_is_cancelled_or_refused() {
    let mut site = Site::new(1, LinkConfig::default());
    let alice = site.phone("alice", "10.0.0.2", Protocol::Tcp);
    let bob = site.phone("bob", "10.0.0.3", Protocol::Udp);
    site.register(alice);
    site.register(bob);

    for (caller, callee, number) in [(alice, bob, "bob"), (bob, alice, "alice")] {
        site.world[callee].answers = Some(StatusCode::BUSY_HERE);
        site.call(caller, number);
        site.until(10, |world| !world[caller].ended.is_empty());
        let cause = site.world[caller].ended.pop_front().unwrap();
        assert_eq!((cause.by, cause.status), (EndedBy::Remote, Some(StatusCode::BUSY_HERE)));
        site.world[callee].ended.clear();

        site.world[callee].answers = None;
        let ringing = site.world[caller].ringing;
        let call = site.call(caller, number);
        site.until(10, move |world| world[caller].ringing > ringing);
        let now = site.world.now();
        let phone = &mut site.world[caller].0;
        phone.agent.hangup(now, call).unwrap();
        phone.react(now);
        site.until(10, |world| !world[callee].ended.is_empty());
        assert_eq!(site.world[callee].ended.pop_front().unwrap().by, EndedBy::Remote);
        site.world[caller].ended.clear();
    }
    site.settle();
}

#[test]
fn every_phone_of_an_account_rings_and_one_gets_the_call() {
    let mut site = Site::new(2, LinkConfig::default());
    let alice = site.phone("alice", "10.0.0.2", Protocol::Udp);
    let desk = site.phone("bob", "10.0.0.3", Protocol::Udp);
    let kitchen = site.phone("bob", "10.0.0.4", Protocol::Tcp);
    for id in [alice, desk, kitchen] {
        site.register(id);
    }
    site.world[desk].answers = None;
    site.call(alice, "bob");
    site.until(10, |world| world[kitchen].confirmed == 1 && !world[desk].ended.is_empty());
    assert_eq!(site.world[alice].answered, 1);
    assert!(site.world[alice].ended.is_empty());
    site.settle();
}

#[test]
fn an_unregistered_phone_is_not_reached_and_a_wrong_password_is_tried_once() {
    let mut site = Site::new(3, LinkConfig::default());
    let alice = site.phone("alice", "10.0.0.2", Protocol::Udp);
    let bob = site.phone("bob", "10.0.0.3", Protocol::Udp);
    site.register(alice);
    site.register(bob);
    let now = site.world.now();
    let phone = &mut site.world[bob].0;
    phone.agent.unregister(now, phone.account).unwrap();
    site.until(10, |world| world[bob].states.last() == Some(&RegistrationState::Unregistered));
    site.call(alice, "bob");
    site.until(10, |world| !world[alice].ended.is_empty());
    assert_eq!(site.world[alice].ended[0].status, Some(StatusCode::TEMPORARILY_UNAVAILABLE));
    site.events();

    let mallory = site.phone("mallory", "10.0.0.6", Protocol::Udp);
    let now = site.world.now();
    let phone = &mut site.world[mallory].0;
    phone.agent.register(now, phone.account).unwrap();
    site.until(10, |world| matches!(world[mallory].states.last(), Some(RegistrationState::Failed { .. })));
    let state = site.world[mallory].states.pop();
    assert!(
        matches!(state, Some(RegistrationState::Failed { status: Some(StatusCode::FORBIDDEN), .. })),
        "{state:?}"
    );
    site.world.run_for(Duration::from_secs(20)).unwrap();
    let refusals =
        site.events().into_iter().filter(|event| matches!(event, PbxEvent::Refused { .. })).count();
    assert_eq!(refusals, 1, "one try, then a pause");
}

/// Calls on the first appearance of 500.
fn call_on_line(site: &mut Site, id: NodeId<SipNode<Phone>>, to: &str) {
    let now = site.world.now();
    let phone = &mut site.world[id].0;
    let line: Uri = format!("sip:500@{PBX}").parse().unwrap();
    let to = format!("sip:{to}@{PBX}").parse().unwrap();
    let mut request = CallRequest::new(to).with_offer(Bytes::from_static(OFFER));
    request.headers.push(&LineKeys::call_info(1, &line));
    phone.call = Some(phone.agent.call_with(now, phone.account, request).unwrap());
    phone.react(now);
}

#[test]
fn a_held_call_of_a_shared_line_is_taken_over_a_bad_network_whatever_the_seed() {
    let link = LinkConfig {
        jitter: Duration::from_millis(20),
        loss: 0.1,
        duplicate: 0.1,
        reorder: 0.1,
        ..LinkConfig::with_latency(Duration::from_millis(10))
    };
    for number in 0..100 {
        let mut site = Site::new(number, link);
        let pbx = site.pbx;
        assert!(site.world[pbx].0.0.add_shared_line("500", ["alice", "bob"], 2));
        let [alice, bob, carol] = [("alice", 2), ("bob", 3), ("carol", 4)]
            .map(|(user, at)| site.phone(user, &format!("10.0.0.{at}"), Protocol::Udp));
        for id in [alice, bob, carol] {
            site.register(id);
        }
        let state = move |world: &mut World| world[pbx].0.0.line("500").unwrap().state(1);
        let holder = |site: &Site| {
            let line = site.world[pbx].0.0.line("500").unwrap();
            line.holder(1).unwrap().split(' ').next().unwrap().to_owned()
        };
        call_on_line(&mut site, alice, "carol");
        site.until(60, |world| world[alice].answered == 1 && world[carol].confirmed == 1);
        assert_eq!(
            (state(&mut site.world), &*holder(&site)),
            (AppearanceState::Active, "alice"),
            "seed {number}"
        );

        let now = site.world.now();
        let held = [OFFER, b"a=sendonly\r\n"].concat();
        let phone = &mut site.world[alice].0;
        phone.agent.reoffer(now, phone.call.unwrap(), held.into()).unwrap();
        site.until(60, move |world| state(world) == AppearanceState::Held);

        call_on_line(&mut site, bob, "500");
        site.until(60, |world| world[bob].answered == 1 && world[alice].ended.len() == 1);
        assert_eq!(
            (state(&mut site.world), &*holder(&site)),
            (AppearanceState::Active, "bob"),
            "seed {number}"
        );
        // The call that was held is over, and the line's is not.
        site.world.run_for(Duration::from_secs(40)).unwrap();
        assert_eq!(
            (state(&mut site.world), &*holder(&site)),
            (AppearanceState::Active, "bob"),
            "seed {number}"
        );

        let now = site.world.now();
        let phone = &mut site.world[bob].0;
        phone.agent.hangup(now, phone.call.unwrap()).unwrap();
        phone.react(now);
        site.until(60, move |world| state(world) == AppearanceState::Idle && world[carol].ended.len() == 2);
        site.settle();
    }
}
