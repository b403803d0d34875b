//! What to do, as the command line names it.

use core::str::FromStr;

/// A codec with all that its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Pcmu,
    Pcma,
    L16,
    G722,
    /// kbit/s.
    G726(u8),
    G729 {
        vad: bool,
    },
    /// Tenths of a kbit/s: 53 or 63.
    G7231 {
        rate: u8,
        vad: bool,
    },
    /// Milliseconds.
    Ilbc(u8),
    /// Frame type, 0 to 7.
    Amr {
        mode: u8,
        dtx: bool,
    },
    Opus {
        rate: u32,
        bit_rate: u32,
        dtx: bool,
        fec: bool,
    },
}

/// The names of AMR's modes, by frame type.
pub const AMR_MODES: [&str; 8] = ["4.75", "5.15", "5.90", "6.70", "7.40", "7.95", "10.2", "12.2"];

impl Codec {
    /// Samples a second of the PCM side.
    pub fn sample_rate(self) -> u32 {
        match self {
            Self::G722 => 16_000,
            Self::Opus { rate, .. } => rate,
            _ => 8000,
        }
    }
}

impl FromStr for Codec {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let (family, rest) = name.split_once('-').unwrap_or((name, ""));
        let flag = |word: &str| rest.split('-').skip(1).any(|part| part == word);
        let first = rest.split('-').next().unwrap_or_default();
        let codec = match (family, first) {
            ("pcmu", "") => Self::Pcmu,
            ("pcma", "") => Self::Pcma,
            ("l16", "") => Self::L16,
            ("g722", "") => Self::G722,
            ("g726", "16" | "24" | "32" | "40") => Self::G726(first.parse().unwrap_or(32)),
            ("g729a", "") => Self::G729 { vad: false },
            ("g729ab", "") => Self::G729 { vad: true },
            ("g7231", "53" | "63") => Self::G7231 { rate: first.parse().unwrap_or(63), vad: flag("vad") },
            ("ilbc20", "") => Self::Ilbc(20),
            ("ilbc30", "") => Self::Ilbc(30),
            ("amr", _) => {
                let mode = AMR_MODES.iter().position(|mode| *mode == first);
                let mode =
                    mode.ok_or_else(|| format!("amr-{first}: the modes are {}", AMR_MODES.join(" ")))?;
                Self::Amr { mode: mode as u8, dtx: flag("dtx") }
            }
            ("opus", _) => Self::opus(first, rest, flag("dtx"), flag("fec"))?,
            _ => return Err(format!("no codec is called {name}; see --help")),
        };
        let known: &[&str] = match codec {
            Self::G7231 { .. } => &["vad"],
            Self::Amr { .. } => &["dtx"],
            Self::Opus { .. } => &["dtx", "fec"],
            _ => &[],
        };
        let skip = if matches!(codec, Self::Opus { .. }) { 2 } else { 1 };
        match rest.split('-').skip(skip).find(|word| !known.contains(word)) {
            Some(word) => Err(format!("{name}: `{word}` means nothing here")),
            None => Ok(codec),
        }
    }
}

impl Codec {
    fn opus(rate: &str, rest: &str, dtx: bool, fec: bool) -> Result<Self, String> {
        let rate = match rate {
            "8k" => 8000,
            "12k" => 12_000,
            "16k" => 16_000,
            "24k" => 24_000,
            "48k" => 48_000,
            _ => return Err(format!("opus-{rate}: the rates are 8k 12k 16k 24k 48k")),
        };
        let bit_rate = rest.split('-').nth(1).and_then(|number| number.parse().ok());
        let bit_rate = bit_rate.filter(|bits| (6000..=510_000).contains(bits));
        let bit_rate =
            bit_rate.ok_or("opus: a bit rate from 6000 to 510000 is needed, as in opus-16k-24000")?;
        Ok(Self::Opus { rate, bit_rate, dtx, fec })
    }
}

/// What the other arguments say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub mode: u8,
    pub order: Order,
    pub law: Law,
    pub high_pass: bool,
    pub postfilter: bool,
    pub enhancer: bool,
    pub payload: Option<Payload>,
    pub lose: Loss,
    pub complexity: u8,
    pub application: Application,
    pub rate: Option<u32>,
    pub rebuild: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: 1,
            order: Order::Rfc3551,
            law: Law::Linear,
            high_pass: true,
            postfilter: true,
            enhancer: true,
            payload: None,
            lose: Loss::None,
            complexity: 10,
            application: Application::Voip,
            rate: None,
            rebuild: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    Rfc3551,
    Aal2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Law {
    Linear,
    Alaw,
    Ulaw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Payload {
    /// Octet-aligned.
    Oa,
    /// Bandwidth-efficient.
    Be,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Application {
    Voip,
    Audio,
    Lowdelay,
}

/// Which frames, counted from 0, do not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Loss {
    None,
    Loss7,
    Burst,
}

impl Loss {
    pub fn is_lost(self, frame: usize) -> bool {
        match self {
            Self::None => false,
            Self::Loss7 => frame % 7 == 6,
            Self::Burst => matches!(frame % 50, 20 | 21 | 22 | 37),
        }
    }
}
