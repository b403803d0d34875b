//! Users' settings, groups, and the codes that change settings.

use super::Proxy;
use super::inspect::Refusal;
use crate::call_config::RingGroup;
use crate::event::PbxEvent;
use crate::features::{Code, Features, UserFeatures};
use sidetone_sip_core::StatusCode;

/// Pickup groups at most: each is a list of users that is looked through when somebody takes a call.
pub const MAX_PICKUP_GROUPS: usize = 1000;
/// Users in a pickup group; further ones are not in it.
pub const MAX_PICKUP_MEMBERS: usize = 100;

impl Proxy {
    /// Users' settings are kept here from now on, in place of in memory.
    pub fn set_feature_store(&mut self, store: Box<dyn UserFeatures>) {
        self.features = store;
    }

    /// A user's settings.
    #[must_use]
    pub fn features(&self, user: &str) -> Features {
        self.features.get(user)
    }

    /// Changes a user's settings; [`PbxEvent::FeaturesChanged`] follows if they are others. False when a target cannot be
    /// dialled, or the store does not take them.
    pub fn set_features(&mut self, user: &str, features: Features) -> bool {
        if self.features.get(user) == features {
            return true;
        }
        if !features.is_valid() || !self.features.set(user, features.clone()) {
            return false;
        }
        self.tell(PbxEvent::FeaturesChanged { user: user.into(), features });
        true
    }

    /// Lends a user's telephones to a guest, another user, or gives them back. A guest is at one desk at a time. False when
    /// the guest is nobody's account, or the user himself, or a store does not take it.
    pub fn set_guest(&mut self, desk: &str, guest: Option<&str>) -> bool {
        let is_possible = |guest: &str| guest != desk && self.authenticator.has_account(guest);
        if !guest.is_none_or(is_possible) {
            return false;
        }
        let mut host = self.features.get(desk);
        if host.guest.as_deref() == guest {
            return true;
        }
        if let Some(before) = host.guest.take() {
            let mut features = self.features.get(&before);
            features.desk = None;
            self.set_features(&before, features);
        }
        if let Some(guest) = guest {
            let mut features = self.features.get(guest);
            if let Some(elsewhere) = features.desk.replace(desk.into()) {
                let mut features = self.features.get(&elsewhere);
                features.guest = None;
                self.set_features(&elsewhere, features);
            }
            if !self.set_features(guest, features) {
                self.set_features(desk, host);
                return false;
            }
        }
        host.guest = guest.map(Into::into);
        self.set_features(desk, host)
    }

    /// Whether somebody who says to be this user knows the password.
    pub(crate) fn proves(&self, user: &str, nonce: &str, response: &str) -> bool {
        self.authenticator.proves(user, nonce, response)
    }

    /// A number that rings at several users; an earlier group of that number is replaced.
    pub fn add_ring_group(&mut self, number: impl Into<String>, group: RingGroup) {
        self.groups.insert(number.into(), group);
    }

    /// Users who may take each other's calls by the code of group pickup. A user may be in several sets. False when there
    /// are too many sets.
    pub fn add_pickup_group<S: Into<String>>(&mut self, members: impl IntoIterator<Item = S>) -> bool {
        if self.pickup_groups.len() >= MAX_PICKUP_GROUPS {
            return false;
        }
        let members: Vec<String> = members.into_iter().map(Into::into).take(MAX_PICKUP_MEMBERS).collect();
        for member in &members {
            self.pickup_groups_of.entry(member.clone()).or_default().push(self.pickup_groups.len());
        }
        self.pickup_groups.push(members);
        true
    }

    /// Does what a code says for `user`, and gives the extension that tells so.
    pub(super) fn apply(&mut self, user: &str, code: Code) -> Result<String, Refusal> {
        let mut features = self.features.get(user);
        match code {
            Code::Forward { make, target } => make(&mut features, target),
            Code::DoNotDisturb(on) => features.do_not_disturb = on,
            Code::Pickup(_) | Code::GroupPickup => {}
        }
        // To oneself no call can be forwarded.
        let to_self = |target: &Option<String>| target.as_deref() == Some(user);
        let wrong = [&features.forward_always, &features.forward_busy, &features.forward_no_answer];
        if wrong.into_iter().any(to_self) || !self.set_features(user, features) {
            return Err(Refusal::reason(StatusCode::FORBIDDEN, "Not A Number To Forward To"));
        }
        let taken = Refusal::reason(StatusCode::TEMPORARILY_UNAVAILABLE, "The Setting Was Taken");
        self.config.calls.confirmation.clone().filter(|to| self.extensions.contains_key(to)).ok_or(taken)
    }
}
