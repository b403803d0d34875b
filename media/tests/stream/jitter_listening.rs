//! What a listener gets: two streams over a simulated network, and how far what is heard is from what was said.

use crate::voice;
use sidetone_codecs::{CodecSpec, g722, g729, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::sim::{Burst, Fate, Link, LinkConfig};
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::jitter::{DelayLimits, Incoming, JitterBuffer, JitterStats, PayloadDecoder};
use sidetone_media::{Negotiated, Stream, StreamConfig, StreamStats};
use std::collections::BTreeMap;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What was said, what was heard, and when: sample `i` of `heard` sounds `after` later than sample `i` of `said` was
/// spoken.
struct Listening {
    said: Vec<i16>,
    heard: Vec<i16>,
    after: Duration,
    rate: u32,
}

/// One phone speaks to another; the other's sound card ticks `phase` after the first one's.
fn listen(
    codec: &'static CodecSpec,
    link: LinkConfig,
    phase: Duration,
    seconds: u64,
    seed: u64,
) -> (Listening, StreamStats) {
    let address = |host: u8| core::net::SocketAddr::from(([192, 0, 2, host], 4000));
    let stream = |other: u8| {
        let agreed = Negotiated::new(codec, codec.payload_type.unwrap(), address(other));
        Stream::new(StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(seed + u64::from(other))))
    };
    let (mut mouth, mut ear) = (stream(2), stream(1));
    let mut link = Link::new(link, Rng::from_u64(seed));
    let rate = mouth.sample_rate();
    let frame = rate as usize / 100;
    let mut flying = BTreeMap::new();
    let (mut said, mut heard) = (Vec::new(), Vec::new());
    for tick in 0..seconds * 100 {
        // What was said in the 10 ms before now.
        let now = Instant::from_millis(10_000 + tick * 10);
        let from = said.len();
        said.extend((from..from + frame).map(|at| voice::voice(at as i64, rate)));
        mouth.capture(now, &said[from..]);
        while let Some(packet) = mouth.poll_transmit() {
            if let Fate::Arrives { at, .. } = link.send(now, packet.payload.len()) {
                flying.insert((at, flying.len() as u64 + tick * 100), packet.payload.to_vec());
            }
        }
        let now = now + phase;
        while let Some(first) = flying.first_entry().filter(|first| first.key().0 <= now) {
            let ((at, _), octets) = first.remove_entry();
            ear.handle_rtp(at, address(1), &octets);
        }
        heard.resize(from + frame, 0);
        ear.playout(now, &mut heard[from..]);
    }
    (Listening { said, heard, after: phase + ms(10), rate }, ear.stats())
}

/// Samples in a frame whose spectrum is looked at: 32 ms.
const FRAME_MS: usize = 32;

impl Listening {
    fn samples(&self, millis: usize) -> usize {
        self.rate as usize * millis / 1000
    }

    /// How many samples earlier than at `at` of what is heard it was said: where both are most alike, in `lags`.
    fn lag(&self, at: usize, length: usize, lags: core::ops::Range<usize>) -> Option<usize> {
        let heard = &self.heard[at..at + length];
        let score = |lag: usize| {
            let said = &self.said[at.checked_sub(lag)?..at - lag + length];
            let (mut product, mut energy) = (0.0, 1.0);
            for (a, b) in heard.iter().zip(said) {
                product += f64::from(*a) * f64::from(*b);
                energy += f64::from(*b) * f64::from(*b);
            }
            Some((product / energy.sqrt(), lag))
        };
        lags.filter_map(score).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, lag)| lag)
    }

    /// From mouth to ear at the end, when all has settled.
    fn delay(&self) -> Duration {
        let length = self.samples(1500);
        let lag = self.lag(self.heard.len() - length, length, 0..self.samples(400)).unwrap();
        self.after + Duration::from_secs_f64(lag as f64 / f64::from(self.rate))
    }

    /// The mean log-spectral distance in dB, and the share of frames of speech that are off by more than 10 dB.
    fn distance(&self) -> (f64, f64) {
        let frame = self.samples(FRAME_MS);
        let near = self.samples(25);
        let mut lag = self.lag(self.samples(2000), self.samples(1000), 0..self.samples(400)).unwrap();
        let (mut sum, mut bad, mut count) = (0.0, 0, 0);
        for at in (self.samples(2000)..self.heard.len() - frame).step_by(frame / 2) {
            // The delay moves in steps while speech is stretched; frames that are silent or lost tell nothing of it.
            let lags = lag.saturating_sub(near)..(lag + near).min(at);
            if level(&self.heard[at..at + frame]) > 300.0 {
                lag = self.lag(at, frame, lags).unwrap_or(lag);
            }
            let said = &self.said[at - lag..at - lag + frame];
            if level(said) < 150.0 {
                continue;
            }
            let distance = self.between(said, &self.heard[at..at + frame]);
            sum += distance;
            bad += usize::from(distance > 10.0);
            count += 1;
        }
        (sum / f64::from(count), bad as f64 / f64::from(count))
    }

    /// The distance of two short-time spectra in dB, over bands of 125 Hz from 250 to 3500 Hz; what is 40 dB below the
    /// loudest counts as equal.
    fn between(&self, a: &[i16], b: &[i16]) -> f64 {
        let bands = |pcm: &[i16]| -> Vec<f64> {
            (2..28).map(|band| power(pcm, f64::from(band) * 125.0 / f64::from(self.rate))).collect()
        };
        let (a, b) = (bands(a), bands(b));
        let floor = a.iter().chain(&b).fold(0.0_f64, |most, power| most.max(*power)) * 1e-4 + 1.0;
        let squares = a.iter().zip(&b).map(|(a, b)| (10.0 * ((a + floor) / (b + floor)).log10()).powi(2));
        (squares.sum::<f64>() / a.len() as f64).sqrt()
    }
}

fn level(pcm: &[i16]) -> f64 {
    (pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt()
}

/// The power of a Hann-windowed frame at a frequency, in turns a sample.
fn power(pcm: &[i16], turns: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    let step = core::f64::consts::TAU / pcm.len() as f64;
    for (i, sample) in pcm.iter().enumerate() {
        let windowed = f64::from(*sample) * (0.5 - 0.5 * (step * i as f64).cos());
        let (sin, cos) = (core::f64::consts::TAU * turns * i as f64).sin_cos();
        re += windowed * cos;
        im += windowed * sin;
    }
    (re * re + im * im) / pcm.len() as f64
}

fn network(jitter: u64, loss: f64, burst: Option<Burst>) -> LinkConfig {
    LinkConfig { jitter: ms(jitter), loss, burst, ..LinkConfig::with_latency(ms(1)) }
}

#[test]
fn speech_through_bad_networks_is_near_to_what_was_said() {
    // 5 % in bursts of 3.
    let bursts = Some(Burst { enter: 0.0175, leave: 0.333, loss: 1.0 });
    // The most that is allowed: mean distance in dB, and percent of frames far off.
    let cases = [
        (&pcmu::SPEC, network(0, 0.0, None), 1.0, 0.5),
        (&pcmu::SPEC, network(30, 0.0, None), 1.0, 1.0),
        (&pcmu::SPEC, network(100, 0.0, None), 1.5, 2.0),
        (&pcmu::SPEC, network(10, 0.03, None), 1.7, 4.0),
        (&pcmu::SPEC, network(30, 0.05, bursts), 3.0, 10.0),
        (&pcmu::SPEC, network(60, 0.1, None), 3.0, 10.0),
        (&g722::SPEC, network(30, 0.03, None), 3.0, 5.0),
        (&g729::SPEC, network(0, 0.0, None), 5.0, 8.0),
        (&g729::SPEC, network(30, 0.03, None), 5.5, 10.0),
    ];
    for (codec, link, most, most_bad) in cases {
        let (listening, stats) = listen(codec, link, ms(4), 16, 5);
        let (distance, bad) = listening.distance();
        println!(
            "{} jitter {:?} loss {:.0} %{}: distance {distance:.2} dB, {:.1} % of frames off by 10 dB, mouth to ear \
             {:.0} ms, concealed {:?} of {:?}",
            codec.name,
            link.jitter,
            link.loss * 100.0,
            if link.burst.is_some() { " in bursts" } else { "" },
            bad * 100.0,
            listening.delay().as_secs_f64() * 1e3,
            stats.concealed,
            stats.played
        );
        assert!(distance < most && bad * 100.0 < most_bad, "{}: {distance:.2} dB, {bad:.3}", codec.name);
    }
}

/// The budget is in the documentation of `sidetone_media::jitter`.
#[test]
fn mouth_to_ear_on_an_even_network_is_within_its_budget() {
    for phase in [0, 1, 2, 5, 8, 9] {
        let (listening, stats) = listen(&pcmu::SPEC, network(0, 0.0, None), ms(phase), 12, 3);
        let delay = listening.delay();
        println!("phase {phase} ms: {:.1} ms from mouth to ear", delay.as_secs_f64() * 1e3);
        // A packet is full after 20 ms, travels for 1, and waits for the ear's next frame, and a little for the next
        // but one; sound cards, which are not simulated, have 10 ms more.
        assert!((ms(21)..=ms(40)).contains(&delay), "{delay:?}");
        assert_eq!(stats.concealed, Duration::ZERO);
    }
}

/// Speech that is coded as it is.
struct Plain;

impl PayloadDecoder for Plain {
    fn decode(&mut self, _codec: u8, payload: &[u8], pcm: &mut [i16]) -> usize {
        for (sample, octets) in pcm.iter_mut().zip(payload.chunks_exact(2)) {
            *sample = i16::from_be_bytes([octets[0], octets[1]]);
        }
        payload.len() / 2
    }

    fn conceal(&mut self, wanted: usize, pcm: &mut [i16]) -> usize {
        pcm[..wanted].fill(0);
        wanted
    }
}

/// The delay goes up by 5 % of the time from 2 s on, and down again from `turn` seconds on, to where it began.
fn stretch(said: Vec<i16>, rate: u32, turn: u64) -> (Listening, JitterStats) {
    let frame = rate as usize / 100;
    let mut buffer = JitterBuffer::new(rate, DelayLimits::fixed(ms(40)).unwrap());
    let mut heard = vec![0; said.len() / frame * frame];
    for (tick, out) in (0..).zip(heard.chunks_exact_mut(frame)) {
        let now = Instant::from_millis(1000 + tick * 10);
        if tick % 2 == 1 {
            let from = (tick as usize - 1) * frame;
            let payload: Vec<u8> =
                said[from..from + 2 * frame].iter().flat_map(|sample| sample.to_be_bytes()).collect();
            let incoming = Incoming {
                sequence: tick / 2,
                timestamp: from as u32,
                clock: rate,
                codec: 0,
                marker: tick == 1,
                recovered: false,
                payload: &payload,
            };
            buffer.insert(now, &incoming);
        }
        let up = (tick * 10).clamp(2000, turn * 1000) - 2000;
        let down = (tick * 10).saturating_sub(turn * 1000).min(up);
        buffer.set_limits(DelayLimits::fixed(ms(40 + (up - down) / 20)).unwrap());
        buffer.pull(now, &mut Plain, out);
    }
    (Listening { said, heard, after: ms(10), rate }, *buffer.stats())
}

/// The most that a stretch of 1 ms has of what is far above the voice (the fourth difference): where a waveform
/// breaks off it is a multiple of what speech has.
fn sharpest(pcm: &[i16], rate: u32) -> f64 {
    let weights = [1.0, -4.0, 6.0, -4.0, 1.0];
    let differences: Vec<f64> = pcm
        .windows(5)
        .map(|five| five.iter().zip(weights).map(|(x, weight)| f64::from(*x) * weight).sum::<f64>().powi(2))
        .collect();
    let length = rate as usize / 1000;
    let most = differences.windows(length).map(|stretch| stretch.iter().sum::<f64>()).fold(0.0, f64::max);
    (most / length as f64).sqrt()
}

#[test]
fn speech_that_is_stretched_by_5_percent_sounds_as_it_did() {
    let rate = 16_000;
    let made: Vec<i16> = (0..16 * i64::from(rate)).map(|at| voice::voice(at, rate)).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/signals/speech-a.16k.pcm");
    let person = std::fs::read(path).map(|octets| {
        let once = octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        once.collect::<Vec<_>>().into_iter().cycle().take(made.len()).collect::<Vec<_>>()
    });
    // What a step would be without its cross-fade.
    let cut =
        |pcm: &[i16]| pcm.chunks(3200).flat_map(|part| &part[..part.len() - 53]).copied().collect::<Vec<_>>();
    for (name, said) in [Some(("made", made)), person.ok().map(|pcm| ("person", pcm))].into_iter().flatten() {
        let (listening, stats) = stretch(said, rate, 8);
        let (distance, bad) = listening.distance();
        let sharpness = |pcm: &[i16]| sharpest(pcm, rate) / sharpest(&listening.said, rate);
        let (clicks, cut) = (sharpness(&listening.heard[16_000..]), sharpness(&cut(&listening.said)));
        println!(
            "{name}: {} steps longer, {} shorter, {} samples; distance {distance:.2} dB, {:.1} % of frames off by 10 \
             dB; sharpest place {clicks:.2} of the original's, {cut:.2} with hard cuts",
            stats.lengthened,
            stats.shortened,
            stats.stretched,
            bad * 100.0
        );
        // 300 ms longer, and 300 ms shorter, less what waits for a better place.
        assert!(stats.lengthened > 20 && stats.shortened > 15, "{name}: {stats:?}");
        assert!(stats.stretched > 8000 && stats.concealed == 0, "{name}: {stats:?}");
        assert!(distance < 1.0 && bad < 0.015, "{name}: {distance:.2} dB, {bad:.3} far off");
        assert!(clicks < 1.3, "{name}: a click, {clicks:.2}");
        assert!(name != "made" || cut > 2.0, "the measure finds no click: {cut:.2}");
    }
}
