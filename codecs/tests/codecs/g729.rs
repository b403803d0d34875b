//! G.729 Annexes A and B against the ITU-T's fixed-point C code: by digest everywhere, file by file where
//! `../shared/vectors` exists.
//!
//! The digests are of the output of the ITU-T's C code (Annex B version 1.4, which with its voice activity detector
//! off is Annex A), run outside this repository on the same signals.

use crate::common::signal::{Random, noise, speech};
use crate::common::vectors::{Loss, folder, records};
use crate::common::{octets, sha256, sha256_pcm, snr};
use sidetone_codecs::g729::{self, Decoder, Encoder, FRAME_SAMPLES};
use sidetone_codecs::{CodecError, Decoder as _, Encoded, Encoder as _, Fmtp};

fn encode(pcm: &[i16], vad: bool) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(vad);
    pcm.as_chunks::<FRAME_SAMPLES>()
        .0
        .iter()
        .map(|frame| {
            let mut octets = [0; 10];
            let count = encoder.encode_frame(frame, &mut octets);
            octets[..count].to_vec()
        })
        .collect()
}

/// An empty frame was not sent; `None` was lost.
fn decode<'a>(frames: impl IntoIterator<Item = Option<&'a [u8]>>) -> Vec<i16> {
    let mut decoder = Decoder::new();
    frames.into_iter().flat_map(|frame| decode_one(&mut decoder, frame)).collect()
}

fn decode_one(decoder: &mut Decoder, frame: Option<&[u8]>) -> [i16; FRAME_SAMPLES] {
    match frame {
        None => decoder.conceal_frame(),
        Some([]) => decoder.decode_untransmitted(),
        Some(frame) => match (frame.try_into(), frame.try_into()) {
            (Ok(speech), _) => decoder.decode_speech(speech),
            (_, Ok(sid)) => decoder.decode_sid(sid),
            _ => panic!("a frame of {} octets", frame.len()),
        },
    }
}

fn speech_over_noise() -> Vec<i16> {
    let background = noise(5, 40, 64_000);
    speech(29, 8000, 64_000).iter().zip(background).map(|(&a, b)| a.saturating_add(b)).collect()
}

fn as_records(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.iter().flat_map(|frame| [&(frame.len() as u16).to_le_bytes(), &frame[..]].concat()).collect()
}

fn with_losses(frames: &[Vec<u8>], loss: Loss) -> impl Iterator<Item = Option<&[u8]>> {
    frames.iter().enumerate().map(move |(i, frame)| (!loss.is_lost(i)).then_some(&frame[..]))
}

/// Digests of the stream, of what it decodes to, and of that with the burst pattern of losses.
fn assert_digests(pcm: &[i16], vad: bool, [stream, whole, lossy]: [&str; 3]) {
    let frames = encode(pcm, vad);
    assert_eq!(sha256(&as_records(&frames)), stream, "encoder");
    assert_eq!(sha256_pcm(&decode(with_losses(&frames, Loss::None))), whole, "decoder");
    assert_eq!(sha256_pcm(&decode(with_losses(&frames, Loss::Burst))), lossy, "decoder with losses");
}

#[test]
fn speech_is_coded_as_the_reference_codes_it() {
    assert_digests(
        &speech(1, 8000, 40_000),
        false,
        [
            "e8f5d739b454936ff669fbd11a845ca5ebdb2f045c0f484309950216be0d63d3",
            "9ba4b8f07bd264204866eed32cb1d5418dfb19ddc81dfd02adc8c8d6c57b2826",
            "16d53ab3d5dd19a663993673397ef4b20d01a01255dab2357c0efc9480637000",
        ],
    );
}

/// Where the reference saturates, the fast paths must step aside.
#[test]
fn overload_is_coded_as_the_reference_codes_it() {
    let loud: Vec<i16> = speech(3, 8000, 40_000).iter().map(|&sample| sample.saturating_mul(6)).collect();
    assert_digests(
        &loud,
        false,
        [
            "5fd78d3c70fb30598fc8b2b8312fa590846ff7cbea58d29c621c20a1e700d904",
            "17d7d3887e569b935cc8cb60a210bb920e0fa581d3522998bef2edef2db578d1",
            "8aa7e011e0b2ce80e19bad5f359c535f80e4035df7363ba9bc1316426422bfbc",
        ],
    );
}

/// 614 speech frames, 39 silence descriptors, 147 frames that are not sent.
#[test]
fn pauses_are_coded_as_the_reference_codes_them() {
    assert_digests(
        &speech_over_noise(),
        true,
        [
            "6c8451b79e022f4ccfffd21b20d28da29406e69d8a5ac60b5ecff301d7b1a744",
            "56cc8b480a6527f83b9f3477a47aacb9ec685d4bac4fa0cccb7e48a71af6fb1a",
            "5dfd2bb689b368046fa0f26f389444c6ed50e5c868844c7597eb78a8fb4ded94",
        ],
    );
}

#[test]
fn garbage_is_decoded_as_the_reference_decodes_it() {
    let mut random = Random::new(101);
    let frames: Vec<Vec<u8>> = (0..300)
        .map(|_| {
            let count = match random.below(10) {
                0..=5 => 10,
                6 | 7 => 2,
                _ => 0,
            };
            let mut octets = vec![0; count];
            random.fill(&mut octets);
            if let [_, last] = &mut octets[..] {
                *last &= 0xfe;
            }
            octets
        })
        .collect();
    let pcm = decode(with_losses(&frames, Loss::None));
    assert_eq!(sha256_pcm(&pcm), "5f00e36af43bd1ddca24fdcc4732c1e7d2d4156a36a6e8db84c98ce441aa6cd4");
}

#[test]
fn annex_a_vectors_come_out_bit_for_bit() {
    let Some(folder) = folder("g729a") else { return };
    let mut compared = 0;
    for row in folder.rows() {
        let made = if row.operation.starts_with("encode") {
            encode(&folder.pcm(&row.made_from).expect("a signal"), false).concat()
        } else {
            let stream = folder.read(&row.made_from).expect("a bitstream");
            let frames: Vec<_> = stream.chunks(10).map(<[u8]>::to_vec).collect();
            octets(&decode(with_losses(&frames, row.loss())))
        };
        assert!(row.matches(&made), "{}", row.output);
        compared += 1;
    }
    println!("g729a: {compared} files compared");
    assert!(compared >= 16);
}

/// The decoder that made the files conceals all that is missing, sent or not, and is silent from the eleventh
/// missing frame on.
#[test]
fn annex_b_vectors_come_out_bit_for_bit() {
    let Some(folder) = folder("g729ab") else { return };
    let mut compared = 0;
    for row in folder.rows().into_iter().filter(|row| !row.operation.contains("libbcg729")) {
        let made = if row.operation.starts_with("encode") {
            as_records(&encode(&folder.pcm(&row.made_from).expect("a signal"), true))
        } else {
            let file = folder.read(&row.made_from).expect("records");
            let mut decoder = Decoder::new().with_fill_limit(10);
            let frames = records(&file).into_iter().enumerate();
            let pcm: Vec<i16> = frames
                .map(|(i, frame)| if row.loss().is_lost(i) { &[] } else { frame })
                .flat_map(|frame| decode_one(&mut decoder, (!frame.is_empty()).then_some(frame)))
                .collect();
            octets(&pcm)
        };
        assert!(row.matches(&made), "{}", row.output);
        compared += 1;
    }
    println!("g729ab: {compared} files compared");
    assert!(compared >= 20);
}

#[test]
fn the_state_is_as_small_as_documented() {
    assert_eq!((g729::ENCODER_BYTES, g729::DECODER_BYTES), (1412, 828));
}

#[test]
fn a_payload_holds_speech_frames_and_then_a_descriptor() {
    let pcm = speech_over_noise();
    let (mut by_frame, mut by_payload) = (Decoder::new(), Decoder::new());
    let mut encoder = Encoder::new(true);
    let (mut rest, mut descriptors, mut silences) = (&pcm[..], 0, 0);
    while !rest.is_empty() {
        let mut payload = [0; 60];
        let take = rest.len().min(480);
        let Encoded { octets, samples } = encoder.encode(&rest[..take], &mut payload).expect("room");
        assert_eq!(samples, octets.div_ceil(10).max(1) * 80);
        rest = &rest[samples..];
        descriptors += usize::from(octets % 10 == 2);
        silences += usize::from(octets == 0);
        let mut out = [0; 480];
        assert_eq!(by_payload.decode(&payload[..octets], &mut out), Ok(octets.div_ceil(10).max(1) * 80));
        let (frames, sid) = payload[..octets].as_chunks::<10>();
        let mut expected: Vec<i16> = frames.iter().flat_map(|frame| by_frame.decode_speech(frame)).collect();
        if let Some(sid) = sid.first_chunk() {
            expected.extend(by_frame.decode_sid(sid));
        }
        if octets == 0 {
            expected.extend(by_frame.conceal_frame());
        }
        assert_eq!(out[..expected.len()], expected);
    }
    assert!(descriptors > 0 && silences > 0, "{descriptors} descriptors, {silences} silences");
}

#[test]
fn wrong_lengths_are_errors_and_change_nothing() {
    let pcm = speech(2, 8000, 800);
    let (mut encoder, mut decoder) = (Encoder::new(false), Decoder::new());
    let mut out = [0; 100];
    assert_eq!(encoder.encode(&pcm[..79], &mut out), Err(CodecError::PartialFrame { frame: 80, got: 79 }));
    assert_eq!(encoder.encode(&[], &mut out), Err(CodecError::PartialFrame { frame: 80, got: 0 }));
    assert_eq!(
        encoder.encode(&pcm[..160], &mut out[..19]),
        Err(CodecError::OutputTooShort { needed: 20, got: 19 })
    );
    assert_eq!(encoder.encode(&pcm, &mut out), Ok(Encoded { octets: 100, samples: 800 }));
    assert_eq!(out[..], encode(&pcm, false).concat());

    let mut heard = [0; 800];
    for wrong in [1, 3, 9, 11, 13, 99] {
        let refused = decoder.decode(&out[..wrong], &mut heard);
        assert!(matches!(refused, Err(CodecError::PayloadLength { got, .. }) if got == wrong));
    }
    let short = Err(CodecError::OutputTooShort { needed: 240, got: 239 });
    assert_eq!(decoder.decode(&out[..22], &mut heard[..239]), short);
    assert_eq!(decoder.decode(&[], &mut []), Err(CodecError::OutputTooShort { needed: 80, got: 0 }));
    assert_eq!(decoder.conceal(&mut heard[..81]), Err(CodecError::PartialFrame { frame: 80, got: 81 }));
    assert_eq!(decoder.decode(&out, &mut heard), Ok(800));
    assert_eq!(heard[..], decode(out.chunks(10).map(Some)));
}

#[test]
fn a_decoder_recovers_from_garbage() {
    let pcm = speech(6, 8000, 16_000);
    let frames = encode(&pcm, false);
    let mut random = Random::new(4);
    let mut decoder = Decoder::new();
    for count in (0..600).map(|i| [0, 2, 10][i % 3]) {
        let mut octets = vec![0; count];
        random.fill(&mut octets);
        decode_one(&mut decoder, Some(&octets));
    }
    let good = decode(with_losses(&frames, Loss::None));
    let after: Vec<i16> = frames.iter().flat_map(|frame| decode_one(&mut decoder, Some(frame))).collect();
    let settled = 8000..;
    assert!(snr(&good[settled.clone()], &after[settled]) > 30.0);
}

#[test]
fn concealment_fades_and_comfort_noise_goes_on() {
    let frames = encode(&speech(12, 8000, 4000), false);
    let mut decoder = Decoder::new();
    for frame in &frames {
        decode_one(&mut decoder, Some(frame));
    }
    let mut lost = [0; 80 * 400];
    assert_eq!(decoder.conceal(&mut lost), Ok(lost.len()));
    assert!(lost[lost.len() - 80..].iter().all(|sample| sample.unsigned_abs() < 16));

    // A descriptor of a middling level, then nothing for a minute.
    decoder.decode_sid(&[0x00, 0x20]);
    let mut limited = decoder.clone().with_fill_limit(10);
    let tail: Vec<[i16; 80]> = (0..6000).map(|_| decoder.conceal_frame()).collect();
    assert!(tail.iter().all(|frame| frame.iter().any(|&sample| sample != 0)));
    let short: Vec<[i16; 80]> = (0..20).map(|_| limited.conceal_frame()).collect();
    assert_eq!(short[..10], tail[..10]);
    assert!(short[10..].iter().flatten().all(|&sample| sample == 0));
}

#[test]
fn annexb_holds_only_if_both_sides_have_it() {
    let rules = g729::SPEC.fmtp;
    let parse = |text: &str| Fmtp::parse(rules, text).expect("a format parameter");
    let agreed =
        |ours: &str, theirs: &str| parse(ours).agree(&parse(theirs)).and_then(|agreed| agreed.get("annexb"));
    assert_eq!((agreed("", ""), agreed("annexb=yes", "annexb=no")), (Some(1), Some(0)));
    assert_eq!((agreed("annexb=no", ""), agreed("annexb=no", "annexb=yes")), (Some(0), Some(0)));
}

#[cfg(feature = "alloc")]
#[test]
fn the_spec_makes_coders_with_the_agreed_annex() {
    let spec = &g729::SPEC;
    assert_eq!((spec.payload_type, spec.octets(20), spec.samples(10)), (Some(18), 20, FRAME_SAMPLES));
    let silence = [0; 80 * 8];
    let sent = |annexb| {
        let mut fmtp = spec.defaults();
        fmtp.set("annexb", annexb).expect("0 or 1");
        let mut out = [0; 80];
        spec.encoder_with(&fmtp).encode(&silence, &mut out).expect("room")
    };
    assert_eq!(sent(0), Encoded { octets: 80, samples: silence.len() });
    assert_eq!(sent(1), Encoded { octets: 2, samples: 80 });
    let mut pcm = [0; 160];
    assert_eq!(spec.decoder().decode(&[0; 20], &mut pcm), Ok(160));
}

#[test]
fn a_reset_coder_is_a_new_one() {
    let pcm = speech(9, 8000, 8000);
    let frames = encode(&pcm, true);
    let mut encoder = Encoder::new(true);
    let mut decoder = Decoder::new();
    for _ in 0..2 {
        for (pcm, frame) in pcm.as_chunks().0.iter().zip(&frames) {
            let mut octets = [0; 10];
            let count = encoder.encode_frame(pcm, &mut octets);
            assert_eq!(octets[..count], frame[..]);
        }
        let heard: Vec<i16> = frames.iter().flat_map(|frame| decode_one(&mut decoder, Some(frame))).collect();
        assert_eq!(heard, decode(with_losses(&frames, Loss::None)));
        encoder.reset();
        decoder.reset();
    }
}
