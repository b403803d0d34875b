//! What the phone is set up with, from the settings file and the command line.

mod account;
mod network;

pub use network::Network;

use crate::cli::{Cli, TransportArg};
use crate::models::{ES620, Model, UnknownModel};
use account::{account_of, locate_of, proxy_of, set_transport};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use sidetone_codecs::{ALL, CodecChoice, CodecSpec, g729, pcma, pcmu};
use sidetone_dialplan::CollectorConfig;
use sidetone_provisioning::{PhoneSettings, Settings, Transport, file};
use sidetone_sip_ua::{AccountConfig, Error as UaError, UserAgent};

use crate::trace::Trace;

/// The port of the panel when none is named.
const PANEL_PORT: u16 = 8080;
/// The rate of the phone's sound, in samples a second.
const SAMPLE_RATE: u32 = 8000;
/// The codecs when nobody names any, as in the settings' schema.
const DEFAULT_CODECS: [&CodecSpec; 3] = [&pcmu::SPEC, &pcma::SPEC, &g729::SPEC];

/// A phone's set-up, ready to use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Which telephone.
    pub model: &'static Model,
    /// The accounts.
    pub accounts: Vec<AccountConfig>,
    /// What SIP goes through.
    pub network: Network,
    /// Where the panel is served.
    pub panel: SocketAddr,
    /// The codecs of calls, what is liked best first.
    pub codecs: Vec<CodecChoice>,
    /// How digits become a number.
    pub dialling: CollectorConfig,
    /// What `User-Agent` says.
    pub user_agent: String,
}

/// Settings that make no phone.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error(transparent)]
    File(#[from] file::FileError),
    /// The settings file has wrong lines.
    #[error("{0}")]
    Problems(String),
    /// No such model.
    #[error(transparent)]
    Model(#[from] UnknownModel),
    /// Not an account. The text is not repeated, as it may hold a password.
    #[error("{place}: {reason}; expected sip:user:password@host")]
    Account {
        /// Which account.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Not a proxy.
    #[error("the proxy: {0}; expected sip:host or sip:host:port")]
    Proxy(String),
    /// Ports or certificates that cannot be used.
    #[error("{0}")]
    Network(String),
    /// Not a codec, or none at all.
    #[error("the codecs: {reason}; expected names among {expected}")]
    Codecs {
        /// What is wrong.
        reason: String,
        /// The phone's codecs.
        expected: String,
    },
    /// More accounts than the telephone has.
    #[error("{model} takes {most} account(s), {given} were given")]
    TooMany {
        /// The telephone.
        model: &'static str,
        /// What it takes.
        most: usize,
        /// What was given.
        given: usize,
    },
    /// The panel gives everybody who reaches it the microphone, so it stays on this machine.
    #[error("the panel cannot be served at {0}: expected a loopback address such as 127.0.0.1:8080")]
    PanelNotLocal(SocketAddr),
}

impl Config {
    /// A phone without accounts, as it comes out of the box.
    #[must_use]
    pub fn new(model: &'static Model) -> Self {
        Self {
            model,
            accounts: Vec::new(),
            network: Network::default(),
            panel: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PANEL_PORT),
            codecs: DEFAULT_CODECS.map(CodecChoice::from).to_vec(),
            dialling: CollectorConfig::default(),
            user_agent: concat!("sidetone-phone/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Reads the settings file, if one is named, and lets the command line go first.
    ///
    /// # Errors
    /// Says what is wrong, where, and what was expected; never repeats what may be a password.
    pub fn load(cli: &Cli) -> Result<Self, ConfigError> {
        let mut config = Self::new(&ES620);
        if let Some(path) = &cli.config {
            let loaded = file::read(path)?;
            if !loaded.problems.is_empty() {
                let problems: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
                return Err(ConfigError::Problems(problems.join("\n")));
            }
            config.apply_file(&loaded.settings)?;
        }
        config.apply_cli(cli)?;
        let most = config.model.accounts;
        // Without a screen there is no telephone whose keys could run out.
        if config.accounts.len() > most && !cli.headless {
            let given = config.accounts.len();
            return Err(ConfigError::TooMany { model: config.model.title, most, given });
        }
        if !config.panel.ip().is_loopback() {
            return Err(ConfigError::PanelNotLocal(config.panel));
        }
        Ok(config)
    }

    /// What each account is called on the screen.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.accounts.iter().map(label).collect()
    }

    /// Opens the user agent's sockets; `name` is what its ladder calls it.
    ///
    /// # Errors
    /// An address cannot be bound.
    pub async fn user_agent(&self, name: &str, trace: Option<&Trace>) -> Result<UserAgent, UaError> {
        let builder = self.network.builder().user_agent(&self.user_agent).codecs(self.codecs.iter().copied());
        let builder = match trace {
            Some(trace) => builder.trace(trace.tap(name)),
            None => builder,
        };
        builder.build().await
    }

    fn apply_file(&mut self, settings: &Settings) -> Result<(), ConfigError> {
        let phone: PhoneSettings = settings.phone();
        self.model = phone.model.parse()?;
        self.network.apply_file(&phone).map_err(ConfigError::Network)?;
        self.panel = phone.panel;
        if !phone.user_agent.is_empty() {
            self.user_agent = phone.user_agent;
        }
        self.codecs = codecs_of(&phone.codecs)?;
        self.dialling.map = phone.digit_map;
        self.dialling.inter_digit = phone.inter_digit;
        self.dialling.send_key = phone.send_key;
        for (number, settings) in settings.accounts() {
            let place = format!("account.{number}");
            self.accounts.push(
                account_of(&settings, self.model).map_err(|reason| ConfigError::Account { place, reason })?,
            );
        }
        Ok(())
    }

    fn apply_cli(&mut self, cli: &Cli) -> Result<(), ConfigError> {
        self.model = cli.model.unwrap_or(self.model);
        self.panel = cli.panel.unwrap_or(self.panel);
        self.network.apply_cli(cli).map_err(ConfigError::Network)?;
        if let Some(names) = &cli.codecs {
            self.codecs = codecs_of(names)?;
        }
        if !cli.account.is_empty() {
            self.accounts.clear();
        }
        for (number, text) in (1..).zip(&cli.account) {
            let mut account = AccountConfig::parse(text.expose()).map_err(|error| ConfigError::Account {
                place: format!("--account number {number}"),
                reason: error.to_string(),
            })?;
            account.locate = locate_of(self.model);
            self.accounts.push(account);
        }
        let proxy = cli.proxy.as_ref().map(|text| proxy_of(text.expose())).transpose();
        let proxy = proxy.map_err(ConfigError::Proxy)?;
        for account in &mut self.accounts {
            if let Some(proxy) = &proxy {
                account.proxy = Some(proxy.clone());
            }
            if let Some(transport) = cli.transport {
                set_transport(
                    account,
                    match transport {
                        TransportArg::Udp => Transport::Udp,
                        TransportArg::Tcp => Transport::Tcp,
                        TransportArg::Tls => Transport::Tls,
                        TransportArg::Dns => Transport::Dns,
                    },
                );
            }
            account.register &= !cli.no_register;
        }
        Ok(())
    }
}

/// The codecs that these names, between blanks or commas, stand for.
fn codecs_of(text: &str) -> Result<Vec<CodecChoice>, ConfigError> {
    let wrong = |reason: String| {
        let names: Vec<_> = usable_codecs().map(|codec| codec.name).collect();
        ConfigError::Codecs { reason, expected: names.join(", ") }
    };
    let mut codecs: Vec<CodecChoice> = Vec::new();
    for name in text.split([' ', ',']).filter(|name| !name.is_empty()) {
        let choice =
            CodecChoice::parse(name, SAMPLE_RATE).map_err(|error| wrong(format!("{name:?}: {error}")))?;
        if codecs.iter().all(|known| known.codec != choice.codec) {
            codecs.push(choice);
        }
    }
    if codecs.is_empty() { Err(wrong("there are none".to_owned())) } else { Ok(codecs) }
}

/// The codecs that run at the rate of the phone's sound.
fn usable_codecs() -> impl Iterator<Item = &'static CodecSpec> {
    ALL.iter().copied().filter(|codec| codec.sample_rate == SAMPLE_RATE)
}

fn label(account: &AccountConfig) -> String {
    let user = || account.aor.user().map(|user| user.into_owned());
    account.display_name.clone().or_else(user).unwrap_or_else(|| account.aor.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use sidetone_hal::net::Protocol;
    use sidetone_sip_ua::{Detection, KeepAliveKind, StunServer};

    fn load(line: &str) -> Result<Config, ConfigError> {
        Config::load(&Cli::parse_from(core::iter::once("sidetone-phone").chain(line.split(' '))))
    }

    #[test]
    fn options_make_accounts() {
        let config = load(
            "--account sip:alice:secret@example.org --account sip:bob@example.org:5070 --transport tcp \
             --proxy sip:10.0.0.1:5062 --local-port 5080 --no-register",
        )
        .expect("valid");
        assert_eq!(config.labels(), ["alice", "bob"]);
        assert_eq!(config.network.local.port(), 5080);
        for account in &config.accounts {
            assert_eq!(account.transport, Protocol::Tcp);
            assert_eq!(account.proxy.as_ref().map(ToString::to_string), Some("sip:10.0.0.1:5062".to_owned()));
            assert!(!account.register);
        }
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn the_file_gives_way_to_the_options() {
        let path = std::env::temp_dir().join(format!("sidetone-phone-{}.conf", std::process::id()));
        std::fs::write(
            &path,
            "phone.model = c60s\nsip.port = 5090\naccount.1.aor = sip:carol@example.org\n\
             account.1.password = secret\naccount.1.display_name = Carol\n",
        )
        .expect("written");
        let file = path.display();
        let config = load(&format!("--config {file}")).expect("valid");
        assert_eq!((config.model.name, config.network.local.port()), ("c60s", 5090));
        assert_eq!(config.labels(), ["Carol"]);
        let config =
            load(&format!("--config {file} --model ut670 --account sip:dave@example.org")).expect("valid");
        assert_eq!((config.model.name, config.labels()), ("ut670", vec!["dave".to_owned()]));
        std::fs::write(&path, "phone.model = none\n").expect("written");
        let error = load(&format!("--config {file}")).expect_err("no such model").to_string();
        assert!(error.contains(":1: phone.model"), "{error}");
        std::fs::remove_file(path).expect("removed");
    }

    /// A phone with the settings of one test, and an account.
    fn settings(name: &str, lines: &str) -> Result<Config, ConfigError> {
        let path = std::env::temp_dir().join(format!("sidetone-phone-{name}-{}.conf", std::process::id()));
        std::fs::write(&path, format!("account.1.aor = sip:a@example.org\n{lines}")).expect("written");
        let config = load(&format!("--config {}", path.display()));
        std::fs::remove_file(path).expect("removed");
        config
    }

    #[test]
    fn the_file_sets_the_network() {
        let config = settings(
            "network",
            "sip.port = 25000\nsip.port_last = 28299\nsip.dscp = 26\nsip.timer_t1 = 250\nsip.timer_b = 8000\n\
             sip.timer_j = 0\nsip.tcp_above = 0\ndns.servers = 192.0.2.53 [2001:db8::53]:5353\n\
             tls.trusted_only = no\ntls.authority_set = custom\ntls.minimum_version = 1.3\n",
        );
        let network = config.expect("valid").network;
        assert_eq!((network.ports, network.dscp, network.max_datagram), (Some(25_000..=28_299), 26, None));
        let timers = network.timers;
        assert_eq!(timers.t1.as_millis(), 250);
        assert_eq!(
            (timers.b.map(|t| t.as_secs()), timers.j.map(|t| t.as_secs()), timers.h),
            (Some(8), Some(0), None)
        );
        assert_eq!(
            network.dns.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["192.0.2.53:53", "[2001:db8::53]:5353"]
        );
        assert!(!network.tls.accept_only_trusted && network.tls.check_name);
        let wrong = |name: &str, lines: &str| settings(name, lines).expect_err(lines).to_string();
        assert!(
            wrong("range", "sip.port = 6000\nsip.port_last = 5000\n")
                .starts_with("sip.port_last: the ports from 6000 to 5000")
        );
        assert!(wrong("ca", "tls.authorities = /no/such.pem\n").starts_with("tls.authorities: /no/such.pem"));
        assert!(wrong("key", "tls.certificate = /no/such.pem\n").contains("expected both or neither"));
        assert!(wrong("listen", "tls.port = 5061\n").contains("takes a certificate"));
    }

    #[test]
    fn the_file_sets_how_an_account_is_reached() {
        let config = settings(
            "reach",
            "phone.model = ut670\naccount.1.transport = dns\naccount.1.rport = no\naccount.1.failover = 2\n\
             account.1.dns_srv = no\naccount.1.new_port_on_failure = yes\naccount.1.keep_alive = options\n\
             account.1.keep_alive_interval = 40\naccount.1.keep_alive_failures = 404 503\naccount.1.nat = stun\n\
             account.1.stun_servers = stun.example.org 192.0.2.9:3479\naccount.1.nat_interval = 60\n",
        );
        let mut accounts = config.expect("valid").accounts;
        let account = accounts.pop().expect("one");
        assert!(account.transport_by_dns && !account.rport && account.new_port_on_failure);
        // Panasonic asks for no NAPTR records.
        let locate = &account.locate;
        assert_eq!((locate.naptr, locate.srv, locate.max_targets), (false, false, 2));
        let keep_alive = &account.keep_alive;
        let codes: Vec<_> = keep_alive.failure_codes.iter().map(|status| status.code()).collect();
        assert_eq!((keep_alive.kind, codes), (KeepAliveKind::Options, vec![404, 503]));
        assert_eq!(keep_alive.interval, Some(core::time::Duration::from_secs(40)));
        let servers = [StunServer::new("stun.example.org"), StunServer::new("192.0.2.9").at_port(3479)];
        let interval = core::time::Duration::from_secs(60);
        assert_eq!(account.public_address.detection, Detection::Stun { servers: servers.into(), interval });
        let wrong = |name: &str, lines: &str| settings(name, lines).expect_err(lines).to_string();
        assert!(wrong("static", "account.1.nat = static\n").contains("nat_address says nothing"));
        assert!(wrong("stun", "account.1.nat = stun\n").contains("stun_servers says nothing"));
    }

    #[test]
    fn errors_do_not_repeat_passwords() {
        for line in [
            "--account sip:alice:secret@",
            "--account mailto:alice:secret@example.org",
            "--account secret",
            "--account sip:a@b --proxy secret:5060",
        ] {
            let error = load(line).expect_err(line);
            assert!(!format!("{error} {error:?}").contains("secret"), "{line}: {error}");
            assert!(error.to_string().contains("expected sip:"), "{line}: {error}");
        }
    }

    #[test]
    fn codecs_are_taken_by_name_in_the_order_given() {
        let names = |config: Config| config.codecs.iter().map(ToString::to_string).collect::<Vec<_>>();
        let default = Settings::new().phone().codecs;
        assert_eq!(names(load("--no-register").expect("valid")), default.split(' ').collect::<Vec<_>>());
        let config = load("--codecs g729;annexb=no,AMR,g726-32,G729").expect("valid");
        assert_eq!(names(config), ["G729;annexb=no", "AMR", "G726-32"]);
        let error = load("--codecs PCMU,G722").expect_err("not at 8 kHz").to_string();
        assert!(
            error.starts_with(
                "the codecs: \"G722\": no such codec at this sample rate; expected names among PCMU"
            ),
            "{error}"
        );
        assert!(load("--codecs ,").is_err());
    }

    #[test]
    fn limits_are_told() {
        let error = load("--model cp860 --account sip:a@b --account sip:c@d").expect_err("too many");
        assert_eq!(error.to_string(), "CP860 takes 1 account(s), 2 were given");
        let error = load("--panel 0.0.0.0:8080").expect_err("not local");
        assert!(error.to_string().contains("expected a loopback address"), "{error}");
    }
}
