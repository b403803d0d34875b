//! Opus: files of packets that each say the range coder's state behind them.

use super::{Made, text};
use crate::codec::{Application, Codec, Options};
use crate::files;
use sidetone_codecs::opus::{self, Decoder, Encoder, Rate, Settings};

/// 20 ms packets.
const PER_SECOND: usize = 50;

pub fn encode(codec: Codec, options: &Options, pcm: &[i16]) -> Result<Made, String> {
    let Codec::Opus { rate: hertz, bit_rate, dtx, fec } = codec else { return Err("not Opus".into()) };
    let rate = rate(hertz)?;
    let settings = Settings {
        bit_rate,
        dtx,
        fec,
        expected_loss: if fec { 20 } else { 0 },
        complexity: options.complexity,
        application: application(options.application),
        ..Settings::new(rate)
    };
    let mut encoder = Encoder::new(rate, settings);
    let (mut file, mut frames, mut octets) = (Vec::new(), 0, 0);
    for frame in pcm.chunks_exact(hertz as usize / PER_SECOND) {
        let mut packet = [0; 1500];
        let length = encoder.encode_packet(frame, &mut packet).map_err(text)?;
        files::push_record(&mut file, &packet[..length])?;
        file.extend_from_slice(&encoder.final_range().to_le_bytes());
        frames += 1;
        octets += length;
    }
    Ok(Made::new(file, frames, octets, pcm.len(), hertz))
}

pub fn decode(codec: Codec, options: &Options, input: &[u8]) -> Result<Made, String> {
    let hertz = options.rate.unwrap_or_else(|| codec.sample_rate());
    let packets = files::opus(input)?;
    let mut decoder = Decoder::new(rate(hertz)?);
    let frame = hertz as usize / PER_SECOND;
    let mut pcm = Vec::with_capacity(packets.len() * frame);
    let mut heard = vec![0; frame * 6];
    for (index, packet) in packets.iter().enumerate() {
        let next = packets.get(index + 1).filter(|_| options.rebuild && !options.lose.is_lost(index + 1));
        let samples = match next {
            _ if !options.lose.is_lost(index) => decoder.decode_packet(packet.payload, &mut heard),
            Some(next) => decoder.recover(next.payload, &mut heard[..frame]),
            None => sidetone_codecs::Decoder::conceal(&mut decoder, &mut heard[..frame]),
        };
        let samples = samples.map_err(|error| format!("packet {index}: {error}"))?;
        pcm.extend_from_slice(&heard[..samples]);
    }
    let octets = packets.iter().map(|packet| packet.payload.len()).sum();
    Ok(Made::new(files::octets(&pcm), packets.len(), octets, pcm.len(), hertz))
}

/// A table of each packet's number, octets, whether it is lost, and the ranges of encoder and decoder.
pub fn ranges(input: &[u8]) -> Result<Vec<u8>, String> {
    let mut decoder = Decoder::new(Rate::Hz48000);
    let mut heard = vec![0; 48_000 * 120 / 1000];
    let mut table = String::new();
    for (index, packet) in files::opus(input)?.iter().enumerate() {
        decoder
            .decode_packet(packet.payload, &mut heard)
            .map_err(|error| format!("packet {index}: {error}"))?;
        let (encoder, octets) = (packet.range, packet.payload.len());
        table += &format!("{index}\t{octets}\t0\t{encoder:08x}\t{:08x}\n", decoder.final_range());
    }
    Ok(table.into_bytes())
}

fn rate(hertz: u32) -> Result<Rate, String> {
    Rate::from_hz(hertz)
        .ok_or_else(|| format!("Opus at {hertz} Hz: 8000, 16000, 24000 or 48000 was expected"))
}

const fn application(application: Application) -> opus::Application {
    match application {
        Application::Voip => opus::Application::Voip,
        Application::Audio => opus::Application::Audio,
        Application::Lowdelay => opus::Application::LowDelay,
    }
}
