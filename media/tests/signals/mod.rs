//! Signals to test with: tones off their marks, noise, speech.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use core::f64::consts::TAU;
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use std::path::PathBuf;
use std::process::Command;

/// The keypad: digit, row, column (ITU-T Q.23).
pub const KEYPAD: [(char, f64, f64); 16] = [
    ('1', 697.0, 1209.0),
    ('2', 697.0, 1336.0),
    ('3', 697.0, 1477.0),
    ('A', 697.0, 1633.0),
    ('4', 770.0, 1209.0),
    ('5', 770.0, 1336.0),
    ('6', 770.0, 1477.0),
    ('B', 770.0, 1633.0),
    ('7', 852.0, 1209.0),
    ('8', 852.0, 1336.0),
    ('9', 852.0, 1477.0),
    ('C', 852.0, 1633.0),
    ('*', 941.0, 1209.0),
    ('0', 941.0, 1336.0),
    ('#', 941.0, 1477.0),
    ('D', 941.0, 1633.0),
];

/// The shared test vectors, if they are there.
pub fn vectors(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors").join(folder);
    let found = path.is_dir().then_some(path);
    if found.is_none() {
        eprintln!("skipped: no ../shared/vectors/{folder}");
    }
    found
}

/// The samples of a raw file.
pub fn raw(path: &std::path::Path) -> Vec<i16> {
    let octets = std::fs::read(path).unwrap();
    octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// µ-law and back, as a line does.
pub fn expand(octets: &[u8]) -> Vec<i16> {
    let mut pcm = vec![0; octets.len()];
    pcmu::SPEC.decoder_with(&pcmu::SPEC.defaults()).decode(octets, &mut pcm).unwrap();
    pcm
}

/// A peak of this level, by another way than the crate's: full scale is +3.17 dBm0.
pub fn peak(dbm0: f64) -> f64 {
    32_767.0 / 10_f64.powf((3.17 - dbm0) / 20.0)
}

/// Adds a sine from `start` for `length` samples.
pub fn add(pcm: &mut [f64], rate: u32, start: usize, length: usize, hertz: f64, dbm0: f64, phase: f64) {
    let end = (start + length).min(pcm.len());
    for (n, sample) in pcm[start.min(end)..end].iter_mut().enumerate() {
        *sample += peak(dbm0) * (TAU * hertz * n as f64 / f64::from(rate) + phase).sin();
    }
}

/// White noise with this level over the whole band.
pub fn noise(pcm: &mut [f64], dbm0: f64, rng: &mut Rng) {
    // Twelve equal distributions make a normal one.
    let deviation = peak(dbm0) / 2_f64.sqrt();
    for sample in pcm {
        let sum: f64 = (0..12).map(|_| f64::from(rng.next_u32()) / f64::from(u32::MAX)).sum();
        *sample += deviation * (sum - 6.0);
    }
}

pub fn round(pcm: &[f64]) -> Vec<i16> {
    pcm.iter().map(|sample| sample.round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// Speech of several voices, 8 kHz: from espeak-ng if it is installed, and from the shared vectors.
pub fn speech() -> Vec<Vec<i16>> {
    let mut all = Vec::new();
    if let Some(folder) = vectors("signals") {
        all.extend(["speech-a.8k.pcm", "speech-b.8k.pcm", "mix.8k.pcm"].map(|name| raw(&folder.join(name))));
    }
    let text = "She had your dark suit in greasy wash water all year. Please hold the line, all our people are busy; \
                your call is important to us. One two three four five six seven eight nine zero, star, pound.";
    for voice in ["en-us", "en+f3", "de+m7", "fr+f2", "it", "ru+m3"] {
        let spoken = Command::new("espeak-ng").args(["-v", voice, "-s", "170", "--stdout", text]).output();
        let Ok(output) =
            spoken.map(|output| output.stdout).map(|wav| hound::WavReader::new(std::io::Cursor::new(wav)))
        else {
            eprintln!("skipped: no espeak-ng");
            break;
        };
        let Ok(mut wav) = output else { continue };
        let rate = f64::from(wav.spec().sample_rate);
        let samples: Vec<f64> = wav.samples::<i16>().map_while(Result::ok).map(f64::from).collect();
        // To 8 kHz by a mean over the step: no clean filter, and speech all the same.
        let step = rate / 8000.0;
        let count = (samples.len() as f64 / step) as usize;
        let mean = |n: usize| {
            let part =
                &samples[(n as f64 * step) as usize..(((n + 1) as f64 * step) as usize).min(samples.len())];
            (part.iter().sum::<f64>() / part.len().max(1) as f64) as i16
        };
        all.push((0..count).map(mean).collect());
    }
    all
}
