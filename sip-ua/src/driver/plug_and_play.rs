//! Plug and play with sockets: asks the network where the settings are, once.

use super::{Error, ReceivedRequest, SubscriptionEvent, UserAgentBuilder, UserAgentEvent};
use crate::SubscriptionState;
use crate::feature::plug_and_play::PlugAndPlay;
use crate::package::device::Profile;
use sidetone_sip_core::{Request, StatusCode};
use std::string::{String, ToString};

impl UserAgentBuilder {
    /// Asks where a telephone's settings are, by a user agent that lives as long as the question: 32 s if nobody answers.
    /// The first answer that can be used counts.
    ///
    /// The question goes out by the interface whose address is bound, else by the one that the system's routes choose.
    ///
    /// Nothing proves who answers, and a network's settings are as trustworthy as the network: RFC 6080 §8 wants more of
    /// those that are fetched.
    ///
    /// # Errors
    /// [`Error::Profile`] when nobody told any, [`Error::Io`] when an address cannot be bound.
    pub async fn find_profile(self, asked: &PlugAndPlay) -> Result<Profile, Error> {
        let (account, subscription) = match (asked.account(), asked.subscription()) {
            (Ok(account), Ok(subscription)) => (account, subscription),
            (Err(error), _) | (_, Err(error)) => {
                return Err(Error::Profile { status: None, reason: error.what });
            }
        };
        let mut agent = self.map_config(PlugAndPlay::allow).build().await?;
        let account = agent.add_account(account).await?;
        let mut subscription = account.subscribe(subscription).await?;
        // Another server may know better than one that tells nothing of use.
        let mut unusable = None;
        let told = |notify: &Request| {
            asked.told(notify).unwrap_or_else(|wrong| {
                unusable = Some(wrong.what);
                None
            })
        };
        let found = listen(&mut subscription, &mut agent, told).await;
        drop(subscription);
        agent.shutdown().await;
        found.map_err(|(status, reason)| Error::Profile { status, reason: unusable.unwrap_or(reason) })
    }
}

async fn listen(
    subscription: &mut super::Subscription,
    agent: &mut super::UserAgent,
    mut told: impl FnMut(&Request) -> Option<Profile>,
) -> Result<Profile, (Option<StatusCode>, String)> {
    loop {
        let found = tokio::select! {
            event = subscription.next_event() => match event {
                Some(SubscriptionEvent::Notify(notify)) => told(&notify),
                Some(SubscriptionEvent::State(SubscriptionState::Ended { status, reason })) => {
                    return Err((status, reason));
                }
                Some(_) => None,
                None => return Err((None, "the user agent has ended".to_string())),
            },
            Some(event) = agent.next_event() => match event {
                UserAgentEvent::Request(received) => {
                    let found = told(received.request());
                    taken(received).await;
                    found
                }
                _ => None,
            },
        };
        if let Some(profile) = found {
            return Ok(profile);
        }
    }
}

async fn taken(received: ReceivedRequest) {
    if let Err(error) = received.respond(StatusCode::OK).await {
        tracing::debug!(%error, "a NOTIFY was not answered");
    }
}
