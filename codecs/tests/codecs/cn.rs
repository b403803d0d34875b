//! Comfort noise: what is made of noise, and what is made of that.

use crate::common::signal::{noise, speech};
use sidetone_codecs::cn::{
    self, ANALYSER_BYTES, Analyser, Dtx, GENERATOR_BYTES, Generator, MOST_OCTETS, ORDER, Sid, Transmit,
};
use sidetone_codecs::{CodecError, Decoder as _, Encoder as _};

/// Noise with a slope: white noise through one pole at `pole` / 128.
fn coloured(seed: u64, peak: i16, pole: i32, samples: usize) -> Vec<i16> {
    let mut past = 0;
    let mut colour = |white: i16| {
        past = i32::from(white) + past * pole / 128;
        past as i16
    };
    noise(seed, peak, samples).into_iter().map(&mut colour).collect()
}

fn level(pcm: &[i16]) -> f64 {
    let power = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len() as f64;
    10.0 * (power.max(1e-3) / f64::from(i16::MAX).powi(2)).log10()
}

/// Correlation with the sample before.
fn slope(pcm: &[i16]) -> f64 {
    let product: f64 = pcm.windows(2).map(|pair| f64::from(pair[0]) * f64::from(pair[1])).sum();
    product / pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>()
}

/// The last descriptor of a second of noise.
fn described(rate: u32, pcm: &[i16]) -> Sid {
    let mut analyser = Analyser::new(rate);
    let sids = pcm.chunks_exact(rate as usize / 100).filter_map(|frame| analyser.noise(frame));
    sids.last().expect("a descriptor")
}

#[test]
fn level_and_spectrum_come_back() {
    for rate in [8000, 16_000] {
        for (peak, pole) in [(40, 0), (300, 100), (300, -100), (3000, 115), (5, 0)] {
            let meant = coloured(3, peak, pole, rate as usize * 3);
            let mut payload = [0; MOST_OCTETS];
            let octets = described(rate, &meant).write(&mut payload).expect("room");
            let mut generator = Generator::new(rate, 7);
            generator.update(&Sid::parse(&payload[..octets]).expect("a descriptor"));
            let mut heard = vec![0; rate as usize * 3];
            generator.generate(&mut heard);
            let (off, tilt) = (level(&heard) - level(&meant), slope(&heard) - slope(&meant));
            assert!(off.abs() < 1.5, "{rate} Hz, peak {peak}, pole {pole}: {off:.2} dB off");
            assert!(tilt.abs() < 0.08, "{rate} Hz, peak {peak}, pole {pole}: correlation off by {tilt:.3}");
        }
    }
}

#[test]
fn the_payload_is_that_of_rfc_3389() {
    let mut out = [0; MOST_OCTETS];
    assert_eq!(Sid::white(60).write(&mut out), Ok(1));
    assert_eq!(out[0], 60);
    let sid = Sid::parse(&[0x80 | 42, 127, 254, 0, 255, 127]).expect("a descriptor");
    assert_eq!(sid.level, 42, "the first bit is reserved");
    let k = sid.reflection();
    let expected = [0.0, 127.0, -127.0, 127.0, 0.0].map(|step: f32| step * 258.0 / 32_768.0);
    assert_eq!(k[..5], expected);
    assert_eq!(sid.write(&mut out), Ok(5), "zeros at the end are left out");
    assert_eq!(out[..5], [42, 127, 254, 0, 254]);
    assert_eq!(sid.write(&mut out[..4]), Err(CodecError::OutputTooShort { needed: 5, got: 4 }));
    assert!(Sid::parse(&[50; 200]).is_ok(), "more than ORDER = {ORDER} coefficients are cut");
    assert!(matches!(Sid::parse(&[]), Err(CodecError::PayloadLength { got: 0, .. })));
}

#[test]
fn steady_noise_is_described_seldom_and_a_change_at_once() {
    let mut analyser = Analyser::new(8000);
    let mut sent = |pcm: &[i16]| -> Vec<usize> {
        let frames = pcm.chunks_exact(80).enumerate();
        frames.filter_map(|(at, frame)| analyser.noise(frame).map(|_| at)).collect()
    };
    let steady = sent(&noise(1, 100, 8000 * 10));
    assert_eq!(steady[0], 0, "the first frame of a pause is described");
    assert!(steady.len() <= 9, "{steady:?}");
    assert!(steady.windows(2).all(|pair| (10..=200).contains(&(pair[1] - pair[0]))), "{steady:?}");
    let louder = sent(&noise(2, 400, 8000));
    assert!(louder[0] <= 20, "{louder:?}");
    let duller = sent(&coloured(3, 160, 110, 8000));
    assert!(duller[0] <= 20, "{duller:?}");
}

#[test]
fn the_same_seed_gives_the_same_noise() {
    let run = |seed, steps: &[usize]| {
        let mut generator = Generator::new(16_000, seed);
        generator.update(&Sid::white(50));
        let mut pcm = Vec::new();
        for &step in steps {
            let mut part = vec![0; step];
            generator.generate(&mut part);
            pcm.extend(part);
        }
        pcm
    };
    assert_eq!(run(5, &[1600]), run(5, &[1, 79, 320, 1200]), "whatever the frame length");
    assert_ne!(run(5, &[1600]), run(6, &[1600]));
}

#[test]
fn any_descriptor_makes_bounded_noise() {
    for coefficient in 0..=255 {
        let mut generator = Generator::new(8000, 1);
        for other in [0, 127, 254] {
            let payload = [20, coefficient, other, coefficient, other, coefficient, other, coefficient];
            let mut pcm = [0; 800];
            generator.update(&Sid::parse(&payload).expect("a descriptor"));
            generator.generate(&mut pcm);
            assert!(level(&pcm) <= 0.0);
        }
    }
    let mut silent = Generator::new(8000, 1);
    let mut pcm = [1; 80];
    silent.generate(&mut pcm);
    assert_eq!(pcm, [0; 80], "no descriptor, no noise");
}

#[test]
fn a_new_level_is_reached_smoothly() {
    let mut generator = Generator::new(8000, 1);
    let mut pcm = [0; 800];
    generator.update(&Sid::white(70));
    generator.generate(&mut pcm);
    generator.update(&Sid::white(40));
    generator.generate(&mut pcm);
    let (first, last) = (level(&pcm[..40]), level(&pcm[400..]));
    assert!(first < -50.0 && (last + 40.0).abs() < 2.0, "{first:.1} dB, then {last:.1} dB");
}

#[test]
fn dtx_sends_speech_then_a_descriptor_then_little() {
    for rate in [8000, 16_000] {
        let second = rate as usize;
        let mut pcm = noise(1, 20, 2 * second);
        pcm.extend(speech(4, rate, second));
        pcm.extend(noise(2, 20, 3 * second));
        let mut dtx = Dtx::new(rate);
        let sent: Vec<Transmit> = pcm.chunks_exact(second / 50).map(|frame| dtx.decide(frame)).collect();
        let speech_frames = sent.iter().filter(|sent| **sent == Transmit::Speech).count();
        assert!((35..90).contains(&speech_frames), "{rate} Hz: {speech_frames} frames of speech");
        let descriptors = sent.iter().filter(|sent| matches!(sent, Transmit::Sid(_))).count();
        assert!((2..20).contains(&descriptors), "{rate} Hz: {descriptors} descriptors");
        let end = sent.iter().rposition(|sent| *sent == Transmit::Speech).expect("speech");
        assert!(matches!(sent[end + 1], Transmit::Sid(_)), "a descriptor right behind speech");
    }
}

#[test]
fn analyser_and_generator_are_a_codec() {
    let mut encoder = Analyser::new(8000);
    let mut decoder = Generator::new(8000, 1);
    assert_eq!((encoder.spec().payload_type, decoder.spec().rtp_clock), (Some(13), 8000));
    assert_eq!((cn::WIDE_SPEC.payload_type, cn::WIDE_SPEC.rtp_clock), (None, 16_000));
    let (mut out, mut heard) = ([0; MOST_OCTETS], [0; 160]);
    for frame in noise(1, 100, 8000).chunks_exact(160) {
        let encoded = encoder.encode(frame, &mut out).expect("a frame");
        assert_eq!(encoded.samples, 160);
        assert_eq!(decoder.decode(&out[..encoded.octets], &mut heard), Ok(160));
    }
    assert!((level(&heard) - level(&noise(1, 100, 8000))).abs() < 2.0);
    assert_eq!(
        encoder.encode(&heard[..100], &mut out),
        Err(CodecError::PartialFrame { frame: 160, got: 100 })
    );
    assert_eq!(
        decoder.decode(&[], &mut heard[..100]),
        Err(CodecError::OutputTooShort { needed: 160, got: 100 })
    );
    assert_eq!(decoder.conceal(&mut heard[..33]), Ok(33));
    encoder.reset();
    decoder.reset();
    assert_eq!(decoder.decode(&[], &mut heard), Ok(160));
    assert_eq!(heard, [0; 160]);
}

#[test]
fn the_states_are_small() {
    assert_eq!((ANALYSER_BYTES, GENERATOR_BYTES), (120, 176));
}
