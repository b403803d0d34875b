//! The registration states that the accounts' handles watch.

use crate::{AccountId, RegistrationState};
use std::collections::BTreeMap;
use std::vec::Vec;
use tokio::sync::watch;

#[derive(Default)]
pub(super) struct AccountStates(BTreeMap<AccountId, watch::Sender<RegistrationState>>);

impl AccountStates {
    pub(super) fn add(&mut self, account: AccountId) -> watch::Receiver<RegistrationState> {
        let (sender, receiver) = watch::channel(RegistrationState::Unregistered);
        self.0.insert(account, sender);
        receiver
    }

    pub(super) fn set(&self, account: AccountId, state: &RegistrationState) {
        if let Some(sender) = self.0.get(&account) {
            sender.send_replace(state.clone());
        }
    }

    pub(super) fn ids(&self) -> Vec<AccountId> {
        self.0.keys().copied().collect()
    }
}
