//! Reading RTCP: a datagram is checked as a whole (RFC 3550 §A.2), then its packets are looked at in place.

use super::{BLOCK, BYE, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo};

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
    /// The first packet is no report.
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
}

/// A datagram with at least one report.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    octets: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks a datagram.
    ///
    /// # Errors
    /// It is not RTCP as RFC 3550 §6.1 has it.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = datagram;
        loop {
            let at = datagram.len() - rest.len();
            let (packet, after) = split(rest, at)?;
            if at == 0 && ![SENDER_REPORT, RECEIVER_REPORT].contains(&packet.kind) {
                return Err(RtcpError::First { packet_type: packet.kind });
            }
            if after.is_empty() {
                return Ok(Self { octets: datagram });
            }
            rest = after;
        }
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
    /// A source ends (§6.6).
    Bye {
        /// Who, the first of those listed.
        ssrc: Option<u32>,
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
    /// What it says; 1 is the canonical name.
    pub kind: u8,
    /// The text, UTF-8 if the peer keeps to §6.5.
    pub text: &'a [u8],
}

impl SdesItem<'_> {
    /// The canonical name (RFC 3550 §6.5.1).
    pub const CNAME: u8 = 1;
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

/// A packet cut out by its length field.
struct Raw<'a> {
    kind: u8,
    count: u8,
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
    let padding = if padded { body.last().copied().unwrap_or(1).max(1) } else { 0 };
    let body = body.len().checked_sub(padding.into()).and_then(|length| body.get(..length)).ok_or(wrong)?;
    Ok((Raw { kind: *kind, count: first & 31, body }, rest))
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
            BYE => {
                let listed = self.body.first_chunk::<4>().filter(|_| self.count > 0);
                Some(RtcpPacket::Bye { ssrc: listed.map(|ssrc| u32::from_be_bytes(*ssrc)) })
            }
            _ => None,
        }
    }

    fn blocks(&self, octets: &'a [u8]) -> ReportBlocks<'a> {
        let most = usize::from(self.count) * BLOCK;
        ReportBlocks { octets: octets.get(..most).unwrap_or(octets) }
    }
}
