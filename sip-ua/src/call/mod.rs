//! A call as the agent keeps it: one phase after the other, from the first INVITE to the last response.

mod commands;
mod request;
mod table;

pub use request::CallRequest;
pub(crate) use table::Calls;

use crate::context::{Context, Timer};
use crate::dialog::{Dialog, LocalTag};
use crate::error::CommandError;
use crate::event::{AccountId, CallId, CallState, EndCause, Event};
use crate::session::{Incoming, Outgoing, Session};
use alloc::boxed::Box;
use alloc::sync::Arc;
use sidetone_hal::net::Protocol;
use sidetone_sip_core::Headers;

pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) account: Option<AccountId>,
    /// Shared with the call's dialog.
    pub(crate) call_id: Arc<str>,
    /// Our tag.
    pub(crate) local_tag: LocalTag,
    /// The user part of our Contact where no account gives one.
    pub(crate) user: Box<str>,
    /// The transport that the call was made over, for next hops whose URI names none.
    pub(crate) protocol: Protocol,
    /// Whether the Call-ID is ours, which makes us wait longer after a 491 (RFC 3261 §14.1).
    pub(crate) caller: bool,
    /// Whether the user was told that the call is over.
    pub(crate) ended: bool,
    /// Subscriptions share its dialog, which has to outlive it.
    pub(crate) shared: bool,
    /// What it leaves to them.
    pub(crate) left: Option<Box<Dialog>>,
    /// A number for what the other side last said of who it is.
    pub(crate) identity: u32,
    /// Further headers of its re-INVITEs.
    pub(crate) offer_headers: Option<Box<Headers>>,
    /// Whether we are the focus of a conference, which our Contact says (RFC 4579 §5.1).
    pub(crate) focus: bool,
    pub(crate) phase: Phase,
}

/// What is going on; each phase has the data that it needs and no other.
pub(crate) enum Phase {
    /// Our INVITE has no final response yet.
    Outgoing(Box<Outgoing>),
    /// Their INVITE has no final response yet.
    Incoming(Box<Incoming>),
    /// A 2xx was sent or received.
    Up(Box<Session>),
    /// Nothing is left to be said.
    Over,
}

impl Call {
    pub(crate) fn state(&self) -> CallState {
        match &self.phase {
            _ if self.ended => CallState::Ending,
            Phase::Outgoing(outgoing) if outgoing.ringing => CallState::Ringing,
            Phase::Outgoing(_) => CallState::Calling,
            Phase::Incoming(_) => CallState::Incoming,
            Phase::Up(session) if session.is_confirmed() => CallState::Established,
            Phase::Up(_) => CallState::Answered,
            Phase::Over => CallState::Ending,
        }
    }

    /// Tells the user, who hears nothing after the end.
    pub(crate) fn tell(&self, context: &mut Context, event: Event) {
        if !self.ended {
            context.events.push_back(event);
        }
    }

    /// The call is over for the user; the wire may take longer.
    pub(crate) fn end(&mut self, context: &mut Context, cause: EndCause) {
        self.tell(context, Event::Ended { call: self.id, cause });
        self.ended = true;
        self.stop_ringing(context);
        for timer in [Timer::Glare(self.id), Timer::Reliable(self.id), Timer::Session(self.id)] {
            context.deadlines.stop(timer);
        }
    }

    /// The call is over on the wire too.
    pub(crate) fn finish(&mut self, context: &mut Context) {
        let phase = core::mem::replace(&mut self.phase, Phase::Over);
        if let (true, Phase::Up(session)) = (self.shared, phase) {
            self.left = Some(Box::new(session.dialog));
        }
        for timer in [
            Timer::Repeat2xx(self.id),
            Timer::NoAck(self.id),
            Timer::Glare(self.id),
            Timer::Reliable(self.id),
            Timer::Session(self.id),
        ] {
            context.deadlines.stop(timer);
        }
        self.stop_ringing(context);
    }

    pub(crate) fn stop_ringing(&self, context: &mut Context) {
        context.deadlines.stop(Timer::RingLimit(self.id));
        context.deadlines.stop(Timer::KeepRinging(self.id));
    }

    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// The dialog of a call, an early one too.
    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        match &self.phase {
            Phase::Up(session) => Some(&session.dialog),
            Phase::Outgoing(outgoing) => outgoing.dialog(),
            Phase::Incoming(incoming) => Some(incoming.dialog()),
            Phase::Over => None,
        }
    }

    /// The dialog of a call that is up, even while it is being taken down.
    pub(crate) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match &mut self.phase {
            Phase::Up(session) => Some(&mut session.dialog),
            Phase::Outgoing(_) | Phase::Incoming(_) | Phase::Over => None,
        }
    }

    /// Whether our BYE is under way. What goes out after it in the same dialog might overtake it, and it would be refused
    /// for its number (RFC 3261 §12.2.2).
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(&self.phase, Phase::Up(session) if session.is_leaving())
    }

    /// The established session, for commands.
    pub(crate) fn session(&mut self) -> Result<&mut Session, CommandError> {
        match &mut self.phase {
            _ if self.ended => Err(CommandError::NoSuchCall),
            Phase::Up(session) => Ok(session),
            Phase::Over => Err(CommandError::NoSuchCall),
            Phase::Outgoing(_) | Phase::Incoming(_) => Err(CommandError::WrongState),
        }
    }

    /// The next sequence number of ours.
    pub(crate) fn next_seq(&mut self, used: u32) -> u32 {
        match &mut self.phase {
            Phase::Up(session) => session.dialog.next_seq(),
            Phase::Incoming(incoming) => incoming.next_seq(),
            Phase::Outgoing(_) | Phase::Over => used.saturating_add(1),
        }
    }
}
