//! spandsp: G.722 and G.726 (Debian package `libspandsp2`).

use super::{Free, Instance, State, functions};
use core::ffi::c_int;
use core::ptr::null_mut;

type InitG722 = unsafe extern "C" fn(*mut State, c_int, c_int) -> *mut State;
type InitG726 = unsafe extern "C" fn(*mut State, c_int, c_int, c_int) -> *mut State;
type Encode = unsafe extern "C" fn(*mut State, *mut u8, *const i16, c_int) -> c_int;
type Decode = unsafe extern "C" fn(*mut State, *mut i16, *const u8, c_int) -> c_int;

/// `G726_PACKING_RIGHT`: the first code in the least significant bits, as in RFC 3551.
const PACKING_RIGHT: c_int = 2;

functions! {
    /// spandsp 0.0.6, `spandsp/g722.h` and `spandsp/g726.h`.
    Api from ["libspandsp.so.2", "libspandsp.so"], "libspandsp2";
    g722_encode_init: InitG722 = "g722_encode_init",
    g722_encode: Encode = "g722_encode",
    g722_encode_free: Free<c_int> = "g722_encode_free",
    g722_decode_init: InitG722 = "g722_decode_init",
    g722_decode: Decode = "g722_decode",
    g722_decode_free: Free<c_int> = "g722_decode_free",
    g726_init: InitG726 = "g726_init",
    g726_encode: Encode = "g726_encode",
    g726_decode: Decode = "g726_decode",
    g726_free: Free<c_int> = "g726_free",
}

impl Instance<Encode, c_int> {
    fn encode(&mut self, pcm: &[i16], out: &mut [u8], bits_per_sample_pair: usize) -> usize {
        assert!(out.len() * 16 >= pcm.len() * bits_per_sample_pair, "room for the codes");
        // SAFETY: the state is alive and ours alone; the assertion above bounds what is written.
        let octets = unsafe { (self.work)(self.state(), out.as_mut_ptr(), pcm.as_ptr(), pcm.len() as c_int) };
        octets as usize
    }
}

impl Instance<Decode, c_int> {
    fn decode(&mut self, octets: &[u8], pcm: &mut [i16], bits_per_sample: usize) -> usize {
        assert!(pcm.len() * bits_per_sample >= octets.len() * 8, "room for the samples");
        // SAFETY: the state is alive and ours alone; the assertion above bounds what is written.
        let samples =
            unsafe { (self.work)(self.state(), pcm.as_mut_ptr(), octets.as_ptr(), octets.len() as c_int) };
        samples as usize
    }
}

/// spandsp's G.722 encoder, 16 kHz in.
pub struct G722Encoder(Instance<Encode, c_int>);

impl G722Encoder {
    /// `bit_rate` is 48 000, 56 000 or 64 000.
    #[must_use]
    pub fn new(bit_rate: u32) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one.
        let state = unsafe { (api.g722_encode_init)(null_mut(), bit_rate as c_int, 0) };
        Instance::new(state, api.g722_encode, api.g722_encode_free).map(Self)
    }

    /// Encodes an even number of samples, an octet for every two; returns the octets.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        self.0.encode(pcm, out, 8)
    }
}

/// spandsp's G.722 decoder, 16 kHz out.
pub struct G722Decoder(Instance<Decode, c_int>);

impl G722Decoder {
    /// `bit_rate` is 48 000, 56 000 or 64 000.
    #[must_use]
    pub fn new(bit_rate: u32) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one.
        let state = unsafe { (api.g722_decode_init)(null_mut(), bit_rate as c_int, 0) };
        Instance::new(state, api.g722_decode, api.g722_decode_free).map(Self)
    }

    /// Decodes octets to two samples each; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        self.0.decode(octets, pcm, 4)
    }
}

/// spandsp's G.726 encoder for 16-bit linear samples, packed as in RFC 3551.
pub struct G726Encoder {
    context: Instance<Encode, c_int>,
    bits: usize,
}

impl G726Encoder {
    /// `bit_rate` is 16 000, 24 000, 32 000 or 40 000.
    #[must_use]
    pub fn new(bit_rate: u32) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one.
        let state = unsafe { (api.g726_init)(null_mut(), bit_rate as c_int, 0, PACKING_RIGHT) };
        let context = Instance::new(state, api.g726_encode, api.g726_free)?;
        Some(Self { context, bits: bit_rate as usize / 8000 })
    }

    /// Encodes a number of samples that fills whole octets; returns the octets.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        self.context.encode(pcm, out, 2 * self.bits)
    }
}

/// spandsp's G.726 decoder to 16-bit linear samples, packed as in RFC 3551.
pub struct G726Decoder {
    context: Instance<Decode, c_int>,
    bits: usize,
}

impl G726Decoder {
    /// `bit_rate` is 16 000, 24 000, 32 000 or 40 000.
    #[must_use]
    pub fn new(bit_rate: u32) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one.
        let state = unsafe { (api.g726_init)(null_mut(), bit_rate as c_int, 0, PACKING_RIGHT) };
        let context = Instance::new(state, api.g726_decode, api.g726_free)?;
        Some(Self { context, bits: bit_rate as usize / 8000 })
    }

    /// Decodes octets; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        self.context.decode(octets, pcm, self.bits)
    }
}
