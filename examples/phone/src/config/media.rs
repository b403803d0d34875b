//! How calls sound: codecs, packet times, encryption, the jitter buffer, the ports of RTP.

use crate::models::Model;
use sidetone_codecs::{ALL, ChoiceError, CodecChoice, CodecSpec, g722, g729, pcma, pcmu};
use sidetone_hal::audio::AudioPath;
use sidetone_media::dtmf::{DtmfMode, InfoKind};
use sidetone_media::jitter::{DelayLimits, DelayMode};
use sidetone_media::process::{AudioProcessing, EchoControl};
use sidetone_media::sdp::HoldStyle;
use sidetone_media::srtp::SrtpPolicy;
use sidetone_media::stream::SilenceSuppression;
use sidetone_media::wav::{Limits, Sound};
use sidetone_provisioning::{
    AccountSettings, DtmfInfo, DtmfMode as DtmfSetting, MediaSettings, SoundSettings, Srtp,
};
use sidetone_sip_core::Uri;
use sidetone_sip_ua::{AudioConfig, HoldMusic, IntoUri as _, PortPlan, PortRules, UserAgentBuilder};

/// The rates at which a codec is looked for by its name alone, what sounds best first.
const RATES: [u32; 3] = [16_000, 8000, 44_100];
/// The codecs when nobody names any, as in the settings' schema.
const DEFAULT_CODECS: [&CodecSpec; 4] = [&g722::SPEC, &pcmu::SPEC, &pcma::SPEC, &g729::SPEC];
/// Expedited forwarding, as RFC 4594 §4.1 has it for telephony.
const DSCP: u8 = 46;

/// What the speech of calls goes through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Media {
    /// What calls say and do, where an account has nothing of its own.
    pub audio: AudioConfig,
    /// The ports of RTP.
    pub ports: PortPlan,
    /// The DiffServ code point of RTP and RTCP.
    pub dscp: u8,
    /// What may be done to the microphone's sound.
    pub room: Room,
    /// Whether PCMU is behind an account's codecs in any case.
    pcmu_always: bool,
    /// Whether the longest delay against jitter has to be longer than the one at the beginning (PAB-154).
    delay_grows: bool,
}

/// What may be done to the microphone's sound; how much of it is depends on where the person speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the settings' schema documents them")]
pub struct Room {
    pub echo_cancellation: bool,
    pub noise_suppression: bool,
    pub gain_control: bool,
}

impl Room {
    /// What is done on a path.
    #[must_use]
    pub fn processing(self, path: AudioPath) -> AudioProcessing {
        let mut processing = AudioProcessing::for_path(path);
        if !self.echo_cancellation {
            processing.echo = EchoControl::Off;
        }
        if !self.noise_suppression {
            processing.noise_reduction = 0;
        }
        if !self.gain_control {
            processing.gain = None;
        }
        processing
    }
}

impl Default for Media {
    fn default() -> Self {
        let room = Room { echo_cancellation: true, noise_suppression: true, gain_control: true };
        let mut audio = AudioConfig::with_codecs(DEFAULT_CODECS);
        audio.description.comfort_noise = true;
        Self { audio, ports: PortPlan::any(), dscp: DSCP, room, pcmu_always: false, delay_grows: false }
    }
}

/// Text that is no list of codecs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; expected names among {}", names().join(", "))]
pub struct CodecsError {
    reason: String,
}

impl Media {
    pub(super) fn apply_file(&mut self, settings: &MediaSettings, model: &Model) -> Result<(), String> {
        self.pcmu_always = settings.pcmu_always;
        self.delay_grows = model.name == "ut670";
        self.audio.description.codecs =
            self.codecs_of(&settings.codecs).map_err(|error| format!("media.codecs: {error}"))?;
        self.audio.delay = delay_of(settings)?;
        (self.audio.dtmf.duration, self.audio.dtmf.stream.gap) = (settings.dtmf_duration, settings.dtmf_gap);
        self.audio.dtmf.stream.ends = settings.dtmf_ends;
        self.ports = ports_of(settings, model)?;
        self.dscp = settings.dscp;
        self.audio.description.comfort_noise = settings.cng;
        self.audio.silence = if settings.vad { SilenceSuppression::On } else { SilenceSuppression::Agreed };
        self.audio.rtcp.enabled = settings.rtcp;
        self.audio.rtcp.interval = settings.rtcp_interval;
        self.room = Room {
            echo_cancellation: settings.echo_cancellation,
            noise_suppression: settings.noise_suppression,
            gain_control: settings.gain_control,
        };
        Ok(())
    }

    /// What an account's calls say and do.
    pub(super) fn audio_of(&self, settings: &AccountSettings) -> Result<AudioConfig, String> {
        let mut audio = self.audio.clone();
        if !settings.codecs.is_empty() {
            audio.description.codecs =
                self.codecs_of(&settings.codecs).map_err(|error| format!("codecs: {error}"))?;
        }
        let sound = &settings.sound;
        audio.delay = delay_of_account(sound, audio.delay)?;
        if self.delay_grows && audio.delay.max <= audio.delay.normal {
            return Err("jitter_max: expected more than jitter_normal".to_owned());
        }
        audio.rtcp.enabled = sound.rtcp.unwrap_or(audio.rtcp.enabled);
        audio.rtcp.interval = sound.rtcp_interval.unwrap_or(audio.rtcp.interval);
        (audio.dscp, audio.rtcp_dscp) = (sound.rtp_dscp, sound.rtcp_dscp);
        audio.description.payload_types = payload_types_of(&sound.payload_types)?;
        audio.description.origin_user.clone_from(&sound.sdp_user);
        audio.description.ptime = settings.ptime;
        audio.description.dtmf_payload_type = settings.dtmf_payload_type;
        audio.description.hold_style =
            if settings.hold_by_address { HoldStyle::ZeroAddress } else { HoldStyle::Direction };
        audio.dtmf.mode = match settings.dtmf {
            DtmfSetting::Auto => DtmfMode::Auto,
            DtmfSetting::Rfc4733 => DtmfMode::Rfc4733,
            DtmfSetting::Info => DtmfMode::Info,
            DtmfSetting::Inband => DtmfMode::Inband,
        };
        audio.dtmf.info = match settings.dtmf_info {
            DtmfInfo::DtmfRelay => InfoKind::DtmfRelay,
            DtmfInfo::Dtmf => InfoKind::Dtmf,
            DtmfInfo::TelephoneEvent => InfoKind::TelephoneEvent,
        };
        let server = settings.calls.several.music_server.trim();
        if !server.is_empty() {
            let server = music_server(server, &settings.aor).ok_or_else(|| {
                format!("music_server: {server:?}: expected an address as sip:moh@example.com, or a number")
            })?;
            audio.on_hold = HoldMusic::Server(server);
        }
        audio.srtp = policy(settings.srtp);
        audio.dtls = policy(settings.dtls);
        Ok(audio)
    }

    /// A user agent whose calls sound so.
    pub(super) fn apply(&self, builder: UserAgentBuilder) -> UserAgentBuilder {
        builder.audio(self.audio.clone()).rtp_dscp(self.dscp).rtp_port_plan(self.ports.clone())
    }

    /// The codecs that these names stand for, and PCMU behind them where that is always there (PAB-184).
    fn codecs_of(&self, text: &str) -> Result<Vec<CodecChoice>, CodecsError> {
        let mut codecs = codecs_of(text)?;
        if self.pcmu_always && !codecs.iter().any(|choice| choice.codec.name == pcmu::SPEC.name) {
            codecs.push(CodecChoice::from(&pcmu::SPEC));
        }
        Ok(codecs)
    }
}

/// A music server in the forms of YLA-082, or as a number at the account's server.
fn music_server(text: &str, aor: &str) -> Option<Uri> {
    let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text).trim();
    if text.starts_with("sip:") || text.starts_with("sips:") {
        return text.parse().ok();
    }
    if text.contains(['.', '@', ':']) {
        return format!("sip:{text}").parse().ok();
    }
    text.into_uri(&aor.parse().ok()?).ok()
}

/// What those on hold hear: a WAV file.
pub(super) fn hold_music(file: &str) -> Result<HoldMusic, String> {
    if file.is_empty() {
        return Ok(HoldMusic::Silence);
    }
    let octets = std::fs::read(file).map_err(|error| format!("hold.music: {file}: {error}"))?;
    let sound = Sound::from_wav(&octets, &Limits::default());
    sound.map(HoldMusic::Sound).map_err(|error| format!("hold.music: {file}: {error}"))
}

const fn policy(setting: Srtp) -> SrtpPolicy {
    match setting {
        Srtp::Off => SrtpPolicy::Off,
        Srtp::Optional => SrtpPolicy::Optional,
        Srtp::Compulsory => SrtpPolicy::Compulsory,
    }
}

/// The codecs that these names, between blanks or commas, stand for.
pub(super) fn codecs_of(text: &str) -> Result<Vec<CodecChoice>, CodecsError> {
    let mut codecs: Vec<CodecChoice> = Vec::new();
    for name in text.split([' ', ',']).filter(|name| !name.is_empty()) {
        let choice = codec_of(name).map_err(|error| CodecsError { reason: format!("{name:?}: {error}") })?;
        if !codecs.contains(&choice) {
            codecs.push(choice);
        }
    }
    if codecs.is_empty() { Err(CodecsError { reason: "there are none".to_owned() }) } else { Ok(codecs) }
}

/// `NAME`, `NAME/RATE`, either with `;name=value` behind it.
fn codec_of(text: &str) -> Result<CodecChoice, ChoiceError> {
    let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
    if let Some((name, rate)) = name.split_once('/') {
        let rate = rate.parse().map_err(|_| ChoiceError::Codec)?;
        return CodecChoice::parse(&format!("{name};{parameters}"), rate);
    }
    let by_rate = RATES.map(|rate| CodecChoice::parse(text, rate));
    let mut known = by_rate.into_iter().filter(|choice| !matches!(choice, Err(ChoiceError::Codec)));
    known.next().unwrap_or(Err(ChoiceError::Codec))
}

/// What can be named.
fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = ALL.iter().map(|codec| codec.name).collect();
    names.dedup();
    names
}

fn delay_of(settings: &MediaSettings) -> Result<DelayLimits, String> {
    let mode = if settings.jitter_adaptive { DelayMode::Adaptive } else { DelayMode::Fixed };
    let (min, normal, max) = (settings.jitter_min, settings.jitter_normal, settings.jitter_max);
    let limits = DelayLimits { mode, min, normal, max }.checked();
    limits.map_err(|error| format!("media.jitter_min, media.jitter_normal, media.jitter_max: {error}"))
}

/// The payload types that codecs are to have: `NAME=NUMBER` between blanks.
fn payload_types_of(text: &str) -> Result<Vec<(&'static CodecSpec, u8)>, String> {
    let read = |entry: &str| {
        let (name, number) = entry.split_once('=')?;
        let number = number.parse().ok().filter(|number| (96..=127).contains(number))?;
        Some((codec_of(name).ok()?.codec, number))
    };
    let entries = text.split_ascii_whitespace().map(|entry| {
        read(entry)
            .ok_or_else(|| format!("payload_types: {entry:?}: expected a codec and 96 to 127, as iLBC=106"))
    });
    entries.collect()
}

/// What an account has of its own of the delay against jitter.
fn delay_of_account(settings: &SoundSettings, usual: DelayLimits) -> Result<DelayLimits, String> {
    let mode = match settings.jitter_adaptive {
        Some(true) => DelayMode::Adaptive,
        Some(false) => DelayMode::Fixed,
        None => usual.mode,
    };
    let min = settings.jitter_min.unwrap_or(usual.min);
    let normal = settings.jitter_normal.unwrap_or(usual.normal);
    let max = settings.jitter_max.unwrap_or(usual.max);
    let limits = DelayLimits { mode, min, normal, max }.checked();
    limits.map_err(|error| format!("jitter_min, jitter_normal, jitter_max: {error}"))
}

/// What the ports of RTP may be on a telephone.
fn port_rules(model: &Model) -> PortRules {
    if model.name == "ut670" { PortRules::UT670 } else { PortRules::C60S }
}

/// The ports that a router forwards, or else the range.
fn ports_of(settings: &MediaSettings, model: &Model) -> Result<PortPlan, String> {
    let rules = port_rules(model);
    let range = match (settings.port, settings.port_last) {
        (None, _) => PortPlan::any(),
        (Some(first), last) => rules
            .range(first, last.unwrap_or(0))
            .map_err(|error| format!("media.port, media.port_last: {error}"))?,
    };
    let listed: Result<Vec<u16>, _> =
        settings.external_ports.split_ascii_whitespace().map(str::parse).collect();
    let listed = listed.map_err(|error| format!("media.external_ports: {error}: expected ports"))?;
    rules.external(&listed, range).map_err(|error| format!("media.external_ports: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_music_server_is_named_in_all_forms_of_the_manual() {
        let read = |text: &str| music_server(text, "sip:alice@example.org").map(|uri| uri.to_string());
        for (text, uri) in [
            ("<10.1.3.165>", "sip:10.1.3.165"),
            ("10.1.3.165", "sip:10.1.3.165"),
            ("sip:moh@sip.com", "sip:moh@sip.com"),
            ("<sip:moh@sip.com>", "sip:moh@sip.com"),
            ("<yealink.com>", "sip:yealink.com"),
            ("yealink.com", "sip:yealink.com"),
            ("moh@yealink.com", "sip:moh@yealink.com"),
            ("*45", "sip:*45@example.org"),
        ] {
            assert_eq!(read(text).as_deref(), Some(uri), "{text}");
        }
        assert_eq!(read("sip:"), None);
    }
}
