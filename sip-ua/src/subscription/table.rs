//! The subscriptions of an agent, found by their number, by their dialog, or by the call whose dialog they share.

use super::{Subscriber, SubscriptionId, Watcher, WatcherId, Within};
use crate::dialog::{Dialog, DialogKey, LocalTag};
use crate::event::CallId;
use crate::transfer::{ReferId, Referral};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use hashbrown::HashMap;

/// Every way to find a subscription takes O(1) or O(log n), however many there are.
#[derive(Default)]
pub(crate) struct Subscriptions {
    last: u64,
    pub(crate) subscribers: BTreeMap<SubscriptionId, Box<Subscriber>>,
    pub(crate) watchers: BTreeMap<WatcherId, Box<Watcher>>,
    pub(crate) referrals: BTreeMap<ReferId, Box<Referral>>,
    by_tag: HashMap<LocalTag, Usage>,
    by_call: BTreeMap<CallId, Vec<Usage>>,
    /// Calls that were made because somebody asked for them.
    pub(crate) referred_calls: BTreeMap<CallId, WatcherId>,
}

/// One usage of a dialog beside a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Subscriber(SubscriptionId),
    Watcher(WatcherId),
    Referral(ReferId),
}

impl Subscriptions {
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.subscribers.is_empty() && self.watchers.is_empty() && self.referrals.is_empty()
    }

    pub(crate) fn bind(&mut self, tag: LocalTag, usage: Usage) {
        self.by_tag.insert(tag, usage);
    }

    pub(crate) fn unbind(&mut self, tag: LocalTag) {
        self.by_tag.remove(&tag);
    }

    pub(crate) fn bind_call(&mut self, call: CallId, usage: Usage) {
        self.by_call.entry(call).or_default().push(usage);
    }

    pub(crate) fn unbind_call(&mut self, call: CallId, usage: Usage) {
        if let Some(usages) = self.by_call.get_mut(&call) {
            usages.retain(|other| *other != usage);
            if usages.is_empty() {
                self.by_call.remove(&call);
            }
        }
    }

    /// The usage whose Call-ID and tag of ours these are.
    pub(crate) fn find(&self, key: &DialogKey) -> Option<Usage> {
        let usage = *self.by_tag.get(&key.local_tag?)?;
        let call_id = match usage {
            Usage::Subscriber(id) => &*self.subscribers.get(&id)?.call_id,
            Usage::Watcher(id) => &*self.watchers.get(&id)?.call_id,
            Usage::Referral(id) => &*self.referrals.get(&id)?.call_id,
        };
        (call_id == key.call_id.as_str()).then_some(usage)
    }

    /// The usages that share a call's dialog: those of a few transfers.
    pub(crate) fn of_call(&self, call: CallId) -> &[Usage] {
        self.by_call.get(&call).map_or(&[], Vec::as_slice)
    }

    /// Whether a call's dialog has to outlive it.
    pub(crate) fn shares(&self, call: CallId) -> bool {
        self.by_call.contains_key(&call)
    }

    /// A call is over: what shared its dialog keeps it, each with a copy. There is one of them in practice; with more,
    /// their sequence numbers could meet, which costs a 500 at worst. Those that may have something to tell by it.
    pub(crate) fn inherit(&mut self, call: CallId, tag: LocalTag, dialog: &Dialog) -> Vec<WatcherId> {
        let mut watchers = Vec::new();
        for usage in self.by_call.remove(&call).unwrap_or_default() {
            let within = match usage {
                Usage::Subscriber(_) => None,
                Usage::Watcher(id) => self.watchers.get_mut(&id).map(|watcher| &mut watcher.within),
                Usage::Referral(id) => self.referrals.get_mut(&id).map(|referral| &mut referral.within),
            };
            if let Some(within) = within {
                *within = Within::Own(Box::new(dialog.clone()));
                self.by_tag.insert(tag, usage);
            }
            if let Usage::Watcher(id) = usage {
                watchers.push(id);
            }
        }
        watchers
    }
}
