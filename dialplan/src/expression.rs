//! The expressions of replace, dial-now and block-out rules (CP860, "Dial Plan").

use crate::error::{Parsed, PlanErrorKind, require, stop};
use crate::keys::KeySet;
use crate::matcher::{Matcher, Piece, Template};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use nom::Parser;
use nom::character::complete::satisfy;

/// An expression: what it matches, and which places each group holds, by its opening parenthesis.
pub(crate) struct Expression {
    pub(crate) matcher: Matcher,
    pub(crate) groups: Vec<Range<usize>>,
}

/// Reads an expression up to a character that `ends` it.
pub(crate) fn expression(input: &str, ends: impl Fn(char) -> bool) -> Parsed<'_, Expression> {
    let mut matcher = Matcher::default();
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = input;
    loop {
        let mut chars = rest.chars();
        let next = chars.next().filter(|c| !ends(*c));
        let after = chars.as_str();
        rest = match next {
            None if !open.is_empty() => return stop(rest, PlanErrorKind::Group),
            None if matcher.len() == 0 => return stop(rest, PlanErrorKind::Expression),
            None => return Ok((rest, Expression { matcher, groups })),
            Some('.') => {
                matcher.once(KeySet::ANY, true);
                matcher.star(KeySet::ANY, true);
                after
            }
            Some('x' | 'X') => {
                matcher.once(KeySet::ANY, true);
                after
            }
            Some('[') => {
                let (after, keys) = set(after)?;
                matcher.once(keys, false);
                after
            }
            Some('(') => {
                open.push(groups.len());
                groups.push(matcher.len()..matcher.len());
                after
            }
            Some(')') => {
                match open.pop().and_then(|group| groups.get_mut(group)) {
                    Some(group) if group.start < matcher.len() => group.end = matcher.len(),
                    _ => return stop(rest, PlanErrorKind::Expression),
                }
                after
            }
            Some(key) if is_literal(key) => {
                matcher.once(KeySet::of(key), false);
                after
            }
            Some(_) => return stop(rest, PlanErrorKind::Expression),
        };
    }
}

/// The inside of `[ ]`: characters and ranges, with or without commas between, and what closes it.
fn set(input: &str) -> Parsed<'_, KeySet> {
    let mut all = KeySet::EMPTY;
    let mut rest = input;
    loop {
        let (after, low) = require(PlanErrorKind::Set, satisfy(is_literal)).parse(rest)?;
        let (after, keys) = match after.strip_prefix('-') {
            None => (after, KeySet::of(low)),
            Some(upper) => {
                let (after, high) =
                    require(PlanErrorKind::RangeEnd, satisfy(|c| c.is_ascii_alphanumeric())).parse(upper)?;
                let of_one_kind = low.is_ascii_digit() == high.is_ascii_digit()
                    && low.is_ascii_lowercase() == high.is_ascii_lowercase();
                if !low.is_ascii_alphanumeric() || !of_one_kind || low > high {
                    return stop(rest, PlanErrorKind::Range);
                }
                (after, KeySet::range(low, high))
            }
        };
        all = all.with(keys);
        if let Some(end) = after.strip_prefix(']') {
            return Ok((end, all));
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
}

/// A replacement: text, and `$1` to `$9` for what the groups took.
pub(crate) fn replacement<'a>(
    input: &'a str,
    groups: &[Range<usize>],
    ends: impl Fn(char) -> bool,
) -> Parsed<'a, Template> {
    let mut template = Template::default();
    let mut text = String::new();
    let mut rest = input;
    loop {
        let mut chars = rest.chars();
        let Some(next) = chars.next().filter(|c| !ends(*c)) else { break };
        let after = chars.as_str();
        rest = if next == '$' {
            let number =
                after.chars().next().and_then(|c| c.to_digit(10)).and_then(|n| usize::try_from(n).ok());
            let group = number.and_then(|number| number.checked_sub(1)).and_then(|index| groups.get(index));
            let Some(group) = group else { return stop(rest, PlanErrorKind::Reference) };
            if !text.is_empty() {
                template.push(Piece::Text(core::mem::take(&mut text)));
            }
            template.push(Piece::Places(group.clone()));
            after.get(1..).unwrap_or_default()
        } else if next.is_ascii_graphic() {
            text.push(next);
            after
        } else {
            return stop(rest, PlanErrorKind::RuleEnd);
        };
    }
    if !text.is_empty() {
        template.push(Piece::Text(text));
    }
    Ok((rest, template))
}

/// A character that stands for itself.
const fn is_literal(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '*' | '#' | '+' | '@' | '_' | ':' | '/' | '~')
}
