//! Streams over SRTP: keys from SDP, new keys in a call, strangers, replays, and no memory taken on the way.

use crate::common::{address, negotiated, sine};
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::sdp::{Direction, LocalMedia, Negotiator};
use sidetone_media::srtp::{MasterKey, Outbound, Sdes, SrtpConfig, SrtpKeys, SrtpPolicy, Suite};
use sidetone_media::{Channel, Negotiated, Stream, StreamConfig, StreamEvent};

const TICK: Duration = Duration::from_millis(10);

fn keys(suite: Suite, seed: u64) -> [SrtpKeys; 2] {
    let mut rng = Rng::from_u64(seed);
    let [a, b] = [(); 2].map(|()| MasterKey::random(suite, &mut rng));
    [SrtpKeys { send: a.clone(), receive: b.clone() }, SrtpKeys { send: b, receive: a }]
}

fn agreed(host: u8, keys: Option<&SrtpKeys>) -> Negotiated {
    let mut agreed = negotiated(&pcmu::SPEC, address(3 - host, 4000));
    agreed.srtp = keys.cloned();
    agreed
}

/// Two phones, 192.0.2.1 and 192.0.2.2, and what went over the wire between them.
struct Call {
    now: Instant,
    tick: u64,
    streams: [Stream; 2],
    /// The datagrams of the latest step, by who sent them.
    wire: Vec<(usize, Channel, Vec<u8>)>,
    heard: [Vec<i16>; 2],
    events: Vec<StreamEvent>,
}

impl Call {
    fn new(keys: [Option<&SrtpKeys>; 2]) -> Self {
        let stream = |host: u8| {
            let agreed = agreed(host, keys[usize::from(host) - 1]);
            Stream::new(StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(host.into())))
        };
        let streams = [stream(1), stream(2)];
        let heard = [Vec::with_capacity(1_000_000), Vec::with_capacity(1_000_000)];
        let now = Instant::from_millis(1000);
        Self { now, tick: 0, streams, wire: Vec::with_capacity(64), heard, events: Vec::with_capacity(64) }
    }

    fn give(&mut self, from: usize, channel: Channel, octets: &[u8]) {
        let port = if channel == Channel::Rtp { 4000 } else { 4001 };
        let (source, to) = (address(from as u8 + 1, port), &mut self.streams[1 - from]);
        match channel {
            Channel::Rtp => to.handle_rtp(self.now, source, octets),
            Channel::Rtcp => to.handle_rtcp(self.now, source, octets),
        }
    }

    fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.now += TICK;
            let captured: [i16; 80] = core::array::from_fn(|i| sine(440.0, self.tick * 80 + i as u64));
            self.tick += 1;
            self.wire.clear();
            for (at, stream) in self.streams.iter_mut().enumerate() {
                let mut pcm = [0; 80];
                stream.capture(self.now, &captured);
                stream.playout(self.now, &mut pcm);
                self.heard[at].extend_from_slice(&pcm);
                if stream.poll_timeout().is_some_and(|at| at <= self.now) {
                    stream.handle_timeout(self.now);
                }
                while let Some(packet) = stream.poll_transmit() {
                    self.wire.push((at, packet.channel, packet.payload.to_vec()));
                }
                while let Some(event) = stream.poll_event() {
                    self.events.push(event);
                }
            }
            let wire = core::mem::take(&mut self.wire);
            for (from, channel, octets) in &wire {
                self.give(*from, *channel, octets);
            }
            self.wire = wire;
        }
    }

    /// Whether the last 100 ms that this side heard are a tone.
    fn hears(&self, side: usize) -> bool {
        let last = &self.heard[side][self.heard[side].len() - 800..];
        last.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / 800.0 > 1e6
    }
}

#[test]
fn speech_and_reports_pass_encrypted_with_every_suite() {
    for suite in Suite::ALL {
        let [a, b] = keys(suite, 1);
        let mut call = Call::new([Some(&a), Some(&b)]);
        call.run(100);
        // What is on the wire is no µ-law of a tone: the same payload never comes twice.
        let (_, _, octets) = call.wire.iter().find(|(_, channel, _)| *channel == Channel::Rtp).unwrap();
        assert_eq!(octets.len(), 12 + 160 + suite.rtp_tag(), "{suite}");
        call.run(1500);
        for side in [0, 1] {
            let stats = call.streams[side].stats();
            assert!(call.hears(side), "{suite} {stats:?}");
            assert_eq!(stats.srtp, Some(suite));
            assert_eq!((stats.packets_refused, stats.packets_lost), (0, 0), "{stats:?}");
            assert!(stats.round_trip.is_some(), "RTCP did not pass: {stats:?}");
        }
    }
}

#[test]
fn strangers_and_replays_are_counted_and_not_heard() {
    let [a, b] = keys(Suite::AES_CM_128_HMAC_SHA1_80, 1);
    let [_, stranger] = keys(Suite::AES_CM_128_HMAC_SHA1_80, 2);
    let mut call = Call::new([Some(&a), Some(&b)]);
    call.run(100);
    let rtp = call.wire.iter().find(|(from, channel, _)| (*from, *channel) == (0, Channel::Rtp)).unwrap();
    let octets = rtp.2.clone();
    call.give(0, Channel::Rtp, &octets);
    assert_eq!(
        (call.streams[1].stats().packets_replayed, call.streams[1].stats().packets_unauthentic),
        (1, 0)
    );
    // In the clear, under another key, and too long.
    let mut clear = octets[..172].to_vec();
    clear[3] ^= 0x40;
    call.give(0, Channel::Rtp, &clear);
    clear.resize(182, 0);
    let length = Outbound::new(&stranger.send, &SrtpConfig::default()).protect_rtp(&mut clear, 172).unwrap();
    call.give(0, Channel::Rtp, &clear[..length]);
    call.give(0, Channel::Rtp, &[0x80; 3000]);
    call.give(0, Channel::Rtcp, &[0x80, 203, 0, 1, 1, 2, 3, 4]);
    let stats = call.streams[1].stats();
    assert_eq!(
        (stats.packets_unauthentic, stats.packets_replayed, stats.packets_refused),
        (3, 1, 5),
        "{stats:?}"
    );
    assert!(!call.events.contains(&StreamEvent::Bye));
    call.run(10);
    assert!(call.hears(1));
}

#[test]
fn one_side_without_keys_hears_nothing() {
    let [a, _] = keys(Suite::AEAD_AES_128_GCM, 1);
    let mut call = Call::new([Some(&a), None]);
    call.run(200);
    assert!(!call.hears(0));
    assert_eq!(call.streams[0].stats().packets_received, 0);
    assert!(call.streams[0].stats().packets_unauthentic > 90);
}

/// A re-offer brings new keys. Neither side changes at the same moment, and no word is lost.
#[test]
fn new_keys_in_a_call() {
    let suite = Suite::AES_CM_128_HMAC_SHA1_80;
    let [[a, b], [new_a, new_b]] = [keys(suite, 1), keys(suite, 2)];
    let mut call = Call::new([Some(&a), Some(&b)]);
    call.run(100);
    // The same again changes nothing, not even the counters of the roll-over.
    call.streams[0].update(call.now, agreed(1, Some(&a)));
    call.run(100);
    // The answerer goes first; the offerer still sends under the old key, and takes the old one too.
    let half = SrtpKeys { send: b.send.clone(), receive: new_b.receive.clone() };
    call.streams[1].update(call.now, agreed(2, Some(&half)));
    call.run(20);
    assert_eq!(call.streams[1].stats().packets_refused, 0);
    call.streams[0].update(call.now, agreed(1, Some(&new_a)));
    call.streams[1].update(call.now, agreed(2, Some(&new_b)));
    call.run(300);
    for side in [0, 1] {
        let stats = call.streams[side].stats();
        assert_eq!((stats.packets_refused, stats.packets_lost), (0, 0), "{stats:?}");
        assert!(call.hears(side));
    }
    // Then the old key is no good any more.
    let mut old = [0x80, 0, 0, 1, 0, 0, 0, 0, 9, 9, 9, 9, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Outbound::new(&a.send, &SrtpConfig::default()).protect_rtp(&mut old, 16).unwrap();
    call.give(0, Channel::Rtp, &old);
    assert_eq!(call.streams[1].stats().packets_unauthentic, 1);
}

#[test]
fn the_end_of_a_key_is_told_once_and_then_nothing_is_sent() {
    let [mut a, mut b] = keys(Suite::AEAD_AES_256_GCM, 1);
    for key in [&mut a.send, &mut b.receive] {
        *key = key.clone().with_lifetime(200);
    }
    let mut call = Call::new([Some(&a), Some(&b)]);
    call.run(600);
    let told = call.events.iter().filter(|event| **event == StreamEvent::SrtpKeysEnding).count();
    // By the sender and by the receiver.
    assert_eq!(told, 2);
    assert_eq!(call.streams[1].stats().packets_received, 200);
    assert!(!call.wire.iter().any(|(from, channel, _)| (*from, *channel) == (0, Channel::Rtp)));
    // New keys, and it goes on.
    let [new_a, new_b] = keys(Suite::AEAD_AES_256_GCM, 2);
    call.streams[0].update(call.now, agreed(1, Some(&new_a)));
    call.streams[1].update(call.now, agreed(2, Some(&new_b)));
    call.run(100);
    assert!(call.hears(1));
}

/// Keys from elsewhere, as DTLS gives them, stay whatever SDP says; until they are there nothing passes in the clear.
#[test]
fn keys_that_are_given() {
    let [a, b] = keys(Suite::AES_CM_128_HMAC_SHA1_80, 1);
    let mut call = Call::new([None, None]);
    for (side, keys) in [(0, &a), (1, &b)] {
        call.streams[side].set_srtp(call.now, Some(keys));
        call.streams[side].update(call.now, agreed(side as u8 + 1, None));
    }
    call.run(100);
    assert!(call.hears(0) && call.hears(1));
    assert_eq!(call.streams[0].stats().srtp, Some(Suite::AES_CM_128_HMAC_SHA1_80));
    for side in [0, 1] {
        call.streams[side].set_srtp(call.now, None);
    }
    call.run(100);
    assert!(call.hears(0) && call.hears(1));
    assert_eq!(call.streams[0].stats().srtp, None);
}

/// Offer and answer with keys, and a call by them.
#[test]
fn a_call_as_sdp_agrees_on_it() {
    let side = |host: u8, suites: &[Suite]| {
        let local = LocalMedia::new([192, 0, 2, host].into(), 4000, [&pcmu::SPEC]);
        let sdes = Sdes::new(suites.iter().copied(), Rng::from_u64(host.into()));
        Negotiator::new(local, host.into()).with_srtp(SrtpPolicy::Compulsory, Some(sdes))
    };
    let (mut alice, mut bob) = (side(1, &Suite::ALL), side(2, &Suite::USUAL));
    let offer = alice.offer(Direction::SendRecv);
    let (answer, at_bob) = bob.answer(&offer, Direction::SendRecv).unwrap();
    let at_alice = alice.accept_answer(&answer).unwrap();
    assert!(String::from_utf8(answer).unwrap().contains("m=audio 4000 RTP/SAVP "));
    let mut call = Call::new([at_alice.srtp.as_ref(), at_bob.srtp.as_ref()]);
    call.run(100);
    assert!(call.hears(0) && call.hears(1));
    assert_eq!(call.streams[0].stats().srtp, Some(Suite::AES_CM_128_HMAC_SHA1_80));
}

#[test]
fn a_minute_of_an_encrypted_call_allocates_nothing() {
    for suite in [Suite::AES_CM_128_HMAC_SHA1_80, Suite::AEAD_AES_128_GCM] {
        let [a, b] = keys(suite, 1);
        let stream = |host: u8, keys| {
            let config =
                StreamConfig::new(agreed(host, Some(keys)), "phone@192.0.2.1", Rng::from_u64(host.into()));
            Stream::new(config)
        };
        let mut streams = [stream(1, &a), stream(2, &b)];
        let mut now = Instant::from_millis(1000);
        let mut run = |streams: &mut [Stream; 2], ticks: core::ops::Range<u64>| {
            for tick in ticks {
                now += TICK;
                let captured: [i16; 80] = core::array::from_fn(|i| sine(440.0, tick * 80 + i as u64));
                for (from, to) in [(0, 1), (1, 0)] {
                    streams[from].capture(now, &captured);
                    streams[from].playout(now, &mut [0; 80]);
                    if streams[from].poll_timeout().is_some_and(|at| at <= now) {
                        streams[from].handle_timeout(now);
                    }
                    let mut octets = [0; 1500];
                    while let Some(packet) = streams[from].poll_transmit() {
                        let (channel, length) = (packet.channel, packet.payload.len());
                        octets[..length].copy_from_slice(packet.payload);
                        // Some are changed on their way, some lost, some come twice.
                        octets[20] ^= u8::from(tick % 50 == 3);
                        for _ in 0..1 + usize::from(tick % 30 == 9) - usize::from(tick % 40 == 5) {
                            let source =
                                address(from as u8 + 1, if channel == Channel::Rtp { 4000 } else { 4001 });
                            match channel {
                                Channel::Rtp => streams[to].handle_rtp(now, source, &octets[..length]),
                                Channel::Rtcp => streams[to].handle_rtcp(now, source, &octets[..length]),
                            }
                        }
                    }
                    while streams[from].poll_event().is_some() {}
                }
            }
        };
        run(&mut streams, 0..100);
        let counted = allocation_counter::measure(|| run(&mut streams, 100..6100));
        assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
        let stats = streams[1].stats();
        assert!(
            stats.packets_received > 2700 && stats.packets_replayed > 50 && stats.packets_unauthentic > 50,
            "{stats:?}"
        );
        assert!(stats.round_trip.is_some(), "{stats:?}");
    }
}
