//! Concealment beside the ITU-T STL's program of G.711 Appendix I, which delays by 3.75 ms and we do not: how
//! near either comes to what was lost.

use crate::common;
use crate::common::vectors::{self, Loss};
use core::f64::consts::TAU;
use sidetone_codecs::plc::Concealer;

const FRAME: usize = 160;

/// How near the heard signal is to the true one around the losses.
#[derive(Clone, Copy, Debug)]
struct Nearness {
    /// Mean over the losses of the signal-to-noise ratio in dB, each limited to -10..35 dB.
    snr: f64,
    /// Mean distance of the spectra in 16 bands, in dB.
    spectral: f64,
}

/// Frames of 20 ms with losses through the concealer.
fn conceal(truth: &[i16], loss: Loss) -> Vec<i16> {
    let mut heard = truth.to_vec();
    let mut concealer = <Concealer>::new();
    for (i, frame) in heard.chunks_mut(FRAME).enumerate() {
        if loss.is_lost(i) { concealer.conceal(frame) } else { concealer.received(frame) }
    }
    heard
}

fn nearness(truth: &[i16], heard: &[i16], loss: Loss) -> Nearness {
    let lost = (1..truth.len() / FRAME - 1).filter(|&frame| loss.is_lost(frame));
    let (mut ratios, mut distances) = (Vec::new(), Vec::new());
    for frame in lost {
        let begin = frame * FRAME;
        // The joint with what comes again counts too.
        let end = begin + if loss.is_lost(frame + 1) { FRAME } else { FRAME + 80 };
        let (meant, made) = (&truth[begin..end], &heard[begin..end]);
        let energy: f64 = meant.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        if energy > 1e4 * meant.len() as f64 {
            ratios.push(common::snr(meant, made).clamp(-10.0, 35.0));
        }
        for at in [begin - 48, begin + 16, begin + 80] {
            let (meant, made) = (bands(&truth[at..at + 256]), bands(&heard[at..at + 256]));
            let squares: f64 = meant.iter().zip(made).map(|(a, b)| (a - b).powi(2)).sum();
            distances.push((squares / 16.0).sqrt());
        }
    }
    Nearness { snr: mean(&ratios), spectral: mean(&distances) }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The power in 16 bands of 256 samples, in dB, over a floor below what is heard.
fn bands(samples: &[i16]) -> [f64; 16] {
    const EDGES: [usize; 17] = [3, 6, 9, 13, 16, 20, 24, 29, 34, 40, 47, 55, 64, 74, 86, 100, 115];
    let turn: [(f64, f64); 256] = core::array::from_fn(|i| (TAU * i as f64 / 256.0).sin_cos());
    let power = |line: usize| {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, &sample) in samples.iter().enumerate() {
            let value = (0.5 - 0.5 * turn[i].1) * f64::from(sample);
            let (sin, cos) = turn[line * i % 256];
            re += value * cos;
            im -= value * sin;
        }
        re * re + im * im
    };
    core::array::from_fn(|band| {
        let lines = EDGES[band]..EDGES[band + 1];
        let count = lines.len() as f64;
        10.0 * (lines.map(power).sum::<f64>() / count + 3e4).log10()
    })
}

/// Signal, loss, and the nearness of the STL's output (its delay taken out).
const REFERENCE: [(&str, Loss, Nearness); 8] = [
    ("speech-a", Loss::Every7, Nearness { snr: 2.99, spectral: 5.19 }),
    ("speech-a", Loss::Burst, Nearness { snr: 1.15, spectral: 9.99 }),
    ("speech-b", Loss::Every7, Nearness { snr: 2.43, spectral: 4.72 }),
    ("speech-b", Loss::Burst, Nearness { snr: 1.17, spectral: 9.15 }),
    ("mix", Loss::Every7, Nearness { snr: 1.50, spectral: 4.72 }),
    ("mix", Loss::Burst, Nearness { snr: -0.33, spectral: 8.77 }),
    ("seeded", Loss::Every7, Nearness { snr: 4.37, spectral: 3.61 }),
    ("seeded", Loss::Burst, Nearness { snr: 1.51, spectral: 7.15 }),
];

fn signal(name: &str) -> Option<Vec<i16>> {
    if name == "seeded" {
        return Some(common::signal::speech(726, 8000, 32_000));
    }
    vectors::folder("signals")?.pcm(&format!("signals/{name}.8k.pcm"))
}

#[test]
fn losses_are_filled_as_well_as_by_the_stl_without_its_delay() {
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    for (name, loss, stl) in REFERENCE {
        let Some(truth) = signal(name) else { continue };
        let near = nearness(&truth, &conceal(&truth, loss), loss);
        println!("{name} {loss:?}: {near:.2?}, STL {stl:.2?}");
        assert!(
            near.snr > stl.snr - 0.6 && near.spectral < stl.spectral + 0.6,
            "{name} {loss:?}: {near:?}, {stl:?}"
        );
        ours.push(near);
        reference.push(stl);
    }
    let means = |list: &[Nearness]| {
        (
            mean(&list.iter().map(|near| near.snr).collect::<Vec<_>>()),
            mean(&list.iter().map(|near| near.spectral).collect::<Vec<_>>()),
        )
    };
    let (ours, stl) = (means(&ours), means(&reference));
    println!("mean SNR, spectral distance in dB: {ours:.2?}, STL {stl:.2?}");
    assert!(ours.0 >= stl.0 - 0.3 && ours.1 <= stl.1 + 0.1, "{ours:?}, {stl:?}");
}

#[test]
fn a_loss_changes_only_itself_and_a_short_blend_after_it() {
    let truth = common::signal::speech(3, 8000, 16_000);
    let heard = conceal(&truth, Loss::Every7);
    for (i, (meant, made)) in truth.chunks(FRAME).zip(heard.chunks(FRAME)).enumerate() {
        match (Loss::Every7.is_lost(i), i > 0 && Loss::Every7.is_lost(i - 1)) {
            (true, _) => {}
            // A quarter of a period and 4 ms after a loss of 20 ms.
            (false, true) => assert_eq!(meant[62..], made[62..], "frame {i}"),
            (false, false) => assert_eq!(meant, made, "frame {i}"),
        }
    }
}

#[test]
fn any_lengths_in_any_order_stay_in_bounds() {
    let mut random = common::signal::Random::new(5);
    let mut small = <Concealer>::new();
    let mut large = Concealer::<2340>::new();
    for _ in 0..3000 {
        let longest = if random.below(20) == 0 { 5000 } else { 400 };
        let length = random.below(longest) as usize;
        let mut pcm: Vec<i16> = (0..length).map(|_| random.next() as i16).collect();
        if random.below(2) == 0 {
            small.received(&mut pcm.clone());
            large.received(&mut pcm);
        } else {
            small.conceal(&mut pcm.clone());
            large.conceal(&mut pcm);
        }
    }
}

#[test]
fn the_state_has_the_documented_size() {
    assert_eq!(size_of::<Concealer>(), 792);
}
