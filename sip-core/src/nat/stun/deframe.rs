//! Cuts a stream into messages: STUN over TCP and TLS (RFC 8489 §6.2.2).

use super::{HEADER, StunError};
use bytes::{Bytes, BytesMut};

/// Cuts a stream that carries nothing but STUN. However it is cut into pushes, the messages are the same.
#[derive(Clone, Debug)]
pub struct Deframer {
    buffer: BytesMut,
    limit: usize,
    failed: Option<StunError>,
}

impl Deframer {
    /// Messages of up to `limit` octets; 2048 is plenty for a Binding.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit, failed: None }
    }

    /// Adds bytes of the stream. What exceeds the limit and one push is not held: take the messages after each push.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() && self.buffer.len() <= self.limit {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole message; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The stream is no STUN, or a message is too long. The error stays; close the connection.
    #[expect(clippy::should_implement_trait, reason = "an iterator would end at the first None")]
    pub fn next(&mut self) -> Result<Option<Bytes>, StunError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let Some(&[first, _, high, low]) = self.buffer.first_chunk() else { return Ok(None) };
        let field = usize::from(u16::from_be_bytes([high, low]));
        let error = if first & 0xc0 != 0 {
            StunError::NotStun
        } else if !field.is_multiple_of(4) {
            StunError::Length { field, found: self.buffer.len().saturating_sub(HEADER) }
        } else if HEADER + field > self.limit {
            StunError::TooLong { found: HEADER + field, limit: self.limit }
        } else if self.buffer.len() < HEADER + field {
            return Ok(None);
        } else {
            return Ok(Some(self.buffer.split_to(HEADER + field).freeze()));
        };
        self.failed = Some(error);
        self.buffer = BytesMut::new();
        Err(error)
    }
}
