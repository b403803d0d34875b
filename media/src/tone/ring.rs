//! Distinctive ringing: the five cadences that a server chooses by `Alert-Info: <...Bellcore-drN>`.

use super::{Element, MAX_ELEMENTS, ToneList, TooLong, Voice};

/// A length of ringing or of silence, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingStep {
    /// It rings; else it is silent.
    pub rings: bool,
    /// The least that counts as this step.
    pub min: u32,
    /// What is played.
    pub nominal: u32,
    /// The most that counts as this step.
    pub max: u32,
}

/// A ring cadence, as Yealink's guide has it for BroadWorks servers (catalogue YLB-084).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingCadence {
    /// Its keyword in `Alert-Info`.
    pub name: &'static str,
    /// Ringing and silence in turn.
    pub steps: &'static [RingStep],
    /// Played once: a splash, and no ringing that waits for an answer.
    pub once: bool,
}

const fn on(min: u32, nominal: u32, max: u32) -> RingStep {
    RingStep { rings: true, min, nominal, max }
}

const fn off(min: u32, nominal: u32, max: u32) -> RingStep {
    RingStep { rings: false, min, nominal, max }
}

impl RingCadence {
    /// The five; the fifth reminds that calls are diverted or not wanted, by one short ring.
    pub const BELLCORE: [Self; 5] = [
        Self { name: "Bellcore-dr1", steps: &[on(1800, 2000, 2200), off(3600, 4000, 4400)], once: false },
        Self {
            name: "Bellcore-dr2",
            steps: &[on(630, 800, 1025), off(315, 400, 525), on(630, 800, 1025), off(3475, 4000, 4400)],
            once: false,
        },
        Self {
            name: "Bellcore-dr3",
            steps: &[
                on(315, 400, 525),
                off(145, 200, 525),
                on(315, 400, 525),
                off(145, 200, 525),
                on(630, 800, 1025),
                off(2975, 4000, 4400),
            ],
            once: false,
        },
        Self {
            name: "Bellcore-dr4",
            steps: &[
                on(200, 300, 525),
                off(145, 200, 525),
                on(800, 1000, 1100),
                off(145, 200, 525),
                on(200, 300, 525),
                off(2975, 4000, 4400),
            ],
            once: false,
        },
        Self { name: "Bellcore-dr5", steps: &[on(450, 500, 550)], once: true },
    ];

    /// The cadence that a text names, in any case of letters and with anything before it:
    /// `Bellcore-dr2`, `http://127.0.0.1/Bellcore-dr2`, `127.0.0.1/bellcore-DR2`.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let text = text.trim().trim_matches(['<', '>']);
        let name = text.rsplit('/').next().unwrap_or(text);
        Self::BELLCORE.into_iter().find(|cadence| cadence.name.eq_ignore_ascii_case(name))
    }

    /// The cadence with a chord of one to four frequencies for what rings.
    ///
    /// # Errors
    /// More than four frequencies.
    pub fn sounding(&self, hertz: &[f32]) -> Result<ToneList, TooLong> {
        let mut voices = [Voice::default(); super::MAX_VOICES];
        let used = voices.get_mut(..hertz.len()).ok_or(TooLong::Voices)?;
        for (voice, hertz) in used.iter_mut().zip(hertz) {
            *voice = Voice::new(*hertz);
        }
        let mut list = ToneList::SILENCE;
        for step in self.steps.iter().take(MAX_ELEMENTS) {
            let voices = if step.rings { &*used } else { &[] };
            list.push(Element::new(voices, step.nominal)?.with_once(self.once))?;
        }
        Ok(list)
    }

    /// Whether it rings `millis` after the ringing began: the gate for a melody or a bell.
    #[must_use]
    pub fn rings_at(&self, millis: u64) -> bool {
        let round: u64 = self.steps.iter().map(|step| u64::from(step.nominal)).sum();
        if round == 0 || (self.once && millis >= round) {
            return false;
        }
        let mut end = 0;
        let at = millis % round;
        let step = self.steps.iter().find(|step| {
            end += u64::from(step.nominal);
            at < end
        });
        step.is_some_and(|step| step.rings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn the_five_are_within_their_limits_and_found_by_name() {
        for (number, cadence) in (1..).zip(RingCadence::BELLCORE) {
            assert!(cadence.steps.iter().all(|step| step.min <= step.nominal && step.nominal <= step.max));
            assert_eq!(RingCadence::named(&format!("http://127.0.0.1/bellcore-DR{number}")), Some(cadence));
            let list = cadence.sounding(&[440.0, 480.0]).unwrap();
            assert_eq!(list.ends(), number == 5);
            for (element, step) in list.elements().iter().zip(cadence.steps) {
                assert_eq!((element.millis, !element.voices().is_empty()), (step.nominal, step.rings));
            }
        }
        let rounds: Vec<_> = RingCadence::BELLCORE.map(|c| c.sounding(&[440.0]).unwrap().round()).into();
        let millis = |ms| Some(Duration::from_millis(ms));
        assert_eq!(rounds, [millis(6000), millis(6000), millis(6000), millis(6000), millis(500)]);
        assert_eq!(RingCadence::named("<127.0.0.1/Bellcore-dr3>"), Some(RingCadence::BELLCORE[2]));
        assert_eq!((RingCadence::named("Bellcore-dr6"), RingCadence::named("")), (None, None));
        assert_eq!(RingCadence::BELLCORE[0].sounding(&[1.0; 5]), Err(TooLong::Voices));
    }

    #[test]
    fn a_gate_opens_and_closes() {
        let [_, two, .., splash] = RingCadence::BELLCORE;
        let open: Vec<u64> = (0..12_000).step_by(400).filter(|at| two.rings_at(*at)).collect();
        assert_eq!(open, [0, 400, 1200, 1600, 6000, 6400, 7200, 7600]);
        assert!(splash.rings_at(499) && !splash.rings_at(500) && !splash.rings_at(u64::MAX));
    }
}
