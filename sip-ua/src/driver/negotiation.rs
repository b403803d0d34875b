//! The audio of one call: its negotiator, the media task, hold both ways.

use super::Error;
use super::call::{CallEvent, CallEventSender};
use super::command::Reply;
use super::media::{self, MediaCommand};
use super::ports::Ports;
use crate::CommandError;
use sidetone_hal::audio::AudioPort;
use sidetone_hal::rng::Rng;
use sidetone_media::Negotiated;
use sidetone_media::sdp::{Direction, Negotiator};
use sidetone_sip_core::StatusCode;
use std::boxed::Box;
use tokio::sync::mpsc;

/// The audio of a call.
pub(super) struct Audio {
    pub(super) negotiator: Negotiator,
    /// What the media task is made from, until it runs.
    parts: Option<(Ports, Box<dyn AudioPort>, Rng)>,
    task: Option<mpsc::Sender<MediaCommand>>,
    /// Whether we hold the other side.
    held: bool,
    /// Whether the other side holds us.
    remote_hold: bool,
    /// A change of ours that is not agreed on yet.
    change: Option<Change>,
}

/// A hold or resume under way.
struct Change {
    hold: bool,
    reply: Reply<()>,
}

impl Audio {
    pub(super) fn new(negotiator: Negotiator, ports: Ports, port: Box<dyn AudioPort>, rng: Rng) -> Self {
        let parts = Some((ports, port, rng));
        Self { negotiator, parts, task: None, held: false, remote_hold: false, change: None }
    }

    /// Whether a codec is agreed on and sound may flow.
    pub(super) const fn is_running(&self) -> bool {
        self.task.is_some()
    }

    /// Takes an agreement: starts the media task, or tells it; tells the user when the other side holds or resumes.
    pub(super) fn agree(&mut self, negotiated: Negotiated, events: &CallEventSender) {
        let remote_hold = negotiated.remote_hold;
        if let Some((ports, audio, rng)) = self.parts.take() {
            self.task = Some(media::start(ports, audio, negotiated, rng, events.clone()));
        } else if let Some(task) = &self.task {
            let update = MediaCommand::Update { negotiated: Box::new(negotiated), held: self.held };
            if let Err(error) = task.try_send(update) {
                tracing::warn!(%error, "media update dropped");
            }
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
        self.change = Some(Change { hold, reply });
        self.offer_change()
    }

    /// The offer for the change under way.
    pub(super) fn offer_change(&mut self) -> Option<bytes::Bytes> {
        let hold = self.change.as_ref()?.hold;
        Some(self.negotiator.offer(direction(hold)).into())
    }

    /// The other side agreed to the offer under way.
    pub(super) fn change_agreed(&mut self, negotiated: Negotiated, events: &CallEventSender) {
        let change = self.change.take();
        if let Some(change) = &change {
            self.held = change.hold;
        }
        self.agree(negotiated, events);
        if let Some(change) = change {
            events.send(if change.hold { CallEvent::Held } else { CallEvent::Resumed });
            change.reply.send(Ok(())).ok();
        }
    }

    /// The offer under way came to nothing; `waits` when it will be made again.
    pub(super) fn change_failed(&mut self, status: StatusCode, waits: bool) {
        self.negotiator.rollback();
        if !waits && let Some(change) = self.change.take() {
            change.reply.send(Err(Error::Refused(status))).ok();
        }
    }

    /// The call is over; the media task ends with this.
    pub(super) fn end(self) {
        if let Some(change) = self.change {
            change.reply.send(Err(CommandError::NoSuchCall.into())).ok();
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
