//! The phone out of the box asks the network where its settings are: a group that a server of Python listens to, in the ways
//! in which servers answer, and a server that the settings name, which is SIPp.

use crate::peers::phone::{Phone, expect};
use crate::peers::process::Process;
use crate::peers::sipp::Sipp;
use crate::peers::{Needs, Outcome, PYTHON, SIPP, SOON, Stage, WAITING, free_port, trial_with_share};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::process::Command;

const URL: &str = "http://192.0.2.1/settings/001565113a42.cfg";
const GROUP: &str = "224.0.1.75";

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[PYTHON];
    let light = |name, needs, run| trial_with_share(WAITING, name, needs, run);
    vec![
        light("a_phone_finds_its_settings_by_multicast", NEEDS, |stage| by_multicast(stage, "dialog")),
        light("a_phone_understands_a_notify_without_tags", NEEDS, |stage| by_multicast(stage, "tagless")),
        light("a_phone_follows_content_indirection", NEEDS, |stage| by_multicast(stage, "indirect")),
        light("a_phone_passes_over_a_notify_of_no_use", NEEDS, |stage| by_multicast(stage, "pair")),
        light("a_phone_asks_the_server_that_is_set", &[SIPP], by_server),
    ]
}

fn phone(stage: &Stage, lines: &str) -> Result<Value, Failed> {
    let settings = stage.path("phone.conf");
    std::fs::write(&settings, format!("phone.model = c60s\nphone.mac = 00:15:65:11:3A:42\n{lines}"))?;
    let arguments = format!("--config {} --headless pnp", settings.display());
    let reports = Phone::start(stage, "phone", &arguments)?.expect_exit(0, SOON)?;
    match <[Value; 1]>::try_from(reports) {
        Ok([report]) => Ok(report),
        Err(reports) => Err(format!("{reports:?}").into()),
    }
}

fn by_multicast(stage: &Stage, style: &str) -> Outcome {
    let port = free_port();
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pnp_server.py"));
    command.args([GROUP, &port.to_string(), "127.0.0.1", URL, style]);
    let mut server = Process::spawn(stage, "pnp_server.py", &mut command)?;
    server.wait_for_line("listening", SOON)?;
    let report = phone(stage, &format!("pnp.port = {port}\npnp.interface = 127.0.0.1\n"))?;
    let asked = server.wait_for_line("heard SUBSCRIBE", SOON)?;
    let wanted = format!("sip:MAC%3A001565113a42@{GROUP}:{port} ");
    let event = "ua-profile;profile-type=device;vendor=\"Sidetone\";model=\"c60s\";version=";
    if !asked.contains(&wanted) || !asked.contains(event) {
        return Err(format!("asked was: {asked}").into());
    }
    server.wait_for_line("answered SIP/2.0 200", SOON)?;
    expect(&report, "/urls", vec![URL])
}

/// DIN-149.
fn by_server(stage: &Stage) -> Outcome {
    let port = free_port();
    let mut server = Sipp::start(stage, "uas_pnp.xml", port, None, &["-m", "1"])?;
    let report =
        phone(stage, &format!("pnp.server = 127.0.0.1\npnp.port = {port}\npnp.interface = 127.0.0.1\n"))?;
    expect(&report, "/urls", vec!["https://192.0.2.7/first/", "tftp://192.0.2.7/second"])?;
    expect(&report, "/effective_by_s", 3600)?;
    server.expect_success(SOON)
}
