//! Storage: packets that wait for their time, in the order of their numbers, without allocation.

/// The octets of the longest payload kept: 60 ms of 16-bit samples at 8 kHz, or 120 ms of G.711.
pub const MAX_PAYLOAD: usize = 960;
/// Packets kept: over half a second at 10 ms each.
pub const MAX_PACKETS: usize = 64;

/// What is known of a packet that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Its number, counted on beyond 16 bits.
    pub sequence: u64,
    /// The place of its first sample on the time line, in samples.
    pub position: i64,
    /// Which decoder it is for.
    pub payload_type: u8,
}

/// What became of a packet that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It waits.
    Yes,
    /// It waits, and the oldest had to go for it.
    OldestDropped,
    /// One with the same number waits already.
    Duplicate,
    /// It is longer than [`MAX_PAYLOAD`].
    TooLong,
}

#[derive(Clone, Debug)]
struct Slot {
    waiting: Waiting,
    length: usize,
    octets: [u8; MAX_PAYLOAD],
}

/// Packets in order. All memory is taken when it is made.
#[derive(Clone, Debug)]
pub struct Buffer {
    slots: Vec<Slot>,
    /// Indices of `slots` that hold packets, the first to be played in front.
    order: Vec<u8>,
    free: Vec<u8>,
}

impl Buffer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        let slot = Slot { waiting: Waiting::default(), length: 0, octets: [0; MAX_PAYLOAD] };
        Self {
            slots: vec![slot; MAX_PACKETS],
            order: Vec::with_capacity(MAX_PACKETS),
            free: (0..MAX_PACKETS as u8).collect(),
        }
    }

    /// Packets that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Puts a packet in its place.
    pub fn insert(&mut self, waiting: Waiting, payload: &[u8]) -> Stored {
        if payload.len() > MAX_PAYLOAD {
            return Stored::TooLong;
        }
        let number = |index: &u8| self.slots.get(usize::from(*index)).map(|slot| slot.waiting.sequence);
        let Err(mut place) = self.order.binary_search_by_key(&Some(waiting.sequence), number) else {
            return Stored::Duplicate;
        };
        let mut stored = Stored::Yes;
        if self.free.is_empty() {
            self.drop_first();
            place = place.saturating_sub(1);
            stored = Stored::OldestDropped;
        }
        let Some(index) = self.free.pop() else { return stored };
        if let Some(slot) = self.slots.get_mut(usize::from(index)) {
            slot.waiting = waiting;
            slot.length = payload.len();
            for (place, octet) in slot.octets.iter_mut().zip(payload) {
                *place = *octet;
            }
        }
        self.order.insert(place, index);
        stored
    }

    /// The packet that comes first, and its payload.
    #[must_use]
    pub fn first(&self) -> Option<(Waiting, &[u8])> {
        let slot = self.slots.get(usize::from(*self.order.first()?))?;
        Some((slot.waiting, slot.octets.get(..slot.length)?))
    }

    /// The place of the packet that comes last.
    #[must_use]
    pub fn last(&self) -> Option<Waiting> {
        self.slots.get(usize::from(*self.order.last()?)).map(|slot| slot.waiting)
    }

    /// Forgets the packet that comes first.
    pub fn drop_first(&mut self) {
        if !self.order.is_empty() {
            self.free.push(self.order.remove(0));
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.free.append(&mut self.order);
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(sequence: u64) -> Waiting {
        Waiting { sequence, position: sequence as i64 * 160, payload_type: 0 }
    }

    #[test]
    fn packets_come_out_in_order_whatever_the_order_they_came_in() {
        let mut buffer = Buffer::new();
        for sequence in [5, 3, 4, 9, 1] {
            assert_eq!(buffer.insert(waiting(sequence), &[sequence as u8]), Stored::Yes);
        }
        assert_eq!(buffer.insert(waiting(4), &[]), Stored::Duplicate);
        assert_eq!(buffer.insert(waiting(6), &[0; MAX_PAYLOAD + 1]), Stored::TooLong);
        for sequence in [1, 3, 4, 5, 9] {
            assert_eq!(buffer.first(), Some((waiting(sequence), &[sequence as u8][..])));
            buffer.drop_first();
        }
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_full_buffer_drops_its_oldest() {
        let mut buffer = Buffer::new();
        for sequence in 0..MAX_PACKETS as u64 {
            assert_eq!(buffer.insert(waiting(sequence), &[]), Stored::Yes);
        }
        assert_eq!(buffer.insert(waiting(1000), &[7]), Stored::OldestDropped);
        assert_eq!((buffer.len(), buffer.first().unwrap().0), (MAX_PACKETS, waiting(1)));
        assert_eq!(buffer.last(), Some(waiting(1000)));
        buffer.clear();
        assert!(buffer.is_empty() && buffer.insert(waiting(2), &[]) == Stored::Yes);
    }
}
