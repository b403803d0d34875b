//! What the settings, and what each telephone comes with, make of accounts: how they register, how their servers are found,
//! how their calls sound.

use super::policy::{config, try_config};
use core::time::Duration;
use sidetone_media::jitter::DelayMode;
use sidetone_media::sdp::HoldStyle;
use sidetone_phone::config::Config;
use sidetone_sip_core::header::Refresher;
use sidetone_sip_core::locate::{CacheMode, Naptr, Record, RecordData, Srv, SrvWithoutNaptr, StaticOrder};
use sidetone_sip_ua::{
    AccountConfig, ExpiresIn, Failback, PortPlan, PortRules, RedundancyMode, RefreshMethod, RefreshRule,
    ResubscribeRule, RetryRule, SendMac,
};

const AOR: &str = "sip:alice@example.org";

fn account(settings: &str) -> AccountConfig {
    config(settings, AOR).accounts.remove(0)
}

fn wrong(settings: &str) -> String {
    try_config(settings, AOR).map(|_| ()).expect_err(settings)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_file_sets_how_an_account_registers() {
    let own = account(
        "phone.mac = 00:15:65:12:ab:cd\naccount.1.expires = 1\naccount.1.register_refresh = 70\n\
         account.1.register_retry = 86400\naccount.1.register_stops_on_403 = yes\n\
         account.1.register_expires_in = contact\naccount.1.unregister_first = yes\n\
         account.1.unregister_at_close = no\naccount.1.send_mac = header\naccount.1.call_unregistered = no\n",
    );
    let registration = &own.registration;
    assert_eq!((own.expires, registration.refresh), (secs(1), RefreshRule::Percent(70)));
    assert_eq!(registration.retry, RetryRule::every(secs(86_400)).stopping_on_forbidden());
    assert_eq!(registration.expires_in, ExpiresIn::Contact);
    assert!(registration.unregister_first && !registration.unregister_at_close && !own.call_unregistered);
    assert_eq!(registration.mac, Some(SendMac::in_header([0, 0x15, 0x65, 0x12, 0xab, 0xcd])));
    let subscribing = account(
        "account.1.subscribe_expires = 4294967295\naccount.1.subscribe_refresh = 1\naccount.1.subscribe_retry = 86400\n",
    );
    let rules = subscribing.subscriptions;
    assert_eq!((rules.expires, rules.refresh), (Some(secs(4_294_967_295)), Some(1)));
    assert_eq!(rules.again, Some(ResubscribeRule::every(secs(86_400))));
    assert!(wrong("account.1.subscribe_retry = 9\n").contains("expected 0, or 10 to 86400 seconds"));
    let every = account("account.1.register_every = 20\naccount.1.register_refresh = 70\n");
    assert_eq!(every.registration.refresh, RefreshRule::Every(secs(20)));
    assert!(wrong("account.1.send_mac = user-agent\n").contains("send_mac: takes phone.mac"));
    assert!(wrong("account.1.register_every = 19\n").contains("expected 0, or 20 to 86400 seconds"));
    assert!(wrong("account.1.register_retry = 9\n").contains("expected 0, or 10 to 86400 seconds"));
    assert!(wrong("account.1.register_refresh = 101\n").contains("expected 0 to 100"));
    assert_eq!(account("account.1.expires = 4294967295\n").expires, secs(4_294_967_295));
}

#[test]
fn a_ut670_registers_and_calls_as_its_manual_says() {
    let own = account("phone.model = ut670\n");
    let registration = &own.registration;
    assert_eq!((own.expires, registration.refresh), (secs(3600), RefreshRule::Percent(90)));
    assert_eq!(registration.retry, RetryRule::panasonic());
    assert_eq!(registration.expires_in, ExpiresIn::Header);
    let subscriptions = own.subscriptions;
    assert_eq!((subscriptions.expires, subscriptions.refresh), (Some(secs(3600)), Some(90)));
    assert_eq!(subscriptions.again, Some(ResubscribeRule::every(secs(10)).stopping_on_forbidden()));
    assert!(!registration.unregister_first && !registration.unregister_at_close);
    assert!(own.redundancy.numeric_only && !own.rport && !own.session.timer.usage.is_on());
    assert!(!own.session.reliable.is_on() && own.session.timer.refresher.is_none());
    let audio = own.audio.expect("its own");
    assert_eq!(audio.description.hold_style, HoldStyle::ZeroAddress);
    assert_eq!((audio.description.ptime, audio.description.dtmf_payload_type), (20, 101));
    assert_eq!(
        (audio.dtmf.duration, audio.dtmf.stream.gap),
        (Duration::from_millis(180), Duration::from_millis(90))
    );
}

#[test]
fn the_file_names_the_servers_of_an_account() {
    let own = account(
        "phone.model = ut670\naccount.1.registrar = sip:192.0.2.10:5070\naccount.1.proxy = sip:192.0.2.11:5071\n\
         account.1.server2 = sip:192.0.2.20:5080\naccount.1.server2_proxy = sip:192.0.2.21:5081\n\
         account.1.server2_expires = 30\naccount.1.server_retries = 5\naccount.1.server_probe = 10\n\
         account.1.failback = duration\naccount.1.failback_time = 60\naccount.1.register_on_failover = yes\n\
         account.1.outbound_proxy = sip:192.0.2.30:5090\n",
    );
    assert_eq!(own.aor.to_string(), AOR, "the service domain stays that of the address");
    assert_eq!(own.server_retries, Some(5));
    assert_eq!(own.proxy.as_ref().map(ToString::to_string).as_deref(), Some("sip:192.0.2.30:5090"));
    let redundancy = &own.redundancy;
    assert_eq!((redundancy.mode, redundancy.probe), (RedundancyMode::Successive, secs(10)));
    let text = |uri: &Option<_>| uri.as_ref().map(|uri: &sidetone_sip_core::Uri| uri.to_string());
    let servers: Vec<_> =
        redundancy.servers.iter().map(|server| (text(&server.uri), text(&server.proxy))).collect();
    let uri = |text: &str| Some(text.to_owned());
    assert_eq!(
        servers,
        [
            (uri("sip:192.0.2.10:5070"), uri("sip:192.0.2.11:5071")),
            (uri("sip:192.0.2.20:5080"), uri("sip:192.0.2.21:5081")),
        ]
    );
    let [first, second] = &redundancy.servers[..] else { panic!("two") };
    assert_eq!((first.expires, second.expires), (None, Some(secs(30))));
    for server in [first, second] {
        assert_eq!(server.failback, Failback::Duration(secs(60)));
        assert!(server.register_on_failover);
    }
    assert!(wrong("account.1.registrar = tel:5\n").contains("registrar"));
    assert!(wrong("account.1.server_retries = 21\n").contains("expected 0 to 20"));
    assert!(wrong("account.1.server_probe = 9\n").contains("expected 10 to"));
    assert!(
        wrong("account.1.failback = duration\naccount.1.failback_time = 59\n").contains("expected 0, or 60")
    );
    for (word, failback) in [
        ("new-requests", Failback::NewRequests),
        ("dns-ttl", Failback::DnsTtl),
        ("registration", Failback::Registration),
        ("avoid", Failback::Avoid),
    ] {
        let own = account(&format!("account.1.failback = {word}\n"));
        assert_eq!(own.redundancy.servers[0].failback, failback);
    }
}

#[test]
fn each_telephone_comes_with_its_rules_for_servers() {
    let own = account("phone.model = cp860\naccount.1.server2 = sip:192.0.2.20\n");
    let redundancy = &own.redundancy;
    assert_eq!((redundancy.mode, redundancy.probe), (RedundancyMode::Concurrent, secs(120)));
    assert_eq!((own.server_retries, own.expires), (Some(3), secs(3600)));
    for server in &redundancy.servers {
        assert_eq!((server.failback, server.register_on_failover), (Failback::NewRequests, false));
    }
    let set =
        account("phone.model = cp860\naccount.1.failback = duration\naccount.1.redundancy = successive\n");
    assert_eq!(set.redundancy.mode, RedundancyMode::Successive);
    assert_eq!(set.redundancy.servers[0].failback, Failback::Duration(secs(3600)));
    let c60s = account("phone.model = c60s\n");
    assert!(!c60s.call_unregistered, "DIN-034");
}

#[test]
fn the_file_has_records_that_stand_in_for_dns() {
    let own = account(
        "account.1.dns_records = yealink.pbx.com 300 NAPTR 90 50 S SIP+D2T _sip._tcp.yealink.pbx.com; \
         _sip._tcp.yealink.pbx.com 3600 SRV 0 1 5061 server1.yealink.pbx.com ;\
         server1.yealink.pbx.com 2147483647 a 192.168.1.13;\naccount.1.dns_records_first = yes\n\
         account.1.dns_cache = additional\naccount.1.srv_without_naptr = every\n",
    );
    let locate = &own.locate;
    let naptr = Naptr {
        order: 90,
        preference: 50,
        flags: "S".to_owned(),
        service: "SIP+D2T".to_owned(),
        regexp: String::new(),
        replacement: "_sip._tcp.yealink.pbx.com".to_owned(),
    };
    let srv = Srv { priority: 0, weight: 1, port: 5061, target: "server1.yealink.pbx.com".to_owned() };
    let records: Vec<_> = locate.static_records.iter().cloned().collect();
    assert_eq!(
        records,
        [
            Record::new("yealink.pbx.com", secs(300), naptr),
            Record::new("_sip._tcp.yealink.pbx.com", secs(3600), srv),
            Record::new(
                "server1.yealink.pbx.com",
                secs(2_147_483_647),
                RecordData::A([192, 168, 1, 13].into())
            ),
        ]
    );
    assert_eq!(
        (locate.static_order, locate.cache),
        (StaticOrder::StaticFirst, CacheMode::AnswersAndAdditional)
    );
    assert_eq!(locate.srv_without_naptr, SrvWithoutNaptr::Every);
    let chained = account("account.1.dns_records = a.example 30 NAPTR 1 1 - SIP+D2U b.example\n");
    let flags = chained.locate.static_records.iter().map(|record| match &record.data {
        RecordData::Naptr(naptr) => naptr.flags.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(flags.collect::<Vec<_>>(), [""]);
    let twelve = "a.example 30 A 192.0.2.1;".repeat(12);
    assert_eq!(account(&format!("account.1.dns_records = {twelve}\n")).locate.static_records.len(), 12);
    for (records, reason) in [
        (format!("{twelve}a.example 30 A 192.0.2.1"), "more than 12 records"),
        ("a.example 29 A 192.0.2.1".to_owned(), "the TTL is not from 30"),
        ("a.example 30 A here".to_owned(), "expected `NAME TTL` and"),
        ("a.example 30 NAPTR 1 1 X SIP+D2U b.example".to_owned(), "expected `NAME TTL` and"),
        ("a.example 30 SRV 0 0 65536 b.example".to_owned(), "expected `NAME TTL` and"),
        ("a.example 30 SRV 0 0 5060 b..example".to_owned(), "expected a domain name"),
    ] {
        let error = wrong(&format!("account.1.dns_records = {records}\n"));
        assert!(error.contains(reason), "{records}: {error}");
    }
}

#[test]
fn what_is_not_set_of_locating_is_as_each_maker_has_it() {
    let cp860 = account("phone.model = cp860\n").locate;
    assert_eq!((cp860.static_order, cp860.cache), (StaticOrder::DnsFirst, CacheMode::Answers));
    assert_eq!((cp860.srv_without_naptr, cp860.static_records.len()), (SrvWithoutNaptr::Udp, 0));
    let off = account("phone.model = cp860\naccount.1.dns_cache = off\naccount.1.srv_without_naptr = udp\n");
    assert_eq!((off.locate.cache, off.locate.srv_without_naptr), (CacheMode::Off, SrvWithoutNaptr::Udp));
    let ut670 = account("phone.model = ut670\n").locate;
    assert_eq!((ut670.prefixes.udp.as_str(), ut670.prefixes.tcp.as_str()), ("_sip._udp.", "_sip._tcp."));
    let own = account(
        "phone.model = ut670\naccount.1.srv_prefix_udp = _voip._udp.\naccount.1.srv_prefix_tcp = _voip._tcp.\n",
    );
    assert_eq!((&*own.locate.prefixes.udp, &*own.locate.prefixes.tcp), ("_voip._udp.", "_voip._tcp."));
    assert!(wrong(&format!("account.1.srv_prefix_udp = {}\n", "x".repeat(33))).contains("at most 32"));
}

#[test]
fn each_account_has_its_own_delay_reports_and_marks() {
    let both = "account.2.aor = sip:bob@example.org\nphone.model = ut670\nmedia.jitter_max = 300\n\
                media.rtcp_interval = 9\nmedia.dscp = 46\n";
    let mut accounts = config(
        &format!(
            "{both}account.1.jitter = fixed\naccount.1.jitter_min = 10\naccount.1.jitter_normal = 70\n\
             account.1.jitter_max = 500\naccount.1.rtcp = on\naccount.1.rtcp_interval = 65535\n\
             account.1.rtp_dscp = 34\naccount.1.rtcp_dscp = 0\naccount.2.rtp_dscp = 63\n"
        ),
        AOR,
    )
    .accounts;
    let (bob, alice) = (accounts.remove(1).audio.expect("his own"), accounts.remove(0).audio.expect("hers"));
    let ms = |delay: sidetone_media::jitter::DelayLimits| {
        (delay.min.as_millis(), delay.normal.as_millis(), delay.max.as_millis())
    };
    assert_eq!((alice.delay.mode, ms(alice.delay)), (DelayMode::Fixed, (10, 70, 500)));
    assert_eq!((bob.delay.mode, ms(bob.delay)), (DelayMode::Adaptive, (20, 20, 300)));
    assert_eq!((alice.rtcp.enabled, alice.rtcp.interval), (true, secs(65_535)));
    assert_eq!((bob.rtcp.enabled, bob.rtcp.interval), (false, secs(9)));
    assert_eq!((alice.dscp, alice.rtcp_dscp), (Some(34), Some(0)));
    assert_eq!((bob.dscp, bob.rtcp_dscp), (Some(63), None));
    let same = wrong("phone.model = ut670\naccount.1.jitter_normal = 70\naccount.1.jitter_max = 70\n");
    assert!(same.contains("account.1: jitter_max: expected more than jitter_normal"), "{same}");
    let order = wrong("account.1.jitter_min = 80\naccount.1.jitter_normal = 70\n");
    assert!(order.contains("account.1: jitter_min, jitter_normal, jitter_max:"), "{order}");
    assert!(wrong("account.1.rtcp_interval = 4\n").contains("expected 0, or 5 to 65535"));
    assert!(wrong("account.1.rtp_dscp = 64\n").contains("expected 0 to 63, or nothing"));
}

#[test]
fn a_ut670_takes_the_rtp_ports_that_its_manual_allows() {
    let ut670 = |settings: &str| try_config(&format!("phone.model = ut670\n{settings}"), AOR);
    let ports = |config: Result<Config, String>| config.expect("valid").media.ports;
    let range = PortRules::UT670.range(16_000, 20_000).expect("a range");
    assert_eq!(ports(ut670("")), range);
    let list: Vec<u16> = (0..25).map(|channel| 30_000 + 10 * channel).collect();
    let text = |list: &[u16]| list.iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
    let external = format!("media.external_ports = {}\n", text(&list));
    let plan = ports(ut670(&external));
    assert_eq!(plan.pairs(0).collect::<Vec<_>>(), list, "the range is ignored");
    assert_eq!(ports(ut670(&format!("media.external_ports = {}\n", text(&[0; 25])))), range);
    let error = |settings: &str| ut670(settings).map(|_| ()).expect_err(settings);
    assert!(error("media.port = 16001\n").contains("16001 is odd"));
    assert!(error("media.port_last = 16398\n").contains("expected 400 between them"));
    assert!(error("media.port_last = 49152\n").contains("expected 1024 to 49150"));
    assert!(error(&format!("{external}sip.port = 30041\n")).contains("SIP port 30041 is taken"));
    assert!(error(&format!("{external}panel.address = 127.0.0.1:30040\n")).contains("30040 is taken"));
    assert!(error("media.external_ports = 30000 30002\n").contains("2 external RTP ports, expected 25"));
    assert!(error("media.external_ports = many\n").contains("expected ports"));
    assert_eq!(config("phone.model = c60s\n", AOR).media.ports, PortPlan::any());
}

#[test]
fn pcmu_stands_behind_the_codecs_of_a_ut670_unless_it_is_not_to() {
    let names = |settings: &str| {
        let audio = account(&format!("phone.model = ut670\n{settings}")).audio.expect("its own");
        audio.description.codecs.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names("account.1.codecs = PCMA G729\n"), ["PCMA", "G729", "PCMU"]);
    assert_eq!(names("account.1.codecs = PCMU G729\n"), ["PCMU", "G729"]);
    assert_eq!(names("account.1.codecs = G729\nmedia.pcmu_always = no\n"), ["G729"]);
    assert_eq!(names("account.1.codecs = G729 PCMU G722\n"), ["G729", "PCMU", "G722"]);
}

#[test]
fn messages_are_asked_for_where_an_account_is_told_to() {
    let calls = |settings: &str| config(settings, AOR).calls;
    assert_eq!(calls("account.1.voice_mail = *97\n").mwi(0), None);
    let asked = calls("account.1.voice_mail = *97\naccount.1.mwi = yes\naccount.1.mwi_interval = 600\n");
    assert_eq!((asked.mwi(0), asked.mailbox(0).number), (Some(secs(600)), None));
    let at_voice_mail =
        calls("account.1.voice_mail = *97\naccount.1.mwi = yes\naccount.1.mwi_to_voice_mail = yes\n");
    assert_eq!(at_voice_mail.mailbox(0).number.as_deref(), Some("*97"));
    let without = calls("account.1.mwi = yes\naccount.1.mwi_to_voice_mail = yes\n");
    assert_eq!((without.mwi(0), without.mailbox(0).number), (Some(secs(3600)), None));
    assert!(calls("phone.model = ut670\n").mailbox(0).voice_line, "PAB-107");
    assert!(!calls("phone.model = cp860\n").mailbox(0).voice_line);
}

#[test]
fn accounts_that_are_off_are_not_there_and_no_telephone_has_more_than_its_manual_says() {
    for (model, most) in [("c60s", 2), ("cp860", 1), ("es620", 8), ("ut670", 6)] {
        let lines = |count: u8| {
            (2..=count).map(|number| format!("account.{number}.aor = sip:{number}@pbx{number}.example.org\n"))
        };
        let settings = format!("phone.model = {model}\n{}", lines(most).collect::<String>());
        let accounts = config(&settings, AOR).accounts;
        let hosts: Vec<_> = accounts.iter().map(|account| account.aor.to_string()).collect();
        let expected: Vec<_> = core::iter::once(AOR.to_owned())
            .chain((2..=most).map(|number| format!("sip:{number}@pbx{number}.example.org")))
            .collect();
        assert_eq!(hosts, expected, "{model}: each at its own server");
        let off = config(&format!("{settings}account.{most}.enabled = no\n"), AOR).accounts;
        assert_eq!(off.len(), usize::from(most - 1), "{model}");
        if most < 8 {
            let more = format!("phone.model = {model}\n{}", lines(most + 1).collect::<String>());
            assert!(wrong(&more).contains(&format!("takes {most} account(s)")), "{model}");
        }
    }
}

#[test]
fn times_outside_of_what_the_telephones_allow_are_refused() {
    assert!(wrong("account.1.session_expires = 29\n").contains("expected 30 to 65535"));
    assert!(wrong("sip.timer_t1 = 249\n").contains("expected 250 to 10000"));
    assert!(wrong("sip.timer_t2 = 40001\n").contains("expected 2000 to 40000"));
    assert!(wrong("sip.timer_t4 = 60001\n").contains("expected 0 to 60000"));
    let timers =
        config("sip.timer_t1 = 10000\nsip.timer_t2 = 40000\nsip.timer_t4 = 2500\n", AOR).network.timers;
    assert_eq!((timers.t1, timers.t2), (secs(10), secs(40)));
    assert_eq!(timers.t4, Duration::from_millis(2500));
    let session = |settings: &str| account(settings).session.timer;
    let cp860 = "phone.model = cp860\naccount.1.session_timer = yes\n";
    assert_eq!(session(cp860).method, RefreshMethod::Invite);
    assert_eq!((session(cp860).expires, session(cp860).refresher), (secs(1800), Some(Refresher::Uac)));
    let shortest = session(&format!("{cp860}account.1.session_expires = 30\n"));
    assert_eq!((shortest.expires, shortest.min_se), (secs(30), secs(30)));
    for (word, method) in
        [("auto", RefreshMethod::Auto), ("update", RefreshMethod::Update), ("invite", RefreshMethod::Invite)]
    {
        let set = format!("phone.model = ut670\naccount.1.session_refresh_by = {word}\n");
        assert_eq!(session(&set).method, method);
    }
    assert_eq!(session("phone.model = ut670\n").method, RefreshMethod::Invite);
}

#[test]
fn session_descriptions_say_what_an_account_is_set_to() {
    let names = |settings: &str| {
        let description = account(settings).audio.expect("its own").description;
        let types: Vec<_> = description
            .payload_types
            .iter()
            .map(|(codec, number)| format!("{}={number}", codec.name))
            .collect();
        (types.join(" "), description.origin_user)
    };
    let (types, user) = names("phone.model = cp860\n");
    assert_eq!(types, "G726-16=103 G726-24=104 G726-32=102 G726-40=105 iLBC=106");
    assert_eq!(user, "-");
    let (types, user) = names("account.1.payload_types = iLBC=120\naccount.1.sdp_user = 1234\n");
    assert_eq!((types.as_str(), user.as_str()), ("iLBC=120", "1234"));
    for entry in ["iLBC=95", "iLBC=128", "iLBC", "Ruritanian=100"] {
        let error = wrong(&format!("account.1.payload_types = {entry}\n"));
        assert!(error.contains("expected a codec and 96 to 127"), "{error}");
    }
    let ends = |settings: &str| account(settings).audio.expect("its own").dtmf.stream.ends;
    assert_eq!((ends(""), ends("media.dtmf_ends = 1\n")), (3, 1));
    assert!(wrong("media.dtmf_ends = 4\n").contains("expected 1 to 3"));
}

#[test]
fn the_user_agent_names_model_version_and_hardware_address() {
    let says = |settings: &str| config(settings, AOR).user_agent;
    let version = env!("CARGO_PKG_VERSION");
    let mac = "phone.mac = 00:80:F0:AB:cd:01\n";
    assert_eq!(
        says(&format!("phone.model = ut670\n{mac}")),
        format!("Panasonic_KX-UT670/{version} (0080f0abcd01)")
    );
    let own = "phone.user_agent = {MAC} {MODEL}\n";
    assert_eq!(says(&format!("phone.model = ut670\n{mac}{own}")), "0080F0ABCD01 KX-UT670");
    assert_eq!(says("phone.model = es620\n"), format!("sidetone-phone/{version}"));
    let long = format!("phone.user_agent = {}\n", "x".repeat(129));
    assert!(wrong(&long).contains("at most 128"));
}
