//! What the flash key of a telephone does in a call (PAA-039, PAA-040), and the INFO that tells a server of it.

use alloc::vec::Vec;
use bytes::Bytes;
use sidetone_sip_core::header::ContentType;

/// What the key does in a call (Panasonic `FLASH_RECALL_TERMINATE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FlashKey {
    /// Ends the call. The default.
    #[default]
    Terminate,
    /// Tells the server of a hook flash, which does with the call what it does for such ones.
    Flash(FlashKind),
}

/// How the server is told (Panasonic `FLASHHOOK_CONTENT_TYPE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FlashKind {
    /// `Signal`: `application/dtmf-relay` with event 16 of RFC 4733 §3.2. The default.
    #[default]
    Signal,
    /// `flashhook`: `application/broadsoft` with the event `flashhook`.
    FlashHook,
}

/// The type that BroadWorks has for events of a telephone.
pub const BROADSOFT: ContentType = ContentType::from_static("application", "broadsoft");

impl FlashKind {
    /// The body of the INFO and its type.
    #[must_use]
    pub fn body(self) -> (ContentType, Bytes) {
        match self {
            Self::Signal => (ContentType::DTMF_RELAY, Bytes::from_static(b"Signal=16\r\nDuration=160\r\n")),
            Self::FlashHook => (BROADSOFT, Bytes::from_static(b"event flashhook\r\n")),
        }
    }

    /// Whether a body says a hook flash, in either form; `hf` and `!` are in use for it, too.
    #[must_use]
    pub fn is_flash(kind: &ContentType, body: &[u8]) -> bool {
        let Ok(text) = core::str::from_utf8(body) else { return false };
        if kind.is(&BROADSOFT) {
            let words: Vec<&str> = text.split_ascii_whitespace().take(2).collect();
            return words.as_slice() == ["event", "flashhook"];
        }
        let signal = text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
        });
        kind.is(&ContentType::DTMF_RELAY)
            && signal.is_some_and(|value| value == "16" || value == "!" || value.eq_ignore_ascii_case("hf"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_back_and_digits_are_none() {
        for kind in [FlashKind::Signal, FlashKind::FlashHook] {
            let (kind, body) = kind.body();
            assert!(FlashKind::is_flash(&kind, &body), "{kind}");
        }
        let relay = ContentType::DTMF_RELAY;
        assert!(FlashKind::is_flash(&relay, b"signal=hf\nduration=100"));
        assert!(!FlashKind::is_flash(&relay, b"Signal=1\r\nDuration=160\r\n"));
        assert!(!FlashKind::is_flash(&BROADSOFT, b"event talk\r\n"));
        assert!(!FlashKind::is_flash(&ContentType::SDP, b"Signal=16\r\n"));
        assert!(!FlashKind::is_flash(&relay, b"\xff"));
    }
}
