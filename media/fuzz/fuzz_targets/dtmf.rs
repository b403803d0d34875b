//! See `tests/support/fuzz/dtmf.rs`.
#![no_main]

#[path = "../../tests/support/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::dtmf::run(data));
