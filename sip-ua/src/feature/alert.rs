//! How a call rings: Alert-Info, Bellcore rings, internal and external calls.

use super::info;
use alloc::string::String;
use alloc::vec::Vec;
use sidetone_sip_core::header::{AlertInfo, Info};
use sidetone_sip_core::{Headers, Uri};

/// How a call rings.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Ring {
    /// The ring that is set for the account or the telephone.
    Usual,
    /// A ring of the telephone by its number, from 1 (`Ring1.wav` …).
    BuiltIn(u8),
    /// A cadence, 1 to 5 (`media::tone::RingCadence`). The fifth is a splash that is played once (YLB-085).
    Bellcore(u8),
    /// A sound to fetch; the usual ring when that fails.
    Url(Uri),
    /// No sound.
    Silent,
    /// No ring: the call answers itself, as [`auto_answer`](super::auto_answer) says. When that is not allowed, the call rings as
    /// [`AlertConfig::ring_unless_answered`] says.
    AutoAnswer,
}

/// A text in Alert-Info and the ring that it stands for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RingText {
    /// The text, as `family` or `internal`; compared without case, and with or without `alert-` in front of what is received.
    /// Up to 32 characters on the telephones.
    pub text: String,
    /// The ring.
    pub ring: Ring,
}

impl RingText {
    /// A text for a ring.
    #[must_use]
    pub fn new(text: impl Into<String>, ring: Ring) -> Self {
        Self { text: text.into(), ring }
    }
}

/// How Alert-Info chooses the ring.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AlertConfig {
    /// Whether `Bellcore-drN` plays the cadence N; else the built-in ring N (Yealink `features.alert_info_tone`). Default: no.
    pub bellcore: bool,
    /// Whether a sound is fetched from a URL (Yealink `account.X.alert_info_url_enable`). Default: yes.
    pub url: bool,
    /// Texts and their rings (Yealink `distinctive_ring_tones.alert_info.X.text` and `.ringer`), by account if they are
    /// kept so. The first that fits counts; at most [`AlertConfig::MAX_TEXTS`] are looked at. Default: none.
    pub texts: Vec<RingText>,
    /// How many built-in rings there are: `ringtone-N` beyond them is ring 1 (YLB-077). Default 5.
    pub built_in: u8,
}

impl Default for AlertConfig {
    fn default() -> Self {
        Self { bellcore: false, url: true, texts: Vec::new(), built_in: 5 }
    }
}

/// How a call rings, and on which line it is shown.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// The ring.
    pub ring: Ring,
    /// The line that `x-line-id` names, from 0.
    pub line: Option<u32>,
}

impl AlertConfig {
    /// Texts that are looked at: the telephones have 10; a server's own phones have a ring for each queue at most.
    pub const MAX_TEXTS: usize = 64;

    /// How a call with these headers rings, in the order of the telephones (YLB-073, YLB-074): the ring of the caller's
    /// contact or group; automatic answer; a URL; a Bellcore, `ringtone` or `MyMelody` keyword; an info text; the usual ring.
    ///
    /// `contact` is the ring that the directory has for the caller. Automatic answer is not a ring that it could replace.
    #[must_use]
    pub fn resolve(&self, headers: &Headers, contact: Option<Ring>) -> Alert {
        let alert = self.ring_unless_answered(headers, contact);
        if super::auto_answer::asked_by_info(headers).is_some() {
            return Alert { ring: Ring::AutoAnswer, ..alert };
        }
        alert
    }

    /// The same as if nobody asked for automatic answer.
    #[must_use]
    pub fn ring_unless_answered(&self, headers: &Headers, contact: Option<Ring>) -> Alert {
        let infos: Vec<Info> = info::values::<AlertInfo>(headers).collect();
        let line = infos.iter().find_map(|info| info.params.get("x-line-id")?.parse().ok());
        let ring = contact
            .or_else(|| infos.iter().find_map(|info| self.by_url(info)))
            .or_else(|| infos.iter().find_map(|info| self.by_keyword(info)))
            .or_else(|| infos.iter().find_map(|info| self.by_text(info)));
        Alert { ring: ring.unwrap_or(Ring::Usual), line }
    }

    /// A sound to fetch, unless the URL only carries a keyword.
    fn by_url(&self, info: &Info) -> Option<Ring> {
        const FETCHED: [&str; 5] = ["http:", "https:", "ftp:", "tftp:", "file:"];
        let uri = info.uri().filter(|_| self.url)?;
        let text = uri.as_str();
        let fetched = FETCHED.iter().any(|scheme| starts_with(text, scheme));
        // `<http://127.0.0.1>;info=family` points to nothing: there is no path behind the host.
        let has_path = text
            .split_once("://")
            .is_some_and(|(_, rest)| rest.split_once('/').is_some_and(|(_, path)| !path.is_empty()));
        (fetched && has_path && self.by_keyword(info).is_none()).then(|| Ring::Url(uri.clone()))
    }

    fn by_keyword(&self, info: &Info) -> Option<Ring> {
        if let Some(number) = info.bellcore() {
            return Some(match number {
                1..=5 if self.bellcore => Ring::Bellcore(number),
                1.. if number <= self.built_in => Ring::BuiltIn(number),
                _ => Ring::BuiltIn(1),
            });
        }
        let word = info.keyword()?;
        let digits = ["ringtone-", "MyMelody"].iter().find_map(|name| {
            let (front, digits) = word.split_at_checked(name.len())?;
            front.eq_ignore_ascii_case(name).then_some(digits)
        })?;
        let number = digits.trim_start_matches('-');
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // A number that is too large for its type is too large for the rings as well.
        let ring = digits.parse().ok().filter(|ring| (1..=self.built_in).contains(ring));
        Some(Ring::BuiltIn(ring.unwrap_or(1)))
    }

    fn by_text(&self, info: &Info) -> Option<Ring> {
        let named = info.info();
        let urn = info.uri().and_then(|uri| urn_alert(uri.as_str()));
        let words = [named.as_deref(), urn, info.keyword()];
        self.texts.iter().take(Self::MAX_TEXTS).find_map(|entry| {
            let fits = words.into_iter().flatten().any(|word| {
                same(word, &entry.text)
                    || word.get(..6).is_some_and(|front| front.eq_ignore_ascii_case("alert-"))
                        && word.get(6..).is_some_and(|rest| same(rest, &entry.text))
            });
            fits.then(|| entry.ring.clone())
        })
    }
}

fn starts_with(text: &str, front: &str) -> bool {
    text.get(..front.len()).is_some_and(|start| start.eq_ignore_ascii_case(front))
}

fn same(word: &str, text: &str) -> bool {
    !text.is_empty() && word.trim().eq_ignore_ascii_case(text.trim())
}

/// `internal` of `urn:alert:source:internal` (RFC 7462).
fn urn_alert(uri: &str) -> Option<&str> {
    starts_with(uri, "urn:alert:").then(|| uri.rsplit(':').next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_sip_core::HeaderName;

    fn alert(value: &str) -> Headers {
        let mut headers = Headers::new();
        headers.push_raw(HeaderName::ALERT_INFO, value).unwrap();
        headers
    }

    fn url(text: &str) -> Ring {
        Ring::Url(text.parse().unwrap())
    }

    fn config() -> AlertConfig {
        let texts = ["family", "internal", "quiet"];
        let rings = [Ring::BuiltIn(3), Ring::BuiltIn(4), Ring::Silent];
        let texts = texts.into_iter().zip(rings).map(|(text, ring)| RingText::new(text, ring)).collect();
        AlertConfig { texts, ..AlertConfig::default() }
    }

    #[test]
    fn each_form_of_the_guide_has_its_ring() {
        for (value, ring) in [
            ("http://127.0.0.1/Bellcore-dr1", Ring::BuiltIn(1)),
            ("127.0.0.1/Bellcore-dr3", Ring::BuiltIn(3)),
            ("Bellcore-dr5", Ring::BuiltIn(5)),
            ("Bellcore-dr9", Ring::BuiltIn(1)),
            ("ringtone-2", Ring::BuiltIn(2)),
            ("MyMelody2", Ring::BuiltIn(2)),
            ("<http://127.0.0.1/MyMelody4>", Ring::BuiltIn(4)),
            ("ringtone-0", Ring::BuiltIn(1)),
            ("ringtone-6", Ring::BuiltIn(1)),
            ("ringtone-99999", Ring::BuiltIn(1)),
            ("ringtone-x", Ring::Usual),
            ("<http://192.168.0.12:8080/Custom.wav>", url("http://192.168.0.12:8080/Custom.wav")),
            ("http://192.168.0.12:8080/Custom.wav", url("http://192.168.0.12:8080/Custom.wav")),
            ("info=family;x-line-id=0", Ring::BuiltIn(3)),
            ("<http://10.1.0.31>;info=family", Ring::BuiltIn(3)),
            ("<http://127.0.0.1/>;info=alert-internal", Ring::BuiltIn(4)),
            ("<urn:alert:source:internal>", Ring::BuiltIn(4)),
            ("info=quiet", Ring::Silent),
            ("info=stranger", Ring::Usual),
            ("Auto Answer", Ring::AutoAnswer),
            ("<sip:pbx>;info=alert-autoanswer", Ring::AutoAnswer),
            ("<sip:pbx.example.com>", Ring::Usual),
            ("", Ring::Usual),
        ] {
            assert_eq!(config().resolve(&alert(value), None).ring, ring, "{value}");
        }
        assert_eq!(config().resolve(&Headers::new(), None).ring, Ring::Usual);
        assert_eq!(config().resolve(&alert("info=family;x-line-id=2"), None).line, Some(2));
    }

    #[test]
    fn the_switches_choose_cadences_and_forbid_urls() {
        let config = AlertConfig { bellcore: true, url: false, ..config() };
        assert_eq!(config.resolve(&alert("Bellcore-dr2"), None).ring, Ring::Bellcore(2));
        assert_eq!(config.resolve(&alert("Bellcore-dr6"), None).ring, Ring::BuiltIn(1));
        assert_eq!(config.resolve(&alert("<http://h/Custom.wav>"), None).ring, Ring::Usual);
    }

    #[test]
    fn of_several_kinds_the_first_of_the_order_counts() {
        let kinds = ["info=family", "Bellcore-dr2", "<http://h/a.wav>", "<sip:pbx>;answer-after=0"];
        let rings = [Ring::BuiltIn(3), Ring::BuiltIn(2), url("http://h/a.wav"), Ring::AutoAnswer];
        let mut headers = Headers::new();
        for (kind, ring) in kinds.into_iter().zip(rings) {
            headers.push_raw(HeaderName::ALERT_INFO, kind).unwrap();
            assert_eq!(config().resolve(&headers, None).ring, ring, "{kind}");
        }
        let contact = Some(Ring::BuiltIn(5));
        assert_eq!(config().resolve(&headers, contact.clone()).ring, Ring::AutoAnswer);
        assert_eq!(config().ring_unless_answered(&headers, contact).ring, Ring::BuiltIn(5));
    }
}
