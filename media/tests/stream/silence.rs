//! Silence suppression with each codec: what is sent in a pause, and what is heard of it.

use crate::signal;
use core::net::SocketAddr;
use sidetone_codecs::{CodecSpec, amr, g722, g729, g7231, ilbc, l16, opus, pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::rtp::Packet;
use sidetone_media::sdp::SideFormat;
use sidetone_media::stream::SilenceSuppression;
use sidetone_media::{Channel, Negotiated, Stream, StreamConfig};

const CN: u8 = 13;
const DYNAMIC_CN: u8 = 98;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// What went out of one stream and was heard at the other.
#[derive(Default)]
struct Heard {
    /// Payload type, length and marker of each packet of the second when somebody speaks, and of that of the pause.
    speech: Vec<(u8, usize, bool)>,
    pause: Vec<(u8, usize, bool)>,
    /// Those of the whole call.
    all: Vec<(u8, usize, bool)>,
    /// The first packet of speech after the pause.
    again: Option<(u8, usize, bool)>,
    /// Mean squares at the other side: of the pause's noise as it was captured, and as it is heard.
    noise: (f64, f64),
}

fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

/// Two seconds of speech, three of quiet noise, one of speech again.
fn call(codec: &'static CodecSpec, silence: SilenceSuppression, with_cn: bool) -> Heard {
    let rate = codec.sample_rate;
    let mut negotiated = Negotiated::new(codec, codec.payload_type.unwrap_or(96), address(4000));
    if with_cn {
        let payload_type = if codec.rtp_clock == 8000 { CN } else { DYNAMIC_CN };
        negotiated.noise_payload_type = Some(payload_type);
        negotiated.noise = vec![SideFormat { payload_type, clock: codec.rtp_clock }];
    }
    let stream = |seed| {
        let mut config = StreamConfig::new(negotiated.clone(), "a@127.0.0.1", Rng::from_u64(seed));
        config.silence = silence;
        Stream::new(config)
    };
    let (mut from, mut to) = (stream(1), stream(2));
    // A voice that does not rest, and noise that is no digital silence.
    let frame = rate as usize / 100;
    let mut pcm: Vec<i16> = (0..2 * rate)
        .map(|n| {
            let t = f64::from(n) / f64::from(rate);
            let syllable = 0.03 + (t * 25.0).sin().max(0.0);
            let voice: f64 = (1..12)
                .map(|k| (t * 130.0 * f64::from(k) * core::f64::consts::TAU).sin() / f64::from(k))
                .sum();
            (6000.0 * syllable * voice) as i16
        })
        .collect();
    let again: Vec<i16> = pcm[..rate as usize].to_vec();
    pcm.extend(signal::noise(5, 60, 3 * rate as usize));
    pcm.extend(again);
    let mut heard = Heard::default();
    let mut now = Instant::from_millis(1000);
    let mut played = vec![0; frame];
    for (tick, captured) in pcm.chunks_exact(frame).enumerate() {
        now += Duration::from_millis(10);
        from.capture(now, captured);
        while let Some(out) = from.poll_transmit() {
            if out.channel != Channel::Rtp {
                continue;
            }
            let packet = Packet::parse(out.payload).unwrap();
            let seen = (packet.payload_type, packet.payload.len(), packet.marker);
            heard.all.push(seen);
            match tick {
                100..200 => heard.speech.push(seen),
                300..500 => heard.pause.push(seen),
                500.. if heard.again.is_none() => heard.again = Some(seen),
                _ => {}
            }
            to.handle_rtp(now, address(4000), out.payload);
        }
        to.playout(now, &mut played);
        if (350..490).contains(&tick) {
            heard.noise.0 += power(captured);
            heard.noise.1 += power(&played);
        }
    }
    heard
}

#[test]
fn codecs_without_silence_descriptors_send_comfort_noise() {
    for codec in [&pcmu::SPEC, &pcma::SPEC, &g722::SPEC, &ilbc::SPEC, &l16::L16_8000, &l16::L16_16000] {
        let heard = call(codec, SilenceSuppression::On, true);
        let number = if codec.rtp_clock == 8000 { CN } else { DYNAMIC_CN };
        assert!(heard.speech.iter().all(|(payload_type, ..)| *payload_type != number), "{codec:?}");
        assert!(heard.speech.len() >= 30, "{codec:?}: {} packets of speech", heard.speech.len());
        // A descriptor at least every two seconds, and nothing else.
        assert!((1..20).contains(&heard.pause.len()), "{codec:?}: {:?}", heard.pause);
        for (payload_type, octets, marker) in &heard.pause {
            assert_eq!((*payload_type, *marker), (number, false), "{codec:?}");
            assert!((1..=13).contains(octets), "{codec:?}: {octets} octets");
        }
        let (payload_type, _, marker) = heard.again.unwrap();
        assert!(payload_type != number && marker, "{codec:?}: a talk spurt begins with the marker");
        let difference = 10.0 * (heard.noise.1 / heard.noise.0).log10();
        println!("{codec:?}: {} packets in the pause, noise {difference:.1} dB", heard.pause.len());
        // The upper half of the band of G.722 is not described: 3 dB less.
        assert!(difference.abs() < 5.0, "{codec:?}: comfort noise {difference} dB above the noise");
    }
}

#[test]
fn codecs_with_silence_descriptors_send_their_own() {
    for (codec, octets) in [(&g729::SPEC, 2), (&g7231::SPEC, 4)] {
        for silence in [SilenceSuppression::On, SilenceSuppression::Agreed] {
            let heard = call(codec, silence, false);
            // They describe a noise once, and again when it changes.
            assert!(heard.pause.len() < 40, "{codec:?}: {:?}", heard.pause);
            assert!(heard.all.iter().any(|(_, length, _)| *length == octets), "{codec:?}: {:?}", heard.all);
            assert!(
                heard.pause.iter().all(|(_, length, _)| *length == octets),
                "{codec:?}: {:?}",
                heard.pause
            );
            assert!(heard.again.unwrap().2, "{codec:?}: the marker");
        }
        let always = call(codec, SilenceSuppression::Off, false);
        assert!(
            always.pause.len() > 60 && always.pause.iter().all(|(_, length, _)| *length > octets),
            "{codec:?}"
        );
    }
    // AMR describes silence in six octets (a header, 39 bits, padding), every 160 ms.
    let heard = call(&amr::SPEC, SilenceSuppression::On, false);
    assert!((10..=20).contains(&heard.pause.len()), "{:?}", heard.pause);
    assert!(heard.pause.iter().all(|(_, length, _)| (6..=8).contains(length)), "{:?}", heard.pause);
    assert!(heard.again.unwrap().2, "AMR: the marker");
    let difference = 10.0 * (heard.noise.1 / heard.noise.0).log10();
    println!("AMR: {} packets in the pause, noise {difference:.1} dB", heard.pause.len());
    assert!(difference.abs() < 5.0, "AMR: comfort noise {difference} dB above the noise");
    // Opus sends one frame in 400 ms, of a length of its own.
    let heard = call(&opus::SPEC, SilenceSuppression::On, false);
    println!("Opus: {} packets in the pause", heard.pause.len());
    assert!(heard.pause.len() < 60, "{} packets", heard.pause.len());
    let always = call(&opus::SPEC, SilenceSuppression::Off, false);
    assert_eq!(always.pause.len(), 100);
}

#[test]
fn what_was_not_agreed_on_or_not_wanted_is_sent_as_speech() {
    for (silence, with_cn) in
        [(SilenceSuppression::On, false), (SilenceSuppression::Off, true), (SilenceSuppression::Agreed, true)]
    {
        let heard = call(&pcma::SPEC, silence, with_cn);
        assert_eq!(heard.pause.len(), 100, "{silence:?}");
        assert!(heard.pause.iter().all(|seen| *seen == (8, 160, false)), "{silence:?}");
    }
    // Nothing can be agreed on about AMR's silence.
    for silence in [SilenceSuppression::Agreed, SilenceSuppression::Off] {
        assert_eq!(call(&amr::SPEC, silence, false).pause.len(), 100, "{silence:?}");
    }
}
