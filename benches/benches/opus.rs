//! Opus, 20 ms of speech at a time, beside libopus with the same settings. Both decoders get the packets that
//! libopus made (ours, if it is not installed).

use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sidetone_benches::peer::libopus;
use sidetone_benches::speech::{Frames, speech};
use sidetone_codecs::Decoder as _;
use sidetone_codecs::opus::{Decoder, Encoder, Rate, Settings};

const MOST_OCTETS: usize = 1275;

struct Case {
    name: &'static str,
    rate: Rate,
    bit_rate: u32,
    complexity: u8,
}

const CASES: [Case; 3] = [
    Case { name: "nb12", rate: Rate::Hz8000, bit_rate: 12_000, complexity: 5 },
    Case { name: "wb24", rate: Rate::Hz16000, bit_rate: 24_000, complexity: 5 },
    Case { name: "wb24-complexity-10", rate: Rate::Hz16000, bit_rate: 24_000, complexity: 10 },
];

impl Case {
    fn frame(&self) -> usize {
        self.rate.hz() as usize / 50
    }

    fn ours(&self) -> Encoder {
        let settings =
            Settings { bit_rate: self.bit_rate, complexity: self.complexity, ..Settings::new(self.rate) };
        Encoder::new(self.rate, settings)
    }

    fn peer(&self) -> Option<libopus::Encoder> {
        let number = |value: u32| value.cast_signed();
        libopus::Encoder::new(number(self.rate.hz()), number(self.bit_rate), self.complexity.into())
    }

    fn packets(&self, pcm: &[i16]) -> Vec<Vec<u8>> {
        let (mut ours, mut peer) = (self.ours(), self.peer());
        let mut out = [0; MOST_OCTETS];
        let mut packet = |frame: &[i16]| {
            let octets = match &mut peer {
                Some(peer) => peer.encode(frame, &mut out),
                None => ours.encode_packet(frame, &mut out).expect("encoded"),
            };
            out[..octets].to_vec()
        };
        pcm.chunks_exact(self.frame()).map(&mut packet).collect()
    }
}

fn encode(criterion: &mut Criterion) {
    for case in &CASES {
        let pcm = speech(case.rate.hz());
        let mut group = criterion.benchmark_group(format!("opus-{}/encode", case.name));
        group.throughput(Throughput::Elements(case.frame() as u64));
        let mut out = [0; MOST_OCTETS];
        let mut frames = Frames::new(&pcm, case.frame());
        let mut ours = case.ours();
        group.bench_function("sidetone", |b| {
            b.iter(|| ours.encode_packet(black_box(frames.next()), &mut out));
        });
        if let Some(mut peer) = case.peer() {
            let mut frames = Frames::new(&pcm, case.frame());
            group.bench_function("libopus", |b| b.iter(|| peer.encode(black_box(frames.next()), &mut out)));
        }
        group.finish();
    }
}

fn decode(criterion: &mut Criterion) {
    for case in &CASES {
        let packets = case.packets(&speech(case.rate.hz()));
        let mut group = criterion.benchmark_group(format!("opus-{}/decode", case.name));
        group.throughput(Throughput::Elements(case.frame() as u64));
        let mut pcm = vec![0; case.frame()];
        let mut ours = Decoder::new(case.rate);
        let mut next = packets.iter().cycle();
        group.bench_function("sidetone", |b| {
            b.iter(|| next.next().map(|packet| ours.decode(black_box(packet), &mut pcm)));
        });
        if let Some(mut peer) = libopus::Decoder::new(case.rate.hz().cast_signed()) {
            let mut next = packets.iter().cycle();
            group.bench_function("libopus", |b| {
                b.iter(|| next.next().map(|packet| peer.decode(black_box(packet), &mut pcm)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, encode, decode);
criterion_main!(benches);
