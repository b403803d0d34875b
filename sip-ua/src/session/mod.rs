//! The INVITE usage of a dialog, one file per exchange.

mod ack;
mod bye;
mod config;
mod content;
mod early;
mod fork;
mod identity;
mod invite_uac;
mod invite_uas;
mod offers;
mod redirect;
mod reinvite;
mod reliable;
mod retry;
mod timer;
mod update;

pub(crate) use config::OPTIONS;
pub use config::{ExtensionUse, RefreshMethod, SessionConfig, SessionTimerConfig};
pub(crate) use invite_uac::Outgoing;
pub(crate) use invite_uas::{Incoming, refusal};
pub(crate) use timer::too_short;

use crate::context::names_option;
use crate::dialog::Dialog;
use crate::exchange::ExchangeId;
use crate::info::{Infos, allows_info};
use ack::{SentAck, Unacked};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use config::{FROM_CHANGE, RELIABLE};
use offers::Offers;
use sidetone_sip_core::header::{Allow, ContentType, HeaderName, RAck, Supported};
use sidetone_sip_core::{Headers, Method, Request};
use timer::SessionTimer;

/// A dialog whose INVITE was answered with a 2xx. What is under way for a moment only is boxed, for a call may last for
/// hours.
pub(crate) struct Session {
    pub(crate) dialog: Dialog,
    /// ACKs sent, to be sent again when their 2xx comes again.
    acks: Vec<SentAck>,
    /// Our 2xx that waits for its ACK.
    unacked: Option<Box<Unacked>>,
    /// What the PRACK will name of a provisional response that our 2xx overtook, if none has come.
    late_prack: Option<Box<RAck>>,
    /// The 2xx to our INVITE without an offer: its ACK waits for our answer.
    ///
    /// This is the INVITE, whose number and credentials the ACK repeats.
    delayed: Option<Box<Request>>,
    /// Whether the ACK of the first INVITE was sent or received.
    confirmed: bool,
    offers: Offers,
    bye: Bye,
    /// How many BYE requests were sent.
    byes: u8,
    /// What the other side takes.
    peer: Peer,
    /// The session timer, if there is one.
    timer: Option<Box<SessionTimer>>,
    /// Our INFO requests that have no answer yet.
    pub(crate) infos: Option<Box<Infos>>,
}

/// Our BYE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bye {
    None,
    /// To be sent when the ACK comes, for the called side must not send it earlier (RFC 3261 §15).
    AfterAck,
    Sent(ExchangeId),
}

impl Session {
    /// A session, and the headers of the other side's INVITE or 2xx.
    fn new(dialog: Dialog, headers: &Headers) -> Self {
        Self {
            dialog,
            acks: Vec::new(),
            unacked: None,
            late_prack: None,
            delayed: None,
            confirmed: false,
            offers: Offers::default(),
            bye: Bye::None,
            byes: 0,
            peer: Peer::of(headers),
            timer: None,
            infos: None,
        }
    }

    /// Whether the other side takes INFO: its last Allow names it, or it never sent one.
    pub(crate) const fn takes_info(&self) -> bool {
        self.peer.info
    }

    /// Whether the other side is the focus of a conference.
    pub(crate) const fn is_with_focus(&self) -> bool {
        self.peer.focus
    }

    pub(crate) const fn is_confirmed(&self) -> bool {
        self.confirmed
    }
}

/// What the other side takes, as far as it said so.
#[derive(Clone, Copy, Debug)]
struct Peer {
    /// INFO: its last Allow names it, or it never sent one.
    info: bool,
    /// UPDATE: its last Allow names it (RFC 3311 §4).
    update: bool,
    /// A changed From (RFC 4916).
    from_change: bool,
    /// It is the focus of a conference: a Contact of its said so (RFC 4579 §5.2).
    focus: bool,
}

impl Peer {
    fn of(headers: &Headers) -> Self {
        let mut peer = Self { info: true, update: false, from_change: false, focus: false };
        peer.hear(headers);
        peer
    }

    /// It says anew what it can.
    fn hear(&mut self, headers: &Headers) {
        if headers.contains(&HeaderName::ALLOW) {
            self.info = allows_info(headers);
            self.update = matches!(headers.get::<Allow>(), Some(Ok(Allow(methods))) if methods.contains(&Method::UPDATE));
        }
        if headers.contains(&HeaderName::SUPPORTED) {
            self.from_change = names_option::<Supported>(headers, FROM_CHANGE);
        }
        self.focus |= crate::focus::is_focus(headers);
    }
}

/// Whether a request's body is something else than a session description (then 415 is due, RFC 3261 §8.2.3).
pub(crate) fn is_foreign_body(request: &Request) -> bool {
    if request.body.is_empty() {
        return false;
    }
    let encoded = request
        .headers
        .raw(&HeaderName::CONTENT_ENCODING)
        .is_some_and(|value| !value.eq_ignore_ascii_case(b"identity"));
    let is_sdp = match request.headers.get::<ContentType>() {
        Some(Ok(kind)) => kind.is(&ContentType::SDP),
        Some(Err(_)) => false,
        // A body without a type is against the rules; a session description is the only guess.
        None => true,
    };
    encoded || !is_sdp
}

/// The body, if there is one.
pub(crate) fn body_of(body: &Bytes) -> Option<Bytes> {
    (!body.is_empty()).then(|| body.clone())
}

/// Copies what a 2xx or an early response of a dialog repeats from the request (RFC 3261 §12.1.1).
fn copy_routes(headers: &mut Headers, request: &Request) {
    headers.copy_all(&HeaderName::RECORD_ROUTE, &request.headers);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Call;

    #[test]
    fn sizes_are_known() {
        // An established call is these two, the texts of the dialog, and an entry in each of two tables.
        // 8 bytes of it are the session timer's, 8 a PRACK's that our 2xx overtook, 8 that the offers are the same in early
        // dialogs.
        assert!(size_of::<Session>() <= 272, "{}", size_of::<Session>());
        // 16 bytes of it are a box for headers that features add to its offers, and that it is with a focus.
        assert!(size_of::<Call>() <= 104, "{}", size_of::<Call>());
        assert_eq!(size_of::<SentAck>(), 16);
    }
}
