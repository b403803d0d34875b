//! A compiled plan, and what it makes of a number.

use crate::automaton::{Automaton, StateId, Verdict};
use crate::rule::{Action, Rule, RuleId, RuleKind, delete, insert, prefixed};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The rules of one line, compiled.
///
/// A digit costs one look into a table ([`Plan::step`]), however many rules there are. A table has at most
/// [`Plan::MAX_STATES`] states; a plan that needs more is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    rules: Vec<Rule>,
    automaton: Automaton,
}

/// Why rules could not be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// Rules with many repetitions or wildcards that begin alike need a state for every way in which they can be under way.
    #[error("the rules need more than {states} states: too many of them that begin alike have . or x")]
    TooManyStates {
        /// How many are allowed.
        states: usize,
    },
    /// Too much text.
    #[error("the rules are too long: at most {places} places")]
    TooLong {
        /// How many places all rules may have together.
        places: usize,
    },
}

/// What becomes of a number once the person has finished.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is called.
    Call(Call),
    /// It is a code for the telephone itself.
    Feature {
        /// What the telephone calls the code by.
        id: u16,
        /// What followed the code.
        argument: String,
        /// The rule of the code.
        rule: RuleId,
    },
    /// A rule says that it may not be called ([`RuleKind::Block`], [`RuleKind::Reject`]).
    Blocked {
        /// The rule.
        rule: RuleId,
    },
    /// No rule matches, and calls without a match are off; or the rules left nothing to call.
    Invalid,
}

/// A call to place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The number that goes out.
    pub number: String,
    /// Where it goes, when not to the line's server: a host name or an address, perhaps with a port.
    pub address: Option<String>,
    /// The rules that took part, in the order in which they did. Empty when none matched.
    pub rules: Vec<RuleId>,
}

impl Plan {
    /// The most states that [`Plan::compile`] allows: their tables take some 64 bytes each, so half a megabyte at most.
    pub const MAX_STATES: usize = 8192;

    /// Compiles the rules that are for this line, counted from 1, in their order.
    ///
    /// # Errors
    /// The rules together are too long, or need more than [`Plan::MAX_STATES`].
    pub fn compile<'a>(rules: impl IntoIterator<Item = &'a Rule>, line: u8) -> Result<Self, CompileError> {
        Self::compile_within(rules, line, Self::MAX_STATES)
    }

    /// The same with another limit for the states, at most 65 535.
    ///
    /// Takes time in proportion to states × classes of characters × rules under way, at worst.
    ///
    /// # Errors
    /// The rules together are too long, or need more states.
    pub fn compile_within<'a>(
        rules: impl IntoIterator<Item = &'a Rule>,
        line: u8,
        max_states: usize,
    ) -> Result<Self, CompileError> {
        let of_line = |rule: &&Rule| rule.line.is_none_or(|only| only == line);
        let rules: Vec<Rule> = rules.into_iter().filter(of_line).cloned().collect();
        let automaton = Automaton::build(&rules, max_states)?;
        Ok(Self { rules, automaton })
    }

    /// A rule.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.index())
    }

    /// All rules, in their order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many states the automaton has.
    #[must_use]
    pub const fn states(&self) -> usize {
        self.automaton.states()
    }

    /// How many bytes the automaton's tables take.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.automaton.bytes()
    }

    /// Before the first digit.
    #[must_use]
    pub const fn start(&self) -> StateId {
        StateId::START
    }

    /// After one more digit.
    #[must_use]
    pub fn step(&self, state: StateId, key: char) -> StateId {
        self.automaton.step(state, key)
    }

    /// After these digits.
    #[must_use]
    pub fn run(&self, number: &str) -> StateId {
        number.chars().fold(StateId::START, |state, key| self.step(state, key))
    }

    /// Which rule of a kind wins in a state. [`RuleKind::Reject`] competes with [`RuleKind::Call`]: both give the same rule.
    #[must_use]
    pub fn best(&self, state: StateId, kind: RuleKind) -> Option<RuleId> {
        self.verdict(state).best(kind)
    }

    /// Whether a rule could match if more digits followed.
    #[must_use]
    pub fn may_go_on(&self, state: StateId) -> bool {
        self.verdict(state).more
    }

    /// The rule that would decide about the number if nothing followed.
    #[must_use]
    pub fn deciding(&self, state: StateId) -> Option<RuleId> {
        use RuleKind::{Area, Block, Call, Delete, Emergency, Feature, Insert, Replace, Server, To};
        let order = [Emergency, Block, Feature, Server, Call, Replace, Area, To, Insert, Delete];
        order.into_iter().find_map(|kind| self.best(state, kind))
    }

    pub(crate) fn verdict(&self, state: StateId) -> &Verdict {
        self.automaton.verdict(state)
    }

    pub(crate) const fn automaton(&self) -> &Automaton {
        &self.automaton
    }

    /// What becomes of a number. `unmatched` says whether a number that no rule matches is called as it is.
    ///
    /// The order: an address is called as it is ([`is_address`]); so is an emergency number; then block-out rules are looked at,
    /// then codes for the telephone and for the server; then the number is changed, by the digit map's alternative, or else by a replace rule, or else by the area code,
    /// and after that by prefix rules: insert, then delete. Block-out rules are looked at again for the number that comes out.
    #[must_use]
    pub fn decide(&self, number: &str, unmatched: bool) -> Outcome {
        let untouched =
            |rules: Vec<RuleId>| Outcome::Call(Call { number: number.to_string(), address: None, rules });
        if is_address(number) {
            return untouched(Vec::new());
        }
        let verdict = self.verdict(self.run(number));
        if let Some(emergency) = verdict.best(RuleKind::Emergency) {
            let called = verdict
                .best(RuleKind::Call)
                .filter(|rule| matches!(self.action(*rule), Some(Action::Call { .. })));
            return untouched(alloc::vec![called.unwrap_or(emergency)]);
        }
        if let Some(rule) = verdict.best(RuleKind::Block) {
            return Outcome::Blocked { rule };
        }
        if let Some((rule, id, argument)) = self.feature(verdict, number) {
            return Outcome::Feature { id, argument, rule };
        }
        if let Some(rule) = verdict.best(RuleKind::Server) {
            return untouched(alloc::vec![rule]);
        }
        let mut call = Call { number: number.to_string(), address: None, rules: Vec::new() };
        if let Some(rule) = verdict.best(RuleKind::Call) {
            if matches!(self.action(rule), Some(Action::Reject { .. })) {
                return Outcome::Blocked { rule };
            }
            call.rules.push(rule);
        }
        self.change(verdict, &mut call);
        if call.number.is_empty() || call.rules.is_empty() && !unmatched {
            return Outcome::Invalid;
        }
        if call.number != number {
            let outgoing = self.verdict(self.run(&call.number));
            let emergency = outgoing.best(RuleKind::Emergency).is_some();
            if let Some(rule) = outgoing.best(RuleKind::Block).filter(|_| !emergency) {
                return Outcome::Blocked { rule };
            }
        }
        Outcome::Call(call)
    }

    /// The rule that keeps a number from being called as it is, for one that nobody dials now: of a key, a list, the last
    /// call. [`RuleKind::Block`] and [`RuleKind::Reject`] do, except for addresses and emergency numbers; a code is refused by
    /// [`RuleKind::Block`] alone.
    #[must_use]
    pub fn bars(&self, number: &str) -> Option<RuleId> {
        if is_address(number) {
            return None;
        }
        let verdict = self.verdict(self.run(number));
        if verdict.best(RuleKind::Emergency).is_some() {
            return None;
        }
        let is_code = verdict.best(RuleKind::Feature).or_else(|| verdict.best(RuleKind::Server)).is_some();
        let rejected = || {
            let rule = verdict.best(RuleKind::Call).filter(|_| !is_code)?;
            matches!(self.action(rule), Some(Action::Reject { .. })).then_some(rule)
        };
        verdict.best(RuleKind::Block).or_else(rejected)
    }

    fn action(&self, rule: RuleId) -> Option<&Action> {
        self.rule(rule).map(|rule| &rule.action)
    }

    fn feature(&self, verdict: &Verdict, number: &str) -> Option<(RuleId, u16, String)> {
        let id = verdict.best(RuleKind::Feature)?;
        let rule = self.rule(id)?;
        let Action::Feature { id: feature, argument } = &rule.action else { return None };
        let argument = argument.as_ref().and_then(|template| template.fill(&rule.matcher, number));
        Some((id, *feature, argument.unwrap_or_default()))
    }

    /// Changes the number as the rules say, and adds those that did.
    fn change(&self, verdict: &Verdict, call: &mut Call) {
        let dialled = call.number.clone();
        let mut changed = false;
        for kind in [RuleKind::Call, RuleKind::Replace, RuleKind::Area] {
            let Some(id) = verdict.best(kind).filter(|_| !changed) else { continue };
            let Some(rule) = self.rule(id) else { continue };
            let number = match &rule.action {
                Action::Call { template: Some(template), .. } | Action::Replace(template) => {
                    template.fill(&rule.matcher, &dialled)
                }
                Action::Area(code) => Some(prefixed(code, &dialled)),
                _ => None,
            };
            if let Some(number) = number {
                call.number = number;
                changed = true;
                if kind != RuleKind::Call {
                    call.rules.push(id);
                }
            }
        }
        for kind in [RuleKind::Insert, RuleKind::Delete, RuleKind::To] {
            let Some(id) = verdict.best(kind) else { continue };
            match self.action(id) {
                Some(Action::Insert { position, digits }) => {
                    call.number = insert(&call.number, *position, digits)
                }
                Some(Action::Delete { position, length }) => {
                    call.number = delete(&call.number, *position, *length)
                }
                Some(Action::To(address)) => call.address = Some(address.clone()),
                _ => continue,
            }
            call.rules.push(id);
        }
    }
}

/// Whether a text is an address rather than a number: a URI, something with `@`, a host name or an IP address. Plans do not apply
/// to addresses.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && ["sip", "sips", "tel", "urn"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    });
    let labels = text.rsplit_once(':').map_or(text, |(host, port)| match port.parse::<u16>() {
        Ok(_) => host,
        Err(_) => text,
    });
    let mut parts = 0;
    let host = labels.split('.').all(|label| {
        parts += 1;
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    scheme || text.contains('@') || host && parts > 1
}
