//! What the handles and the state agent ask of the proxy's task.

use crate::dialogs::UserDialog;
use crate::features::Features;
use crate::proxy::Proxy;
use tokio::sync::{mpsc, oneshot};

#[derive(Debug)]
pub(crate) enum Command {
    Features { user: String, reply: oneshot::Sender<Features> },
    SetFeatures { user: String, features: Features, reply: oneshot::Sender<bool> },
    Dialogs { user: String, reply: oneshot::Sender<Vec<UserDialog>> },
}

impl Command {
    /// Who asked may be gone.
    pub(crate) fn run(self, proxy: &mut Proxy) {
        match self {
            Self::Features { user, reply } => {
                reply.send(proxy.features(&user)).ok();
            }
            Self::SetFeatures { user, features, reply } => {
                reply.send(proxy.set_features(&user, features)).ok();
            }
            Self::Dialogs { user, reply } => {
                reply.send(proxy.dialogs().of_user(&user).cloned().collect()).ok();
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
