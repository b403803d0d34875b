//! The subscriber's side: documents taken together.

use super::{Dialog, DialogInfo, DialogState, MAX_DIALOGS};
use crate::package::Merge;
use crate::package::version::Versions;
use alloc::string::String;
use alloc::vec::Vec;

/// What a subscriber knows of one watched resource: its dialogs that are not over, oldest first.
///
/// Applying a document takes time in proportion to its dialogs times those known, each [`MAX_DIALOGS`] at most.
#[derive(Clone, Debug, Default)]
pub struct DialogSet {
    versions: Versions,
    entity: String,
    dialogs: Vec<Dialog>,
}

impl DialogSet {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a document (RFC 4235 §4.3): a full one says all, a partial one changes those that it names, an older one
    /// is dropped. Dialogs that are over leave. Beyond [`MAX_DIALOGS`] new ones are left out.
    pub fn apply(&mut self, document: DialogInfo) -> Merge {
        let merge = self.versions.take(document.version, document.full);
        if merge == Merge::Stale {
            return merge;
        }
        if !document.entity.is_empty() {
            self.entity = document.entity;
        }
        if document.full {
            // What stays keeps its place.
            self.dialogs.retain(|own| document.dialogs.iter().any(|new| new.id == own.id));
        }
        for dialog in document.dialogs {
            let known = self.dialogs.iter().position(|own| own.id == dialog.id);
            if dialog.state == DialogState::Terminated {
                if let Some(at) = known {
                    self.dialogs.remove(at);
                }
            } else if let Some(own) = known.and_then(|at| self.dialogs.get_mut(at)) {
                *own = dialog;
            } else if self.dialogs.len() < MAX_DIALOGS {
                self.dialogs.push(dialog);
            }
        }
        merge
    }

    /// A new subscription begins: its versions count anew. The dialogs stay until its full document comes.
    pub fn restart(&mut self) {
        self.versions.restart();
    }

    /// Nothing is known any more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whose dialogs these are, as the last document that said so had it.
    #[must_use]
    pub fn entity(&self) -> &str {
        &self.entity
    }

    /// The dialogs that are not over, oldest first.
    #[must_use]
    pub fn dialogs(&self) -> &[Dialog] {
        &self.dialogs
    }

    /// A dialog by its `id`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Dialog> {
        self.dialogs.iter().find(|dialog| dialog.id == id)
    }

    /// Whether the full state came and no part was lost since.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.versions.is_whole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;

    fn early(id: &str) -> Dialog {
        Dialog::new(id, DialogState::Early)
    }

    fn ids(set: &DialogSet) -> Vec<&str> {
        set.dialogs().iter().map(|dialog| dialog.id.as_str()).collect()
    }

    #[test]
    fn a_part_changes_what_it_names_and_a_full_document_says_all() {
        let mut set = DialogSet::new();
        assert_eq!(set.apply(DialogInfo::full(0, "sip:a@b", vec![early("1"), early("2")])), Merge::Taken);
        let over = Dialog::new("1", DialogState::Terminated);
        assert_eq!(set.apply(DialogInfo::partial(1, "", vec![over, early("3")])), Merge::Taken);
        assert_eq!((ids(&set), set.entity()), (vec!["2", "3"], "sip:a@b"));
        let answered = Dialog::new("3", DialogState::Confirmed);
        assert_eq!(set.apply(DialogInfo::full(2, "", vec![early("4"), answered])), Merge::Taken);
        assert_eq!(ids(&set), ["3", "4"], "oldest first");
        assert_eq!(set.get("3").unwrap().state, DialogState::Confirmed);
        assert_eq!(set.apply(DialogInfo::full(3, "", vec![])), Merge::Taken);
        assert!(set.dialogs().is_empty() && set.is_whole());
    }

    #[test]
    fn an_old_document_changes_nothing_and_a_lost_one_asks_for_a_refresh() {
        let mut set = DialogSet::new();
        set.apply(DialogInfo::full(5, "", vec![early("1")]));
        assert_eq!(set.apply(DialogInfo::full(4, "", vec![])), Merge::Stale);
        assert_eq!(ids(&set), ["1"]);
        assert_eq!(set.apply(DialogInfo::partial(7, "", vec![early("2")])), Merge::Gap);
        assert_eq!(ids(&set), ["1", "2"]);
        assert!(!set.is_whole());
        set.restart();
        assert_eq!(ids(&set), ["1", "2"], "the lamp does not go dark in between");
        assert_eq!(set.apply(DialogInfo::full(0, "", vec![early("9")])), Merge::Taken);
        assert_eq!(ids(&set), ["9"]);
    }

    #[test]
    fn dialogs_without_end_are_bounded() {
        let mut set = DialogSet::new();
        for version in 0..1_000 {
            set.apply(DialogInfo::partial(version, "", vec![early(&format!("{version}"))]));
        }
        assert_eq!(set.dialogs().len(), MAX_DIALOGS);
        set.apply(DialogInfo::partial(1_000, "", vec![Dialog::new("0", DialogState::Terminated)]));
        assert_eq!(set.dialogs().len(), MAX_DIALOGS - 1);
    }
}
