//! What holds for every codec of the registry.

use crate::common::signal;
use sidetone_codecs::{ALL, CodecChoice, CodecError, CodecSpec, find, find_static};
use std::collections::BTreeSet;

/// 40 ms in frames of the codec: the least that is a whole number of all of them is 60 ms with 30 ms frames.
fn packet(spec: &CodecSpec, frame: usize) -> usize {
    spec.samples(60).next_multiple_of(frame)
}

#[test]
fn each_is_found_by_what_sdp_says() {
    for spec in ALL {
        assert_eq!(find(spec.name, spec.rtp_clock, spec.channels), Some(*spec));
        assert_eq!(find(&spec.name.to_lowercase(), spec.rtp_clock, spec.channels), Some(*spec));
        if let Some(payload_type) = spec.payload_type {
            assert_eq!(find_static(payload_type), Some(*spec));
        }
    }
    let known: Vec<_> = ALL.iter().filter_map(|spec| Some((spec.payload_type?, spec.name))).collect();
    assert_eq!(known, [(0, "PCMU"), (4, "G723"), (8, "PCMA"), (9, "G722"), (11, "L16"), (18, "G729")]);
    let formats: BTreeSet<_> = ALL.iter().map(|spec| (spec.name, spec.rtp_clock, spec.sample_rate)).collect();
    assert_eq!(formats.len(), ALL.len(), "each once");
}

#[test]
fn what_a_codec_wants_can_be_said() {
    for spec in ALL {
        let wanted = spec.wanted();
        for (name, value) in spec.wants {
            assert_eq!(wanted.get(name), Some(*value), "{spec:?}");
        }
        assert_eq!(
            CodecChoice::parse(&CodecChoice::from(*spec).to_string(), spec.sample_rate)
                .map(|choice| choice.codec),
            Ok(*spec)
        );
    }
}

#[test]
fn a_packet_goes_there_and_back_and_fits_what_the_spec_says() {
    for spec in ALL {
        let (mut encoder, mut decoder) = (spec.encoder(), spec.decoder());
        assert_eq!((encoder.spec(), decoder.spec()), (*spec, *spec));
        assert!(!decoder.is_resting(), "{spec:?}");
        let frame = encoder.frame_samples();
        assert_eq!(frame, decoder.frame_samples());
        let samples = packet(spec, frame);
        let rate = spec.sample_rate.min(16_000);
        let pcm = signal::speech(3, rate, samples * 20);
        let mut payload = vec![0; spec.octets(60) * 2 + 100];
        let mut heard = vec![0; samples];
        for pcm in pcm.chunks_exact(samples) {
            let encoded =
                encoder.encode(pcm, &mut payload).unwrap_or_else(|error| panic!("{spec:?}: {error}"));
            assert!((1..=samples).contains(&encoded.samples), "{spec:?}");
            // Opus varies its rate within twice the mean.
            let most = spec.octets(60) * if spec.name == "opus" { 2 } else { 1 } + 16;
            assert!(encoded.octets <= most, "{spec:?}: {} octets, {most} at most", encoded.octets);
            if encoded.octets > 0 {
                let decoded = decoder.decode(&payload[..encoded.octets], &mut heard);
                assert!(decoded.is_ok_and(|decoded| decoded <= encoded.samples), "{spec:?}");
            }
        }
        assert_eq!(decoder.conceal(&mut heard), Ok(samples), "{spec:?}");
    }
}

#[test]
fn a_wrong_length_is_an_error_that_changes_nothing() {
    for spec in ALL {
        let (mut encoder, mut decoder) = (spec.encoder(), spec.decoder());
        let (mut other_encoder, mut other_decoder) = (spec.encoder(), spec.decoder());
        let samples = packet(spec, encoder.frame_samples());
        let pcm = signal::speech(4, 16_000, samples);
        let (mut payload, mut same) = (vec![0; samples * 2], vec![0; samples * 2]);
        let mut heard = vec![0; samples];

        assert!(matches!(encoder.encode(&pcm, &mut []), Err(CodecError::OutputTooShort { .. })), "{spec:?}");
        assert!(encoder.encode(&[], &mut payload).is_err(), "{spec:?}: no samples");
        if encoder.frame_samples() > 1 {
            let partial = encoder.encode(&pcm[1..], &mut payload);
            assert!(matches!(partial, Err(CodecError::PartialFrame { .. })), "{spec:?}: {partial:?}");
        }
        let encoded = encoder.encode(&pcm, &mut payload).expect("whole frames");
        assert_eq!(other_encoder.encode(&pcm, &mut same), Ok(encoded));
        assert_eq!(payload, same, "{spec:?}");

        let octets = &payload[..encoded.octets];
        if !octets.is_empty() {
            let refused = decoder.decode(octets, &mut []);
            assert!(matches!(refused, Err(CodecError::OutputTooShort { .. })), "{spec:?}: {refused:?}");
            let decoded = decoder.decode(octets, &mut heard).expect("room");
            let mut heard_too = vec![0; samples];
            assert_eq!(other_decoder.decode(octets, &mut heard_too), Ok(decoded));
            assert_eq!(heard, heard_too, "{spec:?}");
        }
    }
}

#[test]
fn a_reset_coder_is_a_new_one() {
    for spec in ALL {
        let (mut encoder, mut decoder) = (spec.encoder(), spec.decoder());
        let samples = packet(spec, encoder.frame_samples());
        let pcm = signal::speech(5, 16_000, samples * 10);
        let mut run = || {
            let (mut coded, mut heard) = (Vec::new(), Vec::new());
            for pcm in pcm.chunks_exact(samples) {
                let (mut payload, mut out) = (vec![0; samples * 2], vec![0; samples]);
                let encoded = encoder.encode(pcm, &mut payload).expect("whole frames");
                payload.truncate(encoded.octets);
                if !payload.is_empty() {
                    decoder.decode(&payload, &mut out).expect("what was encoded");
                }
                coded.push(payload);
                heard.push(out);
            }
            encoder.reset();
            decoder.reset();
            (coded, heard)
        };
        let first = run();
        assert!(first == run(), "{spec:?}");
    }
}
