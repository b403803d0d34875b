//! What the codec benchmarks encode.

#[path = "../../codecs/tests/common/signal.rs"]
mod signal;

use std::fs;
use std::path::Path;

/// Six seconds of speech at 8000 or 16 000 Hz: of a person if `../shared/vectors` is there, else made by code.
#[must_use]
pub fn speech(rate: u32) -> Vec<i16> {
    let path = format!("../../shared/vectors/signals/speech-a.{}k.pcm", rate / 1000);
    match fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)) {
        Ok(octets) => octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect(),
        Err(_) => signal::speech(1, rate, 6 * rate as usize),
    }
}

/// The frames of a signal, one after the other, and again from the start.
pub struct Frames<'a> {
    pcm: &'a [i16],
    frame: usize,
    at: usize,
}

impl<'a> Frames<'a> {
    /// Frames of `frame` samples; what is left over at the end is not used.
    #[must_use]
    pub fn new(pcm: &'a [i16], frame: usize) -> Self {
        assert!((1..=pcm.len()).contains(&frame), "a frame of {frame} samples");
        Self { pcm, frame, at: 0 }
    }

    /// The next frame.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so it gives no Option")]
    pub fn next(&mut self) -> &'a [i16] {
        if self.at + self.frame > self.pcm.len() {
            self.at = 0;
        }
        let frame = &self.pcm[self.at..self.at + self.frame];
        self.at += self.frame;
        frame
    }
}
