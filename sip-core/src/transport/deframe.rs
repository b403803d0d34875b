//! Cuts a stream into messages by Content-Length (RFC 3261 §18.3) and finds keep-alives (RFC 5626 §3.5.1).

use crate::error::{ParseError, ParseErrorKind};
use crate::header::HeaderName;
use crate::leniency::{Leniency, Lenient};
use crate::limits::Limits;
use crate::parse::line::{Lines, content_length, leading_line_ends, unfold};
use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

/// What a stream is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole message, for [`Message::parse`](crate::Message::parse).
    Message(Bytes),
    /// CRLF CRLF between messages: the side that connected asks whether the flow lives; answer with CRLF.
    KeepAlivePing,
    /// CRLF between messages, to the side that connected: the answer.
    KeepAlivePong,
}

/// Cuts a stream into [`Frame`]s. However the stream is cut into pushes, the frames are the same.
///
/// Call [`Deframer::next`] until it has no more after every [`Deframer::push`]: then it holds at most one
/// unfinished message, and never more than [`Limits::message`] and one push.
///
/// ```
/// use sidetone_sip_core::{Deframer, Frame, Limits};
/// let mut deframer = Deframer::new(Limits::default());
/// deframer.push(b"OPTIONS sip:a SIP/2.0\r\nContent-Len");
/// assert_eq!(deframer.next(), Ok(None));
/// deframer.push(b"gth: 2\r\n\r\nhi\r\n\r\n");
/// assert!(matches!(deframer.next(), Ok(Some(Frame::Message(message))) if message.ends_with(b"\r\n\r\nhi")));
/// assert_eq!(deframer.next(), Ok(Some(Frame::KeepAlivePing)));
/// assert_eq!(deframer.next(), Ok(None));
/// ```
#[derive(Clone, Debug)]
pub struct Deframer {
    limits: Limits,
    buffer: BytesMut,
    /// Up to here the buffer has no end of a head.
    searched: usize,
    /// The length of head and body, once the head is there.
    length: Option<usize>,
    /// One CRLF of a ping has come.
    half_ping: bool,
    connected: bool,
    failed: Option<ParseError>,
    lenient: Lenient,
}

impl Deframer {
    /// For a stream that the peer opened: two CRLFs are a ping.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: BytesMut::new(),
            searched: 0,
            length: None,
            half_ping: false,
            connected: false,
            failed: None,
            lenient: Lenient::DEFAULT,
        }
    }

    /// The same with what is forgiven: of line ends, of lines that are none, of a missing Content-Length.
    #[must_use]
    pub const fn with_leniency(mut self, leniency: &Leniency) -> Self {
        self.lenient = Lenient::new(leniency);
        self
    }

    /// The same for a stream that we opened: each CRLF is a pong.
    #[must_use]
    pub const fn connected(mut self) -> Self {
        self.connected = true;
        self
    }

    /// Adds bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.buffer.len() > self.limits.message {
            // Only a caller that does not drain comes here.
            self.fail(ParseErrorKind::MessageTooLarge, self.limits.message);
            return;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The framing is lost: no or a wrong Content-Length, a head without end, a message over the limit. The
    /// error stays; close the connection.
    #[expect(clippy::should_implement_trait, reason = "an iterator would end at the first None")]
    pub fn next(&mut self) -> Result<Option<Frame>, ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.advance().inspect_err(|error| self.fail(error.kind, error.at))
    }

    /// How many bytes wait for the rest of their message.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    fn fail(&mut self, kind: ParseErrorKind, at: usize) {
        self.failed = Some(ParseError::new(kind, at).in_place("message"));
        self.buffer = BytesMut::new();
    }

    fn advance(&mut self) -> Result<Option<Frame>, ParseError> {
        if self.length.is_none() && self.searched == 0 {
            if let Some(frame) = self.between_messages() {
                return Ok(Some(frame));
            }
            if matches!(self.buffer[..], [] | [b'\r']) {
                return Ok(None);
            }
        }
        let length = match self.length {
            Some(length) => length,
            None => match self.head()? {
                Some(length) => *self.length.insert(length),
                None => return Ok(None),
            },
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        self.length = None;
        self.searched = 0;
        self.half_ping = false;
        Ok(Some(Frame::Message(self.buffer.split_to(length).freeze())))
    }

    /// Takes line ends before a message.
    fn between_messages(&mut self) -> Option<Frame> {
        loop {
            if self.buffer.starts_with(b"\r\n") {
                self.buffer.advance(2);
                if self.connected {
                    return Some(Frame::KeepAlivePong);
                }
                self.half_ping = !self.half_ping;
                if !self.half_ping {
                    return Some(Frame::KeepAlivePing);
                }
            } else if leading_line_ends(&self.buffer) > 0 {
                // An LF alone: the lenient line end, but no keep-alive.
                self.buffer.advance(1);
            } else {
                return None;
            }
        }
    }

    /// The length of the message, once its head has ended.
    fn head(&mut self) -> Result<Option<usize>, ParseError> {
        let end = self.head_end();
        // Before anything else of it is judged, so that the verdict is the same wherever the stream was cut.
        if end.unwrap_or(self.buffer.len()) > self.limits.message {
            return Err(ParseError::new(ParseErrorKind::MessageTooLarge, self.limits.message));
        }
        let Some(end) = end else { return Ok(None) };
        let head = self.buffer.get(..end).unwrap_or_default();
        let mut lines = Lines::new(head, 0, self.lenient.lf_line_ends());
        lines.plain()?;
        let mut length = None;
        while let Some(line) = lines.header_or_skip(self.lenient.malformed_lines())? {
            if line.known != HeaderName::CONTENT_LENGTH.index() {
                continue;
            }
            let this = content_length(&unfold(line.value), line.at)?;
            if length.is_some_and(|other| other != this) {
                return Err(ParseError::new(ParseErrorKind::ContentLength, line.at));
            }
            length = Some(this);
        }
        let length = match length {
            Some(length) => length,
            None if self.lenient.stream_without_content_length() => 0,
            None => return Err(ParseError::new(ParseErrorKind::NoContentLength, end)),
        };
        match end.checked_add(length) {
            Some(total) if total <= self.limits.message => Ok(Some(total)),
            _ => Err(ParseError::new(ParseErrorKind::MessageTooLarge, end)),
        }
    }

    /// After the empty line that ends the head. Does not look at the same bytes twice.
    fn head_end(&mut self) -> Option<usize> {
        while let Some(found) = self.buffer.get(self.searched..).and_then(|rest| memchr(b'\n', rest)) {
            let after = self.searched + found + 1;
            match self.buffer.get(after..) {
                Some([b'\n', ..]) => return Some(after + 1),
                Some([b'\r', b'\n', ..]) => return Some(after + 2),
                // The next bytes decide: look at this line end again.
                Some([] | [b'\r']) | None => {
                    self.searched += found;
                    return None;
                }
                Some(_) => self.searched = after,
            }
        }
        self.searched = self.buffer.len();
        None
    }
}
