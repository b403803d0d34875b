//! What to play next: a pure decision from how things stand.

use sidetone_hal::time::Duration;

/// When speech is shortened, the delay is left this much above what is needed, so that a step one way is not
/// followed by one the other way.
const SLACK: Duration = Duration::from_millis(1);
/// The least that is worth a step; where there is speech, a step is a pitch period.
const STEP: Duration = Duration::from_millis(1);
/// Off by this much, the step is taken wherever the speech is.
const FAR: Duration = Duration::from_millis(60);
/// Invented speech after which the sender is taken to be silent; concealment has faded by then.
pub(super) const GIVE_UP: Duration = Duration::from_millis(60);

/// How things stand when the ear asks for the next frame.
///
/// A frame is asked for as a whole. A packet that begins within it must be there when its first sample is not yet
/// due: of the delay, [`Situation::offset`] does not help against jitter. Where packets and frames lie to each
/// other changes with every step, so what helps is the delay in whole [`Situation::quantum`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// How long after the earliest arrival the next sample would be played.
    pub delay: Duration,
    /// The least that this was in the last moments: the ear does not ask on the dot.
    pub steady: Duration,
    /// How late packets may come.
    pub target: Duration,
    /// From the beginning of a frame to that of the packet that begins latest in one.
    pub offset: Duration,
    /// The steps in which that can change: what packets and frames have in common.
    pub quantum: Duration,
    /// Speech is being played; otherwise it is quiet and a packet begins a new stretch.
    pub active: bool,
    /// The next frame is decoded in full.
    pub ready: bool,
    /// Packets wait, if only after a hole.
    pub waiting: bool,
    /// The delay was changed a moment ago.
    pub settling: bool,
    /// It was lengthened lately: wait before it is shortened again.
    pub grown: bool,
    /// How long speech has been invented without a packet.
    pub invented: Duration,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Silence, and no time passes on the sender's clock.
    Quiet,
    /// The stretch begins: go to its first packet and play.
    Begin,
    /// Play the next frame.
    Play,
    /// Play it, a pitch period shorter.
    Shorten {
        /// By this much at most.
        most: Duration,
        /// Even where it would be heard.
        force: bool,
    },
    /// Play it, a pitch period longer.
    Lengthen {
        /// Where any length will do, by this much.
        wanted: Duration,
        /// Even where it would be heard.
        force: bool,
    },
    /// A packet is missing and later ones are there, or it is overdue: invent its speech.
    Conceal,
    /// The next packet is late but may come: invent speech to wait with, and play it then.
    Hold,
    /// Nothing comes any more: fall silent until a packet does.
    Stop,
}

impl Situation {
    /// Decides.
    #[must_use]
    pub fn decide(&self) -> Decision {
        if !self.active {
            let due = self.waiting && self.delay >= self.target;
            return if due { Decision::Begin } else { Decision::Quiet };
        }
        if !self.ready {
            return match (self.waiting, self.invented >= GIVE_UP) {
                (true, _) => Decision::Conceal,
                (false, true) => Decision::Stop,
                (false, false) if self.delay < self.target => Decision::Hold,
                (false, false) => Decision::Conceal,
            };
        }
        if self.settling {
            return Decision::Play;
        }
        let lacks = (self.target + self.offset).saturating_sub(self.delay);
        if !lacks.is_zero() {
            let wanted = self.least(self.delay, self.target).saturating_sub(self.delay);
            return Decision::Lengthen { wanted, force: lacks > FAR };
        }
        let most = self.steady.saturating_sub(self.least(self.steady, self.target + SLACK));
        if most >= STEP && (!self.grown || most > FAR) {
            return Decision::Shorten { most, force: most > FAR };
        }
        Decision::Play
    }

    /// The least delay that helps against `late` packets: what helps of `delay`, whole quanta up or down, and what
    /// of the offset no step takes away.
    fn least(&self, delay: Duration, late: Duration) -> Duration {
        let micros = |duration: Duration| duration.as_micros() as i64;
        let quantum = micros(self.quantum).max(1);
        let offset = micros(self.offset);
        let helps = micros(delay) - offset;
        let quanta = (helps - micros(late)).div_euclid(quantum);
        let least = helps - quanta * quantum + offset - offset % quantum;
        Duration::from_micros(least.max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const PLAYING: Situation = Situation {
        delay: ms(40),
        steady: ms(40),
        target: ms(37),
        offset: ms(0),
        quantum: ms(10),
        active: true,
        ready: true,
        waiting: true,
        settling: false,
        grown: false,
        invented: Duration::ZERO,
    };

    fn delayed(millis: u64, offset: u64) -> Situation {
        Situation { delay: ms(millis), steady: ms(millis), offset: ms(offset), ..PLAYING }
    }

    #[test]
    fn the_table() {
        let shorten = |most, force| Decision::Shorten { most: ms(most), force };
        let lengthen = |wanted, force| Decision::Lengthen { wanted: ms(wanted), force };
        let cases = [
            ("in time", PLAYING, Decision::Play),
            ("what is not worth it", Situation { steady: ms(40) + ms(9) / 10, ..PLAYING }, Decision::Play),
            ("more than the offset needs", delayed(44, 4), shorten(4, false)),
            ("a whole quantum", delayed(50, 0), shorten(10, false)),
            (
                "packets that begin anywhere",
                Situation { quantum: ms(5), ..delayed(49, 6) },
                shorten(6, false),
            ),
            ("not on the dot", Situation { delay: ms(60), ..PLAYING }, Decision::Play),
            ("grown", Situation { grown: true, ..delayed(59, 9) }, Decision::Play),
            ("far more", Situation { grown: true, ..delayed(110, 0) }, shorten(70, true)),
            ("just changed", Situation { settling: true, ..delayed(110, 0) }, Decision::Play),
            ("just enough", delayed(37, 0), Decision::Play),
            ("less", delayed(36, 0), lengthen(10, false)),
            ("less than helps", delayed(40, 7), lengthen(3, false)),
            ("far less", Situation { target: ms(140), ..PLAYING }, lengthen(100, true)),
            ("a hole", Situation { ready: false, ..PLAYING }, Decision::Conceal),
            ("nothing", Situation { ready: false, waiting: false, ..PLAYING }, Decision::Conceal),
            (
                "nothing yet",
                Situation { ready: false, waiting: false, delay: ms(30), ..PLAYING },
                Decision::Hold,
            ),
            (
                "nothing for long",
                Situation { ready: false, waiting: false, invented: ms(60), ..PLAYING },
                Decision::Stop,
            ),
            ("quiet", Situation { active: false, waiting: false, ..PLAYING }, Decision::Quiet),
            ("a first packet", Situation { active: false, delay: ms(36), ..PLAYING }, Decision::Quiet),
            ("its time", Situation { active: false, ..PLAYING }, Decision::Begin),
        ];
        for (name, situation, expected) in cases {
            assert_eq!(situation.decide(), expected, "{name}");
        }
    }
}
