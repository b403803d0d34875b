//! The audio of one call: its negotiator, the media task, hold both ways.

use super::Error;
use super::call::{CallEvent, CallEventSender};
use super::command::Reply;
use super::media::{self, MediaCommand, MediaParts};
use crate::{CallId, CommandError};
use sidetone_media::Negotiated;
use sidetone_media::dtmf::DtmfCall;
use sidetone_media::sdp::{Direction, Negotiator};
use sidetone_sip_core::StatusCode;
use std::boxed::Box;
use tokio::sync::mpsc;

/// The audio of a call.
pub(super) struct Audio {
    pub(super) negotiator: Negotiator,
    /// What the media task is made from, until it runs.
    parts: Option<MediaParts>,
    task: Option<mpsc::Sender<MediaCommand>>,
    agreed: Option<Agreed>,
    /// Whether we hold the other side.
    held: bool,
    /// Whether the other side holds us.
    remote_hold: bool,
    /// A change of ours that is not agreed on yet.
    change: Option<Change>,
    /// New keys are due once the change under way is over.
    rekey: bool,
}

/// What the last agreement means for key presses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed {
    /// The other side takes telephone events.
    pub(super) events: bool,
    /// Tones in the speech arrive as such.
    pub(super) tones: bool,
}

/// An offer of ours under way.
enum Change {
    /// To hold or to resume.
    Hold { hold: bool, reply: Reply<()> },
    /// To have new keys.
    Keys,
    /// To describe the session again ourselves, after a music server did.
    Again,
}

impl Audio {
    pub(super) fn new(negotiator: Negotiator, parts: MediaParts) -> Self {
        Self {
            negotiator,
            parts: Some(parts),
            task: None,
            agreed: None,
            held: false,
            remote_hold: false,
            change: None,
            rekey: false,
        }
    }

    /// Whether a codec is agreed on and sound may flow.
    pub(super) const fn is_running(&self) -> bool {
        self.task.is_some()
    }

    /// What the last agreement means for key presses; none before there is one.
    pub(super) const fn agreed(&self) -> Option<Agreed> {
        self.agreed
    }

    /// Takes an agreement: starts the media task, or tells it; tells the user when the other side holds or resumes.
    pub(super) fn agree(&mut self, call: CallId, negotiated: Negotiated, events: &CallEventSender) {
        let remote_hold = negotiated.remote_hold;
        self.agreed = Some(Agreed {
            events: negotiated.dtmf_payload_type.is_some(),
            tones: DtmfCall::passes_tones(negotiated.codec),
        });
        if let Some(parts) = self.parts.take() {
            self.task = Some(media::start(parts, call, negotiated, events.clone()));
        } else {
            self.tell(MediaCommand::Update { negotiated: Box::new(negotiated), held: self.held });
        }
        if remote_hold != self.remote_hold {
            self.remote_hold = remote_hold;
            events.send(if remote_hold { CallEvent::RemoteHold } else { CallEvent::RemoteResume });
        }
    }

    /// What we want of the stream: all of it, or what hold leaves (RFC 3264 §8.4).
    pub(super) fn wanted(&self) -> Direction {
        direction(self.held)
    }

    /// The user wants to hold or resume; the offer to make for it, if one is to be made.
    pub(super) fn begin_change(&mut self, hold: bool, reply: Reply<()>) -> Option<bytes::Bytes> {
        if self.change.is_some() {
            reply.send(Err(CommandError::OfferPending.into())).ok();
            return None;
        }
        if self.held == hold {
            reply.send(Ok(())).ok();
            return None;
        }
        self.change = Some(Change::Hold { hold, reply });
        self.offer_change()
    }

    /// The keys come to their end: the offer of new ones, or none if it must wait.
    pub(super) fn begin_rekey(&mut self) -> Option<bytes::Bytes> {
        // By DTLS there are new ones by a new association alone; a call would have to last for years.
        self.negotiator.current()?.srtp.as_ref()?;
        if self.change.is_some() {
            self.rekey = true;
            return None;
        }
        self.negotiator.rekey();
        self.change = Some(Change::Keys);
        self.offer_change()
    }

    /// The offer of new keys that had to wait for another change, once that is over.
    pub(super) fn rekey_due(&mut self) -> Option<bytes::Bytes> {
        let due = self.rekey && self.change.is_none();
        self.rekey &= !due;
        if due { self.begin_rekey() } else { None }
    }

    /// The offer for the change under way.
    pub(super) fn offer_change(&mut self) -> Option<bytes::Bytes> {
        let hold = match self.change.as_ref()? {
            Change::Hold { hold, .. } => *hold,
            Change::Keys | Change::Again => self.held,
        };
        Some(self.negotiator.offer(direction(hold)).into())
    }

    /// The other side agreed to the offer under way. Says whether it is held now and was not before.
    pub(super) fn change_agreed(
        &mut self,
        call: CallId,
        negotiated: Negotiated,
        events: &CallEventSender,
    ) -> bool {
        let change = self.change.take();
        if let Some(Change::Hold { hold, .. }) = &change {
            self.held = *hold;
        }
        self.agree(call, negotiated, events);
        if let Some(Change::Hold { hold, reply }) = change {
            events.send(if hold { CallEvent::Held } else { CallEvent::Resumed });
            reply.send(Ok(())).ok();
            return hold;
        }
        false
    }

    /// The offer under way came to nothing; `waits` when it will be made again.
    pub(super) fn change_failed(&mut self, status: StatusCode, waits: bool) {
        self.negotiator.rollback();
        if waits {
            return;
        }
        match self.change.take() {
            Some(Change::Hold { reply, .. }) => drop(reply.send(Err(Error::Refused(status)))),
            Some(Change::Keys) => tracing::warn!(?status, "the other side refused new keys"),
            Some(Change::Again) => tracing::warn!(?status, "the other side goes on as the music server said"),
            None => {}
        }
    }

    /// Whether we hold the other side, and nothing is about to change that.
    pub(super) const fn is_held(&self) -> bool {
        self.held && self.change.is_none()
    }

    /// A music server sends to the other side in our place: nothing comes from here meanwhile.
    pub(super) fn stand_aside(&self) {
        if let Some(mut negotiated) = self.negotiator.current().cloned() {
            negotiated.direction = Direction::Inactive;
            self.tell(MediaCommand::Update { negotiated: Box::new(negotiated), held: true });
        }
    }

    /// The session is described by us again; the offer for it, unless another is on its way that does it.
    pub(super) fn begin_again(&mut self) -> Option<bytes::Bytes> {
        if self.change.is_some() {
            return None;
        }
        self.change = Some(Change::Again);
        self.offer_change()
    }

    /// The handshake begins again.
    #[cfg(feature = "dtls")]
    pub(super) fn restart_keying(&self) {
        self.tell(MediaCommand::RestartKeying);
    }

    /// The call is over; the media task ends with this.
    pub(super) fn end(self) {
        if let Some(Change::Hold { reply, .. }) = self.change {
            reply.send(Err(CommandError::NoSuchCall.into())).ok();
        }
    }

    /// Hands the media task, if it runs, what nobody waits for.
    fn tell(&self, command: MediaCommand) {
        if let Some(task) = &self.task
            && let Err(error) = task.try_send(command)
        {
            tracing::warn!(%error, "media command dropped");
        }
    }

    /// Hands a command to the media task.
    pub(super) fn command<T>(&self, reply: Reply<T>, command: impl FnOnce(Reply<T>) -> MediaCommand) {
        match &self.task {
            Some(task) => {
                // A command that does not fit drops its reply, which the caller sees as an end.
                if let Err(error) = task.try_send(command(reply)) {
                    tracing::debug!(%error, "media command dropped");
                }
            }
            None => {
                reply.send(Err(Error::NoMedia)).ok();
            }
        }
    }
}

const fn direction(held: bool) -> Direction {
    if held { Direction::SendOnly } else { Direction::SendRecv }
}
