//! A plan as a picture.

use crate::automaton::{Automaton, channel};
use crate::keys::KeySet;
use crate::plan::Plan;
use crate::rule::RuleKind;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt::Write as _;

impl Plan {
    /// The automaton in the DOT language of graphviz: a circle for each state, double where a rule is complete, with the rules that
    /// win there; dashed where the winner could still take digits. Arrows carry the keys that lead on.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let automaton = self.automaton();
        let mut dot = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=circle];\n");
        for state in 1..automaton.states() {
            let id = crate::StateId::at(state);
            let verdict = self.verdict(id);
            let mut label = alloc::format!("{state}");
            let kinds = [
                RuleKind::Call,
                RuleKind::Replace,
                RuleKind::Area,
                RuleKind::Block,
                RuleKind::Emergency,
                RuleKind::Feature,
                RuleKind::Insert,
                RuleKind::Delete,
                RuleKind::To,
                RuleKind::Server,
            ];
            debug_assert!(kinds.iter().enumerate().all(|(at, kind)| channel(*kind) == at));
            for rule in
                kinds.into_iter().filter_map(|kind| self.best(id, kind)).filter_map(|id| self.rule(id))
            {
                let text = rule.text().replace('\\', "\\\\").replace('"', "\\\"");
                label.push_str("\\n");
                label.push_str(&text);
            }
            let shape = if verdict.complete() { "doublecircle" } else { "circle" };
            let style = if verdict.call_goes_on { " style=dashed" } else { "" };
            // A string takes every write.
            let _ = writeln!(dot, "  s{state} [label=\"{label}\" shape={shape}{style}];");
            for (next, keys) in arrows(automaton, state) {
                let _ = writeln!(dot, "  s{state} -> s{next} [label=\"{keys}\"];");
            }
        }
        dot.push_str("}\n");
        dot
    }
}

/// Where a state leads, with all keys that lead there.
fn arrows(automaton: &Automaton, state: usize) -> BTreeMap<u16, KeySet> {
    let mut arrows = BTreeMap::new();
    for (class, next) in automaton.edges(state) {
        let symbols = (0u8..128).filter(|symbol| automaton.class(*symbol) == class);
        let keys = arrows.entry(next).or_insert(KeySet::EMPTY);
        *keys = symbols.fold(*keys, |keys, symbol| keys.with(KeySet::of(char::from(symbol))));
    }
    arrows
}
