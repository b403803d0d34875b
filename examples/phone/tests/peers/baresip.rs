//! baresip, told what to do over its `ctrl_tcp` module: netstrings of JSON, answers and events mixed.

use super::process::Process;
use super::{Outcome, SOON, Stage, free_port, sound};
use core::time::Duration;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// What baresip's microphone hears.
pub(crate) enum Microphone {
    /// A sine of so many hertz.
    Tone(f64),
    /// What it hears in the call: an echo.
    Loop,
}

/// A codec module.
#[derive(Clone, Copy)]
pub(crate) struct Codecs {
    pub(crate) module: &'static str,
    /// What its codecs run at, in samples a second and channels, and so the microphone's file must.
    pub(crate) rate: u32,
    pub(crate) channels: u16,
}

pub(crate) const G711: Codecs = Codecs { module: "g711", rate: 8000, channels: 1 };
pub(crate) const AMR: Codecs = Codecs { module: "amr", rate: 8000, channels: 1 };
pub(crate) const OPUS: Codecs = Codecs { module: "opus", rate: 48_000, channels: 2 };

/// What its files say beyond what every call needs.
#[derive(Default)]
pub(crate) struct More<'a> {
    pub(crate) modules: &'a [&'a str],
    /// Parameters of the account, each after a semicolon.
    pub(crate) account: &'a str,
    /// The file of contacts.
    pub(crate) contacts: &'a str,
    /// Whether it lets calls ring until it is told to `accept` them.
    pub(crate) rings: bool,
}

pub(crate) struct Baresip {
    folder: PathBuf,
    process: Process,
    control: TcpStream,
    received: Vec<u8>,
}

impl Baresip {
    /// Starts it as `<name>` with G.711, registered at the server on `server_port`, answering every call by itself.
    pub(crate) fn start(
        stage: &Stage,
        name: &str,
        server_port: u16,
        microphone: &Microphone,
    ) -> Result<Self, Failed> {
        Self::start_with(G711, stage, name, server_port, microphone)
    }

    /// The same with other codecs.
    pub(crate) fn start_with(
        codecs: Codecs,
        stage: &Stage,
        name: &str,
        server_port: u16,
        microphone: &Microphone,
    ) -> Result<Self, Failed> {
        Self::launch(codecs, None, &More::default(), stage, name, server_port, microphone)
    }

    /// The same with G.711 and what else its files are to say.
    pub(crate) fn start_more(
        more: &More<'_>,
        stage: &Stage,
        name: &str,
        server_port: u16,
        microphone: &Microphone,
    ) -> Result<Self, Failed> {
        Self::launch(G711, None, more, stage, name, server_port, microphone)
    }

    /// The same with G.711 and media encryption: the module that has it, and the account's `mediaenc`.
    pub(crate) fn start_encrypted(
        encryption: (&str, &str),
        stage: &Stage,
        name: &str,
        server_port: u16,
        microphone: &Microphone,
    ) -> Result<Self, Failed> {
        Self::launch(G711, Some(encryption), &More::default(), stage, name, server_port, microphone)
    }

    fn launch(
        codecs: Codecs,
        encryption: Option<(&str, &str)>,
        more: &More<'_>,
        stage: &Stage,
        name: &str,
        server_port: u16,
        microphone: &Microphone,
    ) -> Result<Self, Failed> {
        let folder = stage.folder(&format!("baresip-{name}"));
        let control_port = free_port();
        let source = match microphone {
            Microphone::Tone(hertz) => {
                let path = folder.join("microphone.wav");
                let tone = sound::tone(*hertz, codecs.rate, sound::LONG);
                sound::write_wav_with(&path, codecs.rate, codecs.channels, &tone)?;
                format!("module aufile.so\naudio_source aufile,{}", path.display())
            }
            // Loaded for this alone: where it is, baresip takes it as player of every call.
            Microphone::Loop => {
                "module aubridge.so\naudio_source aubridge,loop\naudio_player aubridge,loop".to_owned()
            }
        };
        let rtp = free_port();
        let config = format!(
            "module_path {}\npoll_method epoll\nnet_interface 127.0.0.1\nsip_listen 127.0.0.1:0\nrtp_ports {rtp}-{}\n\
             {source}\naudio_channels 1\naudio_level no\njitter_buffer_delay 5-10\nsnd_path .\n\
             call_local_timeout 60\ncall_max_calls 4\nstatmode_default off\nctrl_tcp_listen 127.0.0.1:{control_port}\n\
             module {}.so\nmodule sndfile.so\n{}\
             module_tmp account.so\nmodule_app ctrl_tcp.so\nmodule_app menu.so\n{}",
            module_folder()?.display(),
            rtp.saturating_add(30),
            codecs.module,
            encryption.map(|(module, _)| format!("module {module}.so\n")).unwrap_or_default(),
            more.modules.iter().map(|module| format!("module_app {module}.so\n")).collect::<String>(),
        );
        let by_dtls = encryption.is_some_and(|(module, _)| module == "dtls_srtp");
        // It is off in its own settings too.
        let config = if by_dtls { config + "rtcp_mux yes\n" } else { config };
        let encryption = encryption.map(|(_, kind)| format!(";mediaenc={kind}")).unwrap_or_default();
        let account = format!(
            "<sip:{name}@127.0.0.1:{server_port}>;auth_pass={name}-secret;regint=120;answermode={}{encryption}{}\n",
            if more.rings { "manual" } else { "auto" },
            more.account
        );
        std::fs::write(folder.join("config"), config)?;
        std::fs::write(folder.join("accounts"), account)?;
        std::fs::write(folder.join("contacts"), more.contacts)?;
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&folder).args(["-v", "-s"]);
        // Where it records is a short path: it cuts the names of its files when they are longer than about 120 octets.
        command.current_dir(&folder);
        if by_dtls {
            command.env("LD_PRELOAD", ec_certificate(&folder)?);
        }
        let mut process = Process::spawn(stage, &format!("baresip {name}"), &mut command)?;
        process.wait_for_line("baresip is ready", SOON)?;
        process.wait_for_line("[1 binding]", SOON)?;
        let control = TcpStream::connect(("127.0.0.1", control_port))?;
        Ok(Self { folder, process, control, received: Vec::new() })
    }

    /// Waits until it says so on its console.
    pub(crate) fn wait_for_line(&mut self, needle: &str, bound: Duration) -> Result<String, Failed> {
        self.process.wait_for_line(needle, bound)
    }

    /// Gives a command. A refusal shows at the next [`Self::wait_for`] or [`Self::listen`].
    pub(crate) fn command(&mut self, command: &str, parameters: &str) -> Outcome {
        let request = json!({ "command": command, "params": parameters, "token": "test" }).to_string();
        // At once: it may act on the last byte but one, and close the connection.
        self.control.write_all(format!("{}:{request},", request.len()).as_bytes())?;
        Ok(())
    }

    pub(crate) fn dial(&mut self, uri: &str) -> Outcome {
        self.command("dial", uri)
    }

    /// Waits for the next event of this type, and gives its `param`.
    pub(crate) fn wait_for(&mut self, event_type: &str, bound: Duration) -> Result<String, Failed> {
        let found = self.read_until(Instant::now() + bound, |message| message["type"] == event_type)?;
        let message = found.ok_or_else(|| format!("baresip had no {event_type} in {bound:?}"))?;
        Ok(message["param"].as_str().unwrap_or_default().to_owned())
    }

    /// Lets the call go on for so long; the call's end in that time is an error.
    pub(crate) fn listen(&mut self, time: Duration) -> Outcome {
        match self.read_until(Instant::now() + time, |message| message["type"] == "CALL_CLOSED")? {
            None => Ok(()),
            Some(message) => Err(format!("the call ended: {message}").into()),
        }
    }

    /// Takes messages until an event is wanted, or until the deadline.
    fn read_until(
        &mut self,
        deadline: Instant,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Option<Value>, Failed> {
        loop {
            while let Some(message) = self.next_message()? {
                if message["event"] == true && wanted(&message) {
                    return Ok(Some(message));
                }
                if message["response"] == true && message["ok"] == false {
                    return Err(format!("baresip refused a command: {message}").into());
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.control.set_read_timeout(Some(left))?;
            let mut chunk = [0; 4096];
            match self.control.read(&mut chunk) {
                Ok(0) => return Err("baresip closed its control connection".into()),
                Ok(length) => self.received.extend_from_slice(&chunk[..length]),
                Err(_) => {}
            }
        }
    }

    /// Waits for as many digits as `expected` has, and compares.
    pub(crate) fn expect_digits(&mut self, expected: &str, bound: Duration) -> Outcome {
        let deadline = Instant::now() + bound;
        let mut digits = String::new();
        while digits.len() < expected.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            let digit = self.wait_for("CALL_DTMF_START", left).map_err(|error| {
                format!("{} (digits so far {digits:?})", error.message().unwrap_or_default())
            })?;
            digits.push_str(&digit);
        }
        if digits == expected {
            Ok(())
        } else {
            Err(format!("baresip received the digits {digits:?}, not {expected:?}").into())
        }
    }

    /// What it received in its only call (module `sndfile`, decoder side). The file is complete when the call
    /// is over. It ends at the first hold, where baresip 1.0 rebuilds its decoder without the recording filter.
    pub(crate) fn recording(&self) -> Result<PathBuf, Failed> {
        let mut found = None;
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with("-dec.wav") && found.replace(path).is_some() {
                return Err("baresip made more than one recording".into());
            }
        }
        found.ok_or_else(|| "baresip made no recording".into())
    }

    /// Waits until it has received a tone for so many seconds without holes, in its only call.
    pub(crate) fn wait_for_stretch(&self, hertz: f64, seconds: f64) -> Outcome {
        self.wait_for_recording()?;
        sound::wait_for_stretch("heard by baresip", &self.recording()?, hertz, seconds)
    }

    /// Waits until it has begun to record its only call.
    pub(crate) fn wait_for_recording(&self) -> Outcome {
        self.process.wait_until("recording", SOON, || self.recording().is_ok())
    }

    /// Ends it, so that its files are complete.
    pub(crate) fn quit(mut self) -> Outcome {
        self.command("quit", "")?;
        self.process.wait(SOON).map(|_| ())
    }

    fn next_message(&mut self) -> Result<Option<Value>, Failed> {
        let Some(colon) = self.received.iter().position(|byte| *byte == b':') else { return Ok(None) };
        let length: usize = core::str::from_utf8(&self.received[..colon])?.parse()?;
        let end = colon + 1 + length;
        if self.received.len() <= end {
            return Ok(None);
        }
        let message = serde_json::from_slice(&self.received[colon + 1..end])?;
        self.received.drain(..=end);
        Ok(Some(message))
    }
}

/// What gives it a certificate of ECDSA.
fn ec_certificate(folder: &Path) -> Result<PathBuf, Failed> {
    let (source, library) = (folder.join("ec_certificate.c"), folder.join("ec_certificate.so"));
    std::fs::write(&source, include_str!("ec_certificate.c"))?;
    let output = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output()?;
    match output.status.success() {
        true => Ok(library),
        false => Err(format!("cc: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// Debian's folder is `/usr/lib/baresip/modules`; others put the architecture between.
fn module_folder() -> Result<PathBuf, Failed> {
    let candidates = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    let found = candidates.iter().map(Path::new).find(|folder| folder.join("ctrl_tcp.so").is_file());
    found.map(Path::to_owned).ok_or_else(|| format!("baresip's modules are in none of {candidates:?}").into())
}
