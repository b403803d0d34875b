//! The typed headers, one file per family.

mod address;
mod all;
mod auth;
mod basic;
mod content;
mod date;
mod dialog;
mod event;
mod exchange;
mod history;
mod ims;
mod info;
mod negotiation;
mod notice;
mod options;
mod preferences;
mod privacy;
mod security;
mod session;
mod via;
mod word;
mod wrapper;

pub use address::{
    Contact, From, Geolocation, NameAddr, PAssertedIdentity, PAssociatedUri, PCalledPartyId,
    PPreferredIdentity, PProfileKey, PServedUser, PUserDatabase, Path, PermissionMissing, RecordRoute,
    ReferEventsAt, ReferTo, ReferredBy, ReplyTo, Route, ServiceRoute, To,
};
pub use all::{check_typed, check_typed_value, typed_names};
pub use auth::{
    AuthenticationInfo, Authorization, ProxyAuthenticate, ProxyAuthenticationInfo, ProxyAuthorization,
    WwwAuthenticate,
};
pub use basic::{
    CSeq, CallId, ContentLength, Expires, FlowTimer, MaxBreadth, MaxForwards, MinExpires, Organization,
    Priority, RSeq, Server, SipETag, SipIfMatch, Subject, SuppressIfMatch, UserAgent,
};
pub use content::{Accept, ContentType};
pub use date::Date;
pub use dialog::{InReplyTo, Join, Replaces, TargetDialog};
pub use event::{AllowEvents, Event, ReferSub, SubscriptionState};
pub use exchange::{GeolocationError, GeolocationRouting, InfoPackage, RecvInfo, SessionId, UserToUser};
pub use history::{HistoryIndex, HistoryInfo, HistoryTarget};
pub use ims::{
    PAccessNetworkInfo, PAssertedService, PChargingFunctionAddresses, PChargingVector, PMediaAuthorization,
    PPreferredService, PVisitedNetworkId,
};
pub use info::{AlertInfo, CallInfo, ErrorInfo, Info, InfoSource};
pub use negotiation::{
    AcceptEncoding, AcceptLanguage, Choice, ContentDisposition, ContentEncoding, ContentId, ContentLanguage,
    MimeVersion,
};
pub use notice::{Reason, RetryAfter, Warning};
pub use options::{Allow, ProxyRequire, Require, Supported, Unsupported};
pub use preferences::{
    AcceptContact, AcceptResourcePriority, AnswerMode, FeatureCaps, PrivAnswerMode, RejectContact,
    RequestDisposition, ResourcePriority,
};
pub use privacy::{Diversion, MediaDirection, PEarlyMedia, Privacy, RemotePartyId};
pub use security::{Identity, SecurityClient, SecurityServer, SecurityVerify};
pub use session::{MinSe, RAck, Refresher, SessionExpires, Timestamp};
pub use via::{Via, ViaTransport};

/// Implements [`Header::emit`](crate::Header::emit) by the type's `Display`.
macro_rules! emit_display {
    () => {
        fn emit(&self, out: &mut crate::emit::Emitter) {
            // The emitter takes whatever it is given.
            let _ = core::fmt::Write::write_fmt(out, format_args!("{self}"));
        }
    };
}
use emit_display;
