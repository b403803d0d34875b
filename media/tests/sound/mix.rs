//! In steady state conferences, pages and relays allocate nothing; and nothing that is done to a conference makes it
//! panic, clip or lose a leg.

use core::net::SocketAddr;
use proptest::prelude::*;
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::Channel;
use sidetone_media::mix::{LegConfig, LegId, Mixer, MixerConfig, SharedEncoder};
use sidetone_media::page::{ListenAddress, ListenConfig, PageListener, sender};
use sidetone_media::relay::{Party, Relay, Side};
use sidetone_media::srtp::{Inbound, MasterKey, Outbound, SrtpConfig, Suite};

fn allocations(run: impl FnOnce()) -> (u64, u64) {
    let counted = allocation_counter::measure(run);
    (counted.count_total, counted.bytes_total)
}

/// A second of a tone for each leg, in frames.
fn voice(leg: usize, samples: usize) -> Vec<i16> {
    let turn = |n: usize| (n as f64 * (0.05 + 0.001 * leg as f64)).sin() * (n as f64 / 3000.0).sin();
    (0..50 * samples).map(|n| (6000.0 * turn(n)) as i16).collect()
}

#[test]
fn a_bridge_of_500_legs_allocates_nothing() {
    let mut mixer = Mixer::new(MixerConfig::bridge(500)).unwrap();
    let legs: Vec<_> = (0..500).map(|_| mixer.join(LegConfig::new(8000)).unwrap()).collect();
    let voices: Vec<_> = (0..500).map(|leg| voice(leg, 160)).collect();
    let mut encoder = SharedEncoder::new(&[&pcmu::SPEC]);
    let (mut shared, mut own) = (0, 0);
    let mut run = |frames: core::ops::Range<usize>| {
        for n in frames {
            for (at, (leg, voice)) in legs.iter().zip(&voices).enumerate() {
                // Everybody has a turn, so speakers change.
                if (n + at) % 500 < 250 {
                    mixer.speak(*leg, &voice[n % 50 * 160..][..160]).unwrap();
                } else {
                    mixer.speak_with(*leg, |frame| frame.fill(0)).unwrap();
                }
            }
            mixer.set_muted(legs[n % 500], n % 3 == 0).unwrap();
            mixer.set_gain(legs[n % 500], (n % 4) as f32).unwrap();
            mixer.mix();
            for leg in &legs {
                if mixer.hear(*leg).unwrap().shared {
                    shared += usize::from(encoder.payload(&mixer, &pcmu::SPEC).is_some());
                } else {
                    own += 1;
                }
            }
        }
    };
    run(0..20);
    assert_eq!(allocations(|| run(20..120)), (0, 0));
    assert!(own > 500 && shared > 50_000, "{own} mixes of their own, {shared} shared");
}

#[test]
fn a_phone_with_mixed_rates_allocates_nothing() {
    let mut mixer = Mixer::new(MixerConfig::phone(16_000)).unwrap();
    let rates = [8000, 16_000, 48_000];
    let legs = rates.map(|rate| mixer.join(LegConfig::new(rate)).unwrap());
    let voices = rates.map(|rate| voice(1, rate as usize / 100));
    let mut run = |frames: core::ops::Range<usize>| {
        for n in frames {
            for ((leg, voice), rate) in legs.iter().zip(&voices).zip(rates) {
                let samples = rate as usize / 100;
                mixer.speak(*leg, &voice[n % 50 * samples..][..samples]).unwrap();
            }
            mixer.mix();
        }
    };
    run(0..20);
    assert_eq!(allocations(|| run(20..1020)), (0, 0));
}

#[test]
fn a_page_allocates_when_it_begins_and_then_nothing() {
    let address = "239.1.2.3:10008".parse().unwrap();
    let row = ListenAddress { address: Some(address), label: "all".into() };
    let mut listener = PageListener::new(ListenConfig::new(vec![row], 8000), Rng::from_u64(1)).unwrap();
    let mut page = sender(address, &pcmu::SPEC, 8000, Rng::from_u64(2)).unwrap();
    let source = SocketAddr::from(([192, 0, 2, 1], 4000));
    let (mut now, mut ear) = (Instant::from_millis(1000), [0; 80]);
    let mut run = |frames: usize| {
        for _ in 0..frames {
            now += Duration::from_millis(10);
            page.capture(now, &[1000; 80]);
            while let Some(packet) = page.poll_transmit() {
                listener.handle_rtp(now, 1, source, packet.payload);
            }
            listener.playout(now, &mut ear);
            while listener.poll_event().is_some() {}
        }
    };
    run(100);
    assert_eq!(allocations(|| run(1000)), (0, 0));
    assert!(ear[0].abs_diff(1000) < 40, "{}", ear[0]);
}

#[test]
fn a_relay_allocates_nothing_with_srtp_on_one_side() {
    let [a, b] = [1, 2].map(|host| SocketAddr::from(([192, 0, 2, host], 4000)));
    let key = MasterKey::new(Suite::AES_CM_128_HMAC_SHA1_80, &[1; 16], &[2; 14]).unwrap();
    let config = SrtpConfig::default();
    let mut encrypted = Party::new(b);
    encrypted.srtp = Some(Box::new((Inbound::new(&key, &config), Outbound::new(&key, &config))));
    let mut relay = Relay::new(Party::new(a), encrypted);
    let mut run = |packets: core::ops::Range<u16>| {
        for sequence in packets {
            let now = Instant::from_millis(u64::from(sequence) * 20);
            let mut buffer = [0; 300];
            (buffer[0], buffer[11]) = (0x80, 7);
            buffer[2..4].copy_from_slice(&sequence.to_be_bytes());
            let forward = relay.forward(now, Side::A, Channel::Rtp, a, &mut buffer, 172).unwrap();
            assert_eq!((forward.length, forward.destination), (182, b));
        }
    };
    run(0..10);
    assert_eq!(allocations(|| run(10..1000)), (0, 0));
}

/// What may be done to a conference.
#[derive(Clone, Debug)]
enum Act {
    Join(u32, u8),
    Leave(u8),
    Mute(u8, bool),
    Gain(u8, f32),
    Volume(u8, f32),
    Frames(u8, u16),
}

fn act() -> impl Strategy<Value = Act> {
    let rate = prop::sample::select(vec![8000_u32, 16_000, 32_000, 48_000]);
    prop_oneof![
        2 => (rate, any::<u8>()).prop_map(|(rate, gain)| Act::Join(rate, gain)),
        1 => any::<u8>().prop_map(Act::Leave),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(leg, muted)| Act::Mute(leg, muted)),
        1 => (any::<u8>(), -1.0_f32..9.0).prop_map(|(leg, gain)| Act::Gain(leg, gain)),
        1 => (any::<u8>(), 0.0_f32..8.0).prop_map(|(leg, volume)| Act::Volume(leg, volume)),
        5 => (1_u8..5, any::<u16>()).prop_map(|(frames, mask)| Act::Frames(frames, mask)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_done_nobody_is_lost_and_nothing_clips(
        acts in prop::collection::vec(act(), 1..60),
        speakers in 1_usize..8,
        seed in any::<u64>(),
    ) {
        let mut config = MixerConfig::phone(16_000);
        (config.speakers, config.max_legs) = (speakers, 6);
        let mut mixer = Mixer::new(config).unwrap();
        let mut rng = Rng::from_u64(seed);
        let mut legs: Vec<LegId> = Vec::new();
        for act in acts {
            let pick = |at: u8| legs.get(usize::from(at) % legs.len().max(1)).copied();
            match act {
                Act::Join(rate, gain) => {
                    let mut config = LegConfig::new(rate);
                    config.gain = f32::from(gain % 9);
                    match mixer.join(config) {
                        Ok(leg) => legs.push(leg),
                        Err(_) => prop_assert_eq!(legs.len(), 6),
                    }
                }
                Act::Leave(at) => {
                    if let Some(leg) = pick(at) {
                        mixer.leave(leg).unwrap();
                        legs.retain(|other| *other != leg);
                        prop_assert!(mixer.hear(leg).is_err());
                    }
                }
                Act::Mute(at, muted) => drop(pick(at).map(|leg| mixer.set_muted(leg, muted))),
                Act::Gain(at, gain) => {
                    if let Some(leg) = pick(at) {
                        prop_assert_eq!(mixer.set_gain(leg, gain).is_ok(), (0.0..=8.0).contains(&gain));
                    }
                }
                Act::Volume(at, volume) => drop(pick(at).map(|leg| mixer.set_volume(leg, volume))),
                Act::Frames(frames, mask) => {
                    for _ in 0..frames {
                        for (at, leg) in legs.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1) {
                            let loud = mask >> (8 + at) & 1 == 1;
                            mixer
                                .speak_with(*leg, |frame| {
                                    frame.fill_with(|| if loud { rng.next_u32() as i16 } else { i16::MIN });
                                })
                                .unwrap();
                        }
                        mixer.mix();
                        prop_assert_eq!(mixer.len(), legs.len());
                        for leg in &legs {
                            let heard = mixer.hear(*leg).unwrap();
                            prop_assert_eq!(heard.pcm.len(), mixer.frame_samples(*leg).unwrap());
                        }
                        // What is heard at the mix's own rate never reaches the edge; a resampler's filter may.
                        prop_assert!(mixer.shared().iter().all(|sample| sample.unsigned_abs() < 32_767));
                    }
                }
            }
        }
    }
}
