//! Signals made by code from a seed, in integers only: the same on every machine.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::precedence,
    reason = "shared by tests, benchmarks and an example"
)]

/// The generator xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    pub fn below(&mut self, limit: u32) -> u32 {
        ((u64::from(self.next()) * u64::from(limit)) >> 32) as u32
    }

    pub fn fill(&mut self, octets: &mut [u8]) {
        for octet in octets {
            *octet = self.next() as u8;
        }
    }
}

/// Something like speech: syllables of a pulse train or of noise through three resonators that move, with
/// pauses of faint noise, and now and then an overload. `rate` is 8000 or 16 000.
pub fn speech(seed: u64, rate: u32, samples: usize) -> Vec<i16> {
    let mut random = Random::new(seed);
    let mut resonators = [Resonator::default(); 3];
    let mut pcm = Vec::with_capacity(samples);
    while pcm.len() < samples {
        let syllable = Syllable::draw(&mut random, rate);
        syllable.sound(&mut random, &mut resonators, &mut pcm);
    }
    pcm.truncate(samples);
    pcm
}

/// White noise with this peak.
pub fn noise(seed: u64, peak: i16, samples: usize) -> Vec<i16> {
    let mut random = Random::new(seed);
    let span = 2 * u32::from(peak.unsigned_abs()) + 1;
    (0..samples).map(|_| (random.below(span) as i32 - i32::from(peak)) as i16).collect()
}

struct Syllable {
    samples: u32,
    period: u32,
    kind: Kind,
    level: i32,
    /// Per resonator: 2 r cos w in Q14.
    poles: [i32; 3],
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Voiced,
    Unvoiced,
    Pause,
}

impl Syllable {
    fn draw(random: &mut Random, rate: u32) -> Self {
        let kind = match random.below(8) {
            0..=4 => Kind::Voiced,
            5 | 6 => Kind::Unvoiced,
            _ => Kind::Pause,
        };
        let loud = random.below(24) == 0;
        // 2 r cos w for formants near 500, 1500 and 2500 Hz at 8 kHz; at 16 kHz they lie an octave higher.
        let poles = [(27_000, 3000), (11_000, 9000), (-12_000, 9000)]
            .map(|(centre, spread)| centre + random.below(2 * spread as u32) as i32 - spread);
        Self {
            samples: rate / 1000 * (40 + random.below(200)),
            period: rate / 1000 * 5 / 2 + random.below(rate / 100),
            kind,
            level: if loud { 30_000 } else { 400 + random.below(3000) as i32 },
            poles,
        }
    }

    fn sound(&self, random: &mut Random, resonators: &mut [Resonator; 3], pcm: &mut Vec<i16>) {
        for i in 0..self.samples {
            let noise = random.below(2048) as i32 - 1024;
            let source = match self.kind {
                // The pitch falls a little along the syllable.
                Kind::Voiced if i % (self.period + i / 400) == 0 => self.level * 3,
                Kind::Voiced => noise * self.level >> 15,
                Kind::Unvoiced => noise * self.level >> 11,
                Kind::Pause => noise >> 6,
            };
            let sum: i32 = resonators
                .iter_mut()
                .zip(self.poles)
                .map(|(resonator, pole)| resonator.step(source, pole))
                .sum();
            pcm.push(sum.clamp(-32_768, 32_767) as i16);
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Resonator {
    past: [i32; 2],
}

impl Resonator {
    /// A pair of poles at radius 0.95.
    fn step(&mut self, source: i32, pole: i32) -> i32 {
        let [newer, older] = self.past;
        let value = source + ((i64::from(newer) * i64::from(pole) - i64::from(older) * 14_787) >> 14) as i32;
        self.past = [value.clamp(-1 << 20, 1 << 20), newer];
        value
    }
}
