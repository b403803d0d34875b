//! SIPp registers and calls through the PBX. Without `sipp` the tests are told as ignored.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use core::net::SocketAddr;
use core::time::Duration;
use libtest_mimic::{Arguments, Failed, Trial};
use sidetone_pbx::Pbx;
use sidetone_sip_core::{Algorithm, DigestConfig};
use std::path::Path;
use std::process::{ExitCode, Output, Stdio};
use tokio::process::{Child, Command};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let there =
        std::process::Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let missing = there.is_err();
    let name = |name: &str| if missing { format!("{name} (skipped: no sipp here)") } else { name.into() };
    let trials = vec![
        Trial::test(name("sipp_calls_sipp_through_the_pbx_1000_times"), || run(calls(1000)))
            .with_ignored_flag(missing),
        Trial::test(name("sipp_calls_the_echo_test"), || run(echo())).with_ignored_flag(missing),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run(test: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(300), test).await? })
}

async fn pbx() -> Result<sidetone_pbx::PbxHandle, Failed> {
    // SIPp 3.6 stumbles over the challenge for SHA-256.
    let mut digest = DigestConfig::default();
    digest.algorithms = vec![Algorithm::Md5];
    let builder = Pbx::builder().udp("127.0.0.1:0".parse()?).digest(digest);
    Ok(builder.user("alice", "secret").user("bob", "secret").start().await?)
}

async fn calls(count: u32) -> Result<(), Failed> {
    let pbx = pbx().await?;
    let bob = free_port()?;
    finish("register", sipp("register.xml", pbx.addr(), bob, &["-m", "1"])?).await?;
    let count = count.to_string();
    let callee = sipp("callee.xml", pbx.addr(), bob, &["-m", &count])?;
    taken(bob).await;
    let caller = sipp("caller.xml", pbx.addr(), free_port()?, &["-m", &count, "-r", "100", "-s", "bob"])?;
    finish("caller", caller).await?;
    finish("callee", callee).await?;
    pbx.shutdown().await;
    Ok(())
}

async fn echo() -> Result<(), Failed> {
    let pbx = pbx().await?;
    let caller = sipp("caller.xml", pbx.addr(), free_port()?, &["-m", "20", "-r", "20", "-s", "*43"])?;
    finish("caller", caller).await?;
    pbx.shutdown().await;
    Ok(())
}

fn sipp(scenario: &str, pbx: SocketAddr, port: u16, more: &[&str]) -> Result<Child, Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp").join(scenario);
    let mut command = Command::new("sipp");
    command.current_dir(env!("CARGO_TARGET_TMPDIR")).arg("-sf").arg(path).arg(pbx.to_string());
    command.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-mp", &free_port()?.to_string(), "-nostdin"]);
    let child = command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
    Ok(child?)
}

/// SIPp's exit status is 0 when every call went by the scenario.
async fn finish(who: &str, child: Child) -> Result<(), Failed> {
    let Output { status, stdout, stderr } = child.wait_with_output().await?;
    if status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let end: Vec<&str> = out.lines().rev().take(40).collect();
    let end: Vec<&str> = end.into_iter().rev().collect();
    Err(format!("{who}: {status}\n{}\n{err}", end.join("\n")).into())
}

/// Waits until SIPp has its port: by the kernel's table, as an attempt to bind it could be in its way.
async fn taken(port: u16) {
    let ending = format!(":{port:04X}");
    // "  sl  local_address rem_address …"
    let has = |table: &str| {
        table.lines().any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&ending)))
    };
    while !has(&std::fs::read_to_string("/proc/net/udp").unwrap_or_default()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A UDP port that nobody has at this moment.
fn free_port() -> Result<u16, Failed> {
    Ok(std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}
