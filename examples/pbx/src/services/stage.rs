//! The sound of one call that a service answered: what it plays, and what is recorded of it.

use super::music::Music;
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_media::tone::{Generator, Tone};
use sidetone_media::wav::{Player, Recorder, Repeat, Sound};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A service's end of a call. Clones play on the same call.
#[derive(Clone)]
pub(super) struct Stage {
    shared: Arc<Shared>,
    rate: u32,
}

/// The call's end: what it reads goes to the caller.
pub(super) struct StagePort {
    shared: Arc<Shared>,
    format: AudioFormat,
}

struct Shared {
    state: Mutex<State>,
    over: Notify,
}

struct State {
    playing: Source,
    /// What comes after it.
    next: Option<Source>,
    recorder: Option<Recorder>,
}

/// Something to play.
pub(super) enum Source {
    Silence,
    Tone(Box<Generator>),
    Sound(Box<Player>),
}

pub(super) fn stage(format: AudioFormat) -> (Stage, StagePort) {
    let state = State { playing: Source::Silence, next: None, recorder: None };
    let shared = Arc::new(Shared { state: Mutex::new(state), over: Notify::new() });
    (Stage { shared: Arc::clone(&shared), rate: format.sample_rate }, StagePort { shared, format })
}

impl Stage {
    pub(super) fn tone(&self, tone: Tone) -> Source {
        Source::Tone(Box::new(Generator::new(tone, self.rate)))
    }

    pub(super) fn music(&self, music: &Music) -> Source {
        music.source(self.rate)
    }

    pub(super) fn sound(&self, sound: Sound) -> Source {
        Player::new(sound, self.rate, Repeat::ONCE)
            .map_or(Source::Silence, |player| Source::Sound(Box::new(player)))
    }

    /// Plays from now on, in place of what was played.
    pub(super) fn start(&self, source: Source) {
        let mut state = self.shared.lock();
        (state.playing, state.next) = (source, None);
    }

    /// The same, and something else after it.
    pub(super) fn start_then(&self, first: Source, next: Source) {
        let mut state = self.shared.lock();
        (state.playing, state.next) = (first, Some(next));
    }

    /// Plays to the end, or until something else is played.
    pub(super) async fn play(&self, source: Source) {
        self.start(source);
        while !self.is_silent() {
            self.shared.over.notified().await;
        }
    }

    pub(super) fn stop(&self) {
        self.start(Source::Silence);
        self.shared.over.notify_one();
    }

    pub(super) fn is_silent(&self) -> bool {
        matches!(self.shared.lock().playing, Source::Silence)
    }

    /// What the caller says goes into this recording from now on.
    pub(super) fn record(&self, recorder: Recorder) {
        self.shared.lock().recorder = Some(recorder);
    }

    /// Nothing is recorded any more.
    pub(super) fn end_recording(&self) {
        self.shared.lock().recorder = None;
    }

    /// Samples a second of what is played and recorded.
    pub(super) const fn rate(&self) -> u32 {
        self.rate
    }

    /// Works with the recording, if there is one.
    pub(super) fn with_recorder<T>(&self, work: impl FnOnce(&mut Recorder) -> T) -> Option<T> {
        self.shared.lock().recorder.as_mut().map(work)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AudioPort for StagePort {
    fn format(&self) -> AudioFormat {
        self.format
    }

    /// The lock is held for as long as it takes to copy a frame, here and by the service.
    fn read(&mut self, captured: &mut [i16]) {
        let mut state = self.shared.lock();
        let goes_on = match &mut state.playing {
            Source::Silence => {
                captured.fill(0);
                return;
            }
            Source::Tone(generator) => generator.fill(captured),
            Source::Sound(player) => player.fill(captured),
        };
        if !goes_on {
            state.playing = state.next.take().unwrap_or(Source::Silence);
            drop(state);
            self.shared.over.notify_one();
        }
    }

    fn write(&mut self, playout: &[i16]) {
        if let Some(recorder) = &mut self.shared.lock().recorder {
            recorder.push(&[], playout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_media::wav::RecorderConfig;

    #[test]
    fn one_sound_follows_another_and_then_silence() {
        let (stage, mut port) = stage(AudioFormat::NARROWBAND);
        let sound = |value: i16| stage.sound(Sound::new(8000, vec![value; 120]).unwrap());
        stage.start_then(sound(5), sound(7));
        let mut heard = Vec::new();
        for _ in 0..5 {
            let mut frame = [9; 80];
            port.read(&mut frame);
            heard.extend(frame);
        }
        let expected: Vec<i16> = [vec![5; 120], vec![0; 40], vec![7; 120], vec![0; 40], vec![0; 80]].concat();
        assert_eq!(heard, expected);
        assert!(stage.is_silent());
    }

    #[test]
    fn what_is_heard_is_recorded_while_it_is_wanted() {
        let (stage, mut port) = stage(AudioFormat::NARROWBAND);
        port.write(&[1; 80]);
        assert_eq!(stage.with_recorder(|recorder| recorder.stats().octets), None);
        stage.record(Recorder::new(RecorderConfig::new(8000)));
        port.write(&[2; 80]);
        let octets = stage.with_recorder(|recorder| {
            recorder.poll_write().map(|write| write.header);
            recorder.written(44);
            recorder.poll_write().map(|write| write.octets.len())
        });
        assert_eq!(octets, Some(Some(160)));
    }
}
