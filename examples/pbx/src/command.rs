//! What the handles and the state agent ask of the proxy's task.

use crate::dialogs::UserDialog;
use crate::features::Features;
use crate::handle::PbxLoad;
use crate::proxy::Proxy;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_ua::feature::shared_line::Taken;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Who wants to use a telephone, with what proves that.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) user: String,
    pub(crate) nonce: String,
    pub(crate) response: String,
}

#[derive(Debug)]
pub(crate) enum Command {
    Features {
        user: String,
        reply: oneshot::Sender<Features>,
    },
    SetFeatures {
        user: String,
        features: Features,
        reply: oneshot::Sender<bool>,
    },
    SetGuest {
        desk: String,
        guest: Option<Guest>,
        reply: oneshot::Sender<bool>,
    },
    SeizeLine {
        line: Arc<str>,
        index: Option<u16>,
        holder: String,
        lasts: Duration,
        reply: oneshot::Sender<Result<u16, Taken>>,
    },
    ReleaseLine {
        line: Arc<str>,
        index: u16,
        holder: String,
    },
    KeepLine {
        line: Arc<str>,
        index: u16,
        holder: String,
    },
    Dialogs {
        user: String,
        reply: oneshot::Sender<Vec<UserDialog>>,
    },
    Load {
        reply: oneshot::Sender<PbxLoad>,
    },
}

impl Command {
    /// Who asked may be gone.
    pub(crate) fn run(self, now: Instant, proxy: &mut Proxy) {
        match self {
            Self::Features { user, reply } => {
                reply.send(proxy.features(&user)).ok();
            }
            Self::SetFeatures { user, features, reply } => {
                reply.send(proxy.set_features(&user, features)).ok();
            }
            Self::SetGuest { desk, guest, reply } => {
                let set = match guest {
                    Some(guest) => {
                        let proven = proxy.proves(&guest.user, &guest.nonce, &guest.response);
                        proven && proxy.set_guest(&desk, Some(&guest.user))
                    }
                    None => proxy.set_guest(&desk, None),
                };
                reply.send(set).ok();
            }
            Self::SeizeLine { line, index, holder, lasts, reply } => {
                let seized = proxy.seize_line(now, &line, index, &holder, lasts);
                if let Err(Ok(index)) = reply.send(seized) {
                    proxy.release_line(&line, index, &holder);
                }
            }
            Self::ReleaseLine { line, index, holder } => proxy.release_line(&line, index, &holder),
            Self::KeepLine { line, index, holder } => proxy.keep_line(&line, index, &holder),
            Self::Dialogs { user, reply } => {
                reply.send(proxy.dialogs().of_user(&user).cloned().collect()).ok();
            }
            Self::Load { reply } => {
                let load = PbxLoad {
                    requests: proxy.context_count(),
                    transactions: proxy.endpoint_mut().transaction_count(),
                    dialogs: proxy.dialogs().len(),
                    ..PbxLoad::default()
                };
                reply.send(load).ok();
            }
        }
    }
}

/// Asks the proxy's task; `None` when it has ended.
pub(crate) async fn ask<T>(
    commands: &mpsc::Sender<Command>,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    commands.send(command(reply)).await.ok()?;
    answer.await.ok()
}
