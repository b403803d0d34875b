//! Noise suppression: steady background noise is lowered, speech is kept.

mod floor;
mod post;

pub(crate) use post::{EchoPart, PostFilter};

use crate::echo::processing_rate;
use crate::level::factor;
use crate::samples::{to_f32, to_i16};
use crate::spectrum::Fourier;

/// Lowers steady noise, 10 ms at a time, with a delay of 5 ms.
///
/// Each bin's noise is known from an average over what is no speech, and a Wiener filter is made of it. At 8, 16, 32
/// or 48 kHz.
#[derive(Clone, Debug)]
pub struct NoiseSuppressor {
    frame: usize,
    fourier: Fourier,
    post: PostFilter,
    near: Vec<f32>,
    out: Vec<f32>,
}

impl NoiseSuppressor {
    /// Lowers noise by up to `reduction` decibels (0 to 60; 12 is usual, 20 strong). All memory is taken here.
    #[must_use]
    pub fn new(sample_rate: u32, reduction: u8) -> Self {
        let frame = processing_rate(sample_rate) as usize / 100;
        Self {
            frame,
            fourier: Fourier::new(2 * frame),
            post: PostFilter::new(frame, factor(-f32::from(reduction.min(60)))),
            near: vec![0.0; frame],
            out: vec![0.0; frame],
        }
    }

    /// Filters a frame in place; one of another length than 10 ms is left as it is.
    pub fn process(&mut self, samples: &mut [i16]) {
        if samples.len() != self.frame {
            return;
        }
        to_f32(samples, &mut self.near);
        self.post.process(&self.near, None, &mut self.fourier, &mut self.out);
        to_i16(&self.out, samples);
    }

    /// Samples by which the signal is later.
    #[must_use]
    pub const fn delay(&self) -> usize {
        self.post.delay()
    }

    /// Forgets the noise.
    pub fn reset(&mut self) {
        self.post.reset();
    }
}
