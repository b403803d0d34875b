//! Requests of the other side: what they are for, and what is answered to those that we cannot serve
//! (RFC 3261 §8.2).

use crate::agent::Agent;
use crate::call::{Call, Phase};
use crate::context::{Context, add_options};
use crate::dialog::DialogKey;
use crate::event::{AccountId, CallId};
use crate::info::is_foreign_info;
use crate::package::resource_list::OPTION_TAG;
use crate::session::{self, is_foreign_body};
use crate::subscription::Usage;
use alloc::vec::Vec;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{
    Accept, Allow, CSeq, ContentType, Event as EventHeader, From, Require, Supported, To, Unsupported,
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
        match request.method {
            Method::SUBSCRIBE => self.handle_subscribe(now, transaction, request, source),
            Method::NOTIFY => self.handle_unsolicited(now, None, transaction, request, source),
            Method::REFER => self.handle_refer(now, None, transaction, request, source),
            _ if context.config.methods.contains(&request.method) => {
                self.deliver(now, None, transaction, request, source);
            }
            // BYE and INFO mean something within a dialog only.
            _ if context.methods().contains(&request.method) => {
                context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
            }
            _ => refuse_method(context, now, transaction, &request),
        }
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
        let replaces = match self.replaced_call(&request) {
            Ok(replaces) => replaces,
            Err(status) => return self.context.refuse(now, transaction, &request, status),
        };
        let join = match self.joined_call(&request) {
            Ok(join) => join,
            Err(status) => return self.context.refuse(now, transaction, &request, status),
        };
        let account = self.called_account(&request);
        if let Some(response) = session::refusal(&mut self.context, account, &request) {
            return self.context.respond(now, transaction, response);
        }
        let id = self.next_call_id();
        let request_again = request.clone();
        match Call::incoming(
            &mut self.context,
            now,
            id,
            account,
            transaction,
            request_again,
            source,
            replaces,
            join,
        ) {
            Ok(call) => {
                if let Some(replaced) = replaces {
                    self.replacing.insert(id, replaced);
                }
                self.by_server_invite.insert(transaction, id);
                self.calls.insert(call);
            }
            Err(error) => self.context.refuse(now, transaction, &request, error.status()),
        }
    }

    /// The account that was called: by To, else by the user part of the Request-URI.
    pub(crate) fn called_account(&self, request: &Request) -> Option<AccountId> {
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
            return self.handle_in_subscription(now, key, transaction, request, source);
        };
        let Some(Ok(CSeq { seq, .. })) = request.headers.get::<CSeq>() else {
            return context.refuse(now, transaction, &request, StatusCode::BAD_REQUEST);
        };
        let id = call.id;
        call.shared = self.subscriptions.shares(id);
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
                self.sweep(now, id);
            }
            Method::PRACK => call.handle_prack(context, now, transaction, request, source),
            Method::UPDATE => call.handle_update(context, now, transaction, request, source),
            Method::OPTIONS => answer_options(context, now, transaction, &request),
            // What is no key press is the user's, if it takes INFO.
            Method::INFO if !call.ended && is_foreign_info(&request) && takes(context, &Method::INFO) => {
                self.deliver(now, Some(id), transaction, request, source);
            }
            Method::INFO => call.handle_info(context, now, transaction, &request),
            // Our BYE crosses it: for the user there is no such call any more.
            Method::REFER if call.ended => {
                context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
            }
            Method::REFER => self.handle_refer(now, Some(id), transaction, request, source),
            Method::SUBSCRIBE | Method::NOTIFY => {
                self.handle_event_in_call(now, id, transaction, request, source);
            }
            _ if context.config.methods.contains(&request.method) && call.ended => {
                context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
            }
            _ if context.config.methods.contains(&request.method) => {
                self.deliver(now, Some(id), transaction, request, source);
            }
            _ => refuse_method(context, now, transaction, &request),
        }
    }

    /// A SUBSCRIBE or NOTIFY within a call's dialog: of a transfer, or without a subscription (`talk`, `hold`).
    fn handle_event_in_call(
        &mut self,
        now: Instant,
        call: CallId,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let event = request.headers.get::<EventHeader>().and_then(Result::ok);
        let is_notify = request.method == Method::NOTIFY;
        let found = event.as_ref().and_then(|event| {
            self.subscriptions
                .of_call(call)
                .iter()
                .copied()
                .find(|usage| self.is_for(*usage, event, is_notify))
        });
        match found {
            Some(Usage::Referral(id)) => self.handle_refer_notify(now, id, transaction, &request),
            Some(Usage::Watcher(id)) => self.handle_resubscribe(now, id, transaction, request, source),
            _ if is_notify => self.handle_unsolicited(now, Some(call), transaction, request, source),
            // No new one begins within a call (RFC 6665 §4.5.2). Of a package that is not offered it is refused as outside.
            _ if event.is_some_and(|event| self.context.offers(&event)) => {
                self.context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
            }
            _ => self.context.refuse_event(now, transaction, &request),
        }
    }

    /// Whether a NOTIFY, or a SUBSCRIBE, of this event is for this usage of its dialog.
    fn is_for(&self, usage: Usage, event: &EventHeader, is_notify: bool) -> bool {
        let subscriptions = &self.subscriptions;
        match usage {
            Usage::Referral(id) => {
                is_notify && subscriptions.referrals.get(&id).is_some_and(|referral| referral.is_for(event))
            }
            Usage::Watcher(id) => {
                !is_notify && subscriptions.watchers.get(&id).is_some_and(|watcher| watcher.is_for(event))
            }
            Usage::Subscriber(_) => false,
        }
    }

    /// A request within the dialog of a subscription, or of none at all.
    fn handle_in_subscription(
        &mut self,
        now: Instant,
        key: &DialogKey,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        // With more than one it is the event that tells; the only one sees to what is not its own.
        let event = request.headers.get::<EventHeader>().and_then(Result::ok);
        let is_notify = request.method == Method::NOTIFY;
        let is_for =
            |usage: &Usage| event.as_ref().is_some_and(|event| self.is_for(*usage, event, is_notify));
        let found = self.subscriptions.find(key).find(is_for).or_else(|| self.subscriptions.find(key).next());
        let context = &mut self.context;
        match (found, &request.method) {
            (Some(Usage::Subscriber(id)), &Method::NOTIFY) => {
                self.handle_notify(now, id, transaction, request)
            }
            (Some(Usage::Referral(id)), &Method::NOTIFY) => {
                self.handle_refer_notify(now, id, transaction, &request);
            }
            (Some(Usage::Watcher(id)), &Method::SUBSCRIBE) => {
                match self.subscriptions.watchers.get_mut(&id).map(|watcher| watcher.check(&request)) {
                    Some(Err(status)) => context.refuse(now, transaction, &request, status),
                    _ => self.handle_resubscribe(now, id, transaction, request, source),
                }
            }
            (Some(_), &Method::OPTIONS) => answer_options(context, now, transaction, &request),
            _ => context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST),
        }
    }

    /// A NOTIFY without a subscription, as some packages are used: it is the user's, or it is refused (RFC 6665 §4.1.3).
    fn handle_unsolicited(
        &mut self,
        now: Instant,
        call: Option<CallId>,
        transaction: TransactionId,
        request: Request,
        source: Source,
    ) {
        let Some(Ok(event)) = request.headers.get::<EventHeader>() else {
            return self.context.refuse(now, transaction, &request, StatusCode::BAD_EVENT);
        };
        let wanted = self.context.config.unsolicited.iter().any(|package| *package == event.package.as_str());
        if wanted {
            self.deliver(now, call, transaction, request, source);
        } else {
            self.context.refuse(now, transaction, &request, StatusCode::CALL_DOES_NOT_EXIST);
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
    // A list goes only to those whose SUBSCRIBE said that they take it, and then its NOTIFY says so (RFC 4662 §4.1).
    let is_list = |tag: &Text| request.method == Method::NOTIFY && tag.eq_ignore_ascii_case(OPTION_TAG);
    let required: Vec<Text> = required.filter(|tag| !context.knows_option(tag) && !is_list(tag)).collect();
    if required.is_empty() {
        return None;
    }
    let mut response = context.response(request, StatusCode::BAD_EXTENSION, None);
    response.headers.push(&Unsupported(required));
    Some(response)
}

/// Whether the user has asked for requests of this method.
fn takes(context: &Context, method: &Method) -> bool {
    context.config.methods.contains(method)
}

/// RFC 3261 §11.2.
fn answer_options(context: &mut Context, now: Instant, transaction: TransactionId, request: &Request) {
    let mut response = context.response(request, StatusCode::OK, None);
    context.push_abilities(&mut response.headers, None);
    let known = session::OPTIONS.into_iter().filter(|option| context.knows_option(option));
    add_options::<Supported>(&mut response.headers, known);
    context.respond(now, transaction, response);
}

pub(crate) fn refuse_method(
    context: &mut Context,
    now: Instant,
    transaction: TransactionId,
    request: &Request,
) {
    let mut response = context.response(request, StatusCode::METHOD_NOT_ALLOWED, None);
    response.headers.push(&Allow(context.methods()));
    context.respond(now, transaction, response);
}
