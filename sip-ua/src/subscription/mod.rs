//! Subscriptions to events (RFC 6665), both sides.
//!
//! `subscriber` asks others for their state and keeps asking; `notifier` tells others ours. What is told is the packages'
//! (`package/`). A REFER's implicit subscription has its other half in `transfer`.

mod content;
mod notifier;
mod request;
mod subscriber;
mod table;
mod watcher;

pub use content::NotifyContent;
pub use notifier::{SubscribeKind, WatcherState};
pub use request::{ResubscribeRule, SubscribeRequest, SubscriptionState};
pub use subscriber::MAX_SAID;

pub(crate) use subscriber::Subscriber;
pub(crate) use table::{Subscriptions, Usage};
pub(crate) use watcher::{Asked, ReferIn, Watcher};

use crate::dialog::Dialog;
use crate::event::CallId;
use alloc::boxed::Box;

crate::id::identifiers! {
    /// Names a subscription of ours. Not used twice.
    SubscriptionId(u64) = "subscription";
    /// Names a subscription of somebody else to us. Not used twice.
    WatcherId(u64) = "watcher";
}

/// The dialog that a subscription is within (RFC 5057: a dialog may have several usages).
#[derive(Debug)]
pub(crate) enum Within {
    /// One of its own, or what a call left to it.
    Own(Box<Dialog>),
    /// A call's, while there is the call.
    Call(CallId),
}
