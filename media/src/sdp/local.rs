//! What one side can do and wants, as its offers and answers say it.

use super::{Bandwidth, DTMF_PAYLOAD_TYPE, RtcpXr};
use core::net::IpAddr;
use sidetone_codecs::{CodecChoice, CodecSpec};

/// What we can do, as offers and answers say it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LocalMedia {
    /// The address that others reach us at.
    pub address: IpAddr,
    /// An address of the other family at which the same ports are open. An offer says both by `a=altc` (RFC 6947), and
    /// an answer takes the family that the offer has. None by default: then an offer in the other family is refused.
    pub alternative: Option<IpAddr>,
    /// The port we receive RTP on, and send it from.
    pub rtp_port: u16,
    /// The port for RTCP; said by `a=rtcp` (RFC 3605) unless it is the next after `rtp_port`.
    pub rtcp_port: u16,
    /// What we can encode and decode, what we like best first. A codec may stand here several times with parameters
    /// that make it several formats, as iLBC with `mode=20` and with `mode=30`; where they make one, the first counts.
    pub codecs: Vec<CodecChoice>,
    /// The payload types that we would like for codecs which have no static one. Without a wish, or where the number
    /// is taken, it is the first free one from 96.
    pub payload_types: Vec<(&'static CodecSpec, u8)>,
    /// Whether we take digits as telephone events (RFC 4733).
    pub dtmf: bool,
    /// The number that we would like for `telephone-event/8000`; 101 by default. Other clocks get the next free ones.
    pub dtmf_payload_type: u8,
    /// Milliseconds of speech in a packet that we want to receive, and send if the other does not care. What the first
    /// codec cannot do is said as the nearest that it can. 0 says nothing: then each codec has its own default.
    pub ptime: u8,
    /// The most milliseconds of speech that a packet to us may have, said by `a=maxptime`; 200 by default (RFC 3551
    /// §4.2). 0 says nothing.
    pub max_ptime: u8,
    /// In answers, our order of codecs counts and not that of the offer.
    pub own_order: bool,
    /// How an offer says that we hold.
    pub hold_style: HoldStyle,
    /// The user name in `o=`; `-` by default. What cannot stand there (nothing, blanks, control characters) is said
    /// as `-`.
    pub origin_user: String,
    /// The name in `s=`; `-` by default.
    pub session_name: String,
    /// The `b=` lines of the audio; none by default.
    pub bandwidth: Bandwidth,
    /// Whether RTCP may share the port of RTP (RFC 5761): offered, and taken where it is offered. Off by default.
    pub rtcp_mux: bool,
    /// Whether RTCP packets of reduced size are spoken (RFC 5506). Off by default.
    pub rtcp_reduced_size: bool,
    /// The extended reports (RFC 3611) that we want, and send to those who want them. None by default.
    pub rtcp_xr: RtcpXr,
    /// How many packets back `red` repeats (RFC 2198): 0, the default, speaks none of it.
    pub redundancy: u8,
    /// The fingerprint of our certificate, as `a=fingerprint` has it: then keys may come by DTLS (RFC 5763), for which
    /// `rtcp_mux` must be on. None by default.
    pub fingerprint: Option<String>,
    /// Whether comfort noise (RFC 3389) is spoken beside codecs that have none of their own. Off by default.
    pub comfort_noise: bool,
}

impl LocalMedia {
    /// Audio at `address` and `rtp_port`, RTCP one port above, with these codecs, telephone events, 20 ms.
    #[must_use]
    pub fn new<C: Into<CodecChoice>>(
        address: IpAddr,
        rtp_port: u16,
        codecs: impl IntoIterator<Item = C>,
    ) -> Self {
        Self {
            address,
            alternative: None,
            rtp_port,
            rtcp_port: rtp_port.saturating_add(1),
            codecs: codecs.into_iter().map(Into::into).collect(),
            payload_types: Vec::new(),
            dtmf: true,
            dtmf_payload_type: DTMF_PAYLOAD_TYPE,
            ptime: 20,
            max_ptime: MAX_PTIME,
            own_order: false,
            hold_style: HoldStyle::Direction,
            origin_user: "-".into(),
            session_name: "-".into(),
            bandwidth: Bandwidth::default(),
            rtcp_mux: false,
            rtcp_reduced_size: false,
            rtcp_xr: RtcpXr::default(),
            redundancy: 0,
            fingerprint: None,
            comfort_noise: false,
        }
    }

    /// Our address of the family that `like` has, if we have one.
    #[must_use]
    pub fn address_like(&self, like: IpAddr) -> Option<IpAddr> {
        let same = |ours: &IpAddr| ours.is_ipv4() == like.is_ipv4();
        [Some(self.address), self.alternative].into_iter().flatten().find(same)
    }
}

/// RFC 3551 §4.2: a receiver should take packets of up to 200 ms.
const MAX_PTIME: u8 = 200;

/// How an offer says that we do not want to hear the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HoldStyle {
    /// By `a=sendonly` or `a=inactive` (RFC 3264 §8.4).
    #[default]
    Direction,
    /// By `c=0.0.0.0` beside it, for peers that know RFC 2543 only.
    ZeroAddress,
}
