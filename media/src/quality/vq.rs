//! Voice quality reports, `application/vq-rtcpxr` (RFC 6035 §4.6): what they say, and writing them.
//!
//! The body is sent by PUBLISH or NOTIFY with the event package `vq-rtcpxr`, as a rule when the call is over.

use super::{CallQuality, MINIMUM_GAP, QualityReport};
use core::fmt;
use core::net::IpAddr;

/// One report (RFC 6035 §4.6.1). [`Display`](fmt::Display) writes it, [`FromStr`](core::str::FromStr) reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct VqReport {
    /// Why it is sent.
    pub kind: VqReportKind,
    /// The call's Call-ID.
    pub call_id: String,
    /// Who reports: a name-addr or a URI, as all of these.
    pub local_id: String,
    /// With whom the call is.
    pub remote_id: String,
    /// Who called.
    pub orig_id: String,
    /// A name for the devices on our side that are reported of together.
    pub local_group: Option<String>,
    /// The same for the other side.
    pub remote_group: Option<String>,
    /// Where our media is.
    pub local_address: Option<Endpoint>,
    /// Where the other side's is.
    pub remote_address: Option<Endpoint>,
    /// Our hardware address, as `00:11:22:33:44:55`.
    pub local_mac: Option<String>,
    /// The other side's.
    pub remote_mac: Option<String>,
    /// What we hear.
    pub local: Metrics,
    /// What the other side hears.
    pub remote: Option<Metrics>,
    /// The dialog.
    pub dialog: Option<DialogId>,
}

/// Why a report is sent (RFC 6035 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VqReportKind {
    /// A session, or a part of one with its own codec or peer, is over.
    Session {
        /// The call is over too.
        call_term: bool,
    },
    /// Some time passed.
    Interval {
        /// The call is over.
        call_term: bool,
    },
    /// A figure went over a threshold.
    Alert(Alert),
}

/// Which figure went over a threshold, and how bad that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The figure.
    pub figure: AlertType,
    /// How bad.
    pub severity: Severity,
    /// It is of what the other side hears.
    pub remote: bool,
}

/// The name of a figure, as `RLQ` or `NLR`: letters and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertType(pub(super) String);

impl AlertType {
    /// A figure's name; none if it is no token.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fine =
            !name.is_empty() && name.len() <= 32 && name.bytes().all(|octet| octet.is_ascii_alphanumeric());
        fine.then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// It is noticed.
    Warning,
    /// It is a nuisance.
    Critical,
    /// It is over.
    Clear,
}

impl Severity {
    pub(super) const ALL: [(Self, &'static str); 3] =
        [(Self::Warning, "Warning"), (Self::Critical, "Critical"), (Self::Clear, "Clear")];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "Warning",
            Self::Critical => "Critical",
            Self::Clear => "Clear",
        }
    }
}

/// Where one side's media is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub ip: IpAddr,
    /// The port of RTP, if it is said.
    pub port: Option<u16>,
    /// The source, if it is said.
    pub ssrc: Option<u32>,
}

/// Seconds since 1970, UTC. Written as RFC 3339 has it, to the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VqTime(pub u64);

/// The dialog of a call (RFC 6035 §4.6.1, `DialogID`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: String,
    /// The tag of To.
    pub to_tag: Option<String>,
    /// The tag of From.
    pub from_tag: Option<String>,
}

/// The `SessionDesc` line: what was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VqDescription {
    /// `PT`: payload type.
    pub payload_type: Option<u8>,
    /// `PD`: encoding name.
    pub name: Option<String>,
    /// `SR`: samples a second.
    pub sample_rate: Option<u32>,
    /// `FD`: milliseconds of a codec frame.
    pub frame_duration: Option<u32>,
    /// `FO`: octets of a frame.
    pub frame_octets: Option<u32>,
    /// `FPP`: frames in a packet.
    pub frames_per_packet: Option<u32>,
    /// `PPS`: packets a second.
    pub packets_per_second: Option<u32>,
    /// `FMTP`: format parameters, without the quotes.
    pub fmtp: Option<String>,
    /// `PLC`: 0 unspecified, 1 none, 2 enhanced, 3 standard (RFC 3611 §4.7.6).
    pub concealment: Option<u8>,
    /// `SSUP`: nothing is sent in pauses.
    pub silence_suppression: Option<bool>,
}

/// The figures of one side (RFC 6035 §4.6.2). What is not said is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// `START`.
    pub start: Option<VqTime>,
    /// `STOP`.
    pub stop: Option<VqTime>,
    /// What was sent.
    pub description: Option<VqDescription>,
    /// `JBA`: 0 unknown, 2 fixed, 3 adaptive (RFC 3611 §4.7.6).
    pub buffer_adaptation: Option<u8>,
    /// `JBR`: how fast it adapts, 0 to 15.
    pub buffer_rate: Option<u8>,
    /// `JBN`: milliseconds that it holds back.
    pub buffer_nominal: Option<u16>,
    /// `JBM`: milliseconds that it would hold back at most.
    pub buffer_maximum: Option<u16>,
    /// `JBX`: milliseconds that it could.
    pub buffer_absolute_maximum: Option<u16>,
    /// `NLR`: percent lost on the network.
    pub loss_rate: Option<f32>,
    /// `JDR`: percent discarded by the jitter buffer.
    pub discard_rate: Option<f32>,
    /// `BLD`: percent lost or discarded in bursts.
    pub burst_density: Option<f32>,
    /// `BD`: milliseconds of a burst.
    pub burst_duration: Option<u32>,
    /// `GLD`: percent lost or discarded in gaps.
    pub gap_density: Option<f32>,
    /// `GD`: milliseconds of a gap.
    pub gap_duration: Option<u32>,
    /// `GMIN`: packets that make a gap.
    pub minimum_gap: Option<u8>,
    /// `RTD`: milliseconds of the round trip.
    pub round_trip_delay: Option<u32>,
    /// `ESD`: milliseconds within the end system.
    pub end_system_delay: Option<u32>,
    /// `OWD`: milliseconds one way, measured.
    pub one_way_delay: Option<u32>,
    /// `SOWD`: milliseconds one way, if both ways are alike.
    pub symmetric_one_way_delay: Option<u32>,
    /// `IAJ`: milliseconds of interarrival jitter.
    pub interarrival_jitter: Option<u32>,
    /// `MAJ`: milliseconds of mean absolute jitter.
    pub mean_absolute_jitter: Option<u32>,
    /// `SL`: level of speech in dBm0.
    pub signal_level: Option<i16>,
    /// `NL`: level of noise in dBm0.
    pub noise_level: Option<i16>,
    /// `RERL`: residual echo return loss in dB.
    pub residual_echo_return_loss: Option<i16>,
    /// `RLQ`: listening R.
    pub r_lq: Option<u8>,
    /// `RCQ`: conversational R.
    pub r_cq: Option<u8>,
    /// `EXTRI`: R of a network beyond, coming in.
    pub external_r_in: Option<u8>,
    /// `EXTRO`: R of a network beyond, going out.
    pub external_r_out: Option<u8>,
    /// `MOSLQ`: listening MOS.
    pub mos_lq: Option<f32>,
    /// `MOSCQ`: conversational MOS.
    pub mos_cq: Option<f32>,
    /// `QoEEstAlg`: how R and MOS were estimated.
    pub algorithm: Option<String>,
}

impl Metrics {
    /// The figures of one end of a call.
    #[must_use]
    pub fn of(quality: &CallQuality) -> Self {
        let millis = |time: core::time::Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let short = |time| u16::try_from(millis(time)).ok();
        let packets = |count: f32| Some((quality.packet_time.as_secs_f32() * 1000.0 * count).round() as u32);
        let percent = |share: f32| Some(share * 100.0);
        let codec = quality.codec;
        let packet_time = millis(quality.packet_time).max(1);
        let description = VqDescription {
            payload_type: codec.payload_type,
            name: Some(codec.name.into()),
            sample_rate: Some(codec.sample_rate),
            packets_per_second: Some(1000 / packet_time),
            concealment: Some(3),
            ..VqDescription::default()
        };
        Self {
            description: Some(description),
            buffer_adaptation: Some(3),
            buffer_nominal: short(quality.buffer_delay),
            buffer_maximum: short(quality.buffer_maximum),
            buffer_absolute_maximum: short(quality.buffer_maximum),
            loss_rate: percent(quality.loss),
            discard_rate: percent(quality.discard),
            burst_density: percent(quality.bursts.burst_density),
            burst_duration: packets(quality.bursts.burst_packets),
            gap_density: percent(quality.bursts.gap_density),
            gap_duration: packets(quality.bursts.gap_packets),
            minimum_gap: Some(MINIMUM_GAP as u8),
            round_trip_delay: quality.round_trip.map(millis),
            end_system_delay: Some(millis(quality.end_system_delay)),
            symmetric_one_way_delay: Some(millis(quality.one_way_delay())),
            interarrival_jitter: Some(millis(quality.jitter)),
            r_lq: Some(quality.r_lq.round() as u8),
            r_cq: Some(quality.r_cq.round() as u8),
            mos_lq: Some(quality.mos_lq),
            mos_cq: Some(quality.mos_cq),
            algorithm: Some("G.107".into()),
            ..Self::default()
        }
    }
}

impl VqReport {
    /// A report of a call that is over. Who takes part has to be filled in.
    #[must_use]
    pub fn call_term(call_id: impl Into<String>, quality: &QualityReport) -> Self {
        Self {
            kind: VqReportKind::Session { call_term: true },
            call_id: call_id.into(),
            local_id: String::new(),
            remote_id: String::new(),
            orig_id: String::new(),
            local_group: None,
            remote_group: None,
            local_address: None,
            remote_address: None,
            local_mac: None,
            remote_mac: None,
            local: Metrics::of(&quality.local),
            remote: quality.remote.as_ref().map(Metrics::of),
            dialog: None,
        }
    }
}

/// Why a text is no voice quality report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VqReportError {
    /// The first line names no kind of report.
    #[error("expected VQSessionReport, VQIntervalReport or VQAlertReport, got {0:?}")]
    Kind(String),
    /// A line has no colon.
    #[error("line {line}: expected `name: value`, got {text:?}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A value is not what its name asks for.
    #[error("line {line}: {name} is {value:?}, expected {expected}")]
    Value {
        /// Counted from 1.
        line: usize,
        /// Whose value.
        name: String,
        /// What it is.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The text is longer than any report.
    #[error("a report of {got} octets, at most {most} are read")]
    TooLong {
        /// How long it is.
        got: usize,
        /// How long it may be.
        most: usize,
    },
}

/// One line of parameters: nothing is written if there are none.
struct Line<'f, 'g> {
    f: &'f mut fmt::Formatter<'g>,
    name: &'static str,
    begun: bool,
}

impl<'f, 'g> Line<'f, 'g> {
    const fn new(f: &'f mut fmt::Formatter<'g>, name: &'static str) -> Self {
        Self { f, name, begun: false }
    }

    fn put(mut self, name: &str, value: Option<impl fmt::Display>) -> Result<Self, fmt::Error> {
        if let Some(value) = value {
            if !core::mem::replace(&mut self.begun, true) {
                write!(self.f, "{}:", self.name)?;
            }
            write!(self.f, " {name}={value}")?;
        }
        Ok(self)
    }

    fn end(self) -> fmt::Result {
        if self.begun { self.f.write_str("\r\n") } else { Ok(()) }
    }
}

/// A number with one digit behind the point.
struct Tenth(f32);

impl fmt::Display for Tenth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.0)
    }
}

/// A text without line ends, which would be other lines of the report.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().filter(|c| !c.is_control()).try_for_each(|c| fmt::Write::write_char(f, c))
    }
}

impl fmt::Display for VqReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let term = |call_term: bool| if call_term { ": CallTerm" } else { "" };
        match &self.kind {
            VqReportKind::Session { call_term } => write!(f, "VQSessionReport{}\r\n", term(*call_term))?,
            VqReportKind::Interval { call_term } => write!(f, "VQIntervalReport{}\r\n", term(*call_term))?,
            VqReportKind::Alert(Alert { figure, severity, remote }) => {
                let side = if *remote { "remote" } else { "local" };
                let (figure, severity) = (figure.as_str(), severity.as_str());
                write!(f, "VQAlertReport: Type={figure} Severity={severity} Dir={side}\r\n")?;
            }
        }
        let text =
            |f: &mut fmt::Formatter<'_>, name: &str, value: &str| write!(f, "{name}: {}\r\n", OneLine(value));
        text(f, "CallID", &self.call_id)?;
        text(f, "LocalID", &self.local_id)?;
        text(f, "RemoteID", &self.remote_id)?;
        text(f, "OrigID", &self.orig_id)?;
        let optional = |f: &mut fmt::Formatter<'_>, name: &str, value: &Option<String>| match value {
            Some(value) => text(f, name, value),
            None => Ok(()),
        };
        let endpoint = |f: &mut fmt::Formatter<'_>, name: &'static str, endpoint: Option<Endpoint>| {
            let Some(Endpoint { ip, port, ssrc }) = endpoint else { return Ok(()) };
            let ssrc = ssrc.map(|ssrc| format!("{ssrc:#010x}"));
            Line::new(f, name).put("IP", Some(ip))?.put("PORT", port)?.put("SSRC", ssrc)?.end()
        };
        optional(f, "LocalGroup", &self.local_group)?;
        optional(f, "RemoteGroup", &self.remote_group)?;
        endpoint(f, "LocalAddr", self.local_address)?;
        optional(f, "LocalMAC", &self.local_mac)?;
        endpoint(f, "RemoteAddr", self.remote_address)?;
        optional(f, "RemoteMAC", &self.remote_mac)?;
        write!(f, "LocalMetrics:\r\n{}", self.local)?;
        if let Some(remote) = &self.remote {
            write!(f, "RemoteMetrics:\r\n{remote}")?;
        }
        if let Some(DialogId { call_id, to_tag, from_tag }) = &self.dialog {
            write!(f, "DialogID: {}", OneLine(call_id))?;
            for (name, tag) in [("to-tag", to_tag), ("from-tag", from_tag)] {
                if let Some(tag) = tag {
                    write!(f, ";{name}={}", OneLine(tag))?;
                }
            }
            f.write_str("\r\n")?;
        }
        Ok(())
    }
}

impl fmt::Display for Metrics {
    /// The lines of one side, each ended by CRLF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = self;
        Line::new(f, "Timestamps").put("START", m.start)?.put("STOP", m.stop)?.end()?;
        if let Some(d) = &m.description {
            Line::new(f, "SessionDesc")
                .put("PT", d.payload_type)?
                .put("PD", d.name.as_deref().map(OneLine))?
                .put("SR", d.sample_rate)?
                .put("FD", d.frame_duration)?
                .put("FO", d.frame_octets)?
                .put("FPP", d.frames_per_packet)?
                .put("PPS", d.packets_per_second)?
                .put("FMTP", d.fmtp.as_deref().map(|fmtp| format!("\"{}\"", OneLine(fmtp))))?
                .put("PLC", d.concealment)?
                .put("SSUP", d.silence_suppression.map(|on| if on { "on" } else { "off" }))?
                .end()?;
        }
        Line::new(f, "JitterBuffer")
            .put("JBA", m.buffer_adaptation)?
            .put("JBR", m.buffer_rate)?
            .put("JBN", m.buffer_nominal)?
            .put("JBM", m.buffer_maximum)?
            .put("JBX", m.buffer_absolute_maximum)?
            .end()?;
        Line::new(f, "PacketLoss")
            .put("NLR", m.loss_rate.map(Tenth))?
            .put("JDR", m.discard_rate.map(Tenth))?
            .end()?;
        Line::new(f, "BurstGapLoss")
            .put("BLD", m.burst_density.map(Tenth))?
            .put("BD", m.burst_duration)?
            .put("GLD", m.gap_density.map(Tenth))?
            .put("GD", m.gap_duration)?
            .put("GMIN", m.minimum_gap)?
            .end()?;
        Line::new(f, "Delay")
            .put("RTD", m.round_trip_delay)?
            .put("ESD", m.end_system_delay)?
            .put("OWD", m.one_way_delay)?
            .put("SOWD", m.symmetric_one_way_delay)?
            .put("IAJ", m.interarrival_jitter)?
            .put("MAJ", m.mean_absolute_jitter)?
            .end()?;
        Line::new(f, "Signal")
            .put("SL", m.signal_level)?
            .put("NL", m.noise_level)?
            .put("RERL", m.residual_echo_return_loss)?
            .end()?;
        Line::new(f, "QualityEst")
            .put("RLQ", m.r_lq)?
            .put("RCQ", m.r_cq)?
            .put("EXTRI", m.external_r_in)?
            .put("EXTRO", m.external_r_out)?
            .put("MOSLQ", m.mos_lq.map(Tenth))?
            .put("MOSCQ", m.mos_cq.map(Tenth))?
            .put("QoEEstAlg", m.algorithm.as_deref().map(OneLine))?
            .end()
    }
}

impl fmt::Display for VqTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = (self.0 / 86_400, self.0 % 86_400);
        // Days of the Gregorian calendar, counted from 1 March of the year 0 in eras of 400 years.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}
