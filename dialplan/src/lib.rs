#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod automaton;
mod collector;
mod digit_map;
mod error;
mod explain;
mod expression;
mod hotline;
mod keys;
mod matcher;
mod plan;
mod plus;
mod rule;
mod rule_list;
mod style;
mod template_file;

pub use automaton::StateId;
pub use collector::{Collector, CollectorConfig, DialCause, DigitError, Progress, Timer, Timing};
pub use digit_map::DigitMap;
pub use error::{PlanError, PlanErrorKind};
pub use hotline::{Hotline, HotlineConfig};
pub use plan::{Call, CompileError, Outcome, Plan, is_address};
pub use plus::PlusCodes;
pub use rule::{MAX_FEATURES, Rule, RuleId, RuleKind, Wait};
pub use rule_list::RuleList;
pub use style::{Style, UnknownStyle};
