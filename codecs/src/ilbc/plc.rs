//! Packet loss concealment (RFC 3951 §4.5): the last pitch cycles again, mixed with noise made of the same
//! residual, through the last filter.
#![expect(clippy::indexing_slicing, reason = "lags are limited to the frame before they index it")]

use super::residual::MOST_SAMPLES;

/// Samples at the end of the last frame that are compared for the pitch.
const COMPARED: usize = 60;
/// Samples of loss in a row after which the level goes down.
const FADE_AFTER: u32 = 320;
/// Samples of loss in a row after which silence comes.
const MUTE_AFTER: u32 = 1280;
/// Squared level under which noise alone is used.
const QUIET: f32 = 900.0;

/// What goes from frame to frame.
#[derive(Clone, Debug)]
pub(super) struct State {
    seed: u32,
    /// Samples concealed in a row.
    lost: u32,
    lag: u32,
    /// How periodic the last good frame was, 0 to 1.
    periodicity: f32,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { seed: 777, lost: 0, lag: 120, periodicity: 0.0 }
    }

    /// Whether the last frame was concealed.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost > 0
    }

    /// A frame came.
    pub(super) const fn received(&mut self) {
        self.lost = 0;
    }

    /// The residual of a frame that did not come, as long as the one before it. `lag` is about its pitch.
    pub(super) fn conceal(&mut self, last: &[f32], lag: u32) -> [f32; MOST_SAMPLES] {
        if !self.is_lost() {
            (self.lag, self.periodicity) = find_lag(last, lag);
        }
        self.lost = self.lost.saturating_add(last.len() as u32);
        let level = if self.lost > FADE_AFTER { 0.9 } else { 1.0 };
        let periodic = match libm::sqrtf(self.periodicity) {
            much if much > 0.7 => 1.0,
            some if some > 0.4 => (some - 0.4) / (0.7 - 0.4),
            _ => 0.0,
        };
        // The lag of a frame with a pitch doubled by the enhancer can be longer than the frame.
        let mut lag = if self.lag < 80 { 2 * self.lag } else { self.lag } as usize;
        while lag > last.len() {
            lag /= 2;
        }

        // The last frame goes on in both.
        let mut noise = [0.0; 2 * MOST_SAMPLES];
        let mut residual = [0.0; 2 * MOST_SAMPLES];
        let past = last.len();
        noise[..past].copy_from_slice(last);
        residual[..past].copy_from_slice(last);
        let mut energy = 0.0;
        for i in past..2 * past {
            noise[i] = noise[i - self.random_lag()];
            let part = match i - past {
                0..80 => level,
                80..160 => 0.95 * level,
                _ => 0.9 * level,
            };
            residual[i] = part * (periodic * residual[i - lag] + (1.0 - periodic) * noise[i]);
            energy += residual[i] * residual[i];
        }
        let source = if energy / (past as f32) < QUIET { &noise } else { &residual };
        let mut out = [0.0; MOST_SAMPLES];
        out[..past].copy_from_slice(&source[past..2 * past]);
        // The RFC means to fade to silence here, but its code never gets there.
        if self.lost > MUTE_AFTER {
            out.iter_mut().for_each(|sample| *sample *= 0.5);
        }
        out
    }

    fn random_lag(&mut self) -> usize {
        self.seed = self.seed.wrapping_mul(69_069).wrapping_add(1) & 0x7fff_ffff;
        50 + (self.seed % 70) as usize
    }
}

/// The lag near `about` at which the end of the last frame repeats itself best, and how well it does.
fn find_lag(last: &[f32], about: u32) -> (u32, f32) {
    let mut best = (0, 0.0);
    let mut most = 0.0;
    for lag in about.saturating_sub(3)..=about + 3 {
        let (likeness, periodicity) = compare(last, lag as usize);
        if best.0 == 0 || likeness > most {
            (best, most) = ((lag, periodicity), likeness);
        }
    }
    best
}

/// Squared correlation over energy, and the correlation coefficient, of the end of `last` with itself `lag`
/// samples earlier.
fn compare(last: &[f32], lag: usize) -> (f32, f32) {
    let compared = COMPARED.min(last.len().saturating_sub(lag));
    let now = &last[last.len() - compared..];
    let before = &last[last.len().saturating_sub(compared + lag)..];
    let (mut both, mut earlier, mut later) = (0.0, 0.0, 0.0);
    for (now, before) in now.iter().zip(before) {
        both += now * before;
        earlier += before * before;
        later += now * now;
    }
    if earlier > 0.0 && later > 0.0 {
        let both: f32 = both;
        (both * both / earlier, both.abs() / (libm::sqrtf(earlier) * libm::sqrtf(later)))
    } else {
        (0.0, 0.0)
    }
}
