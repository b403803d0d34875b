//! Digits through two streams: as events at each clock, in the speech through loss, and taken out of the speech.

use crate::common::{Call, address, negotiated, sine};
use sidetone_codecs::{g722, opus, pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::sim::LinkConfig;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::dtmf::{Suppressor, dtmf_tone};
use sidetone_media::sdp::{Format, SideFormat};
use sidetone_media::stream::{DtmfHearing, DtmfWay};
use sidetone_media::tone::{Generator, ToneList};
use sidetone_media::{Negotiated, Stream, StreamConfig, StreamEvent};

const DIGITS: &str = "0123456789*#ABCD";

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What was heard: digits, how long, which way.
fn heard(events: &[StreamEvent]) -> Vec<(char, Duration, DtmfWay)> {
    let digit = |event: &StreamEvent| match event {
        StreamEvent::Dtmf { digit, duration, way } => Some((*digit, *duration, *way)),
        _ => None,
    };
    events.iter().filter_map(digit).collect()
}

/// Two streams that hand packets to each other, 10 ms at a time.
struct Pair {
    streams: [Stream; 2],
    now: Instant,
    events: Vec<StreamEvent>,
    payload_types: Vec<u8>,
}

impl Pair {
    fn new(change: impl Fn(usize, &mut StreamConfig)) -> Self {
        let stream = |own: usize| {
            let agreed = negotiated(&pcmu::SPEC, address(2 - own as u8, 4000));
            let mut config = StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(own as u64));
            change(own, &mut config);
            Stream::new(config)
        };
        let streams = [stream(0), stream(1)];
        Self { streams, now: Instant::from_millis(1000), events: Vec::new(), payload_types: Vec::new() }
    }

    /// Runs until the first has sent its digits, and a second more; returns what the second plays.
    fn run(&mut self, mut mouth: impl FnMut(&mut [i16])) -> Vec<i16> {
        let frame = self.streams[0].sample_rate() as usize / 100;
        let mut ear = Vec::new();
        let mut rest = 100;
        while rest > 0 {
            rest -= usize::from(!self.streams[0].is_dtmf_busy());
            self.now += ms(10);
            let mut captured = vec![0; frame];
            mouth(&mut captured);
            let mut playout = vec![0; self.streams[1].sample_rate() as usize / 100];
            self.streams[0].capture(self.now, &captured);
            while let Some(packet) = self.streams[0].poll_transmit() {
                let octets = packet.payload.to_vec();
                self.payload_types.push(octets[1] & 0x7f);
                self.streams[1].handle_rtp(self.now, address(1, 4000), &octets);
            }
            self.streams[1].playout(self.now, &mut playout);
            ear.extend(playout);
            if self.streams[1].poll_timeout().is_some_and(|at| at <= self.now) {
                self.streams[1].handle_timeout(self.now);
            }
            while let Some(event) = self.streams[1].poll_event() {
                self.events.push(event);
            }
        }
        ear
    }

    fn send(&mut self, digits: &str, duration: Duration) {
        let now = self.now;
        assert!(digits.chars().all(|digit| self.streams[0].send_dtmf(now, digit, duration)));
    }
}

fn opus_with(events: &[(u8, u32)]) -> Negotiated {
    let mut agreed = Negotiated::new(&opus::SPEC, 111, address(2, 4000));
    agreed.receive = vec![Format::new(111, &opus::SPEC), Format::new(0, &pcmu::SPEC)];
    let sides: Vec<_> = events
        .iter()
        .map(|(payload_type, clock)| SideFormat { payload_type: *payload_type, clock: *clock })
        .collect();
    let own = sides.iter().find(|side| side.clock == 48_000).map(|side| side.payload_type);
    (agreed.dtmf_payload_type, agreed.dtmf_receive_payload_type) = (own, own);
    (agreed.events, agreed.remote_events) = (sides.clone(), sides);
    agreed
}

#[test]
fn events_have_the_clock_of_the_codec() {
    let both = [(101, 48_000), (102, 8000)];
    let mut pair = Pair::new(|_, config| config.negotiated = opus_with(&both));
    pair.send("5#", ms(100));
    // Longer than the 1.365 s that an event of 48000 ticks a second can say.
    pair.send("7", ms(3000));
    pair.run(|_| {});
    let expected = [('5', 100), ('#', 100), ('7', 3000)];
    assert_eq!(heard(&pair.events), expected.map(|(digit, millis)| (digit, ms(millis), DtmfWay::Event)));
    assert!(pair.payload_types.contains(&101) && !pair.payload_types.contains(&102));

    // The speech changes to PCMU: the events change to the other number, and its clock.
    let mut narrow = opus_with(&both);
    (narrow.codec, narrow.payload_type, narrow.fmtp) = (&pcmu::SPEC, 0, pcmu::SPEC.defaults());
    (narrow.dtmf_payload_type, narrow.dtmf_receive_payload_type) = (Some(102), Some(102));
    let now = pair.now;
    pair.streams[0].update(now, narrow);
    (pair.events, pair.payload_types) = (Vec::new(), Vec::new());
    pair.send("9", ms(100));
    pair.run(|_| {});
    assert_eq!(heard(&pair.events), [('9', ms(100), DtmfWay::Event)], "as the number says, whatever we send");
    assert!(pair.payload_types.contains(&102) && !pair.payload_types.contains(&101));
}

#[test]
fn digits_in_the_speech_are_heard_through_every_codec_that_passes_tones() {
    for (codec, payload_type) in [(&pcmu::SPEC, 0), (&pcma::SPEC, 8), (&g722::SPEC, 9), (&opus::SPEC, 111)] {
        let mut pair = Pair::new(|_, config| {
            let mut agreed = Negotiated::new(codec, payload_type, address(2, 4000));
            agreed.dtmf_payload_type = None;
            config.negotiated = agreed;
            config.pcm_rate = 16_000;
        });
        // The jitter buffer finds its delay first.
        pair.run(|_| {});
        pair.send(DIGITS, ms(100));
        pair.run(|_| {});
        let found = heard(&pair.events);
        assert_eq!(found.iter().map(|(digit, ..)| digit).collect::<String>(), DIGITS, "{}", codec.name);
        assert!(found.iter().all(|(_, _, way)| *way == DtmfWay::Speech));
        let right = |duration: &Duration| (ms(80)..=ms(125)).contains(duration);
        assert!(found.iter().all(|(_, duration, _)| right(duration)), "{}: {found:?}", codec.name);
        assert!(!pair.payload_types.contains(&101));
    }
}

#[test]
fn digits_in_the_speech_outlive_lost_packets() {
    let (mut right, mut all, mut extra) = (0, 0, 0);
    for seed in 0..12 {
        let link = LinkConfig { loss: 0.02, ..LinkConfig::default() };
        let mut call = Call::with(seed, link, |agreed| agreed.dtmf_payload_type = None);
        call.phones[0].mouth = Box::new(|at| sine(350.0, at) / 8);
        call.run(ms(1000));
        let now = call.now;
        assert!(DIGITS.chars().all(|digit| call.phones[0].stream.send_dtmf(now, digit, ms(100))));
        call.run(ms(4000));
        let digits = call.phones[1].digits();
        // How many of the digits that were sent are among those heard, in their order.
        let mut rest = digits.chars();
        let found = DIGITS
            .chars()
            .filter(|digit| rest.clone().any(|heard| heard == *digit) && rest.any(|h| h == *digit));
        let found = found.count();
        (right, all, extra) = (right + found, all + DIGITS.len(), extra + digits.len().saturating_sub(found));
    }
    println!("{right} of {all} digits of 100 ms heard at 2 % loss, {extra} too many");
    assert!(right * 100 >= all * 97 && extra * 100 <= all * 3, "{right} of {all}, {extra} too many");
}

#[test]
fn a_mode_may_want_tones_where_events_are_taken() {
    let mut pair = Pair::new(|_, config| config.dtmf.hearing = DtmfHearing::Always);
    let now = pair.now;
    assert!(pair.streams[0].send_dtmf_by(now, DtmfWay::Speech, '1', ms(80)));
    assert!(pair.streams[0].send_dtmf_by(now, DtmfWay::Event, '2', ms(80)));
    assert!(pair.streams[0].send_dtmf(now, '3', ms(80)));
    assert!(!pair.streams[0].send_dtmf(now, 'x', ms(80)));
    pair.run(|_| {});
    let ways: Vec<_> = heard(&pair.events).iter().map(|(digit, _, way)| (*digit, *way)).collect();
    assert_eq!(ways, [('1', DtmfWay::Speech), ('2', DtmfWay::Event), ('3', DtmfWay::Event)]);
    assert_eq!((0..40).filter(|_| pair.streams[0].send_dtmf(now, '1', ms(80))).count(), 32);
}

#[test]
fn digits_that_wait_go_in_the_speech_when_events_are_no_longer_taken() {
    let mut pair = Pair::new(|_, config| config.dtmf.hearing = DtmfHearing::Always);
    pair.send("12", ms(80));
    let mut without = pair.streams[0].negotiated().clone();
    without.dtmf_payload_type = None;
    let now = pair.now;
    pair.streams[0].update(now, without);
    pair.run(|_| {});
    let ways: Vec<_> = heard(&pair.events).iter().map(|(digit, _, way)| (*digit, *way)).collect();
    assert_eq!(ways, [('1', DtmfWay::Speech), ('2', DtmfWay::Speech)]);
}

#[test]
fn a_gateway_takes_tones_out_of_speech_where_events_are_agreed_on() {
    let loudest = |suppress: Option<Duration>| {
        let mut pair = Pair::new(|_, config| config.dtmf.suppress = suppress);
        pair.run(|_| {});
        let mut tone = Generator::with_level(ToneList::SILENCE, 8000, -10.0);
        let mut frames = 0;
        let ear = pair.run(|pcm| {
            frames += 1;
            if frames == 30 {
                tone.play(dtmf_tone('5', 200, 0.0));
            }
            tone.fill(pcm);
        });
        assert!(heard(&pair.events).is_empty(), "events are agreed on: what sounds is no digit");
        // Loud for longer than what no receiver takes for a digit.
        ear.chunks_exact(80).filter(|frame| frame.iter().any(|sample| sample.abs() > 1000)).count()
    };
    let (all, late, none) =
        (loudest(None), loudest(Some(Duration::ZERO)), loudest(Some(Suppressor::LOOKAHEAD)));
    // Of 20 frames some may be shortened away by the jitter buffer.
    assert!(all >= 16 && late <= 4 && none == 0, "{all}, {late}, {none} frames of 10 ms");
}

#[test]
fn a_tone_begins_and_ends_without_a_click() {
    let mut pair = Pair::new(|_, config| {
        config.negotiated.dtmf_payload_type = None;
        config.dtmf.gap = ms(100);
    });
    pair.send("5", ms(100));
    let ear = pair.run(|_| {});
    // A digit alone never changes by more than its two sines do.
    let steepest = ear.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max().unwrap();
    let peak = ear.iter().map(|sample| i32::from(*sample).abs()).max().unwrap();
    assert!(peak > 8000 && steepest < peak * 9 / 10, "{steepest} of {peak}");
    assert!(ear.iter().rev().take(2000).all(|sample| sample.abs() < 20));
}
