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
    /// Further usages of a dialog that a call left behind: transfers that were under way at once.
    beside: HashMap<LocalTag, Vec<Usage>>,
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

    /// Whether nothing is under way but last words that nobody waits for. O(n) for n subscriptions that are being ended.
    pub(crate) fn is_quiet(&self) -> bool {
        self.watchers.is_empty()
            && self.referrals.is_empty()
            && self.subscribers.values().all(|subscriber| subscriber.is_quiet())
    }

    pub(crate) fn bind(&mut self, tag: LocalTag, usage: Usage) {
        if *self.by_tag.entry(tag).or_insert(usage) != usage {
            self.beside.entry(tag).or_default().push(usage);
        }
    }

    pub(crate) fn unbind(&mut self, tag: LocalTag, usage: Usage) {
        let others = self.beside.get_mut(&tag);
        let next = match (self.by_tag.get(&tag), others) {
            (Some(first), Some(others)) if *first == usage => others.pop(),
            (Some(first), None) if *first == usage => None,
            (_, Some(others)) => {
                others.retain(|other| *other != usage);
                self.by_tag.get(&tag).copied()
            }
            (first, None) => first.copied(),
        };
        match next {
            Some(first) => drop(self.by_tag.insert(tag, first)),
            None => drop(self.by_tag.remove(&tag)),
        }
        if self.beside.get(&tag).is_some_and(Vec::is_empty) {
            self.beside.remove(&tag);
        }
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

    /// The usages whose Call-ID and tag of ours these are: one, or those of a few transfers.
    pub(crate) fn find(&self, key: &DialogKey) -> impl Iterator<Item = Usage> {
        let tag = key.local_tag;
        let first = tag.and_then(|tag| self.by_tag.get(&tag));
        let others = tag.and_then(|tag| self.beside.get(&tag)).map_or(&[][..], Vec::as_slice);
        first.into_iter().chain(others).copied().filter(|usage| {
            let call_id = match usage {
                Usage::Subscriber(id) => self.subscribers.get(id).map(|subscriber| &*subscriber.call_id),
                Usage::Watcher(id) => self.watchers.get(id).map(|watcher| &*watcher.call_id),
                Usage::Referral(id) => self.referrals.get(id).map(|referral| &*referral.call_id),
            };
            call_id == Some(key.call_id.as_str())
        })
    }

    /// The usages that share a call's dialog: those of a few transfers.
    pub(crate) fn of_call(&self, call: CallId) -> &[Usage] {
        self.by_call.get(&call).map_or(&[], Vec::as_slice)
    }

    /// Whether a call's dialog has to outlive it.
    pub(crate) fn shares(&self, call: CallId) -> bool {
        self.by_call.contains_key(&call)
    }

    /// A call is over: what shared its dialog keeps it, each with a copy, so that each numbers its own requests. As a rule
    /// there is one; with more, a peer that counts them as one may answer a 500. Those that may have something to tell by it.
    pub(crate) fn inherit(&mut self, call: CallId, tag: LocalTag, dialog: &Dialog) -> Vec<WatcherId> {
        let mut watchers = Vec::new();
        for usage in self.by_call.remove(&call).unwrap_or_default() {
            let within = match usage {
                Usage::Subscriber(_) => None,
                Usage::Watcher(id) => self.watchers.get_mut(&id).map(|watcher| &mut watcher.within),
                Usage::Referral(id) => self.referrals.get_mut(&id).map(|referral| &mut referral.within),
            };
            let Some(within) = within else { continue };
            *within = Within::Own(Box::new(dialog.clone()));
            self.bind(tag, usage);
            if let Usage::Watcher(id) = usage {
                watchers.push(id);
            }
        }
        watchers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_hal::rng::Rng;

    #[test]
    fn usages_of_one_dialog_are_bound_and_forgotten_each_by_itself() {
        let mut table = Subscriptions::default();
        let tag = LocalTag::random(&mut Rng::from_u64(1));
        let usages = [1, 2, 3].map(|id| Usage::Watcher(WatcherId(id)));
        let bound = |table: &Subscriptions| {
            let first = table.by_tag.get(&tag).copied();
            let others = table.beside.get(&tag).cloned().unwrap_or_default();
            let mut bound: Vec<Usage> = first.into_iter().chain(others).collect();
            bound.sort_by_key(|usage| usages.iter().position(|known| known == usage));
            bound
        };
        for gone in [0, 1, 2] {
            for usage in usages {
                table.bind(tag, usage);
                table.bind(tag, usages[0]);
            }
            assert_eq!(bound(&table), usages);
            table.unbind(tag, usages[gone]);
            let left: Vec<Usage> = usages.iter().copied().filter(|usage| *usage != usages[gone]).collect();
            assert_eq!(bound(&table), left);
            left.iter().for_each(|usage| table.unbind(tag, *usage));
            assert!(table.by_tag.is_empty() && table.beside.is_empty());
        }
    }
}
