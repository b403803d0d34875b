//! From background noise to silence descriptors.

use super::{ORDER, Sid, spec_of};
use crate::{CodecError, CodecSpec, Encoded};

/// A change of this many dB is worth a new descriptor ...
const LEVEL_STEP: f32 = 2.0;
/// ... and so is a prediction error that grows by this factor (1 dB) with the spectrum that was sent.
const SPECTRUM_STEP: f32 = 1.26;
/// Two descriptors are at least this far apart, in milliseconds ...
const LEAST_GAP: u32 = 100;
/// ... and at most this far, so that a listener who lost one is not left with old noise.
const MOST_GAP: u32 = 2000;
/// Time constant of the averages in milliseconds: fast at the start of a pause, slow later.
const FAST: f32 = 40.0;
const SLOW: f32 = 250.0;
/// Noise below this power is digital silence; it also keeps the recursion sound.
const LEAST_POWER: f32 = 0.01;

/// Listens to background noise and says when the other side should hear of a change.
#[derive(Clone, Debug)]
pub struct Analyser {
    sample_rate: u32,
    /// Averaged autocorrelation, per sample.
    correlation: [f32; ORDER + 1],
    /// Milliseconds in the average so far.
    heard: f32,
    /// What was sent last, and how long ago; nothing since the last speech.
    sent: Option<(Sent, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    level: f32,
    reflection: [f32; ORDER],
}

impl Analyser {
    /// An analyser for frames at 8000 or 16 000 Hz.
    #[must_use]
    pub const fn new(sample_rate: u32) -> Self {
        Self { sample_rate, correlation: [0.0; ORDER + 1], heard: 0.0, sent: None }
    }

    /// There was speech: the next noise is new to the other side.
    pub const fn speech(&mut self) {
        self.heard = 0.0;
        self.sent = None;
    }

    /// Listens to a frame of noise (10 ms or longer). Gives a descriptor if it is the first since speech, if level
    /// or spectrum have changed, or if the last is two seconds old.
    pub fn noise(&mut self, frame: &[i16]) -> Option<Sid> {
        let millis = frame.len() as u32 * 1000 / self.sample_rate.max(1);
        self.average(frame, millis as f32);
        let since = self.sent.map(|(_, since)| since.saturating_add(millis));
        if since.is_some_and(|since| since < LEAST_GAP) {
            self.sent = self.sent.map(|(sent, since)| (sent, since + millis));
            return None;
        }
        let reflection = reflection(&self.correlation);
        let level = level(self.correlation[0]);
        let due = match self.sent {
            None => true,
            Some((sent, since)) => since + millis >= MOST_GAP || self.changed(&sent, level, &reflection),
        };
        if !due {
            self.sent = self.sent.map(|(sent, since)| (sent, since + millis));
            return None;
        }
        self.sent = Some((Sent { level, reflection }, 0));
        Some(Sid::new(level, &reflection))
    }

    fn average(&mut self, frame: &[i16], millis: f32) {
        let fresh = autocorrelation(frame);
        self.heard += millis;
        let constant = (self.heard / 2.0).clamp(FAST.min(self.heard), SLOW);
        let part = (millis / constant).min(1.0);
        for (mean, fresh) in self.correlation.iter_mut().zip(fresh) {
            *mean += part * (fresh - *mean);
        }
    }

    fn changed(&self, sent: &Sent, level: f32, reflection: &[f32; ORDER]) -> bool {
        let best = prediction_error(&self.correlation, reflection);
        let with_sent = prediction_error(&self.correlation, &sent.reflection);
        (level - sent.level).abs() >= LEVEL_STEP || with_sent > SPECTRUM_STEP * best
    }
}

impl crate::Encoder for Analyser {
    fn spec(&self) -> &'static CodecSpec {
        spec_of(self.sample_rate)
    }

    /// One frame of noise; a descriptor, or nothing to send.
    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
        let frame = self.spec().frame_samples;
        let Some(noise) = pcm.get(..frame).filter(|_| pcm.len().is_multiple_of(frame)) else {
            return Err(CodecError::PartialFrame { frame, got: pcm.len() });
        };
        if out.len() < super::MOST_OCTETS {
            return Err(CodecError::OutputTooShort { needed: super::MOST_OCTETS, got: out.len() });
        }
        let octets = self.noise(noise).map_or(Ok(0), |sid| sid.write(out))?;
        Ok(Encoded { octets, samples: frame })
    }

    fn reset(&mut self) {
        *self = Self::new(self.sample_rate);
    }
}

/// Level in -dBov of this power.
fn level(power: f32) -> f32 {
    -10.0 * libm::log10f(power.max(LEAST_POWER) / (32_767.0 * 32_767.0))
}

fn autocorrelation(frame: &[i16]) -> [f32; ORDER + 1] {
    let mut sums = [0.0; ORDER + 1];
    let samples = frame.len().max(1) as f32;
    for (lag, sum) in sums.iter_mut().enumerate() {
        let ahead = frame.get(lag..).unwrap_or_default();
        // Exact in integers: at most 2^30 a product.
        let products: i64 =
            ahead.iter().zip(frame).map(|(&a, &b)| i64::from(i32::from(a) * i32::from(b))).sum();
        *sum = products as f32 / samples;
    }
    sums
}

/// Levinson-Durbin, with a white floor 40 dB below the noise.
fn reflection(correlation: &[f32; ORDER + 1]) -> [f32; ORDER] {
    let mut reflection = [0.0; ORDER];
    let mut predictor = [0.0_f32; ORDER];
    let mut error = correlation[0] * 1.0001 + LEAST_POWER;
    for order in 0..ORDER {
        let ahead: f32 = (0..order).map(|tap| predictor[tap] * correlation[order - tap]).sum();
        let k = (-(correlation[order + 1] + ahead) / error).clamp(-0.98, 0.98);
        let before = predictor;
        for tap in 0..order {
            predictor[tap] += k * before[order - 1 - tap];
        }
        predictor[order] = k;
        reflection[order] = k;
        error *= 1.0 - k * k;
    }
    reflection
}

/// What is left of noise with this correlation behind the whitening filter of these coefficients.
fn prediction_error(correlation: &[f32; ORDER + 1], reflection: &[f32; ORDER]) -> f32 {
    let mut filter = [0.0; ORDER + 1];
    filter[0] = 1.0;
    for (order, &k) in reflection.iter().enumerate() {
        let before = filter;
        for tap in 1..=order + 1 {
            filter[tap] += k * before[order + 1 - tap];
        }
    }
    let mut error = LEAST_POWER;
    for (i, a) in filter.iter().enumerate() {
        for (j, b) in filter.iter().enumerate() {
            error += a * b * correlation[i.abs_diff(j)];
        }
    }
    error
}
