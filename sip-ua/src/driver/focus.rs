//! The handles of conferences that a server joins (RFC 4579): bringing others in, being the focus, watching who is there.

use super::call::{CallHandle, IncomingCall};
use super::features::{work, work_now};
use super::subscription::{Subscription, SubscriptionEvent};
use super::{Account, Error, IntoUri};
use crate::package::Merge;
use crate::package::conference_info::{self, ConferenceInfo, Roster};
use crate::{JoinOrder, ReferRequest, SubscribeRequest, SubscriptionState};
use sidetone_sip_core::Uri;
use sidetone_sip_core::header::Event;

/// A watched conference (RFC 4575). Dropping it unsubscribes.
#[derive(Debug)]
pub struct WatchedConference {
    subscription: Subscription,
    roster: Roster,
}

impl CallHandle {
    /// The URI of the conference that the other side is the focus of; `None` when it is none.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn focus(&self) -> Result<Option<Uri>, Error> {
        let call = self.id();
        work_now(self.commands(), move |task, _| Ok(task.agent.focus(call))).await
    }

    /// Brings the other side of this call into the conference whose focus is the other side of another call of ours, by a
    /// REFER to one of them, and hangs up once it is there. When it fails the call is as it was.
    ///
    /// # Errors
    /// As [`CallHandle::transfer`].
    pub async fn join_focus(&self, focus: &Self, order: JoinOrder) -> Result<(), Error> {
        let (member, focus) = (self.id(), focus.id());
        work(self.commands(), move |task, now, reply| {
            let sent = task
                .agent
                .join_request(member, focus, order)
                .and_then(|(call, request)| task.agent.refer(now, call, &request));
            match sent {
                Ok(id) => drop(task.features.refers.insert(id, reply)),
                Err(error) => drop(reply.send(Err(error.into()))),
            }
        })
        .await?;
        // Who was called by the focus has hung up already.
        self.hangup().await.ok();
        Ok(())
    }
}

impl CallHandle {
    /// Has the focus with which this call is call somebody (RFC 4579: a REFER within the call), and waits until they are in
    /// the conference.
    ///
    /// # Errors
    /// As [`CallHandle::transfer`].
    pub async fn bring_in(&self, who: impl IntoUri) -> Result<(), Error> {
        self.refer(ReferRequest::new(who.into_uri(&self.remote().uri)?)).await
    }

    /// Has the focus with which this call is put somebody out of the conference.
    ///
    /// # Errors
    /// As [`CallHandle::transfer`]; [`Error::Refused`] with 404 when they are not in it.
    pub async fn put_out(&self, who: impl IntoUri) -> Result<(), Error> {
        self.refer(ReferRequest::to_put_out(who.into_uri(&self.remote().uri)?)).await
    }

    /// Has a conference take this call over, with which we have no call: a REFER to its URI, outside of any call, by which its
    /// focus calls the other side with a Replaces (RFC 4579, RFC 3891). Hangs up once it is there; when it fails the call is as
    /// it was.
    ///
    /// # Errors
    /// As [`CallHandle::transfer`].
    pub async fn join_conference(&self, account: &Account, conference: impl IntoUri) -> Result<(), Error> {
        let id = self.id();
        let to = work_now(self.commands(), move |task, _| {
            task.agent.replacing(id).ok_or_else(|| crate::CommandError::WrongState.into())
        })
        .await?;
        account.refer(conference, ReferRequest::new(to)).await?;
        // Who was called by the focus has hung up already.
        self.hangup().await.ok();
        Ok(())
    }
}

impl IncomingCall {
    /// Our Contact in this call says that we are the focus of a conference (`isfocus`, RFC 4579 §5.1).
    ///
    /// # Errors
    /// [`Error::Command`] when the caller has given up, [`Error::Closed`].
    pub async fn be_focus(&self) -> Result<(), Error> {
        let call = self.id();
        work_now(self.commands(), move |task, _| task.agent.set_focus(call).map_err(Error::from)).await
    }
}

impl Account {
    /// Has a conference, with which we have no call, call somebody (RFC 4579: a REFER to its URI outside of any call), and waits
    /// until they are in it.
    ///
    /// # Errors
    /// As [`CallHandle::transfer`].
    pub async fn bring_in(&self, conference: impl IntoUri, who: impl IntoUri) -> Result<(), Error> {
        let who = who.into_uri(self.aor())?;
        self.refer(conference, ReferRequest::new(who)).await
    }

    /// Has a conference, with which we have no call, put somebody out.
    ///
    /// # Errors
    /// As [`CallHandle::put_out`].
    pub async fn put_out(&self, conference: impl IntoUri, who: impl IntoUri) -> Result<(), Error> {
        let who = who.into_uri(self.aor())?;
        self.refer(conference, ReferRequest::to_put_out(who)).await
    }

    /// Watches who is in a conference (the package `conference`).
    ///
    /// # Errors
    /// [`Error::Uri`], [`Error::Command`], [`Error::Closed`].
    pub async fn watch_conference(&self, conference: impl IntoUri) -> Result<WatchedConference, Error> {
        let to = conference.into_uri(self.aor())?;
        let request = SubscribeRequest::new(to, Event::new(conference_info::EVENT))
            .accepting(conference_info::CONTENT_TYPE);
        Ok(WatchedConference { subscription: self.subscribe(request).await?, roster: Roster::default() })
    }
}

impl WatchedConference {
    /// Who is in it, as far as is known.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Waits for news and gives who is in the conference now; `None` when the focus has refused for good. Cancel-safe.
    pub async fn changed(&mut self) -> Option<&Roster> {
        loop {
            let request = match self.subscription.next_event().await? {
                SubscriptionEvent::Notify(request) if !request.body.is_empty() => request,
                SubscriptionEvent::State(SubscriptionState::Subscribing) => {
                    // A dialog that begins anew counts its documents anew.
                    self.roster.clear();
                    continue;
                }
                _ => continue,
            };
            match ConferenceInfo::parse(&request.body).map(|document| self.roster.merge(document)) {
                Ok(Merge::Stale) => {}
                Ok(merged) => {
                    if merged == Merge::Gap {
                        // It may be over by now.
                        self.subscription.refresh().await.ok();
                    }
                    return Some(&self.roster);
                }
                Err(error) => tracing::info!(%error, "a conference-info document cannot be read"),
            }
        }
    }
}
