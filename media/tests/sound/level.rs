//! Volume, mute, sidetone and meters.

use core::f64::consts::TAU;
use sidetone_codecs::pcma;
use sidetone_hal::rng::Rng;
use sidetone_media::level::{
    Meter, RAMP, SIDETONE_DB, SILENCE_DBOV, Sidetone, SpeechLevel, VOLUME_RANGE, Volume, add, factor,
    rms_dbov,
};

fn sine(rate: u32, hertz: f64, amplitude: f64, seconds: f64) -> Vec<i16> {
    let step = TAU * hertz / f64::from(rate);
    (0..(seconds * f64::from(rate)) as u32)
        .map(|n| (amplitude * (f64::from(n) * step).sin()).round() as i16)
        .collect()
}

/// The most that neighbouring steps differ: what is heard as a click.
fn sharpest(pcm: &[i16]) -> i32 {
    let step = |a: i16, b: i16| i32::from(b) - i32::from(a);
    pcm.windows(3).map(|w| (step(w[1], w[2]) - step(w[0], w[1])).abs()).max().unwrap()
}

fn near(a: f32, b: f32, within: f32) {
    assert!((a - b).abs() <= within, "{a}, expected {b}");
}

#[test]
fn volume_and_mute_glide_without_a_click() {
    for rate in [8000, 16_000, 48_000] {
        let tone = sine(rate, 300.0, 8000.0, 1.0);
        let allowed = sharpest(&tone) * 4 + 40;
        let mut volume = Volume::new(rate);
        let mut heard = Vec::new();
        for (n, frame) in tone.chunks((rate / 100) as usize).enumerate() {
            match n {
                10 => volume.set_muted(true),
                20 => volume.set_muted(false),
                30 => volume.set_db(12.0),
                40 => volume.set_db(-60.0),
                // In the middle of a ramp the other way.
                41 => volume.set_db(12.0),
                50 => volume.set_db(0.0),
                _ => {}
            }
            let mut frame = frame.to_vec();
            volume.process(&mut frame);
            heard.extend(frame);
        }
        let at = |frame: usize| &heard[frame * rate as usize / 100..(frame + 1) * rate as usize / 100];
        let ramp = RAMP.as_millis() as usize / 10 + 1;
        assert!(at(10 + ramp).iter().all(|s| *s == 0) && at(19).iter().all(|s| *s == 0));
        assert_eq!(at(20 + ramp), &tone[(20 + ramp) * rate as usize / 100..][..at(0).len()]);
        near(rms_dbov(&heard[35 * at(0).len()..40 * at(0).len()]) - rms_dbov(&tone), 12.0, 0.1);
        assert!(volume.is_unity() && at(99) == &tone[99 * at(0).len()..]);
        assert!(sharpest(&heard) <= allowed, "{rate}: {} of {allowed}", sharpest(&heard));
    }
}

#[test]
fn loud_sound_saturates_and_limits_hold() {
    let mut volume = Volume::new(8000);
    volume.set_db(99.0);
    near(volume.db(), VOLUME_RANGE.1, 0.0);
    let mut pcm = [i16::MAX, i16::MIN, 30_000, -30_000, 100, -100];
    volume.process(&mut pcm);
    assert_eq!(pcm, [i16::MAX, i16::MIN, i16::MAX, i16::MIN, 398, -398]);
    volume.set_db(f32::NEG_INFINITY);
    near(volume.db(), VOLUME_RANGE.0, 0.0);
    volume.set_db(f32::NAN);
    near(volume.db(), 0.0, 0.0);
    let mut mix = [i16::MAX, i16::MIN, 5];
    add(&[1, -1, 6, 7], &mut mix);
    assert_eq!(mix, [i16::MAX, i16::MIN, 11]);
    // What is set before the first sample holds at once.
    let mut muted = Volume::new(8000);
    muted.set_muted(true);
    let mut pcm = [1000; 4];
    muted.process(&mut pcm);
    assert!(pcm == [0; 4] && muted.is_silent() && muted.is_muted());
}

#[test]
fn sidetone_is_the_own_voice_made_quieter() {
    let mut sidetone = Sidetone::new(16_000);
    let mut playout = [100; 160];
    sidetone.mix(&[8000; 160], &mut playout);
    let expected = 100 + (8000.0 * factor(SIDETONE_DB)).round() as i16;
    assert_eq!(playout, [expected; 160]);
    sidetone.set_off(true);
    for _ in 0..3 {
        playout.fill(100);
        sidetone.mix(&[8000; 160], &mut playout);
    }
    assert_eq!(playout, [100; 160]);
    sidetone.set_off(false);
    sidetone.set_db(12.0);
    for _ in 0..3 {
        playout.fill(i16::MAX);
        sidetone.mix(&[8000; 160], &mut playout);
    }
    assert_eq!(playout, [i16::MAX; 160]);
}

#[test]
fn meters_show_power_and_peaks() {
    for rate in [8000, 48_000] {
        let mut meter = Meter::new(rate);
        let frames =
            |meter: &mut Meter, pcm: &[i16]| pcm.chunks(rate as usize / 100).for_each(|f| meter.add(f));
        near(meter.levels().rms_dbov, SILENCE_DBOV, 0.0);
        frames(&mut meter, &sine(rate, 1000.0, 32_767.0, 1.0));
        let levels = meter.levels();
        near(levels.rms_dbov, -3.01, 0.05);
        near(levels.peak_db, 0.0, 0.05);
        assert!(levels.clipped);
        frames(&mut meter, &vec![0; rate as usize]);
        let levels = meter.levels();
        near(levels.peak_db, -12.0, 0.1);
        // Eight time constants: 35 dB.
        near(levels.rms_dbov, -3.01 - 34.7, 0.5);
        assert!(!levels.clipped);
        meter.reset();
        near(meter.levels().peak_db, SILENCE_DBOV, 0.0);
    }
    // 0 dBm0 of G.711 (the sequence of its table 5) is -6.15 dBov.
    let octets = [0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4];
    let pcm: Vec<i16> = octets.iter().map(|octet| pcma::decode_sample(*octet)).collect();
    near(rms_dbov(&pcm), -6.15, 0.1);
    near(rms_dbov(&[i16::MIN; 8]), 0.0, 0.001);
}

#[test]
fn active_speech_is_told_from_pauses() {
    // Noise for a second, silence for two, again and again: P.56 counts the hangover of 0.2 s in.
    for (rate, amplitude) in [(8000, 8000.0), (16_000, 500.0), (48_000, 8000.0)] {
        let mut rng = Rng::from_u64(1);
        let mut meter = SpeechLevel::new(rate);
        assert_eq!(meter.result(), None);
        let mut burst = Vec::new();
        for second in 0..30 {
            let mut noise =
                || ((f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5) * 2.0 * amplitude) as i16;
            let pcm: Vec<i16> = (0..rate).map(|_| if second % 3 == 0 { noise() } else { 0 }).collect();
            if second == 0 {
                burst.clone_from(&pcm);
            }
            pcm.chunks(rate as usize / 100).for_each(|frame| meter.add(frame));
        }
        let found = meter.result().unwrap();
        near(found.activity, 0.4, 0.03);
        near(found.level_dbov, rms_dbov(&burst) - 0.8, 0.4);
        near(found.long_term_dbov, rms_dbov(&burst) - 4.77, 0.1);
    }
    let mut silence = SpeechLevel::new(8000);
    silence.add(&[0; 8000]);
    assert_eq!(silence.result(), None);
}

#[test]
fn nothing_allocates() {
    let (mut volume, mut sidetone) = (Volume::new(8000), Sidetone::new(8000));
    let (mut meter, mut speech) = (Meter::new(8000), SpeechLevel::new(8000));
    let mut pcm = [100; 80];
    let counted = allocation_counter::measure(|| {
        for n in 0..100 {
            volume.set_db(n as f32 / 10.0);
            volume.process(&mut pcm);
            sidetone.mix(&[5; 80], &mut pcm);
            meter.add(&pcm);
            speech.add(&pcm);
        }
        assert!(meter.levels().peak_db > -96.0 && speech.result().is_some());
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
