//! The template files of the CP860: `dialplan.xml` with replace rules, `dialnow.xml` with dial-now rules.

use crate::error::{Parsed, PlanError, PlanErrorKind, finish, require, stop};
use crate::rule::Rule;
use crate::rule_list::{Counts, RuleList, dial_now_rule, replace_rule};
use alloc::string::String;
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::{tag, take_while};
use nom::character::complete::char;
use nom::sequence::delimited;

impl RuleList {
    /// Reads a replace-rule template: `<DialRule>` with `<Data Prefix="2(xx)" Replace="002$1"/>` inside, at most 100.
    ///
    /// # Errors
    /// Says at which line and column what was expected.
    pub fn from_replace_template(xml: &str) -> Result<Self, PlanError> {
        let parsed = file(xml, "DialRule", "Prefix", |input| {
            let (rest, prefix) = attribute(input, "Prefix")?;
            let (rest, with) = attribute(rest, "Replace")?;
            Ok((rest, replace_rule(prefix, with)?))
        });
        Self::of(finish(xml, PlanErrorKind::RuleEnd, parsed)?)
    }

    /// Reads a dial-now template: `<DialNow>` with `<Data DialNowRule="52[0-6]"/>` inside, at most 100.
    ///
    /// # Errors
    /// Says at which line and column what was expected.
    pub fn from_dial_now_template(xml: &str) -> Result<Self, PlanError> {
        let parsed = file(xml, "DialNow", "DialNowRule", |input| {
            let (rest, rule) = attribute(input, "DialNowRule")?;
            Ok((rest, dial_now_rule(rule)?))
        });
        Self::of(finish(xml, PlanErrorKind::RuleEnd, parsed)?)
    }

    /// The same rules as a list.
    fn of(rules: Vec<Rule>) -> Result<Self, PlanError> {
        let lines: Vec<&str> = rules.iter().map(Rule::text).collect();
        let text: String = lines.join("\n");
        Self::parse(&text)
    }
}

/// Everything between `<root>` and `</root>`; an XML declaration before it and comments are passed over.
fn file<'a>(
    input: &'a str,
    root: &'static str,
    name: &'static str,
    data: impl Fn(&'a str) -> Parsed<'a, Rule>,
) -> Parsed<'a, Vec<Rule>> {
    let kind = PlanErrorKind::Data(name);
    let rest = skip(input.trim_start_matches('\u{feff}'));
    let (rest, _) = require(kind, (char('<'), tag(root), space, char('>'))).parse(rest)?;
    let mut rules = Vec::new();
    let mut counts = Counts::default();
    let mut rest = skip(rest);
    while !rest.starts_with("</") {
        let (after, _) = require(kind, tag("<Data")).parse(rest)?;
        let (after, rule) = data(after)?;
        counts.add(rest, &rule)?;
        rules.push(rule);
        let (after, _) = require(kind, (space, tag("/>"))).parse(after)?;
        rest = skip(after);
    }
    let (rest, _) = require(kind, (tag("</"), tag(root), space, char('>'))).parse(rest)?;
    Ok((skip(rest), rules))
}

/// `name="value"`, with blanks before it.
fn attribute<'a>(input: &'a str, name: &'static str) -> Parsed<'a, &'a str> {
    let value = delimited(char('"'), take_while(|c| c != '"' && c != '\n'), char('"'));
    let start = input.trim_start();
    let mut attribute = require(PlanErrorKind::Data(name), (tag(name), space, char('='), space, value));
    let (rest, (_, _, _, _, value)) = attribute(start)?;
    if start.len() == input.len() {
        return stop(input, PlanErrorKind::Data(name));
    }
    Ok((rest, value))
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
