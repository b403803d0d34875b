//! Headers of the 3GPP networks (RFC 7315, RFC 6050, RFC 3313).

use super::options::options;
use super::word::{bare_params, word_headers, write_bare_params};
use super::wrapper::wrappers;
use crate::error::ParseError;
use crate::header::{HeaderValue, Params, params};
use crate::parse::class;
use crate::uri::Uri;
use alloc::borrow::Cow;
use core::fmt;

word_headers! {
    /// One value of P-Access-Network-Info: the access network of the sender (RFC 7315 §4.4, RFC 7913).
    PAccessNetworkInfo {
        /// The type or class, as `3GPP-E-UTRAN-FDD` or `IEEE-802.11`.
        access: text
    } = P_ACCESS_NETWORK_INFO, list: true;

    /// One value of P-Visited-Network-ID: the network that the user is a guest of (RFC 7315 §4.3).
    PVisitedNetworkId {
        /// The network, as `other.net` or `Visited network number 1`.
        network: text
    } = P_VISITED_NETWORK_ID, list: true;
}

impl PAccessNetworkInfo {
    /// Whether the network itself, not the telephone, has said so (RFC 7315 §4.4).
    #[must_use]
    pub fn is_network_provided(&self) -> bool {
        self.params.has("network-provided") || self.params.has("np")
    }
}

wrappers! {
    /// P-Charging-Vector: by which the records of one call are brought together (RFC 7315 §4.6).
    ///
    /// ```
    /// use sidetone_sip_core::header::PChargingVector;
    /// let vector: PChargingVector = "icid-value=1234bc9876e;icid-generated-at=192.0.6.8;orig-ioi=home1.net".parse().unwrap();
    /// assert_eq!((vector.icid().as_deref(), vector.orig_ioi().as_deref()), (Some("1234bc9876e"), Some("home1.net")));
    /// ```
    #[derive(Default, Eq)]
    PChargingVector(Params) = P_CHARGING_VECTOR, list: false, read: read_params, write: write_params;
    /// P-Charging-Function-Addresses: who collects the records (RFC 7315 §4.5).
    #[derive(Default, Eq)]
    PChargingFunctionAddresses(Params) = P_CHARGING_FUNCTION_ADDRESSES, list: false, read: read_params, write: write_params;
    /// One value of P-Asserted-Service: the service that is asked for, as a trusted network says, a URN without
    /// brackets (RFC 6050 §4.1).
    PAssertedService(Uri) = P_ASSERTED_SERVICE, list: true, read: read_service, write: fmt::Display::fmt;
    /// One value of P-Preferred-Service: the service that the sender asks for (RFC 6050 §4.2).
    PPreferredService(Uri) = P_PREFERRED_SERVICE, list: true, read: read_service, write: fmt::Display::fmt;
}

fn read_params(value: HeaderValue<'_>) -> Result<Params, ParseError> {
    bare_params(value.as_bytes(), value.lenient())
}

fn write_params(params: &Params, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write_bare_params(f, params)
}

fn read_service(value: HeaderValue<'_>) -> Result<Uri, ParseError> {
    Uri::read_with(value.source(), class::trim(value.as_bytes()), value.lenient())
}

impl PChargingVector {
    /// A vector with this identifier.
    #[must_use]
    pub fn new(icid: &str) -> Self {
        let mut params = Params::new();
        params.set("icid-value", icid);
        Self(params)
    }

    /// The identifier of the call: `icid-value`.
    #[must_use]
    pub fn icid(&self) -> Option<Cow<'_, str>> {
        self.0.get("icid-value")
    }

    /// Who made the identifier: `icid-generated-at`.
    #[must_use]
    pub fn generated_at(&self) -> Option<Cow<'_, str>> {
        self.0.get("icid-generated-at")
    }

    /// The network of the caller: `orig-ioi`.
    #[must_use]
    pub fn orig_ioi(&self) -> Option<Cow<'_, str>> {
        self.0.get("orig-ioi")
    }

    /// The network of the called: `term-ioi`.
    #[must_use]
    pub fn term_ioi(&self) -> Option<Cow<'_, str>> {
        self.0.get("term-ioi")
    }
}

impl PChargingFunctionAddresses {
    /// Every address of a kind in order: `ccf` or `ecf`. The first is the primary one.
    pub fn addresses<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        let of_kind = self.0.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(kind));
        of_kind.filter_map(|(_, value)| value.map(params::unquoted))
    }
}

options! {
    /// P-Media-Authorization: tokens by which the network lets media through, in hexadecimal digits (RFC 3313 §5).
    PMediaAuthorization = P_MEDIA_AUTHORIZATION;
}
