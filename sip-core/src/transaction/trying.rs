//! The 100 that a server transaction sends by itself when its user is silent (RFC 3261 §17.2.1, RFC 4320 §4.1).

use super::Timer;
use super::layer::Context;
use crate::endpoint::complete_via;
use crate::transport::Source;
use crate::{Message, StatusCode};
use alloc::sync::Arc;
use bytes::Bytes;
use sidetone_hal::time::Instant;

/// A 100 that is due some time: most are never sent, so it is made when it is sent.
pub(crate) struct Trying {
    pub(crate) at: Instant,
    request: Bytes,
    source: Source,
}

impl Trying {
    /// `request` came just now; the 100 is due when `timer` runs out.
    pub(crate) fn new(request: Bytes, source: Source, timer: Timer, context: &Context<'_>) -> Self {
        Self { at: context.now + context.duration(timer), request, source }
    }

    /// The 100. `None` is not met: the request was read once.
    pub(crate) fn into_response(self, context: &Context<'_>) -> Option<Arc<[u8]>> {
        let Ok(Message::Request(mut request)) = Message::parse_with(self.request, &context.own_options())
        else {
            return None;
        };
        let via = request.headers.require().ok()?;
        complete_via(&mut request.headers, via, &self.source);
        Some(request.response(StatusCode::TRYING, None).to_bytes().into())
    }
}
