//! The storage format of RFC 4867 §5: a magic number, then frames with an octet of header each.

use super::{Frame, FrameType};
use crate::CodecError;

/// What a file begins with: one channel.
pub const MAGIC: &[u8; 6] = b"#!AMR\n";

/// The frames of a file, in order, each with whether it is undamaged (Q bit).
#[derive(Clone, Debug)]
pub struct StoredFrames<'a> {
    rest: &'a [u8],
}

impl<'a> StoredFrames<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] if it does not begin with [`MAGIC`].
    pub fn new(file: &'a [u8]) -> Result<Self, CodecError> {
        let rest = file
            .strip_prefix(MAGIC)
            .ok_or(CodecError::Unsupported("a file that does not begin with #!AMR"))?;
        Ok(Self { rest })
    }

    fn take(&mut self, header: u8) -> Result<(Frame, bool), CodecError> {
        let number = header >> 3 & 15;
        let kind = FrameType::from_number(number)
            .ok_or(CodecError::FrameType { got: number, expected: "0 to 8, or 15" })?;
        let short = CodecError::PayloadLength { got: self.rest.len(), expected: "a whole frame of its type" };
        let (data, rest) =
            self.rest.get(1..).and_then(|data| data.split_at_checked(kind.octets())).ok_or(short)?;
        let frame = Frame::new(kind, data).ok_or(short)?;
        self.rest = rest;
        Ok((frame, header & 4 != 0))
    }
}

impl Iterator for StoredFrames<'_> {
    type Item = Result<(Frame, bool), CodecError>;

    /// The next frame; after an error there are no more.
    fn next(&mut self) -> Option<Self::Item> {
        let header = *self.rest.first()?;
        let frame = self.take(header);
        if frame.is_err() {
            self.rest = &[];
        }
        Some(frame)
    }
}

impl Frame {
    /// Writes the frame as it stands in a file; returns the octets, 32 at most.
    ///
    /// # Errors
    /// [`CodecError::OutputTooShort`].
    pub fn store(&self, out: &mut [u8]) -> Result<usize, CodecError> {
        let data = self.octets();
        let (needed, got) = (data.len() + 1, out.len());
        let Some(([header], rest)) = out.get_mut(..needed).and_then(<[u8]>::split_first_chunk_mut) else {
            return Err(CodecError::OutputTooShort { needed, got });
        };
        *header = self.kind().number() << 3 | 4;
        rest.copy_from_slice(data);
        Ok(needed)
    }
}
