//! The browser as a handset: two bounded rings between a WebSocket's task and the sound's task. Nobody waits for the other.

use super::playout::Playout;
use super::{FORMAT, FRAME_SAMPLES};
use rtrb::{Consumer, Producer, RingBuffer};
use sidetone_hal::audio::{AudioFormat, AudioPort};
use std::sync::Arc;
use tokio::sync::Notify;

/// Samples that a ring holds: half a second.
const RING: usize = 50 * FRAME_SAMPLES;
/// A message of the WebSocket: 20 ms.
const MESSAGE_SAMPLES: usize = 2 * FRAME_SAMPLES;

/// The sound task's end: an audio port.
#[derive(Debug)]
pub struct HandsetEnd {
    microphone: Playout,
    ear: Producer<i16>,
    wake: Arc<Notify>,
}

/// The WebSocket task's end.
#[derive(Debug)]
pub struct BrowserEnd {
    microphone: Producer<i16>,
    ear: Consumer<i16>,
    wake: Arc<Notify>,
}

/// Both ends of a handset. While no browser is there, the microphone is silent and what the ear should hear is dropped.
#[must_use]
pub fn handset() -> (HandsetEnd, BrowserEnd) {
    let (to_phone, from_browser) = RingBuffer::new(RING);
    let (to_browser, from_phone) = RingBuffer::new(RING);
    let wake = Arc::new(Notify::new());
    // Messages of 20 ms arrive from a page that may be busy for a moment: begin with 40 ms.
    let microphone = Playout::new(from_browser, FRAME_SAMPLES, 4 * FRAME_SAMPLES);
    (
        HandsetEnd { microphone, ear: to_browser, wake: wake.clone() },
        BrowserEnd { microphone: to_phone, ear: from_phone, wake },
    )
}

impl AudioPort for HandsetEnd {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn read(&mut self, captured: &mut [i16]) {
        self.microphone.read(captured);
    }

    fn write(&mut self, playout: &[i16]) {
        for sample in playout {
            // A full ring means that no browser listens.
            let _ = self.ear.push(*sample);
        }
        let stored = self.ear.buffer().capacity() - self.ear.slots();
        if stored >= MESSAGE_SAMPLES {
            self.wake.notify_one();
        }
    }
}

impl BrowserEnd {
    /// Takes a message from the browser: 16-bit little-endian samples. What does not fit is dropped; an odd byte is ignored.
    pub fn hear(&mut self, message: &[u8]) {
        for bytes in message.as_chunks::<2>().0 {
            if self.microphone.push(i16::from_le_bytes(*bytes)).is_err() {
                return;
            }
        }
    }

    /// Throws away sound for the ear that is older than this moment.
    pub fn flush(&mut self) {
        if let Ok(chunk) = self.ear.read_chunk(self.ear.slots()) {
            chunk.commit_all();
        }
    }

    /// The next message for the ear, 20 ms of 16-bit little-endian samples. Cancel-safe.
    pub async fn speak(&mut self) -> Vec<u8> {
        while self.ear.slots() < MESSAGE_SAMPLES {
            self.wake.notified().await;
        }
        // A browser that fell behind gets the newest sound.
        let late = self.ear.slots().saturating_sub(25 * FRAME_SAMPLES);
        if let Ok(chunk) = self.ear.read_chunk(late) {
            chunk.commit_all();
        }
        let mut message = Vec::with_capacity(2 * MESSAGE_SAMPLES);
        while message.len() < 2 * MESSAGE_SAMPLES {
            message.extend_from_slice(&self.ear.pop().unwrap_or_default().to_le_bytes());
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sound_goes_both_ways_in_little_endian() {
        let (mut phone, mut browser) = handset();
        let message: Vec<u8> = (0..320_i16).flat_map(|sample| (sample - 80).to_le_bytes()).collect();
        browser.hear(&message);
        browser.hear(&message);
        let mut frame = [0; FRAME_SAMPLES];
        phone.read(&mut frame);
        assert_eq!((frame[0], frame[159]), (-80, 79));
        phone.write(&[258; FRAME_SAMPLES]);
        phone.write(&[-2; FRAME_SAMPLES]);
        let heard = browser.speak().await;
        assert_eq!((heard.len(), &heard[..2], &heard[638..]), (640, &[2, 1][..], &[0xfe, 0xff][..]));
    }

    #[tokio::test]
    async fn a_browser_that_sleeps_or_floods_costs_no_memory_and_no_delay() {
        let (mut phone, mut browser) = handset();
        for value in 0..1000 {
            phone.write(&[value; FRAME_SAMPLES]);
            browser.hear(&[0; 2001]);
        }
        browser.flush();
        phone.write(&[3000; FRAME_SAMPLES]);
        phone.write(&[3000; FRAME_SAMPLES]);
        assert_eq!(browser.speak().await[..2], 3000_i16.to_le_bytes());
        // Behind by half a second: it gets the last quarter only.
        for value in 0..50 {
            phone.write(&[value; FRAME_SAMPLES]);
        }
        let first = browser.speak().await;
        assert!(i16::from_le_bytes([first[0], first[1]]) >= 24, "{first:?}");
    }
}
