//! Other people's programs beside a test: started with their output in files, awaited with a bound, ended for certain.

#![allow(dead_code, reason = "each test crate uses its part")]

use core::sync::atomic::{AtomicU32, Ordering};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use sidetone_hal::time::Duration;
use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};

pub(crate) type Outcome = Result<(), Failed>;

const BOUND: Duration = Duration::from_secs(60);

/// A program that a trial needs: its name, and the Debian package that has it.
pub(crate) type Needs = (&'static str, &'static str);

pub(crate) const OPENSSL: Needs = ("openssl", "openssl");
pub(crate) const KAMAILIO: Needs = ("kamailio", "kamailio, kamailio-tls-modules, kamailio-websocket-modules");
pub(crate) const SIPP: Needs = ("sipp", "sip-tester");
pub(crate) const STUNNEL: Needs = ("stunnel4", "stunnel4");
pub(crate) const CHROMIUM: Needs = ("chromium", "chromium");

/// A trial; ignored, saying why, without its programs. `SIDETONE_REQUIRE_PEERS=1` makes that a failure.
pub(crate) fn trial<F: Future<Output = Outcome>>(
    name: &'static str,
    needs: &'static [Needs],
    run: impl FnOnce(Arc<Stage>) -> F + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || {
        let missing: Vec<_> = needs.iter().filter(|(program, _)| find(program).is_none()).collect();
        if !missing.is_empty() {
            let why = format!("not installed: {missing:?} (program, Debian package)");
            return match std::env::var_os("SIDETONE_REQUIRE_PEERS") {
                Some(value) if value == "1" => Err(why.into()),
                _ => Ok(Completion::ignored_with(why)),
            };
        }
        let stage = Arc::new(Stage::new(name));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let running = Arc::clone(&stage);
        let trial = core::panic::AssertUnwindSafe(|| {
            runtime.block_on(async { tokio::time::timeout(5 * BOUND, run(running)).await })
        });
        // A panic must not skip the logs: without them an interop failure says nothing.
        let outcome = match std::panic::catch_unwind(trial) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err("the trial took too long".into()),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                Err(text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").into())
            }
        };
        outcome.map(|()| Completion::Completed).map_err(|failed| stage.explain(&failed))
    })
}

pub(crate) fn run(trials: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Debian has servers where a user's PATH may not look.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// A folder of its own, with the logs of the programs.
pub(crate) struct Stage {
    folder: PathBuf,
    logs: Mutex<Vec<PathBuf>>,
}

impl Stage {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, logs: Mutex::default() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file, and gives its path as text.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Starts a program; its output goes to a file named after it.
    pub(crate) fn start(&self, name: &str, program: &str, arguments: &[&str]) -> Program {
        let log = self.path(&format!("{name}.log"));
        let file = File::create(&log).unwrap();
        self.logs.lock().unwrap().push(log.clone());
        let child = Command::new(find(program).unwrap())
            .args(arguments)
            .current_dir(&self.folder)
            .env("TERM", "dumb")
            .stdin(Stdio::piped())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Program { name: name.to_owned(), child, log }
    }

    /// Runs a program to its end, which must be a good one, and gives what it said.
    pub(crate) fn finish(&self, program: &str, arguments: &[&str]) -> Result<String, Failed> {
        let output =
            Command::new(find(program).unwrap()).args(arguments).current_dir(&self.folder).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        Err(format!("{program} {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr)).into())
    }

    fn explain(&self, failed: &Failed) -> Failed {
        let mut text = failed.message().unwrap_or("failed").to_owned();
        for log in self.logs.lock().unwrap().iter() {
            let said = String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
            let lines: Vec<_> = said.lines().rev().take(60).collect();
            let tail: Vec<_> = lines.into_iter().rev().collect();
            text.push_str(&format!("\n--- {}, last lines ---\n{}", log.display(), tail.join("\n")));
        }
        Failed::from(text)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::env::var_os("SIDETONE_KEEP_FILES").is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

pub(crate) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Everything that it has printed.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits for something that the program does without telling us: looks every 20 ms.
    pub(crate) async fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) -> Outcome {
        let waiting = async {
            while !is_so(self) {
                if let Ok(Some(status)) = self.child.try_wait()
                    && !is_so(self)
                {
                    return Err(format!("{} ended ({status}) before {what}", self.name).into());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        match tokio::time::timeout(BOUND, waiting).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("{what} did not come").into()),
        }
    }

    /// Waits until it takes TCP connections.
    pub(crate) async fn listens(&mut self, port: u16) -> Outcome {
        self.until(&format!("listening at {port}"), |_| TcpStream::connect(("127.0.0.1", port)).is_ok()).await
    }

    pub(crate) async fn says(&mut self, text: &str) -> Outcome {
        self.until(&format!("{text:?}"), |program| program.said().contains(text)).await
    }

    pub(crate) fn write(&mut self, text: impl AsRef<[u8]>) {
        use std::io::Write;
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_ref()).unwrap();
        stdin.flush().unwrap();
    }

    /// Waits until it has ended by itself, well.
    pub(crate) async fn succeeds(&mut self) -> Outcome {
        let mut status = None;
        self.until("its end", |program| {
            status = program.child.try_wait().unwrap();
            status.is_some()
        })
        .await?;
        match status {
            Some(status) if status.success() => Ok(()),
            other => Err(format!("{}: {other:?}", self.name).into()),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // A server with children of its own takes them along on SIGTERM, not on SIGKILL.
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        for _ in 0..250 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of 127.0.0.1 that is free for UDP and TCP, below those that the system gives to others.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1000 {
        // Another process begins elsewhere.
        let offset = (std::process::id() * 37 + GIVEN.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let port = 20_000 + offset as u16;
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}
