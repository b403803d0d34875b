//! What goes on in a call: files, digits, holds, and the end, each at its time.

use super::report::{Cause, Report};
use super::stopped;
use crate::audio::{Playing, Recorder, WavError, WavPort};
use crate::cli::Script;
use core::time::Duration;
use sidetone_sip_ua::{Call, CallEvent, CallHandle, Error};
use std::path::{Path, PathBuf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Digits wait until the other side has surely begun to listen.
const DTMF_AFTER: Duration = Duration::from_millis(500);

/// A script with its file read.
#[derive(Debug)]
pub(super) struct Stage {
    script: Script,
    playing: Playing,
    /// The steps of a call in the order of their times, counted from when it is up.
    steps: Vec<(Duration, Step)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Dtmf(String),
    Hold,
    Resume,
    HangUp,
}

impl Stage {
    pub(super) fn new(script: Script) -> Result<Self, WavError> {
        let playing = script.play.as_deref().map(Playing::open).transpose()?.unwrap_or_default();
        let mut steps = Vec::new();
        steps.extend(script.dtmf.clone().map(|digits| (DTMF_AFTER, Step::Dtmf(digits))));
        for hold in &script.hold {
            steps.push((hold.at, Step::Hold));
            steps.push((hold.at + hold.length, Step::Resume));
        }
        steps.extend(script.length.map(|length| (length, Step::HangUp)));
        steps.sort_by_key(|(at, _)| *at);
        Ok(Self { script, playing, steps })
    }

    /// The audio port for call `number`, and its recorder.
    pub(super) fn port(&self, number: u32) -> Result<(WavPort, Option<Recorder>), WavError> {
        let rate = self.script.rate.unwrap_or_else(|| self.playing.sample_rate());
        let mut port = WavPort::new(self.playing.clone(), rate);
        let record = |path| port.record(&numbered(path, number), self.script.record_what.into());
        let recorder = self.script.record.as_deref().map(record).transpose()?;
        Ok((port, recorder))
    }
}

/// `out.wav` for the first call, `out-2.wav` for the second.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number <= 1 {
        return path.to_owned();
    }
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, extension) = (text(path.file_stem()), text(path.extension()));
    let dot = if extension.is_empty() { "" } else { "." };
    path.with_file_name(format!("{stem}-{number}{dot}{extension}"))
}

/// Waits until a recording is complete; says what went wrong with it.
pub(super) async fn finish(recorder: Option<Recorder>) {
    let Some(recorder) = recorder else { return };
    if let Ok(Err(error)) = tokio::task::spawn_blocking(|| recorder.finish()).await {
        eprintln!("sidetone-phone: the recording is not complete: {error}");
    }
}

/// Plays the script in a call until it is over, and writes down how it went.
#[expect(clippy::disallowed_methods, reason = "drives a call in real time")]
pub(super) async fn attend(
    mut call: Call,
    stage: &Stage,
    report: &mut Report,
    mut stop: watch::Receiver<bool>,
) {
    let handle = call.handle();
    let (errors, mut failed) = mpsc::channel(16);
    let mut steps = stage.steps.iter();
    let mut step = None;
    let mut up: Option<Instant> = None;
    let mut stopping = false;
    loop {
        tokio::select! {
            event = call.next_event() => match event {
                Some(CallEvent::Established) if up.is_none() => {
                    report.established = true;
                    up = Some(Instant::now());
                    step = steps.next();
                }
                Some(CallEvent::Held) => report.holds += 1,
                Some(CallEvent::RemoteHold) => report.remote_holds += 1,
                Some(CallEvent::Dtmf(digit)) => report.dtmf_received.push(digit),
                Some(CallEvent::Ended(cause)) => {
                    report.cause = Cause::from(&cause);
                    break;
                }
                Some(_) => {}
                None => break,
            },
            () = at(up, step) => {
                if let Some((_, now)) = step {
                    if let Step::Dtmf(digits) = now {
                        report.dtmf_sent.push_str(digits);
                    }
                    // Holding may take seconds; the other steps keep their times.
                    tokio::spawn(perform(now.clone(), handle.clone(), errors.clone()));
                }
                step = steps.next();
            }
            Some(error) = failed.recv() => report.errors.push(error),
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                tokio::spawn(perform(Step::HangUp, handle.clone(), errors.clone()));
            }
        }
    }
    report.duration_s = up.map_or(0.0, |up| (up.elapsed().as_secs_f64() * 1000.0).round() / 1000.0);
    while let Ok(error) = failed.try_recv() {
        report.errors.push(error);
    }
    if let Ok(stats) = handle.stats().await {
        report.count(&stats);
    }
    // The port goes with the call, and with it the recording ends.
    drop(call);
}

/// Comes back when the next step is due; never when there is none.
async fn at(up: Option<Instant>, step: Option<&(Duration, Step)>) {
    match (up, step) {
        (Some(up), Some((after, _))) => tokio::time::sleep_until(up + *after).await,
        _ => core::future::pending().await,
    }
}

async fn perform(step: Step, call: CallHandle, errors: mpsc::Sender<String>) {
    let (what, done) = match &step {
        Step::Dtmf(digits) => ("dtmf", call.send_dtmf(digits).await),
        Step::Hold => ("hold", call.hold().await),
        Step::Resume => ("resume", call.resume().await),
        Step::HangUp => ("hang up", call.hangup().await),
    };
    match done {
        // The call was over in the meantime: its cause says why.
        Ok(()) | Err(Error::Command(_) | Error::Closed) => {}
        Err(error) => {
            // Nobody reads any more when the call has ended.
            let _ = errors.try_send(format!("{what}: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Hold;

    #[test]
    fn steps_come_in_the_order_of_their_times() {
        let seconds = Duration::from_secs;
        let script = Script {
            dtmf: Some("12".into()),
            length: Some(seconds(10)),
            hold: vec![
                Hold { at: seconds(6), length: seconds(1) },
                Hold { at: seconds(2), length: seconds(3) },
            ],
            ..Script::default()
        };
        let stage = Stage::new(script).expect("no file");
        let times: Vec<_> = stage.steps.iter().map(|(at, step)| (at.as_millis(), step.clone())).collect();
        assert_eq!(
            times,
            [
                (500, Step::Dtmf("12".into())),
                (2000, Step::Hold),
                (5000, Step::Resume),
                (6000, Step::Hold),
                (7000, Step::Resume),
                (10_000, Step::HangUp)
            ]
        );
    }

    #[test]
    fn each_call_has_its_recording() {
        assert_eq!(numbered(Path::new("/tmp/out.wav"), 1), Path::new("/tmp/out.wav"));
        assert_eq!(numbered(Path::new("/tmp/out.wav"), 3), Path::new("/tmp/out-3.wav"));
        assert_eq!(numbered(Path::new("out"), 2), Path::new("out-2"));
    }
}
