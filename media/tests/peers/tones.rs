//! Tones as other programs hear them: sox for the frequency, FFmpeg for the level and the spectrum. A missing program is
//! passed over, or fails with SIDETONE_REQUIRE_PEERS=1.

use sidetone_media::tone::{Country, Generator, Style, ToneKind, ToneList};
use std::path::{Path, PathBuf};
use std::process::Command;

struct Wav(PathBuf);

impl Drop for Wav {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn wav(name: &str, list: &ToneList, rate: u32, seconds: u32) -> Wav {
    let path = std::env::temp_dir().join(format!("sidetone-tone-{}-{name}.wav", std::process::id()));
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut pcm = vec![0; (rate * seconds) as usize];
    Generator::new(list, rate).fill(&mut pcm);
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    pcm.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
    Wav(path)
}

/// What a program says on its error output, where both of these say what they measured.
fn said(package: &str, program: &str, args: &[&str]) -> Option<String> {
    match Command::new(program).args(args).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => {
            assert!(std::env::var_os("SIDETONE_REQUIRE_PEERS").is_none(), "{program}: {error}");
            eprintln!("skipped, not installed: {program} (Debian package {package})");
            None
        }
    }
}

fn number(text: &str, after: &str) -> f64 {
    let line =
        text.lines().find(|line| line.contains(after)).unwrap_or_else(|| panic!("no {after:?} in {text}"));
    let word = line.rsplit([':', ' ']).find(|word| !word.is_empty()).unwrap();
    word.trim().parse().unwrap_or_else(|_| panic!("{line}"))
}

fn path(wav: &Wav) -> &str {
    Path::to_str(&wav.0).unwrap()
}

#[test]
fn sox_hears_the_frequency() {
    for (text, hertz) in [("425", 425.0), ("400", 400.0), ("1400", 1400.0), ("2450", 2450.0)] {
        let wav = wav(text, &ToneList::parse(Style::Table, text).unwrap(), 48_000, 2);
        let Some(text) = said("sox", "sox", &[path(&wav), "-n", "stat"]) else { return };
        let found = number(&text, "Rough");
        // It measures by the steepness, which is a little less than it should be.
        assert!((found - hertz).abs() < 0.01 * hertz, "{found} for {hertz}");
    }
}

/// The level that FFmpeg measures behind a filter, in dB of a full-scale square wave.
fn level(wav: &Wav, filter: &str) -> Option<f64> {
    let filter = format!("{filter}astats=metadata=0:measure_perchannel=none");
    let text = said(
        "ffmpeg",
        "ffmpeg",
        &["-hide_banner", "-nostats", "-i", path(wav), "-af", &filter, "-f", "null", "-"],
    )?;
    Some(number(&text, "RMS level dB"))
}

#[test]
fn ffmpeg_hears_the_levels_of_both_frequencies_and_nothing_else() {
    let busy = Country::default_set().tone(ToneKind::Busy);
    let steady = ToneList::parse(Style::Table, "480+620").unwrap();
    let steady = wav("steady", &steady, 8000, 4);
    // -13 dBm0 is 16.17 dB below a full-scale sine, which has 3.01 dB less than a full-scale square wave; there are two.
    let one = -16.17 - 3.01;
    let Some(both) = level(&steady, "") else { return };
    assert!((both - (one + 3.01)).abs() < 0.05, "{both}");
    // Half the time it is silent: 3 dB less.
    let cadence = level(&wav("busy", &busy, 8000, 4), "").unwrap();
    assert!((cadence - one).abs() < 0.1, "{cadence}");
    // One frequency taken out leaves the other.
    let notch = |hertz: u32| {
        format!("bandreject=f={hertz}:width_type=h:width=8,bandreject=f={hertz}:width_type=h:width=8,")
    };
    for hertz in [480, 620] {
        let rest = level(&steady, &notch(hertz)).unwrap();
        assert!((rest - one).abs() < 0.3, "without {hertz}: {rest}");
    }
    // Both taken out, once the filters have settled, leave nothing.
    let none = level(&steady, &format!("{}{}atrim=start=2,", notch(480), notch(620))).unwrap();
    assert!(none < both - 50.0, "{none}");
}
