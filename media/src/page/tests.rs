use super::*;
use crate::rtp::Packet;
use crate::tone::Goertzel;
use core::net::SocketAddr;
use sidetone_codecs::{g729, pcma, pcmu};
use sidetone_hal::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(10);
const TIMEOUT: Duration = Duration::from_secs(1);

fn source(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 4000))
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn packet(ssrc: u32, sequence: u16) -> Packet<'static> {
    let timestamp = u32::from(sequence) * 160;
    Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc, payload: &[0xff; 160] }
}

/// Pages of 20 ms packets: at each step a packet of every page in `on` comes.
struct Air {
    selector: Selector,
    now: Instant,
    sequence: u16,
}

impl Air {
    fn new(rules: PageRules) -> Self {
        Self { selector: Selector::new(10, rules, TIMEOUT), now: at(1000), sequence: 0 }
    }

    /// Runs `packets` steps; what was heard last, and all events.
    fn run(&mut self, packets: usize, on: &[Priority]) -> (Option<Priority>, Vec<PageEvent>) {
        for _ in 0..packets {
            self.now += 2 * TICK;
            self.sequence = self.sequence.wrapping_add(1);
            for page in on {
                let packet = packet(u32::from(*page), self.sequence);
                let fate = self.selector.handle(self.now, *page, source(*page), &packet);
                let heard = fate != PacketFate::Drop;
                assert_eq!(heard, self.selector.playing() == Some(*page), "page {page}: {fate:?}");
            }
            self.selector.handle_timeout(self.now);
        }
        (self.selector.playing(), core::iter::from_fn(|| self.selector.poll_event()).collect())
    }

    fn call(&mut self, call: bool) {
        self.selector.set_phone(self.now, PhoneState { call, ..PhoneState::default() });
    }
}

const fn started(priority: Priority) -> PageEvent {
    PageEvent::Started {
        priority,
        source: SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, priority)), 4000),
    }
}

fn ignored(priority: Priority, reason: Ignored) -> PageEvent {
    PageEvent::Ignored { priority, source: source(priority), reason }
}

const fn ended(priority: Priority, reason: PageEnd) -> PageEvent {
    PageEvent::Ended { priority, reason }
}

#[test]
fn a_page_plays_until_its_sender_stops() {
    let mut air = Air::new(PageRules::default());
    assert_eq!(air.run(1, &[3]), (None, vec![]), "one packet is no page");
    assert_eq!(air.run(1, &[3]), (Some(3), vec![started(3)]));
    assert_eq!(air.run(100, &[3]), (Some(3), vec![]));
    assert_eq!(air.selector.poll_timeout(), Some(air.now + TIMEOUT));
    assert_eq!(air.run(49, &[]), (Some(3), vec![]), "980 ms of nothing");
    assert_eq!(air.run(1, &[]), (None, vec![ended(3, PageEnd::Stopped)]));
    assert_eq!(air.selector.poll_timeout(), None);
    assert_eq!(air.run(2, &[3]).0, Some(3), "the next page");
}

#[test]
fn during_a_page_a_higher_one_takes_over_and_gives_back() {
    let mut air = Air::new(PageRules::default());
    air.run(10, &[5]);
    assert_eq!(air.run(10, &[5, 7]), (Some(5), vec![ignored(7, Ignored::Page)]), "told once");
    assert_eq!(
        air.run(10, &[5, 7, 2]),
        (Some(2), vec![ended(5, PageEnd::Replaced { by: 2 }), started(2), ignored(5, Ignored::Page)])
    );
    // When it is over the next in order plays from where it is: 5 comes before 7 in the list of this test.
    let (playing, events) = air.run(60, &[5, 7]);
    assert_eq!(playing, Some(5));
    assert_eq!(events[..2], [ended(2, PageEnd::Stopped), started(5)]);
}

#[test]
fn with_paging_priority_inactive_no_page_takes_over() {
    let mut air = Air::new(PageRules { priority_active: false, ..PageRules::default() });
    air.run(10, &[5]);
    assert_eq!(
        air.run(10, &[5, 1, 9]),
        (Some(5), vec![ignored(1, Ignored::Page), ignored(9, Ignored::Page)])
    );
}

#[test]
fn during_a_call_barge_decides() {
    let mut air = Air::new(PageRules { barge: Barge::Priority(4), ..PageRules::default() });
    air.call(true);
    assert_eq!(air.run(10, &[5]), (None, vec![ignored(5, Ignored::Call)]));
    assert_eq!(air.run(10, &[5, 4]), (Some(4), vec![started(4)]), "equal is played");
    assert_eq!(air.run(10, &[5, 4, 3]).0, Some(3), "a page in a call gives way to a higher one");
    // The call ends while 5 is still there: it is heard now.
    air.call(false);
    assert_eq!(air.run(60, &[5]).0, Some(5));
    // And a call that begins ends the page that is too low for it.
    air.call(true);
    assert_eq!(air.run(1, &[5]).1, [ended(5, PageEnd::Refused(Ignored::Call)), ignored(5, Ignored::Call)]);
}

#[test]
fn with_barge_disabled_a_call_is_never_disturbed_and_ignore_all_ignores_all() {
    let mut air = Air::new(PageRules { barge: Barge::Disabled, ..PageRules::default() });
    assert_eq!(air.run(2, &[1]).0, Some(1));
    air.call(true);
    assert_eq!(air.run(10, &[1]).1, [ended(1, PageEnd::Refused(Ignored::Call)), ignored(1, Ignored::Call)]);
    air.selector.set_rules(air.now, PageRules { ignore_all: true, ..PageRules::default() });
    air.call(false);
    assert_eq!(air.run(10, &[1]), (None, vec![ignored(1, Ignored::All)]));
}

#[test]
fn our_own_page_and_do_not_disturb() {
    let mut air = Air::new(PageRules { do_not_disturb: Barge::Priority(1), ..PageRules::default() });
    air.run(5, &[2]);
    air.selector.set_phone(air.now, PhoneState { sending: true, ..PhoneState::default() });
    assert_eq!(
        air.run(5, &[2]),
        (None, vec![ended(2, PageEnd::Refused(Ignored::Sending)), ignored(2, Ignored::Sending)])
    );
    air.selector.set_phone(air.now, PhoneState { do_not_disturb: true, ..PhoneState::default() });
    assert_eq!(air.run(5, &[2]), (None, vec![ignored(2, Ignored::DoNotDisturb)]));
    assert_eq!(air.run(5, &[2, 1]).0, Some(1));
}

#[test]
fn a_dismissed_page_stays_silent_until_its_sender_pauses() {
    let mut air = Air::new(PageRules::default());
    air.run(10, &[3]);
    air.selector.dismiss(air.now);
    assert_eq!(air.run(100, &[3]), (None, vec![ended(3, PageEnd::Dismissed)]));
    assert_eq!(air.run(5, &[3, 8]), (Some(8), vec![started(8)]), "others are heard");
    air.run(100, &[]);
    assert_eq!(air.run(5, &[3]).0, Some(3));
}

#[test]
fn of_two_senders_at_one_address_the_first_counts() {
    let mut selector = Selector::new(1, PageRules::default(), TIMEOUT);
    for n in 0..100_u16 {
        let now = at(1000 + u64::from(n) * 20);
        let first = selector.handle(now, 1, source(1), &packet(11, n));
        assert_eq!(first == PacketFate::Drop, n == 0);
        assert_eq!(selector.handle(now, 1, source(2), &packet(22, n)), PacketFate::Drop);
    }
    // The first stops: the second is heard when the time is over.
    let fates: Vec<_> = (100..200_u16)
        .map(|n| selector.handle(at(1000 + u64::from(n) * 20), 1, source(2), &packet(22, n)))
        .collect();
    let begin = fates.iter().position(|fate| *fate == PacketFate::Begin);
    assert_eq!(begin, Some(50), "1 s and a second packet");
    // A stray packet holds nobody up.
    let mut selector = Selector::new(1, PageRules::default(), TIMEOUT);
    selector.handle(at(1000), 1, source(9), &packet(9, 0));
    selector.handle(at(1100), 1, source(1), &packet(1, 0));
    assert_eq!(selector.handle(at(1120), 1, source(1), &packet(1, 1)), PacketFate::Begin);
    // What is not in the list is not listened to.
    assert_eq!(selector.handle(at(1120), 2, source(1), &packet(1, 2)), PacketFate::Drop);
    assert_eq!(selector.handle(at(1120), 0, source(1), &packet(1, 2)), PacketFate::Drop);
}

fn row(address: &str, label: &str) -> ListenAddress {
    ListenAddress { address: Some(address.parse().unwrap()), label: label.to_owned() }
}

#[test]
fn the_list_of_addresses() {
    let gap = ListenAddress { address: None, label: String::new() };
    let rows = vec![
        row("224.5.6.20:10008", "Paging1"),
        gap,
        row("224.5.6.21:10008", "Fire"),
        row("224.5.6.20:10008", "again"),
    ];
    let listener = PageListener::new(ListenConfig::new(rows, 8000), Rng::from_u64(1)).unwrap();
    let addresses: Vec<_> =
        listener.addresses().map(|(priority, address)| (priority, address.to_string())).collect();
    assert_eq!(addresses, [(1, "224.5.6.20:10008".to_owned()), (3, "224.5.6.21:10008".to_owned())]);
    assert_eq!((listener.label(3), listener.label(0), listener.label(9)), (Some("Fire"), None, None));
    let many = |count| ListenConfig::new(vec![row("224.5.6.20:10008", ""); count], 8000);
    assert!(PageListener::new(many(31), Rng::from_u64(1)).is_ok());
    assert_eq!(PageListener::new(many(32), Rng::from_u64(1)).unwrap_err(), PageError::TooMany(32));
    let odd = ListenConfig { pcm_rate: 11_025, ..many(1) };
    assert_eq!(PageListener::new(odd, Rng::from_u64(1)).unwrap_err(), PageError::Rate(11_025));
    let address = "224.5.6.20:10008".parse().unwrap();
    let ilbc = sender(address, &sidetone_codecs::ilbc::SPEC, 8000, Rng::from_u64(1));
    assert_eq!(ilbc.unwrap_err(), PageError::Codec("iLBC"));
}

/// One phone pages, another listens; the share of the tone in what it plays.
fn hear(codec: &'static CodecSpec, rates: (u32, u32)) -> f32 {
    let address: PageAddress = "224.5.6.20:10008".parse().unwrap();
    let mut sender = sender(address, codec, rates.0, Rng::from_u64(1)).unwrap();
    let config = ListenConfig::new(vec![row("224.5.6.20:10008", "")], rates.1);
    let mut listener = PageListener::new(config, Rng::from_u64(2)).unwrap();
    let mut now = at(1000);
    let mut goertzel = Goertzel::new(rates.1, 500.0);
    for n in 0..200_u32 {
        let sine = |i: u32| {
            (f64::from(n * rates.0 / 100 + i) * 500.0 * core::f64::consts::TAU / f64::from(rates.0)).sin()
        };
        let microphone: Vec<i16> = (0..rates.0 / 100).map(|i| (8000.0 * sine(i)) as i16).collect();
        sender.capture(now, &microphone);
        while let Some(transmit) = sender.poll_transmit() {
            assert_eq!((transmit.destination, transmit.channel), (address.socket(), crate::Channel::Rtp));
            let datagram = transmit.payload.to_vec();
            listener.handle_rtp(now, 1, source(1), &datagram);
        }
        let mut ear = vec![0; (rates.1 / 100) as usize];
        let plays = listener.playout(now, &mut ear);
        assert_eq!(plays, n >= 3);
        if n >= 100 {
            goertzel.add(&ear);
        }
        now += TICK;
    }
    assert_eq!(listener.stats().unwrap().packets_received, 99);
    // Over: silence.
    now += TIMEOUT;
    let mut ear = vec![1; 80];
    assert!(!listener.playout(now, &mut ear) && ear == [0; 80]);
    assert_eq!(listener.poll_event(), Some(PageEvent::Started { priority: 1, source: source(1) }));
    assert_eq!(listener.poll_event(), Some(PageEvent::Ended { priority: 1, reason: PageEnd::Stopped }));
    goertzel.share()
}

#[test]
fn pages_are_heard_in_every_codec_and_at_every_rate() {
    for codec in [&pcmu::SPEC, &pcma::SPEC, &g729::SPEC] {
        let share = hear(codec, (8000, 8000));
        assert!(share > 0.98, "{codec:?}: {share}");
    }
    for rates in [(16_000, 48_000), (48_000, 8000), (8000, 16_000)] {
        let share = hear(&pcmu::SPEC, rates);
        assert!(share > 0.98, "{rates:?}: {share}");
    }
}

#[test]
fn what_is_no_page_is_counted_and_dropped() {
    let config = ListenConfig::new(vec![row("224.5.6.20:10008", "")], 8000);
    let mut listener = PageListener::new(config, Rng::from_u64(2)).unwrap();
    let mut dynamic = [0; 40];
    let unknown = Packet { payload_type: 97, ..packet(1, 1) };
    let length = Packet { payload: &[0; 20], ..unknown }.write(&mut dynamic).unwrap();
    for n in 0..10 {
        listener.handle_rtp(at(1000 + n), 1, source(1), &dynamic[..length]);
        listener.handle_rtp(at(1000 + n), 1, source(1), b"noise");
    }
    assert_eq!((listener.refused(), listener.playing(), listener.poll_event()), (20, None, None));
}
