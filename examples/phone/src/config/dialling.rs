//! How pressed digits become a number: the settings compiled, once for each account.

use super::codes::codes;
use crate::firmware::StoredNumbers;
use sidetone_dialplan::{CollectorConfig, Plan, PlanError, PlusCodes, Rule, RuleList};
use sidetone_provisioning::file::MAX_FILE;
use sidetone_provisioning::{AccountSettings, PhoneSettings, Settings};
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

/// How digits become a number.
#[derive(Clone, Debug, Default)]
pub struct Dialling {
    /// Without an account.
    pub usual: CollectorConfig,
    /// In the order of the accounts; those beyond go by the usual one.
    pub accounts: Vec<CollectorConfig>,
    /// Which numbers that nobody dials now go by the rules.
    pub stored: StoredNumbers,
}

impl Dialling {
    pub(super) fn from_file(settings: &Settings) -> Result<Self, String> {
        let phone = settings.phone();
        if let Some(plus) = &phone.dialling.plus {
            codes_of_plus(plus)?;
        }
        let mut rules = phone.dialling.rules.rules().to_vec();
        rules.extend(template(
            "dialplan.replace_file",
            &phone.dialling.replace_file,
            RuleList::from_replace_template,
        )?);
        rules.extend(template(
            "dialplan.dial_now_file",
            &phone.dialling.dial_now_file,
            RuleList::from_dial_now_template,
        )?);
        rules.extend(phone.calls.emergency.split_ascii_whitespace().map(Rule::emergency));
        let usual = config(&phone, None, &rules).map_err(|error| format!("dialplan: {error}"))?;
        let mut accounts = Vec::new();
        for (number, account) in settings.accounts() {
            let compiled = config(&phone, Some((number, &account)), &rules);
            accounts.push(compiled.map_err(|error| format!("the dial plan of account {number}: {error}"))?);
        }
        let stored = StoredNumbers { directory: phone.dialling.directory, history: phone.dialling.history };
        Ok(Self { usual, accounts, stored })
    }
}

/// Checks what stands in place of `+` (PAB-140 to PAB-142).
fn codes_of_plus(plus: &PlusCodes) -> Result<(), String> {
    let digits = |c: char| c.is_ascii_digit();
    let keys = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#');
    for (name, code, fits, expected) in [
        ("international", &plus.international, keys as fn(char) -> bool, "digits, * and #"),
        ("country", &plus.country, digits, "digits"),
        ("national", &plus.national, keys, "digits, * and #"),
    ] {
        if !code.chars().all(fits) {
            return Err(format!("dialplan.{name}_code: {code:?}: expected {expected}"));
        }
    }
    Ok(())
}

/// The rules of a template file; none without a path. Nothing is fetched: the file is on this machine.
fn template(
    setting: &str,
    path: &str,
    read: fn(&str) -> Result<RuleList, PlanError>,
) -> Result<Vec<Rule>, String> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    if path.contains("://") {
        return Err(format!("{setting}: {path:?}: expected the path of a file; URLs are not fetched"));
    }
    let mut text = String::new();
    let file = File::open(path).map_err(|error| format!("{setting}: {path}: {error}"))?;
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| format!("{setting}: {path}: {error}"))?;
    let list =
        read(&text).map_err(|error| format!("{path}:{}:{}: {}", error.line, error.column, error.kind))?;
    Ok(list.rules().to_vec())
}

/// The account's digit map or the usual one, the codes, and the rules that hold for it.
fn config(
    phone: &PhoneSettings,
    account: Option<(u8, &AccountSettings)>,
    rules: &[Rule],
) -> Result<CollectorConfig, String> {
    let (number, account) = account.unzip();
    let dialling = account.map(|account| &account.dialling);
    let map = dialling.and_then(|own| own.digit_map.as_ref()).or(phone.dialling.digit_map.as_ref());
    let alternatives = map.map(|map| map.rules()).unwrap_or_default().iter();
    let codes = codes(phone, account)?;
    let all = alternatives.chain(&codes).chain(rules);
    let plan = Plan::compile(all, number.unwrap_or(0)).map_err(|error| error.to_string())?;
    let mut config = CollectorConfig::default();
    config.plan = Some(Arc::new(plan));
    config.unmatched = dialling.is_none_or(|own| own.unmatched);
    config.send_key = phone.dialling.send_key;
    config.live = phone.dialling.live;
    config.timing.first_digit = phone.dialling.first_digit;
    config.timing.inter_digit = phone.dialling.inter_digit;
    config.timing.macro_digit = phone.dialling.macro_digit;
    config.timing.dial_now = phone.dialling.dial_now_delay;
    Ok(config)
}
