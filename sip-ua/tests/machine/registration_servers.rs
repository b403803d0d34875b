//! Several servers of one account: failover, fallback and the ways back, as the manuals of the telephones tell.

use crate::registration::{challenge, ok};
use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{Authorization, CallId, Expires, From, To, Via};
use sidetone_sip_core::locate::Record;
use sidetone_sip_core::{Message, Method, Protocol, Request, StatusCode};
use sidetone_sip_ua::{
    AccountConfig, AccountId, ConfigError, Event, Failback, LocateOptions, Redundancy, RedundancyMode,
    RegistrationState, Server,
};

pub const FIRST: &str = "192.0.2.10:5060";
pub const SECOND: &str = "192.0.2.11:5060";

/// What the agent sent where, and the time.
#[derive(Debug)]
pub struct Sent {
    pub at: Duration,
    pub to: String,
    pub request: Request,
}

/// Moves time on; servers that are `up` answer REGISTER by 200 and INVITE by 486. The first of each transaction is given
/// back.
pub fn run(harness: &mut Harness, up: &[&str], duration: Duration) -> Vec<Sent> {
    let (start, end) = (harness.now, harness.now + duration);
    let mut log: Vec<Sent> = Vec::new();
    loop {
        while let Some((to, message)) = harness.try_sent() {
            let Message::Request(request) = message else { continue };
            let to = to.to_string();
            if up.contains(&&*to) {
                match request.method {
                    Method::REGISTER => harness.put_from(&to, granted(&request)),
                    Method::INVITE => harness.put_from(&to, reply(&request, 486, "callee")),
                    _ => {}
                }
            }
            let branch = request.headers.require::<Via>().unwrap().branch().unwrap().to_owned();
            let is_repeat = !harness.seen.insert(branch);
            if !is_repeat && !matches!(request.method, Method::ACK | Method::CANCEL) {
                log.push(Sent { at: harness.now - start, to, request });
            }
        }
        let Some((at, _)) = harness.agent.poll_timeout().filter(|(at, _)| *at <= end) else { break };
        harness.advance(at.max(harness.now) - harness.now);
    }
    harness.advance(end - harness.now);
    log
}

fn granted(request: &Request) -> sidetone_sip_core::Response {
    match request.headers.get::<Expires>() {
        Some(Ok(Expires(0))) => request.response(StatusCode::OK, Some("registrar")),
        _ => ok(request, 600),
    }
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn places(log: &[Sent]) -> Vec<(&str, bool)> {
    log.iter().map(|sent| (&*sent.to, asks_for_time(&sent.request))).collect()
}

pub fn asks_for_time(request: &Request) -> bool {
    !matches!(request.headers.get::<Expires>(), Some(Ok(Expires(0))))
}

fn server(address: &str) -> Server {
    Server::new(uri(&format!("sip:{address}")))
}

fn two_servers() -> Redundancy {
    let mut redundancy = Redundancy::with_secondary(server(SECOND));
    redundancy.servers[0] = server(FIRST);
    redundancy
}

fn account_at(harness: &mut Harness, redundancy: Redundancy) -> AccountId {
    let config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    let account = harness.account_with(config.with_redundancy(redundancy));
    harness.agent.register(harness.now, account).unwrap();
    account
}

/// The addresses that an INVITE of the account to somebody in its domain goes to, before it gives up.
fn called(harness: &mut Harness, account: AccountId, up: &[&str]) -> Vec<String> {
    harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), Some(body(OFFER))).unwrap();
    let log = run(harness, up, secs(100));
    let invites = log.into_iter().filter(|sent| sent.request.method == Method::INVITE);
    invites.map(|sent| sent.to).collect()
}

fn states(harness: &mut Harness) -> Vec<RegistrationState> {
    let mut states = Vec::new();
    while let Some(event) = harness.agent.poll_event() {
        if let Event::Registration { state, .. } = event {
            states.push(state);
        }
    }
    states
}

#[test]
fn in_concurrent_mode_both_servers_are_registered_at_once_and_calls_go_to_the_working_one() {
    let mut harness = Harness::new();
    let account = account_at(&mut harness, Redundancy::yealink(server(FIRST), server(SECOND)));
    let log = run(&mut harness, &[FIRST, SECOND], secs(1));
    assert_eq!(places(&log), [(FIRST, true), (SECOND, true)]);
    let ids: Vec<_> = log.iter().map(|sent| sent.request.headers.require::<CallId>().unwrap()).collect();
    assert_ne!(ids[0], ids[1], "each binding has a Call-ID of its own");
    assert_eq!(harness.agent.account_bindings(account).len(), 2);
    assert_eq!(called(&mut harness, account, &[FIRST, SECOND]), [FIRST]);
}

#[test]
fn in_concurrent_mode_the_fallback_server_has_the_calls_while_the_working_one_is_away() {
    let mut harness = Harness::new();
    let account = account_at(&mut harness, Redundancy::yealink(server(FIRST), server(SECOND)));
    run(&mut harness, &[FIRST, SECOND], secs(1));
    // An INVITE meets the dead server first, and goes on.
    assert_eq!(called(&mut harness, account, &[SECOND]), [FIRST, SECOND]);
    // The refresh meets it too; from then on calls go to the other at once.
    run(&mut harness, &[SECOND], secs(600));
    assert!(harness.agent.account_state(account).unwrap().is_registered());
    assert_eq!(harness.agent.account_bindings(account)[0].server, 1);
    assert_eq!(called(&mut harness, account, &[SECOND])[..1], [SECOND]);
    // Back-off ends after half an hour at most.
    run(&mut harness, &[FIRST, SECOND], secs(1900));
    assert_eq!(harness.agent.account_bindings(account).len(), 2);
    assert_eq!(called(&mut harness, account, &[FIRST, SECOND]), [FIRST]);
}

#[test]
fn in_successive_mode_the_second_server_is_registered_only_when_the_first_one_fails() {
    let mut harness = Harness::new();
    let account = account_at(&mut harness, two_servers());
    let log = run(&mut harness, &[FIRST, SECOND], secs(4000));
    assert!(log.iter().all(|sent| sent.to == FIRST), "{:?}", places(&log));
    // The first one goes away; its refresh fails after 64 T1, and the second one takes over.
    let log = run(&mut harness, &[SECOND], secs(700));
    let taken = log.iter().position(|sent| sent.to == SECOND).unwrap();
    assert!(log[..taken].iter().all(|sent| sent.to == FIRST));
    assert_eq!(log[taken].at - log[taken - 1].at, secs(32));
    assert_eq!(harness.agent.account_bindings(account)[0].server, 1);
    assert_eq!(called(&mut harness, account, &[SECOND]), [SECOND]);
}

#[test]
fn any_refusal_of_the_first_server_makes_the_second_one_take_over() {
    for code in [403, 404, 500, 503] {
        let mut harness = Harness::new();
        let account = account_at(&mut harness, two_servers());
        let first = harness.request(Method::REGISTER);
        harness.put_from(FIRST, reply(&first, code, "registrar"));
        let log = run(&mut harness, &[SECOND], secs(1));
        assert_eq!(places(&log), [(SECOND, true)], "after {code}");
        let told = states(&mut harness);
        assert!(told.last().unwrap().is_registered(), "{told:?}");
        assert!(harness.agent.account_state(account).unwrap().is_registered());
    }
}

#[test]
fn while_the_second_server_has_taken_over_the_first_is_probed_and_when_it_is_back_the_second_is_left() {
    let mut harness = Harness::new();
    let account = account_at(&mut harness, two_servers().probing_every(secs(120)));
    let log = run(&mut harness, &[SECOND], secs(33));
    assert_eq!(places(&log), [(FIRST, true), (SECOND, true)]);
    // Probes are 120 s apart, from the failure that each one meets.
    let log = run(&mut harness, &[SECOND], secs(400));
    let probes: Vec<u64> = log.iter().filter(|sent| sent.to == FIRST).map(|sent| sent.at.as_secs()).collect();
    assert_eq!(probes, [119, 271], "120 s after 32 s of silence each");
    assert!(states(&mut harness).last().unwrap().is_registered());
    let log = run(&mut harness, &[FIRST, SECOND], secs(130));
    assert_eq!(places(&log), [(FIRST, true), (SECOND, false)]);
    let bindings = harness.agent.account_bindings(account);
    assert_eq!((bindings.len(), bindings[0].server), (1, 0));
    assert_eq!(called(&mut harness, account, &[FIRST, SECOND]), [FIRST]);
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_its_retry_count_while_there_is_another() {
    let mut harness = Harness::new();
    let mut redundancy = two_servers();
    redundancy.servers[0] = server(FIRST).with_retries(3);
    redundancy.servers[1] = server(SECOND).with_retries(3);
    account_at(&mut harness, redundancy);
    let log = run(&mut harness, &[], secs(60));
    // 0.5 + 1 + 2 + 4 s for the first; the last one has its 64 T1.
    let second = log.iter().find(|sent| sent.to == SECOND).unwrap();
    assert_eq!(second.at, Duration::from_millis(7500));
    let failed = states(&mut harness);
    assert!(matches!(failed.last(), Some(RegistrationState::Failed { .. })), "{failed:?}");
}

#[test]
fn a_register_to_a_server_that_was_given_up_is_not_repeated() {
    let mut harness = Harness::new();
    let mut redundancy = two_servers();
    redundancy.servers[0] = server(FIRST).with_retries(3);
    account_at(&mut harness, redundancy);
    let mut times = Vec::new();
    for _ in 0..250 {
        while let Some((to, _)) = harness.try_sent() {
            if to == address(FIRST) {
                times.push(harness.now);
            }
        }
        harness.ms(100);
    }
    // By timer F it would go on for 32 s, beside the one at the other server.
    let began = times[0];
    let after: Vec<Duration> = times.into_iter().map(|at| at - began).collect();
    assert_eq!(after, [0, 500, 1500, 3500].map(Duration::from_millis));
}

#[test]
fn each_server_has_a_lifetime_and_a_transport_of_its_own() {
    let mut harness = Harness::new();
    harness.agent.endpoint_mut().bind(Protocol::Tcp, address(LOCAL));
    let second = server(SECOND).with_expires(secs(120)).with_transport(Protocol::Tcp);
    let mut redundancy = Redundancy::yealink(server(FIRST), second);
    redundancy.mode = RedundancyMode::Concurrent;
    account_at(&mut harness, redundancy);
    let first = harness.request(Method::REGISTER);
    assert_eq!(first.headers.require::<Expires>().unwrap(), Expires(3600));
    // The other one wants a connection first.
    let flow = harness.agent.poll_flow();
    let Some(sidetone_sip_core::FlowRequest::Connect { remote, protocol, .. }) = flow else {
        panic!("expected a connection, got {flow:?}")
    };
    assert_eq!((remote, protocol), (address(SECOND), Protocol::Tcp));
}

#[test]
fn a_fallback_server_may_want_its_own_host_as_the_domain() {
    let mut harness = Harness::new();
    let redundancy = Redundancy::yealink(server(FIRST), server(SECOND).with_own_domain());
    let account = account_at(&mut harness, redundancy);
    let log = run(&mut harness, &[SECOND], secs(40));
    let at = |to: &str| log.iter().find(|sent| sent.to == to).unwrap().request.clone();
    assert_eq!(at(FIRST).uri, uri("sip:example.org"));
    let second = at(SECOND);
    assert_eq!(second.uri, uri("sip:192.0.2.11:5060"));
    assert_eq!(second.headers.require::<To>().unwrap().0.uri, uri("sip:alice@192.0.2.11:5060"));
    harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), None).unwrap();
    let (_, invite) = harness.wait_sent_to(SECOND, secs(1));
    assert_eq!(invite.uri, uri("sip:bob@192.0.2.11:5060"));
    assert_eq!(invite.headers.require::<From>().unwrap().0.uri, uri("sip:alice@192.0.2.11:5060"));
}

#[test]
fn credentials_are_each_servers_own_affair() {
    let mut harness = Harness::new();
    account_at(&mut harness, Redundancy::yealink(server(FIRST), server(SECOND)));
    let (first, second) = (harness.request(Method::REGISTER), harness.request(Method::REGISTER));
    harness.put_from(SECOND, challenge(&second, "n2", false));
    let again = harness.request(Method::REGISTER);
    assert_eq!(seq(&again), seq(&second) + 1);
    assert_eq!(&*again.headers.require::<Authorization>().unwrap().nonce, "n2");
    harness.put_from(FIRST, ok(&first, 600));
    harness.put_from(SECOND, ok(&again, 600));
    assert!(states(&mut harness).last().unwrap().is_registered());
}

#[test]
fn a_panasonic_uses_its_secondary_server_only_when_both_are_numeric() {
    for (primary, secondary, both) in
        [(FIRST, SECOND, true), ("pbx.example.org", SECOND, false), (FIRST, "second.example.org", false)]
    {
        let mut harness = Harness::new();
        let redundancy = Redundancy::panasonic(server(primary), server(secondary));
        account_at(&mut harness, redundancy.in_mode(RedundancyMode::Concurrent));
        harness.dns(&[a("pbx.example.org", "192.0.2.10"), a("second.example.org", "192.0.2.11")]);
        let log = run(&mut harness, &[FIRST, SECOND], secs(1));
        assert_eq!(log.len(), if both { 2 } else { 1 }, "{primary} {secondary}");
    }
}

#[test]
fn a_panasonic_sends_calls_to_its_proxy_and_registers_at_its_registrar() {
    let mut harness = Harness::new();
    let mut redundancy = Redundancy::default();
    redundancy.servers = vec![server(FIRST).with_proxy(uri("sip:192.0.2.20"))];
    let account = account_at(&mut harness, redundancy);
    let log = run(&mut harness, &[FIRST], secs(1));
    assert_eq!(places(&log), [(FIRST, true)]);
    assert_eq!(called(&mut harness, account, &["192.0.2.20:5060"]), ["192.0.2.20:5060"]);
}

#[test]
fn the_backup_proxy_takes_the_place_of_one_that_does_not_answer() {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    let config = config.with_proxy(uri("sip:192.0.2.10;lr"));
    let config = config.with_redundancy(Redundancy::default().with_backup_proxy(uri("sip:192.0.2.11;lr")));
    let account = harness.account_with(config);
    harness.agent.register(harness.now, account).unwrap();
    let log = run(&mut harness, &[SECOND], secs(40));
    assert_eq!(places(&log), [(FIRST, true), (SECOND, true)]);
    let route = log[1].request.headers.raw(&sidetone_sip_core::header::HeaderName::ROUTE).unwrap();
    assert_eq!(route, b"<sip:192.0.2.11;lr>");
    assert!(harness.agent.account_state(account).unwrap().is_registered());
    // It goes first until the time in which failed servers are avoided is over.
    assert_eq!(called(&mut harness, account, &[SECOND]), [SECOND]);
    harness.advance(secs(200));
    run(&mut harness, &[FIRST, SECOND], secs(400));
    assert_eq!(called(&mut harness, account, &[FIRST, SECOND]), [FIRST]);
}

#[test]
fn all_requests_go_by_the_outbound_proxy_those_to_the_second_server_too() {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    let config = config.with_proxy(uri("sip:192.0.2.30;lr"));
    let config = config.with_redundancy(two_servers().in_mode(RedundancyMode::Concurrent));
    let account = harness.account_with(config);
    harness.agent.register(harness.now, account).unwrap();
    let log = run(&mut harness, &["192.0.2.30:5060"], secs(1));
    assert_eq!(places(&log), [("192.0.2.30:5060", true), ("192.0.2.30:5060", true)]);
    assert_eq!(called(&mut harness, account, &["192.0.2.30:5060"]), ["192.0.2.30:5060"]);
}

#[test]
fn an_account_without_a_server_has_the_telephones_global_one() {
    let global = uri("sip:192.0.2.10");
    let own = uri("sip:192.0.2.11");
    let account = |own| AccountConfig::of_user("200", own, Some(&global)).unwrap().aor.to_string();
    assert_eq!(account(None), "sip:200@192.0.2.10");
    assert_eq!(account(Some(&own)), "sip:200@192.0.2.11");
    assert!(matches!(AccountConfig::of_user("200", None, None), Err(ConfigError::NotSip)));
}

#[test]
fn more_servers_than_there_is_room_for_are_refused() {
    let mut redundancy = Redundancy::default();
    redundancy.servers = (0..9).map(|_| server(FIRST)).collect();
    let config = AccountConfig::parse("sip:alice@192.0.2.2").unwrap().with_redundancy(redundancy);
    assert_eq!(Harness::new().agent.add_account(config), Err(ConfigError::TooManyServers(8)));
}

#[test]
fn unregistering_takes_every_binding_back() {
    let mut harness = Harness::new();
    let account = account_at(&mut harness, Redundancy::yealink(server(FIRST), server(SECOND)));
    run(&mut harness, &[FIRST, SECOND], secs(1));
    harness.agent.unregister(harness.now, account).unwrap();
    let log = run(&mut harness, &[FIRST, SECOND], secs(7200));
    assert_eq!(places(&log), [(FIRST, false), (SECOND, false)]);
    assert_eq!(states(&mut harness).last(), Some(&RegistrationState::Unregistered));
    assert!(harness.agent.is_idle());
}

// Failover within one server, by DNS.

fn zone(ttl: u64) -> [Record; 4] {
    let mut records = [
        srv("_sip._udp.example.org", 0, 5060, "one.example.org"),
        srv("_sip._udp.example.org", 1, 5060, "two.example.org"),
        a("one.example.org", "192.0.2.10"),
        a("two.example.org", "192.0.2.11"),
    ];
    records.iter_mut().for_each(|record| record.ttl = secs(ttl));
    records
}

/// An account whose domain has two addresses; the REGISTER that begins failed over to the second one.
fn failed_over(home: Server, ttl: u64) -> (Harness, AccountId) {
    let mut harness = Harness::new();
    let mut redundancy = Redundancy::default();
    redundancy.servers = vec![home];
    let mut config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    config.locate = LocateOptions::yealink();
    config.server_retries = Some(3);
    let account = harness.account_with(config.with_redundancy(redundancy));
    harness.agent.register(harness.now, account).unwrap();
    harness.dns(&zone(ttl));
    let log = run_with_dns(&mut harness, &[SECOND], secs(10), ttl);
    assert_eq!(places(&log), [(FIRST, true), (SECOND, true)]);
    assert!(harness.agent.account_state(account).unwrap().is_registered());
    (harness, account)
}

/// As `run`, with a DNS server.
fn run_with_dns(harness: &mut Harness, up: &[&str], duration: Duration, ttl: u64) -> Vec<Sent> {
    let mut log = Vec::new();
    let end = harness.now + duration;
    let start = harness.now;
    while harness.now < end {
        harness.dns(&zone(ttl));
        let before = harness.now;
        let step = harness.agent.poll_timeout().map_or(end, |(at, _)| at.max(before)).min(end) - before;
        for mut sent in run(harness, up, step.max(Duration::from_millis(1)).min(end - before)) {
            sent.at += before - start;
            log.push(sent);
        }
    }
    log
}

fn call_with_dns(harness: &mut Harness, account: AccountId, up: &[&str]) -> Vec<(String, Method)> {
    harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), Some(body(OFFER))).unwrap();
    let log = run_with_dns(harness, up, secs(20), 3600);
    log.into_iter().map(|sent| (sent.to, sent.request.method)).collect()
}

fn first_invite(harness: &mut Harness, account: AccountId, up: &[&str]) -> String {
    let sent = call_with_dns(harness, account, up);
    sent.into_iter().find(|(_, method)| *method == Method::INVITE).unwrap().0
}

#[test]
fn new_requests_go_to_the_primary_first_whatever_server_was_used_last() {
    let (mut harness, account) = failed_over(Server::home().with_failback(Failback::NewRequests), 3600);
    let both = [(FIRST.to_owned(), Method::INVITE), (SECOND.to_owned(), Method::INVITE)];
    assert_eq!(call_with_dns(&mut harness, account, &[SECOND]), both);
    // The next one again: the primary is not avoided.
    assert_eq!(call_with_dns(&mut harness, account, &[SECOND]), both);
    assert_eq!(first_invite(&mut harness, account, &[FIRST, SECOND]), FIRST);
    let log = run_with_dns(&mut harness, &[FIRST, SECOND], secs(600), 3600);
    assert_eq!(log[0].to, FIRST, "the refresh too");
}

#[test]
fn with_dns_ttl_the_last_registered_server_goes_first_until_the_ttl_is_over() {
    let (mut harness, account) = failed_over(Server::home().with_failback(Failback::DnsTtl), 300);
    assert_eq!(first_invite(&mut harness, account, &[FIRST, SECOND]), SECOND);
    // 10 s and 20 s are over; the registration moves when the TTL ends, and not before.
    let log = run_with_dns(&mut harness, &[FIRST, SECOND], secs(400), 300);
    let back = log.iter().find(|sent| sent.to == FIRST).unwrap();
    assert_eq!(back.request.method, Method::REGISTER);
    assert_eq!((back.at + secs(30)).as_secs(), 300, "{:?}", back.at);
    assert_eq!(first_invite(&mut harness, account, &[FIRST, SECOND]), FIRST);
}

#[test]
fn with_registration_the_last_registered_server_goes_first_until_the_registration_is_renewed() {
    let (mut harness, account) = failed_over(Server::home().with_failback(Failback::Registration), 3600);
    assert_eq!(first_invite(&mut harness, account, &[FIRST, SECOND]), SECOND);
    let log = run_with_dns(&mut harness, &[FIRST, SECOND], secs(540), 3600);
    assert_eq!((&*log[0].to, &log[0].request.method), (FIRST, &Method::REGISTER));
    assert!(log[0].at >= secs(270), "half of 600 s but 30: {:?}", log[0].at);
    assert_eq!(first_invite(&mut harness, account, &[FIRST, SECOND]), FIRST);
}

#[test]
fn with_duration_the_last_registered_server_goes_first_for_that_time() {
    let failback = Failback::Duration(secs(60));
    let (mut harness, account) = failed_over(Server::home().with_failback(failback), 3600);
    assert_eq!(first_invite(&mut harness, account, &[FIRST, SECOND]), SECOND);
    let log = run_with_dns(&mut harness, &[FIRST, SECOND], secs(100), 3600);
    assert_eq!((&*log[0].to, &log[0].request.method), (FIRST, &Method::REGISTER));
    // 60 s from when it was registered at, 7.5 s after the beginning.
    assert_eq!(log[0].at + secs(30), Duration::from_millis(67_500));
    assert_eq!(first_invite(&mut harness, account, &[FIRST, SECOND]), FIRST);
}

#[test]
fn with_duration_the_time_begins_anew_when_the_primary_is_still_away() {
    let failback = Failback::Duration(secs(60));
    let (mut harness, account) = failed_over(Server::home().with_failback(failback), 3600);
    let log = run_with_dns(&mut harness, &[SECOND], secs(200), 3600);
    let tries: Vec<u64> = log.iter().filter(|sent| sent.to == FIRST).map(|sent| sent.at.as_secs()).collect();
    // Each try costs 7.5 s, then 60 s begin.
    assert_eq!(tries, [57, 125, 192]);
    assert!(harness.agent.account_state(account).unwrap().is_registered());
}

#[test]
fn with_a_duration_of_zero_the_primary_is_used_again_only_when_the_other_fails() {
    let failback = Failback::Duration(Duration::ZERO);
    let (mut harness, account) = failed_over(Server::home().with_failback(failback), 3600);
    let log = run_with_dns(&mut harness, &[FIRST, SECOND], secs(3000), 3600);
    assert!(log.iter().all(|sent| sent.to == SECOND), "{:?}", places(&log));
    // The one in use fails: a failover, this time to the primary.
    let log = run_with_dns(&mut harness, &[FIRST], secs(600), 3600);
    let order: Vec<&str> = log.iter().map(|sent| &*sent.to).collect();
    assert_eq!(order[..2], [SECOND, FIRST]);
    assert_eq!(first_invite(&mut harness, account, &[FIRST, SECOND]), FIRST);
}

#[test]
fn an_invite_fails_over_without_a_registration_unless_the_settings_want_one() {
    let mut harness = Harness::new();
    let account = home_account(&mut harness, Server::home().with_failback(Failback::NewRequests));
    let sent = call_with_dns(&mut harness, account, &[SECOND]);
    assert_eq!(sent, [(FIRST.to_owned(), Method::INVITE), (SECOND.to_owned(), Method::INVITE)]);
}

#[test]
fn with_register_on_failover_an_invite_waits_for_a_register_at_the_secondary() {
    let mut harness = Harness::new();
    let home = Server::home().with_failback(Failback::NewRequests).registering_on_failover();
    let account = home_account(&mut harness, home);
    let sent = call_with_dns(&mut harness, account, &[SECOND]);
    let expected = [(FIRST, Method::INVITE), (SECOND, Method::REGISTER), (SECOND, Method::INVITE)];
    assert_eq!(sent, expected.map(|(to, method)| (to.to_owned(), method)));
    // Back at the primary, it registers there first.
    let sent = call_with_dns(&mut harness, account, &[FIRST, SECOND]);
    let expected = [(FIRST, Method::REGISTER), (FIRST, Method::INVITE)];
    assert_eq!(sent, expected.map(|(to, method)| (to.to_owned(), method)));
}

#[test]
fn with_register_on_failover_a_refused_register_leaves_the_call_to_the_next_server_and_ends_it_at_the_last() {
    let mut harness = Harness::new();
    let home = Server::home().with_failback(Failback::NewRequests).registering_on_failover();
    let account = home_account(&mut harness, home);
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), Some(body(OFFER))).unwrap();
    let (_, register) = harness.wait_sent_to(SECOND, secs(8));
    assert_eq!(register.method, Method::REGISTER);
    harness.put_from(SECOND, reply(&register, 403, "registrar"));
    let log = run_with_dns(&mut harness, &[], secs(1), 3600);
    assert!(log.iter().all(|sent| sent.request.method == Method::REGISTER), "{:?}", places(&log));
    assert!(matches!(harness.agent.call_state(call), None | Some(sidetone_sip_ua::CallState::Ending)));
}

#[test]
fn a_call_that_waits_for_a_register_can_be_hung_up() {
    let mut harness = Harness::new();
    let home = Server::home().with_failback(Failback::NewRequests).registering_on_failover();
    let account = home_account(&mut harness, home);
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), Some(body(OFFER))).unwrap();
    let (_, register) = harness.wait_sent_to(SECOND, secs(8));
    harness.agent.hangup(harness.now, call).unwrap();
    harness.put_from(SECOND, ok(&register, 600));
    let log = run_with_dns(&mut harness, &[FIRST, SECOND], secs(40), 3600);
    assert!(log.iter().all(|sent| sent.to == FIRST || sent.request.method != Method::INVITE));
}

/// An account at a domain with two addresses, registered at the first.
fn home_account(harness: &mut Harness, home: Server) -> AccountId {
    let mut redundancy = Redundancy::default();
    redundancy.servers = vec![home];
    let mut config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    config.locate = LocateOptions::yealink();
    config.server_retries = Some(3);
    let account = harness.account_with(config.with_redundancy(redundancy));
    harness.agent.register(harness.now, account).unwrap();
    harness.dns(&zone(3600));
    let log = run_with_dns(harness, &[FIRST], secs(1), 3600);
    assert_eq!(places(&log), [(FIRST, true)]);
    account
}

#[test]
fn a_call_tries_primary_secondary_and_fallback_until_all_have_failed() {
    let mut harness = Harness::new();
    let mut config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    config.locate = LocateOptions::yealink();
    config.server_retries = Some(3);
    let fallback = "192.0.2.12:5060";
    let redundancy = Redundancy::yealink(Server::home(), server(fallback));
    let account = harness.account_with(config.with_redundancy(redundancy));
    harness.agent.register(harness.now, account).unwrap();
    harness.dns(&zone(3600));
    run_with_dns(&mut harness, &[FIRST, SECOND, fallback], secs(1), 3600);
    harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), Some(body(OFFER))).unwrap();
    let log = run_with_dns(&mut harness, &[], secs(60), 3600);
    let order: Vec<(&str, u64)> = log
        .iter()
        .filter(|sent| sent.request.method == Method::INVITE)
        .map(|sent| (&*sent.to, u64::try_from(sent.at.as_millis()).unwrap()))
        .collect();
    assert_eq!(order, [(FIRST, 0), (SECOND, 7500), (fallback, 15_000)]);
    // The last server has the whole time of RFC 3261.
    let ended = std::iter::from_fn(|| harness.agent.poll_event())
        .find_map(|event| if let Event::Ended { cause, .. } = event { Some(cause) } else { None });
    assert!(ended.is_some(), "the call fails when all servers have");
}
