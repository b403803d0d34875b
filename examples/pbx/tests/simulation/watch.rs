//! Watching each other: a number that its owner raises, and that all who watch it have in the end.

use crate::phone::Phone;
use crate::run::Run;
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::StatusCode;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_ua::{
    Event, SubscribeKind, SubscribeRequest, SubscriptionId, SubscriptionState, WatcherId, WatcherState,
};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Watching {
    /// Our number.
    pub number: u32,
    pub ours: BTreeMap<WatcherId, Watcher>,
    pub theirs: BTreeMap<SubscriptionId, Watched>,
}

/// Somebody watches us.
#[derive(Debug)]
pub struct Watcher {
    pub pending: bool,
    /// We ended it, or it ended itself: its last NOTIFY is under way.
    pub over: bool,
}

/// We watch somebody.
#[derive(Debug)]
pub struct Watched {
    pub whom: &'static str,
    pub state: SubscriptionState,
    pub seen: Option<u32>,
    pub wanted: bool,
}

impl Phone {
    fn our_number(&self) -> Option<(ContentType, Bytes)> {
        Some((ContentType::from_static("text", "plain"), Bytes::from(self.watching.number.to_string())))
    }

    pub fn watch_act(&mut self, choice: u32) {
        let now = self.now;
        match choice {
            0..=1 if self.watching.theirs.len() < 3 => {
                let whom = self.somebody();
                self.note(format!("watches {whom}"));
                let life = Duration::from_secs(u64::from(60 + self.rng.below(60)));
                let request =
                    SubscribeRequest::new(self.uri(whom), "dialog".parse().unwrap()).with_expires(life);
                let id = self.agent.subscribe(now, self.account, request).unwrap();
                let watched =
                    Watched { whom, state: SubscriptionState::Subscribing, seen: None, wanted: true };
                self.watching.theirs.insert(id, watched);
            }
            2 => {
                let wanted = self.watching.theirs.iter_mut().find(|(_, watched)| watched.wanted);
                if let Some((id, watched)) = wanted {
                    let id = *id;
                    watched.wanted = false;
                    self.note("forgets".into());
                    self.agent.unsubscribe(now, id).unwrap();
                }
            }
            3 => {
                let up = self.watching.ours.iter_mut().find(|(_, watcher)| !watcher.over);
                if let Some((id, watcher)) = up {
                    let id = *id;
                    watcher.over = true;
                    let reason =
                        ["deactivated", "timeout", "probation", "rejected"][self.rng.below(4) as usize];
                    self.note(format!("turns a watcher away: {reason}"));
                    let told = self.our_number();
                    self.agent.end_subscription(now, id, reason, told).unwrap();
                }
            }
            4 => {
                let pending =
                    self.watching.ours.iter_mut().find(|(_, watcher)| watcher.pending && !watcher.over);
                if let Some((id, watcher)) = pending {
                    let id = *id;
                    watcher.pending = false;
                    self.note("allows a watcher".into());
                    self.agent.activate_subscription(id).unwrap();
                    let told = self.our_number();
                    self.agent.notify(now, id, told).unwrap();
                }
            }
            _ => {
                self.watching.number += 1;
                self.note(format!("changes to {}", self.watching.number));
                for id in self.allowed() {
                    let told = self.our_number();
                    self.agent.notify(now, id, told).unwrap();
                }
            }
        }
    }

    /// Who may know our number.
    pub fn allowed(&self) -> Vec<WatcherId> {
        let allowed = self.watching.ours.iter().filter(|(_, watcher)| !watcher.pending && !watcher.over);
        allowed.map(|(id, _)| *id).collect()
    }

    pub fn watch_event(&mut self, event: Event) {
        match event {
            Event::Subscription { subscription, state } => {
                let watched = self.watching.theirs.get_mut(&subscription).expect("it has not ended before");
                watched.state = state;
                match &watched.state {
                    SubscriptionState::Ended { status, .. } => {
                        let expected = matches!(status.map(StatusCode::code), None | Some(403 | 408 | 481));
                        assert!(expected, "{}: {watched:?}", self.name);
                        self.watching.theirs.remove(&subscription);
                    }
                    // A dialog of its own counts from the beginning.
                    SubscriptionState::Subscribing => watched.seen = None,
                    _ => {}
                }
            }
            Event::Notify { subscription, request } => {
                let watched = self.watching.theirs.get_mut(&subscription).unwrap();
                if !request.body.is_empty() {
                    let number: u32 = core::str::from_utf8(&request.body).unwrap().parse().unwrap();
                    assert!(Some(number) >= watched.seen, "{}: {number} after {watched:?}", self.name);
                    watched.seen = Some(number);
                }
            }
            Event::Subscribe { watcher, kind, .. } => self.watched(watcher, kind),
            Event::Unsubscribed { watcher, status } => {
                let known = self.watching.ours.remove(&watcher).expect("it has not ended before");
                // 481: it forgot us, or began anew, while we told it something. No other NOTIFY may fail.
                let expected = matches!(status.map(StatusCode::code), None | Some(481));
                assert!(expected, "{}: {known:?} {status:?}", self.name);
            }
            _ => {}
        }
    }

    fn watched(&mut self, id: WatcherId, kind: SubscribeKind) {
        let now = self.now;
        let told = self.our_number();
        match kind {
            SubscribeKind::New if self.rng.chance(0.1) => {
                self.agent.reject_subscription(now, id, StatusCode::FORBIDDEN).unwrap();
            }
            SubscribeKind::New => {
                let pending = self.rng.chance(0.3);
                let (state, told) =
                    if pending { (WatcherState::Pending, None) } else { (WatcherState::Active, told) };
                self.watching.ours.insert(id, Watcher { pending, over: false });
                self.agent.accept_subscription(now, id, state, told).unwrap();
            }
            SubscribeKind::Refresh => {
                let pending = self.watching.ours[&id].pending;
                self.agent.notify(now, id, told.filter(|_| !pending)).unwrap();
            }
            SubscribeKind::Final => {
                let watcher = self.watching.ours.get_mut(&id).unwrap();
                watcher.over = true;
                let pending = watcher.pending;
                self.agent.notify(now, id, told.filter(|_| !pending)).unwrap();
            }
            _ => {}
        }
    }
}

impl Run {
    /// Whoever watches has the last number, and everybody who is told watches.
    pub fn check_watchers(&self) {
        for phone in &self.network.phones {
            let mut watched = 0;
            for other in &self.network.phones {
                let theirs = other.watching.theirs.values();
                for watching in theirs.filter(|watching| watching.whom == phone.name) {
                    match watching.state {
                        SubscriptionState::Active { .. } => {
                            let seen = watching.seen;
                            assert_eq!(seen, Some(phone.watching.number), "{}: {watching:?}", other.name);
                        }
                        SubscriptionState::Pending { .. } => {}
                        _ => panic!("{}: {watching:?}", other.name),
                    }
                    watched += 1;
                    assert!(watching.wanted, "{}: {watching:?}", other.name);
                }
            }
            let ours = &phone.watching.ours;
            assert_eq!(ours.len(), watched, "{} tells {ours:?}", phone.name);
            assert_eq!(phone.agent.watcher_count(), watched, "{}", phone.name);
        }
    }
}
