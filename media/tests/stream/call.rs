//! Two streams over a bad network: what is heard, how late, and what is counted.

use crate::common::{Call, Phone, address, negotiated, sine};
use sidetone_codecs::{CodecSpec, amr, g729, g7231, ilbc, pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::sim::LinkConfig;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::rtp::Packet;
use sidetone_media::tone::Goertzel;
use sidetone_media::{Channel, Direction, Negotiated, Stream, StreamConfig, StreamEvent};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn link(loss: f64, jitter: u64) -> LinkConfig {
    LinkConfig { loss, jitter: ms(jitter), ..LinkConfig::with_latency(ms(20)) }
}

/// The share of 50 ms windows in which `hertz` is nearly all that is heard.
fn share_of_windows(ear: &[i16], hertz: f32) -> f64 {
    let clean = ear.chunks_exact(400).filter(|window| {
        let mut goertzel = Goertzel::new(8000, hertz);
        goertzel.add(window);
        goertzel.share() > 0.8 && goertzel.level() > 5000.0
    });
    clean.count() as f64 / (ear.len() / 400) as f64
}

/// When the first loud sample is heard after the first was spoken.
fn delay_of_onset(phone: &Phone, spoken: usize) -> Duration {
    let heard = phone.ear.iter().position(|sample| sample.unsigned_abs() > 2000).expect("something is heard");
    // Sample n is in the air at n/8 ms for the microphone, whose frame is handed over 10 ms after it began; the
    // loudspeaker's frame begins when it is handed over.
    ms((heard - spoken) as u64 / 8 + 10)
}

#[test]
fn a_tone_survives_five_percent_loss_and_40_ms_of_jitter() {
    for seed in 0..5 {
        let mut call = Call::new(seed, link(0.05, 40));
        call.phones[0].mouth = Box::new(|at| sine(1000.0, at));
        call.phones[1].mouth = Box::new(|at| sine(440.0, at));
        call.run(ms(30_000));
        for (phone, hertz) in call.phones.iter().zip([440.0, 1000.0]) {
            let stats = phone.stream.stats();
            let clean = share_of_windows(&phone.ear[8000..], hertz);
            let concealed = stats.concealed.as_secs_f64() / stats.played.as_secs_f64();
            println!(
                "seed {seed}, {hertz} Hz: clean windows {clean:.3}, concealed {concealed:.3}, lost {}, late {}, delay {:?}",
                stats.packets_lost, stats.packets_late, stats.playout_delay
            );
            assert!(clean > 0.97, "seed {seed}: {clean}");
            assert!((0.03..0.09).contains(&concealed), "seed {seed}: {stats:?}");
            assert!((40..=120).contains(&stats.packets_lost), "{stats:?}");
            assert!((ms(5)..=ms(40)).contains(&stats.jitter), "{stats:?}");
            assert!(stats.playout_delay <= ms(80), "{stats:?}");
        }
    }
}

#[test]
fn on_a_good_network_nothing_is_missing_and_the_delay_is_at_most_50_ms() {
    let mut call = Call::new(1, LinkConfig::with_latency(Duration::ZERO));
    // After 5 s of quiet speech the buffer has learned; then the tone.
    let spoken = 40_000;
    call.phones[0].mouth = Box::new(move |at| if at < spoken { (at % 7) as i16 } else { sine(1000.0, at) });
    call.run(ms(10_000));
    let delay = delay_of_onset(&call.phones[1], spoken as usize);
    let stats = call.phones[1].stream.stats();
    println!("mouth to ear {delay:?} at 20 ms packets and no jitter");
    assert!(delay <= ms(50), "{delay:?}");
    assert_eq!((stats.packets_lost, stats.packets_late, stats.concealed), (0, 0, Duration::ZERO));
    assert!(stats.packets_received >= 499);
}

#[test]
fn digits_arrive_once_each_under_ten_percent_loss() {
    let link = LinkConfig { duplicate: 0.05, reorder: 0.05, ..link(0.1, 30) };
    for seed in 0..20 {
        let mut call = Call::new(seed, link);
        call.phones[0].mouth = Box::new(|at| sine(300.0, at));
        call.run(ms(500));
        for (phone, digits) in [(0, "1234567890*#ABCD"), (1, "5551122#")] {
            let now = call.now;
            assert!(digits.chars().all(|d| call.phones[phone].stream.send_dtmf(now, d, ms(100))));
        }
        call.run(ms(5000));
        assert_eq!(call.phones[1].digits(), "1234567890*#ABCD", "seed {seed}");
        assert_eq!(call.phones[0].digits(), "5551122#", "seed {seed}");
        let long = call.phones[1].events.iter().filter_map(|event| match event {
            StreamEvent::Dtmf { duration, .. } => Some(*duration),
            _ => None,
        });
        assert!(long.clone().all(|duration| (ms(20)..=ms(100)).contains(&duration)));
        assert!(long.filter(|duration| *duration == ms(100)).count() >= 14);
    }
}

#[test]
fn digits_sound_in_the_speech_where_events_are_not_taken() {
    let mut call = Call::with(3, LinkConfig::default(), |agreed| agreed.dtmf_payload_type = None);
    call.phones[0].mouth = Box::new(|at| sine(300.0, at));
    call.run(ms(1000));
    let now = call.now;
    assert!(call.phones[0].stream.send_dtmf(now, '5', ms(200)));
    let from = call.phones[1].ear.len();
    call.run(ms(600));
    let heard = &call.phones[1].ear[from..];
    let found = heard.chunks_exact(400).filter(|window| {
        [770.0, 1336.0].iter().all(|hertz| sidetone_media::tone::level(window, 8000, *hertz) > 4000.0)
    });
    let found = found.count();
    assert!((2..=4).contains(&found), "{found} windows of 50 ms");
    assert_eq!(call.phones[1].digits(), "5", "where no events are agreed on, the speech is listened to");
}

#[test]
fn hold_stops_both_ways_and_resume_starts_them_again() {
    let mut call = Call::new(4, link(0.0, 5));
    call.phones[0].mouth = Box::new(|at| sine(1000.0, at));
    call.phones[1].mouth = Box::new(|at| sine(1000.0, at));
    call.run(ms(2000));
    let resumed: Vec<_> = call.phones.iter().map(|phone| phone.stream.negotiated().clone()).collect();
    for (phone, agreed) in call.phones.iter_mut().zip(&resumed) {
        let mut held = agreed.clone();
        held.direction = Direction::Inactive;
        phone.stream.update(call.now, held);
    }
    call.run(ms(100));
    let sent = call.phones.each_ref().map(|phone| phone.rtp_sent);
    call.phones.iter_mut().for_each(|phone| phone.ear.clear());
    call.run(ms(3000));
    for (phone, sent) in call.phones.iter_mut().zip(sent) {
        assert_eq!(phone.rtp_sent, sent);
        assert!(phone.ear.iter().all(|sample| *sample == 0));
        assert!(!phone.stream.send_dtmf(call.now, '1', ms(100)), "nothing is sent on hold");
        phone.ear.clear();
    }
    for (phone, agreed) in call.phones.iter_mut().zip(resumed) {
        phone.stream.update(call.now, agreed);
    }
    call.run(ms(2000));
    for phone in &call.phones {
        let clean = share_of_windows(&phone.ear[1600..], 1000.0);
        assert!(clean > 0.95, "{clean}");
        assert_eq!(phone.stream.stats().concealed, Duration::ZERO);
    }
}

#[test]
fn the_codec_and_the_packet_time_change_in_the_call() {
    let mut call = Call::new(5, link(0.0, 5));
    call.phones[0].mouth = Box::new(|at| sine(1000.0, at));
    call.run(ms(1000));
    for (codec, ptime, packets) in [(&pcma::SPEC, 60, 33), (&pcmu::SPEC, 10, 200), (&pcma::SPEC, 30, 66)] {
        for (phone, other) in call.phones.iter_mut().zip([2, 1]) {
            let mut agreed = negotiated(codec, address(other, 4000));
            agreed.ptime = ptime;
            // What is still under way under the old number is taken too.
            agreed.receive.extend(phone.stream.negotiated().receive.clone());
            phone.stream.update(call.now, agreed);
        }
        let (sent, heard) = (call.phones[0].rtp_sent, call.phones[1].ear.len());
        call.run(ms(2000));
        let count = call.phones[0].rtp_sent - sent;
        assert!(count.abs_diff(packets) <= 1, "{count} packets of {ptime} ms");
        let clean = share_of_windows(&call.phones[1].ear[heard + 2400..], 1000.0);
        assert!(clean > 0.95, "{codec:?} {ptime}: {clean}");
    }
}

#[test]
fn reports_tell_round_trip_loss_and_the_end() {
    let mut call = Call::new(6, link(0.02, 0));
    call.run(ms(60_000));
    for phone in &call.phones {
        let stats = phone.stream.stats();
        let trip = stats.round_trip.expect("a round trip was measured");
        // 20 ms each way, and up to a tick until a report is sent.
        assert!((ms(40)..=ms(60)).contains(&trip), "{trip:?}");
        assert!(stats.remote_lost.is_some_and(|lost| (20..=110).contains(&lost)), "{stats:?}");
        assert!(stats.remote_jitter.is_some_and(|jitter| jitter < ms(12)));
    }
    let now = call.now;
    call.phones[0].stream.close(now);
    call.run(ms(100));
    assert!(call.phones[1].events.contains(&StreamEvent::Bye));
    assert!(!call.phones[0].events.contains(&StreamEvent::Bye));
}

#[test]
fn a_peer_behind_a_nat_is_found_and_a_stranger_is_not_listened_to() {
    let mut call = Call::new(7, link(0.0, 0));
    call.phones[1].mouth = Box::new(|at| sine(1000.0, at));
    // The packets of phone 1 come from another address than SDP said, as through a NAT.
    call.phones[1].rtp = address(77, 9000);
    call.phones[1].rtcp = address(77, 9001);
    call.run(ms(3000));
    let source = address(77, 9000);
    assert_eq!(
        call.phones[0].events[..2],
        [StreamEvent::FirstPacket { source }, StreamEvent::RemoteChanged { address: source }]
    );
    assert!(call.phones[1].stream.stats().packets_received > 140, "ours go there now");

    let payload = [0_u8; 160];
    for i in 0..500_u16 {
        let packet = Packet {
            payload_type: 0,
            marker: false,
            sequence: i,
            timestamp: u32::from(i) * 160,
            ssrc: 99,
            payload: &payload,
        };
        let mut octets = [0; 172];
        packet.write(&mut octets).unwrap();
        let now = call.now;
        call.deliver(now, address(66, 6), address(1, 4000), &octets);
        if i % 2 == 0 {
            call.tick();
        }
    }
    assert!(!call.phones[0].events.contains(&StreamEvent::RemoteChanged { address: address(66, 6) }));
    assert_eq!(call.phones[0].stream.stats().packets_refused, 500 + 3);
    assert!(share_of_windows(&call.phones[0].ear[8000..], 1000.0) > 0.97);
}

#[test]
fn what_came_in_time_and_cannot_be_played_is_counted() {
    let agreed = negotiated(&g729::SPEC, address(2, 4000));
    let mut stream = Stream::new(StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(3)));
    let mut pcm = [0; 80];
    // A second of packets with two frames each; every tenth is no G.729, every tenth longer than any packet of speech.
    for packet in 0..50_u16 {
        let payload: &[u8] = match packet % 10 {
            3 => &[0; 7],
            6 => &[0; 1200],
            _ => &[0; 20],
        };
        let packet = Packet {
            payload_type: 18,
            marker: packet == 0,
            sequence: packet,
            timestamp: u32::from(packet) * 160,
            ssrc: 7,
            payload,
        };
        let mut octets = vec![0; 12 + payload.len()];
        packet.write(&mut octets).unwrap();
        let now = Instant::from_millis(u64::from(packet.sequence) * 20);
        stream.handle_rtp(now, address(2, 4000), &octets);
        stream.playout(now, &mut pcm);
        stream.playout(now + ms(10), &mut pcm);
    }
    let stats = stream.stats();
    assert_eq!((stats.packets_received, stats.packets_refused, stats.packets_lost), (50, 0, 0));
    assert_eq!(stats.packets_dropped, 10, "{stats:?}");
}

#[test]
fn a_peer_that_begins_anew_with_another_ssrc_is_heard_on() {
    let mut call = Call::new(8, link(0.0, 0));
    call.phones[0].mouth = Box::new(|at| sine(1000.0, at));
    call.run(ms(2000));
    let agreed = call.phones[0].stream.negotiated().clone();
    call.phones[0].stream = Stream::new(StreamConfig::new(agreed, "again@192.0.2.1", Rng::from_u64(1234)));
    call.run(ms(2000));
    let stats = call.phones[1].stream.stats();
    assert_eq!(stats.packets_lost, 0);
    assert!(share_of_windows(&call.phones[1].ear[8000..], 1000.0) > 0.9);
}

#[test]
fn an_echo_of_our_own_packets_is_heard() {
    let agreed = negotiated(&pcmu::SPEC, address(2, 4000));
    let mut stream = Stream::new(StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(3)));
    let mut ear = Vec::new();
    for tick in 0..300_u64 {
        let now = Instant::from_millis(tick * 10);
        let captured: [i16; 80] = core::array::from_fn(|i| sine(1000.0, tick * 80 + i as u64));
        stream.capture(now, &captured);
        let mut echo = Vec::new();
        while let Some(packet) = stream.poll_transmit() {
            echo.push(packet.payload.to_vec());
        }
        echo.iter().for_each(|octets| stream.handle_rtp(now, address(2, 4000), octets));
        let mut playout = [0; 80];
        stream.playout(now, &mut playout);
        ear.extend(playout);
    }
    assert!(share_of_windows(&ear[4000..], 1000.0) > 0.97);
}

#[test]
fn a_muted_microphone_sends_silence() {
    let mut call = Call::new(9, link(0.0, 0));
    call.phones[0].mouth = Box::new(|at| sine(1000.0, at));
    call.phones[0].stream.set_muted(true);
    call.run(ms(1000));
    assert!(call.phones[0].rtp_sent >= 49);
    assert!(call.phones[1].ear.iter().all(|sample| *sample == 0));
}

#[test]
fn hostile_datagrams_change_nothing() {
    let mut call = Call::new(10, link(0.0, 0));
    call.phones[0].mouth = Box::new(|at| sine(1000.0, at));
    call.run(ms(1000));
    // Real packets of a second stream with the same codec, to be mutated.
    let mut other = Stream::new(StreamConfig::new(
        negotiated(&pcmu::SPEC, address(2, 4000)),
        "evil@192.0.2.66",
        Rng::from_u64(5),
    ));
    let mut rng = Rng::from_u64(11);
    let mut models: Vec<(Channel, Vec<u8>)> = Vec::new();
    for i in 0..3000_u64 {
        let now = Instant::from_millis(i * 10);
        other.capture(now, &[500; 80]);
        if other.poll_timeout().is_some_and(|at| at <= now) {
            other.handle_timeout(now);
        }
        while let Some(packet) = other.poll_transmit() {
            models.push((packet.channel, packet.payload.to_vec()));
        }
    }
    assert!(models.iter().any(|(channel, _)| *channel == Channel::Rtcp));
    for i in 0..10_000 {
        let (channel, mut octets) = models[rng.below(models.len() as u32) as usize].clone();
        for _ in 0..rng.below(6) {
            let at = rng.below(octets.len() as u32) as usize;
            octets[at] = rng.next_u32() as u8;
        }
        octets.truncate(rng.below(octets.len() as u32 + 1) as usize + usize::from(rng.chance(0.5)) * 200);
        let to = address(2, if channel == Channel::Rtp { 4000 } else { 4001 });
        // From strangers, and now and then from the peer's own address.
        let from = if rng.chance(0.02) { address(1, to.port()) } else { address(60 + (i % 5) as u8, 4000) };
        let now = call.now;
        call.deliver(now, from, to, &octets);
        if i % 20 == 0 {
            call.tick();
        }
    }
    call.run(ms(3000));
    let ear = &call.phones[1].ear;
    assert!(share_of_windows(&ear[ear.len() - 16_000..], 1000.0) > 0.97, "the audio flows");
}

/// A voice: harmonics of a pitch that moves, louder and softer four times a second.
fn voice(at: u64) -> i16 {
    let seconds = at as f64 / 8000.0;
    let phase = core::f64::consts::TAU * (140.0 * seconds + 6.0 * (3.0 * seconds).sin());
    let loudness = 0.7 + 0.3 * (25.0 * seconds).sin();
    let sum: f64 = (1..20).map(|k| (phase * f64::from(k)).cos() / f64::from(k)).sum();
    (3000.0 * loudness * sum) as i16
}

/// The share of 50 ms windows that are as loud as a voice.
fn share_of_loud_windows(ear: &[i16]) -> f64 {
    let level =
        |window: &[i16]| window.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / window.len() as f64;
    let loud = ear.chunks_exact(400).filter(|window| (500.0..6000.0).contains(&level(window).sqrt()));
    loud.count() as f64 / (ear.len() / 400) as f64
}

fn call_with(codec: &'static CodecSpec, seed: u64, link: LinkConfig) -> Call {
    Call::with(seed, link, |agreed| {
        let remote = agreed.remote_rtp.expect("an address");
        *agreed = Negotiated::new(codec, codec.payload_type.unwrap_or(97), remote);
    })
}

#[test]
fn every_kind_of_frame_survives_the_network() {
    for codec in [&g729::SPEC, &g7231::SPEC, &ilbc::SPEC, &amr::SPEC] {
        let mut call = call_with(codec, 5, link(0.03, 20));
        call.phones[0].mouth = Box::new(voice);
        call.run(ms(6000));
        let stats = call.phones[1].stream.stats();
        let loud = share_of_loud_windows(&call.phones[1].ear[8000..]);
        let per_second = call.phones[0].rtp_sent / 6;
        println!(
            "{codec:?}: loud windows {loud:.2}, {per_second} packets a second, delay {:?}",
            stats.playout_delay
        );
        assert!(loud > 0.9, "{codec:?}: {loud}");
        assert!((33..=50).contains(&per_second), "{codec:?}: {per_second}");
    }
}

#[test]
fn in_a_pause_hardly_anything_is_sent_and_speech_is_heard_again_after_it() {
    for codec in [&g729::SPEC, &g7231::SPEC] {
        let mut call = call_with(codec, 6, link(0.0, 10));
        // Two seconds of a voice, ten of faint noise, two of the voice.
        let noise = |at: u64| (at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as i16 - 32;
        call.phones[0].mouth =
            Box::new(move |at| if (16_000..96_000).contains(&at) { noise(at) } else { voice(at) });
        call.run(ms(3000));
        let before = call.phones[0].rtp_sent;
        call.run(ms(9000));
        let in_pause = call.phones[0].rtp_sent - before;
        call.run(ms(2000));
        let after = call.phones[0].rtp_sent - before - in_pause;
        let ear = &call.phones[1].ear;
        let loudest = |from: usize, to: usize| {
            ear[from * 8..to * 8].iter().map(|s| s.unsigned_abs()).max().unwrap_or(0)
        };
        let (noise, loud) = (loudest(6000, 11_500), share_of_loud_windows(&ear[12_500 * 8..13_900 * 8]));
        println!(
            "{codec:?}: {in_pause} packets in 9 s of pause with a peak of {noise}, {after} in 2 s of speech, loud {loud}"
        );
        assert!(in_pause < 60, "{in_pause} packets");
        assert!((1..400).contains(&noise), "comfort noise with a peak of {noise}");
        assert!(loud > 0.9 && after > 60, "{loud}, {after}");
    }
}
