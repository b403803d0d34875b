//! The phone's own program, headless.

use super::process::Process;
use super::{SOON, Stage};
use core::time::Duration;
use libtest_mimic::Failed;
use serde_json::Value;
use std::process::Command;

pub(crate) struct Phone {
    process: Process,
    name: String,
}

/// How a run ended: the exit status and one JSON object per call.
pub(crate) struct Report {
    pub(crate) exit: Option<i32>,
    pub(crate) calls: Vec<Value>,
}

impl Phone {
    /// `arguments` is split at blanks.
    pub(crate) fn start(stage: &Stage, name: &str, arguments: &str) -> Result<Self, Failed> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetone-phone"));
        command.args(arguments.split_whitespace()).current_dir(stage.folder(name));
        Ok(Self { process: Process::spawn(stage, name, &mut command)?, name: name.to_owned() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until the phone has the SIP port that it was given.
    pub(crate) fn wait_for_port(&self, port: u16) -> Result<(), Failed> {
        self.process.wait_for_udp_port(port, SOON)
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.process.signal("INT");
    }

    pub(crate) fn wait_for_line(&mut self, needle: &str, bound: Duration) -> Result<String, Failed> {
        self.process.wait_for_line(needle, bound)
    }

    pub(crate) fn finish(&mut self, bound: Duration) -> Result<Report, Failed> {
        let status = self.process.wait(bound)?;
        let mut calls = Vec::new();
        for line in self.process.stdout().lines().filter(|line| line.starts_with('{')) {
            let call =
                serde_json::from_str(line).map_err(|error| format!("{}: {error}: {line}", self.name))?;
            calls.push(call);
        }
        Ok(Report { exit: status.code(), calls })
    }

    /// Waits for a run that must end well, with a single call that was established.
    pub(crate) fn finish_call(&mut self, bound: Duration) -> Result<Value, Failed> {
        let Report { exit, calls } = self.finish(bound)?;
        match (exit, <[Value; 1]>::try_from(calls)) {
            (Some(0), Ok([call])) if call["established"] == true => {
                println!("{}: {call}", self.name);
                Ok(call)
            }
            (exit, calls) => Err(format!("{}: exit {exit:?}, calls {calls:?}", self.name).into()),
        }
    }

    /// Waits for a run that must fail with this exit status.
    pub(crate) fn expect_exit(&mut self, code: i32, bound: Duration) -> Result<Vec<Value>, Failed> {
        let report = self.finish(bound)?;
        match report.exit == Some(code) {
            true => Ok(report.calls),
            false => Err(format!("{}: exit {:?}, expected {code}", self.name, report.exit).into()),
        }
    }
}

/// Asks for an equal field of a call's summary.
pub(crate) fn expect(call: &Value, pointer: &str, expected: impl Into<Value>) -> Result<(), Failed> {
    let expected = expected.into();
    match call.pointer(pointer) {
        Some(value) if *value == expected => Ok(()),
        value => Err(format!("{pointer} is {value:?}, expected {expected}: {call}").into()),
    }
}
