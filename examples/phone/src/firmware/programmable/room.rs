//! The key of a conference room of the server: it brings whoever we talk to into the room, in which we are not, or calls it.

use super::super::{CallRef, Command, Firmware};
use sidetone_hal::time::Instant;

impl Firmware {
    /// The key is pressed. The room is asked to take the call over, outside of any call with it (RFC 4579); when it has, the end
    /// of the call follows, and when it has not, the call stays.
    pub(super) fn press_room(&mut self, now: Instant, account: usize, room: String) {
        let with_room = |call: &CallRef| self.find(*call).is_some_and(|call| call.peer.number == room);
        match self.current_call().filter(|call| !with_room(call)) {
            Some(call) if self.can_transfer(call) => {
                self.notify(now, format!("To {room} …"));
                self.command(Command::SendToRoom { call, account, room });
            }
            Some(_) => {}
            None => self.call_beside(now, account, room),
        }
    }
}
