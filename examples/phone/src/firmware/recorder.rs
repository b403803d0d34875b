//! The telephone records a call itself, to its own storage (YLA-289): soft keys start, pause, go on and stop (YLA-233).

use super::keys::Soft;
use super::{CallRef, CallState, Command, Firmware, Mode};
use sidetone_hal::time::Instant;

/// What becomes of the recording of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordOrder {
    /// It begins, under this name.
    Start(String),
    /// It pauses, or goes on.
    Pause(bool),
    /// It ends.
    Stop,
}

/// How a recording has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingOver {
    /// It was stopped, and is kept under this name.
    Kept(String),
    /// There is no room for more; what there was room for is kept.
    Full,
    /// It could not be written, in words.
    Failed(String),
}

/// The recording that goes on.
#[derive(Debug)]
pub(super) struct Recording {
    call: CallRef,
    paused: bool,
}

impl Firmware {
    /// The soft keys of a call for its recording.
    pub(super) fn recorder_soft_keys(&self, call: CallRef) -> Vec<Soft> {
        match &self.recording {
            _ if !self.policy.habits.recorder => Vec::new(),
            None => vec![Soft::StartRecording],
            Some(recording) if recording.call != call => Vec::new(),
            Some(Recording { paused: true, .. }) => vec![Soft::ResumeRecording, Soft::StopRecording],
            Some(_) => vec![Soft::PauseRecording, Soft::StopRecording],
        }
    }

    /// Begins to record a call that is up.
    pub(super) fn start_recording(&mut self, now: Instant, call: CallRef) {
        if !self.policy.habits.recorder || self.recording.is_some() || self.is_page(call) {
            return;
        }
        let Some(found) = self.find(call).filter(|call| call.is_up() && !call.hung_up) else { return };
        let moment = self.clock.map(|clock| clock.moment(now).stamp()).unwrap_or_default();
        let name = format!("{moment} {}", found.peer.number).trim().to_owned();
        self.recording = Some(Recording { call, paused: false });
        self.command(Command::RecordHere { call, order: RecordOrder::Start(name) });
    }

    /// Pauses the recording, or goes on with it.
    pub(super) fn pause_recording(&mut self, pause: bool) {
        let Some(recording) = self.recording.as_mut().filter(|recording| recording.paused != pause) else {
            return;
        };
        recording.paused = pause;
        let call = recording.call;
        self.command(Command::RecordHere { call, order: RecordOrder::Pause(pause) });
    }

    /// Ends the recording.
    pub(super) fn stop_recording(&mut self) {
        if let Some(Recording { call, .. }) = self.recording.take() {
            self.command(Command::RecordHere { call, order: RecordOrder::Stop });
        }
    }

    /// The key: begins to record the call that talks, or ends that.
    pub(super) fn recorder_key(&mut self, now: Instant) {
        match (&self.recording, self.current_call()) {
            (Some(_), _) => self.stop_recording(),
            (None, Some(call)) => self.start_recording(now, call),
            (None, None) => {}
        }
    }

    /// A call is over, and so is its recording.
    pub(super) fn recorded_call_over(&mut self, call: CallRef) {
        if self.recording.as_ref().is_some_and(|recording| recording.call == call) {
            self.stop_recording();
        }
    }

    /// A recording has ended, by itself or because it was stopped.
    pub(super) fn recording_over(&mut self, now: Instant, over: RecordingOver) {
        let told = match over {
            RecordingOver::Kept(name) => return self.notify(now, format!("Recorded: {name}")),
            RecordingOver::Full => "No room for recordings".to_owned(),
            RecordingOver::Failed(why) => format!("Not recorded: {why}"),
        };
        self.recording = None;
        self.notify(now, told);
    }

    /// Whether the call on the screen is recorded here, and does not pause: nothing of a call on hold is written.
    pub(super) fn records_here(&self) -> bool {
        let Mode::Call(shown) = self.mode else { return false };
        let talks = self.find(shown).is_some_and(|call| call.state == CallState::Talking);
        talks && self.recording.as_ref().is_some_and(|recording| recording.call == shown && !recording.paused)
    }
}
