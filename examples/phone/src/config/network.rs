//! The phone's sockets: ports, marking, timers, DNS servers, TLS.

use crate::cli::Cli;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ops::RangeInclusive;
use sidetone_provisioning::{AuthoritySet, PhoneSettings, TimerSettings, TlsSettings};
use sidetone_sip_core::Method;
use sidetone_sip_core::driver;
use sidetone_sip_core::driver::{CaSet, Certificates, Identity, TlsConfig, TlsError, TlsVersion};
use sidetone_sip_core::transaction::Timers;
use sidetone_sip_ua::package::dialog_info::PACKAGE;
use sidetone_sip_ua::{AgentConfig, UserAgent, UserAgentBuilder};

/// Certificates of authorities that are read (YLC-264).
const MAX_AUTHORITIES: usize = 10;

/// What SIP goes through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Network {
    /// The address to listen at; port 0 lets the system choose.
    pub local: SocketAddr,
    /// UDP takes a free port of this range instead.
    pub ports: Option<RangeInclusive<u16>>,
    /// The port to listen at for TLS, if any.
    pub tls_port: Option<u16>,
    /// Whom TLS trusts, and who we are.
    pub tls: TlsConfig,
    /// The DiffServ code point of signalling.
    pub dscp: u8,
    /// RFC 3261's timers.
    pub timers: Timers,
    /// The longest request over UDP.
    pub max_datagram: Option<usize>,
    /// The DNS servers, if not the system's.
    pub dns: Vec<SocketAddr>,
}

impl Default for Network {
    fn default() -> Self {
        let endpoint = AgentConfig::new([0; 32]).endpoint;
        Self {
            local: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            ports: None,
            tls_port: None,
            tls: TlsConfig::new(),
            dscp: 0,
            timers: endpoint.timers,
            max_datagram: endpoint.max_datagram,
            dns: Vec::new(),
        }
    }
}

impl Network {
    pub(super) fn apply_file(&mut self, phone: &PhoneSettings) -> Result<(), String> {
        self.local.set_port(phone.sip_port);
        self.ports = match phone.sip_port_last {
            Some(last) if phone.sip_port == 0 || last < phone.sip_port => {
                return Err(format!(
                    "sip.port_last: the ports from {} to {last} are none: expected sip.port first, then a port not below it",
                    phone.sip_port
                ));
            }
            last => last.map(|last| phone.sip_port..=last),
        };
        self.tls_port = phone.tls.port;
        self.tls = tls_of(&phone.tls)?;
        self.dscp = phone.sip_dscp;
        self.timers = timers_of(&phone.timers);
        self.max_datagram = phone.tcp_above.map(usize::from);
        self.dns.clone_from(&phone.dns_servers);
        Ok(())
    }

    pub(super) fn apply_cli(&mut self, cli: &Cli) -> Result<(), String> {
        if let Some(port) = cli.local_port {
            self.local.set_port(port);
            self.ports = None;
        }
        self.local.set_ip(cli.local_address.unwrap_or_else(|| self.local.ip()));
        if !cli.dns.is_empty() {
            self.dns.clone_from(&cli.dns);
        }
        if !cli.authority.is_empty() {
            let authorities = authorities(&cli.authority).map_err(|error| error.to_string())?;
            self.tls = core::mem::take(&mut self.tls).trust(authorities);
        }
        if let (Some(certificate), Some(key)) = (&cli.certificate, &cli.key) {
            let identity = Identity::read(certificate, key).map_err(|error| error.to_string())?;
            self.tls = core::mem::take(&mut self.tls).client(identity.clone()).server(identity);
        }
        if cli.any_certificate {
            self.tls = core::mem::take(&mut self.tls).accept_only_trusted(false);
        }
        self.tls_port = cli.tls_port.or(self.tls_port);
        if self.tls_port.is_some() && self.tls.servers.is_empty() {
            return Err(TlsError::NoServerIdentity.to_string());
        }
        Ok(())
    }

    /// A user agent with these sockets.
    pub(super) fn builder(&self, unsolicited: &[String]) -> UserAgentBuilder {
        let mut config = AgentConfig::new(driver::seed());
        // Texts are shown, and what servers tell in a call.
        config.methods.extend([Method::MESSAGE, Method::INFO]);
        config.unsolicited = unsolicited.to_vec();
        // Telephones transfer to those who still ring by that (YLA-107).
        config.replace_ringing = true;
        // State agents of bridged lines subscribe to us, and their telephones may barge in.
        config.packages.push(PACKAGE.into());
        config.join = true;
        config.endpoint.timers = self.timers;
        config.endpoint.max_datagram = self.max_datagram;
        let mut builder = UserAgent::builder().config(config).dscp(self.dscp).tls(self.tls.clone());
        // The range is for what the phone sends from; what others connect to is where nothing else is.
        builder = match &self.ports {
            Some(ports) => builder
                .bind_udp_range(self.local.ip(), ports.clone())
                .bind_tcp(SocketAddr::new(self.local.ip(), 0)),
            None => builder.bind_udp(self.local).bind_tcp(self.local),
        };
        if let Some(port) = self.tls_port {
            builder = builder.bind_tls(SocketAddr::new(self.local.ip(), port));
        }
        self.dns.iter().fold(builder, |builder, server| builder.dns_server(*server))
    }
}

fn timers_of(settings: &TimerSettings) -> Timers {
    let mut timers = Timers::default();
    (timers.t1, timers.t2, timers.t4) = (settings.t1, settings.t2, settings.t4);
    (timers.b, timers.d, timers.f) = (settings.b, settings.d, settings.f);
    (timers.h, timers.j) = (settings.h, settings.j);
    timers
}

fn tls_of(settings: &TlsSettings) -> Result<TlsConfig, String> {
    let trusted = authorities(&settings.authorities).map_err(|error| format!("tls.authorities: {error}"))?;
    let mut tls = TlsConfig::new()
        .trust(trusted)
        .ca_set(match settings.authority_set {
            AuthoritySet::System => CaSet::System,
            AuthoritySet::Custom => CaSet::Own,
            AuthoritySet::Both => CaSet::Both,
        })
        .accept_only_trusted(settings.trusted_only)
        .check_name(settings.check_name)
        .min_version(if settings.only_1_3 { TlsVersion::Tls13 } else { TlsVersion::Tls12 });
    match (&settings.certificate, &settings.key) {
        (None, None) => {}
        (Some(certificate), Some(key)) => {
            let identity =
                Identity::read(certificate, key).map_err(|error| format!("tls.certificate: {error}"))?;
            tls = tls.client(identity.clone()).server(identity);
        }
        _ => return Err("tls.certificate and tls.key: expected both or neither".to_owned()),
    }
    Ok(tls)
}

fn authorities<P: AsRef<std::path::Path>>(paths: &[P]) -> Result<Certificates, String> {
    let mut all = Certificates::default();
    for path in paths {
        all.append(Certificates::read(path).map_err(|error| error.to_string())?);
    }
    match all.len() {
        0..=MAX_AUTHORITIES => Ok(all),
        count => Err(format!("{count} certificates: expected {MAX_AUTHORITIES} at most")),
    }
}
