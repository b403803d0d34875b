//! A further call while one is up: shown with a tone, or refused as busy.

use super::{Rejection, ServerCode};
use sidetone_sip_core::StatusCode;

/// Call waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallWaitingConfig {
    /// Whether further calls are shown; else they are refused as busy (Yealink `call_waiting.enable`, Dinstar "Call Waiting",
    /// Panasonic `CW_ENABLE_n`). Default: yes.
    pub enabled: bool,
    /// Whether a tone tells of it; without effect while it is off (Yealink `call_waiting.tone`). Default: yes.
    pub tone: bool,
    /// How many calls there may be in all; one more is busy whatever is set. Default 8, the line keys of the largest telephone
    /// (SAY-264).
    pub most_calls: usize,
    /// The status of a busy line. Default 486.
    pub busy: StatusCode,
    /// The server's codes (Yealink `call_waiting.on_code`, `call_waiting.off_code`).
    pub code: ServerCode,
}

impl Default for CallWaitingConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            tone: true,
            most_calls: 8,
            busy: StatusCode::BUSY_HERE,
            code: ServerCode::default(),
        }
    }
}

/// What a further call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// No other call is there.
    Free,
    /// Others are there, and this one may wait beside them.
    Waiting {
        /// A tone tells of it.
        tone: bool,
    },
    /// It is busy.
    Busy,
}

impl CallWaitingConfig {
    /// What a call meets when `calls` others are up or ring.
    #[must_use]
    pub const fn line(&self, calls: usize) -> Line {
        if calls >= self.most_calls || calls > 0 && !self.enabled {
            Line::Busy
        } else if calls == 0 {
            Line::Free
        } else {
            Line::Waiting { tone: self.tone }
        }
    }

    /// How a busy line refuses.
    #[must_use]
    pub const fn refusal(&self) -> Rejection {
        Rejection::new(self.busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_calls_wait_or_are_busy() {
        let usual = CallWaitingConfig::default();
        let off = CallWaitingConfig { enabled: false, ..usual.clone() };
        let silent = CallWaitingConfig { tone: false, ..usual.clone() };
        let none = CallWaitingConfig { most_calls: 0, ..usual.clone() };
        for (config, calls, line) in [
            (&usual, 0, Line::Free),
            (&usual, 1, Line::Waiting { tone: true }),
            (&usual, 7, Line::Waiting { tone: true }),
            (&usual, 8, Line::Busy),
            (&silent, 1, Line::Waiting { tone: false }),
            (&off, 0, Line::Free),
            (&off, 1, Line::Busy),
            (&none, 0, Line::Busy),
        ] {
            assert_eq!(config.line(calls), line, "{config:?} {calls}");
        }
        assert_eq!(usual.refusal().status.code(), 486);
    }
}
