//! The two bands: quantisers and scale factors (clauses 6.2.1.1, 6.2.1.2 and 6.2.2), and how a block goes
//! through them.
#![expect(clippy::indexing_slicing, reason = "fixed arrays; each index is bounded where it is made")]

use super::Mode;
use super::adpcm::{BandPoles, Leak, Poles, Signs, ZeroLanes, Zeros, are_quiet, predict_saturating, sum};
use super::qmf::BLOCK;
use super::tables::{
    LEVEL, LOWER, LOWER_BY_LEVEL, LOWER_LOG_MAX, LOWER_OUTPUT, LOWER_SCALE, LowerCode, RECIPROCAL, SCALE,
    UPPER_DECISION_LEVEL, UPPER_DIFFERENCE, UPPER_LOG_MAX, UPPER_LOG_STEP,
};

/// The state of a band between blocks.
#[derive(Clone, Debug)]
pub(super) struct Band {
    /// Coefficients of the zeros.
    pub(super) zeros: Zeros,
    /// The last six quantised differences, the oldest first.
    pub(super) differences: [i16; 6],
    /// Logarithm of the scale factor.
    log_scale: i16,
    pub(super) poles: BandPoles,
}

impl Band {
    pub(super) const fn new() -> Self {
        Self { zeros: [0; 8], differences: [0; 6], log_scale: 0, poles: BandPoles::new() }
    }

    pub(super) const fn log_scale(&self) -> i16 {
        self.log_scale
    }

    pub(super) const fn set_log_scale(&mut self, log_scale: i16) {
        self.log_scale = log_scale;
    }

    pub(super) fn load_lane(&self, work: &mut ZeroLanes, lane: usize) {
        for i in 0..6 {
            work.zeros[5 - i][lane] = self.zeros[i];
            work.differences[5 - i][lane] = self.differences[i];
        }
    }

    pub(super) fn store_lane(&mut self, work: &ZeroLanes, lane: usize) {
        for i in 0..6 {
            self.zeros[i] = work.zeros[5 - i][lane];
            self.differences[i] = work.differences[5 - i][lane];
        }
    }

    /// Forgets the past differences and goes on from samples that were invented, not decoded: the last two, and
    /// what would have been next.
    pub(super) const fn follow(&mut self, [before, last]: [i16; 2], next: i16) {
        self.differences = [0; 6];
        self.poles.partial = [last >> 1, before >> 1];
        self.poles.reconstructed = last;
        self.poles.prediction = next;
        self.poles.zeros = next >> 1;
    }
}

/// What the two bands do differently.
pub(super) trait Quantiser {
    /// The logarithm's least and greatest value.
    const LOG_MAX: i32;

    fn scale(log_scale: i32) -> i32;
    /// Quantised difference, Q15 of the scale, and the step of the logarithm.
    fn meaning(code: u8) -> (i32, i32);
    fn quantise(error: i32, log_scale: i32) -> (u8, i32, i32);
}

pub(super) struct Lower;
pub(super) struct Upper;

impl Quantiser for Lower {
    const LOG_MAX: i32 = LOWER_LOG_MAX;

    #[inline(always)]
    fn scale(log_scale: i32) -> i32 {
        SCALE[LOWER_SCALE + (log_scale >> 6) as usize].into()
    }

    #[inline(always)]
    fn meaning(code: u8) -> (i32, i32) {
        let LowerCode { difference, log_step, .. } = LOWER[usize::from(code) & 63];
        (difference.into(), log_step.into())
    }

    /// QUANTL: how many decision levels, scaled, the magnitude reaches.
    ///
    /// The standard scales a level q to q * scale >> 12; a magnitude m reaches that if and only if
    /// q <= (4096 m + 4095) / scale. So one division takes the place of thirty multiplications, and the
    /// division is a multiplication.
    #[inline(always)]
    fn quantise(error: i32, log_scale: i32) -> (u8, i32, i32) {
        let sign = error >> 31;
        let magnitude = (error ^ sign) as u32;
        let value = (u64::from(magnitude << 12 | 0xfff) * RECIPROCAL[(log_scale >> 6) as usize]) >> 41;
        let level = usize::from(LEVEL[(value as usize).min(LEVEL.len() - 1)]);
        let LowerCode { difference, log_step, code } = LOWER_BY_LEVEL[(level | sign as usize & 32) & 63];
        (code, difference.into(), log_step.into())
    }
}

impl Quantiser for Upper {
    const LOG_MAX: i32 = UPPER_LOG_MAX;

    #[inline(always)]
    fn scale(log_scale: i32) -> i32 {
        SCALE[(log_scale >> 6) as usize].into()
    }

    #[inline(always)]
    fn meaning(code: u8) -> (i32, i32) {
        let code = usize::from(code) & 3;
        (UPPER_DIFFERENCE[code].into(), UPPER_LOG_STEP[code].into())
    }

    /// QUANTH. Codes 2 and 3 are positive, 0 and 2 the greater ones.
    #[inline(always)]
    fn quantise(error: i32, log_scale: i32) -> (u8, i32, i32) {
        let sign = error >> 31;
        let small = (error ^ sign) < (8 * UPPER_DECISION_LEVEL * Self::scale(log_scale)) >> 15;
        let code = u8::from(small) | (!sign as u8 & 2);
        let (difference, log_step) = Self::meaning(code);
        (code, difference, log_step)
    }
}

#[inline(always)]
pub(super) fn next_log_scale<Q: Quantiser>(log_scale: i32, step: i32) -> i32 {
    (((log_scale * 127) >> 7) + step).clamp(0, Q::LOG_MAX)
}

/// The code of an error of the prediction, and the difference that the predictor adapts to.
#[inline(always)]
pub(super) fn quantise<Q: Quantiser>(error: i16, log_scale: &mut i32) -> (u8, i16) {
    let (code, difference, log_step) = Q::quantise(error.into(), *log_scale);
    let difference = (Q::scale(*log_scale) * difference) >> 15;
    *log_scale = next_log_scale::<Q>(*log_scale, log_step);
    (code, difference as i16)
}

/// The difference that the predictor adapts to.
#[inline(always)]
pub(super) fn dequantise<Q: Quantiser>(code: u8, log_scale: &mut i32) -> i16 {
    let (difference, log_step) = Q::meaning(code);
    let difference = (Q::scale(*log_scale) * difference) >> 15;
    *log_scale = next_log_scale::<Q>(*log_scale, log_step);
    difference as i16
}

/// The difference that the lower band's decoder adds to the prediction.
#[inline(always)]
pub(super) fn output(mode: Mode, code: u8, log_scale: i32) -> i16 {
    ((Lower::scale(log_scale) * i32::from(LOWER_OUTPUT[mode as usize][usize::from(code & 63)])) >> 15) as i16
}

/// Encodes a block of both bands.
#[inline]
pub(super) fn encode(
    bands: (&mut Band, &mut Band),
    lower: &[i16; BLOCK],
    upper: &[i16; BLOCK],
    used_bits: u8,
    out: &mut [u8],
) {
    let mut low = EncoderAtWork::load(bands.0);
    let mut high = EncoderAtWork::load(bands.1);
    let mut past = [PastDifferences::new(bands.0), PastDifferences::new(bands.1)];
    let mut zeros = [bands.0.zeros, bands.1.zeros];
    let mut products = [[0; 8]; 2];
    let mut poles = Poles::load([&bands.0.poles, &bands.1.poles]);
    let leak = Leak::new();
    let count = out.len().min(BLOCK);
    for n in 0..count {
        let [prediction, upper_prediction, ..] = poles.prediction;
        let (code, difference) = quantise::<Lower>(lower[n].saturating_sub(prediction), &mut low.log_scale);
        let (upper_code, upper_difference) =
            quantise::<Upper>(upper[n].saturating_sub(upper_prediction), &mut high.log_scale);
        out[n] = (upper_code << 6 | code) & used_bits;
        let rows = [low.signs.push(difference), high.signs.push(upper_difference)];
        // The newest differences are not there yet, and are multiplied apart: a processor reads at once only what
        // it wrote as a whole, or a while ago.
        for i in 0..2 {
            leak.adapt_and_multiply(&mut zeros[i], rows[i], past[i].window(n), &mut products[i]);
        }
        let predictions = [
            low.predict(difference, &zeros[0], &products[0], &mut past[0], n),
            high.predict(upper_difference, &zeros[1], &products[1], &mut past[1], n),
        ];
        poles.advance_pair([difference, upper_difference], predictions);
    }
    poles.store([&mut bands.0.poles, &mut bands.1.poles]);
    for ((band, work), (past, zeros)) in
        [bands.0, bands.1].into_iter().zip([low, high]).zip(past.iter().zip(zeros))
    {
        band.zeros = zeros;
        band.log_scale = work.log_scale as i16;
        past.store(band, count);
    }
}

/// The differences of a block, from six before its first sample; a place is zero until its difference is known.
struct PastDifferences {
    values: [i16; BLOCK + 8],
    /// Four times each.
    fourfold: [i16; BLOCK + 8],
}

impl PastDifferences {
    #[inline(always)]
    fn new(band: &Band) -> Self {
        let mut past = Self { values: [0; BLOCK + 8], fourfold: [0; BLOCK + 8] };
        for (i, &difference) in band.differences.iter().enumerate() {
            past.values[i] = difference;
            past.fourfold[i] = difference.wrapping_mul(4);
        }
        past
    }

    /// Four times the differences that the zeros are multiplied with after sample `n`.
    #[inline(always)]
    fn window(&self, n: usize) -> &[i16; 8] {
        const NONE: [i16; 8] = [0; 8];
        self.fourfold[n + 1..].first_chunk().unwrap_or(&NONE)
    }

    #[inline(always)]
    fn store(&self, band: &mut Band, count: usize) {
        band.differences.copy_from_slice(&self.values[count..count + 6]);
    }
}

/// One band in the encoder: everything waits for the last prediction.
struct EncoderAtWork {
    signs: Signs,
    log_scale: i32,
    /// Samples until all of the last six differences are quiet.
    loud: u32,
}

impl EncoderAtWork {
    #[inline(always)]
    fn load(band: &Band) -> Self {
        let loud = if are_quiet(&band.differences) { 0 } else { 6 };
        Self { signs: Signs::of(&band.differences), log_scale: band.log_scale.into(), loud }
    }

    /// What the zeros predict, of five products and the newest difference.
    #[inline(always)]
    fn predict(
        &mut self,
        difference: i16,
        zeros: &Zeros,
        products: &[i16; 8],
        past: &mut PastDifferences,
        n: usize,
    ) -> i16 {
        past.values[n + 6] = difference;
        past.fourfold[n + 6] = difference.wrapping_mul(4);
        self.loud = if are_quiet(&[difference]) { self.loud.saturating_sub(1) } else { 6 };
        if self.loud > 0 {
            return predict_saturating(&past.values[n + 1..n + 7], zeros);
        }
        let newest = ((i32::from(difference) * i32::from(zeros[5])) >> 14) as i16;
        sum(products).wrapping_add(newest)
    }
}

/// LIMIT: 15 bits.
#[inline(always)]
pub(super) fn limit(sample: i16) -> i16 {
    sample.clamp(-16_384, 16_383)
}
