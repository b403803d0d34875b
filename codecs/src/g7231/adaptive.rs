//! The adaptive codebook: five taps on the past excitation (§2.14, §3.4), and its taming.

#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays, indices bounded by lags, taps and codebook sizes"
)]

use super::bits::LONG_LAG;
use super::convolve::{PADDED, Response};
use super::filter::Samples;
use super::ops::{
    dot, dot_inline, energy, from, mac_saturating, mul_32_16, padded, peak, safe_to_mac, shl_round,
    sum_saturating,
};
use super::tables::{ADAPTIVE_GAIN_85, ADAPTIVE_GAIN_170, ERROR_GAIN_85, ERROR_GAIN_170};
use super::{PITCH_MAX, PITCH_MIN, Rate, SUBFRAME};
use crate::fixed::{deposit_h, l_abs, l_add, l_mac, l_msu, l_shl, l_shr, mult_r, norm_l, round};

/// Taps around the lag.
const TAPS: usize = 5;
/// Past excitation under the taps.
const SPAN: usize = SUBFRAME + TAPS - 1;
/// Terms of the search criterion: taps, their squares, their products.
const TERMS: usize = 20;
/// Closed-loop lags that are tried, at most.
const MOST_STEPS: usize = 4;

/// Excitation of the past, the oldest first.
pub(super) type Past = [i16; PITCH_MAX];

/// Puts a subframe behind the past, which moves on.
pub(super) fn push<const N: usize>(past: &mut Past, excitation: &[i16; N]) {
    past.copy_within(N.., 0);
    past[PITCH_MAX - N..].copy_from_slice(excitation);
}

/// Which of the two codebooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codebook {
    Small,
    Large,
}

impl Codebook {
    pub(super) const fn of(rate: Rate, lag: usize) -> Self {
        match rate {
            Rate::High if lag < LONG_LAG => Self::Small,
            Rate::High | Rate::Low => Self::Large,
        }
    }

    const fn pairs(self) -> &'static [Pair] {
        match self {
            Self::Small => &PAIRS_85,
            Self::Large => &PAIRS_170,
        }
    }

    /// The five taps of an entry.
    fn taps(self, entry: u8) -> &'static [i16; TAPS] {
        let pairs = self.pairs();
        let entry = usize::from(entry) % (2 * pairs.len());
        from(&pairs[entry / 2][entry % 2], 0)
    }
}

/// The past excitation at a lag, repeated where it is not long enough, with two samples on each side.
fn lagged(past: &Past, lag: usize) -> [i16; SPAN] {
    let mut span = [0; SPAN];
    let first = PITCH_MAX - lag;
    let (before, period) = span.split_at_mut(TAPS / 2);
    before.copy_from_slice(&past[first - TAPS / 2..first]);
    for part in period.chunks_mut(lag) {
        part.copy_from_slice(&past[first..][..part.len()]);
    }
    span
}

/// The contribution of the adaptive codebook to the excitation of a subframe (§3.4).
pub(super) fn contribution(past: &Past, lag: usize, codebook: Codebook, entry: u8) -> Samples {
    // Five taps, whose magnitudes add up to less than 36 776, doubled: above this peak a sum may saturate.
    const SAFE_PEAK: i32 = (i32::MAX - 0x8000) / 2 / 36_776;
    let span = lagged(past, lag);
    let gains = codebook.taps(entry);
    let [g0, g1, g2, g3, g4] = *gains;
    if peak(&span) > SAFE_PEAK {
        return core::array::from_fn(|n| {
            shl_round((0..TAPS).fold(0, |sum, j| l_mac(sum, span[n + j], gains[j])), 1)
        });
    }
    let mut out = [0; SUBFRAME];
    let windows = span.windows(TAPS);
    for (out, window) in out.iter_mut().zip(windows) {
        let sum = i32::from(window[0]) * i32::from(g0)
            + i32::from(window[1]) * i32::from(g1)
            + i32::from(window[2]) * i32::from(g2)
            + i32::from(window[3]) * i32::from(g3)
            + i32::from(window[4]) * i32::from(g4);
        *out = ((sum + 0x2000) >> 14).clamp(-0x8000, 0x7fff) as i16;
    }
    out
}

/// What the search finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// The open-loop lag, which an even subframe may move.
    pub(super) open_loop: usize,
    /// Closed-loop lag minus open-loop lag plus 1.
    pub(super) step: u8,
    pub(super) entry: u8,
    pub(super) codebook: Codebook,
}

impl Choice {
    pub(super) const fn lag(&self) -> usize {
        self.open_loop + self.step as usize - 1
    }
}

/// What a search works with.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) response: &'a Response,
    pub(super) past: &'a Past,
    pub(super) taming: &'a Taming,
    pub(super) rate: Rate,
    /// The signal is a sine: keep the gains low.
    pub(super) sine: bool,
}

/// Finds lag and gains for a subframe and takes their contribution from the target (§2.14).
pub(super) fn search(target: &mut Samples, open_loop: usize, odd: bool, with: Search<'_>) -> Choice {
    let Search { response, past, taming, rate, sine } = with;
    // Even subframes look at one lag on each side of the open-loop lag and move it; odd ones go from one
    // before to two behind and leave it.
    let open_loop = if odd { open_loop } else { open_loop.clamp(PITCH_MIN + 1, PITCH_MAX - 5) };
    let steps = if odd { 4 } else { 3 };
    let mut criteria = [[0; TERMS]; MOST_STEPS];
    for (step, terms) in criteria.iter_mut().enumerate().take(steps) {
        *terms = correlations(target, response, &lagged(past, open_loop - 1 + step));
    }
    let criteria = &criteria[..steps];
    let largest = criteria.iter().flatten().fold(0, |largest, &term| l_abs(term).max(largest));
    let shift = norm_l(largest);

    let margin = taming.margin(open_loop - 1, open_loop + steps - 2, sine);
    let mut best = (0, 1, 0);
    for (step, terms) in criteria.iter().enumerate() {
        let scaled = terms.map(|term| shl_round(term, shift));
        let codebook = Codebook::of(rate, if odd { open_loop } else { open_loop - 1 + step });
        let allowed = match codebook {
            Codebook::Small => (51 + 4 * margin).min(85),
            Codebook::Large => (93 + 8 * margin).min(170),
        };
        let (score, entry) = best_entry(&scaled, codebook, allowed);
        if score > best.0 {
            best = (score, step, entry);
        }
    }
    let (_, step, entry) = best;
    let (open_loop, step) = if odd { (open_loop, step) } else { (open_loop - 1 + step, 1) };
    let codebook = Codebook::of(rate, open_loop);
    let choice = Choice { open_loop, step: step as u8, entry: entry as u8, codebook };
    subtract(target, response, &contribution(past, choice.lag(), codebook, choice.entry));
    choice
}

/// Terms and a few zeros, to make up a round number.
const ROUND: usize = 32;
/// Most entries of a codebook.
const MOST_ENTRIES: usize = 170;
/// No criterion of a sum of magnitudes below this can leave 32 bits on the way: no term is greater than 2¹⁵.
const SAFE_MAGNITUDE: i64 = 1 << 16;

/// Two entries as the search sees them, their terms in front of zeros.
type Pair = [[i16; ROUND]; 2];

/// The pairs of a codebook; an odd one out is with an entry of zeros.
const fn pairs<const N: usize, const PAIRS: usize>(entries: &[[i16; TERMS]; N]) -> [Pair; PAIRS] {
    let mut pairs = [[[0; ROUND]; 2]; PAIRS];
    let mut i = 0;
    while i < N {
        let mut term = 0;
        while term < TERMS {
            pairs[i / 2][i % 2][term] = entries[i][term];
            term += 1;
        }
        i += 1;
    }
    pairs
}

static PAIRS_85: [Pair; 43] = pairs(&ADAPTIVE_GAIN_85);
static PAIRS_170: [Pair; 85] = pairs(&ADAPTIVE_GAIN_170);
/// The entries whose criterion could leave 32 bits.
const LOUD_85: [u8; 2] = loud(&ADAPTIVE_GAIN_85);
const LOUD_170: [u8; 7] = loud(&ADAPTIVE_GAIN_170);

const fn loud<const N: usize, const LOUD: usize>(entries: &[[i16; TERMS]; N]) -> [u8; LOUD] {
    let mut loud = [0; LOUD];
    let (mut found, mut i) = (0, 0);
    while i < N {
        let (mut magnitude, mut term) = (0, 0);
        while term < TERMS {
            magnitude += (entries[i][term] as i64).abs();
            term += 1;
        }
        if magnitude >= SAFE_MAGNITUDE {
            loud[found] = i as u8;
            found += 1;
        }
        i += 1;
    }
    assert!(found == LOUD, "all of them");
    loud
}

/// The first of the entries with the greatest criterion, of those that are allowed.
fn best_entry(terms: &[i16; TERMS], codebook: Codebook, allowed: usize) -> (i32, usize) {
    let round: [i16; ROUND] = padded(terms);
    let pairs = codebook.pairs();
    let mut scores = [0; MOST_ENTRIES];
    for (scores, pair) in scores[..allowed.next_multiple_of(2)].as_chunks_mut().0.iter_mut().zip(pairs) {
        *scores = two_dots(&round, pair);
    }
    let loud: &[u8] = match codebook {
        Codebook::Small => &LOUD_85,
        Codebook::Large => &LOUD_170,
    };
    for entry in loud.iter().map(|&entry| usize::from(entry)) {
        scores[entry] = sum_saturating(terms, &pairs[entry / 2][entry % 2]);
    }
    let scores = &scores[..allowed];
    let greatest = scores.iter().fold(0, |greatest, &score| score.max(greatest));
    (greatest, scores.iter().position(|&score| score == greatest).unwrap_or(0))
}

/// The criteria of two entries; by itself, so that the compiler keeps to multiply-add instructions.
#[inline(never)]
fn two_dots(terms: &[i16; ROUND], pair: &Pair) -> [i32; 2] {
    let [a, b] = pair;
    [dot_inline(terms, a), dot_inline(terms, b)]
}

/// Takes the filtered contribution from the target.
fn subtract(target: &mut Samples, response: &Response, contribution: &Samples) {
    if response.is_safe(contribution, 1 << 30) && peak(target) < 0x4000 {
        let filtered = response.convolve(contribution);
        for (target, filtered) in target.iter_mut().zip(filtered) {
            *target = shl_round((i32::from(*target) << 15).wrapping_sub(filtered), 1);
        }
        return;
    }
    for (n, target) in target.iter_mut().enumerate() {
        let start = l_shr(deposit_h(*target), 1);
        let sum = (0..=n).fold(start, |sum, j| l_msu(sum, contribution[j], response.forward[n - j]));
        *target = shl_round(sum, 1);
    }
}

/// Correlations of the filtered taps with the target, their energies, and those among each other.
fn correlations(target: &Samples, response: &Response, span: &[i16; SPAN]) -> [i32; TERMS] {
    let filtered = filtered_taps(response, span);
    let most = filtered.iter().fold(0, |most, tap| energy(tap).max(most));
    let mut terms = [0; TERMS];
    let (linear, rest) = terms.split_at_mut(TAPS);
    let (squares, products) = rest.split_at_mut(TAPS);
    let pairs = (1..TAPS).flat_map(|i| (0..i).map(move |j| (i, j)));
    if most < 1 << 30 && safe_to_mac(most, energy(target)) {
        // No doubled energy saturates, and so nothing else does.
        let target: [i16; PADDED] = padded(target);
        for ((linear, square), tap) in linear.iter_mut().zip(squares).zip(&filtered) {
            *linear = l_shl(dot(&target, tap), 1);
            *square = 2 * dot(tap, tap);
        }
        for (product, (i, j)) in products.iter_mut().zip(pairs) {
            *product = l_shl(dot(&filtered[i], &filtered[j]), 2);
        }
    } else {
        for ((linear, square), tap) in linear.iter_mut().zip(squares).zip(&filtered) {
            *linear = l_shl(sum_saturating(target, tap), 1);
            *square = mac_saturating(tap, tap);
        }
        for (product, (i, j)) in products.iter_mut().zip(pairs) {
            *product = l_shl(sum_saturating(&filtered[i], &filtered[j]), 2);
        }
    }
    terms
}

/// The past excitation under each tap through the impulse response: the latest by convolution, each of the
/// others from its neighbour, one sample later.
fn filtered_taps(response: &Response, span: &[i16; SPAN]) -> [[i16; PADDED]; TAPS] {
    let mut taps = [[0; PADDED]; TAPS];
    let latest = response.convolve(from(span, TAPS - 1));
    for (tap, sum) in taps[TAPS - 1].iter_mut().zip(latest) {
        *tap = round(sum);
    }
    let response_peak = i64::from(peak(&response.forward));
    for i in (0..TAPS - 1).rev() {
        let first = span[i];
        let (earlier, later) = taps.split_at_mut(i + 1);
        let (tap, later) = (&mut earlier[i][..SUBFRAME], &later[0]);
        tap[0] = mult_r(first, 0x2000);
        let pairs = tap[1..].iter_mut().zip(later).zip(&response.forward[1..]);
        let most = (i64::from(peak(later)) << 16) + 2 * response_peak * i64::from(first).abs();
        if most + 0x8000 <= i64::from(i32::MAX) {
            for ((tap, &later), &response) in pairs {
                let sum = (i32::from(later) << 16) + 2 * i32::from(first) * i32::from(response);
                *tap = ((sum + 0x8000) >> 16) as i16;
            }
        } else {
            for ((tap, &later), &response) in pairs {
                *tap = round(l_mac(deposit_h(later), first, response));
            }
        }
    }
    taps
}

/// Keeps an error between encoder and decoder from growing without end through the adaptive codebook: an
/// estimate of how large it can be in the past, in zones of 30 samples.
#[derive(Clone, Debug)]
pub(super) struct Taming {
    errors: [i32; ZONES],
}

const ZONES: usize = 5;
/// Samples in a zone.
const ZONE: usize = SUBFRAME / 2;
/// An error of one.
const UNIT: i32 = 4;
const THRESHOLD: i32 = 0x4000_0000;

/// The zone that a lag of 1 or more ends in; the last sample of a zone belongs to it.
const fn zone(lag: usize) -> usize {
    (lag - 1) / ZONE
}

impl Taming {
    pub(super) const fn new() -> Self {
        Self { errors: [UNIT; ZONES] }
    }

    /// The errors after a subframe with these parameters.
    pub(super) fn update(&mut self, lag: usize, codebook: Codebook, entry: u8) {
        let gains: &[i16] = match codebook {
            Codebook::Small => &ERROR_GAIN_85,
            Codebook::Large => &ERROR_GAIN_170,
        };
        let gain = gains.get(usize::from(entry)).copied().unwrap_or(0);
        let grown = |zone: usize| l_add(UNIT, l_shl(mul_32_16(self.errors[zone], gain), 2));
        let (first, second) = if lag <= ZONE {
            (grown(0), grown(0))
        } else {
            let zone = zone(lag);
            if lag.is_multiple_of(ZONE) {
                (grown(zone - 1), grown(zone))
            } else if zone == 1 {
                let worst = grown(0).max(grown(1));
                (worst, worst)
            } else {
                let middle = grown(zone - 1);
                (grown(zone - 2).max(middle), grown(zone).max(middle))
            }
        };
        let [a, b, c, ..] = self.errors;
        self.errors = [first, second, a, b, c];
    }

    /// How far the worst error under these lags is from the threshold; 0 for a sine.
    fn margin(&self, least_lag: usize, most_lag: usize, sine: bool) -> usize {
        let last = zone(most_lag + TAPS / 2);
        let first = zone((least_lag + 1).saturating_sub(SUBFRAME + TAPS / 2).max(1));
        let worst = self.errors[first..=last].iter().fold(-1, |worst, &error| worst.max(error));
        if sine || worst > THRESHOLD {
            return 0;
        }
        ((THRESHOLD - worst) >> 23) as usize
    }
}
