//! What becomes of a number that is dialled.

use super::dial::Dialled;
use super::stored::Origin;
use super::{CallRef, Firmware, Mode};
use sidetone_hal::time::Instant;
use sidetone_sip_ua::feature::acd::AgentCommand;
use sidetone_sip_ua::feature::forward::ForwardKind;

/// What a number is for, where it is not to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Calls of this account go there from now on: all of them, or those of one kind.
    Forward(usize, ForwardKind),
    /// The call that rings goes there.
    Deflect(CallRef),
    /// The call that rings at this extension is taken on this account.
    Pickup(usize),
    /// The guest who uses the telephone under this account.
    GuestUser(usize),
    /// Their password.
    GuestPassword(usize),
    /// Who takes the telephone over.
    DeskUser,
    /// Their password.
    DeskPassword,
    /// Why the agent of this account takes no calls: a code of the server's, or nothing.
    AgentReason(usize),
}

impl Firmware {
    /// Asks for a number for this.
    pub(super) fn enter(&mut self, entry: Entry) {
        self.dialler.close();
        self.entry = Some(entry);
        self.mode = Mode::Dial;
    }

    /// A number is complete.
    pub(super) fn dialled(&mut self, now: Instant, dialled: Dialled) {
        let number = match dialled {
            Dialled::Number(number) => number,
            Dialled::Code { id, argument } => {
                return self.code_dialled(now, self.dial_account(), id, &argument);
            }
        };
        match self.entry.take() {
            None => self.call(now, number),
            Some(Entry::Forward(account, kind)) => {
                self.rest();
                self.set_forward(now, account, kind, true, Some(number));
            }
            Some(Entry::Pickup(account)) => self.pick_up_by_code(now, account, &number),
            Some(Entry::GuestUser(account)) => self.guest_user(account, number),
            Some(Entry::GuestPassword(account)) => self.guest_password(now, account, number),
            Some(Entry::DeskUser) => self.desk_user(number),
            Some(Entry::DeskPassword) => self.desk_password(now, number),
            Some(Entry::AgentReason(account)) => {
                self.rest();
                self.command_agent(account, AgentCommand::Unavailable, &number);
            }
            Some(Entry::Deflect(call)) => {
                self.dialler.close();
                self.mode = Mode::Call(call);
                self.deflect(now, call, &number);
            }
        }
    }

    /// A number that leads somewhere by itself: the hotline.
    pub(super) fn handle_hotline(&mut self, now: Instant) {
        let Some(policy) = self.policy.accounts.get(self.account) else { return };
        let Some(number) = self.hotline.poll(now, &policy.hotline).map(str::to_owned) else { return };
        if matches!(self.mode, Mode::Dial) && self.dialler.digits().is_empty() {
            let account = self.dial_account();
            if let Some(number) = self.stored(now, account, number, Origin::Directory) {
                self.call(now, number);
            }
        }
    }
}
