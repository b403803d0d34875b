//! What a desk does beside single calls: transfers.

use super::calls::{Called, Report};
use super::{Run, peer};

use crate::firmware::{CallRef, Signal, TransferProgress};
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::{CallHandle, CallId, Conference, Error, IncomingRefer, JoinOrder};

/// Whom a call is transferred to.
#[derive(Debug)]
pub(super) enum Target {
    Number(String),
    Call(CallRef),
}

/// The last word of a REFER.
fn progress_of(done: Result<(), Error>) -> TransferProgress {
    match done {
        Ok(()) => TransferProgress::Done,
        Err(Error::Refused(status)) => {
            TransferProgress::Failed(format!("{} {}", status.code(), status.reason()))
        }
        Err(error) => TransferProgress::Failed(error.to_string()),
    }
}

impl Run {
    /// What the firmware calls a call of the user agent.
    pub(super) fn name_of(&self, id: CallId) -> Option<CallRef> {
        let called = self.handles.iter().find(|(_, handle)| handle.id() == id).map(|(name, _)| *name);
        called.or_else(|| self.ids.iter().find(|(_, known)| **known == id).map(|(name, _)| *name))
    }

    /// Asks the other side of a call to call somebody else, and tells the firmware what comes of it.
    pub(super) fn transfer(&self, call: CallRef, to: Target) {
        let reports = self.reports.clone();
        let handle = self.handles.get(&call).cloned();
        let to = match to {
            Target::Number(number) => Ok(number),
            Target::Call(other) => Err(self.handles.get(&other).cloned()),
        };
        tokio::spawn(async move {
            let done = match (handle, to) {
                (Some(handle), Ok(number)) => handle.transfer(number).await,
                (Some(handle), Err(Some(other))) => handle.transfer_to(&other).await,
                _ => Err(Error::Closed),
            };
            let progress = progress_of(done);
            // A desk that is gone needs to know nothing more.
            let _ = reports.send(Report::Signal(call, Signal::Transfer { call, progress })).await;
        });
    }

    /// Has the other side of a call join a conference of the server, and tells the firmware what comes of it.
    pub(super) fn bring_in(&self, call: CallRef, focus: CallRef, order: JoinOrder) {
        let reports = self.reports.clone();
        let handles = self.handles.get(&call).cloned().zip(self.handles.get(&focus).cloned());
        tokio::spawn(async move {
            let done = match handles {
                Some((member, focus)) => member.join_focus(&focus, order).await,
                None => Err(Error::Closed),
            };
            let progress = progress_of(done);
            // A desk that is gone needs to know nothing more.
            let _ = reports.send(Report::Signal(call, Signal::BroughtIn { call, progress })).await;
        });
    }

    /// Has a conference with which we have no call take this one over, and tells the firmware what comes of it.
    pub(super) fn send_to_room(&self, call: CallRef, account: usize, room: String) {
        let reports = self.reports.clone();
        let found = self.handles.get(&call).cloned().zip(self.accounts.get(account).cloned());
        tokio::spawn(async move {
            let done = match found {
                Some((handle, account)) => handle.join_conference(&account, room).await,
                None => Err(Error::Closed),
            };
            let progress = progress_of(done);
            // A desk that is gone needs to know nothing more.
            let _ = reports.send(Report::Signal(call, Signal::BroughtIn { call, progress })).await;
        });
    }

    /// Joins calls, and tells the firmware if that is not possible.
    pub(super) async fn join(&mut self, calls: &[CallRef]) {
        let handles: Vec<CallHandle> =
            calls.iter().filter_map(|call| self.handles.get(call).cloned()).collect();
        let joined = match &self.conference {
            None => match Conference::new(&handles).await {
                Ok(conference) => {
                    self.conference = Some(conference);
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Some(conference) => match conference.members().await {
                Ok(members) => {
                    let mut joined = Ok(());
                    for handle in &handles {
                        if joined.is_ok() && members.iter().all(|(member, _)| *member != handle.id()) {
                            joined = conference.join(handle).await;
                        }
                    }
                    joined
                }
                Err(error) => Err(error),
            },
        };
        if let Err(error) = joined {
            self.firmware.handle_signal(self.now(), Signal::NotJoined(error.to_string()));
        }
    }

    /// Parts the calls that are joined.
    pub(super) async fn split(&mut self) {
        if let Some(conference) = self.conference.take()
            && let Err(error) = conference.end().await
        {
            tracing::debug!(%error, "the conference is over");
        }
    }

    /// The other side of a call wants us to call somebody else: we do. Outside of calls nobody may want that.
    pub(super) fn referred(&mut self, refer: IncomingRefer) {
        let within = refer.call().and_then(|id| self.name_of(id));
        let account = self.accounts.iter().position(|known| Some(known.id()) == refer.account());
        let call = within.and_then(|call| self.firmware.referred(call, peer(&refer.target().to)));
        match (call, account) {
            (Some(call), Some(account)) => self.dial(call, account, Called::Referred(refer)),
            _ => {
                tokio::spawn(async move {
                    // Whoever asked may be gone.
                    let _ = refer.reject(StatusCode::DECLINE).await;
                });
            }
        }
    }
}
