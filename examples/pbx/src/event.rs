//! What the PBX tells its owner.

use sidetone_hal::net::SocketAddr;
use sidetone_sip_core::{StatusCode, Uri};

/// Something that happened; secrets are in none of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PbxEvent {
    /// A contact of an account was bound or refreshed.
    Registered {
        /// The account.
        user: String,
        /// The contact.
        contact: Uri,
        /// Where it is reached.
        remote: SocketAddr,
        /// For how many seconds.
        expires: u32,
    },
    /// A contact of an account was removed, by the client or by time.
    Unregistered {
        /// The account.
        user: String,
        /// The contact.
        contact: Uri,
        /// Whether it ran out, rather than being removed.
        expired: bool,
    },
    /// An INVITE was forwarded.
    CallStarted {
        /// Its Call-ID.
        call_id: String,
        /// The account that calls.
        from: String,
        /// The account or extension that is called.
        to: String,
        /// To how many contacts.
        branches: usize,
    },
    /// A call was answered.
    CallAnswered {
        /// Its Call-ID.
        call_id: String,
    },
    /// A call was not answered, or was hung up.
    CallEnded {
        /// Its Call-ID.
        call_id: String,
        /// The final response to the INVITE when it was refused; `None` when an answered call was hung up.
        status: Option<StatusCode>,
    },
    /// A request was refused before it was forwarded: no account, a wrong password, an unknown number, ... The first
    /// challenge of a request without credentials is not a refusal.
    Refused {
        /// Who asked: the From's user, as the request has it.
        from: String,
        /// What was asked for: the Request-URI.
        to: Uri,
        /// The answer.
        status: StatusCode,
        /// Where the request came from.
        remote: SocketAddr,
    },
}
