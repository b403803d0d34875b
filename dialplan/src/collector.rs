//! Digit collection as a machine: keys and time in, numbers to dial out.

use crate::map::{DigitMap, MatchResult, symbol};
use alloc::collections::VecDeque;
use alloc::string::String;
use sidetone_hal::time::{Duration, Instant};
use sidetone_hal::timer::{TimerKind, TimerTable};

/// How a [`Collector`] decides that a number is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectorConfig {
    /// The numbers that can be dialled; `None` takes any, complete when sent or when the inter-digit time is
    /// over.
    pub map: Option<DigitMap>,
    /// The key that sends, as a rule `#` or `*`; `None` when there is no such key.
    pub send_key: Option<char>,
    /// How long dial tone waits for the first digit; `None` waits for ever.
    pub first_digit: Option<Duration>,
    /// How long after a digit the number counts as complete; `None` waits for ever.
    pub inter_digit: Option<Duration>,
    /// The most digits that a number can have.
    pub max_digits: usize,
}

impl Default for CollectorConfig {
    /// No map, `#` sends, 16 s for the first digit, 5 s between digits, 64 digits at most.
    fn default() -> Self {
        Self {
            map: None,
            send_key: Some('#'),
            first_digit: Some(Duration::from_secs(16)),
            inter_digit: Some(Duration::from_secs(5)),
            max_digits: 64,
        }
    }
}

/// What the collector tells the telephone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Call this number. The collector is empty and on-hook again.
    Dial {
        /// The number, without the send key.
        number: String,
        /// Why now.
        cause: DialCause,
    },
    /// Nothing that begins like this can match: time for the reorder tone. Collection goes on: the person
    /// may erase, or send all the same.
    NoMatch,
    /// Off-hook, and no digit came in time.
    FirstDigitTimeout,
}

/// Why a number is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DialCause {
    /// It is complete by the map.
    Match,
    /// The person sent it.
    Sent,
    /// No further digit came in the inter-digit time.
    Timeout,
}

/// A key that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigitError {
    /// No key of a dial pad.
    #[error("{0:?} cannot be dialled: expected 0 to 9, *, # or A to D")]
    NotADigit(char),
    /// The number is as long as it can be.
    #[error("the number is full: at most {0} digits")]
    Full(usize),
}

/// The collector's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// From off-hook to the first digit.
    FirstDigit,
    /// From each digit to the next.
    InterDigit,
}

impl TimerKind for Timer {
    const ALL: &'static [Self] = &[Self::FirstDigit, Self::InterDigit];

    fn index(self) -> usize {
        self as usize
    }
}

/// Collects the digits of one number after the other.
///
/// On-hook it only collects (pre-dialling): nothing is dialled until the send key or [`Collector::send`]. After
/// [`Collector::off_hook`] the timers run and a number that is complete by the map is dialled at once.
///
/// Call [`Collector::poll_event`] and [`Collector::poll_timeout`] after every other call.
#[derive(Clone, Debug)]
pub struct Collector {
    config: CollectorConfig,
    digits: String,
    off_hook: bool,
    timers: TimerTable<Timer, 2>,
    events: VecDeque<Event>,
}

impl Collector {
    /// An empty collector, on-hook.
    #[must_use]
    pub const fn new(config: CollectorConfig) -> Self {
        Self {
            config,
            digits: String::new(),
            off_hook: false,
            timers: TimerTable::new(),
            events: VecDeque::new(),
        }
    }

    /// The digits so far.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The line is open: starts the first-digit timer, or goes on with digits entered before.
    pub fn off_hook(&mut self, now: Instant) {
        self.off_hook = true;
        self.weigh(now, true);
    }

    /// The line is closed: forgets the digits and stops the timers.
    pub fn on_hook(&mut self) {
        self.off_hook = false;
        self.digits.clear();
        self.timers.stop_all();
    }

    /// A dial-pad key was pressed.
    ///
    /// The send key sends, except as the first digit and where the map has a place for it (`*21*x.#`).
    ///
    /// # Errors
    /// The key cannot be dialled, or the number is full; nothing changed then.
    pub fn handle_digit(&mut self, now: Instant, digit: char) -> Result<(), DigitError> {
        if symbol(digit).is_none() {
            return Err(DigitError::NotADigit(digit));
        }
        let full = self.digits.len() >= self.config.max_digits;
        if self.config.send_key == Some(digit) && !self.digits.is_empty() && (full || !self.map_takes(digit))
        {
            self.dial(DialCause::Sent);
            return Ok(());
        }
        if full {
            return Err(DigitError::Full(self.config.max_digits));
        }
        self.digits.push(digit.to_ascii_uppercase());
        self.weigh(now, true);
        Ok(())
    }

    /// Erases the last digit. What remains is not dialled before the inter-digit time is over.
    pub fn backspace(&mut self, now: Instant) {
        self.digits.pop();
        self.weigh(now, false);
    }

    /// Erases all digits.
    pub fn clear(&mut self, now: Instant) {
        self.digits.clear();
        self.weigh(now, false);
    }

    /// The person sends what is there (a soft key, or lifting the handset after pre-dialling), whatever the
    /// map says. Nothing happens without digits.
    pub fn send(&mut self) {
        if !self.digits.is_empty() {
            self.dial(DialCause::Sent);
        }
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::FirstDigit => self.events.push_back(Event::FirstDigitTimeout),
                Timer::InterDigit => self.dial(DialCause::Timeout),
            }
        }
    }

    /// When to call [`Collector::handle_timeout`], and for which timer.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether the map could go on with this key.
    fn map_takes(&self, digit: char) -> bool {
        self.config.map.as_ref().is_some_and(|map| {
            let mut longer = self.digits.clone();
            longer.push(digit);
            map.matches(&longer) != MatchResult::NoMatch
        })
    }

    /// Looks at the digits again: dials, or sets the timer that waits for the next one.
    fn weigh(&mut self, now: Instant, dial_on_match: bool) {
        self.timers.stop_all();
        if !self.off_hook {
            return;
        }
        if self.digits.is_empty() {
            if let Some(wait) = self.config.first_digit {
                self.timers.set(Timer::FirstDigit, now + wait);
            }
            return;
        }
        let result =
            self.config.map.as_ref().map_or(MatchResult::MatchOrMore, |map| map.matches(&self.digits));
        match result {
            MatchResult::Match if dial_on_match => self.dial(DialCause::Match),
            MatchResult::NoMatch => self.events.push_back(Event::NoMatch),
            MatchResult::Match | MatchResult::MatchOrMore | MatchResult::Partial => {
                if let Some(wait) = self.config.inter_digit {
                    self.timers.set(Timer::InterDigit, now + wait);
                }
            }
        }
    }

    fn dial(&mut self, cause: DialCause) {
        let number = core::mem::take(&mut self.digits);
        self.on_hook();
        self.events.push_back(Event::Dial { number, cause });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    const T0: Instant = Instant::from_millis(1000);

    fn collector(map: &str) -> Collector {
        Collector::new(CollectorConfig {
            map: (!map.is_empty()).then(|| map.parse().unwrap()),
            ..CollectorConfig::default()
        })
    }

    fn type_in(collector: &mut Collector, keys: &str) {
        keys.chars().for_each(|key| collector.handle_digit(T0, key).unwrap());
    }

    fn events(collector: &mut Collector) -> Vec<Event> {
        core::iter::from_fn(|| collector.poll_event()).collect()
    }

    fn dial(number: &str, cause: DialCause) -> Event {
        Event::Dial { number: number.to_string(), cause }
    }

    #[test]
    fn a_complete_number_is_dialled_at_once() {
        let mut c = collector("[2-9]xxx|*xx|0T");
        c.off_hook(T0);
        type_in(&mut c, "234");
        assert_eq!(events(&mut c), vec![]);
        assert_eq!(c.digits(), "234");
        type_in(&mut c, "5");
        assert_eq!(events(&mut c), vec![dial("2345", DialCause::Match)]);
        assert_eq!((c.digits(), c.poll_timeout()), ("", None));
    }

    #[test]
    fn each_digit_restarts_the_inter_digit_time() {
        let mut c = collector("");
        c.off_hook(T0);
        assert_eq!(c.poll_timeout(), Some((T0 + Duration::from_secs(16), Timer::FirstDigit)));
        c.handle_digit(T0, '1').unwrap();
        let later = T0 + Duration::from_secs(4);
        c.handle_digit(later, '2').unwrap();
        let deadline = later + Duration::from_secs(5);
        assert_eq!(c.poll_timeout(), Some((deadline, Timer::InterDigit)));
        c.handle_timeout(deadline - Duration::from_micros(1));
        assert_eq!(events(&mut c), vec![]);
        c.handle_timeout(deadline);
        c.handle_timeout(deadline);
        assert_eq!(events(&mut c), vec![dial("12", DialCause::Timeout)]);
    }

    #[test]
    fn no_first_digit_is_said_once() {
        let mut c = collector("");
        c.off_hook(T0);
        c.handle_timeout(T0 + Duration::from_secs(16));
        assert_eq!(events(&mut c), vec![Event::FirstDigitTimeout]);
        assert_eq!(c.poll_timeout(), None);
        type_in(&mut c, "1#");
        assert_eq!(events(&mut c), vec![dial("1", DialCause::Sent)]);
    }

    #[test]
    fn the_send_key_sends_unless_the_map_has_a_place_for_it() {
        let mut c = collector("*21*x.#|x.T");
        c.off_hook(T0);
        type_in(&mut c, "*21*5#");
        assert_eq!(events(&mut c), vec![dial("*21*5#", DialCause::Match)]);
        c.off_hook(T0);
        type_in(&mut c, "55#");
        assert_eq!(events(&mut c), vec![dial("55", DialCause::Sent)]);

        let mut none = Collector::new(CollectorConfig { send_key: None, ..CollectorConfig::default() });
        none.off_hook(T0);
        type_in(&mut none, "55#");
        assert_eq!((events(&mut none), none.digits()), (vec![], "55#"));

        let mut star = Collector::new(CollectorConfig { send_key: Some('*'), ..CollectorConfig::default() });
        star.off_hook(T0);
        type_in(&mut star, "*7*"); // nothing to send yet at the first
        assert_eq!(events(&mut star), vec![dial("*7", DialCause::Sent)]);
    }

    #[test]
    fn predialling_waits_for_the_person() {
        let mut c = collector("xx");
        type_in(&mut c, "12");
        assert_eq!((events(&mut c), c.poll_timeout()), (vec![], None));
        c.off_hook(T0);
        assert_eq!(events(&mut c), vec![dial("12", DialCause::Match)]);
        type_in(&mut c, "345");
        c.send();
        assert_eq!(events(&mut c), vec![dial("345", DialCause::Sent)]);
        c.send();
        assert_eq!(events(&mut c), vec![]);
    }

    #[test]
    fn an_impossible_number_can_be_mended_or_sent() {
        let mut c = collector("1xx");
        c.off_hook(T0);
        type_in(&mut c, "2");
        assert_eq!((events(&mut c), c.poll_timeout()), (vec![Event::NoMatch], None));
        c.backspace(T0);
        assert_eq!(c.poll_timeout(), Some((T0 + Duration::from_secs(16), Timer::FirstDigit)));
        type_in(&mut c, "12");
        c.backspace(T0);
        assert_eq!((events(&mut c), c.digits()), (vec![], "1"));
        type_in(&mut c, "99");
        assert_eq!(events(&mut c), vec![dial("199", DialCause::Match)]);
        c.off_hook(T0);
        type_in(&mut c, "2#");
        assert_eq!(events(&mut c), vec![Event::NoMatch, dial("2", DialCause::Sent)]);
    }

    #[test]
    fn what_is_left_after_erasing_waits() {
        let mut c = collector("1|23");
        type_in(&mut c, "12");
        c.off_hook(T0);
        assert_eq!(events(&mut c), vec![Event::NoMatch]);
        c.backspace(T0);
        assert_eq!((events(&mut c), c.digits()), (vec![], "1"));
        c.handle_timeout(T0 + Duration::from_secs(5));
        assert_eq!(events(&mut c), vec![dial("1", DialCause::Timeout)]);
    }

    #[test]
    fn other_characters_and_too_many_digits_are_refused() {
        let mut c = Collector::new(CollectorConfig { max_digits: 3, ..CollectorConfig::default() });
        assert_eq!(c.handle_digit(T0, 'x'), Err(DigitError::NotADigit('x')));
        type_in(&mut c, "12a");
        assert_eq!(c.handle_digit(T0, '4'), Err(DigitError::Full(3)));
        assert_eq!(c.digits(), "12A");
        type_in(&mut c, "#");
        assert_eq!(events(&mut c), vec![dial("12A", DialCause::Sent)]);
        type_in(&mut c, "1");
        c.clear(T0);
        assert_eq!(c.digits(), "");
        c.on_hook();
        assert_eq!(c.poll_timeout(), None);
    }
    proptest! {
        #[test]
        fn no_sequence_of_keys_breaks_it(
            map in "([0-9x*#]\\.?){1,4}T?(\\|([0-9x*#]\\.?){1,4}T?){0,2}",
            keys in "[0-9*#AhHbct+]{0,60}",
        ) {
            let config = CollectorConfig { map: Some(map.parse().unwrap()), max_digits: 8, ..CollectorConfig::default() };
            let mut c = Collector::new(config);
            let mut now = T0;
            for key in keys.chars() {
                match key {
                    'h' => c.off_hook(now),
                    'H' => c.on_hook(),
                    'b' => c.backspace(now),
                    'c' => c.clear(now),
                    't' => {
                        now = c.poll_timeout().map_or(now, |(at, _)| at);
                        c.handle_timeout(now);
                    }
                    digit => prop_assert_eq!(c.handle_digit(now, digit) == Err(DigitError::NotADigit('+')), digit == '+'),
                }
                prop_assert!(c.digits().len() <= 8);
                prop_assert!(c.poll_timeout().is_none_or(|(at, _)| at > now));
                for event in events(&mut c) {
                    if let Event::Dial { number, .. } = event {
                        prop_assert!((1..=8).contains(&number.len()));
                        prop_assert_eq!((c.digits(), c.poll_timeout()), ("", None));
                    }
                }
            }
        }
    }
}
