//! The recordings of the telephone's storage: listed, and played over the loudspeaker (YLA-289).

use super::keys::Soft;
use super::{Body, Command, Firmware, Mode, Tone};
use sidetone_hal::time::Instant;

/// The list on the screen.
#[derive(Debug)]
pub(super) struct Recordings {
    /// The newest first; one at least.
    names: Vec<String>,
    shown: usize,
    plays: bool,
}

impl Recordings {
    fn name(&self) -> &str {
        self.names.get(self.shown).map(String::as_str).unwrap_or_default()
    }
}

impl Firmware {
    /// The key: asks for the list, on an idle telephone.
    pub(super) fn list_recordings(&mut self) {
        if self.policy.habits.recorder && matches!(self.mode, Mode::Idle) {
            self.command(Command::ListRecordings);
        }
    }

    /// The list has come: `None` where the storage cannot be read.
    pub(super) fn recordings_are(&mut self, now: Instant, names: Option<Vec<String>>) {
        match names {
            None => self.notify(now, "No storage".to_owned()),
            Some(names) if names.is_empty() => self.notify(now, "No recordings".to_owned()),
            Some(names) if matches!(self.mode, Mode::Idle) => {
                self.close_recordings();
                self.recordings = Some(Recordings { names, shown: 0, plays: false });
            }
            Some(_) => {}
        }
    }

    /// Whether the list is on the screen.
    pub(super) fn shows_recordings(&self) -> bool {
        matches!(self.mode, Mode::Idle) && self.recordings.is_some()
    }

    pub(super) fn recordings_body(&self) -> Option<Body> {
        let list = self.recordings.as_ref().filter(|_| matches!(self.mode, Mode::Idle))?;
        Some(Body {
            title: format!("Recording {} of {}", list.shown + 1, list.names.len()),
            main: list.name().trim_end_matches(".wav").to_owned(),
            details: list.plays.then(|| "Plays".to_owned()).into_iter().collect(),
            tone: Tone::Calm,
        })
    }

    pub(super) fn recordings_soft_keys(&self) -> [Option<Soft>; 4] {
        let plays = self.recordings.as_ref().is_some_and(|list| list.plays);
        let play = if plays { Soft::StopPlaying } else { Soft::Play };
        [Some(play), Some(Soft::NextRecording), None, Some(Soft::Close)]
    }

    /// Shows the one behind; from the last one on, the first.
    pub(super) fn next_recording(&mut self) {
        self.stop_playing();
        if let Some(list) = &mut self.recordings {
            list.shown = (list.shown + 1) % list.names.len().max(1);
        }
    }

    /// Plays the one on the screen.
    pub(super) fn play_recording(&mut self) {
        let Some(list) = &mut self.recordings else { return };
        list.plays = true;
        let name = list.name().to_owned();
        self.command(Command::PlayRecording(Some(name)));
    }

    pub(super) fn stop_playing(&mut self) {
        let plays = self.recordings.as_mut().map(|list| core::mem::take(&mut list.plays));
        if plays == Some(true) {
            self.command(Command::PlayRecording(None));
        }
    }

    /// What played is over.
    pub(super) fn recording_played(&mut self) {
        if let Some(list) = &mut self.recordings {
            list.plays = false;
        }
    }

    /// Leaves the list. Says whether it was on the screen.
    pub(super) fn close_recordings(&mut self) -> bool {
        let shows = self.shows_recordings();
        self.stop_playing();
        self.recordings = None;
        shows
    }
}
