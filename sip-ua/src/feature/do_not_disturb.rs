//! Do not disturb: codes, time windows, who is let through.

use super::number::NumberList;
use super::rejection::refusing;
use super::{Rejection, Scope, Scoped, ServerCode, TimeOfDay, Window};
use sidetone_sip_core::{StatusCode, Text};

/// Do not disturb, of the telephone or of an account; [`Scoped`] holds both.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DndConfig {
    /// Whether it is on (Yealink `features.dnd.enable`, Dinstar "DND", Panasonic "Do Not Disturb", SayHi "DND"). Default: no.
    pub enabled: bool,
    /// With which status calls are refused (Yealink `features.dnd_refuse_code` 404, 480 or 486, default 480; Dinstar "Return Code
    /// When DND" 486; Panasonic `SIP_RESPONSE_CODE_DND` 400 to 699, default 403). Default 480.
    pub status: StatusCode,
    /// The reason phrase; empty for the usual one.
    pub reason: Text,
    /// Whether it counts only within the windows (Dinstar "DND Timer Enable"; without effect while it is off). Default: no.
    pub timed: bool,
    /// The windows, which may overlap (Dinstar "DND Timer 1" to "3"). Default: three times none.
    pub windows: [Option<Window>; 3],
    /// Callers who are let through all the same. Default: none. Emergency numbers are [`EmergencyConfig`]'s.
    ///
    /// [`EmergencyConfig`]: super::emergency::EmergencyConfig
    pub allowed: NumberList,
    /// Whether the server has taken it over: then nothing is refused here (YLA-074). Default: no.
    pub at_server: bool,
    /// The server's codes (Yealink `features.dnd.on_code`, `features.dnd.off_code`; Dinstar "DND On Code", "DND Off Code").
    pub code: ServerCode,
}

impl Default for DndConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            status: StatusCode::TEMPORARILY_UNAVAILABLE,
            reason: Text::EMPTY,
            timed: false,
            windows: [None; 3],
            allowed: NumberList::new(),
            at_server: false,
            code: ServerCode::default(),
        }
    }
}

impl DndConfig {
    /// The same, on or off.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// The same with a status, 400 to 699; any other is 480.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = refusing(status, StatusCode::TEMPORARILY_UNAVAILABLE);
        self
    }

    /// Whether calls are refused here at this time.
    #[must_use]
    pub fn is_active(&self, now: TimeOfDay) -> bool {
        let inside = || self.windows.iter().flatten().any(|window| window.holds(now));
        self.enabled && !self.at_server && (!self.timed || inside())
    }

    /// How a call is refused; `None` when it is not. `caller` is the number, if it is known.
    #[must_use]
    pub fn rejects(&self, now: TimeOfDay, caller: Option<&str>) -> Option<Rejection> {
        let allowed = || caller.is_some_and(|caller| self.allowed.matches(caller));
        (self.is_active(now) && !allowed())
            .then(|| Rejection::new(self.status).with_reason(self.reason.clone()))
    }

    /// Switches it, and says what to dial so that the server switches too.
    pub fn switch(&mut self, on: bool) -> Option<&str> {
        self.enabled = on;
        self.code.switched(on)
    }
}

impl Scoped<DndConfig> {
    /// What the DND key does; says whether it is on afterwards.
    ///
    /// In [`Scope::Phone`] it goes on for all, or off for all and every single account: so one press ends the state of the
    /// telephone, and two end the state of a line (SAY-074). In [`Scope::Custom`] it switches `account` alone (DIN-060).
    pub fn press(&mut self, account: u32) -> bool {
        if self.scope == Scope::Custom {
            let mut own = self.of(account).clone();
            own.enabled = !own.enabled;
            let on = own.enabled;
            return self.set(account, own) && on;
        }
        self.phone.enabled = !self.phone.enabled;
        if !self.phone.enabled {
            self.accounts_mut().for_each(|(_, own)| own.enabled = false);
        }
        self.phone.enabled
    }

    /// Whether an icon is shown while `account` is the one chosen for calls: in [`Scope::Custom`] by its own state alone (DIN-060).
    #[must_use]
    pub fn shows_icon(&self, account: u32) -> bool {
        self.of(account).enabled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u8, minute: u8) -> TimeOfDay {
        TimeOfDay::new(hour, minute).unwrap()
    }

    fn status(config: &DndConfig, now: TimeOfDay, caller: &str) -> Option<u16> {
        config.rejects(now, Some(caller)).map(|rejection| rejection.status.code())
    }

    #[test]
    fn calls_are_refused_with_the_set_status() {
        let noon = at(12, 0);
        for (set, sent) in [
            (480, 480),
            (404, 404),
            (486, 486),
            (403, 403),
            (603, 603),
            (699, 699),
            (399, 480),
            (700, 480),
            (0, 480),
        ] {
            let config = DndConfig::default().enabled(true).with_status(set);
            assert_eq!(status(&config, noon, "201"), Some(sent), "{set}");
        }
        assert_eq!(DndConfig::default().rejects(noon, None), None, "off");
        let mut worded = DndConfig::default().enabled(true);
        worded.reason = "Come back later".into();
        assert_eq!(worded.rejects(noon, None).unwrap().phrase(), "Come back later");
        worded.at_server = true;
        assert_eq!(worded.rejects(noon, None), None, "the server does it");
    }

    #[test]
    fn the_timer_refuses_within_its_three_windows_alone() {
        let mut config = DndConfig::default().enabled(true);
        config.timed = true;
        assert_eq!(status(&config, at(12, 0), "1"), None, "no window is set");
        config.windows = [
            Some(Window::new(at(12, 0), at(13, 0))),
            Some(Window::new(at(12, 30), at(14, 0))),
            Some(Window::new(at(22, 0), at(6, 0))),
        ];
        for (now, refused) in [
            (at(11, 59), false),
            (at(12, 0), true),
            (at(12, 45), true),
            (at(14, 0), true),
            (at(14, 1), false),
            (at(23, 0), true),
            (at(5, 59), true),
            (at(6, 1), false),
        ] {
            assert_eq!(status(&config, now, "1").is_some(), refused, "{now:?}");
        }
        config.enabled = false;
        assert_eq!(status(&config, at(12, 0), "1"), None, "the timer needs DND itself");
    }

    #[test]
    fn the_white_list_is_let_through() {
        let mut config = DndConfig::default().enabled(true);
        config.allowed = ["201", "0171."].into_iter().collect();
        for (caller, refused) in [("201", false), ("0171555", false), ("202", true)] {
            assert_eq!(status(&config, at(12, 0), caller).is_some(), refused, "{caller}");
        }
        assert!(config.rejects(at(12, 0), None).is_some(), "nobody known is nobody allowed");
    }

    #[test]
    fn the_key_ends_the_phones_state_at_once_and_a_lines_with_two_presses() {
        let mut dnd = Scoped::new(DndConfig::default());
        assert!(dnd.set(2, DndConfig::default().enabled(true)));
        assert!(dnd.press(1));
        assert!(!dnd.press(1));
        assert!(dnd.accounts().all(|(_, own)| !own.enabled));
        dnd.scope = Scope::Custom;
        assert!(dnd.press(2));
        assert!(dnd.shows_icon(2) && !dnd.shows_icon(1));
        assert!(!dnd.press(2));
    }

    #[test]
    fn switching_says_what_to_dial() {
        let mut config = DndConfig { code: ServerCode::new("*88", "*86"), ..DndConfig::default() };
        assert_eq!(config.switch(true), Some("*88"));
        assert_eq!(config.switch(false), Some("*86"));
        assert!(!config.enabled);
    }
}
