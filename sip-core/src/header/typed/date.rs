//! Date (RFC 3261 §20.17): the one form of RFC 1123, always GMT.

use super::emit_display;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName};
use crate::parse::class;
use bytes::Bytes;
use core::fmt;

/// A time of the calendar, in seconds since 1 January 1970 GMT, leap seconds not counted.
///
/// ```
/// use sidetone_sip_core::{Header, header::Date};
/// let date = Date::parse(&bytes::Bytes::from_static(b"Sat, 13 Nov 2010 23:29:00 GMT")).unwrap();
/// assert_eq!(date, Date(1_289_690_940));
/// assert_eq!(date.to_string(), "Sat, 13 Nov 2010 23:29:00 GMT");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub u64);

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

impl Header for Date {
    const NAME: HeaderName = HeaderName::DATE;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let text = core::str::from_utf8(class::trim(value)).ok();
        text.and_then(read).map(Self).ok_or(ParseError::new(ParseErrorKind::Date, 0))
    }

    emit_display!();
}

/// `Sat, 13 Nov 2010 23:29:00 GMT`
fn read(text: &str) -> Option<u64> {
    let (weekday, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (time, zone) = (words.next()?, words.next()?);
    if words.next().is_some() || !zone.eq_ignore_ascii_case("GMT") {
        return None;
    }
    if !WEEKDAYS.iter().any(|name| name.eq_ignore_ascii_case(weekday)) {
        return None;
    }
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as u64 + 1;
    let mut clock = time.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let (day, year) = (number(day, 2)?, number(year, 4)?);
    let fits = clock.next().is_none()
        && (1..=days_in(month, year)).contains(&day)
        && year >= 1970
        && hour < 24
        && minute < 60
        && second <= 60;
    fits.then(|| days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(digits: &str, len: usize) -> Option<u64> {
    (digits.len() == len).then(|| class::number(digits.as_bytes()).map(u64::from)).flatten()
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in(month: u64, year: u64) -> u64 {
    match month {
        2 => 28 + is_leap(year) as u64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1 January 1970 to this day.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    years + (1..month).map(|month| days_in(month, year)).sum::<u64>() + day - 1
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut days, seconds) = (self.0 / 86_400, self.0 % 86_400);
        let weekday = WEEKDAYS.get((days % 7) as usize).copied().unwrap_or_default();
        // 400 years have 146 097 days; the last year of the estimate may be one too late.
        let mut year = 1970 + days * 400 / 146_097;
        if days < days_before(year, 1, 1) {
            year -= 1;
        }
        if days >= days_before(year + 1, 1, 1) {
            year += 1;
        }
        days -= days_before(year, 1, 1);
        let mut month = 1;
        while days >= days_in(month, year) {
            days -= days_in(month, year);
            month += 1;
        }
        let name = MONTHS.get((month - 1) as usize).copied().unwrap_or_default();
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{weekday}, {:02} {name} {year:04} {hour:02}:{minute:02}:{second:02} GMT", days + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn dates_round_trip_over_the_leap_years() {
        for day in (0..60_000).step_by(11) {
            let date = Date(day * 86_400 + 12_345);
            assert_eq!(read(&date.to_string()), Some(date.0), "{date}");
        }
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
            ("Thu, 21 Feb 2002 13:02:03 GMT", 1_014_296_523),
            ("Sun, 31 Dec 2023 23:59:59 GMT", 1_704_067_199),
        ] {
            assert_eq!(read(text), Some(seconds), "{text}");
            assert_eq!(Date(seconds).to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Fri, 1 Jan 2010 16:00:00 GMT",
            "Fri, 30 Feb 2010 16:00:00 GMT",
            "01 Jan 2010 16:00:00 GMT",
            "Fri, 01 Jan 2010 24:00:00 GMT",
            "",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
