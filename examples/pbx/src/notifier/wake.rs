//! What wakes a subscription: the names of what changed since it told its subscriber.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// One subscription's alarm. Changes add up until they are taken: a slow subscriber is told the newest state.
#[derive(Default)]
pub(super) struct Wake {
    changed: Mutex<BTreeSet<Arc<str>>>,
    notify: Notify,
}

impl Wake {
    pub(super) fn ring(&self, name: &Arc<str>) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(name));
        self.notify.notify_one();
    }

    /// Waits until something has changed. Cancel-safe: nothing is taken.
    pub(super) async fn changed(&self) {
        while self.changed.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            self.notify.notified().await;
        }
    }

    /// What has changed.
    pub(super) fn take(&self) -> BTreeSet<Arc<str>> {
        core::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
