//! libilbc: WebRTC's fixed-point iLBC as a library. It is not in Debian.

use super::open;
use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};
use libloading::Library;
use std::sync::OnceLock;

type State = c_void;
type Create = unsafe extern "C" fn(*mut *mut State) -> i16;
type Init = unsafe extern "C" fn(*mut State, i16) -> i16;
type Free = unsafe extern "C" fn(*mut State) -> i16;
type Encode = unsafe extern "C" fn(*mut State, *const i16, usize, *mut u8) -> c_int;
type Decode = unsafe extern "C" fn(*mut State, *const u8, usize, *mut i16, *mut i16) -> c_int;

/// What libilbc has for one direction.
#[derive(Clone, Copy)]
struct Direction<Work> {
    create: Create,
    init: Init,
    work: Work,
    free: Free,
}

struct LibIlbc {
    encoder: Direction<Encode>,
    decoder: Direction<Decode>,
    _library: Library,
}

impl LibIlbc {
    fn get() -> Option<&'static Self> {
        static API: OnceLock<Option<LibIlbc>> = OnceLock::new();
        API.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let library = open(&["libilbc.so.3"], "none: https://github.com/TimothyGu/libilbc")?;
        // SAFETY: names and signatures are those of libilbc 3.0, <ilbc.h>.
        unsafe {
            Some(Self {
                encoder: Direction {
                    create: *library.get(b"WebRtcIlbcfix_EncoderCreate\0").ok()?,
                    init: *library.get(b"WebRtcIlbcfix_EncoderInit\0").ok()?,
                    work: *library.get(b"WebRtcIlbcfix_Encode\0").ok()?,
                    free: *library.get(b"WebRtcIlbcfix_EncoderFree\0").ok()?,
                },
                decoder: Direction {
                    create: *library.get(b"WebRtcIlbcfix_DecoderCreate\0").ok()?,
                    init: *library.get(b"WebRtcIlbcfix_DecoderInit\0").ok()?,
                    work: *library.get(b"WebRtcIlbcfix_Decode\0").ok()?,
                    free: *library.get(b"WebRtcIlbcfix_DecoderFree\0").ok()?,
                },
                _library: library,
            })
        }
    }
}

/// An instance in one direction.
struct Instance<Work> {
    state: NonNull<State>,
    work: Work,
    free: Free,
    /// An instance belongs to one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl<Work: Copy> Instance<Work> {
    fn new(direction: Direction<Work>, millis: u8) -> Option<Self> {
        let mut state = null_mut();
        // SAFETY: the function writes the pointer that it is given a place for.
        unsafe { (direction.create)(&mut state) };
        let instance = Self {
            state: NonNull::new(state)?,
            work: direction.work,
            free: direction.free,
            _not_sync: PhantomData,
        };
        // SAFETY: the instance was created just now.
        let done = unsafe { (direction.init)(instance.state.as_ptr(), i16::from(millis)) };
        (done >= 0).then_some(instance)
    }
}

impl<Work> Drop for Instance<Work> {
    fn drop(&mut self) {
        // SAFETY: the instance came from the `create` function that belongs to this `free`; it ends here.
        unsafe { (self.free)(self.state.as_ptr()) };
    }
}

/// libilbc's encoder.
pub struct Encoder(Instance<Encode>);

impl Encoder {
    /// For frames of 20 or 30 ms.
    #[must_use]
    pub fn new(millis: u8) -> Option<Self> {
        Instance::new(LibIlbc::get()?.encoder, millis).map(Self)
    }

    /// Encodes one frame; returns the octets.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        assert!(out.len() >= 50 && pcm.len() <= 240, "one frame and room for it");
        // SAFETY: the instance is alive and ours alone; a frame takes at most 50 octets.
        let octets =
            unsafe { (self.0.work)(self.0.state.as_ptr(), pcm.as_ptr(), pcm.len(), out.as_mut_ptr()) };
        octets as usize
    }
}

/// libilbc's decoder, with its enhancer.
pub struct Decoder(Instance<Decode>);

impl Decoder {
    /// For frames of 20 or 30 ms.
    #[must_use]
    pub fn new(millis: u8) -> Option<Self> {
        Instance::new(LibIlbc::get()?.decoder, millis).map(Self)
    }

    /// Decodes one frame; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        assert!(pcm.len() >= 240 && octets.len() <= 50, "one frame and room for it");
        let mut kind = 0;
        // SAFETY: the instance is alive and ours alone; a frame has at most 240 samples.
        let samples = unsafe {
            (self.0.work)(self.0.state.as_ptr(), octets.as_ptr(), octets.len(), pcm.as_mut_ptr(), &mut kind)
        };
        samples as usize
    }
}
