//! Two phones on a bad network: whatever their users do, both sides end in the same state.

use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_hal::sim::{LinkConfig, NodeId, World};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::sim::{Machine, SipNode};
use sidetone_sip_core::{Endpoint, Input, StatusCode, Uri};
use sidetone_sip_ua::{
    AccountConfig, AccountId, Agent, AgentConfig, CallId, CallState, CommandError, EndedBy, Event,
};
use std::collections::BTreeMap;

/// A telephone: an agent and a user model. Session descriptions are words: `<call> <held by the speaker>`.
struct Phone {
    agent: Agent,
    account: AccountId,
    other: Uri,
    name: &'static str,
    calls: BTreeMap<CallId, Line>,
    count: u32,
    now: Instant,
}

#[derive(Clone, Debug)]
struct Line {
    /// The caller's name for the call.
    token: String,
    incoming: bool,
    answered: bool,
    held: bool,
    remote_held: bool,
    /// The hold state that our offer asks for.
    wanted: Option<bool>,
}

impl Phone {
    fn new(seed: u64, name: &'static str, local: &str, remote: &str) -> Self {
        let mut rng = Rng::from_u64(seed);
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        let mut agent = Agent::new(AgentConfig::new(bytes));
        assert_eq!(agent.endpoint_mut().bind(Protocol::Udp, local.parse().unwrap()), FlowId(0));
        let config = AccountConfig::parse(&format!("sip:{name}@{local}")).unwrap().without_registration();
        let account = agent.add_account(config).unwrap();
        let other = format!("sip:other@{remote}").parse().unwrap();
        Self { agent, account, other, name, calls: BTreeMap::new(), count: 0, now: Instant::ZERO }
    }

    fn body(line: &Line, held: bool) -> Bytes {
        Bytes::from(format!("{} {held}", line.token))
    }

    fn read(body: Option<Bytes>) -> (String, bool) {
        let body = body.expect("every message that needs one has a body");
        let text = std::str::from_utf8(&body).unwrap().to_owned();
        let (token, held) = text.split_once(' ').unwrap();
        (token.to_owned(), held.parse().unwrap())
    }

    fn handle_events(&mut self) {
        let now = self.now;
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::Incoming { call, invite, .. } => {
                    let (token, _) = Self::read(invite.offer);
                    let line = Line {
                        token,
                        incoming: true,
                        answered: false,
                        held: false,
                        remote_held: false,
                        wanted: None,
                    };
                    self.calls.insert(call, line);
                    self.agent.ring(now, call).unwrap();
                }
                Event::Answered { call, body } => {
                    let line = self.calls.get_mut(&call).unwrap();
                    assert_eq!(Self::read(body).0, line.token);
                    line.answered = true;
                }
                Event::Offer { call, body } => {
                    let line = self.calls.get_mut(&call).unwrap();
                    let (token, held) = Self::read(body);
                    assert_eq!(token, line.token);
                    line.remote_held = held;
                    self.agent.answer_offer(now, call, Self::body(line, line.held)).unwrap();
                }
                Event::Answer { call, body } => {
                    let line = self.calls.get_mut(&call).unwrap();
                    let (token, held) = Self::read(body);
                    assert_eq!(token, line.token);
                    line.remote_held = held;
                    line.held = line.wanted.take().expect("an answer follows an offer");
                }
                Event::OfferRejected { call, status, again } => {
                    assert!(self.calls.contains_key(&call));
                    // The wish stays: `OfferDue` follows.
                    assert!(again, "refused for good: {status}");
                }
                Event::OfferDue { call } => {
                    let line = self.calls.get_mut(&call).unwrap();
                    if let Some(wanted) = line.wanted {
                        let offer = Self::body(line, wanted);
                        match self.agent.reoffer(now, call, offer) {
                            Ok(()) | Err(CommandError::OfferPending) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                Event::Ended { call, cause } => {
                    self.calls.remove(&call).expect("a call ends once");
                    // One message in ten is lost, but no exchange may fail by that. 481 answers an offer that crosses a BYE.
                    let status = cause.status.map(StatusCode::code);
                    let expected = match cause.by {
                        EndedBy::Timeout => cause.reason == "nobody picked up",
                        EndedBy::Local | EndedBy::Remote => {
                            matches!(status, None | Some(480 | 481 | 486 | 487))
                        }
                        _ => false,
                    };
                    assert!(expected, "{}: {cause}", self.name);
                }
                _ => {}
            }
        }
    }

    /// The user does something.
    fn act(&mut self, now: Instant, rng: &mut Rng) -> String {
        self.now = now;
        let choice = rng.below(10);
        if self.calls.is_empty() || (choice == 0 && self.calls.len() < 3) {
            self.count += 1;
            let token = format!("{}{}", self.name, self.count);
            let line = Line {
                token: token.clone(),
                incoming: false,
                answered: false,
                held: false,
                remote_held: false,
                wanted: None,
            };
            let offer = Self::body(&line, false);
            let call = self.agent.call(now, self.account, &self.other.clone(), Some(offer)).unwrap();
            self.calls.insert(call, line);
            return format!("calls ({token})");
        }
        let index = rng.below(self.calls.len() as u32) as usize;
        let (&call, line) = self.calls.iter_mut().nth(index).unwrap();
        let token = line.token.clone();
        let did = match choice {
            _ if line.incoming && !line.answered && choice < 8 => {
                line.answered = true;
                let body = Self::body(line, line.held);
                self.agent.answer(now, call, body).unwrap();
                "answers"
            }
            _ if line.incoming && !line.answered => {
                self.agent.reject(now, call, StatusCode::BUSY_HERE).unwrap();
                "rejects"
            }
            0..=1 => {
                self.agent.hangup(now, call).unwrap();
                "hangs up"
            }
            _ if line.answered && line.wanted.is_none() => {
                let wanted = !line.held;
                line.wanted = Some(wanted);
                let offer = Self::body(line, wanted);
                match self.agent.reoffer(now, call, offer) {
                    Ok(()) | Err(CommandError::OfferPending) => {}
                    Err(error) => panic!("{error}"),
                }
                if wanted { "holds" } else { "resumes" }
            }
            _ => "waits",
        };
        self.handle_events();
        format!("{did} ({token})")
    }

    /// What the phone believes of each call: its state, who holds; `mirrored` as the other side should see it.
    fn view(&self, mirrored: bool) -> BTreeMap<String, (Option<CallState>, bool, bool)> {
        let line = |(call, line): (&CallId, &Line)| {
            let (ours, theirs) =
                if mirrored { (line.remote_held, line.held) } else { (line.held, line.remote_held) };
            (line.token.clone(), (self.agent.call_state(*call), ours, theirs))
        };
        self.calls.iter().map(line).collect()
    }
}

impl Machine for Phone {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        self.agent.endpoint_mut()
    }

    fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        self.agent.handle_input(now, input);
        self.handle_events();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.agent.handle_timeout(now);
        self.handle_events();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout().map(|(at, _)| at)
    }
}

/// What one run did, so that the test can show that it did something.
#[derive(Default)]
struct Tally {
    calls: u32,
    up: u32,
    acts: BTreeMap<String, u32>,
}

fn run(seed: u64, tally: &mut Tally) {
    let mut world = World::new(seed);
    world.set_default_link(LinkConfig {
        jitter: Duration::from_millis(20),
        loss: 0.1,
        reorder: 0.1,
        reorder_by: Duration::from_millis(800),
        duplicate: 0.1,
        ..LinkConfig::with_latency(Duration::from_millis(20))
    });
    let phone = |world: &mut World, name, local: &str, remote: &str| {
        let node = Phone::new(seed.wrapping_mul(2) + u64::from(name == "bob"), name, local, remote);
        let id = world.add(name, local.parse::<SocketAddr>().unwrap().ip(), SipNode(node));
        world.bind(id, FlowId(0), 5060);
        id
    };
    let phones: [NodeId<SipNode<Phone>>; 2] = [
        phone(&mut world, "alice", "192.0.2.1:5060", "192.0.2.2:5060"),
        phone(&mut world, "bob", "192.0.2.2:5060", "192.0.2.1:5060"),
    ];
    let mut rng = world.fork_rng();
    for _ in 0..40 {
        let pause = if rng.chance(0.5) { rng.below(100) } else { rng.below(6000) };
        world.run_for(Duration::from_millis(u64::from(pause))).unwrap();
        // Half of the time both users act at the same moment.
        let first = rng.below(2) as usize;
        let both = if rng.chance(0.5) { 2 } else { 1 };
        for &id in phones.iter().cycle().skip(first).take(both) {
            let now = world.now();
            let did = world[id].act(now, &mut rng);
            world.note(id, &did);
            let verb = did.split(' ').next().unwrap().to_owned();
            *tally.acts.entry(verb).or_default() += 1;
        }
    }
    // Everything comes to rest: ringing calls end after 3 minutes, transactions after 32 s more.
    world.run_for(Duration::from_secs(400)).unwrap();
    let [alice, bob] = phones;
    let (seen, expected) = (world[alice].view(false), world[bob].view(true));
    assert_eq!(seen, expected, "seed {seed}: alice and bob disagree\n{}", world.ladder());
    for id in phones {
        let phone = &world[id];
        let established =
            phone.calls.keys().all(|call| phone.agent.call_state(*call) == Some(CallState::Established));
        assert!(established, "seed {seed}: a call is neither up nor over\n{}", world.ladder());
        assert_eq!(phone.agent.endpoint().transaction_count(), 0, "seed {seed}\n{}", world.ladder());
        assert_eq!(phone.agent.is_idle(), phone.calls.is_empty(), "seed {seed}\n{}", world.ladder());
        tally.calls += phone.count;
    }
    tally.up += seen.len() as u32;
}

#[test]
fn two_hundred_seeds_of_two_phones_end_in_the_same_state() {
    let mut tally = Tally::default();
    for seed in 0..200 {
        run(seed, &mut tally);
    }
    println!("{} calls, {} up at the end, {:?}", tally.calls, tally.up, tally.acts);
    // The runs must have done what they are to show.
    assert!(tally.calls > 1000 && tally.up > 100, "{} calls, {} up", tally.calls, tally.up);
    for verb in ["calls", "answers", "rejects", "hangs", "holds", "resumes"] {
        assert!(tally.acts.get(verb).is_some_and(|count| *count > 100), "{verb}: {:?}", tally.acts);
    }
}
