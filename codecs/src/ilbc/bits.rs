//! The payload: what a frame consists of, and its order on the wire (RFC 3951 §3.8).
//!
//! Every index is split in up to three parts by importance. All parts of class 1 come first, then those of
//! class 2, then class 3, so that uneven error protection can protect a prefix.

use super::Mode;

/// Stages of the codebook search.
pub(super) const STAGES: usize = 3;
/// Most samples of the start state that are quantised one by one.
pub(super) const MOST_STATE: usize = 58;
/// Most sub-frames besides the start state.
pub(super) const MOST_BLOCKS: usize = 4;

/// One frame as indices.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Split vector quantiser, three for each set of LSFs.
    pub(super) lsf: [u8; 6],
    /// The second of the two sub-frames that hold the start state, from 1.
    pub(super) start: u8,
    /// 1 if the quantised part of the start state comes first, 0 if it comes last.
    pub(super) state_first: u8,
    /// Peak of the start state.
    pub(super) peak: u8,
    /// Samples of the start state.
    pub(super) state: [u8; MOST_STATE],
    /// The remaining 22 or 23 samples of the two sub-frames.
    pub(super) rest: Shape,
    /// The other sub-frames: those behind the start state, then those before it, going back.
    pub(super) blocks: [Shape; MOST_BLOCKS],
}

/// A vector as a sum of three codebook vectors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    pub(super) index: [u8; STAGES],
    pub(super) gain: [u8; STAGES],
}

/// Bits of an index in each of the three classes.
type Split = [u8; 3];

struct ShapeLayout {
    index: [Split; STAGES],
    gain: [Split; STAGES],
}

struct Layout {
    start: Split,
    rest: ShapeLayout,
    blocks: &'static [ShapeLayout],
}

const LSF: [Split; 3] = [[6, 0, 0], [7, 0, 0], [7, 0, 0]];
const STATE_FIRST: Split = [1, 0, 0];
const PEAK: Split = [6, 0, 0];
const STATE: Split = [0, 1, 2];

const LAYOUT_20MS: Layout = Layout {
    start: [2, 0, 0],
    rest: ShapeLayout { index: [[6, 0, 1], [0, 0, 7], [0, 0, 7]], gain: [[2, 0, 3], [1, 1, 2], [0, 0, 3]] },
    blocks: &[
        ShapeLayout { index: [[7, 0, 1], [0, 0, 7], [0, 0, 7]], gain: [[1, 2, 2], [1, 1, 2], [0, 0, 3]] },
        ShapeLayout { index: [[0, 0, 8], [0, 0, 8], [0, 0, 8]], gain: [[1, 1, 3], [0, 2, 2], [0, 0, 3]] },
    ],
};

const LAYOUT_30MS: Layout = Layout {
    start: [3, 0, 0],
    rest: ShapeLayout { index: [[4, 2, 1], [0, 0, 7], [0, 0, 7]], gain: [[1, 1, 3], [1, 1, 2], [0, 0, 3]] },
    blocks: &[
        ShapeLayout { index: [[6, 1, 1], [0, 0, 7], [0, 0, 7]], gain: [[1, 2, 2], [1, 2, 1], [0, 0, 3]] },
        ShapeLayout { index: [[0, 7, 1], [0, 0, 8], [0, 0, 8]], gain: [[0, 2, 3], [0, 2, 2], [0, 0, 3]] },
        ShapeLayout { index: [[0, 7, 1], [0, 0, 8], [0, 0, 8]], gain: [[0, 1, 4], [0, 1, 3], [0, 0, 3]] },
        ShapeLayout { index: [[0, 7, 1], [0, 0, 8], [0, 0, 8]], gain: [[0, 1, 4], [0, 1, 3], [0, 0, 3]] },
    ],
};

impl Frame {
    /// A frame of zeros.
    pub(super) const fn new() -> Self {
        let shape = Shape { index: [0; STAGES], gain: [0; STAGES] };
        Self {
            lsf: [0; 6],
            start: 0,
            state_first: 0,
            peak: 0,
            state: [0; MOST_STATE],
            rest: shape,
            blocks: [shape; MOST_BLOCKS],
        }
    }

    /// Writes a frame of the mode's length; the last bit stays 0, for a frame that is not empty.
    pub(super) fn write(&mut self, mode: Mode, octets: &mut [u8]) {
        // In the first sub-frame, the second and third stage are searched in a part of the codebook only, so
        // that 7 bits count it (table 3.1).
        let indices = self.blocks.iter_mut().take(1).flat_map(|block| block.index.iter_mut().skip(1));
        for index in indices {
            match *index {
                108..172 => *index -= 64,
                236.. => *index -= 128,
                _ => {}
            }
        }
        let mut writer = Writer { octets: octets.iter_mut(), held: 0, bits: 0 };
        self.visit(mode, |value, split, class| {
            let below: u8 = split.iter().skip(class + 1).sum();
            let width = split.get(class).copied().unwrap_or(0);
            writer.put((u32::from(*value) >> below) & !(!0 << width), width);
        });
        writer.put(0, 8);
    }

    /// Reads a frame of the mode's length; `None` if it is marked as empty, or says what no encoder says.
    pub(super) fn read(mode: Mode, octets: &[u8]) -> Option<Self> {
        let mut frame = Self::new();
        let mut reader = Reader { octets: octets.iter(), held: 0, bits: 0 };
        frame.visit(mode, |value, split, class| {
            let width = split.get(class).copied().unwrap_or(0);
            *value = (u32::from(*value) << width | reader.take(width)) as u8;
        });
        let empty = octets.last().is_none_or(|last| last & 1 == 1);
        let placed = (1..mode.sub_frames()).contains(&usize::from(frame.start));
        let indices = frame.blocks.iter_mut().take(1).flat_map(|block| block.index.iter_mut().skip(1));
        for index in indices {
            match *index {
                44..108 => *index += 64,
                108..128 => *index += 128,
                _ => {}
            }
        }
        (placed && !empty).then_some(frame)
    }

    /// Goes through all indices in the order of the wire, once for each class.
    #[inline(always)]
    fn visit(&mut self, mode: Mode, mut each: impl FnMut(&mut u8, Split, usize)) {
        let layout = match mode {
            Mode::Ms20 => &LAYOUT_20MS,
            Mode::Ms30 => &LAYOUT_30MS,
        };
        for class in 0..3 {
            for set in self.lsf.chunks_exact_mut(LSF.len()).take(mode.lsf_sets()) {
                set.iter_mut().zip(LSF).for_each(|(index, split)| each(index, split, class));
            }
            each(&mut self.start, layout.start, class);
            each(&mut self.state_first, STATE_FIRST, class);
            each(&mut self.peak, PEAK, class);
            if class > 0 {
                self.state.iter_mut().take(mode.state_samples()).for_each(|index| each(index, STATE, class));
            }
            let rest = &layout.rest;
            self.rest.index.iter_mut().zip(rest.index).for_each(|(index, split)| each(index, split, class));
            self.rest.gain.iter_mut().zip(rest.gain).for_each(|(index, split)| each(index, split, class));
            for (block, layout) in self.blocks.iter_mut().zip(layout.blocks) {
                block.index.iter_mut().zip(layout.index).for_each(|(index, split)| each(index, split, class));
            }
            for (block, layout) in self.blocks.iter_mut().zip(layout.blocks) {
                block.gain.iter_mut().zip(layout.gain).for_each(|(index, split)| each(index, split, class));
            }
        }
    }
}

struct Writer<'a> {
    octets: core::slice::IterMut<'a, u8>,
    held: u32,
    bits: u8,
}

impl Writer<'_> {
    #[inline(always)]
    fn put(&mut self, value: u32, width: u8) {
        self.held = self.held << width | value;
        self.bits += width;
        if self.bits >= 8 {
            self.bits -= 8;
            if let Some(octet) = self.octets.next() {
                *octet = (self.held >> self.bits) as u8;
            }
        }
    }
}

struct Reader<'a> {
    octets: core::slice::Iter<'a, u8>,
    held: u32,
    bits: u8,
}

impl Reader<'_> {
    #[inline(always)]
    fn take(&mut self, width: u8) -> u32 {
        if self.bits < width {
            self.held = self.held << 8 | u32::from(self.octets.next().copied().unwrap_or(0));
            self.bits += 8;
        }
        self.bits -= width;
        (self.held >> self.bits) & !(!0 << width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(mode: Mode) -> usize {
        let mut total = 0;
        Frame::new().visit(mode, |_, split, class| total += usize::from(split[class]));
        total
    }

    #[test]
    fn the_indices_and_the_empty_flag_fill_the_frame() {
        assert_eq!(bits(Mode::Ms20) + 1, 38 * 8);
        assert_eq!(bits(Mode::Ms30) + 1, 50 * 8);
    }

    #[test]
    fn a_frame_that_is_read_is_written_back() {
        for mode in [Mode::Ms20, Mode::Ms30] {
            let mut octets: [u8; 50] = core::array::from_fn(|i| (i * 151 + 77) as u8);
            // A place that exists for the start state (behind 20 or 40 bits of LSFs), and not empty.
            octets[2] = octets[2] & !0x0c | 0x08;
            octets[5] = octets[5] & !0xe0 | 0x40;
            let octets = &mut octets[..mode.octets()];
            octets[mode.octets() - 1] &= 0xfe;
            let mut copy = [0; 50];
            let mut frame = Frame::read(mode, octets).expect("a frame");
            frame.write(mode, &mut copy);
            assert_eq!(octets, &copy[..octets.len()]);
        }
    }

    #[test]
    fn empty_frames_and_impossible_places_are_refused() {
        let mut octets = [0; 38];
        assert!(Frame::read(Mode::Ms20, &octets).is_none(), "start state at 0");
        octets[2] = 0x04;
        assert!(Frame::read(Mode::Ms20, &octets).is_some_and(|frame| frame.start == 1));
        octets[37] = 1;
        assert!(Frame::read(Mode::Ms20, &octets).is_none(), "marked as empty");
    }
}
