//! Who calls: which header is believed, in which order, and the name that is shown (caller identity, CNAM); who was called; who
//! is connected.

use super::number::{self, NumberRules};
use alloc::string::String;
use alloc::vec::Vec;
use sidetone_sip_core::header::{
    From, PAssertedIdentity, PCalledPartyId, PPreferredIdentity, Privacy, RemotePartyId, To,
};
use sidetone_sip_core::{Headers, NameAddr, Text, Uri};

/// Identities of one header that are looked at: RFC 3325 §9.1 allows two, a `sip` and a `tel` URI.
const MAX_IDENTITIES: usize = 8;

/// A header that says who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdentitySource {
    /// From: as the caller says (RFC 3261).
    From,
    /// P-Asserted-Identity: as the network says (RFC 3325 §9.1).
    Asserted,
    /// P-Preferred-Identity: as the caller wants it said (RFC 3325 §9.2). Only a proxy in front of the caller gets it.
    Preferred,
    /// Remote-Party-ID of the calling party (draft-ietf-sip-privacy-04).
    RemoteParty,
}

/// The six orders of the telephones (Yealink `account.X.cid_source`, by its numbers; Dinstar "Caller ID header order").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CallerSource {
    /// 0: From alone. The default.
    #[default]
    From,
    /// 1: P-Asserted-Identity alone; without it the caller counts as anonymous, and never as From says (YLA-058).
    Pai,
    /// 2: P-Asserted-Identity, or else From.
    PaiFrom,
    /// 3: Remote-Party-ID, P-Asserted-Identity, From.
    RpidPaiFrom,
    /// 4: P-Asserted-Identity, Remote-Party-ID, From. As Dinstar shows it.
    PaiRpidFrom,
    /// 5: Remote-Party-ID, or else From.
    RpidFrom,
}

impl CallerSource {
    /// The six in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::From, Self::Pai, Self::PaiFrom, Self::RpidPaiFrom, Self::PaiRpidFrom, Self::RpidFrom];

    /// The order with the number that Yealink's configuration gives it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The headers in their order.
    #[must_use]
    pub const fn sources(self) -> &'static [IdentitySource] {
        use IdentitySource::{Asserted, From, RemoteParty};
        match self {
            Self::From => &[From],
            Self::Pai => &[Asserted],
            Self::PaiFrom => &[Asserted, From],
            Self::RpidPaiFrom => &[RemoteParty, Asserted, From],
            Self::PaiRpidFrom => &[Asserted, RemoteParty, From],
            Self::RpidFrom => &[RemoteParty, From],
        }
    }
}

/// Where the name that is shown comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameSource {
    /// The telephone's own directories, by number.
    PhoneBook,
    /// The display name in the header that the number is from: what a server with CNAM writes there too.
    Header,
    /// A CNAM query of whoever embeds this, by number.
    Cnam,
}

/// Names by number. `()` knows none; a closure is a phone book.
pub trait Names {
    /// The name in the directories.
    fn phone_book(&self, number: &str) -> Option<Text>;

    /// The name that a CNAM query gave.
    fn cnam(&self, _number: &str) -> Option<Text> {
        None
    }
}

impl Names for () {
    fn phone_book(&self, _number: &str) -> Option<Text> {
        None
    }
}

impl<F: Fn(&str) -> Option<Text>> Names for F {
    fn phone_book(&self, number: &str) -> Option<Text> {
        self(number)
    }
}

/// How the caller's identity is found and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityConfig {
    /// The headers in the order in which they are asked: [`CallerSource::sources`] or any other order. Default: From alone
    /// (Yealink `cid_source` 0).
    pub sources: Vec<IdentitySource>,
    /// Whether P-Asserted-Identity and Remote-Party-ID count from anybody, or only from a trusted server, as RFC 3325
    /// wants. The telephones believe everybody. Default: only from a trusted server.
    pub believe_everybody: bool,
    /// Whether a caller who asks for privacy is shown as anonymous even when an identity is there (RFC 3325: it must not
    /// be shown outside of the trusted network). Default: yes.
    pub honour_privacy: bool,
    /// In which order names are asked. Default: phone book, header, CNAM (YLA-059: the local name wins).
    pub names: Vec<NameSource>,
    /// What is shown of an anonymous caller. Default `Anonymous`; Yealink shows `anonymity`.
    pub anonymous: Text,
    /// How numbers are written.
    pub numbers: NumberRules,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            sources: CallerSource::From.sources().to_vec(),
            believe_everybody: false,
            honour_privacy: true,
            names: alloc::vec![NameSource::PhoneBook, NameSource::Header, NameSource::Cnam],
            anonymous: Text::from_static("Anonymous"),
            numbers: NumberRules::default(),
        }
    }
}

/// Who somebody is, for the display, the call log and the lists.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PartyIdentity {
    /// The name, if one is known and may be shown.
    pub name: Option<Text>,
    /// The number or user name as it is shown; `None` for an anonymous party.
    pub number: Option<String>,
    /// Where to call back; `None` for an anonymous party.
    pub uri: Option<Uri>,
    /// The header that all this is from.
    pub source: Option<IdentitySource>,
    /// Whether the party hides who it is.
    pub anonymous: bool,
    /// What stands on the display in one line.
    pub label: Text,
}

impl PartyIdentity {
    /// Nobody known, shown by the text.
    #[must_use]
    pub const fn anonymous(label: Text) -> Self {
        Self { name: None, number: None, uri: None, source: None, anonymous: true, label }
    }
}

impl IdentityConfig {
    /// With one of the six orders, everything else as by default.
    #[must_use]
    pub fn new(order: CallerSource) -> Self {
        Self { sources: order.sources().to_vec(), ..Self::default() }
    }

    /// Who calls. `trusted`: the request came from the account's own server.
    #[must_use]
    pub fn caller(&self, headers: &Headers, trusted: bool, names: &impl Names) -> PartyIdentity {
        if self.honour_privacy && withholds(headers) {
            return PartyIdentity::anonymous(self.anonymous.clone());
        }
        for &source in &self.sources {
            match self.identity(headers, source, trusted) {
                Found::Party(address) => return self.party(&address, source, names),
                Found::Hidden => break,
                Found::Nothing => {}
            }
        }
        PartyIdentity::anonymous(self.anonymous.clone())
    }

    /// What a party with this address is shown as: one that was dialled, or stands in a Diversion.
    #[must_use]
    pub fn shown(&self, address: &NameAddr, names: &impl Names) -> PartyIdentity {
        if is_anonymous_uri(&address.uri) {
            return PartyIdentity::anonymous(self.anonymous.clone());
        }
        PartyIdentity { source: None, ..self.party(address, IdentitySource::From, names) }
    }

    fn identity(&self, headers: &Headers, source: IdentitySource, trusted: bool) -> Found {
        let believed = trusted || self.believe_everybody;
        match source {
            IdentitySource::From => match headers.get::<From>() {
                Some(Ok(from)) if is_anonymous_uri(&from.uri) => Found::Hidden,
                Some(Ok(from)) => Found::Party(from.0),
                _ => Found::Nothing,
            },
            IdentitySource::Asserted if believed => {
                best(headers.all::<PAssertedIdentity>().flatten().map(|identity| identity.0))
            }
            IdentitySource::Preferred => {
                best(headers.all::<PPreferredIdentity>().flatten().map(|identity| identity.0))
            }
            IdentitySource::RemoteParty if believed => {
                let calling = |party: &RemotePartyId| {
                    party.party().is_none_or(|party| party.eq_ignore_ascii_case("calling"))
                };
                self.remote_party(headers.all::<RemotePartyId>().take(MAX_IDENTITIES).flatten().find(calling))
            }
            IdentitySource::Asserted | IdentitySource::RemoteParty => Found::Nothing,
        }
    }

    fn remote_party(&self, party: Option<RemotePartyId>) -> Found {
        let Some(party) = party else { return Found::Nothing };
        if self.honour_privacy && party.hides("uri") {
            return Found::Hidden;
        }
        let hides_name = self.honour_privacy && party.hides("name");
        let mut address = party.0;
        if hides_name {
            address.display_name = None;
        }
        if is_anonymous_uri(&address.uri) { Found::Hidden } else { Found::Party(address) }
    }

    fn party(&self, address: &NameAddr, source: IdentitySource, names: &impl Names) -> PartyIdentity {
        let number = number::of_uri(&address.uri);
        let asked = number.as_deref().unwrap_or_default();
        let name = self.names.iter().find_map(|from| {
            let name = match from {
                NameSource::PhoneBook => names.phone_book(asked),
                NameSource::Cnam => names.cnam(asked),
                NameSource::Header => address.display_name.clone(),
            };
            name.filter(|name| !name.trim().is_empty())
        });
        let shown = number.as_deref().map(|number| self.numbers.display(number));
        let label = name
            .clone()
            .unwrap_or_else(|| Text::from(shown.as_deref().unwrap_or_else(|| address.uri.host_str())));
        let uri = address.uri.without_headers();
        PartyIdentity { name, number: shown, uri: Some(uri), source: Some(source), anonymous: false, label }
    }
}

enum Found {
    Party(NameAddr),
    /// The header is there and says that nobody is to know.
    Hidden,
    Nothing,
}

/// Of several identities the `sip` one, which can be called back, with the name of any.
fn best(identities: impl Iterator<Item = NameAddr>) -> Found {
    let mut identities: Vec<NameAddr> = identities.take(MAX_IDENTITIES).collect();
    identities.retain(|identity| !is_anonymous_uri(&identity.uri));
    let name = identities.iter().find_map(|identity| identity.display_name.clone());
    let at = identities.iter().position(|identity| identity.uri.is_sip()).unwrap_or_default();
    identities.into_iter().nth(at).map_or(Found::Nothing, |mut identity| {
        identity.display_name = identity.display_name.or(name);
        Found::Party(identity)
    })
}

/// Whether the sender has asked that nobody learns who it is: Privacy `id` or `user` (RFC 3323 §4.2, RFC 3325 §9.3).
pub(super) fn withholds(headers: &Headers) -> bool {
    matches!(headers.get::<Privacy>(), Some(Ok(privacy)) if privacy.has("id") || privacy.has("user"))
}

/// Whether the URI is the one of nobody: a host in the domain `anonymous.invalid` (RFC 3323 §4.1), or the user `anonymous` at any
/// host or `unknown` and `restricted` at an invalid one, as some gateways write it.
pub(super) fn is_anonymous_uri(uri: &Uri) -> bool {
    let host = uri.host_str().trim_end_matches('.');
    let ends = |host: &str, domain: &str| {
        let at = host.len().checked_sub(domain.len());
        at.and_then(|at| host.split_at_checked(at)).is_some_and(|(front, end)| {
            end.eq_ignore_ascii_case(domain) && (front.is_empty() || front.ends_with('.'))
        })
    };
    let user = uri.user();
    let is_user = |name: &str| user.as_deref().is_some_and(|user| user.eq_ignore_ascii_case(name));
    let invalid = ends(host, "invalid");
    ends(host, "anonymous.invalid")
        || is_user("anonymous")
        || invalid && (is_user("unknown") || is_user("restricted"))
}

/// Whom the caller wanted: P-Called-Party-ID where a server has kept it, or else To.
#[must_use]
pub fn called(headers: &Headers) -> Option<NameAddr> {
    let kept = headers.get::<PCalledPartyId>().and_then(Result::ok).map(|called| called.0);
    kept.or_else(|| headers.get::<To>().and_then(Result::ok).map(|to| to.0))
}

/// What of caller and called group is shown of an incoming call (Panasonic `DDI_ICD_GROUP_DISPLAY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GroupDisplay {
    /// 0: the caller alone.
    CallerOnly,
    /// 1: the caller, then the group. The default.
    #[default]
    CallerFirst,
    /// 2: the group, then the caller.
    GroupFirst,
    /// 3: the group alone.
    GroupOnly,
}

impl GroupDisplay {
    /// The lines in their order; a group without a name is left out, and then the caller is shown whatever is set.
    #[must_use]
    pub fn lines(self, caller: &Text, group: Option<&Text>) -> Vec<Text> {
        let Some(group) = group.filter(|group| !group.is_empty()) else { return alloc::vec![caller.clone()] };
        match self {
            Self::CallerOnly => alloc::vec![caller.clone()],
            Self::CallerFirst => alloc::vec![caller.clone(), group.clone()],
            Self::GroupFirst => alloc::vec![group.clone(), caller.clone()],
            Self::GroupOnly => alloc::vec![group.clone()],
        }
    }
}

/// Who is shown as connected on a call that we placed (Yealink `account.X.cp_source`, by its numbers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConnectedSource {
    /// 0: P-Asserted-Identity, then Remote-Party-ID of what the other side sends. The default.
    #[default]
    PaiRpid,
    /// 1: the digits that were dialled.
    DialledDigits,
    /// 2: From of the other side's UPDATE or re-INVITE (RFC 4916); our requests then have `from-change` in Supported.
    Rfc4916,
}

/// A message from the other side that may say who is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectedFrom {
    /// A 180, 183 or 200 to our INVITE.
    Response,
    /// An UPDATE or re-INVITE within the call.
    Request,
}

impl ConnectedSource {
    /// The source with the number that Yealink's configuration gives it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::PaiRpid),
            1 => Some(Self::DialledDigits),
            2 => Some(Self::Rfc4916),
            _ => None,
        }
    }

    /// What our requests have in Supported for it.
    #[must_use]
    pub const fn supported(self) -> Option<&'static str> {
        match self {
            Self::Rfc4916 => Some("from-change"),
            Self::PaiRpid | Self::DialledDigits => None,
        }
    }

    /// Who is connected, when the message says so; `None` leaves on the display what is there, at first the dialled number.
    #[must_use]
    pub fn connected(
        self,
        identity: &IdentityConfig,
        headers: &Headers,
        message: ConnectedFrom,
        trusted: bool,
        names: &impl Names,
    ) -> Option<PartyIdentity> {
        let sources: &[IdentitySource] = match (self, message) {
            (Self::PaiRpid, _) => &[IdentitySource::Asserted, IdentitySource::RemoteParty],
            (Self::Rfc4916, ConnectedFrom::Request) => &[IdentitySource::From],
            (Self::DialledDigits, _) | (Self::Rfc4916, ConnectedFrom::Response) => return None,
        };
        // In a response the called side is the one of the Remote-Party-ID.
        if message == ConnectedFrom::Response
            && !headers.contains(&sidetone_sip_core::HeaderName::P_ASSERTED_IDENTITY)
        {
            let parties = headers.all::<RemotePartyId>().take(MAX_IDENTITIES).flatten();
            let called = |party: &RemotePartyId| {
                party.party().is_none_or(|party| party.eq_ignore_ascii_case("called"))
            };
            let mut parties = parties.filter(called);
            let believed = trusted || identity.believe_everybody;
            return match identity.remote_party(parties.next().filter(|_| believed)) {
                Found::Party(address) => Some(identity.party(&address, IdentitySource::RemoteParty, names)),
                Found::Hidden => Some(PartyIdentity::anonymous(identity.anonymous.clone())),
                Found::Nothing => None,
            };
        }
        let wanted = IdentityConfig { sources: sources.to_vec(), ..identity.clone() };
        let said = sources
            .iter()
            .any(|source| !matches!(wanted.identity(headers, *source, trusted), Found::Nothing));
        said.then(|| wanted.caller(headers, trusted, names))
    }
}

/// Marks the user of a `sip` URI as a telephone number, when it is one (Dinstar "INVITE with user=phone", Panasonic
/// `ADD_USER_PHONE_n`; both off by default).
pub fn mark_phone(uri: &mut Uri) {
    if uri.is_sip()
        && uri.user().is_some_and(|user| number::is_number(user.split(';').next().unwrap_or_default()))
    {
        uri.set_param("user", Some("phone"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use sidetone_sip_core::HeaderName;

    fn headers(lines: &[(&'static str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push_raw(HeaderName::from_static(name), value).unwrap();
        }
        headers
    }

    const FROM: (&str, &str) = ("From", "\"F\" <sip:100@example.com>;tag=1");
    const PAI: (&str, &str) = ("P-Asserted-Identity", "\"P\" <sip:200@example.com>, <tel:+49200>");
    const RPID: (&str, &str) = ("Remote-Party-ID", "\"R\" <sip:300@example.com>;party=calling;screen=yes");

    #[test]
    fn each_of_the_six_orders_takes_the_first_header_that_is_there() {
        use CallerSource::*;
        for (order, all, without_pai, without_rpid, from_alone) in [
            (From, "F", "F", "F", "F"),
            (Pai, "P", "Anonymous", "P", "Anonymous"),
            (PaiFrom, "P", "F", "P", "F"),
            (RpidPaiFrom, "R", "R", "P", "F"),
            (PaiRpidFrom, "P", "R", "P", "F"),
            (RpidFrom, "R", "R", "F", "F"),
        ] {
            let config = IdentityConfig::new(order);
            let shown =
                |lines: &[(&'static str, &str)]| config.caller(&headers(lines), true, &()).label.to_string();
            assert_eq!(shown(&[FROM, PAI, RPID]), all, "{order:?}");
            assert_eq!(shown(&[FROM, RPID]), without_pai, "{order:?}");
            assert_eq!(shown(&[FROM, PAI]), without_rpid, "{order:?}");
            assert_eq!(shown(&[FROM]), from_alone, "{order:?}");
        }
        assert_eq!(CallerSource::from_number(4), Some(PaiRpidFrom));
        assert_eq!(CallerSource::from_number(6), None);
    }

    #[test]
    fn asserted_identities_count_from_a_trusted_server_alone() {
        let mut config = IdentityConfig::new(CallerSource::PaiRpidFrom);
        let message = headers(&[FROM, PAI, RPID]);
        assert_eq!(config.caller(&message, false, &()).label, "F");
        config.believe_everybody = true;
        assert_eq!(config.caller(&message, false, &()).label, "P");
    }

    #[test]
    fn who_asks_for_privacy_is_anonymous() {
        for (lines, anonymous) in [
            (&[FROM, PAI, ("Privacy", "id")][..], true),
            (&[FROM, PAI, ("Privacy", "user;critical")], true),
            (&[FROM, PAI, ("Privacy", "none")], false),
            (&[FROM, PAI, ("Privacy", "session")], false),
            (&[("From", "<sip:anonymous@anonymous.invalid>;tag=1"), PAI], false),
            (&[("From", "<sip:anonymous@anonymous.invalid>;tag=1")], true),
            (&[("From", "<sip:anonymous@192.0.2.1>;tag=1")], true),
            (&[("From", "<sip:unknown@unknown.invalid>;tag=1")], true),
            (&[("From", "<sip:a@notanonymous.invalid>;tag=1")], false),
        ] {
            let caller = IdentityConfig::new(CallerSource::PaiFrom).caller(&headers(lines), true, &());
            assert_eq!(caller.anonymous, anonymous, "{lines:?}");
            assert_eq!(caller.number.is_none(), anonymous);
        }
        let hidden = ("Remote-Party-ID", "\"R\" <sip:300@example.com>;party=calling;privacy=full");
        let order = IdentityConfig::new(CallerSource::RpidFrom);
        assert!(order.caller(&headers(&[FROM, hidden]), true, &()).anonymous);
        let name = ("Remote-Party-ID", "\"R\" <sip:300@example.com>;party=calling;privacy=name");
        assert_eq!(order.caller(&headers(&[FROM, name]), true, &()).label, "300");
        let mut shown = order.clone();
        shown.honour_privacy = false;
        assert_eq!(shown.caller(&headers(&[FROM, hidden]), true, &()).label, "R");
    }

    #[test]
    fn names_are_asked_in_their_order() {
        struct Both;
        impl Names for Both {
            fn phone_book(&self, number: &str) -> Option<Text> {
                (number == "100").then(|| "Book".into())
            }
            fn cnam(&self, _number: &str) -> Option<Text> {
                Some("Cnam".into())
            }
        }
        let mut config = IdentityConfig::default();
        let known = headers(&[FROM]);
        let nameless = headers(&[("From", "<sip:101@example.com>;tag=1")]);
        assert_eq!(config.caller(&known, true, &Both).label, "Book");
        assert_eq!(config.caller(&nameless, true, &Both).label, "Cnam");
        assert_eq!(config.caller(&nameless, true, &()).label, "101");
        assert_eq!(config.caller(&known, true, &|_: &str| Some(Text::from("Closure"))).label, "Closure");
        config.names = alloc::vec![NameSource::Header, NameSource::PhoneBook];
        assert_eq!(config.caller(&known, true, &Both).label, "F");
    }

    #[test]
    fn a_sip_identity_is_called_back_and_a_tel_one_is_shown_as_a_number() {
        let config = IdentityConfig::new(CallerSource::Pai);
        let caller =
            config.caller(&headers(&[("P-Asserted-Identity", "\"N\" <tel:+49200>, <sip:200@b>")]), true, &());
        assert_eq!((caller.uri.unwrap().as_str(), caller.label.as_str()), ("sip:200@b", "N"));
        let caller = config.caller(&headers(&[("P-Asserted-Identity", "<tel:+49-200>")]), true, &());
        assert_eq!(caller.number.as_deref(), Some("+49200"));
        let caller =
            IdentityConfig::default().caller(&headers(&[("From", "<sip:pbx.example.com>;tag=1")]), true, &());
        assert_eq!((caller.number, caller.label.as_str()), (None, "pbx.example.com"));
        let caller = IdentityConfig::default().caller(&headers(&[("From", "garbage")]), true, &());
        assert!(caller.anonymous);
    }

    #[test]
    fn the_connected_party_is_told_by_the_set_source() {
        use ConnectedFrom::*;
        use ConnectedSource::*;
        let identity = IdentityConfig::default();
        let called = ("Remote-Party-ID", "\"R\" <sip:300@example.com>;party=called");
        for (source, message, lines, shown) in [
            (PaiRpid, Response, &[PAI, called][..], Some("P")),
            (PaiRpid, Response, &[called], Some("R")),
            (PaiRpid, Response, &[RPID], None),
            (PaiRpid, Response, &[FROM], None),
            (PaiRpid, Request, &[FROM, RPID], Some("R")),
            (DialledDigits, Response, &[PAI], None),
            (Rfc4916, Request, &[FROM, PAI], Some("F")),
            (Rfc4916, Response, &[FROM, PAI], None),
        ] {
            let party = source.connected(&identity, &headers(lines), message, true, &());
            assert_eq!(
                party.as_ref().map(|party| party.label.as_str()),
                shown,
                "{source:?} {message:?} {lines:?}"
            );
        }
        assert_eq!(PaiRpid.connected(&identity, &headers(&[PAI]), Response, false, &()), None, "not trusted");
        assert_eq!((Rfc4916.supported(), PaiRpid.supported()), (Some("from-change"), None));
        assert_eq!(ConnectedSource::from_number(1), Some(DialledDigits));
    }

    #[test]
    fn the_called_party_is_the_kept_one_or_to() {
        let to = ("To", "<sip:b@example.com>");
        assert_eq!(called(&headers(&[to])).unwrap().uri.as_str(), "sip:b@example.com");
        let kept =
            called(&headers(&[to, ("P-Called-Party-ID", "\"Sales\" <sip:sales@example.com>")])).unwrap();
        assert_eq!(kept.display_name.unwrap(), "Sales");
    }

    #[test]
    fn caller_and_group_are_shown_in_the_set_order() {
        let (caller, group) = (Text::from("Alice"), Text::from("Sales"));
        for (mode, lines) in [
            (GroupDisplay::CallerOnly, &["Alice"][..]),
            (GroupDisplay::CallerFirst, &["Alice", "Sales"]),
            (GroupDisplay::GroupFirst, &["Sales", "Alice"]),
            (GroupDisplay::GroupOnly, &["Sales"]),
        ] {
            assert_eq!(
                mode.lines(&caller, Some(&group)),
                lines.iter().map(|l| Text::from(*l)).collect::<Vec<_>>()
            );
            assert_eq!(mode.lines(&caller, None), core::slice::from_ref(&caller));
        }
    }

    #[test]
    fn only_numbers_are_marked_as_telephones() {
        for (uri, marked) in [
            ("sip:1111@tokyo.example.com", "sip:1111@tokyo.example.com;user=phone"),
            ("sip:+81-3@tokyo.example.com", "sip:+81-3@tokyo.example.com;user=phone"),
            ("sip:alice@example.com", "sip:alice@example.com"),
            ("tel:+1", "tel:+1"),
        ] {
            let mut uri: Uri = uri.parse().unwrap();
            mark_phone(&mut uri);
            assert_eq!(uri.as_str(), marked);
        }
    }
}
