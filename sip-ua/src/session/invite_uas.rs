//! Incoming calls: 1xx, 2xx, refusal, CANCEL (RFC 3261 §13.3, §9.2).

use super::ack::by_us;
use super::bye::reason_text;
use super::{Session, body_of, copy_routes};
use crate::call::{Call, Phase};
use crate::context::{Context, Timer};
use crate::dialog::{Dialog, LocalTag};
use crate::error::CommandError;
use crate::event::{AccountId, CallId, EndCause, EndedBy, Event, Invite};
use crate::refusal::Refusal;
use crate::request::append;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CallId as CallIdHeader, ContentType, Expires, From, To};
use sidetone_sip_core::{Headers, ParseError, Request, Response, Source, StatusCode, TransactionId};

/// Their INVITE waits for our decision.
pub(crate) struct Incoming {
    pub(super) transaction: TransactionId,
    pub(super) request: Request,
    source: Source,
    dialog: Dialog,
    /// The last provisional response, repeated every minute.
    progress: Option<Response>,
}

/// Proxies stop waiting after three minutes without a response, so a provisional one goes out each minute
/// (RFC 3261 §13.3.1.1).
const KEEP_RINGING: Duration = Duration::from_secs(60);

impl Call {
    /// Takes an INVITE outside of a dialog.
    #[allow(clippy::too_many_arguments, reason = "all of them come from one request")]
    pub(crate) fn incoming(
        context: &mut Context,
        now: Instant,
        id: CallId,
        account: Option<AccountId>,
        transaction: TransactionId,
        request: Request,
        source: Source,
        replaces: Option<CallId>,
    ) -> Result<Self, ParseError> {
        let call_id: CallIdHeader = request.headers.require()?;
        let call_id = Arc::from(call_id.as_str());
        let local_tag = LocalTag::random(&mut context.rng);
        let From(from) = request.headers.require()?;
        let To(to) = request.headers.require()?;
        let dialog = Dialog::server(&call_id, local_tag, &request)?;
        let uri = request.uri.clone();
        let offer = body_of(&request.body);
        // The caller may say for how long the invitation stands (RFC 3261 §13.3.1).
        let stands = request.headers.get::<Expires>().and_then(Result::ok);
        let stands = stands.map_or(Duration::MAX, |Expires(seconds)| Duration::from_secs(u64::from(seconds)));
        context.deadlines.set(Timer::RingLimit(id), now + context.config.ring_timeout.min(stands));
        let invite =
            Invite { from, to, uri: uri.clone(), offer, replaces, headers: request.headers.clone(), source };
        let call = Self {
            id,
            account,
            call_id,
            local_tag,
            user: uri.user().unwrap_or_default().into(),
            protocol: source.protocol,
            caller: false,
            ended: false,
            shared: false,
            left: None,
            phase: Phase::Incoming(Box::new(Incoming {
                transaction,
                request,
                source,
                dialog,
                progress: None,
            })),
        };
        call.tell(context, Event::Incoming { call: id, account, invite: Box::new(invite) });
        Ok(call)
    }

    /// Sends 180, 183 or another provisional response other than 100.
    pub(crate) fn progress(
        &mut self,
        context: &mut Context,
        now: Instant,
        status: StatusCode,
        body: Option<Bytes>,
        headers: &Headers,
    ) -> Result<(), CommandError> {
        if !status.is_provisional() || status == StatusCode::TRYING {
            return Err(CommandError::Status(status.code()));
        }
        let mut response = self.invite_response(context, status)?;
        append(&mut response.headers, headers);
        if let Some(body) = body {
            response.set_body(&ContentType::SDP, body);
        }
        if let Phase::Incoming(incoming) = &mut self.phase {
            incoming.progress = Some(response.clone());
            context.respond(now, incoming.transaction, response);
            context.deadlines.set(Timer::KeepRinging(self.id), now + KEEP_RINGING);
        }
        Ok(())
    }

    /// It still rings.
    pub(crate) fn keep_ringing(&self, context: &mut Context, now: Instant) {
        if let Phase::Incoming(incoming) = &self.phase
            && let Some(response) = &incoming.progress
        {
            context.respond(now, incoming.transaction, response.clone());
            context.deadlines.set(Timer::KeepRinging(self.id), now + KEEP_RINGING);
        }
    }

    /// Answers with a 200.
    pub(crate) fn answer(
        &mut self,
        context: &mut Context,
        now: Instant,
        body: Bytes,
        headers: &Headers,
    ) -> Result<(), CommandError> {
        let mut response = self.invite_response(context, StatusCode::OK)?;
        append(&mut response.headers, headers);
        context.push_abilities(&mut response.headers);
        response.set_body(&ContentType::SDP, body);
        let Phase::Incoming(incoming) = core::mem::replace(&mut self.phase, Phase::Over) else {
            return Err(CommandError::WrongState);
        };
        let Incoming { transaction, request, dialog, .. } = *incoming;
        self.stop_ringing(context);
        let seq = dialog.remote_seq().unwrap_or_default();
        self.phase = Phase::Up(Box::new(Session::new(dialog, &request.headers)));
        self.send_2xx(context, now, transaction, response, seq, request.body.is_empty());
        Ok(())
    }

    /// Refuses with 300 to 699.
    pub(crate) fn reject(
        &mut self,
        context: &mut Context,
        now: Instant,
        refusal: &Refusal,
    ) -> Result<(), CommandError> {
        if !matches!(self.phase, Phase::Incoming(_)) || self.ended {
            return Err(CommandError::WrongState);
        }
        let status = refusal.status;
        if status.code() < 300 {
            return Err(CommandError::Status(status.code()));
        }
        self.refuse_invite(context, now, refusal);
        self.end(context, by_us(status));
        Ok(())
    }

    /// The caller takes the INVITE back before it has a final response.
    pub(crate) fn handle_cancel(&mut self, context: &mut Context, now: Instant, cancel: &Request) {
        if matches!(self.phase, Phase::Incoming(_)) {
            self.refuse_invite(context, now, &StatusCode::REQUEST_TERMINATED.into());
            let reason = reason_text(cancel).unwrap_or_else(|| "cancelled by the caller".into());
            self.end(context, EndCause::new(EndedBy::Remote, Some(StatusCode::REQUEST_TERMINATED), reason));
        }
    }

    /// The INVITE's transaction broke before we answered: the way back to the caller is gone.
    pub(crate) fn handle_invite_lost(&mut self, context: &mut Context, transaction: TransactionId) {
        if matches!(&self.phase, Phase::Incoming(incoming) if incoming.transaction == transaction) {
            self.end(context, EndCause::new(EndedBy::Network, None, "the way back to the caller is gone"));
            self.finish(context);
        }
    }

    /// Sends the final response to a call that is not answered. The user is told by the caller of this.
    pub(super) fn refuse_invite(&mut self, context: &mut Context, now: Instant, refusal: &Refusal) {
        if let Phase::Incoming(incoming) = &self.phase {
            let transaction = incoming.transaction;
            let tag = self.local_tag.to_string();
            let mut response = context.response(&incoming.request, refusal.status, Some(&tag));
            refusal.write(&mut response, context.local_address(&incoming.source));
            context.respond(now, transaction, response);
            self.finish(context);
        }
    }

    /// A response to the INVITE with what makes a dialog: our tag, Contact, Record-Route (RFC 3261 §12.1.1).
    fn invite_response(&self, context: &mut Context, status: StatusCode) -> Result<Response, CommandError> {
        let Phase::Incoming(incoming) = &self.phase else { return Err(CommandError::WrongState) };
        if self.ended {
            return Err(CommandError::NoSuchCall);
        }
        let mut response = context.response(&incoming.request, status, Some(&self.local_tag.to_string()));
        copy_routes(&mut response.headers, &incoming.request);
        let sips = incoming.request.uri.is_sips();
        context.push_contact(&mut response.headers, self.account, &self.user, &incoming.source, sips);
        Ok(response)
    }
}

impl Incoming {
    pub(crate) const fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn is_of(&self, remote_tag: &str) -> bool {
        self.dialog.remote_tag() == remote_tag
    }

    pub(crate) fn accept_seq(&mut self, seq: u32) -> bool {
        self.dialog.accept_seq(seq)
    }
}
