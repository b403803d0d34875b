//! Telephone events: their codes and their payload (RFC 4733 §2.3, §3.2).

/// Octets of an event's payload (§2.3).
pub const PAYLOAD: usize = 4;
/// The longest duration that an event can say; a longer one goes on in another segment (§2.5.1.3).
pub(super) const LONGEST: u32 = 0xffff;
/// The event of a hook flash (§3.2, table 3).
pub const FLASH: u8 = 16;
/// The clock of events, in ticks a second, if nothing else was agreed on.
pub(super) const CLOCK: u32 = 8000;

/// The digits of the events 0 to 15 (§3.2, table 3).
const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// The event code of a digit; lower case letters count as upper case.
#[must_use]
pub fn event_of(digit: char) -> Option<u8> {
    DIGITS.iter().position(|known| *known == digit.to_ascii_uppercase()).map(|code| code as u8)
}

/// The digit of an event code.
#[must_use]
pub fn digit_of(event: u8) -> Option<char> {
    DIGITS.get(usize::from(event)).copied()
}

/// The payload of an event packet (§2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What; 0 to 15 are digits, 16 is a hook flash.
    pub code: u8,
    /// The event is over.
    pub end: bool,
    /// Power in -dBm0, 0 to 63.
    pub volume: u8,
    /// Ticks since its timestamp.
    pub duration: u16,
}

impl Event {
    /// Reads a payload; further events in the same payload are left out.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [code, flags, high, low] = *payload.first_chunk::<PAYLOAD>()?;
        Some(Self {
            code,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// Writes the payload.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; PAYLOAD] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, ((self.end as u8) << 7) | (self.volume & 0x3f), high, low]
    }
}
