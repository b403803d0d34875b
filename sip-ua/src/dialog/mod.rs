//! Dialog state proper (RFC 3261 §12): identifiers, sequence numbers, remote target, route set.

mod failure;
mod id;
mod route;
mod target;

pub(crate) use failure::Reach;
pub(crate) use id::{DialogKey, LocalTag, call_id_header};
pub(crate) use route::RouteSet;

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::fmt::Display;
use core::str::FromStr;
use sidetone_sip_core::header::{CSeq, From, HeaderName, To};
use sidetone_sip_core::{Method, NameAddr, ParseError, Request, Response, Uri};

/// One dialog, as one side keeps it. There may be 100 000 of them, so what is only repeated is kept as text.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    /// The call's.
    call_id: Arc<str>,
    /// Ourselves with our tag, as From and To have it.
    local: Box<str>,
    /// The other side with its tag, as From and To have it.
    remote: Box<str>,
    /// The other side's tag; empty for a peer of RFC 2543 that gave none.
    remote_tag: Box<str>,
    local_seq: u32,
    remote_seq: Option<u32>,
    /// Where the other side wants requests: its last Contact.
    target: Uri,
    routes: RouteSet,
}

/// A request ready to be sent but for its Via, and the URI whose host it goes to. Outside of dialogs that is `None`, the
/// request has no Route yet, and its Request-URI is what is wanted in the end: the account's registration says by which
/// server and proxies it goes.
#[derive(Clone, Debug)]
pub(crate) struct Routed {
    pub(crate) request: Request,
    pub(crate) hop: Option<Uri>,
}

impl Dialog {
    /// The client's side, from our request and a response with a To tag (RFC 3261 §12.1.2).
    pub(crate) fn client(
        call_id: &Arc<str>,
        request: &Request,
        response: &Response,
    ) -> Result<Self, ParseError> {
        let From(local) = request.headers.require()?;
        let To(remote) = response.headers.require()?;
        let cseq: CSeq = request.headers.require()?;
        Ok(Self {
            call_id: Arc::clone(call_id),
            local: text(&local),
            remote: text(&remote),
            remote_tag: remote.tag().unwrap_or_default().into(),
            local_seq: cseq.seq,
            remote_seq: None,
            // A response without Contact is against the rules; what we called is the best that is left.
            target: own(target::contact(&response.headers).unwrap_or_else(|| request.uri.clone())),
            routes: RouteSet::of_response(&response.headers)?,
        })
    }

    /// The server's side, from the other side's request and the tag that our responses carry (RFC 3261 §12.1.1).
    pub(crate) fn server(
        call_id: &Arc<str>,
        local_tag: LocalTag,
        request: &Request,
    ) -> Result<Self, ParseError> {
        let From(remote) = request.headers.require()?;
        let to: To = request.headers.require()?;
        let To(local) = to.with_tag(&local_tag.to_string());
        let cseq: CSeq = request.headers.require()?;
        Ok(Self {
            call_id: Arc::clone(call_id),
            target: own(target::contact(&request.headers).unwrap_or_else(|| remote.uri.clone())),
            local: text(&local),
            remote: text(&remote),
            remote_tag: remote.tag().unwrap_or_default().into(),
            local_seq: 0,
            remote_seq: Some(cseq.seq),
            routes: RouteSet::of_request(&request.headers)?,
        })
    }

    /// The client's side, from a NOTIFY that came before the 2xx to the request which begins the dialog (RFC 6665
    /// §4.4.1), or in its place.
    pub(crate) fn notified(
        call_id: &Arc<str>,
        local_tag: LocalTag,
        seq: u32,
        notify: &Request,
    ) -> Result<Self, ParseError> {
        Ok(Self { local_seq: seq, ..Self::server(call_id, local_tag, notify)? })
    }

    /// A dialog whose other side has not answered: as our request has it.
    pub(crate) fn begun(call_id: &Arc<str>, request: &Request) -> Option<Self> {
        let (From(local), To(remote)) = (request.headers.require().ok()?, request.headers.require().ok()?);
        let cseq: CSeq = request.headers.require().ok()?;
        Some(Self {
            call_id: Arc::clone(call_id),
            local: text(&local),
            remote: text(&remote),
            remote_tag: Box::default(),
            local_seq: cseq.seq,
            remote_seq: None,
            target: own(request.uri.clone()),
            routes: RouteSet::default(),
        })
    }

    /// The other side with its tag, as From and To have it.
    pub(crate) fn remote(&self) -> &str {
        &self.remote
    }

    /// Where the other side wants requests.
    pub(crate) const fn target(&self) -> &Uri {
        &self.target
    }

    /// Goes on where an early dialog of the same tags stood: with its sequence numbers (RFC 3261 §13.2.2.4).
    pub(crate) fn go_on(&mut self, early: &Self) {
        self.local_seq = self.local_seq.max(early.local_seq);
        self.remote_seq = early.remote_seq;
    }

    /// Names ourselves otherwise from now on, with the same tag (RFC 4916 §4.4.1).
    pub(crate) fn set_local(&mut self, address: NameAddr) {
        if let Ok(tag) = self.local.parse::<From>().map(|local| local.tag().unwrap_or_default().to_string()) {
            self.local = text(&From(address.with_tag(&tag)));
        }
    }

    /// Takes the other side's new name for itself (RFC 4916 §4.4.2); whether it is another one than before. Tags are
    /// what tells dialogs apart, so nothing else changes.
    pub(crate) fn hear_remote(&mut self, from: &From) -> bool {
        let changed = self.remote.parse::<From>().is_ok_and(|known| known.uri != from.uri);
        if changed {
            self.remote = text(from);
        }
        changed
    }

    /// The other side's tag; empty for a peer that gave none.
    pub(crate) fn remote_tag(&self) -> &str {
        &self.remote_tag
    }

    /// Takes the next sequence number of ours.
    pub(crate) fn next_seq(&mut self) -> u32 {
        self.local_seq = self.local_seq.saturating_add(1);
        self.local_seq
    }

    /// The next request within the dialog (RFC 3261 §12.2.1.1).
    pub(crate) fn request(&mut self, method: Method) -> Routed {
        let seq = self.next_seq();
        self.build(method, seq)
    }

    /// The ACK to the 2xx of our INVITE with that number (RFC 3261 §13.2.2.4).
    pub(crate) fn ack(&self, seq: u32) -> Routed {
        self.build(Method::ACK, seq)
    }

    fn build(&self, method: Method, seq: u32) -> Routed {
        let mut request = Request::new(method.clone(), self.target.to_request_uri());
        let hop = self.routes.apply(&mut request, &self.target);
        // Addresses have no line ends, which is all that a raw value must not have.
        let _ = request.headers.push_raw(HeaderName::FROM, &*self.local);
        let _ = request.headers.push_raw(HeaderName::TO, &*self.remote);
        request.headers.push(&call_id_header(&self.call_id));
        request.headers.push(&CSeq::new(seq, method));
        Routed { request, hop: Some(hop) }
    }

    /// Whether a request of the other side comes in order; if so it is the last one from now on (RFC 3261 §12.2.2).
    ///
    /// A number that was already used is refused too: what repeats a request is matched by its transaction, so this is
    /// another request, or a duplicate that the network held back for more than 32 s.
    pub(crate) fn accept_seq(&mut self, seq: u32) -> bool {
        if self.remote_seq.is_some_and(|last| seq <= last) {
            return false;
        }
        self.remote_seq = Some(seq);
        true
    }
}

/// The same value in memory of its own: what is read shares the memory of its whole message, and a dialog may last for
/// days.
fn own<T: Display + FromStr>(value: T) -> T {
    value.to_string().parse().unwrap_or(value)
}

fn text(value: &impl Display) -> Box<str> {
    value.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_known() {
        // Beside it: the texts, about 200 bytes, and each hop of the route set.
        assert!(size_of::<Dialog>() <= 152, "{}", size_of::<Dialog>());
    }
}
