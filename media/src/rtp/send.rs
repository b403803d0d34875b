//! Our own source: numbers and stamps what we send.

use super::{HEADER, Packet, RtpError};
use sidetone_hal::rng::Rng;

/// SSRC, sequence number and timestamp of what we send; each begins at random (RFC 3550 §5.1).
#[derive(Clone, Debug)]
pub struct Sender {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    packets: u64,
    octets: u64,
}

impl Sender {
    /// A source with a random beginning.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            ssrc: rng.next_u32(),
            sequence: rng.next_u32() as u16,
            timestamp: rng.next_u32(),
            packets: 0,
            octets: 0,
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
        let octets = packet.write(out)?;
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += (octets - HEADER) as u64;
        Ok(octets)
    }
}
