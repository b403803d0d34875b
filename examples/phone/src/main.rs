//! The program: see the README, or `sidetone-phone --help`.

use clap::Parser as _;
use core::error::Error;
use sidetone_phone::cli::Cli;
use sidetone_phone::config::Config;
use sidetone_phone::demo::Demo;
use sidetone_phone::desk::Desk;
use sidetone_phone::headless::{self, Outcome};
use sidetone_phone::panel::PanelServer;
use sidetone_phone::trace::Trace;
use std::io::Write as _;
use std::process::ExitCode;
use tokio::sync::watch;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let cli = match Cli::try_parse().and_then(Cli::check) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let trace = cli.trace.then(Trace::new);
    let outcome = run(&cli, trace.as_ref()).await.unwrap_or_else(|error| {
        eprintln!("sidetone-phone: {error}");
        Outcome::Usage
    });
    if let Some(trace) = trace {
        eprintln!("{trace}");
    }
    ExitCode::from(outcome as u8)
}

async fn run(cli: &Cli, trace: Option<&Trace>) -> Result<Outcome, Box<dyn Error>> {
    let config = Config::load(cli)?;
    let mut stop = signals();
    if let Some(action) = &cli.action {
        return Ok(headless::run(&config, action, trace, stop, print).await?);
    }
    if cli.demo {
        let demo = Demo::start(&config, trace).await?;
        print(format!("panel: http://{}/", demo.address()));
        stop.wait_for(|stop| *stop).await?;
        demo.shutdown().await;
    } else {
        let mut config = config;
        while !desk(&config, trace, &mut stop).await? {
            // The server says that the settings are others now; wrong ones do not take the phone away.
            match Config::load(cli) {
                Ok(new) => config = new,
                Err(error) => eprintln!("sidetone-phone: the settings stay as they are: {error}"),
            }
        }
    }
    Ok(Outcome::Done)
}

/// Runs a desk phone until it is stopped; or until the server wants its settings read again, which gives `false`.
async fn desk(
    config: &Config,
    trace: Option<&Trace>,
    stop: &mut watch::Receiver<bool>,
) -> Result<bool, Box<dyn Error>> {
    let agent = config.user_agent("phone", trace).await?;
    let (mut desk, panel) = Desk::start(config, agent, config.model.title).await?;
    let panel = PanelServer::start(config.panel, vec![panel], Vec::new()).await?;
    print(format!("panel: http://{}/", panel.address()));
    let stopped = tokio::select! {
        stopped = stop.wait_for(|stop| *stop) => stopped.map(|_| true)?,
        _ = desk.reload() => false,
    };
    drop(panel);
    desk.shutdown().await;
    Ok(stopped)
}

/// Prints one line; whoever reads may have gone.
fn print(line: String) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Becomes true with the first SIGINT or SIGTERM. The second one ends the program at once.
fn signals() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signal().await;
        sender.send_replace(true);
        signal().await;
        std::process::exit(130);
    });
    receiver
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
