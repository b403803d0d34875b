//! What each codec costs in the E-model (ITU-T G.113 appendices I and IV).

use sidetone_codecs::CodecSpec;

/// The two figures that the E-model wants of a codec.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// Equipment impairment factor (Ie) below the narrowband best of 93.2; for wideband codecs what gives the rating of
    /// G.107.1 divided by 1.29.
    pub factor: f32,
    /// Packet-loss robustness factor (Bpl), in percent; the more, the better losses are hidden.
    pub robustness: f32,
    /// Where the figures are from.
    pub provenance: Provenance,
}

/// How much the figures of an [`Impairment`] are to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// Both are planning values of G.113.
    Recommendation,
    /// The factor is of G.113; the robustness is that of a codec of the same kind.
    Robustness,
    /// Both are estimates, by codecs of the same kind and rate.
    Estimate,
}

/// One row: encoding name, bits a second (0 for any), Ie, Bpl, where from.
type Row = (&'static str, u32, f32, f32, Provenance);

const TABLE: &[Row] = {
    use Provenance::{Estimate, Recommendation, Robustness};
    &[
        // With the concealment of G.711 appendix I, losses at random.
        ("PCMU", 0, 0.0, 25.1, Recommendation),
        ("PCMA", 0, 0.0, 25.1, Recommendation),
        ("G723", 6300, 15.0, 16.1, Recommendation),
        ("G723", 5300, 19.0, 16.1, Robustness),
        // G.729A with voice activity detection.
        ("G729", 0, 11.0, 19.0, Recommendation),
        ("G726-40", 0, 2.0, 19.0, Robustness),
        ("G726-32", 0, 7.0, 19.0, Robustness),
        ("G726-24", 0, 25.0, 19.0, Robustness),
        ("G726-16", 0, 50.0, 19.0, Robustness),
        ("AAL2-G726-40", 0, 2.0, 19.0, Robustness),
        ("AAL2-G726-32", 0, 7.0, 19.0, Robustness),
        ("AAL2-G726-24", 0, 25.0, 19.0, Robustness),
        ("AAL2-G726-16", 0, 50.0, 19.0, Robustness),
        // GSM-EFR, which is AMR's mode of 12.2 kbit/s.
        ("AMR", 12_200, 5.0, 10.0, Recommendation),
        ("AMR", 0, 15.0, 10.0, Estimate),
        ("iLBC", 15_200, 10.0, 32.0, Estimate),
        ("iLBC", 0, 12.0, 32.0, Estimate),
        // Wideband: Ie,WB of 13 on a range of 129 is 89.9 of 100, 3.3 below the best of a narrowband connection.
        ("G722", 0, 3.3, 4.9, Recommendation),
        ("opus", 0, 5.0, 20.0, Estimate),
        ("L16", 0, 0.0, 25.1, Robustness),
    ]
};

impl Impairment {
    /// A connection whose codec costs nothing and hides no loss (G.107's defaults).
    pub const NONE: Self = Self { factor: 0.0, robustness: 4.3, provenance: Provenance::Recommendation };

    /// The figures of a codec at its usual rate, with the concealment that its decoder has. A codec that is not in the
    /// table gets an estimate.
    #[must_use]
    pub fn of(codec: &CodecSpec) -> Self {
        Self::find(codec.name, codec.bit_rate)
    }

    /// The figures of an encoding name (without regard to case) at so many bits a second.
    #[must_use]
    pub fn find(name: &str, bit_rate: u32) -> Self {
        let row = TABLE
            .iter()
            .find(|(known, rate, ..)| known.eq_ignore_ascii_case(name) && (*rate == 0 || *rate == bit_rate))
            .or_else(|| TABLE.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name)));
        match row {
            Some(&(_, _, factor, robustness, provenance)) => Self { factor, robustness, provenance },
            None => Self { factor: 10.0, robustness: 10.0, provenance: Provenance::Estimate },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_codecs::ALL;

    #[test]
    fn every_codec_that_is_built_has_a_row() {
        for codec in ALL {
            assert!(TABLE.iter().any(|(name, ..)| name.eq_ignore_ascii_case(codec.name)), "{}", codec.name);
            let Impairment { factor, robustness, .. } = Impairment::of(codec);
            assert!((0.0..=50.0).contains(&factor) && (4.0..=40.0).contains(&robustness));
        }
    }

    #[test]
    fn rates_count_where_a_codec_has_several() {
        assert_eq!(Impairment::find("g723", 5300).factor, 19.0);
        assert_eq!(Impairment::find("G723", 6300).factor, 15.0);
        assert_eq!(Impairment::find("AMR", 12_200).factor, 5.0);
        assert_eq!(Impairment::find("AMR", 4750).factor, 15.0);
        assert_eq!(Impairment::find("unheard-of", 1).provenance, Provenance::Estimate);
    }
}
