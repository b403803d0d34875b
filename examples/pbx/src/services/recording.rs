//! Callers who have a call recorded: an INFO with the header `Record` (Dinstar and Yealink telephones). The recording becomes
//! a message in the caller's own mailbox.

use super::Services;
use super::stage::Stage;
use super::voicemail::{LONGEST, Message};
use hashbrown::HashMap;
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::feature::recording::asked;
use sidetone_sip_ua::{Call, CallEvent, CallId, ReceivedRequest};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// The calls of one user agent that can be recorded.
#[derive(Default)]
pub(crate) struct Recordables {
    calls: Mutex<HashMap<CallId, mpsc::Sender<Order>>>,
}

/// What a caller wants.
struct Order {
    on: bool,
    done: oneshot::Sender<StatusCode>,
}

/// A call among those that can be recorded; it leaves when this is dropped.
struct Place<'a> {
    recordables: &'a Recordables,
    call: CallId,
}

/// A recording that goes on.
struct Recording {
    message: Message,
    until: Instant,
}

impl Recordables {
    /// Answers a request within a call.
    pub(super) async fn answer(self: Arc<Self>, received: ReceivedRequest) {
        let status = match asked(&received.request().headers) {
            None => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Some(on) => {
                let call = received.call().and_then(|call| self.lock().get(&call).cloned());
                let (done, outcome) = oneshot::channel();
                match call {
                    Some(call) if call.send(Order { on, done }).await.is_ok() => {
                        outcome.await.unwrap_or(StatusCode::CALL_DOES_NOT_EXIST)
                    }
                    _ => StatusCode::NOT_IMPLEMENTED,
                }
            }
        };
        if let Err(error) = received.respond(status).await {
            tracing::debug!(%error, "a request within a call");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallId, mpsc::Sender<Order>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.recordables.lock().remove(&self.call);
    }
}

/// Waits for the end of a call, and records what its caller hears and the others say when the caller wants that.
/// `number` is what was called.
pub(super) async fn attend(
    services: &Arc<Services>,
    recordables: &Recordables,
    mut call: Call,
    stage: &Stage,
    number: &str,
) {
    let (orders, mut ordered) = mpsc::channel(1);
    recordables.lock().insert(call.id(), orders);
    let _place = Place { recordables, call: call.id() };
    let mailbox = call.remote().uri.user().map(|user| user.into_owned());
    let mut recording: Option<Recording> = None;
    let mut every = tokio::time::interval(super::voicemail::WRITE_EVERY);
    loop {
        tokio::select! {
            biased;
            event = call.next_event() => {
                if matches!(event, Some(CallEvent::Ended(_)) | None) {
                    break;
                }
            }
            Some(Order { on, done }) = ordered.recv() => {
                let status = match (on, &mailbox) {
                    (true, Some(mailbox)) if recording.is_none() => {
                        match Message::begin(services, mailbox, number, stage).await {
                            Ok(message) => {
                                recording = Some(Recording { message, until: now() + LONGEST });
                                StatusCode::OK
                            }
                            Err(error) => {
                                tracing::warn!(mailbox, %error, "no recording");
                                StatusCode::TEMPORARILY_UNAVAILABLE
                            }
                        }
                    }
                    (true, None) => StatusCode::FORBIDDEN,
                    (true, Some(_)) => StatusCode::OK,
                    (false, _) => {
                        keep(&mut recording, stage).await;
                        StatusCode::OK
                    }
                };
                // Whoever asked may be gone.
                done.send(status).ok();
            }
            _ = every.tick(), if recording.is_some() => {
                let over = match &recording {
                    Some(Recording { message, until }) => message.write(stage).await.is_err() || *until <= now(),
                    None => false,
                };
                if over {
                    keep(&mut recording, stage).await;
                }
            }
        }
    }
    keep(&mut recording, stage).await;
}

async fn keep(recording: &mut Option<Recording>, stage: &Stage) {
    if let Some(mut recording) = recording.take() {
        recording.message.keep(stage).await;
        stage.end_recording();
    }
}

#[expect(clippy::disallowed_methods, reason = "the driver's clock")]
fn now() -> Instant {
    Instant::now()
}
