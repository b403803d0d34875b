//! What accounts share with their servers, from the settings.

use crate::firmware::AccountPolicy;
use sidetone_provisioning::{AccountServerSettings, ServerSettings, Settings};

/// What accounts share with their servers.
#[derive(Clone, Debug)]
pub(super) struct Servers {
    phone: ServerSettings,
    accounts: Vec<AccountServerSettings>,
}

impl Default for Servers {
    fn default() -> Self {
        Self::of(&Settings::new())
    }
}

impl Servers {
    pub(super) fn of(settings: &Settings) -> Self {
        let accounts = settings.accounts().map(|(_, account)| account.server).collect();
        Self { phone: settings.phone().server, accounts }
    }

    /// Sets an account up, counted from 0.
    pub(super) fn apply(&self, place: usize, rules: &mut AccountPolicy) {
        let Some(account) = self.accounts.get(place) else { return };
        let sync = account.feature_sync.unwrap_or(self.phone.feature_sync);
        rules.served.sync = sync.then_some(account.feature_sync_interval);
    }
}
