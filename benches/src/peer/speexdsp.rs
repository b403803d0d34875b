//! speexdsp: echo canceller, preprocessor, resampler (Debian package `libspeexdsp1`).

use super::{Free, Instance, State, functions};
use core::ffi::{c_int, c_void};
use core::ptr::from_mut;

type EchoInit = unsafe extern "C" fn(c_int, c_int) -> *mut State;
type EchoRun = unsafe extern "C" fn(*mut State, *const i16, *const i16, *mut i16);
type Control = unsafe extern "C" fn(*mut State, c_int, *mut c_void) -> c_int;
type PreprocessInit = unsafe extern "C" fn(c_int, c_int) -> *mut State;
type PreprocessRun = unsafe extern "C" fn(*mut State, *mut i16) -> c_int;
type ResampleInit = unsafe extern "C" fn(u32, u32, u32, c_int, *mut c_int) -> *mut State;
type Resample = unsafe extern "C" fn(*mut State, u32, *const i16, *mut u32, *mut i16, *mut u32) -> c_int;

const ECHO_SET_SAMPLING_RATE: c_int = 24;
const PREPROCESS_SET_DENOISE: c_int = 0;
const PREPROCESS_SET_AGC: c_int = 2;
const PREPROCESS_SET_ECHO_STATE: c_int = 24;

functions! {
    /// speexdsp 1.2, `speex/speex_echo.h`, `speex/speex_preprocess.h`, `speex/speex_resampler.h`.
    Api from ["libspeexdsp.so.1", "libspeexdsp.so"], "libspeexdsp1";
    echo_init: EchoInit = "speex_echo_state_init",
    echo_run: EchoRun = "speex_echo_cancellation",
    echo_control: Control = "speex_echo_ctl",
    echo_free: Free<()> = "speex_echo_state_destroy",
    preprocess_init: PreprocessInit = "speex_preprocess_state_init",
    preprocess_run: PreprocessRun = "speex_preprocess_run",
    preprocess_control: Control = "speex_preprocess_ctl",
    preprocess_free: Free<()> = "speex_preprocess_state_destroy",
    resample_init: ResampleInit = "speex_resampler_init",
    resample: Resample = "speex_resampler_process_int",
    resample_free: Free<()> = "speex_resampler_destroy",
}

/// speexdsp's preprocessor: noise suppression, gain control.
pub struct Preprocessor {
    context: Instance<PreprocessRun>,
    frame: usize,
}

impl Preprocessor {
    /// For frames of 10 ms, with noise suppression, gain control, or both.
    #[must_use]
    pub fn new(sample_rate: u32, denoise: bool, agc: bool) -> Option<Self> {
        let api = Api::get()?;
        let frame = sample_rate as usize / 100;
        // SAFETY: it takes two numbers.
        let state = unsafe { (api.preprocess_init)(frame as c_int, sample_rate as c_int) };
        let mut context = Instance::new(state, api.preprocess_run, api.preprocess_free)?;
        for (request, on) in [(PREPROCESS_SET_DENOISE, denoise), (PREPROCESS_SET_AGC, agc)] {
            let mut value = c_int::from(on);
            // SAFETY: both requests read an integer.
            unsafe { (api.preprocess_control)(context.state(), request, from_mut(&mut value).cast()) };
        }
        Some(Self { context, frame })
    }

    /// Works on a frame in place.
    pub fn process(&mut self, pcm: &mut [i16]) {
        assert!(pcm.len() == self.frame, "a frame of {} samples", self.frame);
        // SAFETY: the state is alive and ours alone; the assertion above bounds what is read and written.
        unsafe { (self.context.work)(self.context.state(), pcm.as_mut_ptr()) };
    }
}

/// speexdsp's echo canceller with its suppressor of what is left.
pub struct EchoCanceller {
    /// Goes first, as it looks into the canceller's state.
    suppressor: Preprocessor,
    context: Instance<EchoRun>,
    frame: usize,
}

impl EchoCanceller {
    /// For frames of 10 ms and an echo of `tail` milliseconds.
    #[must_use]
    pub fn new(sample_rate: u32, tail: usize) -> Option<Self> {
        let api = Api::get()?;
        let frame = sample_rate as usize / 100;
        // SAFETY: it takes two numbers.
        let state = unsafe { (api.echo_init)(frame as c_int, (sample_rate as usize / 1000 * tail) as c_int) };
        let mut context = Instance::new(state, api.echo_run, api.echo_free)?;
        let mut rate = sample_rate as c_int;
        // SAFETY: the request reads an integer.
        unsafe { (api.echo_control)(context.state(), ECHO_SET_SAMPLING_RATE, from_mut(&mut rate).cast()) };
        let mut suppressor = Preprocessor::new(sample_rate, false, false)?;
        // SAFETY: the request takes an echo canceller's state, which lives as long as the suppressor.
        unsafe {
            (api.preprocess_control)(
                suppressor.context.state(),
                PREPROCESS_SET_ECHO_STATE,
                context.state().cast(),
            );
        }
        Some(Self { suppressor, context, frame })
    }

    /// Takes the echo of `far` out of `near`.
    pub fn process(&mut self, far: &[i16], near: &[i16], out: &mut [i16]) {
        let frame = self.frame;
        assert!(far.len() == frame && near.len() == frame && out.len() == frame, "frames of {frame} samples");
        // SAFETY: the state is alive and ours alone; the assertion above bounds what is read and written.
        unsafe { (self.context.work)(self.context.state(), near.as_ptr(), far.as_ptr(), out.as_mut_ptr()) };
        self.suppressor.process(out);
    }
}

/// One channel of speexdsp's resampler.
pub struct SpeexResampler(Instance<Resample>);

impl SpeexResampler {
    /// `quality` is 0 to 10; 3 is what the library calls good for telephony, 5 what desktops take.
    #[must_use]
    pub fn new(from: u32, to: u32, quality: i32) -> Option<Self> {
        let api = Api::get()?;
        let mut error = 0;
        // SAFETY: the error outlives the call.
        let state = unsafe { (api.resample_init)(1, from, to, quality, &raw mut error) };
        Instance::new(state, api.resample, api.resample_free).map(Self)
    }

    /// Takes `input`, writes to the start of `out`, returns how many samples.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        let (mut read, mut written) = (input.len() as u32, out.len() as u32);
        let work = self.0.work;
        // SAFETY: the state is alive and ours alone, and both lengths are those of the slices.
        unsafe {
            work(self.0.state(), 0, input.as_ptr(), &raw mut read, out.as_mut_ptr(), &raw mut written);
        }
        written as usize
    }
}
