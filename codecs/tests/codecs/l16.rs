//! L16: octets as RFC 3551 says, every rate, and concealment at it.

use sidetone_codecs::l16::{
    Decoder8000, Decoder16000, Decoder44100, Decoder48000, Encoder, L16_8000, L16_16000, L16_44100,
    L16_48000, Rate,
};
use sidetone_codecs::{CodecError, CodecSpec, Decoder, Encoded, Encoder as _};

fn coders() -> [(Rate, &'static CodecSpec, Box<dyn Decoder>); 4] {
    [
        (Rate::Hz8000, &L16_8000, Box::new(Decoder8000::new())),
        (Rate::Hz16000, &L16_16000, Box::new(Decoder16000::new())),
        (Rate::Hz44100, &L16_44100, Box::new(Decoder44100::new())),
        (Rate::Hz48000, &L16_48000, Box::new(Decoder48000::new())),
    ]
}

#[test]
fn samples_travel_in_network_order_and_come_back_unchanged() {
    let pcm: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    for (rate, spec, mut decoder) in coders() {
        let mut encoder = Encoder::new(rate);
        assert_eq!((encoder.spec(), decoder.spec()), (spec, spec));
        let mut payload = vec![0; 2 * pcm.len()];
        assert_eq!(encoder.encode(&pcm, &mut payload), Ok(Encoded { octets: 131_072, samples: 65_536 }));
        assert_eq!(payload[..4], [0x80, 0x00, 0x80, 0x01]);
        let mut heard = vec![0; pcm.len()];
        assert_eq!(decoder.decode(&payload, &mut heard), Ok(pcm.len()));
        assert!(heard == pcm);
    }
}

#[test]
fn specs_say_what_rfc_3551_says_and_packets_fit_an_ethernet_frame() {
    assert_eq!(L16_44100.payload_type, Some(11));
    for (_, spec, _) in coders() {
        assert_eq!((spec.name, spec.rtp_clock, spec.channels), ("L16", spec.sample_rate, 1));
        let (least, most) = spec.ptime_range;
        assert!((least..=most).contains(&spec.default_ptime));
        assert!(
            spec.octets(most.into()) <= 1440,
            "{} octets at {}",
            spec.octets(most.into()),
            spec.sample_rate
        );
    }
}

#[test]
fn a_tone_goes_on_through_a_loss_at_every_rate() {
    for (_, spec, mut decoder) in coders() {
        let period = spec.sample_rate as usize / 100;
        let tone: Vec<i16> = (0..20 * period).map(|i| (i % period * 16_000 / period) as i16 - 8000).collect();
        let payload: Vec<u8> = tone.iter().flat_map(|sample| sample.to_be_bytes()).collect();
        let mut heard = vec![0; tone.len()];
        decoder.decode(&payload, &mut heard).expect("a payload");
        let mut invented = vec![0; tone.len()];
        decoder.conceal(&mut invented).expect("room");
        // All of the first 10 ms but the joint; nothing after 60 ms.
        let worst = tone[..period]
            .iter()
            .zip(&invented)
            .map(|(a, b)| a.abs_diff(*b))
            .filter(|&off| off > 400)
            .count();
        assert!(worst < period / 4, "{worst} samples off at {} Hz", spec.sample_rate);
        assert!(invented[6 * period + 6..].iter().all(|&sample| sample == 0), "{} Hz", spec.sample_rate);
        decoder.reset();
        decoder.conceal(&mut invented).expect("room");
        assert!(invented.iter().all(|&sample| sample == 0));
    }
}

#[test]
fn wrong_lengths_are_errors_that_say_them() {
    let mut encoder = Encoder::new(Rate::Hz8000);
    assert_eq!(encoder.encode(&[1], &mut [0]), Err(CodecError::OutputTooShort { needed: 2, got: 1 }));
    assert_eq!(encoder.encode(&[], &mut [0]), Err(CodecError::PartialFrame { frame: 1, got: 0 }));
    let mut decoder = Decoder8000::new();
    let expected = "a multiple of 2 octets";
    for got in [0, 1, 319] {
        let error = CodecError::PayloadLength { got, expected };
        assert_eq!(decoder.decode(&vec![0; got], &mut [0; 160]), Err(error));
    }
    assert_eq!(
        decoder.decode(&[0; 320], &mut [0; 159]),
        Err(CodecError::OutputTooShort { needed: 160, got: 159 })
    );
}

#[test]
fn states_have_the_documented_size() {
    assert_eq!(size_of::<Encoder>(), 1);
    assert_eq!(
        [
            size_of::<Decoder8000>(),
            size_of::<Decoder16000>(),
            size_of::<Decoder44100>(),
            size_of::<Decoder48000>()
        ],
        [796, 1576, 4312, 4696]
    );
}
