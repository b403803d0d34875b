//! Secure RTP and RTCP (RFC 3711), with AES-192 and AES-256 (RFC 6188) and AES-GCM (RFC 7714); keys by SDP (RFC 4568).
//!
//! [`Outbound`] protects what is sent and [`Inbound`] opens what is received, both in place and without allocating;
//! a [`Stream`](crate::Stream) does both when its [`Negotiated`](crate::Negotiated) has [`SrtpKeys`]. [`Sdes`] offers
//! and answers `a=crypto`.
//!
//! ```
//! use sidetone_hal::rng::Rng;
//! use sidetone_media::srtp::{Inbound, MasterKey, Outbound, SrtpConfig, Suite};
//!
//! let key = MasterKey::random(Suite::AES_CM_128_HMAC_SHA1_80, &mut Rng::from_u64(1));
//! let (mut out, mut into) = (Outbound::new(&key, &SrtpConfig::default()), Inbound::new(&key, &SrtpConfig::default()));
//! // A packet of RTP with a payload of four octets, and room behind it for the tag.
//! let mut packet = [0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4, 5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
//! let length = out.protect_rtp(&mut packet, 16)?;
//! assert_eq!(length, 26);
//! assert_ne!(packet[12..16], [5; 4]);
//! assert_eq!(into.unprotect_rtp(&mut packet[..length])?, 16);
//! assert_eq!(packet[12..16], [5; 4]);
//! # Ok::<(), sidetone_media::srtp::SrtpError>(())
//! ```

mod aes;
mod context;
mod derivation;
mod hmac;
mod keys;
mod replay;
mod sdes;
mod source;
mod suite;
mod transform;

pub use context::{Inbound, Outbound, SrtpConfig};
pub use keys::{MAX_RTCP_LIFETIME, MAX_RTP_LIFETIME, MasterKey, Mki, SrtpKeys};
pub use replay::{ReplayWindow, Verdict};
pub use sdes::{CryptoLine, Sdes, SdesError, SrtpPolicy};
pub use suite::Suite;

/// Why a packet was not protected or not opened, or a key not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpError {
    /// Key and salt do not have the lengths of the suite.
    #[error("{suite} needs {expected} octets of key and salt, there are {got}")]
    KeyLength {
        /// The suite.
        suite: Suite,
        /// Octets that it needs.
        expected: usize,
        /// Octets there are.
        got: usize,
    },
    /// What is to be protected is no RTP or RTCP, or what was received is too short to be protected.
    #[error("{got} octets are no {what}, at least {needed} were expected")]
    Malformed {
        /// "RTP", "RTCP", "SRTP" or "SRTCP".
        what: &'static str,
        /// Octets that its header and trailer need.
        needed: usize,
        /// Octets there are.
        got: usize,
    },
    /// The buffer has no room for the tag.
    #[error("the protected packet needs {needed} octets, the buffer has {got}")]
    Buffer {
        /// Octets of the protected packet.
        needed: usize,
        /// Octets of the buffer.
        got: usize,
    },
    /// The tag is wrong: another key, or a packet that was changed on its way.
    #[error("the authentication tag is wrong")]
    Authentication,
    /// The packet was received before; or, when sending, a number is used twice.
    #[error("index {0} again")]
    Replayed(u64),
    /// The packet is older than what the replay window remembers.
    #[error("index {0} is older than the replay window")]
    Old(u64),
    /// The packet names another master key.
    #[error("the packet has another master key identifier")]
    Mki,
    /// RTCP that is authentic but not encrypted, and [`SrtpConfig::unencrypted_rtcp`] does not allow it; or the
    /// other way round.
    #[error("the packet's E bit is not as agreed")]
    Encryption,
    /// Another source, and as many as [`SrtpConfig::sources`] allows are known.
    #[error("more than {0} sources")]
    Sources(usize),
    /// The master key has protected all the packets that it may (RFC 3711 §9.2).
    #[error("the master key has come to the end of its life")]
    Expired,
}
