//! G.722 against the reference programs of the ITU-T: by digest everywhere, file by file where
//! `../shared/vectors` exists.
//!
//! The digests are of the output of the STL's fixed-point G.722 (G.191) and of Appendix IV's reference program
//! (release 3.00, 10 ms frames), run outside this repository on the same signals.

use crate::common::signal::{Random, noise, speech};
use crate::common::vectors::folder;
use crate::common::{octets, sha256, sha256_pcm};
use sidetone_codecs::g722::{self, Decoder, Encoder, Mode};
use sidetone_codecs::{CodecError, Decoder as _, Encoded, Encoder as _};

const MODES: [Mode; 3] = [Mode::Kbit64, Mode::Kbit56, Mode::Kbit48];

fn encoded(pcm: &[i16]) -> Vec<u8> {
    let mut out = vec![0; pcm.len() / 2];
    let mut encoder = Encoder::new();
    for (pcm, out) in pcm.chunks(320).zip(out.chunks_mut(160)) {
        let expected = Encoded { octets: out.len(), samples: pcm.len() };
        assert_eq!(encoder.encode(pcm, out), Ok(expected));
    }
    out
}

fn decoded(mode: Mode, codes: &[u8]) -> Vec<i16> {
    let mut out = vec![0; codes.len() * 2];
    let mut decoder = Decoder::with_mode(mode);
    for (codes, out) in codes.chunks(160).zip(out.chunks_mut(320)) {
        assert_eq!(decoder.decode(codes, out), Ok(out.len()));
    }
    out
}

/// Decodes with losses, by packets of so many milliseconds.
fn concealed(codes: &[u8], millis: usize, is_lost: impl Fn(usize) -> bool) -> Vec<i16> {
    let mut out = vec![0; codes.len() * 2];
    let mut decoder = Decoder::new();
    for (n, (codes, out)) in codes.chunks(8 * millis).zip(out.chunks_mut(16 * millis)).enumerate() {
        let done = if is_lost(n) { decoder.conceal(out) } else { decoder.decode(codes, out) };
        assert_eq!(done, Ok(out.len()));
    }
    out
}

/// Full scale up and down at eight frequencies, up to a half of the sampling rate.
fn extremes() -> Vec<i16> {
    let level = |n: usize| {
        let half_period = [1, 2, 3, 7, 40, 400, 6, 1].get(n / 2000).copied().unwrap_or(1);
        if (n / half_period).is_multiple_of(2) { i16::MAX } else { i16::MIN }
    };
    (0..16_000).map(level).collect()
}

fn random_octets() -> Vec<u8> {
    let mut codes = vec![0; 16_000];
    Random::new(722).fill(&mut codes);
    codes
}

#[test]
fn made_signals_are_coded_as_by_the_stl() {
    for (name, pcm, digest) in [
        (
            "speech",
            speech(722, 16_000, 96_000),
            "1b72854f90db4fce3690a78a16bd6e55d8bba4ad3b093c729d345d28a3d3702e",
        ),
        (
            "noise",
            noise(722, i16::MAX, 16_000),
            "d5d7589524e49be4863e9dc5a08ec8d2eafc4b606246ff905db3e6e4243b1728",
        ),
        ("extremes", extremes(), "263e120d5c6881fa3f1584604ebc5385d5c11e2ea498c5624c3a0e45da27e4d7"),
    ] {
        assert_eq!(sha256(&encoded(&pcm)), digest, "{name}");
    }
}

#[test]
fn made_signals_are_decoded_as_by_the_stl_in_every_mode() {
    for (name, codes, digests) in [
        (
            "speech",
            encoded(&speech(722, 16_000, 96_000)),
            [
                "d5e771d8fe52366e2c67c4a7ccbb75bc851493846412b9cc3f7c52e85eb9bfe3",
                "6b557f7d8ba500626ef5c6883b24666cc1d85e1a0ea2811127d4e6b683f908a5",
                "4b0951f10974287123e4292c79872bcff63a05e66e7d00dab620f7a289b30a14",
            ],
        ),
        (
            "noise",
            encoded(&noise(722, i16::MAX, 16_000)),
            [
                "59b1050e78797f92585254c60b28f3f02dc66fc66786600e2545492959ca71bd",
                "882e4db1eae52a51051b84b7109e96d048f1adb20586f7cda9e239ab40660a2c",
                "2be2d5cdcf9669bed4fe7ff4a33df790d3ff9d58edd1c5caed22185172caec06",
            ],
        ),
        (
            "extremes",
            encoded(&extremes()),
            [
                "a1bba7261082c90046c7f44030d7ef7a5c5bf0a842604f85ad124bad1b309dfb",
                "65ee406756d7697566249933ba652755ed81816c8f5ce519ec2e0ef43bfc070b",
                "c8f6a8db60f81b079deeefe68e275a71569f21681b5a85ac75837b9300190874",
            ],
        ),
        (
            "random octets",
            random_octets(),
            [
                "c2d15fe43a1db8976d0556d57f6c83189993d114f6756ec9f6748411c87aedd2",
                "ca5fb1ae9fc7c4671a60c37fa2065faf0e16fbabae8207ffa2a821094bd80914",
                "4e8e0977f42a9321b5b986780a097def3eacec36b115ef07d6a81fa6a5f18c23",
            ],
        ),
    ] {
        for (mode, digest) in MODES.into_iter().zip(digests) {
            assert_eq!(sha256_pcm(&decoded(mode, &codes)), digest, "{name}, {mode:?}");
        }
    }
}

/// Two losses that are further apart than the 4 s for which a loss changes the good signal behind it.
fn rarely(packet: usize) -> bool {
    packet == 10 || packet == 250
}

fn often(packet: usize) -> bool {
    matches!(packet * packet % 11, 3 | 5)
}

/// Long enough to fade out.
fn for_long(packet: usize) -> bool {
    packet % 40 >= 34
}

#[test]
fn losses_are_concealed_as_by_the_program_of_appendix_iv() {
    let patterns = [("rarely", rarely as fn(usize) -> bool), ("often", often), ("for long", for_long)];
    for (name, codes, digests) in [
        (
            "speech",
            encoded(&speech(722, 16_000, 96_000)),
            [
                "cfccd6a685df486428688a203910938d30d40d12e7f23a883676469959231377",
                "df203e2c0f23e62a4c3be085456c2558d36d72b9f81feed5b9850953e94c87e9",
                "dff4bbdd1dcbe0efca93f31fbf7de6e8cae050b593916c4afbe01822a636852a",
                "3b8340c333dba0aabd145d7d119b3e40b9448c8b607c2a482967cf342eb33dc2",
                "d5c96ecf9841f460b47ba71dca24b37e788ac82bf41c32a828e96c2fec5849bd",
                "94293b008f9131cf5be7ce2464228ac2a68cfb170b8b1a76feb0a7e451cee57b",
            ],
        ),
        (
            "noise",
            encoded(&noise(722, i16::MAX, 16_000)),
            [
                "ccb62ddcc2aa44aee158da7397c2c3663ff29c9bb9817c06c2842745e62a1181",
                "4fb6fa3da999beb41515992d6dbbf921ac15af2594b2f72fa287863181233661",
                "b528c0f3ea262fc279c96bdd375fcc5f77b4902a2636ae6f3b74dfdd9e19059c",
                "01690bdd25eb30a752efb5a9a61d25102220de7a619fecce6f0209e0d10f210e",
                "f6f0b4c422bbc0604496569d1e33073a72dd23f959d09baffe8ba9466f5816c2",
                "67cf28ed7b5ede2a4ca7f47b7a9908dc8954e82be9275bb8ec4597b653895305",
            ],
        ),
        (
            "extremes",
            encoded(&extremes()),
            [
                "704b4b7158ee12555f17e3b3f73734030de4489f4e42c18ec8aac4b47c4103e4",
                "2a5c74a971e41d4e93d82c88c19248a19c759c1120119ab531a105f598f32ece",
                "4d522d24ba55d9d108a62b107d0bfea73cfb5a661adca430fa7e3a893e3e3ee0",
                "0a3012533e9213c85c36797d5f336fcf43abc1a162138c91f4ad350cd1ebb5c1",
                "0a5dbc981c564bf7fb59b175387319d19ae39a34b8be22bbd26cede05e38cc8a",
                "025c22efe7558a45d0a3ba9ad3d2a5a2b8ab152ef4c229e7a739f6ad4e2d6601",
            ],
        ),
        (
            "random octets",
            random_octets(),
            [
                "283f264f233bf177e80bf999b1fade7b02a7bf51a5fd0d775d0bbd25426e1660",
                "e4dea1bc91e1a2beb40099294bd9c65109a59e11ec4eef3a1601ceda7effe236",
                "6e2cbdbff32e6724af6a29c08af9640bfb439f9af77dd1c8e8b2a99769d587b9",
                "1062f0c607dcac1077478b5f785d5b66faefd6eb9668a7f7164ca1df4828f555",
                "67ed65103cde4141a04486e043ce4fe64b52c76ba0c67ee60367e1ec77372365",
                "c3e376c81cf00fd36a6943a6cc676633ede823d809093255c3c1c10a1c631794",
            ],
        ),
    ] {
        let cases = patterns.iter().flat_map(|pattern| [10, 20].map(|millis| (pattern, millis)));
        for (((pattern, is_lost), millis), digest) in cases.zip(digests) {
            let pcm = concealed(&codes, millis, is_lost);
            assert_eq!(sha256_pcm(&pcm), digest, "{name}, packets of {millis} ms lost {pattern}");
        }
    }
}

#[test]
fn every_row_of_the_vectors_matches() {
    let Some(folder) = folder("g722") else { return };
    let rows = folder.rows();
    let mut same = 0;
    for row in &rows {
        let input = "the file that an output is made from";
        let made = match row.operation.split_once(" mode ") {
            None => encoded(&folder.pcm(&row.made_from).expect(input)),
            Some((_, mode)) => {
                let mode = Mode::from_number(mode.parse().expect("a digit")).expect("a mode");
                octets(&decoded(mode, &folder.read(&row.made_from).expect(input)))
            }
        };
        assert!(row.matches(&made), "{}: {}", row.output, row.operation);
        same += 1;
    }
    println!("vectors: {same} of {} outputs of g722 compared, all the same", rows.len());
    assert_eq!(same, 20);
}

#[test]
fn any_even_length_gives_the_same_octets_and_samples() {
    let pcm = speech(5, 16_000, 12_000);
    let codes = encoded(&pcm);
    let whole = decoded(Mode::Kbit64, &codes);
    let mut random = Random::new(5);
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    let mut at = 0;
    while at < codes.len() {
        let count = (1 + random.below(500) as usize).min(codes.len() - at);
        let mut out = vec![0; count];
        let mut heard = vec![0; 2 * count];
        assert_eq!(encoder.encode_pairs(&pcm[2 * at..][..2 * count], &mut out), count);
        assert_eq!(out, codes[at..][..count]);
        assert_eq!(decoder.decode_pairs(&out, &mut heard), 2 * count);
        assert_eq!(heard, whole[2 * at..][..2 * count]);
        at += count;
    }
}

#[test]
fn the_bits_that_a_mode_does_not_use_are_zero_and_ignored() {
    let pcm = speech(6, 16_000, 8000);
    let all = encoded(&pcm);
    for (mode, used) in MODES.into_iter().zip([0xff, 0xfe, 0xfc]) {
        let mut codes = vec![0; all.len()];
        Encoder::with_mode(mode).encode_pairs(&pcm, &mut codes);
        assert!(codes.iter().zip(&all).all(|(code, all)| *code == all & used));
        assert_eq!(decoded(mode, &codes), decoded(mode, &all));
    }
}

#[test]
fn modes_have_numbers_and_rates() {
    let modes = [0, 1, 2, 3, 4].map(Mode::from_number);
    assert_eq!(modes, [None, Some(Mode::Kbit64), Some(Mode::Kbit56), Some(Mode::Kbit48), None]);
    assert_eq!(MODES.map(Mode::bit_rate), [64_000, 56_000, 48_000]);
}

#[test]
fn the_voice_comes_back_after_garbage() {
    let codes = encoded(&speech(7, 16_000, 64_000));
    let clean = decoded(Mode::Kbit64, &codes);
    let mut decoder = Decoder::new();
    let mut heard = vec![0; 32_000];
    decoder.decode_pairs(&random_octets(), &mut heard);
    let mut heard = vec![0; clean.len()];
    decoder.decode_pairs(&codes, &mut heard);
    // The predictors leak: after a second nothing is left of the garbage.
    assert_eq!(clean[16_000..], heard[16_000..]);
}

#[test]
fn a_loss_of_any_length_fades_to_silence_and_ends() {
    let codes = encoded(&speech(8, 16_000, 32_000));
    let mut random = Random::new(8);
    let mut decoder = Decoder::new();
    let mut heard = vec![0; 16_000];
    decoder.decode_pairs(&codes[..8000], &mut heard);
    for total in [2, 50, 158, 162, 1500] {
        let mut invented = vec![1; total];
        let mut rest = invented.as_mut_slice();
        while !rest.is_empty() {
            let count = (2 + 2 * random.below(200) as usize).min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            assert_eq!(decoder.conceal(now), Ok(count));
            rest = later;
        }
        if total == 1500 {
            assert!(invented[1000..].iter().all(|sample| sample.unsigned_abs() <= 2), "silent after 60 ms");
        }
        let mut heard = vec![0; 16_000];
        decoder.decode_pairs(&codes[8000..], &mut heard);
        assert!(heard[8000..].iter().any(|sample| sample.unsigned_abs() > 500));
    }
}

#[test]
fn wrong_lengths_are_errors_that_say_them() {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    assert_eq!(
        encoder.encode(&[0; 319], &mut [0; 160]),
        Err(CodecError::PartialFrame { frame: 2, got: 319 })
    );
    assert_eq!(
        encoder.encode(&[0; 320], &mut [0; 159]),
        Err(CodecError::OutputTooShort { needed: 160, got: 159 })
    );
    assert_eq!(
        decoder.decode(&[0; 160], &mut [0; 319]),
        Err(CodecError::OutputTooShort { needed: 320, got: 319 })
    );
    assert!(matches!(decoder.decode(&[], &mut [0; 320]), Err(CodecError::PayloadLength { got: 0, .. })));
    assert_eq!(decoder.conceal(&mut [0; 33]), Err(CodecError::PartialFrame { frame: 2, got: 33 }));
    assert_eq!(encoder.encode(&[], &mut []), Err(CodecError::PartialFrame { frame: 2, got: 0 }));
    assert_eq!(decoder.conceal(&mut []), Ok(0));
}

#[test]
fn reset_is_a_new_start_in_the_same_mode() {
    let pcm = speech(9, 16_000, 3200);
    let (mut encoder, mut decoder) = (Encoder::with_mode(Mode::Kbit48), Decoder::with_mode(Mode::Kbit48));
    let mut once = || {
        let (mut codes, mut heard) = ([0; 1600], [0; 3200]);
        encoder.encode_pairs(&pcm, &mut codes);
        decoder.decode_pairs(&codes, &mut heard);
        decoder.conceal_pairs(&mut [0; 320]);
        encoder.reset();
        decoder.reset();
        (codes, heard)
    };
    assert_eq!(once(), once());
}

#[test]
fn states_have_the_documented_size() {
    assert_eq!(g722::ENCODER_BYTES, 134);
    assert_eq!(g722::DECODER_BYTES, 1868);
}

#[test]
fn the_clock_is_not_the_sample_rate() {
    let spec = &g722::SPEC;
    assert_eq!((spec.sample_rate, spec.rtp_clock, spec.payload_type), (16_000, 8000, Some(9)));
    assert_eq!((spec.samples(20), spec.octets(20), spec.ticks(320)), (320, 160, 160));
}

#[test]
fn many_channels_at_a_time_give_what_each_gives_alone() {
    // Two groups of four, and three that are left over; loud, faint and in every mode.
    let pcm: Vec<Vec<i16>> =
        (0..11)
            .map(|n| {
                if n % 4 == 3 {
                    extremes()[n * 50..][..9600].to_vec()
                } else {
                    speech(n as u64, 16_000, 9600)
                }
            })
            .collect();
    let modes: Vec<Mode> = (0..11).map(|n| MODES[n % 3]).collect();
    let mut encoders: Vec<Encoder> = modes.iter().map(|mode| Encoder::with_mode(*mode)).collect();
    let mut decoders: Vec<Decoder> = modes.iter().map(|mode| Decoder::with_mode(*mode)).collect();
    let (mut alone_encoders, mut alone_decoders) = (encoders.clone(), decoders.clone());
    for (at, samples) in [(0, 320), (320, 322), (642, 2), (644, 8956)] {
        let pcm: Vec<&[i16]> = pcm.iter().map(|pcm| &pcm[at..at + samples]).collect();
        let mut codes = vec![vec![0; samples / 2]; 11];
        let mut out: Vec<&mut [u8]> = codes.iter_mut().map(Vec::as_mut_slice).collect();
        assert_eq!(g722::encode_many(&mut encoders, &pcm, &mut out), samples / 2);
        let mut heard = vec![vec![0; samples]; 11];
        let mut out: Vec<&mut [i16]> = heard.iter_mut().map(Vec::as_mut_slice).collect();
        let codes: Vec<&[u8]> = codes.iter().map(Vec::as_slice).collect();
        assert_eq!(g722::decode_many(&mut decoders, &codes, &mut out), samples);
        for n in 0..11 {
            let (mut alone, mut alone_heard) = (vec![0; samples / 2], vec![0; samples]);
            alone_encoders[n].encode_pairs(pcm[n], &mut alone);
            assert_eq!(codes[n], alone, "channel {n} from sample {at}");
            alone_decoders[n].decode_pairs(&alone, &mut alone_heard);
            assert_eq!(heard[n], alone_heard, "channel {n} from sample {at}");
        }
    }
    assert_eq!(g722::encode_many(&mut encoders, &[], &mut []), 0);
    assert_eq!(g722::decode_many(&mut [], &[], &mut []), 0);
}
