//! A whole file through a codec.

use crate::codec::{Codec, Law, Options, Order, Payload};
use crate::files;
use sidetone_codecs::{Decoder, Encoder, amr, g722, g726, g729, g7231, ilbc, l16, pcma, pcmu};

mod opus;
pub use opus::ranges as opus_ranges;

/// What became of a file.
#[derive(Default)]
pub struct Made {
    pub file: Vec<u8>,
    pub frames: usize,
    /// Bits on the coded side, without the framing of the file.
    pub coded_bits: usize,
    /// Seconds of speech.
    pub seconds: f64,
}

impl Made {
    fn new(file: Vec<u8>, frames: usize, coded_octets: usize, samples: usize, rate: u32) -> Self {
        Self { file, frames, coded_bits: coded_octets * 8, seconds: samples as f64 / f64::from(rate) }
    }
}

/// A file of PCM (or, for G.726 with a law, of G.711 octets) to a coded file.
pub fn encode(codec: Codec, options: &Options, input: &[u8]) -> Result<Made, String> {
    let law = law(options.law).filter(|_| matches!(codec, Codec::G726(_)));
    if let (Codec::G726(rate), Some(law)) = (codec, law) {
        let rate = g726_rate(rate)?;
        let mut out = vec![0; input.len()];
        let octets = g726::Encoder::new(rate, order(options.order)).encode_law(law, input, &mut out);
        out.truncate(octets.map_err(text)?);
        return Ok(Made::new(out.clone(), input.len(), out.len(), input.len(), 8000));
    }
    let pcm = files::samples(input)?;
    match codec {
        Codec::Pcmu => raw(&mut pcmu::Encoder::new(), &pcm, 160),
        Codec::Pcma => raw(&mut pcma::Encoder::new(), &pcm, 160),
        Codec::L16 => raw(&mut l16::Encoder::new(l16::Rate::Hz8000), &pcm, 160),
        Codec::G722 => raw(&mut g722::Encoder::new(), &pcm, 320),
        Codec::G726(rate) => raw(&mut g726::Encoder::new(g726_rate(rate)?, order(options.order)), &pcm, 160),
        Codec::G729 { vad: false } => raw(&mut g729::Encoder::new(false), &pcm, 80),
        Codec::G729 { vad: true } => recorded(&mut g729::Encoder::new(true), &pcm, 80),
        Codec::G7231 { rate, vad } => g7231_encode(rate, vad, options, &pcm),
        Codec::Ilbc(millis) => raw(&mut ilbc::Encoder::new(ilbc_mode(millis)), &pcm, usize::from(millis) * 8),
        Codec::Amr { mode, dtx } => amr_encode(mode, dtx, options.payload, &pcm),
        Codec::Opus { .. } => opus::encode(codec, options, &pcm),
    }
}

/// A coded file to PCM (or, for G.726 with a law, to G.711 octets).
pub fn decode(codec: Codec, options: &Options, input: &[u8]) -> Result<Made, String> {
    match codec {
        Codec::Pcmu => payloads(&mut pcmu::Decoder::new(), &blocks(input, 160), options),
        Codec::Pcma => payloads(&mut pcma::Decoder::new(), &blocks(input, 160), options),
        Codec::L16 => payloads(&mut l16::Decoder8000::new(), &blocks(input, 320), options),
        Codec::G722 => {
            let mode = g722::Mode::from_number(options.mode).ok_or("G.722 has the modes 1, 2 and 3")?;
            payloads(&mut g722::Decoder::with_mode(mode), &blocks(input, 160), options)
        }
        Codec::G726(rate) => {
            let rate = g726_rate(rate)?;
            let mut decoder = g726::Decoder::new(rate, order(options.order));
            match law(options.law) {
                None => payloads(&mut decoder, &blocks(input, 160 * rate.bits() / 8), options),
                Some(law) => {
                    let mut out = vec![0; input.len() * 8 / rate.bits()];
                    let samples = decoder.decode_law(law, input, &mut out).map_err(text)?;
                    Ok(Made::new(out, samples, input.len(), samples, 8000))
                }
            }
        }
        Codec::G729 { vad: false } => {
            payloads(&mut g729::Decoder::new(), &files::fixed(input, g729::SPEECH_OCTETS)?, options)
        }
        Codec::G729 { vad: true } => g729ab_decode(input, options),
        Codec::G7231 { .. } => g7231_decode(input, options),
        Codec::Ilbc(millis) => {
            let mode = ilbc_mode(millis);
            let mut decoder = ilbc::Decoder::new(mode).enhancer(options.enhancer);
            payloads(&mut decoder, &files::fixed(input, mode.octets())?, options)
        }
        Codec::Amr { .. } => amr_decode(options, input),
        Codec::Opus { .. } => opus::decode(codec, options, input),
    }
}

/// Payloads of one frame, one behind the other.
fn raw(encoder: &mut dyn Encoder, pcm: &[i16], frame: usize) -> Result<Made, String> {
    encode_each(encoder, pcm, frame, |file, payload| {
        file.extend_from_slice(payload);
        Ok(())
    })
}

/// Payloads of one frame as records.
fn recorded(encoder: &mut dyn Encoder, pcm: &[i16], frame: usize) -> Result<Made, String> {
    encode_each(encoder, pcm, frame, files::push_record)
}

fn encode_each(
    encoder: &mut dyn Encoder,
    pcm: &[i16],
    frame: usize,
    mut put: impl FnMut(&mut Vec<u8>, &[u8]) -> Result<(), String>,
) -> Result<Made, String> {
    let rate = encoder.spec().sample_rate;
    let mut file = Vec::with_capacity(pcm.len());
    let mut payload = vec![0; 2 * frame.max(20)];
    let mut octets = 0;
    for frame in pcm.chunks(frame) {
        let encoded = encoder.encode(frame, &mut payload).map_err(text)?;
        octets += encoded.octets;
        put(&mut file, payload.get(..encoded.octets).ok_or("an encoder wrote too much")?)?;
    }
    Ok(Made::new(file, pcm.len().div_ceil(frame), octets, pcm.len(), rate))
}

/// Each payload, or what the decoder makes up for it.
fn payloads(decoder: &mut dyn Decoder, payloads: &[&[u8]], options: &Options) -> Result<Made, String> {
    let rate = decoder.spec().sample_rate;
    let mut pcm = Vec::new();
    let mut heard = vec![0; 960];
    for (index, payload) in payloads.iter().enumerate() {
        let samples = if options.lose.is_lost(index) {
            // As long as the payload before it, or a frame.
            let lost = decoder.frame_samples().max(if decoder.frame_samples() < 80 {
                rate as usize / 50
            } else {
                0
            });
            decoder.conceal(&mut heard[..lost])
        } else {
            decoder.decode(payload, &mut heard)
        };
        pcm.extend_from_slice(&heard[..samples.map_err(|error| format!("frame {index}: {error}"))?]);
    }
    let octets = payloads.iter().map(|payload| payload.len()).sum();
    Ok(Made::new(files::octets(&pcm), payloads.len(), octets, pcm.len(), rate))
}

/// 20 ms each, and what is left.
fn blocks(input: &[u8], octets: usize) -> Vec<&[u8]> {
    input.chunks(octets).collect()
}

/// Frames in their own methods: `decode` fills one frame, or what stands for it if it is lost.
fn frames<const N: usize>(
    count: usize,
    octets: usize,
    mut decode: impl FnMut(usize, &mut [i16; N]) -> Result<(), String>,
) -> Result<Made, String> {
    let mut pcm = Vec::with_capacity(count * N);
    let mut heard = [0; N];
    for index in 0..count {
        decode(index, &mut heard).map_err(|error| format!("frame {index}: {error}"))?;
        pcm.extend_from_slice(&heard);
    }
    Ok(Made::new(files::octets(&pcm), count, octets, pcm.len(), 8000))
}

/// A record of 0 octets, or a lost one: a receiver cannot tell them apart, so both are concealed. The coder that
/// made the vectors falls silent after ten of them in a row, and so does this tool.
fn g729ab_decode(input: &[u8], options: &Options) -> Result<Made, String> {
    let records = files::records(input)?;
    let mut decoder = g729::Decoder::new().with_fill_limit(10);
    let octets = records.iter().map(|record| record.len()).sum();
    frames(records.len(), octets, |index, heard| {
        match records[index] {
            record if record.is_empty() || options.lose.is_lost(index) => *heard = decoder.conceal_frame(),
            record => drop(decoder.decode(record, heard).map_err(text)?),
        }
        Ok(())
    })
}

fn g7231_encode(rate: u8, vad: bool, options: &Options, pcm: &[i16]) -> Result<Made, String> {
    let rate = if rate == 53 { g7231::Rate::Low } else { g7231::Rate::High };
    let mut encoder = g7231::Encoder::new(g7231::Settings { rate, vad, high_pass: options.high_pass });
    let (frames, []) = pcm.as_chunks() else {
        return Err(format!("{} samples are not whole frames of 240", pcm.len()));
    };
    let mut file = Vec::with_capacity(frames.len() * 24);
    for frame in frames {
        let mut out = [0; 24];
        let octets = encoder.encode_frame(frame, &mut out).octets();
        file.extend_from_slice(&out[..octets]);
    }
    let octets = file.len();
    Ok(Made::new(file, frames.len(), octets, pcm.len(), 8000))
}

fn g7231_decode(input: &[u8], options: &Options) -> Result<Made, String> {
    let coded = files::g7231(input)?;
    let mut decoder = g7231::Decoder::new(options.postfilter);
    frames(coded.len(), input.len(), |index, heard| {
        if options.lose.is_lost(index) {
            decoder.conceal_frame(heard);
            return Ok(());
        }
        decoder.decode_frame(coded[index], heard).map(drop).map_err(text)
    })
}

fn amr_encode(mode: u8, dtx: bool, payload: Option<Payload>, pcm: &[i16]) -> Result<Made, String> {
    let mode = amr::Mode::from_number(mode).ok_or("AMR has the modes 0 to 7")?;
    let format = payload.map_or_else(amr::Format::default, amr_format);
    let mut encoder = amr::Encoder::new(mode, format, dtx);
    let (frames, []) = pcm.as_chunks() else {
        return Err(format!("{} samples are not whole frames of 160", pcm.len()));
    };
    let mut file = if payload.is_some() { Vec::new() } else { amr::MAGIC.to_vec() };
    let mut octets = 0;
    for pcm in frames {
        let frame = encoder.encode_frame(pcm);
        let mut out = [0; 40];
        // A payload for every frame, also of no data, as the vectors have them.
        let length = match payload {
            Some(_) => amr::pack(&format, None, &[frame], &mut out),
            None => frame.store(&mut out),
        };
        let length = length.map_err(text)?;
        octets += length;
        match payload {
            Some(_) => files::push_record(&mut file, &out[..length])?,
            None => file.extend_from_slice(&out[..length]),
        }
    }
    Ok(Made::new(file, frames.len(), octets, pcm.len(), 8000))
}

fn amr_decode(options: &Options, input: &[u8]) -> Result<Made, String> {
    let Some(payload) = options.payload else {
        let coded: Result<Vec<_>, _> = amr::StoredFrames::new(input).map_err(text)?.collect();
        let coded = coded.map_err(text)?;
        let mut decoder = amr::Decoder::default();
        return frames(coded.len(), input.len(), |index, heard| {
            let lost = options.lose.is_lost(index);
            decoder.decode_frame(if lost { &amr::Frame::NO_DATA } else { &coded[index].0 }, heard);
            Ok(())
        });
    };
    let records = files::records(input)?;
    let mut decoder = amr::Decoder::new(amr_format(payload));
    let octets = records.iter().map(|record| record.len()).sum();
    frames(records.len(), octets, |index, heard: &mut [i16; amr::FRAME_SAMPLES]| {
        if options.lose.is_lost(index) || records[index].is_empty() {
            return decoder.conceal(heard).map(drop).map_err(text);
        }
        decoder.decode(records[index], heard).map(drop).map_err(text)
    })
}

fn amr_format(payload: Payload) -> amr::Format {
    match payload {
        Payload::Oa => amr::Format::OCTET_ALIGNED,
        Payload::Be => amr::Format::BANDWIDTH_EFFICIENT,
    }
}

fn g726_rate(kbit: u8) -> Result<g726::Rate, String> {
    match kbit {
        16 => Ok(g726::Rate::Kbit16),
        24 => Ok(g726::Rate::Kbit24),
        32 => Ok(g726::Rate::Kbit32),
        40 => Ok(g726::Rate::Kbit40),
        _ => Err(format!("G.726 has no rate of {kbit} kbit/s")),
    }
}

const fn order(order: Order) -> g726::Order {
    match order {
        Order::Rfc3551 => g726::Order::Rfc3551,
        Order::Aal2 => g726::Order::Aal2,
    }
}

const fn law(law: Law) -> Option<g726::Law> {
    match law {
        Law::Linear => None,
        Law::Alaw => Some(g726::Law::A),
        Law::Ulaw => Some(g726::Law::Mu),
    }
}

const fn ilbc_mode(millis: u8) -> ilbc::Mode {
    if millis == 20 { ilbc::Mode::Ms20 } else { ilbc::Mode::Ms30 }
}

fn text(error: impl core::fmt::Display) -> String {
    error.to_string()
}
