//! What is to be located.

use super::LocateError;
use super::options::LocateOptions;
use crate::header::Via;
use crate::transport::default_port;
use crate::uri::{Host, Uri};
use alloc::sync::Arc;
use sidetone_hal::net::Protocol;

/// What is to be located: a SIP URI's server, or the way back of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocateRequest {
    /// The host: RFC 3263 calls it TARGET.
    pub host: Host,
    /// The port, if one is written. 0 is as none.
    pub port: Option<u16>,
    /// The transport, if one is written or chosen already.
    pub transport: Option<Protocol>,
    /// Whether only secure transports count: the URI is `sips`.
    pub secure: bool,
    /// The domain that the targets are for ([`Target::domain`](crate::Target::domain)): that of the URI, whatever NAPTR,
    /// SRV or `maddr` say (RFC 5922 §4).
    pub domain: Option<Arc<str>>,
    /// What the draw among SRV records depends on. `None`: a new draw each time, as RFC 2782 has it. With a number of its
    /// own, somebody who asks again gets the same order while the records are the same: a telephone stays at one server,
    /// and still the telephones together are spread by weight.
    pub draw: Option<u64>,
    /// How.
    pub options: Arc<LocateOptions>,
}

impl LocateRequest {
    /// A host with nothing else said.
    #[must_use]
    pub fn new(host: Host) -> Self {
        let domain = match &host {
            Host::Name(name) => Some(name.trim_end_matches('.').to_ascii_lowercase().into()),
            Host::V4(_) | Host::V6(_) => None,
        };
        Self { host, port: None, transport: None, secure: false, domain, draw: None, options: Arc::default() }
    }

    /// The server of a `sip` or `sips` URI: of its `maddr` if it has one, else of its host (RFC 3263 §4).
    ///
    /// # Errors
    /// Another scheme, a `maddr` that is no host, or a transport that is not known or not secure enough.
    ///
    /// ```
    /// use sidetone_sip_core::{Protocol, locate::LocateRequest};
    /// let request = LocateRequest::uri(&"sips:bob@example.com;transport=tcp".parse().unwrap())?;
    /// assert_eq!((request.transport, request.secure), (Some(Protocol::Tls), true));
    /// assert_eq!(request.domain.as_deref(), Some("example.com"));
    /// # Ok::<(), sidetone_sip_core::locate::LocateError>(())
    /// ```
    pub fn uri(uri: &Uri) -> Result<Self, LocateError> {
        let mut request = Self::new(uri.host().ok_or(LocateError::Scheme)?);
        if let Some(maddr) = uri.param("maddr") {
            request.host = Host::parse(maddr.unwrap_or_default()).map_err(|_| LocateError::Name)?;
        }
        request.secure = uri.is_sips();
        request.port = uri.port();
        if uri.param("transport").is_some() {
            request.transport = Some(uri.transport().ok_or(LocateError::Transport)?);
            request.transport = request.wanted_transport()?;
        }
        Ok(request)
    }

    /// Where a response goes when the way that its request came is gone (RFC 3263 §5): the `maddr` or `sent-by` of its
    /// top Via, over the Via's transport. `None` for a transport that is not known.
    #[must_use]
    pub fn response(via: &Via) -> Option<Self> {
        let mut request = Self::new(via.maddr().unwrap_or_else(|| via.host.clone()));
        request.port = via.port;
        request.transport = Some(via.protocol()?);
        Some(request)
    }

    /// The same request, located so.
    #[must_use]
    pub fn with_options(mut self, options: impl Into<Arc<LocateOptions>>) -> Self {
        self.options = options.into();
        self
    }

    /// The same request, with always the same draw.
    #[must_use]
    pub const fn with_draw(mut self, draw: u64) -> Self {
        self.draw = Some(draw);
        self
    }

    /// The same request over this transport, if the URI names none.
    #[must_use]
    pub fn or_transport(mut self, transport: Protocol) -> Self {
        self.transport = self.transport.or(Some(transport));
        self
    }

    /// The transport that is asked for; for `sips` its secure counterpart (RFC 3261 §26.2.2).
    pub(super) fn wanted_transport(&self) -> Result<Option<Protocol>, LocateError> {
        match (self.transport, self.secure) {
            (Some(Protocol::Tcp), true) => Ok(Some(Protocol::Tls)),
            (Some(Protocol::Ws), true) => Ok(Some(Protocol::Wss)),
            (Some(Protocol::Udp), true) => Err(LocateError::Transport),
            (transport, _) => Ok(transport),
        }
    }

    /// The transport when nothing says which (RFC 3263 §4.1).
    pub(super) fn default_transport(&self) -> Protocol {
        if self.secure {
            self.options.usable(true).next().unwrap_or(Protocol::Tls)
        } else {
            self.options.default_transport
        }
    }

    pub(super) fn default_port(&self, protocol: Protocol) -> u16 {
        self.options.default_port.unwrap_or_else(|| default_port(protocol))
    }
}
