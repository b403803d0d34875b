//! Discontinuous transmission, the encoder's side (B.4.1): when a silence descriptor is due, and what it says.

use super::bits::Sid;
use super::lpc::{Autocorrelation, Levinson, coefficient_correlation, sum_of_correlations};
use super::lsf_quantizer::History;
use super::{Lpc, Lsp, ORDER, lsp, sid};
use crate::fixed::{
    abs_s, add, deposit_l, l_add, l_mac, l_mult, l_shl, l_shr, l_sub, mult_r, negate, shr, sub,
};

type Correlation = [i16; ORDER + 1];

/// Exponent of a correlation that is not there yet.
const NONE: i16 = 40;
/// Least distance between descriptors, in frames.
const SPACING: i16 = 3;

/// What a frame of noise becomes.
pub(super) struct NoiseFrame {
    /// A descriptor to send, or nothing.
    pub(super) sid: Option<Sid>,
    /// The spectrum and gain that the decoder will use.
    pub(super) lsp: Lsp,
    pub(super) gain: i16,
}

#[derive(Clone)]
pub(super) struct Dtx {
    /// The last two frames, newest first.
    correlations: [Correlation; 2],
    exponents: [i16; 2],
    odd_frame: bool,
    /// Sums of two frames, the last three of them.
    sums: [Correlation; 3],
    sum_exponents: [i16; 3],
    /// Energies of the prediction error, newest first, with their exponents.
    energies: [(i16, i16); 2],
    energy_count: u8,
    /// The filter of the last descriptor, as the correlation of its coefficients.
    sent_filter: (Correlation, i16),
    sent_lsp: Lsp,
    sent_gain: i16,
    sent_energy: i16,
    gain: i16,
    changed: bool,
    since_sid: i16,
}

impl Dtx {
    pub(super) const NEW: Self = Self {
        correlations: [[0; ORDER + 1]; 2],
        exponents: [NONE; 2],
        odd_frame: false,
        sums: [[0; ORDER + 1]; 3],
        sum_exponents: [NONE; 3],
        energies: [(0, NONE); 2],
        energy_count: 0,
        sent_filter: ([0; ORDER + 1], 0),
        sent_lsp: [0; ORDER],
        sent_gain: 0,
        sent_energy: 0,
        gain: 0,
        changed: false,
        since_sid: 0,
    };

    /// Notes the autocorrelation (before the lag window) of every frame.
    pub(super) fn note(&mut self, upper: Correlation, correlation: &Autocorrelation, active: bool) {
        self.correlations = [upper, self.correlations[0]];
        self.exponents = [negate(add(16, correlation.exponent)), self.exponents[0]];
        self.odd_frame = !self.odd_frame;
        if !self.odd_frame && active {
            self.note_sum();
        }
    }

    fn note_sum(&mut self) {
        let (sum, exponent) = sum_of_correlations(&self.correlations, &self.exponents);
        self.sums = [sum, self.sums[0], self.sums[1]];
        self.sum_exponents = [exponent, self.sum_exponents[0], self.sum_exponents[1]];
    }

    /// Codes a frame without speech. `first` if the one before had speech.
    pub(super) fn code(
        &mut self,
        first: bool,
        levinson: &mut Levinson,
        history: &mut History,
        previous: &Lsp,
    ) -> NoiseFrame {
        let (current, exponent) = sum_of_correlations(&self.correlations, &self.exponents);
        let mut filter = [0; ORDER + 1];
        // An unstable filter leaves the energy at what it was.
        let mut energy = self.energies[0].0;
        if current[0] == 0 {
            energy = 0;
        } else {
            let prediction = levinson.solve(&widened(&current));
            filter = prediction.lpc;
            energy = prediction.error.unwrap_or(energy);
        }
        self.energies = [(energy, exponent), self.energies[0]];

        let (index, decibels, send) = self.decide(first, &current, energy);
        let sid = send.then(|| {
            let mut sid = self.describe(&filter, &current, energy, levinson, history, previous);
            sid.gain = index;
            self.sent_energy = decibels;
            self.sent_gain = sid::gain(index);
            sid
        });
        self.gain =
            if first { self.sent_gain } else { add(mult_r(self.gain, 28_672), mult_r(self.sent_gain, 4096)) };
        if !self.odd_frame {
            self.note_sum();
        }
        NoiseFrame { sid, lsp: self.sent_lsp, gain: self.gain }
    }

    /// Index and dB of the energy, and whether a descriptor is due (B.4.1.2).
    fn decide(&mut self, first: bool, current: &Correlation, energy: i16) -> (u8, i16, bool) {
        self.energy_count = if first { 1 } else { (self.energy_count + 1).min(2) };
        let (index, decibels) =
            sid::quantize_energies(self.energies.get(..usize::from(self.energy_count)).unwrap_or_default());
        let mut send = true;
        if !first {
            self.changed |= differs(&self.sent_filter, current, energy, 4855);
            self.changed |= sub(abs_s(sub(self.sent_energy, decibels)), 2) > 0;
            self.since_sid = add(self.since_sid, 1);
            send = self.since_sid >= SPACING && self.changed;
            self.since_sid = self.since_sid.min(SPACING);
        }
        if send {
            self.since_sid = 0;
            self.changed = false;
        }
        (index, decibels, send)
    }

    /// The spectrum of a descriptor: the long-term mean, or the present if it is too far from that.
    fn describe(
        &mut self,
        filter: &Lpc,
        current: &Correlation,
        energy: i16,
        levinson: &mut Levinson,
        history: &mut History,
        previous: &Lsp,
    ) -> Sid {
        let (past, _) = sum_of_correlations(&self.sums, &self.sum_exponents);
        let mut mean = [4096, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        if past[0] != 0 {
            mean = levinson.solve(&widened(&past)).lpc;
        }
        self.sent_filter = coefficient_correlation(&mean);
        let mut lpc = &mean;
        if differs(&self.sent_filter, current, energy, 3161) {
            self.sent_filter = coefficient_correlation(filter);
            lpc = filter;
        }
        let pairs = lsp::from_lpc(lpc, previous);
        let (sid, lsp) = sid::quantize_spectrum(history, &pairs);
        self.sent_lsp = lsp;
        sid
    }
}

fn widened(correlation: &Correlation) -> [i32; ORDER + 1] {
    correlation.map(|value| i32::from(value) << 16)
}

/// Whether a filter predicts a signal of this autocorrelation much worse than its own filter does (B.4.1.3): the
/// Itakura distance against `1 + threshold`.
fn differs(
    (filter, filter_exponent): &(Correlation, i16),
    signal: &Correlation,
    error: i16,
    threshold: i16,
) -> bool {
    let mut shifts = [0i16; 2];
    let mut next = 1;
    // The two are halved in turn until nothing saturates.
    let sum = loop {
        match scaled_distance(filter, signal, shifts) {
            Some(sum) => break sum,
            None => {
                for (which, shift) in shifts.iter_mut().enumerate() {
                    *shift += i16::from(which == next);
                }
                next = 1 - next;
            }
        }
    };
    let limit = l_add(deposit_l(mult_r(error, threshold)), deposit_l(error));
    let [left, right] = shifts;
    let exponent = sub(add(*filter_exponent, 9), add(left, right));
    l_sub(sum, l_shl(limit, exponent)) > 0
}

/// `None` if a step saturates.
fn scaled_distance(filter: &Correlation, signal: &Correlation, [left, right]: [i16; 2]) -> Option<i32> {
    let mut pairs = filter.iter().zip(signal).map(|(&a, &b)| (shr(a, left), shr(b, right)));
    let (a, b) = pairs.next()?;
    if (a, b) == (i16::MIN, i16::MIN) {
        return None;
    }
    pairs.try_fold(l_shr(l_mult(a, b), 1), |sum, (a, b)| {
        let next = l_mac(sum, a, b);
        let exact = i64::from(sum) + 2 * i64::from(a) * i64::from(b);
        (i64::from(next) == exact).then_some(next)
    })
}
