//! Ladder diagrams: who sent what to whom, in plain text.
//!
//! ```
//! use sidetone_hal::sim::ladder::Ladder;
//! use sidetone_hal::time::Instant;
//!
//! let mut ladder = Ladder::new(1000);
//! let (alice, bob) = (ladder.column("alice"), ladder.column("bob"));
//! ladder.arrow(Instant::ZERO, alice, bob, "INVITE");
//! ladder.note(Instant::from_millis(20), bob, "rings");
//! ladder.lost(Instant::from_millis(20), bob, alice, "180 Ringing");
//! ladder.arrow(Instant::from_millis(520), bob, alice, "200 OK");
//! assert_eq!(format!("\n{ladder}"), r"
//!                     alice                bob
//!     0.000000          |------INVITE------>|
//!     0.020000          |                   |* rings
//!     0.020000          |x---180 Ringing----|
//!     0.520000          |<------200 OK------|
//! ");
//! ```

use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// The most columns; who comes later shares the last one.
pub const MAX_COLUMNS: usize = 12;
/// Labels, notes and names are cut after so many characters.
const MAX_TEXT: usize = 100;
/// The distance of two columns, in characters: as wide as the labels need, within these bounds.
const SPACING: core::ops::RangeInclusive<usize> = 20..=44;
/// The width of the time in front.
const MARGIN: usize = 12;

/// A diagram that keeps its last rows.
#[derive(Clone, Debug)]
pub struct Ladder {
    columns: Vec<String>,
    rows: VecDeque<Row>,
    capacity: usize,
    dropped: u64,
}

/// A column of one [`Ladder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column(usize);

#[derive(Clone, Debug)]
struct Row {
    at: Instant,
    from: Column,
    text: String,
    kind: RowKind,
}

#[derive(Clone, Copy, Debug)]
enum RowKind {
    Arrow { to: Column, arrives: bool },
    Note,
}

impl Ladder {
    /// An empty diagram that keeps the last `capacity` arrows and notes.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { columns: Vec::new(), rows: VecDeque::new(), capacity, dropped: 0 }
    }

    /// The column of this name, a new one at the right if there is none yet. When [`MAX_COLUMNS`] are there,
    /// further names share a column `others`.
    pub fn column(&mut self, name: &str) -> Column {
        let known = |ladder: &Self, name: &str| ladder.columns.iter().position(|known| known == name);
        let name = cut(name, MAX_TEXT);
        if let Some(place) = known(self, &name) {
            return Column(place);
        }
        let name = if self.columns.len() + 1 < MAX_COLUMNS { name } else { "others".to_string() };
        known(self, &name).map_or_else(
            || {
                self.columns.push(name);
                Column(self.columns.len() - 1)
            },
            Column,
        )
    }

    /// Something went from one column to another.
    pub fn arrow(&mut self, now: Instant, from: Column, to: Column, label: &str) {
        self.push(now, from, label, RowKind::Arrow { to, arrives: true });
    }

    /// Something was sent and did not arrive.
    pub fn lost(&mut self, now: Instant, from: Column, to: Column, label: &str) {
        self.push(now, from, label, RowKind::Arrow { to, arrives: false });
    }

    /// Something happened in a column.
    pub fn note(&mut self, now: Instant, column: Column, text: &str) {
        self.push(now, column, text, RowKind::Note);
    }

    /// How many rows are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn push(&mut self, at: Instant, from: Column, text: &str, kind: RowKind) {
        if self.rows.len() >= self.capacity {
            self.rows.pop_front();
            self.dropped += 1;
        }
        if self.capacity > 0 {
            self.rows.push_back(Row { at, from, text: cut(text, MAX_TEXT), kind });
        }
    }

    /// The distance between columns at which the longest label of an arrow fits, within [`SPACING`].
    fn spacing(&self) -> usize {
        let names = self.columns.iter().map(|name| width(name) + 2);
        let labels = self.rows.iter().filter_map(|row| match row.kind {
            RowKind::Arrow { to, .. } if to != row.from => {
                Some((width(&row.text) + 5).div_ceil(to.0.abs_diff(row.from.0)))
            }
            _ => None,
        });
        names.chain(labels).max().unwrap_or(0).clamp(*SPACING.start(), *SPACING.end())
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spacing = self.spacing();
        let centre = |column: Column| spacing / 2 + column.0 * spacing;

        let mut heads = Line::new(MARGIN);
        for (place, name) in self.columns.iter().enumerate() {
            let name = cut(name, spacing - 2);
            heads.write(MARGIN + (centre(Column(place)) + 1).saturating_sub(width(&name).div_ceil(2)), &name);
        }
        writeln!(f, "{heads}")?;
        if self.dropped > 0 {
            writeln!(f, "{:MARGIN$}({} earlier rows were dropped)", "", self.dropped)?;
        }
        for row in &self.rows {
            let mut line = Line::new(centre(Column(self.columns.len())).saturating_sub(spacing) + 1);
            for place in 0..self.columns.len() {
                line.write(centre(Column(place)), "|");
            }
            let start = centre(row.from);
            match row.kind {
                RowKind::Arrow { to, arrives } if to != row.from => {
                    let (left, right) = (start.min(centre(to)) + 1, start.max(centre(to)));
                    for at in left..right {
                        line.write(at, "-");
                    }
                    let label = cut(&row.text, right - left - 3);
                    let free = right - left - width(&label);
                    // The head takes one place, so the label stands in the middle of what is left of the shaft.
                    let head_left = centre(to) < start;
                    line.write(left + if head_left { free.div_ceil(2) } else { free / 2 }, &label);
                    let head = match (arrives, head_left) {
                        (false, _) => "x",
                        (true, true) => "<",
                        (true, false) => ">",
                    };
                    line.write(if head_left { left } else { right - 1 }, head);
                }
                RowKind::Arrow { arrives, .. } => {
                    line.write(start + 1, if arrives { "<> " } else { "x> " });
                    line.write(start + 4, &row.text);
                }
                RowKind::Note => {
                    line.write(start + 1, "* ");
                    line.write(start + 3, &row.text);
                }
            }
            writeln!(f, "{:>MARGIN$}{line}", row.at.to_string())?;
        }
        Ok(())
    }
}

/// One line of characters that is written at places.
struct Line(Vec<char>);

impl Line {
    fn new(length: usize) -> Self {
        Self(vec![' '; length])
    }

    fn write(&mut self, place: usize, text: &str) {
        let end = place + width(text);
        if self.0.len() < end {
            self.0.resize(end, ' ');
        }
        for (cell, character) in self.0.iter_mut().skip(place).zip(text.chars()) {
            *cell = character;
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.0.iter().collect();
        f.write_str(text.trim_end())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// The text without control characters, at most `max` characters of it; `...` at the end says that some are
/// missing.
fn cut(text: &str, max: usize) -> String {
    let printable = |c: char| if c.is_control() { '.' } else { c };
    if width(text) <= max {
        return text.chars().map(printable).collect();
    }
    let kept = max.saturating_sub(3);
    text.chars().take(kept).map(printable).chain("...".chars().take(max - kept)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn only_the_last_rows_are_kept_and_the_rest_counted() {
        let mut ladder = Ladder::new(3);
        let (a, b) = (ladder.column("a"), ladder.column("b"));
        for n in 0..10_u64 {
            ladder.arrow(Instant::from_millis(n), a, b, &format!("message {n}"));
        }
        let text = ladder.to_string();
        assert_eq!((ladder.len(), ladder.is_empty()), (3, false));
        assert!(text.contains("(7 earlier rows were dropped)"), "{text}");
        assert!(
            !text.contains("message 6") && text.contains("message 7") && text.contains("message 9"),
            "{text}"
        );
        let mut none = Ladder::new(0);
        none.note(Instant::ZERO, a, "x");
        assert!(none.is_empty());
    }

    #[test]
    fn long_and_strange_labels_stay_in_their_line() {
        let mut ladder = Ladder::new(10);
        let columns: Vec<_> =
            ["proxy with a very long name indeed", "b", "c"].map(|name| ladder.column(name)).into();
        ladder.arrow(Instant::ZERO, columns[0], columns[1], &"long ".repeat(100));
        ladder.arrow(Instant::ZERO, columns[2], columns[0], "back over b");
        ladder.arrow(Instant::ZERO, columns[2], columns[2], "to itself");
        ladder.note(Instant::ZERO, columns[0], "line\nbreak\u{1b}[0m");
        let text = ladder.to_string();
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(text.lines().all(|line| width(line) < 160), "{text}");
        assert!(
            text.contains("long lo...>|") || text.contains("...-->|") || text.contains("...->|"),
            "{text}"
        );
        assert!(text.contains("|<> to itself") && text.contains("|* line.break.[0m"), "{text}");
    }

    #[test]
    fn columns_are_bounded() {
        let mut ladder = Ladder::new(10);
        let columns: Vec<_> = (0..100).map(|n| ladder.column(&format!("peer {n}"))).collect();
        assert_eq!(ladder.columns.len(), MAX_COLUMNS);
        assert_eq!(columns[50], columns[99]);
        assert_eq!(ladder.column("peer 3"), columns[3]);
        ladder.arrow(Instant::ZERO, columns[50], columns[99], "among others");
        assert!(ladder.to_string().contains("others"));
    }
}
