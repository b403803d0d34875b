//! Registration (RFC 3261 §10.2): one binding for each of an account's servers and flows, and which of them is used.
//!
//! - `upkeep`: one binding: refresh, un-register, 423, back-off, the address behind a NAT.
//! - `redundancy`: several bindings: concurrent and successive servers, the state of the account as a whole.
//! - `pin`: which address of a server goes first after a failover, and until when.
//! - `request`, `answer`, `binding`: what a REGISTER says, and its 2xx.

mod answer;
mod binding;
mod pin;
mod redundancy;
mod request;
mod upkeep;

pub(crate) use answer::seen_address;
pub use binding::Binding;
pub(crate) use redundancy::Registration;

use crate::agent::Agent;
use crate::error::CommandError;
use crate::event::AccountId;
use alloc::vec::Vec;
use sidetone_hal::time::Instant;
use sidetone_sip_core::{Target, Uri};

/// Names one of the bindings of an account: that at its place with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BindingId {
    pub(crate) account: AccountId,
    slot: u8,
}

impl BindingId {
    pub(crate) fn new(account: AccountId, slot: usize) -> Self {
        // There are never more than 8.
        Self { account, slot: u8::try_from(slot).unwrap_or(u8::MAX) }
    }

    pub(crate) fn slot(self) -> usize {
        usize::from(self.slot)
    }
}

/// What a request outside of dialogs wants of a registration.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// The request fails over to this server, and waits there for a REGISTER. Whether it is not the primary.
    RegisterAt(Target, bool),
    /// An edge proxy has lost our flow.
    Recover,
}

impl Agent {
    /// The bindings that registrars hold for an account now, the one that calls go by first.
    #[must_use]
    pub fn account_bindings(&self, account: AccountId) -> Vec<&Binding> {
        let slots = self.context.accounts.get(&account).map(|account| &*account.slots).unwrap_or_default();
        slots.iter().filter_map(|slot| slot.binding.as_deref()).collect()
    }

    /// The account's temporary GRUU, which leads to this device and does not say whose it is (RFC 5627 §5.2): the Contact
    /// of anonymous calls. `None` when the registrar gave none.
    #[must_use]
    pub fn temporary_gruu(&self, account: AccountId) -> Option<&Uri> {
        self.account_bindings(account).into_iter().find_map(|binding| binding.temporary_gruu.as_ref())
    }

    /// Our addresses are other ones, as after a new lease or with another network: forgets what was found out about the
    /// old ones, and every account that is registered tells its registrars at once, which forget the old Contact. The
    /// sockets are to be bound, and the endpoint told, before.
    ///
    /// An account whose registration failed keeps its wait; [`register`](Self::register) cuts it short.
    pub fn local_address_changed(&mut self, now: Instant) {
        let accounts: Vec<AccountId> = self.registrations.keys().copied().collect();
        for id in accounts {
            if let Some(account) = self.context.accounts.get_mut(&id) {
                (account.learned, account.detected) = (None, None);
            }
            let wanted = self.registrations.get(&id).is_some_and(Registration::is_wanted);
            if wanted {
                // A public address that is found out later makes the account register once more.
                let _ = self.begin_reach(now, id);
            }
            if let Some(registration) = self.registrations.get_mut(&id) {
                registration.handle_moved(&mut self.context, now);
            }
        }
        self.pump(now);
    }

    /// Sends no further REGISTER for an account and leaves its bindings to their lifetime, as at the end of a program that
    /// is not to take them back. [`unregister`](Self::unregister) takes them back.
    ///
    /// # Errors
    /// [`CommandError::NoSuchAccount`].
    pub fn leave_registered(&mut self, now: Instant, account: AccountId) -> Result<(), CommandError> {
        let registration = self.registrations.get_mut(&account).ok_or(CommandError::NoSuchAccount)?;
        registration.leave(&mut self.context, now);
        self.end_reach(now, account);
        self.pump(now);
        Ok(())
    }

    /// Whether an account may make calls as it is registered now
    /// ([`AccountConfig::call_unregistered`](crate::AccountConfig::call_unregistered)).
    #[must_use]
    pub fn may_call(&self, account: AccountId) -> bool {
        let Some(known) = self.context.accounts.get(&account) else { return false };
        !known.config.register || known.config.call_unregistered || known.current().is_some()
    }

    pub(crate) fn handle_wish(&mut self, now: Instant, binding: BindingId, wish: Wish) {
        if let Some(registration) = self.registrations.get_mut(&binding.account) {
            registration.handle_wish(&mut self.context, now, binding, wish);
        }
    }
}
