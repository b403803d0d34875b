//! Header names: a number for those that are known, text for others (RFC 3261 §7.3.1, §20).

use crate::error::{ParseError, ParseErrorKind};
use crate::parse::class;
use crate::text::Text;
use bytes::Bytes;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

/// The name of a header. Names compare without case, and a compact form is the same as its long form.
///
/// ```
/// use sidetone_sip_core::HeaderName;
/// assert_eq!("VIA".parse(), Ok(HeaderName::VIA));
/// assert_eq!("v".parse(), Ok(HeaderName::VIA));
/// assert_eq!(HeaderName::CALL_ID.as_str(), "Call-ID");
/// ```
#[derive(Clone)]
pub struct HeaderName(Repr);

#[derive(Clone)]
enum Repr {
    /// An index into [`NAMES`].
    Known(u8),
    /// A token that is no known name.
    Other(Text),
}

impl HeaderName {
    /// A name that the program itself uses; known names and compact forms become their constants.
    ///
    /// # Panics
    /// The name is not a token; in a constant, the compiler says so.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        let mut rest = name.as_bytes();
        assert!(!rest.is_empty(), "a header name is a token");
        while let [first, tail @ ..] = rest {
            assert!(class::is(*first, class::TOKEN), "a header name is a token");
            rest = tail;
        }
        match find_const(name.as_bytes()) {
            Some(index) => Self(Repr::Known(index)),
            None => Self(Repr::Other(Text::from_static(name))),
        }
    }

    /// The name that these bytes are; copies them when it is not a known one.
    ///
    /// # Errors
    /// The bytes are not a token.
    pub fn parse(name: &[u8]) -> Result<Self, ParseError> {
        let copy = Bytes::copy_from_slice(name);
        Self::read(&copy, &copy)
    }

    /// The name that `part` of `source` is.
    pub(crate) fn read(source: &Bytes, part: &[u8]) -> Result<Self, ParseError> {
        if let Some(index) = find(part) {
            return Ok(Self(Repr::Known(index)));
        }
        match part.iter().position(|&byte| !class::is(byte, class::TOKEN)) {
            None if !part.is_empty() => Ok(Self(Repr::Other(Text::slice_ascii(source, part)))),
            at => Err(ParseError::new(ParseErrorKind::Token, at.unwrap_or_default())),
        }
    }

    /// The known name of this number.
    pub(crate) const fn known(index: u8) -> Self {
        Self(Repr::Known(index))
    }

    /// A name that is none of the known ones; `name` is a token.
    pub(crate) fn other(name: Bytes) -> Self {
        Self(Repr::Other(Text::token(name)))
    }

    /// The number of the known name that the program itself uses; no name has the number of one that is not known.
    pub(crate) const fn number(name: &'static str) -> u8 {
        match find_const(name.as_bytes()) {
            Some(index) => index,
            None => NONE,
        }
    }

    /// The number of a known name.
    pub(crate) const fn index(&self) -> Option<u8> {
        match self.0 {
            Repr::Known(index) => Some(index),
            Repr::Other(_) => None,
        }
    }

    /// The number of the known name that these bytes are, in any case or form.
    #[inline]
    pub(crate) fn find(name: &[u8]) -> Option<u8> {
        find(name)
    }

    /// The name as bytes.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Known(_) => Bytes::from_static(self.known_str().as_bytes()),
            Repr::Other(text) => text.into_bytes(),
        }
    }

    /// The name: the usual spelling of a known one, others as they were written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Known(_) => self.known_str(),
            Repr::Other(text) => text,
        }
    }

    /// The usual spelling of a known name; `header` for others.
    pub(crate) fn known_str(&self) -> &'static str {
        match self.0 {
            Repr::Known(index) => NAMES.get(usize::from(index)).copied().unwrap_or_default(),
            Repr::Other(_) => "header",
        }
    }
}

/// The index of a known name or compact form.
#[inline]
fn find(name: &[u8]) -> Option<u8> {
    if let [letter] = name {
        return COMPACT.get(usize::from(*letter)).copied().filter(|index| *index != NONE);
    }
    let mut slot = hash(name);
    loop {
        let index = *SLOTS.get(slot)?;
        // The empty slots are no index.
        let known = NAMES.get(usize::from(index))?;
        // As it is usually written, or else without case.
        if same(name, known.as_bytes()) || name.eq_ignore_ascii_case(known.as_bytes()) {
            return Some(index);
        }
        slot = (slot + 1) % SLOT_COUNT;
    }
}

/// As `==`, without a call for what is as short as most names are.
#[inline]
fn same(name: &[u8], known: &[u8]) -> bool {
    let len = name.len();
    if len != known.len() {
        false
    } else if len > 16 {
        name == known
    } else if len >= 8 {
        name.first_chunk::<8>() == known.first_chunk() && name.last_chunk::<8>() == known.last_chunk()
    } else if len >= 4 {
        name.first_chunk::<4>() == known.first_chunk() && name.last_chunk::<4>() == known.last_chunk()
    } else {
        name.iter().eq(known)
    }
}

/// As [`find`], for constants: `eq_ignore_ascii_case` is not `const` in our oldest Rust.
#[expect(clippy::indexing_slicing, reason = "each index was compared with its length")]
const fn find_const(name: &[u8]) -> Option<u8> {
    if let [letter] = name {
        let index = COMPACT[*letter as usize];
        return if index == NONE { None } else { Some(index) };
    }
    let mut index = 0;
    while index < NAMES.len() {
        let known = NAMES[index].as_bytes();
        let mut at = 0;
        while at < name.len() && name.len() == known.len() && name[at].eq_ignore_ascii_case(&known[at]) {
            at += 1;
        }
        if at == known.len() {
            return Some(index as u8);
        }
        index += 1;
    }
    None
}

const NONE: u8 = u8::MAX;

/// How many slots there are: many more than names, so that nearly every name is in its own.
const SLOT_COUNT: usize = 1024;

/// Spreads the known names over the slots: length, first, middle and last letter, without case.
#[inline]
const fn hash(name: &[u8]) -> usize {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return 0 };
    let middle = match name.split_at_checked(name.len() / 2) {
        Some((_, [middle, ..])) => *middle,
        _ => 0,
    };
    let letters = (*first | 0x20) as u32 | ((middle | 0x20) as u32) << 8 | ((*last | 0x20) as u32) << 16;
    let mixed = letters ^ (name.len() as u32) << 24;
    (mixed.wrapping_mul(0x9E37_79B1) >> 22) as usize
}

/// Open addressing: a name is in its slot or in one of those after it, before the first empty one.
#[expect(clippy::indexing_slicing, reason = "computed when compiled")]
static SLOTS: [u8; SLOT_COUNT] = {
    let mut slots = [NONE; SLOT_COUNT];
    let mut index = 0;
    while index < NAMES.len() {
        let mut slot = hash(NAMES[index].as_bytes());
        while slots[slot] != NONE {
            slot = (slot + 1) % SLOT_COUNT;
        }
        slots[slot] = index as u8;
        index += 1;
    }
    slots
};

macro_rules! names {
    ($($name:ident = $text:literal $($compact:literal)?;)+) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "numbers the constants")]
        enum Index { $($name,)+ }

        static NAMES: &[&str] = &[$($text,)+];

        /// Compact forms by their letter (RFC 3261 §7.3.3 and the registry).
        #[expect(clippy::indexing_slicing, reason = "computed when compiled")]
        static COMPACT: [u8; 256] = {
            let mut letters = [NONE; 256];
            $($(
                letters[$compact as usize] = Index::$name as u8;
                letters[($compact as u8).to_ascii_uppercase() as usize] = Index::$name as u8;
            )?)+
            letters
        };

        impl HeaderName {
            $(
                #[doc = concat!("`", $text, "`")]
                pub const $name: Self = Self(Repr::Known(Index::$name as u8));
            )+
        }
    };
}

names! {
    VIA = "Via" b'v';
    FROM = "From" b'f';
    TO = "To" b't';
    CALL_ID = "Call-ID" b'i';
    CSEQ = "CSeq";
    CONTACT = "Contact" b'm';
    MAX_FORWARDS = "Max-Forwards";
    CONTENT_LENGTH = "Content-Length" b'l';
    CONTENT_TYPE = "Content-Type" b'c';
    ROUTE = "Route";
    RECORD_ROUTE = "Record-Route";
    ALLOW = "Allow";
    SUPPORTED = "Supported" b'k';
    USER_AGENT = "User-Agent";
    EXPIRES = "Expires";
    MIN_EXPIRES = "Min-Expires";
    AUTHORIZATION = "Authorization";
    PROXY_AUTHORIZATION = "Proxy-Authorization";
    WWW_AUTHENTICATE = "WWW-Authenticate";
    PROXY_AUTHENTICATE = "Proxy-Authenticate";
    AUTHENTICATION_INFO = "Authentication-Info";
    PROXY_AUTHENTICATION_INFO = "Proxy-Authentication-Info";
    REQUIRE = "Require";
    PROXY_REQUIRE = "Proxy-Require";
    UNSUPPORTED = "Unsupported";
    SERVER = "Server";
    ACCEPT = "Accept";
    ACCEPT_ENCODING = "Accept-Encoding";
    ACCEPT_LANGUAGE = "Accept-Language";
    ALERT_INFO = "Alert-Info";
    ALLOW_EVENTS = "Allow-Events" b'u';
    CALL_INFO = "Call-Info";
    CONTENT_DISPOSITION = "Content-Disposition";
    CONTENT_ENCODING = "Content-Encoding" b'e';
    CONTENT_LANGUAGE = "Content-Language";
    DATE = "Date";
    ERROR_INFO = "Error-Info";
    EVENT = "Event" b'o';
    HISTORY_INFO = "History-Info";
    IDENTITY = "Identity" b'y';
    IN_REPLY_TO = "In-Reply-To";
    JOIN = "Join";
    MIME_VERSION = "MIME-Version";
    MIN_SE = "Min-SE";
    ORGANIZATION = "Organization";
    P_ASSERTED_IDENTITY = "P-Asserted-Identity";
    P_PREFERRED_IDENTITY = "P-Preferred-Identity";
    PATH = "Path";
    PRIORITY = "Priority";
    PRIVACY = "Privacy";
    RACK = "RAck";
    REASON = "Reason";
    REFER_SUB = "Refer-Sub";
    REFER_TO = "Refer-To" b'r';
    REFERRED_BY = "Referred-By" b'b';
    REMOTE_PARTY_ID = "Remote-Party-ID";
    REPLACES = "Replaces";
    REPLY_TO = "Reply-To";
    RETRY_AFTER = "Retry-After";
    RSEQ = "RSeq";
    SERVICE_ROUTE = "Service-Route";
    SESSION_EXPIRES = "Session-Expires" b'x';
    SIP_ETAG = "SIP-ETag";
    SIP_IF_MATCH = "SIP-If-Match";
    SUBJECT = "Subject" b's';
    SUBSCRIPTION_STATE = "Subscription-State";
    TIMESTAMP = "Timestamp";
    WARNING = "Warning";
    DIVERSION = "Diversion";
    ACCEPT_CONTACT = "Accept-Contact" b'a';
    REQUEST_DISPOSITION = "Request-Disposition" b'd';
    REJECT_CONTACT = "Reject-Contact" b'j';
    ACCEPT_RESOURCE_PRIORITY = "Accept-Resource-Priority";
    ANSWER_MODE = "Answer-Mode";
    CONTENT_ID = "Content-ID";
    CONTENT_TRANSFER_ENCODING = "Content-Transfer-Encoding";
    FEATURE_CAPS = "Feature-Caps";
    FLOW_TIMER = "Flow-Timer";
    GEOLOCATION = "Geolocation";
    GEOLOCATION_ERROR = "Geolocation-Error";
    GEOLOCATION_ROUTING = "Geolocation-Routing";
    INFO_PACKAGE = "Info-Package";
    MAX_BREADTH = "Max-Breadth";
    P_ACCESS_NETWORK_INFO = "P-Access-Network-Info";
    P_ASSERTED_SERVICE = "P-Asserted-Service";
    P_ASSOCIATED_URI = "P-Associated-URI";
    P_CALLED_PARTY_ID = "P-Called-Party-ID";
    P_CHARGING_FUNCTION_ADDRESSES = "P-Charging-Function-Addresses";
    P_CHARGING_VECTOR = "P-Charging-Vector";
    P_EARLY_MEDIA = "P-Early-Media";
    P_MEDIA_AUTHORIZATION = "P-Media-Authorization";
    P_PREFERRED_SERVICE = "P-Preferred-Service";
    P_PROFILE_KEY = "P-Profile-Key";
    P_SERVED_USER = "P-Served-User";
    P_USER_DATABASE = "P-User-Database";
    P_VISITED_NETWORK_ID = "P-Visited-Network-ID";
    PERMISSION_MISSING = "Permission-Missing";
    PRIV_ANSWER_MODE = "Priv-Answer-Mode";
    RECV_INFO = "Recv-Info";
    REFER_EVENTS_AT = "Refer-Events-At";
    RESOURCE_PRIORITY = "Resource-Priority";
    SECURITY_CLIENT = "Security-Client";
    SECURITY_SERVER = "Security-Server";
    SECURITY_VERIFY = "Security-Verify";
    SESSION_ID = "Session-ID";
    SUPPRESS_IF_MATCH = "Suppress-If-Match";
    TARGET_DIALOG = "Target-Dialog";
    USER_TO_USER = "User-to-User";
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Known(a), Repr::Known(b)) => a == b,
            (Repr::Other(a), Repr::Other(b)) => a.as_bytes().eq_ignore_ascii_case(b.as_bytes()),
            _ => false,
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Known(index) => index.hash(state),
            Repr::Other(text) => text.bytes().for_each(|byte| byte.to_ascii_lowercase().hash(state)),
        }
    }
}

impl FromStr for HeaderName {
    type Err = ParseError;
    fn from_str(name: &str) -> Result<Self, ParseError> {
        Self::parse(name.as_bytes())
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for (index, name) in NAMES.iter().enumerate() {
            for spelling in [name.to_string(), name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                assert_eq!(find(spelling.as_bytes()), Some(index as u8), "{spelling}");
                assert_eq!(find_const(spelling.as_bytes()), Some(index as u8), "{spelling}");
            }
        }
        assert_eq!(find(b""), None);
        assert_eq!((find(b"Viaa"), find_const(b"Viaa"), find_const(b"Vi")), (None, None, None));
    }

    #[test]
    fn compact_forms_are_the_registered_ones() {
        for (letter, name) in [
            ("a", "Accept-Contact"),
            ("b", "Referred-By"),
            ("C", "Content-Type"),
            ("d", "Request-Disposition"),
            ("e", "Content-Encoding"),
            ("f", "From"),
            ("i", "Call-ID"),
            ("j", "Reject-Contact"),
            ("k", "Supported"),
            ("L", "Content-Length"),
            ("m", "Contact"),
            ("o", "Event"),
            ("r", "Refer-To"),
            ("s", "Subject"),
            ("t", "To"),
            ("u", "Allow-Events"),
            ("v", "Via"),
            ("x", "Session-Expires"),
            ("y", "Identity"),
        ] {
            assert_eq!(letter.parse::<HeaderName>().unwrap().as_str(), name);
        }
        assert_eq!("q".parse::<HeaderName>().unwrap().as_str(), "q");
    }

    #[test]
    fn unknown_names_compare_without_case_and_print_as_written() {
        let name: HeaderName = "X-Thing".parse().unwrap();
        assert_eq!(name, HeaderName::from_static("x-THING"));
        assert_eq!(name.to_string(), "X-Thing");
        assert_ne!(name, HeaderName::VIA);
        for bad in ["", "a b", "a:b", "ä"] {
            assert!(bad.parse::<HeaderName>().is_err(), "{bad}");
        }
    }
}
