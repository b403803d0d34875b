//! What a desk shares with its servers: do not disturb, forwards and agents (`as-feature-event`).

use super::Run;
use super::calls::Report;
use super::watching::next;
use crate::firmware::{CallRef, Signal};
use core::time::Duration;
use sidetone_sip_core::header::{ContentType, Event};
use sidetone_sip_core::{Limits, Method, Part, Request, StatusCode};
use sidetone_sip_ua::feature::hook_flash::FlashKind;
use sidetone_sip_ua::feature::outbox::TextId;
use sidetone_sip_ua::feature::recording;
use sidetone_sip_ua::package::PackageError;
use sidetone_sip_ua::package::charge::{self, AdviceOfCharge};
use sidetone_sip_ua::package::feature_sync::{self, FeatureRequest, HotelingEvent, SetHoteling, read_events};
use sidetone_sip_ua::{
    Account, Error, OutgoingRequest, ReceivedRequest, SubscribeRequest, SubscriptionEvent, SubscriptionState,
};
use tokio::sync::mpsc;

/// Requests that may wait for the subscription; a person presses no more keys.
const REQUESTS: usize = 16;

/// What a subscription of an account's is about, and what the firmware is told of it.
struct Sync<R, T> {
    /// What asks the server.
    requests: mpsc::Receiver<Box<R>>,
    kind: ContentType,
    write: fn(&R) -> String,
    /// What a NOTIFY tells; `None` stands for the end.
    tell: T,
}

/// Keeps what an account shares with its server in step, until the desk is gone.
async fn keep_in_step<R, T: Fn(Option<&Request>) -> Vec<Signal>>(
    account: Account,
    request: SubscribeRequest,
    mut sync: Sync<R, T>,
    reports: mpsc::Sender<Signal>,
) {
    let Ok(mut subscription) = account.subscribe(request).await else { return };
    loop {
        let event = tokio::select! {
            event = next(&mut subscription, &reports) => event,
            Some(request) = sync.requests.recv() => {
                let body = (sync.write)(&request).into_bytes();
                if let Err(error) = subscription.say(sync.kind.clone(), body).await {
                    tracing::info!(%error, "the server is not asked");
                }
                continue;
            }
        };
        let (signals, over) = match event {
            Some(SubscriptionEvent::Notify(request)) => ((sync.tell)(Some(&request)), false),
            Some(SubscriptionEvent::State(SubscriptionState::Ended { .. })) | None => {
                ((sync.tell)(None), true)
            }
            Some(_) => continue,
        };
        for signal in signals {
            // A desk that is gone needs to know nothing more.
            let _ = reports.send(signal).await;
        }
        if over {
            return;
        }
    }
}

/// Keeps an account's features in step with its server. The account is counted from 0.
async fn features(
    account: Account,
    index: usize,
    lasts: Duration,
    requests: mpsc::Receiver<Box<FeatureRequest>>,
    reports: mpsc::Sender<Signal>,
) {
    let request = SubscribeRequest::new(account.aor().clone(), Event::new(feature_sync::EVENT))
        .accepting(feature_sync::CONTENT_TYPE)
        .accepting(ContentType::from_static("multipart", "mixed"))
        .with_expires(lasts);
    let tell = move |notify: Option<&Request>| match notify {
        Some(request) => {
            let signal = |event| Signal::Features { account: index, event: Some(Box::new(event)) };
            told(request).into_iter().map(signal).collect()
        }
        None => vec![Signal::Features { account: index, event: None }],
    };
    let write = FeatureRequest::write;
    let sync = Sync { requests, kind: feature_sync::CONTENT_TYPE, write, tell };
    keep_in_step(account, request, sync, reports).await;
}

/// Asks an account's server who uses the telephone as guest. The account is counted from 0.
async fn guests(
    account: Account,
    index: usize,
    lasts: Duration,
    requests: mpsc::Receiver<Box<SetHoteling>>,
    reports: mpsc::Sender<Signal>,
) {
    let request = SubscribeRequest::new(account.aor().clone(), Event::new(feature_sync::HOTELING_EVENT))
        .accepting(feature_sync::HOTELING_CONTENT_TYPE)
        .with_expires(lasts);
    let tell = move |notify: Option<&Request>| {
        let event = match notify.map(|request| HotelingEvent::parse(&request.body)) {
            Some(Ok(event)) => Some(Box::new(event)),
            Some(Err(error)) => {
                tracing::debug!(%error, "who is guest does not read");
                return Vec::new();
            }
            None => None,
        };
        vec![Signal::Guest { account: index, event }]
    };
    let sync = Sync { requests, kind: feature_sync::HOTELING_CONTENT_TYPE, write: SetHoteling::write, tell };
    keep_in_step(account, request, sync, reports).await;
}

fn told(request: &Request) -> Vec<feature_sync::FeatureEvent> {
    let Some(Ok(kind)) = request.headers.get::<ContentType>() else { return Vec::new() };
    read_events(&kind, &request.body).unwrap_or_else(|error| {
        tracing::debug!(%error, "the server's features do not read");
        Vec::new()
    })
}

impl Run {
    /// Starts what keeps the accounts' features in step with their servers.
    pub(super) fn serve(&mut self, tell: &mpsc::Sender<Signal>) {
        for (index, account) in self.accounts.iter().enumerate() {
            let Some(lasts) = self.firmware.feature_sync(index) else { continue };
            let (asks, asked) = mpsc::channel(REQUESTS);
            self.servers.insert(index, asks);
            tokio::spawn(features(account.clone(), index, lasts, asked, tell.clone()));
        }
        for (index, account) in self.accounts.iter().enumerate() {
            let Some(lasts) = self.firmware.hoteling(index) else { continue };
            let (asks, asked) = mpsc::channel(REQUESTS);
            self.guests.insert(index, asks);
            tokio::spawn(guests(account.clone(), index, lasts, asked, tell.clone()));
        }
    }

    /// Asks the server to record a call, or to stop, and tells the firmware whether it took that.
    pub(super) fn record(&self, call: CallRef, on: bool) {
        let (handle, reports) = (self.handles.get(&call).cloned(), self.reports.clone());
        tokio::spawn(async move {
            let request = OutgoingRequest::new(Method::INFO).with_headers(recording::header(on));
            let taken = match handle {
                Some(handle) => handle.request(request).await.map(drop),
                None => Err(Error::Closed),
            };
            if let Err(error) = &taken {
                tracing::info!(%call, %error, "the server does not record");
            }
            let signal = Signal::Recorded { call, taken: taken.is_ok() };
            // A desk that is gone needs to know nothing more.
            let _ = reports.send(Report::Signal(call, signal)).await;
        });
    }

    /// Sends a text, and tells the firmware what became of it.
    pub(super) fn send_text(&self, id: TextId, account: usize, to: String, text: String) {
        let (account, signals) = (self.accounts.get(account).cloned(), self.signals.clone());
        tokio::spawn(async move {
            let sent = match account {
                Some(account) => account.message_outcome(to, text).await,
                None => Err(Error::Closed),
            };
            let (status, retry_after) = match sent {
                Ok(outcome) => (outcome.status, outcome.retry_after()),
                // No address: no further try makes it one.
                Err(Error::Uri(_)) => (StatusCode::BAD_REQUEST, None),
                Err(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
            };
            // A desk that is gone needs to know nothing more.
            let _ = signals.send(Signal::TextAnswered { id, status, retry_after }).await;
        });
    }

    /// Tells the server of a hook flash.
    pub(super) fn flash(&self, call: CallRef, kind: FlashKind) {
        let Some(handle) = self.handles.get(&call).cloned() else { return };
        tokio::spawn(async move {
            let (kind, body) = kind.body();
            if let Err(error) = handle.request(OutgoingRequest::new(Method::INFO).with_body(kind, body)).await
            {
                tracing::info!(%call, %error, "the server takes no hook flash");
            }
        });
    }

    /// What an INFO within a call says: what the call costs. How it is answered, and what the firmware is told.
    pub(super) fn informed(&self, received: &ReceivedRequest) -> (StatusCode, Option<Signal>) {
        let request = received.request();
        let Some(call) = received.call().and_then(|id| self.name_of(id)) else {
            return (StatusCode::CALL_DOES_NOT_EXIST, None);
        };
        if recording::asked(&request.headers).is_some() {
            // A telephone records nothing because another one wants that.
            return (StatusCode::NOT_IMPLEMENTED, None);
        }
        match charge_of(request) {
            Ok(Some(advice)) => (StatusCode::OK, Some(Signal::Charge { call, advice: Box::new(advice) })),
            Ok(None) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
            Err(error) => {
                tracing::info!(%call, %error, "what the call costs does not read");
                (StatusCode::BAD_REQUEST, None)
            }
        }
    }

    /// Asks an account's server for a guest, or for none any more.
    pub(super) fn ask_guest(&self, account: usize, request: Box<SetHoteling>) {
        let asked = self.guests.get(&account).map(|server| server.try_send(request));
        if !matches!(asked, Some(Ok(()))) {
            tracing::info!(account, "the server is not asked");
        }
    }

    /// Asks an account's server for another state of a feature.
    pub(super) fn ask_server(&self, account: usize, request: Box<FeatureRequest>) {
        let asked = self.servers.get(&account).map(|server| server.try_send(request));
        if !matches!(asked, Some(Ok(()))) {
            tracing::info!(account, "the server is not asked");
        }
    }
}

/// What a body, or one of its parts, says of the cost of a call.
fn charge_of(request: &Request) -> Result<Option<AdviceOfCharge>, PackageError> {
    let Some(Ok(kind)) = request.headers.get::<ContentType>() else { return Ok(None) };
    let whole = Part::new(&kind, request.body.clone());
    let Ok(Some(several)) = whole.multipart(&Limits::default()) else {
        return charge::find([(&kind, &*request.body)]);
    };
    let parts: Vec<_> =
        several.parts.iter().filter_map(|part| Some((part.kind().ok()?, part.body.clone()))).collect();
    charge::find(parts.iter().map(|(kind, body)| (kind, &**body)))
}
