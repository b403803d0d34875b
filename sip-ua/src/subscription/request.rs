//! What a subscription of ours asks for, when it is tried again, and how it stands.

use crate::config::SubscriptionRules;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{ContentType, Event as EventHeader};
use sidetone_sip_core::{Headers, StatusCode, Uri};

/// The lifetime that is asked for when nobody says another one.
const USUAL: Duration = Duration::from_secs(3600);

/// What to subscribe to.
///
/// ```
/// use sidetone_sip_ua::SubscribeRequest;
/// let request = SubscribeRequest::new("sip:202@example.org".parse().unwrap(), "dialog".parse().unwrap());
/// assert_eq!(request.expires.as_secs(), 3600);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubscribeRequest {
    /// Whose state.
    pub to: Uri,
    /// The package with its parameters.
    pub event: EventHeader,
    /// The lifetime to ask for, in whole seconds; 3600 s by default. Zero asks once (RFC 6665 §4.4.3).
    pub expires: Duration,
    /// The types of body that are understood.
    pub accept: Vec<ContentType>,
    /// Further headers: `Supported: eventlist` and so on.
    pub headers: Headers,
    /// The body of each SUBSCRIBE and its type.
    pub body: Option<(ContentType, Bytes)>,
    /// What follows when it fails or is ended by the other side.
    pub again: ResubscribeRule,
    /// Whether the user answers each NOTIFY ([`Event::NotifyAsked`](crate::Event::NotifyAsked)), in the place of a 200 at
    /// once: what it says may be refused. So a state agent gives the appearances of bridged lines.
    pub answers: bool,
    /// At which share of the lifetime it is refreshed, in percent, 1 to 100; `None`, the default, draws it between 75 and 90.
    pub refresh: Option<u8>,
}

impl SubscribeRequest {
    /// A subscription for an hour.
    #[must_use]
    pub const fn new(to: Uri, event: EventHeader) -> Self {
        Self {
            to,
            event,
            expires: USUAL,
            accept: Vec::new(),
            headers: Headers::new(),
            body: None,
            again: ResubscribeRule::DEFAULT,
            answers: false,
            refresh: None,
        }
    }

    /// The same by the account's rules, where this has nothing of its own.
    pub(super) fn by_rules(mut self, rules: &SubscriptionRules) -> Self {
        if self.expires == USUAL {
            self.expires = rules.expires.unwrap_or(USUAL);
        }
        if self.again == ResubscribeRule::DEFAULT {
            self.again = rules.again.unwrap_or(ResubscribeRule::DEFAULT);
        }
        self.refresh = self.refresh.or(rules.refresh);
        self
    }

    /// The same with a type of body that is understood.
    #[must_use]
    pub fn accepting(mut self, kind: ContentType) -> Self {
        self.accept.push(kind);
        self
    }

    /// The same for another time.
    #[must_use]
    pub const fn with_expires(mut self, expires: Duration) -> Self {
        self.expires = expires;
        self
    }

    /// The same, each NOTIFY of which the user answers.
    #[must_use]
    pub const fn answering(mut self) -> Self {
        self.answers = true;
        self
    }

    /// The same with further headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, kind: ContentType, body: impl Into<Bytes>) -> Self {
        self.body = Some((kind, body.into()));
        self
    }
}

/// When a subscription that failed or was ended is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResubscribeRule {
    /// The first wait; it doubles with each failure, and is drawn from its upper half.
    pub base: Duration,
    /// The longest wait. A longer Retry-After counts instead.
    pub max: Duration,
    /// Whether refusals are tried again that will hardly change: 403, 404, 489 and the like, and the reasons `rejected` and
    /// `noresource` (RFC 6665 §4.1.3 says not to). Panasonic's phones do, by their retry interval.
    pub after_refusal: bool,
    /// Whether a 403 is final, whatever [`after_refusal`](Self::after_refusal) says (Panasonic).
    pub stop_on_forbidden: bool,
}

impl ResubscribeRule {
    /// 30 s to 30 min, not after refusals.
    pub const DEFAULT: Self = Self {
        base: Duration::from_secs(30),
        max: Duration::from_secs(1800),
        after_refusal: false,
        stop_on_forbidden: false,
    };
    /// Never: the first end is the end.
    pub const NEVER: Self =
        Self { base: Duration::ZERO, max: Duration::ZERO, after_refusal: false, stop_on_forbidden: false };

    /// The same wait each time, after refusals too.
    #[must_use]
    pub const fn every(wait: Duration) -> Self {
        Self { base: wait, max: wait, after_refusal: true, stop_on_forbidden: false }
    }

    /// The same rule, which takes a 403 as final.
    #[must_use]
    pub const fn stopping_on_forbidden(mut self) -> Self {
        self.stop_on_forbidden = true;
        self
    }

    pub(super) const fn is_never(&self) -> bool {
        self.max.is_zero()
    }
}

/// Where a subscription of ours stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionState {
    /// A SUBSCRIBE is on its way, or its NOTIFY is waited for: `SUBSCRIBE`, perhaps `401` and one with credentials, `423` and a
    /// longer one, `200`. A refresh is no news.
    Subscribing,
    /// `SUBSCRIBE` – `200` – `NOTIFY` with `Subscription-State: pending` – `200`, in whatever order: somebody still has to allow it. Its body, if there is one, may be neutral.
    Pending {
        /// How long it lasts from now; it is refreshed in time.
        expires: Duration,
    },
    /// The same with `Subscription-State: active`; told anew when a refresh or a NOTIFY gives another lifetime.
    Active {
        /// How long it lasts from now; it is refreshed in time.
        expires: Duration,
    },
    /// It failed (`SUBSCRIBE` – `4xx`, `5xx`, nothing, or a 200 without a NOTIFY for 64·T1), or a `NOTIFY` ended it
    /// (`terminated`), and it is tried again.
    Waiting {
        /// The status that refused it; 408 stands for silence.
        status: Option<StatusCode>,
        /// In words: the reason phrase, or the `reason` of Subscription-State.
        reason: String,
        /// When it is tried again.
        retry_at: Instant,
    },
    /// It is over for good: `SUBSCRIBE` with `Expires: 0` – `200` – `NOTIFY` with `terminated`; a refusal or a reason after which
    /// nothing is tried again. The last that is heard of it.
    Ended {
        /// The status that refused it; `None` when it was ended by us, or by a NOTIFY.
        status: Option<StatusCode>,
        /// In words.
        reason: String,
    },
}
