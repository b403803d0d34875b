//! What streams make of packets that others send: changes of source and codec, comfort noise, re-offers.

use crate::common::{address, negotiated, sine};
use sidetone_codecs::{CodecSpec, cn, g722, pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::rtp::Packet;
use sidetone_media::sdp::Format;
use sidetone_media::{Negotiated, Stream, StreamConfig};

/// A sender of packets of 20 ms, and the stream that takes them.
struct Wire {
    stream: Stream,
    now: Instant,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    marker: bool,
    /// Samples said so far, at 8 kHz.
    said: u64,
    heard: Vec<i16>,
}

impl Wire {
    fn new(agreed: Negotiated) -> Self {
        let stream = Stream::new(StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(3)));
        let now = Instant::from_millis(5000);
        Self {
            stream,
            now,
            sequence: 65_500,
            timestamp: 7,
            ssrc: 1,
            marker: true,
            said: 0,
            heard: Vec::new(),
        }
    }

    /// One packet, and 20 ms of hearing.
    fn packet(&mut self, payload_type: u8, payload: &[u8]) {
        let packet = Packet {
            payload_type,
            marker: core::mem::take(&mut self.marker),
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload,
        };
        let mut octets = vec![0; 12 + payload.len()];
        packet.write(&mut octets).unwrap();
        self.stream.handle_rtp(self.now, address(2, 4000), &octets);
        self.sequence = self.sequence.wrapping_add(1);
        self.pass();
    }

    /// 20 ms pass.
    fn pass(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(160);
        let frame = self.stream.sample_rate() as usize / 100;
        for _ in 0..2 {
            let mut pcm = vec![0; frame];
            self.stream.playout(self.now + Duration::from_millis(3), &mut pcm);
            self.heard.extend(pcm);
            self.now += Duration::from_millis(10);
        }
    }

    /// Packets of a sine of 440 Hz.
    fn speak(&mut self, codec: &'static CodecSpec, payload_type: u8, packets: usize) {
        let mut encoder = codec.encoder();
        let rate = u64::from(codec.sample_rate);
        for _ in 0..packets {
            let samples = codec.samples(20);
            let from = self.said * rate / 8000;
            let pcm: Vec<i16> =
                (from..from + samples as u64).map(|at| sine(440.0 * 8000.0 / rate as f64, at)).collect();
            self.said += 160;
            let mut payload = vec![0; codec.octets(20)];
            let octets = encoder.encode(&pcm, &mut payload).unwrap().octets;
            self.packet(payload_type, &payload[..octets]);
        }
    }

    /// The least and the most of the frames' peaks in the last packets.
    fn peaks(&self, packets: usize) -> (u16, u16) {
        let frame = self.stream.sample_rate() as usize / 100;
        let last = &self.heard[self.heard.len() - packets * 2 * frame..];
        let peaks = last.chunks(frame).map(|frame| frame.iter().map(|s| s.unsigned_abs()).max().unwrap());
        peaks.fold((u16::MAX, 0), |(least, most), peak| (least.min(peak), most.max(peak)))
    }
}

fn both() -> Negotiated {
    let mut agreed = negotiated(&pcmu::SPEC, address(2, 4000));
    agreed.receive.push(Format::new(8, &pcma::SPEC));
    agreed
}

#[test]
fn another_ssrc_and_another_codec_are_heard_without_a_gap() {
    let mut wire = Wire::new(both());
    wire.speak(&pcmu::SPEC, 0, 100);
    for round in 0..5 {
        wire.speak(&pcma::SPEC, 8, 40);
        assert!(wire.peaks(38).0 > 7000, "{round}: {:?}", wire.peaks(38));
        wire.speak(&pcmu::SPEC, 0, 40);
        assert!(wire.peaks(38).0 > 7000, "{round}: {:?}", wire.peaks(38));
    }
    assert_eq!(wire.stream.stats().concealed, Duration::ZERO);
    // Another sender: its first packets are not believed at once, then it is heard.
    (wire.ssrc, wire.sequence, wire.timestamp) = (2, 9, 4_000_000_000);
    wire.speak(&pcmu::SPEC, 0, 50);
    assert!(wire.peaks(40).0 > 7000, "{:?}", wire.peaks(40));
    assert!(wire.stream.stats().concealed <= Duration::from_millis(60), "{:?}", wire.stream.stats());
}

#[test]
fn packets_that_wait_at_a_reoffer_are_decoded_as_they_were_sent() {
    // The same payload type stands for A-law before and for mu-law after; half a second waits.
    let mut agreed = negotiated(&pcma::SPEC, address(2, 4000));
    agreed.receive = vec![Format::new(96, &pcma::SPEC)];
    let limits = sidetone_media::jitter::DelayLimits::fixed(Duration::from_millis(400)).unwrap();
    let mut config = StreamConfig::new(agreed.clone(), "phone@192.0.2.1", Rng::from_u64(3));
    config.delay = limits;
    let mut wire = Wire { stream: Stream::new(config), ..Wire::new(agreed.clone()) };
    wire.speak(&pcma::SPEC, 96, 50);
    agreed.codec = &pcmu::SPEC;
    agreed.receive = vec![Format::new(96, &pcmu::SPEC)];
    let now = wire.now;
    wire.stream.update(now, agreed);
    wire.speak(&pcmu::SPEC, 96, 50);
    let (least, most) = wire.peaks(75);
    assert!(least > 7000 && most < 8500, "{least}, {most}");
    assert_eq!(wire.stream.stats().concealed, Duration::ZERO);
}

#[test]
fn codecs_of_two_rates_follow_each_other() {
    let mut agreed = negotiated(&g722::SPEC, address(2, 4000));
    agreed.receive.push(Format::new(0, &pcmu::SPEC));
    let mut wire = Wire::new(agreed);
    assert_eq!(wire.stream.sample_rate(), 16_000);
    for _ in 0..4 {
        wire.speak(&g722::SPEC, 9, 50);
        assert!(wire.peaks(46).0 > 6500, "{:?}", wire.peaks(46));
        wire.speak(&pcmu::SPEC, 0, 50);
        assert!(wire.peaks(46).0 > 6500, "{:?}", wire.peaks(46));
    }
    let stats = wire.stream.stats();
    assert_eq!(
        (stats.concealed, stats.packets_late, stats.packets_dropped),
        (Duration::ZERO, 0, 0),
        "{stats:?}"
    );
}

#[test]
fn comfort_noise_fills_pauses_and_is_no_loss() {
    let mut wire = Wire::new(negotiated(&pcmu::SPEC, address(2, 4000)));
    wire.speak(&pcmu::SPEC, 0, 50);
    for pause in 0..3 {
        // -50 dBov, a descriptor now and then, and nothing between.
        for _ in 0..5 {
            wire.packet(cn::SPEC.payload_type.unwrap(), &[50]);
            (0..19).for_each(|_| wire.pass());
        }
        let (least, most) = wire.peaks(80);
        assert!(least > 20 && most < 1000, "pause {pause}: {least}, {most}");
        wire.marker = true;
        wire.said += 8000;
        wire.speak(&pcmu::SPEC, 0, 50);
        assert!(wire.peaks(45).0 > 7000, "pause {pause}: {:?}", wire.peaks(45));
    }
    let stats = wire.stream.stats();
    assert_eq!((stats.concealed, stats.packets_late), (Duration::ZERO, 0), "{stats:?}");
}
