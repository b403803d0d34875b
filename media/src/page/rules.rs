//! Which page is played when: Yealink's "Paging Barge" and "Paging Priority Active".

/// A page's priority: the number of the listening address in the list, 1 the highest.
pub type Priority = u8;

/// The lowest priority there is: lists have 10 addresses on some phones, 31 on others.
pub const LOWEST_PRIORITY: Priority = 31;

/// The priority of what a page has to compete with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barge {
    /// Every page is ignored.
    Disabled,
    /// Pages of this priority and of higher ones (smaller numbers) are played, lower ones are ignored.
    Priority(Priority),
}

impl Barge {
    /// As settings files write it: 0 is [`Barge::Disabled`], 1 to 31 are priorities; another number is none.
    #[must_use]
    pub const fn from_setting(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Disabled),
            1..=LOWEST_PRIORITY => Some(Self::Priority(number)),
            _ => None,
        }
    }

    const fn admits(self, page: Priority) -> bool {
        match self {
            Self::Disabled => false,
            Self::Priority(own) => page <= own,
        }
    }
}

/// The settings that decide about pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRules {
    /// Paging Barge, `multicast.receive_priority.priority`: the priority of a voice call in progress. 10 by default: of
    /// ten addresses each may barge.
    ///
    /// The manual leaves open whether an equal priority is played; Yealink's later guides say that it is. Of 0 its text
    /// says that every page is ignored, in the passage on calls in progress; the same guides say "when a voice call is
    /// in progress", which is what it does here. [`PageRules::ignore_all`] is the other reading.
    pub barge: Barge,
    /// Paging Priority Active, `multicast.receive_priority.enable`: while a page plays, one of higher priority takes its
    /// place. Off, every new page is ignored then. On by default.
    pub priority_active: bool,
    /// Which pages are played while do-not-disturb is on. All by default: the manual knows no connection.
    pub do_not_disturb: Barge,
    /// Every page is ignored.
    pub ignore_all: bool,
}

impl Default for PageRules {
    fn default() -> Self {
        Self {
            barge: Barge::Priority(10),
            priority_active: true,
            do_not_disturb: Barge::Priority(LOWEST_PRIORITY),
            ignore_all: false,
        }
    }
}

/// What the phone is busy with, as far as pages care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhoneState {
    /// A voice call is in progress.
    pub call: bool,
    /// This phone sends a page itself.
    pub sending: bool,
    /// Do-not-disturb is on.
    pub do_not_disturb: bool,
}

/// Why a page is not played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// No page is ([`PageRules::ignore_all`]).
    All,
    /// The voice call in progress has a higher priority.
    Call,
    /// Another page plays, and this one may not take its place.
    Page,
    /// Do-not-disturb is on.
    DoNotDisturb,
    /// This phone sends a page itself.
    Sending,
}

impl PageRules {
    /// Whether a page may play while the phone is in this state and, perhaps, another page plays.
    ///
    /// # Errors
    /// [`Ignored`] says why not.
    pub const fn judge(
        &self,
        phone: PhoneState,
        playing: Option<Priority>,
        page: Priority,
    ) -> Result<(), Ignored> {
        if self.ignore_all {
            return Err(Ignored::All);
        }
        if phone.sending {
            return Err(Ignored::Sending);
        }
        if phone.do_not_disturb && !self.do_not_disturb.admits(page) {
            return Err(Ignored::DoNotDisturb);
        }
        if phone.call && !self.barge.admits(page) {
            return Err(Ignored::Call);
        }
        match playing {
            Some(playing) if !(self.priority_active && page < playing) => Err(Ignored::Page),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: PhoneState = PhoneState { call: false, sending: false, do_not_disturb: false };
    const CALL: PhoneState = PhoneState { call: true, ..IDLE };

    /// One row for each sentence of the manual (YLB-069 to YLB-071), and for what it leaves open.
    #[test]
    fn the_manual_row_by_row() {
        let default = PageRules::default();
        let barge = |number| PageRules { barge: Barge::from_setting(number).unwrap(), ..default };
        let inactive = PageRules { priority_active: false, ..default };
        let no = Err;
        type Row = (&'static str, PageRules, PhoneState, Option<u8>, u8, Result<(), Ignored>);
        let rows: &[Row] = &[
            ("idle: any page plays", default, IDLE, None, 10, Ok(())),
            ("barge is about calls: idle", barge(3), IDLE, None, 10, Ok(())),
            ("barge off: idle", barge(0), IDLE, None, 10, Ok(())),
            ("barge: a higher page during a call", barge(3), CALL, None, 2, Ok(())),
            ("barge: an equal page during a call", barge(3), CALL, None, 3, Ok(())),
            ("barge: a lower page during a call", barge(3), CALL, None, 4, no(Ignored::Call)),
            ("barge off: the highest page during a call", barge(0), CALL, None, 1, no(Ignored::Call)),
            ("the default: the lowest of ten during a call", default, CALL, None, 10, Ok(())),
            ("the default: an eleventh during a call", default, CALL, None, 11, no(Ignored::Call)),
            ("active: a higher page during a page", default, IDLE, Some(5), 4, Ok(())),
            ("active: a lower page during a page", default, IDLE, Some(5), 6, no(Ignored::Page)),
            ("active: an equal page during a page", default, IDLE, Some(5), 5, no(Ignored::Page)),
            ("inactive: a higher page during a page", inactive, IDLE, Some(5), 1, no(Ignored::Page)),
            ("inactive: a lower page during a page", inactive, IDLE, Some(5), 6, no(Ignored::Page)),
            ("inactive is about pages: idle", inactive, IDLE, None, 10, Ok(())),
            ("inactive is about pages: a call", inactive, CALL, None, 10, Ok(())),
            ("a page barged into a call: a higher one", barge(5), CALL, Some(4), 2, Ok(())),
            ("a page barged into a call: a lower one", barge(5), CALL, Some(2), 4, no(Ignored::Page)),
            ("a page played, then a call: both count", barge(3), CALL, Some(9), 4, no(Ignored::Call)),
            ("ignore all", PageRules { ignore_all: true, ..default }, IDLE, None, 1, no(Ignored::All)),
            (
                "we page ourselves",
                default,
                PhoneState { sending: true, ..IDLE },
                None,
                1,
                no(Ignored::Sending),
            ),
            ("DND has no say", default, PhoneState { do_not_disturb: true, ..IDLE }, None, 10, Ok(())),
            (
                "DND for all but the highest",
                PageRules { do_not_disturb: Barge::Priority(1), ..default },
                PhoneState { do_not_disturb: true, ..IDLE },
                None,
                2,
                no(Ignored::DoNotDisturb),
            ),
        ];
        for (what, rules, phone, playing, page, expected) in rows {
            assert_eq!(rules.judge(*phone, *playing, *page), *expected, "{what}");
        }
    }

    #[test]
    fn numbers_of_settings() {
        assert_eq!(Barge::from_setting(0), Some(Barge::Disabled));
        assert_eq!(Barge::from_setting(31), Some(Barge::Priority(31)));
        assert_eq!(Barge::from_setting(32), None);
    }
}
