//! Messages and headers: the examples of RFC 3261, and the rules around them.

use bytes::Bytes;
use sidetone_sip_core::header::{
    Accept, Allow, CSeq, CallId, Contact, ContentLength, ContentType, Date, Expires, From, MaxForwards, Path,
    RecordRoute, Require, RetryAfter, Route, Server, Subject, Supported, To, Unsupported, UserAgent, Via,
    Warning, WwwAuthenticate,
};
use sidetone_sip_core::{
    Header, HeaderName, Headers, Host, Limits, Message, Method, NameAddr, ParseErrorKind, Protocol, Request,
    Response, StatusCode, Text, Uri, rejection,
};

/// The INVITE of RFC 3261 §24.2 (F1), with a body.
const INVITE: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8\r\n\
    Max-Forwards: 70\r\n\
    To: Bob <sip:bob@biloxi.com>\r\n\
    From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
    Call-ID: a84b4c76e66710\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:alice@pc33.atlanta.com>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 4\r\n\
    \r\n\
    v=0\n";

fn parse(text: impl AsRef<[u8]>) -> Result<Message, sidetone_sip_core::ParseError> {
    Message::parse(Bytes::copy_from_slice(text.as_ref()), &Limits::default())
}

fn request(text: impl AsRef<[u8]>) -> Request {
    match parse(text) {
        Ok(Message::Request(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

fn value<H: Header>(text: &str) -> Result<H, sidetone_sip_core::ParseError> {
    H::parse(&Bytes::copy_from_slice(text.as_bytes()))
}

#[track_caller]
fn round_trip<H: Header + PartialEq + core::fmt::Debug>(text: &str) -> H {
    let mut headers = Headers::new();
    headers.push_raw(H::NAME, text).unwrap();
    let header: H = headers.require().unwrap();
    headers.set(&header);
    assert_eq!(headers.require::<H>().unwrap(), header, "{text}");
    header
}

#[test]
fn the_rfc_invite_reads_as_it_is() {
    let invite = request(INVITE);
    assert_eq!(invite.method, Method::INVITE);
    assert_eq!(invite.uri, "sip:bob@biloxi.com".parse().unwrap());
    let essentials = invite.essentials().unwrap();
    assert_eq!(essentials.via.protocol(), Some(Protocol::Udp));
    assert_eq!(essentials.via.host, "pc33.atlanta.com".parse::<Host>().unwrap());
    assert_eq!(essentials.via.branch(), Some("z9hG4bKnashds8"));
    assert_eq!(essentials.from.display_name.as_deref(), Some("Alice"));
    assert_eq!(essentials.from.tag(), Some("1928301774"));
    assert_eq!((essentials.to.tag(), &essentials.to.uri), (None, &invite.uri));
    assert_eq!(essentials.call_id.as_str(), "a84b4c76e66710");
    assert_eq!(essentials.cseq, CSeq::new(314_159, Method::INVITE));
    assert_eq!(invite.headers.require::<MaxForwards>().unwrap(), MaxForwards::default());
    assert_eq!(invite.headers.require::<Contact>().unwrap().uri().unwrap().host_str(), "pc33.atlanta.com");
    assert_eq!(invite.headers.require::<ContentType>().unwrap(), ContentType::SDP);
    assert_eq!(invite.body, "v=0\n");
    assert_eq!(invite.to_bytes(), INVITE.as_bytes(), "canonical text is written as it was read");
}

#[test]
fn values_share_the_datagram() {
    let datagram = Bytes::copy_from_slice(INVITE.as_bytes());
    let range = datagram.as_ptr_range();
    let message = Message::parse(datagram.clone(), &Limits::default()).unwrap();
    for (name, value) in message.headers().iter() {
        assert!(range.contains(&value.as_ptr()), "{name} was copied");
    }
    let essentials = message.essentials().unwrap();
    assert!(range.contains(&essentials.from.uri.as_str().as_ptr()));
    assert!(range.contains(&essentials.call_id.as_str().as_ptr()));
    assert!(range.contains(&message.body().as_ptr()));
}

#[test]
fn reading_an_invite_takes_two_allocations() {
    let text = INVITE.as_bytes();
    let mut read = None;
    // A datagram as a driver hands it over: its own buffer.
    let datagram = Bytes::from(text.to_vec());
    let counted = allocation_counter::measure(|| {
        let message = Message::parse(datagram.clone(), &Limits::default()).unwrap();
        let essentials = message.essentials().unwrap();
        let contact: Contact = message.headers().require().unwrap();
        read = Some((message, essentials, contact));
    });
    assert!(read.is_some());
    assert!(counted.count_total <= 2, "{} allocations", counted.count_total);
}

#[test]
fn main_types_keep_their_size() {
    assert_eq!(size_of::<Text>(), 32);
    assert_eq!(size_of::<HeaderName>(), 32);
    assert_eq!(size_of::<Method>(), 32);
    assert_eq!(size_of::<Headers>(), 96);
    assert_eq!(size_of::<Uri>(), 56);
    assert_eq!(size_of::<NameAddr>(), 120);
    assert_eq!(size_of::<Via>(), 112);
    assert_eq!(size_of::<Request>(), 216);
    assert_eq!(size_of::<Message>(), 216);
}

#[test]
fn a_response_answers_its_request() {
    let invite = request(
        INVITE.replace("Max-Forwards", "Via: SIP/2.0/TCP a, SIP/2.0/UDP b\r\nTimestamp: 54\r\nMax-Forwards"),
    );
    let response = invite.response(StatusCode::RINGING, Some("a6c85cf"));
    assert_eq!(
        response.to_bytes(),
        b"SIP/2.0 180 Ringing\r\n\
        Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8\r\n\
        Via: SIP/2.0/TCP a, SIP/2.0/UDP b\r\n\
        From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
        To: \"Bob\" <sip:bob@biloxi.com>;tag=a6c85cf\r\n\
        Call-ID: a84b4c76e66710\r\n\
        CSeq: 314159 INVITE\r\n\
        Content-Length: 0\r\n\r\n"
            .as_slice()
    );
    assert_eq!(response.headers.count::<Via>(), 3);
    let trying = invite.response(StatusCode::TRYING, None);
    assert_eq!(trying.headers.raw(&HeaderName::TIMESTAMP).unwrap(), b"54");
    assert_eq!(trying.headers.require::<To>().unwrap().tag(), None);
    let bye = request(INVITE.replace("To: Bob <sip:bob@biloxi.com>", "To: sip:bob@biloxi.com;tag=first"));
    let ok = bye.response(StatusCode::OK, Some("second"));
    assert_eq!(ok.headers.require::<To>().unwrap().tag(), Some("first"), "a tag is never changed");
}

#[test]
fn lenient_line_ends_and_bodies() {
    let lf = request(format!("\r\n\r\n\n{}", INVITE.replace("\r\n", "\n")));
    assert_eq!(lf.essentials().unwrap(), request(INVITE).essentials().unwrap());
    let without_length = request(INVITE.replace("Content-Length: 4\r\n", "") + "rest");
    assert_eq!(without_length.body, "v=0\nrest");
    let short = request(INVITE.replace("Content-Length: 4", "l: 3"));
    assert_eq!(short.body, "v=0", "what follows the body is dropped");
    let error = parse(INVITE.replace("Content-Length: 4", "Content-Length: 5")).unwrap_err();
    assert_eq!((error.kind, error.status()), (ParseErrorKind::BodyTruncated, StatusCode::BAD_REQUEST));
    for bad in ["-1", "4a", "", "4 4", "99999999999999999999999"] {
        assert!(
            parse(INVITE.replace("Content-Length: 4", &format!("Content-Length: {bad}"))).is_err(),
            "{bad}"
        );
    }
    assert!(parse(INVITE.replace("Content-Length: 4", "Content-Length: 4\r\nl: 3")).is_err());
    assert!(parse(INVITE.replace("Content-Length: 4", "Content-Length: 4\r\nl: 04")).is_ok());
}

#[test]
fn folding_compact_forms_and_bytes_that_are_no_text_survive() {
    let mut text = Vec::from(
        &b"OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf:\r\n \t<sip:x@y>\r\n\t;tag=1\r\n"
            [..],
    );
    text.extend_from_slice(b"t: <sip:a@b>\r\ni: 1\r\nCSeq: 1 OPTIONS\r\nX-Odd: \xff\xfe\r\ns:\r\n\r\n");
    let options = request(&text);
    let from: From = options.headers.require().unwrap();
    assert_eq!((from.tag(), from.uri.as_str()), (Some("1"), "sip:x@y"));
    assert_eq!(options.headers.raw(&"x-odd".parse().unwrap()).unwrap(), &b"\xff\xfe"[..]);
    assert_eq!(&*options.headers.require::<Subject>().unwrap(), "");
    let sent = options.to_bytes();
    assert!(sent.windows(9).any(|part| part == b"X-Odd: \xff\xfe"));
    assert!(sent.windows(8).any(|part| part == b"\r\nVia: S"), "compact forms are written in full");
    let again = request(&sent);
    assert!(
        options
            .headers
            .iter()
            .eq(again.headers.iter().filter(|(name, _)| *name != HeaderName::CONTENT_LENGTH))
    );
}

#[test]
fn limits_are_errors() {
    let mut limits = Limits::default();
    limits.headers = 9;
    let read = |limits: &Limits| {
        Message::parse(Bytes::from_static(INVITE.as_bytes()), limits).map_err(|error| error.kind)
    };
    assert!(read(&limits).is_ok());
    limits.headers = 8;
    assert_eq!(read(&limits).unwrap_err(), ParseErrorKind::TooManyHeaders);
    limits = Limits::default();
    limits.header = 40;
    assert_eq!(read(&limits).unwrap_err(), ParseErrorKind::HeaderTooLong);
    limits = Limits::default();
    limits.message = INVITE.len() - 1;
    assert_eq!(read(&limits).unwrap_err(), ParseErrorKind::MessageTooLarge);
    limits = Limits::default();
    limits.uri = 17;
    assert_eq!(read(&limits).unwrap_err(), ParseErrorKind::UriTooLong);
}

#[test]
fn errors_say_what_and_where_and_become_a_status() {
    let bad = |from: &str, to: &str| match parse(INVITE.replace(from, to)) {
        Ok(message) => message.validate().unwrap_err(),
        Err(error) => error,
    };
    let error = bad("Alice <sip:alice@atlanta.com>", "\"Alice <sip:alice@atlanta.com>");
    assert_eq!(error.to_string(), "From, byte 0: expected a closing quote");
    let error = bad("sip:bob@biloxi.com SIP/2.0", "sip:bo b@biloxi.com SIP/2.0");
    assert_eq!(error.kind, ParseErrorKind::StartLine);
    let error = bad("314159 INVITE", "314159 BYE");
    assert_eq!((error.kind, error.place), (ParseErrorKind::CSeqMethod, "CSeq"));
    let error = bad("Call-ID: a84b4c76e66710\r\n", "");
    assert_eq!(error.to_string(), "Call-ID, byte 0: the header is missing");
    let error = bad("Call-ID: a84b4c76e66710\r\n", "Call-ID: a84b4c76e66710\r\ni: 2\r\n");
    assert_eq!((error.kind, error.place), (ParseErrorKind::Duplicate, "Call-ID"));
    assert_eq!(bad("SIP/2.0\r\nVia", "SIP/7.0\r\nVia").status(), StatusCode::VERSION_NOT_SUPPORTED);
    assert_eq!(bad("SIP/2.0\r\nVia", "HTTP/1.1\r\nVia").kind, ParseErrorKind::StartLine);
    assert_eq!(
        bad("bob@biloxi.com SIP", "bob@biloxi.com?Route=%3Csip:x%3E SIP").kind,
        ParseErrorKind::UriHeaders
    );
    assert_eq!(bad("Max-Forwards: 70", "Max-Forwards: 256").kind, ParseErrorKind::Range);
    assert_eq!(bad("314159 ", "2147483648 ").kind, ParseErrorKind::Range);
    assert_eq!(bad("atlanta.com;branch", "atlanta.com\r;branch").kind, ParseErrorKind::LineEnd);
}

#[test]
fn rejections_have_what_could_be_read() {
    let limits = Limits::default();
    let reject = |text: String| {
        let datagram = Bytes::from(text);
        let error = Message::parse(datagram.clone(), &limits).unwrap_err();
        rejection(&datagram, &error, &limits)
    };
    let response =
        reject(INVITE.replace("sip:bob@biloxi.com SIP/2.0", "<sip:bob@biloxi.com> SIP/2.0")).unwrap();
    assert_eq!(response.status, StatusCode::BAD_REQUEST);
    assert_eq!(response.essentials().unwrap().cseq.method, Method::INVITE);
    let response = reject(INVITE.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia")).unwrap();
    assert_eq!(response.status, StatusCode::VERSION_NOT_SUPPORTED);
    let response = reject(INVITE.replace("Max-Forwards: 70", "Max Forwards 70")).unwrap();
    assert_eq!(response.headers.require::<CallId>().unwrap().as_str(), "a84b4c76e66710");
    assert!(response.reason.contains("byte"), "{}", response.reason);
    assert_eq!(reject(INVITE.replace("INVITE sip", "ACK <sip")), None, "an ACK is never answered");
    assert_eq!(reject(INVITE.replace("Via:", "X:").replace("SIP/2.0\r\nX", "SIP/3.0\r\nX")), None);
    assert_eq!(reject("SIP/2.0 99 x\r\nVia: SIP/2.0/UDP a\r\n\r\n".into()), None);
    assert_eq!(reject("\r\n\r\n".into()), None);
    assert_eq!(reject(String::new()), None);
}

#[test]
fn lists_are_popped_value_by_value() {
    let mut headers = Headers::new();
    headers.push_raw(HeaderName::ROUTE, "<sip:a;lr>, \"b, c\" <sip:b,c@d;lr> ,<sip:e>").unwrap();
    headers.push_raw(HeaderName::USER_AGENT, "x").unwrap();
    headers.push_raw(HeaderName::ROUTE, "<sip:f>").unwrap();
    let uris = |headers: &Headers| {
        headers.all::<Route>().map(|route| route.unwrap().uri.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(uris(&headers), ["sip:a;lr", "sip:b,c@d;lr", "sip:e", "sip:f"]);
    assert!(headers.remove_first::<Route>() && headers.remove_first::<Route>());
    assert_eq!(uris(&headers), ["sip:e", "sip:f"]);
    headers.push_front(&Route::new("sip:first".parse().unwrap()));
    headers.replace_first(&Route::new("sip:second".parse().unwrap()));
    assert_eq!(uris(&headers), ["sip:second", "sip:e", "sip:f"]);
    assert_eq!(headers.count::<Route>(), 3);
    assert_eq!(headers.remove(&HeaderName::ROUTE), 3);
    assert!(!headers.remove_first::<Route>());
    assert_eq!(headers.len(), 1);
    headers.push_front(&RecordRoute::new("sip:top".parse().unwrap()));
    assert_eq!(headers.iter().next().unwrap().0, HeaderName::RECORD_ROUTE);
}

#[test]
fn sets_join_over_lines() {
    let mut headers = Headers::new();
    headers.push_raw(HeaderName::SUPPORTED, "100rel, timer").unwrap();
    headers.push_raw("k".parse().unwrap(), "path").unwrap();
    let supported: Supported = headers.require().unwrap();
    assert!(supported.has("PATH") && supported.has("100rel") && !supported.has("gruu"));
    headers.set(&supported);
    assert_eq!(headers.raw(&HeaderName::SUPPORTED).unwrap(), b"100rel, timer, path");
    assert_eq!(headers.len(), 1);
    headers.push_raw(HeaderName::ACCEPT, "").unwrap();
    assert!(!headers.require::<Accept>().unwrap().takes(&ContentType::SDP));
    headers.push_raw(HeaderName::ACCEPT, "text/plain;q=0.5, application/*").unwrap();
    assert!(headers.require::<Accept>().unwrap().takes(&ContentType::SDP));
    headers.push(&Require::from_iter(["100rel"]));
    headers.push(&Unsupported::from_iter(["100rel"]));
    headers.push(&Allow(vec![Method::INVITE, Method::ACK]));
    assert_eq!(headers.raw(&HeaderName::ALLOW).unwrap(), b"INVITE, ACK");
    assert!(value::<Allow>("INVITE,,ACK").is_err());
}

#[test]
fn addresses_of_every_form() {
    let contact: Contact =
        round_trip("\"Mr. Watson\" <sip:watson@worcester.bell-telephone.com> ;q=0.7; expires=3600");
    assert_eq!((contact.q(), contact.expires()), (Some(700), Some(3600)));
    let contact: Contact = round_trip("sip:caller@u1.example.com;tag=x");
    assert!(contact.uri().unwrap().params().next().is_none(), "without <> they are the header's");
    assert_eq!(round_trip::<Contact>("*"), Contact::Star);
    let to: To = round_trip("The Operator<sip:operator@cs.columbia.edu>;tag=287447");
    assert_eq!(to.display_name.as_deref(), Some("The Operator"));
    let to: To = round_trip(r#""A \"quoted\" \\ name" <sip:a@b>"#);
    assert_eq!(to.display_name.as_deref(), Some(r#"A "quoted" \ name"#));
    let from: From = round_trip("Müller <sip:m@example.com>;tag=1");
    assert_eq!(from.display_name.as_deref(), Some("Müller"));
    assert_eq!(
        round_trip::<From>("<tel:+1-201-555-0123;phone-context=x>;tag=2").uri.user().as_deref(),
        Some("+1-201-555-0123")
    );
    assert!(round_trip::<Path>("<sip:p.example.com;lr>").uri.is_lr());
    for (q, expected) in [
        ("1", Some(1000)),
        ("1.000", Some(1000)),
        ("0.25", Some(250)),
        ("0", Some(0)),
        ("1.1", None),
        ("2", None),
        ("x", None),
        ("0.1234", None),
        (".5", Some(500)),
    ] {
        assert_eq!(value::<Contact>(&format!("<sip:a>;q={q}")).unwrap().q(), expected, "{q}");
    }
    for bad in [
        "",
        "<>",
        "<sip:a",
        "sip:a@b>",
        "\"x\" sip:a",
        "<sip:a>;",
        "<sip:a>;;b",
        "<sip:a> x",
        "A, B <sip:a>",
        "sip:a?x=y",
        "sip:a,b@c",
        "< sip:a>",
        "<sip:a >",
        "\"x\\\" <sip:a>",
        "x",
    ] {
        assert!(value::<To>(bad).is_err(), "{bad}");
    }
}

#[test]
fn vias_of_every_form() {
    let via: Via = round_trip(
        "SIP / 2.0 / UDP first.example.com: 4000;ttl=16;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
    );
    assert_eq!((via.port, via.ttl()), (Some(4000), Some(16)));
    assert_eq!(via.maddr().unwrap().ip(), "224.2.0.1".parse().ok());
    let via: Via =
        round_trip("SIP/2.0/SCTP [2001:db8::9:1]:6050;received=[2001:db8::9:255];branch=z9hG4bKas3-111");
    assert_eq!((via.protocol(), via.port), (None, Some(6050)));
    assert_eq!(via.received(), "2001:db8::9:255".parse().ok());
    let via: Via = round_trip("SIP/2.0/TLS h;received=2001:db8::9:255;rport=5061");
    assert_eq!((via.received(), via.rport()), ("2001:db8::9:255".parse().ok(), Some(Some(5061))));
    let mut via = Via::new(Protocol::Tcp, "2001:db8::1".parse::<core::net::IpAddr>().unwrap(), Some(5060));
    via.set_branch("z9hG4bKx");
    via.set_rport(None);
    assert_eq!(via.to_string(), "SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bKx;rport");
    for bad in [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/1.0/UDP h",
        "HTTP/2.0/TCP h",
        "SIP/2.0 h",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:66000",
        "SIP/2.0/UDP h;;",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP [2001:db8:::1]",
        "SIP/2.0/UDP[::1]",
    ] {
        assert!(value::<Via>(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_other_headers() {
    assert_eq!(round_trip::<CSeq>("0009  INVITE"), CSeq::new(9, Method::INVITE));
    assert_eq!(round_trip::<Expires>("9999999999999999").0, u32::MAX);
    assert_eq!(round_trip::<ContentLength>("00349").0, 349);
    assert_eq!(
        round_trip::<RetryAfter>("120 (I'm in a meeting);duration=3600").comment.as_deref(),
        Some("I'm in a meeting")
    );
    assert_eq!(round_trip::<RetryAfter>(r"5 (a (b \) c) \\)").comment.as_deref(), Some(r"a (b ) c) \"));
    assert_eq!(round_trip::<RetryAfter>("99999999999999999999").seconds, u32::MAX);
    let warning: Warning = round_trip(r#"307 isi.edu:5060 "Session parameter 'foo' not understood""#);
    assert_eq!((warning.code, &*warning.agent), (307, "isi.edu:5060"));
    assert!(value::<Warning>(r#"1812 overture "In Progress""#).is_err());
    assert_eq!(round_trip::<Date>("Thu, 21 Feb 2002 13:02:03 GMT"), Date(1_014_296_523));
    assert_eq!(
        round_trip::<ContentType>("multipart/mixed; boundary=\"a b\"").params.get("boundary").as_deref(),
        Some("a b")
    );
    assert_eq!(&*round_trip::<Server>("HomeServer v2"), "HomeServer v2");
    assert!(value::<CallId>("a b").is_err() && value::<CallId>("").is_err());
    for bad in ["", "1", "1INVITE", "x INVITE", "1 IN VITE", "-1 INVITE", "2147483648 INVITE"] {
        assert!(value::<CSeq>(bad).is_err(), "{bad}");
    }
    let mut headers = Headers::new();
    headers.push_raw(HeaderName::WWW_AUTHENTICATE, "NTLM x=y").unwrap();
    assert_eq!(headers.require::<WwwAuthenticate>().unwrap_err().kind, ParseErrorKind::AuthScheme);
}

#[test]
fn no_value_can_begin_a_line_of_its_own() {
    const EVIL: &str = "x\r\nEvil: 1\r\n\r\nbody";
    let mut invite = request(INVITE);
    invite.headers.push(&UserAgent::from(EVIL));
    invite.headers.push(&Subject(EVIL.into()));
    invite.headers.set(&CallId::from(EVIL));
    let mut contact =
        NameAddr::new(Uri::sip(Some(EVIL), "example.com", None).unwrap()).with_display_name(EVIL);
    contact.params.set("tag", EVIL);
    contact.params.set(EVIL, "x");
    contact.uri.set_param(EVIL, Some(EVIL));
    contact.uri.set_user(Some(EVIL));
    invite.headers.set(&Contact::Addr(contact));
    invite.headers.set(&ContentType { kind: EVIL.into(), ..ContentType::SDP });
    assert!(invite.headers.push_raw(HeaderName::SUBJECT, EVIL).is_err());
    assert!(Text::new(EVIL).is_err() && Text::from_utf8(Bytes::from_static(EVIL.as_bytes())).is_err());
    assert!(value::<Subject>(EVIL).is_err() && value::<UserAgent>("a\rb").is_err());
    assert!(Uri::parse(format!("sip:{EVIL}@h")).is_err() && Method::parse(EVIL.as_bytes()).is_err());
    assert!(Uri::sip(None, EVIL, None).is_err() && EVIL.parse::<HeaderName>().is_err());
    let lines = invite.headers.len() + 1;
    let sent = invite.to_bytes();
    let head = sent.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    assert_eq!(sent[..head].split(|byte| *byte == b'\n').count(), lines);
    assert!(!sent[..head].split(|byte| *byte == b'\n').any(|line| line.starts_with(b"Evil")));
    let mut response = Response::new(StatusCode::OK).with_reason(EVIL);
    response.headers.push(&Reasonless);
    assert_eq!(response.to_bytes().windows(2).filter(|end| *end == b"\r\n").count(), 4);

    /// A header type of a user that writes line ends itself.
    struct Reasonless;
    impl Header for Reasonless {
        const NAME: HeaderName = HeaderName::from_static("X-Mine");
        fn parse(_: &Bytes) -> Result<Self, sidetone_sip_core::ParseError> {
            Ok(Self)
        }
        fn emit(&self, out: &mut sidetone_sip_core::Emitter) {
            use core::fmt::Write;
            write!(out, "a\r\nEvil: {EVIL}").unwrap();
        }
    }
}

#[test]
fn debug_shows_no_secrets() {
    let mut invite = request(INVITE.replace("sip:bob@biloxi.com SIP", "sip:bob:hunter2@biloxi.com SIP"));
    let credentials = "Digest username=\"bob\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"6629fae49393a05397450978507c4ef1\"";
    invite.headers.push_raw(HeaderName::AUTHORIZATION, credentials).unwrap();
    invite.headers.push_raw(HeaderName::PROXY_AUTHORIZATION, credentials).unwrap();
    let shown = format!("{invite:?}");
    assert!(shown.contains("sip:bob:***@biloxi.com") && shown.contains("Alice"), "{shown}");
    assert!(!shown.contains("6629fae4") && !shown.contains("hunter2"), "{shown}");
    let parsed: sidetone_sip_core::Credentials = credentials.parse().unwrap();
    assert!(!format!("{parsed:?}").contains("6629fae4"));
    let secret = sidetone_sip_core::Secret::from("hunter2");
    assert_eq!(format!("{secret:?}"), "***");
}

#[test]
fn status_lines() {
    let response = |line: &str| match parse(format!("{line}\r\nVia: SIP/2.0/UDP a\r\n\r\n")) {
        Ok(Message::Response(response)) => Some((response.status.code(), response.reason.to_string())),
        _ => None,
    };
    assert_eq!(response("SIP/2.0 200 OK"), Some((200, "OK".into())));
    assert_eq!(response("sip/2.0 100 "), Some((100, String::new())));
    assert_eq!(response("SIP/2.0 100"), Some((100, String::new())));
    assert_eq!(response("SIP/2.0 404 Not  found  here"), Some((404, "Not  found  here".into())));
    for bad in [
        "SIP/2.0 099 x",
        "SIP/2.0 700 x",
        "SIP/2.0 4294967301 x",
        "SIP/2.0  200 OK",
        "SIP/2.0 20 OK",
        "SIP/7.0 200 OK",
        "SIP/2.0",
        "SIP/2.0 2OO OK",
    ] {
        assert_eq!(response(bad), None, "{bad}");
    }
}
