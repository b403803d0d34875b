//! G.729 Annex A, 20 ms of speech at a time, beside the crate `audio-codec` and bcg729.

#![allow(clippy::expect_used, reason = "a benchmark stops on what should not happen")]

use audio_codec::g729::{G729Decoder, G729Encoder};
use audio_codec::{Decoder as _, Encoder as _};
use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sidetone_benches::peer::bcg729;
use sidetone_benches::speech::{Frames, speech};
use sidetone_codecs::g729::{self, FRAME_SAMPLES, SPEECH_OCTETS};

/// Samples and octets in 20 ms.
const SAMPLES: usize = 2 * FRAME_SAMPLES;
const OCTETS: usize = 2 * SPEECH_OCTETS;

fn encode(criterion: &mut Criterion) {
    let pcm = speech(8000);
    let mut group = criterion.benchmark_group("g729/encode");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    let mut out = [[0; SPEECH_OCTETS]; 2];

    for (name, vad) in [("sidetone", false), ("sidetone with VAD", true)] {
        let (mut encoder, mut frames) = (g729::Encoder::new(vad), Frames::new(&pcm, SAMPLES));
        group.bench_function(name, |b| {
            b.iter(|| {
                for (pcm, out) in black_box(frames.next()).as_chunks().0.iter().zip(&mut out) {
                    encoder.encode_frame(pcm, out);
                }
            });
        });
    }
    let (mut encoder, mut frames) = (G729Encoder::new(), Frames::new(&pcm, SAMPLES));
    group.bench_function("audio-codec", |b| {
        b.iter(|| encoder.encode_into(black_box(frames.next()), out.as_flattened_mut()).expect("room"));
    });
    if let Some(mut encoder) = bcg729::Encoder::new(false) {
        let mut frames = Frames::new(&pcm, SAMPLES);
        group.bench_function("bcg729", |b| {
            b.iter(|| {
                for (pcm, out) in black_box(frames.next()).as_chunks().0.iter().zip(&mut out) {
                    encoder.encode(pcm, out);
                }
            });
        });
    }
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    let pcm = speech(8000);
    let mut encoder = g729::Encoder::new(false);
    let mut octets = vec![0; pcm.len() / FRAME_SAMPLES * SPEECH_OCTETS];
    for (pcm, out) in pcm.as_chunks().0.iter().zip(octets.as_chunks_mut().0) {
        encoder.encode_frame(pcm, out);
    }
    let mut at = (0..octets.len() / OCTETS).cycle();
    let mut next = || &octets[at.next().expect("it never ends") * OCTETS..][..OCTETS];
    let mut group = criterion.benchmark_group("g729/decode");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    let mut out = [[0; FRAME_SAMPLES]; 2];

    let mut decoder = g729::Decoder::new();
    group.bench_function("sidetone", |b| {
        b.iter(|| {
            for (octets, pcm) in black_box(next()).as_chunks().0.iter().zip(&mut out) {
                *pcm = decoder.decode_speech(octets);
            }
        });
    });
    let mut decoder = G729Decoder::new();
    group.bench_function("audio-codec", |b| {
        b.iter(|| decoder.decode_into(black_box(next()), out.as_flattened_mut()).expect("room"));
    });
    if let Some(mut decoder) = bcg729::Decoder::new() {
        group.bench_function("bcg729", |b| {
            b.iter(|| {
                for (octets, pcm) in black_box(next()).as_chunks().0.iter().zip(&mut out) {
                    decoder.decode(octets, pcm);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode, decode);
criterion_main!(benches);
