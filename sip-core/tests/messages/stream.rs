//! Framing of streams: however the bytes are cut, the same messages come out, within bounds.

use bytes::Bytes;
use proptest::prelude::*;
use sidetone_sip_core::{Deframer, Frame, Leniency, Limits, Message, ParseErrorKind, Rng};

fn message(length_header: &str, body: &[u8], lf: bool) -> Vec<u8> {
    let mut text = format!(
        "MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nSubject: folded\r\n value\r\n{length_header}\r\nTo: x\r\n\r\n"
    );
    if lf {
        text = text.replace("\r\n", "\n");
    }
    [text.as_bytes(), body].concat()
}

/// Feeds the stream in pieces and gives all frames.
fn frames(stream: &[u8], cuts: &[usize], connected: bool) -> Vec<Frame> {
    let mut deframer = Deframer::new(Limits::default());
    if connected {
        deframer = deframer.connected();
    }
    let mut frames = Vec::new();
    let mut rest = stream;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (piece, more) = rest.split_at((*cuts.next().unwrap()).clamp(1, rest.len()));
        rest = more;
        deframer.push(piece);
        while let Some(frame) = deframer.next().unwrap() {
            frames.push(frame);
        }
    }
    assert_eq!(deframer.pending(), 0);
    frames
}

#[derive(Clone, Debug)]
enum Part {
    Message(Vec<u8>),
    Ping,
    Lone,
}

fn part() -> impl Strategy<Value = Part> {
    let body = proptest::collection::vec(any::<u8>(), 0..60);
    let header = prop_oneof![Just("Content-Length: "), Just("l:"), Just("CONTENT-LENGTH :\t")];
    prop_oneof![
        4 => (header, body, any::<bool>()).prop_map(|(header, body, lf)| {
            Part::Message(message(&format!("{header}{}", body.len()), &body, lf))
        }),
        1 => Just(Part::Ping),
        1 => Just(Part::Lone),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_gives_the_same_frames(
        parts in proptest::collection::vec(part(), 1..8),
        cuts in proptest::collection::vec(1_usize..90, 1..40),
        connected in any::<bool>(),
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for part in &parts {
            match part {
                Part::Message(bytes) => {
                    stream.extend_from_slice(bytes);
                    expected.push(bytes.clone());
                }
                Part::Ping => stream.extend_from_slice(b"\r\n\r\n"),
                Part::Lone => stream.extend_from_slice(b"\r\n"),
            }
        }
        let whole = frames(&stream, &[stream.len()], connected);
        prop_assert_eq!(&whole, &frames(&stream, &cuts, connected));
        prop_assert_eq!(&whole, &frames(&stream, &[1], connected));
        let messages: Vec<Vec<u8>> = whole.iter().filter_map(|frame| match frame {
            Frame::Message(bytes) => Some(bytes.to_vec()),
            _ => None,
        }).collect();
        prop_assert_eq!(messages, expected);
        for frame in whole {
            if let Frame::Message(bytes) = frame {
                prop_assert!(Message::parse(bytes, &Limits::default()).is_ok());
            }
        }
    }
}

#[test]
fn keep_alives_depend_on_who_connected() {
    let body = message("l: 0", b"", false);
    let stream = [b"\r\n\r\n\r\n\r\n\r\n", &body[..], b"\r\n\r\n"].concat();
    let whole = Frame::Message(Bytes::from(body));
    let (ping, pong) = (Frame::KeepAlivePing, Frame::KeepAlivePong);
    assert_eq!(frames(&stream, &[1], false), [ping.clone(), ping.clone(), whole.clone(), ping]);
    let pongs = core::iter::repeat_n(pong.clone(), 5);
    let expected: Vec<Frame> = pongs.chain([whole, pong.clone(), pong]).collect();
    assert_eq!(frames(&stream, &[3], true), expected);
}

#[test]
fn lost_framing_is_an_error_that_stays() {
    for (header, kind) in [
        ("X: 1", ParseErrorKind::NoContentLength),
        ("l: -1", ParseErrorKind::ContentLength),
        ("l: 1\r\nContent-Length: 2", ParseErrorKind::ContentLength),
        ("l: 1x", ParseErrorKind::ContentLength),
        ("l: 70000", ParseErrorKind::MessageTooLarge),
        ("l: 99999999999999999999999999", ParseErrorKind::MessageTooLarge),
        ("no colon", ParseErrorKind::HeaderLine),
        ("X: a\rb", ParseErrorKind::LineEnd),
    ] {
        let mut deframer = Deframer::new(Limits::default());
        deframer.push(&message(header, b"", false));
        assert_eq!(deframer.next().unwrap_err().kind, kind, "{header}");
        deframer.push(&message("l: 0", b"", false));
        assert_eq!(deframer.next().unwrap_err().kind, kind, "{header}");
        assert_eq!(deframer.pending(), 0);
    }
}

#[test]
fn a_head_or_body_without_end_is_bounded() {
    let mut limits = Limits::default();
    limits.message = 1000;
    let mut deframer = Deframer::new(limits);
    let mut pushed = 0;
    let error = loop {
        deframer.push(b"X: abcdefghijklmnopqrstuvwxyz\r\n");
        pushed += 31;
        match deframer.next() {
            Ok(None) => assert!(pushed <= 1000),
            Ok(Some(frame)) => panic!("{frame:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind, deframer.pending()), (ParseErrorKind::MessageTooLarge, 0));
    // A caller that never drains is bounded too.
    let mut deframer = Deframer::new(limits);
    for _ in 0..1000 {
        deframer.push(&message("l: 0", b"", false));
        assert!(deframer.pending() <= 1200);
    }
    assert!(deframer.next().is_err());
}

/// Found by the fuzzer: in one piece, the wrong Content-Length was told; cut, the length of the head.
#[test]
fn a_head_over_the_limit_is_that_whatever_else_is_wrong_with_it() {
    let head =
        [b"BYE sip:a@b SIP/2.0\r\nl: none\r\nSubject: ".as_slice(), &[b'a'; 600], b"\r\n\r\n"].concat();
    for cut in [1, 7, 100, head.len()] {
        let outcome = outcome(&head, &[cut], &Leniency::DEFAULT);
        assert_eq!(outcome, (vec![], Some(ParseErrorKind::MessageTooLarge)), "{cut}");
    }
}

/// What a stream gives until it ends or fails, with how it failed.
fn outcome(stream: &[u8], cuts: &[usize], leniency: &Leniency) -> (Vec<Frame>, Option<ParseErrorKind>) {
    let mut limits = Limits::default();
    limits.message = 600;
    let mut deframer = Deframer::new(limits).with_leniency(leniency);
    let mut frames = Vec::new();
    let mut rest = stream;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (piece, more) = rest.split_at((*cuts.next().unwrap()).clamp(1, rest.len()));
        rest = more;
        deframer.push(piece);
        loop {
            match deframer.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(deframer.pending(), 0, "what failed holds nothing");
                    return (frames, Some(error.kind));
                }
            }
        }
        assert!(deframer.pending() <= limits.message + piece.len(), "within its bound and one push");
    }
    (frames, None)
}

/// Pieces of which a stream is made at random: whole messages, their parts, and what breaks them.
const PIECES: [&[u8]; 13] = [
    b"MESSAGE sip:a@b SIP/2.0\r\nl: 3\r\nTo: x\r\n\r\nabc",
    b"OPTIONS sip:a@b SIP/2.0\nContent-Length : 0\n\n",
    b"BYE sip:a@b SIP/2.0\r\nTo: x\r\n",
    b"Content-Length:\r\n 2\r\n",
    b"l: 599\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"no header\r\n",
    b"l: -1\r\n",
    b"\0\xff: ",
    // With three of them a head is over the limit.
    &[b'a'; 200],
];

#[test]
fn broken_streams_fail_in_the_same_way_however_they_are_cut() {
    let mut rng = Rng::from_u64(0xDEF_4A3E);
    let (mut failed, mut whole) = (0, 0);
    for round in 0..6_000 {
        let mut stream = Vec::new();
        for _ in 0..=rng.below(9) {
            stream.extend_from_slice(PIECES[rng.below(PIECES.len() as u32) as usize]);
        }
        if rng.below(3) == 0 {
            let at = rng.below(stream.len() as u32) as usize;
            stream[at] ^= 1 << rng.below(8);
        }
        let leniency = [Leniency::STRICT, Leniency::DEFAULT, Leniency::LENIENT][round % 3];
        let cuts: Vec<usize> = (0..8).map(|_| 1 + rng.below(40) as usize).collect();
        let expected = outcome(&stream, &[1], &leniency);
        assert_eq!(outcome(&stream, &cuts, &leniency), expected, "{cuts:?} of {}", stream.escape_ascii());
        failed += usize::from(expected.1.is_some());
        whole += expected.0.iter().filter(|frame| matches!(frame, Frame::Message(_))).count();
    }
    assert!(failed > 1_000 && whole > 1_000, "{failed} streams failed, {whole} messages came");
}

#[test]
fn a_message_that_is_short_waits_for_the_rest() {
    let body = message("l: 10", b"12345", false);
    let mut deframer = Deframer::new(Limits::default());
    deframer.push(&body);
    assert_eq!(deframer.next(), Ok(None));
    assert_eq!(deframer.pending(), body.len());
    deframer.push(b"67890next");
    assert_eq!(deframer.next(), Ok(Some(Frame::Message([&body[..], b"67890"].concat().into()))));
    assert_eq!(deframer.pending(), 4);
}
