//! RTCP of a stream: ours in time, and what the other side's says.

use super::events::Events;
use super::outbox::Outbox;
use super::{Channel, StreamEvent};
use crate::quality::CallQuality;
use crate::rtcp::{
    Bandwidth, Compound, DelaySinceLast, Due, Members, ReportBlock, RtcpPacket, Schedule, SdesItem, SdesText,
    SenderInfo, Space, StatisticsSummary, VoipMetrics, Writer, XrBlock, ntp, ntp_middle,
};
use crate::rtp::{MAX_SOURCES, RemoteSource, Sender};
use crate::sdp::{Negotiated, ReceiverRtt, RtcpXr};
use core::net::SocketAddr;
use core::time::Duration;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;

/// Bits a second that IP, UDP and RTP headers add at 20 ms.
const HEADERS: u32 = 16_000;
/// Of so many reports one has all that describes us, the others the canonical name alone (RFC 3550 §6.3.9).
const DESCRIBED: u32 = 3;
/// Of so many reports one is a whole compound, where those of reduced size are agreed on (RFC 5506 §3.4.2).
const WHOLE: u32 = 4;

/// How a stream reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtcpConfig {
    /// Whether it does; on by default. What comes is read in any case.
    pub enabled: bool,
    /// The least mean time between reports; 5 s by default (RFC 3550 §6.2).
    pub interval: Duration,
    /// What describes us beside the canonical name, by the constants of [`SdesItem`]; nothing by default, for it tells
    /// everybody.
    pub items: Vec<(u8, String)>,
}

impl Default for RtcpConfig {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(5), items: Vec::new() }
    }
}

/// What a report is made from.
pub(super) struct Situation<'a> {
    pub(super) sender: &'a Sender,
    pub(super) source: Option<&'a mut RemoteSource>,
    pub(super) destination: Option<SocketAddr>,
    pub(super) quality: &'a CallQuality,
}

pub(super) struct Reporter {
    cname: String,
    config: RtcpConfig,
    rng: Rng,
    bandwidth: Bandwidth,
    clock: u32,
    reduced_size: bool,
    xr: RtcpXr,
    schedule: Option<Schedule>,
    members: Members,
    /// Reports sent.
    reports: u32,
    /// Packets we had sent at the last report, and at the one before.
    sent_before: [u64; 2],
    /// What the source had lost and sent twice at the last statistics, and the number after the last of them.
    summed: Option<(u64, u64, u16)>,
    /// Who asked last for the time of our reports (RFC 3611 §4.4): the middle bits, and when that came.
    reference: Option<(u32, u32, Instant)>,
    /// We said BYE, or wait to.
    bye: bool,
    pub(super) round_trip: Option<Duration>,
    pub(super) remote_jitter: Option<Duration>,
    pub(super) remote_lost: Option<i32>,
    /// What the other side said last of what it hears.
    pub(super) remote_block: Option<ReportBlock>,
    pub(super) remote_metrics: Option<VoipMetrics>,
}

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// No RTCP.
    No,
    Yes,
    /// It is from one with our SSRC.
    Collision,
}

impl Reporter {
    pub(super) fn new(cname: String, config: RtcpConfig, rng: Rng, negotiated: &Negotiated) -> Self {
        let mut reporter = Self {
            cname,
            config,
            rng,
            bandwidth: Bandwidth::of_session(0),
            clock: 8000,
            reduced_size: false,
            xr: RtcpXr::default(),
            schedule: None,
            members: Members::new(),
            reports: 0,
            sent_before: [0; 2],
            summed: None,
            reference: None,
            bye: false,
            round_trip: None,
            remote_jitter: None,
            remote_lost: None,
            remote_block: None,
            remote_metrics: None,
        };
        reporter.update(negotiated);
        reporter
    }

    pub(super) fn update(&mut self, negotiated: &Negotiated) {
        let said = negotiated.remote_bandwidth;
        self.bandwidth = match (said.rtcp_senders, said.rtcp_receivers) {
            (None, None) => Bandwidth::of_session(negotiated.codec.bit_rate + HEADERS),
            // RFC 3556 §2: what is not said is what it would be by itself.
            (senders, receivers) => {
                let usual = negotiated.codec.bit_rate + HEADERS;
                Bandwidth::of_modifiers(senders.unwrap_or(usual / 80), receivers.unwrap_or(usual * 3 / 80))
            }
        };
        self.clock = negotiated.codec.rtp_clock;
        self.reduced_size = negotiated.rtcp_reduced_size;
        self.xr = negotiated.rtcp_xr;
    }

    pub(super) const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The stream runs: reports begin.
    pub(super) fn start(&mut self, now: Instant) {
        if self.schedule.is_none() && !self.bye && self.config.enabled && !self.bandwidth.is_none() {
            let interval = self.config.interval;
            self.schedule = Some(Schedule::with(now, self.bandwidth, interval, &mut self.rng));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.schedule.as_ref().map(Schedule::next)
    }

    /// Whether [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.poll_timeout().is_some_and(|at| at <= now)
    }

    /// A packet of media came; `contributors` are those that a mixer made it of.
    pub(super) fn heard(&mut self, now: Instant, ssrc: u32, contributors: impl Iterator<Item = u32>) {
        self.members.heard(now, ssrc, true);
        contributors.for_each(|ssrc| self.members.heard(now, ssrc, false));
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, mut situation: Situation<'_>, outbox: &mut Outbox) {
        let Some(schedule) = self.schedule.as_mut().filter(|schedule| schedule.next() <= now) else { return };
        self.members.expire(now, schedule.mean());
        let we_sent = situation.sender.packets() > self.sent_before[0];
        let (members, senders) = (self.members.count(), self.members.senders());
        schedule.set_members(now, 1 + members, senders + u32::from(we_sent), we_sent);
        if schedule.expire(now, &mut self.rng) == Due::Report {
            let leaving = schedule.is_leaving();
            self.report(now, &mut situation, outbox, leaving.then_some(GOODBYE));
            if leaving {
                self.schedule = None;
            }
        }
    }

    /// Says BYE, at once or among many when it is our turn, and reports no more.
    pub(super) fn close(&mut self, now: Instant, mut situation: Situation<'_>, outbox: &mut Outbox) {
        if core::mem::replace(&mut self.bye, true) {
            return;
        }
        // Who has sent nothing says no BYE (RFC 3550 §6.3.7).
        let says = situation.sender.packets() > 0 && self.config.enabled && !self.bandwidth.is_none();
        let due = match &mut self.schedule {
            Some(schedule) if says => schedule.leave(now, self.cname.len() + 48, &mut self.rng),
            _ => Due::Report,
        };
        if due == Due::Report {
            if says {
                self.report(now, &mut situation, outbox, Some(GOODBYE));
            }
            self.schedule = None;
        }
    }

    /// Says BYE for an SSRC that somebody else has too (RFC 3550 §8.2).
    pub(super) fn give_up(&mut self, ssrc: u32, destination: Option<SocketAddr>, outbox: &mut Outbox) {
        let Some(destination) = destination.filter(|_| self.config.enabled && !self.bandwidth.is_none())
        else {
            return;
        };
        let cname = &self.cname;
        outbox.push(Channel::Rtcp, destination, |out| {
            let mut writer = Writer::new(out);
            writer.receiver_report(ssrc, &[]).ok()?;
            writer.source_description(ssrc, cname).ok()?;
            writer.bye(ssrc, "SSRC collision").ok()?;
            Some(writer.finish())
        });
        self.sent_before = [0; 2];
    }

    fn report(
        &mut self,
        now: Instant,
        situation: &mut Situation<'_>,
        outbox: &mut Outbox,
        bye: Option<&str>,
    ) {
        let Some(destination) = situation.destination else { return };
        let sender = situation.sender;
        let mut blocks = [ReportBlock::default(); MAX_SOURCES];
        let count = situation.source.as_mut().map_or(0, |source| source.reports(now, &mut blocks));
        let blocks = blocks.get(..count).unwrap_or_default();
        // A sender report from who sent since the report before the last (RFC 3550 §6.4).
        let sends = sender.packets() > self.sent_before[0];
        self.sent_before = [self.sent_before[1], sender.packets()];
        let info = SenderInfo {
            ntp: ntp(now),
            rtp_timestamp: sender.timestamp(),
            packets: sender.packets() as u32,
            octets: sender.octets() as u32,
        };
        let statistics = self.statistics(situation.source.as_deref_mut());
        let whole = bye.is_some() || !self.reduced_size || self.reports.is_multiple_of(WHOLE);
        let described = self.reports.is_multiple_of(DESCRIBED);
        self.reports = self.reports.wrapping_add(1);
        let ssrc = sender.ssrc();
        let mut size = 0;
        outbox.push(Channel::Rtcp, destination, |out| {
            let mut writer = Writer::new(out);
            if sends {
                writer.sender_report(ssrc, &info, blocks).ok()?;
            } else {
                writer.receiver_report(ssrc, blocks).ok()?;
            }
            if whole {
                self.describe(&mut writer, ssrc, described).ok()?;
            }
            if !self.xr.is_empty() {
                // What no longer fits is left out.
                let _ = self.extend(&mut writer, now, ssrc, sends, statistics.as_ref(), situation);
            }
            if let Some(reason) = bye {
                writer.bye(ssrc, reason).ok()?;
            }
            size = writer.finish();
            Some(size)
        });
        if let Some(schedule) = &mut self.schedule {
            schedule.passed(size);
        }
    }

    /// The canonical name, and now and then the rest that was configured.
    fn describe(&self, writer: &mut Writer<'_>, ssrc: u32, all: bool) -> Result<(), Space> {
        const MOST: usize = 8;
        let mut items: [SdesText<'_>; MOST] = [(SdesItem::CNAME, &self.cname); MOST];
        let more = self.config.items.iter().take(if all { MOST - 1 } else { 0 });
        let mut count = 1;
        for ((kind, text), place) in more.zip(items.iter_mut().skip(1)) {
            *place = (*kind, text);
            count += 1;
        }
        writer.source_descriptions(&[(ssrc, items.get(..count).unwrap_or_default())])
    }

    fn extend(
        &self,
        writer: &mut Writer<'_>,
        now: Instant,
        ssrc: u32,
        sends: bool,
        statistics: Option<&StatisticsSummary>,
        situation: &Situation<'_>,
    ) -> Result<(), Space> {
        let source = situation.source.as_ref().map(|source| source.ssrc());
        let asks = self.xr.receiver_rtt == Some(ReceiverRtt::All) && !sends;
        let answers = self.reference.filter(|_| self.xr.receiver_rtt.is_some());
        let metrics = source.filter(|_| self.xr.voip_metrics);
        if !(asks || answers.is_some() || statistics.is_some() || metrics.is_some()) {
            return Ok(());
        }
        let mut report = writer.extended_report(ssrc)?;
        if asks {
            report.receiver_reference_time(ntp(now))?;
        }
        if let Some((ssrc, middle, at)) = answers {
            report.delay_since_last(&DelaySinceLast {
                ssrc,
                last_receiver_report: middle,
                // In 1/65536 of a second.
                delay_since_last_receiver_report: ((now - at).as_micros() * 65_536 / 1_000_000) as u32,
            })?;
        }
        if let Some(statistics) = statistics {
            report.statistics(statistics)?;
        }
        if let Some(heard) = metrics {
            report.voip_metrics(&situation.quality.voip_metrics(heard))?;
        }
        Ok(())
    }

    /// Statistics since the last report.
    fn statistics(&mut self, source: Option<&mut RemoteSource>) -> Option<StatisticsSummary> {
        let wanted = self.xr.summary;
        let source = source.filter(|_| !wanted.is_empty())?;
        let (lost, duplicates, end) = (source.lost(), source.duplicates(), source.highest().wrapping_add(1));
        let spread = source.take_jitter_spread();
        let (lost_before, duplicates_before, begin) = self.summed.replace((lost, duplicates, end))?;
        let since = |now: u64, before: u64| u32::try_from(now.saturating_sub(before)).ok();
        Some(StatisticsSummary {
            ssrc: source.ssrc(),
            begin,
            end,
            lost: since(lost, lost_before).filter(|_| wanted.loss),
            duplicates: since(duplicates, duplicates_before).filter(|_| wanted.duplicates),
            jitter: spread.filter(|_| wanted.jitter),
            // No socket tells us of it.
            hops: None,
        })
    }

    /// Takes a datagram from a source that is trusted.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        datagram: &[u8],
        ours: u32,
        mut source: Option<&mut RemoteSource>,
        events: &mut Events,
    ) -> Taken {
        // RFC 5506 §3.4.1: one who is sent a packet of reduced size can read it, agreed or not.
        let Ok(compound) = Compound::parse_reduced(datagram) else { return Taken::No };
        if let Some(schedule) = &mut self.schedule {
            schedule.passed(datagram.len());
        }
        let mut taken = Taken::Yes;
        for packet in compound.packets() {
            match packet {
                RtcpPacket::SenderReport { ssrc, .. } | RtcpPacket::ReceiverReport { ssrc, .. }
                    if ssrc == ours =>
                {
                    // Ours came back, or another has the same: what it says of itself is not to be taken.
                    return Taken::Collision;
                }
                RtcpPacket::SenderReport { ssrc, info, blocks } => {
                    self.members.heard(now, ssrc, false);
                    if let Some(source) = &mut source {
                        source.reported(now, ssrc, &info);
                    }
                    blocks.filter(|block| block.ssrc == ours).for_each(|block| self.told(now, &block));
                }
                RtcpPacket::ReceiverReport { ssrc, blocks } => {
                    self.members.heard(now, ssrc, false);
                    blocks.filter(|block| block.ssrc == ours).for_each(|block| self.told(now, &block));
                }
                RtcpPacket::Bye(bye) => {
                    let mut heard_left = bye.sources().next().is_none();
                    for ssrc in bye.sources() {
                        if ssrc == ours {
                            taken = Taken::Collision;
                            continue;
                        }
                        self.members.left(ssrc);
                        heard_left |= source.as_mut().is_none_or(|source| source.left(ssrc));
                    }
                    if let Some(schedule) = &mut self.schedule {
                        schedule.other_leaves(datagram.len());
                    }
                    // Of a source that is no longer heard, it says nothing about the call.
                    if heard_left && !self.bye {
                        events.push(StreamEvent::Bye);
                    }
                }
                RtcpPacket::ExtendedReport { ssrc, blocks } => {
                    self.members.heard(now, ssrc, false);
                    blocks.for_each(|block| self.extended(now, ssrc, ours, block));
                }
                _ => {}
            }
        }
        taken
    }

    fn extended(&mut self, now: Instant, from: u32, ours: u32, block: XrBlock<'_>) {
        match block {
            XrBlock::ReceiverReferenceTime { ntp } => self.reference = Some((from, ntp_middle(ntp), now)),
            XrBlock::DelaySinceLast(entries) => {
                for entry in entries.filter(|entry| entry.ssrc == ours) {
                    self.measure(now, entry.last_receiver_report, entry.delay_since_last_receiver_report);
                }
            }
            XrBlock::VoipMetrics(metrics) if metrics.ssrc == ours => self.remote_metrics = Some(metrics),
            _ => {}
        }
    }

    /// What the other side says of what it gets from us.
    fn told(&mut self, now: Instant, block: &ReportBlock) {
        self.remote_block = Some(*block);
        self.remote_lost = Some(block.cumulative_lost);
        let micros = u64::from(block.jitter) * 1_000_000 / u64::from(self.clock.max(1));
        self.remote_jitter = Some(Duration::from_micros(micros));
        self.measure(now, block.last_sender_report, block.delay_since_last_sender_report);
    }

    /// The round trip, from what came back of our clock and how long it stayed there.
    fn measure(&mut self, now: Instant, middle: u32, delay: u32) {
        if middle != 0 {
            let trip = ntp_middle(ntp(now)).wrapping_sub(middle).wrapping_sub(delay);
            // More than half the range is a number below zero: the clocks' rounding, or a lie.
            if trip <= u32::MAX / 2 {
                self.round_trip = Some(Duration::from_micros(u64::from(trip) * 1_000_000 / 65_536));
            }
        }
    }
}

/// Why we leave.
const GOODBYE: &str = "call ended";
