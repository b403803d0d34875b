//! The response context of one forwarded request (RFC 3261 §16.7): which branches it has, what each answered, and
//! what of it the caller is told. No I/O: [`Step`]s say what the proxy has to do.

use super::journey::{Ended, Journey};
use super::pickup::Pick;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Contact, ProxyAuthenticate, Reason, WwwAuthenticate};
use sidetone_sip_core::{Headers, Method, Request, Response, StatusCode, TransactionId, Uri};
use sidetone_sip_ua::feature::cause::{self, EndReason};
use std::sync::Arc;

/// What the proxy has to do next for a context.
#[derive(Debug)]
pub(super) enum Step {
    /// Send this response upstream; it came from a telephone of this user.
    Forward(Response, Option<Arc<str>>),
    /// Answer the request upstream by a response made here: no branch has one to pass on.
    Answer(StatusCode),
    /// Cancel this client transaction, by a CANCEL that says why (RFC 3326).
    Cancel(TransactionId, Headers),
    /// The last telephone of this user did not take the call.
    Left(Arc<str>, StatusCode),
    /// Nobody who was called so far takes the call, which may go on elsewhere; [`Context::give_up`] when it does not.
    Exhausted(Ended),
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
    /// The call that it is to take, by its Replaces.
    pub(super) picks: Option<Pick>,
    /// Where a call goes next when it is not answered; none for what is not diverted.
    pub(super) journey: Option<Box<Journey>>,
    /// When those who are called now have rung for long enough.
    pub(super) ring_until: Option<Instant>,
    /// Whether a 6xx of one branch ends the others (RFC 3261 §16.7 step 5). In a group of users each declines for
    /// himself.
    pub(super) decline_ends: bool,
    branches: Vec<Branch>,
    /// A final response went upstream.
    answered: bool,
    /// The final response that goes upstream as soon as no branch can bring a 2xx any more: nobody would acknowledge one
    /// that came after it, and the telephone would be off hook with nobody.
    verdict: Option<Step>,
    /// The caller sent CANCEL.
    cancelled: bool,
}

struct Branch {
    client: TransactionId,
    /// Whose telephone it is; none outside of calls.
    user: Option<Arc<str>>,
    /// The final response, or the status that stands for not getting one.
    outcome: Option<Outcome>,
    /// CANCEL was asked for.
    cancelled: bool,
    /// It belongs to a stage of the call that is over: what it says counts no more, unless it is a 2xx.
    superseded: bool,
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
/// Reasons of a CANCEL that go on: one of each protocol is what RFC 3326 allows.
const MAX_REASONS: usize = 8;

impl Context {
    pub(super) fn new(now: Instant, server: TransactionId, request: Request) -> Self {
        Self {
            server,
            request,
            deadline: now + TIMER_C,
            in_dialog: false,
            told: false,
            picks: None,
            journey: None,
            ring_until: None,
            decline_ends: true,
            branches: Vec::new(),
            answered: false,
            verdict: None,
            cancelled: false,
        }
    }

    pub(super) fn add_branch(&mut self, client: TransactionId, user: Option<Arc<str>>) {
        let branch = Branch { client, user, outcome: None, cancelled: false, superseded: false, alive: true };
        self.branches.push(branch);
    }

    /// When [`Context::on_deadline`] has something to do.
    pub(super) fn due(&self) -> Instant {
        self.ring_until.map_or(self.deadline, |until| until.min(self.deadline))
    }

    /// Whether the caller still waits.
    pub(super) const fn is_open(&self) -> bool {
        !self.answered && !self.cancelled && self.verdict.is_none()
    }

    /// The first `count` branches are out: what they answer counts no more.
    pub(super) fn supersede(&mut self, count: usize) {
        self.branches.iter_mut().take(count).for_each(|branch| branch.superseded = true);
    }

    /// Whose telephones were called, once for each.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.branches.iter().filter_map(|branch| branch.user.as_deref())
    }

    /// The call goes nowhere else: the answer upstream, once nobody can take the call any more.
    pub(super) fn give_up(&mut self, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.answered || self.verdict.is_some() {
            return steps;
        }
        self.ring_until = None;
        self.cancel_pending(now, &cause::headers(EndReason::NoAnswer), &mut steps);
        // Stages before have been cancelled, and have not answered yet.
        self.deadline = now + CANCEL_WAIT;
        self.decide(&mut steps);
        steps
    }

    /// What the outcomes of now say is the answer, once no branch can bring a 2xx any more.
    fn decide(&mut self, steps: &mut Vec<Step>) {
        self.verdict = Some(self.best());
        self.supersede(self.branches.len());
        self.release(steps);
    }

    fn release(&mut self, steps: &mut Vec<Step>) {
        if self.branches.iter().all(|branch| branch.outcome.is_some())
            && let Some(answer) = self.verdict.take()
        {
            self.answered = true;
            steps.push(answer);
        }
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
            let over = branch.outcome.is_some() || branch.superseded;
            if status == StatusCode::TRYING || over || self.answered {
                return Vec::new();
            }
            if !branch.cancelled {
                self.deadline = now + TIMER_C;
            }
            return vec![Step::Forward(response, branch.user.clone())];
        }
        if status.is_success() {
            branch.outcome = Some(Outcome::Success);
            // Every 2xx to an INVITE is passed on, from any branch and each retransmission; of another request the first.
            if !invite && self.answered {
                return Vec::new();
            }
            self.answered = true;
            self.ring_until = None;
            let mut steps = vec![Step::Forward(response, branch.user.clone())];
            self.cancel_pending(now, &cause::headers(EndReason::CompletedElsewhere), &mut steps);
            return steps;
        }
        if branch.outcome.is_some() {
            return Vec::new();
        }
        branch.outcome = Some(Outcome::Response(response));
        let (user, superseded) = (branch.user.clone(), branch.superseded);
        let mut steps = Vec::new();
        if status.code() >= 600 && self.decline_ends && !superseded {
            self.cancel_pending(now, &cause::headers(EndReason::RefusedElsewhere), &mut steps);
        }
        self.left(user, status, &mut steps);
        self.conclude(&mut steps);
        steps
    }

    /// A branch that will have no response: it timed out or could not be sent.
    pub(super) fn on_failure(&mut self, client: TransactionId, status: StatusCode) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(branch) = self.branches.iter_mut().find(|branch| branch.client == client) {
            let news = branch.outcome.is_none();
            branch.outcome.get_or_insert(Outcome::Silent(status));
            let user = branch.user.clone().filter(|_| news);
            self.left(user, status, &mut steps);
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

    /// The caller cancelled (RFC 3261 §16.10), and may have said why, which goes on: the branches' 487s become the answer.
    pub(super) fn on_cancel(&mut self, now: Instant, cancel: &Request) -> Vec<Step> {
        let mut steps = Vec::new();
        self.cancelled = true;
        self.ring_until = None;
        let mut why = Headers::new();
        for reason in cancel.headers.all::<Reason>().flatten().take(MAX_REASONS) {
            why.push(&reason);
        }
        self.cancel_pending(now, &why, &mut steps);
        self.deadline = self.deadline.min(now + CANCEL_WAIT);
        self.conclude(&mut steps);
        steps
    }

    /// [`Context::deadline`] came: pending branches are cancelled, and given up on if they were already.
    pub(super) fn on_deadline(&mut self, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.ring_until.take_if(|until| *until <= now).is_some() {
            // It may go on to somebody else, but nobody has taken it: a missed call.
            self.cancel_pending(now, &cause::headers(EndReason::NoAnswer), &mut steps);
            steps.push(Step::Exhausted(Ended::NoAnswer));
            return steps;
        }
        for branch in self.branches.iter_mut().filter(|branch| branch.cancelled) {
            branch.outcome.get_or_insert(Outcome::Silent(StatusCode::REQUEST_TIMEOUT));
        }
        self.deadline = now + TIMER_C;
        self.cancel_pending(now, &cause::headers(EndReason::NoAnswer), &mut steps);
        self.conclude(&mut steps);
        steps
    }

    fn cancel_pending(&mut self, now: Instant, why: &Headers, steps: &mut Vec<Step>) {
        if !self.is_invite() {
            return;
        }
        for branch in self.branches.iter_mut().filter(|branch| branch.outcome.is_none() && !branch.cancelled)
        {
            branch.cancelled = true;
            self.deadline = now + CANCEL_WAIT;
            steps.push(Step::Cancel(branch.client, why.clone()));
        }
    }

    /// Answers upstream when the last branch has ended.
    fn conclude(&mut self, steps: &mut Vec<Step>) {
        if self.verdict.is_some() {
            self.release(steps);
            return;
        }
        let pending = |branch: &Branch| branch.outcome.is_none() && !branch.superseded;
        if self.answered || self.branches.iter().any(pending) {
            return;
        }
        if self.journey.is_some() && !self.cancelled {
            self.ring_until = None;
            steps.push(Step::Exhausted(self.ended()));
            return;
        }
        self.decide(steps);
    }

    /// Tells when no telephone of a user can take the call any more.
    fn left(&self, user: Option<Arc<str>>, status: StatusCode, steps: &mut Vec<Step>) {
        let Some(user) = user else { return };
        let pending = |branch: &Branch| branch.outcome.is_none() && branch.user.as_ref() == Some(&user);
        if !self.answered && !self.branches.iter().any(pending) {
            steps.push(Step::Left(user, status));
        }
    }

    /// How the stage ended whose branches all have an outcome.
    fn ended(&self) -> Ended {
        let Some(at) = self.best_at() else { return Ended::Unavailable };
        match self.branches.get(at).and_then(|branch| branch.outcome.as_ref()) {
            Some(Outcome::Response(response)) if response.status.is_redirect() => {
                let contacts = response.headers.all::<Contact>().filter_map(Result::ok);
                let mut contacts: Vec<(u16, Uri)> = contacts
                    .filter_map(|contact| match &contact {
                        Contact::Addr(address) => Some((contact.q().unwrap_or(1000), address.uri.clone())),
                        Contact::Star => None,
                    })
                    .collect();
                contacts.sort_by_key(|(q, _)| core::cmp::Reverse(*q));
                Ended::Redirected(contacts.into_iter().map(|(_, uri)| uri).collect())
            }
            Some(Outcome::Response(response)) => Ended::of(response.status),
            Some(Outcome::Silent(status)) => Ended::of(*status),
            Some(Outcome::Success) | None => Ended::Refused,
        }
    }

    /// The best of the final responses (RFC 3261 §16.7 step 6).
    fn best(&mut self) -> Step {
        let Some(at) = self.best_at() else {
            let gone = self.cancelled && self.is_invite();
            return Step::Answer(if gone {
                StatusCode::REQUEST_TERMINATED
            } else {
                StatusCode::TEMPORARILY_UNAVAILABLE
            });
        };
        let Some(branch) = self.branches.get_mut(at) else {
            return Step::Answer(StatusCode::TEMPORARILY_UNAVAILABLE);
        };
        let outcome = branch.outcome.take();
        let status = match &outcome {
            Some(Outcome::Response(response)) => response.status,
            Some(Outcome::Silent(status)) => *status,
            Some(Outcome::Success) | None => StatusCode::TEMPORARILY_UNAVAILABLE,
        };
        branch.outcome = Some(Outcome::Silent(status));
        match outcome {
            // A 503 would make the caller avoid this proxy, which is well (RFC 3261 §16.7 step 6).
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Step::Answer(StatusCode::SERVER_INTERNAL_ERROR),
            Some(Outcome::Response(mut response)) => {
                self.gather_challenges(&mut response);
                Step::Forward(response, None)
            }
            _ if self.cancelled && self.is_invite() => Step::Answer(StatusCode::REQUEST_TERMINATED),
            _ => Step::Answer(status),
        }
    }

    /// Which branch has the best of the final responses, of those that count.
    fn best_at(&self) -> Option<usize> {
        let rank = |status: StatusCode| match status.code() {
            600.. => (0, 0),
            code => (code / 100, preference(code)),
        };
        let outcomes = self.branches.iter().enumerate().filter(|(_, branch)| !branch.superseded);
        let ranks = outcomes.filter_map(|(at, branch)| match branch.outcome.as_ref()? {
            Outcome::Response(response) => Some((rank(response.status), at)),
            Outcome::Silent(status) => Some((rank(*status), at)),
            Outcome::Success => None,
        });
        ranks.min().map(|(_, at)| at)
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
