//! G.726 against the ITU-T STL: seeded signals by digest everywhere, every vector where `../shared/vectors`
//! exists.

use crate::common;
use crate::common::signal;
use crate::common::vectors::{self, Folder, Row};
use sidetone_codecs::g726::{self, Decoder, Encoder, Law, Order, Rate};
use sidetone_codecs::{CodecError, Decoder as _, Encoded, Encoder as _};

const RATES: [(Rate, u32); 4] =
    [(Rate::Kbit16, 16), (Rate::Kbit24, 24), (Rate::Kbit32, 32), (Rate::Kbit40, 40)];

/// The PCM side of a coder.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Linear,
    Octets(Law),
}

fn samples(octets: &[u8]) -> Vec<i16> {
    octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A whole file through an encoder, 20 ms at a time.
fn encode(rate: Rate, order: Order, side: Side, input: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(rate, order);
    let mut out = Vec::new();
    let mut payload = [0; 100];
    match side {
        Side::Linear => {
            for pcm in samples(input).chunks(160) {
                let encoded = encoder.encode(pcm, &mut payload).expect("whole frames");
                assert_eq!(encoded.samples, pcm.len());
                out.extend(&payload[..encoded.octets]);
            }
        }
        Side::Octets(law) => {
            for codes in input.chunks(160) {
                let count = encoder.encode_law(law, codes, &mut payload).expect("whole frames");
                out.extend(&payload[..count]);
            }
        }
    }
    out
}

fn decode(rate: Rate, order: Order, side: Side, input: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(rate, order);
    let mut out = Vec::new();
    for payload in input.chunks(20 * rate.bits()) {
        match side {
            Side::Linear => {
                let mut pcm = [0; 160];
                let count = decoder.decode(payload, &mut pcm).expect("whole frames");
                out.extend(common::octets(&pcm[..count]));
            }
            Side::Octets(law) => {
                let mut codes = [0; 160];
                let count = decoder.decode_law(law, payload, &mut codes).expect("whole frames");
                out.extend(&codes[..count]);
            }
        }
    }
    out
}

/// What a row of `expected.tsv` asks for; `None` for a row that is a plain G.711 encoding.
fn run(folder: &Folder, row: &Row) -> Option<Vec<u8>> {
    let operation = &row.operation;
    if operation.starts_with("G.711") {
        return None;
    }
    let (rate, _) = RATES.into_iter().find(|(_, kbit)| operation.contains(&format!(" {kbit} kbit/s")))?;
    let side = |name: &str| match name {
        name if name.contains("alaw") => Side::Octets(Law::A),
        name if name.contains("ulaw") => Side::Octets(Law::Mu),
        _ => Side::Linear,
    };
    if operation.starts_with("encode") {
        let order = if operation.contains("AAL2") { Order::Aal2 } else { Order::Rfc3551 };
        return Some(encode(rate, order, side(&row.made_from), &folder.read(&row.made_from)?));
    }
    // Some inputs are kept only as digests: make them from the signal, as their name tells.
    let input = folder.read(&row.made_from).or_else(|| {
        let signal = row.made_from.split('.').next()?;
        let pcm = folder.read(&format!("signals/{signal}.8k.pcm"))?;
        Some(encode(rate, Order::Rfc3551, Side::Linear, &pcm))
    })?;
    Some(decode(rate, Order::Rfc3551, side(operation), &input))
}

#[test]
fn every_row_of_the_vectors_is_bit_exact() {
    let Some(folder) = vectors::folder("g726") else { return };
    let mut compared = 0;
    for row in folder.rows() {
        let Some(made) = run(&folder, &row) else { continue };
        assert!(row.matches(&made), "{}: {}", row.output, row.operation);
        compared += 1;
    }
    println!("vectors: g726, {compared} files compared, all the same");
    assert_eq!(compared, 52);
}

#[test]
fn the_itu_sequences_are_bit_exact() {
    let Some(folder) = vectors::folder("g726") else { return };
    let read = |name: &str| folder.read(&format!("itu/{name}")).unwrap_or_else(|| panic!("{name}"));
    let mut compared = 0;
    for (kind, source) in [("n", "nrm"), ("v", "ovr")] {
        for (rate, kbit) in RATES {
            for (law, letter, other, crossed) in [(Law::A, 'a', Law::Mu, "x"), (Law::Mu, 'm', Law::A, "c")] {
                let codes = read(&format!("r{kind}{kbit}f{letter}.i"));
                let pcm = read(&format!("{source}.{letter}"));
                let made = encode(rate, Order::Rfc3551, Side::Octets(law), &pcm);
                let unpacked = unpack(rate, &made);
                assert!(unpacked == codes, "{source}.{letter} at {kbit} kbit/s");
                let packed = pack(rate, &codes);
                for (law, name) in [(law, letter.to_string()), (other, crossed.to_owned())] {
                    let name = format!("r{kind}{kbit}f{name}.o");
                    let made = decode(rate, Order::Rfc3551, Side::Octets(law), &packed);
                    assert!(made == read(&name), "{name}");
                    compared += 1;
                }
                compared += 1;
            }
        }
    }
    println!("vectors: g726/itu, {compared} files compared, all the same");
    assert_eq!(compared, 48);
}

/// One code an octet from the order of RFC 3551, bit by bit.
fn unpack(rate: Rate, octets: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = octets.iter().flat_map(|octet| (0..8).map(move |i| octet >> i & 1)).collect();
    bits.chunks_exact(rate.bits())
        .map(|code| code.iter().rev().fold(0, |code, bit| code << 1 | bit))
        .collect()
}

fn pack(rate: Rate, codes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = codes.iter().flat_map(|code| (0..rate.bits()).map(move |i| code >> i & 1)).collect();
    bits.chunks(8).map(|octet| octet.iter().rev().fold(0, |octet, bit| octet << 1 | bit)).collect()
}

/// Rate, PCM side, SHA-256 of what the STL makes of [`input`] (one code an octet) and of [`garbage`].
const REFERENCE: [(Rate, Side, &str, &str); 12] = [
    (
        Rate::Kbit16,
        Side::Linear,
        "b50cb33e6b54c885efa6ba72731fe805ec32f138afd41c5a7095c5487c7dda92",
        "b895ce17ccc7c26b7b7f6ea24a7c6a928b284e770d5d585b3e42b27faaad0952",
    ),
    (
        Rate::Kbit16,
        Side::Octets(Law::A),
        "3e4e577d38c31eb6f6df81e41bbb9276e05edab4b03a32729d10198e26a27eba",
        "fb12030f04518867d6d33c2c8291ce0642e6e03059b3c25ae9eea9134f37bc51",
    ),
    (
        Rate::Kbit16,
        Side::Octets(Law::Mu),
        "53c3fcc676cbb4172b485ea8a2b07c816632c4245267660294a76f91637eb72e",
        "c8d06ccaa992629614b9f3ec98d67d69138565f1171a706c3878b1aab28397e3",
    ),
    (
        Rate::Kbit24,
        Side::Linear,
        "bdcad492799750feb17d7029815fd46da4bc0af59a140883364cfee21b3f9767",
        "f6f7fc25ebb5f0389b487bf0ba4fdc61b04bb82ebe94dc26751bddfcd388be27",
    ),
    (
        Rate::Kbit24,
        Side::Octets(Law::A),
        "4692c765887599c90db55ec1d60950eaf9a21f87829f6b9f61ce1597c01eebd0",
        "3390d96ba0b9d6a63887347df46272d25c3e3d007239990ffa9641ccc8ff58d2",
    ),
    (
        Rate::Kbit24,
        Side::Octets(Law::Mu),
        "4e232bddab26cf8095a131b21fec82ecfdeb26ab9603890e12d7d068b03bb6e0",
        "e443fa996bf223db9848346d724ddc330dde530f46a3095082f27379c50eded7",
    ),
    (
        Rate::Kbit32,
        Side::Linear,
        "18ee3e9986d31e0e6a7f8fb58b9950dbb6ae3c3c05d746ffd8cfb9376f573257",
        "4e1ed48fe0b346695ba0618a8d34d87006abbd5f543c29b8d27ac0077c428499",
    ),
    (
        Rate::Kbit32,
        Side::Octets(Law::A),
        "175fb178e59bd4dc8fb2c9bcc0a3e4a54a1193e644badf2a3fb04efb8aa9736f",
        "b81e78845c6b996e262188900b3e92f594a8bd5546a015731a47f7cc1fc53a98",
    ),
    (
        Rate::Kbit32,
        Side::Octets(Law::Mu),
        "479b272eba5b1cd6bd6cc0a07a04eba57fdbf4865c6e75e1b6256a236bec00ac",
        "289515e905c47b8b4afd434ac51c888220d0bd2df51aca8fdd59c7b6562039c1",
    ),
    (
        Rate::Kbit40,
        Side::Linear,
        "10a2e7bf28142ad027d397be3225dc78da919177f314cd43eb015464c36801f3",
        "b98327f255c7d1b49a36178bcb641380d1f81ae6231a07a8aa644f623e1db458",
    ),
    (
        Rate::Kbit40,
        Side::Octets(Law::A),
        "987724550613bb86cc210046a5e795879c0e63fa1ec880a817396a5a5244ba25",
        "22d5c3f75b40b40abd402b320a344af1cf3a923fdba9a03f8dec51a166ded228",
    ),
    (
        Rate::Kbit40,
        Side::Octets(Law::Mu),
        "c26f2148738230d789cf45fa37dfe9745a81524128d4a21d2e7feae18478ae13",
        "477cdc5cd43814b82c743e71194f1597534093fca9d9e749574d7b193f331394",
    ),
];

/// Something like speech, then noise of full scale; as octets for a law, any octets.
fn input(side: Side) -> Vec<u8> {
    let mut pcm = signal::speech(726, 8000, 32_000);
    pcm.extend(signal::noise(726, 32_767, 8000));
    match side {
        Side::Linear => common::octets(&pcm),
        Side::Octets(_) => pcm.iter().map(|sample| (sample >> 8) as u8 ^ *sample as u8).collect(),
    }
}

/// Random codes, then each code for a quarter of a second: the coefficients run into their limits and wrap
/// around.
fn garbage(rate: Rate) -> Vec<u8> {
    let mut codes = vec![0; 16_000];
    signal::Random::new(rate.bits() as u64).fill(&mut codes);
    codes.extend((0..1 << rate.bits()).flat_map(|code| [code; 2000]));
    codes.iter().map(|code| code & ((1 << rate.bits()) - 1)).collect()
}

#[test]
fn seeded_signals_and_garbage_match_the_stl_by_digest() {
    for (rate, side, encoded, decoded) in REFERENCE {
        let made = encode(rate, Order::Rfc3551, side, &input(side));
        assert_eq!(common::sha256(&unpack(rate, &made)), encoded, "encode {rate:?}");
        let made = decode(rate, Order::Rfc3551, side, &pack(rate, &garbage(rate)));
        assert_eq!(common::sha256(&made), decoded, "decode {rate:?}");
    }
}

#[test]
fn the_two_orders_hold_the_same_codes() {
    for (rate, kbit) in RATES {
        let input = input(Side::Linear);
        let ours = unpack(rate, &encode(rate, Order::Rfc3551, Side::Linear, &input));
        let aal2 = encode(rate, Order::Aal2, Side::Linear, &input);
        let bits: Vec<u8> = aal2.iter().flat_map(|octet| (0..8).rev().map(move |i| octet >> i & 1)).collect();
        let codes: Vec<u8> = bits
            .chunks_exact(rate.bits())
            .map(|code| code.iter().fold(0, |code, bit| code << 1 | bit))
            .collect();
        assert!(codes == ours, "{kbit} kbit/s");
        let one = decode(rate, Order::Aal2, Side::Linear, &aal2);
        let other = decode(rate, Order::Rfc3551, Side::Linear, &pack(rate, &ours));
        assert!(one == other, "{kbit} kbit/s");
    }
}

#[test]
fn a_payload_of_any_number_of_frames_is_the_same_stream() {
    let pcm = signal::speech(9, 8000, 4800);
    for (rate, _) in RATES {
        for order in [Order::Rfc3551, Order::Aal2] {
            let (mut whole, mut parts) = (Encoder::new(rate, order), Encoder::new(rate, order));
            let mut expected = vec![0; 4800];
            let count = whole.encode(&pcm, &mut expected).expect("whole frames").octets;
            expected.truncate(count);
            let mut random = signal::Random::new(1);
            let (mut rest, mut made) = (&pcm[..], Vec::new());
            while !rest.is_empty() {
                let frames = (1 + random.below(12) as usize).min(rest.len() / rate.frame_samples());
                let (now, later) = rest.split_at(frames * rate.frame_samples());
                let mut payload = [0; 100];
                let count = parts.encode(now, &mut payload).expect("whole frames").octets;
                assert_eq!(count, frames * rate.frame_octets());
                made.extend(&payload[..count]);
                rest = later;
            }
            assert!(made == expected, "{rate:?} {order:?}");
            let mut all = vec![0_i16; 4800];
            Decoder::new(rate, order).decode(&made, &mut all).expect("whole frames");
            let mut decoder = Decoder::new(rate, order);
            let mut rest = &made[..];
            let mut heard: Vec<i16> = Vec::new();
            while !rest.is_empty() {
                let frames = (1 + random.below(12) as usize).min(rest.len() / rate.frame_octets());
                let (now, later) = rest.split_at(frames * rate.frame_octets());
                let mut pcm = [0; 100];
                let count = decoder.decode(now, &mut pcm).expect("whole frames");
                heard.extend(&pcm[..count]);
                rest = later;
            }
            assert!(heard == all, "{rate:?} {order:?}");
        }
    }
}

#[test]
fn wrong_lengths_are_errors_that_say_them_and_change_nothing() {
    let mut encoder = Encoder::new(Rate::Kbit24, Order::Rfc3551);
    let mut out = [0; 60];
    for got in [0, 7, 161] {
        let error = CodecError::PartialFrame { frame: 8, got };
        assert_eq!(encoder.encode(&vec![1000; got], &mut out), Err(error));
        assert_eq!(encoder.encode_law(Law::A, &vec![1; got], &mut out), Err(error));
    }
    assert_eq!(
        encoder.encode(&[1000; 160], &mut out[..59]),
        Err(CodecError::OutputTooShort { needed: 60, got: 59 })
    );
    let pcm = signal::noise(1, 9000, 160);
    assert_eq!(encoder.encode(&pcm, &mut out), Ok(Encoded { octets: 60, samples: 160 }));
    let mut fresh = [0; 60];
    Encoder::new(Rate::Kbit24, Order::Rfc3551).encode(&pcm, &mut fresh).expect("whole frames");
    assert_eq!(out, fresh);

    for (rate, expected) in
        [(Rate::Kbit24, "a multiple of 3 octets"), (Rate::Kbit40, "a multiple of 5 octets")]
    {
        let mut decoder = Decoder::new(rate, Order::Aal2);
        for got in [0, 1, 2, 4, 61] {
            let error = CodecError::PayloadLength { got, expected };
            assert_eq!(decoder.decode(&vec![1; got], &mut [0; 400]), Err(error));
            assert_eq!(decoder.decode_law(Law::Mu, &vec![1; got], &mut [0; 400]), Err(error));
        }
        assert_eq!(decoder.conceal(&mut [0; 12]), Err(CodecError::PartialFrame { frame: 8, got: 12 }));
    }
    let mut decoder = Decoder::new(Rate::Kbit32, Order::Rfc3551);
    assert_eq!(
        decoder.decode(&[0; 80], &mut [0; 159]),
        Err(CodecError::OutputTooShort { needed: 160, got: 159 })
    );
}

#[test]
fn after_garbage_the_decoder_finds_back_to_the_encoder() {
    let pcm = signal::speech(11, 8000, 80_000);
    for (rate, kbit) in RATES {
        let mut encoder = Encoder::new(rate, Order::Rfc3551);
        let (mut clean, mut dirty) = (Decoder::new(rate, Order::Rfc3551), Decoder::new(rate, Order::Rfc3551));
        let mut noise = vec![0; 20 * rate.bits() * 100];
        signal::Random::new(3).fill(&mut noise);
        dirty.decode(&noise, &mut vec![0; 16_000]).expect("whole frames");
        dirty.conceal(&mut [0; 480]).expect("whole frames");
        let (mut meant, mut heard) = (Vec::new(), Vec::new());
        for frame in pcm.chunks(160) {
            let mut payload = [0; 100];
            let count = encoder.encode(frame, &mut payload).expect("whole frames").octets;
            for (decoder, out) in [(&mut clean, &mut meant), (&mut dirty, &mut heard)] {
                let mut pcm = [0; 160];
                decoder.decode(&payload[..count], &mut pcm).expect("whole frames");
                out.extend(pcm);
            }
        }
        let snr = common::snr(&meant[40_000..], &heard[40_000..]);
        assert!(snr > 30.0, "{kbit} kbit/s: {snr:.1} dB after five seconds");
    }
}

#[test]
fn reset_is_a_new_coder() {
    let pcm = signal::speech(12, 8000, 1600);
    let (mut encoder, mut decoder) =
        (Encoder::new(Rate::Kbit40, Order::Aal2), Decoder::new(Rate::Kbit40, Order::Aal2));
    let mut run = || {
        let (mut payload, mut heard) = ([0; 1000], [0; 1600]);
        encoder.encode(&pcm, &mut payload).expect("whole frames");
        decoder.decode(&payload, &mut heard).expect("whole frames");
        encoder.reset();
        decoder.reset();
        (payload, heard)
    };
    assert_eq!(run(), run());
}

#[test]
fn specs_name_their_rate_and_order() {
    let specs = [
        (&g726::G726_16, "G726-16", 4),
        (&g726::G726_24, "G726-24", 8),
        (&g726::G726_32, "G726-32", 2),
        (&g726::G726_40, "G726-40", 8),
        (&g726::AAL2_G726_16, "AAL2-G726-16", 4),
        (&g726::AAL2_G726_24, "AAL2-G726-24", 8),
        (&g726::AAL2_G726_32, "AAL2-G726-32", 2),
        (&g726::AAL2_G726_40, "AAL2-G726-40", 8),
    ];
    let orders = [Order::Rfc3551, Order::Aal2];
    let coders = orders.into_iter().flat_map(|order| RATES.map(|(rate, kbit)| (rate, kbit, order)));
    for ((spec, name, frame), (rate, kbit, order)) in specs.into_iter().zip(coders) {
        assert_eq!(
            (spec.name, spec.rtp_clock, spec.bit_rate, spec.payload_type),
            (name, 8000, kbit * 1000, None)
        );
        assert_eq!((spec.frame_samples, spec.octets(20)), (frame, 20 * rate.bits()));
        assert_eq!(Encoder::new(rate, order).spec(), spec);
        assert_eq!(Decoder::new(rate, order).spec(), spec);
    }
}

#[test]
fn states_have_the_documented_size() {
    assert_eq!(g726::ENCODER_BYTES, 96);
    assert_eq!(g726::DECODER_BYTES, 888);
}
