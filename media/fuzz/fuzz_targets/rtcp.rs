//! See `tests/support/fuzz/rtcp.rs`.
#![no_main]

#[path = "../../tests/support/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::rtcp::run(data));
