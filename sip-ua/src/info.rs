//! INFO requests within a call (RFC 6086 §5.1, as RFC 2976 had them): what is sent in them, one at a time, and key
//! presses that come in them.

use crate::call::{Call, Phase};
use crate::context::Context;
use crate::dialog::Reach;
use crate::error::CommandError;
use crate::event::{EndCause, EndedBy, Event};
use crate::exchange::{Failure, Owner};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
#[cfg(feature = "media")]
use sidetone_media::dtmf::InfoKind;
use sidetone_sip_core::header::{Accept, Allow, ContentType};
use sidetone_sip_core::{Headers, Method, Request, Response, Source, StatusCode, TransactionId};

/// INFO requests of a call that may wait for their turn, the one under way included.
pub(crate) const MAX_INFOS: usize = 32;

/// INFO requests of ours: the first is under way.
#[derive(Default)]
pub(crate) struct Infos {
    queue: VecDeque<(ContentType, Bytes)>,
}

/// Whether a message says that its sender takes INFO; without an Allow nobody knows, and it is tried (RFC 3261 §20.5).
pub(crate) fn allows_info(headers: &Headers) -> bool {
    let mut told = headers.all::<Allow>().flatten().peekable();
    told.peek().is_none() || told.any(|Allow(methods)| methods.contains(&Method::INFO))
}

impl Call {
    /// Sends a body in an INFO, after those that wait.
    pub(crate) fn send_info(
        &mut self,
        context: &mut Context,
        now: Instant,
        kind: ContentType,
        body: Bytes,
    ) -> Result<(), CommandError> {
        let infos = self.session()?.infos.get_or_insert_default();
        if infos.queue.len() >= MAX_INFOS {
            return Err(CommandError::QueueFull(MAX_INFOS));
        }
        infos.queue.push_back((kind, body));
        if infos.queue.len() == 1 {
            self.send_next_info(context, now);
        }
        Ok(())
    }

    fn send_next_info(&mut self, context: &mut Context, now: Instant) {
        let Phase::Up(session) = &mut self.phase else { return };
        let Some(infos) = &session.infos else { return };
        let Some((kind, body)) = infos.queue.front() else { return };
        let mut info = session.dialog.request(Method::INFO);
        info.request.set_body(kind, body.clone());
        context.start(now, Owner::Info(self.id), self.account, info, self.protocol, false);
    }

    /// An INFO of the other side, in order.
    pub(crate) fn handle_info(
        &self,
        context: &mut Context,
        now: Instant,
        transaction: TransactionId,
        request: &Request,
    ) {
        // Without a body it says nothing, and is in order (RFC 2976 §2.2).
        let understood = if request.body.is_empty() { Some(None) } else { event_of(request) };
        let Some(event) = understood else {
            let mut response = context.response(request, StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
            response.headers.push(&Accept(understood_types()));
            return context.respond(now, transaction, response);
        };
        let response = context.response(request, StatusCode::OK, None);
        context.respond(now, transaction, response);
        if let Some(InfoEvent { digit: Some(digit), duration }) = event {
            self.tell(context, Event::Dtmf { call: self.id, digit, duration });
        }
    }

    /// What became of our INFO. After a refusal those that wait would be refused too: they are given up.
    pub(crate) fn handle_info_outcome(
        &mut self,
        context: &mut Context,
        now: Instant,
        result: Result<(Response, Source), Failure>,
    ) {
        let status = match result {
            Ok((response, _)) if response.status.is_provisional() => return,
            Ok((response, _)) => response.status,
            Err(failure) => failure.status(),
        };
        let Phase::Up(session) = &mut self.phase else { return };
        let Some(infos) = &mut session.infos else { return };
        infos.queue.pop_front();
        let more = !infos.queue.is_empty();
        if status.is_success() && !self.ended {
            self.tell(context, Event::InfoAccepted { call: self.id });
            if more {
                self.send_next_info(context, now);
                return;
            }
        } else {
            self.tell(context, Event::InfoRefused { call: self.id, status });
        }
        if let Phase::Up(session) = &mut self.phase {
            session.infos = None;
        }
        if Reach::of(status, &Method::INFO).ends_usage() {
            self.dialog_lost(context, now, EndCause::status(EndedBy::Remote, status));
        }
    }
}

/// Whether an INFO is none of ours: neither empty nor a key press. The header `Record` says something without a body
/// (Dinstar, Yealink).
pub(crate) fn is_foreign_info(request: &Request) -> bool {
    match request.body.is_empty() {
        true => crate::feature::recording::is_asked(&request.headers),
        false => event_of(request).is_none(),
    }
}

/// What an INFO says: a key press, or another event that has no digit and means nothing here, as a hook flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InfoEvent {
    digit: Option<char>,
    duration: Option<Duration>,
}

/// What an INFO says; `None` if its body is of no kind that we understand.
#[cfg(feature = "media")]
fn event_of(request: &Request) -> Option<Option<InfoEvent>> {
    let found = request.headers.get::<ContentType>()?.ok()?;
    let kind = InfoKind::ALL.into_iter().find(|kind| found.is(&content_type(*kind)))?;
    let event = kind.read(&request.body)?;
    Some(Some(InfoEvent { digit: event.digit(), duration: event.duration }))
}

#[cfg(feature = "media")]
pub(crate) fn understood_types() -> Vec<ContentType> {
    InfoKind::ALL.map(content_type).into()
}

/// The Content-Type of a body with a key press.
#[cfg(feature = "media")]
pub(crate) const fn content_type(kind: InfoKind) -> ContentType {
    match kind {
        InfoKind::DtmfRelay => ContentType::DTMF_RELAY,
        InfoKind::Dtmf => ContentType::from_static("application", "dtmf"),
        InfoKind::TelephoneEvent => ContentType::from_static("audio", "telephone-event"),
    }
}

/// Bodies with key presses are read by `sidetone-media`.
#[cfg(not(feature = "media"))]
const fn event_of(_: &Request) -> Option<Option<InfoEvent>> {
    None
}

#[cfg(not(feature = "media"))]
pub(crate) const fn understood_types() -> Vec<ContentType> {
    Vec::new()
}

#[cfg(all(test, feature = "media"))]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use sidetone_sip_core::Uri;
    use sidetone_sip_core::header::HeaderName;

    fn info(kind: &str, body: &'static [u8]) -> Request {
        let uri: Uri = "sip:bob@192.0.2.1".parse().unwrap();
        let mut request = Request::new(Method::INFO, uri);
        request.headers.push_raw(HeaderName::CONTENT_TYPE, kind).unwrap();
        request.body = Bytes::from_static(body);
        request
    }

    #[test]
    fn the_three_kinds_are_understood_and_others_are_not() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let table: [(&str, &'static [u8], _); 9] = [
            ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", Some((Some('5'), ms(160)))),
            ("Application/DTMF-Relay;x=y", b"signal= * \r\nDuration= x\r\n", Some((Some('*'), None))),
            ("application/dtmf-relay", b"Signal=hf\n", Some((None, None))),
            ("application/dtmf-relay", b"Duration=5\r\n", None),
            ("application/dtmf", b"d", Some((Some('D'), None))),
            ("application/dtmf", b"17", None),
            ("audio/telephone-event", b"\x0b\x8a\x03\x20", Some((Some('#'), ms(100)))),
            ("audio/basic", b"\x0b\x8a\x03\x20", None),
            ("text/plain", b"5", None),
        ];
        for (kind, body, expected) in table {
            let event = event_of(&info(kind, body)).flatten().map(|event| (event.digit, event.duration));
            assert_eq!(event, expected, "{kind} {body:?}");
        }
        for kind in InfoKind::ALL {
            use alloc::string::ToString;
            assert_eq!(content_type(kind).to_string(), kind.content_type());
        }
    }

    #[test]
    fn info_is_tried_unless_allow_leaves_it_out() {
        let mut request = info("text/plain", b"");
        assert!(allows_info(&request.headers));
        request.headers.push_raw(HeaderName::ALLOW, "INVITE, ACK").unwrap();
        assert!(!allows_info(&request.headers));
        request.headers.push_raw(HeaderName::ALLOW, "BYE, INFO").unwrap();
        assert!(allows_info(&request.headers));
    }
}
