//! The AMR decoder and the payload formats against opencore-amrnb 0.1.6: by digest everywhere, file by file where
//! `../shared/vectors` exists.

use crate::common::signal::{self, Random};
use crate::common::vectors::{Folder, Row, folder, records};
use crate::common::{octets, sha256_pcm, snr};
use sidetone_codecs::amr::{
    self, Decoder, Encoder, FRAME_SAMPLES, Format, Frame, FrameDecoder, FrameType, MAGIC, Mode, StoredFrames,
};
use sidetone_codecs::{CodecError, Decoder as _, Encoded, Encoder as _, Fmtp};

fn decoded(frames: &[Frame]) -> Vec<i16> {
    let mut decoder = FrameDecoder::new();
    let mut pcm = vec![0; frames.len() * FRAME_SAMPLES];
    for (frame, pcm) in frames.iter().zip(pcm.as_chunks_mut().0) {
        decoder.decode_frame(frame, pcm);
    }
    pcm
}

fn stored(file: &[u8]) -> Vec<Frame> {
    let frames = StoredFrames::new(file).expect("the magic number");
    frames
        .map(|frame| {
            let (frame, good) = frame.expect("a whole frame");
            assert!(good);
            frame
        })
        .collect()
}

fn encoded(mode: Mode, dtx: bool, pcm: &[i16]) -> Vec<Frame> {
    let mut encoder = Encoder::new(mode, Format::default(), dtx);
    pcm.as_chunks().0.iter().map(|pcm| encoder.encode_frame(pcm)).collect()
}

// ---- The vectors ----

#[test]
fn every_decoder_row_of_the_vectors_matches() {
    let Some(folder) = folder("amrnb") else { return };
    let rows: Vec<Row> =
        folder.rows().into_iter().filter(|row| row.operation.starts_with("decode")).collect();
    for row in &rows {
        let mut frames = stored(&folder.read(&row.made_from).expect("an input file"));
        let loss = row.loss();
        frames
            .iter_mut()
            .enumerate()
            .filter(|(i, _)| loss.is_lost(*i))
            .for_each(|(_, frame)| *frame = Frame::NO_DATA);
        assert!(row.matches(&octets(&decoded(&frames))), "{}: {}", row.output, row.operation);
    }
    println!("vectors: {} files of amrnb decoded, all the same", rows.len());
    assert_eq!(rows.len(), 88);
}

#[test]
fn every_payload_row_of_the_vectors_matches_both_ways() {
    let Some(folder) = folder("amrnb") else { return };
    let rows: Vec<Row> = folder.rows().into_iter().filter(|row| row.operation.contains("payloads")).collect();
    for row in &rows {
        let format = match row.operation.contains("octet-aligned") {
            true => Format::OCTET_ALIGNED,
            false => Format::BANDWIDTH_EFFICIENT,
        };
        payload_row(&folder, row, format);
    }
    println!("vectors: {} files of amrnb payloads compared, all the same", rows.len());
    assert_eq!(rows.len(), 22);
}

fn payload_row(folder: &Folder, row: &Row, format: Format) {
    let file = folder.read(&row.made_from).expect("an input file");
    let frames = stored(&file);
    let mut made = Vec::new();
    for frame in &frames {
        let mut payload = [0; 40];
        let octets = amr::pack(&format, None, &[*frame], &mut payload).expect("room for it");
        made.extend_from_slice(&(octets as u16).to_le_bytes());
        made.extend_from_slice(&payload[..octets]);
    }
    assert!(row.matches(&made), "{}: {}", row.output, row.operation);

    let mut back = MAGIC.to_vec();
    for record in records(&made) {
        let (request, frames) = amr::unpack(&format, record).expect("a payload of the vectors");
        assert_eq!(request, None);
        for (frame, good) in frames {
            assert!(good);
            let mut octets = [0; 32];
            let count = frame.store(&mut octets).expect("room for it");
            back.extend_from_slice(&octets[..count]);
        }
    }
    assert_eq!(back, file, "{} and back", row.output);
}

// ---- Without any file ----

/// Frames of random bits: every mode in turn, silence descriptors, losses, and pauses long enough for the noise to fade.
fn random_frames(seed: u64, only: Option<Mode>, count: usize) -> Vec<Frame> {
    let mut random = Random::new(seed);
    let mut frames = Vec::new();
    let mut mode = only.unwrap_or(Mode::Mr475);
    while frames.len() < count {
        let kind = match random.below(100) {
            0..6 => FrameType::NoData,
            6..10 => FrameType::Sid,
            10 => {
                frames.extend([Frame::NO_DATA; 60]);
                continue;
            }
            11..16 => {
                let drawn = Mode::ALL[random.below(8) as usize];
                mode = only.unwrap_or(drawn);
                FrameType::Speech(mode)
            }
            _ => FrameType::Speech(mode),
        };
        let mut data = [0; 31];
        random.fill(&mut data);
        frames.push(Frame::new(kind, &data[..kind.octets()]).expect("as many octets as it has"));
    }
    frames.truncate(count);
    frames
}

/// SHA-256 of what opencore-amrnb 0.1.6 makes of `random_frames(seed, ..., 1500)`.
const RANDOM: [(u64, Option<Mode>, &str); 9] = [
    (1, Some(Mode::Mr475), "3609a37d4a331b676b8a7e041dbb513878291d3ef7fcecd0ccd6420dd22d94c7"),
    (2, Some(Mode::Mr515), "6e74915928cc232d24f272759cc40971eeb63bddd031d282e25646e229528d04"),
    (3, Some(Mode::Mr590), "3e4e745b82f2351f2d0c7ad91026ef7990137400683f4aa42a84f923561b0702"),
    (4, Some(Mode::Mr670), "64e57b6a214cb1ace29818e75bd1ad319222ec00ff4c91a33a53816c19ecf670"),
    (15, Some(Mode::Mr740), "02481a7aa011b3dd11a57e147e081af53ea82ca536393571d7f9c48fb178f787"),
    (6, Some(Mode::Mr795), "d79568ac6ad358ea75f5c5d512a6f43b559242123f3b845aa977a1821dfded1a"),
    (7, Some(Mode::Mr1020), "5b5f551d7d13612abf14e740d778d6650188fd2c88dcf89a35a0679004650a34"),
    (8, Some(Mode::Mr1220), "6ee78d3d9197c25cdfa1a639fe87f7d89d6cf8e64f79f7bcbcd7e4a3820f553e"),
    (9, None, "b905cefbebe2ec5ae5f203812bc4f93c93a580871e93db762e69d46fad7a69ad"),
];

#[test]
fn random_bits_are_decoded_as_by_the_reference() {
    for (seed, only, digest) in RANDOM {
        assert_eq!(sha256_pcm(&decoded(&random_frames(seed, only, 1500))), digest, "{seed} {only:?}");
    }
}

/// SHA-256 of what opencore-amrnb 0.1.6 decodes of what it encoded from `signal::speech(11, 8000, 64_000)`, every seventh
/// frame lost; first without DTX, then with it.
const SPEECH: [(Mode, [&str; 2]); 8] = [
    (
        Mode::Mr475,
        [
            "33ec37a0a5f5c80d3834f71c0ec73b1c1db5104317fbdb14dead87e59028aee6",
            "4ccbbd147d588cdc06ff2fcb2eba598a14c7ee89e4ec9964dd51fa910c741a9e",
        ],
    ),
    (
        Mode::Mr515,
        [
            "0a6c0e0405aaddcce01d61d2cb20afd61d251fab3ee9bba5d786be1f19e63906",
            "8088ad462d1dbf6e98732e0eeccedb7d1629fc0c4a00ff2aa205dbaad5bdeedb",
        ],
    ),
    (
        Mode::Mr590,
        [
            "91bfc566043c70521e7f9083a42fcdd84612bc7cf7e6a452b3755c29eb2791ce",
            "57040892a44f34fbf8563bb784587eb08e8d142ded03158bc63a6e608d4202fb",
        ],
    ),
    (
        Mode::Mr670,
        [
            "5a1e93bef83788cadfab482ab01640f3e83597bfd159303ce725ee77741ad9a9",
            "a167af15e999041bb61db3039ec0ea701fce04bcb78156c2067edff6c9de91ec",
        ],
    ),
    (
        Mode::Mr740,
        [
            "fc1ff4ce07c4f2e37be082d940c96feb86cd7f2d763e01b13d2bf662fede1041",
            "53bc26842625ae73b9de9169949fd9a7e948570c68858e6f90bdd37ff266e439",
        ],
    ),
    (
        Mode::Mr795,
        [
            "89ff10c8f38c08819b83af64a8742f40f236ccb51d24478daf30f5e64dfe8e3a",
            "961a7aab138f4632e4f4b672e624b07ed596104368996ef616f13fae9796bab1",
        ],
    ),
    (
        Mode::Mr1020,
        [
            "3d21b1f1723fbef8a23315b66264e5678db2f95c119022d9d9c518bfdde39f33",
            "088b5f92530b5eb0e937e92d50ca7bc04e8f45859ddaa8beedba7bbf2127c915",
        ],
    ),
    (
        Mode::Mr1220,
        [
            "205b9cbaf49704ac8cf88963edddd04982b67ee1cb2b151c4058cb1ab0774374",
            "2ab970f909a98db9d06187bb7762f8acbb37504b6399a84a410f00f39ef26eab",
        ],
    ),
];

#[test]
fn speech_goes_through_encoder_and_decoder_as_through_the_reference() {
    let pcm = signal::speech(11, 8000, 64_000);
    for (mode, digests) in SPEECH {
        for (dtx, digest) in [false, true].into_iter().zip(digests) {
            let mut frames = encoded(mode, dtx, &pcm);
            frames.iter_mut().skip(6).step_by(7).for_each(|frame| *frame = Frame::NO_DATA);
            assert_eq!(sha256_pcm(&decoded(&frames)), digest, "{mode:?} {dtx}");
        }
    }
}

#[test]
fn garbage_is_forgotten() {
    let good = encoded(Mode::Mr1220, false, &signal::speech(3, 8000, 32_000));
    let clean = decoded(&good);
    let mut both = random_frames(77, None, 200);
    both.extend_from_slice(&good);
    let after = decoded(&both);
    let from = 100 * FRAME_SAMPLES;
    let snr = snr(&clean[from..], &after[200 * FRAME_SAMPLES + from..]);
    assert!(snr > 20.0, "two seconds after the garbage the noise is at {snr:.1} dB");
}

#[test]
fn a_lost_signal_fades_to_silence() {
    let mut frames = encoded(Mode::Mr740, false, &signal::speech(5, 8000, 16_000));
    frames.extend([Frame::NO_DATA; 50]);
    let pcm = decoded(&frames);
    let energy = |pcm: &[i16]| pcm.iter().map(|x| i64::from(*x).pow(2)).sum::<i64>();
    let frames: Vec<i64> = pcm.chunks(FRAME_SAMPLES).map(energy).collect();
    assert!(frames[frames.len() - 1] * 1000 < *frames.iter().max().expect("frames"), "{frames:?}");
}

#[test]
fn digital_silence_without_news_stays_silent() {
    // A descriptor with energy index 0, then nothing for four seconds.
    let silence = Frame::new(FrameType::Sid, &[0, 0, 0, 0, 0b0001_1110]).expect("five octets");
    let mut frames = vec![silence; 20];
    frames.extend([Frame::NO_DATA; 200]);
    assert!(decoded(&frames)[20 * FRAME_SAMPLES..].iter().all(|x| x.abs() <= 16));
}

// ---- Payloads ----

#[test]
fn several_frames_a_payload_with_a_mode_request_and_back() {
    for format in [Format::OCTET_ALIGNED, Format::BANDWIDTH_EFFICIENT] {
        for count in 1..=12 {
            let frames: Vec<Frame> = random_frames(count as u64, None, 40)[40 - count..].to_vec();
            let mut payload = [0xAA; 500];
            let octets = amr::pack(&format, Some(Mode::Mr795), &frames, &mut payload).expect("room for it");
            let bits: usize = frames.iter().map(|frame| frame.kind().bits()).sum();
            if !format.octet_align {
                assert_eq!(octets, (4 + 6 * count + bits).div_ceil(8));
            }
            let (request, back) = amr::unpack(&format, &payload[..octets]).expect("our own payload");
            assert_eq!((request, back.len()), (Some(Mode::Mr795), count));
            assert!(back.eq(frames.iter().map(|frame| (*frame, true))));

            // Any other length is an error, and so is a buffer too short by one.
            for wrong in [octets - 1, octets + 1] {
                assert!(matches!(
                    amr::unpack(&format, &payload[..wrong]),
                    Err(CodecError::PayloadLength { .. })
                ));
            }
            assert_eq!(
                amr::pack(&format, None, &frames, &mut payload[..octets - 1]),
                Err(CodecError::OutputTooShort { needed: octets, got: octets - 1 })
            );
        }
    }
}

#[test]
fn a_payload_is_bit_for_bit_as_in_the_rfc() {
    // RFC 4867 §4.3.5.1: bandwidth-efficient, one frame of 7.4 kbit/s, CMR 6; §4.4.5.1: octet-aligned, two frames.
    let frame = Frame::new(FrameType::Speech(Mode::Mr740), &[0xFF; 19]).expect("19 octets");
    let mut payload = [0; 40];
    let octets = amr::pack(&Format::BANDWIDTH_EFFICIENT, Some(Mode::Mr1020), &[frame], &mut payload);
    assert_eq!(octets, Ok(20));
    // CMR 0110, F 0, FT 0100, Q 1, 148 ones, PP.
    assert_eq!(payload[..2], [0b0110_0010, 0b0111_1111]);
    assert_eq!(payload[19], 0b1111_1100);

    let frame = Frame::new(FrameType::Speech(Mode::Mr515), &[0xFF; 13]).expect("13 octets");
    let octets = amr::pack(&Format::OCTET_ALIGNED, Some(Mode::Mr1020), &[frame, frame], &mut payload);
    assert_eq!(octets, Ok(29));
    assert_eq!(payload[..3], [0b0110_0000, 0b1000_1100, 0b0000_1100]);
    assert_eq!([payload[15], payload[28]], [0xFE; 2]);
}

#[test]
fn an_encoder_leaves_out_what_is_not_to_be_sent() {
    let mut pcm = signal::speech(9, 8000, 8000);
    pcm.extend(signal::noise(1, 12, 24_000));
    pcm.extend(signal::speech(10, 8000, 8000));
    let frames = encoded(Mode::Mr590, true, &pcm);
    assert!(frames.contains(&Frame::NO_DATA), "the noise is not sent");
    for format in [Format::OCTET_ALIGNED, Format::BANDWIDTH_EFFICIENT] {
        for count in [1, 2, 3, 5] {
            let (sent, timeline) = send(&mut Encoder::new(Mode::Mr590, format, true), &pcm, count);
            // Everything but NO_DATA arrives, in its place.
            assert_eq!(timeline.len(), frames.len());
            assert!(timeline.iter().eq(&frames), "{format:?} {count}");
            assert!(sent.iter().all(|payload| payload.len() > 1));
        }
    }
}

/// Sends `count` frames a call; returns the payloads, and the frames by the time at which each was said.
fn send(encoder: &mut Encoder, pcm: &[i16], count: usize) -> (Vec<Vec<u8>>, Vec<Frame>) {
    let format =
        if encoder_is_octet_aligned(encoder) { Format::OCTET_ALIGNED } else { Format::BANDWIDTH_EFFICIENT };
    let (mut payloads, mut timeline) = (Vec::new(), Vec::new());
    let mut rest = pcm;
    while !rest.is_empty() {
        let mut out = [0; 200];
        let now = &rest[..rest.len().min(count * FRAME_SAMPLES)];
        let Encoded { octets, samples } = encoder.encode(now, &mut out).expect("whole frames and room");
        assert!(samples > 0 && samples % FRAME_SAMPLES == 0);
        rest = &rest[samples..];
        let said = timeline.len();
        if octets > 0 {
            let (request, frames) = amr::unpack(&format, &out[..octets]).expect("our own payload");
            assert_eq!(request, None);
            timeline.extend(frames.map(|(frame, _)| frame));
            payloads.push(out[..octets].to_vec());
        }
        timeline.resize(said + samples / FRAME_SAMPLES, Frame::NO_DATA);
    }
    (payloads, timeline)
}

/// The padding of the first octet tells: bandwidth-efficient payloads have the frame type there.
fn encoder_is_octet_aligned(encoder: &Encoder) -> bool {
    let mut out = [0; 64];
    let pcm = signal::speech(1, 8000, FRAME_SAMPLES);
    let octets = encoder.clone().encode(&pcm, &mut out).expect("one frame").octets;
    octets == 1 + 1 + Mode::Mr590.octets()
}

#[test]
fn the_mode_changes_as_the_format_allows() {
    let pcm = signal::speech(2, 8000, 160);
    let pcm: &[i16; 160] = pcm.as_slice().try_into().expect("160 samples");
    let format = Format {
        mode_change_period: 2,
        mode_change_neighbor: true,
        ..Format::BANDWIDTH_EFFICIENT.with_modes(0b1001_0101)
    };
    let mut encoder = Encoder::new(Mode::Mr1020, format, false);
    encoder.encode_frame(pcm);
    encoder.set_mode(Mode::Mr475);
    let modes: Vec<FrameType> = (0..8).map(|_| encoder.encode_frame(pcm).kind()).collect();
    let expected = [
        Mode::Mr740,
        Mode::Mr590,
        Mode::Mr590,
        Mode::Mr475,
        Mode::Mr475,
        Mode::Mr475,
        Mode::Mr475,
        Mode::Mr475,
    ];
    assert_eq!(modes, expected.map(FrameType::Speech));
}

#[test]
fn damaged_frames_are_concealed_and_requests_are_told() {
    let frames = encoded(Mode::Mr1220, false, &signal::speech(4, 8000, 16_000));
    let mut decoder = Decoder::new(Format::OCTET_ALIGNED);
    let mut pcm = [0; FRAME_SAMPLES];
    let (mut loud, mut quiet) = (0, 0);
    for (i, frame) in frames.iter().enumerate() {
        let mut payload = [0; 40];
        let octets =
            amr::pack(&Format::OCTET_ALIGNED, Some(Mode::Mr475), &[*frame], &mut payload).expect("room");
        if i >= 80 {
            payload[1] &= !0b100;
        }
        assert_eq!(decoder.decode(&payload[..octets], &mut pcm), Ok(FRAME_SAMPLES));
        let peak = pcm.iter().map(|x| i32::from(*x).abs()).max().unwrap_or(0);
        if i < 80 { loud = loud.max(peak) } else { quiet = peak }
    }
    assert_eq!(decoder.mode_request(), Some(Mode::Mr475));
    assert!(quiet * 8 < loud, "after 20 damaged frames: {quiet} of {loud}");
}

#[test]
fn wrong_calls_are_named_and_change_nothing() {
    let mut encoder = Encoder::default();
    let mut out = [0; 64];
    assert_eq!(encoder.encode(&[0; 100], &mut out), Err(CodecError::PartialFrame { frame: 160, got: 100 }));
    assert_eq!(encoder.encode(&[], &mut out), Err(CodecError::PartialFrame { frame: 160, got: 0 }));
    assert_eq!(
        encoder.encode(&[0; 320], &mut out[..62]),
        Err(CodecError::OutputTooShort { needed: 63, got: 62 })
    );
    let mut decoder = Decoder::new(Format::OCTET_ALIGNED);
    let mut pcm = [0; 160];
    assert_eq!(decoder.decode(&[], &mut pcm), Ok(160));
    assert_eq!(
        decoder.decode(&[], &mut pcm[..159]),
        Err(CodecError::OutputTooShort { needed: 160, got: 159 })
    );
    assert_eq!(decoder.conceal(&mut pcm[..159]), Err(CodecError::PartialFrame { frame: 160, got: 159 }));
    for number in 9..15 {
        let error = CodecError::FrameType { got: number, expected: "0 to 8, or 15" };
        assert_eq!(decoder.decode(&[0xF0, number << 3 | 4, 0, 0, 0], &mut pcm), Err(error));
    }
    // Two frames into room for one: nothing is decoded.
    assert_eq!(
        decoder.decode(&[0xF0, 0xFC, 0x7C], &mut pcm),
        Err(CodecError::OutputTooShort { needed: 320, got: 160 })
    );
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let ours = amr::SPEC.defaults();
    for (line, what) in [
        ("octet-align=1;interleaving=5", "AMR payloads with interleaving"),
        ("octet-align=1;crc=1", "AMR payloads with CRC"),
        ("octet-align=1;robust-sorting=1", "AMR payloads with robust sorting"),
    ] {
        let theirs = Fmtp::parse(amr::SPEC.fmtp, line).expect("a line that can be read");
        assert_eq!(ours.agree(&theirs), None, "{line}");
        assert_eq!(Format::from_fmtp(&theirs), Err(CodecError::Unsupported(what)));
        #[cfg(feature = "alloc")]
        {
            let error = CodecError::Unsupported(what);
            assert_eq!(amr::SPEC.encoder_with(&theirs).encode(&[0; 160], &mut [0; 40]), Err(error));
            assert_eq!(amr::SPEC.decoder_with(&theirs).decode(&[0xF0, 0x7C], &mut [0; 160]), Err(error));
        }
    }
}

#[cfg(feature = "alloc")]
#[test]
fn the_registry_makes_coders_of_the_agreed_format() {
    let agreed = Fmtp::parse(amr::SPEC.fmtp, "octet-align=1;mode-set=0,2,4").expect("a good line");
    let (mut encoder, mut decoder) = (amr::SPEC.encoder_with(&agreed), amr::SPEC.decoder_with(&agreed));
    let mut payload = vec![0; amr::SPEC.octets(40)];
    let encoded = encoder.encode(&[0; 320], &mut payload).expect("two frames");
    // Header, two entries, two frames of 7.4 kbit/s.
    assert_eq!((encoded.octets, payload[1] >> 3), (1 + 2 + 2 * 19, 0b1_0100));
    assert_eq!(decoder.decode(&payload[..encoded.octets], &mut [0; 320]), Ok(320));
    let most = Encoder::new(Mode::Mr1220, Format::OCTET_ALIGNED, false).encode(&[0; 640], &mut [0; 200]);
    assert!(most.expect("four frames").octets <= amr::SPEC.octets(80));
}

#[test]
fn any_octets_are_decoded_or_refused() {
    let mut random = Random::new(99);
    let mut payload = [0; 120];
    let mut pcm = [0; 160 * 12];
    for format in [Format::OCTET_ALIGNED, Format::BANDWIDTH_EFFICIENT] {
        let mut decoder = Decoder::new(format);
        let mut decoded = 0;
        for round in 0..6000 {
            let length = round % payload.len();
            random.fill(&mut payload[..length]);
            // Half of them with a table of contents that fits a single frame.
            if round % 2 == 0 && length > 2 {
                let number = Mode::ALL.iter().position(|mode| {
                    amr::pack(
                        &format,
                        None,
                        &[Frame::new(FrameType::Speech(*mode), &[0; 31][..mode.octets()]).expect("a frame")],
                        &mut [0; 40],
                    ) == Ok(length)
                });
                let Some(number) = number else { continue };
                match format.octet_align {
                    true => payload[1] = (number as u8) << 3 | 4,
                    false => {
                        (payload[0], payload[1]) = (0xF0 | number as u8 >> 1, (number as u8) << 7 | 0x40)
                    }
                }
            }
            match decoder.decode(&payload[..length], &mut pcm) {
                Ok(samples) => decoded += samples / 160,
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        assert!(decoded > 150, "{decoded}");
    }
}

#[test]
fn the_states_have_their_documented_size() {
    assert_eq!(amr::DECODER_BYTES, 1144);
    assert_eq!(size_of::<FrameDecoder>(), 1136);
    assert_eq!(size_of::<Frame>(), 32);
    assert_eq!(amr::ENCODER_BYTES, 1402);
}
