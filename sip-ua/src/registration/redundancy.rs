//! The bindings of one account together: which servers are to hold one, and how the account stands.

use super::upkeep::Upkeep;
use super::{BindingId, Wish};
use crate::config::RedundancyMode;
use crate::context::Context;
use crate::event::{AccountId, Event, RegistrationState};
use crate::exchange::Failure;
use crate::reach::Registered;
use alloc::vec::Vec;
use sidetone_hal::net::FlowId;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::{Response, Source};

pub(crate) struct Registration {
    account: AccountId,
    /// One for each place, in the order of preference; at most [`MAX_SLOTS`](crate::account::Slot).
    upkeeps: Vec<Upkeep>,
    /// The server that each place is at.
    groups: Vec<usize>,
    mode: RedundancyMode,
    /// Whether the user wants to be registered.
    wanted: bool,
    /// How the account stands as a whole.
    pub(crate) state: RegistrationState,
}

impl Registration {
    pub(crate) fn new(account: AccountId, context: &mut Context) -> Self {
        let known = context.accounts.get(&account);
        let groups: Vec<usize> =
            known.iter().flat_map(|account| &account.slots).map(|slot| slot.group).collect();
        let redundancy = known.map(|account| account.config.redundancy.clone()).unwrap_or_default();
        let last = groups.last().copied();
        let mut upkeeps: Vec<Upkeep> =
            (0..groups.len()).map(|slot| Upkeep::new(BindingId::new(account, slot), context)).collect();
        for (upkeep, group) in upkeeps.iter_mut().zip(&groups) {
            let has_successor = redundancy.mode == RedundancyMode::Successive && Some(*group) != last;
            upkeep.probe = has_successor.then_some(redundancy.probe);
        }
        let state = RegistrationState::Unregistered;
        Self { account, upkeeps, groups, mode: redundancy.mode, wanted: false, state }
    }

    /// Whether nothing is under way and no binding is left behind.
    pub(crate) fn is_quiet(&self) -> bool {
        self.upkeeps.iter().all(Upkeep::is_quiet)
    }

    pub(crate) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// The user wants to be registered, now.
    pub(crate) fn register(&mut self, context: &mut Context, now: Instant) {
        self.begin();
        for index in 0..self.upkeeps.len() {
            if self.is_due(index)
                && let Some(upkeep) = self.upkeeps.get_mut(index)
            {
                upkeep.register(context, now);
            }
        }
        self.coordinate(context, now);
    }

    /// The user wants to be registered, but something is to be found out first, which takes so long at most;
    /// [`Registration::end_wait`] ends the wait.
    pub(crate) fn register_within(&mut self, context: &mut Context, now: Instant, wait: Duration) {
        self.begin();
        for index in 0..self.upkeeps.len() {
            if self.is_due(index)
                && let Some(upkeep) = self.upkeeps.get_mut(index)
            {
                upkeep.register_within(context, now, wait);
            }
        }
        self.report(context);
    }

    /// What was to be found out is known.
    pub(crate) fn end_wait(&mut self, context: &mut Context, now: Instant) {
        self.upkeeps.iter_mut().for_each(|upkeep| upkeep.handle_timeout(context, now));
        self.coordinate(context, now);
    }

    fn begin(&mut self) {
        self.wanted = true;
        // While a later server has taken over, the failures before it are why.
        if !self.upkeeps.iter().any(|upkeep| upkeep.state.is_registered()) {
            self.upkeeps.iter_mut().for_each(Upkeep::start_anew);
        }
    }

    /// The user does not want to be registered any more.
    pub(crate) fn unregister(&mut self, context: &mut Context, now: Instant) {
        self.wanted = false;
        let is_alone = self.upkeeps.len() == 1;
        for upkeep in &mut self.upkeeps {
            if is_alone || upkeep.wanted {
                upkeep.unregister(context, now);
            }
        }
        self.after(context, now);
    }

    /// Leaves the bindings to their lifetime.
    pub(super) fn leave(&mut self, context: &mut Context, now: Instant) {
        self.wanted = false;
        self.upkeeps.iter_mut().for_each(|upkeep| upkeep.leave(context));
        self.after(context, now);
    }

    /// Our address is another one.
    pub(crate) fn handle_moved(&mut self, context: &mut Context, now: Instant) {
        self.upkeeps.iter_mut().for_each(|upkeep| upkeep.handle_moved(context, now));
        self.after(context, now);
    }

    /// Keep-alives found out that a registrar does not reach us any more the way it did.
    pub(crate) fn handle_flow_failed(&mut self, context: &mut Context, now: Instant, slot: usize) {
        if let Some(upkeep) = self.upkeeps.get_mut(slot) {
            upkeep.handle_flow_failed(context, now);
        }
        self.after(context, now);
    }

    /// A connection is gone.
    pub(crate) fn handle_flow_down(&mut self, context: &mut Context, now: Instant, flow: FlowId) {
        self.upkeeps.iter_mut().for_each(|upkeep| upkeep.handle_flow_down(context, now, flow));
        self.after(context, now);
    }

    /// Time to refresh, or to try again.
    pub(crate) fn handle_timeout(&mut self, context: &mut Context, now: Instant, slot: usize) {
        if let Some(upkeep) = self.upkeeps.get_mut(slot) {
            upkeep.handle_timeout(context, now);
        }
        self.after(context, now);
    }

    pub(crate) fn handle_outcome(
        &mut self,
        context: &mut Context,
        now: Instant,
        slot: usize,
        result: Result<(Response, Source), Failure>,
    ) {
        let others = self.upkeeps.iter().enumerate();
        let accompanied =
            others.filter(|(index, _)| *index != slot).any(|(_, other)| other.state.is_registered());
        if let Some(upkeep) = self.upkeeps.get_mut(slot) {
            upkeep.accompanied = accompanied;
            upkeep.handle_outcome(context, now, result);
        }
        self.coordinate(context, now);
    }

    pub(super) fn handle_wish(
        &mut self,
        context: &mut Context,
        now: Instant,
        binding: BindingId,
        wish: Wish,
    ) {
        let Some(upkeep) = self.upkeeps.get_mut(binding.slot()) else { return };
        match wish {
            Wish::Recover if upkeep.wanted && !upkeep.is_busy() => upkeep.recover(context, now),
            Wish::Recover => {}
            // The REGISTER that tells is under way.
            Wish::RegisterAt(target, _) if upkeep.is_registering_at(&target) => {}
            Wish::RegisterAt(target, failed_over) if upkeep.wanted && !upkeep.is_busy() => {
                upkeep.register_at(context, now, target, failed_over);
            }
            // A REGISTER fails over by itself, or none is wanted.
            Wish::RegisterAt(..) => context.release(now, binding, true),
        }
        self.after(context, now);
    }

    pub(crate) fn next_seq(&mut self, slot: usize) -> Option<u32> {
        self.upkeeps.get_mut(slot).map(Upkeep::next_seq)
    }

    /// The way that the last 2xx came, of the first server that holds a binding.
    pub(crate) fn path(&self) -> Option<Source> {
        let registered =
            self.upkeeps.iter().find(|upkeep| upkeep.state.is_registered() && upkeep.path().is_some());
        registered.or_else(|| self.upkeeps.first())?.path()
    }

    /// What the last answer of a registrar says about how to be reached.
    pub(crate) fn registered(&mut self, slot: usize) -> Option<Registered> {
        self.upkeeps.get_mut(slot).map(Upkeep::registered)
    }

    /// Whether the place is to hold a binding: in successive mode only when every server before its own is down.
    fn is_due(&self, index: usize) -> bool {
        let Some(own) = self.groups.get(index) else { return false };
        let before = self.upkeeps.iter().zip(&self.groups).filter(|(_, group)| *group < own);
        self.wanted
            && match self.mode {
                RedundancyMode::Concurrent => true,
                RedundancyMode::Successive => before.into_iter().all(|(upkeep, _)| upkeep.is_down()),
            }
    }

    /// Has those bindings made and taken back that the mode says.
    fn coordinate(&mut self, context: &mut Context, now: Instant) {
        for index in 0..self.upkeeps.len() {
            let is_due = self.is_due(index);
            let Some(upkeep) = self.upkeeps.get_mut(index) else { continue };
            match (is_due, upkeep.wanted) {
                (true, false) => upkeep.register(context, now),
                (false, true) => upkeep.unregister(context, now),
                _ => {}
            }
        }
        self.after(context, now);
    }

    /// Lets go what waited for a REGISTER that is over, and tells how the account stands.
    fn after(&mut self, context: &mut Context, now: Instant) {
        for (index, upkeep) in self.upkeeps.iter().enumerate() {
            if !upkeep.is_busy() {
                let binding = BindingId::new(self.account, index);
                context.release(now, binding, upkeep.state.is_registered());
            }
        }
        self.report(context);
    }

    fn report(&mut self, context: &mut Context) {
        let account = self.account;
        let is_alone = self.upkeeps.len() == 1;
        let mut refreshed = false;
        for (index, upkeep) in self.upkeeps.iter_mut().enumerate() {
            for state in upkeep.news.drain(..) {
                if is_alone {
                    self.state = state.clone();
                    context.events.push_back(Event::Registration { account, state });
                    continue;
                }
                refreshed |= state.is_registered();
                context.events.push_back(Event::Binding { account, place: index, state });
            }
        }
        if is_alone {
            return;
        }
        let state = self.overall();
        if state != self.state || refreshed && state.is_registered() {
            self.state = state.clone();
            context.events.push_back(Event::Registration { account, state });
        }
    }

    /// How the account stands: registered when one server holds a binding, and so on downwards.
    fn overall(&self) -> RegistrationState {
        let states = || self.upkeeps.iter().map(|upkeep| &upkeep.state);
        let is_failed = |state: &&RegistrationState| matches!(state, RegistrationState::Failed { .. });
        let best = states()
            .find(|state| state.is_registered())
            .or_else(|| states().find(|state| **state == RegistrationState::Registering))
            .or_else(|| states().find(is_failed));
        best.cloned().unwrap_or(RegistrationState::Unregistered)
    }
}
