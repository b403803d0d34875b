//! How a request is refused: plain data for whoever sends the response.

use sidetone_sip_core::{Headers, StatusCode, Text};

/// How a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The final status, 400 to 699.
    pub status: StatusCode,
    /// The reason phrase, where it is not the usual one of the status.
    pub reason: Option<Text>,
    /// Headers that the response has besides.
    pub headers: Headers,
}

impl Rejection {
    /// With the status, its usual reason phrase and no further headers.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self { status, reason: None, headers: Headers::new() }
    }

    /// The same with a reason phrase of its own; an empty one changes nothing.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Text>) -> Self {
        self.reason = Some(reason.into()).filter(|reason| !reason.is_empty());
        self
    }

    /// The reason phrase to send.
    #[must_use]
    pub fn phrase(&self) -> &str {
        self.reason.as_ref().map_or_else(|| self.status.reason(), |reason| reason.as_str())
    }
}

impl From<StatusCode> for Rejection {
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

/// The status of a setting that telephones let choose from 400 to 699; `otherwise` for all others.
pub(super) const fn refusing(code: u16, otherwise: StatusCode) -> StatusCode {
    match StatusCode::new(code) {
        Some(status) if code >= 400 => status,
        _ => otherwise,
    }
}
