//! Framing of streams: however the bytes are cut, the same messages come out, within bounds.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use bytes::Bytes;
use proptest::prelude::*;
use sidetone_sip_core::{Deframer, Frame, Limits, Message, ParseErrorKind};

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
