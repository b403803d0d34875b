//! G.711, both laws, 20 ms of speech at a time; beside `audio-codec`, plain tables, and a copy as the floor.

use core::hint::black_box;
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use sidetone_benches::speech::{Frames, speech};
use sidetone_codecs::{Decoder, Encoder, pcma, pcmu};

const FRAME: usize = 160;

/// One law: ours, the peer's, and how a sample is made of a code.
struct Law {
    name: &'static str,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    peer_encoder: Box<dyn audio_codec::Encoder>,
    peer_decoder: Box<dyn audio_codec::Decoder>,
    encode_sample: fn(i16) -> u8,
    decode_sample: fn(u8) -> i16,
}

fn laws() -> [Law; 2] {
    [
        Law {
            name: "pcmu",
            encoder: Box::new(pcmu::Encoder::new()),
            decoder: Box::new(pcmu::Decoder::new()),
            peer_encoder: Box::new(audio_codec::pcmu::PcmuEncoder::new()),
            peer_decoder: Box::new(audio_codec::pcmu::PcmuDecoder::new()),
            encode_sample: pcmu::encode_sample,
            decode_sample: pcmu::decode_sample,
        },
        Law {
            name: "pcma",
            encoder: Box::new(pcma::Encoder::new()),
            decoder: Box::new(pcma::Decoder::new()),
            peer_encoder: Box::new(audio_codec::pcma::PcmaEncoder::new()),
            peer_decoder: Box::new(audio_codec::pcma::PcmaDecoder::new()),
            encode_sample: pcma::encode_sample,
            decode_sample: pcma::decode_sample,
        },
    ]
}

fn group<'a>(criterion: &'a mut Criterion, name: &str, direction: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("g711-{name}/{direction}"));
    group.throughput(Throughput::Elements(FRAME as u64));
    group
}

fn encode(criterion: &mut Criterion) {
    let pcm = speech(8000);
    for mut law in laws() {
        let mut group = group(criterion, law.name, "encode");
        let mut out = [0_u8; FRAME];
        let mut frames = Frames::new(&pcm, FRAME);
        group.bench_function("sidetone", |b| {
            b.iter(|| law.encoder.encode(black_box(frames.next()), &mut out))
        });
        group.bench_function("audio-codec", |b| {
            b.iter(|| law.peer_encoder.encode_into(black_box(frames.next()), &mut out).is_ok());
        });
        let table: Vec<u8> = (0..=u16::MAX).map(|pattern| (law.encode_sample)(pattern as i16)).collect();
        group.bench_function("table", |b| {
            b.iter(|| {
                for (code, &sample) in out.iter_mut().zip(black_box(frames.next())) {
                    *code = table[usize::from(sample as u16)];
                }
                black_box(&mut out);
            });
        });
        let mut copied = [0_i16; FRAME];
        group.bench_function("copy", |b| {
            b.iter(|| black_box(&mut copied).copy_from_slice(black_box(frames.next())))
        });
    }
}

fn decode(criterion: &mut Criterion) {
    let pcm = speech(8000);
    for mut law in laws() {
        let codes: Vec<u8> = pcm.iter().map(|&sample| (law.encode_sample)(sample)).collect();
        let mut group = group(criterion, law.name, "decode");
        let mut out = [0_i16; FRAME];
        let mut payloads = codes.chunks_exact(FRAME).cycle();
        let mut next = || payloads.next().unwrap_or_default();
        group.bench_function("sidetone", |b| b.iter(|| law.decoder.decode(black_box(next()), &mut out)));
        group.bench_function("audio-codec", |b| {
            b.iter(|| law.peer_decoder.decode_into(black_box(next()), &mut out).is_ok());
        });
        let table: Vec<i16> = (0..=u8::MAX).map(law.decode_sample).collect();
        group.bench_function("table", |b| {
            b.iter(|| {
                for (sample, &code) in out.iter_mut().zip(black_box(next())) {
                    *sample = table[usize::from(code)];
                }
                black_box(&mut out);
            });
        });
        let mut copied = [0_u8; FRAME];
        group
            .bench_function("copy", |b| b.iter(|| black_box(&mut copied).copy_from_slice(black_box(next()))));
    }
}

criterion_group!(benches, encode, decode);
criterion_main!(benches);
