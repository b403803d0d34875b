//! Codes that are dialled to switch a feature at the server.

use alloc::string::String;

/// What is dialled when a feature is switched here, so that the server switches it too (Yealink `…on_code` and `…off_code`,
/// Dinstar "On Code" and "Off Code"; both empty by default). Two features may have the same codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerCode {
    /// Dialled when the feature goes on; empty for nothing.
    pub on: String,
    /// Dialled when it goes off; empty for nothing.
    pub off: String,
    /// Whether the target follows the off code too, as Dinstar's forwards have it (DIN-066). Yealink sends the off code alone
    /// (YLA-088).
    pub target_follows_off: bool,
}

impl ServerCode {
    /// With these codes.
    #[must_use]
    pub fn new(on: impl Into<String>, off: impl Into<String>) -> Self {
        Self { on: on.into(), off: off.into(), target_follows_off: false }
    }

    /// The same where the target follows the off code as well.
    #[must_use]
    pub const fn with_target_after_off(mut self) -> Self {
        self.target_follows_off = true;
        self
    }

    /// What to dial when the feature goes on or off; `None` when nothing is set.
    #[must_use]
    pub fn switched(&self, on: bool) -> Option<&str> {
        Some(if on { self.on.as_str() } else { self.off.as_str() }).filter(|code| !code.is_empty())
    }

    /// The same for a feature with a target, which stands right behind the code: `*78` and `201` are `*78201` (YLC-202).
    #[must_use]
    pub fn switched_to(&self, on: bool, target: &str) -> Option<String> {
        let mut code = String::from(self.switched(on)?);
        if on || self.target_follows_off {
            code.push_str(target);
        }
        Some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_stands_behind_the_code() {
        let code = ServerCode::new("*78", "*79");
        assert_eq!(code.switched_to(true, "201").as_deref(), Some("*78201"));
        assert_eq!(code.switched_to(false, "201").as_deref(), Some("*79"));
        assert_eq!(code.with_target_after_off().switched_to(false, "201").as_deref(), Some("*79201"));
        assert_eq!(ServerCode::default().switched_to(true, "201"), None);
        assert_eq!(ServerCode::new("", "*79").switched(true), None);
    }
}
