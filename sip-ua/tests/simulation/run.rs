//! One run, and what has to be true at its end.

use crate::Feature;
use crate::phone::{PHONES, Phone};
use crate::wire::{Seen, Wire};
use sidetone_hal::net::{FlowId, SocketAddr};
use sidetone_hal::sim::{LinkConfig, NodeId, World};
use sidetone_hal::time::Duration;
use sidetone_sip_core::sim::SipNode;
use sidetone_sip_ua::{CallState, SubscriptionState};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

/// Runs of a feature where `SEEDS` in the environment says nothing else.
const SEEDS: u64 = 500;
/// How often somebody does something.
const ACTS: u32 = 30;
/// Longer than ringing and all that follows, than a transfer is told of, and than a subscription that is to be tried
/// again waits.
const REST: Duration = Duration::from_secs(400);

type Id = NodeId<Seen<Phone>>;

struct Run {
    world: World,
    phones: Vec<Id>,
    wire: Rc<RefCell<Wire>>,
}

/// Runs all seeds. The users must have done these things, and often, or the runs show nothing.
pub fn run_all(feature: Feature, verbs: &[&str]) {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let (one, seeds) = (number("SEED"), number("SEEDS").unwrap_or(SEEDS));
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    for seed in one.map_or(0..seeds, |seed| seed..seed + 1) {
        let mut run = Run::new(seed, feature);
        let result = catch_unwind(AssertUnwindSafe(|| run.play(feature, &mut tally)));
        if one.is_some() || result.is_err() {
            println!("{feature:?}, seed {seed}\n{}", run.world.ladder());
        }
        if let Err(cause) = result {
            println!("{feature:?}, seed {seed} failed");
            resume_unwind(cause);
        }
    }
    println!("{feature:?}: {tally:?}");
    for verb in verbs {
        let often = tally.get(*verb).is_some_and(|count| u64::from(*count) > seeds / 2);
        assert!(one.is_some() || often, "{verb}: {tally:?}");
    }
}

/// `INVITE 7`, `200 INVITE 7`, and the first letters of the Call-ID.
fn label(payload: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(payload);
    let header = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    let cseq = header("CSeq:");
    let (seq, method) = cseq.split_once(' ')?;
    let status = text.strip_prefix("SIP/2.0 ").map(|rest| rest[..4].to_owned()).unwrap_or_default();
    let id = header("Call-ID:");
    Some(format!("{status}{method} {seq} {}", id.get(..4).unwrap_or(&id)))
}

impl Run {
    fn new(seed: u64, feature: Feature) -> Self {
        let mut world = World::new(seed);
        world.set_default_link(LinkConfig {
            jitter: Duration::from_millis(20),
            loss: 0.1,
            reorder: 0.1,
            reorder_by: Duration::from_millis(800),
            duplicate: 0.1,
            ..LinkConfig::with_latency(Duration::from_millis(20))
        });
        world.set_labeller(label);
        let wire = Rc::new(RefCell::new(Wire::default()));
        let mut phones = Vec::new();
        for (place, (name, address)) in PHONES.iter().enumerate() {
            let address: SocketAddr = address.parse().unwrap();
            let phone = Phone::new(seed * 3 + place as u64, name, feature, Rc::clone(&wire));
            let id = world.add(name, address.ip(), Seen { node: SipNode(phone), wire: Rc::clone(&wire) });
            world.bind(id, FlowId(0), address.port());
            phones.push(id);
        }
        Self { world, phones, wire }
    }

    fn phone(&self, place: usize) -> &Phone {
        &self.world[self.phones[place]].node
    }

    fn pass(&mut self, duration: Duration) {
        self.world.run_for(duration).unwrap();
        self.note();
    }

    /// What was done by itself stands in the ladder a little late.
    fn note(&mut self) {
        for &id in &self.phones {
            while let Some(text) = self.world[id].node.0.notes.pop_front() {
                self.world.note(id, &text);
            }
        }
    }

    fn play(&mut self, feature: Feature, tally: &mut BTreeMap<String, u32>) {
        let mut rng = self.world.fork_rng();
        for _ in 0..ACTS {
            let pause = if rng.chance(0.5) { rng.below(100) } else { rng.below(6000) };
            self.pass(Duration::from_millis(u64::from(pause)));
            // Half of the time two users act at the same moment.
            let (first, both) = (rng.below(3) as usize, rng.chance(0.5));
            for place in [first, (first + 1) % 3].into_iter().take(if both { 2 } else { 1 }) {
                let now = self.world.now();
                self.world[self.phones[place]].node.0.act(now);
                self.note();
            }
        }
        self.pass(REST);
        self.check_calls(feature);
        self.check_watchers();
        for place in 0..3 {
            let now = self.world.now();
            self.world[self.phones[place]].node.0.go_home(now);
        }
        self.pass(REST);
        for place in 0..3 {
            let phone = self.phone(place);
            assert!(phone.agent.is_idle(), "{} is not idle: {:?}", phone.name, phone.agent);
            assert!(phone.calls.is_empty() && phone.transfers.is_empty(), "{}", phone.name);
            let watching = &phone.watching;
            assert!(watching.ours.is_empty() && watching.theirs.is_empty(), "{}", phone.name);
            assert_eq!(phone.agent.endpoint().transaction_count(), 0, "{}", phone.name);
            assert_eq!(phone.agent.poll_timeout(), None, "{} waits for something", phone.name);
            for (verb, count) in &phone.did {
                *tally.entry(verb.clone()).or_default() += count;
            }
        }
        let wire = self.wire.borrow();
        assert!(wire.wrong.is_empty(), "without a reason: {}", wire.wrong[0]);
        for (status, count) in &wire.statuses {
            *tally.entry(status.to_string()).or_default() += count;
        }
    }

    /// Both ends of each call know the same of it.
    fn check_calls(&self, feature: Feature) {
        for one in 0..3 {
            let phone = self.phone(one);
            for other in (one + 1)..3 {
                let other = self.phone(other);
                let (seen, expected) = (phone.view(other.name, false), other.view(phone.name, true));
                assert_eq!(seen, expected, "{} and {} disagree", phone.name, other.name);
            }
            assert!(phone.transfers.is_empty(), "{} waits for {:?}", phone.name, phone.transfers);
            let mut heard = 0;
            for (call, line) in &phone.calls {
                let state = phone.agent.call_state(*call);
                assert_eq!(state, Some(CallState::Established), "{}: {line:?}", phone.name);
                assert_ne!(line.peer, phone.name, "{line:?}");
                heard += u32::from(!line.held);
            }
            assert!(feature != Feature::Waiting || heard <= 1, "{}: {:?}", phone.name, phone.calls);
        }
    }

    /// Whoever watches has the last number, and everybody who is told watches.
    fn check_watchers(&self) {
        for one in 0..3 {
            let phone = self.phone(one);
            let mut watched = 0;
            for other in (0..3).map(|other| self.phone(other)) {
                for watching in other.watching.theirs.values().filter(|watching| watching.whom == phone.name)
                {
                    match watching.state {
                        SubscriptionState::Active { .. } => {
                            assert_eq!(
                                watching.seen,
                                Some(phone.watching.number),
                                "{}: {watching:?}",
                                other.name
                            );
                            watched += 1;
                        }
                        SubscriptionState::Pending { .. } => watched += 1,
                        _ => panic!("{}: {watching:?}", other.name),
                    }
                    assert!(watching.wanted, "{}: {watching:?}", other.name);
                }
            }
            let ours = &phone.watching.ours;
            assert_eq!(ours.len(), watched, "{} tells {ours:?}", phone.name);
            assert_eq!(phone.agent.watcher_count(), watched, "{}", phone.name);
        }
    }
}
