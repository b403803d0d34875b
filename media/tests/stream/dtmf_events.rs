//! Telephone events over a bad network (RFC 4733): every digit once, in order, and as long as it was.

use core::time::Duration;
use proptest::prelude::*;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_media::dtmf::{DtmfReceiver, DtmfSendConfig, DtmfSender, EventPacket, FLASH, HeardEvent};

/// What is sent in packets of `ptime` milliseconds, until nothing is left, with the time of each.
fn sent(sender: &mut DtmfSender, ptime: u32, mut stamp: u32) -> Vec<(u64, EventPacket)> {
    let ticks = sender.config().clock / 1000 * ptime;
    let mut packets = Vec::new();
    for tick in 0_u64.. {
        if !sender.is_busy() {
            break;
        }
        packets.extend(
            sender.packet(stamp, stamp.wrapping_add(ticks)).map(|packet| (tick * u64::from(ptime), packet)),
        );
        stamp = stamp.wrapping_add(ticks);
    }
    packets
}

fn heard(receiver: &mut DtmfReceiver, arrivals: &[(u64, EventPacket)]) -> Vec<HeardEvent> {
    let mut events = Vec::new();
    for (at, packet) in arrivals {
        let now = Instant::from_millis(*at);
        events.extend(receiver.handle_event_timeout(now));
        events.extend(receiver.receive_event(now, packet.timestamp, &packet.event.to_bytes()));
    }
    events.extend(receiver.handle_event_timeout(Instant::MAX));
    events
}

#[test]
fn every_clock_says_the_same_durations_and_long_ones_go_in_segments() {
    for clock in [8000, 16_000, 48_000] {
        let mut sender =
            DtmfSender::with_config(DtmfSendConfig { clock, volume: 7, ..DtmfSendConfig::default() });
        assert!(sender.push('5', Duration::from_millis(100)));
        assert!(sender.push('#', Duration::from_secs(20)));
        assert!(sender.push_event(FLASH, Duration::from_millis(300)));
        // The timestamps wrap within the long one.
        let packets = sent(&mut sender, 20, u32::MAX - clock * 5);
        let longest = packets.iter().map(|(_, packet)| packet.event.duration).max();
        assert_eq!(longest, Some(0xffff), "{clock}");
        assert_eq!(packets.iter().filter(|(_, packet)| packet.marker).count(), 3);
        assert_eq!(packets.iter().filter(|(_, packet)| packet.event.end).count(), 9);
        // A segment that is not the last has no end (RFC 4733 §2.5.1.3).
        assert!(packets.iter().all(|(_, packet)| packet.event.duration != 0xffff || !packet.event.end));
        let mut receiver = DtmfReceiver::new();
        receiver.set_clock(clock);
        let told: Vec<_> = heard(&mut receiver, &packets)
            .iter()
            .map(|e| (e.code, e.duration.as_millis(), e.volume))
            .collect();
        assert_eq!(told, [(5, 100, 7), (11, 20_000, 7), (FLASH, 300, 7)], "{clock}");
    }
}

#[test]
fn ends_and_gaps_are_as_set() {
    for (ends, expected) in [(0, 1), (1, 1), (2, 2), (3, 3), (9, 3)] {
        let gap = Duration::from_millis(120);
        let mut sender = DtmfSender::with_config(DtmfSendConfig { ends, gap, ..DtmfSendConfig::default() });
        assert!(sender.push('1', Duration::from_millis(60)) && sender.push('2', Duration::from_millis(60)));
        let packets = sent(&mut sender, 20, 0);
        assert_eq!(packets.iter().filter(|(_, packet)| packet.event.end).count(), 2 * expected);
        let begins: Vec<u64> =
            packets.iter().filter(|(_, packet)| packet.marker).map(|(at, _)| *at).collect();
        assert_eq!(begins, [0, 180], "60 ms of digit and 120 of pause");
    }
}

#[test]
fn a_key_that_is_held_is_updated_until_it_is_let_go() {
    let mut sender = DtmfSender::new();
    assert!(sender.press('7') && !sender.press('8'));
    let mut packets = Vec::new();
    for tick in 0..1000_u32 {
        if tick == 900 {
            sender.release();
        }
        packets
            .extend(sender.packet(tick * 160, (tick + 1) * 160).map(|packet| (u64::from(tick) * 20, packet)));
    }
    assert!(!sender.is_busy());
    let told = heard(&mut DtmfReceiver::new(), &packets);
    assert_eq!(told.iter().map(|e| (e.code, e.duration.as_millis())).collect::<Vec<_>>(), [(7, 18_000)]);
    // Let go before it began: it is heard nonetheless, for 40 ms.
    assert!(sender.press('*'));
    sender.release();
    let told = heard(&mut DtmfReceiver::new(), &sent(&mut sender, 20, 0));
    assert_eq!(told.iter().map(|e| (e.code, e.duration.as_millis())).collect::<Vec<_>>(), [(10, 40)]);
}

#[test]
fn what_sounds_is_known_while_it_does() {
    let mut sender = DtmfSender::new();
    sender.push('3', Duration::from_millis(100));
    let mut receiver = DtmfReceiver::new();
    for (at, packet) in sent(&mut sender, 20, 0) {
        let now = Instant::from_millis(at);
        receiver.receive_event(now, packet.timestamp, &packet.event.to_bytes());
        assert_eq!(receiver.sounding().map(|event| event.code), (!packet.event.end).then_some(3));
    }
}

#[test]
fn a_whole_segment_may_be_lost() {
    let mut sender = DtmfSender::new();
    sender.push('4', Duration::from_secs(30));
    let packets = sent(&mut sender, 20, 0);
    // All of the second segment; its sender's pause is not one of the key, for other packets (of speech) tell the time.
    let second = packets.iter().map(|(_, packet)| packet.timestamp).find(|stamp| *stamp > 0).unwrap();
    let kept: Vec<_> = packets
        .into_iter()
        .filter(|(_, packet)| packet.timestamp != second)
        .map(|(at, packet)| {
            // They came late, in one go.
            (at.min(8200), packet)
        })
        .collect();
    let told = heard(&mut DtmfReceiver::new(), &kept);
    assert_eq!(told.iter().map(|e| (e.code, e.duration.as_secs())).collect::<Vec<_>>(), [(4, 30)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn digits_come_once_and_in_order_whatever_is_lost_late_or_repeated(
        seed in any::<u64>(), loss in 0.0..0.15_f64, spread in 0_u32..50, stamp in any::<u32>(),
        digits in "[0-9*#A-D]{1,20}", millis in 60_u64..200,
    ) {
        let mut rng = Rng::from_u64(seed);
        let mut sender = DtmfSender::new();
        for digit in digits.chars() {
            prop_assert!(sender.push(digit, Duration::from_millis(millis)));
        }
        let packets = sent(&mut sender, 20, stamp);
        // Enough of each digit comes to be heard: one packet at least.
        let mut arrivals: Vec<(u64, EventPacket)> = Vec::new();
        for (at, packet) in &packets {
            for _ in 0..=u32::from(rng.chance(0.1)) {
                if !rng.chance(loss) {
                    arrivals.push((at + u64::from(rng.below(spread + 1)), *packet));
                }
            }
        }
        let came = |stamp: u32| arrivals.iter().any(|(_, packet)| packet.timestamp == stamp);
        let mut stamps: Vec<u32> = packets.iter().map(|(_, packet)| packet.timestamp).collect();
        stamps.dedup();
        let expected: String = digits.chars().zip(&stamps).filter(|(_, stamp)| came(**stamp)).map(|(d, _)| d).collect();
        arrivals.sort_by_key(|(at, _)| *at);
        let told: String =
            heard(&mut DtmfReceiver::new(), &arrivals).iter().filter_map(|event| event.digit()).map(|d| d.digit).collect();
        prop_assert_eq!(told, expected);
    }

    #[test]
    fn nonsense_is_no_reason_to_stop(
        packets in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..8), any::<u16>()), 0..60),
        clock in any::<u32>(),
    ) {
        let mut receiver = DtmfReceiver::new();
        receiver.set_clock(clock);
        let mut now = Instant::ZERO;
        for (stamp, payload, wait) in packets {
            now += Duration::from_millis(wait.into());
            receiver.handle_event_timeout(now);
            receiver.receive_event(now, stamp, &payload);
            receiver.receive(now, stamp, &payload);
        }
    }
}
