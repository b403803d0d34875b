//! The fuzz targets of `sip-core/fuzz` without a fuzzer: on the corpora that fuzzing left, and on seeded changes of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

#[path = "support/fuzz.rs"]
mod fuzz;

use sidetone_sip_core::Rng;
use std::path::Path;

/// The inputs of one target, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn the_kept_inputs_do_no_harm() {
    for (name, target) in fuzz::TARGETS {
        let inputs = corpus(name);
        let size: usize = inputs.iter().map(Vec::len).sum();
        assert!(
            !inputs.is_empty() && inputs.len() <= 100 && size <= 200_000,
            "{name}: {} {size}",
            inputs.len()
        );
        inputs.iter().for_each(|input| target(input));
    }
}

/// Pieces that mean something somewhere.
const PIECES: [&[u8]; 16] = [
    b"\r\n",
    b"\"",
    b"\\",
    b";",
    b",",
    b"<>",
    b"=",
    b":",
    b"@",
    b"%00",
    b"--b",
    b"4294967296",
    b" ",
    b"\0",
    b"\xff",
    b"Digest ",
];

fn change(rng: &mut Rng, inputs: &[Vec<u8>]) -> Vec<u8> {
    let pick = |rng: &mut Rng| &inputs[rng.below(inputs.len() as u32) as usize];
    let mut text = pick(rng).clone();
    for _ in 0..=rng.below(4) {
        let at = rng.below(text.len() as u32 + 1) as usize;
        let end = (at + 1 + rng.below(16) as usize).min(text.len());
        match rng.below(6) {
            0 if at < text.len() => text[at] ^= 1 << rng.below(8),
            1 => drop(text.drain(at..end)),
            2 => {
                let piece = text[at..end].to_vec();
                let to = rng.below(text.len() as u32 + 1) as usize;
                drop(text.splice(to..to, piece));
            }
            3 => {
                // The head of one input with the tail of another.
                let other = pick(rng);
                let from = rng.below(other.len() as u32 + 1) as usize;
                text.truncate(at);
                text.extend_from_slice(&other[from..]);
            }
            4 => text.truncate(at),
            _ => {
                let piece = PIECES[rng.below(PIECES.len() as u32) as usize];
                drop(text.splice(at..at, piece.iter().copied()));
            }
        }
    }
    text
}

#[test]
fn changes_of_them_do_no_harm() {
    for (name, target) in fuzz::TARGETS {
        let (inputs, mut rng) = (corpus(name), Rng::from_u64(0x5eed));
        for _ in 0..2_000 {
            target(&change(&mut rng, &inputs));
        }
    }
}
