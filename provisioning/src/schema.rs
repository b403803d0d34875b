//! The schema: every setting once, with all that is known about it.
//!
//! A setting stands here only if the phone reads it. `N` in a path stands for an account, 1 to [`ACCOUNTS`], or, after `key`,
//! for a key, 1 to [`KEYS`].

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
mod table;
mod tones;

use table::TABLE;

use core::fmt::{self, Write as _};

/// How many accounts the settings hold: as many as the largest model has.
pub const ACCOUNTS: u8 = 8;

/// How many keys the settings hold: the greatest number that a model gives a key (CP860: its Mute key is 13).
pub const KEYS: u8 = 13;

/// The tables of the settings, in the order in which files and documentation show them.
const TABLES: &[&[Setting]] = &[
    TABLE,
    dialplan::DIALPLAN,
    codes::CODES,
    calls::CALLS,
    session::SESSION,
    registration::REGISTRATION,
    subscribing::SUBSCRIBING,
    locating::LOCATING,
    sound::SOUND,
    tones::TONES,
    server::SERVER,
    identity::IDENTITY,
    keys::KEYS,
    several::SEVERAL,
    features::FEATURES,
    completion::COMPLETION,
    pnp::PNP,
];

/// Every setting of the phone, in the order in which files and tables show them.
pub const SCHEMA: &[Setting] = &join::<{ count(TABLES) }>(TABLES);

/// The rows of several tables together.
const fn count(mut tables: &[&[Setting]]) -> usize {
    let mut count = 0;
    while let [table, rest @ ..] = tables {
        count += table.len();
        tables = rest;
    }
    count
}

/// The rows of several tables, `N` in all.
const fn join<const N: usize>(mut tables: &[&[Setting]]) -> [Setting; N] {
    let mut all = [table::row("", Kind::Bool, "", Access::User, false, ""); N];
    let mut at = 0;
    while let [table, rest @ ..] = tables {
        let (_, free) = all.split_at_mut(at);
        let (place, _) = free.split_at_mut(table.len());
        place.copy_from_slice(table);
        at += table.len();
        tables = rest;
    }
    all
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Where it is, such as `account.N.aor`.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Its value when nobody set it, as text.
    pub default: &'static str,
    /// Who may change it.
    pub access: Access,
    /// Whether a change takes effect only at the next start.
    pub restart: bool,
    /// One line for the person who sets it.
    pub help: &'static str,
}

impl Setting {
    /// Whether every account, or every key, has one of its own.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        self.path.contains(".N.")
    }
}

/// Who may change a setting. An administrator may change whatever a user may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Whoever uses the phone.
    User,
    /// Whoever looks after it.
    Administrator,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Administrator => "administrator",
        })
    }
}

/// What a setting holds. `Display` says it in words, as in "60 to 86400 seconds".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `true` or `false`; `on`, `off`, `yes`, `no`, `1` and `0` are read, too.
    Bool,
    /// A whole number.
    Integer {
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// A whole number, or nothing.
    OptionalInteger {
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// A time in milliseconds.
    Milliseconds {
        /// The shortest.
        min: u32,
        /// The longest.
        max: u32,
    },
    /// A time in milliseconds, or nothing.
    OptionalMilliseconds {
        /// The shortest.
        min: u32,
        /// The longest.
        max: u32,
    },
    /// A time in whole seconds.
    Seconds {
        /// The shortest.
        min: u32,
        /// The longest.
        max: u32,
    },
    /// A time in whole seconds, or 0.
    SecondsOrZero {
        /// The shortest beside 0.
        min: u32,
        /// The longest.
        max: u32,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Characters other than control characters.
    Text {
        /// The most characters.
        max: usize,
    },
    /// Text that is never shown.
    Secret {
        /// The most characters.
        max: usize,
    },
    /// A `sip:` or `sips:` URI without a password in it, or nothing. Its finer grammar is for the SIP stack
    /// to check.
    SipUri,
    /// An IP address with a port.
    SocketAddress,
    /// An IP address, or nothing.
    IpAddress,
    /// IP addresses with or without a port, between blanks, or nothing.
    Servers {
        /// The most addresses.
        max: usize,
    },
    /// Host names or IP addresses, with or without a port, between blanks, or nothing.
    Hosts {
        /// The most of them.
        max: usize,
    },
    /// Statuses of SIP responses, between blanks, or nothing.
    Statuses {
        /// The most of them.
        max: usize,
    },
    /// A digit map, or nothing.
    DigitMap,
    /// Rules of dialling between `;`, or nothing.
    DialRules,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Integer { min, max } => write!(f, "{min} to {max}"),
            Self::Milliseconds { min, max } => write!(f, "{min} to {max} milliseconds"),
            Self::OptionalMilliseconds { min, max } => write!(f, "{min} to {max} milliseconds, or nothing"),
            Self::Seconds { min, max } => write!(f, "{min} to {max} seconds"),
            Self::SecondsOrZero { min, max } => write!(f, "0, or {min} to {max} seconds"),
            Self::OptionalInteger { min, max } => write!(f, "{min} to {max}, or nothing"),
            Self::Choice(words) => {
                for (place, word) in words.iter().enumerate() {
                    let before = match place {
                        0 => "",
                        _ if place + 1 == words.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{before}`{word}`")?;
                }
                Ok(())
            }
            Self::Text { max } => write!(f, "text, at most {max} characters"),
            Self::Secret { max } => write!(f, "secret text, at most {max} characters"),
            Self::SipUri => f.write_str("a sip: or sips: URI without a password, or nothing"),
            Self::SocketAddress => f.write_str("an address with a port, as in `127.0.0.1:8080`"),
            Self::IpAddress => f.write_str("an IP address, or nothing"),
            Self::Servers { max } => {
                write!(f, "at most {max} IP addresses with or without a port, between blanks, or nothing")
            }
            Self::Hosts { max } => {
                write!(
                    f,
                    "at most {max} hosts with or without a port, as in `stun.example.com:3478`, or nothing"
                )
            }
            Self::Statuses { max } => {
                write!(f, "at most {max} statuses of responses, 300 to 699, between blanks, or nothing")
            }
            Self::DigitMap => f.write_str("a digit map such as `[2-9]xxx`, or nothing"),
            Self::DialRules => f.write_str("rules such as `replace 0(.)=9$1; block 900.`, or nothing"),
        }
    }
}

/// The schema as a table in Markdown, as the documentation shows it.
#[must_use]
pub fn markdown_table() -> String {
    let mut table = String::from(
        "| setting | value | default | changed by | takes effect | meaning |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for setting in SCHEMA {
        let Setting { path, kind, default, access, restart, help } = setting;
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let when = if *restart { "at the next start" } else { "at once" };
        // Writing to a `String` cannot fail.
        let _ = writeln!(table, "| `{path}` | {kind} | {default} | {access} | {when} | {help} |");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_this_schema() {
        let readme = include_str!("../README.md");
        assert!(readme.contains(&markdown_table()), "put this table in the README:\n{}", markdown_table());
    }

    #[test]
    fn paths_are_unique_and_of_one_form() {
        for (place, setting) in SCHEMA.iter().enumerate() {
            assert!(
                SCHEMA.iter().skip(place + 1).all(|other| other.path != setting.path),
                "{}",
                setting.path
            );
            let numbered = setting.path.starts_with("account.") || setting.path.starts_with("key.");
            assert_eq!(setting.is_numbered(), numbered, "{}", setting.path);
            let form = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let mut parts = setting.path.split('.');
            assert!(
                parts.all(|part| part == "N" || !part.is_empty() && part.chars().all(form)),
                "{}",
                setting.path
            );
            assert!(setting.help.ends_with('.') && !setting.help.contains(['\n', '|']), "{}", setting.path);
        }
    }
}
