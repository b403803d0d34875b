//! The command line.

use crate::audio::Directions;
use crate::models::Model;
use clap::{Args, Parser, Subcommand, ValueEnum};
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;
use core::time::Duration;
use sidetone_media::resample::RATES;
use sidetone_media::srtp::SrtpPolicy;
use std::path::PathBuf;

/// A SIP desk phone: with a panel in the browser, or without a person for scripts.
#[derive(Debug, Parser)]
#[command(name = "sidetone-phone", version, after_help = EXAMPLES)]
pub struct Cli {
    /// Start the demo: a small PBX and two phones in this process; prints the panel's address
    #[arg(long, conflicts_with_all = ["account", "headless", "config", "proxy", "no_register"])]
    pub demo: bool,

    /// An account to use: `sip:user:password@host[:port]`. May be given several times
    #[arg(long, global = true, value_name = "URI")]
    pub account: Vec<SecretArg>,

    /// Where every request goes first: `sip:host[:port]`
    #[arg(long, global = true, value_name = "URI")]
    pub proxy: Option<SecretArg>,

    /// The transport towards provider and proxy
    #[arg(long, global = true, value_name = "PROTOCOL")]
    pub transport: Option<TransportArg>,

    /// The SIP port to listen at, UDP and TCP; without it the system chooses
    #[arg(long, global = true, value_name = "PORT")]
    pub local_port: Option<u16>,

    /// The address to listen at; every interface without it
    #[arg(long, global = true, value_name = "IP")]
    pub local_address: Option<IpAddr>,

    /// Certificates of authorities to trust besides the system's, PEM or DER. May be given several times
    #[arg(long, global = true, value_name = "FILE")]
    pub authority: Vec<PathBuf>,

    /// Accept any server's certificate: the connection is secret, but anybody may be at its end
    #[arg(long, global = true)]
    pub any_certificate: bool,

    /// Our own certificate, for servers that ask for one and for connections to us
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,

    /// The key of --certificate
    #[arg(long, global = true, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,

    /// The port to listen at for TLS, which takes --certificate; without it only the phone connects
    #[arg(long, global = true, value_name = "PORT")]
    pub tls_port: Option<u16>,

    /// A DNS server to ask instead of the system's. May be given several times
    #[arg(long, global = true, value_name = "IP:PORT")]
    pub dns: Vec<SocketAddr>,

    /// Where the panel is served, on the loopback interface; port 0 lets the system choose (default: 127.0.0.1:8080 or the next
    /// free port)
    #[arg(long, value_name = "ADDRESS")]
    pub panel: Option<SocketAddr>,

    /// Which telephone to be: es620, c60s, cp860 or ut670
    #[arg(long, value_parser = <&'static Model>::from_str)]
    pub model: Option<&'static Model>,

    /// The codecs of calls, what is liked best first, with format parameters: 'PCMU,G729;annexb=no'
    #[arg(long, global = true, value_name = "NAMES")]
    pub codecs: Option<String>,

    /// Whether calls are encrypted: never, where the other side can, or else not at all
    #[arg(long, global = true, value_name = "WHEN")]
    pub srtp: Option<SrtpArg>,

    /// The same with keys by DTLS between the RTP ports, in place of keys in SDP, or beside them
    #[arg(long, global = true, value_name = "WHEN")]
    pub dtls: Option<SrtpArg>,

    /// Speak and listen at a sound card in place of the browser: the system's, or the one of this name
    #[cfg(feature = "sound-card")]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["demo", "headless"])]
    pub sound_card: Option<String>,

    /// Settings from a file; options on the command line go first
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Do not register: calls go straight to the host in their address
    #[arg(long, global = true)]
    pub no_register: bool,

    /// Print every SIP message as a ladder on the standard error output at the end
    #[arg(long, global = true)]
    pub trace: bool,

    /// Run without a panel and without a person: then `call`, `message`, `answer`, `register`, `blf`, `mwi` or `pnp` follows
    #[arg(long)]
    pub headless: bool,

    /// What to do without a person
    #[command(subcommand)]
    pub action: Option<Action>,
}

const EXAMPLES: &str = "\
Examples:
  sidetone-phone --demo
  sidetone-phone --account 'sip:alice:secret@example.org' --transport tcp
  sidetone-phone --account 'sip:alice:secret@example.org' --headless call sip:bob@example.org \\
      --play in.wav --record out.wav --dtmf 123# --for 10s
  sidetone-phone --account 'sip:bob:secret@example.org' --headless answer --count 0

Without a person, one line of JSON is printed for each call. Exit status: 0 the call was up and ended in order, 1 it failed,
2 the command line or the settings are wrong, 3 registration failed.";

/// What to do without a person.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Call an address, and hang up after --for or when the other side does
    Call {
        /// Whom to call: sip:user@host, user@host, or a number at the account's host
        to: String,
        /// Hide who calls, whatever the settings say
        #[arg(long)]
        anonymous: bool,
        /// What goes on in the call.
        #[command(flatten)]
        script: Script,
    },
    /// Send a text, and print what became of it
    Message {
        /// To whom: sip:user@host, user@host, or a number at the account's host
        to: String,
        /// What it says
        text: String,
    },
    /// Have a conference of the server call people, or put them out, from outside of it; print what became of each
    Room {
        /// The conference: its number, or sip:user@host
        room: String,
        /// Whom, likewise
        #[arg(required = true, num_args = 1..=32)]
        people: Vec<String>,
        /// Put them out
        #[arg(long)]
        out: bool,
    },
    /// Answer incoming calls
    Answer {
        /// How many calls to answer before ending; 0 goes on until a signal
        #[arg(long, default_value_t = 1, value_name = "N")]
        count: u32,
        /// Ring for this long before answering
        #[arg(long, value_name = "TIME", value_parser = duration)]
        ring_for: Option<Duration>,
        /// Refuse calls by do not disturb; what the settings say of calls holds all the same
        #[arg(long, conflicts_with = "forward")]
        dnd: bool,
        /// Send every call there (302)
        #[arg(long, value_name = "WHO")]
        forward: Option<String>,
        /// What goes on in a call.
        #[command(flatten)]
        script: Script,
    },
    /// Register, print how that went, and un-register
    Register,
    /// Watch an extension (BLF), and print each state
    Blf {
        /// Which: a number at the account's host, or sip:user@host
        extension: String,
        /// End after this time; without it on a signal
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        length: Option<Duration>,
    },
    /// Ask the network where the settings are (plug and play), and print what it tells
    Pnp,
    /// Watch the account's voice mail, and print what waits
    Mwi {
        /// End after this time; without it on a signal
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        length: Option<Duration>,
    },
}

/// What goes on in a call without a person.
#[derive(Clone, Debug, Default, Args)]
pub struct Script {
    /// Speak the sound of this WAV file once: PCM, float, A-law or u-law, of any rate
    #[arg(long, value_name = "FILE")]
    pub play: Option<PathBuf>,
    /// Record what is heard to this WAV file; the second call goes to FILE-2.wav and so on
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// What is recorded: what is heard, both sides in one channel, or in a channel each
    #[arg(long, value_name = "WHAT", default_value = "heard", requires = "record")]
    pub record_what: Record,
    /// Samples a second of microphone, ear and recording; without it those of the file to play, or 16000
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate: Option<u32>,
    /// Send these digits half a second after the call is up: 0-9, *, #, A-D
    #[arg(long, value_name = "DIGITS", value_parser = digits)]
    pub dtmf: Option<String>,
    /// Hang up this long after the call is up: 10s, 500ms, 1m
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub length: Option<Duration>,
    /// Hold the call this long after it is up, for this long: 2s:3s. May be given several times
    #[arg(long, value_name = "AT:FOR", value_parser = hold)]
    pub hold: Vec<Hold>,
    /// Transfer the other side this long after the call is up, without asking there first: 2s:sip:carol@example.org
    #[arg(long, value_name = "AT:WHO", value_parser = at)]
    pub transfer: Option<At>,
    /// Call somebody this long after the call is up, and transfer the other side to them when they have answered
    #[arg(long, value_name = "AT:WHO", value_parser = at, conflicts_with = "transfer")]
    pub attended: Option<At>,
    /// Call somebody this long after the call is up, and join both calls. May be given several times
    #[arg(long, value_name = "AT:WHO", value_parser = at)]
    pub conference: Vec<At>,
}

/// Whom to call, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// How long after the call is up.
    pub at: Duration,
    /// Whom: as for `call`.
    pub who: String,
}

/// What a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Record {
    /// What the other side says.
    #[default]
    Heard,
    /// Both sides in one channel.
    Mixed,
    /// Both sides, in a channel each.
    Split,
}

impl From<Record> for Directions {
    fn from(what: Record) -> Self {
        match what {
            Record::Heard => Self::Heard,
            Record::Mixed => Self::Mixed,
            Record::Split => Self::Split,
        }
    }
}

/// A pause in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// When it begins, after the call is up.
    pub at: Duration,
    /// How long it is.
    pub length: Duration,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TransportArg {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
    /// A secret connection.
    Tls,
    /// What the NAPTR and SRV records of the server's domain say.
    Dns,
}

/// When calls are encrypted (RFC 4568, RFC 5763).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SrtpArg {
    /// Never.
    Off,
    /// Where the other side can.
    Optional,
    /// Always: other calls are refused.
    Compulsory,
}

impl From<SrtpArg> for SrtpPolicy {
    fn from(when: SrtpArg) -> Self {
        match when {
            SrtpArg::Off => Self::Off,
            SrtpArg::Optional => Self::Optional,
            SrtpArg::Compulsory => Self::Compulsory,
        }
    }
}

/// An argument that may hold a password: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretArg(String);

impl SecretArg {
    /// The argument as given.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SecretArg {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for SecretArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Cli {
    /// Checks what the grammar of the command line cannot.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn check(self) -> Result<Self, clap::Error> {
        use clap::CommandFactory as _;
        let wrong =
            |message: &str| Err(Self::command().error(clap::error::ErrorKind::ArgumentConflict, message));
        match (self.headless, &self.action) {
            (true, None) => {
                wrong("--headless needs an action after it: call, message, answer, register, blf or mwi")
            }
            (false, Some(_)) => {
                wrong("call, message, answer, register, blf and mwi need --headless before them")
            }
            _ => Ok(self),
        }
    }
}

/// Reads `10s`, `500ms`, `1m`, `2h`: a number, decimals allowed, and a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number with a unit, such as 10s, 500ms, 1m".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(expected)?;
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(expected()),
    };
    let seconds = number.parse::<f64>().map_err(|_| expected())? * scale;
    if seconds > 86_400.0 {
        return Err("expected at most 24h".to_owned());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| expected())
}

fn rate(text: &str) -> Result<u32, String> {
    let known = text.parse().ok().filter(|rate| RATES.contains(rate));
    known.ok_or_else(|| "expected 8000, 16000, 32000 or 48000".to_owned())
}

fn hold(text: &str) -> Result<Hold, String> {
    let (at, length) = text.split_once(':').ok_or("expected two times, such as 2s:3s")?;
    Ok(Hold { at: duration(at)?, length: duration(length)? })
}

fn at(text: &str) -> Result<At, String> {
    let (at, who) =
        text.split_once(':').ok_or("expected a time and whom to call, such as 2s:sip:carol@example.org")?;
    Ok(At { at: duration(at)?, who: who.to_owned() })
}

fn digits(text: &str) -> Result<String, String> {
    match text.chars().find(|c| !matches!(c, '0'..='9' | '*' | '#' | 'A'..='D')) {
        Some(wrong) => Err(format!("{wrong:?} is no digit: expected 0-9, *, #, A-D")),
        None if text.len() > 128 => Err("expected at most 128 digits".to_owned()),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(core::iter::once("sidetone-phone").chain(line.split(' '))).and_then(Cli::check)
    }

    #[test]
    fn the_command_lines_of_the_readme_are_understood() {
        let cli = parse("--demo --panel 127.0.0.1:0 --model c60s").expect("a command line");
        assert!(cli.demo && cli.model.is_some_and(|model| model.name == "c60s"));

        let cli = parse(
            "--account sip:alice:secret@host --proxy sip:host:5062 --transport tcp --local-port 5080 \
             --headless call sip:bob@host --play in.wav --record out.wav --dtmf 123# --for 10s",
        )
        .expect("a command line");
        let Some(Action::Call { to, script, anonymous: false }) = cli.action else {
            panic!("{:?}", cli.action)
        };
        assert_eq!((to.as_str(), script.dtmf.as_deref()), ("sip:bob@host", Some("123#")));
        assert_eq!(script.length, Some(Duration::from_secs(10)));
        assert_eq!((cli.local_port, cli.transport), (Some(5080), Some(TransportArg::Tcp)));

        let cli = parse(
            "--headless answer --play a.wav --count 0 --ring-for 1s --hold 2s:3s --hold 8s:500ms --no-register \
             --account sip:a@b --account sip:c@d --trace",
        )
        .expect("options may follow the action");
        assert!(cli.no_register && cli.trace && cli.account.len() == 2);
        let Some(Action::Answer { count: 0, ring_for, script, dnd: false, forward: None }) = cli.action
        else {
            panic!("{:?}", cli.action)
        };
        assert_eq!(ring_for, Some(Duration::from_secs(1)));
        assert_eq!(script.hold[1], Hold { at: Duration::from_secs(8), length: Duration::from_millis(500) });
        let cli = parse("--headless call sip:a@b --transfer 2s:sip:c@d:5070").expect("a command line");
        let Some(Action::Call { script, .. }) = cli.action else { panic!("{:?}", cli.action) };
        let who = At { at: Duration::from_secs(2), who: "sip:c@d:5070".to_owned() };
        assert_eq!(script.transfer, Some(who));
        assert!(matches!(parse("--headless register").expect("valid").action, Some(Action::Register)));
    }

    #[test]
    fn wrong_command_lines_say_what_was_expected() {
        for (line, expected) in [
            (
                "--headless",
                "--headless needs an action after it: call, message, answer, register, blf or mwi",
            ),
            ("--headless call sip:a@b --rate 44100", "expected 8000, 16000, 32000 or 48000"),
            ("call sip:a@b", "call, message, answer, register, blf and mwi need --headless before them"),
            ("--headless answer --dnd --forward sip:a@b", "cannot be used with"),
            ("--headless call sip:a@b --for 10", "expected a number with a unit"),
            ("--headless call sip:a@b --for 1e9s", "expected a number with a unit"),
            ("--headless call sip:a@b --for 99h", "at most 24h"),
            ("--headless call sip:a@b --hold 2s", "expected two times, such as 2s:3s"),
            ("--headless call sip:a@b --transfer 2s", "expected a time and whom to call"),
            ("--headless call sip:a@b --dtmf 12x", "'x' is no digit"),
            ("--model x", "expected es620, c60s, cp860 or ut670"),
            ("--demo --account sip:a@b", "cannot be used with"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.to_string().contains(expected), "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let cli = parse("--account sip:alice:secret@host --proxy sip:u:secret@host").expect("valid");
        assert!(!format!("{cli:?}").contains("secret"));
        assert_eq!(cli.account[0].expose(), "sip:alice:secret@host");
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m"), Ok(Duration::from_secs(60)));
        for wrong in ["", "s", "10", "-1s", "1.2.3s", "1 s", "10sec"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
