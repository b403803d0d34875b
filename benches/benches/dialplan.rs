//! 100 replace rules and a digit map of 40 alternatives: one digit, one whole number, and the compilation, beside `regex::RegexSet` on
//! the same rules.
//!
//! A `RegexSet` cannot stop between two digits: for what a telephone asks after each digit it has to read the number from its beginning.

#![allow(clippy::expect_used, reason = "a benchmark stops on what should not happen")]

use core::hint::black_box;
use criterion::{Criterion, criterion_group, criterion_main};
use regex::RegexSet;
use sidetone_dialplan::{Collector, CollectorConfig, DigitMap, Plan, Rule, RuleKind, RuleList};
use sidetone_hal::time::Instant;
use std::sync::Arc;

/// What is dialled: matched late, matched early, not at all.
const NUMBERS: [&str; 4] = ["0044123456789", "5123", "911", "*2155512"];

/// Replace rules as a company has them, and the same as regular expressions.
fn replaces() -> Vec<(String, String)> {
    let rule = |index: u32| match index % 4 {
        0 => (format!("00{index:02}(.)"), format!("00{index:02}(.+)")),
        1 => (format!("{index:03}(xxx)4[5-7]x"), format!("{index:03}(...)4[5-7].")),
        2 => (format!("*{index:02}(x)(.)"), format!("\\*{index:02}(.)(.+)")),
        _ => (format!("{index:02}[2,4,6-9]"), format!("{index:02}[246-9]")),
    };
    (0..100).map(rule).collect()
}

/// A digit map of 40 alternatives, and the same as regular expressions.
fn alternatives() -> Vec<(String, String)> {
    let rule = |index: u32| match index % 4 {
        0 => (format!("{index:02}x."), format!("{index:02}[0-9]+")),
        1 => (format!("[2-9]{index:02}xxxx"), format!("[2-9]{index:02}[0-9]{{4}}")),
        2 => (format!("*{index:02}x.S3"), format!("\\*{index:02}[0-9]+")),
        _ => (format!("{index:02}[4-9]11"), format!("{index:02}[4-9]11")),
    };
    (0..40).map(rule).collect()
}

fn rules() -> Vec<Rule> {
    let list: String = replaces().iter().map(|(rule, _)| format!("replace {rule}=9\n")).collect();
    let map = alternatives().into_iter().map(|(rule, _)| rule).collect::<Vec<_>>().join("|");
    let list = RuleList::parse(&list).expect("rules");
    let map = DigitMap::parse(&map).expect("a digit map");
    map.rules().iter().chain(list.rules()).cloned().collect()
}

fn regexes() -> Vec<String> {
    replaces().into_iter().chain(alternatives()).map(|(_, regex)| format!("^(?:{regex})$")).collect()
}

fn digits(criterion: &mut Criterion) {
    let plan = Arc::new(Plan::compile(&rules(), 1).expect("few states"));
    println!("{} states, {} octets", plan.states(), plan.bytes());
    let set = RegexSet::new(regexes()).expect("regular expressions");
    let mut group = criterion.benchmark_group("dial plan of 140 rules, one digit");
    group.bench_function("sidetone: a step and its rules", |b| {
        let digits: Vec<char> = NUMBERS.iter().flat_map(|number| number.chars()).collect();
        let (mut at, mut state) = (0, plan.start());
        b.iter(|| {
            state = plan.step(state, black_box(digits[at]));
            at += 1;
            if at == digits.len() {
                (at, state) = (0, plan.start());
            }
            (plan.best(state, RuleKind::Call), plan.best(state, RuleKind::Replace), plan.may_go_on(state))
        });
    });
    group.bench_function("sidetone: the collector with its timers", |b| {
        let mut config = CollectorConfig::default();
        config.plan = Some(plan.clone());
        let mut collector = Collector::new(config);
        let _ = collector.off_hook(Instant::ZERO);
        b.iter(|| {
            let progress = collector.press(Instant::ZERO, black_box('0'));
            if collector.digits().len() == 13 {
                let _ = collector.clear(Instant::ZERO);
            }
            progress
        });
    });
    group.bench_function("regex::RegexSet: the number so far, 7 digits", |b| {
        b.iter(|| set.matches(black_box("0044123")));
    });
    group.finish();

    let mut group = criterion.benchmark_group("dial plan of 140 rules, a number of 13 digits");
    group.bench_function("sidetone", |b| b.iter(|| plan.run(black_box(NUMBERS[0]))));
    group.bench_function("regex::RegexSet", |b| b.iter(|| set.matches(black_box(NUMBERS[0]))));
    group.finish();
}

fn compile(criterion: &mut Criterion) {
    let (rules, regexes) = (rules(), regexes());
    let mut group = criterion.benchmark_group("dial plan of 140 rules, compiled");
    group.bench_function("sidetone", |b| b.iter(|| Plan::compile(black_box(&rules), 1)));
    group.bench_function("regex::RegexSet", |b| b.iter(|| RegexSet::new(black_box(&regexes))));
    group.finish();
}

criterion_group!(benches, digits, compile);
criterion_main!(benches);
