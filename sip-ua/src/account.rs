//! An account as the agent keeps it: identity, credentials, and the address at which others reach it.

mod slot;

pub(crate) use slot::{Pin, Slot, Way, same};

use crate::config::AccountConfig;
use crate::error::ConfigError;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_sip_core::locate::LocateOptions;
use sidetone_sip_core::{
    AuthError, CredentialStore, DigestClient, Login, NameAddr, Request, Response, Target, Uri,
};

pub(crate) struct Account {
    pub(crate) config: AccountConfig,
    /// Where it can be registered, what is liked best first. At least one.
    pub(crate) slots: Vec<Slot>,
    /// The address that the registrar saw, where it differs from our own.
    pub(crate) learned: Option<SocketAddr>,
    /// How its servers are located.
    pub(crate) locate: Arc<LocateOptions>,
    /// What its share of the draws among servers depends on: always the same, so that it stays at one server.
    pub(crate) draw: u64,
    /// The provider's server that answered last.
    pub(crate) server: Option<Target>,
    /// The public address that was found out as the settings say.
    pub(crate) detected: Option<SocketAddr>,
    digest: DigestClient,
    logins: CredentialStore,
}

impl Account {
    pub(crate) fn new(config: AccountConfig, rng: &mut Rng) -> Result<Self, ConfigError> {
        if ![&config.aor].into_iter().chain(&config.proxy).chain(config.further_servers()).all(Uri::is_sip) {
            return Err(ConfigError::NotSip);
        }
        let slots = Slot::all(&config, slot::seconds(config.expires.as_secs()));
        if slots.iter().any(|slot| slot.expires == 0) {
            return Err(ConfigError::Expires);
        }
        if slots.len() > slot::MAX_SLOTS {
            return Err(ConfigError::TooManyServers(slot::MAX_SLOTS));
        }
        if config.session.timer.interval() == 0 || config.session.timer.shortest() == 0 {
            return Err(ConfigError::SessionTimer);
        }
        let digest = DigestClient::with_config(config.digest.clone());
        let logins = logins(&config);
        let locate = Arc::new(config.locate.clone());
        Ok(Self {
            config,
            slots,
            learned: None,
            locate,
            draw: rng.next_u64(),
            server: None,
            detected: None,
            digest,
            logins,
        })
    }

    /// Ourselves, as in From.
    pub(crate) fn address(&self) -> NameAddr {
        let mut address = NameAddr::from(self.config.aor.clone());
        address.display_name = self.config.display_name.as_deref().map(Into::into);
        address
    }

    /// The domain of the address of record, without a user: the Request-URI of a REGISTER (RFC 3261 §10.2).
    pub(crate) fn domain(&self) -> Uri {
        let mut uri = self.config.aor.without_params();
        uri.set_user(None);
        uri
    }

    /// The first place that holds a binding.
    pub(crate) fn current(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.binding.is_some())
    }

    /// The ways that a request outside of dialogs may take, in the order in which they are tried: those to places that
    /// hold a binding first.
    pub(crate) fn ways(&self, now: Instant, target: &Uri) -> Vec<Way> {
        let slots = || self.slots.iter().enumerate();
        let registered = slots().filter(|(_, slot)| slot.binding.is_some());
        let others = slots().filter(|(_, slot)| slot.binding.is_none());
        let is_ours = target.host() == self.config.aor.host();
        let mut ways = Vec::new();
        for (index, slot) in registered.chain(others) {
            let direct = !is_ours && !slot.takes_everything();
            if direct && !ways.is_empty() {
                continue;
            }
            ways.extend(slot.ways(index, &self.config, now));
            if direct {
                ways.iter_mut().for_each(|way| (way.register_on_failover, way.flow) = (false, None));
                // Another domain than ours, and nobody who would take calls to it: it is asked itself.
                break;
            }
        }
        ways
    }

    /// Sends what goes to an edge proxy within a dialog over the flow that is registered there (RFC 5626 §4.3). There are few
    /// of either.
    pub(crate) fn over_flows(&self, targets: &mut [Target]) {
        for target in targets {
            let flows = self.slots.iter().filter_map(Slot::live_flow);
            let known = flows.map(|(_, flow)| flow).find(|flow| same(flow, target));
            target.flow = known.and_then(|flow| flow.flow);
        }
    }

    /// The transport towards the first hop: that of the server that answered last, else as configured.
    pub(crate) fn protocol(&self) -> Protocol {
        self.server.as_ref().map_or(self.config.transport, |server| server.protocol)
    }

    /// A socket or listener of ours at `local` as others see it, when that was found out or is in the settings. What
    /// was found out goes first.
    pub(crate) fn public(&self, protocol: Protocol, local: SocketAddr) -> Option<SocketAddr> {
        let fixed = self.config.public_address.fixed.map(|ip| SocketAddr::new(ip, local.port()));
        let detected = self.detected.map(|detected| match protocol.is_reliable() {
            true => SocketAddr::new(detected.ip(), local.port()),
            false => detected,
        });
        detected.or(fixed).filter(|public| public.is_ipv4() == local.is_ipv4())
    }

    pub(crate) fn user(&self) -> Cow<'_, str> {
        self.config.aor.user().unwrap_or_default()
    }

    /// Whether the address in a To header is ours: the address of record, at whichever of our servers, or one that the
    /// registrar says is ours too (P-Associated-URI).
    pub(crate) fn is(&self, uri: &Uri) -> bool {
        let is_at = |home: &Uri| uri.host() == home.host();
        let servers = self.slots.iter().filter(|slot| slot.server.own_domain);
        let mut domains = servers.filter_map(|slot| slot.server.uri.as_ref());
        if uri.user() == self.config.aor.user() && (is_at(&self.config.aor) || domains.any(is_at)) {
            return true;
        }
        let bindings = self.slots.iter().filter_map(|slot| slot.binding.as_ref());
        let mut associated = bindings.flat_map(|binding| &binding.associated);
        associated.any(|address| address.uri.user() == uri.user() && is_at(&address.uri))
    }

    /// Answers a 401 or 407 in the headers of the request that it refused; `None` when that cannot be done.
    pub(crate) fn respond(
        &mut self,
        response: &Response,
        request: &mut Request,
        rng: &mut Rng,
    ) -> Option<()> {
        self.digest.respond(response, request, &self.logins, rng).ok()
    }

    /// Takes what a server says of itself in the answer to a request with credentials (RFC 7616 §3.5): its proof and the
    /// next nonce.
    pub(crate) fn accept(&mut self, response: &Response, request: &Request) -> Result<(), AuthError> {
        self.digest.accept(response, request, &self.logins)
    }

    /// Writes the credentials of a request that goes once more anew: their count of uses goes on (RFC 7616 §3.4), for a server
    /// takes the same count for a replay.
    pub(crate) fn renew(&mut self, request: &mut Request) {
        self.digest.renew(request, &self.logins);
    }

    /// Adds the credentials that the provider asked for before, to what goes to the provider.
    pub(crate) fn attach(&mut self, request: &mut Request, hop: &Uri) {
        let Self { config, digest, logins, slots, .. } = self;
        let is_home = config.proxy.is_none() && hop.host() == config.aor.host();
        if is_home || slots.iter().any(|slot| slot.knows(hop)) {
            digest.attach(request, logins);
        }
    }
}

/// Who we are to a challenge: user and password of the account, unless the realm has a login of its own.
fn logins(config: &AccountConfig) -> CredentialStore {
    let user = match &config.auth_user {
        Some(user) => Cow::Borrowed(user.as_str()),
        None => config.aor.user().unwrap_or_default(),
    };
    match &config.password {
        Some(password) => config.logins.clone().with_fallback(Login::new(user, password.clone())),
        None => config.logins.clone(),
    }
}

/// Our Contact at an address.
///
/// `sips`: what it answers is sent to a `sips` URI, so it must be one too (RFC 3261 §8.1.1.8, RFC 5630 §5.1.2). The
/// scheme says TLS then, and the parameter `transport` what lies under it. WebSocket has one name, secure or not (RFC
/// 7118 §5.3).
pub(crate) fn contact_uri(user: &str, address: SocketAddr, protocol: Protocol, sips: bool) -> Option<Uri> {
    let host = match address {
        SocketAddr::V4(v4) => alloc::format!("{}", v4.ip()),
        SocketAddr::V6(v6) => alloc::format!("[{}]", v6.ip()),
    };
    let user = (!user.is_empty()).then_some(user);
    let mut uri = match sips {
        true => Uri::sips(user, &host, Some(address.port())).ok()?,
        false => Uri::sip(user, &host, Some(address.port())).ok()?,
    };
    let named = match protocol {
        Protocol::Tls if sips => Protocol::Tcp,
        Protocol::Wss => Protocol::Ws,
        other => other,
    };
    if named != Protocol::Udp {
        let mut name = String::from(named.as_str());
        name.make_ascii_lowercase();
        uri.set_param("transport", Some(&name));
    }
    Some(uri)
}
