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
