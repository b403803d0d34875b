//! opencore-amrnb: AMR-NB, encoder and decoder (Debian package `libopencore-amrnb0`).

use super::open;
use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::ptr::NonNull;
use libloading::Library;
use std::sync::OnceLock;

type State = c_void;

/// Samples of a frame.
const FRAME: usize = 160;

/// Octets of a frame by its type, with the header (RFC 4867 §5.3).
const OCTETS: [usize; 16] = [13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1];

/// The functions that are measured. The library stays open for as long as the process lives.
struct Api {
    encoder_init: unsafe extern "C" fn(c_int) -> *mut State,
    encoder_encode: unsafe extern "C" fn(*mut State, c_int, *mut i16, *mut u8, c_int) -> c_int,
    encoder_exit: unsafe extern "C" fn(*mut State),
    decoder_init: unsafe extern "C" fn() -> *mut State,
    decoder_decode: unsafe extern "C" fn(*mut State, *const u8, *mut i16, c_int),
    decoder_exit: unsafe extern "C" fn(*mut State),
    _library: Library,
}

impl Api {
    fn get() -> Option<&'static Self> {
        static API: OnceLock<Option<Api>> = OnceLock::new();
        API.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let library = open(&["libopencore-amrnb.so.0", "libopencore-amrnb.so"], "libopencore-amrnb0")?;
        // SAFETY: names and signatures are those of opencore-amrnb 0.1.6, <opencore-amrnb/interf_enc.h> and
        // <opencore-amrnb/interf_dec.h>.
        unsafe {
            Some(Self {
                encoder_init: *library.get(b"Encoder_Interface_init\0").ok()?,
                encoder_encode: *library.get(b"Encoder_Interface_Encode\0").ok()?,
                encoder_exit: *library.get(b"Encoder_Interface_exit\0").ok()?,
                decoder_init: *library.get(b"Decoder_Interface_init\0").ok()?,
                decoder_decode: *library.get(b"Decoder_Interface_Decode\0").ok()?,
                decoder_exit: *library.get(b"Decoder_Interface_exit\0").ok()?,
                _library: library,
            })
        }
    }
}

/// An AMR encoder.
pub struct Encoder {
    state: NonNull<State>,
    api: &'static Api,
    /// A state belongs to one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl Encoder {
    /// A new encoder; `None` if the library is not installed.
    #[must_use]
    pub fn new(dtx: bool) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: it has no preconditions.
        let state = unsafe { (api.encoder_init)(c_int::from(dtx)) };
        Some(Self { state: NonNull::new(state)?, api, _not_sync: PhantomData })
    }

    /// Encodes a frame in mode 0 (4.75 kbit/s) to 7 (12.2) in the storage format; returns the octets.
    pub fn encode(&mut self, mode: u8, pcm: &[i16], out: &mut [u8; 32]) -> usize {
        assert!(mode < 8 && pcm.len() == FRAME, "a frame in one of eight modes");
        // The library filters its input in place, whatever its signature says.
        let mut frame = [0; FRAME];
        frame.copy_from_slice(pcm);
        // SAFETY: the state is alive and ours alone; 160 samples are read and written, and 32 octets at most written.
        let octets = unsafe {
            (self.api.encoder_encode)(
                self.state.as_ptr(),
                c_int::from(mode),
                frame.as_mut_ptr(),
                out.as_mut_ptr(),
                0,
            )
        };
        octets as usize
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state is alive, and nobody has it after this.
        unsafe { (self.api.encoder_exit)(self.state.as_ptr()) }
    }
}

/// An AMR decoder.
pub struct Decoder {
    state: NonNull<State>,
    api: &'static Api,
    /// A state belongs to one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl Decoder {
    /// A new decoder; `None` if the library is not installed.
    #[must_use]
    pub fn new() -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: it has no preconditions.
        let state = unsafe { (api.decoder_init)() };
        Some(Self { state: NonNull::new(state)?, api, _not_sync: PhantomData })
    }

    /// Decodes a frame in the storage format.
    pub fn decode(&mut self, frame: &[u8], pcm: &mut [i16; FRAME]) {
        let octets = frame.first().map_or(0, |header| OCTETS[usize::from(header >> 3 & 15)]);
        assert!(octets > 0 && frame.len() >= octets, "a whole frame of a type that AMR has");
        // SAFETY: the state is alive and ours alone; the assertion above bounds what is read, 160 samples are written.
        unsafe { (self.api.decoder_decode)(self.state.as_ptr(), frame.as_ptr(), pcm.as_mut_ptr(), 0) }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state is alive, and nobody has it after this.
        unsafe { (self.api.decoder_exit)(self.state.as_ptr()) }
    }
}
