//! What no input may do to a codec: the bodies of the fuzz targets in `codecs/fuzz`, which `tests/codecs/garbage.rs`
//! runs on seeded input too.
#![allow(dead_code, unreachable_pub, reason = "each user has its own part")]
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

use sidetone_codecs::{ALL, CodecError, CodecSpec, Decoder, Encoder, Fmtp, Values};

/// Octets and samples that are enough for 60 ms of anything.
const ROOM: usize = 8192;
/// Fills the buffers, to see what is written.
const UNTOUCHED: i16 = 0x5a5a;

/// One payload, and the samples that it stands for. Without octets it is not sent.
#[derive(Clone, Debug)]
pub struct Payload {
    pub octets: Vec<u8>,
    pub samples: usize,
}

/// A codec's default parameters, and every way to change one of them.
pub fn variants(spec: &CodecSpec) -> Vec<Fmtp> {
    let mut variants = vec![spec.defaults()];
    for rule in spec.fmtp {
        let values = match rule.values {
            Values::Flag | Values::YesNo => vec![0, 1],
            Values::OneOf(words) => words.iter().map(|(_, value)| *value).collect(),
            Values::Range(least, most) => vec![least, most],
            Values::Set(below) => (0..below).map(|member| 1 << member).collect(),
        };
        for value in values.into_iter().filter(|value| *value != rule.default) {
            let mut variant = spec.defaults();
            variant.set(rule.name, value).expect("one of its values");
            variants.push(variant);
        }
    }
    variants
}

/// Whether a codec has what the parameters ask for; if not, each call must say so.
pub fn is_supported(spec: &CodecSpec, fmtp: &Fmtp) -> bool {
    let silence = vec![0; spec.samples(60)];
    let encoded = spec.encoder_with(fmtp).encode(&silence, &mut [0; ROOM]);
    if !matches!(encoded, Err(CodecError::Unsupported(_))) {
        return true;
    }
    let mut decoder = spec.decoder_with(fmtp);
    let decoded = decoder.decode(&[0; 64], &mut [0; ROOM]);
    let concealed = decoder.conceal(&mut vec![0; spec.samples(60)]);
    assert!(matches!(decoded, Err(CodecError::Unsupported(_))), "{spec:?} {fmtp}: {decoded:?}");
    assert!(matches!(concealed, Err(CodecError::Unsupported(_))), "{spec:?} {fmtp}: {concealed:?}");
    false
}

/// Encodes in packets of 60 ms, which every frame length divides.
pub fn encode(spec: &CodecSpec, encoder: &mut dyn Encoder, pcm: &[i16]) -> Vec<Payload> {
    let mut payloads = Vec::new();
    let mut out = [0; ROOM];
    for mut packet in pcm.chunks_exact(spec.samples(60)) {
        while !packet.is_empty() {
            let encoded = encoder.encode(packet, &mut out).expect("whole frames and room for them");
            assert!((1..=packet.len()).contains(&encoded.samples), "{spec:?}: {encoded:?}");
            let octets = out[..encoded.octets].to_vec();
            payloads.push(Payload { octets, samples: encoded.samples });
            packet = &packet[encoded.samples..];
        }
    }
    payloads
}

/// Decodes payloads that are right.
pub fn decode(decoder: &mut dyn Decoder, payloads: &[Payload]) -> Vec<i16> {
    let mut all = Vec::new();
    for payload in payloads {
        let pcm = decode_or_refuse(decoder, &payload.octets).expect("our own payload");
        assert_eq!(pcm.len(), payload.samples, "{:?}: samples in, samples out", decoder.spec());
        all.extend(pcm);
    }
    all
}

/// Decodes anything: either it is refused, or it gives a bounded number of samples and nothing else is
/// written.
pub fn decode_or_refuse(decoder: &mut dyn Decoder, payload: &[u8]) -> Result<Vec<i16>, CodecError> {
    const FIRST: usize = 960;
    let spec = decoder.spec();
    let mut pcm = vec![UNTOUCHED; FIRST];
    let mut decoded = decoder.decode(payload, &mut pcm);
    if let Err(CodecError::OutputTooShort { needed, got }) = decoded {
        // The smallest frames are of one octet and 30 ms; Opus has payloads of one octet and 120 ms.
        let most = (spec.samples(30) * payload.len()).max(spec.samples(120));
        assert!(got == FIRST && (FIRST + 1..=most).contains(&needed), "{spec:?}: needs {needed} of {got}");
        assert!(pcm.iter().all(|sample| *sample == UNTOUCHED), "{spec:?}: wrote before it refused");
        pcm.resize(needed + 8, UNTOUCHED);
        decoded = decoder.decode(payload, &mut pcm);
        assert_eq!(decoded, Ok(needed), "{spec:?}: the room that it asked for");
    }
    let samples = decoded?;
    assert!(
        pcm[samples..].iter().all(|sample| *sample == UNTOUCHED),
        "{spec:?}: wrote past {samples} samples"
    );
    pcm.truncate(samples);
    Ok(pcm)
}

/// Conceals 60 ms, which every frame length divides.
pub fn conceal(decoder: &mut dyn Decoder) -> Vec<i16> {
    let mut pcm = vec![UNTOUCHED; decoder.spec().samples(60)];
    let samples = decoder.conceal(&mut pcm);
    assert_eq!(samples, Ok(pcm.len()), "{:?}", decoder.spec());
    pcm
}

/// Fuzz target: payloads of any content and length, with losses between them, for one of the codecs.
///
/// The first octet names the codec and the second its parameters. Then each payload has a head of two octets,
/// its length; the upper bits of the head ask for a loss or a reset before it.
pub fn decode_anything(data: &[u8]) {
    let Some((spec, fmtp, mut data)) = choose(data) else { return };
    let mut decoder = spec.decoder_with(&fmtp);
    while let Some((head, rest)) = data.split_first_chunk() {
        let head = u16::from_le_bytes(*head);
        match head >> 12 {
            0 => decoder.reset(),
            1 | 2 => drop(conceal(&mut *decoder)),
            3 => {
                // Any length: refused, or filled.
                let mut pcm = vec![0; usize::from(head & 0x3ff)];
                let samples = decoder.conceal(&mut pcm);
                assert!(samples.is_err() || samples == Ok(pcm.len()), "{spec:?}: {samples:?}");
            }
            _ => {}
        }
        let (payload, rest) = rest.split_at(usize::from(head & 0x1ff).min(rest.len()));
        let _ = decode_or_refuse(&mut *decoder, payload);
        data = rest;
    }
}

/// Fuzz target: samples of any value, repeated to fill whole packets, through encoder and decoder of one of
/// the codecs.
pub fn round_trip_anything(data: &[u8]) {
    let Some((spec, fmtp, data)) = choose(data) else { return };
    let given: Vec<i16> = data.as_chunks().0.iter().map(|octets| i16::from_le_bytes(*octets)).collect();
    let packets = given.len().div_ceil(spec.samples(60)).clamp(2, 10);
    let pcm: Vec<i16> = given.into_iter().cycle().take(packets * spec.samples(60)).collect();
    let payloads = encode(spec, &mut *spec.encoder_with(&fmtp), &pcm);
    let decoded = decode(&mut *spec.decoder_with(&fmtp), &payloads);
    assert_eq!(decoded.len(), pcm.len());
}

/// Fuzz target: any text as format parameters; what is understood is written so that it is understood again.
pub fn parse_anything(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for spec in ALL {
        let Ok(parsed) = Fmtp::parse(spec.fmtp, text) else { continue };
        assert_eq!(Fmtp::parse(spec.fmtp, &parsed.to_string()), Ok(parsed), "{spec:?}: {parsed}");
        if let Some(agreed) = spec.defaults().agree(&parsed) {
            assert_eq!(Fmtp::parse(spec.fmtp, &agreed.to_string()), Ok(agreed), "{spec:?}: {agreed}");
        }
    }
}

fn choose(data: &[u8]) -> Option<(&'static CodecSpec, Fmtp, &[u8])> {
    let (&[codec, variant], rest) = data.split_first_chunk()?;
    let spec = ALL.get(usize::from(codec).checked_rem(ALL.len())?)?;
    let variants = variants(spec);
    let fmtp = *variants.get(usize::from(variant).checked_rem(variants.len())?)?;
    is_supported(spec, &fmtp).then_some((spec, fmtp, rest))
}
