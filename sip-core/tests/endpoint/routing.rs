//! The endpoint around its transactions over UDP: routing, matching, refusals, answers without state.

use crate::endpoint::{accept, datagram, events, names, only_request, sent, stream, transmits, udp};
use crate::support::{PEER, US, address, config, name_of, peer_request, peer_response, request};
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{CSeq, MaxForwards, RetryAfter, To, Via};
use sidetone_sip_core::trace::{Direction, TapMessage};
use sidetone_sip_core::transaction::{Timer, TransactionId};
use sidetone_sip_core::{
    Endpoint, Event, FlowError, FlowId, FlowRequest, HeaderName, Input, Instant, Leniency, Message, Method,
    Protocol, SendError, Source, StatusCode, Target, WakeReason,
};
use std::sync::{Arc, Mutex};

#[test]
fn requests_leave_with_via_branch_rport_and_max_forwards() {
    let (mut endpoint, _) = udp();
    let target = Target::new(Protocol::Udp, address(PEER));
    let mut twice = Vec::new();
    for _ in 0..2 {
        endpoint.request(Instant::ZERO, request(&Method::OPTIONS, "a@b"), &target).unwrap();
        let (destination, message) = sent(&mut endpoint).remove(0);
        let Message::Request(request) = message else { panic!() };
        let via: Via = request.headers.require().unwrap();
        assert_eq!(destination, address(PEER));
        assert_eq!(
            (via.protocol(), via.host.to_string(), via.port),
            (Some(Protocol::Udp), "192.0.2.1".into(), Some(5060))
        );
        assert_eq!(via.rport(), Some(None));
        assert!(via.branch().unwrap().starts_with("z9hG4bK"));
        assert_eq!(request.headers.require::<MaxForwards>().unwrap(), MaxForwards(70));
        twice.push(via.branch().unwrap().to_owned());
    }
    assert_ne!(twice[0], twice[1]);
    let mut forwarded = request(&Method::OPTIONS, "a@b");
    forwarded.headers.push(&MaxForwards(3));
    endpoint.request(Instant::ZERO, forwarded, &target).unwrap();
    assert_eq!(sent(&mut endpoint)[0].1.headers().require::<MaxForwards>().unwrap(), MaxForwards(3));
}

#[test]
fn requests_that_cannot_be_sent_are_refused() {
    let (mut endpoint, _) = udp();
    let target = Target::new(Protocol::Udp, address(PEER));
    let now = Instant::ZERO;
    for method in [Method::ACK, Method::CANCEL] {
        let refused = endpoint.request(now, request(&method, "a@b"), &target);
        assert_eq!(refused, Err(SendError::NotARequest(method)));
    }
    let mut wrong = request(&Method::BYE, "a@b");
    wrong.headers.set(&CSeq { seq: 1, method: Method::INVITE });
    assert_eq!(endpoint.request(now, wrong, &target), Err(SendError::CSeqMethod(Method::BYE)));
    let mut incomplete = request(&Method::BYE, "a@b");
    incomplete.headers.remove(&HeaderName::TO);
    assert!(matches!(endpoint.request(now, incomplete, &target), Err(SendError::Malformed(_))));
    let v6 = Target::new(Protocol::Udp, address("[2001:db8::2]:5060"));
    let refused = endpoint.request(now, request(&Method::BYE, "a@b"), &v6);
    assert_eq!(refused, Err(SendError::NoLocalAddress(Protocol::Udp)));
    let gone = Target { flow: Some(FlowId(99)), ..target };
    let refused = endpoint.request(now, request(&Method::BYE, "a@b"), &gone);
    assert_eq!(refused, Err(SendError::Flow(FlowError::Unknown)));
    assert_eq!(endpoint.transaction_count(), 0);
    assert!(sent(&mut endpoint).is_empty());
}

#[test]
fn responses_go_where_via_and_source_say() {
    // Via, where the request came from, where the response goes, `received`, `rport`.
    let table = [
        ("192.0.2.2:5070", "192.0.2.2:40000", "192.0.2.2:5070", None, None),
        ("192.0.2.2", "192.0.2.2:40000", "192.0.2.2:5060", None, None),
        ("192.0.2.2:5070;rport", "192.0.2.2:40000", "192.0.2.2:40000", Some("192.0.2.2"), Some(40000)),
        ("10.0.0.1:5070;rport", "192.0.2.9:40000", "192.0.2.9:40000", Some("192.0.2.9"), Some(40000)),
        ("10.0.0.1:5070", "192.0.2.9:40000", "192.0.2.9:5070", Some("192.0.2.9"), None),
        ("phone.example.org", "192.0.2.9:40000", "192.0.2.9:5060", Some("192.0.2.9"), None),
        // What the peer claims of itself does not turn the response elsewhere.
        ("192.0.2.2:5070;received=198.51.100.1", "192.0.2.2:5070", "192.0.2.2:5070", Some("192.0.2.2"), None),
        (
            "192.0.2.2:5070;rport=53;received=198.51.100.1",
            "192.0.2.2:9",
            "192.0.2.2:9",
            Some("192.0.2.2"),
            Some(9),
        ),
        ("192.0.2.2:5070;maddr=198.51.100.1", "192.0.2.2:5070", "192.0.2.2:5070", None, None),
    ];
    for (via, source, destination, received, rport) in table {
        let (mut endpoint, flow) = udp();
        let mut request = peer_request(&Method::OPTIONS, Protocol::Udp, "z9hG4bKx", "a@b");
        request.headers.set(&format!("SIP/2.0/UDP {via};branch=z9hG4bKx").parse::<Via>().unwrap());
        datagram(&mut endpoint, Instant::ZERO, flow, address(source), request.to_bytes());
        let (transaction, request, from) = only_request(&mut endpoint);
        assert_eq!((from.remote, from.flow), (address(source), flow));
        endpoint.respond(Instant::ZERO, transaction, request.response(StatusCode::OK, Some("t"))).unwrap();
        let (to, response) = sent(&mut endpoint).remove(0);
        let top: Via = response.headers().require().unwrap();
        assert_eq!(to, address(destination), "{via}");
        assert_eq!(top.received(), received.map(|ip| ip.parse().unwrap()), "{via}");
        assert_eq!(top.rport().flatten(), rport, "{via}");
    }
}

#[test]
fn peers_of_rfc_2543_are_matched_without_a_magic_cookie() {
    for branch in [None, Some("1")] {
        let (mut endpoint, flow) = udp();
        let make = |method: &Method, tag: Option<&str>| {
            let mut request = peer_request(method, Protocol::Udp, "x", "old@b");
            let branch = branch.map(|branch| format!(";branch={branch}")).unwrap_or_default();
            request.headers.set(&format!("SIP/2.0/UDP 192.0.2.2:5060{branch}").parse::<Via>().unwrap());
            if let Some(tag) = tag {
                request.headers.set(&request.headers.require::<To>().unwrap().with_tag(tag));
            }
            request
        };
        let now = Instant::ZERO;
        let invite = make(&Method::INVITE, None).to_bytes();
        datagram(&mut endpoint, now, flow, address(PEER), invite.clone());
        let (transaction, request, _) = only_request(&mut endpoint);
        datagram(&mut endpoint, now, flow, address(PEER), invite.clone());
        assert!(names(&mut endpoint).is_empty(), "a repeated INVITE is absorbed");
        // Another call at the same time is another transaction.
        let mut other = make(&Method::INVITE, None);
        other.headers.set(&CSeq { seq: 2, method: Method::INVITE });
        datagram(&mut endpoint, now, flow, address(PEER), other.to_bytes());
        assert_eq!(names(&mut endpoint), ["event request INVITE"]);
        datagram(&mut endpoint, now, flow, address(PEER), make(&Method::CANCEL, None).to_bytes());
        assert_eq!(names(&mut endpoint), ["event cancelled"]);
        endpoint
            .respond(now, transaction, request.response(StatusCode::REQUEST_TERMINATED, Some("us")))
            .unwrap();
        let codes: Vec<_> = sent(&mut endpoint).iter().map(|(_, message)| name_of(message)).collect();
        assert_eq!(codes, ["200", "487"]);
        datagram(&mut endpoint, now, flow, address(PEER), make(&Method::ACK, Some("us")).to_bytes());
        assert!(names(&mut endpoint).is_empty(), "the ACK of a non-2xx is absorbed");
        assert_eq!(endpoint.poll_timeout().map(|(_, why)| why), Some(WakeReason::Transaction(Timer::Trying)));
    }
}

#[test]
fn the_same_branch_of_another_sender_or_method_is_another_transaction() {
    let (mut endpoint, flow) = udp();
    let now = Instant::ZERO;
    let first = peer_request(&Method::OPTIONS, Protocol::Udp, "z9hG4bKsame", "a@b");
    let mut other_port = first.clone();
    other_port.headers.set(&"SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bKsame".parse::<Via>().unwrap());
    let other_method = peer_request(&Method::INFO, Protocol::Udp, "z9hG4bKsame", "a@b");
    for request in [&first, &other_port, &other_method, &first] {
        datagram(&mut endpoint, now, flow, address(PEER), request.to_bytes());
    }
    assert_eq!(
        names(&mut endpoint),
        ["event request OPTIONS", "event request OPTIONS", "event request INFO"]
    );
    assert_eq!(endpoint.counters().repeated, 1);
}

#[test]
fn bad_requests_are_answered_if_they_can_be_and_never_an_ack() {
    let head = "Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKbad;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
                Call-ID: x@y\r\nCSeq: 1 OPTIONS\r\n";
    // What is wrong, and the status that answers it.
    let table = [
        (format!("OPTIONS sip:c@d SIP/7.0\r\n{head}\r\n"), Some(505)),
        (format!("OPTIONS sip:c@d SIP/2.0\r\n{head}Content-Length: 10\r\n\r\nshort"), Some(400)),
        (format!("OPTIONS sip:c@d SIP/2.0\r\n{head}Max-Forwards: many\r\n\r\n"), Some(400)),
        (format!("INFO sip:c@d SIP/2.0\r\n{head}\r\n"), Some(400)),
        (format!("OPTIONS sip:c@d SIP/2.0\r\n{}\r\n", head.replace("x@y", "")), Some(400)),
        (format!("ACK sip:c@d SIP/2.0\r\n{head}\r\n"), None),
        (format!("ACK sip:c@d SIP/7.0\r\n{head}\r\n"), None),
        (format!("SIP/2.0 20\r\n{head}\r\n"), None),
        (format!("SIP/2.0 999 No\r\n{head}\r\n"), None),
        ("OPTIONS sip:c@d SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n".into(), None),
        ("\u{fffd} garbage".into(), None),
    ];
    let (mut endpoint, flow) = udp();
    for (count, (text, status)) in table.iter().enumerate() {
        datagram(&mut endpoint, Instant::ZERO, flow, address("192.0.2.2:40000"), text.clone());
        let answers = sent(&mut endpoint);
        match (status, &answers[..]) {
            (None, []) => {}
            (Some(status), [(destination, Message::Response(response))]) => {
                assert_eq!(response.status.code(), *status, "{text}");
                assert_eq!(*destination, address("192.0.2.2:40000"));
                assert!(response.headers.require::<To>().unwrap().tag().is_some());
                assert_eq!(response.headers.require::<Via>().unwrap().rport(), Some(Some(40000)));
            }
            other => panic!("{other:?} to {text}"),
        }
        assert_eq!(endpoint.counters().malformed, count as u64 + 1, "{text}");
    }
    assert!(names(&mut endpoint).is_empty());
    assert_eq!(endpoint.transaction_count(), 0);
}

#[test]
fn a_request_whose_via_cannot_be_read_is_answered_to_where_it_came_from() {
    let rest = "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x@y\r\nCSeq: 1 OPTIONS\r\n\r\n";
    let old = "Via: SIP/7.0/UDP 192.0.2.2:5060;branch=z9hG4bKbad\r\n";
    let broken = "Via: SIP/2.0/UDP 192.0.2.2:port;branch=z9hG4bKbad\r\n";
    let table = [
        (format!("OPTIONS sip:c@d SIP/7.0\r\n{old}{rest}"), Some(505)),
        (format!("OPTIONS sip:c@d SIP/2.0\r\n{broken}{rest}"), Some(400)),
        (format!("OPTIONS sip:c@d SIP/2.0\r\n{broken}{rest}").replace("CSeq", "C Seq"), Some(400)),
        (format!("ACK sip:c@d SIP/2.0\r\n{broken}{rest}").replace("1 OPTIONS", "1 ACK"), None),
        (format!("SIP/2.0 200 OK\r\n{broken}{rest}"), None),
        (format!("SIP/7.0 200 OK\r\n{old}{rest}"), None),
        (format!("OPTIONS sip:c@d SIP/2.0\r\n{rest}"), None),
    ];
    let (mut endpoint, flow) = udp();
    let from = address("192.0.2.9:40000");
    for (text, status) in &table {
        datagram(&mut endpoint, Instant::ZERO, flow, from, text.clone());
        let answer = endpoint.poll_transmit();
        assert!(endpoint.poll_transmit().is_none());
        assert_eq!(answer.is_some(), status.is_some(), "{text}");
        let (Some(answer), Some(status)) = (answer, status) else { continue };
        assert_eq!((answer.flow, answer.destination), (flow, from));
        let answer = core::str::from_utf8(&answer.payload).unwrap().to_owned();
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
        let via = text.lines().find(|line| line.starts_with("Via")).unwrap();
        assert!(answer.contains(via) && answer.contains("\r\nTo: <sip:c@d>;tag="), "{answer}");
    }
    assert_eq!(
        (endpoint.counters().answered_to_source, endpoint.counters().malformed),
        (3, table.len() as u64)
    );
    assert!(names(&mut endpoint).is_empty());

    // Not more than so many a second.
    let now = Instant::from_millis(10_000);
    let mut answers = 0;
    for _ in 0..1000 {
        datagram(&mut endpoint, now, flow, from, table[0].0.clone());
        answers += transmits(&mut endpoint).count();
    }
    assert_eq!(answers, 20);
    datagram(&mut endpoint, now + Duration::from_secs(1), flow, from, table[0].0.clone());
    assert_eq!(transmits(&mut endpoint).count(), 1);
    assert_eq!(endpoint.counters().answered_to_source, 24);
    // A Via that can be read is not bounded by that.
    let readable = table[1].0.replace(":port", ":5060").replace("1 OPTIONS", "1 INFO");
    for _ in 0..100 {
        datagram(&mut endpoint, now, flow, from, readable.clone());
        assert_eq!(transmits(&mut endpoint).count(), 1);
    }
    assert_eq!(endpoint.counters().answered_to_source, 24);
    // Or never.
    let mut config = config();
    config.max_source_answers = 0;
    let mut endpoint = Endpoint::new(config);
    let flow = endpoint.bind(Protocol::Udp, address(US));
    datagram(&mut endpoint, now, flow, from, table[0].0.clone());
    assert_eq!((transmits(&mut endpoint).count(), endpoint.counters().answered_to_source), (0, 0));
}

#[test]
fn datagrams_are_read_with_the_leniency_of_the_configuration() {
    let head = "Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKx\r\nTo: <sip:c@d>\r\nCall-ID: x@y\r\n\
                From: <sip:a@b>;tag=1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n";
    let exact = format!("INVITE sip:c@d SIP/2.0\r\n{head}\r\n");
    // What is forgiven by each set: none, default, all.
    let table = [
        (exact.clone(), [true, true, true]),
        (exact.replace("Max-Forwards: 70\r\n", ""), [false, true, true]),
        (exact.replace(";tag=1", ""), [false, true, true]),
        (exact.replace(";branch=z9hG4bKx", ""), [false, true, true]),
        // A header that we can do without.
        (exact.replace("Max-F", "Expires: soon\r\nMax-F"), [false, true, true]),
        (exact.replace("INVITE sip", "INVITE  sip"), [false, false, true]),
        (exact.replace("1 INVITE", "1INVITE"), [false, false, true]),
        // Nobody's fault but ours: a method, a scheme, an extension that is not known.
        (exact.replace("INVITE", "JUGGLE"), [true, true, true]),
        (exact.replace("sip:c@d S", "soap.beep:c@d S"), [true, true, true]),
        (exact.replace("Max-F", "Require: nothingSupportsThis\r\nMax-F"), [true, true, true]),
    ];
    for (text, taken) in table {
        for (leniency, taken) in
            [Leniency::STRICT, Leniency::DEFAULT, Leniency::LENIENT].into_iter().zip(taken)
        {
            let mut config = config();
            config.leniency = leniency;
            let mut endpoint = Endpoint::new(config);
            let flow = endpoint.bind(Protocol::Udp, address(US));
            datagram(&mut endpoint, Instant::ZERO, flow, address(PEER), text.clone());
            assert_eq!(names(&mut endpoint).len(), usize::from(taken), "{leniency:?} of {text}");
            if !taken {
                assert!(sent(&mut endpoint)[0].1.to_bytes().starts_with(b"SIP/2.0 400 "), "{text}");
                continue;
            }
            // What was read once is read again when the 100 is due.
            assert!(sent(&mut endpoint).is_empty());
            let Some((due, _)) = endpoint.poll_timeout() else { panic!("{text}") };
            endpoint.handle_timeout(due);
            let trying = sent(&mut endpoint);
            assert!(trying[0].1.to_bytes().starts_with(b"SIP/2.0 100 "), "{leniency:?} of {text}");
        }
    }
}

#[test]
fn without_room_requests_are_answered_503_and_own_ones_refused() {
    let mut config = config();
    config.max_transactions = 2;
    config.retry_after = 7;
    let mut endpoint = Endpoint::new(config);
    let flow = endpoint.bind(Protocol::Udp, address(US));
    let now = Instant::ZERO;
    for n in 0..4 {
        let request = peer_request(&Method::OPTIONS, Protocol::Udp, &format!("z9hG4bK{n}"), "a@b");
        datagram(&mut endpoint, now, flow, address(PEER), request.to_bytes());
    }
    let ack = peer_request(&Method::ACK, Protocol::Udp, "z9hG4bKack", "a@b");
    datagram(&mut endpoint, now, flow, address(PEER), ack.to_bytes());
    assert_eq!(names(&mut endpoint), ["event request OPTIONS", "event request OPTIONS", "event ack"]);
    let answers = sent(&mut endpoint);
    assert_eq!(answers.len(), 2);
    for (_, message) in answers {
        assert_eq!(name_of(&message), "503");
        assert_eq!(message.headers().require::<RetryAfter>().unwrap().seconds, 7);
    }
    assert_eq!(endpoint.counters().refused, 2);
    let target = Target::new(Protocol::Udp, address(PEER));
    let refused = endpoint.request(now, request(&Method::OPTIONS, "a@b"), &target);
    assert_eq!(refused, Err(SendError::TooManyTransactions));
    endpoint.handle_timeout(Instant::from_millis(32_000));
    assert!(
        endpoint.request(Instant::from_millis(32_000), request(&Method::OPTIONS, "a@b"), &target).is_ok()
    );
}

#[test]
fn input_is_dropped_while_too_much_waits_to_be_taken() {
    let mut config = config();
    config.max_backlog = 3;
    let mut endpoint = Endpoint::new(config);
    let flow = endpoint.bind(Protocol::Udp, address(US));
    for n in 0..5 {
        let request = peer_request(&Method::OPTIONS, Protocol::Udp, &format!("z9hG4bK{n}"), "a@b");
        datagram(&mut endpoint, Instant::ZERO, flow, address(PEER), request.to_bytes());
    }
    endpoint.listen(Protocol::Tcp, address(US));
    let flow = accept(&mut endpoint, Instant::ZERO, "192.0.2.2:41000").unwrap();
    stream(&mut endpoint, Instant::ZERO, flow, b"\r\n");
    // A stream cannot lose bytes and go on.
    assert_eq!(endpoint.poll_flow(), Some(FlowRequest::Close { flow }));
    assert_eq!(events(&mut endpoint).len(), 3);
    assert_eq!(endpoint.counters().overflowed, 3);
}

#[test]
fn stray_responses_are_reported_only_if_they_could_be_ours() {
    let (mut endpoint, flow) = udp();
    let mut request = peer_request(&Method::INVITE, Protocol::Udp, "z9hG4bKold", "a@b");
    for (via, reported) in [("192.0.2.1:5060", true), ("192.0.2.1:5061", false), ("198.51.100.7:5060", false)]
    {
        request.headers.set(&format!("SIP/2.0/UDP {via};branch=z9hG4bKold").parse::<Via>().unwrap());
        datagram(&mut endpoint, Instant::ZERO, flow, address(PEER), peer_response(&request, 200).to_bytes());
        let expected: &[&str] = if reported { &["event stray 200"] } else { &[] };
        assert_eq!(names(&mut endpoint), expected, "{via}");
    }
    assert_eq!(endpoint.counters().strays, 2);
}

#[test]
fn the_best_local_address_is_named() {
    let mut endpoint = Endpoint::new(config());
    let remote = Some(address("198.51.100.9:5060"));
    assert_eq!(endpoint.local_address(Protocol::Udp, remote), None);
    endpoint.bind(Protocol::Udp, address("0.0.0.0:5060"));
    assert_eq!(endpoint.local_address(Protocol::Udp, remote), None, "no route is known yet");
    let loopback = Some(address("127.0.0.5:5060"));
    assert_eq!(endpoint.local_address(Protocol::Udp, loopback), Some(address("127.0.0.5:5060")));
    endpoint.set_route("0.0.0.0".parse().unwrap(), "10.0.0.1".parse().unwrap());
    assert_eq!(endpoint.local_address(Protocol::Udp, remote), Some(address("10.0.0.1:5060")));
    assert_eq!(endpoint.local_address(Protocol::Udp, None), Some(address("10.0.0.1:5060")));
    endpoint.set_route("198.51.100.9".parse().unwrap(), "203.0.113.1".parse().unwrap());
    assert_eq!(endpoint.local_address(Protocol::Udp, remote), Some(address("203.0.113.1:5060")));
    // A socket of its own on that address is better; a listener is named for its transport.
    endpoint.bind(Protocol::Udp, address("203.0.113.1:5080"));
    endpoint.listen(Protocol::Tcp, address("203.0.113.1:5090"));
    assert_eq!(endpoint.local_address(Protocol::Udp, remote), Some(address("203.0.113.1:5080")));
    assert_eq!(endpoint.local_address(Protocol::Tcp, remote), Some(address("203.0.113.1:5090")));
    assert_eq!(endpoint.local_address(Protocol::Udp, Some(address("[2001:db8::1]:5060"))), None);
}

#[test]
fn keep_alive_datagrams_are_counted_and_not_answered() {
    let (mut endpoint, flow) = udp();
    for bytes in [&b"\r\n\r\n"[..], b"\0\0\0\0", b"", b"\r\n"] {
        datagram(&mut endpoint, Instant::ZERO, flow, address(PEER), Bytes::from_static(bytes));
    }
    assert_eq!((endpoint.counters().keep_alives, endpoint.counters().malformed), (4, 0));
    assert!(endpoint.poll_transmit().is_none());
}

#[test]
fn a_tap_sees_both_directions_and_retransmissions() {
    let (mut endpoint, flow) = udp();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    endpoint.set_tap(Some(Box::new(move |message: &TapMessage<'_>| {
        let line =
            (message.now.as_millis(), message.direction, message.remote, message.local, message.label());
        log.lock().unwrap().push(line);
    })));
    let target = Target::new(Protocol::Udp, address(PEER));
    endpoint.request(Instant::ZERO, request(&Method::OPTIONS, "a@b"), &target).unwrap();
    endpoint.handle_timeout(Instant::from_millis(500));
    let (_, message) = sent(&mut endpoint).remove(0);
    let Message::Request(options) = message else { panic!() };
    datagram(
        &mut endpoint,
        Instant::from_millis(600),
        flow,
        address(PEER),
        peer_response(&options, 200).to_bytes(),
    );
    let us = Some(address(US));
    let expected = [
        (0, Direction::Sent, address(PEER), us, "OPTIONS sip:bob@192.0.2.2".to_owned()),
        (500, Direction::Sent, address(PEER), us, "OPTIONS sip:bob@192.0.2.2".to_owned()),
        (600, Direction::Received, address(PEER), us, "200 OK (OPTIONS)".to_owned()),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
    endpoint.set_tap(None);
    endpoint.handle_timeout(Instant::from_millis(700));
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[test]
fn ack_and_stateless_responses_go_out_without_a_transaction() {
    let (mut endpoint, flow) = udp();
    let target = Target::new(Protocol::Udp, address(PEER));
    endpoint.send_ack(Instant::ZERO, request(&Method::ACK, "a@b"), &target).unwrap();
    let (to, ack) = sent(&mut endpoint).remove(0);
    assert_eq!((to, name_of(&ack).as_str()), (address(PEER), "ACK"));
    assert!(ack.headers().require::<Via>().unwrap().branch().is_some());
    let refused = endpoint.send_ack(Instant::ZERO, request(&Method::BYE, "a@b"), &target);
    assert_eq!(refused, Err(SendError::NotARequest(Method::BYE)));

    let mut request = peer_request(&Method::INVITE, Protocol::Udp, "z9hG4bKx", "a@b");
    let response = peer_response(&request, 200);
    let source = Source { flow, protocol: Protocol::Udp, remote: address("192.0.2.2:40000") };
    endpoint.send_response(Instant::ZERO, &response, Some(&source)).unwrap();
    assert_eq!(sent(&mut endpoint)[0].0, address(PEER));
    request.headers.set(
        &"SIP/2.0/UDP phone.example.org;branch=z9hG4bKx;received=192.0.2.8;rport=7777"
            .parse::<Via>()
            .unwrap(),
    );
    endpoint.send_response(Instant::ZERO, &peer_response(&request, 200), None).unwrap();
    assert_eq!(sent(&mut endpoint)[0].0, address("192.0.2.8:7777"));
    request.headers.set(&"SIP/2.0/UDP phone.example.org;branch=z9hG4bKx".parse::<Via>().unwrap());
    assert!(endpoint.send_response(Instant::ZERO, &peer_response(&request, 200), None).is_err());
    assert_eq!(endpoint.transaction_count(), 0);
}

#[test]
fn sizes_are_known() {
    // What a transaction takes beside its message is pinned in the layer; these are what callers hold.
    assert_eq!(size_of::<TransactionId>(), 8);
    assert!(size_of::<Event>() <= 320, "{}", size_of::<Event>());
    assert!(size_of::<Input>() <= 80, "{}", size_of::<Input>());
    assert!(size_of::<Target>() <= 72, "{}", size_of::<Target>());
}
