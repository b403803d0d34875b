//! Bodies of several parts, and pieces of messages as bodies (RFC 2046 §5.1, RFC 5621, RFC 3420).

use bytes::Bytes;
use proptest::prelude::*;
use sidetone_sip_core::header::{CSeq, ContentType, Header, HeaderName, Via};
use sidetone_sip_core::{
    Fragment, FragmentStart, Leniency, Limits, Message, Method, Multipart, ParseErrorKind, Part, ReadOptions,
    Request, Response, Rng, StatusCode,
};

fn kind(text: &str) -> ContentType {
    text.parse().unwrap()
}

fn body(content_type: &str, body: impl Into<Bytes>) -> Part {
    Part::new(&kind(content_type), body)
}

fn read(content_type: &str, text: impl Into<Bytes>) -> Result<Multipart, ParseErrorKind> {
    let several = body(content_type, text).multipart(&Limits::default()).map_err(|error| error.kind)?;
    Ok(several.unwrap_or_else(|| panic!("{content_type} is multipart")))
}

fn bodies(several: &Multipart) -> Vec<&[u8]> {
    several.parts.iter().map(|part| &part.body[..]).collect()
}

/// RFC 2046 §5.1.1.
#[test]
fn the_example_of_rfc_2046() {
    let text = "This is the preamble.  It is to be ignored, though it\r\n\
        is a handy place for composition agents to include an\r\nexplanatory note to non-MIME conformant readers.\r\n\r\n\
        --simple boundary\r\n\r\nThis is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n\
        --simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n\
        This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n\r\n\
        --simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n";
    let several = read("multipart/mixed; boundary=\"simple boundary\"", text).unwrap();
    assert_eq!(several.parts.len(), 2);
    assert_eq!(
        several.parts[0].body,
        "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak."
    );
    assert_eq!(
        several.parts[1].body,
        "This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n"
    );
    assert!(several.parts[0].kind().unwrap().is(&ContentType::TEXT) && several.parts[0].headers.is_empty());
    assert!(
        several.preamble.starts_with(b"This is the preamble.") && several.preamble.ends_with(b"readers.\r\n")
    );
    assert_eq!(several.epilogue, "\r\nThis is the epilogue.  It is also to be ignored.\r\n");
    let raw = &several.parts[1].raw()[..];
    assert!(raw.starts_with(b"Content-type: text/plain; charset=us-ascii\r\n\r\nThis is explicitly"));
}

/// RFC 5621 §3.1 and RFC 3893: an offer beside another body, in an INVITE.
#[test]
fn an_offer_is_found_wherever_it_stands() {
    let text = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
        From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
        Geolocation: <cid:alice@atlanta.example.com>\r\n\
        Content-Type: multipart/mixed;boundary=unique-boundary-1\r\n\r\n\
        --unique-boundary-1\r\nContent-Type: multipart/alternative;boundary=unique-boundary-1-2\r\n\r\n\
        --unique-boundary-1-2\r\nContent-Type: text/plain\r\n\r\npoor\r\n\
        --unique-boundary-1-2\r\nc: application/sdp\r\n\r\nv=0\r\n\r\n\
        --unique-boundary-1-2\r\nContent-Type: text/plain\r\n\r\nrich\r\n--unique-boundary-1-2--\r\n\r\n\
        --unique-boundary-1\r\nContent-Type: application/pidf+xml\r\nContent-ID: <alice@atlanta.example.com>\r\n\
        Content-Disposition: by-reference;handling=optional\r\n\r\n<presence/>\r\n\
        --unique-boundary-1--\r\n";
    let Message::Request(invite) = Message::parse(text.into(), &Limits::default()).unwrap() else { panic!() };
    let limits = Limits::default();
    let content = invite.content();
    let sdp = content.find(&ContentType::SDP, &limits).unwrap().unwrap();
    assert_eq!(sdp.body, "v=0\r\n");
    assert!(sdp.disposition().unwrap().is("session") && !sdp.disposition().unwrap().is_optional());
    assert_eq!(
        content.find(&ContentType::TEXT, &limits).unwrap().unwrap().body,
        "rich",
        "the last of `alternative`"
    );
    let location =
        content.find_id(&"cid:alice%40atlanta.example.com".parse().unwrap(), &limits).unwrap().unwrap();
    assert_eq!(location.body, "<presence/>");
    assert!(location.disposition().unwrap().is_optional());
    assert_eq!(content.find_disposition("by-reference", &limits).unwrap().unwrap().body, "<presence/>");
    assert_eq!(content.find(&ContentType::DTMF_RELAY, &limits).unwrap(), None);
    // The parts are parts of the datagram.
    let (whole, part) = (invite.body.as_ptr_range(), sdp.body.as_ptr_range());
    assert!(whole.start <= part.start && part.end <= whole.end);

    // The same question to a body that is no multipart.
    let mut plain = Request::new(Method::INVITE, "sip:b@h".parse().unwrap());
    plain.set_body(&ContentType::SDP, "v=0\r\n");
    assert_eq!(plain.content().find(&ContentType::SDP, &limits).unwrap().unwrap().body, "v=0\r\n");
    assert_eq!(plain.content().multipart(&limits), Ok(None));
    assert_eq!(plain.content().find(&ContentType::TEXT, &limits), Ok(None));
}

/// RFC 2387 §5.1.
#[test]
fn the_root_of_related_parts() {
    let text = "--example-1\r\nContent-Type: Application/X-FixedRecord\r\nContent-ID: <950120.aaCC@XIson.com>\r\n\r\n25\r\n\
        --example-1\r\nContent-Type: Application/octet-stream\r\nContent-ID: <950120.aaCB@XIson.com>\r\n\r\nOld MacDonald\r\n\
        --example-1--";
    let several =
        read("Multipart/Related; boundary=example-1; start=\"<950120.aaCB@XIson.com>\"", text).unwrap();
    assert_eq!(several.root().unwrap().body, "Old MacDonald");
    let several = read("multipart/related;boundary=example-1", text).unwrap();
    assert_eq!(several.root().unwrap().body, "25");
}

#[test]
fn what_stands_between_boundaries() {
    let mixed = "multipart/mixed;boundary=b";
    for (text, expected) in [
        // The line end before a boundary is the boundary's.
        (&b"--b\r\n\r\na\r\n--b--"[..], &[&b"a"[..]][..]),
        (b"--b\r\n\r\na\r\n\r\n--b--\r\n", &[b"a\r\n"]),
        (b"\r\n--b\r\n\r\na\r\n--b\r\n\r\nb\r\n--b--\r\n", &[b"a", b"b"]),
        // Padding after a boundary.
        (b"--b \t\r\n\r\na\r\n--b-- \t", &[b"a"]),
        // No boundaries: within a line, or another that begins with it.
        (
            b"--b\r\n\r\nx --b\r\n--bb\r\n--b-x\r\n--b--x\r\n-- b\r\n--B--\r\n--b--",
            &[b"x --b\r\n--bb\r\n--b-x\r\n--b--x\r\n-- b\r\n--B--"],
        ),
        // Bytes of any kind.
        (
            b"--b\r\nContent-Type: application/isup\r\n\r\n\x00\x01\r\n\r\n\xff\n\r\x00--b\r\n--b--",
            &[b"\x00\x01\r\n\r\n\xff\n\r\x00--b"],
        ),
        // Without an empty line there is no body; with nothing at all neither.
        (b"--b\r\nContent-Type: text/plain\r\n--b--", &[b""]),
        (b"--b\r\n\r\n--b--", &[b""]),
        (b"--b\r\n--b--", &[b""]),
        // LF alone ends a line, as in a message.
        (b"--b\nContent-Type: text/plain\n\na\n--b\n\nb\n\n--b--\n", &[b"a", b"b\n"]),
    ] {
        let several = read(mixed, text).unwrap_or_else(|error| panic!("{}: {error}", text.escape_ascii()));
        assert_eq!(bodies(&several), expected, "{}", text.escape_ascii());
    }
    let headers = "--b\r\nContent-Type: text/plain;\r\n charset=utf-8\r\nX-Mine : 1\r\n\r\n\r\n--b--";
    let part = &read(mixed, headers).unwrap().parts[0];
    assert_eq!(part.kind().unwrap().params.get("charset").as_deref(), Some("utf-8"));
    assert_eq!(part.headers.raw(&HeaderName::from_static("X-Mine")), Some(&b"1"[..]));
    assert_eq!(part.body, "");
}

#[test]
fn what_is_no_multipart() {
    let long = format!("multipart/mixed;boundary={}", "b".repeat(71));
    for (content_type, text, error) in [
        ("multipart/mixed", "--b\r\n\r\na\r\n--b--", ParseErrorKind::Boundary),
        ("multipart/mixed;boundary=\"\"", "--\r\n\r\na\r\n----", ParseErrorKind::Boundary),
        ("multipart/mixed;boundary=\"b \"", "--b \r\n\r\na\r\n--b --", ParseErrorKind::Boundary),
        (&long, "", ParseErrorKind::Boundary),
        ("multipart/mixed;boundary=b", "", ParseErrorKind::Multipart),
        ("multipart/mixed;boundary=b", "--c\r\n\r\na\r\n--c--", ParseErrorKind::Multipart),
        ("multipart/mixed;boundary=b", "--b--", ParseErrorKind::Multipart),
        ("multipart/mixed;boundary=b", "--b\r\n\r\na", ParseErrorKind::Multipart),
        ("multipart/mixed;boundary=b", "--b\r\n\r\na\r\n--b", ParseErrorKind::Multipart),
        ("multipart/mixed;boundary=b", "x--b\r\n\r\na\r\n--b--", ParseErrorKind::Multipart),
        ("multipart/mixed;boundary=b", "--b\r\nno header\r\n\r\na\r\n--b--", ParseErrorKind::HeaderLine),
        ("multipart/mixed;boundary=b", "--b\r\nContent-Type text/plain\r\n--b--", ParseErrorKind::HeaderLine),
    ] {
        assert_eq!(read(content_type, String::from(text)).map(drop), Err(error), "{content_type}: {text}");
    }
}

#[test]
fn parts_and_levels_have_bounds() {
    let parts = |count: usize| format!("{}--b--", "--b\r\n\r\na\r\n".repeat(count));
    let limits = Limits::default();
    let read = |text: String, limits: &Limits| {
        body("multipart/mixed;boundary=b", text).multipart(limits).map(|several| several.unwrap().parts.len())
    };
    assert_eq!(read(parts(limits.parts), &limits), Ok(limits.parts));
    assert_eq!(read(parts(limits.parts + 1), &limits).unwrap_err().kind, ParseErrorKind::TooManyParts);
    assert_eq!(
        read(parts(limits.parts + 1), &limits).unwrap_err().status(),
        StatusCode::REQUEST_ENTITY_TOO_LARGE
    );
    let mut fewer = limits;
    fewer.parts = 1;
    assert_eq!(read(parts(2), &fewer).unwrap_err().kind, ParseErrorKind::TooManyParts);
    fewer.nesting = 0;
    assert_eq!(read(parts(1), &fewer).unwrap_err().kind, ParseErrorKind::TooManyParts);

    let mut rng = Rng::from_u64(3);
    let mut nested = body("text/plain", "deep");
    for _ in 0..limits.nesting {
        nested = Multipart::new("mixed", [nested]).into_part(&mut rng);
    }
    assert_eq!(nested.find(&ContentType::TEXT, &limits).unwrap().unwrap().body, "deep");
    let deeper = Multipart::new("mixed", [nested]).into_part(&mut rng);
    assert_eq!(deeper.find(&ContentType::TEXT, &limits).unwrap_err().kind, ParseErrorKind::TooManyParts);

    // Part headers are bounded as a message's are.
    let mut tight = limits;
    tight.headers = 1;
    let text = "--b\r\nA: 1\r\nB: 2\r\n\r\n--b--";
    assert_eq!(read(text.into(), &tight).unwrap_err().kind, ParseErrorKind::TooManyHeaders);
}

#[test]
fn a_boundary_occurs_in_no_part() {
    // The first boundary that the generator would choose is in the part: another is chosen.
    let first: String = Rng::from_u64(9).hex::<24>().iter().map(|&digit| char::from(digit)).collect();
    let part = body("text/plain", format!("--{first}\r\nnot a boundary\r\n--{first}--\r\n"));
    let several =
        Multipart::new("mixed", [part.clone(), body("application/octet-stream", &b"\0\r\n--\r\n"[..])]);
    let (content_type, text) = several.write(&mut Rng::from_u64(9));
    let boundary = content_type.params.get("boundary").unwrap();
    assert_ne!(boundary, first);
    let again = read(&content_type.to_string(), text).unwrap();
    assert_eq!(bodies(&again), [&part.body[..], b"\0\r\n--\r\n"]);

    let mut response = Response::new(StatusCode::OK);
    response.set_parts(&several, &mut Rng::from_u64(1));
    let content = response.content();
    assert_eq!(content.multipart(&Limits::default()).unwrap().unwrap().parts.len(), 2);
    assert_eq!(Message::from(response).content(), content);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_read_as_they_were_written(
        parts in prop::collection::vec((prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"\r\n-0a"[..])], 0..200), "[a-z0-9@.]{1,12}"), 1..6),
        seed in any::<u64>(), nest in any::<bool>(),
    ) {
        let mut rng = Rng::from_u64(seed);
        let whole: Vec<_> = parts.iter().map(|(bytes, id)| {
            body("application/octet-stream", bytes.clone()).with_id(id.as_str()).with_disposition("render", true)
        }).collect();
        let mut several = Multipart::new("mixed", whole);
        if nest {
            several = Multipart::new("alternative", [body("text/plain", "x"), several.into_part(&mut rng)]);
        }
        let (content_type, text) = several.write(&mut rng);
        let read = read(&content_type.to_string(), text).unwrap();
        let inner = if nest { read.parts[1].multipart(&Limits::default()).unwrap().unwrap() } else { read };
        prop_assert_eq!(inner.parts.len(), parts.len());
        for (part, (bytes, id)) in inner.parts.iter().zip(&parts) {
            prop_assert_eq!(&part.body[..], &bytes[..]);
            prop_assert_eq!(&part.id().unwrap().unwrap().0, id);
        }
    }

    #[test]
    fn any_bytes_are_an_error_at_most(text in prop::collection::vec(prop::sample::select(&b"--b\r\n :;x\0\xff"[..]), 0..400)) {
        let part = body("multipart/mixed;boundary=b", text.clone());
        if let Ok(Some(several)) = part.multipart(&Limits::default()) {
            prop_assert!(!several.parts.is_empty());
            prop_assert!(several.parts.iter().map(|part| part.body.len()).sum::<usize>() < text.len());
        }
        let _ = part.find(&ContentType::SDP, &Limits::default());
        let _ = Fragment::parse(&text.into(), &Limits::default());
    }

    #[test]
    fn pieces_of_messages_read_as_they_were_written(
        text in "(SIP/2.0 [1-6][0-9][0-9]( [a-zA-Z ]{0,10})?|[A-Z]{1,6} sip:[a-z]{1,5} SIP/2.0|)(\r\n[A-Za-z-]{1,8}: ?[a-z0-9;=]{0,9}){0,4}(\r\n)?(\r\n[a-z\r\n]{0,9})?",
    ) {
        if let Ok(piece) = Fragment::parse(&Bytes::from(text.clone()), &Limits::default()) {
            let again = Fragment::parse(&piece.to_bytes().into(), &Limits::default());
            prop_assert_eq!(again, Ok(piece), "{:?}", text);
        }
    }
}

/// RFC 3420 §2.1 and §3, RFC 3515 §4.1, and what phones send.
#[test]
fn pieces_of_messages() {
    let parse =
        |text: &'static str| Fragment::parse(&Bytes::from_static(text.as_bytes()), &Limits::default());
    for (text, status) in [
        ("SIP/2.0 100 Trying\r\n", StatusCode::TRYING),
        ("SIP/2.0 200 OK", StatusCode::OK),
        ("SIP/2.0 200 OK\n", StatusCode::OK),
        ("SIP/2.0 603 Declined\r\n\r\n", StatusCode::DECLINE),
        (
            "SIP/2.0 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n",
            StatusCode::SERVICE_UNAVAILABLE,
        ),
        ("SIP/2.0 486\r\n", StatusCode::BUSY_HERE),
    ] {
        assert_eq!(parse(text).unwrap().status(), Some(status), "{text:?}");
    }
    let invite = parse("INVITE sip:alice@example.com SIP/2.0\r\nCSeq: 1 INVITE").unwrap();
    assert!(
        matches!(&invite.start, Some(FragmentStart::Request { method, uri }) if *method == Method::INVITE && uri.as_str() == "sip:alice@example.com")
    );
    assert_eq!(invite.headers.require::<CSeq>().unwrap().seq, 1);
    let headers = parse(
        "From: Alice <sip:alice@atlanta.com>\r\nv : SIP/2.0/UDP h\r\nDate: Thu, 21 Feb 2002 13:02:03 GMT\r\n",
    )
    .unwrap();
    assert_eq!((headers.start.is_none(), headers.headers.len()), (true, 3));
    assert!(headers.headers.contains(&Via::NAME));
    let text = "SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n";
    let whole = parse(text).unwrap();
    assert_eq!((&whole.body[..], whole.to_bytes()), (&b"v=0\r\n"[..], text.as_bytes().to_vec()));
    let body_only = parse("\r\nbody").unwrap();
    assert_eq!((body_only.start.is_none(), &body_only.body[..]), (true, &b"body"[..]));
    assert_eq!(body_only.to_bytes(), b"\r\nbody");
    assert_eq!(parse("").unwrap(), Fragment::default());
    assert_eq!(Fragment::response(StatusCode::OK).to_bytes(), b"SIP/2.0 200 OK\r\n");
    assert_eq!(Fragment::content_type().to_string(), "message/sipfrag;version=2.0");
    let strict = ReadOptions::new(Limits::default(), Leniency::STRICT);
    let unended = Fragment::parse_with(&"SIP/2.0 200 OK".into(), &strict);
    assert_eq!(unended.map_err(|error| error.kind), Err(ParseErrorKind::Truncated));
    for ended in ["SIP/2.0 200 OK\r\n", "", "To: x\r\n", "To: x\r\n\r\n"] {
        assert!(Fragment::parse_with(&ended.into(), &strict).is_ok(), "{ended:?}");
    }
    for wrong in
        ["200 OK", "SIP/2.0", "SIP/3.0 200 OK", "SIP/2.0 99 x", "hello", "INVITE sip:a", ": x", "A: 1\rB: 2"]
    {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}
