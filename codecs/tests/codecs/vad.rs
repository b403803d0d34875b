//! The voice activity detector on signals whose truth is known, and beside G.729 Annex B.

use crate::common::signal::{Random, noise, speech};
use crate::common::vectors;
use sidetone_codecs::vad::{VAD_BYTES, Vad};

/// Talk spurts over noise, and for each 10 ms whether there is a voice.
struct Scene {
    pcm: Vec<i16>,
    voice: Vec<bool>,
}

fn power(frame: &[i16]) -> f64 {
    frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / frame.len() as f64
}

/// Spurts of 0.4 to 2 s and pauses of 0.8 to 2 s over white noise with this peak. Voice is what is 6 dB above it and not silence
/// between syllables.
fn scene(seed: u64, rate: u32, noise_peak: i16) -> Scene {
    let mut random = Random::new(seed);
    let mut clean = vec![0; rate as usize];
    for spurt in 0..12 {
        clean.extend(speech(seed * 100 + spurt, rate, (rate / 100 * (40 + random.below(160))) as usize));
        clean.extend(vec![0; (rate / 100 * (80 + random.below(120))) as usize]);
    }
    let hiss = noise(seed + 1, noise_peak, clean.len());
    let frame = rate as usize / 100;
    let floor = f64::from(noise_peak).powi(2) / 3.0;
    Scene {
        voice: clean.chunks_exact(frame).map(|frame| power(frame) > (4.0 * floor).max(2500.0)).collect(),
        pcm: clean.iter().zip(&hiss).map(|(voice, hiss)| voice.saturating_add(*hiss)).collect(),
    }
}

fn decisions(rate: u32, pcm: &[i16]) -> Vec<bool> {
    let mut vad = Vad::new(rate);
    pcm.chunks_exact(vad.frame_samples()).map(|frame| vad.is_active(frame)).collect()
}

/// Frames of voice that were called noise, and frames at least 250 ms behind any voice that were called voice.
#[derive(Debug, Default)]
struct Mistakes {
    clipped: usize,
    voice: usize,
    false_alarms: usize,
    noise: usize,
    /// The longest start of a spurt that was lost, in frames.
    late: usize,
}

fn mistakes(scene: &Scene, active: &[bool]) -> Mistakes {
    let mut found = Mistakes::default();
    let (mut behind, mut onset, mut lost) = (usize::MAX, true, 0);
    // In the first second the detector may not know the noise yet.
    for (&voice, &active) in scene.voice.iter().zip(active).skip(100) {
        if voice {
            found.voice += 1;
            found.clipped += usize::from(!active);
            onset &= !active;
            lost += usize::from(onset);
            found.late = found.late.max(lost);
            behind = 0;
        } else {
            behind = behind.saturating_add(1);
            if behind > 25 {
                (onset, lost) = (true, 0);
                found.noise += 1;
                found.false_alarms += usize::from(active);
            }
        }
    }
    found
}

#[test]
fn speech_is_not_clipped_and_noise_is_not_speech() {
    for rate in [8000, 16_000] {
        for (noise_peak, most_clipped, most_late) in
            [(3, 0.01, 0), (30, 0.01, 0), (150, 0.01, 0), (500, 0.01, 2)]
        {
            let mut sum = Mistakes::default();
            for seed in 1..=6 {
                let scene = scene(seed, rate, noise_peak);
                let found = mistakes(&scene, &decisions(rate, &scene.pcm));
                sum.clipped += found.clipped;
                sum.voice += found.voice;
                sum.false_alarms += found.false_alarms;
                sum.noise += found.noise;
                sum.late = sum.late.max(found.late);
            }
            let clipped = sum.clipped as f64 / sum.voice as f64;
            let alarms = sum.false_alarms as f64 / sum.noise as f64;
            println!(
                "{rate} Hz, noise peak {noise_peak}: {:.2} % clipped, {:.2} % alarms, {sum:?}",
                clipped * 100.0,
                alarms * 100.0
            );
            if std::env::var("LAB").is_ok() {
                continue;
            }
            assert!(clipped < most_clipped && sum.late <= most_late, "{rate} Hz, peak {noise_peak}: {sum:?}");
            assert!(alarms < 0.005, "{rate} Hz, peak {noise_peak}: {sum:?}");
        }
    }
}

#[test]
fn noise_that_begins_is_known_as_noise_within_a_second_and_a_half() {
    for rate in [8000, 16_000] {
        let frame = rate as usize / 100;
        let mut pcm = noise(1, 10, frame * 200);
        pcm.extend(noise(2, 600, frame * 400));
        let active = decisions(rate, &pcm);
        assert!(!active[100..200].contains(&true), "{rate} Hz: quiet noise");
        let until = active.iter().rposition(|active| *active).expect("a step is heard") - 200;
        assert!((1..150).contains(&until), "{rate} Hz: active for {until} frames");
    }
}

#[test]
fn silence_offset_and_hum_are_no_voice() {
    let mut tone = 0.0_f64;
    let mut hum = || {
        tone += core::f64::consts::TAU * 50.0 / 8000.0;
        (100.0 * tone.sin()) as i16
    };
    let hum: Vec<i16> = (0..16_000).map(|_| hum()).collect();
    for (name, pcm) in [("silence", vec![0; 16_000]), ("offset", vec![900; 16_000]), ("hum", hum)] {
        assert!(!decisions(8000, &pcm)[50..].contains(&true), "{name}");
    }
}

#[test]
fn speech_from_the_first_frame_is_heard() {
    let pcm = speech(8, 16_000, 16_000);
    let active = decisions(16_000, &pcm);
    let first = pcm.chunks_exact(160).position(|frame| power(frame) > 10_000.0).expect("speech");
    assert!(active[first + 1]);
}

#[test]
fn longer_frames_are_active_if_any_part_is() {
    let scene = scene(3, 16_000, 30);
    let short = decisions(16_000, &scene.pcm);
    let mut vad = Vad::new(16_000);
    let long: Vec<bool> = scene.pcm.chunks_exact(320).map(|frame| vad.is_active(frame)).collect();
    let joined: Vec<bool> = short.chunks_exact(2).map(|pair| pair[0] || pair[1]).collect();
    assert_eq!(long, joined);
    vad.reset();
    let again: Vec<bool> = scene.pcm.chunks_exact(320).map(|frame| vad.is_active(frame)).collect();
    assert_eq!(again, long);
}

#[test]
fn the_vectors_speech_is_kept_whole() {
    let Some(folder) = vectors::folder("g729ab") else { return };
    let mut files = 0;
    for name in ["speech-a", "speech-b"] {
        let records = folder.read(&format!("{name}.rec")).expect("a stored file");
        let annex_b = frames_sent(&records);
        for (rate, tag) in [(8000, "8k"), (16_000, "16k")] {
            let pcm = folder.pcm(&format!("signals/{name}.{tag}.pcm")).expect("a signal");
            let ours = decisions(rate, &pcm);
            let missed = ours.iter().zip(&annex_b).filter(|(ours, annex_b)| !**ours && **annex_b).count();
            assert_eq!(missed, 0, "{name}.{tag}: frames that G.729B sends as speech");
            assert!(ours.contains(&false), "{name}.{tag}: pauses are found");
            files += 1;
        }
    }
    for (rate, tag) in [(8000, "8k"), (16_000, "16k")] {
        let mix = folder.pcm(&format!("signals/mix.{tag}.pcm")).expect("a signal");
        let ours = decisions(rate, &mix);
        let annex_b = frames_sent(&folder.read("mix.rec").expect("a stored file"));
        let loud = |at: usize| power(&mix[at * rate as usize / 100..(at + 1) * rate as usize / 100]) > 1e6;
        let missed = (0..ours.len()).filter(|at| loud(*at) && annex_b[*at] && !ours[*at]).count();
        let saved = ours.iter().filter(|active| !**active).count();
        println!("mix.{tag}: {saved} of {} frames without voice", ours.len());
        assert!(missed == 0 && saved > ours.len() / 8, "mix.{tag}: {missed} missed, {saved} saved");
        files += 1;
    }
    println!("vectors: {files} files compared with G.729B");
}

/// Which of the records hold speech: 10 octets.
fn frames_sent(mut records: &[u8]) -> Vec<bool> {
    let mut sent = Vec::new();
    while let Some((length, behind)) = records.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length));
        sent.push(length == 10);
        records = &behind[length..];
    }
    sent
}

#[test]
fn the_state_is_small() {
    assert_eq!(VAD_BYTES, 268);
}
