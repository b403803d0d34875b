//! What an agent and an account are made from: plain data with documented defaults.

mod outbound;
mod redundancy;
mod refresh;
mod registration;
mod subscription;

pub use outbound::Outbound;
pub use redundancy::{Failback, Redundancy, RedundancyMode, Server};
pub use refresh::{RefreshRule, RetryRule};
pub use registration::{ExpiresIn, MacPlace, RegistrationConfig, SendMac};
pub use subscription::SubscriptionRules;

use crate::error::ConfigError;
use crate::feature::redirect::RedirectConfig;
use crate::session::SessionConfig;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use sidetone_hal::net::Protocol;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::locate::{LocateOptions, LocatorConfig};
use sidetone_sip_core::nat::{KeepAlive, PublicAddress};
use sidetone_sip_core::{CredentialStore, DigestClientConfig, EndpointConfig, Method, Secret, Uri};

/// Settings of an [`Agent`](crate::Agent).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentConfig {
    /// The transaction layer's settings; its seed is the agent's seed too.
    pub endpoint: EndpointConfig,
    /// Bounds and times of server location (RFC 3263): caches, questions, servers that failed.
    pub locator: LocatorConfig,
    /// The value of `User-Agent` in requests and `Server` in responses (RFC 3261 §20.41, §20.35).
    pub user_agent: String,
    /// Accounts held at once at most.
    pub max_accounts: usize,
    /// Calls held at once at most, ringing ones and ones being taken down included. A further incoming
    /// call is answered 486.
    pub max_calls: usize,
    /// How long an outgoing call may ring before it is cancelled, and an incoming one before it is answered 480.
    pub ring_timeout: Duration,
    /// Methods whose requests are given to the user as [`Event::Request`](crate::Event::Request), who answers them, beside
    /// those that the agent serves by itself: MESSAGE, PUBLISH and so on. None by default: they are answered 405.
    pub methods: Vec<Method>,
    /// Event packages that others may subscribe to here ([`Event::Subscribe`](crate::Event::Subscribe)). None by default:
    /// others are answered 489.
    pub packages: Vec<String>,
    /// Event packages whose NOTIFY is taken without a subscription, outside of dialogs and within calls, as
    /// [`Event::Request`](crate::Event::Request): `check-sync`, `message-summary`, `talk`, `hold`. None by default: they are
    /// answered 481 (RFC 6665 §4.1.3).
    pub unsolicited: Vec<String>,
    /// Whose REFER is taken.
    pub refer: ReferPolicy,
    /// Whether a REFER may ask us to hang up somebody (`method=BYE` in Refer-To), as the focus of a conference is asked to put
    /// somebody out (RFC 4579). Off by default: such a REFER is answered 501, as any other method than INVITE is.
    pub refer_bye: bool,
    /// Whether an INVITE with Replaces may take the place of a call that rings here and was begun by the other side. RFC 3891
    /// §3 has it answered 481, so off by default; the telephones whose semi-attended transfer refers to a call that still
    /// rings need it (YLA-107).
    pub replace_ringing: bool,
    /// Whether an INVITE with Join is told with the call that it is to be mixed with
    /// ([`Invite::join`](crate::Invite::join), RFC 3911): only where the user mixes calls. Off by default: the header is
    /// then one that is not understood, which `Require: join` has answered 420.
    pub join: bool,
    /// Subscriptions at once at most, ours and others' counted apart. A further one of others is answered 503.
    pub max_subscriptions: usize,
    /// The shortest subscription of others that is granted; whoever asks for less is told so by 423 (RFC 6665 §4.2.1.1).
    /// Whole seconds.
    pub min_subscription: Duration,
    /// The longest subscription of others that is granted. Whole seconds.
    pub max_subscription: Duration,
    /// Requests without a response at once at most, sent and received counted apart.
    pub max_requests: usize,
    /// The first step of the registration back-off (RFC 5626 §4.5 calls it base-time); it doubles with each failure.
    pub retry_base: Duration,
    /// The longest registration back-off (RFC 5626 §4.5 calls it max-time).
    pub retry_max: Duration,
}

impl AgentConfig {
    /// The defaults: 16 accounts, 256 calls, 3 minutes of ringing, back-off from 30 s to 30 min.
    ///
    /// `seed` feeds tags, branches, nonces and jitter; a product takes it from the operating system.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        let mut endpoint = EndpointConfig::new(seed);
        // A registrar behind a connection reaches us by that connection only: it outlives a refresh interval.
        endpoint.idle = Duration::from_secs(7200);
        endpoint.refuse_merged = true;
        Self {
            endpoint,
            locator: LocatorConfig::default(),
            user_agent: concat!("sidetone/", env!("CARGO_PKG_VERSION")).to_string(),
            max_accounts: 16,
            max_calls: 256,
            ring_timeout: Duration::from_secs(180),
            methods: Vec::new(),
            packages: Vec::new(),
            unsolicited: Vec::new(),
            refer: ReferPolicy::InCalls,
            refer_bye: false,
            replace_ringing: false,
            join: false,
            max_subscriptions: 512,
            min_subscription: Duration::from_secs(60),
            max_subscription: Duration::from_secs(3600),
            max_requests: 64,
            retry_base: Duration::from_secs(30),
            retry_max: Duration::from_secs(1800),
        }
    }
}

/// Whose REFER is given to the user ([`Event::Referred`](crate::Event::Referred)), who takes or refuses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReferPolicy {
    /// Nobody's: 403.
    Never,
    /// That of the other side of a call: a transfer.
    #[default]
    InCalls,
    /// Also one outside of any call, which makes us call somebody: click to dial. Only where others are trusted.
    Always,
}

/// One identity at one provider.
///
/// ```
/// use sidetone_sip_ua::AccountConfig;
/// let account = AccountConfig::parse("sip:alice:secret@example.org")?;
/// assert_eq!(account.aor.to_string(), "sip:alice@example.org");
/// assert!(!format!("{account:?}").contains("secret"));
/// # Ok::<(), sidetone_sip_ua::ConfigError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct AccountConfig {
    /// Address of record: `sip:user@domain`. Goes into From and, on registration, To.
    pub aor: Uri,
    /// User name for digest when it differs from the user part of the address of record.
    pub auth_user: Option<String>,
    /// Password for digest. Without one, a challenge ends the request.
    pub password: Option<Secret>,
    /// Logins for realms that have their own, beside the provider's: a trunk, a proxy on the way. Those without are
    /// answered with `auth_user` and `password`. None by default.
    pub logins: CredentialStore,
    /// How challenges are answered: the weakest hash, `auth-int`, and whether a registrar must prove that it knows the
    /// password too.
    pub digest: DigestClientConfig,
    /// Outbound proxy: where every request outside a dialog goes first, as a loose route (RFC 3261 §8.1.2).
    pub proxy: Option<Uri>,
    /// Transport towards the provider where the URI names none.
    pub transport: Protocol,
    /// Whether DNS chooses the transport instead, by NAPTR and SRV records, where the URI names none: what Yealink calls
    /// the transport DNS-NAPTR. Off by default. Without NAPTR and SRV records it is `transport` all the same.
    pub transport_by_dns: bool,
    /// How servers are located: which records, in which order, configured ones.
    pub locate: LocateOptions,
    /// After how many repeats a UDP server that says nothing is given up while there is another one to try (Yealink's
    /// `retry_counts`, 3 there). The last one always has its 64·T1. `None`, the default: every one has.
    pub server_retries: Option<u8>,
    /// Binding lifetime to ask for. Whole seconds; zero is refused.
    pub expires: Duration,
    /// Name shown to the other side.
    pub display_name: Option<String>,
    /// Whether to register. An account that does not register can call and be called all the same.
    pub register: bool,
    /// Whether calls can be made while nothing is registered (Dinstar's "call without registration"). On by default; it
    /// counts only for accounts that are to register.
    pub call_unregistered: bool,
    /// How it registers: refresh, retry, what a REGISTER says.
    pub registration: RegistrationConfig,
    /// How its subscriptions are kept.
    pub subscriptions: SubscriptionRules,
    /// Further servers and backup proxies.
    pub redundancy: Redundancy,
    /// Flows and GRUU (RFC 5626, RFC 5627). `None`, the default: neither.
    pub outbound: Option<Outbound>,
    /// Whether the address that the registrar saw (`received` and `rport`, RFC 3581) replaces our own in Contact
    /// when they differ, which keeps the account reachable behind a NAT. On by default.
    pub rewrite_contact: bool,
    /// Whether the driver changes to another UDP port after a failed registration, for the next attempt: some NATs and
    /// providers block a port for a while. The port is that of a range, or one that the system chooses; a fixed one stays.
    /// Accounts that share a socket change together. Off by default.
    pub new_port_on_failure: bool,
    /// How the way to the registrar is kept open, and found dead. Off by default.
    pub keep_alive: KeepAlive,
    /// Our address as others see it: told, or to be found out; goes before what `rewrite_contact` learns. Off by
    /// default.
    pub public_address: PublicAddress,
    /// Whether requests ask for `rport` (RFC 3581). On by default; off, responses go to the port in Via.
    pub rport: bool,
    /// What calls use of session timers, reliable provisional responses and connected identity.
    pub session: SessionConfig,
    /// Whether calls follow a 3xx, and how far. By default they do, up to 8 targets.
    pub redirect: RedirectConfig,
    /// Types of body beside SDP that this account takes within calls, for Accept: advice of charge and the like. None by
    /// default.
    pub accept: Vec<ContentType>,
    /// How this account's calls sound and are negotiated. `None`, the default: as the user agent's.
    #[cfg(feature = "media")]
    pub audio: Option<crate::AudioConfig>,
}

impl AccountConfig {
    /// An account that registers by UDP for an hour, with no password.
    #[must_use]
    pub fn new(aor: Uri) -> Self {
        Self {
            aor,
            auth_user: None,
            password: None,
            logins: CredentialStore::new(),
            digest: DigestClientConfig::default(),
            proxy: None,
            transport: Protocol::Udp,
            transport_by_dns: false,
            locate: LocateOptions::default(),
            server_retries: None,
            expires: Duration::from_secs(3600),
            display_name: None,
            register: true,
            call_unregistered: true,
            registration: RegistrationConfig::default(),
            subscriptions: SubscriptionRules::default(),
            redundancy: Redundancy::default(),
            outbound: None,
            rewrite_contact: true,
            new_port_on_failure: false,
            keep_alive: KeepAlive::off(),
            public_address: PublicAddress::default(),
            rport: true,
            session: SessionConfig::default(),
            redirect: RedirectConfig::default(),
            accept: Vec::new(),
            #[cfg(feature = "media")]
            audio: None,
        }
    }

    /// An account from `sip:user:password@host[:port][;transport=tcp]`, or `tls`, or with `sips:`.
    ///
    /// # Errors
    /// [`ConfigError::Uri`] when the text is no URI, [`ConfigError::NotSip`] for another scheme than `sip`
    /// and `sips`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let uri: Uri = text.parse().map_err(ConfigError::Uri)?;
        let user = uri.user().map(|user| user.into_owned());
        let host = uri.host().ok_or(ConfigError::NotSip)?.to_string();
        let aor = match uri.is_sips() {
            true => Uri::sips(user.as_deref(), &host, uri.port()),
            false => Uri::sip(user.as_deref(), &host, uri.port()),
        };
        let aor = aor.map_err(ConfigError::Uri)?;
        let mut account = Self::new(aor);
        account.password = uri.password().map(|password| Secret::new(password.into_owned()));
        account.transport = match (uri.transport(), uri.is_sips()) {
            (Some(Protocol::Ws | Protocol::Wss), true) => Protocol::Wss,
            (_, true) => Protocol::Tls,
            (transport, false) => transport.unwrap_or(Protocol::Udp),
        };
        Ok(account)
    }

    /// An account of a user at its own server, or at the one that the telephone has for every account (SayHi's "Global
    /// SIP") when it has none of its own.
    ///
    /// ```
    /// use sidetone_sip_ua::AccountConfig;
    /// let global = "sip:pbx.example.org".parse().ok();
    /// let account = AccountConfig::of_user("200", None, global.as_ref())?;
    /// assert_eq!(account.aor.to_string(), "sip:200@pbx.example.org");
    /// # Ok::<(), sidetone_sip_ua::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::NotSip`] when neither names a SIP server.
    pub fn of_user(user: &str, own: Option<&Uri>, global: Option<&Uri>) -> Result<Self, ConfigError> {
        let server = own.or(global).filter(|server| server.is_sip()).ok_or(ConfigError::NotSip)?;
        let mut aor = server.without_params();
        aor.set_user(Some(user));
        let mut account = Self::new(aor);
        account.transport = match server.is_sips() {
            true => Protocol::Tls,
            false => server.transport().unwrap_or(Protocol::Udp),
        };
        Ok(account)
    }

    /// The same account with a password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.password = Some(Secret::new(password));
        self
    }

    /// The same account behind an outbound proxy.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Uri) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// The same account over another transport.
    #[must_use]
    pub fn with_transport(mut self, transport: Protocol) -> Self {
        self.transport = transport;
        self
    }

    /// The same account, its servers located so.
    #[must_use]
    pub fn with_locate(mut self, locate: LocateOptions) -> Self {
        self.locate = locate;
        self
    }

    /// The same account with another lifetime to ask for.
    #[must_use]
    pub fn with_expires(mut self, expires: Duration) -> Self {
        self.expires = expires;
        self
    }

    /// The same account with a name to show.
    #[must_use]
    pub fn with_display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// The same account with keep-alives.
    #[must_use]
    pub fn with_keep_alive(mut self, keep_alive: KeepAlive) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// The same account behind a NAT whose public address is told or to be found out.
    #[must_use]
    pub fn with_public_address(mut self, public_address: PublicAddress) -> Self {
        self.public_address = public_address;
        self
    }

    /// The same account, its calls with other extensions.
    #[must_use]
    pub const fn with_session(mut self, session: SessionConfig) -> Self {
        self.session = session;
        self
    }

    /// The same account, its calls redirected so.
    #[must_use]
    pub fn with_redirect(mut self, redirect: RedirectConfig) -> Self {
        self.redirect = redirect;
        self
    }

    /// The same account, which changes its UDP port after a failed registration.
    #[must_use]
    pub fn with_new_port_on_failure(mut self) -> Self {
        self.new_port_on_failure = true;
        self
    }

    /// The same account, registered so.
    #[must_use]
    pub fn with_registration(mut self, registration: RegistrationConfig) -> Self {
        self.registration = registration;
        self
    }

    /// The same account with several servers.
    #[must_use]
    pub fn with_redundancy(mut self, redundancy: Redundancy) -> Self {
        self.redundancy = redundancy;
        self
    }

    /// The same account with flows and GRUU.
    #[must_use]
    pub fn with_outbound(mut self, outbound: Outbound) -> Self {
        self.outbound = Some(outbound);
        self
    }

    /// The same account, not registered: calls go straight to their URI's host.
    #[must_use]
    pub fn without_registration(mut self) -> Self {
        self.register = false;
        self
    }
}

impl AccountConfig {
    /// The servers and proxies beside the address of record's domain and the outbound proxy.
    pub(crate) fn further_servers(&self) -> impl Iterator<Item = &Uri> {
        let servers = self.redundancy.servers.iter();
        let servers = servers.flat_map(|server| server.uri.iter().chain(&server.proxy));
        let edges = self.outbound.iter().flat_map(|outbound| &outbound.proxies);
        self.redundancy.backup_proxies.iter().chain(servers).chain(edges)
    }
}

impl fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown_config = f.debug_struct("AccountConfig");
        shown_config
            .field("aor", &shown(&self.aor))
            .field("auth_user", &self.auth_user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("logins", &self.logins)
            .field("digest", &self.digest)
            .field("proxy", &self.proxy.as_ref().map(shown))
            .field("transport", &self.transport)
            .field("transport_by_dns", &self.transport_by_dns)
            .field("locate", &self.locate)
            .field("server_retries", &self.server_retries)
            .field("expires", &self.expires)
            .field("display_name", &self.display_name)
            .field("register", &self.register)
            .field("call_unregistered", &self.call_unregistered)
            .field("registration", &self.registration)
            .field("redundancy", &self.redundancy)
            .field("outbound", &self.outbound)
            .field("rewrite_contact", &self.rewrite_contact)
            .field("new_port_on_failure", &self.new_port_on_failure)
            .field("keep_alive", &self.keep_alive)
            .field("public_address", &self.public_address)
            .field("rport", &self.rport)
            .field("session", &self.session)
            .field("redirect", &self.redirect)
            .field("accept", &self.accept);
        #[cfg(feature = "media")]
        shown_config.field("audio", &self.audio);
        shown_config.finish()
    }
}

/// A URI as a log may show it: without the password that somebody may have put into it.
fn shown(uri: &Uri) -> Uri {
    let mut uri = uri.clone();
    if uri.password().is_some() {
        let user = uri.user().map(|user| user.into_owned());
        uri.set_user(user.as_deref());
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let proxy: Uri = "sip:phone:hidden1@proxy.example.org".parse().unwrap();
        let mut account = AccountConfig::parse("sip:alice:hidden2@example.org").unwrap().with_proxy(proxy);
        account.aor = "sip:alice:hidden3@example.org".parse().unwrap();
        let text = alloc::format!("{account:?}");
        assert!(!text.contains("hidden"), "{text}");
        assert!(text.contains("phone@proxy.example.org") && text.contains("alice@example.org"), "{text}");
    }
}
