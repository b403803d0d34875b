//! Requests of the other side: what they are for, and what is answered to those that we cannot serve
//! (RFC 3261 §8.2).

use crate::agent::Agent;
use crate::call::{Call, Phase};
use crate::context::{Context, METHODS, add_options, push_abilities};
use crate::dialog::DialogKey;
use crate::event::{AccountId, CallId};
use crate::session::{self, is_foreign_body};
use alloc::vec::Vec;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{
    Accept, Allow, CSeq, ContentType, From, Require, Supported, To, Unsupported,
};
use sidetone_sip_core::{Method, Request, Response, Source, StatusCode, Text, TransactionId, Uri};

impl Agent {
    /// A request that opens a server transaction.
    pub(crate) fn handle_request(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        // Max-Forwards does not matter here: it bounds forwarding, and we are where the request ends (RFC 4475 §3.3.11).
        if let Some(response) = refusal(&mut self.context, &request) {
            return self.context.respond(now, transaction, response);
        }
        match DialogKey::of_request(&request) {
            Ok(Some(key)) => self.handle_in_dialog(now, &key, transaction, request, source),
            Ok(None) => self.handle_out_of_dialog(now, transaction, request, source),
            Err(error) => self.context.refuse(now, transaction, &request, error.status()),
        }
    }

    fn handle_out_of_dialog(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let context = &mut self.context;
        if request.method == Method::INVITE {
            return self.handle_invite(now, transaction, request, source);
        }
        if request.method == Method::OPTIONS {
            return answer_options(context, now, transaction, &request);
        }
        let status = if request.method == Method::SUBSCRIBE || request.method == Method::NOTIFY {
            // We know no event package (RFC 6665 §4.2.1.1).
            StatusCode::BAD_EVENT
        } else if METHODS.contains(&request.method) {
            // BYE and INFO mean something within a dialog only.
            StatusCode::CALL_DOES_NOT_EXIST
        } else {
            return refuse_method(context, now, transaction, &request);
        };
        context.refuse(now, transaction, &request, status);
    }

    /// A new call.
    fn handle_invite(&mut self, now: Instant, transaction: TransactionId, request: Request, source: Source) {
        let status = if is_foreign_body(&request) {
            let mut response = self.context.response(&request, StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
            response.headers.push(&Accept([ContentType::SDP].into()));
            return self.context.respond(now, transaction, response);
        } else if self.calls.len() >= self.context.config.max_calls {
            Some(StatusCode::BUSY_HERE)
        } else {
            None
        };
        if let Some(status) = status {
            return self.context.refuse(now, transaction, &request, status);
        }
        let account = self.called_account(&request);
        if let Some(response) = session::refusal(&mut self.context, account, &request) {
            return self.context.respond(now, transaction, response);
        }
        let id = self.next_call_id();
        match Call::incoming(&mut self.context, now, id, account, transaction, request.clone(), source) {
            Ok(call) => {
                self.by_server_invite.insert(transaction, id);
                self.calls.insert(call);
            }
            Err(error) => self.context.refuse(now, transaction, &request, error.status()),
        }
    }

    /// The account that was called: by To, else by the user part of the Request-URI.
    fn called_account(&self, request: &Request) -> Option<AccountId> {
        let To(to) = request.headers.get::<To>()?.ok()?;
        let accounts = || self.context.accounts.iter();
        let by_user = |uri: &Uri| {
            let user = uri.user()?;
            accounts().find(|(_, account)| account.user() == user).map(|(id, _)| *id)
        };
        accounts()
            .find(|(_, account)| account.is(&to.uri))
            .map(|(id, _)| *id)
            .or_else(|| by_user(&request.uri))
            .or_else(|| by_user(&to.uri))
    }

    fn handle_in_dialog(
        &mut self,
        now: Instant,
        key: &DialogKey,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let context = &mut self.context;
        let Some(call) = self.calls.find(key).filter(|call| call.is_from_peer(&request)) else {
            return context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
        };
        let Some(Ok(CSeq { seq, .. })) = request.headers.get::<CSeq>() else {
            return context.refuse(now, transaction, &request, StatusCode::BAD_REQUEST);
        };
        let from = request.headers.get::<From>().and_then(Result::ok);
        let tag = from.as_ref().and_then(|from| from.tag()).unwrap_or_default();
        if !call.accept_seq(tag, seq) {
            return context.refuse(now, transaction, &request, StatusCode::SERVER_INTERNAL_ERROR);
        }
        match request.method {
            Method::INVITE => {
                call.handle_reinvite(context, now, transaction, request, source);
                if matches!(&call.phase, Phase::Up(session) if session.waits_for(transaction)) {
                    self.by_server_invite.insert(transaction, call.id);
                }
            }
            Method::BYE => {
                call.handle_bye(context, now, transaction, &request);
                let id = call.id;
                self.sweep(id);
            }
            Method::PRACK => call.handle_prack(context, now, transaction, request, source),
            Method::UPDATE => call.handle_update(context, now, transaction, request, source),
            Method::OPTIONS => answer_options(context, now, transaction, &request),
            Method::INFO => call.handle_info(context, now, transaction, &request),
            Method::SUBSCRIBE | Method::NOTIFY => {
                context.refuse(now, transaction, &request, StatusCode::BAD_EVENT);
            }
            _ => refuse_method(context, now, transaction, &request),
        }
    }

    pub(crate) fn next_call_id(&mut self) -> CallId {
        self.last_call += 1;
        CallId(self.last_call)
    }
}

impl Call {
    /// Whether the From tag is the other side's.
    fn is_from_peer(&self, request: &Request) -> bool {
        let Some(Ok(from)) = request.headers.get::<From>() else { return false };
        let tag = from.tag().unwrap_or_default();
        match &self.phase {
            Phase::Up(session) => session.dialog.remote_tag() == tag,
            Phase::Incoming(incoming) => incoming.is_of(tag),
            // Early dialogs differ by tags that we have not chosen among yet.
            Phase::Outgoing(_) => true,
            Phase::Over => false,
        }
    }
}

/// The response that refuses a request whatever its dialog: for an address scheme or an extension that we do not know
/// (RFC 3261 §8.2.2.1, §8.2.2.3).
fn refusal(context: &mut Context, request: &Request) -> Option<Response> {
    if !request.uri.is_sip() {
        return Some(context.response(request, StatusCode::UNSUPPORTED_URI_SCHEME, None));
    }
    let required = request.headers.all::<Require>().flatten().flat_map(|Require(tags)| tags);
    let required: Vec<Text> = required.filter(|tag| !context.knows_option(tag)).collect();
    if required.is_empty() {
        return None;
    }
    let mut response = context.response(request, StatusCode::BAD_EXTENSION, None);
    response.headers.push(&Unsupported(required));
    Some(response)
}

/// RFC 3261 §11.2.
fn answer_options(context: &mut Context, now: Instant, transaction: TransactionId, request: &Request) {
    let mut response = context.response(request, StatusCode::OK, None);
    push_abilities(&mut response.headers);
    let known = session::OPTIONS.into_iter().filter(|option| context.knows_option(option));
    add_options::<Supported>(&mut response.headers, known);
    context.respond(now, transaction, response);
}

fn refuse_method(context: &mut Context, now: Instant, transaction: TransactionId, request: &Request) {
    let mut response = context.response(request, StatusCode::METHOD_NOT_ALLOWED, None);
    response.headers.push(&Allow(METHODS.into()));
    context.respond(now, transaction, response);
}
