//! Changing the rate of 10 ms of sound, and how well: ours, libspeexdsp's, libsoxr's.
//!
//! Before the times, a table says what each does to the sound: the ripple up to 0.85 of the lower rate's half, how far
//! down what is mirrored is at the least, and the delay.

use core::f64::consts::TAU;
use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sidetone_benches::peer::soxr::SoxrResampler;
use sidetone_benches::peer::speexdsp::SpeexResampler;
use sidetone_media::resample::{Drift, Resampler};

const PAIRS: [(u32, u32); 7] = [
    (8000, 16_000),
    (16_000, 8000),
    (16_000, 48_000),
    (48_000, 16_000),
    (8000, 48_000),
    (48_000, 8000),
    (44_100, 16_000),
];

type Process = Box<dyn FnMut(&[i16], &mut [i16]) -> usize>;

/// Everybody who can do it, by name.
fn everybody(from: u32, to: u32) -> Vec<(&'static str, Process)> {
    let mut all: Vec<(&'static str, Process)> = Vec::new();
    if let Ok(mut ours) = Resampler::new(from, to) {
        all.push(("sidetone", Box::new(move |input, out| ours.process(input, out))));
    }
    for (name, quality) in [("speexdsp, quality 3", 3), ("speexdsp, quality 5", 5)] {
        if let Some(mut speex) = SpeexResampler::new(from, to, quality) {
            all.push((name, Box::new(move |input, out| speex.process(input, out))));
        }
    }
    if let Some(mut soxr) = SoxrResampler::new(from, to) {
        all.push(("soxr, low quality", Box::new(move |input, out| soxr.process(input, out))));
    }
    all
}

/// Two seconds of a sine through a resampler, by frames of 10 ms.
fn through(process: &mut Process, from: u32, to: u32, hertz: f64) -> Vec<i16> {
    let turn = TAU * hertz / f64::from(from);
    let pcm: Vec<i16> =
        (0..2 * from).map(|n| (20_000.0 * (f64::from(n) * turn).sin()).round() as i16).collect();
    let mut frame = vec![0; to as usize / 10];
    let mut out = Vec::new();
    for input in pcm.chunks(from as usize / 100) {
        let count = process(input, &mut frame);
        out.extend_from_slice(&frame[..count]);
    }
    out
}

/// Amplitude and phase over half a second, a second from the beginning, with a Hann window.
fn measure(pcm: &[i16], rate: u32, hertz: f64) -> (f64, f64) {
    let (from, count) = (rate as usize, rate as usize / 2);
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in pcm.iter().enumerate().skip(from).take(count) {
        let window = 0.5 - 0.5 * (TAU * (n - from) as f64 / count as f64).cos();
        let turn = TAU * hertz * n as f64 / f64::from(rate);
        re += f64::from(*sample) * window * turn.cos();
        im += f64::from(*sample) * window * turn.sin();
    }
    (4.0 * re.hypot(im) / count as f64, re.atan2(im))
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-6).log10()
}

/// What is mirrored of a sine, against it, in decibel.
fn mirrored(process: &mut Process, from: u32, to: u32, hertz: f64) -> f64 {
    let out = through(process, from, to, hertz);
    if from > to {
        let part = &out[to as usize..to as usize * 3 / 2];
        let power = part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / part.len() as f64;
        return db((2.0 * power).sqrt() / 20_000.0);
    }
    let images = [f64::from(from) - hertz, f64::from(from) + hertz];
    let heard = images.into_iter().filter(|image| *image < f64::from(to) / 2.0);
    heard.map(|image| db(measure(&out, to, image).0 / 20_000.0)).fold(-120.0, f64::max)
}

fn quality() {
    println!("{:<16}{:<22}{:>12}{:>14}{:>12}", "rates", "who", "ripple, dB", "mirrored, dB", "delay, ms");
    for (from, to) in PAIRS {
        let half = f64::from(from.min(to)) / 2.0;
        for (name, mut process) in everybody(from, to) {
            let flat = (1..=17).map(|part| {
                let hertz = (half * f64::from(part) * 0.05).round();
                db(measure(&through(&mut process, from, to, hertz), to, hertz).0 / 20_000.0).abs()
            });
            let ripple = flat.fold(0.0, f64::max);
            let worst = (1..=16).map(|part| {
                // Down: what is above the lower half. Up: what is in the band, and its images.
                let place = f64::from(part) / 17.0;
                let hertz =
                    if from > to { half + (f64::from(from) / 2.0 - half) * place } else { half * place };
                mirrored(&mut process, from, to, hertz.round())
            });
            let worst = worst.fold(-120.0, f64::max);
            // Of a fresh one, whose first sample belongs to time zero.
            let fresh = everybody(from, to).into_iter().find(|(known, _)| *known == name);
            let delay = fresh.map_or(0.0, |(_, mut process)| {
                let late = -measure(&through(&mut process, from, to, 10.0), to, 10.0).1 / TAU / 10.0;
                late.rem_euclid(0.1) * 1000.0
            });
            println!("{:<16}{name:<22}{ripple:>12.3}{worst:>14.1}{delay:>12.2}", format!("{from} to {to}"));
        }
    }
}

fn resample(criterion: &mut Criterion) {
    quality();
    for (from, to) in PAIRS {
        let mut group = criterion.benchmark_group(format!("10 ms from {from} to {to}"));
        group.throughput(Throughput::Elements(u64::from(to) / 100));
        let turn = TAU * 440.0 / f64::from(from);
        let pcm: Vec<i16> =
            (0..from / 100).map(|n| (10_000.0 * (f64::from(n) * turn).sin()) as i16).collect();
        let mut out = vec![0; to as usize / 10];
        for (name, mut process) in everybody(from, to) {
            group.bench_function(name, |b| b.iter(|| process(black_box(&pcm), black_box(&mut out))));
        }
        group.finish();
    }
    let mut group = criterion.benchmark_group("10 ms with 300 ppm of drift");
    for rate in [16_000, 48_000] {
        let pcm = vec![1000; rate / 100];
        let mut out = vec![0; rate / 100 + 2];
        let mut drift = Drift::new();
        drift.set_ppm(300.0);
        group.bench_function(format!("sidetone, {rate}"), |b| {
            b.iter(|| drift.process(black_box(&pcm), black_box(&mut out)));
        });
    }
    group.finish();
}

criterion_group!(benches, resample);
criterion_main!(benches);
