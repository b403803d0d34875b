//! Taming (§3.9, Annex A): how far an error in the excitation could have grown in the decoder, and whether the pitch
//! gain must be held down for it.
#![expect(clippy::indexing_slicing, reason = "zones lie in 0..4; lags in 20..=144")]

use super::SUBFRAME;
use super::pitch::Lag;
use super::tables::ERROR_ZONE;
use super::vector::scale;
use crate::fixed::{l_add, l_shl};

/// Error of a step of 1, Q14.
const STEP: i32 = 0x4000;
/// 60 000 steps.
const THRESHOLD: i32 = 983_040_000;

/// The worst error in the last four subframes.
#[derive(Clone)]
pub(super) struct Taming([i32; 4]);

impl Taming {
    pub(super) const NEW: Self = Self([STEP; 4]);

    /// Whether the gain at this lag must be held down.
    pub(super) fn is_needed(&self, lag: Lag) -> bool {
        let whole = lag.whole + usize::from(lag.thirds > 0);
        let newest = ERROR_ZONE[whole.saturating_sub(SUBFRAME + 10)];
        let oldest = ERROR_ZONE[(whole + 8).min(ERROR_ZONE.len() - 1)];
        self.0[usize::from(newest)..=usize::from(oldest)].iter().any(|&error| error > THRESHOLD)
    }

    /// Follows the error through the adaptive codebook of a subframe.
    pub(super) fn update(&mut self, pitch_gain: i16, lag: usize) {
        let grown = |error: i32| l_add(STEP, l_shl(scale(error, pitch_gain), 1));
        let worst = if lag < SUBFRAME {
            let once = grown(self.0[0]);
            once.max(grown(once))
        } else {
            let zones = usize::from(ERROR_ZONE[lag - SUBFRAME])..=usize::from(ERROR_ZONE[lag - 1]);
            self.0[zones].iter().map(|&error| grown(error)).fold(-1, i32::max)
        };
        let [newest, second, third, _] = self.0;
        self.0 = [worst.max(-1), newest, second, third];
    }
}
