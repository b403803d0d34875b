//! Wide-band calls with baresip: a tone of 5 kHz, which no codec of 8 kHz can carry, arrives on both sides.

use crate::peers::baresip::{Baresip, Codecs, Microphone, OPUS};
use crate::peers::kamailio::Kamailio;
use crate::peers::phone::{Phone, expect};
use crate::peers::sound::{LONG, rms, share_at, tone, wait_until_recorded, write_wav};
use crate::peers::{BARESIP, KAMAILIO, Outcome, SOON, Stage, free_port, trial};
use libtest_mimic::Trial;
use std::path::Path;

/// Above the 4 kHz of narrow band; no whole number of cycles fits a packet.
const PHONE_HZ: f64 = 5010.0;
const BARESIP_HZ: f64 = 4510.0;
/// What each must hear of the other, in tenths of a second.
const TENTHS: usize = 30;
const G722: Codecs = Codecs { module: "g722", rate: 16_000, channels: 1 };
const G711: Codecs = Codecs { module: "g711", rate: 8000, channels: 1 };
pub(crate) fn trials() -> Vec<Trial> {
    let needs = &[KAMAILIO, BARESIP];
    vec![
        trial("g722_carries_5_khz_both_ways", needs, |stage| wide(G722, "G722", "16000", stage)),
        trial("opus_carries_5_khz_both_ways", needs, |stage| wide(OPUS, "opus", "16000", stage)),
        trial("g722_with_a_port_of_48_khz", needs, |stage| wide(G722, "G722", "48000", stage)),
        trial("pcmu_with_a_port_of_48_khz_carries_3_khz", needs, |stage| {
            both_ways(G711, "PCMU", "48000", [3010.0, 2510.0], stage)
        }),
    ]
}

fn wide(codecs: Codecs, choice: &str, rate: &str, stage: &Stage) -> Outcome {
    both_ways(codecs, choice, rate, [PHONE_HZ, BARESIP_HZ], stage)
}

/// The phone calls baresip with one codec; its microphone, ear and recording run at `rate`.
fn both_ways(codecs: Codecs, choice: &str, rate: &str, [ours, theirs]: [f64; 2], stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Baresip::start_with(codecs, stage, "bob", server.port, &Microphone::Tone(theirs))?;
    let (play, record) = (stage.path("play.wav"), stage.path("heard-by-phone.wav"));
    write_wav(&play, 16_000, &tone(ours, 16_000, LONG))?;
    let arguments = format!(
        "--account sip:alice:alice-secret@127.0.0.1:{} --codecs {choice} --local-port {} --headless call \
         sip:bob@127.0.0.1:{} --play {} --record {} --rate {rate}",
        server.port,
        free_port(),
        server.port,
        play.display(),
        record.display()
    );
    let mut phone = Phone::start(stage, "phone", &arguments)?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    let heard = |path: &Path, hertz| {
        let what = format!("{hertz} Hz in {}", path.display());
        wait_until_recorded(&what, path, |rate, samples| tenths(samples, rate, hertz) >= TENTHS)
    };
    heard(&record, theirs)?;
    bob.wait_for_recording()?;
    heard(&bob.recording()?, ours)?;
    phone.interrupt();
    let call = phone.finish_call(SOON)?;
    bob.wait_for("CALL_CLOSED", SOON)?;
    expect(&call, "/codec", choice)?;
    expect(&call, "/cause/by", "local")?;
    expect_tone("heard by the phone", &record, theirs)?;
    let recording = bob.recording()?;
    bob.quit()?;
    expect_tone("heard by baresip", &recording, ours)
}

/// Asks for three seconds that are loud and nearly nothing but the tone.
fn expect_tone(who: &str, path: &Path, hertz: f64) -> Outcome {
    let mut reader = hound::WavReader::open(path)?;
    let spec = reader.spec();
    let step = usize::from(spec.channels);
    let samples: Vec<i16> = reader.samples::<i16>().step_by(step).collect::<Result<_, _>>()?;
    let tenths = tenths(&samples, spec.sample_rate, hertz);
    let level = rms(&samples);
    println!("{who}: {} Hz, {tenths} tenths of a second with {hertz} Hz, level {level:.0}", spec.sample_rate);
    if tenths < TENTHS {
        return Err(format!("{who}: {tenths} tenths of a second with {hertz} Hz, expected {TENTHS}").into());
    }
    Ok(())
}

/// How many tenths of a second are loud and nearly nothing but the tone.
fn tenths(samples: &[i16], rate: u32, hertz: f64) -> usize {
    let tenth = (rate as usize / 10).max(1);
    let loud = |part: &&[i16]| rms(part) > 2000.0 && share_at(part, rate, hertz) > 0.9;
    samples.chunks_exact(tenth).filter(loud).count()
}
