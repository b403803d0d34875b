//! Session descriptions: what both sides say about audio before it flows (RFC 8866, RFC 3264).
//!
//! [`LocalMedia`] is what we can and want, [`Negotiator`] makes and reads the texts, and [`Negotiated`] is what came
//! out: all that a [`Stream`](crate::Stream) needs.

mod agreed;
#[cfg(feature = "sdp")]
mod describe;
#[cfg(feature = "sdp")]
mod description;
mod direction;
mod error;
#[cfg(feature = "sdp")]
mod formats;
mod limits;
mod local;
#[cfg(feature = "sdp")]
mod negotiator;
#[cfg(feature = "sdp")]
mod numbers;
#[cfg(feature = "sdp")]
mod security;
#[cfg(feature = "sdp")]
#[cfg(test)]
mod tests;

pub(crate) use agreed::next_port;
pub use agreed::{Dtls, Format, Negotiated, Redundancy, SideFormat};
#[cfg(feature = "sdp")]
pub use description::audio_direction;
pub use direction::Direction;
pub use error::SdpError;
pub use limits::{Bandwidth, ReceiverRtt, RtcpXr, StatisticsSummary};
pub use local::{HoldStyle, LocalMedia};
#[cfg(feature = "sdp")]
pub use negotiator::Negotiator;

/// The number nearly everyone uses for telephone events.
pub(crate) const DTMF_PAYLOAD_TYPE: u8 = 101;
