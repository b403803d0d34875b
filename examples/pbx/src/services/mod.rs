//! Extensions that answer by themselves: user agents of their own in this process, which the proxy calls like any
//! registered phone.

mod music;
mod park;
mod recording;
mod room;
mod sound;
mod stage;
mod voicemail;

pub use music::Music;
pub use park::OrbitConfig;
pub use room::{MAX_ROOM, RoomConfig, RoomControl};
pub use sound::{Prompt, PromptError};
pub use voicemail::VoicemailConfig;

use crate::event::PbxEvent;
use crate::handle::PbxLoad;
use crate::mailbox::MailboxStore;
use crate::notifier::States;
use crate::proxy::Extension;
use core::time::Duration;
use hashbrown::HashMap;
use recording::Recordables;
use sidetone_hal::audio::AudioFormat;
use sidetone_hal::net::IpAddr;
use sidetone_media::tone::{Part, Tone};
use sidetone_sip_core::{StatusCode, Uri};
use sidetone_sip_ua::{
    Account, AccountId, Call, CallEvent, IncomingCall, IncomingRefer, UserAgent, UserAgentEvent,
};
use sound::{Echo, Hum, Player};
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio::task::JoinSet;
use voicemail::hear;

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
    /// Answers, tells by a tone that a setting was taken, and hangs up.
    Confirmation,
    /// Answers and plays music until the caller hangs up: also what a telephone calls to have somebody on hold hear
    /// music (RFC 7088).
    MusicOnHold(Music),
    /// A conference room.
    Conference(RoomConfig),
    /// A park orbit.
    Park(OrbitConfig),
    /// Takes a message for whom the proxy diverts here: [`CallConfig::voicemail`](crate::CallConfig::voicemail).
    Voicemail(VoicemailConfig),
    /// Plays the messages of the account that calls: `1` again, `3` delete, `#` the next one, `*` the one before.
    Messages,
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
    pub(crate) mailboxes: Arc<dyn MailboxStore>,
    pub(crate) states: Arc<States>,
    pub(crate) events: broadcast::Sender<PbxEvent>,
    /// Accounts that call users from here, by the address at which the extensions are called.
    pub(crate) callbacks: HashMap<IpAddr, Account>,
    pub(crate) rooms: room::Rooms,
    pub(crate) orbits: park::Orbits,
}

/// Calls to the extensions at a time, all numbers together; more are answered 486.
pub(crate) const MAX_SERVICE_CALLS: usize = 64;
/// A call to an extension ends after this time: the caller may be gone without a BYE.
const LONGEST_CALL: Duration = Duration::from_secs(30 * 60);
/// The same where people talk to each other: in a room, or by way of an orbit.
const LONGEST_TALK: Duration = Duration::from_secs(8 * 3600);

impl Services {
    /// Answers the calls of one user agent, whose accounts are these rooms', until `stop`.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut agent: UserAgent,
        rooms: HashMap<AccountId, String>,
        mut stop: watch::Receiver<()>,
    ) {
        let mut calls = JoinSet::new();
        let recordables = Arc::<Recordables>::default();
        loop {
            tokio::select! {
                biased;
                _ = stop.changed() => break,
                Some(_) = calls.join_next(), if !calls.is_empty() => {}
                event = agent.next_event() => match event {
                    Some(UserAgentEvent::Incoming(incoming)) => {
                        calls.spawn(Arc::clone(&self).serve(incoming, Arc::clone(&recordables)));
                    }
                    Some(UserAgentEvent::Request(received)) => {
                        calls.spawn(Arc::clone(&recordables).answer(received));
                    }
                    Some(UserAgentEvent::Referred(refer)) => {
                        let room = refer.account().and_then(|account| rooms.get(&account)).cloned();
                        let recordables = Arc::clone(&recordables);
                        calls.spawn(Arc::clone(&self).referred(room, refer, recordables));
                    }
                    Some(UserAgentEvent::Subscribe(incoming)) => {
                        calls.spawn(Arc::clone(&self.states).serve(incoming));
                    }
                    Some(_) => {}
                    None => break,
                },
            }
        }
        calls.abort_all();
        agent.shutdown_within(Duration::from_millis(500)).await;
    }

    async fn serve(self: Arc<Self>, incoming: IncomingCall, recordables: Arc<Recordables>) {
        let caller = incoming.from().uri.to_string();
        let Some((number, service)) = find(&self.table, &self.key, incoming.uri()) else {
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
                Service::Confirmation => {
                    let (stage, port) = stage::stage(AudioFormat::NARROWBAND);
                    let mut call = incoming.answer(port).await?;
                    if established(&mut call).await {
                        // Who hangs up before its end is not waited for: nobody plays it any more.
                        hear(&mut call, &stage, stage.tone(Tone::CONFIRMATION)).await;
                        // What is on its way is heard before the call ends.
                        tokio::time::sleep(Duration::from_millis(300)).await;
                    }
                }
                Service::MusicOnHold(music) => {
                    let (stage, port) = stage::stage(AudioFormat::NARROWBAND);
                    stage.start(stage.music(music));
                    until_ended(incoming.answer(port).await?, None).await;
                }
                Service::Conference(config) => {
                    room::serve(Arc::clone(&self), number, config, incoming, &recordables).await?;
                }
                Service::Park(config) => park::serve(Arc::clone(&self), number, config, incoming).await?,
                Service::Voicemail(config) => {
                    voicemail::take(Arc::clone(&self), config, incoming).await?;
                }
                Service::Messages => voicemail::listen(Arc::clone(&self), incoming).await?,
                Service::Ring => {
                    let mut incoming = incoming;
                    incoming.ring().await?;
                    incoming.ended().await;
                }
            }
            Ok(())
        };
        // When the time is over the call is dropped, which hangs up.
        let longest = match service {
            Service::Conference(_) | Service::Park(_) => LONGEST_TALK,
            _ => LONGEST_CALL,
        };
        match tokio::time::timeout(longest, call).await {
            Ok(outcome) => log(&caller, outcome),
            Err(_) => tracing::info!(%caller, number, "call to an extension ended after {longest:?}"),
        }
    }

    /// Somebody wants a room to call somebody else, or to put somebody out.
    async fn referred(
        self: Arc<Self>,
        room: Option<String>,
        refer: IncomingRefer,
        recordables: Arc<Recordables>,
    ) {
        let target = refer.target().to.uri.to_string();
        // Within a call the proxy was passed before.
        let came_by_the_proxy =
            || refer.call().is_some() || find(&self.table, &self.key, &refer.target().request_uri).is_some();
        let Some(number) = room.filter(|_| came_by_the_proxy()) else {
            return log(&target, refer.reject(StatusCode::FORBIDDEN).await);
        };
        let (Some(Service::Conference(config)), Ok(_room)) =
            (self.table.get(&number), self.room.try_acquire())
        else {
            return log(&target, refer.reject(StatusCode::BUSY_HERE).await);
        };
        let call = room::referred(Arc::clone(&self), &number, config, refer, &recordables);
        match tokio::time::timeout(LONGEST_TALK, call).await {
            Ok(outcome) => log(&target, outcome),
            Err(_) => tracing::info!(%target, number, "call of a room ended after {LONGEST_TALK:?}"),
        }
    }

    /// What is under way at the extensions.
    pub(crate) fn load(&self) -> PbxLoad {
        PbxLoad {
            extension_calls: MAX_SERVICE_CALLS.saturating_sub(self.room.available_permits()),
            subscriptions: self.states.watcher_count(),
            parked: self.orbits.len(),
            rooms: self.rooms.len(),
            ..PbxLoad::default()
        }
    }

    /// Nobody has to listen.
    fn tell(&self, event: PbxEvent) {
        self.states.happened(&event);
        self.events.send(event).ok();
    }

    fn tell_counts(&self, mailbox: &str) {
        let counts = self.mailboxes.counts(mailbox);
        self.tell(PbxEvent::MailboxChanged { mailbox: mailbox.into(), counts });
    }

    /// The account that calls users from the address at which an extension was called.
    fn callback_account(&self, called: &Uri) -> Option<Account> {
        account_at(&self.callbacks, called)
    }
}

/// The account of the address at which something was called.
pub(crate) fn account_at(accounts: &HashMap<IpAddr, Account>, called: &Uri) -> Option<Account> {
    let ip = called.host()?.ip()?;
    let any = accounts.iter().find(|(bound, _)| bound.is_unspecified() && bound.is_ipv4() == ip.is_ipv4());
    accounts.get(&ip).or_else(|| any.map(|(_, account)| account)).cloned()
}

/// What an extension does that was called by way of the proxy.
fn find<'a>(table: &'a HashMap<String, Service>, key: &str, uri: &Uri) -> Option<(&'a str, &'a Service)> {
    if uri.param(Extension::KEY)?? != key {
        return None;
    }
    let user = uri.user()?;
    table.get_key_value(&*user).map(|(number, service)| (number.as_str(), service))
}

/// Waits until sound can flow; false when the call ended before.
async fn established(call: &mut Call) -> bool {
    loop {
        match call.next_event().await {
            Some(CallEvent::Established) => return true,
            Some(CallEvent::Ended(_)) | None => return false,
            Some(_) => {}
        }
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
        biased;
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
        let table = HashMap::from([(String::from("*43"), Service::Echo)]);
        let find = |uri: &str| find(&table, "0123", &uri.parse().unwrap()).is_some();
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
