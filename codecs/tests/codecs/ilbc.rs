//! iLBC against the floating-point code of RFC 3951.

use crate::common::signal::{Random, noise, speech};
use crate::common::vectors::{Folder, Loss, Row, folder};
use crate::common::{octets, sha256, sha256_pcm, snr};
use sidetone_codecs::ilbc::{DECODER_BYTES, Decoder, ENCODER_BYTES, Encoder, Mode, SPEC};
use sidetone_codecs::{CodecError, Decoder as _, Encoder as _, Fmtp};

fn encode(mode: Mode, pcm: &[i16]) -> Vec<u8> {
    let mut encoder = Encoder::new(mode);
    let mut bits = vec![0; pcm.len() / mode.samples() * mode.octets()];
    let pcm = &pcm[..bits.len() / mode.octets() * mode.samples()];
    let mut out = bits.chunks_exact_mut(mode.octets());
    for frame in pcm.chunks_exact(mode.samples()) {
        let encoded = encoder.encode(frame, out.next().expect("room for a frame")).expect("a frame");
        assert_eq!((encoded.octets, encoded.samples), (mode.octets(), mode.samples()));
    }
    bits
}

fn decode(mode: Mode, enhance: bool, lost: impl Fn(usize) -> bool, bits: &[u8]) -> Vec<i16> {
    let mut decoder = Decoder::new(mode).enhancer(enhance);
    let mut pcm = vec![0; bits.len() / mode.octets() * mode.samples()];
    for (n, (frame, out)) in bits.chunks(mode.octets()).zip(pcm.chunks_mut(mode.samples())).enumerate() {
        let samples = if lost(n) { decoder.conceal(out) } else { decoder.decode(frame, out) };
        assert_eq!(samples, Ok(mode.samples()));
    }
    pcm
}

fn make(row: &Row, folder: &Folder) -> Vec<u8> {
    let mode = if row.output.contains("20ms") { Mode::Ms20 } else { Mode::Ms30 };
    if row.operation.starts_with("encode") {
        return encode(mode, &folder.pcm(&row.made_from).expect("a signal"));
    }
    let enhance = !row.operation.contains("enhancer off");
    octets(&decode(mode, enhance, |n| row.loss().is_lost(n), &folder.read(&row.made_from).expect("bits")))
}

#[test]
fn every_vector_is_the_same_to_the_bit() {
    let Some(folder) = folder("ilbc") else { return };
    let rows = folder.rows();
    let different: Vec<_> =
        rows.iter().filter(|row| !row.matches(&make(row, &folder))).map(|row| &row.output).collect();
    println!("ilbc: {} of {} files the same", rows.len() - different.len(), rows.len());
    assert!(different.is_empty(), "different: {different:?}");
    assert_eq!(rows.len(), 40);
}

/// What the RFC's code, compiled for strict IEEE arithmetic, makes of a signal.
struct Reference {
    mode: Mode,
    bits: &'static str,
    /// Decoded with the enhancer, without it, and with it under both patterns of loss.
    enhanced: &'static str,
    plain: &'static str,
    every7: &'static str,
    burst: &'static str,
}

const SPEECH: [Reference; 2] = [
    Reference {
        mode: Mode::Ms20,
        bits: "3aa533eed75f4e3ea270cc9cf23f7d91c8c13185b41ef8109f092ed254a26edb",
        enhanced: "7532d99d8bdbc36e312f7aeca03296713b75fe4c3f97c1c619e0cbf89cce2c2f",
        plain: "21f2a5c402f36c6ba9280b2279ee5b2a1a93f69d6fbc6b1bef923f5b85dad062",
        every7: "eedcf934ea3fbe42e8244d0b606e543bd6c365b16b628a06308fc6f23eda94f1",
        burst: "8bfaa9645cf95147b84808ece4d2ae181d836dee751cb9f2c558155ef1985a10",
    },
    Reference {
        mode: Mode::Ms30,
        bits: "31466063aa991389627936bf746a2251b70e155f5ffcec20cfcf3272ebd25497",
        enhanced: "893ca5d5f8cab25c1646ff861d93103dc3df85d2b4b2ac2bf790bf449cb489a9",
        plain: "df6a1bf842472c8114bcdc81f686b4f178f468c945de4ec91b3a3e985e372af5",
        every7: "2a1dc1415af8934ab17fc49b391ef564abe39acade8df4605e1876a37941aea0",
        burst: "d971544e205e68200ce45fa9a8c5cca92eee418f7333b6e497ea1d62aa73a760",
    },
];

const NOISE: [Reference; 2] = [
    Reference {
        mode: Mode::Ms20,
        bits: "84ac3da8305e3e66bde692acae2007a88dcbe017b90961e651778adcc749150c",
        enhanced: "9468ae06e0485b6cb13dace61d22a5219493c90937b7fe0d00c41dcf456a26dd",
        plain: "8d1a069bd7ac7119c8cf7daf5bff9f116a6db1ff6d18a094f620d4759f49072b",
        every7: "8898444d0a16ac5dc1485e2d406b80b654609dfb8bd25e5d6d73f12e1e96749c",
        burst: "a3263d478a24145ed97a99383b8833c0bfd5407d044054cbb77bd54edc4397a8",
    },
    Reference {
        mode: Mode::Ms30,
        bits: "a6737b4e685caf6f49477906cdfa5a5c9a4dc4198ce02d9342ff676056248aeb",
        enhanced: "cf84e2f1028602b955724b195328a78151a68ae441cd028c6dea949061ae0c2d",
        plain: "98e00b9c53e3fb5b5e2261b79055a8800c30d7c201b7a513b5d0b3ed3efbe166",
        every7: "ca0f09f81fa66e6f1ac646f64faedea0e7ad9eafa914fe36b29d58836c145c23",
        burst: "c941928e31058663b1a50f92c8297cf870514f7a722c6d355e62ae94a205c78d",
    },
];

fn assert_as_the_reference(pcm: &[i16], references: &[Reference]) {
    for Reference { mode, bits: expected, enhanced, plain, every7, burst } in references {
        let bits = encode(*mode, pcm);
        assert_eq!(sha256(&bits), *expected, "{mode:?} bits");
        for (enhance, loss, expected) in [
            (true, Loss::None, enhanced),
            (false, Loss::None, plain),
            (true, Loss::Every7, every7),
            (true, Loss::Burst, burst),
        ] {
            let decoded = decode(*mode, enhance, |n| loss.is_lost(n), &bits);
            assert_eq!(sha256_pcm(&decoded), *expected, "{mode:?}, enhancer {enhance}, loss {loss:?}");
        }
    }
}

#[test]
fn speech_is_as_the_reference_by_digest() {
    assert_as_the_reference(&speech(3951, 8000, 96_000), &SPEECH);
}

#[test]
fn full_scale_noise_is_as_the_reference_by_digest() {
    assert_as_the_reference(&noise(3952, 32_767, 24_000), &NOISE);
}

#[test]
fn several_frames_make_one_payload() {
    let pcm = speech(1, 8000, 1440);
    for mode in [Mode::Ms20, Mode::Ms30] {
        let one_by_one = encode(mode, &pcm);
        let mut payload = vec![0; one_by_one.len() + 7];
        let encoded = Encoder::new(mode).encode(&pcm, &mut payload).expect("whole frames");
        assert_eq!((encoded.octets, encoded.samples), (one_by_one.len(), pcm.len()));
        assert_eq!(payload[..encoded.octets], one_by_one);
        let mut at_once = vec![0; pcm.len()];
        assert_eq!(Decoder::new(mode).decode(&one_by_one, &mut at_once), Ok(pcm.len()));
        assert_eq!(at_once, decode(mode, true, |_| false, &one_by_one));
    }
}

#[test]
fn wrong_lengths_are_errors_that_say_them() {
    let mut decoder = Decoder::new(Mode::Ms20);
    let mut pcm = [0; 320];
    for got in [0, 1, 37, 39, 50, 75] {
        let error = CodecError::PayloadLength { got, expected: "one or more frames of 38 octets" };
        assert_eq!(decoder.decode(&[0; 80][..got], &mut pcm), Err(error));
    }
    let short = CodecError::OutputTooShort { needed: 320, got: 319 };
    assert_eq!(decoder.decode(&[0; 76], &mut pcm[..319]), Err(short));
    assert_eq!(decoder.conceal(&mut pcm[..240]), Err(CodecError::PartialFrame { frame: 160, got: 240 }));
    assert_eq!(decoder.conceal(&mut []), Err(CodecError::PartialFrame { frame: 160, got: 0 }));
    let mut encoder = Encoder::new(Mode::Ms30);
    let mut bits = [0; 100];
    assert_eq!(encoder.encode(&[0; 160], &mut bits), Err(CodecError::PartialFrame { frame: 240, got: 160 }));
    assert_eq!(encoder.encode(&[], &mut bits), Err(CodecError::PartialFrame { frame: 240, got: 0 }));
    let short = CodecError::OutputTooShort { needed: 100, got: 99 };
    assert_eq!(encoder.encode(&[0; 480], &mut bits[..99]), Err(short));
}

#[test]
fn a_frame_marked_as_empty_is_concealed() {
    for mode in [Mode::Ms20, Mode::Ms30] {
        let mut bits = encode(mode, &speech(7, 8000, 4800));
        let lost = decode(mode, true, |n| n == 9, &bits);
        bits[10 * mode.octets() - 1] |= 1;
        assert_eq!(decode(mode, true, |_| false, &bits), lost);
    }
}

#[test]
fn a_long_loss_fades_to_silence() {
    for mode in [Mode::Ms20, Mode::Ms30] {
        for enhance in [true, false] {
            let bits = encode(mode, &speech(3, 8000, 16_800));
            let heard = decode(mode, enhance, |n| n * mode.samples() >= 8400, &bits);
            let peak = |pcm: &[i16]| pcm.iter().map(|sample| sample.unsigned_abs()).max();
            assert!(peak(&heard[7200..8400]) > Some(300), "speech before the loss");
            assert!(peak(&heard[8400 + 4000..]) <= Some(1), "silence half a second into the loss");
        }
    }
}

#[test]
fn garbage_gives_samples_and_is_forgotten() {
    let pcm = speech(11, 8000, 19_200);
    let mut random = Random::new(3951);
    for mode in [Mode::Ms20, Mode::Ms30] {
        let good = encode(mode, &pcm);
        for enhance in [true, false] {
            let clean = decode(mode, enhance, |_| false, &good);
            for _ in 0..20 {
                // Frames of noise, here and there a lost one, then the good ones.
                let mut bits = vec![0; 40 * mode.octets()];
                random.fill(&mut bits);
                bits.extend_from_slice(&good);
                let heard = decode(mode, enhance, |n| n < 40 && n % 5 == 3, &bits);
                let after = &heard[40 * mode.samples()..];
                assert!(snr(&clean[8000..], &after[8000..]) > 60.0, "{mode:?} a second after the garbage");
            }
        }
    }
}

#[test]
fn decoded_speech_is_like_the_original() {
    let pcm = speech(5, 8000, 48_000);
    for mode in [Mode::Ms20, Mode::Ms30] {
        let heard = decode(mode, false, |_| false, &encode(mode, &pcm));
        let snr = snr(&pcm, &heard);
        assert!(snr > 5.0, "{mode:?}: {snr:.1} dB");
    }
}

#[test]
fn reset_gives_a_new_one_with_the_same_settings() {
    let pcm = speech(2, 8000, 960);
    let mut bits = [0; 300];
    for mode in [Mode::Ms20, Mode::Ms30] {
        let mut encoder = Encoder::new(mode);
        let encoded = encoder.encode(&pcm, &mut bits).expect("whole frames");
        let first = bits;
        encoder.encode(&pcm, &mut bits).expect("whole frames");
        assert_ne!(first[..50], bits[..50]);
        encoder.reset();
        encoder.encode(&pcm, &mut bits).expect("whole frames");
        assert_eq!(first, bits);
        let mut decoder = Decoder::new(mode).enhancer(false);
        let mut out = [[0; 960]; 2];
        for out in &mut out {
            decoder.decode(&bits[..encoded.octets], out).expect("room for it");
            decoder.reset();
        }
        assert_eq!(out[0], out[1]);
    }
}

#[test]
fn the_mode_is_agreed_as_rfc_3952_says() {
    let said = |line| Fmtp::parse(SPEC.fmtp, line).expect("a good line");
    for (ours, theirs, both) in [
        ("mode=20", "mode=20", Mode::Ms20),
        ("mode=20", "mode=30", Mode::Ms30),
        ("mode=30", "mode=20", Mode::Ms30),
        ("mode=20", "", Mode::Ms30),
        ("", "", Mode::Ms30),
    ] {
        let agreed = said(ours).agree(&said(theirs)).expect("a common mode");
        assert_eq!(Mode::of(&agreed), both, "{ours} and {theirs}");
    }
    assert!(Fmtp::parse(SPEC.fmtp, "mode=25").is_err());
    assert_eq!([38, 50, 76].map(Mode::from_octets), [Some(Mode::Ms20), Some(Mode::Ms30), None]);
}

#[cfg(feature = "alloc")]
#[test]
fn the_spec_makes_what_the_parameters_say() {
    let spec = &SPEC;
    let mut out = [0; 50];
    assert_eq!(spec.encoder().encode(&[0; 240], &mut out).map(|encoded| encoded.octets), Ok(50));
    let twenty = Fmtp::parse(spec.fmtp, "mode=20").expect("a good line");
    assert_eq!(spec.encoder_with(&twenty).encode(&[0; 160], &mut out).map(|encoded| encoded.octets), Ok(38));
    assert_eq!(spec.decoder_with(&twenty).decode(&out[..38], &mut [0; 160]), Ok(160));
}

#[test]
fn states_have_the_documented_size() {
    assert_eq!((ENCODER_BYTES, DECODER_BYTES), (420, 2792));
}
