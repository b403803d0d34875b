//! Writes a tone to a WAV file and draws its cadence.
//!
//! ```text
//! cargo run -p sidetone-media --example tone -- --style yealink '!440+480/500,0/250' out.wav
//! cargo run -p sidetone-media --example tone -- --style panasonic 'BUSY_TONE 480,620 0 60,500,440' out.wav
//! cargo run -p sidetone-media --example tone -- --style country 'Germany busy' out.wav
//! cargo run -p sidetone-media --example tone -- --style ring Bellcore-dr3 out.wav
//! cargo run -p sidetone-media --example tone -- --style dtmf '1234#' out.wav
//! ```
//!
//! Options: `--style yealink | dinstar | panasonic | country | ring | dtmf`, `--rate 8000`, `--level -13` (dBm0 a
//! frequency), `--seconds 10` (a tone that ends by itself ends there).

use core::error::Error;
use core::time::Duration;
use sidetone_media::dtmf::{InbandConfig, InbandSender};
use sidetone_media::tone::{
    Country, Generator, PanasonicSettings, PanasonicTone, RingCadence, Style, ToneKind, ToneList,
};

struct Options {
    style: String,
    rate: u32,
    level: f32,
    seconds: u32,
    text: String,
    path: String,
}

fn main() {
    if let Err(error) = options().and_then(|options| run(&options)) {
        eprintln!("tone: {error}");
        std::process::exit(1);
    }
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        style: "yealink".into(),
        rate: 8000,
        level: -13.0,
        seconds: 10,
        text: String::new(),
        path: String::new(),
    };
    let mut plain = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--style" => options.style = value()?,
            "--rate" => options.rate = value()?.parse()?,
            "--level" => options.level = value()?.parse()?,
            "--seconds" => options.seconds = value()?.parse()?,
            _ => plain.push(word),
        }
    }
    let [text, path] = plain.try_into().map_err(|_| {
        "expected [--style yealink|dinstar|panasonic|country|ring|dtmf] [--rate Hz] [--level dBm0] [--seconds s] <text> <out.wav>"
    })?;
    if !(8000..=48_000).contains(&options.rate) || !(1..=600).contains(&options.seconds) {
        return Err("--rate is 8000 to 48000, --seconds 1 to 600".into());
    }
    (options.text, options.path) = (text, path);
    Ok(options)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let pcm = if options.style == "dtmf" { digits(options)? } else { tone(options)? };
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: options.rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&options.path, spec)?;
    pcm.iter().try_for_each(|sample| writer.write_sample(*sample))?;
    writer.finalize()?;
    println!("{}: {:.2} s at {} Hz", options.path, pcm.len() as f64 / f64::from(options.rate), options.rate);
    Ok(())
}

fn list(options: &Options) -> Result<ToneList, Box<dyn Error>> {
    let text = options.text.as_str();
    Ok(match options.style.as_str() {
        "yealink" => ToneList::parse(Style::Yealink, text)?,
        "dinstar" => ToneList::parse(Style::Dinstar, text)?,
        "panasonic" => {
            let mut words = text.split_whitespace();
            let key = words.next().unwrap_or_default();
            let tone = PanasonicTone::from_key(key).ok_or_else(|| {
                format!(
                    "`{key}` is no tone; expected {}",
                    PanasonicTone::ALL.map(PanasonicTone::key).join(", ")
                )
            })?;
            let usual = tone.defaults();
            tone.parse(&PanasonicSettings {
                frequencies: words.next().unwrap_or(usual.frequencies),
                gain: words.next().unwrap_or(usual.gain),
                timing: words.next().unwrap_or(usual.timing),
            })?
        }
        "country" => {
            let (country, kind) =
                text.rsplit_once(' ').ok_or("expected a country and a tone: `Germany busy`")?;
            let known = Country::find(country).ok_or_else(|| {
                let names: Vec<_> = Country::all().iter().map(|country| country.name).collect();
                format!("`{country}` is none of {}", names.join(", "))
            })?;
            let kind = ToneKind::ALL.into_iter().find(|known| known.setting() == kind).ok_or_else(|| {
                format!("`{kind}` is none of {}", ToneKind::ALL.map(ToneKind::setting).join(", "))
            })?;
            if !known.is_certain(kind) {
                println!("(this country's figures are uncertain)");
            }
            known.tone(kind)
        }
        "ring" => RingCadence::named(text)
            .ok_or("expected Bellcore-dr1 to Bellcore-dr5")?
            .sounding(&[440.0, 480.0])?,
        other => return Err(format!("no style `{other}`").into()),
    })
}

fn tone(options: &Options) -> Result<Vec<i16>, Box<dyn Error>> {
    let list = list(options)?;
    draw(&list);
    let mut pcm = vec![0; (options.rate * options.seconds) as usize];
    let mut generator = Generator::with_level(&list, options.rate, options.level);
    let mut made = 0;
    for frame in pcm.chunks_mut(options.rate as usize / 100) {
        let sounds = generator.fill(frame);
        made += frame.len();
        if !sounds {
            break;
        }
    }
    pcm.truncate(made);
    Ok(pcm)
}

fn digits(options: &Options) -> Result<Vec<i16>, Box<dyn Error>> {
    let config = InbandConfig { level: options.level, ..InbandConfig::default() };
    let mut sender = InbandSender::new(options.rate, config);
    for digit in options.text.chars() {
        if !sender.push(digit, Duration::from_millis(100)) {
            return Err(format!("`{digit}` is no digit, or one too many").into());
        }
    }
    let mut pcm = Vec::new();
    let mut frame = vec![0; options.rate as usize / 100];
    while sender.fill(&mut frame) {
        pcm.extend_from_slice(&frame);
    }
    Ok(pcm)
}

/// One line an element: how long, what sounds, and a bar.
fn draw(list: &ToneList) {
    let longest = list.elements().iter().map(|element| element.millis).max().unwrap_or(0).max(1);
    for element in list.elements() {
        let hertz: Vec<String> = element
            .voices()
            .iter()
            .map(|voice| {
                if voice.gain == 0.0 {
                    voice.hertz.to_string()
                } else {
                    format!("{} ({:+.0} dB)", voice.hertz, voice.gain)
                }
            })
            .collect();
        let length = if element.millis == 0 { 60 } else { (element.millis * 60 / longest).max(1) };
        let bar = if hertz.is_empty() { "." } else { "#" }.repeat(length as usize);
        let millis = if element.millis == 0 { "   ...".into() } else { format!("{:6}", element.millis) };
        let once = if element.once { "once" } else { "    " };
        println!(
            "{millis} ms {once} {bar:60} {}",
            if hertz.is_empty() { "silence".into() } else { hertz.join(" + ") }
        );
    }
    if list.ends() {
        println!("and it is over");
    }
}
