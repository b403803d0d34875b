//! A peer that follows a list of steps.

use super::node::Node;
use crate::net::{FlowId, SocketAddr, Transmit};
use crate::time::{Duration, Instant};
use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// How many datagrams wait for a later step at most.
const MAX_INBOX: usize = 256;

/// A [`Node`] that expects and sends datagrams, step after step, on one socket.
///
/// A datagram that is not the one expected fails the script, unless [`Script::ignore`] allows it. What
/// arrives during [`Script::wait`] is kept for the next expectation. After the last step everything is taken
/// in silence.
pub struct Script {
    flow: FlowId,
    steps: VecDeque<Step>,
    ignored: Vec<Test>,
    /// How many steps are done.
    done: usize,
    /// When the present step began; `None` before the first call.
    since: Option<Instant>,
    inbox: VecDeque<Received>,
    matched: Vec<Received>,
    outbox: VecDeque<Transmit>,
    failure: Option<ScriptFailure>,
}

/// A datagram that the script received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// When.
    pub at: Instant,
    /// From where.
    pub source: SocketAddr,
    /// What.
    pub payload: Vec<u8>,
}

/// What did not go by the script.
#[derive(Clone, PartialEq, Eq)]
pub struct ScriptFailure {
    /// The step, counted from 1.
    pub step: usize,
    /// What happened instead of what.
    pub text: String,
}

impl fmt::Display for ScriptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {}", self.step, self.text)
    }
}

impl fmt::Debug for ScriptFailure {
    /// The same words, so that `unwrap` in a test is readable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for ScriptFailure {}

type Test = Box<dyn FnMut(&[u8]) -> bool>;
type Make = Box<dyn FnMut(&[Received]) -> Vec<u8>>;

enum Step {
    Expect {
        what: String,
        within: Duration,
        test: Test,
    },
    /// To the given address, or to where the last expected datagram came from.
    Send {
        to: Option<SocketAddr>,
        make: Make,
    },
    Wait(Duration),
}

impl Script {
    /// A script without steps, on the socket that the world binds to `flow`.
    #[must_use]
    pub const fn new(flow: FlowId) -> Self {
        Self {
            flow,
            steps: VecDeque::new(),
            ignored: Vec::new(),
            done: 0,
            since: None,
            inbox: VecDeque::new(),
            matched: Vec::new(),
            outbox: VecDeque::new(),
            failure: None,
        }
    }

    /// Then: a datagram comes within this time, and the test says yes to it. `what` names it in failures.
    #[must_use]
    pub fn expect(self, what: &str, within: Duration, test: impl FnMut(&[u8]) -> bool + 'static) -> Self {
        self.step(Step::Expect { what: what.to_owned(), within, test: Box::new(test) })
    }

    /// Then: send what `make` builds from the last expected datagram, to where that came from.
    #[must_use]
    pub fn reply(self, mut make: impl FnMut(&Received) -> Vec<u8> + 'static) -> Self {
        self.reply_with(move |matched| matched.last().map(&mut make).unwrap_or_default())
    }

    /// Then: send what `make` builds from all expected datagrams so far, to where the last one came from.
    #[must_use]
    pub fn reply_with(self, make: impl FnMut(&[Received]) -> Vec<u8> + 'static) -> Self {
        self.step(Step::Send { to: None, make: Box::new(make) })
    }

    /// Then: send this.
    #[must_use]
    pub fn send_to(self, destination: SocketAddr, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        self.step(Step::Send { to: Some(destination), make: Box::new(move |_| payload.clone()) })
    }

    /// Then: do nothing for this time.
    #[must_use]
    pub fn wait(self, duration: Duration) -> Self {
        self.step(Step::Wait(duration))
    }

    /// In the whole script: datagrams to which the test says yes do not count where another was expected, as
    /// for retransmissions.
    #[must_use]
    pub fn ignore(mut self, test: impl FnMut(&[u8]) -> bool + 'static) -> Self {
        self.ignored.push(Box::new(test));
        self
    }

    /// Whether all steps are done, or one failed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.failure.is_some() || self.steps.is_empty()
    }

    /// The expected datagrams that came, in the order of the steps.
    #[must_use]
    pub fn matched(&self) -> &[Received] {
        &self.matched
    }

    /// Whether everything went by the script.
    ///
    /// # Errors
    /// What went wrong, or where the script still is.
    pub fn check(&self) -> Result<(), ScriptFailure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let Some(step) = self.steps.front() else { return Ok(()) };
        let text = match step {
            Step::Expect { what, .. } => format!("still expecting {what}"),
            Step::Send { .. } => "has not sent yet".to_owned(),
            Step::Wait(duration) => format!("still waiting, {duration:?} in all"),
        };
        Err(ScriptFailure { step: self.done + 1, text })
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    /// Does every step that can be done now.
    fn run(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let mut since = since;
        while self.failure.is_none()
            && let Some(step) = self.steps.front_mut()
        {
            match step {
                Step::Wait(duration) => {
                    if now < since + *duration {
                        break;
                    }
                }
                Step::Send { to, make } => {
                    let Some(destination) = to.or_else(|| self.matched.last().map(|last| last.source)) else {
                        return self.fail("expected a datagram to reply to before this step".to_owned());
                    };
                    let payload = Arc::from(make(&self.matched));
                    self.outbox.push_back(Transmit { flow: self.flow, destination, payload });
                }
                Step::Expect { what, within, test } => {
                    let Some(received) = self.inbox.pop_front() else {
                        if now >= since + *within {
                            let text =
                                format!("expected {what} within {within:?}, and nothing came until {now} s");
                            self.fail(text);
                        }
                        break;
                    };
                    if !test(&received.payload) {
                        if !self.ignored.iter_mut().any(|ignore| ignore(&received.payload)) {
                            let (got, at) = (excerpt(&received.payload), received.at);
                            let text =
                                format!("expected {what}, got at {at} s from {}: {got}", received.source);
                            self.fail(text);
                        }
                        continue;
                    }
                    self.matched.push(received);
                }
            }
            self.steps.pop_front();
            self.done += 1;
            since = now;
        }
        self.since = Some(since);
    }

    fn fail(&mut self, text: String) {
        self.failure = Some(ScriptFailure { step: self.done + 1, text });
    }
}

impl Node for Script {
    fn handle_datagram(&mut self, now: Instant, _flow: FlowId, source: SocketAddr, payload: &[u8]) {
        if self.is_over() {
            return;
        }
        if self.inbox.len() >= MAX_INBOX {
            return self.fail(format!("more than {MAX_INBOX} datagrams came while waiting"));
        }
        self.inbox.push_back(Received { at: now, source, payload: payload.to_vec() });
        self.run(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.run(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        // Before the first call the script wants to be called at once.
        let Some(since) = self.since else { return Some(Instant::ZERO) };
        match self.steps.front()? {
            Step::Expect { within, .. } => Some(since + *within),
            Step::Wait(duration) => Some(since + *duration),
            Step::Send { .. } => None,
        }
    }
}

/// What a person needs to recognise a datagram: its first lines, or its first bytes.
fn excerpt(payload: &[u8]) -> String {
    const MAX: usize = 200;
    let shown = payload.get(..MAX).unwrap_or(payload);
    let more =
        if payload.len() > MAX { format!(" … ({} bytes in all)", payload.len()) } else { String::new() };
    let is_text = |text: &str| !text.contains(|c: char| c.is_control() && !matches!(c, '\r' | '\n' | '\t'));
    match core::str::from_utf8(payload).ok().filter(|text| is_text(text)) {
        Some(_) => format!("{}{more}", String::from_utf8_lossy(shown).trim_end()),
        None => format!("{shown:02x?}{more}"),
    }
}
