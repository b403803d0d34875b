//! Reading RTCP: a datagram is checked as a whole (RFC 3550 §A.2), then its packets are looked at in place.

use super::xr::XrBlocks;
use super::{
    APPLICATION, BLOCK, BYE, EXTENDED_REPORT, RECEIVER_REPORT, ReportBlock, SENDER_REPORT,
    SOURCE_DESCRIPTION, SenderInfo,
};

/// Why a datagram is no RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtcpError {
    /// Another version than 2.
    #[error("RTCP version {version} at octet {at}, expected 2")]
    Version {
        /// Where the packet begins.
        at: usize,
        /// What it says.
        version: u8,
    },
    /// The first packet is no report, or of no type that RTCP has.
    #[error("RTCP begins with packet type {packet_type}, expected a report (200 or 201)")]
    First {
        /// What it is.
        packet_type: u8,
    },
    /// A packet announces more than there is, or less than its type needs.
    #[error("an RTCP packet of {announced} octets at octet {at}, where {left} are left")]
    Length {
        /// Where the packet begins.
        at: usize,
        /// Octets by its length field.
        announced: usize,
        /// Octets to the end of the datagram.
        left: usize,
    },
    /// A packet has padding and is not the last of the compound.
    #[error("the RTCP packet at octet {at} is padded and not the last")]
    Padding {
        /// Where the packet begins.
        at: usize,
    },
    /// The padding of a packet is no multiple of four octets, or more than there is.
    #[error(
        "the RTCP packet at octet {at} says that its last {count} octets are padding, expected 4, 8 ... up to {most}"
    )]
    PaddingCount {
        /// Where the packet begins.
        at: usize,
        /// Its last octet.
        count: u8,
        /// Octets behind its first four.
        most: usize,
    },
}

/// A datagram of one or more RTCP packets.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    octets: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks a datagram by the rules for compounds: it begins with a report, and only its last packet is padded.
    ///
    /// # Errors
    /// It is not RTCP as RFC 3550 §6.1 has it.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        let compound = Self::parse_reduced(datagram)?;
        match datagram.get(1) {
            Some(&(SENDER_REPORT | RECEIVER_REPORT)) => Ok(compound),
            kind => Err(RtcpError::First { packet_type: kind.copied().unwrap_or_default() }),
        }
    }

    /// Checks a datagram that may as well be of reduced size: one that begins with a packet of any type (RFC 5506).
    ///
    /// # Errors
    /// It is not RTCP.
    pub fn parse_reduced(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = datagram;
        loop {
            let at = datagram.len() - rest.len();
            let (packet, after) = split(rest, at)?;
            // RFC 5761 §4: the types that RTCP has, and may have.
            if !(192..=223).contains(&packet.kind) {
                return Err(RtcpError::First { packet_type: packet.kind });
            }
            if after.is_empty() {
                return Ok(Self { octets: datagram });
            }
            if packet.padded {
                return Err(RtcpError::Padding { at });
            }
            rest = after;
        }
    }

    /// Whether it is of reduced size: no report leads it (RFC 5506 §4).
    #[must_use]
    pub fn is_reduced(&self) -> bool {
        !matches!(self.octets.get(1), Some(&(SENDER_REPORT | RECEIVER_REPORT)))
    }

    /// The packets of the types that we know; others, and such as are shorter than their type needs, are skipped.
    pub fn packets(self) -> impl Iterator<Item = RtcpPacket<'a>> {
        let mut rest = self.octets;
        core::iter::from_fn(move || {
            let (packet, after) = split(rest, 0).ok()?;
            rest = after;
            Some(packet)
        })
        .filter_map(|packet| packet.read())
    }
}

/// One packet of a compound.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RtcpPacket<'a> {
    /// From one who sends media (RFC 3550 §6.4.1).
    SenderReport {
        /// Who.
        ssrc: u32,
        /// What it sent.
        info: SenderInfo,
        /// What it received.
        blocks: ReportBlocks<'a>,
    },
    /// From one who does not (§6.4.2).
    ReceiverReport {
        /// Who.
        ssrc: u32,
        /// What it received.
        blocks: ReportBlocks<'a>,
    },
    /// Names (§6.5).
    SourceDescription(SdesItems<'a>),
    /// Sources end (§6.6).
    Bye(Bye<'a>),
    /// Something that an application defines (§6.7).
    Application {
        /// From whom.
        ssrc: u32,
        /// A number that the name gives a meaning, 0 to 31.
        subtype: u8,
        /// Four characters of ASCII.
        name: [u8; 4],
        /// A whole number of words.
        data: &'a [u8],
    },
    /// An extended report (RFC 3611 §2).
    ExtendedReport {
        /// From whom.
        ssrc: u32,
        /// What it says.
        blocks: XrBlocks<'a>,
    },
}

/// The report blocks of a report.
#[derive(Clone, Debug)]
pub struct ReportBlocks<'a> {
    octets: &'a [u8],
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.octets.split_first_chunk::<BLOCK>()?;
        self.octets = rest;
        let mut words = block.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word));
        let ssrc = words.next()?;
        let loss = words.next()?;
        Some(ReportBlock {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            // 24 bits with sign.
            cumulative_lost: ((loss << 8) as i32) >> 8,
            highest_sequence: words.next()?,
            jitter: words.next()?,
            last_sender_report: words.next()?,
            delay_since_last_sender_report: words.next()?,
        })
    }
}

/// One item of a source description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// Whom it describes.
    pub ssrc: u32,
    /// What it says: one of the constants of this type, or an item that we do not know.
    pub kind: u8,
    /// The text, UTF-8 if the peer keeps to §6.5.
    pub text: &'a [u8],
}

impl<'a> SdesItem<'a> {
    /// The canonical name (RFC 3550 §6.5.1).
    pub const CNAME: u8 = 1;
    /// The user's name (§6.5.2).
    pub const NAME: u8 = 2;
    /// An e-mail address (§6.5.3).
    pub const EMAIL: u8 = 3;
    /// A telephone number (§6.5.4).
    pub const PHONE: u8 = 4;
    /// Where the user is (§6.5.5).
    pub const LOC: u8 = 5;
    /// The program (§6.5.6).
    pub const TOOL: u8 = 6;
    /// What the user does at the moment (§6.5.7).
    pub const NOTE: u8 = 7;
    /// Anything private (§6.5.8).
    pub const PRIV: u8 = 8;

    /// The prefix and the value of a private item.
    #[must_use]
    pub fn private(&self) -> Option<(&'a [u8], &'a [u8])> {
        let (&length, rest) = self.text.split_first().filter(|_| self.kind == Self::PRIV)?;
        rest.split_at_checked(length.into())
    }
}

/// The items of a source description, those of all its chunks.
#[derive(Clone, Debug)]
pub struct SdesItems<'a> {
    octets: &'a [u8],
    ssrc: Option<u32>,
}

impl<'a> Iterator for SdesItems<'a> {
    type Item = SdesItem<'a>;

    fn next(&mut self) -> Option<SdesItem<'a>> {
        loop {
            let Some(ssrc) = self.ssrc else {
                let (ssrc, rest) = self.octets.split_first_chunk::<4>()?;
                self.ssrc = Some(u32::from_be_bytes(*ssrc));
                self.octets = rest;
                continue;
            };
            let (&kind, rest) = self.octets.split_first()?;
            if kind == 0 {
                // The chunk is filled with zeros to a whole word; chunks begin at whole words.
                let fill = self.octets.len() % 4;
                self.octets = self.octets.get(if fill == 0 { 4 } else { fill }..)?;
                self.ssrc = None;
                continue;
            }
            let (&length, rest) = rest.split_first()?;
            let (text, rest) = rest.split_at_checked(length.into())?;
            self.octets = rest;
            return Some(SdesItem { ssrc, kind, text });
        }
    }
}

/// A farewell (RFC 3550 §6.6).
#[derive(Clone, Copy, Debug)]
pub struct Bye<'a> {
    sources: &'a [u8],
    reason: &'a [u8],
}

impl<'a> Bye<'a> {
    fn read(count: u8, body: &'a [u8]) -> Option<Self> {
        let (sources, rest) = body.split_at_checked(usize::from(count) * 4)?;
        let reason = rest.split_first().and_then(|(&length, text)| text.get(..usize::from(length)));
        Some(Self { sources, reason: reason.unwrap_or_default() })
    }

    /// Who leaves.
    pub fn sources(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.sources.as_chunks::<4>().0.iter().map(|ssrc| u32::from_be_bytes(*ssrc))
    }

    /// Why, in UTF-8 if the peer keeps to §6.6; empty if it does not say.
    #[must_use]
    pub const fn reason(&self) -> &'a [u8] {
        self.reason
    }
}

/// A packet cut out by its length field.
struct Raw<'a> {
    kind: u8,
    count: u8,
    padded: bool,
    body: &'a [u8],
}

fn split(octets: &[u8], at: usize) -> Result<(Raw<'_>, &[u8]), RtcpError> {
    let left = octets.len();
    let short = RtcpError::Length { at, announced: 4, left };
    let ([first, kind, high, low], _) = octets.split_first_chunk::<4>().ok_or(short)?;
    if first >> 6 != 2 {
        return Err(RtcpError::Version { at, version: first >> 6 });
    }
    let announced = (usize::from(u16::from_be_bytes([*high, *low])) + 1) * 4;
    let wrong = RtcpError::Length { at, announced, left };
    let (packet, rest) = octets.split_at_checked(announced).ok_or(wrong)?;
    let body = packet.get(4..).unwrap_or_default();
    let padded = first & 0x20 != 0;
    let mut length = body.len();
    if padded {
        let count = body.last().copied().unwrap_or_default();
        let wrong = RtcpError::PaddingCount { at, count, most: length };
        // RFC 3550 §6.4.1: the count takes itself in and is a multiple of four.
        length =
            length.checked_sub(count.into()).filter(|_| count > 0 && count.is_multiple_of(4)).ok_or(wrong)?;
    }
    let body = body.get(..length).unwrap_or_default();
    Ok((Raw { kind: *kind, count: first & 31, padded, body }, rest))
}

impl<'a> Raw<'a> {
    fn read(&self) -> Option<RtcpPacket<'a>> {
        match self.kind {
            SENDER_REPORT => {
                let (ssrc, rest) = self.body.split_first_chunk::<4>()?;
                let (ntp, rest) = rest.split_first_chunk::<8>()?;
                let (rtp_timestamp, rest) = rest.split_first_chunk::<4>()?;
                let (packets, rest) = rest.split_first_chunk::<4>()?;
                let (octets, rest) = rest.split_first_chunk::<4>()?;
                let info = SenderInfo {
                    ntp: u64::from_be_bytes(*ntp),
                    rtp_timestamp: u32::from_be_bytes(*rtp_timestamp),
                    packets: u32::from_be_bytes(*packets),
                    octets: u32::from_be_bytes(*octets),
                };
                Some(RtcpPacket::SenderReport {
                    ssrc: u32::from_be_bytes(*ssrc),
                    info,
                    blocks: self.blocks(rest),
                })
            }
            RECEIVER_REPORT => {
                let (ssrc, rest) = self.body.split_first_chunk::<4>()?;
                Some(RtcpPacket::ReceiverReport {
                    ssrc: u32::from_be_bytes(*ssrc),
                    blocks: self.blocks(rest),
                })
            }
            SOURCE_DESCRIPTION => {
                Some(RtcpPacket::SourceDescription(SdesItems { octets: self.body, ssrc: None }))
            }
            BYE => Bye::read(self.count, self.body).map(RtcpPacket::Bye),
            APPLICATION => {
                let (ssrc, rest) = self.body.split_first_chunk::<4>()?;
                let (name, data) = rest.split_first_chunk::<4>()?;
                let ssrc = u32::from_be_bytes(*ssrc);
                Some(RtcpPacket::Application { ssrc, subtype: self.count, name: *name, data })
            }
            EXTENDED_REPORT => {
                let (ssrc, octets) = self.body.split_first_chunk::<4>()?;
                let ssrc = u32::from_be_bytes(*ssrc);
                Some(RtcpPacket::ExtendedReport { ssrc, blocks: XrBlocks { octets } })
            }
            _ => None,
        }
    }

    fn blocks(&self, octets: &'a [u8]) -> ReportBlocks<'a> {
        let most = usize::from(self.count) * BLOCK;
        ReportBlocks { octets: octets.get(..most).unwrap_or(octets) }
    }
}
