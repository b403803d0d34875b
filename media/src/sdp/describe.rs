//! Our descriptions, written by `sdp-types`.

use super::formats::{COMFORT_NOISE, REDUNDANCY, TELEPHONE_EVENT};
use super::{Bandwidth, Direction, Format, LocalMedia, Redundancy, SideFormat, formats};
use sdp_types::{Attribute, Connection, Media, Origin, Session};

/// What our audio line is to say.
pub(super) struct AudioLine {
    pub(super) formats: Vec<Format>,
    pub(super) events: Vec<SideFormat>,
    pub(super) noise: Vec<SideFormat>,
    pub(super) redundancy: Option<Redundancy>,
    pub(super) direction: Direction,
    pub(super) crypto: Vec<String>,
    /// The value of `a=setup`, where keys come by DTLS.
    pub(super) setup: Option<&'static str>,
    pub(super) rtcp_mux: bool,
    pub(super) rtcp_reduced_size: bool,
    /// Says our address of the other family too.
    pub(super) alternative: bool,
}

impl AudioLine {
    /// The media description of a line of ours that is not refused.
    pub(super) fn media(&self, proto: &str, local: &LocalMedia) -> Media {
        let red = self.redundancy.map(|redundancy| redundancy.receive_payload_type);
        let numbers = self.formats.iter().map(|format| format.payload_type).chain(red);
        let sides = self.noise.iter().chain(&self.events).map(|side| side.payload_type);
        let fmt: Vec<String> = numbers.chain(sides).map(|number| number.to_string()).collect();
        let mut line = media("audio", local.rtp_port, proto, &fmt.join(" "));
        line.bandwidths = bandwidths(&local.bandwidth);
        line.attributes = self.format_attributes();
        let mut add = |name: &str, value: String| line.attributes.push(Attribute::with_value(name, value));
        let first = self.formats.first().filter(|_| local.ptime != 0);
        let max_ptime = Some(local.max_ptime).filter(|most| *most != 0);
        if let Some(Format { codec, fmtp, .. }) = first {
            add("ptime", formats::ptime(codec, fmtp, local.ptime, max_ptime).to_string());
        }
        if let Some(most) = max_ptime {
            add("maxptime", most.to_string());
        }
        if local.rtp_port.checked_add(1) != Some(local.rtcp_port) {
            add("rtcp", local.rtcp_port.to_string());
        }
        if !local.rtcp_xr.is_empty() {
            add("rtcp-xr", local.rtcp_xr.to_string());
        }
        let other = local.alternative.filter(|other| other.is_ipv4() != local.address.is_ipv4());
        if let Some(other) = other.filter(|_| self.alternative) {
            for (number, ip) in [(1, local.address), (2, other)] {
                let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
                add("altc", format!("{number} {family} {ip} {}", local.rtp_port));
            }
        }
        for value in &self.crypto {
            add("crypto", value.clone());
        }
        if let (Some(setup), Some(fingerprint)) = (self.setup, &local.fingerprint) {
            add("fingerprint", fingerprint.clone());
            add("setup", setup.into());
        }
        let flags = [(self.rtcp_mux, "rtcp-mux"), (self.rtcp_reduced_size, "rtcp-rsize")];
        for (_, flag) in flags.iter().filter(|(said, _)| *said) {
            line.attributes.push(Attribute::new(flag));
        }
        line.attributes.push(Attribute::new(self.direction.as_str()));
        line
    }

    fn format_attributes(&self) -> Vec<Attribute> {
        let mut attributes = Vec::new();
        let mut add = |name: &str, value: String| attributes.push(Attribute::with_value(name, value));
        for Format { payload_type, codec, fmtp } in &self.formats {
            let channels = if codec.channels == 1 { String::new() } else { format!("/{}", codec.channels) };
            add("rtpmap", format!("{payload_type} {}/{}{channels}", codec.name, codec.rtp_clock));
            if fmtp.says_something() {
                add("fmtp", format!("{payload_type} {fmtp}"));
            }
        }
        if let (Some(redundancy), Some(first)) = (self.redundancy, self.formats.first()) {
            let number = redundancy.receive_payload_type;
            add("rtpmap", format!("{number} {REDUNDANCY}/{}", first.codec.rtp_clock));
            let blocks = vec![first.payload_type.to_string(); usize::from(redundancy.generations) + 1];
            add("fmtp", format!("{number} {}", blocks.join("/")));
        }
        for SideFormat { payload_type, clock } in &self.noise {
            add("rtpmap", format!("{payload_type} {COMFORT_NOISE}/{clock}"));
        }
        for SideFormat { payload_type, clock } in &self.events {
            add("rtpmap", format!("{payload_type} {TELEPHONE_EVENT}/{clock}"));
            add("fmtp", format!("{payload_type} 0-15"));
        }
        attributes
    }
}

/// A refused line, or the start of one.
pub(super) fn media(name: &str, port: u16, proto: &str, fmt: &str) -> Media {
    Media {
        media: name.into(),
        port,
        num_ports: None,
        proto: proto.into(),
        fmt: fmt.into(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

/// The whole text.
/// The value of `o=`.
pub(super) fn origin(local: &LocalMedia, session_id: u64, version: u64) -> String {
    let family = if local.address.is_ipv4() { "IP4" } else { "IP6" };
    let user = if is_user(&local.origin_user) { &local.origin_user } else { "-" };
    format!("{user} {session_id} {version} IN {family} {}", local.address)
}

fn is_user(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| !c.is_whitespace() && !c.is_control())
}

pub(super) fn text(
    local: &LocalMedia,
    session_id: u64,
    version: u64,
    connection: Connection,
    medias: Vec<Media>,
) -> Vec<u8> {
    let mut origin = Origin::with_ip_addr(session_id, version, local.address);
    origin.username = Some(local.origin_user.clone()).filter(|name| is_user(name));
    // RFC 8866 §5.3: never empty.
    let name = if local.session_name.trim().is_empty() { "-" } else { &local.session_name };
    let session = Session { connection: Some(connection), medias, ..Session::new(origin, name) };
    let mut text = Vec::with_capacity(1024);
    // Writing to memory cannot fail.
    let _ = session.write(&mut text);
    text
}

fn bandwidths(bandwidth: &Bandwidth) -> Vec<sdp_types::Bandwidth> {
    let line =
        |(name, value): (&str, u32)| sdp_types::Bandwidth { bwtype: name.into(), bandwidth: value.into() };
    bandwidth.lines().map(line).collect()
}
