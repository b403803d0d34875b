//! bcg729: G.729 Annexes A and B (Debian package `libbcg729-0`). Not bit-exact.

use super::{Free, Instance, State, functions};

type Encode = unsafe extern "C" fn(*mut State, *const i16, *mut u8, *mut u8);
type Decode = unsafe extern "C" fn(*mut State, *const u8, u8, u8, u8, u8, *mut i16);

functions! {
    /// bcg729 1.1, `bcg729/encoder.h` and `bcg729/decoder.h`.
    Api from ["libbcg729.so.0", "libbcg729.so"], "libbcg729-0";
    init_encoder: unsafe extern "C" fn(u8) -> *mut State = "initBcg729EncoderChannel",
    encode: Encode = "bcg729Encoder",
    close_encoder: Free<()> = "closeBcg729EncoderChannel",
    init_decoder: unsafe extern "C" fn() -> *mut State = "initBcg729DecoderChannel",
    decode: Decode = "bcg729Decoder",
    close_decoder: Free<()> = "closeBcg729DecoderChannel",
}

/// bcg729's encoder.
pub struct Encoder(Instance<Encode>);

impl Encoder {
    /// With or without voice activity detection.
    #[must_use]
    pub fn new(vad: bool) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: the function has no preconditions.
        let state = unsafe { (api.init_encoder)(u8::from(vad)) };
        Instance::new(state, api.encode, api.close_encoder).map(Self)
    }

    /// Encodes a frame; returns the octets: 10, 2 or 0.
    pub fn encode(&mut self, pcm: &[i16; 80], out: &mut [u8; 10]) -> usize {
        let mut octets = 0;
        // SAFETY: the state is alive and ours alone; a frame has 80 samples and at most 10 octets.
        unsafe { (self.0.work)(self.0.state(), pcm.as_ptr(), out.as_mut_ptr(), &mut octets) };
        usize::from(octets)
    }
}

/// bcg729's decoder.
pub struct Decoder(Instance<Decode>);

impl Decoder {
    /// A new decoder.
    #[must_use]
    pub fn new() -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: the function has no preconditions.
        let state = unsafe { (api.init_decoder)() };
        Instance::new(state, api.decode, api.close_decoder).map(Self)
    }

    /// Decodes a speech frame.
    pub fn decode(&mut self, octets: &[u8; 10], pcm: &mut [i16; 80]) {
        // SAFETY: the state is alive and ours alone; a speech frame has 10 octets and 80 samples.
        unsafe { (self.0.work)(self.0.state(), octets.as_ptr(), 10, 0, 0, 0, pcm.as_mut_ptr()) };
    }
}
