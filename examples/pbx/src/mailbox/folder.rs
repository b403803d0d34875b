//! Messages as WAV files in a directory.

use super::{
    Index, MAX_MAILBOXES, MAX_MESSAGES, MailboxCounts, MailboxError, MailboxStore, MessageId, VoiceMessage,
    lock,
};
use hashbrown::HashMap;
use sidetone_media::wav::{Limits, Sound};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Messages in a directory: a directory for each mailbox, a WAV file for each message, whose name has all that is to be
/// known of it: `<number>_<seconds since 1970>_<new|old|part>_<caller>.wav`.
///
/// Safe when the power fails: sound is on the disk before the file's header says so, a name changes in one step, and
/// a message that was being recorded is taken as far as it got when the store is opened again.
#[derive(Debug)]
pub struct FolderMailboxes {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    index: Index,
    /// Those that are being recorded.
    open: HashMap<(String, MessageId), Arc<Mutex<File>>>,
}

/// A WAV file's header, and a tenth of a second: less is no message.
const LEAST_OCTETS: u64 = 44 + 1600;

impl FolderMailboxes {
    /// Opens the directory, or makes it, and reads what is there.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, MailboxError> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        let mut index = Index::default();
        for directory in fs::read_dir(&root)?.take(MAX_MAILBOXES) {
            let directory = directory?;
            let Some(mailbox) = directory.file_name().to_str().and_then(unescape) else { continue };
            if !directory.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(directory.path())?.take(2 * MAX_MESSAGES) {
                let file = file?;
                let name = file.file_name();
                let Some((mut message, part)) = name.to_str().and_then(parse) else { continue };
                if part {
                    // The power failed, or the program.
                    if file.metadata()?.len() < LEAST_OCTETS {
                        fs::remove_file(file.path())?;
                        continue;
                    }
                    message.heard = false;
                    fs::rename(file.path(), directory.path().join(name_of(&message, "new")))?;
                }
                index.insert(&mailbox, message, false);
            }
        }
        Ok(Self { root, state: Mutex::new(State { index, open: HashMap::new() }) })
    }

    fn directory(&self, mailbox: &str) -> PathBuf {
        self.root.join(escape(mailbox))
    }

    fn path(&self, mailbox: &str, message: &VoiceMessage, open: bool) -> PathBuf {
        let state = if open {
            "part"
        } else if message.heard {
            "old"
        } else {
            "new"
        };
        self.directory(mailbox).join(name_of(message, state))
    }
}

impl MailboxStore for FolderMailboxes {
    fn counts(&self, mailbox: &str) -> MailboxCounts {
        lock(&self.state).index.counts(mailbox)
    }

    fn messages(&self, mailbox: &str) -> Vec<VoiceMessage> {
        lock(&self.state).index.complete(mailbox).cloned().collect()
    }

    fn begin(&self, mailbox: &str, from: &str, at: u64) -> Result<MessageId, MailboxError> {
        if mailbox.is_empty() || mailbox.len() > MAX_NAME {
            return Err(std::io::Error::from(std::io::ErrorKind::InvalidFilename).into());
        }
        let message = lock(&self.state).index.begin(mailbox, from, at)?;
        let make = || {
            fs::create_dir_all(self.directory(mailbox))?;
            OpenOptions::new().write(true).create_new(true).open(self.path(mailbox, &message, true))
        };
        let file = make();
        let mut state = lock(&self.state);
        match file {
            Ok(file) => {
                state.open.insert((mailbox.into(), message.id), Arc::new(Mutex::new(file)));
                Ok(message.id)
            }
            Err(error) => {
                state.index.remove(mailbox, message.id);
                Err(error.into())
            }
        }
    }

    fn write(
        &self,
        mailbox: &str,
        id: MessageId,
        offset: u64,
        octets: &[u8],
        header: bool,
    ) -> Result<(), MailboxError> {
        let file = lock(&self.state).open.get(&(mailbox.into(), id)).cloned();
        let file = file.ok_or(MailboxError::NoMessage)?;
        let mut file = lock(&file);
        if header {
            // The header must not say more than there is.
            file.sync_data()?;
        }
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(octets)?;
        Ok(())
    }

    fn finish(&self, mailbox: &str, id: MessageId) -> Result<(), MailboxError> {
        let file = lock(&self.state).open.remove(&(mailbox.into(), id)).ok_or(MailboxError::NoMessage)?;
        lock(&file).sync_all()?;
        let mut state = lock(&self.state);
        let entry = state.index.get_mut(mailbox, id)?;
        let (from, to) =
            (self.path(mailbox, &entry.message, true), self.path(mailbox, &entry.message, false));
        fs::rename(from, to)?;
        entry.open = false;
        drop(state);
        sync_directory(&self.directory(mailbox));
        Ok(())
    }

    fn sound(&self, mailbox: &str, id: MessageId) -> Result<Sound, MailboxError> {
        let path = {
            let state = lock(&self.state);
            let entry = state.index.get(mailbox, id)?;
            self.path(mailbox, &entry.message, entry.open)
        };
        let limits = Limits::default();
        if fs::metadata(&path)?.len() > limits.octets as u64 {
            return Err(MailboxError::Full);
        }
        Ok(Sound::from_wav(&fs::read(path)?, &limits)?)
    }

    fn set_heard(&self, mailbox: &str, id: MessageId, heard: bool) -> Result<(), MailboxError> {
        let mut state = lock(&self.state);
        let entry = state.index.get_mut(mailbox, id)?;
        if entry.open || entry.message.heard == heard {
            return Ok(());
        }
        let changed = VoiceMessage { heard, ..entry.message.clone() };
        fs::rename(self.path(mailbox, &entry.message, false), self.path(mailbox, &changed, false))?;
        entry.message = changed;
        Ok(())
    }

    fn delete(&self, mailbox: &str, id: MessageId) -> Result<(), MailboxError> {
        let mut state = lock(&self.state);
        let entry = state.index.get(mailbox, id)?;
        let path = self.path(mailbox, &entry.message, entry.open);
        state.open.remove(&(mailbox.into(), id));
        state.index.remove(mailbox, id);
        drop(state);
        fs::remove_file(path)?;
        Ok(())
    }
}

/// The new name is safe when the directory is. Not every system can do that; the file itself is safe already.
fn sync_directory(path: &Path) {
    if let Err(error) = File::open(path).and_then(|directory| directory.sync_all()) {
        tracing::debug!(%error, "directory not synchronized");
    }
}

fn name_of(message: &VoiceMessage, state: &str) -> String {
    format!("{}_{}_{state}_{}.wav", message.id.0, message.at, escape(&message.from))
}

/// A message by the name of its file, and whether it was being recorded.
fn parse(name: &str) -> Option<(VoiceMessage, bool)> {
    let mut parts = name.strip_suffix(".wav")?.splitn(4, '_');
    let id = MessageId(parts.next()?.parse().ok()?);
    let at = parts.next()?.parse().ok()?;
    let (heard, part) = match parts.next()? {
        "new" => (false, false),
        "old" => (true, false),
        "part" => (false, true),
        _ => return None,
    };
    Some((VoiceMessage { id, from: unescape(parts.next()?)?, at, heard }, part))
}

/// Octets of a caller's name that become part of a file's, and the longest name of a mailbox.
const MAX_NAME: usize = 64;

/// Letters, digits, `+` and `-` stay; anything else is `=` and two hexadecimal digits: nothing in a caller's name leads
/// out of the directory.
fn escape(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes().take(MAX_NAME) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' => text.push(char::from(byte)),
            _ => text.push_str(&format!("={byte:02x}")),
        }
    }
    text
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    // A long name may have been cut off within a character.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_media::wav::{Recorder, RecorderConfig};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sidetone-pbx-{name}-{}", std::process::id()));
            fs::remove_dir_all(&path).ok();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn record(store: &FolderMailboxes, id: MessageId, seconds: usize, finish: bool) {
        let mut recorder = Recorder::new(RecorderConfig::new(8000));
        for _ in 0..seconds * 100 {
            recorder.push(&[], &[1000; 80]);
            if recorder.stats().octets == 0 || !finish {
                drain(store, id, &mut recorder);
            }
        }
        if finish {
            recorder.finish();
            drain(store, id, &mut recorder);
        }
    }

    fn drain(store: &FolderMailboxes, id: MessageId, recorder: &mut Recorder) {
        while let Some(write) = recorder.poll_write() {
            store.write("bob", id, write.offset, write.octets, write.header).unwrap();
            let count = write.octets.len();
            recorder.written(count);
        }
    }

    #[test]
    fn messages_outlive_the_process_and_one_that_was_cut_off_is_kept_as_far_as_it_got() {
        let folder = Folder::new("outlive");
        let store = FolderMailboxes::open(&folder.0).unwrap();
        let whole = store.begin("bob", "../alice", 1_700_000_000).unwrap();
        record(&store, whole, 1, true);
        store.finish("bob", whole).unwrap();
        store.set_heard("bob", whole, true).unwrap();
        let cut = store.begin("bob", "carol", 1_700_000_100).unwrap();
        record(&store, cut, 3, false);
        let empty = store.begin("bob", "dave", 1_700_000_200).unwrap();
        assert!(empty > cut);
        drop(store);

        let store = FolderMailboxes::open(&folder.0).unwrap();
        assert_eq!(store.counts("bob"), MailboxCounts { new: 1, old: 1 });
        let messages = store.messages("bob");
        assert_eq!(messages.iter().map(|message| &*message.from).collect::<Vec<_>>(), ["../alice", "carol"]);
        assert_eq!(store.sound("bob", whole).unwrap().samples().len(), 8000);
        assert!(store.sound("bob", cut).unwrap().samples().len() >= 2 * 8000);
        store.delete("bob", cut).unwrap();
        store.delete("bob", whole).unwrap();
        assert_eq!(fs::read_dir(folder.0.join("bob")).unwrap().count(), 0);
        // A number is never used twice.
        assert!(store.begin("bob", "x", 0).unwrap() > cut);
    }

    #[test]
    fn names_come_back_as_they_were_and_lead_nowhere() {
        for name in ["", "alice", "+49 30 1", "../../etc", "a_b=c", "é"] {
            let escaped = escape(name);
            assert!(!escaped.contains(['/', '.', '_']), "{escaped}");
            assert_eq!(unescape(&escaped).as_deref(), Some(name));
        }
        assert!(parse("5_6_new_=2.wav").is_none() && parse("5_6_gone_a.wav").is_none());
    }
}
