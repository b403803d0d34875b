//! What is wrong with a plan's text, and where.

/// Why a text is not a dial plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PlanError {
    /// The line, counted from 1. A digit map has one.
    pub line: usize,
    /// Where in the line, counted in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub kind: PlanErrorKind,
}

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}: {}", self.column, self.kind)
    }
}

/// What is wrong at a place in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PlanErrorKind {
    #[error("expected a digit, *, #, +, x, [ or <")]
    Element,
    #[error("expected a character, x, ., [ or (")]
    Expression,
    #[error("expected another element, | or the end")]
    Alternative,
    #[error("expected keys, or ] to close the set")]
    Set,
    #[error("expected a key at the end of the range")]
    RangeEnd,
    #[error("expected a range of single digits that ascends")]
    Range,
    #[error("expected : between what is dialled and what goes out")]
    Colon,
    #[error("expected digits, *, # or +, or > to close the substitution")]
    Substitution,
    #[error("expected something to repeat before .")]
    Repeat,
    #[error("expected the seconds of the timer, 0 to 9")]
    Seconds,
    #[error("expected ! or a timer only at the end of an alternative, and each once")]
    Tail,
    #[error("expected ) to close the group")]
    Group,
    #[error("expected $1 to $9, and that the rule has that group")]
    Reference,
    #[error("expected replace, dialnow, area, block, insert, delete, to, emergency, feature or server")]
    Keyword,
    #[error("expected = between the prefix and the replacement")]
    Equals,
    #[error("expected digits, * or #")]
    Digits,
    #[error("expected a number from {0} to {1}")]
    Number(u16, u16),
    #[error("expected a maximum that is larger than the minimum")]
    AreaLengths,
    #[error("expected an address")]
    Address,
    #[error("expected the end of the rule")]
    RuleEnd,
    #[error("expected <Data {0}=\"…\"/>")]
    Data(&'static str),
    #[error("expected at most {0} characters")]
    TooLong(usize),
    #[error("expected at most {0} alternatives")]
    TooManyAlternatives(usize),
    #[error("expected at most {0} digits in an alternative")]
    TooManyDigits(usize),
    #[error("expected at most {0} rules of this kind")]
    TooManyRules(usize),
}

/// Where the parser stopped, and what it wanted there.
#[derive(Debug)]
pub(crate) struct Stop<'a> {
    pub(crate) rest: &'a str,
    pub(crate) kind: PlanErrorKind,
}

pub(crate) type Parsed<'a, T> = nom::IResult<&'a str, T, Stop<'a>>;

impl<'a> nom::error::ParseError<&'a str> for Stop<'a> {
    fn from_error_kind(rest: &'a str, _: nom::error::ErrorKind) -> Self {
        Self { rest, kind: PlanErrorKind::Element }
    }

    fn append(_: &'a str, _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// An error for the whole text, which no other branch can mend.
pub(crate) const fn stop<T>(rest: &str, kind: PlanErrorKind) -> Parsed<'_, T> {
    Err(nom::Err::Failure(Stop { rest, kind }))
}

/// Runs `parser`; what it does not accept is an error for the whole text, of this kind.
pub(crate) fn require<'a, T>(
    kind: PlanErrorKind,
    mut parser: impl nom::Parser<&'a str, Output = T, Error = Stop<'a>>,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| {
        parser.parse(input).map_err(|error| match error {
            nom::Err::Error(_) => nom::Err::Failure(Stop { rest: input, kind }),
            other => other,
        })
    }
}

/// The place in `text` where `rest`, a part of it, begins.
pub(crate) fn locate(text: &str, rest: &str, kind: PlanErrorKind) -> PlanError {
    let at = rest.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    PlanError { line, column, kind }
}

/// Refuses a text that is longer than `max` characters, at the first one too many.
pub(crate) fn at_most(text: &str, max: usize) -> Result<(), PlanError> {
    match text.char_indices().nth(max).and_then(|(at, _)| text.get(at..)) {
        Some(rest) => Err(locate(text, rest, PlanErrorKind::TooLong(max))),
        None => Ok(()),
    }
}

/// What a parser that must take all of `text` gave.
pub(crate) fn finish<'a, T>(
    text: &'a str,
    end: PlanErrorKind,
    parsed: Parsed<'a, T>,
) -> Result<T, PlanError> {
    match parsed {
        Ok(("", value)) => Ok(value),
        Ok((rest, _)) => Err(locate(text, rest, end)),
        Err(nom::Err::Error(at) | nom::Err::Failure(at)) => Err(locate(text, at.rest, at.kind)),
        Err(nom::Err::Incomplete(_)) => Err(locate(text, "", end)),
    }
}
