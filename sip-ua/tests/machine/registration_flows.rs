//! Flows, GRUU and Service-Route: RFC 5626, RFC 5627, RFC 3608.

use crate::registration::ok;
use crate::registration_servers::{FIRST, SECOND, asks_for_time, run, secs};
use crate::support::*;
use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol};
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{Contact, ContentType, HeaderName, RecordRoute, Require, ServiceRoute};
use sidetone_sip_core::locate::Record;
use sidetone_sip_core::{
    FlowError, FlowRequest, Header, Input, Limits, Message, Method, NameAddr, Request, Response,
};
use sidetone_sip_ua::{
    AccountConfig, AccountId, CallId, Event, KeepAlive, KeepAliveKind, Outbound, RegistrationState,
};

const INSTANCE: &str = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";

fn account_with(harness: &mut Harness, outbound: Outbound) -> AccountId {
    let config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    let config = config.with_proxy(uri("sip:192.0.2.10;lr")).with_outbound(outbound);
    let account = harness.account_with(config);
    harness.agent.register(harness.now, account).unwrap();
    account
}

fn param(request: &Request, name: &str) -> Option<String> {
    match request.headers.require::<Contact>().unwrap() {
        Contact::Addr(address) => address.params.get(name).map(|value| value.into_owned()),
        Contact::Star => None,
    }
}

fn tags(request: &Request) -> String {
    String::from_utf8(request.headers.raw(&HeaderName::SUPPORTED).unwrap().to_vec()).unwrap()
}

fn with<H: Header>(mut response: Response, header: &H) -> Response {
    response.headers.push(header);
    response
}

fn outbound() -> Require {
    ["outbound"].into_iter().collect()
}

#[test]
fn a_register_names_the_instance_and_the_flow_and_keeps_to_them() {
    let mut harness = Harness::new();
    let account = account_with(&mut harness, Outbound::new(INSTANCE));
    let register = harness.request(Method::REGISTER);
    assert_eq!(param(&register, "+sip.instance").unwrap(), format!("<{INSTANCE}>"));
    assert_eq!(param(&register, "reg-id").unwrap(), "1");
    assert_eq!(tags(&register), "path, outbound, gruu");
    harness.put_from(FIRST, with(ok(&register, 600), &outbound()));
    assert!(harness.agent.account_bindings(account)[0].outbound);
    let refresh = harness.wait_request(Method::REGISTER, secs(540));
    assert_eq!(param(&refresh, "reg-id").unwrap(), "1");
    // Calls ask for the flow too (RFC 5626 §4.3).
    harness.put_from(FIRST, with(ok(&refresh, 600), &outbound()));
    harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), None).unwrap();
    let invite = harness.request(Method::INVITE);
    assert_eq!(contact(&invite.headers).param("ob"), Some(None));
}

#[test]
fn a_flow_is_registered_over_each_edge_proxy_with_a_number_of_its_own() {
    let mut harness = Harness::new();
    let account = account_with(&mut harness, Outbound::new(INSTANCE).with_proxy(uri("sip:192.0.2.11;lr")));
    let log = run(&mut harness, &[FIRST, SECOND], secs(1));
    let flows: Vec<(&str, String)> =
        log.iter().map(|sent| (&*sent.to, param(&sent.request, "reg-id").unwrap())).collect();
    assert_eq!(flows, [(FIRST, "1".to_owned()), (SECOND, "2".to_owned())]);
    let same = |sent: &crate::registration_servers::Sent| param(&sent.request, "+sip.instance");
    assert_eq!(same(&log[0]), same(&log[1]));
    let numbers: Vec<_> =
        harness.agent.account_bindings(account).iter().map(|binding| binding.reg_id).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
}

#[test]
fn the_other_flow_has_the_calls_while_one_recovers_by_its_own_back_off() {
    let mut harness = Harness::new();
    let account = account_with(&mut harness, Outbound::new(INSTANCE).with_proxy(uri("sip:192.0.2.11;lr")));
    run(&mut harness, &[FIRST, SECOND], secs(1));
    run(&mut harness, &[SECOND], secs(600));
    let bindings = harness.agent.account_bindings(account);
    assert_eq!((bindings.len(), bindings[0].reg_id), (1, Some(2)));
    assert!(harness.agent.account_state(account).unwrap().is_registered());
    harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), None).unwrap();
    let (_, invite) = harness.wait_sent_to(SECOND, Duration::ZERO);
    assert_eq!(invite.method, Method::INVITE);
    run(&mut harness, &[FIRST, SECOND], secs(1900));
    assert_eq!(harness.agent.account_bindings(account).len(), 2);
}

/// An account over TCP with two edge proxies, registered at both; the connections to them.
fn two_connections(harness: &mut Harness) -> (AccountId, [FlowId; 2]) {
    harness.agent.endpoint_mut().bind(Protocol::Tcp, address(LOCAL));
    let proxy = |name| uri(&format!("sip:{name};lr;transport=tcp"));
    let config = AccountConfig::parse("sip:alice:secret@example.org;transport=tcp").unwrap();
    let config = config.with_proxy(proxy("edge1.example.org"));
    let flows = Outbound::new(INSTANCE).with_proxy(proxy("edge2.example.org"));
    let account = harness.account_with(config.with_outbound(flows));
    harness.agent.register(harness.now, account).unwrap();
    harness.dns(&edges());
    let flows = [FIRST, SECOND].map(|edge| {
        let flow = connect(harness, edge);
        let register = read(harness, flow);
        assert_eq!(register.method, Method::REGISTER);
        say(harness, flow, &with(ok(&register, 600), &outbound()));
        flow
    });
    assert_eq!(harness.agent.account_bindings(account).len(), 2);
    while harness.agent.poll_event().is_some() {}
    (account, flows)
}

fn edges() -> [Record; 2] {
    [a("edge1.example.org", "192.0.2.10"), a("edge2.example.org", "192.0.2.11")]
}

/// The next connection that the agent wants, which must be to `edge`, comes up.
#[track_caller]
fn connect(harness: &mut Harness, edge: &str) -> FlowId {
    let Some(FlowRequest::Connect { flow, remote, .. }) = harness.agent.poll_flow() else {
        panic!("expected a connection to {edge}")
    };
    assert_eq!(remote, address(edge));
    harness.agent.handle_input(harness.now, Input::FlowUp { flow, local: address("192.0.2.1:49152") });
    flow
}

/// The next request that the agent sends, which must be over this connection.
#[track_caller]
fn read(harness: &mut Harness, flow: FlowId) -> Request {
    let Some(transmit) = harness.agent.poll_transmit() else { panic!("nothing was sent") };
    assert_eq!(transmit.flow, flow, "over another way, to {}", transmit.destination);
    let payload = Bytes::copy_from_slice(&transmit.payload);
    match Message::parse(payload, &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(response) => panic!("{}", response.status),
    }
}

fn say(harness: &mut Harness, flow: FlowId, response: &Response) {
    let bytes = Bytes::from(response.to_bytes());
    harness.agent.handle_input(harness.now, Input::Stream { flow, bytes });
}

fn breaks(harness: &mut Harness, flow: FlowId) {
    let down = Input::FlowDown { flow, reason: FlowError::Reset };
    harness.agent.handle_input(harness.now, down);
}

fn calls(harness: &mut Harness, account: AccountId) -> CallId {
    let bob = uri("sip:bob@example.org");
    harness.agent.call(harness.now, account, &bob, Some(body(OFFER))).unwrap()
}

#[test]
fn requests_go_over_the_flow_that_the_registration_opened_and_nothing_is_looked_up() {
    let mut harness = Harness::new();
    let (account, [first, _]) = two_connections(&mut harness);
    // Longer than any record of DNS lives.
    harness.now += secs(300);
    calls(&mut harness, account);
    assert!(harness.agent.poll_query().is_none());
    let invite = read(&mut harness, first);
    assert_eq!((invite.method.clone(), routes(&invite).len()), (Method::INVITE, 1));
    assert!(harness.agent.poll_flow().is_none(), "no other connection");
    // Within the dialog too, whose requests the edge proxy wants to see.
    let mut ok = reply(&invite, 200, "bob");
    let edge: RecordRoute = "<sip:edge1.example.org;lr;transport=tcp>".parse().unwrap();
    ok.headers.push(&edge);
    ok.set_body(&ContentType::SDP, body(ANSWER));
    say(&mut harness, first, &ok);
    harness.dns(&edges());
    assert_eq!(read(&mut harness, first).method, Method::ACK);
    let Event::Answered { call, .. } = harness.event() else { panic!("expected the answer") };
    harness.agent.hangup(harness.now, call).unwrap();
    harness.dns(&edges());
    assert_eq!(read(&mut harness, first).method, Method::BYE);
    assert!(harness.agent.poll_flow().is_none());
}

#[test]
fn a_request_on_a_flow_that_dies_goes_over_the_other_one() {
    let mut harness = Harness::new();
    let (account, [first, second]) = two_connections(&mut harness);
    calls(&mut harness, account);
    assert_eq!(read(&mut harness, first).method, Method::INVITE);
    breaks(&mut harness, first);
    let again = read(&mut harness, second);
    assert_eq!(again.method, Method::INVITE);
    assert_eq!(routes(&again), ["<sip:edge2.example.org;lr;transport=tcp>"]);
    // What comes next goes over the living one at once, until the first is registered anew.
    calls(&mut harness, account);
    assert_eq!(read(&mut harness, second).method, Method::INVITE);
    assert!(harness.agent.poll_flow().is_none());
    harness.ms(2000);
    harness.dns(&edges());
    let anew = connect(&mut harness, FIRST);
    let register = read(&mut harness, anew);
    say(&mut harness, anew, &with(ok(&register, 600), &outbound()));
    calls(&mut harness, account);
    assert_eq!(read(&mut harness, anew).method, Method::INVITE);
}

#[test]
fn without_a_living_flow_a_request_makes_a_connection_of_its_own() {
    let mut harness = Harness::new();
    let (account, [first, second]) = two_connections(&mut harness);
    calls(&mut harness, account);
    read(&mut harness, first);
    breaks(&mut harness, second);
    breaks(&mut harness, first);
    harness.dns(&edges());
    let flows: Vec<FlowRequest> = core::iter::from_fn(|| harness.agent.poll_flow()).collect();
    let connects = |request: &&FlowRequest| matches!(request, FlowRequest::Connect { .. });
    assert_eq!(flows.iter().filter(connects).count(), 1, "{flows:?}");
    let ended =
        core::iter::from_fn(|| harness.agent.poll_event()).any(|event| matches!(event, Event::Ended { .. }));
    assert!(!ended);
}

#[test]
fn the_first_wait_is_longer_while_another_flow_is_registered() {
    let mut harness = Harness::new();
    account_with(&mut harness, Outbound::new(INSTANCE).with_proxy(uri("sip:192.0.2.11;lr")));
    let (first, second) = (harness.request(Method::REGISTER), harness.request(Method::REGISTER));
    harness.put_from(SECOND, ok(&second, 3600));
    while harness.agent.poll_event().is_some() {}
    harness.put_from(FIRST, reply(&first, 500, "edge"));
    let Event::Binding { place: 0, state: RegistrationState::Failed { retry_at: Some(at), .. }, .. } =
        harness.event()
    else {
        panic!("expected the failure of one flow")
    };
    let wait = at - harness.now;
    assert!(wait >= secs(45) && wait <= secs(90), "{wait:?} of 90 s");
    harness.no_event();
}

#[test]
fn an_edge_proxy_without_outbound_gets_a_register_without_it() {
    let mut harness = Harness::new();
    let account = account_with(&mut harness, Outbound::new(INSTANCE));
    let register = harness.request(Method::REGISTER);
    harness.put_from(FIRST, reply(&register, 439, "registrar"));
    let again = harness.request(Method::REGISTER);
    assert_eq!((param(&again, "reg-id"), tags(&again)), (None, "path, gruu".to_owned()));
    assert!(param(&again, "+sip.instance").is_some());
    harness.put_from(FIRST, ok(&again, 600));
    assert!(harness.agent.account_state(account).unwrap().is_registered());
    // A registrar that says it for ever is a failure like others.
    let refresh = harness.wait_request(Method::REGISTER, secs(540));
    harness.put_from(FIRST, reply(&refresh, 439, "registrar"));
    harness.silent();
    assert!(matches!(harness.agent.account_state(account), Some(RegistrationState::Failed { .. })));
}

#[test]
fn a_430_to_a_call_makes_the_flow_register_anew() {
    let mut harness = Harness::new();
    let account = account_with(&mut harness, Outbound::new(INSTANCE));
    run(&mut harness, &[FIRST], secs(1));
    harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), None).unwrap();
    let invite = harness.request(Method::INVITE);
    harness.put_from(FIRST, reply(&invite, 430, "edge"));
    let log = run(&mut harness, &[FIRST], secs(3));
    let methods: Vec<&Method> = log.iter().map(|sent| &sent.request.method).collect();
    assert_eq!(methods, [&Method::REGISTER]);
    assert!(asks_for_time(&log[0].request));
}

#[test]
fn each_flow_has_keep_alives_of_its_own_and_only_the_dead_one_recovers() {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
    let keep_alive = KeepAlive::of(KeepAliveKind::Options).every(secs(30));
    let outbound = Outbound::new(INSTANCE).with_proxy(uri("sip:192.0.2.11;lr"));
    let config = config.with_proxy(uri("sip:192.0.2.10;lr")).with_outbound(outbound);
    let account = harness.account_with(config.with_keep_alive(keep_alive));
    harness.agent.register(harness.now, account).unwrap();
    let (first, second) = (harness.request(Method::REGISTER), harness.request(Method::REGISTER));
    harness.put_from(FIRST, ok(&first, 7200));
    harness.put_from(SECOND, ok(&second, 7200));
    while harness.agent.poll_event().is_some() {}
    // OPTIONS go to both; only the second one answers.
    let (mut asked, mut recovered, end) = ([0, 0], 0, harness.now + secs(400));
    while harness.now < end && recovered == 0 {
        while let Some((to, message)) = harness.try_sent() {
            let Message::Request(request) = message else { continue };
            match (request.method.clone(), to == address(SECOND)) {
                (Method::OPTIONS, true) => {
                    asked[1] += 1;
                    harness.put_from(SECOND, reply(&request, 200, "edge"));
                }
                (Method::OPTIONS, false) => asked[0] += 1,
                (Method::REGISTER, is_second) => {
                    assert!(!is_second, "the flow that lives is not touched");
                    recovered += 1;
                }
                (method, _) => panic!("{method}"),
            }
        }
        harness.ms(500);
    }
    assert!(asked[0] > 0 && asked[1] > 1, "{asked:?}");
    assert_eq!(recovered, 1);
    let failed = std::iter::from_fn(|| harness.agent.poll_event())
        .any(|event| matches!(event, Event::FlowFailed { .. }));
    assert!(failed);
}

#[test]
fn calls_name_the_gruu_that_the_registrar_gave() {
    let mut harness = Harness::new();
    let account = account_with(&mut harness, Outbound::new(INSTANCE).without_flows());
    let register = harness.request(Method::REGISTER);
    assert_eq!((param(&register, "reg-id"), tags(&register)), (None, "path, gruu".to_owned()));
    let mut response = ok(&register, 600);
    let Contact::Addr(mut binding) = response.headers.require::<Contact>().unwrap() else { panic!() };
    binding.params.set("pub-gruu", &format!("sip:alice@example.org;gr={INSTANCE}"));
    binding.params.set("temp-gruu", "sip:tgruu.7hs==jd7vnzga5w7fajsc7@example.org;gr");
    response.headers.replace_first(&Contact::Addr(binding));
    harness.put_from(FIRST, response);
    harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), None).unwrap();
    let invite = harness.request(Method::INVITE);
    assert_eq!(contact(&invite.headers).to_string(), format!("sip:alice@example.org;gr={INSTANCE}"));
    let temporary = harness.agent.temporary_gruu(account).unwrap().to_string();
    assert_eq!(temporary, "sip:tgruu.7hs==jd7vnzga5w7fajsc7@example.org;gr");
    // A REGISTER names the address all the same.
    let (_, refresh) = harness.wait_sent_to(FIRST, secs(540));
    let refresh = match refresh.method {
        Method::REGISTER => refresh,
        _ => loop {
            let (_, request) = harness.wait_sent_to(FIRST, secs(540));
            if request.method == Method::REGISTER {
                break request;
            }
        },
    };
    assert_eq!(contact(&refresh.headers), uri("sip:alice@192.0.2.1:5060"));
}

fn routes(request: &Request) -> Vec<String> {
    let lines = request.headers.raw_all(&HeaderName::ROUTE);
    lines.map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
}

fn service(text: &str) -> ServiceRoute {
    let address: NameAddr = text.parse().unwrap();
    ServiceRoute(address)
}

#[test]
fn requests_outside_of_dialogs_take_the_service_route_and_registers_do_not() {
    let mut harness = Harness::new();
    let account = harness.account();
    harness.agent.register(harness.now, account).unwrap();
    let register = harness.request(Method::REGISTER);
    let response = with(ok(&register, 600), &service("<sip:192.0.2.40;lr>"));
    harness.put(with(response, &service("<sip:home.example.org;lr>")));
    harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), None).unwrap();
    let (to, message) = harness.sent();
    assert_eq!(to, address("192.0.2.40:5060"));
    let Message::Request(invite) = message else { panic!("expected a request") };
    assert_eq!(routes(&invite), ["<sip:192.0.2.40;lr>", "<sip:home.example.org;lr>"]);
    assert_eq!(invite.uri, uri("sip:bob@192.0.2.2"));
    harness.skip();
    harness.put_from("192.0.2.40:5060", reply(&invite, 486, "bob"));
    harness.skip();
    let refresh = harness.wait_request(Method::REGISTER, secs(540));
    assert!(routes(&refresh).is_empty());
    // A 200 without one takes it away (RFC 3608 §5).
    harness.put(ok(&refresh, 600));
    harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), None).unwrap();
    assert!(routes(&harness.request(Method::INVITE)).is_empty());
}

#[test]
fn an_outbound_proxy_stays_in_front_of_the_service_route_and_is_not_named_twice() {
    for (route, expected) in [
        ("<sip:home.example.org;lr>", vec!["<sip:192.0.2.10;lr>", "<sip:home.example.org;lr>"]),
        ("<sip:192.0.2.10:5060;lr>", vec!["<sip:192.0.2.10:5060;lr>"]),
    ] {
        let mut harness = Harness::new();
        let config = AccountConfig::parse("sip:alice:secret@example.org").unwrap();
        let account = harness.account_with(config.with_proxy(uri("sip:192.0.2.10;lr")));
        harness.agent.register(harness.now, account).unwrap();
        let register = harness.request(Method::REGISTER);
        harness.put_from(FIRST, with(ok(&register, 600), &service(route)));
        harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), None).unwrap();
        assert_eq!(routes(&harness.request(Method::INVITE)), expected);
    }
}

#[test]
fn a_service_route_that_is_switched_off_too_long_or_broken_is_not_used() {
    let long: Vec<String> = (0..40).map(|number| format!("<sip:hop{number}.example.org;lr>")).collect();
    for (wanted, value) in
        [(false, "<sip:192.0.2.40;lr>".to_owned()), (true, long.join(",")), (true, "<<<".to_owned())]
    {
        let mut harness = Harness::new();
        let mut config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
        config.registration.service_route = wanted;
        let account = harness.account_with(config);
        harness.agent.register(harness.now, account).unwrap();
        let register = harness.request(Method::REGISTER);
        let mut response = ok(&register, 600);
        response.headers.push_raw(HeaderName::SERVICE_ROUTE, &value).unwrap();
        harness.put(response);
        assert!(harness.agent.account_state(account).unwrap().is_registered());
        harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), None).unwrap();
        assert!(routes(&harness.request(Method::INVITE)).is_empty(), "{value}");
    }
}
