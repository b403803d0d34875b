//! The keys of a call by DTLS (RFC 5763): the handshake over the socket of RTP, with a bound.

use super::ports::MediaSocket;
use core::time::Duration;
use sidetone_hal::net::SocketAddr;
use sidetone_hal::time::Instant;
use sidetone_media::dtls::{DtlsError, DtlsIdentity, Handshake, HandshakeEvent, is_dtls};
use sidetone_media::sdp::Dtls;
use sidetone_media::{Negotiated, Stream};
use std::string::{String, ToString};

/// A call's DTLS.
pub(super) struct Keying {
    identity: DtlsIdentity,
    /// How long a handshake may take, from when its other side's address is known.
    limit: Duration,
    association: Option<Association>,
}

/// One association, as long as neither side's fingerprint nor its part changes (RFC 8842 §5.3).
struct Association {
    agreed: Dtls,
    handshake: Handshake,
    /// Where SDP says that the other side is.
    said: SocketAddr,
    /// Where it was heard of last.
    remote: SocketAddr,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It must be done by then.
    Until(Instant),
    /// The stream has its keys.
    Keyed,
    Failed,
}

/// Why a handshake came to nothing.
pub(super) enum Failure {
    /// The other side was not heard of in time.
    Silence,
    /// In words.
    Refused(String),
}

impl Keying {
    pub(super) const fn new(identity: DtlsIdentity, limit: Duration) -> Self {
        Self { identity, limit, association: None }
    }

    /// Takes over what was agreed on, of which the stream knows already: begins a handshake, or goes on with the one
    /// that there is.
    pub(super) fn agree(&mut self, now: Instant, negotiated: &Negotiated, stream: &mut Stream) {
        let remote = negotiated.remote_rtp;
        let known = self.association.as_mut().filter(|known| Some(&known.agreed) == negotiated.dtls.as_ref());
        match (known, &negotiated.dtls, remote) {
            (Some(known), ..) => {
                if let Some(remote) = remote.filter(|remote| *remote != known.said) {
                    (known.said, known.remote) = (remote, remote);
                }
            }
            (None, Some(agreed), Some(remote)) => {
                stream.set_srtp(now, None);
                self.association = Some(self.begin(now, agreed.clone(), remote));
            }
            // Keys of before are not those of what is agreed on now.
            (None, ..) => {
                stream.set_srtp(now, None);
                self.association = None;
            }
        }
    }

    /// Begins anew, if there is something to begin.
    pub(super) fn restart(&mut self, now: Instant) {
        if let Some(Association { agreed, said, state: State::Failed, .. }) = &self.association {
            self.association = Some(self.begin(now, agreed.clone(), *said));
        }
    }

    fn begin(&self, now: Instant, agreed: Dtls, remote: SocketAddr) -> Association {
        let handshake = Handshake::new(&self.identity, agreed.active, &agreed.fingerprints, now);
        Association { agreed, handshake, said: remote, remote, state: State::Until(now + self.limit) }
    }

    /// Takes a datagram of the socket of RTP if it is for DTLS (RFC 7983 §7).
    pub(super) fn handle_datagram(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) -> bool {
        if !is_dtls(datagram) {
            return false;
        }
        if let Some(association) = &mut self.association {
            association.handle_datagram(now, source, datagram);
        }
        true
    }

    /// Repeats what may have been lost, sends what there is to send, and gives the stream its keys.
    ///
    /// # Errors
    /// There will be none.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        socket: &MediaSocket,
        stream: &mut Stream,
    ) -> Result<(), Failure> {
        match &mut self.association {
            Some(association) => association.drive(now, socket, stream),
            None => Ok(()),
        }
    }
}

impl Association {
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        let is_known = source == self.said || source == self.remote;
        match self.state {
            // Behind a NAT the other side is somewhere else than it says: its certificate is what counts.
            State::Until(_) => self.remote = source,
            // Its last flight again, which may mean that ours was lost.
            State::Keyed if is_known => self.remote = source,
            State::Keyed | State::Failed => return,
        }
        self.handshake.handle_datagram(now, datagram);
    }

    fn drive(&mut self, now: Instant, socket: &MediaSocket, stream: &mut Stream) -> Result<(), Failure> {
        self.handshake.handle_timeout(now);
        while let Some(datagram) = self.handshake.poll_transmit() {
            // What the system does not take now is repeated.
            if let Err(error) = socket.try_send_to(&datagram, self.remote) {
                tracing::debug!(%error, "DTLS datagram dropped");
            }
        }
        match self.handshake.poll_event() {
            Some(HandshakeEvent::Keys(keys)) => {
                self.state = State::Keyed;
                stream.set_srtp(now, Some(&keys));
            }
            Some(HandshakeEvent::Failed(error)) => return self.fail(error),
            Some(HandshakeEvent::Closed) if self.state != State::Keyed => {
                return self.fail(DtlsError::Handshake("the other side ended it".to_string()));
            }
            // Keys stay good.
            Some(HandshakeEvent::Closed) | None => {}
        }
        match self.state {
            State::Until(end) if end <= now => {
                self.state = State::Failed;
                Err(Failure::Silence)
            }
            _ => Ok(()),
        }
    }

    fn fail(&mut self, error: DtlsError) -> Result<(), Failure> {
        match core::mem::replace(&mut self.state, State::Failed) {
            State::Until(_) => Err(Failure::Refused(error.to_string())),
            State::Keyed | State::Failed => Ok(()),
        }
    }
}
