//! Subscriptions of others: who may know our state, and NOTIFY requests that tell it (RFC 6665 §4.2).

use super::watcher::{Asked, Stage, Told, Watcher};
use super::{NotifyContent, Usage, WatcherId, Within};
use crate::agent::Agent;
use crate::call::Call;
use crate::context::Timer;
use crate::dialog::{Dialog, LocalTag, Reach, Routed};
use crate::error::CommandError;
use crate::event::{AccountId, CallId, Event};
use crate::exchange::{Failure, Owner};
use crate::package::call_info::{SEIZE_EVENT, SEIZE_EXPIRES};
use crate::package::resource_list::{OPTION_TAG, is_list};
use crate::request::append;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::sync::Arc;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{
    AllowEvents, CallId as CallIdHeader, Event as EventHeader, Expires, HeaderName, MinExpires, Require,
    RetryAfter, SubscriptionState as StateHeader,
};
use sidetone_sip_core::{Headers, Method, Request, Response, Source, StatusCode, TransactionId};

/// What is to be done about a SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeKind {
    /// A new one: `SUBSCRIBE` outside of its dialog, which waits for [`accept_subscription`](Agent::accept_subscription) or
    /// [`reject_subscription`](Agent::reject_subscription); within 30 s, or it is answered 480.
    New,
    /// A refresh: `SUBSCRIBE` within it, answered `200` already: the whole state is due in a [`notify`](Agent::notify).
    Refresh,
    /// The end (`SUBSCRIBE` with `Expires: 0`), or a question that is asked once (the same as a first one): the whole state is due in a [`notify`](Agent::notify), which says that the
    /// subscription is over; without one it ends in 32 s.
    Final,
}

/// How a subscription of somebody else stands, as its NOTIFY requests say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatcherState {
    /// Nobody has allowed it yet: `NOTIFY` with `Subscription-State: pending`.
    Pending,
    /// It gets the state: `NOTIFY` with `Subscription-State: active`.
    Active,
}

/// How often a NOTIFY is sent that gets 500 each time. In a dialog that it shares with a call, other requests may have
/// overtaken it (RFC 3261 §12.2.2), which is no reason to tell nothing more.
const MAX_TRIES: u8 = 3;

/// NOTIFY requests of a subscription that may wait for the one under way. Documents that tell changes only must not be
/// lost in the middle, so the user hears of it and sends the whole state later.
const MAX_QUEUED: usize = 16;

impl Agent {
    /// Takes a new subscription: 200, and a NOTIFY with the state at once, which RFC 6665 §4.2.2 wants, or without a body
    /// where there is none to tell yet.
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`], [`CommandError::WrongState`] when it was decided on before.
    pub fn accept_subscription(
        &mut self,
        now: Instant,
        id: WatcherId,
        state: WatcherState,
        content: impl Into<NotifyContent>,
    ) -> Result<(), CommandError> {
        let watcher = self.subscriptions.watchers.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
        if watcher.refer.is_some() || !matches!(watcher.stage, Stage::Asked(_)) {
            return Err(CommandError::WrongState);
        }
        let stage = core::mem::replace(&mut watcher.stage, Stage::Up(state));
        if let Stage::Asked(asked) = stage {
            if asked.seconds == 0 {
                watcher.stage = Stage::Final;
            }
            self.respond_subscribe(now, id, &asked, StatusCode::OK);
        }
        let result = self.queue_notify(now, id, content);
        self.pump(now);
        result
    }

    /// Refuses a new subscription, by 300 to 699: 403 for those who may not know, 404 for what there is not, 603.
    ///
    /// # Errors
    /// [`CommandError::Status`], [`CommandError::NoSuchSubscription`], [`CommandError::WrongState`].
    pub fn reject_subscription(
        &mut self,
        now: Instant,
        id: WatcherId,
        status: StatusCode,
    ) -> Result<(), CommandError> {
        if status.code() < 300 {
            return Err(CommandError::Status(status.code()));
        }
        let watcher = self.subscriptions.watchers.get(&id).ok_or(CommandError::NoSuchSubscription)?;
        let Stage::Asked(asked) = &watcher.stage else { return Err(CommandError::WrongState) };
        let tag = watcher.local_tag.to_string();
        let response = self.context.response(&asked.request, status, Some(&tag));
        let transaction = asked.transaction;
        self.context.respond(now, transaction, response);
        self.forget_watcher(id);
        self.pump(now);
        Ok(())
    }

    /// Tells a subscriber the state, or a change of it. Requests go one at a time, in their order.
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`], [`CommandError::WrongState`] before it was accepted, and after
    /// [`CommandError::QueueFull`] the whole state is due when there is room again.
    pub fn notify(
        &mut self,
        now: Instant,
        id: WatcherId,
        content: impl Into<NotifyContent>,
    ) -> Result<(), CommandError> {
        let result = self.queue_notify(now, id, content);
        self.pump(now);
        result
    }

    /// Allows a subscription that was accepted as pending; the state is due in a [`notify`](Self::notify).
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`], [`CommandError::WrongState`].
    pub fn activate_subscription(&mut self, id: WatcherId) -> Result<(), CommandError> {
        let watcher = self.subscriptions.watchers.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
        match &mut watcher.stage {
            Stage::Up(state) => {
                *state = WatcherState::Active;
                Ok(())
            }
            _ => Err(CommandError::WrongState),
        }
    }

    /// Ends a subscription of somebody else, with a last state and a reason of RFC 6665 §4.2.2: `deactivated` (subscribe
    /// anew), `probation` (later), `rejected`, `noresource`, `giveup`, `timeout`.
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`], [`CommandError::WrongState`] before it was accepted.
    pub fn end_subscription(
        &mut self,
        now: Instant,
        id: WatcherId,
        reason: &str,
        content: impl Into<NotifyContent>,
    ) -> Result<(), CommandError> {
        self.queue_last(now, id, reason, content)?;
        self.pump(now);
        Ok(())
    }

    /// How many subscriptions of others there are.
    #[must_use]
    pub fn watcher_count(&self) -> usize {
        self.subscriptions.watchers.len()
    }

    /// A SUBSCRIBE outside of any dialog.
    pub(crate) fn handle_subscribe(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let context = &mut self.context;
        let Some(Ok(event)) = request.headers.get::<EventHeader>() else {
            return context.refuse(now, transaction, &request, StatusCode::BAD_EVENT);
        };
        if !context.offers(&event) {
            return context.refuse_event(now, transaction, &request);
        }
        let asked = request.headers.get::<Expires>().and_then(Result::ok);
        let most = seconds(context.config.max_subscription);
        let least = context.shortest(&event);
        let granted = asked.map_or(most, |Expires(seconds)| seconds.min(most));
        if granted > 0 && granted < least {
            let mut response = context.response(&request, StatusCode::INTERVAL_TOO_BRIEF, None);
            response.headers.push(&MinExpires(least));
            return context.respond(now, transaction, response);
        }
        if self.subscriptions.watchers.len() >= context.config.max_subscriptions {
            let mut response = context.response(&request, StatusCode::SERVICE_UNAVAILABLE, None);
            response.headers.push(&RetryAfter::new(least.max(1)));
            return context.respond(now, transaction, response);
        }
        let account = self.called_account(&request);
        let asked = Asked { transaction, request: request.clone(), source, seconds: granted };
        match self.open_watcher(now, asked, account, event) {
            Ok(watcher) => {
                let (kind, request) = (SubscribeKind::New, Box::new(request));
                self.context.events.push_back(Event::Subscribe { watcher, kind, account, request, source });
            }
            Err((_, status)) => self.context.refuse(now, transaction, &request, status),
        }
    }

    /// A watcher in a dialog of its own, from the request that begins it.
    pub(crate) fn open_watcher(
        &mut self,
        now: Instant,
        asked: Asked,
        account: Option<AccountId>,
        event: EventHeader,
    ) -> Result<WatcherId, (Box<Asked>, StatusCode)> {
        let local_tag = LocalTag::random(&mut self.context.rng);
        let made = asked.request.headers.require::<CallIdHeader>().and_then(|call_id| {
            let call_id: Arc<str> = call_id.as_str().into();
            let dialog = Dialog::server(&call_id, local_tag, &asked.request)?;
            Ok((call_id, dialog))
        });
        let (call_id, dialog) = match made {
            Ok(made) => made,
            Err(error) => return Err((Box::new(asked), error.status())),
        };
        let within = Within::Own(Box::new(dialog));
        let id = self.add_watcher(now, within, call_id, local_tag, account, event, asked);
        self.subscriptions.bind(local_tag, Usage::Watcher(id));
        Ok(id)
    }

    /// A watcher that shares a call's dialog: a REFER within it.
    pub(crate) fn open_watcher_in_call(
        &mut self,
        now: Instant,
        call: CallId,
        asked: Asked,
        event: EventHeader,
    ) -> Result<WatcherId, (Box<Asked>, StatusCode)> {
        let Some(found) = self.calls.get(call) else {
            return Err((Box::new(asked), StatusCode::CALL_DOES_NOT_EXIST));
        };
        let (account, call_id, tag) = (found.account, Arc::clone(&found.call_id), found.local_tag);
        let id = self.add_watcher(now, Within::Call(call), call_id, tag, account, event, asked);
        self.subscriptions.bind_call(call, Usage::Watcher(id));
        Ok(id)
    }

    #[allow(clippy::too_many_arguments, reason = "all of them come from one request")]
    fn add_watcher(
        &mut self,
        now: Instant,
        within: Within,
        call_id: Arc<str>,
        local_tag: LocalTag,
        account: Option<AccountId>,
        event: EventHeader,
        asked: Asked,
    ) -> WatcherId {
        let id = WatcherId(self.subscriptions.next_id());
        let watcher = Watcher {
            account,
            protocol: asked.source.protocol,
            call_id,
            local_tag,
            within,
            event,
            until: now,
            stage: Stage::Asked(Box::new(asked)),
            exchange: None,
            sent: None,
            queue: VecDeque::new(),
            refer: None,
        };
        self.subscriptions.watchers.insert(id, Box::new(watcher));
        self.context.deadlines.set(Timer::Watcher(id), now + self.context.patience());
        id
    }

    /// A SUBSCRIBE within the dialog of a watcher: a refresh, or the end.
    pub(crate) fn handle_resubscribe(
        &mut self,
        now: Instant,
        id: WatcherId,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let most = seconds(self.context.config.max_subscription);
        let context = &mut self.context;
        let Some(watcher) = self.subscriptions.watchers.get_mut(&id) else {
            return context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
        };
        let event = request.headers.get::<EventHeader>().and_then(Result::ok);
        if !event.is_some_and(|event| event.matches(&watcher.event)) {
            return context.refuse(now, transaction, &request, StatusCode::BAD_EVENT);
        }
        let least = context.shortest(&watcher.event);
        if !matches!(watcher.stage, Stage::Up(_)) {
            // Its 2xx has not gone out yet, or its last NOTIFY has.
            return context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
        }
        let asked = request.headers.get::<Expires>().and_then(Result::ok);
        let granted = asked.map_or(most, |Expires(seconds)| seconds.min(most));
        if granted > 0 && granted < least {
            let tag = watcher.local_tag.to_string();
            let mut response = context.response(&request, StatusCode::INTERVAL_TOO_BRIEF, Some(&tag));
            response.headers.push(&MinExpires(least));
            return context.respond(now, transaction, response);
        }
        if let Within::Own(dialog) = &mut watcher.within {
            dialog.refresh_target(&request.headers);
        }
        let kind = if granted == 0 { SubscribeKind::Final } else { SubscribeKind::Refresh };
        if kind == SubscribeKind::Final {
            watcher.stage = Stage::Final;
        }
        let account = watcher.account;
        let asked = Asked { transaction, request: request.clone(), source, seconds: granted };
        self.respond_subscribe(now, id, &asked, StatusCode::OK);
        let request = Box::new(request);
        self.context.events.push_back(Event::Subscribe { watcher: id, kind, account, request, source });
    }

    /// The 2xx to a SUBSCRIBE or REFER (RFC 6665 §4.2.1.1); the subscription lasts from now.
    fn respond_subscribe(&mut self, now: Instant, id: WatcherId, asked: &Asked, status: StatusCode) {
        let Some(watcher) = self.subscriptions.watchers.get_mut(&id) else { return };
        let context = &mut self.context;
        let mut response = context.response(&asked.request, status, Some(&watcher.local_tag.to_string()));
        response.headers.copy_all(&HeaderName::RECORD_ROUTE, &asked.request.headers);
        let user = asked.request.uri.user().unwrap_or_default();
        let sips = asked.request.uri.is_sips();
        context.push_contact(&mut response.headers, watcher.account, &user, &asked.source, sips);
        if let Within::Call(call) = watcher.within
            && let Some(call) = self.calls.get(call)
        {
            call.mark_focus(&mut response.headers);
        }
        if asked.request.method == Method::SUBSCRIBE {
            response.headers.push(&Expires(asked.seconds));
        }
        if let Some(refer) = watcher.refer.filter(|refer| !refer.subscribed) {
            response.headers.push(&sidetone_sip_core::header::ReferSub::new(refer.subscribed));
        }
        context.respond(now, asked.transaction, response);
        let life = match asked.seconds {
            // The last NOTIFY is due.
            0 => context.t1() * 64,
            seconds => Duration::from_secs(u64::from(seconds)),
        };
        watcher.until = now + life;
        context.deadlines.set(Timer::Watcher(id), watcher.until);
    }

    /// Takes a REFER: 202. Whether its sender wants to hear what becomes of it.
    pub(crate) fn respond_refer(&mut self, now: Instant, id: WatcherId) -> Result<bool, CommandError> {
        let watcher = self.subscriptions.watchers.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
        let Some(refer) = watcher.refer else { return Err(CommandError::WrongState) };
        if !matches!(watcher.stage, Stage::Asked(_)) {
            return Err(CommandError::WrongState);
        }
        let stage = core::mem::replace(&mut watcher.stage, Stage::Up(WatcherState::Active));
        if let Stage::Asked(asked) = stage {
            self.respond_subscribe(now, id, &asked, StatusCode::ACCEPTED);
        }
        Ok(refer.subscribed)
    }

    pub(crate) fn queue_notify(
        &mut self,
        now: Instant,
        id: WatcherId,
        content: impl Into<NotifyContent>,
    ) -> Result<(), CommandError> {
        let watcher = self.subscriptions.watchers.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
        let left = watcher.until.saturating_since(now).as_secs();
        let left = u32::try_from(left).unwrap_or(u32::MAX).max(1);
        let state = match watcher.stage {
            Stage::Asked(_) | Stage::Over => return Err(CommandError::WrongState),
            Stage::Up(WatcherState::Active) => StateHeader::active(left),
            Stage::Up(WatcherState::Pending) => StateHeader::pending(left),
            Stage::Final => return self.queue_last(now, id, "timeout", content),
        };
        if watcher.queue.len() >= MAX_QUEUED {
            return Err(CommandError::QueueFull(MAX_QUEUED));
        }
        watcher.queue.push_back(Told::new(state, content.into()));
        self.send_notify(now, id);
        Ok(())
    }

    /// The last NOTIFY. What waits before it goes first; it is never turned away.
    pub(crate) fn queue_last(
        &mut self,
        now: Instant,
        id: WatcherId,
        reason: &str,
        content: impl Into<NotifyContent>,
    ) -> Result<(), CommandError> {
        let watcher = self.subscriptions.watchers.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
        if matches!(watcher.stage, Stage::Asked(_) | Stage::Over) {
            return Err(CommandError::WrongState);
        }
        watcher.stage = Stage::Over;
        watcher.queue.push_back(Told::new(StateHeader::terminated(reason), content.into()));
        self.context.deadlines.stop(Timer::Watcher(id));
        self.send_notify(now, id);
        Ok(())
    }

    pub(crate) fn send_notify(&mut self, now: Instant, id: WatcherId) {
        let Some(watcher) = self.subscriptions.watchers.get_mut(&id) else { return };
        if watcher.exchange.is_some() {
            return;
        }
        if let Within::Call(call) = watcher.within
            && self.calls.get(call).is_some_and(Call::is_leaving)
        {
            // It goes when the BYE is answered and the dialog is its own.
            return;
        }
        let Some(mut told) = watcher.queue.pop_front() else { return };
        told.tries = told.tries.saturating_add(1);
        let routed = match &mut watcher.within {
            Within::Own(dialog) => Some(dialog.request(Method::NOTIFY)),
            Within::Call(call) => self.calls.get_mut(*call).and_then(|call| {
                let mut routed = call.dialog_mut()?.request(Method::NOTIFY);
                call.announce_focus(&mut routed.request);
                Some(routed)
            }),
        };
        let Some(Routed { mut request, hop }) = routed else { return self.forget_watcher(id) };
        request.headers.push(&watcher.event);
        request.headers.push(&told.state);
        append(&mut request.headers, &told.content.headers);
        if let Some((kind, body)) = &told.content.body {
            if is_list(kind) {
                // RFC 4662 §4.1: whoever gets a list must know what it is.
                request.headers.push(&Require::from_iter([OPTION_TAG]));
            }
            request.set_body(kind, body.clone());
        }
        watcher.sent = Some(told);
        let (owner, account, protocol) = (Owner::Notify(id), watcher.account, watcher.protocol);
        let exchange = self.context.start(now, owner, account, Routed { request, hop }, protocol, true);
        if let Some(watcher) = self.subscriptions.watchers.get_mut(&id) {
            watcher.exchange = Some(exchange);
        }
    }

    pub(crate) fn handle_notify_outcome(
        &mut self,
        now: Instant,
        id: WatcherId,
        result: Result<(Response, Source), Failure>,
    ) {
        let (status, retry) = match result {
            Ok((response, _)) if response.status.is_provisional() => return,
            Ok((response, _)) => (response.status, response.headers.contains(&HeaderName::RETRY_AFTER)),
            Err(failure) => (failure.status(), false),
        };
        let Some(watcher) = self.subscriptions.watchers.get_mut(&id) else { return };
        watcher.exchange = None;
        let sent = watcher.sent.take();
        let asks = sent.as_ref().is_some_and(|told| told.content.asks);
        if let (StatusCode::SERVER_INTERNAL_ERROR, false, Some(told)) = (status, retry, sent)
            && told.tries < MAX_TRIES
        {
            watcher.queue.push_front(told);
            return self.send_notify(now, id);
        }
        let over = matches!(watcher.stage, Stage::Over) && watcher.queue.is_empty();
        if asks {
            self.context.events.push_back(Event::Notified { watcher: id, status });
        }
        // RFC 6665 §4.2.2: silence and refusals end the subscription, unless they say when to come again.
        let ends = Reach::of(status, &Method::NOTIFY).ends_usage();
        let lost = !status.is_success() && (ends || !(retry || asks));
        if over || lost {
            let status = (!over && lost).then_some(status);
            self.watcher_over(id, status);
        } else {
            self.send_notify(now, id);
        }
    }

    /// Nobody refreshed a subscription, or nobody decided on it.
    pub(crate) fn watcher_timeout(&mut self, now: Instant, id: WatcherId) {
        let Some(watcher) = self.subscriptions.watchers.get(&id) else { return };
        match &watcher.stage {
            Stage::Asked(asked) => {
                let (transaction, request) = (asked.transaction, asked.request.clone());
                let status = StatusCode::TEMPORARILY_UNAVAILABLE;
                self.context.refuse(now, transaction, &request, status);
                self.watcher_over(id, Some(status));
            }
            Stage::Up(_) | Stage::Final => {
                // It has a dialog, so this cannot fail.
                let _ = self.queue_last(now, id, "timeout", None);
            }
            Stage::Over => {}
        }
    }

    /// The way back to whoever asked is gone before the user decided.
    pub(crate) fn watcher_lost(&mut self, transaction: TransactionId) {
        let of = |watcher: &Watcher| matches!(&watcher.stage, Stage::Asked(asked) if asked.transaction == transaction);
        let lost = self.subscriptions.watchers.iter().find(|(_, watcher)| of(watcher)).map(|(id, _)| *id);
        if let Some(id) = lost {
            self.watcher_over(id, Some(StatusCode::SERVICE_UNAVAILABLE));
        }
    }

    fn watcher_over(&mut self, id: WatcherId, status: Option<StatusCode>) {
        let is_refer = self.subscriptions.watchers.get(&id).is_some_and(|watcher| watcher.refer.is_some());
        self.forget_watcher(id);
        if !is_refer {
            self.context.events.push_back(Event::Unsubscribed { watcher: id, status });
        }
    }

    pub(crate) fn forget_watcher(&mut self, id: WatcherId) {
        let Some(watcher) = self.subscriptions.watchers.remove(&id) else { return };
        match watcher.within {
            Within::Own(_) => self.subscriptions.unbind(watcher.local_tag, Usage::Watcher(id)),
            Within::Call(call) => self.subscriptions.unbind_call(call, Usage::Watcher(id)),
        }
        self.context.deadlines.stop(Timer::Watcher(id));
    }

    /// The number of a NOTIFY that goes again with credentials.
    pub(crate) fn next_notify_seq(&mut self, id: WatcherId, used: u32) -> u32 {
        let watcher = self.subscriptions.watchers.get_mut(&id);
        match watcher.map(|watcher| &mut watcher.within) {
            Some(Within::Own(dialog)) => dialog.next_seq(),
            Some(Within::Call(call)) => {
                let call = *call;
                self.calls.get_mut(call).map_or_else(|| used.saturating_add(1), |call| call.next_seq(used))
            }
            None => used.saturating_add(1),
        }
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

impl crate::context::Context {
    /// Whether others may subscribe to this package here.
    pub(crate) fn offers(&self, event: &EventHeader) -> bool {
        self.config.packages.iter().any(|package| *package == event.package.as_str())
    }

    /// The shortest time in seconds for which this is subscribed to. To seize a line takes [`SEIZE_EXPIRES`] seconds by
    /// its nature.
    fn shortest(&self, event: &EventHeader) -> u32 {
        let least = seconds(self.config.min_subscription);
        if event.package.as_str() == SEIZE_EVENT { least.min(SEIZE_EXPIRES) } else { least }
    }

    /// Refuses a SUBSCRIBE to what is not offered, and says what is (RFC 6665 §8.3.2).
    pub(crate) fn refuse_event(&mut self, now: Instant, transaction: TransactionId, request: &Request) {
        let mut response = self.response(request, StatusCode::BAD_EVENT, None);
        self.push_events(&mut response.headers);
        self.respond(now, transaction, response);
    }

    /// Says which packages we notify of (RFC 6665 §8.2.2).
    pub(crate) fn push_events(&self, headers: &mut Headers) {
        if !self.config.packages.is_empty() {
            let packages = self.config.packages.iter().map(|package| package.as_str().into());
            let mut said = Headers::new();
            said.push(&AllowEvents(packages.collect()));
            append(headers, &said);
        }
    }
}
