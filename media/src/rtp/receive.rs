//! The sources that send to one port: their numbers, losses and jitter, which of them is heard, and what we report.

use super::loss::LossWindow;
use super::{Arrival, JitterMeter, JitterSpread, Packet, SequenceTracker};
use crate::quality::BurstMeter;
use crate::rtcp::{ReportBlock, SenderInfo, ntp_middle};
use sidetone_hal::time::{Duration, Instant};

/// The most sources that are known at a time; of those that are not heard, the one that was silent longest goes.
pub const MAX_SOURCES: usize = 8;
/// In a row before a source that is not heard is believed (RFC 3550 §A.1: MIN_SEQUENTIAL).
const PROBATION: u8 = 1;
/// Silence of the source that is heard, after which another takes its place.
const SILENCE: Duration = Duration::from_millis(100);

/// Packets of the one that is heard during which another may take its place, after something was agreed on anew.
const CHANGING: u8 = 100;

/// Whom we hear, and who else sends to us.
///
/// The first source is heard. Another takes its place when two of its packets came in a row, and the one that is heard
/// sent none in between and said BYE, or was silent for 100 ms, or may change ([`expect_change`](Self::expect_change)).
#[derive(Clone, Debug)]
pub struct RemoteSource {
    /// The first is heard.
    sources: Vec<Source>,
    /// For so many more packets of the one that is heard a change is no surprise.
    changing: u8,
    window: LossWindow,
    before: Totals,
}

/// One SSRC.
#[derive(Clone, Debug)]
struct Source {
    ssrc: u32,
    sequence: SequenceTracker,
    jitter: JitterMeter,
    heard: Instant,
    /// Something came since our last report.
    active: bool,
    left: bool,
    /// The middle bits of its sender report, and when that came.
    sender_report: Option<(u32, Instant)>,
}

/// Counters of the sources that were heard before.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    lost: u64,
    received: u64,
    duplicates: u64,
}

/// What a packet of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// To be used; the sequence number counted on beyond 16 bits.
    Valid(u64),
    /// To be used, and the first of a new source or a new count: nothing before belongs to it.
    Begins(u64),
    /// Not to be used: it came before, or is far from all before.
    Ignored,
    /// Not to be used: it is of another source than the one that is heard.
    Other,
}

impl Source {
    fn new(now: Instant, packet: &Packet<'_>, clock: u32, probation: u8) -> Self {
        Self {
            ssrc: packet.ssrc,
            sequence: SequenceTracker::new(packet.sequence, probation),
            jitter: JitterMeter::new(clock),
            heard: now,
            active: false,
            left: false,
            sender_report: None,
        }
    }

    fn report(&mut self, now: Instant) -> ReportBlock {
        self.active = false;
        let (last_sender_report, delay) = match self.sender_report {
            // In 1/65536 of a second.
            Some((middle, at)) => (middle, ((now - at).as_micros() * 65_536 / 1_000_000) as u32),
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: self.sequence.fraction_lost(),
            cumulative_lost: self.sequence.lost().min(0x7f_ffff) as i32,
            highest_sequence: self.sequence.highest(),
            jitter: self.jitter.ticks(),
            last_sender_report,
            delay_since_last_sender_report: delay,
        }
    }
}

impl RemoteSource {
    /// The source of a first packet, which is trusted, with timestamps of `clock` ticks a second.
    #[must_use]
    pub fn new(packet: &Packet<'_>, clock: u32) -> Self {
        let mut sources = Vec::with_capacity(MAX_SOURCES);
        sources.push(Source::new(Instant::ZERO, packet, clock, 0));
        Self { sources, changing: 0, window: LossWindow::new(), before: Totals::default() }
    }

    /// Takes a packet.
    pub fn receive(&mut self, now: Instant, packet: &Packet<'_>) -> Received {
        let index = self.index_of(now, packet);
        let changing = self.changing > 0;
        let Some((heard, others)) = self.sources.split_first_mut() else { return Received::Ignored };
        let Some(other) = index.checked_sub(1) else {
            let before = Totals::of(heard);
            (heard.heard, heard.active, heard.left) = (now, true, false);
            self.changing = self.changing.saturating_sub(1);
            others.iter_mut().for_each(|other| other.sequence.break_row());
            return match heard.sequence.receive(packet.sequence) {
                Arrival::Valid(sequence) => {
                    self.window.receive(sequence);
                    Received::Valid(sequence)
                }
                Arrival::Restart(sequence) => {
                    heard.jitter.restart();
                    self.before.add(before);
                    self.window.restart();
                    self.window.receive(sequence);
                    Received::Begins(sequence)
                }
                Arrival::Duplicate | Arrival::Probation | Arrival::Jump => Received::Ignored,
            };
        };
        let Some(source) = others.get_mut(other) else { return Received::Ignored };
        (source.heard, source.active, source.left) = (now, true, false);
        let arrival = source.sequence.receive(packet.sequence);
        let valid = matches!(arrival, Arrival::Valid(_) | Arrival::Restart(_)) && source.sequence.is_in_row();
        if !valid || !(heard.left || changing || now - heard.heard >= SILENCE) {
            return Received::Other;
        }
        self.before.add(Totals::of(heard));
        // What it sent before it was heard was not for us.
        source.sequence = SequenceTracker::new(packet.sequence, 0);
        source.sequence.receive(packet.sequence);
        let first = source.sequence.extended();
        source.jitter.restart();
        self.changing = 0;
        self.sources.swap(0, index);
        self.window.restart();
        self.window.receive(first);
        Received::Begins(first)
    }

    /// The place of the packet's source, which is made if there is none.
    fn index_of(&mut self, now: Instant, packet: &Packet<'_>) -> usize {
        if let Some(index) = self.sources.iter().position(|source| source.ssrc == packet.ssrc) {
            return index;
        }
        let clock = self.sources.first().map_or(8000, |source| source.jitter.clock());
        let new = Source::new(now, packet, clock, PROBATION);
        if self.sources.len() < MAX_SOURCES {
            self.sources.push(new);
            return self.sources.len() - 1;
        }
        let others = self.sources.iter_mut().enumerate().skip(1);
        let Some((index, place)) = others.min_by_key(|(_, source)| source.heard) else { return 0 };
        *place = new;
        index
    }

    /// The source may change: something was agreed on anew, or packets come from another address. The next source that
    /// sends two packets in a row is heard at once; this holds for 100 packets of the one that is heard.
    pub const fn expect_change(&mut self) {
        self.changing = CHANGING;
    }

    /// A source said BYE; whether it is the one that is heard.
    pub fn left(&mut self, ssrc: u32) -> bool {
        let index = self.sources.iter().position(|source| source.ssrc == ssrc);
        if let Some(source) = index.and_then(|index| self.sources.get_mut(index)) {
            source.left = true;
        }
        index == Some(0)
    }

    /// Takes the arrival of a packet of speech, for the jitter; events do not count, their timestamps stand still.
    pub fn measure(&mut self, now: Instant, timestamp: u32) {
        if let Some(source) = self.sources.first_mut() {
            source.jitter.receive(now, timestamp);
        }
    }

    /// Timestamps have `clock` ticks a second from now on.
    pub fn set_clock(&mut self, clock: u32) {
        if let Some(source) = self.sources.first_mut() {
            source.jitter.set_clock(clock);
        }
    }

    /// So many packets that came could not be used: they were too late, or more than the jitter buffer holds. Which of
    /// the last ones they were is not known; the newest count.
    pub fn discarded(&mut self, count: u64) {
        (0..count).for_each(|_| self.window.discard_newest());
    }

    /// A packet that was lost was made good by redundancy: for [`BurstMeter`] it is not lost (RFC 3611 §4.7.1).
    pub fn recovered(&mut self, sequence: u64) {
        self.window.receive(sequence);
    }

    /// Takes a sender report, to be echoed in ours.
    pub fn reported(&mut self, now: Instant, ssrc: u32, info: &SenderInfo) {
        if let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == ssrc) {
            source.sender_report = Some((ntp_middle(info.ntp), now));
        }
    }

    /// Who is heard.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.sources.first().map_or(0, |source| source.ssrc)
    }

    /// How many sources are known.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.sources.len()
    }

    /// How unevenly the packets of the source that is heard come, in time.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        self.sources.first().map_or(Duration::ZERO, |source| source.jitter.duration())
    }

    /// The jitter of single packets since the last call, in ticks.
    pub fn take_jitter_spread(&mut self) -> Option<JitterSpread> {
        self.sources.first_mut().and_then(|source| source.jitter.take_spread())
    }

    /// The highest sequence number of the source that is heard, without its cycles.
    #[must_use]
    pub fn highest(&self) -> u16 {
        self.sources.first().map_or(0, |source| source.sequence.highest() as u16)
    }

    /// Packets received of those that were and are heard.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.totals().received
    }

    /// Packets lost of those that were and are heard.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.totals().lost
    }

    /// Packets that came twice, of those that were and are heard.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.totals().duplicates
    }

    /// How the losses and discards of all that was heard lie: evenly or in bursts.
    #[must_use]
    pub fn bursts(&self) -> BurstMeter {
        self.window.meter()
    }

    fn totals(&self) -> Totals {
        let mut totals = self.before;
        totals.add(self.sources.first().map(Totals::of).unwrap_or_default());
        totals
    }

    /// What our next RTCP packet says of the source that is heard (RFC 3550 §6.4.1); the share lost counts from the
    /// last call.
    pub fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        self.sources.first_mut().map(|source| source.report(now))
    }

    /// What our next RTCP packet says of all sources that sent since the last call; `out` takes them in order, the one
    /// that is heard first. Returns how many there are.
    pub fn reports(&mut self, now: Instant, out: &mut [ReportBlock; MAX_SOURCES]) -> usize {
        let active =
            self.sources.iter_mut().filter(|source| source.active && !source.sequence.is_on_probation());
        let mut count = 0;
        for (place, source) in out.iter_mut().zip(active) {
            *place = source.report(now);
            count += 1;
        }
        count
    }
}

impl Totals {
    fn of(source: &Source) -> Self {
        let sequence = &source.sequence;
        Self { lost: sequence.lost(), received: sequence.received(), duplicates: sequence.duplicates() }
    }

    const fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.received += other.received;
        self.duplicates += other.duplicates;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16) -> Packet<'static> {
        Packet { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc, payload: &[] }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// 1 sent number 10 at 1000 ms.
    fn heard() -> RemoteSource {
        let mut source = RemoteSource::new(&packet(1, 10), 8000);
        assert!(matches!(source.receive(at(1000), &packet(1, 10)), Received::Valid(_)));
        source
    }

    #[test]
    fn another_source_takes_over_when_the_one_that_is_heard_is_silent() {
        let mut source = heard();
        assert_eq!(source.receive(at(1000), &packet(1, 10)), Received::Ignored);
        // A second source beside the first is not heard, however long it sends.
        for i in 0..500_u16 {
            let now = at(1020 + u64::from(i) * 20);
            assert!(matches!(source.receive(now, &packet(1, 11 + i)), Received::Valid(_)));
            assert_eq!(source.receive(now, &packet(2, 500 + i)), Received::Other);
        }
        let silent = 1000 + 500 * 20;
        let taken: Vec<u64> = (1..20)
            .map(|i| silent + i * 20)
            .filter(|now| {
                matches!(source.receive(at(*now), &packet(2, 1000 + (now / 20) as u16)), Received::Begins(_))
            })
            .collect();
        assert_eq!(taken, [silent + 100]);
        assert_eq!((source.ssrc(), source.lost(), source.count()), (2, 0, 2));
        assert_eq!(source.duplicates(), 1);
    }

    #[test]
    fn a_bye_or_a_new_agreement_lets_the_next_source_in_at_once() {
        for agreed in [false, true] {
            let mut source = heard();
            if agreed {
                source.expect_change();
            } else {
                assert!(source.left(1) && !source.left(3));
            }
            assert_eq!(source.receive(at(1005), &packet(2, 65_535)), Received::Other);
            assert!(matches!(source.receive(at(1010), &packet(2, 0)), Received::Begins(_)));
            assert!(matches!(source.receive(at(1030), &packet(2, 1)), Received::Valid(_)));
            // The first again does not come back while this one sends.
            assert_eq!(source.receive(at(1031), &packet(1, 11)), Received::Other);
            assert_eq!(source.receive(at(1032), &packet(1, 12)), Received::Other);
            assert_eq!((source.ssrc(), source.received(), source.lost()), (2, 3, 0));
        }
    }

    #[test]
    fn a_flood_of_sources_is_bounded_and_the_one_that_is_heard_stays() {
        let mut source = heard();
        for ssrc in 100..10_000 {
            assert_eq!(source.receive(at(1001), &packet(ssrc, ssrc as u16)), Received::Other);
        }
        assert_eq!((source.count(), source.ssrc()), (MAX_SOURCES, 1));
        assert!(matches!(source.receive(at(1020), &packet(1, 11)), Received::Valid(_)));
        assert_eq!(source.lost(), 0);
    }

    #[test]
    fn a_report_echoes_the_sender_report_and_the_time_since() {
        let mut source = RemoteSource::new(&packet(7, 1), 8000);
        source.receive(at(0), &packet(7, 1));
        source.receive(at(40), &packet(7, 3));
        let info = SenderInfo { ntp: 0x1234_5678_9abc_def0, rtp_timestamp: 0, packets: 2, octets: 320 };
        source.reported(at(1000), 7, &info);
        source.reported(at(1400), 8, &info);
        let block = source.report(at(1500)).unwrap();
        assert_eq!(block.last_sender_report, 0x5678_9abc);
        assert_eq!(block.delay_since_last_sender_report, 32_768);
        assert_eq!((block.ssrc, block.cumulative_lost, block.fraction_lost), (7, 1, 85));
    }

    #[test]
    fn every_source_that_sent_is_reported_the_one_that_is_heard_first() {
        let mut source = heard();
        for i in 0..3 {
            source.receive(at(1020), &packet(1, 11 + i));
            source.receive(at(1020), &packet(5, 70 + i));
        }
        source.receive(at(1020), &packet(6, 1));
        let nothing = source.clone().report(at(0)).unwrap();
        let mut blocks = [nothing; MAX_SOURCES];
        assert_eq!(source.reports(at(1100), &mut blocks), 2, "one packet makes no source");
        assert_eq!([blocks[0].ssrc, blocks[1].ssrc], [1, 5]);
        assert_eq!(source.reports(at(1100), &mut blocks), 0, "nothing came since");
    }

    #[test]
    fn what_was_discarded_or_recovered_counts_for_the_quality() {
        let mut source = heard();
        for i in [12, 13, 14, 16] {
            source.receive(at(1020), &packet(1, i));
        }
        let Received::Valid(last) = source.receive(at(1020), &packet(1, 17)) else { panic!() };
        source.discarded(1);
        source.recovered(last - 2);
        let bursts = source.bursts();
        assert_eq!((bursts.packets(), bursts.lost_packets(), bursts.discarded_packets()), (8, 1, 1));
        assert_eq!(source.lost(), 2, "reports count what the network lost");
    }
}
