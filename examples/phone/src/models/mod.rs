//! The telephones that the firmware can be: data, not code.
//!
//! The figures come from the makers' manuals (catalogue rows DIN-199…202, YLA-285…287, SAY-201 and SAY-265…267,
//! PAB-332 and PAB-333): the screen, the keys, the lamps and how many accounts there are.

mod c60s;
mod cp860;
mod es620;
mod ut670;

use core::str::FromStr;
use sidetone_hal::display::Size;
use sidetone_hal::keypad::{Direction, Key};
use sidetone_hal::lamp::{Lamp, LampColor};
use sidetone_provisioning::Settings;

use sidetone_sip_ua::package::blf::LampTable;

pub use c60s::C60S;
pub use cp860::CP860;
pub use es620::ES620;
pub use ut670::UT670;

/// Every model, the first being the one used when none is named.
pub const ALL: [&Model; 4] = [&ES620, &C60S, &CP860, &UT670];

/// One telephone.
#[derive(Debug)]
pub struct Model {
    /// The name on the command line and in file names: lower case.
    pub name: &'static str,
    /// The name printed on the case.
    pub title: &'static str,
    /// The screen in pixels.
    pub screen: Size,
    /// What the screen can show.
    pub depth: Depth,
    /// Whether a finger works on the screen.
    pub touch: bool,
    /// Whether there is a handset in a cradle; a conference phone has keys for off-hook and on-hook instead.
    pub handset: bool,
    /// How many accounts it registers at most.
    pub accounts: usize,
    /// Line keys, counted from 1.
    pub lines: u8,
    /// How many line keys one account occupies at most.
    pub lines_per_account: u8,
    /// Calls at one time, over all accounts.
    pub calls: usize,
    /// Far ends of a conference on the telephone at most (DIN-072, SAY-062, YLA-116: three parties with the person here).
    pub conference: usize,
    /// The keys beside the dial pad, the line keys and the soft keys, with the caption on the cap.
    pub keys: &'static [(Key, &'static str)],
    /// The keys beside the line keys that may be given a function, with the numbers that the settings know them by. They have
    /// it while the phone is idle.
    pub programmable: &'static [(u8, Key)],
    /// The lamps beside those of the line keys, with the colour each has.
    pub lamps: &'static [(Lamp, LampColor)],
    /// The colours of a line key's lamp for a call that rings, talks and is held; `None` when the keys have no lamp.
    pub line_lamps: Option<LineLamps>,
    /// The lights of a line key that watches an extension.
    pub blf_lamps: LampTable,
    /// Settings, by the paths of the schema, that have another default on this telephone than there.
    pub defaults: &'static [(&'static str, &'static str)],
}

/// What a screen can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Two tones: dark on a lit background.
    Mono,
    /// 65 536 colours.
    Color,
}

/// The colours of a line key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineLamps {
    /// Blinks in this colour while a call comes in.
    pub ringing: LampColor,
    /// Lit steadily while the line is used.
    pub active: LampColor,
    /// Blinks in this colour while the call is held.
    pub held: LampColor,
}

/// Soft keys below the screen: every model has four (on the touch screen they are drawn).
pub const SOFT_KEYS: u8 = 4;

impl Model {
    /// Gives settings the defaults of this telephone.
    pub fn ship(&self, settings: &mut Settings) {
        for (path, value) in self.defaults {
            if let Err(error) = settings.set_default(path, value) {
                tracing::error!(model = self.name, %error, "a default that is none");
            }
        }
    }

    /// Whether the telephone has this key.
    #[must_use]
    pub fn has_key(&self, key: Key) -> bool {
        match key {
            Key::Digit(_) => true,
            Key::Line(number) => (1..=self.lines).contains(&number),
            Key::Soft(number) => (1..=SOFT_KEYS).contains(&number),
            other => self.keys.iter().any(|(key, _)| *key == other),
        }
    }

    /// The key that the settings know by this number: a line key, or one of the others that may be given a function.
    #[must_use]
    pub fn programmable_key(&self, number: u8) -> Option<Key> {
        let line = (1..=self.lines).contains(&number).then_some(Key::Line(number));
        line.or_else(|| self.programmable.iter().find(|(known, _)| *known == number).map(|(_, key)| *key))
    }

    /// Every lamp of the telephone, those of the line keys included.
    pub fn all_lamps(&self) -> impl Iterator<Item = Lamp> + '_ {
        let lines = if self.line_lamps.is_some() { self.lines } else { 0 };
        (1..=lines).map(|line| Lamp::Key(Key::Line(line))).chain(self.lamps.iter().map(|(lamp, _)| *lamp))
    }

    /// The colour of a lamp that is not in a line key, if the telephone has it.
    #[must_use]
    pub fn lamp_color(&self, lamp: Lamp) -> Option<LampColor> {
        self.lamps.iter().find(|(known, _)| *known == lamp).map(|(_, color)| *color)
    }
}

/// A name that no model has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no model is called {0:?}: expected es620, c60s, cp860 or ut670")]
pub struct UnknownModel(pub String);

impl FromStr for &'static Model {
    type Err = UnknownModel;

    fn from_str(name: &str) -> Result<Self, UnknownModel> {
        ALL.into_iter()
            .find(|model| model.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownModel(name.to_owned()))
    }
}

/// The four keys of the navigation ring and the one in its middle.
const fn ring(index: usize) -> (Key, &'static str) {
    match index {
        0 => (Key::Navigate(Direction::Up), "▲"),
        1 => (Key::Navigate(Direction::Left), "◀"),
        2 => (Key::Ok, "OK"),
        3 => (Key::Navigate(Direction::Right), "▶"),
        _ => (Key::Navigate(Direction::Down), "▼"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_provisioning::KEYS;

    #[test]
    fn the_models_are_those_of_the_manuals() {
        let facts: Vec<_> =
            ALL.iter().map(|m| (m.name, m.screen.width, m.screen.height, m.accounts, m.lines)).collect();
        assert_eq!(
            facts,
            [
                ("es620", 480, 272, 8, 8),
                ("c60s", 132, 64, 2, 2),
                ("cp860", 192, 64, 1, 0),
                ("ut670", 800, 480, 6, 6)
            ]
        );
    }

    #[test]
    fn every_default_of_a_model_is_a_setting_and_another_than_the_schemas() {
        for model in ALL {
            for (path, value) in model.defaults {
                let mut settings = Settings::new();
                let of_one = path.replace(".N.", ".1.");
                let before = settings.get(&of_one).expect("a setting");
                settings.set_default(path, value).expect("a value of it");
                assert_eq!(
                    (settings.get(&of_one).as_deref(), before == *value),
                    (Ok(*value), false),
                    "{path}"
                );
                settings.set(&of_one, &before).expect("a value of it");
                assert_eq!(settings.get(&of_one), Ok(before), "{path}: what is set counts");
            }
        }
    }

    #[test]
    fn a_model_is_found_by_its_name_in_any_case() {
        assert_eq!("C60S".parse::<&Model>().map(|model| model.title), Ok("SP-C60S"));
        let error = "es621".parse::<&Model>().map(|model| model.name).unwrap_err();
        assert_eq!(error.to_string(), "no model is called \"es621\": expected es620, c60s, cp860 or ut670");
    }

    #[test]
    fn every_model_can_be_used_without_a_handset_and_has_no_key_twice() {
        for model in ALL {
            assert!(model.has_key(Key::Speaker) || model.has_key(Key::Send), "{}", model.name);
            assert!(model.has_key(Key::VolumeUp) && model.has_key(Key::Mute), "{}", model.name);
            let mut keys: Vec<_> = model.keys.iter().map(|(key, _)| *key).collect();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), model.keys.len(), "{}", model.name);
            assert!(!model.has_key(Key::Line(model.lines + 1)));
            for (number, key) in model.programmable {
                assert!(model.has_key(*key) && (model.lines + 1..=KEYS).contains(number), "{}", model.name);
            }
        }
    }
}
