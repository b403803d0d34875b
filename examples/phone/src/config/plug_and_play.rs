//! How the phone asks the network where its settings are, from the settings.

use super::Config;
use crate::trace::Trace;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use sidetone_provisioning::PnpSettings;
use sidetone_sip_ua::feature::plug_and_play;
use sidetone_sip_ua::package::device::{Profile, ProfileRequest, parse_mac};
use sidetone_sip_ua::{Error, UserAgent};

/// Plug and play.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PlugAndPlay {
    /// Whether the phone asks at its start.
    pub enabled: bool,
    /// The hardware address by which servers know it.
    pub mac: Option<[u8; 6]>,
    /// The server in place of the group.
    pub server: Option<String>,
    /// The port there; `None` stands for the usual one.
    pub port: Option<u16>,
    /// How often it asks again; `None` asks at the start only.
    pub interval: Option<Duration>,
    /// The interface by which it asks, by its address; without one the system's routes choose.
    pub interface: Option<Ipv4Addr>,
}

impl PlugAndPlay {
    pub(super) fn apply_file(&mut self, settings: &PnpSettings) -> Result<(), String> {
        self.mac = match settings.mac.as_str() {
            "" => None,
            text => Some(parse_mac(text).ok_or_else(|| {
                format!("phone.mac: {text:?}: expected six bytes in hexadecimal, as 00:15:65:11:3a:42")
            })?),
        };
        self.enabled = settings.enabled;
        if self.enabled && self.mac.is_none() {
            return Err("pnp.enabled: takes phone.mac, by which servers know the telephone".to_owned());
        }
        self.server.clone_from(&settings.server);
        self.port = Some(settings.port);
        (self.interval, self.interface) = (settings.interval, settings.interface);
        Ok(())
    }
}

impl Config {
    /// Asks the network where the settings are, once; `name` is what the ladder calls the phone.
    ///
    /// # Errors
    /// Nobody told any, no socket can be opened, or the phone has no hardware address.
    pub async fn find_profile(&self, name: &str, trace: Option<&Trace>) -> Result<Profile, Error> {
        let own = &self.plug_and_play;
        let Some(mac) = own.mac else {
            let reason = "the phone has no hardware address: set phone.mac".to_owned();
            return Err(Error::Profile { status: None, reason });
        };
        let request = ProfileRequest::new("Sidetone", self.model.name, env!("CARGO_PKG_VERSION"));
        let mut asked = plug_and_play::PlugAndPlay::new(mac, request);
        asked.server.clone_from(&own.server);
        asked.port = own.port.unwrap_or(asked.port);
        // A socket of its own: what answers here is no server of any account.
        let ip = own.interface.map_or_else(|| self.network.local.ip(), IpAddr::V4);
        let builder = UserAgent::builder().bind_udp(SocketAddr::new(ip, 0)).user_agent(&self.user_agent);
        let builder = match trace {
            Some(trace) => builder.trace(trace.tap(name)),
            None => builder,
        };
        builder.find_profile(&asked).await
    }
}
