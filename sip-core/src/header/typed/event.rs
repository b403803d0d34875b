//! Event notification: Event, Allow-Events, Subscription-State, Refer-Sub, SIP-ETag, SIP-If-Match
//! (RFC 6665 §8.2, RFC 4488, RFC 3903 §11.3).

use super::emit_display;
use super::word::{from_str, number, word_headers};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue, Params};
use crate::parse::{Fault, grammar};
use alloc::borrow::Cow;
use alloc::string::ToString;
use bytes::Bytes;
use core::fmt;

word_headers! {
    /// Event: the package of a subscription or notification (RFC 6665 §8.2.1).
    ///
    /// ```
    /// use sidetone_sip_core::header::Event;
    /// let event: Event = "dialog;id=7;shared".parse().unwrap();
    /// assert_eq!((event.package.as_str(), event.id().as_deref()), ("dialog", Some("7")));
    /// assert!(event.matches(&"dialog;sla;id=7".parse().unwrap()));
    /// ```
    Event {
        /// The package with its templates: `dialog`, `presence.winfo`.
        package: token
    } = EVENT, list: false;

    /// Subscription-State: how the subscription stands after this notification (RFC 6665 §8.2.3).
    SubscriptionState {
        /// `active`, `pending`, `terminated` or another.
        state: token
    } = SUBSCRIPTION_STATE, list: false;
}

impl Event {
    /// The same with an `id`, which tells apart subscriptions of one package in one dialog.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.params.set("id", id);
        self
    }

    /// The `id` parameter.
    #[must_use]
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.params.get("id")
    }

    /// Whether a notification with the other belongs to a subscription with this: package and `id` are the
    /// same, byte by byte; other parameters do not count (RFC 6665 §8.2.1).
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.package == other.package && self.id() == other.id()
    }
}

impl SubscriptionState {
    /// Active for so many seconds.
    #[must_use]
    pub fn active(expires: u32) -> Self {
        Self::new("active").with("expires", &expires.to_string())
    }

    /// Not yet allowed; for so many seconds.
    #[must_use]
    pub fn pending(expires: u32) -> Self {
        Self::new("pending").with("expires", &expires.to_string())
    }

    /// Over, with a reason: `deactivated`, `probation`, `rejected`, `timeout`, `giveup`, `noresource`, `invariant`.
    #[must_use]
    pub fn terminated(reason: &str) -> Self {
        Self::new("terminated").with("reason", reason)
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.params.set(name, value);
        self
    }

    /// Whether the state is `active`.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state.eq_ignore_ascii_case("active")
    }

    /// Whether the state is `pending`.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.state.eq_ignore_ascii_case("pending")
    }

    /// Whether the state is `terminated`.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.state.eq_ignore_ascii_case("terminated")
    }

    /// Why the subscription ended.
    #[must_use]
    pub fn reason(&self) -> Option<Cow<'_, str>> {
        self.params.get("reason")
    }

    /// How many seconds are left.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        number(&self.params, "expires")
    }

    /// After how many seconds to subscribe again.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        number(&self.params, "retry-after")
    }
}

super::options::options! {
    /// Allow-Events: the event packages that an element has (RFC 6665 §8.2.2).
    AllowEvents = ALLOW_EVENTS;
}

/// Refer-Sub: whether a REFER makes a subscription (RFC 4488 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferSub {
    /// False asks for none.
    pub subscribe: bool,
    /// Parameters.
    pub params: Params,
}

impl ReferSub {
    /// `true` or `false`.
    #[must_use]
    pub const fn new(subscribe: bool) -> Self {
        Self { subscribe, params: Params::new() }
    }
}

impl Header for ReferSub {
    const NAME: HeaderName = HeaderName::REFER_SUB;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_value(HeaderValue::whole(value))
    }

    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        grammar::complete(value.as_bytes(), |input| {
            let (rest, word) = grammar::token(input)?;
            let subscribe = word.eq_ignore_ascii_case(b"true");
            if !subscribe && !word.eq_ignore_ascii_case(b"false") {
                return Fault::error(input, ParseErrorKind::Token);
            }
            let (rest, params) = Params::read_with(value.source(), rest, value.lenient())?;
            Ok((rest, Self { subscribe, params }))
        })
    }

    emit_display!();
}

from_str!(ReferSub);

impl fmt::Display for ReferSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.subscribe, self.params)
    }
}
