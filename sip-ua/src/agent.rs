//! The façade: bytes, answers and commands in; bytes, questions and events out.

use crate::account::Account;
use crate::call::Calls;
use crate::config::{AccountConfig, AgentConfig};
use crate::context::{Context, Timer};
use crate::dialog::DialogKey;
use crate::error::{CommandError, ConfigError};
use crate::event::{AccountId, CallId, Event, RegistrationState};
use crate::exchange::{Outcome, Owner, Step};
use crate::publication::Publications;
use crate::reach::Reach;
use crate::registration::Registration;
use crate::request::Requests;
use crate::subscription::Subscriptions;
use crate::transfer::ReferProgress;
use alloc::collections::BTreeMap;
use hashbrown::HashMap;
use sidetone_hal::net::{IpAddr, Transmit};
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;
use sidetone_sip_core::locate::{Answer, Locator, Query, QueryId};
use sidetone_sip_core::{
    Endpoint, Event as EndpointEvent, FlowRequest, Input, Request, StatusCode, TransactionId,
};

/// A SIP user agent without I/O: registrations and calls over one [`Endpoint`].
///
/// Like every machine of Sidetone it has four kinds of method:
/// - inputs: [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout),
///   [`handle_answer`](Self::handle_answer);
/// - commands: [`add_account`](Self::add_account), [`call`](Self::call), [`answer`](Self::answer) and so on;
/// - outputs: [`poll_flow`](Self::poll_flow), [`poll_transmit`](Self::poll_transmit), [`poll_query`](Self::poll_query),
///   [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout);
/// - getters: [`call_state`](Self::call_state), [`account_state`](Self::account_state).
///
/// After each input or command take every output, in the order above, until each gives `None`; `poll_timeout` then says
/// when to call `handle_timeout`. Sockets are bound through [`endpoint_mut`](Self::endpoint_mut).
pub struct Agent {
    pub(crate) context: Context,
    pub(crate) registrations: BTreeMap<AccountId, Registration>,
    /// Of the accounts that have keep-alives or a public address.
    pub(crate) reaches: BTreeMap<AccountId, Reach>,
    pub(crate) calls: Calls,
    /// Server transactions of INVITEs without a final response.
    pub(crate) by_server_invite: HashMap<TransactionId, CallId>,
    /// Calls that take the place of others once they are answered (RFC 3891).
    pub(crate) replacing: BTreeMap<CallId, CallId>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) publications: Publications,
    pub(crate) requests: Requests,
    pub(crate) last_call: u64,
    last_account: u32,
}

/// What a deadline of an [`Agent`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A transaction or connection of the endpoint.
    Endpoint(sidetone_sip_core::WakeReason),
    /// A registration to refresh or to try again.
    Registration(AccountId),
    /// A keep-alive, or finding out the public address.
    Reachability(AccountId),
    /// A question for DNS that is not answered.
    Location,
    /// A server that says nothing, while there is another one.
    NextServer,
    /// A subscription, ours or somebody else's: to refresh, to try again, to end.
    Subscription,
    /// A request that the user did not answer.
    Request,
    /// Something about a call: a response to repeat, an ACK or a PRACK that did not come, the end of ringing, a wait after
    /// a 491, a session to refresh or to end.
    Call(CallId),
}

impl Agent {
    /// An agent with no socket, account or call.
    #[must_use]
    pub fn new(config: AgentConfig) -> Self {
        Self {
            context: Context::new(config),
            registrations: BTreeMap::new(),
            reaches: BTreeMap::new(),
            calls: Calls::default(),
            by_server_invite: HashMap::new(),
            replacing: BTreeMap::new(),
            subscriptions: Subscriptions::default(),
            publications: Publications::new(),
            requests: Requests::default(),
            last_call: 0,
            last_account: 0,
        }
    }

    /// The transaction layer below.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.context.endpoint
    }

    /// The transaction layer below: to bind sockets and to set a trace. Requests sent by it directly are not the agent's.
    pub const fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.context.endpoint
    }

    /// Server location: what is cached, which servers failed.
    #[must_use]
    pub const fn locator(&self) -> &Locator {
        &self.context.locator
    }

    /// Server location: to say whether there are DNS servers, and to forget what another network's said. Look-ups begun
    /// by it directly are not the agent's.
    pub const fn locator_mut(&mut self) -> &mut Locator {
        &mut self.context.locator
    }

    /// Bytes came, or a connection changed.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let down = match &input {
            Input::FlowDown { flow, .. } => Some(*flow),
            _ => None,
        };
        self.context.endpoint.handle_input(now, input);
        if let Some(flow) = down {
            for registration in self.registrations.values_mut() {
                registration.handle_flow_down(&mut self.context, now, flow);
            }
            self.reach_flow_down(now, flow);
        }
        self.pump(now);
    }

    /// Time passed. Early or repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        // A server that is given up now gets no further repeat, which is due at the same moment.
        while let Some((_, Timer::NextServer(exchange))) =
            self.context.deadlines.next().filter(|(at, _)| *at <= now)
        {
            self.context.deadlines.stop(Timer::NextServer(exchange));
            self.context.give_up_server(now, exchange);
        }
        self.context.endpoint.handle_timeout(now);
        self.context.locator.handle_timeout(now);
        self.context.take_located(now);
        self.pump(now);
        while let Some(timer) = self.context.deadlines.expire(now) {
            self.handle_timer(now, timer);
            self.pump(now);
        }
    }

    /// The answer to a [`Query`].
    pub fn handle_answer(&mut self, now: Instant, query: QueryId, answer: Answer) {
        self.context.handle_answer(now, query, answer);
        self.pump(now);
    }

    /// Bytes to send.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.context.endpoint.poll_transmit()
    }

    /// A connection to make or to close.
    #[must_use]
    pub fn poll_flow(&mut self) -> Option<FlowRequest> {
        self.context.endpoint.poll_flow()
    }

    /// A question for DNS; it fails by itself when it is not answered in time
    /// ([`LocatorConfig::query_timeout`](sidetone_sip_core::locate::LocatorConfig::query_timeout)).
    #[must_use]
    pub fn poll_query(&mut self) -> Option<Query> {
        self.context.poll_query()
    }

    /// Something to know.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.context.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let endpoint = self.context.endpoint.poll_timeout().map(|(at, why)| (at, Reason::Endpoint(why)));
        let own = self.context.deadlines.next().map(|(at, timer)| (at, reason(timer)));
        let location = self.context.locator.poll_timeout().map(|at| (at, Reason::Location));
        endpoint.soonest(own).soonest(location)
    }

    /// Adds an account. It registers by [`register`](Self::register) only, whatever [`AccountConfig::register`] says:
    /// that is for drivers.
    ///
    /// # Errors
    /// The settings make no account, or there are too many.
    pub fn add_account(&mut self, config: AccountConfig) -> Result<AccountId, ConfigError> {
        let most = self.context.config.max_accounts;
        if self.registrations.len() >= most {
            return Err(ConfigError::TooManyAccounts(most));
        }
        let account = Account::new(config, &mut self.context.rng)?;
        self.last_account += 1;
        let id = AccountId(self.last_account);
        self.context.accounts.insert(id, account);
        self.registrations.insert(id, Registration::new(id, &mut self.context));
        self.add_reach(id);
        Ok(id)
    }

    /// Registers an account now, and keeps it registered.
    ///
    /// # Errors
    /// [`CommandError::NoSuchAccount`].
    pub fn register(&mut self, now: Instant, account: AccountId) -> Result<(), CommandError> {
        let wait = self.begin_reach(now, account);
        let registration = self.registrations.get_mut(&account).ok_or(CommandError::NoSuchAccount)?;
        match wait {
            Some(wait) => registration.register_within(&mut self.context, now, wait),
            None => registration.register(&mut self.context, now),
        }
        self.pump(now);
        Ok(())
    }

    /// Takes an account's binding back.
    ///
    /// # Errors
    /// [`CommandError::NoSuchAccount`].
    pub fn unregister(&mut self, now: Instant, account: AccountId) -> Result<(), CommandError> {
        let registration = self.registrations.get_mut(&account).ok_or(CommandError::NoSuchAccount)?;
        registration.unregister(&mut self.context, now);
        self.end_reach(now, account);
        self.pump(now);
        Ok(())
    }

    /// How an account stands with its registrar.
    #[must_use]
    pub fn account_state(&self, account: AccountId) -> Option<&RegistrationState> {
        self.registrations.get(&account).map(|registration| &registration.state)
    }

    /// The public address of an account, when it was found out or is in the settings: what session descriptions of its
    /// calls are to name in the place of our own.
    #[must_use]
    pub fn media_address(&self, account: AccountId) -> Option<IpAddr> {
        let account = self.context.accounts.get(&account)?;
        let fixed = account.config.public_address.fixed;
        account.detected.map(|detected| detected.ip()).or(fixed)
    }

    /// An account's settings.
    #[must_use]
    pub fn account_config(&self, account: AccountId) -> Option<&AccountConfig> {
        self.context.accounts.get(&account).map(|account| &account.config)
    }

    /// Whether nothing is under way: no call, no request, no binding that was to be taken back. A subscription that we ended
    /// counts until its last NOTIFY, and without one until 2 s after the other side agreed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.requests.is_empty()
            && self.subscriptions.is_quiet()
            && self.publications.is_empty()
            && self.registrations.values().all(Registration::is_quiet)
    }

    /// Forgets a call of which nothing is left.
    pub(crate) fn sweep(&mut self, now: Instant, id: CallId) {
        if let Some(call) = self.calls.get_mut(id).filter(|call| call.is_over()) {
            let (tag, left) = (call.local_tag, call.left.take());
            self.calls.remove(id);
            self.replacing.remove(&id);
            self.referred_call_over(now, id);
            if let Some(dialog) = left {
                for watcher in self.subscriptions.inherit(id, tag, &dialog) {
                    self.send_notify(now, watcher);
                }
            }
        }
    }

    /// Moves what the layers below have to say upwards, until they have nothing more.
    pub(crate) fn pump(&mut self, now: Instant) {
        loop {
            if let Some(outcome) = self.context.outcomes.pop_front() {
                self.handle_outcome(now, outcome);
            } else if let Some(event) = self.context.endpoint.poll_event() {
                self.handle_event(now, event);
            } else if let Some((binding, wish)) = self.context.wishes.pop_front() {
                self.handle_wish(now, binding, wish);
            } else if let Some((lookup, addresses)) = self.context.hosts.pop_front() {
                self.host_located(now, lookup, addresses);
            } else {
                return;
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: EndpointEvent) {
        match event {
            EndpointEvent::Request { transaction, request, source } => {
                self.handle_request(now, transaction, request, source);
            }
            EndpointEvent::Cancelled { transaction, request } => {
                self.handle_cancelled(now, transaction, &request)
            }
            EndpointEvent::Ack { request, .. } => {
                let key = DialogKey::of_request(&request).ok().flatten();
                if let Some(call) = key.and_then(|key| self.calls.find(&key)) {
                    call.handle_ack(&mut self.context, now, &request);
                }
            }
            EndpointEvent::Response { transaction, response, source } => {
                if self.reach_response(now, transaction, Some(&response)) {
                    return;
                }
                match self.context.handle_response(now, transaction, response, source) {
                    Step::Wait => {}
                    Step::Tell(outcome) => self.handle_outcome(now, *outcome),
                    Step::Authenticate(exchange, owner, used) => {
                        let seq = self.next_seq(owner, used);
                        self.context.resend(now, exchange, seq);
                    }
                }
            }
            EndpointEvent::Failed { transaction, cause } => {
                if self.reach_response(now, transaction, None) {
                    return;
                }
                self.forget_received(transaction);
                self.watcher_lost(transaction);
                if let Some(id) = self.by_server_invite.remove(&transaction) {
                    if let Some(call) = self.calls.get_mut(id) {
                        call.handle_invite_lost(&mut self.context, transaction);
                    }
                    self.sweep(now, id);
                }
                self.context.handle_failure(now, transaction, &cause);
            }
            EndpointEvent::StrayResponse { response, .. } => {
                let key = DialogKey::of_response(&response.headers).ok().flatten();
                if let Some(call) = key.and_then(|key| self.calls.find(&key)) {
                    call.handle_stray(&mut self.context, now, &response);
                }
            }
            EndpointEvent::Terminated { transaction } => {
                self.by_server_invite.remove(&transaction);
                self.forget_received(transaction);
                self.context.handle_terminated(transaction);
            }
            EndpointEvent::KeepAlivePong { flow } => self.reach_pong(now, flow),
            EndpointEvent::Stun { flow, source, payload } => self.reach_stun(now, flow, source, &payload),
            // A newer endpoint may know more; nothing of it is ours.
            _ => {}
        }
    }

    fn handle_cancelled(&mut self, now: Instant, transaction: TransactionId, cancel: &Request) {
        let Some(id) = self.by_server_invite.remove(&transaction) else { return };
        let Some(call) = self.calls.get_mut(id) else { return };
        if !call.handle_reinvite_cancel(&mut self.context, now, transaction) {
            call.handle_cancel(&mut self.context, now, cancel);
        }
        self.sweep(now, id);
    }

    fn handle_outcome(&mut self, now: Instant, outcome: Outcome) {
        let Outcome { owner, exchange, result } = outcome;
        let status = result.as_ref().map_or_else(|failure| failure.status(), |(response, _)| response.status);
        let context = &mut self.context;
        match owner {
            Owner::Request(id) => self.handle_request_outcome(id, result),
            Owner::Subscribe(id) => self.handle_subscribe_outcome(now, id, exchange, result),
            Owner::Publish(id) => self.handle_publish_outcome(now, id, result),
            Owner::Notify(id) => self.handle_notify_outcome(now, id, result),
            Owner::Refer(id) => self.handle_refer_outcome(now, id, exchange, result),
            Owner::Register(binding) => {
                if let Some(registration) = self.registrations.get_mut(&binding.account) {
                    registration.handle_outcome(context, now, binding.slot(), result);
                }
                self.update_reach(now, binding);
            }
            Owner::Invite(id)
            | Owner::Reinvite(id)
            | Owner::Bye(id)
            | Owner::Info(id)
            | Owner::Prack(id, _)
            | Owner::Update(id, _) => {
                let Some(call) = self.calls.get_mut(id) else {
                    // Its user has hung up, and so has the other side; somebody else takes the call all the same.
                    if let (Owner::Invite(_), Ok((response, _))) = (owner, &result)
                        && status.is_success()
                    {
                        context.let_go(now, exchange, response);
                    }
                    return;
                };
                call.shared = self.subscriptions.shares(id);
                match owner {
                    Owner::Prack(_, early) => {
                        call.handle_prack_outcome(context, now, exchange, early, result);
                    }
                    Owner::Update(_, early) => {
                        call.handle_update_outcome(context, now, exchange, early, result);
                    }
                    Owner::Info(_) => call.handle_info_outcome(context, now, result),
                    Owner::Invite(_) => call.handle_invite_outcome(context, now, exchange, result),
                    Owner::Reinvite(_) => call.handle_reinvite_outcome(context, now, exchange, result),
                    _ => call.handle_bye_outcome(context, now, result),
                }
                // A refusal that is seen to, as a 422, is no end. A call that was given up and is answered all the same is
                // taken down at once.
                let is_news = !status.is_final() || status.is_success() || call.ended;
                let given_up = status.is_success() && call.ended;
                let status = if given_up { StatusCode::REQUEST_TERMINATED } else { status };
                if matches!(owner, Owner::Invite(_)) && is_news {
                    self.referred_call_has(now, id, status);
                }
                self.sweep(now, id);
            }
            Owner::Nobody => {}
        }
    }

    /// The next sequence number for the owner of a request that goes again.
    fn next_seq(&mut self, owner: Owner, used: u32) -> u32 {
        match owner {
            Owner::Register(binding) => {
                self.registrations.get_mut(&binding.account).and_then(|own| own.next_seq(binding.slot()))
            }
            Owner::Invite(id) | Owner::Reinvite(id) | Owner::Bye(id) | Owner::Info(id) => {
                self.calls.get_mut(id).map(|call| call.next_seq(used))
            }
            Owner::Request(id) => {
                let call = self.requests.call_of(id);
                call.and_then(|call| self.calls.get_mut(call)).map(|call| call.next_seq(used))
            }
            Owner::Subscribe(id) => Some(self.next_subscribe_seq(id, used)),
            Owner::Notify(id) => Some(self.next_notify_seq(id, used)),
            Owner::Refer(id) => Some(self.next_refer_seq(id, used)),
            Owner::Prack(id, early) | Owner::Update(id, Some(early)) => {
                self.calls.get_mut(id).map(|call| call.next_seq_in(early, used))
            }
            Owner::Update(id, None) => self.calls.get_mut(id).map(|call| call.next_seq(used)),
            Owner::Publish(_) | Owner::Nobody => None,
        }
        .unwrap_or_else(|| used.saturating_add(1))
    }

    /// Says whether a call's dialog has to outlive it, before anything may end the call.
    pub(crate) fn mark_shared(&mut self, id: CallId) {
        let shared = self.subscriptions.shares(id);
        if let Some(call) = self.calls.get_mut(id) {
            call.shared = shared;
        }
    }

    fn handle_timer(&mut self, now: Instant, timer: Timer) {
        let context = &mut self.context;
        let id = match timer {
            Timer::Register(binding) => {
                if let Some(registration) = self.registrations.get_mut(&binding.account) {
                    registration.handle_timeout(context, now, binding.slot());
                }
                return;
            }
            Timer::Reach(account) => return self.reach_timeout(now, account),
            Timer::NextServer(exchange) => return context.give_up_server(now, exchange),
            Timer::Resubscribe(id) => return self.resubscribe(now, id),
            Timer::Silence(id) => return self.subscription_silent(now, id),
            Timer::Publish(id) => return self.publish_due(now, id),
            Timer::Watcher(id) => return self.watcher_timeout(now, id),
            Timer::Referral(id) => return self.tell_refer_progress(id, ReferProgress::Lost),
            Timer::Unanswered(id) => return self.leave_unanswered(now, id),
            Timer::Repeat2xx(id)
            | Timer::NoAck(id)
            | Timer::RingLimit(id)
            | Timer::KeepRinging(id)
            | Timer::Glare(id)
            | Timer::Reliable(id)
            | Timer::Session(id) => id,
        };
        self.mark_shared(id);
        let context = &mut self.context;
        let Some(call) = self.calls.get_mut(id) else { return };
        match timer {
            Timer::Repeat2xx(_) => call.repeat_2xx(context, now),
            Timer::NoAck(_) => call.no_ack(context, now),
            Timer::RingLimit(_) => call.stop_waiting(context, now),
            Timer::KeepRinging(_) => call.keep_ringing(context, now),
            Timer::Glare(_) => call.glare_over(context),
            Timer::Reliable(_) => call.repeat_reliable(context, now),
            Timer::Session(_) => call.session_due(context, now),
            // Everything else was seen to above.
            _ => {}
        }
        self.sweep(now, id);
    }
}

impl core::fmt::Debug for Agent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Agent")
            .field("accounts", &self.registrations.len())
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}

const fn reason(timer: Timer) -> Reason {
    match timer {
        Timer::Register(binding) => Reason::Registration(binding.account),
        Timer::NextServer(_) => Reason::NextServer,
        Timer::Reach(account) => Reason::Reachability(account),
        Timer::Publish(_)
        | Timer::Resubscribe(_)
        | Timer::Silence(_)
        | Timer::Watcher(_)
        | Timer::Referral(_) => Reason::Subscription,
        Timer::Unanswered(_) => Reason::Request,
        Timer::Repeat2xx(call)
        | Timer::NoAck(call)
        | Timer::RingLimit(call)
        | Timer::KeepRinging(call)
        | Timer::Glare(call)
        | Timer::Reliable(call)
        | Timer::Session(call) => Reason::Call(call),
    }
}
