#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "std")]
extern crate std;

pub mod net;
pub mod rng;
pub mod time;
pub mod timer;
