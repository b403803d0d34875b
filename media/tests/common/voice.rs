//! A voice to listen to: a pitch that moves, vowels, syllables, and pauses between sentences.

use core::f64::consts::TAU;

/// The sample `at` of a voice at `sample_rate`: sentences of 1.5 s with 0.4 s between them, three syllables a second.
pub(crate) fn voice(at: i64, sample_rate: u32) -> i16 {
    let seconds = at as f64 / f64::from(sample_rate);
    let in_sentence = seconds.rem_euclid(1.9);
    if in_sentence > 1.5 {
        // The hum of a room.
        return (8.0 * (TAU * 50.0 * seconds).sin()) as i16;
    }
    let edge = (in_sentence.min(1.5 - in_sentence) / 0.03).min(1.0);
    let syllable = 0.3 + 0.7 * (TAU * 1.5 * seconds).sin().powi(2);
    let phase = TAU * (130.0 * seconds + 5.0 * (2.6 * seconds).sin());
    // The vowel's colour wanders between two.
    let vowel = 0.5 + 0.5 * (4.4 * seconds).sin();
    let sum: f64 = (1..25_u32)
        .map(|k| {
            let hertz = 130.0 * f64::from(k);
            let near = |formant: f64, width: f64| (-((hertz - formant) / width).powi(2)).exp();
            let first = vowel * near(700.0, 200.0) + (1.0 - vowel) * near(350.0, 150.0);
            let second = vowel * near(1200.0, 300.0) + (1.0 - vowel) * near(2200.0, 400.0);
            (phase * f64::from(k)).cos() * (0.15 / f64::from(k) + first + 0.4 * second)
        })
        .sum();
    (4000.0 * edge * syllable * sum / 3.0) as i16
}
