//! How pressed digits become a number: the settings compiled, once for each account.

use sidetone_dialplan::{CollectorConfig, CompileError, Plan, Rule};
use sidetone_provisioning::{AccountDialSettings, DialSettings, Settings};
use std::sync::Arc;

/// How digits become a number.
#[derive(Clone, Debug, Default)]
pub struct Dialling {
    /// Without an account.
    pub usual: CollectorConfig,
    /// In the order of the accounts; those beyond go by the usual one.
    pub accounts: Vec<CollectorConfig>,
}

impl Dialling {
    pub(super) fn from_file(settings: &Settings) -> Result<Self, String> {
        let phone = settings.phone();
        let emergency: Vec<Rule> =
            phone.calls.emergency.split_ascii_whitespace().map(Rule::emergency).collect();
        let usual =
            config(&phone.dialling, None, 0, &emergency).map_err(|error| format!("dialplan: {error}"))?;
        let mut accounts = Vec::new();
        for (number, account) in settings.accounts() {
            let compiled = config(&phone.dialling, Some(&account.dialling), number, &emergency);
            accounts.push(compiled.map_err(|error| format!("the dial plan of account {number}: {error}"))?);
        }
        Ok(Self { usual, accounts })
    }
}

/// The account's digit map or the usual one, the rules that hold for it, and the numbers that may always be called.
fn config(
    phone: &DialSettings,
    account: Option<&AccountDialSettings>,
    number: u8,
    emergency: &[Rule],
) -> Result<CollectorConfig, CompileError> {
    let map = account.and_then(|account| account.digit_map.as_ref()).or(phone.digit_map.as_ref());
    let rules = map.map(|map| map.rules()).unwrap_or_default().iter();
    let plan = Plan::compile(rules.chain(phone.rules.rules()).chain(emergency), number)?;
    let mut config = CollectorConfig::default();
    config.plan = Some(Arc::new(plan));
    config.unmatched = account.is_none_or(|account| account.unmatched);
    config.send_key = phone.send_key;
    config.live = phone.live;
    config.timing.first_digit = phone.first_digit;
    config.timing.inter_digit = phone.inter_digit;
    config.timing.macro_digit = phone.macro_digit;
    config.timing.dial_now = phone.dial_now_delay;
    Ok(config)
}
