//! The phone's sound: the browser or a sound card as handset, WAV files, and the mixer between them, the calls and the phone's
//! own tones.

mod browser;
#[cfg(feature = "sound-card")]
mod card;
mod mixer;
mod playout;
mod recorder;
mod tones;
mod wav;

pub use browser::{BrowserEnd, HandsetEnd, handset};
#[cfg(feature = "sound-card")]
pub use card::{CardError, SoundCard};
pub use mixer::{CallPort, Mixer, MixerHandle};
pub use recorder::{RecordError, RecorderFolder, RecorderTap};
use sidetone_hal::audio::AudioFormat;
pub use tones::TonePlayer;
pub use wav::{Directions, Playing, Recorder, WavError, WavPort};

/// How the phone's sound is sampled: wide band, whatever a call's codec is.
pub const FORMAT: AudioFormat = AudioFormat::WIDEBAND;
/// Samples a second.
pub const RATE: u32 = FORMAT.sample_rate;
/// Samples of one 10 ms frame.
pub const FRAME_SAMPLES: usize = FORMAT.samples_per_frame();
