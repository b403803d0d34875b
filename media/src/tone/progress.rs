//! Hearing how a call goes: dial tone, ringback, busy, congestion and the special information tone of a country, told by
//! their frequencies and cadence.

use super::recent::{Recent, next_event};
use super::{Country, Element, ToneKind, ToneList, amplitude};
use core::f32::consts::TAU;
use core::time::Duration;

/// Steps a second: 12.5 ms.
const STEPS: u32 = 80;
/// Steps of a window: 50 ms, which tell 440 from 480 Hz.
const WINDOW: usize = 4;
/// Signals that are told apart at most.
const MAX_SIGNALS: usize = 16;
/// Sets of frequencies that they are made of at most.
const MAX_SETS: usize = 16;
/// The least level of a tone, in dBm0: far below what exchanges send, above the noise of a line.
const LEAST_DBM0: f32 = -43.0;
/// How much of the energy must be at a set's frequencies.
const SHARE: f32 = 0.8;
/// How much more of the energy a set with more frequencies must explain.
const MORE: f32 = 0.03;
/// The least part of a set's energy that each of its frequencies has, beside what those before it explain.
const EACH: f32 = 0.01;
/// Steps that another frequency, or none, must be heard for to end a tone: those where one begins or ends look odd.
const CLEAR: u32 = 5;
/// How long a tone with no cadence sounds until it is believed, in steps.
const STEADY: u32 = 60;

/// North America's information tones (Telcordia SR-2275): segments of 274 and 380 ms, two pitches of the first and the
/// second.
const NORTH_AMERICAN_SIT: [[(f32, u32); 3]; 4] = [
    [(985.2, 380), (1428.5, 380), (1776.7, 380)],
    [(913.8, 274), (1370.6, 274), (1776.7, 380)],
    [(985.2, 380), (1370.6, 274), (1776.7, 380)],
    [(913.8, 274), (1428.5, 380), (1776.7, 380)],
];

/// What is heard of a call's progress.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// A tone is heard; told again when it is surer.
    Heard {
        /// Which: dial, ringback, busy, congestion or info.
        kind: ToneKind,
        /// How sure it is, 0.5 to 1: half for one round of the cadence, 1 for two.
        confidence: f32,
    },
    /// The tone that was told of is over.
    Over {
        /// Which.
        kind: ToneKind,
    },
}

/// The frequencies of a set over a window, orthonormal: for each frequency how it is, and how it would drift.
#[derive(Clone, Debug)]
struct Set {
    hertz: Vec<f32>,
    /// Four vectors a frequency.
    basis: Vec<Vec<f32>>,
}

/// One element of a cadence: which set (none for silence), and its least and most steps.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Beat {
    set: Option<usize>,
    least: f32,
    most: f32,
}

#[derive(Clone, Debug)]
struct Signal {
    kind: ToneKind,
    beats: Vec<Beat>,
    /// The set that sounds without end at the end of it.
    steady: Option<usize>,
    /// The beat that is awaited, and how many came as awaited.
    next: usize,
    matched: u32,
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Silence,
    Set(usize),
    Other,
}

/// Hears the progress of a call. Takes its memory when it is made.
#[derive(Clone, Debug)]
pub struct ProgressDetector {
    sets: Vec<Set>,
    signals: Vec<Signal>,
    /// The last 50 ms; the last step of it is filled up.
    recent: Recent,
    /// The energies of the last steps.
    energies: [f32; WINDOW],
    /// The loudest step of the last tone.
    peak: f32,
    /// What lasts, and for how many steps.
    run: (Label, u32),
    /// It came after silence.
    after_silence: bool,
    /// Steps since then that are something else, and the latest of them: what it is and how often in a row.
    unclear: u32,
    new: (Label, u32),
    /// What was told, with how sure it was.
    told: Option<(ToneKind, f32)>,
    events: [Option<Progress>; 4],
}

impl ProgressDetector {
    /// A detector of a country's tones, for samples of this rate.
    #[must_use]
    pub fn new(sample_rate: u32, country: &Country) -> Self {
        let mut signals = Vec::new();
        for kind in [ToneKind::Busy, ToneKind::Congestion, ToneKind::Ringback, ToneKind::Dial, ToneKind::Info]
        {
            signals.push((kind, country.tone(kind)));
        }
        if country.code == "us" {
            for tone in NORTH_AMERICAN_SIT {
                let mut list = ToneList::SILENCE;
                for (hertz, millis) in tone {
                    let element = Element::new(&[super::Voice::new(hertz)], millis);
                    // Three elements of one frequency fit.
                    let _ = element.and_then(|element| list.push(element));
                }
                let _ = list.push(Element::silence(1000));
                signals.push((ToneKind::Info, list));
            }
        }
        Self::with_signals(sample_rate, &signals)
    }

    /// A detector of these tones, 16 at most; of two that are alike the first is heard.
    #[must_use]
    pub fn with_signals(sample_rate: u32, signals: &[(ToneKind, ToneList)]) -> Self {
        let step = (sample_rate / STEPS).max(1) as usize;
        let mut detector = Self {
            sets: Vec::new(),
            signals: Vec::new(),
            recent: Recent::new(step, WINDOW),
            energies: [0.0; WINDOW],
            peak: 0.0,
            run: (Label::Silence, 0),
            after_silence: false,
            unclear: 0,
            new: (Label::Silence, 0),
            told: None,
            events: [None; 4],
        };
        let elements = signals.iter().take(MAX_SIGNALS).flat_map(|(_, list)| list.elements());
        let mut sets: Vec<Vec<f32>> = elements.map(frequencies).filter(|hertz| !hertz.is_empty()).collect();
        sets.sort_by_key(Vec::len);
        for hertz in sets {
            let known = detector.sets.iter().any(|set| set.hertz == hertz);
            if !known && detector.sets.len() < MAX_SETS {
                detector.sets.push(Set::new(sample_rate, step * WINDOW, hertz));
            }
        }
        for (kind, list) in signals.iter().take(MAX_SIGNALS) {
            detector.add(*kind, list);
        }
        detector
    }

    fn add(&mut self, kind: ToneKind, list: &ToneList) {
        let mut signal = Signal { kind, beats: Vec::new(), steady: None, next: 0, matched: 0 };
        for element in list.elements().iter().filter(|element| !element.once) {
            let hertz = frequencies(element);
            let set = self.sets.iter().position(|set| set.hertz == hertz);
            if set.is_none() && !hertz.is_empty() {
                return;
            }
            if element.millis == 0 {
                signal.steady = set;
                break;
            }
            let steps = element.millis as f32 * STEPS as f32 / 1000.0;
            // A tenth of it for the exchange, and two steps for our measure.
            let part = if kind == ToneKind::Info { 0.2 } else { 0.12 };
            signal.beats.push(Beat {
                set,
                least: steps - (part * steps).max(2.2),
                most: steps + (part * steps).max(2.2),
            });
        }
        let alike = |other: &Signal| other.beats == signal.beats && other.steady == signal.steady;
        if !self.signals.iter().any(alike) {
            self.signals.push(signal);
        }
    }

    /// Takes more of the signal; then [`poll_event`](Self::poll_event) tells what was heard.
    pub fn process(&mut self, pcm: &[i16]) {
        let mut pcm = pcm;
        while self.recent.take(&mut pcm) {
            self.advance();
            self.recent.move_on();
        }
    }

    /// The next thing that was heard; nothing is lost if it is asked for every 20 ms of signal.
    pub fn poll_event(&mut self) -> Option<Progress> {
        next_event(&mut self.events)
    }

    /// The tone that is heard now.
    #[must_use]
    pub fn hears(&self) -> Option<ToneKind> {
        self.told.map(|(kind, _)| kind)
    }

    /// How long the present tone or silence has lasted, to 12.5 ms.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        Duration::from_micros(u64::from(self.run.1) * 1_000_000 / u64::from(STEPS))
    }

    /// The last step is full.
    fn advance(&mut self) {
        let last = self.recent.since_step(WINDOW - 1);
        self.energies.rotate_left(1);
        if let Some(energy) = self.energies.last_mut() {
            *energy = last.iter().map(|sample| sample * sample).sum();
        }
        let label = self.label();
        self.follow(label);
        self.steady();
        self.broken();
    }

    /// Takes the label of one more step: part of what lasts, unclear, or something new.
    fn follow(&mut self, label: Label) {
        let (current, length) = self.run;
        if label == current {
            self.run.1 += 1 + core::mem::take(&mut self.unclear);
            self.new = (label, 0);
            return;
        }
        self.new = (label, if self.new.0 == label { self.new.1 + 1 } else { 1 });
        let (unclear, new) = (core::mem::take(&mut self.unclear), self.new.1);
        let begins = matches!((current, label), (_, Label::Silence) | (Label::Silence, Label::Set(_)));
        if !begins && new < CLEAR {
            self.unclear = unclear + 1;
            return;
        }
        // Steps that were neither belong to the tone, and half to each of two.
        let between = unclear + 1 - new.min(unclear + 1);
        let (to_ended, to_new) = match (current, label) {
            (Label::Set(_), Label::Set(_)) => (between / 2, unclear + 1 - between / 2),
            (Label::Set(_), Label::Silence) => (unclear, 1),
            _ => (0, unclear + 1),
        };
        self.new = (label, 0);
        // The first steps of a tone may be taken for another.
        if matches!((current, label), (Label::Set(_), Label::Set(_))) && length <= CLEAR && self.after_silence
        {
            self.run = (label, length + unclear + 1);
            return;
        }
        self.after_silence = current == Label::Silence;
        self.ended(current, length + to_ended);
        self.run = (label, to_new);
    }

    /// What the middle of the window is.
    fn label(&mut self) -> Label {
        let least = amplitude(LEAST_DBM0);
        let least = 0.5 * least * least * self.recent.step() as f32;
        let loud = |energy: &f32| *energy > least.max(0.02 * self.peak);
        let [before, middle, after, _] = &self.energies;
        if !(loud(before) || loud(middle) || loud(after)) {
            self.peak = 0.0;
            return Label::Silence;
        }
        self.peak = self.peak.max(*middle);
        // A modulated tone is soft at times; where it begins or ends there is less.
        if !self.energies.iter().all(|energy| *energy > least.min(0.002 * self.peak)) {
            return Label::Other;
        }
        let all: f32 = self.energies.iter().sum();
        let mut best: Option<(usize, f32)> = None;
        // Sets with more frequencies come last, and are believed only if they explain more.
        for (index, set) in self.sets.iter().enumerate() {
            let share = set.energy(self.recent.since_step(0)) / all;
            if share >= SHARE && best.is_none_or(|(_, before)| share > before + MORE) {
                best = Some((index, share));
            }
        }
        best.map_or(Label::Other, |(set, _)| Label::Set(set))
    }

    /// A tone, silence or something else is over.
    fn ended(&mut self, label: Label, length: u32) {
        // One loud step makes those before and after it loud.
        let (set, length) = match label {
            Label::Silence => (None, length as f32 + 2.0),
            Label::Set(set) => (Some(set), length as f32 - 2.0),
            Label::Other => {
                self.signals.iter_mut().for_each(Signal::restart);
                return;
            }
        };
        self.signals.iter_mut().for_each(|signal| signal.take(set, length));
        let Some((best, matched)) = self.best() else { return };
        let Some(signal) = self.signals.get(best) else { return };
        let round = signal.beats.len() as u32;
        // Three pitches in a row are enough; of a cadence one whole round.
        let whole = if signal.kind == ToneKind::Info { round.min(3) } else { round.max(2) };
        if matched >= whole {
            let confidence = (matched as f32 / (2 * whole) as f32).min(1.0);
            let kind = signal.kind;
            self.tell(kind, if kind == ToneKind::Info { 1.0 } else { confidence });
        }
    }

    /// The signal with the most beats as awaited, if no other has as many.
    fn best(&self) -> Option<(usize, u32)> {
        let matched = |signal: &Signal| signal.matched;
        let (best, signal) = self.signals.iter().enumerate().max_by_key(|(_, signal)| matched(signal))?;
        let rivals = self.signals.iter().filter(|other| other.kind != signal.kind);
        let clear = rivals.map(matched).all(|other| other < signal.matched);
        (signal.matched > 0 && clear).then_some((best, signal.matched))
    }

    /// A tone that sounds for longer than any cadence has it is one without end.
    fn steady(&mut self) {
        let (Label::Set(set), length) = self.run else { return };
        let Some(kind) = self.signals.iter().find(|signal| signal.steady == Some(set)).map(|s| s.kind) else {
            return;
        };
        let beats = self.signals.iter().flat_map(|signal| &signal.beats);
        let longest = beats.filter(|beat| beat.set == Some(set)).map(|beat| beat.most).fold(0.0, f32::max);
        let needed = (longest as u32 + 6).max(STEADY);
        if length == needed {
            self.tell(kind, 0.75);
        } else if length == 2 * needed {
            self.tell(kind, 1.0);
        }
    }

    /// The tone that was told of is over when what lasts now is not part of it.
    fn broken(&mut self) {
        let Some((kind, _)) = self.told else { return };
        let (label, length) = self.run;
        let set = match label {
            Label::Silence => None,
            // It may be taken for another yet.
            Label::Set(_) if length <= CLEAR => return,
            Label::Set(set) => Some(set),
            Label::Other => return self.over(kind),
        };
        let mut signals = self.signals.iter().filter(|signal| signal.kind == kind);
        let goes_on = signals.any(|signal| {
            let awaited = signal.beats.get(signal.next).filter(|_| signal.matched > 0);
            let cadenced = awaited.is_some_and(|beat| beat.set == set && length as f32 <= beat.most + 2.0);
            cadenced || (set.is_some() && signal.steady == set)
        });
        if !goes_on {
            self.over(kind);
        }
    }

    fn over(&mut self, kind: ToneKind) {
        self.told = None;
        self.push(Progress::Over { kind });
    }

    fn tell(&mut self, kind: ToneKind, confidence: f32) {
        match self.told {
            Some((told, before)) if told == kind && before >= confidence => return,
            Some((told, _)) if told != kind => self.push(Progress::Over { kind: told }),
            _ => {}
        }
        self.told = Some((kind, confidence));
        self.push(Progress::Heard { kind, confidence });
    }

    fn push(&mut self, event: Progress) {
        if let Some(slot) = self.events.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(event);
        }
    }
}

impl Signal {
    fn restart(&mut self) {
        (self.next, self.matched) = (0, 0);
    }

    /// A tone or silence of this length, in steps, is over.
    fn take(&mut self, set: Option<usize>, length: f32) {
        let fits = |beat: &Beat| beat.set == set && (beat.least..=beat.most).contains(&length);
        if self.beats.get(self.next).is_some_and(fits) {
            self.matched += 1;
            self.next = (self.next + 1) % self.beats.len();
        } else if let Some(index) = self.beats.iter().position(fits) {
            // It begins here, or it begins anew; a silence may be any.
            (self.matched, self.next) = (u32::from(set.is_some()), (index + 1) % self.beats.len());
        } else {
            // The first beat that is heard may have begun before.
            let part = |beat: &Beat| beat.set == set && (set.is_none() || length < beat.most);
            let index = self.beats.iter().position(part);
            self.matched = 0;
            self.next = index.map_or(0, |index| (index + 1) % self.beats.len());
        }
    }
}

impl Set {
    fn new(sample_rate: u32, length: usize, hertz: Vec<f32>) -> Self {
        let mut basis: Vec<Vec<f32>> = Vec::with_capacity(4 * hertz.len());
        for hertz in &hertz {
            let turn = TAU * hertz / sample_rate.max(1) as f32;
            for kind in 0..4 {
                let mut vector: Vec<f32> = (0..length)
                    .map(|at| {
                        let phase = turn * at as f32;
                        let wave = if kind % 2 == 0 { phase.cos() } else { phase.sin() };
                        // A tone that is off by some hertz is one whose amplitude and phase drift.
                        let drift = if kind < 2 { 1.0 } else { at as f32 / length as f32 - 0.5 };
                        wave * drift
                    })
                    .collect();
                for known in &basis {
                    let common = dot(&vector, known);
                    vector.iter_mut().zip(known).for_each(|(value, known)| *value -= common * known);
                }
                let norm = dot(&vector, &vector).sqrt();
                vector.iter_mut().for_each(|value| *value /= norm.max(f32::MIN_POSITIVE));
                basis.push(vector);
            }
        }
        Self { hertz, basis }
    }

    /// The energy of these frequencies in a window; 0 if one of them is missing.
    fn energy(&self, window: &[f32]) -> f32 {
        let mut all = 0.0;
        let mut weakest = f32::INFINITY;
        for vectors in self.basis.chunks(4) {
            let energy: f32 = vectors.iter().map(|vector| dot(vector, window)).map(|part| part * part).sum();
            all += energy;
            weakest = weakest.min(energy);
        }
        if weakest < EACH * all { 0.0 } else { all }
    }
}

fn frequencies(element: &Element) -> Vec<f32> {
    element.voices().iter().map(|voice| voice.hertz).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums side by side: the compiler does not reorder a single one.
    let mut sums = [0.0; 8];
    let (left, right) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left.zip(right) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::super::{Generator, Style};
    use super::*;

    /// What is heard in `seconds` of a tone after half a second of silence.
    fn hear(
        detector: &mut ProgressDetector,
        list: &ToneList,
        seconds: f32,
        level: f32,
    ) -> Vec<(f32, Progress)> {
        let mut generator = Generator::with_level(list, 8000, level);
        let mut heard = Vec::new();
        for frame in 0..((seconds + 0.5) * 100.0) as u32 {
            let mut pcm = [0; 80];
            if frame >= 50 {
                generator.fill(&mut pcm);
            }
            detector.process(&pcm);
            while let Some(event) = detector.poll_event() {
                heard.push((frame as f32 / 100.0, event));
            }
        }
        heard
    }

    #[test]
    fn the_tones_of_every_country_are_told_apart() {
        for country in Country::all() {
            for kind in
                [ToneKind::Busy, ToneKind::Congestion, ToneKind::Ringback, ToneKind::Dial, ToneKind::Info]
            {
                let list = country.tone(kind);
                let mut detector = ProgressDetector::new(8000, country);
                let heard = hear(&mut detector, &list, 16.0, -16.0);
                // What sounds like another tone of the same country is heard as that.
                let same = |other: ToneKind| country.tone(other) == list;
                let expected =
                    if kind == ToneKind::Congestion && same(ToneKind::Busy) { ToneKind::Busy } else { kind };
                let Some((_, Progress::Heard { kind: first, .. })) = heard.first() else {
                    panic!("{} {kind:?}: {heard:?}", country.name)
                };
                assert_eq!(*first, expected, "{} {kind:?}: {heard:?}", country.name);
                let sure =
                    heard.iter().any(|(_, event)| matches!(event, Progress::Heard { confidence: 1.0, .. }));
                assert!(sure, "{} {kind:?}: {heard:?}", country.name);
                let others = heard
                    .iter()
                    .filter(|(_, event)| !matches!(event, Progress::Heard { kind, .. } if *kind == expected));
                assert!(
                    kind == ToneKind::Info || others.count() == 0,
                    "{} {kind:?}: {heard:?}",
                    country.name
                );
            }
        }
    }

    #[test]
    fn a_tone_that_ends_is_told_to_be_over() {
        let us = Country::default_set();
        let mut detector = ProgressDetector::new(8000, us);
        hear(&mut detector, &us.tone(ToneKind::Busy), 6.0, -16.0);
        assert_eq!(detector.hears(), Some(ToneKind::Busy));
        let heard = hear(&mut detector, &ToneList::SILENCE, 3.0, -16.0);
        assert_eq!(heard.first().map(|(_, event)| *event), Some(Progress::Over { kind: ToneKind::Busy }));
        assert_eq!(detector.hears(), None);
    }

    #[test]
    fn exchanges_that_are_a_little_off_are_heard_and_others_are_not() {
        let germany = Country::find("de").unwrap();
        let heard = |text: &str| {
            let list = ToneList::parse(Style::Table, text).unwrap();
            let mut detector = ProgressDetector::new(8000, germany);
            hear(&mut detector, &list, 8.0, -20.0).first().map(|(_, event)| match event {
                Progress::Heard { kind, .. } | Progress::Over { kind } => *kind,
            })
        };
        assert_eq!(heard("434/510,0/450"), Some(ToneKind::Busy));
        assert_eq!(heard("416/220,0/260"), Some(ToneKind::Congestion));
        assert_eq!(heard("425/360,0/360"), None);
        assert_eq!(heard("480/480,0/480"), None);
        assert_eq!(heard("425+480/480,0/480"), None);
        assert_eq!(heard("425/480,0/2000"), None);
    }

    #[test]
    fn north_america_has_four_information_tones() {
        for tone in NORTH_AMERICAN_SIT {
            let mut list = ToneList::SILENCE;
            for (hertz, millis) in tone {
                list.push(Element::new(&[super::super::Voice::new(hertz)], millis).unwrap()).unwrap();
            }
            let mut detector = ProgressDetector::new(8000, Country::default_set());
            let heard = hear(&mut detector, &list.once(), 2.0, -20.0);
            assert!(
                matches!(heard.first(), Some((_, Progress::Heard { kind: ToneKind::Info, .. }))),
                "{tone:?} {heard:?}"
            );
        }
    }
}
