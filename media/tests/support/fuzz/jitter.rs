//! A jitter buffer between a network without shame and a sound card: every pull is filled, with sound between what the
//! decoder gives, and in the end it is quiet.

use sidetone_hal::time::{Duration, Instant};
use sidetone_media::jitter::{DelayLimits, Incoming, JitterBuffer, PayloadDecoder};

/// A sample an octet, all of one loudness; what is invented is softer.
struct Constant;

impl PayloadDecoder for Constant {
    fn decode(&mut self, codec: u8, payload: &[u8], pcm: &mut [i16]) -> usize {
        let length = if codec == 3 { 0 } else { payload.len().min(pcm.len()) };
        pcm[..length].fill(1000);
        length
    }

    fn conceal(&mut self, wanted: usize, pcm: &mut [i16]) -> usize {
        let length = wanted.next_multiple_of(80).min(pcm.len());
        pcm[..length].fill(500);
        length
    }
}

/// Two octets a step: what, and how much.
pub fn run(data: &[u8]) {
    let mut buffer = JitterBuffer::new(8000, DelayLimits::default());
    let (mut now, mut sequence, mut timestamp) = (Instant::from_millis(1000), 1000_u64, 0_u32);
    for step in data.as_chunks().0 {
        let &[what, how] = step;
        let much = u32::from(how);
        match what & 7 {
            0..=2 => {
                let length = [160, 80, 240, 0, 1, 480, 33, 4000][usize::from(how & 7)];
                let back = u32::from(how >> 3 & 3);
                let packet = Incoming {
                    sequence: sequence - u64::from(back),
                    timestamp: timestamp.wrapping_sub(back * 160),
                    clock: if how & 0x40 == 0 { 8000 } else { 16_000 },
                    codec: what >> 3 & 3,
                    marker: how & 0x80 != 0,
                    recovered: what & 0x80 != 0,
                    payload: &[0; 4000][..length],
                };
                buffer.insert(now, &packet);
                sequence += 1;
                timestamp = timestamp.wrapping_add(length as u32);
            }
            3 | 4 => {
                let length = if what & 8 == 0 { 80 } else { usize::from(how).min(160) };
                hear(&mut buffer, &mut now, length);
            }
            5 => (0..how & 31).for_each(|_| hear(&mut buffer, &mut now, 80)),
            6 => sequence += u64::from(much),
            _ => match what >> 3 & 3 {
                0 => timestamp = timestamp.wrapping_add(much << 20),
                1 => buffer.change_source(),
                2 => buffer.note_other(),
                _ => buffer.restart(),
            },
        }
        let _ = buffer.current_delay(now);
        let stats = buffer.stats();
        // A codec's frame is invented as a whole, and may not be heard to its end yet. (What a sender's clock leaves out
        // while it is quiet may count as lost: both may be more than was pulled.)
        assert!(stats.concealed <= stats.played + 160, "{stats:?}");
    }
    // What waits is heard, or given up, and then it is quiet. A sender that lies can put each of the packets that are held
    // a quarter of a second behind the one before.
    for _ in 0..4000 {
        if buffer.position().is_some() {
            hear(&mut buffer, &mut now, 80);
        }
    }
    assert_eq!(buffer.position(), None);
}

/// So many samples at the sound card.
fn hear(buffer: &mut JitterBuffer, now: &mut Instant, length: usize) {
    let mut out = [-1; 160];
    buffer.pull(*now, &mut Constant, &mut out[..length]);
    assert!(out[..length].iter().all(|sample| (0..=1000).contains(sample)), "{out:?}");
    assert!(out[length..].iter().all(|sample| *sample == -1));
    *now += Duration::from_micros(length as u64 * 125);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let even = [[0, 0], [3, 0], [3, 0]].repeat(20).concat();
    let late = [&even[..60], &[5, 90], &[0, 0].repeat(5), &[3, 0].repeat(12), &even[..30]].concat();
    let lost = [&even[..30], &[6, 3], &even[..30], &[7, 8], &even[..30]].concat();
    // Something far ahead that says it was sent again: it was never played, and speech was invented until then.
    let ahead = vec![0, 0x29, 1, 0x27, 0x27, 0x37, 0xf0, 0];
    vec![even, late, lost, ahead]
}
