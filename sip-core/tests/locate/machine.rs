//! The locator as a machine: time-outs, cancellations, bounds, and answers in any order.

use crate::support::{CONFIGURED, HOUR, World, YEALINK, fixed, record};
use sidetone_hal::time::Duration;
use sidetone_sip_core::locate::{
    Answer, CacheMode, LocateError, LocateEvent, LocateOptions, LocateRequest, Locator, LocatorConfig, Query,
    Record, StaticOrder,
};
use sidetone_sip_core::{Instant, Rng};

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
