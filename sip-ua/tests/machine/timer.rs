//! Session timers (RFC 4028).

use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{
    Allow, ContentType, HeaderName, MinSe, Refresher, Require, SessionExpires, Supported,
};
use sidetone_sip_core::{Headers, Method, Request, Response};
use sidetone_sip_ua::{
    AccountConfig, CallId, CallState, EndedBy, Event, ExtensionUse, RefreshMethod, SessionConfig,
    SessionTimerConfig,
};

const SECOND: Duration = Duration::from_secs(1);

fn timer(seconds: u64) -> SessionTimerConfig {
    SessionTimerConfig::new(ExtensionUse::Supported).with_expires(Duration::from_secs(seconds))
}

fn harness(timer: SessionTimerConfig) -> (Harness, sidetone_sip_ua::AccountId) {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    let account = harness.account_with(config.with_session(SessionConfig::default().with_timer(timer)));
    (harness, account)
}

/// Our INVITE, just sent.
fn calling(timer: SessionTimerConfig) -> (Harness, CallId, Request) {
    let (mut harness, account) = harness(timer);
    let to = uri("sip:bob@192.0.2.2");
    let call = harness.agent.call(harness.now, account, &to, Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    (harness, call, invite)
}

fn expires(headers: &Headers) -> (u32, Option<Refresher>) {
    let expires: SessionExpires = headers.require().unwrap();
    (expires.seconds, expires.refresher())
}

fn allow_update(response: &mut Response) {
    response.headers.push(&Allow([Method::INVITE, Method::ACK, Method::BYE, Method::UPDATE].into()));
}

/// The peer's 200 with its SDP and this Session-Expires.
fn ok_with(invite: &Request, value: &str) -> Response {
    let mut ok = reply(invite, 200, "bob-tag");
    ok.set_body(&ContentType::SDP, body(ANSWER));
    if !value.is_empty() {
        ok.headers.push(&value.parse::<SessionExpires>().unwrap());
        ok.headers.push_raw(HeaderName::REQUIRE, "timer").unwrap();
    }
    ok
}

/// A call of ours that is up with this Session-Expires in its 200.
fn established(value: &str, update: bool) -> (Harness, CallId, Request, Response) {
    established_by(RefreshMethod::Auto, value, update)
}

/// The same, refreshed by this request.
fn established_by(method: RefreshMethod, value: &str, update: bool) -> (Harness, CallId, Request, Response) {
    let (mut harness, call, invite) = calling(timer(1800).with_method(method));
    let mut ok = ok_with(&invite, value);
    if update {
        allow_update(&mut ok);
    }
    harness.put(ok.clone());
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { .. }));
    (harness, call, invite, ok)
}

/// The peer's INVITE with these headers, answered by our user: the harness, the call, the INVITE and the 200.
fn answered(
    config: SessionTimerConfig,
    headers: &[(HeaderName, &str)],
) -> (Harness, CallId, Request, Response) {
    let (mut harness, _) = harness(config);
    let mut invite = harness.peer_invite();
    for (name, value) in headers {
        invite.headers.push_raw(name.clone(), value).unwrap();
    }
    harness.put(invite.clone());
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    assert!(matches!(harness.event(), Event::Confirmed { .. }));
    (harness, call, invite, ok)
}

#[test]
fn without_the_setting_nothing_is_said_of_timers() {
    let mut harness = Harness::new();
    let (_, invite, _) = harness.established();
    assert!(!invite.headers.contains(&HeaderName::SESSION_EXPIRES));
    assert!(!invite.headers.require::<Supported>().unwrap().has("timer"));
    harness.ms(24 * 3600 * 1000);
    harness.silent();
}

#[test]
fn our_invite_asks_for_the_interval_and_names_the_refresher_of_the_settings() {
    let (_, _, invite) = calling(timer(1800));
    assert_eq!(expires(&invite.headers), (1800, None));
    assert!(invite.headers.require::<Supported>().unwrap().has("timer"));
    assert!(!invite.headers.contains(&HeaderName::REQUIRE) && !invite.headers.contains(&HeaderName::MIN_SE));
    for refresher in [Refresher::Uac, Refresher::Uas] {
        let (_, _, invite) = calling(timer(300).with_refresher(refresher));
        assert_eq!(expires(&invite.headers), (300, Some(refresher)));
    }
    let mut required = timer(1800).with_min_se(120 * SECOND);
    required.usage = ExtensionUse::Required;
    let (_, _, invite) = calling(required);
    assert!(invite.headers.require::<Require>().unwrap().has("timer"));
    assert_eq!(invite.headers.require::<MinSe>().unwrap().seconds, 120);
}

#[test]
fn as_the_refresher_we_send_an_update_without_sdp_at_half_time_again_and_again() {
    let (mut harness, call, invite, _) = established("1800;refresher=uac", true);
    let mut last = seq(&invite);
    for _ in 0..3 {
        harness.advance(899 * SECOND);
        harness.silent();
        harness.advance(SECOND);
        let update = harness.request(Method::UPDATE);
        assert!(update.body.is_empty() && update.headers.contains(&HeaderName::CONTACT));
        assert_eq!(expires(&update.headers), (1800, Some(Refresher::Uac)));
        assert!(update.headers.require::<Supported>().unwrap().has("timer"));
        assert_eq!(seq(&update), last + 1);
        last = seq(&update);
        let mut ok = reply(&update, 200, "bob-tag");
        ok.headers.push(&SessionExpires::new(1800).with_refresher(Refresher::Uac));
        harness.put(ok);
    }
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn a_peer_without_update_is_refreshed_by_an_invite_with_the_same_sdp() {
    let (mut harness, call, _, _) = established("600;refresher=uac", false);
    for _ in 0..2 {
        harness.advance(300 * SECOND);
        let invite = harness.request(Method::INVITE);
        assert_eq!(invite.body, body(OFFER));
        assert_eq!(expires(&invite.headers), (600, Some(Refresher::Uac)));
        harness.put(ok_with(&invite, "600;refresher=uac"));
        harness.request(Method::ACK);
    }
    // The user has no part in it, and may offer in between.
    harness.no_event();
    harness.agent.reoffer(harness.now, call, body(ANSWER)).unwrap();
    let invite = harness.request(Method::INVITE);
    harness.put(ok_with(&invite, "600;refresher=uac"));
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answer { .. }));
    harness.advance(300 * SECOND);
    assert_eq!(harness.request(Method::INVITE).body, body(ANSWER), "what was said last is said again");
}

#[test]
fn the_setting_says_by_which_request_a_session_is_refreshed() {
    for (method, allows_update, sent) in [
        (RefreshMethod::Auto, true, Method::UPDATE),
        (RefreshMethod::Auto, false, Method::INVITE),
        (RefreshMethod::Invite, true, Method::INVITE),
        (RefreshMethod::Invite, false, Method::INVITE),
        (RefreshMethod::Update, true, Method::UPDATE),
        (RefreshMethod::Update, false, Method::UPDATE),
    ] {
        let (mut harness, _, _, _) = established_by(method, "600;refresher=uac", allows_update);
        harness.advance(300 * SECOND);
        let refresh = harness.request(sent.clone());
        assert_eq!(expires(&refresh.headers), (600, Some(Refresher::Uac)), "{method:?}");
        let is_invite = sent == Method::INVITE;
        assert_eq!(refresh.body, if is_invite { body(OFFER) } else { Default::default() }, "{method:?}");
        if method == RefreshMethod::Update {
            // Who does not take it is refreshed by an INVITE from then on.
            harness.answer(&refresh, 501, "bob-tag");
            for _ in 0..2 {
                let invite = harness.request(Method::INVITE);
                harness.put(ok_with(&invite, "600;refresher=uac"));
                harness.request(Method::ACK);
                harness.advance(300 * SECOND);
            }
        }
    }
}

#[test]
fn one_who_allows_update_and_refuses_it_is_refreshed_by_an_invite() {
    let (mut harness, _, _, _) = established("600;refresher=uac", true);
    harness.advance(300 * SECOND);
    let update = harness.request(Method::UPDATE);
    harness.answer(&update, 405, "bob-tag");
    let invite = harness.request(Method::INVITE);
    assert_eq!(invite.body, body(OFFER));
    harness.put(ok_with(&invite, "600;refresher=uac"));
    harness.request(Method::ACK);
    harness.no_event();
}

#[test]
fn a_session_that_the_other_side_does_not_refresh_ends_by_bye_before_its_time() {
    // (interval, when the BYE goes): 32 s before, or a third.
    for (interval, end) in [(1800_u32, 1768_u32), (90, 60), (96, 64)] {
        let (mut harness, call, _, _) = established(&format!("{interval};refresher=uas"), true);
        harness.advance((end - 1) * SECOND);
        harness.silent();
        assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
        harness.advance(SECOND);
        harness.request(Method::BYE);
        let cause = harness.ended();
        assert_eq!((cause.by, cause.reason.as_str()), (EndedBy::Timeout, "the session was not refreshed"));
    }
}

#[test]
fn a_refresh_of_the_other_side_starts_the_time_anew() {
    let (mut harness, call, invite, ok) = established("90;refresher=uas", true);
    for n in 1..4 {
        harness.advance(45 * SECOND);
        let mut update = harness.callee_in_dialog(&invite, &ok, Method::UPDATE, n);
        update.headers.push(&SessionExpires::new(90).with_refresher(Refresher::Uac));
        update.headers.push_raw(HeaderName::SUPPORTED, "timer").unwrap();
        harness.put(update);
        let answer = harness.response(200);
        assert_eq!(expires(&answer.headers), (90, Some(Refresher::Uac)));
        assert!(answer.headers.require::<Require>().unwrap().has("timer"));
    }
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
    harness.advance(60 * SECOND);
    harness.request(Method::BYE);
}

#[test]
fn a_refresh_without_an_answer_ends_the_call() {
    let (mut harness, _, _, _) = established("1800;refresher=uac", true);
    harness.advance(900 * SECOND);
    harness.request(Method::UPDATE);
    harness.advance(32 * SECOND);
    assert_eq!(harness.ended().by, EndedBy::Timeout);
    while line(&harness.sent().1).starts_with("UPDATE") {}
}

#[test]
fn a_refresh_that_is_refused_for_now_is_tried_again_and_the_time_runs_on() {
    let (mut harness, call, _, _) = established("1800;refresher=uac", true);
    harness.advance(900 * SECOND);
    let mut refused = 0;
    loop {
        let Some(cause) = harness.agent.poll_event() else {
            let request = harness.wait_request_any(900 * SECOND);
            if request.method == Method::BYE {
                assert!(matches!(harness.event(), Event::Ended { .. }));
                break;
            }
            assert_eq!(request.method, Method::UPDATE);
            harness.answer(&request, 500, "bob-tag");
            refused += 1;
            continue;
        };
        panic!("{cause:?}");
    }
    assert!((5..40).contains(&refused), "{refused}");
    assert_ne!(harness.agent.call_state(call), Some(CallState::Established));
    // Started at 1 s; the BYE is due 1768 s later.
    assert_eq!(harness.now.as_millis(), 1000 + 1_768_000);
}

#[test]
fn a_forgotten_call_is_found_out_by_the_refresh() {
    let (mut harness, _, _, _) = established("1800;refresher=uac", true);
    harness.advance(900 * SECOND);
    let update = harness.request(Method::UPDATE);
    harness.answer(&update, 481, "bob-tag");
    let cause = harness.ended();
    assert_eq!((cause.by, cause.status.map(|status| status.code())), (EndedBy::Remote, Some(481)));
    harness.request(Method::BYE);
}

#[test]
fn an_interval_that_is_too_short_is_raised_to_what_the_422_asks_for() {
    let (mut harness, _, invite) = calling(timer(30));
    let refuse = |harness: &mut Harness, invite: &Request, least| {
        harness.put(reply_with(invite, 422, &MinSe::new(least)));
        harness.request(Method::ACK);
    };
    refuse(&mut harness, &invite, 90);
    let second = harness.request(Method::INVITE);
    assert_eq!((expires(&second.headers).0, seq(&second)), (90, seq(&invite) + 1));
    assert_eq!(second.headers.require::<MinSe>().unwrap().seconds, 90);
    assert_eq!(second.headers.raw(&HeaderName::CALL_ID), invite.headers.raw(&HeaderName::CALL_ID));
    assert_eq!(second.body, invite.body);
    // A proxy further on wants more.
    refuse(&mut harness, &second, 400);
    let third = harness.request(Method::INVITE);
    assert_eq!(expires(&third.headers).0, 400);
    // Who refuses what it asked for does not get it again.
    refuse(&mut harness, &third, 400);
    assert_eq!(harness.ended().status.map(|status| status.code()), Some(422));
    harness.silent();
}

#[test]
fn a_refresh_that_is_too_short_is_raised_too() {
    let (mut harness, _, _, _) = established("100;refresher=uac", true);
    harness.advance(50 * SECOND);
    let update = harness.request(Method::UPDATE);
    harness.put(reply_with(&update, 422, &MinSe::new(200)));
    let second = harness.request(Method::UPDATE);
    assert_eq!(expires(&second.headers), (200, Some(Refresher::Uac)));
    assert_eq!(second.headers.require::<MinSe>().unwrap().seconds, 200);
    let mut ok = reply(&second, 200, "bob-tag");
    ok.headers.push(&SessionExpires::new(200).with_refresher(Refresher::Uac));
    harness.put(ok);
    harness.advance(99 * SECOND);
    harness.silent();
    harness.advance(SECOND);
    assert_eq!(harness.request(Method::UPDATE).headers.require::<MinSe>().unwrap().seconds, 200);
}

#[test]
fn a_peer_without_timers_has_none_and_one_that_takes_them_off_too() {
    let (mut harness, _, _, _) = established("", true);
    harness.advance(7200 * SECOND);
    harness.silent();
    let (mut harness, call, _, _) = established("600;refresher=uac", true);
    harness.advance(300 * SECOND);
    let update = harness.request(Method::UPDATE);
    harness.answer(&update, 200, "bob-tag");
    harness.advance(7200 * SECOND);
    harness.silent();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn without_a_word_on_who_refreshes_we_do() {
    let (mut harness, _, _, _) = established("600", true);
    harness.advance(300 * SECOND);
    harness.request(Method::UPDATE);
}

#[test]
fn as_server_the_interval_is_made_shorter_but_not_than_anybody_takes() {
    let supported = (HeaderName::SUPPORTED, "timer");
    // (asked, Min-SE of the request, our own, agreed)
    for (asked, least, own, agreed) in [
        ("3600", "90", 1800, 1800),
        ("600", "90", 1800, 600),
        ("3600", "2000", 1800, 2000),
        ("90", "90", 90, 90),
    ] {
        let headers = [supported.clone(), (HeaderName::SESSION_EXPIRES, asked), (HeaderName::MIN_SE, least)];
        let (_, _, _, ok) = answered(timer(own), &headers);
        assert_eq!(expires(&ok.headers), (agreed, Some(Refresher::Uac)), "{asked} {least} {own}");
        assert!(ok.headers.require::<Require>().unwrap().has("timer"));
    }
}

#[test]
fn as_server_the_refresher_is_who_was_asked_for_or_who_can() {
    let supported = (HeaderName::SUPPORTED, "timer");
    type Case<'a> = (&'a [(HeaderName, &'a str)], Option<Refresher>, Refresher);
    let cases: [Case<'_>; 6] = [
        (&[supported.clone(), (HeaderName::SESSION_EXPIRES, "600;refresher=uas")], None, Refresher::Uas),
        (
            &[supported.clone(), (HeaderName::SESSION_EXPIRES, "600;refresher=uac")],
            Some(Refresher::Uac),
            Refresher::Uac,
        ),
        // "UAC" of the settings is this telephone.
        (&[supported.clone(), (HeaderName::SESSION_EXPIRES, "600")], Some(Refresher::Uac), Refresher::Uas),
        (&[supported.clone(), (HeaderName::SESSION_EXPIRES, "600")], None, Refresher::Uac),
        // A proxy put it in; the caller does not know of it.
        (&[(HeaderName::SESSION_EXPIRES, "600")], None, Refresher::Uas),
        (&[], Some(Refresher::Uas), Refresher::Uas),
    ];
    for (headers, config, agreed) in cases {
        let mut timer = timer(600);
        timer.refresher = config;
        let (mut harness, _, _, ok) = answered(timer, headers);
        assert_eq!(expires(&ok.headers), (600, Some(agreed)), "{headers:?}");
        assert_eq!(ok.headers.contains(&HeaderName::REQUIRE), agreed == Refresher::Uac, "{headers:?}");
        if agreed == Refresher::Uas {
            harness.advance(300 * SECOND);
            // The peer's INVITE has no Allow, so an UPDATE is not tried.
            let invite = harness.request(Method::INVITE);
            assert_eq!(
                (invite.body.clone(), expires(&invite.headers).1),
                (body(OFFER), Some(Refresher::Uac))
            );
        } else {
            harness.advance(568 * SECOND);
            harness.request(Method::BYE);
        }
    }
}

#[test]
fn an_invite_with_too_short_an_interval_gets_422_from_who_knows_timers() {
    let (mut harness, _) = harness(timer(1800).with_min_se(120 * SECOND));
    let mut invite = harness.peer_invite();
    invite.headers.push_raw(HeaderName::SESSION_EXPIRES, "100").unwrap();
    invite.headers.push_raw(HeaderName::SUPPORTED, "timer").unwrap();
    harness.put(invite);
    assert_eq!(harness.response(422).headers.require::<MinSe>().unwrap().seconds, 120);
    harness.no_event();
    // Of one who does not know them it is a proxy's, and is raised.
    let headers = [(HeaderName::SESSION_EXPIRES, "100")];
    let (_, _, _, ok) = answered(timer(1800).with_min_se(120 * SECOND), &headers);
    assert_eq!(expires(&ok.headers), (120, Some(Refresher::Uas)));
}

#[test]
fn an_update_and_a_re_invite_with_too_short_an_interval_get_422() {
    let (mut harness, call, invite, ok) = established("1800;refresher=uas", true);
    for (n, method) in [(1, Method::UPDATE), (2, Method::INVITE)] {
        let mut request = harness.callee_in_dialog(&invite, &ok, method, n);
        request.headers.push_raw(HeaderName::SESSION_EXPIRES, "60").unwrap();
        request.headers.push_raw(HeaderName::SUPPORTED, "timer").unwrap();
        harness.put(request);
        assert_eq!(harness.response(422).headers.require::<MinSe>().unwrap().seconds, 90);
    }
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn a_call_that_requires_timers_is_refused_where_they_are_off_and_one_without_where_they_are_required() {
    let mut harness = Harness::new();
    harness.account();
    let mut invite = harness.peer_invite();
    invite.headers.push_raw(HeaderName::REQUIRE, "timer").unwrap();
    harness.put(invite);
    assert_eq!(harness.response(420).headers.raw(&HeaderName::UNSUPPORTED).unwrap(), b"timer");
    let mut required = timer(1800);
    required.usage = ExtensionUse::Required;
    let (mut harness, _) = self::harness(required);
    let invite = harness.peer_invite();
    harness.put(invite);
    assert!(harness.response(421).headers.require::<Require>().unwrap().has("timer"));
    harness.no_event();
}

#[test]
fn a_hung_up_call_is_not_refreshed() {
    let (mut harness, call, _, _) = established("90;refresher=uac", true);
    harness.agent.hangup(harness.now, call).unwrap();
    let bye = harness.request(Method::BYE);
    harness.answer(&bye, 200, "bob-tag");
    harness.advance(200 * SECOND);
    harness.silent();
    assert!(harness.agent.is_idle());
}
