//! Lists of rules as text: one a line, or several between `;`.

use crate::error::{Parsed, PlanError, PlanErrorKind, Stop, at_most, finish, require, stop};
use crate::expression::{expression, replacement};
use crate::keys::KeySet;
use crate::matcher::Matcher;
use crate::rule::{Action, MAX_FEATURES, Rule, RuleKind, Wait};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use nom::Parser;
use nom::bytes::complete::take_while1;
use nom::character::complete::{char, digit1};

/// A parsed list of replace, dial-now, area-code, block-out and prefix rules.
///
/// ```
/// use sidetone_dialplan::{Plan, RuleList};
/// let list = RuleList::parse("replace 001(xxx)45(xx)=9001$145$2; dialnow 52[0-6]; area 0592 3 7; block 900.")?;
/// let plan = Plan::compile(list.rules(), 1)?;
/// let error = RuleList::parse("replace 1=2; block 12)").unwrap_err();
/// assert_eq!(error.to_string(), "column 22: expected a character, x, ., [ or (");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleList {
    text: String,
    rules: Vec<Rule>,
}

/// The most rules of a kind that a list has for one line (CP860: 100 replace, 100 dial-now, 10 block-out, 1 area code).
const fn most(kind: RuleKind) -> usize {
    match kind {
        RuleKind::Area => 1,
        RuleKind::Block => 10,
        RuleKind::Feature | RuleKind::Server => MAX_FEATURES,
        _ => 100,
    }
}

/// The most characters of a prefix, a replacement and a block-out rule.
const MAX_PREFIX: usize = 32;
/// The most characters of a dial-now rule.
const MAX_DIAL_NOW: usize = 511;
/// The most characters of an area code.
const MAX_AREA: usize = 16;
/// The most characters of an address: a host name's 253 and a port.
const MAX_ADDRESS: usize = 260;

impl RuleList {
    /// The most characters of a list: 100 replace rules, 100 dial-now rules and the rest, all of the longest.
    pub const MAX_LENGTH: usize = 65_536;

    /// Reads a list. Empty lines, and lines that begin with `#`, are passed over.
    ///
    /// # Errors
    /// Says at which line and column what was expected.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        at_most(text, Self::MAX_LENGTH)?;
        let rules = finish(text, PlanErrorKind::RuleEnd, rules(text))?;
        Ok(Self { text: text.trim().into(), rules })
    }

    /// A list of rules that stand elsewhere.
    pub(crate) fn of(rules: Vec<Rule>) -> Self {
        let lines: Vec<&str> = rules.iter().map(Rule::text).collect();
        Self { text: lines.join("\n"), rules }
    }

    /// The rules in their order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl FromStr for RuleList {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        Self::parse(text)
    }
}

impl fmt::Display for RuleList {
    /// Writes the list as it was read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn rules(input: &str) -> Parsed<'_, Vec<Rule>> {
    let mut rules = Vec::new();
    let mut counts = Counts::default();
    let mut rest = input;
    loop {
        let blank = |c: char| c.is_whitespace() || c == ';';
        rest = rest.trim_start_matches(blank);
        if rest.starts_with('#') {
            rest = rest.get(rest.find('\n').unwrap_or(rest.len())..).unwrap_or_default();
            continue;
        }
        if rest.is_empty() {
            return Ok((rest, rules));
        }
        let (after, rule) = rule(rest)?;
        counts.add(rest, &rule)?;
        rules.push(rule);
        rest = after;
    }
}

/// How many rules of each kind there are for each line.
#[derive(Default)]
pub(crate) struct Counts(Vec<(RuleKind, Option<u8>, usize)>);

impl Counts {
    /// One more rule, which begins at `rest`.
    pub(crate) fn add<'a>(&mut self, rest: &'a str, rule: &Rule) -> Result<(), nom::Err<Stop<'a>>> {
        let (kind, line) = (rule.kind(), rule.line());
        let known = self.0.iter_mut().find(|count| (count.0, count.1) == (kind, line));
        let count = match known {
            Some(count) => {
                count.2 += 1;
                count.2
            }
            None => {
                self.0.push((kind, line, 1));
                1
            }
        };
        let most = most(kind);
        match count > most {
            true => Err(nom::Err::Failure(Stop { rest, kind: PlanErrorKind::TooManyRules(most) })),
            false => Ok(()),
        }
    }
}

/// One rule, `line N` before it if it is for one line only.
fn rule(input: &str) -> Parsed<'_, Rule> {
    let (rest, word) = keyword(input)?;
    if word != "line" {
        return body(input, word, rest);
    }
    let (rest, line) = number(rest, 1, 255)?;
    let (after, word) = keyword(rest)?;
    let (rest, rule) = body(rest, word, after)?;
    Ok((rest, rule.on_line(u8::try_from(line).unwrap_or(u8::MAX))))
}

/// A word and the blanks behind it.
fn keyword(input: &str) -> Parsed<'_, &str> {
    let (rest, word) =
        require(PlanErrorKind::Keyword, take_while1(|c: char| c.is_ascii_alphabetic())).parse(input)?;
    Ok((blanks(rest), word))
}

fn body<'a>(start: &'a str, word: &str, rest: &'a str) -> Parsed<'a, Rule> {
    let (rest, matcher, action) = match word {
        "replace" => replace(rest)?,
        "dialnow" => dial_now(rest)?,
        "area" => area(rest)?,
        "block" => block(rest)?,
        "insert" => {
            let (rest, matcher) = prefix(rest)?;
            let (rest, position) = number(rest, 0, 127)?;
            let (rest, digits) = digits(rest)?;
            (rest, matcher, Action::Insert { position, digits: digits.into() })
        }
        "delete" => {
            let (rest, matcher) = prefix(rest)?;
            let (rest, position) = number(rest, 0, 127)?;
            let (rest, length) = number(rest, 1, 127)?;
            (rest, matcher, Action::Delete { position, length })
        }
        "to" => {
            let (rest, matcher) = prefix(rest)?;
            let (after, address) = require(PlanErrorKind::Address, take_while1(is_address)).parse(rest)?;
            if address.len() > MAX_ADDRESS {
                return stop(rest, PlanErrorKind::TooLong(MAX_ADDRESS));
            }
            (after, matcher, Action::To(address.into()))
        }
        "emergency" => {
            let (rest, number) = simple(rest)?;
            let rule = Rule::emergency(number);
            (rest, rule.matcher, rule.action)
        }
        "server" => {
            let (rest, code) = simple(rest)?;
            let rule = Rule::server(code);
            (rest, rule.matcher, rule.action)
        }
        "feature" => {
            let (rest, id) = number(rest, 0, u16::MAX)?;
            let (rest, code) = simple(rest)?;
            let rule = Rule::feature(id, code);
            (rest, rule.matcher, rule.action)
        }
        _ => return stop(start, PlanErrorKind::Keyword),
    };
    let text = start.get(..start.len() - rest.len()).unwrap_or_default().trim_end();
    let after = blanks(rest);
    if !(after.is_empty() || after.starts_with(['\n', '\r', ';'])) {
        return stop(after, PlanErrorKind::RuleEnd);
    }
    let mut rule = Rule::new(text, matcher, action);
    if matches!(rule.kind(), RuleKind::Insert | RuleKind::Delete | RuleKind::To) {
        // The longest prefix wins.
        rule.rank = u16::MAX - u16::try_from(rule.matcher.len()).unwrap_or(u16::MAX);
    }
    Ok((after, rule))
}

fn ends(c: char) -> bool {
    c.is_whitespace() || c == ';'
}

type Body<'a> = Result<(&'a str, Matcher, Action), nom::Err<Stop<'a>>>;

fn replace(input: &str) -> Body<'_> {
    let (rest, pattern) = expression(input, |c| ends(c) || c == '=')?;
    bounded(input, rest, MAX_PREFIX)?;
    let (start, _) = require(PlanErrorKind::Equals, char('=')).parse(blanks(rest))?;
    let start = blanks(start);
    let (rest, template) = replacement(start, &pattern.groups, ends)?;
    bounded(start, rest, MAX_PREFIX)?;
    if rest.len() == start.len() {
        return Err(nom::Err::Failure(Stop { rest, kind: PlanErrorKind::Digits }));
    }
    Ok((rest, pattern.matcher, Action::Replace(template)))
}

/// A replace rule that stands in two settings.
pub(crate) fn replace_rule<'a>(prefix: &'a str, with: &'a str) -> Result<Rule, nom::Err<Stop<'a>>> {
    let (rest, pattern) = expression(prefix, |_| false)?;
    bounded(prefix, rest, MAX_PREFIX)?;
    let (rest, template) = replacement(with, &pattern.groups, ends)?;
    bounded(with, rest, MAX_PREFIX)?;
    if !rest.is_empty() || with.is_empty() {
        return Err(nom::Err::Failure(Stop { rest, kind: PlanErrorKind::Digits }));
    }
    Ok(Rule::new(alloc::format!("replace {prefix}={with}"), pattern.matcher, Action::Replace(template)))
}

/// A dial-now rule that stands in a setting.
pub(crate) fn dial_now_rule(rule: &str) -> Result<Rule, nom::Err<Stop<'_>>> {
    let (rest, pattern) = expression(rule, |_| false)?;
    bounded(rule, rest, MAX_DIAL_NOW)?;
    let action = Action::Call { wait: Wait::DialNow, template: None };
    Ok(Rule::new(alloc::format!("dialnow {rule}"), pattern.matcher, action))
}

fn dial_now(input: &str) -> Body<'_> {
    let (rest, pattern) = expression(input, ends)?;
    bounded(input, rest, MAX_DIAL_NOW)?;
    Ok((rest, pattern.matcher, Action::Call { wait: Wait::DialNow, template: None }))
}

fn block(input: &str) -> Body<'_> {
    let (rest, pattern) = expression(input, ends)?;
    bounded(input, rest, MAX_PREFIX)?;
    Ok((rest, pattern.matcher, Action::Block))
}

fn area(input: &str) -> Body<'_> {
    let (rest, code) = digits(input)?;
    if code.len() > MAX_AREA {
        return Err(nom::Err::Failure(Stop { rest: input, kind: PlanErrorKind::TooLong(MAX_AREA) }));
    }
    let (start, min) = number(blanks(rest), 1, 15)?;
    let (rest, max) = number(start, 1, 15)?;
    if max <= min {
        return Err(nom::Err::Failure(Stop { rest: start, kind: PlanErrorKind::AreaLengths }));
    }
    let mut matcher = Matcher::default();
    matcher.between(KeySet::DIGITS, min, max);
    Ok((rest, matcher, Action::Area(code.into())))
}

/// Checks the length of what stands between two places.
fn bounded<'a>(start: &'a str, rest: &'a str, max: usize) -> Result<(), nom::Err<Stop<'a>>> {
    match start.len() - rest.len() > max {
        true => {
            let rest = start.get(max..).unwrap_or_default();
            Err(nom::Err::Failure(Stop { rest, kind: PlanErrorKind::TooLong(max) }))
        }
        false => Ok(()),
    }
}

/// The digits that a number begins with.
fn prefix(input: &str) -> Parsed<'_, Matcher> {
    let (rest, prefix) = digits(input)?;
    if prefix.len() > MAX_PREFIX {
        return stop(input, PlanErrorKind::TooLong(MAX_PREFIX));
    }
    let mut matcher = Matcher::default();
    for key in prefix.chars() {
        matcher.once(KeySet::of(key), false);
    }
    matcher.star(KeySet::ANY, true);
    Ok((blanks(rest), matcher))
}

fn digits(input: &str) -> Parsed<'_, &str> {
    let keys = take_while1(|c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | '+'));
    let (rest, digits) = require(PlanErrorKind::Digits, keys).parse(input)?;
    if digits.len() > MAX_PREFIX {
        stop(input, PlanErrorKind::TooLong(MAX_PREFIX))
    } else {
        Ok((rest, digits))
    }
}

/// Digits with `x` for any, `.` at the end.
fn simple(input: &str) -> Parsed<'_, &str> {
    let keys = take_while1(|c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | '+' | 'x'));
    let (rest, keys) = require(PlanErrorKind::Digits, keys).parse(input)?;
    let length = keys.len() + usize::from(rest.starts_with('.'));
    if length > MAX_PREFIX {
        return stop(input, PlanErrorKind::TooLong(MAX_PREFIX));
    }
    let (simple, rest) = input.split_at_checked(length).unwrap_or((input, ""));
    Ok((rest, simple))
}

/// A number and the blanks behind it.
fn number(input: &str, min: u16, max: u16) -> Parsed<'_, u16> {
    let kind = PlanErrorKind::Number(min, max);
    let (rest, digits) = require(kind, digit1).parse(input)?;
    match digits.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok((blanks(rest), number)),
        _ => stop(input, kind),
    }
}

fn blanks(input: &str) -> &str {
    input.trim_start_matches([' ', '\t'])
}

const fn is_address(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_')
}
