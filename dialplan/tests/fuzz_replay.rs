//! The fuzz target of `dialplan/fuzz` without a fuzzer: on its first inputs, on the corpus that fuzzing left, and on seeded changes
//! of both.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

#[path = "support/fuzz.rs"]
mod fuzz;

use sidetone_hal::rng::Rng;
use std::path::Path;

/// What the target begins with, and what was kept, in the order of the names.
fn inputs() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/plan");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds = fuzz::SEEDS.iter().map(|seed| seed.as_bytes().to_vec());
    seeds.chain(paths.iter().map(|path| std::fs::read(path).unwrap())).collect()
}

#[test]
fn the_first_and_the_kept_inputs_do_no_harm() {
    let inputs = inputs();
    let size: usize = inputs.iter().map(Vec::len).sum();
    assert!(inputs.len() <= 120 && size <= 200_000, "{} {size}", inputs.len());
    inputs.iter().for_each(|input| fuzz::plan(input));
}

#[test]
fn the_seeds_are_plans() {
    // What begins in every reader's refusal would test nothing but refusals.
    use sidetone_dialplan::{DigitMap, RuleList};
    for seed in fuzz::SEEDS {
        let (_, text) = seed.split_once('\n').unwrap();
        let read = DigitMap::parse(text).is_ok()
            || RuleList::parse(text).is_ok()
            || RuleList::from_replace_template(text).is_ok()
            || RuleList::from_dial_now_template(text).is_ok();
        assert!(read, "{text}");
    }
}

/// An input with some octets changed, moved, repeated or left out.
fn change(rng: &mut Rng, inputs: &[Vec<u8>]) -> Vec<u8> {
    const MARKS: &[u8] = b"0123459*#+xX[]-,.<>:!sStT|()$=; \n";
    let pick = |rng: &mut Rng| &inputs[rng.below(u32::try_from(inputs.len()).unwrap()) as usize];
    let mut data = pick(rng).clone();
    for _ in 0..=rng.below(5) {
        let at = rng.below(u32::try_from(data.len()).unwrap() + 1) as usize;
        let end = (at + 1 + rng.below(8) as usize).min(data.len());
        match rng.below(6) {
            0 | 1 => data.insert(at, MARKS[rng.below(u32::try_from(MARKS.len()).unwrap()) as usize]),
            2 => drop(data.drain(at.min(end)..end)),
            3 => {
                let piece = data[at.min(end)..end].to_vec();
                let to = rng.below(u32::try_from(data.len()).unwrap() + 1) as usize;
                drop(data.splice(to..to, piece));
            }
            4 => {
                let other = pick(rng);
                let from = rng.below(u32::try_from(other.len()).unwrap() + 1) as usize;
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
            _ if at < data.len() => data[at] ^= 1 << rng.below(8),
            _ => {}
        }
    }
    data
}

#[test]
fn changes_of_them_do_no_harm() {
    let (inputs, mut rng) = (inputs(), Rng::from_u64(0x5eed));
    for _ in 0..10_000 {
        fuzz::plan(&change(&mut rng, &inputs));
    }
}
