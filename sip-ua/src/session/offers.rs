//! Where the offers of a dialog stand, early or not, and which dialog a request or an outcome is about.

use super::Peer;
use crate::call::{Call, Phase};
use crate::context::Context;
use crate::dialog::Dialog;
use crate::event::EarlyDialogId;
use crate::exchange::ExchangeId;
use alloc::boxed::Box;
use sidetone_hal::time::Instant;
use sidetone_sip_core::{Request, Source, StatusCode, TransactionId};

/// Where our offer stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Offering {
    #[default]
    Idle,
    /// In a re-INVITE or an UPDATE.
    Sent(ExchangeId),
    /// Refused by 491: none until the time is over.
    Waiting,
}

/// A re-INVITE, UPDATE or PRACK of the other side with an offer, or a re-INVITE without one, that waits for the user.
pub(super) struct RemoteOffer {
    pub(super) transaction: TransactionId,
    pub(super) request: Request,
    pub(super) source: Source,
    pub(super) seq: u32,
}

impl RemoteOffer {
    /// The call or early dialog that it changes ends: RFC 3261 §15.1.2.
    pub(super) fn gone(&self, context: &mut Context, now: Instant) {
        context.refuse(now, self.transaction, &self.request, StatusCode::REQUEST_TERMINATED);
    }
}

/// The offers of a dialog in both directions.
#[derive(Default)]
pub(super) struct Offers {
    /// Ours.
    pub(super) offering: Offering,
    /// Theirs.
    pub(super) remote: Option<Box<RemoteOffer>>,
    /// The user wants to know when an offer can be made.
    pub(super) due: bool,
}

impl Offers {
    /// Whether none is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.offering == Offering::Idle && self.remote.is_none()
    }
}

/// A dialog of a call, and what offers need of it.
pub(super) struct Side<'a> {
    pub(super) dialog: &'a mut Dialog,
    pub(super) peer: &'a mut Peer,
    pub(super) offers: &'a mut Offers,
    /// Which early dialog of a call of ours it is.
    pub(super) early: Option<EarlyDialogId>,
}

impl Call {
    /// The call's dialog, or the early one of that name.
    pub(super) fn side(&mut self, id: Option<EarlyDialogId>) -> Option<Side<'_>> {
        match &mut self.phase {
            Phase::Up(session) => Some(Side {
                dialog: &mut session.dialog,
                peer: &mut session.peer,
                offers: &mut session.offers,
                early: None,
            }),
            Phase::Incoming(incoming) => Some(Side {
                dialog: &mut incoming.dialog,
                peer: &mut incoming.peer,
                offers: &mut incoming.offers,
                early: None,
            }),
            Phase::Outgoing(outgoing) => {
                let early = outgoing.early.iter_mut().find(|early| Some(early.id) == id)?;
                let id = early.id;
                Some(Side {
                    dialog: &mut early.dialog,
                    peer: &mut early.peer,
                    offers: &mut early.offers,
                    early: Some(id),
                })
            }
            Phase::Over => None,
        }
    }

    /// The dialog with this tag of the other side's.
    pub(super) fn side_of(&mut self, tag: &str) -> Option<Side<'_>> {
        let id = match &self.phase {
            Phase::Outgoing(outgoing) => {
                Some(outgoing.early.iter().find(|early| early.dialog.remote_tag() == tag && !early.ended)?.id)
            }
            _ => None,
        };
        self.side(id).filter(|side| side.dialog.remote_tag() == tag)
    }

    /// Whether a request of the other side is in the order of its dialog, whose tag of its is this; one of a dialog that
    /// we do not know is, too, and answered for what it is.
    pub(crate) fn accept_seq(&mut self, tag: &str, seq: u32) -> bool {
        self.side_of(tag).is_none_or(|side| side.dialog.accept_seq(seq))
    }

    /// The next number for a request of ours within the call, or within an early dialog, that goes again.
    pub(crate) fn next_seq_in(&mut self, id: EarlyDialogId, used: u32) -> u32 {
        self.side(Some(id)).map_or_else(|| used.saturating_add(1), |side| side.dialog.next_seq())
    }
}
