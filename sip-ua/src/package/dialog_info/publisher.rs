//! The notifier's side: changes as documents.

use super::{Dialog, DialogInfo, DialogState};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// Dialogs that are over and are kept for the subscribers that have not been told yet. One that lags behind more
/// gets the full state.
pub const MAX_ENDED: usize = 128;

/// What a notifier tells of its own dialogs. Each subscription has a [`Told`], which the subscription keeps.
///
/// Changes between two documents of a subscription become one: whoever is told seldom (RFC 4235 §3.10 has at most one
/// document a second) is told the newest state. A partial document takes time in proportion to what changed times the
/// logarithm of the dialogs; a full one in proportion to the dialogs.
///
/// ```
/// use sidetone_sip_ua::package::dialog_info::{Dialog, DialogPublisher, DialogSet, DialogState, Told};
/// let mut publisher = DialogPublisher::new("sip:alice@example.com");
/// let (mut told, mut set) = (Told::default(), DialogSet::new());
/// set.apply(publisher.changes(&mut told).unwrap());
/// publisher.update(Dialog::new("1", DialogState::Early));
/// let part = publisher.changes(&mut told).unwrap();
/// assert!(!part.full);
/// set.apply(part);
/// assert_eq!(set.get("1").unwrap().state, DialogState::Early);
/// assert_eq!(publisher.changes(&mut told), None);
/// ```
#[derive(Clone, Debug)]
pub struct DialogPublisher {
    entity: String,
    /// By `id`, with the number of the last change.
    dialogs: BTreeMap<String, (u64, Dialog)>,
    /// By the number of the last change: each dialog is here once.
    changes: BTreeMap<u64, String>,
    /// Of the changes, those that ended a dialog.
    ended: BTreeSet<u64>,
    newest: u64,
    /// Changes up to this one may have been forgotten.
    forgotten: u64,
}

/// What one subscription was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The version of the next document.
    version: u32,
    /// The number of the last change it knows; `None` before the first document.
    change: Option<u64>,
}

impl DialogPublisher {
    /// Without dialogs.
    #[must_use]
    pub fn new(entity: impl Into<String>) -> Self {
        Self {
            entity: entity.into(),
            dialogs: BTreeMap::new(),
            changes: BTreeMap::new(),
            ended: BTreeSet::new(),
            newest: 0,
            forgotten: 0,
        }
    }

    /// A dialog began, changed or ended; those with the `id` before it are the same one. Returns whether there is
    /// anything to tell.
    pub fn update(&mut self, dialog: Dialog) -> bool {
        let is_over = dialog.state == DialogState::Terminated;
        match self.dialogs.get(&dialog.id) {
            Some((_, known)) if *known == dialog => return false,
            // Nobody heard of it.
            None if is_over => return false,
            _ => {}
        }
        self.newest += 1;
        let change = self.newest;
        self.changes.insert(change, dialog.id.clone());
        if is_over {
            self.ended.insert(change);
        }
        if let Some((last, _)) = self.dialogs.insert(dialog.id.clone(), (change, dialog)) {
            self.changes.remove(&last);
            self.ended.remove(&last);
        }
        if self.ended.len() > MAX_ENDED
            && let Some(oldest) = self.ended.pop_first()
        {
            if let Some(id) = self.changes.remove(&oldest) {
                self.dialogs.remove(&id);
            }
            self.forgotten = oldest;
        }
        true
    }

    /// The dialogs that are not over, by `id`.
    pub fn dialogs(&self) -> impl Iterator<Item = &Dialog> {
        self.dialogs
            .values()
            .map(|(_, dialog)| dialog)
            .filter(|dialog| dialog.state != DialogState::Terminated)
    }

    /// All dialogs, for a subscription that is new or was refreshed (RFC 4235 §3.8).
    pub fn full(&self, told: &mut Told) -> DialogInfo {
        self.document(told, true, self.dialogs().cloned().collect())
    }

    /// What changed since the last document of the subscription: in part, or in full when it is the first or too much
    /// was missed. `None` when there is nothing to tell.
    pub fn changes(&self, told: &mut Told) -> Option<DialogInfo> {
        let Some(known) = told.change.filter(|&known| known >= self.forgotten) else {
            return Some(self.full(told));
        };
        if known >= self.newest {
            return None;
        }
        let changed = self.changes.range(known + 1..).filter_map(|(_, id)| self.dialogs.get(id));
        let changed = changed.map(|(_, dialog)| dialog.clone()).collect();
        Some(self.document(told, false, changed))
    }

    fn document(&self, told: &mut Told, full: bool, dialogs: Vec<Dialog>) -> DialogInfo {
        let version = told.version;
        *told = Told { version: version.wrapping_add(1), change: Some(self.newest) };
        DialogInfo { version: Some(version), full, entity: self.entity.clone(), dialogs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Merge;
    use crate::package::dialog_info::{DialogSet, StateEvent};
    use alloc::format;
    use sidetone_sip_core::Rng;

    fn dialog(id: &str, state: DialogState) -> Dialog {
        Dialog::new(id, state)
    }

    #[test]
    fn the_first_document_is_full_and_those_after_it_tell_what_changed() {
        let mut publisher = DialogPublisher::new("sip:alice@example.com");
        assert!(publisher.update(dialog("1", DialogState::Early)));
        assert!(!publisher.update(dialog("1", DialogState::Early)), "nothing changed");
        assert!(!publisher.update(dialog("0", DialogState::Terminated)), "nobody heard of it");
        let (mut told, mut other) = (Told::default(), Told::default());
        let first = publisher.changes(&mut told).unwrap();
        assert_eq!((first.version, first.full, first.dialogs.len()), (Some(0), true, 1));
        assert_eq!(publisher.changes(&mut told), None);

        publisher.update(dialog("1", DialogState::Confirmed));
        publisher.update(dialog("2", DialogState::Trying));
        let over = dialog("1", DialogState::Terminated).with_event(StateEvent::RemoteBye, None);
        publisher.update(over.clone());
        let next = publisher.changes(&mut told).unwrap();
        assert_eq!((next.version, next.full), (Some(1), false));
        assert_eq!(next.dialogs, [dialog("2", DialogState::Trying), over]);

        let late = publisher.changes(&mut other).unwrap();
        assert_eq!((late.version, late.full), (Some(0), true), "each subscription counts its own");
        assert_eq!(late.dialogs, [dialog("2", DialogState::Trying)]);
        assert_eq!(publisher.full(&mut told).version, Some(2));
    }

    #[test]
    fn whoever_missed_more_than_is_kept_gets_the_full_state() {
        let mut publisher = DialogPublisher::new("");
        let mut told = Told::default();
        publisher.full(&mut told);
        for id in 0..=MAX_ENDED {
            publisher.update(dialog(&format!("{id}"), DialogState::Early));
            publisher.update(dialog(&format!("{id}"), DialogState::Terminated));
        }
        assert_eq!(publisher.dialogs.len(), MAX_ENDED);
        let all = publisher.changes(&mut told).unwrap();
        assert!(all.full && all.dialogs.is_empty());
        for id in 0..MAX_ENDED * 20 {
            publisher.update(dialog(&format!("{id}"), DialogState::Early));
            publisher.update(dialog(&format!("{id}"), DialogState::Terminated));
        }
        assert_eq!(
            (publisher.dialogs.len(), publisher.changes.len(), publisher.ended.len()),
            (MAX_ENDED, MAX_ENDED, MAX_ENDED)
        );
    }

    #[test]
    fn every_subscriber_ends_up_with_the_same_dialogs_whenever_it_is_told() {
        let mut rng = Rng::from_u64(4235);
        let states = [
            DialogState::Trying,
            DialogState::Early,
            DialogState::Confirmed,
            DialogState::Terminated,
            DialogState::Terminated,
        ];
        let mut publisher = DialogPublisher::new("sip:alice@example.com");
        let mut watchers: [(Told, DialogSet); 4] = Default::default();
        for step in 0..4_000_u64 {
            let state = states[usize::try_from(rng.next_u64() % 5).unwrap()];
            publisher.update(dialog(&format!("{}", rng.next_u64() % 40), state));
            for (every, (told, set)) in (1..).zip(&mut watchers) {
                if !step.is_multiple_of(every * every * every) && step != 3_999 {
                    continue;
                }
                if let Some(document) = publisher.changes(told) {
                    let document = DialogInfo::read(document.write().as_bytes()).unwrap();
                    assert_eq!(set.apply(document), Merge::Taken);
                }
                assert!(set.is_whole());
                let mut known: Vec<_> = set.dialogs().to_vec();
                known.sort_by(|left, right| left.id.cmp(&right.id));
                assert_eq!(known, publisher.dialogs().cloned().collect::<Vec<_>>());
            }
        }
    }
}
