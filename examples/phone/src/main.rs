//! The phone program.
fn main() {}
