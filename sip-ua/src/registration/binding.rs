//! What a registrar says of the binding that it holds.

use super::answer::of_ours;
use alloc::vec::Vec;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{HeaderName, PAssociatedUri, Path, Require, ServiceRoute};
use sidetone_sip_core::{Header, NameAddr, Response, Uri};

/// A binding that a registrar holds for an account, as its last 2xx says.
///
/// [`Agent::account_bindings`](crate::Agent::account_bindings) gives those of an account.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Binding {
    /// Which of the account's servers it is at, from 0: the order of
    /// [`Redundancy::servers`](crate::Redundancy::servers).
    pub server: usize,
    /// The flow's number, where flows are registered (RFC 5626 §4.2).
    pub reg_id: Option<usize>,
    /// Our Contact.
    pub contact: Uri,
    /// The lifetime that was granted.
    pub expires: Duration,
    /// Service-Route: how requests outside of dialogs go (RFC 3608). Empty when there is none, or it is not to be used.
    pub service_route: Vec<NameAddr>,
    /// Path: how requests to us go (RFC 3327).
    pub path: Vec<NameAddr>,
    /// P-Associated-URI: our identities (RFC 7315 §4.1).
    pub associated: Vec<NameAddr>,
    /// The address that leads to this device only (RFC 5627 §5.1).
    pub public_gruu: Option<Uri>,
    /// The same without saying who we are (RFC 5627 §5.2).
    pub temporary_gruu: Option<Uri>,
    /// Whether the registrar keeps to flows: it answered with `Require: outbound` (RFC 5626 §6).
    pub outbound: bool,
}

/// Addresses of each kind that are kept of a 2xx: more is no registrar's answer, and all of it goes into every request.
const MAX_ADDRESSES: usize = 16;

impl Binding {
    pub(super) fn new(
        server: usize,
        reg_id: Option<usize>,
        contact: Uri,
        expires: Duration,
        response: &Response,
    ) -> Self {
        let gruu = |name: &str| {
            let ours = of_ours(response, Some(&contact))?;
            ours.params.get(name)?.parse().ok().filter(Uri::is_sip)
        };
        let (public_gruu, temporary_gruu) = (gruu("pub-gruu"), gruu("temp-gruu"));
        let requires = response.headers.get::<Require>().and_then(Result::ok);
        Self {
            server,
            reg_id,
            expires,
            service_route: addresses(response, |ServiceRoute(address)| address),
            path: addresses(response, |Path(address)| address),
            associated: addresses(response, |PAssociatedUri(address)| address),
            public_gruu,
            temporary_gruu,
            outbound: requires.is_some_and(|Require(tags)| tags.iter().any(|tag| **tag == *"outbound")),
            contact,
        }
    }

    /// Forgets the Service-Route, and GRUUs, that the settings do not want.
    pub(super) fn keep_only(mut self, service_route: bool, gruu: bool) -> Self {
        if !service_route {
            self.service_route.clear();
        }
        if !gruu {
            (self.public_gruu, self.temporary_gruu) = (None, None);
        }
        self
    }
}

/// The addresses of one header, in memory of their own: what is read shares that of the whole message. None when one of
/// them cannot be read, for a route with a hole leads nowhere, or when there are too many.
fn addresses<H: Header>(response: &Response, address: impl Fn(H) -> NameAddr) -> Vec<NameAddr> {
    let read: Result<Vec<NameAddr>, _> =
        response.headers.all::<H>().take(MAX_ADDRESSES + 1).map(|value| value.map(&address)).collect();
    let read = read.unwrap_or_default();
    if read.len() > MAX_ADDRESSES {
        return Vec::new();
    }
    read.into_iter()
        .filter(|address| address.uri.is_sip() || H::NAME == HeaderName::P_ASSOCIATED_URI)
        .collect()
}
