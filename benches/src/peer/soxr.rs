//! The SoX resampler library (Debian package `libsoxr0`).

use super::{Free, Instance, State, functions};
use core::ffi::{c_char, c_int, c_uint, c_ulong, c_void};
use core::ptr::{null, null_mut};

/// `soxr_io_spec_t`.
#[repr(C)]
struct IoSpec {
    itype: c_int,
    otype: c_int,
    scale: f64,
    e: *mut c_void,
    flags: c_ulong,
}

/// `soxr_quality_spec_t`.
#[repr(C)]
struct QualitySpec {
    precision: f64,
    phase_response: f64,
    passband_end: f64,
    stopband_begin: f64,
    e: *mut c_void,
    flags: c_ulong,
}

type Error = *const c_char;
type Create = unsafe extern "C" fn(
    f64,
    f64,
    c_uint,
    *mut Error,
    *const IoSpec,
    *const QualitySpec,
    *const c_void,
) -> *mut State;
type Quality = unsafe extern "C" fn(c_ulong, c_ulong) -> QualitySpec;
type Process = unsafe extern "C" fn(
    *mut State,
    *const c_void,
    usize,
    *mut usize,
    *mut c_void,
    usize,
    *mut usize,
) -> Error;

/// `SOXR_INT16_I`.
const INT16: c_int = 3;
/// `SOXR_LQ`: 16 bits with a larger roll-off.
const LOW_QUALITY: c_ulong = 1;

functions! {
    /// libsoxr 0.1.3, `soxr.h`.
    Api from ["libsoxr.so.0", "libsoxr.so"], "libsoxr0";
    create: Create = "soxr_create",
    quality: Quality = "soxr_quality_spec",
    process: Process = "soxr_process",
    free: Free<()> = "soxr_delete",
}

/// One channel at its low quality, which is meant for 16 bits.
pub struct SoxrResampler(Instance<Process>);

impl SoxrResampler {
    /// From one rate to another.
    #[must_use]
    pub fn new(from: u32, to: u32) -> Option<Self> {
        let api = Api::get()?;
        let io = IoSpec { itype: INT16, otype: INT16, scale: 1.0, e: null_mut(), flags: 0 };
        // SAFETY: both specs and the error outlive the call, and none of them is kept.
        let state = unsafe {
            let quality = (api.quality)(LOW_QUALITY, 0);
            let mut error = null();
            (api.create)(
                f64::from(from),
                f64::from(to),
                1,
                &raw mut error,
                &raw const io,
                &raw const quality,
                null(),
            )
        };
        Instance::new(state, api.process, api.free).map(Self)
    }

    /// Takes `input`, writes to the start of `out`, returns how many samples.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        let (mut read, mut written) = (0, 0);
        let work = self.0.work;
        // SAFETY: the state is alive and ours alone, and both lengths are those of the slices.
        unsafe {
            work(
                self.0.state(),
                input.as_ptr().cast(),
                input.len(),
                &raw mut read,
                out.as_mut_ptr().cast(),
                out.len(),
                &raw mut written,
            );
        }
        written
    }
}
