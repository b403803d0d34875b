//! The cryptographic contexts of the two ways (RFC 3711 §3.2, §3.3).

use super::source::{Source, Sources};
use super::suite::Cipher;
use super::transform::{Numbers, Transform};
use super::{MAX_RTCP_LIFETIME, MasterKey, SrtpError};
use crate::rtp::HEADER;

/// The shortest RTCP packet: a header and an SSRC.
const RTCP_HEADER: usize = 8;
/// Fewer packets than this are left when a key [is ending](Outbound::is_ending): 20 minutes of speech.
const ENDING: u64 = 1 << 16;
/// The longest first packet of a source that a second roll-over counter is tried for.
const MAX_RETRY: usize = 2048;

/// What contexts are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SrtpConfig {
    /// How many packets of each source the replay window remembers: rounded up to a power of two from 64 to 32768.
    pub window: usize,
    /// How many sources (SSRCs) may use the keys. Only authentic packets make one known; a further one is refused.
    pub sources: usize,
    /// RTCP is authenticated, and not encrypted (`UNENCRYPTED_SRTCP` of RFC 4568 §6.3.2).
    pub unencrypted_rtcp: bool,
}

impl Default for SrtpConfig {
    /// A window of 128, 16 sources, RTCP encrypted.
    fn default() -> Self {
        Self { window: 128, sources: 16, unencrypted_rtcp: false }
    }
}

/// Protects what is sent with one master key.
///
/// No index of a source is used twice, for that would give away the speech: a packet that was protected before is
/// refused. Its memory is taken when it is made.
pub struct Outbound {
    context: Context,
}

/// Opens what is received under one master key.
///
/// What is not authentic changes nothing. Its memory is taken when it is made.
pub struct Inbound {
    context: Context,
    /// The first packet of a source, for a second try.
    retry: Vec<u8>,
}

struct Context {
    rtp: Option<Transform>,
    rtcp: Option<Transform>,
    sources: Sources,
    encrypted_rtcp: bool,
    rtp_life: Life,
    rtcp_life: Life,
}

/// How many packets a key may still protect.
struct Life {
    left: u64,
    ending: u64,
}

impl Life {
    fn new(packets: u64) -> Self {
        Self { left: packets, ending: ENDING.min(packets / 8) }
    }

    fn check(&self) -> Result<(), SrtpError> {
        if self.left == 0 { Err(SrtpError::Expired) } else { Ok(()) }
    }
}

impl Context {
    fn new(key: &MasterKey, config: &SrtpConfig) -> Self {
        Self {
            rtp: Transform::rtp(key),
            rtcp: Transform::rtcp(key),
            sources: Sources::new(config),
            encrypted_rtcp: !config.unencrypted_rtcp && key.suite().cipher() != Cipher::Null,
            rtp_life: Life::new(key.lifetime()),
            rtcp_life: Life::new(key.lifetime().min(MAX_RTCP_LIFETIME)),
        }
    }

    const fn is_ending(&self) -> bool {
        self.rtp_life.left <= self.rtp_life.ending || self.rtcp_life.left <= self.rtcp_life.ending
    }
}

impl Outbound {
    /// A context with nothing sent yet.
    #[must_use]
    pub fn new(key: &MasterKey, config: &SrtpConfig) -> Self {
        Self { context: Context::new(key, config) }
    }

    /// Octets that [`protect_rtp`](Self::protect_rtp) adds.
    #[must_use]
    pub fn rtp_overhead(&self) -> usize {
        self.context.rtp.as_ref().map_or(0, Transform::rtp_trailer)
    }

    /// Octets that [`protect_rtcp`](Self::protect_rtcp) adds.
    #[must_use]
    pub fn rtcp_overhead(&self) -> usize {
        self.context.rtcp.as_ref().map_or(0, Transform::rtcp_trailer)
    }

    /// Protects the RTP packet in the first `length` octets of `buffer`, which has room for
    /// [`rtp_overhead`](Self::rtp_overhead) more; returns the octets of the SRTP packet.
    ///
    /// # Errors
    /// It is no RTP, has no room, was sent before, or the key's life is over. The packet must not be sent then.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let Context { rtp, sources, rtp_life, .. } = &mut self.context;
        let transform = rtp.as_ref().ok_or(SrtpError::Expired)?;
        rtp_life.check()?;
        let (packet, end) = room(buffer, length, transform.rtp_trailer())?;
        let header = RtpHeader::read(packet.get(..length).unwrap_or_default(), "RTP")?;
        let source = sources.find(header.ssrc)?;
        let index = source.estimate(header.sequence).ok_or_else(|| SrtpError::Old(header.sequence.into()))?;
        Source::check(&source.rtp, index)?;
        transform.protect_rtp(packet, header.length, Numbers { ssrc: header.ssrc, index })?;
        source.rtp.accept(index);
        sources.keep(header.ssrc);
        rtp_life.left -= 1;
        Ok(end)
    }

    /// Protects the RTCP packet, as a rule a compound one, in the first `length` octets of `buffer`, which has room
    /// for [`rtcp_overhead`](Self::rtcp_overhead) more; returns the octets of the SRTCP packet.
    ///
    /// # Errors
    /// It is no RTCP, has no room, or the key's life is over. The packet must not be sent then.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let Context { rtcp, sources, rtcp_life, encrypted_rtcp, .. } = &mut self.context;
        let transform = rtcp.as_ref().ok_or(SrtpError::Expired)?;
        rtcp_life.check()?;
        let (packet, end) = room(buffer, length, transform.rtcp_trailer())?;
        let ssrc = rtcp_ssrc(packet.get(..length).unwrap_or_default(), "RTCP", RTCP_HEADER)?;
        let source = sources.find(ssrc)?;
        // The first is 1 as with libsrtp: some receivers take 0 for one that came before.
        let index = source.rtcp.highest().map_or(1, |highest| highest + 1);
        if index >= MAX_RTCP_LIFETIME {
            return Err(SrtpError::Expired);
        }
        transform.protect_rtcp(packet, *encrypted_rtcp, Numbers { ssrc, index })?;
        source.rtcp.accept(index);
        sources.keep(ssrc);
        rtcp_life.left -= 1;
        Ok(end)
    }

    /// Whether the key's life ends soon: within 2¹⁶ packets, or the last eighth of a shorter life. Time for new keys.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.context.is_ending()
    }

    /// The roll-over counter of a source that was sent, for who joins late.
    #[must_use]
    pub fn rollover(&self, ssrc: u32) -> Option<u32> {
        self.context.sources.rollover(ssrc)
    }

    /// Sends a source on from this roll-over counter.
    ///
    /// # Errors
    /// As many sources as allowed are known.
    pub fn set_rollover(&mut self, ssrc: u32, rollover: u32) -> Result<(), SrtpError> {
        self.context.sources.set_rollover(ssrc, rollover)
    }
}

impl Inbound {
    /// A context with nothing received yet.
    #[must_use]
    pub fn new(key: &MasterKey, config: &SrtpConfig) -> Self {
        Self { context: Context::new(key, config), retry: Vec::with_capacity(MAX_RETRY) }
    }

    /// Opens an SRTP packet; returns the octets of the RTP packet, which stands at its beginning then.
    ///
    /// A source that was never heard begins with a roll-over counter of 0 or 1, whichever is authentic: its sequence
    /// number may have rolled over in packets that were lost. Who joins later tells it by
    /// [`set_rollover`](Self::set_rollover).
    ///
    /// # Errors
    /// The packet is malformed, came before, is not authentic, or the key's life is over. What is left of it is of no
    /// use.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let Context { rtp, sources, rtp_life, .. } = &mut self.context;
        let transform = rtp.as_ref().ok_or(SrtpError::Expired)?;
        rtp_life.check()?;
        let header = RtpHeader::read(packet, "SRTP")?;
        let needed = header.length + transform.rtp_trailer();
        if packet.len() < needed {
            return Err(SrtpError::Malformed { what: "SRTP", needed, got: packet.len() });
        }
        let ssrc = header.ssrc;
        let source = sources.find(ssrc)?;
        let mut index =
            source.estimate(header.sequence).ok_or_else(|| SrtpError::Old(header.sequence.into()))?;
        Source::check(&source.rtp, index)?;
        let second = source.second_estimate(header.sequence).filter(|_| packet.len() <= MAX_RETRY);
        if second.is_some() {
            self.retry.clear();
            self.retry.extend_from_slice(packet);
        }
        let mut opened = transform.unprotect_rtp(packet, header.length, Numbers { ssrc, index });
        if let (Err(SrtpError::Authentication), Some(second)) = (&opened, second) {
            index = second;
            packet.copy_from_slice(&self.retry);
            opened = transform.unprotect_rtp(packet, header.length, Numbers { ssrc, index });
        }
        opened?;
        source.rtp.accept(index);
        sources.keep(ssrc);
        rtp_life.left -= 1;
        Ok(packet.len() - transform.rtp_trailer())
    }

    /// Opens an SRTCP packet; returns the octets of the RTCP packet, which stands at its beginning then.
    ///
    /// # Errors
    /// The packet is malformed, came before, is not authentic, or the key's life is over. What is left of it is of no
    /// use.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let Context { rtcp, sources, rtcp_life, encrypted_rtcp, .. } = &mut self.context;
        let transform = rtcp.as_ref().ok_or(SrtpError::Expired)?;
        rtcp_life.check()?;
        let ssrc = rtcp_ssrc(packet, "SRTCP", RTCP_HEADER + transform.rtcp_trailer())?;
        let (index, encrypted) = transform.rtcp_index(packet).ok_or(SrtpError::Authentication)?;
        if encrypted != *encrypted_rtcp {
            return Err(SrtpError::Encryption);
        }
        let source = sources.find(ssrc)?;
        Source::check(&source.rtcp, index)?;
        transform.unprotect_rtcp(packet, encrypted, Numbers { ssrc, index })?;
        source.rtcp.accept(index);
        sources.keep(ssrc);
        rtcp_life.left -= 1;
        Ok(packet.len() - transform.rtcp_trailer())
    }

    /// Whether the key's life ends soon, as at [`Outbound::is_ending`].
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.context.is_ending()
    }

    /// The roll-over counter of a source that was heard.
    #[must_use]
    pub fn rollover(&self, ssrc: u32) -> Option<u32> {
        self.context.sources.rollover(ssrc)
    }

    /// Tells the roll-over counter of a source that has been sending for long (RFC 3711 §3.3.1); one more, or one
    /// less, is found too, for it may have changed on the way.
    ///
    /// # Errors
    /// As many sources as allowed are known.
    pub fn set_rollover(&mut self, ssrc: u32, rollover: u32) -> Result<(), SrtpError> {
        self.context.sources.set_rollover(ssrc, rollover)
    }
}

impl core::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Outbound").finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Inbound").finish_non_exhaustive()
    }
}

/// What of an RTP header is needed here: it stays readable.
#[derive(Clone, Copy)]
struct RtpHeader {
    ssrc: u32,
    sequence: u16,
    /// With contributing sources and extension.
    length: usize,
}

impl RtpHeader {
    fn read(packet: &[u8], what: &'static str) -> Result<Self, SrtpError> {
        let malformed = |needed| SrtpError::Malformed { what, needed, got: packet.len() };
        let [first, _, s0, s1, _, _, _, _, ssrc @ ..] =
            packet.first_chunk::<HEADER>().ok_or_else(|| malformed(HEADER))?;
        if first >> 6 != 2 {
            return Err(malformed(HEADER));
        }
        let mut length = HEADER + 4 * usize::from(first & 15);
        if first & 0x10 != 0 {
            let words = packet
                .get(length + 2..)
                .and_then(<[u8]>::first_chunk)
                .ok_or_else(|| malformed(length + 4))?;
            length += 4 + 4 * usize::from(u16::from_be_bytes(*words));
        }
        if packet.len() < length {
            return Err(malformed(length));
        }
        Ok(Self { ssrc: u32::from_be_bytes(*ssrc), sequence: u16::from_be_bytes([*s0, *s1]), length })
    }
}

fn rtcp_ssrc(packet: &[u8], what: &'static str, needed: usize) -> Result<u32, SrtpError> {
    match packet.first_chunk::<RTCP_HEADER>() {
        Some([first, _, _, _, ssrc @ ..]) if first >> 6 == 2 && packet.len() >= needed => {
            Ok(u32::from_be_bytes(*ssrc))
        }
        _ => Err(SrtpError::Malformed { what, needed, got: packet.len() }),
    }
}

/// The packet with the room behind it.
fn room(buffer: &mut [u8], length: usize, trailer: usize) -> Result<(&mut [u8], usize), SrtpError> {
    let (needed, got) = (length + trailer, buffer.len());
    buffer.get_mut(..needed).map(|packet| (packet, needed)).ok_or(SrtpError::Buffer { needed, got })
}
