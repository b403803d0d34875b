//! How calls sound: codecs, packet times, encryption, the jitter buffer, the ports of RTP.

use core::ops::RangeInclusive;
use sidetone_codecs::{ALL, ChoiceError, CodecChoice, CodecSpec, g722, g729, pcma, pcmu};
use sidetone_hal::audio::AudioPath;
use sidetone_media::dtmf::{DtmfMode, InfoKind};
use sidetone_media::jitter::{DelayLimits, DelayMode};
use sidetone_media::process::{AudioProcessing, EchoControl};
use sidetone_media::sdp::HoldStyle;
use sidetone_media::srtp::SrtpPolicy;
use sidetone_media::stream::SilenceSuppression;
use sidetone_media::wav::{Limits, Sound};
use sidetone_provisioning::{AccountSettings, DtmfInfo, DtmfMode as DtmfSetting, MediaSettings, Srtp};
use sidetone_sip_core::Uri;
use sidetone_sip_ua::{AudioConfig, HoldMusic, IntoUri as _, UserAgentBuilder};

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
    /// RTP takes free ports of this range; without it the system chooses.
    pub ports: Option<RangeInclusive<u16>>,
    /// The DiffServ code point of RTP and RTCP.
    pub dscp: u8,
    /// What may be done to the microphone's sound.
    pub room: Room,
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
        Self { audio, ports: None, dscp: DSCP, room }
    }
}

/// Text that is no list of codecs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; expected names among {}", names().join(", "))]
pub struct CodecsError {
    reason: String,
}

impl Media {
    pub(super) fn apply_file(&mut self, settings: &MediaSettings) -> Result<(), String> {
        self.audio.description.codecs =
            codecs_of(&settings.codecs).map_err(|error| format!("media.codecs: {error}"))?;
        self.audio.delay = delay_of(settings)?;
        (self.audio.dtmf.duration, self.audio.dtmf.stream.gap) = (settings.dtmf_duration, settings.dtmf_gap);
        self.ports = ports_of(settings)?;
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
                codecs_of(&settings.codecs).map_err(|error| format!("codecs: {error}"))?;
        }
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
        let builder = builder.audio(self.audio.clone()).rtp_dscp(self.dscp);
        match &self.ports {
            Some(ports) => builder.rtp_ports(ports.clone()),
            None => builder,
        }
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

fn ports_of(settings: &MediaSettings) -> Result<Option<RangeInclusive<u16>>, String> {
    let Some(first) = settings.port else { return Ok(None) };
    let last = settings.port_last.unwrap_or(0);
    if last <= first {
        return Err(format!(
            "media.port_last: the ports from {first} to {last} hold no pair for RTP and RTCP: expected a port above media.port"
        ));
    }
    Ok(Some(first..=last))
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
