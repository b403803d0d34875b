//! Packets that wait to be sent, in memory taken once.

use super::secure::Protection;
use super::{Channel, MediaTransmit};
use core::net::{Ipv4Addr, SocketAddr};

/// The most octets of a packet: what passes every IPv6 path, less the headers.
pub(super) const MAX_PACKET: usize = 1232;
/// Packets that wait at most; a driver that does not fetch them loses the oldest.
const PACKETS: usize = 8;

#[derive(Clone, Debug)]
struct Slot {
    channel: Channel,
    destination: SocketAddr,
    length: usize,
    octets: [u8; MAX_PACKET],
}

#[derive(Debug)]
pub(super) struct Outbox {
    slots: Vec<Slot>,
    protection: Protection,
    /// RTCP leaves from the socket of RTP (RFC 5761).
    mux: bool,
    first: usize,
    count: usize,
}

impl Outbox {
    pub(super) fn new() -> Self {
        let slot = Slot {
            channel: Channel::Rtp,
            destination: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            length: 0,
            octets: [0; MAX_PACKET],
        };
        Self { slots: vec![slot; PACKETS], protection: Protection::default(), mux: false, first: 0, count: 0 }
    }

    /// How packets are protected from now on.
    pub(super) const fn protection(&mut self) -> &mut Protection {
        &mut self.protection
    }

    /// Whether RTCP leaves from the socket of RTP from now on.
    pub(super) const fn set_mux(&mut self, mux: bool) {
        self.mux = mux;
    }

    /// A datagram without content, which nothing protects.
    pub(super) fn push_empty(&mut self, destination: SocketAddr) {
        self.make_room();
        if let Some(slot) = self.slots.get_mut((self.first + self.count) % PACKETS) {
            (slot.channel, slot.destination, slot.length) = (Channel::Rtp, destination, 0);
            self.count += 1;
        }
    }

    /// The oldest goes if there is no room for another.
    const fn make_room(&mut self) {
        if self.count == PACKETS {
            self.first = (self.first + 1) % PACKETS;
            self.count -= 1;
        }
    }

    /// Lets `write` make a packet; it returns the octets, or nothing if there is none to send after all.
    pub(super) fn push(
        &mut self,
        channel: Channel,
        destination: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        self.make_room();
        let Some(slot) = self.slots.get_mut((self.first + self.count) % PACKETS) else { return };
        let room = MAX_PACKET.saturating_sub(self.protection.overhead(channel));
        let length = slot.octets.get_mut(..room).and_then(write);
        let length = length.and_then(|length| self.protection.protect(channel, &mut slot.octets, length));
        if let Some(length) = length {
            (slot.channel, slot.destination, slot.length) = (channel, destination, length);
            self.count += 1;
        }
    }

    pub(super) fn pop(&mut self) -> Option<MediaTransmit<'_>> {
        if self.count == 0 {
            return None;
        }
        let slot = self.slots.get(self.first)?;
        self.first = (self.first + 1) % PACKETS;
        self.count -= 1;
        let payload = slot.octets.get(..slot.length)?;
        let channel = if self.mux { Channel::Rtp } else { slot.channel };
        Some(MediaTransmit { channel, destination: slot.destination, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_in_order_and_the_oldest_goes_when_nobody_fetches() {
        let mut outbox = Outbox::new();
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
        for i in 0..10 {
            outbox.push(Channel::Rtcp, to, |out| {
                out[0] = i;
                Some(1)
            });
        }
        outbox.push(Channel::Rtp, to, |_| None);
        for i in 3..10 {
            let next = MediaTransmit { channel: Channel::Rtcp, destination: to, payload: &[i] };
            assert_eq!(outbox.pop(), Some(next));
        }
        assert_eq!(outbox.pop(), None);
    }
}
