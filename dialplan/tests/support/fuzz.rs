//! What no plan and no digits may do: the body of the fuzz target in `dialplan/fuzz`, which `tests/fuzz_replay.rs` runs on the kept
//! corpus and on seeded changes of it. The first line of an input is what is pressed, the rest the plan.
//!
//! Nothing panics; errors point into the text; what can be read is written so that it reads the same; and the collector
//! ends where the plan says.
#![allow(dead_code, unreachable_pub, reason = "each user has its own part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

use sidetone_dialplan::{
    Collector, CollectorConfig, DigitMap, Outcome, Plan, PlanError, Progress, Rule, RuleList,
};
use sidetone_hal::time::Instant;
use std::sync::Arc;

/// Inputs to begin with: each form of a plan, as the manuals have it.
pub const SEEDS: &[&str] = &[
    "01254\n[2346789]11|01[2-9]x.|[2-9]xxxxxxxxx",
    "101\n<101:9999>|1x.S2|1x.T|123xxx!|<:9>[4-9*#]+",
    "*21*5#\n*21*x.#|x.",
    "0012354599\nreplace 001(xxx)45(xx)=9001$145$2; replace 5([6-9])(.)=3$2\narea 010 4 7\nblock 900.",
    "1234\n# remark\ndialnow 52[0-6]\nline 2 dialnow xxxxxx\ndialnow ((1)(x.)[2,5-8])",
    "8123\ninsert 8 1 00; delete 8 0 1; to 8 [2001:db8::1]:5062; emergency 11x.; feature 7 *69.; server *73.",
    "234\n<DialRule>\n  <Data Prefix=\"2(xx)\" Replace=\"002$1\"/>\n</DialRule>\n",
    "1234\n<?xml version=\"1.0\"?><!-- x --><DialNow><Data DialNowRule=\"52[0-6]\"/></DialNow>",
];

/// A plan and digits.
pub fn plan(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (digits, text) = text.split_once('\n').unwrap_or(("123", &text));
    let lists = [
        DigitMap::parse(text)
            .inspect(|map| assert_eq!(DigitMap::parse(&map.to_string()).as_ref(), Ok(map)))
            .map(|map| map.rules().to_vec()),
        RuleList::parse(text).inspect(same).map(|list| list.rules().to_vec()),
        RuleList::from_replace_template(text).inspect(same).map(|list| list.rules().to_vec()),
        RuleList::from_dial_now_template(text).inspect(same).map(|list| list.rules().to_vec()),
    ];
    for rules in lists {
        match rules {
            Ok(rules) => dial(&rules, digits),
            Err(error) => points_into(text, &error),
        }
    }
}

fn same(list: &RuleList) {
    assert_eq!(RuleList::parse(&list.to_string()).as_ref(), Ok(list));
}

fn points_into(text: &str, error: &PlanError) {
    let line = text.split('\n').nth(error.line - 1).unwrap_or_else(|| panic!("{error:?} in {text:?}"));
    assert!((1..=line.chars().count() + 1).contains(&error.column), "{error:?} in {text:?}");
    assert!(!error.to_string().is_empty());
}

fn dial(rules: &[Rule], digits: &str) {
    let Ok(plan) = Plan::compile_within(rules, 2, 600) else { return };
    assert!(plan.states() <= 600);
    if plan.states() < 50 {
        assert!(plan.to_dot().ends_with("}\n"));
    }
    let mut config = CollectorConfig::default();
    config.unmatched = digits.len().is_multiple_of(2);
    let plan = Arc::new(plan);
    config.plan = Some(plan.clone());
    let mut collector = Collector::new(config.clone());
    let mut now = Instant::from_millis(1);
    let _ = collector.off_hook(now);
    for key in digits.chars() {
        let before = collector.digits().to_owned();
        let progress = match key {
            '<' => collector.backspace(now),
            ',' => {
                now = collector.poll_timeout().map_or(now, |(at, _)| at);
                collector.handle_timeout(now)
            }
            key => match collector.press(now, key) {
                Ok(progress) => progress,
                Err(_) => continue,
            },
        };
        match progress {
            Progress::Incomplete { deadline } => {
                assert!(deadline.is_none_or(|at| at > now));
                assert_eq!(deadline, collector.poll_timeout().map(|(at, _)| at));
                let state = plan.run(collector.digits());
                let rule = plan.deciding(state).and_then(|rule| plan.rule(rule)).map(Rule::text);
                assert_eq!(collector.deciding_rule(), rule);
            }
            Progress::Send { number, address, rule, rules, .. } => {
                assert!(
                    !number.is_empty() && rules.first().copied() == rule && collector.digits().is_empty()
                );
                let dialled =
                    if key == ',' || key == '#' { before.clone() } else { format!("{before}{key}") };
                let decided =
                    [dialled, format!("{before}{key}")].map(|number| plan.decide(&number, config.unmatched));
                let decided = decided.iter().any(|outcome| {
                    matches!(outcome, Outcome::Call(call) if (&call.number, &call.address, &call.rules) == (&number, &address, &rules))
                });
                assert!(decided, "{before:?} {key:?}");
            }
            Progress::Blocked { rule } => assert!(plan.rule(rule).is_some()),
            _ => {}
        }
        assert!(collector.digits().len() <= config.max_digits);
    }
}
