//! The PBX on tokio: one task drives the [`Proxy`] and its sockets, one for each address drives the extensions.

use crate::call_config::{CallConfig, RingGroup};
use crate::command::Command;
use crate::config::ProxyConfig;
use crate::dialogs::UserDialog;
use crate::event::PbxEvent;
use crate::features::UserFeatures;
use crate::handle::PbxHandle;
use crate::mailbox::{MailboxStore, MemoryMailboxes};
use crate::notifier::{MAX_WATCHERS, STATE_PACKAGES, States, StatesConfig};
use crate::plug_and_play::PlugAndPlay;
use crate::proxy::{Extension, LINES_USER, Proxy};
use crate::registrar::RegistrarLimits;
use crate::services::{MAX_SERVICE_CALLS, Prompt, PromptError, Service, Services, VoicemailConfig};
use hashbrown::HashMap;
use sidetone_hal::net::{IpAddr, Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_sip_core::driver::{self, DriverConfig, Io, IoEvent, TlsConfig, WebSocketConfig};
use sidetone_sip_core::trace::Tap;
use sidetone_sip_core::{DigestConfig, Method, Secret, Uri};
use sidetone_sip_ua::{Account, AccountConfig, AgentConfig, AudioConfig, PortPlan, ReferPolicy, UserAgent};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, broadcast, mpsc, watch};

/// The small PBX; begin with [`Pbx::builder`].
#[derive(Debug)]
pub struct Pbx;

impl Pbx {
    /// A PBX with the extensions `*43` (echo), `*44` (prompt), `600` (tone) and `601` (rings), and no accounts.
    pub fn builder() -> PbxBuilder {
        PbxBuilder::default()
    }
}

/// Collects what a PBX needs.
#[derive(Default)]
#[must_use]
pub struct PbxBuilder {
    udp: Vec<SocketAddr>,
    tcp: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
    ws: Vec<SocketAddr>,
    wss: Vec<SocketAddr>,
    tls_config: Option<TlsConfig>,
    websocket: WebSocketConfig,
    users: Vec<(String, Secret)>,
    domains: Vec<String>,
    realm: Option<String>,
    digest: Option<DigestConfig>,
    extensions: BTreeMap<String, Option<Service>>,
    registrar: Option<RegistrarLimits>,
    calls: CallConfig,
    groups: Vec<(String, RingGroup)>,
    pickup_groups: Vec<Vec<String>>,
    features: Option<Box<dyn UserFeatures>>,
    mailboxes: Option<Arc<dyn MailboxStore>>,
    lists: Vec<(String, Vec<String>)>,
    lines: Vec<(String, Vec<String>, u16)>,
    plug_and_play: Option<PlugAndPlay>,
    seed: Option<[u8; 32]>,
    tap: Option<Box<dyn Tap>>,
    driver: DriverConfig,
    rtp_ports: Option<PortPlan>,
}

/// Events that wait for a slow reader of [`PbxEvents`]; it misses older ones.
const QUEUED_EVENTS: usize = 1024;
/// Commands of handles that wait for the proxy's task.
const QUEUED_COMMANDS: usize = 64;

impl PbxBuilder {
    /// Listens for UDP here; port 0 lets the system choose. Without any address it is `127.0.0.1:5060`, UDP.
    pub fn udp(mut self, address: SocketAddr) -> Self {
        self.udp.push(address);
        self
    }

    /// Listens for TCP here; port 0 lets the system choose.
    pub fn tcp(mut self, address: SocketAddr) -> Self {
        self.tcp.push(address);
        self
    }

    /// Listens for TLS here, which takes a [`PbxBuilder::tls_config`]; port 0 lets the system choose.
    pub fn tls(mut self, address: SocketAddr) -> Self {
        self.tls.push(address);
        self
    }

    /// Listens for WebSocket (RFC 7118) here; port 0 lets the system choose.
    pub fn ws(mut self, address: SocketAddr) -> Self {
        self.ws.push(address);
        self
    }

    /// Listens for secure WebSocket here, which takes a [`PbxBuilder::tls_config`]; port 0 lets the system choose.
    pub fn wss(mut self, address: SocketAddr) -> Self {
        self.wss.push(address);
        self
    }

    /// Our certificate, and whether devices must have one.
    pub fn tls_config(mut self, config: TlsConfig) -> Self {
        self.tls_config = Some(config);
        self
    }

    /// The path, the origins that may connect, and the bounds of WebSocket.
    pub fn websocket(mut self, config: WebSocketConfig) -> Self {
        self.websocket = config;
        self
    }

    /// Adds an account.
    pub fn user(mut self, name: impl Into<String>, password: &str) -> Self {
        self.users.push((name.into(), Secret::new(password)));
        self
    }

    /// Tells telephones out of the box where their settings are. Without it none is told.
    pub fn plug_and_play(mut self, config: PlugAndPlay) -> Self {
        self.plug_and_play = Some(config);
        self
    }

    /// A domain that this server answers for, besides `localhost` and its own addresses.
    pub fn domain(mut self, name: impl Into<String>) -> Self {
        self.domains.push(name.into());
        self
    }

    /// The realm of the digest challenges; `sidetone` by default.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// What the challenges offer; SHA-256 and MD5 by default. Older clients that stumble over two challenges need one.
    pub fn digest(mut self, config: DigestConfig) -> Self {
        self.digest = Some(config);
        self
    }

    /// What happens when this number is called; an earlier meaning of the number is replaced.
    pub fn extension(mut self, number: impl Into<String>, service: Service) -> Self {
        self.extensions.insert(number.into(), Some(service));
        self
    }

    /// Takes one of the extensions away that a PBX has by default.
    pub fn without_extension(mut self, number: impl Into<String>) -> Self {
        self.extensions.insert(number.into(), None);
        self
    }

    /// How calls are diverted and taken, and by which codes. [`CallConfig::voicemail`] and [`CallConfig::confirmation`] are
    /// set by [`PbxBuilder::voicemail`], and by the extension that is a [`Service::Confirmation`].
    pub fn calls(mut self, calls: CallConfig) -> Self {
        self.calls = calls;
        self
    }

    /// A number that rings at several users.
    pub fn ring_group(mut self, number: impl Into<String>, group: RingGroup) -> Self {
        self.groups.push((number.into(), group));
        self
    }

    /// Users who may take each other's calls.
    pub fn pickup_group<S: Into<String>>(mut self, members: impl IntoIterator<Item = S>) -> Self {
        self.pickup_groups.push(members.into_iter().map(Into::into).collect());
        self
    }

    /// A list of users and extensions whose lamps a telephone subscribes to at once, by this name (RFC 4662); at most
    /// [`MAX_LIST`](crate::MAX_LIST).
    pub fn blf_list<S: Into<String>>(
        mut self,
        name: impl Into<String>,
        members: impl IntoIterator<Item = S>,
    ) -> Self {
        self.lists.push((name.into(), members.into_iter().map(Into::into).collect()));
        self
    }

    /// A number that these users share, with so many calls at a time, 1 to 64: it rings at all of them, and their
    /// telephones show each of its calls, dial on it and take held ones (`call-info`, `line-seize`). An account of the
    /// number's name shares it too.
    pub fn shared_line<S: Into<String>>(
        mut self,
        number: impl Into<String>,
        members: impl IntoIterator<Item = S>,
        appearances: u16,
    ) -> Self {
        let members = members.into_iter().map(Into::into).collect();
        self.lines.push((number.into(), members, appearances));
        self
    }

    /// Where users' settings are kept; in memory by default.
    pub fn features(mut self, store: impl UserFeatures + 'static) -> Self {
        self.features = Some(Box::new(store));
        self
    }

    /// Calls that nobody answers can leave a message at `number`, and users hear theirs at `listen`. Messages are kept in
    /// `store`.
    pub fn voicemail(
        mut self,
        number: impl Into<String>,
        listen: impl Into<String>,
        config: VoicemailConfig,
        store: impl MailboxStore + 'static,
    ) -> Self {
        let number = number.into();
        self.calls.voicemail = Some(number.clone());
        self.mailboxes = Some(Arc::new(store));
        self.extension(number, Service::Voicemail(config)).extension(listen, Service::Messages)
    }

    /// Other bounds on registrations.
    pub fn registrar(mut self, limits: RegistrarLimits) -> Self {
        self.registrar = Some(limits);
        self
    }

    /// A fixed seed, for tests; without one the operating system gives it.
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Shows every message that the proxy sends and receives.
    pub fn trace(mut self, tap: impl Tap + 'static) -> Self {
        self.tap = Some(Box::new(tap));
        self
    }

    /// What else the sockets are told, of the proxy and of the extensions: limits, marks. The addresses in it do not count.
    pub fn driver(mut self, config: DriverConfig) -> Self {
        self.driver = config;
        self
    }

    /// Which ports the extensions take for RTP, two for each call; whatever the system gives without it.
    pub fn rtp_ports(mut self, plan: PortPlan) -> Self {
        self.rtp_ports = Some(plan);
        self
    }

    /// Opens the sockets and starts the tasks on the current tokio runtime.
    ///
    /// # Errors
    /// An address cannot be bound.
    pub async fn start(self) -> Result<PbxHandle, StartError> {
        let mut udp = self.udp;
        let streams: Vec<SocketAddr> =
            [&self.tcp, &self.tls, &self.ws, &self.wss].into_iter().flatten().copied().collect();
        if udp.is_empty() && streams.is_empty() {
            udp.push(SocketAddr::from(([127, 0, 0, 1], 5060)));
        }
        let seed = self.seed.unwrap_or_else(driver::seed);
        let mut rng = Rng::from_seed(seed);
        let table = table(self.extensions)?;
        let mut calls = self.calls;
        if calls.confirmation.is_none() {
            let confirms = |(_, service): &(_, &Service)| matches!(service, Service::Confirmation);
            calls.confirmation = table.iter().find(confirms).map(|(number, _)| number.clone());
        }

        // The extensions are spoken to over UDP, at the address the caller used, so each has a UDP socket.
        let mut sockets = udp.clone();
        for ip in streams.iter().map(SocketAddr::ip) {
            if !sockets.iter().any(|address| address.ip() == ip) {
                sockets.push(SocketAddr::new(ip, 0));
            }
        }
        let mut config = self.driver;
        (config.udp_ranges, config.dual_stack) = (Vec::new(), None);
        for addresses in [&mut config.udp, &mut config.tcp, &mut config.tls, &mut config.ws, &mut config.wss]
        {
            addresses.clear();
        }
        let of_extensions = config.clone();
        config.udp = sockets;
        config.tcp = self.tcp;
        config.tls = self.tls;
        config.ws = self.ws;
        config.wss = self.wss;
        config.tls_config = self.tls_config;
        config.websocket = self.websocket;
        let mut io = Io::bind(&config)?;

        let mut fork = || {
            let mut seed = [0; 32];
            rng.fill(&mut seed);
            seed
        };
        let mut config = ProxyConfig::new(fork());
        config.domains.extend(self.domains);
        config.realm = self.realm.unwrap_or(config.realm);
        config.digest = self.digest.unwrap_or(config.digest);
        config.registrar = self.registrar.unwrap_or(config.registrar);
        config.calls = calls;
        let mut proxy = Proxy::new(config);
        proxy.endpoint_mut().set_tap(self.tap);
        io.attach(proxy.endpoint_mut());
        let all = [Protocol::Udp, Protocol::Tcp, Protocol::Tls, Protocol::Ws, Protocol::Wss];
        let bound = all.into_iter().flat_map(|protocol| {
            io.local_addresses(protocol).into_iter().map(move |address| (protocol, address))
        });
        let mut bound: Vec<_> = bound.collect();
        for (_, address) in &bound {
            proxy.add_local(*address);
        }
        for (name, password) in self.users {
            proxy.add_account(name, password);
        }
        for (number, group) in self.groups {
            proxy.add_ring_group(number, group);
        }
        let shares = !self.lines.is_empty();
        for (number, members, appearances) in self.lines {
            if !proxy.add_shared_line(&number, members, appearances) {
                tracing::warn!(number, "too many shared lines");
            }
        }
        for members in self.pickup_groups {
            if !proxy.add_pickup_group(members) {
                tracing::warn!("too many pickup groups");
            }
        }
        if let Some(store) = self.features {
            proxy.set_feature_store(store);
        }

        let key: String = Rng::from_seed(fork()).hex::<32>().iter().map(|byte| char::from(*byte)).collect();
        let mut ips: Vec<IpAddr> = bound.iter().map(|(_, address)| address.ip()).collect();
        ips.sort();
        ips.dedup();
        let mut agents = Vec::new();
        let mut ports = Vec::new();
        let (mut callbacks, mut line_accounts) = (HashMap::new(), HashMap::new());
        let parks = table.values().any(|service| matches!(service, Service::Park(_)));
        let secret: String =
            Rng::from_seed(fork()).hex::<32>().iter().map(|byte| char::from(*byte)).collect();
        let rooms: Vec<String> = table
            .iter()
            .filter(|(_, service)| matches!(service, Service::Conference(_)))
            .map(|(number, _)| number.clone())
            .collect();
        // The extensions that call somebody do so as accounts, whose password nobody else has.
        let own = [parks.then_some(CALLBACK_USER), shares.then_some(LINES_USER)];
        for user in own.into_iter().flatten().chain(rooms.iter().map(String::as_str)) {
            proxy.add_account(user, Secret::new(secret.as_str()));
        }
        for ip in ips {
            // Whoever is held both ways is not played to.
            let mut audio = AudioConfig::default();
            audio.rest_while_inactive = true;
            let agent = UserAgent::builder()
                .audio(audio)
                .rtp_port_plan(self.rtp_ports.clone().unwrap_or_else(PortPlan::any))
                .driver(of_extensions.clone())
                .bind_udp(SocketAddr::new(ip, 0))
                .config(agent_config(rooms.len()))
                .seed(fork())
                .build()
                .await?;
            ports.extend(agent.local_addr(Protocol::Udp).map(|address| (ip, address.port())));
            let at = bound.iter().find(|(protocol, at)| *protocol == Protocol::Udp && at.ip() == ip);
            if let Some((_, at)) = at.filter(|_| parks) {
                callbacks.insert(ip, service_account(&agent, CALLBACK_USER, *at, &secret).await?);
            }
            if let Some((_, at)) = at.filter(|_| shares) {
                line_accounts.insert(ip, service_account(&agent, LINES_USER, *at, &secret).await?);
            }
            let mut accounts = HashMap::new();
            if let Some((_, at)) = at {
                for room in &rooms {
                    let account = service_account(&agent, room, *at, &secret).await?;
                    accounts.insert(account.id(), room.clone());
                }
            }
            agents.push((agent, accounts));
        }
        let extensions: Vec<String> = table.keys().cloned().collect();
        for number in &extensions {
            proxy.add_extension(number, Extension { ports: ports.clone(), key: key.clone() });
        }

        let (stop_services, services_stop) = watch::channel(());
        let room = Arc::new(Semaphore::new(MAX_SERVICE_CALLS));
        let (events, _) = broadcast::channel(QUEUED_EVENTS);
        let (commands, inbox) = mpsc::channel(QUEUED_COMMANDS);
        let mailboxes = self.mailboxes.unwrap_or_else(|| Arc::new(MemoryMailboxes::new()));
        let numbers = |wanted: fn(&Service) -> bool| {
            let fitting = table.iter().filter(|(_, service)| wanted(service));
            fitting.map(|(number, _)| number.clone()).collect::<Vec<_>>()
        };
        let listen = numbers(|service| matches!(service, Service::Messages));
        let states = StatesConfig {
            key: key.clone(),
            lists: self.lists,
            lines: line_accounts,
            rooms: numbers(|service| matches!(service, Service::Conference(_))),
            voicemail: numbers(|service| matches!(service, Service::Messages | Service::Voicemail(_))),
            listen: listen.into_iter().next(),
        };
        for (name, _) in &states.lists {
            proxy.add_list(name.as_str());
        }
        proxy.set_state_agent(Extension { ports: ports.clone(), key: key.clone() }, &STATE_PACKAGES);
        let states =
            Arc::new(States::new(states, Arc::clone(&mailboxes), commands.clone(), Rng::from_seed(fork())));
        let services = Arc::new(Services {
            table: table.into_iter().collect::<HashMap<_, _>>(),
            key,
            room,
            mailboxes: Arc::clone(&mailboxes),
            states: Arc::clone(&states),
            events: events.clone(),
            callbacks,
            rooms: Default::default(),
            orbits: Default::default(),
        });
        let mut tasks: Vec<_> = agents
            .into_iter()
            .map(|(agent, rooms)| {
                tokio::spawn(Arc::clone(&services).run(agent, rooms, services_stop.clone()))
            })
            .collect();
        if let Some(config) = self.plug_and_play {
            let agent = config.agent(fork()).await?;
            tasks.push(tokio::spawn(config.serve(agent, events.clone(), services_stop.clone())));
        }
        let (dialogs, _) = broadcast::channel(QUEUED_EVENTS);
        let (stop, proxy_stop) = watch::channel(());
        let tls = io.tls_handle();
        let outlets = Outlets { events: events.clone(), dialogs: dialogs.clone(), states };
        let task = tokio::spawn(drive(proxy, io, outlets, inbox, proxy_stop));
        // Sockets that only the extensions use are not among what was asked for.
        let mut number = 0;
        bound.retain(|(protocol, _)| {
            number += usize::from(*protocol == Protocol::Udp);
            *protocol != Protocol::Udp || number <= udp.len()
        });
        let addresses =
            |wanted| bound.iter().filter(|(spoken, _)| *spoken == wanted).map(|(_, at)| *at).collect();
        Ok(PbxHandle {
            udp: addresses(Protocol::Udp),
            tcp: addresses(Protocol::Tcp),
            listening: bound,
            tls,
            extensions,
            events,
            dialogs,
            commands,
            mailboxes,
            of_services: Arc::clone(&services),
            stop,
            stop_services,
            task,
            services: tasks,
        })
    }
}

/// What the numbers do: the usual ones, as far as they were not replaced or taken away.
fn table(changes: BTreeMap<String, Option<Service>>) -> Result<BTreeMap<String, Service>, PromptError> {
    let mut table = BTreeMap::from([
        ("*43".into(), Service::Echo),
        ("600".into(), Service::HUM),
        ("601".into(), Service::Ring),
    ]);
    if !changes.contains_key("*44") {
        table.insert("*44".into(), Service::Prompt(Prompt::welcome()?));
    }
    for (number, service) in changes {
        match service {
            Some(service) => table.insert(number, service),
            None => table.remove(&number),
        };
    }
    Ok(table)
}

/// The user agent of the extensions.
fn agent_config(rooms: usize) -> AgentConfig {
    // The builder gives the seed.
    let mut config = AgentConfig::new([0; 32]);
    config.user_agent = concat!("sidetone-pbx/", env!("CARGO_PKG_VERSION")).into();
    // Callers of a room may have it recorded.
    config.methods.push(Method::INFO);
    config.packages = STATE_PACKAGES.map(Into::into).to_vec();
    config.max_subscriptions = MAX_WATCHERS;
    // Rooms are asked to call somebody, and to put somebody out.
    (config.refer, config.refer_bye) = (ReferPolicy::Always, true);
    // Those of the park orbits and of shared lines, and one for each room.
    config.max_accounts = rooms.saturating_add(2);
    config
}

/// The account that calls users for the extensions: no telephone registers for it.
const CALLBACK_USER: &str = "sidetone-park";

/// An account of an extension at our own proxy.
async fn service_account(
    agent: &UserAgent,
    user: &str,
    server: SocketAddr,
    secret: &str,
) -> Result<Account, sidetone_sip_ua::Error> {
    // An address that stands for all of a machine's is reached at the loopback.
    let ip = match server.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(core::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let aor = Uri::sip(Some(user), &ip.to_string(), Some(server.port()));
    let aor = aor.map_err(|_| sidetone_sip_ua::Error::NoRoute)?;
    agent.add_account(AccountConfig::new(aor).with_password(secret).without_registration()).await
}

/// Where what happens is told.
struct Outlets {
    events: broadcast::Sender<PbxEvent>,
    dialogs: broadcast::Sender<UserDialog>,
    states: Arc<States>,
}

/// Runs the proxy until `stop`.
async fn drive(
    mut proxy: Proxy,
    mut io: Io,
    outlets: Outlets,
    mut commands: mpsc::Receiver<Command>,
    mut stop: watch::Receiver<()>,
) {
    loop {
        // Nobody has to listen.
        while let Some(event) = proxy.poll_event() {
            outlets.states.happened(&event);
            outlets.events.send(event).ok();
        }
        while let Some(dialog) = proxy.poll_dialog() {
            outlets.states.dialog_changed(&dialog);
            outlets.dialogs.send(dialog).ok();
        }
        while let Some(line) = proxy.poll_line() {
            outlets.states.line_changed(line);
        }
        let deadline = proxy.poll_timeout();
        let happened = tokio::select! {
            biased;
            _ = stop.changed() => break,
            // There are never more than those who wait for an answer.
            Some(command) = commands.recv() => {
                command.run(io.now(), &mut proxy);
                continue;
            }
            happened = io.next(proxy.endpoint_mut(), deadline) => happened,
        };
        match happened {
            IoEvent::Input(input) => proxy.handle_input(io.now(), input),
            IoEvent::Timeout => proxy.handle_timeout(io.now()),
        }
    }
    io.flush(proxy.endpoint_mut());
}

/// Why a PBX does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be bound; the error names it.
    #[error("{0}")]
    Bind(#[from] std::io::Error),
    /// The user agent of the extensions cannot start.
    #[error("extensions: {0}")]
    Services(#[from] sidetone_sip_ua::Error),
    /// The prompt that comes with the crate cannot be played.
    #[error(transparent)]
    Prompt(#[from] PromptError),
}
