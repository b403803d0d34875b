//! Reading a registrar's answer.

use crate::reach::{Registered, comparable};
use alloc::vec::Vec;
use sidetone_hal::net::SocketAddr;
use sidetone_sip_core::header::{Contact, Expires, FlowTimer, Via};
use sidetone_sip_core::nat::KeepAliveTerms;
use sidetone_sip_core::{NameAddr, Request, Response, Source, Uri};

/// The Contact that a REGISTER asked to bind.
pub(super) fn own_contact(request: &Request) -> Option<Uri> {
    request.headers.all::<Contact>().flatten().find_map(|contact| match contact {
        Contact::Addr(address) if address.expires() != Some(0) => Some(address.uri),
        _ => None,
    })
}

/// Our binding among those that a 2xx lists. A registrar may rewrite the URI; when it lists only one, that is ours.
pub(super) fn of_ours(response: &Response, contact: Option<&Uri>) -> Option<NameAddr> {
    let bindings = response.headers.all::<Contact>().flatten();
    let mut listed: Vec<NameAddr> = bindings
        .filter_map(|binding| match binding {
            Contact::Addr(address) => Some(address),
            Contact::Star => None,
        })
        .collect();
    match listed.iter().position(|binding| Some(&binding.uri) == contact) {
        Some(at) => Some(listed.swap_remove(at)),
        None => listed.pop().filter(|_| listed.is_empty()),
    }
}

/// The lifetime that a 2xx grants: from our Contact, else from Expires, else as asked (RFC 3261 §10.2.4).
pub(super) fn granted(response: &Response, contact: Option<&Uri>, asked: u32) -> u32 {
    let general = response.headers.get::<Expires>().and_then(Result::ok).map(|Expires(seconds)| seconds);
    of_ours(response, contact).and_then(|binding| binding.expires()).or(general).unwrap_or(asked)
}

/// What a 2xx says about how we are reached.
pub(super) fn registered(response: &Response, source: &Source, contact: Option<&Uri>) -> Registered {
    let via = response.headers.get::<Via>().and_then(Result::ok);
    let keep = via.as_ref().and_then(|via| via.params.raw("keep").flatten()?.parse().ok());
    let flow_timer =
        response.headers.get::<FlowTimer>().and_then(Result::ok).map(|FlowTimer(seconds)| seconds);
    let seen = via.as_ref().and_then(seen_address);
    let ours = contact.and_then(address_of);
    Registered {
        path: Some(*source),
        terms: KeepAliveTerms { flow_timer, keep },
        seen: seen.map(|seen| comparable(seen, ours, source.protocol)),
    }
}

/// Where the top Via says that our request came from.
pub(crate) fn seen_address(via: &Via) -> Option<SocketAddr> {
    let port = via.rport().flatten().or(via.port)?;
    let ip = match via.received() {
        Some(received) => received,
        None => via.host.ip()?,
    };
    Some(SocketAddr::new(ip, port))
}

pub(super) fn address_of(uri: &Uri) -> Option<SocketAddr> {
    Some(SocketAddr::new(uri.host()?.ip()?, uri.port().unwrap_or(5060)))
}
