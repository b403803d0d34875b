//! A telephone behind translators of every kind, in virtual time: with keep-alives it stays reachable, without it is
//! lost; and it finds out when its address changes.

use crate::support::{address, request};
use sidetone_hal::sim::{LinkConfig, NatConfig, NatId, NodeId, World};
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::Via;
use sidetone_sip_core::nat::{
    DatagramPayload, FlowFailure, KeepAlive, KeepAliveEvent, KeepAliveInput, KeepAliveKind, KeepAliveMachine,
    KeepAliveTerms,
};
use sidetone_sip_core::sim::{Machine, SipNode};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowId, Input, Instant, Method, Protocol, Response, Rng, Source,
    StatusCode, Target, TransactionId, ViaOptions,
};
use std::collections::BTreeMap;

const PHONE: &str = "192.168.1.20:5060";
const REGISTRAR: &str = "198.51.100.5:5060";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn endpoint(seed: u8) -> Endpoint {
    let mut config = EndpointConfig::new([seed; 32]);
    // What ends a connection here is the translator.
    config.idle = seconds(100_000);
    config.stun_server = true;
    config.keep = Some(25);
    Endpoint::new(config)
}

/// Registers, keeps the flow alive, registers anew when it has to, and answers what comes.
struct Phone {
    endpoint: Endpoint,
    machine: KeepAliveMachine,
    protocol: Protocol,
    offers_keep: bool,
    sent: u32,
    /// Requests of ours, and whether they are keep-alives.
    open: BTreeMap<TransactionId, bool>,
    /// How often somebody got through to us.
    reached: u32,
    registered: u32,
    failures: Vec<FlowFailure>,
    changes: u32,
}

impl Phone {
    fn new(keep_alive: KeepAlive, protocol: Protocol) -> Self {
        Self {
            endpoint: endpoint(1),
            offers_keep: keep_alive.offers_keep(),
            machine: KeepAliveMachine::new(keep_alive, Rng::from_u64(3)),
            protocol,
            sent: 0,
            open: BTreeMap::new(),
            reached: 0,
            registered: 0,
            failures: Vec::new(),
            changes: 0,
        }
    }

    fn send(&mut self, now: Instant, method: &Method, flow: Option<FlowId>, keep_alive: bool) {
        self.sent += 1;
        let request = request(method, &format!("{}@phone", self.sent));
        let mut target = Target::new(self.protocol, address(REGISTRAR));
        target.flow = flow;
        let mut options = ViaOptions::default();
        options.keep = self.offers_keep;
        let id = self.endpoint.request_with(now, request, &target, &options).unwrap();
        self.open.insert(id, keep_alive);
    }

    fn register(&mut self, now: Instant) {
        self.send(now, &Method::REGISTER, None, false);
    }

    fn outcome(&mut self, now: Instant, id: TransactionId, outcome: Option<(&Response, Source)>) {
        match (self.open.remove(&id), outcome) {
            (Some(true), outcome) => {
                let status = outcome.map(|(response, _)| response.status);
                self.machine.handle_input(now, KeepAliveInput::Options(status));
            }
            (Some(false), Some((response, source))) if response.status.is_success() => {
                self.registered += 1;
                let via: Via = response.headers.require().unwrap();
                let keep = via.params.raw("keep").flatten().and_then(|seconds| seconds.parse().ok());
                let terms = KeepAliveTerms { flow_timer: None, keep };
                self.machine.start(now, source.flow, source.protocol, source.remote, terms);
            }
            _ => {}
        }
    }

    fn pump(&mut self, now: Instant) {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                match event {
                    Event::Request { transaction, request, .. } => {
                        self.reached += 1;
                        let response = request.response(StatusCode::OK, Some("phone"));
                        self.endpoint.respond(now, transaction, response).unwrap();
                    }
                    Event::Response { transaction, response, source } if response.status.is_final() => {
                        self.outcome(now, transaction, Some((&response, source)));
                    }
                    Event::Failed { transaction, .. } => self.outcome(now, transaction, None),
                    Event::KeepAlivePong { flow } => {
                        self.machine.handle_input(now, KeepAliveInput::Pong { flow });
                    }
                    Event::Stun { flow, source, payload } => {
                        let input = KeepAliveInput::Stun { flow, source, payload: &payload };
                        self.machine.handle_input(now, input);
                    }
                    _ => {}
                }
            } else if let Some(transmit) = self.machine.poll_transmit() {
                // A connection that is gone is reported by itself.
                let _ = self.endpoint.send_bytes(now, transmit);
            } else if let Some(event) = self.machine.poll_event() {
                match event {
                    KeepAliveEvent::SendOptions { flow, .. } => {
                        self.send(now, &Method::OPTIONS, Some(flow), true);
                    }
                    KeepAliveEvent::FlowFailed { flow, cause } => {
                        self.failures.push(cause);
                        self.endpoint.close(now, flow);
                        self.register(now);
                    }
                    KeepAliveEvent::AddressChanged { .. } => {
                        self.changes += 1;
                        self.register(now);
                    }
                    other => panic!("{other:?}"),
                }
            } else {
                return;
            }
        }
    }
}

impl Machine for Phone {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    fn handle_input(&mut self, now: Instant, input: Input) {
        self.endpoint.handle_input(now, input);
        self.pump(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.machine.handle_timeout(now);
        self.pump(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let endpoint = self.endpoint.poll_timeout().map(|(at, _)| at);
        [endpoint, self.machine.poll_timeout()].into_iter().flatten().min()
    }
}

/// Remembers where the last REGISTER came from, and calls there.
struct Registrar {
    endpoint: Endpoint,
    binding: Option<Source>,
    calls: u32,
}

impl Registrar {
    fn call(&mut self, now: Instant) {
        self.calls += 1;
        let request = request(&Method::OPTIONS, &format!("{}@registrar", self.calls));
        let target = self.binding.expect("the telephone is registered").target();
        // Without its connection the registrar cannot even try.
        let _ = self.endpoint.request(now, request, &target);
    }
}

impl Machine for Registrar {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    fn handle_input(&mut self, now: Instant, input: Input) {
        self.endpoint.handle_input(now, input);
        while let Some(event) = self.endpoint.poll_event() {
            if let Event::Request { transaction, request, source } = event {
                if request.method == Method::REGISTER {
                    self.binding = Some(source);
                }
                let response = request.response(StatusCode::OK, Some("registrar"));
                self.endpoint.respond(now, transaction, response).unwrap();
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        while self.endpoint.poll_event().is_some() {}
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout().map(|(at, _)| at)
    }
}

struct Net {
    world: World,
    nat: NatId,
    phone: NodeId<SipNode<Phone>>,
    registrar: NodeId<SipNode<Registrar>>,
}

impl Net {
    /// The telephone is registered from behind the translator.
    fn new(nat: NatConfig, keep_alive: KeepAlive, protocol: Protocol) -> Self {
        let mut world = World::new(5);
        let nat = world.add_nat("203.0.113.1".parse().unwrap(), nat);
        let phone = world.add("phone", address(PHONE).ip(), SipNode(Phone::new(keep_alive, protocol)));
        let registrar = Registrar { endpoint: endpoint(2), binding: None, calls: 0 };
        let registrar = world.add("registrar", address(REGISTRAR).ip(), SipNode(registrar));
        world.put_behind(phone, nat);
        if protocol == Protocol::Udp {
            let flow = world[phone].endpoint.bind(protocol, address(PHONE));
            world.bind(phone, flow, 5060);
            let flow = world[registrar].endpoint.bind(protocol, address(REGISTRAR));
            world.bind(registrar, flow, 5060);
        } else {
            world[phone].endpoint.listen(protocol, address(PHONE));
            world[registrar].endpoint.listen(protocol, address(REGISTRAR));
            world.listen(registrar, 5060);
        }
        world[phone].register(Instant::ZERO);
        let mut net = Self { world, nat, phone, registrar };
        net.pass(seconds(1));
        assert_eq!(net.phone().registered, 1);
        assert_eq!(net.world[net.registrar].binding.unwrap().remote.ip().to_string(), "203.0.113.1");
        net
    }

    fn pass(&mut self, duration: Duration) {
        self.world.run_for(duration).unwrap();
    }

    fn phone(&mut self) -> &mut Phone {
        &mut self.world[self.phone].0
    }

    /// Whether a call gets through.
    fn reaches(&mut self) -> bool {
        let before = self.phone().reached;
        let now = self.world.now();
        self.world[self.registrar].call(now);
        self.pass(seconds(3));
        self.phone().reached > before
    }
}

fn nats() -> [NatConfig; 4] {
    [
        NatConfig::full_cone(),
        NatConfig::address_restricted(),
        NatConfig::port_restricted(),
        NatConfig::symmetric(),
    ]
}

/// Every way to keep a UDP binding that a translator forgets after 30 s.
fn over_udp() -> Vec<KeepAlive> {
    let datagram = |payload| KeepAlive::of(KeepAliveKind::Datagram(payload)).every(seconds(25));
    vec![
        KeepAlive::of(KeepAliveKind::Outbound),
        KeepAlive::of(KeepAliveKind::Negotiated),
        KeepAlive::of(KeepAliveKind::Options).every(seconds(25)),
        datagram(DatagramPayload::Crlf),
        datagram(DatagramPayload::Empty),
        datagram(DatagramPayload::Zeroes),
    ]
}

#[test]
fn over_udp_a_phone_with_keep_alives_stays_reachable_for_an_hour() {
    for nat in nats() {
        for keep_alive in over_udp() {
            let mut net = Net::new(nat, keep_alive.clone(), Protocol::Udp);
            for minute in 0..60 {
                net.pass(seconds(60));
                assert!(net.reaches(), "{nat:?} {:?} after {minute} minutes", keep_alive.kind);
            }
            let phone = net.phone();
            assert_eq!((phone.registered, phone.failures.len()), (1, 0), "{:?}", keep_alive.kind);
        }
    }
}

#[test]
fn over_udp_a_phone_without_keep_alives_is_lost_when_the_binding_is() {
    for nat in nats() {
        let mut net = Net::new(nat, KeepAlive::off(), Protocol::Udp);
        net.pass(seconds(20));
        // Its answer to this is the last that keeps the binding.
        assert!(net.reaches());
        net.pass(seconds(31));
        assert!(!net.reaches(), "{nat:?}");
        // Keep-alives that come too late are no help either.
        let rare = KeepAlive::of(KeepAliveKind::Datagram(DatagramPayload::Crlf)).every(seconds(300));
        let mut net = Net::new(nat, rare, Protocol::Udp);
        net.pass(seconds(40));
        assert!(!net.reaches(), "{nat:?}");
    }
}

#[test]
fn over_tcp_double_crlf_keeps_the_connection_and_without_it_is_lost_unnoticed() {
    let nat = NatConfig::port_restricted().with_tcp_timeout(seconds(300));
    for kind in [KeepAliveKind::Outbound, KeepAliveKind::Negotiated, KeepAliveKind::Options] {
        let mut net = Net::new(nat, KeepAlive::of(kind), Protocol::Tcp);
        for _ in 0..6 {
            net.pass(seconds(600));
            assert!(net.reaches(), "{kind:?}");
        }
        assert_eq!((net.phone().registered, net.phone().failures.len()), (1, 0), "{kind:?}");
    }
    let mut net = Net::new(nat, KeepAlive::off(), Protocol::Tcp);
    net.pass(seconds(290));
    assert!(net.reaches());
    net.pass(seconds(310));
    assert!(!net.reaches());
    // The telephone does not even know.
    assert_eq!(net.phone().endpoint.flow_count(), 1);
}

#[test]
fn a_new_public_address_is_noticed_by_stun_and_the_phone_registers_anew() {
    for nat in nats() {
        let mut net = Net::new(nat, KeepAlive::of(KeepAliveKind::Outbound), Protocol::Udp);
        net.pass(seconds(100));
        let (id, public) = (net.nat, "203.0.113.77".parse().unwrap());
        net.world.renumber_nat(id, public);
        assert!(!net.reaches(), "{nat:?}");
        // The next keep-alive is due within 29 s.
        net.pass(seconds(30));
        assert_eq!((net.phone().changes, net.phone().registered), (1, 2), "{nat:?}");
        assert_eq!(net.world[net.registrar].binding.unwrap().remote.ip(), public);
        assert!(net.reaches(), "{nat:?}");
        // Datagrams that nobody answers do not notice.
        let silent = KeepAlive::of(KeepAliveKind::Datagram(DatagramPayload::Crlf)).every(seconds(25));
        let mut net = Net::new(nat, silent, Protocol::Udp);
        let id = net.nat;
        net.world.renumber_nat(id, public);
        net.pass(seconds(300));
        assert!(!net.reaches(), "{nat:?}");
    }
}

#[test]
fn a_connection_that_the_translator_forgot_is_noticed_by_the_missing_pong() {
    let mut net = Net::new(NatConfig::full_cone(), KeepAlive::of(KeepAliveKind::Outbound), Protocol::Tcp);
    net.pass(seconds(200));
    let (id, public) = (net.nat, "203.0.113.77".parse().unwrap());
    net.world.renumber_nat(id, public);
    assert!(!net.reaches());
    // 120 s until the next double CRLF at most, 10 s for its answer.
    net.pass(seconds(131));
    assert_eq!(net.phone().failures, [FlowFailure::Pong]);
    assert_eq!(net.phone().registered, 2);
    assert!(net.reaches());
}

#[test]
fn a_registrar_that_is_gone_is_noticed_by_each_kind_that_asks() {
    let table = [
        (KeepAliveKind::Outbound, Protocol::Udp, FlowFailure::Stun, 29 + 40),
        (KeepAliveKind::Outbound, Protocol::Tcp, FlowFailure::Pong, 120 + 10),
        (KeepAliveKind::Options, Protocol::Udp, FlowFailure::Options, 30 + 33),
        (KeepAliveKind::Options, Protocol::Tcp, FlowFailure::Options, 30 + 52),
    ];
    for (kind, protocol, failure, within) in table {
        let mut net = Net::new(NatConfig::full_cone(), KeepAlive::of(kind), protocol);
        net.pass(seconds(200));
        assert!(net.phone().failures.is_empty());
        let (phone, registrar) = (net.phone, net.registrar);
        net.world.set_links(phone, registrar, LinkConfig { loss: 1.0, ..LinkConfig::default() });
        net.pass(seconds(within));
        assert_eq!(net.phone().failures, [failure], "{kind:?} over {protocol}");
        // It comes back. What was tried meanwhile has failed after a minute, so the telephone registers anew.
        net.world.set_links(phone, registrar, LinkConfig::default());
        net.pass(seconds(60));
        let now = net.world.now();
        net.phone().register(now);
        net.pass(seconds(5));
        assert!(net.reaches(), "{kind:?} over {protocol}");
    }
}
