//! How long answers are kept (RFC 1035 §7.4, RFC 2308), in virtual time.

use crate::support::{HOUR, World, record};
use sidetone_hal::net::Ipv4Addr;
use sidetone_sip_core::locate::{
    AddressOrder, Answer, CacheMode, LocateError, LocateEvent, LocateOptions, LocateRequest, Locator,
    LocatorConfig, Record,
};
use sidetone_sip_core::{Instant, Rng};

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
