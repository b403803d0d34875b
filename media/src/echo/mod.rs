//! Echo cancellation: what the loudspeaker plays is taken out of what the microphone hears.
//!
//! [`EchoCanceller`] is what the send side calls every 10 ms; [`AdaptiveEchoCanceller`] is ours, for the loudspeaker,
//! for handset and headset, and for the hybrid of an analogue line: they differ in the length of the path and in how much
//! is not known of it ([`EchoConfig`]).
//!
//! A partitioned Kalman filter in the frequency domain models the path; a shorter one that learns faster watches it and
//! takes over when the path changes; a coarse one finds the delay between playing and capturing; and what is left is cut
//! away bin by bin, with comfort noise in its place. Measured on `../shared/vectors/echo` by
//! `cargo run -p sidetone-media --release --example erle -- <folder>`; the ports of WebRTC's AEC3 with the same measures:
//!
//! | | ERLE from 3 s on | in the first and the second second after a change | double talk: near end over the rest, its loss | delay |
//! | --- | --- | --- | --- | --- |
//! | loudspeaker | 35.4 dB | 15.6, 24.9 dB | 29.3 dB, 0.04 dB | 5 ms |
//! | `aec3` 0.4 | 35.5 dB | 24.3, 36.8 dB | 7.7 dB, 2.3 dB | 8 ms |
//! | `sonora` 0.2 | 35.9 dB | 24.4, 37.2 dB | 7.6 dB, 2.3 dB | 8 ms |
//!
//! Ours keeps the near end, and lets more echo through for a few hundredths of a second after a change.
//!
//! Of 10 ms at 16 kHz the canceller of a loudspeaker takes 25 us of an x86-64 core, that of a handset 12 us (and 19 us of
//! each third frame, in which it looks for the delay), and that of a line 10 us.

mod adaptive;
mod config;
mod delay;
mod far;
mod filter;

pub use adaptive::AdaptiveEchoCanceller;
pub use config::EchoConfig;
pub(crate) use config::processing_rate;

/// Takes an echo out of a signal, 10 ms at a time.
pub trait EchoCanceller: Send {
    /// Takes the echo of `far` out of `near`. `far` is the frame that was given to the loudspeaker last, before `near`
    /// was captured: an echo may be late, but never early. All three are one frame (10 ms) long; of other lengths `near`
    /// is passed on as it is.
    fn process(&mut self, far: &[i16], near: &[i16], out: &mut [i16]);

    /// Samples by which `out` is later than `near`.
    fn delay(&self) -> usize;

    /// Forgets everything: another room, another line.
    fn reset(&mut self);
}
