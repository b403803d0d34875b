//! Call completion (DIN-081): who was busy or did not answer is watched at the person's wish, and called when free.
//!
//! Soft key `Wait`, or OK, on the screen that tells of the failure begins it; then the phone says that somebody is free, and
//! soft key `Call`, or OK, calls. One wish at a time; Cancel while the phone asks forgets it.

use super::stored::Origin;
use super::{Call, Command, Firmware, Mode};
use sidetone_hal::time::Instant;
use sidetone_sip_core::{StatusCode, Uri};
use sidetone_sip_ua::feature::call_completion::CompletionStep;
use sidetone_sip_ua::package::blf::BlfState;

/// Whom a wish is about, and how it stands for the screen.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The account that calls, counted from 0.
    account: usize,
    number: String,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The person may wish it.
    Possible,
    /// The other side is watched.
    Watching,
    /// The other side is free.
    Free,
}

impl Firmware {
    /// A call of ours failed.
    pub(super) fn completion_possible(&mut self, call: &Call, status: Option<u16>) {
        let (Some(number), Some(status)) = (&call.dialled, status.and_then(StatusCode::new)) else { return };
        // A wish that is pending stays until the person has another one.
        if self.wanted.as_ref().is_some_and(|wanted| wanted.stage != Stage::Possible) {
            return;
        }
        // The number stands for itself: one wish at a time has one target.
        let Ok(target) = Uri::sip(Some(number), "invalid", None) else { return };
        self.wanted = self.completion.call_failed(&target, status).then(|| Wanted {
            account: call.account,
            number: number.clone(),
            stage: Stage::Possible,
        });
    }

    /// Whether the person may wish to be told when the other side of the call that failed is free.
    pub(super) fn may_wait(&self) -> bool {
        matches!(self.mode, Mode::Ended { .. }) && self.stage() == Some(Stage::Possible)
    }

    /// Whether somebody who was waited for is free.
    pub(super) fn is_offered(&self) -> bool {
        self.stage() == Some(Stage::Free)
    }

    fn stage(&self) -> Option<Stage> {
        self.wanted.as_ref().map(|wanted| wanted.stage)
    }

    /// The person wishes it.
    pub(super) fn wait_for_free(&mut self, now: Instant) {
        let step = self.completion.request(now);
        self.rest();
        self.do_step(now, step);
    }

    /// The person takes the offer.
    pub(super) fn call_free(&mut self, now: Instant) {
        let step = self.completion.accept();
        self.do_step(now, step);
    }

    /// The person wishes it no more.
    pub(super) fn stop_waiting(&mut self, now: Instant) {
        let step = self.completion.cancel();
        self.do_step(now, step);
    }

    /// Whoever is waited for is in this state.
    pub(super) fn awaited_is(&mut self, now: Instant, number: &str, state: &BlfState) {
        // What was on its way when somebody else was waited for.
        if self.wanted.as_ref().is_none_or(|wanted| wanted.number != number) {
            return;
        }
        let step = self.completion.handle_state(now, state);
        if step.is_none()
            && self.stage() == Some(Stage::Free)
            && !matches!(state, BlfState::Idle)
            && let Some(wanted) = &mut self.wanted
        {
            // Somebody else was faster.
            wanted.stage = Stage::Watching;
        }
        self.do_step(now, step);
    }

    /// Time has passed.
    pub(super) fn handle_completion(&mut self, now: Instant) {
        let step = self.completion.handle_timeout(now);
        self.do_step(now, step);
    }

    fn do_step(&mut self, now: Instant, step: Option<CompletionStep>) {
        let Some(wanted) = &mut self.wanted else { return };
        let (account, number) = (wanted.account, wanted.number.clone());
        match step {
            Some(CompletionStep::Watch(_)) => {
                wanted.stage = Stage::Watching;
                self.command(Command::Await { account, number });
            }
            Some(CompletionStep::Offer(_)) => wanted.stage = Stage::Free,
            Some(CompletionStep::Call(_)) => {
                self.wanted = None;
                self.command(Command::AwaitNoMore);
                if let Some(number) = self.stored(now, account, number, Origin::Sent) {
                    self.call_again_beside(now, account, number);
                }
            }
            Some(CompletionStep::Stop) => {
                self.wanted = None;
                self.command(Command::AwaitNoMore);
            }
            _ => {}
        }
    }

    /// What the screen says of it.
    pub(super) fn completion_told(&self) -> Option<String> {
        let Wanted { number, stage, .. } = self.wanted.as_ref()?;
        match stage {
            Stage::Possible if self.may_wait() => Some(format!("Wait until {number} is free?")),
            Stage::Possible => None,
            Stage::Watching => Some(format!("Waiting for {number}")),
            Stage::Free => Some(format!("{number} is free: call?")),
        }
    }
}
