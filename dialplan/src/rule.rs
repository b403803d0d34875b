//! The one form that the rules of every style are brought into.

use crate::keys::KeySet;
use crate::matcher::{Matcher, Template};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

/// The place of a rule in its [`Plan`](crate::Plan), counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub(crate) u16);

impl RuleId {
    /// The place as a number.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RuleKind {
    /// A number that is called by itself once it is complete: an alternative of a digit map, a dial-now rule.
    Call,
    /// An alternative of a digit map that refuses the number (`!`).
    Reject,
    /// Another number goes out.
    Replace,
    /// The area code is put in front.
    Area,
    /// The number may not be called.
    Block,
    /// The number may always be called, and goes out as it was dialled.
    Emergency,
    /// The number is a code for the telephone itself.
    Feature,
    /// The number is a code for the server, and goes out as it was dialled.
    Server,
    /// Digits are put into the number.
    Insert,
    /// Digits are taken out of the number.
    Delete,
    /// The call goes to an address of its own.
    To,
}

/// How long a complete number waits for a further digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wait {
    /// Not at all, unless the rule itself can take more digits: then for the inter-digit time.
    None,
    /// Seconds (`S2`).
    Seconds(u8),
    /// The time that is set for `T`.
    Macro,
    /// The time that is set for dial-now rules.
    DialNow,
}

/// The most codes for the telephone, and the most for the server, that a list has for one line.
pub const MAX_FEATURES: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Call { wait: Wait, template: Option<Template> },
    Reject { wait: Wait },
    Replace(Template),
    Area(String),
    Block,
    Emergency,
    Feature { id: u16, argument: Option<Template> },
    Server,
    Insert { position: u16, digits: String },
    Delete { position: u16, length: u16 },
    To(String),
}

/// One rule of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(crate) text: String,
    pub(crate) line: Option<u8>,
    pub(crate) matcher: Matcher,
    pub(crate) action: Action,
    /// Rules of a kind that match the same number: the smallest wins, then the first.
    pub(crate) rank: u16,
}

impl Rule {
    pub(crate) fn new(text: impl Into<String>, matcher: Matcher, action: Action) -> Self {
        Self { text: text.into(), line: None, matcher, action, rank: 0 }
    }

    /// A number that may always be called: digits, with `x` for any digit and `.` at the end for any that follow or none.
    #[must_use]
    pub fn emergency(number: &str) -> Self {
        let text = format!("emergency {number}");
        Self::new(text, simple(number), Action::Emergency)
    }

    /// A code for the telephone itself, in the form of [`Rule::emergency`], with what the telephone calls it by. What `.` stands
    /// for is its argument.
    #[must_use]
    pub fn feature(id: u16, code: &str) -> Self {
        let matcher = simple(code);
        let argument = code.ends_with('.').then(|| {
            let mut template = Template::default();
            template.push(crate::matcher::Piece::Places(matcher.len().saturating_sub(1)..matcher.len()));
            template
        });
        Self::new(format!("feature {id} {code}"), matcher, Action::Feature { id, argument })
    }

    /// A code for the server, in the form of [`Rule::emergency`]: it goes out as it was dialled, with what follows it.
    #[must_use]
    pub fn server(code: &str) -> Self {
        Self::new(format!("server {code}"), simple(code), Action::Server)
    }

    /// The rule for one line only, counted from 1.
    #[must_use]
    pub const fn on_line(mut self, line: u8) -> Self {
        self.line = Some(line);
        self
    }

    /// The rule as it is written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line it is for; `None` for all.
    #[must_use]
    pub const fn line(&self) -> Option<u8> {
        self.line
    }

    /// What it is for.
    #[must_use]
    pub const fn kind(&self) -> RuleKind {
        match self.action {
            Action::Call { .. } => RuleKind::Call,
            Action::Reject { .. } => RuleKind::Reject,
            Action::Replace(_) => RuleKind::Replace,
            Action::Area(_) => RuleKind::Area,
            Action::Block => RuleKind::Block,
            Action::Emergency => RuleKind::Emergency,
            Action::Feature { .. } => RuleKind::Feature,
            Action::Server => RuleKind::Server,
            Action::Insert { .. } => RuleKind::Insert,
            Action::Delete { .. } => RuleKind::Delete,
            Action::To(_) => RuleKind::To,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn simple(pattern: &str) -> Matcher {
    let mut matcher = Matcher::default();
    let (keys, open) = pattern.strip_suffix('.').map_or((pattern, false), |keys| (keys, true));
    for key in keys.chars() {
        let wild = key == 'x';
        matcher.once(if wild { KeySet::DIGITS } else { KeySet::of(key) }, wild);
    }
    if open {
        matcher.star(KeySet::ANY, true);
    }
    matcher
}

/// Puts digits into a number, or at its end when the number is shorter. Position 0 is in front of the first digit.
pub(crate) fn insert(number: &str, position: u16, digits: &str) -> String {
    let at = usize::from(position);
    number.chars().take(at).chain(digits.chars()).chain(number.chars().skip(at)).collect()
}

/// Takes digits out of a number, as far as it has them.
pub(crate) fn delete(number: &str, position: u16, length: u16) -> String {
    let (at, length) = (usize::from(position), usize::from(length));
    number.chars().take(at).chain(number.chars().skip(at.saturating_add(length))).collect()
}

/// The area code in front.
pub(crate) fn prefixed(code: &str, number: &str) -> String {
    let mut all = code.to_string();
    all.push_str(number);
    all
}
