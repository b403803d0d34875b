//! What the PBX tells its owner.

use crate::features::Features;
use crate::mailbox::MailboxCounts;
use sidetone_hal::net::SocketAddr;
use sidetone_sip_core::{StatusCode, Uri};

/// Something that happened; secrets are in none of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PbxEvent {
    /// A telephone out of the box asked the group for its settings, and is told.
    Provisioned {
        /// Its hardware address: twelve digits.
        mac: String,
        /// Who made it, in its own words.
        vendor: String,
        /// Which it is, in its own words.
        model: String,
        /// Where its settings are.
        url: String,
    },
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
    /// A call went on to somebody else.
    CallDiverted {
        /// Its Call-ID.
        call_id: String,
        /// The user or group that it was at.
        from: String,
        /// Where it goes.
        to: String,
        /// Why, in the words of RFC 5806: `unconditional`, `user-busy`, `no-answer`, `unavailable`, ...
        reason: String,
    },
    /// A ringing call was taken by somebody else.
    CallPickedUp {
        /// The Call-ID of the call that rang.
        call_id: String,
        /// Who was called.
        from: String,
        /// Who took it.
        by: String,
    },
    /// A user's settings are others now.
    FeaturesChanged {
        /// Whose.
        user: String,
        /// What they are now.
        features: Features,
    },
    /// Somebody joined or left a conference room.
    RoomChanged {
        /// Its number.
        room: String,
        /// Who is in it, as their addresses of record, in the order in which they came.
        members: Vec<String>,
    },
    /// A call was parked.
    Parked {
        /// The orbit.
        orbit: String,
        /// Who waits there.
        caller: String,
    },
    /// A call is parked no more: somebody took it, its time was over, or it ended.
    Unparked {
        /// The orbit.
        orbit: String,
    },
    /// Somebody left a message.
    MessageLeft {
        /// The mailbox, which is a user.
        mailbox: String,
        /// Who left it: the user part of the caller's address.
        from: String,
    },
    /// A mailbox has other numbers of messages now.
    MailboxChanged {
        /// The mailbox, which is a user.
        mailbox: String,
        /// How many messages there are.
        counts: MailboxCounts,
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
