//! Every row of an `expected.tsv`, run and compared.

use crate::codec::{AMR_MODES, Application, Codec, Law, Loss, Options, Order, Payload};
use crate::{coders, files};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs one folder of vectors, or all that are in this one, and prints a table.
pub fn run(folder: &Path) -> Result<(), String> {
    let folders = folders(folder)?;
    let mut total = Tally::default();
    for folder in &folders {
        let tally = Run::open(folder)?.rows()?;
        println!("{}: {tally}\n", folder.display());
        total.add(tally);
    }
    if folders.len() > 1 {
        println!("all: {total}");
    }
    if total.different == 0 { Ok(()) } else { Err(format!("{} rows are different", total.different)) }
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let has_rows = |folder: &Path| folder.join("expected.tsv").is_file();
    if has_rows(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let inside = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut inside: Vec<PathBuf> =
        inside.flatten().map(|entry| entry.path()).filter(|path| has_rows(path)).collect();
    inside.sort();
    if inside.is_empty() {
        return Err(format!("{}: no expected.tsv here or one folder below", folder.display()));
    }
    Ok(inside)
}

/// How what was made compares with what was expected.
enum Verdict {
    /// In every bit.
    Same,
    /// Not in every bit, but within the limits of a standard that allows it.
    Within(String),
    /// Not the same, and only the reference's hash is there: no limit can be looked at.
    HashOnly,
    Different(String),
    /// Not ours to make.
    Skipped(&'static str),
}

#[derive(Clone, Copy, Default)]
struct Tally {
    same: usize,
    within: usize,
    hash_only: usize,
    different: usize,
    skipped: usize,
}

impl Tally {
    fn count(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Same => &mut self.same,
            Verdict::Within(_) => &mut self.within,
            Verdict::HashOnly => &mut self.hash_only,
            Verdict::Different(_) => &mut self.different,
            Verdict::Skipped(_) => &mut self.skipped,
        } += 1;
    }

    fn add(&mut self, other: Self) {
        self.same += other.same;
        self.within += other.within;
        self.hash_only += other.hash_only;
        self.different += other.different;
        self.skipped += other.skipped;
    }
}

impl core::fmt::Display for Tally {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { same, within, hash_only, different, skipped } = self;
        write!(f, "{same} same, {within} within the limits, {different} different")?;
        write!(f, ", {hash_only} with other bits of which only the hash is kept, {skipped} not ours")
    }
}

/// One row of the table.
struct Row {
    output: String,
    made_from: String,
    operation: String,
    sha256: String,
}

struct Run {
    folder: PathBuf,
    name: String,
    rows: Vec<Row>,
    /// What was made so far, for rows whose input is not stored.
    made: BTreeMap<String, Vec<u8>>,
}

/// What a row asks for.
enum Task {
    Encode(Codec, Options),
    Decode(Codec, Options),
    /// The table of Opus range decoder states.
    Ranges,
    Foreign(&'static str),
}

impl Run {
    fn open(folder: &Path) -> Result<Self, String> {
        let path = folder.join("expected.tsv");
        let table = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let row = |line: &str| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [output, made_from, operation, _, _, sha256] = columns[..] else {
                return Err(format!("{}: six columns were expected: {line}", path.display()));
            };
            let own = str::to_owned;
            Ok(Row {
                output: own(output),
                made_from: own(made_from),
                operation: own(operation),
                sha256: own(sha256),
            })
        };
        let rows =
            table.lines().skip(1).filter(|line| !line.is_empty()).map(row).collect::<Result<_, _>>()?;
        let name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = name.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { folder: folder.to_owned(), name, rows, made: BTreeMap::new() })
    }

    fn rows(mut self) -> Result<Tally, String> {
        let mut tally = Tally::default();
        for row in core::mem::take(&mut self.rows) {
            let verdict = self.row(&row).map_err(|error| format!("{}/{}: {error}", self.name, row.output))?;
            let (word, detail) = match &verdict {
                Verdict::Same => ("same", ""),
                Verdict::Within(detail) => ("within", detail.as_str()),
                Verdict::HashOnly => ("other", "only the hash is kept"),
                Verdict::Different(detail) => ("DIFFERENT", detail.as_str()),
                Verdict::Skipped(why) => ("skipped", *why),
            };
            println!("{word:9} {:38} {:32} {detail}", row.output, row.operation);
            tally.count(&verdict);
        }
        Ok(tally)
    }

    fn row(&mut self, row: &Row) -> Result<Verdict, String> {
        let (input, made) = match self.task(row)? {
            Task::Foreign(why) => return Ok(Verdict::Skipped(why)),
            Task::Encode(codec, options) => {
                let input = self.signal(row)?;
                let made = coders::encode(codec, &options, &input)?.file;
                (input, made)
            }
            Task::Decode(codec, options) => {
                let input = self.input(&row.made_from)?;
                let made = coders::decode(codec, &options, &input)?.file;
                (input, made)
            }
            Task::Ranges => {
                let input = self.input(&row.made_from)?;
                let made = coders::opus_ranges(&input)?;
                (input, made)
            }
        };
        let verdict = self.compare(row, &input, &made);
        self.made.insert(row.output.clone(), made);
        Ok(verdict)
    }

    fn stored(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(name)).ok()
    }

    /// The input of a row: beside the table, among the signals, or made before.
    fn input(&self, name: &str) -> Result<Vec<u8>, String> {
        match name {
            "all 65536 values" => return Ok(files::octets(&(i16::MIN..=i16::MAX).collect::<Vec<_>>())),
            "all 256 codes" => return Ok((0..=u8::MAX).collect()),
            _ => {}
        }
        let above = if name.starts_with("signals/") { self.folder.join("..") } else { self.folder.clone() };
        match (fs::read(above.join(name)), self.made.get(name)) {
            (Ok(file), _) => Ok(file),
            (Err(_), Some(made)) => Ok(made.clone()),
            (Err(error), None) => Err(format!("{name}: {error}")),
        }
    }

    /// The PCM that a coded file was made of; payload rows name the coded file instead.
    fn signal(&self, row: &Row) -> Result<Vec<u8>, String> {
        if !row.operation.contains("payloads") {
            return self.input(&row.made_from);
        }
        let signal = row.output.split('.').next().unwrap_or_default();
        self.input(&format!("signals/{signal}.8k.pcm"))
    }

    fn task(&self, row: &Row) -> Result<Task, String> {
        let operation = row.operation.as_str();
        let mut options = Options::default();
        if operation.contains("every 7th") {
            options.lose = Loss::Loss7;
        } else if operation.contains("burst") {
            options.lose = Loss::Burst;
        }
        let encodes = operation.starts_with("encode");
        let unknown = || format!("unknown operation: {operation}");
        let codec = match self.name.as_str() {
            "g711" if row.output.starts_with("pcmu") => Codec::Pcmu,
            "g711" => Codec::Pcma,
            "g722" => {
                options.mode =
                    operation.strip_prefix("decode mode ").and_then(|mode| mode.parse().ok()).unwrap_or(1);
                Codec::G722
            }
            "g726" => return g726(row, options).ok_or_else(unknown),
            "g729a" => Codec::G729 { vad: false },
            "g729ab" if operation.contains("(libbcg729") => return Ok(Task::Foreign("made by libbcg729")),
            "g729ab" => Codec::G729 { vad: true },
            "g7231" => {
                options.high_pass = !operation.contains("high-pass off");
                options.postfilter = !operation.contains("postfilter off");
                let rate = if operation.contains("5.3") { 53 } else { 63 };
                Codec::G7231 { rate, vad: operation.contains("VAD on") }
            }
            "ilbc" => {
                options.enhancer = !operation.contains("enhancer off");
                Codec::Ilbc(if row.output.contains("20ms") { 20 } else { 30 })
            }
            "amrnb" => return amr(row, options).ok_or_else(unknown),
            "opus" => return opus(row, options).ok_or_else(unknown),
            other => return Err(format!("nothing is known of a folder called {other}")),
        };
        match operation {
            _ if encodes => Ok(Task::Encode(codec, options)),
            _ if operation.starts_with("decode") => Ok(Task::Decode(codec, options)),
            _ => Err(unknown()),
        }
    }

    fn compare(&self, row: &Row, input: &[u8], made: &[u8]) -> Verdict {
        let sha256: String = Sha256::digest(made).iter().map(|octet| format!("{octet:02x}")).collect();
        if sha256 == row.sha256 {
            return Verdict::Same;
        }
        let Some(expected) = self.stored(&row.output) else {
            return if matches!(self.name.as_str(), "ilbc" | "opus") {
                Verdict::HashOnly
            } else {
                Verdict::Different("another hash".into())
            };
        };
        match self.name.as_str() {
            "ilbc" => ilbc_limits(row, &expected, made),
            "opus" => opus_limits(row, input, &expected, made),
            _ => Verdict::Different(first_difference(&expected, made)),
        }
    }
}

fn g726(row: &Row, mut options: Options) -> Option<Task> {
    let operation = row.operation.as_str();
    if operation.starts_with("G.711") {
        let codec = if operation.contains("a-law") { Codec::Pcma } else { Codec::Pcmu };
        return Some(Task::Encode(codec, options));
    }
    let mut words = operation.split(' ');
    let verb = words.next()?;
    let codec = Codec::G726(words.next()?.parse().ok()?);
    let coded = if verb == "encode" { &row.output } else { &row.made_from };
    options.order = if coded.ends_with("aal2") { Order::Aal2 } else { Order::Rfc3551 };
    options.law = match coded.split('.').nth(1)? {
        "alaw" => Law::Alaw,
        "ulaw" => Law::Ulaw,
        _ => Law::Linear,
    };
    match verb {
        "encode" => Some(Task::Encode(codec, options)),
        "decode" => Some(Task::Decode(codec, options)),
        _ => None,
    }
}

fn amr(row: &Row, mut options: Options) -> Option<Task> {
    // As in `mix.12.2.dtx.oa.rec`: the mode has a dot in it.
    let mut words = row.output.split('.').skip(1);
    let mode = format!("{}.{}", words.next()?, words.next()?);
    let mode = AMR_MODES.iter().position(|known| *known == mode)? as u8;
    let codec = Codec::Amr { mode, dtx: words.clone().any(|word| word == "dtx") };
    options.payload = words.find_map(|word| match word {
        "oa" => Some(Payload::Oa),
        "be" => Some(Payload::Be),
        _ => None,
    });
    match row.operation.split([' ', ',']).next()? {
        "encode" | "RFC" => Some(Task::Encode(codec, options)),
        "decode" => Some(Task::Decode(codec, options)),
        _ => None,
    }
}

fn opus(row: &Row, mut options: Options) -> Option<Task> {
    let operation = row.operation.as_str();
    if operation.starts_with("packet") {
        return Some(Task::Ranges);
    }
    let number = |name: &str| {
        let behind = operation.split(name).nth(1)?;
        behind.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
    };
    let words: Vec<&str> = operation.split([' ', ',']).collect();
    if words.first() == Some(&"decode") {
        let rate = number("decode at ")?;
        options.rebuild = operation.contains("FEC");
        return Some(Task::Decode(Codec::Opus { rate, bit_rate: 6000, dtx: false, fec: false }, options));
    }
    let [_, rate, _, bit_rate, ..] = words[..] else { return None };
    options.complexity = number("complexity=")? as u8;
    options.application = match () {
        () if operation.contains("lowdelay") => Application::Lowdelay,
        () if operation.contains("audio") => Application::Audio,
        () => Application::Voip,
    };
    let (dtx, fec) = (number("dtx=")? == 1, number("fec=")? == 1);
    let codec = Codec::Opus { rate: rate.parse().ok()?, bit_rate: bit_rate.parse().ok()?, dtx, fec };
    Some(Task::Encode(codec, options))
}

fn first_difference(expected: &[u8], made: &[u8]) -> String {
    let at = expected.iter().zip(made).position(|(a, b)| a != b);
    match at {
        Some(at) => format!("from octet {at} of {}", expected.len()),
        None => format!("{} octets, expected {}", made.len(), expected.len()),
    }
}

/// The vectors' README: a decoder at least 60 dB and at most 4 LSB off (32 on `stress`); an encoder at least 95 %
/// of the frames equal (85 % on `stress`, where two builds of the reference itself differ in up to 11 %).
fn ilbc_limits(row: &Row, expected: &[u8], made: &[u8]) -> Verdict {
    let stress = row.output.starts_with("stress");
    if row.operation.starts_with("encode") {
        let size = if row.output.contains("20ms") { 38 } else { 50 };
        let frames = expected.len() / size;
        let equal = expected.chunks(size).zip(made.chunks(size)).filter(|(a, b)| a == b).count();
        let least = if stress { 85 } else { 95 };
        let detail = format!("{equal} of {frames} frames equal");
        return if equal * 100 >= frames * least {
            Verdict::Within(detail)
        } else {
            Verdict::Different(detail)
        };
    }
    let Some((snr, most)) = distance(expected, made) else {
        return Verdict::Different(first_difference(expected, made));
    };
    let detail = format!("{snr:.1} dB, at most {most} LSB");
    let limit = if stress { 32 } else { 4 };
    if snr >= 60.0 && most <= limit { Verdict::Within(detail) } else { Verdict::Different(detail) }
}

/// The vectors' README: 50 dB for a decoder. An encoder is free by RFC 6716; what is looked at is that each packet
/// says the range that a decoder reaches, and that the bit rate is the reference's within a sixth.
fn opus_limits(row: &Row, _input: &[u8], expected: &[u8], made: &[u8]) -> Verdict {
    if row.operation.starts_with("encode") {
        let detail = format!("{} octets, the reference {}", made.len(), expected.len());
        let honest = coders::opus_ranges(made).is_ok_and(|table| ranges_agree(&table));
        let fits = made.len().abs_diff(expected.len()) * 6 <= expected.len();
        return if honest && fits { Verdict::Within(detail) } else { Verdict::Different(detail) };
    }
    let Some((snr, _)) = distance(expected, made) else {
        return Verdict::Different(first_difference(expected, made));
    };
    let detail = format!("{snr:.1} dB");
    if snr >= 50.0 { Verdict::Within(detail) } else { Verdict::Different(detail) }
}

/// Whether the encoder's and the decoder's range are the same in each row.
fn ranges_agree(table: &[u8]) -> bool {
    String::from_utf8_lossy(table).lines().all(|line| {
        let mut columns = line.split('\t').skip(3);
        columns.next() == columns.next()
    })
}

/// SNR in dB and the greatest difference of two PCM files of one length.
fn distance(expected: &[u8], made: &[u8]) -> Option<(f64, u16)> {
    let (expected, made) = (files::samples(expected).ok()?, files::samples(made).ok()?);
    if expected.len() != made.len() {
        return None;
    }
    let pairs = || expected.iter().zip(&made);
    let signal: f64 = expected.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let noise: f64 = pairs().map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    let most = pairs().map(|(a, b)| a.abs_diff(*b)).max()?;
    Some((10.0 * (signal.max(1e-9) / noise.max(1e-9)).log10(), most))
}
