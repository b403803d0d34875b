//! Packets that wait to be sent, in memory taken once.

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

#[derive(Clone, Debug)]
pub(super) struct Outbox {
    slots: Vec<Slot>,
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
        Self { slots: vec![slot; PACKETS], first: 0, count: 0 }
    }

    /// Lets `write` make a packet; it returns the octets, or nothing if there is none to send after all.
    pub(super) fn push(
        &mut self,
        channel: Channel,
        destination: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        if self.count == PACKETS {
            self.first = (self.first + 1) % PACKETS;
            self.count -= 1;
        }
        let Some(slot) = self.slots.get_mut((self.first + self.count) % PACKETS) else { return };
        if let Some(length) = write(&mut slot.octets) {
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
        Some(MediaTransmit { channel: slot.channel, destination: slot.destination, payload })
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
