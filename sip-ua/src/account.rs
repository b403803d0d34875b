//! An account as the agent keeps it: identity, credentials, and the address at which others reach it.

use crate::config::AccountConfig;
use crate::dialog::RouteSet;
use crate::error::ConfigError;
use alloc::borrow::Cow;
use alloc::string::String;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_sip_core::{DigestClient, NameAddr, Request, Response, Uri};

pub(crate) struct Account {
    pub(crate) config: AccountConfig,
    /// Lifetime to ask for, in seconds.
    pub(crate) expires: u32,
    /// The address that the registrar saw, where it differs from our own.
    pub(crate) learned: Option<SocketAddr>,
    digest: DigestClient,
}

impl Account {
    pub(crate) fn new(config: AccountConfig) -> Result<Self, ConfigError> {
        if !config.aor.is_sip() || config.proxy.as_ref().is_some_and(|proxy| !proxy.is_sip()) {
            return Err(ConfigError::NotSip);
        }
        let seconds = u32::try_from(config.expires.as_secs()).unwrap_or(0);
        if seconds == 0 {
            return Err(ConfigError::Expires);
        }
        Ok(Self { config, expires: seconds, learned: None, digest: DigestClient::new() })
    }

    /// Ourselves, as in From.
    pub(crate) fn address(&self) -> NameAddr {
        let mut address = NameAddr::from(self.config.aor.clone());
        address.display_name = self.config.display_name.as_deref().map(Into::into);
        address
    }

    /// The Request-URI of a REGISTER: the domain of the address of record, without a user (RFC 3261 §10.2).
    pub(crate) fn registrar(&self) -> Uri {
        let mut uri = self.config.aor.without_params();
        uri.set_user(None);
        uri
    }

    /// Where requests outside a dialog go first.
    pub(crate) fn routes(&self) -> RouteSet {
        self.config.proxy.as_ref().map(RouteSet::proxy).unwrap_or_default()
    }

    /// The transport towards the first hop: the outbound proxy's, if it names one.
    pub(crate) fn protocol(&self) -> Protocol {
        self.config.transport
    }

    pub(crate) fn user(&self) -> Cow<'_, str> {
        self.config.aor.user().unwrap_or_default()
    }

    /// Whether the address in a To header is ours.
    pub(crate) fn is(&self, uri: &Uri) -> bool {
        uri.user() == self.config.aor.user() && uri.host() == self.config.aor.host()
    }

    /// Answers a 401 or 407 in the headers of the request that it refused; `None` when that cannot be done.
    pub(crate) fn respond(
        &mut self,
        response: &Response,
        request: &mut Request,
        rng: &mut Rng,
    ) -> Option<()> {
        let password = self.config.password.as_ref()?;
        self.digest.respond(response, request, &auth_user(&self.config), password, rng).ok()
    }

    /// Adds the credentials that the provider asked for before, to what goes to the provider.
    pub(crate) fn attach(&mut self, request: &mut Request, hop: &Uri) {
        let Self { config, digest, .. } = self;
        let Some(password) = &config.password else { return };
        let first = config.proxy.as_ref().unwrap_or(&config.aor);
        if hop.host() == first.host() {
            digest.attach(request, &auth_user(config), password);
        }
    }
}

/// Who we are to a challenge.
fn auth_user(config: &AccountConfig) -> Cow<'_, str> {
    match &config.auth_user {
        Some(user) => Cow::Borrowed(user),
        None => config.aor.user().unwrap_or_default(),
    }
}

/// The user part of our Contact where no account gives one.
pub(crate) fn contact_uri(user: &str, address: SocketAddr, protocol: Protocol) -> Option<Uri> {
    let host = match address {
        SocketAddr::V4(v4) => alloc::format!("{}", v4.ip()),
        SocketAddr::V6(v6) => alloc::format!("[{}]", v6.ip()),
    };
    let user = (!user.is_empty()).then_some(user);
    let mut uri = Uri::sip(user, &host, Some(address.port())).ok()?;
    if protocol != Protocol::Udp {
        let mut name = String::from(protocol.as_str());
        name.make_ascii_lowercase();
        uri.set_param("transport", Some(&name));
    }
    Some(uri)
}
