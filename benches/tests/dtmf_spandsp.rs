//! spandsp hears our digits, and we hear spandsp's. Passed over without libspandsp2, unless SIDETONE_REQUIRE_PEERS=1.

use core::time::Duration;
use sidetone_benches::peer::spandsp_dtmf as spandsp;
use sidetone_media::dtmf::{Detected, Detector, InbandConfig, InbandSender, Suppressor};

const ALL: &str = "1234567890*#ABCD";

fn present<T>(peer: Option<T>) -> Option<T> {
    assert!(
        peer.is_some() || std::env::var_os("SIDETONE_REQUIRE_PEERS").is_none(),
        "libspandsp2 is not installed"
    );
    peer
}

/// Our digits, this long and this loud.
fn ours(millis: u64, level: f32) -> Vec<i16> {
    let gap = Duration::from_millis(millis.max(50));
    let mut sender = InbandSender::new(8000, InbandConfig { level, gap, ..InbandConfig::default() });
    assert!(ALL.chars().all(|digit| sender.push(digit, Duration::from_millis(millis))));
    let mut pcm = Vec::new();
    let mut frame = [0; 80];
    while sender.fill(&mut frame) {
        pcm.extend_from_slice(&frame);
    }
    pcm
}

#[test]
fn spandsp_hears_our_digits_soft_and_loud_short_and_long() {
    let Some(mut peer) = present(spandsp::Detector::new()) else { return };
    for millis in [50, 80, 150] {
        for level in [-4.0, -10.0, -20.0] {
            for frame in ours(millis, level).chunks(160) {
                peer.process(frame);
            }
            assert_eq!(peer.digits(), ALL, "{millis} ms, {level} dBm0");
        }
    }
}

#[test]
fn we_hear_spandsps_digits() {
    let Some(mut peer) = present(spandsp::Generator::new()) else { return };
    peer.put(ALL);
    let mut detector = Detector::new(8000);
    let mut heard = String::new();
    let mut pcm = [0; 160];
    loop {
        let made = peer.fill(&mut pcm);
        pcm[made..].fill(0);
        detector.process(&pcm);
        while let Some(event) = detector.poll_event() {
            if let Detected::Begin { digit } = event {
                heard.push(digit);
            }
        }
        if made < pcm.len() {
            break;
        }
    }
    assert_eq!(heard, ALL);
}

#[test]
fn spandsp_hears_nothing_behind_a_suppressor() {
    let Some(mut peer) = present(spandsp::Detector::new()) else { return };
    for lookahead in [Duration::ZERO, Suppressor::LOOKAHEAD] {
        let mut suppressor = Suppressor::new(8000, lookahead);
        for frame in ours(100, -10.0).chunks_mut(80) {
            suppressor.process(frame, false);
            peer.process(frame);
        }
        assert_eq!(peer.digits(), "", "{lookahead:?}");
    }
}
