//! G.711 against the ITU-T STL: by digest everywhere, octet by octet where `../shared/vectors` exists.

use crate::common;
use crate::common::vectors;
use sidetone_codecs::{CodecError, Decoder as _, Encoded, Encoder as _, pcma, pcmu};

fn every_sample() -> Vec<i16> {
    (i16::MIN..=i16::MAX).collect()
}

fn every_code() -> Vec<u8> {
    (0..=u8::MAX).collect()
}

fn encoded(encode: fn(&[i16], &mut [u8])) -> Vec<u8> {
    let mut out = vec![0; 65_536];
    encode(&every_sample(), &mut out);
    out
}

fn decoded(decode: fn(&[u8], &mut [i16])) -> Vec<u8> {
    let mut out = [0; 256];
    decode(&every_code(), &mut out);
    common::octets(&out)
}

/// Name of the reference file, what we make, and the digest of the reference.
fn cases() -> [(&'static str, Vec<u8>, &'static str); 4] {
    [
        (
            "pcmu-encode-stl.bin",
            encoded(pcmu::encode_slice),
            "90c29de505fb68e766118303bd552a16005dcf810873698bee1d8f3b247ce28c",
        ),
        (
            "pcmu-decode.pcm",
            decoded(pcmu::decode_slice),
            "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827",
        ),
        (
            "pcma-encode-stl.bin",
            encoded(pcma::encode_slice),
            "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b",
        ),
        (
            "pcma-decode.pcm",
            decoded(pcma::decode_slice),
            "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174",
        ),
    ]
}

#[test]
fn every_sample_and_code_matches_the_stl_by_digest() {
    for (name, ours, reference) in cases() {
        assert_eq!(common::sha256(&ours), reference, "{name}");
    }
}

#[test]
fn every_sample_and_code_matches_the_stl_files() {
    let Some(folder) = vectors::folder("g711") else { return };
    let mut compared = 0;
    for (name, ours, _) in cases() {
        let reference = folder.read(name).expect(name);
        let wrong = ours.iter().zip(&reference).filter(|(a, b)| a != b).count();
        assert_eq!((ours.len(), wrong), (reference.len(), 0), "{name}: octets that differ");
        compared += 1;
    }
    println!("vectors: g711, {compared} files compared, all the same");
}

#[test]
fn a_code_survives_decoding_and_encoding() {
    for code in every_code() {
        // Negative zero of mu-law becomes positive zero.
        let expected = if code == 0x7f { 0xff } else { code };
        assert_eq!(pcmu::encode_sample(pcmu::decode_sample(code)), expected);
        assert_eq!(pcma::encode_sample(pcma::decode_sample(code)), code);
    }
    assert_eq!((pcmu::encode_sample(0), pcma::encode_sample(0)), (pcmu::SILENCE, pcma::SILENCE));
}

#[test]
fn short_buffers_are_errors_that_say_the_lengths() {
    let error = CodecError::OutputTooShort { needed: 160, got: 159 };
    assert_eq!(pcmu::Encoder::new().encode(&[0; 160], &mut [0; 159]), Err(error));
    assert_eq!(pcmu::Decoder::new().decode(&[0; 160], &mut [0; 159]), Err(error));
    let encoded = Encoded { octets: 160, samples: 160 };
    assert_eq!(pcma::Encoder::new().encode(&[0; 160], &mut [0; 200]), Ok(encoded));
    assert_eq!(pcma::Decoder::new().decode(&[0; 160], &mut [0; 200]), Ok(160));
    assert_eq!(error.to_string(), "the output buffer holds 159, the result takes 160");
}

#[test]
fn nothing_is_not_a_payload() {
    let error = CodecError::PartialFrame { frame: 1, got: 0 };
    assert_eq!(pcmu::Encoder::new().encode(&[], &mut [0; 160]), Err(error));
    let error = CodecError::PayloadLength { got: 0, expected: "one octet or more" };
    assert_eq!(pcma::Decoder::new().decode(&[], &mut [0; 160]), Err(error));
}

#[test]
fn a_loss_goes_on_as_it_was_and_fades() {
    let tone: Vec<i16> = (0..800).map(|i| if i / 40 % 2 == 0 { 8000 } else { -8000 }).collect();
    let mut payload = [0; 800];
    pcmu::encode_slice(&tone, &mut payload);
    let mut decoder = pcmu::Decoder::new();
    let mut heard = [0; 800];
    decoder.decode(&payload, &mut heard).expect("a payload");
    let mut invented = [0; 800];
    assert_eq!(decoder.conceal(&mut invented), Ok(800));
    assert!(common::snr(&heard[..80], &invented[..80]) > 30.0);
    assert_eq!(invented[480..], [0; 320]);
}

#[test]
fn states_have_the_documented_size() {
    assert_eq!(size_of::<pcmu::Encoder>(), 0);
    assert_eq!(size_of::<pcma::Encoder>(), 0);
    assert_eq!(size_of::<pcmu::Decoder>(), 792);
    assert_eq!(size_of::<pcma::Decoder>(), 792);
}
