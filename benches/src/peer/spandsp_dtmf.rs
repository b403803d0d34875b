//! spandsp: digits as tones, sounded and heard at 8 kHz (Debian package `libspandsp2`).

use super::{Free, Instance, State, functions};
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;

type InitReceiver = unsafe extern "C" fn(*mut State, *mut c_void, *mut c_void) -> *mut State;
type Receive = unsafe extern "C" fn(*mut State, *const i16, c_int) -> c_int;
type Get = unsafe extern "C" fn(*mut State, *mut c_char, c_int) -> usize;
type InitSender = unsafe extern "C" fn(*mut State) -> *mut State;
type Put = unsafe extern "C" fn(*mut State, *const c_char, c_int) -> c_int;
type Send = unsafe extern "C" fn(*mut State, *mut i16, c_int) -> c_int;

functions! {
    /// spandsp 0.0.6, `spandsp/dtmf.h`; the receiver's second argument is a callback, which may be null.
    Api from ["libspandsp.so.2", "libspandsp.so"], "libspandsp2";
    rx_init: InitReceiver = "dtmf_rx_init",
    rx: Receive = "dtmf_rx",
    rx_get: Get = "dtmf_rx_get",
    rx_free: Free<c_int> = "dtmf_rx_free",
    tx_init: InitSender = "dtmf_tx_init",
    tx_put: Put = "dtmf_tx_put",
    tx: Send = "dtmf_tx",
    tx_free: Free<c_int> = "dtmf_tx_free",
}

/// spandsp's detector.
pub struct Detector {
    instance: Instance<Receive, c_int>,
    get: Get,
}

impl Detector {
    /// With its usual settings.
    #[must_use]
    pub fn new() -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one; without a callback it keeps the digits.
        let state = unsafe { (api.rx_init)(null_mut(), null_mut(), null_mut()) };
        Some(Self { instance: Instance::new(state, api.rx, api.rx_free)?, get: api.rx_get })
    }

    /// Takes more of the signal.
    pub fn process(&mut self, pcm: &[i16]) {
        let work = self.instance.work;
        // SAFETY: the state is alive and ours alone; the samples are only read.
        unsafe { work(self.instance.state(), pcm.as_ptr(), pcm.len() as c_int) };
    }

    /// What was heard since it was last asked.
    pub fn digits(&mut self) -> String {
        let mut digits = [0_u8; 129];
        // SAFETY: at most 128 characters and a zero are written.
        let count = unsafe { (self.get)(self.instance.state(), digits.as_mut_ptr().cast(), 128) };
        digits[..count.min(128)].iter().map(|octet| char::from(*octet)).collect()
    }
}

/// spandsp's generator.
pub struct Generator {
    instance: Instance<Send, c_int>,
    put: Put,
}

impl Generator {
    /// With its usual settings: 50 ms of each digit, 55 ms of silence.
    #[must_use]
    pub fn new() -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: a null state makes the function allocate one.
        let state = unsafe { (api.tx_init)(null_mut()) };
        Some(Self { instance: Instance::new(state, api.tx, api.tx_free)?, put: api.tx_put })
    }

    /// Queues digits, at most 100 or so.
    pub fn put(&mut self, digits: &str) {
        // SAFETY: so many characters are read, and no zero is looked for.
        unsafe { (self.put)(self.instance.state(), digits.as_ptr().cast(), digits.len() as c_int) };
    }

    /// Makes samples; returns how many there were.
    pub fn fill(&mut self, pcm: &mut [i16]) -> usize {
        let work = self.instance.work;
        // SAFETY: the state is alive and ours alone; at most so many samples are written.
        let made = unsafe { work(self.instance.state(), pcm.as_mut_ptr(), pcm.len() as c_int) };
        usize::try_from(made).unwrap_or(0)
    }
}
