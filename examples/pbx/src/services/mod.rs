//! Extensions that answer by themselves: user agents of their own in this process, which the proxy calls like any
//! registered phone.

mod sound;

pub use sound::{Prompt, PromptError};

use crate::proxy::Extension;
use core::time::Duration;
use hashbrown::HashMap;
use sidetone_media::tone::{Part, Tone};
use sidetone_sip_core::{StatusCode, Uri};
use sidetone_sip_ua::{Call, CallEvent, IncomingCall, UserAgent, UserAgentEvent};
use sound::{Echo, Hum, Player};
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

/// What an extension does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Service {
    /// Answers and plays back what it hears.
    Echo,
    /// Answers, plays a recording once and hangs up.
    Prompt(Prompt),
    /// Answers and plays a tone until the caller hangs up.
    Tone(Tone),
    /// Rings and never answers.
    Ring,
}

impl Service {
    /// The tone of 440 Hz that extension `600` plays.
    pub const HUM: Self = Self::Tone(Tone { parts: &[Part { hertz: &[440.0], millis: 0 }], once: false });
}

/// What all calls to the extensions share.
pub(crate) struct Services {
    pub(crate) table: HashMap<String, Service>,
    pub(crate) key: String,
    /// Calls at a time; more are answered 486.
    pub(crate) room: Arc<Semaphore>,
}

/// A call to an extension ends after this time: the caller may be gone without a BYE.
const LONGEST_CALL: Duration = Duration::from_secs(30 * 60);

impl Services {
    /// Answers the calls of one user agent until `stop`.
    pub(crate) async fn run(self: Arc<Self>, mut agent: UserAgent, mut stop: watch::Receiver<()>) {
        let mut calls = JoinSet::new();
        loop {
            tokio::select! {
                _ = stop.changed() => break,
                Some(_) = calls.join_next(), if !calls.is_empty() => {}
                event = agent.next_event() => match event {
                    Some(UserAgentEvent::Incoming(incoming)) => {
                        calls.spawn(Arc::clone(&self).serve(incoming));
                    }
                    Some(_) => {}
                    None => break,
                },
            }
        }
        calls.abort_all();
        agent.shutdown_within(Duration::from_millis(500)).await;
    }

    async fn serve(self: Arc<Self>, incoming: IncomingCall) {
        let caller = incoming.from().uri.to_string();
        let Some((number, service)) = self.find(incoming.uri()) else {
            tracing::warn!(%caller, "a call to an extension went around the proxy");
            return log(&caller, incoming.reject(StatusCode::FORBIDDEN).await);
        };
        let Ok(_room) = self.room.try_acquire() else {
            return log(&caller, incoming.reject(StatusCode::BUSY_HERE).await);
        };
        tracing::debug!(%caller, number, "extension called");
        let call = async {
            match service {
                Service::Echo => until_ended(incoming.answer(Echo::default()).await?, None).await,
                Service::Tone(tone) => until_ended(incoming.answer(Hum::new(*tone)).await?, None).await,
                Service::Prompt(prompt) => {
                    let over = Arc::new(Notify::new());
                    let player = Player::new(prompt.clone(), Arc::clone(&over));
                    until_ended(incoming.answer(player).await?, Some(&over)).await;
                }
                Service::Ring => {
                    let mut incoming = incoming;
                    incoming.ring().await?;
                    incoming.ended().await;
                }
            }
            Ok(())
        };
        // When the time is over the call is dropped, which hangs up.
        match tokio::time::timeout(LONGEST_CALL, call).await {
            Ok(outcome) => log(&caller, outcome),
            Err(_) => tracing::info!(%caller, number, "call to an extension ended after {LONGEST_CALL:?}"),
        }
    }

    fn find(&self, uri: &Uri) -> Option<(&str, &Service)> {
        if uri.param(Extension::KEY)?? != self.key {
            return None;
        }
        let user = uri.user()?;
        self.table.get_key_value(&*user).map(|(number, service)| (number.as_str(), service))
    }
}

/// Waits for the end of a call, or hangs up when what was to be played is over.
async fn until_ended(mut call: Call, over: Option<&Notify>) {
    let played = async {
        match over {
            Some(over) => over.notified().await,
            None => core::future::pending().await,
        }
    };
    let ended = async {
        while let Some(event) = call.next_event().await {
            if matches!(event, CallEvent::Ended(_)) {
                return;
            }
        }
    };
    tokio::select! {
        () = played => {}
        () = ended => {}
    }
}

fn log(caller: &str, outcome: Result<(), sidetone_sip_ua::Error>) {
    if let Err(error) = outcome {
        tracing::debug!(%caller, %error, "call to an extension");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_that_passed_the_proxy_are_served() {
        let services = Services {
            table: HashMap::from([("*43".into(), Service::Echo)]),
            key: "0123".into(),
            room: Arc::new(Semaphore::new(1)),
        };
        let find = |uri: &str| services.find(&uri.parse().unwrap()).is_some();
        assert!(find("sip:*43@127.0.0.1:4000;sidetone-key=0123"));
        for uri in [
            "sip:*43@127.0.0.1:4000",
            "sip:*43@127.0.0.1:4000;sidetone-key",
            "sip:*43@127.0.0.1:4000;sidetone-key=0124",
            "sip:*44@127.0.0.1:4000;sidetone-key=0123",
            "sip:127.0.0.1:4000;sidetone-key=0123",
        ] {
            assert!(!find(uri), "{uri}");
        }
    }
}
