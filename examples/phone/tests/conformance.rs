//! The conformance statements in `pics/`: one row per requirement of the catalogue, kept honest.
//!
//! A row is `id`, `statement`, `status`, `proof`. Status `yes` means that the named tests exercise what the row
//! says; `partial` that they exercise some of it; `no` that it is not built; `hardware` that software has
//! nothing to do there (a connector, a cable, a page about the box).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way of failing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each model with the catalogue's prefixes that belong to it.
const MODELS: [(&str, &[&str]); 4] =
    [("c60s", &["DIN"]), ("cp860", &["YLA", "YLB", "YLC"]), ("es620", &["SAY"]), ("ut670", &["PAA", "PAB"])];

const HEADER: &str = "id\tstatement\tstatus\tproof";

struct Row {
    id: String,
    status: String,
    proof: Vec<String>,
}

#[test]
fn conformance_rows_are_well_formed_and_proven() {
    let tests = test_names(&workspace());
    assert!(tests.len() > 20, "found only {} tests in the workspace", tests.len());
    let mut faults = Vec::new();
    for (model, prefixes) in MODELS {
        let rows = read_rows(model, &mut faults);
        let mut seen = BTreeSet::new();
        let mut counts = BTreeMap::from([("yes", 0), ("partial", 0), ("no", 0), ("hardware", 0)]);
        for row in &rows {
            let at = format!("{model}.tsv {}", row.id);
            if !seen.insert(row.id.as_str()) {
                faults.push(format!("{at}: the ID appears twice"));
            }
            if !is_id(&row.id, prefixes) {
                faults.push(format!("{at}: expected an ID of {prefixes:?} with three digits"));
            }
            match counts.get_mut(row.status.as_str()) {
                Some(count) => *count += 1,
                None => {
                    faults.push(format!("{at}: status {:?}, expected one of {:?}", row.status, counts.keys()))
                }
            }
            match (row.status.as_str(), row.proof.is_empty()) {
                ("yes" | "partial", true) => faults.push(format!("{at}: {} without a test", row.status)),
                ("no" | "hardware", false) => faults.push(format!("{at}: {} with a proof", row.status)),
                _ => {}
            }
            for name in row.proof.iter().filter(|name| !tests.contains(*name)) {
                faults.push(format!("{at}: no test of the workspace is named {name}"));
            }
        }
        println!("{model}: {} rows: {counts:?}", rows.len());
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// The catalogue lies beside the repository where the project is worked on, and nowhere else.
#[test]
fn conformance_rows_are_those_of_the_catalogue() {
    let catalogue = workspace().join("../shared/catalogue");
    if !catalogue.is_dir() {
        println!("no {}: nothing to compare with", catalogue.display());
        return;
    }
    let mut defined = BTreeSet::new();
    for entry in fs::read_dir(&catalogue).unwrap() {
        let path = entry.unwrap().path();
        let is_readme = path.file_name().is_some_and(|name| name == "README.md");
        if path.extension().is_some_and(|e| e == "md") && !is_readme {
            defined
                .extend(fs::read_to_string(&path).unwrap().lines().filter_map(defined_id).map(str::to_owned));
        }
    }
    let mut faults = Vec::new();
    let stated: BTreeSet<String> =
        MODELS.iter().flat_map(|(model, _)| read_rows(model, &mut faults)).map(|row| row.id).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let missing: Vec<_> = defined.difference(&stated).collect();
    let unknown: Vec<_> = stated.difference(&defined).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing {missing:?}, not in the catalogue {unknown:?}"
    );
    println!("{} IDs, as in the catalogue", defined.len());
}

fn read_rows(model: &str, faults: &mut Vec<String>) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pics").join(model).with_extension("tsv");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        faults.push(format!("{model}.tsv:1: expected {HEADER:?}"));
    }
    let mut rows = Vec::new();
    for (index, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split('\t').collect();
        let [id, statement, status, proof] = cells[..] else {
            faults.push(format!("{model}.tsv:{}: {} cells, expected 4", index + 2, cells.len()));
            continue;
        };
        if statement.trim().is_empty() || statement.len() > 120 {
            faults.push(format!("{model}.tsv:{}: a statement has 1 to 120 bytes", index + 2));
        }
        let proof = proof.split_whitespace().filter(|name| *name != "-").map(str::to_owned).collect();
        rows.push(Row { id: id.to_owned(), status: status.to_owned(), proof });
    }
    rows
}

fn is_id(id: &str, prefixes: &[&str]) -> bool {
    id.split_once('-').is_some_and(|(prefix, number)| {
        prefixes.contains(&prefix) && number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The ID that a catalogue line defines: it stands at the start of a list item, a table row or a heading.
fn defined_id(line: &str) -> Option<&str> {
    let id = line.trim_start_matches(['-', '|', '#', '*', ' ']).get(..7)?;
    MODELS.iter().any(|(_, prefixes)| is_id(id, prefixes)).then_some(id)
}

/// The names of all tests in the workspace: functions under a test attribute, and libtest-mimic trials.
fn test_names(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let hidden = path
                .file_name()
                .is_some_and(|name| name == "target" || name.as_encoded_bytes().starts_with(b"."));
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                collect_test_names(&fs::read_to_string(&path).unwrap(), &mut names);
            }
        }
    }
    names
}

fn collect_test_names(source: &str, names: &mut BTreeSet<String>) {
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ") {
            if marked {
                names.insert(rest.split(['(', '<']).next().unwrap().to_owned());
            }
            marked = false;
        }
        // `trial("name", …)`, `light("name", …)`, which needs less of the machine, and `Trial::test("name", …)`.
        for (at, call) in line.match_indices("rial").chain(line.match_indices("light")) {
            let rest = &line[at + call.len()..];
            let quoted = rest.strip_prefix("(\"").or_else(|| rest.strip_prefix("::test(\""));
            names.extend(quoted.and_then(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
