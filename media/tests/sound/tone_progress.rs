//! Hearing how a call goes, on a line: with noise, companding and losses, and in the midst of speech.

use crate::signals;
use crate::signals::{noise, round, speech, vectors};
use sidetone_hal::rng::Rng;
use sidetone_media::tone::{Country, Generator, Progress, ProgressDetector, ToneKind};

const KINDS: [ToneKind; 5] =
    [ToneKind::Busy, ToneKind::Congestion, ToneKind::Ringback, ToneKind::Dial, ToneKind::Info];

fn hear(detector: &mut ProgressDetector, pcm: &[i16]) -> Vec<ToneKind> {
    let mut heard = Vec::new();
    for frame in pcm.chunks(80) {
        detector.process(frame);
        while let Some(event) = detector.poll_event() {
            if let Progress::Heard { kind, confidence } = event {
                assert!((0.5..=1.0).contains(&confidence));
                heard.push(kind);
            }
        }
    }
    heard.dedup();
    heard
}

#[test]
fn tones_are_heard_over_a_noisy_line_wherever_one_comes_in() {
    let mut rng = Rng::from_u64(4);
    for country in Country::all() {
        for kind in KINDS {
            let list = country.tone(kind);
            let seconds = if kind == ToneKind::Ringback { 16 } else { 8 };
            let mut pcm = vec![0; 8000 * seconds];
            Generator::with_level(&list, 8000, -18.0).fill(&mut pcm);
            // The line is switched through in the midst of it.
            let from = rng.below(8000) as usize;
            let mut line: Vec<f64> = pcm[from..].iter().map(|sample| f64::from(*sample)).collect();
            noise(&mut line, -46.0, &mut rng);
            let heard = hear(&mut ProgressDetector::new(8000, country), &round(&line));
            let same = |other: ToneKind| country.tone(other) == list;
            let alike =
                if kind == ToneKind::Congestion && same(ToneKind::Busy) { ToneKind::Busy } else { kind };
            assert_eq!(heard, [alike], "{} {kind:?}", country.name);
        }
    }
}

#[test]
fn speech_is_no_tone_of_any_country() {
    let speech = speech();
    let countries = ["us", "de", "gb", "jp", "it", "fi", "in", "au", "cz", "nz", "es", "cn"];
    for (index, pcm) in speech.iter().enumerate() {
        for country in countries {
            let mut detector = ProgressDetector::new(8000, Country::find(country).unwrap());
            assert_eq!(hear(&mut detector, pcm), [], "speech {index}, {country}");
        }
    }
    if let Some(folder) = vectors("dtmf") {
        let pcm = signals::expand(&std::fs::read(folder.join("talkoff.wav")).unwrap()[58..]);
        for country in ["us", "de", "au"] {
            let mut detector = ProgressDetector::new(8000, Country::find(country).unwrap());
            assert_eq!(hear(&mut detector, &pcm), [], "three minutes of speech, {country}");
        }
    }
    let mut rng = Rng::from_u64(5);
    let mut hiss = vec![0.0; 8000 * 30];
    noise(&mut hiss, -20.0, &mut rng);
    assert_eq!(hear(&mut ProgressDetector::new(8000, Country::default_set()), &round(&hiss)), []);
    let wild: Vec<i16> = (0..80_000).map(|_| rng.next_u32() as i16).collect();
    assert_eq!(hear(&mut ProgressDetector::new(8000, Country::default_set()), &wild), []);
}

#[test]
fn a_call_is_followed_from_dial_tone_to_its_end() {
    let germany = Country::find("de").unwrap();
    let mut detector = ProgressDetector::new(8000, germany);
    let mut told = Vec::new();
    let speech = speech().into_iter().next().unwrap_or_else(|| vec![0; 16_000]);
    let mut run = |kind: Option<ToneKind>, seconds: usize| {
        let mut pcm = vec![0; 8000 * seconds];
        match kind {
            Some(kind) => {
                Generator::new(germany.tone(kind), 8000).fill(&mut pcm);
            }
            None => pcm.iter_mut().zip(speech.iter().cycle()).for_each(|(to, from)| *to = *from),
        }
        let before = told.len();
        for frame in pcm.chunks(80) {
            detector.process(frame);
            while let Some(event) = detector.poll_event() {
                match event {
                    Progress::Heard { kind, .. } => told.push((kind, true)),
                    Progress::Over { kind } => told.push((kind, false)),
                }
            }
        }
        told.dedup();
        told[before.min(told.len())..].to_vec()
    };
    assert_eq!(run(Some(ToneKind::Dial), 3), [(ToneKind::Dial, true)]);
    assert_eq!(run(Some(ToneKind::Ringback), 15), [(ToneKind::Dial, false), (ToneKind::Ringback, true)]);
    assert_eq!(run(None, 4), [(ToneKind::Ringback, false)]);
    assert_eq!(run(Some(ToneKind::Busy), 5), [(ToneKind::Busy, true)]);
}
