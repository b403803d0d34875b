//! Voice activity detection and comfort noise, 10 ms at a time.

use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sidetone_benches::speech::{Frames, speech};
use sidetone_codecs::cn::{Analyser, Dtx, Generator, Sid};
use sidetone_codecs::vad::Vad;

fn vad(criterion: &mut Criterion) {
    for rate in [8000, 16_000] {
        let pcm = speech(rate);
        let frame = rate as usize / 100;
        let mut group = criterion.benchmark_group(format!("vad/{rate}"));
        group.throughput(Throughput::Elements(frame as u64));
        let mut frames = Frames::new(&pcm, frame);
        let mut vad = Vad::new(rate);
        group.bench_function("decide", |b| b.iter(|| vad.is_active(black_box(frames.next()))));
        let mut dtx = Dtx::new(rate);
        group.bench_function("dtx", |b| b.iter(|| dtx.decide(black_box(frames.next()))));
        let mut analyser = Analyser::new(rate);
        group.bench_function("analyse-noise", |b| b.iter(|| analyser.noise(black_box(frames.next()))));
        let mut generator = Generator::new(rate, 1);
        generator.update(&Sid::white(50));
        let mut noise = vec![0; frame];
        group.bench_function("generate-noise", |b| b.iter(|| generator.generate(black_box(&mut noise))));
        group.finish();
    }
}

criterion_group!(benches, vad);
criterion_main!(benches);
