//! One binding at one place: refresh, un-register, 423, back-off, the address that the registrar saw (RFC 3261 §10.2).

use super::answer::{address_of, granted, own_contact, registered, seen_address};
use super::request::register;
use super::{Binding, BindingId};
use crate::account::Slot;
use crate::back_off;
use crate::config::Failback;
use crate::context::{Context, Timer};
use crate::dialog::call_id_header;
use crate::event::{Event, RegistrationState};
use crate::exchange::{ExchangeId, Failure, Owner};
use crate::reach::Registered;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use sidetone_hal::net::{FlowId, Protocol};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CSeq, Contact, Date, MinExpires, RetryAfter, Via};
use sidetone_sip_core::{Method, Response, Source, StatusCode, Target, Uri};

/// Keeps one binding.
pub(super) struct Upkeep {
    id: BindingId,
    /// One Call-ID for all registrations at one registrar (RFC 3261 §10.2), and one for each flow (RFC 5626 §4.2).
    call_id: String,
    tag: String,
    cseq: u32,
    /// The exchange under way, and the lifetime it asks for.
    exchange: Option<(ExchangeId, u32)>,
    /// Whether the user wants a binding here.
    pub(super) wanted: bool,
    /// Whether the registrar may hold one.
    bound: bool,
    /// What to do when the exchange under way is over.
    again: bool,
    /// The next REGISTER takes back what an earlier run may have left.
    clean: bool,
    /// The server that the next REGISTER goes to and no other, and whether that is not the primary.
    forced: Option<(Target, bool)>,
    /// The REGISTER under way went to such a server.
    forcing: Option<(Target, bool)>,
    /// How often to try while another server has taken over (Yealink's `fallback.timeout`).
    pub(super) probe: Option<Duration>,
    /// Another flow of the account is registered: there is less haste (RFC 5626 §4.5).
    pub(super) accompanied: bool,
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
    pub(super) state: RegistrationState,
    /// States since they were asked for last.
    pub(super) news: Vec<RegistrationState>,
}

impl Upkeep {
    pub(super) fn new(id: BindingId, context: &mut Context) -> Self {
        let config = context.accounts.get(&id.account).map(|account| &account.config);
        let clean = config.is_some_and(|config| config.registration.unregister_first);
        Self {
            id,
            call_id: context.token(),
            tag: context.token(),
            cseq: 0,
            exchange: None,
            wanted: false,
            bound: false,
            again: false,
            clean,
            forced: None,
            forcing: None,
            probe: None,
            accompanied: false,
            outdated: None,
            rewriting: false,
            flow: None,
            contact: None,
            registered: Registered::default(),
            failures: 0,
            state: RegistrationState::Unregistered,
            news: Vec::new(),
        }
    }

    /// Whether the server was tried in vain, and has not answered since.
    pub(super) const fn is_down(&self) -> bool {
        self.failures > 0 && !self.state.is_registered()
    }

    /// Whether a REGISTER is under way.
    pub(super) const fn is_busy(&self) -> bool {
        self.exchange.is_some()
    }

    /// Whether a REGISTER is under way, or about to be, to this very server.
    pub(super) fn is_registering_at(&self, target: &Target) -> bool {
        [&self.forced, &self.forcing].into_iter().flatten().any(|(at, _)| at == target)
    }

    fn slot<'a>(&self, context: &'a mut Context) -> Option<&'a mut Slot> {
        context.accounts.get_mut(&self.id.account)?.slots.get_mut(self.id.slot())
    }

    /// Registers at this server and no other: a request has failed over to it.
    pub(super) fn register_at(
        &mut self,
        context: &mut Context,
        now: Instant,
        target: Target,
        failed_over: bool,
    ) {
        self.forced = Some((target, failed_over));
        self.send(context, now);
    }

    /// Whether nothing is under way and no binding is left behind.
    pub(super) const fn is_quiet(&self) -> bool {
        self.exchange.is_none() && !self.bound
    }

    /// A binding is wanted, now.
    pub(super) fn register(&mut self, context: &mut Context, now: Instant) {
        self.wanted = true;
        self.send(context, now);
    }

    /// Forgets failures: the user wants it tried anew.
    pub(super) const fn start_anew(&mut self) {
        self.failures = 0;
    }

    /// The user wants a binding, but something is to be found out first, which takes so long at most;
    /// [`Registration::handle_timeout`] ends the wait.
    pub(super) fn register_within(&mut self, context: &mut Context, now: Instant, wait: Duration) {
        self.wanted = true;
        context.deadlines.set(Timer::Register(self.id), now + wait);
        self.tell(context, RegistrationState::Registering);
    }

    /// Our address is another one: the registrar is told at once, and forgets the one before.
    pub(super) fn handle_moved(&mut self, context: &mut Context, now: Instant) {
        if self.wanted && self.exchange.is_some() {
            self.again = true;
        } else if self.wanted && self.bound {
            self.replace_contact(context);
            // After a failure there is a wait, which a new address does not cut short.
            if self.state.is_registered() {
                self.send(context, now);
            }
        }
    }

    /// Leaves the binding to its lifetime: no further REGISTER.
    pub(super) fn leave(&mut self, context: &mut Context) {
        (self.wanted, self.bound, self.again, self.forced) = (false, false, false, None);
        context.deadlines.stop(Timer::Register(self.id));
        if self.exchange.is_none() {
            self.tell(context, RegistrationState::Unregistered);
        }
    }

    /// Has the bound Contact removed with the next REGISTER, when that names another one.
    fn replace_contact(&mut self, context: &Context) {
        let (Some(Source { protocol, remote, .. }), Some(bound)) = (self.registered.path, &self.contact)
        else {
            return;
        };
        let next = context.own_contact(Some(self.id.account), "", protocol, remote, bound.is_sips());
        if next.as_ref() != Some(bound) {
            self.outdated = Some(bound.clone());
        }
    }

    /// Keep-alives found out that the registrar does not reach us any more the way it did.
    pub(super) fn handle_flow_failed(&mut self, context: &mut Context, now: Instant) {
        self.registered.path = None;
        if self.wanted && self.exchange.is_none() {
            self.recover(context, now);
        }
    }

    /// The way that the last 2xx came, while it leads to the registrar.
    pub(super) const fn path(&self) -> Option<Source> {
        self.registered.path
    }

    /// What the last answer of the registrar says about how to be reached.
    pub(super) const fn registered(&mut self) -> Registered {
        let registered = self.registered;
        self.registered.seen = None;
        registered
    }

    /// The user wants no binding any more.
    pub(super) fn unregister(&mut self, context: &mut Context, now: Instant) {
        self.wanted = false;
        self.forced = None;
        if let Some(slot) = self.slot(context) {
            slot.binding = None;
        }
        context.deadlines.stop(Timer::Register(self.id));
        if self.bound || self.exchange.is_some() {
            self.send(context, now);
        } else {
            self.tell(context, RegistrationState::Unregistered);
        }
    }

    /// Time to refresh, or to try again.
    pub(super) fn handle_timeout(&mut self, context: &mut Context, now: Instant) {
        if self.wanted {
            self.send(context, now);
        }
    }

    /// The connection that the registrar knows us by is gone: a new one is made soon, by a REGISTER.
    pub(super) fn handle_flow_down(&mut self, context: &mut Context, now: Instant, flow: FlowId) {
        if self.flow == Some(flow) && self.wanted && self.exchange.is_none() {
            self.registered.path = None;
            self.recover(context, now);
        }
    }

    /// Registers over a new flow soon, but not at once: everybody else may have lost theirs too.
    pub(super) fn recover(&mut self, context: &mut Context, now: Instant) {
        self.flow = None;
        if let Some(slot) = self.slot(context).filter(|slot| slot.reg_id.is_some()) {
            // Another flow has the calls meanwhile (RFC 5626 §4.3).
            slot.binding = None;
        }
        let wait = Duration::from_millis(u64::from(context.rng.below(2000)));
        context.deadlines.set(Timer::Register(self.id), now + wait);
    }

    pub(super) fn next_seq(&mut self) -> u32 {
        self.cseq = self.cseq.saturating_add(1);
        self.cseq
    }

    /// Sends a REGISTER, or remembers to, for there may be only one at a time (RFC 3261 §10.2).
    fn send(&mut self, context: &mut Context, now: Instant) {
        if self.exchange.is_some() {
            self.again = true;
            return;
        }
        context.deadlines.stop(Timer::Register(self.id));
        self.forcing = self.forced.take();
        let takes_back = !self.wanted || core::mem::take(&mut self.clean);
        let Some(account) = context.accounts.get_mut(&self.id.account) else { return };
        let Some(slot) = account.slots.get_mut(self.id.slot()) else { return };
        if slot.server.failback == Failback::Registration && !takes_back && self.forcing.is_none() {
            // The primary is asked first whenever the registration is renewed.
            slot.pin = None;
        }
        let Some(slot) = account.slots.get(self.id.slot()) else { return };
        let expires = if takes_back { 0 } else { slot.expires };
        let mut request = register(account, slot, &self.tag, expires);
        let ways = slot.register_ways(self.id.slot(), &account.config, now);
        request.headers.push(&call_id_header(&self.call_id));
        request.headers.push(&CSeq::new(self.next_seq(), Method::REGISTER));
        if self.wanted
            && let Some(uri) = self.outdated.take()
        {
            request.headers.push(&Contact::new(uri).with_expires(0));
        }
        // A refresh is no news: the binding holds until the registrar says otherwise.
        if self.state != RegistrationState::Registering && !(self.wanted && self.state.is_registered()) {
            self.tell(context, RegistrationState::Registering);
        }
        let owner = Owner::Register(self.id);
        let to = self.forcing.clone().map(|(target, _)| (target, true));
        let more = self.probe.is_some() && self.wanted;
        let id = context.start_by(now, owner, Some(self.id.account), request, true, ways, to);
        if more {
            context.set_more(now, id);
        }
        self.exchange = Some((id, expires));
    }

    pub(super) fn handle_outcome(
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
            if let Some(Ok(Date(time))) = response.headers.get() {
                context.events.push_back(Event::ServerTime { account: self.id.account, time });
            }
            self.succeeded(context, now, asked, exchange, &response, &source);
        } else if response.status == StatusCode::INTERVAL_TOO_BRIEF
            && self.take_minimum(context, &response, asked)
        {
            self.send(context, now);
        } else if response.status == StatusCode::FIRST_HOP_LACKS_OUTBOUND_SUPPORT
            && self.wanted
            && let Some(slot) =
                self.slot(context).filter(|slot| slot.reg_id.is_some() && !slot.lacks_outbound)
        {
            slot.lacks_outbound = true;
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
        let failed_over = self.forcing.take().map(|(_, failed_over)| failed_over);
        if asked == 0 {
            self.bound = false;
            self.flow = None;
            if let Some(slot) = self.slot(context) {
                (slot.registered_at, slot.pin) = (None, None);
            }
            (self.contact, self.registered) = (None, Registered::default());
            if self.wanted {
                self.again = false;
                return self.send(context, now);
            }
            return self.tell(context, RegistrationState::Unregistered);
        }
        if !self.wanted && !self.again {
            // The binding was left to its lifetime while the REGISTER was under way.
            self.bound = false;
            return self.tell(context, RegistrationState::Unregistered);
        }
        self.bound = true;
        self.flow = source.protocol.is_reliable().then_some(source.flow);
        self.registered = registered(response, source, contact.as_ref());
        self.contact.clone_from(&contact);
        context.settle_pin(now, self.id, exchange, failed_over);
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
        self.keep(context, contact, expires, response);
        self.keep_flow(context, exchange, source);
        let refresh = self.refresh_at(context, now, expires);
        context.deadlines.set(Timer::Register(self.id), refresh);
        self.tell(context, RegistrationState::Registered { expires });
    }

    /// Writes down what the registrar says of the binding.
    fn keep(&self, context: &mut Context, contact: Option<Uri>, expires: Duration, response: &Response) {
        let Some(account) = context.accounts.get_mut(&self.id.account) else { return };
        let service_route = account.config.registration.service_route;
        let gruu = account.config.outbound.as_ref().is_some_and(|outbound| outbound.gruu);
        let (Some(slot), Some(contact)) = (account.slots.get_mut(self.id.slot()), contact) else { return };
        let binding = Binding::new(slot.group, slot.reg_id, contact, expires, response);
        slot.binding = Some(Box::new(binding.keep_only(service_route, gruu)));
    }

    /// Writes down the flow that a registrar which keeps to flows knows us by now.
    fn keep_flow(&self, context: &mut Context, exchange: ExchangeId, source: &Source) {
        let proxy =
            context.exchanges.get(&exchange).and_then(|known| known.way.as_ref()).map_or(0, |way| way.proxy);
        let Some(slot) = self.slot(context) else { return };
        let keeps = slot.reg_id.is_some() && slot.binding.as_ref().is_some_and(|binding| binding.outbound);
        let domain = slot.registered_at.as_ref().and_then(|target| target.domain.clone());
        slot.flow = keeps.then(|| (proxy, Target { domain, ..source.target() }));
    }

    /// When the binding is refreshed, or moved back to the primary server.
    fn refresh_at(&self, context: &mut Context, now: Instant, expires: Duration) -> Instant {
        let Some(account) = context.accounts.get(&self.id.account) else { return now + expires };
        let refresh = now + account.config.registration.refresh.wait(expires, &mut context.rng);
        let slot = account.slots.get(self.id.slot());
        let moves = slot.filter(|slot| slot.server.failback != Failback::Avoid);
        let until = moves.and_then(|slot| slot.pin(now)).and_then(|pin| pin.until);
        until.map_or(refresh, |until| until.min(refresh))
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
        (self.again, self.rewriting, self.forcing) = (false, false, None);
        self.failures = self.failures.saturating_add(1);
        let config = context.accounts.get(&self.id.account).map(|account| &account.config.registration);
        let stops = config.is_some_and(|config| config.retry.stop_on_forbidden);
        // Asking again with the same password would lock the account at many registrars.
        let hopeless =
            status.is_some_and(|status| status.is_challenge() || stops && status == StatusCode::FORBIDDEN);
        if let Some(slot) = self.slot(context) {
            slot.pin = None;
        }
        let retry_at = (!hopeless).then(|| now + self.back_off(context, retry_after));
        if let Some(at) = retry_at {
            context.deadlines.set(Timer::Register(self.id), at);
        }
        self.tell(context, RegistrationState::Failed { status, reason, retry_at });
    }

    /// How long to wait after a failure: as the settings say, else RFC 5626 §4.5.
    fn back_off(&self, context: &mut Context, retry_after: Option<u32>) -> Duration {
        let config = context.accounts.get(&self.id.account).map(|account| &account.config.registration);
        let wait = match self.probe.or_else(|| config.and_then(|config| config.retry.interval)) {
            Some(interval) => interval,
            None => {
                // RFC 5626 §4.5: base-time is 30 s when all flows have failed, else 90 s.
                let base = context.config.retry_base * if self.accompanied { 3 } else { 1 };
                let bound = back_off::bound(self.failures, base, context.config.retry_max);
                back_off::drawn(bound, &mut context.rng)
            }
        };
        wait.max(Duration::from_secs(u64::from(retry_after.unwrap_or(0))))
    }

    /// A 423 says how long a binding has to be at least (RFC 3261 §10.3).
    fn take_minimum(&self, context: &mut Context, response: &Response, asked: u32) -> bool {
        let Some(Ok(MinExpires(least))) = response.headers.get() else { return false };
        let Some(slot) = self.slot(context) else { return false };
        // A registrar that finds its own minimum too brief would be asked for ever.
        let longer = self.wanted && least > asked;
        if longer {
            slot.expires = least;
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
        let Some(account) = context.accounts.get_mut(&self.id.account) else { return false };
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
        if !state.is_registered()
            && let Some(slot) = self.slot(context)
        {
            slot.binding = None;
        }
        self.state = state.clone();
        self.news.push(state);
    }
}
