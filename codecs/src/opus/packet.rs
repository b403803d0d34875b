//! The packet around the frames: TOC octet, frame count and lengths (RFC 6716 §3).

use crate::CodecError;

/// The most frames in a packet: 120 ms of 2.5 ms.
const MOST_FRAMES: usize = 48;
/// The most octets in a frame (requirement R2).
const MOST_OCTETS: usize = 1275;
/// 120 ms at 48 kHz, the most that a packet may last (requirement R5).
const LONGEST: usize = 5760;

const TRUNCATED: &str = "an Opus packet whose frames fill it (RFC 6716 §3.2)";

/// A packet taken apart.
pub(super) struct Packet<'a> {
    toc: u8,
    frames: [&'a [u8]; MOST_FRAMES],
    count: usize,
}

impl<'a> Packet<'a> {
    /// Takes a packet apart, by requirements R1 to R7 of RFC 6716 §3.4.
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, CodecError> {
        let refused = CodecError::PayloadLength { got: payload.len(), expected: TRUNCATED };
        let (&toc, rest) = payload.split_first().ok_or(refused)?;
        let mut packet = Self { toc, frames: [&[]; MOST_FRAMES], count: 0 };
        packet.split(rest).ok_or(refused)?;
        Ok(packet)
    }

    fn split(&mut self, rest: &'a [u8]) -> Option<()> {
        match self.toc & 3 {
            0 => self.push(rest),
            1 => {
                let (first, second) = rest.split_at(rest.len() / 2);
                (first.len() == second.len()).then_some(())?;
                self.push(first)?;
                self.push(second)
            }
            2 => {
                let (length, rest) = length(rest)?;
                let (first, second) = rest.split_at_checked(length)?;
                self.push(first)?;
                self.push(second)
            }
            _ => self.split_many(rest),
        }
    }

    /// Code 3: a count, flags for variable length and padding, lengths, frames.
    fn split_many(&mut self, rest: &'a [u8]) -> Option<()> {
        let (&header, mut rest) = rest.split_first()?;
        let count = usize::from(header & 0x3f);
        (count > 0 && count <= MOST_FRAMES && count * self.frame_ticks() <= LONGEST).then_some(())?;
        if header & 0x40 != 0 {
            let padding;
            (padding, rest) = padding_length(rest)?;
            rest = rest.get(..rest.len().checked_sub(padding)?)?;
        }
        if header & 0x80 == 0 {
            let each = rest.len() / count;
            (each * count == rest.len()).then_some(())?;
            if each == 0 {
                return (0..count).try_for_each(|_| self.push(&[]));
            }
            return rest.chunks_exact(each).try_for_each(|frame| self.push(frame));
        }
        let mut lengths = [0; MOST_FRAMES];
        for slot in lengths.iter_mut().take(count - 1) {
            (*slot, rest) = length(rest)?;
        }
        for length in lengths.into_iter().take(count - 1) {
            let frame;
            (frame, rest) = rest.split_at_checked(length)?;
            self.push(frame)?;
        }
        self.push(rest)
    }

    fn push(&mut self, frame: &'a [u8]) -> Option<()> {
        (frame.len() <= MOST_OCTETS).then_some(())?;
        *self.frames.get_mut(self.count)? = frame;
        self.count += 1;
        Some(())
    }

    /// The frames, without TOC and lengths.
    pub(super) fn frames(&self) -> &[&'a [u8]] {
        self.frames.get(..self.count).unwrap_or_default()
    }

    /// The TOC octet of a packet that has one of these frames alone.
    pub(super) const fn single_toc(&self) -> u8 {
        self.toc & !3
    }

    /// Length of one frame in ticks of 1/48000 s (RFC 6716 §3.1, table 2).
    pub(super) const fn frame_ticks(&self) -> usize {
        match self.toc >> 3 {
            config @ 0..12 => match config & 3 {
                0 => 480,
                1 => 960,
                2 => 1920,
                _ => 2880,
            },
            config @ 12..16 => 480 << (config & 1),
            config => 120 << (config & 3),
        }
    }

    /// Whether the frames are CELT alone, which carries no redundant copy of the frame before.
    pub(super) const fn is_celt_only(&self) -> bool {
        self.toc & 0x80 != 0
    }
}

/// A frame length of one or two octets (RFC 6716 §3.2.1).
fn length(octets: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = octets.split_first()?;
    if first < 252 {
        return Some((usize::from(first), rest));
    }
    let (&second, rest) = rest.split_first()?;
    Some((usize::from(first) + 4 * usize::from(second), rest))
}

/// The octets of padding at the end: 255 stands for 254 and goes on (RFC 6716 §3.2.5).
fn padding_length(mut octets: &[u8]) -> Option<(usize, &[u8])> {
    let mut padding = 0;
    loop {
        let (&next, rest) = octets.split_first()?;
        octets = rest;
        if next < 255 {
            return Some((padding + usize::from(next), octets));
        }
        padding += 254;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Lengths of the frames, or nothing for a packet that must be refused.
    fn lengths(payload: &[u8]) -> Option<Vec<usize>> {
        let packet = Packet::parse(payload).ok()?;
        Some(packet.frames().iter().map(|frame| frame.len()).collect())
    }

    #[test]
    fn every_code_is_taken_apart() {
        assert_eq!(lengths(&[0x48, 1, 2, 3]), Some([3].into()));
        assert_eq!(lengths(&[0x49, 1, 2, 3, 4]), Some([2, 2].into()));
        assert_eq!(lengths(&[0x4a, 1, 9, 8, 8]), Some([1, 2].into()));
        assert_eq!(lengths(&[0x4b, 0x03, 1, 2, 3]), Some([1, 1, 1].into()), "constant length");
        assert_eq!(lengths(&[0x4b, 0x83, 0, 2, 7, 7, 5]), Some([0, 2, 1].into()), "variable length");
        assert_eq!(lengths(&[0x4b, 0x42, 2, 1, 2, 0, 0]), Some([1, 1].into()), "padding");
        let mut long = std::vec![0x4b, 0x41, 255, 1];
        long.extend([0; 3 + 255]);
        assert_eq!(lengths(&long), Some([3].into()), "255 counts 254");
        assert_eq!(lengths(&[0x48]), Some([0].into()), "a frame that was not sent");
    }

    #[test]
    fn what_breaks_a_requirement_is_refused() {
        for (requirement, payload) in [
            ("R1", &[][..]),
            ("R3", &[0x49, 1, 2, 3]),
            ("R4", &[0x4a, 5, 1]),
            ("R4", &[0x4a]),
            ("R5", &[0x4b]),
            ("R5", &[0x4b, 0x00]),
            ("R5: 7 * 20 ms", &[0x4b, 0x07, 1, 2, 3, 4, 5, 6, 7]),
            ("R6: constant length", &[0x4b, 0x02, 1, 2, 3]),
            ("R6: padding", &[0x4b, 0x41, 9, 1]),
            ("R7", &[0x4b, 0x83, 1, 9, 1]),
        ] {
            assert_eq!(lengths(payload), None, "{requirement}");
        }
        assert_eq!(lengths(&[&[0x48][..], &[0; 1276]].concat()), None, "R2");
    }

    #[test]
    fn frames_last_as_table_2_says() {
        let ticks = |config: u8| Packet::parse(&[config << 3, 0]).map(|packet| packet.frame_ticks());
        for (config, expected) in
            [(0, 480), (3, 2880), (9, 960), (11, 2880), (12, 480), (15, 960), (16, 120), (31, 960)]
        {
            assert_eq!(ticks(config), Ok(expected), "configuration {config}");
        }
    }
}
