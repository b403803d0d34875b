//! Sending digits as tones in the speech (ITU-T Q.23).

use super::detect::{HIGH, KEYS, LOW};
use super::event::event_of;
use crate::tone::{Element, Generator, ToneList, Voice};
use core::time::Duration;

/// Digits that may wait to be sent.
const QUEUE: usize = 32;

/// How digits sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InbandConfig {
    /// The level of the low tone, in dBm0.
    pub level: f32,
    /// How much stronger the high tone is, in dB: lines dampen it more.
    pub twist: f32,
    /// Silence between two digits.
    pub gap: Duration,
}

impl Default for InbandConfig {
    /// -10 dBm0, 2 dB, 60 ms.
    fn default() -> Self {
        Self { level: -10.0, twist: 2.0, gap: Duration::from_millis(60) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// A digit of a given length, and the pause after it.
    Digit,
    Held,
    Released,
}

/// Sounds digits, one after the other, in place of the speech.
#[derive(Clone, Debug)]
pub struct InbandSender {
    config: InbandConfig,
    generator: Generator,
    state: State,
    /// Digits, and how long in milliseconds; 0 until the key is let go.
    queue: [(char, u32); QUEUE],
    queued: usize,
}

impl InbandSender {
    /// A sender for samples of this rate with nothing to send.
    #[must_use]
    pub fn new(sample_rate: u32, config: InbandConfig) -> Self {
        let generator = Generator::with_level(ToneList::SILENCE, sample_rate, config.level);
        Self { config, generator, state: State::Idle, queue: [('0', 0); QUEUE], queued: 0 }
    }

    /// Queues a digit that lasts `duration`, 40 ms to 60 s; false if it is no digit or 32 wait already.
    pub fn push(&mut self, digit: char, duration: Duration) -> bool {
        let millis = duration.as_millis().clamp(40, 60_000) as u32;
        self.queue(digit, millis)
    }

    /// Queues a digit that lasts until [`release`](Self::release); false if it is no digit, 32 wait already, or
    /// another key is held.
    pub fn press(&mut self, digit: char) -> bool {
        let held = self.queue.iter().take(self.queued).any(|(_, millis)| *millis == 0);
        !held && self.state != State::Held && self.queue(digit, 0)
    }

    /// The key that is held is let go.
    pub fn release(&mut self) {
        if self.state == State::Held {
            self.generator.stop();
            self.state = State::Released;
        }
        for (_, millis) in self.queue.iter_mut().take(self.queued).filter(|(_, millis)| *millis == 0) {
            *millis = 40;
        }
    }

    fn queue(&mut self, digit: char, millis: u32) -> bool {
        let slot = self.queue.get_mut(self.queued).filter(|_| event_of(digit).is_some());
        let Some(slot) = slot else { return false };
        *slot = (digit, millis);
        self.queued += 1;
        true
    }

    /// Whether digits sound or wait.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.state != State::Idle || self.queued > 0
    }

    /// Forgets the digits that wait, and ends the one that sounds.
    pub fn clear(&mut self) {
        self.queued = 0;
        self.generator.stop();
        if self.state != State::Idle {
            self.state = State::Released;
        }
    }

    /// Puts what sounds in place of the speech in `pcm`; leaves it as it is, and returns false, when there is nothing. A
    /// digit begins where a frame does: pauses are up to a frame longer than asked for.
    pub fn fill(&mut self, pcm: &mut [i16]) -> bool {
        if self.state == State::Idle {
            let Some((digit, millis)) = self.pop() else { return false };
            let gap = if millis > 0 { self.config.gap } else { Duration::ZERO };
            self.state = if millis > 0 { State::Digit } else { State::Held };
            self.generator.play(self.digit(digit, millis, gap));
        }
        if !self.generator.fill(pcm) {
            if self.state == State::Released {
                self.generator.play(self.pause());
                self.state = State::Digit;
            } else {
                self.state = State::Idle;
            }
        }
        true
    }

    fn digit(&self, digit: char, millis: u32, gap: Duration) -> ToneList {
        let mut list = dtmf_tone(digit, millis, self.config.twist);
        let gap = gap.as_millis() as u32;
        if gap > 0 {
            // Two elements fit.
            let _ = list.push(Element::silence(gap).with_once(true));
        }
        list
    }

    fn pause(&self) -> ToneList {
        let gap = (self.config.gap.as_millis() as u32).max(1);
        ToneList::new(&[Element::silence(gap).with_once(true)]).unwrap_or_default()
    }

    fn pop(&mut self) -> Option<(char, u32)> {
        let first = *self.queue.get(..self.queued)?.first()?;
        self.queue.rotate_left(1);
        self.queued -= 1;
        Some(first)
    }
}

/// A digit's two frequencies, heard once for `millis` (0: without end), the high one stronger by `twist` dB; silence for
/// what is no digit.
#[must_use]
pub fn dtmf_tone(digit: char, millis: u32, twist: f32) -> ToneList {
    let column = |row: &[u8; 4]| row.iter().position(|code| Some(*code) == event_of(digit));
    let frequencies = KEYS.iter().zip(LOW).find_map(|(row, low)| Some((low, *HIGH.get(column(row)?)?)));
    let Some((low, high)) = frequencies else { return ToneList::SILENCE };
    let voices = [Voice::new(low), Voice { hertz: high, gain: twist }];
    let element = Element::new(&voices, millis).map(|element| element.with_once(true));
    element.and_then(|element| ToneList::new(&[element])).unwrap_or_default()
}
