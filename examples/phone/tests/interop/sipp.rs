//! The phone with SIPp: its built-in scenarios, those of `fixtures/sipp`, lost packets, and 1000 calls.

use crate::peers::phone::{Phone, expect};
use crate::peers::sipp::Sipp;
use crate::peers::{Needs, Outcome, SIPP, SOON, Stage, free_port, trial};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[SIPP];
    vec![
        trial("sipp_uac_calls_the_phone", NEEDS, uac),
        trial("phone_calls_sipp_uas", NEEDS, uas),
        trial("phone_answers_a_401_of_the_called_side", NEEDS, |stage| challenged(stage, "uas_401.xml")),
        trial("phone_answers_a_407_on_the_way", NEEDS, |stage| challenged(stage, "uas_407.xml")),
        trial("phone_takes_486_as_busy", NEEDS, busy),
        trial("phone_gives_up_a_call_that_only_rings", NEEDS, cancelled_by_phone),
        trial("phone_says_486_when_its_calls_are_taken", NEEDS, busy_phone),
        trial("sipp_cancels_a_ringing_phone", NEEDS, cancelled_by_sipp),
        trial("sipp_holds_and_resumes_by_re_invite", NEEDS, |stage| scenario(stage, "uac_reinvite.xml")),
        trial("phone_repeats_200_until_a_late_ack", NEEDS, late_ack),
        trial("calls_to_the_phone_survive_lost_packets", NEEDS, lossy_uac),
        trial("calls_of_the_phone_survive_lost_packets", NEEDS, lossy_uas),
        trial("phone_hears_digits_of_each_kind_in_info", NEEDS, info_to_phone),
        trial("phone_sends_digits_of_each_kind_in_info", NEEDS, info_of_phone),
        trial("phone_takes_1000_calls", NEEDS, thousand_calls),
    ]
}

/// A phone that takes `count` calls from anybody, and its SIP port.
fn answering_phone(stage: &Stage, count: usize, more: &str) -> Result<(Phone, u16), Failed> {
    let port = free_port();
    let arguments = format!(
        "--account sip:phone@127.0.0.1:{port} --no-register --local-port {port} --headless answer --count {count} {more}"
    );
    let phone = Phone::start(stage, "phone", &arguments)?;
    phone.wait_for_port(port)?;
    Ok((phone, port))
}

fn calling_phone(stage: &Stage, name: &str, sipp_port: u16, more: &str) -> Result<Phone, Failed> {
    let arguments = format!(
        "--account sip:alice:alice-secret@127.0.0.1:{sipp_port} --no-register --local-port {} \
         --headless call sip:service@127.0.0.1:{sipp_port} {more}",
        free_port()
    );
    Phone::start(stage, name, &arguments)
}

fn expect_established(phone: &mut Phone, count: usize) -> Outcome {
    let calls = phone.expect_exit(0, SOON)?;
    let established = calls.iter().filter(|call| call["established"] == true).count();
    match established == count && calls.len() == count {
        true => Ok(()),
        false => Err(format!("{established} of {} calls established, expected {count}", calls.len()).into()),
    }
}

fn uac(stage: &Stage) -> Outcome {
    let (mut phone, port) = answering_phone(stage, 10, "--ring-for 100ms")?;
    let remote = format!("127.0.0.1:{port}");
    Sipp::start(stage, "uac", free_port(), Some(&remote), &["-m", "10", "-r", "5", "-d", "300"])?
        .expect_success(SOON)?;
    expect_established(&mut phone, 10)
}

fn uas(stage: &Stage) -> Outcome {
    let port = free_port();
    let mut sipp = Sipp::start(stage, "uas", port, None, &["-m", "1"])?;
    let call = calling_phone(stage, "phone", port, "--for 1s")?.finish_call(SOON)?;
    expect(&call, "/cause/by", "local")?;
    sipp.expect_success(SOON)
}

fn challenged(stage: &Stage, file: &str) -> Outcome {
    let port = free_port();
    let mut sipp = Sipp::start(stage, file, port, None, &["-m", "1"])?;
    calling_phone(stage, "phone", port, "--for 1s")?.finish_call(SOON)?;
    sipp.expect_success(SOON)
}

fn busy(stage: &Stage) -> Outcome {
    let port = free_port();
    let mut sipp = Sipp::start(stage, "uas_486.xml", port, None, &["-m", "1"])?;
    let calls = calling_phone(stage, "phone", port, "--for 1s")?.expect_exit(1, SOON)?;
    let [call] = &calls[..] else { return Err(format!("{} calls", calls.len()).into()) };
    expect(call, "/established", false)?;
    expect(call, "/cause/by", "remote")?;
    expect(call, "/cause/status", 486)?;
    sipp.expect_success(SOON)
}

fn cancelled_by_phone(stage: &Stage) -> Outcome {
    let port = free_port();
    let mut sipp = Sipp::start(stage, "uas_cancelled.xml", port, None, &["-m", "1"])?;
    let mut phone = calling_phone(stage, "phone", port, "--for 1s")?;
    sipp.wait_for_message("SIP/2.0 180", SOON)?;
    phone.interrupt();
    let calls = phone.expect_exit(1, SOON)?;
    let [call] = &calls[..] else { return Err(format!("{} calls", calls.len()).into()) };
    expect(call, "/established", false)?;
    expect(call, "/cause/by", "local")?;
    sipp.expect_success(SOON)
}

/// With `--count 1` a second caller, while the first call is up, is told 486.
fn busy_phone(stage: &Stage) -> Outcome {
    let (mut phone, port) = answering_phone(stage, 1, "--ring-for 0s")?;
    let remote = format!("127.0.0.1:{port}");
    let mut first = Sipp::start(stage, "uac_until_bye.xml", free_port(), Some(&remote), &["-m", "1"])?;
    first.wait_for_message("\nACK ", SOON)?;
    Sipp::start(stage, "uac_refused.xml", free_port(), Some(&remote), &["-m", "1"])?.expect_success(SOON)?;
    phone.interrupt();
    first.expect_success(SOON)?;
    expect_established(&mut phone, 1)
}

fn cancelled_by_sipp(stage: &Stage) -> Outcome {
    let (mut phone, port) = answering_phone(stage, 3, "--ring-for 60s")?;
    let remote = format!("127.0.0.1:{port}");
    Sipp::start(stage, "uac_cancel.xml", free_port(), Some(&remote), &["-m", "3", "-r", "2"])?
        .expect_success(SOON)?;
    let calls = phone.finish(SOON)?.calls;
    for call in &calls {
        expect(call, "/established", false)?;
        expect(call, "/cause/by", "remote")?;
    }
    match calls.len() {
        3 => Ok(()),
        other => Err(format!("{other} calls, expected 3").into()),
    }
}

fn scenario(stage: &Stage, file: &str) -> Outcome {
    let (mut phone, port) = answering_phone(stage, 5, "--ring-for 100ms")?;
    let remote = format!("127.0.0.1:{port}");
    Sipp::start(stage, file, free_port(), Some(&remote), &["-m", "5", "-r", "5"])?.expect_success(SOON)?;
    expect_established(&mut phone, 5)
}

fn late_ack(stage: &Stage) -> Outcome {
    let (mut phone, port) = answering_phone(stage, 1, "--ring-for 100ms")?;
    let remote = format!("127.0.0.1:{port}");
    // SIPp knows no retransmissions here: it counts each 200.
    let arguments = ["-m", "1", "-nr"];
    let mut sipp = Sipp::start(stage, "uac_late_ack.xml", free_port(), Some(&remote), &arguments)?;
    sipp.expect_success(SOON)?;
    expect_established(&mut phone, 1)?;
    // At 0, 0.5 and 1.5 s (RFC 3261 section 13.3.1.4), and one to BYE. A fourth, at 3.5 s, may cross an ACK that is slow.
    match sipp.messages().matches("\nSIP/2.0 200").count() {
        4 | 5 => Ok(()),
        other => Err(format!("{other} messages are a 200, expected 3 to INVITE and 1 to BYE").into()),
    }
}

fn info_to_phone(stage: &Stage) -> Outcome {
    let (mut phone, port) = answering_phone(stage, 1, "--ring-for 100ms")?;
    let remote = format!("127.0.0.1:{port}");
    Sipp::start(stage, "uac_info.xml", free_port(), Some(&remote), &["-m", "1"])?.expect_success(SOON)?;
    expect(&phone.finish_call(SOON)?, "/dtmf_received", "1#23")
}

/// The mode is INFO alone, or what is left where no telephone events are taken.
fn info_of_phone(stage: &Stage) -> Outcome {
    for (mode, kind, content_type, bodies) in [
        (
            "auto",
            "dtmf-relay",
            "application/dtmf-relay",
            ["Signal=4\r\nDuration=120\r\n", "Signal=*\r\nDuration=120\r\n", "Signal=D\r\nDuration=120\r\n"],
        ),
        ("info", "dtmf", "application/dtmf", ["\r\n\r\n4", "\r\n\r\n*", "\r\n\r\nD"]),
        (
            "info",
            "telephone-event",
            "audio/telephone-event",
            ["\x04\u{fffd}\x03", "\x0a\u{fffd}\x03", "\x0f\u{fffd}\x03"],
        ),
    ] {
        let port = free_port();
        let settings = stage.folder(&format!("settings-{kind}")).join("phone.conf");
        let text = format!(
            "account.1.aor = sip:alice@127.0.0.1:{port}\naccount.1.dtmf = {mode}\n\
             account.1.dtmf_info = {kind}\nmedia.dtmf_duration = 120\n"
        );
        std::fs::write(&settings, text)?;
        let mut sipp = Sipp::start(stage, "uas_info.xml", port, None, &["-m", "1"])?;
        let arguments = format!(
            "--config {} --no-register --local-port {} --headless call sip:service@127.0.0.1:{port} --dtmf 4*D",
            settings.display(),
            free_port()
        );
        let call = Phone::start(stage, &format!("phone-{kind}"), &arguments)?.finish_call(SOON)?;
        expect(&call, "/errors", serde_json::json!([]))?;
        sipp.expect_success(SOON)?;
        let messages = sipp.messages();
        if messages.matches(&format!("Content-Type: {content_type}\r\n")).count() < 3 {
            return Err(format!("fewer than three bodies of {content_type}").into());
        }
        let mut rest = messages.as_str();
        for body in bodies {
            let place =
                rest.find(body).ok_or_else(|| format!("no {body:?} in its place, as {content_type}"))?;
            rest = rest.get(place + body.len()..).unwrap_or_default();
        }
    }
    Ok(())
}

/// Every tenth packet is lost, each way, at SIPp's socket: retransmission must save every call.
const LOSS: &str = "10";

fn lossy_uac(stage: &Stage) -> Outcome {
    // No count: a phone that ends with the last call could not answer a BYE whose 200 was lost.
    let (mut phone, port) = answering_phone(stage, 0, "--ring-for 100ms")?;
    let remote = format!("127.0.0.1:{port}");
    let arguments = ["-m", "40", "-r", "10", "-d", "500", "-lost", LOSS];
    Sipp::start(stage, "uac_lossy.xml", free_port(), Some(&remote), &arguments)?.expect_success(SOON)?;
    phone.interrupt();
    let calls = phone.finish(SOON)?.calls;
    // A call whose BYE came before any ACK got through was not up for the phone, but it ended in order too.
    let in_order = calls.iter().filter(|call| call["cause"]["by"] == "remote").count();
    match (calls.len(), in_order) {
        (40, 40) => Ok(()),
        (calls, in_order) => Err(format!("{in_order} of {calls} calls ended in order, expected 40").into()),
    }
}

/// Every twentieth here: a phone without a person leaves two seconds after its BYE, which is three attempts.
fn lossy_uas(stage: &Stage) -> Outcome {
    let port = free_port();
    let mut sipp = Sipp::start(stage, "uas_lossy.xml", port, None, &["-m", "10", "-lost", "5"])?;
    let mut phones = Vec::new();
    for number in 0..10 {
        phones.push(calling_phone(stage, &format!("phone-{number}"), port, "--for 500ms")?);
    }
    for phone in &mut phones {
        phone.finish_call(SOON)?;
    }
    sipp.expect_success(SOON)
}

fn thousand_calls(stage: &Stage) -> Outcome {
    let (mut phone, port) = answering_phone(stage, 1000, "--ring-for 0s")?;
    let remote = format!("127.0.0.1:{port}");
    let arguments = ["-m", "1000", "-r", "40", "-l", "100", "-d", "1000"];
    Sipp::start(stage, "uac", free_port(), Some(&remote), &arguments)?.expect_success(5 * SOON)?;
    expect_established(&mut phone, 1000)
}
