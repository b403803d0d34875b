//! Plug and play, as the phone reads it.

use crate::settings::Settings;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

/// How the phone asks the network where its settings are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct PnpSettings {
    pub enabled: bool,
    /// As it was written; empty if nobody set it.
    pub mac: String,
    pub server: Option<String>,
    pub port: u16,
    /// `None` asks once.
    pub interval: Option<Duration>,
    pub interface: Option<Ipv4Addr>,
}

impl Settings {
    pub(super) fn pnp(&self) -> PnpSettings {
        let value = |path: &str| self.value(path, 0);
        PnpSettings {
            enabled: value("pnp.enabled").bool(),
            mac: value("phone.mac").text(),
            server: value("pnp.server").filled(),
            port: value("pnp.port").port().unwrap_or(5060),
            interval: Some(value("pnp.interval").seconds()).filter(|time| !time.is_zero()),
            interface: match value("pnp.interface").ip() {
                Some(IpAddr::V4(address)) => Some(address),
                _ => None,
            },
        }
    }
}
