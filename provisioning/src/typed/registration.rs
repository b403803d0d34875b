//! How an account registers, as the phone reads it.

use crate::settings::Settings;
use core::time::Duration;

/// How an account registers, and at which servers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct RegistrationSettings {
    pub registrar: Option<String>,
    pub proxy: Option<String>,
    pub server2_proxy: Option<String>,
    /// `None` takes the account's.
    pub server2_expires: Option<Duration>,
    /// `None` waits for 64 times T1.
    pub server_retries: Option<u8>,
    pub server_probe: Duration,
    pub failback: FailbackKind,
    pub failback_time: Duration,
    pub register_on_failover: bool,
    /// Percent of the lifetime; `None` draws it.
    pub refresh: Option<u8>,
    /// `None` by `refresh`.
    pub every: Option<Duration>,
    /// `None` backs off.
    pub retry: Option<Duration>,
    pub stops_on_403: bool,
    pub expires_in: ExpiresPlace,
    pub unregister_first: bool,
    pub unregister_at_close: bool,
    pub send_mac: MacSetting,
    pub call_unregistered: bool,
}

/// When the first address of a server is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum FailbackKind {
    Avoid,
    NewRequests,
    DnsTtl,
    Registration,
    Duration,
}

/// Where a REGISTER says the lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum ExpiresPlace {
    Header,
    Contact,
    Both,
}

/// Where a REGISTER says the hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum MacSetting {
    Off,
    Header,
    UserAgent,
}

impl Settings {
    pub(super) fn account_registration(&self, number: u8) -> RegistrationSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        let time = |name: &str| Some(value(name).seconds()).filter(|time| !time.is_zero());
        RegistrationSettings {
            registrar: value("registrar").filled(),
            proxy: value("proxy").filled(),
            server2_proxy: value("server2_proxy").filled(),
            server2_expires: time("server2_expires"),
            server_retries: value("server_retries")
                .optional_number()
                .and_then(|retries| u8::try_from(retries).ok()),
            server_probe: value("server_probe").seconds(),
            failback: match value("failback").word() {
                "new-requests" => FailbackKind::NewRequests,
                "dns-ttl" => FailbackKind::DnsTtl,
                "registration" => FailbackKind::Registration,
                "duration" => FailbackKind::Duration,
                _ => FailbackKind::Avoid,
            },
            failback_time: value("failback_time").seconds(),
            register_on_failover: value("register_on_failover").bool(),
            refresh: Some(value("register_refresh").octet()).filter(|percent| *percent > 0),
            every: time("register_every"),
            retry: time("register_retry"),
            stops_on_403: value("register_stops_on_403").bool(),
            expires_in: match value("register_expires_in").word() {
                "contact" => ExpiresPlace::Contact,
                "both" => ExpiresPlace::Both,
                _ => ExpiresPlace::Header,
            },
            unregister_first: value("unregister_first").bool(),
            unregister_at_close: value("unregister_at_close").bool(),
            send_mac: match value("send_mac").word() {
                "header" => MacSetting::Header,
                "user-agent" => MacSetting::UserAgent,
                _ => MacSetting::Off,
            },
            call_unregistered: value("call_unregistered").bool(),
        }
    }
}
