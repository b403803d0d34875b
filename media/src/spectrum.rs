//! Fourier transforms of real signals, of the lengths that frames of 10 ms need.
//!
//! A length is 16 times a product of 2, 3 and 5: 160, 320, 640 and 960 for two frames at 8, 16, 32 and 48 kHz. Two
//! neighbouring samples are taken as one complex value; of these every fourth one belongs to one of four transforms,
//! which are done side by side ([`Lanes`], one instruction of most processors each) and joined at the end. Tables and work
//! space are made by `new`; a transform allocates nothing.
#![expect(clippy::indexing_slicing, reason = "lengths are set by `new` and every loop is bounded by them")]

use core::array::from_fn;
use core::f32::consts::{PI, TAU};
use core::ops::{Add, Mul, Neg, Sub};

/// Half a spectrum: bins 0 to half the transform's length.
#[derive(Clone, Debug)]
pub(crate) struct Spectrum {
    pub(crate) re: Vec<f32>,
    pub(crate) im: Vec<f32>,
}

impl Spectrum {
    pub(crate) fn new(bins: usize) -> Self {
        Self { re: vec![0.0; bins], im: vec![0.0; bins] }
    }

    pub(crate) fn clear(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }

    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.re.copy_from_slice(&other.re);
        self.im.copy_from_slice(&other.im);
    }

    /// Squared magnitudes of the bins.
    pub(crate) fn power(&self, out: &mut [f32]) {
        for (out, (re, im)) in out.iter_mut().zip(self.re.iter().zip(&self.im)) {
            *out = re * re + im * im;
        }
    }
}

/// A transform of one length.
#[derive(Clone, Debug)]
pub(crate) struct Fourier {
    /// Half the length: that of the complex transform.
    half: usize,
    /// Those of the four transforms, and how they are joined.
    stages: Vec<Stage>,
    join: Turns,
    /// `exp(-pi i k / half)` from `k = 1` on, to the middle.
    turn: Turns,
    /// Real and imaginary parts, twice.
    work: [Vec<f32>; 4],
}

/// One stage of a transform: `left` groups of `stride` neighbours.
#[derive(Clone, Debug)]
struct Stage {
    radix: usize,
    left: usize,
    stride: usize,
    /// The factors of the groups: those of the second output, then of the third, and so on; the first has none.
    turns: Turns,
}

/// Points of the unit circle.
#[derive(Clone, Debug)]
struct Turns {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Turns {
    fn new(angles: impl Iterator<Item = f32> + Clone) -> Self {
        Self { cos: angles.clone().map(f32::cos).collect(), sin: angles.map(f32::sin).collect() }
    }

    /// `exp(-2 pi i k p / (radix count))` for each `k` from 1 on below `radix`, and each `p` below `count`.
    fn of_stage(radix: usize, count: usize) -> Self {
        let angle = move |k: usize, p: usize| -TAU * (k * p) as f32 / (radix * count) as f32;
        Self::new((1..radix).flat_map(move |k| (0..count).map(move |p| angle(k, p))))
    }

    /// Four neighbours from `at` on.
    #[inline(always)]
    fn lanes(&self, at: usize) -> (Lanes, Lanes) {
        (Lanes::of(&self.cos, at), Lanes::of(&self.sin, at))
    }
}

impl Fourier {
    /// For real signals of `length` samples; `length` must be 16 times a product of 2, 3 and 5.
    pub(crate) fn new(length: usize) -> Self {
        debug_assert!(length.is_multiple_of(16) && length > 16, "a length of {length}");
        let half = (length / 2).max(16);
        let (mut stages, mut left, mut stride) = (Vec::new(), half / 4, 1);
        for radix in [5, 4, 3, 2] {
            while left.is_multiple_of(radix) {
                left /= radix;
                stages.push(Stage { radix, left, stride, turns: Turns::of_stage(radix, left) });
                stride *= radix;
            }
        }
        debug_assert!(left == 1, "a length of {length}");
        Self {
            half,
            stages,
            join: Turns::of_stage(4, half / 4),
            turn: Turns::new((1..=half / 2).map(|k| -PI * k as f32 / half as f32)),
            work: from_fn(|_| vec![0.0; half]),
        }
    }

    /// The spectrum of `signal`, which is as long as the transform.
    pub(crate) fn forward(&mut self, signal: &[f32], out: &mut Spectrum) {
        let half = self.half;
        let [work_re, work_im, ..] = &mut self.work;
        for ((pair, re), im) in signal.as_chunks::<2>().0.iter().zip(work_re).zip(work_im) {
            [*re, *im] = *pair;
        }
        let (zr, zi) = complex(&self.stages, &self.join, &mut self.work, false);
        out.re[0] = zr[0] + zi[0];
        out.re[half] = zr[0] - zi[0];
        out.im[0] = 0.0;
        out.im[half] = 0.0;
        // Bins `k` on and those that mirror them, `half - k` down, are sums of the same even and odd parts.
        for k in (1..=half / 2).step_by(4) {
            let (c, s) = self.turn.lanes(k - 1);
            let mirror = half - k - 3;
            let (ar, ai) = (Lanes::of(zr, k), Lanes::of(zi, k));
            let (br, bi) = (Lanes::of(zr, mirror).reversed(), Lanes::of(zi, mirror).reversed());
            let (even_re, even_im) = ((ar + br) * 0.5, (ai - bi) * 0.5);
            let (odd_re, odd_im) = ((ai + bi) * 0.5, (br - ar) * 0.5);
            let (turned_re, turned_im) = (odd_re * c - odd_im * s, odd_re * s + odd_im * c);
            (even_re - turned_re).reversed().put(&mut out.re, mirror);
            (turned_im - even_im).reversed().put(&mut out.im, mirror);
            (even_re + turned_re).put(&mut out.re, k);
            (even_im + turned_im).put(&mut out.im, k);
        }
    }

    /// The signal whose spectrum is `spectrum`, scaled so that it undoes [`forward`](Self::forward).
    pub(crate) fn inverse(&mut self, spectrum: &Spectrum, signal: &mut [f32]) {
        let half = self.half;
        let scale = 0.5 / half as f32;
        let (re, im) = (&spectrum.re[..=half], &spectrum.im[..=half]);
        let [work_re, work_im, ..] = &mut self.work;
        work_re[0] = scale * (re[0] + re[half] - im[0] - im[half]);
        work_im[0] = scale * (im[0] - im[half] + re[0] - re[half]);
        for k in (1..=half / 2).step_by(4) {
            let (c, s) = self.turn.lanes(k - 1);
            let (c, s, mirror) = (c * scale, s * -scale, half - k - 3);
            let (ar, ai) = (Lanes::of(re, k), Lanes::of(im, k));
            let (br, bi) = (Lanes::of(re, mirror).reversed(), Lanes::of(im, mirror).reversed());
            let (sum_re, sum_im) = ((ar + br) * scale, (ai - bi) * scale);
            let (less_re, less_im) = (ar - br, ai + bi);
            let (odd_re, odd_im) = (less_re * c - less_im * s, less_re * s + less_im * c);
            (sum_re + odd_im).reversed().put(work_re, mirror);
            (odd_re - sum_im).reversed().put(work_im, mirror);
            (sum_re - odd_im).put(work_re, k);
            (sum_im + odd_re).put(work_im, k);
        }
        let (re, im) = complex(&self.stages, &self.join, &mut self.work, true);
        for ((pair, re), im) in signal.as_chunks_mut::<2>().0.iter_mut().zip(re).zip(im) {
            *pair = [*re, *im];
        }
    }
}

/// Transforms the first two of the arrays; says where the result is. The inverse is the same with the parts exchanged.
fn complex<'a>(
    stages: &[Stage],
    last: &Turns,
    work: &'a mut [Vec<f32>; 4],
    inverse: bool,
) -> (&'a [f32], &'a [f32]) {
    let [ar, ai, br, bi] = work;
    let (mut from, mut to) = if inverse { ((ai, ar), (bi, br)) } else { ((ar, ai), (br, bi)) };
    for stage in stages {
        let (source, target) = ((&**from.0, &**from.1), (&mut **to.0, &mut **to.1));
        match stage.radix {
            2 => step::<2>(stage, source, target, butterfly2),
            3 => step::<3>(stage, source, target, butterfly3),
            4 => step::<4>(stage, source, target, butterfly4),
            _ => step::<5>(stage, source, target, butterfly5),
        }
        core::mem::swap(&mut from, &mut to);
    }
    join(last, (from.0, from.1), (to.0, to.1));
    if inverse { (to.1, to.0) } else { (to.0, to.1) }
}

/// Four neighbours.
#[derive(Clone, Copy, Debug)]
struct Lanes([f32; 4]);

impl Lanes {
    /// The four from `at` on.
    #[inline(always)]
    fn of(values: &[f32], at: usize) -> Self {
        let values = &values[at..at + 4];
        Self(from_fn(|i| values[i]))
    }

    #[inline(always)]
    fn put(self, values: &mut [f32], at: usize) {
        values[at..at + 4].copy_from_slice(&self.0);
    }

    #[inline(always)]
    const fn reversed(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([d, c, b, a])
    }
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl Mul for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] * other.0[i]))
    }
}

impl Mul<f32> for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        Self(self.0.map(|value| value * factor))
    }
}

impl Neg for Lanes {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(self.0.map(|value| -value))
    }
}

type Parts<const R: usize> = ([Lanes; R], [Lanes; R]);

/// A stage of the four transforms.
#[inline(always)]
fn step<const R: usize>(
    stage: &Stage,
    (xr, xi): (&[f32], &[f32]),
    (yr, yi): (&mut [f32], &mut [f32]),
    butterfly: impl Fn(Parts<R>) -> Parts<R>,
) {
    let Stage { left, stride, turns, .. } = stage;
    let (left, stride, span) = (*left, *stride, left * stride);
    let (xr, xi) = (xr.as_chunks::<4>().0, xi.as_chunks::<4>().0);
    let (yr, yi) = (yr.as_chunks_mut::<4>().0, yi.as_chunks_mut::<4>().0);
    for p in 0..left {
        let turn = |table: &[f32], whole: f32| -> [f32; R] {
            from_fn(|k| if k == 0 { whole } else { table[(k - 1) * left + p] })
        };
        let (cos, sin) = (turn(&turns.cos, 1.0), turn(&turns.sin, 0.0));
        let re: [&[[f32; 4]]; R] = from_fn(|j| &xr[p * stride + j * span..][..stride]);
        let im: [&[[f32; 4]]; R] = from_fn(|j| &xi[p * stride + j * span..][..stride]);
        let yr = &mut yr[p * R * stride..][..R * stride];
        let yi = &mut yi[p * R * stride..][..R * stride];
        for q in 0..stride {
            let (br, bi) = butterfly((from_fn(|j| Lanes(re[j][q])), from_fn(|j| Lanes(im[j][q]))));
            yr[q] = br[0].0;
            yi[q] = bi[0].0;
            for k in 1..R {
                yr[q + k * stride] = (br[k] * cos[k] - bi[k] * sin[k]).0;
                yi[q + k * stride] = (br[k] * sin[k] + bi[k] * cos[k]).0;
            }
        }
    }
}

/// Makes one transform of the four.
fn join(turns: &Turns, (xr, xi): (&[f32], &[f32]), (yr, yi): (&mut [f32], &mut [f32])) {
    let (xr, xi) = (xr.as_chunks::<4>().0, xi.as_chunks::<4>().0);
    let count = xr.len();
    for at in (0..count).step_by(4) {
        // Where their length is no multiple of four, the last ones are done twice.
        let at = at.min(count - 4);
        let load = |x: &[[f32; 4]]| -> [Lanes; 4] {
            let x = &x[at..at + 4];
            from_fn(|lane| Lanes(from_fn(|i| x[i][lane])))
        };
        let (ar, ai) = (load(xr), load(xi));
        let (mut re, mut im) = (ar, ai);
        for lane in 1..4 {
            let (cos, sin) = turns.lanes((lane - 1) * count + at);
            re[lane] = ar[lane] * cos - ai[lane] * sin;
            im[lane] = ar[lane] * sin + ai[lane] * cos;
        }
        let (br, bi) = butterfly4((re, im));
        for k in 0..4 {
            br[k].put(yr, k * count + at);
            bi[k].put(yi, k * count + at);
        }
    }
}

#[inline(always)]
fn butterfly2(([a, b], [c, d]): Parts<2>) -> Parts<2> {
    ([a + b, a - b], [c + d, c - d])
}

#[inline(always)]
fn butterfly3((re, im): Parts<3>) -> Parts<3> {
    const SIN: f32 = 0.866_025_4;
    let (tr, ti) = (re[1] + re[2], im[1] + im[2]);
    let (mr, mi) = (re[0] - tr * 0.5, im[0] - ti * 0.5);
    let (sr, si) = ((im[1] - im[2]) * SIN, (re[2] - re[1]) * SIN);
    ([re[0] + tr, mr + sr, mr - sr], [im[0] + ti, mi + si, mi - si])
}

#[inline(always)]
fn butterfly4((re, im): Parts<4>) -> Parts<4> {
    let (ar, ai, br, bi) = (re[0] + re[2], im[0] + im[2], re[0] - re[2], im[0] - im[2]);
    let (cr, ci, dr, di) = (re[1] + re[3], im[1] + im[3], re[1] - re[3], im[1] - im[3]);
    ([ar + cr, br + di, ar - cr, br - di], [ai + ci, bi - dr, ai - ci, bi + dr])
}

#[inline(always)]
fn butterfly5((re, im): Parts<5>) -> Parts<5> {
    const C1: f32 = 0.309_017;
    const C2: f32 = -0.809_017;
    const S1: f32 = 0.951_056_5;
    const S2: f32 = 0.587_785_25;
    let (a, b) = ((re[1] + re[4], im[1] + im[4]), (re[2] + re[3], im[2] + im[3]));
    let (c, d) = ((re[1] - re[4], im[1] - im[4]), (re[2] - re[3], im[2] - im[3]));
    let u = (re[0] + a.0 * C1 + b.0 * C2, im[0] + a.1 * C1 + b.1 * C2);
    let v = (re[0] + a.0 * C2 + b.0 * C1, im[0] + a.1 * C2 + b.1 * C1);
    let s = (c.1 * S1 + d.1 * S2, -(c.0 * S1 + d.0 * S2));
    let t = (c.1 * S2 - d.1 * S1, -(c.0 * S2 - d.0 * S1));
    (
        [re[0] + a.0 + b.0, u.0 + s.0, v.0 + t.0, v.0 - t.0, u.0 - s.0],
        [im[0] + a.1 + b.1, u.1 + s.1, v.1 + t.1, v.1 - t.1, u.1 - s.1],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<f32> {
        let mut state = 1_u32;
        core::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .take(length)
        .collect()
    }

    #[test]
    fn a_spectrum_is_that_of_the_definition() {
        for length in [80, 160, 320, 640, 960] {
            let (mut fourier, signal) = (Fourier::new(length), noise(length));
            let mut spectrum = Spectrum::new(length / 2 + 1);
            fourier.forward(&signal, &mut spectrum);
            for k in 0..=length / 2 {
                let (mut re, mut im) = (0.0_f64, 0.0_f64);
                for (n, x) in signal.iter().enumerate() {
                    let angle = -core::f64::consts::TAU * (n * k % length) as f64 / length as f64;
                    re += f64::from(*x) * angle.cos();
                    im += f64::from(*x) * angle.sin();
                }
                let error = (re - f64::from(spectrum.re[k])).hypot(im - f64::from(spectrum.im[k]));
                assert!(error < 1e-4, "bin {k} of {length}: {error}");
            }
        }
    }

    #[test]
    fn the_inverse_gives_the_signal_back() {
        for length in [80, 160, 320, 640, 960] {
            let (mut fourier, signal) = (Fourier::new(length), noise(length));
            let mut spectrum = Spectrum::new(length / 2 + 1);
            fourier.forward(&signal, &mut spectrum);
            let mut back = vec![0.0; length];
            fourier.inverse(&spectrum, &mut back);
            let error = signal.iter().zip(&back).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(error < 1e-5, "{length}: {error}");
        }
    }
}
