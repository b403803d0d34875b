//! All rules of a plan as one deterministic automaton.
//!
//! The places of all rules are numbered in a row, each rule's closed by its end. A state is the set of places that the number so
//! far can stand at; the states are found from the first one on, by taking every class of characters (subset construction).
//! Characters that no rule tells apart are one class. After that a digit costs one look into a table, however many rules there
//! are.

use crate::keys::{SYMBOLS, symbol};
use crate::matcher::Repeat;
use crate::plan::CompileError;
use crate::rule::{Rule, RuleId, RuleKind};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// A state of a plan's automaton: what a number has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId(u16);

impl StateId {
    /// No rule can match, whatever follows.
    pub(crate) const DEAD: Self = Self(0);
    pub(crate) const START: Self = Self(1);

    /// The state with this number.
    pub(crate) fn at(index: usize) -> Self {
        u16::try_from(index).map_or(Self::DEAD, Self)
    }

    /// The state as a number: 0 is the one that nothing leads out of, 1 the first one.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The kinds of rules that are decided independently of each other. A refusing alternative of a digit map competes with the others.
pub(crate) const CHANNELS: usize = 10;

pub(crate) const fn channel(kind: RuleKind) -> usize {
    match kind {
        RuleKind::Call | RuleKind::Reject => 0,
        RuleKind::Replace => 1,
        RuleKind::Area => 2,
        RuleKind::Block => 3,
        RuleKind::Emergency => 4,
        RuleKind::Feature => 5,
        RuleKind::Insert => 6,
        RuleKind::Delete => 7,
        RuleKind::To => 8,
        RuleKind::Server => 9,
    }
}

const NO_RULE: u16 = u16::MAX;

/// What is known in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    best: [u16; CHANNELS],
    /// The winning call rule can take more digits.
    pub(crate) call_goes_on: bool,
    /// Some rule can take more digits.
    pub(crate) more: bool,
    /// A code for the telephone or the server can take more digits.
    pub(crate) code_goes_on: bool,
    /// A rule names `#` or `*` as the next key.
    pub(crate) names_hash: bool,
    pub(crate) names_star: bool,
}

impl Verdict {
    const NOTHING: Self = Self {
        best: [NO_RULE; CHANNELS],
        call_goes_on: false,
        more: false,
        code_goes_on: false,
        names_hash: false,
        names_star: false,
    };

    /// The rule of a kind that wins.
    pub(crate) fn best(&self, kind: RuleKind) -> Option<RuleId> {
        self.best.get(channel(kind)).copied().filter(|rule| *rule != NO_RULE).map(RuleId)
    }

    /// Whether any rule is complete.
    pub(crate) fn complete(&self) -> bool {
        self.best.iter().any(|rule| *rule != NO_RULE)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Automaton {
    /// The class of each symbol.
    classes: [u8; SYMBOLS],
    class_count: usize,
    /// For each state, for each class, the next state.
    next: Vec<u16>,
    verdicts: Vec<Verdict>,
}

impl Automaton {
    pub(crate) fn build(rules: &[Rule], max_states: usize) -> Result<Self, CompileError> {
        Builder::new(rules)?.build(rules, max_states)
    }

    pub(crate) fn step(&self, state: StateId, key: char) -> StateId {
        let class = self.classes.get(usize::from(symbol(key))).copied().unwrap_or_default();
        let at = state.index() * self.class_count + usize::from(class);
        StateId(self.next.get(at).copied().unwrap_or_default())
    }

    pub(crate) fn verdict(&self, state: StateId) -> &Verdict {
        const NOTHING: &Verdict = &Verdict::NOTHING;
        self.verdicts.get(state.index()).unwrap_or(NOTHING)
    }

    pub(crate) const fn states(&self) -> usize {
        self.verdicts.len()
    }

    /// Where the classes lead from a state: `(class, next)`, without those that lead nowhere.
    pub(crate) fn edges(&self, state: usize) -> impl Iterator<Item = (u8, u16)> + '_ {
        let row = self.next.iter().skip(state * self.class_count).take(self.class_count);
        (0u8..=u8::MAX).zip(row.copied()).filter(|(_, next)| *next != StateId::DEAD.0)
    }

    pub(crate) fn class(&self, symbol: u8) -> u8 {
        self.classes.get(usize::from(symbol)).copied().unwrap_or_default()
    }

    /// How many bytes the tables take.
    pub(crate) const fn bytes(&self) -> usize {
        self.next.len() * size_of::<u16>() + self.verdicts.len() * size_of::<Verdict>()
    }
}

/// A place of a rule, for the construction.
#[derive(Clone, Copy)]
struct Place {
    /// The classes it takes, one bit each; none at an end.
    classes: u128,
    repeat: Repeat,
    rule: u16,
    end: bool,
    names_hash: bool,
    names_star: bool,
}

struct Builder {
    classes: [u8; SYMBOLS],
    class_count: u8,
    places: Vec<Place>,
    starts: Vec<u16>,
    /// For each place the number of the set that it was last put into.
    mark: Vec<u32>,
    set: u32,
}

impl Builder {
    /// The most places of all rules together, so that a set of places stays small enough for a telephone.
    const MAX_PLACES: usize = 32_768;

    fn new(rules: &[Rule]) -> Result<Self, CompileError> {
        let (classes, class_count) = classify(rules);
        let mut builder =
            Self { classes, class_count, places: Vec::new(), starts: Vec::new(), mark: Vec::new(), set: 0 };
        let first = |class: u8| (0u8..).zip(classes).find(|(_, of)| *of == class).map(|(symbol, _)| symbol);
        let samples: Vec<u8> = (0..class_count).filter_map(first).collect();
        for (rule, number) in rules.iter().zip(0u16..) {
            let start = u16::try_from(builder.places.len()).ok();
            let start = start.filter(|_| builder.places.len() + rule.matcher.len() < Self::MAX_PLACES);
            let too_long = CompileError::TooLong { places: Self::MAX_PLACES };
            builder.starts.push(start.ok_or(too_long)?);
            for element in rule.matcher.elements() {
                let taken =
                    samples.iter().enumerate().filter(|(_, symbol)| element.keys.has_symbol(**symbol));
                builder.places.push(Place {
                    classes: taken.fold(0, |all, (class, _)| all | 1 << class),
                    repeat: element.repeat,
                    rule: number,
                    end: false,
                    names_hash: !element.wild && element.keys.has('#'),
                    names_star: !element.wild && element.keys.has('*'),
                });
            }
            builder.places.push(Place {
                classes: 0,
                repeat: Repeat::Once,
                rule: number,
                end: true,
                names_hash: false,
                names_star: false,
            });
        }
        builder.mark = vec![0; builder.places.len()];
        Ok(builder)
    }

    fn build(mut self, rules: &[Rule], max_states: usize) -> Result<Automaton, CompileError> {
        let class_count = usize::from(self.class_count);
        let max_states = max_states.min(usize::from(u16::MAX));
        let mut known: BTreeMap<Box<[u16]>, u16> = BTreeMap::new();
        let mut sets: Vec<Box<[u16]>> = Vec::new();
        let mut next = vec![StateId::DEAD.0; class_count];
        let mut verdicts = vec![Verdict::NOTHING];
        let mut goes_on = vec![0; rules.len()];

        let starts = self.starts.clone();
        let mut found = Vec::new();
        self.fresh();
        for start in starts {
            self.enter(&mut found, start);
        }
        found.sort_unstable();
        known.insert(found.as_slice().into(), StateId::START.0);
        sets.push(found.as_slice().into());
        while let Some(set) = sets.get(verdicts.len() - 1).cloned() {
            verdicts.push(self.judge(&set, rules, &mut goes_on, verdicts.len()));
            let taken = set.iter().filter_map(|place| self.places.get(usize::from(*place)));
            let taken = taken.fold(0, |all, place| all | place.classes);
            for class in 0..class_count {
                if taken & 1 << class == 0 {
                    next.push(StateId::DEAD.0);
                    continue;
                }
                found.clear();
                self.fresh();
                for &place in &set {
                    match self.places.get(usize::from(place)) {
                        Some(at) if at.classes & 1 << class == 0 => {}
                        Some(Place { repeat: Repeat::Star, .. }) => self.enter(&mut found, place),
                        _ => self.enter(&mut found, place + 1),
                    }
                }
                found.sort_unstable();
                let state = match known.get(found.as_slice()) {
                    Some(state) => *state,
                    None => {
                        let state = sets.len() + 1;
                        let id = u16::try_from(state).ok().filter(|_| state < max_states);
                        let id = id.ok_or(CompileError::TooManyStates { states: max_states })?;
                        known.insert(found.as_slice().into(), id);
                        sets.push(found.as_slice().into());
                        id
                    }
                };
                next.push(state);
            }
        }
        Ok(Automaton { classes: self.classes, class_count, next, verdicts })
    }

    /// Begins another set.
    const fn fresh(&mut self) {
        self.set += 1;
    }

    /// Adds a place to the set, and those that are reached from it without a key.
    fn enter(&mut self, found: &mut Vec<u16>, place: u16) {
        let mut at = place;
        while let Some(mark) = self.mark.get_mut(usize::from(at)).filter(|mark| **mark != self.set) {
            *mark = self.set;
            found.push(at);
            match self.places.get(usize::from(at)) {
                Some(Place { end: false, repeat: Repeat::Star | Repeat::Optional, .. }) => at += 1,
                _ => break,
            }
        }
    }

    /// What is known where the number stands at these places. `goes_on` holds, for each rule, the last state in which it could
    /// take more.
    fn judge(&self, set: &[u16], rules: &[Rule], goes_on: &mut [usize], state: usize) -> Verdict {
        let mut verdict = Verdict::NOTHING;
        let places = || set.iter().filter_map(|place| self.places.get(usize::from(*place)));
        for place in places().filter(|place| !place.end) {
            verdict.more = true;
            let kind = rules.get(usize::from(place.rule)).map(Rule::kind);
            verdict.code_goes_on |= matches!(kind, Some(RuleKind::Feature | RuleKind::Server));
            verdict.names_hash |= place.names_hash;
            verdict.names_star |= place.names_star;
            if let Some(mark) = goes_on.get_mut(usize::from(place.rule)) {
                *mark = state;
            }
        }
        let mut ranks = [(true, u16::MAX, u16::MAX); CHANNELS];
        for place in places().filter(|place| place.end) {
            let Some(rule) = rules.get(usize::from(place.rule)) else { continue };
            let kind = rule.kind();
            let open = goes_on.get(usize::from(place.rule)) == Some(&state);
            let is_call = channel(kind) == channel(RuleKind::Call);
            // A complete match is called at once, so it comes before one that could go on (KX-UT670, "Complete Match").
            let rank = (is_call && open, rule.rank, place.rule);
            let slot = ranks.get_mut(channel(kind)).zip(verdict.best.get_mut(channel(kind)));
            let Some((best, winner)) = slot.filter(|(best, winner)| **winner == NO_RULE || rank < **best)
            else {
                continue;
            };
            *best = rank;
            *winner = place.rule;
            if is_call {
                verdict.call_goes_on = open;
            }
        }
        verdict
    }
}

/// The class of each symbol, and how many there are: symbols that are in the same sets are of one class.
fn classify(rules: &[Rule]) -> ([u8; SYMBOLS], u8) {
    let mut sets: Vec<_> = rules.iter().flat_map(|rule| rule.matcher.elements()).map(|at| at.keys).collect();
    sets.sort_unstable();
    sets.dedup();
    let mut classes = [0; SYMBOLS];
    let mut count = 1;
    for set in sets {
        // For each class the one that its symbols inside the set come to.
        let mut inside: [Option<u8>; SYMBOLS] = [None; SYMBOLS];
        let mut outside = [false; SYMBOLS];
        for (symbol, class) in (0u8..).zip(classes) {
            if let Some(outside) = outside.get_mut(usize::from(class)) {
                *outside |= !set.has_symbol(symbol);
            }
        }
        for (symbol, class) in (0u8..).zip(&mut classes) {
            let at = usize::from(*class);
            if !set.has_symbol(symbol) || !outside.get(at).is_some_and(|outside| *outside) {
                continue;
            }
            if let Some(new) = inside.get_mut(at) {
                *class = *new.get_or_insert_with(|| {
                    count += 1;
                    count - 1
                });
            }
        }
    }
    (classes, count)
}
