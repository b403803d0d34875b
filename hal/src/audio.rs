//! Sound in and out: the device's clock asks for the next 10 ms, nothing is pushed at it.
//!
//! An [`AudioPort`] is a device (or a browser, or a pair of WAV files); an [`AudioHandler`] is what stands
//! behind it (a media stream, a tone, a mixer). [`run_frame`] moves one frame between the two. Samples are
//! 16-bit, one channel, native byte order.

use crate::time::{Duration, Instant};

/// The time that one frame covers. Packet times and codec frames are whole multiples of it, or are cut from it.
pub const FRAME: Duration = Duration::from_millis(10);

/// How a port samples: mono 16-bit at this rate.
///
/// ```
/// use sidetone_hal::audio::AudioFormat;
/// assert_eq!(AudioFormat::NARROWBAND.samples_per_frame(), 80);
/// assert_eq!(AudioFormat::new(44_100), Some(AudioFormat { sample_rate: 44_100 }));
/// assert_eq!(AudioFormat::new(11_025), None); // 110.25 samples in 10 ms
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// Samples a second, a multiple of 100.
    pub sample_rate: u32,
}

impl AudioFormat {
    /// 8 kHz, the rate of G.711.
    pub const NARROWBAND: Self = Self { sample_rate: 8_000 };
    /// 16 kHz, the rate of G.722.
    pub const WIDEBAND: Self = Self { sample_rate: 16_000 };
    /// 48 kHz, the rate of Opus and of most sound cards and browsers.
    pub const FULLBAND: Self = Self { sample_rate: 48_000 };

    /// The format with `sample_rate` samples a second, if [`FRAME`] is a whole number of them (1 at least).
    #[must_use]
    pub const fn new(sample_rate: u32) -> Option<Self> {
        if sample_rate == 0 || !sample_rate.is_multiple_of(100) { None } else { Some(Self { sample_rate }) }
    }

    /// Samples in one [`FRAME`].
    #[must_use]
    pub const fn samples_per_frame(self) -> usize {
        (self.sample_rate / 100) as usize
    }
}

/// Where the person hears and speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioPath {
    /// The handset on its cord.
    Handset,
    /// A headset at its own socket.
    Headset,
    /// Loudspeaker and the microphone in the body (hands-free).
    Speaker,
}

/// A sound device that is read and written one [`FRAME`] at a time.
///
/// Both calls return at once: what the device has not captured yet is silence, and what it cannot take is
/// dropped and counted by the device. `captured` and `playout` hold exactly
/// [`AudioFormat::samples_per_frame`] samples.
pub trait AudioPort: Send {
    /// The rate at which this port is read and written; it does not change during the port's life.
    fn format(&self) -> AudioFormat;

    /// Fills `captured` with the next frame of the microphone.
    fn read(&mut self, captured: &mut [i16]);

    /// Takes the next frame for the ear.
    fn write(&mut self, playout: &[i16]);
}

/// What a device calls for every [`FRAME`].
pub trait AudioHandler: Send {
    /// Takes what the microphone captured and fills `playout`, which comes in silent, for the ear. Both
    /// slices have the same length.
    fn process(&mut self, now: Instant, captured: &[i16], playout: &mut [i16]);
}

impl<P: AudioPort + ?Sized> AudioPort for alloc::boxed::Box<P> {
    fn format(&self) -> AudioFormat {
        (**self).format()
    }

    fn read(&mut self, captured: &mut [i16]) {
        (**self).read(captured);
    }

    fn write(&mut self, playout: &[i16]) {
        (**self).write(playout);
    }
}

/// Moves one frame: reads `port`, lets `handler` process, writes `port`.
///
/// `scratch` is two frames long, so that the caller allocates once; a shorter one moves fewer samples.
///
/// ```
/// use sidetone_hal::audio::{AudioFormat, AudioHandler, AudioPort, run_frame};
/// use sidetone_hal::time::Instant;
///
/// struct Echo;
/// impl AudioHandler for Echo {
///     fn process(&mut self, _now: Instant, captured: &[i16], playout: &mut [i16]) {
///         playout.copy_from_slice(captured);
///     }
/// }
/// struct Wire { heard: Vec<i16> }
/// impl AudioPort for Wire {
///     fn format(&self) -> AudioFormat { AudioFormat::NARROWBAND }
///     fn read(&mut self, captured: &mut [i16]) { captured.fill(7) }
///     fn write(&mut self, playout: &[i16]) { self.heard.extend_from_slice(playout) }
/// }
///
/// let mut wire = Wire { heard: Vec::new() };
/// run_frame(&mut wire, &mut Echo, Instant::ZERO, &mut [0; 160]);
/// assert_eq!(wire.heard, [7; 80]);
/// ```
pub fn run_frame<P, H>(port: &mut P, handler: &mut H, now: Instant, scratch: &mut [i16])
where
    P: AudioPort + ?Sized,
    H: AudioHandler + ?Sized,
{
    let samples = port.format().samples_per_frame().min(scratch.len() / 2);
    let (captured, rest) = scratch.split_at_mut(samples);
    let (playout, _) = rest.split_at_mut(samples);
    port.read(captured);
    playout.fill(0);
    handler.process(now, captured, playout);
    port.write(playout);
}
