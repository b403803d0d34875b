//! From silence descriptors to noise.

use super::{ORDER, Sid, spec_of};
use crate::{CodecError, CodecSpec};

/// Level and spectrum move to those of a new descriptor by this part in each 5 ms, most of the way in 40 ms.
const PART: f32 = 0.15;
/// Peak of the excitation relative to its root mean square, for the sum of two uniform numbers.
const PEAK: f32 = 2.449_489_7;

/// Makes noise.
#[derive(Clone, Debug)]
pub struct Generator {
    sample_rate: u32,
    seed: u32,
    random: u32,
    /// What the last descriptor asks for.
    wanted: Option<Shape>,
    /// What is heard now.
    shape: Shape,
    /// Backward residuals of the lattice.
    lattice: [f32; ORDER],
    /// Samples of this 5 ms step that are still to come.
    left: usize,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    rms: f32,
    reflection: [f32; ORDER],
}

impl Generator {
    /// A generator at 8000 or 16 000 Hz that is silent until it gets a descriptor.
    #[must_use]
    pub const fn new(sample_rate: u32, seed: u32) -> Self {
        Self {
            sample_rate,
            seed,
            random: seed | 1,
            wanted: None,
            shape: Shape { rms: 0.0, reflection: [0.0; ORDER] },
            lattice: [0.0; ORDER],
            left: 0,
        }
    }

    /// Takes a descriptor. The first one holds at once, later ones are reached smoothly.
    pub fn update(&mut self, sid: &Sid) {
        let shape = Shape { rms: sid.rms(), reflection: sid.reflection() };
        if self.wanted.is_none() {
            self.shape = shape;
        }
        self.wanted = Some(shape);
    }

    /// Fills `pcm`, of any length, with noise.
    pub fn generate(&mut self, pcm: &mut [i16]) {
        let mut rest = pcm;
        while !rest.is_empty() {
            if self.left == 0 {
                self.left = (self.sample_rate as usize / 200).max(1);
                self.approach();
            }
            let take = self.left.min(rest.len());
            let (now, later) = rest.split_at_mut(take);
            self.synthesize(now);
            self.left -= take;
            rest = later;
        }
    }

    fn approach(&mut self) {
        let Some(wanted) = self.wanted else { return };
        self.shape.rms += PART * (wanted.rms - self.shape.rms);
        for (k, wanted) in self.shape.reflection.iter_mut().zip(wanted.reflection) {
            *k += PART * (wanted - *k);
        }
    }

    /// The all-pole lattice; its gain from white noise is the product of 1 / (1 - k^2).
    fn synthesize(&mut self, pcm: &mut [i16]) {
        let reflection = self.shape.reflection;
        let loss: f32 = reflection.iter().map(|k| 1.0 - k * k).product();
        let gain = self.shape.rms * libm::sqrtf(loss);
        for sample in pcm {
            let mut forward = gain * self.excitation();
            for stage in (0..ORDER).rev() {
                forward -= reflection[stage] * self.lattice[stage];
                let backward = self.lattice[stage] + reflection[stage] * forward;
                if stage + 1 < ORDER {
                    self.lattice[stage + 1] = backward;
                }
            }
            self.lattice[0] = forward;
            *sample = libm::roundf(forward) as i16;
        }
    }

    /// White noise of power 1 with a triangular density.
    fn excitation(&mut self) -> f32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let (high, low) = (self.random >> 16, self.random & 0xffff);
        (high as f32 - low as f32) * (PEAK / 65_536.0)
    }
}

impl crate::Decoder for Generator {
    fn spec(&self) -> &'static CodecSpec {
        spec_of(self.sample_rate)
    }

    /// A descriptor and the first frame of its noise; without octets the noise goes on.
    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let needed = self.spec().frame_samples;
        let Some(frame) = pcm.get_mut(..needed) else {
            return Err(CodecError::OutputTooShort { needed, got: pcm.len() });
        };
        if !payload.is_empty() {
            self.update(&Sid::parse(payload)?);
        }
        self.generate(frame);
        Ok(needed)
    }

    /// The noise goes on; any length.
    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        self.generate(pcm);
        Ok(pcm.len())
    }

    /// From the first descriptor on: noise is all that there is.
    fn is_resting(&self) -> bool {
        self.wanted.is_some()
    }

    fn reset(&mut self) {
        *self = Self::new(self.sample_rate, self.seed);
    }
}
