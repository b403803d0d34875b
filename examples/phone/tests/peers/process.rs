//! A child process: its output line by line, its exit awaited with a bound, its end certain.

use core::time::Duration;
use libtest_mimic::Failed;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// What a process printed, on both streams, in the order of arrival.
pub(crate) struct Log {
    name: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    open_streams: usize,
}

#[derive(Clone)]
struct Line {
    from_stdout: bool,
    text: String,
}

/// Keeps the memory of a chatty peer bounded.
const MAX_LINES: usize = 200_000;

impl Log {
    /// Of something that is no process.
    pub(crate) fn new(name: &str) -> Arc<Self> {
        let state = Mutex::new(State { lines: Vec::new(), open_streams: 1 });
        Arc::new(Self { name: name.to_owned(), state, changed: Condvar::new() })
    }

    pub(crate) fn push(&self, text: String) {
        let mut state = self.state.lock().unwrap();
        if state.lines.len() < MAX_LINES {
            state.lines.push(Line { from_stdout: true, text });
        }
        self.changed.notify_all();
    }

    /// How many lines have this in them.
    pub(crate) fn count(&self, needle: &str) -> usize {
        self.state.lock().unwrap().lines.iter().filter(|line| line.text.contains(needle)).count()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn tail(&self, count: usize) -> String {
        let state = self.state.lock().unwrap();
        let start = state.lines.len().saturating_sub(count);
        state.lines[start..].iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The first line, counted from `from`, for which `accept` says something.
    fn wait_for<T>(
        &self,
        from: usize,
        bound: Duration,
        mut accept: impl FnMut(&str) -> Option<T>,
    ) -> Result<(usize, T), Failed> {
        let deadline = Instant::now() + bound;
        let mut next = from;
        let mut state = self.state.lock().unwrap();
        loop {
            while next < state.lines.len() {
                if let Some(found) = accept(&state.lines[next].text) {
                    return Ok((next + 1, found));
                }
                next += 1;
            }
            if state.open_streams == 0 {
                return Err(format!("{} ended without the awaited line", self.name).into());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("{} did not print the awaited line in {bound:?}", self.name).into());
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    log: Arc<Log>,
    /// Lines before this one were already given to [`Self::wait_for_line`].
    seen: usize,
}

impl Process {
    pub(crate) fn spawn(stage: &super::Stage, name: &str, command: &mut Command) -> Result<Self, Failed> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{name}: {command:?}: {error}"))?;
        let log = Arc::new(Log {
            name: name.to_owned(),
            state: Mutex::new(State { lines: Vec::new(), open_streams: 2 }),
            changed: Condvar::new(),
        });
        stage.watch(Arc::clone(&log));
        read_lines(Arc::clone(&log), child.stdout.take().expect("a piped stdout"), true);
        read_lines(Arc::clone(&log), child.stderr.take().expect("a piped stderr"), false);
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, log, seen: 0 })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with `needle` that was not looked at before.
    pub(crate) fn wait_for_line(&mut self, needle: &str, bound: Duration) -> Result<String, Failed> {
        let accept = |line: &str| line.contains(needle).then(|| line.to_owned());
        let (seen, line) = self
            .log
            .wait_for(self.seen, bound, accept)
            .map_err(|error| format!("{}: {needle:?}", error.message().unwrap_or_default()))?;
        self.seen = seen;
        Ok(line)
    }

    /// Waits for what the process does without saying so: looks again whenever it prints, and every 20 ms.
    pub(crate) fn wait_until(
        &self,
        what: &str,
        bound: Duration,
        mut condition: impl FnMut() -> bool,
    ) -> Result<(), Failed> {
        let deadline = Instant::now() + bound;
        let mut state = self.log.state.lock().unwrap();
        while !condition() {
            if state.open_streams == 0 || Instant::now() > deadline {
                return Err(format!("{}: {what} did not come in {bound:?}", self.log.name).into());
            }
            state = self.log.changed.wait_timeout(state, Duration::from_millis(20)).unwrap().0;
        }
        Ok(())
    }

    /// Waits until somebody, who can only be this process, has the UDP port.
    pub(crate) fn wait_for_udp_port(&self, port: u16, bound: Duration) -> Result<(), Failed> {
        let ending = format!(":{port:04X}");
        self.wait_until(&format!("UDP port {port}"), bound, || {
            let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
            // "  sl  local_address rem_address …"
            table
                .lines()
                .any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&ending)))
        })
    }

    /// Everything printed on stdout up to now.
    pub(crate) fn stdout(&self) -> String {
        let state = self.log.state.lock().unwrap();
        let lines: Vec<_> =
            state.lines.iter().filter(|line| line.from_stdout).map(|line| line.text.as_str()).collect();
        lines.join("\n")
    }

    pub(crate) fn write_line(&mut self, line: &str) -> Result<(), Failed> {
        let stdin = self.stdin.as_mut().ok_or("stdin is closed")?;
        writeln!(stdin, "{line}").map_err(|error| format!("{}: stdin: {error}", self.log.name).into())
    }

    /// Waits until the process ended by itself.
    pub(crate) fn wait(&mut self, bound: Duration) -> Result<ExitStatus, Failed> {
        self.wait_until_closed(bound)?;
        self.child.wait().map_err(|error| format!("{}: {error}", self.log.name).into())
    }

    /// Sends SIGTERM (or another signal's name) to this process only.
    pub(crate) fn signal(&self, signal: &str) {
        // The shell's built-in `kill`: no unsafe code, and no package that a bare machine may lack.
        let _ = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.id())]).status();
    }

    /// Both output streams end when the process, and the children that it shares them with, have ended.
    fn wait_until_closed(&self, bound: Duration) -> Result<(), Failed> {
        let deadline = Instant::now() + bound;
        let mut state = self.log.state.lock().unwrap();
        while state.open_streams > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("{} still runs after {bound:?}", self.log.name).into());
            }
            state = self.log.changed.wait_timeout(state, left).unwrap().0;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // A server with children of its own takes them along on SIGTERM, not on SIGKILL.
        self.signal("TERM");
        if self.wait_until_closed(Duration::from_secs(5)).is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn read_lines(log: Arc<Log>, stream: impl Read + Send + 'static, from_stdout: bool) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            let mut state = log.state.lock().unwrap();
            if state.lines.len() < MAX_LINES {
                state.lines.push(Line { from_stdout, text });
            }
            log.changed.notify_all();
            bytes.clear();
        }
        log.state.lock().unwrap().open_streams -= 1;
        log.changed.notify_all();
    });
}
