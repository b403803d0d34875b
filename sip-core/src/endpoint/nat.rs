//! What the endpoint does for reaching peers through NATs: STUN on SIP sockets, keep-alive bytes, the Via of requests.

use super::{Endpoint, Event};
use crate::header::Via;
use crate::nat::stun;
use crate::transport::FlowError;
use crate::{Headers, Method};
use alloc::string::ToString;
use alloc::sync::Arc;
use bytes::Bytes;
use sidetone_hal::net::{FlowId, SocketAddr, Transmit};
use sidetone_hal::time::Instant;

/// What the Via of a request says beside transport and branch.
///
/// ```
/// let mut options = sidetone_sip_core::ViaOptions::default();
/// options.rport = false;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ViaOptions {
    /// Ask for `rport` (RFC 3581 §3): responses come to where the request was sent from. Default true.
    pub rport: bool,
    /// Offer to send keep-alives (RFC 6223 §4.3). Default false.
    pub keep: bool,
    /// Name this address instead of our own: the public one, where it is known. Not on WebSocket connections, whose
    /// Via names no address (RFC 7118 §5.2).
    pub sent_by: Option<SocketAddr>,
}

impl Default for ViaOptions {
    fn default() -> Self {
        Self { rport: true, keep: false, sent_by: None }
    }
}

impl ViaOptions {
    pub(super) fn apply(&self, via: &mut Via) {
        if let Some(address) = self.sent_by.filter(|_| via.host.ip().is_some()) {
            (via.host, via.port) = (address.ip().into(), Some(address.port()));
        }
        if self.rport {
            via.set_rport(None);
        }
        if self.keep {
            via.params.set_flag("keep");
        }
    }
}

impl Endpoint {
    /// Sends bytes that are no SIP message: keep-alives and STUN, as the machines in [`nat`](crate::nat) want them
    /// sent. A tap is not shown them.
    ///
    /// # Errors
    /// The flow is no bound socket, and no connection that is up.
    pub fn send_bytes(&mut self, now: Instant, transmit: Transmit) -> Result<(), FlowError> {
        self.transports.send_bytes(now, transmit)
    }

    /// The UDP socket that suits `toward` best, and what it is bound to; without `toward` the first one.
    #[must_use]
    pub fn datagram_flow(&self, toward: Option<SocketAddr>) -> Option<(FlowId, SocketAddr)> {
        self.transports.datagram_flow(toward.map(|toward| toward.ip()))
    }

    /// A public address of ours, as others see it: responses whose Via names it are known as answers to us. The last 32
    /// are remembered. [`ViaOptions::sent_by`] adds its address by itself.
    pub fn add_public_address(&mut self, address: SocketAddr) {
        self.transports.add_public(address);
    }

    pub(super) fn handle_stun(&mut self, now: Instant, flow: FlowId, source: SocketAddr, payload: Bytes) {
        match stun::Message::parse(&payload) {
            Ok(message) if message.class() == stun::Class::Request => {
                self.layer.reports.counters.keep_alives += 1;
                if self.config.stun_server
                    && let Some(answer) = stun::Server::new().answer(&message, source)
                {
                    let transmit = Transmit { flow, destination: source, payload: Arc::from(answer) };
                    // The socket that it came in on is bound.
                    let _ = self.transports.send_bytes(now, transmit);
                }
            }
            Ok(_) => self.layer.reports.events.push_back(Event::Stun { flow, source, payload }),
            Err(_) => self.layer.reports.counters.malformed += 1,
        }
    }

    pub(super) fn handle_pong(&mut self, flow: FlowId) {
        self.layer.reports.counters.keep_alives += 1;
        self.layer.reports.events.push_back(Event::KeepAlivePong { flow });
    }

    /// RFC 6223 §4.4: the sender of the request offers keep-alives, and we want them.
    pub(super) fn answer_keep(&self, method: &Method, mut via: Via, headers: &mut Headers) -> Via {
        if let Some(seconds) = self.config.keep
            && via.params.raw("keep") == Some(None)
            && (*method == Method::REGISTER || *method == Method::INVITE)
        {
            via.params.set("keep", &seconds.to_string());
            headers.replace_first(&via);
        }
        via
    }
}
