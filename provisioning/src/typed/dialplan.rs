//! How pressed digits become a number, as the phone reads it.

use super::codes::CodeSettings;
use crate::settings::Settings;
use core::time::Duration;
use sidetone_dialplan::{DigitMap, PlusCodes, RuleList};

/// How digits become a number, whatever the account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct DialSettings {
    /// Of the accounts without one of their own.
    pub digit_map: Option<DigitMap>,
    pub rules: RuleList,
    /// Paths; empty for none.
    pub replace_file: String,
    pub dial_now_file: String,
    pub directory: bool,
    pub history: bool,
    /// `None` waits for ever, as the next one.
    pub first_digit: Option<Duration>,
    pub inter_digit: Option<Duration>,
    pub macro_digit: Duration,
    pub dial_now_delay: Duration,
    pub live: bool,
    pub send_key: Option<char>,
    /// `None`: `+` stays.
    pub plus: Option<PlusCodes>,
    pub codes: CodeSettings,
}

/// How digits become a number of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct AccountDialSettings {
    pub digit_map: Option<DigitMap>,
    pub unmatched: bool,
}

impl Settings {
    pub(super) fn dialling(&self) -> DialSettings {
        let value = |name: &str| self.value(&format!("dialplan.{name}"), 0);
        let plus = PlusCodes::new(
            value("international_code").text(),
            value("country_code").text(),
            value("national_code").text(),
        );
        let time = |name: &str| Some(value(name).seconds()).filter(|time| !time.is_zero());
        DialSettings {
            digit_map: value("digit_map").digit_map(),
            rules: value("rules").dial_rules(),
            replace_file: value("replace_file").text(),
            dial_now_file: value("dial_now_file").text(),
            directory: value("directory").bool(),
            history: value("history").bool(),
            first_digit: time("first_digit"),
            inter_digit: time("inter_digit"),
            macro_digit: value("macro_digit").seconds(),
            dial_now_delay: value("dial_now_delay").seconds(),
            live: value("live").bool(),
            send_key: Some(value("send_key").word())
                .filter(|word| *word != "off")
                .and_then(|word| word.chars().next()),
            plus: Some(plus).filter(|codes| !codes.is_empty() || value("plus").word() == "replace"),
            codes: self.codes(),
        }
    }

    pub(super) fn account_dialling(&self, number: u8) -> AccountDialSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        AccountDialSettings {
            digit_map: value("digit_map").digit_map(),
            unmatched: value("unmatched").bool(),
        }
    }
}
