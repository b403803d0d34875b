//! What accounts share with their servers, from the settings.

use crate::firmware::{AccountPolicy, CallPolicy};
use sidetone_provisioning::{
    AccountServerSettings, AccountSettings, IdentitySettings, ServerSettings, Settings,
};
use sidetone_sip_ua::feature::acd::AcdConfig;
use sidetone_sip_ua::feature::hook_flash::{FlashKey, FlashKind};

/// What accounts share with their servers.
#[derive(Clone, Debug)]
pub(super) struct Servers {
    phone: ServerSettings,
    accounts: Vec<(AccountServerSettings, IdentitySettings)>,
    /// For accounts of which the settings say nothing.
    shipped: Option<(AccountServerSettings, IdentitySettings)>,
}

impl Default for Servers {
    fn default() -> Self {
        Self::of(&Settings::new())
    }
}

impl Servers {
    pub(super) fn of(settings: &Settings) -> Self {
        let of = |account: AccountSettings| (account.server, account.identity);
        let accounts = settings.accounts().map(|(_, account)| of(account)).collect();
        let shipped = settings.as_shipped().account(1).map(of);
        Self { phone: settings.phone().server, accounts, shipped }
    }

    /// Sets the telephone up.
    pub(super) fn apply_phone(&self, policy: &mut CallPolicy) {
        policy.record_key = self.phone.record_key;
        policy.flash = match self.phone.flash_key {
            "signal" => FlashKey::Flash(FlashKind::Signal),
            "flashhook" => FlashKey::Flash(FlashKind::FlashHook),
            _ => FlashKey::Terminate,
        };
    }

    /// Sets an account up, counted from 0.
    pub(super) fn apply(&self, place: usize, rules: &mut AccountPolicy) {
        let Some((account, identity)) = self.accounts.get(place).or(self.shipped.as_ref()) else { return };
        super::identity::apply(identity, rules);
        super::identity::refuse(self.phone.anonymous_status, self.phone.block_status, rules);
        let sync = account.feature_sync.unwrap_or(self.phone.feature_sync);
        rules.served.sync = sync.then_some(account.feature_sync_interval);
        rules.served.agent_interval = account.acd_interval;
        rules.acd = account.acd.then(|| {
            let mut acd = AcdConfig::default();
            acd.wrap_up = self.phone.wrap_up;
            acd.auto_available = self.phone.auto_available;
            acd.auto_available_after = self.phone.auto_available_after;
            acd
        });
    }
}
