//! The watched extensions of a list: one subscription for many lamps (RFC 4662).

use super::{Blf, BlfState, CallPark, Unknown, Watch};
use crate::package::dialog_info::{self, DialogInfo, Identity};
use crate::package::resource_list::{ListBody, ListDocument, ResourceList, ResourceState};
use crate::package::{Merge, PackageError};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// The members of a list and what is known of each, in the order of their URIs.
///
/// Applying a body takes time in proportion to what it tells of, times the logarithm of the members; a full one in
/// proportion to all.
#[derive(Clone, Debug, Default)]
pub struct BlfList {
    list: ResourceList,
    members: BTreeMap<String, Member>,
}

#[derive(Clone, Debug, Default)]
struct Member {
    /// The member's telephones. Each is one of the list's instances, which are bounded.
    instances: BTreeMap<String, Blf>,
    /// Why there is none.
    unknown: Unknown,
}

/// What a body changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlfListUpdate {
    /// On [`Merge::Gap`] the subscription is to be refreshed.
    pub merge: Merge,
    /// The URIs of the members that it told of or that left, each once.
    pub changed: Vec<String>,
    /// The members whose state could not be read, and why; they stay as they were.
    pub errors: Vec<(String, PackageError)>,
}

impl BlfList {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the body of a NOTIFY.
    pub fn apply(&mut self, document: &ListDocument) -> BlfListUpdate {
        let (mut merge, changes) = self.list.apply(document);
        let mut changed = BTreeSet::new();
        let mut errors = Vec::new();
        for (uri, _) in self.list.resources().filter(|_| merge != Merge::Stale && document.rlmi.full) {
            if !self.members.contains_key(uri) {
                self.members.insert(uri.into(), Member::default());
                changed.insert(String::from(uri));
            }
        }
        for change in changes {
            let member = self.members.entry(change.uri.clone()).or_default();
            match change.state {
                ResourceState::Active => {
                    let blf = member.instances.entry(change.instance).or_default();
                    blf.watch = Watch::Active;
                    match change.body.map(|body| take(blf, &body)) {
                        Some(Ok(Merge::Gap)) => merge = Merge::Gap,
                        Some(Err(error)) => errors.push((change.uri.clone(), error)),
                        _ => {}
                    }
                }
                ResourceState::Pending => {
                    let blf = member.instances.entry(change.instance).or_default();
                    blf.watch(Watch::Inactive(Unknown::Pending));
                }
                ResourceState::Terminated(reason) => {
                    member.instances.remove(&change.instance);
                    member.unknown = Unknown::Ended(reason);
                }
                ResourceState::Removed => drop(member.instances.remove(&change.instance)),
            }
            changed.insert(change.uri);
        }
        if document.rlmi.full && merge != Merge::Stale {
            let list = &self.list;
            self.members.retain(|uri, _| {
                let stays = list.contains(uri);
                if !stays && !changed.contains(uri) {
                    changed.insert(uri.clone());
                }
                stays
            });
        }
        BlfListUpdate { merge, changed: changed.into_iter().collect(), errors }
    }

    /// A new subscription takes the place of one that went on until now.
    pub fn restart(&mut self) {
        self.list.restart();
        let members = self.members.values_mut();
        members.flat_map(|member| member.instances.values_mut()).for_each(Blf::restart);
    }

    /// The subscription is over: nothing is known of the members any more.
    pub fn end(&mut self, why: &Unknown) {
        self.list.restart();
        for member in self.members.values_mut() {
            *member = Member { instances: BTreeMap::new(), unknown: why.clone() };
        }
    }

    /// What the lamp of a member shows: of several telephones the state that asks most. `None` when it is no member.
    #[must_use]
    pub fn state(&self, uri: &str) -> Option<BlfState> {
        self.members.get(uri).map(Member::state)
    }

    /// The members: URI, name and state.
    pub fn members(&self) -> impl Iterator<Item = (&str, Option<&str>, BlfState)> {
        self.members.iter().map(|(uri, member)| (uri.as_str(), self.list.name_of(uri), member.state()))
    }

    /// The URI of the member with this number, the user of its URI. Takes time in proportion to the members.
    #[must_use]
    pub fn find(&self, number: &str) -> Option<&str> {
        let mut uris = self.members.keys().map(String::as_str);
        uris.find(|uri| Identity::new(*uri).number() == number)
    }

    /// The first member that rings, whose call the key of the list takes. Takes time in proportion to the members.
    #[must_use]
    pub fn ringing(&self) -> Option<(&str, BlfState)> {
        let states = self.members.iter().map(|(uri, member)| (uri.as_str(), member.state()));
        states.into_iter().find(|(_, state)| matches!(state, BlfState::Ringing(_)))
    }
}

impl Member {
    fn state(&self) -> BlfState {
        let nothing = BlfState::Unknown(self.unknown.clone());
        self.instances.values().map(Blf::state).fold(nothing, |shown, state| match (&shown, &state) {
            // A telephone that tells something new stands above why another one does not.
            (BlfState::Unknown(_), BlfState::Unknown(_)) => state,
            _ => shown.or(state),
        })
    }
}

/// A body of another type, as that of a list within the list, says nothing of lamps.
fn take(blf: &mut Blf, body: &ListBody) -> Result<Merge, PackageError> {
    if body.kind.is(&dialog_info::CONTENT_TYPE) {
        return DialogInfo::read(&body.body).map(|document| blf.apply(document));
    }
    if body.kind.is(&CallPark::CONTENT_TYPE) {
        blf.set_parked(CallPark::read(&body.body)?.parked);
    }
    Ok(Merge::Taken)
}
