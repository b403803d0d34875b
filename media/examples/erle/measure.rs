//! How well an echo canceller works: the measures of `shared/vectors/README.md`, section "echo".

#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    reason = "the example, the tests and the benchmarks each use a part; signals are long enough, or it stops"
)]

use std::fs;
use std::path::Path;
use std::time::Instant;

/// Samples in a frame of 10 ms.
pub const FRAME: usize = 160;
/// All signals are sampled at this rate.
pub const RATE: usize = 16_000;

/// What the loudspeaker plays and what the microphone hears, 16 kHz.
pub struct Signals {
    pub far: Vec<i16>,
    /// Echo and a little noise.
    pub single: Vec<i16>,
    /// The same, with a path that changes at [`change_at`](Self::change_at) seconds.
    pub change: Vec<i16>,
    pub change_at: usize,
    /// The same as `single`, with `near` from its sample `near_at` on.
    pub double_talk: Vec<i16>,
    pub near: Vec<i16>,
    pub near_at: usize,
}

impl Signals {
    /// The vectors of a folder.
    pub fn load(folder: &Path) -> std::io::Result<Self> {
        let read = |name: &str| -> std::io::Result<Vec<i16>> {
            let octets = fs::read(folder.join(name))?;
            Ok(octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
        };
        Ok(Self {
            far: read("far.16k.pcm")?,
            single: read("mic-single.16k.pcm")?,
            change: read("mic-change-at-7s.16k.pcm")?,
            change_at: 7,
            double_talk: read("mic-doubletalk.16k.pcm")?,
            near: read("near-at-6s.16k.pcm")?,
            near_at: 96_000,
        })
    }
}

/// A canceller: far end, near end, and what comes out, a frame each.
pub type Canceller<'a> = Box<dyn FnMut(&[i16], &[i16], &mut [i16]) + 'a>;

/// A canceller of a closure.
pub fn canceller<'a>(process: impl FnMut(&[i16], &[i16], &mut [i16]) + 'a) -> Canceller<'a> {
    Box::new(process)
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// ERLE of each second with one path, in dB.
    pub single: Vec<f32>,
    /// The same with a path that changes.
    pub change: Vec<f32>,
    /// ERLE with one path from 3 s to the end.
    pub after_3s: f32,
    /// ERLE in the second second after the change, and in all that follows.
    pub after_change: [f32; 2],
    /// Near-end speech over everything else that comes out in double talk, in dB.
    pub double_talk_sdr: f32,
    /// By how much near-end speech is weaker in what comes out (its projection), in dB, ...
    pub near_loss: f32,
    /// ... and by how much its 20 ms frames are, in the mean; frames that are louder count as 0.
    pub frame_loss: f32,
    /// Samples by which the output is late.
    pub delay: usize,
    /// Microseconds for a frame of 10 ms: the lower quartile, as other programs may run beside.
    pub micros: f32,
}

/// Runs a canceller of its own on each of the three signals.
pub fn measure<'a>(signals: &Signals, mut make: impl FnMut() -> Canceller<'a>) -> Figures {
    let mut times = Vec::new();
    let double_talk = run(&signals.far, &signals.double_talk, &mut make(), &mut times);
    let single = run(&signals.far, &signals.single, &mut make(), &mut times);
    let change = run(&signals.far, &signals.change, &mut make(), &mut times);
    times.sort_by(f32::total_cmp);
    let (delay, sdr, near_loss) = double_talk_figures(signals, &double_talk);
    let seconds = signals.single.len() / RATE;
    let each = |near: &[i16], out: &[i16]| (0..seconds).map(|s| erle(near, out, delay, s, s + 1)).collect();
    let at = signals.change_at;
    Figures {
        single: each(&signals.single, &single),
        change: each(&signals.change, &change),
        after_3s: erle(&signals.single, &single, delay, 3, seconds),
        after_change: [
            erle(&signals.change, &change, delay, at + 1, at + 2),
            erle(&signals.change, &change, delay, at + 2, seconds),
        ],
        double_talk_sdr: sdr,
        near_loss,
        frame_loss: frame_loss(signals, &double_talk, delay),
        delay,
        micros: times[times.len() / 4],
    }
}

/// Runs a canceller over two signals.
pub fn run(far: &[i16], near: &[i16], canceller: &mut Canceller<'_>, times: &mut Vec<f32>) -> Vec<i16> {
    let mut out = vec![0; near.len()];
    for ((far, near), out) in
        far.chunks_exact(FRAME).zip(near.chunks_exact(FRAME)).zip(out.chunks_exact_mut(FRAME))
    {
        #[allow(clippy::disallowed_methods, reason = "it measures time")]
        let begin = Instant::now();
        canceller(far, near, out);
        times.push(begin.elapsed().as_secs_f32() * 1e6);
    }
    out
}

/// Mean square.
pub fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

pub fn db(ratio: f64) -> f32 {
    (10.0 * ratio.log10()) as f32
}

/// Echo return loss enhancement between two times in seconds, over the 20 ms frames with a microphone level above
/// -55 dBov; `out` is `delay` samples late.
pub fn erle(near: &[i16], out: &[i16], delay: usize, from: usize, to: usize) -> f32 {
    let (mut before, mut after) = (0.0, 0.0);
    for at in (from * RATE..to * RATE).step_by(2 * FRAME) {
        let level = power(&near[at..at + 2 * FRAME]);
        if db(level / 32_768.0_f64.powi(2)) > -55.0 {
            let end = (at + delay + 2 * FRAME).min(out.len());
            before += level;
            after += power(&out[(at + delay).min(end)..end]);
        }
    }
    db(before / after.max(1e-3))
}

/// Finds the delay of the output; gives it with the ratio of near-end speech to the rest, and its loss.
fn double_talk_figures(signals: &Signals, out: &[i16]) -> (usize, f32, f32) {
    let mut best = (0, f32::MIN, 0.0);
    for delay in 0..RATE / 50 {
        let late = &out[(signals.near_at + delay).min(out.len())..];
        let (mut near, mut both, mut rest) = (0.0, 0.0, 0.0);
        for (x, y) in signals.near.iter().zip(late) {
            let (x, y) = (f64::from(*x), f64::from(*y));
            near += x * x;
            both += x * y;
            rest += (y - x) * (y - x);
        }
        let sdr = db(near / rest);
        if sdr > best.1 {
            best = (delay, sdr, -2.0 * db(both / near));
        }
    }
    best
}

fn frame_loss(signals: &Signals, out: &[i16], delay: usize) -> f32 {
    let (mut sum, mut count) = (0.0, 0);
    for (number, near) in signals.near.chunks_exact(2 * FRAME).enumerate() {
        let at = signals.near_at + delay + number * 2 * FRAME;
        let Some(out) = out.get(at..at + 2 * FRAME) else { break };
        if db(power(near) / 32_768.0_f64.powi(2)) > -50.0 {
            sum += db(power(near) / power(out).max(1.0)).max(0.0);
            count += 1;
        }
    }
    sum / count.max(1) as f32
}
