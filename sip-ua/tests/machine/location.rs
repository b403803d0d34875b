//! Servers located by DNS, and what happens when one of them does not answer (RFC 3263 §4, YLB-004 to YLB-006).

use crate::support::*;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{
    CSeq, CallId, Contact, From, HeaderName, ProxyAuthorization, RetryAfter, Via,
};
use sidetone_sip_core::locate::{LocateOptions, Record};
use sidetone_sip_core::{FlowRequest, Message, Method, Request, Response, StatusCode};
use sidetone_sip_ua::{AccountConfig, CallState, EndedBy, Event, RegistrationState};

const FIRST: &str = "192.0.2.50:5060";
const SECOND: &str = "192.0.2.51:5070";

/// Two servers, the first of which is wanted.
fn zone() -> Vec<Record> {
    vec![
        srv("_sip._udp.example.org", 1, 5060, "one.example.org"),
        srv("_sip._udp.example.org", 2, 5070, "two.example.org"),
        a("one.example.org", "192.0.2.50"),
        a("two.example.org", "192.0.2.51"),
    ]
}

fn config() -> AccountConfig {
    AccountConfig::parse("sip:alice:secret@example.org").unwrap()
}

/// A call of ours to a domain with two servers.
fn calling(config: AccountConfig) -> (Harness, sidetone_sip_ua::CallId, Request) {
    let mut harness = Harness::new();
    let account = harness.account_with(config);
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), Some(body(OFFER))).unwrap();
    harness.silent();
    harness.dns(&zone());
    let invite = sent_to(&mut harness, FIRST, Method::INVITE);
    (harness, call, invite)
}

#[track_caller]
fn sent_to(harness: &mut Harness, to: &str, method: Method) -> Request {
    match harness.sent() {
        (address, Message::Request(request)) => {
            assert_eq!((address, &request.method), (to.parse::<SocketAddr>().unwrap(), &method));
            request
        }
        (_, other) => panic!("expected {method}, the agent sent {}", line(&other)),
    }
}

fn ok(request: &Request) -> Response {
    let mut ok = reply(request, 200, "bob-tag");
    ok.set_body(&sidetone_sip_core::header::ContentType::SDP, body(ANSWER));
    ok
}

#[test]
fn a_call_goes_to_the_next_server_when_the_first_is_silent() {
    let (mut harness, call, invite) = calling(config());
    let (after, again) = harness.wait_sent_to(SECOND, Duration::from_secs(40));
    // Timer B by the RFC; then the same request in a transaction of its own (RFC 3263 §4.3).
    assert_eq!(after, Duration::from_secs(32));
    assert_eq!(again.headers.require::<CallId>().unwrap(), invite.headers.require::<CallId>().unwrap());
    assert_eq!(again.headers.require::<CSeq>().unwrap(), invite.headers.require::<CSeq>().unwrap());
    assert_eq!(again.headers.require::<From>().unwrap(), invite.headers.require::<From>().unwrap());
    let branch = |request: &Request| request.headers.require::<Via>().unwrap().branch().unwrap().to_owned();
    assert_ne!(branch(&again), branch(&invite));
    assert_eq!(again.headers.all::<Via>().count(), 1);
    harness.put_from(SECOND, ok(&again));
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));

    // The first one is remembered to be dead: the next call does not wait for it, until five minutes are over.
    let account = harness.agent.call_account(call).unwrap();
    let bob = uri("sip:carol@example.org");
    harness.agent.call(harness.now, account, &bob, Some(body(OFFER))).unwrap();
    assert!(harness.dns(&[]).is_empty(), "DNS is not asked twice");
    sent_to(&mut harness, SECOND, Method::INVITE);
    harness.advance(Duration::from_secs(300));
    harness.skip();
    harness.agent.call(harness.now, account, &bob, Some(body(OFFER))).unwrap();
    sent_to(&mut harness, FIRST, Method::INVITE);
}

#[test]
fn credentials_that_have_served_at_one_server_count_on_at_the_next() {
    let (mut harness, _, invite) = calling(config());
    let mut challenge = reply(&invite, 407, "proxy");
    let value = "Digest realm=\"example.org\", nonce=\"n1\", qop=\"auth\"";
    challenge.headers.push_raw(HeaderName::PROXY_AUTHENTICATE, value).unwrap();
    harness.put_from(FIRST, challenge);
    sent_to(&mut harness, FIRST, Method::ACK);
    let invite = sent_to(&mut harness, FIRST, Method::INVITE);
    let uses = |invite: &Request| {
        let all = invite.headers.all::<ProxyAuthorization>();
        all.map(|sent| sent.unwrap().0.nc.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(uses(&invite), [1]);
    harness.put_from(FIRST, reply(&invite, 503, "proxy"));
    sent_to(&mut harness, FIRST, Method::ACK);
    let again = sent_to(&mut harness, SECOND, Method::INVITE);
    assert_eq!(uses(&again), [2]);
}

#[test]
fn when_no_server_answers_the_call_fails_for_time() {
    let (mut harness, _, _) = calling(config());
    harness.advance(Duration::from_secs(64) - Duration::from_millis(1));
    harness.no_event();
    harness.ms(1);
    let cause = harness.ended();
    assert_eq!((cause.by, cause.status), (EndedBy::Timeout, Some(StatusCode::REQUEST_TIMEOUT)));
    assert!(harness.agent.is_idle() && harness.agent.locator().is_idle());
    assert_eq!(harness.agent.locator().blacklisted(), 2);
}

#[test]
fn a_503_asks_the_next_and_its_retry_after_says_for_how_long() {
    let (mut harness, _, invite) = calling(config());
    harness.put_from(FIRST, reply_with(&invite, 503, &RetryAfter::new(100)));
    sent_to(&mut harness, FIRST, Method::ACK);
    let again = sent_to(&mut harness, SECOND, Method::INVITE);
    assert_eq!(seq(&again), seq(&invite));
    harness.put_from(SECOND, ok(&again));
    harness.skip();
    let account = harness.account_with(config());
    for (wait, server) in [(99, SECOND), (1, FIRST)] {
        harness.advance(Duration::from_secs(wait));
        harness.skip();
        harness.agent.register(harness.now, account).unwrap();
        let register = sent_to(&mut harness, server, Method::REGISTER);
        let mut ok = register.response(StatusCode::OK, Some("registrar"));
        ok.headers.push(&register.headers.require::<Contact>().unwrap().with_expires(3600));
        harness.put_from(server, ok);
    }
    // Without Retry-After the server is asked first again; from the last one, 503 is the answer.
    harness.agent.register(harness.now, account).unwrap();
    for server in [FIRST, SECOND] {
        let register = sent_to(&mut harness, server, Method::REGISTER);
        harness.put_from(server, register.response(StatusCode::SERVICE_UNAVAILABLE, Some("registrar")));
    }
    harness.silent();
    let last = core::iter::from_fn(|| harness.agent.poll_event()).last();
    let Some(Event::Registration { state: RegistrationState::Failed { status, .. }, .. }) = last else {
        panic!("expected a failure, got {last:?}")
    };
    assert_eq!(status, Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(harness.agent.locator().blacklisted(), 0, "nobody said for how long");
}

#[test]
fn with_retry_counts_a_silent_server_is_given_up_earlier_but_not_the_last() {
    let mut config = config();
    config.server_retries = Some(3);
    let (mut harness, _, _) = calling(config.clone());
    // 0.5 + 1 + 2 + 4 s: the request, three repeats, and the wait after the last (YLB-004, YLB-005).
    let (after, _) = harness.wait_sent_to(SECOND, Duration::from_secs(40));
    assert_eq!(after, Duration::from_millis(7500));
    harness.advance(Duration::from_millis(31_999));
    harness.no_event();
    harness.ms(1);
    assert_eq!(harness.ended().by, EndedBy::Timeout);
    assert!(harness.agent.is_idle());
    harness.advance(Duration::from_secs(60));
    assert!(harness.agent.poll_timeout().is_none());

    // A registration too; an answer in time stops the clock.
    let mut harness = Harness::new();
    let account = harness.account_with(config);
    harness.agent.register(harness.now, account).unwrap();
    harness.dns(&zone());
    harness.ms(7000);
    let register = sent_to(&mut harness, FIRST, Method::REGISTER);
    harness.put_from(FIRST, register.response(StatusCode::TRYING, None));
    harness.skip();
    harness.advance(Duration::from_secs(20));
    while harness.skip() > 0 {}
    assert_eq!(harness.agent.locator().blacklisted(), 0);
}

#[test]
fn a_server_that_was_given_up_and_takes_the_call_has_it() {
    let mut config = config();
    config.server_retries = Some(0);
    let (mut harness, call, invite) = calling(config);
    let (after, again) = harness.wait_sent_to(SECOND, Duration::from_secs(1));
    assert_eq!(after, Duration::from_millis(500));
    // Its INVITE goes on until it says something, for only then a CANCEL can be sent.
    harness.skip();
    harness.put_from(SECOND, reply(&again, 180, "two"));
    assert!(matches!(harness.event(), Event::Progress { .. }));
    // The first wakes up with a 2xx: it has the call, and the second is told that nobody wants it any more.
    harness.put_from(FIRST, ok(&invite));
    assert!(matches!(harness.event(), Event::Answered { .. }));
    let mut methods: Vec<_> = (0..2)
        .map(|_| match harness.sent() {
            (to, Message::Request(request)) => (request.method.to_string(), to),
            (_, other) => panic!("{}", line(&other)),
        })
        .collect();
    methods.sort();
    let peer = address(PEER);
    assert_eq!(methods, [("ACK".to_owned(), peer), ("CANCEL".to_owned(), address(SECOND))]);
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
    // It took the call at the same moment: that answer is acknowledged and hung up.
    let mut other = ok(&again);
    other.headers.set(&sidetone_sip_core::header::To(
        again.headers.require::<sidetone_sip_core::header::To>().unwrap().0.with_tag("two"),
    ));
    harness.put_from(SECOND, other);
    harness.request(Method::ACK);
    harness.request(Method::BYE);
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn a_server_that_was_given_up_and_rings_late_is_told() {
    let mut config = config();
    config.server_retries = Some(0);
    let (mut harness, _, invite) = calling(config);
    let (_, again) = harness.wait_sent_to(SECOND, Duration::from_secs(1));
    harness.skip();
    harness.put_from(FIRST, reply(&invite, 180, "one"));
    sent_to(&mut harness, FIRST, Method::CANCEL);
    harness.no_event();
    harness.put_from(SECOND, ok(&again));
    assert!(matches!(harness.event(), Event::Answered { .. }));
}

/// The connection that the agent asks for.
fn connect(harness: &mut Harness) -> (Protocol, SocketAddr, Option<String>) {
    match harness.agent.poll_flow() {
        Some(FlowRequest::Connect { protocol, remote, domain, .. }) => {
            (protocol, remote, domain.map(|domain| domain.to_string()))
        }
        other => panic!("expected a connection to be made, got {other:?}"),
    }
}

#[test]
fn tls_is_for_the_domain_of_the_uri_whatever_srv_says() {
    let mut harness = Harness::new();
    let account = harness.account_with(config().with_transport(Protocol::Tls));
    harness.agent.register(harness.now, account).unwrap();
    let zone =
        [srv("_sips._tcp.example.org", 1, 5071, "host.isp.example"), a("host.isp.example", "192.0.2.60")];
    let asked = harness.dns(&zone);
    assert_eq!(asked, ["SRV _sips._tcp.example.org", "A host.isp.example", "AAAA host.isp.example"]);
    let domain = Some("example.org".to_owned());
    assert_eq!(connect(&mut harness), (Protocol::Tls, address("192.0.2.60:5071"), domain));
}

#[test]
fn dns_chooses_the_transport_when_it_is_to() {
    let mut account = config();
    account.transport_by_dns = true;
    let zone = [
        naptr("example.org", 90, "SIP+D2T", "_sip._tcp.example.org"),
        naptr("example.org", 100, "SIP+D2U", "_sip._udp.example.org"),
        srv("_sip._tcp.example.org", 1, 5070, "one.example.org"),
        srv("_sip._udp.example.org", 1, 5060, "one.example.org"),
        a("one.example.org", "192.0.2.50"),
    ];
    let mut harness = Harness::new();
    let id = harness.account_with(account.clone());
    harness.agent.register(harness.now, id).unwrap();
    let asked = harness.dns(&zone);
    assert_eq!(asked[..2], ["NAPTR example.org", "SRV _sip._tcp.example.org"]);
    assert_eq!(connect(&mut harness).0, Protocol::Tcp);
    // A transport in the URI is not DNS's to choose, nor when it is off.
    account.proxy = Some(uri("sip:example.org;transport=udp"));
    let mut off = config();
    off.transport_by_dns = false;
    for config in [account, off] {
        let mut harness = Harness::new();
        let id = harness.account_with(config);
        harness.agent.register(harness.now, id).unwrap();
        assert_eq!(harness.dns(&zone)[0], "SRV _sip._udp.example.org");
        sent_to(&mut harness, "192.0.2.50:5060", Method::REGISTER);
    }
}

#[test]
fn options_of_an_account_are_heeded() {
    let mut harness = Harness::new();
    let id = harness.account_with(config().with_locate(LocateOptions::yealink()));
    harness.agent.register(harness.now, id).unwrap();
    let zone = [srv("_sip._udp.example.org", 1, 5070, "one.example.org"), a("one.example.org", "192.0.2.50")];
    assert_eq!(harness.dns(&zone), ["SRV _sip._udp.example.org", "A one.example.org"], "IPv4 only");
}

#[test]
fn dns_that_says_nothing_is_a_failure_in_time() {
    let mut harness = Harness::new();
    let account = harness.account_with(config());
    harness.agent.register(harness.now, account).unwrap();
    let mut asked = 0;
    for _ in 0..2 {
        asked += std::iter::from_fn(|| harness.agent.poll_query()).count();
        harness.advance(Duration::from_secs(5));
    }
    assert_eq!(asked, 3, "SRV, then A and AAAA");
    let last = std::iter::from_fn(|| harness.agent.poll_event()).last();
    let Some(Event::Registration { state: RegistrationState::Failed { reason, .. }, .. }) = last else {
        panic!("expected a failure, got {last:?}")
    };
    assert_eq!(reason, "the name servers do not answer");
}

#[test]
fn an_account_stays_at_the_server_that_it_drew() {
    let zone = [
        srv("_sip._udp.example.org", 1, 5060, "one.example.org"),
        srv("_sip._udp.example.org", 1, 5060, "two.example.org"),
        a("one.example.org", "192.0.2.50"),
        a("two.example.org", "192.0.2.51"),
    ];
    let mut servers = std::collections::BTreeSet::new();
    let mut harness = Harness::new();
    for _ in 0..16 {
        let account = harness.account_with(config());
        let mut last = None;
        for _ in 0..6 {
            harness.agent.register(harness.now, account).unwrap();
            harness.dns(&zone);
            let (to, message) = harness.sent();
            let Message::Request(register) = message else { panic!("expected a REGISTER") };
            let mut ok = register.response(StatusCode::OK, Some("registrar"));
            ok.headers.push(&register.headers.require::<Contact>().unwrap().with_expires(3600));
            harness.put_from(&to.to_string(), ok);
            assert!(last.is_none_or(|last| last == to));
            last = Some(to);
        }
        servers.extend(last);
    }
    assert_eq!(servers.len(), 2, "and not every account drew the same");
}
