//! Windowed-sinc filters in Q15, cut into phases.

use core::f64::consts::PI;

/// One in the filters' fixed point.
pub(super) const ONE: i32 = 1 << 15;
/// Taps are taken in blocks of this many.
pub(super) const BLOCK: usize = 8;

/// A low-pass filter cut into phases: row `p` of `taps` coefficients interpolates `p / phases` of a sample ahead. The
/// oldest sample's coefficient is first.
#[derive(Clone, Debug)]
pub(super) struct Phases {
    table: Vec<i16>,
    pub(super) taps: usize,
}

impl Phases {
    /// `cutoff` is where the filter is 6 dB down, in parts of the input's half rate; `attenuation` in decibel.
    pub(super) fn new(phases: usize, rows: usize, taps: usize, cutoff: f64, attenuation: f64) -> Self {
        let beta = kaiser_beta(attenuation);
        let middle = (taps * phases - 1) as f64 / 2.0;
        let half = (taps * phases) as f64 / 2.0;
        let mut table = Vec::with_capacity(rows * taps);
        for phase in 0..rows {
            let row: Vec<f64> = (0..taps)
                .map(|tap| {
                    let place = (phase + (taps - 1 - tap) * phases) as f64 - middle;
                    let x = PI * cutoff * place / phases as f64;
                    let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
                    sinc * kaiser(place / half, beta)
                })
                .collect();
            quantise(&row, &mut table);
        }
        Self { table, taps }
    }

    /// The coefficients of a phase.
    pub(super) fn row(&self, phase: usize) -> &[i16] {
        self.table.get(phase * self.taps..(phase + 1) * self.taps).unwrap_or_default()
    }
}

/// Rounds a row so that its sum is one exactly: then a constant stays what it is, whatever the phase.
fn quantise(row: &[f64], table: &mut Vec<i16>) {
    let sum: f64 = row.iter().sum();
    let start = table.len();
    let (mut total, mut largest) = (0_i32, (0, 0_i32));
    for (index, value) in row.iter().enumerate() {
        let coefficient = (value / sum * f64::from(ONE)).round().clamp(-32_768.0, 32_767.0) as i32;
        total += coefficient;
        if coefficient > largest.1 {
            largest = (index, coefficient);
        }
        table.push(coefficient as i16);
    }
    if let Some(peak) = table.get_mut(start + largest.0) {
        *peak = (largest.1 + ONE - total).clamp(-32_768, 32_767) as i16;
    }
}

/// The sum of products, in Q15 of a sample. A block's coefficients are below 2 in sum of magnitudes, so its sum is
/// within 32 bits (`tests::no_sum_overflows`), and compilers make multiply-and-add instructions of it.
pub(super) fn dot(samples: &[i16], row: &[i16]) -> i64 {
    let block = |(samples, row): (&[i16; BLOCK], &[i16; BLOCK])| {
        let products = samples.iter().zip(row).map(|(a, b)| i32::from(*a) * i32::from(*b));
        i64::from(products.fold(0_i32, i32::wrapping_add))
    };
    samples.as_chunks().0.iter().zip(row.as_chunks().0).map(block).sum()
}

/// From Q15 of a sample to a sample, saturated.
pub(super) fn sample(sum: i64) -> i16 {
    let rounded = (sum + i64::from(ONE / 2)) >> 15;
    rounded.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16
}

/// Kaiser's formula for the shape of the window.
fn kaiser_beta(attenuation: f64) -> f64 {
    0.1102 * (attenuation - 8.7)
}

/// The window at `x`, -1 to 1.
fn kaiser(x: f64, beta: f64) -> f64 {
    bessel(beta * (1.0 - x * x).max(0.0).sqrt()) / bessel(beta)
}

/// The modified Bessel function of the first kind and order zero.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_sums_to_one() {
        for (phases, taps, cutoff) in [(1, 288, 0.15), (2, 48, 0.915), (6, 48, 0.915), (147, 56, 0.9)] {
            let filter = Phases::new(phases, phases, taps, cutoff, 66.0);
            for phase in 0..phases {
                let sum: i32 = filter.row(phase).iter().map(|c| i32::from(*c)).sum();
                assert_eq!((sum, filter.row(phase).len()), (ONE, taps));
            }
        }
    }

    #[test]
    fn no_sum_overflows() {
        for (phases, taps, cutoff) in
            [(1, 288, 0.15), (2, 48, 0.915), (6, 48, 0.915), (80, 272, 0.17), (129, 32, 1.0)]
        {
            let filter = Phases::new(phases, phases, taps, cutoff, 66.0);
            for phase in 0..phases {
                let row = filter.row(phase);
                for block in row.chunks(BLOCK) {
                    let most: i64 = block.iter().map(|c| i64::from(c.unsigned_abs()) * 32_768).sum();
                    assert!(most <= i64::from(i32::MAX), "{phases} phases: {most}");
                }
                // The worst input saturates, in the right direction.
                let worst: Vec<i16> = row.iter().map(|c| if *c < 0 { i16::MIN } else { i16::MAX }).collect();
                assert_eq!(sample(dot(&worst, row)), i16::MAX);
                let worst: Vec<i16> = worst.iter().map(|s| -s.saturating_add(1)).collect();
                assert_eq!(sample(dot(&worst, row)), i16::MIN);
            }
        }
    }
}
