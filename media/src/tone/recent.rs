//! The latest stretch of a signal, moving on by steps: what detectors look at.

/// Samples of several steps; the last step fills up.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    samples: Vec<f32>,
    step: usize,
    filled: usize,
}

impl Recent {
    /// Silence of `steps` steps of `step` samples.
    pub(crate) fn new(step: usize, steps: usize) -> Self {
        Self { samples: vec![0.0; step * steps], step, filled: 0 }
    }

    /// Takes samples off the front of `pcm` until a step is full, and says whether one is; then [`Self::move_on`] is due.
    pub(crate) fn take(&mut self, pcm: &mut &[i16]) -> bool {
        let room = self.samples.len() - self.step + self.filled;
        let room = self.samples.get_mut(room..).unwrap_or_default();
        let (now, later) = pcm.split_at(room.len().min(pcm.len()));
        for (slot, sample) in room.iter_mut().zip(now) {
            *slot = f32::from(*sample);
        }
        *pcm = later;
        self.filled += now.len();
        self.filled == self.step
    }

    /// Makes room for the next step.
    pub(crate) fn move_on(&mut self) {
        self.samples.copy_within(self.step.., 0);
        self.filled = 0;
    }

    /// All of it from this step on, the oldest is 0.
    pub(crate) fn since_step(&self, step: usize) -> &[f32] {
        self.samples.get(self.step * step..).unwrap_or_default()
    }

    /// Samples of a step.
    pub(crate) const fn step(&self) -> usize {
        self.step
    }

    /// Silence again.
    pub(crate) fn clear(&mut self) {
        self.samples.fill(0.0);
        self.filled = 0;
    }
}

/// The first of a few events, and the others move up.
pub(crate) fn next_event<T>(events: &mut [Option<T>]) -> Option<T> {
    let first = events.first_mut()?.take();
    events.rotate_left(1);
    first
}
