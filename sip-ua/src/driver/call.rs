//! The handles of a call.

use super::Error;
use super::command::{Command, Reply};
use super::features::{Dropped, work_now};
use crate::feature::cause::EndReason;
use crate::{AccountId, CallId, EndCause, Refusal, RemoteIdentity};
use core::ops::Deref;
use sidetone_sip_core::header::Contact;
use sidetone_sip_core::{Headers, NameAddr, Source, StatusCode, Uri};
use std::boxed::Box;
use std::sync::{Arc, OnceLock};
use std::vec::Vec;
use tokio::sync::{mpsc, oneshot};

/// What happens to a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CallEvent {
    /// The other side rings, or plays something before it answers: `INVITE` – `180`, `183` and the like
    /// ([`Event::Progress`](crate::Event::Progress)).
    Ringing {
        /// Whether sound from the other side is already heard; without it the caller should hear a ring-back tone.
        early_media: bool,
    },
    /// The call is answered, and sound flows both ways: `INVITE` – `2xx` – `ACK`, and a codec was agreed on.
    Established,
    /// The other side put us on hold: re-INVITE or `UPDATE` with `sendonly`, `inactive` or the address 0.0.0.0 – our `200`.
    RemoteHold,
    /// The other side took us back: re-INVITE or `UPDATE` with `sendrecv` – our `200`.
    RemoteResume,
    /// Our hold took effect: re-INVITE with `sendonly` – `200` – `ACK`.
    Held,
    /// Our resume took effect: re-INVITE with `sendrecv` – `200` – `ACK`.
    Resumed,
    /// A music server plays to the other side while we hold it (`true`), or does not any more.
    MusicOnHold(bool),
    /// The other side pressed a key, and let it go: told by an RFC 4733 event, an INFO, or a tone in the speech.
    Dtmf(char),
    /// How far a transfer that we asked for is: `REFER` – `2xx`, then each `NOTIFY`
    /// ([`ReferProgress`](crate::ReferProgress)). Nothing to do about it: [`CallHandle::transfer`] sees to the rest.
    Transfer(crate::ReferProgress),
    /// The other side sends the call elsewhere: `INVITE` – `3xx` ([`Event::Redirected`](crate::Event::Redirected)).
    Redirected {
        /// Who is called next, in this order, each when the one before did not take the call.
        targets: Vec<Uri>,
        /// Whether it waits for [`CallHandle::follow_redirect`], as the account's settings say.
        ask: bool,
    },
    /// The other side is somebody else than before, or the network says who it is
    /// ([`Event::RemoteIdentity`](crate::Event::RemoteIdentity)).
    RemoteIdentity(Box<RemoteIdentity>),
    /// The call is over: the last event ([`Event::Ended`](crate::Event::Ended)).
    Ended(EndCause),
}

/// What a call's handles are made from.
pub(super) struct NewCall {
    pub(super) id: CallId,
    pub(super) account: Option<AccountId>,
    pub(super) remote: NameAddr,
    pub(super) events: CallEvents,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) dropped: mpsc::UnboundedSender<Dropped>,
}

/// What is known once a call is over.
#[derive(Debug, Default)]
struct Outcome {
    cause: OnceLock<EndCause>,
    #[cfg(feature = "media")]
    stats: OnceLock<sidetone_media::StreamStats>,
}

/// The receiving end of a call's events: a bounded queue, and a cell for the cause, which no full queue can lose.
#[derive(Debug)]
pub(super) struct CallEvents {
    queue: mpsc::Receiver<CallEvent>,
    outcome: Arc<Outcome>,
    told: bool,
}

/// The sending end.
#[derive(Clone, Debug)]
pub(super) struct CallEventSender {
    queue: mpsc::Sender<CallEvent>,
    outcome: Arc<Outcome>,
}

/// Events that wait for a slow reader. What comes when it is full is dropped, except how the call ended.
const QUEUED_EVENTS: usize = 64;

pub(super) fn event_channel() -> (CallEventSender, CallEvents) {
    let (sender, queue) = mpsc::channel(QUEUED_EVENTS);
    let outcome = Arc::<Outcome>::default();
    (CallEventSender { queue: sender, outcome: outcome.clone() }, CallEvents { queue, outcome, told: false })
}

impl CallEventSender {
    pub(super) fn send(&self, event: CallEvent) {
        if let Err(error) = self.queue.try_send(event) {
            tracing::debug!(%error, "call event dropped");
        }
    }

    /// Ends the stream of events; every sender must be dropped for the reader to see it.
    pub(super) fn end(&self, cause: EndCause) {
        if self.outcome.cause.set(cause).is_err() {
            tracing::debug!("a call ended twice");
        }
    }

    /// Keeps the stream's last counters, which then outlive it.
    #[cfg(feature = "media")]
    pub(super) fn media_ended(&self, stats: sidetone_media::StreamStats) {
        if self.outcome.stats.set(stats).is_err() {
            tracing::debug!("a call's media ended twice");
        }
    }
}

impl CallEvents {
    async fn next(&mut self) -> Option<CallEvent> {
        if self.told {
            return None;
        }
        if let Some(event) = self.queue.recv().await {
            return Some(event);
        }
        self.told = true;
        self.outcome.cause.get().cloned().map(CallEvent::Ended)
    }
}

/// A call. Dropping it hangs up.
#[derive(Debug)]
pub struct Call {
    handle: CallHandle,
    events: CallEvents,
    dropped: mpsc::UnboundedSender<Dropped>,
}

/// The commands of a call, to be cloned and given away. Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct CallHandle {
    id: CallId,
    account: Option<AccountId>,
    remote: Arc<NameAddr>,
    commands: mpsc::Sender<Command>,
    #[cfg(feature = "media")]
    outcome: Arc<Outcome>,
}

impl Call {
    pub(super) fn new(new: NewCall) -> Self {
        let NewCall { id, account, remote, events, commands, dropped } = new;
        let handle = CallHandle {
            id,
            account,
            remote: Arc::new(remote),
            commands,
            #[cfg(feature = "media")]
            outcome: events.outcome.clone(),
        };
        Self { handle, events, dropped }
    }

    /// The next thing that happens; after [`CallEvent::Ended`], `None`. Cancel-safe.
    pub async fn next_event(&mut self) -> Option<CallEvent> {
        self.events.next().await
    }

    /// A handle for the commands alone.
    #[must_use]
    pub fn handle(&self) -> CallHandle {
        self.handle.clone()
    }
}

impl Deref for Call {
    type Target = CallHandle;

    fn deref(&self) -> &CallHandle {
        &self.handle
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // The task may have ended before: then there is no call to hang up.
        self.dropped.send(Dropped::Call(self.handle.id)).ok();
    }
}

impl CallHandle {
    /// The call's name within its user agent.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.id
    }

    /// The account that the call is made from or came to.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// The other side: as dialled, or as its From header says.
    #[must_use]
    pub fn remote(&self) -> &NameAddr {
        &self.remote
    }

    /// Ends the call: cancels it, or hangs up. [`CallEvent::Ended`] follows at once.
    ///
    /// # Errors
    /// [`Error::Command`] when it is over already, [`Error::Closed`].
    pub async fn hangup(&self) -> Result<(), Error> {
        self.ask(|call, reply| Command::Hangup { call, reply }).await
    }

    /// Calls whom [`CallEvent::Redirected`] named, where it asked. [`hangup`](Self::hangup) ends the call instead.
    ///
    /// # Errors
    /// [`Error::Command`] when nothing was asked or the call is over, [`Error::Closed`].
    pub async fn follow_redirect(&self) -> Result<(), Error> {
        let call = self.id;
        work_now(&self.commands, move |task, now| Ok(task.agent.follow_redirect(now, call)?)).await
    }

    /// The same; the other side is told why by Reason headers (RFC 3326), so that who rings knows whether it missed a call.
    ///
    /// # Errors
    /// As [`CallHandle::hangup`].
    pub async fn hangup_because(&self, reason: EndReason) -> Result<(), Error> {
        let call = self.id;
        work_now(&self.commands, move |task, now| {
            task.agent.hangup_because(now, call, reason).map_err(Error::from)
        })
        .await
    }

    /// Puts the other side on hold and waits until it knows (RFC 3264 §8.4). When both sides change the session at the
    /// same moment this takes a few seconds longer (RFC 3261 §14.1).
    ///
    /// # Errors
    /// [`Error::Refused`] when the other side does not accept it, [`Error::Command`], [`Error::Closed`].
    #[cfg(feature = "media")]
    pub async fn hold(&self) -> Result<(), Error> {
        self.ask(|call, reply| Command::Hold { call, hold: true, reply }).await
    }

    /// Gives its re-INVITEs further headers from now on: those of [`CallHandle::hold`] and [`CallHandle::resume`] that
    /// follow, in place of those of an earlier call of this.
    ///
    /// # Errors
    /// [`Error::Command`] when it is over already, [`Error::Closed`].
    pub async fn set_offer_headers(&self, headers: Headers) -> Result<(), Error> {
        let call = self.id;
        work_now(&self.commands, move |task, _| {
            task.agent.set_offer_headers(call, headers).map_err(Error::from)
        })
        .await
    }

    /// Takes the other side back from hold.
    ///
    /// # Errors
    /// As [`CallHandle::hold`].
    #[cfg(feature = "media")]
    pub async fn resume(&self) -> Result<(), Error> {
        self.ask(|call, reply| Command::Hold { call, hold: false, reply }).await
    }

    /// Sends key presses, one after the other, the way that [`DtmfConfig`](crate::DtmfConfig) and the call leave: as
    /// RFC 4733 events, as tones in the speech, in INFO requests. Those that sound have been queued when this returns;
    /// those in INFO alone have been taken by the other side, which may take seconds. If it refuses an INFO, what is left
    /// sounds in the speech, unless the mode is INFO alone or the codec garbles tones. 32 may wait.
    ///
    /// # Errors
    /// [`Error::Digit`] before any is sent, [`Error::NoMedia`] when the queue is full or the call sends nothing now,
    /// [`Error::Refused`] when the other side takes no INFO and there is no other way (408 is its silence),
    /// [`Error::Command`] when as many INFO requests as may wait do, or the call is over, [`Error::Closed`].
    #[cfg(feature = "media")]
    pub async fn send_dtmf(&self, digits: &str) -> Result<(), Error> {
        if let Some(wrong) = digits.chars().find(|digit| !matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D'))
        {
            return Err(Error::Digit(wrong));
        }
        let digits = std::string::String::from(digits);
        self.ask(|call, reply| Command::Dtmf { call, digits, reply }).await
    }

    /// Gives the call another microphone and ear of the same sample rate, and returns those that it had.
    ///
    /// # Errors
    /// [`Error::NoMedia`] before a codec is agreed, [`Error::SampleRate`], [`Error::Command`] when the call is over,
    /// [`Error::Closed`].
    #[cfg(feature = "media")]
    pub async fn set_audio(
        &self,
        audio: impl sidetone_hal::audio::AudioPort + 'static,
    ) -> Result<Box<dyn sidetone_hal::audio::AudioPort>, Error> {
        self.exchange_audio(Box::new(move |_| Box::new(audio))).await
    }

    /// Processes the microphone's sound in another way from now on, as when the person changes from the handset to the
    /// loudspeaker ([`AudioProcessing::for_path`](sidetone_media::process::AudioProcessing::for_path)).
    ///
    /// # Errors
    /// [`Error::NoMedia`] before a codec is agreed, [`Error::Command`] when the call is over, [`Error::Closed`].
    #[cfg(feature = "media")]
    pub async fn set_audio_processing(
        &self,
        processing: sidetone_media::process::AudioProcessing,
    ) -> Result<(), Error> {
        self.ask(|call, reply| Command::Processing { call, processing, reply }).await
    }

    /// As [`CallHandle::set_audio`]; the port is made when its format is known.
    #[cfg(feature = "media")]
    pub(super) async fn exchange_audio(
        &self,
        make: super::media::MakePort,
    ) -> Result<Box<dyn sidetone_hal::audio::AudioPort>, Error> {
        self.ask(|call, reply| Command::Audio { call, make, reply }).await
    }

    /// What the media stream has counted so far; after [`CallEvent::Ended`], the final figures.
    ///
    /// # Errors
    /// [`Error::NoMedia`] before a codec is agreed, [`Error::Command`] when the call ended without one, [`Error::Closed`].
    #[cfg(feature = "media")]
    pub async fn stats(&self) -> Result<sidetone_media::StreamStats, Error> {
        if let Some(stats) = self.outcome.stats.get() {
            return Ok(*stats);
        }
        self.ask(|call, reply| Command::Stats { call, reply }).await
    }

    /// Whether both are of the same call. Two user agents may give their calls the same names.
    #[cfg(feature = "media")]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.commands.same_channel(&other.commands)
    }

    pub(super) const fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    async fn ask<T>(&self, command: impl FnOnce(CallId, Reply<T>) -> Command) -> Result<T, Error> {
        ask(&self.commands, self.id, command).await
    }
}

async fn ask<T>(
    commands: &mpsc::Sender<Command>,
    call: CallId,
    command: impl FnOnce(CallId, Reply<T>) -> Command,
) -> Result<T, Error> {
    let (reply, answer) = oneshot::channel();
    commands.send(command(call, reply)).await.map_err(|_| Error::Closed)?;
    answer.await.map_err(|_| Error::Closed)?
}

/// A call that waits for our decision. Dropping it rejects it with 480.
#[derive(Debug)]
pub struct IncomingCall {
    /// `None` only once the decision is made.
    call: Option<Call>,
    handle: CallHandle,
    called: Box<Called>,
}

/// Whom an incoming call is for.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) to: NameAddr,
    pub(super) uri: Uri,
    pub(super) replaces: Option<CallId>,
    pub(super) join: Option<CallId>,
    pub(super) headers: Headers,
    pub(super) source: Source,
}

impl IncomingCall {
    pub(super) fn new(new: NewCall, called: Called) -> Self {
        let call = Call::new(new);
        Self { handle: call.handle(), call: Some(call), called: Box::new(called) }
    }

    /// The call's name within its user agent; it stays the same when the call is answered.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.handle.id
    }

    /// The account whose address was called, if one matches.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.handle.account
    }

    /// The caller, as its From header says: not verified.
    #[must_use]
    pub fn from(&self) -> &NameAddr {
        &self.handle.remote
    }

    /// Whom the caller wanted, as the To header says.
    #[must_use]
    pub const fn to(&self) -> &NameAddr {
        &self.called.to
    }

    /// The address that the call arrived at (the Request-URI).
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.called.uri
    }

    /// All headers of the INVITE: Alert-Info, Call-Info, P-Asserted-Identity, Diversion and so on.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.called.headers
    }

    /// Where it came from.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.called.source
    }

    pub(super) const fn commands(&self) -> &mpsc::Sender<Command> {
        &self.handle.commands
    }

    /// The call of ours that this one takes the place of when it is answered (RFC 3891): the end of an attended transfer, or
    /// somebody picks up. It should be answered at once.
    #[must_use]
    pub const fn replaces(&self) -> Option<CallId> {
        self.called.replaces
    }

    /// The call of ours that this one is to be mixed with (RFC 3911), where
    /// [`AgentConfig::join`](crate::AgentConfig::join) is on: somebody barges in.
    #[must_use]
    pub const fn joins(&self) -> Option<CallId> {
        self.called.join
    }

    /// Tells the caller that it rings here (180).
    ///
    /// # Errors
    /// [`Error::Command`] when the caller has given up, [`Error::Closed`].
    pub async fn ring(&self) -> Result<(), Error> {
        ask(&self.handle.commands, self.id(), |call, reply| Command::Ring { call, reply }).await
    }

    /// Waits until the caller gives up, or nobody decided in time, and says why. Cancel-safe.
    pub async fn ended(&mut self) -> Option<EndCause> {
        loop {
            match self.call.as_mut()?.next_event().await? {
                CallEvent::Ended(cause) => return Some(cause),
                _ => continue,
            }
        }
    }

    /// Answers with this sound device.
    ///
    /// # Errors
    /// [`Error::Command`] when the caller has given up, [`Error::Sdp`] when no codec is common (the call is then rejected
    /// with 488), [`Error::SampleRate`], [`Error::Io`], [`Error::Closed`].
    #[cfg(feature = "media")]
    pub async fn answer(
        mut self,
        audio: impl sidetone_hal::audio::AudioPort + 'static,
    ) -> Result<Call, Error> {
        let audio = Box::new(audio);
        ask(&self.handle.commands, self.id(), |call, reply| Command::Answer { call, audio, reply }).await?;
        self.call.take().ok_or(Error::Closed)
    }

    /// Refuses the call: 486 Busy Here, 603 Decline, and so on.
    ///
    /// # Errors
    /// [`Error::Command`] when the caller has given up or `status` is below 300, [`Error::Closed`].
    pub async fn reject(self, status: StatusCode) -> Result<(), Error> {
        self.reject_with(status.into()).await
    }

    /// Refuses with further headers: Retry-After, Reason, the Contact of a 302.
    ///
    /// # Errors
    /// As [`IncomingCall::reject`].
    pub async fn reject_with(self, refusal: Refusal) -> Result<(), Error> {
        ask(&self.handle.commands, self.id(), |call, reply| Command::Reject { call, refusal, reply }).await
    }

    /// Sends the caller elsewhere: 302 with this Contact (RFC 3261 §21.3.3).
    ///
    /// # Errors
    /// As [`IncomingCall::reject`].
    pub async fn redirect(self, to: Uri) -> Result<(), Error> {
        let mut headers = Headers::new();
        headers.push(&Contact::new(to));
        self.reject_with(Refusal::from(StatusCode::MOVED_TEMPORARILY).with_headers(headers)).await
    }
}
