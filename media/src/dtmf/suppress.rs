//! Taking digits out of the speech where they go as events: what is left of them would be heard twice (RFC 4733
//! §2.5.1.2).

use super::detect::{Detected, Detector};
use core::time::Duration;

/// How long speech takes to fade, in microseconds.
const FADE_MICROS: u64 = 2500;

/// Silences speech while a digit sounds in it, or an event is sent or heard in its place.
///
/// A tone is known 20 to 25 ms after it began. Speech that is held back by as long ([`new`](Self::new)'s `lookahead`)
/// lets nothing of it through; held back by nothing, it lets those 25 ms through, which is less than the 40 ms that
/// every receiver must hear as a digit.
#[derive(Clone, Debug)]
pub struct Suppressor {
    detector: Detector,
    /// The speech that is held back.
    held: Vec<i16>,
    at: usize,
    /// Samples until what is held back is past the digit.
    hang: usize,
    /// 0 is silence, 1 all of the speech.
    gain: f32,
    fade: f32,
}

impl Suppressor {
    /// The delay with which nothing of a digit is let through.
    pub const LOOKAHEAD: Duration = Duration::from_millis(30);

    /// A suppressor that holds speech back by `lookahead`, at most 100 ms.
    #[must_use]
    pub fn new(sample_rate: u32, lookahead: Duration) -> Self {
        let rate = u64::from(sample_rate);
        let held = (lookahead.min(Duration::from_millis(100)).as_micros() as u64 * rate / 1_000_000) as usize;
        Self {
            detector: Detector::new(sample_rate),
            held: vec![0; held],
            at: 0,
            hang: 0,
            gain: 1.0,
            fade: 1.0 / (rate * FADE_MICROS / 1_000_000).max(1) as f32,
        }
    }

    /// Takes speech, as a rule 10 ms, and gives it back late by the lookahead and without digits. `event` says that an
    /// event is sent or heard now: then all is silent.
    pub fn process(&mut self, pcm: &mut [i16], event: bool) {
        self.detector.process(pcm);
        let silent = event || self.detector.suspects();
        if silent {
            self.hang = self.held.len();
        }
        for sample in pcm {
            let target = if silent || self.hang > 0 { 0.0 } else { 1.0 };
            self.hang = if silent { self.hang } else { self.hang.saturating_sub(1) };
            if let Some(slot) = self.held.get_mut(self.at) {
                core::mem::swap(slot, sample);
                self.at = if self.at + 1 == self.held.len() { 0 } else { self.at + 1 };
            }
            if self.gain < target {
                self.gain = (self.gain + self.fade).min(target);
            } else if self.gain > target {
                self.gain = (self.gain - self.fade).max(target);
            }
            if self.gain < 1.0 {
                *sample = (f32::from(*sample) * self.gain) as i16;
            }
        }
    }

    /// What was heard, to be sent as events in place of it.
    pub fn poll_event(&mut self) -> Option<Detected> {
        self.detector.poll_event()
    }
}
