//! When to look at a connection: it is closed when it was idle too long, or its peer brings no message to its end.

use super::Transports;
use super::flow::Stream;
use crate::config::EndpointConfig;
use crate::endpoint::WakeReason;
use alloc::collections::BTreeSet;
use core::time::Duration;
use sidetone_hal::net::FlowId;
use sidetone_hal::time::Instant;

pub(super) struct Watch {
    checks: BTreeSet<(Instant, FlowId)>,
    idle: Duration,
    whole_message: Duration,
}

impl Transports {
    /// Bytes came, and every whole message in them was taken.
    pub(crate) fn bytes_came(&mut self, now: Instant, flow: FlowId) {
        if let Some(stream) = self.connections.streams.get_mut(&flow) {
            stream.bytes_came(now);
            self.watch.file(flow, stream, false);
        }
    }

    /// The next connection to close because it was idle too long and `busy` does not need it, or because the other side
    /// does not bring a message to its end.
    pub(crate) fn expire(&mut self, now: Instant, busy: impl Fn(FlowId) -> bool) -> Option<FlowId> {
        while let Some((_, flow)) = self.watch.checks.first().copied().filter(|(at, _)| *at <= now) {
            let Some(stream) = self.connections.streams.get_mut(&flow) else {
                self.watch.checks.pop_first();
                continue;
            };
            if stream.stalled_at(self.watch.whole_message).is_some_and(|at| at <= now) {
                self.counters.flows_stalled += 1;
                return Some(flow);
            }
            if stream.last_active() + self.watch.idle > now {
                self.watch.file(flow, stream, true);
            } else if busy(flow) {
                stream.touch(now);
                self.watch.file(flow, stream, true);
            } else {
                self.counters.flows_idle += 1;
                return Some(flow);
            }
        }
        None
    }

    pub(crate) fn next_check(&self) -> Option<(Instant, WakeReason)> {
        let (at, flow) = self.watch.checks.first()?;
        let stream = self.connections.streams.get(flow);
        let stalled = stream.and_then(|stream| stream.stalled_at(self.watch.whole_message));
        Some((*at, if stalled == Some(*at) { WakeReason::Stalled } else { WakeReason::Idle }))
    }
}

impl Watch {
    pub(super) const fn new(config: &EndpointConfig) -> Self {
        Self { checks: BTreeSet::new(), idle: config.idle, whole_message: config.whole_message }
    }

    /// Writes down when to look at a connection: when it may have stalled, or been idle for long enough. An earlier
    /// look than needed does no harm, so a later one is written down only when the time of the last has `come`.
    pub(super) fn file(&mut self, flow: FlowId, stream: &mut Stream, come: bool) {
        let idle = stream.last_active() + self.idle;
        let next = stream.stalled_at(self.whole_message).map_or(idle, |stalled| stalled.min(idle));
        if come || next < stream.check {
            self.checks.remove(&(stream.check, flow));
            stream.check = next;
            self.checks.insert((next, flow));
        }
    }

    pub(super) fn forget(&mut self, flow: FlowId, stream: &Stream) {
        self.checks.remove(&(stream.check, flow));
    }
}
