//! What is asked of DNS, and when nothing is (RFC 3263 §4.1, §4.2, §5), by scripted answers.

use crate::support::{HOUR, World};
use sidetone_hal::net::Ipv6Addr;
use sidetone_sip_core::header::Via;
use sidetone_sip_core::locate::{
    AddressOrder, LocateError, LocateOptions, LocateRequest, Record, SrvOrder, SrvWithoutNaptr,
};
use sidetone_sip_core::{Protocol, Target};

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

#[test]
fn ipv6_targets_of_srv_records() {
    let mut world = World::new(&["_sip._udp.example.com 60 SRV 0 0 5060 a.example.com"]);
    world.zone.push(Record::new("a.example.com", HOUR, Ipv6Addr::LOCALHOST));
    world.options.srv_order = SrvOrder::HighestWeightFirst;
    assert_eq!(world.locate("sip:example.com;transport=udp").unwrap(), ["UDP [::1]:5060"]);
}
