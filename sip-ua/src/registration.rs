//! Registration (RFC 3261 §10.2): refresh, un-register, 423, back-off, the address that the registrar saw.
//!
//! A binding is refreshed at a random point between 50 and 90 % of its lifetime, so that phones which came up together
//! do not stay together. After a failure the wait is that of RFC 5626 §4.5: its upper bound doubles with each failure,
//! the wait is drawn from the upper half; a longer Retry-After counts instead.

use crate::context::{Context, Timer};
use crate::dialog::{Routed, call_id_header};
use crate::event::{AccountId, Event, RegistrationState};
use crate::exchange::{ExchangeId, Failure, Owner};
use crate::reach::{Registered, comparable};
use alloc::string::String;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CSeq, Contact, Expires, FlowTimer, From, MinExpires, RetryAfter, To, Via};
use sidetone_sip_core::nat::KeepAliveTerms;
use sidetone_sip_core::{Method, NameAddr, Request, Response, Source, StatusCode, Uri};

pub(crate) struct Registration {
    account: AccountId,
    /// One Call-ID for all of an agent's registrations at one registrar (RFC 3261 §10.2).
    call_id: String,
    tag: String,
    cseq: u32,
    /// The exchange under way, and the lifetime it asks for.
    exchange: Option<(ExchangeId, u32)>,
    /// Whether the user wants a binding.
    wanted: bool,
    /// Whether the registrar may hold one.
    bound: bool,
    /// What to do when the exchange under way is over.
    again: bool,
    /// The Contact of an earlier binding that a new address replaced, to be removed with the next REGISTER.
    outdated: Option<Uri>,
    /// The REGISTER under way is the one that follows a new address at once.
    rewriting: bool,
    /// The connection that the last success came over.
    flow: Option<FlowId>,
    /// The Contact that the registrar has bound.
    contact: Option<Uri>,
    /// What the last success says about how to be reached.
    registered: Registered,
    /// Failures since the last success.
    failures: u32,
    pub(crate) state: RegistrationState,
}

impl Registration {
    pub(crate) fn new(account: AccountId, context: &mut Context) -> Self {
        Self {
            account,
            call_id: context.token(),
            tag: context.token(),
            cseq: 0,
            exchange: None,
            wanted: false,
            bound: false,
            again: false,
            outdated: None,
            rewriting: false,
            flow: None,
            contact: None,
            registered: Registered::default(),
            failures: 0,
            state: RegistrationState::Unregistered,
        }
    }

    /// Whether nothing is under way and no binding is left behind.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.exchange.is_none() && !self.bound
    }

    /// The user wants a binding, now.
    pub(crate) fn register(&mut self, context: &mut Context, now: Instant) {
        self.wanted = true;
        self.failures = 0;
        self.send(context, now);
    }

    /// The user wants a binding, but something is to be found out first, which takes so long at most;
    /// [`Registration::handle_timeout`] ends the wait.
    pub(crate) fn register_within(&mut self, context: &mut Context, now: Instant, wait: Duration) {
        self.wanted = true;
        self.failures = 0;
        context.deadlines.set(Timer::Register(self.account), now + wait);
        self.tell(context, RegistrationState::Registering);
    }

    /// Our address is another one: the registrar is told at once, and forgets the one before.
    pub(crate) fn handle_moved(&mut self, context: &mut Context, now: Instant) {
        if self.wanted && self.exchange.is_some() {
            self.again = true;
        } else if self.wanted && self.bound {
            self.replace_contact(context);
            self.send(context, now);
        }
    }

    /// Has the bound Contact removed with the next REGISTER, when that names another one.
    fn replace_contact(&mut self, context: &Context) {
        let (Some(Source { protocol, remote, .. }), Some(bound)) = (self.registered.path, &self.contact)
        else {
            return;
        };
        let next = context.contact(Some(self.account), "", protocol, remote, bound.is_sips());
        if next.as_ref() != Some(bound) {
            self.outdated = Some(bound.clone());
        }
    }

    /// Keep-alives found out that the registrar does not reach us any more the way it did.
    pub(crate) fn handle_flow_failed(&mut self, context: &mut Context, now: Instant) {
        self.registered.path = None;
        if self.wanted && self.exchange.is_none() {
            self.recover(context, now);
        }
    }

    /// The way that the last 2xx came, while it leads to the registrar.
    pub(crate) const fn path(&self) -> Option<Source> {
        self.registered.path
    }

    /// What the last answer of the registrar says about how to be reached.
    pub(crate) const fn registered(&mut self) -> Registered {
        let registered = self.registered;
        self.registered.seen = None;
        registered
    }

    /// The user wants no binding any more.
    pub(crate) fn unregister(&mut self, context: &mut Context, now: Instant) {
        self.wanted = false;
        context.deadlines.stop(Timer::Register(self.account));
        if self.bound || self.exchange.is_some() {
            self.send(context, now);
        } else {
            self.tell(context, RegistrationState::Unregistered);
        }
    }

    /// Time to refresh, or to try again.
    pub(crate) fn handle_timeout(&mut self, context: &mut Context, now: Instant) {
        if self.wanted {
            self.send(context, now);
        }
    }

    /// The connection that the registrar knows us by is gone: a new one is made soon, by a REGISTER.
    pub(crate) fn handle_flow_down(&mut self, context: &mut Context, now: Instant, flow: FlowId) {
        if self.flow == Some(flow) && self.wanted && self.exchange.is_none() {
            self.registered.path = None;
            self.recover(context, now);
        }
    }

    /// Registers over a new flow soon, but not at once: everybody else may have lost theirs too.
    fn recover(&mut self, context: &mut Context, now: Instant) {
        self.flow = None;
        let wait = Duration::from_millis(u64::from(context.rng.below(2000)));
        context.deadlines.set(Timer::Register(self.account), now + wait);
    }

    pub(crate) fn next_seq(&mut self) -> u32 {
        self.cseq = self.cseq.saturating_add(1);
        self.cseq
    }

    /// Sends a REGISTER, or remembers to, for there may be only one at a time (RFC 3261 §10.2).
    fn send(&mut self, context: &mut Context, now: Instant) {
        if self.exchange.is_some() {
            self.again = true;
            return;
        }
        context.deadlines.stop(Timer::Register(self.account));
        let Some(account) = context.accounts.get(&self.account) else { return };
        let expires = if self.wanted { account.expires } else { 0 };
        let (address, routes, protocol) = (account.address(), account.routes(), account.protocol());
        let registrar = account.registrar();
        let mut request = Request::new(Method::REGISTER, registrar.clone());
        let hop = routes.apply(&mut request, &registrar);
        request.headers.push(&From(address.clone().with_tag(&self.tag)));
        request.headers.push(&To(NameAddr { display_name: None, ..address }));
        request.headers.push(&call_id_header(&self.call_id));
        request.headers.push(&CSeq::new(self.next_seq(), Method::REGISTER));
        request.headers.push(&Expires(expires));
        if self.wanted
            && let Some(uri) = self.outdated.take()
        {
            request.headers.push(&Contact::new(uri).with_expires(0));
        }
        // A refresh is no news: the binding holds until the registrar says otherwise.
        if self.state != RegistrationState::Registering && !(self.wanted && self.state.is_registered()) {
            self.tell(context, RegistrationState::Registering);
        }
        let owner = Owner::Register(self.account);
        let id = context.start(now, owner, Some(self.account), Routed { request, hop }, protocol, true);
        self.exchange = Some((id, expires));
    }

    pub(crate) fn handle_outcome(
        &mut self,
        context: &mut Context,
        now: Instant,
        result: Result<(Response, Source), Failure>,
    ) {
        let (response, source) = match result {
            Ok((response, _)) if response.status.is_provisional() => return,
            Ok(answer) => answer,
            Err(failure) => {
                self.exchange = None;
                return self.failed(context, now, None, failure.reason().into(), None);
            }
        };
        let Some((exchange, asked)) = self.exchange.take() else { return };
        if response.status.is_success() {
            self.succeeded(context, now, asked, exchange, &response, &source);
        } else if response.status == StatusCode::INTERVAL_TOO_BRIEF
            && self.take_minimum(context, &response, asked)
        {
            self.send(context, now);
        } else {
            let retry = response.headers.get::<RetryAfter>().and_then(Result::ok).map(|after| after.seconds);
            self.failed(context, now, Some(response.status), response.reason.as_str().into(), retry);
        }
    }

    fn succeeded(
        &mut self,
        context: &mut Context,
        now: Instant,
        asked: u32,
        exchange: ExchangeId,
        response: &Response,
        source: &Source,
    ) {
        self.failures = 0;
        let contact = context.exchanges.get(&exchange).and_then(|exchange| own_contact(&exchange.request));
        if asked == 0 {
            self.bound = false;
            self.flow = None;
            (self.contact, self.registered) = (None, Registered::default());
            if self.wanted {
                self.again = false;
                return self.send(context, now);
            }
            return self.tell(context, RegistrationState::Unregistered);
        }
        self.bound = true;
        self.flow = source.protocol.is_reliable().then_some(source.flow);
        self.registered = registered(response, source, contact.as_ref());
        self.contact.clone_from(&contact);
        if core::mem::take(&mut self.again) {
            self.replace_contact(context);
            return self.send(context, now);
        }
        if self.learn(context, contact.as_ref(), response, source.protocol) {
            (self.outdated, self.rewriting) = (contact, true);
            return self.send(context, now);
        }
        self.rewriting = false;
        let granted = granted(response, contact.as_ref(), asked);
        if granted == 0 {
            let reason = "the registrar keeps no binding for us".into();
            return self.failed(context, now, Some(response.status), reason, None);
        }
        let expires = Duration::from_secs(u64::from(granted));
        let refresh = expires.mul_f64(0.5 + 0.4 * context.rng.unit());
        context.deadlines.set(Timer::Register(self.account), now + refresh);
        self.tell(context, RegistrationState::Registered { expires });
    }

    fn failed(
        &mut self,
        context: &mut Context,
        now: Instant,
        status: Option<StatusCode>,
        reason: String,
        retry_after: Option<u32>,
    ) {
        if !self.wanted {
            // Un-registering failed, or what we wait for no longer matters: the binding ends by itself.
            let unregister = core::mem::take(&mut self.again) && self.bound;
            if unregister {
                return self.send(context, now);
            }
            self.bound = false;
            return self.tell(context, RegistrationState::Failed { status, reason, retry_at: None });
        }
        (self.again, self.rewriting) = (false, false);
        self.failures = self.failures.saturating_add(1);
        // Asking again with the same password would lock the account at many registrars.
        let hopeless = status.is_some_and(StatusCode::is_challenge);
        let retry_at = (!hopeless).then(|| now + self.back_off(context, retry_after));
        if let Some(at) = retry_at {
            context.deadlines.set(Timer::Register(self.account), at);
        }
        self.tell(context, RegistrationState::Failed { status, reason, retry_at });
    }

    /// RFC 5626 §4.5.
    fn back_off(&self, context: &mut Context, retry_after: Option<u32>) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        let bound = context.config.retry_base.saturating_mul(1 << doublings).min(context.config.retry_max);
        let wait = bound.mul_f64(0.5 + 0.5 * context.rng.unit());
        wait.max(Duration::from_secs(u64::from(retry_after.unwrap_or(0))))
    }

    /// A 423 says how long a binding has to be at least (RFC 3261 §10.3).
    fn take_minimum(&self, context: &mut Context, response: &Response, asked: u32) -> bool {
        let Some(Ok(MinExpires(least))) = response.headers.get() else { return false };
        let Some(account) = context.accounts.get_mut(&self.account) else { return false };
        // A registrar that finds its own minimum too brief would be asked for ever.
        let longer = self.wanted && least > asked;
        if longer {
            account.expires = least;
        }
        longer
    }

    /// Takes the address that the registrar saw (RFC 3581 §4). Whether Contact has to change by it.
    fn learn(
        &self,
        context: &mut Context,
        contact: Option<&Uri>,
        response: &Response,
        protocol: Protocol,
    ) -> bool {
        let Some(account) = context.accounts.get_mut(&self.account) else { return false };
        let (Some(Ok(via)), Some(contact)) = (response.headers.get::<Via>(), contact) else { return false };
        let told_otherwise = !account.config.public_address.is_off();
        if !account.config.rewrite_contact || told_otherwise || account.protocol() != protocol {
            return false;
        }
        let Some(seen) = seen_address(&via) else { return false };
        let Some(ours) = address_of(contact) else { return false };
        // A connection's port is never the one that we listen on: only another IP address tells of a NAT there.
        let differs = if protocol.is_reliable() { seen.ip() != ours.ip() } else { seen != ours };
        // One change for each REGISTER that was due by itself: a NAT that gives every packet another port is not chased.
        let changes = differs && !self.rewriting && account.learned != Some(seen);
        if changes {
            account.learned = Some(seen);
        }
        changes
    }

    fn tell(&mut self, context: &mut Context, state: RegistrationState) {
        self.state = state.clone();
        context.events.push_back(Event::Registration { account: self.account, state });
    }
}

/// The Contact that a REGISTER asked to bind.
fn own_contact(request: &Request) -> Option<Uri> {
    request.headers.all::<Contact>().flatten().find_map(|contact| match contact {
        Contact::Addr(address) if address.expires().is_none() => Some(address.uri),
        _ => None,
    })
}

/// The lifetime that a 2xx grants: from our Contact, else from Expires, else as asked (RFC 3261 §10.2.4).
fn granted(response: &Response, contact: Option<&Uri>, asked: u32) -> u32 {
    let bindings = || response.headers.all::<Contact>().flatten();
    let ours = bindings().find(|binding| match binding {
        Contact::Addr(address) => Some(&address.uri) == contact,
        Contact::Star => false,
    });
    // A registrar may rewrite the URI; when it lists only one binding, that is ours.
    let ours = ours.or_else(|| bindings().next().filter(|_| bindings().count() == 1));
    let general = response.headers.get::<Expires>().and_then(Result::ok).map(|Expires(seconds)| seconds);
    ours.and_then(|binding| binding.expires()).or(general).unwrap_or(asked)
}

/// What a 2xx says about how we are reached.
fn registered(response: &Response, source: &Source, contact: Option<&Uri>) -> Registered {
    let via = response.headers.get::<Via>().and_then(Result::ok);
    let keep = via.as_ref().and_then(|via| via.params.raw("keep").flatten()?.parse().ok());
    let flow_timer =
        response.headers.get::<FlowTimer>().and_then(Result::ok).map(|FlowTimer(seconds)| seconds);
    let seen = via.as_ref().and_then(seen_address);
    let ours = contact.and_then(address_of);
    Registered {
        path: Some(*source),
        terms: KeepAliveTerms { flow_timer, keep },
        seen: seen.map(|seen| comparable(seen, ours, source.protocol)),
    }
}

/// Where the top Via says that our request came from.
pub(crate) fn seen_address(via: &Via) -> Option<SocketAddr> {
    let port = via.rport().flatten().or(via.port)?;
    let ip = match via.received() {
        Some(received) => received,
        None => via.host.ip()?,
    };
    Some(SocketAddr::new(ip, port))
}

fn address_of(uri: &Uri) -> Option<SocketAddr> {
    Some(SocketAddr::new(uri.host()?.ip()?, uri.port().unwrap_or(5060)))
}
