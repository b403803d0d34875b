//! Settings that are either one for the whole telephone or each account's own (DIN-060, DIN-065, SAY-073).

use alloc::collections::BTreeMap;

/// For whom a setting is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One state for all accounts (Dinstar "Phone", the default).
    #[default]
    Phone,
    /// Each account has its own (Dinstar "Custom").
    Custom,
}

/// A setting for the telephone, and one for each account that has its own.
///
/// Accounts are whatever number the caller gives them. Looking one up takes logarithmic time in their count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scoped<T> {
    /// Which of the two counts.
    pub scope: Scope,
    /// The setting of the whole telephone.
    pub phone: T,
    accounts: BTreeMap<u32, T>,
}

impl<T> Scoped<T> {
    /// Accounts with settings of their own; more than any telephone or small exchange has, so that a provisioning error
    /// cannot grow without end.
    pub const MAX_ACCOUNTS: usize = 4096;

    /// One setting for all.
    #[must_use]
    pub const fn new(phone: T) -> Self {
        Self { scope: Scope::Phone, phone, accounts: BTreeMap::new() }
    }

    /// The setting that counts for an account: in [`Scope::Custom`] its own, and the telephone's when it has none.
    #[must_use]
    pub fn of(&self, account: u32) -> &T {
        match self.scope {
            Scope::Phone => &self.phone,
            Scope::Custom => self.accounts.get(&account).unwrap_or(&self.phone),
        }
    }

    /// Gives an account a setting of its own, which counts in [`Scope::Custom`]. Says whether there was room.
    pub fn set(&mut self, account: u32, setting: T) -> bool {
        let room = self.accounts.len() < Self::MAX_ACCOUNTS || self.accounts.contains_key(&account);
        if room {
            self.accounts.insert(account, setting);
        }
        room
    }

    /// The accounts' own settings.
    pub fn accounts(&self) -> impl Iterator<Item = (u32, &T)> {
        self.accounts.iter().map(|(account, setting)| (*account, setting))
    }

    /// The same to change them.
    pub fn accounts_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.accounts.iter_mut().map(|(account, setting)| (*account, setting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accounts_own_setting_counts_in_custom_scope_alone() {
        let mut setting = Scoped::new(1);
        assert!(setting.set(2, 20));
        assert_eq!((*setting.of(2), *setting.of(3)), (1, 1));
        setting.scope = Scope::Custom;
        assert_eq!((*setting.of(2), *setting.of(3)), (20, 1));
    }
}
