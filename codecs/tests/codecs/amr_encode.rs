//! The AMR-NB encoder against opencore-amrnb 0.1.6: by digest everywhere, and row by row where `../shared/vectors`
//! exists.

use crate::common::{sha256, signal, vectors};
use sidetone_codecs::amr::{FRAME_SAMPLES, Frame, FrameEncoder, FrameType, MAGIC, Mode};

/// Speech, faint noise, speech, digital silence, loud noise, a full-scale square wave.
fn mixture() -> Vec<i16> {
    let mut pcm = signal::speech(7, 8000, 24_000);
    pcm.extend(signal::noise(8, 60, 16_000));
    pcm.extend(signal::speech(9, 8000, 8000));
    pcm.extend([0; 8000]);
    pcm.extend(signal::noise(10, 32_767, 4000));
    pcm.extend((0..4000).map(|n| [32_767, -32_768][n / 37 % 2]));
    pcm
}

/// The mode of each frame.
type Modes = fn(usize) -> Mode;

/// A file in storage format (RFC 4867 §5).
fn stored(dtx: bool, pcm: &[i16], mut mode: impl FnMut(usize) -> Mode) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(dtx);
    let mut file = MAGIC.to_vec();
    for (number, frame) in pcm.as_chunks().0.iter().enumerate() {
        let frame = encoder.encode_frame(mode(number), frame);
        file.push(frame.kind().number() << 3 | 4);
        file.extend_from_slice(frame.octets());
    }
    file
}

/// Name, modes, and the digests of what the reference library makes of [`mixture`], without and with DTX.
const REFERENCE: [(&str, Modes, [&str; 2]); 9] = [
    (
        "4.75",
        |_| Mode::Mr475,
        [
            "6637e935f35b83f51e5ce376eadba93260c5db7631cdb296f60a60d05886306a",
            "6ac1103a9779efb36a6891599ecd0548c01f56a514e610126748d4777d97e459",
        ],
    ),
    (
        "5.15",
        |_| Mode::Mr515,
        [
            "60792146458b10163f7b98e9888dc4bfcaeba60bfa2dfbfdce677c45a86aea7b",
            "0931496a2cc53fb256fe6da20c7ddb7e99c88a3cb73b97317bd99662af4cf9cf",
        ],
    ),
    (
        "5.90",
        |_| Mode::Mr590,
        [
            "40fead59343d0a76d4973da7b688bb8a0ece5feb72b4cbe492f37185ec23fc6e",
            "5594217c5cf68fc0b77856c7eda81df03a4025125d1db93f809cbc8d54ef8da3",
        ],
    ),
    (
        "6.70",
        |_| Mode::Mr670,
        [
            "17df3265f9d38d1a61d602077492375c35e7948b4a12110659b4eece728fa839",
            "7b47d955ba2b9e10988cb6690a2f56ae7e3ceca4dc8d7e83cbc35de2c4315631",
        ],
    ),
    (
        "7.40",
        |_| Mode::Mr740,
        [
            "0d67946fcc7cd952391f384d330a9499a545b9d6c34e8153a53d87d84635343a",
            "7f0721fd351adb1f74e25818d6dbd4fed9f1f3888847b6bcef8579143c1c8625",
        ],
    ),
    (
        "7.95",
        |_| Mode::Mr795,
        [
            "e7baa7f7af2babaa6c2c654ddbe1b79f220ade33d0657c9fe1ba8c36b67c773c",
            "b2480a347ea8653c199a5a8e492e818163ee3869be8e693d115859905537830a",
        ],
    ),
    (
        "10.2",
        |_| Mode::Mr1020,
        [
            "71147cf6999ea348743c936fe18dc60601acdb8dd4ca94756f0199dc15df3585",
            "2fb677ce3d66de637f8fb00f218027c4575881f2b956629e2501539a02e7c441",
        ],
    ),
    (
        "12.2",
        |_| Mode::Mr1220,
        [
            "bd530533a24b62e240de9bce89c11366cda74aa1df8036e527ea9f5d43033838",
            "be9ca75b4523887b35f73142f8f361ea9310f408c229687dfd573c6995b5a8b8",
        ],
    ),
    (
        "another mode each frame",
        |frame| Mode::ALL[(frame * 5 + frame / 7) % 8],
        [
            "2645e1262138d5a824d5fc5c716630bbb7584c76b50c7041de54e32efbdef2bc",
            "8c3b328acd9f12367ad14bd8fdc14b2ebab62601b03f86fab1af325311ab0bee",
        ],
    ),
];

#[test]
fn every_mode_matches_the_reference_by_digest() {
    let pcm = mixture();
    for (name, modes, digests) in REFERENCE {
        for (dtx, digest) in [false, true].into_iter().zip(digests) {
            assert_eq!(sha256(&stored(dtx, &pcm, modes)), digest, "{name}, DTX {dtx}");
        }
    }
}

#[test]
fn every_mode_matches_the_reference_vectors() {
    let Some(folder) = vectors::folder("amrnb") else { return };
    let mut compared = 0;
    for row in folder.rows() {
        let Some(operation) = row.operation.strip_prefix("encode ") else { continue };
        let (rate, dtx) = operation.split_once(" kbit/s, DTX ").expect("rate and DTX");
        let mode = Mode::ALL
            .into_iter()
            .find(|mode| (f64::from(mode.bit_rate()) / 1000.0).to_string() == rate.trim_end_matches('0'));
        let mode = mode.unwrap_or_else(|| panic!("no mode has {rate} kbit/s"));
        let pcm = folder.pcm(&row.made_from).expect("the signal");
        assert!(row.matches(&stored(dtx == "on", &pcm, |_| mode)), "{} differs", row.output);
        compared += 1;
    }
    println!("amrnb: {compared} encoded files compared, all equal");
    assert_eq!(compared, 44);
}

#[test]
fn silence_is_described_and_then_left_out() {
    let mut encoder = FrameEncoder::new(true);
    let kinds: Vec<_> =
        (0..40).map(|_| encoder.encode_frame(Mode::Mr740, &[0; FRAME_SAMPLES]).kind()).collect();
    let first = kinds.iter().position(|kind| *kind == FrameType::Sid).expect("a descriptor");
    assert!(kinds[..first].iter().all(|kind| *kind == FrameType::Speech(Mode::Mr740)));
    for (after, kind) in kinds[first..].iter().enumerate() {
        // Once at the beginning, three frames later, then every eight.
        let due = after == 0 || after % 8 == 3;
        assert_eq!(
            *kind,
            if due { FrameType::Sid } else { FrameType::NoData },
            "{after} frames after the first"
        );
    }
}

/// Switched on at rest, it is as if it had been on from the beginning; and off, nothing is left out.
#[test]
fn discontinuous_transmission_is_switched_by_its_user() {
    let pcm = mixture();
    let mut file = MAGIC.to_vec();
    let mut encoder = FrameEncoder::new(false);
    encoder.set_dtx(true);
    for pcm in pcm.as_chunks().0 {
        let frame = encoder.encode_frame(Mode::Mr740, pcm);
        file.push(frame.kind().number() << 3 | 4);
        file.extend_from_slice(frame.octets());
    }
    assert!(file == stored(true, &pcm, |_| Mode::Mr740));
    // The payload encoder of the registry is told by the trait.
    let mut encoder = sidetone_codecs::amr::SPEC.encoder();
    let mut payload = [0; 64];
    let mut octets = |encoder: &mut dyn sidetone_codecs::Encoder| -> Vec<usize> {
        (0..40).map(|_| encoder.encode(&[0; FRAME_SAMPLES], &mut payload).expect("a frame").octets).collect()
    };
    assert!(octets(&mut *encoder).iter().all(|octets| *octets > 30));
    encoder.set_dtx(true);
    let quiet = octets(&mut *encoder);
    assert!(quiet[10..].contains(&0) && quiet[10..].iter().all(|octets| *octets < 10), "{quiet:?}");
    encoder.set_dtx(false);
    assert!(octets(&mut *encoder).iter().all(|octets| *octets > 30));
}

#[test]
fn any_input_in_any_mode_gives_a_frame_of_its_size() {
    let mut random = signal::Random::new(11);
    let mut encoder = FrameEncoder::new(true);
    let mut frames = [Frame::NO_DATA; 4];
    for number in 0..400 {
        let mode = Mode::ALL[random.below(8) as usize];
        let kind = random.below(6);
        let period = 2 + random.below(200) as usize;
        let pcm: [i16; FRAME_SAMPLES] = core::array::from_fn(|i| match (kind, i % period) {
            (0, _) => random.next() as i16,
            (1, _) => [i16::MAX, i16::MIN][random.below(2) as usize],
            (2, 0) | (3, _) => i16::MIN,
            (4, place) if place < period / 2 => i16::MIN,
            (4, _) => i16::MAX,
            _ => 0,
        });
        let frame = encoder.encode_frame(mode, &pcm);
        assert_eq!(frame.octets().len(), frame.kind().octets());
        frames[number % 4] = frame;
    }
    encoder.reset();
    let mut fresh = FrameEncoder::new(true);
    let pcm: Vec<i16> = signal::speech(12, 8000, 8000);
    for frame in pcm.as_chunks().0 {
        assert_eq!(
            encoder.encode_frame(Mode::Mr1220, frame),
            fresh.encode_frame(Mode::Mr1220, frame),
            "after reset"
        );
    }
}

#[test]
fn the_state_has_the_documented_size() {
    assert_eq!(size_of::<FrameEncoder>(), 1392);
}
