//! Texts that wait to be sent, beside the settings file: kept over restarts and a loss of power.
//!
//! The file is written anew beside the old one, flushed, and put in its place, so that one of both is always whole. Each
//! line has a sum of its own: of a file that the disk has damaged, what is whole is sent, and the file is kept aside.

use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The first line: what the file is.
const TITLE: &str = "sidetone-outbox 1";
/// Texts that a file holds at most: those of the telephone's accounts, and as many of accounts that it does not have now.
pub(crate) const MOST: usize = 200;
/// The longest file that is read, in octets: the texts of the longest lengths, each octet of them written as six.
const MAX_FILE: u64 = MOST as u64 * 8192;
/// Damaged files that are kept aside; with more there is something wrong that nobody looks at.
const MAX_DAMAGED: u32 = 100;

/// A text that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptText {
    /// The address of the account that sends it.
    pub account: String,
    /// To whom: a number or an address.
    pub to: String,
    /// What it says.
    pub text: String,
    /// How often it was tried.
    pub tries: u32,
}

impl KeptText {
    /// A text that waits.
    #[must_use]
    pub fn new(account: &str, to: &str, text: &str, tries: u32) -> Self {
        Self { account: account.to_owned(), to: to.to_owned(), text: text.to_owned(), tries }
    }
}

/// Why the texts of a file are not all there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxFileError {
    /// The file cannot be read, or not be put aside: texts are not kept, so that nothing of it is written over.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// A part of the file does not read. It is kept aside as it was.
    #[error("{path}: line {line}: {what}; the file is kept as {aside}", path = .path.display(), aside = .aside.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The first line that does not read, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
        /// Where the file is now.
        aside: PathBuf,
    },
}

/// The file beside the settings.
#[derive(Clone, Debug)]
pub struct Outbox(PathBuf);

impl Outbox {
    /// The file that belongs to these settings.
    #[must_use]
    pub fn beside(settings: &Path) -> Self {
        Self(with_ending(settings, ".outbox"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The texts that wait, in their order: none without a file. Of a damaged one what is whole, and what is wrong with the
    /// rest. After [`OutboxFileError::Io`] the file must not be written.
    pub fn load(&self) -> (Vec<KeptText>, Option<OutboxFileError>) {
        let failed = |source| OutboxFileError::Io { path: self.0.clone(), source };
        let bytes = match self.read() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (Vec::new(), None),
            Err(error) => return (Vec::new(), Some(failed(error))),
        };
        let (texts, wrong) = texts_of(&bytes);
        let Some((line, what)) = wrong else { return (texts, None) };
        let error = match self.put_aside() {
            Ok(aside) => OutboxFileError::Damaged { path: self.0.clone(), line, what, aside },
            Err(error) => failed(error),
        };
        // Without the old file the whole texts are kept nowhere else.
        if matches!(error, OutboxFileError::Damaged { .. })
            && let Err(error) = self.save(&texts)
        {
            return (texts, Some(failed(error)));
        }
        (texts, Some(error))
    }

    /// Keeps these texts and no others; they are on the disk when it returns.
    ///
    /// # Errors
    /// The file cannot be written; what was kept before still is. Or there are more than 200: those behind are not kept.
    pub fn save(&self, texts: &[KeptText]) -> io::Result<()> {
        if texts.is_empty() {
            return match fs::remove_file(&self.0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let mut written = format!("{TITLE}\n");
        let kept = texts.get(..MOST).unwrap_or(texts);
        for text in kept {
            let line = serde_json::to_string(text).map_err(io::Error::other)?;
            written.push_str(&format!("{:016x} {line}\n", sum(line.as_bytes())));
        }
        written.push_str(&format!("end {}\n", kept.len()));
        let new = with_ending(&self.0, ".new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(written.as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&new, &self.0)?;
        // The name, too, has to be on the disk.
        #[cfg(unix)]
        if let Some(folder) = self.0.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder)?.sync_all()?;
        }
        match texts.len() > MOST {
            true => Err(io::Error::other(format!("only the first {MOST} of {} are kept", texts.len()))),
            false => Ok(()),
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&self.0)?.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn put_aside(&self) -> io::Result<PathBuf> {
        let free = (1..=MAX_DAMAGED)
            .map(|number| with_ending(&self.0, &format!(".damaged{number}")))
            .find(|path| !path.exists());
        let aside = free.ok_or_else(|| io::Error::other("as many damaged files are kept aside as may be"))?;
        fs::rename(&self.0, &aside)?;
        Ok(aside)
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What of a file is whole, and the first line that is not.
fn texts_of(bytes: &[u8]) -> (Vec<KeptText>, Option<(usize, String)>) {
    let mut lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    let mut wrong = None;
    match lines.next() {
        Some((line, _)) if line == TITLE.as_bytes() => {}
        _ => wrong = Some((1, format!("expected {TITLE:?}"))),
    }
    let (mut texts, mut last) = (Vec::new(), 1);
    for (line, number) in lines {
        last = number;
        if line == format!("end {}", texts.len()).as_bytes() {
            return (texts, wrong);
        }
        match text_of(line) {
            Ok(_) if texts.len() >= MOST => {
                wrong.get_or_insert_with(|| (number, format!("more than {MOST} texts")));
            }
            Ok(text) => texts.push(text),
            Err(what) => {
                wrong.get_or_insert((number, what));
            }
        }
    }
    (texts, wrong.or_else(|| Some((last, "the end is missing".to_owned()))))
}

fn text_of(line: &[u8]) -> Result<KeptText, String> {
    let line = core::str::from_utf8(line).map_err(|error| error.to_string())?;
    let (expected, text) = line.split_once(' ').ok_or("expected a sum and a text")?;
    if u64::from_str_radix(expected, 16).ok() != Some(sum(text.as_bytes())) {
        return Err("the sum does not fit the text".to_owned());
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// FNV-1a: it finds what a disk has done to a line, and keeps nobody from writing one.
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test stops on what should not happen"
    )]

    use super::*;

    fn texts(count: usize) -> Vec<KeptText> {
        (0..count).map(|number| KeptText::new("sip:101@pbx", "102", &format!("{number}\nä\""), 3)).collect()
    }

    /// A folder of the test's own.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn outbox() -> (Folder, Outbox) {
        use core::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("sidetone-outbox-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Folder(std::env::temp_dir().join(name));
        fs::create_dir(&folder.0).unwrap();
        let outbox = Outbox::beside(&folder.0.join("phone.conf"));
        (folder, outbox)
    }

    #[test]
    fn what_is_kept_is_read_in_its_order_and_nothing_waits_without_a_file() {
        let (folder, outbox) = outbox();
        assert!(matches!(outbox.load(), (none, None) if none.is_empty()));
        outbox.save(&texts(3)).unwrap();
        assert!(matches!(outbox.load(), (read, None) if read == texts(3)));
        assert!(outbox.save(&texts(MOST + 1)).unwrap_err().to_string().contains("the first 200 of 201"));
        assert_eq!(outbox.load().0.len(), MOST);
        outbox.save(&[]).unwrap();
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0, "nothing is left behind");
        outbox.save(&[]).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_texts() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, outbox) = outbox();
        outbox.save(&texts(1)).unwrap();
        assert_eq!(fs::metadata(outbox.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn of_a_damaged_file_the_whole_lines_go_on_and_it_is_kept_aside() {
        let (_folder, outbox) = outbox();
        outbox.save(&texts(3)).unwrap();
        let whole = fs::read_to_string(outbox.path()).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let flipped = whole.replacen("102", "103", 1);
        let cut = whole.rsplit_once("\nend").unwrap().0.to_owned();
        let missing = [lines[0], lines[1], lines[4]].join("\n") + "\n";
        let other = whole.replacen("sidetone", "something", 1);
        for (number, (damaged, left, line)) in
            [(flipped, 2, 2), (cut, 3, 4), (missing, 1, 3), (other, 3, 1), (String::new(), 0, 1)]
                .into_iter()
                .enumerate()
        {
            fs::write(outbox.path(), &damaged).unwrap();
            let (read, error) = outbox.load();
            let error = error.unwrap();
            assert!(error.to_string().contains("phone.conf.outbox: line"), "{error}");
            let OutboxFileError::Damaged { line: told, aside, .. } = error else { panic!("{error}") };
            assert_eq!((read.len(), told), (left, line), "{damaged}");
            assert_eq!(aside, with_ending(outbox.path(), &format!(".damaged{}", number + 1)));
            assert_eq!(fs::read_to_string(aside).unwrap(), damaged, "as it was");
            assert!(matches!(outbox.load(), (again, None) if again == read), "what was whole is kept anew");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_written_over() {
        let (_folder, outbox) = outbox();
        fs::create_dir(outbox.path()).unwrap();
        assert!(matches!(outbox.load(), (none, Some(OutboxFileError::Io { .. })) if none.is_empty()));
        assert!(outbox.save(&texts(1)).is_err());
    }
}
