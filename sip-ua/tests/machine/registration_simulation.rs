//! Two registrars that go up and down at random, and a user who registers and unregisters.

use crate::registration::ok;
use crate::registration_servers::{FIRST, SECOND, asks_for_time};
use crate::support::*;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CallId, MinExpires, Via};
use sidetone_sip_core::{Message, Method, Request, StatusCode};
use sidetone_sip_ua::{
    AccountConfig, AccountId, AgentConfig, Redundancy, RedundancyMode, RegistrationConfig, RetryRule, Server,
};
use std::collections::BTreeMap;

const SERVERS: [&str; 2] = [FIRST, SECOND];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Up,
    Silent,
    /// Answers with this.
    Refuses(u16),
    /// Answers, and its answers are lost.
    Mute,
}

struct World {
    harness: Harness,
    account: AccountId,
    rng: Rng,
    moods: [Mood; 2],
    /// Until when each registrar holds a binding.
    bindings: [Option<Instant>; 2],
    /// The REGISTERs under way: of a Call-ID, the branch and when it was sent.
    open: BTreeMap<String, (String, Instant)>,
    wanted: bool,
    seed: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::from_u64(seed);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut harness = Harness::with(AgentConfig::new(bytes));
        let mode = if rng.below(2) == 0 { RedundancyMode::Successive } else { RedundancyMode::Concurrent };
        let servers = SERVERS.map(|server| Server::new(uri(&format!("sip:{server}"))));
        let mut redundancy = Redundancy::default().in_mode(mode);
        redundancy.servers = servers.into();
        let config =
            AccountConfig::parse("sip:alice:secret@example.org").unwrap().with_redundancy(redundancy);
        let retry = RetryRule::every(Duration::from_secs(30));
        let account =
            harness.account_with(config.with_registration(RegistrationConfig::default().with_retry(retry)));
        let (bindings, open) = ([None, None], BTreeMap::new());
        Self { harness, account, rng, moods: [Mood::Up; 2], bindings, open, wanted: false, seed }
    }

    fn is_successive(&self) -> bool {
        let config = self.harness.agent.account_config(self.account).unwrap();
        config.redundancy.mode == RedundancyMode::Successive
    }

    fn run(&mut self, duration: Duration) {
        let end = self.harness.now + duration;
        loop {
            while let Some((to, message)) = self.harness.try_sent() {
                let Message::Request(request) = message else { continue };
                assert_eq!(request.method, Method::REGISTER);
                let server = SERVERS.iter().position(|server| address(server) == to).unwrap();
                self.take(server, &request);
            }
            let next = self.harness.agent.poll_timeout().filter(|(at, _)| *at <= end);
            let Some((at, _)) = next else { break };
            let now = self.harness.now;
            self.harness.advance(at.max(now) - now);
        }
        let now = self.harness.now;
        self.harness.advance(end - now);
        while self.harness.agent.poll_event().is_some() {}
    }

    fn take(&mut self, server: usize, request: &Request) {
        let (now, seed) = (self.harness.now, self.seed);
        let call_id = request.headers.require::<CallId>().unwrap().to_string();
        let branch = request.headers.require::<Via>().unwrap().branch().unwrap().to_owned();
        let is_repeat = self.open.get(&call_id).is_some_and(|(open, _)| *open == branch);
        if !is_repeat {
            if let Some((_, since)) = self.open.get(&call_id) {
                assert!(now >= *since + Duration::from_secs(32), "seed {seed}: two REGISTERs at once");
            }
            assert!(
                self.wanted || !asks_for_time(request),
                "seed {seed}: a REGISTER after unregistering at {now}"
            );
            self.open.insert(call_id.clone(), (branch, now));
        }
        let bind = |bindings: &mut [Option<Instant>; 2]| {
            bindings[server] = asks_for_time(request).then(|| now + Duration::from_secs(600));
        };
        let answer = match self.moods[server] {
            Mood::Silent => return,
            Mood::Mute => return bind(&mut self.bindings),
            Mood::Refuses(423) => reply_with(request, 423, &MinExpires(7200)),
            Mood::Refuses(code) => reply(request, code, "registrar"),
            Mood::Up => {
                bind(&mut self.bindings);
                match asks_for_time(request) {
                    true => ok(request, 600),
                    false => request.response(StatusCode::OK, Some("registrar")),
                }
            }
        };
        self.open.remove(&call_id);
        self.harness.put_from(SERVERS[server], answer);
    }

    fn holds(&self) -> [bool; 2] {
        self.bindings.map(|until| until.is_some_and(|until| until > self.harness.now))
    }

    fn step(&mut self) {
        match self.rng.below(8) {
            0..=4 => {
                let server = usize::from(self.rng.below(2) == 1);
                let moods = [
                    Mood::Up,
                    Mood::Silent,
                    Mood::Mute,
                    Mood::Refuses(500),
                    Mood::Refuses(503),
                    Mood::Refuses(403),
                    Mood::Refuses(423),
                ];
                self.moods[server] = moods[usize::try_from(self.rng.below(7)).unwrap()];
            }
            5 | 6 => self.register(),
            _ => self.unregister(),
        }
        let wait = 1 + u64::from(self.rng.below(400_000));
        self.run(Duration::from_millis(wait));
    }

    fn register(&mut self) {
        self.wanted = true;
        self.harness.agent.register(self.harness.now, self.account).unwrap();
        self.run(Duration::ZERO);
    }

    fn unregister(&mut self) {
        self.wanted = false;
        self.harness.agent.unregister(self.harness.now, self.account).unwrap();
    }
}

#[test]
fn five_hundred_seeds_of_two_registrars_end_as_the_mode_says() {
    for seed in 0..500 {
        let mut world = World::new(seed);
        world.register();
        for _ in 0..30 {
            world.step();
        }
        world.moods = [Mood::Up; 2];
        world.register();
        // A probe or retry of at most 120 s after 32 s of silence, and a refresh of what was bound.
        world.run(Duration::from_secs(900));
        let expected = if world.is_successive() { [true, false] } else { [true, true] };
        assert_eq!(world.holds(), expected, "seed {seed}");
        let agent = &world.harness.agent;
        assert!(agent.account_state(world.account).unwrap().is_registered(), "seed {seed}");
        let places: Vec<usize> =
            agent.account_bindings(world.account).iter().map(|binding| binding.server).collect();
        assert_eq!(places, if world.is_successive() { vec![0] } else { vec![0, 1] }, "seed {seed}");
        world.unregister();
        world.run(Duration::from_secs(70));
        assert_eq!(world.holds(), [false, false], "seed {seed}");
        assert!(world.harness.agent.is_idle(), "seed {seed}");
        world.run(Duration::from_secs(7200));
    }
}
