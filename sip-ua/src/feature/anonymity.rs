//! Calls without a name, ours and others': Privacy, the forms of From, and the refusal of anonymous callers.

use super::identity::{is_anonymous_uri, withholds};
use super::number;
use super::rejection::refusing;
use super::{Rejection, ServerCode};
use alloc::vec::Vec;
use sidetone_sip_core::header::{From, PAssertedIdentity, PPreferredIdentity, Privacy, RemotePartyId};
use sidetone_sip_core::{Headers, Host, NameAddr, StatusCode, Text, Uri};

/// The host that nobody has (RFC 3323 §4.1).
const INVALID: &str = "anonymous.invalid";

/// One part of From on an anonymous call (Panasonic `SIP_ANM_DISPNAME_n`, `SIP_ANM_USERNAME_n`, `SIP_ANM_HOSTNAME_n`, by their numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnonymousPart {
    /// 0: as on any other call. For the host, `N`.
    Normal,
    /// 1: `Anonymous`, `anonymous` or `anonymous.invalid`. For the host, `Y`.
    Anonymous,
    /// 2: left out. A host cannot be left out and stays as it is.
    Absent,
}

/// How From is written on an anonymous call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnonymousFrom {
    /// The display name.
    pub name: AnonymousPart,
    /// The user.
    pub user: AnonymousPart,
    /// The host.
    pub host: AnonymousPart,
}

impl AnonymousFrom {
    /// `"Anonymous" <sip:anonymous@anonymous.invalid>` (RFC 3323 §4.1; Yealink, YLA-055).
    pub const ALL: Self = Self {
        name: AnonymousPart::Anonymous,
        user: AnonymousPart::Anonymous,
        host: AnonymousPart::Anonymous,
    };
    /// Panasonic's factory setting: only the name is hidden, and the server must do the rest (PAB-068).
    pub const PANASONIC: Self =
        Self { name: AnonymousPart::Anonymous, user: AnonymousPart::Normal, host: AnonymousPart::Normal };
    /// From stays as it is; the network hides it because of Privacy alone (RFC 3325).
    pub const NORMAL: Self =
        Self { name: AnonymousPart::Normal, user: AnonymousPart::Normal, host: AnonymousPart::Normal };

    /// Our address in this form, without parameters.
    #[must_use]
    pub fn write(self, own: &NameAddr) -> NameAddr {
        let mut uri = own.uri.without_headers();
        match self.user {
            AnonymousPart::Normal => {}
            AnonymousPart::Anonymous => uri.set_user(Some("anonymous")),
            AnonymousPart::Absent => uri.set_user(None),
        }
        if self.host == AnonymousPart::Anonymous
            && let Ok(host) = INVALID.parse::<Host>()
        {
            uri.set_host(&host, None);
        }
        let mut from = NameAddr::new(uri);
        from.display_name = match self.name {
            AnonymousPart::Normal => own.display_name.clone(),
            AnonymousPart::Anonymous => Some(Text::from_static("Anonymous")),
            AnonymousPart::Absent => None,
        };
        from
    }
}

/// In which header an anonymous call tells the own server who we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrueIdentity {
    /// In none; the server knows by the registration or by digest.
    Nowhere,
    /// P-Preferred-Identity, as a telephone does (RFC 3325 §9.2, YLA-055). The default.
    #[default]
    Preferred,
    /// P-Asserted-Identity, as a trusted gateway or PBX does (RFC 3325 §9.1).
    Asserted,
    /// Remote-Party-ID with `privacy=full` (draft-ietf-sip-privacy-04), for old servers.
    RemoteParty,
}

/// What the user wants for one call, as by a prefix that is dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Presentation {
    /// As the setting says.
    #[default]
    Default,
    /// Anonymous.
    Withhold,
    /// Shown, with `Privacy: none`, so that no server hides it (RFC 3323 §4.2).
    Show,
}

/// Our own anonymous calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnonymityConfig {
    /// Whether all calls are anonymous (Yealink `account.X.anonymous_call`, Dinstar "Anonymous call", Panasonic "Block caller
    /// ID"). Default: no.
    pub enabled: bool,
    /// The form of From. Default: [`AnonymousFrom::ALL`].
    pub from: AnonymousFrom,
    /// The values of Privacy on an anonymous call; empty for no such header. Default `id`. Panasonic `SIP_PRIVACY_n` is off at
    /// the factory.
    pub privacy: Vec<Text>,
    /// Where our true identity is told. Default: P-Preferred-Identity.
    pub identity: TrueIdentity,
    /// Whether P-Preferred-Identity is on calls that are not anonymous as well (Panasonic `SIP_P_PREFERRED_ID_n`). Default: no.
    pub always_preferred: bool,
    /// The server's codes (Yealink `anonymous_call_oncode`, `anonymous_call_offcode`).
    pub code: ServerCode,
    /// Which of the two is sent: the on code, or by default the off code (Yealink `send_anonymous_code`). Not tied to
    /// [`AnonymityConfig::enabled`]: each code works only with its own value (YLA-056).
    pub send_on_code: bool,
}

impl Default for AnonymityConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            from: AnonymousFrom::ALL,
            privacy: alloc::vec![Text::from_static("id")],
            identity: TrueIdentity::Preferred,
            always_preferred: false,
            code: ServerCode::default(),
            send_on_code: false,
        }
    }
}

/// What an INVITE has because of this.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Presented {
    /// From, without a tag, in place of our own address.
    pub from: Option<NameAddr>,
    /// Further headers.
    pub headers: Headers,
}

impl AnonymityConfig {
    /// Panasonic's factory settings: only the display name is hidden, and no header is added (PAB-015, PAB-016, PAB-068).
    #[must_use]
    pub fn panasonic() -> Self {
        Self {
            from: AnonymousFrom::PANASONIC,
            privacy: Vec::new(),
            identity: TrueIdentity::Nowhere,
            ..Self::default()
        }
    }

    /// The code that tells the server what is set; dialled when the setting is changed.
    #[must_use]
    pub fn code_to_send(&self) -> Option<&str> {
        self.code.switched(self.send_on_code)
    }

    /// What an INVITE from `own` has.
    #[must_use]
    pub fn present(&self, own: &NameAddr, wish: Presentation) -> Presented {
        let mut presented = Presented::default();
        let withhold = match wish {
            Presentation::Default => self.enabled,
            Presentation::Withhold => true,
            Presentation::Show => false,
        };
        let mut identity = NameAddr::new(own.uri.without_params());
        identity.display_name.clone_from(&own.display_name);
        if !withhold {
            if wish == Presentation::Show {
                presented.headers.push(&Privacy::from_iter(["none"]));
            }
            if self.always_preferred {
                presented.headers.push(&PPreferredIdentity(identity));
            }
            return presented;
        }
        presented.from = Some(self.from.write(own)).filter(|_| self.from != AnonymousFrom::NORMAL);
        if !self.privacy.is_empty() {
            presented.headers.push(&Privacy(self.privacy.clone()));
        }
        match self.identity {
            TrueIdentity::Nowhere if self.always_preferred => {
                presented.headers.push(&PPreferredIdentity(identity))
            }
            TrueIdentity::Nowhere => {}
            TrueIdentity::Preferred => presented.headers.push(&PPreferredIdentity(identity)),
            TrueIdentity::Asserted => presented.headers.push(&PAssertedIdentity(identity)),
            TrueIdentity::RemoteParty => {
                let mut party = RemotePartyId(identity).with_party("calling");
                party.params.set("privacy", "full");
                presented.headers.push(&party);
            }
        }
        presented
    }
}

/// Whether the caller has withheld who it is (RFC 5079 §3): Privacy `id` or `user`, From of nobody, or the display name
/// `Anonymous`. A missing network identity alone is no such sign.
#[must_use]
pub fn is_anonymous(headers: &Headers) -> bool {
    let nobody = |from: &From| {
        is_anonymous_uri(&from.uri)
            || from.display_name.as_deref().is_some_and(|name| name.trim().eq_ignore_ascii_case("anonymous"))
    };
    withholds(headers) || matches!(headers.get::<From>(), Some(Ok(from)) if nobody(&from))
}

/// Others' anonymous calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnonymousRejection {
    /// Whether they are refused (Yealink `account.X.reject_anonymous_call`, Dinstar "Anonymous Call Rejection", Panasonic
    /// "Block anonymous call"). Default: no.
    pub enabled: bool,
    /// Whether a caller without a number is refused too (PAA-047). Default: no.
    pub without_number: bool,
    /// With which status. Default 433 (RFC 5079), which Yealink's callers see as "Anonymity Disallowed".
    pub status: StatusCode,
    /// The reason phrase; empty for the usual one.
    pub reason: Text,
    /// The server's codes (Yealink `anonymous_reject_oncode`, `anonymous_reject_offcode`).
    pub code: ServerCode,
}

impl Default for AnonymousRejection {
    fn default() -> Self {
        Self {
            enabled: false,
            without_number: false,
            status: StatusCode::ANONYMITY_DISALLOWED,
            reason: Text::EMPTY,
            code: ServerCode::default(),
        }
    }
}

impl AnonymousRejection {
    /// The same, on or off.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// The same with a status, 400 to 699; any other is 433. Some servers know 433 not, and want 403 or 486.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = refusing(status, StatusCode::ANONYMITY_DISALLOWED);
        self
    }

    /// How the call is refused; `None` when it is not.
    #[must_use]
    pub fn rejects(&self, headers: &Headers) -> Option<Rejection> {
        let numberless = || {
            let uri: Option<Uri> = headers.get::<From>().and_then(Result::ok).map(|from| from.0.uri);
            !uri.as_ref().and_then(number::of_uri).is_some_and(|user| number::is_number(&user))
        };
        let refused = self.enabled && (is_anonymous(headers) || self.without_number && numberless());
        refused.then(|| Rejection::new(self.status).with_reason(self.reason.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use sidetone_sip_core::HeaderName;

    fn own() -> NameAddr {
        "\"Bob\" <sip:1012@10.2.1.199:5061>".parse().unwrap()
    }

    fn lines(headers: &Headers) -> Vec<(String, String)> {
        let line = |(name, value): (HeaderName, &[u8])| {
            (name.as_str().to_string(), String::from_utf8(value.to_vec()).unwrap())
        };
        headers.iter().map(line).collect()
    }

    #[test]
    fn an_anonymous_invite_is_yealinks_byte_for_byte() {
        let own: NameAddr = "<sip:1012@10.2.1.199>".parse().unwrap();
        let config = AnonymityConfig { enabled: true, ..AnonymityConfig::default() };
        let presented = config.present(&own, Presentation::Default);
        assert_eq!(presented.from.unwrap().to_string(), "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
        assert_eq!(
            lines(&presented.headers),
            [
                ("Privacy".into(), "id".into()),
                ("P-Preferred-Identity".into(), "<sip:1012@10.2.1.199>".into()),
            ]
        );
    }

    #[test]
    fn from_is_put_together_of_panasonics_three_parts() {
        use AnonymousPart::{Absent, Anonymous, Normal};
        for (name, user, host, from) in [
            (Anonymous, Normal, Normal, "\"Anonymous\" <sip:1012@10.2.1.199:5061>"),
            (Normal, Normal, Normal, "\"Bob\" <sip:1012@10.2.1.199:5061>"),
            (Absent, Anonymous, Normal, "<sip:anonymous@10.2.1.199:5061>"),
            (Absent, Absent, Normal, "<sip:10.2.1.199:5061>"),
            (Normal, Normal, Anonymous, "\"Bob\" <sip:1012@anonymous.invalid>"),
            (Anonymous, Absent, Anonymous, "\"Anonymous\" <sip:anonymous.invalid>"),
        ] {
            assert_eq!(AnonymousFrom { name, user, host }.write(&own()).to_string(), from);
        }
        let panasonic = AnonymityConfig::panasonic().present(&own(), Presentation::Withhold);
        assert_eq!(panasonic.from.unwrap().to_string(), "\"Anonymous\" <sip:1012@10.2.1.199:5061>");
        assert!(panasonic.headers.is_empty());
    }

    #[test]
    fn the_true_identity_is_told_where_it_is_set() {
        for (identity, name, value) in [
            (TrueIdentity::Preferred, "P-Preferred-Identity", "\"Bob\" <sip:1012@10.2.1.199:5061>"),
            (TrueIdentity::Asserted, "P-Asserted-Identity", "\"Bob\" <sip:1012@10.2.1.199:5061>"),
            (
                TrueIdentity::RemoteParty,
                "Remote-Party-ID",
                "\"Bob\" <sip:1012@10.2.1.199:5061>;party=calling;privacy=full",
            ),
        ] {
            let config = AnonymityConfig { identity, privacy: Vec::new(), ..AnonymityConfig::default() };
            let presented = config.present(&own(), Presentation::Withhold);
            assert_eq!(lines(&presented.headers), [(name.into(), value.into())]);
        }
    }

    #[test]
    fn a_call_may_be_shown_against_the_setting() {
        let config = AnonymityConfig { enabled: true, always_preferred: true, ..AnonymityConfig::default() };
        let shown = config.present(&own(), Presentation::Show);
        assert_eq!(shown.from, None);
        assert_eq!(shown.headers.require::<Privacy>().unwrap().to_string(), "none");
        assert!(shown.headers.contains(&HeaderName::P_PREFERRED_IDENTITY));
        assert_eq!(AnonymityConfig::default().present(&own(), Presentation::Default), Presented::default());
    }

    #[test]
    fn each_code_goes_with_its_own_value() {
        let mut config =
            AnonymityConfig { code: ServerCode::new("*86", "*87"), ..AnonymityConfig::default() };
        assert_eq!(config.code_to_send(), Some("*87"));
        config.send_on_code = true;
        assert_eq!(config.code_to_send(), Some("*86"));
        config.code.on.clear();
        assert_eq!(config.code_to_send(), None);
    }

    #[test]
    fn anonymous_callers_are_known_by_what_they_withhold() {
        let rejection = AnonymousRejection::default().enabled(true);
        for (from, privacy, refused) in [
            ("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1", Some("id"), true),
            ("<sip:c8oqz84zk7z@anonymous.invalid>;tag=1", None, true),
            ("\"Anonymous\" <sip:1012@10.2.1.199>;tag=1", None, true),
            ("<sip:1012@10.2.1.199>;tag=1", Some("id"), true),
            ("<sip:1012@10.2.1.199>;tag=1", Some("user;critical"), true),
            ("<sip:1012@10.2.1.199>;tag=1", Some("header"), false),
            ("<sip:1012@10.2.1.199>;tag=1", Some("none"), false),
            ("\"Alice\" <sip:alice@10.2.1.199>;tag=1", None, false),
        ] {
            let mut headers = Headers::new();
            headers.push_raw(HeaderName::FROM, from).unwrap();
            if let Some(privacy) = privacy {
                headers.push_raw(HeaderName::PRIVACY, privacy).unwrap();
            }
            let status = rejection.rejects(&headers).map(|rejection| rejection.status.code());
            assert_eq!(status, refused.then_some(433), "{from} {privacy:?}");
            assert_eq!(AnonymousRejection::default().rejects(&headers), None, "off");
        }
    }

    #[test]
    fn callers_without_a_number_are_refused_when_set() {
        let mut rejection = AnonymousRejection::default().enabled(true).with_status(403);
        rejection.without_number = true;
        rejection.reason = "No number".into();
        let mut headers = Headers::new();
        headers.push_raw(HeaderName::FROM, "<sip:alice@h>;tag=1").unwrap();
        let refused = rejection.rejects(&headers).unwrap();
        assert_eq!((refused.status.code(), refused.phrase()), (403, "No number"));
        assert_eq!(rejection.with_status(302).status.code(), 433, "no refusal");
    }
}
