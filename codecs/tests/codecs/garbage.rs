//! Every codec of the registry under input that no encoder makes: no panic, bounded output, and good speech
//! soon after. What cargo-fuzz runs without end (`codecs/fuzz`) runs here on seeded input.

use crate::common::signal::{Random, noise, speech};
use crate::common::snr;
use crate::fuzz;
use crate::fuzz::{conceal, decode, decode_or_refuse, encode, is_supported, variants};
use sidetone_codecs::{ALL, CodecError, CodecSpec, Fmtp};
use std::sync::OnceLock;

/// What a codec must reach on [`speech`], in dB.
struct Floor {
    /// Decoded against the original, at the best delay.
    round_trip: f64,
    /// A decoder that was fed garbage against one that was not, from one second after the garbage on.
    after_garbage: f64,
    /// Payload lengths that do not exist in any mode.
    refused: &'static [usize],
}

/// Every sample the same.
const SAME: f64 = 150.0;

fn floor(spec: &CodecSpec) -> Floor {
    let (round_trip, after_garbage, refused): (_, _, &[_]) = match spec.name {
        "L16" => (SAME, SAME, &[1, 3, 161]),
        "PCMU" | "PCMA" => (35.0, SAME, &[]),
        "G722" => (9.0, 15.0, &[]),
        "G726-16" | "AAL2-G726-16" => (6.0, SAME, &[0]),
        "G726-24" | "AAL2-G726-24" => (7.0, SAME, &[0, 1, 2, 4, 5, 302]),
        "G726-32" | "AAL2-G726-32" => (8.0, SAME, &[0]),
        "G726-40" | "AAL2-G726-40" => (8.0, SAME, &[0, 1, 2, 3, 4, 6, 303]),
        "G723" => (6.0, SAME, &[]),
        "G729" => (3.0, 60.0, &[1, 3, 9, 11, 13, 19, 21, 23]),
        "iLBC" => (3.0, SAME, &[0, 1, 37, 39, 49, 51, 75, 77, 99, 101]),
        "AMR" => (2.0, 60.0, &[]),
        "opus" => (1.0, 30.0, &[]),
        _ => (1.0, 20.0, &[]),
    };
    Floor { round_trip, after_garbage, refused }
}

/// Every codec with every variant of its parameters that it supports and that makes a difference on the wire.
fn each(mut test: impl FnMut(&'static CodecSpec, &Fmtp, Floor)) {
    static CASES: OnceLock<Vec<(&CodecSpec, Fmtp)>> = OnceLock::new();
    for (spec, fmtp) in CASES.get_or_init(cases) {
        test(spec, fmtp, floor(spec));
    }
}

fn cases() -> Vec<(&'static CodecSpec, Fmtp)> {
    let mut cases = Vec::new();
    for spec in ALL {
        let pcm = speech(20, spec.sample_rate, spec.samples(480));
        let mut seen = Vec::new();
        for fmtp in variants(spec).into_iter().filter(|fmtp| is_supported(spec, fmtp)) {
            let payloads: Vec<_> =
                encode(spec, &mut *spec.encoder_with(&fmtp), &pcm).into_iter().map(|p| p.octets).collect();
            if !seen.contains(&payloads) {
                seen.push(payloads);
                cases.push((*spec, fmtp));
            }
        }
    }
    cases
}

#[test]
fn random_octets_of_every_length_give_bounded_output() {
    let mut random = Random::new(1);
    each(|spec, fmtp, _| {
        let mut decoder = spec.decoder_with(fmtp);
        // No datagram is longer than the longest; once for each codec is enough.
        let long: &[_] = if *fmtp == spec.defaults() { &[511, 1000, 1472, 65_535] } else { &[1472] };
        for length in (0..=300).chain(long.iter().copied()) {
            let mut payload = vec![0; length];
            random.fill(&mut payload);
            let _ = decode_or_refuse(&mut *decoder, &payload);
            payload.fill(random.next() as u8);
            let _ = decode_or_refuse(&mut *decoder, &payload);
            if length % 7 == 6 {
                conceal(&mut *decoder);
            }
        }
    });
}

#[test]
fn good_frames_after_garbage_are_heard_as_if_there_had_been_none() {
    each(|spec, fmtp, floor| {
        let pcm = speech(21, spec.sample_rate, 2 * spec.sample_rate as usize);
        let payloads = encode(spec, &mut *spec.encoder_with(fmtp), &pcm);
        let clean = decode(&mut *spec.decoder_with(fmtp), &payloads);
        let second = spec.sample_rate as usize;
        let mut random = Random::new(22);
        let mut worst = f64::INFINITY;
        for _ in 0..3 {
            let mut decoder = spec.decoder_with(fmtp);
            for n in 0..50 {
                // The lengths of good payloads, and others.
                let like = &payloads[n % payloads.len()].octets;
                let length = if n % 4 == 3 { random.below(200) as usize } else { like.len() };
                let mut payload = vec![0; length];
                random.fill(&mut payload);
                let _ = decode_or_refuse(&mut *decoder, &payload);
                if n % 9 == 8 {
                    conceal(&mut *decoder);
                }
            }
            worst = worst.min(snr(&clean[second..], &decode(&mut *decoder, &payloads)[second..]));
        }
        println!("{spec:?} {fmtp}: {worst:.1} dB a second after garbage");
        assert!(worst >= floor.after_garbage, "{spec:?} {fmtp}: {worst:.1} dB a second after garbage");
    });
}

#[test]
fn refused_calls_change_nothing() {
    let mut random = Random::new(3);
    each(|spec, fmtp, floor| {
        let pcm = speech(31, spec.sample_rate, spec.sample_rate as usize);
        let payloads = encode(spec, &mut *spec.encoder_with(fmtp), &pcm);
        let clean = decode(&mut *spec.decoder_with(fmtp), &payloads);
        let mut decoder = spec.decoder_with(fmtp);
        let mut heard = Vec::new();
        for payload in &payloads {
            for &length in floor.refused {
                let mut bad = vec![0; length];
                random.fill(&mut bad);
                let refused = decode_or_refuse(&mut *decoder, &bad);
                let named = matches!(refused, Err(CodecError::PayloadLength { got, .. }) if got == length);
                assert!(named, "{spec:?} {fmtp}: {length} octets gave {refused:?}");
            }
            let mut short = vec![0; payload.samples - 1];
            let got = short.len();
            let refused = decoder.decode(&payload.octets, &mut short);
            let named = matches!(refused, Err(CodecError::OutputTooShort { needed, got: said })
                if needed == payload.samples && said == got);
            assert!(named, "{spec:?} {fmtp}: {got} of {} samples gave {refused:?}", payload.samples);
            heard.extend(decode_or_refuse(&mut *decoder, &payload.octets).expect("our own payload"));
        }
        assert_eq!(clean, heard, "{spec:?} {fmtp}");
    });
}

#[test]
fn a_round_trip_keeps_the_speech() {
    each(|spec, fmtp, floor| {
        let pcm = speech(41, spec.sample_rate, 2 * spec.sample_rate as usize);
        let payloads = encode(spec, &mut *spec.encoder_with(fmtp), &pcm);
        let heard = decode(&mut *spec.decoder_with(fmtp), &payloads);
        let best = (0..spec.samples(40)).map(|delay| snr(&pcm, &heard[delay..])).fold(f64::MIN, f64::max);
        println!("{spec:?} {fmtp}: {best:.1} dB round trip");
        assert!(best >= floor.round_trip, "{spec:?} {fmtp}: {best:.1} dB round trip");
    });
}

#[test]
fn the_loudest_samples_are_encoded_and_decoded() {
    each(|spec, fmtp, _| {
        let samples = spec.samples(600);
        let square = |half: usize| -> Vec<i16> {
            (0..samples).map(|n| if (n / half).is_multiple_of(2) { i16::MAX } else { i16::MIN }).collect()
        };
        for pcm in [vec![i16::MIN; samples], square(1), square(3), square(50), noise(5, i16::MAX, samples)] {
            let payloads = encode(spec, &mut *spec.encoder_with(fmtp), &pcm);
            assert_eq!(decode(&mut *spec.decoder_with(fmtp), &payloads).len(), samples);
        }
    });
}

#[test]
fn reset_gives_a_new_one() {
    each(|spec, fmtp, _| {
        let pcm = speech(61, spec.sample_rate, spec.samples(600));
        let mut encoder = spec.encoder_with(fmtp);
        let first = encode(spec, &mut *encoder, &pcm);
        encoder.reset();
        let again = encode(spec, &mut *encoder, &pcm);
        assert!(first.iter().map(|p| &p.octets).eq(again.iter().map(|p| &p.octets)), "{spec:?} {fmtp}");
        let mut decoder = spec.decoder_with(fmtp);
        let heard = decode(&mut *decoder, &first);
        conceal(&mut *decoder);
        decoder.reset();
        assert_eq!(decode(&mut *decoder, &first), heard, "{spec:?} {fmtp}");
    });
}

#[test]
fn the_fuzz_targets_run_on_seeded_input() {
    let mut random = Random::new(7);
    for _ in 0..300 {
        let mut data = vec![0; random.below(3000) as usize];
        random.fill(&mut data);
        fuzz::decode_anything(&data);
        fuzz::round_trip_anything(&data);
    }
    let words = [
        "mode",
        "=",
        ";",
        "20",
        "30",
        "annexb=no",
        "mode-set",
        "0,1",
        ",",
        " ",
        "octet-align=1",
        "yes",
        "==",
    ];
    for _ in 0..2000 {
        let text: String = (0..random.below(9)).map(|_| words[random.below(13) as usize]).collect();
        fuzz::parse_anything(text.as_bytes());
    }
}
