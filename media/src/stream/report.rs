//! RTCP of a stream: ours in time, and what the other side's says.

use super::events::Events;
use super::outbox::Outbox;
use super::{Channel, StreamEvent};
use crate::rtcp::{Compound, Due, ReportBlock, RtcpPacket, Schedule, SenderInfo, Writer, ntp, ntp_middle};
use crate::rtp::{RemoteSource, Sender};
use core::net::SocketAddr;
use core::time::Duration;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;

/// Bits a second that IP, UDP and RTP headers add at 20 ms.
const HEADERS: u32 = 16_000;

pub(super) struct Reporter {
    cname: String,
    rng: Rng,
    bandwidth: u32,
    clock: u32,
    schedule: Option<Schedule>,
    /// Packets we had sent at the last report, and at the one before.
    sent_before: [u64; 2],
    /// The other side said BYE, or we did.
    bye: bool,
    pub(super) round_trip: Option<Duration>,
    pub(super) remote_jitter: Option<Duration>,
    pub(super) remote_lost: Option<i32>,
}

impl Reporter {
    pub(super) fn new(cname: String, rng: Rng, bit_rate: u32, clock: u32) -> Self {
        Self {
            cname,
            rng,
            bandwidth: bit_rate + HEADERS,
            clock,
            schedule: None,
            sent_before: [0; 2],
            bye: false,
            round_trip: None,
            remote_jitter: None,
            remote_lost: None,
        }
    }

    pub(super) const fn set_clock(&mut self, clock: u32) {
        self.clock = clock;
    }

    pub(super) const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The stream runs: reports begin.
    pub(super) fn start(&mut self, now: Instant) {
        if self.schedule.is_none() && !self.bye {
            self.schedule = Some(Schedule::new(now, self.bandwidth, &mut self.rng));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.schedule.as_ref().map(Schedule::next)
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        sender: &Sender,
        source: Option<&mut RemoteSource>,
        destination: Option<SocketAddr>,
        outbox: &mut Outbox,
    ) {
        let Some(schedule) = self.schedule.as_mut().filter(|schedule| schedule.next() <= now) else { return };
        let heard = u32::from(source.is_some());
        let we_sent = sender.packets() > self.sent_before[0];
        schedule.set_members(now, 1 + heard, heard + u32::from(we_sent), we_sent);
        if schedule.expire(now, &mut self.rng) == Due::Report
            && let Some(destination) = destination
        {
            self.report(now, sender, source, destination, outbox, None);
        }
    }

    /// Says BYE, and reports no more.
    pub(super) fn close(
        &mut self,
        now: Instant,
        sender: &Sender,
        source: Option<&mut RemoteSource>,
        destination: Option<SocketAddr>,
        outbox: &mut Outbox,
    ) {
        // Who has sent nothing says no BYE (RFC 3550 §6.3.7).
        if let Some(destination) = destination.filter(|_| sender.packets() > 0 && !self.bye) {
            self.report(now, sender, source, destination, outbox, Some("call ended"));
        }
        self.bye = true;
        self.schedule = None;
    }

    fn report(
        &mut self,
        now: Instant,
        sender: &Sender,
        source: Option<&mut RemoteSource>,
        destination: SocketAddr,
        outbox: &mut Outbox,
        bye: Option<&str>,
    ) {
        let block: Option<ReportBlock> = source.map(|source| source.report(now));
        let blocks = block.as_slice();
        // A sender report from who sent since the report before the last (RFC 3550 §6.4).
        let sends = sender.packets() > self.sent_before[0];
        self.sent_before = [self.sent_before[1], sender.packets()];
        let info = SenderInfo {
            ntp: ntp(now),
            rtp_timestamp: sender.timestamp(),
            packets: sender.packets() as u32,
            octets: sender.octets() as u32,
        };
        let (ssrc, cname) = (sender.ssrc(), &self.cname);
        let mut size = 0;
        outbox.push(Channel::Rtcp, destination, |out| {
            let mut writer = Writer::new(out);
            if sends {
                writer.sender_report(ssrc, &info, blocks).ok()?;
            } else {
                writer.receiver_report(ssrc, blocks).ok()?;
            }
            writer.source_description(ssrc, cname).ok()?;
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

    /// Takes a datagram from a source that is trusted; false if it is no RTCP.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        datagram: &[u8],
        ours: u32,
        mut source: Option<&mut RemoteSource>,
        events: &mut Events,
    ) -> bool {
        let Ok(compound) = Compound::parse(datagram) else { return false };
        if let Some(schedule) = &mut self.schedule {
            schedule.passed(datagram.len());
        }
        let remote = source.as_ref().map(|source| source.ssrc());
        for packet in compound.packets() {
            match packet {
                RtcpPacket::SenderReport { ssrc, info, blocks } => {
                    if let Some(source) = source.as_mut().filter(|source| source.ssrc() == ssrc) {
                        source.reported(now, &info);
                    }
                    blocks.filter(|block| block.ssrc == ours).for_each(|block| self.told(now, &block));
                }
                RtcpPacket::ReceiverReport { blocks, .. } => {
                    blocks.filter(|block| block.ssrc == ours).for_each(|block| self.told(now, &block));
                }
                RtcpPacket::Bye { ssrc } => {
                    // Of a source that is no longer heard, it says nothing about the call.
                    if !self.bye && (remote.is_none() || ssrc == remote) {
                        events.push(StreamEvent::Bye);
                    }
                }
                RtcpPacket::SourceDescription(_) => {}
            }
        }
        true
    }

    /// What the other side says of what it gets from us.
    fn told(&mut self, now: Instant, block: &ReportBlock) {
        self.remote_lost = Some(block.cumulative_lost);
        let micros = u64::from(block.jitter) * 1_000_000 / u64::from(self.clock.max(1));
        self.remote_jitter = Some(Duration::from_micros(micros));
        if block.last_sender_report != 0 {
            let trip = ntp_middle(ntp(now))
                .wrapping_sub(block.last_sender_report)
                .wrapping_sub(block.delay_since_last_sender_report);
            // More than half the range is a number below zero: the clocks' rounding, or a lie.
            if trip <= u32::MAX / 2 {
                self.round_trip = Some(Duration::from_micros(u64::from(trip) * 1_000_000 / 65_536));
            }
        }
    }
}
