//! libilbc: WebRTC's fixed-point iLBC as a library. It is not in Debian.

use super::{Free, Instance, State, functions};
use core::ffi::c_int;
use core::ptr::null_mut;

type Create = unsafe extern "C" fn(*mut *mut State) -> i16;
type Init = unsafe extern "C" fn(*mut State, i16) -> i16;
type Encode = unsafe extern "C" fn(*mut State, *const i16, usize, *mut u8) -> c_int;
type Decode = unsafe extern "C" fn(*mut State, *const u8, usize, *mut i16, *mut i16) -> c_int;

functions! {
    /// libilbc 3.0, `ilbc.h`.
    Api from ["libilbc.so.3"], "none: https://github.com/TimothyGu/libilbc";
    encoder_create: Create = "WebRtcIlbcfix_EncoderCreate",
    encoder_init: Init = "WebRtcIlbcfix_EncoderInit",
    encode: Encode = "WebRtcIlbcfix_Encode",
    encoder_free: Free<i16> = "WebRtcIlbcfix_EncoderFree",
    decoder_create: Create = "WebRtcIlbcfix_DecoderCreate",
    decoder_init: Init = "WebRtcIlbcfix_DecoderInit",
    decode: Decode = "WebRtcIlbcfix_Decode",
    decoder_free: Free<i16> = "WebRtcIlbcfix_DecoderFree",
}

/// An instance for frames of 20 or 30 ms.
fn instance<Work>(
    (create, init, work, free): (Create, Init, Work, Free<i16>),
    millis: u8,
) -> Option<Instance<Work, i16>> {
    let mut state = null_mut();
    // SAFETY: the function writes the pointer that it is given a place for.
    unsafe { create(&mut state) };
    let mut instance = Instance::new(state, work, free)?;
    // SAFETY: the instance was created just now.
    let done = unsafe { init(instance.state(), i16::from(millis)) };
    (done >= 0).then_some(instance)
}

/// libilbc's encoder.
pub struct Encoder(Instance<Encode, i16>);

impl Encoder {
    /// For frames of 20 or 30 ms.
    #[must_use]
    pub fn new(millis: u8) -> Option<Self> {
        let api = Api::get()?;
        instance((api.encoder_create, api.encoder_init, api.encode, api.encoder_free), millis).map(Self)
    }

    /// Encodes one frame; returns the octets.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        assert!(out.len() >= 50 && pcm.len() <= 240, "one frame and room for it");
        // SAFETY: the instance is alive and ours alone; a frame takes at most 50 octets.
        let octets = unsafe { (self.0.work)(self.0.state(), pcm.as_ptr(), pcm.len(), out.as_mut_ptr()) };
        octets as usize
    }
}

/// libilbc's decoder, with its enhancer.
pub struct Decoder(Instance<Decode, i16>);

impl Decoder {
    /// For frames of 20 or 30 ms.
    #[must_use]
    pub fn new(millis: u8) -> Option<Self> {
        let api = Api::get()?;
        instance((api.decoder_create, api.decoder_init, api.decode, api.decoder_free), millis).map(Self)
    }

    /// Decodes one frame; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        assert!(pcm.len() >= 240 && octets.len() <= 50, "one frame and room for it");
        let mut kind = 0;
        let (from, length, to) = (octets.as_ptr(), octets.len(), pcm.as_mut_ptr());
        // SAFETY: the instance is alive and ours alone; a frame has at most 240 samples.
        let samples = unsafe { (self.0.work)(self.0.state(), from, length, to, &mut kind) };
        samples as usize
    }
}
