//! The keys that a user presses.

use crate::Feature;
use crate::phone::{Line, Next, PHONES, Phone};
use crate::wire::Ringing;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::Replaces;
use sidetone_sip_core::{Headers, StatusCode};
use sidetone_sip_ua::{CallId, CallState, ReferRequest};
use std::collections::BTreeSet;

impl Phone {
    /// The user does something, or nothing.
    pub fn act(&mut self, now: Instant) {
        self.now = now;
        let choice = self.rng.below(10);
        if self.feature == Feature::Watch {
            self.watch_act(choice);
        } else if !self.special(choice) {
            self.usual(choice);
        }
        self.handle_events();
    }

    /// What everybody does: calls, answers, hangs up.
    fn usual(&mut self, choice: u32) {
        let heard = self.heard(None).is_some();
        let free = if self.feature == Feature::Waiting { !heard && self.next.is_none() } else { true };
        if free && (self.calls.is_empty() || choice == 0 && self.calls.len() < 3) {
            let peer = self.somebody();
            self.dial(peer, |request| request);
            return;
        }
        let Some(call) = self.any(|_| true) else { return };
        let line = &self.calls[&call];
        let token = line.token.clone();
        if line.incoming && !line.answered {
            if choice == 9 {
                self.note(format!("rejects ({token})"));
                self.agent.reject(self.now, call, StatusCode::BUSY_HERE).unwrap();
            } else if self.feature != Feature::Waiting || !heard {
                self.answer(call);
            }
        } else if choice <= 1 {
            self.note(format!("hangs up ({token})"));
            self.agent.hangup(self.now, call).unwrap();
        } else if self.feature != Feature::Waiting && choice <= 6 && line.answered && line.wanted.is_none() {
            self.hold(call, !line.held);
        }
    }

    /// What the feature is about; whether it was that.
    fn special(&mut self, choice: u32) -> bool {
        if choice < 5 {
            return false;
        }
        match self.feature {
            Feature::Hold | Feature::Watch => false,
            Feature::Blind => {
                let Some(call) = self.up() else { return false };
                let peer = &self.calls[&call].peer;
                let third =
                    PHONES.iter().map(|(name, _)| *name).find(|name| *name != self.name && name != peer);
                let to = third.unwrap();
                self.transfer(call, ReferRequest::new(crate::phone::uri(to)), &format!("transfers to {to}"));
                true
            }
            Feature::Attended => {
                let Some(call) = self.up() else { return false };
                let peer = self.calls[&call].peer.clone();
                let other = self.up_with(|line| line.peer != peer);
                let Some(other) = other else {
                    // Calls whom it could transfer to.
                    let third = PHONES.iter().map(|(name, _)| *name);
                    let third = third.into_iter().find(|name| *name != self.name && *name != peer).unwrap();
                    let there = self.calls.values().any(|line| line.peer == third);
                    if !there {
                        self.dial(third, |request| request);
                    }
                    return !there;
                };
                let to = self.agent.replacing(other).unwrap();
                let token = self.calls[&other].token.clone();
                self.transfer(call, ReferRequest::new(to), &format!("joins {token} with"));
                true
            }
            Feature::Pickup => {
                let wire = self.wire.borrow();
                let elsewhere = |found: &&Ringing| found.caller != self.name && found.called != self.name;
                let ringing = wire.ringing.iter().rev().find(elsewhere).cloned();
                drop(wire);
                let Some(ringing) = ringing.filter(|_| self.calls.len() < 3) else { return false };
                let mut headers = Headers::new();
                headers.push(&ringing.replaces.parse::<Replaces>().unwrap());
                let call = self.dial(&ringing.caller, |request| request.with_headers(headers));
                self.note(format!("picks up ({})", self.calls[&call].token));
                true
            }
            Feature::Waiting => self.waiting(choice),
        }
    }

    /// Holds what is heard before it takes or resumes another call.
    fn waiting(&mut self, choice: u32) -> bool {
        if self.next.is_some() {
            return true;
        }
        let waits = self.any(|line| line.incoming && !line.answered).filter(|_| choice < 8);
        let held = self.any(|line| line.held && line.wanted.is_none());
        let Some((verb, next)) = waits
            .map(|call| ("takes", Next::Answer(call)))
            .or_else(|| held.map(|call| ("swaps to", Next::Resume(call))))
        else {
            return false;
        };
        let (Next::Answer(call) | Next::Resume(call)) = next;
        let heard = self.heard(Some(call));
        if heard.is_some_and(|heard| !self.calls[&heard].answered || self.calls[&heard].wanted.is_some()) {
            return false;
        }
        self.note(format!("{verb} ({})", self.calls[&call].token));
        self.next = Some(next);
        if let Some(heard) = heard {
            self.hold(heard, true);
        }
        true
    }

    fn transfer(&mut self, call: CallId, request: ReferRequest, what: &str) {
        let token = self.calls[&call].token.clone();
        self.note(format!("{what} ({token})"));
        let refer = self.agent.refer(self.now, call, &request).unwrap();
        self.transfers.insert(refer, call);
        self.calls.get_mut(&call).unwrap().leaving = true;
    }

    /// The end of the day: all that is left is ended.
    pub fn go_home(&mut self, now: Instant) {
        self.now = now;
        self.next = None;
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.agent.hangup(now, call).unwrap();
        }
        for id in self.watching.theirs.keys().copied().collect::<Vec<_>>() {
            self.agent.unsubscribe(now, id).unwrap();
        }
        self.handle_events();
    }

    pub fn somebody(&mut self) -> &'static str {
        let others: Vec<&'static str> =
            PHONES.iter().map(|(name, _)| *name).filter(|name| *name != self.name).collect();
        others[self.rng.below(2) as usize]
    }

    /// One of the calls that may be transferred.
    fn up(&mut self) -> Option<CallId> {
        self.up_with(|_| true)
    }

    fn up_with(&mut self, kind: impl Fn(&Line) -> bool) -> Option<CallId> {
        let up = |call: &CallId| self.agent.call_state(*call) == Some(CallState::Established);
        let up: BTreeSet<CallId> = self.calls.keys().copied().filter(up).collect();
        self.any_with(|call, line| up.contains(&call) && !line.leaving && kind(line))
    }

    /// One of the calls of this kind.
    fn any(&mut self, kind: impl Fn(&Line) -> bool) -> Option<CallId> {
        self.any_with(|_, line| kind(line))
    }

    fn any_with(&mut self, kind: impl Fn(CallId, &Line) -> bool) -> Option<CallId> {
        let found: Vec<CallId> =
            self.calls.iter().filter(|(call, line)| kind(**call, line)).map(|(call, _)| *call).collect();
        if found.is_empty() { None } else { Some(found[self.rng.below(found.len() as u32) as usize]) }
    }
}
