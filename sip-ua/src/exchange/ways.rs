//! The ways of a request outside of dialogs: one server or proxy of the account after the other, until one answers.

use super::{Exchange, ExchangeId, Failure, Owner};
use crate::account::{Way, same};
use crate::context::Context;
use crate::event::AccountId;
use crate::registration::{BindingId, Wish};
use alloc::boxed::Box;
use alloc::vec::Vec;
use sidetone_hal::net::Protocol;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::CSeq;
use sidetone_sip_core::{Request, Target, Uri};

impl Exchange {
    /// Whether the target in use is another one than would have gone first, had nothing failed.
    pub(crate) fn has_failed_over(&self) -> bool {
        let elsewhere = match (&self.target, &self.primary) {
            (Some(target), Some(primary)) => !same(target, primary),
            _ => false,
        };
        elsewhere || self.way.as_ref().is_some_and(|way| way.proxy > 0)
    }
}

impl Context {
    /// Starts an exchange that takes one of these ways, the first that serves; `to`: to this target and no other.
    #[expect(clippy::too_many_arguments, reason = "what an exchange is made of")]
    pub(crate) fn start_by(
        &mut self,
        now: Instant,
        owner: Owner,
        account: Option<AccountId>,
        request: Request,
        contact: bool,
        ways: Vec<Way>,
        to: Option<(Target, bool)>,
    ) -> ExchangeId {
        let origin = Box::new(request.clone());
        let id = self.add_exchange(owner, account, request, contact);
        let Some(exchange) = self.exchanges.get_mut(&id) else { return id };
        exchange.origin = Some(origin);
        exchange.ways = ways.into();
        match to {
            Some((target, more)) => {
                exchange.more = more;
                exchange.way = exchange.ways.pop_front();
                exchange.ways.clear();
                exchange.targets.push_back(target.clone());
                exchange.primary = Some(target);
                self.write_way(id);
                self.try_next(now, id, Failure::Transport);
            }
            None => self.next_way(now, id, Failure::Transport),
        }
        id
    }

    /// Somebody else takes over when the exchange fails.
    pub(crate) fn set_more(&mut self, now: Instant, id: ExchangeId) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.more = true;
            self.watch(now, id);
        }
    }

    /// Takes the next way; without one, the exchange fails for this reason.
    pub(super) fn next_way(&mut self, now: Instant, id: ExchangeId, mut otherwise: Failure) {
        loop {
            let Some(exchange) = self.exchanges.get_mut(&id) else { return };
            if otherwise == Failure::Transport
                && let Some(mut way) = exchange.way.take_if(|way| way.flow.is_some())
            {
                // The flow is gone: first the others, then whatever reaches this proxy.
                way.flow = None;
                exchange.ways.push_back(way);
            }
            if exchange.cancelled || exchange.ways.is_empty() {
                return self.fail(id, otherwise);
            }
            exchange.way = exchange.ways.pop_front();
            let Some((hop, protocol)) = self.write_way(id) else { return self.fail(id, otherwise) };
            if self.takes_flow(id, &hop) {
                return self.try_next(now, id, otherwise);
            }
            match self.locate_hop(now, id, &hop, protocol) {
                Ok(()) => return,
                Err(reason) => otherwise = Failure::Unresolved(reason),
            }
        }
    }

    /// Takes the flow of the way in use, if it has one: nothing is looked up then (RFC 5626 §4.3).
    fn takes_flow(&mut self, id: ExchangeId, hop: &Uri) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        let Some(flow) = exchange.way.as_ref().and_then(|way| way.flow.clone()) else { return false };
        exchange.primary = Some(flow.clone());
        exchange.targets = [flow].into();
        self.attach(id, hop);
        true
    }

    /// Writes the way in use into a fresh copy of the request; the next hop, and the transport where it names none.
    pub(super) fn write_way(&mut self, id: ExchangeId) -> Option<(Uri, Protocol)> {
        let exchange = self.exchanges.get_mut(&id)?;
        let way = exchange.way.as_ref()?;
        let mut request = exchange.origin.as_deref()?.clone();
        let hop = way.apply(&mut request);
        let protocol = way.protocol;
        if let Some(Ok(seq)) = exchange.request.headers.get::<CSeq>() {
            request.headers.set(&seq);
        }
        let binding = match exchange.owner {
            Owner::Register(binding) => Some(binding),
            _ => None,
        };
        match binding {
            Some(binding) => self.sign_register(binding, &mut request.headers),
            None => self.sign(&mut request.headers),
        }
        self.exchanges.get_mut(&id)?.request = request;
        Some((hop, protocol))
    }

    /// Whether the request waits for a REGISTER at the target in use, another one than the account is registered at
    /// (Yealink's register-on-failover). The registration says when that is over.
    pub(super) fn holds(&mut self, id: ExchangeId) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        let (Some(way), Some(target), Some(account)) = (&exchange.way, &exchange.target, exchange.account)
        else {
            return false;
        };
        if !way.register_on_failover || matches!(exchange.owner, Owner::Register(_)) {
            return false;
        }
        let slot = self.accounts.get(&account).and_then(|account| account.slots.get(way.slot));
        if !slot.is_some_and(|slot| slot.is_elsewhere(target)) {
            return false;
        }
        let wish = Wish::RegisterAt(target.clone(), exchange.has_failed_over());
        let binding = BindingId::new(account, way.slot);
        self.held.insert(id);
        self.wishes.push_back((binding, wish));
        true
    }

    /// A binding's REGISTER is over: what waited for it goes to its server, or to the next one. Linear in the requests
    /// that wait, which are few.
    pub(crate) fn release(&mut self, now: Instant, binding: BindingId, registered: bool) {
        let exchanges = &self.exchanges;
        self.held.retain(|id| exchanges.contains_key(id));
        let is_of_it = |id: &ExchangeId| {
            self.exchanges.get(id).is_some_and(|exchange| {
                let slot = exchange.way.as_ref().map(|way| way.slot);
                exchange.account == Some(binding.account) && slot == Some(binding.slot())
            })
        };
        let held: Vec<ExchangeId> = self.held.iter().copied().filter(is_of_it).collect();
        for id in held {
            self.held.remove(&id);
            let Some(exchange) = self.exchanges.get(&id) else { continue };
            if registered && !exchange.cancelled && self.transmit(now, id) {
                self.watch(now, id);
            } else {
                self.try_next(now, id, Failure::Transport);
            }
        }
    }
}
