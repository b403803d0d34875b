//! The phone without a person: calls, answers and registers for scripts, and prints one line of JSON for each call.

mod plug_and_play;
mod report;
mod room;
mod script;
mod texts;
mod watching;

use crate::audio::{Recorder, WavError};
use crate::cli::{Action, Script};
use crate::config::Config;
use crate::desk::notice;
use crate::firmware::{CallPolicy, Invitation, refusal_of};
use crate::trace::Trace;
use core::time::Duration;
use report::{Cause, Report};
use script::Stage;
use serde::Serialize;
use sidetone_sip_core::{StatusCode, Uri};
use sidetone_sip_ua::feature::TimeOfDay;
use sidetone_sip_ua::feature::anonymity::{Presentation, Presented};
use sidetone_sip_ua::feature::forward::Redirect;
use sidetone_sip_ua::feature::screening::Screening;
use sidetone_sip_ua::{
    Account, AccountConfig, Call, CallRequest, Error, IncomingCall, IncomingRefer, IntoUri, Refusal,
    RegistrationState, UserAgent, UserAgentEvent,
};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

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
    if matches!(action, Action::Pnp) {
        let mut stop = stop;
        return Ok(tokio::select! {
            outcome = plug_and_play::run(config, trace, out) => outcome,
            _ = stopped(&mut stop) => Outcome::CallFailed,
        });
    }
    let stage = match action {
        Action::Call { script, .. } | Action::Answer { script, .. } => Stage::new(script.clone())?,
        Action::Register
        | Action::Message { .. }
        | Action::Room { .. }
        | Action::Blf { .. }
        | Action::Mwi { .. }
        | Action::Pnp => Stage::new(Script::default())?,
    };
    let agent = config.user_agent("phone", trace).await?;
    let mut run = Run { agent, stage: Arc::new(stage), stop, rules: CallPolicy::default(), out };
    let outcome = run.action(config, action).await;
    run.agent.shutdown().await;
    outcome
}

struct Run<O> {
    agent: UserAgent,
    stage: Arc<Stage>,
    stop: watch::Receiver<bool>,
    /// What becomes of calls that come in.
    rules: CallPolicy,
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
            // `Pnp` takes no account, and is done before.
            Action::Register | Action::Pnp => Ok(Outcome::Done),
            Action::Room { room, people, out } => Ok(self.room(accounts.first(), room, people, *out).await),
            Action::Message { to, text } => Ok(self.message(accounts.first(), to, text).await),
            Action::Call { to, anonymous, .. } => {
                let account = match accounts.into_iter().next() {
                    Some(account) => account,
                    None => self.agent.add_account(nobody()?).await?,
                };
                let presentation = if *anonymous { Presentation::Withhold } else { Presentation::Default };
                let rules = config.calls.policy(&config.accounts);
                let policy = rules.accounts.first();
                let presented = policy.map(|policy| policy.anonymity.present(&policy.own, presentation));
                Ok(self.call(&account, to, presented.unwrap_or_default()).await)
            }
            Action::Blf { extension, length } => Ok(self.blf(accounts.first(), extension, *length).await),
            Action::Mwi { length } => Ok(self.mwi(accounts.first(), *length).await),
            Action::Answer { count, ring_for, dnd, forward, .. } => {
                let rules = config.calls.clone().for_script(*dnd, forward.as_deref());
                self.rules = rules.policy(&config.accounts);
                let taking = Taking { most: (*count != 0).then_some(*count), ring_for: *ring_for };
                Ok(self.serve(JoinSet::new(), &accounts, taking).await)
            }
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

    async fn call(&mut self, account: &Account, to: &str, presented: Presented) -> Outcome {
        let (port, recorder) = match self.stage.port(1) {
            Ok(port) => port,
            Err(error) => {
                eprintln!("sidetone-phone: {error}");
                return Outcome::Usage;
            }
        };
        let call = match to.into_uri(account.aor()) {
            Ok(to) => {
                let mut request = CallRequest::new(to).with_headers(presented.headers);
                request.from = presented.from;
                account.call_with(request, port).await
            }
            Err(error) => Err(error),
        };
        if let Err(error @ Error::Uri(_)) = call {
            eprintln!("sidetone-phone: whom to call: {error}");
            return Outcome::Usage;
        }
        let scene = self.scene(1, "out", Some(account.clone()));
        let mut calls = JoinSet::new();
        calls.spawn(scene.play(call, recorder));
        self.serve(calls, core::slice::from_ref(account), Taking { most: Some(0), ring_for: None }).await
    }

    fn scene(&self, number: u32, direction: &'static str, account: Option<Account>) -> Scene {
        let report = Report::new(number, direction);
        Scene { number, report, account, stage: self.stage.clone(), stop: self.stop.clone() }
    }

    /// Attends calls until all are over: those that there are, those that come in and are to be taken, and those that
    /// others have us make.
    async fn serve(&mut self, mut calls: JoinSet<Report>, accounts: &[Account], taking: Taking) -> Outcome {
        let mut outcome = Outcome::Done;
        let (mut number, mut taken) = (u32::try_from(calls.len()).unwrap_or(u32::MAX), 0);
        let mut stop = self.stop.clone();
        loop {
            let full = taking.most.is_some_and(|most| taken >= most);
            if full && calls.is_empty() {
                return outcome;
            }
            tokio::select! {
                event = self.agent.next_event() => match event {
                    // What takes the place of a call of ours is none more.
                    Some(UserAgentEvent::Incoming(call)) if !full || call.replaces().is_some() => {
                        taken += u32::from(call.replaces().is_none());
                        number += 1;
                        let place = accounts.iter().position(|account| Some(account.id()) == call.account());
                        let account = place.and_then(|place| accounts.get(place)).cloned();
                        let answer = self.rule(&call, place, account.as_ref(), calls.len(), taking.ring_for);
                        calls.spawn(self.scene(number, "in", account).take(call, answer));
                    }
                    Some(UserAgentEvent::Incoming(call)) => {
                        // All calls that were asked for are taken; a caller who is gone already needs no answer.
                        let _ = call.reject(StatusCode::BUSY_HERE).await;
                    }
                    Some(UserAgentEvent::Referred(refer)) => {
                        number += 1;
                        let account = accounts.iter().find(|account| Some(account.id()) == refer.account());
                        calls.spawn(self.scene(number, "out", account.cloned()).follow(refer));
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
                Some(report) = calls.join_next() => outcome = outcome.max(self.over(report)),
                _ = stopped(&mut stop) => break,
            }
        }
        while let Some(report) = calls.join_next().await {
            outcome = outcome.max(self.over(report));
        }
        outcome
    }

    /// What the settings make of a call that comes in.
    fn rule(
        &self,
        call: &IncomingCall,
        place: Option<usize>,
        account: Option<&Account>,
        others: usize,
        ring_for: Option<Duration>,
    ) -> Rule {
        let plain = Rule { ring_for, refusal: None };
        if call.replaces().is_some() {
            return plain;
        }
        // To an address of no account, as in the first moments: the rules of the first one are better than none.
        let place = place.unwrap_or(0);
        let server = account.and_then(Account::path).map(|path| path.remote.ip().to_canonical());
        let invitation = Invitation {
            headers: call.headers().clone(),
            request_uri: call.uri().clone(),
            trusted: server == Some(call.source().remote.ip().to_canonical()),
        };
        let now = time_of_day();
        let Some((screening, _)) = self.rules.screen(place, &invitation, others, now) else { return plain };
        let elsewhere = |redirect: Redirect| Refusal::from(redirect.status).with_headers(redirect.headers);
        match screening {
            Screening::Reject(_, rejection) => Rule { ring_for: None, refusal: Some(refusal_of(&rejection)) },
            Screening::Redirect(redirect) => Rule { ring_for: None, refusal: Some(elsewhere(redirect)) },
            Screening::Ignore => Rule { ring_for: None, refusal: Some(StatusCode::FORBIDDEN.into()) },
            Screening::Answer(plan) => {
                Rule { ring_for: Some(Duration::from_secs(plan.after.into())), refusal: None }
            }
            Screening::Ring(plan) => {
                match plan.forward_after.filter(|after| ring_for.is_some_and(|time| time > *after)) {
                    Some(after) => {
                        let redirect = self.rules.unanswered(place, &invitation, now);
                        Rule { ring_for: Some(after), refusal: redirect.map(elsewhere) }
                    }
                    None => plain,
                }
            }
            _ => plain,
        }
    }

    /// Tells of a call that is over.
    fn over(&mut self, report: Result<Report, JoinError>) -> Outcome {
        let Ok(report) = report else { return Outcome::CallFailed };
        self.print(&report);
        report.outcome()
    }

    fn print(&mut self, report: &impl Serialize) {
        // Reports are plain text and numbers, which always have a form in JSON.
        if let Ok(line) = serde_json::to_string(report) {
            (self.out)(line);
        }
    }
}

/// Which calls that come in are taken.
#[derive(Clone, Copy)]
struct Taking {
    /// How many; any number without it.
    most: Option<u32>,
    ring_for: Option<Duration>,
}

/// What becomes of one call that comes in.
struct Rule {
    ring_for: Option<Duration>,
    /// How it is refused after that.
    refusal: Option<Refusal>,
}

/// Where the script of one call is played.
struct Scene {
    number: u32,
    report: Report,
    account: Option<Account>,
    stage: Arc<Stage>,
    stop: watch::Receiver<bool>,
}

impl Scene {
    /// Attends a call that was made or answered.
    async fn play(mut self, call: Result<Call, Error>, recorder: Option<Recorder>) -> Report {
        match call {
            Ok(call) => {
                self.report.peer = public(&call.remote().uri);
                script::attend(call, self.account, &self.stage, &mut self.report, self.stop).await;
            }
            Err(error) => self.report.cause = Cause::network(&error),
        }
        script::finish(recorder).await;
        self.report
    }

    /// Rings, answers and attends a call that came in.
    async fn take(mut self, mut call: IncomingCall, rule: Rule) -> Report {
        self.report.peer = public(&call.from().uri);
        if let Some(time) = rule.ring_for.filter(|_| call.replaces().is_none()) {
            // A caller who has given up by now ends the call below.
            let _ = call.ring().await;
            let ended = tokio::select! {
                () = tokio::time::sleep(time) => None,
                ended = call.ended() => ended,
                _ = stopped(&mut self.stop) => None,
            };
            if let Some(cause) = ended {
                self.report.cause = Cause::from(&cause);
                return self.report;
            }
        }
        if let Some(refusal) = rule.refusal {
            self.report.refused = true;
            let status = refusal.status;
            self.report.cause =
                Cause { by: "local", status: Some(status.code()), reason: status.reason().to_owned() };
            // The caller may have given up at the same moment.
            let _ = call.reject_with(refusal).await;
            return self.report;
        }
        match self.stage.port(self.number) {
            Ok((port, recorder)) => {
                let call = call.answer(port).await;
                self.play(call, recorder).await
            }
            Err(error) => {
                let _ = call.reject(StatusCode::SERVER_INTERNAL_ERROR).await;
                self.no_file(&error)
            }
        }
    }

    /// Calls whom the other side of another call wants called.
    async fn follow(mut self, refer: IncomingRefer) -> Report {
        self.report.referred = true;
        self.report.peer = public(&refer.target().to.uri);
        match self.stage.port(self.number) {
            Ok((port, recorder)) => {
                let call = refer.accept(port).await;
                self.play(call, recorder).await
            }
            Err(error) => {
                let _ = refer.reject(StatusCode::SERVER_INTERNAL_ERROR).await;
                self.no_file(&error)
            }
        }
    }

    fn no_file(mut self, error: &WavError) -> Report {
        eprintln!("sidetone-phone: {error}");
        self.report.cause = Cause::network(error);
        self.report
    }
}

/// UTC, as nobody has told a local time.
#[expect(clippy::disallowed_methods, reason = "the driver reads the clock for the rules")]
fn time_of_day() -> TimeOfDay {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    let minutes = since.unwrap_or_default().as_secs() / 60 % (24 * 60);
    let small = |number: u64| u8::try_from(number).unwrap_or(0);
    TimeOfDay::new(small(minutes / 60), small(minutes % 60)).unwrap_or(TimeOfDay::MIDNIGHT)
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
