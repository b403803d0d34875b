//! How long to wait after what failed: doubled with each failure, drawn so that not all come back at once (RFC 5626 §4.5),
//! and not before the other side wants to be asked again.

use sidetone_hal::rng::Rng;
use sidetone_hal::time::Duration;
use sidetone_sip_core::Headers;
use sidetone_sip_core::header::RetryAfter;

/// The longest wait after so many failures in a row: `base`, doubled with each after the first, `max` at most.
pub(crate) fn bound(failures: u32, base: Duration, max: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    base.saturating_mul(1 << doublings).min(max)
}

/// A wait from the upper half of `bound`.
pub(crate) fn drawn(bound: Duration, rng: &mut Rng) -> Duration {
    bound.mul_f64(0.5 + 0.5 * rng.unit())
}

/// When a response wants to be asked again at the earliest (RFC 3261 §20.33), from now.
pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    let retry = headers.get::<RetryAfter>()?.ok()?;
    Some(Duration::from_secs(u64::from(retry.seconds)))
}
