use super::*;
use sidetone_codecs::{Decoder as _, pcma};
use sidetone_hal::rng::Rng;

struct Pcma(pcma::Decoder);

impl PayloadDecoder for Pcma {
    fn decode(&mut self, _: u8, payload: &[u8], pcm: &mut [i16]) -> usize {
        self.0.decode(payload, pcm).unwrap_or(0)
    }

    fn conceal(&mut self, wanted: usize, pcm: &mut [i16]) -> usize {
        let count = wanted.min(pcm.len());
        self.0.conceal(&mut pcm[..count]).unwrap_or(0)
    }
}

/// 20 ms packets of a 400 Hz tone, sent from time 1 s, through `fate`: when it arrives after it was sent, if
/// at all. Packets for which `speaks` is false are not sent. Returns what was heard, by 10 ms.
struct Run {
    jitter: JitterBuffer,
    heard: Vec<[i16; 80]>,
}

fn tone(at: usize) -> i16 {
    (8000.0 * (at as f64 * core::f64::consts::TAU / 20.0).sin()) as i16
}

fn run(packets: usize, speaks: impl Fn(usize) -> bool, mut fate: impl FnMut(usize) -> Option<u64>) -> Run {
    let mut arrivals = Vec::new();
    let mut sequence = 65_536;
    for i in (0..packets).filter(|i| speaks(*i)) {
        sequence += 1;
        if let Some(delay) = fate(i) {
            arrivals.push((1_000_000 + i as u64 * 20_000 + delay * 1000, sequence, i));
        }
    }
    arrivals.sort_unstable();
    let mut jitter = JitterBuffer::new(8000, DelayLimits::default());
    let mut decoder = Pcma(pcma::Decoder::new());
    let mut heard = Vec::new();
    let mut next = arrivals.into_iter().peekable();
    // The ear's clock is 3 ms off the sender's.
    for tick in 0..packets as u64 * 2 + 60 {
        let now = Instant::from_micros(1_003_000 + tick * 10_000);
        while let Some((at, sequence, i)) = next.next_if(|(at, ..)| *at <= now.as_micros()) {
            let mut payload = [0; 160];
            let pcm: [i16; 160] = core::array::from_fn(|n| tone(i * 160 + n));
            pcma::encode_slice(&pcm, &mut payload);
            let stamp = (i as u32).wrapping_mul(160).wrapping_sub(500);
            jitter.insert(Instant::from_micros(at), sequence, stamp, 8000, 8, &payload);
        }
        let mut out = [0; 80];
        jitter.pull(now, &mut decoder, &mut out);
        heard.push(out);
    }
    Run { jitter, heard }
}

impl Run {
    fn stats(&self) -> JitterStats {
        *self.jitter.stats()
    }

    /// Frames in which there is sound.
    fn loud(&self) -> usize {
        self.heard.iter().filter(|frame| frame.iter().any(|s| s.unsigned_abs() > 4000)).count()
    }

    /// The steepest step between neighbouring samples.
    fn steepest(&self) -> u16 {
        let samples: Vec<i16> = self.heard.iter().flatten().copied().collect();
        samples.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap()
    }
}

#[test]
fn an_even_network_is_played_whole_and_soon() {
    let run = run(500, |_| true, |_| Some(30));
    assert_eq!((run.stats().late, run.stats().concealed, run.stats().lengthened), (0, 0, 0));
    // 40 ms at first, then down to about 15 in a few steps.
    assert!((1..=6).contains(&run.stats().shortened), "{:?}", run.stats());
    assert!(run.loud() >= 990);
    // The slope of the tone is 8000 * 2 pi / 20 = 2513 a sample at most.
    assert!(run.steepest() < 2800, "{}", run.steepest());
}

#[test]
fn jitter_of_40_ms_loses_little() {
    let mut rng = Rng::from_u64(11);
    let run = run(1500, |_| true, |_| Some(20 + u64::from(rng.below(40))));
    let stats = run.stats();
    assert!(stats.concealed * 100 < stats.played * 4, "{stats:?}");
    let target = run.jitter.target().as_millis();
    assert!((43..=60).contains(&target), "{target} ms");
}

#[test]
fn what_is_lost_is_concealed_and_counted() {
    let run = run(500, |_| true, |i| (i % 20 != 10).then_some(20));
    let stats = run.stats();
    assert_eq!(stats.late, 0);
    // 25 packets; while nothing has come yet, a frame may be invented to wait with.
    assert!((25 * 160..=25 * 160 + 2 * 80).contains(&stats.concealed), "{stats:?}");
    assert!(run.loud() >= 990, "the holes are filled: {}", run.loud());
}

#[test]
fn late_and_reordered_packets_are_told_apart() {
    let reordered = run(500, |_| true, |i| Some(if i % 50 == 30 { 55 } else { 20 }));
    assert!(reordered.stats().late + reordered.stats().concealed / 160 <= 22, "{:?}", reordered.stats());
    let late = run(500, |_| true, |i| Some(if i % 100 == 60 { 180 } else { 20 }));
    assert_eq!(late.stats().late, 5);
    assert!((5 * 160..=5 * 160 + 2 * 80).contains(&late.stats().concealed), "{:?}", late.stats());
}

#[test]
fn a_pause_of_the_sender_is_silence_and_not_loss() {
    let run = run(400, |i| i % 100 < 60, |_| Some(20));
    let stats = run.stats();
    assert_eq!((stats.late, stats.concealed), (0, 0), "{stats:?}");
    assert!((4 * 115..=4 * 128).contains(&run.loud()), "{}", run.loud());
}

#[test]
fn a_longer_path_in_the_middle_of_speech_costs_little() {
    let run = run(600, |_| true, |i| Some(if i < 300 { 20 } else { 90 }));
    let stats = run.stats();
    assert!(stats.concealed <= 8 * 160 && stats.late <= 6, "{stats:?}");
    assert_eq!(run.jitter.target().as_millis(), 15);
}

#[test]
fn clocks_that_drift_apart_by_300_ppm_are_followed() {
    for (name, ppm) in [("fast", -300), ("slow", 300)] {
        // 5 minutes: 90 ms apart at the end.
        let drifted = |i: usize| Some((100 + i as i64 * 20 * ppm / 1_000_000) as u64);
        let run = run(15_000, |_| true, drifted);
        let stats = run.stats();
        assert_eq!((stats.late, stats.concealed), (0, 0), "{name}: {stats:?}");
        let steps = if ppm < 0 { stats.shortened } else { stats.lengthened };
        assert!((5..=25).contains(&steps), "{name}: {stats:?}");
        let end = Instant::from_micros(1_003_000 + 15_000 * 20_000);
        assert!(run.jitter.current_delay(end) < Duration::from_millis(40));
        assert!(run.steepest() < 2800, "{name}: {}", run.steepest());
    }
}

#[test]
fn another_clock_begins_anew() {
    let mut jitter = JitterBuffer::new(8000, DelayLimits::default());
    let mut decoder = Pcma(pcma::Decoder::new());
    let mut out = [0; 80];
    let mut loud = 0;
    for i in 0..200_u64 {
        let now = Instant::from_millis(i * 20);
        let stamp = if i < 100 { i as u32 * 160 } else { 3_000_000_000_u32.wrapping_add(i as u32 * 160) };
        jitter.insert(now, 65_536 + i, stamp, 8000, 8, &[0x2a; 160]);
        for half in 0..2 {
            jitter.pull(now + Duration::from_millis(half * 10), &mut decoder, &mut out);
            loud += usize::from(out[40] != 0);
        }
    }
    assert!(loud > 385, "{loud}");
}

#[test]
fn hostile_numbers_and_stamps_neither_panic_nor_stop_the_audio() {
    for seed in 0..50 {
        let mut rng = Rng::from_u64(seed);
        let mut jitter = JitterBuffer::new(8000, DelayLimits::default());
        let mut decoder = Pcma(pcma::Decoder::new());
        let mut now = Instant::ZERO;
        for _ in 0..2000 {
            now += Duration::from_millis(u64::from(rng.below(15)));
            let length = rng.below(1100) as usize;
            let sequence = 65_536 + u64::from(rng.below(300));
            let stamp = if rng.chance(0.5) { rng.next_u32() } else { rng.below(20_000) };
            jitter.insert(now, sequence, stamp, 8000, 8, &vec![rng.next_u32() as u8; length]);
            let mut out = [0; 80];
            jitter.pull(now, &mut decoder, &mut out);
        }
        jitter.restart();
        let mut loud = 0;
        for i in 0..50_u64 {
            now += Duration::from_millis(20);
            jitter.insert(now, 100_000 + i, i as u32 * 160, 8000, 8, &[0x2a; 160]);
            for half in 0..2 {
                let mut out = [0; 80];
                jitter.pull(now + Duration::from_millis(half * 10), &mut decoder, &mut out);
                loud += usize::from(out[40] != 0);
            }
        }
        assert!(loud > 60, "seed {seed}: {loud}");
    }
}
