//! Attributes (RFC 8489 §14): types, and the values that have a structure.

use super::{HEADER, MAGIC_COOKIE};
use alloc::vec::Vec;
use core::fmt;
use sidetone_hal::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An attribute's type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(pub u16);

impl AttributeType {
    /// §14.1.
    pub const MAPPED_ADDRESS: Self = Self(0x0001);
    /// RFC 3489 §11.2.4: the client wants the answer from elsewhere.
    pub const CHANGE_REQUEST: Self = Self(0x0003);
    /// §14.3.
    pub const USERNAME: Self = Self(0x0006);
    /// §14.5.
    pub const MESSAGE_INTEGRITY: Self = Self(0x0008);
    /// §14.8.
    pub const ERROR_CODE: Self = Self(0x0009);
    /// §14.13.
    pub const UNKNOWN_ATTRIBUTES: Self = Self(0x000a);
    /// §14.9.
    pub const REALM: Self = Self(0x0014);
    /// §14.10.
    pub const NONCE: Self = Self(0x0015);
    /// §14.6.
    pub const MESSAGE_INTEGRITY_SHA256: Self = Self(0x001c);
    /// §14.12.
    pub const PASSWORD_ALGORITHM: Self = Self(0x001d);
    /// §14.4.
    pub const USERHASH: Self = Self(0x001e);
    /// §14.2.
    pub const XOR_MAPPED_ADDRESS: Self = Self(0x0020);
    /// §14.11.
    pub const PASSWORD_ALGORITHMS: Self = Self(0x8002);
    /// XOR-MAPPED-ADDRESS as servers from before RFC 5389 number it.
    pub const OLD_XOR_MAPPED_ADDRESS: Self = Self(0x8020);
    /// §14.14.
    pub const SOFTWARE: Self = Self(0x8022);
    /// §14.15.
    pub const ALTERNATE_SERVER: Self = Self(0x8023);
    /// §14.7.
    pub const FINGERPRINT: Self = Self(0x8028);

    /// Whether who does not know the attribute has to refuse the message (§5).
    #[must_use]
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }

    /// Whether the attribute means something to us; those of RFC 3489 that only tell more are let through.
    pub(super) const fn is_known(self) -> bool {
        // RESPONSE-ADDRESS to CHANGED-ADDRESS, PASSWORD and REFLECTED-FROM of RFC 3489 are 2 to 5, 7 and 11.
        matches!(self.0, 0x0001..=0x000b | 0x0014 | 0x0015 | 0x001c..=0x001e | 0x0020)
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04x}", self.0)
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One attribute of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its type.
    pub kind: AttributeType,
    /// Its value, without padding.
    pub value: &'a [u8],
    /// Where its type stands in the message.
    pub(super) at: usize,
}

/// The value of ERROR-CODE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode<'a> {
    /// 300 to 699.
    pub code: u16,
    /// In words, as far as they are UTF-8.
    pub reason: &'a str,
}

impl ErrorCode<'_> {
    /// Try another server.
    pub const TRY_ALTERNATE: u16 = 300;
    /// The request was malformed.
    pub const BAD_REQUEST: u16 = 400;
    /// Credentials are missing or wrong.
    pub const UNAUTHENTICATED: u16 = 401;
    /// The request has an attribute that the server does not know.
    pub const UNKNOWN_ATTRIBUTE: u16 = 420;
    /// The nonce is not valid any more.
    pub const STALE_NONCE: u16 = 438;
}

/// How a long-term password becomes a key (§18.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PasswordAlgorithm {
    /// MD5 (§18.5.1.1).
    Md5,
    /// SHA-256 (§18.5.1.2).
    Sha256,
}

impl PasswordAlgorithm {
    pub(super) const fn number(self) -> u16 {
        match self {
            Self::Md5 => 1,
            Self::Sha256 => 2,
        }
    }

    /// The algorithm of this number, when it has no parameters and we know it.
    const fn of(number: u16, parameters: &[u8]) -> Option<Self> {
        match (number, parameters) {
            (1, []) => Some(Self::Md5),
            (2, []) => Some(Self::Sha256),
            _ => None,
        }
    }

    /// The first algorithm of a list that we know.
    pub(super) fn first(mut value: &[u8]) -> Option<Self> {
        while let [n1, n2, l1, l2, rest @ ..] = value {
            let length = usize::from(u16::from_be_bytes([*l1, *l2]));
            let parameters = rest.get(..length)?;
            if let Some(known) = Self::of(u16::from_be_bytes([*n1, *n2]), parameters) {
                return Some(known);
            }
            value = rest.get(length.next_multiple_of(4)..)?;
        }
        None
    }
}

/// Reads MAPPED-ADDRESS and the like (§14.1); with the transaction identifier, XOR-MAPPED-ADDRESS (§14.2).
pub(super) fn read_address(value: &[u8], mask: Option<&[u8; 16]>) -> Option<SocketAddr> {
    let [_, family, p1, p2, address @ ..] = value else { return None };
    let mask = mask.copied().unwrap_or_default();
    let [m1, m2, ..] = mask;
    let port = u16::from_be_bytes([p1 ^ m1, p2 ^ m2]);
    let ip = match family {
        1 => IpAddr::V4(Ipv4Addr::from(xored::<4>(address, &mask)?)),
        2 => IpAddr::V6(Ipv6Addr::from(xored::<16>(address, &mask)?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Writes what [`read_address`] reads.
pub(super) fn write_address(address: SocketAddr, mask: Option<&[u8; 16]>) -> Vec<u8> {
    let mask = mask.copied().unwrap_or_default();
    let (family, octets) = match address.ip().to_canonical() {
        IpAddr::V4(v4) => (1, v4.octets().to_vec()),
        IpAddr::V6(v6) => (2, v6.octets().to_vec()),
    };
    let port = address.port().to_be_bytes();
    let mut out = Vec::with_capacity(4 + octets.len());
    out.extend([0, family]);
    out.extend(port.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
    out.extend(octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
    out
}

fn xored<const N: usize>(octets: &[u8], mask: &[u8; 16]) -> Option<[u8; N]> {
    let mut out: [u8; N] = octets.try_into().ok()?;
    for (octet, mask) in out.iter_mut().zip(mask) {
        *octet ^= mask;
    }
    Some(out)
}

/// FINGERPRINT of the message up to the attribute, whose length field counts the attribute already (§14.7).
pub(super) fn fingerprint(message: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(message);
    hasher.finalize() ^ 0x5354_554e
}

/// The security feature set in a nonce (§9.2): whether PASSWORD-ALGORITHMS must be there, and whether USERHASH may.
pub(super) fn nonce_features(nonce: &str) -> Option<(bool, bool)> {
    let set = nonce.strip_prefix("obMatJos2")?.as_bytes().get(..4)?;
    let bits = set.iter().try_fold(0_u32, |bits, &digit| {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(bits << 6 | u32::from(value))
    })?;
    Some((bits & 1 != 0, bits & 2 != 0))
}

const _: () = assert!(MAGIC_COOKIE.len() + 16 == HEADER);
