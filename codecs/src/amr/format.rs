//! The format parameters of RFC 4867 §8.1.

use super::Mode;
use crate::{Agree, CodecError, Fmtp, Rule, Values};

/// What `a=fmtp` may say of AMR. What is not supported can be read, so that a refusal can name it.
pub const RULES: &[Rule] = &[
    Rule { name: "octet-align", values: Values::Flag, default: 0, agree: Agree::Offer },
    Rule { name: "mode-set", values: Values::Set(8), default: 0xFF, agree: Agree::Common },
    Rule { name: "mode-change-period", values: Values::Range(1, 2), default: 1, agree: Agree::Most },
    Rule { name: "mode-change-capability", values: Values::Range(1, 2), default: 1, agree: Agree::Own },
    Rule { name: "mode-change-neighbor", values: Values::Flag, default: 0, agree: Agree::Most },
    Rule { name: "max-red", values: Values::Range(0, 65_535), default: 65_535, agree: Agree::Own },
    Rule { name: "crc", values: Values::Flag, default: 0, agree: Agree::Same },
    Rule { name: "robust-sorting", values: Values::Flag, default: 0, agree: Agree::Same },
    Rule { name: "interleaving", values: Values::Range(0, 65_535), default: 0, agree: Agree::Same },
    Rule { name: "channels", values: Values::Range(1, 6), default: 1, agree: Agree::Same },
];

/// How payloads are made: what was agreed in `a=fmtp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Octet-aligned payloads instead of bandwidth-efficient ones.
    pub octet_align: bool,
    /// The modes that may be sent: bit `n` is mode number `n`. Never empty; 0 is taken for all.
    pub mode_set: u8,
    /// Frames between two changes of the mode: 1 or 2.
    pub mode_change_period: u8,
    /// Whether the mode may change only to the next one in the set.
    pub mode_change_neighbor: bool,
}

impl Default for Format {
    /// Bandwidth-efficient, all modes, changing at will.
    fn default() -> Self {
        Self::BANDWIDTH_EFFICIENT
    }
}

impl Format {
    /// Bandwidth-efficient payloads (RFC 4867 §4.3), all modes.
    pub const BANDWIDTH_EFFICIENT: Self =
        Self { octet_align: false, mode_set: 0xFF, mode_change_period: 1, mode_change_neighbor: false };

    /// Octet-aligned payloads (RFC 4867 §4.4), all modes.
    pub const OCTET_ALIGNED: Self = Self { octet_align: true, ..Self::BANDWIDTH_EFFICIENT };

    /// The same with these modes only.
    #[must_use]
    pub const fn with_modes(self, mode_set: u8) -> Self {
        Self { mode_set, ..self }
    }

    /// From agreed parameters.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] for interleaving, CRC, robust sorting and more than one channel.
    pub fn from_fmtp(agreed: &Fmtp) -> Result<Self, CodecError> {
        let value = |name, default| agreed.get(name).unwrap_or(default);
        let refused = [
            ("interleaving", 0, "AMR payloads with interleaving"),
            ("crc", 0, "AMR payloads with CRC"),
            ("robust-sorting", 0, "AMR payloads with robust sorting"),
            ("channels", 1, "AMR with more than one channel"),
        ];
        if let Some((.., what)) = refused.into_iter().find(|(name, usual, _)| value(*name, *usual) != *usual)
        {
            return Err(CodecError::Unsupported(what));
        }
        Ok(Self {
            octet_align: value("octet-align", 0) != 0,
            mode_set: value("mode-set", 0xFF) as u8,
            mode_change_period: value("mode-change-period", 1) as u8,
            mode_change_neighbor: value("mode-change-neighbor", 0) != 0,
        })
    }

    /// Whether a mode may be sent.
    #[must_use]
    pub const fn allows(&self, mode: Mode) -> bool {
        self.mode_set == 0 || self.mode_set >> mode.number() & 1 == 1
    }

    /// The fastest mode that may be sent and is not faster than this one; failing that, the slowest.
    #[must_use]
    pub fn nearest(&self, mode: Mode) -> Mode {
        let mut allowed = Mode::ALL.into_iter().filter(|mode| self.allows(*mode));
        let slowest = allowed.next().unwrap_or(mode);
        allowed.take_while(|allowed| *allowed <= mode).last().unwrap_or(slowest)
    }

    /// The fastest mode that may be sent.
    #[must_use]
    pub fn fastest(&self) -> Mode {
        self.nearest(Mode::Mr1220)
    }

    /// The mode to go to from `now` on the way to `wanted`.
    pub(super) fn step(&self, now: Mode, wanted: Mode) -> Mode {
        let wanted = self.nearest(wanted);
        if !self.mode_change_neighbor {
            return wanted;
        }
        let mut allowed = Mode::ALL.into_iter().filter(|mode| self.allows(*mode));
        let next = if wanted > now {
            allowed.find(|mode| *mode > now)
        } else {
            allowed.take_while(|mode| *mode < now).last()
        };
        if wanted == now { now } else { next.unwrap_or(wanted) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_what_is_not_supported_is_named() {
        let read = |line| Format::from_fmtp(&Fmtp::parse(RULES, line).expect("a good line"));
        assert_eq!(read(""), Ok(Format::BANDWIDTH_EFFICIENT));
        assert_eq!(read("octet-align=1; mode-set=0,2,7"), Ok(Format::OCTET_ALIGNED.with_modes(0b1000_0101)));
        let changing = Format { mode_change_period: 2, mode_change_neighbor: true, ..Format::default() };
        assert_eq!(
            read("mode-change-period=2;mode-change-neighbor=1;mode-change-capability=2"),
            Ok(changing)
        );
        for (line, what) in [
            ("octet-align=1;interleaving=4", "AMR payloads with interleaving"),
            ("octet-align=1;crc=1", "AMR payloads with CRC"),
            ("octet-align=1;robust-sorting=1", "AMR payloads with robust sorting"),
            ("channels=2", "AMR with more than one channel"),
        ] {
            assert_eq!(read(line), Err(CodecError::Unsupported(what)));
        }
    }

    #[test]
    fn a_mode_outside_the_set_becomes_the_next_slower() {
        let format = Format::default().with_modes(0b0101_0100);
        assert_eq!(format.nearest(Mode::Mr1220), Mode::Mr1020);
        assert_eq!(format.nearest(Mode::Mr795), Mode::Mr740);
        assert_eq!(format.nearest(Mode::Mr475), Mode::Mr590);
        assert_eq!(Format::default().with_modes(0).nearest(Mode::Mr475), Mode::Mr475);
    }

    #[test]
    fn to_a_neighbour_means_to_the_next_of_the_set() {
        let format = Format { mode_change_neighbor: true, ..Format::default().with_modes(0b1001_0101) };
        assert_eq!(format.step(Mode::Mr475, Mode::Mr1220), Mode::Mr590);
        assert_eq!(format.step(Mode::Mr1220, Mode::Mr475), Mode::Mr740);
        assert_eq!(format.step(Mode::Mr740, Mode::Mr740), Mode::Mr740);
        assert_eq!(Format::default().step(Mode::Mr475, Mode::Mr1220), Mode::Mr1220);
    }
}
