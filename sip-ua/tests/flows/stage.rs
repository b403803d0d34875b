//! Three phones with a proxy between them, in virtual time.

use crate::relay::Relay;
use crate::table;
use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr, Transmit};
use sidetone_hal::sim::{LinkConfig, Node, NodeId, World};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CSeq, Replaces, SubscriptionState};
use sidetone_sip_core::sim::{Machine, SipNode};
use sidetone_sip_core::{Endpoint, Fragment, Input, Limits, Message, Method, Request, Uri};
use sidetone_sip_ua::{AccountConfig, AccountId, Agent, AgentConfig, CallId, CallState, Event};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The names of the ladder's columns, and the addresses behind them.
const WHO: [(&str, &str); 4] = [
    ("A", "192.0.2.1:5060"),
    ("proxy", "192.0.2.100:5060"),
    ("B", "192.0.2.2:5060"),
    ("C", "192.0.2.3:5060"),
];
const DOMAIN: &str = "192.0.2.100";
/// One way over one link.
const LATENCY: Duration = Duration::from_millis(5);

/// What a person or the wire did.
#[derive(Clone, Debug)]
pub enum Entry {
    Sent { at: Instant, from: &'static str, to: &'static str, message: Box<Message> },
    Note { at: Instant, who: &'static str, text: String },
}

type Log = Rc<RefCell<Vec<Entry>>>;

/// A node whose messages are written down as they are sent.
struct Recorded<M> {
    node: SipNode<M>,
    name: &'static str,
    log: Log,
    now: Instant,
}

impl<M: Machine> Node for Recorded<M> {
    fn handle_datagram(&mut self, now: Instant, flow: FlowId, source: SocketAddr, payload: &[u8]) {
        self.now = now;
        self.node.handle_datagram(now, flow, source, payload);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        Node::handle_timeout(&mut self.node, now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.node.poll_transmit()?;
        let message = Message::parse(Bytes::copy_from_slice(&transmit.payload), &Limits::default()).unwrap();
        message.validate().unwrap();
        let to = WHO.iter().find(|(_, address)| transmit.destination == address.parse().unwrap());
        let (at, from, to) = (self.now, self.name, to.unwrap().0);
        self.log.borrow_mut().push(Entry::Sent { at, from, to, message: Box::new(message) });
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Node::poll_timeout(&self.node)
    }
}

/// A phone whose user is the test.
struct Phone {
    agent: Agent,
    account: AccountId,
}

impl Machine for Phone {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        self.agent.endpoint_mut()
    }

    fn handle_input(&mut self, now: Instant, input: Input) {
        self.agent.handle_input(now, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout().map(|(at, _)| at)
    }
}

pub struct Stage {
    world: World,
    phones: BTreeMap<&'static str, NodeId<Recorded<Phone>>>,
    relay: NodeId<Recorded<Relay>>,
    log: Log,
}

impl Stage {
    pub fn new() -> Self {
        let mut world = World::new(1);
        world.set_default_link(LinkConfig::with_latency(LATENCY));
        let log = Log::default();
        let mut phones = BTreeMap::new();
        let address_of = |name: &str| -> SocketAddr {
            WHO.iter().find(|(known, _)| *known == name).unwrap().1.parse().unwrap()
        };
        for (name, seed) in [("A", 1), ("B", 2), ("C", 3)] {
            let address = address_of(name);
            let mut agent = Agent::new(AgentConfig::new([seed; 32]));
            agent.endpoint_mut().bind(Protocol::Udp, address);
            let account = AccountConfig::parse(&format!("sip:{name}@{DOMAIN}")).unwrap();
            let account = agent.add_account(account.without_registration()).unwrap();
            let node = SipNode(Phone { agent, account });
            let node = Recorded { node, name, log: Rc::clone(&log), now: Instant::ZERO };
            let id = world.add(name, address.ip(), node);
            world.bind(id, FlowId(0), address.port());
            phones.insert(name, id);
        }
        let address = address_of("proxy");
        let users = ["A", "B", "C"].map(|name| (name, address_of(name)));
        let node = SipNode(Relay::new(address, users.into()));
        let node = Recorded { node, name: "proxy", log: Rc::clone(&log), now: Instant::ZERO };
        let relay = world.add("proxy", address.ip(), node);
        world.bind(relay, FlowId(0), address.port());
        Self { world, phones, relay, log }
    }

    pub fn uri(name: &str) -> Uri {
        format!("sip:{name}@{DOMAIN}").parse().unwrap()
    }

    /// A user does something, and 50 ms pass: enough for all that follows at once.
    pub fn act<T>(
        &mut self,
        name: &'static str,
        what: &str,
        action: impl FnOnce(Instant, &mut Agent, AccountId) -> T,
    ) -> T {
        let at = self.world.now();
        self.log.borrow_mut().push(Entry::Note { at, who: name, text: what.into() });
        let result = self.command(name, action);
        self.pass(50);
        result
    }

    /// A phone does something by itself.
    pub fn command<T>(
        &mut self,
        name: &'static str,
        action: impl FnOnce(Instant, &mut Agent, AccountId) -> T,
    ) -> T {
        let now = self.world.now();
        let phone = &mut self.world[self.phones[name]];
        phone.now = now;
        let account = phone.node.account;
        action(now, &mut phone.node.agent, account)
    }

    pub fn pass(&mut self, millis: u64) {
        self.world.run_for(Duration::from_millis(millis)).unwrap();
    }

    /// What a phone told its user since it was last asked.
    pub fn events(&mut self, name: &str) -> Vec<Event> {
        let phone = &mut self.world[self.phones[name]];
        std::iter::from_fn(|| phone.node.agent.poll_event()).collect()
    }

    pub fn state(&self, name: &str, call: CallId) -> Option<CallState> {
        self.world[self.phones[name]].node.agent.call_state(call)
    }

    /// The call that came in.
    pub fn incoming(&mut self, name: &str) -> CallId {
        let found = self.events(name).into_iter().find_map(|event| match event {
            Event::Incoming { call, .. } => Some(call),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("nobody calls {name}:\n{}", self.picture("", "")))
    }

    pub fn call(&mut self, from: &'static str, to: &str) -> CallId {
        let uri = Self::uri(to);
        self.act(from, &format!("calls {to}"), |now, agent, account| {
            agent.call(now, account, &uri, Some(sdp(1, "sendrecv"))).unwrap()
        })
    }

    pub fn ring(&mut self, name: &'static str) -> CallId {
        let call = self.incoming(name);
        self.act(name, "rings", |now, agent, _| agent.ring(now, call).unwrap());
        call
    }

    pub fn pick_up(&mut self, name: &'static str, call: CallId) {
        self.act(name, "answers", |now, agent, _| agent.answer(now, call, sdp(1, "sendrecv")).unwrap());
    }

    pub fn hang_up(&mut self, name: &'static str, call: CallId) {
        self.act(name, "hangs up", |now, agent, _| agent.hangup(now, call).unwrap());
    }

    /// A call that is up, with ringing before: F1 to F8 of most flows. The caller's and the called side's names for it.
    pub fn talk(&mut self, from: &'static str, to: &'static str) -> (CallId, CallId) {
        let out = self.call(from, to);
        let at = self.ring(to);
        self.pick_up(to, at);
        assert_eq!(self.state(from, out), Some(CallState::Established));
        assert_eq!(self.state(to, at), Some(CallState::Established));
        (out, at)
    }

    /// A user changes a call's direction; the other side's phone takes it.
    pub fn redirect_media(
        &mut self,
        name: &'static str,
        call: CallId,
        what: &str,
        direction: &'static str,
        other: &'static str,
    ) {
        self.events(other);
        self.act(name, what, |now, agent, _| agent.reoffer(now, call, sdp(2, direction)).unwrap());
        let offered = self.events(other).into_iter().find_map(|event| match event {
            Event::Offer { call, body } => Some((call, body.unwrap())),
            _ => None,
        });
        let (at, offer) = offered.expect("a new offer came");
        assert!(String::from_utf8_lossy(&offer).contains(direction));
        let mirrored = if direction == "sendonly" { "recvonly" } else { direction };
        self.command(other, |now, agent, _| agent.answer_offer(now, at, sdp(2, mirrored)).unwrap());
        self.pass(50);
        assert!(
            self.events(name)
                .iter()
                .any(|event| matches!(event, Event::Answer { call: answered, .. } if *answered == call))
        );
    }

    /// Every request of that method that a phone sent.
    pub fn requests(&self, name: &str, method: &Method) -> Vec<Request> {
        let log = self.log.borrow();
        let sent = log.iter().filter_map(|entry| match entry {
            Entry::Sent { from, message, .. } if *from == name => match &**message {
                Message::Request(request) if request.method == *method => Some(request.clone()),
                _ => None,
            },
            _ => None,
        });
        sent.collect()
    }

    /// Every message that went from one to the other.
    pub fn messages(&self, from: &str, to: &str) -> Vec<Message> {
        let log = self.log.borrow();
        let sent = log.iter().filter_map(|entry| match entry {
            Entry::Sent { from: by, to: at, message, .. } if *by == from && *at == to => {
                Some((**message).clone())
            }
            _ => None,
        });
        sent.collect()
    }

    fn picture(&self, table: &str, title: &str) -> String {
        table::picture(title, &table::read(table), &self.log.borrow(), &WHO.map(|(name, _)| name))
    }

    /// Compares what was said with the manual's table, and the picture of it with the one that is kept. Then the calls that
    /// are up are hung up, and nothing may be left anywhere.
    pub fn compare(mut self, name: &str, title: &str, table: &str, up: &[(&'static str, CallId)]) {
        table::compare(title, &table::read(table), &self.log.borrow());
        table::keep(name, &self.picture(table, title));
        for (phone, call) in up {
            assert_eq!(self.state(phone, *call), Some(CallState::Established), "{title}");
            self.hang_up(phone, *call);
        }
        self.world.run_for(Duration::from_secs(400)).unwrap();
        for (phone, id) in &self.phones {
            assert!(self.world[*id].node.agent.is_idle(), "{title}: {phone} is not idle");
        }
        assert!(self.world[self.relay].node.is_idle(), "{title}: the proxy is not idle");
    }
}

/// A session description.
pub fn sdp(version: u32, direction: &str) -> Bytes {
    Bytes::from(format!(
        "v=0\r\no=- 1 {version} IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 0\r\na={direction}\r\n"
    ))
}

/// `INVITE sendonly`, `200 OK (BYE)`, `NOTIFY 180`.
pub fn label(message: &Message) -> String {
    match message {
        Message::Request(request) => {
            let mut text = request.method.to_string();
            if request.method == Method::NOTIFY {
                let fragment = Fragment::parse(&request.body, &Limits::default()).unwrap();
                text += &format!(" {}", fragment.status().unwrap().code());
                let state: SubscriptionState = request.headers.require().unwrap();
                if state.is_terminated() {
                    text += " (end)";
                }
            }
            if request.method == Method::INVITE {
                if request.headers.get::<Replaces>().is_some() {
                    text += " Replaces";
                }
                // Within a dialog it is the direction that matters.
                let to: sidetone_sip_core::header::To = request.headers.require().unwrap();
                let body = String::from_utf8_lossy(&request.body);
                let direction = body.lines().find(|line| line.starts_with("a=send")).unwrap_or_default();
                if to.tag().is_some() {
                    text += &format!(" {}", &direction[2..]);
                }
            }
            text
        }
        Message::Response(response) => {
            let cseq: CSeq = response.headers.require().unwrap();
            format!("{} {} ({})", response.status.code(), response.reason, cseq.method)
        }
    }
}
