//! libopus (Debian package `libopus0`), one channel.

use super::open;
use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::ptr::NonNull;
use libloading::Library;
use std::sync::OnceLock;

type State = c_void;
type CreateEncoder = unsafe extern "C" fn(i32, c_int, c_int, *mut c_int) -> *mut State;
type CreateDecoder = unsafe extern "C" fn(i32, c_int, *mut c_int) -> *mut State;
type Destroy = unsafe extern "C" fn(*mut State);
type Control = unsafe extern "C" fn(*mut State, c_int, ...) -> c_int;
type Encode = unsafe extern "C" fn(*mut State, *const i16, c_int, *mut u8, i32) -> i32;
type Decode = unsafe extern "C" fn(*mut State, *const u8, i32, *mut i16, c_int, c_int) -> c_int;

const APPLICATION_VOIP: c_int = 2048;
const SET_BITRATE: c_int = 4002;
const SET_COMPLEXITY: c_int = 4010;

struct Api {
    create_encoder: CreateEncoder,
    control: Control,
    encode: Encode,
    destroy_encoder: Destroy,
    create_decoder: CreateDecoder,
    decode: Decode,
    destroy_decoder: Destroy,
    _library: Library,
}

impl Api {
    fn get() -> Option<&'static Self> {
        static API: OnceLock<Option<Api>> = OnceLock::new();
        API.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let library = open(&["libopus.so.0", "libopus.so"], "libopus0")?;
        // SAFETY: names and signatures are those of libopus 1.3, <opus/opus.h>.
        unsafe {
            Some(Self {
                create_encoder: *library.get(b"opus_encoder_create\0").ok()?,
                control: *library.get(b"opus_encoder_ctl\0").ok()?,
                encode: *library.get(b"opus_encode\0").ok()?,
                destroy_encoder: *library.get(b"opus_encoder_destroy\0").ok()?,
                create_decoder: *library.get(b"opus_decoder_create\0").ok()?,
                decode: *library.get(b"opus_decode\0").ok()?,
                destroy_decoder: *library.get(b"opus_decoder_destroy\0").ok()?,
                _library: library,
            })
        }
    }
}

/// libopus's encoder, for speech.
pub struct Encoder {
    state: NonNull<State>,
    api: &'static Api,
    /// A state belongs to one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl Encoder {
    /// An encoder at this sample rate.
    #[must_use]
    pub fn new(sample_rate: i32, bit_rate: i32, complexity: i32) -> Option<Self> {
        let api = Api::get()?;
        let mut error = 0;
        // SAFETY: `error` outlives the call; other arguments are plain numbers, which libopus checks.
        let state = unsafe { (api.create_encoder)(sample_rate, 1, APPLICATION_VOIP, &raw mut error) };
        let encoder = Self { state: NonNull::new(state)?, api, _not_sync: PhantomData };
        for (request, value) in [(SET_BITRATE, bit_rate), (SET_COMPLEXITY, complexity)] {
            // SAFETY: the state is alive; both requests take one 32-bit number.
            let result = unsafe { (api.control)(encoder.state.as_ptr(), request, value) };
            assert_eq!(result, 0, "libopus refused {request} = {value}");
        }
        Some(encoder)
    }

    /// Encodes a frame; returns the octets.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        // SAFETY: the state is alive and ours alone; the lengths are those of the slices, of one channel.
        let octets = unsafe {
            let (samples, room) = (pcm.len() as c_int, out.len() as i32);
            (self.api.encode)(self.state.as_ptr(), pcm.as_ptr(), samples, out.as_mut_ptr(), room)
        };
        usize::try_from(octets).expect("libopus encodes")
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state came from `create_encoder`; it ends here.
        unsafe { (self.api.destroy_encoder)(self.state.as_ptr()) };
    }
}

/// libopus's decoder.
pub struct Decoder {
    state: NonNull<State>,
    api: &'static Api,
    _not_sync: PhantomData<*mut ()>,
}

impl Decoder {
    /// A decoder to one channel at this sample rate.
    #[must_use]
    pub fn new(sample_rate: i32) -> Option<Self> {
        let api = Api::get()?;
        let mut error = 0;
        // SAFETY: `error` outlives the call.
        let state = unsafe { (api.create_decoder)(sample_rate, 1, &raw mut error) };
        Some(Self { state: NonNull::new(state)?, api, _not_sync: PhantomData })
    }

    /// Decodes a packet; returns the samples.
    pub fn decode(&mut self, packet: &[u8], pcm: &mut [i16]) -> usize {
        // SAFETY: the state is alive and ours alone; the lengths are those of the slices, of one channel.
        let samples = unsafe {
            let (octets, room) = (packet.len() as i32, pcm.len() as c_int);
            (self.api.decode)(self.state.as_ptr(), packet.as_ptr(), octets, pcm.as_mut_ptr(), room, 0)
        };
        usize::try_from(samples).expect("libopus decodes")
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state came from `create_decoder`; it ends here.
        unsafe { (self.api.destroy_decoder)(self.state.as_ptr()) };
    }
}
