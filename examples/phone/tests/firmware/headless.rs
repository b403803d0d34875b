//! Scripts without a person between phones on the loopback interface: transfer, conference, do not disturb, forward.

use clap::Parser as _;
use core::sync::atomic::{AtomicU16, Ordering};
use core::time::Duration;
use serde_json::Value;
use sidetone_phone::cli::{Action, Cli};
use sidetone_phone::config::Config;
use sidetone_phone::headless::{self, Outcome};
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A phone that runs a script.
struct Phone {
    port: u16,
    task: JoinHandle<Outcome>,
    lines: Arc<Mutex<Vec<String>>>,
}

/// A port below those that Linux gives to sockets without a wish, which may take one of those at any moment.
fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    const PORTS: core::ops::Range<u16> = 31_400..32_700;
    loop {
        // Another process begins elsewhere.
        let place =
            (std::process::id() as u16).wrapping_mul(64).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + place % (PORTS.end - PORTS.start);
        let free =
            UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free {
            return port;
        }
    }
}

impl Phone {
    /// `sip:NAME@127.0.0.1:PORT`, doing this.
    async fn start(name: &str, action: &str) -> Self {
        let port = free_port();
        let line = format!(
            "sidetone-phone --no-register --local-address 127.0.0.1 --local-port {port} \
             --account sip:{name}@127.0.0.1:{port} --headless {action}"
        );
        let cli = Cli::try_parse_from(line.split_ascii_whitespace()).and_then(Cli::check);
        let cli = cli.unwrap_or_else(|error| panic!("{line}: {error}"));
        let config = Config::load(&cli).expect("valid");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let out = lines.clone();
        let task = tokio::spawn(async move {
            let action: Action = cli.action.expect("an action");
            let (_running, stop) = watch::channel(false);
            let out = move |line| out.lock().expect("not poisoned").push(line);
            headless::run(&config, &action, None, stop, out).await.expect("it starts")
        });
        // It listens for connections where it takes datagrams; a call may be over before.
        while !task.is_finished() && tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { port, task, lines }
    }

    fn address(&self, name: &str) -> String {
        format!("sip:{name}@127.0.0.1:{}", self.port)
    }

    /// How it went, and its reports in the order of the calls' numbers.
    async fn end(self) -> (Outcome, Vec<Value>) {
        let outcome = self.task.await.expect("no panic");
        let lines = self.lines.lock().expect("not poisoned");
        let mut reports: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        reports.sort_by_key(|report| report["call"].as_u64());
        (outcome, reports)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_transfers_blind() {
    let carol = Phone::start("carol", "answer --for 3s").await;
    let bob = Phone::start("bob", "answer").await;
    let call = format!("call {} --transfer 500ms:{} --for 60s", bob.address("bob"), carol.address("carol"));
    let (outcome, reports) = Phone::start("alice", &call).await.end().await;
    assert_eq!((outcome, reports[0]["transfers"][0]["status"].as_u64()), (Outcome::Done, Some(200)));
    let (outcome, reports) = bob.end().await;
    assert_eq!((outcome, reports.len()), (Outcome::Done, 2), "{reports:?}");
    assert_eq!((&reports[0]["referred"], &reports[1]["referred"]), (&false.into(), &true.into()));
    let (outcome, reports) = carol.end().await;
    assert_eq!((outcome, reports.len()), (Outcome::Done, 1), "{reports:?}");
    assert!(reports[0]["packets_received"].as_u64() > Some(10), "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_transfers_attended() {
    let carol = Phone::start("carol", "answer --for 8s").await;
    let bob = Phone::start("bob", "answer").await;
    let call = format!("call {} --attended 500ms:{} --for 60s", bob.address("bob"), carol.address("carol"));
    let (outcome, reports) = Phone::start("alice", &call).await.end().await;
    assert_eq!(outcome, Outcome::Done, "{reports:?}");
    assert_eq!(
        (&reports[0]["transfers"][0]["kind"], &reports[0]["transfers"][0]["status"]),
        (&"attended".into(), &200.into())
    );
    let (outcome, reports) = bob.end().await;
    assert_eq!((outcome, reports.len()), (Outcome::Done, 2), "{reports:?}");
    // The consultation, and the call that took its place.
    let (outcome, reports) = carol.end().await;
    assert_eq!((outcome, reports.len()), (Outcome::Done, 2), "{reports:?}");
    assert!(reports[1]["packets_received"].as_u64() > Some(10), "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_to_somebody_who_is_not_to_be_disturbed_fails_and_the_call_goes_on() {
    let carol = Phone::start("carol", "answer --dnd").await;
    let bob = Phone::start("bob", "answer").await;
    let call = format!("call {} --transfer 500ms:{} --for 10s", bob.address("bob"), carol.address("carol"));
    let (outcome, reports) = Phone::start("alice", &call).await.end().await;
    assert_eq!((outcome, reports[0]["transfers"][0]["status"].as_u64()), (Outcome::Done, Some(480)));
    assert!(reports[0]["duration_s"].as_f64() > Some(2.5), "{reports:?}");
    let (outcome, reports) = carol.end().await;
    assert_eq!((outcome, &reports[0]["refused"]), (Outcome::Done, &true.into()), "{reports:?}");
    let (_, reports) = bob.end().await;
    assert_eq!(reports.len(), 2, "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_joins_calls() {
    let carol = Phone::start("carol", "answer").await;
    let bob = Phone::start("bob", "answer").await;
    let call = format!("call {} --conference 300ms:{} --for 10s", bob.address("bob"), carol.address("carol"));
    let (outcome, reports) = Phone::start("alice", &call).await.end().await;
    assert_eq!(
        (outcome, reports[0]["conference"].as_array().map(Vec::len)),
        (Outcome::Done, Some(1)),
        "{reports:?}"
    );
    assert_eq!(reports[0]["errors"].as_array().map(Vec::len), Some(0), "{reports:?}");
    for guest in [bob, carol] {
        let (outcome, reports) = guest.end().await;
        assert_eq!(outcome, Outcome::Done, "{reports:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_forwards_calls() {
    let carol = Phone::start("carol", "answer").await;
    let bob = Phone::start("bob", &format!("answer --forward {}", carol.address("carol"))).await;
    let call = format!("call {} --for 1s", bob.address("bob"));
    let (outcome, reports) = Phone::start("alice", &call).await.end().await;
    assert_eq!((outcome, &reports[0]["established"]), (Outcome::Done, &true.into()), "{reports:?}");
    let (outcome, reports) = bob.end().await;
    assert_eq!((outcome, &reports[0]["refused"]), (Outcome::Done, &true.into()), "{reports:?}");
    let (outcome, reports) = carol.end().await;
    assert_eq!((outcome, &reports[0]["established"]), (Outcome::Done, &true.into()), "{reports:?}");
}
