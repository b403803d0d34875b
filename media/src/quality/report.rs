//! The quality of a call at both of its ends.

use super::{Bursts, Connection, Impairment, MINIMUM_GAP, mos};
use crate::rtcp::{Adaptation, Concealment, ReportBlock, VoipMetrics};
use core::time::Duration;
use sidetone_codecs::CodecSpec;

/// What one end hears.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallQuality {
    /// The codec of what is heard.
    pub codec: &'static CodecSpec,
    /// Packets lost on the network, 0 to 1.
    pub loss: f32,
    /// Packets that came and were of no use, 0 to 1.
    pub discard: f32,
    /// How they lie.
    pub bursts: Bursts,
    /// Speech in a packet.
    pub packet_time: Duration,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// Round trip by RTCP.
    pub round_trip: Option<Duration>,
    /// From the other side's mouth into a packet, and from the network to the ear.
    pub end_system_delay: Duration,
    /// Held back against jitter now.
    pub buffer_delay: Duration,
    /// The most that would be held back.
    pub buffer_maximum: Duration,
    /// Rating for listening alone, 0 to 100 (the E-model without delay).
    pub r_lq: f32,
    /// Rating for conversation.
    pub r_cq: f32,
    /// Opinion on listening alone, 1 to 4.5.
    pub mos_lq: f32,
    /// Opinion on the conversation.
    pub mos_cq: f32,
}

impl CallQuality {
    /// A call of `codec` without flaws. Set what was measured, then [`rate`](Self::rate).
    #[must_use]
    pub fn new(codec: &'static CodecSpec) -> Self {
        let perfect = Self {
            codec,
            loss: 0.0,
            discard: 0.0,
            bursts: Bursts { ratio: 1.0, ..Bursts::default() },
            packet_time: Duration::from_millis(codec.default_ptime.into()),
            jitter: Duration::ZERO,
            round_trip: None,
            end_system_delay: Duration::ZERO,
            buffer_delay: Duration::ZERO,
            buffer_maximum: Duration::ZERO,
            r_lq: 0.0,
            r_cq: 0.0,
            mos_lq: 1.0,
            mos_cq: 1.0,
        };
        perfect.rate()
    }

    /// With the ratings that the E-model has for the rest.
    #[must_use]
    pub fn rate(self) -> Self {
        let heard = Connection {
            loss: (self.loss + self.discard).min(1.0),
            burst_ratio: self.bursts.ratio,
            ..Connection::new(Impairment::of(self.codec))
        };
        let (r_lq, r_cq) = (heard.rating(), Connection { delay: self.one_way_delay(), ..heard }.rating());
        Self { r_lq, r_cq, mos_lq: mos(r_lq), mos_cq: mos(r_cq), ..self }
    }

    /// From mouth to ear, with half of the round trip.
    #[must_use]
    pub fn one_way_delay(&self) -> Duration {
        self.round_trip.unwrap_or_default() / 2 + self.end_system_delay
    }

    /// As an extended report says it (RFC 3611 §4.7) of the source `ssrc`.
    #[must_use]
    pub fn voip_metrics(&self, ssrc: u32) -> VoipMetrics {
        let of_256 = |share: f32| (share * 256.0).clamp(0.0, 255.0) as u8;
        let millis = |time: Duration| u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        let packets = |count: f32| (self.packet_time.as_secs_f32() * 1000.0 * count).round() as u16;
        let tenths = |score: f32| Some((score * 10.0).round().clamp(10.0, 50.0) as u8);
        VoipMetrics {
            ssrc,
            loss_rate: of_256(self.loss),
            discard_rate: of_256(self.discard),
            burst_density: of_256(self.bursts.burst_density),
            gap_density: of_256(self.bursts.gap_density),
            burst_duration: packets(self.bursts.burst_packets),
            gap_duration: packets(self.bursts.gap_packets),
            round_trip_delay: millis(self.round_trip.unwrap_or_default()),
            end_system_delay: millis(self.end_system_delay),
            signal_level: None,
            noise_level: None,
            residual_echo_return_loss: None,
            minimum_gap: MINIMUM_GAP as u8,
            r_factor: Some(self.r_cq.round() as u8),
            external_r_factor: None,
            mos_lq: tenths(self.mos_lq),
            mos_cq: tenths(self.mos_cq),
            concealment: Concealment::Standard,
            adaptation: Adaptation::Adaptive,
            adaptation_rate: 0,
            buffer_nominal: millis(self.buffer_delay),
            buffer_maximum: millis(self.buffer_maximum),
            buffer_absolute_maximum: millis(self.buffer_maximum),
        }
    }

    /// What the other end says of what it hears (RFC 3611 §4.7), of packets of `codec` with `packet_time` of speech;
    /// ratings that it does not give are made from the rest.
    #[must_use]
    pub fn of_voip_metrics(codec: &'static CodecSpec, packet_time: Duration, metrics: &VoipMetrics) -> Self {
        let share = |of_256: u8| f32::from(of_256) / 256.0;
        let millis = |millis: u16| Duration::from_millis(millis.into());
        let packets = |length: u16| millis(length).as_secs_f32() / packet_time.as_secs_f32().max(1e-3);
        let loss = share(metrics.loss_rate) + share(metrics.discard_rate);
        let bursts = Bursts {
            burst_density: share(metrics.burst_density),
            gap_density: share(metrics.gap_density),
            burst_packets: packets(metrics.burst_duration),
            gap_packets: packets(metrics.gap_duration),
            // With a density of d in bursts, 1 / (1 - d) are lost in a row; at random it were 1 / (1 - loss).
            ratio: ((1.0 - loss) / (1.0 - share(metrics.burst_density))).clamp(1.0, 10.0),
        };
        let rated = Self {
            loss: share(metrics.loss_rate),
            discard: share(metrics.discard_rate),
            bursts,
            packet_time,
            round_trip: Some(millis(metrics.round_trip_delay)).filter(|trip| !trip.is_zero()),
            end_system_delay: millis(metrics.end_system_delay),
            buffer_delay: millis(metrics.buffer_nominal),
            buffer_maximum: millis(metrics.buffer_maximum),
            ..Self::new(codec)
        };
        let rated = rated.rate();
        let score = |tenths: Option<u8>| tenths.map(|tenths| f32::from(tenths) / 10.0);
        Self {
            r_cq: metrics.r_factor.map_or(rated.r_cq, f32::from),
            mos_lq: score(metrics.mos_lq).unwrap_or(rated.mos_lq),
            mos_cq: score(metrics.mos_cq).unwrap_or(rated.mos_cq),
            ..rated
        }
    }

    /// What can be told of the other end from its plain reports: the share of our packets that was lost in all, its
    /// jitter, and the round trip.
    #[must_use]
    pub fn of_report(
        codec: &'static CodecSpec,
        sent: u64,
        block: &ReportBlock,
        jitter: Duration,
        round_trip: Option<Duration>,
    ) -> Self {
        let lost = u64::try_from(block.cumulative_lost).unwrap_or(0);
        let loss = if sent == 0 { 0.0 } else { (lost as f32 / sent as f32).min(1.0) };
        Self { loss, jitter, round_trip, ..Self::new(codec) }.rate()
    }
}

/// The quality of a call at both ends, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct QualityReport {
    /// What we hear.
    pub local: CallQuality,
    /// What the other side hears, by its reports.
    pub remote: Option<CallQuality>,
}

impl QualityReport {
    /// A report of both ends.
    #[must_use]
    pub const fn new(local: CallQuality, remote: Option<CallQuality>) -> Self {
        Self { local, remote }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_codecs::{g729, pcmu};

    #[test]
    fn what_an_extended_report_says_is_what_was_measured() {
        let measured = CallQuality {
            loss: 0.05,
            discard: 0.01,
            bursts: Bursts {
                burst_density: 0.5,
                gap_density: 0.01,
                burst_packets: 12.0,
                gap_packets: 300.0,
                ratio: 1.8,
            },
            round_trip: Some(Duration::from_millis(80)),
            end_system_delay: Duration::from_millis(70),
            buffer_delay: Duration::from_millis(40),
            buffer_maximum: Duration::from_millis(400),
            ..CallQuality::new(&pcmu::SPEC)
        };
        let measured = measured.rate();
        let metrics = measured.voip_metrics(7);
        assert_eq!((metrics.loss_rate, metrics.discard_rate, metrics.burst_density), (12, 2, 128));
        assert_eq!((metrics.burst_duration, metrics.gap_duration), (240, 6000));
        assert_eq!((metrics.round_trip_delay, metrics.end_system_delay), (80, 70));
        let read = CallQuality::of_voip_metrics(&pcmu::SPEC, Duration::from_millis(20), &metrics);
        assert!((read.loss - measured.loss).abs() < 0.005 && (read.mos_cq - measured.mos_cq).abs() < 0.06);
        assert!((read.bursts.burst_packets - 12.0).abs() < 0.01);
        // Without ratings they are made from the rest.
        let bare = VoipMetrics { r_factor: None, mos_lq: None, mos_cq: None, ..metrics };
        let made = CallQuality::of_voip_metrics(&pcmu::SPEC, Duration::from_millis(20), &bare);
        assert!((made.mos_cq - measured.mos_cq).abs() < 0.2, "{made:?} {measured:?}");
    }

    #[test]
    fn ratings_follow_codec_loss_and_delay() {
        let clean = CallQuality::new(&pcmu::SPEC);
        assert!((4.38..=4.42).contains(&clean.mos_lq) && clean.mos_lq - clean.mos_cq < 0.03, "{clean:?}");
        let g729 = CallQuality::new(&g729::SPEC);
        assert!((4.05..=4.15).contains(&g729.mos_lq), "{g729:?}");
        let far = CallQuality { round_trip: Some(Duration::from_millis(700)), ..clean }.rate();
        assert!(far.mos_lq == clean.mos_lq && far.mos_cq < 3.8, "{far:?}");
        let block = ReportBlock {
            ssrc: 1,
            fraction_lost: 0,
            cumulative_lost: 50,
            highest_sequence: 0,
            jitter: 0,
            last_sender_report: 0,
            delay_since_last_sender_report: 0,
        };
        let remote = CallQuality::of_report(&pcmu::SPEC, 1000, &block, Duration::ZERO, None);
        assert!((remote.loss - 0.05).abs() < 1e-6 && remote.mos_lq < 4.1, "{remote:?}");
    }
}
