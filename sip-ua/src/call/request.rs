//! What an outgoing call is made from.

use crate::subscription::WatcherId;
use bytes::Bytes;
use sidetone_sip_core::{Headers, NameAddr, Uri};

/// A call to make.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallRequest {
    /// Whom to call.
    pub to: Uri,
    /// Our offer; without one the other side makes it, in its 200 or a reliable provisional response.
    pub offer: Option<Bytes>,
    /// Further headers of the INVITE: Replaces, Privacy, Alert-Info, Call-Info, Diversion and so on.
    pub headers: Headers,
    /// Who From says that we are, in the place of the account: for anonymous calls. A tag is added.
    pub from: Option<NameAddr>,
    /// The REFER that asked for the call: its sender hears how the call goes on.
    pub refer: Option<WatcherId>,
    /// Whether we call as the focus of a conference (RFC 4579 §5.6), which our Contact says.
    pub focus: bool,
}

impl CallRequest {
    /// A call without an offer.
    #[must_use]
    pub const fn new(to: Uri) -> Self {
        Self { to, offer: None, headers: Headers::new(), from: None, refer: None, focus: false }
    }

    /// The same with an offer.
    #[must_use]
    pub fn with_offer(mut self, offer: Bytes) -> Self {
        self.offer = Some(offer);
        self
    }

    /// The same with further headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// The same under another name.
    #[must_use]
    pub fn with_from(mut self, from: NameAddr) -> Self {
        self.from = Some(from);
        self
    }

    /// The same as the focus of a conference.
    #[must_use]
    pub const fn as_focus(mut self) -> Self {
        self.focus = true;
        self
    }

    /// The same because a REFER asked for it, which was accepted.
    #[must_use]
    pub const fn for_refer(mut self, refer: WatcherId) -> Self {
        self.refer = Some(refer);
        self
    }
}
