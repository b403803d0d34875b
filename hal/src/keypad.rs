//! Keys: what a person can press on a telephone, named by its cap and not by what the firmware makes of it.
//!
//! [`Key`] is the union of the keys of the desk and conference phones that the reference phone models, of
//! their expansion modules, and of the usual others. Every key has a name in text (`Display` and `FromStr`),
//! which scripts, web panels and settings use: `5`, `#`, `line1`, `soft4`, `up`, `hold`, `module2-key32`.

use core::fmt;
use core::str::FromStr;

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Key {
    /// The dial pad: `0`–`9`, `*` and `#`. [`Key::digit`] makes only these.
    Digit(char),
    /// A line (programmable) key with a lamp, counted from 1.
    Line(u8),
    /// A soft key below the screen, counted from 1 at the left.
    Soft(u8),
    /// A key of an expansion module; both counted from 1.
    Module {
        /// Which module, 1 being the one next to the phone.
        module: u8,
        /// Which key on it.
        key: u8,
    },
    /// The navigation ring.
    Navigate(Direction),
    /// Confirms, in the middle of the ring.
    Ok,
    /// Leaves or ends (`C`, `Cancel`, `Back`).
    Cancel,
    /// Erases the last character.
    Delete,
    /// Opens the menu.
    Menu,
    /// Goes to the idle screen.
    Home,
    /// Takes the line, dials, or answers: the off-hook key of a phone without a handset, or `Send`.
    Send,
    /// Ends the call: the on-hook key of a phone without a handset.
    End,
    /// Holds and resumes.
    Hold,
    /// Transfers.
    Transfer,
    /// Joins calls.
    Conference,
    /// Dials the last number again.
    Redial,
    /// Flash or recall.
    Flash,
    /// Switches the microphone off and on.
    Mute,
    /// Hands-free.
    Speaker,
    /// Switches to the headset.
    Headset,
    /// Voice mail and messages.
    Message,
    /// Phone books and call logs.
    Directory,
    /// The services menu.
    Service,
    /// Records the call.
    Record,
    /// Louder.
    VolumeUp,
    /// Softer.
    VolumeDown,
    /// The recessed button for a factory reset.
    Reset,
}

/// A side of the navigation ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Towards the top of the screen.
    Up,
    /// Towards the bottom.
    Down,
    /// To the left.
    Left,
    /// To the right.
    Right,
}

/// A key went down or came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyEvent {
    /// Which key.
    pub key: Key,
    /// True when it went down, false when it came up.
    pub pressed: bool,
}

impl KeyEvent {
    /// The key went down.
    #[must_use]
    pub const fn down(key: Key) -> Self {
        Self { key, pressed: true }
    }

    /// The key came up.
    #[must_use]
    pub const fn up(key: Key) -> Self {
        Self { key, pressed: false }
    }
}

/// The keys that carry no number, with their names.
const NAMED: [(Key, &str); 26] = [
    (Key::Navigate(Direction::Up), "up"),
    (Key::Navigate(Direction::Down), "down"),
    (Key::Navigate(Direction::Left), "left"),
    (Key::Navigate(Direction::Right), "right"),
    (Key::Ok, "ok"),
    (Key::Cancel, "cancel"),
    (Key::Delete, "delete"),
    (Key::Menu, "menu"),
    (Key::Home, "home"),
    (Key::Send, "send"),
    (Key::End, "end"),
    (Key::Hold, "hold"),
    (Key::Transfer, "transfer"),
    (Key::Conference, "conference"),
    (Key::Redial, "redial"),
    (Key::Flash, "flash"),
    (Key::Mute, "mute"),
    (Key::Speaker, "speaker"),
    (Key::Headset, "headset"),
    (Key::Message, "message"),
    (Key::Directory, "directory"),
    (Key::Service, "service"),
    (Key::Record, "record"),
    (Key::VolumeUp, "volume-up"),
    (Key::VolumeDown, "volume-down"),
    (Key::Reset, "reset"),
];

impl Key {
    /// The dial-pad key with this character, if the dial pad has it.
    #[must_use]
    pub const fn digit(character: char) -> Option<Self> {
        match character {
            '0'..='9' | '*' | '#' => Some(Self::Digit(character)),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Digit(character) => write!(f, "{character}"),
            Self::Line(number) => write!(f, "line{number}"),
            Self::Soft(number) => write!(f, "soft{number}"),
            Self::Module { module, key } => write!(f, "module{module}-key{key}"),
            named => {
                NAMED.iter().find(|(key, _)| *key == named).map_or(Ok(()), |(_, name)| f.write_str(name))
            }
        }
    }
}

/// A text that names no [`Key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKey;

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a key: expected a digit, *, #, line1, soft1, module1-key1, or a name such as hold")
    }
}

impl core::error::Error for UnknownKey {}

impl FromStr for Key {
    type Err = UnknownKey;

    /// Reads the name that `Display` writes; numbers are 1 to 255.
    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        let mut characters = text.chars();
        if let (Some(character), None) = (characters.next(), characters.next()) {
            return Self::digit(character).ok_or(UnknownKey);
        }
        if let Some((key, _)) = NAMED.iter().find(|(_, name)| *name == text) {
            return Ok(*key);
        }
        if let Some(number) = text.strip_prefix("line") {
            return ordinal(number).map(Self::Line);
        }
        if let Some(number) = text.strip_prefix("soft") {
            return ordinal(number).map(Self::Soft);
        }
        let (module, key) =
            text.strip_prefix("module").and_then(|rest| rest.split_once("-key")).ok_or(UnknownKey)?;
        Ok(Self::Module { module: ordinal(module)?, key: ordinal(key)? })
    }
}

/// A number from 1 to 255 written in digits only (`u8::from_str` would also take a sign or leading zeros).
fn ordinal(text: &str) -> Result<u8, UnknownKey> {
    if text.starts_with(|first: char| ('1'..='9').contains(&first)) {
        text.parse().map_err(|_| UnknownKey)
    } else {
        Err(UnknownKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn every_key_reads_back_from_its_name() {
        let mut keys: Vec<Key> = NAMED.iter().map(|(key, _)| *key).collect();
        keys.extend("0123456789*#".chars().filter_map(Key::digit));
        keys.extend([Key::Line(1), Key::Line(255), Key::Soft(4)]);
        keys.push(Key::Module { module: 6, key: 32 });
        let mut names: Vec<_> = keys.iter().map(ToString::to_string).collect();
        for (key, name) in keys.iter().zip(&names) {
            assert_eq!(name.parse(), Ok(*key), "{name}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), keys.len(), "two keys share a name, or one has none");
    }

    #[test]
    fn other_texts_name_no_key() {
        for text in [
            "",
            "a",
            "A",
            "line",
            "line0",
            "line256",
            "line+1",
            "line01",
            "soft-1",
            "HOLD",
            "module1",
            "module1-key",
            "٣",
        ] {
            assert_eq!(text.parse::<Key>(), Err(UnknownKey), "{text:?}");
        }
    }
}
