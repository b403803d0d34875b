//! G.723.1 against the fixed-point C code of the Recommendation: by digest everywhere, row by row where
//! `../shared/vectors` exists.

use crate::common::signal::{self, Random};
use crate::common::vectors::{Loss, Row, folder};
use crate::common::{octets, sha256, sha256_pcm, snr};
use sidetone_codecs::g7231::{
    self, DECODER_BYTES, Decoder, ENCODER_BYTES, Encoder, FRAME, FrameType, Rate, Settings,
};
use sidetone_codecs::{CodecError, Decoder as _, Encoded, Encoder as _};

/// A file of frames, each as long as its first two bits say.
fn encoded(settings: Settings, pcm: &[i16]) -> Vec<u8> {
    let mut encoder = Encoder::new(settings);
    let mut file = Vec::new();
    let (frames, _) = pcm.as_chunks::<FRAME>();
    for frame in frames {
        let mut out = [0; 24];
        let frame_type = encoder.encode_frame(frame, &mut out);
        assert_eq!(FrameType::of(out[0]), frame_type);
        file.extend_from_slice(&out[..frame_type.octets()]);
    }
    file
}

fn frames(mut file: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(&first) = file.first() {
        let (frame, rest) = file.split_at(FrameType::of(first).octets());
        frames.push(frame);
        file = rest;
    }
    frames
}

fn decoded(postfilter: bool, file: &[u8], loss: Loss) -> Vec<i16> {
    let mut decoder = Decoder::new(postfilter);
    let mut out = Vec::new();
    for (i, frame) in frames(file).into_iter().enumerate() {
        let mut pcm = [0; FRAME];
        if loss.is_lost(i) {
            decoder.conceal_frame(&mut pcm);
        } else {
            decoder.decode_frame(frame, &mut pcm).expect("a whole frame");
        }
        out.extend(pcm);
    }
    out
}

const SAMPLES: usize = 200 * FRAME;

fn speech() -> Vec<i16> {
    signal::speech(723, 8000, SAMPLES)
}

/// Stretches of 1.2 s, speech over noise and noise alone.
fn pauses() -> Vec<i16> {
    let noise = signal::noise(1, 200, SAMPLES);
    let speech = signal::speech(7231, 8000, SAMPLES);
    let mixed = noise.iter().zip(speech).enumerate();
    mixed
        .map(|(i, (noise, speech))| if i / 9600 % 2 == 0 { noise.saturating_add(speech) } else { *noise })
        .collect()
}

fn overload() -> Vec<i16> {
    signal::speech(72, 8000, SAMPLES).iter().map(|sample| sample.saturating_mul(40)).collect()
}

/// Digests of what the ITU's code made of a signal: three streams, and four outputs from the one with VAD.
struct Proof {
    signal: fn() -> Vec<i16>,
    rate: Rate,
    plain: &'static str,
    vad: &'static str,
    no_high_pass: &'static str,
    decoded: &'static str,
    no_postfilter: &'static str,
    every_7th_lost: &'static str,
    bursts_lost: &'static str,
}

#[test]
fn every_option_matches_the_itu_code_by_digest() {
    let proofs = [
        Proof {
            signal: speech,
            rate: Rate::High,
            plain: "12dd4a03be1a49a55b659809df678065fdaf4e99f014aaa74e230e18664aa781",
            vad: "f7f79190a6e88df707bdd017c41defcc59cc483c16e6ca1416d92eab69ebff38",
            no_high_pass: "357f2786cb623da14a3923ab6f6bf575ea6c019f758d4b38203a0b22d517b046",
            decoded: "87cf51b8497cc59f5ffc65e535e9edb4c8bb866a22f0d3f621d82f6fc55834e5",
            no_postfilter: "d03a5c4e244ba24f05bbc6ce0bad7b3c2ed90bfb837cc4b171b54b3d7c09ce8d",
            every_7th_lost: "bb4b079e43b4379189ae20067868ffff76ea71d068531b169d1447ff5e3cfc39",
            bursts_lost: "461932bde1c1b0eb37ab77021342bb3ee3031e4d5409d3cfda1a7f5a103b3e74",
        },
        Proof {
            signal: speech,
            rate: Rate::Low,
            plain: "21e637efdbeff8497687665680fbb99ae5f80eeffd07c4460b3374a9f1a87f25",
            vad: "c81bb7a6992d01ac5ad01c91edecf8204b1ba7e4025b1edc5528a6be6e1c7716",
            no_high_pass: "0d27877d36ca04752ba4e1d4ad790fea866795c0c43f9954abee8e5b0b7903e6",
            decoded: "5a908b2874021b5abf0e9396ed7d5a6d8e38c2e006ba3e803e42c91071103504",
            no_postfilter: "39b84b9edb3845efa76e0eda7afb6d4fdad95fa88c1b219f2b57c56ecb30abcd",
            every_7th_lost: "24f70787e870201f17f5e879d60cabb851132ec1952779e8c7f728690877177a",
            bursts_lost: "ded50359a06ed321a48337cd24938c77d51b0b4f045e08c1173080de08537755",
        },
        Proof {
            signal: pauses,
            rate: Rate::High,
            plain: "abb1818fe0e1714a9bc061c453f77ae8bccd6e9a10f062a6929d620750c37e99",
            vad: "8c23dc5015a6702866b76a226edc31dac0b9f3350326dd670b693f377cbb28ac",
            no_high_pass: "48b8da52475307d4784b01462ac273698daae985bdb6f87265bc81fd421a56ad",
            decoded: "5fab54d734f3ae461952b9d203af95f4aebf8a120715891bd3cdf9a1d79e6e19",
            no_postfilter: "fea5d3944ef173b53d8c39f2319752100502ab33816eeb7d5d812ca81192e272",
            every_7th_lost: "44674084283dae66a833ef6adeea5ee94859e77c18e2add7189acbe069b4fcaf",
            bursts_lost: "0bd33613a17fcc263546edb1b68b90b2260a625a0eb0118b71bab702062c6043",
        },
        Proof {
            signal: pauses,
            rate: Rate::Low,
            plain: "b797cccc8f38424b8aeac584e7e9b5029bab30dee12a259f3b40bcd40d2198f9",
            vad: "e1fe36fa48dcdb97341652b0956637dc03c65f4e37acd2012a164ed7efd13b9c",
            no_high_pass: "304009879c4edc6c2b80232101801bcdb96c2034443b56b9e8ecb522ab388f4a",
            decoded: "f9f0f5a75189e0f01a296a7737b9b318c898d1a38d70773be417534edabf2198",
            no_postfilter: "6ce682e565dd46d7c90b7dc8c6485891abb8ce9562bd3fd2bd17dff816d6d515",
            every_7th_lost: "3cf6de63de804c51aee56cdd125501c181a3b6e52dfcbec67671ee243518a923",
            bursts_lost: "a47e746b9e115a96614cb2a6347dcd090b0f60095c46257725be699b1c40c549",
        },
        Proof {
            signal: overload,
            rate: Rate::High,
            plain: "dfa5d68817e0e01918b11d082230f22f2d2de473735042b74ad0ea82b99d0dd9",
            vad: "dfa5d68817e0e01918b11d082230f22f2d2de473735042b74ad0ea82b99d0dd9",
            no_high_pass: "83205ad8631ff93f56c691aa15b5bba63c0e84a2a5f1c10a6f6716f0cee4aa3a",
            decoded: "efa42d584c41274282a5f5cdc7175ab287ef7684ece44428049ca76e74bb6a99",
            no_postfilter: "a4ef3f6d765b853a8844e64618a8bdebb94ed273cc0fa06b4266443ad7781ccf",
            every_7th_lost: "c2a8d3f637749e5c2b0e435ee3ca37f1c396b22d530d0af415c3ffd28061fddf",
            bursts_lost: "06f692f27816094f38ebcd77e2aa0341702f88105a472ad621f0642baa9d3f94",
        },
        Proof {
            signal: overload,
            rate: Rate::Low,
            plain: "212b65c80d67b13f6dbadf597b3ca134168e38315d888cb85e0ab8e54ed9f546",
            vad: "212b65c80d67b13f6dbadf597b3ca134168e38315d888cb85e0ab8e54ed9f546",
            no_high_pass: "8f88b0cba8e760b2e56e1e2d8902f0ca1c4fee4fbb55861ea6f4f76e44ff971c",
            decoded: "0d31affa98fdf8fe60fe42e7a805d8114c797dad9ab5ca7d347e87c83663b73b",
            no_postfilter: "8a9d0cc7dc93374da45147cbb833e9372ffad357719977d4f7ac82d5e0864d88",
            every_7th_lost: "6224468af55310b1066e076b8603e8f9e4673b888489f18c0e077008bda88097",
            bursts_lost: "8271012c500059dc3bc22bfcc3d9a076f7e31bd4c0bd68793f8f5b1abceea772",
        },
    ];
    for proof in proofs {
        let pcm = (proof.signal)();
        let settings = Settings { rate: proof.rate, vad: false, high_pass: true };
        assert_eq!(sha256(&encoded(settings, &pcm)), proof.plain, "{settings:?}");
        let settings = Settings { high_pass: false, ..settings };
        assert_eq!(sha256(&encoded(settings, &pcm)), proof.no_high_pass, "{settings:?}");
        let settings = Settings { vad: true, high_pass: true, ..settings };
        let file = encoded(settings, &pcm);
        assert_eq!(sha256(&file), proof.vad, "{settings:?}");
        assert_eq!(sha256_pcm(&decoded(true, &file, Loss::None)), proof.decoded, "{:?}", proof.rate);
        assert_eq!(sha256_pcm(&decoded(false, &file, Loss::None)), proof.no_postfilter, "{:?}", proof.rate);
        assert_eq!(sha256_pcm(&decoded(true, &file, Loss::Every7)), proof.every_7th_lost, "{:?}", proof.rate);
        assert_eq!(sha256_pcm(&decoded(true, &file, Loss::Burst)), proof.bursts_lost, "{:?}", proof.rate);
    }
}

/// What a row of the vectors asks for.
fn made(row: &Row, input: &[u8]) -> Vec<u8> {
    if row.operation.starts_with("encode") {
        let settings = Settings {
            rate: if row.operation.contains("5.3 kbit/s") { Rate::Low } else { Rate::High },
            vad: row.operation.contains("VAD on"),
            high_pass: row.operation.contains("high-pass on"),
        };
        let pcm: Vec<i16> =
            input.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        return encoded(settings, &pcm);
    }
    octets(&decoded(row.operation.contains("postfilter on"), input, row.loss()))
}

#[test]
fn every_row_of_the_vectors_matches() {
    let Some(folder) = folder("g7231") else { return };
    let rows = folder.rows();
    for row in &rows {
        let input = folder.read(&row.made_from).expect("an input file");
        assert!(row.matches(&made(row, &input)), "{}: {}", row.output, row.operation);
    }
    println!("vectors: {} of {} files of g7231 compared, all the same", rows.len(), rows.len());
    assert_eq!(rows.len(), 88);
}

#[test]
fn the_rate_can_change_with_each_frame() {
    let pcm = signal::speech(5, 8000, 40 * FRAME);
    let mut encoder = Encoder::new(Settings { vad: false, ..Settings::default() });
    let mut decoder = Decoder::new(true);
    let (mut heard, mut out) = (Vec::new(), [0; FRAME]);
    for (i, frame) in pcm.as_chunks::<FRAME>().0.iter().enumerate() {
        let rate = if i % 3 == 0 { Rate::Low } else { Rate::High };
        encoder.set_rate(rate);
        let mut octets = [0; 24];
        let frame_type = encoder.encode_frame(frame, &mut octets);
        assert_eq!(frame_type.octets(), rate.octets());
        assert_eq!(decoder.decode_frame(&octets, &mut out), Ok(frame_type));
        heard.extend(out);
    }
    // 7.5 ms of look-ahead lie between the two.
    let quality = snr(&pcm, &heard[60..]);
    assert!(quality > 4.0, "{quality} dB");
}

#[test]
fn a_payload_holds_several_frames_and_a_pause_ends_it() {
    let mut pcm = signal::speech(9, 8000, 8 * FRAME);
    pcm.resize(60 * FRAME, 0);
    let mut encoder = Encoder::new(Settings::default());
    let mut decoder = Decoder::new(true);
    let reference = frames_of(&encoded(Settings::default(), &pcm));
    let (mut rest, mut sent, mut kinds) = (&pcm[..], Vec::new(), [0; 2]);
    while !rest.is_empty() {
        let asked = rest.len().min(3 * FRAME);
        let mut out = [0; 72];
        let Encoded { octets, samples } = encoder.encode(&rest[..asked], &mut out).expect("whole frames");
        assert!(samples > 0 && samples <= asked && samples % FRAME == 0);
        let payload = &out[..octets];
        if octets == 0 {
            assert_eq!(samples, FRAME, "a frame that is not sent comes alone");
        }
        kinds[usize::from(octets == 0)] += 1;
        let mut heard = [0; 3 * FRAME];
        let expected = frames(payload).len().max(1) * FRAME;
        assert_eq!(decoder.decode(payload, &mut heard), Ok(expected));
        sent.extend_from_slice(payload);
        rest = &rest[samples..];
    }
    assert!(kinds[0] > 3 && kinds[1] > 10, "{kinds:?} payloads and pauses");
    // On the wire the same as in the file, but for the frames that are not transmitted.
    let transmitted: Vec<u8> = reference.into_iter().filter(|frame| frame.len() > 1).flatten().collect();
    assert_eq!(sent, transmitted);
}

fn frames_of(file: &[u8]) -> Vec<Vec<u8>> {
    frames(file).into_iter().map(<[u8]>::to_vec).collect()
}

#[test]
fn wrong_lengths_are_errors_and_change_nothing() {
    let pcm = signal::speech(3, 8000, 2 * FRAME);
    let mut encoder = Encoder::new(Settings { vad: false, ..Settings::default() });
    let mut out = [0; 48];
    assert_eq!(encoder.encode(&pcm[1..], &mut out), Err(CodecError::PartialFrame { frame: FRAME, got: 479 }));
    assert_eq!(encoder.encode(&[], &mut out), Err(CodecError::PartialFrame { frame: FRAME, got: 0 }));
    assert_eq!(encoder.encode(&pcm, &mut out[1..]), Err(CodecError::OutputTooShort { needed: 48, got: 47 }));
    assert_eq!(encoder.encode(&pcm, &mut out), Ok(Encoded { octets: 48, samples: 480 }));
    assert_eq!(out.to_vec(), encoded(Settings { vad: false, ..Settings::default() }, &pcm));

    let mut decoder = Decoder::new(true);
    let mut heard = [0; 2 * FRAME];
    for got in [1, 23, 25, 47] {
        let Err(CodecError::PayloadLength { got: said, .. }) = decoder.decode(&out[..got], &mut heard) else {
            panic!("{got} octets were decoded");
        };
        assert_eq!(said, got);
    }
    let error = CodecError::OutputTooShort { needed: 480, got: 479 };
    assert_eq!(decoder.decode(&out, &mut heard[1..]), Err(error));
    assert_eq!(decoder.conceal(&mut heard[1..]), Err(CodecError::PartialFrame { frame: FRAME, got: 479 }));
    assert_eq!(decoder.decode(&out, &mut heard), Ok(480));
    assert_eq!(heard.to_vec(), decoded(true, &out, Loss::None));
}

#[test]
fn garbage_of_every_length_does_no_harm() {
    let mut random = Random::new(4);
    let mut decoder = Decoder::new(true);
    let mut pcm = [0; 200 * FRAME];
    for length in 0..200 {
        for _ in 0..10 {
            let mut payload = vec![0; length];
            random.fill(&mut payload);
            match decoder.decode(&payload, &mut pcm) {
                Ok(samples) => assert_eq!(samples % FRAME, 0),
                Err(CodecError::PayloadLength { got, .. }) => assert_eq!(got, length),
                Err(error) => panic!("{error}"),
            }
            // Single frames reach every combination of bits.
            let mut frame = [0; 24];
            random.fill(&mut frame);
            let out = pcm.first_chunk_mut().expect("a frame");
            assert_eq!(decoder.decode_frame(&frame, out), Ok(FrameType::of(frame[0])));
        }
    }
    // It recovers: a second after the garbage it sounds as a decoder does that never had any.
    let file = encoded(Settings { vad: false, ..Settings::default() }, &speech());
    let mut clean = Decoder::new(true);
    let (mut meant, mut heard) = (Vec::new(), Vec::new());
    for frame in frames(&file) {
        let (mut a, mut b) = ([0; FRAME], [0; FRAME]);
        clean.decode_frame(frame, &mut a).expect("a frame");
        decoder.decode_frame(frame, &mut b).expect("a frame");
        meant.extend(a);
        heard.extend(b);
    }
    let quality = snr(&meant[8000..], &heard[8000..]);
    assert!(quality > 20.0, "{quality} dB");
}

#[test]
fn the_encoder_takes_every_signal() {
    let mut random = Random::new(8);
    for settings in [Rate::High, Rate::Low].map(|rate| Settings { rate, ..Settings::default() }) {
        let mut encoder = Encoder::new(settings);
        let mut out = [0; 24];
        for kind in 0..60 {
            let frame: [i16; FRAME] = core::array::from_fn(|n| match kind % 6 {
                0 => random.next() as i16,
                1 => i16::MIN,
                2 => [i16::MIN, i16::MAX][n % 2],
                3 => [i16::MIN, i16::MAX][n / 20 % 2],
                4 => 0,
                _ => [1, -1][n / 7 % 2],
            });
            encoder.encode_frame(&frame, &mut out);
        }
    }
}

#[test]
fn a_reset_is_a_new_start() {
    let pcm = speech();
    let settings = Settings { rate: Rate::Low, ..Settings::default() };
    let mut encoder = Encoder::new(settings);
    let mut out = [0; 24];
    for frame in pcm.as_chunks::<FRAME>().0 {
        encoder.encode_frame(frame, &mut out);
    }
    encoder.reset();
    assert_eq!(format!("{encoder:?}"), format!("{:?}", Encoder::new(settings)));
    let mut decoder = Decoder::new(false);
    decoder.decode_frame(&out, &mut [0; FRAME]).expect("a frame");
    decoder.reset();
    assert_eq!(format!("{decoder:?}"), format!("{:?}", Decoder::new(false)));
}

#[test]
fn lost_frames_fade_to_silence() {
    let file = encoded(Settings { vad: false, ..Settings::default() }, &speech());
    let mut decoder = Decoder::new(true);
    let mut pcm = [0; FRAME];
    for frame in frames(&file).iter().take(30) {
        decoder.decode_frame(frame, &mut pcm).expect("a frame");
    }
    let mut silence = [1; 12 * FRAME];
    assert_eq!(decoder.conceal(&mut silence), Ok(12 * FRAME));
    assert!(silence[..FRAME].iter().any(|sample| sample.abs() > 50));
    assert!(silence[11 * FRAME..].iter().all(|sample| sample.abs() < 4));
}

#[cfg(feature = "alloc")]
#[test]
fn the_description_says_what_sdp_needs() {
    let spec = g7231::SPEC;
    assert_eq!(
        (spec.name, spec.payload_type, spec.rtp_clock, spec.frame_samples),
        ("G723", Some(4), 8000, 240)
    );
    assert_eq!((spec.octets(30), spec.samples(30)), (24, 240));
    let parsed = sidetone_codecs::Fmtp::parse(spec.fmtp, "bitrate=5.3;annexa=no").expect("both are known");
    assert_eq!((parsed.get("bitrate"), parsed.get("annexa")), (Some(53), Some(0)));
    assert_eq!(parsed.to_string(), "bitrate=5.3;annexa=no");
    let agreed = spec.defaults().agree(&parsed).expect("the same format");
    let mut encoder = spec.encoder_with(&agreed);
    let mut out = [0; 24];
    assert_eq!(encoder.encode(&[0; 240], &mut out), Ok(Encoded { octets: 20, samples: 240 }));
    assert_eq!(spec.decoder().decode(&out[..20], &mut [0; FRAME]), Ok(FRAME));
}

#[test]
fn states_have_the_documented_size() {
    assert_eq!((size_of::<Encoder>(), size_of::<Decoder>()), (ENCODER_BYTES, DECODER_BYTES));
    assert_eq!((ENCODER_BYTES, DECODER_BYTES), (1440, 410));
}
