//! Transfers: those that the person makes, blind, semi-attended and attended, and those that are asked of us.

use super::call::Direction;
use super::{
    CallRef, CallState, Command, ENDED_SHOWN, Ended, EndedBy, Firmware, Mode, NOTICE_SHOWN, Peer, Timer,
};
use sidetone_hal::time::Instant;
use sidetone_sip_core::StatusCode;

/// What the on-hook key and the handset's cradle do for a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferConfig {
    /// Whether hanging up completes a blind transfer whose number is dialled (YLA-111). Default: yes.
    pub blind_on_hook: bool,
    /// Whether hanging up completes a semi-attended or attended transfer (YLA-112, PAB-083). Default: yes.
    pub on_hook: bool,
    /// How a call is transferred to who still rings. Default: [`SemiAttended::Cancel`].
    pub semi_attended: SemiAttended,
    /// Whether who rings is left with a missed call from us then (YLA-113). Default: no.
    pub missed_prompt: bool,
}

/// How a call is transferred to who still rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SemiAttended {
    /// The call there is given up, and then the other side is asked to call the number: works with every target.
    #[default]
    Cancel,
    /// The other side is asked to take over the call that rings (Replaces of an early dialog, YLA-107): nothing is given up
    /// before that is done, but not every target lets itself be taken so (RFC 3891 §3).
    Replaces,
}

impl Default for TransferConfig {
    fn default() -> Self {
        Self::new(true, true)
    }
}

impl TransferConfig {
    /// Whether hanging up completes blind transfers, and those with consultation.
    #[must_use]
    pub const fn new(blind_on_hook: bool, on_hook: bool) -> Self {
        Self { blind_on_hook, on_hook, semi_attended: SemiAttended::Cancel, missed_prompt: false }
    }

    /// The same with another way to transfer to who still rings.
    #[must_use]
    pub const fn with_semi_attended(mut self, way: SemiAttended, missed_prompt: bool) -> Self {
        (self.semi_attended, self.missed_prompt) = (way, missed_prompt);
        self
    }
}

/// What is heard of a transfer that we asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferProgress {
    /// The other side tries, with this provisional status.
    Trying(u16),
    /// It has got through; our call ends.
    Done,
    /// It failed, in words; the call is ours again.
    Failed(String),
}

/// A transfer in the making. There is one at a time.
#[derive(Debug)]
pub(super) struct Transfer {
    /// Who is transferred.
    pub(super) call: CallRef,
    pub(super) step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    /// The number is being dialled.
    Dialling,
    /// The target is called first.
    Consulting(CallRef),
    /// The other side is asked to call the target.
    Asked {
        /// The target as the screen shows it.
        to: String,
        /// The call with the target, which the transferred call takes the place of.
        consultation: Option<CallRef>,
        /// The last provisional status.
        status: Option<u16>,
    },
}

impl Firmware {
    /// The other side of `call` wants us to call somebody else: we do. `None` when there is no such call, or no room.
    pub fn referred(&mut self, call: CallRef, to: Peer) -> Option<CallRef> {
        let (account, by) = self.find(call).map(|call| (call.account, call.peer.title().to_owned()))?;
        let line = self.free_line(account)?;
        let new = self.add_call(account, line, to, Direction::Outgoing);
        self.change(new, |call| call.transferred_by = Some(by));
        self.dialler.close();
        self.open_path();
        self.show(new);
        Some(new)
    }

    /// A call comes in that takes the place of `replaced`: the end of an attended transfer, or somebody picked it up. It
    /// is answered at once where the other one was. `None` when there is no such call.
    pub fn replacing(&mut self, replaced: CallRef, peer: Peer) -> Option<CallRef> {
        let (account, line, rings) =
            self.find(replaced).map(|call| (call.account, call.line, call.is_ringing()))?;
        self.change(replaced, |call| (call.hung_up, call.line) = (true, None));
        let call = self.add_call(account, line, peer, Direction::Incoming);
        if rings {
            // A semi-attended transfer: it rings on for somebody else.
            let waiting = self.find(replaced).map(|call| call.waiting.clone()).unwrap_or_default();
            self.change(call, |call| call.waiting = waiting);
            let refusal = Some(StatusCode::REQUEST_TERMINATED.into());
            self.change(replaced, |call| call.waiting.refusal = refusal);
            self.command(Command::Reject(replaced));
            if matches!(self.mode, Mode::Call(shown) if shown == replaced) {
                self.show(call);
            }
            return Some(call);
        }
        self.change(call, |call| call.state = CallState::Answering);
        // Whoever is talked to beside is held; the new call waits for nothing.
        drop(self.hold_others(Some(replaced)));
        self.dialler.close();
        self.open_path();
        self.show(call);
        self.command(Command::Answer(call));
        Some(call)
    }

    /// The transfer key: begins a transfer, or completes the one that is in the making.
    pub(super) fn transfer_key(&mut self, now: Instant) {
        if self.transfer.is_none() && self.transfer_by_digits(now) {
            return;
        }
        match (&self.mode, self.transfer.as_ref().map(|transfer| &transfer.step)) {
            (Mode::Call(call), None) => self.begin_transfer(now, *call),
            (Mode::Dial, Some(Step::Dialling)) if self.dialler.digits().is_empty() => self.cancel_transfer(),
            (Mode::Dial, Some(Step::Dialling)) => drop(self.transfer_blind()),
            (Mode::Call(_), Some(Step::Consulting(_))) => drop(self.complete_transfer()),
            _ => {}
        }
    }

    /// The call is up, and no other transfer is in the making.
    pub(super) fn can_transfer(&self, call: CallRef) -> bool {
        self.transfer.is_none()
            && !self.is_page(call)
            && !self.conference.contains(&call)
            && self.find(call).is_some_and(|call| call.is_up() && !call.hung_up)
    }

    pub(super) fn begin_transfer(&mut self, now: Instant, call: CallRef) {
        if !self.can_transfer(call) {
            return;
        }
        if self.find(call).is_some_and(|call| call.state == CallState::Talking) {
            self.hold(call);
        }
        self.transfer = Some(Transfer { call, step: Step::Dialling });
        self.dial_tone(now);
    }

    /// Whether a number is being dialled for a transfer.
    pub(super) const fn dials_for_transfer(&self) -> bool {
        matches!(self.transfer, Some(Transfer { step: Step::Dialling, .. }))
    }

    /// Asks the other side to call what is dialled. Says whether it may be called.
    pub(super) fn transfer_blind(&mut self) -> bool {
        let Some(number) = self.dialler.outgoing().filter(|_| self.dials_for_transfer()) else {
            return false;
        };
        self.dialler.close();
        self.transfer_to_number(number);
        true
    }

    pub(super) fn transfer_to_number(&mut self, number: String) {
        let Some(transfer) = &mut self.transfer else { return };
        let call = transfer.call;
        transfer.step = Step::Asked { to: number.clone(), consultation: None, status: None };
        self.dialler.close();
        self.show(call);
        self.command(Command::Transfer { call, number });
    }

    /// Joins the transferred call and another one that is up.
    pub(super) fn transfer_to_call(&mut self, to: CallRef) {
        let title = self.find(to).map(|call| call.peer.title().to_owned()).unwrap_or_default();
        let Some(transfer) = &mut self.transfer else { return };
        let call = transfer.call;
        transfer.step = Step::Asked { to: title, consultation: Some(to), status: None };
        self.dialler.close();
        self.show(call);
        self.command(Command::TransferTo { call, to });
    }

    /// The target is called first; `consultation` is that call.
    pub(super) fn consult(&mut self, consultation: CallRef) {
        if let Some(transfer) = &mut self.transfer
            && matches!(transfer.step, Step::Dialling)
        {
            transfer.step = Step::Consulting(consultation);
        }
    }

    /// Lets the transferred call and the target talk to each other: semi-attended while the target rings, attended once
    /// it has answered. Says whether there was something to complete.
    pub(super) fn complete_transfer(&mut self) -> bool {
        let Some(Transfer { step: Step::Consulting(consultation), .. }) = &self.transfer else {
            return false;
        };
        let consultation = *consultation;
        let Some((state, number)) =
            self.find(consultation).map(|call| (call.state, call.peer.number.clone()))
        else {
            return false;
        };
        match state {
            CallState::Talking | CallState::Held => self.transfer_to_call(consultation),
            CallState::Alerting { .. } if self.transfer_config.semi_attended == SemiAttended::Replaces => {
                self.transfer_to_call(consultation);
            }
            CallState::Alerting { .. } => {
                self.change(consultation, |call| call.hung_up = true);
                self.command(match self.transfer_config.missed_prompt {
                    true => Command::HangUp(consultation),
                    false => Command::Withdraw(consultation),
                });
                self.transfer_to_number(number);
            }
            _ => return false,
        }
        true
    }

    /// The handset goes back, or the on-hook key is pressed. Says whether that completes a transfer.
    pub(super) fn transfer_by_hanging_up(&mut self) -> bool {
        match self.transfer.as_ref().map(|transfer| &transfer.step) {
            Some(Step::Dialling)
                if matches!(self.mode, Mode::Dial)
                    && self.transfer_config.blind_on_hook
                    && !self.dialler.digits().is_empty() =>
            {
                self.transfer_blind()
            }
            Some(Step::Consulting(consultation))
                if matches!(&self.mode, Mode::Call(shown) if shown == consultation)
                    && self.transfer_config.on_hook =>
            {
                self.complete_transfer()
            }
            _ => false,
        }
    }

    /// No transfer after all: back to the call, which stays held.
    pub(super) fn cancel_transfer(&mut self) {
        if let Some(transfer) = self.transfer.take_if(|transfer| !matches!(transfer.step, Step::Asked { .. }))
        {
            self.dialler.close();
            self.show(transfer.call);
        }
    }

    /// Something is heard of the transfer of `call`.
    pub(super) fn transfer_goes_on(&mut self, now: Instant, call: CallRef, progress: TransferProgress) {
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.call == call) else { return };
        let Step::Asked { status, consultation, .. } = &mut transfer.step else { return };
        match progress {
            TransferProgress::Trying(code) => *status = Some(code),
            // The end of the call follows, and says so on the screen.
            TransferProgress::Done => {}
            TransferProgress::Failed(reason) => {
                let consultation = *consultation;
                let rings = |target: &CallRef| {
                    self.find(*target).is_some_and(|call| matches!(call.state, CallState::Alerting { .. }))
                };
                // Who still rings may be called by the other side yet, in another way.
                self.transfer = consultation
                    .filter(rings)
                    .map(|target| Transfer { call, step: Step::Consulting(target) });
                self.notify(now, format!("Transfer failed: {reason}"));
                let back = consultation.filter(|call| self.find(*call).is_some_and(|call| !call.hung_up));
                if !matches!(self.mode, Mode::Call(shown) if shown == call) {
                    return;
                }
                match back {
                    Some(consultation) => self.show(consultation),
                    None if self.path.is_some()
                        && self.find(call).is_some_and(|call| call.state == CallState::Held) =>
                    {
                        self.toggle_hold(call);
                    }
                    None => {}
                }
            }
        }
    }

    /// A call is over. Says so itself when that was a transfer, and then returns `true`.
    pub(super) fn transfer_ended(&mut self, now: Instant, id: CallRef, hung_up: bool, cause: &Ended) -> bool {
        let Some(transfer) = &self.transfer else { return false };
        if matches!(transfer.step, Step::Consulting(consultation) if consultation == id) {
            self.transfer = None;
            return false;
        }
        if transfer.call != id {
            return false;
        }
        let Some(Transfer { step: Step::Asked { to, .. }, .. }) = self.transfer.take() else {
            // Who was to be transferred has hung up; whoever was called for it stays.
            return false;
        };
        let shown = matches!(self.mode, Mode::Call(shown) if shown == id);
        if hung_up || cause.by != EndedBy::Local || !shown {
            return false;
        }
        let handset = self.path.is_some();
        self.rest();
        if matches!(self.mode, Mode::Idle) {
            if handset {
                // The handset may be up still; it lies silent until it is put back.
                self.open_path();
            }
            let (title, to) = match self.parks_at(&to) {
                true => ("Parked", format!("at {to}")),
                false => ("Transferred", format!("to {to}")),
            };
            self.mode = Mode::Ended { title: title.to_owned(), details: vec![to], sound: None };
            self.timers.set(Timer::Ended, now + ENDED_SHOWN);
        } else {
            self.notify(now, format!("Transferred to {to}"));
        }
        true
    }

    /// Whether the other side of this call is calling somebody else at our wish.
    pub(super) fn is_transferring(&self, call: CallRef) -> bool {
        self.transfer
            .as_ref()
            .is_some_and(|transfer| transfer.call == call && matches!(transfer.step, Step::Asked { .. }))
    }

    /// Something else than the dialling for a transfer is wanted.
    pub(super) fn drop_dialled_transfer(&mut self) {
        self.transfer.take_if(|transfer| matches!(transfer.step, Step::Dialling));
    }

    /// Shows a line for a while.
    pub(super) fn notify(&mut self, now: Instant, text: String) {
        self.notice = Some(text);
        self.timers.set(Timer::Notice, now + NOTICE_SHOWN);
    }
}
