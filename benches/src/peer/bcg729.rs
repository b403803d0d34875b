//! bcg729: G.729 Annexes A and B (Debian package `libbcg729-0`). Not bit-exact.

use super::open;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::NonNull;
use libloading::Library;
use std::sync::OnceLock;

type Channel = c_void;
type InitEncoder = unsafe extern "C" fn(u8) -> *mut Channel;
type InitDecoder = unsafe extern "C" fn() -> *mut Channel;
type Close = unsafe extern "C" fn(*mut Channel);
type Encode = unsafe extern "C" fn(*mut Channel, *const i16, *mut u8, *mut u8);
type Decode = unsafe extern "C" fn(*mut Channel, *const u8, u8, u8, u8, u8, *mut i16);

/// The functions that are measured. The library stays open for as long as the process lives.
struct Api {
    init_encoder: InitEncoder,
    encode: Encode,
    close_encoder: Close,
    init_decoder: InitDecoder,
    decode: Decode,
    close_decoder: Close,
    _library: Library,
}

impl Api {
    fn get() -> Option<&'static Self> {
        static API: OnceLock<Option<Api>> = OnceLock::new();
        API.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let library = open(&["libbcg729.so.0", "libbcg729.so"], "libbcg729-0")?;
        // SAFETY: names and signatures are those of bcg729 1.1, <bcg729/encoder.h> and <bcg729/decoder.h>.
        unsafe {
            Some(Self {
                init_encoder: *library.get(b"initBcg729EncoderChannel\0").ok()?,
                encode: *library.get(b"bcg729Encoder\0").ok()?,
                close_encoder: *library.get(b"closeBcg729EncoderChannel\0").ok()?,
                init_decoder: *library.get(b"initBcg729DecoderChannel\0").ok()?,
                decode: *library.get(b"bcg729Decoder\0").ok()?,
                close_decoder: *library.get(b"closeBcg729DecoderChannel\0").ok()?,
                _library: library,
            })
        }
    }
}

/// bcg729's encoder.
pub struct Encoder {
    channel: NonNull<Channel>,
    api: &'static Api,
    /// A channel belongs to one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl Encoder {
    /// With or without voice activity detection.
    #[must_use]
    pub fn new(vad: bool) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: the function has no preconditions.
        let channel = NonNull::new(unsafe { (api.init_encoder)(u8::from(vad)) })?;
        Some(Self { channel, api, _not_sync: PhantomData })
    }

    /// Encodes a frame; returns the octets: 10, 2 or 0.
    pub fn encode(&mut self, pcm: &[i16; 80], out: &mut [u8; 10]) -> usize {
        let mut octets = 0;
        // SAFETY: the channel is alive and ours alone; a frame has 80 samples and at most 10 octets.
        unsafe {
            (self.api.encode)(self.channel.as_ptr(), pcm.as_ptr(), out.as_mut_ptr(), &mut octets);
        }
        usize::from(octets)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the channel came from `init_encoder`; it ends here.
        unsafe { (self.api.close_encoder)(self.channel.as_ptr()) };
    }
}

/// bcg729's decoder.
pub struct Decoder {
    channel: NonNull<Channel>,
    api: &'static Api,
    /// A channel belongs to one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl Decoder {
    /// A new decoder.
    #[must_use]
    pub fn new() -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: the function has no preconditions.
        let channel = NonNull::new(unsafe { (api.init_decoder)() })?;
        Some(Self { channel, api, _not_sync: PhantomData })
    }

    /// Decodes a speech frame.
    pub fn decode(&mut self, octets: &[u8; 10], pcm: &mut [i16; 80]) {
        // SAFETY: the channel is alive and ours alone; a speech frame has 10 octets and 80 samples.
        unsafe {
            (self.api.decode)(self.channel.as_ptr(), octets.as_ptr(), 10, 0, 0, 0, pcm.as_mut_ptr());
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the channel came from `init_decoder`; it ends here.
        unsafe { (self.api.close_decoder)(self.channel.as_ptr()) };
    }
}
