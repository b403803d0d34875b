//! See `tests/support/fuzz/jitter.rs`.
#![no_main]

#[path = "../../tests/support/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::jitter::run(data));
