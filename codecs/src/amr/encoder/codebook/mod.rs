//! The fixed codebook (3GPP TS 26.090 §5.7): a few pulses of ±1 on interleaved tracks, found by how well they match the
//! target once filtered.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the subframe")]

mod correlation;
mod few;
mod layout;
mod many;

use super::super::frame::PARAMETERS;
use super::super::{Mode, SUBFRAME};
use super::operators::mac;
use crate::fixed::{add, mult, round};
pub(super) use correlation::Energies;

/// An innovation: the code vector itself (Q13, in mode 12.2 Q12), and filtered.
pub(super) struct Innovation {
    pub(super) code: [i16; SUBFRAME],
    pub(super) filtered: [i16; SUBFRAME],
}

/// What a subframe asks of the codebook.
pub(super) struct Request<'a> {
    pub(super) mode: Mode,
    pub(super) subframe: usize,
    /// The target without the pitch's part, weighted and as residual.
    pub(super) target: &'a [i16; SUBFRAME],
    pub(super) residual: &'a [i16; SUBFRAME],
    /// Impulse response of the weighted synthesis filter.
    pub(super) impulse: &'a [i16; SUBFRAME],
    /// Whole pitch lag, and the gain with which the codebook repeats itself at it, Q15.
    pub(super) lag: usize,
    pub(super) sharpening: i16,
}

/// Parameters in the order in which they are coded.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    pub(super) values: [i16; PARAMETERS],
    count: usize,
}

impl Parameters {
    pub(super) const fn new() -> Self {
        Self { values: [0; PARAMETERS], count: 0 }
    }

    /// Appends a parameter; returns its place.
    pub(super) fn push(&mut self, value: i16) -> usize {
        let place = self.count.min(PARAMETERS - 1);
        self.values[place] = value;
        self.count += 1;
        place
    }

    pub(super) fn extend<const N: usize>(&mut self, values: [i16; N]) {
        for value in values {
            self.push(value);
        }
    }
}

impl Request<'_> {
    /// Finds the innovation and codes it. `energies` is only room to work in, to save filling it with zeros.
    pub(super) fn search(&self, energies: &mut Energies, parameters: &mut Parameters) -> Innovation {
        let mut impulse = *self.impulse;
        self.repeat(&mut impulse);
        let (mut code, filtered) = match self.mode {
            Mode::Mr475 | Mode::Mr515 => few::two_pulses_9_bits(self, &impulse, energies, parameters),
            Mode::Mr590 => few::two_pulses_11_bits(self, &impulse, energies, parameters),
            Mode::Mr670 => few::three_pulses(self, &impulse, energies, parameters),
            Mode::Mr740 | Mode::Mr795 => few::four_pulses(self, &impulse, energies, parameters),
            Mode::Mr1020 => many::eight_pulses(self, &impulse, energies, parameters),
            Mode::Mr1220 => many::ten_pulses(self, &impulse, energies, parameters),
        };
        self.repeat(&mut code);
        Innovation { code, filtered }
    }

    /// Repeats the start of a vector at the pitch lag, if that is short.
    fn repeat(&self, vector: &mut [i16; SUBFRAME]) {
        for i in self.lag..SUBFRAME {
            vector[i] = add(vector[i], mult(vector[i - self.lag], self.sharpening));
        }
    }
}

/// The response to pulses at these places, each +1 or -1 (Q15, where +1 is a little less).
fn respond<const PULSES: usize>(
    impulse: &[i16; SUBFRAME],
    pulses: &[(usize, i16); PULSES],
) -> [i16; SUBFRAME] {
    let mut padded = [0i16; 2 * SUBFRAME];
    padded[SUBFRAME..].copy_from_slice(impulse);
    let mut response = [0; SUBFRAME];
    for (n, out) in response.iter_mut().enumerate() {
        *out =
            round(pulses.iter().fold(0, |sum, (place, sign)| mac(sum, padded[SUBFRAME + n - place], *sign)));
    }
    response
}
