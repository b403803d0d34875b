//! Call completion: a busy telephone is watched, and the call offered anew when it is free (CCBS and CCNR without a
//! server's queue, as telephones do it by the `dialog` package).

use crate::package::blf::BlfState;
use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_sip_core::{StatusCode, Uri};

/// Call completion (DIN-081).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallCompletionConfig {
    /// Whether it is offered after a call that failed. Default: no.
    pub enabled: bool,
    /// How long the other side is watched; then the wish is forgotten. Default 20 minutes.
    pub watch: Duration,
    /// How long the user has to take the offer. Default 30 s.
    pub answer: Duration,
    /// Whether a call that nobody answered is completed as well: once the other side has talked and is idle again (CCNR).
    /// Default: yes; DIN-081 names both cases.
    pub after_no_answer: bool,
}

impl Default for CallCompletionConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            watch: Duration::from_secs(20 * 60),
            answer: Duration::from_secs(30),
            after_no_answer: true,
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CompletionStep {
    /// Subscribe to the dialogs of this address, and give each state to [`CallCompletion::handle_state`].
    Watch(Uri),
    /// The other side is free: ask the user whether to call.
    Offer(Uri),
    /// The user took the offer: end the subscription and call.
    Call(Uri),
    /// It is over: end the subscription, and take the offer off the screen.
    Stop,
}

/// One wish to be called back: from the failed call to the next one. A telephone keeps one at a time, as the manuals have
/// it; a new wish takes the place of the old one.
#[derive(Clone, Debug, Default)]
pub struct CallCompletion {
    config: CallCompletionConfig,
    stage: Stage,
}

#[derive(Clone, Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// The user may ask for it.
    Possible {
        to: Uri,
        answered: bool,
    },
    Watching {
        to: Uri,
        until: Instant,
        was_busy: bool,
    },
    Offered {
        to: Uri,
        until: Instant,
    },
}

impl CallCompletion {
    /// With these settings.
    #[must_use]
    pub const fn new(config: CallCompletionConfig) -> Self {
        Self { config, stage: Stage::Idle }
    }

    /// A call of ours failed. Whether the user may ask for completion now: by [`CallCompletion::request`].
    pub fn call_failed(&mut self, to: &Uri, status: StatusCode) -> bool {
        let busy = matches!(status.code(), 486 | 600);
        let silent = matches!(status.code(), 408 | 480 | 487);
        if !self.config.enabled || !(busy || silent && self.config.after_no_answer) {
            return false;
        }
        self.stage = Stage::Possible { to: to.without_headers(), answered: busy };
        true
    }

    /// The user wants it.
    pub fn request(&mut self, now: Instant) -> Option<CompletionStep> {
        let Stage::Possible { to, answered } = &self.stage else { return None };
        let (to, was_busy) = (to.clone(), *answered);
        self.stage = Stage::Watching { to: to.clone(), until: now + self.config.watch, was_busy };
        Some(CompletionStep::Watch(to))
    }

    /// The lamp of the other side.
    pub fn handle_state(&mut self, now: Instant, state: &BlfState) -> Option<CompletionStep> {
        let free = matches!(state, BlfState::Idle);
        let engaged = matches!(state, BlfState::Busy(_) | BlfState::Held(_) | BlfState::Ringing(_));
        match &mut self.stage {
            Stage::Watching { to, was_busy, .. } if free && *was_busy => {
                let to = to.clone();
                self.stage = Stage::Offered { to: to.clone(), until: now + self.config.answer };
                Some(CompletionStep::Offer(to))
            }
            Stage::Watching { was_busy, .. } => {
                *was_busy |= engaged;
                None
            }
            // Somebody else was faster: wait on.
            Stage::Offered { to, .. } if engaged => {
                let (to, until) = (to.clone(), now + self.config.watch);
                self.stage = Stage::Watching { to, until, was_busy: true };
                None
            }
            Stage::Idle | Stage::Possible { .. } | Stage::Offered { .. } => None,
        }
    }

    /// The user takes the offer.
    pub fn accept(&mut self) -> Option<CompletionStep> {
        match core::mem::take(&mut self.stage) {
            Stage::Offered { to, .. } => Some(CompletionStep::Call(to)),
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// The user wants it no more.
    pub fn cancel(&mut self) -> Option<CompletionStep> {
        let watching = matches!(self.stage, Stage::Watching { .. } | Stage::Offered { .. });
        self.stage = Stage::Idle;
        watching.then_some(CompletionStep::Stop)
    }

    /// When [`CallCompletion::handle_timeout`] is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Watching { until, .. } | Stage::Offered { until, .. } => Some(*until),
            Stage::Idle | Stage::Possible { .. } => None,
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<CompletionStep> {
        self.poll_timeout().filter(|until| *until <= now)?;
        self.cancel()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::blf::BlfCall;

    fn machine(after_no_answer: bool) -> CallCompletion {
        let config = CallCompletionConfig { enabled: true, after_no_answer, ..Default::default() };
        CallCompletion::new(config)
    }

    fn bob() -> Uri {
        "sip:bob@example.org".parse().unwrap()
    }

    const fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn a_busy_telephone_is_offered_when_it_is_free() {
        let mut completion = machine(false);
        assert_eq!(completion.request(at(0)), None);
        assert!(completion.call_failed(&bob(), StatusCode::BUSY_HERE));
        assert_eq!(completion.request(at(0)), Some(CompletionStep::Watch(bob())));
        let busy = BlfState::Busy(BlfCall::default());
        assert_eq!(completion.handle_state(at(1), &busy), None);
        assert_eq!(completion.accept(), None);
        assert_eq!(completion.handle_state(at(60), &BlfState::Idle), Some(CompletionStep::Offer(bob())));
        assert_eq!(completion.handle_state(at(61), &BlfState::Idle), None, "it is offered once");
        assert_eq!(completion.accept(), Some(CompletionStep::Call(bob())));
        assert_eq!(completion.poll_timeout(), None);
    }

    #[test]
    fn whoever_did_not_answer_is_free_only_after_a_call() {
        let mut completion = machine(true);
        assert!(completion.call_failed(&bob(), StatusCode::TEMPORARILY_UNAVAILABLE));
        completion.request(at(0));
        assert_eq!(completion.handle_state(at(1), &BlfState::Idle), None);
        completion.handle_state(at(2), &BlfState::Busy(BlfCall::default()));
        assert_eq!(completion.handle_state(at(3), &BlfState::Idle), Some(CompletionStep::Offer(bob())));
        assert!(!machine(false).call_failed(&bob(), StatusCode::TEMPORARILY_UNAVAILABLE));
    }

    #[test]
    fn an_offer_that_somebody_else_takes_first_waits_on_and_ends_in_time() {
        let mut completion = machine(false);
        completion.call_failed(&bob(), StatusCode::BUSY_HERE);
        completion.request(at(0));
        completion.handle_state(at(10), &BlfState::Idle);
        assert_eq!(completion.handle_state(at(11), &BlfState::Busy(BlfCall::default())), None);
        assert_eq!(completion.handle_state(at(20), &BlfState::Idle), Some(CompletionStep::Offer(bob())));
        assert_eq!(completion.handle_timeout(at(49)), None);
        assert_eq!(completion.handle_timeout(at(50)), Some(CompletionStep::Stop));
        assert_eq!(completion.cancel(), None);
    }

    #[test]
    fn only_what_is_switched_on_and_may_help_is_offered() {
        assert!(!CallCompletion::default().call_failed(&bob(), StatusCode::BUSY_HERE));
        for code in [403, 404, 488, 503, 603] {
            assert!(!machine(true).call_failed(&bob(), StatusCode::new(code).unwrap()), "{code}");
        }
    }
}
