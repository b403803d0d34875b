//! The calls of an agent, found by their number or by their dialog.

use super::Call;
use crate::dialog::{DialogKey, LocalTag};
use crate::event::CallId;
use alloc::boxed::Box;
use hashbrown::HashMap;

/// Both ways to find a call take O(1), however many there are. The tables grow to
/// [`AgentConfig::max_calls`](crate::AgentConfig::max_calls) entries of 16 bytes and a control byte each.
#[derive(Default)]
pub(crate) struct Calls {
    by_id: HashMap<CallId, Box<Call>>,
    by_tag: HashMap<LocalTag, CallId>,
}

impl Calls {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn insert(&mut self, call: Call) {
        self.by_tag.insert(call.local_tag, call.id);
        self.by_id.insert(call.id, Box::new(call));
    }

    pub(crate) fn remove(&mut self, id: CallId) {
        if let Some(call) = self.by_id.remove(&id) {
            self.by_tag.remove(&call.local_tag);
        }
    }

    pub(crate) fn get(&self, id: CallId) -> Option<&Call> {
        self.by_id.get(&id).map(|call| &**call)
    }

    pub(crate) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        self.by_id.get_mut(&id).map(|call| &mut **call)
    }

    /// The call whose Call-ID and tag of ours these are.
    pub(crate) fn find(&mut self, key: &DialogKey) -> Option<&mut Call> {
        let id = *self.by_tag.get(&key.local_tag?)?;
        self.get_mut(id).filter(|call| *call.call_id == *key.call_id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_small() {
        assert_eq!(size_of::<(CallId, Box<Call>)>(), 16);
        assert_eq!(size_of::<(LocalTag, CallId)>(), 16);
    }
}
