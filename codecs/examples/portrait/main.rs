//! What each codec makes of a recording, to hear and to see.
//!
//! ```text
//! cargo run --release -p sidetone-codecs --example portrait --features alloc -- [speech.wav] [folder]
//! ```
//!
//! Encodes and decodes the recording (mono or the first channel, any rate; without one, speech made by code) with
//! each codec, writes a WAV of each, and draws one picture with a spectrogram a codec.

#![allow(unreachable_pub, reason = "a program has no outside")]
#![allow(
    clippy::indexing_slicing,
    reason = "a program for developers; buffers are sized where they are made"
)]

#[path = "../../tests/common/signal.rs"]
mod signal;

mod picture;
mod sound;

use sidetone_codecs::{CodecError, CodecSpec, Fmtp, find};
use std::path::PathBuf;
use std::process::ExitCode;

/// Label, encoding name, RTP clock, channels, format parameters, sample rate, kbit/s.
const SITTERS: [(&str, &str, u32, u8, &str, u32, f32); 15] = [
    ("G.711 mu-law", "PCMU", 8000, 1, "", 8000, 64.0),
    ("G.711 A-law", "PCMA", 8000, 1, "", 8000, 64.0),
    ("G.722", "G722", 8000, 1, "", 16_000, 64.0),
    ("G.726 at 40", "G726-40", 8000, 1, "", 8000, 40.0),
    ("G.726 at 32", "G726-32", 8000, 1, "", 8000, 32.0),
    ("G.726 at 24", "G726-24", 8000, 1, "", 8000, 24.0),
    ("G.726 at 16", "G726-16", 8000, 1, "", 8000, 16.0),
    ("iLBC 20 ms", "iLBC", 8000, 1, "mode=20", 8000, 15.2),
    ("iLBC 30 ms", "iLBC", 8000, 1, "mode=30", 8000, 13.33),
    ("AMR 12.2", "AMR", 8000, 1, "mode-set=7", 8000, 12.2),
    ("AMR 4.75", "AMR", 8000, 1, "mode-set=0", 8000, 4.75),
    ("G.729A", "G729", 8000, 1, "annexb=no", 8000, 8.0),
    ("G.723.1 at 6.3", "G723", 8000, 1, "bitrate=6.3;annexa=no", 8000, 6.3),
    ("G.723.1 at 5.3", "G723", 8000, 1, "bitrate=5.3;annexa=no", 8000, 5.3),
    ("Opus", "opus", 48_000, 2, "", 16_000, 24.0),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portrait: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let recording = arguments.next();
    let folder = arguments.next().unwrap_or_else(|| "portraits".into());
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let (rate, heard) = match &recording {
        Some(path) => sound::read(path)?,
        None => (16_000, signal::speech(7, 16_000, 6 * 16_000)),
    };
    let wide = sound::resample(&heard, rate, 16_000);
    let narrow = sound::resample(&heard, rate, 8000);
    let mut sheet = picture::Sheet::new(&wide, 16_000);
    sheet.row("original", "", &wide, 16_000);
    for (label, name, clock, channels, parameters, rate, bit_rate) in SITTERS {
        let spec = find(name, clock, channels).ok_or_else(|| format!("{name} is not built in"))?;
        let fmtp = Fmtp::parse(spec.fmtp, parameters).map_err(|error| error.to_string())?;
        let original = if rate == 16_000 { &wide } else { &narrow };
        let decoded = there_and_back(spec, &fmtp, original).map_err(|error| format!("{label}: {error}"))?;
        let snr = sound::best_snr(original, &decoded, rate);
        println!("{label:16} {bit_rate:6.2} kbit/s {snr:6.1} dB SNR");
        let file = folder.join(format!("{}.wav", label.replace(' ', "-").to_lowercase()));
        sound::write(&file, rate, &decoded)?;
        sheet.row(label, &format!("{bit_rate} kbit/s, SNR {snr:.1} dB"), &decoded, rate);
    }
    let picture = folder.join("portrait.png");
    sheet.save(&picture)?;
    println!("{}", picture.display());
    Ok(())
}

/// The whole recording, payload by payload, through an encoder and a decoder.
fn there_and_back(spec: &CodecSpec, fmtp: &Fmtp, pcm: &[i16]) -> Result<Vec<i16>, CodecError> {
    let (mut encoder, mut decoder) = (spec.encoder_with(fmtp), spec.decoder_with(fmtp));
    let frame = encoder.frame_samples().max(spec.samples(u32::from(spec.ptime_range.0)));
    let mut payload = vec![0; 2 * frame];
    let mut heard = vec![0; 2 * frame];
    let mut decoded = Vec::with_capacity(pcm.len());
    for frame in pcm.chunks_exact(frame) {
        let encoded = encoder.encode(frame, &mut payload)?;
        let samples = decoder.decode(&payload[..encoded.octets], &mut heard)?;
        decoded.extend_from_slice(&heard[..samples]);
    }
    Ok(decoded)
}
