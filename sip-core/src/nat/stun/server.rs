//! The server of a Binding (RFC 8489 §6.3, §7.3): tells who asks where the question came from.

use super::{AttributeType, Builder, Class, ErrorCode, Message, Method};
use alloc::string::String;
use alloc::vec::Vec;
use sidetone_hal::net::SocketAddr;

/// Answers Binding requests, without credentials, as a registrar has to on its SIP port (RFC 5626 §3.5.2) and as a
/// public STUN server does. It holds nothing about who asked, and its answer is at most 60 octets longer than the
/// question.
#[derive(Clone, Debug, Default)]
pub struct Server {
    software: Option<String>,
}

/// Unknown attributes that an answer lists at most.
const MAX_UNKNOWN: usize = 16;

impl Server {
    /// One that does not name itself.
    #[must_use]
    pub const fn new() -> Self {
        Self { software: None }
    }

    /// One that names itself in SOFTWARE; at most 763 octets, longer names are left out.
    #[must_use]
    pub fn with_software(mut self, name: &str) -> Self {
        self.software = (name.len() <= 763).then(|| name.into());
        self
    }

    /// The answer to a message from `source`; `None` to all that is no request. A request without the magic cookie
    /// (RFC 3489) gets MAPPED-ADDRESS, one with FINGERPRINT gets one.
    #[must_use]
    pub fn answer(&self, request: &Message<'_>, source: SocketAddr) -> Option<Vec<u8>> {
        if request.class() != Class::Request {
            return None;
        }
        let builder = |class| Builder::new(class, request.method(), request.id());
        let mut unknown: Vec<_> = request.not_understood().take(MAX_UNKNOWN).collect();
        // RFC 3489 §11.2.4: we have no other address or port to answer from.
        let change = request.attribute(AttributeType::CHANGE_REQUEST);
        if change.is_some_and(|change| change.value.iter().any(|octet| *octet != 0)) {
            unknown.push(AttributeType::CHANGE_REQUEST);
        }
        let mut answer = if request.method() != Method::BINDING {
            builder(Class::Error).error_code(ErrorCode::BAD_REQUEST, "Bad Request")
        } else if !unknown.is_empty() {
            builder(Class::Error)
                .error_code(ErrorCode::UNKNOWN_ATTRIBUTE, "Unknown Attribute")
                .unknown_attributes(&unknown)
        } else if request.id().has_cookie() {
            builder(Class::Success).xor_address(AttributeType::XOR_MAPPED_ADDRESS, source)
        } else {
            builder(Class::Success).address(AttributeType::MAPPED_ADDRESS, source)
        };
        if let Some(software) = &self.software {
            answer = answer.software(software);
        }
        if request.has_fingerprint() {
            answer = answer.fingerprint();
        }
        answer.finish().ok()
    }
}
