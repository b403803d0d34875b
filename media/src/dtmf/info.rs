//! Digits in the bodies of SIP INFO requests, as gateways send them: the three kinds of Yealink's
//! `account.X.dtmf.info_type`. Pure functions: the request around the body is `sip-ua`'s.

use super::event::{CLOCK, Event, FLASH, digit_of, event_of};
use core::time::Duration;

/// The kind of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InfoKind {
    /// `application/dtmf-relay`: lines `Signal=5` and `Duration=160`.
    #[default]
    DtmfRelay,
    /// `application/dtmf`: the digit.
    Dtmf,
    /// `audio/telephone-event`: the four octets of RFC 4733 §2.3 with the end bit, at 8000 ticks a second.
    TelephoneEvent,
}

/// An event that came in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoEvent {
    /// What; 0 to 15 are digits, 16 is a hook flash.
    pub code: u8,
    /// How long the key was held, if the body says so.
    pub duration: Option<Duration>,
}

impl InfoEvent {
    /// The digit, if it is one.
    #[must_use]
    pub fn digit(self) -> Option<char> {
        digit_of(self.code)
    }
}

impl InfoKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DtmfRelay, Self::Dtmf, Self::TelephoneEvent];

    /// The Content-Type of such a body.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::DtmfRelay => "application/dtmf-relay",
            Self::Dtmf => "application/dtmf",
            Self::TelephoneEvent => "audio/telephone-event",
        }
    }

    /// The kind of a Content-Type, whose parameters and case of letters count for nothing.
    #[must_use]
    pub fn from_content_type(text: &str) -> Option<Self> {
        let kind = text.split(';').next().unwrap_or(text).trim();
        Self::ALL.into_iter().find(|known| known.content_type().eq_ignore_ascii_case(kind))
    }

    /// Yealink's number: `account.X.dtmf.info_type` 1 to 3.
    #[must_use]
    pub const fn from_yealink(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::DtmfRelay),
            2 => Some(Self::Dtmf),
            3 => Some(Self::TelephoneEvent),
            _ => None,
        }
    }

    /// Writes the body for a digit (or `!` for a hook flash) that was held for `duration`; none for anything else.
    #[must_use]
    pub fn write(self, digit: char, duration: Duration) -> Option<Vec<u8>> {
        let code = if digit == '!' { FLASH } else { event_of(digit)? };
        let millis = duration.as_millis().min(60_000);
        Some(match self {
            Self::DtmfRelay => {
                let signal = digit_of(code).map_or_else(|| code.to_string(), String::from);
                format!("Signal={signal}\r\nDuration={millis}\r\n").into_bytes()
            }
            Self::Dtmf => digit_of(code).map_or_else(|| code.to_string(), String::from).into_bytes(),
            Self::TelephoneEvent => {
                let ticks = millis as u64 * u64::from(CLOCK) / 1000;
                let duration = u16::try_from(ticks).unwrap_or(u16::MAX);
                Event { code, end: true, volume: 10, duration }.to_bytes().to_vec()
            }
        })
    }

    /// Reads a body; none if it says no event. What others send in an `audio/telephone-event` body as text is read
    /// like the other kinds.
    #[must_use]
    pub fn read(self, body: &[u8]) -> Option<InfoEvent> {
        if self == Self::TelephoneEvent
            && let Some(event) = Event::parse(body).filter(|event| event.code <= FLASH)
        {
            let micros = u64::from(event.duration) * 1_000_000 / u64::from(CLOCK);
            return Some(InfoEvent { code: event.code, duration: Some(Duration::from_micros(micros)) });
        }
        let text = core::str::from_utf8(body).ok()?;
        if let Some(signal) = value(text, "Signal").filter(|_| self != Self::Dtmf) {
            let millis = value(text, "Duration").and_then(|text| text.parse().ok());
            return Some(InfoEvent { code: code(signal)?, duration: millis.map(Duration::from_millis) });
        }
        let plain = self != Self::DtmfRelay;
        plain.then(|| code(text.trim())).flatten().map(|code| InfoEvent { code, duration: None })
    }
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// An event by its digit, by its number in RFC 4733 (10 is `*`, 11 `#`, 12 to 15 `A` to `D`, 16 a flash), or by the
/// names that are in use for a flash.
fn code(text: &str) -> Option<u8> {
    let mut chars = text.chars();
    match (chars.next()?, chars.next()) {
        ('!', None) => Some(FLASH),
        (digit, None) => event_of(digit),
        _ if text.eq_ignore_ascii_case("hf") || text.eq_ignore_ascii_case("flash") => Some(FLASH),
        _ => text.parse().ok().filter(|code| (10..=FLASH).contains(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_written_and_read_back_in_all_three_kinds() {
        for kind in InfoKind::ALL {
            for digit in "0123456789*#ABCD".chars() {
                let body = kind.write(digit, Duration::from_millis(160)).unwrap();
                let event = kind.read(&body).unwrap();
                assert_eq!(event.digit(), Some(digit), "{kind:?}");
                let expected = (kind != InfoKind::Dtmf).then_some(Duration::from_millis(160));
                assert_eq!(event.duration, expected, "{kind:?}");
            }
            let flash = kind.read(&kind.write('!', Duration::ZERO).unwrap()).unwrap();
            assert_eq!((flash.code, flash.digit()), (FLASH, None));
            assert_eq!(kind.write('x', Duration::ZERO), None);
            assert_eq!(InfoKind::from_content_type(&kind.content_type().to_uppercase()), Some(kind));
        }
        let relay = InfoKind::DtmfRelay.write('#', Duration::from_millis(250)).unwrap();
        assert_eq!(relay, b"Signal=#\r\nDuration=250\r\n");
        let octets = InfoKind::TelephoneEvent.write('5', Duration::from_millis(100)).unwrap();
        assert_eq!(octets, [5, 0x8a, 3, 0x20]);
    }

    #[test]
    fn what_others_write_is_understood_and_nonsense_is_not() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let table: [(InfoKind, &[u8], _); 15] = [
            (InfoKind::DtmfRelay, b"signal= * \nduration=100", Some((10, ms(100)))),
            (InfoKind::DtmfRelay, b"Signal=11\r\nDuration=x\r\n", Some((11, None))),
            (InfoKind::DtmfRelay, b"Duration=80\r\nSignal=d", Some((15, ms(80)))),
            (InfoKind::DtmfRelay, b"Signal=hf\r\n", Some((FLASH, None))),
            (InfoKind::DtmfRelay, b"Signal=17\r\n", None),
            (InfoKind::DtmfRelay, b"Signal=\r\n", None),
            (InfoKind::DtmfRelay, b"5", None),
            (InfoKind::DtmfRelay, b"\xff\xfe", None),
            (InfoKind::Dtmf, b" 7 \r\n", Some((7, None))),
            (InfoKind::Dtmf, b"15", Some((15, None))),
            (InfoKind::Dtmf, b"99", None),
            (InfoKind::Dtmf, b"", None),
            (InfoKind::TelephoneEvent, b"\x0b\x0a\x01\x90", Some((11, ms(50)))),
            (InfoKind::TelephoneEvent, b"Signal=5\r\nDuration=160\r\n", Some((5, ms(160)))),
            (InfoKind::TelephoneEvent, b"\x40\x0a\x01\x90", None),
        ];
        for (kind, body, expected) in table {
            let read = kind.read(body).map(|event| (event.code, event.duration));
            assert_eq!(read, expected, "{kind:?} {body:?}");
        }
        assert_eq!(
            InfoKind::from_content_type("application/dtmf-relay; charset=utf-8"),
            Some(InfoKind::DtmfRelay)
        );
        assert_eq!(InfoKind::from_content_type("text/plain"), None);
        assert_eq!([0, 1, 2, 3, 4].map(InfoKind::from_yealink).iter().flatten().count(), 3);
    }
}
