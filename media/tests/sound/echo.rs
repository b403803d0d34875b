//! Echo cancellers on rooms and lines made by code, and on `../shared/vectors/echo` where that is.

use crate::measure::{Signals, canceller, db, measure, power};
use crate::signal;
use crate::signal::Random;
use core::time::Duration;
use sidetone_media::echo::{AdaptiveEchoCanceller, EchoCanceller, EchoConfig};
use std::path::Path;

/// The response of a room: noise that fades by 60 dB in `reverberation` samples, and takes `loss` dB off the far end.
fn room(seed: u64, length: usize, reverberation: usize, loss: f32) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut taps: Vec<f32> = (0..length)
        .map(|n| {
            let noise = random.below(20_001) as f32 / 10_000.0 - 1.0;
            noise * 10.0_f32.powf(-3.0 * n as f32 / reverberation as f32)
        })
        .collect();
    let energy: f32 = taps.iter().map(|tap| tap * tap).sum();
    let scale = 10.0_f32.powf(-loss / 20.0) / energy.sqrt();
    taps.iter_mut().for_each(|tap| *tap *= scale);
    taps
}

/// The echo of `far` in `room` after `delay` samples.
fn echo(far: &[i16], room: &[f32], delay: usize) -> Vec<f32> {
    let mut echo = vec![0.0; far.len()];
    for (at, sample) in far.iter().enumerate().filter(|(_, sample)| **sample != 0) {
        let Some(late) = echo.get_mut(at + delay..) else { break };
        for (late, tap) in late.iter_mut().zip(room) {
            *late += tap * f32::from(*sample);
        }
    }
    echo
}

/// What the microphone hears: the echo, noise with this peak, and somebody.
fn microphone(echo: &[f32], noise: i16, near: Option<(usize, &[i16])>) -> Vec<i16> {
    let noise = signal::noise(99, noise, echo.len());
    let mut heard: Vec<f32> = echo.iter().zip(noise).map(|(echo, noise)| echo + f32::from(noise)).collect();
    if let Some((at, near)) = near {
        for (heard, near) in heard[at..].iter_mut().zip(near) {
            *heard += f32::from(*near);
        }
    }
    heard.into_iter().map(|sample| sample.round() as i16).collect()
}

/// Speech at any rate; 48 kHz is 16 kHz with straight lines between the samples.
fn speech(seed: u64, rate: u32, seconds: usize) -> Vec<i16> {
    let low = rate.min(16_000);
    let speech = signal::speech(seed, low, low as usize * seconds);
    let times = (rate / low) as i32;
    let ends = speech.iter().copied().zip(speech.iter().copied().skip(1).chain([0]));
    ends.flat_map(|(a, b)| {
        (0..times).map(move |k| ((i32::from(a) * (times - k) + i32::from(b) * k) / times) as i16)
    })
    .collect()
}

fn run(canceller: &mut dyn EchoCanceller, rate: u32, far: &[i16], near: &[i16]) -> Vec<i16> {
    let frame = rate as usize / 100;
    let mut out = vec![0; near.len()];
    for ((far, near), out) in
        far.chunks_exact(frame).zip(near.chunks_exact(frame)).zip(out.chunks_exact_mut(frame))
    {
        canceller.process(far, near, out);
    }
    out
}

/// By how much the output between two seconds is below the input, in dB.
fn reduction(rate: u32, near: &[i16], out: &[i16], delay: usize, from: usize, to: usize) -> f32 {
    let at = |seconds: usize| (seconds * rate as usize).min(near.len() - delay);
    db(power(&near[at(from)..at(to)]) / power(&out[at(from) + delay..at(to) + delay]).max(1e-3))
}

/// Wanted speech over everything else, in dB.
fn clean(near: &[i16], out: &[i16]) -> f32 {
    let rest: f64 = near.iter().zip(out).map(|(x, y)| (f64::from(*y) - f64::from(*x)).powi(2)).sum();
    let wanted: f64 = near.iter().zip(out).map(|(x, _)| f64::from(*x).powi(2)).sum();
    db(wanted / rest.max(1.0))
}

#[test]
fn the_vectors_reach_the_figures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/echo");
    let Ok(signals) = Signals::load(&folder) else { return };
    let figures = measure(&signals, || {
        let mut ours = AdaptiveEchoCanceller::new(EchoConfig::speaker(16_000));
        canceller(move |far, near, out| ours.process(far, near, out))
    });
    println!("{figures:?}");
    assert!(figures.after_3s >= 34.0, "{figures:?}");
    assert!(figures.single[3..].iter().all(|erle| *erle >= 30.0), "{figures:?}");
    assert!(figures.after_change[0] >= 20.0 && figures.after_change[1] >= 25.0, "{figures:?}");
    assert!(figures.change[signals.change_at] >= 13.0, "{figures:?}");
    assert!(figures.near_loss <= 0.5 && figures.frame_loss <= 1.0, "{figures:?}");
    assert!(figures.double_talk_sdr >= 25.0, "{figures:?}");
    assert_eq!(figures.delay, 80);
}

#[test]
fn a_room_is_learnt_at_every_rate() {
    for (rate, bound) in [(8000, 30.0), (16_000, 30.0), (48_000, 30.0)] {
        let far = speech(1, rate, 8);
        let room = room(2, rate as usize / 10, rate as usize / 6, 8.0);
        let near = microphone(&echo(&far, &room, rate as usize / 100), 4, None);
        let mut canceller = AdaptiveEchoCanceller::new(EchoConfig::speaker(rate));
        let out = run(&mut canceller, rate, &far, &near);
        let reduction = reduction(rate, &near, &out, canceller.delay(), 3, 8);
        println!("{rate}: {reduction:.1} dB");
        assert!(reduction > bound, "{rate} Hz: {reduction} dB");
    }
}

#[test]
fn a_delay_of_up_to_250_ms_is_found() {
    let rate = 16_000;
    let far = speech(3, rate, 6);
    for millis in [0, 61, 187, 250] {
        let room = room(4, 1600, 2600, 8.0);
        let near = microphone(&echo(&far, &room, 16 * millis), 4, None);
        let mut canceller = AdaptiveEchoCanceller::new(EchoConfig::speaker(rate));
        let out = run(&mut canceller, rate, &far, &near);
        let found = canceller.path_delay();
        let reduction = reduction(rate, &near, &out, canceller.delay(), 4, 6);
        println!("{millis} ms: frame {found}, {reduction:.1} dB");
        assert!(found <= millis / 10 && found + 4 > millis / 10, "{millis} ms: frame {found}");
        assert!(reduction > 28.0, "{millis} ms: {reduction} dB");
    }
}

#[test]
fn a_delay_that_changes_is_followed() {
    let rate = 16_000;
    let far = speech(5, rate, 12);
    let room = room(4, 1600, 2600, 8.0);
    let (early, late) = (echo(&far, &room, 320), echo(&far, &room, 2720));
    let both: Vec<f32> = early[..80_000].iter().chain(&late[80_000..]).copied().collect();
    let near = microphone(&both, 4, None);
    let mut canceller = AdaptiveEchoCanceller::new(EchoConfig::speaker(rate));
    let out = run(&mut canceller, rate, &far, &near);
    let (before, after) = (
        reduction(rate, &near, &out, canceller.delay(), 3, 5),
        reduction(rate, &near, &out, canceller.delay(), 9, 12),
    );
    println!("{before:.1} dB before, {after:.1} dB after, frame {}", canceller.path_delay());
    assert!(before > 28.0 && after > 28.0, "{before} dB before, {after} dB after");
}

#[test]
fn who_speaks_at_the_same_time_is_heard() {
    let rate = 16_000;
    let far = speech(6, rate, 12);
    let near_end = speech(7, rate, 5);
    let room = room(8, 1600, 2600, 8.0);
    let near = microphone(&echo(&far, &room, 160), 4, Some((80_000, &near_end)));
    let mut canceller = AdaptiveEchoCanceller::new(EchoConfig::speaker(rate));
    let out = run(&mut canceller, rate, &far, &near);
    let late = &out[80_000 + canceller.delay()..];
    let (before, after) = (clean(&near_end, &near[80_000..]), clean(&near_end, late));
    println!("near end over the rest: {before:.1} dB before, {after:.1} dB after");
    assert!(after > 15.0 && after > before + 8.0, "{before} dB before, {after} dB after");
    // And the path is still known.
    let reduction = reduction(rate, &near, &out, canceller.delay(), 11, 12);
    assert!(reduction > 25.0, "{reduction} dB");
}

#[test]
fn with_nothing_played_speech_passes_as_it_is() {
    let near = speech(9, 16_000, 5);
    for config in [EchoConfig::speaker(16_000), EchoConfig::handset(16_000), EchoConfig::line(16_000)] {
        let mut canceller = AdaptiveEchoCanceller::new(config);
        let out = run(&mut canceller, 16_000, &vec![0; near.len()], &near);
        let clean = clean(&near, &out[canceller.delay()..]);
        assert!(clean > 50.0, "{clean} dB");
    }
}

#[test]
fn a_path_that_changes_is_learnt_again() {
    let rate = 16_000;
    let far = speech(10, rate, 12);
    let (one, other) = (room(11, 1600, 2600, 8.0), room(12, 1600, 2600, 8.0));
    let (one, other) = (echo(&far, &one, 80), echo(&far, &other, 80));
    let both: Vec<f32> = one[..96_000].iter().chain(&other[96_000..]).copied().collect();
    let near = microphone(&both, 4, None);
    let mut canceller = AdaptiveEchoCanceller::new(EchoConfig::speaker(rate));
    let out = run(&mut canceller, rate, &far, &near);
    let [first, second, then] =
        [(6, 7), (7, 8), (8, 12)].map(|(from, to)| reduction(rate, &near, &out, canceller.delay(), from, to));
    println!("{first:.1} dB in the first second, {second:.1} in the next, then {then:.1}");
    assert!(first > 14.0, "{first} dB in the first second");
    assert!(second > 20.0 && then > 28.0, "{second} dB in the next second, then {then}");
}

#[test]
fn the_light_canceller_is_enough_for_a_handset() {
    let rate = 8000;
    let far = speech(13, rate, 6);
    // Through the body and the cord: 5 ms, 30 dB weaker.
    let room = room(14, 40, 40, 30.0);
    let near = microphone(&echo(&far, &room, 480), 2, None);
    let mut canceller = AdaptiveEchoCanceller::new(EchoConfig::handset(rate));
    let out = run(&mut canceller, rate, &far, &near);
    let reduction = reduction(rate, &near, &out, canceller.delay(), 3, 6);
    println!("{reduction:.1} dB");
    assert!(reduction > 20.0, "{reduction} dB");
}

#[test]
fn a_handset_that_moves_is_learnt_again() {
    let rate = 8000;
    let far = speech(23, rate, 12);
    let (one, other) = (room(24, 40, 40, 20.0), room(25, 40, 40, 20.0));
    let (one, other) = (echo(&far, &one, 480), echo(&far, &other, 480));
    let both: Vec<f32> = one[..48_000].iter().chain(&other[48_000..]).copied().collect();
    let near = microphone(&both, 2, None);
    let mut canceller = AdaptiveEchoCanceller::new(EchoConfig::handset(rate));
    let out = run(&mut canceller, rate, &far, &near);
    let [before, first, then] =
        [(3, 6), (6, 7), (8, 12)].map(|(from, to)| reduction(rate, &near, &out, canceller.delay(), from, to));
    println!("{before:.1} dB, {first:.1} in the first second after, then {then:.1}");
    assert!(before > 25.0 && first > 4.0 && then > 25.0, "{before} dB before, {first}, {then} after");
}

/// In the manner of ITU-T G.168: tests 2 (convergence), 3 (double talk) and 4 (no near end lost), with signals of our
/// own: composite bursts of noise and speech at -16 dBm0, a hybrid of 6 dB over 20 ms within the 32 ms.
#[test]
fn a_line_converges_holds_and_does_not_diverge() {
    let rate = 8000_usize;
    let mut far = signal::noise(15, 8000, 2 * rate);
    far.extend(speech(16, 8000, 6));
    let hybrid = room(17, 160, 120, 6.0);
    let near_end = speech(18, 8000, 3);
    let near = microphone(&echo(&far, &hybrid, 60), 2, Some((4 * rate, &near_end)));
    let mut config = EchoConfig::line(8000);
    assert!(config.tail >= Duration::from_millis(32) && config.max_delay.is_zero() && !config.suppress);
    let mut canceller = AdaptiveEchoCanceller::new(config);
    assert_eq!(canceller.delay(), 0);
    let out = run(&mut canceller, 8000, &far, &near);
    // Convergence: 26 dB within the first second of noise.
    let at = rate..2 * rate;
    let converged = db(power(&near[at.clone()]) / power(&out[at]));
    assert!(converged > 26.0, "{converged} dB after a second");
    // Double talk: the near end comes through, and the echo stays away.
    let clean = clean(&near_end, &out[4 * rate..]);
    assert!(clean > 15.0, "near end {clean} dB over the rest");
    // After it nothing diverged.
    let after = reduction(8000, &near, &out, 0, 7, 8);
    println!("{converged:.1} dB converged, near end {clean:.1} dB clean, {after:.1} dB after");
    assert!(after > 26.0, "{after} dB after double talk");
    // With the non-linear part too, residual echo is under the noise.
    config.suppress = true;
    let mut canceller = AdaptiveEchoCanceller::new(config);
    let out = run(&mut canceller, 8000, &far, &near);
    let suppressed = reduction(8000, &near, &out, canceller.delay(), 1, 2);
    assert!(suppressed > converged, "{suppressed} dB with suppression, {converged} without");
}

#[test]
fn frames_of_another_length_pass_and_a_reset_forgets() {
    let mut canceller = AdaptiveEchoCanceller::new(EchoConfig::speaker(16_000));
    let mut out = [0; 80];
    canceller.process(&[5; 80], &[7; 80], &mut out);
    assert_eq!(out, [7; 80]);
    let far = speech(19, 16_000, 3);
    let near = microphone(&echo(&far, &room(20, 800, 800, 8.0), 1600), 0, None);
    let first = run(&mut canceller, 16_000, &far, &near);
    assert!(canceller.path_delay() > 0);
    canceller.reset();
    assert_eq!(canceller.path_delay(), 0);
    let again = run(&mut canceller, 16_000, &far, &near);
    assert!(first == again, "a canceller that was reset works as a new one");
}

#[test]
fn nothing_is_allocated() {
    for config in [EchoConfig::speaker(16_000), EchoConfig::handset(48_000), EchoConfig::line(8000)] {
        let rate = config.sample_rate;
        let far = speech(21, rate, 2);
        let near = microphone(&echo(&far, &room(22, 400, 400, 8.0), 400), 4, None);
        let mut canceller = AdaptiveEchoCanceller::new(config);
        let mut out = vec![0; rate as usize / 100];
        let counted = allocation_counter::measure(|| {
            let frame = out.len();
            for (far, near) in far.chunks_exact(frame).zip(near.chunks_exact(frame)) {
                canceller.process(far, near, &mut out);
            }
            canceller.reset();
        });
        assert_eq!(counted.count_total, 0, "{counted:?}");
    }
}
