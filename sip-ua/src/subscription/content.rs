//! What a NOTIFY tells.

use bytes::Bytes;
use sidetone_sip_core::Headers;
use sidetone_sip_core::header::ContentType;

/// What a NOTIFY tells: in its body as a rule, in its headers with packages such as `call-info`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NotifyContent {
    /// The body and its type.
    pub body: Option<(ContentType, Bytes)>,
    /// Headers beside those of every NOTIFY.
    pub headers: Headers,
    /// Whether its answer decides something: then [`Event::Notified`](crate::Event::Notified) tells the status, and a refusal
    /// that speaks of this NOTIFY alone does not end the subscription. So bridged lines are seized
    /// (draft-anil-sipping-bla).
    pub asks: bool,
}

impl NotifyContent {
    /// The same, whose answer decides something.
    #[must_use]
    pub const fn asking(mut self) -> Self {
        self.asks = true;
        self
    }
}

impl From<Option<(ContentType, Bytes)>> for NotifyContent {
    fn from(body: Option<(ContentType, Bytes)>) -> Self {
        Self { body, ..Self::default() }
    }
}

impl From<Headers> for NotifyContent {
    fn from(headers: Headers) -> Self {
        Self { headers, ..Self::default() }
    }
}
