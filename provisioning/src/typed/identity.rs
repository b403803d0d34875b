//! Calls without a name, as the phone reads what is set about them.

use crate::settings::Settings;

/// How an account's calls hide who we are, and how anonymous callers are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct IdentitySettings {
    /// Words of the schema, as the others here.
    pub name: &'static str,
    pub user: &'static str,
    pub host: &'static str,
    pub privacy: bool,
    pub preferred_identity: &'static str,
    pub on_code: String,
    pub off_code: String,
    pub reject_on_code: String,
    pub reject_off_code: String,
    pub without_number: bool,
}

impl Settings {
    pub(super) fn account_identity(&self, number: u8) -> IdentitySettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        IdentitySettings {
            name: value("anonymous_name").word(),
            user: value("anonymous_user").word(),
            host: value("anonymous_host").word(),
            privacy: value("privacy").bool(),
            preferred_identity: value("preferred_identity").word(),
            on_code: value("anonymous_on_code").text(),
            off_code: value("anonymous_off_code").text(),
            reject_on_code: value("anonymous_reject_on_code").text(),
            reject_off_code: value("anonymous_reject_off_code").text(),
            without_number: value("anonymous_without_number").bool(),
        }
    }
}
