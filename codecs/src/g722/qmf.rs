//! The quadrature mirror filter: one signal at 16 kHz, two bands at 8 kHz (clauses 3.1 and 4.4 of G.722).
//!
//! The magnitudes of the doubled taps add up to 25 928 with both phases, so a sum is below 2³⁰ and nothing
//! saturates before the end, except where the standard says so.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the block")]

use super::tables::QMF;

/// Samples of each band that are filtered at a time: 10 ms.
pub(super) const BLOCK: usize = 80;

/// Taps of each of the two phases.
const PHASE: usize = QMF.len() / 2;
/// What has to be remembered of one phase.
const PAST: usize = PHASE - 1;

/// Splits the signal: the encoder's half. 44 octets.
#[derive(Clone, Debug)]
pub(super) struct Analysis {
    earlier: [i16; PAST],
    later: [i16; PAST],
}

impl Analysis {
    pub(super) const fn new() -> Self {
        Self { earlier: [0; PAST], later: [0; PAST] }
    }

    /// Splits pairs of samples, [`BLOCK`] at most, into the lower and the upper band.
    #[inline(never)]
    pub(super) fn split(&mut self, pcm: &[i16], lower: &mut [i16; BLOCK], upper: &mut [i16; BLOCK]) {
        let count = pcm.len() / 2;
        let (mut earlier, mut later) = ([0; PAST + BLOCK], [0; PAST + BLOCK]);
        earlier[..PAST].copy_from_slice(&self.earlier);
        later[..PAST].copy_from_slice(&self.later);
        for (n, pair) in pcm.chunks_exact(2).take(BLOCK).enumerate() {
            earlier[PAST + n] = pair[0];
            later[PAST + n] = pair[1];
        }
        for n in 0..count.min(BLOCK) {
            let Some(window) = later[n..].first_chunk() else { break };
            let even = dot(window, &EVEN);
            let Some(window) = earlier[n..].first_chunk() else { break };
            let odd = dot(window, &ODD);
            lower[n] = limit((even + odd) >> 15);
            upper[n] = limit((even - odd) >> 15);
        }
        self.earlier.copy_from_slice(&earlier[count..][..PAST]);
        self.later.copy_from_slice(&later[count..][..PAST]);
    }
}

/// The two phases of the filter.
const EVEN: [i16; PHASE] = phase(0);
const ODD: [i16; PHASE] = phase(1);

/// Every second tap from `first`, the last one at the oldest sample.
const fn phase(first: usize) -> [i16; PHASE] {
    let mut taps = [0; PHASE];
    let mut i = 0;
    while i < PHASE {
        taps[PHASE - 1 - i] = QMF[2 * i + first];
        i += 1;
    }
    taps
}

#[inline(always)]
fn dot(window: &[i16; PHASE], taps: &[i16; PHASE]) -> i32 {
    window.iter().zip(taps).map(|(&sample, &tap)| i32::from(sample) * i32::from(tap)).sum()
}

/// LIMIT of clause 6.2.1.6: 15 bits.
#[inline(always)]
fn limit(value: i32) -> i16 {
    value.clamp(-16_384, 16_383) as i16
}

/// Joins the bands: the decoder's half. 44 octets.
#[derive(Clone, Debug)]
pub(super) struct Synthesis {
    differences: [i16; PAST],
    sums: [i16; PAST],
}

impl Synthesis {
    pub(super) const fn new() -> Self {
        Self { differences: [0; PAST], sums: [0; PAST] }
    }

    /// Joins as many samples of both bands as `pcm` has pairs, [`BLOCK`] at most.
    #[inline(never)]
    pub(super) fn join(&mut self, lower: &[i16; BLOCK], upper: &[i16; BLOCK], pcm: &mut [i16]) {
        let count = pcm.len() / 2;
        let (mut differences, mut sums) = ([0; PAST + BLOCK], [0; PAST + BLOCK]);
        differences[..PAST].copy_from_slice(&self.differences);
        sums[..PAST].copy_from_slice(&self.sums);
        for n in 0..BLOCK {
            // Decoded bands fit without saturation; invented ones need not.
            differences[PAST + n] = lower[n].saturating_sub(upper[n]);
            sums[PAST + n] = lower[n].saturating_add(upper[n]);
        }
        for (n, pair) in pcm.chunks_exact_mut(2).take(BLOCK).enumerate() {
            let Some(window) = differences[n..].first_chunk() else { break };
            pair[0] = saturate(dot(window, &EVEN) >> 12);
            let Some(window) = sums[n..].first_chunk() else { break };
            pair[1] = saturate(dot(window, &ODD) >> 12);
        }
        self.differences.copy_from_slice(&differences[count..][..PAST]);
        self.sums.copy_from_slice(&sums[count..][..PAST]);
    }
}

#[inline(always)]
fn saturate(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}
