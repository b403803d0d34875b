//! The PCM side of a stream: microphone and ear at the sound card's rate, whatever the codecs' rates are.
//!
//! Each way is resampled only if the rates differ, and then once. Volume and mute glide here, and the meters hang here.

use crate::level::{Levels, Meter, Volume};
use crate::resample::{Resampler, is_pcm_rate};

/// How loud both ways of a stream are; see [`Stream::levels`](super::Stream::levels).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamLevels {
    /// What goes to the other side: after volume and mute.
    pub sent: Levels,
    /// What comes from the other side: before the volume.
    pub received: Levels,
}

/// Both ways between a sound card and the codecs.
pub(super) struct PcmSide {
    rate: u32,
    pub(super) microphone: Volume,
    pub(super) ear: Volume,
    sent: Meter,
    received: Meter,
    /// From here to the encoder, and from the jitter buffer to here; none between equal rates.
    to_encoder: Option<Resampler>,
    to_ear: Option<Resampler>,
    /// 10 ms at our rate, at the encoder's, and at the jitter buffer's.
    captured: Vec<i16>,
    encoded: Vec<i16>,
    decoded: Vec<i16>,
    /// What was resampled for the ear and not asked for yet, less than 10 ms: its end and where it begins.
    ready: Vec<i16>,
    taken: usize,
}

impl PcmSide {
    /// At `wanted` samples a second, or at the codec's rate if that is none of a PCM side.
    pub(super) fn new(wanted: u32, encoder_rate: u32, receive_rate: u32) -> Self {
        let rate = if is_pcm_rate(wanted) { wanted } else { encoder_rate };
        let mut side = Self {
            rate,
            microphone: Volume::new(rate),
            ear: Volume::new(rate),
            sent: Meter::new(rate),
            received: Meter::new(rate),
            to_encoder: None,
            to_ear: None,
            captured: vec![0; frame(rate)],
            encoded: Vec::new(),
            decoded: Vec::new(),
            ready: Vec::new(),
            taken: 0,
        };
        side.update(encoder_rate, receive_rate);
        side
    }

    /// Samples a second of microphone and ear.
    pub(super) const fn rate(&self) -> u32 {
        self.rate
    }

    pub(super) fn levels(&self) -> StreamLevels {
        StreamLevels { sent: self.sent.levels(), received: self.received.levels() }
    }

    /// The codecs' rates are others from now on.
    pub(super) fn update(&mut self, encoder_rate: u32, receive_rate: u32) {
        if self.to_encoder.as_ref().map_or(self.rate, Resampler::output_rate) != encoder_rate
            || self.encoded.is_empty()
        {
            self.to_encoder = between(self.rate, encoder_rate);
            self.encoded = vec![0; frame(encoder_rate)];
        }
        if self.to_ear.as_ref().map_or(self.rate, Resampler::input_rate) != receive_rate
            || self.decoded.is_empty()
        {
            self.to_ear = between(receive_rate, self.rate);
            self.decoded = vec![0; frame(receive_rate)];
            self.ready = vec![0; frame(self.rate)];
            self.taken = self.ready.len();
        }
    }

    /// Passes what the microphone heard to `encode`, at the encoder's rate, in frames of 10 ms at most.
    pub(super) fn capture(&mut self, pcm: &[i16], mut encode: impl FnMut(&[i16])) {
        for chunk in pcm.chunks(self.captured.len()) {
            let mut chunk = chunk;
            if self.microphone.is_unity() {
                self.microphone.begin();
            } else {
                let changed = self.captured.get_mut(..chunk.len()).unwrap_or_default();
                changed.copy_from_slice(chunk);
                self.microphone.process(changed);
                chunk = changed;
            }
            self.sent.add(chunk);
            match &mut self.to_encoder {
                None => encode(chunk),
                Some(resampler) => {
                    let count = resampler.process(chunk, &mut self.encoded);
                    encode(self.encoded.get(..count).unwrap_or_default());
                }
            }
        }
    }

    /// Fills `pcm` for the ear with what `decode` gives at the receiving side's rate, 10 ms at a time.
    pub(super) fn playout(&mut self, pcm: &mut [i16], mut decode: impl FnMut(&mut [i16])) {
        match &mut self.to_ear {
            None => pcm.chunks_mut(self.decoded.len()).for_each(decode),
            Some(resampler) => {
                let mut rest = pcm.iter_mut();
                while rest.len() > 0 {
                    if self.taken >= self.ready.len() {
                        decode(&mut self.decoded);
                        resampler.process(&self.decoded, &mut self.ready);
                        self.taken = 0;
                    }
                    let ready = self.ready.get(self.taken..).unwrap_or_default();
                    let count = rest.len().min(ready.len());
                    rest.by_ref().take(count).zip(ready).for_each(|(heard, sample)| *heard = *sample);
                    self.taken += count;
                }
            }
        }
        self.received.add(pcm);
        self.ear.process(pcm);
    }
}

/// Samples in 10 ms.
const fn frame(rate: u32) -> usize {
    let samples = (rate / 100) as usize;
    if samples == 0 { 1 } else { samples }
}

fn between(from: u32, to: u32) -> Option<Resampler> {
    Resampler::new(from, to).ok().filter(|resampler| !resampler.is_identity())
}
