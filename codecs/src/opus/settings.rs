//! What an encoder may be told, and how it follows from `a=fmtp` (RFC 7587 §6.1).

use super::Rate;
use crate::{Agree, Fmtp, Rule, Values};

/// The format parameters of `opus/48000/2`.
pub const RULES: &[Rule] = &[
    Rule { name: "maxplaybackrate", values: Values::Range(8000, 48_000), default: 48_000, agree: Agree::Own },
    Rule {
        name: "sprop-maxcapturerate",
        values: Values::Range(8000, 48_000),
        default: 48_000,
        agree: Agree::Own,
    },
    Rule {
        name: "maxaveragebitrate",
        values: Values::Range(6000, MOST_BIT_RATE),
        default: MOST_BIT_RATE,
        agree: Agree::Own,
    },
    Rule { name: "stereo", values: Values::Flag, default: 0, agree: Agree::Own },
    Rule { name: "sprop-stereo", values: Values::Flag, default: 0, agree: Agree::Own },
    Rule { name: "cbr", values: Values::Flag, default: 0, agree: Agree::Own },
    Rule { name: "useinbandfec", values: Values::Flag, default: 0, agree: Agree::Own },
    Rule { name: "usedtx", values: Values::Flag, default: 0, agree: Agree::Own },
];

/// The most that `maxaveragebitrate` may say; it is what the format can carry.
const MOST_BIT_RATE: u32 = 510_000;

/// The percentage of lost packets that the encoder plans for when the other side asks for in-band FEC and nobody
/// has measured the loss: enough that libopus's rule spends bits on the copies at 16 kbit/s and more.
const EXPECTED_LOSS: u8 = 10;

/// What the speech is for; it steers the choice between SILK and CELT and the delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Application {
    /// Speech: high-pass, formant emphasis, SILK preferred.
    #[default]
    Voip,
    /// Music and mixed content.
    Audio,
    /// CELT alone, 4 ms less delay.
    LowDelay,
}

/// What an [`Encoder`](super::Encoder) may be told. Every value is taken to the nearest one that Opus has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bits a second on average, 6000 to 64 000 for telephony.
    pub bit_rate: u32,
    /// Every packet of the same length.
    pub constant_bit_rate: bool,
    /// Discontinuous transmission: nothing is sent in silence but one update in 400 ms.
    pub dtx: bool,
    /// Each packet carries a coarse copy of the frame before where the bit rate allows it.
    pub fec: bool,
    /// Percent of packets that are expected to be lost, 0 to 100. Without expected loss no copies are made.
    pub expected_loss: u8,
    /// 0 (least work) to 10.
    pub complexity: u8,
    /// What it is for.
    pub application: Application,
    /// The highest sample rate that the receiver can play: nothing above half of it is coded.
    pub max_playback_rate: u32,
}

impl Settings {
    /// Speech at the bit rates that RFC 7587 §3.1.1 recommends: 12 kbit/s narrow band, 20 kbit/s wide band, 28 and
    /// 40 kbit/s above.
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        let bit_rate = match rate {
            Rate::Hz8000 => 12_000,
            Rate::Hz16000 => 20_000,
            Rate::Hz24000 => 28_000,
            Rate::Hz48000 => 40_000,
        };
        Self {
            bit_rate,
            constant_bit_rate: false,
            dtx: false,
            fec: false,
            expected_loss: 0,
            complexity: 9,
            application: Application::Voip,
            max_playback_rate: rate.hz(),
        }
    }

    /// [`Self::new`] as the receiver's format parameters say. `stereo` and `sprop-stereo` change nothing: what is
    /// sent is always one channel, which every receiver plays (RFC 7587 §3.4).
    #[must_use]
    pub fn from_fmtp(rate: Rate, theirs: &Fmtp) -> Self {
        let settings = Self::new(rate);
        let value = |name| theirs.get(name);
        let flag = |name| value(name) == Some(1);
        let fec = flag("useinbandfec");
        Self {
            bit_rate: settings.bit_rate.min(value("maxaveragebitrate").unwrap_or(MOST_BIT_RATE)),
            constant_bit_rate: flag("cbr"),
            dtx: flag("usedtx"),
            fec,
            expected_loss: if fec { EXPECTED_LOSS } else { 0 },
            max_playback_rate: value("maxplaybackrate").unwrap_or(48_000).min(rate.hz()),
            ..settings
        }
    }

    pub(super) fn apply(&self, encoder: &mut opus_pure::OpusEncoder) {
        let clamp = |value: u32, most: u32| i32::try_from(value.min(most)).unwrap_or(i32::MAX);
        encoder.bitrate_bps = clamp(self.bit_rate.max(6000), MOST_BIT_RATE);
        encoder.rate_control = if self.constant_bit_rate {
            opus_pure::RateControl::Cbr
        } else {
            opus_pure::RateControl::ConstrainedVbr
        };
        encoder.use_dtx = self.dtx;
        encoder.use_inband_fec = self.fec;
        encoder.packet_loss_perc = clamp(self.expected_loss.into(), 100);
        encoder.complexity = clamp(self.complexity.into(), 10);
        encoder.max_bandwidth = match self.max_playback_rate {
            0..12_000 => opus_pure::Bandwidth::Narrowband,
            12_000..16_000 => opus_pure::Bandwidth::Mediumband,
            16_000..24_000 => opus_pure::Bandwidth::Wideband,
            24_000..48_000 => opus_pure::Bandwidth::Superwideband,
            48_000.. => opus_pure::Bandwidth::Fullband,
        };
    }
}

impl Application {
    pub(super) const fn of_the_crate(self) -> opus_pure::Application {
        match self {
            Self::Voip => opus_pure::Application::Voip,
            Self::Audio => opus_pure::Application::Audio,
            Self::LowDelay => opus_pure::Application::RestrictedLowDelay,
        }
    }
}
