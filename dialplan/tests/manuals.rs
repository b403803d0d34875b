//! Every example that the four manuals give for dial plans.
//!
//! - KX-UT670: 12 of elements, and 12 numbers for one map, 6 of them with calls without a match on and off.
//! - CP860: 21 numbers for 7 expressions, 5 values of settings, 5 rules of a replace template, 3 of a dial-now template.
//! - ES620: none with digits; the tip that deleting counts over what was inserted.
//! - C60S: none.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

use sidetone_dialplan::{
    Collector, CollectorConfig, DialCause, DigitMap, Outcome, Plan, Progress, Rule, RuleKind, RuleList,
};
use sidetone_hal::time::{Duration, Instant};
use std::sync::Arc;

const T0: Instant = Instant::from_millis(1000);

/// What became of a number, and how long after the last key.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Sent(String, u64),
    Blocked(String),
    Invalid,
    Waiting,
}

fn sent(number: &str, after: u64) -> End {
    End::Sent(number.to_owned(), after)
}

fn map(text: &str) -> Vec<Rule> {
    DigitMap::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).rules().to_vec()
}

fn list(text: &str) -> Vec<Rule> {
    RuleList::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).rules().to_vec()
}

fn collector(rules: &[Rule], unmatched: bool) -> Collector {
    let mut config = CollectorConfig::default();
    config.plan = Some(Arc::new(Plan::compile(rules, 1).unwrap()));
    config.unmatched = unmatched;
    Collector::new(config)
}

fn end(rules: &[Rule], progress: Progress, now: Instant) -> End {
    match progress {
        Progress::Send { number, .. } => sent(&number, u64::try_from((now - T0).as_millis()).unwrap()),
        Progress::Blocked { rule } => End::Blocked(rules[rule.index()].text().to_owned()),
        Progress::Invalid => End::Invalid,
        _ => End::Waiting,
    }
}

/// Presses the keys at once and waits until something happens.
fn dial(rules: &[Rule], keys: &str, unmatched: bool) -> End {
    let mut collector = collector(rules, unmatched);
    let _ = collector.off_hook(T0);
    for key in keys.chars() {
        let progress = collector.press(T0, key).unwrap();
        if !matches!(progress, Progress::Incomplete { .. }) {
            return end(rules, progress, T0);
        }
    }
    let Some((at, _)) = collector.poll_timeout() else { return End::Waiting };
    let progress = collector.handle_timeout(at);
    end(rules, progress, at)
}

/// What Enter makes of a number.
fn enter(rules: &[Rule], keys: &str) -> Outcome {
    Plan::compile(rules, 1).unwrap().decide(keys, true)
}

fn called(rules: &[Rule], keys: &str) -> String {
    match enter(rules, keys) {
        Outcome::Call(call) => call.number,
        other => panic!("{keys}: {other:?}"),
    }
}

const EXAMPLE: &str = "[2346789]11|01[2-9]x.|[2-9]xxxxxxxxx";

#[test]
fn complete_matches_are_called_immediately() {
    for number in ["211", "911", "2123456789", "5987654321"] {
        for unmatched in [true, false] {
            assert_eq!(dial(&map(EXAMPLE), number, unmatched), sent(number, 0));
        }
    }
}

#[test]
fn partial_matches_with_a_repetition_are_called_after_the_inter_digit_time() {
    for number in ["01254", "012556"] {
        for unmatched in [true, false] {
            assert_eq!(dial(&map(EXAMPLE), number, unmatched), sent(number, 5000));
        }
    }
}

#[test]
fn partial_matches_without_a_repetition_are_called_or_denied_after_the_inter_digit_time() {
    for number in ["21", "91", "21234567", "598765432"] {
        assert_eq!(dial(&map(EXAMPLE), number, true), sent(number, 5000));
        assert_eq!(dial(&map(EXAMPLE), number, false), End::Invalid);
        let mut waiting = collector(&map(EXAMPLE), false);
        let _ = waiting.off_hook(T0);
        for key in number.chars() {
            let deadline = Some(T0 + Duration::from_secs(5));
            assert_eq!(waiting.press(T0, key), Ok(Progress::Incomplete { deadline }));
        }
    }
}

#[test]
fn what_does_not_match_is_called_after_the_inter_digit_time_or_denied() {
    for number in ["0011", "1011"] {
        assert_eq!(dial(&map(EXAMPLE), number, true), sent(number, 5000));
        assert_eq!(dial(&map(EXAMPLE), number, false), End::Invalid);
    }
}

#[test]
fn the_print_with_eight_wildcards_calls_a_nine_digit_number() {
    let eight = map("[2346789]11|01[2-9]x.|[2-9]xxxxxxxx");
    assert_eq!(dial(&eight, "598765432", true), sent("598765432", 0));
}

#[test]
fn every_element_of_a_digit_map_does_what_its_example_says() {
    assert_eq!(dial(&map("123"), "123", false), sent("123", 0));
    assert_eq!(dial(&map("12xxxxx"), "1234567", false), sent("1234567", 0));
    assert_eq!(dial(&map("12XXXXX"), "1234567", false), sent("1234567", 0));
    assert_eq!(dial(&map("12xxxxx"), "123456*", false), End::Invalid);
    for digit in ["1", "2", "3"] {
        assert_eq!(dial(&map("[123]"), digit, false), sent(digit, 0));
    }
    for digit in ["1", "2", "3", "4", "5"] {
        assert_eq!(dial(&map("[1-5]"), digit, false), sent(digit, 0));
    }
    assert_eq!(dial(&map("[1-5]"), "6", false), End::Invalid);
    for number in ["1", "11", "111"] {
        assert_eq!(dial(&map("1."), number, false), sent(number, 5000));
    }
    assert_eq!(dial(&map("<101:9999>"), "101", false), sent("9999", 0));
    assert_eq!(dial(&map("1x.S2"), "1234", false), sent("1234", 2000));
    assert_eq!(dial(&map("1x.s2"), "1234", false), sent("1234", 2000));
    assert_eq!(dial(&map("1x.T"), "1234", false), sent("1234", 5000));
    assert_eq!(dial(&map("123xxx!"), "123456", true), End::Blocked("123xxx!".to_owned()));
    for (number, ended) in [("12345", sent("12345", 0)), ("2345", sent("2345", 0)), ("3", End::Invalid)] {
        assert_eq!(dial(&map("1xxxx|2xxx"), number, false), ended);
    }
    assert_eq!(dial(&map("*xx#"), "*21#", false), sent("*21#", 0));
    assert_eq!(dial(&map("+x."), "+49", false), sent("+49", 5000));
}

#[test]
fn a_subrange_is_valid_for_single_digits_only() {
    assert!(DigitMap::parse("[4-9]").is_ok());
    for (text, message) in [
        ("[12-21]", "column 3: expected a range of single digits that ascends"),
        ("[9-4]", "column 2: expected a range of single digits that ascends"),
        ("[*-4]", "column 2: expected a range of single digits that ascends"),
    ] {
        assert_eq!(DigitMap::parse(text).unwrap_err().to_string(), message, "{text}");
    }
    assert_eq!(dial(&map("[2-46-9*]"), "6", false), sent("6", 0));
}

#[test]
fn the_time_of_t_is_the_one_that_is_set() {
    let mut config = CollectorConfig::default();
    config.plan = Some(Arc::new(Plan::compile(&map("1x.T|2x."), 1).unwrap()));
    config.timing.macro_digit = Duration::from_secs(15);
    config.timing.inter_digit = Some(Duration::from_secs(1));
    let mut collector = Collector::new(config);
    let _ = collector.off_hook(T0);
    for (key, wait) in [('1', 1), ('2', 15), ('3', 15)] {
        let deadline = Some(T0 + Duration::from_secs(wait));
        assert_eq!(collector.press(T0, key), Ok(Progress::Incomplete { deadline }), "{key}");
    }
}

#[test]
fn a_map_has_500_characters_40_alternatives_and_32_digits_in_each() {
    let many = |count: usize| vec!["12"; count].join("|");
    assert!(DigitMap::parse(&many(40)).is_ok());
    let error = DigitMap::parse(&many(41)).unwrap_err();
    assert_eq!(error.to_string(), "column 121: expected at most 40 alternatives");
    assert!(DigitMap::parse(&"x".repeat(32)).is_ok());
    let error = DigitMap::parse(&format!("1|{}", "x".repeat(33))).unwrap_err();
    assert_eq!(error.to_string(), "column 35: expected at most 32 digits in an alternative");
    let twelve = format!("{}|", "[0123456789]".repeat(3));
    let long = twelve.repeat(13) + &"1".repeat(19);
    assert_eq!(long.chars().count(), 500);
    assert!(DigitMap::parse(&long).is_ok());
    let error = DigitMap::parse(&(long + "1")).unwrap_err();
    assert_eq!(error.to_string(), "column 501: expected at most 500 characters");
}

#[test]
fn the_end_of_dialling_is_the_timer_the_key_or_the_handset_after_pre_dialling() {
    let rules = map(EXAMPLE);
    for unmatched in [true, false] {
        // Enter, or `#`.
        let mut collector = collector(&rules, unmatched);
        let _ = collector.off_hook(T0);
        for key in "0125".chars() {
            let _ = collector.press(T0, key).unwrap();
        }
        let ended = collector.press(T0, '#').unwrap();
        assert!(matches!(ended, Progress::Send { cause: DialCause::Sent, .. }));
        // Pre-dialling: nothing happens before the handset is lifted, not even for a complete match.
        for key in "211".chars() {
            assert_eq!(collector.press(T0, key), Ok(Progress::Incomplete { deadline: None }));
        }
        assert_eq!(end(&rules, collector.send(T0), T0), sent("211", 0));
        for key in "21".chars() {
            let _ = collector.press(T0, key).unwrap();
        }
        let expected = if unmatched { sent("21", 0) } else { End::Invalid };
        assert_eq!(end(&rules, collector.send(T0), T0), expected);
    }
}

#[test]
fn the_expressions_of_the_cp860_match_what_its_manual_says() {
    for (rule, matching, other) in [
        ("12.", &["123", "1234", "12345", "12abc"][..], &["12", "13"][..]),
        ("12x", &["121", "122", "123", "12a"], &["12", "1234"]),
        ("[5-7]", &["5", "6", "7"], &["4", "8", "55"]),
        ("[2,5,8]", &["2", "5", "8"], &["3", ",", "25"]),
        ("91[5-7]1234", &["9151234", "9161234", "9171234"], &["9181234"]),
        ("([1-9])([2-7])3", &["923", "153", "673"], &["913", "92", "9234"]),
        ("1234", &["1234"], &["123", "12345"]),
        ("52[0-6]", &["520", "523", "526"], &["527", "52"]),
        ("xxxxxx", &["123456"], &["12345", "1234567"]),
    ] {
        let plan = Plan::compile(&list(&format!("dialnow {rule}")), 1).unwrap();
        for (numbers, matches) in [(matching, true), (other, false)] {
            for number in numbers {
                let best = plan.best(plan.run(number), RuleKind::Call);
                assert_eq!(best.is_some(), matches, "{rule} {number}");
            }
        }
    }
}

#[test]
fn the_examples_of_the_settings_of_the_cp860_do_what_they_say() {
    let rules = list("replace 00=123456; dialnow 123; area 010 1 15; block 1234");
    for (keys, ended) in [
        ("00", sent("123456", 5000)),
        ("123", sent("010123", 1000)),
        ("5", sent("0105", 5000)),
        ("1234", End::Blocked("block 1234".to_owned())),
        ("3601", sent("0103601", 5000)),
    ] {
        assert_eq!(dial(&rules, keys, true), ended, "{keys}");
    }
}

#[test]
fn a_replacement_takes_what_the_groups_took() {
    let rules = list("replace 001(xxx)45(xx)=9001$145$2");
    assert_eq!(called(&rules, "0012354599"), "90012354599");
    let last_group = list("replace 9([5-7])(.)=5$2");
    assert_eq!(called(&last_group, "96123"), "5123");
}

const TEMPLATE: &str = r#"<DialRule>
  <Data Prefix="1" Replace="05928665234"/>
  <Data Prefix="2(xx)" Replace="002$1"/>
  <Data Prefix="5([6-9])(.)" Replace="3$2"/>
  <Data Prefix="0(.)" Replace="9$1"/>
  <Data Prefix="1009" Replace="05921009"/>
</DialRule>
"#;

#[test]
fn the_replace_rule_file_replaces_whole_numbers() {
    let rules = RuleList::from_replace_template(TEMPLATE).unwrap().rules().to_vec();
    for (dialled, number) in [
        ("1", "05928665234"),
        ("234", "00234"),
        ("57123", "3123"),
        ("0592", "9592"),
        // The first rule is for the number 1, not for all that begin so: the fifth would never be reached.
        ("1009", "05921009"),
        ("10", "10"),
        ("23", "23"),
        ("55123", "55123"),
    ] {
        assert_eq!(called(&rules, dialled), number, "{dialled}");
    }
}

#[test]
fn the_dial_now_file_calls_after_the_delay() {
    let file = "<?xml version=\"1.0\"?>\n<DialNow>\n  <Data DialNowRule=\"1234\"/>\n  <Data DialNowRule=\"52[0-6]\"/>\n  <Data DialNowRule=\"xxxxxx\"/>\n</DialNow>";
    let rules = RuleList::from_dial_now_template(file).unwrap().rules().to_vec();
    for number in ["1234", "523", "123456"] {
        assert_eq!(dial(&rules, number, true), sent(number, 1000), "{number}");
    }
    assert_eq!(dial(&rules, "527", true), sent("527", 5000));
}

#[test]
fn template_files_say_what_is_wrong_and_hold_100_rules() {
    for (file, message) in [
        ("<DialRule>\n <Data Prefix=\"1\"/>", "line 2, column 18: expected <Data Replace=\"…\"/>"),
        (
            "<DialRule>\n <Data Prefix=\"1(\" Replace=\"2\"/>\n</DialRule>",
            "line 2, column 18: expected ) to close the group",
        ),
        ("<DialNow></DialNow>", "column 1: expected <Data Prefix=\"…\"/>"),
        ("<DialRule></DialRule> x", "column 23: expected the end of the rule"),
    ] {
        assert_eq!(RuleList::from_replace_template(file).unwrap_err().to_string(), message, "{file}");
    }
    for (file, message) in [
        ("<DialRule><Data Prefix=\"1\" Replace=\"2;3\"/></DialRule>", "column 38: expected digits, * or #"),
        ("<DialRule><Data Prefix=\"1\" Replace=\"\"/></DialRule>", "column 37: expected digits, * or #"),
        (
            "<DialRule><Data Prefix=\"1\"Replace=\"2\"/></DialRule>",
            "column 27: expected <Data Prefix=\"…\"/>",
        ),
        ("<DialRule><Data Prefix=\"1\n\"/></DialRule>", "column 26: expected <Data Prefix=\"…\"/>"),
        ("<DialRule><Data Prefix=", "column 17: expected <Data Prefix=\"…\"/>"),
        ("<DialRule>", "column 11: expected <Data Prefix=\"…\"/>"),
        ("", "column 1: expected <Data Prefix=\"…\"/>"),
    ] {
        assert_eq!(RuleList::from_replace_template(file).unwrap_err().to_string(), message, "{file}");
    }
    let lenient = "<DialRule>\r\n <Data Replace='002$1' LineID=\"\" Prefix='2(xx)' />\r\n <Data Prefix=\"\" Replace=\"\" />\r\n</DialRule>";
    assert_eq!(RuleList::from_replace_template(lenient).unwrap().to_string(), "replace 2(xx)=002$1");
    assert_eq!(RuleList::from_replace_template("<DialRule></DialRule>").unwrap().rules(), []);
    let many = |count: usize| format!("<DialNow>{}</DialNow>", "<Data DialNowRule=\"1\"/>".repeat(count));
    assert_eq!(RuleList::from_dial_now_template(&many(100)).unwrap().rules().len(), 100);
    assert!(
        RuleList::from_dial_now_template(&many(101))
            .unwrap_err()
            .to_string()
            .ends_with("at most 100 rules of this kind")
    );
}

#[test]
fn the_area_code_is_put_before_numbers_of_its_lengths() {
    let rules = list("area 010 4 7");
    for (dialled, number) in [
        ("123", "123"),
        ("1234", "0101234"),
        ("1234567", "0101234567"),
        ("12345678", "12345678"),
        ("*123", "*123"),
    ] {
        assert_eq!(called(&rules, dialled), number, "{dialled}");
    }
    for (text, message) in [
        ("area 010 5 5", "column 12: expected a maximum that is larger than the minimum"),
        ("area 010 0 5", "column 10: expected a number from 1 to 15"),
        ("area 010 1 16", "column 12: expected a number from 1 to 15"),
        ("area 12345678901234567 1 2", "column 6: expected at most 16 characters"),
        ("area 1 1 2; area 2 1 2", "column 13: expected at most 1 rules of this kind"),
    ] {
        assert_eq!(RuleList::parse(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn a_block_out_rule_forbids_the_number() {
    let rules = list("block 1234; block 900.; replace 5=9001");
    assert_eq!(dial(&rules, "1234", true), End::Blocked("block 1234".to_owned()));
    assert_eq!(dial(&rules, "9001", true), End::Blocked("block 900.".to_owned()));
    assert_eq!(dial(&rules, "12345", true), sent("12345", 5000), "not more than the number");
    assert_eq!(dial(&rules, "5", true), End::Blocked("block 900.".to_owned()), "nor by another one");
    let eleven = "block 1\n".repeat(11);
    assert_eq!(
        RuleList::parse(&eleven).unwrap_err().to_string(),
        "line 11, column 1: expected at most 10 rules of this kind"
    );
}

#[test]
fn digits_are_inserted_before_others_are_deleted() {
    // The tip of the manual: add first; position and length of what is deleted count over the number with what was added.
    let rules = list("insert 8 0 00; delete 8 1 2; to 8 192.168.1.20:5062");
    let Outcome::Call(call) = enter(&rules, "8123") else { panic!("no call") };
    assert_eq!((call.number.as_str(), call.address.as_deref()), ("0123", Some("192.168.1.20:5062")));
    assert_eq!(call.rules.len(), 3);
    for (text, number) in [
        ("insert 8 0 5", "58123"),
        ("insert 8 1 5", "85123"),
        ("insert 8 9 5", "81235"),
        ("delete 8 0 1", "123"),
        ("delete 8 2 9", "81"),
        ("delete 8 4 1", "8123"),
        ("insert 8 0 1; insert 81 0 2; insert 812 0 3", "38123"),
    ] {
        assert_eq!(called(&list(text), "8123"), number, "{text}");
        assert_eq!(called(&list(text), "7123"), "7123", "{text}");
    }
    assert_eq!(enter(&list("delete 8 0 9"), "8123"), Outcome::Invalid, "nothing is left to call");
}
