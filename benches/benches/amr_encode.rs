//! AMR-NB encoding beside opencore-amr: 20 ms of speech in each of three modes.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sidetone_benches::peer::opencore_amr;
use sidetone_benches::speech::{Frames, speech};
use sidetone_codecs::amr::{FRAME_SAMPLES, FrameEncoder, Mode};
use std::hint::black_box;

/// Modes, their names, and whether silence is left out.
const CASES: [(&str, Mode, bool); 4] = [
    ("12.2", Mode::Mr1220, false),
    ("12.2-dtx", Mode::Mr1220, true),
    ("7.40", Mode::Mr740, false),
    ("4.75", Mode::Mr475, false),
];

fn encode(criterion: &mut Criterion) {
    let pcm = speech(8000);
    let mut group = criterion.benchmark_group("amr/encode");
    for (name, mode, dtx) in CASES {
        group.bench_function(BenchmarkId::new("sidetone", name), |bencher| {
            let mut frames = Frames::new(&pcm, FRAME_SAMPLES);
            let mut encoder = FrameEncoder::new(dtx);
            bencher.iter(|| {
                let frame = frames.next().first_chunk().expect("a whole frame");
                black_box(encoder.encode_frame(mode, black_box(frame)))
            });
        });
        let Some(mut encoder) = opencore_amr::Encoder::new(dtx) else { continue };
        group.bench_function(BenchmarkId::new("opencore-amr", name), |bencher| {
            let mut frames = Frames::new(&pcm, FRAME_SAMPLES);
            let mut out = [0; 32];
            bencher.iter(|| encoder.encode(mode.number(), black_box(frames.next()), black_box(&mut out)));
        });
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
