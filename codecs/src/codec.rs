//! The two traits that every codec implements.

use crate::{CodecError, CodecSpec};

/// Turns samples into octets. The state is the value itself: put it where you like.
///
/// Mono 16-bit samples at [`CodecSpec::sample_rate`]. `&mut dyn Encoder` costs one indirect call a frame.
pub trait Encoder: Send {
    /// Which codec this is.
    fn spec(&self) -> &'static CodecSpec;

    /// Encodes `pcm`, a whole number of frames, into the start of `out`; returns the octets written.
    ///
    /// # Errors
    /// [`CodecError`] says which length was wrong; nothing was encoded then.
    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError>;

    /// Back to the state of a new encoder.
    fn reset(&mut self);
}

/// Turns octets into samples, and invents samples for frames that were lost.
pub trait Decoder: Send {
    /// Which codec this is.
    fn spec(&self) -> &'static CodecSpec;

    /// Decodes one RTP payload into the start of `pcm`; returns the samples written.
    ///
    /// # Errors
    /// [`CodecError`] says which length was wrong; nothing was decoded then.
    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError>;

    /// Fills `pcm`, a whole number of frames, in place of a payload that did not come; returns the samples
    /// written. Call it again for as long as nothing comes: it fades to silence.
    ///
    /// # Errors
    /// [`CodecError`] says which length was wrong.
    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError>;

    /// Back to the state of a new decoder.
    fn reset(&mut self);
}
