//! Opus against libopus.

use crate::common::signal::{Random, noise, speech};
use crate::common::{sha256_pcm, snr, vectors};
use sidetone_codecs::opus::{self, Application, Decoder, Encoder, Rate, Settings};
use sidetone_codecs::{CodecError, CodecSpec, Decoder as _, Encoder as _, Fmtp};

/// Packets of libopus 1.3.1 with the final range of each: SILK, a switch with a redundant CELT frame, CELT, and back.
const PACKETS: [(&str, u32); 8] = [
    ("28011e5be5a0732f5293f8c15b3426575d016b88f1cccf9a88ee320a6d7f874c537044ddc0", 0x1e26d921),
    (
        "282629db7038bb3cd2c3d37ce3cb0127a6816d8bb59fab2f2c2a5aa1b9228f6880a726107fb04a1411540e95046d1aacd7e71aaaf45b57a5d14126188a0aa9691a7521392be4d200",
        0x02004963,
    ),
    (
        "4886f8c1d0dc2ca9d7159d20b452e06d880729d0ba52bcc8f27720a76d9fbe640b045491c37e6c853a69772f9650c2aac06e9c7d718ad85fbc946fe0bc7809fe7f66b317cff53d080931c22d",
        0x431a9300,
    ),
    (
        "48c74761d0dbde20ca20495f88a566845347d6dacf9568fb1ae1511c360778650dbdb37db1c4bb0ee00bc1d17b6ca847f0",
        0x104ce07a,
    ),
    ("480485130a2c30c44e7bffd90e2a9f9fff4b1ff153faa480", 0x3d5dddb2),
    ("4821dc57e6edac501103c254add86ed0342166a3be624e0e71b2891079f41f99abaa421ccd53c80c", 0x01836a11),
    (
        "4887223b92c722a0a08bdee7ce0b71de1b322d92eeb86f5a44253b1946d6bcd0c423a9c3ea6fa19aa2a09dc8212c",
        0x04681b48,
    ),
    ("48222bb9cf0a7a73da5b7fa6f7bffefa7787300bc6b745e5c76d46f15f768cc225681b15ea71dfdf1086ac", 0x00b93034),
];

/// SHA-256 of what libopus 1.3.1 decodes of [`PACKETS`].
const DECODED: [(Rate, &str); 4] = [
    (Rate::Hz8000, "0d3ba8beb8588d32fc1ab4cb8e3024861f2600d21b7551a6e252d5872c12bb30"),
    (Rate::Hz16000, "c1d5928f1ca225c0b7d55df5b5a07966c07b6c5d7adc2adb029899a3836f465e"),
    (Rate::Hz24000, "c0d7608719f297c4450a8fe010910b66c82bcb3c1d77617afe5e5c49d81a2c70"),
    (Rate::Hz48000, "71fecae99be3f522eb9dd50229aa9725d1f257594f9aa8eb0234fdcbc8109318"),
];

const RATES: [Rate; 4] = [Rate::Hz8000, Rate::Hz16000, Rate::Hz24000, Rate::Hz48000];

/// What the README of the vectors proposes for decoded samples.
const SAME_PCM: f64 = 50.0;
/// Concealment is not normative; that of libopus has changed since 1.3.1.
const LIKE_PCM: f64 = 25.0;

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn frame(rate: Rate) -> usize {
    rate.hz() as usize / 50
}

/// One packet of a `.oprec` file.
struct Recorded {
    payload: Vec<u8>,
    range: u32,
}

fn recorded(octets: &[u8]) -> Vec<Recorded> {
    let mut packets = Vec::new();
    let mut rest = octets;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (payload, behind) = behind.split_at(u16::from_le_bytes(*length).into());
        let (range, behind) = behind.split_first_chunk().expect("a final range");
        packets.push(Recorded { payload: payload.to_vec(), range: u32::from_le_bytes(*range) });
        rest = behind;
    }
    packets
}

#[derive(Clone, Copy, PartialEq)]
enum Loss {
    None,
    Concealed,
    Recovered,
}

/// Decodes 20 ms packets; counts those after which the final range is not the encoder's.
fn decode(rate: Rate, packets: &[Recorded], loss: Loss) -> (Vec<i16>, usize) {
    let mut decoder = Decoder::new(rate);
    let mut wrong = 0;
    let mut pcm = vec![0; frame(rate) * packets.len()];
    for (at, (packet, out)) in packets.iter().zip(pcm.chunks_exact_mut(frame(rate))).enumerate() {
        let next = packets.get(at + 1);
        let samples = match (loss, next) {
            (Loss::Recovered, Some(next)) if at % 7 == 6 => decoder.recover(&next.payload, out),
            (Loss::Concealed | Loss::Recovered, _) if at % 7 == 6 => decoder.conceal(out),
            _ => {
                let samples = decoder.decode(&packet.payload, out);
                wrong += usize::from(decoder.final_range() != packet.range);
                samples
            }
        };
        assert_eq!(samples, Ok(frame(rate)), "packet {at}");
    }
    (pcm, wrong)
}

#[test]
fn packets_of_libopus_end_in_its_range_and_its_samples() {
    for (rate, expected) in DECODED {
        let packets = PACKETS.map(|(payload, range)| Recorded { payload: unhex(payload), range });
        let (pcm, wrong) = decode(rate, &packets, Loss::None);
        assert_eq!((sha256_pcm(&pcm).as_str(), wrong), (expected, 0), "{rate:?}");
    }
}

#[test]
fn the_vectors_of_libopus() {
    let Some(folder) = vectors::folder("opus") else { return };
    let (mut packets_compared, mut files) = (0, 0);
    for row in folder.rows().iter().filter(|row| row.operation.starts_with("encode ")) {
        let name = row.output.trim_end_matches(".oprec");
        let hz = row.operation.split(' ').nth(1).and_then(|hz| hz.parse().ok()).expect("a rate");
        let rate = Rate::from_hz(hz).expect("a rate of Opus");
        let packets = recorded(&folder.read(&row.output).expect("a stored row"));
        for rate in RATES {
            let (_, wrong) = decode(rate, &packets, Loss::None);
            assert_eq!(wrong, 0, "{name} at {rate:?}: packets with another final range");
            packets_compared += packets.len();
        }
        let (pcm, _) = decode(rate, &packets, Loss::None);
        let expected = folder.rows().into_iter().find(|row| row.output == format!("{name}.out.pcm"));
        let identical = expected.is_some_and(|row| row.sha256 == sha256_pcm(&pcm));
        // Where libopus 1.3.1 made comfort noise for packets that were not sent, later versions make it otherwise.
        let limit = if name.contains("dtx") { LIKE_PCM } else { SAME_PCM };
        if let Some(meant) = folder.pcm(&format!("{name}.out.pcm")) {
            assert!(snr(&meant, &pcm) > limit, "{name}: {:.1} dB", snr(&meant, &pcm));
            assert!(name.contains("dtx") || name.contains("celt") || identical, "{name}: same samples");
        }
        let (concealed, _) = decode(rate, &packets, Loss::Concealed);
        let (recovered, _) = decode(rate, &packets, Loss::Recovered);
        let gain = snr(&pcm, &recovered) - snr(&pcm, &concealed);
        let copies = name == "mix.wb20-dtx-fec";
        assert!(if copies { gain > 6.0 } else { gain > -0.1 }, "{name}: recovery gains {gain:.1} dB");
        files += 1;
    }
    println!("vectors: {files} opus files, {packets_compared} final ranges compared, all the same");
}

#[test]
fn every_length_rate_and_setting_comes_back_with_the_same_ranges() {
    for rate in RATES {
        for millis in [10, 20, 40, 60] {
            for (bit_rate, dtx, fec) in
                [(6000, false, false), (16_000, true, false), (24_000, false, true), (64_000, true, true)]
            {
                for application in [Application::Voip, Application::Audio, Application::LowDelay] {
                    let settings = Settings {
                        bit_rate,
                        dtx,
                        fec,
                        expected_loss: if fec { 20 } else { 0 },
                        application,
                        complexity: 5,
                        ..Settings::new(rate)
                    };
                    round_trip(rate, millis, settings);
                }
            }
        }
    }
}

fn round_trip(rate: Rate, millis: usize, settings: Settings) {
    let samples = rate.hz() as usize * millis / 1000;
    let pcm = speech(3, rate.hz(), samples * 600 / millis);
    let (mut encoder, mut decoder) = (Encoder::new(rate, settings), Decoder::new(rate));
    let (mut out, mut heard) = ([0; 1275], vec![0; samples]);
    let mut octets = 0;
    for (at, frame) in pcm.chunks_exact(samples).enumerate() {
        let length = encoder.encode_packet(frame, &mut out).expect("encoded");
        assert_eq!(decoder.decode(&out[..length], &mut heard), Ok(samples));
        assert_eq!(
            decoder.final_range(),
            encoder.final_range(),
            "packet {at} of {length} octets, {rate:?}, {millis} ms, {settings:?}"
        );
        octets += length;
    }
    let bit_rate = octets * 8 * 1000 / 600;
    let limit = settings.bit_rate as usize * 5 / 4 + 5000;
    assert!(bit_rate < limit, "{bit_rate} bit/s, {rate:?}, {millis} ms, {settings:?}");
}

#[test]
fn with_dtx_silence_is_not_sent() {
    let settings = Settings { dtx: true, ..Settings::new(Rate::Hz16000) };
    let mut encoder = Encoder::new(Rate::Hz16000, settings);
    let mut decoder = Decoder::new(Rate::Hz16000);
    let (mut sent, mut out, mut heard) = (0, [0; 1275], [0; 320]);
    for frame in noise(5, 20, 320 * 150).chunks_exact(320) {
        let encoded = encoder.encode(frame, &mut out).expect("encoded");
        assert_eq!(encoded.samples, 320);
        sent += usize::from(encoded.octets > 0);
        assert_eq!(decoder.decode(&out[..encoded.octets], &mut heard), Ok(320));
    }
    assert!((5..60).contains(&sent), "{sent} of 150 packets sent");
    assert!(heard.iter().all(|sample| sample.unsigned_abs() < 200), "comfort noise stays low");
}

#[test]
fn a_lost_packet_comes_back_from_the_one_behind_it() {
    for (rate, bit_rate) in [(Rate::Hz8000, 20_000), (Rate::Hz16000, 24_000)] {
        let settings = Settings { bit_rate, fec: true, expected_loss: 20, ..Settings::new(rate) };
        let mut encoder = Encoder::new(rate, settings);
        let packets: Vec<_> = speech(9, rate.hz(), 100 * frame(rate))
            .chunks_exact(frame(rate))
            .map(|frame| {
                let mut payload = vec![0; 1275];
                let length = encoder.encode_packet(frame, &mut payload).expect("encoded");
                payload.truncate(length);
                Recorded { payload, range: encoder.final_range() }
            })
            .collect();
        let all = decode(rate, &packets, Loss::None).0;
        let concealed = snr(&all, &decode(rate, &packets, Loss::Concealed).0);
        let recovered = snr(&all, &decode(rate, &packets, Loss::Recovered).0);
        assert!(
            recovered > concealed + 3.0,
            "{rate:?}: {concealed:.1} dB concealed, {recovered:.1} recovered"
        );
    }
}

#[test]
fn concealment_fades() {
    let mut encoder = Encoder::new(Rate::Hz16000, Settings::new(Rate::Hz16000));
    let mut decoder = Decoder::new(Rate::Hz16000);
    let mut out = [0; 1275];
    let mut heard = [0; 320];
    for frame in speech(2, 16_000, 320 * 20).chunks_exact(320) {
        let length = encoder.encode_packet(frame, &mut out).expect("encoded");
        decoder.decode(&out[..length], &mut heard).expect("decoded");
    }
    let energy = |pcm: &[i16]| pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
    let before = energy(&heard);
    let mut long = [0; 16_000];
    assert_eq!(decoder.conceal(&mut long), Ok(16_000));
    assert!(energy(&long[15_680..]) < before / 10.0);
    assert_eq!(decoder.final_range(), 0);
}

#[test]
fn format_parameters_become_settings() {
    let settings = |line| Settings::from_fmtp(Rate::Hz16000, &Fmtp::parse(opus::RULES, line).expect(line));
    let plain = settings("");
    assert_eq!(plain, Settings::new(Rate::Hz16000));
    let all =
        settings("maxplaybackrate=8000; stereo=0; maxaveragebitrate=9000; cbr=1; useinbandfec=1; usedtx=1");
    assert_eq!((all.max_playback_rate, all.bit_rate), (8000, 9000));
    assert!(all.constant_bit_rate && all.fec && all.expected_loss > 0 && all.dtx);
    for (line, good) in [("maxaveragebitrate=5999", false), ("useinbandfec=2", false), ("minptime=10", true)]
    {
        assert_eq!(Fmtp::parse(opus::RULES, line).is_ok(), good, "{line}");
    }
}

#[test]
fn the_receiver_decides_what_it_can_play() {
    let bandwidth = |rate| {
        let settings = Settings { max_playback_rate: rate, bit_rate: 32_000, ..Settings::new(Rate::Hz16000) };
        let mut encoder = Encoder::new(Rate::Hz16000, settings);
        let mut out = [0; 1275];
        for frame in speech(4, 16_000, 3200).chunks_exact(320) {
            encoder.encode_packet(frame, &mut out).expect("encoded");
        }
        // RFC 6716 §3.1: SILK configurations 0-3 are narrow band, 8-11 wide band.
        out[0] >> 5
    };
    assert_eq!((bandwidth(8000), bandwidth(16_000)), (0, 2));
}

#[test]
fn constant_bit_rate_is_constant() {
    let settings = Settings { constant_bit_rate: true, bit_rate: 16_000, ..Settings::new(Rate::Hz16000) };
    let mut encoder = Encoder::new(Rate::Hz16000, settings);
    let mut out = [0; 1275];
    for frame in speech(4, 16_000, 16_000).chunks_exact(320) {
        assert_eq!(encoder.encode_packet(frame, &mut out), Ok(40));
    }
}

#[test]
fn wrong_lengths_are_errors_and_change_nothing() {
    let mut encoder = Encoder::new(Rate::Hz16000, Settings::new(Rate::Hz16000));
    let (mut out, pcm) = ([0; 1275], [0; 960]);
    for samples in [0, 1, 80, 159, 319, 480, 800] {
        let got = encoder.encode(&pcm[..samples], &mut out);
        assert_eq!(got, Err(CodecError::PartialFrame { frame: 320, got: samples }));
    }
    let got = encoder.encode(&pcm[..320], &mut out[..10]);
    assert!(matches!(got, Err(CodecError::OutputTooShort { got: 10, .. })), "{got:?}");
    let mut decoder = Decoder::new(Rate::Hz16000);
    let mut heard = [0; 320];
    assert_eq!(
        decoder.decode(&[0x48; 20], &mut heard[..319]),
        Err(CodecError::OutputTooShort { needed: 320, got: 319 })
    );
    assert!(matches!(
        decoder.decode(&[0x49, 1, 2, 3], &mut heard),
        Err(CodecError::PayloadLength { got: 4, .. })
    ));
    assert_eq!(decoder.conceal(&mut heard[..100]), Err(CodecError::PartialFrame { frame: 160, got: 100 }));
}

#[test]
fn reset_is_a_new_start() {
    let settings = Settings { dtx: true, fec: true, expected_loss: 10, ..Settings::new(Rate::Hz16000) };
    let mut encoder = Encoder::new(Rate::Hz16000, settings);
    let mut decoder = Decoder::new(Rate::Hz16000);
    let mut run = || {
        let (mut packets, mut out, mut heard) = (Vec::new(), [0; 1275], vec![0; 320]);
        let mut pcm = Vec::new();
        for frame in speech(6, 16_000, 320 * 30).chunks_exact(320) {
            let length = encoder.encode_packet(frame, &mut out).expect("encoded");
            packets.push(out[..length].to_vec());
            decoder.decode(&out[..length], &mut heard).expect("decoded");
            pcm.extend_from_slice(&heard);
        }
        encoder.reset();
        decoder.reset();
        (packets, pcm)
    };
    assert!(run() == run());
}

#[test]
fn the_specs_are_one_format() {
    for (rate, spec) in
        RATES.into_iter().zip([&opus::NARROW_SPEC, &opus::SPEC, &opus::SUPER_WIDE_SPEC, &opus::FULL_SPEC])
    {
        assert_eq!(spec, &opus::SPEC, "opus/48000/2");
        assert_eq!((spec.sample_rate, spec.samples(20)), (rate.hz(), frame(rate)));
        assert_eq!(spec.ticks(frame(rate)), 960);
        let same: fn(&CodecSpec) -> (&str, u32, u8) = |spec| (spec.name, spec.rtp_clock, spec.channels);
        assert_eq!(same(spec), ("opus", 48_000, 2));
        assert_eq!(spec.encoder().spec().sample_rate, rate.hz());
        assert_eq!(spec.decoder().spec().sample_rate, rate.hz());
    }
}

#[test]
fn garbage_is_refused_or_decoded_but_never_a_panic() {
    let mut random = Random::new(11);
    let good: Vec<Vec<u8>> = PACKETS.iter().map(|(payload, _)| unhex(payload)).collect();
    let mut pcm = vec![0; 5760];
    for round in 0..40 {
        let rate = RATES[round % RATES.len()];
        let mut decoder = Decoder::new(rate);
        for _ in 0..100 {
            let mut payload = vec![0; random.below(300) as usize];
            random.fill(&mut payload);
            if random.below(2) == 0 {
                payload.clone_from(&good[random.below(good.len() as u32) as usize]);
                let at = random.below(payload.len() as u32) as usize;
                payload[at] = random.next() as u8;
                payload.truncate(payload.len() - random.below(3) as usize);
            }
            let lost = frame(rate) / 2 * (1 + random.below(12) as usize);
            match random.below(8) {
                0 => assert_eq!(decoder.conceal(&mut pcm[..lost]), Ok(lost)),
                1 => drop(decoder.recover(&payload, &mut pcm[..lost])),
                _ => {
                    if let Ok(samples) = decoder.decode(&payload, &mut pcm) {
                        assert!(samples <= rate.hz() as usize * 120 / 1000);
                    }
                }
            }
        }
    }
}
