//! What the manuals leave open, as the README decides it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

use sidetone_dialplan::{
    Collector, CollectorConfig, CompileError, DialCause, DigitError, DigitMap, Outcome, Plan, Progress, Rule,
    RuleList, Timer, is_address,
};
use sidetone_hal::time::{Duration, Instant};
use std::sync::Arc;

const T0: Instant = Instant::from_millis(1000);

fn rules(text: &str) -> Vec<Rule> {
    let list = RuleList::parse(text).map(|list| list.rules().to_vec());
    list.or_else(|_| DigitMap::parse(text).map(|map| map.rules().to_vec())).unwrap()
}

fn plan(text: &str) -> Plan {
    Plan::compile(&rules(text), 1).unwrap()
}

fn collector(text: &str) -> Collector {
    let mut config = CollectorConfig::default();
    config.plan = (!text.is_empty()).then(|| Arc::new(plan(text)));
    Collector::new(config)
}

fn press(collector: &mut Collector, keys: &str) -> Progress {
    keys.chars().fold(Progress::Incomplete { deadline: None }, |_, key| collector.press(T0, key).unwrap())
}

fn number(progress: &Progress) -> Option<&str> {
    match progress {
        Progress::Send { number, .. } => Some(number),
        _ => None,
    }
}

fn waits(seconds: u64) -> Progress {
    Progress::Incomplete { deadline: Some(T0 + Duration::from_secs(seconds)) }
}

#[test]
fn a_complete_match_comes_before_an_open_one_and_then_the_first() {
    for (text, dialled, rule) in [
        ("x.|911", "911", "911"),
        ("9x.!|911", "911", "911"),
        ("911|9x.!", "912", "9x.!"),
        ("xx!|12", "12", "xx!"),
        ("12|xx!", "12", "12"),
        ("1x.S3|1x.T", "12", "1x.S3"),
        ("911S3|9xx", "911", "911S3"),
    ] {
        let plan = plan(text);
        let state = plan.run(dialled);
        let winner = plan.deciding(state).and_then(|rule| plan.rule(rule)).map(Rule::text);
        assert_eq!(winner, Some(rule), "{text} {dialled}");
    }
}

#[test]
fn an_emergency_number_passes_every_rule_as_it_is() {
    let mut all = rules("block 11x; block .; replace 112=5; area 010 1 4; insert 1 0 9; dialnow 112");
    all.push(Rule::emergency("112"));
    all.push(Rule::emergency("0800911."));
    let plan = Plan::compile(&all, 1).unwrap();
    for dialled in ["112", "0800911", "08009117"] {
        assert!(matches!(plan.decide(dialled, false), Outcome::Call(call) if call.number == dialled));
    }
    assert!(matches!(plan.decide("113", true), Outcome::Blocked { .. }));
    let mut config = CollectorConfig::default();
    config.plan = Some(Arc::new(plan));
    config.unmatched = false;
    let mut collector = Collector::new(config);
    let _ = collector.off_hook(T0);
    assert_eq!(press(&mut collector, "112"), waits(1), "the dial-now rule still calls it");
    assert_eq!(number(&collector.handle_timeout(T0 + Duration::from_secs(1))), Some("112"));
}

#[test]
fn an_emergency_number_that_comes_out_of_a_rule_is_not_blocked() {
    let mut all = rules("replace 1=112; block 112");
    assert!(matches!(Plan::compile(&all, 1).unwrap().decide("1", true), Outcome::Blocked { .. }));
    all.push(Rule::emergency("112"));
    assert!(
        matches!(Plan::compile(&all, 1).unwrap().decide("1", true), Outcome::Call(call) if call.number == "112")
    );
}

#[test]
fn one_rule_changes_the_number_and_the_first_one_wins() {
    let plan = plan("replace 1(.)=2$1; replace 12(.)=3$1; replace 2(.)=4$1; area 010 1 15");
    for (dialled, number) in [("123", "223"), ("25", "45"), ("35", "01035")] {
        assert!(
            matches!(plan.decide(dialled, true), Outcome::Call(call) if call.number == number),
            "{dialled}"
        );
    }
}

#[test]
fn earlier_groups_take_as_much_as_they_can() {
    for (text, dialled, number) in [
        ("replace (.)(.)=$2-$1", "1234", "4-123"),
        ("replace (x(x))3=$1/$2", "123", "12/2"),
        ("replace (.)5(.)=$1+$2", "15253", "152+3"),
        ("9<:00>x.", "912", "90012"),
        ("<1x.:>#", "123#", "#"),
        ("<1.:2><1.:3>", "111", "23"),
    ] {
        assert!(
            matches!(plan(text).decide(dialled, true), Outcome::Call(call) if call.number == number),
            "{text}"
        );
    }
}

#[test]
fn a_rule_can_be_for_one_line() {
    let all = rules("line 2 replace 1=2; replace 1=3; line 1 block 7");
    for (line, number, blocked) in [(1, "3", true), (2, "2", false), (3, "3", false)] {
        let plan = Plan::compile(&all, line).unwrap();
        assert!(matches!(plan.decide("1", true), Outcome::Call(call) if call.number == number));
        assert_eq!(matches!(plan.decide("7", true), Outcome::Blocked { .. }), blocked, "{line}");
    }
}

#[test]
fn addresses_pass_the_plan() {
    for address in
        ["sip:900@example.com", "SIPS:x", "tel:900", "bob@example.com", "10.0.0.5", "pbx.example:5060"]
    {
        assert!(is_address(address));
        assert!(
            matches!(plan("block .").decide(address, false), Outcome::Call(call) if call.number == address)
        );
    }
    for number in ["900", "*21#", "+49", "a", "1.", ".", ":", "sip:", "1:2", ""] {
        assert!(!is_address(number), "{number}");
    }
}

#[test]
fn feature_codes_are_told_with_what_follows() {
    let all = [Rule::feature(1, "*69"), Rule::feature(2, "*21*."), Rule::feature(3, "*6")];
    let mut config = CollectorConfig::default();
    config.plan = Some(Arc::new(Plan::compile(&all, 1).unwrap()));
    let mut collector = Collector::new(config);
    let _ = collector.off_hook(T0);
    assert_eq!(press(&mut collector, "*6"), waits(5), "another code begins so");
    assert!(matches!(press(&mut collector, "9"), Progress::Feature { id: 1, .. }), "complete at once");
    let _ = press(&mut collector, "*21*5123");
    let told = collector.send(T0);
    assert!(matches!(told, Progress::Feature { id: 2, argument, .. } if argument == "5123"));
}

#[test]
fn too_many_states_and_too_much_text_are_refused() {
    // The well-known worst case: every digit may be the one before the last twelve.
    let text = format!("x.1{}", "x".repeat(14));
    let error = Plan::compile(&rules(&text), 1).unwrap_err();
    assert_eq!(error, CompileError::TooManyStates { states: 8192 });
    assert_eq!(
        error.to_string(),
        "the rules need more than 8192 states: too many of them that begin alike have . or x"
    );
    let long: Vec<String> = (0..100).map(|_| format!("dialnow {}", "1".repeat(500))).collect();
    let long = RuleList::parse(&long.join("\n")).unwrap();
    assert!(matches!(Plan::compile(long.rules(), 1), Err(CompileError::TooLong { .. })));
}

#[test]
fn each_digit_restarts_the_time_and_erasing_never_calls() {
    let mut c = collector("1|23|x.S1");
    assert_eq!(press(&mut c, "12"), Progress::Incomplete { deadline: None });
    assert_eq!(c.off_hook(T0), waits(1));
    assert_eq!(c.deciding_rule(), Some("x.S1"));
    assert_eq!(c.backspace(T0), waits(5), "complete, but not by a digit");
    assert_eq!((c.digits(), c.deciding_rule()), ("1", Some("1")));
    let _ = c.handle_timeout(T0 + Duration::from_millis(4999));
    assert_eq!(number(&c.handle_timeout(T0 + Duration::from_secs(5))), Some("1"));
    assert_eq!((c.digits(), c.poll_timeout()), ("", None));
}

#[test]
fn no_first_digit_is_said_once() {
    let mut c = collector("");
    let deadline = Some(T0 + Duration::from_secs(16));
    assert_eq!(c.off_hook(T0), Progress::Incomplete { deadline });
    assert_eq!(c.poll_timeout(), deadline.map(|at| (at, Timer::FirstDigit)));
    let late = T0 + Duration::from_secs(16);
    assert_eq!(c.handle_timeout(late), Progress::NoDigit);
    assert_eq!(c.handle_timeout(late), Progress::Incomplete { deadline: None });
    assert!(matches!(press(&mut c, "1#"), Progress::Send { cause: DialCause::Sent, .. }));
}

#[test]
fn the_send_key_sends_unless_a_rule_names_it() {
    for (text, keys, sent) in [
        ("*21*x.#|x.", "*21*5#", Some("*21*5#")),
        ("*21*x.#|x.", "55#", Some("55")),
        ("dialnow xxxxxx", "12#", Some("12")),
        ("", "#", None),
        ("", "12#", Some("12")),
    ] {
        let mut c = collector(text);
        let _ = c.off_hook(T0);
        assert_eq!(number(&press(&mut c, keys)), sent, "{text} {keys}");
    }
    let mut config = CollectorConfig::default();
    config.send_key = None;
    let mut c = Collector::new(config);
    assert_eq!(number(&press(&mut c, "12#")), None);
    assert_eq!(c.digits(), "12#");
}

#[test]
fn a_refused_number_stays_and_can_be_mended() {
    let mut c = collector("12!|13");
    let _ = c.off_hook(T0);
    assert!(matches!(press(&mut c, "12"), Progress::Blocked { .. }));
    assert_eq!((c.digits(), c.poll_timeout()), ("12", None));
    let _ = c.backspace(T0);
    assert_eq!(number(&press(&mut c, "3")), Some("13"));
}

#[test]
fn a_live_dialpad_calls_before_the_line_is_open() {
    let mut config = CollectorConfig::default();
    config.live = true;
    config.plan = Some(Arc::new(plan("dialnow 12")));
    let mut c = Collector::new(config);
    assert_eq!(c.clear(T0), Progress::Incomplete { deadline: None }, "nobody waits for the first digit");
    assert_eq!(press(&mut c, "1"), waits(5));
    assert_eq!(press(&mut c, "2"), waits(1));
    assert_eq!(number(&c.handle_timeout(T0 + Duration::from_secs(1))), Some("12"));
}

#[test]
fn other_rules_take_over_what_is_there() {
    let mut c = collector("12");
    let _ = c.off_hook(T0);
    let _ = press(&mut c, "3");
    let mut other = CollectorConfig::default();
    other.plan = Some(Arc::new(plan("3|34")));
    assert_eq!(c.set_config(T0, other), waits(5), "it was not complete by a digit");
    assert_eq!(c.deciding_rule(), Some("3"));
    assert_eq!(number(&press(&mut c, "4")), Some("34"));
}

#[test]
fn other_characters_and_too_many_digits_are_refused() {
    let mut config = CollectorConfig::default();
    config.max_digits = 3;
    let mut c = Collector::new(config.clone());
    assert_eq!(c.press(T0, ' '), Err(DigitError::NotADigit(' ')));
    let _ = press(&mut c, "123");
    assert_eq!(c.press(T0, '4'), Err(DigitError::Full(3)));
    assert_eq!(number(&press(&mut c, "#")), Some("123"));
    config.max_digits = 1000;
    let mut c = Collector::new(config);
    let _ = press(&mut c, &"1".repeat(CollectorConfig::MAX_DIGITS));
    assert_eq!(c.press(T0, '1'), Err(DigitError::Full(127)));
}

#[test]
fn bad_rules_say_where_and_what() {
    for (text, message) in [
        ("replace 1", "column 10: expected = between the prefix and the replacement"),
        ("replace 1=$1", "column 11: expected $1 to $9, and that the rule has that group"),
        ("replace (1)=$2", "column 13: expected $1 to $9, and that the rule has that group"),
        ("replace 1=", "column 11: expected digits, * or #"),
        ("dialnow (12", "column 12: expected ) to close the group"),
        ("dialnow 12)", "column 11: expected a character, x, ., [ or ("),
        ("dialnow [9-1]", "column 10: expected a range of single digits that ascends"),
        ("block 1 2", "column 9: expected the end of the rule"),
        ("insert x 1 2", "column 8: expected digits, * or #"),
        ("insert 1 128 2", "column 10: expected a number from 0 to 127"),
        ("to 1", "column 5: expected an address"),
        (
            "dial 1",
            "column 1: expected replace, dialnow, area, block, insert, delete, to, emergency, feature or server",
        ),
        (
            "block 1;\n# a remark; with ; in it\nblock )",
            "line 3, column 7: expected a character, x, ., [ or (",
        ),
    ] {
        assert_eq!(RuleList::parse(text).unwrap_err().to_string(), message, "{text}");
    }
    let long = format!("replace {}=1", "1".repeat(33));
    assert_eq!(RuleList::parse(&long).unwrap_err().to_string(), "column 41: expected at most 32 characters");
}

#[test]
fn codes_for_the_server_go_out_as_they_are_dialled() {
    let plan = plan(
        "server *73.; server *86; replace *(.)=0$1; replace x(.)=9$1; delete * 0 1; area 010 1 9; block *7399",
    );
    for (dialled, number) in [("*73", "*73"), ("*73201", "*73201"), ("*86", "*86"), ("*861", "861")] {
        assert!(
            matches!(plan.decide(dialled, false), Outcome::Call(call) if call.number == number),
            "{dialled}"
        );
    }
    assert!(
        matches!(plan.decide("*7399", true), Outcome::Blocked { .. }),
        "block-out rules hold for them, too"
    );
    let refused = Plan::compile(rules("*xx!").iter().chain([&Rule::server("*86")]), 1).unwrap();
    assert!(matches!(refused.decide("*86", true), Outcome::Call(call) if call.number == "*86"));
    assert!(matches!(refused.decide("*87", true), Outcome::Blocked { .. }));
}

#[test]
fn no_rule_calls_what_may_become_a_code() {
    let mut all = rules("*x|*xx|*xxx|12S0");
    all.extend([
        Rule::feature(1, "*69"),
        Rule::feature(2, "*72."),
        Rule::server("*73."),
        Rule::server("123"),
    ]);
    let mut config = CollectorConfig::default();
    config.plan = Some(Arc::new(Plan::compile(&all, 1).unwrap()));
    let mut c = Collector::new(config);
    let _ = c.off_hook(T0);
    assert_eq!(press(&mut c, "*7"), waits(5), "complete, but a code begins so");
    assert_eq!(press(&mut c, "2"), waits(5), "its target may follow");
    assert!(matches!(press(&mut c, "55#"), Progress::Feature { id: 2, argument, .. } if argument == "55"));
    let _ = c.off_hook(T0);
    assert_eq!(press(&mut c, "*73"), waits(5));
    assert_eq!(number(&press(&mut c, "5#")), Some("*735"));
    let _ = c.off_hook(T0);
    assert!(matches!(press(&mut c, "*69"), Progress::Feature { id: 1, .. }));
    let _ = c.off_hook(T0);
    assert_eq!(press(&mut c, "12"), waits(5));
    assert_eq!(number(&c.handle_timeout(T0 + Duration::from_secs(5))), Some("12"));
    let _ = c.off_hook(T0);
    assert_eq!(number(&press(&mut c, "*8")), Some("*8"), "no code begins so");
}

#[test]
fn a_number_that_nobody_dials_now_is_barred_by_block_out_and_refusals_alone() {
    let mut all = rules("block 900.; block *8; replace 5=9001; line 2 block 7");
    all.extend(rules("123xxx!|*x!"));
    all.extend([Rule::emergency("9112"), Rule::server("*9"), Rule::emergency("9001")]);
    let plan = Plan::compile(&all, 1).unwrap();
    for (number, rule) in [
        ("9005", Some("block 900.")),
        ("123456", Some("123xxx!")),
        ("*8", Some("block *8")),
        ("*7", Some("*x!")),
        ("*9", None),
        ("9001", None),
        ("5", None),
        ("7", None),
        ("12", None),
        ("", None),
        ("sip:9005@example.org", None),
        ("9005@example.org", None),
    ] {
        let barred = plan.bars(number).and_then(|rule| plan.rule(rule)).map(Rule::text);
        assert_eq!(barred, rule, "{number}");
    }
}
