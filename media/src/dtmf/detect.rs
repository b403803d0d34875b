//! Hearing digits in the speech itself, by the rules of ITU-T Q.24.
//!
//! Every 5 ms the correlation with each of the eight frequencies is known; where two of them, one of each group, have
//! much of the energy, the last 30 ms are looked at closely: how far each tone is from its frequency (by the phase that
//! it gains in 5 ms), how strong it is, and how much of all the energy the two are. A digit is what passes for 30 ms.

use super::event::digit_of;
use crate::tone::amplitude;
use crate::tone::recent::{Recent, next_event};
use core::f32::consts::{PI, TAU};
use core::time::Duration;

/// Rows and columns of the keypad (ITU-T Q.23), in hertz.
pub(super) const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
pub(super) const HIGH: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// Event codes by row and column.
pub(super) const KEYS: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

/// Steps a second: 5 ms.
const STEPS: u32 = 200;
/// Steps that are looked at closely: 30 ms, in two windows of 25 ms.
const SPAN: usize = 6;
/// Steps of the coarse look: 20 ms.
const COARSE: usize = 4;
/// Samples that are worked on side by side.
const LANES: usize = 8;
const WEIGHTS: [f32; COARSE] = [0.5, 1.0, 1.0, 0.5];

/// What counts as a digit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectorConfig {
    /// The least level of each tone, in dBm0.
    pub level: f32,
    /// How far each tone may be from its frequency, as a part of it: Q.24 asks for 1.5 %, and for no more than 3.5 %.
    pub deviation: f32,
    /// How much stronger the high tone may be, in dB.
    pub twist: f32,
    /// How much stronger the low tone may be, in dB.
    pub reverse_twist: f32,
    /// How much of all the energy must be in the two tones, 0 to 1.
    pub purity: f32,
    /// The shortest digit.
    pub shortest: Duration,
    /// The shortest pause between two digits; a shorter break is bridged.
    pub pause: Duration,
}

impl Default for DetectorConfig {
    /// -40 dBm0, 2.5 %, 6 and 10 dB, 0.7, 30 ms, 20 ms.
    fn default() -> Self {
        Self {
            level: -40.0,
            deviation: 0.025,
            twist: 6.0,
            reverse_twist: 10.0,
            purity: 0.7,
            shortest: Duration::from_millis(30),
            pause: Duration::from_millis(20),
        }
    }
}

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detected {
    /// A digit began, some 35 ms ago.
    Begin {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// It is over.
    End {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// How long it sounded, to 5 ms or so.
        duration: Duration,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    fn turn(radians: f32) -> Self {
        let (im, re) = radians.sin_cos();
        Self { re, im }
    }

    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }
}

/// One step: the correlation with each frequency, and the energy.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    sums: [Complex; 8],
    energy: f32,
}

/// What a close look found.
#[derive(Clone, Copy, Debug)]
struct Look {
    row: usize,
    column: usize,
}

/// A digit that sounds, or begins to.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    row: usize,
    column: usize,
    /// Its strongest step.
    peak: f32,
    /// Its length, in steps.
    length: f32,
    /// Steps since it last sounded; since it was last looked at with success.
    quiet: u32,
    doubt: u32,
    looks: u32,
    told: bool,
}

/// Hears digits in speech. Takes its memory when it is made, and 20 ns or so a sample.
#[derive(Clone, Debug)]
pub struct Detector {
    config: DetectorConfig,
    sample_rate: f32,
    /// Cosines and sines of the eight frequencies, for each sample of a step.
    table: Vec<[f32; 16]>,
    /// The turn of each frequency over 0, 1, 2 and 3 steps, backwards.
    turns: [[Complex; 8]; COARSE],
    /// A Hann window over 25 ms, its sum, and the sum of its squares.
    window: Vec<f32>,
    weights: (f32, f32),
    /// The last 30 ms; the last step of it is filled up.
    recent: Recent,
    steps: [Step; SPAN],
    /// Close looks at each frequency: 5 ms ago, and now.
    looks: [[Option<Complex>; 2]; 8],
    candidate: Option<Candidate>,
    events: [Option<Detected>; 4],
}

impl Detector {
    /// A detector with the usual settings.
    #[must_use]
    pub fn new(sample_rate: u32) -> Self {
        Self::with_config(sample_rate, DetectorConfig::default())
    }

    /// A detector for samples of this rate, 8000 to 48000 a second.
    #[must_use]
    pub fn with_config(sample_rate: u32, config: DetectorConfig) -> Self {
        let step = (sample_rate / STEPS).max(1) as usize;
        let rate = sample_rate.max(1) as f32;
        let row = |at: usize| {
            core::array::from_fn(|lane| {
                let turn = TAU * frequency(lane % 8) * at as f32 / rate;
                if lane < 8 { turn.cos() } else { -turn.sin() }
            })
        };
        let length = step * (SPAN - 1);
        let hann = |at: usize| 0.5 - 0.5 * (TAU * (at as f32 + 0.5) / length as f32).cos();
        let window: Vec<f32> = (0..length).map(hann).collect();
        Self {
            config,
            sample_rate: rate,
            weights: (window.iter().sum(), window.iter().map(|weight| weight * weight).sum()),
            table: (0..step).map(row).collect(),
            turns: core::array::from_fn(|steps| {
                core::array::from_fn(|index| {
                    Complex::turn(-TAU * frequency(index) * (steps * step) as f32 / rate)
                })
            }),
            window,
            recent: Recent::new(step, SPAN),
            steps: [Step::default(); SPAN],
            looks: [[None; 2]; 8],
            candidate: None,
            events: [None; 4],
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
    pub fn poll_event(&mut self) -> Option<Detected> {
        next_event(&mut self.events)
    }

    /// The digit that sounds, once it was told.
    #[must_use]
    pub fn sounding(&self) -> Option<char> {
        self.candidate.filter(|candidate| candidate.told).and_then(|candidate| candidate.digit())
    }

    /// Whether what sounds may be a digit: some 20 ms after it began, and until it is over.
    #[must_use]
    pub const fn suspects(&self) -> bool {
        self.candidate.is_some()
    }

    /// Forgets what it heard.
    pub fn reset(&mut self) {
        self.recent.clear();
        self.candidate = None;
        self.looks = [[None; 2]; 8];
        (self.steps, self.events) = ([Step::default(); SPAN], [None; 4]);
    }

    /// The last step is full.
    fn advance(&mut self) {
        let step = self.correlate();
        self.steps.rotate_left(1);
        if let Some(last) = self.steps.last_mut() {
            *last = step;
        }
        for look in &mut self.looks {
            *look = [look[1], None];
        }
        let look = self.coarse().and_then(|(row, column)| self.close(row, column));
        let changed = self.candidate.zip(look).is_some_and(|(candidate, look)| !candidate.is(&look));
        if changed && let Some(candidate) = self.candidate.take() {
            self.over(&candidate);
        }
        match (&mut self.candidate, look) {
            (Some(candidate), look) => {
                candidate.go_on(&step, look.is_some());
            }
            (None, Some(look)) => self.candidate = Some(Candidate::new(&look, &self.steps)),
            (None, None) => return,
        }
        let Some(candidate) = self.candidate else { return };
        let steps = |duration: Duration| duration.as_secs_f32() * STEPS as f32;
        // Rises and falls take a step's tenth or two away.
        let long = candidate.length + 0.2 >= steps(self.config.shortest) && candidate.looks >= 2;
        if long && !candidate.told {
            self.candidate = Some(Candidate { told: true, ..candidate });
            if let Some(digit) = candidate.digit() {
                self.tell(Detected::Begin { digit });
            }
        }
        let over = candidate.quiet as f32 >= steps(self.config.pause) || candidate.doubt > 8;
        if over && let Some(candidate) = self.candidate.take() {
            self.over(&candidate);
        }
    }

    fn over(&mut self, candidate: &Candidate) {
        if let Some(digit) = candidate.digit().filter(|_| candidate.told) {
            let duration = Duration::from_secs_f32(candidate.length / STEPS as f32);
            self.tell(Detected::End { digit, duration });
        }
    }

    fn tell(&mut self, event: Detected) {
        if let Some(slot) = self.events.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(event);
        }
    }

    /// Correlates the last step with the eight frequencies.
    fn correlate(&self) -> Step {
        let samples = self.recent.since_step(SPAN - 1);
        let mut sums = [0.0; 16];
        let mut energy = 0.0;
        for (sample, row) in samples.iter().zip(&self.table) {
            for (sum, factor) in sums.iter_mut().zip(row) {
                *sum += sample * factor;
            }
            energy += sample * sample;
        }
        let (re, im) = sums.split_at(8);
        let mut step = Step { energy, ..Step::default() };
        for (sum, (re, im)) in step.sums.iter_mut().zip(re.iter().zip(im)) {
            *sum = Complex { re: *re, im: *im };
        }
        step
    }

    /// The strongest row and column of the last 20 ms, if together they have a third of the energy.
    fn coarse(&self) -> Option<(usize, usize)> {
        let last = self.steps.get(SPAN - COARSE..)?;
        let energy: f32 = last.iter().zip(WEIGHTS).map(|(step, weight)| step.energy * weight).sum();
        let least = amplitude(self.config.level);
        let weight: f32 = WEIGHTS.iter().sum::<f32>() * self.recent.step() as f32;
        if energy < least * least * weight * 0.5 {
            return None;
        }
        let mut powers = [0.0; 8];
        for (index, power) in powers.iter_mut().enumerate() {
            let mut sum = Complex::default();
            for ((step, turns), weight) in last.iter().zip(&self.turns).zip(WEIGHTS) {
                let part = step.sums.get(index)?.times(*turns.get(index)?);
                (sum.re, sum.im) = (sum.re + weight * part.re, sum.im + weight * part.im);
            }
            *power = sum.power();
        }
        let (low, high) = powers.split_at(4);
        let (row, low) = strongest(low)?;
        let (column, high) = strongest(high)?;
        // A tone of amplitude a has a power of (a weight / 2)², and an energy of weight a² / 2.
        (2.0 * (low + high) / weight > 0.33 * energy).then_some((row, column))
    }

    /// Looks at the last 30 ms for this row and column.
    fn close(&mut self, row: usize, column: usize) -> Option<Look> {
        let low = self.tone(row)?;
        let high = self.tone(column + 4)?;
        let least = amplitude(self.config.level);
        if low < least || high < least {
            return None;
        }
        let twist = 20.0 * (high / low).log10();
        if !(-self.config.reverse_twist..=self.config.twist).contains(&twist) {
            return None;
        }
        let share = 0.5 * (low * low + high * high) * self.weights.1 / self.energy().max(1.0);
        (share >= self.config.purity).then_some(Look { row, column })
    }

    /// The amplitude of the tone near the frequency of this index; none if it is too far from it.
    fn tone(&mut self, index: usize) -> Option<f32> {
        let hertz = frequency(index);
        let [before, now] = self.looks.get(index).copied()?;
        let first = before.unwrap_or_else(|| self.at(0, hertz));
        let second = now.unwrap_or_else(|| self.at(1, hertz));
        if let Some(look) = self.looks.get_mut(index) {
            *look = [Some(first), Some(second)];
        }
        let turn = second.times(first.conjugate()).times(*self.turns.get(1)?.get(index)?);
        let deviation = turn.im.atan2(turn.re) / TAU * STEPS as f32;
        if deviation.abs() > self.config.deviation * hertz {
            return None;
        }
        // How much a Hann window leaves of a tone that is so many of its bins away.
        let bins = deviation * self.window.len() as f32 / self.sample_rate;
        let left = match (bins * PI, 1.0 - bins * bins) {
            (angle, _) if angle.abs() < 0.01 => 1.0,
            (_, rest) if rest.abs() < 0.01 => 0.5,
            (angle, rest) => angle.sin() / (angle * rest),
        };
        Some(2.0 * second.power().sqrt() / (self.weights.0 * left))
    }

    /// Correlates 25 ms, from this step on, with a frequency.
    fn at(&self, from: usize, hertz: f32) -> Complex {
        let turn = -TAU * hertz / self.sample_rate;
        // Eight samples side by side; the window is next to nothing at its end, where some may be left over.
        let one = Complex::turn(turn);
        let mut step = Complex { re: 1.0, im: 0.0 };
        let mut turns = [step; LANES];
        for lane in &mut turns {
            *lane = step;
            step = step.times(one);
        }
        let mut sums = [Complex::default(); LANES];
        let samples = self.recent.since_step(from).chunks_exact(LANES);
        for (samples, weights) in samples.zip(self.window.chunks_exact(LANES)) {
            let lanes = sums.iter_mut().zip(&mut turns).zip(samples.iter().zip(weights));
            for ((sum, turn), (sample, weight)) in lanes {
                let sample = sample * weight;
                (sum.re, sum.im) = (sum.re + sample * turn.re, sum.im + sample * turn.im);
                *turn = turn.times(step);
            }
        }
        sums.iter()
            .fold(Complex::default(), |sum, lane| Complex { re: sum.re + lane.re, im: sum.im + lane.im })
    }

    /// The energy of the last 25 ms behind the window.
    fn energy(&self) -> f32 {
        let mut sums = [0.0; LANES];
        let samples = self.recent.since_step(1).chunks_exact(LANES);
        for (samples, weights) in samples.zip(self.window.chunks_exact(LANES)) {
            for (sum, (sample, weight)) in sums.iter_mut().zip(samples.iter().zip(weights)) {
                let sample = sample * weight;
                *sum += sample * sample;
            }
        }
        sums.iter().sum()
    }
}

/// The frequencies of the rows, then of the columns.
fn frequency(index: usize) -> f32 {
    LOW.iter().chain(&HIGH).nth(index).copied().unwrap_or_default()
}

fn strongest(powers: &[f32]) -> Option<(usize, f32)> {
    powers.iter().copied().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))
}

impl Candidate {
    fn new(look: &Look, steps: &[Step]) -> Self {
        let mut new = Self {
            row: look.row,
            column: look.column,
            peak: 0.0,
            length: 0.0,
            quiet: 0,
            doubt: 0,
            looks: 0,
            told: false,
        };
        new.peak = steps.iter().map(|step| new.power(step)).fold(0.0, f32::max);
        for step in steps {
            new.go_on(step, false);
        }
        (new.looks, new.doubt) = (1, 0);
        new
    }

    fn is(&self, look: &Look) -> bool {
        (self.row, self.column) == (look.row, look.column)
    }

    fn digit(&self) -> Option<char> {
        digit_of(*KEYS.get(self.row)?.get(self.column)?)
    }

    fn power(&self, step: &Step) -> f32 {
        let tone = |index: usize| step.sums.get(index).copied().unwrap_or_default().power();
        tone(self.row) + tone(self.column + 4)
    }

    /// Another step.
    fn go_on(&mut self, step: &Step, seen: bool) {
        let power = self.power(step);
        self.peak = self.peak.max(power);
        let part = (power / self.peak.max(1.0)).sqrt();
        if part > 0.3 {
            // Within a tone the two beat, so that few steps are as strong as the strongest.
            self.length += if part > 0.75 { 1.0 } else { part };
            self.quiet = 0;
        } else {
            self.quiet += 1;
        }
        self.looks += u32::from(seen);
        self.doubt = if seen { 0 } else { self.doubt + 1 };
    }
}
