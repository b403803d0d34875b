//! Reaching a peer through network address translators: STUN, keep-alives, and which address the public side sees.
//!
//! Read RFC 5626 §3.5 and §4.4 first, then RFC 8489 and RFC 6223.
//!
//! - [`stun`]: the messages, and the machines of both sides of a Binding;
//! - [`KeepAliveMachine`]: keeps one flow alive, and says when it died or moved;
//! - [`Discovery`]: says what our public address is, and when it changes.
//!
//! The machines send over the sockets that SIP uses: give what they want sent to
//! [`Endpoint::send_bytes`](crate::Endpoint::send_bytes), and give them
//! [`Event::Stun`](crate::Event::Stun) and [`Event::KeepAlivePong`](crate::Event::KeepAlivePong).

mod discovery;
mod keepalive;
pub mod stun;

pub use discovery::{
    Detection, Discovery, DiscoveryError, DiscoveryEvent, DiscoveryInput, PublicAddress, StunServer,
};
pub use keepalive::{
    DatagramPayload, FlowFailure, KeepAlive, KeepAliveEvent, KeepAliveInput, KeepAliveKind, KeepAliveMachine,
    KeepAliveTerms,
};
