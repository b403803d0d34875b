//! One stream connection: on its way up with messages waiting, then up with a deframer and a watch on the other side.

use super::{Deframer, FlowError, Frame};
use crate::error::ParseError;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;

/// What makes a connection the same: transport, address, and the domain of a secure one.
pub(super) type Remote = (Protocol, SocketAddr, Option<Arc<str>>);

pub(crate) struct Stream {
    pub(crate) protocol: Protocol,
    pub(crate) remote: SocketAddr,
    /// What its certificate was checked for, of one that we made.
    pub(super) domain: Option<Arc<str>>,
    /// What the certificate of the side that connected was found to be for.
    pub(super) peers: Vec<Arc<str>>,
    /// Our end, once the connection is up.
    pub(super) local: Option<SocketAddr>,
    /// When the endpoint looks at it next: as it stands in the table of checks.
    pub(super) check: Instant,
    /// What else leads to it: where its peer is known to be, and its alias.
    pub(super) names: Vec<Remote>,
    /// The other side gave it an alias (RFC 5923).
    pub(super) has_alias: bool,
    /// The other side connected.
    pub(super) is_accepted: bool,
    /// The first message must be there by then.
    first_by: Option<Instant>,
    /// When the message began that is not whole yet.
    began: Option<Instant>,
    last_active: Instant,
    held: VecDeque<Arc<[u8]>>,
    deframer: Deframer,
}

impl Stream {
    /// A connection that the other side made, with the time by which its first message must be there; or one of ours.
    pub(super) fn new(remote: &Remote, now: Instant, first_by: Option<Instant>, deframer: Deframer) -> Self {
        let (protocol, remote, domain) = remote.clone();
        Self {
            protocol,
            remote,
            domain,
            peers: Vec::new(),
            local: None,
            check: now,
            names: Vec::new(),
            has_alias: false,
            is_accepted: first_by.is_some(),
            first_by,
            began: None,
            last_active: now,
            held: VecDeque::new(),
            deframer,
        }
    }

    /// The connection is there; what waited for it.
    pub(super) fn up(&mut self, local: SocketAddr) -> VecDeque<Arc<[u8]>> {
        self.local = Some(local);
        core::mem::take(&mut self.held)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.local.is_some()
    }

    pub(super) fn hold(&mut self, payload: Arc<[u8]>, max: usize) -> Result<(), FlowError> {
        if self.held.len() >= max {
            return Err(FlowError::Overflow);
        }
        self.held.push_back(payload);
        Ok(())
    }

    /// Takes back a message that waits. False when it does not.
    pub(super) fn withdraw(&mut self, payload: &Arc<[u8]>) -> bool {
        let place = self.held.iter().position(|held| Arc::ptr_eq(held, payload));
        place.is_some_and(|place| self.held.remove(place).is_some())
    }

    /// How many messages wait for the connection.
    pub(super) fn pending(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn touch(&mut self, now: Instant) {
        self.last_active = now;
    }

    pub(super) fn last_active(&self) -> Instant {
        self.last_active
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.deframer.push(bytes);
    }

    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, ParseError> {
        self.deframer.next()
    }

    /// A whole message came: the connection is what it seems.
    pub(crate) fn message_came(&mut self) {
        (self.first_by, self.began) = (None, None);
    }

    /// Everything that came was taken; what is left is the beginning of a message.
    pub(super) fn bytes_came(&mut self, now: Instant) {
        self.began = (self.deframer.pending() > 0).then(|| self.began.unwrap_or(now));
    }

    /// When the other side has taken too long with a message of which the whole may take `limit`.
    pub(super) fn stalled_at(&self, limit: core::time::Duration) -> Option<Instant> {
        self.first_by.soonest(self.began.map(|began| began + limit))
    }
}
