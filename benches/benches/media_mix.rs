//! 20 ms of a conference: 3, 10, 100 and 500 legs at 8 kHz; the mixer alone, with G.711, with jitter buffers; beside
//! pjmedia's bridge. Five legs talk, the others have a quiet room behind them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark stops on what should not happen")]

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sidetone_benches::peer::pjmedia::Bridge;
use sidetone_codecs::{Decoder, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_media::mix::{LegConfig, LegId, Mixer, MixerConfig, SharedEncoder};
use sidetone_media::rtp::Packet;
use sidetone_media::{Negotiated, Stream, StreamConfig};

const LEGS: [usize; 4] = [3, 10, 100, 500];
const TALKERS: usize = 5;
/// Frames of 20 ms in the loop that each leg plays: 2 s.
const LOOP: usize = 100;
const FRAME: usize = 160;

/// What a leg says: a talker's bursts of tones, or the noise of a room.
fn recording(leg: usize) -> Vec<i16> {
    let mut rng = Rng::from_u64(leg as u64);
    let hertz = 150.0 + 37.0 * leg as f64;
    let sine = |n: usize| (n as f64 * hertz * core::f64::consts::TAU / 8000.0).sin();
    let sample = |n: usize| {
        let noise = f64::from((rng.next_u32() % 41) as i16 - 20);
        if leg < TALKERS { noise + 6000.0 * sine(n) * (n as f64 / 1600.0).sin().abs() } else { noise }
    };
    (0..LOOP * FRAME).map(sample).map(|sample| sample as i16).collect()
}

fn mixer(legs: usize, speakers: usize) -> (Mixer, Vec<LegId>) {
    let mut config = MixerConfig::bridge(legs);
    config.speakers = speakers;
    let mut mixer = Mixer::new(config).expect("a bridge");
    let legs = (0..legs).map(|_| mixer.join(LegConfig::new(8000)).expect("room")).collect();
    (mixer, legs)
}

/// PCM in and out.
fn mixer_alone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conference, mixer alone, 20 ms");
    for count in LEGS {
        let recordings: Vec<_> = (0..count).map(recording).collect();
        for (name, speakers) in [("5 loudest", TALKERS), ("all", usize::MAX)] {
            let (mut mixer, legs) = mixer(count, speakers);
            let mut at = 0;
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| {
                    for (leg, recording) in legs.iter().zip(&recordings) {
                        mixer.speak(*leg, &recording[at * FRAME..][..FRAME]).unwrap();
                    }
                    at = (at + 1) % LOOP;
                    mixer.mix();
                    for leg in &legs {
                        black_box(mixer.hear(*leg).unwrap());
                    }
                });
            });
        }
        // All-to-all is quadratic there; at 500 legs a frame takes as long as it lasts.
        for (name, speakers) in [("pjmedia, 5 talk to all", TALKERS), ("pjmedia, all", count)] {
            let Some(mut bridge) = Bridge::new(recordings.clone(), speakers) else { continue };
            group.bench_function(BenchmarkId::new(name, count), |b| b.iter(|| bridge.mix()));
        }
    }
    group.finish();
}

/// G.711 payloads in and out: who hears the same gets the same payload.
fn with_codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conference with PCMU, 20 ms");
    for count in LEGS {
        let payloads: Vec<Vec<u8>> = (0..count)
            .map(|leg| {
                let mut payload = vec![0; LOOP * FRAME];
                pcmu::encode_slice(&recording(leg), &mut payload);
                payload
            })
            .collect();
        let (mut mixer, legs) = mixer(count, TALKERS);
        let mut decoders = vec![pcmu::Decoder::new(); count];
        let mut shared = SharedEncoder::new(&[&pcmu::SPEC]);
        let (mut at, mut packet) = (0, [0_u8; 12 + FRAME]);
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                for ((leg, payload), decoder) in legs.iter().zip(&payloads).zip(&mut decoders) {
                    let payload = &payload[at * FRAME..][..FRAME];
                    mixer
                        .speak_with(*leg, |pcm| {
                            decoder.decode(payload, pcm).unwrap();
                        })
                        .unwrap();
                }
                at = (at + 1) % LOOP;
                mixer.mix();
                for leg in &legs {
                    let heard = mixer.hear(*leg).unwrap();
                    if heard.shared {
                        packet[12..].copy_from_slice(shared.payload(&mixer, &pcmu::SPEC).unwrap());
                    } else {
                        pcmu::encode_slice(heard.pcm, &mut packet[12..]);
                    }
                    black_box(&packet);
                }
            });
        });
    }
    group.finish();
}

/// Packets in and out: RTP, jitter buffer, G.711.
fn with_streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conference with PCMU and jitter buffers, 20 ms");
    for count in LEGS {
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 4000));
        let mut streams: Vec<_> = (0..count as u64)
            .map(|leg| {
                let negotiated = Negotiated::new(&pcmu::SPEC, 0, remote);
                Stream::new(StreamConfig::new(negotiated, "bridge@127.0.0.1", Rng::from_u64(leg)))
            })
            .collect();
        let payloads: Vec<Vec<u8>> = (0..count)
            .map(|leg| {
                let mut payload = vec![0; LOOP * FRAME];
                pcmu::encode_slice(&recording(leg), &mut payload);
                payload
            })
            .collect();
        let (mut mixer, legs) = mixer(count, TALKERS);
        let (mut now, mut number) = (Instant::ZERO, 0_usize);
        let mut pass = || {
            now += Duration::from_millis(20);
            number += 1;
            let (sequence, timestamp) = (number as u16, (number * FRAME) as u32);
            for ((leg, stream), payload) in legs.iter().zip(&mut streams).zip(&payloads) {
                let payload = &payload[number % LOOP * FRAME..][..FRAME];
                let packet = Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc: 7, payload };
                let mut datagram = [0; 12 + FRAME];
                packet.write(&mut datagram).unwrap();
                stream.handle_rtp(now, remote, &datagram);
                mixer.speak_with(*leg, |pcm| stream.playout(now, pcm)).unwrap();
            }
            mixer.mix();
            for (leg, stream) in legs.iter().zip(&mut streams) {
                stream.capture(now, mixer.hear(*leg).unwrap().pcm);
                while let Some(packet) = stream.poll_transmit() {
                    black_box(packet);
                }
                while stream.poll_event().is_some() {}
            }
        };
        for _ in 0..200 {
            pass();
        }
        group.bench_function(BenchmarkId::from_parameter(count), |b| b.iter(&mut pass));
    }
    group.finish();
}

criterion_group!(benches, mixer_alone, with_codec, with_streams);
criterion_main!(benches);
