//! `pnp`: asks the network where the settings are, and prints what it tells.

use super::Outcome;
use crate::config::Config;
use crate::trace::Trace;
use serde::Serialize;

/// The line that it prints.
#[derive(Serialize)]
struct ProfileReport {
    /// The first first.
    urls: Vec<String>,
    effective_by_s: Option<u32>,
    /// The type of settings that came in place of a URL.
    content: Option<String>,
    reason: Option<String>,
}

pub(super) async fn run(config: &Config, trace: Option<&Trace>, mut out: impl FnMut(String)) -> Outcome {
    let (report, outcome) = match config.find_profile("phone", trace).await {
        Ok(profile) => {
            let content = profile.content.map(|(kind, _)| kind.to_string());
            let (urls, effective_by_s) = (profile.urls, profile.effective_by);
            (ProfileReport { urls, effective_by_s, content, reason: None }, Outcome::Done)
        }
        Err(error) => {
            let reason = Some(error.to_string());
            (
                ProfileReport { urls: Vec::new(), effective_by_s: None, content: None, reason },
                Outcome::CallFailed,
            )
        }
    };
    if let Ok(line) = serde_json::to_string(&report) {
        out(line);
    }
    outcome
}
