//! What no input may do to sip-core: the bodies of the fuzz targets in `sip-core/fuzz`, which `tests/fuzz_replay.rs` runs
//! on the kept corpora and on seeded input too.
//!
//! Nothing panics; and what can be read is written so that it reads the same, and is written the same then.
#![allow(dead_code, unreachable_pub, reason = "each user has its own part")]
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

use bytes::Bytes;
use sidetone_sip_core::header::{ContentType, HeaderName, check_typed, typed_names};
use sidetone_sip_core::nat::stun;
use sidetone_sip_core::{
    AuthInfo, AuthRole, Challenge, CredentialStore, Credentials, Deframer, DigestClient, DigestServer,
    Fragment, Header, Headers, Instant, Leniency, Limits, Login, Message, Method, Params, Part, ReadOptions,
    Request, Response, Rng, Secret, Uri, rejection,
};

/// What is done with an input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its corpus.
pub const TARGETS: [(&str, Target); 7] = [
    ("message", message),
    ("uri", uri),
    ("header", header),
    ("deframer", deframer),
    ("stun", stun),
    ("digest", digest),
    ("multipart", multipart),
];

/// Bounds for what was written of what was read: long names for compact ones, a Content-Length, spaces after colons.
fn wider(limits: Limits) -> Limits {
    let mut wider = limits;
    wider.headers += 1;
    wider.message *= 2;
    wider.header *= 2;
    wider.uri *= 2;
    // An answer has every Via of the request (RFC 3261 §8.2.6.2), however many they are.
    wider.vias = usize::MAX;
    wider
}

fn without_length(headers: &Headers) -> Headers {
    let mut headers = headers.clone();
    headers.remove(&HeaderName::CONTENT_LENGTH);
    headers
}

/// A datagram, as each set of leniencies reads it.
pub fn message(data: &[u8]) {
    for leniency in [Leniency::STRICT, Leniency::DEFAULT, Leniency::LENIENT] {
        read_message(data, leniency);
    }
    let text = Bytes::copy_from_slice(data);
    if let Ok(fragment) = Fragment::parse(&text, &Limits::default()) {
        let sent = fragment.to_bytes();
        let again = Fragment::parse(&Bytes::from(sent.clone()), &wider(Limits::default()));
        let again = again.unwrap_or_else(|error| panic!("{error}: {}", sent.escape_ascii()));
        assert_eq!(again.to_bytes(), sent, "{}", data.escape_ascii());
    }
}

fn read_message(data: &[u8], leniency: Leniency) {
    let datagram = Bytes::copy_from_slice(data);
    let limits = Limits::default();
    let wider = ReadOptions::new(wider(limits), leniency);
    let message = match Message::parse_with(datagram.clone(), &ReadOptions::new(limits, leniency)) {
        Ok(message) => message,
        Err(error) => {
            let _ = error.to_string();
            if let Some(response) = rejection(&datagram, &error, &limits) {
                let answer = response.to_bytes();
                let read = Message::parse_with(answer.clone().into(), &wider);
                assert!(read.is_ok(), "{read:?}: {}", answer.escape_ascii());
            }
            return;
        }
    };
    let sent = message.to_bytes();
    let again = Message::parse_with(sent.clone().into(), &wider)
        .unwrap_or_else(|error| panic!("{error}: {} of {}", sent.escape_ascii(), data.escape_ascii()));
    assert_eq!(without_length(message.headers()), without_length(again.headers()));
    assert_eq!(message.body(), again.body());
    assert_eq!(again.to_bytes(), sent, "{}", data.escape_ascii());
    match (&message, &again) {
        (Message::Request(a), Message::Request(b)) => {
            assert_eq!((&a.method, a.uri.as_str()), (&b.method, b.uri.as_str()));
        }
        (Message::Response(a), Message::Response(b)) => {
            assert_eq!((a.status, &a.reason), (b.status, &b.reason));
        }
        _ => panic!("request and response mixed up"),
    }
    let _ = (message.validate(), format!("{message:?}"));
    for (name, value) in message.headers().iter() {
        typed(&name, &Bytes::copy_from_slice(value));
    }
}

/// The URI that a text is: it equals itself, and is written as it was.
fn same_uri(text: &str, uri: &Uri) {
    let again: Uri = text.parse().unwrap_or_else(|error| panic!("{error}: {text:?}"));
    assert!(again == *uri, "{text:?}");
    assert_eq!(again.to_string(), text);
}

/// A URI and its parts.
pub fn uri(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let Ok(uri) = text.parse::<Uri>() else { return };
    same_uri(&uri.to_string(), &uri);
    let _ = (uri.user(), uri.password(), uri.host(), uri.port(), uri.transport(), format!("{uri:?}"));
    for made in [uri.address_of_record(), uri.to_request_uri(), uri.without_params()] {
        same_uri(&made.to_string(), &made);
    }
    let mut changed = uri.clone();
    let user = uri.user().map(|user| user.into_owned());
    changed.set_user(user.as_deref());
    assert_eq!(changed.user(), uri.user(), "{text:?}");
    if let Ok(params) = text.parse::<Params>() {
        assert_eq!(params.to_string().parse::<Params>(), Ok(params));
    }
}

fn typed(name: &HeaderName, value: &Bytes) {
    let Some(Ok(written)) = check_typed(name, value) else { return };
    let again = check_typed(name, &written).expect("has a type");
    assert_eq!(again.as_ref(), Ok(&written), "{name:?}: {}", value.escape_ascii());
}

/// `Name: value`, by the type that the name has; by every type when it has none.
pub fn header(data: &[u8]) {
    let colon = data.iter().position(|byte| *byte == b':').unwrap_or(data.len());
    let (name, value) = data.split_at(colon);
    let value = value.strip_prefix(b":").unwrap_or(value);
    // A value is one line when it comes to its type.
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return;
    }
    let value = Bytes::copy_from_slice(value.trim_ascii());
    match HeaderName::parse(name) {
        Ok(name) if check_typed(&name, &value).is_some() => typed(&name, &value),
        _ => typed_names().for_each(|name| typed(&name, &value)),
    }
}

/// A stream, in one piece and cut at places that its first two bytes tell: the same frames, and the same end.
pub fn deframer(data: &[u8]) {
    let Some(([first, second], stream)) = data.split_first_chunk::<2>() else { return };
    let mut limits = Limits::default();
    limits.message = 2048;
    let frames = |step: usize, longer: usize| {
        let mut deframer = Deframer::new(limits);
        let (mut out, mut rest, mut turn) = (Vec::new(), stream, 0);
        while !rest.is_empty() {
            let take = if turn % 3 == 2 { longer } else { step }.clamp(1, rest.len());
            let (piece, after) = rest.split_at(take);
            (rest, turn) = (after, turn + 1);
            deframer.push(piece);
            loop {
                match deframer.next() {
                    Ok(Some(frame)) => out.push(format!("{frame:?}")),
                    Ok(None) => break,
                    Err(error) => {
                        out.push(format!("{:?}", error.kind));
                        return out;
                    }
                }
            }
            assert!(
                deframer.pending() <= limits.message + piece.len() + 4,
                "it keeps {}",
                deframer.pending()
            );
        }
        out
    };
    let whole = frames(stream.len().max(1), stream.len().max(1));
    let cut = frames(usize::from(*first), usize::from(*second) * 4);
    assert_eq!(whole, cut, "{}", data.escape_ascii());
}

/// A STUN message, and a stream of them.
pub fn stun(data: &[u8]) {
    let _ = stun::is_stun(data);
    let mut whole = stun::Deframer::new(4096);
    whole.push(data);
    while let Ok(Some(message)) = whole.next() {
        let _ = stun::Message::parse(&message);
    }
    let Ok(message) = stun::Message::parse(data) else { return };
    let _ = (message.mapped_address(), message.alternate_server(), message.error_code());
    let _ = (message.unknown_attributes().count(), message.not_understood().count());
    let _ = (message.username(), message.user_hash(), message.realm(), message.nonce(), message.software());
    let _ = (message.password_algorithm(), message.preferred_algorithm(), message.has_fingerprint());
    let _ = message.verify(&stun::Key::short_term("password"));
    let mut builder = stun::Builder::new(message.class(), message.method(), message.id());
    for attribute in message.attributes() {
        builder = builder.attribute(attribute.kind, attribute.value);
    }
    let Ok(written) = builder.finish() else { return };
    // The fingerprint covers padding, which is written as zeros.
    let Ok(again) = stun::Message::parse(&written) else {
        assert!(message.has_fingerprint());
        return;
    };
    assert_eq!(
        (again.class(), again.method(), again.id()),
        (message.class(), message.method(), message.id())
    );
    let of = |message: &stun::Message<'_>| {
        message.attributes().map(|one| (one.kind, one.value.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(of(&again), of(&message));
}

/// Challenges, credentials and Authentication-Info: alone, in a message, and before a client and a server.
pub fn digest(data: &[u8]) {
    let value = Bytes::copy_from_slice(data);
    if let Ok(challenge) = Challenge::parse(&value) {
        assert_eq!(challenge.to_string().parse::<Challenge>(), Ok(challenge));
    }
    let credentials = Credentials::parse(&value);
    if let Ok(credentials) = &credentials {
        assert_eq!(credentials.to_string().parse::<Credentials>().as_ref(), Ok(credentials));
    }
    if let Ok(info) = AuthInfo::parse(&value) {
        assert_eq!(info.to_string().parse::<AuthInfo>(), Ok(info));
    }
    let mut rng = Rng::from_u64(1);
    let mut request = Request::new(Method::INVITE, "sip:bob@biloxi.com".parse().expect("a URI"));
    let mut response = Response::new(AuthRole::Proxy.status());
    let _ = request.headers.push_raw(HeaderName::AUTHORIZATION, data);
    for name in [HeaderName::WWW_AUTHENTICATE, HeaderName::PROXY_AUTHENTICATE] {
        let _ = response.headers.push_raw(name, data);
    }
    let mut client = DigestClient::new();
    let logins = CredentialStore::from(Login::new("bob", "zanzibar"));
    if client.respond(&response, &mut request, &logins, &mut rng).is_ok() {
        // What we answer is what was asked.
        for role in AuthRole::ALL {
            let answers: Vec<Credentials> = role.credentials(&request.headers).flatten().collect();
            let asked: Vec<Challenge> = role.challenges(&response.headers).flatten().collect();
            let answered = |asked: &Challenge| {
                answers.iter().any(|answer| answer.realm == asked.realm && answer.nonce == asked.nonce)
            };
            assert!(asked.is_empty() || asked.iter().any(answered), "{}", data.escape_ascii());
        }
    }
    let secret = Secret::from("zanzibar");
    for credentials in AuthRole::Server.credentials(&request.headers).flatten().chain(credentials) {
        let mut server = DigestServer::new(credentials.realm.clone(), &mut rng);
        let verdict = server.verify(Instant::ZERO, &credentials, &request.method, b"", &secret);
        assert!(verdict.is_err(), "the nonce is not this server's");
    }
}

/// A Content-Type in the first line, and the body after it.
pub fn multipart(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (kind, body) = data.split_at(end);
    let Ok(kind) = ContentType::parse(&Bytes::copy_from_slice(kind.trim_ascii())) else { return };
    let body = Bytes::copy_from_slice(body.strip_prefix(b"\n").unwrap_or(body));
    let limits = Limits::default();
    let part = Part::new(&kind, body);
    let _ = (part.disposition(), part.id(), part.find(&ContentType::SDP, &limits));
    let Ok(Some(parts)) = part.multipart(&limits) else { return };
    let (kind, body) = parts.write(&mut Rng::from_u64(7));
    let again = Part::new(&kind, body.clone()).multipart(&wider(limits));
    let again = again
        .unwrap_or_else(|error| panic!("{error}: {} of {}", body.escape_ascii(), data.escape_ascii()))
        .expect("still multipart");
    assert_eq!(again.parts.len(), parts.parts.len(), "{}", data.escape_ascii());
    for (again, part) in again.parts.iter().zip(&parts.parts) {
        assert_eq!((&again.headers, &again.body), (&part.headers, &part.body), "{}", data.escape_ascii());
    }
    let (_, same) = again.write(&mut Rng::from_u64(7));
    assert_eq!(same, body);
}
