//! Writing a message.

use super::attribute::{fingerprint, write_address};
use super::{AttributeType, Class, HEADER, Key, Method, PasswordAlgorithm, TransactionId, integrity};
use alloc::vec::Vec;
use sidetone_hal::net::SocketAddr;

/// Why a message could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A value is longer than its attribute may be.
    #[error("attribute {kind} has {found} octets, {limit} are the limit")]
    Value {
        /// Which.
        kind: AttributeType,
        /// Octets of the value.
        found: usize,
        /// Octets that it may have.
        limit: usize,
    },
    /// The message is longer than its length field can say.
    #[error("the message is longer than 65535 octets")]
    Message,
}

/// A message in the making: attributes in the order of the calls.
///
/// ```
/// use sidetone_sip_core::{Rng, nat::stun::{Builder, Class, Method, TransactionId}};
/// let id = TransactionId::new(&mut Rng::from_u64(7));
/// let request = Builder::new(Class::Request, Method::BINDING, id).finish().unwrap();
/// assert_eq!(request.len(), 20);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    bytes: Vec<u8>,
    id: TransactionId,
    padding: u8,
    error: Option<BuildError>,
}

/// The most octets that USERNAME may have (RFC 8489 §14.3).
const MAX_USERNAME: usize = 508;
/// The most octets of REALM, NONCE, SOFTWARE and a reason phrase (§14.8 to §14.14).
const MAX_TEXT: usize = 763;

impl Builder {
    /// A message without attributes.
    pub fn new(class: Class, method: Method, id: TransactionId) -> Self {
        let class: u16 = match class {
            Class::Request => 0,
            Class::Indication => 0x10,
            Class::Success => 0x100,
            Class::Error => 0x110,
        };
        let method = method.0;
        let kind = class | method & 0xf | (method & 0x70) << 1 | (method & 0xf80) << 2;
        let mut bytes = Vec::with_capacity(2 * HEADER);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(id.0);
        Self { bytes, id, padding: 0, error: None }
    }

    /// What fills attributes up to four octets; zero by default, as RFC 8489 §14 wants it. RFC 5769 has spaces.
    pub const fn padding(mut self, octet: u8) -> Self {
        self.padding = octet;
        self
    }

    /// Any attribute.
    pub fn attribute(mut self, kind: AttributeType, value: &[u8]) -> Self {
        let Ok(length) = u16::try_from(value.len()) else {
            return self.fail(BuildError::Value { kind, found: value.len(), limit: usize::from(u16::MAX) });
        };
        self.bytes.extend(kind.0.to_be_bytes());
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), self.padding);
        self
    }

    /// An attribute with an address as it is: MAPPED-ADDRESS, ALTERNATE-SERVER.
    pub fn address(self, kind: AttributeType, address: SocketAddr) -> Self {
        self.attribute(kind, &write_address(address, None))
    }

    /// An attribute with an address that no NAT recognizes: XOR-MAPPED-ADDRESS.
    pub fn xor_address(self, kind: AttributeType, address: SocketAddr) -> Self {
        let value = write_address(address, Some(&self.id.0));
        self.attribute(kind, &value)
    }

    /// ERROR-CODE; the hundreds are taken between 3 and 6.
    pub fn error_code(self, code: u16, reason: &str) -> Self {
        let kind = AttributeType::ERROR_CODE;
        if reason.len() > MAX_TEXT {
            return self.fail(BuildError::Value { kind, found: reason.len(), limit: MAX_TEXT });
        }
        let class = (code / 100).clamp(3, 6) as u8;
        let mut value = Vec::with_capacity(4 + reason.len());
        value.extend([0, 0, class, (code % 100) as u8]);
        value.extend(reason.as_bytes());
        self.attribute(kind, &value)
    }

    /// UNKNOWN-ATTRIBUTES.
    pub fn unknown_attributes(self, kinds: &[AttributeType]) -> Self {
        let value: Vec<u8> = kinds.iter().flat_map(|kind| kind.0.to_be_bytes()).collect();
        self.attribute(AttributeType::UNKNOWN_ATTRIBUTES, &value)
    }

    /// USERNAME, at most 508 octets.
    pub fn username(self, username: &str) -> Self {
        self.text(AttributeType::USERNAME, username, MAX_USERNAME)
    }

    /// USERHASH in the place of USERNAME.
    pub fn user_hash(self, hash: &[u8; 32]) -> Self {
        self.attribute(AttributeType::USERHASH, hash)
    }

    /// REALM, at most 763 octets.
    pub fn realm(self, realm: &str) -> Self {
        self.text(AttributeType::REALM, realm, MAX_TEXT)
    }

    /// NONCE, at most 763 octets.
    pub fn nonce(self, nonce: &str) -> Self {
        self.text(AttributeType::NONCE, nonce, MAX_TEXT)
    }

    /// SOFTWARE, at most 763 octets.
    pub fn software(self, software: &str) -> Self {
        self.text(AttributeType::SOFTWARE, software, MAX_TEXT)
    }

    /// PASSWORD-ALGORITHM.
    pub fn password_algorithm(self, algorithm: PasswordAlgorithm) -> Self {
        self.password_algorithms_of(AttributeType::PASSWORD_ALGORITHM, &[algorithm])
    }

    /// PASSWORD-ALGORITHMS, what is liked best first.
    pub fn password_algorithms(self, algorithms: &[PasswordAlgorithm]) -> Self {
        self.password_algorithms_of(AttributeType::PASSWORD_ALGORITHMS, algorithms)
    }

    fn password_algorithms_of(self, kind: AttributeType, algorithms: &[PasswordAlgorithm]) -> Self {
        let entry = |algorithm: &PasswordAlgorithm| {
            let [high, low] = algorithm.number().to_be_bytes();
            [high, low, 0, 0]
        };
        let value: Vec<u8> = algorithms.iter().flat_map(entry).collect();
        self.attribute(kind, &value)
    }

    /// MESSAGE-INTEGRITY over everything before it.
    pub fn integrity(self, key: &Key) -> Self {
        match integrity::sha1(&self.bytes, key) {
            Some(value) => self.attribute(AttributeType::MESSAGE_INTEGRITY, &value),
            None => self.fail(BuildError::Message),
        }
    }

    /// MESSAGE-INTEGRITY-SHA256 over everything before it.
    pub fn integrity_sha256(self, key: &Key) -> Self {
        match integrity::sha256(&self.bytes, key) {
            Some(value) => self.attribute(AttributeType::MESSAGE_INTEGRITY_SHA256, &value),
            None => self.fail(BuildError::Message),
        }
    }

    /// FINGERPRINT, which has to be the last attribute.
    pub fn fingerprint(mut self) -> Self {
        // It counts under the length that has it already.
        self.set_length(8);
        let value = fingerprint(&self.bytes).to_be_bytes();
        self.attribute(AttributeType::FINGERPRINT, &value)
    }

    /// The bytes.
    ///
    /// # Errors
    /// Something was too long.
    pub fn finish(mut self) -> Result<Vec<u8>, BuildError> {
        self.set_length(0);
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.bytes),
        }
    }

    fn text(self, kind: AttributeType, text: &str, limit: usize) -> Self {
        if text.len() > limit {
            return self.fail(BuildError::Value { kind, found: text.len(), limit });
        }
        self.attribute(kind, text.as_bytes())
    }

    fn set_length(&mut self, more: usize) {
        let length = u16::try_from(self.bytes.len() - HEADER + more);
        match (length, self.bytes.get_mut(2..4)) {
            (Ok(length), Some(field)) => field.copy_from_slice(&length.to_be_bytes()),
            _ => self.error = self.error.or(Some(BuildError::Message)),
        }
    }

    fn fail(mut self, error: BuildError) -> Self {
        self.error = self.error.or(Some(error));
        self
    }
}
