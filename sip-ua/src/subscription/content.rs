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
}

impl From<Option<(ContentType, Bytes)>> for NotifyContent {
    fn from(body: Option<(ContentType, Bytes)>) -> Self {
        Self { body, headers: Headers::new() }
    }
}

impl From<Headers> for NotifyContent {
    fn from(headers: Headers) -> Self {
        Self { body: None, headers }
    }
}
