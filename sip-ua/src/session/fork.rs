//! Several places take one call of ours: one has it, the others are let go (RFC 3261 §13.2.2.4).
//!
//! What is known of them belongs to the INVITE and not to the call, for the call may be over, on the wire too, before the
//! second 2xx comes: its user hung up, or the first who took it did. It is forgotten with the INVITE's transaction, 64·T1
//! after the first 2xx.

use super::ack::ack_to;
use crate::call::{Call, Phase};
use crate::context::Context;
use crate::dialog::Dialog;
use crate::exchange::{ExchangeId, Owner};
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{CSeq, CallId, To};
use sidetone_sip_core::{Method, Response};

/// Forks that answer beside the one that has the call, and are taken down; further ones are left to their timers, so that
/// nobody can make us send without end.
const MAX_FORKS: usize = 16;

impl Call {
    /// A further 2xx to the INVITE of a call that is up: the same one repeated, or one of another fork.
    pub(super) fn answered_again(
        &self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        response: &Response,
    ) {
        let (Some(Ok(cseq)), Some(Ok(to))) = (response.headers.get::<CSeq>(), response.headers.get::<To>())
        else {
            return;
        };
        let tag = to.tag().unwrap_or_default();
        if self.repeat_ack(context, now, tag, cseq.seq) {
            return;
        }
        // While our user has not answered its offer, the ACK to the one that has the call waits.
        let is_own = matches!(&self.phase, Phase::Up(session) if session.dialog.remote_tag() == tag);
        if !is_own {
            context.let_go(now, exchange, response);
        }
    }
}

impl Context {
    /// The INVITE's call has begun with this fork: it is the call's to end it.
    pub(super) fn keep_fork(&mut self, exchange: ExchangeId, tag: &str) {
        if let Some(exchange) = self.exchanges.get_mut(&exchange) {
            exchange.forks.push(tag.into());
        }
    }

    /// A 2xx to an INVITE of ours whose call is over or with somebody else: it is acknowledged, each time that it comes, and
    /// its dialog ended, once. O(n) for n forks, of which there are 17 at most.
    pub(crate) fn let_go(&mut self, now: Instant, exchange: ExchangeId, response: &Response) {
        let Some(protocol) = self.protocol_of(exchange) else { return };
        let Some(exchange) = self.exchanges.get_mut(&exchange) else { return };
        let account = exchange.account;
        let invite = &exchange.request;
        // A call that was redirected has had several.
        let Some(Ok(call_id)) = invite.headers.get::<CallId>() else { return };
        let Ok(mut fork) = Dialog::client(&call_id.as_str().into(), invite, response) else { return };
        let ack = ack_to(&fork, invite, None);
        let is_new = !exchange.forks.iter().any(|tag| **tag == *fork.remote_tag());
        if is_new {
            if exchange.forks.len() > MAX_FORKS {
                return;
            }
            exchange.forks.push(fork.remote_tag().into());
        }
        self.send_ack(now, account, &ack, protocol);
        if is_new {
            self.start(now, Owner::Nobody, account, fork.request(Method::BYE), protocol, false);
        }
    }
}
