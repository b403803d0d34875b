//! Digits in the speech: heard as ITU-T Q.24 asks, taken for nothing else, taken out, and sounded.

use crate::signals::{KEYPAD, add, expand, noise, round, speech, vectors};
use core::time::Duration;
use sidetone_hal::rng::Rng;
use sidetone_media::dtmf::{Detected, Detector, InbandConfig, InbandSender, Suppressor};

const ALL: &str = "1234567890*#ABCD";

/// What a detector hears, by frames of 10 ms: digits, and how long they were.
fn hear(rate: u32, pcm: &[i16]) -> (String, Vec<Duration>) {
    let mut detector = Detector::new(rate);
    let (mut digits, mut durations) = (String::new(), Vec::new());
    let silence = vec![0; rate as usize / 10];
    for frame in pcm.chunks(rate as usize / 100).chain(silence.chunks(rate as usize / 100)) {
        detector.process(frame);
        while let Some(event) = detector.poll_event() {
            match event {
                Detected::Begin { digit } => {
                    assert_eq!(detector.sounding().unwrap_or(digit), digit);
                    digits.push(digit);
                }
                Detected::End { duration, .. } => durations.push(duration),
            }
        }
    }
    (digits, durations)
}

#[test]
fn the_vectors_are_accepted_and_rejected_as_their_index_says() {
    let Some(folder) = vectors("dtmf") else { return };
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let mut seen = 0;
    for line in index.lines().skip(1) {
        let [file, digits, expect, note] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let pcm = expand(&std::fs::read(folder.join(file)).unwrap()[58..]);
        let (heard, durations) = hear(8000, &pcm);
        // "should-detect" is good to have, and "talk-off" counts false digits: we have the one and none of the other.
        let expected = if expect == "reject" || expect == "talk-off" { "" } else { digits };
        assert_eq!(heard, expected, "{file}: {note}");
        assert_eq!(durations.len(), heard.len(), "{file}");
        if file == "nominal.wav" {
            let near = |duration: &Duration| duration.as_millis().abs_diff(100) <= 15;
            assert!(durations.iter().all(near), "{durations:?}");
        }
        seen += 1;
    }
    assert_eq!(seen, 22);
}

struct Press {
    rate: u32,
    millis: f64,
    /// Parts by which the tones are off.
    low_off: f64,
    high_off: f64,
    level: f64,
    twist: f64,
    noise: Option<f64>,
}

/// One digit at a random place.
fn press(digit: usize, press: &Press, rng: &mut Rng) -> Vec<i16> {
    let rate = press.rate as usize;
    let mut pcm = vec![0.0; rate / 5];
    let start = rate / 20 + rng.below(rate as u32 / 50) as usize;
    let length = (press.millis * f64::from(press.rate) / 1000.0) as usize;
    let (_, low, high) = KEYPAD[digit];
    let phase = |rng: &mut Rng| f64::from(rng.below(628)) / 100.0;
    let (one, two) = (phase(rng), phase(rng));
    add(&mut pcm, press.rate, start, length, low * (1.0 + press.low_off), press.level, one);
    add(&mut pcm, press.rate, start, length, high * (1.0 + press.high_off), press.level + press.twist, two);
    if let Some(level) = press.noise {
        noise(&mut pcm, level, rng);
    }
    round(&pcm)
}

#[test]
fn digits_at_the_limits_are_heard_wherever_they_begin() {
    let mut rng = Rng::from_u64(1);
    for rate in [8000, 16_000, 32_000, 48_000] {
        let rounds = if rate == 8000 { 40 } else { 4 };
        for round in 0..rounds {
            for (digit, (name, ..)) in KEYPAD.iter().enumerate() {
                let off = |rng: &mut Rng| (f64::from(rng.below(301)) - 150.0) / 10_000.0;
                let level = -25.0 + f64::from(rng.below(16));
                let twist = -8.0 + f64::from(rng.below(13));
                let settings = Press {
                    rate,
                    millis: 40.0,
                    low_off: off(&mut rng),
                    high_off: off(&mut rng),
                    level: level.max(-25.0 - twist.min(0.0)),
                    twist,
                    noise: (round % 2 == 0).then_some(level - 15.0 + twist.min(0.0)),
                };
                let pcm = press(digit, &settings, &mut rng);
                assert_eq!(
                    hear(rate, &pcm).0,
                    name.to_string(),
                    "{rate} {} {} {level} {twist}",
                    settings.low_off,
                    settings.high_off
                );
            }
        }
    }
}

#[test]
fn what_is_too_short_too_soft_too_far_or_too_uneven_is_no_digit() {
    let mut rng = Rng::from_u64(2);
    let fine = || Press {
        rate: 8000,
        millis: 60.0,
        low_off: 0.0,
        high_off: 0.0,
        level: -10.0,
        twist: 0.0,
        noise: None,
    };
    let bad = [
        ("20 ms", Press { millis: 20.0, ..fine() }),
        ("-50 dBm0", Press { level: -50.0, ..fine() }),
        ("both 3.5 % high", Press { low_off: 0.035, high_off: 0.035, ..fine() }),
        ("both 3.5 % low", Press { low_off: -0.035, high_off: -0.035, ..fine() }),
        ("low 3.5 % low", Press { low_off: -0.035, ..fine() }),
        ("high 3.5 % high", Press { high_off: 0.035, ..fine() }),
        ("twist of 12 dB", Press { level: -16.0, twist: 12.0, ..fine() }),
        ("twist of -14 dB", Press { twist: -14.0, ..fine() }),
        ("in its own noise", Press { noise: Some(-4.0), ..fine() }),
    ];
    for (digit, (name, ..)) in KEYPAD.iter().enumerate() {
        for (what, settings) in &bad {
            for _ in 0..5 {
                assert_eq!(hear(8000, &press(digit, settings, &mut rng)).0, "", "{name}, {what}");
            }
        }
        assert_eq!(hear(8000, &press(digit, &fine(), &mut rng)).0, name.to_string());
    }
}

#[test]
fn the_same_digit_twice_is_two_and_a_break_is_none() {
    let (rate, ms) = (8000, 8);
    let mut pcm = vec![0.0; 800 * ms];
    for start in [50, 90 + 40, 170 + 40] {
        add(&mut pcm, rate, start * ms, 40 * ms, 770.0, -10.0, 0.0);
        add(&mut pcm, rate, start * ms, 40 * ms, 1336.0, -10.0, 1.0);
    }
    // 60 ms, a break of 10 ms, 60 ms.
    for start in [400, 470] {
        add(&mut pcm, rate, start * ms, 60 * ms, 852.0, -10.0, 0.5);
        add(&mut pcm, rate, start * ms, 60 * ms, 1477.0, -10.0, 0.0);
    }
    assert_eq!(hear(rate, &round(&pcm)).0, "5559");
}

#[test]
fn speech_noise_and_tones_of_other_kinds_are_no_digits() {
    for (index, pcm) in speech().iter().enumerate() {
        assert_eq!(hear(8000, pcm).0, "", "speech {index}");
    }
    let mut rng = Rng::from_u64(3);
    let mut pcm = vec![0.0; 8000 * 60];
    noise(&mut pcm, -15.0, &mut rng);
    assert_eq!(hear(8000, &round(&pcm)).0, "", "noise");
    for pair in
        [[350.0, 440.0], [440.0, 480.0], [480.0, 620.0], [1400.0, 2060.0], [697.0, 941.0], [1209.0, 1477.0]]
    {
        let mut pcm = vec![0.0; 8000];
        pair.iter().for_each(|hertz| add(&mut pcm, 8000, 100, 7000, *hertz, -10.0, 0.0));
        assert_eq!(hear(8000, &round(&pcm)).0, "", "{pair:?}");
    }
    // A sweep passes all of them.
    let mut phase = 0.0;
    let sweep: Vec<f64> = (0..80_000)
        .map(|n| {
            phase += core::f64::consts::TAU * (300.0 + f64::from(n) * 0.035) / 8000.0;
            8000.0 * f64::sin(phase)
        })
        .collect();
    assert_eq!(hear(8000, &round(&sweep)).0, "", "sweep");
    // Full-scale nonsense.
    let wild: Vec<i16> = (0..80_000).map(|_| rng.next_u32() as i16).collect();
    assert_eq!(hear(8000, &wild).0, "");
    assert_eq!(hear(8000, &[i16::MIN; 8000]).0, "");
}

#[test]
fn what_we_sound_we_hear_at_every_rate() {
    for rate in [8000, 16_000, 32_000, 48_000] {
        let mut sender = InbandSender::new(rate, InbandConfig::default());
        assert!(!sender.push('x', Duration::from_millis(100)));
        assert!(ALL.chars().all(|digit| sender.push(digit, Duration::from_millis(80))));
        let mut pcm = Vec::new();
        let mut frame = vec![7; rate as usize / 100];
        while sender.is_busy() {
            assert!(sender.fill(&mut frame));
            pcm.extend_from_slice(&frame);
        }
        frame.fill(7);
        assert!(!sender.fill(&mut frame) && frame.iter().all(|sample| *sample == 7));
        let (digits, durations) = hear(rate, &pcm);
        assert_eq!(digits, ALL, "{rate}");
        assert!(durations.iter().all(|duration| duration.as_millis().abs_diff(80) <= 12), "{durations:?}");
    }
}

#[test]
fn a_key_that_is_held_sounds_until_it_is_let_go() {
    let mut sender = InbandSender::new(8000, InbandConfig::default());
    assert!(sender.press('8') && !sender.press('9'));
    let mut pcm = Vec::new();
    let mut frame = [0; 80];
    for tick in 0..40 {
        if tick == 25 {
            sender.release();
            assert!(sender.push('9', Duration::from_millis(50)));
        }
        sender.fill(&mut frame);
        pcm.extend_from_slice(&frame);
    }
    let (digits, durations) = hear(8000, &pcm);
    assert_eq!(digits, "89");
    assert!(durations[0].as_millis().abs_diff(250) <= 15, "{durations:?}");
    sender.press('1');
    sender.release();
    sender.clear();
    while sender.fill(&mut frame) {}
    assert!(!sender.is_busy());
}

#[test]
fn a_suppressor_leaves_no_digit_and_all_of_the_speech() {
    for (lookahead, rest) in [(Suppressor::LOOKAHEAD, 0.02), (Duration::ZERO, 0.9)] {
        let mut sender = InbandSender::new(8000, InbandConfig::default());
        ALL.chars().for_each(|digit| assert!(sender.push(digit, Duration::from_millis(100))));
        let mut suppressor = Suppressor::new(8000, lookahead);
        let (mut before, mut out, mut told) = (0.0, Vec::new(), String::new());
        let mut frame = [0; 80];
        while sender.fill(&mut frame) {
            before += frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
            suppressor.process(&mut frame, false);
            out.extend_from_slice(&frame);
            while let Some(event) = suppressor.poll_event() {
                if let Detected::Begin { digit } = event {
                    told.push(digit);
                }
            }
        }
        let after: f64 = out.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        assert_eq!((told.as_str(), hear(8000, &out).0.as_str()), (ALL, ""), "{lookahead:?}");
        assert!(after < rest * before, "{lookahead:?}: {}", after / before);
    }
    for pcm in speech() {
        let mut suppressor = Suppressor::new(8000, Duration::ZERO);
        let mut out = pcm.clone();
        out.chunks_mut(80).for_each(|frame| suppressor.process(frame, false));
        let changed = pcm.iter().zip(&out).filter(|(before, after)| before != after).count();
        assert!(changed * 200 < pcm.len(), "{changed} of {}", pcm.len());
    }
    let mut suppressor = Suppressor::new(8000, Duration::ZERO);
    let mut frame = [5000; 80];
    suppressor.process(&mut frame, true);
    suppressor.process(&mut frame, true);
    assert_eq!(frame, [0; 80], "an event is sent");
}
