//! Keys for the members of a list that the server keeps (RFC 4662, DIN-092): it fills them in its order.

use super::KeyFunction;
use crate::firmware::Firmware;
use sidetone_hal::time::Instant;
use sidetone_sip_ua::package::blf::{BlfState, Unknown};

/// A member of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its number, the user of its URI.
    pub number: String,
    /// What the list calls it.
    pub name: Option<String>,
    /// How it is.
    pub state: BlfState,
}

impl Member {
    pub(super) fn label(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.number)
    }
}

impl Firmware {
    /// The list of an account, counted from 0, is so now. Members beyond the keys are not shown.
    pub(in crate::firmware) fn members_are(&mut self, now: Instant, account: usize, members: Vec<Member>) {
        let mut members = members.into_iter();
        let mut rings = None;
        let keys = self.keys.iter_mut().filter(|key| {
            matches!(key.config.function, KeyFunction::BlfList(_))
                && key.config.account.unwrap_or(0) == account
        });
        for key in keys {
            let before = key.member.take();
            key.member = members.next();
            let state = key.member.as_ref().map(|member| member.state.clone());
            let state = state.unwrap_or(BlfState::Unknown(Unknown::Waiting));
            let same = before.is_some_and(|before| {
                key.member.as_ref().is_some_and(|member| member.number == before.number)
            });
            let known = if same { key.state.clone() } else { BlfState::Unknown(Unknown::Waiting) };
            if state.begins_ringing(&known) {
                rings = Some(key.config.key);
            }
            key.state = state;
        }
        if let Some(key) = rings.and_then(|key| self.programmed(key)) {
            let told = format!("{} rings", self.face(key).text);
            self.notify(now, told);
        }
    }
}
