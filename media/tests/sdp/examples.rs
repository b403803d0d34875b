//! The exchanges of RFC 3264 §10 and RFC 4317, as a telephone with audio alone takes part in them. Host names of the
//! texts are addresses here.

use core::net::SocketAddr;
use sidetone_codecs::{CodecChoice, ilbc, pcma, pcmu};
use sidetone_media::Direction::{self, Inactive, RecvOnly, SendOnly, SendRecv};
use sidetone_media::Negotiated;
use sidetone_media::sdp::{HoldStyle, LocalMedia, Negotiator};

const ALICE: &str = "192.0.2.1";
const BOB: &str = "192.0.2.2";

fn phone(host: &str, port: u16, codecs: &[CodecChoice]) -> Negotiator {
    Negotiator::new(LocalMedia::new(host.parse().unwrap(), port, codecs.iter().copied()), 1)
}

fn codecs() -> [CodecChoice; 3] {
    [(&pcmu::SPEC).into(), (&pcma::SPEC).into(), (&ilbc::SPEC).into()]
}

/// A description of Alice's with these lines behind the session's.
fn alice(version: u32, lines: &[&str]) -> String {
    let lines = lines.join("\r\n");
    format!(
        "v=0\r\no=alice 2890844526 {version} IN IP4 {ALICE}\r\ns=\r\nc=IN IP4 {ALICE}\r\nt=0 0\r\n{lines}\r\n"
    )
}

fn lines(text: &[u8], start: &str) -> Vec<String> {
    let text = core::str::from_utf8(text).unwrap();
    text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

fn at(host: &str, port: u16) -> Option<SocketAddr> {
    Some(SocketAddr::new(host.parse().unwrap(), port))
}

const AUDIO: &[&str] = &[
    "m=audio 49170 RTP/AVP 0 8 97",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:97 iLBC/8000",
];
const VIDEO: &[&str] = &["m=video 51372 RTP/AVP 31 32", "a=rtpmap:31 H261/90000", "a=rtpmap:32 MPV/90000"];

/// RFC 4317 §2.1 to §2.3: audio with three codecs and video; the answer keeps the order of the lines.
#[test]
fn audio_and_video() {
    let offer = alice(1, &[AUDIO, VIDEO].concat());
    for (codecs, audio) in [
        (&codecs()[..1], "m=audio 49174 RTP/AVP 0"),
        (&codecs()[..2], "m=audio 49174 RTP/AVP 0 8"),
        (&codecs()[2..], "m=audio 49174 RTP/AVP 97"),
    ] {
        let mut bob = phone(BOB, 49174, codecs);
        let (answer, agreed) = bob.answer(offer.as_bytes(), SendRecv).unwrap();
        assert_eq!(lines(&answer, "m="), [audio, "m=video 0 RTP/AVP 31 32"]);
        assert_eq!((agreed.codec, agreed.remote_rtp), (codecs[0].codec, at(ALICE, 49170)));
    }
}

/// §2.2: two codecs were answered; the offerer comes back with one of them, and has removed the video.
#[test]
fn a_second_offer_leaves_one_codec() {
    let mut bob = phone(BOB, 49172, &codecs()[..2]);
    bob.answer(alice(1, &[AUDIO, VIDEO].concat()).as_bytes(), SendRecv).unwrap();
    let second = alice(2, &["m=audio 51372 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "m=video 0 RTP/AVP 31"]);
    let (answer, agreed) = bob.answer(second.as_bytes(), SendRecv).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 49172 RTP/AVP 0", "m=video 0 RTP/AVP 31"]);
    assert_eq!((agreed.receive.len(), agreed.remote_rtp), (1, at(ALICE, 51372)));
}

/// §2.4: a second audio line carries the digits alone, and is sent only. One stream is what a telephone has.
#[test]
fn two_audio_lines() {
    let mut bob = phone(BOB, 49172, &codecs());
    let offer = alice(
        1,
        &[
            "m=audio 49170 RTP/AVP 0 97",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:97 iLBC/8000",
            "m=audio 49172 RTP/AVP 98",
            "a=rtpmap:98 telephone-event/8000",
            "a=sendonly",
        ],
    );
    let (answer, agreed) = bob.answer(offer.as_bytes(), SendRecv).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 49172 RTP/AVP 0 97", "m=audio 0 RTP/AVP 98"]);
    assert_eq!((agreed.direction, agreed.codec), (SendRecv, &pcmu::SPEC));
}

/// §2.6 and RFC 3264 §10.2: the offer has one of several codecs in use at a time; each side may change at will.
#[test]
fn several_codecs_may_be_sent() {
    let offer = alice(
        1,
        &[
            "m=audio 62986 RTP/AVP 0 4 18",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:4 G723/8000",
            "a=rtpmap:18 G729/8000",
            "a=inactive",
        ],
    );
    let mut bob = phone(
        BOB,
        54344,
        &[
            (&pcmu::SPEC).into(),
            (&sidetone_codecs::g7231::SPEC).into(),
            (&sidetone_codecs::g729::SPEC).into(),
        ],
    );
    let (answer, agreed) = bob.answer(offer.as_bytes(), SendRecv).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 54344 RTP/AVP 0 4 18"]);
    assert_eq!(lines(&answer, "a=inactive").len(), 1);
    assert_eq!((agreed.direction, agreed.receive.len()), (Inactive, 3));
    // The one of the answer that is liked better than the others is used from then on.
    let second = offer.replace("0 4 18", "4").replace("\r\na=inactive", "\r\na=sendrecv");
    let (answer, agreed) = bob.answer(second.as_bytes(), SendRecv).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 54344 RTP/AVP 4"]);
    assert_eq!((agreed.direction, agreed.ptime), (SendRecv, 30));
}

/// RFC 3264 §10.1: audio and two video lines; a second offer moves the audio to another port and adds digits.
#[test]
fn basic_exchange() {
    let first = [
        "m=audio 49170 RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
        "m=video 51372 RTP/AVP 31",
        "a=rtpmap:31 H261/90000",
        "m=video 53000 RTP/AVP 32",
        "a=rtpmap:32 MPV/90000",
    ];
    let mut bob = phone(BOB, 49920, &codecs());
    let (answer, _) = bob.answer(alice(1, &first).as_bytes(), SendRecv).unwrap();
    let refused = ["m=audio 49920 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=video 0 RTP/AVP 32"];
    assert_eq!(lines(&answer, "m="), refused);

    // Bob changes his port, and adds a line for digits that he only receives: ours repeats all lines.
    let mut moved = bob.local().clone();
    moved.rtp_port = 65422;
    (moved.rtcp_port, moved.max_ptime) = (65423, 0);
    bob.set_local(moved);
    let offer = bob.offer(SendRecv);
    assert_eq!(lines(&offer, "m=").len(), 3);
    assert!(lines(&offer, "m=")[0].starts_with("m=audio 65422 RTP/AVP 0"));
    let reply =
        ["m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "m=video 0 RTP/AVP 31", "m=video 0 RTP/AVP 32"];
    let agreed = bob.accept_answer(alice(2, &reply).as_bytes()).unwrap();
    assert_eq!((agreed.remote_rtp, agreed.direction), (at(ALICE, 49170), SendRecv));
}

fn held(bob: &mut Negotiator, attribute: &str, address: &str) -> (Vec<u8>, Negotiated) {
    let lines = [AUDIO, &[attribute]].concat();
    let offer = alice(2, &lines).replace(&format!("c=IN IP4 {ALICE}"), &format!("c=IN IP4 {address}"));
    bob.answer(offer.as_bytes(), SendRecv).unwrap()
}

/// RFC 4317 §3.1: hold and unhold, in the style of today and in that of RFC 2543; and both sides hold.
#[test]
fn hold_and_resume() {
    let mut bob = phone(BOB, 49174, &codecs());
    for (attribute, address, direction, hold, said) in [
        ("a=sendrecv", ALICE, SendRecv, false, "a=sendrecv"),
        ("a=sendonly", ALICE, RecvOnly, true, "a=recvonly"),
        ("a=sendrecv", ALICE, SendRecv, false, "a=sendrecv"),
        ("a=inactive", ALICE, Inactive, true, "a=inactive"),
        ("a=sendrecv", "0.0.0.0", RecvOnly, true, "a=recvonly"),
        ("a=inactive", "0.0.0.0", Inactive, true, "a=inactive"),
        ("a=sendonly", "name.invalid", RecvOnly, true, "a=recvonly"),
        ("a=sendrecv", ALICE, SendRecv, false, "a=sendrecv"),
    ] {
        let (answer, agreed) = held(&mut bob, attribute, address);
        assert_eq!((agreed.direction, agreed.remote_hold), (direction, hold), "{attribute} {address}");
        assert_eq!(lines(&answer, said).len(), 1, "{attribute} {address}");
        // What was held goes on with the same codecs.
        assert_eq!(lines(&answer, "m="), ["m=audio 49174 RTP/AVP 0 8 97"]);
    }
    // Bob holds while Alice holds: nothing flows, and it is she who resumes.
    let (answer, agreed) =
        bob.answer(alice(3, &[AUDIO, &["a=sendonly"]].concat()).as_bytes(), SendOnly).unwrap();
    assert_eq!((agreed.direction, agreed.remote_hold), (Inactive, true));
    assert_eq!(lines(&answer, "a=inactive").len(), 1);
    let (answer, agreed) =
        bob.answer(alice(4, &[AUDIO, &["a=sendrecv"]].concat()).as_bytes(), SendOnly).unwrap();
    assert_eq!((agreed.direction, agreed.remote_hold), (SendOnly, false));
    assert_eq!(lines(&answer, "a=sendonly").len(), 1);
}

/// The hold of RFC 2543, said by us: the address goes, and comes back.
#[test]
fn hold_by_the_zero_address() {
    let mut local = LocalMedia::new(ALICE.parse().unwrap(), 4000, codecs());
    local.hold_style = HoldStyle::ZeroAddress;
    let mut alice = Negotiator::new(local, 1);
    let mut bob = phone(BOB, 5000, &codecs());
    let mut exchange = |direction: Direction| {
        let offer = alice.offer(direction);
        let (answer, theirs) = bob.answer(&offer, SendRecv).unwrap();
        (lines(&offer, "c="), alice.accept_answer(&answer).unwrap(), theirs)
    };
    let (connection, ours, theirs) = exchange(SendRecv);
    assert_eq!((connection, ours.direction), (vec![format!("c=IN IP4 {ALICE}")], SendRecv));
    assert_eq!(theirs.remote_rtp, at(ALICE, 4000));
    let (connection, ours, theirs) = exchange(SendOnly);
    assert_eq!((connection, ours.direction), (vec!["c=IN IP4 0.0.0.0".to_owned()], SendOnly));
    assert_eq!((theirs.remote_rtp, theirs.direction, theirs.remote_hold), (None, RecvOnly, true));
    let (connection, ours, theirs) = exchange(SendRecv);
    assert_eq!((connection, ours.direction), (vec![format!("c=IN IP4 {ALICE}")], SendRecv));
    assert_eq!((theirs.remote_rtp, theirs.direction), (at(ALICE, 4000), SendRecv));
}

/// RFC 4317 §3.2: of two streams one is held.
#[test]
fn hold_with_two_streams() {
    let mut bob = phone(BOB, 49174, &codecs());
    let two = |audio: &'static str| {
        let second: &[&str] = &["m=audio 49172 RTP/AVP 98", "a=rtpmap:98 telephone-event/8000", "a=sendonly"];
        [AUDIO, &[audio], second].concat()
    };
    bob.answer(alice(1, &two("a=sendrecv")).as_bytes(), SendRecv).unwrap();
    let (answer, agreed) = bob.answer(alice(2, &two("a=sendonly")).as_bytes(), SendRecv).unwrap();
    assert_eq!(agreed.direction, RecvOnly);
    assert_eq!(lines(&answer, "m=audio 0 RTP/AVP 98").len(), 1);
}

/// §4.1 to §4.3: lines are added behind those that there are, and go by port 0; the place of one that went is used
/// again by another.
#[test]
fn lines_are_added_removed_and_reused() {
    let mut bob = phone(BOB, 49174, &codecs());
    let pcmu = ["m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"];
    bob.answer(alice(1, &pcmu).as_bytes(), SendRecv).unwrap();
    let (answer, _) = bob.answer(alice(2, &[&pcmu, VIDEO].concat()).as_bytes(), SendRecv).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 49174 RTP/AVP 0", "m=video 0 RTP/AVP 31 32"]);
    // The video's place is audio now, and the audio's is gone: the stream moves there.
    let moved = ["m=audio 0 RTP/AVP 0", "m=audio 49180 RTP/AVP 8", "a=rtpmap:8 PCMA/8000"];
    let (answer, agreed) = bob.answer(alice(3, &moved).as_bytes(), SendRecv).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 0 RTP/AVP 0", "m=audio 49174 RTP/AVP 8"]);
    assert_eq!((agreed.codec, agreed.remote_rtp), (&pcma::SPEC, at(ALICE, 49180)));
    // Our own offer knows where it is.
    let offer = bob.offer(SendRecv);
    let media = lines(&offer, "m=");
    assert_eq!((media.len(), media[0].as_str()), (2, "m=audio 0 RTP/AVP 0"));
    assert!(media[1].starts_with("m=audio 49174 RTP/AVP 0 8 "), "{media:?}");
    bob.rollback();
    // All gone: the session lives on without a stream, and its audio comes back.
    let none = ["m=audio 0 RTP/AVP 0", "m=audio 0 RTP/AVP 8"];
    let (answer, agreed) = bob.answer(alice(4, &none).as_bytes(), SendRecv).unwrap();
    assert_eq!(lines(&answer, "m="), none);
    assert_eq!((agreed.direction, agreed.remote_rtp), (Inactive, None));
    let (_, agreed) = bob.answer(alice(5, &moved).as_bytes(), SendRecv).unwrap();
    assert_eq!((agreed.direction, agreed.remote_rtp), (SendRecv, at(ALICE, 49180)));
}

/// A fax machine's offer in the middle of a call has no audio that we could go on with: it is refused, and the call
/// stays as it was.
#[test]
fn an_offer_of_fax_is_refused_and_the_call_goes_on() {
    let mut bob = phone(BOB, 49174, &codecs());
    let (_, before) = bob.answer(alice(1, AUDIO).as_bytes(), SendRecv).unwrap();
    for fax in [&["m=image 4002 udptl t38"][..], &["m=audio 0 RTP/AVP 0", "m=image 4002 udptl t38"]] {
        let error = bob.answer(alice(2, fax).as_bytes(), SendRecv).unwrap_err();
        assert_eq!((error.status(), error.warning()), (488, 304));
        assert_eq!(bob.current(), Some(&before));
    }
}

/// RFC 4317 §5 and RFC 3725: a controller asks the first party for an offer, and calls the second with it; or begins with
/// an offer of nothing (a black hole).
#[test]
fn third_party_call_control() {
    let mut alice_phone = phone(ALICE, 4000, &codecs());
    let mut bob = phone(BOB, 5000, &codecs());
    let offer = alice_phone.offer(SendRecv);
    let (answer, theirs) = bob.answer(&offer, SendRecv).unwrap();
    let ours = alice_phone.accept_answer(&answer).unwrap();
    assert_eq!((ours.remote_rtp, theirs.remote_rtp), (at(BOB, 5000), at(ALICE, 4000)));

    let mut carol = phone("192.0.2.3", 6000, &codecs());
    let hole = alice(1, AUDIO).replace(&format!("c=IN IP4 {ALICE}"), "c=IN IP4 0.0.0.0");
    let (_, agreed) = carol.answer(hole.as_bytes(), SendRecv).unwrap();
    assert_eq!(agreed.remote_rtp, None);
    let (_, agreed) = carol.answer(alice(2, AUDIO).as_bytes(), SendRecv).unwrap();
    assert_eq!((agreed.remote_rtp, agreed.direction), (at(ALICE, 49170), SendRecv));
    // An offer without a line at all has nothing to answer.
    let error = phone(BOB, 1, &codecs()).answer(alice(1, &[]).as_bytes(), SendRecv).unwrap_err();
    assert_eq!((error.status(), error.warning()), (488, 304));
}
