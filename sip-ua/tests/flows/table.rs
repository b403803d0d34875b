//! The manual's tables, and how a recorded ladder is held against one.

use crate::stage::{Entry, label};
use sidetone_hal::sim::ladder::Ladder;
use std::fmt::Write;

/// One line of a table: `F9 B -> proxy: REFER`, with `+` for what the manual leaves out, and a comment behind `//`.
#[derive(Clone, Debug)]
pub struct Step {
    pub number: String,
    /// `B -> proxy: REFER`
    pub what: String,
}

pub fn read(table: &str) -> Vec<Step> {
    let lines =
        table.lines().map(|line| line.split("//").next().unwrap().trim()).filter(|line| !line.is_empty());
    let step = |line: &str| {
        let (number, what) = line.split_once(' ').unwrap();
        Step { number: number.into(), what: what.split_whitespace().collect::<Vec<_>>().join(" ") }
    };
    lines.map(step).collect()
}

fn said(log: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| match entry {
        Entry::Sent { from, to, message, .. } => Some(format!("{from} -> {to}: {}", label(message))),
        Entry::Note { .. } => None,
    };
    log.iter().filter_map(line).collect()
}

/// Fails with both ladders side by side when they differ.
pub fn compare(title: &str, steps: &[Step], log: &[Entry]) {
    let said = said(log);
    if steps.iter().map(|step| &step.what).eq(&said) {
        return;
    }
    let mut text = format!("{title}\n    {:<44}   {}\n", "expected", "recorded");
    for line in 0..steps.len().max(said.len()) {
        let step = steps.get(line);
        let (expected, got) = (step.map_or("", |step| &step.what), said.get(line).map_or("", String::as_str));
        let mark = if expected == got { ' ' } else { '!' };
        let number = step.map_or("", |step| &step.number);
        writeln!(text, "{number:<3} {expected:<44} {mark} {got}").unwrap();
    }
    panic!("{text}");
}

/// The recorded ladder, its arrows under the numbers of the manual.
pub fn picture(title: &str, steps: &[Step], log: &[Entry], columns: &[&str]) -> String {
    let mut ladder = Ladder::new(log.len());
    let columns: Vec<_> = columns.iter().map(|name| (*name, ladder.column(name))).collect();
    let column = |name: &str| columns.iter().find(|(known, _)| *known == name).unwrap().1;
    let mut numbers = steps.iter().map(|step| step.number.as_str());
    for entry in log {
        match entry {
            Entry::Sent { at, from, to, message } => {
                let number = numbers.next().unwrap_or_default();
                ladder.arrow(*at, column(from), column(to), &format!("{number} {}", label(message)));
            }
            Entry::Note { at, who, text } => ladder.note(*at, column(who), text),
        }
    }
    format!("{title}\n\n{ladder}")
}

/// Compares a picture with the one that is kept, or keeps it.
pub fn keep(name: &str, picture: &str) {
    let path = format!("{}/tests/flows/ladders/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_LADDERS").is_some() {
        std::fs::write(&path, picture).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, picture, "{path} is another picture; UPDATE_LADDERS=1 draws it anew");
}
