//! Packets that repeat what was in those before (RFC 2198), so that a loss costs nothing.
//!
//! [`RedundantSender`] puts the payloads of one or two packets before into each packet; [`blocks`] takes them out again.
//! Whether it is spoken, and under which payload type, offer and answer say (`red`, see
//! [`Redundancy`](crate::sdp::Redundancy)).

/// The most packets back that are repeated.
pub const MAX_GENERATIONS: usize = 2;
/// Octets of a payload that can be repeated: what ten bits can say.
const MAX_BLOCK: usize = 1023;
/// Ticks that a repeated payload can be back: what fourteen bits can say.
const MAX_OFFSET: u32 = 0x3fff;
/// Octets of the header of a repeated block, and of the primary one.
const HEADER: usize = 4;
const PRIMARY_HEADER: usize = 1;
/// Blocks of a packet that are read.
const MAX_BLOCKS: usize = 8;

/// One of the payloads of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The format of the payload.
    pub payload_type: u8,
    /// Ticks before the packet's timestamp; 0 for the primary block.
    pub offset: u32,
    /// How many blocks it stands before the primary one: as a rule, how many packets it is back. 0 for the primary one.
    pub back: u8,
    /// The payload.
    pub payload: &'a [u8],
}

/// Why a payload is no list of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedundancyError {
    /// It ends within the headers.
    #[error("a redundant payload of {got} octets ends within its headers")]
    Headers {
        /// Octets of the payload.
        got: usize,
    },
    /// The blocks are longer than what there is.
    #[error("a redundant payload announces {needed} octets of blocks, {got} are there")]
    Blocks {
        /// What the headers announce.
        needed: usize,
        /// What follows them.
        got: usize,
    },
    /// There are more blocks than anybody sends.
    #[error("a redundant payload with more than {0} blocks")]
    TooMany(usize),
}

/// The blocks of a payload, the oldest first (RFC 2198 §3).
///
/// # Errors
/// The payload is no list of blocks.
pub fn blocks(payload: &[u8]) -> Result<impl Iterator<Item = Block<'_>>, RedundancyError> {
    let cut = RedundancyError::Headers { got: payload.len() };
    let (mut rest, mut count, mut announced) = (payload, 0, 0);
    let primary = loop {
        let (&first, after) = rest.split_first().ok_or(cut)?;
        if first & 0x80 == 0 {
            rest = after;
            break first;
        }
        let ([_, _, high, low], after) = rest.split_first_chunk::<HEADER>().ok_or(cut)?;
        announced += length(*high, *low);
        count += 1;
        rest = after;
        if count == MAX_BLOCKS {
            return Err(RedundancyError::TooMany(MAX_BLOCKS));
        }
    };
    if announced > rest.len() {
        return Err(RedundancyError::Blocks { needed: announced, got: rest.len() });
    }
    let (mut headers, mut data, mut back) = (payload, rest, count);
    Ok(core::iter::from_fn(move || {
        let ([first, second, high, low], after) =
            headers.split_first_chunk::<HEADER>().filter(|_| back > 0)?;
        let (payload, rest) = data.split_at_checked(length(*high, *low))?;
        let offset = u32::from(*second) << 6 | u32::from(*high) >> 2;
        let block = Block { payload_type: first & 0x7f, offset, back: back as u8, payload };
        (headers, data, back) = (after, rest, back - 1);
        Some(block)
    })
    .chain(core::iter::once_with(move || Block {
        payload_type: primary,
        offset: 0,
        back: 0,
        payload: rest.get(announced..).unwrap_or_default(),
    })))
}

const fn length(high: u8, low: u8) -> usize {
    ((high as usize & 3) << 8) | low as usize
}

/// Remembers the payloads that were sent, and repeats them.
#[derive(Clone, Debug)]
pub struct RedundantSender {
    generations: usize,
    /// The newest first.
    sent: [Sent; MAX_GENERATIONS],
}

#[derive(Clone, Debug)]
struct Sent {
    payload_type: u8,
    timestamp: u32,
    /// The packet's number; none if there is nothing to repeat.
    sequence: Option<u16>,
    length: usize,
    octets: Box<[u8]>,
}

impl RedundantSender {
    /// Repeats up to `generations` packets, of 1 to [`MAX_GENERATIONS`].
    #[must_use]
    pub fn new(generations: u8) -> Self {
        let octets = vec![0; MAX_BLOCK].into_boxed_slice();
        let empty = Sent { payload_type: 0, timestamp: 0, sequence: None, length: 0, octets };
        let generations = usize::from(generations).clamp(1, MAX_GENERATIONS);
        Self { generations, sent: core::array::from_fn(|_| empty.clone()) }
    }

    /// Forgets what was sent: another source or clock begins.
    pub fn reset(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.sequence = None);
    }

    /// Writes the payload of packet `sequence` into `out`: `payload`, with what is repeated before it; returns its
    /// octets, or nothing if even `payload` alone does not fit. What does not fit beside it, is too long or too far
    /// back, or did not go out in the packets right before, is not repeated.
    pub fn write(
        &mut self,
        payload_type: u8,
        sequence: u16,
        timestamp: u32,
        payload: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let mut room = out.len().checked_sub(PRIMARY_HEADER + payload.len())?;
        // Of the newest on as many as fit; a receiver counts back by the place in the list, so none may be left out.
        let mut count = 0;
        for (back, sent) in (1_u16..).zip(self.sent.iter().take(self.generations)) {
            let follows = sent.sequence == Some(sequence.wrapping_sub(back));
            let near = timestamp.wrapping_sub(sent.timestamp) <= MAX_OFFSET;
            match room.checked_sub(HEADER + sent.length).filter(|_| follows && near) {
                Some(left) => (room, count) = (left, count + 1),
                None => break,
            }
        }
        let mut writer = Cursor { rest: &mut *out, written: 0 };
        let repeated = || self.sent.iter().take(count).rev();
        for sent in repeated() {
            let offset = timestamp.wrapping_sub(sent.timestamp);
            let word = offset << 10 | sent.length as u32;
            let [_, a, b, c] = word.to_be_bytes();
            writer.put(&[0x80 | sent.payload_type, a, b, c])?;
        }
        writer.put(&[payload_type & 0x7f])?;
        for sent in repeated() {
            writer.put(sent.octets.get(..sent.length)?)?;
        }
        writer.put(payload)?;
        let written = writer.written;
        self.remember(payload_type, sequence, timestamp, payload);
        Some(written)
    }

    fn remember(&mut self, payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.sent.rotate_right(1);
        let [newest, ..] = &mut self.sent;
        let place = newest.octets.get_mut(..payload.len());
        newest.sequence = place.is_some().then_some(sequence);
        if let Some(place) = place {
            place.copy_from_slice(payload);
        }
        (newest.payload_type, newest.timestamp, newest.length) =
            (payload_type & 0x7f, timestamp, payload.len());
    }
}

struct Cursor<'a> {
    rest: &'a mut [u8],
    written: usize,
}

impl Cursor<'_> {
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        let (place, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(octets.len())?;
        place.copy_from_slice(octets);
        self.written += octets.len();
        self.rest = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(payload: &[u8]) -> Vec<(u8, u32, u8, Vec<u8>)> {
        let blocks = blocks(payload).unwrap();
        blocks.map(|block| (block.payload_type, block.offset, block.back, block.payload.to_vec())).collect()
    }

    #[test]
    fn the_layout_is_that_of_the_rfc() {
        // RFC 2198 §4: a secondary block of LPC (7) 320 ticks back with 14 octets, a primary one of DVI4 (5).
        let mut payload = vec![0x87, 0x05, 0x00, 14, 0x05];
        payload.extend([7; 14]);
        payload.extend([5; 84]);
        assert_eq!(list(&payload), [(7, 320, 1, vec![7; 14]), (5, 0, 0, vec![5; 84])]);
        let mut sender = RedundantSender::new(1);
        let mut out = [0; 200];
        sender.write(7, 9, 1000, &[7; 14], &mut out).unwrap();
        let octets = sender.write(5, 10, 1320, &[5; 84], &mut out).unwrap();
        assert_eq!(out[..octets], payload);
    }

    #[test]
    fn two_generations_are_repeated_while_they_follow_each_other() {
        let mut sender = RedundantSender::new(2);
        let mut out = [0; 300];
        let mut write = |sequence: u16, timestamp, payload: &[u8]| {
            let octets = sender.write(0, sequence, timestamp, payload, &mut out).unwrap();
            list(&out[..octets])
        };
        assert_eq!(write(65_534, 0, &[1]).len(), 1);
        assert_eq!(write(65_535, 160, &[2]).len(), 2);
        assert_eq!(write(0, 320, &[3]), [(0, 320, 2, vec![1]), (0, 160, 1, vec![2]), (0, 0, 0, vec![3])]);
        // A packet that went out otherwise is in between: what came before it cannot be placed.
        assert_eq!(write(2, 640, &[5]).len(), 1);
        // After a long pause what was before it is too far back.
        assert_eq!(write(3, 640 + 20_000, &[6]).len(), 1);
        assert_eq!(write(4, 640 + 20_160, &[7]).len(), 2);
    }

    #[test]
    fn what_does_not_fit_is_not_repeated() {
        let mut sender = RedundantSender::new(2);
        sender.write(0, 1, 0, &[1; 100], &mut [0; 400]).unwrap();
        sender.write(0, 2, 160, &[2; 100], &mut [0; 400]).unwrap();
        let mut out = [0; 210];
        let octets = sender.write(0, 3, 320, &[3; 100], &mut out).unwrap();
        assert_eq!((octets, list(&out[..octets]).len()), (205, 2));
        assert_eq!(sender.write(0, 4, 480, &[3; 100], &mut [0; 100]), None);
        // Too long for the ten bits.
        sender.write(0, 5, 640, &[9; 1100], &mut [0; 2000]).unwrap();
        let mut out = [0; 2000];
        assert_eq!(sender.write(0, 6, 800, &[3], &mut out), Some(2));
    }

    #[test]
    fn broken_lists_are_refused() {
        assert_eq!(blocks(&[]).err(), Some(RedundancyError::Headers { got: 0 }));
        assert_eq!(blocks(&[0x80, 0, 0]).err(), Some(RedundancyError::Headers { got: 3 }));
        assert_eq!(
            blocks(&[0x80, 0, 0, 5, 0, 1, 2]).err(),
            Some(RedundancyError::Blocks { needed: 5, got: 2 })
        );
        assert_eq!(blocks(&[0x80; 100]).err(), Some(RedundancyError::TooMany(8)));
        assert_eq!(list(&[0x05]), [(5, 0, 0, vec![])]);
    }

    proptest! {
        #[test]
        fn any_payload_is_read_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(blocks) = blocks(&payload) {
                let all: Vec<_> = blocks.collect();
                let sum: usize = all.iter().map(|block| block.payload.len()).sum();
                prop_assert_eq!(sum + HEADER * (all.len() - 1) + PRIMARY_HEADER, payload.len());
            }
        }

        #[test]
        fn every_packet_repeats_those_before_it(
            lengths in proptest::collection::vec(0_usize..300, 1..40), generations in 1_u8..4, first in any::<u16>(),
            room in 1_usize..1000,
        ) {
            let mut sender = RedundantSender::new(generations);
            let mut out = vec![0; room];
            let payload = |i: usize| vec![i as u8; lengths[i]];
            for (i, length) in lengths.iter().enumerate() {
                let sequence = first.wrapping_add(i as u16);
                let Some(octets) = sender.write(8, sequence, i as u32 * 160, &payload(i), &mut out) else {
                    prop_assert!(length + 1 > room);
                    continue;
                };
                for block in blocks(&out[..octets]).unwrap() {
                    let back = usize::from(block.back);
                    prop_assert_eq!(block.offset, back as u32 * 160);
                    prop_assert_eq!(block.payload, &payload(i - back)[..]);
                }
            }
        }
    }
}
