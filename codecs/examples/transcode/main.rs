//! Files of speech through one codec, and the proof that the codecs do what their standards say.
//!
//! ```text
//! transcode encode g729ab in.pcm out.rec
//! transcode decode g722 --mode 2 in.g722 out.pcm
//! transcode decode amr-12.2 --lose burst in.amr out.pcm
//! transcode --verify ../shared/vectors/g729a
//! ```
//!
//! PCM files are raw 16-bit little-endian samples, mono, at the codec's sample rate. How encoded files are cut into
//! frames depends on the codec (`files.rs`).

#![allow(unreachable_pub, reason = "a program has no outside")]
#![allow(
    clippy::indexing_slicing,
    reason = "a program for developers; buffers are sized where they are made"
)]

mod codec;
mod coders;
mod files;
mod verify;

use clap::{Args, Parser, Subcommand};
use codec::{Application, Codec, Law, Loss, Options, Order, Payload};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(
    about = "Encodes and decodes files of speech",
    subcommand_required = false,
    arg_required_else_help = true
)]
struct Cli {
    /// Run every row of a folder's expected.tsv (or of all folders in this one) and compare
    #[arg(long, value_name = "FOLDER")]
    verify: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// PCM to a coded file
    Encode(File),
    /// A coded file to PCM
    Decode(File),
}

#[derive(Args)]
struct File {
    /// pcmu pcma l16 g722 g726-16 g726-24 g726-32 g726-40 g729a g729ab g7231-53 g7231-63 (-vad) ilbc20 ilbc30
    /// amr-4.75 .. amr-12.2 (-dtx) opus-8k-6000 .. opus-16k-64000 (-dtx) (-fec)
    codec: Codec,
    input: PathBuf,
    output: PathBuf,
    /// G.722 decoding: 1, 2 or 3 for 64, 56 or 48 kbit/s
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    mode: u8,
    /// G.726: which end of an octet the first code is in
    #[arg(long, default_value = "rfc3551")]
    order: Order,
    /// G.726: what stands before the encoder and behind the decoder
    #[arg(long, default_value = "linear")]
    law: Law,
    /// G.723.1 encoding without the input high-pass filter
    #[arg(long)]
    no_highpass: bool,
    /// G.723.1 decoding without the postfilter
    #[arg(long)]
    no_postfilter: bool,
    /// iLBC decoding without the enhancer
    #[arg(long)]
    no_enhancer: bool,
    /// AMR as records of RTP payloads: octet-aligned or bandwidth-efficient
    #[arg(long)]
    payload: Option<Payload>,
    /// Decoding: lose frames by this pattern
    #[arg(long)]
    lose: Option<Loss>,
    /// Opus encoding: 0 (cheap) to 10 (good)
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=10))]
    complexity: u8,
    /// Opus encoding: what the sound is for
    #[arg(long, default_value = "voip")]
    application: Application,
    /// Opus decoding: the output rate in Hz, if not that of the codec's name
    #[arg(long)]
    rate: Option<u32>,
    /// Opus decoding: rebuild a lost packet from the next one
    #[arg(long)]
    rebuild: bool,
}

impl File {
    fn options(&self) -> Options {
        Options {
            mode: self.mode,
            order: self.order,
            law: self.law,
            high_pass: !self.no_highpass,
            postfilter: !self.no_postfilter,
            enhancer: !self.no_enhancer,
            payload: self.payload,
            lose: self.lose.unwrap_or(Loss::None),
            complexity: self.complexity,
            application: self.application,
            rate: self.rate,
            rebuild: self.rebuild,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a program that says how long it took")]
    fn run(&self, encode: bool) -> Result<(), String> {
        let input = fs::read(&self.input).map_err(|error| format!("{}: {error}", self.input.display()))?;
        let options = self.options();
        let start = Instant::now();
        let made = if encode {
            coders::encode(self.codec, &options, &input)
        } else {
            coders::decode(self.codec, &options, &input)
        }
        .map_err(|error| format!("{}: {error}", self.input.display()))?;
        let took = start.elapsed();
        fs::write(&self.output, &made.file).map_err(|error| format!("{}: {error}", self.output.display()))?;
        println!("{}", summary(&made, took));
        Ok(())
    }
}

fn summary(made: &coders::Made, took: Duration) -> String {
    let speech = made.seconds;
    let coded = made.coded_bits;
    format!(
        "{} frames, {coded} bits ({:.2} kbit/s), {speech:.2} s of speech in {:.4} s ({:.0} times real time)",
        made.frames,
        coded as f64 / speech.max(1e-9) / 1000.0,
        took.as_secs_f64(),
        speech / took.as_secs_f64().max(1e-9),
    )
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match (&cli.verify, &cli.command) {
        (Some(folder), _) => verify::run(folder),
        (None, Some(Command::Encode(file))) => file.run(true),
        (None, Some(Command::Decode(file))) => file.run(false),
        (None, None) => Err("nothing to do; see --help".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("transcode: {error}");
            ExitCode::FAILURE
        }
    }
}
