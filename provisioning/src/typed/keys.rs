//! The functions of keys, as the phone reads them.

use crate::schema::KEYS;
use crate::settings::Settings;

/// What the keys of the phone do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct KeysSettings {
    /// In the order of their numbers, from 1 to [`KEYS`].
    pub keys: Vec<KeySettings>,
    pub pickup_code: String,
    pub barge_in_code: String,
    pub retrieve_code: String,
    /// One of the words of the schema, as the others here.
    pub park: &'static str,
    pub intercom: &'static str,
    pub page_codec: &'static str,
}

/// The lamps that a server keeps in a list for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct BlfListSettings {
    /// `None` without one.
    pub uri: Option<String>,
    pub pickup_code: String,
    pub barge_in_code: String,
}

/// What a key does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct KeySettings {
    pub number: u8,
    /// One of the words of the schema.
    pub function: &'static str,
    pub value: String,
    /// From 1; `None` is the one that is chosen.
    pub account: Option<u8>,
    pub label: String,
    pub extension: String,
}

impl Settings {
    pub(super) fn keys(&self) -> KeysSettings {
        let value = |path: &str| self.value(path, 0);
        KeysSettings {
            keys: (1..=KEYS).map(|number| self.key(number)).collect(),
            pickup_code: value("keys.pickup_code").text(),
            barge_in_code: value("keys.barge_in_code").text(),
            retrieve_code: value("keys.retrieve_code").text(),
            park: value("keys.park").word(),
            intercom: value("keys.intercom").word(),
            page_codec: value("paging.codec").word(),
        }
    }

    pub(super) fn account_blf_list(&self, number: u8) -> BlfListSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        BlfListSettings {
            uri: value("blf_list").filled(),
            pickup_code: value("blf_list_pickup_code").text(),
            barge_in_code: value("blf_list_barge_in_code").text(),
        }
    }

    fn key(&self, number: u8) -> KeySettings {
        let value = |name: &str| self.value(&format!("key.N.{name}"), number);
        KeySettings {
            number,
            function: value("type").word(),
            value: value("value").text(),
            account: Some(value("account").octet()).filter(|account| *account > 0),
            label: value("label").text(),
            extension: value("extension").text(),
        }
    }
}
