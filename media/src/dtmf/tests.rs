//! Events, sent and heard.

use super::event::Event;
use super::*;
use core::time::Duration;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;

/// Ticks of the pause between two digits.
const PAUSE: u32 = 480;

/// What a sender with packets of 20 ms sends until it is done.
fn sent(digits: &str, duration: Duration) -> Vec<(u32, EventPacket)> {
    let mut sender = DtmfSender::new();
    assert!(digits.chars().all(|digit| sender.push(digit, duration)));
    let (mut packets, mut stamp) = (Vec::new(), 1000_u32);
    while sender.is_busy() {
        packets.extend(sender.packet(stamp, stamp + 160).map(|packet| (stamp, packet)));
        stamp += 160;
    }
    packets
}

#[test]
fn a_digit_is_five_updates_the_last_an_end_that_is_repeated_twice() {
    let packets: Vec<_> =
        sent("5", Duration::from_millis(100)).into_iter().map(|(_, packet)| packet).collect();
    assert!(packets.iter().all(|packet| packet.timestamp == 1000 && packet.event.code == 5));
    let said: Vec<_> = packets.iter().map(|p| (p.marker, p.event.end, p.event.duration)).collect();
    assert_eq!(
        said,
        [
            (true, false, 160),
            (false, false, 320),
            (false, false, 480),
            (false, false, 640),
            (false, true, 800),
            (false, true, 800),
            (false, true, 800)
        ]
    );
    assert_eq!(packets[4].event.to_bytes(), [5, 0x8a, 3, 32]);
    assert_eq!(Event::parse(&packets[4].event.to_bytes()), Some(packets[4].event));
}

#[test]
fn two_digits_are_apart_by_a_pause() {
    let packets = sent("11", Duration::from_millis(40));
    let begins: Vec<u32> = packets.iter().filter(|(_, p)| p.marker).map(|(at, _)| *at).collect();
    assert_eq!(begins.len(), 2);
    assert!(begins[1] - begins[0] >= 320 + PAUSE);
}

#[test]
fn all_sixteen_are_known_and_no_other() {
    for (code, digit) in "0123456789*#ABCD".chars().enumerate() {
        assert_eq!((event_of(digit), digit_of(code as u8)), (Some(code as u8), Some(digit)));
    }
    assert_eq!((event_of('d'), event_of('E'), event_of(' ')), (Some(15), None, None));
    let mut sender = DtmfSender::new();
    assert!(!sender.push('x', Duration::from_millis(100)));
    assert_eq!((0..40).filter(|_| sender.push('1', Duration::ZERO)).count(), 32);
}

#[test]
fn a_long_digit_goes_on_in_segments_and_is_heard_as_one() {
    let mut receiver = DtmfReceiver::new();
    let packets = sent("7", Duration::from_secs(20));
    assert_eq!(packets.iter().filter(|(_, p)| p.marker).count(), 1);
    let mut heard = Vec::new();
    for (at, packet) in &packets {
        let now = Instant::from_millis(u64::from(*at) / 8);
        heard.extend(receiver.receive(now, packet.timestamp, &packet.event.to_bytes()));
    }
    assert_eq!(heard, [Digit { digit: '7', duration: Duration::from_secs(20) }]);
}

#[test]
fn every_digit_is_heard_once_whatever_the_network_does() {
    let digits = "0123456789*#ABCD1122";
    for seed in 0..200 {
        let mut rng = Rng::from_u64(seed);
        let mut arrivals = Vec::new();
        for (at, packet) in sent(digits, Duration::from_millis(80)) {
            for _ in 0..=u32::from(rng.chance(0.1)) {
                if !rng.chance(0.1) {
                    arrivals.push((u64::from(at) / 8 + u64::from(rng.below(40)), packet));
                }
            }
        }
        arrivals.sort_by_key(|(at, _)| *at);
        let mut receiver = DtmfReceiver::new();
        let mut heard = String::new();
        for (at, packet) in arrivals {
            let now = Instant::from_millis(at);
            heard.extend(receiver.handle_timeout(now).map(|digit| digit.digit));
            let digit = receiver.receive(now, packet.timestamp, &packet.event.to_bytes());
            heard.extend(digit.map(|digit| digit.digit));
        }
        heard.extend(receiver.handle_timeout(Instant::MAX).map(|digit| digit.digit));
        assert_eq!(heard, digits, "seed {seed}");
    }
}

#[test]
fn a_lost_end_is_made_up_for_and_a_late_one_not_heard_again() {
    let mut receiver = DtmfReceiver::new();
    let update = Event { code: 3, end: false, volume: 10, duration: 400 };
    assert_eq!(receiver.receive(Instant::from_millis(50), 9, &update.to_bytes()), None);
    assert_eq!(receiver.poll_timeout(), Some(Instant::from_millis(200)));
    assert_eq!(receiver.handle_timeout(Instant::from_millis(199)), None);
    let digit = Digit { digit: '3', duration: Duration::from_millis(50) };
    assert_eq!(receiver.handle_timeout(Instant::from_millis(200)), Some(digit));
    let end = Event { end: true, ..update };
    assert_eq!(receiver.receive(Instant::from_millis(210), 9, &end.to_bytes()), None);
    assert_eq!(receiver.poll_timeout(), None);
    assert_eq!(receiver.receive(Instant::from_millis(220), 10, &[16, 0x80, 0, 9]), None);
    assert_eq!(receiver.receive(Instant::from_millis(220), 10, &[1, 0x80, 0]), None);
}
