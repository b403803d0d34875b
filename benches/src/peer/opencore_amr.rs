//! opencore-amrnb: AMR-NB, encoder and decoder (Debian package `libopencore-amrnb0`).

use super::{Free, Instance, State, functions};
use core::ffi::c_int;

type Encode = unsafe extern "C" fn(*mut State, c_int, *mut i16, *mut u8, c_int) -> c_int;
type Decode = unsafe extern "C" fn(*mut State, *const u8, *mut i16, c_int);

/// Samples of a frame.
const FRAME: usize = 160;

/// Octets of a frame by its type, with the header (RFC 4867 §5.3).
const OCTETS: [usize; 16] = [13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1];

functions! {
    /// opencore-amrnb 0.1.6, `opencore-amrnb/interf_enc.h` and `opencore-amrnb/interf_dec.h`.
    Api from ["libopencore-amrnb.so.0", "libopencore-amrnb.so"], "libopencore-amrnb0";
    encoder_init: unsafe extern "C" fn(c_int) -> *mut State = "Encoder_Interface_init",
    encode: Encode = "Encoder_Interface_Encode",
    encoder_exit: Free<()> = "Encoder_Interface_exit",
    decoder_init: unsafe extern "C" fn() -> *mut State = "Decoder_Interface_init",
    decode: Decode = "Decoder_Interface_Decode",
    decoder_exit: Free<()> = "Decoder_Interface_exit",
}

/// An AMR encoder.
pub struct Encoder(Instance<Encode>);

impl Encoder {
    /// A new encoder; `None` if the library is not installed.
    #[must_use]
    pub fn new(dtx: bool) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: it has no preconditions.
        let state = unsafe { (api.encoder_init)(c_int::from(dtx)) };
        Instance::new(state, api.encode, api.encoder_exit).map(Self)
    }

    /// Encodes a frame in mode 0 (4.75 kbit/s) to 7 (12.2) in the storage format; returns the octets.
    pub fn encode(&mut self, mode: u8, pcm: &[i16], out: &mut [u8; 32]) -> usize {
        assert!(mode < 8 && pcm.len() == FRAME, "a frame in one of eight modes");
        // The library filters its input in place, whatever its signature says.
        let mut frame = [0; FRAME];
        frame.copy_from_slice(pcm);
        let (frame, out) = (frame.as_mut_ptr(), out.as_mut_ptr());
        // SAFETY: the state is alive and ours alone; 160 samples are read and written, and 32 octets at most written.
        let octets = unsafe { (self.0.work)(self.0.state(), c_int::from(mode), frame, out, 0) };
        octets as usize
    }
}

/// An AMR decoder.
pub struct Decoder(Instance<Decode>);

impl Decoder {
    /// A new decoder; `None` if the library is not installed.
    #[must_use]
    pub fn new() -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: it has no preconditions.
        let state = unsafe { (api.decoder_init)() };
        Instance::new(state, api.decode, api.decoder_exit).map(Self)
    }

    /// Decodes a frame in the storage format.
    pub fn decode(&mut self, frame: &[u8], pcm: &mut [i16; FRAME]) {
        let octets = frame.first().map_or(0, |header| OCTETS[usize::from(header >> 3 & 15)]);
        assert!(octets > 0 && frame.len() >= octets, "a whole frame of a type that AMR has");
        // SAFETY: the state is alive and ours alone; the assertion above bounds what is read, 160 samples are written.
        unsafe { (self.0.work)(self.0.state(), frame.as_ptr(), pcm.as_mut_ptr(), 0) }
    }
}
