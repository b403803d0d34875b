//! Publications of our state to a server that tells it to others: PUBLISH with entity tags (RFC 3903).

use crate::agent::Agent;
use crate::back_off;
use crate::context::{Context, Timer};
use crate::error::CommandError;
use crate::event::{AccountId, Event};
use crate::exchange::{ExchangeId, Failure, Owner};
use crate::request::OutgoingRequest;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{
    ContentType, Event as EventHeader, Expires, MinExpires, SipETag, SipIfMatch,
};
use sidetone_sip_core::{Headers, Method, Response, Source, StatusCode, Uri};

crate::id::identifiers! {
    /// Names a publication. Not used twice.
    PublicationId(u64) = "publication";
}

/// What to publish.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublishRequest {
    /// Whose state: as a rule the account's address of record.
    pub to: Uri,
    /// The package.
    pub event: EventHeader,
    /// The state and its type.
    pub body: (ContentType, Bytes),
    /// The lifetime to ask for, in whole seconds; 3600 s by default.
    pub expires: Duration,
    /// Further headers.
    pub headers: Headers,
}

impl PublishRequest {
    /// A state for an hour.
    #[must_use]
    pub fn new(to: Uri, event: EventHeader, kind: ContentType, body: impl Into<Bytes>) -> Self {
        let expires = Duration::from_secs(3600);
        Self { to, event, body: (kind, body.into()), expires, headers: Headers::new() }
    }

    /// The same for another time.
    #[must_use]
    pub const fn with_expires(mut self, expires: Duration) -> Self {
        self.expires = expires;
        self
    }
}

/// Where a publication stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicationState {
    /// The server has the state as it was told last: `PUBLISH` – `200` with SIP-ETag. Told after each refresh and change too.
    Published {
        /// How long it keeps it, from now; it is refreshed in time.
        expires: Duration,
    },
    /// The server refused, or did not answer (408); it is tried again: `PUBLISH` – `4xx`, `5xx`. A `412` or `423` is seen to
    /// without an event.
    Waiting {
        /// Its status.
        status: StatusCode,
        /// When it is tried again.
        retry_at: Instant,
    },
    /// Over: taken back (`PUBLISH` with `Expires: 0` – `200`), or refused for good with this status. The last that is heard of it.
    Ended {
        /// Its status; `None` when it was taken back.
        status: Option<StatusCode>,
    },
}

/// A publication of ours.
#[derive(Debug)]
pub(crate) struct Publication {
    account: AccountId,
    request: PublishRequest,
    /// The lifetime to ask for, in seconds: what a 423 made of it.
    expires: u32,
    /// What the server calls the state that it has.
    tag: Option<SipETag>,
    exchange: Option<ExchangeId>,
    wanted: bool,
    /// The state has changed since it was told.
    changed: bool,
    /// What is under way takes it back.
    removal: bool,
    failures: u32,
}

/// By their number: O(log n).
pub(crate) type Publications = BTreeMap<PublicationId, Box<Publication>>;

impl Agent {
    /// Publishes a state and keeps it published until [`unpublish`](Self::unpublish): [`Event::Publication`] tells what
    /// comes of it.
    ///
    /// # Errors
    /// [`CommandError::NoSuchAccount`], [`CommandError::NotSip`], [`CommandError::TooManySubscriptions`], which bounds
    /// publications too.
    pub fn publish(
        &mut self,
        now: Instant,
        account: AccountId,
        request: PublishRequest,
    ) -> Result<PublicationId, CommandError> {
        if !self.context.accounts.contains_key(&account) {
            return Err(CommandError::NoSuchAccount);
        }
        if !request.to.is_sip() {
            return Err(CommandError::NotSip);
        }
        let most = self.context.config.max_subscriptions;
        if self.publications.len() >= most {
            return Err(CommandError::TooManySubscriptions(most));
        }
        let id = PublicationId(self.subscriptions.next_id());
        let expires = u32::try_from(request.expires.as_secs()).unwrap_or(u32::MAX).max(1);
        let publication = Publication {
            account,
            request,
            expires,
            tag: None,
            exchange: None,
            wanted: true,
            changed: true,
            removal: false,
            failures: 0,
        };
        self.publications.insert(id, Box::new(publication));
        self.send_publish(now, id);
        self.pump(now);
        Ok(id)
    }

    /// The state is another one now.
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`] when the publication is over.
    pub fn republish(
        &mut self,
        now: Instant,
        id: PublicationId,
        kind: ContentType,
        body: Bytes,
    ) -> Result<(), CommandError> {
        let publication = self.publications.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
        publication.request.body = (kind, body);
        publication.changed = true;
        self.send_publish(now, id);
        self.pump(now);
        Ok(())
    }

    /// Takes a state back. [`PublicationState::Ended`] follows.
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`] when the publication is over.
    pub fn unpublish(&mut self, now: Instant, id: PublicationId) -> Result<(), CommandError> {
        let publication = self.publications.get_mut(&id).ok_or(CommandError::NoSuchSubscription)?;
        publication.wanted = false;
        if publication.tag.is_none() && publication.exchange.is_none() {
            self.publication_over(id, None);
        } else {
            self.send_publish(now, id);
        }
        self.pump(now);
        Ok(())
    }

    /// Sends what the server does not know yet. One at a time, for each answer names the tag of the next (RFC 3903 §4.1).
    fn send_publish(&mut self, now: Instant, id: PublicationId) {
        let Some(publication) = self.publications.get_mut(&id) else { return };
        if publication.exchange.is_some() {
            return;
        }
        self.context.deadlines.stop(Timer::Publish(id));
        let (account, to, content) =
            (publication.account, publication.request.to.clone(), publication.content());
        let protocol = self.context.accounts.get(&account).map(|account| account.protocol());
        let (Ok(routed), Some(protocol)) = (self.outside(account, &to, content), protocol) else {
            return self.publication_over(id, Some(StatusCode::SERVICE_UNAVAILABLE));
        };
        let exchange = self.context.start(now, Owner::Publish(id), Some(account), routed, protocol, false);
        if let Some(publication) = self.publications.get_mut(&id) {
            publication.changed = false;
            publication.removal = !publication.wanted;
            publication.exchange = Some(exchange);
        }
    }

    /// Time to refresh, or to try again.
    pub(crate) fn publish_due(&mut self, now: Instant, id: PublicationId) {
        self.send_publish(now, id);
    }

    pub(crate) fn handle_publish_outcome(
        &mut self,
        now: Instant,
        id: PublicationId,
        result: Result<(Response, Source), Failure>,
    ) {
        let (status, response) = match result {
            Ok((response, _)) if response.status.is_provisional() => return,
            Ok((response, _)) => (response.status, Some(response)),
            Err(failure) => (failure.status(), None),
        };
        let Some(publication) = self.publications.get_mut(&id) else { return };
        publication.exchange = None;
        match response {
            Some(response) if status.is_success() => self.published(now, id, &response),
            _ if publication.removal => self.publication_over(id, None),
            // The server has lost the state, or knows it by another tag: it is told as a new one (RFC 3903 §4.1).
            _ if status == StatusCode::CONDITIONAL_REQUEST_FAILED && publication.tag.take().is_some() => {
                publication.changed = true;
                self.send_publish(now, id);
            }
            Some(response) if status == StatusCode::INTERVAL_TOO_BRIEF && publication.lengthen(&response) => {
                publication.changed = true;
                self.send_publish(now, id);
            }
            response => self.publish_failed(now, id, status, response.as_ref()),
        }
    }

    fn published(&mut self, now: Instant, id: PublicationId, response: &Response) {
        let Some(publication) = self.publications.get_mut(&id) else { return };
        publication.tag = response.headers.get::<SipETag>().and_then(Result::ok);
        publication.failures = 0;
        if publication.removal {
            return self.publication_over(id, None);
        }
        if !publication.wanted {
            return self.send_publish(now, id);
        }
        let granted = response.headers.get::<Expires>().and_then(Result::ok);
        let granted =
            granted.map_or(publication.expires, |Expires(seconds)| seconds.min(publication.expires));
        let expires = Duration::from_secs(u64::from(granted.max(1)));
        publication.tell(&mut self.context, id, PublicationState::Published { expires });
        if publication.changed {
            return self.send_publish(now, id);
        }
        let refresh = expires.mul_f64(0.75 + 0.15 * self.context.rng.unit());
        self.context.deadlines.set(Timer::Publish(id), now + refresh);
    }

    fn publish_failed(
        &mut self,
        now: Instant,
        id: PublicationId,
        status: StatusCode,
        response: Option<&Response>,
    ) {
        let Some(publication) = self.publications.get_mut(&id) else { return };
        let hopeless =
            status.is_challenge() || matches!(status.code(), 403..=405 | 410 | 415 | 416 | 489 | 501);
        if hopeless {
            return self.publication_over(id, Some(status));
        }
        publication.failures = publication.failures.saturating_add(1);
        publication.changed = true;
        let config = &self.context.config;
        let bound = back_off::bound(publication.failures, config.retry_base, config.retry_max);
        let wait = back_off::drawn(bound, &mut self.context.rng);
        let told = response.and_then(|response| back_off::retry_after(&response.headers));
        let retry_at = now + wait.max(told.unwrap_or_default());
        publication.tell(&mut self.context, id, PublicationState::Waiting { status, retry_at });
        self.context.deadlines.set(Timer::Publish(id), retry_at);
    }

    fn publication_over(&mut self, id: PublicationId, status: Option<StatusCode>) {
        let Some(publication) = self.publications.remove(&id) else { return };
        self.context.deadlines.stop(Timer::Publish(id));
        publication.tell(&mut self.context, id, PublicationState::Ended { status });
    }
}

impl Publication {
    fn tell(&self, context: &mut Context, id: PublicationId, state: PublicationState) {
        context.events.push_back(Event::Publication { publication: id, state });
    }

    /// What the next PUBLISH says: a new state has a body, a refresh and a removal have none (RFC 3903 §4.1, table 1).
    fn content(&self) -> OutgoingRequest {
        let mut headers = self.request.headers.clone();
        headers.set(&self.request.event);
        headers.set(&Expires(if self.wanted { self.expires } else { 0 }));
        if let Some(tag) = &self.tag {
            headers.set(&SipIfMatch(tag.0.clone()));
        }
        let told = self.wanted && (self.changed || self.tag.is_none());
        let body = told.then(|| self.request.body.clone());
        OutgoingRequest { method: Method::PUBLISH, headers, body }
    }

    fn lengthen(&mut self, response: &Response) -> bool {
        let Some(Ok(MinExpires(least))) = response.headers.get() else { return false };
        let longer = least > self.expires;
        if longer {
            self.expires = least;
        }
        longer
    }
}
