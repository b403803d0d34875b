//! What the phone is set up with, from the settings file and the command line.

mod account;
mod calls;
mod codes;
mod dialling;
mod features;
mod guest;
mod identity;
mod keys;
mod locating;
mod media;
mod network;
mod outbox;
mod paging;
mod plug_and_play;
mod registration;
mod server;
mod tones;

pub use calls::{Calls, Mailbox};
pub use dialling::Dialling;
pub use guest::Guest;
pub use keys::Keys;
pub use media::{CodecsError, Media, Room};
pub use network::Network;
pub use outbox::{KeptText, Outbox, OutboxFileError};
pub use paging::Pages;
pub use plug_and_play::PlugAndPlay;
pub use tones::Tones;

use crate::audio::RecorderFolder;
use crate::cli::{Cli, TransportArg};
use crate::models::{ES620, Model, UnknownModel};
use account::{account_of, proxy_of, set_transport};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use locating::locate_of;
use media::codecs_of;
use sidetone_media::srtp::SrtpPolicy;
use sidetone_provisioning::{PhoneSettings, Settings, Transport, file};
use sidetone_sip_ua::{AccountConfig, Error as UaError, UserAgent};

use crate::trace::Trace;

/// The port of the panel when none is named.
const PANEL_PORT: u16 = 8080;

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
    /// How calls sound.
    pub media: Media,
    /// What the phone itself sounds like.
    pub tones: Tones,
    /// Which pages are played.
    pub pages: Pages,
    /// How the phone asks the network where its settings are.
    pub plug_and_play: PlugAndPlay,
    /// How digits become a number.
    pub dialling: Dialling,
    /// What becomes of calls.
    pub calls: Calls,
    /// What keys do beside being lines.
    pub keys: Keys,
    /// Where it is kept who has taken the telephone over; `None` without a settings file.
    pub guest: Option<Guest>,
    /// Where calls are recorded to; `None` without a recorder.
    pub recorder: Option<RecorderFolder>,
    /// Where texts are kept that wait to be sent; `None` without a settings file.
    pub outbox: Option<Outbox>,
    /// What `User-Agent` says.
    pub user_agent: String,
    /// The sound card that is the handset, in place of the browser; an empty name stands for the system's.
    #[cfg(feature = "sound-card")]
    pub sound_card: Option<String>,
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
    #[error("the codecs: {0}")]
    Codecs(#[from] CodecsError),
    /// Codecs, delays, ports, tones or pages that cannot be used.
    #[error("{0}")]
    Media(String),
    /// Times, rings or keys that do not read.
    #[error("{0}")]
    Calls(String),
    /// Rules of dialling that are too many together.
    #[error("{0}")]
    Dialling(String),
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
            media: Media::default(),
            tones: Tones::default(),
            pages: Pages::default(),
            plug_and_play: PlugAndPlay::default(),
            dialling: Dialling::default(),
            calls: Calls::default(),
            keys: Keys::default(),
            guest: None,
            outbox: None,
            recorder: None,
            user_agent: concat!("sidetone-phone/", env!("CARGO_PKG_VERSION")).to_owned(),
            #[cfg(feature = "sound-card")]
            sound_card: None,
        }
    }

    /// Reads the settings file, if one is named, and lets the command line go first.
    ///
    /// # Errors
    /// Says what is wrong, where, and what was expected; never repeats what may be a password.
    pub fn load(cli: &Cli) -> Result<Self, ConfigError> {
        let mut config = Self::new(&ES620);
        let mut settings = Settings::new();
        if let Some(path) = &cli.config {
            let loaded = file::read(path)?;
            if !loaded.problems.is_empty() {
                let problems: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
                return Err(ConfigError::Problems(problems.join("\n")));
            }
            settings = loaded.settings;
        }
        let model = match cli.model {
            Some(model) => model,
            None => settings.phone().model.parse()?,
        };
        // What the telephone comes with is what nobody set.
        model.ship(&mut settings);
        if cli.config.is_some() {
            config.apply_file(&settings)?;
            // By the numbers of the telephone that it is in the end.
            config.keys = Keys::from_file(&settings, model).map_err(ConfigError::Calls)?;
            config.recorder = config.calls.recorder();
        } else {
            config.calls.apply_file(&settings).map_err(ConfigError::Calls)?;
            config.apply_dialling(&settings)?;
        }
        if let Some(path) = cli.config.as_ref().filter(|_| !cli.headless) {
            let guest = Guest::beside(path);
            guest.apply(&mut config.accounts);
            config.guest = Some(guest);
            config.outbox = Some(Outbox::beside(path));
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
        let builder =
            self.media.apply(self.network.builder(&self.calls.unsolicited).user_agent(&self.user_agent));
        let builder = match trace {
            Some(trace) => builder.trace(trace.tap(name)),
            None => builder,
        };
        builder.build().await
    }

    fn apply_file(&mut self, settings: &Settings) -> Result<(), ConfigError> {
        let phone: PhoneSettings = settings.phone();
        self.model = phone.model.parse()?;
        self.plug_and_play.apply_file(&phone.pnp).map_err(ConfigError::Network)?;
        self.network.apply_file(&phone).map_err(ConfigError::Network)?;
        self.panel = phone.panel;
        if !phone.user_agent.is_empty() {
            self.user_agent = user_agent_of(&phone.user_agent, self.model, self.plug_and_play.mac);
        }
        self.media.apply_file(&phone.media, self.model).map_err(ConfigError::Media)?;
        self.media.audio.on_hold =
            media::hold_music(&phone.calls.several.hold_music).map_err(ConfigError::Media)?;
        self.tones = Tones::from_file(&phone.tones).map_err(ConfigError::Media)?;
        self.check_ports().map_err(ConfigError::Media)?;
        self.pages.apply_file(&phone.paging).map_err(ConfigError::Media)?;
        self.calls.apply_file(settings).map_err(ConfigError::Calls)?;
        self.apply_dialling(settings)?;
        for (number, settings) in settings.accounts() {
            let place = format!("account.{number}");
            self.accounts.push(
                account_of(&settings, self.model, &self.media, self.plug_and_play.mac)
                    .map_err(|reason| ConfigError::Account { place, reason })?,
            );
        }
        Ok(())
    }

    fn apply_dialling(&mut self, settings: &Settings) -> Result<(), ConfigError> {
        self.dialling = Dialling::from_file(settings).map_err(ConfigError::Dialling)?;
        self.calls.plus = settings.phone().dialling.plus;
        Ok(())
    }

    /// Signalling and the panel are at no port that a router forwards for speech (PAA-003, PAA-021).
    fn check_ports(&self) -> Result<(), String> {
        let sip = match &self.network.ports {
            Some(ports) => ports.clone().collect(),
            None => vec![self.network.local.port()],
        };
        let others: Vec<u16> =
            [self.network.tls_port, Some(self.panel.port())].into_iter().flatten().collect();
        let plan = &self.media.ports;
        plan.check_signalling(&sip)
            .and_then(|()| plan.check_signalling(&others))
            .map_err(|error| error.to_string())
    }

    fn apply_cli(&mut self, cli: &Cli) -> Result<(), ConfigError> {
        self.model = cli.model.unwrap_or(self.model);
        self.panel = cli.panel.unwrap_or(self.panel);
        #[cfg(feature = "sound-card")]
        self.sound_card.clone_from(&cli.sound_card);
        self.network.apply_cli(cli).map_err(ConfigError::Network)?;
        if let Some(names) = &cli.codecs {
            self.media.audio.description.codecs = codecs_of(names)?;
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
            account.audio = Some(self.media.audio.clone());
            self.accounts.push(account);
        }
        for audio in self.accounts.iter_mut().filter_map(|account| account.audio.as_mut()) {
            if cli.codecs.is_some() {
                audio.description.codecs.clone_from(&self.media.audio.description.codecs);
            }
            audio.srtp = cli.srtp.map_or(audio.srtp, SrtpPolicy::from);
            audio.dtls = cli.dtls.map_or(audio.dtls, SrtpPolicy::from);
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

/// What `User-Agent` says: `{mac}` and `{MAC}` stand for the hardware address, `{MODEL}` for the name of the telephone,
/// `{fwver}` for the version of the firmware (PAA-001).
fn user_agent_of(text: &str, model: &Model, mac: Option<[u8; 6]>) -> String {
    let mac: String = mac.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
    text.replace("{mac}", &mac)
        .replace("{MAC}", &mac.to_uppercase())
        .replace("{MODEL}", model.title)
        .replace("{fwver}", env!("CARGO_PKG_VERSION"))
}

fn label(account: &AccountConfig) -> String {
    let user = || account.aor.user().map(|user| user.into_owned());
    account.display_name.clone().or_else(user).unwrap_or_else(|| account.aor.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use sidetone_hal::audio::AudioPath;
    use sidetone_hal::net::Protocol;
    use sidetone_media::dtmf::{DtmfMode, InfoKind};
    use sidetone_media::jitter::DelayMode;
    use sidetone_media::process::EchoControl;
    use sidetone_media::sdp::HoldStyle;
    use sidetone_media::stream::SilenceSuppression;
    use sidetone_media::tone::{Country, ToneKind};
    use sidetone_sip_core::header::Refresher;
    use sidetone_sip_ua::feature::redirect::Follow;
    use sidetone_sip_ua::{AudioConfig, Detection, KeepAliveKind, PortPlan, StunServer};
    use sidetone_sip_ua::{ExtensionUse, RedundancyMode};

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
    fn the_file_sets_how_calls_are_kept_and_which_servers_come_second() {
        let config = settings(
            "kept",
            "account.1.session_timer = yes\naccount.1.session_expires = 600\naccount.1.session_refresher = uas\n\
             account.1.reliable = yes\naccount.1.redirect = never\n\
             account.1.redirect_call_id = same\naccount.1.server2 = sip:second.example.org:5070\n\
             account.1.redundancy = concurrent\naccount.1.outbound_proxy2 = sip:proxy2.example.org\n",
        );
        let account = config.expect("valid").accounts.pop().expect("one");
        let session = account.session;
        assert_eq!(
            (session.timer.usage, session.reliable),
            (ExtensionUse::Supported, ExtensionUse::Supported)
        );
        assert_eq!(session.timer.expires.as_secs(), 600);
        assert_eq!(session.timer.refresher, Some(Refresher::Uas));
        let redirect = &account.redirect;
        assert_eq!((redirect.follow, redirect.new_call_id), (Follow::Never, false));
        let redundancy = &account.redundancy;
        assert_eq!((redundancy.servers.len(), redundancy.mode), (2, RedundancyMode::Concurrent));
        assert_eq!(redundancy.backup_proxies.len(), 1);
        let plain = settings("plain", "").expect("valid").accounts.pop().expect("one");
        assert_eq!(plain.session.timer.usage, ExtensionUse::Off);
        assert_eq!((plain.redirect.follow, plain.redirect.new_call_id), (Follow::Always, true));
        let asking = settings("asking", "account.1.redirect = ask\n").expect("valid").accounts.pop();
        assert_eq!(asking.expect("one").redirect.follow, Follow::Ask);
        let wrong = settings("wrong", "account.1.server2 = tel:5\n").expect_err("no server").to_string();
        assert!(wrong.contains("server2"), "{wrong}");
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
        let names = |config: Config| {
            let codecs = config.media.audio.description.codecs;
            codecs.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let default = Settings::new().phone().media.codecs;
        assert_eq!(names(load("--no-register").expect("valid")), default.split(' ').collect::<Vec<_>>());
        let config = load("--codecs g729;annexb=no,AMR,g722,G729,G729,L16/8000,opus").expect("valid");
        let rates: Vec<_> =
            config.media.audio.description.codecs.iter().map(|choice| choice.codec.sample_rate).collect();
        assert_eq!(rates, [8000, 8000, 16_000, 8000, 8000, 16_000]);
        assert_eq!(names(config)[..5], ["G729;annexb=no", "AMR", "G722", "G729", "L16"]);
        let error = load("--codecs PCMU,G728").expect_err("not ours").to_string();
        let said = "the codecs: \"G728\": no such codec at this sample rate; expected names among PCMU, ";
        assert!(error.starts_with(said), "{error}");
        assert!(load("--codecs ,").is_err());
        let config = load("--account sip:a@example.org --srtp optional --dtls compulsory").expect("valid");
        let audio = config.accounts[0].audio.as_ref().expect("its own");
        assert_eq!((audio.srtp, audio.dtls), (SrtpPolicy::Optional, SrtpPolicy::Compulsory));
    }

    #[test]
    fn the_file_sets_how_calls_sound() {
        let config = settings(
            "media",
            "media.codecs = PCMA G722\nmedia.port = 11800\nmedia.port_last = 12000\nmedia.dscp = 34\n\
             media.jitter = fixed\nmedia.jitter_normal = 120\nmedia.noise_suppression = no\nmedia.vad = yes\n\
             media.rtcp_interval = 30\naccount.1.hold = address\naccount.1.codecs = iLBC;mode=20\n\
             account.1.ptime = 40\naccount.1.srtp = compulsory\naccount.1.dtls = optional\naccount.1.dtmf_payload_type = 97\n\
             account.1.dtmf = info\naccount.1.dtmf_info = telephone-event\nmedia.dtmf_duration = 160\n\
             media.dtmf_gap = 80\n",
        );
        let mut config = config.expect("valid");
        let names = |audio: &AudioConfig| {
            audio.description.codecs.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(config.media.ports, PortPlan::within(&(11_800..=12_000)).expect("pairs"));
        assert_eq!(config.media.dscp, 34);
        assert_eq!(names(&config.media.audio), ["PCMA", "G722"]);
        let delay = config.media.audio.delay;
        assert_eq!((delay.mode, delay.normal.as_millis()), (DelayMode::Fixed, 120));
        let audio = config.accounts.pop().expect("one").audio.expect("its own");
        assert_eq!(names(&audio), ["iLBC;mode=20"]);
        assert_eq!((audio.description.ptime, audio.description.dtmf_payload_type), (40, 97));
        assert_eq!((audio.srtp, audio.dtls), (SrtpPolicy::Compulsory, SrtpPolicy::Optional));
        assert_eq!(audio.delay, delay);
        assert_eq!(audio.description.hold_style, HoldStyle::ZeroAddress);
        assert_eq!((audio.silence, audio.rtcp.interval.as_secs()), (SilenceSuppression::On, 30));
        let speaker = config.media.room.processing(AudioPath::Speaker);
        assert_eq!((speaker.echo, speaker.noise_reduction), (EchoControl::Speaker, 0));
        let dtmf = audio.dtmf;
        assert_eq!((dtmf.mode, dtmf.info), (DtmfMode::Info, InfoKind::TelephoneEvent));
        assert_eq!((dtmf.duration.as_millis(), dtmf.stream.gap.as_millis()), (160, 80));
        let wrong = |name: &str, lines: &str| settings(name, lines).expect_err(lines).to_string();
        assert!(wrong("country", "tones.country = Ruritania\n").contains("is none of Australia, Austria,"));
        assert!(
            wrong("dial", "tones.dial = 10/0\n").starts_with("tones.dial: element 1: `10` is no frequency")
        );
        assert!(
            wrong("rtp", "media.port = 4000\n")
                .starts_with("media.port, media.port_last: RTP port 0, expected")
        );
        assert!(wrong("delay", "media.jitter_min = 300\n").contains("minimum delay is above"));
        assert!(wrong("codec", "account.1.codecs = none\n").starts_with("account.1: codecs: \"none\""));
    }

    #[test]
    fn the_file_sets_the_tones() {
        let config = settings(
            "tones",
            "tones.country = gb\ntones.busy = 480+620/500,0/500\ntones.congestion = 350+440\n\
             tones.keys = no\n",
        );
        let tones = config.expect("valid").tones;
        let britain = Country::find("Great Britain").expect("known");
        assert_eq!((tones.dial, tones.keys), (britain.tone(ToneKind::Dial), false));
        assert_eq!((tones.busy.elements().len(), tones.congestion.elements().len()), (2, 1));
        assert_eq!(tones.busy.elements()[0].voices()[1].hertz, 620.0);
    }

    #[test]
    fn limits_are_told() {
        let error = load("--model cp860 --account sip:a@b --account sip:c@d").expect_err("too many");
        assert_eq!(error.to_string(), "CP860 takes 1 account(s), 2 were given");
        let error = load("--panel 0.0.0.0:8080").expect_err("not local");
        assert!(error.to_string().contains("expected a loopback address"), "{error}");
    }
}
