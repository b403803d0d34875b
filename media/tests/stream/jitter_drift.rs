//! An hour with a clock that is off: the delay stays, and nothing is lost.

use sidetone_hal::rng::Rng;
use sidetone_hal::time::Duration;
use sidetone_media::jitter::replay::{Replay, ReplayConfig};
use sidetone_media::jitter::trace::{Network, Trace};

const HOUR: usize = 3600 * 50;

fn hour(drift: i32, jitter: u64) -> Replay {
    let network = Network::new(Duration::from_millis(jitter), 0.0);
    let trace = Trace { drift, ..network.trace(20, HOUR, &mut Rng::from_u64(7)) };
    // A voice that costs little: an hour of it is made.
    let wave: [i16; 400] = core::array::from_fn(|i| {
        let phase = i as f64 * core::f64::consts::TAU / 80.0;
        (4000.0 * (phase.sin() + 0.5 * (3.0 * phase).sin())) as i16
    });
    let config = ReplayConfig { phase: Duration::from_millis(4), ..ReplayConfig::default() };
    Replay::new(&trace, config, |at| if at / 8000 % 4 == 3 { 0 } else { wave[at.rem_euclid(400) as usize] })
}

#[test]
fn an_hour_of_drift_leaves_the_delay_where_it_was() {
    for (drift, jitter) in [(-300, 0), (300, 0), (-300, 20), (300, 20), (0, 20)] {
        let replay = hour(drift, jitter);
        let minute = |number: usize| {
            let ticks = &replay.ticks[number * 6000..(number + 1) * 6000];
            let delays: Vec<_> = ticks.iter().filter_map(|tick| tick.delay).collect();
            let mean = delays.iter().sum::<Duration>() / delays.len() as u32;
            (mean.as_secs_f64() * 1e3, delays.iter().max().unwrap().as_secs_f64() * 1e3)
        };
        let ((early, _), (late, most)) = (minute(2), minute(58));
        let name = format!("{drift} ppm, jitter {jitter} ms");
        println!(
            "{name}: {early:.1} ms in minute 2, {late:.1} ms in minute 58 ({most:.1} at most), measured {:.1} ppm, {:?}",
            replay.drift_ppm, replay.stats
        );
        // 300 ppm are 1.08 s in an hour.
        assert!((late - early).abs() < 6.0 && most < jitter as f64 + 25.0, "{name}");
        assert!((f64::from(replay.drift_ppm) - f64::from(drift)).abs() < 15.0, "{name}");
        assert!(replay.concealed() < 2e-5, "{name}: {}", replay.concealed());
        let net = replay.ticks.iter().map(|tick| i64::from(tick.stretched)).sum::<i64>() as f64 / 8000.0;
        assert!((net - f64::from(drift) * 3600e-6).abs() < 0.06, "{name}: {net} s");
        // Little more is stretched than the drift asks for.
        assert!(replay.stretched() < 2.0 * f64::from(drift.abs()) * 1e-6 + 2e-4, "{name}");
    }
}
