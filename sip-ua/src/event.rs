//! What the agent tells its user, and the small types that the events carry.

use crate::feature::cause::{self, Cancelled};
use crate::publication::{PublicationId, PublicationState};
use crate::request::{IncomingId, RequestId};
use crate::subscription::{SubscribeKind, SubscriptionId, SubscriptionState, WatcherId};
use crate::transfer::{ReferId, ReferProgress, ReferTarget};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use sidetone_hal::net::SocketAddr;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{ContentType, Reason, RemotePartyId, Warning};
use sidetone_sip_core::locate::LookupId;
use sidetone_sip_core::nat::FlowFailure;
use sidetone_sip_core::{Headers, NameAddr, Request, Response, Source, StatusCode, Uri};

crate::id::identifiers! {
    /// Names an account of one agent. Not used twice.
    AccountId(u32) = "account";
    /// Names a call of one agent. Not used twice.
    CallId(u64) = "call";
}

/// Names an early dialog of a call of ours: one branch of those that a proxy rings (RFC 3261 §12.1). Not used twice in a
/// call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EarlyDialogId(pub(crate) u32);

/// Something happened that the user of the agent should know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An account's registration changed. [`RegistrationState`] has the messages of each state.
    Registration {
        /// Whose.
        account: AccountId,
        /// To what.
        state: RegistrationState,
    },
    /// One of the bindings of an account with several servers or flows changed: told beside [`Event::Registration`], which
    /// says how the account stands as a whole, and before it: the same messages, of one server or flow.
    Binding {
        /// Whose.
        account: AccountId,
        /// Which: the places are numbered from 0 in the order of preference, server by server, flow by flow.
        place: usize,
        /// To what.
        state: RegistrationState,
    },
    /// A registrar's 2xx to a REGISTER carried a Date (RFC 3261 §20.17): telephones may set their clock by it.
    ServerTime {
        /// Whose registrar.
        account: AccountId,
        /// Seconds since 1970-01-01 00:00:00 GMT.
        time: u64,
    },
    /// Keep-alives found out that the registrar does not reach an account any more: no `200` to an `OPTIONS`, no pong, no
    /// answer to a STUN Binding. It registers anew by itself: a `REGISTER` within 2 s.
    FlowFailed {
        /// Whose.
        account: AccountId,
        /// How that was found out.
        cause: FlowFailure,
    },
    /// An account's public address was found out, or is another one now: by a STUN Binding response, or by the `received` and
    /// `rport` of a `200` to an `OPTIONS`. The account registers anew by itself; session
    /// descriptions of calls that begin from now on should name it.
    PublicAddress {
        /// Whose.
        account: AccountId,
        /// The address of its SIP socket, as others see it.
        address: SocketAddr,
    },
    /// The answer to [`Agent::find_next_hop`](crate::Agent::find_next_hop), by DNS alone: no SIP message goes out.
    NextHop {
        /// Which look-up.
        lookup: LookupId,
        /// What is tried first comes first; none when there is no server, or none was found in time.
        addresses: Vec<SocketAddr>,
    },
    /// Somebody calls: `INVITE` outside of any dialog, which was answered by nothing yet but perhaps `100`. Until [`answer`](crate::Agent::answer) or [`reject`](crate::Agent::reject) the call waits.
    Incoming {
        /// The new call.
        call: CallId,
        /// The account whose address was called, if one matches.
        account: Option<AccountId>,
        /// What the caller says.
        invite: Box<Invite>,
    },
    /// An outgoing call makes progress: `INVITE` – `180`, `183` and the like (100 is not reported). One that was sent reliably
    /// is followed by `PRACK` – `200` without an event; what comes twice or out of its order is not told.
    Progress {
        /// Which call.
        call: CallId,
        /// The provisional status.
        status: StatusCode,
        /// Which of the places that ring says so; `None` when the response makes no dialog, or there are too many.
        early: Option<EarlyDialogId>,
        /// Whether a session description of that early dialog has come, by now or by this: without one the caller should
        /// hear a ring-back tone, and after a 180 when nothing is heard (RFC 3960 §3.2).
        early_media: bool,
        /// A session description for early media: the answer to our offer. An offer comes as [`Event::Offer`].
        body: Option<Bytes>,
    },
    /// An outgoing call is sent elsewhere: `INVITE` – `300`, `301`, `302` or `305` with a Contact that was not tried yet
    /// (RFC 3261 §8.1.3.4). Early dialogs are over with it. The next INVITE goes out by itself, or on the user's word
    /// ([`RedirectConfig::follow`](crate::feature::redirect::RedirectConfig::follow)).
    Redirected {
        /// Which call.
        call: CallId,
        /// The 3xx.
        status: StatusCode,
        /// Who is called next, in this order, each when the one before did not take the call. After a 305 it is the same
        /// address as before, by a proxy.
        targets: Vec<Uri>,
        /// Whether nothing happens until [`follow_redirect`](crate::Agent::follow_redirect) or
        /// [`hangup`](crate::Agent::hangup).
        ask: bool,
    },
    /// One of the places that rang gave up, and others may ring on: `INVITE` – `199` (RFC 6228), or a `PRACK` or `UPDATE` of
    /// that early dialog – `404`, `481` and others that say that nobody is there.
    EarlyDialogEnded {
        /// Which call.
        call: CallId,
        /// Which of its early dialogs.
        early: EarlyDialogId,
    },
    /// The other side is, or says to be, somebody else than before (RFC 4916, RFC 3325), as when it was transferred: a `1xx`
    /// or `2xx` of a call of ours, or an `INVITE` or `UPDATE` within a call, with a P-Asserted-Identity, Remote-Party-ID or
    /// From that is another one.
    RemoteIdentity {
        /// Which call.
        call: CallId,
        /// Who, as far as it was told.
        identity: Box<RemoteIdentity>,
    },
    /// A message of the call has something beside a session description that its account takes
    /// ([`AccountConfig::accept`](crate::AccountConfig::accept)), as advice of charge: a `1xx`, `2xx` or refusal to our
    /// `INVITE`, a `BYE`, or the `2xx` to our `BYE`, which comes after [`Event::Ended`]. What comes in an INFO is
    /// [`Event::Request`].
    Content {
        /// Which call.
        call: CallId,
        /// The type of the account's list that it is of.
        kind: Box<ContentType>,
        /// The body, or the part of it.
        body: Bytes,
    },
    /// An outgoing call was answered: `INVITE` – `2xx`, the first of those that may come. With an answer, or none, the `ACK`
    /// went out with it. `body` is the answer to our offer; when we sent none it is an offer, and
    /// [`answer_offer`](crate::Agent::answer_offer) must follow, which sends the ACK.
    Answered {
        /// Which call.
        call: CallId,
        /// The session description in the 2xx.
        body: Option<Bytes>,
    },
    /// The ACK to our 2xx arrived: `INVITE` – `2xx` – `ACK`, or another request of the caller that shows that the 2xx is
    /// there. Both sides know that the call is up.
    Confirmed {
        /// Which call.
        call: CallId,
    },
    /// The other side offers a change of the session: an `INVITE` or `UPDATE` within the call, a `PRACK` with an offer, a
    /// reliable `1xx` with one to an INVITE without (our answer goes in the `PRACK`), or the `2xx` to the re-INVITE of
    /// [`ask_offer`](crate::Agent::ask_offer) (it goes in the `ACK`). Answer with [`answer_offer`](crate::Agent::answer_offer) or
    /// [`reject_offer`](crate::Agent::reject_offer). It may come before a call is answered too.
    Offer {
        /// Which call.
        call: CallId,
        /// The offer; `None` asks us to make one, in [`answer_offer`](crate::Agent::answer_offer).
        body: Option<Bytes>,
    },
    /// The other side took back the offer of the last [`Event::Offer`]: re-INVITE – `CANCEL`, which was answered `200` and
    /// `487`; or the early dialog that it came in is over.
    OfferWithdrawn {
        /// Which call.
        call: CallId,
    },
    /// The answer to an offer of ours arrived: re-INVITE – `2xx`, `UPDATE` – `2xx`, `PRACK` – `2xx`; or in the `ACK` or `PRACK`
    /// to a 2xx or reliable 1xx of ours that offered.
    Answer {
        /// Which call.
        call: CallId,
        /// The answer.
        body: Option<Bytes>,
    },
    /// Our offer was refused; the session stays as it was (RFC 3261 §14.1): re-INVITE, `UPDATE` or `PRACK` – `4xx`, `5xx` or
    /// `6xx` that does not end the call, or it could not be sent.
    OfferRejected {
        /// Which call.
        call: CallId,
        /// Why.
        status: StatusCode,
        /// Whether [`Event::OfferDue`] will tell when it may be made again, as after a 491.
        again: bool,
    },
    /// An offer that had to wait (after a `491`, or because another exchange was under way) can be made now: the time of RFC
    /// 3261 §14.1 is over, or the `2xx`, `ACK` or `PRACK` that was missing has come. It is made with
    /// [`reoffer`](crate::Agent::reoffer), if it is still wanted.
    OfferDue {
        /// Which call.
        call: CallId,
    },
    /// The other side took the body of the oldest [`send_info`](crate::Agent::send_info) that had no answer yet: `INFO` –
    /// `2xx`.
    InfoAccepted {
        /// Which call.
        call: CallId,
    },
    /// The other side did not take the body of the oldest [`send_info`](crate::Agent::send_info), or did not answer: `INFO` –
    /// `4xx`, `5xx`, `6xx`, or nothing for 64·T1. All
    /// that waited behind it are given up too.
    InfoRefused {
        /// Which call.
        call: CallId,
        /// Why; 408 stands for silence, 503 for what could not be sent. After a 481 the call is over.
        status: StatusCode,
    },
    /// The other side sent a key press: `INFO` – our `200` (`application/dtmf-relay`, `application/dtmf` or
    /// `audio/telephone-event`). Without the feature `media`, which reads these bodies, they are answered 415.
    Dtmf {
        /// Which call.
        call: CallId,
        /// `0`-`9`, `*`, `#` or `A`-`D`.
        digit: char,
        /// How long it was pressed, if told.
        duration: Option<Duration>,
    },
    /// The other side of a call, or somebody else, wants us to call somebody: `REFER`, within a call or outside (RFC 3515).
    /// Answer with
    /// [`accept_refer`](crate::Agent::accept_refer) or [`reject_refer`](crate::Agent::reject_refer).
    Referred {
        /// Names the progress that the sender of the REFER hears of.
        refer: WatcherId,
        /// The call within which it came.
        call: Option<CallId>,
        /// The account that it came to.
        account: Option<AccountId>,
        /// Whom to call.
        target: Box<ReferTarget>,
    },
    /// What became of a REFER of ours. [`ReferProgress`] has the messages.
    Refer {
        /// Which.
        refer: ReferId,
        /// The call within which it was sent.
        call: Option<CallId>,
        /// How far it is.
        progress: ReferProgress,
    },
    /// A subscription of ours changed. Its states are told in the order in which they come about; [`SubscriptionState`] has
    /// the messages.
    Subscription {
        /// Which.
        subscription: SubscriptionId,
        /// To what.
        state: SubscriptionState,
    },
    /// The state that was subscribed to: a `NOTIFY` of the subscription came in its order, and was answered `200`. It may come
    /// before the 200 to the SUBSCRIBE.
    Notify {
        /// The subscription.
        subscription: SubscriptionId,
        /// The NOTIFY: Content-Type, body, and whatever else it says.
        request: Box<Request>,
    },
    /// The same where the user answers ([`SubscribeRequest::answers`](crate::SubscribeRequest::answers)): a `NOTIFY` of the
    /// subscription came in its order, and waits for [`respond`](crate::Agent::respond) for 30 s. The last one of a
    /// subscription is answered already, and is a [`Event::Notify`].
    NotifyAsked {
        /// The subscription.
        subscription: SubscriptionId,
        /// What is answered.
        id: IncomingId,
        /// The NOTIFY.
        request: Box<Request>,
    },
    /// A publication of ours changed. [`PublicationState`] has the messages.
    Publication {
        /// Which.
        publication: PublicationId,
        /// To what.
        state: PublicationState,
    },
    /// Somebody subscribes here, refreshes a subscription, or ends it: `SUBSCRIBE` to a package of ours. [`SubscribeKind`] says
    /// what was answered already.
    Subscribe {
        /// The subscription.
        watcher: WatcherId,
        /// What is to be done about it.
        kind: SubscribeKind,
        /// The account that it came to.
        account: Option<AccountId>,
        /// The SUBSCRIBE: Event, Accept, From, body.
        request: Box<Request>,
        /// Where it came from.
        source: Source,
    },
    /// The subscription of somebody is over: its last `NOTIFY` (`terminated`) – `200`, or one that was refused or met silence,
    /// or it was never decided on.
    Unsubscribed {
        /// The subscription.
        watcher: WatcherId,
        /// The status of the NOTIFY that failed; `None` when it ended as it should.
        status: Option<StatusCode>,
    },
    /// A `NOTIFY` of ours was answered whose [content asks](crate::NotifyContent::asks): by its final response, by 408 for
    /// silence, or by 503 when it could not be sent. They are answered in the order in which they were told.
    Notified {
        /// The subscription.
        watcher: WatcherId,
        /// The answer.
        status: StatusCode,
    },
    /// A request came that is the user's to answer: one of a method or event package that
    /// [`AgentConfig`](crate::AgentConfig) names, such as `MESSAGE`, in a call or outside. It is answered
    /// by [`respond`](crate::Agent::respond) within 30 s, or else by 500.
    Request {
        /// Which.
        id: IncomingId,
        /// The account that it came to.
        account: Option<AccountId>,
        /// The call that it is within.
        call: Option<CallId>,
        /// What it says, and where it came from.
        incoming: Box<IncomingRequest>,
    },
    /// A [`request`](crate::Agent::request) has its final response: `2xx` to `6xx`, after 401 or 407 were answered.
    Response {
        /// Which.
        request: RequestId,
        /// Its status; 408 stands for silence, 503 for what could not be sent.
        status: StatusCode,
        /// The response, if there was one.
        response: Option<Box<Response>>,
    },
    /// The call is over: `BYE` from either side, `CANCEL`, a final response of `300` or above to the INVITE, no response, no
    /// ACK, no refresh, or a request within the call – `481` and the like. [`EndCause`] says which. The last event of a call;
    /// what is left to be said on the wire is said in the background.
    Ended {
        /// Which call.
        call: CallId,
        /// Why.
        cause: EndCause,
    },
}

/// What an incoming call's INVITE says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Invite {
    /// The caller as the From header gives it: not verified.
    pub from: NameAddr,
    /// The To header.
    pub to: NameAddr,
    /// The Request-URI: the address that was called.
    pub uri: Uri,
    /// The caller's session description; `None` asks us to offer in the answer.
    pub offer: Option<Bytes>,
    /// The call that this one takes the place of (RFC 3891): [`answer`](crate::Agent::answer) hangs it up.
    pub replaces: Option<CallId>,
    /// The call that this one is to be mixed with (RFC 3911), where
    /// [`AgentConfig::join`](crate::AgentConfig::join) is on: `INVITE` with Join. To let it in is to answer it and to mix both;
    /// who may not is refused by 403 or 603, and 488 says that no more can be mixed.
    pub join: Option<CallId>,
    /// All headers of the INVITE: Alert-Info, Call-Info, P-Asserted-Identity, Diversion and so on.
    pub headers: Headers,
    /// Where it came from.
    pub source: Source,
}

/// The identifiers of a call's dialog, as documents of the package `dialog` name it (RFC 4235).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallDialog {
    /// The Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The other side's tag; `None` while nobody has answered, and for peers of RFC 2543.
    pub remote_tag: Option<String>,
}

impl CallDialog {
    /// A dialog by its identifiers.
    #[must_use]
    pub fn new(call_id: impl Into<String>, local_tag: impl Into<String>, remote_tag: Option<&str>) -> Self {
        Self { call_id: call_id.into(), local_tag: local_tag.into(), remote_tag: remote_tag.map(Into::into) }
    }
}

/// A request of the other side, and where it came from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IncomingRequest {
    /// What it says.
    pub request: Request,
    /// Where it came from.
    pub source: Source,
}

/// Who the other side of a call is, as a response or a request within the call says.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RemoteIdentity {
    /// From of a request within the call whose address is another one than before (RFC 4916): not verified.
    pub from: Option<NameAddr>,
    /// P-Asserted-Identity, as the network says (RFC 3325 §9.1).
    pub asserted: Vec<NameAddr>,
    /// Remote-Party-ID, the older form of the same.
    pub remote_party: Option<RemotePartyId>,
}

/// How an account stands with its registrar; of an account with several servers or flows, the best of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationState {
    /// A REGISTER is on its way; a binding from before may still hold. Told when it is sent after
    /// [`register`](crate::Agent::register), after a failure, or to take the binding back (`Expires: 0`); a refresh is no
    /// news. What follows on the wire: 401 or 407 and a REGISTER with credentials, 423 and one that asks for longer, both
    /// without an event; then one of the states below.
    Registering,
    /// The registrar holds our binding: `REGISTER` – `200` with our Contact. Told after each refresh too.
    Registered {
        /// For how long, from now. It is refreshed in time.
        expires: Duration,
    },
    /// The registrar refused (`REGISTER` – `4xx`, `5xx`, `6xx`, or a `200` that does not list us) or could not be reached
    /// (no response from any of its addresses, no address, no connection).
    Failed {
        /// Its answer, if there was one.
        status: Option<StatusCode>,
        /// In words.
        reason: String,
        /// When it is tried again; `None` waits for [`register`](crate::Agent::register): after credentials that were
        /// refused, and after 403 where the settings say so.
        retry_at: Option<Instant>,
    },
    /// No binding: before the first registration, or taken back (`REGISTER` with `Expires: 0` – `200`).
    Unregistered,
}

impl RegistrationState {
    /// Whether the registrar holds our binding.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        matches!(self, Self::Registered { .. })
    }
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallState {
    /// Outgoing, nothing heard yet: `INVITE`, perhaps `100`; after a 3xx again.
    Calling,
    /// Outgoing, the other side makes progress: `INVITE` – `180`, `183` or another provisional response.
    Ringing,
    /// Incoming, not answered yet: their `INVITE`, perhaps our `180` or `183`.
    Incoming,
    /// Answered by us, the ACK has not come yet (their `INVITE` – our `2xx`); or answered by the other side, which waits for our
    /// SDP in the ACK (`INVITE` without an offer – `2xx` with one).
    Answered,
    /// Up: `INVITE` – `2xx` – `ACK`, whoever called.
    Established,
    /// Over for the user, being taken down on the wire: `CANCEL` – `487` – `ACK`, `BYE` – `200`, or a refusal whose `ACK` has
    /// not come.
    Ending,
}

/// Who or what ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndedBy {
    /// We hung up, cancelled or rejected.
    Local,
    /// The other side hung up, cancelled, or refused the call with a status.
    Remote,
    /// The message could not be delivered: no address, no connection.
    Network,
    /// No answer in time: no response, no ACK, or nobody picked up.
    Timeout,
}

/// Why a call is over.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EndCause {
    /// Who or what ended it.
    pub by: EndedBy,
    /// The final status that refused the call, received or sent.
    pub status: Option<StatusCode>,
    /// In words: the reason phrase of the status, or of the Reason header (RFC 3326), or ours.
    pub reason: String,
    /// The Contact addresses of a 3xx: where to try instead (RFC 3261 §8.1.3.4).
    pub contacts: Vec<Uri>,
    /// The Retry-After of a refusal (RFC 3261 §20.33).
    pub retry_after: Option<Duration>,
    /// The first Warning of a refusal (RFC 3261 §20.43).
    pub warning: Option<Box<Warning>>,
    /// The first Reason header of a refusal, BYE or CANCEL (RFC 3326, RFC 6432), as with a cause of ISDN.
    pub header: Option<Box<Reason>>,
    /// What a CANCEL said of a call that rang here: somebody else may have taken it.
    pub cancelled: Cancelled,
}

impl EndCause {
    pub(crate) fn new(by: EndedBy, status: Option<StatusCode>, reason: impl Into<String>) -> Self {
        Self {
            by,
            status,
            reason: reason.into(),
            contacts: Vec::new(),
            retry_after: None,
            warning: None,
            header: None,
            cancelled: Cancelled::Missed,
        }
    }

    /// The same with what a message says of why.
    pub(crate) fn with_notices(mut self, headers: &Headers) -> Self {
        self.retry_after = crate::back_off::retry_after(headers);
        self.warning = headers.all::<Warning>().find_map(Result::ok).map(Box::new);
        self.header = headers.all::<Reason>().find_map(Result::ok).map(Box::new);
        self.cancelled = cause::cancelled(headers);
        self
    }

    /// Ended by a status, in its own words.
    pub(crate) fn status(by: EndedBy, status: StatusCode) -> Self {
        Self::new(by, Some(status), status.reason())
    }
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            EndedBy::Local => "this side",
            EndedBy::Remote => "the other side",
            EndedBy::Network => "the network",
            EndedBy::Timeout => "timeout",
        };
        write!(f, "ended by {by}")?;
        if let Some(status) = self.status {
            write!(f, ": {}", status.code())?;
        }
        if !self.reason.is_empty() {
            write!(f, " {}", self.reason)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_small() {
        // The largest is the end with its cause; an event lives until it is polled.
        assert!(size_of::<Event>() <= 96, "{}", size_of::<Event>());
    }
}
