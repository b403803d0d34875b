//! Why a call was diverted: Diversion (RFC 5806) and History-Info (RFC 7044), read and written.

use alloc::vec::Vec;
use sidetone_sip_core::header::{Diversion, HistoryIndex, HistoryInfo, HistoryTarget, Reason};
use sidetone_sip_core::{Headers, NameAddr, Uri};

/// Diversions of one call that are read or sent on. A call that was diverted more often goes in a circle.
pub const MAX_ENTRIES: usize = 32;

/// Why a call was diverted (RFC 5806).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiversionReason {
    /// Nobody says why.
    #[default]
    Unknown,
    /// The line was busy.
    UserBusy,
    /// Nobody answered.
    NoAnswer,
    /// Nobody could be reached.
    Unavailable,
    /// All calls are diverted.
    Unconditional,
    /// The time of day.
    TimeOfDay,
    /// Nobody wants to be disturbed.
    DoNotDisturb,
    /// Somebody sent this one call on while it rang.
    Deflection,
    /// The user has gone elsewhere.
    FollowMe,
    /// The line is out of order.
    OutOfService,
    /// Nobody is there.
    Away,
}

impl DiversionReason {
    const ALL: [(Self, &'static str, u16, &'static str); 11] = [
        (Self::UserBusy, "user-busy", 486, "busy"),
        (Self::NoAnswer, "no-answer", 408, "no answer"),
        (Self::Unconditional, "unconditional", 302, "all calls are forwarded"),
        (Self::Unavailable, "unavailable", 503, "not reachable"),
        (Self::Deflection, "deflection", 480, "sent on by hand"),
        (Self::DoNotDisturb, "do-not-disturb", 404, "do not disturb"),
        (Self::TimeOfDay, "time-of-day", 404, "the time of day"),
        (Self::FollowMe, "follow-me", 404, "follow me"),
        (Self::OutOfService, "out-of-service", 404, "out of service"),
        (Self::Away, "away", 404, "away"),
        (Self::Unknown, "unknown", 404, "unknown reason"),
    ];

    fn row(self) -> (Self, &'static str, u16, &'static str) {
        Self::ALL.into_iter().find(|row| row.0 == self).unwrap_or((self, "unknown", 404, "unknown reason"))
    }

    /// Its name in Diversion.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The reason that a name in Diversion stands for; [`DiversionReason::Unknown`] for any other.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let row = Self::ALL.into_iter().find(|row| name.trim().eq_ignore_ascii_case(row.1));
        row.map_or(Self::Unknown, |row| row.0)
    }

    /// The status that stands for it in History-Info and in the `cause` parameter (RFC 4458, RFC 7544).
    #[must_use]
    pub fn cause(self) -> u16 {
        self.row().2
    }

    /// The reason that such a status stands for.
    #[must_use]
    pub fn from_cause(cause: u16) -> Self {
        match cause {
            // While it rang; the table has the deflection before it rang.
            487 => Self::Deflection,
            600 => Self::UserBusy,
            404 => Self::Unknown,
            cause => Self::ALL.into_iter().find(|row| row.2 == cause).map_or(Self::Unknown, |row| row.0),
        }
    }

    /// A few English words for the display.
    #[must_use]
    pub fn words(self) -> &'static str {
        self.row().3
    }
}

/// What a telephone that forwards writes into Diversion (Panasonic `SIP_ADD_DIVERSION_n`, PAB-097, by its numbers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DiversionMode {
    /// 0: nothing.
    None,
    /// 1: its own diversion alone. The default.
    #[default]
    Own,
    /// 2: its own above those that the call came with.
    Append,
}

impl DiversionMode {
    /// The mode with Panasonic's number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Own),
            2 => Some(Self::Append),
            _ => None,
        }
    }

    /// The Diversion headers of the 302 or of the new INVITE, the newest first. `call` are the headers of the INVITE, `own` is who
    /// diverts it. `hidden`: the diverting party must not be shown.
    ///
    /// Ours counts for those that are not sent on, so that whoever counts sees a circle in any mode; a `limit` becomes one less
    /// (RFC 5806).
    #[must_use]
    pub fn write(self, call: &Headers, own: &NameAddr, reason: DiversionReason, hidden: bool) -> Headers {
        let mut headers = Headers::new();
        if self == Self::None {
            return headers;
        }
        let earlier: Vec<Diversion> = read_diversion(call).collect();
        let mut address = NameAddr::new(own.uri.without_params());
        address.display_name.clone_from(&own.display_name);
        let counter = match self {
            Self::Append => 1,
            Self::Own | Self::None => count(call).saturating_add(1),
        };
        let mut ours = Diversion(address).with_reason(reason.name()).with_counter(counter);
        if let Some(limit) = earlier.first().and_then(Diversion::limit) {
            ours.params.set("limit", &alloc::string::ToString::to_string(&limit.saturating_sub(1)));
        }
        ours.params.set("privacy", if hidden { "full" } else { "off" });
        headers.push(&ours);
        if self == Self::Append {
            earlier.iter().take(MAX_ENTRIES - 1).for_each(|diversion| headers.push(diversion));
        }
        headers
    }
}

/// The History-Info of a call that is sent on (RFC 7044): the entries that it came with; one for `asked`, its Request-URI, when
/// the last of them is another; the reason with it why the call moved on; and, when the new INVITE is ours, one for `target`.
/// A 302 has no `target`: whoever follows it adds that entry.
///
/// The history of a call that already has [`MAX_ENTRIES`] is sent on as it is.
#[must_use]
pub fn write_history(call: &Headers, asked: &Uri, reason: DiversionReason, target: Option<&Uri>) -> Headers {
    let mut entries: Vec<HistoryInfo> = read_history(call).collect();
    let mut headers = Headers::new();
    if entries.len() < MAX_ENTRIES - 1 {
        let is_last = |entry: &HistoryInfo| {
            entry.uri.address_of_record().as_str() == asked.address_of_record().as_str()
        };
        if !entries.last().is_some_and(is_last) {
            let index = next_index(&entries);
            entries.push(HistoryInfo::at(asked.to_request_uri(), &index));
        }
        if let Some(last) = entries.pop() {
            let index = last.index().unwrap_or_else(HistoryIndex::first);
            let why = Reason::sip(reason.cause(), reason.words());
            entries.push(if last.reason().is_some() { last } else { last.with_reason(&why) });
            if let Some(target) = target {
                let mut uri = target.to_request_uri();
                uri.set_param("cause", Some(&alloc::string::ToString::to_string(&reason.cause())));
                entries
                    .push(HistoryInfo::at(uri, &index.child(1)).with_target(&HistoryTarget::Mapped(index)));
            }
        }
    }
    entries.iter().for_each(|entry| headers.push(entry));
    headers
}

fn next_index(entries: &[HistoryInfo]) -> HistoryIndex {
    let last = entries.last().and_then(|entry| entry.index());
    last.map_or_else(HistoryIndex::first, |last| last.child(1))
}

fn read_diversion(headers: &Headers) -> impl Iterator<Item = Diversion> {
    headers.all::<Diversion>().take(MAX_ENTRIES).flatten()
}

fn read_history(headers: &Headers) -> impl Iterator<Item = HistoryInfo> {
    headers.all::<HistoryInfo>().take(MAX_ENTRIES).flatten()
}

/// Somebody who sent the call on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Diverted {
    /// Who.
    pub by: NameAddr,
    /// Why.
    pub reason: DiversionReason,
    /// How many diversions it stands for.
    pub count: u32,
    /// Whether neither name nor number may be shown.
    pub hidden: bool,
}

/// Who sent the call on before it came here, the latest first: by Diversion, or else by History-Info.
///
/// For the display (Yealink `features.fwd_diversion_enable`, on by default); `identity` shows the address.
#[must_use]
pub fn diversions(headers: &Headers) -> Vec<Diverted> {
    let by_diversion: Vec<Diverted> = read_diversion(headers)
        .map(|diversion| Diverted {
            reason: diversion
                .reason()
                .map_or(DiversionReason::Unknown, |name| DiversionReason::from_name(&name)),
            count: diversion.counter().max(1),
            hidden: diversion.hides("uri") || diversion.hides("name"),
            by: party(&diversion),
        })
        .collect();
    if by_diversion.is_empty() { by_history(headers) } else { by_diversion }
}

fn party(address: &NameAddr) -> NameAddr {
    let mut party = NameAddr::new(address.uri.without_headers());
    party.display_name.clone_from(&address.display_name);
    party
}

/// An entry diverted the call when another was mapped from it; when the one below it has a `cause`, as RFC 7544 writes diversions
/// without `mp`; or when it has a reason and is not the last. Takes time in proportion to the square of the entries, of which
/// there are at most [`MAX_ENTRIES`].
fn by_history(headers: &Headers) -> Vec<Diverted> {
    let entries: Vec<HistoryInfo> = read_history(headers).collect();
    let mut found = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let index = entry.index();
        let after = entries.get(at + 1..).unwrap_or_default();
        let mapped = after.iter().find(|other| match other.target() {
            Some(HistoryTarget::Mapped(from)) => Some(&from) == index.as_ref(),
            Some(_) => false,
            None => {
                let below = other.index().and_then(|below| below.parent());
                below.is_some() && below == index && other.uri.param("cause").is_some()
            }
        });
        let own_cause = entry.reason().and_then(Result::ok).and_then(|reason| reason.cause());
        // A reason before a contact of the same user (`rc`) is a fork that failed, and nobody sent the call on.
        let moved = own_cause.is_some()
            && after.first().is_some_and(|next| !matches!(next.target(), Some(HistoryTarget::Contact(_))));
        if mapped.is_none() && !moved {
            continue;
        }
        let target_cause =
            mapped.or_else(|| after.first()).and_then(|next| next.uri.param("cause")??.parse().ok());
        let reason = target_cause.or(own_cause).map_or(DiversionReason::Unknown, DiversionReason::from_cause);
        let hidden = entry.privacy().and_then(Result::ok).is_some_and(|privacy| !privacy.has("none"));
        found.push(Diverted { by: party(entry), reason, count: 1, hidden });
    }
    found.reverse();
    found
}

/// How often the call has been diverted, by the counters of Diversion or the entries of History-Info, whichever says more.
#[must_use]
pub fn count(headers: &Headers) -> u32 {
    let counted = read_diversion(headers).fold(0_u32, |sum, one| sum.saturating_add(one.counter().max(1)));
    let told = u32::try_from(by_history(headers).len()).unwrap_or(u32::MAX);
    counted.max(told)
}

/// Whether the call goes in a circle when it is sent to `target`: it was diverted `most` times already, no further diversion is
/// allowed, or `target` has diverted it before.
#[must_use]
pub fn is_loop(headers: &Headers, target: &Uri, most: u32) -> bool {
    let target = target.address_of_record();
    let is_target = |uri: &Uri| uri.address_of_record().as_str() == target.as_str();
    count(headers) >= most
        || read_diversion(headers).next().and_then(|latest| latest.limit()) == Some(0)
        || read_diversion(headers).any(|diversion| is_target(&diversion.uri))
        || by_history(headers).iter().any(|diverted| is_target(&diverted.by.uri))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use sidetone_sip_core::HeaderName;

    fn headers(name: HeaderName, values: &[&str]) -> Headers {
        let mut headers = Headers::new();
        for value in values {
            headers.push_raw(name.clone(), value).unwrap();
        }
        headers
    }

    fn lines(headers: &Headers) -> Vec<String> {
        headers.iter().map(|(_, value)| String::from_utf8(value.to_vec()).unwrap()).collect()
    }

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    const EARLIER: &str = "<sip:a@example.com>;reason=no-answer;counter=2;limit=5";

    #[test]
    fn each_mode_of_panasonic_writes_its_lines() {
        let own: NameAddr = "\"B\" <sip:b@example.com;x=1>;tag=1".parse().unwrap();
        let call = headers(HeaderName::DIVERSION, &[EARLIER]);
        for (number, written) in [
            (0, &[][..]),
            (1, &["\"B\" <sip:b@example.com>;reason=user-busy;counter=3;limit=4;privacy=off"]),
            (2, &["\"B\" <sip:b@example.com>;reason=user-busy;counter=1;limit=4;privacy=off", EARLIER]),
        ] {
            let mode = DiversionMode::from_number(number).unwrap();
            let diverted = mode.write(&call, &own, DiversionReason::UserBusy, false);
            assert_eq!(lines(&diverted), written, "{mode:?}");
            assert_eq!(count(&diverted), if number == 0 { 0 } else { 3 });
        }
        let hidden = DiversionMode::Own.write(&Headers::new(), &own, DiversionReason::Unconditional, true);
        assert_eq!(lines(&hidden), ["\"B\" <sip:b@example.com>;reason=unconditional;counter=1;privacy=full"]);
        assert!(diversions(&hidden)[0].hidden);
        assert_eq!(DiversionMode::from_number(3), None);
    }

    #[test]
    fn reasons_have_names_and_causes() {
        for (reason, name, cause, _) in DiversionReason::ALL {
            assert_eq!((reason.name(), DiversionReason::from_name(&name.to_uppercase())), (name, reason));
            assert_eq!(reason.cause(), cause);
        }
        for (cause, reason) in [
            (302, DiversionReason::Unconditional),
            (486, DiversionReason::UserBusy),
            (408, DiversionReason::NoAnswer),
            (480, DiversionReason::Deflection),
            (487, DiversionReason::Deflection),
            (503, DiversionReason::Unavailable),
            (404, DiversionReason::Unknown),
            (999, DiversionReason::Unknown),
        ] {
            assert_eq!(DiversionReason::from_cause(cause), reason);
        }
        assert_eq!(DiversionReason::from_name("vacation"), DiversionReason::Unknown);
    }

    #[test]
    fn the_latest_diversion_is_read_first() {
        let call = headers(
            HeaderName::DIVERSION,
            &[
                "\"Bob\" <sip:b@example.com>;reason=user-busy;counter=1, <tel:+4930>;reason=\"no-answer\";privacy=full",
            ],
        );
        let told = diversions(&call);
        assert_eq!(told.len(), 2);
        assert_eq!(
            (told[0].by.to_string(), told[0].reason),
            ("\"Bob\" <sip:b@example.com>".into(), DiversionReason::UserBusy)
        );
        assert_eq!((told[1].reason, told[1].hidden), (DiversionReason::NoAnswer, true));
        assert_eq!(told[0].reason.words(), "busy");
    }

    #[test]
    fn a_forward_writes_a_history_that_reads_as_one() {
        let asked = uri("sip:bob@example.com");
        let marked = write_history(&Headers::new(), &asked, DiversionReason::UserBusy, None);
        assert_eq!(lines(&marked), ["<sip:bob@example.com?Reason=SIP%3Bcause%3D486%3Btext%3Dbusy>;index=1"]);
        assert!(diversions(&marked).is_empty(), "nobody has followed it yet");
        let sent = write_history(
            &Headers::new(),
            &asked,
            DiversionReason::UserBusy,
            Some(&uri("sip:carol@example.com")),
        );
        assert_eq!(lines(&sent)[1], "<sip:carol@example.com;cause=486>;index=1.1;mp=1");
        let told = diversions(&sent);
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].by.uri.as_str(), told[0].reason),
            ("sip:bob@example.com", DiversionReason::UserBusy)
        );
        let again = write_history(
            &sent,
            &uri("sip:carol@example.com"),
            DiversionReason::NoAnswer,
            Some(&uri("sip:dan@example.com")),
        );
        assert_eq!(lines(&again).len(), 3);
        let told: Vec<_> = diversions(&again)
            .into_iter()
            .map(|one| (one.by.uri.user().unwrap().into_owned(), one.reason))
            .collect();
        assert_eq!(
            told,
            [("carol".into(), DiversionReason::NoAnswer), ("bob".into(), DiversionReason::UserBusy)]
        );
        assert_eq!(count(&again), 2);
    }

    #[test]
    fn forks_of_one_user_are_no_diversions() {
        let call = headers(
            HeaderName::HISTORY_INFO,
            &[
                "<sip:bob@example.com>;index=1",
                "<sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1",
                "<sip:bob@192.0.2.5>;index=1.2;rc=1",
            ],
        );
        assert!(diversions(&call).is_empty());
        let mapped = headers(
            HeaderName::HISTORY_INFO,
            &[
                "<sip:bob@example.com?Privacy=history>;index=1",
                "<sip:office@example.com;cause=408>;index=1.2;mp=1",
            ],
        );
        let told = diversions(&mapped);
        assert_eq!((told.len(), told[0].reason, told[0].hidden), (1, DiversionReason::NoAnswer, true));
    }

    #[test]
    fn diversion_and_history_of_rfc_7544_say_the_same() {
        let diversion = headers(
            HeaderName::DIVERSION,
            &[
                "<sip:user3@h>;reason=unconditional;counter=1;privacy=off, <sip:user2@h>;reason=user-busy;counter=1;privacy=full",
                "<sip:user1@h>;reason=no-answer;counter=1;privacy=off",
            ],
        );
        let history = headers(
            HeaderName::HISTORY_INFO,
            &[
                "<sip:user1@h?Privacy=none>;index=1, <sip:user2@h;cause=408?Privacy=history>;index=1.1",
                "<sip:user3@h;cause=486?Privacy=none>;index=1.1.1, <sip:target@h;cause=302>;index=1.1.1.1",
            ],
        );
        let told = |headers: &Headers| -> Vec<_> {
            let user = |one: &Diverted| one.by.uri.user().map(|user| user.into_owned());
            diversions(headers).iter().map(|one| (user(one), one.reason, one.hidden)).collect()
        };
        assert_eq!(told(&diversion).len(), 3);
        assert_eq!(told(&history), told(&diversion));
        assert_eq!((count(&history), count(&diversion)), (3, 3));
    }

    #[test]
    fn circles_are_seen() {
        let to = uri("sip:c@example.com");
        let call = headers(HeaderName::DIVERSION, &["<sip:b@example.com>;counter=2", "<sip:a@example.com>"]);
        assert!(!is_loop(&call, &to, 4));
        assert!(is_loop(&call, &to, 3), "three diversions are enough");
        assert!(!is_loop(&call, &uri("sip:A@example.com"), 9), "another user");
        assert!(is_loop(&call, &uri("sip:a@EXAMPLE.com;x=1"), 9), "who has diverted it gets it back");
        assert!(is_loop(&headers(HeaderName::DIVERSION, &["<sip:b@h>;limit=0"]), &to, 9));
        assert!(is_loop(
            &headers(HeaderName::DIVERSION, &["<sip:b@h>;counter=4294967295", "<sip:d@h>;counter=7"]),
            &to,
            u32::MAX
        ));
        let many: Vec<&str> = core::iter::repeat_n("<sip:b@h>", 1000).collect();
        let many = headers(HeaderName::DIVERSION, &many);
        let own: NameAddr = "<sip:c@h>".parse().unwrap();
        assert_eq!(DiversionMode::Append.write(&many, &own, DiversionReason::Away, false).len(), MAX_ENTRIES);
    }
}
