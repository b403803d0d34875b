//! Reading voice quality reports (RFC 6035 §4.6.1), from peers that keep to the grammar more or less.

use super::vq::{
    Alert, AlertType, DialogId, Endpoint, Metrics, Severity, VqDescription, VqReport, VqReportError,
    VqReportKind, VqTime,
};
use core::str::FromStr;

/// The most octets of a report that is read.
const MOST: usize = 16_384;

/// Which side's lines follow.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    Session,
    Local,
    Remote,
}

impl FromStr for VqReport {
    type Err = VqReportError;

    /// Reads a report: folded lines, blanks and unknown lines are taken as §4.6.1 lets them be.
    fn from_str(text: &str) -> Result<Self, VqReportError> {
        if text.len() > MOST {
            return Err(VqReportError::TooLong { got: text.len(), most: MOST });
        }
        let mut lines = unfold(text).into_iter();
        let (_, first) = lines.next().unwrap_or_default();
        let mut report = Self {
            kind: kind(&first)?,
            call_id: String::new(),
            local_id: String::new(),
            remote_id: String::new(),
            orig_id: String::new(),
            local_group: None,
            remote_group: None,
            local_address: None,
            remote_address: None,
            local_mac: None,
            remote_mac: None,
            local: Metrics::default(),
            remote: None,
            dialog: None,
        };
        let mut section = Section::Session;
        for (line, text) in lines {
            let Some((name, value)) = text.split_once(':') else {
                return Err(VqReportError::Line { line, text });
            };
            let (name, value) = (name.trim(), value.trim());
            match name {
                "LocalMetrics" => section = Section::Local,
                "RemoteMetrics" => {
                    section = Section::Remote;
                    report.remote = Some(Metrics::default());
                }
                "CallID" => report.call_id = value.into(),
                "LocalID" => report.local_id = value.into(),
                "RemoteID" => report.remote_id = value.into(),
                "OrigID" => report.orig_id = value.into(),
                "LocalGroup" => report.local_group = Some(value.into()),
                "RemoteGroup" => report.remote_group = Some(value.into()),
                "LocalAddr" => report.local_address = endpoint(line, value)?,
                "RemoteAddr" => report.remote_address = endpoint(line, value)?,
                "LocalMAC" => report.local_mac = Some(value.into()),
                "RemoteMAC" => report.remote_mac = Some(value.into()),
                "DialogID" => report.dialog = Some(dialog(value)),
                _ => match (section, &mut report.remote) {
                    (Section::Remote, Some(remote)) => metrics(remote, line, name, value)?,
                    _ => metrics(&mut report.local, line, name, value)?,
                },
            }
        }
        Ok(report)
    }
}

/// The lines with their numbers, folded ones joined, empty ones left out.
fn unfold(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) => {
                // A list of parameters after `;` goes on without a blank.
                if !before.ends_with(';') {
                    before.push(' ');
                }
                before.push_str(line.trim());
            }
            _ if line.trim().is_empty() => {}
            _ => lines.push((number + 1, line.trim().to_owned())),
        }
    }
    lines
}

fn kind(line: &str) -> Result<VqReportKind, VqReportError> {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    let call_term = value.trim().eq_ignore_ascii_case("CallTerm");
    match name.trim() {
        "VQSessionReport" => Ok(VqReportKind::Session { call_term }),
        "VQIntervalReport" => Ok(VqReportKind::Interval { call_term }),
        "VQAlertReport" => {
            let bad = |name: &str, value: &str, expected| VqReportError::Value {
                line: 1,
                name: name.into(),
                value: value.into(),
                expected,
            };
            let mut alert = (None, None, false);
            for (name, value) in parameters(value) {
                match name {
                    "Type" => {
                        alert.0 =
                            Some(AlertType::new(value).ok_or_else(|| bad(name, value, "a figure's name"))?);
                    }
                    "Severity" => {
                        let known = Severity::ALL.iter().find(|(_, text)| text.eq_ignore_ascii_case(value));
                        let known = known.ok_or_else(|| bad(name, value, "Warning, Critical or Clear"))?;
                        alert.1 = Some(known.0);
                    }
                    "Dir" => alert.2 = value.eq_ignore_ascii_case("remote"),
                    _ => {}
                }
            }
            match alert {
                (Some(figure), Some(severity), remote) => {
                    Ok(VqReportKind::Alert(Alert { figure, severity, remote }))
                }
                _ => Err(bad("VQAlertReport", value.trim(), "Type and Severity")),
            }
        }
        _ => Err(VqReportError::Kind(line.chars().take(80).collect())),
    }
}

/// `name=value` between blanks; a value may stand in quotes.
fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text.trim_start();
    core::iter::from_fn(move || {
        loop {
            let (name, after) = rest.split_once('=')?;
            // What has no value is passed over.
            let name = name.split_ascii_whitespace().next_back()?;
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => {
                    after.split_once(|c: char| c.is_ascii_whitespace() || c == ';').unwrap_or((after, ""))
                }
            };
            rest = after.trim_start();
            if !name.is_empty() {
                return Some((name, value));
            }
        }
    })
}

fn endpoint(line: usize, text: &str) -> Result<Option<Endpoint>, VqReportError> {
    let mut found = (None, None, None);
    for (name, value) in parameters(text) {
        let field = Field { line, name, value };
        match name {
            "IP" => {
                let bare = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap_or(value);
                found.0 = Some(Field { value: bare, ..field }.parse("an address")?);
            }
            "PORT" => found.1 = Some(field.parse("a port")?),
            "SSRC" => {
                // The RFC's own example has one without the prefix.
                let digits = value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")).unwrap_or(value);
                found.2 =
                    Some(u32::from_str_radix(digits, 16).map_err(|_| field.wrong("0x and eight digits"))?);
            }
            _ => {}
        }
    }
    Ok(found.0.map(|ip| Endpoint { ip, port: found.1, ssrc: found.2 }))
}

fn dialog(text: &str) -> DialogId {
    let mut parts = text.split(';').map(str::trim);
    let mut id = DialogId { call_id: parts.next().unwrap_or_default().into(), to_tag: None, from_tag: None };
    for part in parts {
        match part.split_once('=') {
            Some(("to-tag", tag)) => id.to_tag = Some(tag.into()),
            Some(("from-tag", tag)) => id.from_tag = Some(tag.into()),
            _ => {}
        }
    }
    id
}

/// A parameter, and where it stands.
#[derive(Clone, Copy)]
struct Field<'a> {
    line: usize,
    name: &'a str,
    value: &'a str,
}

impl Field<'_> {
    fn parse<T: FromStr>(self, expected: &'static str) -> Result<T, VqReportError> {
        self.value.parse().map_err(|_| self.wrong(expected))
    }

    /// A whole number; a fraction is rounded, for some write one.
    fn number<T: TryFrom<i64>>(self, expected: &'static str) -> Result<Option<T>, VqReportError> {
        let value: f64 = self.parse(expected)?;
        let value =
            Some(value.round()).filter(|value| value.abs() < 1e12).ok_or_else(|| self.wrong(expected))?;
        T::try_from(value as i64).map(Some).map_err(|_| self.wrong(expected))
    }

    fn decimal(
        self,
        range: core::ops::RangeInclusive<f32>,
        expected: &'static str,
    ) -> Result<Option<f32>, VqReportError> {
        let value: f32 = self.parse(expected)?;
        if range.contains(&value) { Ok(Some(value)) } else { Err(self.wrong(expected)) }
    }

    fn wrong(self, expected: &'static str) -> VqReportError {
        let short = |text: &str| text.chars().take(80).collect();
        VqReportError::Value { line: self.line, name: short(self.name), value: short(self.value), expected }
    }
}

fn metrics(m: &mut Metrics, line: usize, group: &str, text: &str) -> Result<(), VqReportError> {
    const MILLIS: &str = "milliseconds";
    const PERCENT: &str = "0 to 100";
    const SCORE: &str = "1 to 5";
    const RATING: &str = "0 to 120";
    const LEVEL: &str = "decibels";
    for (name, value) in parameters(text) {
        let field = Field { line, name, value };
        let percent = || field.decimal(0.0..=100.0, PERCENT);
        let score = || field.decimal(0.0..=5.0, SCORE);
        match (group, name) {
            ("Timestamps", "START") => m.start = Some(field.parse("a date and time")?),
            ("Timestamps", "STOP") => m.stop = Some(field.parse("a date and time")?),
            ("SessionDesc", _) => description(m.description.get_or_insert_default(), field)?,
            ("JitterBuffer", "JBA") => m.buffer_adaptation = field.number("0 to 3")?,
            ("JitterBuffer", "JBR") => m.buffer_rate = field.number("0 to 15")?,
            ("JitterBuffer", "JBN") => m.buffer_nominal = field.number(MILLIS)?,
            ("JitterBuffer", "JBM") => m.buffer_maximum = field.number(MILLIS)?,
            ("JitterBuffer", "JBX") => m.buffer_absolute_maximum = field.number(MILLIS)?,
            ("PacketLoss", "NLR") => m.loss_rate = percent()?,
            ("PacketLoss", "JDR") => m.discard_rate = percent()?,
            ("BurstGapLoss", "BLD") => m.burst_density = percent()?,
            ("BurstGapLoss", "BD") => m.burst_duration = field.number(MILLIS)?,
            ("BurstGapLoss", "GLD") => m.gap_density = percent()?,
            ("BurstGapLoss", "GD") => m.gap_duration = field.number(MILLIS)?,
            ("BurstGapLoss", "GMIN") => m.minimum_gap = field.number("1 to 127")?,
            ("Delay", "RTD") => m.round_trip_delay = field.number(MILLIS)?,
            ("Delay", "ESD") => m.end_system_delay = field.number(MILLIS)?,
            ("Delay", "OWD") => m.one_way_delay = field.number(MILLIS)?,
            ("Delay", "SOWD") => m.symmetric_one_way_delay = field.number(MILLIS)?,
            ("Delay", "IAJ") => m.interarrival_jitter = field.number(MILLIS)?,
            ("Delay", "MAJ") => m.mean_absolute_jitter = field.number(MILLIS)?,
            ("Signal", "SL") => m.signal_level = field.number(LEVEL)?,
            ("Signal", "NL") => m.noise_level = field.number(LEVEL)?,
            ("Signal", "RERL") => m.residual_echo_return_loss = field.number(LEVEL)?,
            ("QualityEst", "RLQ") => m.r_lq = field.number(RATING)?,
            ("QualityEst", "RCQ") => m.r_cq = field.number(RATING)?,
            ("QualityEst", "EXTRI") => m.external_r_in = field.number(RATING)?,
            ("QualityEst", "EXTRO") => m.external_r_out = field.number(RATING)?,
            ("QualityEst", "MOSLQ") => m.mos_lq = score()?,
            ("QualityEst", "MOSCQ") => m.mos_cq = score()?,
            ("QualityEst", "QoEEstAlg") => m.algorithm = Some(value.into()),
            _ => {}
        }
    }
    Ok(())
}

fn description(d: &mut VqDescription, field: Field<'_>) -> Result<(), VqReportError> {
    match field.name {
        "PT" => d.payload_type = field.number("0 to 127")?,
        "PD" => d.name = Some(field.value.into()),
        "SR" => d.sample_rate = field.number("hertz")?,
        "FD" => d.frame_duration = field.number("milliseconds")?,
        "FO" => d.frame_octets = field.number("octets")?,
        "FPP" => d.frames_per_packet = field.number("a number of frames")?,
        "PPS" => d.packets_per_second = field.number("a number of packets")?,
        "FMTP" => d.fmtp = Some(field.value.into()),
        "PLC" => d.concealment = field.number("0 to 3")?,
        "SSUP" => {
            d.silence_suppression = match field.value {
                "on" => Some(true),
                "off" => Some(false),
                _ => return Err(field.wrong("on or off")),
            };
        }
        _ => {}
    }
    Ok(())
}

impl FromStr for VqTime {
    type Err = ();

    /// Reads RFC 3339: a fraction of a second is dropped, an offset is taken off.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (date, time) = text.split_once(['T', 't']).ok_or(())?;
        let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
        let mut next = || date.next().flatten().ok_or(());
        let (year, month, day) = (next()?, next()?, next()?);
        let end = time.find(['Z', 'z', '+', '-']).ok_or(())?;
        let (clock, zone) = time.split_at_checked(end).ok_or(())?;
        let clock = clock.split_once('.').map_or(clock, |(clock, _)| clock);
        let mut clock = clock.splitn(3, ':').map(|part| part.parse::<u64>().ok());
        let mut next = || clock.next().flatten().ok_or(());
        let (hour, minute, second) = (next()?, next()?, next()?);
        let fine = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        if !fine {
            return Err(());
        }
        // As the writer counts: years from March.
        let (year, from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1;
        let seconds = days.checked_sub(719_468).ok_or(())? * 86_400 + hour * 3600 + minute * 60 + second;
        let offset = match zone {
            "Z" | "z" => 0,
            _ => {
                let (hours, minutes) = zone.get(1..).and_then(|zone| zone.split_once(':')).ok_or(())?;
                let (hours, minutes) = (hours.parse::<i64>(), minutes.parse::<i64>());
                let offset = hours.map_err(drop)?.min(24) * 3600 + minutes.map_err(drop)?.min(60) * 60;
                if zone.starts_with('-') { -offset } else { offset }
            }
        };
        seconds.checked_add_signed(-offset).map(Self).ok_or(())
    }
}
