//! Plug and play: a telephone out of the box asks the network where its settings are (RFC 6080, as deployed).
//!
//! It sends `SUBSCRIBE sip:MAC%3A<its address>@224.0.1.75` for `ua-profile`, which asks once (Expires: 0); a server that knows it
//! answers 200 and sends a NOTIFY with a URL. Responses come to the address of the SUBSCRIBE: the telephones write no
//! `maddr` into Via, as RFC 3261 §18.1.1 would have it, for then servers would answer to the whole group.
//!
//! ```
//! use sidetone_sip_ua::feature::plug_and_play::PlugAndPlay;
//! use sidetone_sip_ua::package::device::ProfileRequest;
//! let asked = PlugAndPlay::new([0x00, 0x15, 0x65, 0x11, 0x3a, 0x42], ProfileRequest::new("sidetone", "es620", "1.0"));
//! let subscribe = asked.subscription()?;
//! assert_eq!(subscribe.to.as_str(), "sip:MAC%3A001565113a42@224.0.1.75");
//! assert!(subscribe.expires.is_zero());
//! # Ok::<(), sidetone_sip_ua::package::PackageError>(())
//! ```

use crate::package::PackageError;
use crate::package::device::{
    DeviceEvent, PNP_PORT, PROFILE_EVENT, Profile, ProfileRequest, URL_TYPE, pnp_uri,
};
use crate::subscription::{ResubscribeRule, SubscribeRequest};
use crate::{AccountConfig, AgentConfig};
use alloc::format;
use alloc::string::{String, ToString};
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{ContentType, Event};
use sidetone_sip_core::{Method, Request, Uri};

/// Who asks, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlugAndPlay {
    /// The telephone's hardware address, by which servers know it.
    pub mac: [u8; 6],
    /// What it is.
    pub request: ProfileRequest,
    /// The server to ask in place of the group (DIN-149): a host name or an address.
    pub server: Option<String>,
    /// The port to ask at; 5060 by default.
    pub port: u16,
}

impl PlugAndPlay {
    /// Asks the group.
    #[must_use]
    pub const fn new(mac: [u8; 6], request: ProfileRequest) -> Self {
        Self { mac, request, server: None, port: PNP_PORT }
    }

    /// The same by this server.
    #[must_use]
    pub fn with_server(mut self, server: &str) -> Self {
        self.server = Some(server.into());
        self
    }

    /// The same at this port.
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    fn uri(&self) -> Result<Uri, PackageError> {
        let uri = pnp_uri(self.mac, self.server.as_deref())?;
        if self.port == PNP_PORT {
            return Ok(uri);
        }
        let host = uri.host().map(|host| host.to_string()).unwrap_or_default();
        Uri::sip(uri.user().as_deref(), &host, Some(self.port))
            .map_err(|error| PackageError::new(1, 1, format!("the server of plug and play: {error}")))
    }

    /// Who the telephone is while it has no account: From and To are the address that it asks, as the phones have it.
    ///
    /// # Errors
    /// The server is none.
    pub fn account(&self) -> Result<AccountConfig, PackageError> {
        Ok(AccountConfig::new(self.uri()?).without_registration())
    }

    /// The SUBSCRIBE. It asks once; without an answer in 64·T1 it is over, and may be asked again later.
    ///
    /// # Errors
    /// The server is none.
    pub fn subscription(&self) -> Result<SubscribeRequest, PackageError> {
        let mut request = SubscribeRequest::new(self.uri()?, self.request.event())
            .accepting(URL_TYPE)
            .accepting(ContentType::from_static("message", "external-body"))
            .with_expires(Duration::ZERO);
        request.again = ResubscribeRule::NEVER;
        Ok(request)
    }

    /// What an agent needs to be told: deployed servers send a NOTIFY without the tags of the dialog, and even without a
    /// Subscription-State. That is one that belongs to no subscription.
    pub fn allow(config: &mut AgentConfig) {
        if !config.unsolicited.iter().any(|package| package == PROFILE_EVENT) {
            config.unsolicited.push(PROFILE_EVENT.into());
        }
    }

    /// What a NOTIFY tells, within the subscription or without one; `None` when it is about something else, or has
    /// nothing to tell yet.
    ///
    /// # Errors
    /// It has neither a URL nor settings.
    pub fn told(&self, notify: &Request) -> Result<Option<Profile>, PackageError> {
        let event = notify.headers.get::<Event>().and_then(Result::ok);
        let is_profile = event.is_some_and(|event| event.package.eq_ignore_ascii_case(PROFILE_EVENT));
        if notify.method != Method::NOTIFY || !is_profile || notify.body.is_empty() {
            return Ok(None);
        }
        Ok(match DeviceEvent::read(&notify.headers, &notify.body, None)? {
            Some(DeviceEvent::Profile(profile)) => Some(profile),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_sip_core::HeaderName;

    fn phone() -> PlugAndPlay {
        PlugAndPlay::new([0xc0, 0x74, 0xad, 0x11, 0x22, 0x33], ProfileRequest::new("v", "m", "1"))
    }

    fn notify(event: &str, body: &'static str) -> Request {
        let mut request = Request::new(Method::NOTIFY, "sip:1.2.3.4".parse().unwrap());
        request.headers.push_raw(HeaderName::EVENT, event).unwrap();
        request.set_body(&URL_TYPE, body);
        request
    }

    /// DIN-149.
    #[test]
    fn a_server_and_a_port_that_are_set_replace_the_group() {
        let asked = phone().with_server("pnp.example.com").with_port(5080);
        let to = "sip:MAC%3Ac074ad112233@pnp.example.com:5080";
        assert_eq!(asked.subscription().unwrap().to.as_str(), to);
        let account = asked.account().unwrap();
        assert_eq!((account.aor.as_str(), account.register), (to, false));
        assert_eq!(phone().subscription().unwrap().to.as_str(), "sip:MAC%3Ac074ad112233@224.0.1.75");
        let group = phone().with_port(5062).subscription().unwrap();
        assert_eq!(group.to.as_str(), "sip:MAC%3Ac074ad112233@224.0.1.75:5062");
        assert!(phone().with_server("not a host").subscription().is_err());
    }

    #[test]
    fn only_a_notify_with_a_place_tells_something() {
        let told =
            phone().told(&notify("ua-profile;effective-by=\"0\"", "http://192.0.2.1/gs/\r\n")).unwrap();
        assert_eq!(told.unwrap().urls, ["http://192.0.2.1/gs/"]);
        assert_eq!(phone().told(&notify("ua-profile", "")).unwrap(), None);
        assert_eq!(phone().told(&notify("check-sync", "http://192.0.2.1/")).unwrap(), None);
        assert!(phone().told(&notify("ua-profile", "gopher://192.0.2.1/")).is_err());
        let mut config = AgentConfig::new([0; 32]);
        PlugAndPlay::allow(&mut config);
        PlugAndPlay::allow(&mut config);
        assert_eq!(config.unsolicited, ["ua-profile"]);
    }
}
