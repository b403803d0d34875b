//! Codecs that we did not write, in C, opened at run time.
//!
//! One file a library. Each hands out encoders and decoders with safe methods, or `None` if the library is
//! not installed; a benchmark then runs without that peer and says so.

#![allow(unsafe_code, reason = "functions of C libraries")]

pub mod avcodec;
pub mod bcg729;
pub mod ilbc;
pub mod libopus;
pub mod opencore_amr;
pub mod spandsp;

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
