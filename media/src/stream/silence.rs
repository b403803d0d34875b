//! Pauses that are not sent: silence suppression, or discontinuous transmission.

use super::MAX_PTIME;
use crate::resample::Resampler;
use crate::sdp::Negotiated;
use sidetone_codecs::cn::{Analyser, Sid, Transmit};
use sidetone_codecs::vad::Vad;
use sidetone_codecs::{CodecSpec, Encoder, Fmtp};

/// What is sent while nobody speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SilenceSuppression {
    /// What codecs do by themselves by what was agreed on (G.729 `annexb`, G.723.1 `annexa`, Opus `usedtx`); the others
    /// send always, AMR too, for which nothing is to be agreed on.
    #[default]
    Agreed,
    /// Every codec sends always.
    Off,
    /// Pauses are not sent: codecs with silence descriptors of their own send those, if that was agreed on where it is
    /// to be (AMR's decoders all know them); the others comfort noise (RFC 3389), if the other side takes that ([`Negotiated::noise_payload_type`]).
    On,
}

impl SilenceSuppression {
    /// An encoder that works so, for what was agreed on.
    pub(super) fn encoder(self, codec: &CodecSpec, agreed: &Fmtp) -> Box<dyn Encoder> {
        let mut encoder = codec.encoder_with(&self.fmtp(agreed));
        encoder.set_dtx(self == Self::On);
        encoder
    }

    /// The format parameters that an encoder works by.
    fn fmtp(self, agreed: &Fmtp) -> Fmtp {
        let mut fmtp = *agreed;
        // A parameter that the codec does not have is refused, and changes nothing.
        let mut set = |name, value| {
            let _ = fmtp.set(name, value);
        };
        match self {
            Self::Agreed => {}
            Self::Off => ["annexa", "annexb", "usedtx"].into_iter().for_each(|name| set(name, 0)),
            // A receiver understands DTX of Opus whether or not it asked for it (RFC 7587 §3.1.3).
            Self::On => set("usedtx", 1),
        }
        fmtp
    }
}

/// Tells speech from pauses for a codec that does not, and describes the noise in them (RFC 3389).
pub(super) struct Pauses {
    pub(super) payload_type: u8,
    vad: Vad,
    analyser: Analyser,
    /// From the codec's sample rate to the RTP clock, where these differ (G.722): descriptors are of the clock's.
    resampler: Option<Resampler>,
    resampled: Vec<i16>,
}

impl Pauses {
    /// None where speech is always sent, or the codec looks after pauses itself.
    pub(super) fn new(wanted: SilenceSuppression, negotiated: &Negotiated) -> Option<Self> {
        let CodecSpec { sample_rate, rtp_clock, .. } = *negotiated.codec;
        let payload_type = negotiated.noise_payload_type.filter(|_| wanted == SilenceSuppression::On)?;
        let known = |rate| matches!(rate, 8000 | 16_000);
        if !known(sample_rate) || !known(rtp_clock) {
            return None;
        }
        let resampler =
            (sample_rate != rtp_clock).then(|| Resampler::new(sample_rate, rtp_clock)).transpose().ok()?;
        Some(Self {
            payload_type,
            vad: Vad::new(sample_rate),
            analyser: Analyser::new(rtp_clock),
            resampler,
            resampled: vec![0; (rtp_clock / 1000 * MAX_PTIME) as usize],
        })
    }

    /// What to send for these samples.
    pub(super) fn decide(&mut self, pcm: &[i16]) -> Transmit {
        let active = self.vad.is_active(pcm);
        let pcm = match &mut self.resampler {
            Some(resampler) => {
                let samples = resampler.process(pcm, &mut self.resampled);
                self.resampled.get(..samples).unwrap_or_default()
            }
            None => pcm,
        };
        if active {
            self.analyser.speech();
            return Transmit::Speech;
        }
        self.analyser.noise(pcm).map_or(Transmit::Nothing, Transmit::Sid)
    }

    /// The payload of a descriptor, in `out`.
    pub(super) fn payload<'a>(sid: &Sid, out: &'a mut [u8]) -> &'a [u8] {
        let octets = sid.write(out).unwrap_or(0);
        out.get(..octets).unwrap_or_default()
    }
}
