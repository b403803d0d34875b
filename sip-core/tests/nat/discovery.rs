//! Which address the public side sees: told, asked of STUN servers in turn, or read from what SIP servers saw.

use crate::support::address;
use core::net::SocketAddr;
use sidetone_hal::time::Duration;
use sidetone_sip_core::nat::stun::{ClientError, Message, Server};
use sidetone_sip_core::nat::{
    Detection, Discovery, DiscoveryError, DiscoveryEvent, DiscoveryInput, PublicAddress, StunServer,
};
use sidetone_sip_core::{FlowId, Instant, Rng};

const FLOW: FlowId = FlowId(4);
const LOCAL: &str = "192.168.1.20:5060";
const SERVERS: [&str; 2] = ["192.0.2.3:3478", "192.0.2.4:3479"];
const MAPPED: &str = "203.0.113.1:61001";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn two_servers(interval: u64) -> PublicAddress {
    let servers = [StunServer::new("stun.example.org"), StunServer::new("192.0.2.4").at_port(3479)];
    PublicAddress::stun(servers, seconds(interval))
}

/// A discovery in a network in which some servers answer.
struct Net {
    discovery: Discovery,
    now: Instant,
    alive: Vec<&'static str>,
    mapped: &'static str,
    /// Requests, with the milliseconds at which they were sent.
    asked: Vec<(u64, SocketAddr)>,
    events: Vec<(u64, DiscoveryEvent)>,
}

impl Net {
    fn new(config: PublicAddress, alive: &[&'static str]) -> Self {
        let discovery = Discovery::new(config, Rng::from_u64(7));
        let (asked, events) = (Vec::new(), Vec::new());
        let mut net =
            Self { discovery, now: Instant::ZERO, alive: alive.to_vec(), mapped: MAPPED, asked, events };
        net.discovery.start(net.now, FLOW, address(LOCAL));
        net.drain();
        net
    }

    fn drain(&mut self) {
        loop {
            if let Some(sent) = self.discovery.poll_transmit() {
                assert_eq!(sent.flow, FLOW);
                self.asked.push((self.now.as_millis(), sent.destination));
                if self.alive.iter().any(|alive| address(alive) == sent.destination) {
                    let request = Message::parse(&sent.payload).unwrap();
                    let answer = Server::new().answer(&request, address(self.mapped)).unwrap();
                    let (flow, source, payload) = (FLOW, sent.destination, &answer[..]);
                    let input = DiscoveryInput::Stun { flow, source, payload };
                    assert!(self.discovery.handle_input(self.now, input));
                }
            } else if let Some(event) = self.discovery.poll_event() {
                if let DiscoveryEvent::Resolve { server, host, port } = &event {
                    // The first server has an IPv6 address too, which this socket cannot reach.
                    let addresses = match host.as_str() {
                        "stun.example.org" => vec![address("[2001:db8::3]:3478"), address(SERVERS[0])],
                        "gone.example.org" => vec![],
                        figures => vec![SocketAddr::new(figures.parse().unwrap(), *port)],
                    };
                    let input = DiscoveryInput::Resolved { server: *server, addresses: &addresses };
                    assert!(self.discovery.handle_input(self.now, input));
                } else {
                    self.events.push((self.now.as_millis(), event));
                }
            } else {
                return;
            }
        }
    }

    fn pass(&mut self, duration: u64) {
        let end = self.now + seconds(duration);
        while let Some(at) = self.discovery.poll_timeout().filter(|at| *at <= end) {
            assert!(at >= self.now);
            self.now = at;
            self.discovery.handle_timeout(at);
            self.drain();
        }
        self.now = end;
    }

    fn address(&self) -> Option<SocketAddr> {
        self.discovery.address(address(LOCAL))
    }
}

fn changed(before: Option<&str>, after: &str) -> DiscoveryEvent {
    DiscoveryEvent::AddressChanged { before: before.map(address), after: address(after) }
}

#[test]
fn a_told_address_is_named_with_our_own_port() {
    let net = Net::new(PublicAddress::fixed("203.0.113.5".parse().unwrap()), &[]);
    assert_eq!(net.address(), Some(address("203.0.113.5:5060")));
    assert_eq!(net.discovery.ip(), Some("203.0.113.5".parse().unwrap()));
    assert!(net.discovery.is_settled() && !net.discovery.is_detected());
    assert_eq!(net.discovery.poll_timeout(), None);
    assert_eq!(Net::new(PublicAddress::default(), &[]).address(), None);
}

#[test]
fn a_detected_address_goes_before_a_told_one() {
    let mut config = two_servers(60);
    config.fixed = Some("203.0.113.5".parse().unwrap());
    // Nobody answers: the told one holds.
    let mut net = Net::new(config.clone(), &[]);
    net.pass(100);
    assert_eq!(net.address(), Some(address("203.0.113.5:5060")));
    let net = Net::new(config, &SERVERS);
    assert_eq!(net.address(), Some(address(MAPPED)));
}

#[test]
fn stun_is_asked_at_once_and_then_every_interval_and_only_changes_are_news() {
    let mut net = Net::new(two_servers(60), &SERVERS);
    assert!(net.discovery.is_settled());
    net.pass(185);
    net.mapped = "203.0.113.9:61002";
    net.pass(60);
    let times: Vec<_> = net.asked.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 60_000, 120_000, 180_000, 240_000]);
    assert!(net.asked.iter().all(|(_, server)| *server == address(SERVERS[0])));
    let expected = [(0, changed(None, MAPPED)), (240_000, changed(Some(MAPPED), "203.0.113.9:61002"))];
    assert_eq!(net.events, expected);
    // A further start for the same socket changes nothing.
    let at = net.discovery.poll_timeout();
    net.discovery.start(net.now, FLOW, address(LOCAL));
    assert_eq!(net.discovery.poll_timeout(), at);
}

#[test]
fn the_second_server_is_asked_when_the_first_is_silent_or_has_no_address() {
    let mut net = Net::new(two_servers(300), &SERVERS[1..]);
    assert!(!net.discovery.is_settled());
    net.pass(39);
    assert!(!net.discovery.is_settled());
    net.pass(1);
    assert_eq!(net.events, [(39_500, changed(None, MAPPED))]);
    assert_eq!(net.asked.iter().filter(|(_, server)| *server == address(SERVERS[0])).count(), 7);
    // The next attempt begins with the first again.
    net.asked.clear();
    net.pass(300);
    assert_eq!(net.asked.first(), Some(&(339_500, address(SERVERS[0]))));
    let servers = [StunServer::new("gone.example.org"), StunServer::new("192.0.2.4").at_port(3479)];
    let net = Net::new(PublicAddress::stun(servers, seconds(300)), &SERVERS);
    assert_eq!(net.events, [(0, changed(None, MAPPED))]);
}

#[test]
fn when_nobody_answers_the_last_address_stays_and_it_is_tried_again() {
    let mut net = Net::new(two_servers(60), &SERVERS);
    net.alive.clear();
    net.events.clear();
    net.pass(60 + 79);
    let failed = |error| DiscoveryEvent::Failed(error);
    assert_eq!(net.events, [(139_000, failed(DiscoveryError::Stun(ClientError::Timeout)))]);
    assert_eq!(net.address(), Some(address(MAPPED)));
    net.alive = SERVERS.to_vec();
    net.events.clear();
    net.pass(61);
    assert_eq!(net.asked.last().map(|(at, _)| *at), Some(199_000));
    assert!(net.events.is_empty());
    let nowhere = PublicAddress::stun([StunServer::new("gone.example.org")], seconds(60));
    let net = Net::new(nowhere, &[]);
    assert_eq!(net.events, [(0, failed(DiscoveryError::Unresolved))]);
    assert!(net.discovery.is_settled());
}

#[test]
fn the_interval_is_zero_or_10_to_65535_seconds() {
    // What is asked for, and when it is asked again.
    for (interval, again) in
        [(0, None), (1, Some(10)), (10, Some(10)), (65_535, Some(65_535)), (99_999, Some(65_535))]
    {
        let net = Net::new(two_servers(interval), &SERVERS);
        assert_eq!(net.discovery.poll_timeout(), again.map(|again| Instant::ZERO + seconds(again)));
        assert_eq!(net.asked.len(), usize::from(interval > 0));
        assert_eq!(two_servers(interval).is_off(), interval == 0);
        let net = Net::new(PublicAddress::sip(seconds(interval)), &[]);
        assert_eq!(net.discovery.poll_timeout(), again.map(|again| Instant::ZERO + seconds(again)));
    }
    let mut config = PublicAddress::default();
    config.detection = Detection::Stun { servers: vec![], interval: seconds(60) };
    assert!(config.is_off());
    assert!(Net::new(config, &[]).discovery.is_settled());
}

#[test]
fn by_sip_the_address_is_what_servers_saw_and_they_are_asked_every_interval() {
    let mut net = Net::new(PublicAddress::sip(seconds(60)), &[]);
    assert!(net.discovery.is_settled());
    let seen = |net: &mut Net, text| {
        net.discovery.handle_input(net.now, DiscoveryInput::Seen { address: address(text) })
    };
    assert!(seen(&mut net, MAPPED));
    net.drain();
    net.pass(60);
    seen(&mut net, MAPPED);
    net.pass(60);
    seen(&mut net, "203.0.113.9:61002");
    net.drain();
    let expected = [
        (0, changed(None, MAPPED)),
        (60_000, DiscoveryEvent::Probe),
        (120_000, DiscoveryEvent::Probe),
        (120_000, changed(Some(MAPPED), "203.0.113.9:61002")),
    ];
    assert_eq!(net.events, expected);
    assert!(net.asked.is_empty());
    // What servers see counts for this method only.
    let mut net = Net::new(PublicAddress::sip(Duration::ZERO), &[]);
    seen(&mut net, MAPPED);
    assert_eq!(net.address(), None);
    let mut net = Net::new(two_servers(60), &[]);
    assert!(!seen(&mut net, MAPPED));
    assert_eq!(net.address(), None);
}

#[test]
fn stopping_forgets_what_is_under_way_but_not_what_is_known() {
    let mut net = Net::new(two_servers(60), &SERVERS);
    net.discovery.stop();
    assert_eq!((net.discovery.poll_timeout(), net.address()), (None, Some(address(MAPPED))));
    // An answer to a question that was given up is none.
    let mut net = Net::new(two_servers(60), &[]);
    net.discovery.stop();
    let addresses = [address(SERVERS[0])];
    assert!(
        !net.discovery.handle_input(net.now, DiscoveryInput::Resolved { server: 0, addresses: &addresses })
    );
    assert_eq!(net.discovery.poll_timeout(), None);
    net.discovery.start(net.now, FlowId(9), address(LOCAL));
    assert!(matches!(net.discovery.poll_event(), Some(DiscoveryEvent::Resolve { server: 0, .. })));
}
