//! spandsp: G.722 and G.726 (Debian package `libspandsp2`).

use super::open;
use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::ptr::NonNull;
use libloading::Library;
use std::sync::OnceLock;

type State = c_void;
type InitG722 = unsafe extern "C" fn(*mut State, c_int, c_int) -> *mut State;
type InitG726 = unsafe extern "C" fn(*mut State, c_int, c_int, c_int) -> *mut State;
type Encode = unsafe extern "C" fn(*mut State, *mut u8, *const i16, c_int) -> c_int;
type Decode = unsafe extern "C" fn(*mut State, *mut i16, *const u8, c_int) -> c_int;
type Free = unsafe extern "C" fn(*mut State) -> c_int;

/// `G726_PACKING_RIGHT`: the first code in the least significant bits, as in RFC 3551.
const PACKING_RIGHT: c_int = 2;

/// The functions that are measured. The library stays open for as long as the process lives.
struct Api {
    g722_encode_init: InitG722,
    g722_encode: Encode,
    g722_encode_free: Free,
    g722_decode_init: InitG722,
    g722_decode: Decode,
    g722_decode_free: Free,
    g726_init: InitG726,
    g726_encode: Encode,
    g726_decode: Decode,
    g726_free: Free,
    _library: Library,
}

impl Api {
    fn get() -> Option<&'static Self> {
        static API: OnceLock<Option<Api>> = OnceLock::new();
        API.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let library = open(&["libspandsp.so.2", "libspandsp.so"], "libspandsp2")?;
        // SAFETY: names and signatures are those of spandsp 0.0.6, <spandsp/g722.h> and <spandsp/g726.h>.
        unsafe {
            Some(Self {
                g722_encode_init: *library.get(b"g722_encode_init\0").ok()?,
                g722_encode: *library.get(b"g722_encode\0").ok()?,
                g722_encode_free: *library.get(b"g722_encode_free\0").ok()?,
                g722_decode_init: *library.get(b"g722_decode_init\0").ok()?,
                g722_decode: *library.get(b"g722_decode\0").ok()?,
                g722_decode_free: *library.get(b"g722_decode_free\0").ok()?,
                g726_init: *library.get(b"g726_init\0").ok()?,
                g726_encode: *library.get(b"g726_encode\0").ok()?,
                g726_decode: *library.get(b"g726_decode\0").ok()?,
                g726_free: *library.get(b"g726_free\0").ok()?,
                _library: library,
            })
        }
    }
}

/// A state that one of the `init` functions allocated, with the function that works on it.
struct Context<Work> {
    state: NonNull<State>,
    work: Work,
    free: Free,
    /// A state belongs to one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl<Work> Context<Work> {
    fn new(state: *mut State, work: Work, free: Free) -> Option<Self> {
        Some(Self { state: NonNull::new(state)?, work, free, _not_sync: PhantomData })
    }
}

impl Context<Encode> {
    fn encode(&mut self, pcm: &[i16], out: &mut [u8], bits_per_sample_pair: usize) -> usize {
        assert!(out.len() * 16 >= pcm.len() * bits_per_sample_pair, "room for the codes");
        // SAFETY: the state is alive and ours alone; the assertion above bounds what is written.
        let octets =
            unsafe { (self.work)(self.state.as_ptr(), out.as_mut_ptr(), pcm.as_ptr(), pcm.len() as c_int) };
        octets as usize
    }
}

impl Context<Decode> {
    fn decode(&mut self, octets: &[u8], pcm: &mut [i16], bits_per_sample: usize) -> usize {
        assert!(pcm.len() * bits_per_sample >= octets.len() * 8, "room for the samples");
        // SAFETY: the state is alive and ours alone; the assertion above bounds what is written.
        let samples = unsafe {
            (self.work)(self.state.as_ptr(), pcm.as_mut_ptr(), octets.as_ptr(), octets.len() as c_int)
        };
        samples as usize
    }
}

impl<Work> Drop for Context<Work> {
    fn drop(&mut self) {
        // SAFETY: the state came from the `init` function that belongs to this `free`, and is not used again.
        unsafe { (self.free)(self.state.as_ptr()) };
    }
}

/// spandsp's G.722 encoder, 16 kHz in.
pub struct G722Encoder(Context<Encode>);

impl G722Encoder {
    /// `bit_rate` is 48 000, 56 000 or 64 000.
    #[must_use]
    pub fn new(bit_rate: u32) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one.
        let state = unsafe { (api.g722_encode_init)(core::ptr::null_mut(), bit_rate as c_int, 0) };
        Context::new(state, api.g722_encode, api.g722_encode_free).map(Self)
    }

    /// Encodes an even number of samples, an octet for every two; returns the octets.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        self.0.encode(pcm, out, 8)
    }
}

/// spandsp's G.722 decoder, 16 kHz out.
pub struct G722Decoder(Context<Decode>);

impl G722Decoder {
    /// `bit_rate` is 48 000, 56 000 or 64 000.
    #[must_use]
    pub fn new(bit_rate: u32) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one.
        let state = unsafe { (api.g722_decode_init)(core::ptr::null_mut(), bit_rate as c_int, 0) };
        Context::new(state, api.g722_decode, api.g722_decode_free).map(Self)
    }

    /// Decodes octets to two samples each; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        self.0.decode(octets, pcm, 4)
    }
}

/// spandsp's G.726 encoder for 16-bit linear samples, packed as in RFC 3551.
pub struct G726Encoder {
    context: Context<Encode>,
    bits: usize,
}

impl G726Encoder {
    /// `bit_rate` is 16 000, 24 000, 32 000 or 40 000.
    #[must_use]
    pub fn new(bit_rate: u32) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one.
        let state = unsafe { (api.g726_init)(core::ptr::null_mut(), bit_rate as c_int, 0, PACKING_RIGHT) };
        let context = Context::new(state, api.g726_encode, api.g726_free)?;
        Some(Self { context, bits: bit_rate as usize / 8000 })
    }

    /// Encodes a number of samples that fills whole octets; returns the octets.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        self.context.encode(pcm, out, 2 * self.bits)
    }
}

/// spandsp's G.726 decoder to 16-bit linear samples, packed as in RFC 3551.
pub struct G726Decoder {
    context: Context<Decode>,
    bits: usize,
}

impl G726Decoder {
    /// `bit_rate` is 16 000, 24 000, 32 000 or 40 000.
    #[must_use]
    pub fn new(bit_rate: u32) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one.
        let state = unsafe { (api.g726_init)(core::ptr::null_mut(), bit_rate as c_int, 0, PACKING_RIGHT) };
        let context = Context::new(state, api.g726_decode, api.g726_free)?;
        Some(Self { context, bits: bit_rate as usize / 8000 })
    }

    /// Decodes octets; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        self.context.decode(octets, pcm, self.bits)
    }
}
