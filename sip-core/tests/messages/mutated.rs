//! Mutated messages: nothing panics, and what is read is written so that it reads the same.

use bytes::Bytes;
use core::fmt::Debug;
use sidetone_sip_core::header::{
    Accept, Allow, Authorization, CSeq, CallId, Contact, ContentType, Date, Expires, From, MaxForwards,
    ProxyAuthenticate, Reason, RecordRoute, RetryAfter, Route, Subject, Supported, To, Via, Warning,
    WwwAuthenticate,
};
use sidetone_sip_core::{Deframer, Header, HeaderName, Headers, Limits, Message, Rng, rejection};

const SEEDS: [&str; 4] = [
    "INVITE sips:bob%20b@[2001:db8::1]:5061;transport=tls;lr SIP/2.0\r\n\
     Via: SIP/2.0/TLS [2001:db8::9]:5061;branch=z9hG4bKnashds8;rport, SIP/2.0/UDP h;received=10.0.0.1\r\n\
     v: SIP / 2.0 / TCP first.example.com: 4000;ttl=16\r\n\
     Max-Forwards: 70\r\nt: \"Bob \\\"B\\\"\" <sip:bob@biloxi.com;user=phone>;x=\"y;z\"\r\n\
     From: Alice M\u{fc}ller <sip:alice:pw@atlanta.com>;tag=1928301774\r\ni: a84b4c76e66710@pc33\r\n\
     CSeq: 314159 INVITE\r\nContact: <sip:alice@pc33.atlanta.com>;q=0.5;expires=60, sip:b@c;lr\r\n\
     Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\nSupported: 100rel, timer\r\n\
     Allow: INVITE,ACK, BYE\r\nSubject: folded\r\n\tand on\r\nAccept: application/sdp;q=1, text/*\r\n\
     Content-Type: application/sdp\r\nContent-Length: 9\r\n\r\nv=0\r\no=x\r\nrest",
    "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport=5060;received=192.0.2.1\r\n\
     From: sip:a@b;tag=1\r\nTo: <tel:+1-201-555-0123;phone-context=x>;tag=2\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n\
     WWW-Authenticate: Digest realm=\"a \\\"b\\\"\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=SHA-256, stale=true\r\n\
     Proxy-Authenticate: Digest realm=\"p\", nonce=\"n2\", opaque=\"o\"\r\nRetry-After: 120 (busy);duration=60\r\n\
     Warning: 307 isi.edu:5060 \"no \\\"x\\\"\", 301 h \"y\"\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\n\
     Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n",
    "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP h:5060\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: 1\n\
     CSeq: 2 REGISTER\nContact: *\nExpires: 0\nAuthorization: Digest username=\"a\", realm=\"r\", nonce=\"n\", \
     uri=\"sip:example.com\", response=\"6629fae49393a05397450978507c4ef1\", qop=auth, nc=00000001, cnonce=\"c\"\n\n",
    "ACK sip:a@b SIP/2.0\r\nVia:SIP/2.0/UDP h\r\nf:<sip:a>\r\nt:<sip:b>\r\ni:1\r\nCSeq:1 ACK\r\nl:0\r\n\r\n",
];

/// Bytes that mean something somewhere.
const SPICE: &[u8] = b"\r\n\t \"\\<>;,:=?@[]%/*.0129aZ\0\x7f\xff\xc3()";

fn mutate(rng: &mut Rng, text: &mut Vec<u8>) {
    for _ in 0..=rng.below(4) {
        let at = rng.below(text.len() as u32 + 1) as usize;
        let spice = SPICE[rng.below(SPICE.len() as u32) as usize];
        let end = (at + 1 + rng.below(12) as usize).min(text.len());
        match rng.below(7) {
            0 if at < text.len() => text[at] = spice,
            1 => text.insert(at, spice),
            2 if at < end => drop(text.drain(at..end)),
            3 if at < end => {
                let piece = text[at..end].to_vec();
                let to = rng.below(text.len() as u32 + 1) as usize;
                text.splice(to..to, piece);
            }
            4 => text.truncate(at),
            5 if at < text.len() => text[at] ^= 1 << rng.below(8),
            _ => {
                let digits =
                    [&b"4294967296"[..], b"-1", b"\r\n ", b"%00", b"99999999999999999999", b";;", b"\"\""];
                let piece = digits[rng.below(7) as usize].iter().copied();
                text.splice(at..at, piece);
            }
        }
    }
}

/// A value that can be read is written so that it reads the same.
fn check<H: Header + PartialEq + Debug>(headers: &Headers, typed: &mut u32) {
    for value in headers.all::<H>().flatten() {
        let mut again = Headers::new();
        again.push(&value);
        assert_eq!(again.require::<H>().as_ref(), Ok(&value), "{again:?}");
        *typed += 1;
    }
    let _ = headers.get::<H>();
    let mut rest = headers.clone();
    let count = rest.count::<H>();
    if H::LIST {
        for left in (0..count).rev() {
            assert!(rest.remove_first::<H>());
            assert_eq!(rest.count::<H>(), left);
        }
    }
}

fn check_all(headers: &Headers) -> u32 {
    let mut typed = 0;
    check::<Via>(headers, &mut typed);
    check::<From>(headers, &mut typed);
    check::<To>(headers, &mut typed);
    check::<Contact>(headers, &mut typed);
    check::<Route>(headers, &mut typed);
    check::<RecordRoute>(headers, &mut typed);
    check::<CallId>(headers, &mut typed);
    check::<CSeq>(headers, &mut typed);
    check::<MaxForwards>(headers, &mut typed);
    check::<Expires>(headers, &mut typed);
    check::<Supported>(headers, &mut typed);
    check::<Allow>(headers, &mut typed);
    check::<Accept>(headers, &mut typed);
    check::<ContentType>(headers, &mut typed);
    check::<Subject>(headers, &mut typed);
    check::<WwwAuthenticate>(headers, &mut typed);
    check::<ProxyAuthenticate>(headers, &mut typed);
    check::<Authorization>(headers, &mut typed);
    check::<RetryAfter>(headers, &mut typed);
    check::<Warning>(headers, &mut typed);
    check::<Reason>(headers, &mut typed);
    check::<Date>(headers, &mut typed);
    typed
}

fn without_length(headers: &Headers) -> Headers {
    let mut headers = headers.clone();
    headers.remove(&HeaderName::CONTENT_LENGTH);
    headers
}

#[test]
fn parse_emit_parse_is_the_identity() {
    let limits = Limits::default();
    // A written message has one Content-Length, and long names for short ones.
    let mut wider = limits;
    wider.headers += 1;
    wider.message *= 2;
    wider.header *= 2;
    let mut rng = Rng::from_u64(0x51D3_703E);
    let (mut good, mut answered, mut typed) = (0, 0, 0);
    for round in 0..24_000 {
        let mut text = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        mutate(&mut rng, &mut text);
        let datagram = Bytes::from(text);
        let message = match Message::parse(datagram.clone(), &limits) {
            Ok(message) => message,
            Err(error) => {
                let _ = error.to_string();
                if let Some(response) = rejection(&datagram, &error, &limits) {
                    assert!(Message::parse(response.to_bytes().into(), &wider).is_ok(), "{response:?}");
                    answered += 1;
                }
                continue;
            }
        };
        good += 1;
        let sent = message.to_bytes();
        let again = Message::parse(sent.clone().into(), &wider).unwrap_or_else(|error| {
            panic!("{error}: {} from {}", sent.escape_ascii(), datagram.escape_ascii())
        });
        assert_eq!(
            without_length(message.headers()),
            without_length(again.headers()),
            "{}",
            datagram.escape_ascii()
        );
        assert_eq!(message.body(), again.body());
        assert_eq!(again.to_bytes(), sent);
        match (&message, &again) {
            (Message::Request(a), Message::Request(b)) => {
                assert_eq!((&a.method, a.uri.as_str()), (&b.method, b.uri.as_str()));
            }
            (Message::Response(a), Message::Response(b)) => {
                assert_eq!((a.status, &a.reason), (b.status, &b.reason))
            }
            _ => panic!("request and response mixed up"),
        }
        let _ = (message.validate(), format!("{message:?}"));
        typed += check_all(message.headers());
        if let Message::Request(request) = &message {
            let uri = &request.uri;
            assert_eq!(uri, uri);
            let _ =
                (uri.user(), uri.host(), uri.address_of_record(), uri.to_request_uri(), format!("{uri:?}"));
            let response = request.response(sidetone_sip_core::StatusCode::OK, Some("t"));
            assert!(Message::parse(response.to_bytes().into(), &wider).is_ok());
        }
        // The same bytes as a stream.
        let mut deframer = Deframer::new(limits);
        deframer.push(&sent);
        assert!(deframer.next().unwrap().is_some());
    }
    println!("{good} read, {answered} answered, {typed} typed values");
    assert!(good > 5_000 && answered > 1_000 && typed > 50_000, "{good} {answered} {typed}");
}
