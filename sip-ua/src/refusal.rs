//! How an INVITE is refused: a status, and what was wrong with its session description.

use crate::request::append;
use alloc::format;
use alloc::string::String;
use sidetone_hal::net::SocketAddr;
use sidetone_sip_core::header::Warning;
use sidetone_sip_core::{Headers, Response, StatusCode};

/// How an INVITE is refused. A bare [`StatusCode`] becomes one.
///
/// ```
/// use sidetone_sip_core::StatusCode;
/// use sidetone_sip_ua::Refusal;
/// let refusal = Refusal::from(StatusCode::NOT_ACCEPTABLE_HERE).with_warning(305, "no codec in common");
/// assert_eq!(refusal.status.code(), 488);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The final status, 300 to 699.
    pub status: StatusCode,
    /// What is wrong with the session description: the code and the text of a Warning header (RFC 3261 §20.43).
    pub warning: Option<(u16, String)>,
    /// Further headers: the Contact and Diversion of a 302, Retry-After, Reason.
    pub headers: Headers,
}

impl Refusal {
    /// The same refusal with a Warning: a code of 300 to 399, and words for people.
    #[must_use]
    pub fn with_warning(mut self, code: u16, text: impl Into<String>) -> Self {
        self.warning = Some((code, text.into()));
        self
    }

    /// The same refusal with further headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Puts the Warning and the further headers into the response; who warns is known by our address, where there is one.
    pub(crate) fn write(&self, response: &mut Response, ours: Option<SocketAddr>) {
        append(&mut response.headers, &self.headers);
        if let Some((code, text)) = &self.warning {
            let agent = ours.map_or_else(|| "sidetone".into(), |address| format!("{address}"));
            response.headers.push(&Warning { code: *code, agent: agent.into(), text: text.as_str().into() });
        }
    }
}

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Self {
        Self { status, warning: None, headers: Headers::new() }
    }
}

#[cfg(feature = "media")]
impl From<&sidetone_media::sdp::SdpError> for Refusal {
    /// As [`SdpError::status`](sidetone_media::sdp::SdpError::status) and its warning say.
    fn from(error: &sidetone_media::sdp::SdpError) -> Self {
        let status = StatusCode::new(error.status()).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE);
        let refusal = Self::from(status);
        // 491 says that something else is under way, and nothing of the description.
        if status == StatusCode::REQUEST_PENDING {
            return refusal;
        }
        refusal.with_warning(error.warning(), alloc::string::ToString::to_string(error))
    }
}
