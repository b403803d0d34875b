//! Perceptual weighting: the filter `A(z/γ1) / A(z/γ2)` makes the ear's tolerance for noise near strong formants count
//! (3GPP TS 26.090 §5.3, §5.5).

use super::super::filter::{expand_bandwidth, residual, synthesize};
use super::super::lsp::Lpc;
use super::super::{Mode, ORDER, SUBFRAME};

/// The weighting filter of a subframe: numerator and denominator.
#[derive(Clone, Copy)]
pub(super) struct Weighting {
    zeros: Lpc,
    poles: Lpc,
}

impl Weighting {
    pub(super) fn new(mode: Mode, lpc: &Lpc) -> Self {
        let zeros = if mode <= Mode::Mr795 { &POWERS_94 } else { &POWERS_90 };
        Self { zeros: expand_bandwidth(lpc, zeros), poles: expand_bandwidth(lpc, &POWERS_60) }
    }

    /// Weights a subframe of speech, which begins after ten past samples.
    pub(super) fn speech(
        &self,
        speech: &[i16; ORDER + SUBFRAME],
        memory: &mut [i16; ORDER],
    ) -> [i16; SUBFRAME] {
        let weighted = synthesize::<SUBFRAME>(&self.poles, &residual(&self.zeros, speech), memory);
        memory.copy_from_slice(&weighted[SUBFRAME - ORDER..]);
        weighted
    }

    /// What the codebooks of a subframe have to match.
    pub(super) fn target(
        &self,
        lpc: &Lpc,
        speech: &[i16; ORDER + SUBFRAME],
        error_memory: &[i16; ORDER],
        target_memory: &[i16; ORDER],
    ) -> Target {
        let mut unit = [0; SUBFRAME];
        unit[..=ORDER].copy_from_slice(&self.zeros);
        let impulse = synthesize(&self.poles, &synthesize(lpc, &unit, &[0; ORDER]), &[0; ORDER]);

        let residual_speech = residual(lpc, speech);
        let mut error = [0; ORDER + SUBFRAME];
        error[..ORDER].copy_from_slice(error_memory);
        error[ORDER..].copy_from_slice(&synthesize(lpc, &residual_speech, error_memory));
        let weighted = synthesize(&self.poles, &residual(&self.zeros, &error), target_memory);
        Target { residual: residual_speech, weighted, impulse }
    }
}

/// What the codebooks have to match in a subframe, in both domains.
#[derive(Clone)]
pub(super) struct Target {
    /// The speech's prediction residual.
    pub(super) residual: [i16; SUBFRAME],
    /// The weighted speech less what the filters' memories ring on.
    pub(super) weighted: [i16; SUBFRAME],
    /// Impulse response of synthesis and weighting together, Q12.
    pub(super) impulse: [i16; SUBFRAME],
}

/// Powers of 0.94, 0.9 and 0.6, Q15.
const POWERS_94: [i16; ORDER] = [30802, 28954, 27217, 25584, 24049, 22606, 21250, 19975, 18777, 17650];
const POWERS_90: [i16; ORDER] = [29491, 26542, 23888, 21499, 19349, 17414, 15672, 14105, 12694, 11425];
const POWERS_60: [i16; ORDER] = [19661, 11797, 7078, 4247, 2548, 1529, 917, 550, 330, 198];
