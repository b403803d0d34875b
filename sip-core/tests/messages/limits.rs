//! Every bound: what just fits is read, one more is refused with its status; and nothing takes long within them.

use bytes::Bytes;
use sidetone_sip_core::header::{Contact, Route, To, Via, check_typed_value};
use sidetone_sip_core::{Header as _, HeaderValue, Limits, Message, ParseErrorKind, StatusCode, rejection};

fn message(lines: &str, body: &str) -> Bytes {
    format!(
        "OPTIONS sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\n\
         Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n{lines}\r\n{body}"
    )
    .into()
}

fn parse(datagram: &Bytes, limits: &Limits) -> Result<Message, (ParseErrorKind, StatusCode)> {
    Message::parse(datagram.clone(), limits).map_err(|error| {
        // Whatever is too much, there is an answer that says so.
        assert_eq!(rejection(datagram, &error, limits).unwrap().status, error.status());
        (error.kind, error.status())
    })
}

#[test]
fn one_more_than_fits_is_refused() {
    let limits = Limits::default();
    let refused = |datagram: &Bytes, limits: &Limits| parse(datagram, limits).unwrap_err();

    let full = message("", &"x".repeat(65_535 - message("", "").len()));
    assert_eq!(parse(&full, &limits).unwrap().body().len(), 65_535 - message("", "").len());
    let more = Bytes::from([&full[..], b"x"].concat());
    assert_eq!(refused(&more, &limits), (ParseErrorKind::MessageTooLarge, StatusCode::MESSAGE_TOO_LARGE));

    assert!(parse(&message(&"a: b\r\n".repeat(251), ""), &limits).is_ok());
    let lines = message(&"a: b\r\n".repeat(252), "");
    assert_eq!(refused(&lines, &limits), (ParseErrorKind::TooManyHeaders, StatusCode::MESSAGE_TOO_LARGE));

    let long =
        |length: usize| message(&format!("Subject: {}\r\n", "x".repeat(length - "Subject: \r\n".len())), "");
    assert!(parse(&long(8_192), &limits).is_ok());
    assert_eq!(
        refused(&long(8_193), &limits),
        (ParseErrorKind::HeaderTooLong, StatusCode::MESSAGE_TOO_LARGE)
    );
    // Folding is no way around it.
    let folded = message(&format!("Subject: {}\r\n", "x\r\n ".repeat(2_050)), "");
    assert_eq!(refused(&folded, &limits).0, ParseErrorKind::HeaderTooLong);

    let uri = |length: usize| {
        let text = String::from_utf8(message("", "").to_vec()).unwrap();
        Bytes::from(
            text.replace("sip:b@c SIP", &format!("sip:{}@c SIP", "b".repeat(length - "sip:@c".len()))),
        )
    };
    assert!(parse(&uri(2_048), &limits).is_ok());
    assert_eq!(refused(&uri(2_049), &limits), (ParseErrorKind::UriTooLong, StatusCode::URI_TOO_LONG));

    let vias =
        |count: usize| message(&format!("v: SIP/2.0/UDP a{}\r\n", ", SIP/2.0/UDP b".repeat(count - 2)), "");
    assert_eq!(parse(&vias(70), &limits).unwrap().headers().count::<Via>(), 70);
    assert_eq!(refused(&vias(71), &limits), (ParseErrorKind::TooManyValues, StatusCode::MESSAGE_TOO_LARGE));

    for name in ["Route", "Record-Route", "Path", "Service-Route"] {
        let routes = |count: usize| message(&format!("{name}: <sip:p;lr>\r\n").repeat(count), "");
        assert!(parse(&routes(70), &limits).is_ok());
        assert_eq!(refused(&routes(71), &limits).0, ParseErrorKind::TooManyValues, "{name}");
    }

    let mut small = limits;
    small.body = 4;
    assert!(parse(&message("", "1234"), &small).is_ok());
    // What is dropped behind the body does not count.
    assert!(parse(&message("l: 4\r\n", "12345"), &small).is_ok());
    assert_eq!(
        refused(&message("", "12345"), &small),
        (ParseErrorKind::BodyTooLarge, StatusCode::REQUEST_ENTITY_TOO_LARGE)
    );
}

#[test]
fn parameters_are_counted_in_headers_and_uris() {
    let mut limits = Limits::default();
    let to = |header: usize, uri: usize| {
        let value = format!("t: <sip:b@c{}>{}\r\n", ";x".repeat(uri), ";y=1".repeat(header));
        let text = String::from_utf8(message("", "").to_vec()).unwrap();
        Bytes::from(text.replace("To: <sip:b@c>\r\n", &value))
    };
    let read = |datagram: Bytes, limits: &Limits| {
        Message::parse(datagram, limits)
            .unwrap()
            .headers()
            .require::<To>()
            .map_err(|error| (error.kind, error.status()))
    };
    let too_many = Err((ParseErrorKind::TooManyParams, StatusCode::MESSAGE_TOO_LARGE));
    assert!(read(to(64, 64), &limits).is_ok());
    assert_eq!(read(to(65, 0), &limits), too_many);
    assert_eq!(read(to(0, 65), &limits), too_many);
    limits.params = 2;
    assert!(read(to(2, 2), &limits).is_ok());
    assert_eq!(read(to(3, 0), &limits), too_many);
    limits.params = 1000;
    assert!(read(to(1000, 1000), &limits).is_ok());
}

/// Messages of the largest size, each made to be slow for a reader that looks at anything twice.
#[test]
fn nothing_within_the_limits_takes_long() {
    let limits = Limits::default();
    let fill = |line: &str, lines: usize| message(&line.repeat(lines.min(65_000 / line.len())), "");
    let value = |name: &str, text: &str| format!("{name}: {}\r\n", text.repeat(8_000 / text.len()));
    let worst = [
        fill("a:\r\n", 250),
        fill(&value("Contact", "<sip:a@b>,"), 8),
        fill(&value("Contact", "\"a,b\" <sip:a,b@c>;x=\"1,2\",,"), 8),
        fill(&value("Contact", ","), 8),
        fill(&value("Contact", "\""), 8),
        fill(&value("Contact", "<"), 8),
        fill(&value("Contact", "\\\""), 8),
        fill(&value("Subject", "x\r\n "), 8),
        fill(&value("Supported", "a,"), 8),
        fill(&value("Retry-After", "1 (((((("), 8),
        fill(&format!("Contact: <sip:a@b{}>\r\n", ";x=1".repeat(60)), 250),
        fill(&format!("Contact: <sip:a@b>{}\r\n", ";x=1".repeat(60)), 250),
        fill(&value("Accept", "text/plain;q=0.1,"), 8),
        fill(&value("History-Info", "<sip:a@b>;index=1.1.1,"), 8),
        fill(&value("X-Unknown", ":"), 8),
        message("", &"\r\n".repeat(32_000)),
    ];
    // A reader in proportion takes single milliseconds for each; with a quadratic one nobody would wait for the end.
    for datagram in worst {
        if let Ok(message) = Message::parse(datagram.clone(), &limits) {
            for (name, value) in message.headers().iter() {
                let value = Bytes::copy_from_slice(value);
                let _ = check_typed_value(&name, HeaderValue::whole(&value));
            }
            let contacts: Vec<_> = message.headers().all::<Contact>().collect();
            assert!(contacts.len() >= message.headers().raw_all(&Contact::NAME).count());
            let _ = message.headers().count::<Route>();
            let read: Vec<_> = contacts.iter().filter_map(|contact| contact.as_ref().ok()).take(20).collect();
            assert!(read.iter().all(|contact| read.iter().filter(|other| contact == *other).count() > 0));
            assert!(
                Message::parse(message.to_bytes().into(), &Limits::default()).is_ok()
                    || message.headers().len() > 200
            );
        }
    }
}
