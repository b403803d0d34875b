//! Storage: packets that wait for their time, in the order of their speech, without allocation.

/// Packets kept at most: over half a second at 5 ms each.
pub const MAX_PACKETS: usize = 128;
/// The longest packet, in milliseconds of uncompressed speech.
pub const MAX_PACKET_MILLIS: usize = 200;
/// All payloads together at most, in milliseconds of uncompressed speech; of G.711 twice as long, of G.729
/// sixteen times.
pub const MAX_MILLIS: usize = 800;

/// What is known of a packet that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The place of its first sample on the time line, in samples.
    pub position: i64,
    /// Its number, counted on beyond 16 bits; of a recovered one, that of the packet that brought it.
    pub sequence: u64,
    /// Which decoder it is for: a handle that its owner chose.
    pub codec: u8,
    /// It is a copy that a later packet brought (RFC 2198).
    pub recovered: bool,
    /// No packet is missing between it and the one before.
    pub follows: bool,
}

/// What became of a packet that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It waits.
    Yes,
    /// It waits, and some of the oldest had to go for it: so many.
    OldestDropped(usize),
    /// Speech of the same place waits already.
    Duplicate,
    /// It is longer than a packet of speech can be.
    TooLong,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    waiting: Waiting,
    start: usize,
    length: usize,
}

/// Packets in order. All memory is taken when it is made: [`MAX_PACKETS`] entries and one stretch of octets
/// that payloads are laid into, one behind the other; when its end is reached, what still waits moves to its
/// beginning.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// The first to be played in front.
    entries: Vec<Entry>,
    octets: Vec<u8>,
    /// Octets of the stretch that are laid out, those of forgotten packets too.
    used: usize,
    longest: usize,
}

impl Buffer {
    /// An empty buffer for speech of `sample_rate` samples a second.
    #[must_use]
    pub fn new(sample_rate: u32) -> Self {
        // Nothing is coded in more than 16 bits a sample.
        let octets = |millis: usize| sample_rate as usize * 2 * millis / 1000;
        Self {
            entries: Vec::with_capacity(MAX_PACKETS),
            octets: vec![0; octets(MAX_MILLIS)],
            used: 0,
            longest: octets(MAX_PACKET_MILLIS),
        }
    }

    /// Packets that wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts a packet in its place. One that came by itself takes the place of a recovered copy.
    pub fn insert(&mut self, waiting: Waiting, payload: &[u8]) -> Stored {
        if payload.len() > self.longest {
            return Stored::TooLong;
        }
        let found = self.entries.binary_search_by_key(&waiting.position, |entry| entry.waiting.position);
        let mut place = match found {
            Err(place) => place,
            Ok(place) => match self.entries.get(place) {
                Some(copy) if copy.waiting.recovered && !waiting.recovered => {
                    self.entries.remove(place);
                    place
                }
                _ => return Stored::Duplicate,
            },
        };
        let mut dropped = 0;
        // Even an empty payload has a start of its own.
        let room = payload.len().max(1);
        while self.entries.len() >= MAX_PACKETS || !self.make_room(room) {
            self.drop_first();
            place = place.saturating_sub(1);
            dropped += 1;
        }
        let entry = Entry { waiting, start: self.used, length: payload.len() };
        if let Some(room) = self.octets.get_mut(self.used..self.used + payload.len()) {
            room.copy_from_slice(payload);
        }
        self.used += room;
        self.entries.insert(place, entry);
        if dropped == 0 { Stored::Yes } else { Stored::OldestDropped(dropped) }
    }

    /// The packet that comes first, and its payload.
    #[must_use]
    pub fn first(&self) -> Option<(Waiting, &[u8])> {
        let entry = self.entries.first()?;
        Some((entry.waiting, self.octets.get(entry.start..entry.start + entry.length)?))
    }

    /// The packet that comes last.
    #[must_use]
    pub fn last(&self) -> Option<Waiting> {
        self.entries.last().map(|entry| entry.waiting)
    }

    /// Forgets the packet that comes first.
    pub fn drop_first(&mut self) {
        if !self.entries.is_empty() {
            self.entries.remove(0);
        }
        if self.entries.is_empty() {
            self.used = 0;
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.used = 0;
    }

    /// Whether `length` octets fit behind those in use, after those of forgotten packets were taken out if
    /// need be.
    fn make_room(&mut self, length: usize) -> bool {
        if self.octets.len() - self.used >= length {
            return true;
        }
        // From the lowest start upward nothing is overwritten that is still to be moved. Packets come nearly in
        // order, so the next one is near.
        let mut end = 0;
        let mut from = 0;
        while let Some(entry) =
            self.entries.iter_mut().filter(|entry| entry.start >= from).min_by_key(|entry| entry.start)
        {
            from = entry.start + entry.length.max(1);
            self.octets.copy_within(entry.start..entry.start + entry.length, end);
            entry.start = end;
            end += entry.length.max(1);
        }
        self.used = end;
        self.octets.len() - self.used >= length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(number: u64) -> Waiting {
        Waiting { sequence: number, position: number as i64 * 160, ..Waiting::default() }
    }

    #[test]
    fn packets_come_out_in_order_whatever_the_order_they_came_in() {
        let mut buffer = Buffer::new(8000);
        for number in [5, 3, 4, 9, 1] {
            assert_eq!(buffer.insert(waiting(number), &[number as u8]), Stored::Yes);
        }
        assert_eq!(buffer.insert(waiting(4), &[]), Stored::Duplicate);
        assert_eq!(buffer.insert(waiting(6), &[0; 3201]), Stored::TooLong);
        for number in [1, 3, 4, 5, 9] {
            assert_eq!(buffer.first(), Some((waiting(number), &[number as u8][..])));
            buffer.drop_first();
        }
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_full_buffer_drops_its_oldest() {
        let mut buffer = Buffer::new(8000);
        for number in 0..MAX_PACKETS as u64 {
            assert_eq!(buffer.insert(waiting(number), &[]), Stored::Yes);
        }
        assert_eq!(buffer.insert(waiting(1000), &[7]), Stored::OldestDropped(1));
        assert_eq!((buffer.len(), buffer.first().unwrap().0), (MAX_PACKETS, waiting(1)));
        assert_eq!(buffer.last(), Some(waiting(1000)));
        buffer.clear();
        assert!(buffer.is_empty() && buffer.insert(waiting(2), &[]) == Stored::Yes);
        // Four of the longest fit into 12 800 octets; the fifth drives out what is in its way.
        for number in 3..=6 {
            let stored = buffer.insert(waiting(number), &[9; 3200]);
            assert_eq!(stored, if number < 6 { Stored::Yes } else { Stored::OldestDropped(1) });
        }
        assert_eq!(buffer.insert(waiting(7), &[9; 3200]), Stored::OldestDropped(1));
    }

    #[test]
    fn what_came_by_itself_replaces_a_copy_and_not_the_other_way_round() {
        let mut buffer = Buffer::new(8000);
        let copy = Waiting { recovered: true, sequence: 8, ..waiting(7) };
        assert_eq!(buffer.insert(copy, &[1]), Stored::Yes);
        assert_eq!(buffer.insert(waiting(7), &[2]), Stored::Yes);
        assert_eq!(buffer.insert(copy, &[1]), Stored::Duplicate);
        assert_eq!((buffer.len(), buffer.first()), (1, Some((waiting(7), &[2][..]))));
    }

    #[test]
    fn payloads_stay_what_they_were_wherever_they_are_moved() {
        let mut rng = sidetone_hal::rng::Rng::from_u64(3);
        let mut buffer = Buffer::new(8000);
        let mut number = 0_u64;
        for _ in 0..20_000 {
            number += 1;
            // Out of order by up to eight, of every length.
            let early = number.saturating_sub(rng.below(8).into());
            let length = rng.below(600) as usize;
            buffer.insert(waiting(early), &vec![early as u8; length]);
            while buffer.len() > 12 {
                let (first, payload) = buffer.first().unwrap();
                assert!(payload.iter().all(|octet| *octet == first.sequence as u8));
                buffer.drop_first();
            }
        }
    }
}
