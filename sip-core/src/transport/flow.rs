//! One stream connection: on its way up with messages waiting, then up with a deframer.

use super::{Deframer, FlowError, Frame, Remote};
use crate::error::ParseError;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::time::Instant;

pub(crate) struct Stream {
    pub(crate) protocol: Protocol,
    pub(crate) remote: SocketAddr,
    /// What its certificate was checked for.
    pub(crate) domain: Option<Arc<str>>,
    /// Our end, once the connection is up.
    pub(crate) local: Option<SocketAddr>,
    /// When the endpoint looks at the idle time next.
    pub(crate) idle_check: Instant,
    last_active: Instant,
    held: VecDeque<Arc<[u8]>>,
    deframer: Deframer,
}

impl Stream {
    pub(crate) fn new(remote: &Remote, now: Instant, idle_check: Instant, deframer: Deframer) -> Self {
        let (protocol, remote, domain) = remote.clone();
        let held = VecDeque::new();
        Self { protocol, remote, domain, local: None, idle_check, last_active: now, held, deframer }
    }

    /// The connection is there; what waited for it.
    pub(crate) fn up(&mut self, local: SocketAddr) -> VecDeque<Arc<[u8]>> {
        self.local = Some(local);
        core::mem::take(&mut self.held)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.local.is_some()
    }

    pub(crate) fn hold(&mut self, payload: Arc<[u8]>, max: usize) -> Result<(), FlowError> {
        if self.held.len() >= max {
            return Err(FlowError::Overflow);
        }
        self.held.push_back(payload);
        Ok(())
    }

    /// How many messages wait for the connection.
    pub(crate) fn pending(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn touch(&mut self, now: Instant) {
        self.last_active = now;
    }

    pub(crate) fn last_active(&self) -> Instant {
        self.last_active
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.deframer.push(bytes);
    }

    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, ParseError> {
        self.deframer.next()
    }
}
