use super::*;
use crate::net::{FlowId, IpAddr, Ipv4Addr, SocketAddr, Transmit};
use crate::time::{Duration, Instant};
use std::collections::VecDeque;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

const FLOW: FlowId = FlowId(0);
const SECOND: Duration = Duration::from_secs(1);

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A node that writes down what it hears, and does what `plan` says at each wake-up.
#[derive(Default)]
struct Recorder {
    /// Wake-ups, soonest first.
    wakes: VecDeque<Instant>,
    /// A copy of every datagram goes back to its source while this is positive.
    echoes: u32,
    /// A deadline that never moves on.
    stuck: Option<Instant>,
    /// Sends without end.
    endless: Option<SocketAddr>,
    accepts: Option<FlowId>,
    outbox: VecDeque<Transmit>,
    requests: VecDeque<StreamRequest>,
    heard: Vec<(u64, String)>,
    bytes: Vec<u8>,
    chunks: Vec<usize>,
}

impl Recorder {
    fn send(&mut self, flow: FlowId, destination: SocketAddr, payload: &[u8]) {
        self.outbox.push_back(Transmit { flow, destination, payload: payload.into() });
    }

    fn hear(&mut self, now: Instant, text: String) {
        self.heard.push((now.as_millis(), text));
    }
}

impl Node for Recorder {
    fn handle_datagram(&mut self, now: Instant, flow: FlowId, source: SocketAddr, payload: &[u8]) {
        self.hear(now, format!("{} from {source}", String::from_utf8_lossy(payload)));
        if self.echoes > 0 {
            self.echoes -= 1;
            self.send(flow, source, payload);
        }
    }

    fn handle_stream(&mut self, now: Instant, flow: FlowId, event: StreamEvent<'_>) {
        match event {
            StreamEvent::Up { local } => self.hear(now, format!("{flow} up at {local}")),
            StreamEvent::Down(error) => self.hear(now, format!("{flow} {error}")),
            StreamEvent::Data(chunk) => {
                self.bytes.extend_from_slice(chunk);
                self.chunks.push(chunk.len());
            }
        }
    }

    fn accept_stream(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr) -> Option<FlowId> {
        self.hear(now, format!("{remote} knocks at {local}"));
        self.accepts
    }

    fn handle_timeout(&mut self, now: Instant) {
        while self.wakes.front().is_some_and(|at| *at <= now) {
            self.wakes.pop_front();
            self.hear(now, "wakes".to_string());
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(destination) = self.endless {
            self.send(FLOW, destination, b"more");
        }
        self.outbox.pop_front()
    }

    fn poll_stream(&mut self) -> Option<StreamRequest> {
        self.requests.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wakes.front().copied().into_iter().chain(self.stuck).min()
    }
}

/// Two recorders, at 192.0.2.1:5060 and 192.0.2.2:5060.
fn pair(seed: u64) -> (World, NodeId<Recorder>, NodeId<Recorder>) {
    let mut world = World::new(seed);
    let a = world.add("a", ip(1), Recorder::default());
    let b = world.add("b", ip(2), Recorder::default());
    world.bind(a, FLOW, 5060);
    world.bind(b, FLOW, 5060);
    (world, a, b)
}

fn at(last: u8) -> SocketAddr {
    SocketAddr::new(ip(last), 5060)
}

fn texts(world: &World, id: NodeId<Recorder>) -> Vec<String> {
    world[id].heard.iter().map(|(at, text)| format!("{at} {text}")).collect()
}

#[test]
fn time_jumps_to_what_happens_next() {
    let (mut world, a, b) = pair(1);
    world.set_default_link(LinkConfig::with_latency(ms(25)));
    world[a].wakes = [Instant::from_millis(5), Instant::from_millis(32_000)].into();
    world[a].send(FLOW, at(2), b"one");
    world[b].echoes = 1;
    world.run_for(Duration::from_secs(40)).unwrap();
    assert_eq!(texts(&world, b), ["25 one from 192.0.2.1:5060"]);
    assert_eq!(texts(&world, a), ["5 wakes", "50 one from 192.0.2.2:5060", "32000 wakes"]);
    assert_eq!(world.now(), Instant::from_millis(40_000));
    assert_eq!(world.step(), Ok(false));
    assert_eq!(world.now(), Instant::from_millis(40_000));
}

#[test]
fn run_until_stops_at_the_condition_the_bound_or_the_end() {
    let (mut world, a, b) = pair(1);
    world[a].wakes = [Instant::from_millis(3000)].into();
    world[a].send(FLOW, at(2), b"one");
    world.run_until(|world| !world[b].heard.is_empty(), SECOND).unwrap();
    assert_eq!(world.now(), Instant::from_millis(10));

    let late = world.run_until(|world| !world[a].heard.is_empty(), SECOND).unwrap_err();
    assert_eq!((late.at, &late.kind), (Instant::from_millis(1010), &FailureKind::Bound(SECOND)));
    assert_eq!(late.to_string(), "at 1.010000 s: the condition did not become true within 1s");

    world.run_until(|world| !world[a].heard.is_empty(), 2 * SECOND).unwrap();
    let idle = world.run_until(|_| false, SECOND).unwrap_err();
    assert_eq!((idle.at, idle.kind), (Instant::from_millis(3000), FailureKind::Idle));
}

#[test]
fn nodes_that_do_not_let_time_pass_are_found() {
    // Two nodes that throw one datagram at each other over a link without latency.
    let (mut world, a, b) = pair(1);
    world.set_default_link(LinkConfig::with_latency(Duration::ZERO));
    for id in [a, b] {
        world[id].echoes = u32::MAX;
    }
    world[a].send(FLOW, at(2), b"hot");
    let failure = world.run_for(SECOND).unwrap_err();
    assert_eq!((failure.at, failure.kind), (Instant::ZERO, FailureKind::Livelock));

    // With the least latency it is no livelock.
    let (mut world, a, b) = pair(1);
    world.set_default_link(LinkConfig::with_latency(Duration::from_micros(1)));
    world[a].echoes = 20_000;
    world[b].echoes = 20_000;
    world[a].send(FLOW, at(2), b"warm");
    world.run_for(SECOND).unwrap();
    assert_eq!(world[b].heard.len(), 20_001);

    let (mut world, a, _) = pair(1);
    world[a].stuck = Some(Instant::from_millis(7));
    let failure = world.run_for(SECOND).unwrap_err();
    let deadline = Instant::from_millis(7);
    assert_eq!(failure.kind, FailureKind::StaleTimeout { node: "a".to_string(), deadline });
    assert_eq!(
        failure.to_string(),
        "at 0.007000 s: a was called for its timeout and still asks for 0.007000 s"
    );

    let (mut world, a, _) = pair(1);
    world[a].endless = Some(at(2));
    assert_eq!(world.step().unwrap_err().kind, FailureKind::Endless { node: "a".to_string() });
}

/// A run over a bad link; everything that was seen of it.
fn bad_run(seed: u64) -> (String, Vec<String>, LinkStats) {
    let (mut world, a, b) = pair(seed);
    let config =
        LinkConfig { jitter: ms(30), loss: 0.2, reorder: 0.2, duplicate: 0.2, ..LinkConfig::default() };
    world.set_links(a, b, config);
    world[b].echoes = 50;
    for n in 0..50 {
        world[a].send(FLOW, at(2), format!("datagram {n}").as_bytes());
        world.run_for(ms(5)).unwrap();
    }
    world.run_for(SECOND).unwrap();
    let stats = world.link_stats(a, b);
    assert_eq!(stats.sent, 50);
    (world.ladder().to_string(), texts(&world, a), stats)
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = bad_run(11);
    assert_eq!(run, bad_run(11));
    assert_ne!(run.0, bad_run(12).0);
    assert!(run.2.lost > 0 && run.2.duplicated > 0 && run.2.held_back > 0, "{:?}", run.2);
}

#[test]
fn the_ladder_shows_what_happened() {
    let (mut world, a, b) = pair(1);
    world[a].send(FLOW, at(2), b"INVITE sip:b\r\nVia: x");
    world[a].send(FLOW, at(2), &[0x80, 0, 1, 2]);
    world.run_for(SECOND).unwrap();
    world.set_link(a, b, LinkConfig { loss: 1.0, ..LinkConfig::default() });
    world[a].send(FLOW, at(2), b"ACK");
    world[b].send(FLOW, SocketAddr::new(ip(1), 9), b"BYE");
    world[b].send(FLOW, at(77), b"OPTIONS");
    world[b].send(FlowId(9), at(1), b"NOTIFY");
    world.note(b, "went mad");
    world.run_for(SECOND).unwrap();
    let expected = r"
                      a                   b
    0.000000          |---INVITE sip:b--->|
    0.000000          |------4 bytes----->|
    1.000000          |                   |* went mad
    1.000000          |--------ACK-------x|
    1.000000          |<-------BYE--------|
    1.000000          |                   |* OPTIONS to 192.0.2.77:5060, where nobody is
    1.000000          |                   |* sent on flow 9, which is not open
    1.010000          |* nobody at port 9 |
";
    assert_eq!(format!("\n{}", world.ladder()), expected);

    let (mut world, a, _) = pair(1);
    world.set_labeller(|payload| payload.starts_with(b"I").then(|| "call".to_string()));
    world[a].send(FLOW, at(2), b"INVITE");
    world[a].send(FLOW, at(2), b"audio");
    world.run_for(SECOND).unwrap();
    assert!(world.ladder().to_string().contains("call") && world.ladder().len() == 1);
}

#[test]
fn programs_of_one_machine_share_its_address() {
    let mut world = World::new(1);
    let sip = world.add("sip", ip(1), Recorder::default());
    let media = world.add("media", ip(1), Recorder::default());
    let from = world.bind(sip, FlowId(3), 5060);
    let to = world.bind(media, FlowId(4), 4000);
    world[sip].send(FlowId(3), to, b"hello");
    world.run_for(SECOND).unwrap();
    assert_eq!(texts(&world, media), [format!("0 hello from {from}")]);
    assert!(world.fork_rng().next_u64() != world.fork_rng().next_u64());
}

/// `a` connects as flow 1 to `b`, which listens and accepts as `accepts`.
fn connected(seed: u64, accepts: Option<FlowId>) -> (World, NodeId<Recorder>, NodeId<Recorder>) {
    let (mut world, a, b) = pair(seed);
    let remote = world.listen(b, 5061);
    world[b].accepts = accepts;
    world[a].requests.push_back(StreamRequest::Connect { flow: FlowId(1), remote });
    (world, a, b)
}

#[test]
fn a_stream_delivers_everything_in_order_and_in_pieces() {
    let mut cuts = Vec::new();
    for seed in 0..20 {
        let (mut world, a, b) = connected(seed, Some(FlowId(8)));
        world.set_links(a, b, LinkConfig { loss: 0.2, jitter: ms(20), mtu: 1300, ..LinkConfig::default() });
        world.run_until(|world| world[a].heard.len() == 1, 60 * SECOND).unwrap();
        assert!(world[a].heard[0].1.ends_with("flow 1 up at 192.0.2.1:49152"), "{:?}", world[a].heard);
        let mut sent = Vec::new();
        for n in 0..30 {
            let message = format!("message {n} ").repeat(n);
            sent.extend_from_slice(message.as_bytes());
            world[a].send(FlowId(1), at(2), message.as_bytes());
        }
        world[b].send(FlowId(8), at(1), b"welcome");
        world.run_for(120 * SECOND).unwrap();
        assert!(world[b].bytes == sent, "seed {seed}: {} of {} bytes", world[b].bytes.len(), sent.len());
        assert_eq!(world[a].bytes, b"welcome");
        cuts.push(world[b].chunks.clone());
    }
    let first = cuts[0].clone();
    assert!(cuts.iter().any(|chunks| *chunks != first), "no two seeds cut in the same places");
    let lengths: Vec<usize> = cuts.concat();
    assert!(lengths.iter().any(|length| *length < 4) && lengths.iter().any(|length| *length > 500));
}

#[test]
fn streams_are_refused_or_time_out() {
    let refused = |world: &World, a| assert_eq!(texts(world, a), ["20 flow 1 refused"]);
    let (mut world, a, b) = connected(1, None);
    world.run_for(60 * SECOND).unwrap();
    refused(&world, a);
    assert_eq!(texts(&world, b), ["10 192.0.2.1:49152 knocks at 192.0.2.2:5061"]);

    let (mut world, a, _) = pair(1);
    world[a].requests.push_back(StreamRequest::Connect { flow: FlowId(1), remote: at(2) });
    world.run_for(60 * SECOND).unwrap();
    refused(&world, a);

    let (mut world, a, _) = pair(1);
    world[a].requests.push_back(StreamRequest::Connect { flow: FlowId(1), remote: at(3) });
    world.run_for(60 * SECOND).unwrap();
    assert_eq!(texts(&world, a), ["30000 flow 1 timed out"]);

    // A link that breaks after the stream came up: both ends hear of it when the retransmissions are used up.
    let (mut world, a, b) = connected(1, Some(FlowId(8)));
    world.run_for(SECOND).unwrap();
    world.set_link(a, b, LinkConfig { loss: 1.0, ..LinkConfig::default() });
    world[a].send(FlowId(1), at(2), b"lost");
    world.run_for(60 * SECOND).unwrap();
    assert_eq!(texts(&world, a)[1..], ["52000 flow 1 timed out"]);
    assert_eq!(texts(&world, b)[1..], ["52000 flow 8 timed out"]);
    assert_eq!(world[b].bytes, b"");
}

#[test]
fn closing_comes_after_what_was_sent_and_ends_the_flow() {
    let (mut world, a, b) = connected(1, Some(FlowId(8)));
    world.run_for(SECOND).unwrap();
    world[a].send(FlowId(1), at(2), b"goodbye");
    world.run_until(|_| true, SECOND).unwrap();
    world[a].requests.push_back(StreamRequest::Close { flow: FlowId(1) });
    world[b].send(FlowId(8), at(1), b"too late");
    world.run_for(SECOND).unwrap();
    assert_eq!(world[b].bytes, b"goodbye");
    assert_eq!(texts(&world, b)[1..], ["1010 flow 8 closed by the other side"]);
    assert_eq!((world[a].heard.len(), world[a].bytes.len()), (1, 0), "the closing side hears nothing more");
    world[b].send(FlowId(8), at(1), b"much too late");
    world.run_for(SECOND).unwrap();
    assert!(world.ladder().to_string().contains("sent on flow 8, which is not open"));
}

#[test]
fn a_reset_reaches_both_ends() {
    let (mut world, a, b) = connected(1, Some(FlowId(8)));
    world.run_for(SECOND).unwrap();
    world.reset_stream(b, FlowId(8));
    world.run_for(SECOND).unwrap();
    assert_eq!(texts(&world, a)[1..], ["1000 flow 1 reset"]);
    assert_eq!(texts(&world, b)[1..], ["1000 flow 8 reset"]);
    // The same flow number can come up again.
    let remote = SocketAddr::new(ip(2), 5061);
    world[a].requests.push_back(StreamRequest::Connect { flow: FlowId(1), remote });
    world.run_for(SECOND).unwrap();
    assert_eq!(texts(&world, a)[2..], ["2020 flow 1 up at 192.0.2.1:49153"]);
}

/// A script at `b` against datagrams that `a` sends at the given milliseconds.
fn play(script: Script, datagrams: &[(u64, &str)]) -> (World, NodeId<Recorder>, NodeId<Script>) {
    let mut world = World::new(1);
    let a = world.add("a", ip(1), Recorder::default());
    let b = world.add("b", ip(2), script);
    world.bind(a, FLOW, 5060);
    world.bind(b, FLOW, 5060);
    for (millis, payload) in datagrams {
        let wait = Instant::from_millis(*millis) - world.now();
        world.run_for(wait).unwrap();
        world[a].send(FLOW, at(2), payload.as_bytes());
    }
    world.run_for(10 * SECOND).unwrap();
    (world, a, b)
}

fn is(text: &'static str) -> impl Fn(&[u8]) -> bool {
    move |payload| payload == text.as_bytes()
}

#[test]
fn a_script_is_followed_step_by_step() {
    let script = Script::new(FLOW)
        .expect("a call", SECOND, is("call"))
        .reply(|call| [b"ringing ", call.payload.as_slice()].concat())
        .wait(ms(500))
        .reply_with(|all| format!("answer {}", all.len()).into_bytes())
        .expect("an ack", SECOND, is("ack"))
        .ignore(is("call"));
    // The repeated call comes while the script waits.
    let (world, a, b) = play(script, &[(0, "call"), (300, "call"), (600, "ack")]);
    world[b].check().unwrap();
    assert_eq!(texts(&world, a), ["20 ringing call from 192.0.2.2:5060", "520 answer 1 from 192.0.2.2:5060"]);
    let times: Vec<_> = world[b].matched().iter().map(|received| received.at.as_millis()).collect();
    assert_eq!(times, [10, 610]);
}

#[test]
fn a_script_says_clearly_what_went_wrong() {
    let script =
        || Script::new(FLOW).expect("a call", SECOND, is("call")).expect("an ack", SECOND, is("ack"));
    let text = |datagrams: &[(u64, &str)]| {
        let (world, _, b) = play(script(), datagrams);
        assert!(world[b].is_over());
        world[b].check().unwrap_err().to_string()
    };
    assert_eq!(text(&[]), "step 1: expected a call within 1s, and nothing came until 1.000000 s");
    assert_eq!(text(&[(0, "call")]), "step 2: expected an ack within 1s, and nothing came until 1.010000 s");
    assert_eq!(
        text(&[(0, "call"), (100, "bye\r\nnow")]),
        "step 2: expected an ack, got at 0.110000 s from 192.0.2.1:5060: bye\r\nnow"
    );
    assert!(text(&[(0, &"x".repeat(5000))]).ends_with(&format!("{} … (5000 bytes in all)", "x".repeat(200))));
    assert!(text(&[(0, "\u{1}\u{2}")]).ends_with("[01, 02]"));

    let (world, _, b) = play(Script::new(FLOW).reply(|_| vec![]), &[]);
    assert_eq!(
        world[b].check().unwrap_err().to_string(),
        "step 1: expected a datagram to reply to before this step"
    );
    let (world, _, b) = play(script().wait(60 * SECOND), &[(0, "call"), (1, "ack")]);
    assert!(!world[b].is_over());
    assert_eq!(world[b].check().unwrap_err().to_string(), "step 3: still waiting, 60s in all");
}

#[test]
fn a_script_keeps_a_bounded_number_of_datagrams() {
    let datagrams: Vec<_> = (0..300).map(|n| (n, "noise")).collect();
    let (world, _, b) = play(Script::new(FLOW).wait(5 * SECOND), &datagrams);
    assert_eq!(world[b].check().unwrap_err().text, "more than 256 datagrams came while waiting");
}

#[test]
#[cfg(feature = "std")]
fn a_panic_prints_the_ladder() {
    // Run by itself, so that its output can be read: see below.
    if std::env::var_os("SIDETONE_PANIC").is_some() {
        let (mut world, a, _) = pair(1);
        world[a].send(FLOW, at(2), b"last words");
        world.run_for(SECOND).unwrap();
        panic!("as the test wants");
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "sim::tests::a_panic_prints_the_ladder"])
        .env("SIDETONE_PANIC", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("the network until 1.000000 s:") && text.contains("-last words-"), "{text}");
}

mod nat {
    use super::super::{NatConfig, NatId};
    use super::*;

    const PUBLIC: &str = "203.0.113.1";
    const SERVER: &str = "192.0.2.2:5060";

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Sends what it is told to, and remembers what came from where.
    #[derive(Default)]
    struct Station {
        out: VecDeque<Transmit>,
        requests: VecDeque<StreamRequest>,
        heard: Vec<(SocketAddr, Vec<u8>)>,
        streams: Vec<(FlowId, Option<StreamError>, Vec<u8>)>,
        accepted: Vec<SocketAddr>,
    }

    impl Station {
        fn send(&mut self, destination: SocketAddr, text: &str) {
            let payload = text.as_bytes().into();
            self.out.push_back(Transmit { flow: FlowId(0), destination, payload });
        }

        fn send_on(&mut self, flow: FlowId, text: &str) {
            let (destination, payload) = (address(SERVER), text.as_bytes().into());
            self.out.push_back(Transmit { flow, destination, payload });
        }
    }

    impl Node for Station {
        fn handle_datagram(&mut self, _: Instant, _: FlowId, source: SocketAddr, payload: &[u8]) {
            self.heard.push((source, payload.to_vec()));
        }

        fn handle_stream(&mut self, _: Instant, flow: FlowId, event: StreamEvent<'_>) {
            match event {
                StreamEvent::Up { .. } => {}
                StreamEvent::Data(bytes) => self.streams.push((flow, None, bytes.to_vec())),
                StreamEvent::Down(error) => self.streams.push((flow, Some(error), Vec::new())),
            }
        }

        fn accept_stream(&mut self, _: Instant, _: SocketAddr, remote: SocketAddr) -> Option<FlowId> {
            self.accepted.push(remote);
            Some(FlowId(100))
        }

        fn handle_timeout(&mut self, _: Instant) {}

        fn poll_transmit(&mut self) -> Option<Transmit> {
            self.out.pop_front()
        }

        fn poll_stream(&mut self) -> Option<StreamRequest> {
            self.requests.pop_front()
        }

        fn poll_timeout(&self) -> Option<Instant> {
            None
        }
    }

    struct Net {
        world: World,
        nat: NatId,
        /// Behind the translator.
        phone: NodeId<Station>,
        /// The phone's server, another one, and another port of the server's machine.
        servers: [NodeId<Station>; 3],
    }

    fn net(config: NatConfig) -> Net {
        let mut world = World::new(1);
        let nat = world.add_nat(PUBLIC.parse().unwrap(), config);
        let mut station = |name: &str, at: &str| {
            let at = address(at);
            let id = world.add(name, at.ip(), Station::default());
            world.bind(id, FlowId(0), at.port());
            id
        };
        let phone = station("phone", "192.168.1.20:5060");
        let servers = [
            station("server", SERVER),
            station("other", "198.51.100.3:5060"),
            station("port", "192.0.2.2:5070"),
        ];
        world.put_behind(phone, nat);
        Net { world, nat, phone, servers }
    }

    impl Net {
        fn pass(&mut self, seconds: u64) {
            self.world.run_for(Duration::from_secs(seconds)).unwrap();
        }

        /// The phone sends to a server, which sees it come from there.
        fn out(&mut self, to: usize) -> SocketAddr {
            let destination = ["192.0.2.2:5060", "198.51.100.3:5060", "192.0.2.2:5070"][to];
            self.world[self.phone].send(address(destination), "out");
            self.pass(1);
            self.world[self.servers[to]].heard.pop().expect("it gets out").0
        }

        /// Whether what a server sends to a public address reaches the phone.
        fn gets_in(&mut self, from: usize, to: SocketAddr) -> bool {
            self.world[self.servers[from]].send(to, "in");
            self.pass(1);
            self.world[self.phone].heard.pop().is_some()
        }
    }

    #[test]
    fn each_kind_maps_and_filters_as_it_is_called() {
        // Whether the server, another one, and another port of the server get in.
        let table = [
            (NatConfig::full_cone(), [true, true, true]),
            (NatConfig::address_restricted(), [true, false, true]),
            (NatConfig::port_restricted(), [true, false, false]),
            (NatConfig::symmetric(), [true, false, false]),
        ];
        for (config, expected) in table {
            let mut net = net(config);
            let public = net.out(0);
            assert_eq!(public, address("203.0.113.1:61001"));
            assert_eq!([0, 1, 2].map(|from| net.gets_in(from, public)), expected, "{config:?}");
            // A cone keeps its port, whoever is sent to.
            assert_eq!(net.out(1) == public, config != NatConfig::symmetric());
        }
    }

    #[test]
    fn a_binding_lives_as_long_as_something_goes_out() {
        let mut net = net(NatConfig::full_cone());
        let public = net.out(0);
        for _ in 0..10 {
            net.pass(27);
            assert_eq!(net.out(0), public);
        }
        net.pass(27);
        // What comes in does not refresh it.
        assert!(net.gets_in(0, public));
        net.pass(4);
        assert!(!net.gets_in(0, public));
        assert_ne!(net.out(0), public);
    }

    #[test]
    fn inner_addresses_are_nobody_outside_and_neighbours_inside() {
        let mut net = net(NatConfig::full_cone());
        assert!(!net.gets_in(0, address("192.168.1.20:5060")));
        let at = address("192.168.1.21:5060");
        let neighbour = net.world.add("neighbour", at.ip(), Station::default());
        net.world.bind(neighbour, FlowId(0), 5060);
        net.world.put_behind(neighbour, net.nat);
        net.world[neighbour].send(address("192.168.1.20:5060"), "hello");
        net.pass(1);
        assert_eq!(net.world[net.phone].heard.pop(), Some((at, b"hello".to_vec())));
        // And by the public address, which is that of both.
        let public = net.out(0);
        net.world[neighbour].send(public, "round");
        net.pass(1);
        let (source, _) = net.world[net.phone].heard.pop().unwrap();
        assert_eq!(source.ip(), public.ip());
    }

    #[test]
    fn a_renumbered_translator_has_new_bindings() {
        let mut net = net(NatConfig::full_cone());
        let before = net.out(0);
        net.world.renumber_nat(net.nat, "203.0.113.2".parse().unwrap());
        assert!(!net.gets_in(0, before));
        assert_eq!(net.out(0).ip().to_string(), "203.0.113.2");
        let public = net.out(0);
        net.world.reset_nat(net.nat);
        assert!(!net.gets_in(0, public));
    }

    #[test]
    fn an_idle_connection_is_forgotten_and_only_who_sends_learns_of_it() {
        let mut net = net(NatConfig::full_cone());
        net.world.listen(net.servers[0], 5060);
        let flow = FlowId(7);
        net.world[net.phone].requests.push_back(StreamRequest::Connect { flow, remote: address(SERVER) });
        net.pass(1);
        assert_eq!(net.world[net.servers[0]].accepted, [address("203.0.113.1:61001")]);
        net.pass(298);
        net.world[net.phone].send_on(flow, "first");
        net.pass(298);
        net.world[net.servers[0]].send_on(FlowId(100), "second");
        net.pass(298);
        let text = |station: &Station| -> Vec<u8> {
            station.streams.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect()
        };
        assert_eq!(text(&net.world[net.servers[0]]), b"first");
        assert_eq!(text(&net.world[net.phone]), b"second");
        net.pass(301);
        net.world[net.servers[0]].send_on(FlowId(100), "lost");
        net.pass(60);
        assert_eq!(text(&net.world[net.phone]), b"second");
        let last = net.world[net.servers[0]].streams.last().cloned();
        assert_eq!(last, Some((FlowId(100), Some(StreamError::TimedOut), Vec::new())));
        assert!(net.world[net.phone].streams.iter().all(|(_, error, _)| error.is_none()));
        // Nobody connects inwards.
        net.world.listen(net.phone, 5060);
        for remote in ["192.168.1.20:5060", "203.0.113.1:5060"].map(address) {
            net.world[net.servers[1]].requests.push_back(StreamRequest::Connect { flow, remote });
            net.pass(31);
            assert!(net.world[net.phone].accepted.is_empty());
        }
    }
}
