//! The example `digits` as other people's scripts see it: its last line, and what it says of bad plans.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

#[expect(dead_code, reason = "its `main` runs elsewhere")]
#[path = "../examples/digits.rs"]
mod digits;

fn run(arguments: &[&str]) -> Result<Vec<String>, String> {
    digits::run(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
}

fn last(arguments: &[&str]) -> String {
    run(arguments).unwrap().pop().unwrap()
}

const MAP: &str = "[2346789]11|01[2-9]x.|[2-9]xxxxxxxxx|123xxx!|1x.S2|*1x.T";
const RULES: &str = "replace 2(xx)=002$1; dialnow 52[0-6]; area 010 4 7; block 900.";

#[test]
fn the_last_line_says_what_became_of_the_number() {
    for (keys, line) in [
        ("211", "send 211 after 0 ms by [2346789]11"),
        ("01254,", "send 01254 after 5000 ms by 01[2-9]x."),
        ("0125#", "send 0125 after 0 ms by 01[2-9]x."),
        ("21", "incomplete"),
        ("21#", "send 21 after 0 ms by no rule"),
        ("0011,", "send 0011 after 5000 ms by no rule"),
        ("123456", "rejected by 123xxx!"),
        ("15,", "send 15 after 2000 ms by 1x.S2"),
        ("*12,", "send *12 after 5000 ms by *1x.T"),
        ("211#", "send 211 after 0 ms by [2346789]11"),
        ("112#", "send 112 after 0 ms by 1x.S2"),
        ("22<11", "send 211 after 0 ms by [2346789]11"),
        ("", "incomplete"),
        (",", "incomplete"),
        ("#", "incomplete"),
    ] {
        assert_eq!(last(&["--style", "panasonic", MAP, keys]), line, "{keys}");
    }
    for (keys, line) in [("0011,", "denied"), ("21,", "denied"), ("21#", "denied"), ("21", "incomplete")] {
        assert_eq!(last(&["--no-match-calls", "no", MAP, keys]), line, "{keys}");
    }
    for (keys, line) in [
        ("212#", "send 00212 after 0 ms by replace 2(xx)=002$1"),
        ("523,", "send 523 after 1000 ms by dialnow 52[0-6]"),
        ("9001#", "blocked by block 900."),
        ("9001", "incomplete"),
        ("3333,", "send 0103333 after 4000 ms by area 010 4 7"),
    ] {
        assert_eq!(last(&["--style", "yealink", RULES, keys]), line, "{keys}");
    }
    let sayhi = "insert 8 1 00; delete 8 0 1; to 8 10.0.0.5";
    let line = "send 00123 after 5000 ms by insert 8 1 00, delete 8 0 1, to 8 10.0.0.5";
    assert_eq!(last(&["--style", "sayhi", sayhi, "8123,"]), line);
    assert_eq!(last(&["--style", "dinstar", "block 112", "112#"]), "send 112 after 0 ms by emergency 112");
    assert_eq!(last(&["--emergency", "", "--style", "dinstar", "block 112", "112#"]), "blocked by block 112");
}

#[test]
fn options_change_the_times() {
    assert_eq!(last(&["--t", "9", MAP, "*12,"]), "send *12 after 9000 ms by *1x.T");
    assert_eq!(last(&["--inter-digit", "700", MAP, "0125,"]), "send 0125 after 700 ms by 01[2-9]x.");
    assert_eq!(
        last(&["--dial-now=3", "--style=yealink", RULES, "523,"]),
        "send 523 after 3000 ms by dialnow 52[0-6]"
    );
    assert_eq!(last(&["--inter-digit", "0", MAP, "21,"]), "incomplete");
    assert_eq!(last(&["--predial", MAP, "211"]), "send 211 after 0 ms by [2346789]11");
    assert_eq!(
        last(&["--line", "2", "--style", "yealink", "line 2 replace 1=2", "1#"]),
        "send 2 after 0 ms by replace 1=2"
    );
}

#[test]
fn each_step_is_printed_with_its_time() {
    let lines = run(&[MAP, "01,2"]).unwrap();
    let starts: Vec<&str> = lines.iter().map(|line| line.get(..22).unwrap_or(line).trim_end()).collect();
    assert_eq!(
        starts,
        [
            "     0 ms  off-hook",
            "     0 ms  key 0",
            "     0 ms  key 1",
            "  5000 ms  wait",
            "  5000 ms  not needed",
            "send 01 after 5000 ms"
        ]
    );
}

#[test]
fn a_bad_plan_is_shown_with_its_place() {
    let error = run(&["12[4-", "1"]).unwrap_err();
    assert_eq!(error, "the plan: column 6: expected a key at the end of the range\n  12[4-\n       ^");
    let error = run(&["--style", "yealink", "block 1; area 1 5 5", "1"]).unwrap_err();
    assert!(error.starts_with("the plan: column 19: expected a maximum"), "{error}");
    assert!(run(&["--style", "cisco", "1", "1"]).is_err());
    assert!(run(&["1"]).is_err());
}

#[test]
fn odd_plans_and_digits_end_in_a_line_or_a_clear_message() {
    let alternatives = |count: usize| vec!["12"; count].join("|");
    let list = |rule: &str, count: usize| vec![rule; count].join(";");
    let long = |length: usize| {
        format!("{}{}", "[0123456789]".repeat(2), "|1".repeat(length))
            .chars()
            .take(length)
            .collect::<String>()
    };
    for (style, plan, message) in [
        ("panasonic", String::new(), "column 1: expected a digit, *, #, +, x, [ or <"),
        ("panasonic", "  ".to_owned(), "column 3: expected a digit, *, #, +, x, [ or <"),
        ("panasonic", "|".to_owned(), "column 1: expected a digit, *, #, +, x, [ or <"),
        ("panasonic", "1|".to_owned(), "column 3: expected a digit, *, #, +, x, [ or <"),
        ("panasonic", "1 2".to_owned(), "column 3: expected another element, | or the end"),
        ("panasonic", "1é".to_owned(), "column 2: expected another element, | or the end"),
        ("panasonic", "é1".to_owned(), "column 1: expected a digit, *, #, +, x, [ or <"),
        ("panasonic", "\u{661}".to_owned(), "column 1: expected a digit, *, #, +, x, [ or <"),
        ("panasonic", "é".repeat(501), "column 501: expected at most 500 characters"),
        ("panasonic", long(501), "column 501: expected at most 500 characters"),
        ("panasonic", alternatives(41), "column 121: expected at most 40 alternatives"),
        ("panasonic", "x".repeat(33), "column 33: expected at most 32 digits in an alternative"),
        (
            "panasonic",
            format!("<{}:1>", "1".repeat(33)),
            "column 1: expected at most 32 digits in an alternative",
        ),
        ("panasonic", "1S".to_owned(), "column 3: expected the seconds of the timer, 0 to 9"),
        ("yealink", list("block 1", 11), "column 81: expected at most 10 rules of this kind"),
        ("dinstar", list("replace 1=2", 101), "expected at most 100 rules of this kind"),
        ("sayhi", list("insert 1 0 2", 101), "expected at most 100 rules of this kind"),
        ("yealink", "block é".to_owned(), "column 7: expected a character, x, ., [ or ("),
        ("yealink", "call 1".to_owned(), "column 1: expected replace, dialnow, area,"),
        ("sayhi", "insert 1 0".to_owned(), "column 11: expected digits, * or #"),
        (
            "dinstar",
            "area 10 5 4".to_owned(),
            "column 11: expected a maximum that is larger than the minimum",
        ),
    ] {
        let outcome = run(&["--style", style, &plan, "1"]);
        assert_eq!(digits::status(&outcome), 2, "{style} {plan}");
        let error = outcome.unwrap_err();
        assert!(error.starts_with("the plan: column ") && error.contains(message), "{style} {plan}: {error}");
    }
    // At the limits all is well, and an empty list of rules takes any number.
    for (style, plan) in [
        ("panasonic", alternatives(40)),
        ("panasonic", "x".repeat(32)),
        ("yealink", list("block 2", 10)),
        ("yealink", String::new()),
        ("dinstar", " ; ;".to_owned()),
        ("sayhi", list("insert 2 0 2", 100)),
    ] {
        let outcome = run(&["--style", style, &plan, "1,"]);
        assert_eq!(digits::status(&outcome), 0);
        assert!(outcome.unwrap().pop().unwrap().starts_with("send 1 after "), "{style} {plan}");
    }
    let most = run(&["--emergency", "", "x.", &"1".repeat(64)]).unwrap();
    assert_eq!(most.last().unwrap(), "incomplete");
    for (digits, message) in [
        ("1".repeat(65), "the number is full: at most 64 digits"),
        ("1".repeat(100_000), "the number is full: at most 64 digits"),
        ("1é".to_owned(), "'é' cannot be dialled"),
        ("1 2".to_owned(), "' ' cannot be dialled"),
        ("\u{661}".to_owned(), "'\u{661}' cannot be dialled"),
    ] {
        let outcome = run(&["x.", &digits]);
        assert_eq!((digits::status(&outcome), outcome.unwrap_err()), (2, message.to_owned()));
    }
    // Whatever stands in place of digits ends in a line.
    for digits in ["", "#", ",", ",,", "##", "<", "<<1", "1,#", "1#,", "1,,", ",1,", "+", "a", "**"] {
        for style in ["panasonic", "yealink", "dinstar", "sayhi"] {
            let plan = if style == "panasonic" { "x." } else { "block 9" };
            assert!(run(&["--style", style, plan, digits]).is_ok(), "{style} {digits}");
        }
    }
}

#[test]
fn wrong_options_are_told() {
    for (arguments, message) in [
        (&["--style", "cisco", "1", "1"][..], "--style: expected panasonic, yealink, dinstar or sayhi"),
        (&["--no-match-calls", "maybe", "1", "1"], "--no-match-calls maybe: expected yes or no"),
        (&["--inter-digit", "soon", "1", "1"], "--inter-digit soon: expected a number"),
        (&["--t", "-1", "1", "1"], "--t -1: expected a number"),
        (&["--line", "256", "1", "1"], "--line: expected 1 to 255"),
        (&["--line", "0", "1", "1"], "--line: expected 1 to 255"),
        (&["--fast", "1", "1"], "--fast: no such option"),
        (&["--t"], "--t needs a value"),
        (&[], "no plan"),
        (&["1"], "no digits"),
        (&["1", "2", "3"], "3: one plan and one row of digits"),
    ] {
        let error = run(arguments).unwrap_err();
        assert!(error.starts_with(message), "{arguments:?}: {error}");
    }
}

#[test]
fn a_picture_needs_graphviz_and_its_lack_is_told() {
    let folder = std::env::temp_dir().join(format!("sidetone-picture-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("plan.png");
    let name = file.display().to_string();
    let told = last(&["--png", &name, "12|1x."]);
    match std::process::Command::new("dot").arg("-V").output() {
        Ok(_) => {
            assert_eq!(told, format!("{name} is drawn"));
            assert!(std::fs::read(&file).unwrap().starts_with(b"\x89PNG"));
            // What cannot be written is told, too.
            let nowhere = folder.join("no/such/plan.png").display().to_string();
            assert!(last(&["--png", &nowhere, "12"]).starts_with("dot: exit status"));
        }
        Err(_) => assert!(told.starts_with("graphviz (dot) is not there ("), "{told}"),
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_of_rules_is_read_line_by_line() {
    let file = std::env::temp_dir().join(format!("sidetone-digits-{}", std::process::id()));
    let name = file.display().to_string();
    std::fs::write(&file, "# the office\nblock 900.\nreplace 1=2\n").unwrap();
    assert_eq!(last(&["--style", "yealink", &name, "1#"]), "send 2 after 0 ms by replace 1=2");
    std::fs::write(&file, "block 900.\nblock )\n").unwrap();
    let error = run(&["--style", "yealink", &name, "1#"]).unwrap_err();
    assert!(error.contains(": line 2, column 7: expected"), "{error}");
    std::fs::write(&file, "<DialRule>\n<Data Prefix=\"2(xx)\" Replace=\"002$1\"/>\n</DialRule>\n").unwrap();
    assert_eq!(last(&["--style", "yealink", &name, "212#"]), "send 00212 after 0 ms by replace 2(xx)=002$1");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn the_automaton_is_written_for_graphviz() {
    let lines = run(&["--explain", "12|1x."]).unwrap();
    assert_eq!((lines[0].as_str(), lines[lines.len() - 1].as_str()), ("digraph plan {", "}"));
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    assert!(
        has("s1 -> s2 [label=\"1\"]")
            && has("\\n12\" shape=doublecircle]")
            && has("\\n1x.\" shape=doublecircle style=dashed]")
    );
}
