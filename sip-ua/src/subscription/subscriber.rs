//! Our subscriptions: SUBSCRIBE, refresh, the states that come in NOTIFY, and trying again (RFC 6665 §4.1).

use super::{SubscribeRequest, SubscriptionId, SubscriptionState, Usage};
use crate::agent::Agent;
use crate::back_off;
use crate::context::{Context, Timer};
use crate::dialog::{Dialog, LocalTag, Reach};
use crate::error::CommandError;
use crate::event::{AccountId, Event};
use crate::exchange::{ExchangeId, Failure, Owner};
use crate::request::{OutgoingRequest, fill};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{
    Accept, CSeq, ContentType, Event as EventHeader, Expires, From, MinExpires,
    SubscriptionState as StateHeader,
};
use sidetone_sip_core::{Method, Request, Response, Source, StatusCode, TransactionId};

/// A subscription of ours.
pub(crate) struct Subscriber {
    pub(crate) account: AccountId,
    request: SubscribeRequest,
    pub(crate) call_id: Arc<str>,
    local_tag: LocalTag,
    /// The number of the SUBSCRIBE that begins the dialog.
    seq: u32,
    /// The lifetime to ask for, in seconds: what a 423 made of it.
    expires: u32,
    dialog: Option<Box<Dialog>>,
    exchange: Option<ExchangeId>,
    /// The user still wants it.
    wanted: bool,
    parting: Parting,
    /// A SUBSCRIBE is due after the one under way.
    due: bool,
    /// Bodies that go with one SUBSCRIBE each, in this order.
    said_once: VecDeque<(ContentType, Bytes)>,
    state: SubscriptionState,
    /// When it ends unless it is refreshed.
    until: Option<Instant>,
    /// When the dialog began, for servers that end it as soon as it began.
    began: Instant,
    failures: u32,
}

/// How far the end of a subscription has come that its user does not want any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parting {
    /// Nothing was said of it, or the 2xx has not come.
    No,
    /// The 2xx came then: the last NOTIFY is due.
    Agreed(Instant),
    /// It has not come for a while. It is taken for as long as it may come, but nobody waits for it.
    Quiet,
}

/// Why a subscription's dialog is gone.
struct Loss {
    status: Option<StatusCode>,
    reason: String,
    /// The other side says when to come again.
    retry: Option<Duration>,
    /// It will hardly be granted then either.
    refused: bool,
    /// Nothing speaks against asking at once.
    at_once: bool,
}

/// Bodies of [`Agent::say_in_subscription`] that may wait: more than a person presses keys while a server is silent.
pub const MAX_SAID: usize = 16;
/// Times T1 that whoever wants to stop waits for a last NOTIFY: it is sent three times in that, should it be lost.
const LAST_WORD: u32 = 4;
/// A subscription that was ended sooner than this after it began is not begun anew at once.
const SHORTEST_LIFE: Duration = Duration::from_secs(10);

impl Agent {
    /// Subscribes to a state (RFC 6665 §4.1) and keeps subscribed until [`unsubscribe`](Self::unsubscribe):
    /// [`Event::Subscription`] and [`Event::Notify`] tell what comes of it. Refreshes are drawn between 75 and 90 % of
    /// the lifetime.
    ///
    /// # Errors
    /// [`CommandError::NoSuchAccount`], [`CommandError::NotSip`], [`CommandError::TooManySubscriptions`].
    pub fn subscribe(
        &mut self,
        now: Instant,
        account: AccountId,
        request: SubscribeRequest,
    ) -> Result<SubscriptionId, CommandError> {
        let Some(known) = self.context.accounts.get(&account) else {
            return Err(CommandError::NoSuchAccount);
        };
        let request = request.by_rules(&known.config.subscriptions);
        if !request.to.is_sip() {
            return Err(CommandError::NotSip);
        }
        let most = self.context.config.max_subscriptions;
        if self.subscriptions.subscribers.len() >= most {
            return Err(CommandError::TooManySubscriptions(most));
        }
        let id = SubscriptionId(self.subscriptions.next_id());
        let expires = u32::try_from(request.expires.as_secs()).unwrap_or(u32::MAX);
        let subscriber = Subscriber {
            account,
            request,
            call_id: Arc::from(""),
            local_tag: LocalTag::random(&mut self.context.rng),
            seq: 0,
            expires,
            dialog: None,
            exchange: None,
            wanted: true,
            parting: Parting::No,
            due: false,
            said_once: VecDeque::new(),
            state: SubscriptionState::Subscribing,
            until: None,
            began: now,
            failures: 0,
        };
        self.subscriptions.subscribers.insert(id, Box::new(subscriber));
        self.begin_subscription(now, id);
        self.pump(now);
        Ok(id)
    }

    /// Ends a subscription. [`SubscriptionState::Ended`] follows with the last NOTIFY, which the other side owes us (RFC 6665
    /// §4.1.2.3), or without it after 32 s. [`is_idle`](Self::is_idle) waits for that NOTIFY for 2 s only.
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`].
    pub fn unsubscribe(&mut self, now: Instant, id: SubscriptionId) -> Result<(), CommandError> {
        let subscriber =
            self.subscriptions.subscribers.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
        if !core::mem::replace(&mut subscriber.wanted, false) {
            return Ok(());
        }
        let busy = subscriber.exchange.is_some();
        let nothing_to_end = subscriber.dialog.is_none() && !busy;
        self.context.deadlines.stop(Timer::Resubscribe(id));
        if nothing_to_end {
            self.subscription_over(id, None, "ended by us");
        } else {
            self.context.deadlines.set(Timer::Silence(id), now + self.context.t1() * 64);
            self.send_subscribe(now, id);
        }
        self.pump(now);
        Ok(())
    }

    /// Asks for the whole state anew, as after a gap in a document's versions: a SUBSCRIBE within the dialog, which the
    /// other side has to answer with a full NOTIFY (RFC 6665 §4.1.2.2).
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`].
    pub fn refresh_subscription(&mut self, now: Instant, id: SubscriptionId) -> Result<(), CommandError> {
        let subscriber = self.subscriptions.subscribers.get(&id).ok_or(CommandError::NoSuchSubscription)?;
        if subscriber.dialog.is_some() && subscriber.wanted {
            self.send_subscribe(now, id);
        }
        self.pump(now);
        Ok(())
    }

    /// Says something in the next SUBSCRIBE of a subscription, and in no further one: how the phones tell the server of
    /// `as-feature-event` what the user has set. It is sent now; behind those that wait, and once the dialog is there.
    ///
    /// What is under way when the dialog is lost is not said again: the state that the server tells is what counts.
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`], [`CommandError::QueueFull`] when [`MAX_SAID`] wait.
    pub fn say_in_subscription(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        body: (ContentType, Bytes),
    ) -> Result<(), CommandError> {
        let subscriber =
            self.subscriptions.subscribers.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
        if subscriber.said_once.len() >= MAX_SAID {
            return Err(CommandError::QueueFull(MAX_SAID));
        }
        subscriber.said_once.push_back(body);
        self.refresh_subscription(now, id)
    }

    /// Where a subscription stands; `None` when it is over.
    #[must_use]
    pub fn subscription_state(&self, id: SubscriptionId) -> Option<&SubscriptionState> {
        self.subscriptions.subscribers.get(&id).map(|subscriber| &subscriber.state)
    }

    /// Begins a dialog anew.
    fn begin_subscription(&mut self, now: Instant, id: SubscriptionId) {
        let call_id: Arc<str> = self.context.token().into();
        let tag = LocalTag::random(&mut self.context.rng);
        let seq = 1 + self.context.rng.below(1 << 16);
        let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) else { return };
        let before = core::mem::replace(&mut subscriber.local_tag, tag);
        subscriber.call_id = call_id;
        subscriber.seq = seq;
        subscriber.dialog = None;
        subscriber.until = None;
        subscriber.began = now;
        self.subscriptions.unbind(before, Usage::Subscriber(id));
        self.subscriptions.bind(tag, Usage::Subscriber(id));
        if let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) {
            subscriber.tell(&mut self.context, id, SubscriptionState::Subscribing);
        }
        self.send_subscribe(now, id);
    }

    /// Sends a SUBSCRIBE, or remembers to: one at a time keeps them in order.
    fn send_subscribe(&mut self, now: Instant, id: SubscriptionId) {
        let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) else { return };
        if subscriber.exchange.is_some() {
            subscriber.due = true;
            return;
        }
        subscriber.due = false;
        let (account, tag) = (subscriber.account, subscriber.local_tag);
        let mut content = subscriber.content();
        let in_dialog = subscriber.dialog.as_mut().map(|dialog| dialog.request(Method::SUBSCRIBE));
        let (call_id, seq, to) =
            (Arc::clone(&subscriber.call_id), subscriber.seq, subscriber.request.to.clone());
        let routed = match in_dialog {
            Some(mut routed) => {
                fill(&mut routed.request, content);
                Ok(routed)
            }
            None => {
                content.method = Method::SUBSCRIBE;
                self.outside_as(account, &to, content, &call_id, tag, seq)
            }
        };
        self.context.deadlines.stop(Timer::Resubscribe(id));
        let protocol = self.context.accounts.get(&account).map(|account| account.protocol());
        let (Ok(mut routed), Some(protocol)) = (routed, protocol) else {
            return self.subscription_over(id, None, "the account is gone");
        };
        self.context.push_features(&mut routed.request.headers, Some(account));
        let owner = Owner::Subscribe(id);
        let exchange = self.context.start(now, owner, Some(account), routed, protocol, true);
        if let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) {
            subscriber.exchange = Some(exchange);
        }
    }

    pub(crate) fn handle_subscribe_outcome(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        exchange: ExchangeId,
        result: Result<(Response, Source), Failure>,
    ) {
        let (status, response) = match result {
            Ok((response, _)) if response.status.is_provisional() => return,
            Ok((response, _)) => (response.status, Some(response)),
            Err(failure) => (failure.status(), None),
        };
        let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) else { return };
        if subscriber.exchange.take_if(|other| *other == exchange).is_none() {
            return;
        }
        match response {
            Some(response) if status.is_success() => self.subscribed(now, id, exchange, &response),
            Some(response) if status == StatusCode::INTERVAL_TOO_BRIEF && subscriber.lengthen(&response) => {
                self.send_again(now, id);
            }
            response => self.subscribe_failed(now, id, status, response.as_ref()),
        }
    }

    /// A 2xx: the subscription is there, and its state comes in a NOTIFY (RFC 6665 §4.1.2.1).
    fn subscribed(&mut self, now: Instant, id: SubscriptionId, exchange: ExchangeId, response: &Response) {
        let request = self.context.exchanges.get(&exchange).map(|exchange| exchange.request.clone());
        let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) else { return };
        let first = subscriber.dialog.is_none();
        if first && let Some(request) = request {
            subscriber.dialog = Dialog::client(&subscriber.call_id, &request, response).ok().map(Box::new);
        } else if let Some(dialog) = &mut subscriber.dialog {
            dialog.refresh_target(&response.headers);
        }
        let asked = if subscriber.wanted { subscriber.expires } else { 0 };
        let granted = response.headers.get::<Expires>().and_then(Result::ok);
        // A server that grants more than was asked for is not believed (RFC 6665 §4.2.1.1).
        let granted = granted.map_or(asked, |Expires(seconds)| seconds.min(asked));
        subscriber.failures = 0;
        if core::mem::take(&mut subscriber.due) || !subscriber.said_once.is_empty() {
            return self.send_subscribe(now, id);
        }
        if granted > 0 {
            self.keep(now, id, granted);
        }
        if first || granted == 0 {
            // Timer N: the NOTIFY has to come (RFC 6665 §4.1.2.4).
            let mut wait = self.context.t1() * 64;
            if let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id).filter(|own| !own.wanted) {
                subscriber.parting = Parting::Agreed(now);
                wait = self.context.t1() * LAST_WORD;
            }
            self.context.deadlines.set(Timer::Silence(id), now + wait);
        }
    }

    /// The subscription holds for so many seconds from now.
    fn keep(&mut self, now: Instant, id: SubscriptionId, seconds: u32) {
        let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) else { return };
        let life = Duration::from_secs(u64::from(seconds));
        subscriber.until = Some(now + life);
        if subscriber.wanted && subscriber.expires > 0 {
            let share = match subscriber.request.refresh {
                // At the latest at 99 %, or it would be none.
                Some(percent) => f64::from(percent.clamp(1, 99)) / 100.0,
                None => 0.75 + 0.15 * self.context.rng.unit(),
            };
            let refresh = life.mul_f64(share);
            self.context.deadlines.set(Timer::Resubscribe(id), now + refresh);
        }
    }

    fn subscribe_failed(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        status: StatusCode,
        response: Option<&Response>,
    ) {
        let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) else { return };
        let reason =
            response.map_or_else(|| status.reason().into(), |response| response.reason.as_str().into());
        let retry = response.and_then(|response| back_off::retry_after(&response.headers));
        let lives = subscriber.dialog.is_some() && !Reach::of(status, &Method::SUBSCRIBE).ends_usage();
        let left = subscriber.until.map(|until| until.saturating_since(now)).filter(|left| !left.is_zero());
        if let (true, true, Some(left)) = (lives, subscriber.wanted, left) {
            // The subscription holds until it runs out (RFC 6665 §4.1.2.2): once more at half of what is left, and in the
            // end anew.
            let wait = retry.unwrap_or(left / 2).max(Duration::from_secs(1)).min(left);
            subscriber.due = false;
            self.context.deadlines.set(Timer::Resubscribe(id), now + wait);
            return;
        }
        // A server that began anew knows no dialogs: nothing speaks against asking at once.
        let forgotten = status == StatusCode::CALL_DOES_NOT_EXIST;
        let refused = is_refusal(status);
        let loss = Loss { status: Some(status), reason, retry, refused, at_once: forgotten };
        self.subscription_lost(now, id, loss);
    }

    /// The dialog of a subscription is gone. It is begun anew, now or later, or it is over.
    fn subscription_lost(&mut self, now: Instant, id: SubscriptionId, loss: Loss) {
        let Loss { status, reason, retry, refused, at_once } = loss;
        let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) else { return };
        let rule = subscriber.request.again;
        let forbidden = rule.stop_on_forbidden && status == Some(StatusCode::FORBIDDEN);
        let hopeless =
            refused && !rule.after_refusal || forbidden || rule.is_never() || subscriber.expires == 0;
        if !subscriber.wanted || hopeless {
            return self.subscription_over(id, status, &reason);
        }
        self.context.deadlines.stop(Timer::Silence(id));
        let lived = now.saturating_since(subscriber.began) >= SHORTEST_LIFE;
        if at_once && lived && retry.is_none() {
            return self.begin_when_free(now, id);
        }
        subscriber.failures = subscriber.failures.saturating_add(1);
        let bound = back_off::bound(subscriber.failures, rule.base, rule.max);
        let drawn = back_off::drawn(bound, &mut self.context.rng);
        // Refused for good, and still to be tried: that is a rule of exact intervals.
        let wait = if rule.after_refusal { bound } else { drawn };
        let retry_at = now + wait.max(retry.unwrap_or(Duration::ZERO));
        subscriber.dialog = None;
        subscriber.until = None;
        let tag = subscriber.local_tag;
        subscriber.tell(&mut self.context, id, SubscriptionState::Waiting { status, reason, retry_at });
        self.subscriptions.unbind(tag, Usage::Subscriber(id));
        self.context.deadlines.set(Timer::Resubscribe(id), retry_at);
    }

    /// Begins anew; a SUBSCRIBE of the old dialog that is still under way speaks for nobody any more.
    fn begin_when_free(&mut self, now: Instant, id: SubscriptionId) {
        if let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) {
            subscriber.exchange = None;
        }
        self.begin_subscription(now, id);
    }

    fn send_again(&mut self, now: Instant, id: SubscriptionId) {
        if let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id)
            && subscriber.dialog.is_none()
        {
            subscriber.seq = subscriber.seq.saturating_add(1);
        }
        self.send_subscribe(now, id);
    }

    /// Nothing more is heard of it.
    fn subscription_over(&mut self, id: SubscriptionId, status: Option<StatusCode>, reason: &str) {
        let Some(mut subscriber) = self.subscriptions.subscribers.remove(&id) else { return };
        self.subscriptions.unbind(subscriber.local_tag, Usage::Subscriber(id));
        self.context.deadlines.stop(Timer::Resubscribe(id));
        self.context.deadlines.stop(Timer::Silence(id));
        let state = SubscriptionState::Ended { status, reason: reason.to_string() };
        subscriber.tell(&mut self.context, id, state);
    }

    /// A NOTIFY within the dialog of a subscription, or the one that begins it: it may come before the 2xx (RFC 6665
    /// §4.1.2.4).
    pub(crate) fn handle_notify(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        transaction: TransactionId,
        request: Request,
    ) {
        let context = &mut self.context;
        let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) else {
            return context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
        };
        if let Err(status) = subscriber.check(&request) {
            return context.refuse(now, transaction, &request, status);
        }
        let Some(Ok(state)) = request.headers.get::<StateHeader>() else {
            // RFC 6665 §8.2.3: it is compulsory.
            return context.refuse(now, transaction, &request, StatusCode::BAD_REQUEST);
        };
        let asked = subscriber.request.answers && !state.is_terminated();
        if !asked {
            let tag = subscriber.local_tag.to_string();
            let mut response = context.response(&request, StatusCode::OK, Some(&tag));
            context.push_abilities(&mut response.headers, Some(subscriber.account));
            context.respond(now, transaction, response);
        }
        if subscriber.wanted || state.is_terminated() {
            // Otherwise it is a change that crosses our end of it, and the last NOTIFY may not come at all.
            context.deadlines.stop(Timer::Silence(id));
        }
        let left = state.expires();
        if state.is_terminated() {
            context.events.push_back(Event::Notify { subscription: id, request: Box::new(request) });
            return self.notified_end(now, id, &state);
        }
        let seconds = left.unwrap_or_else(|| subscriber.left(now));
        let expires = Duration::from_secs(u64::from(seconds));
        let told = if state.is_pending() {
            SubscriptionState::Pending { expires }
        } else {
            SubscriptionState::Active { expires }
        };
        // The state is told before the body; a further NOTIFY is no change of it.
        if core::mem::discriminant(&told) != core::mem::discriminant(&subscriber.state) {
            subscriber.tell(context, id, told);
        } else {
            subscriber.state = told;
        }
        let shorter = left.is_some_and(|left| {
            subscriber.until.is_none_or(|until| now + Duration::from_secs(u64::from(left)) < until)
        });
        if shorter && let Some(left) = left.filter(|left| *left > 0) {
            self.keep(now, id, left);
        }
        if !asked {
            self.context.events.push_back(Event::Notify { subscription: id, request: Box::new(request) });
        } else if let Some(answer) = self.keep_received(now, transaction, &request) {
            let request = Box::new(request);
            self.context.events.push_back(Event::NotifyAsked { subscription: id, id: answer, request });
        }
    }

    /// The other side ended it, and says why (RFC 6665 §4.1.3).
    fn notified_end(&mut self, now: Instant, id: SubscriptionId, state: &StateHeader) {
        let reason = state.reason().map(|reason| reason.to_ascii_lowercase()).unwrap_or_default();
        let retry = state.retry_after().map(|seconds| Duration::from_secs(u64::from(seconds)));
        let (refused, at_once) = match reason.as_str() {
            "rejected" | "noresource" | "invariant" => (true, false),
            "probation" | "giveup" => (false, retry.is_none() && reason == "giveup"),
            // `deactivated`, `timeout`, none and unknown ones: anew at once.
            _ => (false, true),
        };
        let retry = retry.filter(|_| matches!(reason.as_str(), "probation" | "giveup"));
        let words = if reason.is_empty() { "ended by the other side".to_string() } else { reason };
        let loss = Loss { status: None, reason: words, retry, refused, at_once };
        self.subscription_lost(now, id, loss);
    }

    /// Time to refresh, or to try again.
    pub(crate) fn resubscribe(&mut self, now: Instant, id: SubscriptionId) {
        let Some(subscriber) = self.subscriptions.subscribers.get(&id) else { return };
        let gone = subscriber.until.is_none_or(|until| until <= now);
        if subscriber.dialog.is_none() || gone {
            self.begin_when_free(now, id);
        } else {
            self.send_subscribe(now, id);
        }
    }

    /// No NOTIFY came.
    pub(crate) fn subscription_silent(&mut self, now: Instant, id: SubscriptionId) {
        let reason = "no NOTIFY came".to_string();
        let status = Some(StatusCode::REQUEST_TIMEOUT);
        if let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) {
            if let Parting::Agreed(at) = subscriber.parting {
                subscriber.parting = Parting::Quiet;
                return self.context.deadlines.set(Timer::Silence(id), at + self.context.t1() * 64);
            }
            subscriber.exchange = None;
        }
        let loss = Loss { status, reason, retry: None, refused: false, at_once: false };
        self.subscription_lost(now, id, loss);
    }

    /// The number of a SUBSCRIBE that goes again with credentials.
    pub(crate) fn next_subscribe_seq(&mut self, id: SubscriptionId, used: u32) -> u32 {
        let Some(subscriber) = self.subscriptions.subscribers.get_mut(&id) else {
            return used.saturating_add(1);
        };
        match &mut subscriber.dialog {
            Some(dialog) => dialog.next_seq(),
            None => {
                subscriber.seq = used.saturating_add(1);
                subscriber.seq
            }
        }
    }
}

impl Subscriber {
    /// Whether nothing is left of it but a last NOTIFY, which has not come and may never.
    pub(crate) fn is_quiet(&self) -> bool {
        self.parting == Parting::Quiet
    }

    fn tell(&mut self, context: &mut Context, id: SubscriptionId, state: SubscriptionState) {
        self.state = state.clone();
        context.events.push_back(Event::Subscription { subscription: id, state });
    }

    /// What each SUBSCRIBE says.
    fn content(&mut self) -> OutgoingRequest {
        let mut headers = self.request.headers.clone();
        headers.set(&self.request.event);
        headers.set(&Expires(if self.wanted { self.expires } else { 0 }));
        if !self.request.accept.is_empty() {
            headers.set(&Accept(self.request.accept.clone()));
        }
        // What is asked for at the end needs no body.
        let once = if self.wanted { self.said_once.pop_front() } else { None };
        let body = once.or_else(|| self.request.body.clone()).filter(|_| self.wanted);
        OutgoingRequest { method: Method::SUBSCRIBE, headers, body }
    }

    /// Whether a NOTIFY is this subscription's and in order; it makes the dialog if there is none.
    fn check(&mut self, request: &Request) -> Result<(), StatusCode> {
        let event = request.headers.get::<EventHeader>().and_then(Result::ok);
        if !event.is_some_and(|event| event.matches(&self.request.event)) {
            return Err(StatusCode::BAD_EVENT);
        }
        let (Some(Ok(from)), Some(Ok(cseq))) = (request.headers.get::<From>(), request.headers.get::<CSeq>())
        else {
            return Err(StatusCode::BAD_REQUEST);
        };
        match &mut self.dialog {
            // A fork: one dialog is enough, and the others are told so (RFC 6665 §4.4.1).
            Some(dialog) if dialog.remote_tag() != from.tag().unwrap_or_default() => {
                Err(StatusCode::CALL_DOES_NOT_EXIST)
            }
            Some(dialog) => {
                if !dialog.accept_seq(cseq.seq) {
                    return Err(StatusCode::SERVER_INTERNAL_ERROR);
                }
                dialog.refresh_target(&request.headers);
                Ok(())
            }
            None => {
                let made = Dialog::notified(&self.call_id, self.local_tag, self.seq, request);
                self.dialog = Some(Box::new(made.map_err(|error| error.status())?));
                Ok(())
            }
        }
    }

    /// Seconds that are left of it.
    fn left(&self, now: Instant) -> u32 {
        let left = self.until.map_or(0, |until| until.saturating_since(now).as_secs());
        u32::try_from(left).unwrap_or(u32::MAX).max(1)
    }

    /// A 423 says how long it has to be at least. Whether that is longer than what was asked for.
    fn lengthen(&mut self, response: &Response) -> bool {
        let Some(Ok(MinExpires(least))) = response.headers.get() else { return false };
        let longer = self.wanted && least > self.expires;
        if longer {
            self.expires = least;
        }
        longer
    }
}

/// Statuses that will hardly change by themselves.
fn is_refusal(status: StatusCode) -> bool {
    status.is_challenge()
        || matches!(status.code(), 403..=405 | 410 | 414..=416 | 420 | 484 | 485 | 489 | 501 | 505 | 600..)
}
