//! Noise suppression, gain control, and the whole chain of the send side.

use crate::signal;
use sidetone_hal::audio::AudioPath;
use sidetone_media::echo::EchoCanceller;
use sidetone_media::gain::{AutomaticGain, GainConfig};
use sidetone_media::level::rms_dbov;
use sidetone_media::noise::NoiseSuppressor;
use sidetone_media::process::{AudioProcessing, AudioProcessor, EchoControl};
use std::path::Path;

const RATE: u32 = 16_000;

fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

fn db(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

/// Speech with a second of silence before it and pauses of 0.4 s in it, as people speak.
fn talk(speech: &[i16], rate: u32) -> Vec<i16> {
    let mut talk = vec![0; rate as usize];
    for part in speech.chunks(rate as usize) {
        talk.extend_from_slice(part);
        talk.extend(core::iter::repeat_n(0, 4 * rate as usize / 10));
    }
    talk
}

/// The voice of a person, where `../shared/vectors` is.
fn person(rate: u32) -> Option<Vec<i16>> {
    let path = format!("../../shared/vectors/signals/speech-a.{}k.pcm", rate / 1000);
    let octets = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()?;
    Some(octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

fn mixed(speech: &[i16], noise: &[i16]) -> Vec<i16> {
    speech.iter().zip(noise).map(|(speech, noise)| speech.saturating_add(*noise)).collect()
}

fn suppress(suppressor: &mut NoiseSuppressor, rate: u32, pcm: &[i16]) -> Vec<i16> {
    let mut out = pcm.to_vec();
    out.chunks_exact_mut(rate as usize / 100).for_each(|frame| suppressor.process(frame));
    out
}

/// The speech made by code has vowels of half a second that never change: they are taken for noise in part, as the
/// sound of a machine would be, and so its SNR gets worse, by a bounded amount. The voice of a person gets better.
#[test]
fn noise_is_lowered_and_speech_is_kept() {
    for rate in [8000, 16_000] {
        let made = signal::speech(31, rate, 6 * rate as usize);
        check_noise("made", &talk(&made, rate), rate, Colour::White, 3.0, -3.5);
        if let Some(person) = person(rate) {
            let talk = talk(&person, rate);
            check_noise("person", &talk, rate, Colour::White, 2.0, 0.5);
            // Most of these is where the voice is, too.
            check_noise("person", &talk, rate, Colour::Pink, 2.0, 0.0);
            check_noise("person", &talk, rate, Colour::Fan, 2.0, -1.5);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Colour {
    White,
    /// As much power in each octave.
    Pink,
    /// A rumble that falls by 12 dB in each octave from 200 Hz on, with the tones of its blades.
    Fan,
}

impl Colour {
    fn noise(self, rate: u32, samples: usize) -> Vec<f64> {
        let white = signal::noise(32, 10_000, samples).into_iter().map(f64::from);
        match self {
            Self::White => white.collect(),
            Self::Pink => {
                // Paul Kellet's sum of poles, within 0.5 dB above 40 Hz at 44.1 kHz, and near enough here.
                let poles = [(0.998_86, 0.055_5), (0.993_32, 0.075), (0.969, 0.153_9), (0.866_5, 0.310_5)];
                let mut past = [0.0; 4];
                white
                    .map(|white| {
                        for (past, (pole, gain)) in past.iter_mut().zip(poles) {
                            *past = *past * pole + white * gain;
                        }
                        past.iter().sum::<f64>() + white * 0.8
                    })
                    .collect()
            }
            Self::Fan => {
                let share = 1.0 - (-core::f64::consts::TAU * 200.0 / f64::from(rate)).exp();
                let (mut first, mut second) = (0.0, 0.0);
                let tones = [(120.0, 400.0), (240.0, 250.0), (363.0, 160.0), (726.0, 80.0)];
                white
                    .zip(0..)
                    .map(|(white, at)| {
                        first += share * (white - first);
                        second += share * (first - second);
                        let turns = core::f64::consts::TAU * f64::from(at) / f64::from(rate);
                        3.0 * second + tones.iter().map(|(f, level)| level * (turns * f).sin()).sum::<f64>()
                    })
                    .collect()
            }
        }
    }
}

/// Speech in noise: by how much the pauses are lowered, the speech is at most lowered, and its SNR is better.
fn check_noise(name: &str, talk: &[i16], rate: u32, colour: Colour, most_lost: f64, least_gain: f64) {
    let name = format!("{name}, {colour:?}");
    let level = power(talk).sqrt();
    let shape = colour.noise(rate, talk.len());
    let own = (shape.iter().map(|sample| sample * sample).sum::<f64>() / shape.len() as f64).sqrt();
    for ratio in [5.0, 10.0, 15.0] {
        let scale = level * 10.0_f64.powf(-ratio / 20.0) / own;
        let noise: Vec<i16> = shape.iter().map(|sample| (sample * scale).round() as i16).collect();
        let noisy = mixed(talk, &noise);
        let mut suppressor = NoiseSuppressor::new(rate, 15);
        let delay = suppressor.delay();
        let out = suppress(&mut suppressor, rate, &noisy);
        // From the second pause on, when the noise is known.
        let (mut before, mut after, mut speech, mut kept, mut error, mut error_before) =
            (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for at in (2 * rate as usize..talk.len() - delay).step_by(rate as usize / 100) {
            let to = (at + rate as usize / 100).min(talk.len() - delay);
            let (clean, out) = (&talk[at..to], &out[at + delay..to + delay]);
            if power(clean) < 1.0 {
                before += power(&noisy[at..to]);
                after += power(out);
            } else {
                speech += power(clean);
                kept += power(out);
                let rest = |with: &[i16]| -> f64 {
                    clean.iter().zip(with).map(|(x, y)| (f64::from(*y) - f64::from(*x)).powi(2)).sum::<f64>()
                        / clean.len() as f64
                };
                error += rest(out);
                error_before += rest(&noisy[at..to]);
            }
        }
        let (lowered, lost) = (db(before / after), db(speech / kept));
        let gain = db(error_before / error);
        println!(
            "{name}, {rate} Hz, {ratio} dB: pauses {lowered:.1} dB lower, speech {lost:.2} dB lower, SNR in speech {:.1} -> {:.1} dB",
            db(speech / error_before),
            db(speech / error)
        );
        assert!(
            lowered > if matches!(colour, Colour::White) { 11.0 } else { 9.5 },
            "{name}, {rate} Hz, {ratio} dB: {lowered} dB"
        );
        assert!(lost.abs() < most_lost, "{name}, {rate} Hz, {ratio} dB: speech {lost} dB lower");
        assert!(gain > least_gain, "{name}, {rate} Hz, {ratio} dB: SNR in speech by {gain} dB better");
    }
}

#[test]
fn clean_speech_passes_a_noise_suppressor() {
    let talk = talk(&signal::speech(33, RATE, 6 * RATE as usize), RATE);
    let mut suppressor = NoiseSuppressor::new(RATE, 15);
    let delay = suppressor.delay();
    let out = suppress(&mut suppressor, RATE, &talk);
    let rest: f64 =
        talk.iter().zip(&out[delay..]).map(|(x, y)| (f64::from(*y) - f64::from(*x)).powi(2)).sum();
    let wanted: f64 = talk.iter().map(|x| f64::from(*x).powi(2)).sum();
    println!("{:.1} dB", db(wanted / rest));
    assert!(db(wanted / rest) > 20.0, "{} dB", db(wanted / rest));
    let mut odd = [100; 77];
    suppressor.process(&mut odd);
    assert_eq!(odd, [100; 77]);
}

#[test]
fn a_step_of_noise_is_learnt_in_time() {
    let mut noise = signal::noise(34, 100, 2 * RATE as usize);
    noise.extend(signal::noise(35, 1000, 8 * RATE as usize));
    let mut suppressor = NoiseSuppressor::new(RATE, 12);
    let out = suppress(&mut suppressor, RATE, &noise);
    let second = |n: usize| n * RATE as usize..(n + 1) * RATE as usize;
    let lowered = |n: usize| db(power(&noise[second(n)]) / power(&out[second(n)]));
    println!(
        "{:.1} dB, then {:.1} {:.1} {:.1} {:.1}",
        lowered(1),
        lowered(2),
        lowered(4),
        lowered(6),
        lowered(9)
    );
    assert!(lowered(1) > 9.0 && lowered(9) > 9.0, "{} and {} dB", lowered(1), lowered(9));
}

#[test]
fn weak_and_loud_speech_end_at_one_level() {
    let level_of = |input: f64| {
        let speech = signal::speech(36, RATE, 20 * RATE as usize);
        let scale = 10.0_f64.powf((input - f64::from(rms_dbov(&speech))) / 20.0);
        let mut pcm: Vec<i16> = speech.iter().map(|sample| (f64::from(*sample) * scale) as i16).collect();
        let mut gain = AutomaticGain::new(GainConfig::default());
        pcm.chunks_exact_mut(160).for_each(|frame| gain.process(frame));
        let peak = pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(peak <= 29_205, "a peak of {peak} is above the ceiling");
        (f64::from(rms_dbov(&pcm[12 * RATE as usize..])), gain.gain_db())
    };
    let (weak, up) = level_of(-38.0);
    let (usual, _) = level_of(-26.0);
    let (loud, down) = level_of(-16.0);
    println!("-38 -> {weak:.1} ({up:.1} dB), -26 -> {usual:.1}, -16 -> {loud:.1} ({down:.1} dB)");
    assert!(up > 6.0 && down < 0.0, "{up} and {down} dB");
    assert!((weak - usual).abs() < 3.0 && (loud - usual).abs() < 3.0, "{weak}, {usual}, {loud} dBov");
}

#[test]
fn silence_and_noise_are_not_turned_up() {
    let mut gain = AutomaticGain::new(GainConfig::default());
    for frame in signal::noise(37, 60, 20 * RATE as usize).chunks_exact(160) {
        gain.process(&mut frame.to_vec());
    }
    assert!(gain.gain_db().abs() < 0.5, "{} dB", gain.gain_db());
    // After weak speech, a pause does not go on turning it up.
    let weak: Vec<i16> = signal::speech(38, RATE, 10 * RATE as usize).iter().map(|s| s / 16).collect();
    for frame in weak.chunks_exact(160) {
        gain.process(&mut frame.to_vec());
    }
    let before = gain.gain_db();
    for frame in signal::noise(39, 20, 10 * RATE as usize).chunks_exact(160) {
        gain.process(&mut frame.to_vec());
    }
    assert!((gain.gain_db() - before).abs() < 0.5, "{before} dB before the pause, {} after", gain.gain_db());
}

#[test]
fn a_sudden_shout_is_held_below_the_ceiling() {
    let mut config = GainConfig::default();
    config.ceiling_dbov = -6.0;
    let ceiling = 32_767.0 * 10.0_f64.powf(-6.0 / 20.0);
    let mut gain = AutomaticGain::new(config);
    let mut loud = vec![0; 16_000];
    loud.extend((0..16_000).map(|n| (32_000.0 * (f64::from(n) * 0.4).sin()) as i16));
    for frame in loud.chunks_exact(160) {
        let mut frame = frame.to_vec();
        gain.process(&mut frame);
        let peak = frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(f64::from(peak) <= ceiling + 1.0, "{peak} is above {ceiling}");
    }
}

#[test]
fn a_chain_that_is_off_changes_nothing() {
    let mut chain = AudioProcessor::new(&AudioProcessing::OFF, RATE);
    let speech = signal::speech(40, RATE, 1600);
    let mut pcm = speech.clone();
    for frame in pcm.chunks_exact_mut(160) {
        chain.render(&[3000; 160]);
        chain.capture(frame);
    }
    assert_eq!(pcm, speech);
    assert_eq!(chain.delay(), 0);
    chain.set_muted(true);
    pcm.chunks_exact_mut(160).for_each(|frame| chain.capture(frame));
    assert!(pcm[800..].iter().all(|sample| *sample == 0));
}

/// The echo of what was rendered comes with the next captured frame, as with a sound card.
fn in_a_room(settings: &AudioProcessing, rate: u32) -> (f64, usize) {
    let frame = rate as usize / 100;
    let far = signal::speech(41, rate, 8 * rate as usize);
    let mut chain = AudioProcessor::new(settings, rate);
    let (mut before, mut after) = (0.0, 0.0);
    let mut sounding = vec![0; frame];
    for (number, played) in far.chunks_exact(frame).enumerate() {
        let mut captured: Vec<i16> = sounding.iter().map(|sample| sample / 3).collect();
        let heard = power(&captured);
        chain.capture(&mut captured);
        if number > 400 {
            before += heard;
            after += power(&captured);
        }
        chain.render(played);
        sounding.copy_from_slice(played);
    }
    (db(before / after.max(1e-3)), chain.delay())
}

#[test]
fn each_path_of_a_telephone_has_its_canceller() {
    for rate in [8000, 16_000] {
        for path in [AudioPath::Speaker, AudioPath::Handset, AudioPath::Headset] {
            let (reduction, delay) = in_a_room(&AudioProcessing::for_path(path), rate);
            println!("{path:?} at {rate} Hz: {reduction:.1} dB, {delay} samples late");
            assert!(reduction > 30.0, "{path:?} at {rate} Hz: {reduction} dB");
            assert!(delay <= rate as usize / 200, "{delay} samples late");
        }
        let mut line = AudioProcessing::OFF;
        line.echo = EchoControl::Line;
        let (reduction, delay) = in_a_room(&line, rate);
        assert!(reduction > 25.0 && delay == 0, "line at {rate} Hz: {reduction} dB, {delay} samples late");
    }
}

#[test]
fn settings_change_and_other_cancellers_fit_in() {
    struct Hardware;
    impl EchoCanceller for Hardware {
        fn process(&mut self, far: &[i16], _near: &[i16], out: &mut [i16]) {
            out.copy_from_slice(far);
        }
        fn delay(&self) -> usize {
            7
        }
        fn reset(&mut self) {}
    }
    let mut chain = AudioProcessor::new(&AudioProcessing::OFF, 8000);
    chain.set_canceller(Box::new(Hardware));
    assert_eq!(chain.delay(), 7);
    let mut frame = [1; 80];
    chain.render(&[9; 80]);
    chain.capture(&mut frame);
    assert_eq!(frame, [9; 80]);
    // What was played once is not taken twice.
    chain.capture(&mut frame);
    assert_eq!(frame, [0; 80]);
    let mut settings = AudioProcessing::speaker();
    chain.update(&settings);
    assert_eq!(chain.delay(), 40);
    settings.echo = EchoControl::Line;
    chain.update(&settings);
    assert_eq!(chain.delay(), 40, "the noise suppressor alone");
    chain.update(&AudioProcessing::OFF);
    assert_eq!((chain.delay(), *chain.settings()), (0, AudioProcessing::OFF));
}

#[test]
fn nothing_is_allocated() {
    let far = signal::speech(42, RATE, 4 * RATE as usize);
    let near = signal::speech(43, RATE, 4 * RATE as usize);
    let mut alone = AudioProcessing::speaker();
    alone.echo = EchoControl::Off;
    alone.volume_db = -3.0;
    for settings in [AudioProcessing::speaker(), AudioProcessing::handset(), alone] {
        let mut chain = AudioProcessor::new(&settings, RATE);
        let mut captured = [0; 160];
        let counted = allocation_counter::measure(|| {
            for (far, near) in far.chunks_exact(160).zip(near.chunks_exact(160)) {
                captured.copy_from_slice(near);
                chain.capture(&mut captured);
                chain.render(far);
            }
        });
        assert_eq!(counted.count_total, 0, "{counted:?}");
    }
}
