//! Every typed header by its name: for tools that print them, and for fuzzing.

use super::*;
use crate::emit::Emitter;
use crate::error::ParseError;
use crate::header::{Header, HeaderName, HeaderValue};
use crate::text::offset;
use bytes::Bytes;

/// Reads a value as a header and writes it again. An error's place is counted in the whole value.
fn check<H: Header>(value: HeaderValue<'_>) -> Result<Bytes, ParseError> {
    let mut out = Emitter::new();
    if !H::LIST {
        H::parse_value(value)?.emit(&mut out);
        return Ok(out.into_bytes());
    }
    let mut rest = Some(value.as_bytes());
    let mut first = true;
    while let Some(more) = rest {
        let (element, after) = crate::parse::grammar::split_list(more);
        if !first {
            let _ = core::fmt::Write::write_str(&mut out, ", ");
        }
        let at = offset(value.as_bytes(), element);
        let read = H::parse_value(HeaderValue::new(value.source(), element, value.lenient()));
        read.map_err(|error| ParseError { at: at + error.at, ..error })?.emit(&mut out);
        rest = after;
        first = false;
    }
    Ok(out.into_bytes())
}

macro_rules! typed {
    ($($header:ident),+ $(,)?) => {
        /// The names of all headers that have a type.
        pub fn typed_names() -> impl ExactSizeIterator<Item = HeaderName> {
            [$(<$header as Header>::NAME),+].into_iter()
        }

        /// Reads the value of a header line by the type that the name has, list or not, and writes it again.
        /// `None` when the name has no type.
        ///
        /// ```
        /// use bytes::Bytes;
        /// use sidetone_sip_core::header::{HeaderName, check_typed};
        /// let value = Bytes::from_static(b"  <sip:p1;lr> ,<sip:p2;lr>");
        /// assert_eq!(check_typed(&HeaderName::ROUTE, &value).unwrap().unwrap(), "<sip:p1;lr>, <sip:p2;lr>");
        /// assert!(check_typed(&HeaderName::CSEQ, &value).unwrap().is_err());
        /// assert!(check_typed(&HeaderName::from_static("X-Mine"), &value).is_none());
        /// ```
        ///
        /// # Errors
        /// The value does not follow the header's grammar.
        #[must_use]
        pub fn check_typed(name: &HeaderName, value: &Bytes) -> Option<Result<Bytes, ParseError>> {
            check_typed_value(name, HeaderValue::whole(value))
        }

        /// The same for a value where it stands, as leniently as it says.
        ///
        /// # Errors
        /// As [`check_typed`].
        #[must_use]
        pub fn check_typed_value(name: &HeaderName, value: HeaderValue<'_>) -> Option<Result<Bytes, ParseError>> {
            $(if *name == <$header as Header>::NAME {
                return Some(check::<$header>(value).map_err(|error| error.in_place(name.known_str())));
            })+
            None
        }
    };
}

typed! {
    Accept, AcceptContact, AcceptEncoding, AcceptLanguage, AcceptResourcePriority, AlertInfo, Allow,
    AllowEvents, AnswerMode, AuthenticationInfo, Authorization, CSeq, CallId, CallInfo, Contact,
    ContentDisposition, ContentEncoding, ContentId, ContentLanguage, ContentLength, ContentType, Date,
    Diversion, ErrorInfo, Event, Expires, FeatureCaps, FlowTimer, From, Geolocation, GeolocationError,
    GeolocationRouting, HistoryInfo, Identity, InReplyTo, InfoPackage, Join, MaxBreadth, MaxForwards,
    MimeVersion, MinExpires, MinSe, Organization, PAccessNetworkInfo, PAssertedIdentity,
    PAssertedService, PAssociatedUri, PCalledPartyId, PChargingFunctionAddresses, PChargingVector,
    PEarlyMedia, PMediaAuthorization, PPreferredIdentity, PPreferredService, PProfileKey, PServedUser,
    PUserDatabase, PVisitedNetworkId, Path, PermissionMissing, Priority, PrivAnswerMode, Privacy,
    ProxyAuthenticate, ProxyAuthenticationInfo, ProxyAuthorization, ProxyRequire, RAck, RSeq, Reason,
    RecordRoute, RecvInfo, ReferEventsAt, ReferSub, ReferTo, ReferredBy, RejectContact, RemotePartyId,
    Replaces, ReplyTo, RequestDisposition, Require, ResourcePriority, RetryAfter, Route,
    SecurityClient, SecurityServer, SecurityVerify, Server, ServiceRoute, SessionExpires, SessionId,
    SipETag, SipIfMatch, Subject, SubscriptionState, Supported, SuppressIfMatch, TargetDialog,
    Timestamp, To, Unsupported, UserAgent, UserToUser, Via, Warning, WwwAuthenticate,
}
