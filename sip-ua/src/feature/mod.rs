//! Telephone features as policies: settings and a message in, a decision or headers out. None of them sends anything or
//! knows the agent, so a PBX uses them as a phone does.
//!
//! Every policy has a settings struct whose fields name the settings of the telephones that it stands for, with their
//! defaults. Time comes in as [`Instant`](sidetone_hal::time::Instant) or as a [`TimeOfDay`], never from a clock.

pub mod acd;
pub mod alert;
pub mod anonymity;
pub mod auto_answer;
pub mod call_return;
pub mod call_waiting;
pub mod cause;
pub mod diversion;
pub mod do_not_disturb;
pub mod emergency;
pub mod forward;
pub mod hot_desking;
pub mod hotline;
pub mod identity;
mod info;
pub mod number;
pub mod redial;
pub mod redirect;
mod rejection;
mod scope;
pub mod screening;
mod server_code;
mod time_of_day;

pub use rejection::Rejection;
pub use scope::{Scope, Scoped};
pub use server_code::ServerCode;
pub use time_of_day::{TimeOfDay, Window};
