//! Each leniency by its name: on it lets its case through, off it does not, whatever the others are.

use bytes::Bytes;
use sidetone_sip_core::header::{UserAgent, check_typed_value};
use sidetone_sip_core::{
    Capabilities, Deframer, Frame, HeaderName, HeaderValue, Leniency, Limits, Message, ReadOptions,
};

const STRICT: &str = "OPTIONS sip:b@example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP h.example.com;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:a@example.com>;tag=1\r\n\
    To: <sip:b@example.com>\r\n\
    Call-ID: 1@h\r\n\
    CSeq: 1 OPTIONS\r\n\
    Content-Length: 0\r\n\r\n";

/// Whether a message is read, has what it must have, and every header with a type follows its grammar.
fn takes(text: &[u8], leniency: Leniency) -> bool {
    let options = ReadOptions::new(Limits::default(), leniency);
    let Ok(message) = Message::parse_with(Bytes::copy_from_slice(text), &options) else { return false };
    assert_eq!(message.headers().leniency(), leniency);
    message.essentials().is_ok()
        && message.headers().iter().all(|(name, value)| {
            let value = Bytes::copy_from_slice(value);
            let read = check_typed_value(&name, HeaderValue::whole(&value).with_leniency(&leniency));
            read.is_none_or(|read| read.is_ok())
        })
}

/// Whether a server goes on with a request that has a header that it does not need and cannot read.
fn goes_on(text: &[u8], leniency: Leniency) -> bool {
    match Message::parse_with(Bytes::copy_from_slice(text), &ReadOptions::new(Limits::default(), leniency)) {
        Ok(Message::Request(request)) => request.check(&Capabilities::default()).is_ok(),
        _ => false,
    }
}

/// Whether a stream with the message gives it.
fn comes_out(text: &[u8], leniency: Leniency) -> bool {
    let mut deframer = Deframer::new(Limits::default()).with_leniency(&leniency);
    deframer.push(text);
    matches!(deframer.next(), Ok(Some(Frame::Message(message))) if message == text)
}

/// Those of single headers, which have their tests with them (`headers_values.rs`, `messages_multipart.rs`).
const OF_HEADERS: [&str; 4] =
    ["bare_info_values", "commas_in_privacy", "local_numbers_without_context", "unended_fragments"];

type Judge = fn(&[u8], Leniency) -> bool;

/// What each is for: its name, a message that needs it, and how it shows.
fn cases() -> Vec<(&'static str, Vec<u8>, Judge)> {
    let text = |from: &str, to: &str| {
        assert!(STRICT.contains(from), "{from}");
        STRICT.replacen(from, to, 1).into_bytes()
    };
    let with = |line: &str| text("Content-Length", &format!("{line}\r\nContent-Length"));
    let mut latin = with("User-Agent: M?ller");
    *latin.iter_mut().find(|byte| **byte == b'?').unwrap() = 0xfc;
    let response = STRICT.replace("OPTIONS sip:b@example.com SIP/2.0", "SIP/2.0 200");
    vec![
        ("lf_line_ends", STRICT.replace("\r\n", "\n").into_bytes(), takes),
        ("leading_line_ends", format!("\r\n\r\n{STRICT}").into_bytes(), takes),
        ("status_line_without_space", response.into_bytes(), takes),
        ("missing_branch", text(";branch=z9hG4bK1", ""), takes),
        ("missing_from_tag", text(";tag=1", ""), takes),
        ("missing_max_forwards", text("Max-Forwards: 70\r\n", ""), takes),
        ("malformed_optional_headers", with("Date: yesterday"), goes_on),
        ("underscore_in_hosts", text("To: <sip:b@example", "To: <sip:b@ex_ample"), takes),
        ("non_ascii_display_names", text("To: ", "To: Jürgen "), takes),
        ("any_parameter_values", text("To: <sip:b@example.com>", "To: <sip:b@example.com>;x=a@b"), takes),
        ("equals_in_uri_parameters", text("To: <sip:b@example.com", "To: <sip:b@example.com;x=a=b"), takes),
        ("saturating_numbers", with("Expires: 4294967296"), takes),
        ("non_utf8_text", latin, takes),
        (
            "start_line_spaces",
            text("OPTIONS sip:b@example.com SIP", "OPTIONS   sip:b@example.com  SIP"),
            takes,
        ),
        ("start_line_trailing_spaces", text("SIP/2.0\r", "SIP/2.0  \r"), takes),
        ("bracketed_request_uri", text("sip:b@example.com SIP", "<sip:b@example.com> SIP"), takes),
        ("request_uri_headers", text("sip:b@example.com SIP", "sip:b@example.com?Route=x SIP"), takes),
        ("spaces_in_brackets", text("To: <sip:b@example.com>", "To: < sip:b@example.com >"), takes),
        ("any_display_names", text("From: ", "From: Bell, Alexander (home) "), takes),
        ("unescaped_uri_characters", text("To: <sip:b@", "To: <sip:*21#100%@"), takes),
        ("headers_without_brackets", with("Contact: sip:a@example.com?Route=%3Csip:x%3E"), takes),
        ("malformed_lines", with("no header at all\r\n continued"), takes),
        ("missing_empty_line", STRICT.strip_suffix("\r\n").unwrap().into(), takes),
        ("cseq_without_space", text("1 OPTIONS", "1OPTIONS"), takes),
        ("any_call_ids", text("1@h", "a;b=c,d|e@h"), takes),
        ("empty_parameters", text(";tag=1", ";;tag=1;"), takes),
        ("truncated_bodies", text("Content-Length: 0", "Content-Length: 10"), takes),
        ("stream_without_content_length", text("Content-Length: 0\r\n", ""), comes_out),
        ("old_identity", with("Identity: \"Q29vbA==\""), takes),
    ]
}

#[test]
fn each_lets_its_case_through_and_nothing_else_does() {
    let cases = cases();
    for (name, text, judge) in &cases {
        let mut only = Leniency::STRICT;
        assert!(only.set(name, true), "{name}");
        let mut all_but = Leniency::LENIENT;
        assert!(all_but.set(name, false));
        let shown = text.escape_ascii();
        assert!(judge(text, only), "{name} alone takes {shown}");
        assert!(!judge(text, all_but), "without {name}, all others do not take {shown}");
        assert!(judge(text, Leniency::LENIENT), "{name}");
        assert!(!judge(text, Leniency::STRICT), "{name}");
        assert_eq!(judge(text, Leniency::DEFAULT), Leniency::DEFAULT.get(name).unwrap(), "{name} by default");
    }
    let tested = |name: &str| cases.iter().any(|(tested, ..)| *tested == name) || OF_HEADERS.contains(&name);
    let untested: Vec<_> = Leniency::NAMES.iter().filter(|name| !tested(name)).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn strict_takes_what_the_grammar_has() {
    let folded = STRICT.replace("To: <", "t  :\r\n \"Bob \\\"B\\\"\"\r\n\t<");
    for text in [STRICT, &folded] {
        assert!(
            takes(text.as_bytes(), Leniency::STRICT) && goes_on(text.as_bytes(), Leniency::STRICT),
            "{text}"
        );
    }
    // RFC 3261 §18.3 itself: over UDP the body is the rest, and what follows it is dropped.
    for (length, body) in [("", "hello"), ("Content-Length: 2\r\n", "he")] {
        let text = STRICT.replace("Content-Length: 0\r\n", length) + "hello";
        let options = ReadOptions::new(Limits::default(), Leniency::STRICT);
        assert_eq!(Message::parse_with(text.into(), &options).unwrap().body(), body);
    }
}

#[test]
fn what_is_no_text_survives_as_it_came() {
    let mut bytes =
        STRICT.replace("Content-Length", "User-Agent: M?\r\nX-Odd: ?\0?\r\nContent-Length").into_bytes();
    for byte in &mut bytes {
        if *byte == b'?' {
            *byte = 0xfe;
        }
    }
    for leniency in [Leniency::STRICT, Leniency::DEFAULT, Leniency::LENIENT] {
        let options = ReadOptions::new(Limits::default(), leniency);
        let message = Message::parse_with(Bytes::from(bytes.clone()), &options).unwrap();
        assert_eq!(message.headers().raw(&"x-odd".parse().unwrap()), Some(&b"\xfe\0\xfe"[..]));
        assert_eq!(message.to_bytes(), bytes, "{leniency:?}");
        match message.headers().get::<UserAgent>().unwrap() {
            Ok(agent) => assert!(leniency.non_utf8_text && &*agent == "M\u{fffd}"),
            Err(error) => assert!(!leniency.non_utf8_text, "{error}"),
        }
    }
}

#[test]
fn a_dropped_headers_part_never_becomes_a_header() {
    let text = STRICT.replace("sip:b@example.com SIP", "sip:b@example.com;lr?Route=%3Csip:evil%3E SIP");
    let mut options = ReadOptions::default();
    options.leniency.request_uri_headers = true;
    let message = Message::parse_with(text.into(), &options).unwrap();
    let Message::Request(request) = message else { panic!("it is a request") };
    assert_eq!(request.uri.as_str(), "sip:b@example.com;lr");
    assert!(!request.headers.contains(&HeaderName::ROUTE));
}
