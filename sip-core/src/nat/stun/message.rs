//! Reading a message (RFC 8489 §5, §14).

use super::attribute::{fingerprint, read_address};
use super::{Attribute, AttributeType, ErrorCode, HEADER, MAGIC_COOKIE, PasswordAlgorithm};
use core::fmt;
use sidetone_hal::net::SocketAddr;
use sidetone_hal::rng::Rng;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It wants an answer.
    Request,
    /// It wants none.
    Indication,
    /// The answer to a request that succeeded.
    Success,
    /// The answer to one that did not.
    Error,
}

/// What a message is about: 12 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Method(pub u16);

impl Method {
    /// What is my address?
    pub const BINDING: Self = Self(1);
}

/// The 16 octets that an answer repeats. Since RFC 5389 the first four are the magic cookie.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub [u8; 16]);

impl TransactionId {
    /// A random one with the magic cookie.
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        let mut id = Self::classic(rng);
        for (octet, cookie) in id.0.iter_mut().zip(MAGIC_COOKIE) {
            *octet = cookie;
        }
        id
    }

    /// A random one as in RFC 3489: without the magic cookie.
    #[must_use]
    pub fn classic(rng: &mut Rng) -> Self {
        let mut id = [0; 16];
        rng.fill(&mut id);
        let [first, ..] = &mut id;
        // Never the cookie.
        *first |= 0x80;
        Self(id)
    }

    /// Whether it begins with the magic cookie.
    #[must_use]
    pub fn has_cookie(&self) -> bool {
        self.0.starts_with(&MAGIC_COOKIE)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Why bytes are no STUN message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StunError {
    /// Fewer octets than a header.
    #[error("{0} octets are no STUN header, which has 20")]
    Short(usize),
    /// The first two bits are not zero.
    #[error("the first two bits are not zero")]
    NotStun,
    /// The length field is no multiple of four, or not the length of what follows the header.
    #[error("the length field says {field}, {found} octets follow the header")]
    Length {
        /// What it says.
        field: usize,
        /// What is there.
        found: usize,
    },
    /// An attribute is longer than what is left of the message.
    #[error("the attribute at octet {at} goes beyond the end")]
    Attribute {
        /// Where it begins.
        at: usize,
    },
    /// FINGERPRINT is wrong, or is not the last attribute: the datagram may be of another protocol (§14.7).
    #[error("the fingerprint is wrong")]
    Fingerprint,
    /// A stream brought a message over the limit.
    #[error("the message has {found} octets, {limit} are the limit")]
    TooLong {
        /// By its length field.
        found: usize,
        /// What is taken.
        limit: usize,
    },
}

/// A message, read in place. What [`Message::parse`] takes can be walked without an error.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: Method,
    id: TransactionId,
}

impl<'a> Message<'a> {
    /// Reads a message: the whole of a datagram, or what [`Deframer`](super::Deframer) cut. A FINGERPRINT is checked.
    ///
    /// # Errors
    /// It is not STUN; what exactly is wrong, and where.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StunError> {
        let Some((head, body)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(StunError::Short(bytes.len()));
        };
        let [t1, t2, l1, l2, id @ ..] = *head;
        if t1 & 0xc0 != 0 {
            return Err(StunError::NotStun);
        }
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        if length != body.len() || !length.is_multiple_of(4) {
            return Err(StunError::Length { field: length, found: body.len() });
        }
        let kind = u16::from_be_bytes([t1, t2]);
        let class = match (kind & 0x100 != 0, kind & 0x10 != 0) {
            (false, false) => Class::Request,
            (false, true) => Class::Indication,
            (true, false) => Class::Success,
            (true, true) => Class::Error,
        };
        let method = Method(kind & 0xf | kind >> 1 & 0x70 | kind >> 2 & 0xf80);
        let message = Self { bytes, class, method, id: TransactionId(id) };
        message.check()?;
        Ok(message)
    }

    /// Walks all attributes once.
    fn check(&self) -> Result<(), StunError> {
        let mut at = HEADER;
        while at < self.bytes.len() {
            let attribute = attribute_at(self.bytes, at).ok_or(StunError::Attribute { at })?;
            let next = at + 4 + attribute.value.len().next_multiple_of(4);
            if next > self.bytes.len() {
                return Err(StunError::Attribute { at });
            }
            if attribute.kind == AttributeType::FINGERPRINT {
                let expected = self.bytes.get(..at).map(fingerprint).map(u32::to_be_bytes);
                let found: Option<[u8; 4]> = attribute.value.try_into().ok();
                if next != self.bytes.len() || found.is_none() || found != expected {
                    return Err(StunError::Fingerprint);
                }
            }
            at = next;
        }
        Ok(())
    }

    /// Request, answer or indication.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// What it is about.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The transaction that it belongs to.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// The bytes that it was read from.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Every attribute in order, those too that come after MESSAGE-INTEGRITY and are to be ignored.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let bytes = self.bytes;
        let mut at = HEADER;
        core::iter::from_fn(move || {
            let attribute = attribute_at(bytes, at)?;
            at += 4 + attribute.value.len().next_multiple_of(4);
            Some(attribute)
        })
    }

    /// The first attribute of a type; after MESSAGE-INTEGRITY only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT count,
    /// after MESSAGE-INTEGRITY-SHA256 only FINGERPRINT (§14.5, §14.6).
    #[must_use]
    pub fn attribute(&self, kind: AttributeType) -> Option<Attribute<'a>> {
        use AttributeType as Type;
        for attribute in self.attributes() {
            if attribute.kind == kind {
                return Some(attribute);
            }
            let ends = match attribute.kind {
                Type::MESSAGE_INTEGRITY => {
                    kind != Type::MESSAGE_INTEGRITY_SHA256 && kind != Type::FINGERPRINT
                }
                Type::MESSAGE_INTEGRITY_SHA256 => kind != Type::FINGERPRINT,
                _ => false,
            };
            if ends {
                return None;
            }
        }
        None
    }

    fn value(&self, kind: AttributeType) -> Option<&'a [u8]> {
        self.attribute(kind).map(|attribute| attribute.value)
    }

    fn text(&self, kind: AttributeType) -> Option<&'a str> {
        core::str::from_utf8(self.value(kind)?).ok()
    }

    /// Where the request came from, as the server saw it: XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS.
    #[must_use]
    pub fn mapped_address(&self) -> Option<SocketAddr> {
        let xored = self
            .value(AttributeType::XOR_MAPPED_ADDRESS)
            .or_else(|| self.value(AttributeType::OLD_XOR_MAPPED_ADDRESS));
        match xored {
            Some(value) => read_address(value, Some(&self.id.0)),
            None => read_address(self.value(AttributeType::MAPPED_ADDRESS)?, None),
        }
    }

    /// Another server to ask instead.
    #[must_use]
    pub fn alternate_server(&self) -> Option<SocketAddr> {
        read_address(self.value(AttributeType::ALTERNATE_SERVER)?, None)
    }

    /// Why a request failed.
    #[must_use]
    pub fn error_code(&self) -> Option<ErrorCode<'a>> {
        let [_, _, class, number, reason @ ..] = self.value(AttributeType::ERROR_CODE)? else { return None };
        let class = class & 7;
        ((3..=6).contains(&class) && *number < 100).then(|| ErrorCode {
            code: u16::from(class) * 100 + u16::from(*number),
            reason: core::str::from_utf8(reason).unwrap_or_default(),
        })
    }

    /// The attributes that a server did not know.
    pub fn unknown_attributes(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        let value = self.value(AttributeType::UNKNOWN_ATTRIBUTES).unwrap_or_default();
        value.as_chunks::<2>().0.iter().map(|octets| AttributeType(u16::from_be_bytes(*octets)))
    }

    /// USERNAME.
    #[must_use]
    pub fn username(&self) -> Option<&'a str> {
        self.text(AttributeType::USERNAME)
    }

    /// USERHASH: what [`user_hash`](super::user_hash) makes of a user name and a realm.
    #[must_use]
    pub fn user_hash(&self) -> Option<&'a [u8; 32]> {
        self.value(AttributeType::USERHASH)?.try_into().ok()
    }

    /// REALM.
    #[must_use]
    pub fn realm(&self) -> Option<&'a str> {
        self.text(AttributeType::REALM)
    }

    /// NONCE.
    #[must_use]
    pub fn nonce(&self) -> Option<&'a str> {
        self.text(AttributeType::NONCE)
    }

    /// SOFTWARE.
    #[must_use]
    pub fn software(&self) -> Option<&'a str> {
        self.text(AttributeType::SOFTWARE)
    }

    /// PASSWORD-ALGORITHM, when it is one that we know.
    #[must_use]
    pub fn password_algorithm(&self) -> Option<PasswordAlgorithm> {
        PasswordAlgorithm::first(self.value(AttributeType::PASSWORD_ALGORITHM)?)
    }

    /// The first of PASSWORD-ALGORITHMS that we know: what a client is to use (§9.2.5).
    #[must_use]
    pub fn preferred_algorithm(&self) -> Option<PasswordAlgorithm> {
        PasswordAlgorithm::first(self.value(AttributeType::PASSWORD_ALGORITHMS)?)
    }

    /// Whether it has a FINGERPRINT, which is right then.
    #[must_use]
    pub fn has_fingerprint(&self) -> bool {
        self.attribute(AttributeType::FINGERPRINT).is_some()
    }

    /// The attributes that have to be understood and are not (§6.3.1), as far as they count.
    pub fn not_understood(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        // What follows an integrity attribute does not count, except for attributes that we know.
        let integrity = [AttributeType::MESSAGE_INTEGRITY, AttributeType::MESSAGE_INTEGRITY_SHA256];
        self.attributes()
            .map(|attribute| attribute.kind)
            .take_while(move |kind| !integrity.contains(kind))
            .filter(|kind| kind.is_comprehension_required() && !kind.is_known())
    }
}

impl fmt::Debug for Message<'_> {
    /// Shows types and lengths, no values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.method, self.class, self.id)?;
        self.attributes()
            .try_for_each(|attribute| write!(f, " {}({})", attribute.kind, attribute.value.len()))
    }
}

fn attribute_at(bytes: &[u8], at: usize) -> Option<Attribute<'_>> {
    let [k1, k2, l1, l2, rest @ ..] = bytes.get(at..)? else { return None };
    let value = rest.get(..usize::from(u16::from_be_bytes([*l1, *l2])))?;
    Some(Attribute { kind: AttributeType(u16::from_be_bytes([*k1, *k2])), value, at })
}
