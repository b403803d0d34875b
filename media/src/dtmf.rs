//! Digits as telephone events (RFC 4733), both ways.

use core::time::Duration;
use sidetone_hal::time::Instant;

/// Octets of an event's payload (§2.3).
pub const PAYLOAD: usize = 4;
/// The clock of events, in ticks a second: that of the speech they come with.
const CLOCK: u32 = 8000;
/// The longest duration that an event can say; a longer one goes on in another segment (§2.5.1.3).
const LONGEST: u32 = 0xffff;
/// How often the end is sent (§2.5.1.4).
const ENDS: u8 = 3;
/// Silence between two digits.
const PAUSE: u32 = CLOCK * 60 / 1000;
/// Digits that may wait to be sent.
const QUEUE: usize = 32;
/// The end of an event is taken to be lost when nothing of it came for this long: three updates of 50 ms.
const LOST_END: Duration = Duration::from_millis(150);
/// Power that we send with, in -dBm0.
const VOLUME: u8 = 10;

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
    /// What; 0 to 15 are digits.
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

/// One event packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// The RTP timestamp: the beginning of the event or of its segment.
    pub timestamp: u32,
    /// The RTP marker: the first packet of an event.
    pub marker: bool,
    /// The payload.
    pub event: Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Idle,
    /// A digit sounds since `start`, for `length` ticks in all.
    Tone {
        code: u8,
        start: u32,
        length: u32,
        first: bool,
    },
    /// It is over, and its end is to be sent `left` times more; then it is quiet until `until`.
    End {
        packet: EventPacket,
        left: u8,
        until: u32,
    },
}

/// Sends digits, one after the other.
#[derive(Clone, Debug)]
pub struct DtmfSender {
    queue: [(u8, u32); QUEUE],
    queued: usize,
    sending: Sending,
}

impl DtmfSender {
    /// A sender with nothing to send.
    #[must_use]
    pub const fn new() -> Self {
        Self { queue: [(0, 0); QUEUE], queued: 0, sending: Sending::Idle }
    }

    /// Queues a digit that lasts `duration`, 40 ms at least; false if it is no digit or 32 wait already.
    pub fn push(&mut self, digit: char, duration: Duration) -> bool {
        let Some(code) = event_of(digit) else { return false };
        let Some(slot) = self.queue.get_mut(self.queued) else { return false };
        let millis = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).clamp(40, 60_000);
        *slot = (code, millis * (CLOCK / 1000));
        self.queued += 1;
        true
    }

    /// Whether digits sound or wait; speech is not sent then.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.sending != Sending::Idle || self.queued > 0
    }

    /// Forgets all digits.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// The packet for the stretch of speech from `from` to `to` (timestamps): while a digit sounds its update,
    /// after it its end, in a pause nothing.
    pub fn packet(&mut self, from: u32, to: u32) -> Option<EventPacket> {
        if self.sending == Sending::Idle {
            let (code, length) = self.pop()?;
            self.sending = Sending::Tone { code, start: from, length, first: true };
        }
        match self.sending {
            Sending::Idle => None,
            Sending::Tone { code, start, length, first } => {
                let lasted = to.wrapping_sub(start);
                let segment_over = lasted > LONGEST && length > LONGEST;
                let over = lasted >= length;
                let duration = lasted.min(length).min(LONGEST) as u16;
                let event = Event { code, end: over && !segment_over, volume: VOLUME, duration };
                let packet = EventPacket { timestamp: start, marker: first, event };
                self.sending = if segment_over {
                    let start = start.wrapping_add(LONGEST);
                    Sending::Tone { code, start, length: length - LONGEST, first: false }
                } else if over {
                    let until = start.wrapping_add(length).wrapping_add(PAUSE);
                    Sending::End { packet: EventPacket { marker: false, ..packet }, left: ENDS - 1, until }
                } else {
                    Sending::Tone { code, start, length, first: false }
                };
                Some(packet)
            }
            Sending::End { packet, left, until } => {
                let quiet = (to.wrapping_sub(until) as i32) < 0;
                let left_after = left.saturating_sub(1);
                self.sending = if left_after == 0 && !quiet {
                    Sending::Idle
                } else {
                    Sending::End { packet, left: left_after, until }
                };
                (left > 0).then_some(packet)
            }
        }
    }

    fn pop(&mut self) -> Option<(u8, u32)> {
        let first = *self.queue.get(..self.queued)?.first()?;
        self.queue.rotate_left(1);
        self.queued -= 1;
        Some(first)
    }
}

impl Default for DtmfSender {
    fn default() -> Self {
        Self::new()
    }
}

/// A digit that came, and is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub digit: char,
    /// How long it sounded, as far as was heard.
    pub duration: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Receiving {
    timestamp: u32,
    code: u8,
    /// Ticks of the segments before this one.
    before: u32,
    duration: u16,
    heard: Instant,
    over: bool,
}

/// Receives digits: each once, however often its packets come.
#[derive(Clone, Debug, Default)]
pub struct DtmfReceiver {
    current: Option<Receiving>,
}

impl DtmfReceiver {
    /// A receiver that has heard nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { current: None }
    }

    /// Takes an event packet; returns the digit that is over with it. That may be the one before, if its end
    /// was lost; the new one's turn comes with its own end.
    pub fn receive(&mut self, now: Instant, timestamp: u32, payload: &[u8]) -> Option<Digit> {
        let event = Event::parse(payload).filter(|event| digit_of(event.code).is_some())?;
        let fresh = Receiving {
            timestamp,
            code: event.code,
            before: 0,
            duration: event.duration,
            heard: now,
            over: false,
        };
        let mut lost = None;
        let current = match &mut self.current {
            Some(current) if current.timestamp == timestamp => current,
            Some(current) => {
                let step = timestamp.wrapping_sub(current.timestamp);
                if step > i32::MAX as u32 {
                    // From before: reordered, and told of already.
                    return None;
                }
                if !current.over && step == LONGEST && current.code == event.code {
                    let before = current.before + LONGEST;
                    *current = Receiving { before, ..fresh };
                } else {
                    lost = current.finish();
                    *current = fresh;
                }
                current
            }
            None => self.current.insert(fresh),
        };
        current.heard = now;
        current.duration = current.duration.max(event.duration);
        // If this packet ends a digit while it makes up for the lost end of another, its repetition is heard.
        if event.end && lost.is_none() { current.finish() } else { lost }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.current.filter(|current| !current.over).map(|current| current.heard + LOST_END)
    }

    /// Returns the digit whose end was lost.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Digit> {
        self.poll_timeout().filter(|at| *at <= now)?;
        self.current.as_mut()?.finish()
    }
}

impl Receiving {
    fn finish(&mut self) -> Option<Digit> {
        if core::mem::replace(&mut self.over, true) {
            return None;
        }
        let ticks = u64::from(self.before) + u64::from(self.duration);
        let duration = Duration::from_micros(ticks * 1_000_000 / u64::from(CLOCK));
        Some(Digit { digit: digit_of(self.code)?, duration })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_hal::rng::Rng;

    /// What a sender with packets of 20 ms sends until it is done.
    fn sent(digits: &str, duration: Duration) -> Vec<(u32, EventPacket)> {
        let mut sender = DtmfSender::new();
        assert!(digits.chars().all(|digit| sender.push(digit, duration)));
        let (mut packets, mut stamp) = (Vec::new(), 1000_u32);
        while sender.is_busy() {
            packets.extend(sender.packet(stamp, stamp + 160).map(|packet| (stamp, packet)));
            stamp += 160;
        }
        packets
    }

    #[test]
    fn a_digit_is_five_updates_the_last_an_end_that_is_repeated_twice() {
        let packets: Vec<_> =
            sent("5", Duration::from_millis(100)).into_iter().map(|(_, packet)| packet).collect();
        assert!(packets.iter().all(|packet| packet.timestamp == 1000 && packet.event.code == 5));
        let said: Vec<_> = packets.iter().map(|p| (p.marker, p.event.end, p.event.duration)).collect();
        assert_eq!(
            said,
            [
                (true, false, 160),
                (false, false, 320),
                (false, false, 480),
                (false, false, 640),
                (false, true, 800),
                (false, true, 800),
                (false, true, 800)
            ]
        );
        assert_eq!(packets[4].event.to_bytes(), [5, 0x8a, 3, 32]);
        assert_eq!(Event::parse(&packets[4].event.to_bytes()), Some(packets[4].event));
    }

    #[test]
    fn two_digits_are_apart_by_a_pause() {
        let packets = sent("11", Duration::from_millis(40));
        let begins: Vec<u32> = packets.iter().filter(|(_, p)| p.marker).map(|(at, _)| *at).collect();
        assert_eq!(begins.len(), 2);
        assert!(begins[1] - begins[0] >= 320 + PAUSE);
    }

    #[test]
    fn all_sixteen_are_known_and_no_other() {
        for (code, digit) in "0123456789*#ABCD".chars().enumerate() {
            assert_eq!((event_of(digit), digit_of(code as u8)), (Some(code as u8), Some(digit)));
        }
        assert_eq!((event_of('d'), event_of('E'), event_of(' ')), (Some(15), None, None));
        let mut sender = DtmfSender::new();
        assert!(!sender.push('x', Duration::from_millis(100)));
        assert_eq!((0..40).filter(|_| sender.push('1', Duration::ZERO)).count(), 32);
    }

    #[test]
    fn a_long_digit_goes_on_in_segments_and_is_heard_as_one() {
        let mut receiver = DtmfReceiver::new();
        let packets = sent("7", Duration::from_secs(20));
        assert_eq!(packets.iter().filter(|(_, p)| p.marker).count(), 1);
        let mut heard = Vec::new();
        for (at, packet) in &packets {
            let now = Instant::from_millis(u64::from(*at) / 8);
            heard.extend(receiver.receive(now, packet.timestamp, &packet.event.to_bytes()));
        }
        assert_eq!(heard, [Digit { digit: '7', duration: Duration::from_secs(20) }]);
    }

    #[test]
    fn every_digit_is_heard_once_whatever_the_network_does() {
        let digits = "0123456789*#ABCD1122";
        for seed in 0..200 {
            let mut rng = Rng::from_u64(seed);
            let mut arrivals = Vec::new();
            for (at, packet) in sent(digits, Duration::from_millis(80)) {
                for _ in 0..=u32::from(rng.chance(0.1)) {
                    if !rng.chance(0.1) {
                        arrivals.push((u64::from(at) / 8 + u64::from(rng.below(40)), packet));
                    }
                }
            }
            arrivals.sort_by_key(|(at, _)| *at);
            let mut receiver = DtmfReceiver::new();
            let mut heard = String::new();
            for (at, packet) in arrivals {
                let now = Instant::from_millis(at);
                heard.extend(receiver.handle_timeout(now).map(|digit| digit.digit));
                let digit = receiver.receive(now, packet.timestamp, &packet.event.to_bytes());
                heard.extend(digit.map(|digit| digit.digit));
            }
            heard.extend(receiver.handle_timeout(Instant::MAX).map(|digit| digit.digit));
            assert_eq!(heard, digits, "seed {seed}");
        }
    }

    #[test]
    fn a_lost_end_is_made_up_for_and_a_late_one_not_heard_again() {
        let mut receiver = DtmfReceiver::new();
        let update = Event { code: 3, end: false, volume: 10, duration: 400 };
        assert_eq!(receiver.receive(Instant::from_millis(50), 9, &update.to_bytes()), None);
        assert_eq!(receiver.poll_timeout(), Some(Instant::from_millis(200)));
        assert_eq!(receiver.handle_timeout(Instant::from_millis(199)), None);
        let digit = Digit { digit: '3', duration: Duration::from_millis(50) };
        assert_eq!(receiver.handle_timeout(Instant::from_millis(200)), Some(digit));
        let end = Event { end: true, ..update };
        assert_eq!(receiver.receive(Instant::from_millis(210), 9, &end.to_bytes()), None);
        assert_eq!(receiver.poll_timeout(), None);
        assert_eq!(receiver.receive(Instant::from_millis(220), 10, &[16, 0x80, 0, 9]), None);
        assert_eq!(receiver.receive(Instant::from_millis(220), 10, &[1, 0x80, 0]), None);
    }
}
