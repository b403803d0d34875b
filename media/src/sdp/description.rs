//! A remote description, read from `sdp-types`' lines into what a negotiation looks at.

use super::{Bandwidth, Direction, LocalMedia, RtcpXr, SdpError, next_port};
use core::net::{IpAddr, SocketAddr};
use sdp_types::{Attribute, Connection, Media, NetType, Session};

/// The longest text that is looked at; descriptions of phones are about 1 kB.
pub(super) const MAX_OCTETS: usize = 64 * 1024;
/// The most lines that are looked at.
pub(super) const MAX_LINES: usize = 2000;
/// The most `m=` lines that are looked at, and answered.
pub(super) const MAX_MEDIA: usize = 32;
/// The most formats of one `m=` line that are looked at.
pub(super) const MAX_FORMATS: usize = 64;
/// The most `a=crypto`, the most `a=fingerprint` and the most `a=altc` lines of one `m=` line that are looked at.
pub(super) const MAX_CHOICES: usize = 16;

/// The `m=` lines in their order.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) lines: Vec<Line>,
}

/// One `m=` line and its attributes.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) media: String,
    pub(super) proto: String,
    /// The format list as it came, to be repeated in a rejection.
    pub(super) fmt: String,
    pub(super) port: u16,
    /// None if it is no RTP that we know.
    pub(super) profile: Option<Profile>,
    /// The address of the line or the session, with the reason when there is none of use; `None` for one that says
    /// that nothing is to be sent.
    address: Result<Option<IpAddr>, SdpError>,
    /// The same in other families (RFC 6947).
    alternatives: Vec<SocketAddr>,
    pub(super) direction: Direction,
    pub(super) formats: Vec<RemoteFormat>,
    pub(super) ptime: Option<u8>,
    pub(super) max_ptime: Option<u8>,
    rtcp: Option<(u16, Option<IpAddr>)>,
    pub(super) rtcp_mux: bool,
    pub(super) rtcp_reduced_size: bool,
    pub(super) rtcp_xr: RtcpXr,
    pub(super) bandwidth: Bandwidth,
    /// What stands behind each `a=crypto:` (RFC 4568).
    pub(super) crypto: Vec<String>,
    /// What stands behind each `a=fingerprint:` (RFC 8122).
    pub(super) fingerprints: Vec<String>,
    /// What stands behind `a=setup:` (RFC 4145).
    pub(super) setup: Option<String>,
}

/// The RTP profile of an `m=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    /// SRTP.
    pub(super) secure: bool,
    /// Its keys come by DTLS (RFC 5764).
    pub(super) dtls: bool,
}

/// A payload type and what `a=rtpmap`, or RFC 3551 for static types, says of it.
#[derive(Clone, Debug)]
pub(super) struct RemoteFormat {
    pub(super) payload_type: u8,
    /// Encoding name, RTP clock, channels; none when nothing says what the number means.
    pub(super) map: Option<(String, u32, u8)>,
    /// What `a=fmtp` says of it; empty when there is none.
    pub(super) fmtp: String,
}

impl Description {
    pub(super) fn parse(text: &[u8]) -> Result<Self, SdpError> {
        if text.len() > MAX_OCTETS {
            return Err(SdpError::TooLong { what: "octets", got: text.len(), most: MAX_OCTETS });
        }
        let text = relevant(&String::from_utf8_lossy(text))?;
        let session =
            Session::parse(text.as_bytes()).map_err(|error| SdpError::Malformed(error.to_string()))?;
        if session.medias.len() > MAX_MEDIA {
            return Err(SdpError::TooLong { what: "m= lines", got: session.medias.len(), most: MAX_MEDIA });
        }
        let common = Common::read(&session);
        Ok(Self { lines: session.medias.iter().map(|media| Line::read(&common, media)).collect() })
    }
}

/// Which way the first audio line of a session description flows, seen from whoever wrote it: what a server that only
/// passes it on can tell of a hold. An address of zeros, as RFC 2543 held, receives nothing.
///
/// # Errors
/// It cannot be read, or has no audio line.
pub fn audio_direction(text: &[u8]) -> Result<Direction, SdpError> {
    let description = Description::parse(text)?;
    let line = description.lines.iter().find(|line| line.media.eq_ignore_ascii_case("audio"));
    let line = line.ok_or(SdpError::NoAudio)?;
    let receives = line.direction.receives() && !matches!(line.address, Ok(None));
    Ok(Direction::new(line.direction.sends(), receives))
}

/// The lines that a negotiation looks at. A mistake in another one, or a name in an old character set, is no reason to
/// refuse a call.
fn relevant(text: &str) -> Result<String, SdpError> {
    let mut relevant = String::with_capacity(text.len());
    for (number, line) in text.lines().map(str::trim_end).enumerate() {
        if number == MAX_LINES {
            let got = text.lines().count();
            return Err(SdpError::TooLong { what: "lines", got, most: MAX_LINES });
        }
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let passed_over = match name {
            "" => line.is_empty(),
            "s" | "i" | "u" | "e" | "p" | "t" | "r" | "z" | "k" => true,
            "b" => value.rsplit(':').next().is_none_or(|number| number.parse::<u64>().is_err()),
            _ => false,
        };
        if !passed_over {
            relevant.push_str(line);
        }
        // Errors name a line by its number.
        relevant.push_str("\r\n");
    }
    Ok(relevant)
}

/// What the session says for every `m=` line that does not say it itself.
struct Common<'a> {
    connection: Option<&'a Connection>,
    direction: Option<Direction>,
    rtcp_xr: Option<RtcpXr>,
    bandwidth: Bandwidth,
    fingerprints: Vec<String>,
    setup: Option<String>,
}

impl<'a> Common<'a> {
    fn read(session: &'a Session) -> Self {
        let mut common = Self {
            connection: session.connection.as_ref(),
            direction: None,
            rtcp_xr: None,
            bandwidth: bandwidth(&session.bandwidths),
            fingerprints: Vec::new(),
            setup: None,
        };
        for Attribute { attribute, value } in &session.attributes {
            let value = value.as_deref().map(str::trim).unwrap_or_default();
            match attribute.as_str() {
                "rtcp-xr" => common.rtcp_xr = Some(RtcpXr::parse(value)),
                "fingerprint" => remember(&mut common.fingerprints, value),
                "setup" => common.setup = Some(value.to_owned()),
                name => common.direction = name.parse().ok().or(common.direction),
            }
        }
        common
    }
}

impl Line {
    fn read(common: &Common<'_>, media: &Media) -> Self {
        let mut line = Self {
            media: media.media.clone(),
            proto: media.proto.clone(),
            fmt: media.fmt.clone(),
            port: media.port,
            profile: Profile::of(&media.proto),
            address: address(media.connections.first().or(common.connection)),
            alternatives: Vec::new(),
            direction: Direction::default(),
            formats: Vec::new(),
            ptime: None,
            max_ptime: None,
            rtcp: None,
            rtcp_mux: false,
            rtcp_reduced_size: false,
            rtcp_xr: common.rtcp_xr.unwrap_or_default(),
            bandwidth: bandwidth(&media.bandwidths).or(common.bandwidth),
            crypto: Vec::new(),
            fingerprints: Vec::new(),
            setup: None,
        };
        // What is said of each payload type, by its number.
        let mut said: Vec<(Option<&str>, Option<&str>)> = vec![(None, None); 128];
        // The last of the direction attributes counts, if a peer writes several; of the others the first.
        let mut direction = None;
        for Attribute { attribute, value } in &media.attributes {
            let value = value.as_deref().map(str::trim).unwrap_or_default();
            match attribute.as_str() {
                "rtpmap" | "fmtp" => {
                    let (number, text) = value.split_once(' ').unwrap_or((value, ""));
                    let slot = number.parse().ok().and_then(|number: usize| said.get_mut(number));
                    if let Some((map, fmtp)) = slot {
                        let slot = if attribute == "rtpmap" { map } else { fmtp };
                        *slot = slot.or(Some(text.trim()));
                    }
                }
                "ptime" => line.ptime = line.ptime.or_else(|| millis(value)),
                "maxptime" => line.max_ptime = line.max_ptime.or_else(|| millis(value)),
                "rtcp" => line.rtcp = line.rtcp.or_else(|| rtcp(value)),
                "rtcp-mux" => line.rtcp_mux = true,
                "rtcp-rsize" => line.rtcp_reduced_size = true,
                "rtcp-xr" => line.rtcp_xr = RtcpXr::parse(value),
                "crypto" => remember(&mut line.crypto, value),
                "fingerprint" => remember(&mut line.fingerprints, value),
                "setup" => line.setup = Some(value.to_owned()),
                "altc" if line.alternatives.len() < MAX_CHOICES => line.alternatives.extend(altc(value)),
                name => direction = name.parse().ok().or(direction),
            }
        }
        line.direction = direction.or(common.direction).unwrap_or_default();
        line.setup = line.setup.or_else(|| common.setup.clone());
        if line.fingerprints.is_empty() {
            line.fingerprints.clone_from(&common.fingerprints);
        }
        let mut seen = [false; 128];
        for number in media.fmt.split_ascii_whitespace().take(MAX_FORMATS) {
            let Ok(payload_type) = number.parse::<u8>() else { continue };
            let index = usize::from(payload_type);
            let (Some((map, fmtp)), Some(seen)) = (said.get(index), seen.get_mut(index)) else { continue };
            if !core::mem::replace(seen, true) {
                let (map, fmtp) = (map.and_then(rtpmap), fmtp.unwrap_or_default().to_owned());
                line.formats.push(RemoteFormat { payload_type, map, fmtp });
            }
        }
        line
    }

    /// Whether this is audio.
    pub(super) fn is_audio(&self) -> bool {
        self.media.eq_ignore_ascii_case("audio")
    }

    /// Where the other side takes RTP in a family that we have; none when nowhere: `c=0.0.0.0`, the hold of RFC 2543,
    /// or port 0.
    pub(super) fn rtp(&self, ours: &LocalMedia) -> Result<Option<SocketAddr>, SdpError> {
        if self.port == 0 {
            return Ok(None);
        }
        let Some(address) = self.address.clone()? else { return Ok(None) };
        if address.is_multicast() {
            return Err(SdpError::Multicast(address));
        }
        if ours.address_like(address).is_some() {
            return Ok(Some(SocketAddr::new(address, self.port)));
        }
        let ours_too = |other: &SocketAddr| ours.address_like(other.ip()).is_some();
        match self.alternatives.iter().copied().find(ours_too) {
            Some(other) => Ok(Some(other)),
            None => {
                let family = if address.is_ipv4() { "IPv6" } else { "IPv4" };
                Err(SdpError::Address(format!("c= says {address}, an {family} address was expected")))
            }
        }
    }

    /// Where it takes RTCP: as `a=rtcp` says (RFC 3605), or one port above RTP.
    pub(super) fn rtcp(&self, rtp: SocketAddr) -> Option<SocketAddr> {
        let Some((port, address)) = self.rtcp else { return next_port(rtp) };
        let ip = address.unwrap_or_else(|| rtp.ip());
        // One of another family would need another socket.
        let usable = port != 0 && !ip.is_multicast() && ip.is_ipv4() == rtp.is_ipv4();
        Some(SocketAddr::new(ip, port)).filter(|_| usable)
    }
}

impl core::fmt::Debug for Line {
    /// Without its keys.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Line")
            .field("media", &self.media)
            .field("port", &self.port)
            .field("proto", &self.proto)
            .field("fmt", &self.fmt)
            .finish_non_exhaustive()
    }
}

impl Profile {
    pub(super) fn of(proto: &str) -> Option<Self> {
        let known = [
            ("RTP/AVP", false, false),
            ("RTP/AVPF", false, false),
            ("RTP/SAVP", true, false),
            ("RTP/SAVPF", true, false),
            ("UDP/TLS/RTP/SAVP", true, true),
            ("UDP/TLS/RTP/SAVPF", true, true),
        ];
        let (_, secure, dtls) = known.into_iter().find(|(name, ..)| name.eq_ignore_ascii_case(proto))?;
        Some(Self { secure, dtls })
    }
}

fn address(connection: Option<&Connection>) -> Result<Option<IpAddr>, SdpError> {
    let connection = connection.ok_or_else(|| SdpError::Malformed("no c= line for m=audio".into()))?;
    if connection.nettype != NetType::In {
        return Err(SdpError::Network(connection.nettype.as_str().into()));
    }
    match connection.try_address() {
        Ok(address) => Ok(Some(address.ip.to_canonical()).filter(|ip| !ip.is_unspecified())),
        // A name that can never be resolved is the hold of those who cannot say 0.0.0.0 in IPv6 (RFC 6157 §4.1).
        Err(_) if connection.connection_address.to_ascii_lowercase().ends_with(".invalid") => Ok(None),
        Err(_) => Err(SdpError::Address(format!(
            "c= says {:?}, an IPv4 or IPv6 address was expected",
            connection.connection_address
        ))),
    }
}

fn remember(values: &mut Vec<String>, value: &str) {
    if values.len() < MAX_CHOICES {
        values.push(value.to_owned());
    }
}

/// `opus/48000/2`.
fn rtpmap(text: &str) -> Option<(String, u32, u8)> {
    let mut parts = text.split('/').map(str::trim);
    let (name, clock) = (parts.next()?, parts.next()?.parse().ok()?);
    let channels = parts.next().map_or(Ok(1), str::parse).ok()?;
    Some((name.to_owned(), clock, channels))
}

/// `53020` or `53020 IN IP4 126.16.64.4` (RFC 3605 §2.1).
fn rtcp(text: &str) -> Option<(u16, Option<IpAddr>)> {
    let mut parts = text.split_ascii_whitespace();
    let port = parts.next()?.parse().ok()?;
    match parts.nth(2) {
        Some(address) => Some((port, Some(address.parse::<IpAddr>().ok()?.to_canonical()))),
        None => Some((port, None)),
    }
}

/// `1 IP6 2001:db8::1 45678` (RFC 6947 §4.1).
fn altc(text: &str) -> Option<SocketAddr> {
    let mut parts = text.split_ascii_whitespace().skip(2);
    let ip: IpAddr = parts.next()?.parse().ok()?;
    let port = parts.next()?.split('/').next()?.parse().ok().filter(|port| *port != 0)?;
    Some(SocketAddr::new(ip.to_canonical(), port)).filter(|_| !ip.is_unspecified() && !ip.is_multicast())
}

fn bandwidth(lines: &[sdp_types::Bandwidth]) -> Bandwidth {
    let mut bandwidth = Bandwidth::default();
    lines.iter().for_each(|line| bandwidth.read(&line.bwtype, line.bandwidth));
    bandwidth
}

/// A duration attribute in milliseconds; RFC 8866 lets it have a fraction.
fn millis(text: &str) -> Option<u8> {
    let whole: u32 = text.split('.').next()?.parse().ok()?;
    // What is longer than anything in use bounds nothing.
    Some(whole.min(255) as u8).filter(|millis| *millis > 0)
}
