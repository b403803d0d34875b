//! INVITEs of ours that were refused: what can be mended goes again, and what is told of the rest.

use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{
    Authorization, HeaderName, MinSe, ProxyAuthorization, Require, RetryAfter, Supported, Unsupported,
};
use sidetone_sip_core::{Method, Request, StatusCode};
use sidetone_sip_ua::{AccountConfig, EndedBy, Event, ExtensionUse, SessionConfig, SessionTimerConfig};

fn calling(config: SessionConfig, to: &str) -> (Harness, Request) {
    let mut harness = Harness::new();
    let account = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap().with_session(config);
    let account = harness.account_with(account);
    harness.agent.call(harness.now, account, &uri(to), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    (harness, invite)
}

#[test]
fn an_extension_that_the_other_side_lacks_is_left_out_once() {
    let mut config = SessionConfig::default().with_reliable(ExtensionUse::Required);
    config.timer = SessionTimerConfig::new(ExtensionUse::Required);
    let (mut harness, invite) = calling(config, "sip:bob@192.0.2.2");
    let unsupported: Unsupported = ["timer"].into_iter().collect();
    harness.put(reply_with(&invite, 420, &unsupported));
    harness.request(Method::ACK);
    let second = harness.request(Method::INVITE);
    assert_eq!(seq(&second), seq(&invite) + 1);
    let required: Require = second.headers.require().unwrap();
    assert!(required.has("100rel") && !required.has("timer"));
    assert!(!second.headers.require::<Supported>().unwrap().has("timer"));
    assert!(!second.headers.contains(&HeaderName::SESSION_EXPIRES));
    let unsupported: Unsupported = ["100rel"].into_iter().collect();
    harness.put(reply_with(&second, 420, &unsupported));
    harness.request(Method::ACK);
    assert_eq!(harness.ended().status.map(|status| status.code()), Some(420));
    harness.silent();
}

#[test]
fn a_420_for_what_we_did_not_name_ends_the_call() {
    let (mut harness, invite) = calling(SessionConfig::default(), "sip:bob@192.0.2.2");
    let unsupported: Unsupported = ["precondition"].into_iter().collect();
    harness.put(reply_with(&invite, 420, &unsupported));
    harness.request(Method::ACK);
    assert_eq!(harness.ended().status.map(|status| status.code()), Some(420));
    harness.silent();
}

#[test]
fn an_extension_that_is_asked_for_is_added_once_if_we_have_it() {
    let (mut harness, invite) = calling(SessionConfig::default(), "sip:bob@192.0.2.2");
    let required: Require = ["timer", "100rel"].into_iter().collect();
    harness.put(reply_with(&invite, 421, &required));
    harness.request(Method::ACK);
    let second = harness.request(Method::INVITE);
    let supported: Supported = second.headers.require().unwrap();
    assert!(supported.has("timer") && supported.has("100rel") && supported.has("from-change"));
    assert!(second.headers.contains(&HeaderName::SESSION_EXPIRES));
    harness.put(reply_with(&second, 421, &required));
    harness.request(Method::ACK);
    assert_eq!(harness.ended().status.map(|status| status.code()), Some(421));
    let (mut harness, invite) = calling(SessionConfig::default(), "sip:bob@192.0.2.2");
    let required: Require = ["timer", "precondition"].into_iter().collect();
    harness.put(reply_with(&invite, 421, &required));
    harness.request(Method::ACK);
    assert_eq!(harness.ended().by, EndedBy::Remote);
    harness.silent();
}

#[test]
fn a_491_or_423_to_the_first_invite_ends_the_call() {
    for code in [491, 423] {
        let (mut harness, invite) = calling(SessionConfig::default(), "sip:bob@192.0.2.2");
        harness.answer(&invite, code, "bob-tag");
        harness.request(Method::ACK);
        assert_eq!(harness.ended().status.map(|status| status.code()), Some(code));
        harness.ms(10_000);
        harness.silent();
    }
}

#[test]
fn what_a_refusal_says_besides_its_status_is_told() {
    for code in [480, 486, 503, 600] {
        let (mut harness, invite) = calling(SessionConfig::default(), "sip:bob@192.0.2.2");
        let mut refused = reply(&invite, code, "bob-tag");
        refused.reason = "Gone fishing".into();
        refused.headers.push(&RetryAfter::new(120));
        refused.headers.push_raw(HeaderName::WARNING, r#"370 pbx "too little bandwidth""#).unwrap();
        refused.headers.push_raw(HeaderName::REASON, r#"Q.850;cause=17;text="User busy""#).unwrap();
        harness.put(refused);
        harness.request(Method::ACK);
        let cause = harness.ended();
        assert_eq!(cause.retry_after, Some(Duration::from_secs(120)), "{code}");
        assert_eq!(cause.reason, "Gone fishing");
        let warning = cause.warning.unwrap();
        assert_eq!((warning.code, &*warning.text), (370, "too little bandwidth"));
        assert_eq!(cause.header.unwrap().cause(), Some(17));
    }
}

#[test]
fn what_a_bye_says_of_why_is_told() {
    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    let mut bye = harness.callee_in_dialog(&invite, &ok, Method::BYE, 1);
    bye.headers.push_raw(HeaderName::REASON, r#"Q.850;cause=16;text="Terminated""#).unwrap();
    harness.put(bye);
    harness.response(200);
    let Event::Ended { cause, .. } = harness.event() else { panic!("expected the end") };
    assert_eq!((cause.reason.as_str(), cause.header.unwrap().cause()), ("Terminated", Some(16)));
}

#[test]
fn credentials_of_an_invite_that_goes_again_count_on() {
    let config = SessionConfig::default().with_timer(SessionTimerConfig::new(ExtensionUse::Supported));
    let (mut harness, invite) = calling(config, "sip:bob@192.0.2.2");
    let mut challenge = invite.response(StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some("proxy"));
    let value = "Digest realm=\"proxy\", nonce=\"n1\", qop=\"auth\"";
    challenge.headers.push_raw(HeaderName::PROXY_AUTHENTICATE, value).unwrap();
    harness.put(challenge);
    harness.request(Method::ACK);
    let uses = |invite: &Request| {
        let ProxyAuthorization(credentials) = invite.headers.require().unwrap();
        (credentials.nc, credentials.response.clone())
    };
    let second = harness.request(Method::INVITE);
    let (first_use, first_response) = uses(&second);
    harness.put(reply_with(&second, 422, &MinSe::new(7200)));
    harness.request(Method::ACK);
    let third = harness.request(Method::INVITE);
    assert_eq!(third.headers.raw_all(&HeaderName::PROXY_AUTHORIZATION).count(), 1);
    let (second_use, second_response) = uses(&third);
    assert_eq!((first_use, second_use), (Some(1), Some(2)));
    assert_ne!(first_response, second_response);
}

#[test]
fn credentials_for_one_proxy_count_on_when_the_next_one_asks_for_some() {
    let (mut harness, mut invite) = calling(SessionConfig::default(), "sip:bob@192.0.2.2");
    let uses = |invite: &Request| {
        let proxies = invite.headers.all::<ProxyAuthorization>().map(|sent| sent.unwrap().0);
        let servers = invite.headers.all::<Authorization>().map(|sent| sent.unwrap().0);
        let use_of = |sent: sidetone_sip_core::Credentials| format!("{}{}", sent.realm, sent.nc.unwrap());
        let mut uses: Vec<String> = proxies.chain(servers).map(use_of).collect();
        uses.sort();
        uses.join(" ")
    };
    // Who challenges, and how often each nonce has served then.
    let steps = [(407, "a", "a1"), (407, "b", "a2 b1"), (401, "c", "a3 b2 c1")];
    for (code, realm, expected) in steps {
        let mut challenge = invite.response(StatusCode::new(code).unwrap(), Some("proxy"));
        let name = if code == 407 { HeaderName::PROXY_AUTHENTICATE } else { HeaderName::WWW_AUTHENTICATE };
        challenge
            .headers
            .push_raw(name, format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\""))
            .unwrap();
        harness.put(challenge);
        harness.request(Method::ACK);
        invite = harness.request(Method::INVITE);
        assert_eq!(uses(&invite), expected);
    }
}
