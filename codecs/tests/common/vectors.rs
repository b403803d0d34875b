//! The reference vectors beside the checkout, if they are there.

use super::sha256;
use std::fs;
use std::path::{Path, PathBuf};

/// One row of an `expected.tsv`.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name of the file that was made.
    pub output: String,
    /// Path of the input, from this row's folder or, if it begins with `signals/`, from the root.
    pub made_from: String,
    pub operation: String,
    pub sha256: String,
}

/// One folder of vectors.
pub struct Folder {
    root: PathBuf,
    name: String,
}

/// The folder of that name in `../shared/vectors`; `None` (and a line that says so) on a bare machine.
pub fn folder(name: &str) -> Option<Folder> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    if root.join(name).is_dir() {
        return Some(Folder { root, name: name.to_owned() });
    }
    println!("vectors: {} is not here, 0 files compared", root.join(name).display());
    None
}

impl Folder {
    /// The rows of `expected.tsv`.
    pub fn rows(&self) -> Vec<Row> {
        let table =
            fs::read_to_string(self.root.join(&self.name).join("expected.tsv")).expect("expected.tsv");
        table.lines().skip(1).filter(|line| !line.is_empty()).map(Row::parse).collect()
    }

    /// A file of this folder, or of the root if its path begins with `signals/`.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let base = if path.starts_with("signals/") { self.root.clone() } else { self.root.join(&self.name) };
        fs::read(base.join(path)).ok()
    }

    /// A file of 16-bit samples.
    pub fn pcm(&self, path: &str) -> Option<Vec<i16>> {
        let octets = self.read(path)?;
        Some(octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }
}

impl Row {
    fn parse(line: &str) -> Self {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut field = || fields.next().unwrap_or_else(|| panic!("too few columns: {line}"));
        let (output, made_from, operation) = (field(), field(), field());
        let (_length, _stored, sha256) = (field(), field(), field());
        Self { output, made_from, operation, sha256 }
    }

    /// Whether `made` is what the reference made.
    pub fn matches(&self, made: &[u8]) -> bool {
        sha256(made) == self.sha256
    }

    /// Which loss pattern of the README the operation names.
    pub fn loss(&self) -> Loss {
        if self.operation.contains("every 7th") {
            Loss::Every7
        } else if self.operation.contains("burst") {
            Loss::Burst
        } else {
            Loss::None
        }
    }
}

/// The README's loss patterns, by frames counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    None,
    Every7,
    Burst,
}

impl Loss {
    pub fn is_lost(self, frame: usize) -> bool {
        match self {
            Self::None => false,
            Self::Every7 => frame % 7 == 6,
            Self::Burst => matches!(frame % 50, 20 | 21 | 22 | 37),
        }
    }
}

/// The records of a `.rec` file: u16 little-endian octet count, then the octets.
pub fn records(mut file: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let Some((count, rest)) = file.split_first_chunk() {
        let (record, rest) =
            rest.split_at_checked(usize::from(u16::from_le_bytes(*count))).expect("a whole record");
        records.push(record);
        file = rest;
    }
    records
}
