//! What an endpoint reports and refuses.

use crate::transaction::{Timer, TransactionFailure, TransactionId};
use crate::transport::{FlowError, Source};
use crate::{Method, ParseError, Request, Response};
use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};

/// What the layer above should know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A new server transaction. Answer it with [`Endpoint::respond`](crate::Endpoint::respond). Neither ACK nor
    /// CANCEL comes this way.
    Request {
        /// What to answer.
        transaction: TransactionId,
        /// The request, its top Via completed with `received` and `rport`.
        request: Request,
        /// Who sent it.
        source: Source,
    },
    /// A CANCEL for an INVITE that has no final response yet. The endpoint has answered the CANCEL; the INVITE is
    /// to be answered 487 by the layer above.
    Cancelled {
        /// The INVITE's server transaction.
        transaction: TransactionId,
        /// The CANCEL.
        request: Request,
    },
    /// An ACK to a 2xx.
    Ack {
        /// The ACK.
        request: Request,
        /// Who sent it.
        source: Source,
    },
    /// A response to [`Endpoint::request`](crate::Endpoint::request): provisional ones, 100 too; one final one; and
    /// for INVITE every further 2xx, repeated or of another fork (RFC 6026).
    Response {
        /// The request's transaction.
        transaction: TransactionId,
        /// The response.
        response: Response,
        /// Who sent it.
        source: Source,
    },
    /// The transaction ended without what it was for; [`Event::Terminated`] follows.
    Failed {
        /// Which.
        transaction: TransactionId,
        /// Why.
        cause: TransactionFailure,
    },
    /// A response that belongs to no transaction, but that names one of our addresses: as a rule a 2xx that was
    /// repeated after timer M.
    StrayResponse {
        /// The response.
        response: Response,
        /// Who sent it.
        source: Source,
    },
    /// The transaction is gone; its identifier names nothing any more.
    Terminated {
        /// Which.
        transaction: TransactionId,
    },
    /// The other side answered a double CRLF of ours on a connection (RFC 5626 §3.5.1); for [`nat`](crate::nat).
    KeepAlivePong {
        /// The connection.
        flow: FlowId,
    },
    /// A STUN response or indication came in on a datagram socket; for [`nat`](crate::nat). Its form is right, whom it is
    /// for was not looked at.
    Stun {
        /// The socket.
        flow: FlowId,
        /// Who sent it.
        source: SocketAddr,
        /// The whole of it.
        payload: Bytes,
    },
}

/// Why a machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WakeReason {
    /// A timer of a transaction.
    Transaction(Timer),
    /// A connection may have been idle for long enough.
    Idle,
    /// A connection did not bring its first message, or not the whole of a message that began.
    Stalled,
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The request lacks a header that every request has, or one does not parse (RFC 3261 §8.1.1).
    #[error("the message is not complete: {0}")]
    Malformed(#[from] ParseError),
    /// The CSeq header names another method than the request line.
    #[error("CSeq does not name {0}")]
    CSeqMethod(Method),
    /// ACK goes by `send_ack`, CANCEL by `cancel`.
    #[error("{0} is not sent as a request of its own")]
    NotARequest(Method),
    /// No socket is bound that could carry it, or its address is not known.
    #[error("no local address for {0}")]
    NoLocalAddress(Protocol),
    /// The flow is not there, or took too much already.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// `max_flows` are open.
    #[error("too many connections")]
    TooManyFlows,
    /// `max_transactions` are alive.
    #[error("too many transactions")]
    TooManyTransactions,
    /// The transaction is gone, or is of another kind.
    #[error("no such transaction")]
    NoTransaction,
    /// The final response was sent or has come already.
    #[error("the transaction has its final response")]
    Final,
    /// RFC 4320 §4.1: a provisional response other than 100 to a request that is not INVITE.
    #[error("no provisional response but 100 to a request that is not INVITE")]
    Provisional,
}

/// What an endpoint counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Messages that parsed.
    pub received: u64,
    /// Messages that did not, or that lacked a header.
    pub malformed: u64,
    /// Those of them whose Via cannot be read and that were answered to where they came from.
    pub answered_to_source: u64,
    /// Messages absorbed because they repeat an earlier one.
    pub repeated: u64,
    /// Messages sent again, requests and responses.
    pub sent_again: u64,
    /// Requests answered 503 for want of room or because too many came in a second.
    pub refused: u64,
    /// Requests answered 482 because they came by another way already.
    pub merged: u64,
    /// ACKs to responses that were sent without state.
    pub absorbed_acks: u64,
    /// Responses that match nothing and name none of our addresses.
    pub strays: u64,
    /// Input dropped because the caller did not take what waited.
    pub overflowed: u64,
    /// Keep-alives.
    pub keep_alives: u64,
    /// Requests that were too long for UDP and went over TCP.
    pub switched: u64,
    /// Those of them that went over UDP all the same.
    pub switched_back: u64,
    /// Connections that were not accepted: too many, or too many from one address.
    pub flows_refused: u64,
    /// Connections closed because they carried nothing for too long.
    pub flows_idle: u64,
    /// Connections closed because a message did not come, or not whole.
    pub flows_stalled: u64,
}
