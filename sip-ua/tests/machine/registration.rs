use crate::support::*;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{
    Authorization, CallId, Contact, Expires, HeaderName, MinExpires, RetryAfter, To, Via, WwwAuthenticate,
};
use sidetone_sip_core::{Challenge, Method, Request, Response, StatusCode};
use sidetone_sip_ua::{AccountConfig, AccountId, Event, RegistrationState};

/// The registrar's 200, which lists the binding.
pub fn ok(request: &Request, expires: u32) -> Response {
    let mut ok = request.response(StatusCode::OK, Some("registrar"));
    ok.headers.push(&request.headers.require::<Contact>().unwrap().with_expires(expires));
    ok
}

pub fn challenge(request: &Request, nonce: &str, stale: bool) -> Response {
    let text = format!(r#"Digest realm="peer", nonce="{nonce}", qop="auth", algorithm=MD5, stale={stale}"#);
    let challenge: Challenge = text.parse().unwrap();
    let mut response = request.response(StatusCode::UNAUTHORIZED, Some("registrar"));
    response.headers.push(&WwwAuthenticate(challenge));
    response
}

#[track_caller]
pub fn state(harness: &mut Harness) -> RegistrationState {
    match harness.event() {
        Event::Registration { state, .. } => state,
        other => panic!("expected a registration event, got {other:?}"),
    }
}

/// An account that has sent its first REGISTER.
pub fn registering() -> (Harness, AccountId, Request) {
    let mut harness = Harness::new();
    let account = harness.account();
    harness.agent.register(harness.now, account).unwrap();
    assert_eq!(state(&mut harness), RegistrationState::Registering);
    let register = harness.request(Method::REGISTER);
    (harness, account, register)
}

#[test]
fn a_register_names_the_domain_the_address_and_where_we_are() {
    let (_, _, register) = registering();
    assert_eq!(register.uri.to_string(), "sip:192.0.2.2");
    assert_eq!(register.headers.require::<To>().unwrap().uri.to_string(), "sip:alice@192.0.2.2");
    assert_eq!(contact(&register.headers).to_string(), "sip:alice@192.0.2.1:5060");
    assert_eq!(register.headers.require::<Expires>().unwrap(), Expires(3600));
}

#[test]
fn a_binding_is_refreshed_between_half_and_nine_tenths_of_what_was_granted() {
    let (mut harness, account, register) = registering();
    harness.put(ok(&register, 600));
    let expires = Duration::from_secs(600);
    assert_eq!(state(&mut harness), RegistrationState::Registered { expires });
    assert_eq!(harness.agent.account_state(account), Some(&RegistrationState::Registered { expires }));
    harness.advance(Duration::from_secs(299));
    harness.silent();
    let refresh = harness.wait_request(Method::REGISTER, Duration::from_secs(242));
    assert_eq!(refresh.headers.require::<CallId>().unwrap(), register.headers.require::<CallId>().unwrap());
    assert_eq!(seq(&refresh), seq(&register) + 1);
    harness.no_event();
}

#[test]
fn the_lifetime_is_taken_from_contact_before_expires_and_from_what_was_asked_last() {
    let table: [(Option<u32>, Option<u32>, u64); 4] =
        [(Some(120), Some(600), 120), (None, Some(300), 300), (None, None, 3600), (Some(60), None, 60)];
    for (in_contact, general, expected) in table {
        let (mut harness, _, register) = registering();
        let mut response = register.response(StatusCode::OK, Some("registrar"));
        let contact = register.headers.require::<Contact>().unwrap();
        response.headers.push(&Contact::new(uri("sip:alice@198.51.100.7")).with_expires(7));
        response.headers.push(&match in_contact {
            Some(expires) => contact.with_expires(expires),
            None => contact,
        });
        if let Some(expires) = general {
            response.headers.push(&Expires(expires));
        }
        harness.put(response);
        let expires = Duration::from_secs(expected);
        assert_eq!(state(&mut harness), RegistrationState::Registered { expires });
    }
}

#[test]
fn a_challenge_is_answered_under_the_next_number_and_remembered() {
    let (mut harness, _, register) = registering();
    harness.put(challenge(&register, "n1", false));
    let again = harness.request(Method::REGISTER);
    assert_eq!(seq(&again), seq(&register) + 1);
    let credentials = again.headers.require::<Authorization>().unwrap();
    assert_eq!((&*credentials.username, &*credentials.nonce, credentials.nc), ("alice", "n1", Some(1)));
    harness.put(ok(&again, 100));
    assert!(state(&mut harness).is_registered());
    // The refresh is not challenged again: it counts on with the same nonce.
    let refresh = harness.wait_request(Method::REGISTER, Duration::from_secs(91));
    let credentials = refresh.headers.require::<Authorization>().unwrap();
    assert_eq!((&*credentials.nonce, credentials.nc), ("n1", Some(2)));
    // The nonce went stale meanwhile.
    harness.put(challenge(&refresh, "n2", true));
    let again = harness.request(Method::REGISTER);
    assert_eq!(&*again.headers.require::<Authorization>().unwrap().nonce, "n2");
    harness.put(ok(&again, 100));
    harness.no_event_but_registered();
}

impl Harness {
    #[track_caller]
    fn no_event_but_registered(&mut self) {
        assert!(state(self).is_registered());
        self.no_event();
    }
}

#[test]
fn the_same_challenge_twice_is_a_failure_for_good() {
    let (mut harness, _, register) = registering();
    harness.put(challenge(&register, "n1", false));
    let again = harness.request(Method::REGISTER);
    harness.put(challenge(&again, "n1", false));
    let RegistrationState::Failed { status, retry_at, .. } = state(&mut harness) else {
        panic!("expected failure")
    };
    assert_eq!((status, retry_at), (Some(StatusCode::UNAUTHORIZED), None));
    harness.advance(Duration::from_secs(7200));
    harness.silent();
}

#[test]
fn another_nonce_for_fresh_credentials_means_that_they_are_wrong() {
    let (mut harness, _, register) = registering();
    harness.put(challenge(&register, "n1", false));
    let second = harness.request(Method::REGISTER);
    harness.put(challenge(&second, "n2", false));
    assert!(matches!(state(&mut harness), RegistrationState::Failed { retry_at: None, .. }));
    harness.silent();
}

#[test]
fn a_nonce_that_served_and_grew_old_is_replaced_without_being_called_stale() {
    let (mut harness, _, register) = registering();
    harness.put(challenge(&register, "n1", false));
    let second = harness.request(Method::REGISTER);
    harness.put(ok(&second, 100));
    state(&mut harness);
    let refresh = harness.wait_request(Method::REGISTER, Duration::from_secs(91));
    harness.put(challenge(&refresh, "n2", false));
    let again = harness.request(Method::REGISTER);
    assert_eq!(&*again.headers.require::<Authorization>().unwrap().nonce, "n2");
    harness.put(ok(&again, 100));
    harness.no_event_but_registered();
}

#[test]
fn a_registrar_that_calls_every_nonce_stale_is_given_up() {
    let (mut harness, account, mut register) = registering();
    let mut rounds = 0;
    while harness.agent.account_state(account) == Some(&RegistrationState::Registering) {
        rounds += 1;
        assert!(rounds < 10, "still asking");
        harness.put(challenge(&register, &format!("n{rounds}"), true));
        if rounds <= 6 {
            register = harness.request(Method::REGISTER);
        }
    }
    assert_eq!(rounds, 7);
    harness.silent();
}

#[test]
fn without_a_password_a_challenge_is_a_failure() {
    let mut harness = Harness::new();
    let account = harness.account_with(AccountConfig::parse("sip:alice@192.0.2.2").unwrap());
    harness.agent.register(harness.now, account).unwrap();
    let register = harness.request(Method::REGISTER);
    state(&mut harness);
    harness.put(challenge(&register, "n1", false));
    assert!(matches!(state(&mut harness), RegistrationState::Failed { retry_at: None, .. }));
    harness.silent();
}

#[test]
fn too_brief_an_interval_is_corrected_once_the_registrar_says_how() {
    let (mut harness, _, register) = registering();
    harness.put(reply_with(&register, 423, &MinExpires(7200)));
    let again = harness.request(Method::REGISTER);
    assert_eq!(again.headers.require::<Expires>().unwrap(), Expires(7200));
    assert_eq!(seq(&again), seq(&register) + 1);
    // A registrar that calls its own minimum too brief is not asked for ever.
    harness.put(reply_with(&again, 423, &MinExpires(7200)));
    let RegistrationState::Failed { status, .. } = state(&mut harness) else { panic!("expected failure") };
    assert_eq!(status, Some(StatusCode::INTERVAL_TOO_BRIEF));
}

#[test]
fn failures_back_off_and_double_up_to_the_bound() {
    let (mut harness, _, mut register) = registering();
    for bound in [30, 60, 120, 240, 480, 960, 1800, 1800] {
        harness.answer(&register, 500, "registrar");
        let RegistrationState::Failed { retry_at: Some(at), .. } = state(&mut harness) else {
            panic!("expected a failure that is tried again")
        };
        let wait = at - harness.now;
        assert!(
            wait >= Duration::from_secs(bound) / 2 && wait <= Duration::from_secs(bound),
            "{wait:?} of {bound} s"
        );
        harness.advance(wait - Duration::from_millis(1));
        harness.silent();
        harness.ms(1);
        register = harness.request(Method::REGISTER);
        assert_eq!(state(&mut harness), RegistrationState::Registering);
    }
}

#[test]
fn a_success_starts_the_back_off_anew() {
    let (mut harness, _, register) = registering();
    harness.answer(&register, 500, "registrar");
    state(&mut harness);
    let register = harness.wait_request(Method::REGISTER, Duration::from_secs(30));
    state(&mut harness);
    harness.put(ok(&register, 60));
    state(&mut harness);
    let refresh = harness.wait_request(Method::REGISTER, Duration::from_secs(54));
    harness.answer(&refresh, 500, "registrar");
    let RegistrationState::Failed { retry_at: Some(at), .. } = state(&mut harness) else {
        panic!("expected failure")
    };
    assert!(at - harness.now <= Duration::from_secs(30));
}

#[test]
fn a_longer_retry_after_counts() {
    let (mut harness, _, register) = registering();
    harness.put(reply_with(&register, 503, &RetryAfter::new(500)));
    let RegistrationState::Failed { retry_at: Some(at), .. } = state(&mut harness) else {
        panic!("expected failure")
    };
    assert_eq!(at - harness.now, Duration::from_secs(500));
}

#[test]
fn a_registrar_that_does_not_answer_is_a_failure_after_64_t1() {
    let (mut harness, _, _) = registering();
    harness.ms(31_999);
    harness.no_event();
    harness.ms(1);
    let RegistrationState::Failed { status: None, retry_at: Some(_), .. } = state(&mut harness) else {
        panic!("expected a failure without status")
    };
    // The first, and ten repeats: timer E doubles to 4 s.
    assert_eq!(harness.skip(), 10);
}

#[test]
fn unregistering_asks_for_no_time() {
    let (mut harness, account, register) = registering();
    harness.put(ok(&register, 600));
    state(&mut harness);
    harness.agent.unregister(harness.now, account).unwrap();
    let last = harness.request(Method::REGISTER);
    assert_eq!(last.headers.require::<Expires>().unwrap(), Expires(0));
    assert_eq!(contact(&last.headers), contact(&register.headers));
    assert!(!harness.agent.is_idle());
    harness.put(last.response(StatusCode::OK, Some("registrar")));
    assert_eq!(state(&mut harness), RegistrationState::Registering);
    assert_eq!(state(&mut harness), RegistrationState::Unregistered);
    assert!(harness.agent.is_idle());
    harness.advance(Duration::from_secs(7200));
    harness.silent();
}

#[test]
fn unregistering_waits_for_the_register_under_way() {
    let (mut harness, account, register) = registering();
    harness.agent.unregister(harness.now, account).unwrap();
    harness.silent();
    harness.put(ok(&register, 600));
    let last = harness.request(Method::REGISTER);
    assert_eq!(last.headers.require::<Expires>().unwrap(), Expires(0));
    harness.put(last.response(StatusCode::OK, Some("registrar")));
    harness.no_more_but_unregistered();
}

impl Harness {
    #[track_caller]
    fn no_more_but_unregistered(&mut self) {
        let mut last = None;
        while let Some(Event::Registration { state, .. }) = self.agent.poll_event() {
            last = Some(state);
        }
        assert_eq!(last, Some(RegistrationState::Unregistered));
    }
}

#[test]
fn behind_a_nat_the_contact_becomes_what_the_registrar_saw() {
    let (mut harness, account, register) = registering();
    let seen = |request: &Request, port: u16| {
        let mut response = ok(request, 600);
        let mut via = response.headers.require::<Via>().unwrap();
        via.set_received("203.0.113.9".parse().unwrap());
        via.set_rport(Some(port));
        response.headers.replace_first(&via);
        response
    };
    harness.put(seen(&register, 40_000));
    let again = harness.request(Method::REGISTER);
    let contacts: Vec<String> =
        again.headers.all::<Contact>().map(|contact| contact.unwrap().to_string()).collect();
    assert_eq!(contacts, ["<sip:alice@203.0.113.9:40000>", "<sip:alice@192.0.2.1:5060>;expires=0"]);
    // A NAT that gives each packet a port of its own is not chased.
    harness.put(seen(&again, 40_001));
    assert!(state(&mut harness).is_registered());
    harness.silent();
    // Calls name the new address too.
    harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    assert_eq!(contact(&invite.headers).to_string(), "sip:alice@203.0.113.9:40000");
}

#[test]
fn contact_stays_when_it_is_not_to_be_rewritten() {
    let mut harness = Harness::new();
    let mut config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    config.rewrite_contact = false;
    let account = harness.account_with(config);
    harness.agent.register(harness.now, account).unwrap();
    state(&mut harness);
    let register = harness.request(Method::REGISTER);
    let mut response = ok(&register, 600);
    let mut via = response.headers.require::<Via>().unwrap();
    via.set_received("203.0.113.9".parse().unwrap());
    response.headers.replace_first(&via);
    harness.put(response);
    assert!(state(&mut harness).is_registered());
    harness.silent();
}

#[test]
fn a_host_name_is_asked_for_and_its_addresses_are_tried_in_turn() {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    let account = harness.account_with(config);
    harness.agent.register(harness.now, account).unwrap();
    harness.silent();
    let servers = ["192.0.2.50:5060", "192.0.2.51:5060", "192.0.2.52:5060"].map(address);
    let zone = servers.map(|server| a("example.org", &server.ip().to_string()));
    assert_eq!(harness.dns(&zone), ["SRV _sip._udp.example.org", "A example.org", "AAAA example.org"]);
    assert_eq!(harness.sent().0, servers[0]);
    // The first is dead, the second overloaded.
    harness.advance(Duration::from_secs(32));
    let (to, message) = loop {
        let (to, message) = harness.sent();
        if to != servers[0] {
            break (to, message);
        }
    };
    assert_eq!(to, servers[1]);
    let sidetone_sip_core::Message::Request(register) = message else { panic!("expected a request") };
    harness.answer(&register, 503, "registrar");
    assert_eq!(harness.sent().0, servers[2]);
    state(&mut harness);
    harness.no_event();
}

#[test]
fn a_host_name_without_an_address_is_a_failure() {
    let mut harness = Harness::new();
    let account = harness.account_with(AccountConfig::parse("sip:alice:secret@example.org").unwrap());
    harness.agent.register(harness.now, account).unwrap();
    harness.dns(&[]);
    state(&mut harness);
    assert!(matches!(state(&mut harness), RegistrationState::Failed { status: None, retry_at: Some(_), .. }));
}

#[test]
fn an_outbound_proxy_is_a_loose_route() {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    let account = harness.account_with(config.with_proxy(uri("sip:192.0.2.2:5070")));
    harness.agent.register(harness.now, account).unwrap();
    let (to, message) = harness.sent();
    assert_eq!(to, address("192.0.2.2:5070"));
    let sidetone_sip_core::Message::Request(register) = message else { panic!("expected a request") };
    assert_eq!(register.uri.to_string(), "sip:example.org");
    assert_eq!(register.headers.raw(&HeaderName::ROUTE).unwrap(), b"<sip:192.0.2.2:5070;lr>");
}

#[test]
fn settings_are_checked() {
    use sidetone_sip_ua::ConfigError;
    assert!(matches!(AccountConfig::parse("alice"), Err(ConfigError::Uri(_))));
    assert!(matches!(AccountConfig::parse("tel:+4930123"), Err(ConfigError::NotSip)));
    let mut harness = Harness::new();
    let zero = AccountConfig::parse("sip:alice@192.0.2.2").unwrap().with_expires(Duration::ZERO);
    assert_eq!(harness.agent.add_account(zero), Err(ConfigError::Expires));
    assert_eq!(harness.agent.poll_timeout().map(|(at, _)| at), None::<Instant>);
}
