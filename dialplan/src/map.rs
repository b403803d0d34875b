//! Digit maps (RFC 3435 §2.1.5): parsing, and matching by an automaton without backtracking.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use nom::branch::alt;
use nom::bytes::complete::take_while;
use nom::character::complete::{char, one_of, satisfy};
use nom::combinator::{cut, map, opt, value};
use nom::multi::{many1, separated_list1};
use nom::sequence::{delimited, separated_pair};
use nom::{IResult, Parser};

/// A parsed digit map.
///
/// ```
/// use sidetone_dialplan::{DigitMap, MatchResult};
/// let map = DigitMap::parse("(0T|00|[2-8]xxx|9011x.T)")?;
/// assert_eq!(map.matches("234"), MatchResult::Partial);
/// assert_eq!(map.matches("2345"), MatchResult::Match);
/// assert_eq!(map.matches("0"), MatchResult::MatchOrMore);
/// assert_eq!(map.matches("1"), MatchResult::NoMatch);
/// let error = DigitMap::parse("[2-").unwrap_err();
/// assert_eq!(error.to_string(), "column 4: expected a digit at the end of the range");
/// # Ok::<(), sidetone_dialplan::MapError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitMap {
    /// The alternatives one after the other, each closed by its [`Step::End`].
    steps: Vec<Step>,
    /// Where the alternatives begin.
    starts: Vec<usize>,
}

/// What a [`DigitMap`] says about the digits so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchResult {
    /// No alternative matches, and none will whatever follows.
    NoMatch,
    /// An alternative needs more digits, none is complete.
    Partial,
    /// An alternative is complete, and nothing that follows could match.
    Match,
    /// Complete if nothing follows for the inter-digit time: a longer alternative begins the same way, or
    /// the map has a `T` here.
    MatchOrMore,
}

/// Why a text is not a digit map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {kind}")]
pub struct MapError {
    /// Where, counted in characters from 1.
    pub column: usize,
    /// What was expected there.
    pub kind: MapErrorKind,
}

/// What was expected where a digit map could not be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum MapErrorKind {
    #[error("expected a digit, *, #, A to D, x, [ or T")]
    Element,
    #[error("expected |, or the end")]
    End,
    #[error("expected | or )")]
    Parenthesis,
    #[error("expected digits, *, #, A to D, or ] to close the set")]
    Set,
    #[error("expected a digit at the end of the range")]
    RangeEnd,
    #[error("expected a range that ascends")]
    RangeOrder,
    #[error("expected T only after a digit and last in its alternative")]
    Timer,
    #[error("expected at most {limit} elements", limit = DigitMap::MAX_ELEMENTS)]
    TooLong,
}

impl DigitMap {
    /// The most elements that a map may have, all alternatives together.
    pub const MAX_ELEMENTS: usize = 4096;

    /// Reads a map; blanks around it are ignored.
    ///
    /// # Errors
    /// Says at which column what was expected.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let fail = |rest: &str, kind| {
            let before = text.get(..text.len() - rest.len()).unwrap_or(text);
            MapError { column: before.chars().count() + 1, kind }
        };
        match digit_map(text) {
            Ok(("", alternatives)) => {
                Self::build(&alternatives).ok_or_else(|| fail("", MapErrorKind::TooLong))
            }
            Ok((rest, _)) => Err(fail(rest, MapErrorKind::End)),
            Err(nom::Err::Error(at) | nom::Err::Failure(at)) => Err(fail(at.rest, at.kind)),
            Err(nom::Err::Incomplete(_)) => Err(fail("", MapErrorKind::Element)),
        }
    }

    /// What the map says about `digits`. A character that is no key of a dial pad matches nothing.
    #[must_use]
    pub fn matches(&self, digits: &str) -> MatchResult {
        let mut here = PositionSet::new(self.steps.len());
        let mut next = PositionSet::new(self.steps.len());
        for &start in &self.starts {
            self.enter(&mut here, start);
        }
        for digit in digits.chars() {
            let Some(bit) = symbol(digit) else { return MatchResult::NoMatch };
            next.clear();
            for position in here.iter() {
                match self.steps.get(position) {
                    Some(Step::One(set)) if set & bit != 0 => self.enter(&mut next, position + 1),
                    Some(Step::Any(set)) if set & bit != 0 => self.enter(&mut next, position),
                    _ => {}
                }
            }
            core::mem::swap(&mut here, &mut next);
        }
        let (mut complete, mut timer, mut more) = (false, false, false);
        for position in here.iter() {
            match self.steps.get(position) {
                Some(Step::One(_) | Step::Any(_)) => more = true,
                Some(Step::Timer) => timer = true,
                Some(Step::End) | None => complete = true,
            }
        }
        match (complete, timer, more) {
            (true, false, false) => MatchResult::Match,
            (true, _, _) | (_, true, _) => MatchResult::MatchOrMore,
            (false, false, true) => MatchResult::Partial,
            (false, false, false) => MatchResult::NoMatch,
        }
    }

    fn build(alternatives: &[Vec<Step>]) -> Option<Self> {
        let mut map = Self { steps: Vec::new(), starts: Vec::new() };
        for alternative in alternatives {
            map.starts.push(map.steps.len());
            map.steps.extend_from_slice(alternative);
            map.steps.push(Step::End);
        }
        (map.steps.len() - map.starts.len() <= Self::MAX_ELEMENTS).then_some(map)
    }

    /// Adds a position and those reached from it without a digit, by skipping repetitions.
    fn enter(&self, set: &mut PositionSet, mut position: usize) {
        while set.insert(position) && matches!(self.steps.get(position), Some(Step::Any(_))) {
            position += 1;
        }
    }
}

impl FromStr for DigitMap {
    type Err = MapError;

    fn from_str(text: &str) -> Result<Self, MapError> {
        Self::parse(text)
    }
}

impl fmt::Display for DigitMap {
    /// Writes a map that parses to an equal one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for &start in &self.starts {
            if !core::mem::take(&mut first) {
                f.write_str("|")?;
            }
            for step in self.steps.iter().skip(start) {
                match step {
                    Step::One(set) => write_set(f, *set)?,
                    Step::Any(set) => {
                        write_set(f, *set)?;
                        f.write_str(".")?;
                    }
                    Step::Timer => f.write_str("T")?,
                    Step::End => break,
                }
            }
        }
        Ok(())
    }
}

/// One position of the automaton. Sets of keys are bits in the order of [`SYMBOLS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    One(u16),
    Any(u16),
    Timer,
    End,
}

const SYMBOLS: &str = "0123456789*#ABCD";
/// The set of `x`.
const DIGITS: u16 = 0x3ff;

/// The bit of a key; letters in either case.
pub(crate) fn symbol(key: char) -> Option<u16> {
    SYMBOLS.chars().position(|symbol| symbol == key.to_ascii_uppercase()).map(|place| 1 << place)
}

fn write_set(f: &mut fmt::Formatter<'_>, set: u16) -> fmt::Result {
    let keys = || SYMBOLS.chars().filter(move |key| symbol(*key).is_some_and(|bit| set & bit != 0));
    match set {
        DIGITS => f.write_str("x"),
        _ if set.is_power_of_two() => keys().try_for_each(|key| write!(f, "{key}")),
        _ => {
            f.write_str("[")?;
            keys().try_for_each(|key| write!(f, "{key}"))?;
            f.write_str("]")
        }
    }
}

/// A set of positions, one bit each.
struct PositionSet(Vec<u64>);

impl PositionSet {
    fn new(positions: usize) -> Self {
        Self(vec![0; positions.div_ceil(64)])
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Whether the position is new to the set.
    fn insert(&mut self, position: usize) -> bool {
        let Some(word) = self.0.get_mut(position / 64) else { return false };
        let bit = 1 << (position % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(index, &word)| {
            let mut left = word;
            core::iter::from_fn(move || {
                let lowest = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(index * 64 + lowest)
            })
        })
    }
}

/// Where the parser stopped, and what it wanted there.
#[derive(Debug)]
struct Stop<'a> {
    rest: &'a str,
    kind: MapErrorKind,
}

impl<'a> nom::error::ParseError<&'a str> for Stop<'a> {
    fn from_error_kind(rest: &'a str, _: nom::error::ErrorKind) -> Self {
        Self { rest, kind: MapErrorKind::Element }
    }

    fn append(_: &'a str, _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Stop<'a>>;

/// Runs `parser`; what it does not accept is an error for the whole map, of this kind.
fn require<'a, T>(
    kind: MapErrorKind,
    mut parser: impl Parser<&'a str, Output = T, Error = Stop<'a>>,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| {
        parser.parse(input).map_err(|error| match error {
            nom::Err::Error(_) => nom::Err::Failure(Stop { rest: input, kind }),
            other => other,
        })
    }
}

/// DigitMap = DigitString / "(" DigitStringList ")", with blanks around it; the bare list is accepted, too.
fn digit_map(input: &str) -> Parsed<'_, Vec<Vec<Step>>> {
    let blanks = || take_while(|c: char| c.is_ascii_whitespace());
    let list = || separated_list1(char('|'), cut(digit_string));
    let close = require(MapErrorKind::Parenthesis, char(')'));
    delimited(blanks(), alt((delimited(char('('), list(), close), list())), blanks()).parse(input)
}

/// DigitString = 1*(DigitStringElement), a `T` last if there is one.
fn digit_string(input: &str) -> Parsed<'_, Vec<Step>> {
    let (rest, mut steps) = many1(element).parse(input)?;
    let (rest, timer) = opt(one_of("tT")).parse(rest)?;
    if timer.is_some() {
        steps.push(Step::Timer);
        if !(rest.is_empty() || rest.starts_with(['|', ')']) || rest.starts_with(char::is_whitespace)) {
            return Err(nom::Err::Failure(Stop { rest, kind: MapErrorKind::Timer }));
        }
    }
    Ok((rest, steps))
}

/// DigitStringElement = DigitPosition ["."]
fn element(input: &str) -> Parsed<'_, Step> {
    if input.starts_with(['t', 'T']) {
        // After an element this ends `many1` and `digit_string` takes it; as the first element it is refused.
        return Err(nom::Err::Error(Stop { rest: input, kind: MapErrorKind::Timer }));
    }
    let any_digit = value(DIGITS, one_of("xX"));
    let set = delimited(char('['), key_set, require(MapErrorKind::Set, char(']')));
    let (rest, keys) = alt((key, any_digit, set)).parse(input)?;
    map(opt(char('.')), move |repeat| if repeat.is_some() { Step::Any(keys) } else { Step::One(keys) })
        .parse(rest)
}

/// The inside of `[ ]`: keys and ranges of digits.
fn key_set(input: &str) -> Parsed<'_, u16> {
    let members = many1(alt((range, key)));
    require(MapErrorKind::Set, map(members, |sets: Vec<u16>| sets.into_iter().fold(0, |all, set| all | set)))
        .parse(input)
}

fn range(input: &str) -> Parsed<'_, u16> {
    let digit = || satisfy(|c| c.is_ascii_digit());
    let (rest, (low, high)) =
        separated_pair(digit(), char('-'), require(MapErrorKind::RangeEnd, digit())).parse(input)?;
    if low > high {
        return Err(nom::Err::Failure(Stop { rest: input, kind: MapErrorKind::RangeOrder }));
    }
    Ok((rest, (low..=high).filter_map(symbol).fold(0, |set, bit| set | bit)))
}

fn key(input: &str) -> Parsed<'_, u16> {
    let (rest, key) = satisfy(|c| symbol(c).is_some()).parse(input)?;
    Ok((rest, symbol(key).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use MatchResult::{Match, MatchOrMore, NoMatch, Partial};
    use proptest::prelude::*;
    use std::string::{String, ToString};

    fn parsed(text: &str) -> DigitMap {
        DigitMap::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_examples_of_rfc_3435_match_as_it_says() {
        let map = parsed("(0T|00T|[1-7]xxx|8xxxxxxx|#xxxxxxx|*xx|91xxxxxxxxxx|9011x.T)");
        for (digits, expected) in [
            ("", Partial),
            ("0", MatchOrMore),
            ("00", MatchOrMore),
            ("000", NoMatch),
            ("123", Partial),
            ("1234", Match),
            ("12345", NoMatch),
            ("*6", Partial),
            ("*69", Match),
            ("#1234567", Match),
            ("91212555121", Partial),
            ("912125551212", Match),
            ("9011", MatchOrMore),
            ("901144", MatchOrMore),
            ("9011#", NoMatch),
            ("5a", NoMatch),
        ] {
            assert_eq!(map.matches(digits), expected, "{digits:?}");
        }
    }

    #[test]
    fn a_shorter_alternative_waits_for_a_longer_one() {
        let map = parsed("0|0xx");
        assert_eq!(map.matches("0"), MatchOrMore);
        assert_eq!(map.matches("01"), Partial);
        assert_eq!(map.matches("012"), Match);
        assert_eq!(parsed("x.").matches(""), MatchOrMore);
        assert_eq!(parsed("a[bC]").matches("Ac"), Match);
    }

    #[test]
    fn errors_say_where_and_what() {
        for (text, message) in [
            ("", "column 1: expected a digit, *, #, A to D, x, [ or T"),
            ("12|", "column 4: expected a digit, *, #, A to D, x, [ or T"),
            ("12e", "column 3: expected |, or the end"),
            ("(12", "column 4: expected | or )"),
            ("(12)3", "column 5: expected |, or the end"),
            ("1[2-", "column 5: expected a digit at the end of the range"),
            ("1[7-2]", "column 3: expected a range that ascends"),
            ("1[", "column 3: expected digits, *, #, A to D, or ] to close the set"),
            ("1[2T]", "column 4: expected digits, *, #, A to D, or ] to close the set"),
            ("1T2", "column 3: expected T only after a digit and last in its alternative"),
            ("T", "column 1: expected T only after a digit and last in its alternative"),
            ("é", "column 1: expected a digit, *, #, A to D, x, [ or T"),
        ] {
            assert_eq!(DigitMap::parse(text).unwrap_err().to_string(), message, "{text:?}");
        }
        let long = "1".repeat(DigitMap::MAX_ELEMENTS);
        assert!(DigitMap::parse(&long).is_ok());
        assert_eq!(DigitMap::parse(&(long + "1")).unwrap_err().kind, MapErrorKind::TooLong);
    }

    #[test]
    fn many_repetitions_do_not_backtrack() {
        // A backtracking matcher needs 2^60 steps to say no to this.
        let map = parsed(&("x.".repeat(60) + "#"));
        let digits = "1".repeat(60);
        assert_eq!(map.matches(&digits), Partial);
        assert_eq!(map.matches(&(digits + "*")), NoMatch);
    }

    /// What the map means, said another way: by trying everything. Only for small maps.
    fn reference(alternatives: &[Vec<Step>], digits: &[u16]) -> MatchResult {
        fn walk(steps: &[Step], digits: &[u16], found: &mut (bool, bool, bool)) {
            match (steps, digits) {
                ([], []) => found.0 = true,
                ([Step::Timer, ..], []) => found.1 = true,
                ([Step::One(_), ..], []) => found.2 = true,
                ([Step::Any(_), rest @ ..], []) => {
                    found.2 = true;
                    walk(rest, digits, found);
                }
                ([Step::One(set), rest @ ..], [digit, more @ ..]) if set & digit != 0 => {
                    walk(rest, more, found)
                }
                ([Step::Any(set), rest @ ..], [digit, more @ ..]) => {
                    walk(rest, digits, found);
                    if set & digit != 0 {
                        walk(steps, more, found);
                    }
                }
                _ => {}
            }
        }
        let mut found = (false, false, false);
        alternatives.iter().for_each(|steps| walk(steps, digits, &mut found));
        match found {
            (true, false, false) => Match,
            (true, _, _) | (_, true, _) => MatchOrMore,
            (_, _, true) => Partial,
            _ => NoMatch,
        }
    }

    fn alternatives() -> impl Strategy<Value = Vec<Vec<Step>>> {
        let step = (1..=u16::MAX, any::<bool>())
            .prop_map(|(set, repeat)| if repeat { Step::Any(set) } else { Step::One(set) });
        let string = (proptest::collection::vec(step, 1..6), any::<bool>()).prop_map(|(mut steps, timer)| {
            steps.extend(timer.then_some(Step::Timer));
            steps
        });
        proptest::collection::vec(string, 1..5)
    }

    proptest! {
        #[test]
        fn the_automaton_agrees_with_trying_everything(map in alternatives(), keys in "[0-9*#A-D]{0,7}") {
            let bits: Vec<u16> = keys.chars().filter_map(symbol).collect();
            let built = DigitMap::build(&map).unwrap();
            prop_assert_eq!(built.matches(&keys), reference(&map, &bits), "{} against {}", keys, built);
        }

        #[test]
        fn a_map_reads_back_from_its_text(map in alternatives()) {
            let built = DigitMap::build(&map).unwrap();
            prop_assert_eq!(DigitMap::parse(&built.to_string()), Ok(built));
        }

        #[test]
        fn no_text_panics(text in "[0-9xT.|()\\[\\]\\-*#A-Dé ]{0,24}", keys in ".{0,12}") {
            if let Ok(map) = DigitMap::parse(&text) {
                let _ = map.matches(&keys);
                let again: String = map.to_string();
                prop_assert_eq!(DigitMap::parse(&again), Ok(map));
            }
        }
    }
}
