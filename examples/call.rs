//! call
fn main() {}
