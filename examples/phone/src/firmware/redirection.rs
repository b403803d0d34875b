//! A call that the other side sends elsewhere (3xx), where the account's settings have the person asked whether it goes there.
//!
//! `INVITE` – `302`: the screen names the new target; the soft key Follow, OK or Send calls it, anything that hangs up ends the
//! call. Until then nothing is sent. A target that redirects in turn is asked for again.

use super::keys::Soft;
use super::{CallRef, CallState, Command, Firmware, Peer};

impl Firmware {
    /// A call of ours is to go elsewhere, and waits for the person.
    pub(super) fn redirected(&mut self, call: CallRef, to: Peer) {
        self.change(call, |call| {
            // What rang there rings no more.
            call.state = CallState::Calling;
            call.redirected = Some(to);
        });
    }

    /// The answers to whether a call is to go elsewhere.
    pub(super) fn redirection_keys(&self, call: CallRef) -> Option<[Option<Soft>; 4]> {
        self.find(call)?.redirected.as_ref()?;
        Some([Some(Soft::Follow), None, None, Some(Soft::Cancel)])
    }

    /// The person lets a call go elsewhere. Whether that was asked.
    pub(super) fn follow(&mut self, call: CallRef) -> bool {
        let mut target = None;
        self.change(call, |call| target = call.redirected.take());
        let Some(target) = target else { return false };
        self.change(call, |call| call.peer = target);
        self.command(Command::Follow(call));
        true
    }
}
