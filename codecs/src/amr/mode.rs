//! The eight bit rates.

/// A speech mode, named by its bit rate (3GPP TS 26.101 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// 4.75 kbit/s.
    Mr475 = 0,
    /// 5.15 kbit/s.
    Mr515,
    /// 5.90 kbit/s.
    Mr590,
    /// 6.70 kbit/s (PDC-EFR).
    Mr670,
    /// 7.40 kbit/s (TDMA-EFR).
    Mr740,
    /// 7.95 kbit/s.
    Mr795,
    /// 10.2 kbit/s.
    Mr1020,
    /// 12.2 kbit/s (GSM-EFR).
    Mr1220,
}

impl Mode {
    /// All of them, slowest first; the place is the frame type on the wire.
    pub const ALL: [Self; 8] = [
        Self::Mr475,
        Self::Mr515,
        Self::Mr590,
        Self::Mr670,
        Self::Mr740,
        Self::Mr795,
        Self::Mr1020,
        Self::Mr1220,
    ];

    /// The mode with this number on the wire, 0 to 7.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Mr475,
            1 => Self::Mr515,
            2 => Self::Mr590,
            3 => Self::Mr670,
            4 => Self::Mr740,
            5 => Self::Mr795,
            6 => Self::Mr1020,
            7 => Self::Mr1220,
            _ => return None,
        })
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Bits of a frame of 20 ms.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Mr475 => 95,
            Self::Mr515 => 103,
            Self::Mr590 => 118,
            Self::Mr670 => 134,
            Self::Mr740 => 148,
            Self::Mr795 => 159,
            Self::Mr1020 => 204,
            Self::Mr1220 => 244,
        }
    }

    /// Octets that the bits of a frame fill.
    #[must_use]
    pub const fn octets(self) -> usize {
        self.bits().div_ceil(8)
    }

    /// Bits a second.
    #[must_use]
    pub const fn bit_rate(self) -> u32 {
        self.bits() as u32 * 50
    }
}
