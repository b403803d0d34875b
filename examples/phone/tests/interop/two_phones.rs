//! Two phones of ours call each other: no other program, no server, so this runs everywhere.

use crate::peers::phone::{Phone, expect};
use crate::peers::pki::Pki;
use crate::peers::sound::{Analysis, LONG, Scene, read_wav, wait_for_scene, wait_for_stretch, write_tone};
use crate::peers::{Outcome, SOON, Stage, free_port, trial};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::path::Path;

const CALLER_HZ: f64 = 435.0;
const CALLED_HZ: f64 = 1005.0;
/// What each must hear of the other, in seconds.
const HEARD: f64 = 3.7;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("two_phones_hear_each_other", &[], |stage| hear_each_other(stage, "udp")),
        trial("two_phones_hear_each_other_over_tcp", &[], |stage| hear_each_other(stage, "tcp")),
        trial("two_phones_hear_each_other_over_tls", &[], |stage| hear_each_other(stage, "tls")),
        trial("a_phone_does_not_call_whom_it_cannot_trust", &[], distrust),
        trial("a_held_phone_hears_silence_until_the_resume", &[], hold),
        trial("two_phones_exchange_dtmf", &[], dtmf),
    ]
}

/// What both sides had to report, and what both heard of the other's tone.
struct Call {
    caller: Value,
    called: Value,
    heard_by_caller: Analysis,
    heard_by_called: Analysis,
}

/// The caller hangs up when `enough` comes back, which is told where the caller and the called side record.
fn call(
    stage: &Stage,
    transport: &str,
    caller: &str,
    called: &str,
    enough: impl FnOnce(&Path, &Path) -> Outcome,
) -> Result<Call, Failed> {
    let port = free_port();
    let secure = (transport == "tls").then(|| Secure::new(stage)).transpose()?;
    let (to, called, caller) = match &secure {
        Some(secure) => (
            secure.port,
            format!("{} {called}", secure.called),
            format!("--authority {} {caller}", secure.authority),
        ),
        None => (port, called.to_owned(), caller.to_owned()),
    };
    let path = |name: &str| stage.path(name).display().to_string();
    write_tone(&stage.path("caller.wav"), CALLER_HZ, LONG)?;
    write_tone(&stage.path("called.wav"), CALLED_HZ, LONG)?;
    let mut called = Phone::start(
        stage,
        "called",
        &format!(
            "--account sip:called@127.0.0.1:{port} --no-register --local-port {port} --headless answer --ring-for 300ms \
             --play {} --record {} {called}",
            path("called.wav"),
            path("heard-by-called.wav")
        ),
    )?;
    called.wait_for_port(port)?;
    let mut caller = Phone::start(
        stage,
        "caller",
        &format!(
            "--account sip:caller@127.0.0.1 --no-register --local-port {} --transport {transport} \
             --headless call sip:called@127.0.0.1:{to} --play {} --record {} {caller}",
            free_port(),
            path("caller.wav"),
            path("heard-by-caller.wav")
        ),
    )?;
    enough(&stage.path("heard-by-caller.wav"), &stage.path("heard-by-called.wav"))?;
    caller.interrupt();
    Ok(Call {
        caller: caller.finish_call(SOON)?,
        called: called.finish_call(SOON)?,
        heard_by_caller: Analysis::new(&read_wav(&stage.path("heard-by-caller.wav"))?, CALLED_HZ),
        heard_by_called: Analysis::new(&read_wav(&stage.path("heard-by-called.wav"))?, CALLER_HZ),
    })
}

/// What a call over TLS takes: the called side's certificate, and the authority that the caller trusts.
struct Secure {
    port: u16,
    /// The called side's options.
    called: String,
    /// The authority's file.
    authority: String,
}

impl Secure {
    fn new(stage: &Stage) -> Result<Self, Failed> {
        let Pki { authority, certificate, key } = Pki::new(stage, &["127.0.0.1"])?;
        let port = free_port();
        let called = format!("--tls-port {port} --certificate {certificate} --key {key}");
        Ok(Self { port, called, authority })
    }
}

/// The caller knows another authority, so it says why and hangs up before anything is said.
fn distrust(stage: &Stage) -> Outcome {
    let secure = Secure::new(stage)?;
    let port = free_port();
    let called = Phone::start(
        stage,
        "called",
        &format!(
            "--account sip:called@127.0.0.1:{port} --no-register --local-port {port} --headless answer {}",
            secure.called
        ),
    )?;
    called.wait_for_port(port)?;
    let call = |name: &str, more: &str| {
        Phone::start(
            stage,
            name,
            &format!(
                "--account sip:caller@127.0.0.1 --no-register --local-port {} --transport tls \
                 --headless call sip:called@127.0.0.1:{} --for 500ms {more}",
                free_port(),
                secure.port
            ),
        )
    };
    let mut stranger = call("stranger", "")?;
    stranger.wait_for_line("UnknownIssuer", SOON)?;
    stranger.expect_exit(1, SOON)?;
    call("careless", "--any-certificate")?.finish_call(SOON).map(|_| ())
}

fn hear_each_other(stage: &Stage, transport: &str) -> Outcome {
    let call = call(stage, transport, "", "", |caller, called| {
        wait_for_stretch("the caller", caller, CALLED_HZ, HEARD)?;
        wait_for_stretch("the called side", called, CALLER_HZ, HEARD)
    })?;
    expect(&call.caller, "/cause/by", "local")?;
    expect(&call.called, "/cause/by", "remote")?;
    expect(&call.caller, "/lost", 0)?;
    expect(&call.called, "/lost", 0)?;
    call.heard_by_caller.expect_stretch("the caller", CALLED_HZ, HEARD)?;
    call.heard_by_called.expect_stretch("the called side", CALLER_HZ, HEARD)
}

/// The called side holds: each must hear nothing of the other for more than 2 s, the holder because it asked for that,
/// the held one because a microphone must not be heard during a hold.
fn hold(stage: &Stage) -> Outcome {
    let call = call(stage, "udp", "", "--hold 3s:3s", |caller, called| {
        wait_for_scene("the held caller", caller, CALLED_HZ, Scene::Again)?;
        wait_for_scene("the holding side", called, CALLER_HZ, Scene::Again)
    })?;
    expect(&call.called, "/holds", 1)?;
    expect(&call.caller, "/remote_holds", 1)?;
    call.heard_by_caller.expect_hold("the held caller", 2.0)?;
    call.heard_by_called.expect_hold("the holding side", 2.0)
}

fn dtmf(stage: &Stage) -> Outcome {
    let call = call(stage, "udp", "--dtmf 0123456789*#ABCD", "--dtmf 42", |_, _| {
        // Some 3 s on a machine that does nothing else. A phone tells of digits only in its report.
        std::thread::sleep(Duration::from_secs(10));
        Ok(())
    })?;
    expect(&call.called, "/dtmf_received", "0123456789*#ABCD")?;
    expect(&call.caller, "/dtmf_received", "42")
}
