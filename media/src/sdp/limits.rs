//! Attributes that bound or ask for something: bandwidth (RFC 8866 §5.8), extended reports (RFC 3611 §5.1).

use core::fmt;

/// The `b=` lines of a stream. What is not said is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Bandwidth {
    /// `AS`: kilobits a second, IP and UDP headers included (RFC 8866 §5.8).
    pub application_specific: Option<u32>,
    /// `TIAS`: bits a second, without IP and UDP headers (RFC 3890).
    pub transport_independent: Option<u32>,
    /// `RS`: bits a second for RTCP of those who send (RFC 3556).
    pub rtcp_senders: Option<u32>,
    /// `RR`: bits a second for RTCP of those who only receive (RFC 3556).
    pub rtcp_receivers: Option<u32>,
}

impl Bandwidth {
    /// The lines in their order: type and value.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, u32)> + use<> {
        let lines = [
            ("AS", self.application_specific),
            ("TIAS", self.transport_independent),
            ("RS", self.rtcp_senders),
            ("RR", self.rtcp_receivers),
        ];
        lines.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Takes one line; another type is passed over, and so is a value beyond 32 bits.
    pub fn read(&mut self, name: &str, value: u64) {
        let slots = [
            ("AS", &mut self.application_specific),
            ("TIAS", &mut self.transport_independent),
            ("RS", &mut self.rtcp_senders),
            ("RR", &mut self.rtcp_receivers),
        ];
        for (known, slot) in slots {
            if known.eq_ignore_ascii_case(name)
                && let Ok(value) = u32::try_from(value)
            {
                *slot = Some(value);
            }
        }
    }

    /// Its own lines, and those of `other` for what it does not say.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            application_specific: self.application_specific.or(other.application_specific),
            transport_independent: self.transport_independent.or(other.transport_independent),
            rtcp_senders: self.rtcp_senders.or(other.rtcp_senders),
            rtcp_receivers: self.rtcp_receivers.or(other.rtcp_receivers),
        }
    }
}

/// Which extended reports a side asks for: `a=rtcp-xr` (RFC 3611 §5.1).
///
/// ```
/// use sidetone_media::sdp::RtcpXr;
/// let asked = RtcpXr::parse("rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics pkt-loss-rle");
/// assert!(asked.voip_metrics && asked.summary.loss && asked.receiver_rtt.is_some());
/// assert_eq!(asked.to_string(), "rcvr-rtt=all stat-summary=loss,dup,jitt,TTL voip-metrics");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RtcpXr {
    /// `rcvr-rtt`: receiver reference times and the answers to them, so that one who only receives knows the
    /// round-trip time.
    pub receiver_rtt: Option<ReceiverRtt>,
    /// `stat-summary`: which parts of the statistics summary.
    pub summary: StatisticsSummary,
    /// `voip-metrics`: the metrics of speech.
    pub voip_metrics: bool,
}

/// Who sends receiver reference times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiverRtt {
    /// `all`: everybody.
    All,
    /// `sender`: those who send media.
    Sender,
}

/// The parts of a statistics summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatisticsSummary {
    /// Packets lost.
    pub loss: bool,
    /// Packets that came twice.
    pub duplicates: bool,
    /// Jitter.
    pub jitter: bool,
    /// Time to live (`TTL`) or hop limit (`HL`).
    pub ttl: bool,
}

impl StatisticsSummary {
    /// Every part.
    pub const ALL: Self = Self { loss: true, duplicates: true, jitter: true, ttl: true };

    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !(self.loss || self.duplicates || self.jitter || self.ttl)
    }
}

impl RtcpXr {
    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.receiver_rtt.is_none() && self.summary.is_empty() && !self.voip_metrics
    }

    /// Reads what stands behind `a=rtcp-xr:`. What is not known, and sizes, are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut asked = Self::default();
        for part in text.split_ascii_whitespace() {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name.to_ascii_lowercase().as_str() {
                "rcvr-rtt" => {
                    let who = value.split(':').next().unwrap_or_default();
                    let all = who.eq_ignore_ascii_case("all");
                    asked.receiver_rtt = Some(if all { ReceiverRtt::All } else { ReceiverRtt::Sender });
                }
                "stat-summary" => {
                    // RFC 3611 §5.1: without a list, all of them.
                    if value.is_empty() {
                        asked.summary = StatisticsSummary::ALL;
                    }
                    for flag in value.split(',') {
                        match flag.to_ascii_lowercase().as_str() {
                            "loss" => asked.summary.loss = true,
                            "dup" => asked.summary.duplicates = true,
                            "jitt" => asked.summary.jitter = true,
                            "ttl" | "hl" => asked.summary.ttl = true,
                            _ => {}
                        }
                    }
                }
                "voip-metrics" => asked.voip_metrics = true,
                _ => {}
            }
        }
        asked
    }

    /// What both have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let receiver_rtt = match (self.receiver_rtt, other.receiver_rtt) {
            (Some(ReceiverRtt::All), both) | (both, Some(ReceiverRtt::All)) => both,
            (ours, theirs) => ours.and(theirs),
        };
        Self {
            receiver_rtt,
            summary: StatisticsSummary {
                loss: self.summary.loss && other.summary.loss,
                duplicates: self.summary.duplicates && other.summary.duplicates,
                jitter: self.summary.jitter && other.summary.jitter,
                ttl: self.summary.ttl && other.summary.ttl,
            },
            voip_metrics: self.voip_metrics && other.voip_metrics,
        }
    }
}

impl fmt::Display for RtcpXr {
    /// As it stands behind `a=rtcp-xr:`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        let mut part = |f: &mut fmt::Formatter<'_>, text: &str| {
            write!(f, "{}{text}", core::mem::replace(&mut between, " "))
        };
        match self.receiver_rtt {
            Some(ReceiverRtt::All) => part(f, "rcvr-rtt=all")?,
            Some(ReceiverRtt::Sender) => part(f, "rcvr-rtt=sender")?,
            None => {}
        }
        if !self.summary.is_empty() {
            let StatisticsSummary { loss, duplicates, jitter, ttl } = self.summary;
            let flags = [(loss, "loss"), (duplicates, "dup"), (jitter, "jitt"), (ttl, "TTL")];
            let mut sign = "=";
            part(f, "stat-summary")?;
            for (_, name) in flags.iter().filter(|(said, _)| *said) {
                write!(f, "{}{name}", core::mem::replace(&mut sign, ","))?;
            }
        }
        if self.voip_metrics {
            part(f, "voip-metrics")?;
        }
        Ok(())
    }
}
