//! Wall time for the idle screen. The firmware reads no clock: a driver hands it the local time once, and it counts on.

use sidetone_hal::time::{Duration, Instant};

/// Local time: seconds since 1970-01-01 00:00 on the wall, not in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    seconds: i64,
    at: Instant,
}

/// A moment in the calendar (proleptic Gregorian).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The year, such as 2026.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
    /// The day of the week, 0 being Sunday.
    pub weekday: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute.
    pub minute: u8,
}

const DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl WallClock {
    /// A clock that shows `seconds` (local, since 1970) at `now`.
    #[must_use]
    pub const fn new(now: Instant, seconds: i64) -> Self {
        Self { seconds, at: now }
    }

    /// What it shows at `now`.
    #[must_use]
    pub fn moment(self, now: Instant) -> Moment {
        let seconds = self.seconds(now);
        let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        Moment {
            year,
            month,
            day,
            weekday: small(days.saturating_add(4).rem_euclid(7)),
            hour: small(second / 3600),
            minute: small(second / 60 % 60),
        }
    }

    /// When the minute changes next.
    #[must_use]
    pub fn next_minute(self, now: Instant) -> Instant {
        let passed = now.saturating_since(self.at);
        let into = self.seconds.rem_euclid(60).unsigned_abs();
        let minutes = (passed.as_secs() + into) / 60 + 1;
        self.at + Duration::from_secs(minutes * 60 - into)
    }

    fn seconds(self, now: Instant) -> i64 {
        let passed = i64::try_from(now.saturating_since(self.at).as_secs()).unwrap_or(i64::MAX);
        self.seconds.saturating_add(passed)
    }
}

impl Moment {
    /// `08:05`.
    #[must_use]
    pub fn time(&self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// `2026-11-21 08-05`: sorts by time, and may be a file's name.
    #[must_use]
    pub fn stamp(&self) -> String {
        format!("{:04}-{:02}-{:02} {:02}-{:02}", self.year, self.month, self.day, self.hour, self.minute)
    }

    /// `Saturday 21 November`.
    #[must_use]
    pub fn date(&self) -> String {
        let name = |names: &[&'static str], index: usize| names.get(index).copied().unwrap_or_default();
        let weekday = name(&WEEKDAYS, usize::from(self.weekday));
        let month = name(&MONTHS, usize::from(self.month).saturating_sub(1));
        format!("{weekday} {} {month}", self.day)
    }

    /// `Sat 21 Nov`.
    #[must_use]
    pub fn short_date(&self) -> String {
        let short = |word: &str| word.get(..3).unwrap_or_default().to_owned();
        let date = self.date();
        let mut words = date.split(' ');
        let (weekday, _, month) = (words.next(), words.next(), words.next());
        format!("{} {} {}", short(weekday.unwrap_or_default()), self.day, short(month.unwrap_or_default()))
    }
}

/// Year, month and day of a day number (0 is 1970-01-01), by counting from a year that starts in March, so that
/// the leap day comes last.
fn civil(days: i64) -> (i64, u8, u8) {
    let shifted = days.saturating_add(719_468);
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), small(month), small(day))
}

/// A number that the arithmetic above keeps under 100.
fn small(value: i64) -> u8 {
    u8::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_knows_leap_days_and_weekdays() {
        let at = |seconds| WallClock::new(Instant::ZERO, seconds).moment(Instant::ZERO);
        assert_eq!((at(0).date(), at(0).time()), ("Thursday 1 January".into(), "00:00".into()));
        // `date -u -d @1795250200` prints Sat Nov 21 08:36:40 UTC 2026.
        assert_eq!(at(1_795_250_200).date(), "Saturday 21 November");
        assert_eq!(at(1_795_250_200).time(), "08:36");
        assert_eq!(at(951_782_400).date(), "Tuesday 29 February"); // the year 2000 is a leap year
        assert_eq!(at(-1).date(), "Wednesday 31 December");
        assert_eq!(at(1_795_250_200).short_date(), "Sat 21 Nov");
        assert_eq!(at(1_795_250_200).year, 2026);
    }

    #[test]
    fn it_counts_on_and_names_the_next_minute() {
        let clock = WallClock::new(Instant::from_millis(500), 59);
        assert_eq!(clock.moment(Instant::from_millis(500)).time(), "00:00");
        let next = clock.next_minute(Instant::from_millis(500));
        assert_eq!(next, Instant::from_millis(1500));
        assert_eq!(clock.moment(next).time(), "00:01");
        assert_eq!(clock.next_minute(next), Instant::from_millis(61_500));
    }
}
