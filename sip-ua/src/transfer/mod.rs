//! Transfer: REFER both ways with the progress that its sender hears (RFC 3515, RFC 4488, RFC 5589), and Replaces (RFC
//! 3891).

use crate::ReferPolicy;
mod join;
mod replaces;

use crate::agent::Agent;
use crate::context::Timer;
use crate::dialog::{Dialog, LocalTag, Reach, Routed};
use crate::error::CommandError;
use crate::event::{AccountId, CallId, EndCause, EndedBy, Event};
use crate::exchange::{ExchangeId, Failure, Owner};
use crate::incoming::refuse_method;
use crate::package::sipfrag::Progress;
use crate::request::{OutgoingRequest, append};
use crate::subscription::{Asked, ReferIn, Usage, WatcherId, Within};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use bytes::Bytes;
use sidetone_hal::net::Protocol;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{
    CSeq, ContentType, Event as EventHeader, From, HeaderName, ReferSub, ReferTo, ReferredBy, Replaces,
    SubscriptionState as StateHeader,
};
use sidetone_sip_core::{
    Fragment, Headers, Method, NameAddr, Request, Response, Source, StatusCode, Text, TransactionId, Uri,
};

crate::id::identifiers! {
    /// Names a REFER of ours. Not used twice.
    ReferId(u64) = "refer";
}

/// Whom the receiver of a REFER is to call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReferRequest {
    /// Whom. Headers of the URI go into the INVITE that the receiver makes, `Replaces` above all.
    pub to: Uri,
    /// Whether we want to hear what becomes of it; without, `Refer-Sub: false` asks for no NOTIFY (RFC 4488). On by
    /// default.
    pub progress: bool,
    /// Whether we say who we are by Referred-By (RFC 3892). On by default.
    pub referred_by: bool,
    /// Further headers.
    pub headers: Headers,
}

impl ReferRequest {
    /// A blind transfer to `to` (RFC 5589 §6).
    #[must_use]
    pub const fn new(to: Uri) -> Self {
        Self { to, progress: true, referred_by: true, headers: Headers::new() }
    }

    /// The same without NOTIFY requests.
    #[must_use]
    pub const fn without_progress(mut self) -> Self {
        self.progress = false;
        self
    }

    /// The same with further headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }
}

/// How far a REFER of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReferProgress {
    /// The other side takes it: `REFER` – `2xx`.
    Accepted {
        /// Whether the other side will tell how it goes on. Without (`Refer-Sub: false`, by our wish or its own) this is the
        /// last.
        more: bool,
    },
    /// The referred call is under way: `NOTIFY` with a `message/sipfrag` of this provisional status – `200`.
    Trying(StatusCode),
    /// The last: the referred call has this final status, as a `NOTIFY` says, whose subscription is over. After a 2xx the transfer has succeeded and our call with the
    /// other side has no more use; after another one, the call is ours again.
    Done(StatusCode),
    /// The last: the other side refused: `REFER` – `3xx` to `6xx`. 408 stands for silence, 503 for what could not be sent.
    Refused(StatusCode),
    /// The last: nothing more is heard of it: a `BYE` of the other side, a `NOTIFY` that ends the subscription without a final
    /// status, or none for too long.
    Lost,
}

impl ReferProgress {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_last(self) -> bool {
        matches!(self, Self::Done(_) | Self::Refused(_) | Self::Lost | Self::Accepted { more: false })
    }
}

/// Whom a REFER of the other side wants us to call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReferTarget {
    /// Whom to call: Refer-To, without the headers of its URI.
    pub to: NameAddr,
    /// What to send there: INVITE, or, for the focus of a conference, BYE
    /// ([`AgentConfig::refer_bye`](crate::AgentConfig::refer_bye)).
    pub method: Method,
    /// Who asks, by the From of the REFER.
    pub from: NameAddr,
    /// The Request-URI of the REFER.
    pub request_uri: Uri,
    /// What the INVITE is to carry: the headers of the Refer-To URI that may be believed, and Referred-By.
    pub headers: Headers,
    /// The dialog that the call is to take the place of: an attended transfer.
    pub replaces: Option<Replaces>,
    /// Who asks, as they say.
    pub referred_by: Option<NameAddr>,
    /// Whether the sender wants to hear what becomes of it.
    pub progress: bool,
}

/// A REFER of ours whose end we have not heard of.
#[derive(Debug)]
pub(crate) struct Referral {
    account: Option<AccountId>,
    call: Option<CallId>,
    pub(crate) call_id: Arc<str>,
    local_tag: LocalTag,
    pub(crate) within: Within,
    /// Outside of a call, the dialog begins with the 2xx or the NOTIFY.
    begun: bool,
    /// Its CSeq, by which NOTIFY requests may name it.
    seq: u32,
    exchange: Option<ExchangeId>,
    progress: bool,
    last: Option<StatusCode>,
}

/// How long the progress of a REFER is told at most; phones ring for less.
const REFER_LIFE: u32 = 300;
/// Headers that a Refer-To URI may put into an INVITE (RFC 3261 §19.1.5: not those that say who calls or where it goes).
const REFERRED_HEADERS: [HeaderName; 9] = [
    HeaderName::SUBJECT,
    HeaderName::ALERT_INFO,
    HeaderName::CALL_INFO,
    HeaderName::REQUIRE,
    HeaderName::ACCEPT_CONTACT,
    HeaderName::PRIORITY,
    HeaderName::USER_TO_USER,
    HeaderName::ANSWER_MODE,
    HeaderName::IN_REPLY_TO,
];

impl Agent {
    /// Asks the other side of a call to call somebody else (RFC 5589): a transfer. [`Event::Refer`] tells how it goes on. The
    /// call stays until [`hangup`](Self::hangup), so that it can be taken back when the transfer fails.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`], [`CommandError::WrongState`] while it is not established,
    /// [`CommandError::TooManySubscriptions`].
    pub fn refer(
        &mut self,
        now: Instant,
        call: CallId,
        request: &ReferRequest,
    ) -> Result<ReferId, CommandError> {
        let id = self.next_refer()?;
        let found = self.calls.get_mut(call).ok_or(CommandError::NoSuchCall)?;
        let (account, protocol) = (found.account, found.protocol);
        let (call_id, local_tag) = (Arc::clone(&found.call_id), found.local_tag);
        let session = found.session()?;
        if !session.is_confirmed() {
            // The other side may not have our 2xx.
            return Err(CommandError::WrongState);
        }
        let mut routed = session.dialog.request(Method::REFER);
        write_refer(&mut routed.request, request);
        found.announce_focus(&mut routed.request);
        let referral = Referral {
            account,
            call: Some(call),
            call_id,
            local_tag,
            within: Within::Call(call),
            begun: true,
            seq: seq_of(&routed.request),
            exchange: None,
            progress: request.progress,
            last: None,
        };
        self.subscriptions.bind_call(call, Usage::Referral(id));
        self.start_refer(now, id, referral, routed, protocol);
        Ok(id)
    }

    /// Asks somebody, outside of any call, to call somebody: click to dial, or a conference that is to fetch a participant
    /// (RFC 4579 §5.5).
    ///
    /// # Errors
    /// [`CommandError::NoSuchAccount`], [`CommandError::NotSip`], [`CommandError::TooManySubscriptions`].
    pub fn refer_outside(
        &mut self,
        now: Instant,
        account: AccountId,
        receiver: &Uri,
        request: &ReferRequest,
    ) -> Result<ReferId, CommandError> {
        let id = self.next_refer()?;
        if !receiver.is_sip() {
            return Err(CommandError::NotSip);
        }
        let call_id: Arc<str> = self.context.token().into();
        let local_tag = LocalTag::random(&mut self.context.rng);
        let seq = 1 + self.context.rng.below(1 << 16);
        let content = OutgoingRequest::new(Method::REFER);
        let mut routed = self.outside_as(account, receiver, content, &call_id, local_tag, seq)?;
        write_refer(&mut routed.request, request);
        let protocol = self.context.accounts.get(&account).map(|account| account.protocol());
        let Some(protocol) = protocol else { return Err(CommandError::NoSuchAccount) };
        // Until the answer comes nobody sends anything within it.
        let placeholder = Dialog::begun(&call_id, &routed.request).ok_or(CommandError::NotSip)?;
        let referral = Referral {
            account: Some(account),
            call: None,
            call_id,
            local_tag,
            within: Within::Own(Box::new(placeholder)),
            begun: false,
            seq,
            exchange: None,
            progress: request.progress,
            last: None,
        };
        self.subscriptions.bind(local_tag, Usage::Referral(id));
        self.start_refer(now, id, referral, routed, protocol);
        Ok(id)
    }

    /// Takes a REFER: 202, and a NOTIFY that says `100 Trying`. Make the call with [`CallRequest::for_refer`], and its
    /// progress is told by itself; or tell it by [`refer_progress`](Self::refer_progress).
    ///
    /// [`CallRequest::for_refer`]: crate::CallRequest::for_refer
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`], [`CommandError::WrongState`].
    pub fn accept_refer(&mut self, now: Instant, refer: WatcherId) -> Result<(), CommandError> {
        if self.respond_refer(now, refer)? {
            self.queue_notify(now, refer, Some(fragment(StatusCode::TRYING)))?;
        } else {
            self.forget_watcher(refer);
        }
        self.pump(now);
        Ok(())
    }

    /// Refuses a REFER, by 300 to 699.
    ///
    /// # Errors
    /// As [`reject_subscription`](Self::reject_subscription).
    pub fn reject_refer(
        &mut self,
        now: Instant,
        refer: WatcherId,
        status: StatusCode,
    ) -> Result<(), CommandError> {
        self.reject_subscription(now, refer, status)
    }

    /// Tells the sender of a REFER how the call stands that it asked for; a final status is the last word.
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`] when it wants to hear nothing, or no more.
    pub fn refer_progress(
        &mut self,
        now: Instant,
        refer: WatcherId,
        status: StatusCode,
    ) -> Result<(), CommandError> {
        self.tell_refer(now, refer, status)?;
        self.pump(now);
        Ok(())
    }

    fn tell_refer(&mut self, now: Instant, refer: WatcherId, status: StatusCode) -> Result<(), CommandError> {
        let content = Some(fragment(status));
        if status.is_final() {
            self.queue_last(now, refer, "noresource", content)
        } else {
            self.queue_notify(now, refer, content)
        }
    }

    /// A call that a REFER asked for has a response.
    pub(crate) fn referred_call_has(&mut self, now: Instant, call: CallId, status: StatusCode) {
        let Some(&refer) = self.subscriptions.referred_calls.get(&call) else { return };
        if status.is_final() {
            self.subscriptions.referred_calls.remove(&call);
        }
        if status != StatusCode::TRYING {
            // Nobody may be left to hear it.
            let _ = self.tell_refer(now, refer, status);
        }
    }

    /// A call that a REFER asked for is over; without a final status, it was given up here.
    pub(crate) fn referred_call_over(&mut self, now: Instant, call: CallId) {
        self.referred_call_has(now, call, StatusCode::REQUEST_TERMINATED);
    }

    /// A REFER of the other side.
    pub(crate) fn handle_refer(
        &mut self,
        now: Instant,
        call: Option<CallId>,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let context = &mut self.context;
        match context.config.refer {
            ReferPolicy::Never => return refuse_method(context, now, transaction, &request),
            ReferPolicy::InCalls if call.is_none() => {
                return context.refuse(now, transaction, &request, StatusCode::FORBIDDEN);
            }
            ReferPolicy::InCalls | ReferPolicy::Always => {}
        }
        // One, and no more (RFC 3515 §2.4.2).
        let target = (request.headers.count::<ReferTo>() == 1).then(|| read_refer(&request)).flatten();
        let Some(target) = target else {
            return context.refuse(now, transaction, &request, StatusCode::BAD_REQUEST);
        };
        if target.method != Method::INVITE && !(target.method == Method::BYE && context.config.refer_bye) {
            return context.refuse(now, transaction, &request, StatusCode::NOT_IMPLEMENTED);
        }
        if !target.to.uri.is_sip() {
            return context.refuse(now, transaction, &request, StatusCode::UNSUPPORTED_URI_SCHEME);
        }
        if self.subscriptions.watchers.len() >= context.config.max_subscriptions {
            return context.refuse(now, transaction, &request, StatusCode::SERVICE_UNAVAILABLE);
        }
        let seq = seq_of(&request);
        // The first REFER of a dialog may leave the number out; saying it is always right (RFC 3515 §2.4.6).
        let event = refer_event().with_id(&seq.to_string());
        let account = match call {
            Some(call) => self.calls.get(call).and_then(|call| call.account),
            None => self.called_account(&request),
        };
        let asked = Asked { transaction, request, source, seconds: REFER_LIFE };
        let opened = match call {
            Some(call) => self.open_watcher_in_call(now, call, asked, event),

            None => self.open_watcher(now, asked, account, refer_event()),
        };
        let refer = match opened {
            Ok(refer) => refer,
            Err((asked, status)) => return self.context.refuse(now, transaction, &asked.request, status),
        };
        if let Some(watcher) = self.subscriptions.watchers.get_mut(&refer) {
            watcher.refer = Some(ReferIn { subscribed: target.progress });
        }
        self.context.events.push_back(Event::Referred { refer, call, account, target: Box::new(target) });
    }

    /// A NOTIFY about a REFER of ours.
    pub(crate) fn handle_refer_notify(
        &mut self,
        now: Instant,
        id: ReferId,
        transaction: TransactionId,
        request: &Request,
    ) {
        let context = &mut self.context;
        let Some(referral) = self.subscriptions.referrals.get_mut(&id) else {
            return context.refuse(now, transaction, request, StatusCode::CALL_DOES_NOT_EXIST);
        };
        if let Err(status) = referral.check(request) {
            return context.refuse(now, transaction, request, status);
        }
        let tag = referral.local_tag.to_string();
        let response = context.response(request, StatusCode::OK, Some(&tag));
        context.respond(now, transaction, response);
        let status = progress_of(request);
        let ended = request
            .headers
            .get::<StateHeader>()
            .and_then(Result::ok)
            .is_some_and(|state| state.is_terminated());
        if let Some(status) = status {
            referral.last = Some(status);
        }
        let progress = match (status.or(referral.last), ended) {
            (Some(status), _) if status.is_final() => ReferProgress::Done(status),
            (_, true) => ReferProgress::Lost,
            (Some(status), false) => ReferProgress::Trying(status),
            (None, false) => return,
        };
        self.tell_refer_progress(id, progress);
    }

    pub(crate) fn handle_refer_outcome(
        &mut self,
        now: Instant,
        id: ReferId,
        exchange: ExchangeId,
        result: Result<(Response, Source), Failure>,
    ) {
        let response = match result {
            Ok((response, _)) if response.status.is_provisional() => return,
            Ok((response, _)) if response.status.is_success() => response,
            Ok((response, _)) => {
                let status = response.status;
                let call = self.subscriptions.referrals.get(&id).and_then(|referral| referral.call);
                self.tell_refer_progress(id, ReferProgress::Refused(status));
                if Reach::of(status, &Method::REFER).ends_usage()
                    && let Some(call) =
                        call.and_then(|call| self.calls.get_mut(call)).filter(|call| !call.ended)
                {
                    call.dialog_lost(&mut self.context, now, EndCause::status(EndedBy::Remote, status));
                }
                return;
            }
            Err(failure) => return self.tell_refer_progress(id, ReferProgress::Refused(failure.status())),
        };
        let request = self.context.exchanges.get(&exchange).map(|exchange| exchange.request.clone());
        let Some(referral) = self.subscriptions.referrals.get_mut(&id) else { return };
        if let (Within::Own(dialog), false, Some(request)) = (&mut referral.within, referral.begun, request)
            && let Ok(made) = Dialog::client(&referral.call_id, &request, &response)
        {
            (**dialog, referral.begun) = (made, true);
        }
        let silent =
            response.headers.get::<ReferSub>().and_then(Result::ok).is_some_and(|sub| !sub.subscribe);
        let over = silent || !referral.progress;
        let call = referral.call;
        self.context.events.push_back(Event::Refer {
            refer: id,
            call,
            progress: ReferProgress::Accepted { more: !over },
        });
        if over {
            self.forget_referral(id);
        } else {
            let life = Duration::from_secs(u64::from(REFER_LIFE));
            self.context.deadlines.set(Timer::Referral(id), now + life);
        }
    }

    /// Tells the user; with the last word the REFER is forgotten.
    pub(crate) fn tell_refer_progress(&mut self, id: ReferId, progress: ReferProgress) {
        let Some(referral) = self.subscriptions.referrals.get(&id) else { return };
        let call = referral.call;
        self.context.events.push_back(Event::Refer { refer: id, call, progress });
        if progress.is_last() {
            self.forget_referral(id);
        }
    }

    fn forget_referral(&mut self, id: ReferId) {
        let Some(referral) = self.subscriptions.referrals.remove(&id) else { return };
        match referral.within {
            Within::Own(_) => self.subscriptions.unbind(referral.local_tag, Usage::Referral(id)),
            Within::Call(call) => self.subscriptions.unbind_call(call, Usage::Referral(id)),
        }
        self.context.deadlines.stop(Timer::Referral(id));
    }

    /// The number of a REFER that goes again with credentials.
    pub(crate) fn next_refer_seq(&mut self, id: ReferId, used: u32) -> u32 {
        let Some(referral) = self.subscriptions.referrals.get_mut(&id) else { return used.saturating_add(1) };
        referral.seq = match &mut referral.within {
            Within::Call(call) => {
                self.calls.get_mut(*call).map_or_else(|| used.saturating_add(1), |call| call.next_seq(used))
            }
            Within::Own(dialog) if referral.begun => dialog.next_seq(),
            Within::Own(_) => used.saturating_add(1),
        };
        referral.seq
    }

    fn next_refer(&mut self) -> Result<ReferId, CommandError> {
        let most = self.context.config.max_subscriptions;
        if self.subscriptions.referrals.len() >= most {
            return Err(CommandError::TooManySubscriptions(most));
        }
        Ok(ReferId(self.subscriptions.next_id()))
    }

    fn start_refer(
        &mut self,
        now: Instant,
        id: ReferId,
        referral: Referral,
        routed: Routed,
        protocol: Protocol,
    ) {
        let account = referral.account;
        self.subscriptions.referrals.insert(id, Box::new(referral));
        let exchange = self.context.start(now, Owner::Refer(id), account, routed, protocol, true);
        if let Some(referral) = self.subscriptions.referrals.get_mut(&id) {
            referral.exchange = Some(exchange);
        }
        self.pump(now);
    }
}

impl Referral {
    /// Whether an Event names this REFER: without a number it is the first, and only, one of its dialog.
    pub(crate) fn is_for(&self, event: &EventHeader) -> bool {
        event.package.as_str() == "refer"
            && event.id().is_none_or(|id| id.parse::<u32>().is_ok_and(|seq| seq == self.seq))
    }

    /// Whether a NOTIFY within a dialog of its own is in order; it makes the dialog if there is none.
    fn check(&mut self, request: &Request) -> Result<(), StatusCode> {
        let event = request.headers.get::<EventHeader>().and_then(Result::ok);
        if !event.is_some_and(|event| self.is_for(&event)) {
            return Err(StatusCode::BAD_EVENT);
        }
        // The call whose dialog it is has looked already.
        let Within::Own(dialog) = &mut self.within else { return Ok(()) };
        let Some(Ok(from)) = request.headers.get::<From>() else { return Err(StatusCode::BAD_REQUEST) };
        if !self.begun {
            **dialog = Dialog::notified(&self.call_id, self.local_tag, self.seq, request)
                .map_err(|error| error.status())?;
            self.begun = true;
            return Ok(());
        }
        if dialog.remote_tag() != from.tag().unwrap_or_default() {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        }
        if dialog.accept_seq(seq_of(request)) { Ok(()) } else { Err(StatusCode::SERVER_INTERNAL_ERROR) }
    }
}

fn refer_event() -> EventHeader {
    EventHeader { package: Text::from("refer"), params: Default::default() }
}

fn seq_of(request: &Request) -> u32 {
    request.headers.get::<CSeq>().and_then(Result::ok).map_or(0, |cseq| cseq.seq)
}

/// What a REFER says.
fn write_refer(request: &mut Request, refer: &ReferRequest) {
    request.headers.push(&ReferTo(NameAddr::from(refer.to.clone())));
    if refer.referred_by
        && let Some(Ok(from)) = request.headers.get::<From>()
    {
        request.headers.push(&ReferredBy(NameAddr::from(from.0.uri.without_headers())));
    }
    if !refer.progress {
        request.headers.push(&ReferSub::new(false));
    }
    append(&mut request.headers, &refer.headers);
}

/// What a REFER asks for.
fn read_refer(request: &Request) -> Option<ReferTarget> {
    let headers = &request.headers;
    let ReferTo(to) = headers.get::<ReferTo>()?.ok()?;
    let From(from) = headers.get::<From>()?.ok()?;
    let method = match to.uri.param("method").flatten() {
        Some(method) => method.to_ascii_uppercase().parse().ok()?,
        None => Method::INVITE,
    };
    let asked = to.uri.header_fields().ok()?;
    let replaces = asked.get::<Replaces>().and_then(Result::ok);
    let mut kept = Headers::new();
    for name in &REFERRED_HEADERS {
        kept.copy_all(name, &asked);
    }
    kept.copy_all(&HeaderName::REFERRED_BY, headers);
    if let Some(replaces) = &replaces {
        kept.push(replaces);
    }
    let referred_by = headers.get::<ReferredBy>().and_then(Result::ok).map(|ReferredBy(address)| address);
    let progress = headers.get::<ReferSub>().and_then(Result::ok).is_none_or(|sub| sub.subscribe);
    let to = NameAddr { uri: to.uri.to_request_uri(), ..to };
    let request_uri = request.uri.clone();
    Some(ReferTarget { to, method, from, request_uri, headers: kept, replaces, referred_by, progress })
}

/// A status as the body of a NOTIFY (RFC 3515 §2.4.5).
fn fragment(status: StatusCode) -> (ContentType, Bytes) {
    (Fragment::content_type(), Progress::new(status).write().into())
}

/// The status that a NOTIFY tells.
fn progress_of(request: &Request) -> Option<StatusCode> {
    Progress::parse(&request.body).ok().map(|progress| progress.status)
}
