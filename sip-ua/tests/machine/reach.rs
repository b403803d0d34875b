//! How an account stays reachable: keep-alives on its registered flow, and its public address in what it sends.

use crate::support::{LOCAL, PEER, address, contact, uri};
use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr, Transmit};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Contact, FlowTimer, Via};
use sidetone_sip_core::locate::{Answer, QueryKind, Record, RecordData};
use sidetone_sip_core::nat::FlowFailure;
use sidetone_sip_core::nat::stun::{Message as Stun, Server};
use sidetone_sip_core::{FlowRequest, Input, Limits, Message, Method, Request, Response, StatusCode};
use sidetone_sip_ua::{
    AccountConfig, AccountId, Agent, AgentConfig, Event, KeepAlive, KeepAliveKind, PublicAddress,
    RegistrationState, StunServer,
};

const PUBLIC: &str = "203.0.113.9:40000";
const STUN: &str = "192.0.2.3:3478";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What the agent sent.
enum Sent {
    Request(Request),
    Response(Response),
    Stun(Transmit),
    Bytes(Vec<u8>),
}

/// An agent and its wire, STUN and line ends included.
struct Wire {
    agent: Agent,
    account: AccountId,
    protocol: Protocol,
    flow: FlowId,
    now: Instant,
}

impl Wire {
    fn new(protocol: Protocol, config: impl FnOnce(AccountConfig) -> AccountConfig) -> Self {
        let mut agent = Agent::new(AgentConfig::new([7; 32]));
        let flow = agent.endpoint_mut().bind(Protocol::Udp, address(LOCAL));
        agent.endpoint_mut().listen(Protocol::Tcp, address(LOCAL));
        let account = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap().with_transport(protocol);
        let account = agent.add_account(config(account)).unwrap();
        let mut wire = Self { agent, account, protocol, flow, now: Instant::from_millis(1000) };
        wire.agent.register(wire.now, account).unwrap();
        wire
    }

    /// An account that is registered.
    fn registered(protocol: Protocol, config: impl FnOnce(AccountConfig) -> AccountConfig) -> Self {
        let mut wire = Self::new(protocol, config);
        let register = wire.register();
        wire.accept(&register, |_| ());
        assert!(wire.is_registered());
        wire
    }

    fn is_registered(&self) -> bool {
        self.agent.account_state(self.account).is_some_and(RegistrationState::is_registered)
    }

    /// The next thing that was sent, now; connections come up at once.
    fn sent(&mut self) -> Option<Sent> {
        while let Some(request) = self.agent.poll_flow() {
            if let FlowRequest::Connect { flow, .. } = request {
                self.flow = flow;
                let up = Input::FlowUp { flow, local: address("192.0.2.1:49152") };
                self.agent.handle_input(self.now, up);
            }
        }
        let transmit = self.agent.poll_transmit()?;
        let bytes = Bytes::copy_from_slice(&transmit.payload);
        Some(match Message::parse(bytes, &Limits::default()) {
            Ok(Message::Request(request)) => Sent::Request(request),
            Ok(Message::Response(response)) => Sent::Response(response),
            Err(_) if Stun::parse(&transmit.payload).is_ok() => Sent::Stun(transmit),
            Err(_) => Sent::Bytes(transmit.payload.to_vec()),
        })
    }

    /// Lets time pass, this long at most, until something is sent.
    fn within(&mut self, bound: Duration) -> Option<Sent> {
        let end = self.now + bound;
        loop {
            if let Some(sent) = self.sent() {
                return Some(sent);
            }
            let Some((at, _)) = self.agent.poll_timeout().filter(|(at, _)| *at <= end) else {
                self.now = end;
                return None;
            };
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
        }
    }

    #[track_caller]
    fn request(&mut self, method: &Method, bound: Duration) -> Request {
        match self.within(bound) {
            Some(Sent::Request(request)) if request.method == *method => request,
            Some(Sent::Request(request)) => panic!("{} instead of {method}", request.method),
            Some(Sent::Response(response)) => panic!("{} instead of {method}", response.status),
            Some(Sent::Stun(_)) => panic!("STUN instead of {method}"),
            Some(Sent::Bytes(bytes)) => panic!("{bytes:?} instead of {method}"),
            None => panic!("no {method} within {bound:?}"),
        }
    }

    #[track_caller]
    fn register(&mut self) -> Request {
        self.request(&Method::REGISTER, Duration::ZERO)
    }

    #[track_caller]
    fn stun(&mut self, bound: Duration) -> Transmit {
        match self.within(bound) {
            Some(Sent::Stun(transmit)) => transmit,
            Some(Sent::Request(request)) => panic!("{} instead of STUN", request.method),
            _ => panic!("no STUN within {bound:?}"),
        }
    }

    #[track_caller]
    fn silent(&mut self, bound: Duration) {
        match self.within(bound) {
            None => {}
            Some(Sent::Request(request)) => panic!("{} at {}", request.method, self.now),
            Some(_) => panic!("something was sent at {}", self.now),
        }
    }

    fn put(&mut self, source: SocketAddr, payload: Bytes) {
        let flow = self.flow;
        let input = match self.protocol {
            Protocol::Udp => Input::Datagram { flow, source, payload },
            _ => Input::Stream { flow, bytes: payload },
        };
        self.agent.handle_input(self.now, input);
    }

    fn answer_stun(&mut self, asked: &Transmit, mapped: &str) {
        let answer = Server::new().answer(&Stun::parse(&asked.payload).unwrap(), address(mapped)).unwrap();
        let (flow, source, payload) = (asked.flow, asked.destination, answer.into());
        self.agent.handle_input(self.now, Input::Datagram { flow, source, payload });
    }

    /// The registrar answers with the binding that was asked for.
    fn accept(&mut self, register: &Request, change: impl FnOnce(&mut Response)) {
        let mut ok = register.response(StatusCode::OK, Some("registrar"));
        ok.headers.push(&register.headers.require::<Contact>().unwrap().with_expires(3600));
        change(&mut ok);
        self.put(address(PEER), ok.to_bytes().into());
    }

    /// Answers every question by these records, and says what was asked about IPv4.
    fn dns(&mut self, zone: &[Record]) -> Vec<String> {
        let mut asked = Vec::new();
        while let Some(query) = self.agent.poll_query() {
            let fits = |record: &&Record| *record.name == *query.name && record.data.kind() == query.kind;
            let records: Vec<Record> = zone.iter().filter(fits).cloned().collect();
            let answer = match records.is_empty() {
                true => Answer::NoData { ttl: Some(seconds(60)) },
                false => Answer::records(records),
            };
            if query.kind != QueryKind::Aaaa {
                asked.push(format!("{} {}", query.kind, query.name));
            }
            self.agent.handle_answer(self.now, query.id, answer);
        }
        asked
    }

    fn answer(&mut self, request: &Request, code: u16) {
        let response = request.response(StatusCode::new(code).unwrap(), Some("registrar"));
        self.put(address(PEER), response.to_bytes().into());
    }

    /// The next event that is not of the registration.
    fn event(&mut self) -> Option<Event> {
        loop {
            match self.agent.poll_event()? {
                Event::Registration { .. } => {}
                event => return Some(event),
            }
        }
    }
}

fn contacts(request: &Request) -> Vec<String> {
    request.headers.all::<Contact>().map(|contact| contact.unwrap().to_string()).collect()
}

fn via(request: &Request) -> Via {
    request.headers.require().unwrap()
}

/// The registrar saw the request come from here.
fn seen(response: &mut Response, from: &str) {
    let mut via: Via = response.headers.require().unwrap();
    via.set_received(address(from).ip());
    via.set_rport(Some(address(from).port()));
    response.headers.replace_first(&via);
}

#[test]
fn without_settings_nothing_is_sent_between_registrations() {
    let mut wire = Wire::registered(Protocol::Udp, |account| account);
    // The first refresh comes after half of an hour at the earliest.
    wire.silent(seconds(1799));
    assert_eq!(wire.agent.media_address(wire.account), None);
}

#[test]
fn options_keep_the_flow_and_a_listed_answer_makes_the_account_register_anew() {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    let keep_alive = KeepAlive::of(KeepAliveKind::Options).every(seconds(20)).failing_on([unavailable]);
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let mut wire = Wire::registered(protocol, |account| account.with_keep_alive(keep_alive.clone()));
        let first = wire.flow;
        for code in [200, 404, 401] {
            let at = wire.now;
            let options = wire.request(&Method::OPTIONS, seconds(20));
            assert_eq!(wire.now - at, seconds(20));
            assert_eq!(options.uri, uri("sip:192.0.2.2"));
            wire.answer(&options, code);
        }
        let options = wire.request(&Method::OPTIONS, seconds(20));
        wire.answer(&options, 503);
        let Some(Event::FlowFailed { cause, .. }) = wire.event() else { panic!("no event") };
        assert_eq!(cause, FlowFailure::OptionsStatus(unavailable));
        let register = wire.request(&Method::REGISTER, seconds(2));
        assert_eq!(wire.flow == first, protocol == Protocol::Udp, "a failed connection is not used again");
        wire.accept(&register, |_| ());
        wire.request(&Method::OPTIONS, seconds(20));
    }
}

#[test]
fn no_answer_to_options_is_a_failed_flow_too() {
    let keep_alive = KeepAlive::of(KeepAliveKind::Options).every(seconds(20));
    let mut wire = Wire::registered(Protocol::Udp, |account| account.with_keep_alive(keep_alive));
    let options = wire.request(&Method::OPTIONS, seconds(20));
    let mut repeated = 0;
    loop {
        let request =
            wire.within(seconds(40)).map(|sent| if let Sent::Request(it) = sent { it } else { panic!() });
        let request = request.expect("a REGISTER in the end");
        if request.method == Method::REGISTER {
            break;
        }
        assert_eq!(via(&request).branch(), via(&options).branch());
        repeated += 1;
    }
    assert_eq!(repeated, 10);
    assert!(matches!(wire.event(), Some(Event::FlowFailed { cause: FlowFailure::Options, .. })));
}

#[test]
fn double_crlf_keeps_a_connection_and_a_missing_pong_replaces_it() {
    let keep_alive = KeepAlive::of(KeepAliveKind::Outbound);
    let mut wire = Wire::registered(Protocol::Tcp, |account| account.with_keep_alive(keep_alive));
    let first = wire.flow;
    for _ in 0..3 {
        assert!(matches!(wire.within(seconds(120)), Some(Sent::Bytes(bytes)) if bytes == b"\r\n\r\n"));
        wire.put(address(PEER), Bytes::from_static(b"\r\n"));
        wire.silent(seconds(94));
    }
    assert!(matches!(wire.within(seconds(120)), Some(Sent::Bytes(_))));
    let register = wire.request(&Method::REGISTER, seconds(12));
    assert_ne!(wire.flow, first);
    assert!(matches!(wire.event(), Some(Event::FlowFailed { cause: FlowFailure::Pong, .. })));
    // The registrar has a rhythm of its own.
    wire.accept(&register, |ok| ok.headers.push(&FlowTimer(30)));
    let at = wire.now;
    assert!(matches!(wire.within(seconds(30)), Some(Sent::Bytes(_))));
    assert!(wire.now - at >= seconds(24));
}

#[test]
fn stun_keeps_a_udp_flow_and_another_mapped_address_becomes_the_contact() {
    let keep_alive = KeepAlive::of(KeepAliveKind::Outbound);
    let mut wire = Wire::registered(Protocol::Udp, |account| account.with_keep_alive(keep_alive));
    for _ in 0..2 {
        let asked = wire.stun(seconds(29));
        assert_eq!(asked.destination, address(PEER));
        wire.answer_stun(&asked, LOCAL);
    }
    let asked = wire.stun(seconds(29));
    wire.answer_stun(&asked, PUBLIC);
    let register = wire.register();
    assert_eq!(
        contacts(&register),
        ["<sip:alice@203.0.113.9:40000>", "<sip:alice@192.0.2.1:5060>;expires=0"]
    );
    wire.accept(&register, |ok| seen(ok, PUBLIC));
    // That is what the registrar sees as well, so nothing more is to be said.
    let asked = wire.stun(seconds(29));
    wire.answer_stun(&asked, PUBLIC);
    wire.silent(seconds(20));
}

#[test]
fn keep_is_offered_with_register_and_followed_when_it_is_answered() {
    for answer in [None, Some("30")] {
        let keep_alive = KeepAlive::of(KeepAliveKind::Negotiated);
        let mut wire = Wire::new(Protocol::Tcp, |account| account.with_keep_alive(keep_alive));
        let register = wire.register();
        assert_eq!(via(&register).params.raw("keep"), Some(None));
        wire.accept(&register, |ok| {
            let mut via: Via = ok.headers.require().unwrap();
            if let Some(value) = answer {
                via.params.set("keep", value);
            }
            ok.headers.replace_first(&via);
        });
        assert_eq!(matches!(wire.within(seconds(30)), Some(Sent::Bytes(_))), answer.is_some());
    }
    let wire = &mut Wire::new(Protocol::Tcp, |account| account);
    assert_eq!(via(&wire.register()).params.raw("keep"), None);
}

#[test]
fn a_told_address_is_named_in_contact_and_via_and_rport_can_be_left_out() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let mut wire = Wire::new(protocol, |mut account| {
            account.public_address = PublicAddress::fixed("203.0.113.5".parse().unwrap());
            account.rport = false;
            account
        });
        let register = wire.register();
        assert_eq!(contact(&register.headers).host_str(), "203.0.113.5");
        assert_eq!(contact(&register.headers).port(), Some(5060));
        let sent_by = via(&register);
        assert_eq!((sent_by.host.ip(), sent_by.port), (Some(address("203.0.113.5:0").ip()), Some(5060)));
        assert_eq!(sent_by.rport(), None);
        // What the registrar saw does not go before it.
        wire.accept(&register, |ok| seen(ok, PUBLIC));
        wire.silent(seconds(60));
        assert_eq!(wire.agent.media_address(wire.account), Some("203.0.113.5".parse().unwrap()));
        let to = uri("sip:bob@192.0.2.2");
        wire.agent.call(wire.now, wire.account, &to, None).unwrap();
        let invite = wire.request(&Method::INVITE, Duration::ZERO);
        assert_eq!(contact(&invite.headers).host_str(), "203.0.113.5");
        assert_eq!((via(&invite).rport(), via(&invite).port), (None, Some(5060)));
    }
}

fn by_stun(hosts: &[&str]) -> PublicAddress {
    PublicAddress::stun(hosts.iter().map(|host| StunServer::new(*host)), seconds(60))
}

#[test]
fn the_first_register_waits_for_stun_and_later_changes_replace_the_contact() {
    let mut wire = Wire::new(Protocol::Udp, |account| account.with_public_address(by_stun(&["192.0.2.3"])));
    let asked = wire.stun(Duration::ZERO);
    assert_eq!(asked.destination, address(STUN));
    assert_eq!(wire.agent.account_state(wire.account), Some(&RegistrationState::Registering));
    wire.answer_stun(&asked, PUBLIC);
    let register = wire.register();
    assert_eq!(contacts(&register), ["<sip:alice@203.0.113.9:40000>"]);
    assert_eq!(via(&register).port, Some(40_000));
    wire.accept(&register, |ok| seen(ok, PUBLIC));
    let Some(Event::PublicAddress { address: found, .. }) = wire.event() else { panic!("no event") };
    assert_eq!(found, address(PUBLIC));
    assert_eq!(wire.agent.media_address(wire.account), Some(found.ip()));
    // The same address is no news.
    let asked = wire.stun(seconds(60));
    wire.answer_stun(&asked, PUBLIC);
    let asked = wire.stun(seconds(60));
    wire.answer_stun(&asked, "203.0.113.77:40001");
    let register = wire.register();
    assert_eq!(
        contacts(&register),
        ["<sip:alice@203.0.113.77:40001>", "<sip:alice@203.0.113.9:40000>;expires=0"]
    );
    wire.accept(&register, |_| ());
    // Nothing is left running after the end.
    wire.agent.unregister(wire.now, wire.account).unwrap();
    let last = wire.register();
    wire.answer(&last, 200);
    wire.silent(seconds(7200));
    assert!(wire.agent.is_idle() && wire.agent.poll_timeout().is_none());
}

#[test]
fn a_silent_stun_server_holds_the_registration_up_for_three_seconds_only() {
    let config = by_stun(&["192.0.2.3", "192.0.2.4"]);
    let mut wire = Wire::new(Protocol::Udp, |account| account.with_public_address(config));
    let start = wire.now;
    let register = loop {
        match wire.within(seconds(10)) {
            Some(Sent::Stun(_)) => {}
            Some(Sent::Request(request)) => break request,
            _ => panic!("no REGISTER"),
        }
    };
    assert_eq!(wire.now - start, seconds(3));
    assert_eq!(contacts(&register), ["<sip:alice@192.0.2.1:5060>"]);
    wire.accept(&register, |_| ());
    assert!(wire.is_registered());
    // The second server is asked in its turn, and what it says is used at once.
    let asked = loop {
        let asked = wire.stun(seconds(60));
        if asked.destination == address("192.0.2.4:3478") {
            break asked;
        }
    };
    wire.answer_stun(&asked, PUBLIC);
    let register = wire.register();
    assert_eq!(contacts(&register).len(), 2);
}

#[test]
fn an_address_that_comes_while_a_register_is_under_way_is_registered_after_it() {
    let mut wire = Wire::new(Protocol::Udp, |account| account.with_public_address(by_stun(&["192.0.2.3"])));
    let asked = wire.stun(Duration::ZERO);
    let register = loop {
        match wire.within(seconds(10)) {
            Some(Sent::Stun(_)) => {}
            Some(Sent::Request(request)) => break request,
            _ => panic!("no REGISTER"),
        }
    };
    wire.answer_stun(&asked, PUBLIC);
    wire.silent(Duration::from_millis(100));
    wire.accept(&register, |_| ());
    let register = wire.register();
    assert_eq!(
        contacts(&register),
        ["<sip:alice@203.0.113.9:40000>", "<sip:alice@192.0.2.1:5060>;expires=0"]
    );
    wire.accept(&register, |_| ());
    assert!(wire.is_registered());
    wire.silent(seconds(59));
}

#[test]
fn a_stun_server_by_name_is_looked_up() {
    let config = || by_stun(&["stun.example.org"]);
    let record = Record::new("stun.example.org", seconds(60), RecordData::A("192.0.2.3".parse().unwrap()));
    let mut wire = Wire::new(Protocol::Udp, |account| account.with_public_address(config()));
    // The port is told, so that nobody asks for SRV.
    assert_eq!(wire.dns(&[record]), ["A stun.example.org"]);
    let asked = wire.stun(Duration::ZERO);
    assert_eq!(asked.destination, address(STUN));
    wire.answer_stun(&asked, PUBLIC);
    assert_eq!(contacts(&wire.register()), ["<sip:alice@203.0.113.9:40000>"]);
    // Without an address the registration does not wait.
    let mut wire = Wire::new(Protocol::Udp, |account| account.with_public_address(config()));
    wire.dns(&[]);
    assert_eq!(contacts(&wire.register()), ["<sip:alice@192.0.2.1:5060>"]);
}

#[test]
fn over_tcp_the_detected_address_has_our_listening_port() {
    let mut wire = Wire::new(Protocol::Tcp, |account| account.with_public_address(by_stun(&["192.0.2.3"])));
    let asked = wire.stun(Duration::ZERO);
    wire.answer_stun(&asked, PUBLIC);
    let register = wire.register();
    assert_eq!(contacts(&register), ["<sip:alice@203.0.113.9:5060;transport=tcp>"]);
    wire.accept(&register, |_| ());
    // Another port of the same address is the same address over TCP, but is told.
    let asked = wire.stun(seconds(60));
    wire.answer_stun(&asked, "203.0.113.9:40001");
    assert_eq!(contacts(&wire.register()), ["<sip:alice@203.0.113.9:5060;transport=tcp>"]);
}

#[test]
fn by_sip_the_address_that_the_registrar_saw_is_used_and_asked_for_by_options() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let config = PublicAddress::sip(seconds(60));
        let mut wire = Wire::new(protocol, |account| account.with_public_address(config));
        let register = wire.register();
        assert_eq!(contact(&register.headers).host_str(), "192.0.2.1");
        wire.accept(&register, |ok| seen(ok, PUBLIC));
        let register = wire.register();
        assert_eq!(contact(&register.headers).host_str(), "203.0.113.9");
        assert_eq!(contacts(&register).len(), 2);
        wire.accept(&register, |ok| seen(ok, PUBLIC));
        let mut moved = PUBLIC;
        for new in [PUBLIC, "203.0.113.77:40001"] {
            let options = wire.request(&Method::OPTIONS, seconds(60));
            let mut ok = options.response(StatusCode::OK, Some("registrar"));
            seen(&mut ok, new);
            wire.put(address(PEER), ok.to_bytes().into());
            moved = new;
        }
        let register = wire.register();
        assert_eq!(contact(&register.headers).host_str(), address(moved).ip().to_string());
        assert_eq!(contacts(&register).len(), 2);
    }
}
