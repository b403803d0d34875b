//! One request of ours until its outcome: next hop to address, failover, answers to challenges.
//!
//! An exchange takes as many client transactions as it needs: one for each address of the next hop until one answers
//! (RFC 3263 §4.3), and one more after each 401 or 407 that we can answer (RFC 3261 §22.2). Its owner hears the
//! responses that are left.

use crate::context::Context;
use crate::dialog::Routed;
use crate::event::{AccountId, CallId};
use crate::resolve::Hop;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{CSeq, Contact, HeaderName};
use sidetone_sip_core::{
    Headers, Request, Response, Source, StatusCode, Target, TransactionFailure, TransactionId, Uri,
};

/// Names an exchange. Not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ExchangeId(u64);

/// Who hears the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A REGISTER.
    Register(AccountId),
    /// The INVITE that makes a call.
    Invite(CallId),
    /// An INVITE within a call.
    Reinvite(CallId),
    /// The BYE of a call.
    Bye(CallId),
    /// Nobody: a BYE to a fork that lost.
    Nobody,
}

pub(crate) struct Exchange {
    pub(crate) owner: Owner,
    account: Option<AccountId>,
    /// As sent, but for the Via.
    pub(crate) request: Request,
    hop: Hop,
    /// Addresses of the hop that are left to try.
    addresses: VecDeque<SocketAddr>,
    /// The address in use.
    address: Option<SocketAddr>,
    transaction: Option<TransactionId>,
    /// Whether each attempt gets our Contact for the way it goes.
    contact: bool,
    /// A provisional or final response came, so another address is no use.
    heard: bool,
    /// Challenges that were answered.
    rounds: u8,
    /// The owner gave up.
    pub(crate) cancelled: bool,
    /// A final response was handed to the owner.
    done: bool,
}

/// Challenges that an exchange answers at most: of a registrar and two proxies, each stale once. The digest client knows
/// better than this when credentials are wrong; this bounds a server that calls every nonce stale.
const MAX_ROUNDS: u8 = 6;
/// Addresses of one hop that are tried at most.
const MAX_ADDRESSES: usize = 8;

/// What became of an exchange's request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) owner: Owner,
    pub(crate) exchange: ExchangeId,
    pub(crate) result: Result<(Response, Source), Failure>,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// None came in time.
    Timeout,
    /// The request could not be sent.
    Transport,
    /// The next hop's name has no address.
    Unresolved,
}

impl Failure {
    /// As RFC 3261 §8.1.3.1 has the user see it.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Transport | Self::Unresolved => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Timeout => "no response in time",
            Self::Transport => "the request could not be delivered",
            Self::Unresolved => "the host name has no address",
        }
    }
}

/// What a response means for the layer above the exchange.
pub(crate) enum Step {
    /// Nothing yet.
    Wait,
    /// Tell the owner.
    Tell(Outcome),
    /// The request goes again with credentials; the owner gives the sequence number.
    Authenticate(ExchangeId, Owner, u32),
}

impl Context {
    /// Starts an exchange. Its outcome never comes before this returns.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        owner: Owner,
        account: Option<AccountId>,
        routed: Routed,
        protocol: Protocol,
        contact: bool,
    ) -> ExchangeId {
        self.next_exchange += 1;
        let id = ExchangeId(self.next_exchange);
        let Routed { mut request, hop } = routed;
        self.sign(&mut request.headers);
        if let Some(account) = account.and_then(|id| self.accounts.get_mut(&id)) {
            account.attach(&mut request, &hop);
        }
        let Some(hop) = Hop::of(&hop, protocol) else {
            self.outcomes.push_back(Outcome { owner, exchange: id, result: Err(Failure::Unresolved) });
            return id;
        };
        let exchange = Exchange {
            owner,
            account,
            request,
            hop: hop.clone(),
            addresses: VecDeque::new(),
            address: None,
            transaction: None,
            contact,
            heard: false,
            rounds: 0,
            cancelled: false,
            done: false,
        };
        self.exchanges.insert(id, exchange);
        if let Some(address) = self.resolve_for(id, &hop) {
            self.resolved(now, id, [address].into());
        }
        id
    }

    /// The next hop's addresses are known.
    pub(crate) fn resolved(&mut self, now: Instant, id: ExchangeId, addresses: Vec<SocketAddr>) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.addresses = addresses.into_iter().take(MAX_ADDRESSES).collect();
        if exchange.addresses.is_empty() {
            self.fail(id, Failure::Unresolved);
        } else {
            self.try_next(now, id, Failure::Transport);
        }
    }

    /// Sends to the next address that takes the request; without one, the exchange fails for this reason.
    fn try_next(&mut self, now: Instant, id: ExchangeId, otherwise: Failure) {
        loop {
            let Some(exchange) = self.exchanges.get_mut(&id) else { return };
            exchange.address = exchange.addresses.pop_front();
            if exchange.address.is_none() || exchange.cancelled {
                return self.fail(id, otherwise);
            }
            if self.transmit(now, id) {
                return;
            }
        }
    }

    /// Sends the request as it is to the address in use.
    fn transmit(&mut self, now: Instant, id: ExchangeId) -> bool {
        let Some(exchange) = self.exchanges.get(&id) else { return false };
        let (Some(address), protocol, account) = (exchange.address, exchange.hop.protocol, exchange.account)
        else {
            return false;
        };
        let contact = exchange.contact.then(|| self.contact(account, "", protocol, address)).flatten();
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        if let Some(uri) = contact {
            set_contact(&mut exchange.request.headers, uri);
        }
        let request = exchange.request.clone();
        match self.endpoint.request(now, request, &Target::new(protocol, address)) {
            Ok(transaction) => {
                exchange.transaction = Some(transaction);
                self.by_transaction.insert(transaction, id);
                true
            }
            Err(_) => false,
        }
    }

    fn fail(&mut self, id: ExchangeId, failure: Failure) {
        if let Some(exchange) = self.exchanges.remove(&id)
            && !exchange.done
        {
            self.outcomes.push_back(Outcome { owner: exchange.owner, exchange: id, result: Err(failure) });
        }
    }

    /// A response to a transaction of an exchange.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        response: Response,
        source: Source,
    ) -> Step {
        let Some(&id) = self.by_transaction.get(&transaction) else { return Step::Wait };
        let Some(exchange) = self.exchanges.get_mut(&id) else { return Step::Wait };
        if exchange.transaction != Some(transaction) {
            return Step::Wait;
        }
        let status = response.status;
        // RFC 3263 §4.3: 503 says that this server cannot, so the next one is asked.
        if status == StatusCode::SERVICE_UNAVAILABLE && !exchange.addresses.is_empty() && !exchange.cancelled
        {
            exchange.transaction = None;
            self.try_next(now, id, Failure::Transport);
            return Step::Wait;
        }
        exchange.heard = true;
        if status.is_challenge() && !exchange.cancelled {
            let owner = exchange.owner;
            if let Some(seq) = self.answer_challenge(id, &response) {
                return Step::Authenticate(id, owner, seq);
            }
        }
        let Some(exchange) = self.exchanges.get_mut(&id) else { return Step::Wait };
        exchange.done |= status.is_final();
        Step::Tell(Outcome { owner: exchange.owner, exchange: id, result: Ok((response, source)) })
    }

    /// Adds credentials to the request; the sequence number it had, or `None` when the challenge cannot be answered.
    fn answer_challenge(&mut self, id: ExchangeId, response: &Response) -> Option<u32> {
        let exchange = self.exchanges.get_mut(&id)?;
        let account = self.accounts.get_mut(&exchange.account?)?;
        if exchange.rounds >= MAX_ROUNDS {
            return None;
        }
        exchange.rounds += 1;
        account.respond(response, &mut exchange.request, &mut self.rng)?;
        let cseq: CSeq = exchange.request.headers.require().ok()?;
        Some(cseq.seq)
    }

    /// Sends the request again, under the next sequence number.
    pub(crate) fn resend(&mut self, now: Instant, id: ExchangeId, seq: u32) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        let method = exchange.request.method.clone();
        exchange.request.headers.set(&CSeq::new(seq, method));
        exchange.request.headers.remove(&HeaderName::VIA);
        exchange.transaction = None;
        if !self.transmit(now, id) {
            self.try_next(now, id, Failure::Transport);
        }
    }

    /// A transaction of an exchange got no response.
    pub(crate) fn handle_failure(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        cause: &TransactionFailure,
    ) {
        let Some(&id) = self.by_transaction.get(&transaction) else { return };
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if exchange.transaction != Some(transaction) || exchange.done {
            return;
        }
        let failure = match cause {
            TransactionFailure::Timeout => Failure::Timeout,
            _ => Failure::Transport,
        };
        if exchange.heard || exchange.cancelled {
            self.fail(id, failure);
        } else {
            self.try_next(now, id, failure);
        }
    }

    /// A transaction is gone; with the last one of an exchange that is done, so is the exchange.
    pub(crate) fn handle_terminated(&mut self, transaction: TransactionId) -> Option<(Owner, ExchangeId)> {
        let id = self.by_transaction.remove(&transaction)?;
        let exchange = self.exchanges.get(&id)?;
        if exchange.transaction != Some(transaction) || !exchange.done {
            return None;
        }
        let owner = exchange.owner;
        self.exchanges.remove(&id);
        Some((owner, id))
    }

    /// The owner of an INVITE gives up: CANCEL when it was sent, silence when it was not.
    pub(crate) fn cancel(&mut self, now: Instant, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.cancelled = true;
        match exchange.transaction {
            // An error means that the final response has come: the owner sees to it.
            Some(transaction) => drop(self.endpoint.cancel(now, transaction)),
            None => self.fail(id, Failure::Timeout),
        }
    }
}

/// Puts our Contact first; what a REGISTER removes (`expires=0`) stays behind it.
fn set_contact(headers: &mut Headers, uri: Uri) {
    let removed: Vec<Contact> =
        headers.all::<Contact>().flatten().filter(|contact| contact.expires() == Some(0)).collect();
    headers.set(&Contact::new(uri));
    removed.iter().for_each(|contact| headers.push(contact));
}
