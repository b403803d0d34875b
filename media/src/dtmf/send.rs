//! Sending digits and other events (RFC 4733 §2.5.1).

use super::event::{CLOCK, Event, LONGEST, event_of};
use core::time::Duration;

/// Events that may wait to be sent.
const QUEUE: usize = 32;
/// The shortest digit that a receiver must hear (ITU-T Q.24).
const SHORTEST: Duration = Duration::from_millis(40);
/// The longest digit of a given length.
const MOST: Duration = Duration::from_secs(60);
/// The length of an event that lasts until its key is let go.
const HELD: u32 = u32::MAX;

/// How events are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfSendConfig {
    /// Ticks a second of the payload type that is sent: that of the speech it goes with (§2.1).
    pub clock: u32,
    /// Power in -dBm0, 0 to 36 for digits (§2.3.4).
    pub volume: u8,
    /// How often the last packet is sent, 1 to 3 (§2.5.1.4 asks for three; Yealink's `features.dtmf.repetition`).
    pub ends: u8,
    /// Silence between two events (Panasonic's `DTMF_INTDIGIT_TIM`, 60 to 200 ms).
    pub gap: Duration,
}

impl Default for DtmfSendConfig {
    /// 8000 ticks, -10 dBm0, three ends, 60 ms.
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl DtmfSendConfig {
    const DEFAULT: Self = Self { clock: CLOCK, volume: 10, ends: 3, gap: Duration::from_millis(60) };

    fn ticks(&self, duration: Duration) -> u32 {
        let micros = duration.min(MOST).as_micros() as u64;
        u32::try_from(micros * u64::from(self.clock) / 1_000_000).unwrap_or(HELD - 1)
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
    /// An event since `start`, for `length` ticks in all, of which `lasted` were told.
    Tone {
        code: u8,
        start: u32,
        length: u32,
        lasted: u32,
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
    config: DtmfSendConfig,
    queue: [(u8, u32); QUEUE],
    queued: usize,
    sending: Sending,
}

impl DtmfSender {
    /// A sender with the usual settings and nothing to send.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_config(DtmfSendConfig::DEFAULT)
    }

    /// A sender with nothing to send.
    #[must_use]
    pub const fn with_config(config: DtmfSendConfig) -> Self {
        Self { config, queue: [(0, 0); QUEUE], queued: 0, sending: Sending::Idle }
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &DtmfSendConfig {
        &self.config
    }

    /// Changes the settings, as a re-offer may. With another clock what waits or sounds is forgotten.
    pub fn set_config(&mut self, config: DtmfSendConfig) {
        if config.clock != self.config.clock {
            self.clear();
        }
        self.config = config;
    }

    /// Queues a digit that lasts `duration`, 40 ms to 60 s; false if it is no digit or 32 wait already.
    pub fn push(&mut self, digit: char, duration: Duration) -> bool {
        event_of(digit).is_some_and(|code| self.push_event(code, duration))
    }

    /// Queues any event that lasts `duration`, 40 ms to 60 s; false if 32 wait already.
    pub fn push_event(&mut self, code: u8, duration: Duration) -> bool {
        self.queue_ticks(code, self.config.ticks(duration.max(SHORTEST)))
    }

    /// Queues a digit that lasts until [`release`](Self::release); false if it is no digit, 32 wait already, or
    /// another key is held.
    pub fn press(&mut self, digit: char) -> bool {
        !self.is_held() && event_of(digit).is_some_and(|code| self.queue_ticks(code, HELD))
    }

    /// The key that is held is let go: its digit ends with the next packet, 40 ms after it began at the earliest.
    pub fn release(&mut self) {
        let shortest = self.config.ticks(SHORTEST);
        if let Sending::Tone { length, lasted, .. } = &mut self.sending
            && *length == HELD
        {
            *length = shortest.max(*lasted);
        }
        for (_, length) in self.queue.iter_mut().take(self.queued).filter(|(_, length)| *length == HELD) {
            *length = shortest;
        }
    }

    fn is_held(&self) -> bool {
        let sounds = matches!(self.sending, Sending::Tone { length: HELD, .. });
        sounds || self.queue.iter().take(self.queued).any(|(_, length)| *length == HELD)
    }

    fn queue_ticks(&mut self, code: u8, ticks: u32) -> bool {
        let Some(slot) = self.queue.get_mut(self.queued) else { return false };
        *slot = (code, ticks);
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
        (self.queued, self.sending) = (0, Sending::Idle);
    }

    /// The packet for the stretch of speech from `from` to `to` (timestamps): while a digit sounds its update,
    /// after it its end, in a pause nothing.
    pub fn packet(&mut self, from: u32, to: u32) -> Option<EventPacket> {
        if self.sending == Sending::Idle {
            let (code, length) = self.pop()?;
            self.sending = Sending::Tone { code, start: from, length, lasted: 0, first: true };
        }
        match self.sending {
            Sending::Idle => None,
            Sending::Tone { code, start, length, first, .. } => {
                let lasted = to.wrapping_sub(start);
                let segment_over = lasted > LONGEST && length > LONGEST;
                let over = lasted >= length;
                let duration = lasted.min(length).min(LONGEST) as u16;
                let event = Event { code, end: over && !segment_over, volume: self.config.volume, duration };
                let packet = EventPacket { timestamp: start, marker: first, event };
                self.sending = if segment_over {
                    let length = if length == HELD { HELD } else { length - LONGEST };
                    let start = start.wrapping_add(LONGEST);
                    Sending::Tone { code, start, length, lasted: lasted - LONGEST, first: false }
                } else if over {
                    let until = start.wrapping_add(length).wrapping_add(self.config.ticks(self.config.gap));
                    let left = self.config.ends.clamp(1, 3) - 1;
                    Sending::End { packet: EventPacket { marker: false, ..packet }, left, until }
                } else {
                    Sending::Tone { code, start, length, lasted, first: false }
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
