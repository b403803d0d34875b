//! Server location (RFC 3263) by scripted answers, in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use sidetone_hal::net::{Ipv4Addr, Ipv6Addr};
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::Via;
use sidetone_sip_core::locate::{
    AddressOrder, Answer, CacheMode, LocateError, LocateEvent, LocateOptions, LocateRequest, Locator,
    LocatorConfig, Naptr, Query, QueryKind, Record, RecordData, Srv, SrvOrder, SrvWithoutNaptr, StaticOrder,
    StaticRecords,
};
use sidetone_sip_core::{Instant, Protocol, Rng, Target};

const HOUR: Duration = Duration::from_secs(3600);

/// A locator and the DNS that it asks.
struct World {
    locator: Locator,
    now: Instant,
    zone: Vec<Record>,
    /// Names that exist without a record of the type asked for give NoData; these give no answer at all.
    dead: Vec<&'static str>,
    options: LocateOptions,
    /// What was asked, as `SRV _sip._udp.example.com`.
    asked: Vec<String>,
    /// Whether answers bring the addresses of SRV targets along.
    additional: bool,
}

impl World {
    fn new(zone: &[&str]) -> Self {
        Self::with(zone, LocateOptions::default())
    }

    fn with(zone: &[&str], options: LocateOptions) -> Self {
        Self {
            locator: Locator::new(LocatorConfig::default(), Rng::from_u64(7)),
            now: Instant::from_millis(1000),
            zone: zone.iter().map(|line| record(line)).collect(),
            dead: Vec::new(),
            options,
            asked: Vec::new(),
            additional: false,
        }
    }

    fn advance(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// The answer of the zone.
    fn answer(&self, query: &Query) -> Answer {
        if self.dead.iter().any(|dead| *dead == &*query.name) {
            return Answer::Failed;
        }
        let named: Vec<&Record> = self.zone.iter().filter(|record| *record.name == *query.name).collect();
        let records: Vec<Record> =
            named.iter().filter(|record| record.data.kind() == query.kind).copied().cloned().collect();
        if !records.is_empty() {
            let about = |record: &&Record| match &record.data {
                RecordData::A(_) | RecordData::Aaaa(_) => self.additional && query.kind == QueryKind::Srv,
                _ => false,
            };
            let additional = self.zone.iter().filter(about).cloned().collect();
            return Answer::Records { records, additional };
        }
        let ttl = Some(Duration::from_secs(60));
        if named.is_empty() { Answer::NameError { ttl } } else { Answer::NoData { ttl } }
    }

    fn locate(&mut self, uri: &str) -> Result<Vec<String>, LocateError> {
        let request = LocateRequest::uri(&uri.parse().unwrap())?;
        self.run(request)
    }

    fn run(&mut self, request: LocateRequest) -> Result<Vec<String>, LocateError> {
        let targets = self.targets(request.with_options(self.options.clone()))?;
        Ok(targets.iter().map(|target| format!("{} {}", target.protocol, target.address)).collect())
    }

    fn targets(&mut self, request: LocateRequest) -> Result<Vec<Target>, LocateError> {
        let id = self.locator.locate(self.now, request).unwrap();
        self.asked.clear();
        while let Some(query) = self.locator.poll_query() {
            self.asked.push(format!("{} {}", query.kind, query.name));
            let answer = self.answer(&query);
            self.locator.handle_answer(self.now, query.id, answer);
        }
        let event = self.locator.poll_event().expect("each look-up ends");
        assert!(self.locator.is_idle() && self.locator.poll_timeout().is_none());
        match event {
            LocateEvent::Located { id: of, targets } => {
                assert_eq!(of, id);
                assert!(!targets.is_empty());
                Ok(targets)
            }
            LocateEvent::Failed { id: of, reason } => {
                assert_eq!(of, id);
                Err(reason)
            }
            other => panic!("{other:?}"),
        }
    }

    fn asked(&self) -> Vec<&str> {
        self.asked.iter().map(String::as_str).collect()
    }
}

/// A line of a zone file without class: `name ttl type data`, strings without quotes, `-` for an empty one.
fn record(line: &str) -> Record {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let text = |index: usize| fields[index].trim_matches('-').to_owned();
    let number = |index: usize| fields[index].parse::<u16>().unwrap();
    let name = |index: usize| if fields[index] == "." { ".".to_owned() } else { text(index) };
    let data = match fields[2] {
        "NAPTR" => RecordData::Naptr(Naptr {
            order: number(3),
            preference: number(4),
            flags: text(5),
            service: text(6),
            regexp: text(7),
            replacement: name(8),
        }),
        "SRV" => {
            RecordData::Srv(Srv { priority: number(3), weight: number(4), port: number(5), target: name(6) })
        }
        "A" => RecordData::A(fields[3].parse().unwrap()),
        "AAAA" => RecordData::Aaaa(fields[3].parse().unwrap()),
        other => panic!("{other}"),
    };
    Record::new(fields[0], Duration::from_secs(fields[1].parse().unwrap()), data)
}

fn fixed(lines: &[&str]) -> StaticRecords {
    let mut records = StaticRecords::new();
    lines.iter().for_each(|line| records.push(record(line)).unwrap());
    records
}

/// The example of Yealink's manual (YLB-011 to YLB-013).
const YEALINK: [&str; 6] = [
    "yealink.pbx.com 300 NAPTR 90 50 s SIP+D2T - _sip._tcp.yealink.pbx.com",
    "yealink.pbx.com 300 NAPTR 100 50 s SIP+D2U - _sip._udp.yealink.pbx.com",
    "_sip._tcp.yealink.pbx.com 300 SRV 0 1 5060 server1.yealink.pbx.com",
    "_sip._tcp.yealink.pbx.com 300 SRV 0 2 5060 server2.yealink.pbx.com",
    "server1.yealink.pbx.com 300 A 192.168.1.13",
    "server2.yealink.pbx.com 300 A 192.168.1.14",
];

// ---- RFC 3263 §4.1, §4.2: what is asked, and when nothing is

#[test]
fn numbers_need_no_question() {
    let mut world = World::new(&[]);
    for (uri, target) in [
        ("sip:192.0.2.1", "UDP 192.0.2.1:5060"),
        ("sip:192.0.2.1:5070", "UDP 192.0.2.1:5070"),
        ("sip:192.0.2.1;transport=tcp", "TCP 192.0.2.1:5060"),
        ("sip:192.0.2.1;transport=tls", "TLS 192.0.2.1:5061"),
        ("sips:192.0.2.1", "TLS 192.0.2.1:5061"),
        ("sips:192.0.2.1:5070;transport=tcp", "TLS 192.0.2.1:5070"),
        ("sip:[2001:db8::1]", "UDP [2001:db8::1]:5060"),
        ("sip:192.0.2.1;transport=ws", "WS 192.0.2.1:80"),
        ("sips:192.0.2.1;transport=ws", "WSS 192.0.2.1:443"),
        ("sip:example.com;maddr=192.0.2.9", "UDP 192.0.2.9:5060"),
        ("sip:192.0.2.1:0", "UDP 192.0.2.1:5060"),
    ] {
        assert_eq!(world.locate(uri), Ok(vec![target.to_owned()]), "{uri}");
        assert!(world.asked.is_empty(), "{uri}: {:?}", world.asked);
    }
    assert_eq!(world.locator.counters().queries, 0);
}

#[test]
fn what_cannot_be_located_says_why() {
    let mut world = World::new(&["v6.example 60 AAAA 2001:db8::1"]);
    for (uri, reason) in [
        ("tel:+15551234", LocateError::Scheme),
        ("sip:example.com;transport=sctp", LocateError::Transport),
        ("sip:example.com;transport", LocateError::Transport),
        ("sips:example.com;transport=udp", LocateError::Transport),
        ("sip:a..example", LocateError::Name),
        ("sip:nobody.example:5060", LocateError::NoAddress),
        ("sip:nobody.example", LocateError::NoAddress),
    ] {
        assert_eq!(world.locate(uri), Err(reason), "{uri}");
    }
    world.options.address_order = AddressOrder::Ipv4Only;
    assert_eq!(world.locate("sip:v6.example:5060"), Err(LocateError::NoAddress));
    world.dead = vec!["dead.example"];
    assert_eq!(world.locate("sip:dead.example:5060"), Err(LocateError::Dns));
}

#[test]
fn an_explicit_port_asks_for_addresses_only() {
    let mut world = World::new(&["example.com 60 A 192.0.2.1", "example.com 60 AAAA 2001:db8::1"]);
    let found = world.locate("sip:Example.COM:5070").unwrap();
    assert_eq!(found, ["UDP 192.0.2.1:5070", "UDP [2001:db8::1]:5070"]);
    assert_eq!(world.asked(), ["A example.com", "AAAA example.com"]);
    // The same with the transport that is written, and for `sips`. The addresses are known now.
    assert_eq!(world.locate("sip:example.com:5070;transport=tcp").unwrap()[0], "TCP 192.0.2.1:5070");
    assert_eq!(world.locate("sips:example.com:5070").unwrap()[0], "TLS 192.0.2.1:5070");
    assert!(world.asked.is_empty());
}

#[test]
fn an_explicit_transport_asks_for_its_srv_records_then_for_addresses() {
    let mut world = World::new(&[
        "example.com 60 A 192.0.2.1",
        "_sip._tcp.example.com 60 SRV 0 0 5080 a.example.com",
        "_sips._tcp.example.com 60 SRV 0 0 5081 a.example.com",
        "a.example.com 60 A 192.0.2.2",
    ]);
    world.options.address_order = AddressOrder::Ipv4Only;
    assert_eq!(world.locate("sip:example.com;transport=tcp").unwrap(), ["TCP 192.0.2.2:5080"]);
    assert_eq!(world.asked(), ["SRV _sip._tcp.example.com", "A a.example.com"]);
    assert_eq!(world.locate("sips:example.com;transport=tcp").unwrap(), ["TLS 192.0.2.2:5081"]);
    assert_eq!(world.asked(), ["SRV _sips._tcp.example.com"]);
    assert_eq!(world.locate("sip:example.com;transport=udp").unwrap(), ["UDP 192.0.2.1:5060"]);
    assert_eq!(world.asked(), ["SRV _sip._udp.example.com", "A example.com"]);
    assert_eq!(world.locate("sip:example.com;transport=ws").unwrap(), ["WS 192.0.2.1:80"]);
    assert_eq!(world.asked(), ["SRV _sip._ws.example.com"]);
    // maddr is what is looked up; the domain that a certificate must name is the URI's.
    let uri = "sip:other.example;maddr=example.com;transport=tls".parse().unwrap();
    let targets = world.targets(LocateRequest::uri(&uri).unwrap()).unwrap();
    assert_eq!(targets[0].domain.as_deref(), Some("other.example"));
}

#[test]
fn naptr_chooses_the_transport() {
    // The example of RFC 3263 §4.1: TLS is wanted most.
    let mut world = World::new(&[
        "example.com 60 NAPTR 50 50 s SIPS+D2T - _sips._tcp.example.com",
        "example.com 60 NAPTR 90 50 s SIP+D2T - _sip._tcp.example.com",
        "example.com 60 NAPTR 100 50 s SIP+D2U - _sip._udp.example.com",
        "_sips._tcp.example.com 60 SRV 0 1 5061 server1.example.com",
        "_sip._tcp.example.com 60 SRV 0 1 5060 server1.example.com",
        "_sip._udp.example.com 60 SRV 0 1 5060 server2.example.com",
        "server1.example.com 60 A 192.0.2.1",
        "server2.example.com 60 A 192.0.2.2",
    ]);
    world.options.address_order = AddressOrder::Ipv4Only;
    let uri = "sip:user@example.com".parse().unwrap();
    let request = LocateRequest::uri(&uri).unwrap().with_options(world.options.clone());
    let targets = world.targets(request).unwrap();
    assert_eq!(
        targets,
        [Target::new(Protocol::Tls, "192.0.2.1:5061".parse().unwrap()).with_domain("example.com")]
    );
    assert_eq!(world.asked(), ["NAPTR example.com", "SRV _sips._tcp.example.com", "A server1.example.com"]);
    // A client without TLS takes the next order, one without TCP the last.
    world.options.transports = vec![Protocol::Udp, Protocol::Tcp];
    assert_eq!(world.locate("sip:example.com").unwrap(), ["TCP 192.0.2.1:5060"]);
    world.options.transports = vec![Protocol::Udp];
    assert_eq!(world.locate("sip:example.com").unwrap(), ["UDP 192.0.2.2:5060"]);
    // For `sips` no service but a secure one counts.
    world.options.transports = vec![Protocol::Udp, Protocol::Tcp, Protocol::Tls];
    assert_eq!(world.locate("sips:example.com").unwrap(), ["TLS 192.0.2.1:5061"]);
}

#[test]
fn naptr_records_that_are_of_no_use_are_passed_over() {
    let mut world = World::new(&[
        "example.com 60 NAPTR 1 1 s SIP+D2S - _sip._sctp.example.com",
        "example.com 60 NAPTR 2 1 u E2U+sip !^.*$!sip:info@example.com! .",
        "example.com 60 NAPTR 3 1 p SIP+D2U - _sip._udp.wrong.example",
        "example.com 60 NAPTR 4 1 s SIP+D2U !x!y! _sip._udp.wrong.example",
        "example.com 60 NAPTR 5 1 s SIP+D2X - _sip._udp.wrong.example",
        "example.com 60 NAPTR 6 2 s sip+d2u - a.example",
        "example.com 60 NAPTR 6 1 S SIP+D2T - b.example",
        "example.com 60 NAPTR 7 1 s SIP+D2U - c.example",
        "a.example 60 SRV 0 0 5001 192.0.2.1",
        "b.example 60 SRV 0 0 5002 192.0.2.2",
        "c.example 60 SRV 0 0 5003 192.0.2.3",
    ]);
    // Only the lowest order with something usable counts; within it preference decides and the other follows.
    assert_eq!(world.locate("sip:example.com").unwrap(), ["TCP 192.0.2.2:5002", "UDP 192.0.2.1:5001"]);
    assert_eq!(world.asked(), ["NAPTR example.com", "SRV b.example", "SRV a.example"]);
}

#[test]
fn naptr_with_no_flag_goes_on_and_with_a_asks_for_addresses() {
    let mut world = World::new(&[
        "example.com 60 NAPTR 1 1 - - - sip.example.net",
        "sip.example.net 60 NAPTR 1 1 a SIP+D2T - host.example.net",
        "host.example.net 60 A 192.0.2.1",
        "loop.example 60 NAPTR 1 1 - - - loop.example",
        "loop.example 60 A 192.0.2.2",
    ]);
    assert_eq!(world.locate("sip:example.com").unwrap(), ["TCP 192.0.2.1:5060"]);
    assert_eq!(world.asked()[..2], ["NAPTR example.com", "NAPTR sip.example.net"]);
    // A loop ends, and the name's own address is left.
    assert_eq!(world.locate("sip:loop.example").unwrap(), ["UDP 192.0.2.2:5060"]);
}

#[test]
fn websocket_services_are_read_and_used_when_they_can_be() {
    let zone = [
        "example.com 60 NAPTR 1 1 s SIPS+D2W - _sips._ws.example.com",
        "example.com 60 NAPTR 2 1 s SIP+D2W - _sip._ws.example.com",
        "_sips._ws.example.com 60 SRV 0 0 443 192.0.2.1",
        "_sip._ws.example.com 60 SRV 0 0 80 192.0.2.1",
        "example.com 60 A 192.0.2.7",
    ];
    let mut world = World::new(&zone);
    assert_eq!(world.locate("sip:example.com").unwrap(), ["UDP 192.0.2.7:5060"], "not among the transports");
    world.options.transports = vec![Protocol::Ws, Protocol::Wss];
    assert_eq!(world.locate("sip:example.com").unwrap(), ["WSS 192.0.2.1:443"]);
    world.options.transports = vec![Protocol::Ws];
    assert_eq!(world.locate("sip:example.com").unwrap(), ["WS 192.0.2.1:80"]);
}

#[test]
fn without_naptr_records_srv_records_of_each_transport_are_asked_for() {
    let zone = [
        "_sip._tcp.example.com 60 SRV 0 0 5060 192.0.2.1",
        "_sips._tcp.example.com 60 SRV 0 0 5061 192.0.2.2",
        "example.com 60 A 192.0.2.3",
    ];
    let mut world = World::new(&zone);
    assert_eq!(world.locate("sip:example.com").unwrap(), ["TCP 192.0.2.1:5060"]);
    assert_eq!(
        world.asked(),
        ["NAPTR example.com", "SRV _sip._udp.example.com", "SRV _sip._tcp.example.com"]
    );
    assert_eq!(world.locate("sips:example.com").unwrap(), ["TLS 192.0.2.2:5061"]);
    // naptr_build = 1 asks for TLS too, 0 for UDP only (YLB-014).
    world.options.srv_without_naptr = SrvWithoutNaptr::Every;
    assert_eq!(world.locate("sip:example.com").unwrap(), ["TCP 192.0.2.1:5060", "TLS 192.0.2.2:5061"]);
    world.options.srv_without_naptr = SrvWithoutNaptr::Udp;
    assert_eq!(world.locate("sip:example.com").unwrap(), ["UDP 192.0.2.3:5060"]);
    // NAPTR off: no such question.
    let mut world = World::with(&zone, LocateOptions::panasonic());
    world.locate("sip:example.com").unwrap();
    assert_eq!(world.asked(), ["SRV _sip._udp.example.com", "SRV _sip._tcp.example.com"]);
    // SRV off (PAB-036): the address only.
    world.options.srv = false;
    assert_eq!(world.locate("sip:example.com").unwrap(), ["UDP 192.0.2.3:5060"]);
    assert_eq!(world.asked(), ["A example.com"]);
}

#[test]
fn naptr_records_that_lead_nowhere_still_tell_the_transport() {
    let mut world = World::new(&[
        "example.com 60 NAPTR 1 1 s SIP+D2T - _sip._tcp.example.com",
        "example.com 60 A 192.0.2.1",
    ]);
    assert_eq!(world.locate("sip:example.com").unwrap(), ["TCP 192.0.2.1:5060"]);
}

#[test]
fn a_target_that_is_a_dot_is_no_service() {
    let mut world = World::new(&[
        "_sip._udp.example.com 60 SRV 0 0 0 .",
        "example.com 60 A 192.0.2.1",
        "_sip._udp.tcp.example 60 SRV 0 0 0 .",
        "_sip._tcp.tcp.example 60 SRV 0 0 5060 192.0.2.2",
        "_sip._tcp.other.example 60 SRV 0 0 0 .",
        "other.example 60 A 192.0.2.3",
    ]);
    assert_eq!(world.locate("sip:example.com;transport=udp"), Err(LocateError::NotAvailable));
    assert_eq!(world.locate("sip:example.com"), Err(LocateError::NotAvailable));
    // Another transport may be there.
    assert_eq!(world.locate("sip:tcp.example").unwrap(), ["TCP 192.0.2.2:5060"]);
    // TCP is refused; the address is for UDP.
    assert_eq!(world.locate("sip:other.example").unwrap(), ["UDP 192.0.2.3:5060"]);
}

#[test]
fn srv_records_without_an_address_are_no_reason_to_ask_for_the_domain() {
    let mut world =
        World::new(&["_sip._udp.example.com 60 SRV 0 0 5060 gone.example.com", "example.com 60 A 192.0.2.1"]);
    assert_eq!(world.locate("sip:example.com;transport=udp"), Err(LocateError::NoAddress));
}

#[test]
fn the_prefixes_are_what_the_administrator_says() {
    let mut world = World::with(
        &["_voip._udp.example.com 60 SRV 0 0 5070 192.0.2.1", "example.com 60 A 192.0.2.2"],
        LocateOptions::panasonic(),
    );
    assert_eq!(world.options.prefixes.udp, "_sip._udp.");
    assert_eq!(world.options.prefixes.tcp, "_sip._tcp.");
    world.options.prefixes.udp = "_voip._udp.".into();
    assert_eq!(world.locate("sip:example.com").unwrap(), ["UDP 192.0.2.1:5070"]);
    assert_eq!(world.asked(), ["SRV _voip._udp.example.com", "SRV _sip._tcp.example.com"]);
}

#[test]
fn addresses_come_in_the_order_that_is_wanted() {
    let zone =
        ["example.com 60 A 192.0.2.1", "example.com 60 A 192.0.2.2", "example.com 60 AAAA 2001:db8::1"];
    for (order, targets, asked) in [
        (
            AddressOrder::Ipv4First,
            &["UDP 192.0.2.1:9", "UDP 192.0.2.2:9", "UDP [2001:db8::1]:9"][..],
            &["A example.com", "AAAA example.com"][..],
        ),
        (
            AddressOrder::Ipv6First,
            &["UDP [2001:db8::1]:9", "UDP 192.0.2.1:9", "UDP 192.0.2.2:9"],
            &["AAAA example.com", "A example.com"],
        ),
        (AddressOrder::Ipv4Only, &["UDP 192.0.2.1:9", "UDP 192.0.2.2:9"], &["A example.com"]),
        (AddressOrder::Ipv6Only, &["UDP [2001:db8::1]:9"], &["AAAA example.com"]),
    ] {
        let mut world = World::new(&zone);
        world.options.address_order = order;
        assert_eq!(world.locate("sip:example.com:9").unwrap(), targets);
        assert_eq!(world.asked(), asked);
    }
}

#[test]
fn a_response_goes_where_its_via_says() {
    let mut world = World::new(&[
        "_sip._udp.client.example 60 SRV 0 0 5090 host.client.example",
        "host.client.example 60 A 192.0.2.1",
        "client.example 60 A 192.0.2.2",
        "client.example 60 NAPTR 1 1 s SIP+D2T - _sip._tcp.client.example",
    ]);
    world.options.address_order = AddressOrder::Ipv4Only;
    for (via, target, questions) in [
        ("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa", "UDP 192.0.2.9:5060", 0),
        ("SIP/2.0/TCP 192.0.2.9:5070;branch=z9hG4bKa", "TCP 192.0.2.9:5070", 0),
        ("SIP/2.0/UDP client.example:5070;branch=z9hG4bKa", "UDP 192.0.2.2:5070", 1),
        ("SIP/2.0/UDP client.example;branch=z9hG4bKa", "UDP 192.0.2.1:5090", 2),
        ("SIP/2.0/UDP client.example;maddr=192.0.2.8;branch=z9hG4bKa", "UDP 192.0.2.8:5060", 0),
    ] {
        let via: Via = via.parse().unwrap();
        let request = LocateRequest::response(&via).unwrap();
        assert_eq!(world.run(request), Ok(vec![target.to_owned()]), "{via}");
        assert_eq!(world.asked.len(), questions, "{via}: {:?}", world.asked);
    }
    let sctp: Via = "SIP/2.0/SCTP client.example;branch=z9hG4bKa".parse().unwrap();
    assert_eq!(LocateRequest::response(&sctp), None);
}

// ---- Order and failover

#[test]
fn yealinks_worked_example() {
    let mut world = World::with(&YEALINK, LocateOptions::yealink());
    for _ in 0..20 {
        let found = world.locate("sip:yealink.pbx.com:0").unwrap();
        assert_eq!(
            found,
            ["TCP 192.168.1.14:5060", "TCP 192.168.1.13:5060"],
            "order 90, then weight 2 before 1"
        );
    }
    // Port 0 asks for NAPTR, SRV and A; an explicit one for A only (YLB-009, YLB-010).
    let mut world = World::with(&YEALINK, LocateOptions::yealink());
    world.locate("sip:yealink.pbx.com:0").unwrap();
    assert_eq!(
        world.asked(),
        [
            "NAPTR yealink.pbx.com",
            "SRV _sip._tcp.yealink.pbx.com",
            "A server2.yealink.pbx.com",
            "A server1.yealink.pbx.com"
        ]
    );
    assert_eq!(world.locate("sip:yealink.pbx.com:5060"), Err(LocateError::NoAddress));
    assert_eq!(world.asked(), ["A yealink.pbx.com"]);
    // No port found by DNS: 5060, whatever the transport.
    world.zone.push(record("_sip._udp.portless.example 60 SRV 0 0 0 192.0.2.1"));
    assert_eq!(world.locate("sip:portless.example").unwrap(), ["UDP 192.0.2.1:5060"]);
    assert_eq!(world.locate("sips:192.0.2.1").unwrap(), ["TLS 192.0.2.1:5060"]);
}

#[test]
fn by_the_rfc_the_first_server_is_drawn_by_weight() {
    let mut world = World::new(&YEALINK);
    world.options.address_order = AddressOrder::Ipv4Only;
    let mut server2_first = 0;
    for seed in 0..3000 {
        world.locator = Locator::new(LocatorConfig::default(), Rng::from_u64(seed));
        let found = world.locate("sip:yealink.pbx.com").unwrap();
        assert_eq!(found.len(), 2);
        server2_first += u32::from(found[0] == "TCP 192.168.1.14:5060");
    }
    // Of 0..=3, 0 and 1 choose the first record (weight 1), 2 and 3 the second: half, four standard deviations wide.
    assert!((1390..=1610).contains(&server2_first), "{server2_first}");
}

#[test]
fn with_a_draw_of_its_own_a_telephone_stays_at_one_server() {
    let mut firsts = std::collections::BTreeMap::new();
    for draw in 0..200 {
        let mut world = World::new(&YEALINK);
        let mut options = LocateOptions::default();
        options.address_order = AddressOrder::Ipv4Only;
        world.options = options.with_cache(CacheMode::Off);
        let uri = "sip:yealink.pbx.com".parse().unwrap();
        let found: Vec<_> = (0..5)
            .map(|_| {
                world.zone.rotate_left(1);
                world.run(LocateRequest::uri(&uri).unwrap().with_draw(draw)).unwrap()
            })
            .collect();
        assert!(found.iter().all(|targets| *targets == found[0]), "{draw}: {found:?}");
        *firsts.entry(found[0][0].clone()).or_insert(0) += 1;
    }
    assert!(firsts.len() == 2 && firsts.values().all(|&count| count > 60), "{firsts:?}");
}

#[test]
fn no_more_targets_are_given_than_wanted_nor_asked_for() {
    let zone: Vec<String> = (1..=6)
        .flat_map(|n| {
            [
                format!("_sip._udp.example.com 60 SRV {n} 0 5060 s{n}.example.com"),
                format!("s{n}.example.com 60 A 192.0.2.{n}"),
            ]
        })
        .collect();
    let zone: Vec<&str> = zone.iter().map(String::as_str).collect();
    for (most, failover, expected) in
        [(4, true, 4), (1, true, 1), (0, true, 1), (4, false, 1), (100, true, 6)]
    {
        let mut world = World::with(&zone, LocateOptions::panasonic());
        (world.options.max_targets, world.options.failover) = (most, failover);
        let found = world.locate("sip:example.com;transport=udp").unwrap();
        assert_eq!(found.len(), expected, "{most} {failover}");
        assert_eq!(found[0], "UDP 192.0.2.1:5060");
        assert_eq!(world.asked.len(), 1 + expected, "{:?}", world.asked);
    }
}

#[test]
fn targets_that_failed_come_last_until_their_time_is_over() {
    let zone =
        ["example.com 3600 A 192.0.2.1", "example.com 3600 A 192.0.2.2", "example.com 3600 A 192.0.2.3"];
    let mut world = World::new(&zone);
    world.options.address_order = AddressOrder::Ipv4Only;
    let last = |world: &mut World| {
        let found = world.locate("sip:example.com:5060").unwrap();
        found.iter().map(|target| target.as_bytes()["UDP 192.0.2.".len()] - b'0').collect::<Vec<_>>()
    };
    let target = |n: u8| Target::new(Protocol::Udp, (Ipv4Addr::new(192, 0, 2, n), 5060).into());
    assert_eq!(last(&mut world), [1, 2, 3]);
    world.locator.failed(world.now, &target(1), None);
    assert_eq!(last(&mut world), [2, 3, 1]);
    // A Retry-After says how long.
    world.locator.failed(world.now, &target(2), Some(Duration::from_secs(20)));
    assert_eq!(last(&mut world), [3, 1, 2]);
    world.advance(20);
    assert_eq!(last(&mut world), [2, 3, 1]);
    world.advance(279);
    assert_eq!(last(&mut world), [2, 3, 1]);
    world.advance(1);
    assert_eq!(last(&mut world), [1, 2, 3], "after 5 minutes");
    // Success ends it; all of them failing changes nothing; a Retry-After of days counts for an hour.
    world.locator.failed(world.now, &target(1), None);
    world.locator.succeeded(&target(1));
    assert_eq!(last(&mut world), [1, 2, 3]);
    (1..=3).for_each(|n| world.locator.failed(world.now, &target(n), Some(Duration::from_secs(900_000))));
    assert_eq!(last(&mut world), [1, 2, 3]);
    assert!(world.locator.is_blacklisted(world.now + HOUR - Duration::from_secs(1), &target(1)));
    assert!(!world.locator.is_blacklisted(world.now + HOUR, &target(1)));
    // The transport is part of what failed.
    assert!(!world.locator.is_blacklisted(world.now, &Target::new(Protocol::Tcp, target(1).address)));
}

// ---- Caches

#[test]
fn answers_are_kept_for_their_ttl_and_no_longer() {
    let mut world = World::new(&["example.com 30 A 192.0.2.1"]);
    world.options.address_order = AddressOrder::Ipv4Only;
    world.locate("sip:example.com:5060").unwrap();
    assert_eq!(world.asked.len(), 1);
    world.advance(29);
    world.locate("sip:example.com:5060").unwrap();
    assert!(world.asked.is_empty());
    world.advance(1);
    world.zone = vec![record("example.com 0 A 192.0.2.2")];
    assert_eq!(world.locate("sip:example.com:5060").unwrap(), ["UDP 192.0.2.2:5060"]);
    assert_eq!(world.asked.len(), 1);
    // TTL 0 is for one use.
    world.locate("sip:example.com:5060").unwrap();
    assert_eq!(world.asked.len(), 1);
}

#[test]
fn what_does_not_exist_is_remembered_as_long_as_the_zone_says() {
    let mut world = World::new(&[]);
    for _ in 0..2 {
        assert_eq!(world.locate("sip:nobody.example:5060"), Err(LocateError::NoAddress));
    }
    assert!(world.asked.is_empty(), "the second time nobody is asked");
    world.advance(60);
    world.zone = vec![record("nobody.example 60 A 192.0.2.1")];
    assert_eq!(world.locate("sip:nobody.example:5060").unwrap(), ["UDP 192.0.2.1:5060"]);
    // Without an SOA record the locator's own time counts; failures are not remembered.
    let query = |world: &mut World, answer: Answer| {
        let request = LocateRequest::uri(&"sip:a.example:1".parse().unwrap()).unwrap();
        let mut options = world.options.clone();
        options.address_order = AddressOrder::Ipv4Only;
        world.locator.locate(world.now, request.with_options(options)).unwrap();
        let query = world.locator.poll_query();
        if let Some(query) = &query {
            world.locator.handle_answer(world.now, query.id, answer);
        }
        assert!(world.locator.poll_event().is_some());
        query.is_some()
    };
    assert!(query(&mut world, Answer::Failed));
    assert!(query(&mut world, Answer::Failed));
    assert!(query(&mut world, Answer::NoData { ttl: None }));
    assert!(!query(&mut world, Answer::Failed));
    world.advance(30);
    assert!(query(&mut world, Answer::NameError { ttl: Some(HOUR * 1000) }));
    world.advance(3 * 3600 - 1);
    assert!(!query(&mut world, Answer::Failed));
    world.advance(1);
    assert!(query(&mut world, Answer::Failed), "no longer than three hours");
}

#[test]
fn cache_modes_0_1_and_2() {
    let zone = [
        "_sip._udp.example.com 300 SRV 0 0 5060 a.example.com",
        "a.example.com 300 A 192.0.2.1",
        "b.example.com 300 A 192.0.2.2",
    ];
    for (mode, again, address) in [
        // Real time: everything is asked anew, but what came along with an answer is used at once.
        (0, &["SRV _sip._udp.example.com"][..], &["A a.example.com"][..]),
        // What came along is not kept, so the name's address is asked for once it matters.
        (1, &["A a.example.com"], &[]),
        (2, &[], &[]),
    ] {
        let mut world = World::new(&zone);
        world.options.address_order = AddressOrder::Ipv4Only;
        world.options.cache = CacheMode::from_yealink(mode).unwrap();
        world.additional = true;
        assert_eq!(world.locate("sip:example.com;transport=udp").unwrap(), ["UDP 192.0.2.1:5060"]);
        assert_eq!(world.asked(), ["SRV _sip._udp.example.com"], "{mode}");
        world.locate("sip:example.com;transport=udp").unwrap();
        assert_eq!(world.asked(), again, "{mode}");
        world.locate("sip:a.example.com:5060").unwrap();
        assert_eq!(world.asked(), address, "{mode}");
        // An answer speaks for what it refers to only.
        world.locate("sip:b.example.com:5060").unwrap();
        assert_eq!(world.asked(), ["A b.example.com"], "{mode}");
    }
    assert_eq!(CacheMode::from_yealink(3), None);
}

#[test]
fn the_cache_is_bounded() {
    let mut config = LocatorConfig::default();
    config.cache_entries = 50;
    let mut locator = Locator::new(config, Rng::from_u64(1));
    let now = Instant::from_millis(0);
    let mut options = LocateOptions::default();
    options.address_order = AddressOrder::Ipv4Only;
    for n in 0..1000 {
        let uri = format!("sip:h{n}.example:5060").parse().unwrap();
        locator.locate(now, LocateRequest::uri(&uri).unwrap().with_options(options.clone())).unwrap();
        let query = locator.poll_query().unwrap();
        let record = Record::new(&*query.name, HOUR, Ipv4Addr::LOCALHOST);
        locator.handle_answer(now, query.id, Answer::records(vec![record]));
        assert!(matches!(locator.poll_event(), Some(LocateEvent::Located { .. })));
    }
    assert_eq!(locator.cached(), 50);
    locator.clear();
    assert_eq!(locator.cached(), 0);
}

// ---- Configured records (YLB-016 to YLB-036)

const CONFIGURED: [&str; 4] = [
    "yealink.pbx.com 300 NAPTR 1 1 S SIP+D2T - _sip._tcp.yealink.pbx.com",
    "_sip._tcp.yealink.pbx.com 300 SRV 0 2 5070 server.yealink.pbx.com",
    "_sip._tcp.yealink.pbx.com 300 SRV 0 1 5080 192.0.2.99",
    "server.yealink.pbx.com 300 A 192.0.2.98",
];

fn configured(order: StaticOrder) -> LocateOptions {
    LocateOptions::yealink().with_static(fixed(&CONFIGURED), order)
}

#[test]
fn configured_records_stand_in_when_dns_has_none() {
    let mut world = World::with(&[], configured(StaticOrder::DnsFirst));
    let ours = ["TCP 192.0.2.98:5070", "TCP 192.0.2.99:5080"];
    assert_eq!(world.locate("sip:yealink.pbx.com").unwrap(), ours);
    let chain = ["NAPTR yealink.pbx.com", "SRV _sip._tcp.yealink.pbx.com", "A server.yealink.pbx.com"];
    assert_eq!(world.asked(), chain, "DNS is asked first");
    // For their TTL they count without a question, although what DNS said would be forgotten after 60 s.
    world.advance(299);
    assert_eq!(world.locate("sip:yealink.pbx.com").unwrap(), ours);
    assert!(world.asked.is_empty(), "{:?}", world.asked);
    // Their time over, DNS is asked again; if it has nothing, they count again.
    world.advance(1);
    assert_eq!(world.locate("sip:yealink.pbx.com").unwrap(), ours);
    assert_eq!(world.asked(), chain);
    // When DNS gives a result, that counts, and theirs follows for the case that nobody answers there.
    world.advance(300);
    world.zone = YEALINK.iter().map(|line| record(line)).collect();
    let found = world.locate("sip:yealink.pbx.com").unwrap();
    assert_eq!(found[..2], ["TCP 192.168.1.14:5060", "TCP 192.168.1.13:5060"]);
    assert_eq!(found[2..], ours);
    // DNS's servers are dead: the configured ones are tried first while that is remembered.
    for address in ["192.168.1.14:5060", "192.168.1.13:5060"] {
        world.locator.failed(world.now, &Target::new(Protocol::Tcp, address.parse().unwrap()), None);
    }
    assert_eq!(world.locate("sip:yealink.pbx.com").unwrap()[..2], ours);
    // Without failover one target is enough.
    world.options.failover = false;
    assert_eq!(world.locate("sip:yealink.pbx.com").unwrap(), ["TCP 192.168.1.14:5060"]);
}

#[test]
fn configured_records_stand_in_when_dns_does_not_answer() {
    let mut world = World::with(&YEALINK, configured(StaticOrder::DnsFirst));
    world.dead = vec!["yealink.pbx.com", "_sip._tcp.yealink.pbx.com", "server.yealink.pbx.com"];
    assert_eq!(world.locate("sip:yealink.pbx.com").unwrap()[0], "TCP 192.0.2.98:5070");
    assert_eq!(world.locator.counters().configured, 3);
    // Another account without them is not helped by them.
    world.options = LocateOptions::yealink();
    assert_eq!(world.locate("sip:yealink.pbx.com"), Err(LocateError::Dns));
}

#[test]
fn configured_records_first() {
    let mut world = World::with(&YEALINK, configured(StaticOrder::StaticFirst));
    let ours = ["TCP 192.0.2.98:5070", "TCP 192.0.2.99:5080"];
    for _ in 0..3 {
        assert_eq!(world.locate("sip:yealink.pbx.com").unwrap(), ours);
        assert!(world.asked.is_empty());
        world.advance(100_000);
    }
    // DNS is asked for what they lack.
    assert_eq!(world.locate("sip:server1.yealink.pbx.com:5060").unwrap(), ["UDP 192.168.1.13:5060"]);
    assert_eq!(world.asked(), ["A server1.yealink.pbx.com"]);
}

#[test]
fn without_a_dns_server_configured_records_never_expire() {
    let mut world = World::with(&["lan.example 60 A 192.0.2.1"], configured(StaticOrder::DnsFirst));
    world.locator.set_dns(false);
    for _ in 0..3 {
        let found = world.locate("sip:yealink.pbx.com").unwrap();
        assert_eq!(found, ["TCP 192.0.2.98:5070", "TCP 192.0.2.99:5080"]);
        assert!(world.asked.is_empty());
        world.advance(100_000);
    }
    // A hosts file may still have addresses.
    assert_eq!(world.locate("sip:lan.example").unwrap(), ["UDP 192.0.2.1:5060"]);
    assert_eq!(world.asked(), ["A lan.example"]);
}

// ---- The machine

#[test]
fn a_question_that_is_not_answered_fails_in_time() {
    let mut locator = Locator::new(LocatorConfig::default(), Rng::from_u64(1));
    let mut now = Instant::from_millis(0);
    let uri = "sip:example.com".parse().unwrap();
    locator.locate(now, LocateRequest::uri(&uri).unwrap()).unwrap();
    let mut asked = Vec::new();
    let event = loop {
        asked.extend(core::iter::from_fn(|| locator.poll_query()));
        if let Some(event) = locator.poll_event() {
            break event;
        }
        now = locator.poll_timeout().expect("a deadline");
        locator.handle_timeout(now);
    };
    assert!(matches!(event, LocateEvent::Failed { reason: LocateError::Dns, .. }));
    // NAPTR, then SRV for UDP and TCP, then A and AAAA: three waits of 5 s.
    assert_eq!((asked.len(), now), (5, Instant::from_millis(15_000)));
    assert_eq!(locator.counters().timeouts, 5);
    // Late answers change nothing.
    for query in asked {
        locator.handle_answer(now, query.id, Answer::records(vec![record("example.com 60 A 192.0.2.1")]));
    }
    assert!(locator.is_idle() && locator.poll_event().is_none() && locator.cached() == 0);
}

#[test]
fn look_ups_share_questions_and_cancelled_ones_say_nothing() {
    let mut locator = Locator::new(LocatorConfig::default(), Rng::from_u64(1));
    let now = Instant::from_millis(0);
    let request = || LocateRequest::uri(&"sip:example.com:5060".parse().unwrap()).unwrap();
    let ids: Vec<_> = (0..3).map(|_| locator.locate(now, request()).unwrap()).collect();
    let queries: Vec<Query> = core::iter::from_fn(|| locator.poll_query()).collect();
    assert_eq!(queries.len(), 2, "A and AAAA, once");
    locator.cancel(ids[1]);
    locator.handle_answer(now, queries[0].id, Answer::records(vec![record("example.com 60 A 192.0.2.1")]));
    assert_eq!(locator.poll_event(), None, "the other family is still asked for");
    locator.handle_answer(now, queries[1].id, Answer::NoData { ttl: None });
    let ended: Vec<_> = core::iter::from_fn(|| locator.poll_event())
        .map(|event| match event {
            LocateEvent::Located { id, .. } => id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ended, [ids[0], ids[2]]);
    // A look-up that ended and was not taken yet can be cancelled too.
    let id = locator.locate(now, request()).unwrap();
    locator.cancel(id);
    assert_eq!(locator.poll_event(), None);
    // An answer that nobody waits for any more is still good for the next.
    let other = LocateRequest::uri(&"sip:other.example:5060".parse().unwrap()).unwrap();
    let id = locator.locate(now, other.clone()).unwrap();
    locator.cancel(id);
    while let Some(query) = locator.poll_query() {
        locator.handle_answer(now, query.id, Answer::NameError { ttl: Some(HOUR) });
    }
    locator.locate(now, other).unwrap();
    assert!(matches!(locator.poll_event(), Some(LocateEvent::Failed { reason: LocateError::NoAddress, .. })));
}

#[test]
fn look_ups_and_questions_are_bounded() {
    let mut config = LocatorConfig::default();
    (config.max_lookups, config.max_queries) = (2, 3);
    let mut locator = Locator::new(config, Rng::from_u64(1));
    let now = Instant::from_millis(0);
    let request = |text: &str| LocateRequest::uri(&text.parse().unwrap()).unwrap();
    locator.locate(now, request("sip:192.0.2.1")).unwrap();
    locator.locate(now, request("sip:192.0.2.2")).unwrap();
    assert_eq!(locator.locate(now, request("sip:192.0.2.3")), Err(LocateError::TooManyLookups));
    assert!(locator.poll_event().is_some() && locator.poll_event().is_some());
    // A zone that gives one name after the other gets three questions.
    locator.locate(now, request("sip:example.com;transport=udp")).unwrap();
    let mut questions = 0;
    while let Some(query) = locator.poll_query() {
        questions += 1;
        let many = (0..500).map(|n| record(&format!("x 60 SRV 0 0 5060 h{n}.example"))).collect();
        locator.handle_answer(now, query.id, Answer::records(many));
    }
    assert_eq!(questions, 3);
    assert!(matches!(locator.poll_event(), Some(LocateEvent::Failed { reason: LocateError::Dns, .. })));
}

/// 64 NAPTR records each of which leads to 64 more, five names deep: without a bound a thousand million steps.
#[test]
fn a_zone_that_goes_in_circles_costs_little() {
    let mut world = World::new(&[]);
    for (from, to) in [("a.example", "b.example"), ("b.example", "c.example"), ("c.example", "a.example")] {
        world.zone.extend((0..64).map(|n| record(&format!("{from} 60 NAPTR 1 {n} - - - {to}"))));
    }
    world.zone.push(record("a.example 60 A 192.0.2.1"));
    assert_eq!(world.locate("sip:a.example").unwrap(), ["UDP 192.0.2.1:5060"]);
}

/// Answers, time-outs, failures and cancellations in any order: every look-up ends once or was cancelled, and nothing is
/// left.
#[test]
fn any_order_of_answers_ends_every_look_up() {
    let zone: Vec<Record> = YEALINK.iter().map(|line| record(line)).collect();
    for seed in 0..2000 {
        let mut rng = Rng::from_u64(seed);
        let mut locator = Locator::new(LocatorConfig::default(), rng.fork());
        let mut now = Instant::from_millis(0);
        let (mut open, mut waiting) = (Vec::new(), Vec::new());
        for _ in 0..60 {
            now += Duration::from_millis(u64::from(rng.below(900)));
            match rng.below(6) {
                0 => {
                    let uris = [
                        "sip:yealink.pbx.com",
                        "sip:server1.yealink.pbx.com:5060",
                        "sips:yealink.pbx.com",
                        "sip:yealink.pbx.com;transport=tcp",
                    ];
                    let uri = uris[rng.below(4) as usize].parse().unwrap();
                    let mut options = LocateOptions::default();
                    options.cache = CacheMode::from_yealink(rng.below(3) as u8).unwrap();
                    if rng.chance(0.3) {
                        options = options.with_static(fixed(&CONFIGURED), StaticOrder::DnsFirst);
                    }
                    let request = LocateRequest::uri(&uri).unwrap().with_options(options);
                    open.push(locator.locate(now, request).unwrap());
                }
                1 if !open.is_empty() && rng.chance(0.2) => {
                    let id = open.swap_remove(rng.below(open.len() as u32) as usize);
                    locator.cancel(id);
                }
                2..=4 if !waiting.is_empty() => {
                    let query: Query = waiting.swap_remove(rng.below(waiting.len() as u32) as usize);
                    let records: Vec<Record> = zone
                        .iter()
                        .filter(|record| *record.name == *query.name && record.data.kind() == query.kind)
                        .cloned()
                        .collect();
                    let answer = match rng.below(4) {
                        0 => Answer::Failed,
                        _ if records.is_empty() => Answer::NoData { ttl: None },
                        _ => Answer::Records { records, additional: zone.clone() },
                    };
                    locator.handle_answer(now, query.id, answer);
                }
                _ => locator.handle_timeout(now),
            }
            waiting.extend(core::iter::from_fn(|| locator.poll_query()));
            while let Some(event) = locator.poll_event() {
                let (LocateEvent::Located { id, .. } | LocateEvent::Failed { id, .. }) = event else {
                    panic!()
                };
                let at = open
                    .iter()
                    .position(|of| *of == id)
                    .expect("each ends once, and none that was cancelled");
                open.swap_remove(at);
            }
        }
        while let Some(at) = locator.poll_timeout() {
            locator.handle_timeout(at);
            while let Some(event) = locator.poll_event() {
                let (LocateEvent::Located { id, .. } | LocateEvent::Failed { id, .. }) = event else {
                    panic!()
                };
                open.retain(|of| *of != id);
            }
        }
        assert!(open.is_empty() && locator.is_idle(), "seed {seed}: {open:?}");
    }
}

#[test]
fn ipv6_targets_of_srv_records() {
    let mut world = World::new(&["_sip._udp.example.com 60 SRV 0 0 5060 a.example.com"]);
    world.zone.push(Record::new("a.example.com", HOUR, Ipv6Addr::LOCALHOST));
    world.options.srv_order = SrvOrder::HighestWeightFirst;
    assert_eq!(world.locate("sip:example.com;transport=udp").unwrap(), ["UDP [::1]:5060"]);
}
