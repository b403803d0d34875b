//! Who calls, who was called before, and what of it may be shown: Privacy, Remote-Party-ID, Diversion, P-Early-Media
//! (RFC 3323, RFC 3325, draft-ietf-sip-privacy-04, RFC 5806, RFC 5009).

use super::address::{NameAddr, address};
use super::emit_display;
use super::word::{from_str, number};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue};
use crate::parse::grammar;
use crate::text::{Text, offset};
use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// Privacy: what of the sender the network is to hide (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1).
///
/// Leniency: [`commas_in_privacy`](crate::Leniency::commas_in_privacy).
///
/// ```
/// use sidetone_sip_core::header::Privacy;
/// let privacy: Privacy = "header;id".parse().unwrap();
/// assert!(privacy.has("id") && !privacy.has("none"));
/// assert_eq!(Privacy::from_iter(["user", "critical"]).to_string(), "user;critical");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privacy(pub Vec<Text>);

impl Privacy {
    /// Whether this kind is asked for: `id`, `user`, `header`, `session`, `history`, `none`, `critical`; without case.
    #[must_use]
    pub fn has(&self, kind: &str) -> bool {
        self.0.iter().any(|named| named.eq_ignore_ascii_case(kind))
    }
}

impl Header for Privacy {
    const NAME: HeaderName = HeaderName::PRIVACY;
    const SET: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_value(HeaderValue::whole(value))
    }

    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        let mut kinds = Vec::new();
        let commas = value.lenient().commas_in_privacy();
        for kind in value.as_bytes().split(|&byte| byte == b';' || commas && byte == b',') {
            let at = offset(value.as_bytes(), kind);
            if kinds.len() >= super::options::MOST {
                return Err(ParseError::new(ParseErrorKind::Range, at));
            }
            let token = grammar::complete(kind, grammar::token);
            let token = token.map_err(|error| ParseError { at: at + error.at, ..error })?;
            kinds.push(Text::slice_ascii(value.source(), token));
        }
        Ok(Self(kinds))
    }

    emit_display!();

    fn merge(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

from_str!(Privacy);

impl<T: Into<Text>> FromIterator<T> for Privacy {
    fn from_iter<I: IntoIterator<Item = T>>(kinds: I) -> Self {
        Self(kinds.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, kind)| {
            f.write_str(if index == 0 { "" } else { ";" })?;
            f.write_str(kind)
        })
    }
}

address! {
    /// One value of Remote-Party-ID: who takes part, as a trusted network says (draft-ietf-sip-privacy-04 §5).
    ///
    /// ```
    /// use sidetone_sip_core::header::RemotePartyId;
    /// let party: RemotePartyId =
    ///     r#""John Doe" <sip:jdoe@foo.com>;party=calling;id-type=subscriber;privacy=full;screen=yes"#.parse().unwrap();
    /// assert_eq!((party.party().as_deref(), party.is_screened()), (Some("calling"), true));
    /// assert!(party.hides("name") && party.hides("uri"));
    /// ```
    RemotePartyId = REMOTE_PARTY_ID, list: true;

    /// One value of Diversion: who sent the call on, and why; the latest stands first (RFC 5806).
    ///
    /// ```
    /// use sidetone_sip_core::header::Diversion;
    /// let diversion: Diversion =
    ///     r#"<sip:+19195551002@example.com>;reason=user-busy;counter=2;privacy="off";screen=no"#.parse().unwrap();
    /// assert_eq!((diversion.reason().as_deref(), diversion.counter()), (Some("user-busy"), 2));
    /// assert_eq!((diversion.address().uri.user().as_deref(), diversion.hides("uri")), (Some("+19195551002"), false));
    /// ```
    Diversion = DIVERSION, list: true;
}

/// What both say of what may be shown of the address, and whether it is true.
macro_rules! presentation {
    ($($name:ident),+) => {$(
        impl $name {
            /// The `privacy` parameter: `full`, `name`, `uri`, `off`.
            #[must_use]
            pub fn privacy(&self) -> Option<Cow<'_, str>> {
                self.params.get("privacy")
            }

            /// Whether the `name` or the `uri` must not be shown: `privacy` is that or `full`.
            #[must_use]
            pub fn hides(&self, what: &str) -> bool {
                self.privacy().is_some_and(|privacy| {
                    privacy
                        .split([',', ' ', '-'])
                        .any(|word| word.eq_ignore_ascii_case("full") || word.eq_ignore_ascii_case(what))
                })
            }

            /// Whether the network has verified the identity: `screen=yes`.
            #[must_use]
            pub fn is_screened(&self) -> bool {
                self.params.get("screen").is_some_and(|screen| screen.eq_ignore_ascii_case("yes"))
            }
        }
    )+};
}

presentation!(RemotePartyId, Diversion);

impl RemotePartyId {
    /// The same for `calling` or `called`.
    #[must_use]
    pub fn with_party(mut self, party: &str) -> Self {
        self.0.params.set("party", party);
        self
    }

    /// `calling` or `called`. Without the parameter, RFC's draft means the sender of the message.
    #[must_use]
    pub fn party(&self) -> Option<Cow<'_, str>> {
        self.params.get("party")
    }

    /// `subscriber`, `user`, `term` or another.
    #[must_use]
    pub fn id_type(&self) -> Option<Cow<'_, str>> {
        self.params.get("id-type")
    }
}

impl Diversion {
    /// The same with a reason: `user-busy`, `no-answer`, `unavailable`, `unconditional`, `time-of-day`,
    /// `do-not-disturb`, `deflection`, `follow-me`, `out-of-service`, `away`, `unknown`.
    #[must_use]
    pub fn with_reason(mut self, reason: &str) -> Self {
        self.0.params.set("reason", reason);
        self
    }

    /// The same with how often the call was diverted here.
    #[must_use]
    pub fn with_counter(mut self, counter: u32) -> Self {
        self.0.params.set("counter", &counter.to_string());
        self
    }

    /// Who sent the call on.
    #[must_use]
    pub const fn address(&self) -> &NameAddr {
        &self.0
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Option<Cow<'_, str>> {
        self.params.get("reason")
    }

    /// How many diversions the value stands for; 1 without the parameter (RFC 5806 §4).
    #[must_use]
    pub fn counter(&self) -> u32 {
        number(&self.params, "counter").unwrap_or(1)
    }

    /// How many diversions more are allowed.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        number(&self.params, "limit")
    }
}

super::options::options! {
    /// P-Early-Media: whether there is media before the answer, and in which direction (RFC 5009 §8).
    ///
    /// ```
    /// use sidetone_sip_core::header::{MediaDirection, PEarlyMedia};
    /// let early: PEarlyMedia = "sendrecv, gated".parse().unwrap();
    /// assert!(early.has("gated"));
    /// assert_eq!(early.directions().collect::<Vec<_>>(), [MediaDirection::SendRecv]);
    /// ```
    PEarlyMedia = P_EARLY_MEDIA;
}

/// A direction as P-Early-Media has it: as the receiver of the header may use the media (RFC 5009 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaDirection {
    /// `sendrecv`
    SendRecv,
    /// `sendonly`
    SendOnly,
    /// `recvonly`
    RecvOnly,
    /// `inactive`
    Inactive,
}

impl PEarlyMedia {
    /// The directions, one for each media line, or one for all; other words are left out.
    pub fn directions(&self) -> impl Iterator<Item = MediaDirection> {
        const NAMES: [(&str, MediaDirection); 4] = [
            ("sendrecv", MediaDirection::SendRecv),
            ("sendonly", MediaDirection::SendOnly),
            ("recvonly", MediaDirection::RecvOnly),
            ("inactive", MediaDirection::Inactive),
        ];
        self.0.iter().filter_map(|word| {
            NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, direction)| *direction)
        })
    }
}
