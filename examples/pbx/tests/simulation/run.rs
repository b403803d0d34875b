//! One run, and what has to be true at its end.

use crate::lamps::{Dialogs, Shows};
use crate::network::Network;
use crate::phone::{LINES, Phone, SERVICE, USERS};
use crate::settings::{QUEUE, UNTIL_IT_RINGS};
use crate::site;
use crate::wire::Wire;
use crate::{Feature, Setting};
use core::cell::RefCell;
use core::panic::AssertUnwindSafe;
use futures::catch;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Duration;
use sidetone_pbx::{PbxEvent, PbxEvents, PbxHandle, PbxLoad};
use sidetone_sip_core::driver::MemoryNetwork;
use sidetone_sip_ua::{CallState, SubscriptionState};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::rc::Rc;

/// Runs of a feature where `SEEDS` in the environment says nothing else.
const SEEDS: u64 = 500;
/// How often somebody does something.
const ACTS: u32 = 20;
/// The same without a PBX.
const DIRECT_ACTS: u32 = 30;
/// As long as this nobody sends anything: longer than every transaction, and than calls ring, are parked and are
/// recorded.
const SILENCE: Duration = Duration::from_secs(40);
/// When sessions of 90 s are over that nobody has refreshed, and what they sent last was given up.
const TIMERS_END: Duration = Duration::from_secs(200);
/// Longer than a subscription that is to be tried again waits, and than all that follows.
const WATCHED: Duration = Duration::from_secs(400);
/// It comes within this time.
const MOST: Duration = Duration::from_secs(600);

pub struct Run {
    pub network: Network,
    /// The PBX and its events, if there is one.
    site: Option<(PbxHandle, PbxEvents)>,
    rng: Rng,
    feature: Feature,
}

/// Runs all seeds. The users must have done these things, and often, or the runs show nothing.
pub fn run_all(setting: Setting, feature: Feature, verbs: &[&str]) {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let (one, seeds) = (number("SEED"), number("SEEDS").unwrap_or(SEEDS));
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    for seed in one.map_or(0..seeds, |seed| seed..seed + 1) {
        let network = run_one(seed, setting, feature, &mut tally, false);
        if one.is_some() {
            println!("{feature:?}, seed {seed}\n{}", network.ladder());
        }
    }
    println!("{feature:?}: {tally:?}");
    for verb in verbs {
        let often = tally.get(*verb).is_some_and(|count| u64::from(*count) > seeds / 10);
        assert!(one.is_some() || often, "{verb}: {tally:?}");
    }
}

/// Runs a seed twice: every message is the same in both, at the same time and of the same fate, byte for byte.
pub fn run_twice(seed: u64, setting: Setting, feature: Feature) {
    let trace = || run_one(seed, setting, feature, &mut BTreeMap::new(), true).trace.unwrap();
    let (one, other) = (trace(), trace());
    let differs = one.iter().zip(&other).position(|(one, other)| one != other);
    if let Some(place) = differs {
        panic!("{feature:?}, seed {seed}, message {place}:\n{}\nand then\n{}", one[place], other[place]);
    }
    assert_eq!(one.len(), other.len(), "{feature:?}, seed {seed}");
    assert!(one.len() > 50, "{feature:?}, seed {seed}: {} messages", one.len());
}

/// One run in a runtime of its own.
fn run_one(
    seed: u64,
    setting: Setting,
    feature: Feature,
    tally: &mut BTreeMap<String, u32>,
    traced: bool,
) -> Network {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut run = Run::new(seed, setting, feature, traced).await;
        let result = catch(run.play(tally)).await;
        if let Err(cause) = result {
            let ladder = run.network.ladder();
            println!("{feature:?}, seed {seed}\n{ladder}{feature:?}, seed {seed} failed");
            resume_unwind(cause);
        }
        run.network
    })
}

impl Run {
    async fn new(seed: u64, setting: Setting, feature: Feature, traced: bool) -> Self {
        let mut rng = Rng::from_u64(seed);
        let memory = MemoryNetwork::new();
        let site = match setting {
            Setting::Pbx => {
                let pbx = site::start(feature, &memory, &mut rng).await;
                let events = pbx.events();
                Some((pbx, events))
            }
            Setting::Direct => None,
        };
        let wire = Rc::new(RefCell::new(Wire::default()));
        let phone = |place| Phone::new(&mut rng, place, feature, site.is_none(), Rc::clone(&wire));
        let phones = (0..if site.is_some() { 4 } else { 3 }).map(phone).collect();
        let mut network = Network::new(memory, phones, wire, &mut rng);
        network.trace = traced.then(Vec::new);
        Self { network, site, rng, feature }
    }

    fn desk(&mut self) -> &mut Phone {
        self.network.phones.last_mut().unwrap()
    }

    async fn play(&mut self, tally: &mut BTreeMap<String, u32>) {
        while self.network.phones.iter().any(|phone| !phone.is_registered) {
            self.network.pass(Duration::from_millis(100)).await;
            assert!(self.network.now.as_micros() < 60_000_000, "nobody registers for so long");
        }
        let feature = self.feature;
        if self.site.is_some() {
            self.begin_watching();
        }
        for _ in 0..if self.site.is_some() { ACTS } else { DIRECT_ACTS } {
            let rng = &mut self.rng;
            let pause = if rng.chance(0.5) { rng.below(100) } else { rng.below(6000) };
            // Half of the time two users act at the same moment.
            let (first, both) = (rng.below(3) as usize, rng.chance(0.5));
            self.network.pass(Duration::from_millis(u64::from(pause))).await;
            for place in [first, (first + 1) % 3].into_iter().take(if both { 2 } else { 1 }) {
                let now = self.network.now;
                self.network.phones[place].act(now);
            }
        }
        let now = self.network.now;
        self.users().for_each(|phone| {
            phone.now = now;
            phone.come_back();
        });
        if feature == Feature::Timers {
            self.unplug().await;
        } else {
            self.settle().await;
        }
        self.check_calls();
        match self.site.take() {
            Some(mut site) => {
                self.check(&site.0).await;
                self.check_rooms(&mut site.1).await;
                self.site = Some(site);
            }
            None => self.check_watchers(),
        }
        if feature == Feature::Agents {
            self.call_the_queue().await;
        }
        for phone in &mut self.network.phones {
            phone.go_home(self.network.now);
        }
        self.settle().await;
        self.check_nothing_is_left().await;
        for phone in &self.network.phones {
            for (verb, count) in &phone.did {
                *tally.entry(verb.clone()).or_default() += count;
            }
        }
        let wire = self.network.wire.borrow();
        assert!(wire.wrong.is_empty(), "without a reason: {}", wire.wrong[0]);
        *tally.entry("answered-twice".into()).or_default() += wire.answered_twice;
        for (status, count) in &wire.statuses {
            *tally.entry(status.to_string()).or_default() += count;
        }
        *tally.entry("seconds".into()).or_default() += (self.network.now.as_micros() / 1_000_000) as u32;
    }

    /// What is watched all the time: by the desk, and what the feature needs.
    fn begin_watching(&mut self) {
        let (now, feature) = (self.network.now, self.feature);
        let desk = self.desk();
        desk.now = now;
        desk.watch_list("team");
        match feature {
            Feature::Room | Feature::Conference => desk.watch_room("800"),
            Feature::Settings | Feature::Agents => self.users().for_each(|phone| {
                phone.now = now;
                phone.watch_settings();
            }),
            Feature::Voicemail => self.users().for_each(|phone| {
                phone.now = now;
                phone.watch_mailbox();
            }),
            Feature::Pickup => self.users().for_each(|phone| {
                phone.now = now;
                let name = phone.name;
                for user in USERS.into_iter().filter(|user| *user != name) {
                    phone.watch_line(user);
                }
            }),
            _ => {}
        }
    }

    fn users(&mut self) -> impl Iterator<Item = &mut Phone> {
        self.network.phones.iter_mut().take(USERS.len())
    }

    async fn settle(&mut self) {
        // Subscriptions are refreshed again and again.
        if self.feature == Feature::Watch {
            return self.network.pass(WATCHED).await;
        }
        assert!(self.network.quiet(SILENCE, MOST).await, "there is no end of messages");
    }

    async fn load(&self) -> PbxLoad {
        match &self.site {
            Some((pbx, _)) => pbx.load().await,
            None => PbxLoad::default(),
        }
    }

    /// One telephone has no network for longer than a session lasts; the calls of the others go on.
    async fn unplug(&mut self) {
        let place = self.rng.below(USERS.len() as u32) as usize;
        let phone = &mut self.network.phones[place];
        phone.notes.push_back("is unplugged".into());
        let (name, address) = (phone.name, phone.address);
        self.network.wire.borrow_mut().unplugged = Some(name);
        self.network.unplugged = Some(address);
        self.network.pass(TIMERS_END).await;
        self.network.unplugged = None;
        self.network.pass(SILENCE).await;
        // Calls that last are refreshed again and again.
        while self.load().await.requests > 0 {
            self.network.pass(Duration::from_secs(1)).await;
        }
        let lasts: usize = self.network.phones.iter().map(|phone| phone.calls.len()).sum();
        assert!(self.network.phones[place].calls.is_empty(), "{name} has calls that nobody refreshed");
        *self.desk().did.entry("lasts".into()).or_default() += lasts as u32;
    }

    /// A call to the queue rings at the agents who take its calls, and at nobody else.
    async fn call_the_queue(&mut self) {
        let now = self.network.now;
        let desk = self.desk();
        desk.now = now;
        desk.dial(QUEUE, |request| request);
        let busy: Vec<_> = self.users().map(|phone| phone.calls.len()).collect();
        self.network.pass(UNTIL_IT_RINGS).await;
        for (phone, busy) in self.users().zip(busy) {
            let rings = phone.calls.len() > busy;
            let expected = phone.takes_queue_calls() && busy < LINES;
            assert_eq!(rings, expected, "{}: the queue rings", phone.name);
            if rings {
                phone.count("probed");
            }
        }
    }

    /// Both ends of each call know the same of it.
    fn check_calls(&self) {
        let phones = &self.network.phones;
        for (place, phone) in phones.iter().enumerate() {
            for other in &phones[place + 1..] {
                let (seen, expected) = (phone.view(other.name, false), other.view(phone.name, true));
                assert_eq!(seen, expected, "{} and {} disagree", phone.name, other.name);
            }
            assert!(phone.transfers.is_empty(), "{} waits for {:?}", phone.name, phone.transfers);
            for (call, line) in &phone.calls {
                let state = phone.agent.call_state(*call);
                assert_eq!(state, Some(CallState::Established), "{}: {line:?}", phone.name);
                assert_ne!(line.peer, phone.name, "{line:?}");
            }
            let heard = phone.calls.values().filter(|line| !line.held).count();
            assert!(self.feature != Feature::Waiting || heard <= 1, "{}: {:?}", phone.name, phone.calls);
            phone.check_music();
            for other in phones {
                phone.texts.check_came(phone.name, &other.texts, other.name);
            }
        }
    }

    /// The PBX knows the same as the phones, and so does who is told.
    async fn check(&self, pbx: &PbxHandle) {
        let phones = &self.network.phones;
        let mut at_extensions = 0;
        for phone in phones {
            at_extensions += phone.calls.values().filter(|line| line.peer == SERVICE).count();
            at_extensions += phone.music_calls().count();
            phone.check_settings(&pbx.features(phone.name).await);
        }
        let load = pbx.load().await;
        let calls: usize = phones.iter().map(|phone| phone.calls.len() + phone.music_calls().count()).sum();
        let watched: usize = phones.iter().map(|phone| phone.lamps.watched.len()).sum();
        // Calls from orbits to who parked there are not answered by an extension.
        assert!(load.extension_calls <= at_extensions, "{load:?}, but {at_extensions} calls to extensions");
        assert_eq!((load.requests, load.parked, load.subscriptions), (0, 0, watched), "{load:?}");
        assert_eq!(load.dialogs, calls + at_extensions, "ends of dialogs: {load:?}");
        self.check_lamps(pbx);
    }

    /// What each lamp shows is what the phones know.
    fn check_lamps(&self, pbx: &PbxHandle) {
        let phones = &self.network.phones;
        let mut truth: BTreeMap<String, Dialogs> = BTreeMap::new();
        for phone in phones {
            truth.insert(phone.name.into(), phone.dialogs());
        }
        // Nobody is parked any more; who was fetched talks by way of the orbit, which is free for others.
        for orbit in ["701", "702"] {
            truth.insert(orbit.into(), Dialogs::new());
        }
        let lines = phones.iter().flat_map(|phone| phone.calls.iter().map(move |line| (phone, line)));
        let inside = lines.filter(|(_, (_, line))| line.number == "800" && line.peer == SERVICE);
        let ends = inside.map(|(phone, (call, _))| {
            let dialog = phone.agent.call_dialog(*call).unwrap();
            (dialog.call_id, dialog.remote_tag.unwrap(), dialog.local_tag)
        });
        truth.insert("800".into(), ends.collect());
        for phone in phones {
            for lamp in phone.lamps.watched.values() {
                assert!(
                    matches!(lamp.state, SubscriptionState::Active { .. }),
                    "{}: {:?}",
                    lamp.whom,
                    lamp.state
                );
                assert!(lamp.wanted && lamp.is_told, "{} watches {}", phone.name, lamp.whom);
                for (line, shown) in lamp.lines().into_iter().flatten() {
                    assert_eq!(shown, truth[&line], "{} sees {line} so, by {}", phone.name, lamp.whom);
                }
                if let Shows::Mailbox(new, old) = lamp.shows {
                    let counts = pbx.mailboxes().counts(phone.name);
                    assert_eq!((new as usize, old as usize), (counts.new, counts.old), "{}", phone.name);
                }
            }
        }
    }

    /// The room's events, and who watches it, have the members that think they are in it.
    async fn check_rooms(&mut self, events: &mut PbxEvents) {
        let mut members = Vec::new();
        let mut left = 0;
        while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, events.next()).await {
            match event {
                PbxEvent::RoomChanged { members: now, .. } => members = now,
                PbxEvent::MessageLeft { .. } => left += 1,
                _ => {}
            }
        }
        let desk = self.desk();
        *desk.did.entry("left".into()).or_default() += left;
        let roster = desk.lamps.watched.values().find_map(|lamp| match &lamp.shows {
            Shows::Room(roster) => Some(roster.present().count()),
            _ => None,
        });
        let inside = |phone: &Phone| phone.calls.values().filter(|line| line.number == "800").count();
        let inside: Vec<usize> = self.network.phones.iter().map(inside).collect();
        // The roster has each user once.
        let (inside, users) = (inside.iter().sum(), inside.iter().filter(|calls| **calls > 0).count());
        assert_eq!(members.len(), inside, "{members:?}");
        assert!(roster.is_none_or(|roster| roster == users), "{roster:?} of {users} are in the room");
        self.desk().did.entry("room".into()).and_modify(|all| *all += inside as u32).or_insert(inside as u32);
    }

    async fn check_nothing_is_left(&mut self) {
        for phone in &mut self.network.phones {
            assert!(phone.calls.is_empty() && phone.transfers.is_empty(), "{}", phone.name);
            assert!(phone.lamps.watched.is_empty(), "{}", phone.name);
            if self.site.is_some() {
                phone.agent.unregister(self.network.now, phone.account).unwrap();
            }
            let watching = &phone.watching;
            assert!(watching.ours.is_empty() && watching.theirs.is_empty(), "{}", phone.name);
        }
        self.settle().await;
        for phone in &self.network.phones {
            assert!(phone.agent.is_idle(), "{} is not idle: {:?}", phone.name, phone.agent);
            assert_eq!(phone.agent.endpoint().transaction_count(), 0, "{}", phone.name);
            // How long a peer's address is remembered is nobody's wait.
            let waits = phone.agent.poll_timeout().filter(|(_, why)| !format!("{why:?}").contains("Idle"));
            assert_eq!(waits, None, "{} waits for something", phone.name);
        }
        assert_eq!(self.load().await, PbxLoad::default(), "the PBX keeps something");
    }
}

/// Where a panic of a future becomes a value.
mod futures {
    use super::AssertUnwindSafe;
    use core::any::Any;
    use core::pin::pin;
    use core::task::Poll;
    use std::panic::catch_unwind;

    pub async fn catch<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
        let mut future = pin!(future);
        core::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(cause) => Poll::Ready(Err(cause)),
        })
        .await
    }
}
