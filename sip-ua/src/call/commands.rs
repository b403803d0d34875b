//! The commands that make, answer, change and end calls, and what can be asked of one.

use super::{Call, CallRequest, Phase};
use crate::agent::Agent;
use crate::context::Context;
use crate::error::CommandError;
use crate::event::{AccountId, CallId, CallState};
use crate::feature::cause::{self, EndReason};
use crate::refusal::Refusal;
use alloc::boxed::Box;
use bytes::Bytes;
use sidetone_hal::net::SocketAddr;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Headers, NameAddr, StatusCode, Uri};

impl Agent {
    /// Calls `to` from an account, with an offer; without one the other side makes it, and
    /// [`answer_offer`](Self::answer_offer) follows [`Event::Answered`](crate::Event::Answered).
    ///
    /// # Errors
    /// [`CommandError::NoSuchAccount`], [`CommandError::NotSip`], [`CommandError::TooManyCalls`],
    /// [`CommandError::NotRegistered`].
    pub fn call(
        &mut self,
        now: Instant,
        account: AccountId,
        to: &Uri,
        offer: Option<Bytes>,
    ) -> Result<CallId, CommandError> {
        let request = CallRequest { offer, ..CallRequest::new(to.clone()) };
        self.call_with(now, account, request)
    }

    /// Calls with all that may be said of a call.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_with(
        &mut self,
        now: Instant,
        account: AccountId,
        request: CallRequest,
    ) -> Result<CallId, CommandError> {
        let most = self.context.config.max_calls;
        if self.calls.len() >= most {
            return Err(CommandError::TooManyCalls(most));
        }
        if self.context.accounts.contains_key(&account) && !self.may_call(account) {
            return Err(CommandError::NotRegistered);
        }
        let id = self.next_call_id();
        let refer = request.refer;
        let call = Call::outgoing(&mut self.context, now, id, account, request)?;
        self.calls.insert(call);
        if let Some(refer) = refer {
            self.subscriptions.referred_calls.insert(id, refer);
        }
        self.pump(now);
        Ok(id)
    }

    /// Tells the caller that it rings here: 180.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`], [`CommandError::WrongState`].
    pub fn ring(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.progress(now, call, StatusCode::RINGING, None)
    }

    /// Sends a provisional response, with a session description for early media or without: reliably where the account
    /// says so and the caller can take it ([`SessionConfig::reliable`](crate::SessionConfig::reliable)). A reliable one
    /// waits for the PRACK of the one before, and has the description only once: the answer to the caller's offer, or
    /// our offer, whose answer [`Event::Answer`](crate::Event::Answer) has.
    ///
    /// # Errors
    /// [`CommandError::QueueFull`] when 8 wait for PRACKs, [`CommandError::WrongState`] for an offer that would not go
    /// reliably too,
    /// [`CommandError::Status`] for 100 and everything above 199, [`CommandError::NoSuchCall`], [`CommandError::WrongState`].
    pub fn progress(
        &mut self,
        now: Instant,
        call: CallId,
        status: StatusCode,
        body: Option<Bytes>,
    ) -> Result<(), CommandError> {
        self.progress_with(now, call, status, body, &Headers::new())
    }

    /// The same with further headers.
    ///
    /// # Errors
    /// As [`progress`](Self::progress).
    pub fn progress_with(
        &mut self,
        now: Instant,
        call: CallId,
        status: StatusCode,
        body: Option<Bytes>,
        headers: &Headers,
    ) -> Result<(), CommandError> {
        self.command(now, call, |call, context| call.progress(context, now, status, body, headers))
    }

    /// Answers an incoming call: with the answer to its offer, or with our offer if it made none. What a reliable
    /// provisional response said already is not said again, and the 200 waits for its PRACK.
    /// A call that it takes the place of ([`Invite::replaces`](crate::Invite::replaces)) is hung up.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`], [`CommandError::WrongState`].
    pub fn answer(&mut self, now: Instant, call: CallId, body: Bytes) -> Result<(), CommandError> {
        self.answer_with(now, call, body, &Headers::new())
    }

    /// The same with further headers.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn answer_with(
        &mut self,
        now: Instant,
        call: CallId,
        body: Bytes,
        headers: &Headers,
    ) -> Result<(), CommandError> {
        self.command(now, call, |call, context| call.answer(context, now, body, headers))?;
        if let Some(replaced) = self.replacing.remove(&call) {
            // It may have ended by itself meanwhile.
            let _ = match self.calls.get(replaced).map(|call| &call.phase) {
                // Who still rings there has missed nothing (RFC 3326 §2).
                Some(Phase::Outgoing(_)) => self.hangup_because(now, replaced, EndReason::CompletedElsewhere),
                Some(Phase::Incoming(_)) => self.reject(now, replaced, StatusCode::REQUEST_TERMINATED),
                _ => self.hangup(now, replaced),
            };
        }
        Ok(())
    }

    /// Refuses an incoming call, by a status alone or with what is wrong with its session description.
    ///
    /// # Errors
    /// [`CommandError::Status`] below 300, [`CommandError::NoSuchCall`], [`CommandError::WrongState`].
    pub fn reject(
        &mut self,
        now: Instant,
        call: CallId,
        refusal: impl Into<Refusal>,
    ) -> Result<(), CommandError> {
        let refusal = refusal.into();
        self.command(now, call, |call, context| call.reject(context, now, &refusal))
    }

    /// Ends a call in whatever state it is: by CANCEL, BYE, or 480. [`Event::Ended`](crate::Event::Ended) comes at once.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`] when it is over already.
    pub fn hangup(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.command(now, call, |call, context| {
            call.hang_up(context, now, None);
            Ok(())
        })
    }

    /// As [`hangup`](Self::hangup); the other side is told why by Reason headers in the CANCEL or BYE (RFC 3326).
    ///
    /// # Errors
    /// As [`hangup`](Self::hangup).
    pub fn hangup_because(
        &mut self,
        now: Instant,
        call: CallId,
        reason: EndReason,
    ) -> Result<(), CommandError> {
        let why = cause::headers(reason);
        self.command(now, call, |call, context| {
            call.hang_up_because(context, now, "hung up", &why);
            Ok(())
        })
    }

    /// Ends a call that cannot go on as it was agreed on, as when there are no keys for its media: as
    /// [`hangup`](Self::hangup), and both sides learn the reason, the other by a Reason header (RFC 3326) with cause 488.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`] when it is over already.
    pub fn abandon(&mut self, now: Instant, call: CallId, reason: &str) -> Result<(), CommandError> {
        self.command(now, call, |call, context| {
            call.hang_up(context, now, Some(reason));
            Ok(())
        })
    }

    /// Calls whom the last [`Event::Redirected`](crate::Event::Redirected) named, where it asked.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] when nothing was asked, [`CommandError::NoSuchCall`].
    pub fn follow_redirect(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.command(now, call, |call, context| call.follow_redirect(context, now))
    }

    /// Offers a change of the session: of an established call in a re-INVITE, for the other side's user may have to
    /// decide; before the call is answered in an UPDATE, which is possible once an offer and its answer went through in
    /// reliable responses (RFC 3311 §5.1), or in the PRACK of that answer, where it waits for one
    /// ([`SessionConfig::offer_in_prack`](crate::SessionConfig::offer_in_prack)). [`Event::Answer`](crate::Event::Answer) or [`Event::OfferRejected`](crate::Event::OfferRejected) follows.
    ///
    /// # Errors
    /// [`CommandError::Unsupported`] when an UPDATE would be needed and the other side does not take it,
    /// [`CommandError::OfferPending`]: [`Event::OfferDue`](crate::Event::OfferDue) tells when it can be made. [`CommandError::NoSuchCall`],
    /// [`CommandError::WrongState`].
    pub fn reoffer(&mut self, now: Instant, call: CallId, offer: Bytes) -> Result<(), CommandError> {
        self.command(now, call, |call, context| call.reoffer(context, now, Some(offer)))
    }

    /// Asks the other side of an established call to offer, by a re-INVITE without a session description (RFC 3261 §14.1):
    /// as when one call's media are to be given to another. [`Event::Offer`](crate::Event::Offer) follows, whose answer
    /// goes in the ACK and cannot be refused: [`reject_offer`](Self::reject_offer) ends the call. Or
    /// [`Event::OfferRejected`](crate::Event::OfferRejected) follows, or [`Event::Answer`](crate::Event::Answer) without a
    /// body where the other side offers nothing.
    ///
    /// # Errors
    /// As [`reoffer`](Self::reoffer); [`CommandError::WrongState`] before the call is answered.
    pub fn ask_offer(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.command(now, call, |call, context| call.reoffer(context, now, None))
    }

    /// Gives the re-INVITEs of a call further headers from now on, in place of those of an earlier call of this: as the
    /// Call-Info by which a shared line is held for oneself.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`] when it is over already.
    pub fn set_offer_headers(&mut self, call: CallId, headers: Headers) -> Result<(), CommandError> {
        let call = self.calls.get_mut(call).filter(|call| !call.ended).ok_or(CommandError::NoSuchCall)?;
        let some = headers.iter().next().is_some();
        call.offer_headers = some.then(|| Box::new(headers));
        Ok(())
    }

    /// Names us otherwise to the other side of an established call from now on (RFC 4916), in an UPDATE: as after a
    /// transfer, or when somebody else takes the receiver. The tag stays, whatever `identity` has.
    ///
    /// # Errors
    /// [`CommandError::Unsupported`] when the other side has not said that it takes UPDATE and a changed From
    /// (`from-change`), [`CommandError::NoSuchCall`], [`CommandError::WrongState`] before the call is answered.
    pub fn update_identity(
        &mut self,
        now: Instant,
        call: CallId,
        identity: NameAddr,
    ) -> Result<(), CommandError> {
        self.command(now, call, |call, context| call.update_identity(context, now, identity))
    }

    /// Answers [`Event::Offer`](crate::Event::Offer), or an [`Event::Answered`](crate::Event::Answered) that carried an offer.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] when no offer waits, [`CommandError::NoSuchCall`].
    pub fn answer_offer(&mut self, now: Instant, call: CallId, body: Bytes) -> Result<(), CommandError> {
        self.command(now, call, |call, context| call.answer_offer(context, now, body))
    }

    /// Refuses [`Event::Offer`](crate::Event::Offer); the session stays as it was.
    ///
    /// # Errors
    /// [`CommandError::Status`] below 300, [`CommandError::WrongState`] when no offer waits, [`CommandError::NoSuchCall`].
    pub fn reject_offer(
        &mut self,
        now: Instant,
        call: CallId,
        refusal: impl Into<Refusal>,
    ) -> Result<(), CommandError> {
        let refusal = refusal.into();
        self.command(now, call, |call, context| call.reject_offer(context, now, &refusal))
    }

    /// Sends a body in an INFO request of an established call; requests go one at a time, in their order, so that what
    /// they carry arrives in it. [`Event::InfoAccepted`](crate::Event::InfoAccepted) or [`Event::InfoRefused`](crate::Event::InfoRefused) follows.
    ///
    /// # Errors
    /// [`CommandError::QueueFull`] when 32 have no answer yet, [`CommandError::NoSuchCall`],
    /// [`CommandError::WrongState`].
    pub fn send_info(
        &mut self,
        now: Instant,
        call: CallId,
        kind: ContentType,
        body: Bytes,
    ) -> Result<(), CommandError> {
        self.command(now, call, |call, context| call.send_info(context, now, kind, body))
    }

    /// Whether the other side of an established call takes INFO requests: its Allow names them, or it has none
    /// (RFC 3261 §20.5).
    #[must_use]
    pub fn call_takes_info(&self, call: CallId) -> bool {
        let phase = self.calls.get(call).map(|call| &call.phase);
        matches!(phase, Some(Phase::Up(session)) if session.takes_info())
    }

    /// Where a call stands; `None` when nothing of it is left, not even on the wire.
    #[must_use]
    pub fn call_state(&self, call: CallId) -> Option<CallState> {
        self.calls.get(call).map(Call::state)
    }

    /// The account of a call.
    #[must_use]
    pub fn call_account(&self, call: CallId) -> Option<AccountId> {
        self.calls.get(call)?.account
    }

    /// Our address on the way to a call's other side, as its Contact names it: what a session description should name too.
    #[must_use]
    pub fn call_local_address(&self, call: CallId) -> Option<SocketAddr> {
        let call = self.calls.get(call)?;
        let Phase::Incoming(incoming) = &call.phase else { return None };
        let source = incoming.source();
        self.context.endpoint.local_address(source.protocol, Some(source.remote))
    }

    fn command(
        &mut self,
        now: Instant,
        id: CallId,
        command: impl FnOnce(&mut Call, &mut Context) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let shared = self.subscriptions.shares(id);
        let call = self.calls.get_mut(id).filter(|call| !call.ended).ok_or(CommandError::NoSuchCall)?;
        call.shared = shared;
        let result = command(call, &mut self.context);
        self.sweep(now, id);
        self.pump(now);
        result
    }
}
