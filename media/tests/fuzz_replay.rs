//! The fuzz targets of `media/fuzz` without a fuzzer: on their first inputs, on the corpora that fuzzing left, and on seeded
//! changes of both.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

#[path = "support/fuzz/mod.rs"]
mod fuzz;

use sidetone_hal::rng::Rng;
use std::path::Path;

/// The inputs of one target: those it begins with, and those that were kept, in the order of their names.
fn inputs(target: &str, seeds: fuzz::Seeds) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut inputs = seeds();
    inputs.extend(paths.iter().map(|path| std::fs::read(path).unwrap()));
    inputs
}

#[test]
fn the_first_and_the_kept_inputs_do_no_harm() {
    for (name, target, seeds) in fuzz::TARGETS {
        let inputs = inputs(name, seeds);
        let size: usize = inputs.iter().map(Vec::len).sum();
        assert!(
            !inputs.is_empty() && inputs.len() <= 120 && size <= 200_000,
            "{name}: {} {size}",
            inputs.len()
        );
        inputs.iter().for_each(|input| target(input));
    }
}

/// An input with some octets changed, moved, repeated or left out.
fn change(rng: &mut Rng, inputs: &[Vec<u8>]) -> Vec<u8> {
    let pick = |rng: &mut Rng| &inputs[rng.below(inputs.len() as u32) as usize];
    let mut data = pick(rng).clone();
    for _ in 0..=rng.below(4) {
        let at = rng.below(data.len() as u32 + 1) as usize;
        let end = (at + 1 + rng.below(16) as usize).min(data.len());
        match rng.below(6) {
            0 | 1 if at < data.len() => data[at] ^= 1 << rng.below(8),
            2 => drop(data.drain(at.min(end)..end)),
            3 => {
                let piece = data[at.min(end)..end].to_vec();
                let to = rng.below(data.len() as u32 + 1) as usize;
                drop(data.splice(to..to, piece));
            }
            4 => {
                let other = pick(rng);
                let from = rng.below(other.len() as u32 + 1) as usize;
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
            _ => data.push(rng.next_u32() as u8),
        }
    }
    data
}

#[test]
fn changes_of_them_do_no_harm() {
    for (name, target, seeds) in fuzz::TARGETS {
        let (inputs, mut rng) = (inputs(name, seeds), Rng::from_u64(0x5eed));
        for _ in 0..2_000 {
            target(&change(&mut rng, &inputs));
        }
    }
}
