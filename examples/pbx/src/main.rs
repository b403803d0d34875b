//! The PBX program.
fn main() {}
