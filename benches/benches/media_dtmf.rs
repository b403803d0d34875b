//! Digits and tones, 20 ms at a time: the detector on speech and on digits beside spandsp's, the generator, and the
//! detector of call progress.

use core::hint::black_box;
use core::time::Duration;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sidetone_benches::peer::spandsp_dtmf as spandsp;
use sidetone_benches::speech::{Frames, speech};
use sidetone_media::dtmf::{Detector, InbandConfig, InbandSender};
use sidetone_media::tone::{Country, Generator, ProgressDetector, ToneKind, dtmf};

/// All digits, 80 ms each.
fn digits(rate: u32) -> Vec<i16> {
    let mut sender = InbandSender::new(rate, InbandConfig::default());
    for digit in "0123456789*#ABCD".chars() {
        assert!(sender.push(digit, Duration::from_millis(80)), "room for 16");
    }
    let mut pcm = Vec::new();
    let mut frame = vec![0; rate as usize / 100];
    while sender.fill(&mut frame) {
        pcm.extend_from_slice(&frame);
    }
    pcm
}

fn detect(criterion: &mut Criterion) {
    for rate in [8000, 16_000] {
        let frame = rate as usize / 50;
        for (name, pcm) in [("speech", speech(rate)), ("digits", digits(rate))] {
            let mut group = criterion.benchmark_group(format!("dtmf-detect/{name}-{rate}"));
            group.throughput(Throughput::Elements(frame as u64));
            let mut frames = Frames::new(&pcm, frame);
            let mut detector = Detector::new(rate);
            group.bench_function("sidetone", |b| {
                b.iter(|| {
                    detector.process(black_box(frames.next()));
                    while detector.poll_event().is_some() {}
                });
            });
            if let Some(mut peer) = spandsp::Detector::new().filter(|_| rate == 8000) {
                let mut frames = Frames::new(&pcm, frame);
                group.bench_function("spandsp", |b| {
                    b.iter(|| {
                        peer.process(black_box(frames.next()));
                        peer.digits().len()
                    });
                });
            }
            group.finish();
        }
    }
}

fn generate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dtmf-generate/8000");
    group.throughput(Throughput::Elements(160));
    let mut pcm = [0; 160];
    if let Some(tone) = dtmf('5') {
        let mut generator = Generator::new(tone, 8000);
        group.bench_function("sidetone", |b| b.iter(|| generator.fill(black_box(&mut pcm))));
    }
    if let Some(mut peer) = spandsp::Generator::new() {
        group.bench_function("spandsp", |b| {
            b.iter(|| {
                if peer.fill(black_box(&mut pcm)) < 160 {
                    peer.put("5555555555");
                }
            });
        });
    }
    group.finish();
}

fn progress(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("progress-detect/8000");
    group.throughput(Throughput::Elements(160));
    let mut ring = vec![0; 8000 * 6];
    Generator::new(Country::default_set().tone(ToneKind::Ringback), 8000).fill(&mut ring);
    for (name, pcm) in [("speech", speech(8000)), ("ringback", ring)] {
        for country in ["us", "de"].iter().filter_map(|code| Country::find(code)) {
            let mut frames = Frames::new(&pcm, 160);
            let mut detector = ProgressDetector::new(8000, country);
            group.bench_function(format!("{name}-{}", country.code), |b| {
                b.iter(|| {
                    detector.process(black_box(frames.next()));
                    while detector.poll_event().is_some() {}
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, detect, generate, progress);
criterion_main!(benches);
