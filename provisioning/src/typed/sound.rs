//! How an account's calls sound, as the phone reads it.

use crate::settings::Settings;
use core::time::Duration;

/// How an account's calls sound. `None` is as the telephone has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct SoundSettings {
    pub jitter_adaptive: Option<bool>,
    pub jitter_min: Option<Duration>,
    pub jitter_normal: Option<Duration>,
    pub jitter_max: Option<Duration>,
    pub rtcp: Option<bool>,
    pub rtcp_interval: Option<Duration>,
    pub rtp_dscp: Option<u8>,
    pub rtcp_dscp: Option<u8>,
    /// `NAME=NUMBER` between blanks.
    pub payload_types: String,
    pub sdp_user: String,
}

impl Settings {
    pub(super) fn account_sound(&self, number: u8) -> SoundSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        let delay = |name: &str| value(name).optional_number().map(|ms| Duration::from_millis(ms.into()));
        let code_point = |name: &str| value(name).optional_number().and_then(|dscp| u8::try_from(dscp).ok());
        SoundSettings {
            jitter_adaptive: match value("jitter").word() {
                "adaptive" => Some(true),
                "fixed" => Some(false),
                _ => None,
            },
            jitter_min: delay("jitter_min"),
            jitter_normal: delay("jitter_normal"),
            jitter_max: delay("jitter_max"),
            rtcp: match value("rtcp").word() {
                "on" => Some(true),
                "off" => Some(false),
                _ => None,
            },
            rtcp_interval: Some(value("rtcp_interval").seconds()).filter(|time| !time.is_zero()),
            rtp_dscp: code_point("rtp_dscp"),
            rtcp_dscp: code_point("rtcp_dscp"),
            payload_types: value("payload_types").text(),
            sdp_user: value("sdp_user").text(),
        }
    }
}
