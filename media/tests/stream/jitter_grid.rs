//! What the jitter buffer makes of every kind of network, as a table that changes only on purpose.
//!
//! `SIDETONE_REWRITE=1 cargo test -p sidetone-media --test stream jitter_grid` writes the table anew.

use crate::voice;
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Duration;
use sidetone_media::jitter::replay::{Replay, ReplayConfig};
use sidetone_media::jitter::trace::Network;
use sidetone_media::quality::{Connection, Impairment, mos};

/// A minute at 20 ms.
const PACKETS: usize = 3000;
const LOSS: [u32; 6] = [0, 1, 3, 5, 10, 20];
const JITTER: [u64; 5] = [0, 10, 30, 60, 100];
/// Each packet by itself, or bursts of three in the mean.
const BURSTS: [Option<f64>; 2] = [None, Some(3.0)];

const HEAD: &str = "\
# A minute of speech through networks of all kinds: tests/stream/jitter_grid.rs. Delays are from sending to the ear.
# The opinion score is that of the E-model for G.711 with 40 ms more for packets, sound cards and the path.
# loss %\tburst\tjitter ms\tmean ms\tp95 ms\tconcealed %\tstretched %\tMOS
";

struct Cell {
    mean: f64,
    p95: f64,
    concealed: f64,
    stretched: f64,
    mos: f32,
}

fn play(said: &[i16], loss: u32, burst: Option<f64>, jitter: u64) -> Cell {
    let network = Network { burst, ..Network::new(Duration::from_millis(jitter), f64::from(loss) / 100.0) };
    let seed = u64::from(loss) * 1000 + jitter * 10 + u64::from(burst.is_some());
    let trace = network.trace(20, PACKETS, &mut Rng::from_u64(seed));
    let replay =
        Replay::new(&trace, ReplayConfig::default(), |at| said[at.rem_euclid(said.len() as i64) as usize]);
    let delay = replay.mean_delay();
    let connection = Connection {
        loss: replay.concealed() as f32,
        burst_ratio: burst.map_or(1.0, |burst| (burst * (1.0 - f64::from(loss) / 100.0)) as f32).max(1.0),
        delay: delay + Duration::from_millis(40),
        ..Connection::new(Impairment::of(&pcmu::SPEC))
    };
    Cell {
        mean: delay.as_secs_f64() * 1e3,
        p95: replay.delay_percentile(95).as_secs_f64() * 1e3,
        concealed: replay.concealed() * 100.0,
        stretched: replay.stretched() * 100.0,
        mos: mos(connection.rating()),
    }
}

#[test]
fn the_grid_is_what_it_was() {
    let mut table = HEAD.to_owned();
    // Ten sentences, over and over.
    let said: Vec<i16> = (0..19 * 8000).map(|at| voice::voice(at, 8000)).collect();
    for burst in BURSTS {
        for loss in LOSS {
            if burst.is_some() && loss == 0 {
                continue;
            }
            for jitter in JITTER {
                let cell = play(&said, loss, burst, jitter);
                let length = burst.map_or_else(|| "-".to_owned(), |burst| burst.to_string());
                table += &format!(
                    "{loss}\t{length}\t{jitter}\t{:.1}\t{:.1}\t{:.2}\t{:.2}\t{:.2}\n",
                    cell.mean, cell.p95, cell.concealed, cell.stretched, cell.mos
                );
                // Whatever the table says: what is heard late or never is little beside what the network lost.
                let (name, loss) = (format!("loss {loss}, jitter {jitter}"), f64::from(loss));
                assert!(cell.concealed < loss * 1.5 + 1.0, "{name}: {:.2} % concealed", cell.concealed);
                assert!(cell.mean < jitter as f64 + 15.0, "{name}: {:.1} ms", cell.mean);
                assert!(cell.stretched < 2.0, "{name}: {:.2} % stretched", cell.stretched);
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grid.tsv");
    if std::env::var_os("SIDETONE_REWRITE").is_some() {
        std::fs::write(path, &table).expect("tests/grid.tsv is written");
    }
    let before = std::fs::read_to_string(path).expect("tests/grid.tsv is there");
    for (now, before) in table.lines().zip(before.lines()) {
        assert_eq!(now, before, "if that is meant: SIDETONE_REWRITE=1");
    }
    assert_eq!(table.len(), before.len());
}
