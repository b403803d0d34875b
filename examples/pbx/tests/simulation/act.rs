//! The keys that a user presses.

use crate::Feature;
use crate::lamps::Shows;
use crate::phone::{Line, Next, Phone, SERVICE, Transfer, USERS};
use crate::wire::Ringing;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::Replaces;
use sidetone_sip_core::{Headers, StatusCode};
use sidetone_sip_ua::package::blf::BlfState;
use sidetone_sip_ua::{CallId, CallState, JoinOrder, ReferRequest, SubscriptionId};
use std::collections::BTreeSet;

/// Calls of one user at a time, as far as he begins them.
const BUSY: usize = 3;

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
        let one_heard = self.feature == Feature::Waiting;
        let heard = one_heard && self.heard(None).is_some();
        let free = !heard && self.next.is_none();
        if free && (self.calls.is_empty() || choice == 0 && self.calls.len() < BUSY) {
            let peer = self.somebody();
            self.dial(peer, |request| request);
            return;
        }
        let Some(call) = self.any(|line| !line.ignored || line.answered) else { return };
        let line = &self.calls[&call];
        let token = line.token.clone();
        let rejects = if self.feature == Feature::Completion { 5 } else { 9 };
        if line.incoming && !line.answered {
            if choice >= rejects {
                self.note(format!("rejects ({token})"));
                self.agent.reject(self.now, call, StatusCode::BUSY_HERE).unwrap();
            } else if !heard {
                self.answer(call);
            }
        } else if choice <= 1 {
            self.note(format!("hangs up ({token})"));
            self.agent.hangup(self.now, call).unwrap();
        } else if self.feature != Feature::Calls
            && !one_heard
            && choice <= 6
            && line.answered
            && line.wanted.is_none()
            && !self.has_music(call)
        {
            self.hold(call, !line.held);
        }
    }

    /// What the feature is about; whether it was that.
    fn special(&mut self, choice: u32) -> bool {
        if choice < 5 {
            return false;
        }
        let free = self.calls.len() < BUSY;
        match self.feature {
            Feature::Watch => false,
            Feature::Waiting => self.waiting(choice),
            Feature::Calls | Feature::Hold | Feature::Completion | Feature::Timers | Feature::Reliable => {
                false
            }
            Feature::Texts => self.text(choice),
            Feature::Settings => self.set(choice),
            Feature::Agents => self.attend(choice),
            Feature::Music => self.hold_with_music(),
            Feature::Conference => self.confer(choice),
            Feature::SemiAttended => self.hand_on(),
            Feature::Forward => {
                let to = self.somebody();
                let code = ["*72", "*73", "*90", "*91", "*92", "*93"][self.rng.below(6) as usize];
                let number = if matches!(code, "*72" | "*90" | "*92") { to } else { "" };
                free && choice >= 7 && self.dials(&format!("{code}{number}"))
            }
            Feature::DoNotDisturb => {
                let code = if self.rng.chance(0.5) { "*78" } else { "*79" };
                free && choice >= 7 && self.dials(code)
            }
            Feature::Group => {
                let number = if self.rng.chance(0.5) { "500" } else { "501" };
                free && self.dials(number)
            }
            Feature::Pickup if self.is_direct => free && self.take_ringing(),
            Feature::Pickup => free && self.pick_up(),
            Feature::Blind => {
                let Some(call) = self.up() else { return false };
                let to = self.third(&self.calls[&call].peer);
                self.transfer(call, to, &format!("transfers to {to}"));
                true
            }
            Feature::Attended => self.join(),
            Feature::Park => {
                let orbit = if self.rng.chance(0.5) { "701" } else { "702" };
                if let Some(call) = self.up().filter(|_| choice < 8) {
                    self.transfer(call, orbit, &format!("parks at {orbit}"));
                    return true;
                }
                if free && !self.calls.values().any(|line| line.number == orbit) {
                    self.dial(orbit, |request| request);
                    self.note(format!("fetches from {orbit}"));
                    return true;
                }
                false
            }
            Feature::Room => {
                let inside = self.any(|line| line.number == "800");
                match inside {
                    Some(call) if choice >= 8 => {
                        self.note("leaves the room".into());
                        self.agent.hangup(self.now, call).unwrap();
                        true
                    }
                    None => free && self.dials("800"),
                    Some(_) => false,
                }
            }
            Feature::Lamps => self.look(choice),
            Feature::Voicemail => free && choice == 9 && self.dials("*97"),
        }
    }

    fn dials(&mut self, number: &str) -> bool {
        self.dial(number, |request| request);
        true
    }

    /// Takes what rings elsewhere: by its number, whatever it is, or by a lamp.
    fn pick_up(&mut self) -> bool {
        match self.rng.below(3) {
            0 => {
                let whom = self.somebody();
                self.note(format!("picks up {whom}"));
                self.dials(&format!("*8{whom}"))
            }
            1 => {
                self.note("picks up of the group".into());
                self.dials("*9")
            }
            _ => {
                let states = self.lamps.watched.values().filter_map(|lamp| match &lamp.shows {
                    Shows::Line(blf) => Some(blf.state()),
                    _ => None,
                });
                let pickups = states.filter_map(|state| match state {
                    BlfState::Ringing(ringing) => {
                        let caller = ringing.call.peer?.number().into_owned();
                        Some((caller, ringing.pickup.target?, ringing.pickup.replaces?))
                    }
                    _ => None,
                });
                let elsewhere: Vec<_> = pickups.filter(|(caller, ..)| caller != self.name).collect();
                let Some((_, target, replaces)) = elsewhere.into_iter().next() else { return false };
                let mut headers = Headers::new();
                headers.push(&replaces);
                let call = self.call_uri(target, |request| request.with_headers(headers));
                self.note(format!("picks up by a lamp ({})", self.calls[&call].token));
                true
            }
        }
    }

    /// Takes a call that rings elsewhere, as a lamp would show it.
    fn take_ringing(&mut self) -> bool {
        let wire = self.wire.borrow();
        let elsewhere = |found: &&Ringing| found.caller != self.name && found.called != self.name;
        let ringing = wire.ringing.iter().rev().find(elsewhere).cloned();
        drop(wire);
        let Some(ringing) = ringing else { return false };
        let mut headers = Headers::new();
        headers.push(&ringing.replaces.parse::<Replaces>().unwrap());
        let call = self.dial(&ringing.caller, |request| request.with_headers(headers));
        self.note(format!("picks up ({})", self.calls[&call].token));
        true
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

    /// Transfers to somebody whom it talks to, or calls whom it could transfer to.
    fn join(&mut self) -> bool {
        let Some(call) = self.up() else { return false };
        let peer = self.calls[&call].peer.clone();
        let Some(other) = self.up_with(|line| line.peer != peer) else {
            let third = self.third(&peer);
            let there = self.calls.values().any(|line| line.peer == third);
            if !there {
                self.dial(third, |request| request);
            }
            return !there;
        };
        let to = self.agent.replacing(other).unwrap();
        let token = self.calls[&other].token.clone();
        self.refer(call, ReferRequest::new(to), &format!("joins {token} with"));
        true
    }

    /// Transfers to somebody who rings, or calls whom it could transfer to.
    fn hand_on(&mut self) -> bool {
        let Some(call) = self.up() else { return false };
        let third = self.third(&self.calls[&call].peer);
        let there = |line: &Line| line.number == third && !line.incoming;
        let Some(other) = self.any(|line| there(line) && !line.answered) else {
            let there = self.calls.values().any(|line| there(line) || line.peer == third);
            if !there {
                self.dial(third, |request| request);
            }
            return !there;
        };
        // Before it rings there is no dialog to take the place of.
        let Some(to) = self.agent.replacing(other).filter(|_| self.rings_there(other)) else { return false };
        let token = self.calls[&other].token.clone();
        self.refer(call, ReferRequest::new(to), &format!("hands {token} to"));
        true
    }

    fn rings_there(&self, call: CallId) -> bool {
        self.agent.call_dialog(call).is_some_and(|dialog| dialog.remote_tag.is_some())
    }

    /// Brings somebody into the room, goes there or leaves.
    fn confer(&mut self, choice: u32) -> bool {
        let up = |call: CallId| self.agent.call_state(call) == Some(CallState::Established);
        let inside = |(call, line): &(&CallId, &Line)| line.number == "800" && up(**call) && !line.leaving;
        let Some(room) = self.calls.iter().find(inside).map(|(call, _)| *call) else {
            let there = self.calls.values().any(|line| line.number == "800");
            return !there && self.calls.len() < BUSY && self.dials("800");
        };
        let member = self.up_with(|line| line.wanted.is_none());
        match member {
            _ if choice == 9 && self.rng.chance(0.2) => {
                self.note("leaves the room".into());
                self.agent.hangup(self.now, room).unwrap();
            }
            Some(member) if choice >= 7 => {
                let order = if self.rng.chance(0.5) { JoinOrder::Member } else { JoinOrder::Focus };
                let (call, request) = self.agent.join_request(member, room, order).unwrap();
                let what = format!("brings {} in by its {order:?}", self.calls[&member].peer);
                self.refer_for(call, request, &what, Some(member));
            }
            // Somebody whom it could bring in.
            None if choice >= 7 && self.calls.len() < BUSY => {
                let to = self.somebody();
                self.dial(to, |request| request);
            }
            _ => {
                let to = self.somebody();
                self.refer_for(room, ReferRequest::new(self.uri(to)), &format!("invites {to}"), None);
            }
        }
        true
    }

    /// Watches something else, or something no longer.
    fn look(&mut self, choice: u32) -> bool {
        if choice < 7 {
            return false;
        }
        let wanted: Vec<SubscriptionId> =
            self.lamps.watched.iter().filter(|(_, lamp)| lamp.wanted).map(|(id, _)| *id).collect();
        if wanted.len() >= 2 || choice == 9 && !wanted.is_empty() {
            let place = self.rng.below(wanted.len() as u32) as usize;
            self.forget(wanted[place]);
            return true;
        }
        match self.rng.below(4) {
            0 => self.watch_list("team"),
            1 => self.watch_mailbox(),
            _ => {
                let whom = self.somebody();
                self.watch_line(whom);
            }
        }
        true
    }

    fn transfer(&mut self, call: CallId, to: &str, what: &str) {
        self.refer(call, ReferRequest::new(self.uri(to)), what);
    }

    fn refer(&mut self, call: CallId, request: ReferRequest, what: &str) {
        self.refer_for(call, request, what, Some(call));
    }

    /// The same for a call that is to be over when it has succeeded, if there is one.
    fn refer_for(&mut self, call: CallId, request: ReferRequest, what: &str, over: Option<CallId>) {
        let token = self.calls[&call].token.clone();
        self.note(format!("{what} ({token})"));
        let refer = self.agent.refer(self.now, call, &request).unwrap();
        self.transfers.insert(refer, Transfer { call, over });
        self.calls.get_mut(&call).unwrap().leaving = true;
    }

    /// The end of the day: all that is left is ended.
    pub fn go_home(&mut self, now: Instant) {
        self.now = now;
        self.is_home = true;
        self.next = None;
        for id in self.watching.theirs.keys().copied().collect::<Vec<_>>() {
            self.agent.unsubscribe(now, id).unwrap();
        }
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.agent.hangup(now, call).unwrap();
        }
        self.stop_completion();
        let wanted = self.lamps.watched.iter().filter(|(_, lamp)| lamp.wanted);
        for id in wanted.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.forget(id);
        }
        self.handle_events();
    }

    pub fn somebody(&mut self) -> &'static str {
        let others: Vec<&'static str> = USERS.into_iter().filter(|name| *name != self.name).collect();
        others[self.rng.below(2) as usize]
    }

    fn third(&self, peer: &str) -> &'static str {
        USERS.into_iter().find(|name| *name != self.name && *name != peer).unwrap()
    }

    /// One of the calls that may be transferred.
    fn up(&mut self) -> Option<CallId> {
        self.up_with(|_| true)
    }

    pub fn up_with(&mut self, kind: impl Fn(&Line) -> bool) -> Option<CallId> {
        let up = |call: &CallId| self.agent.call_state(*call) == Some(CallState::Established);
        let up: BTreeSet<CallId> = self.calls.keys().copied().filter(up).collect();
        self.any_with(|call, line| up.contains(&call) && !line.leaving && line.peer != SERVICE && kind(line))
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
