#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod audio;
pub mod display;
pub mod event;
pub mod hook;
pub mod keypad;
pub mod lamp;
pub mod net;
pub mod rng;
pub mod time;
pub mod timer;

#[cfg(feature = "sim")]
pub mod sim;

pub use event::Event;
