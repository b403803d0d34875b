//! Sample rates: what passes, what is mirrored, how late it is, and two clocks that drift apart.

use core::f64::consts::TAU;
use sidetone_hal::rng::Rng;
use sidetone_media::resample::{Drift, DriftControl, RATES, RateError, Resampler, is_pcm_rate};

/// A second of a sine at `rate`.
fn sine(rate: u32, hertz: f64, amplitude: f64) -> Vec<i16> {
    let step = TAU * hertz / f64::from(rate);
    (0..rate).map(|n| (amplitude * (f64::from(n) * step).sin()).round() as i16).collect()
}

/// In frames of 10 ms, as sound cards give them.
fn resampled(from: u32, to: u32, pcm: &[i16]) -> Vec<i16> {
    let mut resampler = Resampler::new(from, to).unwrap();
    let mut out = vec![0; (to / 100) as usize];
    let mut all = Vec::new();
    for frame in pcm.chunks((from / 100) as usize) {
        let made = resampler.process(frame, &mut out);
        all.extend_from_slice(&out[..made]);
    }
    all
}

/// Amplitude and phase of a frequency over the middle half second, with a Hann window.
fn measure(pcm: &[i16], rate: u32, hertz: f64) -> (f64, f64) {
    let middle = &pcm[pcm.len() / 4..pcm.len() * 3 / 4];
    let (mut re, mut im, mut weight) = (0.0, 0.0, 0.0);
    for (n, sample) in middle.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * (n as f64 + 0.5) / middle.len() as f64).cos();
        let turn = TAU * hertz * (n + pcm.len() / 4) as f64 / f64::from(rate);
        re += f64::from(*sample) * window * turn.cos();
        im += f64::from(*sample) * window * turn.sin();
        weight += window;
    }
    (2.0 * re.hypot(im) / weight, re.atan2(im))
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-9).log10()
}

fn pairs() -> impl Iterator<Item = (u32, u32)> {
    RATES.into_iter().flat_map(|from| RATES.into_iter().map(move |to| (from, to))).filter(|(a, b)| a != b)
}

#[test]
fn speech_passes_flat() {
    for (from, to) in pairs() {
        let half = f64::from(from.min(to)) / 2.0;
        for part in 1..=17 {
            let hertz = (half * f64::from(part) * 0.05).round();
            let out = resampled(from, to, &sine(from, hertz, 20_000.0));
            let gain = db(measure(&out, to, hertz).0 / 20_000.0);
            assert!(gain.abs() < 0.1, "{from} to {to}, {hertz} Hz: {gain:.3} dB");
        }
    }
}

#[test]
fn what_would_be_mirrored_is_60_db_down() {
    for (from, to) in pairs() {
        if from > to {
            // Above the lower rate's half, every 125 Hz: nothing of it is left, wherever it would fall.
            let (low, high) = (to / 2, from / 2);
            for hertz in (low..high).step_by(125).filter(|hertz| *hertz > low) {
                let out = resampled(from, to, &sine(from, f64::from(hertz), 20_000.0));
                let middle = &out[out.len() / 4..out.len() * 3 / 4];
                let power: f64 =
                    middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / middle.len() as f64;
                let left = db((2.0 * power).sqrt() / 20_000.0);
                assert!(left < -60.0, "{from} to {to}, {hertz} Hz: {left:.1} dB");
            }
        } else {
            // Images of the band around multiples of the lower rate.
            for hertz in (100..from / 2).step_by(300) {
                let out = resampled(from, to, &sine(from, f64::from(hertz), 20_000.0));
                for image in [from - hertz, from + hertz, 2 * from - hertz].iter().filter(|f| **f < to / 2) {
                    let left = db(measure(&out, to, f64::from(*image)).0 / 20_000.0);
                    assert!(left < -60.0, "{from} to {to}, {hertz} Hz at {image} Hz: {left:.1} dB");
                }
            }
        }
    }
}

#[test]
fn the_delay_is_what_it_says_and_short() {
    for (from, to) in pairs() {
        let delay = Resampler::new(from, to).unwrap().delay().as_secs_f64();
        // From the phase, at a frequency whose half period is longer than the delay.
        let hertz = 100.0;
        let out = resampled(from, to, &sine(from, hertz, 20_000.0));
        let late = -measure(&out, to, hertz).1 / (TAU * hertz);
        assert!((late - delay).abs() < 1e-5, "{from} to {to}: {late} and {delay}");
        assert!(delay <= 24.5 / f64::from(from.min(to)), "{from} to {to}: {delay}");
    }
}

#[test]
fn frames_of_10_ms_stay_frames_of_10_ms() {
    for (from, to) in pairs().chain([(44_100, 8000), (44_100, 48_000), (16_000, 44_100), (96_000, 8000)]) {
        let mut resampler = Resampler::new(from, to).unwrap();
        let (frame, mut out) = (vec![9; (from / 100) as usize], vec![0; (to / 100) as usize + 8]);
        for _ in 0..300 {
            assert_eq!(resampler.output_len(frame.len()), (to / 100) as usize, "{from} to {to}");
            assert_eq!(resampler.process(&frame, &mut out), (to / 100) as usize, "{from} to {to}");
        }
        assert_eq!(&out[..4], [9; 4], "{from} to {to}: a constant stays what it is");
    }
}

#[test]
fn how_it_is_cut_makes_no_difference() {
    let mut rng = Rng::from_u64(3);
    let noise: Vec<i16> = (0..20_000).map(|_| rng.next_u32() as i16).collect();
    for (from, to) in [(8000, 48_000), (48_000, 8000), (32_000, 48_000), (44_100, 16_000), (11_025, 8000)] {
        let mut whole = vec![0; Resampler::new(from, to).unwrap().output_len(noise.len())];
        assert_eq!(Resampler::new(from, to).unwrap().process(&noise, &mut whole), whole.len());
        let mut resampler = Resampler::new(from, to).unwrap();
        let (mut rest, mut parts) = (noise.as_slice(), Vec::new());
        while !rest.is_empty() {
            let (now, later) = rest.split_at((rng.below(700) as usize).min(rest.len()));
            let mut out = vec![0; resampler.output_len(now.len())];
            assert_eq!(resampler.process(now, &mut out), out.len(), "{from} to {to}, {} in", now.len());
            parts.extend(out);
            rest = later;
        }
        assert_eq!(parts, whole, "{from} to {to}");
        resampler.reset();
        let mut again = vec![0; whole.len()];
        assert_eq!((resampler.process(&noise, &mut again), again), (whole.len(), whole));
    }
}

#[test]
fn full_scale_saturates_and_does_not_wrap() {
    let square: Vec<i16> = (0..8000).map(|n| if n / 20 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    for out in [resampled(8000, 48_000, &square), resampled(8000, 16_000, &square)] {
        // In the middle of every half period the sign is the square's: an overshoot that wrapped would not have it.
        let per = out.len() / 400;
        let late = out.len() * 24 / 8000;
        for half in 2..390 {
            let middle = out[late + half * per + per / 2];
            let near = &out[late + half * per + per / 4..late + half * per + per * 3 / 4];
            assert!(near.iter().all(|s| (*s < 0) == (half % 2 == 1)), "half period {half}: {middle}");
        }
    }
}

#[test]
fn rates_that_are_none_are_refused() {
    for rate in [0, 1, 3999, 192_001, u32::MAX] {
        assert_eq!(Resampler::new(rate, 8000).unwrap_err(), RateError::Rate(rate));
        assert_eq!(Resampler::new(8000, rate).unwrap_err(), RateError::Rate(rate));
        assert!(!is_pcm_rate(rate));
    }
    assert_eq!(Resampler::new(191_999, 8001).unwrap_err(), RateError::Ratio(191_999, 8001));
    let said = Resampler::new(100, 8000).unwrap_err().to_string();
    assert_eq!(said, "100 samples a second: expected 4000 to 192000");
    assert!(RATES.into_iter().chain([44_100]).all(is_pcm_rate) && !is_pcm_rate(11_025));
    let mut same = Resampler::new(16_000, 16_000).unwrap();
    let mut out = [0; 3];
    assert!(same.is_identity() && same.delay().is_zero());
    assert_eq!((same.process(&[1, 2, 3], &mut out), out), (3, [1, 2, 3]));
}

#[test]
fn a_drift_of_300_ppm_shifts_a_tone_by_300_ppm_and_adds_nothing() {
    for ppm in [-300.0_f32, 300.0, 0.0, 977.0] {
        let mut drift = Drift::new();
        drift.set_ppm(ppm);
        let mut out = Vec::new();
        for frame in sine(16_000, 5000.0, 20_000.0).chunks(160) {
            let mut made = [0; 170];
            let progress = drift.process(frame, &mut made);
            assert_eq!(progress.read, frame.len());
            out.extend_from_slice(&made[..progress.written]);
        }
        let expected = 16_000.0 * (1.0 - f64::from(ppm) * 1e-6);
        assert!((out.len() as f64 - expected).abs() <= 2.0, "{ppm} ppm: {} samples", out.len());
        let hertz = 5000.0 * (1.0 + f64::from(ppm) * 1e-6);
        let (level, _) = measure(&out, 16_000, hertz);
        assert!(db(level / 20_000.0).abs() < 0.1, "{ppm} ppm: {level}");
        // What is not the tone: everything else in the middle half.
        let middle = &out[out.len() / 4..out.len() * 3 / 4];
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in middle.iter().enumerate() {
            let turn = TAU * hertz * n as f64 / 16_000.0;
            re += f64::from(*sample) * turn.cos() * 2.0 / middle.len() as f64;
            im += f64::from(*sample) * turn.sin() * 2.0 / middle.len() as f64;
        }
        let rest: f64 = middle
            .iter()
            .enumerate()
            .map(|(n, sample)| {
                let turn = TAU * hertz * n as f64 / 16_000.0;
                (f64::from(*sample) - re * turn.cos() - im * turn.sin()).powi(2)
            })
            .sum::<f64>()
            / middle.len() as f64;
        let noise = db(rest.sqrt() / 14_142.0);
        assert!(noise < -60.0, "{ppm} ppm: {noise:.1} dB");
    }
}

#[test]
fn drift_reads_what_it_said_it_needs() {
    let mut rng = Rng::from_u64(5);
    let mut drift = Drift::new();
    let input: Vec<i16> = (0..3000).map(|n| n as i16).collect();
    for _ in 0..5000 {
        drift.set_ppm(rng.below(2400) as f32 - 1200.0);
        let wanted = rng.below(1200) as usize;
        let needed = drift.needed(wanted);
        let mut out = vec![0; wanted];
        let progress = drift.process(&input[..needed], &mut out);
        assert_eq!((progress.read, progress.written), (needed, wanted));
    }
    drift.set_ppm(f32::NAN);
    drift.reset();
    assert_eq!(drift.needed(160), 160);
    assert_eq!(drift.process(&[], &mut [0; 4]).written, 0);
}

/// A sound card that is `ppm` fast puts blocks into a buffer; every 10 ms a frame of 16 kHz is taken out.
fn card(ppm: f64, block: usize, seed: u64) -> (f32, usize, usize) {
    const TARGET: usize = 480;
    let mut rng = Rng::from_u64(seed);
    let mut control = DriftControl::new(16_000, TARGET);
    let mut drift = Drift::new();
    let (mut fill, mut next_block) = (TARGET, 0.0);
    let (mut least, mut most) = (usize::MAX, 0);
    for tick in 0..60_000_u32 {
        // Task and card are woken late now and then, by up to 3 ms.
        let now = f64::from(tick) * 0.01 + f64::from(rng.below(3000)) * 1e-6;
        while next_block <= now {
            fill += block;
            next_block += block as f64 / (16_000.0 * (1.0 + ppm * 1e-6));
        }
        drift.set_ppm(control.update(fill));
        let needed = drift.needed(160);
        assert!(needed <= fill, "{ppm} ppm, blocks of {block}: dry after {tick} frames");
        drift.process(&vec![0; needed], &mut [0; 160]);
        if tick > 3000 {
            (least, most) = (least.min(fill), most.max(fill));
        }
        fill -= needed;
    }
    (control.drift_ppm(), least, most)
}

#[test]
fn a_sound_card_that_is_300_ppm_off_is_followed_for_ten_minutes() {
    for ppm in [-300.0, -40.0, 0.0, 300.0] {
        for (seed, block) in [64, 160, 171, 320].into_iter().enumerate() {
            let (found, least, most) = card(ppm, block, seed as u64);
            assert!((f64::from(found) - ppm).abs() < 60.0, "{ppm} ppm, blocks of {block}: found {found}");
            assert!(most - least <= block + 200, "{ppm} ppm, blocks of {block}: {least} to {most}");
        }
    }
}

#[test]
fn nothing_allocates_after_new() {
    let mut resampler = Resampler::new(48_000, 16_000).unwrap();
    let mut drift = Drift::new();
    let mut control = DriftControl::new(16_000, 320);
    let (captured, mut frame, mut out) = ([5; 4800], [0; 1600], [0; 1700]);
    let counted = allocation_counter::measure(|| {
        for fill in 0..200 {
            resampler.process(&captured, &mut frame);
            drift.set_ppm(control.update(fill));
            drift.process(&frame, &mut out);
        }
        resampler.reset();
        drift.reset();
    });
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
}
