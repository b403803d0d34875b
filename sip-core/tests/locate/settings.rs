//! What the administrator says: SRV prefixes, the order of addresses, configured records (YLB-016 to YLB-036).

use crate::support::{CONFIGURED, World, YEALINK, fixed, record};
use sidetone_sip_core::locate::{AddressOrder, LocateError, LocateOptions, StaticOrder};
use sidetone_sip_core::{Protocol, Target};

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
