//! What a jitter buffer makes of a network, in figures and as a picture.
//!
//! ```text
//! cargo run -p sidetone-media --example jitter -- --jitter 60 --loss 5 --burst 3 --svg picture.svg
//! cargo run -p sidetone-media --example jitter -- --trace network.txt --fixed 120
//! cargo run -p sidetone-media --example jitter -- --words "5*200 90 5*50 x*3 5*200" --svg picture.svg
//! ```
//!
//! A trace is written as in `sidetone_media::jitter::trace`. `--emit` prints the trace instead of replaying it.

use core::error::Error;
use core::fmt::Write as _;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Duration;
use sidetone_media::jitter::replay::{Flight, Replay, ReplayConfig, Tick};
use sidetone_media::jitter::trace::{Network, Trace};
use sidetone_media::jitter::{Decision, DelayLimits};

const HELP: &str = "\
jitter [--trace FILE | --words WORDS | a network] [--fixed MS | --min MS --normal MS --max MS] [--svg FILE] [--emit]
a network: [--jitter MS] [--loss PERCENT] [--burst PACKETS] [--reorder PERCENT] [--ptime MS] [--drift PPM]
           [--seconds S] [--seed N]";

struct Options {
    trace: Option<Trace>,
    network: Network,
    ptime: u8,
    drift: i32,
    seconds: usize,
    seed: u64,
    limits: DelayLimits,
    svg: Option<String>,
    emit: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let trace = options.trace.unwrap_or_else(|| {
        let packets = options.seconds * 1000 / usize::from(options.ptime);
        let trace = options.network.trace(options.ptime, packets, &mut Rng::from_u64(options.seed));
        Trace { drift: options.drift, ..trace }
    });
    if options.emit {
        print!("{trace}");
        return Ok(());
    }
    let config = ReplayConfig { limits: options.limits, ..ReplayConfig::default() };
    let replay = Replay::new(&trace, config, voice);
    println!("{} packets of {} ms, {} lost", trace.sent(), trace.ptime, trace.lost());
    println!(
        "delay from sending to the ear: {:.1} ms, 95 % within {:.1} ms",
        millis(replay.mean_delay()),
        millis(replay.delay_percentile(95))
    );
    println!(
        "concealed {:.2} %, stretched {:.2} % in {} steps; drift {:.0} ppm",
        replay.concealed() * 100.0,
        replay.stretched() * 100.0,
        replay.stats.shortened + replay.stats.lengthened,
        replay.drift_ppm
    );
    println!("{:?}", replay.stats);
    if let Some(path) = options.svg {
        std::fs::write(&path, picture(&replay))?;
        println!("{path} written");
    }
    Ok(())
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        trace: None,
        network: Network::new(Duration::ZERO, 0.0),
        ptime: 20,
        drift: 0,
        seconds: 10,
        seed: 1,
        limits: DelayLimits::default(),
        svg: None,
        emit: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{name} wants a value\n{HELP}"));
        let millis = |text: String| text.parse().map(Duration::from_millis);
        match name.as_str() {
            "--trace" => options.trace = Some(std::fs::read_to_string(value()?)?.parse()?),
            "--words" => options.trace = Some(value()?.parse()?),
            "--jitter" => options.network.jitter = millis(value()?)?,
            "--loss" => options.network.loss = value()?.parse::<f64>()? / 100.0,
            "--burst" => options.network.burst = Some(value()?.parse()?),
            "--reorder" => options.network.reorder = value()?.parse::<f64>()? / 100.0,
            "--ptime" => options.ptime = value()?.parse::<u8>()?.clamp(1, 200),
            "--drift" => options.drift = value()?.parse()?,
            "--seconds" => options.seconds = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--fixed" => options.limits = DelayLimits::fixed(millis(value()?)?)?,
            "--min" => options.limits.min = millis(value()?)?,
            "--normal" => options.limits.normal = millis(value()?)?,
            "--max" => options.limits.max = millis(value()?)?,
            "--svg" => options.svg = Some(value()?),
            "--emit" => options.emit = true,
            _ => return Err(HELP.into()),
        }
    }
    options.limits = options.limits.checked()?;
    Ok(options)
}

/// A hum with the rhythm of speech, at 8 kHz.
fn voice(at: i64) -> i16 {
    let seconds = at as f64 / 8000.0;
    let loudness = if seconds % 1.9 > 1.5 { 0.0 } else { 0.4 + 0.6 * (9.4 * seconds).sin().powi(2) };
    let phase = core::f64::consts::TAU * 130.0 * seconds + 5.0 * (2.6 * seconds).sin();
    let sum: f64 = (1..12_u32).map(|k| (phase * f64::from(k)).cos() / f64::from(k)).sum();
    (3500.0 * loudness * sum) as i16
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 55.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 36.0;

/// Time to the right, delay upwards: arrivals as dots, what is heard as a line, steps and inventions as bars.
fn picture(replay: &Replay) -> String {
    let longest = |flights: &[Flight]| {
        let delays = flights.iter().filter_map(|flight| Some(flight.arrived? - flight.sent));
        delays.max().unwrap_or_default()
    };
    let heard = replay.ticks.iter().filter_map(|tick| tick.delay).max().unwrap_or_default();
    let most = (millis(longest(&replay.flights).max(heard)) * 1.1).max(20.0);
    let length = replay.ticks.last().map_or(1.0, |tick| tick.at.as_secs_f64()).max(0.1);
    let x = |at: Duration| LEFT + at.as_secs_f64() / length * (WIDTH - LEFT - 15.0);
    let y = |delay: f64| HEIGHT - BOTTOM - delay / most * (HEIGHT - BOTTOM - TOP);
    let mut svg = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    );
    let grid = [10.0, 20.0, 50.0, 100.0, 200.0].into_iter().find(|step| most / step < 8.0).unwrap_or(500.0);
    for line in 0..=(most / grid) as u32 {
        let (delay, place) = (f64::from(line) * grid, y(f64::from(line) * grid));
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {place:.1}H{WIDTH}\" stroke=\"#ddd\"/><text x=\"{:.0}\" y=\"{:.1}\" \
             text-anchor=\"end\">{delay:.0} ms</text>",
            LEFT - 6.0,
            place + 4.0
        );
    }
    let every =
        [1.0, 2.0, 5.0, 10.0, 60.0, 300.0].into_iter().find(|step| length / step < 16.0).unwrap_or(1800.0);
    for mark in 0..=(length / every) as u32 {
        let seconds = f64::from(mark) * every;
        let place = x(Duration::from_secs_f64(seconds));
        let _ = writeln!(svg, "<text x=\"{place:.1}\" y=\"{:.0}\">{seconds:.0} s</text>", HEIGHT - 12.0);
    }
    for flight in &replay.flights {
        let place = x(flight.sent);
        let _ = match flight.arrived {
            Some(arrived) => writeln!(
                svg,
                "<circle cx=\"{place:.1}\" cy=\"{:.1}\" r=\"1.6\" fill=\"#37c\"/>",
                y(millis(arrived - flight.sent))
            ),
            None => writeln!(
                svg,
                "<path d=\"M{place:.1} {:.1}v8\" stroke=\"#c22\" stroke-width=\"1.5\"/>",
                HEIGHT - BOTTOM
            ),
        };
    }
    bars(&mut svg, replay, &x, &y);
    path(
        &mut svg,
        "#d60",
        replay.ticks.iter().map(|tick| tick.delay.map(|delay| (x(tick.at), y(millis(delay))))),
    );
    let legend = [
        ("#37c", "packets arrive after"),
        ("#d60", "heard after"),
        ("#c22", "lost, concealed"),
        ("#2a2", "shortened"),
        ("#a3c", "lengthened"),
    ];
    for ((colour, text), place) in legend.iter().zip(0_u32..) {
        let place = LEFT + f64::from(place) * 170.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{place:.0}\" y=\"12\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{:.0}\" y=\"22\">{text}</text>",
            place + 17.0
        );
    }
    svg + "</svg>\n"
}

fn bars(svg: &mut String, replay: &Replay, x: &impl Fn(Duration) -> f64, y: &impl Fn(f64) -> f64) {
    let colour = |tick: &Tick| match (tick.stretched, tick.decision) {
        (..0, _) => Some("#2a2"),
        (1.., _) => Some("#a3c"),
        (0, Decision::Conceal | Decision::Hold) => Some("#c22"),
        _ => None,
    };
    for tick in &replay.ticks {
        if let (Some(colour), Some(delay)) = (colour(tick), tick.delay) {
            let (place, level) = (x(tick.at), y(millis(delay)));
            let _ = writeln!(
                svg,
                "<path d=\"M{place:.1} {:.1}v12\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                level - 6.0
            );
        }
    }
}

/// A line with gaps where there is no point.
fn path(svg: &mut String, colour: &str, points: impl Iterator<Item = Option<(f64, f64)>>) {
    let mut command = 'M';
    let _ = write!(svg, "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.2\" d=\"");
    for point in points {
        command = match point {
            Some((x, y)) => {
                let _ = write!(svg, "{command}{x:.1} {y:.1}");
                'L'
            }
            None => 'M',
        };
    }
    svg.push_str("\"/>\n");
}
