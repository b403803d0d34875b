//! The send side of a room, 10 ms at a time, beside speexdsp; before that, how well the echo cancellers do on
//! `../shared/vectors/echo`, if it is there.

#[path = "../../media/examples/erle/measure.rs"]
mod measure;

use criterion::{Criterion, criterion_group, criterion_main};
use measure::{Figures, Signals, canceller};
use sidetone_benches::peer::speexdsp;
use sidetone_benches::speech::{Frames, speech};
use sidetone_media::echo::{AdaptiveEchoCanceller, EchoCanceller, EchoConfig};
use sidetone_media::gain::{AutomaticGain, GainConfig};
use sidetone_media::noise::NoiseSuppressor;
use sidetone_media::process::{AudioProcessing, AudioProcessor};
use std::hint::black_box;
use std::path::Path;

fn quality() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/echo");
    let Ok(signals) = Signals::load(&folder) else { return };
    let show = |name: &str, figures: &Figures| {
        println!(
            "{name}: ERLE from 3 s on {:.1} dB, 1-2 s after a change {:.1} dB; double talk {:.1} dB clean, loss {:.2} dB",
            figures.after_3s, figures.after_change[0], figures.double_talk_sdr, figures.near_loss
        );
    };
    let ours = measure::measure(&signals, || {
        let mut ours = AdaptiveEchoCanceller::new(EchoConfig::speaker(16_000));
        canceller(move |far, near, out| ours.process(far, near, out))
    });
    show("sidetone", &ours);
    if speexdsp::EchoCanceller::new(16_000, 140).is_some() {
        let theirs = measure::measure(&signals, || {
            let mut speex = speexdsp::EchoCanceller::new(16_000, 140);
            canceller(move |far, near, out| {
                if let Some(speex) = &mut speex {
                    speex.process(far, near, out);
                }
            })
        });
        show("speexdsp", &theirs);
    }
}

/// An echo 9 dB below what is played, 30 ms late.
fn echo_of(far: &[i16]) -> Vec<i16> {
    let late = far.len() / 200;
    far.iter()
        .cycle()
        .skip(far.len() - late)
        .take(far.len())
        .map(|sample| (i32::from(*sample) * 3 / 8) as i16)
        .collect()
}

fn room(criterion: &mut Criterion) {
    quality();
    for rate in [8000, 16_000, 48_000] {
        let far = match rate {
            48_000 => speech(16_000).iter().flat_map(|sample| [*sample; 3]).collect(),
            rate => speech(rate),
        };
        let near = echo_of(&far);
        let frame = rate as usize / 100;
        let mut group = criterion.benchmark_group(format!("room/{rate}"));
        for (name, config) in [
            ("echo-speaker", EchoConfig::speaker(rate)),
            ("echo-handset", EchoConfig::handset(rate)),
            ("echo-line", EchoConfig::line(rate)),
        ] {
            let (mut far, mut near) = (Frames::new(&far, frame), Frames::new(&near, frame));
            let (mut canceller, mut out) = (AdaptiveEchoCanceller::new(config), vec![0; frame]);
            group.bench_function(name, |b| {
                b.iter(|| canceller.process(black_box(far.next()), near.next(), &mut out));
            });
        }
        if let Some(mut speex) = speexdsp::EchoCanceller::new(rate, 140) {
            let (mut far, mut near) = (Frames::new(&far, frame), Frames::new(&near, frame));
            let mut out = vec![0; frame];
            group.bench_function("echo-speaker-speexdsp", |b| {
                b.iter(|| speex.process(black_box(far.next()), near.next(), &mut out));
            });
        }
        let mut pcm = vec![0; frame];
        let mut frames = Frames::new(&far, frame);
        let mut noise = NoiseSuppressor::new(rate, 12);
        group.bench_function("noise", |b| {
            b.iter(|| {
                pcm.copy_from_slice(black_box(frames.next()));
                noise.process(&mut pcm);
            });
        });
        if let Some(mut speex) = speexdsp::Preprocessor::new(rate, true, false) {
            group.bench_function("noise-speexdsp", |b| {
                b.iter(|| {
                    pcm.copy_from_slice(black_box(frames.next()));
                    speex.process(&mut pcm);
                });
            });
        }
        let mut gain = AutomaticGain::new(GainConfig::default());
        group.bench_function("gain", |b| {
            b.iter(|| {
                pcm.copy_from_slice(black_box(frames.next()));
                gain.process(&mut pcm);
            });
        });
        for (name, settings) in
            [("chain-speaker", AudioProcessing::speaker()), ("chain-off", AudioProcessing::OFF)]
        {
            let mut chain = AudioProcessor::new(&settings, rate);
            let mut far = Frames::new(&far, frame);
            let mut near = Frames::new(&near, frame);
            group.bench_function(name, |b| {
                b.iter(|| {
                    pcm.copy_from_slice(black_box(near.next()));
                    chain.capture(&mut pcm);
                    chain.render(far.next());
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, room);
criterion_main!(benches);
