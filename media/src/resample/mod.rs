//! Changing the sample rate: between the rates of codecs and sound cards, and between two clocks that should be the
//! same and are not.
//!
//! - [`Resampler`]: one fixed ratio, as 48 000 to 16 000. A polyphase FIR filter of our own: at these few ratios it is
//!   one sum of products for a sample, and delays by half its length and no block. `benches/benches/media_resample.rs`
//!   measures it beside libspeexdsp and libsoxr.
//! - [`Drift`] and [`DriftControl`]: one rate by name, two quartzes in fact, apart by some hundred parts in a million.
//!
//! Both stream: any number of samples goes in and out at a time, and nothing allocates after `new`.

mod drift;
mod filter;
mod ratio;

pub use drift::{Drift, DriftControl, MAX_DRIFT_PPM, Progress};
pub use ratio::{RateError, Resampler};

/// The rates that speech is sampled at here: the codecs', the sound cards' and the files'.
pub const RATES: [u32; 4] = [8000, 16_000, 32_000, 48_000];

/// The lowest and the highest rate that [`Resampler`] takes, in samples a second.
pub const RATE_RANGE: (u32, u32) = (4000, 192_000);

/// Whether a stream can have this rate at its PCM side: 10 ms are a whole number of samples, and the rate is in
/// [`RATE_RANGE`].
#[must_use]
pub const fn is_pcm_rate(rate: u32) -> bool {
    rate >= 8000 && rate <= RATE_RANGE.1 && rate.is_multiple_of(100)
}
