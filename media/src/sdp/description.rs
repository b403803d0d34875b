//! A remote description, read from `sdp-types`' lines into what a negotiation looks at.

use super::{Direction, SdpError, next_port};
use core::net::{IpAddr, SocketAddr};
use sdp_types::{Connection, Media, Rtcp, RtpMap, Session};

/// The longest text that is looked at; descriptions of phones are about 1 kB.
const MAX_OCTETS: usize = 64 * 1024;
/// The most `m=` lines that are looked at, and answered.
const MAX_LINES: usize = 32;
/// The most formats of one `m=` line that are looked at.
const MAX_FORMATS: usize = 64;

/// The `m=` lines in their order.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) lines: Vec<Line>,
}

/// One `m=` line and its attributes.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) media: String,
    pub(super) proto: String,
    /// The format list as it came, to be repeated in a rejection.
    pub(super) fmt: String,
    pub(super) port: u16,
    /// The address of the line or the session, with the reason when there is none of use.
    address: Result<IpAddr, SdpError>,
    pub(super) direction: Direction,
    pub(super) formats: Vec<RemoteFormat>,
    pub(super) ptime: Option<u8>,
    pub(super) max_ptime: Option<u8>,
    rtcp: Option<Rtcp>,
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
        let session = Session::parse(text).map_err(|error| SdpError::Malformed(error.to_string()))?;
        if session.medias.len() > MAX_LINES {
            return Err(SdpError::TooLong { what: "m= lines", got: session.medias.len(), most: MAX_LINES });
        }
        Ok(Self { lines: session.medias.iter().map(|media| Line::read(&session, media)).collect() })
    }
}

impl Line {
    fn read(session: &Session, media: &Media) -> Self {
        let maps: Vec<RtpMap> = media.attributes_typed::<RtpMap>().flatten().take(MAX_FORMATS).collect();
        let formats = media.fmt.split_ascii_whitespace().take(MAX_FORMATS).filter_map(|number| {
            let payload_type = number.parse().ok().filter(|n| *n < 128)?;
            let map = maps.iter().find(|map| map.payload_type == payload_type).and_then(|map| {
                let channels = map.encoding_params.as_deref().map_or(Ok(1), str::parse).ok()?;
                Some((map.encoding_name.clone(), map.clock_rate, channels))
            });
            Some(RemoteFormat { payload_type, map, fmtp: fmtp(media, number) })
        });
        Self {
            media: media.media.clone(),
            proto: media.proto.clone(),
            fmt: media.fmt.clone(),
            port: media.port,
            address: address(media.connections.first().or(session.connection.as_ref())),
            direction: direction(media.attributes.iter().map(|a| a.attribute.as_str()))
                .or_else(|| direction(session.attributes.iter().map(|a| a.attribute.as_str())))
                .unwrap_or_default(),
            formats: formats.collect(),
            ptime: millis(media, "ptime"),
            max_ptime: millis(media, "maxptime"),
            rtcp: media.get_first_attribute_typed::<Rtcp>().and_then(Result::ok),
        }
    }

    /// Whether this is audio over RTP in a form that we speak.
    pub(super) fn is_rtp_audio(&self) -> bool {
        self.media.eq_ignore_ascii_case("audio")
            && ["RTP/AVP", "RTP/AVPF"].iter().any(|proto| self.proto.eq_ignore_ascii_case(proto))
    }

    /// Where the other side takes RTP; none when nowhere: `c=0.0.0.0`, the hold of RFC 2543, or port 0.
    pub(super) fn rtp(&self) -> Result<Option<SocketAddr>, SdpError> {
        if self.port == 0 {
            return Ok(None);
        }
        let address = self.address.clone()?;
        if address.is_multicast() {
            return Err(SdpError::Address(format!("{address} is a multicast group")));
        }
        Ok(Some(SocketAddr::new(address, self.port)).filter(|_| !address.is_unspecified()))
    }

    /// Where it takes RTCP: as `a=rtcp` says (RFC 3605), or one port above RTP.
    pub(super) fn rtcp(&self) -> Option<SocketAddr> {
        let rtp = self.rtp().ok()??;
        let Some(rtcp) = &self.rtcp else { return next_port(rtp) };
        let ip = match &rtcp.connection_address {
            Some(text) => text.parse().ok()?,
            None => rtp.ip(),
        };
        Some(SocketAddr::new(ip, rtcp.port)).filter(|_| rtcp.port != 0 && !ip.is_multicast())
    }
}

fn address(connection: Option<&Connection>) -> Result<IpAddr, SdpError> {
    let connection = connection.ok_or_else(|| SdpError::Malformed("no c= line for m=audio".into()))?;
    match connection.try_address() {
        Ok(address) => Ok(address.ip),
        Err(_) => Err(SdpError::Address(format!(
            "c= says {:?}, an IPv4 or IPv6 address was expected",
            connection.connection_address
        ))),
    }
}

/// What stands behind the payload type in its `a=fmtp` line.
fn fmtp(media: &Media, number: &str) -> String {
    let lines = media.attributes.iter().filter(|a| a.attribute == "fmtp").filter_map(|a| a.value.as_deref());
    let mut parameters = lines.filter_map(|line| line.trim_start().split_once(' '));
    parameters.find(|(of, _)| *of == number).map(|(_, text)| text.to_owned()).unwrap_or_default()
}

/// The last of the direction attributes counts, if a peer writes several.
fn direction<'a>(names: impl Iterator<Item = &'a str>) -> Option<Direction> {
    names.filter_map(|name| name.parse().ok()).last()
}

/// A duration attribute in milliseconds; RFC 8866 lets it have a fraction.
fn millis(media: &Media, name: &str) -> Option<u8> {
    let text = media.get_first_attribute_value(name)??;
    let whole = text.trim().split('.').next()?;
    whole.parse().ok().filter(|millis| *millis > 0)
}
