//! Calls are recorded to the telephone's storage, and played from there.

use super::Run;
use crate::audio::{CallPort, FRAME_SAMPLES, RATE, RecordError};
use crate::firmware::{CallRef, RecordOrder, RecordingOver, Signal};
use sidetone_hal::audio::{AudioPort as _, FRAME};
use sidetone_media::wav::{Player, Repeat, Sound};
use tokio::time::MissedTickBehavior;

impl Run {
    /// Begins, pauses or ends the recording of a call.
    pub(super) fn record_here(&mut self, call: CallRef, order: RecordOrder) {
        match order {
            RecordOrder::Start(name) => {
                let Some(folder) = &self.recorder else { return };
                let signals = self.signals.clone();
                let tap = folder.record(&name, move |ended| {
                    let over = match ended {
                        Ok(path) => RecordingOver::Kept(
                            path.file_stem()
                                .map(|name| name.to_string_lossy().into_owned())
                                .unwrap_or_default(),
                        ),
                        Err(RecordError::Full) => RecordingOver::Full,
                        Err(error) => RecordingOver::Failed(error.to_string()),
                    };
                    // A desk that is gone needs to know nothing more.
                    let _ = signals.blocking_send(Signal::RecordingOver(over));
                });
                self.sound.record(call, tap);
            }
            RecordOrder::Pause(paused) => self.sound.pause_recording(paused),
            RecordOrder::Stop => self.sound.stop_recording(),
        }
    }

    /// Tells the firmware which recordings there are.
    pub(super) fn list_recordings(&self) {
        let Some(folder) = self.recorder.clone() else { return };
        let signals = self.signals.clone();
        tokio::task::spawn_blocking(move || {
            // A desk that is gone needs to know nothing more.
            let _ = signals.blocking_send(Signal::Recordings(folder.list().ok()));
        });
    }

    /// Plays a recording, or ends that.
    pub(super) fn play_recording(&mut self, name: Option<String>) {
        if let Some(task) = self.plays.take() {
            task.abort();
        }
        let (Some(name), Some(folder)) = (name, self.recorder.clone()) else { return };
        let (port, signals) = (self.sound.page_port(), self.signals.clone());
        let task = tokio::spawn(async move {
            let sound = tokio::task::spawn_blocking(move || folder.open(&name)).await;
            match sound {
                Ok(Ok(sound)) => play(sound, port).await,
                Ok(Err(error)) => tracing::info!(%error, "a recording does not play"),
                Err(_) => {}
            }
            // A desk that is gone needs to know nothing more.
            let _ = signals.send(Signal::RecordingPlayed).await;
        });
        self.plays = Some(task.abort_handle());
    }
}

async fn play(sound: Sound, mut port: CallPort) {
    // Every rate of a file can be changed to that of the telephone.
    let Ok(mut player) = Player::new(sound, RATE, Repeat::ONCE) else { return };
    let mut clock = tokio::time::interval(FRAME);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut frame = [0; FRAME_SAMPLES];
    loop {
        clock.tick().await;
        let goes_on = player.fill(&mut frame);
        port.write(&frame);
        if !goes_on {
            return;
        }
    }
}
