//! What a press of the key of a watched extension does.

use super::{BlfState, Pickup};
use alloc::format;
use alloc::string::String;

/// A key for a watched extension, as it is set up.
///
/// ```
/// use sidetone_sip_ua::package::blf::{BlfAction, BlfKey, BlfKind, BlfState};
/// let key = BlfKey::new("102").with_kind(BlfKind::BlindTransfer);
/// assert_eq!(key.press(&BlfState::Idle, true), BlfAction::BlindTransfer("102".into()));
/// assert_eq!(key.press(&BlfState::Busy(Default::default()), true), BlfAction::Nothing);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlfKey {
    /// The number that is watched and called.
    pub extension: String,
    /// What a press does while the extension is idle.
    pub kind: BlfKind,
    /// What is dialled before the extension to take a call that rings there, as `*8` or `**`. Without it the call is
    /// replaced, if the server tells how.
    pub pickup_code: Option<String>,
    /// What is dialled before the extension to join its call.
    pub barge_in_code: Option<String>,
    /// What is dialled before the extension to fetch a call that is parked on it, as BroadWorks' `*88`.
    pub retrieve_code: Option<String>,
}

/// What a press does while the extension is idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlfKind {
    /// It calls.
    #[default]
    NewCall,
    /// It transfers the current call, unannounced.
    BlindTransfer,
    /// It calls, and the current call is transferred then.
    AttendedTransfer,
    /// It asks the person whether to transfer the current call, how, or to call.
    Ask,
}

/// What is to be done; numbers are to be dialled as if a person had.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BlfAction {
    /// Nothing.
    Nothing,
    /// Call the number.
    Call(String),
    /// Transfer the current call to the number.
    BlindTransfer(String),
    /// Call the number, to transfer the current call to it.
    AttendedTransfer(String),
    /// Ask whether to transfer the current call to the number, or to call it.
    Ask(String),
    /// Take the call that rings, by dialling the number.
    PickUpByCode(String),
    /// Take the call that rings, by replacing it.
    PickUp(Pickup),
    /// Fetch the parked call, by dialling what is given: a number or a URI.
    Retrieve(String),
    /// Join the call, by dialling the number.
    BargeIn(String),
}

impl BlfKey {
    /// A key that calls the extension.
    #[must_use]
    pub fn new(extension: impl Into<String>) -> Self {
        Self {
            extension: extension.into(),
            kind: BlfKind::default(),
            pickup_code: None,
            barge_in_code: None,
            retrieve_code: None,
        }
    }

    /// The same with what a press does while the extension is idle.
    #[must_use]
    pub const fn with_kind(mut self, kind: BlfKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same with a code to take calls; an empty one is none.
    #[must_use]
    pub fn with_pickup_code(mut self, code: impl Into<String>) -> Self {
        self.pickup_code = Some(code.into());
        self
    }

    /// The same with a code to join calls; an empty one is none.
    #[must_use]
    pub fn with_barge_in_code(mut self, code: impl Into<String>) -> Self {
        self.barge_in_code = Some(code.into());
        self
    }

    /// The same with a code to fetch parked calls; an empty one is none.
    #[must_use]
    pub fn with_retrieve_code(mut self, code: impl Into<String>) -> Self {
        self.retrieve_code = Some(code.into());
        self
    }

    /// What a press does. A key for transfers transfers to an idle extension only, and to one that is not it does
    /// nothing in its place: the call would be lost to whoever is busy. Without a current call it calls.
    #[must_use]
    pub fn press(&self, state: &BlfState, in_call: bool) -> BlfAction {
        let number = || self.extension.clone();
        let coded = |code: &Option<String>| {
            code.as_ref().filter(|code| !code.is_empty()).map(|code| format!("{code}{}", self.extension))
        };
        match state {
            BlfState::Ringing(ringing) => match (coded(&self.pickup_code), &ringing.pickup) {
                (Some(number), _) => BlfAction::PickUpByCode(number),
                (None, pickup @ Pickup { target: Some(_), replaces: Some(_) }) => {
                    BlfAction::PickUp(pickup.clone())
                }
                (None, _) => self.call_or_nothing(),
            },
            BlfState::Parked(parked) => BlfAction::Retrieve(
                coded(&self.retrieve_code).or_else(|| parked.retrieve.clone()).unwrap_or_else(number),
            ),
            BlfState::Busy(call) | BlfState::Held(call) => match coded(&self.barge_in_code) {
                Some(number) if !call.exclusive => BlfAction::BargeIn(number),
                _ => self.call_or_nothing(),
            },
            BlfState::Idle => match self.kind {
                BlfKind::BlindTransfer if in_call => BlfAction::BlindTransfer(number()),
                BlfKind::AttendedTransfer if in_call => BlfAction::AttendedTransfer(number()),
                BlfKind::Ask if in_call => BlfAction::Ask(number()),
                _ => BlfAction::Call(number()),
            },
            BlfState::Offline | BlfState::DoNotDisturb | BlfState::Unknown(_) => self.call_or_nothing(),
        }
    }

    fn call_or_nothing(&self) -> BlfAction {
        match self.kind {
            BlfKind::NewCall | BlfKind::Ask => BlfAction::Call(self.extension.clone()),
            BlfKind::BlindTransfer | BlfKind::AttendedTransfer => BlfAction::Nothing,
        }
    }
}
