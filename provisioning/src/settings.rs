//! The settings: values by path, checked against the schema, read through types.

use crate::host::Host;
use crate::schema::{ACCOUNTS, Access, KEYS, Kind, SCHEMA, Setting};
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use sidetone_dialplan::{DigitMap, PlanError, RuleList};
use std::collections::BTreeMap;

/// All settings of one phone. What nobody set has the default of the schema.
///
/// ```
/// use sidetone_provisioning::{Settings, Transport};
/// let mut settings = Settings::new();
/// settings.set("account.1.aor", "sip:alice@example.com")?;
/// settings.set("account.1.transport", "tcp")?;
/// let (number, account) = settings.accounts().next().expect("one account is there");
/// assert_eq!((number, account.transport), (1, Transport::Tcp));
///
/// let error = settings.set("account.1.expires", "0").unwrap_err();
/// assert_eq!(error.to_string(), "account.1.expires: \"0\" is not allowed: expected 1 to 4294967295 seconds");
/// # Ok::<(), sidetone_provisioning::SettingError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What was set; the rest has its default.
    values: BTreeMap<Slot, Value>,
    /// What a model has by default where that is not the schema's, by the place in the schema.
    defaults: BTreeMap<usize, Value>,
}

/// A text that `Debug` does not show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A setting that could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {kind}")]
pub struct SettingError {
    /// The path as it was given, cut after 80 characters.
    pub path: String,
    /// Why.
    pub kind: SettingErrorKind,
}

/// Why a setting could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingErrorKind {
    /// The schema has no such path.
    #[error("no such setting")]
    Unknown,
    /// The number in the path is no account.
    #[error("no such account: expected 1 to {ACCOUNTS}")]
    Account,
    /// The number in the path is no key.
    #[error("no such key: expected 1 to {KEYS}")]
    Key,
    /// A user may not change it.
    #[error("only the administrator may change it")]
    Denied,
    /// The value does not fit.
    #[error("{value} is not allowed: expected {expected}")]
    Value {
        /// The value in quotation marks, cut after 80 characters; for a secret only "the value".
        value: String,
        /// What the setting holds.
        expected: Kind,
    },
    /// The value is not a digit map.
    #[error("{value} is not a digit map: {error}")]
    DigitMap {
        /// The value in quotation marks, cut after 80 characters.
        value: String,
        /// Where and why.
        error: PlanError,
    },
    /// The value is not a list of rules of dialling.
    #[error("{value} are not dial rules: {error}")]
    DialRules {
        /// The value in quotation marks, cut after 80 characters.
        value: String,
        /// Where and why.
        error: PlanError,
    },
}

impl Settings {
    /// Every setting at its default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes a setting with the rights of the administrator. Blanks around the value do not count.
    ///
    /// # Errors
    /// Says which path, which value, and what was expected. Nothing changed then.
    pub fn set(&mut self, path: &str, text: &str) -> Result<(), SettingError> {
        self.set_as(Access::Administrator, path, text.trim())
    }

    /// Changes a setting with the rights of `who`, taking the value as it is.
    ///
    /// # Errors
    /// As [`Settings::set`]; a user is refused what only the administrator may change.
    pub fn set_as(&mut self, who: Access, path: &str, text: &str) -> Result<(), SettingError> {
        let slot = Slot::find(path)?;
        let setting = slot.setting(path)?;
        if who < setting.access {
            return Err(error(path, SettingErrorKind::Denied));
        }
        let value = Value::read(setting.kind, text).map_err(|kind| error(path, kind))?;
        self.values.insert(slot, value);
        Ok(())
    }

    /// The value as text; `***` for a secret that is not empty.
    ///
    /// # Errors
    /// There is no such setting.
    pub fn get(&self, path: &str) -> Result<String, SettingError> {
        let slot = Slot::find(path)?;
        let setting = slot.setting(path)?;
        Ok(match self.values.get(&slot) {
            Some(Value::Secret(secret)) if !secret.0.is_empty() => "***".to_owned(),
            Some(value) => value.text(),
            None => self.defaults.get(&slot.place).map_or_else(|| setting.default.to_owned(), Value::text),
        })
    }

    /// Gives a setting of every account, or of the phone, another default than the schema's: what the model comes with. `path` is
    /// that of the schema, as `account.N.caller_id`.
    ///
    /// # Errors
    /// There is no such setting, or the value is none of it.
    pub fn set_default(&mut self, path: &str, text: &str) -> Result<(), SettingError> {
        let place = SCHEMA.iter().position(|setting| setting.path == path);
        let found = place.and_then(|place| Some((place, SCHEMA.get(place)?)));
        let (place, setting) = found.ok_or_else(|| error(path, SettingErrorKind::Unknown))?;
        let value = Value::read(setting.kind, text).map_err(|kind| error(path, kind))?;
        self.defaults.insert(place, value);
        Ok(())
    }

    /// The same phone with nothing set.
    #[must_use]
    pub fn as_shipped(&self) -> Self {
        Self { values: BTreeMap::new(), defaults: self.defaults.clone() }
    }

    /// Puts a setting back to its default.
    ///
    /// # Errors
    /// There is no such setting.
    pub fn reset(&mut self, path: &str) -> Result<(), SettingError> {
        self.values.remove(&Slot::find(path)?);
        Ok(())
    }

    /// What was set, secrets included, with full paths, the phone first and then number by number: for the
    /// file.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (String, String)> {
        self.values.iter().filter_map(|(slot, value)| Some((slot.path()?, value.text())))
    }

    /// The value of the setting with this path in the schema, of this account or key; the phone's own are those of 0.
    pub(crate) fn value(&self, template: &str, number: u8) -> Value {
        let place = SCHEMA.iter().position(|setting| setting.path == template);
        let set = place.and_then(|place| self.values.get(&Slot { number, place }).cloned());
        set.or_else(|| self.defaults.get(&place?).cloned())
            .or_else(|| {
                let setting = SCHEMA.get(place?)?;
                Value::read(setting.kind, setting.default).ok()
            })
            .unwrap_or_default()
    }
}

/// Where a value lies: an account or key (0 is the phone itself) and a place in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    number: u8,
    place: usize,
}

impl Slot {
    fn find(path: &str) -> Result<Self, SettingError> {
        let place = |template: &str| SCHEMA.iter().position(|setting| setting.path == template);
        let unknown = || error(path, SettingErrorKind::Unknown);
        let groups = [("account", ACCOUNTS, SettingErrorKind::Account), ("key", KEYS, SettingErrorKind::Key)];
        let numbered = groups.into_iter().find_map(|(group, most, wrong)| {
            let (number, name) = path.strip_prefix(group)?.strip_prefix('.')?.split_once('.')?;
            Some((group, most, wrong, number, name))
        });
        let Some((group, most, wrong, number, name)) = numbered else {
            return Ok(Self { number: 0, place: place(path).ok_or_else(unknown)? });
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unknown());
        }
        let place = place(&format!("{group}.N.{name}")).ok_or_else(unknown)?;
        match number.parse() {
            Ok(digits) if (1..=most).contains(&digits) && !number.starts_with('0') => {
                Ok(Self { number: digits, place })
            }
            _ => Err(error(path, wrong)),
        }
    }

    fn setting(self, path: &str) -> Result<&'static Setting, SettingError> {
        SCHEMA.get(self.place).ok_or_else(|| error(path, SettingErrorKind::Unknown))
    }

    fn path(self) -> Option<String> {
        let template = SCHEMA.get(self.place)?.path;
        Some(template.replacen(".N.", &format!(".{}.", self.number), 1))
    }
}

fn error(path: &str, kind: SettingErrorKind) -> SettingError {
    SettingError { path: cut(path), kind }
}

/// At most 80 characters of what a person or a file gave.
fn cut(text: &str) -> String {
    let mut characters = text.chars();
    let mut cut: String = characters.by_ref().take(80).collect();
    if characters.next().is_some() {
        cut.push('…');
    }
    cut
}

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Bool(bool),
    Number(u32),
    Word(&'static str),
    Text(String),
    Secret(Secret),
    Address(SocketAddr),
    OptionalNumber(Option<u32>),
    Ip(Option<IpAddr>),
    Servers(Vec<SocketAddr>),
    Hosts(Vec<Host>),
    Statuses(Vec<u16>),
    DigitMap(Option<DigitMap>),
    DialRules(RuleList),
}

impl Default for Value {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Value {
    fn read(kind: Kind, text: &str) -> Result<Self, SettingErrorKind> {
        let quoted = || format!("{:?}", cut(text));
        let value = match kind {
            Kind::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "on" | "yes" | "1" => Some(Self::Bool(true)),
                "false" | "off" | "no" | "0" => Some(Self::Bool(false)),
                _ => None,
            },
            Kind::Integer { min, max } | Kind::Milliseconds { min, max } | Kind::Seconds { min, max } => {
                number(text, min, max).map(Self::Number)
            }
            Kind::Choice(words) => words.iter().find(|word| **word == text).map(|word| Self::Word(word)),
            Kind::Text { max } => plain(text, max).then(|| Self::Text(text.to_owned())),
            Kind::Secret { max } => plain(text, max).then(|| Self::Secret(Secret(text.to_owned()))),
            Kind::SipUri => (text.is_empty() || is_sip_uri(text)).then(|| Self::Text(text.to_owned())),
            Kind::SocketAddress => text.parse().ok().map(Self::Address),
            Kind::SecondsOrZero { min, max } => {
                if text == "0" {
                    Some(Self::Number(0))
                } else {
                    number(text, min, max).map(Self::Number)
                }
            }
            Kind::OptionalMilliseconds { .. } | Kind::OptionalInteger { .. } if text.is_empty() => {
                Some(Self::OptionalNumber(None))
            }
            Kind::OptionalMilliseconds { min, max } | Kind::OptionalInteger { min, max } => {
                number(text, min, max).map(|number| Self::OptionalNumber(Some(number)))
            }
            Kind::IpAddress if text.is_empty() => Some(Self::Ip(None)),
            Kind::IpAddress => text.parse().ok().map(|address| Self::Ip(Some(address))),
            Kind::Servers { max } => list(text, max, server).map(Self::Servers),
            Kind::Hosts { max } => list(text, max, |host| host.parse().ok()).map(Self::Hosts),
            Kind::Statuses { max } => list(text, max, status).map(Self::Statuses),
            Kind::DigitMap if text.is_empty() => Some(Self::DigitMap(None)),
            Kind::DigitMap => match DigitMap::parse(text) {
                Ok(map) => Some(Self::DigitMap(Some(map))),
                Err(error) => return Err(SettingErrorKind::DigitMap { value: quoted(), error }),
            },
            Kind::DialRules => match RuleList::parse(text) {
                Ok(rules) => Some(Self::DialRules(rules)),
                Err(error) => return Err(SettingErrorKind::DialRules { value: quoted(), error }),
            },
        };
        value.ok_or_else(|| {
            // What was meant as a secret, or may carry one, is not repeated.
            let hidden = matches!(kind, Kind::Secret { .. } | Kind::SipUri);
            let value = if hidden { "the value".to_owned() } else { quoted() };
            SettingErrorKind::Value { value, expected: kind }
        })
    }

    /// The text that reads back as this value.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Word(word) => (*word).to_owned(),
            Self::Text(text) | Self::Secret(Secret(text)) => text.clone(),
            Self::Address(address) => address.to_string(),
            Self::OptionalNumber(number) => number.map(|number| number.to_string()).unwrap_or_default(),
            Self::Ip(address) => address.map(|address| address.to_string()).unwrap_or_default(),
            Self::Servers(servers) => joined(servers),
            Self::Hosts(hosts) => joined(hosts),
            Self::Statuses(statuses) => joined(statuses),
            Self::DigitMap(map) => map.as_ref().map(ToString::to_string).unwrap_or_default(),
            Self::DialRules(rules) => rules.to_string(),
        }
    }
}

fn plain(text: &str, max: usize) -> bool {
    text.chars().count() <= max && !text.chars().any(char::is_control)
}

/// A number of digits alone, within the bounds.
fn number(text: &str, min: u32, max: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.filter(|number| (min..=max).contains(number))
}

/// What stands between the blanks of `text`, if each of them reads and there are not too many.
fn list<T>(text: &str, max: usize, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let items: Option<Vec<T>> = text.split_ascii_whitespace().map(read).collect();
    items.filter(|items| items.len() <= max)
}

fn joined<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A DNS server; its port is 53 if none is given.
fn server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse().ok().map(|address| SocketAddr::new(address, 53)))
}

fn status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (300..700).contains(status))
}

/// Scheme, an optional user without a password, a host: enough to tell a URI from a slip. RFC 3986 §2:
/// printable ASCII only.
fn is_sip_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let (user, host) = match rest.split_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    text.len() <= 512
        && ["sip", "sips"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && user.is_none_or(|user| !user.is_empty() && !user.contains(':'))
        && host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
        && !host.contains('@')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;
    use core::time::Duration;

    fn refusal(path: &str, text: &str) -> String {
        Settings::new().set(path, text).unwrap_err().to_string()
    }

    /// A value other than the default for each kind of setting.
    fn another(setting: &Setting) -> &'static str {
        match setting.kind {
            Kind::Bool if setting.default == "true" => "no",
            Kind::Bool => "yes",
            Kind::Integer { min, max }
            | Kind::Seconds { min, max }
            | Kind::Milliseconds { min, max }
            | Kind::SecondsOrZero { min, max }
            | Kind::OptionalInteger { min, max }
            | Kind::OptionalMilliseconds { min, max } => {
                let numbers = ["2", "3", "60", "100", "480", "603", "2500", "5080"];
                let fits = |text: &&&str| text.parse().is_ok_and(|number| (min..=max).contains(&number));
                let mut fitting = numbers.iter().filter(fits).filter(|text| **text != setting.default);
                fitting.next_back().unwrap()
            }
            Kind::Choice(words) => words.iter().find(|word| **word != setting.default).unwrap(),
            Kind::Text { .. } | Kind::Secret { .. } => "sesame",
            Kind::SipUri => "sip:bob@[2001:db8::1]:5070;transport=tcp",
            Kind::SocketAddress => "[::1]:9000",
            Kind::IpAddress => "192.0.2.7",
            Kind::Servers { .. } => "192.0.2.53:53 [2001:db8::53]:5353",
            Kind::Hosts { .. } => "stun.example.com:3479 192.0.2.1",
            Kind::Statuses { .. } => "408 503",
            Kind::DigitMap => "[2-9]xxx|0T",
            Kind::DialRules => "replace 0(.)=9$1; line 2 block 900.",
        }
    }

    #[test]
    fn every_setting_reaches_the_types_that_the_phone_reads() {
        for setting in SCHEMA {
            let path = setting.path.replace(".N.", ".3.");
            let mut settings = Settings::new();
            let before = (settings.account(3), settings.phone());
            assert_eq!(settings.get(&path).as_deref(), Ok(setting.default), "{path}");
            settings.set(&path, setting.default).unwrap();
            assert_eq!(
                (settings.account(3), settings.phone()),
                before,
                "{path}: the default changes something"
            );
            settings.set(&path, another(setting)).unwrap();
            assert_ne!((settings.account(3), settings.phone()), before, "{path}: nothing reads it");
            assert_eq!(settings.account(4), before.0, "{path}: it reached another account");
            settings.reset(&path).unwrap();
            assert_eq!((settings.account(3), settings.phone()), before, "{path}");
        }
    }

    #[test]
    fn the_defaults_are_a_phone_without_accounts() {
        let settings = Settings::new();
        assert_eq!(settings.accounts().count(), 0);
        let phone = settings.phone();
        assert_eq!((phone.model, phone.user_agent.as_str(), phone.sip_port), ("es620", "", 5060));
        assert_eq!(phone.panel, SocketAddr::from(([127, 0, 0, 1], 8080)));
        assert_eq!(
            (phone.dialling.digit_map, phone.dialling.inter_digit, phone.dialling.send_key),
            (None, Some(Duration::from_secs(5)), Some('#'))
        );
        let account = settings.account(8).unwrap();
        assert_eq!((account.transport, account.expires), (Transport::Udp, Duration::from_secs(3600)));
        assert_eq!((settings.account(0), settings.account(9)), (None, None));
    }

    #[test]
    fn refusals_say_path_value_and_what_was_expected() {
        assert_eq!(refusal("sip.port", "65536"), "sip.port: \"65536\" is not allowed: expected 0 to 65535");
        assert_eq!(refusal("sip.port", "+1"), "sip.port: \"+1\" is not allowed: expected 0 to 65535");
        assert_eq!(refusal("sip.prt", "1"), "sip.prt: no such setting");
        assert_eq!(refusal("account.N.aor", ""), "account.N.aor: no such setting");
        assert_eq!(refusal("account.9.aor", ""), "account.9.aor: no such account: expected 1 to 8");
        assert_eq!(refusal("account.01.aor", ""), "account.01.aor: no such account: expected 1 to 8");
        assert_eq!(
            refusal("dialplan.send_key", "a"),
            "dialplan.send_key: \"a\" is not allowed: expected `off`, `#` or `*`"
        );
        assert_eq!(
            refusal("dialplan.digit_map", "[2-9"),
            "dialplan.digit_map: \"[2-9\" is not a digit map: column 5: expected keys, or ] to close the set"
        );
        assert_eq!(
            refusal("dialplan.rules", "block 1; area 0 4 3"),
            "dialplan.rules: \"block 1; area 0 4 3\" are not dial rules: column 19: expected a maximum that is larger than the minimum"
        );
        let mut settings = Settings::new();
        settings.set("account.2.digit_map", "[2-9]xx").unwrap();
        assert!(settings.set("account.2.digit_map", &"1".repeat(501)).is_err());
        assert_eq!(settings.get("account.2.digit_map").as_deref(), Ok("[2-9]xx"), "what was there stays");
        assert!(refusal("phone.user_agent", &"x".repeat(1000)).len() < 200);
        assert!(refusal("phone.user_agent", "a\r\nb").contains("text, at most 128 characters"));
        let mut settings = Settings::new();
        assert_eq!(
            settings.set_as(Access::User, "sip.port", "1").unwrap_err().to_string(),
            "sip.port: only the administrator may change it"
        );
        assert_eq!(settings.set_as(Access::User, "dialplan.inter_digit", "0"), Ok(()));
        assert_eq!(settings.phone().dialling.inter_digit, None);
    }

    #[test]
    fn uris_need_a_scheme_a_host_and_no_password() {
        for good in ["sip:example.com", "SIPS:a@b", "sip:+1@[::1]:5060;transport=tcp", "sip:a%20b@192.0.2.1"]
        {
            assert_eq!(Settings::new().set("account.1.aor", good), Ok(()), "{good}");
        }
        for bad in [
            "alice",
            "sip:",
            "sip:@host",
            "tel:+1",
            "sip:a@",
            "sip:a b@c",
            "sip:a@b@c",
            "sip:a@b\u{e9}",
            "<sip:a@b>",
        ] {
            assert!(Settings::new().set("account.1.aor", bad).is_err(), "{bad}");
        }
        assert!(!refusal("account.1.aor", "sip:alice:sesame@example.com").contains("sesame"));
    }

    #[test]
    fn secrets_are_never_shown() {
        let mut settings = Settings::new();
        settings.set("account.1.aor", "sip:alice@example.com").unwrap();
        settings.set("account.1.password", "open sesame").unwrap();
        let shown =
            format!("{settings:?} {:?} {:?}", settings.account(1), settings.get("account.1.password"));
        assert!(!shown.contains("sesame"), "{shown}");
        assert_eq!(settings.account(1).unwrap().password.expose(), "open sesame");
        assert!(!refusal("account.1.password", &"sesame".repeat(100)).contains("sesame"));
    }
}
