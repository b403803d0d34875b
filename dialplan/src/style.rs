//! The four manners in which plans are written.

use core::fmt;
use core::str::FromStr;

/// Whose rules a plan is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Style {
    /// A digit map (KX-UT670, section 6.6).
    #[default]
    Panasonic,
    /// Replace, dial-now, area-code and block-out rules (CP860).
    Yealink,
    /// The same (C60S).
    Dinstar,
    /// Rules by prefix: insert, then delete, then a target address (ES620).
    Sayhi,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Panasonic, Self::Yealink, Self::Dinstar, Self::Sayhi];

    /// The name in settings and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panasonic => "panasonic",
            Self::Yealink => "yealink",
            Self::Dinstar => "dinstar",
            Self::Sayhi => "sayhi",
        }
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No style has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected panasonic, yealink, dinstar or sayhi")]
pub struct UnknownStyle;

impl FromStr for Style {
    type Err = UnknownStyle;

    fn from_str(name: &str) -> Result<Self, UnknownStyle> {
        Self::ALL.into_iter().find(|style| style.name().eq_ignore_ascii_case(name)).ok_or(UnknownStyle)
    }
}
