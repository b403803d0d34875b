//! Digit collection as a machine: keys and time in, numbers to dial out.

use crate::automaton::StateId;
use crate::plan::{Call, Outcome, Plan};
use crate::rule::{Action, RuleId, RuleKind, Wait};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sidetone_hal::time::{Duration, Instant};

/// The times that decide when a number is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// How long dial tone waits for the first digit; `None` waits for ever. Default 16 s (KX-UT670: `FIRSTDIGIT_TIM`, 1 to 600 s, 30).
    pub first_digit: Option<Duration>,
    /// How long after a digit the number counts as complete; `None` waits for ever. Default 5 s (KX-UT670: `INTDIGIT_TIM`, 1 to 15 s,
    /// 5; CP860: `phone_setting.inter_digit_time`, 1 to 14 s, 4).
    pub inter_digit: Option<Duration>,
    /// What `T` in a digit map stands for. Default 5 s (KX-UT670: `MACRODIGIT_TIM`, 1 to 15 s).
    pub macro_digit: Duration,
    /// How long a number that a dial-now rule matches waits for a further digit. Default 1 s (CP860: `phone_setting.dialnow_delay`,
    /// 1 to 14 s).
    pub dial_now: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            first_digit: Some(Duration::from_secs(16)),
            inter_digit: Some(Duration::from_secs(5)),
            macro_digit: Duration::from_secs(5),
            dial_now: Duration::from_secs(1),
        }
    }
}

/// How a [`Collector`] decides that a number is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectorConfig {
    /// The rules of the line; `None` takes any number, complete when sent or when the inter-digit time is over.
    pub plan: Option<Arc<Plan>>,
    /// Whether a number that no rule matches is called as it is (KX-UT670: "Call Even If Dial Plan Does Not Match").
    /// Default: yes.
    pub unmatched: bool,
    /// The key that sends, as a rule `#` or `*`; `None` when there is no such key. Default `#`.
    pub send_key: Option<char>,
    /// Whether the timers run and complete numbers are called before the line is open, too (CP860: live dialpad).
    /// Default: no.
    pub live: bool,
    /// The times.
    pub timing: Timing,
    /// The most digits that a number can have, at most [`CollectorConfig::MAX_DIGITS`]. Default 64.
    pub max_digits: usize,
}

impl CollectorConfig {
    /// The most digits that rules are tried on.
    pub const MAX_DIGITS: usize = crate::matcher::MAX_NUMBER;

    /// What becomes of a number once the person has finished ([`Plan::decide`]).
    #[must_use]
    pub fn decide(&self, number: &str) -> Outcome {
        match &self.plan {
            Some(plan) => plan.decide(number, self.unmatched),
            None => Outcome::Call(Call { number: number.into(), address: None, rules: Vec::new() }),
        }
    }
}

impl Default for CollectorConfig {
    fn default() -> Self {
        Self {
            plan: None,
            unmatched: true,
            send_key: Some('#'),
            live: false,
            timing: Timing::default(),
            max_digits: 64,
        }
    }
}

/// What is known of the number so far.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the number may be complete"]
#[non_exhaustive]
pub enum Progress {
    /// More can follow. At the deadline, call [`Collector::handle_timeout`]; without one the person has to send.
    Incomplete {
        /// When something happens by itself.
        deadline: Option<Instant>,
    },
    /// Call this number. The collector is empty and on-hook again.
    Send {
        /// The number that goes out.
        number: String,
        /// Where the call goes, when not to the line's server ([`Call::address`]).
        address: Option<String>,
        /// The rule that decided, if any did.
        rule: Option<RuleId>,
        /// All rules that took part, in the order in which they did; `rule` is the first.
        rules: Vec<RuleId>,
        /// Why now.
        cause: DialCause,
    },
    /// The number is a code for the telephone itself. The collector is empty and on-hook again.
    Feature {
        /// What the telephone calls the code by.
        id: u16,
        /// What followed the code.
        argument: String,
        /// The rule of the code.
        rule: RuleId,
    },
    /// A rule says that the number may not be called. The digits stay, so that the person can mend them.
    Blocked {
        /// The rule.
        rule: RuleId,
    },
    /// No rule matches, and calls without a match are off: time for the reorder tone. The digits stay, so that the person can
    /// mend them.
    Invalid,
    /// Off-hook, and no digit came in time.
    NoDigit,
}

/// Why a number is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DialCause {
    /// It is complete by a rule.
    Match,
    /// The person sent it.
    Sent,
    /// No further digit came in the time that a rule or the inter-digit time gives.
    Timeout,
}

/// A key that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigitError {
    /// No character of a number or an address.
    #[error("{0:?} cannot be dialled")]
    NotADigit(char),
    /// The number is as long as it can be.
    #[error("the number is full: at most {0} digits")]
    Full(usize),
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// From off-hook to the first digit.
    FirstDigit,
    /// From a digit to the next one, or until a rule's time is over.
    NextDigit,
}

/// Collects the digits of one number after the other.
///
/// On-hook it only collects (pre-dialling), unless [`CollectorConfig::live`] says otherwise: nothing is dialled until the send
/// key or [`Collector::send`]. After [`Collector::off_hook`] the timers run, and a number that is complete by the plan is dialled
/// at once. Every call says what is known then. A digit costs one look into the plan's table.
#[derive(Clone, Debug)]
pub struct Collector {
    config: CollectorConfig,
    digits: String,
    state: StateId,
    off_hook: bool,
    deadline: Option<(Instant, Timer)>,
}

impl Collector {
    /// An empty collector, on-hook.
    #[must_use]
    pub const fn new(config: CollectorConfig) -> Self {
        Self { config, digits: String::new(), state: StateId::START, off_hook: false, deadline: None }
    }

    /// The digits so far.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The rules it goes by.
    #[must_use]
    pub const fn config(&self) -> &CollectorConfig {
        &self.config
    }

    /// Goes by other rules from now on, as when another line was chosen. What is there waits at least for the inter-digit time.
    pub fn set_config(&mut self, now: Instant, config: CollectorConfig) -> Progress {
        self.config = config;
        self.state = self.config.plan.as_ref().map_or(StateId::START, |plan| plan.run(&self.digits));
        self.weigh(now, false)
    }

    /// The rule that would decide about the digits if nothing followed, as it is written.
    #[must_use]
    pub fn deciding_rule(&self) -> Option<&str> {
        let plan = self.config.plan.as_ref()?;
        Some(plan.rule(plan.deciding(self.state)?)?.text())
    }

    /// The line is open: starts the first-digit timer, or goes on with digits entered before.
    pub fn off_hook(&mut self, now: Instant) -> Progress {
        self.off_hook = true;
        self.weigh(now, true)
    }

    /// The line is closed: forgets the digits and stops the timers.
    pub fn on_hook(&mut self) {
        self.off_hook = false;
        self.forget();
    }

    /// A key was pressed.
    ///
    /// The send key sends, except as the first digit and where a rule names it as the next one (`*21*x.#`).
    ///
    /// # Errors
    /// The key cannot be dialled, or the number is full; nothing changed then.
    pub fn press(&mut self, now: Instant, key: char) -> Result<Progress, DigitError> {
        if !key.is_ascii_graphic() {
            return Err(DigitError::NotADigit(key));
        }
        let most = self.config.max_digits.min(CollectorConfig::MAX_DIGITS);
        let full = self.digits.len() >= most;
        if self.config.send_key == Some(key) && !self.digits.is_empty() && (full || !self.is_named(key)) {
            return Ok(self.send(now));
        }
        if full {
            return Err(DigitError::Full(most));
        }
        self.digits.push(key);
        if let Some(plan) = &self.config.plan {
            self.state = plan.step(self.state, key);
        }
        Ok(self.weigh(now, true))
    }

    /// Erases the last digit. What remains is not dialled before the inter-digit time is over.
    pub fn backspace(&mut self, now: Instant) -> Progress {
        self.digits.pop();
        self.state = self.config.plan.as_ref().map_or(StateId::START, |plan| plan.run(&self.digits));
        self.weigh(now, false)
    }

    /// Erases all digits.
    pub fn clear(&mut self, now: Instant) -> Progress {
        self.forget();
        self.weigh(now, false)
    }

    /// The person sends what is there (Enter, a soft key, lifting the handset after pre-dialling). Nothing happens without digits.
    pub fn send(&mut self, now: Instant) -> Progress {
        if self.digits.is_empty() { self.weigh(now, false) } else { self.finish(DialCause::Sent) }
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Progress {
        match self.deadline.filter(|(at, _)| *at <= now) {
            None => self.incomplete(),
            Some((_, Timer::FirstDigit)) => {
                self.deadline = None;
                Progress::NoDigit
            }
            Some((_, Timer::NextDigit)) => self.finish(DialCause::Timeout),
        }
    }

    /// When to call [`Collector::handle_timeout`], and for which timer.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.deadline
    }

    fn forget(&mut self) {
        self.digits.clear();
        self.state = StateId::START;
        self.deadline = None;
    }

    fn incomplete(&self) -> Progress {
        Progress::Incomplete { deadline: self.deadline.map(|(at, _)| at) }
    }

    /// Whether a rule names the key as the next one.
    fn is_named(&self, key: char) -> bool {
        let verdict = self.config.plan.as_ref().map(|plan| plan.verdict(self.state));
        verdict.is_some_and(|verdict| match key {
            '#' => verdict.names_hash,
            '*' => verdict.names_star,
            _ => false,
        })
    }

    /// Looks at the digits again: dials, or sets the timer that waits for the next one. Only a number that has `grown` is dialled
    /// at once.
    fn weigh(&mut self, now: Instant, grown: bool) -> Progress {
        self.deadline = None;
        if !(self.off_hook || self.config.live) {
            return self.incomplete();
        }
        if self.digits.is_empty() {
            let wait = self.config.timing.first_digit.filter(|_| self.off_hook);
            self.deadline = wait.map(|wait| (now + wait, Timer::FirstDigit));
            return self.incomplete();
        }
        let wait = match self.rest_of_time() {
            Rest::Over if grown => return self.finish(DialCause::Match),
            Rest::Hopeless => return Progress::Invalid,
            Rest::Over | Rest::InterDigit => self.config.timing.inter_digit,
            Rest::Time(wait) => Some(wait),
        };
        self.deadline = wait.map(|wait| (now + wait, Timer::NextDigit));
        self.incomplete()
    }

    /// How long the digits wait for another one.
    fn rest_of_time(&self) -> Rest {
        let Some(plan) = &self.config.plan else { return Rest::InterDigit };
        let verdict = plan.verdict(self.state);
        if verdict.best(RuleKind::Feature).is_some() {
            return if verdict.code_goes_on { Rest::InterDigit } else { Rest::Over };
        }
        let action = verdict.best(RuleKind::Call).and_then(|rule| plan.rule(rule)).map(|rule| &rule.action);
        let Some(Action::Call { wait, .. } | Action::Reject { wait }) = action else {
            let hopeless = !verdict.more && !verdict.complete() && !self.config.unmatched;
            let hopeless = hopeless && !crate::plan::is_address(&self.digits);
            return if hopeless { Rest::Hopeless } else { Rest::InterDigit };
        };
        match wait {
            Wait::None | Wait::Seconds(0) if verdict.code_goes_on => Rest::InterDigit,
            Wait::None if verdict.call_goes_on => Rest::InterDigit,
            Wait::None | Wait::Seconds(0) => Rest::Over,
            Wait::Seconds(seconds) => Rest::Time(Duration::from_secs(u64::from(*seconds))),
            Wait::Macro => Rest::Time(self.config.timing.macro_digit),
            Wait::DialNow => Rest::Time(self.config.timing.dial_now),
        }
    }

    /// The person has finished.
    fn finish(&mut self, cause: DialCause) -> Progress {
        self.deadline = None;
        match self.config.decide(&self.digits) {
            Outcome::Call(call) => {
                self.on_hook();
                let Call { number, address, rules } = call;
                Progress::Send { number, address, rule: rules.first().copied(), rules, cause }
            }
            Outcome::Feature { id, argument, rule } => {
                self.on_hook();
                Progress::Feature { id, argument, rule }
            }
            Outcome::Blocked { rule } => Progress::Blocked { rule },
            Outcome::Invalid => Progress::Invalid,
        }
    }
}

/// How long digits wait for another one.
enum Rest {
    /// Not at all: they are complete.
    Over,
    /// For a rule's time.
    Time(Duration),
    /// For the inter-digit time.
    InterDigit,
    /// Nothing that begins like this may be called.
    Hopeless,
}
