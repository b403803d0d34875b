//! Connections of others: slow peers, idle ones, too many of them, aliases; and WebSocket.

use crate::endpoint::{SECOND, accept, at, both, connect, names, sent_on, stream, via};
use crate::support;
use crate::support::{PEER, US, address, config, peer_request, peer_response, request};
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::Via;
use sidetone_sip_core::locate::{LocateEvent, LocateRequest, Locator, LocatorConfig};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowError, FlowId, FlowRequest, Input, Instant, Leniency, Message,
    Method, Protocol, Rng, StatusCode, Target, WakeReason,
};

/// Runs the timers up to `end`; what was closed, and when.
fn closed(endpoint: &mut Endpoint, end: Instant) -> Vec<(Instant, FlowId)> {
    let mut closed = Vec::new();
    while let Some((now, _)) = endpoint.poll_timeout().filter(|(now, _)| *now <= end) {
        endpoint.handle_timeout(now);
        while let Some(FlowRequest::Close { flow }) = endpoint.poll_flow() {
            closed.push((now, flow));
        }
    }
    closed
}

#[test]
fn a_connection_must_bring_its_first_message_in_time() {
    let mut config = EndpointConfig::new([7; 32]);
    config.first_message = SECOND * 10;
    let (mut endpoint, _) = both(config);
    let silent = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
    let pings = accept(&mut endpoint, at(1), "192.0.2.2:40001").unwrap();
    let speaks = accept(&mut endpoint, at(2), "192.0.2.2:40002").unwrap();
    assert_eq!(endpoint.poll_timeout(), Some((at(10), WakeReason::Stalled)));
    for second in 2..8 {
        stream(&mut endpoint, at(second), pings, b"\r\n\r\n");
    }
    let options = peer_request(&Method::OPTIONS, Protocol::Tcp, "z9hG4bKx", "a@b").to_bytes();
    stream(&mut endpoint, at(9), speaks, &options);
    assert_eq!(closed(&mut endpoint, at(30)), [(at(10), silent), (at(11), pings)]);
    assert_eq!((endpoint.flow_count(), endpoint.counters().flows_stalled), (1, 2));
}

#[test]
fn a_message_that_began_must_be_whole_in_time() {
    let mut config = config();
    config.whole_message = SECOND * 5;
    let (mut endpoint, _) = both(config);
    let slow = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
    let steady = accept(&mut endpoint, at(0), "192.0.2.2:40001").unwrap();
    let options = peer_request(&Method::OPTIONS, Protocol::Tcp, "z9hG4bKx", "a@b").to_bytes();
    let pipelined = [&options[..], &options[..40]].concat();
    // One byte a second keeps nobody's connection open.
    for (second, byte) in options.iter().take(4).enumerate() {
        stream(&mut endpoint, at(100 + second as u64), slow, &[*byte]);
    }
    // The end of one and the beginning of the next together: each message has its own time.
    stream(&mut endpoint, at(100), steady, &pipelined);
    stream(&mut endpoint, at(104), steady, &[&options[40..], &options[..1]].concat());
    assert_eq!(closed(&mut endpoint, at(108)), [(at(105), slow)]);
    stream(&mut endpoint, at(108), steady, &options[1..]);
    assert!(closed(&mut endpoint, at(600)).is_empty(), "nothing is left unfinished");
    assert_eq!((endpoint.flow_count(), endpoint.counters().flows_stalled), (1, 1));
    // A transaction that waits on the connection does not save it.
    let target = Target::new(Protocol::Tcp, address("192.0.2.2:40001")).on(steady);
    endpoint.request(at(600), request(&Method::INVITE, "a@b"), &target).unwrap();
    stream(&mut endpoint, at(600), steady, b"SIP/2.0 1");
    names(&mut endpoint);
    assert_eq!(closed(&mut endpoint, at(620)), [(at(605), steady)]);
    assert_eq!(names(&mut endpoint), ["event failed transport: timed out", "event terminated"]);
}

#[test]
fn idle_connections_are_counted() {
    let mut config = config();
    config.idle = SECOND * 60;
    let (mut endpoint, _) = both(config);
    let flow = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
    stream(&mut endpoint, at(30), flow, b"\r\n\r\n");
    assert_eq!(closed(&mut endpoint, at(200)), [(at(90), flow)]);
    assert_eq!((endpoint.counters().flows_idle, endpoint.poll_timeout()), (1, None));
}

#[test]
fn idle_connections_close_and_busy_ones_do_not() {
    let mut config = config();
    config.idle = Duration::from_secs(100);
    config.first_message = Duration::from_secs(1000);
    config.max_flows = 2;
    let mut endpoint = Endpoint::new(config);
    endpoint.listen(Protocol::Tcp, address(US));
    let quiet = accept(&mut endpoint, at(0), "192.0.2.2:41000").unwrap();
    let busy = accept(&mut endpoint, at(0), "192.0.2.2:41001").unwrap();
    assert_eq!(accept(&mut endpoint, at(0), "192.0.2.2:41002"), None);
    let target = Target { flow: Some(busy), ..Target::new(Protocol::Tcp, address("192.0.2.2:41001")) };
    endpoint.request(at(0), request(&Method::INVITE, "a@b"), &target).unwrap();
    let (_, message) = sent_on(&mut endpoint).remove(0);
    let Message::Request(invite) = message else { panic!() };
    stream(&mut endpoint, at(1), busy, &peer_response(&invite, 180).to_bytes());
    stream(&mut endpoint, at(60), quiet, b"\r\n");
    let mut closed = Vec::new();
    while let Some((when, why)) = endpoint.poll_timeout().filter(|(when, _)| *when <= at(300)) {
        assert_eq!(why, WakeReason::Idle);
        endpoint.handle_timeout(when);
        closed.extend(core::iter::from_fn(|| endpoint.poll_flow()).map(|request| (when, request)));
    }
    assert_eq!(closed, [(at(160), FlowRequest::Close { flow: quiet })]);
    assert_eq!(endpoint.flow_count(), 1);
}

#[test]
fn one_address_has_so_many_connections_and_a_flood_has_no_more() {
    let mut config = config();
    config.max_flows = 50;
    config.max_flows_per_address = 10;
    let (mut endpoint, _) = both(config);
    let mut flows = Vec::new();
    for n in 0..1000 {
        flows.extend(accept(&mut endpoint, at(0), &format!("192.0.2.2:{}", 10_000 + n)));
    }
    assert_eq!(flows.len(), 10);
    // An IPv6 network counts as one.
    for n in 0..1000 {
        flows.extend(accept(&mut endpoint, at(0), &format!("[2001:db8::{n:x}]:5060")));
    }
    assert_eq!(flows.len(), 20);
    for n in 0..1000 {
        flows.extend(accept(&mut endpoint, at(0), &format!("198.51.{}.{}:5060", n / 256, n % 256)));
    }
    assert_eq!((flows.len(), endpoint.flow_count(), endpoint.counters().flows_refused), (50, 50, 2950));
    // Who closes one may have another.
    endpoint.handle_input(at(1), Input::FlowDown { flow: flows[0], reason: FlowError::Closed });
    assert!(accept(&mut endpoint, at(1), "192.0.2.2:5").is_some());
    assert!(accept(&mut endpoint, at(1), "192.0.2.2:6").is_none());
    for flow in flows {
        endpoint.handle_input(at(2), Input::FlowDown { flow, reason: FlowError::Closed });
    }
    assert_eq!(endpoint.flow_count(), 1);
}

#[test]
fn an_alias_brings_requests_back_over_the_peers_connection() {
    for enabled in [true, false] {
        let mut config = config();
        config.alias = enabled;
        let (mut endpoint, _) = both(config);
        let flow = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
        let mut options = peer_request(&Method::OPTIONS, Protocol::Tcp, "z9hG4bKx", "a@b");
        options.headers.set(&"SIP/2.0/TCP 192.0.2.2:5060;branch=z9hG4bKx;alias".parse::<Via>().unwrap());
        stream(&mut endpoint, at(0), flow, &options.to_bytes());
        let target = Target::new(Protocol::Tcp, address(PEER));
        endpoint.request(at(1), request(&Method::INVITE, "c@d"), &target).unwrap();
        if enabled {
            assert_eq!(endpoint.poll_flow(), None);
            let (on, message) = sent_on(&mut endpoint).remove(0);
            assert_eq!((on, via(&message).params.has("alias")), (flow, true));
            // It ends with its connection.
            endpoint.handle_input(at(2), Input::FlowDown { flow, reason: FlowError::Closed });
            endpoint.request(at(3), request(&Method::INVITE, "e@f"), &target).unwrap();
        }
        assert_ne!(connect(&mut endpoint), flow);
        // A second connection does not take an alias that is in use.
        let other = accept(&mut endpoint, at(3), "192.0.2.2:40001").unwrap();
        stream(&mut endpoint, at(3), other, &options.to_bytes());
        endpoint.request(at(3), request(&Method::INVITE, "g@h"), &target).unwrap();
        assert!(sent_on(&mut endpoint).is_empty(), "it waits for the connection that is on its way up");
    }
}

#[test]
fn an_accepted_secure_connection_carries_our_requests_only_to_whom_it_was_proved_to_be() {
    let ask = |endpoint: &mut Endpoint, call_id: &str, target: &Target| {
        endpoint.request(at(1), request(&Method::INVITE, call_id), target).unwrap();
        match endpoint.poll_flow() {
            Some(FlowRequest::Connect { flow, .. }) => (flow, true),
            Some(other) => panic!("{other:?}"),
            None => (sent_on(endpoint).remove(0).0, false),
        }
    };
    for protocol in [Protocol::Tls, Protocol::Wss] {
        let mut config = config();
        config.alias = true;
        let mut endpoint = Endpoint::new(config);
        endpoint.listen(protocol, address("192.0.2.1:5061"));
        let remote = address("192.0.2.2:40000");
        let alias = Target::new(protocol, address("192.0.2.2:5061"));
        let direct = Target::new(protocol, remote);
        let arrive = |endpoint: &mut Endpoint, domains: &[&str]| {
            let flow = endpoint.accept(at(0), protocol, address("192.0.2.1:5061"), remote).unwrap();
            assert!(domains.iter().all(|domain| endpoint.set_peer(flow, *domain)));
            let mut options = peer_request(&Method::OPTIONS, protocol, "z9hG4bKx", "a@b");
            let name = if protocol == Protocol::Tls { "TLS" } else { "WSS" };
            let via = format!("SIP/2.0/{name} 192.0.2.2:5061;branch=z9hG4bKx;alias");
            options.headers.set(&via.parse::<Via>().unwrap());
            match protocol {
                Protocol::Tls => stream(endpoint, at(0), flow, &options.to_bytes()),
                _ => endpoint.handle_input(at(0), Input::Frame { flow, payload: options.to_bytes().into() }),
            }
            let Some(Event::Request { transaction, request, source }) = endpoint.poll_event() else {
                panic!()
            };
            // Responses and what names the flow go back in any case.
            endpoint.respond(at(0), transaction, request.response(StatusCode::OK, Some("us"))).unwrap();
            assert_eq!(sent_on(endpoint).remove(0).0, flow);
            assert_eq!(ask(endpoint, "named", &source.target()), (flow, false));
            flow
        };
        // Nobody said who it is.
        let flow = arrive(&mut endpoint, &[]);
        for target in [&alias, &direct, &alias.clone().with_domain("a.example")] {
            assert!(ask(&mut endpoint, "unproved", target).1);
        }
        endpoint.close(at(1), flow);
        assert_eq!(endpoint.poll_flow(), Some(FlowRequest::Close { flow }));

        // It is two domains, and no others.
        let mut endpoint = Endpoint::new({
            let mut config = support::config();
            config.alias = true;
            config
        });
        endpoint.listen(protocol, address("192.0.2.1:5061"));
        let flow = arrive(&mut endpoint, &["a.example", "b.example", "a.example"]);
        for domain in ["a.example", "b.example"] {
            for target in [&alias, &direct] {
                assert_eq!(ask(&mut endpoint, "proved", &target.clone().with_domain(domain)), (flow, false));
            }
        }
        for target in [&alias, &direct] {
            assert!(ask(&mut endpoint, "nobody", target).1);
            assert!(ask(&mut endpoint, "other", &target.clone().with_domain("c.example")).1);
        }
        // Its names end with it.
        endpoint.handle_input(at(2), Input::FlowDown { flow, reason: FlowError::Closed });
        for target in [&alias, &direct] {
            assert!(ask(&mut endpoint, "gone", &target.clone().with_domain("b.example")).1);
        }
        assert!(!endpoint.set_peer(flow, "a.example"));
    }
}

#[test]
fn only_accepted_secure_connections_have_a_peer_to_name_and_few_domains() {
    let (mut endpoint, udp) = both(config());
    let tcp = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
    endpoint
        .request(at(0), request(&Method::OPTIONS, "a@b"), &Target::new(Protocol::Tls, address(PEER)))
        .unwrap();
    let ours = connect(&mut endpoint);
    for flow in [udp, tcp, ours] {
        assert!(!endpoint.set_peer(flow, "a.example"));
    }
    let tls = endpoint.accept(at(0), Protocol::Tls, address(US), address("192.0.2.2:40001")).unwrap();
    let named = (0..99).filter(|n| endpoint.set_peer(tls, format!("{n}.example"))).count();
    assert_eq!(named, 16);
}

#[test]
fn without_a_port_web_sockets_are_at_those_of_the_web() {
    // RFC 7118 §8, as a URI is located: the Via of a peer that can be connected to may have no port.
    for (protocol, port) in
        [(Protocol::Tcp, 5060), (Protocol::Tls, 5061), (Protocol::Ws, 80), (Protocol::Wss, 443)]
    {
        let mut endpoint = Endpoint::new(config());
        let mut response = peer_response(&peer_request(&Method::OPTIONS, protocol, "z9hG4bKx", "a@b"), 200);
        let mut top = Via::new(protocol, address(PEER).ip(), None);
        top.set_branch("z9hG4bKx");
        response.headers.set(&top);
        endpoint.send_response(at(0), &response, None).unwrap();
        let Some(FlowRequest::Connect { remote, .. }) = endpoint.poll_flow() else { panic!() };
        assert_eq!(remote.port(), port, "{protocol:?}");
        let mut locator = Locator::new(LocatorConfig::default(), Rng::from_u64(1));
        let located = LocateRequest::new(address(PEER).ip().into()).or_transport(protocol);
        locator.locate(at(0), located).unwrap();
        let Some(LocateEvent::Located { targets, .. }) = locator.poll_event() else { panic!() };
        assert_eq!((targets[0].protocol, targets[0].address), (protocol, remote));
    }
}

#[test]
fn streams_and_frames_are_read_with_the_leniency_of_the_configuration() {
    let request = "OPTIONS  sip:us@192.0.2.1 SIP/2.0 \r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKx\r\n\
                   From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x@y\r\nCSeq: 1 OPTIONS\r\n\r\n";
    for (leniency, events, is_open) in [
        (Leniency::LENIENT, &["event request OPTIONS"][..], true),
        // A stream without Content-Length.
        (Leniency::DEFAULT, &[], false),
    ] {
        let mut config = config();
        config.leniency = leniency;
        let (mut endpoint, _) = both(config.clone());
        let flow = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
        stream(&mut endpoint, at(0), flow, request.as_bytes());
        assert_eq!(
            (names(&mut endpoint), endpoint.flow_count() == 1),
            (events.iter().map(|name| (*name).into()).collect(), is_open)
        );
        // A connection that we made.
        let (mut endpoint, _) = both(config.clone());
        endpoint
            .request(
                at(0),
                support::request(&Method::OPTIONS, "a@b"),
                &Target::new(Protocol::Tcp, address(PEER)),
            )
            .unwrap();
        let flow = connect(&mut endpoint);
        endpoint.handle_input(at(0), Input::FlowUp { flow, local: address("192.0.2.1:40000") });
        stream(&mut endpoint, at(0), flow, request.as_bytes());
        assert_eq!(endpoint.flow_count() == 1, is_open);
        // Frames need no Content-Length, but the start line is as bad.
        let mut endpoint = Endpoint::new(config);
        endpoint.listen(Protocol::Ws, address(US));
        let flow = endpoint.accept(at(0), Protocol::Ws, address(US), address("192.0.2.2:40000")).unwrap();
        endpoint.handle_input(at(0), Input::Frame { flow, payload: Bytes::from_static(request.as_bytes()) });
        assert_eq!(names(&mut endpoint), events);
        assert_eq!(endpoint.flow_count(), 1);
    }
}

#[test]
fn a_websocket_client_names_itself_as_nobody_and_takes_frames() {
    let mut endpoint = Endpoint::new(config());
    endpoint.bind(Protocol::Udp, address(US));
    let target = Target::new(Protocol::Wss, address(PEER)).with_domain("example.com");
    let id = endpoint.request(at(0), request(&Method::REGISTER, "a@b"), &target).unwrap();
    let flow = connect(&mut endpoint);
    endpoint.handle_input(at(0), Input::FlowUp { flow, local: address("192.0.2.1:40000") });
    let (_, message) = sent_on(&mut endpoint).remove(0);
    let top = via(&message);
    assert_eq!((top.protocol(), top.port), (Some(Protocol::Wss), None));
    let host = top.host.to_string();
    assert!(host.len() >= 16 && host.ends_with(".invalid"), "{host}");
    assert_eq!(top.host, *endpoint.websocket_host());
    // RFC 7118 §5.2: another endpoint has another name.
    let mut other = config();
    other.seed = [9; 32];
    assert_ne!(Endpoint::new(other).websocket_host().to_string(), host);
    let Message::Request(register) = message else { panic!() };
    let answer = Bytes::from(peer_response(&register, 200).to_bytes());
    endpoint.handle_input(at(1), Input::Frame { flow, payload: answer.clone() });
    assert!(matches!(endpoint.poll_event(), Some(Event::Response { transaction, .. }) if transaction == id));
    assert_eq!(names(&mut endpoint), ["event terminated"]);
    // Its repetition belongs to nobody, but it is ours.
    endpoint.handle_input(at(1), Input::Frame { flow, payload: answer });
    assert_eq!(names(&mut endpoint), ["event stray 200"]);
    // Keep-alives, an empty message, and what is none.
    for payload in [&b"\r\n\r\n"[..], b"\r\n", b"", b"no SIP"] {
        endpoint.handle_input(at(2), Input::Frame { flow, payload: Bytes::from_static(payload) });
    }
    assert_eq!(&*endpoint.poll_transmit().unwrap().payload, b"\r\n");
    // The answer to a keep-alive is told, nothing else is.
    assert_eq!((endpoint.poll_transmit(), names(&mut endpoint).len()), (None, 1));
    assert!(endpoint.counters().keep_alives >= 2);
    assert_eq!(endpoint.flow_count(), 1, "a message that is wrong does not spoil the next");
}

#[test]
fn a_websocket_server_answers_on_the_connection() {
    let mut endpoint = Endpoint::new(config());
    endpoint.listen(Protocol::Ws, address(US));
    let flow = endpoint.accept(at(0), Protocol::Ws, address(US), address("192.0.2.2:40000")).unwrap();
    let mut register = peer_request(&Method::REGISTER, Protocol::Ws, "z9hG4bKx", "a@b");
    register.headers.set(&"SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKx;rport".parse::<Via>().unwrap());
    endpoint.handle_input(at(0), Input::Frame { flow, payload: register.to_bytes().into() });
    let Some(Event::Request { transaction, request, source }) = endpoint.poll_event() else { panic!() };
    assert_eq!(source.protocol, Protocol::Ws);
    endpoint.respond(at(0), transaction, request.response(StatusCode::OK, Some("us"))).unwrap();
    let (on, response) = sent_on(&mut endpoint).remove(0);
    assert_eq!(on, flow);
    let top = via(&response);
    assert_eq!((top.received(), top.rport()), ("192.0.2.2".parse().ok(), Some(Some(40_000))));
    // Requests to the client take the same connection, and name where we listen.
    endpoint.request(at(1), support::request(&Method::OPTIONS, "c@d"), &source.target()).unwrap();
    let (on, options) = sent_on(&mut endpoint).remove(0);
    assert_eq!(
        (on, via(&options).host.to_string(), via(&options).port),
        (flow, "192.0.2.1".into(), Some(5060))
    );
}
