//! Server location with a real DNS server: dnsmasq. Without it the trials are ignored, or fail where
//! `SIDETONE_REQUIRE_PEERS=1` is set.

use crate::dnsmasq::{DNSMASQ, Dnsmasq};
use crate::programs::{Outcome, Stage, trial};
use libtest_mimic::{Failed, Trial};
use sidetone_hal::time::Duration;
use sidetone_sip_core::driver::Resolver;
use sidetone_sip_core::locate::{
    AddressOrder, Answer, CacheMode, LocateError, LocateEvent, LocateOptions, LocateRequest, Locator,
    LocatorConfig, RecordData, SrvOrder,
};
use sidetone_sip_core::{Instant, Protocol, Rng};
use std::sync::Arc;

/// The domain of Yealink's manual, and others.
const ZONE: [&str; 15] = [
    "--local=/test/",
    "--naptr-record=pbx.test,90,50,s,SIP+D2T,,_sip._tcp.pbx.test",
    "--naptr-record=pbx.test,100,50,s,SIP+D2U,,_sip._udp.pbx.test",
    "--srv-host=_sip._tcp.pbx.test,server1.pbx.test,5060,0,1",
    "--srv-host=_sip._tcp.pbx.test,server2.pbx.test,5060,0,2",
    "--srv-host=_sip._udp.pbx.test,server1.pbx.test,5070,0,1",
    "--host-record=server1.pbx.test,192.168.1.13,60",
    "--host-record=server2.pbx.test,192.168.1.14,fd00::14,60",
    "--host-record=short.test,192.0.2.7,2",
    "--host-record=target.test,192.0.2.8,60",
    "--cname=alias.test,target.test",
    "--srv-host=_sip._udp.alias-service.test,alias.test,5090,0,0",
    // A target that is missing: "no such service" (RFC 2782).
    "--srv-host=_sip._udp.closed.test",
    "--host-record=closed.test,192.0.2.9,60",
    "--local-ttl=60",
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("records_of_each_type_with_their_ttl", &[DNSMASQ], records_of_each_type_with_their_ttl),
        trial("names_are_located_as_the_rfc_says", &[DNSMASQ], names_are_located_as_the_rfc_says),
        trial("answers_are_asked_for_again_when_their_ttl_is_over", &[DNSMASQ], ttl_expires),
        trial("what_does_not_exist_is_not_asked_for_twice", &[DNSMASQ], negative_answers_are_kept),
        trial("the_second_server_answers_for_the_first", &[DNSMASQ], the_second_server_answers_for_the_first),
        trial("without_a_server_the_question_fails", &[DNSMASQ], without_a_server_the_question_fails),
    ]
}

/// A locator with its resolver and a clock that moves when told.
struct World {
    server: Dnsmasq,
    resolver: Resolver,
    locator: Locator,
    now: Instant,
    sentinels: usize,
    counted: usize,
}

impl World {
    async fn new(stage: &Stage, options: &[&str]) -> Result<Self, Failed> {
        let server = Dnsmasq::start(stage, options).await?;
        Ok(Self {
            resolver: Resolver::with_servers(&[server.address]),
            server,
            locator: Locator::new(LocatorConfig::default(), Rng::from_u64(7)),
            now: Instant::from_millis(0),
            sentinels: 0,
            counted: 0,
        })
    }

    async fn locate(&mut self, uri: &str, options: &LocateOptions) -> Result<Vec<String>, LocateError> {
        let request = LocateRequest::uri(&uri.parse().unwrap())?.with_options(options.clone());
        self.locator.locate(self.now, request)?;
        while let Some(query) = self.locator.poll_query() {
            let answer = self.resolver.query(&query).await;
            self.locator.handle_answer(self.now, query.id, answer);
        }
        match self.locator.poll_event() {
            Some(LocateEvent::Located { targets, .. }) => {
                Ok(targets.iter().map(|target| format!("{} {}", target.protocol, target.address)).collect())
            }
            Some(LocateEvent::Failed { reason, .. }) => Err(reason),
            other => panic!("{other:?}"),
        }
    }

    /// What dnsmasq was asked since the last time.
    async fn asked(&mut self) -> Vec<String> {
        self.sentinels += 1;
        let sentinel = format!("sentinel{}.test", self.sentinels);
        // Not remembered by the locator that is under test.
        ask(&self.resolver, 'A', &sentinel).await;
        let all = self.server.asked_before(&sentinel).await.unwrap();
        let fresh = all[self.counted..].iter().filter(|question| !question.contains("sentinel"));
        let fresh = fresh.cloned().collect();
        self.counted = all.len();
        fresh
    }
}

/// One question: A, 6 for AAAA, S for SRV, N for NAPTR.
async fn ask(resolver: &Resolver, kind: char, name: &str) -> Answer {
    // Questions are made by a locator only; this one asks for what is wanted first.
    let mut locator = Locator::new(LocatorConfig::default(), Rng::from_u64(1));
    let mut options = LocateOptions::default();
    options.address_order = match kind {
        '6' => AddressOrder::Ipv6Only,
        _ => AddressOrder::Ipv4Only,
    };
    options.prefixes.udp = String::new();
    let uri = match kind {
        'A' | '6' => format!("sip:{name}:5060"),
        'S' => format!("sip:{name};transport=udp"),
        _ => format!("sip:{name}"),
    };
    let request = LocateRequest::uri(&uri.parse().unwrap()).unwrap().with_options(options);
    locator.locate(Instant::from_millis(0), request).unwrap();
    resolver.query(&locator.poll_query().expect("a question")).await
}

async fn records_of_each_type_with_their_ttl(stage: Arc<Stage>) -> Outcome {
    let world = World::new(&stage, &ZONE).await?;
    let ask = |kind, name| ask(&world.resolver, kind, name);
    let Answer::Records { records, .. } = ask('N', "PBX.test").await else {
        return Err("no NAPTR records".into());
    };
    let mut services: Vec<_> = records
        .iter()
        .map(|record| match &record.data {
            RecordData::Naptr(naptr) => (naptr.order, naptr.flags.clone(), naptr.service.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    services.sort();
    assert_eq!(services, [(90, "s".into(), "SIP+D2T".into()), (100, "s".into(), "SIP+D2U".into())]);
    assert!(records.iter().all(|record| record.ttl == Duration::from_secs(60)), "{records:?}");
    let Answer::Records { records, additional } = ask('S', "_sip._tcp.pbx.test").await else {
        return Err("no SRV records".into());
    };
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(
        additional.iter().any(|record| record.data == RecordData::A([192, 168, 1, 14].into())),
        "{additional:?}"
    );
    let Answer::Records { records, .. } = ask('A', "short.test").await else {
        return Err("no A record".into());
    };
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].data, RecordData::A([192, 0, 2, 7].into()));
    assert_eq!(records[0].ttl, Duration::from_secs(2));
    let Answer::Records { records, .. } = ask('6', "server2.pbx.test").await else {
        return Err("no AAAA record".into());
    };
    assert_eq!(records[0].data, RecordData::Aaaa("fd00::14".parse()?));
    // Through a CNAME, the address is the answer.
    let Answer::Records { records, .. } = ask('A', "alias.test").await else {
        return Err("no address".into());
    };
    assert!(records.iter().any(|record| record.data == RecordData::A([192, 0, 2, 8].into())), "{records:?}");
    assert!(matches!(ask('6', "short.test").await, Answer::NoData { .. }), "the name has another type");
    assert!(matches!(ask('A', "nobody.test").await, Answer::NameError { .. }));
    // Without asking anybody.
    assert!(matches!(ask('A', "localhost").await, Answer::Records { .. }));
    assert!(matches!(ask('S', "_sip._udp.localhost").await, Answer::NoData { .. }));
    Ok(())
}

async fn names_are_located_as_the_rfc_says(stage: Arc<Stage>) -> Outcome {
    let mut world = World::new(&stage, &ZONE).await?;
    let mut options = LocateOptions::yealink();
    let yealink = world.locate("sip:pbx.test", &options).await;
    assert_eq!(yealink.unwrap(), ["TCP 192.168.1.14:5060", "TCP 192.168.1.13:5060"]);
    assert_eq!(world.asked().await[..2], ["NAPTR pbx.test", "SRV _sip._tcp.pbx.test"]);
    options = LocateOptions::default();
    options.srv_order = SrvOrder::HighestWeightFirst;
    let both = world.locate("sip:pbx.test;transport=tcp", &options).await.unwrap();
    assert_eq!(both, ["TCP 192.168.1.14:5060", "TCP [fd00::14]:5060", "TCP 192.168.1.13:5060"]);
    assert_eq!(
        world.locate("sip:pbx.test;transport=udp", &options).await.unwrap(),
        ["UDP 192.168.1.13:5070"]
    );
    assert_eq!(world.locate("sip:server1.pbx.test:5099", &options).await.unwrap(), ["UDP 192.168.1.13:5099"]);
    assert_eq!(world.locate("sip:alias-service.test", &options).await.unwrap(), ["UDP 192.0.2.8:5090"]);
    assert_eq!(world.locate("sip:alias.test", &options).await.unwrap(), ["UDP 192.0.2.8:5060"]);
    assert_eq!(world.locate("sip:closed.test", &options).await, Err(LocateError::NotAvailable));
    assert_eq!(world.locate("sip:nobody.test", &options).await, Err(LocateError::NoAddress));
    Ok(())
}

async fn ttl_expires(stage: Arc<Stage>) -> Outcome {
    let mut world = World::new(&stage, &ZONE).await?;
    let mut options = LocateOptions::default();
    options.address_order = AddressOrder::Ipv4Only;
    let short = "sip:short.test:5060";
    for _ in 0..3 {
        assert_eq!(world.locate(short, &options).await.unwrap(), ["UDP 192.0.2.7:5060"]);
    }
    assert_eq!(world.asked().await, ["A short.test"], "once for three look-ups");
    world.now += Duration::from_millis(1999);
    world.locate(short, &options).await.unwrap();
    assert!(world.asked().await.is_empty());
    world.now += Duration::from_millis(1);
    world.locate(short, &options).await.unwrap();
    assert_eq!(world.asked().await, ["A short.test"], "its 2 s are over");
    // dns_cache_type 0: every time.
    let off = options.with_cache(CacheMode::Off);
    world.locate(short, &off).await.unwrap();
    world.locate(short, &off).await.unwrap();
    assert_eq!(world.asked().await, ["A short.test", "A short.test"]);
    Ok(())
}

/// An authoritative zone, so that negative answers have the SOA record that says how long they hold.
async fn negative_answers_are_kept(stage: Arc<Stage>) -> Outcome {
    let zone = [
        "--auth-server=ns.zone.test,127.0.0.1",
        "--auth-zone=zone.test",
        "--auth-soa=1,hostmaster.zone.test,1200,180,1209600",
        "--auth-ttl=40",
        "--host-record=there.zone.test,192.0.2.1",
        "--local=/test/",
    ];
    let mut world = World::new(&stage, &zone).await?;
    let mut options = LocateOptions::default();
    options.address_order = AddressOrder::Ipv4Only;
    assert_eq!(world.locate("sip:there.zone.test:5060", &options).await.unwrap(), ["UDP 192.0.2.1:5060"]);
    world.asked().await;
    let nobody = "sip:nobody.zone.test:5060";
    for _ in 0..5 {
        assert_eq!(world.locate(nobody, &options).await, Err(LocateError::NoAddress));
    }
    assert_eq!(world.asked().await, ["A nobody.zone.test"], "once for five look-ups");
    let Answer::NameError { ttl: Some(ttl) } = ask(&world.resolver, 'A', "nobody.zone.test").await else {
        return Err("expected a negative answer with an SOA record".into());
    };
    world.asked().await;
    world.now += ttl - Duration::from_millis(1);
    world.locate(nobody, &options).await.unwrap_err();
    assert!(world.asked().await.is_empty());
    world.now += Duration::from_millis(1);
    world.locate(nobody, &options).await.unwrap_err();
    assert_eq!(world.asked().await, ["A nobody.zone.test"], "after {ttl:?} DNS is asked again");
    Ok(())
}

async fn the_second_server_answers_for_the_first(stage: Arc<Stage>) -> Outcome {
    let mut world = World::new(&stage, &ZONE).await?;
    // Bound and never read: a server that does not answer.
    let dead = std::net::UdpSocket::bind("127.0.0.1:0")?;
    world.resolver = Resolver::with_servers(&[dead.local_addr()?, world.server.address]);
    let mut options = LocateOptions::default();
    options.transports = vec![Protocol::Udp];
    assert_eq!(
        world.locate("sip:pbx.test;transport=udp", &options).await.unwrap(),
        ["UDP 192.168.1.13:5070"]
    );
    Ok(())
}

async fn without_a_server_the_question_fails(stage: Arc<Stage>) -> Outcome {
    let mut world = World::new(&stage, &ZONE).await?;
    let dead = std::net::UdpSocket::bind("127.0.0.1:0")?;
    world.resolver = Resolver::with_servers(&[dead.local_addr()?]);
    let mut options = LocateOptions::default();
    options.address_order = AddressOrder::Ipv4Only;
    assert_eq!(world.locate("sip:short.test:5060", &options).await, Err(LocateError::Dns));
    // A failure is not remembered.
    world.resolver = Resolver::with_servers(&[world.server.address]);
    assert_eq!(world.locate("sip:short.test:5060", &options).await.unwrap(), ["UDP 192.0.2.7:5060"]);
    Ok(())
}
