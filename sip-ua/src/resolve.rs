//! Next hops: what the [`Locator`] is asked for an account's requests, and who waits for its answer (RFC 3263).

use crate::context::Context;
use crate::dialog::Routed;
use crate::event::AccountId;
use crate::exchange::{ExchangeId, Failure};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use sidetone_hal::net::{IpAddr, Protocol};
use sidetone_hal::time::Instant;
use sidetone_sip_core::locate::{
    Answer, LocateError, LocateEvent, LocateRequest, LookupId, QueryId, RecordData,
};
use sidetone_sip_core::{Host, Request, Target, Uri};

/// Who waits for the targets of a next hop. There are never more than the locator has look-ups.
pub(crate) enum Waiter {
    Exchange(ExchangeId),
    Ack(Box<Request>, Option<AccountId>),
    /// Something beside SIP: a STUN server.
    Host,
}

/// Addresses whose records' ends are kept: of a few servers each for the accounts of one agent.
const MAX_RECORD_ENDS: usize = 64;

/// Until when the address records hold that DNS gave. The one that ends first goes when there are too many; O(n) then.
#[derive(Default)]
pub(crate) struct RecordEnds(BTreeMap<IpAddr, Instant>);

impl RecordEnds {
    fn hear(&mut self, now: Instant, answer: &Answer) {
        let Answer::Records { records, additional, .. } = answer else { return };
        for record in records.iter().chain(additional) {
            let ip = match &record.data {
                RecordData::A(address) => IpAddr::V4(*address),
                RecordData::Aaaa(address) => IpAddr::V6(*address),
                RecordData::Naptr(_) | RecordData::Srv(_) => continue,
            };
            if self.0.len() >= MAX_RECORD_ENDS && !self.0.contains_key(&ip) {
                let first = self.0.iter().min_by_key(|(_, end)| **end).map(|(ip, _)| *ip);
                first.and_then(|first| self.0.remove(&first));
            }
            self.0.insert(ip, now + record.ttl);
        }
    }

    /// When the record of an address ends, if DNS gave it.
    pub(crate) fn of(&self, ip: IpAddr) -> Option<Instant> {
        self.0.get(&ip).copied()
    }
}

impl Context {
    /// Begins to locate the host of `hop`; `otherwise` is the transport where neither it nor DNS names one.
    pub(crate) fn locate(
        &mut self,
        now: Instant,
        waiter: Waiter,
        account: Option<AccountId>,
        hop: &Uri,
        otherwise: Protocol,
    ) -> Result<LookupId, LocateError> {
        let mut request = LocateRequest::uri(hop)?;
        let account = account.and_then(|account| self.accounts.get(&account));
        let by_dns = account.is_some_and(|account| account.config.transport_by_dns);
        if let Some(account) = account {
            request = request.with_options(account.locate.clone()).with_draw(account.draw);
        }
        // The transport of the account is no reason to send what has to be secure over one that is not.
        if !by_dns && (otherwise.is_secure() || !request.secure) {
            request = request.or_transport(otherwise);
        }
        let id = self.locator.locate(now, request)?;
        self.waiting.insert(id, waiter);
        Ok(id)
    }

    /// Asks for the addresses of a host; they come in [`Context::hosts`], none when it has none. `None` when there are too
    /// many look-ups.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        account: AccountId,
        host: &str,
        port: u16,
        protocol: Protocol,
    ) -> Option<LookupId> {
        let mut request = LocateRequest::new(Host::parse(host).ok()?).or_transport(protocol);
        request.port = Some(port);
        if let Some(account) = self.accounts.get(&account) {
            request = request.with_options(account.locate.clone());
        }
        let id = self.locator.locate(now, request).ok()?;
        self.waiting.insert(id, Waiter::Host);
        self.take_located(now);
        Some(id)
    }

    /// Sends an ACK to a 2xx, as soon as its next hop is located.
    pub(crate) fn send_ack(
        &mut self,
        now: Instant,
        account: Option<AccountId>,
        ack: &Routed,
        protocol: Protocol,
    ) {
        let mut request = ack.request.clone();
        self.sign(&mut request.headers);
        // When there are too many look-ups, a peer that repeats its 2xx faster than names are found out gets no ACK.
        let Some(hop) = &ack.hop else { return };
        if self.locate(now, Waiter::Ack(Box::new(request), account), account, hop, protocol).is_ok() {
            self.take_located(now);
        }
    }

    /// The answer to a query. One that nobody waits for any more is kept for the next who asks.
    pub(crate) fn handle_answer(&mut self, now: Instant, query: QueryId, answer: Answer) {
        self.record_ends.hear(now, &answer);
        self.locator.handle_answer(now, query, answer);
        self.take_located(now);
    }

    /// Hands finished look-ups to those who wait for them.
    pub(crate) fn take_located(&mut self, now: Instant) {
        while let Some(event) = self.locator.poll_event() {
            let (id, targets) = match event {
                LocateEvent::Located { id, targets } => (id, Ok(targets)),
                LocateEvent::Failed { id, reason } => (id, Err(reason)),
                // A newer locator may say more; nobody waits for it.
                _ => continue,
            };
            match self.waiting.remove(&id) {
                Some(Waiter::Exchange(exchange)) => {
                    let targets = targets.map_err(Failure::Unresolved);
                    self.located(now, exchange, targets);
                }
                Some(Waiter::Ack(request, account)) => {
                    if let Some(target) = targets.ok().and_then(|targets| targets.into_iter().next()) {
                        let target = self.for_account(account, target);
                        let via = self.via_options(account, target.protocol, target.address);
                        // A lost ACK is asked for again by the repeated 2xx.
                        let _ = self.endpoint.send_ack_with(now, *request, &target, &via);
                    }
                }
                Some(Waiter::Host) => {
                    let targets = targets.unwrap_or_default();
                    self.hosts.push_back((id, targets.iter().map(|target| target.address).collect()));
                }
                None => {}
            }
        }
    }

    /// A target as the account knows it: a route within a dialog names the provider's server by its address as a rule,
    /// and the certificate there is the domain's.
    pub(crate) fn for_account(&self, account: Option<AccountId>, mut target: Target) -> Target {
        let account = account.and_then(|account| self.accounts.get(&account));
        if target.domain.is_none()
            && let Some(server) = account.and_then(|account| account.server.as_ref())
            && (server.protocol, server.address) == (target.protocol, target.address)
        {
            target.domain.clone_from(&server.domain);
        }
        target
    }

    /// The targets of an exchange's next hop, as they are to be tried.
    pub(crate) fn targets_for(&self, account: Option<AccountId>, targets: Vec<Target>) -> Vec<Target> {
        targets.into_iter().map(|target| self.for_account(account, target)).collect()
    }
}
