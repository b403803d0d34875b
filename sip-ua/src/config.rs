//! What an agent and an account are made from: plain data with documented defaults.

use crate::error::ConfigError;
use alloc::string::{String, ToString};
use core::fmt;
use sidetone_hal::net::Protocol;
use sidetone_hal::time::Duration;
use sidetone_sip_core::{EndpointConfig, Secret, Uri};

/// Settings of an [`Agent`](crate::Agent).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentConfig {
    /// The transaction layer's settings; its seed is the agent's seed too.
    pub endpoint: EndpointConfig,
    /// The value of `User-Agent` in requests and `Server` in responses (RFC 3261 §20.41, §20.35).
    pub user_agent: String,
    /// Accounts held at once at most.
    pub max_accounts: usize,
    /// Calls held at once at most, ringing ones and ones being taken down included. A further incoming
    /// call is answered 486.
    pub max_calls: usize,
    /// How long an outgoing call may ring before it is cancelled, and an incoming one before it is answered 480.
    pub ring_timeout: Duration,
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
        Self {
            endpoint,
            user_agent: concat!("sidetone/", env!("CARGO_PKG_VERSION")).to_string(),
            max_accounts: 16,
            max_calls: 256,
            ring_timeout: Duration::from_secs(180),
            retry_base: Duration::from_secs(30),
            retry_max: Duration::from_secs(1800),
        }
    }
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
    /// Outbound proxy: where every request outside a dialog goes first, as a loose route (RFC 3261 §8.1.2).
    pub proxy: Option<Uri>,
    /// Transport towards the provider where the URI names none.
    pub transport: Protocol,
    /// Binding lifetime to ask for. Whole seconds; zero is refused.
    pub expires: Duration,
    /// Name shown to the other side.
    pub display_name: Option<String>,
    /// Whether to register. An account that does not register can call and be called all the same.
    pub register: bool,
    /// Whether the address that the registrar saw (`received` and `rport`, RFC 3581) replaces our own in Contact
    /// when they differ, which keeps the account reachable behind a NAT. On by default.
    pub rewrite_contact: bool,
}

impl AccountConfig {
    /// An account that registers by UDP for an hour, with no password.
    #[must_use]
    pub fn new(aor: Uri) -> Self {
        Self {
            aor,
            auth_user: None,
            password: None,
            proxy: None,
            transport: Protocol::Udp,
            expires: Duration::from_secs(3600),
            display_name: None,
            register: true,
            rewrite_contact: true,
        }
    }

    /// An account from `sip:user:password@host[:port][;transport=tcp]`.
    ///
    /// # Errors
    /// [`ConfigError::Uri`] when the text is no URI, [`ConfigError::NotSip`] for another scheme than `sip`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let uri: Uri = text.parse().map_err(ConfigError::Uri)?;
        let user = uri.user().map(|user| user.into_owned());
        let host = uri.host().ok_or(ConfigError::NotSip)?.to_string();
        let aor = Uri::sip(user.as_deref(), &host, uri.port()).map_err(ConfigError::Uri)?;
        let mut account = Self::new(aor);
        account.password = uri.password().map(|password| Secret::new(password.into_owned()));
        account.transport = uri.transport().unwrap_or(Protocol::Udp);
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

    /// The same account, not registered: calls go straight to their URI's host.
    #[must_use]
    pub fn without_registration(mut self) -> Self {
        self.register = false;
        self
    }
}

impl fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountConfig")
            .field("aor", &shown(&self.aor))
            .field("auth_user", &self.auth_user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("proxy", &self.proxy.as_ref().map(shown))
            .field("transport", &self.transport)
            .field("expires", &self.expires)
            .field("display_name", &self.display_name)
            .field("register", &self.register)
            .field("rewrite_contact", &self.rewrite_contact)
            .finish()
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
