//! The phone without a person: calls, answers and registers for scripts, and prints one line of JSON for each call.

mod report;
mod script;

use crate::audio::WavError;
use crate::cli::{Action, Script};
use crate::config::Config;
use crate::desk::notice;
use crate::trace::Trace;
use core::time::Duration;
use report::{Cause, Report};
use script::Stage;
use serde::Serialize;
use sidetone_sip_core::{StatusCode, Uri};
use sidetone_sip_ua::{
    Account, AccountConfig, Error, IncomingCall, RegistrationState, UserAgent, UserAgentEvent,
};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How it went: the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// Every call was up and ended in order.
    Done = 0,
    /// A call failed: busy, refused, not answered, broken off.
    CallFailed = 1,
    /// The command line, the settings or a file are wrong.
    Usage = 2,
    /// An account could not be registered.
    RegistrationFailed = 3,
}

/// How long a registrar has for its first word: as long as a transaction takes to give up (RFC 3261 §17.1.2.2), and a bit.
const REGISTER_WITHIN: Duration = Duration::from_secs(35);

/// What cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum HeadlessError {
    /// The sockets cannot be opened, or an account is wrong.
    #[error(transparent)]
    UserAgent(#[from] Error),
    /// The file to play cannot be used.
    #[error(transparent)]
    Wav(#[from] WavError),
}

/// Does what `action` says, until it is done or `stop` becomes true. Reports go to `out`, one line each.
///
/// # Errors
/// Nothing was started.
pub async fn run(
    config: &Config,
    action: &Action,
    trace: Option<&Trace>,
    stop: watch::Receiver<bool>,
    out: impl FnMut(String),
) -> Result<Outcome, HeadlessError> {
    let stage = match action {
        Action::Call { script, .. } | Action::Answer { script, .. } => Stage::new(script.clone())?,
        Action::Register => Stage::new(Script::default())?,
    };
    let agent = config.user_agent("phone", trace).await?;
    let mut run = Run { agent, stage: Arc::new(stage), stop, out };
    let outcome = run.action(config, action).await;
    run.agent.shutdown().await;
    outcome
}

struct Run<O> {
    agent: UserAgent,
    stage: Arc<Stage>,
    stop: watch::Receiver<bool>,
    out: O,
}

/// The line that `register` prints for each account.
#[derive(Serialize)]
struct RegisterReport {
    account: String,
    registered: bool,
    expires_s: Option<u64>,
    status: Option<u16>,
    reason: String,
}

impl<O: FnMut(String)> Run<O> {
    async fn action(&mut self, config: &Config, action: &Action) -> Result<Outcome, HeadlessError> {
        let mut accounts = Vec::new();
        for account in &config.accounts {
            accounts.push(self.agent.add_account(account.clone()).await?);
        }
        let registering: Vec<_> = config
            .accounts
            .iter()
            .zip(&accounts)
            .filter(|(config, _)| config.register)
            .map(|(_, a)| a)
            .collect();
        let mut stop = self.stop.clone();
        tokio::select! {
            registered = self.register(&registering, matches!(action, Action::Register)) => if !registered {
                return Ok(Outcome::RegistrationFailed);
            },
            _ = stopped(&mut stop) => return Ok(Outcome::RegistrationFailed),
        }
        match action {
            Action::Register => Ok(Outcome::Done),
            Action::Call { to, .. } => {
                let account = match accounts.into_iter().next() {
                    Some(account) => account,
                    None => self.agent.add_account(nobody()?).await?,
                };
                Ok(self.call(&account, to).await)
            }
            Action::Answer { count, ring_for, .. } => Ok(self.answer(*count, *ring_for).await),
        }
    }

    /// Waits until every account is registered. Prints how that went when it is asked for, and every failure.
    async fn register(&mut self, accounts: &[&Account], print: bool) -> bool {
        let mut all = true;
        for account in accounts {
            let granted = tokio::time::timeout(REGISTER_WITHIN, account.registered()).await;
            let (expires, status, reason) = match granted {
                Ok(Ok(expires)) => (Some(expires.as_secs()), Some(200), String::new()),
                Ok(Err(Error::Registration { status, reason })) => {
                    (None, status.map(StatusCode::code), reason)
                }
                Ok(Err(error)) => (None, None, error.to_string()),
                Err(_) => (None, None, "no answer from the registrar".to_owned()),
            };
            all &= expires.is_some();
            if expires.is_none() || print {
                let account = account.aor().to_string();
                if expires.is_none() {
                    eprintln!("sidetone-phone: {account} could not be registered: {reason}");
                }
                let registered = expires.is_some();
                self.print(&RegisterReport { account, registered, expires_s: expires, status, reason });
            }
        }
        all
    }

    async fn call(&mut self, account: &Account, to: &str) -> Outcome {
        let mut report = Report::new(1, "out");
        let (port, recorder) = match self.stage.port(1) {
            Ok(port) => port,
            Err(error) => {
                eprintln!("sidetone-phone: {error}");
                return Outcome::Usage;
            }
        };
        match account.call(to, port).await {
            Ok(call) => {
                report.peer = public(&call.remote().uri);
                script::attend(call, &self.stage, &mut report, self.stop.clone()).await;
            }
            Err(error @ Error::Uri(_)) => {
                eprintln!("sidetone-phone: whom to call: {error}");
                return Outcome::Usage;
            }
            Err(error) => report.cause = Cause::network(&error),
        }
        script::finish(recorder).await;
        self.print(&report);
        report.outcome()
    }

    async fn answer(&mut self, count: u32, ring_for: Option<Duration>) -> Outcome {
        let mut calls = JoinSet::new();
        let mut outcome = Outcome::Done;
        let (mut taken, mut done) = (0, 0);
        let mut stop = self.stop.clone();
        loop {
            tokio::select! {
                event = self.agent.next_event() => match event {
                    Some(UserAgentEvent::Incoming(call)) if count == 0 || taken < count => {
                        taken += 1;
                        calls.spawn(take(call, taken, self.stage.clone(), ring_for, self.stop.clone()));
                    }
                    Some(UserAgentEvent::Incoming(call)) => {
                        // All calls that were asked for are taken; a caller who is gone already needs no answer.
                        let _ = call.reject(StatusCode::BUSY_HERE).await;
                    }
                    Some(UserAgentEvent::Registration { state: RegistrationState::Failed { reason, .. }, .. }) => {
                        eprintln!("sidetone-phone: the registration failed and is tried again: {reason}");
                    }
                    Some(event) => {
                        if let Some(line) = notice(&event) {
                            eprintln!("sidetone-phone: {line}");
                        }
                    }
                    None => return Outcome::CallFailed,
                },
                Some(report) = calls.join_next() => {
                    done += 1;
                    if let Ok(report) = report {
                        self.print(&report);
                        outcome = outcome.max(report.outcome());
                    }
                    if count != 0 && done >= count {
                        return outcome;
                    }
                }
                _ = stopped(&mut stop) => break,
            }
        }
        while let Some(report) = calls.join_next().await {
            if let Ok(report) = report {
                self.print(&report);
                outcome = outcome.max(report.outcome());
            }
        }
        outcome
    }

    fn print(&mut self, report: &impl Serialize) {
        // Reports are plain text and numbers, which always have a form in JSON.
        if let Ok(line) = serde_json::to_string(report) {
            (self.out)(line);
        }
    }
}

/// Rings, answers and attends one incoming call.
async fn take(
    mut call: IncomingCall,
    number: u32,
    stage: Arc<Stage>,
    ring_for: Option<Duration>,
    mut stop: watch::Receiver<bool>,
) -> Report {
    let mut report = Report::new(number, "in");
    report.peer = public(&call.from().uri);
    if let Some(time) = ring_for {
        // A caller who has given up by now ends the call below.
        let _ = call.ring().await;
        let ended = tokio::select! {
            () = tokio::time::sleep(time) => None,
            ended = call.ended() => ended,
            _ = stopped(&mut stop) => None,
        };
        if let Some(cause) = ended {
            report.cause = Cause::from(&cause);
            return report;
        }
    }
    let (port, recorder) = match stage.port(number) {
        Ok(port) => port,
        Err(error) => {
            eprintln!("sidetone-phone: {error}");
            let _ = call.reject(StatusCode::SERVER_INTERNAL_ERROR).await;
            report.cause = Cause::network(&error);
            return report;
        }
    };
    match call.answer(port).await {
        Ok(call) => script::attend(call, &stage, &mut report, stop).await,
        Err(error) => report.cause = Cause::network(&error),
    }
    script::finish(recorder).await;
    report
}

/// Comes back when `stop` is true.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone can stop nobody.
    if stop.wait_for(|stop| *stop).await.is_err() {
        core::future::pending::<()>().await;
    }
}

/// Who calls when there is no account: the identity of RFC 3323 §4.1.1.3.
fn nobody() -> Result<AccountConfig, Error> {
    Ok(AccountConfig::parse("sip:anonymous@anonymous.invalid")?.without_registration())
}

/// An address without its password.
fn public(uri: &Uri) -> String {
    let text = uri.to_string();
    let Some((start, host)) = text.split_once('@') else { return text };
    match start.split_once(':').and_then(|(scheme, user)| Some((scheme, user.split_once(':')?.0))) {
        Some((scheme, user)) => format!("{scheme}:{user}@{host}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_reported_without_passwords() {
        let public = |text: &str| public(&text.parse().expect("a URI"));
        assert_eq!(public("sip:bob:secret@example.org:5070"), "sip:bob@example.org:5070");
        assert_eq!(public("sip:bob@example.org;transport=tcp"), "sip:bob@example.org;transport=tcp");
        assert_eq!(public("sip:example.org:5070"), "sip:example.org:5070");
    }
}
