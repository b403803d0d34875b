//! SIPp, with its built-in scenarios or those of `fixtures/sipp/`.

use super::process::Process;
use super::{SOON, Stage};
use core::time::Duration;
use libtest_mimic::Failed;
use std::path::PathBuf;
use std::process::Command;

pub(crate) struct Sipp {
    process: Process,
    name: String,
    messages: PathBuf,
}

impl Sipp {
    /// `scenario` is `uac`, `uas` (built in) or the name of a file in `fixtures/sipp`; `remote` is who is called.
    pub(crate) fn start(
        stage: &Stage,
        scenario: &str,
        local_port: u16,
        remote: Option<&str>,
        arguments: &[&str],
    ) -> Result<Self, Failed> {
        let folder = stage.folder(&format!("sipp-{local_port}"));
        let mut command = Command::new("sipp");
        match scenario {
            "uac" | "uas" => command.args(["-sn", scenario]),
            file => {
                command.arg("-sf").arg(format!("{}/tests/fixtures/sipp/{file}", env!("CARGO_MANIFEST_DIR")))
            }
        };
        command
            .args(["-i", "127.0.0.1", "-p", &local_port.to_string(), "-nostdin"])
            .args([
                "-trace_err",
                "-timeout",
                "300",
                "-timeout_error",
                "-trace_msg",
                "-message_file",
                "messages",
            ])
            .args(arguments)
            .args(remote)
            .env("TERM", "dumb")
            .current_dir(&folder);
        let name = format!("sipp {scenario}");
        let messages = folder.join("messages");
        let process = Process::spawn(stage, &name, &mut command)?;
        process.wait_for_udp_port(local_port, SOON)?;
        Ok(Self { process, name, messages })
    }

    /// Every message, sent and received, as SIPp wrote it down.
    pub(crate) fn messages(&self) -> String {
        // Not there before the first message; others' user names need not be UTF-8.
        String::from_utf8_lossy(&std::fs::read(&self.messages).unwrap_or_default()).into_owned()
    }

    /// Waits until a message with this text passed.
    pub(crate) fn wait_for_message(&self, text: &str, bound: Duration) -> Result<(), Failed> {
        self.process.wait_until(&format!("message {text:?}"), bound, || self.messages().contains(text))
    }

    /// Waits until the scenario is done for all its calls; any failed call is an error.
    pub(crate) fn expect_success(&mut self, bound: Duration) -> Result<(), Failed> {
        let status = self.process.wait(bound)?;
        if status.success() {
            Ok(())
        } else {
            Err(format!(
                "{}: {status} (1 = a call failed, 97 = time-out, 99 = normal exit, no calls)",
                self.name
            )
            .into())
        }
    }
}
