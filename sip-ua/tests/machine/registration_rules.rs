//! When a REGISTER is sent, and what it says: the settings of the telephones.

use crate::registration::{challenge, ok, state};
use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{Contact, Date, Expires, HeaderName, PAssociatedUri, Path};
use sidetone_sip_core::{Method, NameAddr, Request, StatusCode};
use sidetone_sip_ua::{
    AccountConfig, AccountId, CommandError, Event, ExpiresIn, MacPlace, RefreshRule, RegistrationConfig,
    RegistrationState, RetryRule, SendMac,
};

/// An account with these settings that has sent its first REGISTER.
fn registering_with(registration: RegistrationConfig) -> (Harness, AccountId, Request) {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    let account = harness.account_with(config.with_registration(registration));
    harness.agent.register(harness.now, account).unwrap();
    state(&mut harness);
    let register = harness.request(Method::REGISTER);
    (harness, account, register)
}

fn retry_after_failure(registration: RegistrationConfig, code: u16) -> Option<Duration> {
    let (mut harness, _, register) = registering_with(registration);
    harness.answer(&register, code, "registrar");
    let RegistrationState::Failed { retry_at, .. } = state(&mut harness) else {
        panic!("expected a failure")
    };
    let Some(at) = retry_at else {
        harness.advance(Duration::from_secs(100_000));
        harness.silent();
        return None;
    };
    let wait = at - harness.now;
    harness.advance(wait - Duration::from_millis(1));
    harness.silent();
    harness.ms(1);
    harness.request(Method::REGISTER);
    Some(wait)
}

#[test]
fn a_refresh_comes_at_the_percentage_of_the_lifetime_that_is_set() {
    for (percent, expected) in [(90, 540), (50, 300), (1, 6), (100, 594)] {
        let rule = RegistrationConfig::default().with_refresh(RefreshRule::Percent(percent));
        let (mut harness, _, register) = registering_with(rule);
        harness.put(ok(&register, 600));
        harness.advance(Duration::from_secs(expected) - Duration::from_millis(1));
        harness.silent();
        harness.ms(1);
        let refresh = harness.request(Method::REGISTER);
        assert_eq!(seq(&refresh), seq(&register) + 1);
    }
}

#[test]
fn a_refresh_comes_so_long_before_the_end_or_in_an_interval_of_its_own() {
    let table = [
        (RefreshRule::Before(Duration::from_secs(60)), 540_000),
        (RefreshRule::Every(Duration::from_secs(20)), 20_000),
        // A refresh after the end would be none.
        (RefreshRule::Every(Duration::from_secs(3600)), 594_000),
    ];
    for (rule, expected) in table {
        let (mut harness, _, register) = registering_with(RegistrationConfig::default().with_refresh(rule));
        harness.put(ok(&register, 600));
        harness.ms(expected - 1);
        harness.silent();
        harness.ms(1);
        harness.request(Method::REGISTER);
    }
}

#[test]
fn after_a_failure_a_panasonic_registers_every_ten_seconds() {
    let config = RegistrationConfig::panasonic;
    assert_eq!(retry_after_failure(config(), 500), Some(Duration::from_secs(10)));
    assert_eq!(retry_after_failure(config(), 404), Some(Duration::from_secs(10)));
    // No reply is a failure too.
    let (mut harness, _, _) = registering_with(config());
    harness.advance(Duration::from_secs(32));
    harness.skip();
    assert!(matches!(state(&mut harness), RegistrationState::Failed { status: None, .. }));
    harness.advance(Duration::from_secs(10));
    harness.request(Method::REGISTER);
}

#[test]
fn after_403_a_panasonic_registers_no_more() {
    assert_eq!(retry_after_failure(RegistrationConfig::panasonic(), 403), None);
    // Others try again.
    assert!(retry_after_failure(RegistrationConfig::default(), 403).is_some());
    let stopping = RegistrationConfig::default().with_retry(RetryRule::default().stopping_on_forbidden());
    assert_eq!(retry_after_failure(stopping.clone(), 403), None);
    assert!(retry_after_failure(stopping, 500).is_some());
}

#[test]
fn after_403_the_user_can_still_have_it_tried() {
    let (mut harness, account, register) = registering_with(RegistrationConfig::panasonic());
    harness.answer(&register, 403, "registrar");
    state(&mut harness);
    harness.agent.register(harness.now, account).unwrap();
    harness.request(Method::REGISTER);
}

#[test]
fn the_lifetime_is_asked_for_where_the_settings_say() {
    for (place, in_header, in_contact) in [
        (ExpiresIn::Header, Some(3600), None),
        (ExpiresIn::Contact, None, Some(3600)),
        (ExpiresIn::Both, Some(3600), Some(3600)),
    ] {
        let mut config = RegistrationConfig::default();
        config.expires_in = place;
        let (mut harness, account, register) = registering_with(config);
        let header = register.headers.get::<Expires>().map(|expires| expires.unwrap().0);
        let contact = register.headers.require::<Contact>().unwrap();
        assert_eq!((header, contact.expires()), (in_header, in_contact), "{place:?}");
        harness.put(ok(&register, 600));
        assert!(state(&mut harness).is_registered());
        // Taking it back says so in the header, whatever is set.
        harness.agent.unregister(harness.now, account).unwrap();
        let last = harness.request(Method::REGISTER);
        assert_eq!(last.headers.require::<Expires>().unwrap(), Expires(0));
        assert_eq!(last.headers.require::<Contact>().unwrap().expires(), None);
    }
}

#[test]
fn what_an_earlier_run_left_is_taken_back_before_registering() {
    let mut config = RegistrationConfig::default();
    config.unregister_first = true;
    let (mut harness, _, clean) = registering_with(config);
    assert_eq!(clean.headers.require::<Expires>().unwrap(), Expires(0));
    harness.put(challenge(&clean, "n1", false));
    let clean = harness.request(Method::REGISTER);
    assert_eq!(clean.headers.require::<Expires>().unwrap(), Expires(0));
    harness.put(clean.response(StatusCode::OK, Some("registrar")));
    let register = harness.request(Method::REGISTER);
    assert_eq!(register.headers.require::<Expires>().unwrap(), Expires(3600));
    harness.put(ok(&register, 100));
    assert!(state(&mut harness).is_registered());
    let refresh = harness.wait_request(Method::REGISTER, Duration::from_secs(91));
    assert_eq!(refresh.headers.require::<Expires>().unwrap(), Expires(3600));
}

#[test]
fn the_mac_address_goes_where_the_settings_say_and_into_no_call() {
    let mac = [0, 0x15, 0x65, 0x12, 0xab, 0xcd];
    let (_, _, register) = registering_with(RegistrationConfig::default().with_mac(SendMac::in_header(mac)));
    let name: HeaderName = "Mac".parse().unwrap();
    assert_eq!(register.headers.raw(&name).unwrap(), b"00:15:65:12:ab:cd");
    let (mut harness, account, register) =
        registering_with(RegistrationConfig::default().with_mac(SendMac::in_user_agent(mac)));
    assert!(register.headers.raw(&HeaderName::USER_AGENT).unwrap().ends_with(b" 00156512abcd"));
    harness.put(ok(&register, 600));
    harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), None).unwrap();
    let invite = harness.request(Method::INVITE);
    assert!(!invite.headers.raw(&HeaderName::USER_AGENT).unwrap().ends_with(b"00156512abcd"));
    // A name that no header can have does no harm.
    let mut config = RegistrationConfig::default();
    let mut odd = SendMac::in_header(mac);
    odd.place = MacPlace::Header("no header: at all".to_owned());
    config.mac = Some(odd);
    registering_with(config);
}

#[test]
fn the_registrars_date_is_told() {
    let (mut harness, account, register) = registering_with(RegistrationConfig::default());
    let mut response = ok(&register, 600);
    response.headers.push(&Date(1_289_690_940));
    harness.put(response);
    let Event::ServerTime { account: of, time } = harness.event() else { panic!("expected the time") };
    assert_eq!((of, time), (account, 1_289_690_940));
    assert!(state(&mut harness).is_registered());
    // A Date that is none is passed over.
    let refresh = harness.wait_request(Method::REGISTER, Duration::from_secs(540));
    let mut response = ok(&refresh, 600);
    response.headers.push_raw(HeaderName::DATE, "yesterday").unwrap();
    harness.put(response);
    assert!(state(&mut harness).is_registered());
}

#[test]
fn path_is_supported_and_what_the_registrar_says_of_the_binding_is_kept() {
    let (mut harness, account, register) = registering_with(RegistrationConfig::default());
    assert_eq!(register.headers.raw(&HeaderName::SUPPORTED).unwrap(), b"path");
    assert!(harness.agent.account_bindings(account).is_empty());
    let mut response = ok(&register, 600);
    let address = |text: &str| -> NameAddr { text.parse().unwrap() };
    response.headers.push(&Path(address("<sip:edge.example.org;lr>")));
    response.headers.push(&PAssociatedUri(address("<sip:4711@192.0.2.2>")));
    response.headers.push(&PAssociatedUri(address("<tel:+4930123>")));
    harness.put(response);
    let binding = harness.agent.account_bindings(account)[0].clone();
    assert_eq!(binding.path, [address("<sip:edge.example.org;lr>")]);
    assert_eq!(binding.associated.len(), 2);
    assert_eq!((binding.server, binding.expires), (0, Duration::from_secs(600)));
    // A call to one of our other identities is ours.
    let mut invite = harness.peer_invite();
    invite.headers.set(&sidetone_sip_core::header::To(address("<sip:4711@192.0.2.2>")));
    state(&mut harness);
    harness.put(invite);
    let Event::Incoming { account: called, .. } = harness.event() else { panic!("expected a call") };
    assert_eq!(called, Some(account));
}

#[test]
fn without_call_without_registration_a_call_needs_a_binding() {
    let mut harness = Harness::new();
    let mut config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    config.call_unregistered = false;
    let account = harness.account_with(config);
    let bob = uri("sip:bob@192.0.2.2");
    assert_eq!(harness.agent.call(harness.now, account, &bob, None), Err(CommandError::NotRegistered));
    harness.agent.register(harness.now, account).unwrap();
    let register = harness.request(Method::REGISTER);
    assert_eq!(harness.agent.call(harness.now, account, &bob, None), Err(CommandError::NotRegistered));
    harness.put(ok(&register, 600));
    assert!(harness.agent.call(harness.now, account, &bob, None).is_ok());
    harness.agent.unregister(harness.now, account).unwrap();
    assert_eq!(harness.agent.call(harness.now, account, &bob, None), Err(CommandError::NotRegistered));
}

#[test]
fn a_new_local_address_is_registered_at_once_in_the_place_of_the_old_one() {
    let (mut harness, account, register) = registering_with(RegistrationConfig::default());
    harness.put(ok(&register, 600));
    state(&mut harness);
    harness.rebind("192.0.2.77:5070");
    harness.agent.local_address_changed(harness.now);
    let again = harness.request(Method::REGISTER);
    let contacts: Vec<String> =
        again.headers.all::<Contact>().map(|contact| contact.unwrap().to_string()).collect();
    assert_eq!(contacts, ["<sip:alice@192.0.2.77:5070>", "<sip:alice@192.0.2.1:5060>;expires=0"]);
    harness.put(ok(&again, 600));
    assert!(state(&mut harness).is_registered());
    assert_eq!(harness.agent.account_bindings(account)[0].contact, uri("sip:alice@192.0.2.77:5070"));
}

#[test]
fn a_new_local_address_does_not_cut_the_wait_after_a_failure_short() {
    let (mut harness, _, register) = registering_with(RegistrationConfig::default());
    harness.answer(&register, 500, "registrar");
    state(&mut harness);
    harness.rebind("192.0.2.77:5070");
    harness.agent.local_address_changed(harness.now);
    harness.silent();
    let again = harness.wait_request(Method::REGISTER, Duration::from_secs(30));
    assert_eq!(contact(&again.headers), uri("sip:alice@192.0.2.77:5070"));
}

#[test]
fn a_binding_that_is_left_to_its_lifetime_is_not_asked_for_again() {
    let (mut harness, account, register) = registering_with(RegistrationConfig::default());
    harness.put(ok(&register, 600));
    state(&mut harness);
    harness.agent.leave_registered(harness.now, account).unwrap();
    assert_eq!(state(&mut harness), RegistrationState::Unregistered);
    assert!(harness.agent.is_idle());
    harness.advance(Duration::from_secs(7200));
    harness.silent();
}
