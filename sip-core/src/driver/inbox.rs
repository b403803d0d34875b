//! What came in and waits for the endpoint.

use super::Arrival;
use crate::transport::Input;
use alloc::collections::VecDeque;

/// Bytes that may wait.
const MAX_BYTES: usize = 4 << 20;

/// A queue that takes no more when it is full, so that the system's own buffers fill, and the peers notice.
pub(super) struct Inbox {
    arrivals: VecDeque<Arrival>,
    bytes: usize,
    max: usize,
}

impl Inbox {
    pub(super) const fn new(max: usize) -> Self {
        Self { arrivals: VecDeque::new(), bytes: 0, max }
    }

    /// Whether more should be asked for.
    pub(super) fn has_room(&self) -> bool {
        self.arrivals.len() < self.max && self.bytes < MAX_BYTES
    }

    /// Takes one more, in any case.
    pub(super) fn push(&mut self, arrival: Arrival) {
        self.bytes += weight(&arrival);
        self.arrivals.push_back(arrival);
    }

    pub(super) fn pop(&mut self) -> Option<Arrival> {
        let arrival = self.arrivals.pop_front()?;
        self.bytes = self.bytes.saturating_sub(weight(&arrival));
        Some(arrival)
    }
}

fn weight(arrival: &Arrival) -> usize {
    match arrival {
        Arrival::Datagram { payload, .. } | Arrival::Input(Input::Frame { payload, .. }) => payload.len(),
        Arrival::Input(Input::Stream { bytes, .. }) => bytes.len(),
        _ => 0,
    }
}
