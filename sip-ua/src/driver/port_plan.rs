//! Which ports RTP may have: none in particular, a range, or a list that a router forwards.

use core::ops::RangeInclusive;
use std::vec::Vec;

/// The ports that calls take for RTP; RTCP has the odd ones above (RFC 3550 §11).
///
/// ```
/// use sidetone_sip_ua::{PortPlan, PortRules};
/// let plan = PortRules::UT670.range(16_000, 20_000)?;
/// assert_eq!(plan.pairs(1).take(2).collect::<Vec<_>>(), [16_002, 16_004]);
/// assert!(PortRules::UT670.range(16_000, 16_300).is_err(), "at least 400 apart");
/// # Ok::<(), sidetone_sip_ua::PortPlanError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortPlan {
    kind: Kind,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Any,
    Range {
        first: u16,
        pairs: u16,
    },
    Listed(Vec<u16>),
    Nowhere,
}

/// Why ports cannot be those of RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortPlanError {
    /// An RTP port is odd.
    #[error("RTP port {0} is odd, expected an even one")]
    Odd(u16),
    /// A port is outside of what the rules allow.
    #[error("RTP port {port}, expected {least} to {most}")]
    Outside {
        /// The port.
        port: u16,
        /// The least that may be.
        least: u16,
        /// The most that may be.
        most: u16,
    },
    /// The range holds too few ports.
    #[error("RTP ports from {min} to {max}, expected {distance} between them at least")]
    TooNarrow {
        /// The lowest.
        min: u16,
        /// The highest.
        max: u16,
        /// How far they should be apart.
        distance: u16,
    },
    /// The list has not one port for each channel.
    #[error("{got} external RTP ports, expected {expected}")]
    Count {
        /// How many there are.
        got: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Some channels have a port, and others have none.
    #[error("channel {channel} has no external RTP port: all channels have one, or none has")]
    AllOrNone {
        /// The first without, counted from 1.
        channel: usize,
    },
    /// Two channels have the same port.
    #[error("external RTP port {0} stands there twice")]
    Twice(u16),
    /// Signalling is at the port of RTP, or of the RTCP above it.
    #[error("SIP port {sip} is taken by the channel of RTP port {rtp}")]
    Signalling {
        /// The port of signalling.
        sip: u16,
        /// The port of RTP.
        rtp: u16,
    },
}

impl PortPlan {
    /// Whatever the system gives.
    #[must_use]
    pub const fn any() -> Self {
        Self { kind: Kind::Any }
    }

    /// No port: calls get none.
    #[must_use]
    pub const fn none() -> Self {
        Self { kind: Kind::Listed(Vec::new()) }
    }

    /// Ports in session descriptions and no sockets: what a call sends goes nowhere, and nothing comes in. For simulations,
    /// which are to be the same each time, whoever else has ports on the machine.
    #[must_use]
    pub const fn nowhere() -> Self {
        Self { kind: Kind::Nowhere }
    }

    /// Pairs that lie wholly in a range, which may begin and end with any port.
    ///
    /// # Errors
    /// It holds no pair.
    pub fn within(range: &RangeInclusive<u16>) -> Result<Self, PortPlanError> {
        let (min, max) = (*range.start(), *range.end());
        let first = min.checked_next_multiple_of(2);
        let pairs = first.and_then(|first| (u32::from(max) + 1).checked_sub(first.into())).unwrap_or(0) / 2;
        match (first, u16::try_from(pairs)) {
            (Some(first), Ok(pairs @ 1..)) => Ok(Self { kind: Kind::Range { first, pairs } }),
            _ => Err(PortPlanError::TooNarrow { min, max, distance: 1 }),
        }
    }

    /// The ports of RTP in the order in which they are tried: all of them once, from place `start` (any number) on and
    /// round. Without a plan there are none.
    pub fn pairs(&self, start: u32) -> impl Iterator<Item = u16> + '_ {
        let count = match &self.kind {
            Kind::Any | Kind::Nowhere => 0,
            Kind::Range { pairs, .. } => u32::from(*pairs),
            Kind::Listed(ports) => ports.len() as u32,
        };
        (0..count).filter_map(move |step| {
            let place = (u64::from(start) + u64::from(step)) % u64::from(count);
            match &self.kind {
                Kind::Any | Kind::Nowhere => None,
                Kind::Range { first, .. } => u16::try_from(u64::from(*first) + 2 * place).ok(),
                Kind::Listed(ports) => ports.get(place as usize).copied(),
            }
        })
    }

    /// Whether there are no sockets.
    pub(super) const fn is_nowhere(&self) -> bool {
        matches!(self.kind, Kind::Nowhere)
    }

    /// Whether the system chooses.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        matches!(self.kind, Kind::Any)
    }

    /// Checks that signalling at `sip` leaves the listed ports free (PAA-003, PAA-021): neither is it at one, nor at the
    /// RTCP port above one. Of a range single ports may be taken; calls pass over them.
    ///
    /// # Errors
    /// It is.
    pub fn check_signalling(&self, sip: &[u16]) -> Result<(), PortPlanError> {
        let Kind::Listed(ports) = &self.kind else { return Ok(()) };
        let taken = |rtp: &u16| sip.iter().find(|sip| **sip == *rtp || **sip == rtp.saturating_add(1));
        match ports.iter().find_map(|rtp| taken(rtp).map(|sip| (*sip, *rtp))) {
            Some((sip, rtp)) => Err(PortPlanError::Signalling { sip, rtp }),
            None => Ok(()),
        }
    }
}

/// What a telephone's settings allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRules {
    /// The lowest port of RTP.
    pub least: u16,
    /// The highest.
    pub most: u16,
    /// How far the ends of a range are apart at least.
    pub distance: u16,
    /// Whether the ends have to be even.
    pub even: bool,
    /// Channels that may have an external port each.
    pub channels: usize,
}

impl PortRules {
    /// Panasonic KX-UT670: PAA-021, PAA-066, PAA-067.
    pub const UT670: Self = Self { least: 1024, most: 49_150, distance: 400, even: true, channels: 25 };
    /// Dinstar C60S: DIN-103.
    pub const C60S: Self = Self { least: 1024, most: u16::MAX, distance: 1, even: false, channels: 0 };

    /// A range of ports.
    ///
    /// # Errors
    /// It is not as the rules want it.
    pub fn range(&self, min: u16, max: u16) -> Result<PortPlan, PortPlanError> {
        self.check(min)?;
        self.check(max)?;
        if max.checked_sub(min).is_none_or(|between| between < self.distance) {
            return Err(PortPlanError::TooNarrow { min, max, distance: self.distance });
        }
        // The last pair begins with the highest port, where that is even.
        PortPlan::within(&(min..=if self.even { max.saturating_add(1) } else { max }))
    }

    /// The ports that the router in front of us forwards, one for each channel; 0 says that a channel has none. If none
    /// has, `otherwise` counts; if all have, they replace it.
    ///
    /// # Errors
    /// Some have one and others none, one is odd, out of range or there twice, or there are too few or too many.
    pub fn external(&self, ports: &[u16], otherwise: PortPlan) -> Result<PortPlan, PortPlanError> {
        if ports.iter().all(|port| *port == 0) {
            return Ok(otherwise);
        }
        if ports.len() != self.channels {
            return Err(PortPlanError::Count { got: ports.len(), expected: self.channels });
        }
        if let Some(place) = ports.iter().position(|port| *port == 0) {
            return Err(PortPlanError::AllOrNone { channel: place + 1 });
        }
        for (place, port) in ports.iter().enumerate() {
            self.check(*port)?;
            if port % 2 == 1 {
                return Err(PortPlanError::Odd(*port));
            }
            if ports.iter().skip(place + 1).any(|other| other == port) {
                return Err(PortPlanError::Twice(*port));
            }
        }
        Ok(PortPlan { kind: Kind::Listed(ports.to_vec()) })
    }

    const fn check(&self, port: u16) -> Result<(), PortPlanError> {
        if port < self.least || port > self.most {
            return Err(PortPlanError::Outside { port, least: self.least, most: self.most });
        }
        if self.even && port % 2 == 1 {
            return Err(PortPlanError::Odd(port));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const RULES: PortRules = PortRules::UT670;

    fn ports() -> Vec<u16> {
        (0..25).map(|channel| 30_000 + 10 * channel).collect()
    }

    #[test]
    fn a_range_has_even_ends_in_bounds_and_400_apart() {
        assert_eq!(RULES.range(16_000, 20_000).unwrap().pairs(0).count(), 2001);
        assert_eq!(RULES.range(16_000, 16_400).unwrap().pairs(0).last(), Some(16_400));
        assert_eq!(RULES.range(16_001, 20_000), Err(PortPlanError::Odd(16_001)));
        assert_eq!(RULES.range(16_000, 20_001), Err(PortPlanError::Odd(20_001)));
        let narrow = PortPlanError::TooNarrow { min: 16_000, max: 16_398, distance: 400 };
        assert_eq!(RULES.range(16_000, 16_398), Err(narrow));
        assert!(matches!(RULES.range(20_000, 16_000), Err(PortPlanError::TooNarrow { .. })));
        assert!(matches!(RULES.range(1022, 20_000), Err(PortPlanError::Outside { port: 1022, .. })));
        assert!(matches!(RULES.range(48_750, 49_152), Err(PortPlanError::Outside { port: 49_152, .. })));
        assert!(RULES.range(48_750, 49_150).is_ok());
        assert_eq!(PortRules::C60S.range(11_800, 12_000).unwrap().pairs(0).count(), 100);
        assert_eq!(PortRules::C60S.range(11_801, 12_001).unwrap().pairs(0).next(), Some(11_802));
    }

    #[test]
    fn external_ports_are_all_or_none_unique_and_even_and_replace_the_range() {
        let range = RULES.range(16_000, 20_000).unwrap();
        let with = |change: fn(&mut Vec<u16>)| {
            let mut ports = ports();
            change(&mut ports);
            RULES.external(&ports, range.clone())
        };
        assert_eq!(RULES.external(&[0; 25], range.clone()), Ok(range.clone()));
        assert_eq!(with(|_| {}).unwrap().pairs(3).next(), Some(30_030));
        assert_eq!(with(|_| {}).unwrap().pairs(24).collect::<Vec<_>>()[..2], [30_240, 30_000]);
        assert_eq!(with(|ports| ports[7] = 0), Err(PortPlanError::AllOrNone { channel: 8 }));
        assert_eq!(with(|ports| ports[7] = 30_001), Err(PortPlanError::Odd(30_001)));
        assert_eq!(with(|ports| ports[24] = 30_000), Err(PortPlanError::Twice(30_000)));
        assert_eq!(with(|ports| ports.truncate(24)), Err(PortPlanError::Count { got: 24, expected: 25 }));
        assert!(matches!(with(|ports| ports[0] = 50_000), Err(PortPlanError::Outside { .. })));
    }

    #[test]
    fn signalling_is_neither_at_a_listed_port_nor_at_its_rtcp() {
        let range = RULES.range(4000, 6000).unwrap();
        assert_eq!(range.check_signalling(&[5060, 5070]), Ok(()));
        let mut listed = ports();
        listed[0] = 5060;
        let plan = RULES.external(&listed, range).unwrap();
        assert_eq!(plan.check_signalling(&[5058, 5062, 5070]), Ok(()));
        assert_eq!(plan.check_signalling(&[5060]), Err(PortPlanError::Signalling { sip: 5060, rtp: 5060 }));
        // A port that is one less than an odd SIP port.
        assert_eq!(plan.check_signalling(&[5061]), Err(PortPlanError::Signalling { sip: 5061, rtp: 5060 }));
    }

    #[test]
    fn any_range_is_cut_to_whole_pairs() {
        let within = |range: RangeInclusive<u16>| {
            PortPlan::within(&range).map(|plan| plan.pairs(0).collect::<Vec<_>>())
        };
        assert_eq!(within(9..=14), Ok(vec![10, 12]));
        assert_eq!(within(10..=13), Ok(vec![10, 12]));
        assert_eq!(within(65_533..=65_535), Ok(vec![65_534]));
        assert!(within(11..=12).is_err() && within(65_535..=65_535).is_err() && within(0..=65_535).is_ok());
        assert_eq!(PortPlan::any().pairs(7).next(), None);
    }

    #[test]
    fn every_port_is_tried_once_wherever_one_begins() {
        for (min, size, start) in [(1, 2, 0), (30_001, 499, u32::MAX), (30_000, 7, 12_345), (65_400, 200, 77)]
        {
            let range = min..=u16::saturating_add(min, size);
            let mut tried: Vec<u16> = PortPlan::within(&range).unwrap().pairs(start).collect();
            tried.sort_unstable();
            let whole = |port: &u16| {
                port.is_multiple_of(2) && port.checked_add(1).is_some_and(|rtcp| range.contains(&rtcp))
            };
            assert_eq!(tried, range.clone().filter(whole).collect::<Vec<_>>());
        }
    }
}
