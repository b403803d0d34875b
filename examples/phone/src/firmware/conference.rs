//! A conference on the telephone itself: calls that hear each other.

use super::transfer::{Step, Transfer};
use super::{Call, CallRef, CallState, Command, Firmware, Mode};
use sidetone_hal::time::Instant;

impl Firmware {
    /// The conference key: joins the call and those beside it, or adds to the conference; with nobody to join, a number is
    /// dialled.
    pub(super) fn conference_key(&mut self, now: Instant) {
        let Mode::Call(shown) = self.mode else { return };
        let is_up = self.find(shown).is_some_and(|call| call.is_up() && !call.hung_up);
        if !is_up || self.is_transferring(shown) || self.is_page(shown) {
            return;
        }
        if self.network_conference_key(now, shown) {
            return;
        }
        match self.can_join(shown) {
            Some(others) => self.join(shown, &others),
            None if self.conference.is_empty() || self.conference.len() < self.model.conference => {
                self.new_call(now);
            }
            None => self.notify(now, "The conference is full".to_owned()),
        }
    }

    /// Whom the conference key would join with this call: those of the conference, or the newest other call; `None` when
    /// there is nobody, or no room.
    pub(super) fn can_join(&self, shown: CallRef) -> Option<Vec<CallRef>> {
        let is_up = |call: &&Call| {
            call.is_up()
                && !call.hung_up
                && call.page.is_none()
                && call.id != shown
                && !self.is_transferring(call.id)
        };
        let others: Vec<CallRef> = match self.conference.is_empty() {
            true => self.calls.iter().filter(is_up).map(Call::id).next_back().into_iter().collect(),
            // A call beside the conference comes into it, whichever of them is shown.
            false if self.conference.contains(&shown) => {
                let beside = self.calls.iter().filter(is_up).find(|call| !self.conference.contains(&call.id));
                beside.map(Call::id).into_iter().collect()
            }
            false => self.conference.clone(),
        };
        let members = self.conference.iter().chain(&others).filter(|call| **call != shown);
        let mut members: Vec<CallRef> = members.copied().collect();
        members.sort_unstable();
        members.dedup();
        (!others.is_empty() && members.len() < self.model.conference).then_some(members)
    }

    pub(super) fn join(&mut self, shown: CallRef, others: &[CallRef]) {
        // Who was called for a transfer is in the conference now.
        self.transfer = None;
        self.conference = others.iter().copied().chain([shown]).collect();
        self.conference.sort_unstable();
        self.open_path();
        self.show(shown);
        self.command(Command::Join(self.conference.clone()));
        self.resume_conference();
    }

    fn resume_conference(&mut self) {
        let held: Vec<CallRef> = self
            .calls
            .iter()
            .filter(|call| self.conference.contains(&call.id) && call.state == CallState::Held)
            .map(Call::id)
            .collect();
        for call in held {
            self.change(call, |call| call.resuming = true);
            self.command(Command::Resume(call));
        }
    }

    /// Holds the whole conference, or takes it back.
    pub(super) fn toggle_conference_hold(&mut self, call: CallRef) {
        let talking: Vec<CallRef> = self
            .calls
            .iter()
            .filter(|call| self.conference.contains(&call.id) && call.state == CallState::Talking)
            .map(Call::id)
            .collect();
        if talking.is_empty() {
            self.open_path();
            self.show(call);
            self.resume_conference();
        } else {
            talking.into_iter().for_each(|call| self.hold(call));
        }
    }

    /// Ends the conference; its calls go on, held (DIN-074).
    pub(super) fn split(&mut self) {
        let members = core::mem::take(&mut self.conference);
        if members.is_empty() {
            return;
        }
        self.command(Command::Split);
        for call in members {
            if self.find(call).is_some_and(|call| call.state == CallState::Talking) {
                self.hold(call);
            }
        }
    }

    /// Whether the conference key has something to do with this call beside dialling.
    pub(super) fn offers_conference(&self, shown: CallRef) -> bool {
        self.offers_network_conference(shown).unwrap_or_else(|| self.can_join(shown).is_some())
    }

    /// The person leaves: it ends, or the two others go on with each other, where that is set (YLA-118).
    pub(super) fn leave_or_end_conference(&mut self) {
        match self.conference[..] {
            [first, second] if self.policy.keep_conference && self.transfer.is_none() => {
                self.transfer = Some(Transfer { call: first, step: Step::Dialling });
                self.transfer_to_call(second);
            }
            _ => self.end_conference(),
        }
    }

    /// Hangs up on everybody in it (DIN-075).
    pub(super) fn end_conference(&mut self) {
        let members = core::mem::take(&mut self.conference);
        for &call in &members {
            self.change(call, |call| call.hung_up = true);
            self.command(Command::HangUp(call));
        }
        self.rest();
    }

    /// A call is over. Of two that were joined, the other is an ordinary call again.
    pub(super) fn leave_conference(&mut self, id: CallRef) {
        if !self.conference.contains(&id) {
            return;
        }
        self.conference.retain(|call| *call != id);
        if let [last] = self.conference[..] {
            self.conference.clear();
            self.command(Command::Split);
            if matches!(self.mode, Mode::Call(shown) if shown == id) {
                self.show(last);
            }
        } else if let Some(next) = self.conference.first().copied()
            && matches!(self.mode, Mode::Call(shown) if shown == id)
        {
            self.show(next);
        }
    }

    /// The user agent could not join the calls.
    pub(super) fn not_joined(&mut self, now: Instant, reason: &str) {
        self.split();
        self.notify(now, format!("No conference: {reason}"));
    }

    /// Who is in it, as the screen names them.
    pub(super) fn conference_names(&self) -> Vec<String> {
        let members = self.calls.iter().filter(|call| self.conference.contains(&call.id));
        members.map(|call| call.peer.title().to_owned()).collect()
    }
}
