//! What the accounts' handles watch: registration states, and the ways to the registrars.

use super::account::AccountPath;
use crate::{AccountId, RegistrationState};
use std::collections::BTreeMap;
use std::vec::Vec;
use tokio::sync::watch;

/// What is known of an account.
#[derive(Clone, Debug)]
pub(super) struct AccountState {
    pub(super) registration: RegistrationState,
    pub(super) path: Option<AccountPath>,
}

#[derive(Default)]
pub(super) struct AccountStates(BTreeMap<AccountId, watch::Sender<AccountState>>);

impl AccountStates {
    pub(super) fn add(&mut self, account: AccountId) -> watch::Receiver<AccountState> {
        let state = AccountState { registration: RegistrationState::Unregistered, path: None };
        let (sender, receiver) = watch::channel(state);
        self.0.insert(account, sender);
        receiver
    }

    pub(super) fn set(&self, account: AccountId, state: AccountState) {
        if let Some(sender) = self.0.get(&account) {
            sender.send_replace(state);
        }
    }

    pub(super) fn lose_path(&self, account: AccountId) {
        if let Some(sender) = self.0.get(&account) {
            sender.send_modify(|state| state.path = None);
        }
    }

    pub(super) fn ids(&self) -> Vec<AccountId> {
        self.0.keys().copied().collect()
    }
}
