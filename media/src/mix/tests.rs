use super::*;
use crate::tone::{Goertzel, level};
use sidetone_codecs::{g729, pcma, pcmu};
use sidetone_hal::rng::Rng;

fn sine(hertz: f64, rate: u32, at: usize, peak: f64) -> i16 {
    (peak * (at as f64 * hertz * core::f64::consts::TAU / f64::from(rate)).sin()) as i16
}

/// Frame number `n` of a tone.
fn frame(hertz: f64, rate: u32, samples: usize, n: usize, peak: f64) -> Vec<i16> {
    (n * samples..(n + 1) * samples).map(|at| sine(hertz, rate, at, peak)).collect()
}

/// The largest second difference: small for tones, large where there is a step.
fn roughness(pcm: &[i16]) -> i32 {
    let second = |w: &[i16]| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).abs();
    pcm.windows(3).map(second).max().unwrap_or(0)
}

fn share(pcm: &[i16], rate: u32, hertz: f32) -> f32 {
    let mut goertzel = Goertzel::new(rate, hertz);
    goertzel.add(pcm);
    goertzel.share()
}

#[test]
fn each_hears_the_others_to_the_bit() {
    let mut rng = Rng::from_u64(1);
    let mut mixer = Mixer::new(MixerConfig::phone(8000)).unwrap();
    let legs: Vec<_> = (0..5).map(|_| mixer.join(LegConfig::new(8000)).unwrap()).collect();
    for n in 0..100 {
        let said: Vec<Vec<i16>> =
            legs.iter().map(|_| (0..80).map(|_| (rng.next_u32() % 10_001) as i16 - 5000).collect()).collect();
        for (leg, pcm) in legs.iter().zip(&said) {
            mixer.speak(*leg, pcm).unwrap();
        }
        mixer.mix();
        if n == 0 {
            continue; // faded in
        }
        for (me, leg) in legs.iter().enumerate() {
            let heard = mixer.hear(*leg).unwrap();
            let others: Vec<i16> = (0..80)
                .map(|i| said.iter().enumerate().filter(|(who, _)| *who != me).map(|(_, pcm)| pcm[i]).sum())
                .collect();
            assert_eq!(heard.pcm, others, "leg {me} frame {n}");
            assert!(!heard.shared);
        }
    }
}

#[test]
fn rates_are_mixed() {
    let rates = [8000, 16_000, 48_000, 32_000];
    let tones = [437.5, 812.5, 1250.0, 1937.5];
    let mut mixer = Mixer::new(MixerConfig::phone(48_000)).unwrap();
    let legs: Vec<_> = rates.iter().map(|rate| mixer.join(LegConfig::new(*rate)).unwrap()).collect();
    let mut ears = vec![Vec::new(); 4];
    for n in 0..100 {
        for ((leg, rate), hertz) in legs.iter().zip(rates).zip(tones) {
            let samples = mixer.frame_samples(*leg).unwrap();
            assert_eq!(samples, rate as usize / 100);
            mixer.speak(*leg, &frame(hertz, rate, samples, n, 5000.0)).unwrap();
        }
        mixer.mix();
        for (leg, ear) in legs.iter().zip(&mut ears) {
            ear.extend_from_slice(mixer.hear(*leg).unwrap().pcm);
        }
    }
    for (me, (ear, rate)) in ears.iter().zip(rates).enumerate() {
        // The last 0.8 s, whole turns of each tone.
        let ear = &ear[ear.len() - rate as usize * 4 / 5..];
        for (who, hertz) in tones.iter().enumerate() {
            let peak = level(ear, rate, *hertz as f32);
            let wanted = if me == who { 0.0..10.0 } else { 4800.0..5200.0 };
            assert!(wanted.contains(&peak), "leg {me} hears {who} with {peak}");
        }
    }
}

#[test]
fn listeners_share_one_mix_and_speakers_are_taken_out_of_theirs() {
    let mut mixer = Mixer::new(MixerConfig { speakers: 2, ..MixerConfig::bridge(100) }).unwrap();
    let legs: Vec<_> = (0..100).map(|_| mixer.join(LegConfig::new(8000)).unwrap()).collect();
    let tones = [(7_usize, 437.5), (50, 812.5)];
    for n in 0..50 {
        for (at, leg) in legs.iter().enumerate() {
            let hertz = tones.iter().find(|(who, _)| *who == at).map(|(_, hertz)| *hertz);
            match hertz {
                Some(hertz) => mixer.speak(*leg, &frame(hertz, 8000, 160, n, 8000.0)).unwrap(),
                None => mixer.speak(*leg, &[3; 160]).unwrap(),
            }
        }
        mixer.mix();
    }
    let selected = |leg: &LegId| mixer.meter(*leg).unwrap().selected;
    assert_eq!(legs.iter().filter(|leg| selected(leg)).count(), 2);
    let whole = frame(437.5, 8000, 160, 49, 8000.0);
    let other = frame(812.5, 8000, 160, 49, 8000.0);
    let sum: Vec<i16> = whole.iter().zip(&other).map(|(a, b)| a + b).collect();
    for (at, leg) in legs.iter().enumerate() {
        let heard = mixer.hear(*leg).unwrap();
        let (pcm, shared) = match at {
            7 => (&other, false),
            50 => (&whole, false),
            _ => (&sum, true),
        };
        assert_eq!((heard.pcm, heard.shared), (&pcm[..], shared), "leg {at}");
    }
    assert_eq!(mixer.shared(), sum);
}

#[test]
fn a_louder_speaker_takes_a_place_after_a_while_and_a_slightly_louder_one_does_not() {
    let mut mixer = Mixer::new(MixerConfig { speakers: 1, ..MixerConfig::bridge(10) }).unwrap();
    let legs: Vec<_> = (0..10).map(|_| mixer.join(LegConfig::new(8000)).unwrap()).collect();
    let mut run = |from: usize, peaks: [f64; 2]| {
        let mut changed = None;
        for n in from..from + 50 {
            for (leg, peak) in legs.iter().zip(peaks) {
                mixer.speak(*leg, &frame(437.5, 8000, 160, n, peak)).unwrap();
            }
            legs[2..].iter().for_each(|leg| mixer.speak(*leg, &[0; 160]).unwrap());
            mixer.mix();
            if mixer.meter(legs[1]).unwrap().selected {
                changed.get_or_insert(n - from);
            }
        }
        (changed, mixer.dominant())
    };
    assert_eq!(run(0, [4000.0, 0.0]), (None, Some(legs[0])));
    assert_eq!(run(50, [4000.0, 7000.0]), (None, Some(legs[0])), "5 dB are not enough");
    let (changed, dominant) = run(100, [4000.0, 12_000.0]);
    assert!(changed.is_some_and(|frames| frames < 10), "{changed:?}");
    assert_eq!(dominant, Some(legs[1]));
    // Silence takes no place away, so background does not come and go.
    assert_eq!(run(150, [0.0, 0.0]).0, Some(0));
}

#[test]
fn nothing_clicks() {
    let mut mixer = Mixer::new(MixerConfig::phone(8000)).unwrap();
    let listener = mixer.join(LegConfig::new(8000)).unwrap();
    let steady = mixer.join(LegConfig::new(8000)).unwrap();
    let mut ear = Vec::new();
    let mut guest = None;
    for n in 0..400 {
        mixer.speak(listener, &[0; 80]).unwrap();
        mixer.speak(steady, &frame(200.0, 8000, 80, n, 6000.0)).unwrap();
        match n {
            30 | 210 => guest = mixer.join(LegConfig::new(8000)).ok(),
            60 | 120 => mixer.set_muted(guest.unwrap(), n == 60).unwrap(),
            80 => mixer.set_gain(guest.unwrap(), 2.0).unwrap(),
            150 => mixer.set_volume(listener, 0.3).unwrap(),
            170 => mixer.set_volume(listener, 1.0).unwrap(),
            200 | 300 => mixer.leave(guest.take().unwrap()).unwrap(),
            _ => {}
        }
        // At 240 to 242 its frames are missing.
        if let Some(guest) = guest.filter(|_| !(240..243).contains(&n)) {
            // A phase at which every frame begins and ends high.
            let pcm: Vec<i16> = (0..80).map(|i| sine(337.5, 8000, n * 80 + i + 6, 6000.0)).collect();
            mixer.speak(guest, &pcm).unwrap();
        }
        mixer.mix();
        let heard = mixer.hear(listener).unwrap();
        ear.extend_from_slice(heard.pcm);
    }
    // Both tones, the second with twice its level, and a fade of 1 ms; a step of the guest's would make 6000.
    let smooth = 6000.0 * (0.157_f64.powi(2) + 2.0 * 0.265_f64.powi(2)) + 6000.0 / 8.0;
    assert!(f64::from(roughness(&ear)) < smooth * 1.7, "{} {smooth}", roughness(&ear));
    assert!(share(&ear[20 * 80..28 * 80], 8000, 200.0) > 0.999);
    assert!(share(&ear[340 * 80..380 * 80], 8000, 200.0) > 0.999, "the guest left nothing");
}

#[test]
fn loud_voices_do_not_clip() {
    let mut mixer = Mixer::new(MixerConfig::phone(8000)).unwrap();
    let legs: Vec<_> = (0..5).map(|_| mixer.join(LegConfig::new(8000)).unwrap()).collect();
    let tones = [437.5, 562.5, 812.5, 1062.5, 1937.5];
    let mut ear = Vec::new();
    for n in 0..100 {
        for (leg, hertz) in legs.iter().zip(tones) {
            mixer.speak(*leg, &frame(hertz, 8000, 80, n, 32_000.0)).unwrap();
        }
        mixer.mix();
        ear.extend_from_slice(mixer.hear(legs[0]).unwrap().pcm);
    }
    assert!(ear.iter().all(|sample| sample.unsigned_abs() < i16::MAX as u16), "clipped");
    let settled = &ear[1600..8000];
    let parts: f32 = tones[1..].iter().map(|hertz| share(settled, 8000, *hertz as f32)).sum();
    assert!(parts > 0.99, "{parts}");
    assert!(share(settled, 8000, 437.5) < 1e-4, "its own voice");
}

#[test]
fn the_gain_goes_over_from_the_own_mix_to_the_shared_one_without_a_step() {
    // Three loud speakers of four legs; the first falls silent and hears the shared mix from then on.
    let mut mixer = Mixer::new(MixerConfig { speakers: 3, ..MixerConfig::phone(8000) }).unwrap();
    let legs: Vec<_> = (0..4).map(|_| mixer.join(LegConfig::new(8000)).unwrap()).collect();
    let mut ear = Vec::new();
    for n in 0..100 {
        for (leg, hertz) in legs.iter().zip([300.0, 200.0, 250.0]) {
            mixer.speak(*leg, &frame(hertz, 8000, 80, n, 30_000.0)).unwrap();
        }
        mixer.speak(legs[3], &[0; 80]).unwrap();
        if n == 50 {
            mixer.set_muted(legs[0], true).unwrap();
        }
        mixer.mix();
        let heard = mixer.hear(legs[0]).unwrap();
        assert_eq!(heard.shared, n > 50, "frame {n}");
        ear.extend_from_slice(heard.pcm);
    }
    let steady = roughness(&ear[3000..3900]);
    assert!(roughness(&ear[3900..4300]) < steady * 2, "{} {steady}", roughness(&ear[3900..4300]));
}

#[test]
fn a_muted_leg_hears_and_is_measured_and_is_not_heard() {
    let mut mixer = Mixer::new(MixerConfig::phone(8000)).unwrap();
    let (a, b) = (mixer.join(LegConfig::new(8000)).unwrap(), mixer.join(LegConfig::new(8000)).unwrap());
    mixer.set_muted(a, true).unwrap();
    for n in 0..50 {
        mixer.speak(a, &frame(437.5, 8000, 80, n, 16_000.0)).unwrap();
        mixer.speak(b, &frame(812.5, 8000, 80, n, 8000.0)).unwrap();
        mixer.mix();
    }
    assert_eq!(mixer.hear(b).unwrap().pcm, [0; 80]);
    assert_eq!(mixer.hear(a).unwrap().pcm, frame(812.5, 8000, 80, 49, 8000.0));
    let meter = mixer.meter(a).unwrap();
    assert!((15_900..=16_000).contains(&meter.peak), "{meter:?}");
    // A sine of half of full scale: 3 dB for the sine, 6.2 dB for 16 000 of 32 768.
    assert!((meter.level + 9.24).abs() < 0.3 && (meter.smoothed + 9.24).abs() < 0.3, "{meter:?}");
    assert_eq!(mixer.dominant(), Some(b), "a muted one does not speak");
}

#[test]
fn what_cannot_be_is_refused() {
    assert_eq!(Mixer::new(MixerConfig::phone(11_025)).unwrap_err(), MixError::Rate(11_025));
    let frame = Duration::from_millis(15);
    let odd = MixerConfig { frame, ..MixerConfig::phone(8000) };
    assert_eq!(Mixer::new(odd).unwrap_err(), MixError::Frame(frame));
    let mut mixer = Mixer::new(MixerConfig { max_legs: 2, ..MixerConfig::phone(8000) }).unwrap();
    assert!(mixer.is_empty());
    let first = mixer.join(LegConfig::new(8000)).unwrap();
    assert_eq!(mixer.join(LegConfig::new(0)), Err(MixError::Rate(0)));
    assert!(mixer.join(LegConfig { gain: f32::NAN, ..LegConfig::new(8000) }).is_err());
    assert_eq!(mixer.join(LegConfig { volume: 9.0, ..LegConfig::new(8000) }), Err(MixError::Gain(9.0)));
    let second = mixer.join(LegConfig::new(16_000)).unwrap();
    assert_eq!(mixer.join(LegConfig::new(8000)), Err(MixError::Full(2)));
    assert_eq!(mixer.speak(second, &[0; 80]), Err(MixError::Length { expected: 160, got: 80 }));
    mixer.leave(first).unwrap();
    let third = mixer.join(LegConfig::new(8000)).unwrap();
    assert_eq!(mixer.leave(first), Err(MixError::NoSuchLeg), "its place is another's");
    assert_eq!(mixer.legs().collect::<Vec<_>>(), [third, second]);
    assert_eq!(mixer.len(), 2);
}

#[test]
fn the_shared_mix_is_encoded_once_a_frame_and_only_by_codecs_without_memory() {
    let mut mixer = Mixer::new(MixerConfig { speakers: 1, ..MixerConfig::bridge(3) }).unwrap();
    let legs: Vec<_> = (0..3).map(|_| mixer.join(LegConfig::new(8000)).unwrap()).collect();
    let mut encoder = SharedEncoder::new(&[&pcmu::SPEC, &pcma::SPEC, &g729::SPEC]);
    for n in 0..3 {
        mixer.speak(legs[0], &frame(437.5, 8000, 160, n, 8000.0)).unwrap();
        mixer.speak(legs[1], &[0; 160]).unwrap();
        mixer.speak(legs[2], &[0; 160]).unwrap();
        mixer.mix();
        let mut expected = [0; 160];
        pcma::encode_slice(mixer.shared(), &mut expected);
        assert_eq!(encoder.payload(&mixer, &pcma::SPEC), Some(&expected[..]));
        assert_eq!(encoder.payload(&mixer, &pcma::SPEC), Some(&expected[..]));
        pcmu::encode_slice(mixer.shared(), &mut expected);
        assert_eq!(encoder.payload(&mixer, &pcmu::SPEC), Some(&expected[..]));
        assert_eq!(encoder.payload(&mixer, &g729::SPEC), None);
    }
    assert!(mixer.hear(legs[1]).unwrap().shared && !mixer.hear(legs[0]).unwrap().shared);
}
