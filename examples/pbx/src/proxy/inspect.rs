//! What the proxy reads in a request before it forwards it (RFC 3261 §16.3, §16.4), and how it says no.

use super::Proxy;
use sidetone_hal::net::{IpAddr, SocketAddr};
use sidetone_sip_core::header::{
    CallId, From, Header, HeaderName, MaxForwards, PPreferredIdentity, ProxyAuthenticate, Route, To, Via,
    WwwAuthenticate,
};
use sidetone_sip_core::{
    Challenge, Headers, NameAddr, Request, Response, Scheme, Source, StatusCode, Target, Uri,
};
use sidetone_sip_ua::feature::anonymity::is_anonymous;

/// The headers that name a dialog.
pub(super) struct Parties {
    pub(super) call_id: String,
    pub(super) from: NameAddr,
    pub(super) from_tag: String,
    pub(super) to: NameAddr,
    pub(super) to_tag: Option<String>,
}

impl Parties {
    pub(super) fn of(request: &Request) -> Result<Self, Refusal> {
        let bad = |_| StatusCode::BAD_REQUEST;
        let call_id: CallId = request.headers.require().map_err(bad)?;
        let from: From = request.headers.require().map_err(bad)?;
        let to: To = request.headers.require().map_err(bad)?;
        let from_tag = from.tag().unwrap_or_default().to_owned();
        let to_tag = to.tag().map(str::to_owned);
        Ok(Self { call_id: call_id.as_str().into(), from: from.0, from_tag, to: to.0, to_tag })
    }
}

/// Why a request is not served: the response's status and what it carries.
pub(super) struct Refusal {
    status: StatusCode,
    reason: Option<&'static str>,
    headers: Headers,
}

impl core::convert::From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Self {
        Self { status, reason: None, headers: Headers::new() }
    }
}

impl Refusal {
    pub(super) fn reason(status: StatusCode, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..status.into() }
    }

    pub(super) fn challenge(challenges: Vec<Challenge>, proxy: bool) -> Self {
        let mut refusal = Self::from(if proxy {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED
        } else {
            StatusCode::UNAUTHORIZED
        });
        for challenge in challenges {
            if proxy {
                refusal.headers.push(&ProxyAuthenticate(challenge));
            } else {
                refusal.headers.push(&WwwAuthenticate(challenge));
            }
        }
        refusal
    }

    pub(super) fn with<H: Header>(mut self, header: &H) -> Self {
        self.headers.push(header);
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn into_response(self, request: &Request, tag: &str) -> Response {
        let mut response = request.response(self.status, Some(tag));
        if let Some(reason) = self.reason {
            response.reason = reason.into();
        }
        for (name, value) in self.headers.iter() {
            // The value was written by its type, which writes no line ends.
            let _ = response.headers.push_raw(name, value);
        }
        response
    }
}

impl Proxy {
    /// Whether a URI names this server: one of its domains, or an address of its own.
    pub(super) fn is_local(&self, uri: &Uri, source: &Source) -> bool {
        if self.has_domain(uri.host_str()) {
            return true;
        }
        let Some(ip) = uri.host().and_then(|host| host.ip()) else { return false };
        let ours = |port: u16| self.listening.iter().any(|local| local.port() == port);
        // An address of record has no port as a rule, whatever port the server listens on.
        uri.port().is_none_or(ours) && self.is_own_ip(ip, Some(source))
    }

    /// The same for a URI that no message came to: what a 3xx names.
    pub(super) fn is_ours(&self, uri: &Uri) -> bool {
        let ours = |port: u16| self.listening.iter().any(|local| local.port() == port);
        let own_ip = |ip| uri.port().is_none_or(ours) && self.is_own_ip(ip, None);
        uri.is_sip()
            && (self.has_domain(uri.host_str()) || uri.host().and_then(|host| host.ip()).is_some_and(own_ip))
    }

    fn has_domain(&self, host: &str) -> bool {
        self.config.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }

    fn is_own_ip(&self, ip: IpAddr, source: Option<&Source>) -> bool {
        let towards = source.and_then(|source| {
            self.endpoint.local_address(source.protocol, Some(source.remote)).map(|local| local.ip())
        });
        towards == Some(ip)
            || self.listening.iter().any(|local| local.ip() == ip)
            || self.named.iter().any(|named| named.ip() == ip)
    }

    /// A request that was here before does not pass again (RFC 3261 §16.3 step 4). Spirals, which come back with
    /// another Request-URI, are refused too: a server that forwards to registered devices only makes none.
    pub(super) fn check_loop(&self, request: &Request) -> Result<(), Refusal> {
        for via in request.headers.all::<Via>() {
            let via = via.map_err(|_| StatusCode::BAD_REQUEST)?;
            let port = via.port.unwrap_or(5060);
            let Some(ip) = via.host.ip() else { continue };
            if self.named.contains(&SocketAddr::new(ip, port)) {
                return Err(StatusCode::LOOP_DETECTED.into());
            }
        }
        Ok(())
    }

    /// Takes our own entries off the Route (RFC 3261 §16.4). When one carries a ticket that is good for this dialog
    /// and sender, the result is where the ticket leads.
    pub(super) fn unroute(
        &self,
        request: &mut Request,
        parties: &Parties,
        source: &Source,
    ) -> Option<Target> {
        let redeem = |uri: &Uri| self.tickets.redeem(&uri.user()?, &parties.call_id, &parties.from_tag);
        let mut target = None;
        // A strict router put our Record-Route into the Request-URI, and the real one last in the Route.
        if self.is_local(&request.uri, source) && redeem(&request.uri).is_some() {
            target = redeem(&request.uri);
            let mut routes: Vec<Route> = request.headers.all().filter_map(Result::ok).collect();
            if let Some(Route(last)) = routes.pop() {
                request.uri = last.uri.to_request_uri();
                request.headers.remove(&Route::NAME);
                routes.iter().for_each(|route| request.headers.push(route));
            }
        }
        while let Some(Ok(Route(route))) = request.headers.get::<Route>() {
            if !self.is_local(&route.uri, source) {
                break;
            }
            target = target.or_else(|| redeem(&route.uri));
            request.headers.remove_first::<Route>();
        }
        target
    }
}

/// `sips` counts only where the way to here was secure (RFC 3261 §26.2.2).
pub(super) fn check_scheme(request: &Request, source: &Source) -> Result<(), Refusal> {
    match request.uri.scheme() {
        Scheme::Sip => Ok(()),
        Scheme::Sips if source.protocol.is_secure() => Ok(()),
        _ => Err(StatusCode::UNSUPPORTED_URI_SCHEME.into()),
    }
}

pub(super) fn check_max_forwards(request: &Request) -> Result<(), Refusal> {
    match request.headers.get::<MaxForwards>() {
        Some(Ok(MaxForwards(0))) => Err(StatusCode::TOO_MANY_HOPS.into()),
        Some(Err(_)) => Err(StatusCode::BAD_REQUEST.into()),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// One hop fewer is left (RFC 3261 §16.6 step 3).
pub(super) fn count_hop(request: &mut Request) {
    let left = match request.headers.get::<MaxForwards>() {
        Some(Ok(MaxForwards(left))) => left.saturating_sub(1),
        _ => 70,
    };
    request.headers.set(&MaxForwards(left));
}

pub(super) fn has_route(request: &Request) -> bool {
    request.headers.contains(&Route::NAME)
}

/// Before a strict router the Request-URI goes last into the Route, and the router's URI takes its place (RFC 3261
/// §16.6 step 6).
pub(super) fn make_strict(request: &mut Request) {
    let Some(Ok(Route(next))) = request.headers.get::<Route>() else { return };
    if next.uri.is_lr() {
        return;
    }
    request.headers.remove_first::<Route>();
    request.headers.push(&Route(NameAddr::new(request.uri.clone())));
    request.uri = next.uri.to_request_uri();
}

/// Who an anonymous caller says to be to this server (RFC 3325 §9.2); `None` when From does not hide it.
pub(super) fn preferred_identity(request: &Request) -> Option<Uri> {
    if !is_anonymous(&request.headers) {
        return None;
    }
    let identities = request.headers.all::<PPreferredIdentity>().flatten();
    identities.map(|PPreferredIdentity(identity)| identity.uri).find(Uri::is_sip)
}

/// What a caller says of itself is no assertion of this server's, and P-Preferred-Identity was for it alone (RFC 3325 §5).
pub(super) fn strip_identities(request: &mut Request) {
    for identity in [HeaderName::P_PREFERRED_IDENTITY, HeaderName::P_ASSERTED_IDENTITY] {
        request.headers.remove(&identity);
    }
}

pub(super) fn from_user(request: &Request) -> Option<String> {
    let From(from) = request.headers.get::<From>()?.ok()?;
    from.uri.user().map(|user| user.into_owned())
}

pub(super) fn set_to_tag(response: &mut Response, tag: &str) {
    if let Some(Ok(to)) = response.headers.get::<To>()
        && to.tag().is_none()
    {
        response.headers.set(&to.with_tag(tag));
    }
}
