//! Which server goes first after a REGISTER succeeded: the failback modes (Yealink's `failback_mode`).

use super::BindingId;
use crate::account::{Pin, same};
use crate::config::Failback;
use crate::context::Context;
use crate::exchange::ExchangeId;
use sidetone_hal::time::Instant;
use sidetone_sip_core::Target;
use sidetone_sip_core::locate::RecordData;

impl Context {
    /// A REGISTER took this way: the server is the one to go to first from now on, for as long as the failback mode says.
    /// `failed_over` is known of a REGISTER that was sent to a server because a request had failed over to it.
    pub(super) fn settle_pin(
        &mut self,
        now: Instant,
        binding: BindingId,
        exchange: ExchangeId,
        failed_over: Option<bool>,
    ) {
        let Some(exchange) = self.exchanges.get(&exchange) else { return };
        let Some(target) = exchange.target.clone() else { return };
        let proxy = exchange.way.as_ref().map_or(0, |way| way.proxy);
        let failed_over = failed_over.unwrap_or_else(|| exchange.has_failed_over());
        let ends = self.record_end(now, binding, &target);
        let avoided_until = now + self.config.locator.blacklist;
        let Some(account) = self.accounts.get_mut(&binding.account) else { return };
        let Some(slot) = account.slots.get_mut(binding.slot()) else { return };
        slot.registered_at = Some(target.clone());
        let stays = slot.pin(now).is_some_and(|pin| same(&pin.target, &target));
        if stays && failed_over {
            return;
        }
        // `None`: nothing goes first but the primary. `Some(None)`: this server, until it fails or is refreshed.
        let first_until = match slot.server.failback {
            _ if !failed_over => None,
            Failback::NewRequests => None,
            // The locator itself keeps away from addresses that failed; proxies are ours to remember.
            Failback::Avoid => (proxy > 0).then_some(Some(avoided_until)),
            // What has no record has no TTL that could end later.
            Failback::DnsTtl => ends.map(Some),
            Failback::Registration => Some(None),
            Failback::Duration(time) => Some((!time.is_zero()).then(|| now + time)),
        };
        slot.pin = first_until.map(|until| Pin::new(proxy, target, until));
    }

    /// When the DNS record of a target ends: what DNS said, else what is configured.
    fn record_end(&self, now: Instant, binding: BindingId, target: &Target) -> Option<Instant> {
        let ip = target.address.ip();
        self.record_ends.of(ip).filter(|end| *end > now).or_else(|| {
            let locate = &self.accounts.get(&binding.account)?.locate;
            let is_it = |data: &RecordData| match data {
                RecordData::A(address) => ip == *address,
                RecordData::Aaaa(address) => ip == *address,
                RecordData::Naptr(_) | RecordData::Srv(_) => false,
            };
            let record = locate.static_records.iter().find(|record| is_it(&record.data))?;
            Some(now + record.ttl)
        })
    }
}
