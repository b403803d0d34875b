#![doc = include_str!("../README.md")]

pub mod file;
pub mod schema;
pub mod settings;

pub use schema::{ACCOUNTS, Access, Kind, SCHEMA, Setting};
pub use settings::{
    AccountSettings, PhoneSettings, Secret, SettingError, SettingErrorKind, Settings, Transport,
};
