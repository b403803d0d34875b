//! The E-model (ITU-T G.107): from what is known of a connection to a rating, and from that to an opinion.

use super::Impairment;
use core::time::Duration;

/// The parameters of G.107 that a terminal measures; all others have the Recommendation's default values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connection {
    /// What the codec costs.
    pub impairment: Impairment,
    /// Packets lost or discarded, 0 to 1 (Ppl).
    pub loss: f32,
    /// Mean length of losses in a row over that at random, 1 or more (BurstR).
    pub burst_ratio: f32,
    /// One way, from mouth to ear (Ta, and T for the echo).
    pub delay: Duration,
    /// Talker echo loudness rating, in dB: 65 is what a phone with an echo canceller has (TELR).
    pub echo_loss: f32,
    /// What users forgive for being mobile, 0 to 20 (A).
    pub advantage: f32,
}

// Default values (G.107 table 3), in dB where nothing else is said.
const SLR: f64 = 8.0;
const RLR: f64 = 2.0;
const STMR: f64 = 15.0;
const LSTR: f64 = 18.0;
const DS: f64 = 3.0;
const WEPL: f64 = 110.0;
/// Quantizing distortion units.
const QDU: f64 = 1.0;
/// Circuit noise, dBm0p.
const NC: f64 = -70.0;
/// Noise floor at the receive side, dBmp.
const NFOR: f64 = -64.0;
/// Room noise at both sides, dB(A).
const PS: f64 = 35.0;
const PR: f64 = 35.0;
/// G.107 looks at bursts up to this ratio only.
const MAX_BURST_RATIO: f32 = 2.0;

impl Connection {
    /// A connection without loss and delay.
    #[must_use]
    pub const fn new(impairment: Impairment) -> Self {
        Self {
            impairment,
            loss: 0.0,
            burst_ratio: 1.0,
            delay: Duration::ZERO,
            echo_loss: 65.0,
            advantage: 0.0,
        }
    }

    /// The rating R (G.107 §7.1): 93.2 for a connection without flaws, 0 for one of no use. Wideband codecs are rated on
    /// the same range, as G.107.1 has it after division by 1.29, and compare with each other only.
    #[must_use]
    pub fn rating(&self) -> f32 {
        // Loudness and noise (§7.2).
        let olr = SLR + RLR;
        let pre = PR + 10.0 * (1.0 + decibels((10.0 - LSTR) / 10.0)).log10();
        let sender = PS - SLR - DS - 100.0 + 0.004 * (PS - olr - DS - 14.0).powi(2);
        let receiver = RLR - 121.0 + pre + 0.008 * (pre - 35.0).powi(2);
        let noise: f64 = [NC, sender, receiver, NFOR + RLR].iter().map(|level| decibels(level / 10.0)).sum();
        let noise = 10.0 * noise.log10();
        let basic = 15.0 - 1.5 * (SLR + noise);
        // What comes with the voice (§7.3).
        let delay = self.delay.as_secs_f64() * 1000.0;
        let telr = f64::from(self.echo_loss);
        let sidetone =
            -10.0 * (decibels(-STMR / 10.0) + (-delay / 4.0).exp() * decibels(-telr / 10.0)).log10();
        let simultaneous = too_loud(olr, noise) + off_sidetone(sidetone) + quantizing(basic);
        let r = basic - simultaneous - self.delay_impairment(basic, noise, delay, telr) - self.equipment();
        (r as f32 + self.advantage).clamp(0.0, 100.0)
    }

    /// What delay costs (§7.4): echo to talker and listener, and the delay itself.
    fn delay_impairment(&self, basic: f64, noise: f64, delay: f64, telr: f64) -> f64 {
        let soft =
            |difference: f64, square: f64| difference / 2.0 + (difference * difference / 4.0 + square).sqrt();
        let terv = telr - 40.0 * ((1.0 + delay / 10.0) / (1.0 + delay / 150.0)).log10()
            + 6.0 * (-0.3 * delay * delay).exp();
        let talker = {
            let echo = 80.0 + 2.5 * (terv - 14.0);
            let without = -1.5 * (noise - RLR);
            (soft(without - echo, 100.0) - 1.0) * (1.0 - (-delay).exp())
        };
        let listener = {
            // The round trip on the four-wire side.
            let echo = 10.5 * (WEPL + 7.0) * (2.0 * delay + 1.0).powf(-0.25);
            soft(basic - echo, 169.0)
        };
        talker + listener + absolute(delay)
    }

    /// What the codec and its losses cost (§7.5).
    fn equipment(&self) -> f64 {
        let Impairment { factor, robustness, .. } = self.impairment;
        let loss = f64::from(self.loss.clamp(0.0, 1.0)) * 100.0;
        let burst = f64::from(self.burst_ratio.clamp(1.0, MAX_BURST_RATIO));
        let factor = f64::from(factor);
        factor + (95.0 - factor) * loss / (loss / burst + f64::from(robustness))
    }
}

/// The mean opinion score of a rating, 1 to 4.5 (G.107 annex B).
#[must_use]
pub fn mos(rating: f32) -> f32 {
    let r = rating.clamp(0.0, 100.0);
    // Below 6.5 the polynomial falls under 1.
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

fn decibels(tenths: f64) -> f64 {
    10_f64.powf(tenths)
}

fn too_loud(olr: f64, noise: f64) -> f64 {
    let x = (olr + 0.2 * (64.0 + noise - RLR)) / 8.0;
    20.0 * ((1.0 + x.powi(8)).powf(0.125) - x)
}

fn off_sidetone(stmr: f64) -> f64 {
    let root = |x: f64, power: i32| (1.0 + x.powi(power)).powf(1.0 / f64::from(power));
    12.0 * root((stmr - 13.0) / 6.0, 8)
        - 28.0 * root((stmr + 1.0) / 19.4, 35)
        - 13.0 * root((stmr - 3.0) / 33.0, 13)
        + 29.0
}

fn quantizing(basic: f64) -> f64 {
    let q = 37.0 - 15.0 * QDU.log10();
    let g = 1.07 + 0.258 * q + 0.0602 * q * q;
    let y = (basic - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0;
    let z = 46.0 / 30.0 - g / 40.0;
    15.0 * (1.0 + decibels(y) + decibels(z)).log10()
}

/// Too long a delay, even without echo; nothing below 100 ms.
fn absolute(delay: f64) -> f64 {
    if delay <= 100.0 {
        return 0.0;
    }
    let x = (delay / 100.0).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_codecs::{g729, pcmu};

    fn near(a: f32, b: f32, within: f32) {
        assert!((a - b).abs() <= within, "{a}, expected {b} ± {within}");
    }

    #[test]
    fn the_default_connection_has_the_rating_of_the_recommendation() {
        let clean = Connection::new(Impairment::NONE);
        near(clean.rating(), 93.2, 0.1);
        near(mos(clean.rating()), 4.41, 0.01);
    }

    #[test]
    fn ratings_map_to_the_opinions_of_annex_b() {
        // G.107 table B.1 and G.109: the borders of the classes.
        for (r, score) in
            [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58), (0.0, 1.0), (100.0, 4.5)]
        {
            near(mos(r), score, 0.01);
        }
        assert_eq!((mos(-5.0), mos(3.0), mos(500.0)), (1.0, 1.0, 4.5));
    }

    #[test]
    fn loss_costs_what_the_codec_makes_of_it() {
        let with =
            |impairment, loss, burst_ratio| Connection { loss, burst_ratio, ..Connection::new(impairment) };
        let clean = Connection::new(Impairment::NONE).rating();
        let (g711, g729) = (Impairment::of(&pcmu::SPEC), Impairment::of(&g729::SPEC));
        // Ie,eff = Ie + (95 - Ie) Ppl / (Ppl / BurstR + Bpl).
        near(clean - with(g711, 0.02, 1.0).rating(), 95.0 * 2.0 / 27.1, 0.01);
        near(clean - with(g729, 0.0, 1.0).rating(), 11.0, 0.01);
        near(clean - with(g729, 0.05, 1.0).rating(), 11.0 + 84.0 * 5.0 / 24.0, 0.01);
        near(clean - with(g729, 0.05, 2.0).rating(), 11.0 + 84.0 * 5.0 / 21.5, 0.01);
        assert_eq!(with(g729, 0.05, 9.0), Connection { burst_ratio: 9.0, ..with(g729, 0.05, 2.0) });
        assert_eq!(with(g729, 0.05, 9.0).rating(), with(g729, 0.05, 2.0).rating());
        assert!(with(g711, 1.0, 1.0).rating() < 20.0);
    }

    #[test]
    fn delay_costs_little_until_150_ms_and_much_after_300() {
        let at = |millis| {
            Connection { delay: Duration::from_millis(millis), ..Connection::new(Impairment::NONE) }.rating()
        };
        let ratings: Vec<f32> = (0..=500).step_by(10).map(at).collect();
        assert!(ratings.windows(2).all(|pair| pair[1] <= pair[0] + 0.01), "{ratings:?}");
        // The fit of Cole and Rosenbluth ("Voice over IP performance monitoring", 2001) to G.107's default values.
        for millis in (50..=400).step_by(50) {
            let delay = millis as f32;
            let fit = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
            near(at(millis), 93.2 - fit, 4.0);
        }
        // Two octaves over 100 ms, by hand: 25 (65^(1/6) - 3 (1 + (2/3)^6)^(1/6) + 2).
        near(absolute(400.0) as f32, 24.07, 0.05);
    }

    #[test]
    fn echo_is_heard_when_it_is_late_and_loud() {
        let with = |echo_loss, millis| {
            let delay = Duration::from_millis(millis);
            Connection { delay, echo_loss, ..Connection::new(Impairment::NONE) }.rating()
        };
        assert!(with(65.0, 100) - with(35.0, 100) > 20.0);
        assert!(with(65.0, 5) - with(35.0, 5) < 8.0);
    }
}
