//! The send side of a room: echo canceller, noise suppressor, gain control, volume and mute, in this order.
//!
//! ```
//! use sidetone_media::process::{AudioProcessing, AudioProcessor};
//! let mut processor = AudioProcessor::new(&AudioProcessing::speaker(), 16_000);
//! let mut captured = [0; 160];
//! processor.capture(&mut captured); // From the microphone, on its way to `Stream::capture`.
//! let playout = [0; 160];
//! processor.render(&playout); // From `Stream::playout`, on its way to the loudspeaker.
//! ```

use crate::echo::{AdaptiveEchoCanceller, EchoCanceller, EchoConfig};
use crate::gain::{AutomaticGain, GainConfig};
use crate::level::Volume;
use crate::noise::NoiseSuppressor;
use sidetone_hal::audio::AudioPath;

/// Which echo there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EchoControl {
    /// None, or somebody else takes it out.
    #[default]
    Off,
    /// That of a handset or a headset.
    Handset,
    /// That of a room, with a loudspeaker.
    Speaker,
    /// That of the hybrid of an analogue line (32 ms, as of ITU-T G.168).
    Line,
}

/// What is done to captured speech before it is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AudioProcessing {
    /// The echo that is taken out.
    pub echo: EchoControl,
    /// Decibels by which steady noise is lowered: 0 for none, 12 is usual, 60 at most.
    pub noise_reduction: u8,
    /// Brings speech to one level; none leaves it as it is.
    pub gain: Option<GainConfig>,
    /// Volume of the microphone in dB, as [`Volume::set_db`] takes it.
    pub volume_db: f32,
}

impl Default for AudioProcessing {
    /// [`AudioProcessing::OFF`].
    fn default() -> Self {
        Self::OFF
    }
}

impl AudioProcessing {
    /// Nothing is done: [`AudioProcessor`] costs nothing then.
    pub const OFF: Self = Self { echo: EchoControl::Off, noise_reduction: 0, gain: None, volume_db: 0.0 };

    /// For loudspeaker and microphone in a room: everything.
    #[must_use]
    pub fn speaker() -> Self {
        let gain = Some(GainConfig::default());
        Self { echo: EchoControl::Speaker, noise_reduction: 12, gain, volume_db: 0.0 }
    }

    /// For a handset or a headset: the light echo canceller only, since the mouth is near.
    #[must_use]
    pub const fn handset() -> Self {
        Self { echo: EchoControl::Handset, ..Self::OFF }
    }

    /// What suits a path of a telephone.
    #[must_use]
    pub fn for_path(path: AudioPath) -> Self {
        match path {
            AudioPath::Speaker => Self::speaker(),
            AudioPath::Handset | AudioPath::Headset => Self::handset(),
        }
    }
}

/// The chain. It takes its memory in [`new`](Self::new) and [`update`](Self::update), and no more while it works.
pub struct AudioProcessor {
    sample_rate: u32,
    settings: AudioProcessing,
    echo: Option<Box<dyn EchoCanceller>>,
    noise: Option<NoiseSuppressor>,
    gain: Option<AutomaticGain>,
    volume: Volume,
    /// What was played last, and whether it was taken already.
    far: Vec<i16>,
    played: bool,
    out: Vec<i16>,
}

impl core::fmt::Debug for AudioProcessor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (rate, settings) = (&self.sample_rate, &self.settings);
        f.debug_struct("AudioProcessor")
            .field("sample_rate", rate)
            .field("settings", settings)
            .finish_non_exhaustive()
    }
}

impl AudioProcessor {
    /// A chain for frames of 10 ms at 8000, 16 000, 32 000 or 48 000 Hz; at another rate only gain and volume work.
    #[must_use]
    pub fn new(settings: &AudioProcessing, sample_rate: u32) -> Self {
        let frame = sample_rate as usize / 100;
        let mut processor = Self {
            sample_rate,
            settings: AudioProcessing::OFF,
            echo: None,
            noise: None,
            gain: None,
            volume: Volume::new(sample_rate),
            far: vec![0; frame],
            played: false,
            out: vec![0; frame],
        };
        processor.update(settings);
        processor
    }

    /// Other settings: what changes starts anew, what does not goes on.
    pub fn update(&mut self, settings: &AudioProcessing) {
        let (old, new) = (self.settings, *settings);
        if old.echo != new.echo || old.noise_reduction != new.noise_reduction {
            self.echo = self.canceller(&new).map(|canceller| Box::new(canceller) as Box<dyn EchoCanceller>);
            // A canceller that cuts away what is left of an echo takes the noise out in the same step.
            let alone = new.noise_reduction > 0 && !suppresses(new.echo);
            self.noise = alone.then(|| NoiseSuppressor::new(self.sample_rate, new.noise_reduction));
        }
        if old.gain != new.gain {
            self.gain = new.gain.map(AutomaticGain::new);
        }
        self.volume.set_db(new.volume_db);
        self.settings = new;
    }

    /// Puts another echo canceller, of a signal processor say, in the place of ours; the next change of the echo
    /// settings takes it out again.
    pub fn set_canceller(&mut self, canceller: Box<dyn EchoCanceller>) {
        self.echo = Some(canceller);
    }

    /// What it was made with, or updated to.
    #[must_use]
    pub const fn settings(&self) -> &AudioProcessing {
        &self.settings
    }

    /// Silence instead of the microphone. The echo canceller goes on, so that it knows the room when it is needed.
    pub fn set_muted(&mut self, muted: bool) {
        self.volume.set_muted(muted);
    }

    /// Samples by which speech is delayed.
    #[must_use]
    pub fn delay(&self) -> usize {
        let echo = self.echo.as_ref().map_or(0, |echo| echo.delay());
        echo + self.noise.as_ref().map_or(0, NoiseSuppressor::delay)
    }

    /// The next frame that goes to the loudspeaker, as it is played, with volume and everything.
    pub fn render(&mut self, playout: &[i16]) {
        if self.echo.is_some() && playout.len() == self.far.len() {
            self.far.copy_from_slice(playout);
            self.played = true;
        }
    }

    /// The next frame of the microphone, processed in place; `render` was called since the frame before, if something
    /// was played.
    pub fn capture(&mut self, captured: &mut [i16]) {
        if let Some(echo) = &mut self.echo
            && captured.len() == self.out.len()
        {
            if !core::mem::replace(&mut self.played, false) {
                self.far.fill(0);
            }
            echo.process(&self.far, captured, &mut self.out);
            captured.copy_from_slice(&self.out);
        }
        if let Some(noise) = &mut self.noise {
            noise.process(captured);
        }
        if let Some(gain) = &mut self.gain {
            gain.process(captured);
        }
        if !self.volume.is_unity() {
            self.volume.process(captured);
        }
    }

    fn canceller(&self, settings: &AudioProcessing) -> Option<AdaptiveEchoCanceller> {
        let rate = self.sample_rate;
        let mut config = match settings.echo {
            EchoControl::Off => return None,
            EchoControl::Handset => EchoConfig::handset(rate),
            EchoControl::Speaker => EchoConfig::speaker(rate),
            EchoControl::Line => EchoConfig::line(rate),
        };
        config.noise_reduction = settings.noise_reduction;
        Some(AdaptiveEchoCanceller::new(config))
    }
}

/// Whether the canceller for this echo has a post filter, which takes noise out too.
const fn suppresses(echo: EchoControl) -> bool {
    matches!(echo, EchoControl::Handset | EchoControl::Speaker)
}
