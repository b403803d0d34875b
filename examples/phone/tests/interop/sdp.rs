//! Offers and answers with other people's programs: SIPp with odd descriptions both ways, baresip calling the phone with
//! what it offers by itself.

use crate::peers::phone::{Phone, expect};
use crate::peers::process::Process;
use crate::peers::sipp::Sipp;
use crate::peers::{BARESIP, Outcome, SIPP, SOON, Stage, free_port, trial};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("phone_answers_odd_offers_of_sipp", &[SIPP], odd_offers),
        trial("phone_refuses_bad_offers_with_a_warning", &[SIPP], bad_offers),
        trial("phone_offers_in_its_200_to_an_invite_without", &[SIPP], late_offer),
        trial("phone_takes_odd_answers_of_sipp", &[SIPP], odd_answers),
        trial("phone_ends_calls_whose_answer_is_of_no_use", &[SIPP], bad_answers),
        trial("baresip_calls_the_phone_with_its_own_order", &[BARESIP], baresip_codecs),
        trial("baresip_calls_the_phone_with_sdes", &[BARESIP], baresip_sdes),
    ]
}

/// What SIPp says: `c=`, an attribute of the session, `m=`, and attributes of the stream. Those left out are nothing that
/// anybody knows.
#[derive(Clone, Copy)]
struct Said<'a> {
    connection: &'a str,
    session: &'a str,
    media: &'a str,
    attributes: &'a [&'a str],
}

const SAID: Said<'_> = Said {
    connection: "IN IP4 127.0.0.1",
    session: "x-none",
    media: "audio 6000 RTP/AVP 0",
    attributes: &[],
};

/// One call of SIPp's, or one that it waits for.
fn sipp(
    stage: &Stage,
    scenario: &str,
    port: u16,
    remote: Option<&str>,
    said: Said<'_>,
) -> Result<Sipp, Failed> {
    let attribute = |index: usize| said.attributes.get(index).copied().unwrap_or("x-none");
    let keys = [
        ("connection", said.connection),
        ("session", said.session),
        ("media", said.media),
        ("one", attribute(0)),
        ("two", attribute(1)),
        ("three", attribute(2)),
    ];
    // The account's settings count for calls to its user; SIPp would call another one.
    let mut arguments = vec!["-m", "1", "-s", "phone"];
    for (name, value) in keys {
        arguments.extend(["-key", name, value]);
    }
    Sipp::start(stage, scenario, port, remote, &arguments)
}

/// A phone that takes `count` calls from anybody, and its SIP port.
fn answering_phone(stage: &Stage, count: usize, more: &str) -> Result<(Phone, u16), Failed> {
    answering_phone_with(stage, count, more, "")
}

/// The same with a script.
fn answering_phone_with(
    stage: &Stage,
    count: usize,
    more: &str,
    script: &str,
) -> Result<(Phone, u16), Failed> {
    let port = free_port();
    let arguments = format!(
        "--account sip:phone@127.0.0.1:{port} --no-register --local-port {port} {more} --headless answer --count {count} {script}"
    );
    let phone = Phone::start(stage, "phone", &arguments)?;
    phone.wait_for_port(port)?;
    Ok((phone, port))
}

fn call_of(phone: &mut Phone, established: bool) -> Result<Value, Failed> {
    let calls = phone.finish(SOON)?.calls;
    match <[Value; 1]>::try_from(calls) {
        Ok([call]) if call["established"] == established => Ok(call),
        other => Err(format!("expected one call, established {established}: {other:?}").into()),
    }
}

/// The first message of this kind that SIPp saw.
fn message(sipp: &Sipp, start: &str) -> Result<String, Failed> {
    let messages = sipp.messages();
    let begin =
        messages.find(&format!("\n{start}")).ok_or_else(|| format!("no {start} among\n{messages}"))?;
    let text = &messages[begin + 1..];
    Ok(text[..text.find("\n-----").unwrap_or(text.len())].to_owned())
}

fn has(text: &str, wanted: &[&str]) -> Outcome {
    for wanted in wanted {
        let found = text.lines().any(|line| line.trim_end().starts_with(wanted));
        if !found {
            return Err(format!("no line {wanted:?} in\n{text}").into());
        }
    }
    Ok(())
}

fn odd_offers(stage: &Stage) -> Outcome {
    let cases: &[(&str, Said<'_>, &[&str])] = &[
        ("", Said { media: "audio 6000 RTP/AVPF 111 0", ..SAID }, &["m=audio "]),
        // A hold from the first moment, in both styles.
        ("", Said { attributes: &["sendonly"], ..SAID }, &["a=recvonly"]),
        ("", Said { connection: "IN IP4 0.0.0.0", ..SAID }, &["a=recvonly"]),
        ("", Said { session: "inactive", ..SAID }, &["a=inactive"]),
        ("", Said { session: "sendonly", attributes: &["sendrecv"], ..SAID }, &["a=sendrecv"]),
        // Other numbers than the usual, and events under one of them.
        (
            "",
            Said {
                media: "audio 6000 RTP/AVP 120 121",
                attributes: &["rtpmap:120 PCMA/8000", "rtpmap:121 telephone-event/8000"],
                ..SAID
            },
            &["a=rtpmap:120 PCMA/8000", "a=rtpmap:121 telephone-event/8000"],
        ),
        // Video beside audio, audio twice: each line has its answer in its place.
        (
            "",
            Said { media: "video 7000 RTP/AVP 31\nm=audio 6000 RTP/AVP 0\nm=audio 6002 RTP/AVP 8", ..SAID },
            &["m=video 0 RTP/AVP 31", "m=audio 0 RTP/AVP 8"],
        ),
        (
            "",
            Said { attributes: &["ptime:40", "maxptime:60", "rtcp:7001 IN IP4 127.0.0.1"], ..SAID },
            &["a=ptime:"],
        ),
        (
            "--codecs PCMU,G729;annexb=no",
            Said { media: "audio 6000 RTP/AVP 18", attributes: &["rtpmap:18 G729A/8000"], ..SAID },
            &["a=fmtp:18 annexb=no"],
        ),
        (
            "--srtp optional",
            Said {
                media: "audio 6000 RTP/SAVP 0",
                attributes: &[
                    "crypto:3 F8_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj",
                    "crypto:7 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj",
                ],
                ..SAID
            },
            &["a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:"],
        ),
    ];
    for (options, said, wanted) in cases {
        let (mut phone, port) = answering_phone(stage, 1, options)?;
        let mut sipp = sipp(stage, "uac_sdp.xml", free_port(), Some(&format!("127.0.0.1:{port}")), *said)?;
        sipp.expect_success(SOON)?;
        has(&message(&sipp, "SIP/2.0 200")?, wanted)?;
        call_of(&mut phone, true)?;
    }
    Ok(())
}

/// Nobody is rung for what nobody can answer: the refusal comes at once and says why.
fn bad_offers(stage: &Stage) -> Outcome {
    let (mut phone, port) = answering_phone(stage, 0, "--codecs PCMU")?;
    for (said, status, warning) in [
        (Said { media: "audio 6000 RTP/AVP 8 18", ..SAID }, 488, 305),
        (Said { media: "video 6000 RTP/AVP 31", ..SAID }, 488, 304),
        (Said { media: "image 6000 udptl t38", ..SAID }, 488, 304),
        (Said { media: "audio 6000 RTP/SAVP 0", ..SAID }, 488, 302),
        (Said { media: "audio 6000 UDP/TLS/RTP/SAVPF 0", ..SAID }, 488, 302),
        (Said { connection: "IN IP6 2001:db8::1", ..SAID }, 488, 301),
        (Said { connection: "IN IP4 phone.example", ..SAID }, 488, 301),
        (Said { connection: "IN IP4 224.2.1.1/127", ..SAID }, 488, 330),
        (Said { connection: "ATM NSAP 47.0091", ..SAID }, 488, 300),
        (Said { media: "audio 65536 RTP/AVP 0", ..SAID }, 400, 399),
        (Said { media: "audio 6000", ..SAID }, 400, 399),
        (Said { connection: "IN", ..SAID }, 400, 399),
    ] {
        let remote = format!("127.0.0.1:{port}");
        let mut sipp = sipp(stage, "uac_sdp_refused.xml", free_port(), Some(&remote), said)?;
        sipp.expect_success(SOON)?;
        let refusal = message(&sipp, &format!("SIP/2.0 {status}"))?;
        has(&refusal, &[&format!("Warning: {warning} 127.0.0.1:{port} \"")])?;
        if sipp.messages().contains("\nSIP/2.0 180") {
            return Err(format!("it rang for {}", said.media).into());
        }
        // The refusal is heard: it is not repeated (RFC 3261 section 17.2.1).
        has(&message(&sipp, "ACK ")?, &["ACK "])?;
    }
    phone.interrupt();
    match phone.finish(SOON)?.calls.len() {
        0 => Ok(()),
        other => Err(format!("{other} calls were heard of, expected none").into()),
    }
}

fn late_offer(stage: &Stage) -> Outcome {
    for (options, media, codec, wanted) in [
        ("--codecs PCMU,PCMA", "audio 6000 RTP/AVP 8", "PCMA", "RTP/AVP 0 8 13 101"),
        ("--codecs PCMA,PCMU", "audio 6000 RTP/AVP 0 8", "PCMU", "RTP/AVP 8 0 13 101"),
    ] {
        let (mut phone, port) = answering_phone(stage, 1, options)?;
        let remote = format!("127.0.0.1:{port}");
        let mut sipp = sipp(stage, "uac_late_offer.xml", free_port(), Some(&remote), Said { media, ..SAID })?;
        sipp.expect_success(SOON)?;
        let offer = message(&sipp, "SIP/2.0 200")?;
        if !offer.contains(wanted) {
            return Err(format!("no {wanted:?} in\n{offer}").into());
        }
        expect(&call_of(&mut phone, true)?, "/codec", codec)?;
    }
    Ok(())
}

fn calling_phone(stage: &Stage, sipp_port: u16, more: &str) -> Result<Phone, Failed> {
    let port = free_port();
    let arguments = format!(
        "--account sip:alice@127.0.0.1:{sipp_port} --no-register --local-port {port} {more} \
         --headless call sip:service@127.0.0.1:{sipp_port} --for 400ms"
    );
    Phone::start(stage, "caller", &arguments)
}

fn odd_answers(stage: &Stage) -> Outcome {
    for (said, codec) in [
        (Said { media: "audio 6000 RTP/AVP 8 0", ..SAID }, "PCMA"),
        // Numbers of its own, as RFC 3264 section 6.1 allows.
        (Said { media: "audio 6000 RTP/AVP 111", attributes: &["rtpmap:111 PCMA/8000"], ..SAID }, "PCMA"),
        (Said { media: "audio 6000 RTP/AVPF 0", attributes: &["recvonly", "ptime:60"], ..SAID }, "PCMU"),
        (Said { connection: "IN IP4 0.0.0.0", ..SAID }, "PCMU"),
        (Said { media: "audio 6000 RTP/AVP 0 99 100 101", ..SAID }, "PCMU"),
    ] {
        let port = free_port();
        let mut sipp = sipp(stage, "uas_sdp.xml", port, None, said)?;
        let call = calling_phone(stage, port, "--codecs PCMU,PCMA")?.finish_call(SOON)?;
        expect(&call, "/codec", codec)?;
        sipp.expect_success(SOON)?;
    }
    Ok(())
}

/// The call is up for SIPp, so it must be ended by a BYE (RFC 3261 section 13.2.2.4); for the phone it never was.
fn bad_answers(stage: &Stage) -> Outcome {
    for said in [
        Said { media: "audio 6000 RTP/AVP 18", ..SAID },
        Said { media: "audio 0 RTP/AVP 0", ..SAID },
        Said { media: "video 6000 RTP/AVP 31", ..SAID },
        Said { media: "audio 6000 RTP/SAVP 0", ..SAID },
        Said { connection: "IN IP6 2001:db8::1", ..SAID },
        Said { media: "audio x RTP/AVP 0", ..SAID },
    ] {
        let port = free_port();
        let mut sipp = sipp(stage, "uas_sdp.xml", port, None, said)?;
        let mut phone = calling_phone(stage, port, "--codecs PCMU,PCMA")?;
        let calls = phone.expect_exit(1, SOON)?;
        match &calls[..] {
            [call] if call["established"] == false => {}
            other => return Err(format!("{}: {other:?}", said.media).into()),
        }
        sipp.expect_success(SOON)?;
    }
    Ok(())
}

/// baresip without a registrar: dials, and echoes what it hears.
fn baresip(stage: &Stage, port: u16, account: &str) -> Result<Process, Failed> {
    let folder = stage.folder("baresip");
    let modules = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    let modules =
        modules.into_iter().find(|path| Path::new(path).is_dir()).ok_or("baresip has no modules")?;
    let rtp = free_port();
    let config = format!(
        "module_path {modules}\npoll_method epoll\nnet_interface 127.0.0.1\nsip_listen 127.0.0.1:0\nrtp_ports {rtp}-{}\n\
         module aubridge.so\naudio_source aubridge,loop\naudio_player aubridge,loop\n\
         module g711.so\nmodule g722.so\nmodule opus.so\nmodule l16.so\nmodule srtp.so\n\
         module_tmp account.so\nmodule_app menu.so\n",
        rtp + 30
    );
    std::fs::write(folder.join("config"), config)?;
    std::fs::write(folder.join("accounts"), format!("<sip:baresip@127.0.0.1>;regint=0{account}\n"))?;
    std::fs::write(folder.join("contacts"), "")?;
    let mut command = Command::new("baresip");
    command.arg("-f").arg(&folder).args(["-s", "-e", &format!("/dial sip:phone@127.0.0.1:{port}")]);
    Process::spawn(stage, "baresip", &mut command)
}

/// A call of three seconds, which the phone ends.
fn called_by_baresip(stage: &Stage, options: &str, account: &str) -> Result<Value, Failed> {
    let (mut phone, port) = answering_phone_with(stage, 1, options, "--for 3s")?;
    let mut baresip = baresip(stage, port, account)?;
    let call = call_of(&mut phone, true)?;
    baresip.signal("TERM");
    baresip.wait(SOON)?;
    Ok(call)
}

/// Sound went both ways.
fn both_ways(call: &Value) -> Outcome {
    for direction in ["/packets_sent", "/packets_received"] {
        match call.pointer(direction).and_then(Value::as_u64) {
            Some(10..) => {}
            other => return Err(format!("{direction} is {other:?}: {call}").into()),
        }
    }
    Ok(())
}

fn baresip_codecs(stage: &Stage) -> Outcome {
    for (account, options, codec) in [
        (";audio_codecs=PCMA/8000/1,PCMU/8000/1", "--codecs PCMU,PCMA", "PCMA"),
        (";audio_codecs=PCMU/8000/1,PCMA/8000/1", "--codecs PCMA,PCMU", "PCMU"),
        ("", "--codecs PCMU,PCMA", ""),
    ] {
        let call = called_by_baresip(stage, options, account)?;
        both_ways(&call)?;
        if !codec.is_empty() {
            expect(&call, "/codec", codec)?;
        }
    }
    Ok(())
}

fn baresip_sdes(stage: &Stage) -> Outcome {
    for (encryption, option) in
        [("srtp-mand", "optional"), ("srtp-mand", "compulsory"), ("srtp", "compulsory"), ("srtp", "off")]
    {
        let options = format!("--srtp {option} --codecs PCMU,PCMA");
        both_ways(&called_by_baresip(stage, &options, &format!(";mediaenc={encryption}"))?)?;
    }
    Ok(())
}
