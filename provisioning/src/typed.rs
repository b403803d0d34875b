//! The settings as the phone reads them: values of Rust's types.

mod calls;
mod codes;
mod completion;
mod dialplan;
mod features;
mod identity;
mod keys;
mod locating;
mod pnp;
mod registration;
mod server;
mod session;
mod several;
mod sound;
mod subscribing;

pub use calls::{AccountCallSettings, CallSettings, DndSettings, ForwardSettings, IntercomSettings};
pub use codes::CodeSettings;
pub use completion::CompletionSettings;
pub use dialplan::{AccountDialSettings, DialSettings};
pub use features::{AccountFeatureSettings, FeatureSettings};
pub use identity::IdentitySettings;
pub use keys::{BlfListSettings, KeySettings, KeysSettings};
pub use locating::{DnsCache, LocatingSettings};
pub use pnp::PnpSettings;
pub use registration::{ExpiresPlace, FailbackKind, MacSetting, RegistrationSettings};
pub use server::{AccountServerSettings, ServerSettings};
pub use session::{Redirects, RefreshKind, SessionSettings};
pub use several::{AccountSeveralSettings, SeveralSettings};
pub use sound::SoundSettings;
pub use subscribing::SubscribingSettings;

use crate::host::Host;
use crate::schema::ACCOUNTS;
use crate::settings::{Secret, Settings, Value};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use sidetone_dialplan::{DigitMap, RuleList};

/// One account, as the phone uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct AccountSettings {
    pub enabled: bool,
    /// A `sip:` or `sips:` URI; empty means no account.
    pub aor: String,
    pub display_name: Option<String>,
    pub auth_user: Option<String>,
    pub password: Secret,
    pub outbound_proxy: Option<String>,
    pub transport: Transport,
    pub expires: Duration,
    pub rport: bool,
    pub keep_alive: KeepAliveKind,
    /// `None` takes what the RFC has.
    pub keep_alive_interval: Option<Duration>,
    pub keep_alive_failures: Vec<u16>,
    pub nat: NatKind,
    pub nat_address: Option<IpAddr>,
    pub nat_interval: Duration,
    pub stun_servers: Vec<Host>,
    pub dns_srv: bool,
    /// 1 to 4.
    pub failover: u8,
    pub new_port_on_failure: bool,
    /// As [`MediaSettings::codecs`]; empty stands for those.
    pub codecs: String,
    /// Milliseconds; 0 leaves it to the codec.
    pub ptime: u8,
    pub srtp: Srtp,
    /// The same with keys by DTLS.
    pub dtls: Srtp,
    /// Whether holding is said by the address 0.0.0.0.
    pub hold_by_address: bool,
    pub dtmf_payload_type: u8,
    pub dtmf: DtmfMode,
    pub dtmf_info: DtmfInfo,
    pub calls: AccountCallSettings,
    pub blf_list: BlfListSettings,
    pub session: SessionSettings,
    pub registration: RegistrationSettings,
    pub subscribing: SubscribingSettings,
    pub locating: LocatingSettings,
    pub sound: SoundSettings,
    pub server: AccountServerSettings,
    pub dialling: AccountDialSettings,
    pub identity: IdentitySettings,
    pub features: AccountFeatureSettings,
}

/// What belongs to no account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct PhoneSettings {
    /// One of the words of `phone.model` in the schema.
    pub model: &'static str,
    /// Empty stands for the firmware's own name.
    pub user_agent: String,
    pub sip_port: u16,
    /// The last port of the range that begins with `sip_port`.
    pub sip_port_last: Option<u16>,
    pub sip_dscp: u8,
    pub timers: TimerSettings,
    /// `None` never leaves UDP.
    pub tcp_above: Option<u16>,
    pub dns_servers: Vec<SocketAddr>,
    pub tls: TlsSettings,
    pub panel: SocketAddr,
    pub media: MediaSettings,
    pub tones: ToneSettings,
    pub paging: PagingSettings,
    pub calls: CallSettings,
    pub keys: KeysSettings,
    pub server: ServerSettings,
    pub dialling: DialSettings,
    pub completion: CompletionSettings,
    pub features: FeatureSettings,
    pub pnp: PnpSettings,
}

/// What speech goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct MediaSettings {
    /// Names of codecs as in SDP, what is liked best first, between blanks or commas.
    pub codecs: String,
    /// The first port of the range; `None` lets the system choose.
    pub port: Option<u16>,
    pub port_last: Option<u16>,
    /// As it was written; empty if there are none.
    pub external_ports: String,
    /// Whether PCMU is behind the codecs in any case.
    pub pcmu_always: bool,
    pub dscp: u8,
    /// Whether the jitter buffer's delay follows the network.
    pub jitter_adaptive: bool,
    pub jitter_min: Duration,
    pub jitter_normal: Duration,
    pub jitter_max: Duration,
    pub dtmf_duration: Duration,
    pub dtmf_gap: Duration,
    /// 1 to 3.
    pub dtmf_ends: u8,
    pub echo_cancellation: bool,
    pub noise_suppression: bool,
    pub gain_control: bool,
    pub vad: bool,
    pub cng: bool,
    pub rtcp: bool,
    pub rtcp_interval: Duration,
}

/// What the telephone itself sounds like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct ToneSettings {
    pub country: String,
    /// In Yealink's or Dinstar's notation, as the others here; empty takes the country's.
    pub dial: String,
    pub ringback: String,
    pub busy: String,
    pub congestion: String,
    pub call_waiting: String,
    pub stutter: String,
    pub recall: String,
    pub hold: String,
    pub held: String,
    pub auto_answer: String,
    /// Whether the tone of `hold`, once it began, goes on.
    pub hold_goes_on: bool,
    pub keys: bool,
}

/// Multicast pages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct PagingSettings {
    /// `ADDRESS:PORT LABEL`, between commas.
    pub listen: String,
    /// 0 to 31.
    pub barge: u8,
    pub priority_active: bool,
    pub interface: Option<Ipv4Addr>,
}

/// RFC 3261's timers. `None` takes 64 times T1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct TimerSettings {
    pub t1: Duration,
    pub t2: Duration,
    pub t4: Duration,
    pub b: Option<Duration>,
    pub d: Option<Duration>,
    pub f: Option<Duration>,
    pub h: Option<Duration>,
    pub j: Option<Duration>,
}

/// TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct TlsSettings {
    /// `None`: only the phone connects.
    pub port: Option<u16>,
    /// Names of files.
    pub authorities: Vec<String>,
    pub authority_set: AuthoritySet,
    pub trusted_only: bool,
    pub check_name: bool,
    /// Whether TLS 1.2 is refused.
    pub only_1_3: bool,
    /// The name of a file.
    pub certificate: Option<String>,
    /// The name of a file.
    pub key: Option<String>,
}

/// Which authorities are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum AuthoritySet {
    System,
    Custom,
    Both,
}

/// The transport protocol of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "names of protocols")]
pub enum Transport {
    #[default]
    Udp,
    Tcp,
    Tls,
    /// What NAPTR and SRV records say.
    Dns,
}

/// What holds the way to the server open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum KeepAliveKind {
    #[default]
    Off,
    Outbound,
    Negotiated,
    Options,
    Crlf,
    Empty,
}

/// Whether calls are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum Srtp {
    #[default]
    Off,
    Optional,
    Compulsory,
}

fn srtp(word: &str) -> Srtp {
    match word {
        "optional" => Srtp::Optional,
        "compulsory" => Srtp::Compulsory,
        _ => Srtp::Off,
    }
}

/// How digits are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum DtmfMode {
    Auto,
    #[default]
    Rfc4733,
    Info,
    Inband,
}

/// What the bodies of INFO requests with digits are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum DtmfInfo {
    #[default]
    DtmfRelay,
    Dtmf,
    TelephoneEvent,
}

/// How the public address is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum NatKind {
    #[default]
    Off,
    Static,
    Stun,
    Sip,
}

impl Settings {
    /// An account, 1 to [`ACCOUNTS`]; `None` for another number.
    #[must_use]
    pub fn account(&self, number: u8) -> Option<AccountSettings> {
        if !(1..=ACCOUNTS).contains(&number) {
            return None;
        }
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        Some(AccountSettings {
            enabled: value("enabled").bool(),
            aor: value("aor").text(),
            display_name: value("display_name").filled(),
            auth_user: value("auth_user").filled(),
            password: Secret::from(value("password").text().as_str()),
            outbound_proxy: value("outbound_proxy").filled(),
            transport: match value("transport").word() {
                "tcp" => Transport::Tcp,
                "tls" => Transport::Tls,
                "dns" => Transport::Dns,
                _ => Transport::Udp,
            },
            expires: value("expires").seconds(),
            rport: value("rport").bool(),
            keep_alive: match value("keep_alive").word() {
                "outbound" => KeepAliveKind::Outbound,
                "negotiated" => KeepAliveKind::Negotiated,
                "options" => KeepAliveKind::Options,
                "crlf" => KeepAliveKind::Crlf,
                "empty" => KeepAliveKind::Empty,
                _ => KeepAliveKind::Off,
            },
            keep_alive_interval: Some(value("keep_alive_interval").seconds()).filter(|time| !time.is_zero()),
            keep_alive_failures: value("keep_alive_failures").statuses(),
            nat: match value("nat").word() {
                "static" => NatKind::Static,
                "stun" => NatKind::Stun,
                "sip" => NatKind::Sip,
                _ => NatKind::Off,
            },
            nat_address: value("nat_address").ip(),
            nat_interval: value("nat_interval").seconds(),
            stun_servers: value("stun_servers").hosts(),
            dns_srv: value("dns_srv").bool(),
            failover: value("failover").octet(),
            new_port_on_failure: value("new_port_on_failure").bool(),
            codecs: value("codecs").text(),
            ptime: value("ptime").octet(),
            srtp: srtp(value("srtp").word()),
            dtls: srtp(value("dtls").word()),
            hold_by_address: value("hold").word() == "address",
            dtmf_payload_type: value("dtmf_payload_type").octet(),
            dtmf: match value("dtmf").word() {
                "auto" => DtmfMode::Auto,
                "info" => DtmfMode::Info,
                "inband" => DtmfMode::Inband,
                _ => DtmfMode::Rfc4733,
            },
            dtmf_info: match value("dtmf_info").word() {
                "dtmf" => DtmfInfo::Dtmf,
                "telephone-event" => DtmfInfo::TelephoneEvent,
                _ => DtmfInfo::DtmfRelay,
            },
            session: self.account_session(number),
            registration: self.account_registration(number),
            subscribing: self.account_subscribing(number),
            locating: self.account_locating(number),
            sound: self.account_sound(number),
            server: self.account_server(number),
            dialling: self.account_dialling(number),
            identity: self.account_identity(number),
            features: self.account_features(number),
            calls: self.account_calls(number),
            blf_list: self.account_blf_list(number),
        })
    }

    /// The accounts to use, with their numbers: enabled, and with an address of record.
    pub fn accounts(&self) -> impl Iterator<Item = (u8, AccountSettings)> {
        (1..=ACCOUNTS)
            .filter_map(|number| self.account(number).map(|account| (number, account)))
            .filter(|(_, account)| account.enabled && !account.aor.is_empty())
    }

    /// What belongs to no account.
    #[must_use]
    pub fn phone(&self) -> PhoneSettings {
        let value = |path: &str| self.value(path, 0);
        PhoneSettings {
            model: value("phone.model").word(),
            user_agent: value("phone.user_agent").text(),
            sip_port: value("sip.port").port().unwrap_or(0),
            sip_port_last: value("sip.port_last").port(),
            sip_dscp: value("sip.dscp").octet(),
            timers: self.timers(),
            tcp_above: value("sip.tcp_above").port(),
            dns_servers: value("dns.servers").servers(),
            tls: self.tls(),
            panel: value("panel.address").address(),
            media: self.media(),
            tones: ToneSettings {
                country: value("tones.country").text(),
                dial: value("tones.dial").text(),
                ringback: value("tones.ringback").text(),
                busy: value("tones.busy").text(),
                congestion: value("tones.congestion").text(),
                call_waiting: value("tones.call_waiting").text(),
                stutter: value("tones.stutter").text(),
                recall: value("tones.recall").text(),
                hold: value("tones.hold").text(),
                held: value("tones.held").text(),
                auto_answer: value("tones.auto_answer").text(),
                hold_goes_on: value("hold.tone_goes_on").bool(),
                keys: value("tones.keys").bool(),
            },
            paging: PagingSettings {
                listen: value("paging.listen").text(),
                barge: value("paging.barge").octet(),
                priority_active: value("paging.priority_active").bool(),
                interface: match value("paging.interface").ip() {
                    Some(IpAddr::V4(address)) => Some(address),
                    _ => None,
                },
            },
            calls: self.calls(),
            keys: self.keys(),
            server: self.server(),
            dialling: self.dialling(),
            completion: self.completion(),
            features: self.features(),
            pnp: self.pnp(),
        }
    }

    fn timers(&self) -> TimerSettings {
        let value = |name: &str| self.value(&format!("sip.timer_{name}"), 0);
        let time = |name: &str| Duration::from_millis(value(name).number().into());
        let limit = |name: &str| value(name).optional_number().map(|ms| Duration::from_millis(ms.into()));
        TimerSettings {
            t1: time("t1"),
            t2: time("t2"),
            t4: time("t4"),
            b: limit("b"),
            d: limit("d"),
            f: limit("f"),
            h: limit("h"),
            j: limit("j"),
        }
    }

    fn media(&self) -> MediaSettings {
        let value = |name: &str| self.value(&format!("media.{name}"), 0);
        let time = |name: &str| Duration::from_millis(value(name).number().into());
        MediaSettings {
            codecs: value("codecs").text(),
            port: value("port").port(),
            port_last: value("port_last").port(),
            external_ports: value("external_ports").text(),
            pcmu_always: value("pcmu_always").bool(),
            dscp: value("dscp").octet(),
            jitter_adaptive: value("jitter").word() == "adaptive",
            jitter_min: time("jitter_min"),
            jitter_normal: time("jitter_normal"),
            jitter_max: time("jitter_max"),
            dtmf_duration: time("dtmf_duration"),
            dtmf_gap: time("dtmf_gap"),
            dtmf_ends: value("dtmf_ends").octet(),
            echo_cancellation: value("echo_cancellation").bool(),
            noise_suppression: value("noise_suppression").bool(),
            gain_control: value("gain_control").bool(),
            vad: value("vad").bool(),
            cng: value("cng").bool(),
            rtcp: value("rtcp").bool(),
            rtcp_interval: value("rtcp_interval").seconds(),
        }
    }

    fn tls(&self) -> TlsSettings {
        let value = |name: &str| self.value(&format!("tls.{name}"), 0);
        TlsSettings {
            port: value("port").port(),
            authorities: value("authorities").text().split_ascii_whitespace().map(str::to_owned).collect(),
            authority_set: match value("authority_set").word() {
                "system" => AuthoritySet::System,
                "custom" => AuthoritySet::Custom,
                _ => AuthoritySet::Both,
            },
            trusted_only: value("trusted_only").bool(),
            check_name: value("check_name").bool(),
            only_1_3: value("minimum_version").word() == "1.3",
            certificate: value("certificate").filled(),
            key: value("key").filled(),
        }
    }
}

/// The values as types. A value of another kind reads as the type's empty value; the schema says which is where.
impl Value {
    fn bool(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    fn number(&self) -> u32 {
        if let Self::Number(number) = self { *number } else { 0 }
    }

    /// The schema keeps it within an octet.
    fn octet(&self) -> u8 {
        u8::try_from(self.number()).unwrap_or(u8::MAX)
    }

    fn optional_number(&self) -> Option<u32> {
        if let Self::OptionalNumber(number) = self { *number } else { None }
    }

    fn seconds(&self) -> Duration {
        Duration::from_secs(self.number().into())
    }

    /// 0 stands for none.
    fn port(&self) -> Option<u16> {
        u16::try_from(self.number()).ok().filter(|port| *port != 0)
    }

    fn word(&self) -> &'static str {
        if let Self::Word(word) = self { word } else { "" }
    }

    fn filled(&self) -> Option<String> {
        Some(self.text()).filter(|text| !text.is_empty())
    }

    fn address(&self) -> SocketAddr {
        if let Self::Address(address) = self {
            *address
        } else {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
        }
    }

    fn ip(&self) -> Option<IpAddr> {
        if let Self::Ip(address) = self { *address } else { None }
    }

    fn servers(self) -> Vec<SocketAddr> {
        if let Self::Servers(servers) = self { servers } else { Vec::new() }
    }

    fn hosts(self) -> Vec<Host> {
        if let Self::Hosts(hosts) = self { hosts } else { Vec::new() }
    }

    fn statuses(self) -> Vec<u16> {
        if let Self::Statuses(statuses) = self { statuses } else { Vec::new() }
    }

    fn digit_map(self) -> Option<DigitMap> {
        if let Self::DigitMap(map) = self { map } else { None }
    }

    fn dial_rules(self) -> RuleList {
        if let Self::DialRules(rules) = self { rules } else { RuleList::default() }
    }
}
