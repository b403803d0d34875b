//! The order of the targets, and what becomes of those that failed (RFC 3263 §4.3, RFC 2782).

use crate::support::{HOUR, World, YEALINK, record};
use sidetone_hal::net::Ipv4Addr;
use sidetone_hal::time::Duration;
use sidetone_sip_core::locate::{
    AddressOrder, CacheMode, LocateError, LocateOptions, LocateRequest, Locator, LocatorConfig,
};
use sidetone_sip_core::{Protocol, Rng, Target};

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
