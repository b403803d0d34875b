//! Where voicemail messages are kept.
//!
//! [`MailboxStore`] is the seam for a product. Its calls may take as long as a disk does: the services make them on
//! tokio's threads for blocking work. [`MailboxStore::counts`] and [`MailboxStore::messages`] alone must be quick.

mod folder;
mod memory;

pub use folder::FolderMailboxes;
pub use memory::MemoryMailboxes;

use sidetone_media::wav::{Sound, WavError};
use std::collections::BTreeMap;

/// Messages of one mailbox; one that comes when there are so many is refused.
pub const MAX_MESSAGES: usize = 100;
/// Mailboxes of one store.
pub const MAX_MAILBOXES: usize = 10_000;

/// Names a message in its mailbox; a later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VoiceMessage {
    /// Its name.
    pub id: MessageId,
    /// Who left it: the user part of the caller's address, empty when there is none.
    pub from: String,
    /// Seconds since 1970 when it began, by the machine's clock.
    pub at: u64,
    /// Whether it was listened to.
    pub heard: bool,
}

/// How many messages a mailbox has: what RFC 3842 tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MailboxCounts {
    /// Not listened to.
    pub new: usize,
    /// Listened to.
    pub old: usize,
}

/// Why a mailbox does not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxError {
    /// There are as many messages, or mailboxes, as may be.
    #[error("the mailbox is full")]
    Full,
    /// There is no such message.
    #[error("no such message")]
    NoMessage,
    /// The recording cannot be played.
    #[error("recording: {0}")]
    Sound(#[from] WavError),
    /// The disk.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Voicemail messages by mailbox, which is named as its user is.
///
/// A message is recorded by [`begin`](Self::begin), any number of [`write`](Self::write), and
/// [`finish`](Self::finish); until then it does not count.
pub trait MailboxStore: Send + Sync {
    /// Whether its calls may wait for a disk or a network: they are made in threads of their own then.
    fn blocks(&self) -> bool {
        true
    }

    /// How many messages there are.
    fn counts(&self, mailbox: &str) -> MailboxCounts;

    /// The messages, the oldest first.
    fn messages(&self, mailbox: &str) -> Vec<VoiceMessage>;

    /// A message begins.
    ///
    /// # Errors
    /// [`MailboxError::Full`], [`MailboxError::Io`].
    fn begin(&self, mailbox: &str, from: &str, at: u64) -> Result<MessageId, MailboxError>;

    /// Octets of its WAV file, as [`sidetone_media::wav::Recorder`] gives them. Before a `header` is written, what was
    /// written before must be safe.
    ///
    /// # Errors
    /// [`MailboxError::NoMessage`], [`MailboxError::Io`].
    fn write(
        &self,
        mailbox: &str,
        id: MessageId,
        offset: u64,
        octets: &[u8],
        header: bool,
    ) -> Result<(), MailboxError>;

    /// The message is complete, and new.
    ///
    /// # Errors
    /// As [`MailboxStore::write`].
    fn finish(&self, mailbox: &str, id: MessageId) -> Result<(), MailboxError>;

    /// The recording.
    ///
    /// # Errors
    /// [`MailboxError::NoMessage`], [`MailboxError::Sound`], [`MailboxError::Io`].
    fn sound(&self, mailbox: &str, id: MessageId) -> Result<Sound, MailboxError>;

    /// The message was listened to, or counts as new again.
    ///
    /// # Errors
    /// [`MailboxError::NoMessage`], [`MailboxError::Io`].
    fn set_heard(&self, mailbox: &str, id: MessageId, heard: bool) -> Result<(), MailboxError>;

    /// Removes a message, complete or not.
    ///
    /// # Errors
    /// [`MailboxError::NoMessage`], [`MailboxError::Io`].
    fn delete(&self, mailbox: &str, id: MessageId) -> Result<(), MailboxError>;
}

/// What both stores know of their messages. To find, add or remove one is O(log n); counting is linear in the mailbox,
/// which is bounded.
#[derive(Debug, Default)]
struct Index {
    mailboxes: BTreeMap<String, BTreeMap<MessageId, Entry>>,
    last: u64,
}

#[derive(Debug)]
struct Entry {
    message: VoiceMessage,
    /// It is being recorded.
    open: bool,
}

impl Index {
    fn counts(&self, mailbox: &str) -> MailboxCounts {
        let mut counts = MailboxCounts::default();
        for entry in self.complete(mailbox) {
            *(if entry.heard { &mut counts.old } else { &mut counts.new }) += 1;
        }
        counts
    }

    fn complete(&self, mailbox: &str) -> impl Iterator<Item = &VoiceMessage> {
        let entries = self.mailboxes.get(mailbox).into_iter().flat_map(BTreeMap::values);
        entries.filter(|entry| !entry.open).map(|entry| &entry.message)
    }

    fn begin(&mut self, mailbox: &str, from: &str, at: u64) -> Result<VoiceMessage, MailboxError> {
        if !self.mailboxes.contains_key(mailbox) && self.mailboxes.len() >= MAX_MAILBOXES {
            return Err(MailboxError::Full);
        }
        if self.mailboxes.get(mailbox).map_or(0, BTreeMap::len) >= MAX_MESSAGES {
            return Err(MailboxError::Full);
        }
        // Greater than each before, and over restarts too while the clock is right.
        self.last = at.saturating_mul(1000).max(self.last + 1);
        let message = VoiceMessage { id: MessageId(self.last), from: from.into(), at, heard: false };
        self.insert(mailbox, message.clone(), true);
        Ok(message)
    }

    fn insert(&mut self, mailbox: &str, message: VoiceMessage, open: bool) {
        self.last = self.last.max(message.id.0);
        let messages = self.mailboxes.entry(mailbox.into()).or_default();
        messages.insert(message.id, Entry { message, open });
    }

    fn get(&self, mailbox: &str, id: MessageId) -> Result<&Entry, MailboxError> {
        self.mailboxes.get(mailbox).and_then(|messages| messages.get(&id)).ok_or(MailboxError::NoMessage)
    }

    fn get_mut(&mut self, mailbox: &str, id: MessageId) -> Result<&mut Entry, MailboxError> {
        let messages = self.mailboxes.get_mut(mailbox);
        messages.and_then(|messages| messages.get_mut(&id)).ok_or(MailboxError::NoMessage)
    }

    fn remove(&mut self, mailbox: &str, id: MessageId) {
        if let Some(messages) = self.mailboxes.get_mut(mailbox) {
            messages.remove(&id);
            if messages.is_empty() {
                self.mailboxes.remove(mailbox);
            }
        }
    }
}

/// The store's lock; what another thread panicked with is still a whole index.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
