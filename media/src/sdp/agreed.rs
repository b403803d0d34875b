//! What an offer and its answer come to.

use super::{Bandwidth, DTMF_PAYLOAD_TYPE, Direction, RtcpXr};
use crate::srtp::SrtpKeys;
use core::net::SocketAddr;
use sidetone_codecs::{CodecSpec, Fmtp};

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

/// A format beside the codecs that is told apart by its RTP clock: telephone events, comfort noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SideFormat {
    /// The number in the RTP header, 0 to 127.
    pub payload_type: u8,
    /// Ticks a second of its timestamps.
    pub clock: u32,
}

/// Packets that repeat what was in those before (RFC 2198), as agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Redundancy {
    /// The payload type that we send it under: the other side's number.
    pub payload_type: u8,
    /// The payload type that it comes under: our number.
    pub receive_payload_type: u8,
    /// How many packets back we may repeat.
    pub generations: u8,
}

/// Keys are agreed on by DTLS between the RTP ports (RFC 5763).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dtls {
    /// We are the client, and begin the handshake.
    pub active: bool,
    /// The fingerprints of the other side's certificate, one of which must be right: as in `a=fingerprint` (RFC 8122).
    pub fingerprints: Vec<String>,
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
    /// The payload type of telephone events that we send, whose clock is that of `codec` (RFC 4733 §2.1); none when
    /// the other side takes none at that clock.
    pub dtmf_payload_type: Option<u8>,
    /// What the other side may send, under our numbers.
    pub receive: Vec<Format>,
    /// Our number for telephone events that come in at the clock of `codec`.
    pub dtmf_receive_payload_type: Option<u8>,
    /// Every number that telephone events may come in under, one for each clock among `receive`.
    pub events: Vec<SideFormat>,
    /// The payload type of comfort noise (RFC 3389) that we send beside `codec`; none when the other side takes none.
    pub noise_payload_type: Option<u8>,
    /// Every number that comfort noise may come in under.
    pub noise: Vec<SideFormat>,
    /// Redundancy (RFC 2198), if both speak it at the clock of `codec`.
    pub redundancy: Option<Redundancy>,
    /// Every number that the other side takes telephone events under, whatever the clock.
    pub remote_events: Vec<SideFormat>,
    /// Where RTP goes to; none when the other side takes nothing (`c=0.0.0.0` or port 0).
    pub remote_rtp: Option<SocketAddr>,
    /// Where RTCP goes to: the address of RTP if `rtcp_mux`.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP and RTP share one port on both sides (RFC 5761).
    pub rtcp_mux: bool,
    /// RTCP packets may be of reduced size (RFC 5506).
    pub rtcp_reduced_size: bool,
    /// The extended reports (RFC 3611) that we send: the other side asked for them, and we can.
    pub rtcp_xr: RtcpXr,
    /// The keys of SRTP, if media is encrypted with keys that came by SDP.
    pub srtp: Option<SrtpKeys>,
    /// How the keys of SRTP are agreed on, if they come by DTLS.
    pub dtls: Option<Dtls>,
    /// What the other side wants sent at most.
    pub remote_bandwidth: Bandwidth,
    /// What we do.
    pub direction: Direction,
    /// The other side put us on hold: it no longer wants to hear us (`sendonly`, `inactive`, `c=0.0.0.0`).
    pub remote_hold: bool,
    /// Milliseconds of speech in a packet that we send.
    pub ptime: u8,
    /// The most milliseconds of speech that the other side takes in a packet, if it said so.
    pub max_ptime: Option<u8>,
}

impl Negotiated {
    /// An agreement made without SDP: one codec both ways under one payload type, telephone events as 101,
    /// RTCP one port above RTP.
    #[must_use]
    pub fn new(codec: &'static CodecSpec, payload_type: u8, remote_rtp: SocketAddr) -> Self {
        let events = SideFormat { payload_type: DTMF_PAYLOAD_TYPE, clock: codec.rtp_clock };
        Self {
            codec,
            payload_type,
            fmtp: codec.defaults(),
            dtmf_payload_type: Some(DTMF_PAYLOAD_TYPE),
            receive: vec![Format::new(payload_type, codec)],
            dtmf_receive_payload_type: Some(DTMF_PAYLOAD_TYPE),
            events: vec![events],
            remote_events: vec![events],
            noise_payload_type: None,
            noise: Vec::new(),
            redundancy: None,
            remote_rtp: Some(remote_rtp),
            remote_rtcp: next_port(remote_rtp),
            rtcp_mux: false,
            rtcp_reduced_size: false,
            rtcp_xr: RtcpXr::default(),
            srtp: None,
            dtls: None,
            remote_bandwidth: Bandwidth::default(),
            direction: Direction::SendRecv,
            remote_hold: false,
            ptime: codec.default_ptime,
            max_ptime: None,
        }
    }
}

/// RTCP's place when nothing else is said (RFC 3550 §11).
pub(crate) fn next_port(rtp: SocketAddr) -> Option<SocketAddr> {
    Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?))
}
