//! The packages `call-info` and `line-seize` (BroadSoft): shared lines by Call-Info headers.
//!
//! A shared line has numbered appearances. Everybody who shares it subscribes to `call-info`; the notifications have
//! no body but Call-Info values, one for each appearance that is told of. Before a call goes out, its appearance is
//! taken by a short subscription to `line-seize`.
//!
//! ```
//! use sidetone_sip_core::{Headers, header::CallInfo};
//! use sidetone_sip_ua::package::call_info::{Appearance, AppearanceState, SharedLine};
//! let mut headers = Headers::new();
//! let text = "<sip:as.example.com>;appearance-index=2;appearance-state=active, \
//!     <sip:as.example.com>;appearance-index=*;appearance-state=idle";
//! headers.push_raw(sidetone_sip_core::HeaderName::CALL_INFO, text).unwrap();
//! let mut line = SharedLine::default();
//! line.apply(&Appearance::all(&headers).unwrap());
//! assert_eq!(line.state(2), AppearanceState::Active);
//! assert_eq!(line.free(2), Some(1));
//! ```

use super::PackageError;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sidetone_sip_core::header::{CallInfo, SubscriptionState};
use sidetone_sip_core::{Headers, Uri};

/// The name of the package that tells of a shared line, as Event has it.
pub const EVENT: &str = "call-info";
/// The name of the package that takes an appearance, as Event has it.
pub const SEIZE_EVENT: &str = "line-seize";
/// Seconds for which an appearance is taken, as BroadSoft's phones ask: dialling takes no longer.
pub const SEIZE_EXPIRES: u32 = 15;
/// Appearances of a line at most. BroadWorks has 35; what is told of others is refused.
pub const MAX_APPEARANCES: u16 = 64;

/// What an appearance is used for. The order is how much it asks for attention, for a lamp that shows a whole line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AppearanceState {
    /// Nothing.
    #[default]
    Idle,
    /// Somebody has it to dial with.
    Seized,
    /// A call goes out, and is not answered yet.
    Progressing,
    /// A call of several who share the line.
    BridgeActive,
    /// A call.
    Active,
    /// A held call of several who share the line.
    BridgeHeld,
    /// A held call that only who held it may take.
    HeldPrivate,
    /// A held call that everybody may take.
    Held,
    /// It rings.
    Alerting,
}

impl AppearanceState {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Idle, "idle"),
        (Self::Seized, "seized"),
        (Self::Progressing, "progressing"),
        (Self::Alerting, "alerting"),
        (Self::Active, "active"),
        (Self::Held, "held"),
        (Self::HeldPrivate, "held-private"),
        (Self::BridgeActive, "bridge-active"),
        (Self::BridgeHeld, "bridge-held"),
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("idle", |(_, name)| name)
    }

    fn read(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(state, _)| *state)
    }
}

/// Which appearance of the line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppearanceIndex {
    /// `*`: all that the message does not tell of by number.
    Others,
    /// One, from 1.
    Number(u16),
}

/// What a Call-Info value tells of an appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appearance {
    /// Which.
    pub index: AppearanceIndex,
    /// What it is used for; `None` when the value only names the appearance, as in an INVITE.
    pub state: Option<AppearanceState>,
    /// The other side of its call, as name-addr or URI.
    pub uri: Option<String>,
}

impl Appearance {
    /// An appearance by number, and what it is used for.
    #[must_use]
    pub const fn new(index: u16, state: AppearanceState) -> Self {
        Self { index: AppearanceIndex::Number(index), state: Some(state), uri: None }
    }

    /// All appearances that the message does not tell of by number.
    #[must_use]
    pub const fn others(state: AppearanceState) -> Self {
        Self { index: AppearanceIndex::Others, state: Some(state), uri: None }
    }

    /// An appearance by number alone, as an INVITE and a SUBSCRIBE to `line-seize` name it.
    #[must_use]
    pub const fn named(index: u16) -> Self {
        Self { index: AppearanceIndex::Number(index), state: None, uri: None }
    }

    /// The same with the other side of its call.
    #[must_use]
    pub fn with_uri(mut self, uri: &str) -> Self {
        self.uri = Some(uri.into());
        self
    }

    /// What the Call-Info values of a message tell; those without `appearance-index` are about something else.
    ///
    /// # Errors
    /// A value cannot be read, or has an index that is neither `*` nor a number of [`MAX_APPEARANCES`], or a state
    /// that is none. The line of the error counts the values.
    pub fn all(headers: &Headers) -> Result<Vec<Self>, PackageError> {
        let mut found = Vec::new();
        for (number, value) in headers.all::<CallInfo>().enumerate() {
            let line = u32::try_from(number + 1).unwrap_or(u32::MAX);
            let error = |what: String| PackageError::new(line, 1, what);
            let value = value.map_err(|wrong| error(format!("Call-Info: {wrong}")))?;
            let Some(index) = value.params.get("appearance-index") else { continue };
            let index = match index.trim() {
                "*" => AppearanceIndex::Others,
                digits => {
                    let number = digits.parse().ok().filter(|number| (1..=MAX_APPEARANCES).contains(number));
                    AppearanceIndex::Number(number.ok_or_else(|| {
                        error(format!("appearance-index is {index:?}, expected * or 1 to {MAX_APPEARANCES}"))
                    })?)
                }
            };
            let state = match value.params.get("appearance-state") {
                Some(name) => Some(AppearanceState::read(name.trim()).ok_or_else(|| {
                    error(format!("appearance-state is {name:?}, expected idle, active, held or another"))
                })?),
                None => None,
            };
            let uri = value.params.get("appearance-uri").map(|uri| uri.trim().to_string());
            // Two values for one appearance: the last counts, so that the list cannot outgrow the line.
            found.retain(|other: &Self| other.index != index);
            found.push(Self { index, state, uri: uri.filter(|uri| !uri.is_empty()) });
        }
        Ok(found)
    }

    /// The appearance that a message is about, as an INVITE for a shared line names it.
    #[must_use]
    pub fn index_of(headers: &Headers) -> Option<u16> {
        Self::all(headers).ok()?.iter().find_map(|appearance| match appearance.index {
            AppearanceIndex::Number(number) => Some(number),
            AppearanceIndex::Others => None,
        })
    }

    /// The Call-Info value, with the URI of the server or of the line in it.
    #[must_use]
    pub fn write(&self, server: &Uri) -> CallInfo {
        let index = match self.index {
            AppearanceIndex::Others => "*".into(),
            AppearanceIndex::Number(number) => number.to_string(),
        };
        let mut value = CallInfo::new(server.clone()).with("appearance-index", &index);
        if let Some(state) = self.state {
            value = value.with("appearance-state", state.as_str());
        }
        match &self.uri {
            Some(uri) => value.with("appearance-uri", uri),
            None => value,
        }
    }
}

/// Names the appearance in a response that the request named, as whoever shares a line does in its answers.
pub(crate) fn echo(response: &mut Headers, request: &Headers) {
    let named = |value: &CallInfo| value.params.get("appearance-index").is_some();
    for value in request.all::<CallInfo>().filter_map(Result::ok).filter(named) {
        response.push(&value);
    }
}

/// A shared line as it is known: what each of its appearances is used for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedLine {
    /// Those that are not idle; [`MAX_APPEARANCES`] at most.
    used: BTreeMap<u16, (AppearanceState, Option<String>)>,
}

impl SharedLine {
    /// Takes in what a notification tells, in the time of its values. A value for `*` is for all that it does not
    /// name; an appearance that nothing is told of stays as it was.
    pub fn apply(&mut self, told: &[Appearance]) {
        let others = told
            .iter()
            .find(|appearance| appearance.index == AppearanceIndex::Others)
            .and_then(|appearance| appearance.state);
        if let Some(others) = others {
            self.used.retain(|index, _| {
                told.iter().any(|appearance| appearance.index == AppearanceIndex::Number(*index))
            });
            if others != AppearanceState::Idle {
                (1..=MAX_APPEARANCES).for_each(|index| {
                    self.used.entry(index).or_insert((others, None));
                });
            }
        }
        for appearance in told {
            let (AppearanceIndex::Number(index), Some(state)) = (appearance.index, appearance.state) else {
                continue;
            };
            if state == AppearanceState::Idle {
                self.used.remove(&index);
            } else {
                self.used.insert(index, (state, appearance.uri.clone()));
            }
        }
    }

    /// What an appearance is used for.
    #[must_use]
    pub fn state(&self, index: u16) -> AppearanceState {
        self.used.get(&index).map_or(AppearanceState::Idle, |(state, _)| *state)
    }

    /// The other side of an appearance's call, if it is known.
    #[must_use]
    pub fn uri(&self, index: u16) -> Option<&str> {
        self.used.get(&index).and_then(|(_, uri)| uri.as_deref())
    }

    /// The appearances that are not idle, by number.
    pub fn used(&self) -> impl Iterator<Item = (u16, AppearanceState)> + '_ {
        self.used.iter().map(|(index, (state, _))| (*index, *state))
    }

    /// What a lamp for the whole line shows: the state that asks most for attention.
    #[must_use]
    pub fn most_urgent(&self) -> AppearanceState {
        self.used.values().map(|(state, _)| *state).max().unwrap_or_default()
    }

    /// The first idle appearance of a line with so many.
    #[must_use]
    pub fn free(&self, appearances: u16) -> Option<u16> {
        (1..=appearances.min(MAX_APPEARANCES)).find(|index| !self.used.contains_key(index))
    }

    /// The whole state as a notifier sends it: what is used, and idle for all others.
    #[must_use]
    pub fn full(&self) -> Vec<Appearance> {
        let used = self.used.iter().map(|(index, (state, uri))| Appearance {
            index: AppearanceIndex::Number(*index),
            state: Some(*state),
            uri: uri.clone(),
        });
        used.chain([Appearance::others(AppearanceState::Idle)]).collect()
    }
}

/// What a notification of `line-seize` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seizure {
    /// The appearance may be dialled on; its number, if the server says one, which may be another than was asked for.
    Granted(Option<u16>),
    /// The server has not decided yet.
    Pending,
    /// It may not, or no longer; the reason of the Subscription-State: `noresource` when somebody else has it.
    Refused(Option<String>),
}

impl Seizure {
    /// What a notification of `line-seize` says. A subscription that is active while the values show the appearance
    /// idle again is one that ran out.
    ///
    /// # Errors
    /// Those of [`Appearance::all`].
    pub fn of(state: &SubscriptionState, headers: &Headers) -> Result<Self, PackageError> {
        if state.is_terminated() {
            return Ok(Self::Refused(state.reason().map(Into::into)));
        }
        if state.is_pending() {
            return Ok(Self::Pending);
        }
        let told = Appearance::all(headers)?;
        let mut named = told.iter().filter_map(|appearance| match appearance.index {
            AppearanceIndex::Number(number) => Some((number, appearance.state)),
            AppearanceIndex::Others => None,
        });
        Ok(match named.next() {
            Some((_, Some(AppearanceState::Idle))) => Self::Refused(None),
            Some((number, _)) => Self::Granted(Some(number)),
            None => Self::Granted(None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_sip_core::HeaderName;

    fn headers(values: &[&str]) -> Headers {
        let mut headers = Headers::new();
        values.iter().for_each(|value| headers.push_raw(HeaderName::CALL_INFO, value).unwrap());
        headers
    }

    fn all(values: &[&str]) -> Vec<Appearance> {
        Appearance::all(&headers(values)).unwrap()
    }

    #[test]
    fn values_are_read_in_one_line_or_several_and_others_are_left_alone() {
        let told = all(&[
            "<sip:as.example.com>;appearance-index=1;appearance-state=held-private;\
             appearance-uri=\"\\\"Bob\\\" <sip:bob@example.com;user=phone>\", \
             <http://www.example.com/photo.jpg>;purpose=icon",
            "<sip:as.example.com>;appearance-index=*;appearance-state=idle",
        ]);
        let uri = "\"Bob\" <sip:bob@example.com;user=phone>";
        let first = Appearance::new(1, AppearanceState::HeldPrivate).with_uri(uri);
        assert_eq!(told, [first, Appearance::others(AppearanceState::Idle)]);
        for (state, name) in AppearanceState::ALL {
            let text = format!("<sip:a>;appearance-index=3;appearance-state={}", name.to_uppercase());
            assert_eq!(all(&[&text]), [Appearance::new(3, state)]);
        }
        assert_eq!(Appearance::index_of(&headers(&["<sip:a>;appearance-index=7"])), Some(7));
        assert_eq!(Appearance::index_of(&headers(&["<sip:a>;answer-after=0"])), None);
    }

    #[test]
    fn what_is_written_reads_back() {
        let server = Uri::parse("sip:as.example.com").unwrap();
        let told = [
            Appearance::new(1, AppearanceState::Active).with_uri("\"A, \\ B\" <sip:a@b>"),
            Appearance::named(2),
            Appearance::others(AppearanceState::Idle),
        ];
        let mut headers = Headers::new();
        told.iter().for_each(|appearance| headers.push(&appearance.write(&server)));
        assert_eq!(Appearance::all(&headers).unwrap(), told);
        let seize = Appearance::named(2).write(&server).to_string();
        assert_eq!(seize, "<sip:as.example.com>;appearance-index=2");
    }

    #[test]
    fn notifications_merge_and_a_star_is_for_those_not_named() {
        let mut line = SharedLine::default();
        line.apply(&[
            Appearance::new(1, AppearanceState::Active).with_uri("sip:bob@example.com"),
            Appearance::new(2, AppearanceState::Held),
            Appearance::others(AppearanceState::Idle),
        ]);
        line.apply(&[Appearance::new(3, AppearanceState::Alerting)]);
        assert_eq!(line.state(1), AppearanceState::Active, "not told of, so as it was");
        assert_eq!(line.uri(1), Some("sip:bob@example.com"));
        assert_eq!(line.most_urgent(), AppearanceState::Alerting);
        assert_eq!((line.free(3), line.free(4), line.free(1000)), (None, Some(4), Some(4)));
        let mut copy = SharedLine::default();
        copy.apply(&line.full());
        assert_eq!(copy, line);
        line.apply(&[
            Appearance::others(AppearanceState::Idle),
            Appearance::new(2, AppearanceState::BridgeHeld),
        ]);
        assert_eq!(line.used().collect::<Vec<_>>(), [(2, AppearanceState::BridgeHeld)]);
        line.apply(&[Appearance::new(2, AppearanceState::Idle)]);
        assert_eq!(line, SharedLine::default());
        assert_eq!(line.most_urgent(), AppearanceState::Idle);
    }

    #[test]
    fn a_seizure_is_granted_refused_or_runs_out() {
        let of =
            |state: &str, values: &[&str]| Seizure::of(&state.parse().unwrap(), &headers(values)).unwrap();
        let seized = "<sip:a>;appearance-index=1;appearance-state=seized";
        assert_eq!(of("active;expires=15", &[seized]), Seizure::Granted(Some(1)));
        assert_eq!(of("active;expires=15", &[]), Seizure::Granted(None));
        assert_eq!(of("pending", &[]), Seizure::Pending);
        assert_eq!(
            of("terminated;reason=noresource", &[seized]),
            Seizure::Refused(Some("noresource".into()))
        );
        let idle = "<sip:a>;appearance-index=1;appearance-state=idle";
        assert_eq!(of("active", &[idle]), Seizure::Refused(None));
    }

    #[test]
    fn wrong_values_are_errors_that_count_them_and_many_do_not_pile_up() {
        for wrong in ["0", "-1", "65", "70000", "x", ""] {
            let text = format!("<sip:a>;appearance-index=\"{wrong}\";appearance-state=idle");
            let error = Appearance::all(&headers(&["<sip:a>", &text])).unwrap_err();
            assert_eq!(error.line, 2);
            assert!(error.what.contains("expected * or 1 to 64"), "{error}");
        }
        let state = Appearance::all(&headers(&["<sip:a>;appearance-index=1;appearance-state=asleep"]));
        assert!(state.unwrap_err().what.contains("asleep"));
        assert!(Appearance::all(&headers(&["<sip:a"])).is_err());
        let many = "<sip:a>;appearance-index=1;appearance-state=active,".repeat(200);
        assert_eq!(all(&[many.trim_end_matches(',')]).len(), 1);
        let mut line = SharedLine::default();
        line.apply(&[Appearance::others(AppearanceState::Active)]);
        assert_eq!(line.used().count(), usize::from(MAX_APPEARANCES));
    }
}
