//! The order in which the searches keep what belongs to the positions of a subframe: one track after the other, so that
//! the positions of a track are neighbours.
#![expect(clippy::indexing_slicing, reason = "indices bounded by the subframe")]

use super::super::super::SUBFRAME;

/// Tracks of positions: `TRACKS` of them, interleaved.
pub(super) struct Layout<const TRACKS: usize>;

impl<const TRACKS: usize> Layout<TRACKS> {
    /// Positions in a track.
    pub(super) const LENGTH: usize = SUBFRAME / TRACKS;

    /// The slot of each position.
    pub(super) const SLOTS: [u8; SUBFRAME] = {
        let mut slots = [0; SUBFRAME];
        let mut position = 0;
        while position < SUBFRAME {
            slots[position] = (position % TRACKS * Self::LENGTH + position / TRACKS) as u8;
            position += 1;
        }
        slots
    };

    /// The position of a slot.
    #[inline(always)]
    pub(super) const fn position(slot: usize) -> usize {
        slot % Self::LENGTH * TRACKS + slot / Self::LENGTH
    }

    /// From the order of positions to that of slots.
    pub(super) fn arrange(by_position: &[i16; SUBFRAME]) -> [i16; SUBFRAME] {
        let mut by_slot = [0; SUBFRAME];
        for (value, slot) in by_position.iter().zip(Self::SLOTS) {
            by_slot[usize::from(slot)] = *value;
        }
        by_slot
    }
}
