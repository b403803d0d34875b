//! What goes on in a call: files, digits, holds, and the end, each at its time.

use super::report::{Cause, Report, Transfer};
use super::stopped;
use crate::audio::{Playing, Recorder, WavError, WavPort};
use crate::cli::{At, Script};
use core::time::Duration;
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::{Account, Call, CallEvent, CallHandle, Conference, Error};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;

/// How long a call that has ended waits for the word that its transfer succeeded.
const LAST_WORD: Duration = Duration::from_secs(1);
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
    Transfer(String),
    Attended(String),
    Conference(String),
    HangUp,
}

/// What came of a step.
enum Outcome {
    Failed(String),
    Transferred(Transfer),
    Joined(String),
}

/// Who takes part in a conference: those who were called into it, as long as the call lasts.
#[derive(Debug, Default)]
struct Guests {
    conference: Option<Conference>,
    calls: Vec<Call>,
}

/// How long a target of a consultation or conference may ring.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

impl Stage {
    pub(super) fn new(script: Script) -> Result<Self, WavError> {
        let playing = script.play.as_deref().map(Playing::open).transpose()?.unwrap_or_default();
        let mut steps = Vec::new();
        steps.extend(script.dtmf.clone().map(|digits| (DTMF_AFTER, Step::Dtmf(digits))));
        for hold in &script.hold {
            steps.push((hold.at, Step::Hold));
            steps.push((hold.at + hold.length, Step::Resume));
        }
        let who = |at: &At, step: fn(String) -> Step| (at.at, step(at.who.clone()));
        steps.extend(script.transfer.iter().map(|at| who(at, Step::Transfer)));
        steps.extend(script.attended.iter().map(|at| who(at, Step::Attended)));
        steps.extend(script.conference.iter().map(|at| who(at, Step::Conference)));
        steps.extend(script.length.map(|length| (length, Step::HangUp)));
        steps.sort_by_key(|(at, _)| *at);
        Ok(Self { script, playing, steps })
    }

    /// Whether the script transfers the other side.
    const fn transfers(&self) -> bool {
        self.script.transfer.is_some() || self.script.attended.is_some()
    }

    /// Sound for a call of a step: what is played to the others too.
    fn guest_port(&self) -> WavPort {
        let rate = self.script.rate.unwrap_or_else(|| self.playing.sample_rate());
        WavPort::new(self.playing.clone(), rate)
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
    account: Option<Account>,
    stage: &Arc<Stage>,
    report: &mut Report,
    mut stop: watch::Receiver<bool>,
) {
    let handle = call.handle();
    let (outcomes, mut outcome) = mpsc::channel(16);
    let guests = Arc::new(Mutex::new(Guests::default()));
    let scene = Scene { call: handle.clone(), account, stage: stage.clone(), guests, outcomes };
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
                // Nobody is there who could be asked (`account.N.redirect = ask`).
                Some(CallEvent::Redirected { ask: true, .. }) => {
                    tokio::spawn(perform(Step::HangUp, scene.clone()));
                }
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
                    tokio::spawn(perform(now.clone(), scene.clone()));
                }
                step = steps.next();
            }
            Some(outcome) = outcome.recv() => report.came(outcome),
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                tokio::spawn(perform(Step::HangUp, scene.clone()));
            }
        }
    }
    report.duration_s = up.map_or(0.0, |up| (up.elapsed().as_secs_f64() * 1000.0).round() / 1000.0);
    // A transfer that has succeeded ended the call, and is told of just after.
    if stage.transfers() && report.transfers.is_empty() && up.is_some() {
        let last = tokio::time::timeout(LAST_WORD, outcome.recv()).await;
        last.into_iter().flatten().for_each(|outcome| report.came(outcome));
    }
    while let Ok(outcome) = outcome.try_recv() {
        report.came(outcome);
    }
    if let Ok(stats) = handle.stats().await {
        report.count(&stats);
    }
    // Those who were called into a conference go with the call.
    drop(core::mem::take(&mut *scene.guests.lock().await));
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

/// What steps work with.
#[derive(Clone)]
struct Scene {
    call: CallHandle,
    account: Option<Account>,
    stage: Arc<Stage>,
    guests: Arc<Mutex<Guests>>,
    outcomes: mpsc::Sender<Outcome>,
}

async fn perform(step: Step, scene: Scene) {
    let call = &scene.call;
    let (what, done) = match &step {
        Step::Dtmf(digits) => ("dtmf", call.send_dtmf(digits).await),
        Step::Hold => ("hold", call.hold().await),
        Step::Resume => ("resume", call.resume().await),
        Step::Transfer(to) => {
            let done = call.transfer(to.as_str()).await;
            scene.transferred("blind", to, &done).await;
            ("transfer", done)
        }
        Step::Attended(to) => {
            let done = scene.consult(to).await;
            scene.transferred("attended", to, &done).await;
            ("attended", done)
        }
        Step::Conference(who) => ("conference", scene.join(who).await),
        Step::HangUp => ("hang up", call.hangup().await),
    };
    match done {
        // The call was over in the meantime: its cause says why.
        Ok(()) | Err(Error::Command(_) | Error::Closed) => {}
        Err(error) => {
            // Nobody reads any more when the call has ended.
            let _ = scene.outcomes.try_send(Outcome::Failed(format!("{what}: {error}")));
        }
    }
}

impl Scene {
    async fn transferred(&self, kind: &'static str, to: &str, done: &Result<(), Error>) {
        let status = match done {
            Ok(()) => Some(200),
            Err(Error::Refused(status)) => Some(status.code()),
            Err(_) => None,
        };
        // Nobody reads any more when the call has ended otherwise.
        let _ = self.outcomes.send(Outcome::Transferred(Transfer { kind, to: to.to_owned(), status })).await;
    }

    /// Calls the target and lets the other side take our place there.
    async fn consult(&self, to: &str) -> Result<(), Error> {
        self.call.hold().await?;
        let target = self.call_up(to).await?;
        self.call.transfer_to(&target).await
    }

    /// Calls somebody and joins the calls.
    async fn join(&self, who: &str) -> Result<(), Error> {
        let guest = self.call_up(who).await?;
        let mut guests = self.guests.lock().await;
        match &guests.conference {
            Some(conference) => conference.join(&guest).await?,
            None => guests.conference = Some(Conference::new([&self.call, &guest.handle()]).await?),
        }
        guests.calls.push(guest);
        // The report has room for as many as a conference has.
        let _ = self.outcomes.try_send(Outcome::Joined(who.to_owned()));
        Ok(())
    }

    /// Calls somebody and waits until they answer.
    async fn call_up(&self, who: &str) -> Result<Call, Error> {
        let account = self.account.as_ref().ok_or(Error::Closed)?;
        let mut call = account.call(who, self.stage.guest_port()).await?;
        let answered = async {
            loop {
                match call.next_event().await {
                    Some(CallEvent::Established) => return Ok(()),
                    Some(CallEvent::Ended(cause)) => {
                        return Err(cause.status.map_or(Error::Closed, Error::Refused));
                    }
                    Some(_) => {}
                    None => return Err(Error::Closed),
                }
            }
        };
        let late = Error::Refused(StatusCode::REQUEST_TIMEOUT);
        tokio::time::timeout(ANSWER_WITHIN, answered).await.unwrap_or(Err(late))?;
        Ok(call)
    }
}

impl Report {
    fn came(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Failed(error) => self.errors.push(error),
            Outcome::Transferred(transfer) => self.transfers.push(transfer),
            Outcome::Joined(who) => self.conference.push(who),
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
