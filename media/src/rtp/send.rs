//! Our own source: numbers and stamps what we send.

use super::{HEADER, Packet, RtpError};
use crate::redundancy::RedundantSender;
use sidetone_hal::rng::Rng;

/// SSRC, sequence number and timestamp of what we send; each begins at random (RFC 3550 §5.1).
#[derive(Clone, Debug)]
pub struct Sender {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    packets: u64,
    octets: u64,
    /// Packets repeat those before them, under this payload type (RFC 2198).
    redundancy: Option<(u8, u8, RedundantSender)>,
}

impl Sender {
    /// A source with a random beginning.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            ssrc: rng.next_u32(),
            // In the lower half, so that who misses the first packets of SRTP still knows that none has rolled over.
            sequence: rng.next_u32() as u16 >> 1,
            timestamp: rng.next_u32(),
            packets: 0,
            octets: 0,
            redundancy: None,
        }
    }

    /// Who we are.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Takes another SSRC: the other side has chosen the same (RFC 3550 §8.2).
    pub fn change_ssrc(&mut self, rng: &mut Rng) {
        self.ssrc = rng.next_u32();
        (self.packets, self.octets) = (0, 0);
        if let Some((_, _, redundancy)) = &mut self.redundancy {
            redundancy.reset();
        }
    }

    /// Packets repeat the payloads of so many before them, under a payload type of their own (RFC 2198); or, with none,
    /// stand for themselves.
    pub fn set_redundancy(&mut self, payload_type_and_generations: Option<(u8, u8)>) {
        let now =
            self.redundancy.as_ref().map(|(payload_type, generations, _)| (*payload_type, *generations));
        if now != payload_type_and_generations {
            self.redundancy = payload_type_and_generations.map(|(payload_type, generations)| {
                (payload_type, generations, RedundantSender::new(generations))
            });
        }
    }

    /// The timestamp of now.
    #[must_use]
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Time passes, whether or not something is sent.
    pub const fn advance(&mut self, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }

    /// Packets sent since the SSRC was taken.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Octets of payload sent since the SSRC was taken.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Writes the next packet into `out`: `payload`, stamped `timestamp`.
    ///
    /// # Errors
    /// It does not fit; nothing is counted then.
    pub fn write(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, RtpError> {
        let packet =
            Packet { payload_type, marker, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload };
        let octets = match &mut self.redundancy {
            Some((red, _, redundancy)) if !payload.is_empty() => {
                let unwritable =
                    RtpError::Unwritable { payload_type, needed: HEADER + 1 + payload.len(), got: out.len() };
                let (header, body) = out.split_at_mut_checked(HEADER).ok_or(unwritable)?;
                let body = redundancy.write(payload_type, self.sequence, timestamp, payload, body);
                let body = body.ok_or(unwritable)?;
                Packet { payload_type: *red, payload: &[], ..packet }.write(header)? + body
            }
            _ => packet.write(out)?,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += (octets - HEADER) as u64;
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redundancy::blocks;

    #[test]
    fn with_redundancy_each_packet_has_the_one_before_it() {
        let mut sender = Sender::new(&mut Rng::from_u64(1));
        sender.set_redundancy(Some((121, 1)));
        let mut out = [0; 100];
        for i in 0..5_u8 {
            let stamp = sender.timestamp();
            let octets = sender.write(8, i == 0, stamp, &[i; 10], &mut out).unwrap();
            let packet = Packet::parse(&out[..octets]).unwrap();
            assert_eq!((packet.payload_type, packet.timestamp, packet.marker), (121, stamp, i == 0));
            let blocks: Vec<_> = blocks(packet.payload).unwrap().map(|block| block.payload[0]).collect();
            assert_eq!(blocks, if i == 0 { vec![0] } else { vec![i - 1, i] });
            sender.advance(160);
        }
        assert_eq!(
            sender.write(8, false, 0, &[0; 90], &mut out).unwrap_err(),
            RtpError::Unwritable { payload_type: 8, needed: 103, got: 100 }
        );
        sender.set_redundancy(None);
        let octets = sender.write(8, false, 0, &[9; 10], &mut out).unwrap();
        assert_eq!(Packet::parse(&out[..octets]).unwrap().payload_type, 8);
    }
}
