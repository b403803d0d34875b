//! Two clocks of one rate: a few samples in a million more or less.

use super::filter::{Phases, dot, sample};

/// The most that two clocks may differ, in parts in a million, either way.
pub const MAX_DRIFT_PPM: f32 = 1000.0;

const TAPS: usize = 32;
/// Positions between two samples; between two of those it is interpolated, in Q16.
const PHASES: usize = 128;
const PHASE_BITS: u32 = 16;
/// Where two samples lie, in the fixed point of positions: 7 bits of phase, 16 between phases, 32 of exactness.
const STEP: u64 = (PHASES as u64) << (PHASE_BITS + FINE_BITS);
const FINE_BITS: u32 = 16;
/// What is mirrored at the half rate is down by this many decibel, for all below 0.85 of the half rate.
const ATTENUATION: f64 = 74.0;
/// Samples that wait for the filter at a time.
const CHUNK: usize = 512;

/// How far a call of [`Drift::process`] came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Samples taken from the input.
    pub read: usize,
    /// Samples written to the output.
    pub written: usize,
}

/// Gives out a stream of samples a little faster or slower than it comes in, with no step and no click.
///
/// [`Drift::set_ppm`] says by how much, and may say otherwise before every frame. It delays by 16 samples; what is below
/// 0.85 of the half rate passes flat within 0.1 dB, and its mirror images are 70 dB down.
///
/// A reader that wants whole frames asks [`Drift::needed`] how many samples make one:
///
/// ```
/// use sidetone_media::resample::Drift;
/// let mut drift = Drift::new();
/// drift.set_ppm(250.0);
/// let (mut taken, mut frame) = (0, [0; 160]);
/// for _ in 0..1000 {
///     let captured = vec![0; drift.needed(160)]; // from the sound card's ring
///     let progress = drift.process(&captured, &mut frame);
///     assert_eq!((progress.read, progress.written), (captured.len(), 160));
///     taken += progress.read;
/// }
/// assert!((160_039..=160_041).contains(&taken)); // 250 ppm more than 160 000
/// ```
#[derive(Clone, Debug)]
pub struct Drift {
    phases: Phases,
    /// The last `TAPS` samples, and room for a chunk behind them.
    history: Vec<i16>,
    /// Where the window of the next sample begins in `history`, in parts of a sample. It may be the oldest sample there,
    /// when two that come out lie between the same two that came in.
    position: u64,
    /// From one sample to the next; [`STEP`] is as they came.
    step: u64,
}

impl Drift {
    /// As they came: 0 ppm.
    #[must_use]
    pub fn new() -> Self {
        // One row more than phases, to interpolate to.
        let phases = Phases::new(PHASES, PHASES + 1, TAPS, 1.0, ATTENUATION);
        let mut history = Vec::with_capacity(TAPS + CHUNK);
        history.resize(TAPS, 0);
        Self { phases, history, position: STEP, step: STEP }
    }

    /// How much faster the input's clock is than the output's, in parts in a million: positive takes more samples than
    /// it gives. At most [`MAX_DRIFT_PPM`] either way; what is no number counts as 0.
    pub fn set_ppm(&mut self, ppm: f32) {
        let ppm = if ppm.is_nan() { 0.0 } else { ppm.clamp(-MAX_DRIFT_PPM, MAX_DRIFT_PPM) };
        self.step = (STEP as f64 * (1.0 + f64::from(ppm) * 1e-6)) as u64;
    }

    /// How many samples must go in for `output` to come out: exactly so many are read then.
    #[must_use]
    pub const fn needed(&self, output: usize) -> usize {
        match (output as u64).checked_sub(1) {
            Some(steps) => ((self.position + steps * self.step) / STEP) as usize,
            None => 0,
        }
    }

    /// Reads as much of `input` as `out` has room for, and writes what comes of it.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> Progress {
        let mut progress = Progress::default();
        while let Some(room) = out.get_mut(progress.written..).filter(|room| !room.is_empty()) {
            let rest = input.get(progress.read..).unwrap_or_default();
            let wanted = self.needed(room.len()).min(rest.len()).min(CHUNK);
            let chunk = rest.get(..wanted).unwrap_or_default();
            let written = self.chunk(chunk, room);
            progress.read += chunk.len();
            progress.written += written;
            if chunk.is_empty() && written == 0 {
                break;
            }
        }
        progress
    }

    /// Takes a whole chunk, and writes what comes of it as far as there is room.
    fn chunk(&mut self, chunk: &[i16], room: &mut [i16]) -> usize {
        self.history.extend_from_slice(chunk);
        let mut written = 0;
        for out in room {
            let start = (self.position / STEP) as usize;
            if start > chunk.len() {
                break;
            }
            *out = self.at(start, self.position % STEP);
            self.position += self.step;
            written += 1;
        }
        self.position = self.position.saturating_sub(chunk.len() as u64 * STEP);
        self.history.copy_within(chunk.len().., 0);
        self.history.truncate(TAPS);
        written
    }

    /// The sample whose window begins at `start` and a fraction.
    fn at(&self, start: usize, fraction: u64) -> i16 {
        let window = self.history.get(start..start + TAPS).unwrap_or_default();
        let fine = fraction >> FINE_BITS;
        let phase = (fine >> PHASE_BITS) as usize;
        let between = (fine & ((1 << PHASE_BITS) - 1)) as i64;
        let here = dot(window, self.phases.row(phase));
        let there = dot(window, self.phases.row(phase + 1));
        sample(here + (((there - here) * between) >> PHASE_BITS))
    }

    /// Forgets what went in; the correction stays.
    pub fn reset(&mut self) {
        self.history.fill(0);
        self.position = STEP;
    }
}

impl Default for Drift {
    fn default() -> Self {
        Self::new()
    }
}

/// How fast the loop follows: the error of a sudden change is gone after three of these, in seconds.
const FOLLOWS: f32 = 20.0;
/// How well it is damped; nothing rings above 0.7.
const DAMPING: f32 = 0.9;
/// Fill is averaged over this many seconds, as sound cards come and go in blocks.
const AVERAGE: f32 = 1.0;

/// Watches how full the buffer between two clocks is, and says by how much they differ.
///
/// A loop with a proportional and an integral part. Two quartzes that are 300 ppm apart are followed within 2 ms of the
/// target; then the correction stays where it is right, and wavers too little to be heard.
#[derive(Clone, Debug)]
pub struct DriftControl {
    rate: f32,
    target: f32,
    average: Option<f32>,
    /// What the integral part says, in parts in a million.
    steady: f32,
    ppm: f32,
}

impl DriftControl {
    /// Keeps about `target` samples in a buffer of `rate` samples a second.
    #[must_use]
    pub const fn new(rate: u32, target: usize) -> Self {
        Self { rate: rate as f32, target: target as f32, average: None, steady: 0.0, ppm: 0.0 }
    }

    /// Another target; what was learned of the clocks stays.
    pub const fn set_target(&mut self, target: usize) {
        self.target = target as f32;
    }

    /// The buffer was emptied or filled at once: its fill is no news of the clocks until it is averaged anew.
    pub const fn restart(&mut self) {
        self.average = None;
    }

    /// To be called every 10 ms with the samples that wait in the buffer, always at the same point between writing and
    /// reading. Returns how much faster the writer's clock is than the reader's, as [`Drift::set_ppm`] takes it.
    pub fn update(&mut self, fill: usize) -> f32 {
        const TIME: f32 = 0.01;
        let fill = fill as f32;
        let before = self.average.unwrap_or(fill);
        let average = before + (fill - before) * (TIME / AVERAGE);
        self.average = Some(average);
        let error = average - self.target;
        // Samples a second that one part in a million makes.
        let gain = self.rate.max(1.0) * 1e-6;
        self.steady += error * TIME / (gain * FOLLOWS * FOLLOWS);
        self.steady = self.steady.clamp(-MAX_DRIFT_PPM, MAX_DRIFT_PPM);
        let sudden = error * 2.0 * DAMPING / (gain * FOLLOWS);
        self.ppm = (self.steady + sudden).clamp(-MAX_DRIFT_PPM, MAX_DRIFT_PPM);
        self.ppm
    }

    /// What [`update`](Self::update) said last.
    #[must_use]
    pub const fn ppm(&self) -> f32 {
        self.ppm
    }

    /// By how much the clocks differ in the long run, in parts in a million.
    #[must_use]
    pub const fn drift_ppm(&self) -> f32 {
        self.steady
    }
}
