//! Codes that are dialled and that the telephone itself carries out.

use super::programmable::KeyFunction;
use super::{Firmware, Mode};
use sidetone_hal::time::Instant;
use sidetone_sip_ua::feature::forward::ForwardKind;
use sidetone_sip_ua::package::blf::BlfState;

/// What a code is for. Their places in [`LocalCode::ALL`] are the IDs of the plan's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalCode {
    /// Do not disturb, on.
    DndOn,
    /// Do not disturb, off.
    DndOff,
    /// Forwards all calls to the number behind it, or to where they went before.
    ForwardOn,
    /// Forwards no calls any more.
    ForwardOff,
    /// Calls are anonymous.
    AnonymousOn,
    /// Calls say who calls.
    AnonymousOff,
    /// Calls whoever called last.
    CallReturn,
    /// Calls the number that was called last.
    Redial,
    /// Takes the call that rings at the extension behind it, which a key watches.
    Pickup,
    /// Calls the voice mail.
    VoiceMail,
}

impl LocalCode {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::DndOn,
        Self::DndOff,
        Self::ForwardOn,
        Self::ForwardOff,
        Self::AnonymousOn,
        Self::AnonymousOff,
        Self::CallReturn,
        Self::Redial,
        Self::Pickup,
        Self::VoiceMail,
    ];

    /// The ID of its rule ([`Rule::feature`](sidetone_dialplan::Rule::feature)).
    #[must_use]
    pub const fn id(self) -> u16 {
        self as u16
    }

    /// Whether a number follows the code.
    #[must_use]
    pub const fn takes_number(self) -> bool {
        matches!(self, Self::ForwardOn | Self::Pickup)
    }
}

impl Firmware {
    /// A code was dialled on an account.
    pub(super) fn code_dialled(&mut self, now: Instant, account: usize, id: u16, argument: &str) {
        if self.dials_for_transfer() {
            self.cancel_transfer();
        } else if matches!(self.mode, Mode::Dial) {
            self.dialler.close();
            self.rest();
        }
        let Some(code) = LocalCode::ALL.into_iter().find(|code| code.id() == id) else {
            return self.notify(now, "No such code".to_owned());
        };
        match code {
            LocalCode::DndOn | LocalCode::DndOff => {
                if self.dnd_is_on(account) != (code == LocalCode::DndOn) {
                    self.toggle_dnd_of(now, account);
                }
            }
            LocalCode::ForwardOn if !argument.is_empty() => {
                self.set_forward(now, account, ForwardKind::Always, true, Some(argument.to_owned()));
            }
            LocalCode::ForwardOn if self.forwards_when(account, ForwardKind::Always) => {}
            LocalCode::ForwardOn => self.forward_key(now, account, ForwardKind::Always),
            LocalCode::ForwardOff => self.set_forward(now, account, ForwardKind::Always, false, None),
            LocalCode::AnonymousOn | LocalCode::AnonymousOff => {
                let policy = self.policy.accounts.get(account);
                if policy.is_some_and(|p| p.anonymity.enabled != (code == LocalCode::AnonymousOn)) {
                    self.toggle_anonymity(now, account);
                }
            }
            LocalCode::CallReturn => self.return_call(now),
            LocalCode::Redial => self.redial(now),
            LocalCode::Pickup => self.pick_up_at(now, account, argument),
            LocalCode::VoiceMail => self.call_voice_mail_of(now, account),
        }
    }

    /// Takes the call that rings at an extension, as its key would.
    fn pick_up_at(&mut self, now: Instant, account: usize, extension: &str) {
        let mut keys = self.keys.iter();
        let ringing = keys.find_map(|key| {
            let watched = match (&key.config.function, &key.member) {
                (KeyFunction::Blf(watched) | KeyFunction::Pickup(watched), _) => watched.clone(),
                (KeyFunction::BlfList(codes), Some(member)) => {
                    let mut watched = codes.clone();
                    watched.extension.clone_from(&member.number);
                    watched
                }
                _ => return None,
            };
            let rings = watched.extension == extension && matches!(key.state, BlfState::Ringing(_));
            rings.then(|| (key.config.account.unwrap_or(account), watched, key.state.clone()))
        });
        match ringing {
            Some((account, watched, state)) => self.press_watched(now, account, &watched, &state),
            None => self.notify(now, format!("Nothing rings at {extension}")),
        }
    }
}
