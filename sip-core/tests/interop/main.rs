//! The driver with programs that others wrote: digest, TLS, WebSocket, DNS, STUN.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test stops on what should not happen"
)]

#[cfg(all(feature = "tls", feature = "ws"))]
#[path = "../support/certificates.rs"]
mod certificates;
mod digest;
mod dns;
#[path = "../support/dnsmasq.rs"]
mod dnsmasq;
#[cfg(all(feature = "tls", feature = "ws"))]
#[path = "../support/party.rs"]
mod party;
#[path = "../support/programs.rs"]
mod programs;
#[cfg(all(feature = "tls", feature = "ws"))]
#[path = "../support/server.rs"]
mod server;
mod stun;
#[path = "../support/mod.rs"]
mod support;
#[cfg(all(feature = "tls", feature = "ws"))]
mod tls;
#[cfg(all(feature = "tls", feature = "ws"))]
mod websocket;

use libtest_mimic::Trial;
use std::process::ExitCode;

/// `cargo test -p sidetone-sip-core --test interop -- tls` runs one subject.
fn main() -> ExitCode {
    let mut all = Vec::new();
    let mut take = |subject: &str, trials: Vec<Trial>| {
        all.extend(trials.into_iter().map(|trial| trial.with_kind(subject)));
    };
    take("digest", digest::trials());
    take("dns", dns::trials());
    take("stun", stun::trials());
    #[cfg(all(feature = "tls", feature = "ws"))]
    take("tls", tls::trials());
    #[cfg(all(feature = "tls", feature = "ws"))]
    take("websocket", websocket::trials());
    programs::run(all)
}
