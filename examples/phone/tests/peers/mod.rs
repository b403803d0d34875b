//! What the interop tests share: other people's programs as processes, and how to listen to what they say.
//!
//! Nothing here sleeps. A test waits for a line, a datagram, a WebSocket frame or an exit, each with a bound.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "peers can do more than is asked of them today; a panic is a test's way of failing, and it owns the clock"
)]

pub(crate) mod agent;
pub(crate) mod baresip;
pub(crate) mod browser;
pub(crate) mod ffmpeg;
pub(crate) mod kamailio;
pub(crate) mod linphone;
pub(crate) mod pbx;
pub(crate) mod phone;
pub(crate) mod pki;
pub(crate) mod process;
pub(crate) mod sipp;
pub(crate) mod sound;

use core::cell::RefCell;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use process::Log;
use std::net::UdpSocket;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex};

pub(crate) type Outcome = Result<(), Failed>;

/// More than any step takes on a slow machine that is busy with other things; a failure, not a pause.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A program that a trial needs, with the Debian package that has it.
pub(crate) struct Needs {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

pub(crate) const KAMAILIO: Needs = Needs { program: "kamailio", package: "kamailio" };
/// With its module for TLS.
pub(crate) const KAMAILIO_TLS: Needs =
    Needs { program: "kamailio", package: "kamailio, kamailio-tls-modules" };
/// Its modules for presence.
pub(crate) const KAMAILIO_PRESENCE: Needs =
    Needs { program: "presence_dialoginfo.so", package: "kamailio-presence-modules" };
pub(crate) const LINPHONE: Needs = Needs { program: "linphonec", package: "linphone-cli" };
pub(crate) const BARESIP: Needs = Needs { program: "baresip", package: "baresip-core" };
pub(crate) const SIPP: Needs = Needs { program: "sipp", package: "sip-tester" };
pub(crate) const PYTHON: Needs = Needs { program: "python3", package: "python3" };
pub(crate) const FFMPEG: Needs = Needs { program: "ffmpeg", package: "ffmpeg" };
pub(crate) const CC: Needs = Needs { program: "cc", package: "gcc" };
pub(crate) const CHROMIUM: Needs = Needs { program: "chromium", package: "chromium" };

/// How a trial ends that lacks something: ignored, saying why. `SIDETONE_REQUIRE_PEERS=1` makes that a failure, so that
/// a CI run cannot pass by not trying.
pub(crate) fn cannot_run(why: String) -> Result<Completion, Failed> {
    match std::env::var_os("SIDETONE_REQUIRE_PEERS") {
        Some(value) if value == "1" => Err(why.into()),
        _ => Ok(Completion::ignored_with(why)),
    }
}

/// A trial that is ignored, saying why, on a machine without the program.
pub(crate) fn trial(name: &'static str, needs: &'static [Needs], run: fn(&Stage) -> Outcome) -> Trial {
    let browses = needs.iter().any(|needs| needs.program == CHROMIUM.program);
    trial_with_share(if browses { BROWSER } else { CALL }, name, needs, run)
}

/// The same with a share of the machine.
pub(crate) fn trial_with_share(
    share: u32,
    name: &'static str,
    needs: &'static [Needs],
    run: fn(&Stage) -> Outcome,
) -> Trial {
    Trial::ignorable_test(name, move || {
        let missing: Vec<_> = needs.iter().filter(|needs| find_program(needs.program).is_none()).collect();
        if !missing.is_empty() {
            let wanted: Vec<_> =
                missing.iter().map(|n| format!("{} (Debian package {})", n.program, n.package)).collect();
            return cannot_run(format!("not installed: {}", wanted.join(", ")));
        }
        let _share = Share::take(share);
        let stage = Stage::new(name);
        // A panic must not skip the logs of the peers: without them an interop failure says nothing.
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&stage))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(text.unwrap_or("panicked").into())
        });
        outcome.map(|()| Completion::Completed).map_err(|failed| stage.explain(&failed))
    })
}

/// The machine, which may have two cores, in shares of those that run at a time.
const MACHINE: u32 = 24;
/// Audio measured in real time, three at a time; a call takes a few hundredths of a core.
const CALL: u32 = MACHINE / 3;
/// A browser takes a core until its page is up.
const BROWSER: u32 = MACHINE / 2;
/// Mostly waiting, eight at a time: nothing is measured against the clock of the machine.
pub(crate) const WAITING: u32 = MACHINE / 8;

static FREE: Mutex<u32> = Mutex::new(MACHINE);
static GIVEN_BACK: Condvar = Condvar::new();

/// A share of the machine while a trial runs.
struct Share(u32);

impl Share {
    fn take(share: u32) -> Self {
        let mut free = GIVEN_BACK.wait_while(FREE.lock().unwrap(), |free| *free < share).unwrap();
        *free -= share;
        Self(share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *FREE.lock().unwrap() += self.0;
        GIVEN_BACK.notify_all();
    }
}

/// Runs the trials, as many at a time as have a share of the machine.
pub(crate) fn run(trials: Vec<Trial>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert((MACHINE / WAITING) as usize);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A folder of its own and the logs of the programs that one trial started.
pub(crate) struct Stage {
    folder: PathBuf,
    logs: Mutex<Vec<Arc<Log>>>,
    failed: AtomicBool,
}

impl Stage {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the trial");
        Self { folder, logs: Mutex::default(), failed: AtomicBool::new(false) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes a folder for one peer.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.path(name);
        std::fs::create_dir_all(&folder).expect("a folder for a peer");
        folder
    }

    pub(crate) fn watch(&self, log: Arc<Log>) {
        self.logs.lock().unwrap().push(log);
    }

    /// The failure with the last lines of every program. The files stay, and beside them the whole logs.
    fn explain(&self, failed: &Failed) -> Failed {
        let mut text = failed.message().unwrap_or("failed").to_owned();
        for log in self.logs.lock().unwrap().iter() {
            text.push_str(&format!("\n--- {}, last lines ---\n{}", log.name(), log.tail(80)));
            let _ = std::fs::write(self.path(&format!("{}.log", log.name())), log.tail(usize::MAX));
        }
        text.push_str(&format!("\n--- files are in {} ---", self.folder.display()));
        self.failed.store(true, Ordering::Relaxed);
        Failed::from(text)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        TAKEN.with_borrow_mut(Vec::clear);
        if !self.failed.load(Ordering::Relaxed) && std::env::var_os("SIDETONE_KEEP_FILES").is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian has servers where a user's PATH may not look.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    // Kamailio's modules lie in the folder of the architecture.
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let modules = libraries.map(|folder| folder.path().join("kamailio/modules"));
    folders.chain(modules).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

thread_local! {
    /// The last port of each block that this trial was given, kept until its end: whoever was told of a port takes it later.
    static TAKEN: RefCell<Vec<UdpSocket>> = const { RefCell::new(Vec::new()) };
}

/// A port of 127.0.0.1, even as RTP's are, that is free for UDP and TCP, and so is the next; until the end of the trial
/// nobody else, here or in another process of these tests, gets one of the 31 from there on. They lie below those that
/// Linux gives to sockets without a wish, such as the peers' own.
pub(crate) fn free_port() -> u16 {
    const BLOCKS: u32 = 480;
    const BLOCK: u16 = 32;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..BLOCKS {
        // Another process begins elsewhere.
        let block = (std::process::id() * 7 + GIVEN.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
        let port = 16_000 + BLOCK * block as u16;
        let is_free = |port| UdpSocket::bind(("127.0.0.1", port)).is_ok();
        let Ok(guard) = UdpSocket::bind(("127.0.0.1", port + BLOCK - 1)) else { continue };
        if is_free(port) && is_free(port + 1) && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            TAKEN.with_borrow_mut(|taken| taken.push(guard));
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}
