//! One request of ours until its outcome: next hop to address, failover, answers to challenges.
//!
//! An exchange takes as many client transactions as it needs: one for each target of the next hop until one answers
//! (RFC 3263 §4.3), and one more after each 401 or 407 that we can answer (RFC 3261 §22.2). Its owner hears the
//! responses that are left.

mod ways;

use crate::account::Way;
use crate::config::Failback;
use crate::context::{Context, Timer};
use crate::dialog::Routed;
use crate::event::{AccountId, CallId, EarlyDialogId};
use crate::feature::cause::{self, EndReason};
use crate::focus;
use crate::publication::PublicationId;
use crate::registration::{BindingId, Wish};
use crate::request::RequestId;
use crate::resolve::Waiter;
use crate::subscription::{SubscriptionId, WatcherId};
use crate::transfer::ReferId;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use sidetone_hal::net::Protocol;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CSeq, Contact, HeaderName};
use sidetone_sip_core::locate::{LocateError, LookupId};
use sidetone_sip_core::{
    Headers, Method, Request, Response, Source, StatusCode, Target, TransactionFailure, TransactionId, Uri,
};

/// Names an exchange. Not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ExchangeId(u64);

/// Who hears the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A REGISTER.
    Register(BindingId),
    /// The INVITE that makes a call.
    Invite(CallId),
    /// An INVITE within a call.
    Reinvite(CallId),
    /// The BYE of a call.
    Bye(CallId),
    /// An INFO within a call.
    Info(CallId),
    /// A request of the user's.
    Request(RequestId),
    /// A SUBSCRIBE of ours.
    Subscribe(SubscriptionId),
    /// A PUBLISH of ours.
    Publish(PublicationId),
    /// A NOTIFY of ours.
    Notify(WatcherId),
    /// A REFER of ours.
    Refer(ReferId),
    /// The PRACK of a reliable provisional response.
    Prack(CallId, EarlyDialogId),
    /// An UPDATE within a call, or within an early dialog of it.
    Update(CallId, Option<EarlyDialogId>),
    /// Nobody: a BYE to a fork that lost.
    Nobody,
}

pub(crate) struct Exchange {
    pub(crate) owner: Owner,
    pub(crate) account: Option<AccountId>,
    /// As sent, but for the Via.
    pub(crate) request: Request,
    /// The look-up of the next hop, while it is under way.
    lookup: Option<LookupId>,
    /// Outside of dialogs: the request before any way was written into it, and the ways that are left.
    origin: Option<Box<Request>>,
    ways: VecDeque<Way>,
    /// The way in use.
    pub(crate) way: Option<Way>,
    /// Somebody else takes over when all of this fails, so that a server that says nothing has its retry count only.
    more: bool,
    /// Targets of the hop that are left to try.
    targets: VecDeque<Target>,
    /// What would have gone first, had no other server been registered at.
    pub(crate) primary: Option<Target>,
    /// The target in use.
    pub(crate) target: Option<Target>,
    transaction: Option<TransactionId>,
    /// Whether each attempt gets our Contact for the way it goes.
    contact: bool,
    /// A provisional or final response came, so another target is no use.
    heard: bool,
    /// Challenges that were answered.
    rounds: u8,
    /// The request has gone out as it is, so its credentials have served.
    used: bool,
    /// The owner gave up.
    pub(crate) cancelled: bool,
    /// A final response was handed to the owner.
    done: bool,
    /// An INVITE: the tags of those who have taken the call, the one that has it and those that were let go.
    pub(crate) forks: Vec<Box<str>>,
}

impl Exchange {
    /// The request as its owner made it; of requests outside of dialogs only.
    pub(crate) fn original(&self) -> Option<&Request> {
        self.origin.as_deref()
    }

    /// Whether somebody else can be asked when the target in use says nothing.
    fn has_more(&self) -> bool {
        !self.targets.is_empty() || !self.ways.is_empty() || self.more
    }
}

/// Challenges that an exchange answers at most: of a registrar and two proxies, each stale once. The digest client knows
/// better than this when credentials are wrong; this bounds a server that calls every nonce stale.
const MAX_ROUNDS: u8 = 6;
/// What became of an exchange's request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) owner: Owner,
    pub(crate) exchange: ExchangeId,
    pub(crate) result: Result<(Response, Source), Failure>,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// None came in time.
    Timeout,
    /// The request could not be sent.
    Transport,
    /// The next hop has no target.
    Unresolved(LocateError),
    /// The registrar did not prove that it knows the password, and was to.
    Unproven,
}

impl Failure {
    /// As RFC 3261 §8.1.3.1 has the user see it.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Transport | Self::Unresolved(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unproven => StatusCode::FORBIDDEN,
        }
    }

    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Timeout => "no response in time",
            Self::Transport => "the request could not be delivered",
            Self::Unresolved(LocateError::NotAvailable) => "the domain offers no SIP service",
            Self::Unresolved(LocateError::Dns) => "the name servers do not answer",
            Self::Unresolved(LocateError::Transport) => "the transport cannot be used",
            Self::Unresolved(LocateError::TooManyLookups) => "too many look-ups of names",
            Self::Unresolved(_) => "the host name has no address",
            Self::Unproven => "the registrar did not prove that it knows the password",
        }
    }
}

/// What a response means for the layer above the exchange.
pub(crate) enum Step {
    /// Nothing yet.
    Wait,
    /// Tell the owner.
    Tell(Box<Outcome>),
    /// The request goes again with credentials; the owner gives the sequence number.
    Authenticate(ExchangeId, Owner, u32),
}

impl Context {
    /// Starts an exchange. A request outside of dialogs goes by the server and proxies that its account's registration
    /// says are current, and when they fail by the others. Its outcome never comes before this returns.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        owner: Owner,
        account: Option<AccountId>,
        routed: Routed,
        protocol: Protocol,
        contact: bool,
    ) -> ExchangeId {
        let Routed { request, hop } = routed;
        let Some(hop) = hop else {
            let known = account.and_then(|account| self.accounts.get(&account));
            let ways = known.map(|account| account.ways(now, &request.uri)).unwrap_or_default();
            return self.start_by(now, owner, account, request, contact, ways, None);
        };
        let id = self.add_exchange(owner, account, request, contact);
        if let Err(reason) = self.locate_hop(now, id, &hop, protocol) {
            self.fail(id, Failure::Unresolved(reason));
        }
        id
    }

    /// The transport towards the target in use.
    pub(crate) fn protocol_of(&self, id: ExchangeId) -> Option<Protocol> {
        self.exchanges.get(&id)?.target.as_ref().map(|target| target.protocol)
    }

    fn add_exchange(
        &mut self,
        owner: Owner,
        account: Option<AccountId>,
        mut request: Request,
        contact: bool,
    ) -> ExchangeId {
        self.next_exchange += 1;
        let id = ExchangeId(self.next_exchange);
        self.sign(&mut request.headers);
        let exchange = Exchange {
            owner,
            account,
            request,
            lookup: None,
            origin: None,
            ways: VecDeque::new(),
            way: None,
            more: false,
            targets: VecDeque::new(),
            primary: None,
            target: None,
            transaction: None,
            contact,
            heard: false,
            rounds: 0,
            used: false,
            cancelled: false,
            done: false,
            forks: Vec::new(),
        };
        self.exchanges.insert(id, exchange);
        id
    }

    /// Begins to locate the next hop. Credentials that the provider asked for before go along.
    fn locate_hop(
        &mut self,
        now: Instant,
        id: ExchangeId,
        hop: &Uri,
        protocol: Protocol,
    ) -> Result<(), LocateError> {
        let account = self.attach(id, hop);
        let lookup = self.locate(now, Waiter::Exchange(id), account, hop, protocol)?;
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.lookup = Some(lookup);
        }
        self.take_located(now);
        Ok(())
    }

    fn attach(&mut self, id: ExchangeId, hop: &Uri) -> Option<AccountId> {
        let exchange = self.exchanges.get_mut(&id)?;
        exchange.used = false;
        if let Some(account) = exchange.account.and_then(|id| self.accounts.get_mut(&id)) {
            account.attach(&mut exchange.request, hop);
        }
        exchange.account
    }

    /// The next hop's targets are known, or that it has none.
    pub(crate) fn located(&mut self, now: Instant, id: ExchangeId, targets: Result<Vec<Target>, Failure>) {
        let account = self.exchanges.get(&id).and_then(|exchange| exchange.account);
        match targets {
            Ok(targets) => {
                let mut targets = self.targets_for(account, targets);
                let Some(exchange) = self.exchanges.get_mut(&id) else { return };
                exchange.lookup = None;
                exchange.primary = targets.first().cloned();
                let account = account.and_then(|account| self.accounts.get(&account));
                if let Some(way) = &exchange.way
                    && let Some(slot) = account.and_then(|account| account.slots.get(way.slot))
                {
                    slot.arrange(way, now, &mut targets);
                }
                if exchange.way.is_none()
                    && let Some(account) = account
                {
                    account.over_flows(&mut targets);
                }
                exchange.targets = targets.into();
                self.try_next(now, id, Failure::Transport);
            }
            Err(failure) => {
                if let Some(exchange) = self.exchanges.get_mut(&id) {
                    exchange.lookup = None;
                }
                self.next_way(now, id, failure);
            }
        }
    }

    /// The target in use failed, and comes last for others too; the next one is tried.
    fn fail_over(&mut self, now: Instant, id: ExchangeId, failure: Failure) {
        let exchange = self.exchanges.get(&id);
        // The telephones' failback modes have rules of their own about when the primary is tried again.
        let avoids = exchange
            .and_then(|exchange| exchange.way.as_ref())
            .is_none_or(|way| way.failback == Failback::Avoid);
        if let Some(target) = exchange.and_then(|exchange| exchange.target.as_ref())
            && avoids
        {
            self.locator.failed(now, target, None);
        }
        self.try_next(now, id, failure);
    }

    /// Sends to the next target that takes the request; without one, the exchange fails for this reason.
    fn try_next(&mut self, now: Instant, id: ExchangeId, otherwise: Failure) {
        loop {
            let Some(exchange) = self.exchanges.get_mut(&id) else { return };
            if otherwise == Failure::Transport
                && exchange.way.is_none()
                && let Some(target) = exchange.target.take_if(|target| target.flow.is_some())
            {
                // The flow is gone; whatever else reaches its address will do for a request within a dialog.
                exchange.targets.push_front(Target { flow: None, ..target });
            }
            exchange.target = exchange.targets.pop_front();
            if exchange.target.is_none() || exchange.cancelled {
                return self.next_way(now, id, otherwise);
            }
            if self.holds(id) {
                return;
            }
            if self.transmit(now, id) {
                return self.watch(now, id);
            }
        }
    }

    /// Sets the time for a server that says nothing (Yealink's retry counts): n repeats, and the wait after the last.
    /// Where there is no other server, timers B and F are enough; connections fail by themselves.
    fn watch(&mut self, now: Instant, id: ExchangeId) {
        self.deadlines.stop(Timer::NextServer(id));
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let account = exchange.account.and_then(|account| self.accounts.get(&account));
        let retries = match &exchange.way {
            Some(way) => way.retries,
            None => account.and_then(|account| account.config.server_retries),
        };
        let is_udp = exchange.target.as_ref().is_some_and(|target| target.protocol == Protocol::Udp);
        if let Some(retries) = retries
            && is_udp
            && exchange.has_more()
        {
            let most = if exchange.request.method == Method::INVITE { Duration::MAX } else { self.t2() };
            let mut interval = self.t1();
            let mut wait = Duration::ZERO;
            for _ in 0..=retries {
                wait = wait.saturating_add(interval);
                interval = interval.saturating_mul(2).min(most);
            }
            self.deadlines.set(Timer::NextServer(id), now + wait.min(self.t1() * 64));
        }
    }

    /// The server in use has been silent for long enough. What it says later is heard only if it is a 2xx to an INVITE.
    pub(crate) fn give_up_server(&mut self, now: Instant, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if exchange.heard || exchange.cancelled || !exchange.has_more() {
            return;
        }
        if let Some(transaction) = exchange.transaction.take() {
            // Should the server wake up, it is told that the call went elsewhere (RFC 3261 §9.1); other requests cannot be
            // taken back, and are not sent again. An error means that the final response has come meanwhile.
            let _ = match exchange.request.method {
                Method::INVITE => self.endpoint.cancel(now, transaction),
                _ => self.endpoint.abandon(now, transaction),
            };
        }
        self.fail_over(now, id, Failure::Timeout);
    }

    /// Sends the request as it is to the target in use.
    fn transmit(&mut self, now: Instant, id: ExchangeId) -> bool {
        let Some(exchange) = self.exchanges.get(&id) else { return false };
        let (Some(target), account) = (exchange.target.clone(), exchange.account) else { return false };
        let (protocol, address) = (target.protocol, target.address);
        let register = match exchange.owner {
            Owner::Register(binding) => Some(binding),
            _ => None,
        };
        let sips = exchange.request.uri.is_sips();
        let contact = match register {
            _ if !exchange.contact => None,
            Some(binding) => self.binding_contact(binding, protocol, address, sips, &exchange.request),
            None => self.contact(account, "", protocol, address, sips).map(Contact::new),
        };
        let mut via = self.via_options(account, protocol, address);
        via.keep = register.is_some() && self.offers_keep(account);
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        if let Some(contact) = contact {
            set_contact(&mut exchange.request.headers, &contact);
        }
        if core::mem::replace(&mut exchange.used, true)
            && let Some(account) = account.and_then(|id| self.accounts.get_mut(&id))
        {
            // To another server, which may know the nonce as well.
            account.renew(&mut exchange.request);
        }
        let request = exchange.request.clone();
        match self.endpoint.request_with(now, request, &target, &via) {
            Ok(transaction) => {
                exchange.transaction = Some(transaction);
                self.by_transaction.insert(transaction, id);
                true
            }
            Err(_) => false,
        }
    }

    fn fail(&mut self, id: ExchangeId, failure: Failure) {
        let Some(exchange) = self.exchanges.remove(&id) else { return };
        self.deadlines.stop(Timer::NextServer(id));
        if let Some(lookup) = exchange.lookup {
            self.locator.cancel(lookup);
            self.waiting.remove(&lookup);
        }
        if !exchange.done {
            self.outcomes.push_back(Outcome { owner: exchange.owner, exchange: id, result: Err(failure) });
        }
    }

    /// A response to a transaction of an exchange.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        response: Response,
        source: Source,
    ) -> Step {
        let Some(&id) = self.by_transaction.get(&transaction) else { return Step::Wait };
        let Some(exchange) = self.exchanges.get_mut(&id) else { return Step::Wait };
        let status = response.status;
        if exchange.transaction != Some(transaction) {
            return self.late_response(now, id, transaction, response, source);
        }
        // RFC 3263 §4.3: 503 says that this server cannot, so the next one is asked. For how long it is left alone is
        // its Retry-After's to say (RFC 3261 §21.5.4).
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let retry = crate::back_off::retry_after(&response.headers);
            if let (Some(retry), Some(target)) = (retry, &exchange.target) {
                self.locator.failed(now, target, Some(retry));
            }
            if (!exchange.targets.is_empty() || !exchange.ways.is_empty()) && !exchange.cancelled {
                exchange.transaction = None;
                self.try_next(now, id, Failure::Transport);
                return Step::Wait;
            }
        } else if !exchange.heard
            && let Some(target) = &exchange.target
        {
            self.locator.succeeded(target);
            if let Some(account) = exchange.account.and_then(|account| self.accounts.get_mut(&account))
                && (matches!(exchange.owner, Owner::Register(_))
                    || exchange.way.is_some() && account.config.proxy.is_some())
            {
                // Others are peers of a call, or other domains.
                account.server = Some(Target { flow: None, ..target.clone() });
            }
        }
        exchange.heard = true;
        if status == StatusCode::FLOW_FAILED
            && !matches!(exchange.owner, Owner::Register(_))
            && let (Some(account), Some(way)) = (exchange.account, &exchange.way)
        {
            // RFC 5626 §5.3: the edge proxy has lost the flow that we registered over.
            self.wishes.push_back((BindingId::new(account, way.slot), Wish::Recover));
        }
        self.deadlines.stop(Timer::NextServer(id));
        let Some(exchange) = self.exchanges.get_mut(&id) else { return Step::Wait };
        if status.is_challenge() && !exchange.cancelled {
            let owner = exchange.owner;
            if let Some(seq) = self.answer_challenge(id, &response) {
                return Step::Authenticate(id, owner, seq);
            }
        }
        let Some(exchange) = self.exchanges.get_mut(&id) else { return Step::Wait };
        exchange.done |= status.is_final();
        let account = exchange.account.filter(|_| status.is_success());
        let account = account.and_then(|account| self.accounts.get_mut(&account));
        let accepted = account.map_or(Ok(()), |account| account.accept(&response, &exchange.request));
        let result = match exchange.owner {
            // A call that a proxy let through is not cut off for it; a registration is not believed.
            Owner::Register(_) if accepted.is_err() => Err(Failure::Unproven),
            _ => Ok((response, source)),
        };
        Step::Tell(Box::new(Outcome { owner: exchange.owner, exchange: id, result }))
    }

    /// A response of a server that was given up. That it takes the call after all is as good as from any other: the
    /// server that was tried in its place is told so.
    fn late_response(
        &mut self,
        now: Instant,
        id: ExchangeId,
        transaction: TransactionId,
        response: Response,
        source: Source,
    ) -> Step {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return Step::Wait };
        if !response.status.is_success() || exchange.request.method != Method::INVITE {
            return Step::Wait;
        }
        if !exchange.done {
            (exchange.heard, exchange.done) = (true, true);
            if let Some(other) = exchange.transaction.replace(transaction) {
                // An error means that its final response has come too: then it is one more fork.
                let why = cause::headers(EndReason::CompletedElsewhere);
                let _ = self.endpoint.cancel_with(now, other, &why);
            }
        }
        self.deadlines.stop(Timer::NextServer(id));
        let result = Ok((response, source));
        Step::Tell(Box::new(Outcome { owner: exchange.owner, exchange: id, result }))
    }

    /// Adds credentials to the request; the sequence number it had, or `None` when the challenge cannot be answered.
    fn answer_challenge(&mut self, id: ExchangeId, response: &Response) -> Option<u32> {
        let exchange = self.exchanges.get_mut(&id)?;
        let account = self.accounts.get_mut(&exchange.account?)?;
        if exchange.rounds >= MAX_ROUNDS {
            return None;
        }
        exchange.rounds += 1;
        account.respond(response, &mut exchange.request, &mut self.rng)?;
        exchange.used = false;
        let cseq: CSeq = exchange.request.headers.require().ok()?;
        Some(cseq.seq)
    }

    /// Sends the request again, under the next sequence number.
    pub(crate) fn resend(&mut self, now: Instant, id: ExchangeId, seq: u32) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        let method = exchange.request.method.clone();
        exchange.request.headers.set(&CSeq::new(seq, method));
        exchange.request.headers.remove(&HeaderName::VIA);
        exchange.transaction = None;
        if !self.transmit(now, id) {
            self.fail_over(now, id, Failure::Transport);
        }
    }

    /// A request that was refused goes again otherwise, to where it went (RFC 3261 §8.1.3.5). Whether it can.
    pub(crate) fn retry(
        &mut self,
        now: Instant,
        id: ExchangeId,
        seq: u32,
        edit: impl FnOnce(&mut Request),
    ) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id).filter(|exchange| !exchange.cancelled) else {
            return false;
        };
        exchange.done = false;
        edit(&mut exchange.request);
        self.resend(now, id, seq);
        true
    }

    /// A transaction of an exchange got no response.
    pub(crate) fn handle_failure(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        cause: &TransactionFailure,
    ) {
        let Some(&id) = self.by_transaction.get(&transaction) else { return };
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if exchange.transaction != Some(transaction) || exchange.done {
            return;
        }
        let failure = match cause {
            TransactionFailure::Timeout => Failure::Timeout,
            _ => Failure::Transport,
        };
        if exchange.heard || exchange.cancelled {
            self.fail(id, failure);
        } else {
            exchange.transaction = None;
            self.fail_over(now, id, failure);
        }
    }

    /// A transaction is gone; with the last one of an exchange that is done, so is the exchange.
    pub(crate) fn handle_terminated(&mut self, transaction: TransactionId) -> Option<(Owner, ExchangeId)> {
        let id = self.by_transaction.remove(&transaction)?;
        let exchange = self.exchanges.get(&id)?;
        if exchange.transaction != Some(transaction) || !exchange.done {
            return None;
        }
        let owner = exchange.owner;
        self.exchanges.remove(&id);
        Some((owner, id))
    }

    /// Nobody waits for the outcome any more: an INVITE is cancelled, other requests end by themselves.
    pub(crate) fn abandon_invite(&mut self, now: Instant, id: ExchangeId) {
        if self.exchanges.get(&id).is_some_and(|exchange| exchange.request.method == Method::INVITE) {
            self.cancel(now, id, &Headers::new());
        }
    }

    /// The owner of an INVITE gives up: CANCEL when it was sent, silence when it was not. The CANCEL says why by these
    /// headers.
    pub(crate) fn cancel(&mut self, now: Instant, id: ExchangeId, why: &Headers) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.cancelled = true;
        match exchange.transaction {
            // An error means that the final response has come: the owner sees to it.
            Some(transaction) => drop(self.endpoint.cancel_with(now, transaction, why)),
            None => self.fail(id, Failure::Timeout),
        }
    }
}

/// Puts our Contact first; what a REGISTER removes (`expires=0`) stays behind it.
fn set_contact(headers: &mut Headers, ours: &Contact) {
    let removed: Vec<Contact> =
        headers.all::<Contact>().flatten().filter(|contact| contact.expires() == Some(0)).collect();
    // Which address of ours it is depends on the way; whose it is stands there already (RFC 4579 §5.1).
    if focus::is_focus(headers) {
        headers.set(&focus::marked(ours.clone()));
    } else {
        headers.set(ours);
    }
    removed.iter().for_each(|contact| headers.push(contact));
}
