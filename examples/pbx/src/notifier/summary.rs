//! The package `message-summary` (RFC 3842): whether messages wait in a mailbox.

use super::{Content, States};
use bytes::Bytes;
use sidetone_sip_ua::package::message_summary::{CONTENT_TYPE, MessageClass, MessageCount, MessageSummary};
use std::sync::Arc;

/// A subscription to a mailbox.
pub(super) struct SummaryTeller {
    pub(super) mailbox: Arc<str>,
    /// What is called to hear the messages.
    pub(super) account: String,
}

impl SummaryTeller {
    pub(super) fn full(&self, states: &States) -> Content {
        let counts = states.mailboxes.counts(&self.mailbox);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let count = MessageCount::new(number(counts.new), number(counts.old));
        let summary = MessageSummary::new(counts.new > 0).with_account(&self.account);
        (CONTENT_TYPE, Bytes::from(summary.with_count(MessageClass::Voice, count).write()))
    }
}
