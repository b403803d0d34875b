//! What a desk shares with its servers: do not disturb, forwards and agents (`as-feature-event`).

use super::Run;
use super::watching::next;
use crate::firmware::Signal;
use core::time::Duration;
use sidetone_sip_core::Request;
use sidetone_sip_core::header::{ContentType, Event};
use sidetone_sip_ua::package::feature_sync::{self, FeatureRequest, read_events};
use sidetone_sip_ua::{Account, SubscribeRequest, SubscriptionEvent, SubscriptionState};
use tokio::sync::mpsc;

/// Requests that may wait for the subscription; a person presses no more keys.
pub(super) const REQUESTS: usize = 16;

/// Keeps an account's features in step with its server, until the desk is gone. The account is counted from 0.
pub(super) async fn features(
    account: Account,
    index: usize,
    lasts: Duration,
    mut requests: mpsc::Receiver<Box<FeatureRequest>>,
    reports: mpsc::Sender<Signal>,
) {
    let request = SubscribeRequest::new(account.aor().clone(), Event::new(feature_sync::EVENT))
        .accepting(feature_sync::CONTENT_TYPE)
        .accepting(ContentType::from_static("multipart", "mixed"))
        .with_expires(lasts);
    let Ok(mut subscription) = account.subscribe(request).await else { return };
    let tell = async |event| {
        // A desk that is gone needs to know nothing more.
        let _ = reports.send(Signal::Features { account: index, event }).await;
    };
    loop {
        let event = tokio::select! {
            event = next(&mut subscription, &reports) => event,
            Some(request) = requests.recv() => {
                let body = request.write().into_bytes();
                if let Err(error) = subscription.say(feature_sync::CONTENT_TYPE, body).await {
                    tracing::info!(%error, "the server is not asked");
                }
                continue;
            }
        };
        match event {
            Some(SubscriptionEvent::Notify(request)) => {
                for event in told(&request) {
                    tell(Some(Box::new(event))).await;
                }
            }
            Some(SubscriptionEvent::State(SubscriptionState::Ended { .. })) | None => {
                return tell(None).await;
            }
            Some(_) => {}
        }
    }
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
    }

    /// Asks an account's server for another state of a feature.
    pub(super) fn ask_server(&self, account: usize, request: Box<FeatureRequest>) {
        let asked = self.servers.get(&account).map(|server| server.try_send(request));
        if !matches!(asked, Some(Ok(()))) {
            tracing::info!(account, "the server is not asked");
        }
    }
}
