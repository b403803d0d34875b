//! What an echo canceller is told about the path.

use core::time::Duration;

/// How an [`AdaptiveEchoCanceller`](super::AdaptiveEchoCanceller) works.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct EchoConfig {
    /// Samples a second: 8000, 16 000, 32 000 or 48 000; another rate is taken as the nearest of these.
    pub sample_rate: u32,
    /// How long the echo of one sample lasts, from its first reflection on: 10 to 400 ms, in steps of 10 ms upwards.
    pub tail: Duration,
    /// The longest delay before the first reflection, 0 to 500 ms. It is looked for if it is not zero.
    pub max_delay: Duration,
    /// Cuts away what the filter leaves over, and puts comfort noise in its place. Delays the signal by 5 ms.
    pub suppress: bool,
    /// Decibels by which background noise is lowered in the same step, 0 for none. Needs `suppress`.
    pub noise_reduction: u8,
}

impl EchoConfig {
    /// Loudspeaker and microphone in one room: 140 ms of echo after up to 250 ms.
    #[must_use]
    pub const fn speaker(sample_rate: u32) -> Self {
        Self::new(sample_rate, 140, 250, true)
    }

    /// A handset or a headset, where sound goes through its body and cord: 20 ms of echo after up to 250 ms, as the
    /// buffers of the sound card are the same.
    #[must_use]
    pub const fn handset(sample_rate: u32) -> Self {
        Self::new(sample_rate, 20, 250, true)
    }

    /// The hybrid of an analogue line: 32 ms (and what rounds it to frames) at a known place; with nothing cut away it
    /// delays nothing.
    #[must_use]
    pub const fn line(sample_rate: u32) -> Self {
        Self::new(sample_rate, 40, 0, false)
    }

    const fn new(sample_rate: u32, tail: u64, max_delay: u64, suppress: bool) -> Self {
        Self {
            sample_rate,
            tail: Duration::from_millis(tail),
            max_delay: Duration::from_millis(max_delay),
            suppress,
            noise_reduction: 0,
        }
    }
}

/// The rate nearest to `sample_rate` that frames are processed at.
pub(crate) const fn processing_rate(sample_rate: u32) -> u32 {
    match sample_rate {
        0..12_000 => 8000,
        12_000..24_000 => 16_000,
        24_000..40_000 => 32_000,
        _ => 48_000,
    }
}
