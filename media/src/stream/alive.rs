//! Keeping a NAT's binding alive while nothing is sent (RFC 6263).

use super::outbox::Outbox;
use super::{Channel, SendChain};
use core::net::SocketAddr;
use core::time::Duration;
use sidetone_hal::time::Instant;

/// What is sent to keep the binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeepAliveKind {
    /// A datagram without content (RFC 6263 §4.1). Some networks drop it.
    Empty,
    /// An RTP packet without payload, of a payload type that was not agreed on (§4.6): 0 to 127.
    UnknownPayload(u8),
}

/// A keep-alive of RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeepAlive {
    /// What is sent.
    pub kind: KeepAliveKind,
    /// After how much time in which nothing was sent; 15 s are recommended (§7).
    pub interval: Duration,
}

impl KeepAlive {
    /// Every 15 s.
    #[must_use]
    pub const fn new(kind: KeepAliveKind) -> Self {
        Self { kind, interval: Duration::from_secs(15) }
    }
}

/// Sends keep-alives when nothing else is.
#[derive(Debug)]
pub(super) struct Alive {
    config: Option<KeepAlive>,
    next: Option<Instant>,
    /// Packets that were sent when this looked last.
    sent: u64,
}

impl Alive {
    pub(super) const fn new(config: Option<KeepAlive>) -> Self {
        Self { config, next: None, sent: 0 }
    }

    /// Time goes on, and maybe packets were sent.
    pub(super) fn look(&mut self, now: Instant, sent: u64) {
        let Some(KeepAlive { interval, .. }) = self.config else { return };
        if self.next.is_none() || core::mem::replace(&mut self.sent, sent) != sent {
            self.next = Some(now + interval);
        }
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        destination: Option<SocketAddr>,
        sender: &mut SendChain,
        outbox: &mut Outbox,
    ) {
        let Some(KeepAlive { kind, interval }) =
            self.config.filter(|_| self.next.is_some_and(|at| at <= now))
        else {
            return;
        };
        self.next = Some(now + interval);
        let Some(destination) = destination else { return };
        match kind {
            KeepAliveKind::Empty => outbox.push_empty(destination),
            KeepAliveKind::UnknownPayload(payload_type) => {
                let rtp = sender.rtp_mut();
                let stamp = rtp.timestamp();
                outbox.push(Channel::Rtp, destination, |out| {
                    rtp.write(payload_type & 0x7f, false, stamp, &[], out).ok()
                });
                self.sent = sender.rtp().packets();
            }
        }
    }

    /// The call is over.
    pub(super) const fn stop(&mut self) {
        (self.config, self.next) = (None, None);
    }
}
