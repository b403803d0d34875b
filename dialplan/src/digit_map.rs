//! Digit maps (KX-UT670, section 6.6): parsing.

use crate::error::{Parsed, PlanError, PlanErrorKind, at_most, finish, require, stop};
use crate::keys::KeySet;
use crate::matcher::{Matcher, Piece, Template};
use crate::rule::{Action, Rule, Wait};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use nom::Parser;
use nom::bytes::complete::take_while;
use nom::character::complete::{char, one_of, satisfy};
use nom::combinator::{cut, opt};
use nom::multi::{many1, separated_list1};

/// A parsed digit map: alternatives between `|`, each a rule.
///
/// ```
/// use sidetone_dialplan::{DigitMap, Plan};
/// let map = DigitMap::parse("[2346789]11|01[2-9]x.|<101:9999>|123xxx!")?;
/// assert_eq!(map.rules().len(), 4);
/// let error = DigitMap::parse("12[4-").unwrap_err();
/// assert_eq!(error.to_string(), "column 6: expected a key at the end of the range");
/// # Ok::<(), sidetone_dialplan::PlanError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitMap {
    text: String,
    rules: Vec<Rule>,
}

impl DigitMap {
    /// The most characters of a map.
    pub const MAX_LENGTH: usize = 500;
    /// The most alternatives of a map.
    pub const MAX_ALTERNATIVES: usize = 40;
    /// The most digits of an alternative: places that take one, those of a substitution included.
    pub const MAX_DIGITS: usize = 32;

    /// Reads a map; blanks around it are ignored.
    ///
    /// # Errors
    /// Says at which column what was expected.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        at_most(text, Self::MAX_LENGTH)?;
        let rules = finish(text, PlanErrorKind::Alternative, digit_map(text))?;
        Ok(Self { text: text.trim().into(), rules })
    }

    /// The alternatives.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl FromStr for DigitMap {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        Self::parse(text)
    }
}

impl fmt::Display for DigitMap {
    /// Writes the map as it was read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn digit_map(input: &str) -> Parsed<'_, Vec<Rule>> {
    let blanks = || take_while(|c: char| c.is_whitespace());
    let (list, _) = blanks().parse(input)?;
    let (rest, alternatives) = separated_list1(char('|'), cut(alternative)).parse(list)?;
    if let Some((at, _)) = alternatives.get(DigitMap::MAX_ALTERNATIVES) {
        return stop(at, PlanErrorKind::TooManyAlternatives(DigitMap::MAX_ALTERNATIVES));
    }
    let (rest, _) = blanks().parse(rest)?;
    Ok((rest, alternatives.into_iter().map(|(_, rule)| rule).collect()))
}

/// What an alternative is made of.
enum Part {
    Keys { keys: KeySet, wild: bool, repeated: bool },
    Substitution { before: Vec<Self>, after: String },
}

/// One alternative, and the text from its beginning on.
fn alternative(input: &str) -> Parsed<'_, (&str, Rule)> {
    let (rest, parts) = many1(part).parse(input)?;
    let (rest, (wait, reject)) = tail(rest)?;
    let mut matcher = Matcher::default();
    let mut template = Template::default();
    let mut substitutes = false;
    let mut digits = 0;
    for (at, part) in &parts {
        let start = matcher.len();
        digits += add(&mut matcher, part);
        if digits > DigitMap::MAX_DIGITS {
            return stop(at, PlanErrorKind::TooManyDigits(DigitMap::MAX_DIGITS));
        }
        template.push(match part {
            Part::Substitution { after, .. } => {
                substitutes = true;
                Piece::Text(after.clone())
            }
            Part::Keys { .. } => Piece::Places(start..matcher.len()),
        });
    }
    let text = input.get(..input.len() - rest.len()).unwrap_or_default();
    let action = match reject {
        true => Action::Reject { wait },
        false => Action::Call { wait, template: substitutes.then_some(template) },
    };
    Ok((rest, (input, Rule::new(text, matcher, action))))
}

/// Adds what a part matches; says how many digits that are.
fn add(matcher: &mut Matcher, part: &Part) -> usize {
    match part {
        Part::Keys { keys, wild, repeated } => {
            matcher.once(*keys, *wild);
            if *repeated {
                matcher.star(*keys, *wild);
            }
            1
        }
        Part::Substitution { before, .. } => before.iter().map(|part| add(matcher, part)).sum(),
    }
}

fn part(input: &str) -> Parsed<'_, (&str, Part)> {
    if input.starts_with('.') {
        return stop(input, PlanErrorKind::Repeat);
    }
    let (rest, part) = if input.starts_with('<') { substitution(input) } else { keys(input) }?;
    Ok((rest, (input, part)))
}

/// A key, `x` or a set, and a `.` that repeats it.
fn keys(input: &str) -> Parsed<'_, Part> {
    let (rest, first) = satisfy(|c| is_key(c) || matches!(c, 'x' | 'X' | '[')).parse(input)?;
    let (rest, keys) = match first {
        '[' => set(rest)?,
        'x' | 'X' => (rest, KeySet::DIGITS),
        key => (rest, KeySet::of(key)),
    };
    let (rest, repeated) = opt(char('.')).parse(rest)?;
    Ok((rest, Part::Keys { keys, wild: matches!(first, 'x' | 'X'), repeated: repeated.is_some() }))
}

/// `<before:after>`; what is before may be empty, so that digits are put in, and what is after, so that they go.
fn substitution(input: &str) -> Parsed<'_, Part> {
    let (mut rest, _) = char('<').parse(input)?;
    let mut before = Vec::new();
    while !rest.starts_with(':') {
        let (after, part) = require(PlanErrorKind::Colon, keys).parse(rest)?;
        before.push(part);
        rest = after;
    }
    let (rest, _) = char(':').parse(rest)?;
    let (rest, after) = take_while(is_key).parse(rest)?;
    let (rest, _) = require(PlanErrorKind::Substitution, char('>')).parse(rest)?;
    if after.len() > DigitMap::MAX_DIGITS {
        return stop(input, PlanErrorKind::TooManyDigits(DigitMap::MAX_DIGITS));
    }
    Ok((rest, Part::Substitution { before, after: after.into() }))
}

/// The inside of `[ ]`, and what closes it.
///
/// A range is of single digits: `[12-21]` is refused, as it says neither 12 to 21 nor what else it looks like.
fn set(input: &str) -> Parsed<'_, KeySet> {
    let mut all = KeySet::EMPTY;
    let mut rest = input;
    let run = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
    // Single digits that stand in a row before the range.
    let mut before = 0;
    loop {
        let (after, low) = require(PlanErrorKind::Set, satisfy(is_key)).parse(rest)?;
        let Some(upper) = after.strip_prefix('-') else {
            all = all.with(KeySet::of(low));
            before += 1;
            if let Some(end) = after.strip_prefix(']') {
                return Ok((end, all));
            }
            rest = after;
            continue;
        };
        let (after, high) = require(PlanErrorKind::RangeEnd, satisfy(|c| c.is_ascii_digit())).parse(upper)?;
        // `[2-46-9]` and `[13-5]` are plain; digits in a row on both sides are not, unless the next range takes them.
        let behind = run(after);
        let taken = after.chars().nth(behind) == Some('-') && behind == 1;
        let reads_as_numbers = before > 0 && behind > 0 && !taken;
        if !low.is_ascii_digit() || low > high || reads_as_numbers {
            return stop(rest, PlanErrorKind::Range);
        }
        all = all.with(KeySet::range(low, high));
        before = 0;
        if let Some(end) = after.strip_prefix(']') {
            return Ok((end, all));
        }
        rest = after;
    }
}

/// What stands behind the digits: a timer and `!`, each at most once.
fn tail(input: &str) -> Parsed<'_, (Wait, bool)> {
    let (mut wait, mut reject, mut rest) = (None, false, input);
    loop {
        let (after, mark) = opt(one_of("SsTt!")).parse(rest)?;
        rest = match mark {
            Some('!') if !reject => {
                reject = true;
                after
            }
            Some('t' | 'T') if wait.is_none() => {
                wait = Some(Wait::Macro);
                after
            }
            Some('s' | 'S') if wait.is_none() => {
                let mut digit = require(PlanErrorKind::Seconds, satisfy(|c| c.is_ascii_digit()));
                let (after, seconds) = digit(after)?;
                let seconds = seconds.to_digit(10).and_then(|seconds| u8::try_from(seconds).ok());
                wait = Some(Wait::Seconds(seconds.unwrap_or_default()));
                after
            }
            Some(_) => return stop(rest, PlanErrorKind::Tail),
            None => break,
        };
    }
    let marked = rest.len() < input.len();
    if marked && rest.starts_with(|c: char| is_key(c) || matches!(c, 'x' | 'X' | '[' | '<' | '.')) {
        return stop(rest, PlanErrorKind::Tail);
    }
    Ok((rest, (wait.unwrap_or(Wait::None), reject)))
}

const fn is_key(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '*' | '#' | '+')
}
