//! The response context of one forwarded request (RFC 3261 §16.7): which branches it has, what each answered, and
//! what of it the caller is told. No I/O: [`Step`]s say what the proxy has to do.

use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{ProxyAuthenticate, WwwAuthenticate};
use sidetone_sip_core::{Method, Request, Response, StatusCode, TransactionId};

/// What the proxy has to do next for a context.
#[derive(Debug)]
pub(super) enum Step {
    /// Send this response upstream.
    Forward(Response),
    /// Answer the request upstream by a response made here: no branch has one to pass on.
    Answer(StatusCode),
    /// Cancel this client transaction.
    Cancel(TransactionId),
}

/// One request being proxied.
pub(super) struct Context {
    /// The transaction towards the caller.
    pub(super) server: TransactionId,
    /// As it came, for responses that are made here.
    pub(super) request: Request,
    /// When to give up on branches that stay provisional (timer C, RFC 3261 §16.8), or, once they are cancelled, on
    /// branches that do not answer the CANCEL.
    pub(super) deadline: Instant,
    /// Whether the request is part of a dialog that exists.
    pub(super) in_dialog: bool,
    /// The owner was told how the request ended.
    pub(super) told: bool,
    branches: Vec<Branch>,
    /// A final response went upstream.
    answered: bool,
    /// The caller sent CANCEL.
    cancelled: bool,
}

struct Branch {
    client: TransactionId,
    /// The final response, or the status that stands for not getting one.
    outcome: Option<Outcome>,
    /// CANCEL was asked for.
    cancelled: bool,
    /// The client transaction may still speak (retransmitted 2xx, RFC 6026).
    alive: bool,
}

enum Outcome {
    Response(Response),
    /// Passed on at once, nothing to keep.
    Success,
    Silent(StatusCode),
}

/// Timer C must be more than 3 minutes (RFC 3261 §16.6 step 11).
pub(super) const TIMER_C: Duration = Duration::from_secs(181);
/// How long a cancelled branch may take, 64·T1 (RFC 3261 §9.1).
pub(super) const CANCEL_WAIT: Duration = Duration::from_secs(32);

impl Context {
    pub(super) fn new(now: Instant, server: TransactionId, request: Request) -> Self {
        Self {
            server,
            request,
            deadline: now + TIMER_C,
            in_dialog: false,
            told: false,
            branches: Vec::new(),
            answered: false,
            cancelled: false,
        }
    }

    pub(super) fn add_branch(&mut self, client: TransactionId) {
        self.branches.push(Branch { client, outcome: None, cancelled: false, alive: true });
    }

    /// The client transactions.
    pub(super) fn clients(&self) -> impl ExactSizeIterator<Item = TransactionId> {
        self.branches.iter().map(|branch| branch.client)
    }

    /// Whether nothing can happen any more.
    pub(super) fn is_over(&self) -> bool {
        self.answered && self.branches.iter().all(|branch| !branch.alive)
    }

    pub(super) fn is_invite(&self) -> bool {
        self.request.method == Method::INVITE
    }

    /// A response from a branch, our Via already taken off.
    pub(super) fn on_response(
        &mut self,
        now: Instant,
        client: TransactionId,
        response: Response,
    ) -> Vec<Step> {
        let invite = self.is_invite();
        let Some(branch) = self.branches.iter_mut().find(|branch| branch.client == client) else {
            return Vec::new();
        };
        let status = response.status;
        if status.is_provisional() {
            // 100 is hop by hop; the endpoint makes its own (RFC 3261 §16.7 step 5).
            if status == StatusCode::TRYING || branch.outcome.is_some() || self.answered {
                return Vec::new();
            }
            if !branch.cancelled {
                self.deadline = now + TIMER_C;
            }
            return vec![Step::Forward(response)];
        }
        if status.is_success() {
            branch.outcome = Some(Outcome::Success);
            // Every 2xx to an INVITE is passed on, from any branch and each retransmission; of another request the first.
            if !invite && self.answered {
                return Vec::new();
            }
            self.answered = true;
            let mut steps = vec![Step::Forward(response)];
            self.cancel_pending(now, &mut steps);
            return steps;
        }
        if branch.outcome.is_some() {
            return Vec::new();
        }
        branch.outcome = Some(Outcome::Response(response));
        let mut steps = Vec::new();
        if status.code() >= 600 {
            self.cancel_pending(now, &mut steps);
        }
        self.conclude(&mut steps);
        steps
    }

    /// A branch that will have no response: it timed out or could not be sent.
    pub(super) fn on_failure(&mut self, client: TransactionId, status: StatusCode) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(branch) = self.branches.iter_mut().find(|branch| branch.client == client) {
            branch.outcome.get_or_insert(Outcome::Silent(status));
            self.conclude(&mut steps);
        }
        steps
    }

    /// The client transaction is gone.
    pub(super) fn on_terminated(&mut self, client: TransactionId) -> Vec<Step> {
        if let Some(branch) = self.branches.iter_mut().find(|branch| branch.client == client) {
            branch.alive = false;
        }
        self.on_failure(client, StatusCode::REQUEST_TIMEOUT)
    }

    /// The caller cancelled (RFC 3261 §16.10): the branches' 487s become the answer.
    pub(super) fn on_cancel(&mut self, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        self.cancelled = true;
        self.cancel_pending(now, &mut steps);
        self.conclude(&mut steps);
        steps
    }

    /// [`Context::deadline`] came: pending branches are cancelled, and given up on if they were already.
    pub(super) fn on_deadline(&mut self, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        for branch in self.branches.iter_mut().filter(|branch| branch.cancelled) {
            branch.outcome.get_or_insert(Outcome::Silent(StatusCode::REQUEST_TIMEOUT));
        }
        self.deadline = now + TIMER_C;
        self.cancel_pending(now, &mut steps);
        self.conclude(&mut steps);
        steps
    }

    fn cancel_pending(&mut self, now: Instant, steps: &mut Vec<Step>) {
        if !self.is_invite() {
            return;
        }
        for branch in self.branches.iter_mut().filter(|branch| branch.outcome.is_none() && !branch.cancelled)
        {
            branch.cancelled = true;
            self.deadline = now + CANCEL_WAIT;
            steps.push(Step::Cancel(branch.client));
        }
    }

    /// Answers upstream when the last branch has ended.
    fn conclude(&mut self, steps: &mut Vec<Step>) {
        if self.answered || self.branches.iter().any(|branch| branch.outcome.is_none()) {
            return;
        }
        self.answered = true;
        steps.push(self.best());
    }

    /// The best of the final responses (RFC 3261 §16.7 step 6).
    fn best(&mut self) -> Step {
        let rank = |status: StatusCode| match status.code() {
            600.. => (0, 0),
            code => (code / 100, preference(code)),
        };
        let best =
            self.branches.iter().enumerate().filter_map(|(at, branch)| match branch.outcome.as_ref()? {
                Outcome::Response(response) => Some((rank(response.status), at, response.status)),
                Outcome::Silent(status) => Some((rank(*status), at, *status)),
                Outcome::Success => None,
            });
        let Some((_, at, status)) = best.min_by_key(|(rank, at, _)| (*rank, *at)) else {
            return Step::Answer(StatusCode::TEMPORARILY_UNAVAILABLE);
        };
        let outcome = self.branches.get_mut(at).and_then(|branch| branch.outcome.take());
        if let Some(branch) = self.branches.get_mut(at) {
            branch.outcome = Some(Outcome::Silent(status));
        }
        match outcome {
            // A 503 would make the caller avoid this proxy, which is well (RFC 3261 §16.7 step 6).
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Step::Answer(StatusCode::SERVER_INTERNAL_ERROR),
            Some(Outcome::Response(mut response)) => {
                self.gather_challenges(&mut response);
                Step::Forward(response)
            }
            _ if self.cancelled && self.is_invite() => Step::Answer(StatusCode::REQUEST_TERMINATED),
            _ => Step::Answer(status),
        }
    }

    /// A 401 or 407 carries the challenges of every branch (RFC 3261 §16.7 step 7), so that the caller can answer all.
    fn gather_challenges(&self, response: &mut Response) {
        if response.status != StatusCode::UNAUTHORIZED
            && response.status != StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return;
        }
        for branch in &self.branches {
            let Some(Outcome::Response(other)) = &branch.outcome else { continue };
            if other.status == StatusCode::UNAUTHORIZED
                || other.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            {
                for challenge in other.headers.all::<WwwAuthenticate>().flatten() {
                    response.headers.push(&challenge);
                }
                for challenge in other.headers.all::<ProxyAuthenticate>().flatten() {
                    response.headers.push(&challenge);
                }
            }
        }
    }
}

/// Within a class, the lower the better: first what lets the caller try again (RFC 3261 §16.7 step 6), then what a
/// person decided, last what says only that nobody was there.
fn preference(code: u16) -> u8 {
    match code {
        401 | 407 | 415 | 420 | 484 => 0,
        486 | 403 | 488 => 1,
        480 | 487 => 3,
        408 | 503 => 4,
        _ => 2,
    }
}
