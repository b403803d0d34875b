//! What the generator makes: frequencies, levels, cadences over hours, no clicks, no memory.

use crate::signals;
use crate::signals::KEYPAD;
use core::f64::consts::TAU;
use core::time::Duration;
use sidetone_media::dtmf::{Detector, InbandConfig, InbandSender, Suppressor, dtmf_tone};
use sidetone_media::tone::{
    Country, Element, Generator, PanasonicTone, ProgressDetector, RingCadence, Style, Tone, ToneKind,
    ToneList, Voice, dbm0,
};

/// The amplitude and the phase of a frequency in a part of a signal, through a Hann window.
fn measure(pcm: &[i16], rate: u32, hertz: f64) -> (f64, f64) {
    let (mut re, mut im, mut weights) = (0.0, 0.0, 0.0);
    for (n, sample) in pcm.iter().enumerate() {
        let weight = 0.5 - 0.5 * (TAU * (n as f64 + 0.5) / pcm.len() as f64).cos();
        let turn = TAU * hertz * n as f64 / f64::from(rate);
        re += weight * f64::from(*sample) * turn.cos();
        im -= weight * f64::from(*sample) * turn.sin();
        weights += weight;
    }
    (2.0 * re.hypot(im) / weights, im.atan2(re))
}

/// How far a tone is from `hertz`, by the phase that it gains from one half of a signal to the other.
fn deviation(pcm: &[i16], rate: u32, hertz: f64) -> f64 {
    let half = pcm.len() / 2;
    let (_, first) = measure(&pcm[..half], rate, hertz);
    let (_, second) = measure(&pcm[half..2 * half], rate, hertz);
    let gained = second - first - TAU * hertz * half as f64 / f64::from(rate);
    let turns = gained / TAU;
    (turns - turns.round()) * f64::from(rate) / half as f64
}

#[test]
fn every_tone_of_every_country_has_its_frequencies_and_levels() {
    for (index, country) in Country::all().iter().enumerate() {
        let rate = [8000, 16_000, 48_000][index % 3];
        for kind in ToneKind::ALL {
            for element in country.tone(kind).elements().iter().filter(|element| !element.voices().is_empty())
            {
                // One second of it, for the measure's sake.
                let list = ToneList::new(&[Element::new(element.voices(), 0).unwrap()]).unwrap();
                let mut pcm = vec![0; rate as usize + rate as usize / 100];
                Generator::new(list, rate).fill(&mut pcm);
                let pcm = &pcm[rate as usize / 100..];
                for voice in element.voices() {
                    let hertz = f64::from(voice.hertz);
                    let (amplitude, _) = measure(pcm, rate, hertz);
                    let level = dbm0(amplitude as f32) - voice.gain;
                    assert!(
                        (level + 13.0).abs() < 0.05,
                        "{} {kind:?} {hertz} Hz: {level} dBm0",
                        country.name
                    );
                    let off = deviation(pcm, rate, hertz);
                    assert!(off.abs() < 0.01, "{} {kind:?} {hertz} Hz is off by {off}", country.name);
                }
                // Nothing else: what is left over without the voices is rounding.
                let all: f64 =
                    pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len() as f64;
                let voices: f64 = element
                    .voices()
                    .iter()
                    .map(|voice| measure(pcm, rate, voice.hertz.into()).0.powi(2) / 2.0)
                    .sum();
                assert!((all - voices).abs() < 1e-3 * all, "{} {kind:?}: {all} {voices}", country.name);
            }
        }
    }
}

#[test]
fn digits_have_their_level_and_twist_at_every_rate() {
    for rate in [8000, 16_000, 32_000, 48_000] {
        for (digit, low, high) in KEYPAD {
            let mut pcm = vec![0; rate as usize / 2];
            Generator::with_level(dtmf_tone(digit, 0, 2.0), rate, -9.0).fill(&mut pcm);
            let pcm = &pcm[rate as usize / 100..];
            let levels = [low, high].map(|hertz| dbm0(measure(pcm, rate, hertz).0 as f32));
            assert!(
                (levels[0] + 9.0).abs() < 0.1 && (levels[1] + 7.0).abs() < 0.1,
                "{digit} {rate} {levels:?}"
            );
            assert!(
                [low, high].iter().all(|hertz| deviation(pcm, rate, *hertz).abs() < 0.05),
                "{digit} {rate}"
            );
        }
        assert_eq!(dtmf_tone('x', 0, 0.0), ToneList::SILENCE);
    }
}

/// Where sound begins and ends, in samples, found by whole ramps of silence.
fn edges(generator: &mut Generator, samples: u64) -> Vec<(u64, bool)> {
    let mut edges = Vec::new();
    let (mut sounds, mut quiet, mut at) = (false, 0_u64, 0);
    let mut pcm = vec![0; 4410];
    while at < samples {
        generator.fill(&mut pcm);
        for sample in &pcm {
            if *sample != 0 {
                if !sounds {
                    edges.push((at, true));
                }
                (sounds, quiet) = (true, 0);
            } else {
                quiet += 1;
                if sounds && quiet == 100 {
                    edges.push((at + 1 - quiet, false));
                    sounds = false;
                }
            }
            at += 1;
        }
    }
    edges.retain(|(at, _)| *at < samples);
    edges
}

#[test]
fn a_cadence_is_exact_after_three_hours() {
    for rate in [8000_u32, 11_025] {
        let busy = ToneList::parse(Style::Dinstar, "480+620/500,0/500").unwrap();
        let mut generator = Generator::new(busy, rate);
        let hours = 3 * 3600;
        let found = edges(&mut generator, u64::from(rate) * hours);
        let begins: Vec<u64> = found.iter().filter(|(_, on)| *on).map(|(at, _)| *at).collect();
        let ends: Vec<u64> = found.iter().filter(|(_, on)| !*on).map(|(at, _)| *at).collect();
        assert_eq!((begins.len(), ends.len()), (hours as usize, hours as usize));
        for second in (0..hours).step_by(997).chain([hours - 1]) {
            // A sine begins and ends with samples that are zero or round to it.
            let (begin, end) = (begins[second as usize], ends[second as usize]);
            let exact = second * u64::from(rate);
            assert!((exact..exact + 5).contains(&begin), "{rate} {second}: {begin}");
            let exact = (second * 1000 + 500) * u64::from(rate) / 1000;
            assert!((exact - 5..=exact).contains(&end), "{rate} {second}: {end}, {exact}");
        }
    }
}

#[test]
fn beginnings_and_ends_do_not_click() {
    // The lines of the cadence's spectrum above 1500 Hz, against those of a tone that is switched hard.
    let round = (37 + 21) * 8;
    let splatter = |pcm: &[i16]| {
        let line = |k: u32| measure(pcm, 8000, f64::from(k) * 8000.0 / round as f64).0.powi(2);
        10.0 * (87..230).step_by(3).map(line).sum::<f64>().log10()
    };
    let list = ToneList::parse(Style::Table, "425/37,0/21").unwrap();
    let mut soft = vec![0; round * 34];
    Generator::with_level(list.clone(), 8000, -3.0).fill(&mut soft);
    let peak = signals::peak(-3.0);
    let switched =
        |n: usize| if n < 37 * 8 { (peak * (TAU * 425.0 * n as f64 / 8000.0).sin()) as i16 } else { 0 };
    let hard: Vec<i16> = (0..round * 34).map(|n| switched(n % round)).collect();
    let (soft, hard) = (splatter(&soft), splatter(&hard));
    assert!(soft < hard - 25.0, "{soft} {hard}");
    // No step is greater than the sine's own steepest.
    let mut pcm = vec![0; 8000];
    Generator::with_level(list, 8000, -3.0).fill(&mut pcm);
    let steepest = f64::from(sidetone_media::tone::amplitude(-3.0)) * 2.0 * (TAU * 425.0 / 16_000.0).sin();
    let step = pcm.windows(2).map(|pair| i32::from(pair[0]).abs_diff(i32::from(pair[1]))).max().unwrap();
    assert!(f64::from(step) <= steepest + 2.0, "{step} {steepest}");
}

#[test]
fn all_notations_sound_alike() {
    let yealink = ToneList::parse(Style::Yealink, "480+620/500,0/500").unwrap();
    let dinstar = ToneList::parse(Style::Dinstar, "480+620/500,0/500").unwrap();
    let panasonic = PanasonicTone::Busy.parse(&PanasonicTone::Busy.defaults()).unwrap();
    let play = |list: &ToneList, skip: usize| {
        let mut pcm = vec![0; 40_000 + skip];
        Generator::new(list, 8000).fill(&mut pcm);
        pcm.split_off(skip)
    };
    assert_eq!(play(&yealink, 0), play(&dinstar, 0));
    // 60 ms of silence come first there, and are part of the pause.
    assert_eq!(play(&yealink, 0), play(&panasonic, 480));
    let ring = RingCadence::BELLCORE[1].sounding(&[440.0, 480.0]).unwrap();
    let same = ToneList::parse(Style::Table, "440+480/800,0/400,440+480/800,0/4000").unwrap();
    assert_eq!(play(&ring, 0), play(&same, 0));
}

#[test]
fn nothing_is_allocated_once_they_are_made() {
    let us = Country::default_set();
    let stutter = us.tone(ToneKind::Stutter);
    let mut generator = Generator::new(&stutter, 16_000);
    let mut sender = InbandSender::new(16_000, InbandConfig::default());
    let mut detector = Detector::new(16_000);
    let mut progress = ProgressDetector::new(16_000, us);
    let mut suppressor = Suppressor::new(16_000, Suppressor::LOOKAHEAD);
    let reminder = ToneList::from(Tone::HOLD_REMINDER).every(Duration::from_secs(30));
    let mut pcm = [0; 160];
    let counted = allocation_counter::measure(|| {
        for tick in 0..2000 {
            if tick % 50 == 0 {
                sender.push('5', Duration::from_millis(100));
            }
            if tick == 700 {
                generator.play(us.tone(ToneKind::Busy));
            }
            if tick == 1400 {
                generator.play(&reminder);
            }
            generator.fill(&mut pcm);
            progress.process(&pcm);
            sender.fill(&mut pcm);
            detector.process(&pcm);
            suppressor.process(&mut pcm, false);
            while progress.poll_event().is_some() {}
            while detector.poll_event().is_some() {}
            while suppressor.poll_event().is_some() {}
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
    assert!(allocation_counter::measure(|| drop(Detector::new(8000))).count_total > 0, "the counter counts");
}

#[test]
fn what_cannot_be_heard_is_silent() {
    let mut pcm = vec![1; 8000];
    let high = ToneList::new(&[Element::new(&[Voice::new(7000.0)], 0).unwrap()]).unwrap();
    assert!(Generator::new(&high, 8000).fill(&mut pcm) && pcm.iter().all(|sample| *sample == 0));
    assert!(Generator::new(&high, 16_000).fill(&mut pcm) && pcm.iter().any(|sample| *sample > 1000));
}
