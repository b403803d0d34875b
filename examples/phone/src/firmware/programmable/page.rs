//! Paging keys: a press speaks to all telephones that listen to a multicast address (YLB-064, YLC-225).
//!
//! To the person a page is a call that nobody answers to: it takes a line, is muted and ended like one, and ends when another
//! call is taken.

use crate::firmware::call::CallState;
use crate::firmware::{CallRef, Command, Firmware};
use sidetone_hal::time::Instant;
use sidetone_media::page::PageAddress;

impl Firmware {
    /// The page that is being spoken to this address.
    pub(super) fn pages_to(&self, address: PageAddress) -> Option<CallRef> {
        let page = self.calls.iter().find(|call| call.page == Some(address) && !call.hung_up);
        page.map(|call| call.id)
    }

    pub(super) fn toggle_page(&mut self, now: Instant, account: usize, address: PageAddress) {
        if let Some(call) = self.pages_to(address) {
            return self.hang_up(call);
        }
        if let Some(call) = self.take_line_beside(now, account, address.to_string()) {
            self.change(call, |call| call.page = Some(address));
            self.command(Command::Page { call, address });
        }
    }

    /// Whether a page is being spoken: then none is to be heard, ours least of all.
    pub(crate) fn speaks_page(&self) -> bool {
        self.calls.iter().any(|call| call.page.is_some())
    }

    /// Whether a call is a page that we speak: it can only be ended.
    pub(in crate::firmware) fn is_page(&self, call: CallRef) -> bool {
        self.find(call).is_some_and(|call| call.page.is_some() && call.state == CallState::Talking)
    }
}
