//! The blocks of extended reports (RFC 3611 §4). Which of them are sent, offer and answer say: see
//! [`RtcpXr`](crate::sdp::RtcpXr).

/// Block types (RFC 3611 §4).
pub(super) const LOSS_RLE: u8 = 1;
pub(super) const DUPLICATE_RLE: u8 = 2;
pub(super) const RECEIVER_REFERENCE_TIME: u8 = 4;
pub(super) const DELAY_SINCE_LAST: u8 = 5;
pub(super) const STATISTICS: u8 = 6;
pub(super) const VOIP_METRICS: u8 = 7;

/// A level or factor that is not known (RFC 3611 §4.7.3, §4.7.5).
const UNAVAILABLE: u8 = 127;

/// One block of an extended report (RFC 3611 §4).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum XrBlock<'a> {
    /// Which packets were lost (§4.1).
    LossRuns(RunLengths<'a>),
    /// Which packets came twice (§4.2).
    DuplicateRuns(RunLengths<'a>),
    /// The clock of one who sends no media, so that it can measure the round trip too (§4.4).
    ReceiverReferenceTime {
        /// In NTP format.
        ntp: u64,
    },
    /// The answers to such (§4.5).
    DelaySinceLast(DelayEntries<'a>),
    /// Loss, duplicates, jitter and hops over a range of packets (§4.6).
    Statistics(StatisticsSummary),
    /// What a call is like (§4.7).
    VoipMetrics(VoipMetrics),
    /// A block of another type, or with a length that its type does not have.
    Unknown {
        /// The block type.
        kind: u8,
        /// The octet that means something to the type.
        specific: u8,
        /// What follows the block's first word.
        body: &'a [u8],
    },
}

/// The blocks of an extended report, in their order.
#[derive(Clone, Debug)]
pub struct XrBlocks<'a> {
    pub(super) octets: &'a [u8],
}

impl<'a> Iterator for XrBlocks<'a> {
    type Item = XrBlock<'a>;

    fn next(&mut self) -> Option<XrBlock<'a>> {
        let ([kind, specific, high, low], rest) = self.octets.split_first_chunk::<4>()?;
        let (kind, specific) = (*kind, *specific);
        let length = usize::from(u16::from_be_bytes([*high, *low])) * 4;
        // A block that announces more than there is ends the report.
        let Some((body, rest)) = rest.split_at_checked(length) else {
            self.octets = &[];
            return None;
        };
        self.octets = rest;
        Some(read(kind, specific, body).unwrap_or(XrBlock::Unknown { kind, specific, body }))
    }
}

fn read(kind: u8, specific: u8, body: &[u8]) -> Option<XrBlock<'_>> {
    match kind {
        LOSS_RLE => Some(XrBlock::LossRuns(RunLengths::read(specific, body)?)),
        DUPLICATE_RLE => Some(XrBlock::DuplicateRuns(RunLengths::read(specific, body)?)),
        RECEIVER_REFERENCE_TIME => {
            let ntp = u64::from_be_bytes(body.try_into().ok()?);
            Some(XrBlock::ReceiverReferenceTime { ntp })
        }
        DELAY_SINCE_LAST if body.len().is_multiple_of(12) => {
            Some(XrBlock::DelaySinceLast(DelayEntries { octets: body }))
        }
        STATISTICS => Some(XrBlock::Statistics(StatisticsSummary::read(specific, body.try_into().ok()?))),
        VOIP_METRICS => Some(XrBlock::VoipMetrics(VoipMetrics::read(body.try_into().ok()?))),
        _ => None,
    }
}

/// When one's report came that asked for the time (RFC 3611 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelaySinceLast {
    /// Who asked.
    pub ssrc: u32,
    /// The middle 32 bits of the NTP time that it said; 0 if it never asked.
    pub last_receiver_report: u32,
    /// Time since that came, in 1/65536 of a second.
    pub delay_since_last_receiver_report: u32,
}

/// The entries of a block of type 5.
#[derive(Clone, Debug)]
pub struct DelayEntries<'a> {
    octets: &'a [u8],
}

impl Iterator for DelayEntries<'_> {
    type Item = DelaySinceLast;

    fn next(&mut self) -> Option<DelaySinceLast> {
        let (entry, rest) = self.octets.split_first_chunk::<12>()?;
        self.octets = rest;
        let mut words = words(entry);
        Some(DelaySinceLast {
            ssrc: words.next()?,
            last_receiver_report: words.next()?,
            delay_since_last_receiver_report: words.next()?,
        })
    }
}

/// Runs of packets that came, or did not (RFC 3611 §4.1.1, §4.1.2).
///
/// Iterates over `(sequence, bit)` of the packets that the block speaks of: one in `2^thinning`, from `begin` up to and
/// not including `end`. For losses the bit is set when the packet came; for duplicates when it came once.
#[derive(Clone, Debug)]
pub struct RunLengths<'a> {
    /// The source.
    pub ssrc: u32,
    /// One packet in two to the power of this is spoken of, 0 to 15.
    pub thinning: u8,
    /// The first sequence number.
    pub begin: u16,
    /// The one after the last.
    pub end: u16,
    chunks: &'a [u8],
    /// Bits that the current chunk still gives, and the chunk.
    current: (u16, u16),
    /// How far from `begin` the next packet is.
    offset: u32,
}

impl<'a> RunLengths<'a> {
    fn read(specific: u8, body: &'a [u8]) -> Option<Self> {
        let ([a, b, c, d, e, f, g, h], chunks) = body.split_first_chunk::<8>()?;
        let thinning = specific & 15;
        let begin = u16::from_be_bytes([*e, *f]);
        // The first number that the thinning leaves.
        let first = u32::from(begin).next_multiple_of(1 << thinning);
        Some(Self {
            ssrc: u32::from_be_bytes([*a, *b, *c, *d]),
            thinning,
            begin,
            end: u16::from_be_bytes([*g, *h]),
            chunks,
            current: (0, 0),
            offset: first - u32::from(begin),
        })
    }
}

impl Iterator for RunLengths<'_> {
    type Item = (u16, bool);

    fn next(&mut self) -> Option<(u16, bool)> {
        if self.offset >= u32::from(self.end.wrapping_sub(self.begin)) {
            return None;
        }
        while self.current.0 == 0 {
            let ([high, low], rest) = self.chunks.split_first_chunk::<2>()?;
            self.chunks = rest;
            let chunk = u16::from_be_bytes([*high, *low]);
            self.current = match chunk {
                // A terminating null chunk.
                0 => return None,
                // A bit vector of 15 packets, the first in bit 14.
                chunk if chunk & 0x8000 != 0 => (15, chunk),
                chunk => (chunk & 0x3fff, chunk),
            };
        }
        let (left, chunk) = self.current;
        let bit = if chunk & 0x8000 != 0 { chunk >> (left - 1) & 1 != 0 } else { chunk & 0x4000 != 0 };
        self.current.0 = left - 1;
        let sequence = self.begin.wrapping_add(self.offset as u16);
        self.offset += 1 << self.thinning;
        Some((sequence, bit))
    }
}

/// The least, the most, the mean and the standard deviation of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread<T> {
    /// The least.
    pub minimum: T,
    /// The most.
    pub maximum: T,
    /// The mean.
    pub mean: T,
    /// The standard deviation.
    pub deviation: T,
}

/// Which field of the IP header a [`StatisticsSummary`] counts hops by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hops {
    /// Time to live (IPv4).
    TimeToLive,
    /// Hop limit (IPv6).
    HopLimit,
}

/// What came of a range of packets (RFC 3611 §4.6); what is not reported is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatisticsSummary {
    /// The source.
    pub ssrc: u32,
    /// The first sequence number.
    pub begin: u16,
    /// The one after the last.
    pub end: u16,
    /// Packets lost.
    pub lost: Option<u32>,
    /// Packets that came twice.
    pub duplicates: Option<u32>,
    /// Differences of relative transit between two packets in a row, in ticks of the RTP clock.
    pub jitter: Option<Spread<u32>>,
    /// Time to live, or hop limit.
    pub hops: Option<(Hops, Spread<u8>)>,
}

impl StatisticsSummary {
    /// Octets after the block's first word.
    pub(super) const BODY: usize = 36;

    fn read(flags: u8, body: &[u8; Self::BODY]) -> Self {
        let mut words = words(body);
        let mut next = || words.next().unwrap_or_default();
        let ssrc = next();
        let range = next();
        let (lost, duplicates) = (next(), next());
        let jitter = Spread { minimum: next(), maximum: next(), mean: next(), deviation: next() };
        let [minimum, maximum, mean, deviation] = next().to_be_bytes();
        let kind = match flags >> 3 & 3 {
            1 => Some(Hops::TimeToLive),
            2 => Some(Hops::HopLimit),
            _ => None,
        };
        Self {
            ssrc,
            begin: (range >> 16) as u16,
            end: range as u16,
            lost: (flags & 0x80 != 0).then_some(lost),
            duplicates: (flags & 0x40 != 0).then_some(duplicates),
            jitter: (flags & 0x20 != 0).then_some(jitter),
            hops: kind.map(|kind| (kind, Spread { minimum, maximum, mean, deviation })),
        }
    }

    /// The octet of flags, and the nine words.
    pub(super) fn write(&self) -> (u8, [u32; Self::BODY / 4]) {
        let hops = match self.hops {
            Some((Hops::TimeToLive, _)) => 1,
            Some((Hops::HopLimit, _)) => 2,
            None => 0,
        };
        let flag = |set: bool, bit: u8| u8::from(set) << bit;
        let flags = flag(self.lost.is_some(), 7)
            | flag(self.duplicates.is_some(), 6)
            | flag(self.jitter.is_some(), 5)
            | hops << 3;
        let jitter = self.jitter.unwrap_or_default();
        let ttl = self.hops.map(|(_, spread)| spread).unwrap_or_default();
        let words = [
            self.ssrc,
            u32::from(self.begin) << 16 | u32::from(self.end),
            self.lost.unwrap_or(0),
            self.duplicates.unwrap_or(0),
            jitter.minimum,
            jitter.maximum,
            jitter.mean,
            jitter.deviation,
            u32::from_be_bytes([ttl.minimum, ttl.maximum, ttl.mean, ttl.deviation]),
        ];
        (flags, words)
    }
}

/// What a receiver puts in place of lost speech (RFC 3611 §4.7.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concealment {
    /// It does not say.
    #[default]
    Unspecified,
    /// Silence.
    Disabled,
    /// An enhanced interpolation.
    Enhanced,
    /// The codec's own, or a repetition.
    Standard,
}

/// Whether a jitter buffer follows the network (RFC 3611 §4.7.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adaptation {
    /// Unknown.
    #[default]
    Unknown,
    /// It does not.
    Fixed,
    /// It does.
    Adaptive,
}

/// What a call is like for the one who reports (RFC 3611 §4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoipMetrics {
    /// The source that is heard.
    pub ssrc: u32,
    /// The share of packets lost since the beginning, in 256ths.
    pub loss_rate: u8,
    /// The share of packets that came and could not be used, in 256ths.
    pub discard_rate: u8,
    /// The share lost or discarded within bursts, in 256ths.
    pub burst_density: u8,
    /// The share lost or discarded within gaps, in 256ths.
    pub gap_density: u8,
    /// The mean length of a burst, in milliseconds.
    pub burst_duration: u16,
    /// The mean length of a gap, in milliseconds.
    pub gap_duration: u16,
    /// The round trip by RTCP, in milliseconds; 0 if it was never measured.
    pub round_trip_delay: u16,
    /// The delay within the end system, in milliseconds: encoding, decoding, jitter buffer.
    pub end_system_delay: u16,
    /// The level of speech, in dBm0.
    pub signal_level: Option<i8>,
    /// The level of noise in pauses, in dBm0.
    pub noise_level: Option<i8>,
    /// Residual echo return loss, in dB.
    pub residual_echo_return_loss: Option<u8>,
    /// Packets in a row without loss that make a gap; 16 is recommended.
    pub minimum_gap: u8,
    /// The R factor, 0 to 100.
    pub r_factor: Option<u8>,
    /// The R factor of a network beyond, as a cellular one.
    pub external_r_factor: Option<u8>,
    /// MOS for listening, in tenths, 10 to 50.
    pub mos_lq: Option<u8>,
    /// MOS for conversation, in tenths.
    pub mos_cq: Option<u8>,
    /// What takes the place of lost speech.
    pub concealment: Concealment,
    /// Whether the jitter buffer adapts.
    pub adaptation: Adaptation,
    /// How fast it does, 0 to 15.
    pub adaptation_rate: u8,
    /// Its delay now, in milliseconds.
    pub buffer_nominal: u16,
    /// The most delay that it would have now, in milliseconds.
    pub buffer_maximum: u16,
    /// The most delay that it could have, in milliseconds.
    pub buffer_absolute_maximum: u16,
}

impl VoipMetrics {
    /// Octets after the block's first word.
    pub(super) const BODY: usize = 32;

    fn read(body: &[u8; Self::BODY]) -> Self {
        let mut words = words(body);
        let mut next = || words.next().unwrap_or_default().to_be_bytes();
        let pair =
            |word: [u8; 4]| (u16::from_be_bytes([word[0], word[1]]), u16::from_be_bytes([word[2], word[3]]));
        let known = |value: u8| Some(value).filter(|value| *value != UNAVAILABLE);
        let level = |value: u8| known(value).map(|value| value as i8);
        let ssrc = u32::from_be_bytes(next());
        let [loss_rate, discard_rate, burst_density, gap_density] = next();
        let (burst_duration, gap_duration) = pair(next());
        let (round_trip_delay, end_system_delay) = pair(next());
        let [signal, noise, echo, minimum_gap] = next();
        let [r_factor, external, mos_lq, mos_cq] = next();
        let word = next();
        let receiver = word[0];
        let (_, buffer_nominal) = pair(word);
        let (buffer_maximum, buffer_absolute_maximum) = pair(next());
        Self {
            ssrc,
            loss_rate,
            discard_rate,
            burst_density,
            gap_density,
            burst_duration,
            gap_duration,
            round_trip_delay,
            end_system_delay,
            signal_level: level(signal),
            noise_level: level(noise),
            residual_echo_return_loss: known(echo),
            minimum_gap,
            r_factor: known(r_factor),
            external_r_factor: known(external),
            mos_lq: known(mos_lq),
            mos_cq: known(mos_cq),
            concealment: match receiver >> 6 {
                1 => Concealment::Disabled,
                2 => Concealment::Enhanced,
                3 => Concealment::Standard,
                _ => Concealment::Unspecified,
            },
            adaptation: match receiver >> 4 & 3 {
                2 => Adaptation::Fixed,
                3 => Adaptation::Adaptive,
                _ => Adaptation::Unknown,
            },
            adaptation_rate: receiver & 15,
            buffer_nominal,
            buffer_maximum,
            buffer_absolute_maximum,
        }
    }

    pub(super) fn write(&self) -> [u32; Self::BODY / 4] {
        let pair = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
        let level = |level: Option<i8>| level.map_or(UNAVAILABLE, |level| level as u8);
        let known = |value: Option<u8>| value.unwrap_or(UNAVAILABLE);
        let concealment = match self.concealment {
            Concealment::Unspecified => 0,
            Concealment::Disabled => 1,
            Concealment::Enhanced => 2,
            Concealment::Standard => 3,
        };
        let adaptation = match self.adaptation {
            Adaptation::Unknown => 0,
            Adaptation::Fixed => 2,
            Adaptation::Adaptive => 3,
        };
        let receiver = concealment << 6 | adaptation << 4 | self.adaptation_rate & 15;
        [
            self.ssrc,
            u32::from_be_bytes([self.loss_rate, self.discard_rate, self.burst_density, self.gap_density]),
            pair(self.burst_duration, self.gap_duration),
            pair(self.round_trip_delay, self.end_system_delay),
            u32::from_be_bytes([
                level(self.signal_level),
                level(self.noise_level),
                known(self.residual_echo_return_loss),
                self.minimum_gap,
            ]),
            u32::from_be_bytes([
                known(self.r_factor),
                known(self.external_r_factor),
                known(self.mos_lq),
                known(self.mos_cq),
            ]),
            u32::from(receiver) << 24 | u32::from(self.buffer_nominal),
            pair(self.buffer_maximum, self.buffer_absolute_maximum),
        ]
    }
}

fn words(octets: &[u8]) -> impl Iterator<Item = u32> {
    octets.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(specific: u8, begin: u16, end: u16, chunks: &[u16]) -> Vec<(u16, bool)> {
        let mut body = vec![0, 0, 0, 7];
        body.extend(begin.to_be_bytes());
        body.extend(end.to_be_bytes());
        chunks.iter().for_each(|chunk| body.extend(chunk.to_be_bytes()));
        RunLengths::read(specific, &body).unwrap().collect()
    }

    #[test]
    fn runs_and_bit_vectors_are_unfolded() {
        // Three that came, two lost, then a vector of 15 of which the second is lost; the end cuts it.
        let read = runs(0, 65_534, 6, &[0x4003, 0x0002, 0xdfff, 0]);
        let lost: Vec<u16> = read.iter().filter(|(_, came)| !came).map(|(sequence, _)| *sequence).collect();
        assert_eq!(read.len(), 8);
        assert_eq!(lost, [1, 2, 4]);
        // One packet in four.
        let thin = runs(2, 10, 30, &[0x4001, 0x0001, 0x4010]);
        assert_eq!(thin, [(12, true), (16, false), (20, true), (24, true), (28, true)]);
        assert!(runs(15, 0, 65_535, &[0xffff, 0xffff]).len() <= 2);
        assert_eq!(runs(0, 5, 5, &[0x7fff]), []);
    }
}
