//! Payload types: which number means what in our descriptions, from when it was first said to the session's end
//! (RFC 3264 §8.3.2).

use sidetone_codecs::{CodecSpec, Fmtp};

/// Where dynamic payload types begin (RFC 3551 §6), and where those are that may be used when these are taken.
const DYNAMIC: [core::ops::RangeInclusive<u8>; 2] = [96..=127, 35..=63];

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Codec(&'static CodecSpec),
    /// Telephone events at this clock.
    Events(u32),
    /// Comfort noise at this clock.
    Noise(u32),
    /// RFC 2198 at this clock.
    Redundancy(u32),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u8,
    meaning: Meaning,
    /// Of our choices of this codec, the one that it is said for.
    choice: Option<Fmtp>,
    /// The parameters that were said with it last.
    said: Option<Fmtp>,
}

/// The numbers that were said, the latest last: 128 at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    entries: Vec<Entry>,
    /// Those that stand in the description that is being made, a bit each.
    used: u128,
}

impl Numbers {
    /// Another description is made: each number may stand in it once.
    pub(super) fn begin(&mut self) {
        self.used = 0;
    }

    /// The number and parameters that an offer says for a choice of ours. `wishes` are tried in their order if it has
    /// none yet, and `keep` leaves those to others. None when all are taken.
    pub(super) fn offer(
        &mut self,
        codec: &'static CodecSpec,
        choice: Fmtp,
        is_choice: impl Fn(&Fmtp) -> bool,
        wishes: &[u8],
        keep: &[u8],
    ) -> Option<(u8, Fmtp)> {
        let of_codec = |entry: &&mut Entry| entry.meaning == Meaning::Codec(codec);
        let used = self.used;
        let mut free = self.entries.iter_mut().rev().filter(of_codec).filter(|e| used & bit(e.number) == 0);
        if let Some(entry) = free.find(|entry| entry.choice == Some(choice)) {
            self.used |= bit(entry.number);
            return Some((entry.number, entry.said.unwrap_or(choice)));
        }
        // One whose choice is no longer ours may say other parameters now.
        let mut free = self.entries.iter_mut().rev().filter(of_codec).filter(|e| used & bit(e.number) == 0);
        if let Some(entry) = free.find(|entry| !entry.choice.as_ref().is_some_and(&is_choice)) {
            (entry.choice, entry.said) = (Some(choice), Some(choice));
            self.used |= bit(entry.number);
            return Some((entry.number, choice));
        }
        let number = self.free(wishes, keep)?;
        self.push(Entry { number, meaning: Meaning::Codec(codec), choice: Some(choice), said: Some(choice) });
        Some((number, choice))
    }

    /// Our number for a format that the other side has as `theirs`: the same (RFC 3264 §6.1), unless that means
    /// something else on our side. `choice` and `said` are for codecs.
    pub(super) fn answer(
        &mut self,
        meaning: Meaning,
        theirs: u8,
        choice: Option<Fmtp>,
        said: Option<Fmtp>,
        keep: &[u8],
    ) -> Option<u8> {
        let usable = |entry: &Entry, used: u128| entry.meaning == meaning && used & bit(entry.number) == 0;
        let number = match self.entries.iter().find(|entry| entry.number == theirs) {
            None if self.used & bit(theirs) == 0 => theirs,
            Some(entry) if usable(entry, self.used) => theirs,
            _ => {
                let ours = self.entries.iter().rev().find(|e| usable(e, self.used) && e.choice == choice);
                ours.map(|entry| entry.number).or_else(|| self.free(&[], keep))?
            }
        };
        self.entries.retain(|entry| entry.number != number);
        for entry in &mut self.entries {
            // One number speaks for each choice.
            if entry.meaning == meaning && entry.choice == choice {
                entry.choice = None;
            }
        }
        self.push(Entry { number, meaning, choice, said });
        Some(number)
    }

    /// Our number for a format beside the codecs.
    pub(super) fn side(&mut self, meaning: Meaning, wishes: &[u8], keep: &[u8]) -> Option<u8> {
        let known = self.entries.iter().rev().find(|entry| entry.meaning == meaning);
        match known.map(|entry| entry.number) {
            Some(number) => {
                self.used |= bit(number);
                Some(number)
            }
            None => {
                let number = self.free(wishes, keep)?;
                self.push(Entry { number, meaning, choice: None, said: None });
                Some(number)
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        self.used |= bit(entry.number);
        self.entries.push(entry);
    }

    fn free(&self, wishes: &[u8], keep: &[u8]) -> Option<u8> {
        let is_free = |number: &u8| {
            *number < 128
                && self.used & bit(*number) == 0
                && self.entries.iter().all(|entry| entry.number != *number)
        };
        let dynamic = || DYNAMIC.into_iter().flatten();
        wishes
            .iter()
            .copied()
            .find(is_free)
            .or_else(|| dynamic().find(|number| is_free(number) && !keep.contains(number)))
            .or_else(|| dynamic().find(is_free))
    }
}

const fn bit(number: u8) -> u128 {
    1 << (number & 127)
}
