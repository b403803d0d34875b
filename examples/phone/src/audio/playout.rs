//! The reading end of a ring that another clock fills: as little delay as the writer's rhythm allows.

use rtrb::Consumer;

/// Takes frames of a fixed length out of a ring.
///
/// It starts when `target` samples are there, gives silence while they are not, raises the target when the ring runs dry,
/// and drops the oldest samples when more than needed were there for a whole second.
#[derive(Debug)]
pub(super) struct Playout {
    ring: Consumer<i16>,
    frame: usize,
    target: usize,
    playing: bool,
    /// The least that was in the ring after a read, in this second.
    least: usize,
    reads: u32,
    /// Seconds without running dry.
    calm: u32,
}

/// Frames in a second.
const WINDOW: u32 = 100;
/// Seconds without running dry after which less delay is tried.
const CALM: u32 = 10;
/// The longest delay that the target asks for, in frames: 160 ms.
const MOST: usize = 16;

impl Playout {
    pub(super) const fn new(ring: Consumer<i16>, frame: usize, target: usize) -> Self {
        Self { ring, frame, target, playing: false, least: usize::MAX, reads: 0, calm: 0 }
    }

    /// Whether the writer is gone and nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.ring.is_abandoned() && self.ring.is_empty()
    }

    /// Fills `out`, which is one frame long. Returns whether it holds sound.
    pub(super) fn read(&mut self, out: &mut [i16]) -> bool {
        let stored = self.ring.slots();
        if !self.playing && stored >= self.target.max(out.len()) {
            self.playing = true;
            self.start();
        }
        if !self.playing || stored < out.len() {
            if self.playing {
                self.playing = false;
                self.calm = 0;
                self.target = (self.target + self.frame).min(self.frame * MOST);
            }
            out.fill(0);
            return false;
        }
        self.take(out);
        self.settle();
        true
    }

    /// Throws away what is stored, so that what comes next is new.
    pub(super) fn flush(&mut self) {
        self.drop_oldest(self.ring.slots());
        self.playing = false;
        self.start();
    }

    /// Begins to watch for delay that is never needed.
    fn start(&mut self) {
        self.least = usize::MAX;
        self.reads = 0;
    }

    fn take(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.ring.pop().unwrap_or_default();
        }
    }

    /// Once a second: what lay there unneeded is dropped down to half the target, a frame of it at least kept.
    fn settle(&mut self) {
        self.least = self.least.min(self.ring.slots());
        self.reads += 1;
        if self.reads < WINDOW {
            return;
        }
        let keep = (self.target / 2).max(self.frame);
        if self.least > keep {
            self.drop_oldest(self.least - keep);
        }
        self.calm += 1;
        if self.calm >= CALM && self.target > self.frame {
            self.target -= self.frame;
            self.calm = 0;
        }
        self.start();
    }

    fn drop_oldest(&mut self, count: usize) {
        if let Ok(chunk) = self.ring.read_chunk(count.min(self.ring.slots())) {
            chunk.commit_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtrb::{Producer, RingBuffer};

    fn pair(target: usize) -> (Producer<i16>, Playout) {
        let (producer, consumer) = RingBuffer::new(8000);
        (producer, Playout::new(consumer, 80, target))
    }

    fn push(ring: &mut Producer<i16>, count: usize) {
        for _ in 0..count {
            ring.push(1).expect("room");
        }
    }

    #[test]
    fn it_waits_for_the_target_and_then_plays_without_a_gap() {
        let (mut ring, mut playout) = pair(240);
        let mut frame = [7; 80];
        push(&mut ring, 160);
        assert!(!playout.read(&mut frame));
        assert_eq!(frame, [0; 80]);
        push(&mut ring, 160);
        for _ in 0..4 {
            assert!(playout.read(&mut frame));
            assert_eq!(frame, [1; 80]);
        }
        assert!(!playout.read(&mut frame), "it ran dry");
        push(&mut ring, 240);
        assert!(!playout.read(&mut frame), "and waits a frame longer than before");
        push(&mut ring, 80);
        assert!(playout.read(&mut frame));
    }

    #[test]
    fn delay_that_nobody_needs_goes_within_a_second() {
        let (mut ring, mut playout) = pair(160);
        push(&mut ring, 4000);
        let mut frame = [0; 80];
        for _ in 0..101 {
            assert!(playout.read(&mut frame));
            push(&mut ring, 80);
        }
        assert!(ring.buffer().capacity() - ring.slots() <= 240, "500 ms became {}", 8000 - ring.slots());
    }

    #[test]
    fn bursts_of_20_ms_play_without_loss() {
        let (mut ring, mut playout) = pair(160);
        let mut frame = [0; 80];
        push(&mut ring, 320);
        let mut silent = 0;
        for turn in 0..3000 {
            if turn % 2 == 0 {
                push(&mut ring, 160);
            }
            silent += u32::from(!playout.read(&mut frame));
        }
        assert!(silent <= 4, "{silent} silent frames in 30 s");
    }
}
