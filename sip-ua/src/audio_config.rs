//! What a call's audio is made from: plain data with documented defaults.

use alloc::vec::Vec;
use core::time::Duration;
use sidetone_codecs::{CodecChoice, pcma, pcmu};
use sidetone_hal::net::{IpAddr, Ipv4Addr};
use sidetone_media::dtmf::{DtmfMode, InfoKind};
use sidetone_media::jitter::DelayLimits;
use sidetone_media::process::AudioProcessing;
use sidetone_media::sdp::LocalMedia;
use sidetone_media::srtp::{SrtpPolicy, Suite};
use sidetone_media::stream::{RtcpConfig, SilenceSuppression, StreamDtmf};
use sidetone_media::wav::Sound;
use sidetone_sip_core::Uri;

/// How the calls of a user agent, or of one account, sound and are negotiated.
///
/// ```
/// use sidetone_codecs::{g722, pcma};
/// use sidetone_sip_ua::AudioConfig;
///
/// let mut audio = AudioConfig::with_codecs([&g722::SPEC, &pcma::SPEC]);
/// audio.description.ptime = 30;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AudioConfig {
    /// What offers and answers say: codecs in order, packet times, payload types and so on. Its address and ports do not
    /// count: they are those that a call gets.
    pub description: LocalMedia,
    /// How long speech may be held back against jitter.
    pub delay: DelayLimits,
    /// What is done to the microphone's sound before it is sent: echo, noise, gain. [`AudioProcessing::OFF`] by default;
    /// see [`AudioProcessing::for_path`]. It can change during a call (`CallHandle::set_audio_processing`).
    pub processing: AudioProcessing,
    /// Whether and how often we report on calls (RTCP).
    pub rtcp: RtcpConfig,
    /// The differentiated services code point of this audio's RTP, 0 to 63 (RFC 2474). `None`, the default: the user
    /// agent's.
    pub dscp: Option<u8>,
    /// That of its RTCP. `None`, the default: that of [`dscp`](Self::dscp), or the user agent's.
    pub rtcp_dscp: Option<u8>,
    /// What is sent while nobody speaks. Comfort noise also needs `description.comfort_noise`.
    pub silence: SilenceSuppression,
    /// How key presses are sent and heard. A mode without telephone events leaves them out of offers and answers, whatever
    /// `description.dtmf` says.
    pub dtmf: DtmfConfig,
    /// What those whom we hold hear.
    pub on_hold: HoldMusic,
    /// Whether the audio port of a call is left alone, neither read nor written, while its session is inactive both ways
    /// (`a=inactive`): such a call costs next to nothing, which a server with many of them is glad of. What the port plays
    /// goes on where it was. Off by default: a sound card and a recording want every frame.
    pub rest_while_inactive: bool,
    /// Whether calls are encrypted, with keys in their session descriptions (RFC 4568): who can read those can hear
    /// the call, so signalling should go over TLS. Off by default.
    pub srtp: SrtpPolicy,
    /// The crypto suites of offers and answers, what is liked best first; [`Suite::USUAL`] by default.
    pub srtp_suites: Vec<Suite>,
    /// Whether calls are encrypted, with keys that the two sides agree on by DTLS between their RTP ports (RFC 5763).
    /// Signalling carries the fingerprint of a certificate, which is no secret, but must not be changed on its way. Off
    /// by default. RTP and RTCP then share one port (RFC 5761): that is offered, and who cannot gets no keys by DTLS.
    ///
    /// Beside [`srtp`](Self::srtp): keys may come by each way that is not off, and nothing is ever sent in the clear if
    /// one of them is compulsory. There is one `m=` line, and it offers:
    ///
    /// | `dtls` | `srtp` | offer |
    /// |---|---|---|
    /// | compulsory | any | `UDP/TLS/RTP/SAVP` with `a=fingerprint` |
    /// | optional or off | compulsory | `RTP/SAVP` with `a=crypto` |
    /// | optional | optional | `RTP/AVP` with both (RFC 8643); who knows both takes DTLS |
    /// | optional | off | `RTP/AVP` with `a=fingerprint` (RFC 8643) |
    ///
    /// So `dtls` compulsory and `srtp` off is DTLS and nothing else. A call whose handshake fails, or is not done
    /// within [`dtls_limit`](Self::dtls_limit), ends; its reason says why.
    #[cfg(feature = "dtls")]
    pub dtls: SrtpPolicy,
    /// How long a handshake of DTLS may take, from when the other side's RTP address is known; where that is before the
    /// answer, the handshake begins again until the call is answered. 30 seconds by default: a lost flight is repeated
    /// four times within it. With less than a few seconds, calls over a network that loses packets end.
    #[cfg(feature = "dtls")]
    pub dtls_limit: Duration,
}

/// What those whom we hold hear from us. A server of the account's may play something else to them.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum HoldMusic {
    /// Silence.
    #[default]
    Silence,
    /// A recording, again and again.
    Sound(Sound),
    /// What a music server plays, which they hear directly (RFC 7088); we introduce the two. While it does not answer, they
    /// hear silence.
    Server(Uri),
}

/// How key presses are sent and heard.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DtmfConfig {
    /// Which way they go; what a call does not allow goes another way ([`DtmfMode::paths`]).
    pub mode: DtmfMode,
    /// What bodies of INFO requests say them in (Yealink's `account.X.dtmf.info_type`).
    pub info: InfoKind,
    /// How long each lasts, 40 ms to 60 s; 100 ms by default (Panasonic's `DTMF_SIGNAL_LEN`, Dinstar's `DTMF duration`).
    pub duration: Duration,
    /// How they go through the stream of speech: pauses, levels, whether tones in it are heard.
    pub stream: StreamDtmf,
}

impl Default for DtmfConfig {
    /// As events of 100 ms; INFO as `application/dtmf-relay`.
    fn default() -> Self {
        Self {
            mode: DtmfMode::default(),
            info: InfoKind::default(),
            duration: Duration::from_millis(100),
            stream: StreamDtmf::default(),
        }
    }
}

impl AudioConfig {
    /// These codecs, what is liked best first; otherwise the defaults of [`LocalMedia`] and [`DelayLimits`].
    #[must_use]
    pub fn with_codecs<C: Into<CodecChoice>>(codecs: impl IntoIterator<Item = C>) -> Self {
        let codecs = codecs.into_iter().map(Into::into);
        let description = LocalMedia::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0, codecs);
        Self {
            description,
            delay: DelayLimits::default(),
            processing: AudioProcessing::OFF,
            rtcp: RtcpConfig::default(),
            dscp: None,
            rtcp_dscp: None,
            silence: SilenceSuppression::default(),
            dtmf: DtmfConfig::default(),
            on_hold: HoldMusic::Silence,
            rest_while_inactive: false,
            srtp: SrtpPolicy::Off,
            srtp_suites: Suite::USUAL.into(),
            #[cfg(feature = "dtls")]
            dtls: SrtpPolicy::Off,
            #[cfg(feature = "dtls")]
            dtls_limit: Duration::from_secs(30),
        }
    }

    /// What holds for a call, whichever way its keys come.
    #[cfg(feature = "tokio")]
    pub(crate) fn encryption(&self) -> SrtpPolicy {
        #[cfg(feature = "dtls")]
        let strictest = self.srtp.max(self.dtls);
        #[cfg(not(feature = "dtls"))]
        let strictest = self.srtp;
        strictest
    }

    /// The same, encrypted as `other` is.
    #[cfg(feature = "tokio")]
    pub(crate) fn encrypted_as(mut self, other: &Self) -> Self {
        self.srtp = other.srtp;
        self.srtp_suites.clone_from(&other.srtp_suites);
        #[cfg(feature = "dtls")]
        {
            (self.dtls, self.dtls_limit) = (other.dtls, other.dtls_limit);
        }
        self
    }
}

impl Default for AudioConfig {
    /// PCMU and PCMA.
    fn default() -> Self {
        Self::with_codecs([&pcmu::SPEC, &pcma::SPEC])
    }
}
