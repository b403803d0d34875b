//! Telephone features as policies: settings and a message in, a decision or headers out. None of them sends anything or
//! knows the agent, so a PBX uses them as a phone does.

pub mod alert;
pub mod anonymity;
pub mod auto_answer;
pub mod cause;
pub mod diversion;
pub mod do_not_disturb;
pub mod emergency;
pub mod forward;
pub mod identity;
pub mod redirect;
pub mod screening;
