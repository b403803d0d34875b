//! The key of an extension during a call, where the person is to say what it is for.

use super::keys::Soft;
use super::stored::Origin;
use super::transfer::{Step, Transfer};
use super::{CallRef, Firmware};
use sidetone_hal::time::Instant;

/// What is asked: whether this call is transferred to the number.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) call: CallRef,
    /// The account that calls, counted from 0.
    pub(super) account: usize,
    pub(super) number: String,
}

impl Firmware {
    /// The answers to what is asked about this call.
    pub(super) fn answers(&self, call: CallRef) -> Option<[Option<Soft>; 4]> {
        let asked = self.question.as_ref().filter(|question| question.call == call);
        asked.map(|_| [Some(Soft::Blind), Some(Soft::Consult), Some(Soft::Beside), Some(Soft::Back)])
    }

    /// What is asked, in words.
    pub(super) fn asked(&self) -> Option<String> {
        self.question.as_ref().map(|question| format!("Transfer to {}?", question.number))
    }

    pub(super) fn answer_question(&mut self, now: Instant, answer: Soft) {
        let Some(Question { call, account, number }) = self.question.take() else { return };
        if !self.can_transfer(call) {
            return;
        }
        // Those who go beside it are asked about there.
        let number = match answer {
            Soft::Blind | Soft::Consult => self.stored(now, account, number, Origin::Directory),
            _ => Some(number),
        };
        let Some(number) = number else { return };
        match answer {
            Soft::Blind => {
                self.transfer = Some(Transfer { call, step: Step::Dialling });
                self.transfer_to_number(number);
            }
            Soft::Consult => {
                self.begin_transfer(now, call);
                self.place(now, account, number);
            }
            Soft::Beside => self.call_beside(now, account, number),
            _ => {}
        }
    }
}
