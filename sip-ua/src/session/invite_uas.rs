//! Incoming calls: 1xx, 2xx, refusal, CANCEL (RFC 3261 §13.3, §9.2).

use super::ack::by_us;
use super::bye::reason_text;
use super::config::{ExtensionUse, OPTIONS};
use super::offers::Offers;
use super::reliable::{Reliable, is_wanted};
use super::{Peer, Session, body_of, copy_routes, identity};
use crate::call::{Call, Phase};
use crate::context::{Context, Timer, add_options, names_option};
use crate::dialog::{Dialog, LocalTag};
use crate::error::CommandError;
use crate::event::{AccountId, CallId, EndCause, EndedBy, Event, Invite};
use crate::package::call_info;
use crate::refusal::Refusal;
use crate::request::append;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{
    CSeq, CallId as CallIdHeader, ContentType, Expires, From, Require, Supported, To, Unsupported,
};
use sidetone_sip_core::{Headers, ParseError, Request, Response, Source, StatusCode, Text, TransactionId};

/// Their INVITE waits for our decision.
pub(crate) struct Incoming {
    pub(super) transaction: TransactionId,
    pub(super) request: Request,
    source: Source,
    pub(super) dialog: Dialog,
    pub(super) peer: Peer,
    pub(super) offers: Offers,
    pub(super) reliable: Option<Box<Reliable>>,
    /// The last provisional response, repeated every minute.
    progress: Option<Response>,
    /// Further headers of the 200, which may have to wait.
    further: Headers,
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
        join: Option<CallId>,
    ) -> Result<Self, ParseError> {
        let call_id: CallIdHeader = request.headers.require()?;
        let call_id = Arc::from(call_id.as_str());
        let local_tag = LocalTag::random(&mut context.rng);
        let From(from) = request.headers.require()?;
        let To(to) = request.headers.require()?;
        let dialog = Dialog::server(&call_id, local_tag, &request)?;
        let uri = request.uri.clone();
        let peer = Peer::of(&request.headers);
        let offer = body_of(&request.body);
        // The caller may say for how long the invitation stands (RFC 3261 §13.3.1).
        let stands = request.headers.get::<Expires>().and_then(Result::ok);
        let stands = stands.map_or(Duration::MAX, |Expires(seconds)| Duration::from_secs(u64::from(seconds)));
        context.deadlines.set(Timer::RingLimit(id), now + context.config.ring_timeout.min(stands));
        let headers = request.headers.clone();
        let invite = Invite { from, to, uri: uri.clone(), offer, replaces, join, headers, source };
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
            identity: identity::known(&request),
            offer_headers: None,
            focus: false,
            phase: Phase::Incoming(Box::new(Incoming {
                transaction,
                request,
                source,
                dialog,
                peer,
                offers: Offers::default(),
                reliable: None,
                progress: None,
                further: Headers::new(),
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
        let usage = context.session_config(self.account).reliable;
        let Phase::Incoming(incoming) = &mut self.phase else { return Err(CommandError::WrongState) };
        let reliable = is_wanted(usage, &incoming.request.headers);
        if body.is_some() && incoming.request.body.is_empty() && !reliable {
            // An offer must not be sent where it may be lost (RFC 3261 §13.2.1).
            return Err(CommandError::WrongState);
        }
        if reliable {
            context.push_abilities(&mut response.headers, self.account);
        }
        if let Some(body) = body {
            response.set_body(&ContentType::SDP, body);
        }
        incoming.progress = Some(response.clone());
        let transaction = incoming.transaction;
        context.deadlines.set(Timer::KeepRinging(self.id), now + KEEP_RINGING);
        if reliable {
            return self.progress_reliably(context, now, response);
        }
        context.respond(now, transaction, response);
        Ok(())
    }

    /// It still rings.
    pub(crate) fn keep_ringing(&mut self, context: &mut Context, now: Instant) {
        let Phase::Incoming(incoming) = &mut self.phase else { return };
        let Some(response) = incoming.progress.clone() else { return };
        context.deadlines.set(Timer::KeepRinging(self.id), now + KEEP_RINGING);
        if incoming.reliable.is_some() {
            // Under a number of its own. That there is no room, or that the call is answered, is said by others.
            let _ = self.progress_reliably(context, now, response);
        } else {
            context.respond(now, incoming.transaction, response);
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
        if self.ended {
            return Err(CommandError::NoSuchCall);
        }
        let Phase::Incoming(incoming) = &mut self.phase else { return Err(CommandError::WrongState) };
        if incoming.is_answering() {
            return Err(CommandError::WrongState);
        }
        incoming.further = headers.clone();
        let Some(body) = incoming.hold(body) else {
            self.stop_ringing(context);
            return Ok(());
        };
        self.accept(context, now, body)
    }

    /// Sends the 200.
    pub(super) fn accept(
        &mut self,
        context: &mut Context,
        now: Instant,
        body: Bytes,
    ) -> Result<(), CommandError> {
        let mut response = self.invite_response(context, StatusCode::OK)?;
        context.push_abilities(&mut response.headers, self.account);
        let Phase::Incoming(incoming) = core::mem::replace(&mut self.phase, Phase::Over) else {
            return Err(CommandError::WrongState);
        };
        let described = incoming.is_described();
        let Incoming { transaction, request, dialog, peer, offers, reliable, further, .. } = *incoming;
        append(&mut response.headers, &further);
        self.stop_ringing(context);
        context.deadlines.stop(Timer::Reliable(self.id));
        let Some(Ok(CSeq { seq, .. })) = request.headers.get::<CSeq>() else {
            return Err(CommandError::WrongState);
        };
        let mut session = Session::new(dialog, &request.headers);
        (session.peer, session.offers) = (peer, offers);
        self.phase = Phase::Up(Box::new(session));
        self.agree_timer(context, now, &request.headers, &mut response.headers, true);
        self.keep_local(&body);
        if !described {
            response.set_body(&ContentType::SDP, body);
        }
        let offered = request.body.is_empty() && !described;
        self.send_2xx(context, now, transaction, response, seq, offered);
        if let Phase::Up(session) = &mut self.phase {
            session.late_prack = reliable.and_then(|reliable| reliable.late_prack());
        }
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
            let cause = EndCause::new(EndedBy::Remote, Some(StatusCode::REQUEST_TERMINATED), reason);
            self.end(context, cause.with_notices(&cancel.headers));
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
        self.drop_remote_offer(context, now);
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
        call_info::echo(&mut response.headers, &incoming.request.headers);
        let sips = incoming.request.uri.is_sips();
        context.push_contact(&mut response.headers, self.account, &self.user, &incoming.source, sips);
        self.mark_focus(&mut response.headers);
        Ok(response)
    }
}

impl Incoming {
    pub(crate) const fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(crate) const fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn is_of(&self, remote_tag: &str) -> bool {
        self.dialog.remote_tag() == remote_tag
    }

    /// The next sequence number of ours.
    pub(crate) fn next_seq(&mut self) -> u32 {
        self.dialog.next_seq()
    }
}

/// The response that refuses a call of an account for what its INVITE requires, lacks or asks for: 420, 421 or 422.
pub(crate) fn refusal(
    context: &mut Context,
    account: Option<AccountId>,
    request: &Request,
) -> Option<Response> {
    let config = context.session_config(account);
    let Require(required) = request.headers.get::<Require>().and_then(Result::ok).unwrap_or_default();
    let off = |option: &Text| {
        OPTIONS.iter().any(|own| option.eq_ignore_ascii_case(own)) && !config.usage(option).is_on()
    };
    let unsupported: Vec<Text> = required.into_iter().filter(off).collect();
    if !unsupported.is_empty() {
        let mut response = context.response(request, StatusCode::BAD_EXTENSION, None);
        response.headers.push(&Unsupported(unsupported));
        return Some(response);
    }
    let lacks = |option: &&str| {
        config.usage(option) == ExtensionUse::Required
            && !names_option::<Supported>(&request.headers, option)
            && !names_option::<Require>(&request.headers, option)
    };
    let lacking: Vec<&'static str> = OPTIONS.into_iter().filter(lacks).collect();
    if !lacking.is_empty() {
        let mut response = context.response(request, StatusCode::EXTENSION_REQUIRED, None);
        add_options::<Require>(&mut response.headers, lacking.into_iter());
        return Some(response);
    }
    super::too_short(context, account, request)
}
