//! Every transaction of an endpoint: a slab, an index by key, and deadlines in order, each O(log n) or better.

use super::client::Client;
use super::client_invite::ClientInvite;
use super::key::{Key, KeyMap};
use super::server::Server;
use super::server_invite::ServerInvite;
use super::{Timer, Timers, TransactionFailure, TransactionId};
use crate::Response;
use crate::endpoint::{Counters, Event};
use crate::transport::{FlowError, Path, Source, Transports};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use sidetone_hal::net::FlowId;
use sidetone_hal::time::Instant;

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
        self.timers.duration(timer, self.path.protocol.is_reliable())
    }

    pub(crate) fn send(&mut self, bytes: &Arc<[u8]>) -> Result<(), FlowError> {
        self.transports.transmit(self.now, self.path, bytes)
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
    keys: KeyMap<u32>,
    deadlines: BTreeSet<(Instant, u32)>,
    /// The transactions of each connection, to be told when it breaks.
    by_flow: BTreeSet<(FlowId, u32)>,
    timers: Timers,
    max: usize,
    pub(crate) reports: Reports,
}

struct Slot {
    generation: u32,
    entry: Option<Entry>,
}

struct Entry {
    key: Key,
    path: Path,
    /// As it stands in `deadlines`.
    deadline: Option<Instant>,
    silent: bool,
    machine: Machine,
}

impl Layer {
    pub(crate) fn new(timers: Timers, max: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            keys: KeyMap::default(),
            deadlines: BTreeSet::new(),
            by_flow: BTreeSet::new(),
            timers,
            max,
            reports: Reports::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.keys.len() < self.max
    }

    pub(crate) fn find(&self, key: &Key) -> Option<TransactionId> {
        let index = *self.keys.get(key)?;
        let generation = self.slots.get(usize::try_from(index).ok()?)?.generation;
        Some(TransactionId { index, generation })
    }

    /// Adds a transaction; `None` when there is no room or the key is taken.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        transports: &mut Transports,
        key: Key,
        mut path: Path,
        silent: bool,
        machine: impl FnOnce(&Context<'_>) -> Machine,
    ) -> Option<TransactionId> {
        if !self.has_room() || self.keys.contains_key(&key) {
            return None;
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(Slot { generation: 0, entry: None });
                u32::try_from(self.slots.len() - 1).ok()?
            }
        };
        let slot = self.slots.get_mut(usize::try_from(index).ok()?)?;
        let id = TransactionId { index, generation: slot.generation };
        let context = Context {
            now,
            timers: &self.timers,
            id,
            path: &mut path,
            silent,
            transports,
            reports: &mut self.reports,
        };
        let machine = machine(&context);
        let deadline = machine.next().map(|(at, _)| at);
        if path.protocol.is_reliable() {
            self.by_flow.insert((path.flow, index));
        }
        self.deadlines.extend(deadline.map(|at| (at, index)));
        self.keys.insert(key, index);
        slot.entry = Some(Entry { key, path, deadline, silent, machine });
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
        let flow = entry.path.flow;
        let mut context = Context {
            now,
            timers: &self.timers,
            id,
            path: &mut entry.path,
            silent: entry.silent,
            transports,
            reports: &mut self.reports,
        };
        let result = f(&mut entry.machine, &mut context);
        let ended = entry.machine.is_terminated();
        let deadline = if ended { None } else { entry.machine.next().map(|(at, _)| at) };
        if deadline != entry.deadline {
            if let Some(at) = entry.deadline {
                self.deadlines.remove(&(at, id.index));
            }
            self.deadlines.extend(deadline.map(|at| (at, id.index)));
            entry.deadline = deadline;
        }
        if entry.path.protocol.is_reliable() && (ended || entry.path.flow != flow) {
            self.by_flow.remove(&(flow, id.index));
            if !ended {
                self.by_flow.insert((entry.path.flow, id.index));
            }
        }
        if ended {
            self.keys.remove(&entry.key);
            if !entry.silent {
                self.reports.events.push_back(Event::Terminated { transaction: id });
            }
            slot.entry = None;
            // A slot whose generations are used up is never used again.
            if let Some(next) = slot.generation.checked_add(1) {
                slot.generation = next;
                self.free.push(id.index);
            }
        }
        Some(result)
    }

    /// The way that a transaction's messages go.
    pub(crate) fn path(&self, id: TransactionId) -> Option<Path> {
        Some(self.entry(id)?.path)
    }

    pub(crate) fn machine(&self, id: TransactionId) -> Option<&Machine> {
        Some(&self.entry(id)?.machine)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, transports: &mut Transports) {
        while let Some((_, index)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            let Some(id) = self.id_of(index) else { return };
            self.with(now, transports, id, Machine::handle_timeout);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        let (_, index) = self.deadlines.first()?;
        self.machine(self.id_of(*index)?)?.next()
    }

    /// A connection broke: client transactions without their final response end. Server transactions end only when
    /// it was the connection of a response that never came up; others may still find another way.
    pub(crate) fn handle_flow_down(
        &mut self,
        now: Instant,
        transports: &mut Transports,
        flow: FlowId,
        error: FlowError,
        was_up: bool,
    ) {
        let affected: Vec<u32> =
            self.by_flow.range((flow, 0)..=(flow, u32::MAX)).map(|(_, index)| *index).collect();
        for index in affected {
            let Some(id) = self.id_of(index) else { continue };
            self.with(now, transports, id, |machine, context| {
                if !(was_up && machine.is_server()) {
                    machine.handle_failure(TransactionFailure::Transport(error), context);
                }
            });
        }
    }

    pub(crate) fn uses(&self, flow: FlowId) -> bool {
        self.by_flow.range((flow, 0)..=(flow, u32::MAX)).next().is_some()
    }

    fn entry(&self, id: TransactionId) -> Option<&Entry> {
        let slot = self.slots.get(usize::try_from(id.index).ok()?)?;
        slot.entry.as_ref().filter(|_| slot.generation == id.generation)
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
        // 100 000 of them take less than 30 MB, messages and indexes apart.
        assert!(size_of::<Slot>() <= 288, "{}", size_of::<Slot>());
    }
}
