//! Every transaction of an endpoint: a slab, an index by key, one by way and a heap of deadlines. Finding is O(1), a
//! deadline O(log n), the end of a way O(log n) for each transaction that hears of it. A transaction takes less than
//! 1 KiB beside its message, and gives it back when it ends.

use super::client::Client;
use super::client_invite::ClientInvite;
use super::deadlines::Deadlines;
use super::key::{Key, KeyMap};
use super::server::Server;
use super::server_invite::ServerInvite;
use super::{Timer, Timers, TransactionFailure, TransactionId};
use crate::endpoint::{Counters, Event};
use crate::transport::{FlowError, Path, Source, Transports};
use crate::{Leniency, ReadOptions, Response};
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use sidetone_hal::net::{FlowId, SocketAddr};
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;

/// Tables that once were larger than this are given back when the last transaction ends.
const KEPT: usize = 1024;

pub(crate) enum Machine {
    ClientInvite(ClientInvite),
    Client(Client),
    ServerInvite(ServerInvite),
    Server(Server),
}

/// What a machine works with while it handles one thing.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) timers: &'a Timers,
    id: TransactionId,
    path: &'a mut Path,
    /// Nobody above knows this transaction: it reports nothing.
    silent: bool,
    transports: &'a mut Transports,
    reports: &'a mut Reports,
}

impl Context<'_> {
    /// How long a timer runs at first on this transaction's transport.
    pub(crate) fn duration(&self, timer: Timer) -> Duration {
        self.timers.duration(timer, self.is_reliable())
    }

    pub(crate) const fn is_reliable(&self) -> bool {
        self.path.protocol.is_reliable()
    }

    /// For what was read once already, or written by us: without bounds, and forgiving whatever was forgiven then.
    pub(crate) fn own_options(&self) -> ReadOptions {
        let mut limits = self.transports.limits();
        (limits.message, limits.headers) = (usize::MAX, usize::MAX);
        (limits.header, limits.uri, limits.body) = (usize::MAX, usize::MAX, usize::MAX);
        (limits.vias, limits.routes, limits.params) = (usize::MAX, usize::MAX, u16::MAX);
        ReadOptions::new(limits, Leniency::LENIENT)
    }

    pub(crate) fn send(&mut self, bytes: &Arc<[u8]>) -> Result<(), FlowError> {
        self.transports.transmit(self.now, self.path, bytes)
    }

    /// Sends what was sent before.
    pub(crate) fn send_again(&mut self, bytes: &Arc<[u8]>) -> Result<(), FlowError> {
        self.reports.counters.sent_again += 1;
        self.send(bytes)
    }

    pub(crate) fn response(&mut self, response: Response, source: Source) {
        self.report(Event::Response { transaction: self.id, response, source });
    }

    pub(crate) fn failed(&mut self, cause: TransactionFailure) {
        self.report(Event::Failed { transaction: self.id, cause });
    }

    /// A message was absorbed.
    pub(crate) fn repeated(&mut self) {
        self.reports.counters.repeated += 1;
    }

    fn report(&mut self, event: Event) {
        if !self.silent {
            self.reports.events.push_back(event);
        }
    }
}

/// What goes up.
#[derive(Default)]
pub(crate) struct Reports {
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
}

pub(crate) struct Layer {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// What a new slot begins with, so that no identifier is used twice when the slab was given back.
    first_generation: u32,
    keys: KeyMap<u32>,
    /// Server transactions by what merged requests have in common.
    merged: KeyMap<u32>,
    deadlines: Deadlines,
    /// The transactions to be told when a way fails: [`Entry::way`].
    by_way: BTreeSet<(FlowId, Option<SocketAddr>, u32)>,
    timers: Timers,
    max: usize,
    pub(crate) reports: Reports,
}

struct Slot {
    generation: u32,
    entry: Option<Box<Entry>>,
}

/// What a transaction is made with beside its machine.
pub(crate) struct Opening {
    pub(crate) key: Key,
    /// Found again by [`Layer::is_merged`].
    pub(crate) merged: Option<Key>,
    pub(crate) path: Path,
    /// Nobody above knows it.
    pub(crate) silent: bool,
    pub(crate) fallback: Option<Box<Fallback>>,
}

impl Opening {
    pub(crate) const fn new(key: Key, path: Path) -> Self {
        Self { key, merged: None, path, silent: false, fallback: None }
    }

    pub(crate) const fn silent(mut self) -> Self {
        self.silent = true;
        self
    }
}

/// How a request that is too long for UDP goes over UDP all the same, when no connection comes up
/// (RFC 3261 §18.1.1).
pub(crate) struct Fallback {
    pub(crate) request: Arc<[u8]>,
    pub(crate) path: Path,
    /// The request as it waits for the connection, and until when; none once the connection is up.
    pub(crate) waiting: Option<(Instant, Arc<[u8]>)>,
}

struct Entry {
    opening: Opening,
    machine: Machine,
}

/// A connection; or a datagram socket, and a destination of what it sends.
type Way = (FlowId, Option<SocketAddr>);

impl Entry {
    fn next(&self) -> Option<(Instant, Timer)> {
        let fallback = self.opening.fallback.as_ref().and_then(|fallback| fallback.waiting.as_ref());
        let switch = fallback.map(|(at, _)| (*at, Timer::Switch));
        switch.soonest(self.machine.next())
    }

    /// The way whose end the transaction must hear of: each one its connection's, and a client transaction that waits for
    /// its final response that of the datagrams to its destination.
    fn way(&self) -> Option<Way> {
        let path = &self.opening.path;
        if path.protocol.is_reliable() {
            return Some((path.flow, None));
        }
        self.machine.is_waiting().then_some((path.flow, Some(path.destination)))
    }
}

impl Layer {
    pub(crate) fn new(timers: Timers, max: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            first_generation: 0,
            keys: KeyMap::default(),
            merged: KeyMap::default(),
            deadlines: Deadlines::default(),
            by_way: BTreeSet::new(),
            timers,
            max,
            reports: Reports::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are no tables: there were no transactions yet, or those of a busy time have ended.
    pub(crate) const fn is_bare(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.keys.len() < self.max
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    pub(crate) fn find(&self, key: &Key) -> Option<TransactionId> {
        self.id_of(*self.keys.get(key)?)
    }

    /// Whether a transaction was opened with this key as its `merged`.
    pub(crate) fn is_merged(&self, key: &Key) -> bool {
        self.merged.contains_key(key)
    }

    /// Adds a transaction; `None` when there is no room or the key is taken.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        transports: &mut Transports,
        mut opening: Opening,
        machine: impl FnOnce(&Context<'_>) -> Machine,
    ) -> Option<TransactionId> {
        if !self.has_room() || self.keys.contains_key(&opening.key) {
            return None;
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(Slot { generation: self.first_generation, entry: None });
                u32::try_from(self.slots.len() - 1).ok()?
            }
        };
        let slot = self.slots.get_mut(usize::try_from(index).ok()?)?;
        let id = TransactionId { index, generation: slot.generation };
        let context = Context {
            now,
            timers: &self.timers,
            id,
            path: &mut opening.path,
            silent: opening.silent,
            transports,
            reports: &mut self.reports,
        };
        let machine = machine(&context);
        self.keys.insert(opening.key, index);
        if let Some(merged) = opening.merged {
            self.merged.insert(merged, index);
        }
        let entry = slot.entry.insert(Box::new(Entry { opening, machine }));
        let way = entry.way();
        self.deadlines.set(index, entry.next().map(|(at, _)| at));
        self.file(index, None, way);
        Some(id)
    }

    /// Runs `f` on a transaction, then files its new deadline, or removes it when it has ended.
    pub(crate) fn with<R>(
        &mut self,
        now: Instant,
        transports: &mut Transports,
        id: TransactionId,
        f: impl FnOnce(&mut Machine, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        let entry = slot.entry.as_mut().filter(|_| slot.generation == id.generation)?;
        let (before, way) = (entry.next(), entry.way());
        let mut context = Context {
            now,
            timers: &self.timers,
            id,
            path: &mut entry.opening.path,
            silent: entry.opening.silent,
            transports,
            reports: &mut self.reports,
        };
        let result = f(&mut entry.machine, &mut context);
        let ended = entry.machine.is_terminated();
        if ended || !entry.machine.is_unanswered() {
            entry.opening.fallback = None;
        }
        let after = if ended { None } else { entry.next() };
        if before != after {
            self.deadlines.set(id.index, after.map(|(at, _)| at));
        }
        let way_after = if ended { None } else { entry.way() };
        self.file(id.index, way, way_after);
        if ended {
            self.remove(id);
        }
        Some(result)
    }

    /// Files a transaction under another way than before.
    fn file(&mut self, index: u32, before: Option<Way>, after: Option<Way>) {
        if before == after {
            return;
        }
        if let Some((flow, destination)) = before {
            self.by_way.remove(&(flow, destination, index));
        }
        if let Some((flow, destination)) = after {
            self.by_way.insert((flow, destination, index));
        }
    }

    /// The transactions that are filed under a way.
    fn on_way(&self, flow: FlowId, destination: Option<SocketAddr>) -> Vec<u32> {
        let range = (flow, destination, 0)..=(flow, destination, u32::MAX);
        self.by_way.range(range).map(|(_, _, index)| *index).collect()
    }

    fn remove(&mut self, id: TransactionId) {
        let Some(slot) = usize::try_from(id.index).ok().and_then(|index| self.slots.get_mut(index)) else {
            return;
        };
        let Some(entry) = slot.entry.take() else { return };
        self.keys.remove(&entry.opening.key);
        if let Some(merged) = entry.opening.merged {
            self.merged.remove(&merged);
        }
        if !entry.opening.silent {
            self.reports.events.push_back(Event::Terminated { transaction: id });
        }
        // A slot whose generations are used up is never used again.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.index);
        }
        if self.keys.is_empty() && self.slots.len() > KEPT {
            self.shrink();
        }
    }

    /// Gives back the tables of a time with many transactions; there are none now.
    fn shrink(&mut self) {
        let newest = self.slots.iter().map(|slot| slot.generation).max().unwrap_or_default();
        if newest == u32::MAX {
            return;
        }
        self.first_generation = newest;
        (self.slots, self.free) = (Vec::new(), Vec::new());
        (self.keys, self.merged) = (KeyMap::default(), KeyMap::default());
        self.deadlines.shrink();
    }

    /// The way that a transaction's messages go.
    pub(crate) fn path(&self, id: TransactionId) -> Option<Path> {
        Some(self.entry(id)?.opening.path)
    }

    pub(crate) fn machine(&self, id: TransactionId) -> Option<&Machine> {
        Some(&self.entry(id)?.machine)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, transports: &mut Transports) {
        while let Some((_, index)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            let Some(id) = self.id_of(index) else { return };
            if !self.end_waiting(now, transports, id) {
                self.with(now, transports, id, Machine::handle_timeout);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        let (_, index) = self.deadlines.first()?;
        self.entry(self.id_of(index)?)?.next()
    }

    /// A connection broke: client transactions without their final response end, or go another way when they have one.
    /// Server transactions end only when it was the connection of a response that never came up; others may still
    /// find another way.
    pub(crate) fn handle_flow_down(
        &mut self,
        now: Instant,
        transports: &mut Transports,
        flow: FlowId,
        error: FlowError,
        was_up: bool,
    ) {
        for index in self.on_way(flow, None) {
            let Some(id) = self.id_of(index) else { continue };
            if self.fall_back(now, transports, id) {
                continue;
            }
            self.with(now, transports, id, |machine, context| {
                if !(was_up && machine.is_server()) {
                    machine.handle_failure(TransactionFailure::Transport(error), context);
                }
            });
        }
    }

    /// A datagram to `destination` did not arrive: the client transactions that wait for an answer from there end
    /// (RFC 3261 §18.4, §17.1.4). O(log n) for n transactions when there are none, and as much for each that ends: each
    /// ends once, so that a flood of errors costs no more than a search each.
    pub(crate) fn handle_unreachable(
        &mut self,
        now: Instant,
        transports: &mut Transports,
        flow: FlowId,
        destination: SocketAddr,
        error: FlowError,
    ) {
        for index in self.on_way(flow, Some(destination)) {
            let Some(id) = self.id_of(index) else { continue };
            self.with(now, transports, id, |machine, context| {
                machine.handle_failure(TransactionFailure::Transport(error), context);
            });
        }
    }

    /// Whether a transaction goes over this datagram socket. Looks at every transaction.
    pub(crate) fn uses_socket(&self, flow: FlowId) -> bool {
        let mut entries = self.slots.iter().filter_map(|slot| slot.entry.as_deref());
        entries.any(|entry| entry.opening.path.flow == flow)
    }

    /// Whether a transaction goes over this connection, or waits for an answer to what it sent from this datagram
    /// socket.
    pub(crate) fn uses(&self, flow: FlowId) -> bool {
        self.by_way.range((flow, None, 0)..).next().is_some_and(|(first, _, _)| *first == flow)
    }

    /// A request has waited for its connection for long enough: it goes over UDP, unless the connection is up.
    /// False when it was not that time.
    fn end_waiting(&mut self, now: Instant, transports: &mut Transports, id: TransactionId) -> bool {
        let Some(entry) = self.entry_mut(id) else { return false };
        let flow = entry.opening.path.flow;
        let Some(fallback) = entry.opening.fallback.as_mut() else { return false };
        let Some((_, held)) = fallback.waiting.take_if(|(at, _)| *at <= now) else { return false };
        if transports.withdraw(flow, &held) {
            return self.fall_back(now, transports, id);
        }
        let next = entry.next().map(|(at, _)| at);
        self.deadlines.set(id.index, next);
        true
    }

    /// Has a request go over UDP that nothing came back for over its connection. False when it has no such way.
    fn fall_back(&mut self, now: Instant, transports: &mut Transports, id: TransactionId) -> bool {
        let Some(entry) = self.entry_mut(id) else { return false };
        let Some(fallback) = entry.opening.fallback.take() else { return false };
        let before = entry.way();
        let stream = core::mem::replace(&mut entry.opening.path, fallback.path);
        let after = entry.way();
        self.file(id.index, before, after);
        transports.avoid_stream(now, stream.destination);
        self.reports.counters.switched_back += 1;
        self.with(now, transports, id, |machine, context| machine.restart(fallback.request, context));
        // `with` sees no change when the restart's first timer is the one that was there.
        let next = self.entry(id).and_then(Entry::next).map(|(at, _)| at);
        self.deadlines.set(id.index, next);
        true
    }

    fn entry(&self, id: TransactionId) -> Option<&Entry> {
        let slot = self.slots.get(usize::try_from(id.index).ok()?)?;
        slot.entry.as_deref().filter(|_| slot.generation == id.generation)
    }

    fn entry_mut(&mut self, id: TransactionId) -> Option<&mut Entry> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        slot.entry.as_deref_mut().filter(|_| slot.generation == id.generation)
    }

    fn id_of(&self, index: u32) -> Option<TransactionId> {
        let generation = self.slots.get(usize::try_from(index).ok()?)?.generation;
        Some(TransactionId { index, generation })
    }
}

impl Machine {
    fn handle_timeout(&mut self, context: &mut Context<'_>) {
        match self {
            Self::ClientInvite(machine) => machine.handle_timeout(context),
            Self::Client(machine) => machine.handle_timeout(context),
            Self::ServerInvite(machine) => machine.handle_timeout(context),
            Self::Server(machine) => machine.handle_timeout(context),
        }
    }

    fn handle_failure(&mut self, cause: TransactionFailure, context: &mut Context<'_>) {
        match self {
            Self::ClientInvite(machine) => machine.handle_failure(cause, context),
            Self::Client(machine) => machine.handle_failure(cause, context),
            Self::ServerInvite(machine) => machine.handle_failure(cause, context),
            Self::Server(machine) => machine.handle_failure(cause, context),
        }
    }

    /// Client: the request goes another way.
    fn restart(&mut self, request: Arc<[u8]>, context: &mut Context<'_>) {
        match self {
            Self::ClientInvite(machine) => machine.restart(request, context),
            Self::Client(machine) => machine.restart(request, context),
            Self::ServerInvite(_) | Self::Server(_) => {}
        }
    }

    /// Client: nothing has come back yet.
    const fn is_unanswered(&self) -> bool {
        match self {
            Self::ClientInvite(machine) => machine.is_unanswered(),
            Self::Client(machine) => machine.is_unanswered(),
            Self::ServerInvite(_) | Self::Server(_) => false,
        }
    }

    /// Client: the final response has not come yet.
    const fn is_waiting(&self) -> bool {
        match self {
            Self::ClientInvite(machine) => machine.is_waiting(),
            Self::Client(machine) => machine.is_waiting(),
            Self::ServerInvite(_) | Self::Server(_) => false,
        }
    }

    fn next(&self) -> Option<(Instant, Timer)> {
        match self {
            Self::ClientInvite(machine) => machine.next(),
            Self::Client(machine) => machine.next(),
            Self::ServerInvite(machine) => machine.next(),
            Self::Server(machine) => machine.next(),
        }
    }

    const fn is_terminated(&self) -> bool {
        match self {
            Self::ClientInvite(machine) => machine.is_terminated(),
            Self::Client(machine) => machine.is_terminated(),
            Self::ServerInvite(machine) => machine.is_terminated(),
            Self::Server(machine) => machine.is_terminated(),
        }
    }

    const fn is_server(&self) -> bool {
        matches!(self, Self::ServerInvite(_) | Self::Server(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_small_beside_its_message() {
        // A slot with its place in the free list, the heap, the index by way, whose nodes are half full at least, and the
        // two by key, which hash tables keep at least half full: less than half of the 1 KiB that is promised.
        // `transactions_many.rs` measures the whole.
        let index = size_of::<(Key, u32)>() + 1;
        let tables =
            size_of::<Slot>() + 4 + size_of::<(Instant, u32)>() + 4 + 4 * index + 2 * size_of::<(Way, u32)>();
        assert!(size_of::<Entry>() + tables <= 512, "{} + {tables}", size_of::<Entry>());
    }

    #[test]
    fn no_identifier_is_used_twice_when_the_slab_was_given_back() {
        let mut layer = Layer::new(Timers::default(), usize::MAX);
        let last = u32::try_from(KEPT).unwrap() + 1;
        for index in 0..=last {
            layer.slots.push(Slot { generation: index % 7, entry: None });
        }
        layer.shrink();
        assert_eq!((layer.slots.len(), layer.first_generation), (0, 6));
    }
}
