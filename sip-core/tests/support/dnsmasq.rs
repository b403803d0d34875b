//! dnsmasq with records of a test's own, and what it was asked. A test that has this has `programs` beside it.

use crate::programs::{Needs, Program, Stage, free_port};
use libtest_mimic::Failed;
use sidetone_hal::net::{Ipv4Addr, SocketAddr};

pub(crate) const DNSMASQ: Needs = ("dnsmasq", "dnsmasq-base");

pub(crate) struct Dnsmasq {
    program: Program,
    pub(crate) address: SocketAddr,
}

impl Dnsmasq {
    /// Starts it with these options, as `--srv-host=…`, beside those that every test needs.
    pub(crate) async fn start(stage: &Stage, options: &[&str]) -> Result<Self, Failed> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let port = format!("--port={}", address.port());
        let mut arguments = vec![
            "--no-daemon",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--log-queries",
            "--listen-address=127.0.0.1",
            "--bind-interfaces",
            &port,
        ];
        arguments.extend(options);
        let mut program = stage.start("dnsmasq", "dnsmasq", &arguments);
        program.says("started, version").await?;
        Ok(Self { program, address })
    }

    /// What it was asked, as `SRV _sip._udp.example.test`, before a question of the test's own for this name.
    pub(crate) async fn asked_before(&mut self, sentinel: &str) -> Result<Vec<String>, Failed> {
        let mark = format!("] {sentinel} from");
        self.program.says(&mark).await?;
        let said = self.program.said();
        let before = said.lines().take_while(|line| !line.contains(&mark));
        Ok(before.filter_map(question).collect())
    }
}

/// The question of a line `dnsmasq: query[SRV] name from 127.0.0.1`.
fn question(line: &str) -> Option<String> {
    let (_, question) = line.split_once("query[").or_else(|| line.split_once("auth["))?;
    let (kind, rest) = question.split_once(']')?;
    Some(format!("{kind} {}", rest.split_whitespace().next()?))
}
