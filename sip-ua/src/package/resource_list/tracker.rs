//! The subscriber's side: bodies taken together.

use super::{Instance, InstanceState, ListBody, ListDocument, MAX_INSTANCES, MAX_RESOURCES};
use crate::package::Merge;
use crate::package::version::Versions;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// What a subscriber knows of a list: its resources and how the subscriptions behind them are. The states themselves
/// are handed on and not kept.
///
/// Applying a body takes time in proportion to what it tells of, times the logarithm of the resources; a full one in
/// proportion to all.
#[derive(Clone, Debug, Default)]
pub struct ResourceList {
    versions: Versions,
    uri: String,
    name: Option<String>,
    resources: BTreeMap<String, Known>,
    /// Counts the bodies, to find what a full one does not tell of.
    round: u64,
}

#[derive(Clone, Debug, Default)]
struct Known {
    name: Option<String>,
    round: u64,
    /// By `id`: the state, and the body that told of it last.
    instances: BTreeMap<String, (InstanceState, u64)>,
}

/// What a body said of one instance of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceChange {
    /// The URI of the resource.
    pub uri: String,
    /// Tells the instance apart from the resource's others.
    pub instance: String,
    /// How the subscription behind it is now.
    pub state: ResourceState,
    /// Its state, when the body had it.
    pub body: Option<ListBody>,
}

/// How the subscription behind an instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceState {
    /// States come.
    Active,
    /// Not yet allowed.
    Pending,
    /// Over, with the reason, as in Subscription-State (RFC 6665 §4.1.3).
    Terminated(Option<String>),
    /// It left the list.
    Removed,
}

impl ResourceList {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a body (RFC 4662 §5): a full one says all, a partial one changes the instances that it names, an older one
    /// is dropped. Returns what it said, those that left first. Resources beyond [`MAX_RESOURCES`] are left out, and a
    /// body that several instances refer to is handed on once: whoever reads it reads no more than was sent.
    pub fn apply(&mut self, document: &ListDocument) -> (Merge, Vec<ResourceChange>) {
        let rlmi = &document.rlmi;
        let merge = self.versions.take(rlmi.version, rlmi.full);
        let mut changes = Vec::new();
        if merge == Merge::Stale {
            return (merge, changes);
        }
        self.round += 1;
        self.uri.clone_from(&rlmi.uri);
        self.name.clone_from(&rlmi.name);
        let mut news = Vec::new();
        let mut handed_on = BTreeSet::new();
        for resource in &rlmi.resources {
            if !self.resources.contains_key(&resource.uri) {
                if self.resources.len() >= MAX_RESOURCES && !rlmi.full {
                    continue;
                }
                self.resources.insert(resource.uri.clone(), Known::default());
            }
            let Some(known) = self.resources.get_mut(&resource.uri) else { continue };
            known.round = self.round;
            if resource.name.is_some() {
                known.name.clone_from(&resource.name);
            }
            for instance in &resource.instances {
                if known.take(instance, self.round, rlmi.full) {
                    let first = instance.cid.as_ref().is_some_and(|cid| handed_on.insert(cid));
                    let body = document.body_of(instance).filter(|_| first).cloned();
                    news.push(change(&resource.uri, instance, body));
                }
            }
        }
        if rlmi.full {
            self.forget_untold(&mut changes);
        }
        // What left is told first where an instance took another's place under the same URI.
        changes.append(&mut news);
        (merge, changes)
    }

    /// A new subscription begins: its versions count anew. The resources stay until its full body comes.
    pub fn restart(&mut self) {
        self.versions.restart();
    }

    /// The URI of the list, as the last body had it.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The name of the list.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The resources by URI, each with its name.
    pub fn resources(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.resources.iter().map(|(uri, known)| (uri.as_str(), known.name.as_deref()))
    }

    /// Whether the list has this resource.
    #[must_use]
    pub fn contains(&self, uri: &str) -> bool {
        self.resources.contains_key(uri)
    }

    /// The name of a resource.
    #[must_use]
    pub fn name_of(&self, uri: &str) -> Option<&str> {
        self.resources.get(uri)?.name.as_deref()
    }

    /// The instances of a resource that are not over, with the state of each.
    pub fn instances(&self, uri: &str) -> impl Iterator<Item = (&str, InstanceState)> {
        let known = self.resources.get(uri).into_iter().flat_map(|known| &known.instances);
        known.map(|(id, &(state, _))| (id.as_str(), state))
    }

    /// Whether the full state came and no part was lost since.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.versions.is_whole()
    }

    fn forget_untold(&mut self, changes: &mut Vec<ResourceChange>) {
        let round = self.round;
        self.resources.retain(|uri, known| {
            known.instances.retain(|id, (_, told)| {
                if *told != round {
                    changes.push(ResourceChange {
                        uri: uri.clone(),
                        instance: id.clone(),
                        state: ResourceState::Removed,
                        body: None,
                    });
                }
                *told == round
            });
            known.round == round
        });
    }
}

impl Known {
    /// Returns whether there is room for what the instance tells.
    fn take(&mut self, instance: &Instance, round: u64, full: bool) -> bool {
        if instance.state == InstanceState::Terminated {
            self.instances.remove(&instance.id);
            return true;
        }
        // In a full body, those that it does not tell of are about to leave and need no room.
        let most = if full { 2 * MAX_INSTANCES } else { MAX_INSTANCES };
        let room = self.instances.len() < most || self.instances.contains_key(&instance.id);
        if room {
            self.instances.insert(instance.id.clone(), (instance.state, round));
        }
        room
    }
}

fn change(uri: &str, instance: &Instance, body: Option<ListBody>) -> ResourceChange {
    let state = match instance.state {
        InstanceState::Active => ResourceState::Active,
        InstanceState::Pending => ResourceState::Pending,
        InstanceState::Terminated => ResourceState::Terminated(instance.reason.clone()),
    };
    ResourceChange { uri: uri.into(), instance: instance.id.clone(), state, body }
}
