//! Voicemail: one number takes messages, another plays them.
//!
//! For whom a message is, the proxy says in the Request-URI of the INVITE that it diverts here (`target`, RFC 4458), so
//! no mailbox has to be dialled. Who listens is the account that calls: the proxy has checked its password.

use super::sound::Prompt;
use super::stage::{Stage, stage};
use super::{Services, established};
use crate::event::PbxEvent;
use crate::mailbox::{MailboxError, MailboxStore, MessageId};
use core::time::Duration;
use sidetone_hal::audio::AudioFormat;
use sidetone_media::tone::{Part, Tone};
use sidetone_media::wav::{Recorder, RecorderConfig, Sound};
use sidetone_sip_core::{StatusCode, Uri};
use sidetone_sip_ua::{Call, CallEvent, Error, IncomingCall};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// How messages are taken.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct VoicemailConfig {
    /// Heard before the tone; none for the tone alone.
    pub greeting: Option<Prompt>,
    /// The longest message. Default 3 minutes; 10 minutes at most.
    pub longest: Duration,
    /// Shorter ones are not kept: somebody hung up at the tone. Default 1 s.
    pub shortest: Duration,
}

impl Default for VoicemailConfig {
    fn default() -> Self {
        Self { greeting: None, longest: Duration::from_secs(180), shortest: Duration::from_secs(1) }
    }
}

/// The longest message that a configuration can ask for.
pub(super) const LONGEST: Duration = Duration::from_secs(600);
/// Speak after this.
const BEEP: Tone = Tone { parts: &[Part { hertz: &[1000.0], millis: 800 }], once: true };
/// No new message.
const NOTHING: Tone = Tone {
    parts: &[Part { hertz: &[480.0, 620.0], millis: 250 }, Part { hertz: &[], millis: 250 }],
    once: true,
};
/// The message is over: what now?
const NEXT: Tone = Tone { parts: &[Part { hertz: &[660.0], millis: 120 }], once: true };
/// Sound goes to the store so often.
pub(super) const WRITE_EVERY: Duration = Duration::from_millis(200);
/// How long a key is waited for after a message.
const KEY_WAIT: Duration = Duration::from_secs(5);
/// Between an answer and the first sound: the caller's way of sound is open then.
const SETTLE: Duration = Duration::from_millis(300);

/// Takes a message for whom the call was.
pub(super) async fn take(
    services: Arc<Services>,
    config: &VoicemailConfig,
    incoming: IncomingCall,
) -> Result<(), Error> {
    let Some(mailbox) = mailbox_of(incoming.uri()) else {
        return incoming.reject(StatusCode::NOT_FOUND).await;
    };
    let from = incoming.from().uri.user().map(|user| user.into_owned()).unwrap_or_default();
    let (stage, port) = stage(AudioFormat::NARROWBAND);
    let mut call = incoming.answer(port).await?;
    if !established(&mut call).await {
        return Ok(());
    }
    tokio::time::sleep(SETTLE).await;
    if let Some(greeting) = &config.greeting {
        // A key skips it.
        hear(&mut call, &stage, stage.sound(greeting.sound())).await;
    }
    let mut message = match Message::new(&services, &mailbox, &from, samples(config.shortest)).await {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!(mailbox, %error, "no message can be left");
            hear(&mut call, &stage, stage.tone(NOTHING)).await;
            return Ok(());
        }
    };
    if matches!(hear(&mut call, &stage, stage.tone(BEEP)).await, Heard::HungUp) {
        return Ok(());
    }
    stage.record(Recorder::new(RecorderConfig::new(AudioFormat::NARROWBAND.sample_rate)));
    let longest = tokio::time::sleep(config.longest.min(LONGEST));
    tokio::pin!(longest);
    let mut every = tokio::time::interval(WRITE_EVERY);
    let hung_up = loop {
        tokio::select! {
            biased;
            () = &mut longest => break false,
            _ = every.tick() => {
                if message.write(&stage).await.is_err() {
                    break false;
                }
            }
            event = call.next_event() => match event {
                Some(CallEvent::Dtmf('#')) => break false,
                Some(CallEvent::Ended(_)) | None => break true,
                Some(_) => {}
            },
        }
    };
    message.keep(&stage).await;
    if !hung_up {
        hear(&mut call, &stage, stage.tone(Tone::CONFIRMATION)).await;
    }
    Ok(())
}

/// A message that is being taken; it is thrown away unless it is kept.
pub(super) struct Message {
    services: Arc<Services>,
    mailbox: String,
    from: String,
    id: MessageId,
    kept: bool,
    /// Samples that a message has at least.
    shortest: u64,
}

impl Message {
    async fn new(
        services: &Arc<Services>,
        mailbox: &str,
        from: &str,
        shortest: u64,
    ) -> Result<Self, MailboxError> {
        let (owner, sender): (String, String) = (mailbox.into(), from.into());
        let begin = move |store: &dyn MailboxStore| store.begin(&owner, &sender, now());
        let id = blocking(Arc::clone(&services.mailboxes), begin).await?;
        let (services, mailbox, from) = (Arc::clone(services), mailbox.into(), from.into());
        Ok(Self { services, mailbox, from, id, kept: false, shortest })
    }

    /// What is heard at a stage from now on becomes a message, however short.
    pub(super) async fn begin(
        services: &Arc<Services>,
        mailbox: &str,
        from: &str,
        stage: &Stage,
    ) -> Result<Self, MailboxError> {
        let message = Self::new(services, mailbox, from, 0).await?;
        stage.record(Recorder::new(RecorderConfig::new(stage.rate())));
        Ok(message)
    }

    /// Writes what was recorded so far. Losing sound is said by the recorder, losing the disk ends the message.
    pub(super) async fn write(&self, stage: &Stage) -> Result<(), MailboxError> {
        while let Some(Some((offset, octets, header))) = stage.with_recorder(|recorder| {
            recorder.poll_write().map(|write| (write.offset, write.octets.to_vec(), write.header))
        }) {
            let count = octets.len();
            let (mailbox, id) = (self.mailbox.clone(), self.id);
            let write = move |store: &dyn MailboxStore| store.write(&mailbox, id, offset, &octets, header);
            if let Err(error) = blocking(Arc::clone(&self.services.mailboxes), write).await {
                tracing::warn!(mailbox = self.mailbox, %error, "a message is cut off");
                stage.with_recorder(Recorder::failed);
                return Err(error);
            }
            stage.with_recorder(|recorder| recorder.written(count));
        }
        Ok(())
    }

    pub(super) async fn keep(&mut self, stage: &Stage) {
        stage.with_recorder(Recorder::finish);
        // What could be written is a message.
        self.write(stage).await.ok();
        let octets = stage.with_recorder(|recorder| recorder.stats().octets).unwrap_or(0);
        if u64::from(octets) / 2 < self.shortest {
            return;
        }
        let (mailbox, id) = (self.mailbox.clone(), self.id);
        let finish = move |store: &dyn MailboxStore| store.finish(&mailbox, id);
        match blocking(Arc::clone(&self.services.mailboxes), finish).await {
            Ok(()) => {
                self.kept = true;
                let (mailbox, from) = (self.mailbox.clone(), self.from.clone());
                self.services.tell(PbxEvent::MessageLeft { mailbox: mailbox.clone(), from });
                self.services.tell_counts(&mailbox);
            }
            Err(error) => tracing::warn!(mailbox = self.mailbox, %error, "a message is lost"),
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (store, mailbox, id) = (Arc::clone(&self.services.mailboxes), self.mailbox.clone(), self.id);
        if !store.blocks() {
            // It is gone already where that fails.
            store.delete(&mailbox, id).ok();
            return;
        }
        // Without a runtime the store finds it when it is opened again.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || store.delete(&mailbox, id).ok());
        }
    }
}

/// Plays the caller's messages, new ones first: `1` again, `3` delete, `#` the next one, `*` the one before.
pub(super) async fn listen(services: Arc<Services>, incoming: IncomingCall) -> Result<(), Error> {
    let Some(mailbox) = incoming.from().uri.user().map(|user| user.into_owned()) else {
        return incoming.reject(StatusCode::FORBIDDEN).await;
    };
    let (stage, port) = stage(AudioFormat::NARROWBAND);
    let mut call = incoming.answer(port).await?;
    if !established(&mut call).await {
        return Ok(());
    }
    tokio::time::sleep(SETTLE).await;
    let mut messages = services.mailboxes.messages(&mailbox);
    // A stable sort: the oldest of each kind stays first.
    messages.sort_by_key(|message| message.heard);
    if messages.is_empty() {
        hear(&mut call, &stage, stage.tone(NOTHING)).await;
        return Ok(());
    }
    let mut at = 0;
    while let Some((id, known)) = messages.get(at).map(|message| (message.id, message.heard)) {
        let store = Arc::clone(&services.mailboxes);
        let name = mailbox.clone();
        let sound = match blocking(store, move |store| store.sound(&name, id)).await {
            Ok(sound) => sound,
            Err(error) => {
                // Deleted by somebody else meanwhile, or the disk.
                tracing::warn!(mailbox, %error, "a message cannot be played");
                messages.remove(at);
                continue;
            }
        };
        match play(&mut call, &stage, sound).await {
            None => return Ok(()),
            Some('1') => {}
            Some('3') => {
                let name = mailbox.clone();
                let delete = move |store: &dyn MailboxStore| store.delete(&name, id);
                if blocking(Arc::clone(&services.mailboxes), delete).await.is_ok() {
                    services.tell_counts(&mailbox);
                }
                messages.remove(at);
                if matches!(hear(&mut call, &stage, stage.tone(Tone::CONFIRMATION)).await, Heard::HungUp) {
                    return Ok(());
                }
            }
            Some(key) => {
                let name = mailbox.clone();
                let heard = move |store: &dyn MailboxStore| store.set_heard(&name, id, true);
                if !known && blocking(Arc::clone(&services.mailboxes), heard).await.is_ok() {
                    services.tell_counts(&mailbox);
                    messages
                        .iter_mut()
                        .filter(|message| message.id == id)
                        .for_each(|message| message.heard = true);
                }
                at = if key == '*' { at.saturating_sub(1) } else { at + 1 };
            }
        }
    }
    hear(&mut call, &stage, stage.tone(NOTHING)).await;
    Ok(())
}

/// Plays a message and gives the key that was pressed: `#` when none was in time. `None` when the caller is gone.
async fn play(call: &mut Call, stage: &Stage, sound: Sound) -> Option<char> {
    for source in [stage.sound(sound), stage.tone(NEXT)] {
        match hear(call, stage, source).await {
            Heard::Key(key) => return Some(key),
            Heard::HungUp => return None,
            Heard::All => {}
        }
    }
    let key = async {
        loop {
            match call.next_event().await {
                Some(CallEvent::Dtmf(key @ ('1' | '3' | '#' | '*'))) => return Some(key),
                Some(CallEvent::Ended(_)) | None => return None,
                Some(_) => {}
            }
        }
    };
    tokio::time::timeout(KEY_WAIT, key).await.unwrap_or(Some('#'))
}

pub(super) enum Heard {
    All,
    Key(char),
    HungUp,
}

/// Plays to the end, until a key that means something, or until the caller is gone.
pub(super) async fn hear(call: &mut Call, stage: &Stage, source: super::stage::Source) -> Heard {
    let heard = {
        let play = stage.play(source);
        tokio::pin!(play);
        loop {
            tokio::select! {
                biased;
                () = &mut play => break Heard::All,
                event = call.next_event() => match event {
                    Some(CallEvent::Dtmf(key @ ('1' | '3' | '#' | '*'))) => break Heard::Key(key),
                    Some(CallEvent::Ended(_)) | None => break Heard::HungUp,
                    Some(_) => {}
                },
            }
        }
    };
    stage.stop();
    heard
}

/// The user whose call was diverted here.
fn mailbox_of(uri: &Uri) -> Option<String> {
    let target = Uri::parse(unescape(uri.param("target")??)?).ok()?;
    target.user().filter(|user| !user.is_empty()).map(|user| user.into_owned())
}

/// A URI's parameter without its escapes (RFC 3261 §25.1).
pub(super) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

/// Works with the store where a disk may be waited for.
async fn blocking<T: Send + 'static>(
    store: Arc<dyn MailboxStore>,
    work: impl FnOnce(&dyn MailboxStore) -> Result<T, MailboxError> + Send + 'static,
) -> Result<T, MailboxError> {
    if !store.blocks() {
        return work(&*store);
    }
    match tokio::task::spawn_blocking(move || work(&*store)).await {
        Ok(result) => result,
        Err(error) => Err(std::io::Error::other(error).into()),
    }
}

fn samples(time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    millis.saturating_mul(u64::from(AudioFormat::NARROWBAND.sample_rate)) / 1000
}

#[expect(clippy::disallowed_methods, reason = "a message says when it was left, by the calendar")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mailbox_is_that_of_whom_the_call_was_for() {
        let mailbox = |uri: &str| mailbox_of(&uri.parse().unwrap());
        assert_eq!(mailbox("sip:*98@10.0.0.1;target=sip:bob%40pbx;cause=486").as_deref(), Some("bob"));
        for uri in ["sip:*98@10.0.0.1", "sip:*98@10.0.0.1;target", "sip:*98@10.0.0.1;target=sip:pbx"] {
            assert_eq!(mailbox(uri), None, "{uri}");
        }
    }
}
