//! Codecs that we did not write, in C, opened at run time.
//!
//! One file a library. Each hands out encoders and decoders with safe methods, or `None` if the library is
//! not installed; a benchmark then runs without that peer and says so.

#![allow(unsafe_code, reason = "functions of C libraries")]

pub mod avcodec;
pub mod bcg729;
pub mod ilbc;
pub mod libopus;
pub mod libsrtp;
pub mod opencore_amr;
pub mod pjmedia;
pub mod soxr;
pub mod spandsp;
pub mod spandsp_dtmf;
pub mod speexdsp;

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::NonNull;
use libloading::Library;

/// Opens the first of these shared libraries; if there is none, says which Debian package has it.
#[must_use]
pub fn open(names: &[&str], package: &str) -> Option<Library> {
    // SAFETY: the initialisers of these libraries have no preconditions.
    let library = names.iter().find_map(|name| unsafe { Library::new(*name) }.ok());
    if library.is_none() {
        eprintln!("peer skipped, not installed: {} (Debian package {package})", names.join(" or "));
    }
    library
}

/// Declares the functions of one library that are used, and `get()`, which opens it once; it stays open for as long
/// as the process lives. Types are those of the header that the invocation names: that is what `get` relies on.
macro_rules! functions {
    (
        $(#[$header:meta])*
        $api:ident from $names:expr, $package:literal;
        $($field:ident: $kind:ty = $symbol:literal,)*
    ) => {
        $(#[$header])*
        struct $api {
            $($field: $kind,)*
            _library: libloading::Library,
        }

        impl $api {
            fn get() -> Option<&'static Self> {
                static API: std::sync::OnceLock<Option<$api>> = std::sync::OnceLock::new();
                let load = || {
                    let library = super::open(&$names, $package)?;
                    // SAFETY: names and signatures are those of the header.
                    unsafe {
                        Some($api {
                            $($field: *library.get(concat!($symbol, "\0").as_bytes()).ok()?,)*
                            _library: library,
                        })
                    }
                };
                API.get_or_init(load).as_ref()
            }
        }
    };
}
use functions;

type State = c_void;
type Free<R> = unsafe extern "C" fn(*mut State) -> R;

/// The state of one coder, with the function that works on it and the one that gives it back.
struct Instance<Work, R = ()> {
    state: NonNull<State>,
    work: Work,
    free: Free<R>,
    /// A state belongs to one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl<Work, R> Instance<Work, R> {
    /// `None` for a state that the library could not make. `free` belongs to the function that made it.
    fn new(state: *mut State, work: Work, free: Free<R>) -> Option<Self> {
        Some(Self { state: NonNull::new(state)?, work, free, _not_sync: PhantomData })
    }

    const fn state(&mut self) -> *mut State {
        self.state.as_ptr()
    }
}

impl<Work, R> Drop for Instance<Work, R> {
    fn drop(&mut self) {
        // SAFETY: the state came from the function that belongs to this `free`, and ends here.
        unsafe { (self.free)(self.state.as_ptr()) };
    }
}
