//! Dials by a plan, in a time that does not really pass, and says what happens.
//!
//!     cargo run -p sidetone-dialplan --example digits -- --style panasonic '[2346789]11|01[2-9]x.' '01254,'
//!     cargo run -p sidetone-dialplan --example digits -- --style yealink 'replace 2(xx)=002$1; dialnow 52[0-6]' '212#'

use sidetone_dialplan::{
    Collector, CollectorConfig, DigitMap, Plan, PlanError, Progress, Rule, RuleId, RuleKind, RuleList, Style,
    Timer,
};
use sidetone_hal::time::{Duration, Instant};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

const USAGE: &str = "\
usage: digits [OPTIONS] PLAN [DIGITS]

PLAN    a digit map, or rules between `;`, or the name of a file of either; with the style panasonic a digit map, else rules:
        replace PREFIX=REPLACE, dialnow RULE, area CODE MIN MAX, block RULE, insert PREFIX POSITION DIGITS,
        delete PREFIX POSITION LENGTH, to PREFIX ADDRESS, emergency NUMBER, feature ID CODE,
        server CODE; `line N` before a rule holds it to that line; dialplan.xml and dialnow.xml of the CP860 are read, too
DIGITS  the keys that are pressed one after the other; a trailing `#` is the Enter key, a trailing `,` waits until
        something happens, `<` erases a digit

  --style STYLE           panasonic (default), yealink, dinstar, sayhi
  --line N                the line, 1 (default) to 255
  --no-match-calls yes|no whether a number that no rule matches is called (default yes)
  --inter-digit MS        how long a digit waits for the next one (default 5000; yealink 4000); 0 waits for ever
  --first-digit MS        how long dial tone waits for the first digit (default 30000)
  --t S                   the seconds of `T` in a digit map (default 5)
  --dial-now S            the seconds that a dial-now rule waits (default 1)
  --emergency N,N,…       the numbers that no rule may block (default 112,911)
  --predial               the digits are pressed before the handset is lifted
  --explain               writes the automaton in the language of graphviz
  --png FILE              draws the automaton, where graphviz is installed";

struct Options {
    style: Style,
    line: u8,
    emergency: Vec<String>,
    config: CollectorConfig,
    predial: bool,
    explain: bool,
    png: Option<String>,
    plan: String,
    digits: Option<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let outcome = run(&arguments);
    match &outcome {
        Ok(lines) => lines.iter().for_each(|line| println!("{line}")),
        Err(message) => eprintln!("{message}"),
    }
    ExitCode::from(status(&outcome))
}

/// The exit status: 2 for a plan or options that are wrong. A number that is refused is no failure.
pub(crate) const fn status(outcome: &Result<Vec<String>, String>) -> u8 {
    if outcome.is_ok() { 0 } else { 2 }
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut style = Style::Panasonic;
    let (mut line, mut emergency) = (1, vec!["112".to_owned(), "911".to_owned()]);
    let (mut explain, mut png, mut predial) = (false, None, false);
    let (mut inter_digit, mut first_digit) = (None, Duration::from_secs(30));
    let mut config = CollectorConfig::default();
    let mut free = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if !argument.starts_with("--") || argument == "--" {
            free.extend((argument != "--").then(|| argument.clone()));
            continue;
        }
        let (name, given) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = || {
            let value = given.clone().or_else(|| arguments.next().cloned());
            value.ok_or_else(|| format!("{name} needs a value\n\n{USAGE}"))
        };
        let number =
            |text: String| text.parse::<u32>().map_err(|_| format!("{name} {text}: expected a number"));
        let millis = |text: String| number(text).map(|ms| Duration::from_millis(u64::from(ms)));
        let seconds = |text: String| number(text).map(|s| Duration::from_secs(u64::from(s)));
        match name {
            "--style" => style = value()?.parse().map_err(|error| format!("--style: {error}"))?,
            "--line" => {
                let given: Result<core::num::NonZeroU8, _> = value()?.parse();
                line = given.map_err(|_| "--line: expected 1 to 255".to_owned())?.get();
            }
            "--no-match-calls" => {
                config.unmatched = match value()?.as_str() {
                    "yes" => true,
                    "no" => false,
                    other => return Err(format!("--no-match-calls {other}: expected yes or no")),
                }
            }
            "--inter-digit" => inter_digit = Some(millis(value()?)?),
            "--first-digit" => first_digit = millis(value()?)?,
            "--t" => config.timing.macro_digit = seconds(value()?)?,
            "--dial-now" => config.timing.dial_now = seconds(value()?)?,
            "--emergency" => {
                emergency =
                    value()?.split(',').filter(|number| !number.is_empty()).map(str::to_owned).collect();
            }
            "--predial" => predial = true,
            "--explain" => explain = true,
            "--png" => png = Some(value()?),
            _ => return Err(format!("{name}: no such option\n\n{USAGE}")),
        }
    }
    let usual = if style == Style::Yealink { 4000 } else { 5000 };
    let inter_digit = inter_digit.unwrap_or_else(|| Duration::from_millis(usual));
    config.timing.inter_digit = Some(inter_digit).filter(|time| !time.is_zero());
    config.timing.first_digit = Some(first_digit).filter(|time| !time.is_zero());
    let mut free = free.into_iter();
    let plan = free.next().ok_or_else(|| format!("no plan\n\n{USAGE}"))?;
    let digits = free.next();
    match (free.next(), digits.is_some() || explain || png.is_some()) {
        (Some(more), _) => return Err(format!("{more}: one plan and one row of digits\n\n{USAGE}")),
        (None, false) => return Err(format!("no digits\n\n{USAGE}")),
        (None, true) => {}
    }
    Ok(Options { style, line, emergency, config, predial, explain, png, plan, digits })
}

/// What is printed; or what is wrong.
pub(crate) fn run(arguments: &[String]) -> Result<Vec<String>, String> {
    let options = &options(arguments)?;
    let mut lines = Vec::new();
    let rules = rules(options.style, &options.plan)?;
    let emergency: Vec<Rule> = options.emergency.iter().map(|number| Rule::emergency(number)).collect();
    let plan =
        Plan::compile(rules.iter().chain(&emergency), options.line).map_err(|error| error.to_string())?;
    if options.explain {
        lines.extend(plan.to_dot().lines().map(str::to_owned));
    }
    if let Some(file) = &options.png {
        lines.push(draw(&plan.to_dot(), file));
    }
    if let Some(digits) = &options.digits {
        dial(options, Arc::new(plan), digits, &mut lines)?;
    }
    Ok(lines)
}

/// The rules in the plan's text or in the file of that name.
fn rules(style: Style, text: &str) -> Result<Vec<Rule>, String> {
    let is_file = Path::new(text).is_file();
    let (place, text) = match is_file {
        true => (text, std::fs::read_to_string(text).map_err(|error| format!("{text}: {error}"))?),
        false => ("the plan", text.to_owned()),
    };
    let trimmed = text.trim_start();
    let read = if style == Style::Panasonic {
        DigitMap::parse(&text).map(|map| map.rules().to_vec())
    } else if trimmed.contains("<DialRule>") {
        RuleList::from_replace_template(&text).map(|list| list.rules().to_vec())
    } else if trimmed.contains("<DialNow>") {
        RuleList::from_dial_now_template(&text).map(|list| list.rules().to_vec())
    } else {
        RuleList::parse(&text).map(|list| list.rules().to_vec())
    };
    read.map_err(|error| point_at(place, &text, &error))
}

/// The error, with the line and a mark under the place.
fn point_at(place: &str, text: &str, error: &PlanError) -> String {
    let line = text.split('\n').nth(error.line - 1).unwrap_or_default().trim_end();
    format!("{place}: {error}\n  {line}\n  {:>width$}", "^", width = error.column)
}

/// Presses the keys.
fn dial(options: &Options, plan: Arc<Plan>, digits: &str, lines: &mut Vec<String>) -> Result<(), String> {
    let waits = digits.ends_with(',');
    let keys = digits.trim_end_matches(',');
    let (keys, enter) = match keys.strip_suffix('#').filter(|_| !waits) {
        Some(keys) => (keys, true),
        None => (keys, false),
    };
    let mut config = options.config.clone();
    config.plan = Some(plan.clone());
    let mut collector = Collector::new(config);
    let mut desk = Desk { now: Instant::ZERO, last_key: Instant::ZERO, plan, lines };
    let mut progress = Progress::Incomplete { deadline: None };
    if !options.predial {
        progress = collector.off_hook(desk.now);
        desk.say("off-hook", &collector, &progress);
    }
    let mut rest = keys.chars();
    while is_open(&progress)
        && let Some(key) = rest.next()
    {
        progress = match key {
            ',' => {
                let progress = desk.wait(&mut collector);
                desk.say("wait", &collector, &progress);
                progress
            }
            '<' => {
                desk.last_key = desk.now;
                let progress = collector.backspace(desk.now);
                desk.say("back-space", &collector, &progress);
                progress
            }
            key => {
                desk.last_key = desk.now;
                let progress = collector.press(desk.now, key).map_err(|error| error.to_string())?;
                desk.say(&format!("key {key}"), &collector, &progress);
                progress
            }
        };
    }
    if is_open(&progress) && options.predial && !enter {
        desk.last_key = desk.now;
        progress = collector.send(desk.now);
        desk.say("handset lifted", &collector, &progress);
    }
    if is_open(&progress) && enter {
        desk.last_key = desk.now;
        progress = collector.send(desk.now);
        desk.say("Enter", &collector, &progress);
    }
    if is_open(&progress) && waits {
        progress = desk.wait(&mut collector);
        desk.say("wait", &collector, &progress);
    }
    let unused = rest.as_str();
    if !unused.is_empty() {
        desk.lines.push(format!("{:>6} ms  not needed any more: {unused}", desk.now.as_millis()));
    }
    let verdict = desk.verdict(&progress);
    desk.lines.push(verdict);
    Ok(())
}

/// Whether keys still make a difference.
fn is_open(progress: &Progress) -> bool {
    matches!(progress, Progress::Incomplete { .. } | Progress::NoDigit)
}

struct Desk<'a> {
    now: Instant,
    last_key: Instant,
    plan: Arc<Plan>,
    lines: &'a mut Vec<String>,
}

impl Desk<'_> {
    /// Lets the time pass until the collector does something by itself.
    fn wait(&mut self, collector: &mut Collector) -> Progress {
        let Some((at, timer)) = collector.poll_timeout() else {
            return Progress::Incomplete { deadline: None };
        };
        self.now = at;
        if timer == Timer::FirstDigit {
            self.last_key = at;
        }
        collector.handle_timeout(at)
    }

    fn text(&self, rule: RuleId) -> &str {
        self.plan.rule(rule).map_or("?", Rule::text)
    }

    /// The rules that took part, or that none did.
    fn by(&self, rules: &[RuleId]) -> String {
        let texts: Vec<&str> = rules.iter().map(|rule| self.text(*rule)).collect();
        if texts.is_empty() { "no rule".to_owned() } else { texts.join(", ") }
    }

    /// One step.
    fn say(&mut self, what: &str, collector: &Collector, progress: &Progress) {
        let known = match progress {
            Progress::Incomplete { deadline } => {
                let rule =
                    collector.deciding_rule().map(|rule| format!(", would go by {rule}")).unwrap_or_default();
                let until =
                    deadline.map(|at| format!(", waits until {} ms", at.as_millis())).unwrap_or_default();
                format!("incomplete{rule}{until}")
            }
            Progress::Send { number, address, cause, .. } => {
                let to = address.as_deref().map(|address| format!(" at {address}")).unwrap_or_default();
                format!("complete ({cause:?}): {number}{to}")
            }
            Progress::Feature { id, argument, .. } => format!("feature {id} {argument}"),
            Progress::Blocked { rule } => format!("refused by {}", self.text(*rule)),
            Progress::Invalid => "no rule matches".to_owned(),
            Progress::NoDigit => "no digit in time: busy tone".to_owned(),
            other => format!("{other:?}"),
        };
        let line = format!("{:>6} ms  {what:<14} {:<20} {known}", self.now.as_millis(), collector.digits());
        self.lines.push(line);
    }

    /// The last line.
    fn verdict(&self, progress: &Progress) -> String {
        let after = (self.now - self.last_key).as_millis();
        match progress {
            Progress::Send { number, rules, .. } => {
                format!("send {number} after {after} ms by {}", self.by(rules))
            }
            Progress::Blocked { rule } => {
                let rejects = self.plan.rule(*rule).is_some_and(|rule| rule.kind() == RuleKind::Reject);
                let what = if rejects { "rejected" } else { "blocked" };
                format!("{what} by {}", self.text(*rule))
            }
            Progress::Feature { id, argument, rule } => {
                format!("feature {id} {argument} after {after} ms by {}", self.text(*rule))
            }
            Progress::Invalid => "denied".to_owned(),
            _ => "incomplete".to_owned(),
        }
    }
}

/// Draws the picture with graphviz; says whether there is one. To be without graphviz is no failure.
fn draw(dot: &str, file: &str) -> String {
    let child = Command::new("dot").args(["-Tpng", "-o", file]).stdin(Stdio::piped()).spawn();
    let drawn = child.and_then(|mut child| {
        if let Some(mut input) = child.stdin.take() {
            input.write_all(dot.as_bytes())?;
        }
        child.wait()
    });
    match drawn {
        Ok(status) if status.success() => format!("{file} is drawn"),
        Ok(status) => format!("dot: {status}: no picture"),
        Err(error) => format!("graphviz (dot) is not there ({error}): no picture"),
    }
}
