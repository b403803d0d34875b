//! Decoded speech around the moment that is heard: what was, to lengthen with, and what comes.
//!
//! Time is stretched by synchronised overlap-add: a frame is played that begins where the ear is and ends a pitch
//! period further on, or further back, with a cross-fade between the two. The period is where the waveforms are
//! most alike, so vowels lose or gain whole periods; in noise and at the beginnings of sounds nothing is alike
//! enough, and nothing is done unless it must be.

use super::buffer::MAX_PACKET_MILLIS;
use core::ops::RangeInclusive;

/// The shortest and longest step, in samples at 8 kHz: 5 and 15 ms, about the pitch periods of voices.
const STEP: (usize, usize) = (40, 120);
/// A mean square below this is silence, where a step is not heard (-44 dB of full scale).
const QUIET: i64 = 200 * 200;
/// The squared likeness (in percent) above which a step is not heard.
const ALIKE: i64 = 60;
/// What one packet may decode to at most, in samples at 8 kHz.
const MOST_DECODED: usize = 8 * MAX_PACKET_MILLIS;

/// Samples on the sender's time line, with a cursor.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    samples: Vec<i16>,
    cursor: usize,
    /// The place on the time line that follows the last sample.
    end: i64,
    /// Samples in 10 ms, and the rate against 8 kHz.
    scale: usize,
}

impl Speech {
    pub(super) fn new(sample_rate: u32) -> Self {
        let scale = (sample_rate as usize / 8000).max(1);
        Self { samples: Vec::with_capacity((MOST_DECODED + 2048) * scale), cursor: 0, end: 0, scale }
    }

    /// Forgets all; the next sample is at `position`.
    pub(super) fn begin(&mut self, position: i64) {
        self.samples.clear();
        self.cursor = 0;
        self.end = position;
    }

    pub(super) const fn end(&self) -> i64 {
        self.end
    }

    /// Samples decoded and not heard.
    pub(super) const fn ahead(&self) -> usize {
        self.samples.len() - self.cursor
    }

    /// The place of the next sample to be heard.
    pub(super) const fn position(&self) -> i64 {
        self.end - self.ahead() as i64
    }

    /// What must be ahead for a step to be found on a frame of `frame` samples.
    pub(super) const fn look_ahead(&self, frame: usize) -> usize {
        frame + STEP.1 * self.scale
    }

    /// Lets `decode` write up to `room` samples; it returns how many it wrote and how many of the first of
    /// them to drop. `moves` tells whether time passes on the sender's clock.
    pub(super) fn append(
        &mut self,
        room: usize,
        moves: bool,
        decode: impl FnOnce(&mut [i16]) -> (usize, usize),
    ) {
        self.forget_old(room);
        let old = self.samples.len();
        let room = room.min(self.samples.capacity() - old);
        self.samples.resize(old + room, 0);
        let (written, dropped) = self.samples.get_mut(old..).map_or((0, 0), decode);
        let (written, dropped) = (written.min(room), dropped.min(written));
        self.samples.truncate(old + written);
        if dropped > 0 {
            self.samples.copy_within(old + dropped.., old);
            self.samples.truncate(old + written - dropped);
        }
        if moves {
            self.end += (written - dropped) as i64;
        }
    }

    /// Room for one packet.
    pub(super) const fn most_decoded(&self) -> usize {
        MOST_DECODED * self.scale
    }

    /// Moves what is ahead into `out`; returns how much.
    pub(super) fn play(&mut self, out: &mut [i16]) -> usize {
        let from = self.samples.get(self.cursor..).unwrap_or_default();
        let count = from.len().min(out.len());
        for (heard, sample) in out.iter_mut().zip(from) {
            *heard = *sample;
        }
        self.cursor += count;
        count
    }

    /// Plays one frame and leaves out a pitch period, `most` samples at most: so many samples. Zero if no good place
    /// was found, and nothing played.
    pub(super) fn shorten(&mut self, out: &mut [i16], most: usize, force: bool) -> usize {
        // What a step leaps over must be there.
        let most = most.min(STEP.1 * self.scale).min(self.ahead().saturating_sub(out.len()));
        if most == 0 {
            return 0;
        }
        self.step(out, STEP.0 * self.scale..=most, most, force, |cursor, lag| Some(cursor + lag))
    }

    /// Plays one frame and repeats a pitch period, or in silence `wanted` samples: so many samples. Zero if no good
    /// place was found, and nothing played.
    pub(super) fn lengthen(&mut self, out: &mut [i16], wanted: usize, force: bool) -> usize {
        let (least, most) = (STEP.0 * self.scale, STEP.1 * self.scale);
        if self.ahead() < out.len() || self.cursor < most {
            return 0;
        }
        self.step(out, least..=most, wanted.clamp(1, most), force, usize::checked_sub)
    }

    /// Glides within one frame from the cursor to where the speech is most alike.
    fn step(
        &mut self,
        out: &mut [i16],
        periods: RangeInclusive<usize>,
        in_silence: usize,
        force: bool,
        to: impl Fn(usize, usize) -> Option<usize>,
    ) -> usize {
        let frame = out.len();
        let at = |from: usize| self.samples.get(from..from + frame).unwrap_or_default();
        let here = at(self.cursor);
        let alike = |lag: usize| Some((likeness(here, at(to(self.cursor, lag)?)), lag));
        let quiet = here.iter().map(|s| i64::from(*s).pow(2)).sum::<i64>() <= QUIET * frame as i64;
        let lag = if quiet {
            in_silence
        } else {
            // At the resolution of 8 kHz first, then between.
            let coarse = periods.clone().step_by(self.scale).filter_map(alike).max();
            let Some((_, coarse)) = coarse else { return 0 };
            let near = (coarse + 1).saturating_sub(self.scale)..coarse + self.scale;
            let best = near.filter(|lag| periods.contains(lag)).filter_map(alike).max();
            match best {
                Some((alike, lag)) if force || alike >= ALIKE => lag,
                _ => return 0,
            }
        };
        let Some(there) = to(self.cursor, lag) else { return 0 };
        let steps = frame.max(1) as i32;
        for (((heard, a), b), i) in out.iter_mut().zip(here).zip(at(there)).zip(0..) {
            *heard = ((i32::from(*a) * (steps - i) + i32::from(*b) * i) / steps) as i16;
        }
        self.cursor = there + frame;
        lag
    }

    /// Keeps a step's worth of the past when `room` samples would not fit behind.
    fn forget_old(&mut self, room: usize) {
        let keep = STEP.1 * self.scale;
        if self.samples.capacity() - self.samples.len() < room && self.cursor > keep {
            let gone = self.cursor - keep;
            self.samples.copy_within(gone.., 0);
            self.samples.truncate(self.samples.len() - gone);
            self.cursor = keep;
        }
    }
}

/// The squared normalised correlation in percent; below zero for opposites.
fn likeness(a: &[i16], b: &[i16]) -> i64 {
    let (mut product, mut energy_a, mut energy_b) = (0_i64, 1_i64, 1_i64);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (i64::from(a), i64::from(b));
        product += a * b;
        energy_a += a * a;
        energy_b += b * b;
    }
    // 10 ms at 48 kHz stays below 2⁴⁰; the square of that needs more than 64 bits.
    (i128::from(product) * i128::from(product.abs()) * 100 / (i128::from(energy_a) * i128::from(energy_b)))
        as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(speech: &mut Speech, samples: usize) {
        let from = speech.end();
        speech.append(samples, true, |out| {
            for (i, sample) in out.iter_mut().enumerate() {
                *sample = (8000.0 * ((from + i as i64) as f64 * core::f64::consts::TAU / 61.0).sin()) as i16;
            }
            (samples, 0)
        });
    }

    #[test]
    fn steps_of_a_tone_are_whole_periods_and_make_no_click() {
        let mut speech = Speech::new(8000);
        speech.begin(0);
        tone(&mut speech, 1600);
        let mut heard = [0; 800];
        speech.play(&mut heard[..160]);
        assert!(speech.shorten(&mut heard[160..240], 999, false).abs_diff(61) <= 1);
        assert!((speech.position() - (160 + 80 + 61)).abs() <= 1);
        speech.play(&mut heard[240..320]);
        let before = speech.position();
        assert!(speech.lengthen(&mut heard[320..400], 999, false).abs_diff(61) <= 1);
        assert!((before + 80 - speech.position() - 61).abs() <= 1);
        speech.play(&mut heard[400..]);
        // The steepest slope of the tone: 8000 * 2 pi / 61 = 824 a sample.
        assert!(heard.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 900));
    }

    #[test]
    fn noise_is_not_stepped_in_unless_forced() {
        let mut rng = sidetone_hal::rng::Rng::from_u64(4);
        let mut speech = Speech::new(8000);
        speech.begin(0);
        speech.append(800, true, |out| {
            out.iter_mut().for_each(|sample| *sample = rng.next_u32() as i16);
            (800, 0)
        });
        let mut out = [0; 80];
        speech.play(&mut [0; 160]);
        assert_eq!((speech.shorten(&mut out, 999, false), speech.lengthen(&mut out, 999, false)), (0, 0));
        assert_eq!(speech.position(), 160);
        assert!(speech.shorten(&mut out, 999, true) >= 40);
        assert!(speech.position() >= 280);
    }

    #[test]
    fn memory_stays_what_it_was() {
        let mut speech = Speech::new(8000);
        let capacity = speech.samples.capacity();
        speech.begin(0);
        for _ in 0..200 {
            tone(&mut speech, 160);
            speech.play(&mut [0; 80]);
            speech.play(&mut [0; 80]);
        }
        assert_eq!((speech.samples.capacity(), speech.position()), (capacity, 32_000));
        speech.append(100, true, |_| (100, 30));
        assert_eq!(speech.end(), 32_070);
        speech.append(100, false, |_| (100, 0));
        assert_eq!((speech.end(), speech.position()), (32_070, 31_900));
    }
}
