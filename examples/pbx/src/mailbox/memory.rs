//! Messages in memory.

use super::{Index, MailboxCounts, MailboxError, MailboxStore, MessageId, VoiceMessage, lock};
use hashbrown::HashMap;
use sidetone_media::wav::{Limits, Sound};
use std::sync::Mutex;

/// Messages in memory; they are lost with the process.
#[derive(Debug, Default)]
pub struct MemoryMailboxes {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    index: Index,
    files: HashMap<(String, MessageId), Vec<u8>>,
}

/// Octets of one message: ten minutes of 16 bits at 8000 samples a second, and its header.
const MAX_OCTETS: usize = 10 * 60 * 16_000 + 100;

impl MemoryMailboxes {
    /// No messages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl MailboxStore for MemoryMailboxes {
    fn blocks(&self) -> bool {
        false
    }

    fn counts(&self, mailbox: &str) -> MailboxCounts {
        lock(&self.state).index.counts(mailbox)
    }

    fn messages(&self, mailbox: &str) -> Vec<VoiceMessage> {
        lock(&self.state).index.complete(mailbox).cloned().collect()
    }

    fn begin(&self, mailbox: &str, from: &str, at: u64) -> Result<MessageId, MailboxError> {
        let mut state = lock(&self.state);
        let message = state.index.begin(mailbox, from, at)?;
        state.files.insert((mailbox.into(), message.id), Vec::new());
        Ok(message.id)
    }

    fn write(
        &self,
        mailbox: &str,
        id: MessageId,
        offset: u64,
        octets: &[u8],
        _header: bool,
    ) -> Result<(), MailboxError> {
        let mut state = lock(&self.state);
        let file = state.files.get_mut(&(mailbox.into(), id)).ok_or(MailboxError::NoMessage)?;
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = begin.saturating_add(octets.len());
        if end > MAX_OCTETS {
            return Err(MailboxError::Full);
        }
        file.resize(file.len().max(end), 0);
        if let Some(place) = file.get_mut(begin..end) {
            place.copy_from_slice(octets);
        }
        Ok(())
    }

    fn finish(&self, mailbox: &str, id: MessageId) -> Result<(), MailboxError> {
        lock(&self.state).index.get_mut(mailbox, id)?.open = false;
        Ok(())
    }

    fn sound(&self, mailbox: &str, id: MessageId) -> Result<Sound, MailboxError> {
        let state = lock(&self.state);
        let file = state.files.get(&(mailbox.into(), id)).ok_or(MailboxError::NoMessage)?;
        Ok(Sound::from_wav(file, &Limits::default())?)
    }

    fn set_heard(&self, mailbox: &str, id: MessageId, heard: bool) -> Result<(), MailboxError> {
        lock(&self.state).index.get_mut(mailbox, id)?.message.heard = heard;
        Ok(())
    }

    fn delete(&self, mailbox: &str, id: MessageId) -> Result<(), MailboxError> {
        let mut state = lock(&self.state);
        state.index.get(mailbox, id)?;
        state.index.remove(mailbox, id);
        state.files.remove(&(mailbox.into(), id));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_MESSAGES;
    use super::*;

    #[test]
    fn a_message_counts_once_it_is_complete_and_a_full_mailbox_takes_no_more() {
        let store = MemoryMailboxes::new();
        let first = store.begin("bob", "alice", 5).unwrap();
        assert_eq!(store.counts("bob"), MailboxCounts::default());
        store.finish("bob", first).unwrap();
        assert_eq!(store.counts("bob"), MailboxCounts { new: 1, old: 0 });
        store.set_heard("bob", first, true).unwrap();
        assert_eq!(store.counts("bob"), MailboxCounts { new: 0, old: 1 });
        for _ in 1..MAX_MESSAGES {
            let id = store.begin("bob", "alice", 5).unwrap();
            assert!(id > first);
        }
        assert!(matches!(store.begin("bob", "alice", 5), Err(MailboxError::Full)));
        assert!(store.begin("carol", "alice", 5).is_ok());
        store.delete("bob", first).unwrap();
        assert!(matches!(store.delete("bob", first), Err(MailboxError::NoMessage)));
        assert!(store.begin("bob", "alice", 5).is_ok());
    }
}
