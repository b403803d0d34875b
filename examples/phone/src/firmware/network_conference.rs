//! A conference that the server joins (RFC 4579): the telephone calls it, and has those that it talks to brought in.
//!
//! The conference key with two calls calls the conference's URI and brings both in; with the conference alone it holds it and
//! dials, and with somebody beside it brings that one in, too (DIN-076, YLA-117). Those in it go on when the person leaves.

use super::call::Direction;
use super::{Call, CallRef, CallState, Command, Ended, Firmware, Peer, TransferProgress};
use sidetone_hal::time::Instant;
use sidetone_sip_ua::JoinOrder;

/// How an account makes conferences of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkConferenceConfig {
    /// What is called for one.
    pub uri: String,
    /// Who is asked when somebody is to join.
    pub order: JoinOrder,
}

impl NetworkConferenceConfig {
    /// Conferences at this URI.
    #[must_use]
    pub fn new(uri: impl Into<String>, order: JoinOrder) -> Self {
        Self { uri: uri.into(), order }
    }
}

/// The conference that we called. There is one at a time.
#[derive(Debug)]
pub(super) struct NetworkConference {
    /// Our call with it.
    call: CallRef,
    /// Whether it has answered.
    up: bool,
    /// Those who join once it has: the two calls that it began with.
    joining: Vec<CallRef>,
}

impl Firmware {
    /// The conference key, where the server joins calls. Says whether it does.
    pub(super) fn network_conference_key(&mut self, now: Instant, shown: CallRef) -> bool {
        match self.network.as_ref().map(|network| (network.call, network.up)) {
            Some((focus, _)) if focus == shown => {
                self.new_call(now);
                return true;
            }
            Some((_, true)) => {
                self.bring_in(shown);
                return true;
            }
            Some((_, false)) => return true,
            None => {}
        }
        let Some(account) = self.find(shown).map(|call| call.account) else { return false };
        let Some(uri) = self.conference_of(account).map(|config| config.uri.clone()) else { return false };
        if !self.conference.is_empty() {
            return false;
        }
        match self.other_up(shown) {
            Some(other) => self.begin_network_conference(account, uri, vec![other, shown]),
            None => self.new_call(now),
        }
        true
    }

    /// Whether the conference key has something to do with this call, where the server joins calls; `None` where the telephone
    /// does.
    pub(super) fn offers_network_conference(&self, shown: CallRef) -> Option<bool> {
        let call = self.find(shown)?;
        if let Some(network) = &self.network {
            let adds = network.call == shown && self.free_line(call.account).is_some();
            return Some(network.up && (adds || network.call != shown && call.is_up()));
        }
        self.conference_of(call.account).filter(|_| self.conference.is_empty())?;
        Some(self.other_up(shown).is_some())
    }

    fn conference_of(&self, account: usize) -> Option<&NetworkConferenceConfig> {
        self.policy.accounts.get(account)?.conference.as_ref()
    }

    /// The newest other call that is up.
    fn other_up(&self, shown: CallRef) -> Option<CallRef> {
        let mut calls = self.calls.iter().rev();
        let is_up = |call: &&Call| {
            call.is_up() && !call.hung_up && call.id != shown && !self.is_transferring(call.id)
        };
        calls.find(is_up).map(Call::id)
    }

    fn begin_network_conference(&mut self, account: usize, uri: String, joining: Vec<CallRef>) {
        // Who was called for a transfer is in the conference now.
        self.transfer = None;
        let held = self.hold_others(None);
        // The conference takes the place of the two calls: it needs no line of its own while they last.
        let line = self.free_line(account).flatten();
        let peer = Peer { name: Some("Conference".to_owned()), number: uri.clone() };
        let call = self.add_call(account, line, peer, Direction::Outgoing);
        self.network = Some(NetworkConference { call, up: false, joining });
        self.open_path();
        self.muted = false;
        self.show(call);
        self.once_held(held, call, Command::Call { call, account, number: uri });
    }

    /// Has somebody beside the conference join it.
    fn bring_in(&mut self, member: CallRef) {
        let Some(focus) = self.network.as_ref().map(|network| network.call) else { return };
        self.transfer = None;
        let held = self.hold_others(Some(focus));
        self.open_path();
        self.show(focus);
        if self.find(focus).is_some_and(|call| call.state == CallState::Held) {
            self.change(focus, |call| call.resuming = true);
            self.once_held(held.clone(), focus, Command::Resume(focus));
        }
        let then = self.bringing_in(member, focus);
        self.once_held(held, member, then);
    }

    fn bringing_in(&self, call: CallRef, focus: CallRef) -> Command {
        let account = self.find(focus).map(|call| call.account).unwrap_or_default();
        let order = self.conference_of(account).map(|config| config.order).unwrap_or_default();
        Command::BringIn { call, focus, order }
    }

    /// A call is up: if it is the conference, those who wait for it join.
    pub(super) fn conference_is_up(&mut self, call: CallRef) {
        let Some(network) = self.network.as_mut().filter(|network| network.call == call && !network.up)
        else {
            return;
        };
        network.up = true;
        for member in core::mem::take(&mut network.joining) {
            if self.find(member).is_some_and(|call| call.is_up() && !call.hung_up) {
                let command = self.bringing_in(member, call);
                self.command(command);
            }
        }
    }

    /// What comes of somebody who was to join.
    pub(super) fn brought_in(&mut self, now: Instant, call: CallRef, progress: TransferProgress) {
        // When it has got through, the end of the call follows.
        let TransferProgress::Failed(reason) = progress else { return };
        let Some(title) = self.find(call).map(|call| call.peer.title().to_owned()) else { return };
        self.notify(now, format!("{title} did not join: {reason}"));
    }

    /// A call is over: the conference, or somebody who was to join.
    pub(super) fn leave_network_conference(&mut self, now: Instant, id: CallRef, cause: &Ended) {
        let Some(network) = &mut self.network else { return };
        network.joining.retain(|call| *call != id);
        if network.call == id {
            let refused = !network.up;
            self.network = None;
            if refused {
                self.notify(now, format!("No conference: {}", cause.reason));
            }
        }
    }

    /// The focus of a conference told who is in it.
    pub(super) fn people_are(&mut self, call: CallRef, people: Vec<String>) {
        self.change(call, |call| call.people = people);
    }
}
