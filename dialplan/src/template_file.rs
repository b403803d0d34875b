//! The template files of the CP860: `dialplan.xml` with replace rules, `dialnow.xml` with dial-now rules.

use crate::error::{Parsed, PlanError, PlanErrorKind, Stop, at_most, finish, require, stop};
use crate::rule::Rule;
use crate::rule_list::{Counts, RuleList, dial_now_rule, replace_rule};
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, one_of};

/// The most attributes of an element: far more than any rule has.
const MAX_ATTRIBUTES: usize = 16;

impl RuleList {
    /// Reads a replace-rule template: `<DialRule>` with `<Data Prefix="2(xx)" Replace="002$1"/>` inside, at most 100. Attributes
    /// stand in any order, and unknown ones are passed over; so is an element whose two are empty, as the blank template has them.
    ///
    /// # Errors
    /// Says at which line and column what was expected.
    pub fn from_replace_template(xml: &str) -> Result<Self, PlanError> {
        Self::from_template(xml, "DialRule", "Prefix", |attributes| {
            let (prefix, with) = (attributes.value("Prefix")?, attributes.value("Replace")?);
            if prefix.is_empty() && with.is_empty() { Ok(None) } else { replace_rule(prefix, with).map(Some) }
        })
    }

    /// Reads a dial-now template: `<DialNow>` with `<Data DialNowRule="52[0-6]"/>` inside, at most 100, as leniently.
    ///
    /// # Errors
    /// Says at which line and column what was expected.
    pub fn from_dial_now_template(xml: &str) -> Result<Self, PlanError> {
        Self::from_template(xml, "DialNow", "DialNowRule", |attributes| {
            let rule = attributes.value("DialNowRule")?;
            if rule.is_empty() { Ok(None) } else { dial_now_rule(rule).map(Some) }
        })
    }

    fn from_template<'a>(
        xml: &'a str,
        root: &'static str,
        name: &'static str,
        data: impl Fn(&Attributes<'a>) -> Result<Option<Rule>, nom::Err<Stop<'a>>>,
    ) -> Result<Self, PlanError> {
        at_most(xml, Self::MAX_LENGTH)?;
        finish(xml, PlanErrorKind::RuleEnd, file(xml, root, name, data)).map(Self::of)
    }
}

/// Everything between `<root>` and `</root>`; an XML declaration before it and comments are passed over.
fn file<'a>(
    input: &'a str,
    root: &'static str,
    name: &'static str,
    data: impl Fn(&Attributes<'a>) -> Result<Option<Rule>, nom::Err<Stop<'a>>>,
) -> Parsed<'a, Vec<Rule>> {
    let kind = PlanErrorKind::Data(name);
    let rest = skip(input.trim_start_matches('\u{feff}'));
    let (rest, _) = require(kind, (char('<'), tag(root), space, char('>'))).parse(rest)?;
    let mut rules = Vec::new();
    let mut counts = Counts::default();
    let mut rest = skip(rest);
    while !rest.starts_with("</") {
        let (after, _) = require(kind, tag("<Data")).parse(rest)?;
        let (after, attributes) = attributes(after, name)?;
        if let Some(rule) = data(&attributes)? {
            counts.add(rest, &rule)?;
            rules.push(rule);
        }
        let (after, _) = require(kind, tag("/>")).parse(after)?;
        rest = skip(after);
    }
    let (rest, _) = require(kind, (tag("</"), tag(root), space, char('>'))).parse(rest)?;
    Ok((skip(rest), rules))
}

/// The attributes of an element, and where it closes.
struct Attributes<'a> {
    all: Vec<(&'a str, &'a str)>,
    end: &'a str,
}

impl<'a> Attributes<'a> {
    fn value(&self, name: &'static str) -> Result<&'a str, nom::Err<Stop<'a>>> {
        let found = self.all.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        found.ok_or(nom::Err::Failure(Stop { rest: self.end, kind: PlanErrorKind::Data(name) }))
    }
}

/// `name="value"` as often as there is one, each with blanks before it, and the blanks behind them.
fn attributes<'a>(input: &'a str, name: &'static str) -> Parsed<'a, Attributes<'a>> {
    let kind = PlanErrorKind::Data(name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
    let mut all = Vec::new();
    let mut rest = input;
    loop {
        let start = rest.trim_start();
        if start.starts_with("/>") || all.len() == MAX_ATTRIBUTES {
            return Ok((start, Attributes { all, end: start }));
        }
        let value = (space, one_of("\"'"));
        let mut opened = require(kind, (take_while1(is_name), space, char('='), value));
        if start.len() == rest.len() {
            return stop(rest, kind);
        }
        let (after, (name, _, _, ((), quote))) = opened(start)?;
        let (after, value) = take_while(|c| c != quote && c != '\n').parse(after)?;
        let (after, _) = require(kind, char(quote)).parse(after)?;
        all.push((name, value.trim_end()));
        rest = after;
    }
}

fn space(input: &str) -> Parsed<'_, ()> {
    Ok((input.trim_start(), ()))
}

/// What is behind blanks, comments and declarations.
fn skip(input: &str) -> &str {
    let mut rest = input.trim_start();
    let after = |rest: &'_ str, open: &str, close: &str| {
        let end = rest.strip_prefix(open)?.find(close)?;
        Some(open.len() + end + close.len())
    };
    while let Some(length) = after(rest, "<?", "?>").or_else(|| after(rest, "<!--", "-->")) {
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    rest
}
