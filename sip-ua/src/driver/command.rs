//! What the handles ask of the task.

use super::Error;
use super::account_state::AccountState;
use crate::{AccountConfig, AccountId, CallId};
use core::time::Duration;
use std::boxed::Box;
use tokio::sync::{oneshot, watch};
#[cfg(feature = "media")]
use {
    super::call::NewCall, sidetone_hal::audio::AudioPort, sidetone_media::StreamStats, std::string::String,
};

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What an account's handle learns when it is made.
pub(super) struct NewAccount {
    pub(super) id: AccountId,
    pub(super) state: watch::Receiver<AccountState>,
}

pub(super) enum Command {
    /// Whatever a handle wants done.
    Work(super::features::Work),
    AddAccount {
        config: Box<AccountConfig>,
        reply: Reply<NewAccount>,
    },
    Register {
        account: AccountId,
        reply: Reply<()>,
    },
    Unregister {
        account: AccountId,
        reply: Reply<()>,
    },
    #[cfg(feature = "media")]
    Call {
        account: AccountId,
        request: Box<crate::CallRequest>,
        audio: Box<dyn AudioPort>,
        reply: Reply<NewCall>,
    },
    Ring {
        call: CallId,
        reply: Reply<()>,
    },
    #[cfg(feature = "media")]
    Answer {
        call: CallId,
        audio: Box<dyn AudioPort>,
        reply: Reply<()>,
    },
    Reject {
        call: CallId,
        refusal: crate::Refusal,
        reply: Reply<()>,
    },
    Hangup {
        call: CallId,
        reply: Reply<()>,
    },
    #[cfg(feature = "media")]
    Hold {
        call: CallId,
        hold: bool,
        reply: Reply<()>,
    },
    #[cfg(feature = "media")]
    Dtmf {
        call: CallId,
        digits: String,
        reply: Reply<()>,
    },
    #[cfg(feature = "media")]
    Audio {
        call: CallId,
        make: super::media::MakePort,
        reply: Reply<Box<dyn AudioPort>>,
    },
    #[cfg(feature = "media")]
    Processing {
        call: CallId,
        processing: sidetone_media::process::AudioProcessing,
        reply: Reply<()>,
    },
    #[cfg(feature = "media")]
    Stats {
        call: CallId,
        reply: Reply<StreamStats>,
    },
    Shutdown {
        bound: Duration,
        reply: oneshot::Sender<()>,
    },
}
