//! Two streams and the network between them, in virtual time.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use core::net::SocketAddr;
use sidetone_codecs::{CodecSpec, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::sim::{Fate, Link, LinkConfig};
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::{Channel, Negotiated, Stream, StreamConfig, StreamEvent};

pub const TICK: Duration = Duration::from_millis(10);

/// A sine with a peak of 8000, `at` samples of 8 kHz from the beginning.
pub fn sine(hertz: f64, at: u64) -> i16 {
    (8000.0 * (at as f64 * hertz * core::f64::consts::TAU / 8000.0).sin()) as i16
}

pub struct Phone {
    pub stream: Stream,
    pub rtp: SocketAddr,
    pub rtcp: SocketAddr,
    link: Link,
    /// What the microphone hears, by the number of the sample.
    pub mouth: Box<dyn Fn(u64) -> i16>,
    pub ear: Vec<i16>,
    pub events: Vec<StreamEvent>,
    pub rtp_sent: usize,
}

impl Phone {
    pub fn digits(&self) -> String {
        let digit = |event: &StreamEvent| match event {
            StreamEvent::Dtmf { digit, .. } => Some(*digit),
            _ => None,
        };
        self.events.iter().filter_map(digit).collect()
    }
}

struct Flying {
    at: Instant,
    number: usize,
    to: SocketAddr,
    from: SocketAddr,
    octets: Vec<u8>,
}

pub struct Call {
    pub now: Instant,
    pub phones: [Phone; 2],
    flying: Vec<Flying>,
    number: usize,
    ticks: u64,
}

pub fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new([192, 0, 2, host].into(), port)
}

pub fn negotiated(codec: &'static CodecSpec, remote: SocketAddr) -> Negotiated {
    Negotiated::new(codec, codec.payload_type.unwrap(), remote)
}

impl Call {
    pub fn new(seed: u64, link: LinkConfig) -> Self {
        Self::with(seed, link, |_| {})
    }

    pub fn with(seed: u64, link: LinkConfig, change: impl Fn(&mut Negotiated)) -> Self {
        let mut rng = Rng::from_u64(seed);
        let mut phone = |own: u8, other: u8| {
            let mut agreed = negotiated(&pcmu::SPEC, address(other, 4000));
            change(&mut agreed);
            Phone {
                stream: Stream::new(StreamConfig::new(
                    agreed,
                    format!("phone{own}@192.0.2.{own}"),
                    rng.fork(),
                )),
                rtp: address(own, 4000),
                rtcp: address(own, 4001),
                link: Link::new(link, rng.fork()),
                mouth: Box::new(|_| 0),
                ear: Vec::new(),
                events: Vec::new(),
                rtp_sent: 0,
            }
        };
        let phones = [phone(1, 2), phone(2, 1)];
        Self { now: Instant::from_millis(100_000), phones, flying: Vec::new(), number: 0, ticks: 0 }
    }

    /// What one phone sends goes another way from now on.
    pub fn set_link(&mut self, phone: usize, link: LinkConfig) {
        self.phones[phone].link = Link::new(link, Rng::from_u64(phone as u64 + 77));
    }

    pub fn run(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / 10 {
            self.tick();
        }
    }

    /// 10 ms: what flies arrives at its time, then both sound cards run.
    pub fn tick(&mut self) {
        let next = self.now + TICK;
        self.flying.sort_by_key(|packet| (packet.at, packet.number));
        while self.flying.first().is_some_and(|packet| packet.at <= next) {
            let packet = self.flying.remove(0);
            self.deliver(packet.at, packet.from, packet.to, &packet.octets);
        }
        self.now = next;
        for phone in &mut self.phones {
            let first = self.ticks * 80;
            let captured: Vec<i16> = (first..first + 80).map(|at| (phone.mouth)(at)).collect();
            let mut playout = [0; 80];
            phone.stream.capture(next, &captured);
            phone.stream.playout(next, &mut playout);
            phone.ear.extend(playout);
            if phone.stream.poll_timeout().is_some_and(|at| at <= next) {
                phone.stream.handle_timeout(next);
            }
            assert!(phone.stream.poll_timeout().is_none_or(|at| at > next), "timeouts are in the future");
        }
        self.ticks += 1;
        self.drain();
    }

    pub fn deliver(&mut self, at: Instant, from: SocketAddr, to: SocketAddr, octets: &[u8]) {
        for phone in &mut self.phones {
            if phone.rtp == to {
                phone.stream.handle_rtp(at, from, octets);
            } else if phone.rtcp == to {
                phone.stream.handle_rtcp(at, from, octets);
            }
        }
    }

    fn drain(&mut self) {
        for phone in &mut self.phones {
            while let Some(packet) = phone.stream.poll_transmit() {
                let from = if packet.channel == Channel::Rtp { phone.rtp } else { phone.rtcp };
                phone.rtp_sent += usize::from(packet.channel == Channel::Rtp);
                let Fate::Arrives { at, again } = phone.link.send(self.now, packet.payload.len()) else {
                    continue;
                };
                for at in [Some(at), again].into_iter().flatten() {
                    self.number += 1;
                    let (to, octets) = (packet.destination, packet.payload.to_vec());
                    self.flying.push(Flying { at, number: self.number, to, from, octets });
                }
            }
            while let Some(event) = phone.stream.poll_event() {
                phone.events.push(event);
            }
        }
    }
}
