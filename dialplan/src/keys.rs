//! Sets of keys: what one place in a rule takes.

use core::fmt;

/// A set of characters: one bit for each of ASCII. All others share the bit of DEL, which nobody can press.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeySet(u128);

/// How many kinds of characters sets tell apart.
pub(crate) const SYMBOLS: usize = 128;

impl KeySet {
    pub(crate) const EMPTY: Self = Self(0);
    /// Any character.
    pub(crate) const ANY: Self = Self(u128::MAX);
    /// `0` to `9`.
    pub(crate) const DIGITS: Self = Self(0x3ff << 48);

    pub(crate) const fn of(key: char) -> Self {
        Self(1 << symbol(key))
    }

    /// From one character to another, both included.
    pub(crate) fn range(low: char, high: char) -> Self {
        (low..=high).fold(Self::EMPTY, |all, key| all.with(Self::of(key)))
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, key: char) -> bool {
        self.has_symbol(symbol(key))
    }

    pub(crate) const fn has_symbol(self, symbol: u8) -> bool {
        self.0 & (1 << symbol) != 0
    }
}

/// The place of a character in sets, below [`SYMBOLS`].
pub(crate) const fn symbol(key: char) -> u8 {
    if key.is_ascii() { key as u8 } else { 127 }
}

/// Writes the set as in a rule: a key, `x` for the digits, or `[ ]`; `any` for all.
impl fmt::Display for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys = (' '..='~').filter(|key| self.has(*key)).peekable();
        match *self {
            Self::ANY => return f.write_str("any"),
            Self::DIGITS => return f.write_str("x"),
            Self(set) if set.is_power_of_two() && keys.peek().is_some() => {}
            _ => f.write_str("[")?,
        }
        let brackets = !self.0.is_power_of_two();
        while let Some(low) = keys.next() {
            let mut high = low;
            while let Some(next) = keys.next_if(|next| *next as u32 == high as u32 + 1) {
                high = next;
            }
            match high as u32 - low as u32 {
                0 => write!(f, "{low}")?,
                1 => write!(f, "{low}{high}")?,
                _ => write!(f, "{low}-{high}")?,
            }
        }
        if self.has_symbol(127) {
            f.write_str("…")?;
        }
        if brackets { f.write_str("]") } else { Ok(()) }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
