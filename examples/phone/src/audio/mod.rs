//! The phone's sound: the browser as handset, WAV files, and the mixer between them, the calls and the phone's own tones.

mod browser;
mod mixer;
mod playout;
mod tones;
mod wav;

pub use browser::{BrowserEnd, HandsetEnd, handset};
pub use mixer::{CallPort, Mixer, MixerHandle};
pub use tones::TonePlayer;
pub use wav::{Playing, Recorder, WavError, WavPort};

/// Samples of one 10 ms frame at 8 kHz.
pub const FRAME_SAMPLES: usize = 80;
