//! FFmpeg as the other end of an RTP session: it decodes to a WAV file, or encodes one.

use super::process::Process;
use super::{FFMPEG, Outcome, SOON, Stage, WAITING, cannot_run, find_program, trial_with_share};
use libtest_mimic::{Failed, Trial};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Which half of a codec.
#[derive(Clone, Copy)]
pub(crate) enum Coder {
    Encoder(&'static str),
    Decoder(&'static str),
}

impl Coder {
    /// What a trial that needs it says on this machine, if it cannot run.
    fn missing(self) -> Option<String> {
        static LISTS: OnceLock<[String; 2]> = OnceLock::new();
        let lists = LISTS.get_or_init(|| ["-encoders", "-decoders"].map(list));
        let (kind, name, list) = match self {
            Self::Encoder(name) => ("encoder", name, &lists[0]),
            Self::Decoder(name) => ("decoder", name, &lists[1]),
        };
        // " A....D g722                 G.722 ADPCM (codec adpcm_g722)"
        let has = list.lines().any(|line| line.split_whitespace().nth(1) == Some(name));
        (!has).then(|| format!("this FFmpeg was built without the {kind} {name}"))
    }
}

fn list(what: &str) -> String {
    let output = Command::new("ffmpeg").args(["-hide_banner", "-v", "error", what]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// A trial that cannot run, either, where FFmpeg was built without what it needs.
pub(crate) fn coder_trial(name: &'static str, coder: Coder, run: fn(&Stage) -> Outcome) -> Trial {
    match coder.missing().filter(|_| find_program(FFMPEG.program).is_some()) {
        None => trial_with_share(WAITING, name, &[FFMPEG], run),
        Some(why) => Trial::ignorable_test(name, move || cannot_run(why)),
    }
}

/// Runs `ffmpeg` with these arguments.
pub(crate) fn start(stage: &Stage, arguments: &[&str]) -> Result<Process, Failed> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-nostats", "-y"]).args(arguments);
    Process::spawn(stage, "ffmpeg", &mut command)
}

/// FFmpeg, taking the session of an SDP file, writes `seconds` of it as 8000 Hz, one channel, and ends. It finds the
/// decoder by what the SDP says, unless one is named.
pub(crate) fn listen(
    stage: &Stage,
    decoder: Option<&str>,
    sdp: &Path,
    wav: &Path,
    seconds: u32,
) -> Result<Process, Failed> {
    let mut arguments = vec!["-protocol_whitelist", "file,udp,rtp"];
    arguments.extend(decoder.iter().flat_map(|decoder| ["-c:a", decoder]));
    let seconds = seconds.to_string();
    arguments.extend(["-i", text(sdp), "-t", &seconds, "-ar", "8000", "-ac", "1", text(wav)]);
    start(stage, &arguments)
}

/// Waits for the end of a run that must have gone well.
pub(crate) fn finish(mut ffmpeg: Process) -> Outcome {
    let status = ffmpeg.wait(SOON)?;
    if status.success() { Ok(()) } else { Err(format!("ffmpeg: {status}").into()) }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("cargo's folders have names in UTF-8")
}
