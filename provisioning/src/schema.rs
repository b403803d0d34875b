//! The schema: every setting once, with all that is known about it.
//!
//! A setting stands here only if the phone reads it. `N` in a path stands for an account, 1 to [`ACCOUNTS`].

use core::fmt::{self, Write as _};

/// How many accounts the settings hold: as many as the largest model has.
pub const ACCOUNTS: u8 = 8;

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
    /// Whether every account has one of its own.
    #[must_use]
    pub fn is_per_account(&self) -> bool {
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
    /// A time in whole seconds.
    Seconds {
        /// The shortest.
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
    /// A digit map of RFC 3435, or nothing.
    DigitMap,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Integer { min, max } => write!(f, "{min} to {max}"),
            Self::Seconds { min, max } => write!(f, "{min} to {max} seconds"),
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
            Self::DigitMap => f.write_str("a digit map such as `[2-9]xxx`, or nothing"),
        }
    }
}

/// Every setting of the phone, in the order in which files and tables show them.
pub const SCHEMA: &[Setting] = {
    use Access::{Administrator as Admin, User};
    use Kind::{Bool, Choice, DigitMap, Integer, Seconds, Secret, SipUri, SocketAddress, Text};
    const LIVE: bool = false;
    const RESTART: bool = true;
    &[
        row("account.N.enabled", Bool, "true", Admin, LIVE, "Whether the account is used."),
        row("account.N.aor", SipUri, "", Admin, LIVE, "The address of record; nothing means no account."),
        row(
            "account.N.display_name",
            Text { max: 64 },
            "",
            Admin,
            LIVE,
            "The name that the other party sees.",
        ),
        row(
            "account.N.auth_user",
            Text { max: 128 },
            "",
            Admin,
            LIVE,
            "The name for authentication; nothing takes the user of the address of record.",
        ),
        row("account.N.password", Secret { max: 128 }, "", Admin, LIVE, "The password for authentication."),
        row(
            "account.N.outbound_proxy",
            SipUri,
            "",
            Admin,
            LIVE,
            "Where requests go first; nothing takes the host of the address of record.",
        ),
        row(
            "account.N.transport",
            Choice(&["udp", "tcp"]),
            "udp",
            Admin,
            LIVE,
            "The transport protocol to the server.",
        ),
        row(
            "account.N.expires",
            Seconds { min: 60, max: 86_400 },
            "3600",
            Admin,
            LIVE,
            "The lifetime asked for a registration.",
        ),
        row(
            "phone.model",
            Choice(&["c60s", "cp860", "es620", "ut670"]),
            "es620",
            Admin,
            RESTART,
            "Which telephone this is: screen, keys, lamps, accounts.",
        ),
        row(
            "phone.user_agent",
            Text { max: 128 },
            "",
            Admin,
            RESTART,
            "What the User-Agent header says; nothing says the firmware and its version.",
        ),
        row(
            "sip.port",
            Integer { min: 0, max: 65_535 },
            "5060",
            Admin,
            RESTART,
            "The local port for SIP; 0 lets the system choose.",
        ),
        row(
            "panel.address",
            SocketAddress,
            "127.0.0.1:8080",
            Admin,
            RESTART,
            "Where the browser panel is served, on this machine only.",
        ),
        row(
            "media.codecs",
            Text { max: 256 },
            "PCMU PCMA G729",
            Admin,
            RESTART,
            "The codecs of calls, what is liked best first, by their names in SDP, with format parameters as in `G729;annexb=no`.",
        ),
        row(
            "dialplan.digit_map",
            DigitMap,
            "",
            Admin,
            LIVE,
            "The numbers that are dialled as soon as they are complete; nothing takes any number.",
        ),
        row(
            "dialplan.inter_digit",
            Seconds { min: 0, max: 60 },
            "5",
            User,
            LIVE,
            "After this time without a digit the number is dialled; 0 waits for ever.",
        ),
        row(
            "dialplan.send_key",
            Choice(&["off", "#", "*"]),
            "#",
            User,
            LIVE,
            "The key that sends the number.",
        ),
    ]
};

const fn row(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    access: Access,
    restart: bool,
    help: &'static str,
) -> Setting {
    Setting { path, kind, default, access, restart, help }
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
            assert_eq!(setting.is_per_account(), setting.path.starts_with("account."), "{}", setting.path);
            let form = |c: char| c.is_ascii_lowercase() || c == '_';
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
