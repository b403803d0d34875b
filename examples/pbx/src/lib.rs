#![doc = include_str!("../README.md")]

mod auth;
mod call_config;
mod command;
mod config;
mod dialogs;
mod event;
mod features;
mod handle;
mod location;
mod mailbox;
mod notifier;
mod pbx;
mod plug_and_play;
mod proxy;
mod registrar;
mod services;
mod shared_lines;
mod ticket;

pub use call_config::{CallConfig, GroupOrder, MAX_GROUP_MEMBERS, PickupScope, RingGroup};
pub use config::ProxyConfig;
pub use dialogs::{
    DialogEnd, DialogId, DialogState, DialogTable, Direction, MAX_DIALOGS, MAX_DIALOGS_PER_USER, UserDialog,
};
pub use event::PbxEvent;
pub use features::{FeatureCodes, Features, MAX_FEATURE_USERS, MAX_TARGET, MemoryFeatures, UserFeatures};
pub use handle::{PbxDialogs, PbxEvents, PbxHandle, PbxLoad};
pub use location::{Binding, LocationStore, MemoryStore};
pub use mailbox::{
    FolderMailboxes, MAX_MAILBOXES, MAX_MESSAGES, MailboxCounts, MailboxError, MailboxStore, MemoryMailboxes,
    MessageId, VoiceMessage,
};
pub use notifier::{MAX_LIST, STATE_PACKAGES};
pub use pbx::{Pbx, PbxBuilder, StartError};
pub use plug_and_play::PlugAndPlay;
pub use proxy::{Extension, MAX_PICKUP_GROUPS, MAX_PICKUP_MEMBERS, Proxy};
pub use registrar::RegistrarLimits;
pub use services::{
    MAX_ROOM, Music, OrbitConfig, Prompt, PromptError, RoomConfig, RoomControl, Service, VoicemailConfig,
};
pub use shared_lines::{LineDialog, LineState, MAX_SHARED_LINES};
