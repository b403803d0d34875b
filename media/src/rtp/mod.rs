//! RTP (RFC 3550): packets, and the two ends of one source.

mod extension;
mod jitter;
mod loss;
mod receive;
mod refusals;
mod send;
mod sequence;

pub use extension::{Elements, Extension, HeaderExtras};
pub use jitter::{JitterMeter, JitterSpread};
pub use receive::{MAX_SOURCES, Received, RemoteSource};
pub use refusals::Refusals;
pub use send::Sender;
pub use sequence::{Arrival, SequenceTracker};

use rtp_rs::{RtpPacketBuilder, RtpReader, Seq};

/// Octets of a header without sources and extension.
pub const HEADER: usize = RtpReader::MIN_HEADER_LEN;

/// What a phone needs of an RTP packet: the header's fields and the payload without padding.
///
/// Contributing sources and header extensions are skipped in what comes, see [`HeaderExtras`], and written by
/// [`write_with`](Self::write_with) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The format of the payload, 0 to 127.
    pub payload_type: u8,
    /// The beginning of a talk spurt (RFC 3551 §4.1) or of a telephone event (RFC 4733 §2.2.2).
    pub marker: bool,
    /// Counts packets, modulo 2¹⁶.
    pub sequence: u16,
    /// The instant of the first sample, in ticks of the format's clock, modulo 2³².
    pub timestamp: u32,
    /// The source that it is from.
    pub ssrc: u32,
    /// The coded speech.
    pub payload: &'a [u8],
}

/// Why a datagram is no RTP packet, or why one cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// The datagram ends inside the header that it announces.
    #[error("an RTP header of {needed} octets in a datagram of {got}")]
    Truncated {
        /// Octets of the header.
        needed: usize,
        /// Octets there are.
        got: usize,
    },
    /// Another version than 2: STUN, DTLS or noise.
    #[error("RTP version {0}, expected 2")]
    Version(u8),
    /// The padding is longer than the payload, or says that it has no octet.
    #[error("RTP padding of {0} octets does not fit")]
    Padding(u8),
    /// The payload type is above 127, or the buffer too short.
    #[error("the RTP packet does not fit: payload type {payload_type}, {needed} octets into {got}")]
    Unwritable {
        /// What was to be written into seven bits.
        payload_type: u8,
        /// Octets of the packet.
        needed: usize,
        /// Octets of the buffer.
        got: usize,
    },
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// It is not RTP.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let reader = reader(datagram)?;
        Ok(Self {
            payload_type: reader.payload_type(),
            marker: reader.mark(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload: reader.payload(),
        })
    }

    /// Writes the packet into the start of `out`; returns its octets.
    ///
    /// # Errors
    /// `out` is too short, or the payload type above 127.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, RtpError> {
        self.write_with(&[], None, out)
    }

    /// Writes the packet with contributing sources, 15 at most, and a header extension (profile, and a whole number of
    /// words of data).
    ///
    /// # Errors
    /// As [`write`](Self::write), and there are too many sources.
    pub fn write_with(
        &self,
        contributors: &[u32],
        extension: Option<(u16, &[u8])>,
        out: &mut [u8],
    ) -> Result<usize, RtpError> {
        let extra = 4 * contributors.len() + extension.map_or(0, |(_, data)| 4 + data.len());
        let unwritable = RtpError::Unwritable {
            payload_type: self.payload_type,
            needed: HEADER + extra + self.payload.len(),
            got: out.len(),
        };
        if contributors.len() > 15 {
            return Err(unwritable);
        }
        let mut builder = RtpPacketBuilder::new()
            .payload_type(self.payload_type)
            .marked(self.marker)
            .sequence(Seq::from(self.sequence))
            .timestamp(self.timestamp)
            .ssrc(self.ssrc)
            .payload(self.payload);
        for ssrc in contributors {
            builder = builder.add_csrc(*ssrc);
        }
        if let Some((profile, data)) = extension {
            builder = builder.extension(profile, data);
        }
        builder.build_into(out).map_err(|_| unwritable)
    }
}

fn reader(datagram: &[u8]) -> Result<RtpReader<'_>, RtpError> {
    use rtp_rs::RtpReaderError as E;
    RtpReader::new(datagram).map_err(|error| match error {
        E::BufferTooShort(got) => RtpError::Truncated { needed: HEADER, got },
        E::UnsupportedVersion(version) => RtpError::Version(version),
        E::HeadersTruncated { header_len, .. } => {
            RtpError::Truncated { needed: header_len, got: datagram.len() }
        }
        E::PaddingLengthInvalid(length) => RtpError::Padding(length),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_survives_writing_and_parsing() {
        let packet = Packet {
            payload_type: 101,
            marker: true,
            sequence: 65_535,
            timestamp: 0xfedc_ba98,
            ssrc: 0x0102_0304,
            payload: &[1, 2, 3],
        };
        let mut out = [0; 15];
        assert_eq!(packet.write(&mut out), Ok(15));
        assert_eq!(Packet::parse(&out), Ok(packet));
        assert_eq!(
            packet.write(&mut out[..14]),
            Err(RtpError::Unwritable { payload_type: 101, needed: 15, got: 14 })
        );
    }

    #[test]
    fn sources_extension_and_padding_are_skipped() {
        let mut datagram = vec![0xb1, 0x80, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2];
        datagram.extend([0, 0, 0, 9]);
        datagram.extend([0xbe, 0xde, 0, 1, 1, 1, 1, 1]);
        datagram.extend([42, 43, 0, 2]);
        let packet = Packet::parse(&datagram).unwrap();
        assert_eq!((packet.payload, packet.marker, packet.sequence), (&[42, 43][..], true, 7));
    }

    #[test]
    fn what_is_not_rtp_is_named() {
        assert_eq!(Packet::parse(&[0x80; 11]), Err(RtpError::Truncated { needed: 12, got: 11 }));
        assert_eq!(Packet::parse(&[0; 20]), Err(RtpError::Version(0)));
        assert_eq!(Packet::parse(&[0x8f; 12]), Err(RtpError::Truncated { needed: 72, got: 12 }));
        let mut padded = [0; 13];
        (padded[0], padded[12]) = (0xa0, 2);
        assert_eq!(Packet::parse(&padded), Err(RtpError::Padding(2)));
    }

    proptest! {
        #[test]
        fn no_datagram_panics(datagram in proptest::collection::vec(any::<u8>(), 0..100), first in 0x80_u8..0xc0) {
            let _ = Packet::parse(&datagram);
            let mut datagram = datagram;
            if let Some(octet) = datagram.first_mut() {
                *octet = first;
            }
            let _ = Packet::parse(&datagram);
        }
    }
}
