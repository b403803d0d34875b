//! Route sets: loose and strict routing (RFC 3261 §12.2.1.1).

use alloc::boxed::Box;
use sidetone_sip_core::header::{RecordRoute, Route};
use sidetone_sip_core::{Headers, NameAddr, ParseError, Request, Uri};

/// The hops that a request within a dialog takes, the nearest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteSet(Box<[NameAddr]>);

impl RouteSet {
    /// One loose hop: an outbound proxy (RFC 3261 §8.1.2).
    pub(crate) fn proxy(proxy: &Uri) -> Self {
        let mut uri = proxy.clone();
        uri.set_param("lr", None);
        Self(Box::new([NameAddr::from(uri)]))
    }

    /// What a registrar wants on requests outside of dialogs (RFC 3608 §5), behind an outbound proxy if there is one.
    pub(crate) fn preloaded(proxy: Option<&Uri>, service: &[NameAddr]) -> Self {
        let proxy = proxy.map(Self::proxy).unwrap_or_default();
        Self(proxy.0.into_iter().chain(service.iter().cloned()).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From the Record-Route of a request that makes a dialog, as its server sees it (RFC 3261 §12.1.1).
    pub(crate) fn of_request(headers: &Headers) -> Result<Self, ParseError> {
        let routes = headers.all::<RecordRoute>().map(|route| route.map(|RecordRoute(hop)| super::own(hop)));
        Ok(Self(routes.collect::<Result<_, _>>()?))
    }

    /// From the Record-Route of a response that makes a dialog, as its client sees it: in reverse (RFC 3261 §12.1.2).
    pub(crate) fn of_response(headers: &Headers) -> Result<Self, ParseError> {
        let mut set = Self::of_request(headers)?;
        set.0.reverse();
        Ok(set)
    }

    /// Sets Request-URI and Route for `target`, and gives the URI whose host is to be sent to.
    pub(crate) fn apply(&self, request: &mut Request, target: &Uri) -> Uri {
        let Some((first, rest)) = self.0.split_first() else {
            request.uri = target.to_request_uri();
            return request.uri.clone();
        };
        if first.uri.is_lr() {
            request.uri = target.to_request_uri();
            for hop in &self.0 {
                request.headers.push(&Route(hop.clone()));
            }
        } else {
            // A strict router wants itself as the Request-URI and the target as the last hop.
            request.uri = first.uri.to_request_uri();
            for hop in rest {
                request.headers.push(&Route(hop.clone()));
            }
            request.headers.push(&Route(NameAddr::from(target.clone())));
        }
        first.uri.clone()
    }
}
