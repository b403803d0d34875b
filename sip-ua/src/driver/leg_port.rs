//! The two ends of a wire between a call's media task and a conference: rings of samples, no lock.

use rtrb::{Consumer, Producer, RingBuffer};
use sidetone_hal::audio::{AudioFormat, AudioPort};

/// Frames that a ring holds.
const RING: usize = 6;
/// Frames that wait before the first is taken: both ends wake up every 10 ms, not at the same moment and not evenly.
const PRIMED: usize = 2;
/// Frames that may wait; above, sound is dropped rather than late.
const MOST: usize = 4;

/// The call's end: its audio port while it is in a conference.
#[derive(Debug)]
pub(super) struct LegPort {
    format: AudioFormat,
    microphone: Feed,
    ear: Producer<i16>,
}

/// The conference's end.
#[derive(Debug)]
pub(super) struct LegWire {
    from_call: Feed,
    to_call: Producer<i16>,
}

/// The reading end of a ring.
#[derive(Debug)]
struct Feed {
    ring: Consumer<i16>,
    primed: bool,
}

pub(super) fn pair(format: AudioFormat) -> (LegPort, LegWire) {
    let samples = RING * format.samples_per_frame();
    let (to_call, microphone) = RingBuffer::new(samples);
    let (ear, from_call) = RingBuffer::new(samples);
    let feed = |ring| Feed { ring, primed: false };
    (LegPort { format, microphone: feed(microphone), ear }, LegWire { from_call: feed(from_call), to_call })
}

impl LegWire {
    /// What the call says, if a frame of it is there; `frame` is not touched otherwise.
    pub(super) fn read(&mut self, frame: &mut [i16]) -> bool {
        self.from_call.read(frame)
    }

    /// Gives the call what it is to hear.
    pub(super) fn write(&mut self, frame: &[i16]) {
        push(&mut self.to_call, frame);
    }

    /// Whether the call's end is gone: it took another port, or is over.
    pub(super) fn is_cut(&self) -> bool {
        self.to_call.is_abandoned()
    }
}

impl AudioPort for LegPort {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn read(&mut self, captured: &mut [i16]) {
        if !self.microphone.read(captured) {
            captured.fill(0);
        }
    }

    fn write(&mut self, playout: &[i16]) {
        push(&mut self.ear, playout);
    }
}

impl Feed {
    fn read(&mut self, frame: &mut [i16]) -> bool {
        let waiting = self.ring.slots() / frame.len().max(1);
        self.primed = waiting >= if self.primed { 1 } else { PRIMED };
        if !self.primed {
            return false;
        }
        for _ in MOST..waiting {
            self.take(frame);
        }
        self.take(frame)
    }

    fn take(&mut self, frame: &mut [i16]) -> bool {
        let Ok(chunk) = self.ring.read_chunk(frame.len()) else { return false };
        frame.iter_mut().zip(chunk).for_each(|(sample, from)| *sample = from);
        true
    }
}

/// A frame that does not fit is dropped: its reader stands still.
fn push(ring: &mut Producer<i16>, frame: &[i16]) {
    if let Ok(chunk) = ring.write_chunk_uninit(frame.len()) {
        chunk.fill_from_iter(frame.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_pass_whole_and_late_ones_are_dropped() {
        let (mut port, mut wire) = pair(AudioFormat::NARROWBAND);
        let mut frame = [9; 80];
        port.write(&[1; 80]);
        assert!(!wire.read(&mut frame) && frame == [9; 80], "one frame waits for a second");
        port.write(&[2; 80]);
        assert!(wire.read(&mut frame) && frame == [1; 80]);
        assert!(wire.read(&mut frame) && frame == [2; 80]);
        assert!(!wire.read(&mut frame));
        for n in 0..10 {
            port.write(&[n; 80]);
        }
        // Six fit; two of them are too old.
        assert!(wire.read(&mut frame) && frame == [2; 80]);
        wire.write(&[5; 80]);
        wire.write(&[6; 80]);
        port.read(&mut frame);
        assert_eq!(frame, [5; 80]);
        assert!(!wire.is_cut());
        drop(port);
        assert!(wire.is_cut());
    }
}
