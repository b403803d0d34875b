//! STUN (RFC 8489): messages read in place, written to the bit, authenticated; the client and the server of a Binding.
//!
//! The classic form of RFC 3489, which has no magic cookie and answers in MAPPED-ADDRESS only, is read, and written
//! where it is asked for: the telephones' manuals cite that RFC.
//!
//! ```
//! use sidetone_sip_core::nat::stun::{AttributeType, Builder, Class, Message, Method, TransactionId};
//! let id = TransactionId::new(&mut sidetone_sip_core::Rng::from_u64(7));
//! let bytes = Builder::new(Class::Success, Method::BINDING, id)
//!     .xor_address(AttributeType::XOR_MAPPED_ADDRESS, "192.0.2.1:32853".parse()?)
//!     .fingerprint()
//!     .finish()?;
//! let message = Message::parse(&bytes)?;
//! assert_eq!(message.mapped_address(), Some("192.0.2.1:32853".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attribute;
mod build;
mod client;
mod deframe;
mod integrity;
mod message;
mod server;

pub use attribute::{Attribute, AttributeType, ErrorCode, PasswordAlgorithm};
pub use build::{BuildError, Builder};
pub use client::{Client, ClientConfig, ClientError, ClientEvent, Credentials};
pub use deframe::Deframer;
pub use integrity::{IntegrityError, Key, user_hash};
pub use message::{Class, Message, Method, StunError, TransactionId};
pub use server::Server;

/// The first four octets of every transaction identifier since RFC 5389.
pub const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// The default port over UDP and TCP (RFC 8489 §18.6).
pub const DEFAULT_PORT: u16 = 3478;

/// Octets of a message's header.
const HEADER: usize = 20;

/// Whether a datagram on a socket that carries SIP too is STUN: its first octet is 0 to 3 (RFC 7983 §7), which no SIP
/// message begins with, and its length field is that of the datagram. With or without the magic cookie, so that the
/// answer to a classic request is known as well.
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    let [first, _, high, low, ..] = *datagram else { return false };
    let length = usize::from(u16::from_be_bytes([high, low]));
    first <= 3 && length.is_multiple_of(4) && datagram.len().checked_sub(HEADER) == Some(length)
}
