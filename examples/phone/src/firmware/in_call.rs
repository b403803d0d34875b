//! What a server does for a call: it records it when it is asked to, it is told of a hook flash, and it tells what the call
//! costs.

use super::programmable::Face;
use super::{Call, CallRef, CallState, Command, ENDED_SHOWN, Firmware, Mode, Timer};
use sidetone_hal::lamp::LampState;
use sidetone_hal::time::Instant;
use sidetone_sip_ua::feature::hook_flash::FlashKey;
use sidetone_sip_ua::feature::recording::CallRecording;
use sidetone_sip_ua::package::charge::{AdviceOfCharge, CallCharge};

/// What the server does for one call.
#[derive(Clone, Debug, Default)]
pub(super) struct InCall {
    pub(super) recording: CallRecording,
    charge: CallCharge,
}

impl InCall {
    /// What the call costs, as the screen shows it.
    pub(super) fn charge(&self) -> Option<String> {
        self.charge.text().map(cost_line)
    }
}

fn cost_line(text: String) -> String {
    format!("Cost {text}")
}

/// What a call that is over has cost, as far as is told.
#[derive(Debug)]
pub(super) struct LastCharge {
    call: CallRef,
    /// How the screen calls its end.
    title: String,
    charge: CallCharge,
}

impl Firmware {
    /// The record key: asks the server to record the call that talks, or to stop.
    pub(super) fn record_key(&mut self) {
        let Some(call) = self.talking() else { return };
        let mut asked = None;
        self.change(call, |call| asked = call.server.recording.press());
        if let Some(on) = asked {
            self.command(Command::Record { call, on });
        }
    }

    /// The server took what it was asked for, or did not.
    pub(super) fn recorded(&mut self, now: Instant, call: CallRef, taken: bool) {
        self.change(call, |call| {
            call.server.recording.answered(taken);
        });
        if !taken {
            self.notify(now, "The server does not record".to_owned());
        }
    }

    /// Whether the call in the foreground is recorded, by the server or here.
    pub(super) fn shows_recording(&self) -> bool {
        if self.records_here() {
            return true;
        }
        match self.mode {
            Mode::Call(call) => self.find(call).is_some_and(|call| call.server.recording.is_on()),
            _ => false,
        }
    }

    /// The record key: its lamp flashes while the server records (DIN-200).
    pub(super) fn record_face(&self, text: String) -> Face {
        let on = self.calls.iter().any(|call| call.server.recording.is_on());
        let mut face = self.lit(text, on);
        if let Some(lamps) = self.model.line_lamps.filter(|_| on) {
            face.lamp = LampState::slow(lamps.ringing);
        }
        face
    }

    /// The server tells what a call costs, or has cost: the answer to a BYE comes when the call has left the screen.
    pub(super) fn charged(&mut self, now: Instant, call: CallRef, advice: AdviceOfCharge) {
        if self.find(call).is_some() {
            return self.change(call, |call| call.server.charge.apply(advice));
        }
        let Some(last) = self.last_charge.as_mut().filter(|last| last.call == call) else { return };
        let before = last.charge.text().map(cost_line);
        last.charge.apply(advice);
        let (title, cost) = (last.title.clone(), last.charge.text().map(cost_line));
        let Some(cost) = cost.filter(|cost| before.as_ref() != Some(cost)) else { return };
        match &mut self.mode {
            Mode::Ended { title: shown, details, .. } if *shown == title => {
                details.retain(|line| before.as_ref() != Some(line));
                details.push(cost);
            }
            Mode::Idle => self.mode = Mode::Ended { title, details: vec![cost], sound: None },
            _ => return self.notify(now, cost),
        }
        if self.path.is_none() {
            self.timers.set(Timer::Ended, now + ENDED_SHOWN);
        }
    }

    /// A call that was up is over: what it has cost may still be told.
    pub(super) fn charge_follows(&mut self, call: &Call, title: String) {
        let charge = call.server.charge.clone();
        self.last_charge = Some(LastCharge { call: call.id, title, charge });
    }

    /// The flash key: ends the call, or tells the server of a hook flash (PAA-039).
    pub(super) fn flash_key(&mut self) {
        let Mode::Call(call) = self.mode else { return };
        match self.policy.flash {
            FlashKey::Terminate if self.find(call).is_some_and(|call| !call.is_ringing()) => {
                self.hang_up(call)
            }
            FlashKey::Flash(kind) if self.talking() == Some(call) => {
                self.command(Command::Flash { call, kind })
            }
            _ => {}
        }
    }

    /// The call in the foreground, if it talks.
    fn talking(&self) -> Option<CallRef> {
        let Mode::Call(call) = self.mode else { return None };
        self.find(call).filter(|call| call.state == CallState::Talking && !call.hung_up).map(|call| call.id)
    }
}
