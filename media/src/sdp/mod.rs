//! Session descriptions: what both sides say about audio before it flows (RFC 8866, RFC 3264).
//!
//! [`Negotiator`] makes and reads the texts; [`Negotiated`] is what came out, and all that a
//! [`Stream`](crate::Stream) needs.

#[cfg(feature = "sdp")]
mod description;
#[cfg(feature = "sdp")]
mod negotiator;
#[cfg(feature = "sdp")]
#[cfg(test)]
mod tests;

#[cfg(feature = "sdp")]
pub use negotiator::{Negotiator, SdpError};

use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;
use sidetone_codecs::{CodecChoice, CodecSpec, Fmtp};

/// What we can do, as offers and answers say it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LocalMedia {
    /// The address that others reach us at.
    pub address: IpAddr,
    /// The port we receive RTP on, and send it from.
    pub rtp_port: u16,
    /// The port for RTCP; said by `a=rtcp` (RFC 3605) unless it is the next after `rtp_port`.
    pub rtcp_port: u16,
    /// What we can encode and decode, what we like best first. Of a codec that stands here twice, the first counts.
    pub codecs: Vec<CodecChoice>,
    /// Whether we take digits as telephone events (RFC 4733).
    pub dtmf: bool,
    /// Milliseconds of speech in a packet that we want to receive, and send if the other does not care.
    pub ptime: u8,
    /// In answers, our order of codecs counts and not that of the offer.
    pub own_order: bool,
}

impl LocalMedia {
    /// Audio at `address` and `rtp_port`, RTCP one port above, with these codecs, telephone events, 20 ms.
    #[must_use]
    pub fn new<C: Into<CodecChoice>>(
        address: IpAddr,
        rtp_port: u16,
        codecs: impl IntoIterator<Item = C>,
    ) -> Self {
        let rtcp_port = rtp_port.saturating_add(1);
        let codecs = codecs.into_iter().map(Into::into).collect();
        Self { address, rtp_port, rtcp_port, codecs, dtmf: true, ptime: 20, own_order: false }
    }
}

/// Which way media flows, seen from the side that says it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send, the other side does not: the usual hold.
    SendOnly,
    /// We only receive: the usual answer to a hold.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// The direction with these two halves.
    #[must_use]
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the side that says it sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the side that says it receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other side.
    #[must_use]
    pub const fn reverse(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// What both allow.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// As the attribute is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

impl FromStr for Direction {
    type Err = ();

    /// Reads the attribute's name; attribute names are case-sensitive, but not every peer knows.
    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.as_str().eq_ignore_ascii_case(name))
            .ok_or(())
    }
}

/// A codec and the payload type that stands for it in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The number in the RTP header, 0 to 127.
    pub payload_type: u8,
    /// What it stands for.
    pub codec: &'static CodecSpec,
    /// Its format parameters.
    pub fmtp: Fmtp,
}

impl Format {
    /// A codec with its default parameters.
    #[must_use]
    pub const fn new(payload_type: u8, codec: &'static CodecSpec) -> Self {
        Self { payload_type, codec, fmtp: codec.defaults() }
    }
}

/// What an offer and its answer agreed on, seen from our side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// What we send.
    pub codec: &'static CodecSpec,
    /// The payload type of what we send: the other side's number.
    pub payload_type: u8,
    /// The format parameters that we send by.
    pub fmtp: Fmtp,
    /// The payload type of telephone events that we send; none when the other side takes none.
    pub dtmf_payload_type: Option<u8>,
    /// What the other side may send, under our numbers.
    pub receive: Vec<Format>,
    /// Our number for telephone events that come in.
    pub dtmf_receive_payload_type: Option<u8>,
    /// Where RTP goes to; none when the other side takes nothing (`c=0.0.0.0` or port 0).
    pub remote_rtp: Option<SocketAddr>,
    /// Where RTCP goes to.
    pub remote_rtcp: Option<SocketAddr>,
    /// What we do.
    pub direction: Direction,
    /// The other side put us on hold: it no longer wants to hear us (`sendonly`, `inactive`, `c=0.0.0.0`).
    pub remote_hold: bool,
    /// Milliseconds of speech in a packet that we send.
    pub ptime: u8,
}

impl Negotiated {
    /// An agreement made without SDP: one codec both ways under one payload type, telephone events as 101,
    /// RTCP one port above RTP.
    #[must_use]
    pub fn new(codec: &'static CodecSpec, payload_type: u8, remote_rtp: SocketAddr) -> Self {
        Self {
            codec,
            payload_type,
            fmtp: codec.defaults(),
            dtmf_payload_type: Some(DTMF_PAYLOAD_TYPE),
            receive: vec![Format::new(payload_type, codec)],
            dtmf_receive_payload_type: Some(DTMF_PAYLOAD_TYPE),
            remote_rtp: Some(remote_rtp),
            remote_rtcp: next_port(remote_rtp),
            direction: Direction::SendRecv,
            remote_hold: false,
            ptime: codec.default_ptime,
        }
    }
}

/// The number nearly everyone uses for telephone events.
pub(crate) const DTMF_PAYLOAD_TYPE: u8 = 101;

/// RTCP's place when nothing else is said (RFC 3550 §11).
pub(crate) fn next_port(rtp: SocketAddr) -> Option<SocketAddr> {
    Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?))
}
