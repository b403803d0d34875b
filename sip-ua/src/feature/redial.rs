//! Calls that are placed again when they fail (auto redial).

use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_sip_core::{StatusCode, Uri};

/// Auto redial.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedialConfig {
    /// Whether it is on (Yealink `auto_redial.enable`, Dinstar "Auto Redial"). Default: no.
    pub enabled: bool,
    /// The wait between two calls (Yealink `auto_redial.interval`, Dinstar "Interval"; 1 to 300 s). Default 10 s.
    pub interval: Duration,
    /// How often the call is placed again (Yealink `auto_redial.times`, 1 to 300, default 10; Dinstar "Times", 1 to 100, shown
    /// 3). Default 10.
    pub times: u32,
    /// Whether a call that nobody answered is placed again as well (DIN-045). Default: yes.
    pub after_no_answer: bool,
}

impl Default for RedialConfig {
    fn default() -> Self {
        Self { enabled: false, interval: Duration::from_secs(10), times: 10, after_no_answer: true }
    }
}

impl RedialConfig {
    /// The same, on or off.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Whether a call that failed so may succeed later: busy or unavailable for now. The manuals name no statuses.
    #[must_use]
    pub const fn is_temporary(&self, status: StatusCode) -> bool {
        match status.code() {
            408 | 480 => self.after_no_answer,
            486 | 503 | 504 | 600 => true,
            _ => false,
        }
    }
}

/// What the redial does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedialState {
    /// Nothing.
    #[default]
    Idle,
    /// A countdown is shown until the call is placed again.
    Counting {
        /// When it is placed.
        due: Instant,
        /// How often it may still be placed.
        left: u32,
    },
    /// The call was placed again, and is not answered yet.
    Calling {
        /// How often it may still be placed.
        left: u32,
    },
}

/// One number that is called again. There is one at a time; another call of the user takes its place.
#[derive(Clone, Debug, Default)]
pub struct Redial {
    target: Option<Uri>,
    state: RedialState,
}

impl Redial {
    /// Nothing to call.
    #[must_use]
    pub const fn new() -> Self {
        Self { target: None, state: RedialState::Idle }
    }

    /// What it does.
    #[must_use]
    pub const fn state(&self) -> RedialState {
        self.state
    }

    /// Whom it calls.
    #[must_use]
    pub const fn target(&self) -> Option<&Uri> {
        self.target.as_ref()
    }

    /// When to ask [`Redial::poll`] again.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            RedialState::Counting { due, .. } => Some(due),
            RedialState::Idle | RedialState::Calling { .. } => None,
        }
    }

    /// A call to `target` has failed: the user's, or one of ours. Says whether a countdown began.
    pub fn failed(&mut self, now: Instant, config: &RedialConfig, target: &Uri, status: StatusCode) -> bool {
        let left = match self.state {
            RedialState::Calling { left } if self.target.as_ref() == Some(target) => left,
            RedialState::Idle | RedialState::Calling { .. } | RedialState::Counting { .. } => config.times,
        };
        if !config.enabled || left == 0 || !config.is_temporary(status) {
            self.stop();
            return false;
        }
        self.target = Some(target.clone());
        self.state = RedialState::Counting { due: now + config.interval, left };
        true
    }

    /// The number to call now, when the countdown is over.
    pub fn poll(&mut self, now: Instant) -> Option<&Uri> {
        match self.state {
            RedialState::Counting { due, .. } if due <= now => self.at_once(),
            _ => None,
        }
    }

    /// The number to call now because the user does not want to wait.
    pub fn at_once(&mut self) -> Option<&Uri> {
        let RedialState::Counting { left, .. } = self.state else { return None };
        self.state = RedialState::Calling { left: left.saturating_sub(1) };
        self.target.as_ref()
    }

    /// The call was answered, the user cancelled it or placed another.
    pub fn stop(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    const BUSY: StatusCode = StatusCode::BUSY_HERE;

    #[test]
    fn a_busy_number_is_called_again_as_often_as_set() {
        let config = RedialConfig { times: 3, ..RedialConfig::default().enabled(true) };
        let (target, mut redial, mut now) = (uri("sip:b@h"), Redial::new(), Instant::ZERO);
        let mut calls = 0;
        while redial.failed(now, &config, &target, BUSY) {
            assert_eq!(redial.deadline(), Some(now + Duration::from_secs(10)));
            assert_eq!(redial.poll(now), None, "too early");
            now += Duration::from_secs(10);
            assert_eq!(redial.poll(now), Some(&target));
            assert_eq!(redial.poll(now), None, "once");
            calls += 1;
        }
        assert_eq!((calls, redial.state()), (3, RedialState::Idle));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let config = RedialConfig::default().enabled(true);
        for (status, again) in [
            (486, true),
            (600, true),
            (480, true),
            (408, true),
            (503, true),
            (404, false),
            (603, false),
            (403, false),
            (487, false),
        ] {
            let began = Redial::new().failed(
                Instant::ZERO,
                &config,
                &uri("sip:b@h"),
                StatusCode::new(status).unwrap(),
            );
            assert_eq!(began, again, "{status}");
        }
        let strict = RedialConfig { after_no_answer: false, ..config.clone() };
        assert!(!Redial::new().failed(Instant::ZERO, &strict, &uri("sip:b@h"), StatusCode::REQUEST_TIMEOUT));
        assert!(!Redial::new().failed(Instant::ZERO, &RedialConfig::default(), &uri("sip:b@h"), BUSY), "off");
    }

    #[test]
    fn the_user_hurries_it_stops_it_and_calls_another() {
        let config = RedialConfig { times: 2, ..RedialConfig::default().enabled(true) };
        let mut redial = Redial::new();
        assert_eq!(redial.at_once(), None);
        assert!(redial.failed(Instant::ZERO, &config, &uri("sip:b@h"), BUSY));
        assert_eq!(redial.at_once(), Some(&uri("sip:b@h")));
        assert_eq!(redial.state(), RedialState::Calling { left: 1 });
        assert!(redial.failed(Instant::ZERO, &config, &uri("sip:c@h"), BUSY), "another number begins anew");
        assert!(matches!(redial.state(), RedialState::Counting { left: 2, .. }));
        redial.stop();
        assert_eq!(redial.poll(Instant::MAX), None);
        assert_eq!(redial.target(), None);
    }
}
