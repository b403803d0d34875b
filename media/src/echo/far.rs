//! What the loudspeaker played lately, as spectra.
#![expect(clippy::indexing_slicing, reason = "lengths are set by `new` and every index is taken modulo them")]

use crate::spectrum::{Fourier, Spectrum};

/// A ring of the spectra of two frames each, with their powers; the newest first.
#[derive(Clone, Debug)]
pub(super) struct FarHistory {
    /// The frame before and the newest one.
    frames: Vec<f32>,
    spectra: Vec<Spectrum>,
    powers: Vec<Vec<f32>>,
    newest: usize,
}

impl FarHistory {
    /// Keeps `blocks` spectra of frames of `frame` samples.
    pub(super) fn new(frame: usize, blocks: usize) -> Self {
        Self {
            frames: vec![0.0; 2 * frame],
            spectra: vec![Spectrum::new(frame + 1); blocks],
            powers: vec![vec![0.0; frame + 1]; blocks],
            newest: 0,
        }
    }

    pub(super) fn push(&mut self, frame: &[f32], fourier: &mut Fourier) {
        let half = self.frames.len() / 2;
        self.frames.copy_within(half.., 0);
        self.frames[half..].copy_from_slice(frame);
        self.newest = (self.newest + self.spectra.len() - 1) % self.spectra.len();
        let spectrum = &mut self.spectra[self.newest];
        fourier.forward(&self.frames, spectrum);
        spectrum.power(&mut self.powers[self.newest]);
    }

    /// The spectrum that was pushed `age` frames ago.
    pub(super) fn spectrum(&self, age: usize) -> &Spectrum {
        &self.spectra[(self.newest + age) % self.spectra.len()]
    }

    /// The squared magnitudes of [`spectrum`](Self::spectrum).
    pub(super) fn power(&self, age: usize) -> &[f32] {
        &self.powers[(self.newest + age) % self.powers.len()]
    }

    pub(super) fn clear(&mut self) {
        self.frames.fill(0.0);
        self.spectra.iter_mut().for_each(Spectrum::clear);
        self.powers.iter_mut().for_each(|power| power.fill(0.0));
    }
}
