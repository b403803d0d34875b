//! The Binding of STUN: what a server answers, the client's timetable, which answers it takes, credentials of both kinds.

use crate::stun::{FLOW, ID_1, PASSWORD, SERVER, asking, client, id, long_term, short_term};
use crate::support::address;
use sidetone_hal::time::Duration;
use sidetone_sip_core::nat::stun::{
    AttributeType, Builder, Class, ClientConfig, ClientError, ClientEvent, ErrorCode, Key, Message, Method,
    PasswordAlgorithm, Server, TransactionId,
};
use sidetone_sip_core::{FlowId, Instant, Rng};

fn answer(request: &[u8], source: &str) -> Vec<u8> {
    Server::new().answer(&Message::parse(request).unwrap(), address(source)).unwrap()
}

#[test]
fn a_server_tells_where_the_question_came_from() {
    let request = Builder::new(Class::Request, Method::BINDING, id(ID_1)).finish().unwrap();
    for source in ["198.51.100.7:40000", "[2001:db8::7]:40000"] {
        let bytes = answer(&request, source);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.mapped_address(), Some(address(source)));
        assert!(message.attribute(AttributeType::XOR_MAPPED_ADDRESS).is_some());
        assert!(!message.has_fingerprint());
        assert!(bytes.len() <= request.len() + 60);
    }
    let marked = Builder::new(Class::Request, Method::BINDING, id(ID_1)).fingerprint().finish().unwrap();
    assert!(Message::parse(&answer(&marked, "198.51.100.7:1")).unwrap().has_fingerprint());
    // An IPv4 address that a dual-stack socket sees is IPv4.
    let bytes = answer(&request, "[::ffff:198.51.100.7]:40000");
    assert_eq!(Message::parse(&bytes).unwrap().mapped_address(), Some(address("198.51.100.7:40000")));
}

#[test]
fn a_server_answers_a_classic_question_in_the_classic_form() {
    let classic = TransactionId::classic(&mut Rng::from_u64(1));
    let request = Builder::new(Class::Request, Method::BINDING, classic)
        .attribute(AttributeType::CHANGE_REQUEST, &[0; 4])
        .finish()
        .unwrap();
    let bytes = answer(&request, "198.51.100.7:40000");
    let message = Message::parse(&bytes).unwrap();
    assert!(message.attribute(AttributeType::XOR_MAPPED_ADDRESS).is_none());
    assert_eq!(message.mapped_address(), Some(address("198.51.100.7:40000")));
    assert_eq!(message.id(), classic);
}

#[test]
fn a_server_says_what_it_does_not_know() {
    let request = Builder::new(Class::Request, Method::BINDING, id(ID_1))
        .attribute(AttributeType(0x0024), &[0; 4])
        .attribute(AttributeType(0x9999), &[0; 4])
        .attribute(AttributeType::CHANGE_REQUEST, &[0, 0, 0, 4])
        .finish()
        .unwrap();
    let bytes = answer(&request, "198.51.100.7:1");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.class(), Class::Error);
    assert_eq!(message.error_code().unwrap().code, ErrorCode::UNKNOWN_ATTRIBUTE);
    let unknown: Vec<_> = message.unknown_attributes().collect();
    assert_eq!(unknown, [AttributeType(0x0024), AttributeType::CHANGE_REQUEST]);
    let other = Builder::new(Class::Request, Method(3), id(ID_1)).finish().unwrap();
    let bytes = answer(&other, "198.51.100.7:1");
    assert_eq!(Message::parse(&bytes).unwrap().error_code().unwrap().code, 400);
    for class in [Class::Indication, Class::Success, Class::Error] {
        let bytes = Builder::new(class, Method::BINDING, id(ID_1)).finish().unwrap();
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(Server::new().answer(&message, address("198.51.100.7:1")), None);
    }
}

fn mapped(server: &str, mapped: &str) -> Option<ClientEvent> {
    Some(ClientEvent::Mapped { server: address(server), address: address(mapped) })
}

fn failed(error: ClientError) -> Option<ClientEvent> {
    Some(ClientEvent::Failed { server: address(SERVER), error })
}

#[test]
fn a_binding_is_repeated_by_the_timetable_of_rfc_8489_6_2_1() {
    let (mut client, first) = asking(ClientConfig::default());
    let mut sent = vec![0];
    let mut now = Instant::ZERO;
    while let Some(at) = client.poll_timeout() {
        assert!(at > now);
        now = at;
        client.handle_timeout(now);
        if let Some(again) = client.poll_transmit() {
            assert_eq!(again.payload[..], first);
            sent.push(now.as_millis());
        }
        // Early calls change nothing.
        client.handle_timeout(now);
        assert!(client.poll_transmit().is_none());
    }
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(now, Instant::from_millis(39_500));
    assert_eq!(client.poll_event(), failed(ClientError::Timeout));
    assert_eq!(client.poll_event(), None);
}

#[test]
fn over_a_connection_a_binding_is_sent_once() {
    let mut client = client(ClientConfig::default());
    client.start(Instant::ZERO, FLOW, address(SERVER), true);
    assert!(client.poll_transmit().is_some());
    assert_eq!(client.poll_timeout(), Some(Instant::from_millis(39_500)));
    client.handle_timeout(Instant::from_millis(39_500));
    assert!(client.poll_transmit().is_none());
    assert_eq!(client.poll_event(), failed(ClientError::Timeout));
    client.start(Instant::ZERO, FLOW, address(SERVER), true);
    client.handle_flow_down(FlowId(99));
    assert!(client.is_busy());
    client.handle_flow_down(FLOW);
    assert_eq!(client.poll_event(), failed(ClientError::Disconnected));
}

#[test]
fn only_the_right_answer_counts() {
    let (mut client, request) = asking(ClientConfig::default());
    let right = answer(&request, "198.51.100.7:40000");
    let mut other_id = right.clone();
    other_id[19] ^= 1;
    let now = Instant::from_millis(10);
    assert!(!client.handle_input(now, FLOW, address(SERVER), &other_id));
    assert!(!client.handle_input(now, FLOW, address("192.0.2.4:3478"), &right));
    assert!(!client.handle_input(now, FlowId(5), address(SERVER), &right));
    assert!(!client.handle_input(now, FLOW, address(SERVER), &request));
    assert!(!client.handle_input(now, FLOW, address(SERVER), &right[..24]));
    assert!(client.is_busy() && client.poll_event().is_none());
    assert!(client.handle_input(now, FLOW, address(SERVER), &right));
    assert_eq!(client.poll_event(), mapped(SERVER, "198.51.100.7:40000"));
    assert_eq!(client.poll_timeout(), None);
    assert!(!client.handle_input(now, FLOW, address(SERVER), &right));
}

#[test]
fn a_classic_server_is_understood_in_both_forms() {
    for classic in [false, true] {
        let mut config = ClientConfig::default();
        config.classic = classic;
        let (mut client, request) = asking(config);
        let message = Message::parse(&request).unwrap();
        assert_eq!(message.id().has_cookie(), !classic);
        // RFC 3489 §8.1: MAPPED-ADDRESS, SOURCE-ADDRESS, CHANGED-ADDRESS.
        let bytes = Builder::new(Class::Success, Method::BINDING, message.id())
            .address(AttributeType::MAPPED_ADDRESS, address("198.51.100.7:40000"))
            .address(AttributeType(4), address(SERVER))
            .address(AttributeType(5), address("192.0.2.4:3479"))
            .finish()
            .unwrap();
        assert!(client.handle_input(Instant::ZERO, FLOW, address(SERVER), &bytes));
        assert_eq!(client.poll_event(), mapped(SERVER, "198.51.100.7:40000"));
    }
}

#[test]
fn answers_that_say_nothing_or_too_much_are_failures() {
    let attributes: [(AttributeType, &[u8]); 3] = [
        (AttributeType::SOFTWARE, b"no address"),
        (AttributeType::XOR_MAPPED_ADDRESS, &[0, 3, 0, 0, 0, 0, 0, 0]),
        (AttributeType(0x7777), b"must be understood"),
    ];
    for (kind, value) in attributes {
        let (mut client, request) = asking(ClientConfig::default());
        let id = Message::parse(&request).unwrap().id();
        let bytes =
            Builder::new(Class::Success, Method::BINDING, id).attribute(kind, value).finish().unwrap();
        assert!(client.handle_input(Instant::ZERO, FLOW, address(SERVER), &bytes));
        assert_eq!(client.poll_event(), failed(ClientError::Unusable), "{kind}");
    }
    let (mut client, request) = asking(ClientConfig::default());
    let id = Message::parse(&request).unwrap().id();
    let refusal = Builder::new(Class::Error, Method::BINDING, id).error_code(500, "Server Error");
    client.handle_input(Instant::ZERO, FLOW, address(SERVER), &refusal.finish().unwrap());
    let error = ClientError::Refused { code: 500, reason: "Server Error".into() };
    assert_eq!(client.poll_event(), failed(error));
}

#[test]
fn an_alternate_server_is_asked_but_never_twice() {
    let redirect = |request: &[u8], to: &str| {
        Builder::new(Class::Error, Method::BINDING, Message::parse(request).unwrap().id())
            .error_code(ErrorCode::TRY_ALTERNATE, "Try Alternate")
            .address(AttributeType::ALTERNATE_SERVER, address(to))
            .finish()
            .unwrap()
    };
    let (mut client, request) = asking(ClientConfig::default());
    let other = "192.0.2.9:3479";
    client.handle_input(Instant::ZERO, FLOW, address(SERVER), &redirect(&request, other));
    let sent = client.poll_transmit().unwrap();
    assert_eq!(sent.destination, address(other));
    assert_ne!(sent.payload[8..20], request[8..20]);
    client.handle_input(Instant::ZERO, FLOW, address(other), &redirect(&sent.payload, SERVER));
    let event = client.poll_event();
    assert!(
        matches!(&event, Some(ClientEvent::Failed { error: ClientError::Refused { code: 300, .. }, .. })),
        "{event:?}"
    );
    // And the other one's answer is taken.
    let (mut client, request) = asking(ClientConfig::default());
    client.handle_input(Instant::ZERO, FLOW, address(SERVER), &redirect(&request, other));
    let sent = client.poll_transmit().unwrap();
    client.handle_input(Instant::ZERO, FLOW, address(other), &answer(&sent.payload, "198.51.100.7:9"));
    assert_eq!(client.poll_event(), mapped(other, "198.51.100.7:9"));
}

#[test]
fn a_question_that_was_abandoned_has_no_event() {
    let (mut client, request) = asking(ClientConfig::default());
    client.start(Instant::from_millis(100), FLOW, address("192.0.2.4:3478"), false);
    assert!(!client.handle_input(Instant::ZERO, FLOW, address(SERVER), &answer(&request, "198.51.100.7:1")));
    client.stop();
    assert_eq!((client.poll_event(), client.poll_timeout()), (None, None));
    assert!(client.poll_transmit().is_none());
    let mut config = ClientConfig::default();
    (config.rto, config.rc, config.rm) = (Duration::from_millis(100), 1, 4);
    let (client, _) = asking(config);
    assert_eq!(client.poll_timeout(), Some(Instant::from_millis(400)));
}

#[test]
fn short_term_requests_are_signed_and_so_have_answers_to_be() {
    let (mut client, request) = asking(short_term("evtj:h6vY", PASSWORD));
    let message = Message::parse(&request).unwrap();
    let key = Key::short_term(PASSWORD);
    assert_eq!((message.username(), message.verify(&key)), (Some("evtj:h6vY"), Ok(())));
    // §9.1.2: both signatures, for the server's version is not known.
    assert!(message.attribute(AttributeType::MESSAGE_INTEGRITY).is_some());
    let reply = || {
        Builder::new(Class::Success, Method::BINDING, message.id())
            .xor_address(AttributeType::XOR_MAPPED_ADDRESS, address("198.51.100.7:1"))
    };
    let (unsigned, signed) = (reply().finish().unwrap(), reply().integrity_sha256(&key).finish().unwrap());
    assert!(!client.handle_input(Instant::ZERO, FLOW, address(SERVER), &unsigned));
    assert!(client.is_busy());
    assert!(client.handle_input(Instant::ZERO, FLOW, address(SERVER), &signed));
    assert_eq!(client.poll_event(), mapped(SERVER, "198.51.100.7:1"));
}

/// A server with long-term credentials: challenges, then checks.
struct Strict {
    nonce: &'static str,
    algorithms: Option<&'static [PasswordAlgorithm]>,
}

impl Strict {
    fn challenge(&self, request: &[u8], code: u16) -> Vec<u8> {
        let id = Message::parse(request).unwrap().id();
        let mut challenge = Builder::new(Class::Error, Method::BINDING, id)
            .error_code(code, "Unauthenticated")
            .realm("example.org")
            .nonce(self.nonce);
        if let Some(algorithms) = self.algorithms {
            challenge = challenge.password_algorithms(algorithms);
        }
        challenge.finish().unwrap()
    }

    fn accept(request: &[u8], key: &Key) -> Vec<u8> {
        let message = Message::parse(request).unwrap();
        assert_eq!(message.verify(key), Ok(()));
        Builder::new(Class::Success, Method::BINDING, message.id())
            .xor_address(AttributeType::XOR_MAPPED_ADDRESS, address("198.51.100.7:1"))
            .integrity_sha256(key)
            .finish()
            .unwrap()
    }
}

#[test]
fn long_term_credentials_answer_what_the_nonce_and_the_list_ask_for() {
    use PasswordAlgorithm::{Md5, Sha256};
    // The nonce's features: none, USERHASH, PASSWORD-ALGORITHMS, both.
    let table: [(&str, Option<&'static [PasswordAlgorithm]>, PasswordAlgorithm, bool); 5] = [
        ("plain", None, Md5, false),
        ("obMatJos2AAACplain", None, Md5, true),
        ("obMatJos2AAABplain", Some(&[Sha256, Md5]), Sha256, false),
        ("obMatJos2AAABplain", Some(&[Md5, Sha256]), Md5, false),
        ("obMatJos2AAADplain", Some(&[Sha256]), Sha256, true),
    ];
    for (nonce, algorithms, chosen, anonymous) in table {
        let server = Strict { nonce, algorithms };
        let (mut client, request) = asking(long_term("alice", "secret"));
        assert_eq!(Message::parse(&request).unwrap().username(), None);
        client.handle_input(Instant::ZERO, FLOW, address(SERVER), &server.challenge(&request, 401));
        let again = client.poll_transmit().unwrap().payload;
        let message = Message::parse(&again).unwrap();
        assert_eq!((message.realm(), message.nonce()), (Some("example.org"), Some(nonce)));
        assert_eq!(message.username().is_none(), anonymous, "{nonce}");
        assert_eq!(message.user_hash().is_some(), anonymous, "{nonce}");
        assert_eq!(message.password_algorithm(), algorithms.map(|_| chosen));
        // §9.2.5: the list goes back as it came, and the old signature goes only where there is no list.
        assert_eq!(message.preferred_algorithm(), algorithms.map(|_| chosen));
        assert_eq!(message.attribute(AttributeType::MESSAGE_INTEGRITY).is_some(), algorithms.is_none());
        let key = Key::long_term("alice", "example.org", "secret", chosen);
        client.handle_input(Instant::ZERO, FLOW, address(SERVER), &Strict::accept(&again, &key));
        assert_eq!(client.poll_event(), mapped(SERVER, "198.51.100.7:1"));
        // The next question is signed at once.
        client.start(Instant::ZERO, FLOW, address(SERVER), false);
        let next = client.poll_transmit().unwrap().payload;
        assert_eq!(Message::parse(&next).unwrap().verify(&key), Ok(()));
        // Its nonce is too old by now.
        let newer = Strict { nonce: "newer", algorithms: None };
        client.handle_input(Instant::ZERO, FLOW, address(SERVER), &newer.challenge(&next, 438));
        let again = client.poll_transmit().unwrap().payload;
        assert_eq!(Message::parse(&again).unwrap().nonce(), Some("newer"));
    }
}

#[test]
fn wrong_passwords_and_stolen_lists_end_the_question() {
    let unauthorized = failed(ClientError::Unauthorized);
    // The same challenge again: the password is wrong.
    let server = Strict { nonce: "plain", algorithms: None };
    let (mut client, request) = asking(long_term("alice", "wrong"));
    client.handle_input(Instant::ZERO, FLOW, address(SERVER), &server.challenge(&request, 401));
    let again = client.poll_transmit().unwrap().payload;
    client.handle_input(Instant::ZERO, FLOW, address(SERVER), &server.challenge(&again, 401));
    assert_eq!(client.poll_event(), unauthorized);
    // The nonce says that there is a list, and there is none: somebody took it out.
    let server = Strict { nonce: "obMatJos2AAABplain", algorithms: None };
    let (mut client, request) = asking(long_term("alice", "secret"));
    client.handle_input(Instant::ZERO, FLOW, address(SERVER), &server.challenge(&request, 401));
    assert_eq!(client.poll_event(), unauthorized);
    // No credentials at all.
    let (mut client, request) = asking(ClientConfig::default());
    client.handle_input(Instant::ZERO, FLOW, address(SERVER), &server.challenge(&request, 401));
    assert_eq!(client.poll_event(), unauthorized);
    // A server that calls every nonce stale is not asked for ever.
    let server = Strict { nonce: "plain", algorithms: None };
    let (mut client, mut request) = asking(long_term("alice", "secret"));
    let mut rounds = 0;
    while client.poll_event().is_none() {
        rounds += 1;
        client.handle_input(Instant::ZERO, FLOW, address(SERVER), &server.challenge(&request, 438));
        if let Some(again) = client.poll_transmit() {
            request = again.payload.to_vec();
        }
    }
    assert_eq!(rounds, 3);
}
