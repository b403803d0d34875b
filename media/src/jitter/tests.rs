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

fn packet(sequence: u64, timestamp: u32, payload: &[u8]) -> Incoming<'_> {
    Incoming { sequence, timestamp, clock: 8000, codec: 8, marker: false, recovered: false, payload }
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
            jitter.insert(Instant::from_micros(at), &packet(sequence, stamp, &payload));
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

/// As [`run`] on an even network, but the ear asks only at the times that `asks`, in milliseconds.
fn listen(packets: usize, asks: impl Iterator<Item = u64>) -> Vec<(u64, bool, Duration)> {
    let mut jitter = JitterBuffer::new(8000, DelayLimits::default());
    let mut decoder = Pcma(pcma::Decoder::new());
    let mut heard = Vec::new();
    let mut sent = 0;
    for at in asks {
        let now = Instant::from_micros(1_003_000 + at * 1000);
        while sent < packets && sent as u64 * 20 <= at {
            let mut payload = [0; 160];
            let pcm: [i16; 160] = core::array::from_fn(|n| tone(sent * 160 + n));
            pcma::encode_slice(&pcm, &mut payload);
            let arrived = Instant::from_micros(1_000_000 + sent as u64 * 20_000);
            jitter.insert(arrived, &packet(70_000 + sent as u64, sent as u32 * 160, &payload));
            sent += 1;
        }
        let mut out = [0; 80];
        jitter.pull(now, &mut decoder, &mut out);
        heard.push((at, out.iter().any(|s| s.unsigned_abs() > 4000), jitter.current_delay(now)));
    }
    heard
}

#[test]
fn an_ear_that_did_not_listen_for_long_hears_at_once_what_is_said_now() {
    // The buffer holds 1.6 s of this speech.
    for stall in [1000, 1700, 5000, 60_000] {
        let end = 1000 + stall + 3000;
        let asks = (0..1000).chain(1000 + stall..end).step_by(10);
        let asks = asks.filter(|at| *at < 1000 || *at >= 1000 + stall);
        let heard = listen(end as usize / 20, asks);
        let after = |from: u64| heard.iter().filter(move |(at, ..)| *at >= 1000 + stall + from && *at < end);
        let deaf = after(50).filter(|(_, loud, _)| !loud).count();
        assert!(deaf <= 3, "{deaf} frames of silence after {stall} ms");
        let (_, _, delay) = after(2900).next().unwrap();
        assert!(
            *delay < Duration::from_millis(if stall > 1600 { 80 } else { 400 }),
            "{delay:?} behind after {stall} ms"
        );
    }
}

#[test]
fn an_ear_that_is_slower_than_the_sender_hears_most_of_it() {
    // As a machine with too much to do: 10 ms are asked for every 15.
    let heard = listen(60_000 / 20, (0..60_000).step_by(15));
    let deaf = heard.iter().filter(|(_, loud, _)| !loud).count();
    assert!(deaf * 10 < heard.len(), "{deaf} of {}", heard.len());
    assert!(heard.iter().all(|(.., delay)| *delay < Duration::from_millis(2000)));
}

#[test]
fn jitter_of_40_ms_loses_little() {
    let mut rng = Rng::from_u64(11);
    let run = run(1500, |_| true, |_| Some(20 + u64::from(rng.below(40))));
    let stats = run.stats();
    assert!(stats.concealed * 100 < stats.played * 4, "{stats:?}");
    let target = run.jitter.target().as_millis();
    assert!((37..=45).contains(&target), "{target} ms");
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
    assert_eq!(run.jitter.target().as_millis(), 1);
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
        jitter.insert(now, &packet(65_536 + i, stamp, &[0x2a; 160]));
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
            jitter.insert(now, &packet(sequence, stamp, &vec![rng.next_u32() as u8; length]));
            let mut out = [0; 80];
            jitter.pull(now, &mut decoder, &mut out);
        }
        jitter.restart();
        let mut loud = 0;
        for i in 0..50_u64 {
            now += Duration::from_millis(20);
            jitter.insert(now, &packet(100_000 + i, i as u32 * 160, &[0x2a; 160]));
            for half in 0..2 {
                let mut out = [0; 80];
                jitter.pull(now + Duration::from_millis(half * 10), &mut decoder, &mut out);
                loud += usize::from(out[40] != 0);
            }
        }
        assert!(loud > 60, "seed {seed}: {loud}");
    }
}

/// A tone through a trace, at 8 kHz.
fn heard(text: &str) -> replay::Replay {
    let trace: trace::Trace = text.parse().unwrap();
    replay::Replay::new(&trace, replay::ReplayConfig::default(), |at| tone(at as usize))
}

/// Frames in which there is sound.
fn loud(replay: &replay::Replay) -> usize {
    replay.heard.chunks(80).filter(|frame| frame.iter().any(|s| s.unsigned_abs() > 4000)).count()
}

#[test]
fn another_sender_is_heard_on_without_a_gap() {
    let replay = heard("5*100 s 9*100 s 5*100");
    assert_eq!(
        (replay.stats.jumps, replay.stats.restarts, replay.stats.late),
        (2, 0, 0),
        "{:?}",
        replay.stats
    );
    assert!(replay.stats.concealed <= 80 && loud(&replay) >= 598, "{:?}, {}", replay.stats, loud(&replay));
    let moved = heard("5*100 -*100 s 5*100");
    assert_eq!((moved.stats.concealed, moved.stats.jumps), (0, 1), "{:?}", moved.stats);
    assert!(moved.ticks.iter().filter_map(|tick| tick.delay).max() < Some(Duration::from_millis(80)));
}

#[test]
fn timestamps_that_jump_cost_nothing() {
    for text in ["5*100 t+80000 5*100 t-9999 5*100 t+2000000000 5*100", "0*200 t-160 0*200"] {
        let replay = heard(text);
        assert_eq!((replay.stats.concealed, replay.stats.restarts, replay.stats.late), (0, 0, 0), "{text}");
        assert!(loud(&replay) >= replay.flights.len() * 2 - 2, "{text}: {}", loud(&replay));
    }
    let lost_too = heard("5*100 x t+80000 5*100");
    assert!(lost_too.stats.concealed <= 3 * 160 && loud(&lost_too) >= 390, "{:?}", lost_too.stats);
}

#[test]
fn a_clock_that_stood_still_in_a_pause_is_no_lateness() {
    let replay = heard("5*100 -*10 t-1600 5*200 -*10 t-1600 5*200");
    let stats = replay.stats;
    assert_eq!((stats.concealed, stats.late, stats.restarts, stats.spurts), (0, 0, 0, 3), "{stats:?}");
    assert!(replay.ticks.last().unwrap().target < Duration::from_millis(10));
}

#[test]
fn copies_are_waited_for_if_that_saves_speech() {
    let text = "5<1*60 x 5<1*40 x 5<1*30 x 5<1*30 x 5<1*50 x 5<1*50 x 5<1*50";
    let (with, without) = (heard(text), heard(&text.replace("<1", "")));
    assert_eq!(without.stats.concealed, 6 * 160);
    assert!(with.stats.recovered >= 4, "{:?}", with.stats);
    assert!(with.stats.concealed <= 2 * 160 && with.stats.late == 0, "{:?}", with.stats);
    let more = with.ticks.last().unwrap().target;
    assert!(more >= Duration::from_millis(20) && more < Duration::from_millis(30), "{more:?}");
}

#[test]
fn packets_of_every_length_up_to_200_ms_are_played_at_every_rate() {
    for ptime in [10, 20, 25, 30, 40, 60, 100, 200] {
        for sample_rate in [8000, 16_000, 32_000, 48_000] {
            let count = 6000 / ptime;
            let text = format!("ptime={ptime} 5*{count} x 5*{count} 12&30 8 5*{count}");
            let trace: trace::Trace = text.parse().unwrap();
            let config = replay::ReplayConfig { sample_rate, ..replay::ReplayConfig::default() };
            let replay =
                replay::Replay::new(&trace, config, |at| tone((at * 8000 / i64::from(sample_rate)) as usize));
            let (stats, samples) = (replay.stats, u64::from(sample_rate) * ptime / 1000);
            assert_eq!(
                (stats.late, stats.dropped, stats.restarts),
                (0, 0, 0),
                "{ptime} at {sample_rate}: {stats:?}"
            );
            let lost = samples..=samples + u64::from(sample_rate) / 50;
            assert!(lost.contains(&stats.concealed), "{ptime} at {sample_rate}: {stats:?}");
            assert!(replay.mean_delay() < Duration::from_millis(30), "{ptime}: {:?}", replay.mean_delay());
        }
    }
}

#[test]
fn a_fixed_delay_stays_through_jitter_and_loses_what_is_later() {
    let mut rng = Rng::from_u64(9);
    let trace = trace::Network::new(Duration::from_millis(60), 0.0).trace(20, 2000, &mut rng);
    for millis in [20, 120] {
        let limits = DelayLimits::fixed(Duration::from_millis(millis)).unwrap();
        let config = replay::ReplayConfig { limits, ..replay::ReplayConfig::default() };
        let replay = replay::Replay::new(&trace, config, |at| tone(at as usize));
        let mean = replay.mean_delay().as_millis() as u64;
        assert!((millis..=millis + 15).contains(&mean), "{millis}: {mean}");
        assert_eq!(replay.concealed() > 0.01, millis == 20, "{millis}: {:?}", replay.stats);
    }
}

#[test]
fn a_long_loss_is_counted_whole_and_a_pause_is_not() {
    let lost = heard("5*50 x*10 5*50").stats;
    assert_eq!(lost.concealed, 10 * 160, "{lost:?}");
    let paused = heard("5*50 -*10 5*50").stats;
    assert_eq!(paused.concealed, 0, "{paused:?}");
    let late = heard("5*50 205 185 165 145 125 105 85 65 45 25 5*50").stats;
    assert!((480..=800).contains(&late.concealed), "{late:?}");
    let both = heard("5*50 x -*100 5*50").stats;
    assert!((160..=480).contains(&both.concealed), "{both:?}");
}

#[test]
fn the_ear_may_ask_off_the_dot() {
    // A sound card that brings two frames at once every 20 ms, and is 4 ms early or late.
    let mut rng = Rng::from_u64(21);
    let mut jitter = JitterBuffer::new(8000, DelayLimits::default());
    let mut decoder = Pcma(pcma::Decoder::new());
    let mut steps_at_half = 0;
    for i in 0..3000_u64 {
        let sent = Instant::from_millis(1000 + i * 20);
        jitter.insert(sent, &packet(65_536 + i, i as u32 * 160, &[0x2a; 160]));
        let now = sent + Duration::from_micros(6000 + u64::from(rng.below(8000)));
        for _ in 0..2 {
            jitter.pull(now, &mut decoder, &mut [0; 80]);
        }
        if i == 1500 {
            steps_at_half = jitter.stats().shortened + jitter.stats().lengthened;
        }
    }
    let stats = jitter.stats();
    assert_eq!((stats.late, stats.concealed), (0, 0), "{stats:?}");
    let later = stats.shortened + stats.lengthened - steps_at_half;
    assert!(later <= 4, "{later} steps in half a minute: {stats:?}");
}

mod any {
    use super::super::trace::{Slot, Trace};
    use super::*;
    use proptest::prelude::{Just, Strategy, proptest};
    use proptest::prelude::{prop_assert, prop_assert_eq, prop_oneof};

    fn slot() -> impl Strategy<Value = Slot> {
        let delay = || (0..=400_000_u64).prop_map(Duration::from_micros);
        prop_oneof![
            8 => (delay(), proptest::option::weighted(0.1, delay()), 0..=3_u8)
                .prop_map(|(delay, again, copy)| Slot::Packet { delay, again, copy }),
            2 => Just(Slot::Lost),
            2 => Just(Slot::Pause),
            1 => Just(Slot::Source),
            1 => delay().prop_map(Slot::Noise),
            1 => proptest::prelude::any::<i32>().prop_map(Slot::Jump),
        ]
    }

    proptest! {
        /// Whatever happened before: five seconds of an even network are enough to play all of what follows.
        #[test]
        fn every_trace_is_got_over(
            ptime in 1..=200_u8,
            drift in -500..=500_i32,
            mut slots in proptest::collection::vec(slot(), 0..120),
        ) {
            let even = (7000 / u32::from(ptime)) as usize;
            slots.extend(core::iter::repeat_n(Slot::packet(Duration::from_millis(5)), even));
            let slots_taken = slots.iter().filter(|slot| slot.takes_time()).count();
            let trace = Trace { ptime, drift, slots };
            let replay = replay::Replay::new(&trace, replay::ReplayConfig::default(), |at| tone(at as usize));
            prop_assert_eq!(replay.heard.len(), replay.ticks.len() * 80);
            let end = slots_taken * usize::from(ptime) / 10;
            let last: Vec<_> = replay.ticks.iter().take(end.saturating_sub(2)).skip(end.saturating_sub(200)).collect();
            let played = last.iter().filter(|tick| !matches!(tick.decision, Decision::Conceal | Decision::Quiet));
            prop_assert!(played.count() + 2 >= last.len(), "{}", trace);
        }
    }
}
