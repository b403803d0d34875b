//! The server's side: who has which appearance of a line.

use crate::package::call_info::{Appearance, AppearanceState, MAX_APPEARANCES, SharedLine};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sidetone_hal::time::{Duration, Instant};

/// Bytes of a holder's name at most; a longer one counts by its beginning.
pub const MAX_HOLDER: usize = 256;

/// The appearances of one shared line, each with who has it. Every operation is O(log n) in the appearances, of which there
/// are [`MAX_APPEARANCES`] at most; whole documents are O(n).
///
/// A holder is a text that tells the telephones apart, which are several for one account as a rule: an account with the
/// address of its Contact.
///
/// ```
/// use sidetone_hal::time::{Duration, Instant};
/// use sidetone_sip_ua::feature::shared_line::{AppearanceState, AppearanceTable, Taken};
/// let mut table = AppearanceTable::new(2);
/// let (now, lasts) = (Instant::ZERO, Duration::from_secs(15));
/// assert_eq!(table.seize(now, Some(1), "alice", lasts), Ok(1));
/// assert_eq!(table.seize(now, Some(1), "bob", lasts), Err(Taken::ByAnother));
/// assert_eq!(table.seize(now, None, "bob", lasts), Ok(2));
/// assert!(table.call(1, "alice", AppearanceState::Progressing, Some("sip:carol@example.com")));
/// table.handle_timeout(now + lasts);
/// assert_eq!(table.state(1), AppearanceState::Progressing);
/// assert_eq!(table.state(2), AppearanceState::Idle, "nobody dialled on it");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppearanceTable {
    appearances: u16,
    /// Those that are not idle.
    used: BTreeMap<u16, Row>,
    changes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    state: AppearanceState,
    holder: String,
    uri: Option<String>,
    /// When a seizure ends on which nobody dialled.
    until: Option<Instant>,
}

/// Why an appearance cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Another telephone has it, or has every one.
    ByAnother,
    /// The line has no such appearance.
    NoSuch,
}

impl AppearanceTable {
    /// A line with so many appearances, 1 to [`MAX_APPEARANCES`], all of them idle.
    #[must_use]
    pub fn new(appearances: u16) -> Self {
        Self { appearances: appearances.clamp(1, MAX_APPEARANCES), used: BTreeMap::new(), changes: 0 }
    }

    /// How many appearances there are.
    #[must_use]
    pub const fn appearances(&self) -> u16 {
        self.appearances
    }

    /// A number that grows with each change: who knows it knows whether there is something to tell.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Gives an idle appearance to somebody who is about to dial: the one that is asked for, or the first. Whoever has it
    /// already has it for longer. Of several who ask, the first gets it.
    ///
    /// # Errors
    /// [`Taken`].
    pub fn seize(
        &mut self,
        now: Instant,
        wanted: Option<u16>,
        holder: &str,
        lasts: Duration,
    ) -> Result<u16, Taken> {
        let holder = shortened(holder);
        let index = match wanted {
            Some(index) if index == 0 || index > self.appearances => return Err(Taken::NoSuch),
            Some(index) => index,
            None => self.free().ok_or(Taken::ByAnother)?,
        };
        let until = Some(now + lasts);
        match self.used.get_mut(&index) {
            Some(row) if row.state == AppearanceState::Seized && row.holder == holder => {
                row.until = until;
                return Ok(index);
            }
            Some(_) => return Err(Taken::ByAnother),
            None => {}
        }
        let row = Row { state: AppearanceState::Seized, holder: holder.into(), uri: None, until };
        self.used.insert(index, row);
        self.changes += 1;
        Ok(index)
    }

    /// Whoever seized an appearance does not dial after all. False when it is not that holder's seizure any more.
    pub fn release(&mut self, index: u16, holder: &str) -> bool {
        let released = self.is_seized_by(index, holder);
        if released {
            self.end(index);
        }
        released
    }

    /// Whether this holder has seized the appearance and has not dialled yet.
    #[must_use]
    pub fn is_seized_by(&self, index: u16, holder: &str) -> bool {
        let holder = shortened(holder);
        self.used.get(&index).is_some_and(|row| row.state == AppearanceState::Seized && row.holder == holder)
    }

    /// The call of this holder on an appearance is in this state: one that was seized by it, was idle, or is its call. False
    /// when somebody else has the appearance, or there is none.
    pub fn call(&mut self, index: u16, holder: &str, state: AppearanceState, uri: Option<&str>) -> bool {
        let holder = shortened(holder);
        if index == 0 || index > self.appearances || state == AppearanceState::Idle {
            return false;
        }
        if self.used.get(&index).is_some_and(|row| row.holder != holder) {
            return false;
        }
        self.set(index, holder, state, uri);
        true
    }

    /// A call comes in: the first idle appearance rings, whose holder is whoever answers. `None` when all are in use.
    pub fn alert(&mut self, uri: Option<&str>) -> Option<u16> {
        let index = self.free()?;
        self.set(index, "", AppearanceState::Alerting, uri);
        Some(index)
    }

    /// The call of an appearance is with this holder from now on: it was answered there, or taken over. False when it is
    /// idle.
    pub fn hand_over(&mut self, index: u16, holder: &str) -> bool {
        let Some(row) = self.used.get(&index) else { return false };
        let uri = row.uri.clone();
        self.set(index, shortened(holder), AppearanceState::Active, uri.as_deref());
        true
    }

    /// The call is held, so that everybody may take it or for its holder alone, or goes on. False when it is idle.
    pub fn hold(&mut self, index: u16, state: AppearanceState) -> bool {
        let Some(row) = self.used.get(&index) else { return false };
        let (holder, uri) = (row.holder.clone(), row.uri.clone());
        self.set(index, &holder, state, uri.as_deref());
        true
    }

    /// The appearance is idle again.
    pub fn end(&mut self, index: u16) {
        if self.used.remove(&index).is_some() {
            self.changes += 1;
        }
    }

    /// Seizures whose time is over end.
    pub fn handle_timeout(&mut self, now: Instant) {
        let before = self.used.len();
        self.used.retain(|_, row| row.until.is_none_or(|until| until > now));
        if self.used.len() < before {
            self.changes += 1;
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.used.values().filter_map(|row| row.until).min()
    }

    /// What an appearance is used for.
    #[must_use]
    pub fn state(&self, index: u16) -> AppearanceState {
        self.used.get(&index).map_or(AppearanceState::Idle, |row| row.state)
    }

    /// Who has an appearance; empty while it rings, `None` when it is idle.
    #[must_use]
    pub fn holder(&self, index: u16) -> Option<&str> {
        self.used.get(&index).map(|row| row.holder.as_str())
    }

    /// The other side of the call of an appearance, as name-addr or URI, if it is known.
    #[must_use]
    pub fn uri(&self, index: u16) -> Option<&str> {
        self.used.get(&index)?.uri.as_deref()
    }

    /// The whole line as `call-info` tells it: what is used, and idle for all others.
    #[must_use]
    pub fn told(&self) -> Vec<Appearance> {
        let mut line = SharedLine::default();
        let used = self.used.iter().map(|(index, row)| {
            let told = Appearance::new(*index, row.state);
            match row.uri.as_deref() {
                Some(uri) => told.with_uri(uri),
                None => told,
            }
        });
        line.apply(&used.collect::<Vec<_>>());
        line.full()
    }

    fn free(&self) -> Option<u16> {
        (1..=self.appearances).find(|index| !self.used.contains_key(index))
    }

    fn set(&mut self, index: u16, holder: &str, state: AppearanceState, uri: Option<&str>) {
        let row = Row { state, holder: holder.to_string(), uri: uri.map(Into::into), until: None };
        if self.used.get(&index) != Some(&row) {
            self.used.insert(index, row);
            self.changes += 1;
        }
    }
}

fn shortened(holder: &str) -> &str {
    let mut end = holder.len().min(MAX_HOLDER);
    while !holder.is_char_boundary(end) {
        end -= 1;
    }
    holder.get(..end).unwrap_or(holder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use AppearanceState as State;

    const LASTS: Duration = Duration::from_secs(15);

    #[test]
    fn of_two_who_seize_one_appearance_the_first_has_it_until_it_gives_it_back() {
        let mut table = AppearanceTable::new(1);
        let now = Instant::from_millis(5);
        assert_eq!(table.seize(now, Some(1), "alice", LASTS), Ok(1));
        let changes = table.changes();
        assert_eq!(table.seize(now, Some(1), "bob", LASTS), Err(Taken::ByAnother));
        assert_eq!(table.seize(now, None, "bob", LASTS), Err(Taken::ByAnother));
        assert_eq!(table.seize(now, Some(2), "bob", LASTS), Err(Taken::NoSuch));
        assert_eq!(table.seize(now, Some(0), "bob", LASTS), Err(Taken::NoSuch));
        assert!(!table.release(1, "bob") && !table.call(1, "bob", State::Progressing, None));
        assert_eq!(table.changes(), changes);
        assert_eq!(table.seize(now + LASTS, Some(1), "alice", LASTS), Ok(1), "a refresh");
        assert_eq!(table.poll_timeout(), Some(now + LASTS + LASTS));
        assert!(table.release(1, "alice") && !table.release(1, "alice"));
        assert_eq!(table.seize(now, Some(1), "bob", LASTS), Ok(1));
    }

    #[test]
    fn a_call_is_held_and_taken_over_and_ends_for_all() {
        let mut table = AppearanceTable::new(4);
        assert_eq!(table.alert(Some("sip:carol@x")), Some(1));
        assert_eq!((table.state(1), table.holder(1)), (State::Alerting, Some("")));
        assert!(table.hand_over(1, "alice") && table.hold(1, State::Held));
        assert_eq!((table.state(1), table.holder(1)), (State::Held, Some("alice")));
        assert!(!table.call(1, "bob", State::Active, None), "a call of somebody else");
        assert!(table.hand_over(1, "bob"));
        let told = table.told();
        assert_eq!(
            told,
            [Appearance::new(1, State::Active).with_uri("sip:carol@x"), Appearance::others(State::Idle)]
        );
        table.end(1);
        assert!(!table.hand_over(1, "alice") && !table.hold(1, State::Held));
        assert_eq!(table.told(), [Appearance::others(State::Idle)]);
    }

    #[test]
    fn a_line_has_no_more_calls_than_appearances_and_names_are_bounded() {
        let mut table = AppearanceTable::new(2);
        assert_eq!((table.alert(None), table.alert(None), table.alert(None)), (Some(1), Some(2), None));
        assert_eq!(AppearanceTable::new(0).appearances(), 1);
        assert_eq!(AppearanceTable::new(u16::MAX).appearances(), MAX_APPEARANCES);
        let long = "é".repeat(MAX_HOLDER);
        table.end(1);
        table.seize(Instant::ZERO, None, &long, LASTS).unwrap();
        assert!(table.is_seized_by(1, &long));
        assert!(table.holder(1).unwrap().len() <= MAX_HOLDER);
    }
}
