//! The way of one call through users, groups and extensions: who is called now, where it was before, and where it goes
//! when nobody takes it.

use super::context::{Context, TIMER_C};
use super::divert::{Cause, Hop};
use super::inspect::{Parties, Refusal};
use super::{Extension, Proxy};
use crate::call_config::GroupOrder;
use crate::dialogs::{DialogEnd, NewCall};
use crate::event::PbxEvent;
use crate::features::is_target;
use crate::location::Binding;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::Diversion;
use sidetone_sip_core::{Headers, NameAddr, Request, Source, StatusCode, Target, TransactionId, Uri};
use std::collections::VecDeque;
use std::sync::Arc;

/// Users, groups and extensions that one call visits: more than people set up on purpose. It bounds what a ring of
/// forwardings over several servers costs; within this server none is visited twice.
const MAX_HOPS: usize = 8;
/// Branches of one call, over all its stages.
pub(super) const MAX_BRANCHES: usize = 64;
/// How long [`Features::no_answer_after`](crate::Features::no_answer_after) may be: timer C ends the call a second later.
const RING_RANGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(180));

/// How a stage of a call ended that nobody answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ended {
    /// 486, 600 or 603.
    Busy,
    /// The user wants no calls.
    DoNotDisturb,
    /// It rang for long enough.
    NoAnswer,
    /// No telephone is there.
    Unavailable,
    /// 3xx, with the contacts, best first.
    Redirected(Vec<Uri>),
    /// Anything else, which is the caller's to know.
    Refused,
}

impl Ended {
    pub(super) fn of(status: StatusCode) -> Self {
        match status.code() {
            486 | 600 | 603 => Self::Busy,
            408 | 487 => Self::NoAnswer,
            404 | 410 | 430 | 480 => Self::Unavailable,
            _ => Self::Refused,
        }
    }
}

/// A call on its way.
pub(super) struct Journey {
    pub(super) caller: String,
    pub(super) call_id: String,
    pub(super) from_tag: String,
    from: NameAddr,
    to: NameAddr,
    source: Source,
    /// By `sips`: telephones are called over TLS alone.
    secure: bool,
    here: Here,
    /// Who sent the call on so far.
    pub(super) trail: Vec<Hop>,
    /// The user of this server who transferred the call.
    pub(super) referrer: Option<String>,
    /// The tags of those who have answered.
    pub(super) answered: Vec<String>,
    /// Where the call was.
    visited: Vec<String>,
}

/// Where a call is.
enum Here {
    /// Nowhere yet, or at an extension: what comes after is the caller's to know.
    End,
    User(String),
    Group {
        name: String,
        rest: VecDeque<String>,
        each: Duration,
        overflow: Option<String>,
        agents_only: bool,
    },
}

impl Journey {
    pub(super) fn new(caller: &str, parties: &Parties, source: &Source, secure: bool) -> Self {
        Self {
            caller: caller.into(),
            call_id: parties.call_id.clone(),
            from_tag: parties.from_tag.clone(),
            from: parties.from.clone(),
            to: parties.to.clone(),
            source: *source,
            secure,
            here: Here::End,
            trail: Vec::new(),
            referrer: None,
            answered: Vec::new(),
            visited: Vec::new(),
        }
    }

    pub(super) fn call(&self, context: u64) -> NewCall<'_> {
        NewCall {
            call_id: &self.call_id,
            from_tag: &self.from_tag,
            caller: &self.caller,
            from: &self.from,
            to: &self.to,
            context,
        }
    }

    /// Who calls, without tag.
    pub(super) fn caller_address(&self) -> String {
        let address = NameAddr::new(self.from.uri.address_of_record());
        match &self.from.display_name {
            Some(name) => address.with_display_name(&**name).to_string(),
            None => address.to_string(),
        }
    }

    /// Whom the caller asked for.
    pub(super) const fn asked(&self) -> &Uri {
        &self.to.uri
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    pub(super) fn parties(&self) -> (&str, &str) {
        (&self.call_id, &self.from_tag)
    }
}

impl Proxy {
    /// The call goes on to the next one; false when there is none.
    pub(super) fn go_on(&mut self, now: Instant, id: u64, context: &mut Context, ended: Ended) -> bool {
        let Some(mut journey) = context.journey.take().filter(|_| context.is_open()) else { return false };
        for user in context.users() {
            self.dialogs.leave(&journey.call_id, &journey.from_tag, user, DialogEnd::Cancelled);
        }
        let goes = self.travel(now, id, context, &mut journey, ended);
        context.journey = Some(journey);
        goes
    }

    fn travel(
        &mut self,
        now: Instant,
        id: u64,
        context: &mut Context,
        journey: &mut Journey,
        mut ended: Ended,
    ) -> bool {
        // Each round takes a member off the group's list, or ends.
        while let Here::Group { rest, each, agents_only, .. } = &mut journey.here {
            let Some(member) = rest.pop_front() else { break };
            let (each, agents_only) = (*each, *agents_only);
            if self.is_callable_in_group(&member, agents_only)
                && self.ring(now, id, context, journey, &[member]).is_ok()
            {
                context.ring_until = Some(now + each);
                return true;
            }
            ended = Ended::NoAnswer;
        }
        let (from, next) = match core::mem::replace(&mut journey.here, Here::End) {
            Here::End => return false,
            Here::User(user) => {
                let next = self.after(&user, ended);
                (user, next)
            }
            Here::Group { name, overflow, .. } => {
                let cause = if ended == Ended::Busy { Cause::Busy } else { Cause::NoAnswer };
                (name, overflow.map(|to| (to, cause)))
            }
        };
        let Some((to, cause)) = next else { return false };
        self.divert(journey, from, &to, cause);
        self.arrive(now, id, context, journey, to).is_ok()
    }

    /// The call comes to a user, a group or an extension, and goes on from there until somebody is called.
    pub(super) fn arrive(
        &mut self,
        now: Instant,
        id: u64,
        context: &mut Context,
        journey: &mut Journey,
        mut target: String,
    ) -> Result<(), Refusal> {
        loop {
            let elsewhere = context.request.headers.count::<Diversion>();
            if journey.visited.contains(&target) || journey.visited.len() + elsewhere >= MAX_HOPS {
                return Err(StatusCode::LOOP_DETECTED.into());
            }
            journey.visited.push(target.clone());
            if self.extensions.contains_key(&target) {
                journey.here = Here::End;
                return self.ring(now, id, context, journey, &[target]);
            }
            if let Some(group) = self.groups.get(&target).cloned() {
                self.take_appearance(journey, &target)?;
                // A member that calls the group wants the others.
                let others = group.members.iter().filter(|member| **member != journey.caller);
                let mut rest: VecDeque<String> = others.cloned().collect();
                let (ended, status) = match rest.is_empty() && !group.members.is_empty() {
                    true => (Ended::Busy, StatusCode::BUSY_HERE),
                    false => (Ended::NoAnswer, StatusCode::TEMPORARILY_UNAVAILABLE),
                };
                let (order, each, overflow) = (group.order, group.ring_for, group.overflow.clone());
                let agents_only = group.agents_only;
                let all: Vec<String> = match order {
                    GroupOrder::Together => {
                        let all = rest.drain(..);
                        all.filter(|member| self.is_callable_in_group(member, agents_only)).collect()
                    }
                    GroupOrder::OneByOne => Vec::new(),
                };
                journey.here = Here::Group { name: target, rest, each, overflow, agents_only };
                context.decline_ends = false;
                if !all.is_empty() && self.ring(now, id, context, journey, &all).is_ok() {
                    context.ring_until = Some(now + each);
                    return Ok(());
                }
                // The first of the members, or where the group's calls go then. Both are bounded: members are no
                // groups, and each group is visited once.
                let goes = self.travel(now, id, context, journey, ended);
                return if goes { Ok(()) } else { Err(status.into()) };
            }
            if !self.authenticator.has_account(&target) {
                return Err(StatusCode::NOT_FOUND.into());
            }
            let features = self.features.get(&target);
            let next = if let Some(to) = features.forward_always {
                Ok((to, Cause::Unconditional))
            } else if features.do_not_disturb {
                let next = self.after(&target, Ended::DoNotDisturb);
                next.ok_or_else(|| StatusCode::BUSY_HERE.into())
            } else {
                context.decline_ends = true;
                match self.ring(now, id, context, journey, core::slice::from_ref(&target)) {
                    Ok(()) => {
                        let after = features.no_answer_after.unwrap_or(self.config.calls.no_answer_after);
                        let after = after.clamp(RING_RANGE.0, RING_RANGE.1);
                        context.ring_until = self.after(&target, Ended::NoAnswer).map(|_| now + after);
                        journey.here = Here::User(target);
                        return Ok(());
                    }
                    Err(refusal) => self.after(&target, Ended::Unavailable).ok_or(refusal),
                }
            };
            let (to, cause) = next?;
            self.divert(journey, target, &to, cause);
            target = to;
        }
    }

    /// Where a user's call goes that ended this way.
    fn after(&self, user: &str, ended: Ended) -> Option<(String, Cause)> {
        let features = self.features.get(user);
        let voicemail = self.config.calls.voicemail.clone().filter(|_| features.voicemail);
        match ended {
            Ended::Busy => features.forward_busy.or(voicemail).map(|to| (to, Cause::Busy)),
            Ended::DoNotDisturb => features.forward_busy.or(voicemail).map(|to| (to, Cause::DoNotDisturb)),
            Ended::NoAnswer => features.forward_no_answer.or(voicemail).map(|to| (to, Cause::NoAnswer)),
            Ended::Unavailable => features.forward_no_answer.or(voicemail).map(|to| (to, Cause::Unavailable)),
            Ended::Redirected(contacts) if self.config.calls.redirect => {
                let ours = contacts.iter().filter(|uri| self.is_ours(uri));
                let mut users = ours.filter_map(|uri| uri.user()).filter(|user| is_target(user));
                users.next().map(|user| (user.into_owned(), Cause::Deflection))
            }
            Ended::Redirected(_) | Ended::Refused => None,
        }
    }

    fn is_callable_in_group(&self, member: &str, agents_only: bool) -> bool {
        let features = self.features.get(member);
        if agents_only && !features.takes_queue_calls() {
            return false;
        }
        !features.do_not_disturb && features.forward_always.is_none()
    }

    fn divert(&mut self, journey: &mut Journey, from: String, to: &str, cause: Cause) {
        self.tell(PbxEvent::CallDiverted {
            call_id: journey.call_id.clone(),
            from: from.clone(),
            to: to.into(),
            reason: cause.reason().into(),
        });
        journey.trail.push(Hop { user: from, cause });
    }

    /// Calls every telephone of these users, or the extension. Whoever was called before is out.
    fn ring(
        &mut self,
        now: Instant,
        id: u64,
        context: &mut Context,
        journey: &Journey,
        users: &[String],
    ) -> Result<(), Refusal> {
        let before = context.clients().len();
        let mut refusal = Refusal::from(StatusCode::TEMPORARILY_UNAVAILABLE);
        for user in users {
            let targets = match self.telephones(now, journey, user) {
                Ok(targets) => targets,
                Err(why) => {
                    refusal = why;
                    continue;
                }
            };
            let shared: Arc<str> = user.as_str().into();
            let mut called = false;
            for (uri, target) in targets {
                let mut request = context.request.clone();
                request.uri = uri;
                super::divert::mark(&mut request, &context.request.uri, &journey.trail, user);
                called |= self.branch(now, id, context, journey, request, &target, &shared).is_some();
            }
            if called {
                self.dialogs.offer(now, &journey.call(id), user);
            }
        }
        if context.clients().len() == before {
            return Err(refusal);
        }
        context.supersede(before);
        // Those before may have been cancelled, whose answer is waited for a shorter time.
        context.deadline = now + TIMER_C;
        Ok(())
    }

    /// Calls one telephone of a user, wherever the user is registered.
    pub(super) fn ring_one(
        &mut self,
        now: Instant,
        id: u64,
        context: &mut Context,
        journey: &Journey,
        user: &str,
        (uri, target): (Uri, Target),
    ) -> Result<(), Refusal> {
        let mut request = context.request.clone();
        request.uri = uri;
        let client = self.branch(now, id, context, journey, request, &target, &user.into());
        client.ok_or(StatusCode::TEMPORARILY_UNAVAILABLE)?;
        self.dialogs.offer(now, &journey.call(id), user);
        Ok(())
    }

    /// One more branch of a call.
    #[expect(clippy::too_many_arguments, reason = "the parts of one branch, each needed once")]
    fn branch(
        &mut self,
        now: Instant,
        id: u64,
        context: &mut Context,
        journey: &Journey,
        mut request: Request,
        target: &Target,
        user: &Arc<str>,
    ) -> Option<TransactionId> {
        if context.clients().len() >= MAX_BRANCHES {
            return None;
        }
        self.mark_line(&mut request, journey, user);
        self.record_route(&mut request, journey.parties(), &journey.source.target(), target);
        let client = self.send(now, request, target).ok()?;
        context.add_branch(client, Some(Arc::clone(user)));
        self.by_client.insert(client, id);
        Some(client)
    }

    /// Another user's telephones ring for a call that rings already (call pickup). The headers go with the INVITE.
    pub(super) fn ring_also(
        &mut self,
        now: Instant,
        id: u64,
        user: &str,
        bindings: &[Binding],
        headers: &Headers,
    ) -> bool {
        let Some(mut context) = self.contexts.remove(&id) else { return false };
        let mut called = false;
        if let Some(journey) = context.journey.take() {
            let shared: Arc<str> = user.into();
            let bindings = if context.is_open() { bindings } else { &[] };
            for binding in bindings {
                let mut request = context.request.clone();
                request.uri = binding.contact.clone();
                for (name, value) in headers.iter() {
                    // The value was written by its type, which writes no line ends.
                    request.headers.push_raw(name, value).ok();
                }
                let target = binding.target();
                called |= self.branch(now, id, &mut context, &journey, request, &target, &shared).is_some();
            }
            if called {
                self.dialogs.offer(now, &journey.call(id), user);
            }
            context.journey = Some(journey);
        }
        self.contexts.insert(id, context);
        called
    }

    /// Where a user or an extension is reached (RFC 3261 §16.5).
    fn telephones(
        &mut self,
        now: Instant,
        journey: &Journey,
        user: &str,
    ) -> Result<Vec<(Uri, Target)>, Refusal> {
        let mut targets = self.targets(now, &journey.source, user)?;
        if self.extensions.contains_key(user) {
            if let Some(referrer) = &journey.referrer {
                for (uri, _) in &mut targets {
                    uri.set_param(Extension::REFERRER, Some(referrer));
                }
            }
            // An application learns from its URI for whom it is called, and why (RFC 4458).
            if let Some(hop) = journey.trail.last() {
                for (uri, _) in &mut targets {
                    uri.set_param("target", Some(&hop.target_param(&journey.to.uri)));
                    uri.set_param("cause", Some(&hop.cause.code().to_string()));
                }
            }
        } else if journey.secure {
            // RFC 5630 §3.1: such a request goes over nothing but TLS, and only to who registered for it. The
            // extensions are on this machine.
            targets.retain(|(contact, target)| contact.is_sips() && target.protocol.is_secure());
            if targets.is_empty() {
                return Err(Refusal::reason(StatusCode::TEMPORARILY_UNAVAILABLE, "SIPS Not Allowed"));
            }
        }
        Ok(targets)
    }
}
