//! Calls that are completed later, as the phone reads it.

use crate::settings::Settings;
use core::time::Duration;

/// How calls are completed that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct CompletionSettings {
    pub enabled: bool,
    pub no_answer: bool,
    pub watch: Duration,
    pub answer: Duration,
}

impl Settings {
    pub(super) fn completion(&self) -> CompletionSettings {
        let value = |name: &str| self.value(&format!("call_completion.{name}"), 0);
        CompletionSettings {
            enabled: value("enabled").bool(),
            no_answer: value("no_answer").bool(),
            watch: value("watch").seconds(),
            answer: value("answer").seconds(),
        }
    }
}
