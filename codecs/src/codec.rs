//! The two traits that every codec implements.

use crate::{CodecError, CodecSpec};

/// What one call of [`Encoder::encode`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Octets of RTP payload written; 0 means that there is nothing to send for these samples (DTX).
    pub octets: usize,
    /// Samples taken from the start of the input.
    pub samples: usize,
}

/// Turns samples into RTP payloads. The state is the value itself: put it where you like.
///
/// Mono 16-bit samples at [`CodecSpec::sample_rate`]. `&mut dyn Encoder` costs one indirect call a payload.
pub trait Encoder: Send {
    /// Which codec this is.
    fn spec(&self) -> &'static CodecSpec;

    /// Samples in a frame with these settings.
    fn frame_samples(&self) -> usize {
        self.spec().frame_samples
    }

    /// Encodes frames from the start of `pcm`, a whole number of frames, into one RTP payload at the start of
    /// `out`.
    ///
    /// Without discontinuous transmission the payload holds all of `pcm`. With it, a call may take fewer
    /// samples: a silence descriptor ends its payload, and a first frame that is not transmitted is taken
    /// alone, with no octets. Call again with the rest; the RTP timestamp advances by the samples taken.
    ///
    /// # Errors
    /// [`CodecError`] says which length was wrong; nothing was encoded then.
    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError>;

    /// Discontinuous transmission for a codec whose silence descriptors every receiver understands, so that no format
    /// parameter speaks of it (AMR). The others go by the format parameters, and ignore this.
    fn set_dtx(&mut self, _on: bool) {}

    /// Back to the state of a new encoder with the same settings.
    fn reset(&mut self);
}

/// Turns RTP payloads into samples, and invents samples for payloads that were lost.
pub trait Decoder: Send {
    /// Which codec this is.
    fn spec(&self) -> &'static CodecSpec;

    /// Samples in a frame with these settings; what [`Self::conceal`] fills is a whole number of them.
    fn frame_samples(&self) -> usize {
        self.spec().frame_samples
    }

    /// Decodes one RTP payload into the start of `pcm`; returns the samples written.
    ///
    /// An empty payload is one frame that was not transmitted: codecs with discontinuous transmission of
    /// their own make comfort noise of it, the others refuse it.
    ///
    /// # Errors
    /// [`CodecError`] says which length or frame type was wrong; nothing was decoded then.
    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError>;

    /// Fills `pcm`, a whole number of frames, in place of a payload that did not come; returns the samples
    /// written. Call it again for as long as nothing comes: it fades to silence, or goes on with comfort noise
    /// if the last frame that came was a silence descriptor.
    ///
    /// # Errors
    /// [`CodecError`] says which length was wrong.
    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError>;

    /// Whether the other side rests: the last payload was a silence descriptor, so [`Self::conceal`] goes on with
    /// comfort noise for as long as it is called.
    fn is_resting(&self) -> bool {
        false
    }

    /// Back to the state of a new decoder with the same settings.
    fn reset(&mut self);
}
