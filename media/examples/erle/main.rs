//! Measures echo cancellers on a folder of signals, `../shared/vectors/echo` if none is named:
//!
//! ```sh
//! cargo run --release -p sidetone-media --example erle -- ../shared/vectors/echo
//! ```
//!
//! Beside libraries by other people it is done by `cargo bench -p sidetone-benches --bench media_room`.

mod measure;

use measure::{Figures, Signals, canceller, measure};
use sidetone_media::echo::{AdaptiveEchoCanceller, EchoCanceller, EchoConfig};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = std::env::args_os().nth(1).map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/echo"),
        PathBuf::from,
    );
    let signals = match Signals::load(&folder) {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    };
    let speaker = EchoConfig::speaker(16_000);
    let (mut linear, mut quiet) = (speaker, speaker);
    linear.suppress = false;
    quiet.noise_reduction = 12;
    let cases = [
        ("loudspeaker", speaker),
        ("loudspeaker, noise -12 dB", quiet),
        ("loudspeaker, filter alone", linear),
        ("handset (20 ms)", EchoConfig::handset(16_000)),
        ("line (40 ms), filter alone", EchoConfig::line(16_000)),
    ];
    show("nothing", &measure(&signals, || canceller(|_, near, out| out.copy_from_slice(near))));
    for (name, config) in cases {
        let figures = measure(&signals, || {
            let mut ours = AdaptiveEchoCanceller::new(config);
            canceller(move |far, near, out| ours.process(far, near, out))
        });
        show(name, &figures);
    }
    ExitCode::SUCCESS
}

fn show(name: &str, figures: &Figures) {
    let row = |values: &[f32]| values.iter().map(|value| format!("{value:5.1}")).collect::<String>();
    println!("{name}: {:.1} us per 10 ms, {} samples late", figures.micros, figures.delay);
    println!(
        "  ERLE each second, one path  {}  from 3 s on {:.1} dB",
        row(&figures.single),
        figures.after_3s
    );
    let [second, then] = figures.after_change;
    println!(
        "  ERLE each second, change    {}  1-2 s after {second:.1}, then {then:.1} dB",
        row(&figures.change)
    );
    println!(
        "  double talk: near end over the rest {:.1} dB, its loss {:.2} dB ({:.2} dB by frames)",
        figures.double_talk_sdr, figures.near_loss, figures.frame_loss
    );
}
