//! What to play next: a pure decision from how things stand.

use sidetone_hal::time::Duration;

/// The delay may be above the target by this much before speech is shortened. With [`BELOW`] it makes the
/// longest pitch period, so that a step one way is not followed by one the other way.
const ABOVE: Duration = Duration::from_millis(10);
/// And below by this much before it is lengthened.
const BELOW: Duration = Duration::from_millis(5);
/// Off by this much, the step is taken wherever the speech is.
const FAR: Duration = Duration::from_millis(60);
/// Invented speech after which the sender is taken to be silent; concealment has faded by then.
pub(super) const GIVE_UP: Duration = Duration::from_millis(60);

/// How things stand when the ear asks for the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// How long after the earliest arrival the next sample would be played.
    pub delay: Duration,
    /// How long that should be.
    pub target: Duration,
    /// Speech is being played; otherwise it is quiet and a packet begins a new stretch.
    pub active: bool,
    /// The next frame is decoded in full.
    pub ready: bool,
    /// Packets wait, if only after a hole.
    pub waiting: bool,
    /// The delay was changed a moment ago.
    pub settling: bool,
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
    /// Play it, a pitch period shorter; `force` even where it would be heard.
    Shorten {
        /// Do not look for a good place.
        force: bool,
    },
    /// Play it, a pitch period longer.
    Lengthen {
        /// Do not look for a good place.
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
        let above = self.delay.saturating_sub(self.target);
        let below = self.target.saturating_sub(self.delay);
        if self.settling {
            Decision::Play
        } else if above > ABOVE {
            Decision::Shorten { force: above > FAR }
        } else if below > BELOW {
            Decision::Lengthen { force: below > FAR }
        } else {
            Decision::Play
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYING: Situation = Situation {
        delay: Duration::from_millis(40),
        target: Duration::from_millis(40),
        active: true,
        ready: true,
        waiting: true,
        settling: false,
        invented: Duration::ZERO,
    };

    #[test]
    fn the_table() {
        let ms = Duration::from_millis;
        let cases = [
            ("in time", PLAYING, Decision::Play),
            ("a little more", Situation { delay: ms(50), ..PLAYING }, Decision::Play),
            ("more", Situation { delay: ms(51), ..PLAYING }, Decision::Shorten { force: false }),
            ("far more", Situation { delay: ms(101), ..PLAYING }, Decision::Shorten { force: true }),
            ("just changed", Situation { delay: ms(101), settling: true, ..PLAYING }, Decision::Play),
            ("less", Situation { delay: ms(34), ..PLAYING }, Decision::Lengthen { force: false }),
            ("far less", Situation { target: ms(140), ..PLAYING }, Decision::Lengthen { force: true }),
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
            ("a first packet", Situation { active: false, delay: ms(39), ..PLAYING }, Decision::Quiet),
            ("its time", Situation { active: false, ..PLAYING }, Decision::Begin),
        ];
        for (name, situation, expected) in cases {
            assert_eq!(situation.decide(), expected, "{name}");
        }
    }
}
