use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{
    Accept, Allow, ContentType, HeaderName, MaxForwards, Require, Server, Unsupported,
};
use sidetone_sip_core::{Method, Request};
use sidetone_sip_ua::Event;

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
        (Method::REFER, 405),
        (Method::UPDATE, 405),
        (Method::PRACK, 405),
        (Method::PUBLISH, 405),
        (Method::REGISTER, 405),
        (Method::parse(b"NONSENSE").unwrap(), 405),
        (Method::SUBSCRIBE, 489),
        (Method::NOTIFY, 489),
        (Method::BYE, 481),
        (Method::INFO, 481),
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
    harness.response(415);
    harness.no_event();
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
                    harness
                        .agent
                        .reject(harness.now, call, sidetone_sip_core::StatusCode::BUSY_HERE)
                        .unwrap();
                }
                Event::Offer { call, .. } => {
                    harness
                        .agent
                        .reject_offer(harness.now, call, sidetone_sip_core::StatusCode::NOT_ACCEPTABLE_HERE)
                        .unwrap();
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
