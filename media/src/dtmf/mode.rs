//! Which way digits go: what an account's settings ask for, and what a call allows.

use super::InfoKind;
use sidetone_codecs::CodecSpec;

/// What an account asks for. The vendors' settings: Yealink `account.X.dtmf.type` (0 to 3), Dinstar `DTMF Type`
/// (DIN-104), Panasonic `OUTBANDDTMF_n` and `DTMF_RELAY_n` (PAB-198, PAB-199), SayHi `DTMF` (SAY-102).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DtmfMode {
    /// As tones in the speech.
    Inband,
    /// As telephone events (RFC 4733).
    #[default]
    Rfc4733,
    /// In SIP INFO requests.
    Info,
    /// As events if they were negotiated, else in INFO if the other side allows it, else in the speech.
    Auto,
    /// As events and in INFO, both (Dinstar's combination).
    Rfc4733AndInfo,
    /// In the speech and in INFO, both (Dinstar's combination).
    InbandAndInfo,
}

impl DtmfMode {
    /// Yealink's number, 0 to 3.
    #[must_use]
    pub const fn from_yealink(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Inband),
            1 => Some(Self::Rfc4733),
            2 => Some(Self::Info),
            3 => Some(Self::Auto),
            _ => None,
        }
    }

    /// Panasonic's two settings: `DTMF_RELAY_n` goes before `OUTBANDDTMF_n` (PAB-153).
    #[must_use]
    pub const fn from_panasonic(relay: bool, out_of_band: bool) -> Self {
        match (relay, out_of_band) {
            (true, _) => Self::Info,
            (false, true) => Self::Rfc4733,
            (false, false) => Self::Inband,
        }
    }

    /// Dinstar's and SayHi's words: `Inband`, `Info`, `RFC2833`, `SIP Info`, and combinations with `+`.
    #[must_use]
    pub fn from_words(text: &str) -> Option<Self> {
        let (mut inband, mut info, mut events) = (false, false, false);
        for word in text.split(['+', '&']) {
            let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
            match word.to_ascii_lowercase().as_str() {
                "inband" => inband = true,
                "info" | "sipinfo" => info = true,
                "rfc2833" | "rfc4733" => events = true,
                "auto" | "autoorsipinfo" => return Some(Self::Auto),
                _ => return None,
            }
        }
        match (inband, info, events) {
            (true, false, false) => Some(Self::Inband),
            (false, true, false) => Some(Self::Info),
            (false, false, true) => Some(Self::Rfc4733),
            (false, true, true) => Some(Self::Rfc4733AndInfo),
            (true, true, false) => Some(Self::InbandAndInfo),
            _ => None,
        }
    }

    /// Whether offers and answers name telephone events.
    #[must_use]
    pub const fn offers_events(self) -> bool {
        matches!(self, Self::Rfc4733 | Self::Auto | Self::Rfc4733AndInfo)
    }

    /// Which ways a digit goes in a call. Asked-for events that were not negotiated go another way: in INFO if that is
    /// allowed and the codec would garble tones, else in the speech.
    #[must_use]
    pub const fn paths(self, call: &DtmfCall) -> DtmfPaths {
        let info = if call.info_allowed { Some(call.info) } else { None };
        let speech = DtmfPaths { events: false, info: None, inband: true };
        let other = match info {
            Some(_) if !call.codec_passes_tones => DtmfPaths { events: false, info, inband: false },
            _ => speech,
        };
        let events = call.events_negotiated;
        match self {
            Self::Inband => speech,
            Self::Rfc4733 if events => DtmfPaths { events, info: None, inband: false },
            Self::Rfc4733 => other,
            // What the user asked for, whether or not Allow names it: many gateways take INFO and do not say so.
            Self::Info => DtmfPaths { events: false, info: Some(call.info), inband: false },
            Self::Auto if events => DtmfPaths { events, info: None, inband: false },
            Self::Auto => match info {
                Some(_) => DtmfPaths { events: false, info, inband: false },
                None => speech,
            },
            Self::Rfc4733AndInfo => DtmfPaths { events, info: Some(call.info), inband: false },
            Self::InbandAndInfo => DtmfPaths { events: false, info: Some(call.info), inband: true },
        }
    }
}

/// What a call allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfCall {
    /// Both sides named telephone events, with the clock of the codec.
    pub events_negotiated: bool,
    /// The other side's `Allow` names INFO (or it has none, RFC 3261 §20.5).
    pub info_allowed: bool,
    /// The codec keeps two tones apart: the G.711, G.722, G.726, L16 and Opus families do; G.729, G.723.1, iLBC and AMR do
    /// not.
    pub codec_passes_tones: bool,
    /// The kind of body for INFO.
    pub info: InfoKind,
}

impl DtmfCall {
    /// Whether a codec keeps two tones apart, so that a digit in the speech is one at the other end.
    #[must_use]
    pub fn passes_tones(codec: &CodecSpec) -> bool {
        const WAVEFORM: [&str; 5] = ["PCMU", "PCMA", "G722", "L16", "opus"];
        let is = |name: &&str| codec.name.eq_ignore_ascii_case(name);
        WAVEFORM.iter().any(is) || codec.name.contains("G726")
    }
}

/// Which ways a digit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfPaths {
    /// As telephone events.
    pub events: bool,
    /// In an INFO with such a body.
    pub info: Option<InfoKind>,
    /// As a tone in the speech.
    pub inband: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: DtmfCall = DtmfCall {
        events_negotiated: true,
        info_allowed: true,
        codec_passes_tones: true,
        info: InfoKind::Dtmf,
    };

    #[test]
    fn each_mode_in_each_call() {
        let no_events = DtmfCall { events_negotiated: false, ..ALL };
        let neither = DtmfCall { info_allowed: false, ..no_events };
        let narrow = DtmfCall { codec_passes_tones: false, ..no_events };
        // Letters: event, info, speech.
        let said = |mode: DtmfMode, call: &DtmfCall| {
            let paths = mode.paths(call);
            let letters = [(paths.events, 'e'), (paths.info.is_some(), 'i'), (paths.inband, 's')];
            letters.iter().filter(|(used, _)| *used).map(|(_, letter)| *letter).collect::<String>()
        };
        let table = [
            (DtmfMode::Inband, ["s", "s", "s", "s"]),
            (DtmfMode::Rfc4733, ["e", "s", "s", "i"]),
            (DtmfMode::Info, ["i", "i", "i", "i"]),
            (DtmfMode::Auto, ["e", "i", "s", "i"]),
            (DtmfMode::Rfc4733AndInfo, ["ei", "i", "i", "i"]),
            (DtmfMode::InbandAndInfo, ["is", "is", "is", "is"]),
        ];
        for (mode, expected) in table {
            assert_eq!(
                [&ALL, &no_events, &neither, &narrow].map(|call| said(mode, call)),
                expected,
                "{mode:?}"
            );
        }
        assert_eq!(DtmfMode::Info.paths(&ALL).info, Some(InfoKind::Dtmf));
        assert!(DtmfMode::Auto.offers_events() && !DtmfMode::Info.offers_events());
    }

    #[test]
    fn tones_pass_waveform_codecs_alone() {
        use sidetone_codecs::{amr, g722, g729, g7231, ilbc, l16, opus, pcma, pcmu};
        for codec in [&pcmu::SPEC, &pcma::SPEC, &g722::SPEC, &l16::L16_44100, &opus::SPEC] {
            assert!(DtmfCall::passes_tones(codec), "{}", codec.name);
        }
        for codec in [&g729::SPEC, &g7231::SPEC, &ilbc::SPEC, &amr::SPEC] {
            assert!(!DtmfCall::passes_tones(codec), "{}", codec.name);
        }
    }

    #[test]
    fn the_vendors_settings_are_understood() {
        assert_eq!(
            [0, 1, 2, 3].map(DtmfMode::from_yealink),
            [Some(DtmfMode::Inband), Some(DtmfMode::Rfc4733), Some(DtmfMode::Info), Some(DtmfMode::Auto)]
        );
        assert_eq!(DtmfMode::from_yealink(4), None);
        assert_eq!(DtmfMode::from_panasonic(true, true), DtmfMode::Info);
        assert_eq!(DtmfMode::from_panasonic(false, true), DtmfMode::Rfc4733);
        assert_eq!(DtmfMode::from_panasonic(false, false), DtmfMode::Inband);
        for (text, mode) in [
            ("Inband", Some(DtmfMode::Inband)),
            ("RFC 2833", Some(DtmfMode::Rfc4733)),
            ("SIP Info", Some(DtmfMode::Info)),
            ("RFC2833 + Info", Some(DtmfMode::Rfc4733AndInfo)),
            ("inband+info", Some(DtmfMode::InbandAndInfo)),
            ("Auto", Some(DtmfMode::Auto)),
            ("Inband+RFC2833", None),
            ("", None),
        ] {
            assert_eq!(DtmfMode::from_words(text), mode, "{text}");
        }
    }
}
