//! Somebody who shares a bridged line barges into a call that is ours (RFC 3911): it is let in where the settings allow that,
//! and mixed as in a conference.

use super::LineKind;
use crate::firmware::call::Direction;
use crate::firmware::{CallRef, CallState, Command, Firmware, Peer};
use sidetone_hal::time::Instant;
use sidetone_sip_core::StatusCode;

impl Firmware {
    /// A call comes in that is to be mixed with `joined`. It is answered at once, and mixed as soon as it is up.
    ///
    /// # Errors
    /// The status that refuses it: 603 where nobody may barge in, as with a call that is of no bridged line or that is held;
    /// 488 where nobody more can be mixed.
    pub fn joining(&mut self, joined: CallRef, peer: Peer) -> Result<CallRef, StatusCode> {
        let declined = Err(StatusCode::DECLINE);
        let Some((place, _)) = self.line_of_call(joined) else { return declined };
        let allowed = |line: &super::SharedLine| line.config.kind == LineKind::Bridged { barge_in: true };
        if !self.shared.get(place).is_some_and(allowed) {
            return declined;
        }
        let Some(known) = self.find(joined).filter(|call| call.state == CallState::Talking && !call.holding)
        else {
            return declined;
        };
        let account = known.account;
        let members = if self.conference.contains(&joined) { self.conference.len() } else { 1 };
        let others_conference = !self.conference.is_empty() && !self.conference.contains(&joined);
        if members >= self.model.conference || others_conference {
            return Err(StatusCode::NOT_ACCEPTABLE_HERE);
        }
        let call = self.add_call(account, None, peer, Direction::Incoming);
        self.change(call, |call| call.state = CallState::Answering);
        if let Some(line) = self.shared.get_mut(place) {
            line.barging.push((joined, call));
        }
        self.command(Command::Answer(call));
        Ok(call)
    }

    /// Whoever barges in is up: both are mixed.
    pub(in crate::firmware) fn barged_in(&mut self, now: Instant, call: CallRef) {
        let taken = self.shared.iter_mut().find_map(|line| {
            let place = line.barging.iter().position(|(_, new)| *new == call)?;
            Some(line.barging.swap_remove(place))
        });
        let Some((joined, _)) = taken else { return };
        if !self.find(joined).is_some_and(|call| call.is_up() && !call.hung_up) {
            return;
        }
        let mut others: Vec<CallRef> = self.conference.iter().copied().filter(|own| *own != joined).collect();
        others.push(call);
        self.join(joined, &others);
        let who = self.find(call).map(|call| call.peer.number.clone()).unwrap_or_default();
        self.notify(now, format!("{who} has joined the call"));
    }
}
