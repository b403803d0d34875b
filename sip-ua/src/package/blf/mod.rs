//! What the lamp of a watched extension shows: the states of its dialogs, of several sources, as one.
//!
//! [`Blf`] is one watched extension, [`BlfList`] those of a list, [`BlfKey`] what a press of the key does, and
//! [`LampTable`] which light a telephone shows.

mod key;
mod lamp;
mod list;
mod park;

pub use key::{BlfAction, BlfKey, BlfKind};
pub use lamp::{Blink, Colour, Lamp, LampTable};
pub use list::{BlfList, BlfListUpdate};
pub use park::CallPark;

use super::Merge;
use super::dialog_info::{Dialog, DialogInfo, DialogSet, DialogState, Direction, Identity};
use alloc::borrow::Cow;
use alloc::string::String;
use sidetone_sip_core::Uri;
use sidetone_sip_core::header::{Replaces, SubscriptionState};

/// What is known of a watched extension.
///
/// Several things may be true at once; the one that asks most of whoever looks at the lamp is shown. From most to
/// least: ringing (somebody can pick up), parked (somebody waits to be fetched), busy, held (nobody talks, but a call
/// is there), do not disturb, idle, offline, unknown.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BlfState {
    /// Nothing is known, and why.
    Unknown(Unknown),
    /// No telephone is registered.
    Offline,
    /// Nothing is going on.
    Idle,
    /// It takes no calls.
    DoNotDisturb,
    /// All its calls are held.
    Held(BlfCall),
    /// It talks, or it calls somebody.
    Busy(BlfCall),
    /// A call is parked on it.
    Parked(Parked),
    /// A call comes in.
    Ringing(Ringing),
}

/// Why nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// No state came yet.
    #[default]
    Waiting,
    /// The subscription is not yet allowed.
    Pending,
    /// The SUBSCRIBE was refused, with this status code.
    Refused(u16),
    /// The server ended the subscription, with the reason in Subscription-State: `rejected`, `noresource` and others
    /// (RFC 6665 §4.1.3).
    Ended(Option<String>),
    /// The server cannot be reached.
    Unreachable,
}

/// How the subscription to an extension is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// States come.
    Active,
    /// They do not.
    Inactive(Unknown),
}

impl Watch {
    /// What a NOTIFY says of its subscription.
    #[must_use]
    pub fn of(state: &SubscriptionState) -> Self {
        if state.is_terminated() {
            return Self::Inactive(Unknown::Ended(state.params.get("reason").map(Cow::into_owned)));
        }
        if state.is_pending() { Self::Inactive(Unknown::Pending) } else { Self::Active }
    }
}

/// A call of a watched extension, as far as the server tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlfCall {
    /// The `id` of its dialog; `None` when a hint alone told of it.
    pub id: Option<String>,
    /// With whom.
    pub peer: Option<Identity>,
    /// Who began it.
    pub direction: Option<Direction>,
    /// The appearance of a shared line.
    pub line: Option<u32>,
    /// Whether nobody else may join or take it.
    pub exclusive: bool,
}

/// A call that comes in at a watched extension.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Ringing {
    /// The call; of several, the one that rings longest.
    pub call: BlfCall,
    /// What takes it.
    pub pickup: Pickup,
    /// Whether the extension talks besides.
    pub is_busy: bool,
}

/// What takes a call that rings elsewhere (directed pickup): an INVITE to `target` with `replaces` (RFC 3891).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Pickup {
    /// The caller, or what the server gave in its place, as FreeSWITCH's `sip:**2122@…`.
    pub target: Option<Uri>,
    /// With `early-only`, so that it fails once the call is answered. `None` when the server did not tell all
    /// identifiers: then a pickup code is the only way.
    pub replaces: Option<Replaces>,
}

/// A parked call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parked {
    /// Who waits.
    pub who: Option<Identity>,
    /// What fetches the call when dialled; `None` when the server does not tell.
    pub retrieve: Option<String>,
}

/// What another source says of an extension: presence, device states, a hint on a web page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// Nobody is registered; presence is `closed`.
    Offline,
    /// Nothing is going on; presence is `open`.
    Available,
    /// It takes no calls.
    DoNotDisturb,
    /// All its calls are held.
    Held,
    /// It talks.
    Busy,
    /// A call comes in.
    Ringing,
}

/// One watched extension. What it takes in memory is bounded by [`DialogSet`]; asking for its state takes time in
/// proportion to its dialogs.
///
/// ```
/// use sidetone_sip_ua::package::blf::{Blf, BlfAction, BlfKey, BlfState, LampTable};
/// use sidetone_sip_ua::package::dialog_info::DialogInfo;
/// let mut lamp = Blf::new();
/// // The body of a NOTIFY.
/// let body = br#"<dialog-info version="0" state="full" entity="sip:102@pbx.example">
///     <dialog id="1" call-id="c@h" local-tag="l" remote-tag="r" direction="recipient"><state>early</state>
///     <remote><identity display="Ada">sip:103@pbx.example</identity></remote></dialog></dialog-info>"#;
/// lamp.apply(DialogInfo::read(body).unwrap());
/// let BlfState::Ringing(ringing) = lamp.state() else { panic!("it rings") };
/// assert_eq!(ringing.call.peer.unwrap().label(), "Ada");
/// let BlfAction::PickUp(pickup) = BlfKey::new("102").press(&lamp.state(), false) else { panic!("it is taken") };
/// assert_eq!(pickup.target.unwrap().as_str(), "sip:103@pbx.example");
/// assert_eq!(pickup.replaces.unwrap().to_string(), "c@h;to-tag=r;from-tag=l;early-only");
/// ```
#[derive(Clone, Debug)]
pub struct Blf {
    watch: Watch,
    dialogs: DialogSet,
    /// Whether a document of dialogs came.
    told: bool,
    hint: Option<Hint>,
    parked: Option<Parked>,
    is_orbit: bool,
}

impl Default for Blf {
    fn default() -> Self {
        Self::new()
    }
}

impl Blf {
    /// An extension of which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            watch: Watch::Active,
            dialogs: DialogSet::new(),
            told: false,
            hint: None,
            parked: None,
            is_orbit: false,
        }
    }

    /// A place where calls are parked: whatever call it has is a parked one. Asterisk tells of its parking places as
    /// of any extension.
    #[must_use]
    pub fn orbit() -> Self {
        Self { is_orbit: true, ..Self::new() }
    }

    /// Takes a document of dialogs. On [`Merge::Gap`] the subscription is to be refreshed.
    pub fn apply(&mut self, document: DialogInfo) -> Merge {
        let merge = self.dialogs.apply(document);
        if merge != Merge::Stale {
            self.told = true;
            self.watch = Watch::Active;
        }
        merge
    }

    /// The subscription is now so. When it is over, so is what it told.
    pub fn watch(&mut self, watch: Watch) {
        if let Watch::Inactive(_) = watch {
            self.dialogs.clear();
            self.told = false;
            self.parked = None;
        }
        self.watch = watch;
    }

    /// A new subscription takes the place of one that went on until now: what is known stays until it tells more.
    pub fn restart(&mut self) {
        self.dialogs.restart();
    }

    /// What another source says; `None` when there is none any more.
    pub const fn set_hint(&mut self, hint: Option<Hint>) {
        self.hint = hint;
    }

    /// Whether a call is parked on the extension, as [`CallPark`] tells.
    pub fn set_parked(&mut self, who: Option<Identity>) {
        self.parked = who.map(|who| Parked { who: Some(who), retrieve: None });
    }

    /// The dialogs that are known.
    #[must_use]
    pub const fn dialogs(&self) -> &DialogSet {
        &self.dialogs
    }

    /// What the lamp shows, by the order of [`BlfState`].
    #[must_use]
    pub fn state(&self) -> BlfState {
        let hinted = match self.hint {
            None => None,
            Some(Hint::Offline) => Some(BlfState::Offline),
            Some(Hint::Available) => Some(BlfState::Idle),
            Some(Hint::DoNotDisturb) => Some(BlfState::DoNotDisturb),
            Some(Hint::Held) => Some(BlfState::Held(BlfCall::default())),
            Some(Hint::Busy) => Some(BlfState::Busy(BlfCall::default())),
            Some(Hint::Ringing) => Some(BlfState::Ringing(Ringing::default())),
        };
        let nothing = match &self.watch {
            // The hint alone tells whether a telephone without calls is there at all.
            Watch::Active if self.told && self.hint != Some(Hint::Offline) => BlfState::Idle,
            Watch::Active => BlfState::Unknown(Unknown::Waiting),
            Watch::Inactive(why) => BlfState::Unknown(why.clone()),
        };
        let parked = self.parked.clone().map(BlfState::Parked);
        let mut shown = hinted.into_iter().chain(parked).fold(nothing, BlfState::or);
        let dialogs = self.dialogs.dialogs();
        for dialog in dialogs {
            shown = shown.or(self.of(dialog));
        }
        if let BlfState::Ringing(ringing) = &mut shown {
            ringing.is_busy = dialogs.iter().any(|dialog| matches!(self.of(dialog), BlfState::Busy(_)))
                || self.hint == Some(Hint::Busy);
        }
        shown
    }

    fn of(&self, dialog: &Dialog) -> BlfState {
        let call = || BlfCall {
            id: Some(dialog.id.clone()),
            peer: dialog.remote.identity.clone(),
            direction: dialog.direction,
            line: dialog.line,
            exclusive: dialog.exclusive.unwrap_or(false),
        };
        if let Some(parked) = self.parked_of(dialog) {
            return BlfState::Parked(parked);
        }
        match dialog.state {
            DialogState::Terminated => BlfState::Idle,
            // Servers that leave the direction out tell of calls that come in alone.
            DialogState::Early if dialog.direction != Some(Direction::Initiator) => {
                BlfState::Ringing(Ringing { call: call(), pickup: Pickup::of(dialog), is_busy: false })
            }
            DialogState::Confirmed if dialog.is_held() => BlfState::Held(call()),
            _ => BlfState::Busy(call()),
        }
    }

    /// FreeSWITCH marks parked calls by URIs: `sip:park+6000` as the target or the entity, `;proto=park` or the user
    /// `parking` in the identity.
    fn parked_of(&self, dialog: &Dialog) -> Option<Parked> {
        if !matches!(dialog.state, DialogState::Early | DialogState::Confirmed) {
            return None;
        }
        let peer = dialog.remote.identity.as_ref();
        let target = dialog.remote.target.as_ref().map(|target| target.uri.as_str());
        let own = dialog.local.identity.as_ref().map_or("", |own| own.uri.as_str());
        let entity = self.dialogs.entity();
        let is_parked = self.is_orbit
            || target.is_some_and(is_park_uri)
            || is_park_uri(entity)
            || own.split(';').skip(1).any(|param| param.eq_ignore_ascii_case("proto=park"))
            || without_scheme(own).starts_with("parking@");
        let no_name = |peer: &&Identity| {
            !peer
                .display
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case("park") || name.eq_ignore_ascii_case("parking"))
        };
        is_parked.then(|| Parked {
            who: peer.filter(no_name).cloned(),
            retrieve: target
                .filter(|target| is_park_uri(target))
                .or_else(|| Some(entity).filter(|entity| !entity.is_empty()))
                .map(Into::into),
        })
    }
}

impl BlfState {
    /// Whether a call began to ring since the state before: what an alert is shown for.
    #[must_use]
    pub fn begins_ringing(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Ringing(now), Self::Ringing(then)) => now.call.id != then.call.id,
            (Self::Ringing(_), _) => true,
            _ => false,
        }
    }

    /// Whom the display names besides the extension.
    #[must_use]
    pub const fn peer(&self) -> Option<&Identity> {
        match self {
            Self::Ringing(ringing) => ringing.call.peer.as_ref(),
            Self::Busy(call) | Self::Held(call) => call.peer.as_ref(),
            Self::Parked(parked) => parked.who.as_ref(),
            _ => None,
        }
    }

    /// The one that is shown; the first of two that are alike.
    pub(super) fn or(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Unknown(_) => 0,
            Self::Offline => 1,
            Self::Idle => 2,
            Self::DoNotDisturb => 3,
            Self::Held(_) => 4,
            Self::Busy(_) => 5,
            Self::Parked(_) => 6,
            Self::Ringing(_) => 7,
        }
    }
}

impl Pickup {
    fn of(dialog: &Dialog) -> Self {
        let remote = &dialog.remote;
        let target = remote.target.as_ref().map(|target| target.uri.as_str()).filter(|uri| !uri.is_empty());
        let target = target.or_else(|| remote.identity.as_ref().map(|peer| peer.uri.as_str()));
        Self {
            target: target.and_then(|uri| Uri::parse(uri).ok()),
            replaces: dialog.replaces_value().map(Replaces::with_early_only),
        }
    }
}

impl Hint {
    /// A word for a state: the device states of Asterisk (`INUSE`, `RINGINUSE`, `ONHOLD`, …), the notes that servers
    /// put into presence (`On the phone`, `Ringing`, `Ready`, …), `open` and `closed`, and the RPID activities
    /// (RFC 4480) that say whether one may call. Case, spaces, `-` and `_` do not count. `None` for other words.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let letters = word.chars().filter(|letter| !matches!(letter, ' ' | '-' | '_'));
        // The longest word is far shorter.
        let word: String = letters.take(32).map(|letter| letter.to_ascii_lowercase()).collect();
        Some(match word.as_str() {
            "closed" | "offline" | "unavailable" | "invalid" | "notonline" | "unregistered" => Self::Offline,
            "open" | "online" | "available" | "idle" | "notinuse" | "ready" => Self::Available,
            "dnd" | "donotdisturb" => Self::DoNotDisturb,
            "onhold" | "hold" | "held" => Self::Held,
            "inuse" | "busy" | "onthephone" | "talk" | "talking" => Self::Busy,
            "ringing" | "ringinuse" => Self::Ringing,
            _ => return None,
        })
    }
}

fn without_scheme(uri: &str) -> &str {
    uri.split_once(':').map_or(uri, |(_, rest)| rest)
}

/// `sip:park+6000@…`, and the same without a host, which is no URI at all.
fn is_park_uri(uri: &str) -> bool {
    let rest = without_scheme(uri);
    rest.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("park+")) && rest.len() > 5
}

#[cfg(test)]
mod tests;
