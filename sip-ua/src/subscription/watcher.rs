//! A subscription of somebody else as the agent keeps it.

use super::{NotifyContent, WatcherState, Within};
use crate::dialog::LocalTag;
use crate::event::AccountId;
use crate::exchange::ExchangeId;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use sidetone_hal::net::Protocol;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{CSeq, Event as EventHeader, From, SubscriptionState as StateHeader};
use sidetone_sip_core::{Request, Source, StatusCode, TransactionId};

/// A subscription of somebody else to us.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(super) account: Option<AccountId>,
    pub(super) protocol: Protocol,
    pub(crate) call_id: Arc<str>,
    pub(super) local_tag: LocalTag,
    pub(crate) within: Within,
    pub(super) event: EventHeader,
    pub(super) stage: Stage,
    pub(super) until: Instant,
    pub(super) exchange: Option<ExchangeId>,
    /// What it tells.
    pub(super) sent: Option<Told>,
    pub(super) queue: VecDeque<Told>,
    /// What a REFER asked for.
    pub(crate) refer: Option<ReferIn>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// The SUBSCRIBE or REFER waits for the user.
    Asked(Box<Asked>),
    Up(WatcherState),
    /// The next NOTIFY is the last.
    Final,
    /// The last NOTIFY is on its way.
    Over,
}

/// A SUBSCRIBE or REFER that was not answered.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) transaction: TransactionId,
    pub(crate) request: Request,
    pub(crate) source: Source,
    /// How long it is to last; zero asks once.
    pub(crate) seconds: u32,
}

/// What there is to know about a REFER that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReferIn {
    /// Its sender wants to hear what becomes of it (RFC 4488).
    pub(crate) subscribed: bool,
}

/// A NOTIFY that waits for its turn, or for its answer.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) state: StateHeader,
    pub(super) content: NotifyContent,
    /// How often it was sent.
    pub(super) tries: u8,
}

impl Told {
    pub(super) const fn new(state: StateHeader, content: NotifyContent) -> Self {
        Self { state, content, tries: 0 }
    }
}

impl Watcher {
    /// Whether a SUBSCRIBE within a dialog of its own is in order.
    pub(crate) fn check(&mut self, request: &Request) -> Result<(), StatusCode> {
        let Within::Own(dialog) = &mut self.within else { return Ok(()) };
        let (Some(Ok(from)), Some(Ok(cseq))) = (request.headers.get::<From>(), request.headers.get::<CSeq>())
        else {
            return Err(StatusCode::BAD_REQUEST);
        };
        if dialog.remote_tag() != from.tag().unwrap_or_default() {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        }
        if dialog.accept_seq(cseq.seq) { Ok(()) } else { Err(StatusCode::SERVER_INTERNAL_ERROR) }
    }

    /// Whether an Event names this subscription.
    pub(crate) fn is_for(&self, event: &EventHeader) -> bool {
        event.matches(&self.event)
    }
}
