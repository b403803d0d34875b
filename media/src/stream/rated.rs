//! Decoders of another rate than the stream's.
//!
//! One stream has one jitter buffer, and that has one rate. What the other side may send in an agreement can have
//! several: G.722 at 16 kHz and PCMU at 8 kHz, changed from one packet to the next. So the rate of the buffer is the
//! highest of them, and slower codecs are resampled as they are decoded.

use crate::jitter::MAX_PACKET_MILLIS;
use crate::resample::{RATES, Resampler};
use crate::sdp::{Format, Negotiated};
use sidetone_codecs::{CodecError, CodecSpec, Decoder};

/// The rate of the receiving side: the highest of what may come that is one of [`RATES`], and no more than `pcm_rate`, at
/// which it is heard. A codec of another rate (L16 at 44.1 kHz) runs at its own if it is the preferred one.
pub(super) fn receive_rate(negotiated: &Negotiated, pcm_rate: u32) -> u32 {
    let preferred = negotiated.codec.sample_rate;
    if !RATES.contains(&preferred) {
        return preferred;
    }
    let codecs = negotiated.receive.iter().map(|format| format.codec.sample_rate);
    let wanted = codecs.filter(|rate| RATES.contains(rate)).max().unwrap_or(preferred).min(pcm_rate);
    RATES.into_iter().find(|rate| *rate >= wanted).unwrap_or(48_000)
}

/// A decoder of `format` whose speech comes at `rate`; none if its packets would not be a whole number of samples there.
pub(super) fn decoder(format: &Format, rate: u32) -> Option<Box<dyn Decoder>> {
    let own = format.codec.sample_rate;
    if own == rate {
        return Some(format.codec.decoder_with(&format.fmtp));
    }
    let resampler = Resampler::new(own, rate).ok().filter(|_| RATES.contains(&own))?;
    Some(Box::new(Rated::new(format.codec.decoder_with(&format.fmtp), resampler)))
}

/// A decoder with a resampler behind it.
struct Rated {
    decoder: Box<dyn Decoder>,
    resampler: Resampler,
    /// The fewest whole frames that become a whole number of samples: at the decoder's rate, and at the other.
    frame: (usize, usize),
    /// Speech at the decoder's rate, of the longest packet that the jitter buffer keeps (RFC 3551 §4.2: 200 ms).
    inner: Vec<i16>,
}

impl Rated {
    fn new(decoder: Box<dyn Decoder>, resampler: Resampler) -> Self {
        let (up, down) = resampler.ratio();
        let codec_frame = decoder.frame_samples().max(1);
        let frame = least_common_multiple(codec_frame, down);
        let longest = (resampler.input_rate() as usize * MAX_PACKET_MILLIS / 1000).max(frame);
        Self { decoder, resampler, frame: (frame, frame / down * up), inner: vec![0; longest] }
    }
}

impl Decoder for Rated {
    fn spec(&self) -> &'static CodecSpec {
        self.decoder.spec()
    }

    fn frame_samples(&self) -> usize {
        self.frame.1
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let (up, down) = self.resampler.ratio();
        // No more than there is room for behind the resampler.
        let room = (pcm.len() * down / up).min(self.inner.len());
        let inner = self.inner.get_mut(..room).unwrap_or_default();
        let count = self.decoder.decode(payload, inner)?;
        Ok(self.resampler.process(inner.get(..count).unwrap_or_default(), pcm))
    }

    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        let (inner_frame, frame) = self.frame;
        let mut written = 0;
        for part in pcm.chunks_mut(self.inner.len() / inner_frame * frame) {
            // A part that is no whole number of frames is refused by the decoder, as without a resampler.
            let wanted = part.len() / frame * inner_frame + part.len() % frame;
            let inner = self.inner.get_mut(..wanted).unwrap_or_default();
            let count = self.decoder.conceal(inner)?;
            written += self.resampler.process(inner.get(..count).unwrap_or_default(), part);
        }
        Ok(written)
    }

    fn is_resting(&self) -> bool {
        self.decoder.is_resting()
    }

    fn reset(&mut self) {
        self.decoder.reset();
        self.resampler.reset();
    }
}

const fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_codecs::{g722, g729, pcmu};

    #[test]
    fn a_packet_of_20_ms_is_20_ms_at_every_rate() {
        for (codec, payload_type) in [(&pcmu::SPEC, 0), (&g729::SPEC, 18)] {
            for rate in RATES {
                let mut decoder = decoder(&Format::new(payload_type, codec), rate).unwrap();
                let mut payload = [0; 160];
                let octets = codec.encoder().encode(&[3000; 160], &mut payload).unwrap().octets;
                let mut pcm = vec![0; rate as usize * 120 / 1000];
                for _ in 0..3 {
                    assert_eq!(decoder.decode(&payload[..octets], &mut pcm), Ok(rate as usize / 50));
                }
                assert_eq!(decoder.spec(), codec);
                let frame = decoder.frame_samples();
                assert_eq!(frame * 8000 % rate as usize, 0);
                let wanted = (rate as usize / 100).next_multiple_of(frame);
                assert_eq!(decoder.conceal(&mut pcm[..wanted]), Ok(wanted));
            }
        }
    }

    #[test]
    fn a_packet_of_200_ms_is_whole_at_every_rate() {
        for (codec, payload_type) in [(&pcmu::SPEC, 0), (&g722::SPEC, 9)] {
            let (mut encoder, format) = (codec.encoder(), Format::new(payload_type, codec));
            let pcm = vec![3000; codec.samples(200)];
            let mut payload = vec![0; codec.octets(200)];
            let octets = encoder.encode(&pcm, &mut payload).unwrap().octets;
            for rate in RATES {
                let mut decoder = decoder(&format, rate).unwrap();
                let mut pcm = vec![0; rate as usize / 5];
                for _ in 0..3 {
                    assert_eq!(
                        decoder.decode(&payload[..octets], &mut pcm),
                        Ok(pcm.len()),
                        "{codec:?}, {rate} Hz"
                    );
                }
            }
        }
    }

    #[test]
    fn the_rate_of_the_receiving_side_is_the_highest_that_is_heard() {
        let remote = core::net::SocketAddr::from(([192, 0, 2, 1], 4000));
        let mut negotiated = Negotiated::new(&pcmu::SPEC, 0, remote);
        assert_eq!((receive_rate(&negotiated, 48_000), receive_rate(&negotiated, 8000)), (8000, 8000));
        negotiated.receive.push(Format::new(9, &g722::SPEC));
        assert_eq!((receive_rate(&negotiated, 48_000), receive_rate(&negotiated, 8000)), (16_000, 8000));
        negotiated.receive.push(Format::new(11, &sidetone_codecs::l16::L16_44100));
        assert_eq!((receive_rate(&negotiated, 48_000), receive_rate(&negotiated, 44_100)), (16_000, 16_000));
        negotiated.codec = &sidetone_codecs::l16::L16_44100;
        assert_eq!((receive_rate(&negotiated, 48_000), receive_rate(&negotiated, 8000)), (44_100, 44_100));
        assert!(decoder(&Format::new(11, negotiated.codec), 16_000).is_none());
        assert!(decoder(&Format::new(0, &pcmu::SPEC), 44_100).is_some());
        negotiated.codec = &pcmu::SPEC;
        negotiated.receive.clear();
        assert_eq!(receive_rate(&negotiated, 16_000), 8000);
    }
}
