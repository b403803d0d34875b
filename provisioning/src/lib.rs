#![doc = include_str!("../README.md")]

pub mod file;
mod host;
pub mod schema;
pub mod settings;
mod typed;

pub use host::{Host, HostError};
pub use schema::{ACCOUNTS, Access, KEYS, Kind, SCHEMA, Setting};
pub use settings::{Secret, SettingError, SettingErrorKind, Settings};
pub use typed::{
    AccountCallSettings, AccountDialSettings, AccountFeatureSettings, AccountServerSettings, AccountSettings,
    AccountSeveralSettings, AuthoritySet, BlfListSettings, CallSettings, CodeSettings, CompletionSettings,
    DialSettings, DndSettings, DnsCache, DtmfInfo, DtmfMode, ExpiresPlace, FailbackKind, FeatureSettings,
    ForwardSettings, IdentitySettings, IntercomSettings, KeepAliveKind, KeySettings, KeysSettings,
    LocatingSettings, MacSetting, MediaSettings, NatKind, PagingSettings, PhoneSettings, PnpSettings,
    Redirects, RefreshKind, RegistrationSettings, ServerSettings, SessionSettings, SeveralSettings,
    SoundSettings, Srtp, SubscribingSettings, TimerSettings, TlsSettings, ToneSettings, Transport,
};
