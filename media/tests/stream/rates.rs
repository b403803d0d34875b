//! Streams whose sound cards and codecs run at different rates.

use crate::common::address;
use core::f64::consts::TAU;
use core::time::Duration;
use sidetone_codecs::{CodecSpec, g722, g729, l16, opus, pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_media::resample::RATES;
use sidetone_media::sdp::Format;
use sidetone_media::tone::level;
use sidetone_media::{Channel, Negotiated, Stream, StreamConfig};

fn agreed(codec: &'static CodecSpec, payload_type: u8, other: u8) -> Negotiated {
    Negotiated::new(codec, payload_type, address(other, 4000))
}

fn stream(negotiated: Negotiated, pcm_rate: u32, seed: u64) -> Stream {
    let mut config = StreamConfig::new(negotiated, "phone@192.0.2.1", Rng::from_u64(seed));
    config.pcm_rate = pcm_rate;
    Stream::new(config)
}

/// One speaks a tone, the other listens, at rates of their own.
struct Line {
    speaker: Stream,
    listener: Stream,
    hertz: f64,
    at: u64,
    now: Instant,
    captured: Vec<i16>,
    playout: Vec<i16>,
}

impl Line {
    fn new(speaker: Stream, listener: Stream, hertz: f64) -> Self {
        let frame = |stream: &Stream| vec![0; stream.sample_rate() as usize / 100];
        let (captured, playout) = (frame(&speaker), frame(&listener));
        Self { speaker, listener, hertz, at: 0, now: Instant::from_millis(1000), captured, playout }
    }

    /// 10 ms.
    fn tick(&mut self) {
        self.now += Duration::from_millis(10);
        let turn = TAU * self.hertz / f64::from(self.speaker.sample_rate());
        for sample in &mut self.captured {
            *sample = (8000.0 * (self.at as f64 * turn).sin()) as i16;
            self.at += 1;
        }
        self.speaker.capture(self.now, &self.captured);
        while let Some(packet) = self.speaker.poll_transmit() {
            if packet.channel == Channel::Rtp {
                self.listener.handle_rtp(self.now, address(1, 4000), packet.payload);
            }
        }
        self.listener.playout(self.now, &mut self.playout);
    }

    /// What is heard in so many milliseconds.
    fn run(&mut self, millis: usize) -> Vec<i16> {
        let mut heard = Vec::new();
        for _ in 0..millis / 10 {
            self.tick();
            heard.extend_from_slice(&self.playout);
        }
        heard
    }
}

const CODECS: [(&CodecSpec, u8); 7] = [
    (&pcmu::SPEC, 0),
    (&g722::SPEC, 9),
    (&g729::SPEC, 18),
    (&opus::SPEC, 96),
    (&l16::L16_16000, 97),
    (&l16::L16_48000, 98),
    (&l16::L16_44100, 11),
];

#[test]
fn every_codec_is_heard_at_every_rate() {
    for (codec, payload_type) in CODECS {
        for (speaks, hears) in [(8000, 48_000), (16_000, 8000), (48_000, 16_000), (32_000, 32_000)] {
            let speaker = stream(agreed(codec, payload_type, 2), speaks, 1);
            let listener = stream(agreed(codec, payload_type, 1), hears, 2);
            assert_eq!((speaker.sample_rate(), listener.sample_rate()), (speaks, hears));
            let mut line = Line::new(speaker, listener, 1000.0);
            line.run(400);
            let heard = line.run(400);
            let tone = level(&heard, hears, 1000.0);
            let what = format!("{codec:?} from {speaks} to {hears}: {tone}");
            assert!((6500.0..9500.0).contains(&tone), "{what}");
            let power = heard.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / heard.len() as f64;
            assert!(f64::from(tone).powi(2) / 2.0 > 0.85 * power, "{what}");
            let stats = line.listener.stats();
            assert_eq!(
                (stats.concealed, stats.packets_late, stats.packets_lost),
                (Duration::ZERO, 0, 0),
                "{what}"
            );
            let played = stats.played.as_millis();
            assert!((700..=800).contains(&played), "{what}: {played} ms");
        }
    }
}

#[test]
fn wide_band_stays_wide_where_both_ends_are() {
    for (codec, payload_type) in [(&g722::SPEC, 9), (&opus::SPEC, 96), (&l16::L16_16000, 97)] {
        for (speaks, hears, wide) in [(16_000, 48_000, true), (48_000, 16_000, true), (48_000, 8000, false)] {
            let speaker = stream(agreed(codec, payload_type, 2), speaks, 1);
            let listener = stream(agreed(codec, payload_type, 1), hears, 2);
            let mut line = Line::new(speaker, listener, 5000.0);
            line.run(300);
            let heard = line.run(300);
            let tone = level(&heard, hears, if wide { 5000.0 } else { 3000.0 });
            assert_eq!(tone > 5000.0, wide, "{codec:?} from {speaks} to {hears}: {tone}");
            let loudest = heard.iter().map(|s| s.unsigned_abs()).max().unwrap();
            // What lossy codecs add of their own is noise; L16 adds nothing.
            let noise = if codec.name == "L16" { 20 } else { 400 };
            assert!(wide || loudest < noise, "{codec:?}: 5 kHz was folded down to {loudest}");
        }
    }
}

#[test]
fn a_codec_change_keeps_the_rate_of_the_pcm_side() {
    let mut line = Line::new(
        stream(agreed(&pcmu::SPEC, 0, 2), 16_000, 1),
        stream(agreed(&pcmu::SPEC, 0, 1), 48_000, 2),
        1000.0,
    );
    for (codec, payload_type) in
        [(&pcmu::SPEC, 0), (&g722::SPEC, 9), (&g729::SPEC, 18), (&pcma::SPEC, 8), (&g722::SPEC, 9)]
    {
        line.speaker.update(line.now, agreed(codec, payload_type, 2));
        line.listener.update(line.now, agreed(codec, payload_type, 1));
        assert_eq!((line.speaker.sample_rate(), line.listener.sample_rate()), (16_000, 48_000));
        line.run(400);
        let tone = level(&line.run(300), 48_000, 1000.0);
        assert!((6500.0..9500.0).contains(&tone), "{codec:?}: {tone}");
    }
}

#[test]
fn a_sender_may_change_between_codecs_of_two_rates_without_a_word() {
    // Both were agreed on; only what is preferred was said to be sent.
    let both = |preferred: (&'static CodecSpec, u8), other: u8| {
        let mut negotiated = agreed(preferred.0, preferred.1, other);
        negotiated.receive = vec![Format::new(0, &pcmu::SPEC), Format::new(9, &g722::SPEC)];
        negotiated
    };
    for preferred in [(&pcmu::SPEC, 0), (&g722::SPEC, 9)] {
        let speaker = stream(both((&pcmu::SPEC, 0), 2), 16_000, 1);
        let listener = stream(both(preferred, 1), 16_000, 2);
        let mut line = Line::new(speaker, listener, 1000.0);
        for round in 0..6 {
            let now = if round % 2 == 0 { (&pcmu::SPEC, 0) } else { (&g722::SPEC, 9) };
            line.speaker.update(line.now, both(now, 2));
            line.run(200);
            let heard = line.run(200);
            let tone = level(&heard, 16_000, 1000.0);
            assert!((7000.0..9000.0).contains(&tone), "round {round}: {tone}");
        }
        assert_eq!(line.listener.stats().packets_refused, 0);
        line.speaker.update(line.now, both((&g722::SPEC, 9), 2));
        line.hertz = 5000.0;
        line.run(200);
        let tone = level(&line.run(200), 16_000, 5000.0);
        assert!(tone > 5000.0, "wide band behind a narrow preference: {tone}");
    }
}

#[test]
fn frames_of_any_length_are_taken_and_given() {
    let mut rng = Rng::from_u64(9);
    let mut speaker = stream(agreed(&g722::SPEC, 9, 2), 48_000, 1);
    let mut listener = stream(agreed(&g722::SPEC, 9, 1), 44_100, 2);
    let mut now = Instant::from_millis(1000);
    let (mut spoken, mut wanted, mut heard) = (0.0, 0.0, Vec::new());
    let (mut at, mut given) = (0_u64, 0.0);
    for _ in 0..2000 {
        let micros = 1000 + u64::from(rng.below(9000));
        now += Duration::from_micros(micros);
        spoken += micros as f64 * 0.048;
        let count = spoken as u64 - at;
        let pcm: Vec<i16> =
            (at..at + count).map(|n| (8000.0 * (n as f64 * TAU * 1000.0 / 48_000.0).sin()) as i16).collect();
        at += count;
        speaker.capture(now, &pcm);
        while let Some(packet) = speaker.poll_transmit() {
            listener.handle_rtp(now, address(1, 4000), packet.payload);
        }
        wanted += micros as f64 * 0.0441;
        let mut pcm = vec![0; (wanted - given) as usize];
        given += pcm.len() as f64;
        listener.playout(now, &mut pcm);
        heard.extend(pcm);
    }
    let tone = level(&heard[heard.len() - 22_050..], 44_100, 1000.0);
    assert!((7000.0..9000.0).contains(&tone), "{tone}");
}

#[test]
fn a_rate_that_is_none_counts_as_the_codecs() {
    for (rate, expected) in [(0, 8000), (11_025, 8000), (1_000_000, 8000), (44_100, 44_100), (96_000, 96_000)]
    {
        assert_eq!(stream(agreed(&pcmu::SPEC, 0, 1), rate, 1).sample_rate(), expected);
    }
    for rate in RATES {
        assert_eq!(stream(agreed(&pcmu::SPEC, 0, 1), rate, 1).sample_rate(), rate);
    }
}

#[test]
fn volume_mute_and_levels_belong_to_the_stream() {
    let mut line = Line::new(
        stream(agreed(&pcmu::SPEC, 0, 2), 16_000, 1),
        stream(agreed(&pcmu::SPEC, 0, 1), 48_000, 2),
        1000.0,
    );
    line.run(600);
    // A peak of 8000 is -12.2 dB of full scale, a sine of it -15.3 dBov.
    let near = |a: f32, b: f32| assert!((a - b).abs() < 0.6, "{a}, expected {b}");
    near(line.speaker.levels().sent.rms_dbov, -15.3);
    near(line.listener.levels().received.rms_dbov, -15.3);
    near(line.listener.levels().received.peak_db, -12.2);
    line.speaker.set_capture_volume(-6.0);
    line.listener.set_playout_volume(12.0);
    line.run(800);
    near(line.speaker.levels().sent.rms_dbov, -21.3);
    near(line.listener.levels().received.rms_dbov, -21.3);
    let tone = level(&line.run(200), 48_000, 1000.0);
    assert!((tone / 16_000.0 - 1.0).abs() < 0.06, "{tone}");
    line.speaker.set_muted(true);
    line.run(200);
    assert!(line.run(200).iter().all(|sample| sample.abs() < 20));
}

#[test]
fn resampling_streams_allocate_nothing() {
    let mut line = Line::new(
        stream(agreed(&pcmu::SPEC, 0, 2), 48_000, 1),
        stream(agreed(&pcmu::SPEC, 0, 1), 16_000, 2),
        700.0,
    );
    line.run(1000);
    line.speaker.set_muted(true);
    let counted = allocation_counter::measure(|| {
        for _ in 0..1000 {
            line.tick();
        }
    });
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
}
