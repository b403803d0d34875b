//! Numbers as people write, show and compare them: normalising, patterns, matching by their last digits.

use alloc::string::String;
use alloc::vec::Vec;
use sidetone_sip_core::{Scheme, Uri};

/// The number or name in a URI: the number of a `tel` URI or of one with `user=phone`, without what is for the eye only,
/// or else the user part without the parameters that it may have.
#[must_use]
pub fn of_uri(uri: &Uri) -> Option<String> {
    if let Some(number) = uri.phone_number() {
        return Some(number);
    }
    if !uri.is_sip() && uri.scheme() != Scheme::Tel {
        return None;
    }
    let user = uri.user()?;
    let number = user.split(';').next().unwrap_or_default();
    Some(if is_number(number) { bare(number) } else { number.into() }).filter(|number| !number.is_empty())
}

/// Whether the text is a telephone number: digits, `*`, `#`, with `+` at most in front, and `-`, `.`, `(`, `)`, spaces between.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.bytes().any(is_dialled) && digits.bytes().all(|byte| is_dialled(byte) || is_visual(byte))
}

/// The number without what is for the eye only.
#[must_use]
pub fn bare(number: &str) -> String {
    number.chars().filter(|c| !u8::try_from(*c).is_ok_and(is_visual)).collect()
}

const fn is_dialled(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'*' | b'#')
}

const fn is_visual(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')' | b' ')
}

/// How numbers are written where the telephone stands. With the defaults numbers stay as they come, without separators.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NumberRules {
    /// The own country without `+`, as `49`. Default: empty, not known.
    pub country: String,
    /// What a call to another country begins with. Default `00`.
    pub international: String,
    /// What a call to another area begins with. Default `0`; empty where there is none.
    pub national: String,
}

impl Default for NumberRules {
    fn default() -> Self {
        Self { country: String::new(), international: "00".into(), national: "0".into() }
    }
}

impl NumberRules {
    /// The rules of a country.
    #[must_use]
    pub fn new(
        country: impl Into<String>,
        international: impl Into<String>,
        national: impl Into<String>,
    ) -> Self {
        Self { country: country.into(), international: international.into(), national: national.into() }
    }

    /// A number as it is shown: one of the own country with the national prefix, others with `+`. What is no number stays as it is.
    /// What stands in place of `+` where a number is dialled is for the dial plan to say.
    #[must_use]
    pub fn display(&self, number: &str) -> String {
        if !is_number(number) {
            return number.into();
        }
        let canonical = self.canonical(number);
        let Some(global) = canonical.strip_prefix('+') else { return canonical };
        match global.strip_prefix(self.country.as_str()).filter(|_| !self.country.is_empty()) {
            Some(rest) => alloc::format!("{}{rest}", self.national),
            None => canonical,
        }
    }

    /// A number in the form `+4930123456` where that is known, for comparing: with the international prefix, or, when the
    /// country is known, with the national one. Short and special numbers stay as they are.
    #[must_use]
    pub fn canonical(&self, number: &str) -> String {
        let number = bare(number);
        let after = |prefix: &str| {
            let rest = number.strip_prefix(prefix).filter(|_| !prefix.is_empty())?;
            rest.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest).filter(|rest| !rest.is_empty())
        };
        if let Some(global) = after(&self.international) {
            return alloc::format!("+{global}");
        }
        match after(&self.national).filter(|_| !self.country.is_empty()) {
            Some(national) => alloc::format!("+{}{national}", self.country),
            None => number,
        }
    }
}

/// How many digits two numbers must have in common at their ends to be the same (Panasonic `NUMBER_MATCHING_LOWER_DIGIT` and
/// `NUMBER_MATCHING_UPPER_DIGIT`): all that both have, up to the most. A national prefix is a digit like any other, so numbers of
/// countries that have one are brought into one form by [`NumberRules::canonical`] first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberMatch {
    /// The fewest digits that are compared, 0 to 15. Default 7. Shorter numbers must be equal as a whole.
    pub lower: u8,
    /// The most digits that are compared, 0 to 15. Default 10.
    pub upper: u8,
}

impl NumberMatch {
    /// Only whole numbers are the same: both 0.
    pub const EXACT: Self = Self { lower: 0, upper: 0 };

    /// Whether the two are the same number.
    #[must_use]
    pub fn same(self, a: &str, b: &str) -> bool {
        let (a, b) = (bare(a), bare(b));
        if a == b {
            return !a.is_empty();
        }
        let digits = |number: &str| -> Vec<u8> {
            number.bytes().rev().take_while(u8::is_ascii_digit).take(usize::from(self.upper)).collect()
        };
        let (a, b) = (digits(&a), digits(&b));
        let common = a.len().min(b.len());
        self.lower > 0
            && self.upper >= self.lower
            && common >= usize::from(self.lower)
            && a.iter().zip(&b).all(|(a, b)| a == b)
    }
}

impl Default for NumberMatch {
    fn default() -> Self {
        Self { lower: 7, upper: 10 }
    }
}

/// A number, or all numbers of a form: `x` stands for any digit, `.` at the end for any characters or none.
///
/// ```
/// use sidetone_sip_ua::feature::number::NumberPattern;
/// let pattern = NumberPattern::new("0900.");
/// assert!(pattern.matches("0900 123") && !pattern.matches("0800123"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NumberPattern(String);

impl NumberPattern {
    /// The pattern; separators for the eye are dropped, except a `.` at the end.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let open = pattern.trim().ends_with('.');
        let mut pattern = bare(pattern);
        if open {
            pattern.push('.');
        }
        Self(pattern)
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the number is of this form. Letters compare without case; an empty pattern matches nothing.
    #[must_use]
    pub fn matches(&self, number: &str) -> bool {
        let number = bare(number);
        let (pattern, open) = match self.0.strip_suffix('.') {
            Some(pattern) => (pattern, true),
            None => (self.0.as_str(), false),
        };
        let fits =
            |(want, is): (u8, u8)| want.eq_ignore_ascii_case(&is) || want == b'x' && is.is_ascii_digit();
        let long = if open { number.len() >= pattern.len() } else { number.len() == pattern.len() };
        !self.0.is_empty() && long && pattern.bytes().zip(number.bytes()).all(fits)
    }
}

impl From<&str> for NumberPattern {
    fn from(pattern: &str) -> Self {
        Self::new(pattern)
    }
}

/// A list of numbers or patterns. Asking it takes time in proportion to its length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberList(Vec<NumberPattern>);

impl NumberList {
    /// Entries that a list takes: ten times the largest black list of the telephones (100, DIN-175; 30, PAA-052).
    pub const MAX: usize = 1000;

    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an entry; says whether there was room and it was not empty.
    pub fn push(&mut self, pattern: impl Into<NumberPattern>) -> bool {
        let pattern = pattern.into();
        let room = self.0.len() < Self::MAX && !pattern.0.is_empty();
        if room {
            self.0.push(pattern);
        }
        room
    }

    /// Whether an entry matches.
    #[must_use]
    pub fn matches(&self, number: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(number))
    }

    /// Whether it has no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[NumberPattern] {
        &self.0
    }
}

impl<P: Into<NumberPattern>> FromIterator<P> for NumberList {
    /// What is beyond [`NumberList::MAX`] is left out.
    fn from_iter<I: IntoIterator<Item = P>>(patterns: I) -> Self {
        let mut list = Self::new();
        for pattern in patterns.into_iter().take(Self::MAX) {
            list.push(pattern);
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_give_their_numbers() {
        for (uri, number) in [
            ("sip:+49-30-12345@example.com;user=phone", Some("+493012345")),
            ("sip:+493012345;phone-context=x@example.com", Some("+493012345")),
            ("sip:alice@example.com", Some("alice")),
            ("sip:a.b-c@example.com", Some("a.b-c")),
            ("tel:+1-201-555-0123", Some("+12015550123")),
            ("sip:example.com", None),
            ("mailto:alice@example.com", None),
        ] {
            assert_eq!(of_uri(&uri.parse().unwrap()).as_deref(), number, "{uri}");
        }
    }

    #[test]
    fn numbers_are_shown_as_they_are_dialled_here() {
        let rules = NumberRules::new("49", "00", "0");
        for (number, shown, canonical) in [
            ("+49 30 12345", "03012345", "+493012345"),
            ("004930-12345", "03012345", "+493012345"),
            ("(030) 12345", "03012345", "+493012345"),
            ("+1 201 5550123", "+12015550123", "+12015550123"),
            ("0012015550123", "+12015550123", "+12015550123"),
            ("201", "201", "201"),
            ("*98#", "*98#", "*98#"),
            ("0", "0", "0"),
        ] {
            assert_eq!(rules.display(number), shown, "{number}");
            assert_eq!(rules.canonical(number), canonical, "{number}");
        }
        assert_eq!(rules.display("alice"), "alice");
        assert_eq!(NumberRules::default().display("030-12345"), "03012345", "the country is not known");
    }

    #[test]
    fn numbers_match_by_seven_to_ten_digits() {
        let usual = NumberMatch::default();
        for (a, b, same) in [
            ("+1 201 5550123", "(201) 555-0123", true),
            ("+4930 1234567", "0301234567", false),
            ("1234567", "030 1234567", true),
            ("123456", "030123456", false),
            ("201", "201", true),
            ("201", "1201", false),
            ("1112223334445", "9992223334445", true),
            ("", "", false),
        ] {
            assert_eq!(usual.same(a, b), same, "{a} {b}");
        }
        assert!(!NumberMatch::EXACT.same("+49301234567", "0301234567"));
        assert!(NumberMatch::EXACT.same("030 1", "0301"));
        let rules = NumberRules::new("49", "00", "0");
        assert!(usual.same(&rules.canonical("+4930 1234567"), &rules.canonical("0301234567")));
    }

    #[test]
    fn patterns_match_single_digits_and_open_ends() {
        for (pattern, number, fits) in [
            ("112", "112", true),
            ("112", "1120", false),
            ("11x", "118", true),
            ("11x", "11*", false),
            ("00.", "0049", true),
            ("00.", "00", true),
            (".", "anything", true),
            ("", "", false),
            ("alice", "Alice", true),
        ] {
            assert_eq!(NumberPattern::new(pattern).matches(number), fits, "{pattern} {number}");
        }
    }
}
