//! AMR-NB decoding beside opencore-amr: 20 ms of speech in each of three modes, with all that the decoder does.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sidetone_benches::peer::opencore_amr;
use sidetone_benches::speech::speech;
use sidetone_codecs::amr::{FRAME_SAMPLES, Frame, FrameDecoder, FrameEncoder, Mode};
use std::hint::black_box;

/// Modes, their names, and whether silence is left out.
const CASES: [(&str, Mode, bool); 4] = [
    ("12.2", Mode::Mr1220, false),
    ("12.2-dtx", Mode::Mr1220, true),
    ("7.40", Mode::Mr740, false),
    ("4.75", Mode::Mr475, false),
];

fn encoded(mode: Mode, dtx: bool) -> Vec<Frame> {
    let mut encoder = FrameEncoder::new(dtx);
    speech(8000).as_chunks().0.iter().map(|pcm| encoder.encode_frame(mode, pcm)).collect()
}

/// A frame in the storage format.
fn stored(frame: &Frame) -> Vec<u8> {
    let mut octets = [0; 32];
    let count = frame.store(&mut octets).expect("no frame is longer");
    octets[..count].to_vec()
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("amr/decode");
    for (name, mode, dtx) in CASES {
        let frames = encoded(mode, dtx);
        group.bench_function(BenchmarkId::new("sidetone", name), |bencher| {
            let mut frames = frames.iter().cycle();
            let mut decoder = FrameDecoder::new();
            let mut pcm = [0; FRAME_SAMPLES];
            bencher.iter(|| {
                let frame = frames.next().expect("it never ends");
                decoder.decode_frame(black_box(frame), black_box(&mut pcm));
            });
        });
        let Some(mut decoder) = opencore_amr::Decoder::new() else { continue };
        let frames: Vec<Vec<u8>> = frames.iter().map(stored).collect();
        group.bench_function(BenchmarkId::new("opencore-amr", name), |bencher| {
            let mut frames = frames.iter().cycle();
            let mut pcm = [0; FRAME_SAMPLES];
            bencher.iter(|| {
                let frame = frames.next().expect("it never ends");
                decoder.decode(black_box(frame), black_box(&mut pcm));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
