//! What calls cost, where their messages say so beside INFO: the responses to an INVITE, the BYE and the answer to it.

use super::Run;
use crate::firmware::{CallRef, Signal};
use sidetone_sip_core::header::ContentType;
use sidetone_sip_ua::CallId;
use sidetone_sip_ua::package::charge::{self, AdviceOfCharge};
use std::collections::VecDeque;

/// Calls that are remembered after their end, and documents that are kept until the desk knows their call: more than a
/// telephone has calls, for both take no longer than a message is under way.
const MOST: usize = 16;

/// Documents and calls that wait for each other.
#[derive(Debug, Default)]
pub(super) struct Charges {
    /// Calls that are over; the answer to their BYE may still come.
    over: VecDeque<(CallId, CallRef)>,
    /// What calls cost of which the desk has not heard yet.
    early: VecDeque<(CallId, Box<AdviceOfCharge>)>,
}

fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() >= MOST {
        queue.pop_front();
    }
    queue.push_back(item);
}

impl Run {
    /// A message of a call has a document of what it costs.
    pub(super) fn content(&mut self, id: CallId, kind: &ContentType, body: &[u8]) {
        if !kind.is(&charge::CONTENT_TYPE) {
            return;
        }
        let advice = match AdviceOfCharge::parse(body) {
            Ok(advice) => Box::new(advice),
            Err(error) => return tracing::info!(%id, %error, "what the call costs does not read"),
        };
        let over = || self.charges.over.iter().find(|(known, _)| *known == id).map(|(_, call)| *call);
        match self.name_of(id).or_else(over) {
            Some(call) => self.firmware.handle_signal(self.now(), Signal::Charge { call, advice }),
            None => push(&mut self.charges.early, (id, advice)),
        }
    }

    /// The desk knows now which call this is.
    pub(super) fn charge_known(&mut self, id: CallId, call: CallRef) {
        let (now, mut left) = (self.now(), VecDeque::new());
        for (known, advice) in core::mem::take(&mut self.charges.early) {
            if known == id {
                self.firmware.handle_signal(now, Signal::Charge { call, advice });
            } else {
                left.push_back((known, advice));
            }
        }
        self.charges.early = left;
    }

    /// A call is over.
    pub(super) fn charge_over(&mut self, call: CallRef) {
        let id = self.handles.get(&call).map(sidetone_sip_ua::CallHandle::id);
        if let Some(id) = id.or_else(|| self.ids.get(&call).copied()) {
            push(&mut self.charges.over, (id, call));
        }
    }
}
