//! linphonec, told what to do on its standard input; it hears and plays WAV files, as a machine may have no sound card.

use super::process::Process;
use super::{Outcome, SOON, Stage, free_port, sound};
use libtest_mimic::Failed;
use std::path::PathBuf;
use std::process::Command;

pub(crate) struct Linphone {
    process: Process,
    folder: PathBuf,
    microphone: PathBuf,
    recordings: u32,
}

impl Linphone {
    /// Starts it as `<name>`, to register at the server on this port. Its microphone will hear 1000 Hz once
    /// [`Self::speak`] is called.
    pub(crate) fn start(stage: &Stage, name: &str, server_port: u16) -> Result<Self, Failed> {
        Self::launch(stage, name, server_port, 0)
    }

    /// The same, and it publishes its presence (RFC 3903).
    pub(crate) fn start_publishing(stage: &Stage, name: &str, server_port: u16) -> Result<Self, Failed> {
        Self::launch(stage, name, server_port, 1)
    }

    fn launch(stage: &Stage, name: &str, server_port: u16, publish: u8) -> Result<Self, Failed> {
        let folder = stage.folder(&format!("linphone-{name}"));
        let home = folder.join("home");
        // It makes its database, but not the folder for it.
        std::fs::create_dir_all(home.join(".local/share/linphone"))?;
        let (sip, rtp) = (free_port(), free_port());
        let config = format!(
            "[sip]\nsip_port={sip}\nsip_tcp_port=0\nsip_tls_port=0\ndefault_proxy=0\nguess_hostname=0\ninc_timeout=30\n\
             ping_with_options=0\nmedia_encryption=none\n\
             [proxy_0]\nreg_proxy=<sip:127.0.0.1:{server_port}>\nreg_identity=sip:{name}@127.0.0.1:{server_port}\n\
             reg_expires=600\nreg_sendregister=1\npublish={publish}\n\
             [auth_info_0]\nusername={name}\npasswd={name}-secret\nrealm=127.0.0.1\n\
             [sound]\nechocancellation=0\n[rtp]\naudio_rtp_port={rtp}\n[video]\nenabled=0\n"
        );
        let path = folder.join("linphonerc");
        std::fs::write(&path, config)?;
        let microphone = folder.join("microphone.wav");
        let tone = sound::tone(1000.0, 8000, sound::LONG);
        sound::write_wav_with(&microphone, 8000, 1, &tone)?;
        let mut command = Command::new("linphonec");
        command.arg("-c").arg(&path).args(["-d", "0", "-S"]).env("HOME", &home).env("TERM", "dumb");
        let mut process = Process::spawn(stage, &format!("linphone {name}"), &mut command)?;
        // With IPv6, which it takes for granted, its offers name an IPv6 address alone.
        process.write_line("ipv6 disable")?;
        process.wait_for_line("ipv6 use disabled", SOON)?;
        process.write_line("soundcard use files")?;
        process.wait_for_line("Using wav files", SOON)?;
        Ok(Self { process, folder, microphone, recordings: 0 })
    }

    pub(crate) fn command(&mut self, line: &str) -> Outcome {
        self.process.write_line(line)
    }

    pub(crate) fn wait_for_line(&mut self, needle: &str) -> Result<String, Failed> {
        self.process.wait_for_line(needle, SOON)
    }

    /// In a call: records at least so many seconds of what it hears with G.711, from now on. (Told to record before the call is up, linphonec 5.1 takes
    /// no command any more.)
    pub(crate) fn hears(&mut self, seconds: u32) -> Result<Vec<i16>, Failed> {
        self.recordings += 1;
        let path = self.folder.join(format!("heard-{}.wav", self.recordings));
        self.command(&format!("record {}", path.display()))?;
        // Twice as long: beside busy programs it plays and records with holes.
        let enough = u64::from(sound::RATE) * 2 * 2 * u64::from(seconds);
        let written = || std::fs::metadata(&path).map_or(0, |file| file.len()) >= enough;
        self.process.wait_until("recording", SOON, written)?;
        // Its header, which it writes last, counts itself among the data: 16-bit samples follow 44 octets.
        let recorded = std::fs::read(&path)?;
        let samples = recorded.get(44..).unwrap_or_default().chunks_exact(2);
        Ok(samples.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    /// In a call: says its tone.
    pub(crate) fn speak(&mut self) -> Outcome {
        let line = format!("play {}", self.microphone.display());
        self.command(&line)
    }
}
