//! Random plans and digits, against a slow matcher and against regular expressions.
//!
//! `DIALPLAN_CASES=1000000 cargo test --release -p sidetone-dialplan --test properties` tries a million of each.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

#[path = "support/slow.rs"]
mod slow;

use regex::Regex;
use sidetone_dialplan::{
    Collector, CollectorConfig, DialCause, DigitMap, Outcome, Plan, Progress, RuleKind, RuleList,
};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use slow::{Keys, Part};
use std::sync::Arc;

const T0: Instant = Instant::from_millis(1000);
const INTER_DIGIT: Duration = Duration::from_millis(4321);
const MACRO: Duration = Duration::from_millis(7654);
const DIAL_NOW: Duration = Duration::from_millis(987);

fn cases() -> u64 {
    std::env::var("DIALPLAN_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
}

/// Draws for one case.
struct Draw(Rng);

impl Draw {
    fn below(&mut self, limit: u32) -> u32 {
        self.0.below(limit)
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(u32::try_from(from.len()).unwrap()) as usize]
    }

    /// Few keys, so that rules meet.
    fn key(&mut self) -> char {
        self.pick(&['1', '1', '1', '2', '2', '3', '4', '*', '#'])
    }

    fn number(&mut self, most: u32) -> String {
        (0..=self.below(most)).map(|_| self.key()).collect()
    }

    /// A part of a digit map that takes keys.
    fn map_keys(&mut self) -> Part {
        let (keys, text) = match self.below(6) {
            0 | 1 => (Keys::Digit, self.pick(&["x", "X"]).to_owned()),
            2 => {
                let (low, high) = self.pick(&[('1', '3'), ('2', '4'), ('0', '9'), ('3', '9')]);
                let extra = self.pick(&["", "*", "#"]);
                let keys = (low..=high).chain(extra.chars()).collect();
                (Keys::Of(keys), format!("[{low}-{high}{extra}]"))
            }
            _ => {
                let key = self.key();
                (Keys::Of(vec![key]), key.to_string())
            }
        };
        Part::Keys { keys, repeated: self.one_in(5), text }
    }

    fn alternative(&mut self) -> Alternative {
        let mut parts = Vec::new();
        for _ in 0..=self.below(5) {
            parts.push(if self.one_in(8) {
                let before = (0..self.below(3)).map(|_| self.map_keys()).collect();
                let after = if self.one_in(4) { String::new() } else { self.number(3) };
                Part::Instead { before, after }
            } else {
                self.map_keys()
            });
        }
        // What takes nothing at all is no rule for a number, and is never complete before a digit.
        parts.push(self.map_keys());
        let wait = self.pick(&["", "", "", "", "S0", "S3", "s2", "T", "t"]);
        let reject = self.one_in(6);
        let text = format!("{}{wait}{}", slow::written(&parts), if reject { "!" } else { "" });
        Alternative { parts, wait, reject, text }
    }

    /// An expression of the CP860, and the same as a regular expression.
    fn expression(&mut self) -> (String, String, u32) {
        let (mut text, mut regex, mut groups) = (String::new(), String::new(), 0);
        for _ in 0..=self.below(4) {
            let group = self.one_in(3);
            if group {
                text.push('(');
                regex.push('(');
                groups += 1;
            }
            for _ in 0..=self.below(2) {
                let (ours, theirs) = match self.below(8) {
                    0 => (".", ".+"),
                    1 | 2 => ("x", "."),
                    3 => ("[1,3]", "[13]"),
                    4 => ("[2-4*]", "[2-4*]"),
                    5 => ("1", "1"),
                    6 => ("2", "2"),
                    _ => ("*", "\\*"),
                };
                text.push_str(ours);
                regex.push_str(theirs);
            }
            if group {
                text.push(')');
                regex.push(')');
            }
        }
        (text, regex, groups)
    }
}

struct Alternative {
    parts: Vec<Part>,
    wait: &'static str,
    reject: bool,
    text: String,
}

/// What should be known after these digits.
#[derive(Debug, PartialEq)]
enum Known {
    Waiting(Duration),
    Ended(End),
}

#[derive(Debug, PartialEq)]
enum End {
    Sent(String),
    Blocked(usize),
    Invalid,
}

/// The alternative that wins, what it sends, and whether it can go on.
fn winner(alternatives: &[Alternative], number: &[char]) -> Option<(usize, String, bool)> {
    let complete = alternatives.iter().enumerate().filter_map(|(index, alternative)| {
        let out = slow::matches(&alternative.parts, number)?;
        Some((index, out, slow::goes_on(&alternative.parts, number)))
    });
    complete.min_by_key(|(index, _, open)| (*open, *index))
}

fn end(alternatives: &[Alternative], number: &[char], unmatched: bool) -> End {
    match winner(alternatives, number) {
        Some((index, _, _)) if alternatives[index].reject => End::Blocked(index),
        Some((_, out, _)) if out.is_empty() => End::Invalid,
        Some((_, out, _)) => End::Sent(out),
        None if unmatched => End::Sent(number.iter().collect()),
        None => End::Invalid,
    }
}

fn known(alternatives: &[Alternative], number: &[char], unmatched: bool) -> Known {
    let over = || Known::Ended(end(alternatives, number, unmatched));
    let Some((index, _, open)) = winner(alternatives, number) else {
        let hopeful = alternatives.iter().any(|alternative| slow::goes_on(&alternative.parts, number));
        return if hopeful || unmatched { Known::Waiting(INTER_DIGIT) } else { over() };
    };
    match alternatives[index].wait {
        "" if open => Known::Waiting(INTER_DIGIT),
        "" | "S0" => over(),
        "S3" => Known::Waiting(Duration::from_secs(3)),
        "s2" => Known::Waiting(Duration::from_secs(2)),
        _ => Known::Waiting(MACRO),
    }
}

fn ended(progress: Progress) -> End {
    match progress {
        Progress::Send { number, .. } => End::Sent(number),
        Progress::Blocked { rule } => End::Blocked(rule.index()),
        Progress::Invalid => End::Invalid,
        other => panic!("{other:?}"),
    }
}

#[test]
fn digit_maps_do_what_a_slow_matcher_does() {
    for case in 0..cases() {
        let mut draw = Draw(Rng::from_u64(case));
        let alternatives: Vec<Alternative> = (0..=draw.below(5)).map(|_| draw.alternative()).collect();
        let text =
            alternatives.iter().map(|alternative| alternative.text.as_str()).collect::<Vec<_>>().join("|");
        let unmatched = draw.one_in(2);
        let map = DigitMap::parse(&text).unwrap_or_else(|error| panic!("case {case}: {text}: {error}"));
        let plan = Arc::new(Plan::compile(map.rules(), 1).unwrap());
        let mut config = CollectorConfig::default();
        config.plan = Some(plan.clone());
        config.unmatched = unmatched;
        config.send_key = None;
        config.timing.inter_digit = Some(INTER_DIGIT);
        config.timing.macro_digit = MACRO;
        let mut collector = Collector::new(config);
        let _ = collector.off_hook(T0);
        let mut number = Vec::new();
        for key in draw.number(9).chars() {
            number.push(key);
            let about = || format!("case {case}: {text} {number:?} unmatched {unmatched}");
            let progress = collector.press(T0, key).unwrap();
            match known(&alternatives, &number, unmatched) {
                Known::Ended(expected) => {
                    assert!(!matches!(progress, Progress::Incomplete { .. }), "{}", about());
                    assert_eq!(ended(progress), expected, "{}", about());
                    break;
                }
                Known::Waiting(wait) => {
                    assert_eq!(progress, Progress::Incomplete { deadline: Some(T0 + wait) }, "{}", about());
                    let expected = end(&alternatives, &number, unmatched);
                    let late = collector.clone().handle_timeout(T0 + wait);
                    assert!(!matches!(
                        late,
                        Progress::Send { cause: DialCause::Sent | DialCause::Match, .. }
                    ));
                    assert_eq!(ended(late), expected, "{} after its time", about());
                    assert_eq!(ended(collector.clone().send(T0)), expected, "{} by Enter", about());
                }
            }
        }
    }
}

#[test]
fn erasing_leads_back_to_what_was_known() {
    for case in 0..cases() / 10 {
        let mut draw = Draw(Rng::from_u64(case ^ 0x5eed));
        let text = (0..=draw.below(4)).map(|_| draw.alternative().text).collect::<Vec<_>>().join("|");
        let mut config = CollectorConfig::default();
        config.plan = Some(Arc::new(Plan::compile(DigitMap::parse(&text).unwrap().rules(), 1).unwrap()));
        let mut collector = Collector::new(config);
        let mut rules = vec![collector.deciding_rule().map(str::to_owned)];
        for key in draw.number(9).chars() {
            if key != '#' {
                let _ = collector.press(T0, key).unwrap();
                rules.push(collector.deciding_rule().map(str::to_owned));
            }
        }
        while let Some(rule) = rules.pop() {
            assert_eq!(collector.deciding_rule().map(str::to_owned), rule, "case {case}: {text}");
            let _ = collector.backspace(T0);
        }
    }
}

#[test]
fn digit_maps_match_as_regular_expressions_do() {
    fn regex(parts: &[Part]) -> String {
        parts.iter().fold(String::new(), |all, part| match part {
            Part::Keys { keys, repeated, .. } => all + &keys.regex() + if *repeated { "+" } else { "" },
            Part::Instead { before, .. } => all + &regex(before),
        })
    }
    for case in 0..cases() / 20 {
        let mut draw = Draw(Rng::from_u64(case ^ 0xface));
        let alternatives: Vec<Alternative> = (0..=draw.below(3)).map(|_| draw.alternative()).collect();
        let regexes: Vec<Regex> = alternatives
            .iter()
            .map(|one| Regex::new(&format!("^(?:{})$", regex(&one.parts))).unwrap())
            .collect();
        let text = alternatives.iter().map(|one| one.text.as_str()).collect::<Vec<_>>().join("|");
        let plan = Plan::compile(DigitMap::parse(&text).unwrap().rules(), 1).unwrap();
        for _ in 0..20 {
            let number = draw.number(7);
            let any = regexes.iter().any(|regex| regex.is_match(&number));
            let best = plan.best(plan.run(&number), RuleKind::Call);
            assert_eq!(best.is_some(), any, "case {case}: {text} {number}");
            assert!(
                best.is_none_or(|rule| regexes[rule.index()].is_match(&number)),
                "case {case}: {text} {number}"
            );
        }
    }
}

#[test]
fn rules_match_and_replace_as_regular_expressions_do() {
    for case in 0..cases() / 20 {
        let mut draw = Draw(Rng::from_u64(case ^ 0xbeef));
        let (mut text, mut replaces, mut blocks) = (String::new(), Vec::new(), Vec::new());
        for _ in 0..=draw.below(4) {
            let (rule, regex, groups) = draw.expression();
            let regex = Regex::new(&format!("^(?:{regex})$")).unwrap();
            if rule.len() <= 32 && draw.one_in(3) {
                text += &format!("block {rule}\n");
                blocks.push(regex);
                continue;
            }
            if rule.len() > 32 {
                continue;
            }
            let (mut ours, mut theirs) = ("9".to_owned(), "9".to_owned());
            for _ in 0..draw.below(3).min(groups) {
                let group = 1 + draw.below(groups.min(9));
                ours += &format!("${group}7");
                theirs += &format!("${{{group}}}7");
            }
            text += &format!("replace {rule}={ours}\n");
            replaces.push((regex, theirs));
        }
        let plan = Plan::compile(RuleList::parse(&text).unwrap().rules(), 1).unwrap();
        for _ in 0..20 {
            let number = draw.number(8);
            let blocked = |number: &str| blocks.iter().any(|regex| regex.is_match(number));
            let replaced = replaces.iter().find(|(regex, _)| regex.is_match(&number));
            let out = replaced
                .map_or_else(|| number.clone(), |(regex, with)| regex.replace(&number, with).into_owned());
            let about = format!("case {case}: {text} {number}");
            match plan.decide(&number, true) {
                Outcome::Call(call) => {
                    assert!(!blocked(&number) && !blocked(&out), "{about}");
                    assert_eq!(call.number, out, "{about}");
                }
                Outcome::Blocked { .. } => assert!(blocked(&number) || blocked(&out), "{about}"),
                other => panic!("{about}: {other:?}"),
            }
        }
    }
}

#[test]
fn dial_now_rules_wait_for_their_delay() {
    for case in 0..cases() / 20 {
        let mut draw = Draw(Rng::from_u64(case ^ 0xd1a1));
        let rules: Vec<_> = (0..=draw.below(4)).map(|_| draw.expression()).collect();
        let text: String = rules.iter().map(|(rule, _, _)| format!("dialnow {rule}\n")).collect();
        let regexes: Vec<Regex> =
            rules.iter().map(|(_, regex, _)| Regex::new(&format!("^(?:{regex})$")).unwrap()).collect();
        let mut config = CollectorConfig::default();
        config.plan = Some(Arc::new(Plan::compile(RuleList::parse(&text).unwrap().rules(), 1).unwrap()));
        config.timing.dial_now = DIAL_NOW;
        config.timing.inter_digit = Some(INTER_DIGIT);
        config.send_key = None;
        let mut collector = Collector::new(config);
        let _ = collector.off_hook(T0);
        let mut number = String::new();
        for key in draw.number(9).chars() {
            number.push(key);
            let progress = collector.press(T0, key).unwrap();
            let matched = regexes.iter().any(|regex| regex.is_match(&number));
            let wait = if matched { DIAL_NOW } else { INTER_DIGIT };
            assert_eq!(
                progress,
                Progress::Incomplete { deadline: Some(T0 + wait) },
                "case {case}: {text} {number}"
            );
        }
    }
}
