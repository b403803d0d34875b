use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{
    Accept, Allow, ContentType, HeaderName, MaxForwards, ProxyAuthenticate, Require, Server, Unsupported,
};
use sidetone_sip_core::{Challenge, Method, Request, StatusCode};
use sidetone_sip_ua::{CallId, CallState, CommandError, Event};

#[test]
fn options_are_answered_with_what_we_can() {
    let mut harness = Harness::new();
    let mut options = harness.peer_request(Method::OPTIONS);
    // Where a request ends, no hops need to be left (RFC 4475 §3.3.11).
    options.headers.push(&MaxForwards(0));
    harness.put(options);
    let response = harness.response(200);
    let Allow(methods) = response.headers.require().unwrap();
    for method in [Method::INVITE, Method::ACK, Method::CANCEL, Method::BYE, Method::OPTIONS, Method::INFO] {
        assert!(methods.contains(&method), "{method}");
    }
    assert!(response.headers.require::<Accept>().unwrap().takes(&ContentType::SDP));
    assert!(response.headers.require::<Server>().unwrap().starts_with("sidetone/"));
}

#[test]
fn what_we_do_not_serve_is_refused_by_the_right_status() {
    let table = [
        (Method::MESSAGE, 405),
        (Method::REFER, 403),
        (Method::PUBLISH, 405),
        (Method::REGISTER, 405),
        (Method::parse(b"NONSENSE").unwrap(), 405),
        (Method::SUBSCRIBE, 489),
        (Method::NOTIFY, 489),
        (Method::BYE, 481),
        (Method::INFO, 481),
        (Method::UPDATE, 481),
        (Method::PRACK, 481),
    ];
    let mut harness = Harness::new();
    for (method, code) in table {
        let request = harness.peer_request(method.clone());
        harness.put(request);
        let response = harness.response(code);
        assert_eq!(response.headers.contains(&HeaderName::ALLOW), code == 405, "{method}");
        assert!(response.headers.require::<sidetone_sip_core::header::To>().unwrap().tag().is_some());
    }
    harness.no_event();
}

#[test]
fn requests_for_unknown_dialogs_get_481_and_a_stray_ack_nothing() {
    let mut harness = Harness::new();
    for method in [Method::INVITE, Method::BYE, Method::OPTIONS, Method::INFO] {
        let mut request = harness.peer_request(method);
        request.headers.remove(&HeaderName::TO);
        request.headers.push_raw(HeaderName::TO, "<sip:alice@192.0.2.2>;tag=nobody").unwrap();
        harness.put(request);
        harness.response(481);
    }
    let mut ack = harness.peer_request(Method::ACK);
    ack.headers.remove(&HeaderName::TO);
    ack.headers.push_raw(HeaderName::TO, "<sip:alice@192.0.2.2>;tag=nobody").unwrap();
    harness.put(ack);
    harness.silent();
    harness.no_event();
}

#[test]
fn required_extensions_that_we_lack_are_named() {
    let mut harness = Harness::new();
    let mut invite = harness.peer_invite();
    invite.headers.push_raw(HeaderName::REQUIRE, "100rel, timer").unwrap();
    harness.put(invite);
    let response = harness.response(420);
    let unsupported: Unsupported = response.headers.require().unwrap();
    assert!(unsupported.has("100rel") && unsupported.has("timer"));
    assert!(response.headers.get::<Require>().is_none());
    harness.no_event();
}

/// Of the same call it would be a merged request.
fn another_call(harness: &mut Harness, call_id: &str) -> Request {
    let mut invite = harness.peer_invite();
    invite.headers.remove(&HeaderName::CALL_ID);
    invite.headers.push_raw(HeaderName::CALL_ID, call_id).unwrap();
    invite
}

#[test]
fn foreign_schemes_and_bodies_are_refused() {
    let mut harness = Harness::new();
    let mut tel = harness.peer_invite();
    tel.uri = uri("tel:+4930123");
    harness.put(tel);
    harness.response(416);
    let mut xml = another_call(&mut harness, "xml");
    xml.headers.remove(&HeaderName::CONTENT_TYPE);
    xml.headers.push_raw(HeaderName::CONTENT_TYPE, "application/xml").unwrap();
    harness.put(xml);
    let response = harness.response(415);
    assert!(response.headers.require::<Accept>().unwrap().takes(&ContentType::SDP));
    let mut packed = another_call(&mut harness, "packed");
    packed.headers.push_raw(HeaderName::CONTENT_ENCODING, "gzip").unwrap();
    harness.put(packed);
    harness.response(415);
    harness.no_event();
}

#[cfg(feature = "media")]
#[test]
fn key_presses_in_info_are_events() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let mut info = harness.callee_in_dialog(&invite, &ok, Method::INFO, 1);
    info.set_body(&ContentType::DTMF_RELAY, &b"Signal=7\r\nDuration=120\r\n"[..]);
    harness.put(info);
    harness.response(200);
    let Event::Dtmf { call: of, digit, duration } = harness.event() else { panic!("expected a digit") };
    assert_eq!((of, digit, duration), (call, '7', Some(Duration::from_millis(120))));
    let mut info = harness.callee_in_dialog(&invite, &ok, Method::INFO, 2);
    info.set_body(&ContentType::TEXT, &b"hello"[..]);
    harness.put(info);
    let Accept(kinds) = harness.response(415).headers.require().unwrap();
    assert_eq!(kinds.len(), 3);
    harness.no_event();
}

#[test]
fn an_info_without_a_body_says_nothing_and_is_in_order() {
    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    let info = harness.callee_in_dialog(&invite, &ok, Method::INFO, 1);
    harness.put(info);
    harness.response(200);
    harness.no_event();
}

fn send_info(harness: &mut Harness, call: CallId, text: &'static str) -> Result<(), CommandError> {
    harness.agent.send_info(harness.now, call, ContentType::DTMF_RELAY, body(text))
}

#[test]
fn info_requests_go_one_at_a_time_in_their_order() {
    let mut harness = Harness::new();
    let (call, invite, _) = harness.established();
    for text in ["one", "two", "three"] {
        send_info(&mut harness, call, text).unwrap();
    }
    for (place, text) in ["one", "two", "three"].into_iter().enumerate() {
        let info = harness.request(Method::INFO);
        assert_eq!((seq(&info), info.body.clone()), (seq(&invite) + 1 + place as u32, body(text)));
        assert!(info.headers.require::<ContentType>().unwrap().is(&ContentType::DTMF_RELAY));
        harness.silent();
        harness.no_event();
        harness.answer(&info, 100, "bob-tag");
        harness.no_event();
        harness.answer(&info, 200, "bob-tag");
        assert!(matches!(harness.event(), Event::InfoAccepted { call: of } if of == call));
    }
    harness.silent();
    // As many as may wait; then there is room again.
    for _ in 0..32 {
        send_info(&mut harness, call, "more").unwrap();
    }
    assert_eq!(send_info(&mut harness, call, "more"), Err(CommandError::QueueFull(32)));
    let info = harness.request(Method::INFO);
    harness.answer(&info, 200, "bob-tag");
    send_info(&mut harness, call, "more").unwrap();
}

#[test]
fn a_refused_info_takes_those_behind_it_along_and_the_call_goes_on() {
    for code in [405, 415, 469, 501, 503, 603] {
        let mut harness = Harness::new();
        let (call, _, _) = harness.established();
        send_info(&mut harness, call, "one").unwrap();
        send_info(&mut harness, call, "two").unwrap();
        let info = harness.request(Method::INFO);
        harness.answer(&info, code, "bob-tag");
        let Event::InfoRefused { status, .. } = harness.event() else { panic!("expected the refusal") };
        assert_eq!(status.code(), code);
        harness.no_event();
        harness.silent();
        assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
        // The next one is a new beginning.
        send_info(&mut harness, call, "three").unwrap();
        assert_eq!(harness.request(Method::INFO).body, body("three"));
    }
}

#[test]
fn silence_to_an_info_is_a_408_and_the_call_goes_on() {
    let mut harness = Harness::new();
    let (call, _, _) = harness.established();
    send_info(&mut harness, call, "one").unwrap();
    harness.ms(32_500);
    let Event::InfoRefused { status, .. } = harness.event() else { panic!("expected the refusal") };
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn a_dialog_that_the_other_side_does_not_know_ends_with_its_answer_to_an_info() {
    let mut harness = Harness::new();
    let (call, _, _) = harness.established();
    send_info(&mut harness, call, "one").unwrap();
    let info = harness.request(Method::INFO);
    harness.answer(&info, 481, "bob-tag");
    assert!(matches!(harness.event(), Event::InfoRefused { .. }));
    assert_eq!(harness.ended().status, Some(StatusCode::CALL_DOES_NOT_EXIST));
    harness.request(Method::BYE);
}

#[test]
fn an_info_is_sent_again_with_credentials() {
    let mut harness = Harness::new();
    let (call, _, _) = harness.established();
    send_info(&mut harness, call, "one").unwrap();
    let info = harness.request(Method::INFO);
    let challenge: Challenge = r#"Digest realm="test", nonce="abc", qop="auth""#.parse().unwrap();
    harness.put(reply_with(&info, 407, &ProxyAuthenticate(challenge)));
    let again = harness.request(Method::INFO);
    assert_eq!((seq(&again), again.body.clone()), (seq(&info) + 1, body("one")));
    assert!(again.headers.contains(&HeaderName::PROXY_AUTHORIZATION));
    harness.answer(&again, 200, "bob-tag");
    assert!(matches!(harness.event(), Event::InfoAccepted { .. }));
}

#[test]
fn an_info_needs_an_established_call_and_goes_with_it() {
    let mut harness = Harness::new();
    let account = harness.account();
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    harness.request(Method::INVITE);
    assert_eq!(send_info(&mut harness, call, "early"), Err(CommandError::WrongState));
    assert!(!harness.agent.call_takes_info(call));

    let mut harness = Harness::new();
    let (call, _, _) = harness.answered();
    assert!(harness.agent.call_takes_info(call), "nobody said otherwise");
    send_info(&mut harness, call, "one").unwrap();
    send_info(&mut harness, call, "two").unwrap();
    let info = harness.request(Method::INFO);
    harness.agent.hangup(harness.now, call).unwrap();
    let bye = harness.request(Method::BYE);
    assert!(matches!(harness.event(), Event::Ended { .. }));
    harness.answer(&info, 200, "bob-tag");
    harness.silent();
    harness.answer(&bye, 200, "bob-tag");
    harness.no_event();
    assert_eq!(send_info(&mut harness, call, "late"), Err(CommandError::NoSuchCall));
}

#[test]
fn what_allow_leaves_out_is_not_taken() {
    for (allow, takes) in [("INVITE, ACK, BYE", false), ("INVITE, ACK, BYE, INFO", true)] {
        let mut harness = Harness::new();
        harness.account();
        let mut invite = harness.peer_invite();
        invite.headers.push_raw(HeaderName::ALLOW, allow).unwrap();
        harness.put(invite);
        let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
        harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
        assert_eq!(harness.agent.call_takes_info(call), takes, "{allow}");
    }
}

#[test]
fn a_stranger_cannot_speak_within_a_dialog() {
    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    let mut bye = harness.callee_in_dialog(&invite, &ok, Method::BYE, 1);
    bye.headers.remove(&HeaderName::FROM);
    bye.headers.push_raw(HeaderName::FROM, "<sip:bob@192.0.2.2>;tag=other").unwrap();
    harness.put(bye);
    harness.response(481);
    harness.no_event();
}

/// RFC 4475 and its like: whatever comes, the agent lives and the call stays up.
#[test]
fn mutated_messages_do_no_harm_to_a_call() {
    use sidetone_hal::rng::Rng;
    use sidetone_sip_ua::CallState;
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let fresh = harness.peer_invite().to_bytes();
    let templates: Vec<Vec<u8>> = [Method::INVITE, Method::OPTIONS, Method::INFO, Method::MESSAGE]
        .into_iter()
        .map(|method| harness.callee_in_dialog(&invite, &ok, method, 1).to_bytes())
        .chain([ok.to_bytes(), fresh])
        .collect();
    let mut rng = Rng::from_u64(4475);
    harness.lenient = true;
    let flow = sidetone_hal::net::FlowId(0);
    for _ in 0..10_000 {
        let mut bytes = templates[rng.below(templates.len() as u32) as usize].clone();
        for _ in 0..=rng.below(8) {
            let at = rng.below(bytes.len() as u32) as usize;
            match rng.below(4) {
                0 => bytes[at] = rng.next_u32() as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"\r\n;,<>\"@: "[rng.below(10) as usize]),
                _ => bytes.truncate(at.max(20)),
            }
        }
        harness.raw(flow, bytes);
        harness.ms(1);
        harness.skip();
        while let Some(event) = harness.agent.poll_event() {
            match event {
                Event::Incoming { call, .. } => {
                    harness.agent.reject(harness.now, call, StatusCode::BUSY_HERE).unwrap();
                }
                Event::Offer { call, .. } => {
                    harness.agent.reject_offer(harness.now, call, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
                }
                Event::Ended { call: ended, cause } => assert_ne!(ended, call, "{cause}"),
                _ => {}
            }
        }
    }
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
    harness.advance(Duration::from_secs(300));
    assert_eq!(harness.agent.endpoint().transaction_count(), 0);
    let bye: Request = {
        harness.skip();
        harness.agent.hangup(harness.now, call).unwrap();
        harness.request(Method::BYE)
    };
    harness.answer(&bye, 200, "bob-tag");
    assert!(harness.agent.is_idle());
}
