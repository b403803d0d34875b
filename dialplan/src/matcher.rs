//! What a rule matches: places in a row, each of which takes one key, one or none, or any number.

use crate::keys::KeySet;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// The most characters of a number that rules are tried on.
pub(crate) const MAX_NUMBER: usize = 127;

/// How often a place takes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Once,
    Optional,
    /// Any number of times, also none.
    Star,
}

/// One place of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) keys: KeySet,
    pub(crate) repeat: Repeat,
    /// Whether the keys are a wildcard's, so that none of them was named.
    pub(crate) wild: bool,
}

/// The places of a rule. The whole number must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matcher {
    elements: Vec<Element>,
}

impl Matcher {
    /// A place that takes one key.
    pub(crate) fn once(&mut self, keys: KeySet, wild: bool) {
        self.elements.push(Element { keys, repeat: Repeat::Once, wild });
    }

    /// A place that takes any number of keys, or none.
    pub(crate) fn star(&mut self, keys: KeySet, wild: bool) {
        self.elements.push(Element { keys, repeat: Repeat::Star, wild });
    }

    /// Between `min` and `max` keys.
    pub(crate) fn between(&mut self, keys: KeySet, min: u16, max: u16) {
        for place in 0..max {
            let repeat = if place < min { Repeat::Once } else { Repeat::Optional };
            self.elements.push(Element { keys, repeat, wild: true });
        }
    }

    pub(crate) fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// How many places there are so far.
    pub(crate) const fn len(&self) -> usize {
        self.elements.len()
    }

    /// For each place where in `number` it begins, and where the last one ends; earlier places take as much as they can.
    /// `None` if the number does not fit.
    ///
    /// Two passes, places × characters at worst, without backtracking: from the end, which characters the rest of the places
    /// can begin at, as a set of bits; then from the front, as far as that allows.
    fn boundaries(&self, number: &[char]) -> Option<Vec<usize>> {
        if number.len() > MAX_NUMBER {
            return None;
        }
        let fits = |element: &Element| {
            number
                .iter()
                .enumerate()
                .fold(0u128, |mask, (at, key)| mask | u128::from(element.keys.has(*key)) << at)
        };
        let mut reach = 1u128 << number.len();
        let mut rows = Vec::with_capacity(self.elements.len());
        for element in self.elements.iter().rev() {
            let mask = fits(element);
            rows.push((mask, reach));
            reach = match element.repeat {
                Repeat::Once => reach >> 1 & mask,
                Repeat::Optional => reach | reach >> 1 & mask,
                Repeat::Star => {
                    (0..number.len()).rev().fold(reach, |reach, at| reach | reach >> 1 & mask & 1 << at)
                }
            };
        }
        if reach & 1 == 0 {
            return None;
        }
        let mut at = 0;
        let mut boundaries = Vec::with_capacity(self.elements.len() + 1);
        boundaries.push(at);
        for (element, (mask, after)) in self.elements.iter().zip(rows.iter().rev()) {
            let takes = |at: usize| at < number.len() && mask & 1 << at != 0;
            let may_end = |at: usize| after & 1 << at != 0;
            match element.repeat {
                Repeat::Once => at += 1,
                Repeat::Optional => at += usize::from(takes(at) && may_end(at + 1)),
                Repeat::Star => {
                    let run = (at..number.len()).take_while(|at| takes(*at)).count();
                    at = (at..=at + run).rev().find(|at| may_end(*at))?;
                }
            }
            boundaries.push(at);
        }
        Some(boundaries)
    }
}

/// What goes out instead of a number: texts, and parts of what was dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// What these places of the rule took.
    Places(Range<usize>),
}

impl Template {
    pub(crate) fn push(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// What goes out for a number that the matcher fits.
    pub(crate) fn fill(&self, matcher: &Matcher, number: &str) -> Option<String> {
        let keys: Vec<char> = number.chars().collect();
        let boundaries = matcher.boundaries(&keys)?;
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Places(places) => {
                    let (start, end) = (*boundaries.get(places.start)?, *boundaries.get(places.end)?);
                    filled.extend(keys.get(start..end)?);
                }
            }
        }
        Some(filled)
    }
}
